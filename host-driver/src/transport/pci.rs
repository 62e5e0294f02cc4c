//! A PCI function as a driver in user space sees it.
//!
//! Contract: registers in base address regions, memory that the function reaches by DMA, interrupt vectors, a reset. Nothing
//! here knows which function it is. Every call ends, at its deadline at the latest.
//!
//! Implemented over vfio-user ([`super::vfio_user`]) and over VFIO ([`super::vfio`]); and by models, for tests.

use std::time::Duration;

use super::{Deadline, TransportError};

/// How many base address regions a function can have.
pub const BARS: u8 = 6;

/// A PCI function, opened.
///
/// Its DMA memory is one range that the function sees at [`Pci::memory_address`] and that only this process and the function
/// touch.
pub trait Pci: Send {
    /// What it is and which: a few words for messages.
    fn name(&self) -> String;

    /// Bytes of base address region `bar`; 0 where there is none.
    fn bar_bytes(&self, bar: u8) -> u64;

    /// Reads the word at byte `offset` of region `bar`. A function that is not there reads as all ones.
    ///
    /// # Errors
    /// [`TransportError::Register`] for what is no word of the region; [`TransportError::Deadline`]; [`TransportError::Gone`].
    fn read_bar(&mut self, bar: u8, offset: u32, deadline: Deadline) -> Result<u32, TransportError>;

    /// Writes the word at byte `offset` of region `bar`.
    ///
    /// # Errors
    /// As [`Pci::read_bar`].
    fn write_bar(&mut self, bar: u8, offset: u32, value: u32, deadline: Deadline) -> Result<(), TransportError>;

    /// Bytes of the DMA memory.
    fn memory_bytes(&self) -> usize;

    /// Where the function sees its first byte, a multiple of 4096.
    fn memory_address(&self) -> u64;

    /// Copies from byte `offset` of the DMA memory.
    ///
    /// # Errors
    /// [`TransportError::System`] for bytes outside of it.
    fn read_memory(&mut self, offset: usize, out: &mut [u8]) -> Result<(), TransportError>;

    /// Copies to byte `offset` of the DMA memory.
    ///
    /// # Errors
    /// As [`Pci::read_memory`].
    fn write_memory(&mut self, offset: usize, bytes: &[u8]) -> Result<(), TransportError>;

    /// How many interrupt vectors there are; 0 where there are no interrupts.
    fn vectors(&self) -> u32;

    /// Waits for `vector`, at most `limit`: whether it came since the last wait for it.
    ///
    /// # Errors
    /// [`TransportError::System`] for a vector that does not exist; [`TransportError::Gone`].
    fn wait_interrupt(&mut self, vector: u32, limit: Duration) -> Result<bool, TransportError>;

    /// Resets the function: nothing that it was doing goes on, and its registers are as after power-up.
    ///
    /// # Errors
    /// Where it cannot be reset, or does not answer afterwards.
    fn reset(&mut self, deadline: Deadline) -> Result<(), TransportError>;
}

impl<P: Pci + ?Sized> Pci for Box<P> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn bar_bytes(&self, bar: u8) -> u64 {
        (**self).bar_bytes(bar)
    }

    fn read_bar(&mut self, bar: u8, offset: u32, deadline: Deadline) -> Result<u32, TransportError> {
        (**self).read_bar(bar, offset, deadline)
    }

    fn write_bar(&mut self, bar: u8, offset: u32, value: u32, deadline: Deadline) -> Result<(), TransportError> {
        (**self).write_bar(bar, offset, value, deadline)
    }

    fn memory_bytes(&self) -> usize {
        (**self).memory_bytes()
    }

    fn memory_address(&self) -> u64 {
        (**self).memory_address()
    }

    fn read_memory(&mut self, offset: usize, out: &mut [u8]) -> Result<(), TransportError> {
        (**self).read_memory(offset, out)
    }

    fn write_memory(&mut self, offset: usize, bytes: &[u8]) -> Result<(), TransportError> {
        (**self).write_memory(offset, bytes)
    }

    fn vectors(&self) -> u32 {
        (**self).vectors()
    }

    fn wait_interrupt(&mut self, vector: u32, limit: Duration) -> Result<bool, TransportError> {
        (**self).wait_interrupt(vector, limit)
    }

    fn reset(&mut self, deadline: Deadline) -> Result<(), TransportError> {
        (**self).reset(deadline)
    }
}

/// Whether `offset` is a word's place in a region of `bytes` bytes.
///
/// # Errors
/// [`TransportError::Register`] where it is not.
pub fn check_word(bytes: u64, offset: u32) -> Result<(), TransportError> {
    if offset.is_multiple_of(4) && u64::from(offset) + 4 <= bytes {
        return Ok(());
    }
    Err(TransportError::Register { offset, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) })
}

/// An access outside of a function's DMA memory, which its driver laid out: a mistake of ours, said rather than made.
pub(super) fn outside(name: &str, offset: usize) -> TransportError {
    TransportError::System {
        what: format!("copying at {offset:#x} of the DMA memory of {name}"),
        message: "it has not so many bytes".to_owned(),
    }
}
