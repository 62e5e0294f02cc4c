//! Memory that a device sees, or that is a device's: mapped, and never lent as a slice.
//!
//! Contract: a [`Mapping`] is a range of bytes that somebody else may read and write at any moment. Every access is checked
//! against its length and goes through volatile copies or whole words, so that no reference to the bytes ever exists.
//!
//! `vm-memory` does the mapping and the copies; the one thing it cannot do safely, giving a range to an IOMMU, is
//! [`give_to_device`], which is why this file alone may say `unsafe`.

#![allow(unsafe_code, reason = "vfio_dma_map is unsafe to call; the only block is below")]

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use vm_memory::mmap::MmapRegion;
use vm_memory::{FileOffset, VolatileMemory};

use crate::transport::TransportError;

/// A range of mapped bytes, shared with a device or another process.
#[derive(Debug, Clone)]
pub struct Mapping {
    region: Arc<MmapRegion>,
    /// What it is, for messages.
    name: String,
}

impl Mapping {
    /// `bytes` bytes of memory of our own, zero at first. `name` says in messages what they are.
    ///
    /// # Errors
    /// [`TransportError::System`] where there is not so much memory.
    pub fn anonymous(name: impl Into<String>, bytes: usize) -> Result<Self, TransportError> {
        let name = name.into();
        let region = MmapRegion::new(bytes).map_err(|error| refused(&name, bytes, &error.to_string()))?;
        Ok(Self { region: Arc::new(region), name })
    }

    /// `bytes` bytes of `file` from `offset`, a multiple of the page size: a shared mapping, to read and to write.
    ///
    /// # Errors
    /// [`TransportError::System`] where the file cannot be mapped so.
    pub fn of_file(name: impl Into<String>, file: File, offset: u64, bytes: usize) -> Result<Self, TransportError> {
        let name = name.into();
        let region = MmapRegion::from_file(FileOffset::new(file, offset), bytes)
            .map_err(|error| refused(&name, bytes, &error.to_string()))?;
        Ok(Self { region: Arc::new(region), name })
    }

    /// How many bytes.
    pub fn bytes(&self) -> usize {
        self.region.size()
    }

    /// The word at byte `offset`, in one access.
    ///
    /// # Errors
    /// [`TransportError::System`] for an offset that is no word's.
    pub fn read_word(&self, offset: usize) -> Result<u32, TransportError> {
        let slice = self.region.as_volatile_slice();
        let word = slice.get_atomic_ref::<AtomicU32>(offset).map_err(|_| self.outside(offset, 4))?;
        Ok(u32::from_le(word.load(Ordering::Acquire)))
    }

    /// Writes the word at byte `offset`, in one access.
    ///
    /// # Errors
    /// As [`Mapping::read_word`].
    pub fn write_word(&self, offset: usize, value: u32) -> Result<(), TransportError> {
        let slice = self.region.as_volatile_slice();
        let word = slice.get_atomic_ref::<AtomicU32>(offset).map_err(|_| self.outside(offset, 4))?;
        word.store(value.to_le(), Ordering::Release);
        Ok(())
    }

    /// Copies the bytes at `offset` to `out`.
    ///
    /// # Errors
    /// [`TransportError::System`] for bytes outside.
    pub fn read(&self, offset: usize, out: &mut [u8]) -> Result<(), TransportError> {
        let slice = self.region.as_volatile_slice();
        let part = slice.subslice(offset, out.len()).map_err(|_| self.outside(offset, out.len()))?;
        part.copy_to(out);
        Ok(())
    }

    /// Copies `bytes` to `offset`.
    ///
    /// # Errors
    /// As [`Mapping::read`].
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), TransportError> {
        let slice = self.region.as_volatile_slice();
        let part = slice.subslice(offset, bytes.len()).map_err(|_| self.outside(offset, bytes.len()))?;
        part.copy_from(bytes);
        Ok(())
    }

    fn outside(&self, offset: usize, bytes: usize) -> TransportError {
        TransportError::System {
            what: format!("{bytes} bytes at {offset:#x} of {}", self.name),
            message: format!("it has {:#x} bytes, and words lie at multiples of 4", self.bytes()),
        }
    }
}

fn refused(name: &str, bytes: usize, message: &str) -> TransportError {
    TransportError::System { what: format!("mapping {bytes} bytes of {name}"), message: message.to_owned() }
}

/// Lets the devices of `container` read and write `memory` at the addresses from `address` on.
///
/// The mapping has to stay until the container is closed: the caller keeps the two together and drops `memory` last.
///
/// # Errors
/// [`TransportError::System`] where the IOMMU does not take it.
#[cfg(target_os = "linux")]
pub(crate) fn give_to_device(
    container: &vfio_ioctls::VfioContainer,
    memory: &Mapping,
    address: u64,
) -> Result<(), TransportError> {
    // SAFETY: the range is a live mapping of `memory.bytes()` bytes, and a `Mapping` makes no reference to its bytes: all
    // accesses are volatile or atomic through raw pointers, so the device may write them at any time.
    let given = unsafe { container.vfio_dma_map(address, memory.bytes(), memory.region.as_ptr()) };
    given.map_err(|error| TransportError::System {
        what: format!("letting the device reach {} bytes of {}", memory.bytes(), memory.name),
        message: format!("{error}; `ulimit -l` may allow less locked memory than that"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_words_come_back() {
        let memory = Mapping::anonymous("test memory", 8192).unwrap();
        memory.write(4093, &[1, 2, 3, 4, 5]).unwrap();
        let mut out = [0; 5];
        memory.read(4093, &mut out).unwrap();
        assert_eq!(out, [1, 2, 3, 4, 5]);
        assert_eq!(memory.read_word(4096).unwrap(), 0x0000_0504);
        memory.write_word(8188, 0x0403_0201).unwrap();
        memory.read(8187, &mut out).unwrap();
        assert_eq!(out, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn nothing_outside_is_touched() {
        let memory = Mapping::anonymous("test memory", 4096).unwrap();
        assert!(memory.read_word(4096).is_err());
        assert!(memory.read_word(2).is_err());
        assert!(memory.write_word(usize::MAX - 3, 0).is_err());
        assert!(memory.write(4095, &[0; 2]).is_err());
        let error = memory.read(usize::MAX, &mut [0; 2]).unwrap_err();
        assert!(error.to_string().contains("test memory"), "{error}");
    }
}
