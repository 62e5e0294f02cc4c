//! The kernels of `programs/kernels`, in lockstep, and the loops whose cycles are promised.
//!
//! Contract: [`CALLS`] has a call of every function there; [`run_all`] assembles each kernel with a program that calls it
//! on random data, and compares it as any other. Whether the results are right is the testbench's other tests' business:
//! here the core and the simulator agree on them, whatever they are.

use std::path::{Path, PathBuf};

use fenn_assembler::{Options, Source, assemble, diagnostic};
use fenn_isa::image::Image;
use fenn_isa::memory::Space;
use fenn_isa::timing::StallCause;
use fenn_iss::{StallTable, Stop};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::axi::Pace;
use crate::configuration::CONFIGURATIONS;
use crate::lockstep::{End, Lockstep};

/// Why a kernel could not be compared.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Bytes of the given number of vectors.
const fn vectors(count: u32) -> u32 {
    64 * count
}

/// A program of calls: the sources it needs, and each function with its arguments.
pub struct Calls {
    /// Names of the sources.
    pub sources: &'static [&'static str],
    /// What is called.
    pub calls: &'static [(&'static str, &'static [u32])],
}

const fn calls(sources: &'static [&'static str], calls: &'static [(&'static str, &'static [u32])]) -> Calls {
    Calls { sources, calls }
}

/// Calls of every function; kernels that are programs of their own have none.
pub const CALLS: &[Calls] = &[
    calls(&["hello"], &[]),
    calls(&["lif"], &[]),
    calls(
        &["memory_scalar"],
        &[
            ("memcpy_scalar", &[1000, 2000, 64]),
            ("memcpy_scalar", &[1001, 2002, 67]),
            ("memset_scalar", &[1003, 0x1a5, 40]),
        ],
    ),
    calls(
        &["memory_vector"],
        &[
            ("memcpy_vector", &[vectors(5), vectors(50), vectors(11)]),
            ("memset_vector", &[vectors(70), 0x8001, vectors(9)]),
        ],
    ),
    calls(
        &["memory_lane"],
        &[
            ("memcpy_lane", &[0, 128, 40]),
            ("memset_lane", &[256, 0x1234, 32]),
            ("lane_from_vector", &[512, vectors(3), 20]),
            ("lane_to_vector", &[vectors(100), 0, 20]),
        ],
    ),
    calls(
        &["memory_dram"],
        &[
            ("memcpy_dram", &[0x2_0000, 0x1000, vectors(37), 0, vectors(8)]),
            ("memset_dram", &[0x3_0000, 0x7fff, vectors(21), vectors(64), vectors(4)]),
        ],
    ),
    calls(&["multiply"], &[("rng_seed", &[0]), ("multiply", &[vectors(100), vectors(10), 5])]),
    calls(&["exp"], &[("exp_init", &[]), ("exp", &[vectors(200), vectors(10), 6])]),
    calls(&["multiply", "poisson"], &[("rng_seed", &[0]), ("poisson", &[vectors(100), 4, 110])]),
    calls(&["neuron_lif"], &[("neuron_lif", &[0, vectors(3), vectors(6), 0, 3, 31_170, 640, 5])]),
    calls(
        &["multiply", "neuron_alif"],
        &[("rng_seed", &[vectors(20)]), ("neuron_alif", &[0, vectors(2), vectors(4), vectors(6), 0, 2, 256])],
    ),
    calls(
        &["propagate_dense"],
        &[
            ("propagate_dense", &[64, 3, vectors(1000), vectors(9), vectors(10)]),
            ("propagate_dense", &[64, 0, vectors(1000), vectors(4), vectors(10)]),
        ],
    ),
    calls(&["propagate_sparse"], &[("propagate_sparse", &[64, 3, vectors(64), vectors(3), 200])]),
    calls(
        &["propagate_delayed"],
        &[("propagate_delayed", &[64, 2, vectors(100), vectors(4), 512, 40]), ("collect_delayed", &[0, 512 + 40, 4])],
    ),
    calls(&["dma_rows"], &[("dma_rows", &[0, 5, 0x1000, vectors(16), 0, vectors(16)])]),
];

/// Where the kernels are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../programs/kernels")
}

fn assembled(calls: &Calls) -> Result<Image, Failure> {
    let mut sources = Vec::new();
    if !calls.calls.is_empty() {
        let mut text = "_start:\n".to_owned();
        for (function, arguments) in calls.calls {
            for (index, argument) in arguments.iter().enumerate() {
                text += &format!("        li      a{index}, {argument:#x}\n");
            }
            text += &format!("        call    {function}\n");
        }
        sources.push(Source::new("calls.s", text + "        ecall\n"));
    }
    for name in calls.sources {
        let name = format!("{name}.s");
        sources.push(Source::new(name.clone(), std::fs::read_to_string(folder().join(name))?));
    }
    image(&sources)
}

fn image(sources: &[Source]) -> Result<Image, Failure> {
    let (image, diagnostics) = assemble(sources, &Options::default());
    image.ok_or_else(|| diagnostic::render(&diagnostics, sources, false).into())
}

/// What the kernels came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compared {
    /// Programs.
    pub programs: u64,
    /// Cycles compared.
    pub cycles: u64,
}

/// Runs every kernel in lockstep on the board's core, and compares all memories that it has changed.
///
/// # Errors
/// The first difference, a kernel that does not assemble, or one that does not come to its end.
pub fn run_all() -> Result<Compared, Failure> {
    let mut compared = Compared::default();
    for calls in CALLS {
        let image = assembled(calls)?;
        let mut lockstep = Lockstep::new(&CONFIGURATIONS[0], 0)?;
        let own_data = calls.calls.is_empty();
        lockstep.load(&image)?;
        if !own_data {
            data(&mut lockstep)?;
        }
        let name = || calls.sources.join(", ");
        let end =
            lockstep.run(image.entry, Pace::Steady, 2_000_000).map_err(|failure| format!("{}: {failure}", name()))?;
        if !matches!(end, End::Stop(Stop::Ecall { .. } | Stop::ReadyFlag { .. })) {
            return Err(format!("{} does not end: {end:?}", name()).into());
        }
        lockstep.compare_memories().map_err(|failure| format!("{}: {failure}", name()))?;
        compared.programs += 1;
        compared.cycles += lockstep.cycles();
    }
    Ok(compared)
}

/// Random data where the calls expect some. Tables that a kernel brings in scalar memory stay as they are.
fn data(lockstep: &mut Lockstep) -> Result<(), Failure> {
    let mut source = Pcg64Mcg::seed_from_u64(3);
    let mut bytes = |count: usize| -> Vec<u8> { (0..count).map(|_| source.random()).collect() };
    let vector = bytes(vectors(400) as usize);
    lockstep.write(Space::Vector, 0, &vector)?;
    let weights = bytes(vectors(1000) as usize);
    lockstep.write(Space::Vector, vectors(1000), &weights)?;
    let lane = bytes(32 << 10);
    lockstep.write(Space::LaneLocal, 0, &lane)?;
    let dram = bytes(64 << 10);
    lockstep.write(Space::Dram, 0, &dram)?;
    let mut scalar = [0; 512];
    lockstep.read(Space::Scalar, 0, &mut scalar)?;
    if scalar.iter().all(|byte| *byte == 0) {
        // Row numbers below 40 in the first words, then spikes and parameters.
        let words: Vec<u8> = (0..8_u32).flat_map(|index| (index * 5 % 40).to_le_bytes()).chain(bytes(480)).collect();
        lockstep.write(Space::Scalar, 0, &words)?;
    }
    Ok(())
}

/// Cycles of a loop's turn, and what was lost in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loop {
    /// For 32 synapses, or 32 neurons.
    pub cycles: f64,
    /// Lost for other reasons than results that were not ready, for 32.
    pub other_stalls: f64,
    /// Lost for results that were not ready, for 32.
    pub data_stalls: f64,
}

/// 32 synapses a vector, four vectors a turn, weights resident: the loop of `propagate_dense`.
///
/// # Errors
/// A difference between the core and the simulator, or a program that does not end.
pub fn dense() -> Result<Loop, Failure> {
    let source = std::fs::read_to_string(folder().join("propagate_dense.s"))?;
    let program = |vectors: u32| {
        let start = format!(
            "_start: li a0, 0\n li a1, 1\n li a2, 0x20000\n li a3, {}\n li a4, 0\n call propagate_dense\n ecall\n .data\n .word 1\n",
            64 * vectors
        );
        vec![Source::new("dense.s", start), Source::new("propagate_dense.s", source.clone())]
    };
    slope(program)
}

/// As [`dense`], of synapses that say where they go: gather, add, scatter, with base encodings.
///
/// # Errors
/// As [`dense`].
pub fn sparse() -> Result<Loop, Failure> {
    let program = |vectors: u32| {
        let mut text = format!("_start: li t1, 0\n li t2, {}\n li a4, 0\n1:\n", 64 * vectors);
        for vector in 0..4 {
            text += &format!(" vloadv v{vector}, {}(t1)\n", 64 * vector);
        }
        for vector in 0..4 {
            // One after the other: two synapses of a lane may go to the same target.
            text += &format!(" vandadd v4, v{vector}, a4, 10\n vloadl v5, 0(v4)\n vsrai v6, v{vector}, 10\n");
            text += " vadd_s v5, v5, v6\n vstorel v5, 0(v4)\n";
        }
        text += " addi t1, t1, 256\n bne t1, t2, 1b\n ecall\n";
        vec![Source::new("sparse.s", text)]
    };
    slope(program)
}

/// The update of 32 LIF neurons: the loop of `neuron_lif`.
///
/// # Errors
/// As [`dense`].
pub fn lif() -> Result<Loop, Failure> {
    let source = std::fs::read_to_string(folder().join("neuron_lif.s"))?;
    let program = |vectors: u32| {
        let start = format!(
            "_start: li a0, 0\n li a1, 0x8000\n li a2, 0x10000\n li a3, 0\n li a4, {vectors}\n li a5, 31170\n li a6, 640\n li a7, 5\n call neuron_lif\n ecall\n"
        );
        vec![Source::new("lif.s", start), Source::new("neuron_lif.s", source.clone())]
    };
    slope(program)
}

/// What one vector more costs: the difference of two lengths, which leaves out what is before and behind the loop.
fn slope(program: impl Fn(u32) -> Vec<Source>) -> Result<Loop, Failure> {
    const LENGTHS: [u32; 2] = [64, 192];
    let mut runs = Vec::new();
    for length in LENGTHS {
        let image = image(&program(length))?;
        let mut lockstep = Lockstep::new(&CONFIGURATIONS[0], 0)?;
        lockstep.load(&image)?;
        let end = lockstep.run(image.entry, Pace::Steady, 1_000_000)?;
        if !matches!(end, End::Stop(Stop::Ecall { .. })) {
            return Err(format!("the loop does not end: {end:?}").into());
        }
        runs.push((lockstep.machine().state().cycles, *lockstep.machine().stalls()));
    }
    let count = f64::from(LENGTHS[1] - LENGTHS[0]);
    let stalls: StallTable = runs[1].1.since(&runs[0].1);
    let data = [StallCause::LoadUse, StallCause::ScalarResult, StallCause::VectorResult, StallCause::VectorToScalar];
    let data: u64 = data.iter().map(|cause| stalls.get(*cause)).sum();
    Ok(Loop {
        cycles: (runs[1].0 - runs[0].0) as f64 / count,
        other_stalls: (stalls.total() - data) as f64 / count,
        data_stalls: data as f64 / count,
    })
}
