//! The cortical microcircuit of Potjans and Diesmann (2014), a tenth of it, on one core.
//!
//! Contract: [`PROGRAM`] draws the column from a seed, compiles `programs/microcircuit/network.toml` with it, runs it on the simulator
//! launch by launch, and runs the same column in float64 (module `reference`). The network is chaotic, so rates are compared and not
//! spikes; that the compiled program does what the description means, spike for spike, is a figure of its own.

use std::path::Path;
use std::time::Duration;

use fenn_compiler::backend::{Compiled, Options as Machine};
use fenn_compiler::interpret::{Interpreter, SpikeTrain};
use fenn_compiler::network::{Delays, Network, Source, Values, Weights};
use fenn_compiler::place::RowLayout;
use fenn_host::device::Limit;
use fenn_host::session::{Count, Session, array::Array};
use fenn_host::sim::Simulator;
use fenn_isa::image::manifest::PhaseKind;
use fenn_isa::memory::Space;
use fenn_testbench::figure::{Figure, Gate};
use npyz::WriterBuilder as _;

use crate::program::{Failure, Line, Options, Outcome, Program};
use crate::run::{compiled, described};
use drawn::{Column, PARTS};
use model::{DELAYS, Model, NAMES, POPULATIONS, PUBLISHED_CV, PUBLISHED_RATES, Propagators, STEP, expected_delay};
use statistics::{Activity, activity, moments};

mod drawn;
mod model;
mod page;
mod reference;
mod rows;
mod statistics;

/// The benchmark.
pub const PROGRAM: Program = Program {
    name: "microcircuit",
    title: "Cortical microcircuit, a tenth",
    about: "A tenth of the cortical column of Potjans and Diesmann: eight populations, delays, Poisson drive, against float64.",
    needs_data: false,
    run,
};

/// The description; arrays are beside it where it is written to.
const DESCRIPTION: &str = include_str!("../../../microcircuit/network.toml");

/// Share of the published size.
const SCALE: f64 = 0.1;
/// Steps of a run: 2 s.
const STEPS: u32 = 20_000;
/// See [`STEPS`]; for tests.
const FEW_STEPS: u32 = 1000;
/// Launches that the interpreter is asked to repeat.
const REPEATED: u32 = 2;
/// Clock of the published board, Hz.
const CLOCK: f64 = 175e6;
/// The default seed.
const SEED: u64 = 1;

const REPOSITORY: &str = "full model, its public repository";

/// A column that has been compiled, and what the simulator made of it.
struct Simulated {
    spikes: Vec<(u32, u32)>,
    /// Name, and what all launches took.
    phases: Vec<(String, Count)>,
    cycles: u64,
    instructions: u64,
}

/// How else products may be rounded: as a description and as people call it.
const ROUNDINGS: [(&str, &str); 2] = [("nearest", "to nearest"), ("zero", "towards minus infinity")];

fn run(options: &Options<'_>) -> Result<Outcome, Failure> {
    let seed = options.seed.unwrap_or(SEED);
    let steps = if options.small { FEW_STEPS } else { STEPS };
    (options.progress)("drawing the column", 0.0);
    let column = Column::draw(Model::new(SCALE), seed);
    write(&column, options.out)?;
    let network = described(DESCRIPTION, "network.toml", options.out, Some(seed))?;
    (options.progress)("compiling", 0.05);
    let machine = Machine { counters: true, rows: RowLayout::Packed, ..Machine::default() };
    let program = compiled(&network, &machine)?;
    let simulated = simulate(&network, &program, steps, &|share| (options.progress)("simulating", 0.1 + 0.3 * share))?;
    let mismatches = mismatches(&network, &simulated.spikes)?;
    let float = reference::run(&column, steps, seed, |share| (options.progress)("in float64", 0.4 + 0.2 * share));
    let activity = |spikes: &[(u32, u32)]| activity(&column.model, &column.starts, spikes, steps);
    let mut others = Vec::new();
    for ((rounding, _), index) in ROUNDINGS.iter().zip(0..).filter(|_| !options.small) {
        let rounded = DESCRIPTION.replace("rounding = \"stochastic\"", &format!("rounding = \"{rounding}\""));
        let network = described(&rounded, "network.toml", options.out, Some(seed))?;
        let program = compiled(&network, &machine)?;
        let begun = 0.6 + 0.2 * f64::from(index);
        let progress = |share| (options.progress)("simulating with other roundings", begun + 0.2 * share);
        others.push(activity(&simulate(&network, &program, steps, &progress)?.spikes));
    }
    let found = Found {
        column: &column,
        network: &network,
        program: &program,
        simulated: &simulated,
        mismatches,
        steps,
        ours: activity(&simulated.spikes),
        theirs: activity(&float),
        others,
    };
    let mut lines = network_lines(&found)?;
    lines.extend(activity_lines(&found, options.small));
    lines.extend(cost_lines(&found)?);
    Ok(Outcome { seed: Some(seed), lines, sections: page::sections(&found, &float) })
}

/// All that there is to be told of.
struct Found<'a> {
    column: &'a Column,
    network: &'a Network,
    program: &'a Compiled,
    simulated: &'a Simulated,
    steps: u32,
    /// (step, neuron) pairs of the first launches in which the interpreter differs.
    mismatches: usize,
    ours: Activity,
    theirs: Activity,
    /// Under each of [`ROUNDINGS`], if they were tried.
    others: Vec<Activity>,
}

impl Found<'_> {
    /// Model time, s.
    fn seconds(&self) -> f64 {
        f64::from(self.steps) * STEP * 1e-3
    }
}

/// Chances of at least 1, 2, 3 and 4 Poisson spikes, as s0.15.
fn chances(mean: f64) -> [i16; 4] {
    let mut none_more = 0.0;
    let mut term = (-mean).exp();
    std::array::from_fn(|index| {
        none_more += term;
        term *= mean / (index + 1) as f64;
        ((1.0 - none_more) * 32_768.0).round() as i16
    })
}

/// Writes the arrays that the description names, and itself, to `folder`.
fn write(column: &Column, folder: &Path) -> Result<(), Failure> {
    let model = &column.model;
    let population = |neuron| model.population(neuron);
    let each = |of: &dyn Fn(usize) -> i16| -> Vec<i16> { (0..model.neurons()).map(|n| of(population(n))).collect() };
    let constant = Propagators::new().constant;
    let codes =
        |name: &str, codes: Vec<i16>| array(&folder.join(format!("{name}.npy")), codes.into_iter().map(i32::from));
    codes("potentials", column.initial.iter().map(|v| (v * 1024.0).round() as i16).collect())?;
    codes("drive", each(&|index| (model.drive[index] * constant * 1024.0 * 64.0).round() as i16))?;
    for number in 0..4 {
        codes(&format!("chances{}", number + 1), each(&|index| chances(model.poisson[index])[number]))?;
    }
    codes("weights", column.codes().collect())?;
    array(&folder.join("delays.npy"), column.synapses.iter().map(|synapse| i32::from(synapse.delay)))?;
    array(&folder.join("targets.npy"), column.synapses.iter().map(|synapse| synapse.target as i32))?;
    array(&folder.join("lengths.npy"), column.starts.windows(2).map(|ends| (ends[1] - ends[0]) as i32))?;
    Ok(fenn_isa::file::write_whole(&folder.join("network.toml"), DESCRIPTION.as_bytes())?)
}

/// Writes a NumPy array of whole numbers.
fn array(path: &Path, numbers: impl ExactSizeIterator<Item = i32>) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    let shape = [numbers.len() as u64];
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
    writer.extend(numbers)?;
    writer.finish()?;
    Ok(fenn_isa::file::write_whole(path, &bytes)?)
}

/// Runs the program for so many steps.
fn simulate(network: &Network, program: &Compiled, steps: u32, progress: &dyn Fn(f64)) -> Result<Simulated, Failure> {
    let mut session = Session::open(Simulator::new(program.image.config)?, &program.image)?;
    let counters = session.manifest().counters.clone().ok_or("the program has no counters")?;
    let mut phases: Vec<(String, Count)> =
        counters.phases.iter().map(|phase| (named(phase.kind), Count::default())).collect();
    let limit = Limit { instructions: 10_000_000_000, time: Duration::from_secs(600) };
    let launches = steps / network.steps;
    let mut simulated = Simulated { spikes: Vec::new(), phases: Vec::new(), cycles: 0, instructions: 0 };
    for launch in 0..launches {
        let done = session.launch(&[&[]], limit)?;
        simulated.cycles += done.finished.cycles;
        simulated.instructions += done.finished.instructions;
        for ((_, sum), count) in phases.iter_mut().zip(&done.counts) {
            sum.cycles += count.cycles;
            sum.instructions += count.instructions;
        }
        let recordings = session.recordings(0)?;
        let [Array::Spikes(spikes)] = &recordings[..] else { return Err("the program records spikes alone".into()) };
        let first = launch * network.steps;
        simulated.spikes.extend(spikes.all().map(|(step, neuron)| (first + step, neuron)));
        progress(f64::from(launch + 1) / f64::from(launches));
    }
    simulated.phases = phases;
    Ok(simulated)
}

/// In how many (step, neuron) pairs of the first launches the interpreter differs from `spikes`.
fn mismatches(network: &Network, spikes: &[(u32, u32)]) -> Result<usize, Failure> {
    let mut interpreter = Interpreter::new(network).map_err(|_| "the network is not well-formed")?;
    let mut differ = 0;
    for launch in 0..REPEATED {
        let mut steps = vec![Vec::new(); network.steps as usize];
        for (step, neuron) in spikes {
            let within = step.checked_sub(launch * network.steps).and_then(|step| steps.get_mut(step as usize));
            within.into_iter().for_each(|step| step.push(*neuron));
        }
        differ += SpikeTrain::new(steps).mismatches(&interpreter.run(&[])?.events[0][0]);
    }
    Ok(differ)
}

/// A phase in words.
fn named(kind: PhaseKind) -> String {
    match kind {
        PhaseKind::Nothing => "counting",
        PhaseKind::Reset => "before a launch",
        PhaseKind::Propagate => "synapses",
        PhaseKind::Update => "neurons",
        PhaseKind::Record => "records",
        PhaseKind::Finish => "after a launch",
    }
    .to_owned()
}

/// Synapses, delays and inputs against the model's rules.
fn network_lines(found: &Found<'_>) -> Result<Vec<Line>, Failure> {
    let (model, network) = (&found.column.model, found.network);
    let projection = network.projections.first().ok_or("the network has a projection")?;
    let (Weights::Sparse(sparse), Delays::Sorted(delays)) = (&projection.weights, &projection.delays) else {
        return Err("synapses are sparse and sorted by delay".into());
    };
    let Source::Events { .. } = projection.source else { return Err("neurons are the source".into()) };
    // Counted in the network that is compiled, not in what was drawn.
    let mut counts = [[0u64; POPULATIONS]; POPULATIONS];
    let mut steps = [Vec::new(), Vec::new()];
    for source in 0..model.neurons() {
        let from = model.population(source);
        for index in sparse.starts[source as usize] as usize..sparse.starts[source as usize + 1] as usize {
            counts[model.population(sparse.targets[index])][from] += 1;
            steps[usize::from(model::inhibitory(from))].push(f64::from(delays[index]));
        }
    }
    let wrong = counts.iter().flatten().zip(model.synapses.iter().flatten()).filter(|(a, b)| a != b).count();
    let total = model.total() as f64;
    let stored = found.program.image.segments.iter().filter(|segment| segment.space == Space::Dram);
    let stored: usize =
        stored.map(|segment| segment.bytes.chunks_exact(2).filter(|word| *word != [0, 0]).count()).sum();
    let mut lines = vec![
        Line::new(Figure::new(
            "projections without as many synapses as the rule says",
            wrong as f64,
            "",
            Gate::Exactly(0.0),
        ))
        .noted("of 64"),
        Line::new(Figure::new("synapses", counts.iter().flatten().sum::<u64>() as f64, "", Gate::Exactly(total))),
        Line::new(Figure::new("synapses in the rows in DRAM", stored as f64, "", Gate::Exactly(total)))
            .noted("words of the program image that are not 0"),
    ];
    for ((name, steps), parameters) in ["excitatory", "inhibitory"].iter().zip(&steps).zip(DELAYS) {
        let (mean, sd) = expected_delay(parameters);
        let (found_mean, variance) = moments(steps);
        for (what, found, expected) in [("mean", found_mean, mean), ("standard deviation", variance.sqrt(), sd)] {
            let gate = Gate::Between(round(0.99 * expected * STEP, 4), round(1.01 * expected * STEP, 4));
            let note = format!("expected {:.4}, of a normal distribution cut off and rounded", expected * STEP);
            lines.push(Line::new(Figure::new(format!("{name} delays, {what}"), found * STEP, "ms", gate)).noted(note));
        }
    }
    let mean = |index: usize| {
        let parameters = &network.populations[0].kernel.parameters;
        let chance = |name: &str| {
            let at = parameters.iter().position(|slot| slot.name == name).ok_or("the description has the chances")?;
            Ok::<f64, Failure>(
                f64::from(network.populations[0].parameters[at].get(model.firsts()[index] as usize)) / 32_768.0,
            )
        };
        Ok::<f64, Failure>(chance("P1")? + chance("P2")? + chance("P3")? + chance("P4")?)
    };
    let mut worst = 0.0f64;
    for index in 0..POPULATIONS {
        worst = worst.max((mean(index)? / model.poisson[index] - 1.0).abs());
    }
    let figure = Figure::new("mean of the Poisson input, greatest error", 100.0 * worst, "%", Gate::AtMost(0.1));
    lines.push(Line::new(figure).noted("inverse of the distribution in 15 bits, at most 4 spikes in a step"));
    let at = network.populations[0].kernel.parameters.iter().position(|slot| slot.name == "Coupling");
    let coupling = at.map(|at| &network.populations[0].parameters[at]);
    let Some(Values::Uniform(code)) = coupling else { return Err("the coupling is one number".into()) };
    // As what a code of I is worth in codes of V, which s5.10 rounds.
    let exact = Propagators::new().current * model.weight / PARTS * 1024.0;
    let error = 100.0 * (f64::from(*code) / 1024.0 / exact - 1.0).abs();
    lines.push(Line::new(Figure::new("effect of a synapse on the potential, error", error, "%", Gate::AtMost(0.02))));
    Ok(lines)
}

/// `number` to so many digits behind the point.
fn round(number: f64, digits: i32) -> f64 {
    let power = 10f64.powi(digits);
    (number * power).round() / power
}

/// Rates, irregularity and synchrony, beside float64.
fn activity_lines(found: &Found<'_>, small: bool) -> Vec<Line> {
    let Found { ours, theirs, mismatches, network, .. } = found;
    let repeated = REPEATED * network.steps;
    let mut lines = vec![
        Line::new(Figure::new("spikes that differ from the interpreter's", *mismatches as f64, "", Gate::Exactly(0.0)))
            .noted(format!("first {repeated} steps")),
    ];
    for (index, name) in NAMES.iter().enumerate() {
        let expected = theirs.rates[index];
        let slack = (0.1 * expected).max(0.08);
        let gate =
            if small { Gate::None } else { Gate::Between(round(expected - slack, 3), round(expected + slack, 3)) };
        let figure = Figure::new(format!("rate of {name}"), ours.rates[index], "Hz", gate);
        let note = format!("float64 on the same column {expected:.3}");
        lines.push(Line::new(figure).beside(PUBLISHED_RATES[index], REPOSITORY).noted(note));
    }
    for (other, (_, name)) in found.others.iter().zip(ROUNDINGS) {
        let changes: Vec<f64> = other.rates.iter().zip(&theirs.rates).map(|(a, b)| 100.0 * (a / b - 1.0)).collect();
        let worst = changes.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::NAN);
        let all: Vec<String> = changes.iter().map(|change| format!("{change:+.0}")).collect();
        let figure =
            Figure::new(format!("with products rounded {name}, greatest change of a rate"), worst, "%", Gate::None);
        lines.push(Line::new(figure).noted(format!("against float64, by population: {} %", all.join(" "))));
    }
    for (index, name) in NAMES.iter().enumerate() {
        if ours.cv[index].is_nan() {
            continue;
        }
        let figure = Figure::new(format!("irregularity of {name} (CV of intervals)"), ours.cv[index], "", Gate::None);
        let note = format!("float64 {:.3}; short runs have less than long ones", theirs.cv[index]);
        lines.push(
            Line::new(figure).beside(PUBLISHED_CV[index], "full model in 900 s, its public repository").noted(note),
        );
    }
    let figure = Figure::new("synchrony (variance over mean in 3 ms)", ours.synchrony, "", Gate::None);
    lines.push(Line::new(figure).noted(format!("float64 {:.3}; grows with the number of neurons", theirs.synchrony)));
    lines
}

/// What it takes.
fn cost_lines(found: &Found<'_>) -> Result<Vec<Line>, Failure> {
    let Found { simulated, ours, steps, program, column, .. } = found;
    let (cycles, seconds) = (simulated.cycles as f64, found.seconds());
    let none = |name: &str, value, unit| Line::new(Figure::new(name, value, unit, Gate::None));
    let at_clock = cycles / CLOCK;
    let mut lines = vec![
        none("time for a second of the model", at_clock / seconds, "s").noted("real-time factor; one core at 175 MHz"),
        none("synaptic events", ours.events as f64 / at_clock / 1e6, "million/s").noted("one core at 175 MHz"),
        none("cycles of a step", cycles / f64::from(*steps), ""),
    ];
    for (name, count) in &simulated.phases {
        if count.cycles * 1000 > simulated.cycles {
            lines.push(none(&format!("cycles of a step, {name}"), count.cycles as f64 / f64::from(*steps), ""));
        }
    }
    let stored = program.report.rows.first().ok_or("the program has rows")?.taken.bytes;
    // How many neighbours' rows are equally long is the compiler's to choose; what that comes to is reckoned here again.
    let sizes = [1, 32, 64, 128, 256, 512, 1024].into_iter();
    let (neighbours, (brought, reckoned)) = sizes
        .map(|neighbours| (neighbours, rows::bytes(column, neighbours)))
        .min_by_key(|(_, (_, bytes))| bytes.abs_diff(stored))
        .ok_or("there are sizes")?;
    let figure = Figure::new("rows in DRAM", stored as f64, "bytes", Gate::Exactly(reckoned as f64));
    lines.push(Line::new(figure).noted(format!("reckoned apart; rows of {neighbours} neighbours are equally long")));
    let words = stored as f64 / 2.0 / column.synapses.len() as f64;
    lines.push(none("words of rows for each synapse", words, "").noted("1 without padding"));
    let moved: u64 = simulated.spikes.iter().map(|(_, neuron)| brought[*neuron as usize]).sum();
    lines.push(none("words brought for each synaptic event", moved as f64 / 2.0 / ours.events as f64, ""));
    lines.push(none("traffic from DRAM", moved as f64 / at_clock / 1e6, "MB/s").noted("one core at 175 MHz"));
    for memory in &program.report.memories {
        let share = 100.0 * memory.used as f64 / memory.available as f64;
        lines.push(none(&format!("use of {}", memory.memory), share, "%").noted(format!(
            "{} of {} bytes",
            fenn_host::report::svg::grouped(memory.used),
            fenn_host::report::svg::grouped(memory.available)
        )));
    }
    lines.push(none("instructions simulated", simulated.instructions as f64 / 1e6, "million"));
    Ok(lines)
}
