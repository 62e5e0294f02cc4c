//! The core and the simulator, step by step.
//!
//! Contract: a [`Lockstep`] holds a core with its DRAM and a simulated machine whose memories are equal. [`Lockstep::run`]
//! starts both and steps the simulator once for each record of the core, until the program stops or a number of cycles has
//! passed; every record is compared ([`crate::check`]), then why and where both stopped. [`Lockstep::compare_memories`]
//! compares afterwards what the program may have changed, through the host port. The first difference ends the run with a
//! [`Failure`] that carries both histories; after one, only dropping the lockstep makes sense.
//!
//! The core runs ahead of the simulator, by the length of its pipeline. What DRAM did in a cycle is told to the simulator
//! before the next record, which is early enough: status follows it by more than a cycle.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::fmt::Write as _;
use std::path::Path;

use fenn_isa::Inst;
use fenn_isa::image::Image;
use fenn_isa::memory::{Space, VECTOR_BYTES};
use fenn_iss::dma::Direction;
use fenn_iss::{AccessKind, Machine, Options, Stop};

use crate::axi::{AxiError, Pace, Slave};
use crate::check::{Difference, Shadow, Watch};
use crate::configuration::Configuration;
use crate::core::{Core, CoreError};
use crate::coverage::Coverage;
use crate::narrow;
use crate::ports::{Inputs, Outputs};

/// Steps that a failure shows.
const SHOWN: usize = 24;
/// Without a record for so many cycles the core hangs: a division takes 35.
const HANGS: u64 = 300;
/// DRAM is idle for good when nothing was asked for so long: an address comes three cycles after the start.
const DRAINED: u64 = 16;

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The program's own end, or a fault; both sides agree on it.
    Stop(Stop),
    /// So many cycles have passed.
    Limit,
}

/// One step, of both.
#[derive(Debug, Clone, Copy)]
struct Step {
    pc: u32,
    word: u32,
    trap: bool,
    cycle: u64,
    iss: Option<fenn_iss::Retired>,
}

/// What went wrong.
#[derive(Debug, Clone)]
pub enum Cause {
    /// The two sides differ.
    Differs(Difference),
    /// The core breaks the protocol of its memory port.
    Axi(AxiError),
    /// The core does nothing any more.
    Hangs,
    /// The host port, or the build.
    Core(CoreError),
    /// The simulator cannot be had.
    Simulator(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs(difference) => difference.fmt(f),
            Self::Axi(error) => write!(f, "the memory port: {error}"),
            Self::Hangs => write!(f, "the core has retired nothing for {HANGS} cycles"),
            Self::Core(error) => error.fmt(f),
            Self::Simulator(text) => f.write_str(text),
        }
    }
}

/// A difference, with what led to it.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong.
    pub cause: Cause,
    /// The address of the instruction at which it was seen, if it was at one.
    pub pc: Option<u32>,
    /// Both histories up to there, as text.
    pub history: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pc) = self.pc {
            write!(f, "at {pc:#x}: ")?;
        }
        writeln!(f, "{}", self.cause)?;
        f.write_str(&self.history)
    }
}

impl std::error::Error for Failure {}

impl From<CoreError> for Box<Failure> {
    fn from(error: CoreError) -> Self {
        Box::new(Failure { cause: Cause::Core(error), pc: None, history: String::new() })
    }
}

impl From<fenn_iss::Error> for Box<Failure> {
    fn from(error: fenn_iss::Error) -> Self {
        Box::new(Failure { cause: Cause::Simulator(error.to_string()), pc: None, history: String::new() })
    }
}

/// Words of memories that a program may have changed, by their byte addresses.
#[derive(Debug, Clone, Default)]
struct Changed {
    scalar: BTreeSet<u32>,
    /// Rows.
    vector: BTreeSet<u32>,
    lane: BTreeSet<u32>,
    /// Rows.
    dram: BTreeSet<u32>,
}

/// The core and the simulator.
#[derive(Debug)]
pub struct Lockstep {
    core: Core,
    slave: Slave,
    machine: Machine,
    /// Memories as [`Self::restore`] makes them again.
    baseline: Machine,
    shadow: Shadow,
    watch: Watch,
    changed: Changed,
    history: VecDeque<Step>,
    /// Words of instruction memory that are not zero.
    code_words: u32,
    /// Bytes of the running transfers that have moved.
    moved_bytes: [u32; 2],
    /// When the running transfers have begun, which the simulator waits to be told; nothing without one.
    begins: [Option<u64>; 2],
    /// Whether the simulator is told when transfers begin and end.
    from_outside: bool,
    /// Whether cycles are compared, which they are but for single steps.
    timed: bool,
    /// Cycles compared so far.
    cycles: u64,
    retired: u64,
    coverage: Option<Box<Coverage>>,
}

impl Lockstep {
    /// Both sides with memories of zeros. `mutant` is 0 except for the mutants' model.
    ///
    /// # Errors
    /// Where there is no such model, or the core does not answer.
    pub fn new(configuration: &'static Configuration, mutant: u32) -> Result<Self, Box<Failure>> {
        let core = Core::new(configuration, mutant)?;
        let slave = Slave::new(configuration, Pace::Steady);
        let options = Options { profile: configuration.profile(), ..Options::default() };
        let machine = Machine::new(configuration.memory, options)?;
        Ok(Self {
            core,
            slave,
            baseline: machine.clone(),
            machine,
            shadow: Shadow::new(configuration.lanes),
            watch: Watch::default(),
            changed: Changed::default(),
            history: VecDeque::with_capacity(SHOWN),
            code_words: 0,
            moved_bytes: [0; 2],
            begins: [None; 2],
            from_outside: false,
            timed: true,
            cycles: 0,
            retired: 0,
            coverage: None,
        })
    }

    /// The configuration.
    pub fn configuration(&self) -> &'static Configuration {
        self.core.configuration()
    }

    /// The simulated machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The core.
    pub fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    /// Cycles that were compared, in all runs.
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// Records that were compared, in all runs.
    pub fn retired(&self) -> u64 {
        self.retired
    }

    /// Collects coverage from now on.
    pub fn cover(&mut self, coverage: Box<Coverage>) {
        self.coverage = Some(coverage);
    }

    /// The coverage collected.
    pub fn take_coverage(&mut self) -> Option<Box<Coverage>> {
        self.coverage.take()
    }

    /// Writes bytes into a memory of both; `address` and the length are multiples of 4.
    ///
    /// # Errors
    /// Where they do not lie in it, or the core does not answer.
    pub fn write(&mut self, space: Space, address: u32, bytes: &[u8]) -> Result<(), Box<Failure>> {
        self.machine.write(space, address, bytes)?;
        if space == Space::Dram {
            self.slave.write(address, bytes);
            return Ok(());
        }
        let words = words(bytes);
        if space == Space::Instruction {
            self.code_words = self.code_words.max(address / 4 + words.len() as u32);
        }
        self.write_core(space, address, &words)
    }

    /// Writes words into a memory of the core, where the simulator has them at `address`.
    fn write_core(&mut self, space: Space, address: u32, words: &[u32]) -> Result<(), Box<Failure>> {
        let lanes = self.configuration().lanes;
        if space != Space::LaneLocal || !self.configuration().is_narrow() {
            return Ok(self.core.write(space, address, words)?);
        }
        for (address, word) in (address..).step_by(4).zip(words) {
            if let Some(address) = narrow::lane_address(address, lanes) {
                self.core.write(space, address, &[*word])?;
            }
        }
        Ok(())
    }

    /// Reads words of a memory of the core where the simulator has `bytes` at `address`; those of lanes that are not there
    /// are the simulator's.
    fn read_core(&mut self, space: Space, address: u32, bytes: &[u8]) -> Result<Vec<u32>, Box<Failure>> {
        let lanes = self.configuration().lanes;
        let mut words = words(bytes);
        if space != Space::LaneLocal || !self.configuration().is_narrow() {
            return Ok(self.core.read(space, address, words.len() as u32)?);
        }
        for (address, word) in (address..).step_by(4).zip(&mut words) {
            if let Some(address) = narrow::lane_address(address, lanes) {
                *word = self.core.read(space, address, 1)?[0];
            }
        }
        Ok(words)
    }

    /// Reads bytes of a memory of both, which have to be equal; `address` and the length are multiples of 4.
    ///
    /// # Errors
    /// A difference; where they do not lie in it; where the core does not answer.
    pub fn read(&mut self, space: Space, address: u32, out: &mut [u8]) -> Result<(), Box<Failure>> {
        self.machine.read(space, address, out)?;
        let mut core = vec![0; out.len()];
        if space == Space::Dram {
            self.slave.read(address, &mut core);
        } else {
            let words = self.read_core(space, address, out)?;
            core = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        }
        for (index, (core, simulator)) in core.chunks(4).zip(out.chunks(4)).enumerate() {
            if core != simulator {
                let what = format!("{space} at {:#x}", address + 4 * index as u32);
                let difference = Difference::new(what, format_args!("{core:02x?}"), format_args!("{simulator:02x?}"));
                return Err(self.failure(Cause::Differs(difference), None));
            }
        }
        Ok(())
    }

    /// Declares the memories as they are now to be what [`Self::restore`] returns to.
    pub fn set_baseline(&mut self) {
        self.baseline = self.machine.clone();
        self.changed = Changed::default();
    }

    /// Puts a program into instruction memory, from address 0 on and with zeros behind it.
    ///
    /// # Errors
    /// Where it does not fit, or the core does not answer.
    pub fn load_code(&mut self, words: &[u32]) -> Result<(), Box<Failure>> {
        let mut all = words.to_vec();
        all.resize(words.len().max(self.code_words as usize), 0);
        let bytes: Vec<u8> = all.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.code_words = 0;
        self.write(Space::Instruction, 0, &bytes)?;
        self.code_words = words.len() as u32;
        Ok(())
    }

    /// Puts a program image into the memories of both, which must be as new.
    ///
    /// # Errors
    /// Where it does not fit, or the core does not answer.
    pub fn load(&mut self, image: &Image) -> Result<(), Box<Failure>> {
        self.machine.load(image)?;
        for segment in &image.segments {
            // Segments are aligned to words, and what lies between them is zero.
            let mut bytes = segment.bytes.clone();
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            if segment.space == Space::Dram {
                self.slave.write(segment.address, &bytes);
            } else {
                self.write_core(segment.space, segment.address, &words(&bytes))?;
            }
        }
        self.baseline = self.machine.clone();
        Ok(())
    }

    /// Resets both sides and starts them at `entry`; returns when the program stops, or soon after `limit` cycles.
    ///
    /// # Errors
    /// The first difference.
    pub fn run(&mut self, entry: u32, pace: Pace, limit: u64) -> Result<End, Box<Failure>> {
        self.begin(entry, pace);
        self.tick(Inputs { run: true, entry, ..Inputs::default() })?;
        let mut stop = None;
        let mut since_record = 0;
        let mut spent = 0;
        loop {
            let over = spent >= limit || matches!(stop, Some(Stop::ReadyFlag { .. }));
            self.tick(Inputs { entry, halt: over, ..Inputs::default() })?;
            spent += 1;
            since_record += 1;
            let out = *self.core.outputs();
            if out.ret_valid && !matches!(stop, Some(Stop::ReadyFlag { .. })) {
                since_record = 0;
                if stop.is_some() {
                    return Err(
                        self.failure(Cause::Differs(Difference::new("a record behind the end", "one", "none")), None)
                    );
                }
                stop = self.retire(&out)?;
            }
            if out.halted {
                break;
            }
            if since_record > HANGS {
                return Err(self.failure(Cause::Hangs, Some(out.pc)));
            }
        }
        self.cycles += spent;
        self.end(stop, spent >= limit)
    }

    /// Resets both sides.
    fn begin(&mut self, entry: u32, pace: Pace) {
        self.core.reset(entry);
        self.slave.reset(pace);
        self.from_outside = !self.slave.is_steady();
        // `load` has set the entry; a program without an image has its own.
        self.machine.reset();
        self.machine.state_mut().pc = entry;
        self.begins = [None; 2];
        self.shadow = Shadow::new(self.configuration().lanes);
        self.history.clear();
        self.moved_bytes = [0; 2];
        if let Some(coverage) = &mut self.coverage {
            coverage.begin();
        }
    }

    /// Resets both sides and lets the debug port execute single instructions, as many as `steps` or until the program
    /// stops; records are compared but for their cycles, which stepping changes, and so is where the core stands after each.
    ///
    /// # Errors
    /// The first difference.
    pub fn step_through(&mut self, entry: u32, steps: u32) -> Result<End, Box<Failure>> {
        const STEPPED: u8 = 2;
        self.begin(entry, Pace::Steady);
        self.timed = false;
        for _ in 0..steps {
            self.tick(Inputs { run: true, step: true, entry, ..Inputs::default() })?;
            let (mut records, mut stop) = (0, None);
            for cycle in 0.. {
                self.tick(Inputs { entry, ..Inputs::default() })?;
                let out = *self.core.outputs();
                if out.ret_valid {
                    records += 1;
                    stop = self.retire(&out)?;
                }
                if out.halted {
                    break;
                }
                if cycle > HANGS {
                    return Err(self.failure(Cause::Hangs, Some(out.pc)));
                }
            }
            let out = *self.core.outputs();
            if stop.is_some() || out.halt_cause != STEPPED {
                self.timed = true;
                return self.end(stop, false);
            }
            self.require(records, 1, "instructions in a step")?;
            let pc = self.machine.state().pc;
            self.require(out.pc, pc, "the address behind a step")?;
        }
        self.timed = true;
        Ok(End::Limit)
    }

    /// One rising edge, and what DRAM does meanwhile.
    #[inline]
    fn tick(&mut self, mut inputs: Inputs) -> Result<(), Box<Failure>> {
        if let Err(error) = self.slave.drive(self.core.outputs(), &mut inputs) {
            return Err(self.failure(Cause::Axi(error), None));
        }
        let cycle = self.core.outputs().cycle;
        self.core.cycle(&inputs);
        let moved = self.slave.moved();
        if self.from_outside && (moved.read | moved.written | moved.answered) {
            self.tell_times(cycle);
        }
        Ok(())
    }

    /// Tells the simulator that a transfer begins or has ended, as `rtl/README.md` says when its status shows it.
    fn tell_times(&mut self, cycle: u64) {
        let moved = self.slave.moved();
        let beat = self.configuration().port_bytes;
        for (direction, beats) in [(Direction::IntoVector, moved.read), (Direction::OutOfVector, moved.written)] {
            let Some(transfer) = self.machine.state().dma.channel(direction).running().copied() else { continue };
            let bytes = &mut self.moved_bytes[direction as usize];
            if beats {
                if *bytes == 0 {
                    self.begins[direction as usize] = Some(cycle + 1);
                    self.machine.set_transfer_times(direction, cycle + 1, u64::MAX, 0);
                }
                *bytes += beat;
            }
            let all = *bytes == transfer.bytes;
            let later = match direction {
                Direction::IntoVector if all && beats => 2,
                Direction::OutOfVector if all && moved.answered && self.slave.all_answered() => 1,
                _ => continue,
            };
            let errors = self.slave.take_errors(direction);
            let begins = self.begins[direction as usize].unwrap_or(cycle);
            self.machine.set_transfer_times(direction, begins, cycle + later, errors);
        }
    }

    /// Steps the simulator and compares.
    fn retire(&mut self, out: &Outputs) -> Result<Option<Stop>, Box<Failure>> {
        let mut out = *out;
        self.retired += 1;
        let pc = self.machine.state().pc;
        let word = self.machine.memory().word(pc).unwrap_or(0);
        if let Some(coverage) = &mut self.coverage {
            coverage.before(self.machine.state());
        }
        self.watch.clear();
        let lanes = self.configuration().lanes;
        let result = narrow::step(&mut self.machine, lanes, &mut self.watch);
        let state = self.machine.state();
        let after_trap = 1 + u64::from(self.machine.timing().profile().redirect.trap);
        let trap_cycle = if result.is_ok() { state.cycles.saturating_sub(after_trap) } else { state.cycles };
        if !self.timed {
            out.ret_cycle = self.watch.retired.map_or(trap_cycle, |retired| retired.cycle);
        }
        if self.history.len() == SHOWN {
            self.history.pop_front();
        }
        self.history.push_back(Step {
            pc: out.ret_pc,
            word: out.ret_word,
            trap: out.ret_trap,
            cycle: out.ret_cycle,
            iss: self.watch.retired,
        });
        if let Err(difference) = self.shadow.compare(&out, &self.watch, word, trap_cycle, state) {
            return Err(self.failure(Cause::Differs(difference), Some(pc)));
        }
        if let Some(coverage) = &mut self.coverage {
            coverage.after(&self.watch, self.machine.state(), self.machine.config());
        }
        self.note_changes();
        if self.from_outside {
            self.hold_transfers();
        }
        match result {
            Ok(()) => Ok(None),
            Err(stop @ (Stop::Trap(_) | Stop::ReadyFlag { .. })) => Ok(Some(stop)),
            Err(stop) => {
                let difference = Difference::new("the instruction", format_args!("executed {word:#010x}"), stop);
                Err(self.failure(Cause::Differs(difference), Some(pc)))
            }
        }
    }

    /// Keeps transfers that have just been started from beginning when the profile says.
    fn hold_transfers(&mut self) {
        for direction in Direction::ALL {
            let begins = &mut self.begins[direction as usize];
            if begins.is_none() && self.machine.state().dma.channel(direction).running().is_some() {
                *begins = Some(u64::MAX);
                self.machine.set_transfer_times(direction, u64::MAX, u64::MAX, 0);
            }
        }
    }

    fn note_changes(&mut self) {
        let (config, lanes) = (*self.machine.config(), self.configuration().lanes);
        for access in self.watch.accesses.iter().filter(|access| access.kind == AccessKind::Store) {
            match (access.space, access.lane) {
                (Space::Scalar, _) => {
                    self.changed.scalar.extend([access.address & !3, (access.address + access.bytes - 1) & !3]);
                }
                (Space::Vector, _) => {
                    let place = access.address % config.vector_bytes;
                    self.changed.vector.insert(place - place % VECTOR_BYTES);
                }
                (_, Some(lane)) if usize::from(lane) < lanes => {
                    let row = (access.address % config.lane_local_bytes) & !1;
                    self.changed.lane.insert(row * (VECTOR_BYTES / 2) + 2 * (u32::from(lane) & !1));
                }
                _ => {}
            }
        }
        for transfer in std::mem::take(&mut self.watch.transfers) {
            self.moved_bytes[transfer.direction as usize] = 0;
            self.begins[transfer.direction as usize] = None;
            let rows = (transfer.destination..transfer.destination + transfer.bytes).step_by(VECTOR_BYTES as usize);
            match transfer.direction {
                Direction::IntoVector => self.changed.vector.extend(rows),
                Direction::OutOfVector => self.changed.dram.extend(rows),
            }
        }
    }

    /// Compares why and where both have stopped.
    fn end(&mut self, stop: Option<Stop>, limited: bool) -> Result<End, Box<Failure>> {
        const REQUEST: u8 = 1;
        const ECALL: u8 = 3;
        const EBREAK: u8 = 4;
        const TRAP: u8 = 5;
        let out = *self.core.outputs();
        let pc = self.machine.state().pc;
        if let Some(Stop::ReadyFlag { .. }) = stop {
            return Ok(End::Stop(stop.unwrap_or(Stop::ReadyFlag { pc })));
        }
        let expected = match &stop {
            Some(_) => TRAP,
            None => match self.machine.memory().word(pc).and_then(Inst::decode) {
                Some(Inst::Ecall {}) if out.halt_cause == ECALL => ECALL,
                Some(Inst::Ebreak {}) if out.halt_cause == EBREAK => EBREAK,
                _ if limited => REQUEST,
                _ => 0,
            },
        };
        self.require(out.halt_cause, expected, "why it halted")?;
        self.require(out.pc, pc, "the address at which it halted")?;
        if let Some(Stop::Trap(trap)) = &stop {
            self.require(u32::from(out.trap_cause), trap.cause.code(), "the cause of the last exception")?;
            self.require(out.trap_value, trap.value(), "the value of the last exception")?;
        }
        self.drain()?;
        let end = match (stop, expected) {
            (Some(stop), _) => End::Stop(stop),
            (None, REQUEST) => End::Limit,
            (None, _) => {
                self.watch.clear();
                match self.machine.step(&mut self.watch) {
                    Err(stop) => End::Stop(stop),
                    Ok(()) => {
                        let difference = Difference::new("the end", "halted", "went on");
                        return Err(self.failure(Cause::Differs(difference), Some(pc)));
                    }
                }
            }
        };
        // What stops a program may have issued later than the end of a transfer.
        if !matches!(end, End::Stop(Stop::Ecall { .. })) {
            self.machine.finish_transfers(&mut self.watch);
        }
        self.note_changes();
        Ok(end)
    }

    fn require<T: PartialEq + fmt::LowerHex>(&mut self, core: T, simulator: T, what: &str) -> Result<(), Box<Failure>> {
        if core == simulator {
            return Ok(());
        }
        let difference = Difference::new(what, format_args!("{core:#x}"), format_args!("{simulator:#x}"));
        let pc = self.machine.state().pc;
        Err(self.failure(Cause::Differs(difference), Some(pc)))
    }

    /// Waits until the DMA engine of the halted core has ended what it was doing.
    fn drain(&mut self) -> Result<(), Box<Failure>> {
        while self.slave.idle() < DRAINED {
            self.tick(Inputs::default())?;
        }
        Ok(())
    }

    /// Compares every word that the program may have changed.
    ///
    /// # Errors
    /// The first that differs.
    pub fn compare_memories(&mut self) -> Result<(), Box<Failure>> {
        let Changed { scalar, vector, lane, dram } = self.changed.clone();
        let mut word = [0; 4];
        let mut row = [0; VECTOR_BYTES as usize];
        scalar.iter().try_for_each(|address| self.read(Space::Scalar, *address, &mut word))?;
        lane.iter().try_for_each(|address| self.read(Space::LaneLocal, *address, &mut word))?;
        vector.iter().try_for_each(|address| self.read(Space::Vector, *address, &mut row))?;
        dram.iter().try_for_each(|address| self.read(Space::Dram, *address, &mut row))
    }

    /// Compares all of every memory but DRAM, of which what was written is compared.
    ///
    /// # Errors
    /// The first word that differs.
    pub fn compare_everything(&mut self) -> Result<(), Box<Failure>> {
        for space in [Space::Instruction, Space::Scalar, Space::Vector, Space::LaneLocal] {
            let mut bytes = vec![0; self.machine.config().bytes(space) as usize];
            self.read(space, 0, &mut bytes)?;
        }
        let mut row = [0; VECTOR_BYTES as usize];
        let dram = self.changed.dram.clone();
        dram.iter().try_for_each(|address| self.read(Space::Dram, *address, &mut row))
    }

    /// Gives the memories the contents of the baseline, but for instructions, which have to be loaded again.
    ///
    /// # Errors
    /// Where the core does not answer.
    pub fn restore(&mut self) -> Result<(), Box<Failure>> {
        let Changed { scalar, vector, lane, dram } = std::mem::take(&mut self.changed);
        let mut word = [0; 4];
        let mut row = [0; VECTOR_BYTES as usize];
        for (space, addresses) in [(Space::Scalar, scalar), (Space::LaneLocal, lane)] {
            for address in addresses {
                self.baseline.read(space, address, &mut word)?;
                self.write(space, address, &word)?;
            }
        }
        for (space, addresses) in [(Space::Vector, vector), (Space::Dram, dram)] {
            for address in addresses {
                self.baseline.read(space, address, &mut row)?;
                self.write(space, address, &row)?;
            }
        }
        self.machine = self.baseline.clone();
        Ok(())
    }

    /// Begins to write a waveform.
    ///
    /// # Errors
    /// A path that is no text.
    pub fn open_wave(&mut self, path: &Path) -> Result<(), Box<Failure>> {
        Ok(self.core.open_wave(path)?)
    }

    fn failure(&mut self, cause: Cause, pc: Option<u32>) -> Box<Failure> {
        self.core.close_wave();
        Box::new(Failure { cause, pc, history: self.history() })
    }

    /// The last steps of both, as text.
    pub fn history(&self) -> String {
        let mut history = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(history, "  core cycle  simulator  address   word      instruction");
        for step in &self.history {
            let text = match Inst::decode(step.word) {
                Some(inst) => inst.to_string(),
                None => "(no instruction)".to_owned(),
            };
            let cycle = step.iss.map_or_else(|| "trap".to_owned(), |retired| retired.cycle.to_string());
            let _ = write!(history, "{:>12}  {cycle:>9}  {:08x}  {:08x}  {text}", step.cycle, step.pc, step.word);
            if step.trap {
                history.push_str("  [exception]");
            }
            for stall in step.iss.iter().flat_map(|retired| retired.stalls.iter()) {
                let _ = write!(history, "  [{} {}]", stall.cause.name(), stall.cycles);
            }
            if let Some(retired) = step.iss.filter(|retired| retired.pc != step.pc) {
                let _ = write!(history, "  [the simulator is at {:#x}: {}]", retired.pc, retired.inst);
            }
            history.push('\n');
        }
        history
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect()
}
