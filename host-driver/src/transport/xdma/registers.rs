//! The registers behind `xdmaN_user`.
//!
//! Contract: words at multiples of 4 below the bytes stated when opened; anything else is `None` and touches nothing, for the
//! driver's own calls check no bounds. Mapped where the device can be mapped, as Xilinx' driver can; where it cannot, as
//! with an emulation of its devices in user space, by calls of exactly four bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt};

use super::super::mmio::Mapping;

/// How the registers are reached.
#[derive(Debug)]
pub(super) enum Registers {
    /// As memory.
    Mapped(Mapping),
    /// By calls.
    Called {
        /// The device.
        file: File,
        /// Bytes of the registers.
        bytes: usize,
    },
}

impl Registers {
    /// The registers of an open `xdmaN_user`, `bytes` bytes of them.
    ///
    /// # Errors
    /// The system's, for a device that can neither be mapped nor read.
    pub(super) fn open(file: &File, bytes: usize) -> io::Result<Self> {
        let refused = match Mapping::new(file, 0, bytes) {
            Ok(mapping) => return Ok(Self::Mapped(mapping)),
            Err(error) => error,
        };
        if !file.metadata()?.file_type().is_char_device() {
            return Err(refused);
        }
        let called = Self::Called { file: file.try_clone()?, bytes };
        // Where calls do not work either, it is the mapping that should have.
        called.read(0).map_err(|_| refused)?;
        Ok(called)
    }

    /// The word at byte `offset`; `None` where none can be.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn read(&self, offset: usize) -> io::Result<Option<u32>> {
        match self {
            Self::Mapped(mapping) => Ok(mapping.read(offset)),
            Self::Called { bytes, .. } if !holds(*bytes, offset) => Ok(None),
            Self::Called { file, .. } => {
                let mut word = [0; 4];
                whole(file.read_at(&mut word, offset as u64)?)?;
                Ok(Some(u32::from_le_bytes(word)))
            }
        }
    }

    /// Writes the word at byte `offset`; `None` where none can be.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn write(&mut self, offset: usize, value: u32) -> io::Result<Option<()>> {
        match self {
            Self::Mapped(mapping) => Ok(mapping.write(offset, value)),
            Self::Called { bytes, .. } if !holds(*bytes, offset) => Ok(None),
            Self::Called { file, .. } => {
                whole(file.write_at(&value.to_le_bytes(), offset as u64)?)?;
                Ok(Some(()))
            }
        }
    }
}

fn holds(bytes: usize, offset: usize) -> bool {
    offset.is_multiple_of(4) && offset < bytes
}

fn whole(moved: usize) -> io::Result<()> {
    if moved == 4 { Ok(()) } else { Err(io::Error::other(format!("{moved} bytes of a word were moved"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_of_words_inside() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(64).unwrap();
        let mut registers = Registers::Called { file: file.try_clone().unwrap(), bytes: 32 };
        assert_eq!(registers.write(28, 0x0403_0201).unwrap(), Some(()));
        assert_eq!(registers.read(28).unwrap(), Some(0x0403_0201));
        let mut bytes = [0; 64];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes[28..32], [1, 2, 3, 4]);
        for offset in [1, 2, 30, 32, 36, usize::MAX - 3] {
            assert_eq!(registers.read(offset).unwrap(), None, "{offset}");
            assert_eq!(registers.write(offset, u32::MAX).unwrap(), None, "{offset}");
        }
        let mut after = [0; 64];
        file.read_exact_at(&mut after, 0).unwrap();
        assert_eq!(after, bytes, "nothing else is written");
    }

    #[test]
    fn a_word_in_part_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(6).unwrap();
        let registers = Registers::Called { file, bytes: 32 };
        assert!(registers.read(4).unwrap_err().to_string().contains("2 bytes"));
    }

    #[test]
    fn only_devices_are_called() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("short");
        std::fs::write(&path, [0; 16]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        assert!(Registers::open(&file, 4096).is_err());
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        assert!(Registers::open(&null, 4096).is_err(), "it has no words");
    }
}
