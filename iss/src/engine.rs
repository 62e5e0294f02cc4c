//! The fast engine: whole blocks at a time.
//!
//! Contract: [`run`] does to a machine what as many calls of [`Machine::step`] with an observer that sees nothing do, in
//! every bit of state, memories, clock, stall table and branch target buffer. It executes *versions* of blocks (see
//! [`version`]), and hands over to the reference whatever no version can foresee: an instruction that traps or might, one
//! that sees the clock, a DMA event, the end of the step budget. What the reference does needs no word here.
//!
//! While versions run, the machine's clock, counters and pipeline stand still; they are brought up to date before anything
//! can see them.
//!
//! Not here: what operations do (see [`handlers`]).

mod block;
mod fuse;
#[expect(unsafe_code, reason = "operations call one another through pointers, and the host's vector instructions")]
mod handlers;
#[expect(unsafe_code, reason = "a lane's address is wrapped, not checked")]
mod lanes;
#[expect(unsafe_code, reason = "the host's vector instructions")]
mod simd;
mod version;

use std::sync::{Arc, OnceLock};

use fenn_isa::timing::{Profile, StallCause};

use crate::csr::INHIBIT_INSTRUCTIONS;
use crate::execute::Core;
use crate::machine::Machine;
use crate::timing::{Detail, Pipeline};
use crate::trap::Stop;
use block::End;
pub use handlers::Host;
use handlers::{Answer, Handlers};
use version::{Cache, UNKNOWN, Version, successor};

/// By what a machine runs when nobody watches. They do the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Engine {
    /// Blocks of pre-decoded instructions, with cycles worked out once for each block.
    #[default]
    Fast,
    /// One instruction at a time: the model that other engines are measured against.
    Reference,
}

impl Engine {
    /// All of them, the default first.
    pub const ALL: [Self; 2] = [Self::Fast, Self::Reference];

    /// What commands call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Reference => "reference",
        }
    }

    /// The engine with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name)
    }
}

/// What the fast engine remembers of a program. Clones share it until one of them learns something new.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    cache: Arc<Cache>,
    /// How often each version has run since the stall table was brought up to date.
    counts: Vec<u64>,
    handlers: &'static Handlers,
}

impl Blocks {
    pub(crate) fn new(profile: &Profile) -> Self {
        Self { cache: Arc::new(Cache::new(profile)), counts: Vec::new(), handlers: best_handlers() }
    }

    /// Computes with these instructions of the host from now on; whether it has them.
    pub(crate) fn set_host(&mut self, host: Host, profile: &Profile) -> bool {
        let Some(handlers) = host.handlers() else { return false };
        self.clear(profile);
        self.handlers = handlers;
        true
    }

    /// Forgets everything: instruction memory has changed.
    pub(crate) fn clear(&mut self, profile: &Profile) {
        if !self.cache.versions.is_empty() {
            self.cache = Arc::new(Cache::new(profile));
            self.counts.clear();
        }
    }
}

fn best_handlers() -> &'static Handlers {
    static BEST: OnceLock<&Handlers> = OnceLock::new();
    BEST.get_or_init(|| Host::best().handlers().expect("this host has what `best` found"))
}

/// Why versions cannot go on.
enum Pause {
    /// The version to run next has not been made: the one at `pc` behind this one.
    Unknown { behind: u32, taken: bool, redirected: bool, pc: u32 },
    /// As [`Self::Unknown`], behind one that ended with a division that took so many cycles more.
    UnknownBehindDivision { behind: u32, cycles: u32 },
    /// The reference is to execute so many instructions from the begin of this version.
    Reference { version: u32, steps: u32 },
    /// The operation with this index, of this version, was not executed.
    Stopped { version: u32, op: usize },
}

/// What has happened since the machine was brought up to date.
struct Progress {
    clock: u64,
    /// Steps still to be made.
    left: u64,
    branches: u64,
    jumps: u64,
    /// Cycles for which divisions have occupied the core, besides one each.
    divisions: u64,
    /// Clock and steps left when the machine was brought up to date.
    synced: (u64, u64),
}

impl Progress {
    fn new(clock: u64, left: u64) -> Self {
        Self { clock, left, branches: 0, jumps: 0, divisions: 0, synced: (clock, left) }
    }

    /// Brings the machine's counters up to date.
    fn sync(&mut self, core: &mut Core) {
        self.sync_to(core, 0, 0);
    }

    /// Brings the machine's counters to where they were so many cycles and instructions ago, and takes these for done.
    fn sync_to(&mut self, core: &mut Core, cycles: u64, instructions: u64) {
        let (clock, left) = self.synced;
        count(core, self.clock - cycles - clock, left - self.left - instructions);
        self.synced = (self.clock, self.left);
    }
}

/// Runs for at most `steps` steps.
pub(crate) fn run(machine: &mut Machine, steps: u64) -> Stop {
    let stop = run_to_stop(machine, steps);
    settle(&mut machine.timing, &mut machine.blocks);
    stop
}

fn run_to_stop(machine: &mut Machine, steps: u64) -> Stop {
    let mut left = steps;
    while left > 0 {
        let wanted = run_blocks(machine, &mut left);
        for _ in 0..left.min(wanted) {
            left -= 1;
            if let Err(stop) = machine.step(&mut ()) {
                return stop;
            }
        }
    }
    Stop::InstructionLimit { pc: machine.core.state.pc }
}

/// Runs versions for as long as they can; answers how many steps the reference is to make then.
fn run_blocks(machine: &mut Machine, left: &mut u64) -> u64 {
    let Machine { core, timing, blocks, .. } = machine;
    if blocks.cache.is_full() {
        settle(timing, blocks);
        blocks.clear(timing.profile());
    }
    let (clock, pc) = (core.state.cycles, core.state.pc);
    let flight = timing.flight(clock);
    let mut current = match blocks.cache.find(pc, &flight) {
        Some(version) => version,
        None => Arc::make_mut(&mut blocks.cache).make(&core.memory, blocks.handlers, pc, flight),
    };
    let mut progress = Progress::new(clock, *left);
    let steps = loop {
        let Blocks { cache, counts, handlers } = blocks;
        counts.resize(cache.versions.len(), 0);
        match run_versions(core, timing, cache, counts, current, &mut progress) {
            Pause::Unknown { behind, taken, redirected, pc } => {
                let cache = Arc::make_mut(cache);
                current = cache.make_behind(&core.memory, handlers, pc, behind, redirected);
                cache.versions[behind as usize].successors[successor(taken, redirected)] = current;
            }
            Pause::UnknownBehindDivision { behind, cycles } => {
                let cache = Arc::make_mut(cache);
                let divisor = core.divisor;
                current = cache.make_behind_division(&core.memory, handlers, behind, cycles, divisor);
            }
            Pause::Reference { version, steps } => {
                let version = &cache.versions[version as usize];
                if progress.left < *left {
                    progress.sync(core);
                    timing.set_flight(progress.clock, &cache.flights[version.entry as usize]);
                    core.state.pc = version.pc;
                }
                break u64::from(steps);
            }
            Pause::Stopped { version, op } => {
                let version = &cache.versions[version as usize];
                progress.sync(core);
                timing.set_flight(progress.clock, &cache.flights[version.entry as usize]);
                let executed = u32::from(cache.origins[op].1);
                catch_up(core, cache, version, op);
                follow(core, timing, version.pc, executed);
                progress.left -= u64::from(executed);
                break 1;
            }
        }
    };
    *left = progress.left;
    let redirect = timing.profile().redirect;
    timing.add_stall(StallCause::Branch, progress.branches * u64::from(redirect.branch));
    timing.add_stall(StallCause::Divide, progress.divisions);
    timing.add_stall(StallCause::Jump, progress.jumps * u64::from(redirect.jump));
    steps
}

/// Runs versions, the first one `current`, until one cannot be run or has not been made.
fn run_versions(
    core: &mut Core,
    timing: &mut Pipeline,
    cache: &Cache,
    counts: &mut [u64],
    mut current: u32,
    progress: &mut Progress,
) -> Pause {
    let redirect = timing.profile().redirect;
    let mut horizon = horizon(core, timing);
    loop {
        let version = &cache.versions[current as usize];
        let Version { len, last, target, .. } = *version;
        let runs = version.end != End::Reference
            && u64::from(len) <= progress.left
            && progress.clock + u64::from(version.last_issue) < horizon;
        if !runs {
            return Pause::Reference { version: current, steps: len };
        }
        let answer = match cache.ops.execute(core, version.ops) {
            Ok(answer) => answer,
            Err(op) => return Pause::Stopped { version: current, op },
        };
        counts[current as usize] += 1;
        progress.clock += u64::from(version.cycles);
        progress.left -= u64::from(len);
        let taken = answer == Answer::Taken;
        let straight = last.wrapping_add(4);
        // Whether a branch is taken is often unpredictable, so nothing but the next block hangs on it: no host branch does.
        let (redirected, pc) = match version.end {
            End::Branch => {
                let foreseen = timing.foresees(last);
                if target <= last && taken & !foreseen {
                    timing.learn(last);
                }
                let redirected = taken != foreseen;
                progress.clock += u64::from(redirected) * u64::from(redirect.branch);
                progress.branches += u64::from(redirected);
                let next = version.successors[successor(taken, redirected)];
                if next != UNKNOWN {
                    current = next;
                    continue;
                }
                (redirected, if taken { target } else { straight })
            }
            End::Straight | End::Reference => (false, straight),
            End::Jump => {
                let foreseen = timing.foresees(last);
                if !foreseen {
                    timing.learn(last);
                    progress.clock += u64::from(redirect.jump);
                    progress.jumps += 1;
                }
                (!foreseen, target)
            }
            End::JumpRegister => {
                let (next, pc) = (version.successors[successor(true, false)], core.state.pc);
                // It may go to other places than the last time.
                let found = match cache.versions.get(next as usize) {
                    Some(version) if version.pc == pc => Some(next),
                    _ => cache.find_behind(current, false, pc),
                };
                match found {
                    Some(next) => current = next,
                    None => return Pause::Unknown { behind: current, taken, redirected: false, pc },
                }
                continue;
            }
            End::Csr => {
                progress.sync_to(core, u64::from(version.cycles), u64::from(len));
                execute_csr(core, version);
                horizon = self::horizon(core, timing);
                (false, straight)
            }
            End::Divide => {
                let signed = core.memory.usage(last).signed_division;
                let cycles = timing.profile().divider.occupancy(core.divisor, signed).saturating_sub(1);
                progress.clock += u64::from(cycles);
                progress.divisions += u64::from(cycles);
                match cache.find_behind_division(current, cycles) {
                    Some(next) => current = next,
                    None => return Pause::UnknownBehindDivision { behind: current, cycles },
                }
                continue;
            }
        };
        match version.successors[successor(taken, redirected)] {
            UNKNOWN => return Pause::Unknown { behind: current, taken, redirected, pc },
            next => current = next,
        }
    }
}

/// The clock from which on the reference has to look after the DMA engine. Whether a transfer takes a shared port in some cycle
/// is not foreseen.
fn horizon(core: &Core, timing: &Pipeline) -> u64 {
    let event = core.state.dma.next_event();
    if timing.profile().shared_vector_port && event != u64::MAX { 0 } else { event }
}

/// Executes the CSR instruction that a version is, at the machine's clock.
fn execute_csr(core: &mut Core, version: &Version) {
    core.pass(u64::from(version.last_issue));
    let inhibited = core.state.csrs.mcountinhibit;
    let executed = core.memory.fetch(version.pc).is_ok_and(|inst| core.execute(version.pc, inst, &mut ()).is_ok());
    debug_assert!(executed, "a CSR instruction that traps is the reference's");
    core.count(inhibited);
    core.pass(u64::from(version.cycles - version.last_issue - 1));
}

/// Counts instructions that have been executed in so many cycles. `mcountinhibit` was the same all along.
fn count(core: &mut Core, cycles: u64, instructions: u64) {
    core.pass(cycles);
    let state = &mut core.state;
    state.retired += instructions;
    if state.csrs.mcountinhibit & INHIBIT_INSTRUCTIONS == 0 {
        state.csrs.minstret = state.csrs.minstret.wrapping_add(instructions);
    }
}

/// Executes what comes before the instruction that the reference goes on with and was to be executed behind it. None of it
/// can trap.
fn catch_up(core: &mut Core, cache: &Cache, version: &Version, op: usize) {
    let (_, resume) = cache.origins[op];
    let behind = &cache.origins[op..(version.ops + version.op_count) as usize];
    let mut missing: Vec<u8> = behind.iter().map(|(origin, _)| *origin).filter(|origin| *origin < resume).collect();
    missing.sort_unstable();
    for origin in missing {
        let pc = version.pc.wrapping_add(4 * u32::from(origin));
        let executed = core.memory.fetch(pc).is_ok_and(|inst| core.execute(pc, inst, &mut ()).is_ok());
        debug_assert!(executed, "an instruction that can trap changed places with a later one");
    }
}

/// Lets the pipeline follow instructions that have been executed, from `pc` straight on.
fn follow(core: &mut Core, timing: &mut Pipeline, pc: u32, instructions: u32) {
    let begin = core.state.cycles;
    let mut clock = begin;
    for index in 0..instructions {
        let here = pc.wrapping_add(4 * index);
        let usage = core.memory.usage(here);
        let at = timing.issue(clock, &usage, &core.state.dma).at;
        let after = timing.retire(at, &usage, here, here.wrapping_add(4), Detail::Nothing);
        clock = at + 1 + after.map_or(0, |stall| u64::from(stall.cycles));
    }
    count(core, clock - begin, u64::from(instructions));
    core.state.pc = pc.wrapping_add(4 * instructions);
}

/// Brings the stall table up to date.
fn settle(timing: &mut Pipeline, blocks: &mut Blocks) {
    for (times, stalls) in blocks.counts.iter_mut().zip(&blocks.cache.stalls).filter(|(times, _)| **times > 0) {
        timing.add_stalls(stalls, *times);
        *times = 0;
    }
}
