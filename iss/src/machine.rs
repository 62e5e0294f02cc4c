//! The machine: core, memories and time together.
//!
//! Contract: [`Machine::step`] executes one instruction, [`Machine::run`] many. A run ends with a [`Stop`] and can
//! always be continued or started again:
//! - `ecall`, `ebreak` and traps are not executed; `pc` stays at the instruction.
//! - After the ready flag and at a limit or a breakpoint `pc` is the next instruction's address.
//! - When the program has come to its own end (`ecall` or ready flag), running DMA transfers are completed at once, so
//!   that the host reads what the program meant to leave; the clock stands still meanwhile.
//!
//! A trap enters the handler at `mtvec` if the program has set it (`ecall` and `ebreak` never do): `mepc`, `mcause`,
//! `mtval` and `mstatus` as the RISC-V privileged manual says. If the handler's first instruction itself traps, the run
//! ends, for it would trap for ever.
//!
//! Not here: what instructions do (see `execute`).

use fenn_isa::Inst;
use fenn_isa::csr::Register;
use fenn_isa::image::Image;
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::timing::{FENN, Profile};
use fenn_isa::usage::Usage;

use crate::builder::MachineBuilder;
use crate::csr::{MIE, MPIE};
use crate::dma::Direction;
use crate::engine::{self, Blocks, Engine, Host};
use crate::error::Error;
use crate::execute::{Core, Exit, Halt, NO_HANDLER, NO_READY_FLAG};
use crate::memory::{Dram, Memory};
use crate::observe::Observer;
use crate::state::State;
use crate::timing::{Detail, Issue, Pipeline, Retired, StallTable, Stalls};
use crate::trap::{Stop, Trap};

/// What kind of machine it is, besides its memories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Trap where the board carries on: misaligned scalar accesses, vector and lane-local addresses beyond the end, odd
    /// lane-local addresses.
    pub strict: bool,
    /// How long things take.
    pub profile: Profile,
    /// By what it runs when nobody watches.
    pub engine: Engine,
}

impl Default for Options {
    /// This project's core, carrying on where the board does.
    fn default() -> Self {
        Self { strict: false, profile: FENN, engine: Engine::Fast }
    }
}

/// When a run ends although the program does not.
///
/// Where several are reached at once, the first of these is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits<'a> {
    /// Stop after this many steps; a step is an instruction or the entry into a trap handler.
    pub instructions: Option<u64>,
    /// Stop after the step with which the run has come to this many cycles, those included that the step keeps the next one
    /// waiting.
    pub cycles: Option<u64>,
    /// Stop before the instruction at any of these addresses, in any order. The first step of a run is made all the same,
    /// so that a run can be continued from where it stopped.
    pub breakpoints: &'a [u32],
}

impl Limits<'_> {
    /// None: a run ends when the program does.
    pub const NONE: Self = Self { instructions: None, cycles: None, breakpoints: &[] };
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Why it ended.
    pub stop: Stop,
    /// Instructions retired in this run; those that stop it are not.
    pub instructions: u64,
    /// Cycles of this run, as the machine's [`Profile`] has them.
    pub cycles: u64,
}

/// An instruction that has been executed and not been counted.
struct Executed {
    pc: u32,
    inst: Inst,
    usage: Usage,
    issue: Issue,
    /// `mcountinhibit` before it.
    inhibited: u32,
    detail: Detail,
}

/// A machine.
///
/// Clones are independent; they share pages of DRAM until one writes them, so a clone for every thread is cheap.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(crate) core: Core,
    pub(crate) timing: Pipeline,
    /// What the fast engine knows of the program.
    pub(crate) blocks: Blocks,
    engine: Engine,
    pub(crate) entry: u32,
}

impl Machine {
    /// A machine with these memories, all zero, in the state after reset.
    ///
    /// # Errors
    /// [`Error::Config`] for sizes no machine can have, [`Error::Profile`] for a timing no core can have.
    pub fn new(config: MachineConfig, options: Options) -> Result<Self, Error> {
        options.profile.check()?;
        let core = Core {
            state: State::default(),
            memory: Memory::new(config)?,
            strict: options.strict,
            ready_flag: NO_READY_FLAG,
            counters_written: 0,
            divisor: 0,
            dram: options.profile.dram,
        };
        let (timing, blocks) = (Pipeline::new(options.profile), Blocks::new(&options.profile));
        Ok(Self { core, timing, blocks, engine: options.engine, entry: 0 })
    }

    /// A machine by its parts; see [`MachineBuilder`].
    pub fn builder<'a>() -> MachineBuilder<'a> {
        MachineBuilder::new()
    }

    /// The machine that `image` was made for, loaded with it.
    ///
    /// # Errors
    /// [`Error::Config`] and [`Error::Image`] for an image that is not well-formed.
    pub fn from_image(image: &Image, options: Options) -> Result<Self, Error> {
        let mut machine = Self::new(image.config, options)?;
        machine.load(image)?;
        Ok(machine)
    }

    /// Fills the memories with what `image` says and zero elsewhere, and resets the core to begin at its entry point.
    ///
    /// # Errors
    /// [`Error::Image`] for an image that is not well-formed, [`Error::TooSmall`] for one made for a machine with more
    /// memory. The machine has not changed then.
    pub fn load(&mut self, image: &Image) -> Result<(), Error> {
        self.core.memory.load(image)?;
        self.blocks.clear(self.timing.profile());
        self.entry = image.entry;
        self.core.ready_flag = image.ready_flag.unwrap_or(NO_READY_FLAG);
        self.reset();
        Ok(())
    }

    /// Puts the core into its state after reset, at the entry point; memories keep their contents, running DMA
    /// transfers are dropped.
    pub fn reset(&mut self) {
        self.core.state = State::default();
        self.core.state.pc = self.entry;
        self.core.counters_written = 0;
        self.timing.reset();
    }

    /// The core's state.
    pub fn state(&self) -> &State {
        &self.core.state
    }

    /// The core's state, to be changed between runs.
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.core.state
    }

    /// The memories.
    pub fn memory(&self) -> &Memory {
        &self.core.memory
    }

    /// The memories' sizes.
    pub fn config(&self) -> &MachineConfig {
        self.core.memory.config()
    }

    /// What kind of machine it is.
    pub fn options(&self) -> Options {
        Options { strict: self.core.strict, profile: *self.timing.profile(), engine: self.engine }
    }

    /// What the machine's time is reckoned by.
    pub fn timing(&self) -> &Pipeline {
        &self.timing
    }

    /// Cycles lost since the reset, by cause.
    pub fn stalls(&self) -> &StallTable {
        self.timing.stalls()
    }

    /// What a program would read from a CSR now; nothing changes, not even the count of status reads.
    pub fn csr(&self, register: Register) -> u32 {
        self.core.state.csr(register)
    }

    /// Writes a CSR between runs, as a program would: fields that cannot be written keep their value. Returns whether
    /// the CSR can be written so; one whose writing starts a transfer, or that is read-only, cannot.
    pub fn set_csr(&mut self, register: Register, value: u32) -> bool {
        self.core.state.set_csr(register, value)
    }

    /// Copies bytes out of a memory, in the order that [`fenn_isa::memory`] states.
    ///
    /// # Errors
    /// [`Error::Outside`] when they do not all lie in it.
    pub fn read(&self, space: Space, address: u32, out: &mut [u8]) -> Result<(), Error> {
        self.core.memory.read(space, address, out)
    }

    /// A copy of `length` bytes of a memory.
    ///
    /// # Errors
    /// [`Error::Outside`] when they do not all lie in it; nothing is allocated then.
    pub fn read_bytes(&self, space: Space, address: u32, length: u32) -> Result<Vec<u8>, Error> {
        self.core.memory.read_bytes(space, address, length)
    }

    /// Copies bytes into a memory.
    ///
    /// # Errors
    /// [`Error::Outside`] when they do not all lie in it; nothing has changed then.
    pub fn write(&mut self, space: Space, address: u32, bytes: &[u8]) -> Result<(), Error> {
        self.core.memory.write(space, address, bytes)?;
        if space == Space::Instruction {
            self.blocks.clear(self.timing.profile());
        }
        Ok(())
    }

    /// Says when the channel's running transfer begins to move data and when it has ended, in place of the profile's DRAM:
    /// instructions issued at `begins` or later read TRANSFERRING, those issued at `ends` or later IDLE, with the bits
    /// DECODE_ERROR and SLAVE_ERROR of `errors`. What is not known yet is `u64::MAX`, and said later; without a running
    /// transfer nothing happens.
    ///
    /// For a testbench beside a real engine, whose DRAM takes any time. The data move all the same at the end; what an
    /// engine leaves of a transfer with an error is its own. A snapshot keeps no such times.
    pub fn set_transfer_times(&mut self, direction: Direction, begins: u64, ends: u64, errors: u32) {
        self.core.state.dma.set_times(direction, begins, ends, errors);
    }

    /// Completes running transfers at once, as at a program's own end; the clock stands still.
    pub fn finish_transfers<O: Observer>(&mut self, observer: &mut O) {
        self.advance_dma(u64::MAX, observer);
    }

    /// Runs until the program stops or a limit is reached.
    pub fn run<O: Observer>(&mut self, limits: Limits<'_>, observer: &mut O) -> Outcome {
        let (retired, cycles) = (self.core.state.retired, self.core.state.cycles);
        let stop = if limits.cycles.is_none() && limits.breakpoints.is_empty() {
            self.run_to_stop(limits.instructions.unwrap_or(u64::MAX), observer)
        } else {
            self.run_within(&limits, observer)
        };
        Outcome { stop, instructions: self.core.state.retired - retired, cycles: self.core.state.cycles - cycles }
    }

    /// As [`Machine::run`], with `dram` in the place of the machine's own: the core sees `bytes` of it from byte `base` on, a
    /// multiple of 64, and what is beyond its end is not there. The machine's own DRAM is as it was afterwards.
    ///
    /// For a card, whose cores have regions of one DRAM. A transfer that a run before has begun, and that does not lie in
    /// what the core sees now, ends with DECODE_ERROR.
    pub fn run_with_dram<O: Observer>(
        &mut self,
        dram: &mut Dram,
        (base, bytes): (u64, u32),
        limits: Limits<'_>,
        observer: &mut O,
    ) -> Outcome {
        let own = self.core.memory.swap_dram(dram, base, bytes);
        self.core.state.dma.drop_impossible(&self.core.memory);
        let outcome = self.run(limits, observer);
        self.core.memory.swap_dram(dram, own.0, own.1);
        outcome
    }

    /// As [`Machine::finish_transfers`], with such a DRAM.
    pub fn finish_transfers_with_dram<O: Observer>(
        &mut self,
        dram: &mut Dram,
        (base, bytes): (u64, u32),
        observer: &mut O,
    ) {
        let own = self.core.memory.swap_dram(dram, base, bytes);
        self.core.state.dma.drop_impossible(&self.core.memory);
        self.finish_transfers(observer);
        self.core.memory.swap_dram(dram, own.0, own.1);
    }

    fn run_to_stop<O: Observer>(&mut self, steps: u64, observer: &mut O) -> Stop {
        // What traps only when strict, the fast engine's operations carry out.
        if self.engine == Engine::Fast && !self.core.strict && observer.is_passive() {
            return engine::run(self, steps);
        }
        for _ in 0..steps {
            if let Err(stop) = self.step(observer) {
                return stop;
            }
        }
        Stop::InstructionLimit { pc: self.core.state.pc }
    }

    /// A run that has more to look at between steps than their number.
    #[inline(never)]
    fn run_within<O: Observer>(&mut self, limits: &Limits<'_>, observer: &mut O) -> Stop {
        let end = limits.cycles.map_or(u64::MAX, |cycles| self.core.state.cycles.saturating_add(cycles));
        let mut left = limits.instructions.unwrap_or(u64::MAX);
        let mut first = true;
        loop {
            let pc = self.core.state.pc;
            if left == 0 {
                return Stop::InstructionLimit { pc };
            }
            if self.core.state.cycles >= end {
                return Stop::CycleLimit { pc };
            }
            if !first && limits.breakpoints.contains(&pc) {
                return Stop::Breakpoint { pc };
            }
            if let Err(stop) = self.step(observer) {
                return stop;
            }
            (left, first) = (left - 1, false);
        }
    }

    /// Makes the fast engine compute with these instructions of the host, if the host has them, which is the answer. It
    /// begins with the best.
    pub fn set_host(&mut self, host: Host) -> bool {
        self.blocks.set_host(host, self.timing.profile())
    }

    /// Executes one instruction, or enters the trap handler.
    ///
    /// # Errors
    /// Why the run ends, where it does; never a limit's.
    #[inline(always)]
    pub fn step<O: Observer>(&mut self, observer: &mut O) -> Result<(), Stop> {
        let pc = self.core.state.pc;
        let usage = self.core.memory.usage(pc);
        let issue = self.timing.issue(self.core.state.cycles, &usage, &self.core.state.dma);
        self.core.pass(issue.at - self.core.state.cycles);
        if self.core.state.dma.is_due(issue.at) {
            self.advance_dma(issue.at, observer);
        }
        let core = &mut self.core;
        let inhibited = core.state.csrs.mcountinhibit;
        let inst = match core.memory.fetch(pc) {
            Ok(inst) => inst,
            Err(cause) => return self.leave(pc, Halt::Trap(cause), observer),
        };
        core.state.pc = pc.wrapping_add(4);
        match core.execute(pc, inst, observer) {
            Ok(detail) => {
                self.retire(Executed { pc, inst, usage, issue, inhibited, detail }, observer);
                Ok(())
            }
            Err(Exit::ReadyFlag(detail)) => {
                Err(self.end_at_flag(Executed { pc, inst, usage, issue, inhibited, detail }, observer))
            }
            Err(Exit::NotExecuted(halt)) => self.leave(pc, halt, observer),
        }
    }

    /// Counts an instruction that has been executed.
    #[inline(always)]
    fn retire<O: Observer>(&mut self, executed: Executed, observer: &mut O) {
        let Executed { pc, inst, usage, issue: Issue { at, before, port }, inhibited, detail } = executed;
        let next = self.core.state.pc;
        let after = self.timing.retire(at, &usage, pc, next, detail);
        self.core.count(inhibited);
        self.core.pass(after.map_or(0, |stall| u64::from(stall.cycles)));
        let stalls = Stalls { before, port, after };
        observer.retire(&Retired { pc, inst, next, detail, cycle: at, stalls }, &self.core.state);
    }

    /// Does what an instruction that has not been executed asks for instead.
    #[cold]
    fn leave<O: Observer>(&mut self, pc: u32, halt: Halt, observer: &mut O) -> Result<(), Stop> {
        self.core.state.pc = pc;
        match halt {
            Halt::Trap(cause) => self.take_trap(Trap { pc, word: self.core.memory.word(pc), cause }, observer),
            Halt::Ebreak => Err(Stop::Ebreak { pc }),
            Halt::Ecall => {
                self.advance_dma(u64::MAX, observer);
                Err(Stop::Ecall { pc })
            }
        }
    }

    #[cold]
    fn end_at_flag<O: Observer>(&mut self, executed: Executed, observer: &mut O) -> Stop {
        let pc = executed.pc;
        self.retire(executed, observer);
        self.advance_dma(u64::MAX, observer);
        Stop::ReadyFlag { pc }
    }

    fn take_trap<O: Observer>(&mut self, trap: Trap, observer: &mut O) -> Result<(), Stop> {
        observer.trap(&trap);
        let state = &mut self.core.state;
        let handler = state.csrs.mtvec;
        if handler == NO_HANDLER || trap.pc == handler {
            return Err(Stop::Trap(trap));
        }
        let csrs = &mut state.csrs;
        csrs.mepc = trap.pc & !3;
        csrs.mcause = trap.cause.code();
        csrs.mtval = trap.value();
        let was_enabled = if csrs.mstatus & MIE != 0 { MPIE } else { 0 };
        csrs.mstatus = csrs.mstatus & !(MIE | MPIE) | was_enabled;
        state.pc = handler;
        let cycles = 1 + self.timing.trap();
        self.core.pass(cycles);
        Ok(())
    }

    #[cold]
    fn advance_dma<O: Observer>(&mut self, clock: u64, observer: &mut O) {
        let Core { state, memory, .. } = &mut self.core;
        state.dma.advance(clock, memory, |transfer| observer.transfer(transfer));
    }
}
