//! Chooses number formats by trying them.
//!
//! Contract: for each population, pairs of formats for `I` and `V` are tried on the population alone: its Inputs and
//! the floating-point spikes of all other populations drive it, its own spikes recur, and its spikes (or its `V`, if
//! it does not spike) are compared with the floating-point run. The cheapest pair wins, the one that saturates less
//! among equals. The search is the same on every machine, however many threads it has.
//!
//! Why by trying: the range of a variable says little. Potentials far below the threshold may saturate without harm,
//! while fine steps near the threshold decide about spikes. Why disturbed copies of the samples: near the threshold a
//! single run agrees or disagrees by luck.
//!
//! A pair is not tried where more than one in a hundred weights, or a threshold (twice the threshold for reset as in
//! snnTorch), a reset or a leak potential, or (with headroom) the `I` and `V` of neurons that do not spike, is out of
//! range; or where the largest of these has fewer than three bits. What remains is first tried on few samples, and the
//! better half of it on all.
//!
//! Not here: scaling of weights and potentials.

use fenn_isa::fixed::Format;
use fenn_isa::image::manifest::Readout;
use rayon::prelude::*;

use crate::interpret::{Interpreter, Run, RunError, Saturations, SpikeTrain};
use crate::network::{Network, Source};

use super::error::ImportError;
use super::float::{self, FloatRun, Range};
use super::model::{Connection, Model, Neurons};
use super::options::{Calibration, ForcedFormat, Part, Reset};
use super::quantize::{self, CURRENT, Formats, POTENTIAL, SPIKE};
use super::report::{Agreement, Candidate};
use super::trains::Trains;

/// Of how many samples, and of as many copies, the first trial consists.
const FIRST_TRIAL: usize = 3;

/// How many pairs are tried on all samples, at least.
const FINALISTS: usize = 16;

/// One of this many weights may be out of range.
const CLIP_ONE_IN: usize = 100;

/// Formats of neurons that do not spike hold this times what they had to hold in calibration, since nothing would reset
/// them where other samples go further.
const HEADROOM: f64 = 1.5;

/// The largest number must have at least this many codes.
const LEAST_CODES: f64 = 8.0;

/// A sample with its floating-point run.
pub(super) struct Case {
    pub(super) inputs: Vec<SpikeTrain>,
    pub(super) float: FloatRun,
    /// Whether it is a disturbed copy.
    pub(super) jittered: bool,
}

/// The samples to try formats on: the user's and disturbed copies of them in turn, or generated ones.
///
/// # Errors
/// Every sample that does not fit the model's inputs, or [`ImportError::NoCalibration`].
pub(super) fn cases(model: &Model, calibration: &Calibration) -> Result<Vec<Case>, Vec<ImportError>> {
    let sizes: Vec<usize> = model.inputs.iter().map(|(_, size)| *size).collect();
    let mut trains = Trains::new(calibration.seed);
    let mut inputs: Vec<(Vec<SpikeTrain>, bool)> = Vec::new();
    if calibration.samples.is_empty() {
        inputs.extend((0..calibration.generated).map(|index| (trains.generate(index, &sizes, model.steps), false)));
    } else {
        let errors: Vec<ImportError> =
            calibration.samples.iter().enumerate().filter_map(|s| misfit(model, s)).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        inputs.extend(calibration.samples.iter().map(|sample| (sample.clone(), false)));
        let originals = calibration.samples.iter().cycle().enumerate().take(calibration.jittered);
        inputs.extend(originals.map(|(copy, sample)| (trains.jitter(copy, sample, &sizes), true)));
    }
    if inputs.is_empty() {
        return Err(vec![ImportError::NoCalibration]);
    }
    let case = |(inputs, jittered): (Vec<SpikeTrain>, bool)| {
        let float = float::run(model, &inputs);
        Case { inputs, float, jittered }
    };
    Ok(inputs.into_par_iter().map(case).collect())
}

/// What is wrong with a sample.
fn misfit(model: &Model, (sample, trains): (usize, &Vec<SpikeTrain>)) -> Option<ImportError> {
    let (expected, found) = (model.inputs.len(), trains.len());
    let error = if expected != found {
        Some(RunError::Inputs { expected, found })
    } else {
        model.inputs.iter().zip(trains).find_map(|((name, size), train)| {
            train.check(name, u32::try_from(*size).unwrap_or(u32::MAX), model.steps).err()
        })
    };
    error.map(|error| ImportError::Sample { sample, error })
}

/// The formats of every population, best first; and the pairs tried.
///
/// # Errors
/// Every population that no pair suits.
pub(super) fn search(
    model: &Model,
    cases: &[Case],
    forced: &[ForcedFormat],
) -> Result<Vec<Vec<Candidate>>, Vec<ImportError>> {
    let known = || model.populations.iter().map(|p| format!("`{}`", p.name)).collect::<Vec<_>>().join(", ");
    let mut errors: Vec<ImportError> = forced
        .iter()
        .filter(|forced| model.populations.iter().all(|population| population.name != forced.population))
        .map(|forced| ImportError::UnknownPopulation { population: forced.population.clone(), known: known() })
        .collect();
    let mut chosen = Vec::new();
    for index in 0..model.populations.len() {
        match pairs(model, index, cases, forced) {
            Ok(pairs) => chosen.push(Trial::new(model, index, cases).best(pairs)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(chosen) } else { Err(errors) }
}

/// The pairs worth trying for a population.
fn pairs(model: &Model, index: usize, cases: &[Case], forced: &[ForcedFormat]) -> Result<Vec<Formats>, ImportError> {
    let neurons = &model.populations[index];
    let choice = |part| forced.iter().rfind(|f| f.population == neurons.name && f.part == part).map(|f| f.format);
    let range = |of: fn(&FloatRun) -> &[Range]| {
        let all = cases.iter().fold(Range::default(), |all, case| all.union(of(&case.float)[index]));
        HEADROOM * all.max.max(-all.min)
    };
    let arrives = if neurons.spike.is_none() { range(|float| &float.currents) } else { 0.0 };
    let onto: Vec<&Connection> = model.connections.iter().filter(|c| c.target == index).collect();
    let current =
        list(neurons, Part::Current, choice(Part::Current), |format| suits_current(neurons, &onto, arrives, format))?;
    let limits = potential_limits(model, neurons, range(|float| &float.reached));
    let potential = list(neurons, Part::Potential, choice(Part::Potential), |format| holds(format, limits))?;
    let all: Vec<Formats> = current
        .iter()
        .flat_map(|&current| potential.iter().map(move |&potential| Formats { current, potential }))
        .collect();
    let convertible: Vec<Formats> = all.iter().copied().filter(|formats| formats.convertible()).collect();
    if convertible.is_empty() {
        let Formats { current, potential } = all[0];
        return Err(ImportError::FormatsApart { node: neurons.name.clone(), current, potential });
    }
    Ok(convertible)
}

/// The formats worth trying for a part: the one the user insists on, or all that suit.
fn list(
    neurons: &Neurons,
    part: Part,
    forced: Option<Format>,
    suits: impl Fn(Format) -> Result<(), String>,
) -> Result<Vec<Format>, ImportError> {
    if let Some(format) = forced {
        return Ok(vec![format]);
    }
    let mut why = String::new();
    let mut formats = Vec::new();
    for format in Format::all() {
        match suits(format) {
            Ok(()) => formats.push(format),
            Err(reason) => why = reason,
        }
    }
    if formats.is_empty() { Err(ImportError::NoFormat { node: neurons.name.clone(), part, why }) } else { Ok(formats) }
}

/// `arrives`: what the format has to hold besides most weights.
fn suits_current(neurons: &Neurons, onto: &[&Connection], arrives: f64, format: Format) -> Result<(), String> {
    let (mut largest, mut clipped, mut count) = (0.0_f64, 0, 0);
    let weights = onto.iter().flat_map(|connection| {
        (0..neurons.size)
            .flat_map(|row| connection.weight.row(row).iter().map(move |weight| weight * neurons.gain(row)))
    });
    for weight in weights {
        largest = largest.max(weight.abs());
        clipped += usize::from(format.quantize(weight).is_none_or(|quantized| quantized.saturated));
        count += 1;
    }
    let fits = clipped * CLIP_ONE_IN <= count && arrives <= format.to_f64(i16::MAX);
    let fine = fits && (largest == 0.0 || largest >= LEAST_CODES * format.resolution());
    let why = || format!("its weights, with all gains, go up to {largest:.3e}, and their sums up to {arrives:.3e}");
    fine.then_some(()).ok_or_else(why)
}

/// The number that decides about a format's resolution, and the one that has to fit.
/// `reached`: what neurons that do not spike have to hold.
fn potential_limits(model: &Model, neurons: &Neurons, reached: f64) -> (f64, f64) {
    let largest = |numbers: &[f64]| numbers.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()));
    let rest = largest(&neurons.rest);
    match &neurons.spike {
        Some(spike) => {
            let threshold = largest(&spike.threshold);
            let twice = if model.rules.reset == Reset::Snntorch { 2.0 } else { 1.0 };
            (threshold, (threshold * twice).max(largest(&spike.reset)).max(rest))
        }
        None => {
            let reached = reached.max(rest);
            (reached, reached)
        }
    }
}

fn holds(format: Format, (decisive, largest): (f64, f64)) -> Result<(), String> {
    let fits = largest <= format.to_f64(i16::MAX);
    let fine = fits && (decisive == 0.0 || decisive >= LEAST_CODES * format.resolution());
    fine.then_some(()).ok_or_else(|| format!("it has to hold {decisive:.3e} to {largest:.3e}"))
}

/// One population on all cases.
struct Trial<'a> {
    model: &'a Model,
    index: usize,
    cases: &'a [Case],
    /// Per case, the spikes that drive the population alone, as [`quantize::alone`] wants them.
    drives: Vec<Vec<SpikeTrain>>,
}

impl<'a> Trial<'a> {
    fn new(model: &'a Model, index: usize, cases: &'a [Case]) -> Self {
        let onto = || model.connections.iter().filter(|connection| connection.target == index);
        let drive = |case: &Case| {
            let train = |connection: &Connection| match connection.source {
                Source::Input(input) => Some(case.inputs[input].clone()),
                Source::Events { population, .. } if population == index => None,
                Source::Events { population, .. } if connection.is_feedback() => {
                    Some(case.float.spikes[population].delayed())
                }
                Source::Events { population, .. } => Some(case.float.spikes[population].clone()),
            };
            onto().filter_map(train).collect()
        };
        Self { model, index, cases, drives: cases.iter().map(drive).collect() }
    }

    /// The pairs tried on all cases, the best first.
    fn best(&self, mut pairs: Vec<Formats>) -> Vec<Candidate> {
        let few: Vec<usize> = [false, true]
            .iter()
            .flat_map(|kind| (0..self.cases.len()).filter(|&c| self.cases[c].jittered == *kind).take(FIRST_TRIAL))
            .collect();
        let all: Vec<usize> = (0..self.cases.len()).collect();
        if pairs.len() > FINALISTS && few.len() < all.len() {
            let keep = FINALISTS.max(pairs.len() / 2);
            pairs = self.ranked(&pairs, &few).into_iter().take(keep).map(|candidate| candidate.formats).collect();
        }
        self.ranked(&pairs, &all)
    }

    fn ranked(&self, pairs: &[Formats], cases: &[usize]) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> =
            pairs.par_iter().filter_map(|&formats| self.candidate(formats, cases)).collect();
        candidates.sort_by(|a, b| {
            let saturations = |c: &Candidate| c.agreement.saturations_current + c.agreement.saturations_potential;
            a.cost.total_cmp(&b.cost).then(saturations(a).cmp(&saturations(b)))
        });
        candidates
    }

    /// `None` only if the network alone were not executable, which `pairs` and `misfit` exclude.
    fn candidate(&self, formats: Formats, cases: &[usize]) -> Option<Candidate> {
        let (network, _) = quantize::alone(self.model, self.index, formats).ok()?;
        let mut tally = Tally::new(self.model, self.index);
        let mut interpreter = Interpreter::new(&network).ok()?;
        let mut saturations = Saturations::new(&network);
        for &case in cases {
            let run = interpreter.run_observed(&self.drives[case], &mut saturations).ok()?;
            tally.add(&self.cases[case], &network, &run, 0);
        }
        let agreement = tally.agreement(&saturations.counts[0]);
        let cost = match agreement.deviation_percent {
            Some(deviation) => deviation + agreement.other_class_percent,
            None => agreement.mismatches + agreement.mismatches_jittered,
        };
        Some(Candidate { formats, cost, agreement })
    }
}

/// Adds up how a population does over several cases.
pub(super) struct Tally<'a> {
    neurons: &'a Neurons,
    index: usize,
    readout: Option<Readout>,
    /// Of samples and of disturbed copies: how many, and mismatches.
    cases: [(usize, usize); 2],
    other_class: usize,
    /// Spike counts per neuron and case: floating point, fixed point.
    counts: Vec<(f64, f64)>,
    /// Sum of squared deviations of V, how many, and the largest |V|.
    squares: f64,
    values: usize,
    largest: f64,
}

impl<'a> Tally<'a> {
    pub(super) fn new(model: &'a Model, index: usize) -> Self {
        let neurons = &model.populations[index];
        let output = model.outputs.iter().find(|(population, _)| *population == index);
        let readout = match (output, &neurons.spike) {
            (Some((_, readout)), _) => Some(*readout),
            (None, Some(_)) => None,
            (None, None) => Some(Readout::Max),
        };
        Self {
            neurons,
            index,
            readout,
            cases: [(0, 0); 2],
            other_class: 0,
            counts: Vec::new(),
            squares: 0.0,
            values: 0,
            largest: 0.0,
        }
    }

    /// A case, and its run in `network`, in which the population has the number `population`.
    pub(super) fn add(&mut self, case: &Case, network: &Network, run: &Run, population: usize) {
        let (count, mismatches) = &mut self.cases[usize::from(case.jittered)];
        *count += 1;
        let size = self.neurons.size;
        if self.neurons.spike.is_some() {
            let (float, fixed) = (&case.float.spikes[self.index], &run.events[population][SPIKE]);
            *mismatches += float.mismatches(fixed);
            let pairs = float.counts(size).into_iter().zip(fixed.counts(size));
            self.counts.extend(pairs.map(|(a, b)| (f64::from(a), f64::from(b))));
        }
        let format = network.populations[population].kernel.variables[POTENTIAL].ty.format;
        // Potentials matter only where no spikes decide.
        let matter = self.neurons.spike.is_none() || self.readout.is_some_and(|readout| readout != Readout::Count);
        let fixed: Vec<Vec<f64>> = run.traces[population][POTENTIAL]
            .iter()
            .flatten()
            .filter(|_| matter)
            .map(|codes| codes.iter().map(|&code| format.to_f64(code)).collect())
            .collect();
        let float = &case.float.potentials[self.index];
        if self.neurons.spike.is_none() {
            for (a, b) in float.iter().zip(&fixed).flat_map(|(a, b)| a.iter().zip(b)) {
                self.squares += (a - b).powi(2);
                self.values += 1;
                self.largest = self.largest.max(a.abs());
            }
        }
        let class = |trace: &[Vec<f64>], spikes: &[u32]| match self.readout {
            None => None,
            Some(Readout::Count) => largest(spikes.iter().map(|&count| f64::from(count))),
            Some(Readout::Last) => largest(trace.last().into_iter().flatten().copied()),
            Some(Readout::Mean) => largest((0..size).map(|n| trace.iter().map(|v| v[n]).sum())),
            Some(Readout::Max) => {
                largest((0..size).map(|n| trace.iter().fold(f64::NEG_INFINITY, |max, v| max.max(v[n]))))
            }
        };
        let counts = |train: Option<&SpikeTrain>| train.map(|train| train.counts(size)).unwrap_or_default();
        let a = class(float, &counts(case.float.spikes.get(self.index)));
        let b = class(&fixed, &counts(run.events[population].get(SPIKE)));
        self.other_class += usize::from(a != b);
    }

    /// `saturations`: of the population's variables.
    pub(super) fn agreement(&self, saturations: &[u64]) -> Agreement {
        let mean = |(count, sum): (usize, usize)| if count == 0 { 0.0 } else { sum as f64 / count as f64 };
        let cases = self.cases[0].0 + self.cases[1].0;
        let deviation = || {
            let rms = (self.squares / self.values.max(1) as f64).sqrt();
            if self.largest > 0.0 { 100.0 * rms / self.largest } else { 0.0 }
        };
        Agreement {
            mismatches: mean(self.cases[0]),
            mismatches_jittered: mean(self.cases[1]),
            correlation: correlation(&self.counts),
            deviation_percent: self.neurons.spike.is_none().then(deviation),
            other_class_percent: 100.0 * self.other_class as f64 / cases.max(1) as f64,
            saturations_current: saturations[CURRENT],
            saturations_potential: saturations[POTENTIAL],
        }
    }
}

/// The position of the largest number, the first of equals.
fn largest(numbers: impl Iterator<Item = f64>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (index, number) in numbers.enumerate() {
        if best.is_none_or(|(_, largest)| number > largest) {
            best = Some((index, number));
        }
    }
    best.map(|(index, _)| index)
}

/// Pearson's correlation of the pairs; `None` where one side does not vary.
fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let count = pairs.len().max(1) as f64;
    let (a, b) = pairs.iter().fold((0.0, 0.0), |(a, b), pair| (a + pair.0 / count, b + pair.1 / count));
    let moment = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|pair| f(pair.0 - a, pair.1 - b)).sum::<f64>();
    let (xx, yy, xy) = (moment(&|x, _| x * x), moment(&|_, y| y * y), moment(&|x, y| x * y));
    (xx > 0.0 && yy > 0.0).then(|| xy / (xx * yy).sqrt())
}
