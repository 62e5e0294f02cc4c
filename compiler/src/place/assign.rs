//! Addresses of rows, and bundles of the drafts.

use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};

use super::bundle::{
    Bundle, Delayed, Dense, DenseTarget, Marks, OneToOne, OneToOneWeights, Part, SharedRows, SparseRows,
};
use super::choose::{CHUNK, delayed_name, shared_name};
use super::draft::{Draft, DraftPart, Form, blocks, placed_rows, ring_of, rows};
use super::memory::{Allocator, Bytes};
use super::plan::{Action, saturates};
use super::rows::starts;
use super::{Home, Placement, Vectors, carries_spikes, row_bytes};
use crate::network::{Delays, Network};

/// Gives out the addresses of rows and tables, and makes bundles of the drafts: rows in DRAM get one of their own.
pub(super) fn place(
    network: &Network,
    placement: &Placement,
    drafts: &[Draft],
    actions: &[Action],
    allocator: &mut Allocator,
) -> (Vec<Bundle>, Vec<Action>) {
    let mut bundles = Vec::new();
    let mut of_draft = Vec::new();
    for Draft { group, parts } in drafts {
        let first = bundles.len();
        let bundle = |projections: Vec<usize>, parts| Bundle {
            projections,
            source: group.source,
            when: group.when,
            ago: group.ago,
            parts,
        };
        let (near, far): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part.space == Space::Vector);
        if !near.is_empty() {
            let projections = near.iter().flat_map(|part| part.members.clone()).collect();
            let parts = near.iter().map(|part| place_part(network, placement, part, allocator)).collect();
            bundles.push(bundle(projections, parts));
        }
        for part in far {
            let placed = place_part(network, placement, part, allocator);
            bundles.push(bundle(part.members.clone(), vec![placed]));
        }
        of_draft.push(first..bundles.len());
    }
    let actions = actions.iter().flat_map(|action| match *action {
        Action::Update(_) => vec![*action],
        Action::Propagate(draft) => of_draft[draft].clone().map(Action::Propagate).collect(),
    });
    (bundles, actions.collect())
}

fn place_part(network: &Network, placement: &Placement, part: &DraftPart, allocator: &mut Allocator) -> Part {
    let names: Vec<&str> = part.members.iter().map(|index| network.projections[*index].name.as_str()).collect();
    let name = format!("{} weights", names.join(" + "));
    let first = &network.projections[part.members[0]];
    let number_format = Some(network.populations[first.target].kernel.variables[first.variable].ty.format);
    let sources = network.source_size(first.source);
    let saturating = saturates(network, part.members[0]);
    match &part.form {
        Form::OneToOne => {
            let codes = first.weights.codes();
            let weights = if codes.iter().all(|code| *code == codes[0]) {
                OneToOneWeights::Uniform(codes[0])
            } else {
                let layout = "one vector for 32 neurons".to_owned();
                let bytes = row_bytes(sources);
                let address = allocator.take_laid_out(name, Space::Vector, bytes, number_format, layout);
                OneToOneWeights::Vectors(Vectors { address, stride: VECTOR_BYTES })
            };
            Part::OneToOne(OneToOne { population: first.target, variable: first.variable, saturating, weights })
        }
        Form::Dense => {
            let target = |index: &usize| DenseTarget {
                population: network.projections[*index].target,
                variable: network.projections[*index].variable,
                blocks: blocks(network, *index),
                saturating: saturates(network, *index),
            };
            let targets: Vec<DenseTarget> = part.members.iter().map(target).collect();
            let row_bytes = targets.iter().map(|target| target.blocks * VECTOR_BYTES).sum();
            let bytes = u64::from(sources) * u64::from(row_bytes);
            let address = allocator.take_laid_out(name, part.space, bytes, number_format, "dense rows".to_owned());
            Part::Dense(Dense { targets, space: part.space, address, row_bytes })
        }
        Form::Delayed { bits } => {
            let blocks = blocks(network, part.members[0]);
            let bytes = u64::from(sources) * u64::from(blocks) * u64::from(VECTOR_BYTES);
            let address = allocator.take_laid_out(name, part.space, bytes, number_format, delayed_name(*bits));
            let ring = ring_of(network, placement, part.members[0]).map_or(0, |(index, _)| index);
            Part::Delayed(Delayed { ring, blocks, bits: *bits, saturating, space: part.space, address })
        }
        Form::Shared(patterns) => {
            let distances: Vec<u32> = patterns.distances.iter().map(|block| 2 * block).collect();
            let bytes = patterns.count() as u64 * distances.len() as u64 * u64::from(VECTOR_BYTES);
            let table = u64::from(SharedRows::ENTRY) * u64::from(sources);
            let table = allocator.take(format!("{}, places of rows", names.join(" + ")), Space::Scalar, table, None);
            let layout = shared_name(patterns.count(), sources.into());
            let address = allocator.take_laid_out(name, part.space, bytes, number_format, layout);
            Part::Shared(SharedRows { distances, table, saturating, space: part.space, address })
        }
        Form::Sparse { shape, base, format } => {
            let bytes = shape.units() * u64::from(format.unit_bytes());
            let sorted = matches!(first.delays, Delays::Sorted(_)).then(|| rows(network, &part.members).delays);
            let sorted = sorted.unwrap_or_default();
            let starts = match shape.grouped {
                Some(words) => sorted.len() as u64 * u64::from(groups(sources, words)),
                None => shape.lengths.len() as u64 + 1,
            };
            let table = 4 * (starts + 2 * sorted.len() as u64);
            let table = allocator.take(format!("{}, starts of rows", names.join(" + ")), Space::Scalar, table, None);
            let address = allocator.take_laid_out(name, part.space, bytes, number_format, shape.layout(*format));
            let ring = ring_of(network, placement, part.members[0]).map(|(index, _)| index);
            Part::Sparse(SparseRows {
                format: *format,
                space: part.space,
                address,
                table,
                members: part.members.len(),
                lengths: shape.lengths.clone(),
                longest: shape.lengths.iter().copied().max().unwrap_or(0),
                vectors: shape.units(),
                rows: shape.lengths.len() as u64,
                grouped: shape.grouped,
                base: *base,
                saturating,
                ring,
                marks: marks(network, &names.join(" + "), sources, &sorted, allocator),
                sorted,
            })
        }
    }
}

/// How many groups of `words` words of spikes `sources` neurons are.
fn groups(sources: u32, words: u32) -> u32 {
    sources.div_ceil(LANES as u32).div_ceil(words)
}

/// Marks of the spikes of a source that rows sorted by delay look at, if they save time: marking takes five instructions for each
/// word of spikes, looking at an empty word four for each delay. Where words are few, what a mark costs when there is a spike
/// outweighs that with one neuron in a hundred spiking; with one in twenty it costs 3 % at most.
fn marks(network: &Network, name: &str, sources: u32, sorted: &[u16], allocator: &mut Allocator) -> Option<Marks> {
    let words = sources.div_ceil(LANES as u32);
    if sorted.len() < 3 || words as usize * sorted.len() < 32 {
        return None;
    }
    let slots = u32::from(sorted.first().copied().unwrap_or(0)) + 1;
    let words = words.div_ceil(32);
    let bytes = 4 * u64::from(words) * u64::from(slots);
    let address = allocator.take(format!("{name}, marks of spikes"), Space::Scalar, bytes, None);
    let position =
        carries_spikes(network).then(|| allocator.take(format!("{name}, latest marks"), Space::Scalar, 4, None));
    Some(Marks { address, words, slots, position })
}

/// Two buffers in vector memory for the longest piece of a row that comes from DRAM.
pub(super) fn buffers(bundles: &[Bundle], allocator: &mut Allocator) -> [u32; 2] {
    let pieces = bundles.iter().flat_map(|bundle| &bundle.parts).map(|part| match part {
        Part::Dense(dense) if dense.space == Space::Dram => dense.row_bytes.min(CHUNK * VECTOR_BYTES),
        Part::Sparse(rows) if rows.space == Space::Dram => rows.longest * rows.format.unit_bytes(),
        Part::Delayed(rows) if rows.space == Space::Dram => rows.row_bytes(),
        Part::Shared(rows) if rows.space == Space::Dram => rows.row_bytes(),
        Part::Dense(_) | Part::Sparse(_) | Part::Delayed(_) | Part::Shared(_) | Part::OneToOne(_) => 0,
    });
    let longest = pieces.max().unwrap_or(0);
    if longest == 0 {
        return [0; 2];
    }
    [1, 2].map(|number| allocator.take(format!("row from DRAM, buffer {number}"), Space::Vector, longest.into(), None))
}

/// Writes what the arrays of the bundles hold.
pub(super) struct Writer<'a> {
    pub(super) network: &'a Network,
    pub(super) placement: &'a Placement,
}

impl Writer<'_> {
    /// Writes the weights of all bundles into the memories, and the tables of their rows into scalar memory.
    pub(super) fn write(&self, drafts: &[Draft], vector: &mut Bytes, dram: &mut Bytes, scalar: &mut Bytes) {
        let mut placed = self.placement.bundles.iter().flat_map(|bundle| &bundle.parts);
        for draft in drafts {
            let (near, far): (Vec<_>, Vec<_>) = draft.parts.iter().partition(|part| part.space == Space::Vector);
            for (part, placed) in near.into_iter().chain(far).zip(&mut placed) {
                let bytes = if part.space == Space::Vector { &mut *vector } else { &mut *dram };
                self.write_part(part, placed, bytes, scalar);
            }
        }
    }

    fn write_part(&self, part: &DraftPart, placed: &Part, bytes: &mut Bytes, scalar: &mut Bytes) {
        match (&part.form, placed) {
            (Form::Dense, Part::Dense(dense)) => {
                let mut first = dense.address;
                for &index in &part.members {
                    self.write_dense(index, first as usize, dense.row_bytes as usize, bytes);
                    first += blocks(self.network, index) * VECTOR_BYTES;
                }
            }
            (Form::OneToOne, Part::OneToOne(OneToOne { weights: OneToOneWeights::Vectors(vectors), .. })) => {
                let codes = self.network.projections[part.members[0]].weights.codes();
                bytes.put_codes(vectors.address as usize, codes);
            }
            (Form::Shared(patterns), Part::Shared(rows)) => {
                bytes.put_codes(rows.address as usize, &patterns.weights);
                let projection = &self.network.projections[part.members[0]];
                let home = self.placement.populations[projection.target].variables[projection.variable];
                let Home::Lane { row: first } = home else { return };
                let places = patterns
                    .places
                    .iter()
                    .flat_map(|(number, block)| [rows.address + number * rows.row_bytes(), 2 * (first + block)]);
                scalar.put_words(rows.table as usize, places);
            }
            (Form::Delayed { .. }, Part::Delayed(rows)) => self.write_delayed(part.members[0], rows, bytes),
            (Form::Sparse { shape, format, .. }, Part::Sparse(placed)) => {
                let (rows, _) = placed_rows(self.network, self.placement, &part.members);
                let starts = starts(&shape.lengths, format.unit_bytes());
                let end = placed.address as usize + starts.last().map_or(0, |end| *end as usize);
                rows.write(shape, *format, &mut bytes.bytes[placed.address as usize..end]);
                let slot = 4 * rows.sources.div_ceil(LANES as u32);
                let mark = placed.marks.map_or(0, |marks| marks.slot_bytes());
                let delays = placed.sorted.iter().flat_map(|delay| [slot, mark].map(|slot| u32::from(*delay) * slot));
                let starts: Vec<u32> = match shape.grouped {
                    Some(words) => {
                        let size = LANES * words as usize;
                        let of_delays =
                            starts.chunks(rows.sources as usize).zip(shape.lengths.chunks(rows.sources as usize));
                        let groups = of_delays.flat_map(|(starts, lengths)| {
                            starts.iter().step_by(size).zip(lengths.iter().step_by(size))
                        });
                        let vectors = format.unit_bytes() / VECTOR_BYTES;
                        groups.map(|(start, length)| placed.address + start + length * vectors).collect()
                    }
                    None => starts.iter().map(|start| placed.address + start).collect(),
                };
                scalar.put_words(placed.table as usize, starts.into_iter().chain(delays));
            }
            _ => {}
        }
    }

    fn write_dense(&self, index: usize, first: usize, row_bytes: usize, bytes: &mut Bytes) {
        let projection = &self.network.projections[index];
        let size = self.network.populations[projection.target].size;
        let mut codes = vec![0i16; size as usize];
        for row in 0..self.network.source_size(projection.source) {
            codes.fill(0);
            projection.weights.row(row, size, |synapse| {
                let code = &mut codes[synapse.target as usize];
                *code = code.wrapping_add(synapse.weight);
            });
            bytes.put_codes(first + row as usize * row_bytes, &codes);
        }
    }
    fn write_delayed(&self, index: usize, rows: &Delayed, bytes: &mut Bytes) {
        let projection = &self.network.projections[index];
        let Delays::Ring(delays) = &projection.delays else { return };
        let size = self.network.populations[projection.target].size;
        let mut words = vec![0i16; size as usize];
        for row in 0..self.network.source_size(projection.source) {
            words.fill(0);
            projection.weights.row(row, size, |synapse| {
                words[synapse.target as usize] = synapse.weight << rows.bits | (2 * delays[synapse.index]) as i16;
            });
            bytes.put_codes(rows.address as usize + (row * rows.row_bytes()) as usize, &words);
        }
    }
}
