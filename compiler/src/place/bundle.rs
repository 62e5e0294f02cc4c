//! Bundles: what one loop over a source's spikes adds, and where the rows are.
//!
//! Not here: how rows came to be laid out as they are ([`super::draft`], [`super::choose`]), and what they hold
//! ([`super::rows`]).

use fenn_isa::memory::{Space, VECTOR_BYTES};

use super::Vectors;
use super::plan::When;
use super::rows::RowFormat;
use crate::network::Source;

/// Projections that one scan of their source's spikes propagates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Indices of the projections.
    pub projections: Vec<usize>,
    /// Whose spikes.
    pub source: Source,
    /// Of which update.
    pub when: When,
    /// How many updates or steps before that.
    pub ago: u32,
    /// What each spike does. Rows in DRAM are the only part of their bundle.
    pub parts: Vec<Part>,
}

/// A part of what a spike does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Adds a dense row.
    Dense(Dense),
    /// Adds a sparse row.
    Sparse(SparseRows),
    /// Adds a row of weights with delays to a ring.
    Delayed(Delayed),
    /// Adds a row that is shared with other neurons, from a block of its own on.
    Shared(SharedRows),
    /// Adds a weight to the neuron of its own number.
    OneToOne(OneToOne),
}

/// One dense row for each source neuron, for all targets one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dense {
    /// What is added to.
    pub targets: Vec<DenseTarget>,
    /// The memory of the rows.
    pub space: Space,
    /// The first row.
    pub address: u32,
    /// From row to row.
    pub row_bytes: u32,
}

/// A variable that dense rows are added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenseTarget {
    /// The population.
    pub population: usize,
    /// Its variable.
    pub variable: usize,
    /// Vectors of the row that are its.
    pub blocks: u32,
    /// Whether sums saturate.
    pub saturating: bool,
}

/// One row for each source neuron with a number for each target: `weight << bits | 2·delay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delayed {
    /// The ring whose sums are added to ([`super::Placement::rings`]).
    pub ring: usize,
    /// Vectors of a row.
    pub blocks: u32,
    /// Bits of a delay.
    pub bits: u8,
    /// Whether sums saturate.
    pub saturating: bool,
    /// The memory of the rows.
    pub space: Space,
    /// The first row.
    pub address: u32,
}

impl Delayed {
    /// From row to row.
    pub fn row_bytes(&self) -> u32 {
        self.blocks * VECTOR_BYTES
    }
}

/// Rows that source neurons share: a vector of weights for each of some blocks, which are as far apart in every row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedRows {
    /// Distances of the blocks in lane-local memory from the first one, in bytes; rising from 0.
    pub distances: Vec<u32>,
    /// In scalar memory, two words for each source neuron: the address of its row, and of its first block in lane-local memory.
    pub table: u32,
    /// Whether sums saturate.
    pub saturating: bool,
    /// The memory of the rows.
    pub space: Space,
    /// The first row.
    pub address: u32,
}

impl SharedRows {
    /// Bytes of an entry of the table.
    pub const ENTRY: u32 = 8;

    /// Bytes of a row.
    pub fn row_bytes(&self) -> u32 {
        self.distances.len() as u32 * VECTOR_BYTES
    }
}

/// Sparse rows, in the order of their source neurons; where they are sorted by delay, once for each delay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparseRows {
    /// How synapses are written down.
    pub format: RowFormat,
    /// The memory of the rows.
    pub space: Space,
    /// The first row.
    pub address: u32,
    /// In scalar memory: a word with the address of each row, and of the end of the last one; then, where they are sorted, two
    /// for each delay: how many bytes before the latest the slot of its spikes is, and that of their marks. Where rows are
    /// grouped, it has a word for each group of each delay instead of each row: the address of the group's first row, a multiple
    /// of 64, plus the vectors of each of its rows.
    pub table: u32,
    /// How many projections share the rows.
    pub members: usize,
    /// Vectors of synapses in each row: all rows of the first delay, then those of the next.
    pub lengths: Vec<u32>,
    /// Vectors of synapses in the longest row.
    pub longest: u32,
    /// Vectors of synapses in all rows.
    pub vectors: u64,
    /// Rows.
    pub rows: u64,
    /// Of how many words of spikes, a power of two, the sources' rows are equally long and in one group, if they are sorted and a
    /// table of the starts of all of them would be too large.
    pub grouped: Option<u32>,
    /// What has to be added to the addresses in the rows; an immediate reaches it.
    pub base: u32,
    /// Whether sums saturate.
    pub saturating: bool,
    /// The ring whose sums are added to ([`super::Placement::rings`]).
    pub ring: Option<usize>,
    /// Where rows are sorted by delay: the distinct delays, longest first.
    pub sorted: Vec<u16>,
    /// Where rows are sorted, which words of the latest slots of spikes are not 0, if that saves time.
    pub marks: Option<Marks>,
}

/// Which words of the latest slots of spikes are not 0: one bit each, in scalar memory. A word that is 0 may be marked too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// The first slot.
    pub address: u32,
    /// Words of a slot.
    pub words: u32,
    /// How many slots there are: the latest ones, round and round.
    pub slots: u32,
    /// The word that keeps the place of the latest from run to run, where spikes are carried over.
    pub position: Option<u32>,
}

impl SparseRows {
    /// Units of synapses in the longest row that can be in a group: the table has six bits for its vectors.
    pub(super) const LONGEST_GROUPED: u32 = 31;

    /// Vectors of synapses in a row, on average.
    pub fn mean(&self) -> f64 {
        self.vectors as f64 / self.rows.max(1) as f64
    }
}

impl Marks {
    /// Bytes of a slot.
    pub fn slot_bytes(&self) -> u32 {
        4 * self.words
    }
}

/// Weights from neurons to the neurons of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneToOne {
    /// The target.
    pub population: usize,
    /// Its variable.
    pub variable: usize,
    /// Whether sums saturate.
    pub saturating: bool,
    /// What is added.
    pub weights: OneToOneWeights,
}

/// What one-to-one weights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneToOneWeights {
    /// All the same.
    Uniform(i16),
    /// One vector for 32 neurons, in vector memory.
    Vectors(Vectors),
}

impl Bundle {
    /// Whether the code loads a vector behind the last one of a row.
    pub(super) fn reads_ahead(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Sparse(_)))
    }

    /// The marks of its spikes, where rows are sorted by delay and there are any.
    pub fn marks(&self) -> Option<Marks> {
        self.parts.iter().find_map(|part| if let Part::Sparse(rows) = part { rows.marks } else { None })
    }

    /// Whether the spikes are looked at as masks, or those of earlier steps too.
    pub(super) fn needs_bits(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::OneToOne(_) => true,
            Part::Sparse(rows) => !rows.sorted.is_empty(),
            Part::Dense(_) | Part::Delayed(_) | Part::Shared(_) => false,
        })
    }

    /// What is looked up for each spike: the first address and the distance from neuron to neuron.
    pub(super) fn looked_up(&self) -> impl Iterator<Item = (u32, u32)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Dense(rows) => Some((rows.address, rows.row_bytes)),
            Part::Sparse(rows) => Some((rows.table, 4)),
            Part::Delayed(rows) => Some((rows.address, rows.row_bytes())),
            Part::Shared(rows) => Some((rows.table, SharedRows::ENTRY)),
            Part::OneToOne(_) => None,
        })
    }
}
