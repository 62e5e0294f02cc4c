//! A program's memories in the forms that other tools read.
//!
//! Contract: every form is written from [`Contents`], one memory's bytes in runs, so all of them say the same, and the
//! same program gives the same bytes. Memories start as zeros (the loader of an ELF file and the configuration of an
//! FPGA both see to that): segments of zeros are not written where a form has addresses.
//!
//! Forms that have no addresses, or count them in words, hold one memory; Intel HEX holds several, at their load
//! addresses.
//!
//! Not here: ELF, which is [`Image::to_elf`]; files, which belong to the binary.

use fenn_isa::image::Image;
use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};

mod binary;
mod coe;
mod ihex;
mod map;
mod readmemh;

pub use binary::binary;
pub use coe::coe;
pub use ihex::intel_hex;
pub use map::map;
pub use readmemh::readmemh;

/// A part of a memory that is not all zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    address: u32,
    bytes: Vec<u8>,
}

/// What one memory holds, for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Which memory.
    space: Space,
    /// In the order of their addresses, neither touching nor overlapping.
    runs: Vec<Run>,
    /// Behind the last byte, zeros included.
    end: u32,
    /// Bytes of a word, a power of two.
    word: u32,
}

/// Why contents cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// A word that no memory has.
    #[error("a word of {0} bits: it must be a power of two from 8 to 512")]
    Width(u32),
    /// No such lane.
    #[error("there is no lane {0}: lanes are 0 to {last}", last = LANES - 1)]
    Lane(usize),
    /// One lane of a memory that the lanes share.
    #[error("a lane has a part of its own in lane-local memory only, not in {0}")]
    LaneOf(Space),
}

impl Contents {
    /// What `image` has in a memory.
    pub fn new(image: &Image, space: Space) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut end = 0;
        for segment in image.segments.iter().filter(|segment| segment.space == space) {
            end = segment.address + segment.size;
            if segment.bytes.iter().all(|byte| *byte == 0) {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.address + run.bytes.len() as u32 == segment.address => {
                    run.bytes.extend(&segment.bytes)
                }
                _ => runs.push(Run { address: segment.address, bytes: segment.bytes.clone() }),
            }
        }
        let word = match space {
            Space::Instruction | Space::Scalar => 4,
            Space::Vector | Space::LaneLocal | Space::Dram => VECTOR_BYTES,
        };
        Self { space, runs, end, word }
    }

    /// With words of `bits` bits instead of the memory's own (32 for code and scalar data, 512 for the others).
    ///
    /// # Errors
    /// Where `bits` is not a power of two from 8 to 512.
    pub fn with_width(self, bits: u32) -> Result<Self, OutputError> {
        if !bits.is_power_of_two() || !(8..=8 * VECTOR_BYTES).contains(&bits) {
            return Err(OutputError::Width(bits));
        }
        Ok(Self { word: bits / 8, ..self })
    }

    /// One lane's part of lane-local memory, in words of 16 bits.
    ///
    /// # Errors
    /// Where there is no such lane, or this is another memory.
    pub fn of_lane(self, lane: usize) -> Result<Self, OutputError> {
        if self.space != Space::LaneLocal {
            return Err(OutputError::LaneOf(self.space));
        }
        if lane >= LANES {
            return Err(OutputError::Lane(lane));
        }
        let mut bytes = Vec::new();
        let rows = self.end.div_ceil(VECTOR_BYTES);
        let all = self.bytes();
        for row in 0..rows {
            let at = (row * VECTOR_BYTES) as usize + 2 * lane;
            bytes.extend((at..at + 2).map(|at| all.get(at).copied().unwrap_or(0)));
        }
        let runs = if bytes.iter().all(|byte| *byte == 0) { Vec::new() } else { vec![Run { address: 0, bytes }] };
        Ok(Self { runs, end: 2 * rows, word: 2, ..self })
    }

    /// Whether there is nothing, not even zeros.
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// The bytes from address 0 to the end, gaps filled with zeros.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.end as usize);
        for run in &self.runs {
            bytes.resize(run.address as usize, 0);
            bytes.extend(&run.bytes);
        }
        bytes.resize(self.end as usize, 0);
        bytes
    }

    /// A word as hexadecimal digits, its highest byte first, as it is read from memory that has the lowest first.
    fn digits(&self, word: &[u8]) -> String {
        let missing = (self.word as usize).saturating_sub(word.len());
        let mut digits = "00".repeat(missing);
        digits.extend(word.iter().rev().map(|byte| format!("{byte:02x}")));
        digits
    }
}
