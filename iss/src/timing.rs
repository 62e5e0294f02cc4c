//! How long instructions take, apart from what they do.
//!
//! Contract: a [`Pipeline`] follows the program in order and says in which cycle each instruction is issued, as the
//! machine description it was made with ([`Profile`]) defines that; see [`fenn_isa::timing`] for the model. Before an
//! instruction is executed, [`Pipeline::issue`] says how long it waits; after, [`Pipeline::retire`] says how long the
//! next one is kept from following. Programs see the clock only through `mcycle` and the DMA engine. The pipeline never
//! touches the machine, and two pipelines that have followed the same program say the same.
//!
//! Every cycle in which nothing is issued has one [`StallCause`]: `cycles = instructions + traps entered + stalls`. Where
//! an instruction would have waited for several things, the one that made it wait longest is named, the earlier operand if
//! two did equally.
//!
//! Not here: the numbers (see [`fenn_isa::timing`]), and waiting in software, for the DMA engine (see
//! [`crate::dma::Channel::waited`]).

use fenn_isa::timing::{Profile, StallCause};
use fenn_isa::usage::{Resource, Usage};
use fenn_isa::{Class, Inst};

use crate::dma::Dma;

/// What the time an instruction takes depends on besides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Nothing else.
    Nothing,
    /// An access to scalar memory.
    Scalar {
        /// Of its first byte.
        address: u32,
        /// How many.
        bytes: u8,
    },
    /// The address of an access to vector memory, before it wraps.
    Vector(u32),
    /// The divisor of a division.
    Divisor(u32),
    /// Whether a branch was taken.
    Branch(bool),
}

/// Cycles that passed without an instruction, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stall {
    /// Why.
    pub cause: StallCause,
    /// How many; not 0.
    pub cycles: u32,
}

/// The cycles around one instruction in which none was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stalls {
    /// What it waited for.
    pub before: Option<Stall>,
    /// Cycles it waited for the port of the vector memory, after that.
    pub port: u32,
    /// What it keeps the next instruction from.
    pub after: Option<Stall>,
}

impl Stalls {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Stall> {
        let port = (self.port > 0).then_some(Stall { cause: StallCause::PortConflict, cycles: self.port });
        [self.before, port, self.after].into_iter().flatten()
    }
}

/// An instruction that has been executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired {
    /// Its address.
    pub pc: u32,
    /// The instruction.
    pub inst: Inst,
    /// Address of the next one; not `pc + 4` after a taken branch or a jump.
    pub next: u32,
    /// What else its time depends on.
    pub detail: Detail,
    /// The cycle it was issued in, counted from 0 at reset.
    pub cycle: u64,
    /// The cycles around it that were lost.
    pub stalls: Stalls,
}

/// Lost cycles by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StallTable(pub(crate) [u64; StallCause::ALL.len()]);

impl StallTable {
    /// Cycles lost for this cause.
    pub const fn get(&self, cause: StallCause) -> u64 {
        self.0[cause as usize]
    }

    /// Counts `cycles` more.
    #[inline(always)]
    pub fn add(&mut self, cause: StallCause, cycles: u64) {
        self.0[cause as usize] += cycles;
    }

    /// Counts `times` what `other` counted.
    pub fn add_table(&mut self, other: &Self, times: u64) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, other)| *mine += other * times);
    }

    /// Every cause with its cycles, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (StallCause, u64)> {
        StallCause::ALL.into_iter().map(|cause| (cause, self.get(cause)))
    }

    /// All lost cycles.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What was counted since `earlier`, a former value of this table.
    pub fn since(&self, earlier: &Self) -> Self {
        Self(core::array::from_fn(|index| self.0[index] - earlier.0[index]))
    }
}

/// When an instruction is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issue {
    /// The cycle.
    pub at: u64,
    /// What it waited for.
    pub before: Option<Stall>,
    /// Cycles it waited for the port of the vector memory, after that.
    pub port: u32,
}

/// A result that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pending {
    /// What.
    pub resource: Resource,
    /// Cycles from now until a reader can be issued; not positive if only `jalr` has to wait.
    pub cycles: i32,
    /// What a reader that waits for it is told.
    pub cause: StallCause,
}

/// All that a pipeline knows at some moment, with times relative to it, apart from the branch target buffer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Flight {
    /// Results that somebody would have to wait for.
    pending: Vec<Pending>,
    /// Cycles until a counter can be read.
    drained: u32,
    /// Cycles until `mret` can be issued.
    returnable: u32,
    /// See [`Pipeline`]; cycles instead of a clock.
    shadow: (u8, u32),
}

/// The branch target buffer's entry that holds nothing; no instruction has this address.
const EMPTY: u32 = u32::MAX;

/// An in-order pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    pub(crate) profile: Profile,
    /// The clock from which each resource can be read.
    pub(crate) ready: [u64; Resource::COUNT],
    /// Why a reader would wait for it.
    pub(crate) cause: [StallCause; Resource::COUNT],
    /// The clock from which a counter can be read.
    pub(crate) drained: u64,
    /// The clock from which `mret` can be issued.
    pub(crate) returnable: u64,
    /// The scalar register that the last instruction wrote from memory or from the vector unit, and the clock from which
    /// vector instructions with that number in a field can be issued.
    pub(crate) shadow: (u8, u64),
    /// Addresses of the jumps and backward branches that the fetch unit knows.
    pub(crate) buffer: Vec<u32>,
    pub(crate) stalls: StallTable,
}

impl Pipeline {
    /// An empty pipeline of a core with this timing, which there can be ([`Profile::check`]).
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            ready: [0; Resource::COUNT],
            cause: [StallCause::ScalarResult; Resource::COUNT],
            drained: 0,
            returnable: 0,
            shadow: (0, 0),
            buffer: vec![EMPTY; usize::from(profile.redirect.buffer)],
            stalls: StallTable::default(),
        }
    }

    /// Forgets everything, as after a reset.
    pub fn reset(&mut self) {
        *self = Self::new(self.profile);
    }

    /// The machine description.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Lost cycles since the reset.
    pub fn stalls(&self) -> &StallTable {
        &self.stalls
    }

    /// Whether the fetch unit goes to the target of the jump or branch at `pc` rather than straight on.
    #[inline(always)]
    pub fn foresees(&self, pc: u32) -> bool {
        self.buffer.get(self.entry(pc)) == Some(&pc)
    }

    /// Results that somebody would have to wait for at `clock`, in the order of their resources.
    pub fn pending(&self, clock: u64) -> impl Iterator<Item = Pending> {
        // `jalr` may have to wait for results that others can read already.
        let horizon = i64::from(self.profile.early_jump_operand);
        self.ready.iter().enumerate().filter_map(move |(index, ready)| {
            let cycles = ready.wrapping_sub(clock) as i64;
            let resource = Resource::from_index(index)?;
            let open = *ready > 0 && cycles + if resource.is_scalar() { horizon } else { 0 } > 0;
            open.then(|| Pending { resource, cycles: cycles as i32, cause: self.cause[index] })
        })
    }

    /// What a program that goes on at `clock` depends on: two pipelines with equal flights and buffers say the same of it.
    pub(crate) fn flight(&self, clock: u64) -> Flight {
        let later = |until: u64| until.saturating_sub(clock) as u32;
        let shadow = later(self.shadow.1);
        Flight {
            pending: self.pending(clock).collect(),
            drained: later(self.drained),
            returnable: later(self.returnable),
            shadow: if shadow > 0 { (self.shadow.0, shadow) } else { (0, 0) },
        }
    }

    /// Makes this pipeline one whose flight at `clock` is `flight`; the buffer and the lost cycles stay.
    pub(crate) fn set_flight(&mut self, clock: u64, flight: &Flight) {
        self.ready = [0; Resource::COUNT];
        for Pending { resource, cycles, cause } in &flight.pending {
            self.ready[resource.index()] = clock.wrapping_add_signed(i64::from(*cycles));
            self.cause[resource.index()] = *cause;
        }
        self.drained = clock + u64::from(flight.drained);
        self.returnable = clock + u64::from(flight.returnable);
        self.shadow = (flight.shadow.0, clock + u64::from(flight.shadow.1));
    }

    /// As [`Self::add_stalls`], for one cause.
    pub(crate) fn add_stall(&mut self, cause: StallCause, cycles: u64) {
        self.stalls.add(cause, cycles);
    }

    /// Counts cycles that were lost without this pipeline being asked.
    pub(crate) fn add_stalls(&mut self, table: &StallTable, times: u64) {
        self.stalls.add_table(table, times);
    }

    #[inline(always)]
    fn entry(&self, pc: u32) -> usize {
        (pc as usize >> 2) & self.buffer.len().wrapping_sub(1)
    }

    /// The cycle in which an instruction is issued that could have been at `clock`, if nothing had kept it.
    #[inline(always)]
    pub fn issue(&mut self, clock: u64, usage: &Usage, dma: &Dma) -> Issue {
        let mut at = clock;
        let mut cause = StallCause::ScalarResult;
        let mut wait = |until: u64, why: StallCause| {
            if until > at {
                (at, cause) = (until, why);
            }
        };
        for resource in usage.reads {
            wait(self.ready[resource.index()], self.cause[resource.index()]);
        }
        match usage.class {
            Class::VectorSelect | Class::LaneLoad if self.profile.merged_is_read => {
                wait(self.ready[usage.merges.index()], self.cause[usage.merges.index()]);
            }
            Class::JumpRegister => {
                let ready = self.ready[usage.reads[0].index()];
                if ready > 0 {
                    wait(ready + u64::from(self.profile.early_jump_operand), StallCause::JumpOperand);
                }
            }
            Class::TrapReturn => wait(self.returnable, StallCause::ReturnAfterCsr),
            Class::Csr if usage.counter => wait(self.drained, StallCause::CounterDrain),
            _ => {}
        }
        if self.profile.false_dependency && usage.class.is_vector() && usage.fields.contains(&self.shadow.0) {
            wait(self.shadow.1, StallCause::FalseDependency);
        }
        let before = (at > clock).then(|| Stall { cause, cycles: (at - clock) as u32 });
        let mut port = 0;
        if self.profile.shared_vector_port && usage.uses_vector_memory() {
            while dma.moves_row_at(at) {
                at += 1;
                port += 1;
            }
            self.stalls.add(StallCause::PortConflict, u64::from(port));
        }
        if let Some(Stall { cause, cycles }) = before {
            self.stalls.add(cause, u64::from(cycles));
        }
        Issue { at, before, port }
    }

    /// What the instruction at `pc`, issued at `at` and now executed, keeps the next one from: that can be issued at
    /// `at + 1` plus the cycles of this answer, or later.
    #[inline(always)]
    pub fn retire(&mut self, at: u64, usage: &Usage, pc: u32, next: u32, detail: Detail) -> Option<Stall> {
        let class = usage.class;
        let timing = self.profile.class(class);
        let mut occupied =
            Stall { cause: occupancy_cause(class), cycles: u32::from(timing.occupancy).saturating_sub(1) };
        match detail {
            Detail::Divisor(divisor) => {
                occupied.cycles = self.profile.divider.occupancy(divisor, usage.signed_division).saturating_sub(1);
            }
            Detail::Scalar { address, bytes }
                if (address & 3) + u32::from(bytes) > 4 && self.profile.misaligned > 0 =>
            {
                let cycles = occupied.cycles + u32::from(self.profile.misaligned);
                occupied = Stall { cause: StallCause::Misaligned, cycles };
            }
            _ => {}
        }
        let last = at + u64::from(occupied.cycles);
        let result = usage.writes.index();
        if result != 0 {
            let ready = last + u64::from(timing.latency);
            // The lanes that a merging instruction keeps may still be on their way.
            if usage.merges.index() == 0 || ready >= self.ready[result] {
                self.ready[result] = ready;
                self.cause[result] = result_cause(class);
            }
        }
        self.drained = last + u64::from(self.profile.counter_drain);
        if class == Class::Csr {
            self.returnable = last + u64::from(self.profile.csr_to_return);
        }
        if self.profile.false_dependency {
            let shadows = usage.writes.is_scalar() && (class == Class::Load || class.is_vector());
            // `x0` in a field compares equal to nothing: no such result is waited for.
            self.shadow = if shadows { (result as u8, last + 2) } else { (0, 0) };
        }
        let redirect = self.profile.redirect;
        let moved = match (class, detail) {
            (Class::Branch, Detail::Branch(taken)) => {
                let foreseen = self.foresees(pc);
                if taken && !foreseen && next <= pc {
                    self.learn(pc);
                }
                Stall {
                    cause: StallCause::Branch,
                    cycles: if taken == foreseen { 0 } else { u32::from(redirect.branch) },
                }
            }
            (Class::Jump, _) => {
                let cycles = if self.foresees(pc) { 0 } else { u32::from(redirect.jump) };
                self.learn(pc);
                Stall { cause: StallCause::Jump, cycles }
            }
            (Class::JumpRegister, _) => Stall { cause: StallCause::Jump, cycles: u32::from(redirect.jump_register) },
            (Class::TrapReturn, _) => Stall { cause: StallCause::Trap, cycles: u32::from(redirect.trap_return) },
            _ => occupied,
        };
        let after = (moved.cycles > 0).then_some(moved);
        if let Some(Stall { cause, cycles }) = after {
            self.stalls.add(cause, u64::from(cycles));
        }
        after
    }

    /// Makes the fetch unit know the jump or branch at `pc`.
    #[inline(always)]
    pub(crate) fn learn(&mut self, pc: u32) {
        let entry = self.entry(pc);
        if let Some(place) = self.buffer.get_mut(entry) {
            *place = pc;
        }
    }

    /// Cycles from an instruction's place, in which it trapped, to the first instruction of the handler.
    pub fn trap(&mut self) -> u64 {
        let cycles = u64::from(self.profile.redirect.trap);
        self.stalls.add(StallCause::Trap, cycles);
        cycles
    }
}

/// Why the instruction behind one of this class waits while it occupies the core.
const fn occupancy_cause(class: Class) -> StallCause {
    match class {
        Class::Divide => StallCause::Divide,
        Class::Multiply | Class::MultiplyHigh => StallCause::Multiply,
        Class::Fence => StallCause::Fence,
        Class::Load | Class::Store => StallCause::LoadUse,
        class if class.is_vector() => StallCause::VectorResult,
        _ => StallCause::ScalarResult,
    }
}

/// Why a reader of the result of one of this class waits.
const fn result_cause(class: Class) -> StallCause {
    match class {
        Class::Load => StallCause::LoadUse,
        Class::VectorToScalar => StallCause::VectorToScalar,
        class if class.is_vector() => StallCause::VectorResult,
        _ => StallCause::ScalarResult,
    }
}
