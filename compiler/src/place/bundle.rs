//! Bundles: how the synapses of projections that see the same spikes are laid out, and in which memory.
//!
//! Contract: [`drafts`] decides which synapses go into dense and which into sparse rows, [`lay_out`] finds the sparse rows'
//! lengths once the targets' addresses are known, [`settle`] chooses formats and memories by cost, and [`place`] gives
//! out addresses. Costs are cycles of the code in [`crate::lower`] for one spike, every source neuron firing as often as any other.
//!
//! Not here: what rows hold ([`super::rows`]).

use fenn_isa::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};

use super::memory::Allocator;
use super::plan::{Action, Group, Kind, When, kind, saturates};
use super::rows::{Member, RowFormat, Rows, Shape, starts};
use super::{Home, Placement, RowLayout, Vectors, WeightMemory, row_bytes};
use crate::backend::Options;
use crate::network::{Delays, Network, Projection, Source, Weights};

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

/// Sparse rows, in the order of their source neurons; where they are sorted by delay, once for each delay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparseRows {
    /// How synapses are written down.
    pub format: RowFormat,
    /// The memory of the rows.
    pub space: Space,
    /// The first row.
    pub address: u32,
    /// In scalar memory: a word with the address of each row, and of the end of the last one; then, where they are sorted, one
    /// for each delay, of how many bytes before the latest the slot of its spikes is.
    pub table: u32,
    /// Vectors of synapses in the longest row.
    pub longest: u32,
    /// What has to be added to the addresses in the rows; an immediate reaches it.
    pub base: u32,
    /// Whether sums saturate.
    pub saturating: bool,
    /// The ring whose sums are added to ([`Placement::rings`]).
    pub ring: Option<usize>,
    /// Where rows are sorted by delay: the distinct delays, longest first.
    pub sorted: Vec<u16>,
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

    /// Whether the spikes are looked at as masks, or those of earlier steps too.
    pub(super) fn needs_bits(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::OneToOne(_) => true,
            Part::Sparse(rows) => !rows.sorted.is_empty(),
            Part::Dense(_) => false,
        })
    }

    /// What is looked up for each spike: the first address and the distance from neuron to neuron.
    pub(super) fn looked_up(&self) -> impl Iterator<Item = (u32, u32)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Dense(rows) => Some((rows.address, rows.row_bytes)),
            Part::Sparse(rows) => Some((rows.table, 4)),
            Part::OneToOne(_) => None,
        })
    }
}

/// A bundle whose layout is being decided.
pub(super) struct Draft {
    group: Group,
    parts: Vec<DraftPart>,
}

struct DraftPart {
    /// Indices of projections.
    members: Vec<usize>,
    form: Form,
    space: Space,
}

enum Form {
    Dense,
    Sparse { shape: Shape, base: u32, format: RowFormat },
    OneToOne,
}

/// Decides for each projection between dense and sparse rows.
pub(super) fn drafts(network: &Network, options: &Options, groups: Vec<Group>) -> Vec<Draft> {
    let mut dense = Vec::new();
    for index in 0..network.projections.len() {
        let direct = matches!(kind(network, index), Kind::Direct);
        dense.push(direct && can_be_dense(network, index) && (!wants_sparse(network, options, index)));
    }
    make_room_in_lanes(network, &options.config, &mut dense);
    groups.into_iter().map(|group| draft(network, group, &dense)).collect()
}

fn draft(network: &Network, group: Group, dense: &[bool]) -> Draft {
    let mut parts: Vec<DraftPart> = Vec::new();
    for &member in &group.members {
        let form = match kind(network, member) {
            Kind::OneToOne => Form::OneToOne,
            _ if dense[member] => Form::Dense,
            _ => Form::Sparse { shape: Shape::default(), base: 0, format: RowFormat::Split },
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

fn wants_sparse(network: &Network, options: &Options, index: usize) -> bool {
    match options.rows {
        RowLayout::Dense => false,
        RowLayout::Sparse | RowLayout::Split | RowLayout::Packed => true,
        RowLayout::Auto => {
            let projection = &network.projections[index];
            let blocks = f64::from(network.populations[projection.target].size.div_ceil(LANES as u32));
            let shape = Rows { members: vec![member(network, index, 0)], ..rows(network, &[index]) }.shape();
            let unit = if shape.constant.is_some() { 4.0 } else { 5.0 };
            // Loading and storing the sums costs as much again in a step with one spike; a row has to be looked up.
            unit * mean(&shape) + 8.0 < 3.0 * blocks
        }
    }
}

fn mean(shape: &Shape) -> f64 {
    shape.units() as f64 / (shape.lengths.len().max(1)) as f64
}

/// Makes rows dense, where that is possible, until the variables of sparse rows fit into lane-local memory; those that take most
/// of it first.
fn make_room_in_lanes(network: &Network, config: &MachineConfig, dense: &mut [bool]) {
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
        let rows: u64 = rings + taken.iter().map(|(blocks, _)| *blocks).sum::<u64>();
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

/// The variables of a population that sparse rows add to.
pub(super) fn lane_variables(network: &Network, drafts: &[Draft], population: usize) -> Vec<usize> {
    let sparse = drafts.iter().flat_map(|draft| &draft.parts).filter(|part| matches!(part.form, Form::Sparse { .. }));
    let members = sparse.flat_map(|part| &part.members).filter(|member| kind(network, **member) != Kind::Ring);
    let projections = members.map(|member| &network.projections[*member]);
    projections.filter(|projection| projection.target == population).map(|projection| projection.variable).collect()
}

fn member(network: &Network, index: usize, base: u32) -> Member<'_> {
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
fn rows<'a>(network: &'a Network, members: &[usize]) -> Rows<'a> {
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
fn placed_rows<'a>(network: &'a Network, placement: &Placement, members: &[usize]) -> (Rows<'a>, u32) {
    let mut rows = rows(network, members);
    let home = |index: usize| -> (u32, u32) {
        let Projection { target, variable, delays, .. } = &network.projections[index];
        if matches!(delays, Delays::Ring(_)) {
            let mut rings = placement.rings.iter();
            let ring = rings.find(|ring| (ring.population, ring.variable) == (*target, *variable));
            return ring.map_or((0, 2), |ring| (2 * ring.row, 2 * ring.slots));
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

/// Finds the lengths of all sparse rows.
pub(super) fn lay_out(network: &Network, placement: &Placement, drafts: &mut [Draft]) {
    for part in drafts.iter_mut().flat_map(|draft| &mut draft.parts) {
        if let Form::Sparse { shape, base, .. } = &mut part.form {
            let (rows, lowest) = placed_rows(network, placement, &part.members);
            (*shape, *base) = (rows.shape(), lowest);
        }
    }
}

/// What a part can be, and what that takes.
struct Choice {
    format: Option<RowFormat>,
    space: Space,
    /// Bytes of rows.
    bytes: u64,
    /// Bytes of the longest piece that is brought from DRAM at once.
    piece: u64,
    cycles: f64,
}

impl Choice {
    fn vector_bytes(&self) -> u64 {
        if self.space == Space::Vector { self.bytes } else { 0 }
    }
}

/// Vectors of sums that are held in registers at once.
pub(crate) const CHUNK: u32 = 24;

/// Cycles to find a spike's row.
const FIND: f64 = 14.0;
/// Cycles to start a transfer and to wait for it, besides the transfer.
const TRANSFER: f64 = 18.0;

fn choices(network: &Network, placement: &Placement, options: &Options, part: &DraftPart) -> Vec<Choice> {
    let sources = f64::from(network.source_size(network.projections[part.members[0]].source));
    let mut choices = Vec::new();
    let mut add = |format: Option<RowFormat>, bytes: u64, piece: u64, vector: f64, dram: f64| {
        for (space, cycles) in [(Space::Vector, vector), (Space::Dram, dram)] {
            choices.push(Choice { format, space, bytes, piece, cycles: cycles * sources });
        }
    };
    match &part.form {
        Form::OneToOne => return Vec::new(),
        Form::Dense => {
            let blocks: u32 = part.members.iter().map(|index| blocks(network, *index)).sum();
            let chunks = f64::from(blocks.div_ceil(CHUNK));
            let blocks_f = f64::from(blocks);
            let bytes = u64::from(blocks) * u64::from(VECTOR_BYTES);
            let piece = u64::from(blocks.min(CHUNK)) * u64::from(VECTOR_BYTES);
            let vector = 2.0 * blocks_f + 8.0 * chunks;
            add(None, bytes * sources as u64, piece, vector, 4.0 * blocks_f + TRANSFER * chunks);
        }
        Form::Sparse { shape, .. } => {
            let projection = &network.projections[part.members[0]];
            let ring = matches!(projection.delays, Delays::Ring(_));
            let reach = if ring {
                let find =
                    |ring: &&super::Ring| (ring.population, ring.variable) == (projection.target, projection.variable);
                placement.rings.iter().find(find).map_or(shape.reach, |ring| ring.bytes)
            } else {
                shape.reach
            };
            let constant = shape.constant.filter(|_| !ring).map(RowFormat::Constant);
            let packed = shape.packed(reach);
            let formats = match options.rows {
                RowLayout::Split => vec![Some(RowFormat::Split)],
                RowLayout::Packed if packed.is_some() => vec![packed],
                _ => vec![constant, Some(RowFormat::Split), packed],
            };
            let longest = u64::from(shape.lengths.iter().copied().max().unwrap_or(0));
            for format in formats.into_iter().flatten() {
                let unit = match format {
                    _ if ring => 7.0,
                    RowFormat::Constant(_) => 4.0,
                    RowFormat::Split => 5.0,
                    RowFormat::Packed { .. } => 6.0,
                };
                let bytes = u64::from(format.unit_bytes());
                let (mean, moved) = (mean(shape), bytes as f64 / 16.0);
                let vector = unit * mean + FIND;
                let dram = (unit * mean + FIND + TRANSFER / 2.0).max(moved * mean + TRANSFER);
                add(Some(format), shape.units() * bytes, longest * bytes, vector, dram);
            }
        }
    }
    choices.retain(|choice| match options.weights {
        WeightMemory::Auto => true,
        WeightMemory::Vector => choice.space == Space::Vector,
        WeightMemory::Dram => choice.space == Space::Dram,
    });
    choices
}

fn blocks(network: &Network, projection: usize) -> u32 {
    network.populations[network.projections[projection].target].size.div_ceil(LANES as u32)
}

/// Chooses formats and memories: at first what costs least, then, as long as vector memory does not hold it, whatever frees
/// bytes of it at the least cost.
pub(super) fn settle(
    network: &Network,
    placement: &Placement,
    options: &Options,
    drafts: &mut [Draft],
    allocator: &Allocator,
) {
    let lane_by_lane = drafts.iter().flat_map(|draft| &draft.parts).filter(|part| matches!(part.form, Form::OneToOne));
    let sizes = lane_by_lane.map(|part| network.source_size(network.projections[part.members[0]].source));
    let others: u64 = sizes.map(row_bytes).sum();
    let parts: Vec<&mut DraftPart> = drafts
        .iter_mut()
        .flat_map(|draft| &mut draft.parts)
        .filter(|part| !matches!(part.form, Form::OneToOne))
        .collect();
    let all: Vec<Vec<Choice>> = parts.iter().map(|part| choices(network, placement, options, part)).collect();
    let cheapest = |choices: &Vec<Choice>| {
        let costs = choices.iter().enumerate();
        costs.min_by(|(_, a), (_, b)| a.cycles.total_cmp(&b.cycles).then(a.bytes.cmp(&b.bytes))).map_or(0, |(at, _)| at)
    };
    let mut taken: Vec<usize> = all.iter().map(cheapest).collect();
    // Besides rows: one-to-one weights, and a vector behind the last row.
    let taken_already = allocator.used(Space::Vector) + others + u64::from(VECTOR_BYTES);
    let room = u64::from(options.config.vector_bytes).saturating_sub(taken_already);
    loop {
        let chosen = || all.iter().zip(&taken).map(|(choices, at)| &choices[*at]);
        let buffers = 2 * chosen().filter(|c| c.space == Space::Dram).map(|c| c.piece).max().unwrap_or(0);
        if chosen().map(Choice::vector_bytes).sum::<u64>() + buffers <= room {
            break;
        }
        let mut best: Option<(f64, usize, usize)> = None;
        for (part, (choices, at)) in all.iter().zip(&taken).enumerate() {
            for (other, choice) in choices.iter().enumerate() {
                let freed = choices[*at].vector_bytes().saturating_sub(choice.vector_bytes());
                let price = (choice.cycles - choices[*at].cycles) / freed as f64;
                if freed > 0 && best.is_none_or(|(least, ..)| price < least) {
                    best = Some((price, part, other));
                }
            }
        }
        let Some((_, part, other)) = best else { break };
        taken[part] = other;
    }
    for ((part, choices), at) in parts.into_iter().zip(&all).zip(taken) {
        part.space = choices[at].space;
        if let (Form::Sparse { format, .. }, Some(chosen)) = (&mut part.form, choices[at].format) {
            *format = chosen;
        }
    }
}

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
        Form::Sparse { shape, base, format } => {
            let bytes = shape.units() * u64::from(format.unit_bytes());
            let sorted = matches!(first.delays, Delays::Sorted(_)).then(|| rows(network, &part.members).delays);
            let sorted = sorted.unwrap_or_default();
            let table = 4 * (shape.lengths.len() as u64 + 1 + sorted.len() as u64);
            let table = allocator.take(format!("{}, starts of rows", names.join(" + ")), Space::Scalar, table, None);
            let address = allocator.take_laid_out(name, part.space, bytes, number_format, format.name());
            let ring = matches!(first.delays, Delays::Ring(_)).then(|| {
                let found = |ring: &super::Ring| (ring.population, ring.variable) == (first.target, first.variable);
                placement.rings.iter().position(found)
            });
            Part::Sparse(SparseRows {
                format: *format,
                space: part.space,
                address,
                table,
                longest: shape.lengths.iter().copied().max().unwrap_or(0),
                base: *base,
                saturating,
                ring: ring.flatten(),
                sorted,
            })
        }
    }
}

/// Two buffers in vector memory for the longest piece of a row that comes from DRAM.
pub(super) fn buffers(bundles: &[Bundle], allocator: &mut Allocator) -> [u32; 2] {
    let pieces = bundles.iter().flat_map(|bundle| &bundle.parts).map(|part| match part {
        Part::Dense(dense) if dense.space == Space::Dram => dense.row_bytes.min(CHUNK * VECTOR_BYTES),
        Part::Sparse(rows) if rows.space == Space::Dram => rows.longest * rows.format.unit_bytes(),
        Part::Dense(_) | Part::Sparse(_) | Part::OneToOne(_) => 0,
    });
    let longest = pieces.max().unwrap_or(0);
    if longest == 0 {
        return [0; 2];
    }
    [1, 2].map(|number| allocator.take(format!("row from DRAM, buffer {number}"), Space::Vector, longest.into(), None))
}

/// What the arrays of the bundles hold: calls `each` with a memory, an address and bytes or words.
pub(super) struct Writer<'a> {
    pub(super) network: &'a Network,
    pub(super) placement: &'a Placement,
}

impl Writer<'_> {
    /// Writes the weights of all bundles into the memories, and the tables of their rows into scalar memory.
    pub(super) fn write(
        &self,
        drafts: &[Draft],
        vector: &mut super::memory::Bytes,
        dram: &mut super::memory::Bytes,
        scalar: &mut super::memory::Bytes,
    ) {
        let mut placed = self.placement.bundles.iter().flat_map(|bundle| &bundle.parts);
        for draft in drafts {
            let (near, far): (Vec<_>, Vec<_>) = draft.parts.iter().partition(|part| part.space == Space::Vector);
            for (part, placed) in near.into_iter().chain(far).zip(&mut placed) {
                let bytes = if part.space == Space::Vector { &mut *vector } else { &mut *dram };
                self.write_part(part, placed, bytes, scalar);
            }
        }
    }

    fn write_part(
        &self,
        part: &DraftPart,
        placed: &Part,
        bytes: &mut super::memory::Bytes,
        scalar: &mut super::memory::Bytes,
    ) {
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
            (Form::Sparse { shape, format, .. }, Part::Sparse(placed)) => {
                let (rows, _) = placed_rows(self.network, self.placement, &part.members);
                let starts = starts(&shape.lengths, format.unit_bytes());
                let end = placed.address as usize + starts.last().map_or(0, |end| *end as usize);
                rows.write(shape, *format, &mut bytes.bytes[placed.address as usize..end]);
                let slot = 4 * rows.sources.div_ceil(LANES as u32);
                let delays = placed.sorted.iter().map(|delay| u32::from(*delay) * slot);
                scalar
                    .put_words(placed.table as usize, starts.iter().map(|start| placed.address + start).chain(delays));
            }
            _ => {}
        }
    }

    fn write_dense(&self, index: usize, first: usize, row_bytes: usize, bytes: &mut super::memory::Bytes) {
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
}
