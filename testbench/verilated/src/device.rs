//! The core and the simulator together as a device of a host.
//!
//! Contract: as [`fenn_host::device::Device`] says, except that every start resets the core, so registers and generators do
//! not outlast a run. Everything a host reads is read from both sides and has to be equal; what differs, here or at a
//! retirement, is a fault of the device with the whole story as its text.
//!
//! Limits are kept in cycles, one for each instruction allowed, and twice as many for what is lost between them.

use fenn_host::device::{Device, Finished, Limit};
use fenn_host::error::{DeviceError, Exceeded};
use fenn_isa::image::Image;
use fenn_isa::memory::{MachineConfig, Space};
use fenn_iss::Stop;

use crate::axi::Pace;
use crate::configuration::Configuration;
use crate::lockstep::{End, Failure, Lockstep};

/// Both, as one device.
#[derive(Debug)]
pub struct Both {
    lockstep: Lockstep,
    loaded: bool,
    entry: Option<u32>,
}

impl Both {
    /// A core of this configuration, in lockstep.
    ///
    /// # Errors
    /// Where there is no such core.
    pub fn new(configuration: &'static Configuration) -> Result<Self, Box<Failure>> {
        Ok(Self { lockstep: Lockstep::new(configuration, 0)?, loaded: false, entry: None })
    }

    /// What has been compared.
    pub fn lockstep(&self) -> &Lockstep {
        &self.lockstep
    }
}

fn differs(failure: Box<Failure>) -> DeviceError {
    DeviceError::Fault { pc: failure.pc.unwrap_or(0), cause: 0, value: 0, text: failure.to_string() }
}

/// The words that hold these bytes: address of the first byte, number of bytes.
fn around(address: u32, length: usize) -> (u32, u32) {
    let start = address & !3;
    (start, (address + length as u32).next_multiple_of(4) - start)
}

impl Device for Both {
    fn name(&self) -> String {
        format!("Verilated core ({}) in lockstep with the simulator", self.lockstep.configuration().doc)
    }

    fn config(&self) -> MachineConfig {
        self.lockstep.configuration().memory
    }

    fn load(&mut self, image: &Image) -> Result<(), DeviceError> {
        image.check()?;
        let mut lockstep = Lockstep::new(self.lockstep.configuration(), 0).map_err(differs)?;
        lockstep.load(image).map_err(differs)?;
        *self = Self { lockstep, loaded: true, entry: None };
        Ok(())
    }

    fn read(&mut self, space: Space, address: u32, out: &mut [u8]) -> Result<(), DeviceError> {
        // Says so where they are not there.
        self.lockstep.machine().read(space, address, out)?;
        let (start, length) = around(address, out.len());
        let mut words = vec![0; length as usize];
        self.lockstep.read(space, start, &mut words).map_err(differs)?;
        let skip = (address - start) as usize;
        out.copy_from_slice(&words[skip..skip + out.len()]);
        Ok(())
    }

    fn write(&mut self, space: Space, address: u32, bytes: &[u8]) -> Result<(), DeviceError> {
        let mut before = vec![0; bytes.len()];
        self.lockstep.machine().read(space, address, &mut before)?;
        let (start, length) = around(address, bytes.len());
        let mut words = vec![0; length as usize];
        self.lockstep.machine().read(space, start, &mut words)?;
        let skip = (address - start) as usize;
        words[skip..skip + bytes.len()].copy_from_slice(bytes);
        self.lockstep.write(space, start, &words).map_err(differs)
    }

    fn start(&mut self, entry: u32) -> Result<(), DeviceError> {
        let bytes = self.config().instruction_bytes;
        if !self.loaded {
            return Err(DeviceError::NoProgram);
        }
        if self.entry.is_some() {
            return Err(DeviceError::Running);
        }
        if !entry.is_multiple_of(4) || entry >= bytes {
            return Err(DeviceError::Entry { address: entry, bytes });
        }
        self.entry = Some(entry);
        Ok(())
    }

    fn wait(&mut self, limit: Limit) -> Result<Finished, DeviceError> {
        let Some(entry) = self.entry.take() else { return Err(DeviceError::NotRunning) };
        let cycles = limit.instructions.saturating_mul(3);
        let end = self.lockstep.run(entry, Pace::Steady, cycles).map_err(differs)?;
        let state = self.lockstep.machine().state();
        match end {
            End::Stop(Stop::Ecall { .. } | Stop::ReadyFlag { .. }) => {
                Ok(Finished { instructions: state.retired, cycles: state.cycles })
            }
            End::Stop(Stop::Ebreak { pc }) => Err(DeviceError::Breakpoint { pc }),
            End::Stop(Stop::Trap(trap)) => Err(DeviceError::Fault {
                pc: trap.pc,
                cause: trap.cause.code(),
                value: trap.value(),
                text: trap.to_string(),
            }),
            // A step of the simulator stops for none of these.
            End::Stop(Stop::InstructionLimit { pc } | Stop::CycleLimit { pc, .. } | Stop::Breakpoint { pc, .. }) => {
                Err(DeviceError::Limit { limit: Exceeded::Instructions(limit.instructions), pc: Some(pc) })
            }
            End::Limit => {
                Err(DeviceError::Limit { limit: Exceeded::Instructions(limit.instructions), pc: Some(state.pc) })
            }
        }
    }

    fn halt(&mut self) -> Result<(), DeviceError> {
        self.entry = None;
        Ok(())
    }
}
