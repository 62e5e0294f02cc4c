//! The device that is the simulator.
//!
//! Contract: as [`Device`] says, with both limits kept: instructions exactly, time to within one slice of
//! [`SLICE`] instructions. Clones are independent devices and cheap, so a worker thread can have its own.
//!
//! Not here: what instructions do (see [`fenn_iss`]).

use std::time::Instant;

use fenn_isa::image::Image;
use fenn_isa::memory::{MachineConfig, Space};
use fenn_iss::{Limits, Machine, Observer, Options, Stop, Trap};

use crate::device::{Device, Finished, Limit, Meanwhile, Watched};
use crate::error::{DeviceError, Exceeded};

/// Instructions between two looks at the clock: some tens of milliseconds.
pub const SLICE: u64 = 1 << 20;
/// Instructions between two looks at a word that is watched.
const WATCH_SLICE: u64 = 1 << 10;

/// A simulated core, watched by an observer of all its runs.
#[derive(Debug, Clone)]
pub struct Simulator<O = ()> {
    machine: Machine,
    name: String,
    loaded: bool,
    /// What the run that has not ended has come to so far.
    running: Option<Finished>,
    observer: O,
}

impl Simulator {
    /// A machine with memories of these sizes that behaves as the board does where a program errs.
    ///
    /// # Errors
    /// [`DeviceError::Config`] for sizes no machine can have.
    pub fn new(config: MachineConfig) -> Result<Self, DeviceError> {
        Self::with_options(config, Options::default())
    }

    /// A machine with memories of these sizes.
    ///
    /// # Errors
    /// [`DeviceError::Config`] for sizes no machine can have.
    pub fn with_options(config: MachineConfig, options: Options) -> Result<Self, DeviceError> {
        Self::observed(config, options, ())
    }

    /// A device over this machine, whatever it holds; a program must still be loaded. `name` says in a few words what it
    /// is and how it counts cycles.
    pub fn from_machine(machine: Machine, name: &str) -> Self {
        Self { machine, name: name.to_owned(), loaded: false, running: None, observer: () }
    }
}

impl<O: Observer> Simulator<O> {
    /// A machine with memories of these sizes that tells `observer` what happens.
    ///
    /// # Errors
    /// [`DeviceError::Config`] for sizes no machine can have.
    pub fn observed(config: MachineConfig, options: Options, observer: O) -> Result<Self, DeviceError> {
        let name = format!("simulator (cycles of {})", options.profile.doc);
        Ok(Self { machine: Machine::new(config, options)?, name, loaded: false, running: None, observer })
    }
}

impl<O: Observer + Send> Device for Simulator<O> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn config(&self) -> MachineConfig {
        *self.machine.config()
    }

    fn load(&mut self, image: &Image) -> Result<(), DeviceError> {
        self.machine.load(image)?;
        (self.loaded, self.running) = (true, None);
        Ok(())
    }

    fn read(&mut self, space: Space, address: u32, out: &mut [u8]) -> Result<(), DeviceError> {
        Ok(self.machine.read(space, address, out)?)
    }

    fn write(&mut self, space: Space, address: u32, bytes: &[u8]) -> Result<(), DeviceError> {
        Ok(self.machine.write(space, address, bytes)?)
    }

    fn start(&mut self, entry: u32) -> Result<(), DeviceError> {
        let bytes = self.machine.config().instruction_bytes;
        if !self.loaded {
            return Err(DeviceError::NoProgram);
        }
        if self.running.is_some() {
            return Err(DeviceError::Running);
        }
        if !entry.is_multiple_of(4) || entry >= bytes {
            return Err(DeviceError::Entry { address: entry, bytes });
        }
        self.machine.state_mut().pc = entry;
        self.running = Some(Finished::default());
        Ok(())
    }

    fn wait(&mut self, limit: Limit) -> Result<Finished, DeviceError> {
        match self.go_on(None, limit)? {
            Watched::Ended(finished) => Ok(finished),
            // Nothing is watched.
            Watched::Changed(_) => Err(DeviceError::NotRunning),
        }
    }

    fn meanwhile(&self) -> Meanwhile {
        Meanwhile::Stepwise
    }

    fn watch(&mut self, address: u32, value: u32, limit: Limit) -> Result<Watched, DeviceError> {
        self.go_on(Some((address, value)), limit)
    }

    fn halt(&mut self) -> Result<(), DeviceError> {
        self.running = None;
        Ok(())
    }
}

impl<O: Observer> Simulator<O> {
    /// Runs until the program ends, or a word that is watched is another than this.
    fn go_on(&mut self, watched: Option<(u32, u32)>, limit: Limit) -> Result<Watched, DeviceError> {
        let Some(mut so_far) = self.running else { return Err(DeviceError::NotRunning) };
        let begin = Instant::now();
        let mut left = limit.instructions;
        if let Some(word) = self.changed(watched)? {
            return Ok(Watched::Changed(word));
        }
        loop {
            let slice = left.min(if watched.is_some() { WATCH_SLICE } else { SLICE });
            let limits = Limits { instructions: Some(slice), ..Limits::default() };
            let outcome = self.machine.run(limits, &mut self.observer);
            so_far.instructions += outcome.instructions;
            so_far.cycles += outcome.cycles;
            left -= slice;
            self.running = None;
            let pc = match outcome.stop {
                Stop::Ecall { .. } | Stop::ReadyFlag { .. } => return Ok(Watched::Ended(so_far)),
                Stop::Ebreak { pc } => return Err(DeviceError::Breakpoint { pc }),
                Stop::Trap(trap) => return Err(fault(&trap)),
                Stop::InstructionLimit { pc } | Stop::CycleLimit { pc } | Stop::Breakpoint { pc } => pc,
            };
            self.running = Some(so_far);
            if let Some(word) = self.changed(watched)? {
                return Ok(Watched::Changed(word));
            }
            if left == 0 {
                return Err(DeviceError::Limit { limit: Exceeded::Instructions(limit.instructions), pc: Some(pc) });
            }
            if begin.elapsed() >= limit.time {
                return Err(DeviceError::Limit { limit: Exceeded::Time(limit.time), pc: Some(pc) });
            }
        }
    }

    /// The word that is watched, if it is not the one it was.
    fn changed(&self, watched: Option<(u32, u32)>) -> Result<Option<u32>, DeviceError> {
        let Some((address, value)) = watched else { return Ok(None) };
        let mut word = [0; 4];
        self.machine.read(Space::Scalar, address, &mut word)?;
        let word = u32::from_le_bytes(word);
        Ok((word != value).then_some(word))
    }
}

fn fault(trap: &Trap) -> DeviceError {
    DeviceError::Fault { pc: trap.pc, cause: trap.cause.code(), value: trap.value(), text: trap.to_string() }
}
