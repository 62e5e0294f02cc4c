//! Finds the precision of each layer by trying.
//!
//! Contract: each layer is tried alone, with the right spikes coming into it. It is [`Precision::Exact`] if it then does what it
//! should; otherwise coarser formats are tried too, and the one with the fewest mismatches wins, among equals the finest. Everything
//! is bounded by counted work and the same on every machine.

use fenn_isa::fixed::Format;
use rayon::prelude::*;

use crate::import::Record;
use crate::import::trains::Trains;
use crate::interpret::{Interpreter, Saturations, SpikeTrain};
use crate::network::Network;
use crate::verify::VerifyError;

use super::build::{self, Choice, Precision, misfit};
use super::exact::{self, Activity};
use super::{Layer, Net, Problem, size_of};

/// Where there are no samples, so many are generated.
const GENERATED: usize = 8;

/// Additions and updates in the trials of a layer, in one format, at most: a second or so.
const TRIAL_WORK: u64 = 100_000_000;

/// What a file leaves open.
#[derive(Debug, Clone)]
pub struct Options {
    /// For reports and the manifest.
    pub name: String,
    /// Time steps in one run, at least 1.
    pub steps: u32,
    /// What is kept of every step.
    pub record: Record,
    /// Typical spikes of the input; some are generated where there are none.
    pub samples: Vec<SpikeTrain>,
    /// Of what is generated.
    pub seed: u64,
}

/// An imported network.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Well-formed in the sense of [`crate::verify`].
    pub network: Network,
    /// How it came about.
    pub report: Report,
}

/// How a network came about.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Report {
    /// On how many samples formats were tried.
    pub samples: usize,
    /// Whether those were generated.
    pub generated: bool,
    /// Every layer with neurons.
    pub layers: Vec<LayerReport>,
    /// What a user should know.
    pub warnings: Vec<String>,
}

/// One layer, in runs of the whole network.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LayerReport {
    /// Name of the population.
    pub name: String,
    /// Type in the file.
    pub kind: String,
    /// Neurons.
    pub size: u32,
    /// How its numbers are kept.
    pub precision: Precision,
    /// Of `U` and `V`.
    pub format: Format,
    /// The largest `|u|` in exact arithmetic, in units of a weight of 1.
    pub current: f64,
    /// The least and the largest `v` in exact arithmetic, before it is reset.
    pub voltage: [f64; 2],
    /// Spikes per sample in exact arithmetic.
    pub spikes: f64,
    /// Spikes per sample that are only in one of exact arithmetic and the network.
    pub mismatches: f64,
    /// The same per sample of the trials, in which nothing but this layer was as it is in the network.
    pub mismatches_alone: f64,
    /// How often sums or variables of the network met the ends of their range, in all samples together.
    pub saturations: u64,
}

/// The network of a file.
///
/// # Errors
/// Layers that 16 bits cannot hold, and samples that do not fit; never an empty list.
pub fn import(net: &Net, options: &Options) -> Result<Imported, Vec<Problem>> {
    let possible = possible(net)?;
    let generated = options.samples.is_empty();
    let samples = if generated { generate(net, options) } else { options.samples.clone() };
    let cases = samples.par_iter().enumerate().map(|(sample, spikes)| {
        let activities = exact::run(net, spikes, options.steps);
        activities.map_err(|error| vec![Problem::Sample { sample, error }])
    });
    let cases: Vec<Vec<Activity>> = cases.collect::<Result<_, _>>()?;
    let (mut precisions, mut alone) = (Vec::new(), Vec::new());
    for (index, layer) in net.layers.iter().enumerate() {
        let sources: Vec<SpikeTrain> = match index.checked_sub(1) {
            None => samples.clone(),
            Some(before) => cases.iter().map(|case| case[before].spikes.delayed()).collect(),
        };
        let size = index.checked_sub(1).map_or(size_of(net.input), |before| net.layers[before].size());
        let expected: Vec<&SpikeTrain> = cases.iter().map(|case| &case[index].spikes).collect();
        let (precision, mismatches) = best(layer, size, &sources, &expected, &possible[index])?;
        precisions.push(precision);
        alone.push(mismatches);
    }
    let choice = Choice { precisions: &precisions, name: &options.name, steps: options.steps, record: options.record };
    let network = build::network(net, choice);
    let differences = trial(&network, &samples, |population, sample| &cases[sample][population].spikes)?;
    let per_sample = |count: u64| count as f64 / cases.len() as f64;
    let layers = net.layers.iter().enumerate().map(|(index, layer)| {
        let of = |fold: fn(i64, i64) -> i64, what: fn(&Activity) -> i64| {
            cases.iter().map(|case| what(&case[index])).fold(0, fold) as f64 / 64.0
        };
        LayerReport {
            name: layer.name.clone(),
            kind: layer.kind.clone(),
            size: layer.size(),
            precision: precisions[index],
            format: precisions[index].format(),
            current: of(i64::max, |activity| activity.current),
            voltage: [of(i64::min, |activity| activity.voltage[0]), of(i64::max, |activity| activity.voltage[1])],
            spikes: per_sample(cases.iter().map(|case| case[index].spikes.count() as u64).sum()),
            mismatches: per_sample(differences[index].mismatches),
            mismatches_alone: alone[index],
            saturations: differences[index].saturations,
        }
    });
    let layers: Vec<LayerReport> = layers.collect();
    let mut warnings = net.warnings.clone();
    warnings.extend(layers.iter().filter_map(warning));
    if generated && warnings.len() > net.warnings.len() {
        warnings.push("formats were tried on generated spikes only; give typical samples for calibration".to_owned());
    }
    Ok(Imported { network, report: Report { samples: samples.len(), generated, layers, warnings } })
}

fn warning(layer: &LayerReport) -> Option<String> {
    let LayerReport { name, precision, format, spikes, mismatches_alone: alone, saturations, .. } = layer;
    let exact = Precision::Exact.format();
    match precision {
        Precision::Exact if *alone > 0.0 => Some(format!(
            "`{name}`: values beyond {exact} saturate; of {spikes:.1} spikes per sample, {alone:.1} differ for that"
        )),
        Precision::Exact if *saturations > 0 => {
            Some(format!("`{name}`: values beyond {exact} saturate, which alone changes no spikes"))
        }
        Precision::Exact => None,
        Precision::Truncated(_) | Precision::Nearest(_) => Some(format!(
            "`{name}`: its values go beyond {exact}, so it is an approximation in {format}; of {spikes:.1} spikes per sample, \
             {alone:.1} differ for that"
        )),
    }
}

/// Per layer, all precisions in which its numbers are codes, the finest first.
fn possible(net: &Net) -> Result<Vec<Vec<Precision>>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut all = Vec::new();
    for layer in &net.layers {
        let formats = (0..=Precision::Exact.format().fraction_bits()).rev().filter_map(Format::new);
        let fitting = formats.filter(|format| misfit(layer, *format).is_none());
        let precisions: Vec<Precision> = fitting
            .flat_map(|format| match format == Precision::Exact.format() {
                true => vec![Precision::Exact],
                false => vec![Precision::Nearest(format), Precision::Truncated(format)],
            })
            .collect();
        if let Some(what) = misfit(layer, Format::INTEGER).filter(|_| precisions.is_empty()) {
            problems.push(Problem::Range { layer: layer.name.clone(), what });
        }
        all.push(precisions);
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

fn generate(net: &Net, options: &Options) -> Vec<SpikeTrain> {
    let mut trains = Trains::new(options.seed);
    let size = size_of(net.input) as usize;
    (0..GENERATED).flat_map(|index| trains.generate(index, &[size], options.steps)).collect()
}

/// The best of `possible`, on as many samples as time allows, and how many spikes per sample differ.
fn best(
    layer: &Layer,
    sources: u32,
    samples: &[SpikeTrain],
    expected: &[&SpikeTrain],
    possible: &[Precision],
) -> Result<(Precision, f64), Vec<Problem>> {
    let steps = samples.first().map_or(1, SpikeTrain::len);
    let fan_out = layer.weights.count(sources, layer.size()) / u64::from(sources).max(1);
    let work = |sample: &SpikeTrain| sample.count() as u64 * fan_out + steps as u64 * u64::from(layer.size());
    let mut left = TRIAL_WORK;
    let some = samples.iter().take_while(|sample| {
        let enough = left > 0;
        left = left.saturating_sub(work(sample));
        enough
    });
    let some = &samples[..some.count()];
    let mut best: Option<(u64, Precision)> = None;
    for &precision in possible {
        let network = build::alone(layer, sources, precision, steps as u32);
        let [difference] = trial(&network, some, |_, sample| expected[sample])?[..] else { continue };
        if best.is_none_or(|(least, _)| difference.mismatches < least) {
            best = Some((difference.mismatches, precision));
        }
        if difference.mismatches == 0 {
            break;
        }
    }
    // There is one at least.
    let (mismatches, precision) = best.unwrap_or((0, Precision::Exact));
    Ok((precision, mismatches as f64 / some.len().max(1) as f64))
}

/// How a population differs from what it should be.
#[derive(Debug, Clone, Copy, Default)]
struct Difference {
    mismatches: u64,
    saturations: u64,
}

/// Runs `network` on samples and compares each population that spikes with what is `expected` of it in a sample.
fn trial<'a>(
    network: &Network,
    samples: &[SpikeTrain],
    expected: impl Fn(usize, usize) -> &'a SpikeTrain + Sync,
) -> Result<Vec<Difference>, Vec<Problem>> {
    let internal = |errors: Vec<VerifyError>| errors.into_iter().map(Problem::Internal).collect::<Vec<_>>();
    let interpreter = Interpreter::new(network).map_err(internal)?;
    // Every run starts anew, so they can be made at the same time.
    let runs = samples.par_iter().enumerate().map(|(sample, spikes)| {
        let mut saturations = Saturations::new(network);
        let inputs = std::slice::from_ref(spikes);
        let run = interpreter.clone().run_observed(inputs, &mut saturations);
        let run = run.map_err(|error| vec![Problem::Sample { sample, error }])?;
        let spiking =
            run.events.iter().enumerate().filter_map(|(population, events)| Some((population, events.first()?)));
        let differences = spiking.map(|(population, spikes)| Difference {
            mismatches: spikes.mismatches(expected(population, sample)) as u64,
            saturations: saturations.counts[population].iter().sum(),
        });
        Ok(differences.collect::<Vec<_>>())
    });
    let runs: Vec<Vec<Difference>> = runs.collect::<Result<_, Vec<Problem>>>()?;
    let mut sums = vec![Difference::default(); network.populations.len()];
    for run in &runs {
        for (sum, difference) in sums.iter_mut().zip(run) {
            sum.mismatches += difference.mismatches;
            sum.saturations += difference.saturations;
        }
    }
    Ok(sums)
}
