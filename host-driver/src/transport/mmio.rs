//! Memory of a device in this program's address space.
//!
//! Contract: words of 32 bits, each read or written once and whole, in program order; an offset that is no word's inside the
//! mapping is `None`. This is the crate's one file with `unsafe`.
//!
//! Not here: what is mapped, and what it means.

#![allow(unsafe_code, reason = "a device's memory changes by itself, which only volatile accesses may look at")]

use std::fs::File;
use std::io;

use memmap2::{MmapOptions, MmapRaw};

/// A mapped stretch of a device, shared with it.
#[derive(Debug)]
pub(super) struct Mapping {
    map: MmapRaw,
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
        Ok(Self { map: MmapOptions::new().offset(offset).len(bytes).map_raw(file)? })
    }

    /// How many bytes.
    pub(super) fn bytes(&self) -> usize {
        self.map.len()
    }

    /// The word at byte `offset`.
    pub(super) fn read(&self, offset: usize) -> Option<u32> {
        let word = self.word(offset)?;
        // SAFETY: `word` is aligned and lies inside a mapping that lives as long as `self`; memory that a device changes may be
        // read by a volatile access.
        Some(u32::from_le(unsafe { word.read_volatile() }))
    }

    /// Writes the word at byte `offset`.
    pub(super) fn write(&mut self, offset: usize, value: u32) -> Option<()> {
        let word = self.word(offset)?;
        // SAFETY: `word` is aligned and lies inside a mapping that is writable and lives as long as `self`, of which no Rust
        // reference is ever made; `&mut self` keeps other threads of this program away.
        unsafe { word.write_volatile(value.to_le()) };
        Some(())
    }

    /// Where the word at byte `offset` is, if there is one.
    fn word(&self, offset: usize) -> Option<*mut u32> {
        let inside = offset.is_multiple_of(4) && offset.checked_add(4)? <= self.map.len();
        // A mapping begins at a page, so a multiple of 4 in it is one in memory.
        inside.then(|| self.map.as_mut_ptr().wrapping_add(offset).cast())
    }
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
}
