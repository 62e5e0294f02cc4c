//! Placement: which memory each array lives in, where, and how it is laid out.
//!
//! Contract: every array of the network gets an address; arrays do not overlap and fit into the machine, or the error
//! names the largest ones. The layout serves the code:
//! - projections that see the same spikes are a [`Bundle`]: one scan finds the rows of all of them;
//! - dense rows are as many vectors as all their targets have, padded with zeros. Sparse rows ([`RowFormat`]) name their
//!   targets by addresses in lane-local memory; rows of convolutions that are equal but for their place may be shared
//!   ([`SharedRows`]); one-to-one weights are vectors beside their targets;
//! - a variable that sparse or shared rows add to lives in lane-local memory; one that only dense rows add to is an array of its own in
//!   vector memory, one vector of 32 neurons after the other;
//! - sums that are due later are rings in lane-local memory;
//! - a population's other variables and its per-neuron parameters are interleaved in vector memory, vector by vector, so that
//!   one pointer reaches them all;
//! - rows live in vector memory as far as they fit, those that gain most first, and the others in DRAM, with two buffers in
//!   vector memory for the DMA engine;
//! - spikes are one bit per neuron, 32 to a word, in scalar memory: one slot per step where they are given or recorded,
//!   with as many before the first as delays and the step before the run ask for; otherwise one slot, or a ring of them.
//!
//! Not here: the code.

use fenn_isa::image::Segment;
use fenn_isa::image::manifest::{STREAM_UNIT, Stream};
use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};

use crate::backend::Options;
use crate::kernel::Kernel;
use crate::network::{Delays, Network, Output, Population, Quantity, Readout, Source, StatePolicy, Values, Window};
use crate::regalloc::{SCALAR_SPILL_BYTES, VECTOR_SPILL_BYTES};

mod assign;
mod bundle;
mod choose;
mod contents;
mod delays;
mod draft;
mod memory;
mod plan;
mod rows;
mod shared;

pub use bundle::{Bundle, Delayed, Dense, DenseTarget, Marks, OneToOne, OneToOneWeights, Part, SharedRows, SparseRows};
pub use choose::{Alternative, LayoutChoice};
pub(crate) use choose::{CHUNK, TIMED};
pub use delays::DelayCosts;
pub use memory::{Array, DoesNotFit};
pub use plan::{Action, When};
pub use rows::RowFormat;

use memory::Allocator;

/// Where everything is.
#[derive(Debug, Clone, Default)]
pub struct Placement {
    /// One for each of the network's inputs.
    pub inputs: Vec<InputPlace>,
    /// One for each of its populations.
    pub populations: Vec<PopulationPlace>,
    /// Sums that are due later.
    pub rings: Vec<Ring>,
    /// Functions that neuron programs look up.
    pub tables: Vec<TablePlace>,
    /// Its projections.
    pub bundles: Vec<Bundle>,
    /// How their rows came to be laid out as they are.
    pub choices: Vec<LayoutChoice>,
    /// What happens in a step.
    pub actions: Vec<Action>,
    /// Two buffers for rows from DRAM, in vector memory.
    pub buffers: [u32; 2],
    /// The generators' states, two vectors, where the network draws random numbers.
    pub seeds: Option<u32>,
    /// The word that tells a host that the program is done.
    pub ready_flag: Option<u32>,
    /// The most samples in a launch.
    pub samples: u32,
    /// The word in which a host says how many samples a launch has, if it can have several.
    pub count: Option<u32>,
    /// Where several samples' costs are noted.
    pub marks: Option<u32>,
    /// The words in which a host and the running program say how far they are, where they do.
    pub stream: Option<Stream>,
    /// One for each of the network's outputs: where its numbers are brought for a host that cannot wait for the program's end.
    pub codes: Vec<Option<Codes>>,
    /// The table of counters and its rows, if there is one.
    pub counters: Option<(u32, u32)>,
    /// Initial contents.
    pub segments: Vec<Segment>,
    /// Every array, for the report.
    pub arrays: Vec<Array>,
}

/// Where rows of weights are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightMemory {
    /// In vector memory as far as they fit, in DRAM otherwise.
    #[default]
    Auto,
    /// All in vector memory.
    Vector,
    /// All in DRAM.
    Dram,
}

/// How rows of weights are to be laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowLayout {
    /// As costs least.
    #[default]
    Auto,
    /// Dense where that is possible.
    Dense,
    /// Sparse, in the format that costs least.
    Sparse,
    /// Sparse, addresses and weights in vectors of their own.
    Split,
    /// Sparse, address and weight in one number where they fit.
    Packed,
    /// Convolutions by rows that neurons share; others as costs least.
    Shared,
}

/// Where the host writes the spikes of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputPlace {
    /// One slot per step.
    Bits(Spikes),
    /// One part per step.
    List(SpikeList),
}

/// A list of spikes in scalar memory, one part per step of each sample of a launch. A part is a word with the address of the next part, and for each
/// neuron `n` that spikes, in rising order, the word `base + scale·n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpikeList {
    /// Of the first part.
    pub address: u32,
    /// Bytes kept for all parts of a sample.
    pub sample_bytes: u32,
    /// With [`SpikeList::scale`], makes an entry the address of what the first reader looks up for the neuron, where all
    /// readers look up something as far apart; otherwise 0.
    pub base: u32,
    /// See [`SpikeList::base`]; otherwise 1.
    pub scale: u32,
    /// Bundles that read it.
    pub readers: u32,
}

/// Spikes in scalar memory. Where each step has a slot, those of a launch's samples follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spikes {
    /// Of the first slot.
    pub address: u32,
    /// Words in a slot.
    pub words: u32,
    /// Which slots there are.
    pub slots: Slots,
}

/// Slots of spikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slots {
    /// One, for the latest update.
    Latest,
    /// `before` for what was before the run, then one for each of its steps.
    Steps {
        /// Slots before the first step's.
        before: u32,
        /// Steps.
        steps: u32,
    },
    /// The latest `count` updates', one after the other, round and round.
    Ring {
        /// How many.
        count: u32,
        /// The word that keeps the place of the latest from run to run, where spikes are carried over.
        position: Option<u32>,
    },
}

impl Spikes {
    /// Bytes of a slot.
    pub fn slot_bytes(&self) -> u32 {
        4 * self.words
    }

    /// Slots of one sample.
    pub fn count(&self) -> u32 {
        match self.slots {
            Slots::Latest => 1,
            Slots::Steps { before, steps } => before + steps,
            Slots::Ring { count, .. } => count,
        }
    }

    /// The slot of the first step, where each step has one.
    pub fn first_step(&self) -> u32 {
        match self.slots {
            Slots::Steps { before, .. } => self.address + before * self.slot_bytes(),
            Slots::Latest | Slots::Ring { .. } => self.address,
        }
    }
}

/// Vectors in vector memory: block `b` (neurons `32·b` to `32·b + 31`) is at `address + b·stride`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vectors {
    /// Of block 0.
    pub address: u32,
    /// From block to block.
    pub stride: u32,
}

/// Where a variable's codes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In vector memory.
    Vector(Vectors),
    /// In lane-local memory: block `b` is at byte `2·(row + b)` of each lane.
    Lane {
        /// Of block 0.
        row: u32,
    },
}

/// Numbers of an output in scalar memory: of each vector the first `lanes`, vector by vector, step by step. The samples of a launch
/// follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes {
    /// Of the first number.
    pub address: u32,
    /// How many of a vector's are kept: an even number.
    pub lanes: u32,
    /// Vectors of one step.
    pub blocks: u32,
    /// Steps of one sample.
    pub steps: u32,
}

impl Codes {
    /// Bytes of one step.
    pub fn step_bytes(&self) -> u32 {
        2 * self.lanes * self.blocks
    }

    /// Bytes of one sample.
    pub fn sample_bytes(&self) -> u32 {
        self.steps.saturating_mul(self.step_bytes())
    }
}

/// Sums of a variable that are due in later updates: those for block `b` that are due `d` updates after the next one are, `t`
/// updates after the first, at byte `2·row + (2·(b·slots + d + t) mod bytes)` of each lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// The target.
    pub population: usize,
    /// Its variable.
    pub variable: usize,
    /// First row of lane-local memory.
    pub row: u32,
    /// Sums of a block.
    pub slots: u32,
    /// Bytes in each lane: a power of two.
    pub bytes: u32,
    /// The word that keeps `2·t mod bytes` from run to run, where state is carried over.
    pub position: Option<u32>,
}

/// Where a table is: in every lane the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlace {
    /// First row of lane-local memory.
    pub row: u32,
    /// How many rows.
    pub entries: u32,
    /// What the program fills them with, in scalar memory: a halfword for each.
    pub source: u32,
    /// The entries.
    pub codes: Vec<i16>,
}

/// Where a population's arrays are.
#[derive(Debug, Clone)]
pub struct PopulationPlace {
    /// Vectors of 32 neurons.
    pub blocks: u32,
    /// One for each variable.
    pub variables: Vec<Home>,
    /// Of variables that differ from neuron to neuron, what they begin with, where the program has to bring it there.
    pub initial: Vec<Option<Vectors>>,
    /// Of variables that a host reads after a run and cannot read where they are, for they are in lane-local memory or the
    /// next sample's by then: the copy at the end of a run. Those of a launch's samples follow each other.
    pub copies: Vec<Option<Vectors>>,
    /// One for each parameter that differs from neuron to neuron.
    pub parameters: Vec<Option<Vectors>>,
    /// One for each event.
    pub events: Vec<Spikes>,
    /// One for each of the kernel's tables: which of [`Placement::tables`].
    pub tables: Vec<usize>,
    /// One for each variable that is recorded: the first step that is kept, all blocks together, and so on; the samples of
    /// a launch follow each other. Behind the last there is room for one more, unless the last step of a run is kept.
    pub records: Vec<Option<u32>>,
    /// One for each event of which only some steps are kept: the first of these.
    pub kept: Vec<Option<u32>>,
}

/// Places every array of `network`, which has been verified.
///
/// # Errors
/// A memory that is too small.
pub fn place(network: &Network, options: &Options) -> Result<Placement, DoesNotFit> {
    let mut allocator = Allocator::default();
    let samples = options.batch.get();
    let mut placement = Placement { samples, ..Placement::default() };
    allocator.take("register spills".to_owned(), Space::Scalar, SCALAR_SPILL_BYTES.into(), None);
    allocator.take("register spills".to_owned(), Space::Vector, VECTOR_SPILL_BYTES.into(), None);
    if options.ready_flag {
        placement.ready_flag = Some(allocator.take("ready flag".to_owned(), Space::Scalar, 4, None));
    }
    if options.stream {
        let done = allocator.take("samples done".to_owned(), Space::Scalar, 4, None);
        let bytes = 16 * u64::from(samples);
        placement.marks = Some(allocator.take("cost of each sample".to_owned(), Space::Scalar, bytes, None));
        // What a host writes while the program runs is apart from what that writes.
        allocator.align(Space::Scalar, STREAM_UNIT);
        placement.count = Some(allocator.take("samples of a launch".to_owned(), Space::Scalar, 4, None));
        let ready = allocator.take("samples provided".to_owned(), Space::Scalar, 4, None);
        allocator.align(Space::Scalar, STREAM_UNIT);
        placement.stream = Some(Stream { ready, done });
    } else if samples > 1 {
        placement.count = Some(allocator.take("samples of a launch".to_owned(), Space::Scalar, 4, None));
        let bytes = 8 * (u64::from(samples) + 1);
        placement.marks = Some(allocator.take("cost of each sample".to_owned(), Space::Scalar, bytes, None));
    }
    placement.codes = codes(network, options, &mut allocator);
    let (groups, actions) = plan::plan(network);
    let mut drafts = draft::drafts(network, options, groups);
    placement.rings = rings(network, &mut allocator);
    let depths = Depths::of(network);
    for index in 0..network.populations.len() {
        let lane = draft::lane_variables(network, &drafts, index);
        placement.populations.push(population(network, index, &lane, &depths, options, &mut allocator));
    }
    tables(network, &mut placement, &mut allocator);
    if draws_random_numbers(network) {
        let bytes = 2 * u64::from(VECTOR_BYTES);
        placement.seeds = Some(allocator.take("generator seeds".to_owned(), Space::Vector, bytes, None));
    }
    draft::lay_out(network, &placement, &options.config, &mut drafts);
    placement.choices = choose::settle(network, &placement, options, &mut drafts, &allocator);
    (placement.bundles, placement.actions) = assign::place(network, &placement, &drafts, &actions, &mut allocator);
    let host_writes = if options.stream { STREAM_UNIT } else { 1 };
    allocator.align(Space::Scalar, host_writes);
    for index in 0..network.inputs.len() {
        let place = input(network, index, depths.inputs[index], &placement.bundles, options, &mut allocator);
        placement.inputs.push(place);
    }
    allocator.align(Space::Scalar, host_writes);
    if options.counters {
        let rows = PHASES_BESIDES + placement.actions.len() as u32;
        let bytes = 16 * u64::from(rows);
        placement.counters = Some((allocator.take("counters".to_owned(), Space::Scalar, bytes, None), rows));
    }
    placement.buffers = assign::buffers(&placement.bundles, &mut allocator);
    // Rows are read one vector ahead.
    if placement.bundles.iter().any(Bundle::reads_ahead) {
        allocator.take("end of rows".to_owned(), Space::Vector, VECTOR_BYTES.into(), None);
    }
    allocator.check(&options.config)?;
    placement.segments = contents::contents(network, &placement, &drafts, &allocator);
    placement.arrays = allocator.arrays;
    Ok(placement)
}

/// What is counted besides the actions of a step: nothing, the reset, and what is kept of a step and of a sample.
const PHASES_BESIDES: u32 = 4;

/// Where an input's spikes go, once the weights have been placed.
fn input(
    network: &Network,
    index: usize,
    depth: u32,
    bundles: &[Bundle],
    options: &Options,
    allocator: &mut Allocator,
) -> InputPlace {
    let input = &network.inputs[index];
    let name = format!("{} spikes", input.name);
    let readers: Vec<&Bundle> = bundles.iter().filter(|bundle| bundle.source == Source::Input(index)).collect();
    let listed = options.listed_spikes(network, index).filter(|_| !readers.iter().any(|bundle| bundle.needs_bits()));
    let Some(listed) = listed else {
        let slots = Slots::Steps { before: depth, steps: network.steps };
        return InputPlace::Bits(spikes(allocator, name, input.size, slots, options.batch.get()));
    };
    let sample_bytes = 4 * (u64::from(network.steps) + listed);
    let bytes = sample_bytes.saturating_mul(options.batch.get().into());
    let address = allocator.take(name, Space::Scalar, bytes, None);
    let looked_up: Vec<(u32, u32)> = readers.iter().flat_map(|bundle| bundle.looked_up()).collect();
    let (base, scale) = match looked_up.first() {
        Some(first) if looked_up.iter().all(|(_, stride)| *stride == first.1) => *first,
        _ => (0, 1),
    };
    let sample_bytes = u32::try_from(sample_bytes).unwrap_or(u32::MAX);
    InputPlace::List(SpikeList { address, sample_bytes, base, scale, readers: readers.len() as u32 })
}

/// Bytes of a dense row for `size` targets.
pub fn row_bytes(size: u32) -> u64 {
    u64::from(size.div_ceil(LANES as u32)) * u64::from(VECTOR_BYTES)
}

fn spikes(allocator: &mut Allocator, name: String, neurons: u32, slots: Slots, samples: u32) -> Spikes {
    let mut spikes = Spikes { address: 0, words: neurons.div_ceil(32), slots };
    let samples = if matches!(slots, Slots::Steps { .. }) { samples } else { 1 };
    let slots = u64::from(spikes.count()) * u64::from(samples);
    let bytes = u64::from(spikes.slot_bytes()).saturating_mul(slots);
    spikes.address = allocator.take(name, Space::Scalar, bytes, None);
    spikes
}

/// How many slots before the current one are looked at.
struct Depths {
    /// Per input: steps ago.
    inputs: Vec<u32>,
    /// Per population and event: updates before the latest one at the time.
    events: Vec<Vec<u32>>,
}

impl Depths {
    fn of(network: &Network) -> Self {
        let mut depths = Self {
            inputs: vec![0; network.inputs.len()],
            events: network.populations.iter().map(|population| vec![0; population.kernel.events.len()]).collect(),
        };
        for projection in &network.projections {
            let ago = if matches!(projection.delays, Delays::Ring(_)) { 0 } else { projection.delays.longest() };
            let depth = match projection.source {
                Source::Input(input) => &mut depths.inputs[input],
                Source::Events { population, event } => &mut depths.events[population][event],
            };
            *depth = ago.max(*depth);
        }
        depths
    }
}

/// A ring for every variable that synapses with delays of their own add to.
fn rings(network: &Network, allocator: &mut Allocator) -> Vec<Ring> {
    let mut rings = Vec::new();
    for (population, target) in network.populations.iter().enumerate() {
        for (variable, slot) in target.kernel.variables.iter().enumerate() {
            let into = network.projections.iter().filter(|p| (p.target, p.variable) == (population, variable));
            let delays = into.filter(|p| matches!(p.delays, Delays::Ring(_))).map(|p| p.delays.longest());
            let Some(longest) = delays.max() else { continue };
            let (blocks, slots) = (u64::from(target.size.div_ceil(LANES as u32)), u64::from(longest) + 1);
            let rows = (blocks * slots).next_power_of_two();
            let name = format!("{}.{}, due later", target.name, slot.name);
            let bytes = rows * u64::from(VECTOR_BYTES);
            let address = allocator.take(name, Space::LaneLocal, bytes, Some(slot.ty.format));
            let position = carries_spikes(network)
                .then(|| allocator.take(format!("{}.{}, time", target.name, slot.name), Space::Scalar, 4, None));
            let bytes = u32::try_from(2 * rows).unwrap_or(u32::MAX);
            rings.push(Ring {
                population,
                variable,
                row: address / VECTOR_BYTES,
                slots: slots as u32,
                bytes,
                position,
            });
        }
    }
    rings
}

fn population(
    network: &Network,
    index: usize,
    lane: &[usize],
    depths: &Depths,
    options: &Options,
    allocator: &mut Allocator,
) -> PopulationPlace {
    let samples = options.batch.get();
    let population = &network.populations[index];
    let Population { name, size, kernel, .. } = population;
    let blocks = size.div_ceil(LANES as u32);
    let whole = row_bytes(*size);
    let is_target = |variable| network.projections.iter().any(|p| (p.target, p.variable) == (index, variable));
    let vectors = |address, members: u32| Vectors { address, stride: members * VECTOR_BYTES };

    let mut variables: Vec<Option<Home>> = vec![None; kernel.variables.len()];
    for (variable, slot) in kernel.variables.iter().enumerate().filter(|(variable, _)| is_target(*variable)) {
        let (name, format) = (format!("{name}.{}", slot.name), Some(slot.ty.format));
        variables[variable] = Some(if lane.contains(&variable) {
            Home::Lane { row: allocator.take_rows(name, blocks, format) }
        } else {
            Home::Vector(vectors(allocator.take(name, Space::Vector, whole, format), 1))
        });
    }
    let inner: Vec<usize> = (0..variables.len()).filter(|variable| variables[*variable].is_none()).collect();
    let varying: Vec<usize> = per_neuron_parameters(population).collect();
    let members = (inner.len() + varying.len()) as u32;
    let mut parameters = vec![None; kernel.parameters.len()];
    if members > 0 {
        let variables_and = inner.iter().map(|variable| kernel.variables[*variable].name.as_str());
        let parameters_too = varying.iter().map(|parameter| kernel.parameters[*parameter].name.as_str());
        let names: Vec<&str> = variables_and.chain(parameters_too).collect();
        let names = format!("{name}.{{{}}}", names.join(", "));
        let address = allocator.take(names, Space::Vector, u64::from(members) * whole, None);
        let mut places = (0..members).map(|member| vectors(address.saturating_add(member * VECTOR_BYTES), members));
        inner.iter().for_each(|variable| variables[*variable] = places.next().map(Home::Vector));
        varying.iter().for_each(|parameter| parameters[*parameter] = places.next());
    }
    let variables: Vec<Home> =
        variables.into_iter().map(|place| place.expect("a variable is a target or it is not")).collect();
    let mut beside = |what: &str, variable: usize, times: u32| {
        let slot = &kernel.variables[variable];
        let name = format!("{name}.{} {what}", slot.name);
        let bytes = whole.saturating_mul(times.into());
        vectors(allocator.take(name, Space::Vector, bytes, Some(slot.ty.format)), 1)
    };
    let is_lane = |variable: usize| matches!(variables[variable], Home::Lane { .. });
    let initial = population.variables.iter().enumerate().map(|(index, variable)| {
        let differs = matches!(variable.initial, Values::PerNeuron(_));
        (differs && (variable.reset || is_lane(index))).then(|| beside("at reset", index, 1))
    });
    let initial = initial.collect();
    let read = |variable| {
        let quantity = Quantity::Variable(variable);
        let outputs = network.outputs.iter().filter(|output| output.readout == Readout::Last);
        outputs.into_iter().any(|output| (output.population, output.quantity) == (index, quantity))
    };
    let copies = (0..variables.len())
        .map(|variable| {
            let copied = (is_lane(variable) || samples > 1) && read(variable) && !options.stream;
            copied.then(|| beside("at the end", variable, samples))
        })
        .collect();
    // Windows that end before the run do, leave their pointers behind the last step kept until the sample's end.
    let places = |window: Window| {
        let count = window.count(network.steps);
        let last = window.from + count.saturating_sub(1) * window.every;
        u64::from(count) * u64::from(samples) + u64::from(last + 1 < network.steps)
    };
    let records = kernel.variables.iter().enumerate().map(|(variable, slot)| {
        network.kept(index, Quantity::Variable(variable)).map(|window| {
            let name = format!("{name}.{} of {}", slot.name, steps_of(window));
            let bytes = whole.saturating_mul(places(window));
            allocator.take(name, Space::Vector, bytes, Some(slot.ty.format))
        })
    });
    let records = records.collect();
    let window = |event| network.kept(index, Quantity::Event(event));
    let events = kernel.events.iter().enumerate().map(|(event, event_name)| {
        let depth = depths.events[index][event];
        let slots = if window(event) == Some(Window::WHOLE) {
            Slots::Steps { before: depth + 1, steps: network.steps }
        } else if depth == 0 {
            Slots::Latest
        } else {
            let name = format!("{name}.{event_name}, latest");
            let position = carries_spikes(network).then(|| allocator.take(name, Space::Scalar, 4, None));
            Slots::Ring { count: depth + 1, position }
        };
        spikes(allocator, format!("{name}.{event_name} spikes"), *size, slots, samples)
    });
    let events = events.collect();
    let kept = kernel.events.iter().enumerate().map(|(event, event_name)| {
        window(event).filter(|window| *window != Window::WHOLE).map(|window| {
            let name = format!("{name}.{event_name} of {}", steps_of(window));
            let bytes = 4 * u64::from(size.div_ceil(32)) * places(window);
            allocator.take(name, Space::Scalar, bytes, None)
        })
    });
    let kept = kept.collect();
    PopulationPlace { blocks, variables, initial, copies, parameters, events, tables: Vec::new(), records, kept }
}

/// Where the outputs' numbers are brought at the end of each run, if a host reads them while the program goes on.
fn codes(network: &Network, options: &Options, allocator: &mut Allocator) -> Vec<Option<Codes>> {
    let mut place = |output: &Output| {
        let Quantity::Variable(variable) = output.quantity else { return None };
        let population = &network.populations[output.population];
        let slot = &population.kernel.variables[variable];
        let blocks = population.size.div_ceil(LANES as u32);
        let lanes = if blocks == 1 { population.size.next_multiple_of(2) } else { LANES as u32 };
        let steps = if output.readout == Readout::Last { 1 } else { network.steps };
        let codes = Codes { address: 0, lanes, blocks, steps };
        let bytes = u64::from(codes.step_bytes()) * u64::from(steps) * u64::from(options.batch.get());
        let name = format!("{}.{} for the host", population.name, slot.name);
        Some(Codes { address: allocator.take(name, Space::Scalar, bytes, Some(slot.ty.format)), ..codes })
    };
    network.outputs.iter().map(|output| if options.stream { place(output) } else { None }).collect()
}

/// Places the tables of all kernels; equal ones once.
fn tables(network: &Network, placement: &mut Placement, allocator: &mut Allocator) {
    for (population, place) in network.populations.iter().zip(&mut placement.populations) {
        for table in &population.kernel.tables {
            let known = placement.tables.iter().position(|other| other.codes == table.codes);
            let index = known.unwrap_or_else(|| {
                let entries = table.codes.len() as u32;
                let row = allocator.take_rows(format!("table of {}", table.name), entries, None);
                let bytes = 2 * u64::from(entries);
                let source =
                    allocator.take(format!("table of {} to begin with", table.name), Space::Scalar, bytes, None);
                let codes = table.codes.clone();
                placement.tables.push(TablePlace { row, entries, source, codes });
                placement.tables.len() - 1
            });
            place.tables.push(index);
        }
    }
}

/// Which steps a window has, in words.
fn steps_of(window: Window) -> String {
    match window {
        Window::WHOLE => "every step".to_owned(),
        Window { from: 0, every } => format!("every {every} steps"),
        Window { from, every: 1 } => format!("the steps from {from} on"),
        Window { from, every } => format!("every {every} steps from {from} on"),
    }
}

/// The parameters that differ from neuron to neuron.
fn per_neuron_parameters(population: &Population) -> impl Iterator<Item = usize> {
    let parameters = population.parameters.iter().enumerate();
    parameters.filter(|(_, values)| matches!(values, Values::PerNeuron(_))).map(|(parameter, _)| parameter)
}

/// Whether the program needs seeded generators.
pub fn draws_random_numbers(network: &Network) -> bool {
    network.populations.iter().any(|population| Kernel::draws(&population.kernel))
}

/// Whether spikes survive from one run to the next.
pub fn carries_spikes(network: &Network) -> bool {
    network.state == StatePolicy::Carried
}
