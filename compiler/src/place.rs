//! Placement: which memory each array lives in, and where.
//!
//! Contract: every array of the network gets an address; arrays do not overlap and fit into the machine, or the error
//! names the largest ones. The layout serves the code:
//! - a variable that a projection adds to is an array of its own, one vector of 32 neurons after the other;
//! - a population's other variables and its per-neuron parameters are interleaved, vector by vector, so that one pointer
//!   reaches them all;
//! - a weight row is as many vectors as the target has, padded with zeros;
//! - spikes are one bit per neuron, 32 to a word, in scalar memory. A recorded event has one slot per step and one before
//!   them, for the spikes of the step before the run.
//!
//! Not here: the code, and lane-local memory and DRAM, which nothing uses yet.

use fenn_isa::fixed::Format;
use fenn_isa::image::Segment;
use fenn_isa::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};
use serde::Serialize;

use crate::backend::Options;
use crate::kernel::Kernel;
use crate::network::{Network, Population, Quantity, Source, StatePolicy, Values};
use crate::regalloc::{SCALAR_SPILL_BYTES, VECTOR_SPILL_BYTES};
use crate::seed::generator_seeds;

/// Where everything is.
#[derive(Debug, Clone, Default)]
pub struct Placement {
    /// One for each of the network's inputs.
    pub inputs: Vec<InputPlace>,
    /// One for each of its populations.
    pub populations: Vec<PopulationPlace>,
    /// One for each of its projections: the address of the first row.
    pub weights: Vec<u32>,
    /// The generators' states, two vectors, where the network draws random numbers.
    pub seeds: Option<u32>,
    /// The word that tells a host that the program is done.
    pub ready_flag: Option<u32>,
    /// Initial contents.
    pub segments: Vec<Segment>,
    /// Every array, for the report.
    pub arrays: Vec<Array>,
}

/// Where the host writes the spikes of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputPlace {
    /// One slot per step.
    Bits(Spikes),
    /// One part per step.
    List(SpikeList),
}

/// A list of spikes in scalar memory, one part per step. A part is a word with the address of the next part, and for each
/// neuron `n` that spikes, in rising order, the word `base + scale·n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpikeList {
    /// Of the first part.
    pub address: u32,
    /// Bytes kept for all parts.
    pub bytes: u32,
    /// With [`SpikeList::scale`], makes an entry the address of the neuron's row of weights, where all readers' rows are as
    /// far apart; otherwise 0.
    pub base: u32,
    /// See [`SpikeList::base`]; otherwise 1.
    pub scale: u32,
    /// Projections that read it.
    pub readers: u32,
}

/// Spikes in scalar memory: `slots` times `words` words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spikes {
    /// Of the first slot.
    pub address: u32,
    /// Words in a slot.
    pub words: u32,
    /// One per step for inputs' bits, one more than steps for recorded events, otherwise one.
    pub slots: u32,
}

impl Spikes {
    /// Bytes of a slot.
    pub fn slot_bytes(&self) -> u32 {
        4 * self.words
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

/// Where a population's arrays are.
#[derive(Debug, Clone)]
pub struct PopulationPlace {
    /// Vectors of 32 neurons.
    pub blocks: u32,
    /// One for each variable.
    pub variables: Vec<Vectors>,
    /// Initial values of variables that differ from neuron to neuron and are reset before a run.
    pub initial: Vec<Option<Vectors>>,
    /// One for each parameter that differs from neuron to neuron.
    pub parameters: Vec<Option<Vectors>>,
    /// One for each event.
    pub events: Vec<Spikes>,
    /// One for each variable that is recorded: step 0, all blocks together.
    pub records: Vec<Option<u32>>,
}

/// One array, for the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Array {
    /// What it holds.
    pub name: String,
    /// Which memory, in words.
    #[serde(serialize_with = "space_name")]
    pub space: Space,
    /// Its first byte.
    pub address: u32,
    /// Its size.
    pub bytes: u64,
    /// How its numbers are read, if it holds numbers.
    pub format: Option<Format>,
}

fn space_name<S: serde::Serializer>(space: &Space, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(space)
}

/// The network does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the network needs {needed} bytes of {space}, which has {available}; largest: {}. Shorten the run, record less, \
     or use a machine with more memory (--vector-kib, --scalar-kib)",
    largest.iter().map(|array| format!("{} ({} bytes)", array.name, array.bytes)).collect::<Vec<_>>().join(", ")
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

/// Gives out addresses, one after the other.
struct Allocator {
    arrays: Vec<Array>,
    /// First free byte, by [`Space`].
    next: [u64; 5],
}

impl Allocator {
    /// Addresses are given out beyond the memory's end too; [`Allocator::fits`] tells in the end.
    fn take(&mut self, name: String, space: Space, bytes: u64, format: Option<Format>) -> u32 {
        let next = &mut self.next[space as usize];
        let address = u32::try_from(*next).unwrap_or(u32::MAX);
        self.arrays.push(Array { name, space, address, bytes, format });
        *next += bytes.next_multiple_of(u64::from(space.spec().alignment));
        address
    }

    fn fits(&self, config: &MachineConfig) -> Result<(), DoesNotFit> {
        for space in Space::ALL {
            let (needed, available) = (self.next[space as usize], u64::from(config.bytes(space)));
            if needed > available {
                let mut largest: Vec<_> = self.arrays.iter().filter(|array| array.space == space).cloned().collect();
                largest.sort_by_key(|array| std::cmp::Reverse(array.bytes));
                largest.truncate(3);
                return Err(DoesNotFit { space, needed, available, largest });
            }
        }
        Ok(())
    }

    fn spikes(&mut self, name: String, neurons: u32, slots: u32) -> Spikes {
        let words = neurons.div_ceil(32);
        let address = self.take(name, Space::Scalar, 4 * u64::from(words) * u64::from(slots), None);
        Spikes { address, words, slots }
    }
}

/// Places every array of `network`, which has been verified.
///
/// # Errors
/// A memory that is too small.
pub fn place(network: &Network, options: &Options) -> Result<Placement, DoesNotFit> {
    let mut allocator = Allocator { arrays: Vec::new(), next: [0; 5] };
    let mut placement = Placement::default();
    allocator.take("register spills".to_owned(), Space::Scalar, SCALAR_SPILL_BYTES.into(), None);
    allocator.take("register spills".to_owned(), Space::Vector, VECTOR_SPILL_BYTES.into(), None);
    if options.ready_flag {
        placement.ready_flag = Some(allocator.take("ready flag".to_owned(), Space::Scalar, 4, None));
    }
    for index in 0..network.populations.len() {
        placement.populations.push(population(network, index, &mut allocator));
    }
    for projection in &network.projections {
        let target = &network.populations[projection.target];
        let rows = u64::from(network.source_size(projection.source));
        let bytes = rows * row_bytes(target.size);
        let format = target.kernel.variables[projection.variable].ty.format;
        let name = format!("{} weights", projection.name);
        placement.weights.push(allocator.take(name, Space::Vector, bytes, Some(format)));
    }
    for index in 0..network.inputs.len() {
        let place = input(network, index, &placement, options, &mut allocator);
        placement.inputs.push(place);
    }
    if draws_random_numbers(network) {
        let bytes = 2 * u64::from(VECTOR_BYTES);
        placement.seeds = Some(allocator.take("generator seeds".to_owned(), Space::Vector, bytes, None));
    }
    allocator.fits(&options.config)?;
    placement.arrays = allocator.arrays;
    placement.segments = contents(network, &placement);
    Ok(placement)
}

/// Where an input's spikes go, once the weights have been placed.
fn input(
    network: &Network,
    index: usize,
    placement: &Placement,
    options: &Options,
    allocator: &mut Allocator,
) -> InputPlace {
    let input = &network.inputs[index];
    let name = format!("{} spikes", input.name);
    let Some(spikes) = options.listed_spikes(network, index) else {
        return InputPlace::Bits(allocator.spikes(name, input.size, network.steps));
    };
    let bytes = 4 * (u64::from(network.steps) + spikes);
    let address = allocator.take(name, Space::Scalar, bytes, None);
    let projections = network.projections.iter().enumerate();
    let readers: Vec<usize> =
        projections.filter(|(_, p)| p.source == Source::Input(index)).map(|(reader, _)| reader).collect();
    let stride = |reader: &usize| row_bytes(network.populations[network.projections[*reader].target].size);
    let (base, scale) = match readers.first() {
        Some(first) if readers.iter().all(|reader| stride(reader) == stride(first)) => {
            (placement.weights[*first], u32::try_from(stride(first)).unwrap_or(u32::MAX))
        }
        _ => (0, 1),
    };
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    InputPlace::List(SpikeList { address, bytes, base, scale, readers: readers.len() as u32 })
}

/// Bytes of a weight row for `size` targets.
pub fn row_bytes(size: u32) -> u64 {
    u64::from(size.div_ceil(LANES as u32)) * u64::from(VECTOR_BYTES)
}

fn population(network: &Network, index: usize, allocator: &mut Allocator) -> PopulationPlace {
    let population = &network.populations[index];
    let Population { name, size, kernel, .. } = population;
    let blocks = size.div_ceil(LANES as u32);
    let whole = row_bytes(*size);
    let is_target = |variable| network.projections.iter().any(|p| (p.target, p.variable) == (index, variable));
    let vectors = |address, members: u32| Vectors { address, stride: members * VECTOR_BYTES };

    let mut variables: Vec<Option<Vectors>> = vec![None; kernel.variables.len()];
    for (variable, slot) in kernel.variables.iter().enumerate().filter(|(variable, _)| is_target(*variable)) {
        let address = allocator.take(format!("{name}.{}", slot.name), Space::Vector, whole, Some(slot.ty.format));
        variables[variable] = Some(vectors(address, 1));
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
        inner.iter().for_each(|variable| variables[*variable] = places.next());
        varying.iter().for_each(|parameter| parameters[*parameter] = places.next());
    }
    let initial = population.variables.iter().zip(&kernel.variables).map(|(variable, slot)| {
        let restored = variable.reset && matches!(variable.initial, Values::PerNeuron(_));
        restored.then(|| {
            let name = format!("{name}.{} at reset", slot.name);
            vectors(allocator.take(name, Space::Vector, whole, Some(slot.ty.format)), 1)
        })
    });
    let initial = initial.collect();
    let records = kernel.variables.iter().enumerate().map(|(variable, slot)| {
        network.is_recorded(index, Quantity::Variable(variable)).then(|| {
            let name = format!("{name}.{} of every step", slot.name);
            allocator.take(name, Space::Vector, whole * u64::from(network.steps), Some(slot.ty.format))
        })
    });
    let records = records.collect();
    let events = kernel.events.iter().enumerate().map(|(event, event_name)| {
        let slots = if network.is_recorded(index, Quantity::Event(event)) { network.steps + 1 } else { 1 };
        allocator.spikes(format!("{name}.{event_name} spikes"), *size, slots)
    });
    let events = events.collect();
    let variables = variables.into_iter().map(|place| place.expect("a variable is a target or it is not")).collect();
    PopulationPlace { blocks, variables, initial, parameters, events, records }
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

/// Initial contents of every array that does not begin as zeros.
fn contents(network: &Network, placement: &Placement) -> Vec<Segment> {
    let mut vector = Bytes::new(Space::Vector, &placement.arrays);
    let mut segments = Vec::new();
    for (population, place) in network.populations.iter().zip(&placement.populations) {
        let states = population.variables.iter().map(|variable| &variable.initial);
        for (values, vectors) in states.clone().zip(&place.variables) {
            vector.put(values, *vectors, population.size);
        }
        for (values, vectors) in states.zip(&place.initial).chain(population.parameters.iter().zip(&place.parameters)) {
            if let Some(vectors) = vectors {
                vector.put(values, *vectors, population.size);
            }
        }
    }
    for (projection, address) in network.projections.iter().zip(&placement.weights) {
        let size = network.populations[projection.target].size;
        for row in 0..network.source_size(projection.source) {
            let start = u64::from(*address) + u64::from(row) * row_bytes(size);
            let mut codes = vec![0; size as usize];
            projection.weights.row(row, size, |synapse| codes[synapse.target as usize] += synapse.weight);
            vector.put_codes(start as usize, &codes);
        }
    }
    if let Some(address) = placement.seeds {
        for (lane, generator) in generator_seeds(network.seed).iter().enumerate() {
            let at = address as usize + 2 * lane;
            vector.put_codes(at, &[generator.s0 as i16]);
            vector.put_codes(at + VECTOR_BYTES as usize, &[generator.s1 as i16]);
        }
    }
    segments.extend(vector.into_segment());
    let scalar = placement.arrays.iter().filter(|array| array.space == Space::Scalar);
    let end = scalar.map(|array| u64::from(array.address) + array.bytes).max().unwrap_or(0);
    segments.push(Segment::zeros(Space::Scalar, 0, end as u32));
    segments
}

/// The contents of one memory while they are put together.
struct Bytes {
    space: Space,
    bytes: Vec<u8>,
}

impl Bytes {
    fn new(space: Space, arrays: &[Array]) -> Self {
        let of_space = arrays.iter().filter(|array| array.space == space);
        let end = of_space.map(|array| u64::from(array.address) + array.bytes).max().unwrap_or(0);
        Self { space, bytes: vec![0; end as usize] }
    }

    fn put_codes(&mut self, at: usize, codes: &[i16]) {
        let bytes = self.bytes[at..].chunks_exact_mut(2);
        bytes.zip(codes).for_each(|(bytes, code)| bytes.copy_from_slice(&code.to_le_bytes()));
    }

    /// Uniform values fill the padding too, as the code that resets them does.
    fn put(&mut self, values: &Values, vectors: Vectors, size: u32) {
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
    fn into_segment(mut self) -> Option<Segment> {
        let size = u32::try_from(self.bytes.len()).ok().filter(|size| *size > 0)?;
        let used = self.bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.bytes.truncate(used.next_multiple_of(VECTOR_BYTES as usize).min(size as usize));
        Some(Segment { space: self.space, address: 0, bytes: self.bytes, size })
    }
}

/// Whether the schedule reads `source` before its population's update: then a step sees the previous step's spikes.
pub fn reads_previous_step(network: &Network, projection: usize) -> bool {
    use crate::network::Phase;
    let Source::Events { population, .. } = network.projections[projection].source else { return false };
    let position = |phase| network.schedule.iter().position(|p| *p == phase);
    position(Phase::Propagate(projection)) < position(Phase::Update(population))
}

/// Whether spikes survive from one run to the next.
pub fn carries_spikes(network: &Network) -> bool {
    network.state == StatePolicy::Carried
}
