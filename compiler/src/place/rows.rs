//! Sparse rows: the synapses of a spike, 32 at a time, each in the lane of its target neuron.
//!
//! Contract: the row of a source neuron is as many vectors as its fullest lane has synapses. The synapses of a lane stand in
//! the order in which they act, one to a vector, so that two onto the same target are added one after the other; weights of
//! 0 add nothing and are left out. A lane without a synapse holds padding that changes nothing. Rows follow each other without
//! gaps, so that a row ends where the next one starts. Rows of neighbouring sources may be made as long as the longest of them
//! ([`Shape::group`]).
//!
//! Not here: how rows are found and added ([`crate::lower`]).

use fenn_isa::memory::{LANES, VECTOR_BYTES};

use crate::network::{Synapse, Weights};

/// How the synapses of a vector of a sparse row are written down. Addresses are bytes of lane-local memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// All weights are equal: a vector of addresses; padding is negative.
    Constant(i16),
    /// A vector of addresses, then one of weights. Padding has weight 0 where addresses are masked, and is negative otherwise.
    Split,
    /// One vector, `weight << bits | address`; padding is 0.
    Packed {
        /// Bits of an address.
        bits: u8,
    },
}

impl RowFormat {
    /// Bytes for 32 synapses.
    pub fn unit_bytes(self) -> u32 {
        match self {
            Self::Constant(_) | Self::Packed { .. } => VECTOR_BYTES,
            Self::Split => 2 * VECTOR_BYTES,
        }
    }

    /// In words, for the report.
    pub fn name(self) -> String {
        match self {
            Self::Constant(code) => format!("sparse rows, addresses (all weights {code})"),
            Self::Split => "sparse rows, addresses and weights apart".to_owned(),
            Self::Packed { bits } => format!("sparse rows, {bits} bits of address below {} of weight", 16 - bits),
        }
    }
}

/// A projection whose synapses go into shared sparse rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) weights: &'a Weights,
    /// Delays in steps, where each adds two bytes to the address.
    pub(super) ring: Option<&'a [u16]>,
    /// Delays in steps, where each has rows of its own.
    pub(super) sorted: Option<&'a [u16]>,
    /// Neurons of the target.
    pub(super) size: u32,
    /// Address of the target's first block.
    pub(super) base: u32,
    /// From block to block.
    pub(super) block_bytes: u32,
}

/// What can be said of rows before they are written.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    /// Vectors of synapses in each row: all rows of the first delay, then those of the next.
    pub(super) lengths: Vec<u32>,
    /// The only weight there is.
    pub(super) constant: Option<i16>,
    /// Least and greatest weight.
    pub(super) range: (i16, i16),
    /// Bytes of lane-local memory from address 0 to the last that is used.
    pub(super) reach: u32,
    /// Where rows of neighbouring sources are equally long ([`Shape::group`]): of how many words of spikes.
    pub(super) grouped: Option<u32>,
}

/// Rows of `sources` neurons over the given delays, of which there is one without sorting.
pub(super) struct Rows<'a> {
    pub(super) members: Vec<Member<'a>>,
    pub(super) sources: u32,
    /// The distinct delays of rows that are sorted, longest first; otherwise one 0.
    pub(super) delays: Vec<u16>,
}

impl Rows<'_> {
    /// Calls `each` for the synapses of a source that add something, with the number of the delay, the lane and the address.
    fn synapses(&self, source: u32, mut each: impl FnMut(usize, usize, u32, i16)) {
        for member in &self.members {
            member.weights.row(source, member.size, |Synapse { target, weight, index }| {
                if weight == 0 {
                    return;
                }
                let delay = member.sorted.map_or(0, |delays| {
                    // Longest first.
                    self.delays.partition_point(|delay| *delay > delays[index])
                });
                let block = target / LANES as u32;
                let slot = member.ring.map_or(0, |delays| u32::from(delays[index]));
                let address = member.base + block * member.block_bytes + 2 * slot;
                each(delay, target as usize % LANES, address, weight);
            });
        }
    }

    pub(super) fn shape(&self) -> Shape {
        let delays = self.delays.len();
        let mut shape = Shape { lengths: vec![0; delays * self.sources as usize], ..Shape::default() };
        let mut counts = vec![[0u32; LANES]; delays];
        let (mut least, mut greatest) = (i16::MAX, i16::MIN);
        for source in 0..self.sources {
            counts.fill([0; LANES]);
            self.synapses(source, |delay, lane, address, weight| {
                counts[delay][lane] += 1;
                (least, greatest) = (least.min(weight), greatest.max(weight));
                shape.reach = shape.reach.max(address + 2);
            });
            for (delay, counts) in counts.iter().enumerate() {
                let length = counts.iter().copied().max().unwrap_or(0);
                shape.lengths[delay * self.sources as usize + source as usize] = length;
            }
        }
        if least > greatest {
            (least, greatest) = (0, 0);
        }
        shape.range = (least, greatest);
        shape.constant = (least == greatest).then_some(least);
        shape
    }

    /// Writes all rows into `bytes`, where the first one begins at `at`. Those whose addresses are masked (`ring`) are padded
    /// with weights of 0.
    pub(super) fn write(&self, shape: &Shape, format: RowFormat, bytes: &mut [u8]) {
        let unit = format.unit_bytes() as usize;
        let starts = starts(&shape.lengths, format.unit_bytes());
        let masked = self.members.iter().any(|member| member.ring.is_some());
        if !matches!(format, RowFormat::Packed { .. }) && !masked {
            for vector in bytes.chunks_exact_mut(unit) {
                vector[..VECTOR_BYTES as usize].fill(0xff);
            }
        }
        let mut counts = vec![[0usize; LANES]; self.delays.len()];
        for source in 0..self.sources {
            counts.fill([0; LANES]);
            self.synapses(source, |delay, lane, address, weight| {
                let row = starts[delay * self.sources as usize + source as usize] as usize;
                let at = row + counts[delay][lane] * unit + 2 * lane;
                counts[delay][lane] += 1;
                let mut put = |at: usize, code: i16| bytes[at..at + 2].copy_from_slice(&code.to_le_bytes());
                match format {
                    RowFormat::Constant(_) => put(at, address as i16),
                    RowFormat::Split => {
                        put(at, address as i16);
                        put(at + VECTOR_BYTES as usize, weight);
                    }
                    RowFormat::Packed { bits } => put(at, weight << bits | address as i16),
                }
            });
        }
    }
}

/// Where each row starts, and where the last one ends, in bytes from the first one.
pub(super) fn starts(lengths: &[u32], unit: u32) -> Vec<u32> {
    let mut at = 0;
    let ends = lengths.iter().map(|length| {
        at += length * unit;
        at
    });
    [0].into_iter().chain(ends).collect()
}

impl Shape {
    /// The narrowest packing, if the weights fit above `bytes` bytes of addresses.
    pub(super) fn packed(&self, bytes: u32) -> Option<RowFormat> {
        let bits = bytes.max(2).next_power_of_two().trailing_zeros();
        let (least, greatest) = self.range;
        let room = 15u32.checked_sub(bits)?;
        let fits = -(1i32 << room) <= i32::from(least) && i32::from(greatest) < 1 << room;
        fits.then_some(RowFormat::Packed { bits: bits as u8 })
    }

    /// Makes rows equally long within groups of sources, of `words` words of spikes each, so that a table need not say where each of
    /// them starts but where each group does. `sources` are the rows of each delay.
    pub(super) fn group(&mut self, sources: u32, words: u32) {
        for of_delay in self.lengths.chunks_mut(sources.max(1) as usize) {
            for group in of_delay.chunks_mut(LANES * words as usize) {
                let longest = group.iter().copied().max().unwrap_or(0);
                group.fill(longest);
            }
        }
        self.grouped = Some(words);
    }

    /// How rows are laid out, for the report.
    pub(super) fn layout(&self, format: RowFormat) -> String {
        let grouped = self.grouped.map(|words| format!("; {} neighbours' equally long", LANES as u32 * words));
        format!("{}{}", format.name(), grouped.unwrap_or_default())
    }

    /// Vectors of synapses in a row, on average.
    pub(super) fn mean(&self) -> f64 {
        self.units() as f64 / self.lengths.len().max(1) as f64
    }

    pub(super) fn units(&self) -> u64 {
        self.lengths.iter().map(|length| u64::from(*length)).sum()
    }
}
