//! The program image: what every tool exchanges.
//!
//! Contract: an [`Image`] is the initial contents of a machine's memories, the symbols that name places in them, the
//! machine it was made for, and (for a compiled network) the manifest. [`Image::check`] states what makes one
//! well-formed; [`elf`] writes and reads it as an ELF file, and what it reads has been checked.
//!
//! Invariant: segments are sorted by space and address and do not overlap, so an image has one byte sequence.
//!
//! Not here: machine state, and how text or a network becomes an image.

use std::sync::Arc;

use crate::memory::{ConfigError, MachineConfig, Space};

mod dwarf;
pub mod elf;
pub mod manifest;

use manifest::{Manifest, ManifestError};

/// The initial contents of a machine, with names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Image {
    /// The machine it was made for.
    pub config: MachineConfig,
    /// Where execution begins, in instruction memory.
    pub entry: u32,
    /// A word in scalar memory that the program sets to something other than zero when it is done, for programs that
    /// then spin rather than end with `ecall`.
    pub ready_flag: Option<u32>,
    /// The contents, sorted by space and address.
    pub segments: Vec<Segment>,
    /// Names of places, in any order.
    pub symbols: Vec<Symbol>,
    /// Where words of code came from, in the order of their addresses; each holds up to the next one, or to the end of
    /// its segment.
    pub lines: Vec<Line>,
    /// For compiled networks.
    pub manifest: Option<Manifest>,
}

/// The place in a source that a word of code came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Of the first word, in instruction memory; a multiple of 4.
    pub address: u32,
    /// The source's name; many lines share it.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// In bytes from 1; 0 where it is not known.
    pub column: u32,
}

/// Contents of a part of one memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Which memory.
    pub space: Space,
    /// In that space; a multiple of the space's alignment.
    pub address: u32,
    /// The first bytes.
    pub bytes: Vec<u8>,
    /// Bytes in all; those after `bytes` are zero.
    pub size: u32,
}

impl Segment {
    /// A segment given byte for byte.
    pub fn new(space: Space, address: u32, bytes: Vec<u8>) -> Self {
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { space, address, bytes, size }
    }

    /// A segment of zeros.
    pub fn zeros(space: Space, address: u32, size: u32) -> Self {
        Self { space, address, bytes: Vec::new(), size }
    }

    fn end(&self) -> u64 {
        u64::from(self.address) + u64::from(self.size)
    }
}

/// What a symbol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    /// Code that is called or started.
    Function,
    /// Data.
    Object,
    /// Any other place, such as a loop's head.
    Label,
}

/// A name of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// As in the source.
    pub name: String,
    /// Which memory.
    pub space: Space,
    /// In that space.
    pub address: u32,
    /// Bytes, or 0 where that means nothing.
    pub size: u32,
    /// What it names.
    pub kind: SymbolKind,
    /// Whether other files may mean it.
    pub global: bool,
}

/// What is wrong with an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The machine cannot exist.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A segment lies (partly) outside its memory.
    #[error("contents at {address:#x}..{end:#x} do not fit into {space}, which has {bytes} bytes")]
    Outside {
        /// Which memory.
        space: Space,
        /// First byte.
        address: u32,
        /// Behind the last byte.
        end: u64,
        /// The memory's size.
        bytes: u32,
    },
    /// Two segments share a byte.
    #[error("contents overlap at {address:#x} of {space}")]
    Overlap {
        /// Which memory.
        space: Space,
        /// The second segment's first byte.
        address: u32,
    },
    /// A segment does not begin at a multiple of its memory's unit, or has more bytes than its size.
    #[error("contents at {address:#x} of {space} are not aligned to {alignment} bytes")]
    Misaligned {
        /// Which memory.
        space: Space,
        /// First byte.
        address: u32,
        /// The unit.
        alignment: u32,
    },
    /// Execution cannot begin there.
    #[error("the entry point {0:#x} is not in instruction memory")]
    Entry(u32),
    /// The ready flag is no word of scalar memory.
    #[error("the ready flag {0:#x} is not a word in scalar memory")]
    ReadyFlag(u32),
    /// A line of source for a place without code, or out of order.
    #[error("the line of source for address {0:#x} is out of order, has no number, or is for no word of code")]
    Line(u32),
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl Image {
    /// Brings the segments into order.
    pub fn sort(&mut self) {
        self.segments.sort_by_key(|segment| (segment.space, segment.address));
    }

    /// Proves that the image is well-formed: see the module's contract.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ImageError> {
        self.config.check()?;
        let mut before: Option<&Segment> = None;
        for segment in &self.segments {
            let Segment { space, address, ref bytes, size } = *segment;
            let alignment = space.spec().alignment;
            if !address.is_multiple_of(alignment) || bytes.len() > size as usize {
                return Err(ImageError::Misaligned { space, address, alignment });
            }
            let memory = self.config.bytes(space);
            if segment.end() > u64::from(memory) {
                return Err(ImageError::Outside { space, address, end: segment.end(), bytes: memory });
            }
            if before.is_some_and(|b| (b.space, b.end()) > (space, u64::from(address))) {
                return Err(ImageError::Overlap { space, address });
            }
            before = Some(segment);
        }
        if self.entry >= self.config.instruction_bytes || !self.entry.is_multiple_of(4) {
            return Err(ImageError::Entry(self.entry));
        }
        if let Some(flag) = self.ready_flag
            && (!flag.is_multiple_of(4) || flag >= self.config.scalar_bytes)
        {
            return Err(ImageError::ReadyFlag(flag));
        }
        self.check_lines()?;
        if let Some(manifest) = &self.manifest {
            manifest.check(&self.config)?;
        }
        Ok(())
    }

    fn check_lines(&self) -> Result<(), ImageError> {
        let mut before = None;
        for Line { address, line, .. } in &self.lines {
            let address = *address;
            if !address.is_multiple_of(4) || *line == 0 || before >= Some(address) || !self.has_code(address) {
                return Err(ImageError::Line(address));
            }
            before = Some(address);
        }
        Ok(())
    }

    /// Whether instruction memory has contents at `address`. The segments must be in order.
    pub fn has_code(&self, address: u32) -> bool {
        let key = (Space::Instruction, address);
        let behind = self.segments.partition_point(|segment| (segment.space, segment.address) <= key);
        let segment = behind.checked_sub(1).and_then(|index| self.segments.get(index));
        segment.is_some_and(|segment| segment.space == Space::Instruction && u64::from(address) < segment.end())
    }

    /// Where the word at `address` of instruction memory came from.
    pub fn line_of(&self, address: u32) -> Option<&Line> {
        let behind = self.lines.partition_point(|line| line.address <= address);
        self.lines.get(behind.checked_sub(1)?).filter(|_| self.has_code(address))
    }

    /// The symbol of that name.
    pub fn symbol(&self, name: &str) -> Option<&Symbol> {
        self.symbols.iter().find(|symbol| symbol.name == name)
    }
}
