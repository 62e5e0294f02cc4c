//! Watching a compiled program: which section it is in, which spikes each update stores, and how long it waits for the DMA
//! engine.
//!
//! Contract: what is seen is what the machine did. A spike is a bit in a word that the program stored while it was in
//! the update of the bit's population; of several stores to one word in one update the last one counts. Where an update
//! does not store all of its population's words, the spikes stayed in registers, and [`Seen::complete`] is false.
//!
//! The wait for the DMA engine is the time from each read of a channel's status that finds it busy to the next read of a
//! status, as a loop makes them that does nothing but wait.
//!
//! Not here: what the counts mean ([`super::count`]).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use fenn_isa::Inst;
use fenn_isa::csr::{CSRS, Register, dma_status};
use fenn_isa::image::manifest::{Manifest, Origin, PhaseKind, Work};
use fenn_isa::memory::Space;
use fenn_iss::dma::Transfer;
use fenn_iss::observe::{Phases, Profiler};
use fenn_iss::{Access, AccessKind, Observer, Retired, State, Statistics, Trap};

/// What is in no section.
const NOWHERE: usize = usize::MAX;

/// What was seen of the spikes of one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Of each neuron, in all runs.
    pub(super) spikes: Vec<u64>,
    /// Of each neuron, those that did not arrive any more where a spike arrives `n + 1` steps later, for each `n`: their run
    /// was over and they were forgotten, or nothing ran any more.
    pub(super) late: Vec<Vec<u64>>,
    /// Whether every update stored all words.
    pub(super) complete: bool,
    /// Updates.
    pub(super) updates: u64,
}

/// What was seen of a program.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) profiler: Profiler,
    pub(super) statistics: Statistics,
    /// How often each section was entered.
    pub(super) entered: Vec<u64>,
    /// Cycles in which each section waited for the DMA engine; what is in none, last.
    pub(super) waits: Vec<u64>,
    /// One for each event.
    pub(super) events: Vec<Seen>,
    /// Runs.
    pub(super) runs: u64,
    /// Of programs without a manifest: the phases that their symbols mark.
    pub(super) phases: Option<Phases>,
}

impl Found {
    /// Adds what was seen of the same program on another machine.
    pub(super) fn add(&mut self, other: Self) {
        let Self { profiler, statistics, entered, waits, events, runs, phases } = other;
        self.profiler.add(&profiler);
        self.statistics.add(&statistics);
        add(&mut self.entered, &entered);
        add(&mut self.waits, &waits);
        self.runs += runs;
        if self.events.is_empty() {
            self.events = events;
        } else {
            for (mine, other) in self.events.iter_mut().zip(&events) {
                add(&mut mine.spikes, &other.spikes);
                mine.late.iter_mut().zip(&other.late).for_each(|(mine, other)| add(mine, other));
                mine.complete &= other.complete;
                mine.updates += other.updates;
            }
        }
        self.phases = self.phases.take().or(phases);
    }
}

fn add(mine: &mut Vec<u64>, other: &[u64]) {
    mine.resize(mine.len().max(other.len()), 0);
    mine.iter_mut().zip(other).for_each(|(mine, other)| *mine += other);
}

/// What there is to look for in a program; shared by all that watch it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// For each word of code, its section.
    section_of: Vec<usize>,
    kinds: Vec<PhaseKind>,
    events: Vec<Event>,
    /// From the first to behind the last byte in which spikes can be.
    range: (u32, u32),
}

#[derive(Debug)]
struct Event {
    section: usize,
    first: u32,
    behind: u32,
    neurons: u32,
    /// Of the latest spike that acts.
    longest: usize,
    /// Whether spikes of one run are gone in the next.
    forgotten: bool,
}

impl Plan {
    /// What there is to look for in a program that says what its parts do; nothing if it does not.
    pub(super) fn of(manifest: &Manifest) -> Self {
        let Some(work) = &manifest.work else { return Self::default() };
        let end = work.sections.iter().map(|section| section.address + section.bytes).max().unwrap_or(0);
        let mut section_of = vec![NOWHERE; end as usize / 4];
        for (index, section) in work.sections.iter().enumerate() {
            let words = section.address as usize / 4..(section.address + section.bytes) as usize / 4;
            section_of[words].fill(index);
        }
        let events: Vec<Event> = work
            .events
            .iter()
            .zip(0..)
            .map(|(event, index)| {
                let population = manifest.populations.iter().find(|population| population.name == event.population);
                Event {
                    section: event.section as usize,
                    first: event.address,
                    behind: event.address + event.bytes,
                    neurons: event.neurons,
                    longest: longest_delay(work, &Origin::Event(index)) as usize,
                    forgotten: population.is_none_or(|population| population.reset),
                }
            })
            .collect();
        let range = (
            events.iter().map(|event| event.first).min().unwrap_or(0),
            events.iter().map(|event| event.behind).max().unwrap_or(0),
        );
        Self { section_of, kinds: work.sections.iter().map(|section| section.kind).collect(), events, range }
    }

    fn section(&self, pc: u32) -> usize {
        self.section_of.get(pc as usize / 4).copied().unwrap_or(NOWHERE)
    }
}

/// After how many steps the last row of a source is added.
fn longest_delay(work: &Work, source: &Origin) -> u32 {
    work.rows.iter().filter(|rows| rows.source == *source).map(|rows| rows.delay).max().unwrap_or(0)
}

/// The observer; hands over what it has seen when it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    plan: Arc<Plan>,
    found: Found,
    section: usize,
    /// The spike word that the instruction about to retire stores to.
    store: Option<u32>,
    /// What the present update has stored, per event.
    stored: Vec<Vec<(u32, u32)>>,
    /// Who spiked in the latest steps, per event.
    latest: Vec<VecDeque<Vec<u32>>>,
    /// When a status was read that said busy, and in which section.
    busy: Option<(u64, usize)>,
    to: Arc<Mutex<Found>>,
}

impl Watch {
    pub(super) fn new(plan: &Arc<Plan>, phases: Option<Phases>, to: &Arc<Mutex<Found>>) -> Self {
        let seen = |event: &Event| Seen {
            spikes: vec![0; event.neurons as usize],
            late: vec![vec![0; event.neurons as usize]; event.longest],
            complete: true,
            updates: 0,
        };
        let found = Found {
            entered: vec![0; plan.kinds.len()],
            waits: vec![0; plan.kinds.len() + 1],
            events: plan.events.iter().map(seen).collect(),
            phases,
            ..Found::default()
        };
        Self {
            found,
            section: NOWHERE,
            store: None,
            stored: vec![Vec::new(); plan.events.len()],
            latest: vec![VecDeque::new(); plan.events.len()],
            busy: None,
            plan: Arc::clone(plan),
            to: Arc::clone(to),
        }
    }

    /// Leaves the present section for `next`.
    fn change(&mut self, next: usize) {
        let plan = Arc::clone(&self.plan);
        let kind = |section: usize| plan.kinds.get(section).copied();
        if kind(self.section) == Some(PhaseKind::Update) {
            let left = self.section;
            for (index, event) in plan.events.iter().enumerate().filter(|(_, event)| event.section == left) {
                self.update(index, event);
            }
        }
        let begins = kind(next) == Some(PhaseKind::Reset) && kind(self.section) != Some(PhaseKind::Reset);
        self.section = next;
        if let Some(entered) = self.found.entered.get_mut(next) {
            *entered += 1;
        }
        if begins {
            self.found.runs += 1;
            self.end_run(|event| event.forgotten);
        }
    }

    /// An update of an event's population is over.
    fn update(&mut self, index: usize, event: &Event) {
        let stored = &mut self.stored[index];
        let seen = &mut self.found.events[index];
        seen.updates += 1;
        // A stable sort: of stores to one word, the last one comes last.
        stored.sort_by_key(|(address, _)| *address);
        let mut words: Vec<(u32, u32)> = Vec::with_capacity(stored.len());
        for (address, value) in stored.drain(..) {
            match words.last_mut() {
                Some(last) if last.0 == address => last.1 = value,
                _ => words.push((address, value)),
            }
        }
        let consecutive = words.windows(2).all(|pair| pair[1].0 == pair[0].0 + 4);
        if words.len() != event.neurons.div_ceil(32) as usize || !consecutive {
            seen.complete = false;
            return;
        }
        let mut now = Vec::new();
        for (first, (_, word)) in (0..).step_by(32).zip(words) {
            let mut left = word;
            while left != 0 {
                let neuron = first + left.trailing_zeros();
                left &= left - 1;
                // Bits behind the last neuron belong to nobody.
                if neuron < event.neurons {
                    seen.spikes[neuron as usize] += 1;
                    now.push(neuron);
                }
            }
        }
        if event.longest > 0 {
            let latest = &mut self.latest[index];
            latest.push_back(now);
            if latest.len() > event.longest {
                latest.pop_front();
            }
        }
    }

    /// Counts the spikes that are on their way as late, of those events for which `ends` holds.
    fn end_run(&mut self, ends: impl Fn(&Event) -> bool) {
        for (index, _) in self.plan.events.iter().enumerate().filter(|(_, event)| ends(event)) {
            let late = &mut self.found.events[index].late;
            for (age, neurons) in self.latest[index].drain(..).rev().enumerate() {
                for late in &mut late[age..] {
                    neurons.iter().for_each(|neuron| late[*neuron as usize] += 1);
                }
            }
        }
    }

    fn status_read(&mut self, cycle: u64, status: u32) {
        if let Some((since, section)) = self.busy.take() {
            let last = self.found.waits.len() - 1;
            self.found.waits[section.min(last)] += cycle.saturating_sub(since);
        }
        if status & dma_status::IDLE == 0 {
            self.busy = Some((cycle, self.section));
        }
    }
}

impl Observer for Watch {
    fn retire(&mut self, retired: &Retired, state: &State) {
        self.found.profiler.retire(retired, state);
        self.found.statistics.retire(retired, state);
        if let Some(phases) = &mut self.found.phases {
            phases.retire(retired, state);
        }
        let section = self.plan.section(retired.pc);
        if section != self.section {
            self.change(section);
        }
        match retired.inst {
            Inst::Sw { rs2, .. } => {
                if let Some(address) = self.store.take() {
                    for (index, event) in self.plan.events.iter().enumerate() {
                        if event.section == section && (event.first..event.behind).contains(&address) {
                            self.stored[index].push((address, state.x(rs2)));
                        }
                    }
                }
            }
            Inst::Csrrs { rd, csr, .. } if rd.get() != 0 => {
                let is = |register: Register| CSRS[register as usize].address == csr.get();
                if is(Register::Mm2sStatus) || is(Register::S2mmStatus) {
                    self.status_read(retired.cycle, state.x(rd));
                }
            }
            _ => {}
        }
    }

    #[inline]
    fn access(&mut self, access: &Access) {
        let (first, behind) = self.plan.range;
        if access.kind == AccessKind::Store
            && access.space == Space::Scalar
            && (first..behind).contains(&access.address)
        {
            self.store = Some(access.address);
        }
    }

    fn transfer(&mut self, transfer: &Transfer) {
        self.found.statistics.transfer(transfer);
    }

    fn trap(&mut self, trap: &Trap) {
        self.found.profiler.trap(trap);
        self.found.statistics.trap(trap);
        if let Some(phases) = &mut self.found.phases {
            phases.trap(trap);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.change(NOWHERE);
        self.end_run(|_| true);
        let found = std::mem::take(&mut self.found);
        // What is in there is whole even if another thread has panicked: it is changed only here.
        self.to.lock().unwrap_or_else(PoisonError::into_inner).add(found);
    }
}
