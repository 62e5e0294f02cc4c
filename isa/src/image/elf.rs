//! An image as an ELF file.
//!
//! Contract: the file is ELF32, little-endian, RISC-V, executable. Every segment of the image is one section and one
//! `PT_LOAD` at its load address (see [`crate::memory`]; virtual and physical address are the same), the entry point
//! is a load address too, and so are the symbols' values. `PT_NOTE` has notes of the owner `FeNN`:
//!
//! | type | contents |
//! | --- | --- |
//! | 1 | the machine, eight little-endian words: [`NOTE_VERSION`]; bytes of instruction, scalar, vector, lane-local (one lane) and DRAM memory; 1 if there is a ready flag, else 0; its address in scalar memory, else 0 |
//! | 2 | the manifest as JSON; absent where the image has none |
//!
//! Lines of source are DWARF (`.debug_line` with `.debug_info`, `.debug_abbrev` and `.debug_str`), absent where the
//! image has none.
//!
//! `.riscv.attributes` names the extensions, so that GNU tools disassemble the scalar instructions.
//!
//! A file without these notes is read too, as made for [`MachineConfig::default`](crate::memory::MachineConfig): that
//! is how programs linked by other tools come in. Their `PT_LOAD`s are placed by physical address.
//!
//! Invariant: what [`Image::from_elf`] returns has passed [`Image::check`], and nothing was allocated that the file's
//! own length or the machine's memories do not bound.
//!
//! Not here: linking (relocatable files are refused), and the making of DWARF ([`super`]'s module `dwarf`).

use std::path::{Path, PathBuf};

use super::{Image, ImageError};
use crate::file::write_whole;
use crate::memory::Space;

mod read;
mod write;

/// The version of the machine note that this crate writes and reads.
pub const NOTE_VERSION: u32 = 1;

const NOTE_OWNER: &str = "FeNN";
const NOTE_MACHINE: u32 = 1;
const NOTE_MANIFEST: u32 = 2;
/// Words of the machine note.
const NOTE_WORDS: usize = 8;
/// The longest name of a symbol, in bytes: many symbols may share one stored name, so this bounds what reading allocates.
pub(super) const LONGEST_NAME: usize = 4096;
/// `e_machine` of RISC-V, from the ELF supplement of the RISC-V ABI.
const EM_RISCV: u16 = 243;

/// Why bytes are no program image, or an image cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// The first bytes are not those of an ELF file.
    #[error("this is not an ELF file; a FeNN program is made by fenn-as or fenn-cc")]
    NotElf,
    /// The file ends too early.
    #[error("the file is truncated: {what} needs {needed} bytes and the file has {length}")]
    Truncated {
        /// What does not fit.
        what: &'static str,
        /// Where it would end.
        needed: u64,
        /// The file's length.
        length: usize,
    },
    /// Made for another processor.
    #[error("this ELF file is for {0}, not for RISC-V")]
    Machine(String),
    /// Of another width.
    #[error("this ELF file is 64-bit; FeNN programs are 32-bit (assemble with -march=rv32im)")]
    Class,
    /// Of the other byte order.
    #[error("this ELF file is big-endian; FeNN is little-endian")]
    Endianness,
    /// Not an executable.
    #[error("this ELF file is {0}, not an executable; link it first")]
    Type(&'static str),
    /// A table contradicts itself.
    #[error("the ELF file is malformed: {0}")]
    Malformed(String),
    /// Contents for an address that is no memory.
    #[error("contents at load address {0:#x} belong to no memory; link code at {code:#x} and scalar data at {data:#x}",
        code = Space::Instruction.spec().base, data = Space::Scalar.spec().base)]
    NoMemory(u32),
    /// The entry point is no instruction address.
    #[error("the entry point, load address {0:#x}, is not in instruction memory")]
    Entry(u32),
    /// A note of ours that cannot be read.
    #[error("the {note} note cannot be read: {what}")]
    Note {
        /// Which.
        note: &'static str,
        /// Why.
        what: String,
    },
    /// Debug information that cannot be read, or made.
    #[error("the debug information is malformed: {0}; `objcopy --strip-debug` removes it")]
    Debug(String),
    /// A source file's name cannot be stored.
    #[error("a source file's name is empty, longer than {LONGEST_NAME} bytes, or holds a zero byte: {0:.100?}")]
    FileName(String),
    /// The contents are wrong.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A symbol's name cannot be stored.
    #[error("a symbol's name is empty, longer than {LONGEST_NAME} bytes, or holds a zero byte: {0:.100?}")]
    SymbolName(String),
    /// A symbol lies outside the window of its memory.
    #[error("the symbol `{0}` lies outside its memory")]
    SymbolAddress(String),
    /// The file cannot be that long, or have that many sections.
    #[error("the image does not fit into an ELF32 file: {0}")]
    TooLarge(&'static str),
}

/// Why a program file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system could not read it.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The system could not write it.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Its contents are wrong, or the image's.
    #[error("{}: {source}", path.display())]
    Elf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ElfError,
    },
}

impl Image {
    /// The image as an ELF file.
    ///
    /// Segments of no bytes are left out, and trailing zeros of all-zero segments are not stored.
    ///
    /// # Errors
    /// Where the image is not well-formed, a symbol cannot be stored, or an ELF32 file is too small for it.
    pub fn to_elf(&self) -> Result<Vec<u8>, ElfError> {
        self.check()?;
        write::write(self)
    }

    /// The image in an ELF file.
    ///
    /// # Errors
    /// The first thing that keeps the file from being a program for this machine.
    pub fn from_elf(bytes: &[u8]) -> Result<Self, ElfError> {
        read::read(bytes)
    }

    /// Reads a program file.
    ///
    /// # Errors
    /// Where the system or [`Image::from_elf`] refuses.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
        Self::from_elf(&bytes).map_err(|source| FileError::Elf { path: path.to_owned(), source })
    }

    /// Writes a program file: beside it first, then renamed, so that there is never half a file of that name.
    ///
    /// # Errors
    /// Where [`Image::to_elf`] or the system refuses.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        let bytes = self.to_elf().map_err(|source| FileError::Elf { path: path.to_owned(), source })?;
        write_whole(path, &bytes).map_err(|source| FileError::Write { path: path.to_owned(), source })
    }
}
