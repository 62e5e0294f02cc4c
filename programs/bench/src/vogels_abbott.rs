//! The Vogels–Abbott benchmark at all published sizes: whole rows of weights and sparse ones, in vector memory and in DRAM.
//!
//! Each network comes from a seed by the published recipe. It is compiled once for each arrangement that the board was
//! measured in, and runs for one second under the timing profile `fenn`. Spikes of all steps come out in launches, as many
//! steps each as scalar memory has room for, and are compared with the published equations in the testbench's integers.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};

use fenn_compiler::backend;
use fenn_compiler::network::{Network as Described, Values};
use fenn_compiler::place::{RowLayout, WeightMemory};
use fenn_host::device::Limit;
use fenn_isa::image::manifest::PhaseKind;
use fenn_isa::memory::MachineConfig;
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::vogels_abbott_network::{Connectivity, STEPS, Spikes, drawn_description};
use maud::html;
use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};

use crate::chart::{Axis, Mark, Panel, Series, curves, raster, table as text_table};
use crate::program::{Failure, Line, Options, Outcome, Program, Section};
use crate::run::{compiled_large, described, session, steps as in_steps};

pub mod table;

use table::{Board, Gpu, Network};

/// The benchmark.
pub const PROGRAM: Program = Program {
    name: "vogels-abbott",
    title: "The Vogels–Abbott benchmark",
    about: "A balanced network of 320 to 16,000 neurons, whole rows of weights and sparse ones: time per step, beside the published board and GPU.",
    needs_data: true,
    run,
};

/// The published board's clock, in Hz, at which ours is reckoned too.
pub const CLOCK: f64 = 175e6;
/// Of connectivity and initial potentials, unless another is asked for.
const SEED: u64 = 1;
/// Scalar memory for the spikes of a launch; of the 128 KiB, the starts of 16,000 sparse rows take half.
const RECORDED_BYTES: usize = 48 << 10;
/// Instructions that the board has room for.
const BOARD_CODE: usize = 4096;
/// Excitatory neurons of the network that the published rates are quoted for.
const QUOTED: usize = 2048;
/// The greatest network with the usual probability.
const LARGEST: Network = Network { excitatory: 12_800, probability: 0.1 };
const DEVICE: &str = "FeNN's published measurements, 175 MHz (va_benchmark_device.csv)";
const GENN: &str = "GeNN on a GPU (va_benchmark_genn_gpu.csv)";

/// One arrangement of one network, on the simulator.
#[derive(Debug, Clone, PartialEq)]
struct Measured {
    board: Board,
    /// Of all launches.
    cycles: f64,
    instructions: f64,
    /// Of the neuron update and of event processing, of a program that counts them; only of the sizes of [`counted`].
    phases: Option<[f64; 2]>,
    /// Vectors of synapses that spikes brought.
    vectors: f64,
    /// Spikes of ours and of the reference that the other has not.
    wrong: usize,
    /// Instructions of the program.
    code: usize,
}

impl Measured {
    fn seconds(&self) -> f64 {
        self.cycles / CLOCK
    }
}

/// All arrangements of one network.
struct Case {
    network: Network,
    /// In the time that was run.
    spikes: [f64; 2],
    /// Synapses that spikes crossed.
    events: f64,
    measured: Vec<Measured>,
    /// Kept for the raster of one of them.
    raster: Option<Spikes>,
}

fn run(options: &Options<'_>) -> Result<Outcome, Failure> {
    let boards = table::boards(&options.data("published/va_benchmark_device.csv")?)?;
    let gpus = table::gpus(&options.data("published/va_benchmark_genn_gpu.csv")?)?;
    let seed = options.seed.unwrap_or(SEED);
    let mut networks: Vec<Network> = Vec::new();
    for board in &boards {
        if !networks.contains(&board.network) && (!options.small || board.network.excitatory == 256) {
            networks.push(board.network);
        }
    }
    // Largest first, so that no thread is left alone with one at the end.
    networks.sort_by_key(|network| std::cmp::Reverse(network.excitatory));
    let steps = if options.small { 100 } else { STEPS };
    let total: usize = networks.iter().map(Network::neurons).sum();
    let done = AtomicUsize::new(0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.jobs).build()?;
    let one = |network: &Network| {
        let share = done.load(Ordering::Relaxed) as f64 / total as f64;
        (options.progress)(&format!("{} neurons", network.neurons()), share);
        let case = case(*network, &boards, steps, seed, options);
        done.fetch_add(network.neurons(), Ordering::Relaxed);
        case
    };
    let cases: Result<Vec<Case>, Failure> =
        pool.install(|| networks.par_iter().with_max_len(1).map(one).collect::<Result<_, _>>());
    let mut cases = cases?;
    cases.reverse();
    let lines = if options.small { small_lines(&cases) } else { lines(&cases, &gpus)? };
    Ok(Outcome { seed: Some(seed), lines, sections: sections(&cases, &boards, &gpus, steps) })
}

/// The most steps of a launch whose spikes fit, of the divisors of a run's.
fn launch_steps(network: Network, steps: usize) -> usize {
    let bytes: usize = network.sizes().iter().map(|size| 4 * size.div_ceil(32)).sum();
    let fits = |launch: &usize| steps.is_multiple_of(*launch) && launch * bytes <= RECORDED_BYTES;
    (1..=steps).rev().find(fits).unwrap_or(1)
}

fn case(network: Network, boards: &[Board], steps: usize, seed: u64, options: &Options<'_>) -> Result<Case, Failure> {
    let launch = launch_steps(network, steps);
    let text = drawn_description(network.excitatory, network.probability, launch, seed);
    let name = format!("{}-{}", network.excitatory, network.probability);
    fenn_isa::file::write_whole(&options.out.join(format!("{name}.toml")), text.as_bytes())?;
    let described = described(&text, &name, options.out, None)?;
    let connectivity = connectivity(&described)?;
    let mut expected = connectivity.spikes();
    expected.iter_mut().for_each(|population| population.truncate(steps));
    let counts = [0, 1].map(|which| expected[which].iter().map(Vec::len).sum::<usize>() as f64);
    let events = events(&connectivity, &expected);
    drop(connectivity);
    let rows = boards.iter().filter(|board| board.network == network);
    let measured =
        rows.map(|board| measured(board, &described, steps / launch, &expected)).collect::<Result<_, _>>()?;
    let raster = (network.excitatory == if options.small { 256 } else { QUOTED }).then_some(expected);
    Ok(Case { network, spikes: counts, events, measured, raster })
}

/// The network as the testbench has it.
fn connectivity(network: &Described) -> Result<Connectivity, Failure> {
    let [excitatory, inhibitory] = &network.populations[..] else { return Err("there are two populations".into()) };
    let initial = [excitatory, inhibitory].map(|population| match &population.variables[0].initial {
        Values::Uniform(code) => vec![*code; population.size as usize],
        Values::PerNeuron(codes) => codes.clone(),
    });
    let sizes = [excitatory.size, inhibitory.size];
    let mut weights = [0; 2];
    let mut rows: [[Vec<Vec<u32>>; 2]; 2] = Default::default();
    for (index, projection) in network.projections.iter().enumerate() {
        let (source, target) = (index / 2, projection.target);
        let lists = (0..sizes[source]).map(|neuron| {
            let mut list = Vec::new();
            projection.weights.row(neuron, sizes[target], |synapse| {
                weights[source] = synapse.weight;
                list.push(synapse.target);
            });
            list
        });
        rows[source][target] = lists.collect();
    }
    Ok(Connectivity { initial, rows, weights })
}

/// Synapses that spikes cross.
fn events(connectivity: &Connectivity, spikes: &Spikes) -> f64 {
    let degree = |source: usize, neuron: u32| -> usize {
        connectivity.rows[source].iter().map(|rows| rows[neuron as usize].len()).sum()
    };
    let of = |source: usize| spikes[source].iter().flatten().map(move |neuron| degree(source, *neuron)).sum::<usize>();
    (of(0) + of(1)) as f64
}

fn measured(board: &Board, network: &Described, launches: usize, expected: &Spikes) -> Result<Measured, Failure> {
    let neurons = board.network.neurons();
    let wanted = (2 * neurons.next_multiple_of(32) * neurons) as u32;
    let machine = MachineConfig::default();
    let config = MachineConfig { dram_bytes: machine.dram_bytes.max(wanted.next_power_of_two()), ..machine };
    let options = backend::Options {
        config,
        weights: if board.dram { WeightMemory::Dram } else { WeightMemory::Vector },
        rows: if board.dense { RowLayout::Dense } else { RowLayout::Sparse },
        batch: NonZeroU32::MIN,
        ..backend::Options::default()
    };
    let plain = compiled_large(network, &options)?;
    let code = plain.report.instructions;
    let per_spike = [0, 1].map(|source| {
        let prefix = ["E_", "I_"][source];
        let own = plain.report.rows.iter().filter(|rows| rows.projections.iter().any(|name| name.starts_with(prefix)));
        own.map(|rows| rows.taken.bytes as f64).sum::<f64>() / 64.0 / board.network.sizes()[source] as f64
    });
    let mut session = session(&plain.image)?;
    drop(plain);
    let mut found: Spikes = Default::default();
    let (mut cycles, mut instructions) = (0, 0);
    for _ in 0..launches {
        let run = session.run(&[], Limit::default())?;
        cycles += run.finished.cycles;
        instructions += run.finished.instructions;
        for (population, array) in found.iter_mut().zip(session.recordings(0)?) {
            population.extend(in_steps(&array));
        }
    }
    drop(session);
    let counts = [0, 1].map(|which| found[which].iter().map(Vec::len).sum::<usize>() as f64);
    Ok(Measured {
        board: board.clone(),
        cycles: cycles as f64,
        instructions: instructions as f64,
        phases: match counted(board.network) {
            true => Some(phases(network, &backend::Options { counters: true, ..options }, launches)?),
            false => None,
        },
        vectors: counts[0] * per_spike[0] + counts[1] * per_spike[1],
        wrong: missing(expected, &found),
        code,
    })
}

/// Whether a network is run once more by a program that counts its phases, which costs as much again: the small ones and the
/// greatest one.
fn counted(network: Network) -> bool {
    network.excitatory <= 4096 || network == LARGEST
}

/// Cycles of the neuron update and of event processing, as the program itself counts them, less what counting takes.
fn phases(network: &Described, options: &backend::Options, launches: usize) -> Result<[f64; 2], Failure> {
    let program = compiled_large(network, options)?;
    let mut session = session(&program.image)?;
    drop(program);
    let mut cycles = [0.0, 0.0];
    for _ in 0..launches {
        let launch = session.launch(&[&[]], Limit::default())?;
        // In each step, each phase counts what counting takes as well.
        let (mut nothing, steps) = (0.0, f64::from(session.manifest().steps));
        let kinds = session.manifest().counters.iter().flat_map(|counters| &counters.phases).map(|phase| phase.kind);
        for (kind, count) in kinds.zip(&launch.counts) {
            match kind {
                PhaseKind::Nothing => nothing = count.cycles as f64,
                PhaseKind::Update => cycles[0] += count.cycles as f64 - steps * nothing,
                PhaseKind::Propagate => cycles[1] += count.cycles as f64 - steps * nothing,
                PhaseKind::Reset | PhaseKind::Record | PhaseKind::Finish => {}
            }
        }
    }
    Ok(cycles)
}

/// Spikes that only one of them has. Neurons of a step are in rising order.
fn missing(a: &Spikes, b: &Spikes) -> usize {
    let mut differences = 0;
    for (a, b) in a.iter().zip(b) {
        differences += a.len().abs_diff(b.len());
        for (a, b) in a.iter().zip(b) {
            differences += a.iter().filter(|neuron| b.binary_search(neuron).is_err()).count();
            differences += b.iter().filter(|neuron| a.binary_search(neuron).is_err()).count();
        }
    }
    differences
}

/// To whole parts of one, as gates are shown.
fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}

/// The published rates are of one second.
fn rate(spikes: f64, neurons: usize) -> f64 {
    spikes / neurons as f64
}

/// Vectors of 32 places that the board's spikes brought.
fn board_vectors(board: &Board) -> f64 {
    (board.spikes[0] * board.strides[0] + board.spikes[1] * board.strides[1]) / 32.0
}

/// What holds at any size.
fn small_lines(cases: &[Case]) -> Vec<Line> {
    let all = || cases.iter().flat_map(|case| &case.measured);
    let spikes: f64 = cases.iter().map(|case| case.spikes[0] + case.spikes[1]).sum();
    let wrong = all().map(|one| one.wrong).sum::<usize>() as f64;
    vec![
        Line::new(Figure::new("spikes that are not those of the published integers", wrong, "", Gate::Exactly(0.0)))
            .noted(format!("{spikes} spikes of {} networks, each in all its arrangements", cases.len())),
    ]
}

fn lines(cases: &[Case], gpus: &[Gpu]) -> Result<Vec<Line>, Failure> {
    let mut lines = small_lines(cases);
    lines.extend(rates(cases, gpus)?);
    let find = |excitatory: usize, probability: f64, dram: bool, dense: bool| {
        let network = Network { excitatory, probability };
        let case = cases.iter().find(|case| case.network == network);
        let one =
            case.and_then(|case| case.measured.iter().find(|one| (one.board.dram, one.board.dense) == (dram, dense)));
        one.ok_or_else(|| format!("the published table has no row for {excitatory} neurons any more"))
    };
    let largest = |dense: bool| find(LARGEST.excitatory, LARGEST.probability, true, dense);
    let (dense, sparse) = (largest(true)?, largest(false)?);
    let (Some(of_dense), Some(of_sparse)) = (dense.phases, sparse.phases) else {
        return Err("the phases of the greatest network were to be counted".into());
    };
    let per_neuron = |cycles: f64| cycles / (STEPS as f64 * dense.board.network.neurons() as f64);
    lines.push(
        Line::new(Figure::new(
            "16,000 neurons: neuron update per neuron and step",
            per_neuron(of_dense[0]),
            "cycles",
            Gate::AtMost(1.05),
        ))
        .beside(format!("{:.4}", per_neuron(dense.board.cycles[0])), DEVICE),
    );
    for (name, one, phases, most) in [("whole rows", dense, of_dense, 6.0), ("sparse rows", sparse, of_sparse, 7.8)] {
        let ours = phases[1] / one.vectors;
        let theirs = one.board.cycles[1] / board_vectors(&one.board);
        let figure = Figure::new(
            format!("16,000 neurons, {name}: event processing per vector of 32 synapses"),
            ours,
            "cycles",
            Gate::AtMost(most),
        );
        lines.push(Line::new(figure).beside(format!("{theirs:.3}"), DEVICE));
    }
    for (excitatory, probability, dram, dense) in [
        (256, 0.1, false, true),
        (256, 0.1, false, false),
        (256, 0.1, true, true),
        (256, 0.1, true, false),
        (2048, 0.1, true, true),
        (2048, 0.1, true, false),
        (8192, 0.1, true, true),
        (8192, 0.1, true, false),
        (12_800, 0.1, true, true),
        (12_800, 0.1, true, false),
        (12_800, 0.25, true, true),
        (12_800, 0.25, true, false),
        (8000, 0.01, true, false),
    ] {
        let one = find(excitatory, probability, dram, dense)?;
        let theirs = 1e3 * one.board.seconds;
        // Of the sparsest network the board's fired three times as often as the published recipe makes it.
        let alike = probability > 0.01;
        let figure = Figure::new(
            format!("{}: one second takes", arrangement(&one.board)),
            1e3 * one.seconds(),
            "ms",
            if alike { Gate::AtMost(rounded(theirs, 10.0)) } else { Gate::None },
        );
        let line = Line::new(figure).beside(format!("{theirs:.1}"), DEVICE);
        let ours = cases.iter().find(|case| case.network == one.board.network).map_or([0.0; 2], |case| case.spikes);
        lines.push(match (alike, one.code > BOARD_CODE) {
            (false, _) => line.noted(format!(
                "not comparable: {:.0} spikes, the board's network {:.0}, so its weights cannot have been those of the recipe",
                ours[0] + ours[1],
                one.board.spikes[0] + one.board.spikes[1]
            )),
            (true, true) => line.noted(too_large(one.code)),
            (true, false) => line,
        });
    }
    for (name, dense) in [("whole rows", true), ("sparse rows", false)] {
        let all =
            || cases.iter().flat_map(|case| &case.measured).filter(|one| one.board.dram && one.board.dense == dense);
        let largest = |seconds: fn(&Measured) -> f64| {
            let in_time = all().filter(|one| one.board.network.probability == 0.1 && seconds(one) <= 1.0);
            in_time.map(|one| one.board.network.neurons()).max().unwrap_or(0) as f64
        };
        let theirs = largest(|one| one.board.seconds);
        let figure = Figure::new(
            format!("{name}: most neurons in real time"),
            largest(Measured::seconds),
            "",
            Gate::AtLeast(theirs),
        );
        lines.push(
            Line::new(figure).beside(theirs, DEVICE).noted("of the sizes measured, of which 16,000 is the greatest"),
        );
    }
    for probability in [0.1, 0.25] {
        let one = find(12_800, probability, true, false)?;
        let events = cases.iter().find(|case| case.network == one.board.network).map_or(0.0, |case| case.events);
        let targets = probability * one.board.network.neurons() as f64;
        let theirs = 1e-6 * (one.board.spikes[0] + one.board.spikes[1]) * targets / one.board.seconds;
        let figure = Figure::new(
            format!("16,000 neurons, sparse rows, p = {probability}: synaptic events per second"),
            1e-6 * events / one.seconds(),
            "million",
            Gate::AtLeast(rounded(theirs, 1.0)),
        );
        lines.push(Line::new(figure).beside(format!("{theirs:.0}"), DEVICE).noted("padding not counted"));
    }
    Ok(lines)
}

fn rates(cases: &[Case], gpus: &[Gpu]) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    for (which, name) in ["excitatory", "inhibitory"].into_iter().enumerate() {
        let of = |network: Network, spikes: [f64; 2]| rate(spikes[which], network.sizes()[which]);
        let quoted =
            cases.iter().find(|case| case.network.excitatory == QUOTED).ok_or("there is no network of 2,560")?;
        let theirs = gpus.iter().filter(|gpu| gpu.network == quoted.network).map(|gpu| of(gpu.network, gpu.spikes));
        let (least, most) = theirs.fold((f64::INFINITY, 0.0f64), |(a, b), rate| (a.min(rate), b.max(rate)));
        let boards = quoted.measured.iter().map(|one| of(quoted.network, one.board.spikes));
        let (low, high) = boards.fold((f64::INFINITY, 0.0f64), |(a, b), rate| (a.min(rate), b.max(rate)));
        let figure = Figure::new(
            format!("2,560 neurons: rate of {name} ones"),
            of(quoted.network, quoted.spikes),
            "Hz",
            Gate::Between(rounded(0.95 * least, 100.0), rounded(1.05 * most, 100.0)),
        );
        lines.push(
            Line::new(figure)
                .beside(format!("{least:.2} to {most:.2}"), GENN)
                .noted(format!("the published board {low:.2} to {high:.2}, with other connections")),
        );
        let deviations: Vec<f64> = cases
            .iter()
            .flat_map(|case| {
                let theirs = gpus.iter().filter(|gpu| gpu.network == case.network);
                theirs.map(|gpu| 100.0 * (of(case.network, case.spikes) / of(gpu.network, gpu.spikes) - 1.0))
            })
            .collect();
        let mean = deviations.iter().sum::<f64>() / deviations.len().max(1) as f64;
        let greatest = deviations.iter().fold(0.0, |most: f64, one| most.max(one.abs()));
        let theirs: Vec<f64> = cases
            .iter()
            .flat_map(|case| &case.measured)
            .flat_map(|one| {
                let same = gpus.iter().filter(|gpu| gpu.network == one.board.network && gpu.dense == one.board.dense);
                same.map(|gpu| 100.0 * (one.board.spikes[which] / gpu.spikes[which] - 1.0))
            })
            .collect();
        let published = theirs.iter().sum::<f64>() / theirs.len().max(1) as f64;
        let figure = Figure::new(
            format!("all sizes: rate of {name} ones against GeNN's, mean"),
            mean,
            "%",
            Gate::Between(-5.0, 5.0),
        );
        lines.push(
            Line::new(figure)
                .beside(format!("{published:.1}"), "FeNN's published counts against GeNN's")
                .noted(format!("at most {greatest:.1} % off, at any size")),
        );
    }
    Ok(lines)
}

fn too_large(code: usize) -> String {
    format!("on a machine with more instruction memory than the board's {BOARD_CODE}: the program has {code}")
}

/// A name for a row of the published table.
fn arrangement(board: &Board) -> String {
    let p =
        if board.network.probability == 0.1 { String::new() } else { format!(", p = {}", board.network.probability) };
    format!(
        "{} neurons{p}, {} rows in {}",
        fenn_host::report::svg::grouped(board.network.neurons() as u64),
        if board.dense { "whole" } else { "sparse" },
        if board.dram { "DRAM" } else { "vector memory" }
    )
}

fn sections(cases: &[Case], boards: &[Board], gpus: &[Gpu], steps: usize) -> Vec<Section> {
    let seconds = steps as f64 / STEPS as f64;
    let tenth = |network: &Network| network.probability == 0.1;
    let micro = |network: &Network, seconds: f64| (network.neurons() as f64, 1e6 * seconds / STEPS as f64);
    let mut times = Vec::new();
    for (name, colour, dense) in [("whole rows", 0, true), ("sparse rows", 1, false)] {
        let ours = cases.iter().flat_map(|case| &case.measured).filter(|one| tenth(&one.board.network));
        let ours = ours.filter(|one| one.board.dram && one.board.dense == dense);
        let ours = ours.map(|one| micro(&one.board.network, one.seconds() / seconds)).collect();
        times.push(Series::line(format!("this toolchain, {name}"), colour, ours));
        let theirs = boards.iter().filter(|board| tenth(&board.network) && board.dram && board.dense == dense);
        let theirs = theirs.map(|board| micro(&board.network, board.seconds)).collect();
        times.push(Series::line(format!("published board, {name}"), colour, theirs).marked(Mark::Dashed));
        let gpu = gpus.iter().filter(|gpu| gpu.dense == dense).map(|gpu| micro(&gpu.network, gpu.seconds)).collect();
        times.push(Series::line(format!("GeNN on a GPU, {name}"), colour + 2, gpu).marked(Mark::Dashed));
    }
    let time = curves(
        "Time per step",
        Axis::log("neurons"),
        Axis::log("µs per step of 1 ms; below 1,000 is real time"),
        &times,
        "Weights in DRAM, p = 0.1. Ours are cycles of the simulator's profile `fenn` at the published board's 175 MHz; the \
         published ones were measured by a clock.",
    );
    let mut rated = Vec::new();
    for (which, name) in ["excitatory", "inhibitory"].into_iter().enumerate() {
        let point = |network: &Network, spikes: [f64; 2]| {
            (network.neurons() as f64, rate(spikes[which], network.sizes()[which]))
        };
        let ours = cases.iter().filter(|case| tenth(&case.network));
        let ours = ours.map(|case| point(&case.network, case.spikes.map(|count| count / seconds))).collect();
        rated.push(Series::line(format!("this toolchain, {name}"), which, ours));
        let board = boards.iter().filter(|board| tenth(&board.network) && board.dram && !board.dense);
        let board = board.map(|board| point(&board.network, board.spikes)).collect();
        rated.push(Series::line(format!("published board, {name}"), which, board).marked(Mark::Dashed));
        let gpu = gpus.iter().filter(|gpu| !gpu.dense).map(|gpu| point(&gpu.network, gpu.spikes)).collect();
        rated.push(Series::line(format!("GeNN, {name}"), which + 2, gpu).marked(Mark::Dashed));
    }
    let rates = curves(
        "Rates",
        Axis::log("neurons"),
        Axis::linear("Hz"),
        &rated,
        "One second each, sparse rows. Each of the three drew its own connections, and every network is chaotic: they agree \
         in rates, not in spikes. The dips near 9,000 and 11,000 neurons are the board's too: weights shrink with size, and in s2.13 \
         they do so by whole units.",
    );
    let mut sections = vec![
        Section::new("Time against size", html! { (time) (rates) }),
        Section::new("All measurements", all_rows(cases, seconds)),
    ];
    if let Some((case, spikes)) = cases.iter().find_map(|case| Some((case, case.raster.as_ref()?))) {
        sections.insert(1, Section::new("Spikes", drawn(case, spikes, steps)));
    }
    sections
}

fn drawn(case: &Case, spikes: &Spikes, steps: usize) -> maud::Markup {
    let panels: Vec<Panel> = ["excitatory", "inhibitory"]
        .iter()
        .zip(case.network.sizes().map(|size| size.min(250) as u32))
        .zip(spikes)
        .map(|((name, neurons), spikes)| {
            let all = spikes
                .iter()
                .enumerate()
                .flat_map(|(step, fired)| fired.iter().map(move |neuron| (step as f64, *neuron)));
            Panel { name: (*name).to_owned(), neurons, spikes: all.filter(|(_, neuron)| *neuron < neurons).collect() }
        })
        .collect();
    raster(
        &format!("{} neurons", fenn_host::report::svg::grouped(case.network.neurons() as u64)),
        "ms",
        0.0,
        steps as f64,
        &panels,
        "The first 250 neurons of each population, from the first step on.",
    )
}

fn all_rows(cases: &[Case], seconds: f64) -> maud::Markup {
    let grouped = |number: f64| fenn_host::report::svg::grouped(number.round() as u64);
    let which = |board: &Board| {
        vec![
            grouped(board.network.neurons() as f64),
            board.network.probability.to_string(),
            if board.dense { "whole" } else { "sparse" }.to_owned(),
            if board.dram { "DRAM" } else { "vector" }.to_owned(),
        ]
    };
    let (mut times, mut phases) = (Vec::new(), Vec::new());
    for (case, one) in cases.iter().flat_map(|case| case.measured.iter().map(move |one| (case, one))) {
        let board = &one.board;
        let ours = 1e3 * one.seconds() / seconds;
        let mut row = which(board);
        row.extend([
            format!("{ours:.2}"),
            format!("{:.2}", 1e3 * board.seconds),
            format!("{:.2}", ours / (1e3 * board.seconds)),
            grouped((case.spikes[0] + case.spikes[1]) / seconds),
            grouped(board.spikes[0] + board.spikes[1]),
            format!("{:.2}", one.instructions / one.cycles),
            grouped(one.code as f64),
        ]);
        times.push(row);
        if let Some([update, events]) = one.phases {
            let neurons = STEPS as f64 * board.network.neurons() as f64;
            let mut row = which(board);
            row.extend([
                format!("{:.3}", update / (seconds * neurons)),
                format!("{:.3}", board.cycles[0] / neurons),
                format!("{:.2}", events / one.vectors),
                format!("{:.2}", board.cycles[1] / board_vectors(board)),
                format!("{:.2}", one.vectors / seconds / board_vectors(board)),
            ]);
            phases.push(row);
        }
    }
    html! {
        h3 { "One second" }
        (text_table(
            &[
                "neurons", "p", "rows", "weights", "ms", "published", "ratio", "spikes", "published", "IPC", "code",
            ],
            &times,
        ))
        p {
            "IPC is ours: instructions per cycle of the whole run. Code is ours, in instructions, of which the board has room for "
            "4,096; a program that is larger ran on a machine with more."
        }
        h3 { "Cycles" }
        (text_table(
            &[
                "neurons", "p", "rows", "weights", "per neuron", "published", "per vector", "published", "vectors, ratio",
            ],
            &phases,
        ))
        p {
            "Cycles of a neuron's update in one step, and of event processing for a vector of synapses. They are counted by a "
            "program of its own, of the networks up to 5,120 neurons and the greatest. Vectors have 32 places: whole rows have a "
            "place for every neuron of both populations, sparse ones as many as the fullest lane needs; the ratio is of ours to "
            "the board's, whose rows are packed otherwise."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launches_divide_a_run_and_their_spikes_fit() {
        for excitatory in [256, 2048, 12_800] {
            let network = Network { excitatory, probability: 0.1 };
            let launch = launch_steps(network, STEPS);
            assert_eq!(STEPS % launch, 0);
            assert!(launch * network.neurons() / 8 <= RECORDED_BYTES, "{excitatory}: {launch}");
        }
        assert_eq!(launch_steps(Network { excitatory: 12_800, probability: 0.1 }, STEPS), 20);
    }

    #[test]
    fn spikes_that_only_one_has_are_counted() {
        let spikes = |e: &[&[u32]]| -> Spikes { [e.iter().map(|step| step.to_vec()).collect(), Vec::new()] };
        assert_eq!(missing(&spikes(&[&[1, 2], &[3]]), &spikes(&[&[1, 2], &[3]])), 0);
        assert_eq!(missing(&spikes(&[&[1, 2], &[3]]), &spikes(&[&[2, 5], &[3]])), 2);
        assert_eq!(missing(&spikes(&[&[1]]), &spikes(&[])), 1, "a step that is missing");
    }
}
