//! One core of a machine, as a host can use it.
//!
//! Contract: a device has the memories of [`fenn_isa::memory`], reads and writes them as bytes in the order stated
//! there, starts programs and waits for their end. Every failure is a value with the address in it, and no wait is
//! without a limit. After an error of [`Device::wait`] the memories can still be read; a run that came to a
//! [`DeviceError::Limit`] is still going on and may be waited for again or halted.
//!
//! A device is used by one thread at a time. Several cores are several devices.
//!
//! Not here: names of arrays (see [`crate::session`]), and how bytes get to the core: that is each device's own.

use std::time::Duration;

use fenn_isa::image::Image;
use fenn_isa::memory::{MachineConfig, Space};

use crate::error::DeviceError;

/// One core of a machine.
pub trait Device: Send {
    /// What the device is, for reports and messages: a few words.
    fn name(&self) -> String;

    /// The sizes of its memories.
    fn config(&self) -> MachineConfig;

    /// Puts a program into the memories, zero elsewhere, and the core into its state after reset.
    ///
    /// # Errors
    /// [`DeviceError::Image`], [`DeviceError::TooSmall`]: nothing has changed then.
    fn load(&mut self, image: &Image) -> Result<(), DeviceError>;

    /// Copies `out.len()` bytes from `address` of a memory.
    ///
    /// # Errors
    /// [`DeviceError::Outside`] when they do not all lie in it.
    fn read(&mut self, space: Space, address: u32, out: &mut [u8]) -> Result<(), DeviceError>;

    /// Copies `bytes` to `address` of a memory.
    ///
    /// # Errors
    /// [`DeviceError::Outside`] when they do not all lie in it; nothing has changed then.
    fn write(&mut self, space: Space, address: u32, bytes: &[u8]) -> Result<(), DeviceError>;

    /// Starts the program at `entry`, an address in instruction memory. Registers and generators stay as they are.
    ///
    /// # Errors
    /// [`DeviceError::NoProgram`], [`DeviceError::Running`], [`DeviceError::Entry`].
    fn start(&mut self, entry: u32) -> Result<(), DeviceError>;

    /// Waits until the program that was started ends.
    ///
    /// # Errors
    /// [`DeviceError::NotRunning`]; [`DeviceError::Fault`] and [`DeviceError::Breakpoint`], after which nothing runs any
    /// more; [`DeviceError::Limit`], after which the program still runs.
    fn wait(&mut self, limit: Limit) -> Result<Finished, DeviceError>;

    /// What a host can do with scalar memory while a program runs. If not stated, nothing.
    fn meanwhile(&self) -> Meanwhile {
        Meanwhile::Nothing
    }

    /// Waits until the word at `address` of scalar memory, a multiple of 4, is not `value` any more, or the program that was started
    /// ends, which may have changed it too. For devices with which a host can do something meanwhile; others refuse.
    ///
    /// # Errors
    /// As [`Device::wait`], the limit being for this wait; [`DeviceError::Busy`] where it cannot be done.
    fn watch(&mut self, address: u32, value: u32, limit: Limit) -> Result<Watched, DeviceError> {
        let _ = (address, value, limit);
        Err(DeviceError::Busy { space: Space::Scalar })
    }

    /// Ends a run that has not ended; without one, does nothing. What the memories hold then is whatever the program
    /// had done.
    ///
    /// # Errors
    /// Where the device cannot be reached.
    fn halt(&mut self) -> Result<(), DeviceError>;
}

/// What a host can do with scalar memory while a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meanwhile {
    /// Nothing: it is the program's until that ends.
    Nothing,
    /// Read and write it, but the program stands still unless it is waited for: nothing is gained by it.
    Stepwise,
    /// Read and write it, in units of at most [`fenn_isa::image::manifest::STREAM_UNIT`] bytes, while the program goes on.
    Overlapped,
}

/// Why [`Device::watch`] has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// The word is this one now.
    Changed(u32),
    /// The program has ended.
    Ended(Finished),
}

/// How long to wait for a program. A device keeps those limits that it can count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Instructions executed during the wait; a real core does not tell until it ends.
    pub instructions: u64,
    /// Time on the host's clock.
    pub time: Duration,
}

impl Default for Limit {
    /// 10⁹ instructions, ten minutes.
    fn default() -> Self {
        Self { instructions: 1_000_000_000, time: Duration::from_secs(600) }
    }
}

/// A program that came to its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Finished {
    /// Instructions executed since the start.
    pub instructions: u64,
    /// Clock cycles of the core since the start.
    pub cycles: u64,
}
