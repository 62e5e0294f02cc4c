//! Addresses: which bytes of which memory an array has, and what they hold when a machine is loaded.
//!
//! Contract: arrays never overlap, each begins at a multiple of its memory's unit of access, and in every memory they fill the
//! bytes from 0 on. Addresses are given out beyond a memory's end too, so that [`Allocator::check`] can say what all arrays
//! together need.
//!
//! Lane-local memory is given out by rows: a row is the halfwords that the 32 lanes hold at one address. Row `r` is at byte
//! `2·r` of each lane, and in the memory map at byte `64·r`.
//!
//! Not here: which memory an array is to live in.

use fenn_isa::fixed::Format;
use fenn_isa::image::Segment;
use fenn_isa::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};
use serde::Serialize;

use super::Vectors;
use crate::network::Values;

/// One array, for the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Array {
    /// What it holds.
    pub name: String,
    /// Which memory, in words.
    #[serde(serialize_with = "space_name")]
    pub space: Space,
    /// Its first byte; of lane-local memory, in the order of the memory map, all lanes together.
    pub address: u32,
    /// Its size.
    pub bytes: u64,
    /// How its numbers are read, if it holds numbers.
    pub format: Option<Format>,
    /// How it is laid out, where there was a choice.
    pub layout: Option<String>,
}

pub(super) fn space_name<S: serde::Serializer>(space: &Space, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(space)
}

/// The network does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the network needs {needed} bytes of {space}, which has {available}; largest: {}. {}",
    largest.iter().map(|array| format!("{} ({} bytes)", array.name, array.bytes)).collect::<Vec<_>>().join(", "),
    advice(*space)
)]
pub struct DoesNotFit {
    /// Which memory.
    pub space: Space,
    /// What all arrays together take.
    pub needed: u64,
    /// What there is.
    pub available: u64,
    /// The largest three, largest first.
    pub largest: Vec<Array>,
}

/// What to change when a memory is too small.
fn advice(space: Space) -> &'static str {
    match space {
        Space::Instruction => "Split neuron programs, or use a machine with more (--instructions)",
        Space::Scalar => {
            "Shorten the run, record fewer spikes (--window), take fewer samples per launch (--batch), or use a machine \
             with more (--scalar-kib)"
        }
        Space::Vector => {
            "Let weights go to DRAM (--weights auto), shorten the run, record less (--window), take fewer samples per \
             launch (--batch), or use a machine with more memory \
             (--vector-kib, --scalar-kib)"
        }
        Space::LaneLocal => {
            "Shorten delays, store projections as dense rows (--rows dense), or use a machine with more (--lane-kib)"
        }
        Space::Dram => "Use fewer synapses, or a machine with more (--dram-mib)",
    }
}

/// Gives out addresses, one after the other.
#[derive(Default)]
pub(super) struct Allocator {
    pub(super) arrays: Vec<Array>,
    /// First free byte, by [`Space`].
    next: [u64; 5],
}

impl Allocator {
    /// `bytes` of `space`.
    pub(super) fn take(&mut self, name: String, space: Space, bytes: u64, format: Option<Format>) -> u32 {
        let next = &mut self.next[space as usize];
        let address = u32::try_from(*next).unwrap_or(u32::MAX);
        self.arrays.push(Array { name, space, address, bytes, format, layout: None });
        let unit = if space == Space::LaneLocal { VECTOR_BYTES } else { space.spec().alignment };
        *next += bytes.next_multiple_of(u64::from(unit));
        address
    }

    /// Lets what is taken next begin at a multiple of `unit`.
    pub(super) fn align(&mut self, space: Space, unit: u32) {
        let next = &mut self.next[space as usize];
        *next = next.next_multiple_of(u64::from(unit));
    }

    /// As [`Allocator::take`], of an array whose layout was chosen.
    pub(super) fn take_laid_out(
        &mut self,
        name: String,
        space: Space,
        bytes: u64,
        format: Option<Format>,
        layout: String,
    ) -> u32 {
        let address = self.take(name, space, bytes, format);
        if let Some(array) = self.arrays.last_mut() {
            array.layout = Some(layout);
        }
        address
    }

    /// The first of `rows` rows of lane-local memory.
    pub(super) fn take_rows(&mut self, name: String, rows: u32, format: Option<Format>) -> u32 {
        let bytes = u64::from(rows) * u64::from(VECTOR_BYTES);
        self.take(name, Space::LaneLocal, bytes, format) / VECTOR_BYTES
    }

    /// Bytes given out so far.
    pub(super) fn used(&self, space: Space) -> u64 {
        self.next[space as usize]
    }

    /// Whether everything is inside the machine.
    pub(super) fn check(&self, config: &MachineConfig) -> Result<(), DoesNotFit> {
        for space in Space::ALL {
            let (needed, available) = (self.used(space), u64::from(config.bytes(space)));
            if needed > available {
                let mut largest: Vec<_> = self.arrays.iter().filter(|array| array.space == space).cloned().collect();
                largest.sort_by_key(|array| std::cmp::Reverse(array.bytes));
                largest.truncate(3);
                return Err(DoesNotFit { space, needed, available, largest });
            }
        }
        Ok(())
    }
}

/// The contents of one memory while they are put together.
pub(super) struct Bytes {
    space: Space,
    pub(super) bytes: Vec<u8>,
}

impl Bytes {
    pub(super) fn new(space: Space, size: u64) -> Self {
        Self { space, bytes: vec![0; size as usize] }
    }

    pub(super) fn put_codes(&mut self, at: usize, codes: &[i16]) {
        let bytes = self.bytes[at..].chunks_exact_mut(2);
        bytes.zip(codes).for_each(|(bytes, code)| bytes.copy_from_slice(&code.to_le_bytes()));
    }

    pub(super) fn put_words(&mut self, at: usize, words: impl IntoIterator<Item = u32>) {
        let bytes = self.bytes[at..].chunks_exact_mut(4);
        bytes.zip(words).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
    }

    /// Uniform values fill the padding too, as the code that resets them does.
    pub(super) fn put(&mut self, values: &Values, vectors: Vectors, size: u32) {
        for block in 0..size.div_ceil(LANES as u32) {
            let first = block * LANES as u32;
            let codes: Vec<i16> = match values {
                Values::Uniform(code) => vec![*code; LANES],
                Values::PerNeuron(codes) => codes.iter().skip(first as usize).take(LANES).copied().collect(),
            };
            self.put_codes((vectors.address + block * vectors.stride) as usize, &codes);
        }
    }

    /// Trailing zeros are not stored.
    pub(super) fn into_segment(mut self) -> Option<Segment> {
        let size = u32::try_from(self.bytes.len()).ok().filter(|size| *size > 0)?;
        let used = self.bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let unit = self.space.spec().alignment as usize;
        self.bytes.truncate(used.next_multiple_of(unit).min(size as usize));
        Some(Segment { space: self.space, address: 0, bytes: self.bytes, size })
    }
}
