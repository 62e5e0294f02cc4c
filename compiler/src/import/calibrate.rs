//! Chooses number formats by trying them.
//!
//! Contract: for each population, pairs of formats for `I` and `V` are tried on the population alone: its Inputs and
//! the floating-point spikes of all other populations drive it, and its spikes (or its `V`, if it does not spike) are compared with
//! the floating-point run. The cheapest pair wins; among equals (for spikes: among those whose mismatches differ by no more than
//! chance) the one that saturates less, then the finest of those with room to spare. The search is the same on every
//! machine, however many threads it has: effort is bounded by counted work, not by time.
//!
//! Why by trying: the range of a variable says little. Potentials far below the threshold may saturate without harm,
//! while fine steps near the threshold decide about spikes. Why disturbed copies of the samples: near the threshold a
//! single run agrees or disagrees by luck.
//!
//! A pair is not tried where more weights than a share of them, or a threshold (twice the threshold for reset as in
//! snnTorch), a reset or a leak potential, or (with headroom) the `I` and `V` of neurons that do not spike, is out of
//! range; or where the largest of these has fewer than three bits. Where all pairs are few, all are tried, on few samples first and
//! the better half on all; where they are many, one format after the other is changed until no change is for the better.
//!
//! Not here: scaling of weights and potentials.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use fenn_isa::fixed::Format;
use rayon::prelude::*;

use crate::interpret::{RunError, SpikeTrain};
use crate::network::{Readout, Source};

use super::error::ImportError;
use super::float::{self, FloatRun, Range};
use super::linear::Map;
use super::model::{Connection, Model, Neurons, OnSpike};
use super::options::{Calibration, ForcedFormat, Part};
use super::quantize::{Formats, Roundings, convertible};
use super::report::{Agreement, Candidate};
use super::trains::Trains;
use super::trial::Trial;

/// Of how many samples, and of as many copies, the first trial consists.
const FIRST_TRIAL: usize = 3;

/// How many pairs are tried on all samples, at least.
const FINALISTS: usize = 16;

/// Formats of neurons that do not spike hold this times what they had to hold in calibration, since nothing would reset
/// them where other samples go further.
const HEADROOM: f64 = 1.5;

/// Among formats that do equally well, one that holds this times what was reached is preferred.
const SPARE: f64 = 1.25;

/// The largest number must have at least this many codes.
const LEAST_CODES: f64 = 8.0;

/// Updates of neurons and events at synapses in the floating-point runs of all cases together: some seconds.
const FLOAT_WORK: u64 = 600_000_000;

/// Updates of neurons in all trials of a population together: some seconds.
const TRIAL_WORK: u64 = 400_000_000;

/// At least this many samples, and as many copies of them, are tried however large the network.
const LEAST_CASES: usize = 2;

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
    // Potentials are kept where no spikes decide, or where they are read out.
    let wanted: Vec<bool> = (0..model.populations.len())
        .map(|index| {
            let read = |(population, readout): &(usize, Readout)| *population == index && *readout != Readout::Count;
            model.populations[index].spike.is_none() || model.outputs.iter().any(read)
        })
        .collect();
    let case = |(inputs, jittered): (Vec<SpikeTrain>, bool)| {
        let float = float::run_keeping(model, &inputs, |population| wanted[population]);
        Case { inputs, float, jittered }
    };
    let first = case(inputs.remove(0));
    let affordable = usize::try_from(FLOAT_WORK / work(model, &first).max(1)).unwrap_or(usize::MAX);
    let mut left = thinned(inputs, affordable.max(2 * LEAST_CASES) - 1);
    let mut cases = vec![first];
    cases.extend(left.par_drain(..).map(case).collect::<Vec<Case>>());
    Ok(cases)
}

/// At most `count` of `inputs`, evenly, of samples and of copies alike.
fn thinned<T>(inputs: Vec<(T, bool)>, count: usize) -> Vec<(T, bool)> {
    let all = inputs.len();
    if all <= count {
        return inputs;
    }
    let keep = |index: usize| (index + 1) * count / all > index * count / all;
    inputs.into_iter().enumerate().filter(|(index, _)| keep(*index)).map(|(_, input)| input).collect()
}

/// How much work a case is: updates of neurons, and events at synapses.
fn work(model: &Model, case: &Case) -> u64 {
    let updates = model.populations.iter().map(|neurons| neurons.size as u64).sum::<u64>() * u64::from(model.steps);
    let events = model.connections.iter().map(|connection| {
        let spikes = match connection.source {
            Source::Input(input) => case.inputs[input].count(),
            Source::Events { population, .. } => case.float.spikes[population].count(),
        };
        let sources = connection.map.sources().max(1) as u128;
        u64::try_from(connection.map.count() / sources).unwrap_or(u64::MAX).saturating_mul(spikes as u64)
    });
    updates.saturating_add(events.fold(0, u64::saturating_add))
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
///
/// `roundings` has one entry per population.
pub(super) fn search(
    model: &Model,
    cases: &[Case],
    forced: &[ForcedFormat],
    roundings: &[Roundings],
    clip_percent: f64,
) -> Result<Vec<Vec<Candidate>>, Vec<ImportError>> {
    let known = || model.populations.iter().map(|p| format!("`{}`", p.name)).collect::<Vec<_>>().join(", ");
    let mut errors: Vec<ImportError> = forced
        .iter()
        .filter(|forced| model.populations.iter().all(|population| population.name != forced.population))
        .map(|forced| ImportError::UnknownPopulation { population: forced.population.clone(), known: known() })
        .collect();
    let mut chosen = Vec::new();
    for (index, rounding) in roundings.iter().enumerate() {
        match pairs(model, index, cases, forced, clip_percent) {
            Ok(pairs) => {
                let trial = Trial::new(model, index, cases, *rounding);
                chosen.push(best(&trial, &Order::new(cases, index), cases, pairs));
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(chosen) } else { Err(errors) }
}

/// The pairs worth trying for a population.
fn pairs(
    model: &Model,
    index: usize,
    cases: &[Case],
    forced: &[ForcedFormat],
    clip_percent: f64,
) -> Result<Vec<Formats>, ImportError> {
    let neurons = &model.populations[index];
    let choice = |part| forced.iter().rfind(|f| f.population == neurons.name && f.part == part).map(|f| f.format);
    let range = |of: fn(&FloatRun) -> &[Range]| {
        let all = cases.iter().fold(Range::default(), |all, case| all.union(of(&case.float)[index]));
        HEADROOM * all.max.max(-all.min)
    };
    let arrives = if neurons.spike.is_none() { range(|float| &float.currents) } else { 0.0 };
    let onto: Vec<&Connection> = model.connections.iter().filter(|c| c.target == index).collect();
    let weights = Magnitudes::of(neurons, &onto);
    let suits = |format| weights.suit(arrives, clip_percent, format);
    let current = list(neurons, Part::Current, choice(Part::Current), suits)?;
    let limits = potential_limits(neurons, range(|float| &float.reached));
    let potential = list(neurons, Part::Potential, choice(Part::Potential), |format| holds(format, limits))?;
    let all: Vec<Formats> = current
        .iter()
        .flat_map(|&current| potential.iter().map(move |&potential| Formats { current, potential }))
        .collect();
    let possible: Vec<Formats> = all.iter().copied().filter(|formats| convertible(neurons, *formats)).collect();
    if possible.is_empty() {
        let Formats { current, potential } = all[0];
        return Err(ImportError::FormatsApart { node: neurons.name.clone(), current, potential });
    }
    Ok(possible)
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

/// How large a population's weights are, with gains.
struct Magnitudes {
    largest: f64,
    count: u64,
    /// `above[i]`: how many do not fit the format with `i` fraction bits.
    above: [u64; 16],
}

impl Magnitudes {
    fn of(neurons: &Neurons, onto: &[&Connection]) -> Self {
        let gains: Vec<f64> = neurons.folded_factors().iter().map(|factor| factor.nearest).collect();
        let limits: Vec<(f64, f64)> = Format::all()
            .map(|format| (format.to_f64(i16::MIN), format.to_f64(i16::MAX) + format.resolution() / 2.0))
            .collect();
        let mut all = Self { largest: 0.0, count: 0, above: [0; 16] };
        for connection in onto {
            let mut one = |gain: f64, weight: f64| {
                let weight = gain * weight;
                all.largest = all.largest.max(weight.abs());
                all.count += 1;
                // From the finest format on: what fits one fits all wider ones.
                for (above, (least, most)) in all.above.iter_mut().zip(&limits).rev() {
                    if weight >= *least && weight < *most {
                        break;
                    }
                    *above += 1;
                }
            };
            if let Map::Convolution(kernel) = &connection.map {
                let [_, rows, columns] = kernel.geometry().target;
                for (place, weight) in kernel.weights.iter().enumerate() {
                    let channel = place / kernel.per_channel().max(1);
                    one(gains[channel * (rows * columns) as usize], *weight);
                }
                continue;
            }
            for source in 0..connection.map.sources() {
                connection.map.row(source, |target, weight| one(gains[target as usize], weight));
            }
        }
        all
    }

    /// `arrives`: what the format has to hold besides most weights.
    fn suit(&self, arrives: f64, clip_percent: f64, format: Format) -> Result<(), String> {
        let clipped = self.above[usize::from(format.fraction_bits())];
        let share = 100.0 * clipped as f64 / self.count.max(1) as f64;
        let fits = share <= clip_percent && arrives <= format.to_f64(i16::MAX);
        let fine = fits && (self.largest == 0.0 || self.largest >= LEAST_CODES * format.resolution());
        let why = || {
            format!("its weights, with all gains, go up to {:.3e}, and their sums up to {arrives:.3e}", self.largest)
        };
        fine.then_some(()).ok_or_else(why)
    }
}

/// The number that decides about a format's resolution, and the one that has to fit.
/// `reached`: what neurons that do not spike have to hold.
fn potential_limits(neurons: &Neurons, reached: f64) -> (f64, f64) {
    let largest = |numbers: &[f64]| numbers.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()));
    let rest = largest(&neurons.rest);
    match &neurons.spike {
        Some(spike) => {
            let threshold = largest(&spike.threshold);
            let held = match &spike.then {
                OnSpike::DelayedSubtract => 2.0 * threshold,
                OnSpike::Value(reset) => threshold.max(largest(reset)),
                OnSpike::Subtract | OnSpike::Keep => threshold,
            };
            (threshold, held.max(rest))
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

/// The pairs tried on all cases, the best first.
fn best(trial: &Trial<'_>, order: &Order, cases: &[Case], mut pairs: Vec<Formats>) -> Vec<Candidate> {
    let few: Vec<usize> = [false, true]
        .iter()
        .flat_map(|kind| (0..cases.len()).filter(|&c| cases[c].jittered == *kind).take(FIRST_TRIAL))
        .collect();
    let all: Vec<usize> = (0..cases.len()).collect();
    if trial.work().saturating_mul(pairs.len() as u64) > TRIAL_WORK {
        return descended(trial, order, &all, &pairs);
    }
    if pairs.len() > FINALISTS && few.len() < all.len() {
        let keep = FINALISTS.max(pairs.len() / 2);
        pairs = order.ranked(trial.candidates(&pairs, &few)).into_iter().take(keep).map(|c| c.formats).collect();
    }
    order.chosen(trial.candidates(&pairs, &all))
}

/// Which of two pairs is the better one.
struct Order {
    /// The largest |I| and |V| in floating point.
    reached: [f64; 2],
    /// Samples and disturbed copies.
    cases: [usize; 2],
}

impl Order {
    fn new(cases: &[Case], index: usize) -> Self {
        let largest = |of: fn(&FloatRun) -> &[Range]| {
            let all = cases.iter().fold(Range::default(), |all, case| all.union(of(&case.float)[index]));
            all.max.max(-all.min)
        };
        let copies = cases.iter().filter(|case| case.jittered).count();
        let reached = [largest(|float| &float.currents), largest(|float| &float.reached)];
        Self { reached, cases: [cases.len() - copies, copies] }
    }

    fn ranked(&self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        candidates.sort_by(|a, b| self.compare(a, b));
        candidates
    }

    /// The one to take comes first, the others by cost.
    fn chosen(&self, candidates: Vec<Candidate>) -> Vec<Candidate> {
        let mut candidates = self.ranked(candidates);
        let Some(best) = candidates.first() else { return candidates };
        let total = |candidate: &Candidate| {
            let Agreement { mismatches, mismatches_jittered, .. } = candidate.agreement;
            mismatches * self.cases[0] as f64 + mismatches_jittered * self.cases[1] as f64
        };
        // Mismatches are rare events: their number is uncertain by its root.
        let bound = match best.agreement.deviation_percent {
            Some(_) => total(best),
            None => total(best) + total(best).sqrt() + 1.0,
        };
        let within = |candidate: &&(usize, &Candidate)| {
            candidate.1.agreement.deviation_percent.is_none() && total(candidate.1) <= bound
        };
        let among = candidates.iter().enumerate().collect::<Vec<_>>();
        let chosen = among.iter().filter(within).min_by(|a, b| self.by_room(a.1, b.1)).map_or(0, |(index, _)| *index);
        let chosen = candidates.remove(chosen);
        candidates.insert(0, chosen);
        candidates
    }

    fn compare(&self, a: &Candidate, b: &Candidate) -> Ordering {
        a.cost.total_cmp(&b.cost).then_with(|| self.by_room(a, b))
    }

    /// Which saturates less, has room, and is finer.
    fn by_room(&self, a: &Candidate, b: &Candidate) -> Ordering {
        let saturations = |c: &Candidate| c.agreement.saturations_current + c.agreement.saturations_potential;
        let formats = |c: &Candidate| [c.formats.current, c.formats.potential];
        // Other samples go further than those of calibration.
        let spare = |c: &Candidate| {
            let room = formats(c).into_iter().zip(self.reached);
            room.filter(|(format, reached)| SPARE * reached <= format.to_f64(i16::MAX)).count()
        };
        let finer = |c: &Candidate| formats(c).iter().map(|format| u32::from(format.fraction_bits())).sum::<u32>();
        saturations(a).cmp(&saturations(b)).then(spare(b).cmp(&spare(a))).then(finer(b).cmp(&finer(a)))
    }
}

/// Changes one format at a time, from the middle of what is possible, until no change is for the better.
fn descended(trial: &Trial<'_>, order: &Order, cases: &[usize], pairs: &[Formats]) -> Vec<Candidate> {
    let mut tried: BTreeMap<(Format, Format), Candidate> = BTreeMap::new();
    let mut best = pairs[pairs.len() / 2];
    loop {
        let before = best;
        for same in
            [|a: Formats, b: Formats| a.current == b.current, |a: Formats, b: Formats| a.potential == b.potential]
        {
            let key = |formats: &Formats| (formats.current, formats.potential);
            let line: Vec<Formats> = pairs.iter().copied().filter(|pair| same(*pair, best)).collect();
            let new: Vec<Formats> = line.iter().copied().filter(|pair| !tried.contains_key(&key(pair))).collect();
            for candidate in trial.candidates(&new, cases) {
                tried.insert(key(&candidate.formats), candidate);
            }
            let found = line.iter().filter_map(|pair| tried.get(&key(pair))).min_by(|a, b| order.compare(a, b));
            best = found.map_or(best, |candidate| candidate.formats);
        }
        if best == before {
            return order.chosen(tried.into_values().collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_as_many_as_asked_evenly() {
        let inputs: Vec<(usize, bool)> = (0..40).map(|n| (n, n >= 16)).collect();
        let kept = thinned(inputs.clone(), 10);
        assert_eq!(kept.len(), 10);
        assert!(kept.iter().filter(|(_, copy)| !copy).count() == 4, "{kept:?}");
        assert_eq!(thinned(inputs.clone(), 40), inputs);
    }
}
