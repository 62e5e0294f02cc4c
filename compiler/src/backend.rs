//! The back end: a network to a program image.
//!
//! Contract: verify, place, lower, improve ([`crate::passes`]), allocate registers (checked afresh), link, and describe the result in a manifest. The
//! same network and options give the same bytes.
//!
//! Not here: where networks come from, and files.

use std::collections::BTreeMap;

use fenn_isa::code::{Label, LinkError, link};
use fenn_isa::image::manifest::{
    self, Data, Encoding, EntryPoint, Input, InputSpikes, Manifest, Output, Population, Readout, Recording, SpikeArray,
    VERSION, ValueArray, Variable,
};
use fenn_isa::image::{Image, ImageError, Segment, Symbol, SymbolKind};
use fenn_isa::memory::{MachineConfig, Space, VECTOR_BYTES};
use fenn_isa::timing::{FENN, Profile};
use serde::Serialize;

use crate::ir::{Code, Inst, Item};
use crate::lower::{INIT, RUN, lower};
use crate::network::{Delays, Network, Quantity, Source};
use crate::passes::{self, Context, PassError};
use crate::place::{
    Array, DoesNotFit, Home, InputPlace, Placement, RowLayout, SpikeList, WeightMemory, place, row_bytes,
};
use crate::regalloc::{AllocationError, allocate};
use crate::verify::{VerifyError, verify};

/// What a program is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The machine.
    pub config: MachineConfig,
    /// How long its instructions take; the code is put in an order that suits it, and runs on any other too.
    pub profile: &'static Profile,
    /// End a run by setting a word in scalar memory and spinning, as a board's host expects, rather than by `ecall`.
    pub ready_flag: bool,
    /// In which form the host writes the inputs' spikes.
    pub input: InputForm,
    /// Where rows of weights are to be.
    pub weights: WeightMemory,
    /// How they are to be laid out.
    pub rows: RowLayout,
}

/// In which form a host writes the spikes of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InputForm {
    /// A list where it is certain to be long enough for every sample and takes no more than a quarter of scalar memory,
    /// otherwise bits: a list costs the program fewer instructions, whatever the spikes are.
    #[default]
    Auto,
    /// One bit per neuron and step.
    Bits,
    /// A list with room for so many spikes in a run; if not stated, for as many as there can be. An input whose spikes of
    /// earlier steps are needed, because they act later, is in bits all the same.
    List(Option<u32>),
}

/// Whether a projection looks at the input's spikes of earlier steps.
fn looked_back_on(network: &Network, input: usize) -> bool {
    let readers = network.projections.iter().filter(|projection| projection.source == Source::Input(input));
    readers.map(|reader| &reader.delays).any(|delays| match delays {
        Delays::None | Delays::Ring(_) => false,
        Delays::Uniform(_) | Delays::Sorted(_) => delays.longest() > 0,
    })
}

impl Options {
    /// Room for how many spikes the list of input `index` has; `None` for bits.
    pub(crate) fn listed_spikes(&self, network: &Network, index: usize) -> Option<u64> {
        let input = &network.inputs[index];
        let most = match input.encoding {
            Encoding::Spikes => u64::from(input.size) * u64::from(network.steps),
            // Every neuron spikes once or not at all.
            Encoding::Latency { .. } => input.size.into(),
        };
        match self.input {
            InputForm::Bits => None,
            _ if looked_back_on(network, index) => None,
            InputForm::List(spikes) => Some(spikes.map_or(most, |spikes| most.min(spikes.into()))),
            InputForm::Auto => {
                let bytes = 4 * (u64::from(network.steps) + most) * network.inputs.len() as u64;
                (bytes <= u64::from(self.config.scalar_bytes / 4)).then_some(most)
            }
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: MachineConfig::default(),
            profile: &FENN,
            ready_flag: false,
            input: InputForm::default(),
            weights: WeightMemory::default(),
            rows: RowLayout::default(),
        }
    }
}

/// A program, and how it came out.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The program.
    pub image: Image,
    /// Memory and code.
    pub report: Report,
    /// The machine code before register allocation, as text.
    pub listing: String,
}

/// Memory use and code size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Every array, in the order of placement.
    pub arrays: Vec<Array>,
    /// Bytes used and bytes there are, of each memory that is used.
    pub memories: Vec<MemoryUse>,
    /// Instructions in the program.
    pub instructions: usize,
    /// Instructions of each part of the program, in order.
    pub parts: Vec<Part>,
    /// Scalar and vector values kept in memory for want of registers.
    pub spilled: [u32; 2],
}

/// How much of a memory is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryUse {
    /// Its name.
    pub memory: String,
    /// Bytes used.
    pub used: u64,
    /// Bytes there are.
    pub available: u64,
}

/// A named stretch of code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its symbol.
    pub name: String,
    /// Its instructions.
    pub instructions: usize,
}

/// Why a network has no program.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It contradicts itself.
    #[error("the network is not well-formed: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Network(Vec<VerifyError>),
    /// A memory is too small.
    #[error(transparent)]
    DoesNotFit(#[from] DoesNotFit),
    /// Its code does not fit into instruction memory.
    #[error("the program has {needed} instructions, and instruction memory holds {available}; use a machine with more")]
    TooMuchCode {
        /// What it has.
        needed: usize,
        /// What fits.
        available: u32,
    },
    /// A pass left code that is not well-formed.
    #[error(transparent)]
    Code(#[from] PassError),
    /// Its neuron programs are too complex.
    #[error(transparent)]
    Registers(#[from] AllocationError),
    /// A jump is too far, or the compiler has a bug.
    #[error("the program cannot be linked: {0}")]
    Link(#[from] LinkError),
    /// A computed jump relies on a layout that its targets do not have.
    #[error(
        "the targets of the computed jump `{jump}` are not as far apart as it relies on, which is a bug in the compiler"
    )]
    Layout {
        /// The jump.
        jump: String,
    },
    /// The result is not a well-formed image, which is a bug in the compiler.
    #[error("the program image is wrong, which is a bug in the compiler: {0}")]
    Image(#[from] ImageError),
}

/// Compiles `network`.
///
/// # Errors
/// See [`CompileError`].
pub fn compile(network: &Network, options: &Options) -> Result<Compiled, CompileError> {
    verify(network).map_err(CompileError::Network)?;
    let placement = place(network, options)?;
    let mut code = lower(network, &placement);
    passes::run(&mut code, &Context { profile: options.profile })?;
    let allocation = allocate(&code)?;
    let linked = link(&allocation.items(), 0)?;
    check_layout(&allocation.code, &linked.labels)?;
    let available = options.config.instruction_bytes / 4;
    if linked.words.len() > available as usize {
        return Err(CompileError::TooMuchCode { needed: linked.words.len(), available });
    }
    let symbols = symbols(&code, &linked.labels, &placement, linked.words.len());
    let text = linked.words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut image = Image {
        config: options.config,
        entry: 0,
        ready_flag: placement.ready_flag,
        segments: [vec![Segment::new(Space::Instruction, 0, text)], placement.segments.clone()].concat(),
        symbols,
        ..Image::default()
    };
    image.manifest = Some(describe(network, &placement, &image));
    image.sort();
    image.check()?;
    let report = report(&image, &placement, &options.config, linked.words.len(), allocation.spilled);
    Ok(Compiled { image, report, listing: code.to_string() })
}

/// Whether the targets of computed jumps lie as far apart as those rely on.
fn check_layout(code: &Code, labels: &[Option<u32>]) -> Result<(), CompileError> {
    for item in &code.items {
        let Item::Inst(inst @ Inst { targets: Some(targets), .. }) = item else { continue };
        let Some(spacing) = targets.spacing else { continue };
        let at = |label: Label| labels.get(label.0 as usize).copied().flatten();
        let follows = |pair: &[Label]| at(pair[1]) == at(pair[0]).map(|address| address + spacing);
        if !targets.labels.windows(2).all(follows) {
            return Err(CompileError::Layout { jump: inst.to_string() });
        }
    }
    Ok(())
}

/// Named labels, each reaching to the next one, and the arrays.
fn symbols(code: &Code, labels: &[Option<u32>], placement: &Placement, words: usize) -> Vec<Symbol> {
    let named = code.names.iter().zip(labels).filter_map(|(name, address)| Some((name.clone()?, (*address)?)));
    let mut named: Vec<(String, u32)> = named.collect();
    named.sort_by_key(|(_, address)| *address);
    let ends: Vec<u32> = named.iter().skip(1).map(|(_, address)| *address).chain([4 * words as u32]).collect();
    let code = named.into_iter().zip(ends).map(|((name, address), end)| Symbol {
        name,
        space: Space::Instruction,
        address,
        size: end - address,
        kind: SymbolKind::Function,
        global: true,
    });
    let arrays = placement.arrays.iter().map(|array| Symbol {
        name: array.name.replace(' ', "_"),
        space: array.space,
        address: array.address,
        size: array.bytes as u32,
        kind: SymbolKind::Object,
        global: false,
    });
    code.chain(arrays).collect()
}

fn describe(network: &Network, placement: &Placement, image: &Image) -> Manifest {
    let entry =
        |name: &str| image.symbol(name).map(|symbol| EntryPoint { name: name.to_owned(), address: symbol.address });
    let inputs = network.inputs.iter().zip(&placement.inputs).map(|(input, spikes)| Input {
        name: input.name.clone(),
        neurons: input.size,
        encoding: input.encoding.clone(),
        spikes: match *spikes {
            InputPlace::Bits(spikes) => InputSpikes::Bits(SpikeArray {
                address: spikes.first_step(),
                words: spikes.words,
                steps: network.steps,
            }),
            InputPlace::List(SpikeList { address, bytes, base, scale, .. }) => {
                InputSpikes::List(manifest::SpikeList { address, bytes, base, scale })
            }
        },
    });
    let outputs = network.outputs.iter().map(|output| {
        let population = &network.populations[output.population];
        let last = output.readout == Readout::Last;
        Output {
            name: population.name.clone(),
            neurons: population.size,
            data: data(network, placement, output.population, output.quantity, last),
            readout: output.readout,
        }
    });
    let recordings = network.recordings.iter().map(|recording| {
        let population = &network.populations[recording.population];
        let kernel = &population.kernel;
        Recording {
            population: population.name.clone(),
            name: match recording.quantity {
                Quantity::Variable(index) => kernel.variables[index].name.clone(),
                Quantity::Event(index) => kernel.events[index].clone(),
            },
            neurons: population.size,
            data: data(network, placement, recording.population, recording.quantity, false),
        }
    });
    let populations = network.populations.iter().map(|population| Population {
        name: population.name.clone(),
        neurons: population.size,
        variables: population
            .kernel
            .variables
            .iter()
            .map(|slot| Variable { name: slot.name.clone(), format: slot.ty.format })
            .collect(),
    });
    Manifest {
        version: VERSION,
        name: network.name.clone(),
        generator: concat!("fenn-cc ", env!("CARGO_PKG_VERSION")).to_owned(),
        time_step_ms: network.time_step_ms,
        steps: network.steps,
        state: network.state,
        seed: placement.seeds.map(|_| network.seed),
        entry_points: [INIT, RUN].into_iter().filter_map(entry).collect(),
        inputs: inputs.collect(),
        outputs: outputs.collect(),
        recordings: recordings.collect(),
        populations: populations.collect(),
    }
}

/// Where a quantity is: its state at the end (`last`), or every step's.
fn data(network: &Network, placement: &Placement, population: usize, quantity: Quantity, last: bool) -> Data {
    let place = &placement.populations[population];
    let whole = row_bytes(network.populations[population].size) as u32;
    match quantity {
        Quantity::Event(event) => {
            let spikes = place.events[event];
            Data::Spikes(SpikeArray { address: spikes.first_step(), words: spikes.words, steps: network.steps })
        }
        Quantity::Variable(variable) => {
            let format = network.populations[population].kernel.variables[variable].ty.format;
            Data::Values(match place.records[variable].filter(|_| !last) {
                Some(address) => {
                    ValueArray { address, stride: VECTOR_BYTES, steps: network.steps, step_stride: whole, format }
                }
                None => {
                    let vectors = match (place.variables[variable], place.copies[variable]) {
                        (Home::Vector(vectors), _) | (Home::Lane { .. }, Some(vectors)) => vectors,
                        (Home::Lane { .. }, None) => unreachable!("outputs in lane-local memory have copies"),
                    };
                    ValueArray { address: vectors.address, stride: vectors.stride, steps: 1, step_stride: 0, format }
                }
            })
        }
    }
}

fn report(
    image: &Image,
    placement: &Placement,
    config: &MachineConfig,
    instructions: usize,
    spilled: [u32; 2],
) -> Report {
    let mut used: BTreeMap<Space, u64> = BTreeMap::from([(Space::Instruction, 4 * instructions as u64)]);
    for array in &placement.arrays {
        let end = u64::from(array.address) + array.bytes;
        let so_far = used.entry(array.space).or_default();
        *so_far = end.max(*so_far);
    }
    let memories = used.into_iter().map(|(space, used)| MemoryUse {
        memory: space.to_string(),
        used,
        available: config.bytes(space).into(),
    });
    let parts = image.symbols.iter().filter(|symbol| symbol.space == Space::Instruction);
    let parts = parts.map(|symbol| Part { name: symbol.name.clone(), instructions: symbol.size as usize / 4 });
    Report {
        arrays: placement.arrays.clone(),
        memories: memories.collect(),
        instructions,
        parts: parts.collect(),
        spilled,
    }
}
