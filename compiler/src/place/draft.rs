//! Drafts: which synapses go into rows of which kind.
//!
//! Contract: [`drafts`] decides for each projection between a row with a number for every target and a sparse one, by what a
//! spike costs; [`lay_out`] finds the lengths of sparse rows once the targets' addresses are known.
//!
//! Not here: formats of sparse rows and memories ([`super::choose`]).

use fenn_isa::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};

use super::bundle::SparseRows;
use super::choose::{arrival, dense_cycles, shared_cycles, sparse_cycles};
use super::plan::{Group, Kind, kind, saturates};
use super::rows::{Member, RowFormat, Rows, Shape};
use super::shared::Patterns;
use super::{Home, Placement, Ring, RowLayout};
use crate::backend::Options;
use crate::network::{Delays, Network, Projection, Weights};

/// A bundle whose layout is being decided.
pub(super) struct Draft {
    pub(super) group: Group,
    pub(super) parts: Vec<DraftPart>,
}

/// A part of it.
pub(super) struct DraftPart {
    /// Indices of projections.
    pub(super) members: Vec<usize>,
    pub(super) form: Form,
    pub(super) space: Space,
}

/// A kind of rows.
pub(super) enum Form {
    Dense,
    Delayed { bits: u8 },
    Sparse { shape: Shape, base: u32, format: RowFormat },
    Shared(Patterns),
    OneToOne,
}

/// Decides what kind of rows each projection has.
pub(super) fn drafts(network: &Network, options: &Options, groups: Vec<Group>) -> Vec<Draft> {
    let mut dense = vec![false; network.projections.len()];
    for group in &groups {
        decide(network, options, group, &mut dense);
    }
    make_room_in_lanes(network, &options.config, &mut dense);
    groups.into_iter().map(|group| draft(network, options, group, &dense)).collect()
}

fn draft(network: &Network, options: &Options, group: Group, dense: &[bool]) -> Draft {
    let mut parts: Vec<DraftPart> = Vec::new();
    for &member in &group.members {
        let form = match kind(network, member) {
            Kind::OneToOne => Form::OneToOne,
            Kind::Ring => match delayed_bits(network, options, member) {
                Some(bits) => Form::Delayed { bits },
                None => Form::unknown(),
            },
            Kind::Direct => match shared(network, options, member, dense[member]) {
                Some(patterns) => Form::Shared(patterns),
                None if dense[member] => Form::Dense,
                None => Form::unknown(),
            },
            Kind::Sorted => Form::unknown(),
        };
        let joins = |part: &&mut DraftPart| match (&part.form, &form) {
            (Form::Dense, Form::Dense) => true,
            (Form::Sparse { .. }, Form::Sparse { .. }) => {
                let other = part.members[0];
                let direct = |index| kind(network, index) == Kind::Direct;
                direct(member) && direct(other) && saturates(network, member) == saturates(network, other)
            }
            _ => false,
        };
        match parts.iter_mut().find(joins) {
            Some(part) => part.members.push(member),
            None => parts.push(DraftPart { members: vec![member], form, space: Space::Vector }),
        }
    }
    Draft { group, parts }
}

impl Form {
    /// Sparse rows of which nothing is known yet.
    fn unknown() -> Self {
        Self::Sparse { shape: Shape::default(), base: 0, format: RowFormat::Split }
    }
}

/// Which of a group's projections have dense rows: of those that could share sparse rows, all, none, or those whose dense rows
/// cost less than sparse ones of their own.
fn decide(network: &Network, options: &Options, group: &Group, dense: &mut [bool]) {
    let direct: Vec<usize> =
        group.members.iter().copied().filter(|member| kind(network, *member) == Kind::Direct).collect();
    for saturating in [false, true] {
        let members: Vec<usize> =
            direct.iter().copied().filter(|member| saturates(network, *member) == saturating).collect();
        let possible: Vec<bool> = members.iter().map(|member| can_be_dense(network, *member)).collect();
        let choice = match options.rows {
            RowLayout::Dense => possible,
            RowLayout::Sparse | RowLayout::Split | RowLayout::Packed => vec![false; members.len()],
            RowLayout::Auto | RowLayout::Shared => cheapest(network, &members, &possible),
        };
        members.iter().zip(choice).for_each(|(member, choice)| dense[*member] = choice);
    }
}

fn cheapest(network: &Network, members: &[usize], possible: &[bool]) -> Vec<bool> {
    let shape = |members: &[usize]| {
        let with = members.iter().map(|index| member(network, *index, 0)).collect();
        Rows { members: with, ..rows(network, members) }.shape()
    };
    let own = |index: usize| sparse_cycles(&shape(&[index])) < dense_cycles(blocks(network, index), true);
    let each: Vec<bool> = members.iter().zip(possible).map(|(index, possible)| *possible && !own(*index)).collect();
    let cycles = |dense: &[bool]| {
        let (as_dense, as_sparse): (Vec<_>, Vec<_>) = members.iter().zip(dense).partition(|(_, dense)| **dense);
        let vectors: u32 = as_dense.iter().map(|(index, _)| blocks(network, **index)).sum();
        let sparse: Vec<usize> = as_sparse.iter().map(|(index, _)| **index).collect();
        let sparse = if sparse.is_empty() { 0.0 } else { sparse_cycles(&shape(&sparse)) };
        sparse + dense_cycles(vectors, true)
    };
    let choices = [each, vec![false; members.len()], possible.to_vec()];
    let costs = choices.iter().map(|choice| cycles(choice));
    let best = costs.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(at, _)| at);
    choices.into_iter().nth(best).unwrap_or_default()
}

/// Bits of a delay in rows with a number for every target, if that is what a projection into a ring is to have: its weights
/// fit above them, and sparse rows would not be much shorter.
fn delayed_bits(network: &Network, options: &Options, index: usize) -> Option<u8> {
    let projection = &network.projections[index];
    let into =
        network.projections.iter().filter(|p| (p.target, p.variable) == (projection.target, projection.variable));
    let longest = into.filter(|p| matches!(p.delays, Delays::Ring(_))).map(|p| p.delays.longest()).max()?;
    let sparse = matches!(options.rows, RowLayout::Sparse | RowLayout::Split | RowLayout::Packed);
    if sparse || has_doubles(&projection.weights) {
        return None;
    }
    let shape = Rows { members: vec![member(network, index, 0)], ..rows(network, &[index]) }.shape();
    let Some(RowFormat::Packed { bits }) = shape.packed(2 * (longest + 1)) else { return None };
    // Seven instructions a vector either way; a sparse row has to be found.
    let shorter = shape.mean() + 2.0 < f64::from(blocks(network, index));
    (!shorter || options.rows == RowLayout::Dense).then_some(bits)
}

/// The shared rows of a convolution, if they cost less than what it would have otherwise: the time for a spike with rows in
/// DRAM or in vector memory, whichever a quarter of the latter suggests.
fn shared(network: &Network, options: &Options, index: usize, dense: bool) -> Option<Patterns> {
    let projection = &network.projections[index];
    let Weights::Convolution(_) = projection.weights else { return None };
    if !matches!(options.rows, RowLayout::Auto | RowLayout::Shared) {
        return None;
    }
    let (sources, size) = (network.source_size(projection.source), network.populations[projection.target].size);
    let patterns = Patterns::of(&projection.weights, sources, size)?;
    let near = |vectors: f64| vectors * f64::from(VECTOR_BYTES) <= f64::from(options.config.vector_bytes / 4);
    let cycles = |vectors: f64, rows: f64, ways: [f64; 2]| if near(vectors * rows) { ways[0] } else { ways[1] };
    let sources = f64::from(sources);
    let length = patterns.distances.len() as u32;
    let own = cycles(length.into(), patterns.count() as f64, shared_cycles(length));
    let other = if dense {
        let vectors = blocks(network, index);
        let far = arrival(vectors.into());
        cycles(vectors.into(), sources, [dense_cycles(vectors, true), far])
    } else {
        let shape = Rows { members: vec![member(network, index, 0)], ..rows(network, &[index]) }.shape();
        // Two vectors for 32 synapses, unless all weights are equal.
        let vectors = shape.mean() * if shape.constant.is_some() { 1.0 } else { 2.0 };
        cycles(vectors, sources, [sparse_cycles(&shape), arrival(vectors).max(sparse_cycles(&shape))])
    };
    (own < other || options.rows == RowLayout::Shared).then_some(patterns)
}

/// Whether a pair of neurons has several synapses.
fn has_doubles(weights: &Weights) -> bool {
    let Weights::Sparse(sparse) = weights else { return false };
    let mut rows = sparse.starts.windows(2).map(|ends| &sparse.targets[ends[0] as usize..ends[1] as usize]);
    rows.any(|targets| targets.windows(2).any(|pair| pair[0] == pair[1]))
}

/// Whether one number per target can stand for a row: no target twice, or with weights whose order does not matter.
fn can_be_dense(network: &Network, index: usize) -> bool {
    let Weights::Sparse(sparse) = &network.projections[index].weights else { return true };
    let saturating = saturates(network, index);
    let rows = sparse.starts.windows(2).map(|ends| ends[0] as usize..ends[1] as usize);
    rows.into_iter().all(|row| {
        let (targets, weights) = (&sparse.targets[row.clone()], &sparse.weights[row]);
        targets
            .chunk_by(|a, b| a == b)
            .scan(0, |at, run| {
                let first = *at;
                *at += run.len();
                Some(&weights[first..*at])
            })
            .all(|codes| {
                let one_sign = codes.iter().all(|code| *code >= 0) || codes.iter().all(|code| *code <= 0);
                let sum: i64 = codes.iter().map(|code| i64::from(*code)).sum();
                codes.len() == 1 || !saturating || (one_sign && i16::try_from(sum).is_ok())
            })
    })
}

/// Makes rows dense, where that is possible, until the variables of sparse rows fit into lane-local memory; those that take most
/// of it first.
fn make_room_in_lanes(network: &Network, config: &MachineConfig, dense: &mut [bool]) {
    let mut tables: Vec<&[i16]> = network
        .populations
        .iter()
        .flat_map(|population| &population.kernel.tables)
        .map(|table| &table.codes[..])
        .collect();
    tables.sort_unstable();
    tables.dedup();
    let tables: u64 = tables.iter().map(|codes| codes.len() as u64).sum();
    loop {
        let mut rings = 0;
        let mut taken = Vec::new();
        for (population, target) in network.populations.iter().enumerate() {
            let blocks = u64::from(target.size.div_ceil(LANES as u32));
            for variable in 0..target.variables.len() {
                let into = |index: &usize| {
                    let projection = &network.projections[*index];
                    (projection.target, projection.variable) == (population, variable)
                };
                let into: Vec<usize> = (0..network.projections.len()).filter(into).collect();
                let delays = into.iter().map(|index| &network.projections[*index].delays);
                let longest = delays.filter(|delays| matches!(delays, Delays::Ring(_))).map(Delays::longest).max();
                rings += longest.map_or(0, |longest| (blocks * (u64::from(longest) + 1)).next_power_of_two());
                let sparse: Vec<usize> = into
                    .into_iter()
                    .filter(|index| matches!(kind(network, *index), Kind::Direct | Kind::Sorted) && !dense[*index])
                    .collect();
                if !sparse.is_empty() {
                    taken.push((blocks, sparse));
                }
            }
        }
        let rows: u64 = tables + rings + taken.iter().map(|(blocks, _)| *blocks).sum::<u64>();
        if rows * 2 <= u64::from(config.lane_local_bytes) {
            return;
        }
        let possible = |(_, sparse): &&(u64, Vec<usize>)| {
            sparse.iter().all(|index| kind(network, *index) == Kind::Direct && can_be_dense(network, *index))
        };
        let Some((_, largest)) = taken.iter().filter(possible).max_by_key(|(blocks, _)| *blocks) else { return };
        largest.iter().for_each(|index| dense[*index] = true);
    }
}

/// The variables of a population that sparse or shared rows add to.
pub(super) fn lane_variables(network: &Network, drafts: &[Draft], population: usize) -> Vec<usize> {
    let in_lanes = |part: &&DraftPart| matches!(part.form, Form::Sparse { .. } | Form::Shared(_));
    let sparse = drafts.iter().flat_map(|draft| &draft.parts).filter(in_lanes);
    let members = sparse.flat_map(|part| &part.members).filter(|member| kind(network, **member) != Kind::Ring);
    let projections = members.map(|member| &network.projections[*member]);
    projections.filter(|projection| projection.target == population).map(|projection| projection.variable).collect()
}

/// A projection as a member of rows whose targets begin at `base`.
pub(super) fn member(network: &Network, index: usize, base: u32) -> Member<'_> {
    let Projection { target, weights, delays, .. } = &network.projections[index];
    let size = network.populations[*target].size;
    let (ring, sorted) = match delays {
        Delays::None | Delays::Uniform(_) => (None, None),
        Delays::Ring(steps) => (Some(&steps[..]), None),
        Delays::Sorted(steps) => (None, Some(&steps[..])),
    };
    Member { weights, ring, sorted, size, base, block_bytes: 2 }
}

/// The rows of a part's members, still without them.
pub(super) fn rows<'a>(network: &'a Network, members: &[usize]) -> Rows<'a> {
    let mut delays = vec![0];
    let first = &network.projections[members[0]];
    if let Delays::Sorted(steps) = &first.delays {
        delays.clone_from(steps);
        delays.sort_unstable_by(|a, b| b.cmp(a));
        delays.dedup();
        if delays.is_empty() {
            delays.push(0);
        }
    }
    Rows { members: Vec::new(), sources: network.source_size(first.source), delays }
}

/// The rows of a part with the addresses of its targets, and what is still to be added to those.
pub(super) fn placed_rows<'a>(network: &'a Network, placement: &Placement, members: &[usize]) -> (Rows<'a>, u32) {
    let mut rows = rows(network, members);
    let home = |index: usize| -> (u32, u32) {
        let Projection { target, variable, delays, .. } = &network.projections[index];
        if matches!(delays, Delays::Ring(_)) {
            let ring = ring_of(network, placement, index);
            return ring.map_or((0, 2), |(_, ring)| (2 * ring.row, 2 * ring.slots));
        }
        match placement.populations[*target].variables[*variable] {
            Home::Lane { row } => (2 * row, 2),
            Home::Vector(_) => (0, 2),
        }
    };
    let ring = matches!(network.projections[members[0]].delays, Delays::Ring(_));
    let lowest = members.iter().map(|index| home(*index).0).min().unwrap_or(0);
    // An immediate reaches so far.
    let base = if ring || lowest < 1 << 11 { lowest } else { 0 };
    for &index in members {
        let (address, block_bytes) = home(index);
        rows.members.push(Member { block_bytes, ..member(network, index, address - base) });
    }
    (rows, base)
}

/// Finds the lengths of all sparse rows. Rows that are sorted by delay have a start for each delay; where the tables of these would
/// take more than a quarter of scalar memory, rows of neighbouring sources are made equally long, of those projections that
/// have more than their share of it: of as few neighbours as it takes.
pub(super) fn lay_out(network: &Network, placement: &Placement, config: &MachineConfig, drafts: &mut [Draft]) {
    let (mut tables, mut sorted) = (0, 0);
    for part in drafts.iter_mut().flat_map(|draft| &mut draft.parts) {
        if let Form::Sparse { shape, base, .. } = &mut part.form {
            let (rows, lowest) = placed_rows(network, placement, &part.members);
            (*shape, *base) = (rows.shape(), lowest);
            if kind(network, part.members[0]) == Kind::Sorted {
                tables += 4 * shape.lengths.len() as u64;
                sorted += 1;
            }
        }
    }
    let room = u64::from(config.scalar_bytes / 4);
    if tables <= room {
        return;
    }
    for part in drafts.iter_mut().flat_map(|draft| &mut draft.parts) {
        let first = part.members[0];
        if kind(network, first) != Kind::Sorted {
            continue;
        }
        let Form::Sparse { shape, .. } = &mut part.form else { continue };
        let sources = network.source_size(network.projections[first].source);
        let longest = shape.lengths.iter().copied().max().unwrap_or(0);
        if 4 * shape.lengths.len() as u64 <= room / sorted || longest > SparseRows::LONGEST_GROUPED {
            continue;
        }
        let (delays, all) = (shape.lengths.len() as u64 / u64::from(sources.max(1)), sources.div_ceil(LANES as u32));
        let fits = |words: &u32| 4 * delays * u64::from(all.div_ceil(*words)) <= room / sorted || *words >= all;
        let sizes = (0..u32::BITS).map(|power| 1 << power);
        let words = sizes.into_iter().find(fits).unwrap_or(1);
        shape.group(sources, words);
    }
}

/// The ring that a projection's synapses add to, with its number.
pub(super) fn ring_of<'a>(network: &Network, placement: &'a Placement, index: usize) -> Option<(usize, &'a Ring)> {
    let projection = &network.projections[index];
    let into =
        |(_, ring): &(usize, &Ring)| (ring.population, ring.variable) == (projection.target, projection.variable);
    let delayed = matches!(projection.delays, Delays::Ring(_));
    placement.rings.iter().enumerate().find(into).filter(|_| delayed)
}

/// Vectors of a projection's targets.
pub(super) fn blocks(network: &Network, projection: usize) -> u32 {
    network.populations[network.projections[projection].target].size.div_ceil(LANES as u32)
}
