//! Memory of a device in this program's address space, and memory of this program's that a device reaches.
//!
//! Contract: a [`Mapping`] is a stretch of bytes that somebody else may read and write at any moment. Words of 32 bits are read
//! or written once and whole, in program order, and bytes by volatile copies, so that no reference to them is ever made; what
//! is not all inside the mapping, or no word's place, is `None`.
//!
//! `vm-memory` does the mapping and the accesses. What it cannot do safely, letting a device reach a stretch through an
//! IOMMU, is [`give_to_device`]: for it, this is the crate's one file with `unsafe`.
//!
//! Not here: what is mapped, and what it means.

#![allow(unsafe_code, reason = "a device is let at memory, whose bytes then change by themselves")]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use vm_memory::mmap::MmapRegion;
use vm_memory::{FileOffset, VolatileMemory, VolatileSlice};

/// A mapped stretch of a device, a file, or memory of our own.
#[derive(Debug)]
pub(super) struct Mapping {
    region: MmapRegion,
}

impl Mapping {
    /// Maps `bytes` bytes of a file or device from `offset` on.
    ///
    /// # Errors
    /// The system's; a regular file that is too short, for touching what it does not have would end the program.
    pub(super) fn new(file: &File, offset: u64, bytes: usize) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.is_file() && metadata.len() < offset.saturating_add(bytes as u64) {
            let text = format!("it has {} bytes, and {bytes} from byte {offset} on are wanted", metadata.len());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        let from = FileOffset::new(file.try_clone()?, offset);
        Ok(Self { region: MmapRegion::from_file(from, bytes).map_err(io::Error::other)? })
    }

    /// Maps `bytes` bytes of memory of our own, zero at first.
    ///
    /// # Errors
    /// The system's.
    #[cfg(target_os = "linux")]
    pub(super) fn anonymous(bytes: usize) -> io::Result<Self> {
        Ok(Self { region: MmapRegion::new(bytes).map_err(io::Error::other)? })
    }

    /// How many bytes.
    pub(super) fn bytes(&self) -> usize {
        self.region.size()
    }

    /// The word at byte `offset`.
    pub(super) fn read(&self, offset: usize) -> Option<u32> {
        let slice = self.region.as_volatile_slice();
        Some(u32::from_le(slice.get_atomic_ref::<AtomicU32>(offset).ok()?.load(Ordering::Acquire)))
    }

    /// Writes the word at byte `offset`.
    pub(super) fn write(&mut self, offset: usize, value: u32) -> Option<()> {
        let slice = self.region.as_volatile_slice();
        slice.get_atomic_ref::<AtomicU32>(offset).ok()?.store(value.to_le(), Ordering::Release);
        Some(())
    }

    /// Copies the bytes from byte `offset` on, before anything that is read or written after it.
    pub(super) fn read_bytes(&self, offset: usize, out: &mut [u8]) -> Option<()> {
        self.part(offset, out.len())?.copy_to(out);
        fence(Ordering::Acquire);
        Some(())
    }

    /// Copies `bytes` to byte `offset` and on, after everything that was read or written before it.
    pub(super) fn write_bytes(&mut self, offset: usize, bytes: &[u8]) -> Option<()> {
        fence(Ordering::Release);
        self.part(offset, bytes.len())?.copy_from(bytes);
        Some(())
    }

    fn part(&self, offset: usize, bytes: usize) -> Option<VolatileSlice<'_>> {
        self.region.get_slice(offset, bytes).ok()
    }
}

/// Lets the devices of `container` read and write `memory` at the addresses from `address` on.
///
/// It stays so until the container is closed: the caller keeps the two together and drops `memory` last.
///
/// # Errors
/// Where the IOMMU does not take it.
#[cfg(target_os = "linux")]
pub(super) fn give_to_device(
    container: &vfio_ioctls::VfioContainer,
    memory: &Mapping,
    address: u64,
) -> Result<(), vfio_ioctls::VfioError> {
    // SAFETY: the range is a live mapping of `memory.bytes()` bytes, and a `Mapping` makes no reference to its bytes: all
    // accesses are volatile or atomic through raw pointers, so the device may write them at any time.
    unsafe { container.vfio_dma_map(address, memory.bytes(), memory.region.as_ptr()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Seek as _};

    #[test]
    fn words_are_the_file_s() {
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        let mut map = Mapping::new(&file, 4096, 4096).unwrap();
        assert_eq!(map.bytes(), 4096);
        map.write(4092, 0x0403_0201).unwrap();
        assert_eq!(map.read(4092), Some(0x0403_0201));
        for offset in [1, 2, 4093, 4096, usize::MAX & !3] {
            assert_eq!(map.read(offset), None);
            assert_eq!(map.write(offset, 1), None);
        }
        let mut bytes = [0; 4];
        file.seek(io::SeekFrom::Start(8188)).unwrap();
        file.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, [1, 2, 3, 4]);
        assert!(Mapping::new(&file, 4096, 4097).is_err());
    }

    #[test]
    fn bytes_come_back_and_none_outside_is_touched() {
        let mut memory = Mapping::anonymous(8192).unwrap();
        memory.write_bytes(4093, &[1, 2, 3, 4, 5]).unwrap();
        let mut out = [0; 5];
        memory.read_bytes(4093, &mut out).unwrap();
        assert_eq!(out, [1, 2, 3, 4, 5]);
        assert_eq!(memory.read(4096), Some(0x0000_0504));
        assert_eq!(memory.write_bytes(8191, &[0; 2]), None);
        assert_eq!(memory.read_bytes(usize::MAX, &mut out), None);
        assert_eq!(memory.read_bytes(8192, &mut []), Some(()));
    }
}
