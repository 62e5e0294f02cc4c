//! The back end: a network to a program image.
//!
//! Contract: verify, place, lower, improve ([`crate::passes`]), allocate registers (checked afresh), link, and describe the result in a manifest. The
//! same network and options give the same bytes.
//!
//! Not here: where networks come from, and files.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use fenn_isa::code::{Label, LinkError, Linked, link};
use fenn_isa::image::{Image, ImageError, Segment, Symbol, SymbolKind};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::timing::{FENN, Profile};
use serde::Serialize;

use crate::contract::{InputForm, describe};
use crate::estimate::{Estimate, estimate};
use crate::ir::{Code, Inst, Item};
use crate::lower::{Limits, lower};
use crate::network::Network;
use crate::passes::{self, Context, PassError};
use crate::place::{Array, DoesNotFit, LayoutChoice, Placement, RowLayout, WeightMemory, place};
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
    /// The most samples in a launch.
    pub batch: NonZeroU32,
    /// Whether a host can hand over samples and take away results while the program runs; the batch's places are a ring then.
    pub stream: bool,
    /// Whether the program counts what its phases take.
    pub counters: bool,
    /// Where rows of weights are to be.
    pub weights: WeightMemory,
    /// How they are to be laid out.
    pub rows: RowLayout,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: MachineConfig::default(),
            profile: &FENN,
            ready_flag: false,
            input: InputForm::default(),
            batch: NonZeroU32::MIN,
            stream: false,
            counters: false,
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
    /// How rows of weights came to be laid out as they are.
    pub rows: Vec<LayoutChoice>,
    /// Bytes used and bytes there are, of each memory that is used.
    pub memories: Vec<MemoryUse>,
    /// Instructions in the program.
    pub instructions: usize,
    /// Instructions of each part of the program, in order.
    pub parts: Vec<Part>,
    /// What the parts of a step are reckoned to take.
    pub estimates: Vec<Estimate>,
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
    let available = options.config.instruction_bytes / 4;
    let [first, rest @ ..] = Limits::ALL;
    let mut assembled = assemble(network, &placement, first, options)?;
    for limits in rest {
        if assembled.linked.words.len() > available as usize {
            assembled = assemble(network, &placement, limits, options)?;
        }
    }
    let Assembled { code, listing, linked, spilled } = assembled;
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
    let mut report = report(&image, &placement, &options.config, linked.words.len(), spilled);
    report.estimates = estimate(&code, options.profile);
    Ok(Compiled { image, report, listing })
}

/// Code at its addresses.
struct Assembled {
    /// On virtual registers, with the allocator's instructions.
    code: Code,
    /// Before registers were allocated.
    listing: String,
    linked: Linked,
    /// See [`Report::spilled`].
    spilled: [u32; 2],
}

fn assemble(
    network: &Network,
    placement: &Placement,
    limits: Limits,
    options: &Options,
) -> Result<Assembled, CompileError> {
    let mut code = lower(network, placement, limits);
    passes::run(&mut code, &Context { profile: options.profile })?;
    let allocation = allocate(&code)?;
    let linked = link(&allocation.items(), 0)?;
    check_layout(&allocation.code, &linked.labels)?;
    Ok(Assembled { listing: code.to_string(), code: allocation.code, linked, spilled: allocation.spilled })
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
        rows: placement.choices.clone(),
        memories: memories.collect(),
        instructions,
        parts: parts.collect(),
        estimates: Vec::new(),
        spilled,
    }
}
