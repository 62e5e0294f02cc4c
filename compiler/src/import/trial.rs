//! One population tried in many formats at once.
//!
//! Contract: [`Trial::candidates`] simulates the integer update that [`super::quantize`] makes, driven by the floating-point spikes of
//! all sources, and scores it. It is a model of that update for the search alone, made for speed: large populations are represented
//! by some of their neurons, stochastic rounding by rounding to nearest, and what comes after delays of its own per synapse is
//! added in another order. What the network chosen really does is measured afterwards, by the interpreter.
//!
//! Why the own spikes of a population that feeds itself recur, where it is small enough: a format that delays one spike
//! shifts all that follow, which no other drive would show.
//!
//! Not here: which formats are worth trying.

use fenn_isa::fixed::Format;
use fenn_isa::lane::Rounding;
use rayon::prelude::*;

use crate::network::{Readout, Source};

use super::calibrate::Case;
use super::exact::Factor;
use super::float::arriving;
use super::linear::Map;
use super::model::{Leak, Model, Neurons, OnSpike};
use super::options::{Comparison, SpikeFrom};
use super::quantize::{Formats, Roundings, decay_format, gain_format};
use super::report::Candidate;
use super::score::Score;

/// A population is represented by this many neurons, evenly chosen, if it has more.
const REPRESENTATIVES: usize = 512;

/// One population on all cases.
pub(super) struct Trial<'a> {
    model: &'a Model,
    index: usize,
    cases: &'a [Case],
    roundings: Roundings,
    /// The neurons that are simulated, rising.
    chosen: Vec<usize>,
    onto: Vec<Onto>,
    /// Per case and step, the places in `chosen` of neurons that spike in floating point.
    spikes: Vec<Vec<Vec<u32>>>,
}

/// A connection onto the neurons that are simulated.
struct Onto {
    source: Source,
    delay: u32,
    /// Whether spikes of the simulation come through it, instead of those of floating point.
    recurs: bool,
    starts: Vec<usize>,
    /// Places in `chosen`.
    targets: Vec<u32>,
    /// Without gains.
    weights: Vec<f64>,
}

/// How a decay multiplies: codes, and the shift behind.
struct Decay {
    codes: Vec<i32>,
    shift: u32,
}

/// The numbers of a population in a pair of formats.
struct Codes {
    bias: Vec<i32>,
    threshold: Vec<i32>,
    reset: Vec<i32>,
    rest: Vec<i32>,
    alpha: Option<Decay>,
    beta: Option<Decay>,
    gain: Option<Decay>,
    /// Bits by which `I` is finer than `V`.
    finer: i32,
    keeps: bool,
    unit: f64,
}

/// Saturating additions to each neuron, as one function: adding numbers to `x` with saturation after each is
/// `(x + sum).clamp(low, high)`.
struct Sums {
    sum: Vec<i32>,
    low: Vec<i32>,
    high: Vec<i32>,
}

impl Sums {
    fn new(size: usize) -> Self {
        Self { sum: vec![0; size], low: vec![i16::MIN.into(); size], high: vec![i16::MAX.into(); size] }
    }

    fn clear(&mut self) {
        self.sum.fill(0);
        self.low.fill(i16::MIN.into());
        self.high.fill(i16::MAX.into());
    }

    #[inline]
    fn add(&mut self, place: usize, code: i32) {
        self.sum[place] = self.sum[place].saturating_add(code);
        self.low[place] = clamp(self.low[place] + code);
        self.high[place] = clamp(self.high[place] + code);
    }

    #[inline]
    fn of(&self, place: usize, before: i32) -> i32 {
        before.saturating_add(self.sum[place]).clamp(self.low[place], self.high[place])
    }
}

/// A pair of formats in one case.
struct Run<'c> {
    codes: &'c Codes,
    current: Vec<i32>,
    potential: Vec<i32>,
    spiked: Vec<u32>,
    /// All steps' spikes, where they recur, and what they add.
    train: Vec<Vec<u32>>,
    own: Sums,
    saturations: [u64; 2],
    score: Score,
}

fn clamp(sum: i32) -> i32 {
    sum.clamp(i16::MIN.into(), i16::MAX.into())
}

/// `value >> bits`, rounded.
fn shifted(value: i32, bits: u32, nearest: bool) -> i32 {
    let half = if nearest && bits > 0 { 1 << (bits - 1) } else { 0 };
    (value + half) >> bits
}

impl<'a> Trial<'a> {
    pub(super) fn new(model: &'a Model, index: usize, cases: &'a [Case], roundings: Roundings) -> Self {
        let neurons = &model.populations[index];
        let chosen: Vec<usize> = if neurons.size <= REPRESENTATIVES {
            (0..neurons.size).collect()
        } else {
            // A step that shares no factor with rows and channels would be best; any fraction does well.
            (0..REPRESENTATIVES).map(|n| n * neurons.size / REPRESENTATIVES).collect()
        };
        let mut places = vec![None; neurons.size];
        for (place, neuron) in chosen.iter().enumerate() {
            places[*neuron] = Some(place as u32);
        }
        let whole = chosen.len() == neurons.size;
        let onto = model.connections.iter().filter(|connection| connection.target == index).map(|connection| {
            let own = connection.source == (Source::Events { population: index, event: 0 });
            let (starts, targets, weights) = rows(&connection.map, &places);
            Onto { source: connection.source, delay: connection.delay, recurs: own && whole, starts, targets, weights }
        });
        let placed = |spikes: &Vec<u32>| spikes.iter().filter_map(|neuron| places[*neuron as usize]).collect();
        let spikes = cases.iter().map(|case| case.float.spikes[index].steps().iter().map(placed).collect()).collect();
        Self { model, index, cases, roundings, onto: onto.collect(), spikes, chosen }
    }

    fn neurons(&self) -> &Neurons {
        &self.model.populations[self.index]
    }

    /// How much work one pair of formats is, in updates of neurons.
    pub(super) fn work(&self) -> u64 {
        self.chosen.len() as u64 * u64::from(self.model.steps) * self.cases.len() as u64
    }

    /// What of the population is read out, if all of it is simulated.
    fn score(&self) -> Score {
        let neurons = self.neurons();
        let output = self.model.outputs.iter().find(|(population, _)| *population == self.index);
        let readout = match (output, &neurons.spike) {
            (Some((_, readout)), _) => Some(*readout),
            (None, Some(_)) => None,
            (None, None) => Some(Readout::Max),
        };
        Score::new(self.chosen.len(), neurons.spike.is_some(), readout.filter(|_| self.chosen.len() == neurons.size))
    }

    /// The pairs tried on `cases`, in the order given.
    pub(super) fn candidates(&self, pairs: &[Formats], cases: &[usize]) -> Vec<Candidate> {
        let codes: Vec<Codes> = pairs.iter().map(|formats| self.codes(*formats)).collect();
        // Pairs that share the format of I share the sums of weights.
        let mut currents: Vec<Format> = pairs.iter().map(|formats| formats.current).collect();
        currents.sort_unstable();
        currents.dedup();
        let weights: Vec<Vec<Vec<i16>>> = currents.par_iter().map(|format| self.weights(*format)).collect();
        let jobs: Vec<(usize, usize)> =
            cases.iter().flat_map(|case| (0..currents.len()).map(move |format| (*case, format))).collect();
        let done: Vec<Vec<(usize, Score, [u64; 2])>> = jobs
            .par_iter()
            .map(|&(case, format)| {
                let own = (0..pairs.len()).filter(|pair| pairs[*pair].current == currents[format]);
                self.case(case, &weights[format], &own.map(|pair| (pair, &codes[pair])).collect::<Vec<_>>())
            })
            .collect();
        let mut sums: Vec<(Score, [u64; 2])> = pairs.iter().map(|_| (self.score(), [0; 2])).collect();
        for (pair, score, saturations) in done.into_iter().flatten() {
            let (sum, saturated) = &mut sums[pair];
            *sum = sum.clone().plus(&score);
            saturated.iter_mut().zip(saturations).for_each(|(sum, count)| *sum += count);
        }
        let candidate = |(formats, (score, saturations)): (&Formats, (Score, [u64; 2]))| {
            let agreement = score.agreement(saturations);
            let cost = match agreement.deviation_percent {
                Some(deviation) => deviation + agreement.other_class_percent,
                None => agreement.mismatches + agreement.mismatches_jittered,
            };
            Candidate { formats: *formats, cost, neurons: score.size(), agreement }
        };
        pairs.iter().zip(sums).map(candidate).collect()
    }

    /// The codes of all weights, by connection.
    fn weights(&self, format: Format) -> Vec<Vec<i16>> {
        let factors = self.neurons().folded_factors();
        let factors: Vec<Factor> = self.chosen.iter().map(|neuron| factors[*neuron]).collect();
        let code = |(weight, target): (&f64, &u32)| factors[*target as usize].quantize(*weight, format).code;
        self.onto.iter().map(|onto| onto.weights.iter().zip(&onto.targets).map(code).collect()).collect()
    }

    fn codes(&self, formats: Formats) -> Codes {
        let neurons = self.neurons();
        let code = |number: f64| formats.potential.quantize(number).map_or(0, |quantized| i32::from(quantized.code));
        let of = |numbers: &[f64]| self.chosen.iter().map(|neuron| code(numbers[*neuron])).collect::<Vec<i32>>();
        let decay = |leak: &Leak| {
            let format = decay_format(leak);
            let codes = self.chosen.iter().map(|neuron| leak.decays[*neuron].quantize(1.0, format).code.into());
            Decay { codes: codes.collect(), shift: format.fraction_bits().into() }
        };
        let factors = neurons.folded_factors();
        let bias = |neuron: &usize| factors[*neuron].quantize(neurons.bias[*neuron], formats.current).code.into();
        let gain = gain_format(neurons, formats).filter(|_| !neurons.folded).map(|(format, shift)| Decay {
            codes: self.chosen.iter().map(|neuron| neurons.factor(*neuron).quantize(1.0, format).code.into()).collect(),
            shift: shift.into(),
        });
        let zeros = vec![0; self.chosen.len()];
        let (threshold, reset) = match &neurons.spike {
            None => (zeros.clone(), zeros),
            Some(spike) => match &spike.then {
                OnSpike::Value(reset) => (of(&spike.threshold), of(reset)),
                _ => (of(&spike.threshold), zeros),
            },
        };
        let keeps = neurons.potential.keeps(1.0);
        let alpha = !keeps && !neurons.potential.keeps(0.0);
        Codes {
            bias: self.chosen.iter().map(bias).collect(),
            threshold,
            reset,
            rest: of(&neurons.rest),
            alpha: alpha.then(|| decay(&neurons.potential)),
            beta: neurons.current.as_ref().map(decay),
            gain,
            finer: i32::from(formats.current.fraction_bits()) - i32::from(formats.potential.fraction_bits()),
            keeps,
            unit: formats.potential.resolution(),
        }
    }

    /// All pairs of one format of `I` in one case.
    fn case(&self, case: usize, weights: &[Vec<i16>], pairs: &[(usize, &Codes)]) -> Vec<(usize, Score, [u64; 2])> {
        let size = self.chosen.len();
        let jittered = self.cases[case].jittered;
        let case_spikes = &self.spikes[case];
        let case = &self.cases[case];
        let recurs = self.onto.iter().any(|onto| onto.recurs);
        let mut runs: Vec<Run<'_>> = pairs
            .iter()
            .map(|(_, codes)| Run {
                codes,
                current: vec![0; size],
                potential: codes.rest.clone(),
                spiked: Vec::new(),
                train: Vec::new(),
                own: Sums::new(if recurs { size } else { 0 }),
                saturations: [0; 2],
                score: self.score(),
            })
            .collect();
        // What comes before the population's own spikes in the schedule, and behind them.
        let mut arrived = [Sums::new(size), Sums::new(size)];
        let mut fixed = vec![0.0; size];
        let potentials = &case.float.potentials[self.index];
        let own_potentials = |step: usize| -> Vec<f64> {
            potentials.get(step).map(|v| self.chosen.iter().map(|neuron| v[*neuron]).collect()).unwrap_or_default()
        };
        #[expect(clippy::needless_range_loop, reason = "the step is an index into several trains")]
        for step in 0..self.model.steps as usize {
            arrived.iter_mut().for_each(Sums::clear);
            for (onto, codes) in self.onto.iter().zip(weights).filter(|(onto, _)| !onto.recurs) {
                let train = match onto.source {
                    Source::Input(input) => &case.inputs[input].steps()[..=step],
                    // What stands behind in the schedule has not been updated yet.
                    Source::Events { population, .. } if population >= self.index => {
                        &case.float.spikes[population].steps()[..step]
                    }
                    Source::Events { population, .. } => &case.float.spikes[population].steps()[..=step],
                };
                let behind = matches!(onto.source, Source::Events { population, .. } if population > self.index);
                onto.add(arriving(train, onto.delay), codes, &mut arrived[usize::from(behind)]);
            }
            let wanted = runs.first().is_some_and(|run| run.score.wants_potentials());
            let float = if wanted { own_potentials(step) } else { Vec::new() };
            for run in &mut runs {
                run.step(self, &arrived, weights);
                if self.neurons().spike.is_some() {
                    run.score.spikes(&case_spikes[step], &run.spiked);
                }
                if wanted {
                    let unit = run.codes.unit;
                    fixed.iter_mut().zip(&run.potential).for_each(|(v, code)| *v = f64::from(*code) * unit);
                    run.score.potentials(&float, &fixed);
                }
            }
        }
        let finish = |(mut run, (pair, _)): (Run<'_>, &(usize, &Codes))| {
            run.score.end(jittered);
            (*pair, run.score, run.saturations)
        };
        runs.into_iter().zip(pairs).map(finish).collect()
    }
}

impl Onto {
    /// Adds the codes of the spikes' rows.
    fn add(&self, spikes: &[u32], codes: &[i16], sums: &mut Sums) {
        for &spike in spikes {
            let row = self.starts[spike as usize]..self.starts[spike as usize + 1];
            for (target, code) in self.targets[row.clone()].iter().zip(&codes[row]) {
                sums.add(*target as usize, i32::from(*code));
            }
        }
    }
}

impl Run<'_> {
    fn step(&mut self, trial: &Trial<'_>, arrived: &[Sums; 2], weights: &[Vec<i16>]) {
        let neurons = trial.neurons();
        let recurs = trial.onto.iter().any(|onto| onto.recurs);
        if recurs {
            self.own.clear();
            for (onto, codes) in trial.onto.iter().zip(weights).filter(|(onto, _)| onto.recurs) {
                onto.add(arriving(&self.train, onto.delay), codes, &mut self.own);
            }
        }
        let Codes { bias, threshold, reset, rest, alpha, beta, gain, finer, keeps, unit: _ } = self.codes;
        let nearest = [trial.roundings.current, trial.roundings.potential].map(|rounding| rounding != Rounding::Zero);
        self.spiked.clear();
        for n in 0..self.current.len() {
            let mut sum = arrived[0].of(n, self.current[n]);
            if recurs {
                sum = self.own.of(n, sum);
            }
            sum = arrived[1].of(n, sum);
            let own = self.own.sum.get(n).copied().unwrap_or(0);
            let raw =
                [arrived[0].sum[n], own, arrived[1].sum[n]].into_iter().fold(self.current[n], i32::saturating_add);
            self.saturations[0] += u64::from(sum != raw);
            let current = clamp(sum + bias[n]);
            let converted = match gain {
                Some(gain) => clamp(shifted(gain.codes[n] * current, gain.shift, nearest[0])),
                None if *finer >= 0 => shifted(current, *finer as u32, nearest[0]),
                None => clamp(current << -finer),
            };
            let old = self.potential[n];
            let kept = match alpha {
                Some(alpha) => rest[n] + shifted(alpha.codes[n] * clamp(old - rest[n]), alpha.shift, nearest[1]),
                None if *keeps => old,
                None => rest[n],
            };
            let raw = clamp(kept) + converted;
            let mut v = clamp(raw);
            self.saturations[1] += u64::from(raw != v);
            if let Some(spike) = &neurons.spike {
                let above = |v: i32, threshold: i32| match spike.comparison {
                    Comparison::Greater => v > threshold,
                    Comparison::GreaterEqual => v >= threshold,
                };
                let spiked = match (&spike.then, spike.from) {
                    (OnSpike::DelayedSubtract, _) if above(old, threshold[n]) => above(v, clamp(2 * threshold[n])),
                    (OnSpike::DelayedSubtract, _) | (_, SpikeFrom::New) => above(v, threshold[n]),
                    (_, SpikeFrom::Old) => above(old, threshold[n]),
                };
                if spiked {
                    self.spiked.push(n as u32);
                    v = match &spike.then {
                        OnSpike::Value(_) => reset[n],
                        OnSpike::Subtract | OnSpike::DelayedSubtract => clamp(v - threshold[n]),
                        OnSpike::Keep => v,
                    };
                }
            }
            self.potential[n] = v;
            self.current[n] = match beta {
                Some(beta) => shifted(beta.codes[n] * current, beta.shift, nearest[0]),
                None => 0,
            };
        }
        if recurs {
            self.train.push(self.spiked.clone());
        }
    }
}

/// The rows of a map, onto the neurons that have a place.
fn rows(map: &Map, places: &[Option<u32>]) -> (Vec<usize>, Vec<u32>, Vec<f64>) {
    let (mut starts, mut targets, mut weights) = (vec![0], Vec::new(), Vec::new());
    for source in 0..map.sources() {
        map.row(source, |target, weight| {
            if let Some(place) = places[target as usize] {
                targets.push(place);
                weights.push(weight);
            }
        });
        starts.push(targets.len());
    }
    (starts, targets, weights)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::options::{Method, Options, Record, Reset, RoundingName};
    use super::super::quantize::{self, Choice};
    use super::super::{calibrate, validate};
    use super::*;
    use crate::nir::{CubaLi, CubaLif, Edge, Graph, If, Li, Lif, Matrix, Node, Tensor};

    const NEURONS: usize = 5;

    /// `count` numbers from `low` to `high`, different for each `salt`.
    fn numbers(count: usize, salt: u32, low: f64, high: f64) -> Vec<f64> {
        let number = |n: u32| {
            let hash = (n * 7919 + salt * 104_729 + 17).wrapping_mul(2_654_435_761) >> 8;
            low + (high - low) * f64::from(hash) / f64::from(1 << 24)
        };
        (0..count as u32).map(number).collect()
    }

    /// Five neurons behind an affine node, fed by themselves too where they spike.
    fn graph(kind: usize, salt: u32) -> Graph {
        let shape = vec![NEURONS];
        let some = |salt, low, high| numbers(NEURONS, salt, low, high);
        let tau = some(salt + 1, 0.01, 0.03);
        let (r, v_leak) = (some(salt + 2, 5.0, 12.0), some(salt + 3, -0.3, 0.2));
        let (v_threshold, v_reset) = (some(salt + 4, 0.5, 1.0), some(salt + 5, -0.4, 0.0));
        let (tau_syn, w_in) = (some(salt + 6, 0.004, 0.009), some(salt + 7, 2.0, 4.0));
        let tau_mem = tau.clone();
        let neurons = match kind {
            0 => Node::Lif(Lif { shape, tau, r, v_leak, v_threshold, v_reset }),
            1 => Node::CubaLif(CubaLif { shape, tau_syn, tau_mem, r, v_leak, v_threshold, v_reset, w_in }),
            2 => Node::If(If { shape, r: some(salt + 2, 80.0, 200.0), v_threshold, v_reset }),
            3 => Node::Threshold { threshold: Tensor { shape, data: v_threshold } },
            4 => Node::Li(Li { shape, tau, r, v_leak }),
            _ => Node::CubaLi(CubaLi { shape, tau_syn, tau_mem, r, v_leak, w_in }),
        };
        let weight = |cols: usize, salt| Matrix { rows: NEURONS, cols, data: numbers(NEURONS * cols, salt, -0.6, 1.0) };
        let mut nodes = vec![
            ("in", Node::Input { shape: vec![6] }),
            ("w", Node::Affine { weight: weight(6, salt + 8), bias: some(salt + 9, -0.05, 0.1) }),
            ("n", neurons),
            ("out", Node::Output { shape: vec![NEURONS] }),
        ];
        let mut edges = vec![("in", "w"), ("w", "n"), ("n", "out")];
        if kind < 4 {
            nodes.push(("own", Node::Linear { weight: weight(NEURONS, salt + 10) }));
            edges.extend([("n", "own"), ("own", "n")]);
        }
        Graph {
            version: String::new(),
            nodes: nodes.into_iter().map(|(name, node)| (name.to_owned(), node)).collect(),
            edges: edges.into_iter().map(|(from, to)| Edge { from: from.into(), to: to.into() }).collect(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        /// The interpreter of networks finds the same spikes and potentials, with sums that saturate on the way too.
        #[test]
        fn trials_are_what_the_interpreter_does(
            kind in 0..6_usize,
            salt in 0..1000_u32,
            current in 6..14_u8,
            potential in 6..14_u8,
            reset in prop::sample::select(vec![Reset::Value, Reset::Subtract, Reset::Snntorch]),
            old in any::<bool>(),
            equal in any::<bool>(),
            exponential in any::<bool>(),
            zero in any::<bool>(),
        ) {
            let options = Options {
                dt: Some(1e-3),
                reset,
                comparison: if equal { Comparison::GreaterEqual } else { Comparison::Greater },
                spike_from: if old && reset != Reset::Snntorch { SpikeFrom::Old } else { SpikeFrom::New },
                method: if exponential { Method::ExponentialEuler } else { Method::ForwardEuler },
                ..Options::new("test", 120)
            };
            let model = Model::new(&graph(kind, salt), &options).unwrap();
            let cases = calibrate::cases(&model, &options.calibration).unwrap();
            let [current, potential] = [current, potential].map(|bits| Format::new(bits).unwrap());
            let formats = Formats { current, potential };
            let rounding = if zero { RoundingName::Zero } else { RoundingName::Nearest };
            let roundings = Roundings::both(rounding.into());
            let choice = Choice { formats, roundings };
            let (network, _) = quantize::network(&model, &[choice], Record::None).unwrap();
            let measured = validate(&model, &network, &cases).unwrap().populations.remove(0);
            let all: Vec<usize> = (0..cases.len()).collect();
            let tried = Trial::new(&model, 0, &cases, roundings).candidates(&[formats], &all).remove(0).agreement;
            prop_assert_eq!(tried.mismatches, measured.mismatches);
            prop_assert_eq!(tried.spikes_fixed, measured.spikes_fixed);
            prop_assert_eq!(tried.correlation, measured.correlation);
            prop_assert_eq!(tried.deviation_percent, measured.deviation_percent);
            prop_assert_eq!(tried.other_class_percent, measured.other_class_percent);
        }
    }
}
