//! Compiled NIR graphs on the simulator, beside [`crate::nir_reference`].
//!
//! Contract: [`compare`] writes a [`Case`]'s graph as a file, compiles it by the command line of `fenn-cc`, runs it on the
//! simulator by the manifest alone, runs the reference on the same spikes, and says what differs. The compiler gets other
//! spikes to choose its formats on than those it is then judged by.
//!
//! # The gate
//!
//! A case passes where every population and every Output does:
//!
//! - in an exact case, where every spike and every readout is the same;
//! - else, where a population's spikes in all are off by at most [`COUNT_PERCENT`] and [`COUNT_SLACK`] spikes, and its counts
//!   per neuron correlate with [`CORRELATION`] or more (asked of populations of [`FEWEST_NEURONS`] and more that spike
//!   [`FEWEST_SPIKES`] times and more, where the counts differ from neuron to neuron at all); and a readout of potentials is off
//!   by at most [`READOUT_PERCENT`] of the largest potential of its population, root mean square over its neurons;
//! - or, where a network is itself no clearer than that: where it is at most [`SPREADS`] times as far off as the reference is from
//!   itself when all numbers of the graph are moved by up to [`ROUNDING`] of the largest one of their array, the worst of
//!   [`SPREAD_RUNS`] times. [`Report::judged_by_spread`] says where that was needed.
//!
//! Counts, not spikes one by one: a potential that misses its threshold by less than the 16-bit format resolves spikes a step
//! sooner or later, and with feedback everything behind that spike is another run of the same network. How often and where
//! neurons spike is what stays, and what classifiers read. The slack is what a handful of such near misses is in
//! a population that hardly spikes.
//!
//! Use it as a list of what is missing: `random-nir basics` runs one small graph for each kind of node, `random-nir survey` many
//! random ones with a table by kind, `random-nir run SEED --verbose` one, `random-nir shrink SEED` the smallest that fails like
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use clap::Parser;
use fenn_compiler::cli::{self, Arguments, Terminal};
use fenn_host::dataset::Spike;
use fenn_host::device::Limit;
use fenn_host::session::Session;
use fenn_host::session::array::Array;
use fenn_host::sim::Simulator;
use fenn_isa::image::Image;
use fenn_isa::image::manifest::Readout;

use crate::nir_reference::{self, Comparison, Method, Node, Reference, Reset, SpikeFrom, Trace};
use crate::part::Failure;
use crate::random_graphs::{self, Case, EXACT_FORMAT};

/// Of the reference's spikes of a population, by how many the program's may be off.
pub const COUNT_PERCENT: f64 = 2.0;
/// And by so many more.
pub const COUNT_SLACK: f64 = 4.0;
/// Of counts per neuron.
pub const CORRELATION: f64 = 0.98;
/// For which the correlation is asked.
pub const FEWEST_NEURONS: usize = 4;
/// For which the correlation is asked.
pub const FEWEST_SPIKES: usize = 100;
/// Of the largest potential.
pub const READOUT_PERCENT: f64 = 5.0;
/// How much farther a program may be off than the reference from itself.
pub const SPREADS: f64 = 2.0;
/// How often the reference is compared with itself.
pub const SPREAD_RUNS: u64 = 16;
/// What 16 bits are to numbers that have a third of them to spare for sums and for potentials.
pub const ROUNDING: f64 = 1.0 / 1024.0;

/// A population, both ways.
#[derive(Debug, Clone)]
pub struct UnitReport {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// How many neurons.
    pub size: usize,
    /// Spikes of the reference.
    pub expected: usize,
    /// Spikes of the program.
    pub found: usize,
    /// Steps and neurons at which only one of them spikes.
    pub mismatches: usize,
    /// The first of them: the step, the neuron, and whether it is the program that spikes.
    pub first: Option<(usize, usize, bool)>,
    /// Of the counts per neuron, where both vary.
    pub correlation: Option<f64>,
}

/// An Output, both ways.
#[derive(Debug, Clone)]
pub struct ReadoutReport {
    /// Its name.
    pub name: String,
    /// What is read.
    pub readout: Readout,
    /// Root mean square deviation; of potentials in percent of the largest, of counts in spikes.
    pub deviation: f64,
    /// Largest deviation, in the readout's unit.
    pub largest: f64,
}

/// How a case came out.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether nothing may differ.
    pub exact: bool,
    /// How many nodes of each kind.
    pub kinds: BTreeMap<&'static str, usize>,
    /// Populations that spike, in the order of update; none where the graph is not compiled.
    pub units: Vec<UnitReport>,
    /// Outputs, by name.
    pub outputs: Vec<ReadoutReport>,
    /// What speaks against it; nothing where it passes.
    pub failures: Vec<String>,
    /// Instructions of the run.
    pub instructions: u64,
    /// Whether it would not pass if the reference were not as far from itself.
    pub judged_by_spread: bool,
}

impl Report {
    /// Whether it passes.
    pub fn passes(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        writeln!(f, "nodes: {}{}", kinds.join(", "), if self.exact { "; exact" } else { "" })?;
        for UnitReport { name, kind, size, expected, found, mismatches, first, correlation } in &self.units {
            let correlation = correlation.map_or_else(|| "-".to_owned(), |r| format!("{r:.4}"));
            write!(f, "{name} ({kind}, {size}): {found} spikes instead of {expected}, {mismatches} off")?;
            if let Some((step, neuron, spikes)) = first {
                let does = if *spikes { "spikes" } else { "does not spike" };
                write!(f, " (first: neuron {neuron} {does} in step {step})")?;
            }
            writeln!(f, ", correlation {correlation}")?;
        }
        for ReadoutReport { name, readout, deviation, largest } in &self.outputs {
            writeln!(f, "{name} ({readout:?}): deviation {deviation:.4}, {largest:.4} at most")?;
        }
        writeln!(f, "instructions: {}", self.instructions)?;
        match self.failures.as_slice() {
            [] if self.judged_by_spread => writeln!(f, "passes, being no farther off than the reference from itself"),
            [] => writeln!(f, "passes"),
            failures => failures.iter().try_for_each(|failure| writeln!(f, "FAILS: {}", failure.replace('\n', " | "))),
        }
    }
}

/// What a program did with a case's spikes.
struct Observed {
    /// By population, spikes by step and neuron.
    spikes: BTreeMap<String, Vec<Vec<f64>>>,
    /// By output: the population's name, what is read, and the result in real units.
    outputs: Vec<(String, Readout, Vec<f64>)>,
    instructions: u64,
}

/// The command line that compiles a case whose files are in `folder`.
pub fn command(case: &Case, folder: &Path) -> Vec<String> {
    let settings = case.settings;
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let mut words = vec!["fenn-cc".to_owned(), file("graph.nir"), "-o".to_owned(), file("program.elf")];
    let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    option("dt", settings.dt.to_string());
    option("steps", case.inputs[0].len().to_string());
    option("record", "spikes".to_owned());
    option("calibrate", file("calibration.csv"));
    let method = match settings.method {
        Method::ForwardEuler => "forward-euler",
        Method::ExponentialEuler => "exponential-euler",
    };
    option("method", method.to_owned());
    let reset = match settings.reset {
        Reset::Value => "value",
        Reset::Subtract => "subtract",
        Reset::DelayedSubtract => "snntorch",
    };
    option("reset", reset.to_owned());
    let comparison = match settings.comparison {
        Comparison::Greater => "greater",
        Comparison::GreaterEqual => "greater-equal",
    };
    option("compare", comparison.to_owned());
    let spike_from = match settings.spike_from {
        SpikeFrom::New => "new",
        SpikeFrom::Old => "old",
    };
    option("spike-from", spike_from.to_owned());
    if case.exact {
        // A graph that is not flat has been refused before.
        let flat = case.graph.flat().unwrap_or_default();
        for (name, _) in flat.nodes.iter().filter(|(_, node)| matches!(node, Node::Neurons(_))) {
            option("format", format!("{name}.I={EXACT_FORMAT}"));
            option("format", format!("{name}.V={EXACT_FORMAT}"));
        }
    }
    words
}

/// Compiles a case whose graph is in `folder`, with these options besides.
///
/// # Errors
/// What the compiler says, or that it panicked.
fn compile(case: &Case, folder: &Path, options: &[&str]) -> Result<Image, Failure> {
    let mut calibration = "sample,step,unit\n".to_owned();
    for spike in spikes(&case.calibration) {
        calibration += &format!("0,{},{}\n", spike.step, spike.unit);
    }
    std::fs::write(folder.join("calibration.csv"), calibration)?;
    let words = command(case, folder).into_iter().chain(options.iter().map(|option| (*option).to_owned()));
    let arguments = Arguments::try_parse_from(words)?;
    match catch_unwind(AssertUnwindSafe(|| cli::run(&arguments, Terminal::default()))) {
        Ok(Ok(_)) => Ok(Image::read(folder.join("program.elf"))?),
        Ok(Err(error)) => Err(error.to_string().replace(&*folder.to_string_lossy(), ".").into()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("the compiler panicked: {}", text.unwrap_or_default()).into())
        }
    }
}

/// Spikes of all inputs, units counted through.
fn spikes(inputs: &[Vec<Vec<f64>>]) -> Vec<Spike> {
    let mut spikes = Vec::new();
    let mut first = 0;
    for input in inputs {
        for (step, values) in (0..).zip(input) {
            let units = (first..).zip(values).filter(|(_, value)| **value != 0.0);
            spikes.extend(units.map(|(unit, _)| Spike { step, unit }));
        }
        first += input.first().map_or(0, Vec::len) as u32;
    }
    spikes
}

fn simulate(case: &Case, image: &Image) -> Result<Observed, Failure> {
    let mut session = Session::open(Simulator::new(image.config)?, image)?;
    let names: Vec<String> = session.manifest().inputs.iter().map(|input| input.name.clone()).collect();
    if !names.is_sorted() {
        return Err(format!("the program's inputs are {names:?}, not in the order of their names").into());
    }
    let run = session.run(&spikes(&case.inputs), Limit::default())?;
    let recordings = session.recordings(0)?;
    let manifest = session.manifest();
    let mut found = BTreeMap::new();
    for (recording, array) in manifest.recordings.iter().zip(&recordings) {
        if let Array::Spikes(array) = array {
            let mut steps = vec![vec![0.0; array.neurons as usize]; array.steps as usize];
            array.all().for_each(|(step, neuron)| steps[step as usize][neuron as usize] = 1.0);
            found.insert(recording.population.clone(), steps);
        }
    }
    let outputs = manifest.outputs.iter().zip(run.outputs);
    let outputs = outputs.map(|(output, result)| (output.name.clone(), output.readout, result.scores)).collect();
    Ok(Observed { spikes: found, outputs, instructions: run.finished.instructions })
}

/// Compiles and runs a case, both ways. Its files are left in `folder`.
pub fn compare(case: &Case, folder: &Path) -> Report {
    let written = nir_reference::write(&case.graph, folder.join("graph.nir"));
    compare_written(case, folder, &[], written.map_err(Failure::from))
}

/// The same for a case whose graph was read from the file `graph`, which is what is compiled, with these options besides.
pub fn compare_file(case: &Case, graph: &Path, folder: &Path, options: &[&str]) -> Report {
    let copied = std::fs::copy(graph, folder.join("graph.nir"));
    compare_written(case, folder, options, copied.map(|_| ()).map_err(Failure::from))
}

fn compare_written(case: &Case, folder: &Path, options: &[&str], written: Result<(), Failure>) -> Report {
    let mut report = Report {
        exact: case.exact,
        kinds: case.graph.kinds(),
        units: Vec::new(),
        outputs: Vec::new(),
        failures: Vec::new(),
        instructions: 0,
        judged_by_spread: false,
    };
    let observed = written.and_then(|()| simulate(case, &compile(case, folder, options)?));
    let observed = match observed {
        Ok(observed) => observed,
        Err(error) => {
            report.failures.push(error.to_string());
            return report;
        }
    };
    report.instructions = observed.instructions;
    match reference(case) {
        Ok((kinds, trace)) => judge(case, &kinds, &trace, &observed, &mut report),
        Err(error) => report.failures.push(format!("the reference refuses the graph: {error}")),
    }
    report
}

/// How far the reference is from itself: per population the spikes it is off by and the lowest correlation, per Output the
/// deviation.
#[derive(Debug, Clone, Default)]
struct Spread {
    counts: BTreeMap<String, f64>,
    correlations: BTreeMap<String, f64>,
    outputs: BTreeMap<String, f64>,
}

/// Compares, and where something is beyond the gate, once more with how far the reference is from itself.
fn judge(case: &Case, kinds: &[(String, &'static str)], trace: &Trace, observed: &Observed, report: &mut Report) {
    let compare = |spread: &Spread, report: &mut Report| {
        (report.units, report.outputs, report.failures) = (Vec::new(), Vec::new(), Vec::new());
        compare_units(kinds, trace, observed, spread, report);
        compare_outputs(case, trace, observed, spread, report);
    };
    compare(&Spread::default(), report);
    if !report.exact && !report.passes() {
        compare(&spread(case, kinds, trace, observed), report);
        report.judged_by_spread = report.passes();
    }
}

/// Compares the reference with itself.
fn spread(case: &Case, kinds: &[(String, &'static str)], trace: &Trace, observed: &Observed) -> Spread {
    let mut spread = Spread::default();
    for seed in 0..SPREAD_RUNS {
        let moved = Case { graph: random_graphs::moved(&case.graph, ROUNDING, seed), ..case.clone() };
        let Ok((_, other)) = reference(&moved) else { continue };
        for (name, _) in kinds.iter().filter(|(_, kind)| !SILENT.contains(kind)) {
            let (a, b) = (counts(&trace.units[name]), counts(&other.units[name]));
            let off = (a.iter().sum::<f64>() - b.iter().sum::<f64>()).abs();
            let counts = spread.counts.entry(name.clone()).or_default();
            *counts = counts.max(off);
            let correlations = spread.correlations.entry(name.clone()).or_insert(1.0);
            *correlations = correlation(&a, &b).map_or(*correlations, |r| correlations.min(r));
        }
        for (name, (_, readout, _)) in trace.outputs.keys().zip(&observed.outputs) {
            let [a, b] = [trace, &other].map(|trace| read_out(potentials_of(case, trace, name, *readout), *readout));
            let deviation = root_mean_square(&a, &b);
            let outputs = spread.outputs.entry(name.clone()).or_default();
            *outputs = outputs.max(deviation);
        }
    }
    spread
}

/// Kinds that do not spike.
const SILENT: [&str; 3] = ["I", "LI", "CubaLI"];

/// How often each neuron spiked.
fn counts(steps: &[Vec<f64>]) -> Vec<f64> {
    let neurons = steps.first().map_or(0, Vec::len);
    (0..neurons).map(|neuron| steps.iter().map(|step| step[neuron]).sum()).collect()
}

/// What a readout makes of potentials, or of spikes.
fn read_out(values: &[Vec<f64>], readout: Readout) -> Vec<f64> {
    let neurons = values.first().map_or(0, Vec::len);
    let result = |neuron: usize| -> f64 {
        let mut of = values.iter().map(|step| step[neuron]);
        match readout {
            Readout::Last => of.next_back().unwrap_or(0.0),
            Readout::Max => of.fold(f64::NEG_INFINITY, f64::max),
            Readout::Mean => of.sum::<f64>() / values.len() as f64,
            Readout::Count => of.sum(),
        }
    };
    (0..neurons).map(result).collect()
}

fn root_mean_square(a: &[f64], b: &[f64]) -> f64 {
    (a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / a.len() as f64).sqrt()
}

/// The names and kinds of units, in the order of update.
type Kinds = Vec<(String, &'static str)>;

/// The kinds of the units in the order of update, and the reference's run.
fn reference(case: &Case) -> Result<(Kinds, Trace), Failure> {
    let flat = case.graph.flat()?;
    let reference = Reference::new(&flat, case.settings)?;
    let kinds = reference.unit_names().into_iter().map(|name| {
        let kind = flat.nodes[&name].kind();
        (name, kind)
    });
    Ok((kinds.collect(), reference.run(&case.inputs)))
}

fn compare_units(
    kinds: &[(String, &'static str)],
    trace: &Trace,
    observed: &Observed,
    spread: &Spread,
    report: &mut Report,
) {
    // Names of nodes in graphs within may be joined otherwise.
    let plain = |name: &str| name.replace(['/', ':'], ".");
    let recorded: BTreeMap<String, &Vec<Vec<f64>>> =
        observed.spikes.iter().map(|(name, steps)| (plain(name), steps)).collect();
    for (name, kind) in kinds {
        let expected = &trace.units[name];
        if SILENT.contains(kind) {
            continue;
        }
        let Some(found) = recorded.get(name) else {
            report.failures.push(format!("the spikes of {name} ({kind}) are not recorded"));
            continue;
        };
        if found.len() != expected.len() || found[0].len() != expected[0].len() {
            let what = format!("{name} has {} neurons and {} steps in the program", found[0].len(), found.len());
            report.failures.push(what);
            continue;
        }
        let (a, b) = (counts(expected), counts(found));
        let pairs = || expected.iter().flatten().zip(found.iter().flatten());
        let unit = UnitReport {
            name: name.clone(),
            kind,
            size: a.len(),
            expected: a.iter().sum::<f64>() as usize,
            found: b.iter().sum::<f64>() as usize,
            mismatches: pairs().filter(|(a, b)| a != b).count(),
            first: pairs()
                .zip(0..)
                .find(|((a, b), _)| a != b)
                .map(|((_, b), at)| (at / a.len(), at % a.len(), *b > 0.5)),
            correlation: correlation(&a, &b),
        };
        report.failures.extend(unit.failure(report.exact, spread));
        report.units.push(unit);
    }
}

impl UnitReport {
    fn failure(&self, exact: bool, spread: &Spread) -> Option<String> {
        let Self { name, kind, size, expected, found, mismatches, first: _, correlation } = self;
        if exact {
            return (*mismatches > 0).then(|| format!("{name} ({kind}): {mismatches} spikes differ, and none may"));
        }
        let off = (*expected as f64 - *found as f64).abs();
        let allowed = COUNT_PERCENT / 100.0 * *expected as f64 + COUNT_SLACK;
        if off > allowed.max(SPREADS * spread.counts.get(name).copied().unwrap_or(0.0)) {
            return Some(format!("{name} ({kind}): {found} spikes instead of {expected}"));
        }
        let asked = *size >= FEWEST_NEURONS && *expected >= FEWEST_SPIKES;
        let lowest = 1.0 - SPREADS * (1.0 - spread.correlations.get(name).copied().unwrap_or(1.0));
        let low = correlation.filter(|r| asked && *r < CORRELATION.min(lowest));
        low.map(|r| format!("{name} ({kind}): counts per neuron correlate with {r:.4}"))
    }
}

fn compare_outputs(case: &Case, trace: &Trace, observed: &Observed, spread: &Spread, report: &mut Report) {
    let names: Vec<&String> = trace.outputs.keys().collect();
    if names.len() != observed.outputs.len() {
        let what = format!("the program has {} outputs, the graph {}", observed.outputs.len(), names.len());
        report.failures.push(what);
        return;
    }
    for (name, (_, readout, found)) in names.into_iter().zip(&observed.outputs) {
        let values = potentials_of(case, trace, name, *readout);
        let expected = read_out(values, *readout);
        if found.len() != expected.len() {
            report.failures.push(format!("Output {name} has {} numbers, not {}", found.len(), expected.len()));
            continue;
        }
        let largest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let greatest = values.iter().flatten().map(|v| v.abs()).fold(1e-6, f64::max);
        let off = root_mean_square(found, &expected);
        let allowed = READOUT_PERCENT / 100.0 * greatest;
        let allowed = allowed.max(SPREADS * spread.outputs.get(name).copied().unwrap_or(0.0));
        let counts = *readout == Readout::Count;
        let deviation = if counts { off } else { 100.0 * off / greatest };
        if report.exact && largest > 0.0 {
            report.failures.push(format!("Output {name} ({readout:?}) is off by {largest}, and may not be"));
        } else if !report.exact && !counts && off > allowed {
            report.failures.push(format!("Output {name} ({readout:?}) is off by {deviation:.2} % of its potentials"));
        }
        report.outputs.push(ReadoutReport { name: name.clone(), readout: *readout, deviation, largest });
    }
}

/// What an Output reads: what came to it, or, where potentials of spiking neurons are read, those.
fn potentials_of<'t>(case: &Case, trace: &'t Trace, output: &str, readout: Readout) -> &'t Vec<Vec<f64>> {
    let source = case.graph.edges.iter().find(|(_, to)| to == output).map(|(from, _)| from.as_str());
    let potentials = source.and_then(|source| trace.potentials.get(source));
    match potentials {
        Some(potentials) if readout != Readout::Count => potentials,
        _ => &trace.outputs[output],
    }
}

/// Pearson's; none where one of them does not vary.
pub fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let covariance = |x: &[f64], mean_x: f64, y: &[f64], mean_y: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum()
    };
    let variances = covariance(a, mean_a, a, mean_a) * covariance(b, mean_b, b, mean_b);
    (variances > 0.0).then(|| covariance(a, mean_a, b, mean_b) / variances.sqrt())
}

/// Many cases.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// By seed.
    pub reports: Vec<(u64, Report)>,
}

impl Survey {
    /// Compares the graphs of these seeds, on as many threads as there are cores: those with nodes of `only` these kinds, where
    /// there are any.
    ///
    /// # Errors
    /// There is no place for temporary files.
    pub fn new(seeds: std::ops::Range<u64>, only: &[String]) -> Result<Self, Failure> {
        let next = std::sync::atomic::AtomicU64::new(seeds.start);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let work = || -> Result<Vec<(u64, Report)>, std::io::Error> {
            let folder = tempfile::tempdir()?;
            let mut reports = Vec::new();
            loop {
                let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if seed >= seeds.end {
                    return Ok(reports);
                }
                let case = random_graphs::build(&random_graphs::of_seed(seed));
                let known = |kind: &&str| only.is_empty() || only.iter().any(|only| only == *kind);
                if case.graph.kinds().keys().all(known) {
                    reports.push((seed, compare(&case, folder.path())));
                }
            }
        };
        let found = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join()).collect::<Vec<_>>()
        });
        let mut reports = Vec::new();
        for found in found {
            reports.extend(found.map_err(|_| "a worker panicked")??);
        }
        reports.sort_by_key(|(seed, _)| *seed);
        Ok(Self { reports })
    }

    /// Those that do not pass.
    pub fn failures(&self) -> impl Iterator<Item = &(u64, Report)> {
        self.reports.iter().filter(|(_, report)| !report.passes())
    }

    /// By kind of node, how many graphs have it, and how many of those fail.
    pub fn by_kind(&self) -> BTreeMap<&'static str, (usize, usize)> {
        let mut kinds: BTreeMap<&'static str, (usize, usize)> = BTreeMap::new();
        for (_, report) in &self.reports {
            for kind in report.kinds.keys() {
                let (graphs, failures) = kinds.entry(kind).or_default();
                *graphs += 1;
                *failures += usize::from(!report.passes());
            }
        }
        kinds
    }

    /// What was said against graphs, without names and numbers, and the seeds it was said of; most frequent first.
    pub fn reasons(&self) -> Vec<(String, BTreeSet<u64>)> {
        let mut reasons: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for (seed, report) in &self.reports {
            for line in report.failures.iter().flat_map(|failure| failure.lines()) {
                reasons.entry(without_details(line)).or_default().insert(*seed);
            }
        }
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, seeds)| std::cmp::Reverse(seeds.len()));
        reasons
    }
}

/// A message without what is in backquotes and without numbers.
fn without_details(line: &str) -> String {
    let parts = line.split('`').enumerate();
    let outside: String = parts.map(|(index, part)| if index % 2 == 0 { part } else { "…" }).collect();
    let mut text = String::new();
    for word in outside.split(' ') {
        let number = word.chars().any(|c| c.is_ascii_digit());
        text += if number { "…" } else { word };
        text.push(' ');
    }
    text.trim_end().to_owned()
}
