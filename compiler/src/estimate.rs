//! What the parts of a step take, reckoned from their code.
//!
//! Contract: [`estimate`] reads the final code, the allocator's instructions included, with the timing of a core
//! ([`Profile`]): instructions are issued in order, each when what it reads is there. How often loops turn is what lowering
//! knows of them ([`crate::ir::Turns`]). What depends on the data is taken as it is for few spikes: each is alone in its word,
//! rows are as long as they are on average, and a loop of a neuron's equations turns once.
//!
//! Not reckoned: what waits from the end of a loop to its next turn, the first transfer of a step, which no addition goes along
//! with, and a branch that another one drives out of the fetch unit's buffer.
//!
//! Not here: what to do about it. The choices between layouts ([`crate::place`]) come before there is code.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Range};

use fenn_isa::code::Label;
use fenn_isa::timing::Profile;
use fenn_isa::{Class, Role};
use serde::Serialize;

use crate::ir::{Code, Inst, Item, Reg, Turns};

/// Cycles from the end of a transfer to the start of the next one, where the core waits for it: a turn of the loop that asks
/// the engine, and what sets the engine up.
const BETWEEN_TRANSFERS: f64 = 8.0;

/// Leading zeros that a divisor is taken to have.
const DIVIDER_ZEROS: i64 = 16;

/// What something takes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Cost {
    /// Cycles, those in which nothing is issued included.
    pub cycles: f64,
    /// Instructions.
    pub instructions: f64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.cycles += other.cycles;
        self.instructions += other.instructions;
    }
}

/// What a part of a step takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// The part's symbol.
    pub part: String,
    /// In every step, whether there are spikes or not.
    pub step: Cost,
    /// For each spike besides; none for what looks at no spikes one by one.
    pub spike: Option<Cost>,
    /// Cycles in which a spike's rows come from DRAM, if they do: while one row comes, the one before is added.
    pub transfer: Option<f64>,
    /// Whether loops turn as often as data want; each is reckoned as one turn.
    pub open: bool,
}

impl Estimate {
    /// Cycles for a spike, be it the core or the transfer that it waits for.
    pub fn cycles_per_spike(&self) -> Option<f64> {
        self.spike.map(|spike| spike.cycles.max(self.transfer.unwrap_or(0.0)))
    }

    /// The reason, in one sentence.
    pub fn why(&self) -> String {
        let waits = |cost: &Cost| {
            let [instructions, waits] = [cost.instructions, cost.cycles - cost.instructions].map(f64::round);
            let cycles = if waits == 1.0 { "cycle" } else { "cycles" };
            format!("{instructions:.0} instructions and {waits:.0} {cycles} of waiting")
        };
        let mut why = match (&self.spike, self.transfer) {
            (None, _) => format!("{} in a step", waits(&self.step)),
            (Some(spike), Some(transfer)) if transfer > spike.cycles => format!(
                "a spike's rows take {transfer:.0} cycles to come from DRAM, longer than the {:.0} that adding takes",
                spike.cycles
            ),
            (Some(spike), Some(_)) => format!("{} for a spike, in which the next one's rows come", waits(spike)),
            (Some(spike), None) => format!("{} for a spike", waits(spike)),
        };
        if self.open {
            why.push_str(", if each loop that depends on data turns once");
        }
        why
    }
}

/// A loop of a part: from a label to the last branch back to it.
struct Loop {
    items: Range<usize>,
    turns: Option<Turns>,
}

/// What `code` takes, for each of its updates and propagations, in order.
pub fn estimate(code: &Code, profile: &Profile) -> Vec<Estimate> {
    let mut places: BTreeMap<Label, usize> = BTreeMap::new();
    let mut named: Vec<(usize, &str)> = Vec::new();
    for (at, item) in code.items.iter().enumerate() {
        let Item::Label(label) = item else { continue };
        places.insert(*label, at);
        if let Some(name) = code.names.get(label.0 as usize).and_then(Option::as_deref) {
            named.push((at, name));
        }
    }
    let ends = named.iter().skip(1).map(|(at, _)| *at).chain([code.items.len()]);
    let parts = named.iter().zip(ends).filter(|((_, name), _)| is_part(name));
    parts
        .map(|((start, name), end)| Part { code, profile, places: &places, items: *start..end }.estimate(name))
        .collect()
}

fn is_part(name: &str) -> bool {
    name.starts_with("update_") || name.starts_with("propagate_")
}

struct Part<'a> {
    code: &'a Code,
    profile: &'a Profile,
    places: &'a BTreeMap<Label, usize>,
    items: Range<usize>,
}

/// What something counts for.
#[derive(Clone, Copy, PartialEq)]
enum Per {
    Step,
    Spike,
}

impl Part<'_> {
    fn insts(&self) -> impl Iterator<Item = (usize, &Inst)> {
        let items = self.items.clone();
        items.filter_map(|at| if let Item::Inst(inst) = &self.code.items[at] { Some((at, inst)) } else { None })
    }

    fn estimate(&self, name: &str) -> Estimate {
        let loops = self.loops();
        let units = self.units();
        let mut costs = [Cost::default(); 2];
        let mut core = Core { profile: self.profile, clock: 0, ready: BTreeMap::new() };
        for (at, inst) in self.insts() {
            let cycles = core.issue(inst) as f64;
            let (per, mut times) = Self::weight(&loops, at, None);
            times *= units.iter().filter(|(items, _)| items.contains(&at)).map(|(_, times)| times).product::<f64>();
            costs[per as usize] += Cost { cycles: times * cycles, instructions: times };
        }
        for (index, this) in loops.iter().enumerate() {
            self.add_branches(&loops, index, this, &mut costs);
        }
        let spikes = loops.iter().any(|each| each.turns == Some(Turns::Spike));
        Estimate {
            part: name.to_owned(),
            step: costs[Per::Step as usize],
            spike: spikes.then_some(costs[Per::Spike as usize]),
            transfer: self.transfer(&loops),
            open: name.starts_with("update_") && loops.iter().any(|each| each.turns.is_none()),
        }
    }

    fn loops(&self) -> Vec<Loop> {
        let mut ends: BTreeMap<Label, usize> = BTreeMap::new();
        for (at, inst) in self.insts().filter(|(_, inst)| inst.targets.is_none()) {
            let back = |label: &Label| self.places.get(label).is_some_and(|to| *to <= at && *to >= self.items.start);
            ends.extend(inst.targets().filter(back).map(|label| (label, at + 1)));
        }
        let turns = |label| self.code.turns.get(&label).copied();
        ends.into_iter().map(|(label, end)| Loop { items: self.places[&label]..end, turns: turns(label) }).collect()
    }

    /// Code that a computed jump enters in the middle, with how often each of its instructions is executed when it does.
    fn units(&self) -> Vec<(Range<usize>, f64)> {
        let jumps = self.insts().filter_map(|(_, inst)| inst.targets.as_ref());
        let found = jumps.filter_map(|targets| {
            let (first, last) = (targets.labels.first()?, targets.labels.last()?);
            let Some(Turns::Units(mean)) = self.code.turns.get(first) else { return None };
            let count = targets.labels.len() - 1;
            Some((*self.places.get(first)?..*self.places.get(last)?, mean / count.max(1) as f64))
        });
        found.collect()
    }

    /// The loops around an item, without the loop `except`.
    fn around(loops: &[Loop], at: usize, except: Option<usize>) -> impl Iterator<Item = &Loop> {
        let others = loops.iter().enumerate().filter(move |(index, _)| Some(*index) != except);
        others.map(|(_, each)| each).filter(move |each| each.items.contains(&at))
    }

    /// How often an item is reached by loops that turn a known number of times.
    fn times(loops: &[Loop], at: usize, except: Option<usize>) -> f64 {
        let turns = |each: &Loop| if let Some(Turns::Times(times)) = each.turns { f64::from(times) } else { 1.0 };
        Self::around(loops, at, except).map(turns).product()
    }

    /// What an item counts for, and how often; without the loop `except`.
    fn weight(loops: &[Loop], at: usize, except: Option<usize>) -> (Per, f64) {
        let times = Self::times(loops, at, except);
        // Where loops overlap, the shorter one is what the item is there for.
        let looks = |each: &&Loop| matches!(each.turns, Some(Turns::Scan(_) | Turns::Spike));
        let shortest = Self::around(loops, at, except).filter(looks).min_by_key(|each| each.items.len());
        match shortest.and_then(|each| each.turns) {
            Some(Turns::Spike) => (Per::Spike, times),
            Some(Turns::Scan(words)) => (Per::Step, times * f64::from(words)),
            _ => (Per::Step, times),
        }
    }

    /// Branches that go where the fetch unit does not: with a buffer those that leave a loop, without one those that go on with
    /// it.
    fn add_branches(&self, loops: &[Loop], index: usize, this: &Loop, costs: &mut [Cost; 2]) {
        let redirect = &self.profile.redirect;
        let buffered = redirect.buffer > 0;
        let (per, times) = Self::weight(loops, this.items.start, Some(index));
        let mut add = |per: Per, times: f64| costs[per as usize].cycles += times * f64::from(redirect.branch);
        match this.turns {
            Some(Turns::Times(_)) if buffered => add(per, times),
            Some(Turns::Times(turns)) => add(per, times * f64::from(turns.saturating_sub(1))),
            // It is left at its end, and where a spike is found.
            Some(Turns::Scan(_)) if buffered => {
                add(Per::Step, times);
                add(Per::Spike, times);
            }
            Some(Turns::Scan(words)) => add(Per::Step, times * f64::from(words)),
            Some(Turns::Spike) => {
                let inside = |wanted: fn(Turns) -> bool| {
                    Self::around(loops, this.items.start, Some(index)).any(|other| other.turns.is_some_and(wanted))
                };
                let in_word = inside(|turns| turns == Turns::Spike);
                let in_scan = inside(|turns| matches!(turns, Turns::Scan(_)));
                let times = Self::times(loops, this.items.start, Some(index));
                // A spike alone in its word does not turn the loop over the word; where words are scanned, the scan is what is
                // left in the end.
                if buffered && !in_word && !in_scan {
                    add(Per::Step, times);
                } else if !buffered && !in_word {
                    add(Per::Spike, times);
                }
            }
            Some(Turns::Units(_) | Turns::Brings(_)) | None => {}
        }
    }

    /// Cycles in which what a spike needs comes from DRAM.
    fn transfer(&self, loops: &[Loop]) -> Option<f64> {
        let dram = &self.profile.dram;
        let transfers = self.items.clone().filter_map(|at| {
            let Item::Label(label) = &self.code.items[at] else { return None };
            let Some(Turns::Brings(bytes)) = self.code.turns.get(label) else { return None };
            let moves = bytes / f64::from(dram.bytes_per_cycle);
            Some(Self::weight(loops, at, None).1 * (f64::from(dram.latency) + moves + BETWEEN_TRANSFERS))
        });
        transfers.reduce(|sum, cycles| sum + cycles)
    }
}

/// An in-order core that has issued some instructions.
struct Core<'a> {
    profile: &'a Profile,
    clock: i64,
    /// The first cycle in which a register's value can be read.
    ready: BTreeMap<Reg, i64>,
}

impl Core<'_> {
    /// Cycles from the instruction before until the one behind `inst` can be issued, if execution goes on there.
    fn issue(&mut self, inst: &Inst) -> i64 {
        let class = inst.op.spec().class;
        let timing = self.profile.class(class);
        let before = self.clock;
        let jumps = class == Class::JumpRegister;
        let more = if jumps { i64::from(self.profile.early_jump_operand) } else { 0 };
        let mut at = before;
        for (reg, role) in inst.registers() {
            let reads = role == Role::Source || (role == Role::Merged && self.profile.merged_is_read);
            if let Some(ready) = self.ready.get(&reg).filter(|_| reads) {
                at = at.max(ready + more);
            }
        }
        let occupancy = match class {
            Class::Divide => i64::from(self.profile.divider.base) + DIVIDER_ZEROS,
            _ => i64::from(timing.occupancy),
        };
        self.clock = at + occupancy + if jumps { i64::from(self.profile.redirect.jump_register) } else { 0 };
        let ready = at + occupancy - 1 + i64::from(timing.latency);
        for reg in inst.defs() {
            self.ready.insert(reg, ready);
        }
        self.clock - before
    }
}
