//! Choices: formats of rows and the memories they live in, by cost.
//!
//! Contract: [`settle`] gives every part of the drafts what costs least as long as vector memory holds it. Costs are cycles of
//! the code in [`crate::lower`] for one spike on this project's core; every source neuron is taken to fire as often as any
//! other. Everything that was considered is kept for the report.

use fenn_isa::memory::{Space, VECTOR_BYTES};
use serde::Serialize;

use super::draft::{Draft, DraftPart, Form, blocks, ring_of};
use super::memory::{Allocator, space_name};
use super::rows::{RowFormat, Shape};
use super::{Placement, RowLayout, WeightMemory, row_bytes};
use crate::backend::Options;
use crate::network::Network;

/// Vectors of sums that are held in registers at once.
pub(crate) const CHUNK: u32 = 24;

/// Cycles to find a spike and the place of a row that is as long as all others.
pub(super) const FIND: f64 = 6.0;
/// Cycles to look up where a sparse row is, and to jump into the code for its length.
pub(super) const LOOK_UP: f64 = 9.0;
/// Cycles to start a transfer and to wait for it, besides the transfer.
const TRANSFER: f64 = 18.0;
/// Vectors of rows with delays whose time has a register of its own.
pub(crate) const TIMED: u32 = 8;

/// One way to lay out rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alternative {
    /// What a row is.
    pub layout: String,
    /// Where rows are, in words.
    #[serde(serialize_with = "space_name")]
    pub memory: Space,
    /// Bytes of all rows.
    pub bytes: u64,
    /// Cycles for a spike, as they were reckoned.
    pub cycles_per_spike: f64,
}

/// How the rows of some projections came to be laid out as they are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayoutChoice {
    /// Names of the projections that share the rows.
    pub projections: Vec<String>,
    /// What they have.
    pub taken: Alternative,
    /// What was considered besides.
    pub others: Vec<Alternative>,
}

/// What a part can be, and what that takes.
struct Choice {
    format: Option<RowFormat>,
    /// Bytes of the longest piece that is brought from DRAM at once.
    piece: u64,
    way: Alternative,
}

impl Choice {
    fn vector_bytes(&self) -> u64 {
        if self.way.memory == Space::Vector { self.way.bytes } else { 0 }
    }
}

/// Cycles for a spike with a dense row of so many vectors in vector memory; with `sums`, what loading and storing the sums takes
/// in a step with two spikes is reckoned too.
pub(super) fn dense_cycles(vectors: u32, sums: bool) -> f64 {
    let (vectors, loops) = (f64::from(vectors), f64::from(vectors.div_ceil(CHUNK)));
    2.0 * vectors + FIND * loops + if sums { vectors } else { 0.0 }
}

/// Cycles for a spike with sparse rows in vector memory, in the fastest format.
pub(super) fn sparse_cycles(shape: &Shape) -> f64 {
    let unit = if shape.constant.is_some() { 4.0 } else { 5.0 };
    unit * shape.mean() + FIND + LOOK_UP
}

/// Cycles for a spike with a shared row of so many vectors in vector memory and in DRAM.
pub(super) fn shared_cycles(vectors: u32) -> [f64; 2] {
    let near = 4.0 * f64::from(vectors) + FIND + LOOK_UP / 2.0;
    [near, (near + TRANSFER / 2.0).max(arrival(vectors.into()))]
}

/// Cycles in which a row of so many vectors arrives.
pub(super) fn arrival(vectors: f64) -> f64 {
    4.0 * vectors + TRANSFER
}

/// Everything a part can be.
fn all_choices(network: &Network, placement: &Placement, options: &Options, part: &DraftPart) -> Vec<Choice> {
    let sources = u64::from(network.source_size(network.projections[part.members[0]].source));
    let mut choices = Vec::new();
    let mut add = |layout: String, format: Option<RowFormat>, bytes: u64, piece: u64, cycles: [f64; 2]| {
        for (memory, cycles_per_spike) in [Space::Vector, Space::Dram].into_iter().zip(cycles) {
            let way = Alternative { layout: layout.clone(), memory, bytes, cycles_per_spike };
            choices.push(Choice { format, piece, way });
        }
    };
    let vectors: u32 = part.members.iter().map(|index| blocks(network, *index)).sum();
    let whole = u64::from(vectors) * u64::from(VECTOR_BYTES);
    match &part.form {
        Form::OneToOne => {}
        Form::Dense => {
            let loops = f64::from(vectors.div_ceil(CHUNK));
            let far = 4.0 * f64::from(vectors) + TRANSFER * loops;
            let piece = u64::from(vectors.min(CHUNK)) * u64::from(VECTOR_BYTES);
            add("dense rows".to_owned(), None, whole * sources, piece, [dense_cycles(vectors, false), far]);
        }
        Form::Delayed { bits } => {
            let unit = if vectors <= TIMED { 7.0 } else { 8.0 };
            let near = unit * f64::from(vectors) + FIND;
            let far = (near + TRANSFER / 2.0).max(arrival(vectors.into()));
            add(delayed_name(*bits), None, whole * sources, whole, [near, far]);
        }
        Form::Shared(patterns) => {
            let length = patterns.distances.len() as u32;
            let piece = u64::from(length) * u64::from(VECTOR_BYTES);
            let bytes = patterns.count() as u64 * piece;
            add(shared_name(patterns.count(), sources), None, bytes, piece, shared_cycles(length));
        }
        Form::Sparse { shape, .. } => {
            let ring = ring_of(network, placement, part.members[0]);
            let constant = shape.constant.filter(|_| ring.is_none()).map(RowFormat::Constant);
            let packed = shape.packed(ring.map_or(shape.reach, |(_, ring)| ring.bytes));
            let formats = match options.rows {
                RowLayout::Split => vec![Some(RowFormat::Split)],
                RowLayout::Packed if packed.is_some() => vec![packed],
                _ => vec![constant, Some(RowFormat::Split), packed],
            };
            let longest = u64::from(shape.lengths.iter().copied().max().unwrap_or(0));
            for format in formats.into_iter().flatten() {
                let unit = match format {
                    _ if ring.is_some() => 7.0,
                    RowFormat::Constant(_) => 4.0,
                    RowFormat::Split => 5.0,
                    RowFormat::Packed { .. } => 6.0,
                };
                let bytes = u64::from(format.unit_bytes());
                let near = unit * shape.mean() + FIND + LOOK_UP;
                let moved = shape.mean() * f64::from(format.unit_bytes() / VECTOR_BYTES);
                let far = (near + TRANSFER / 2.0).max(arrival(moved));
                add(shape.layout(format), Some(format), shape.units() * bytes, longest * bytes, [near, far]);
            }
        }
    }
    choices
}

/// How shared rows are called in the report.
pub(super) fn shared_name(rows: usize, sources: u64) -> String {
    format!("{rows} rows that {sources} neurons share")
}

/// How rows with delays are called in the report.
pub(super) fn delayed_name(bits: u8) -> String {
    format!("rows with a number for every target, {bits} bits of delay below {} of weight", 16 - bits)
}

/// Chooses formats and memories: at first what costs least, then, as long as vector memory does not hold it, whatever frees
/// bytes of it at the least cost.
pub(super) fn settle(
    network: &Network,
    placement: &Placement,
    options: &Options,
    drafts: &mut [Draft],
    allocator: &Allocator,
) -> Vec<LayoutChoice> {
    let lane_by_lane = drafts.iter().flat_map(|draft| &draft.parts).filter(|part| matches!(part.form, Form::OneToOne));
    let sizes = lane_by_lane.map(|part| network.source_size(network.projections[part.members[0]].source));
    let others: u64 = sizes.map(row_bytes).sum();
    let parts: Vec<&mut DraftPart> = drafts
        .iter_mut()
        .flat_map(|draft| &mut draft.parts)
        .filter(|part| !matches!(part.form, Form::OneToOne))
        .collect();
    let allowed = |choice: &Choice| match options.weights {
        WeightMemory::Auto => true,
        WeightMemory::Vector => choice.way.memory == Space::Vector,
        WeightMemory::Dram => choice.way.memory == Space::Dram,
    };
    let mut refused = Vec::new();
    let mut all: Vec<Vec<Choice>> = Vec::new();
    for part in &parts {
        let (possible, others) = all_choices(network, placement, options, part).into_iter().partition(allowed);
        all.push(possible);
        refused.push(others);
    }
    // What a part costs counts as often as it is likely to be used.
    let sources: Vec<f64> =
        parts.iter().map(|part| f64::from(network.source_size(network.projections[part.members[0]].source))).collect();
    let cheapest = |choices: &Vec<Choice>| {
        let costs = choices.iter().map(|choice| &choice.way).enumerate();
        let cost = |way: &Alternative| (way.cycles_per_spike, way.bytes);
        costs
            .min_by(|(_, a), (_, b)| cost(a).0.total_cmp(&cost(b).0).then(cost(a).1.cmp(&cost(b).1)))
            .map_or(0, |(at, _)| at)
    };
    let mut taken: Vec<usize> = all.iter().map(cheapest).collect();
    // Besides rows: one-to-one weights, and a vector behind the last row.
    let taken_already = allocator.used(Space::Vector) + others + u64::from(VECTOR_BYTES);
    let room = u64::from(options.config.vector_bytes).saturating_sub(taken_already);
    loop {
        let chosen = || all.iter().zip(&taken).map(|(choices, at)| &choices[*at]);
        let far = chosen().filter(|choice| choice.way.memory == Space::Dram);
        let buffers = 2 * far.map(|choice| choice.piece).max().unwrap_or(0);
        if chosen().map(Choice::vector_bytes).sum::<u64>() + buffers <= room {
            break;
        }
        let mut best: Option<(f64, usize, usize)> = None;
        for (part, (choices, at)) in all.iter().zip(&taken).enumerate() {
            for (other, choice) in choices.iter().enumerate() {
                let freed = choices[*at].vector_bytes().saturating_sub(choice.vector_bytes());
                let more = choice.way.cycles_per_spike - choices[*at].way.cycles_per_spike;
                let price = more * sources[part] / freed as f64;
                if freed > 0 && best.is_none_or(|(least, ..)| price < least) {
                    best = Some((price, part, other));
                }
            }
        }
        let Some((_, part, other)) = best else { break };
        taken[part] = other;
    }
    let mut report = Vec::new();
    for (((part, mut choices), at), refused) in parts.into_iter().zip(all).zip(taken).zip(refused) {
        let taken = choices.swap_remove(at);
        part.space = taken.way.memory;
        if let (Form::Sparse { format, .. }, Some(chosen)) = (&mut part.form, taken.format) {
            *format = chosen;
        }
        report.push(LayoutChoice {
            projections: part.members.iter().map(|index| network.projections[*index].name.clone()).collect(),
            taken: taken.way,
            others: choices.into_iter().chain(refused).map(|choice| choice.way).collect(),
        });
    }
    report
}
