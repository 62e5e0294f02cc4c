//! From a NIR graph to a [`Network`] in 16-bit fixed point.
//!
//! Contract: [`import`] gives a well-formed network that computes what the graph means with the [`Options`], but for
//! rounding and saturation, or everything that speaks against the graph. The steps are apart: [`model`] is the graph
//! in discrete time and real numbers, [`mod@float`] runs that, [`mod@quantize`] brings it into given formats and roundings, and the
//! formats are found by trying them on spikes ([`Options::calibration`]). [`ImportReport`] says what was chosen and
//! what it costs.
//!
//! Invariant: the same graph and options give the same network on every machine.
//!
//! Not here: reading files (see [`crate::nir`]).

mod calibrate;
mod error;
mod exact;
pub mod float;
pub mod linear;
pub mod model;
mod options;
pub mod quantize;
mod report;
mod score;
pub(crate) mod trains;
mod trial;
mod wiring;

pub use error::ImportError;
pub use options::{
    Calibration, Comparison, ForcedFormat, ForcedFormatError, ForcedRounding, ForcedRoundingError, Method, Options,
    Part, Record, Reset, RoundingName, SpikeFrom,
};
pub use report::{Agreement, Candidate, ImportReport, PopulationReport, RoundingReport, Validation};

use rayon::prelude::*;

use crate::interpret::{Interpreter, Saturations};
use crate::network::{Network, Quantity, Readout, Recording, Window};
use crate::nir::Graph;

use calibrate::{Case, cases, search};
use float::Range;
use model::{Model, Neurons};
use quantize::{CURRENT, Choice, Clipped, POTENTIAL, Roundings, SPIKE};
use score::Score;

/// An imported network.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Well-formed in the sense of [`crate::verify`].
    pub network: Network,
    /// How it came about.
    pub report: ImportReport,
}

/// Imports `graph`.
///
/// # Errors
/// Everything that speaks against the graph, the options or the calibration samples; never an empty list.
pub fn import(graph: &Graph, options: &Options) -> Result<Imported, Vec<ImportError>> {
    let model = Model::new(graph, options)?;
    let roundings = roundings(&model, options)?;
    let cases = cases(&model, &options.calibration)?;
    let candidates = search(&model, &cases, &options.formats, &roundings, options.calibration.clip_percent)?;
    let best = candidates.iter().filter_map(|list| list.first());
    let choices: Vec<Choice> =
        best.zip(&roundings).map(|(best, &roundings)| Choice { formats: best.formats, roundings }).collect();
    let (network, clipped) = network(&model, &choices, options)?;
    let validation = validate(&model, &network, &cases)?;
    let mut compared = Vec::new();
    for name in [RoundingName::Nearest, RoundingName::Stochastic, RoundingName::Zero] {
        let both = Roundings::both(name.into());
        let populations = if roundings.iter().all(|roundings| *roundings == both) {
            validation.populations.clone()
        } else {
            let choices: Vec<Choice> = choices.iter().map(|choice| Choice { roundings: both, ..*choice }).collect();
            validate(&model, &self::network(&model, &choices, options)?.0, &cases)?.populations
        };
        let in_gate = populations.iter().all(Agreement::in_gate);
        compared.push(RoundingReport { rounding: name, in_gate, populations });
    }
    let populations: Vec<PopulationReport> = candidates
        .into_iter()
        .zip(clipped)
        .enumerate()
        .map(|(index, (candidates, clipped))| population(&model, index, choices[index], clipped, &cases, candidates))
        .collect();
    let warnings = warnings(&populations, &validation, &compared);
    let options = options.clone();
    Ok(Imported { network, report: ImportReport { options, populations, validation, roundings: compared, warnings } })
}

fn network(model: &Model, choices: &[Choice], options: &Options) -> Result<(Network, Vec<Clipped>), Vec<ImportError>> {
    let (mut network, clipped) = quantize::network(model, choices, options.record)?;
    network.seed = options.seed;
    Ok((network, clipped))
}

/// How each population's operations round.
fn roundings(model: &Model, options: &Options) -> Result<Vec<Roundings>, Vec<ImportError>> {
    let mut all = vec![Roundings::both(options.rounding.into()); model.populations.len()];
    let mut errors = Vec::new();
    for forced in &options.roundings {
        match model.populations.iter().position(|neurons| neurons.name == forced.population) {
            Some(index) => match forced.part {
                Part::Current => all[index].current = forced.rounding.into(),
                Part::Potential => all[index].potential = forced.rounding.into(),
            },
            None => {
                let known = known(model);
                errors.push(ImportError::UnknownPopulation { population: forced.population.clone(), known });
            }
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(errors) }
}

/// The names of all populations, in backquotes.
fn known(model: &Model) -> String {
    model.populations.iter().map(|neurons| format!("`{}`", neurons.name)).collect::<Vec<_>>().join(", ")
}

fn population(
    model: &Model,
    index: usize,
    choice: Choice,
    clipped: Clipped,
    cases: &[Case],
    candidates: Vec<Candidate>,
) -> PopulationReport {
    let range =
        |of: fn(&Case, usize) -> Range| cases.iter().fold(Range::default(), |all, case| all.union(of(case, index)));
    let neurons = &model.populations[index];
    PopulationReport {
        name: neurons.name.clone(),
        kind: neurons.kind,
        size: neurons.size,
        formats: choice.formats,
        roundings: choice.roundings,
        why: why(neurons, &candidates),
        clipped,
        current: range(|case, index| case.float.currents[index]),
        potential: range(|case, index| case.float.reached[index]),
        candidates,
    }
}

/// What decided about formats.
fn why(neurons: &Neurons, candidates: &[Candidate]) -> String {
    let Some(chosen) = candidates.first() else { return String::new() };
    let of = |candidate: &Candidate| match candidate.agreement.deviation_percent {
        Some(deviation) => format!("{deviation:.2} % deviation of V"),
        None => format!("{:.2} mismatched spikes", candidate.cost),
    };
    if candidates.len() == 1 {
        return format!("the only pair that was asked for or is possible: {}", of(chosen));
    }
    let least = candidates.iter().map(|candidate| candidate.cost).fold(f64::INFINITY, f64::min);
    let best = if chosen.cost > least {
        format!(", as good as the least of {least:.2} but for chance, and it saturates less or has more room")
    } else {
        String::new()
    };
    let some = match chosen.neurons < neurons.size {
        true => format!(" on {} of its neurons", chosen.neurons),
        false => String::new(),
    };
    let worst = candidates.iter().max_by(|a, b| a.cost.total_cmp(&b.cost)).map(of).unwrap_or_default();
    format!("of {} pairs tried{some}: {}{best}; the worst has {worst}", candidates.len(), of(chosen))
}

/// Updates of neurons in the validation's runs of the interpreter together, at most: a second or two.
const VALIDATION_WORK: u64 = 12_000_000;

/// Runs the network on cases and compares every population with floating point.
fn validate(model: &Model, network: &Network, cases: &[Case]) -> Result<Validation, Vec<ImportError>> {
    let internal = |errors: Vec<_>| -> Vec<ImportError> { errors.into_iter().map(ImportError::Internal).collect() };
    let scores: Vec<Score> = (0..model.populations.len()).map(|index| score(model, index)).collect();
    let mut watched = network.clone();
    for (population, score) in scores.iter().enumerate() {
        let quantity = Quantity::Variable(POTENTIAL);
        if score.wants_potentials() && !watched.is_recorded(population, quantity) {
            watched.recordings.push(Recording { population, quantity, window: Window::WHOLE });
        }
    }
    let updates = model.populations.iter().map(|neurons| neurons.size as u64).sum::<u64>() * u64::from(model.steps);
    let most = usize::try_from(VALIDATION_WORK / updates.max(1)).unwrap_or(usize::MAX).max(2);
    // Samples and copies alike, as they come.
    let chosen: Vec<usize> = match cases.len() <= most {
        true => (0..cases.len()).collect(),
        false => (0..most).map(|n| n * cases.len() / most).collect(),
    };
    let interpreter = Interpreter::new(&watched).map_err(internal)?;
    // Every run of an imported network starts anew, so they can be made at the same time.
    let runs: Vec<Result<(Vec<Score>, Saturations), ImportError>> = chosen
        .par_iter()
        .map(|&index| {
            let case = &cases[index];
            let mut saturations = Saturations::new(&watched);
            let run = interpreter
                .clone()
                .run_observed(&case.inputs, &mut saturations)
                .map_err(|error| ImportError::Sample { sample: index, error })?;
            let mut scores = scores.clone();
            for (population, score) in scores.iter_mut().enumerate() {
                compare(score, case, &watched, &run, population);
            }
            Ok((scores, saturations))
        })
        .collect();
    let mut sums = scores;
    let mut saturated = vec![[0; 2]; sums.len()];
    for run in runs {
        let (scores, saturations) = run.map_err(|error| vec![error])?;
        sums = sums.into_iter().zip(&scores).map(|(sum, score)| sum.plus(score)).collect();
        for (sum, counts) in saturated.iter_mut().zip(&saturations.counts) {
            *sum = [sum[0] + counts[CURRENT], sum[1] + counts[POTENTIAL]];
        }
    }
    let jittered = chosen.iter().filter(|index| cases[**index].jittered).count();
    let populations = sums.iter().zip(saturated).map(|(score, saturations)| score.agreement(saturations)).collect();
    Ok(Validation { samples: chosen.len() - jittered, jittered, populations })
}

fn score(model: &Model, index: usize) -> Score {
    let neurons = &model.populations[index];
    let output = model.outputs.iter().find(|(population, _)| *population == index);
    let readout = match (output, &neurons.spike) {
        (Some((_, readout)), _) => Some(*readout),
        (None, Some(_)) => None,
        (None, None) => Some(Readout::Max),
    };
    Score::new(neurons.size, neurons.spike.is_some(), readout)
}

/// One population in one case.
fn compare(score: &mut Score, case: &Case, network: &Network, run: &crate::interpret::Run, population: usize) {
    if let Some(fixed) = run.events[population].get(SPIKE) {
        for (float, fixed) in case.float.spikes[population].steps().iter().zip(fixed.steps()) {
            score.spikes(float, fixed);
        }
    }
    let format = network.populations[population].kernel.variables[POTENTIAL].ty.format;
    if score.wants_potentials() {
        let trace = run.traces[population][POTENTIAL].iter().flatten();
        for (float, codes) in case.float.potentials[population].iter().zip(trace) {
            let fixed: Vec<f64> = codes.iter().map(|&code| format.to_f64(code)).collect();
            score.potentials(float, &fixed);
        }
    }
    score.end(case.jittered);
}

/// More than this share of samples with another class is worth a word, in percent.
const OTHER_CLASS_PERCENT: f64 = 5.0;

/// More than this share of weights that became 0 is worth a word, in percent.
const VANISHED_PERCENT: f64 = 10.0;

fn warnings(populations: &[PopulationReport], validation: &Validation, roundings: &[RoundingReport]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, (population, agreement)) in populations.iter().zip(&validation.populations).enumerate() {
        let PopulationReport { name, formats, clipped, .. } = population;
        if clipped.weights_clipped > 0 {
            warnings.push(format!(
                "`{name}`: {} of {} weights are beyond {} and were clipped",
                clipped.weights_clipped, clipped.weights, formats.current
            ));
        }
        if clipped.weights_vanished as f64 > VANISHED_PERCENT / 100.0 * clipped.weights as f64 {
            warnings.push(format!(
                "`{name}`: {} of {} weights are less than half a step of {} and became 0",
                clipped.weights_vanished, clipped.weights, formats.current
            ));
        }
        if clipped.parameters_clipped > 0 {
            warnings.push(format!(
                "`{name}`: {} biases, thresholds, resets or leaks are beyond their format and were clipped; choose another",
                clipped.parameters_clipped
            ));
        }
        if agreement.other_class_percent > OTHER_CLASS_PERCENT {
            warnings.push(format!(
                "`{name}`: in {:.1} % of the calibration samples the largest readout is another neuron's than in \
                 floating point; give typical samples for calibration, or look at the candidates",
                agreement.other_class_percent
            ));
        }
        if !agreement.in_gate() {
            warnings.push(out_of_gate(name, index, population.roundings, agreement, roundings));
        }
    }
    warnings
}

/// What a population that is out of gate needs.
fn out_of_gate(
    name: &str,
    index: usize,
    own: Roundings,
    agreement: &Agreement,
    roundings: &[RoundingReport],
) -> String {
    let what = match agreement.deviation_percent {
        Some(deviation) => format!("V deviates by {deviation:.2} % from floating point"),
        None => {
            let r = agreement.correlation.map_or_else(|| "-".to_owned(), |r| format!("{r:.4}"));
            format!("{:+.2} % spikes against floating point, counts correlated by {r}", agreement.spikes_percent())
        }
    };
    let other = roundings
        .iter()
        .find(|report| Roundings::both(report.rounding.into()) != own && report.populations[index].in_gate());
    let rounding = RoundingName::from(own.potential);
    let advice = match other {
        Some(report) => format!("rounding {} is within it: give --rounding {}", report.rounding, report.rounding),
        None => "no rounding is within it; give typical samples for calibration, or formats".to_owned(),
    };
    format!("`{name}`: rounding {rounding} is out of gate ({what}); {advice}")
}
