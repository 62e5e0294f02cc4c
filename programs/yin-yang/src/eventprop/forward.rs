//! The forward pass: from input spikes to hidden spikes, and from those to the loss.
//!
//! Of the hidden layer only spikes are kept, each a step and `I − V`. What the backward pass has to know of the outputs is
//! left in [`Outputs`]: it is a function of the step for each output, because a hidden spike does not care who it comes from.

use super::loss::{Loss, class_of, cross_entropy, first_spike};
use super::model::{Network, Spike, Tables};
use crate::dataset::CLASSES;
use crate::encode::INPUTS;

/// What arrives at a hidden neuron: step and input.
pub(crate) type Arrival = (u32, u8);

/// The hidden layer's side of a run; buffers that are used again from sample to sample.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    /// What arrives at each neuron, sorted.
    pub(crate) arrivals: Vec<[Arrival; INPUTS]>,
    /// Spikes, neuron by neuron.
    pub(crate) spikes: Vec<Spike>,
    /// Where a neuron's spikes end, neuron by neuron.
    pub(crate) ends: Vec<usize>,
}

impl Hidden {
    /// Runs the hidden layer; `delays` are in steps, in the layout of [`Network::delays`].
    pub(crate) fn run(&mut self, tables: &Tables, network: &Network, delays: &[u32], inputs: &[u32; INPUTS]) {
        let hidden = network.hidden_len();
        self.arrivals.clear();
        self.spikes.clear();
        self.ends.clear();
        for n in 0..hidden {
            let mut arrivals: [Arrival; INPUTS] =
                std::array::from_fn(|input| (inputs[input] + delays[input * hidden + n], input as u8));
            arrivals.sort_unstable();
            let weighted = arrivals.iter().map(|&(step, input)| (step, network.w_in[usize::from(input) * hidden + n]));
            tables.spikes(weighted, &mut self.spikes);
            self.arrivals.push(arrivals);
            self.ends.push(self.spikes.len());
        }
    }

    /// Each neuron with its spikes.
    pub(crate) fn trains(&self) -> impl Iterator<Item = (usize, &[Spike])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.spikes[start..end]).enumerate()
    }
}

/// Effects of a hidden spike on one output, by its step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Effect {
    /// Derivative of the loss by the weight: `−τ_syn λ_I`.
    pub(crate) by_weight: f64,
    /// Derivative of the loss by the time, for a weight of 1: `λ_V − λ_I`.
    pub(crate) by_time: f64,
}

/// The same for all outputs.
pub(crate) type Effects = [Effect; CLASSES];

/// What a linear functional `Σ_t drive[t] V[t]` of an output's potential has from a spike, by its step.
///
/// With `u[s] = Σ_(t>s) drive[t] α^(t−s)` and `v` the same with β: the derivative by the weight is `c (u − v)`, that by the
/// time `c (u/τ_mem − v/τ_syn)`. That is the adjoint of an output: `λ_V = −u/τ_mem`, `λ_I = −c (u − v)/τ_syn`.
pub(crate) fn effects(tables: &Tables, drive: impl Fn(u32) -> f64, mut put: impl FnMut(usize, Effect)) {
    let (alpha, beta) = (tables.alpha[1], tables.beta[1]);
    let (slow, fast) = (1.0 / tables.model.tau_mem, 1.0 / tables.model.tau_syn);
    let (mut u, mut v) = (0.0, 0.0);
    put(tables.steps as usize, Effect::default());
    for step in (0..tables.steps).rev() {
        let force = drive(step + 1);
        u = alpha * (u + force);
        v = beta * (v + force);
        let effect = Effect { by_weight: tables.ratio * (u - v), by_time: tables.ratio * (u * slow - v * fast) };
        put(step as usize, effect);
    }
}

/// What is the same for all samples: the loss, and the effects of a drive that no sample changes.
#[derive(Debug)]
pub(crate) struct Readout {
    loss: Loss,
    /// For losses that are linear in the potentials: effects on `y`.
    unit: Vec<Effect>,
}

/// The outputs' side of a run.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    /// The loss of the sample.
    pub(crate) loss: f64,
    /// Larger is likelier.
    pub(crate) scores: [f64; CLASSES],
    /// For linear losses, the derivative by each `y`.
    slope: [f64; CLASSES],
    /// For others, by step.
    effects: Vec<Effects>,
    /// Currents that arrive, then potentials, by step.
    potentials: Vec<[f64; CLASSES]>,
    events: Vec<(u32, u32)>,
    spikes: Vec<Spike>,
}

impl Readout {
    pub(crate) fn new(tables: &Tables, loss: Loss) -> Readout {
        let mut unit = Vec::new();
        if loss.is_linear() {
            unit.resize(tables.steps as usize + 1, Effect::default());
            let (dt, duration) = (tables.model.dt, tables.model.duration);
            let drive = |step| loss.weight(f64::from(step) * dt, duration) * dt / duration;
            effects(tables, drive, |step, effect| unit[step] = effect);
        }
        Readout { loss, unit }
    }

    /// Runs the outputs on the spikes of `hidden`.
    pub(crate) fn run(&self, tables: &Tables, network: &Network, hidden: &Hidden, class: usize, outputs: &mut Outputs) {
        match self.loss {
            Loss::Average | Loss::Weighted => {
                outputs.scores = [0.0; CLASSES];
                for (n, train) in hidden.trains() {
                    let sum: f64 = train.iter().map(|spike| self.unit[spike.step as usize].by_weight).sum();
                    for (score, weights) in outputs.scores.iter_mut().zip(network.w_out.chunks_exact(hidden.ends.len()))
                    {
                        *score += weights[n] * sum;
                    }
                }
                (outputs.loss, outputs.slope) = cross_entropy(&outputs.scores, class);
            }
            Loss::FirstSpike => first_spikes(tables, network, hidden, class, outputs),
            Loss::TimeSoftmax | Loss::Max | Loss::MeanSquare => {
                potentials(tables, network, hidden, &mut outputs.potentials);
                self.drive(tables, class, outputs);
                outputs.effects.resize(tables.steps as usize + 1, Effects::default());
                for k in 0..CLASSES {
                    // By now these are derivatives of the loss by the potentials.
                    let (drives, all) = (&outputs.potentials, &mut outputs.effects);
                    effects(tables, |step| drives[step as usize][k], |step, effect| all[step][k] = effect);
                }
            }
        }
    }

    /// What a hidden spike at `step` does.
    pub(crate) fn effects(&self, outputs: &Outputs, step: u32) -> Effects {
        if self.loss.is_linear() {
            let Effect { by_weight, by_time } = self.unit[step as usize];
            outputs.slope.map(|slope| Effect { by_weight: slope * by_weight, by_time: slope * by_time })
        } else {
            outputs.effects[step as usize]
        }
    }

    /// Loss and scores of the potentials, which become the derivatives of the loss by them.
    fn drive(&self, tables: &Tables, class: usize, outputs: &mut Outputs) {
        let part = tables.model.dt / tables.model.duration;
        let wanted: [f64; CLASSES] = std::array::from_fn(|k| f64::from(u8::from(k == class)));
        let mut scores = [if self.loss == Loss::Max { f64::NEG_INFINITY } else { 0.0 }; CLASSES];
        let mut loss = 0.0;
        let mut peaks = [0; CLASSES];
        for (step, potentials) in outputs.potentials.iter_mut().enumerate().skip(1) {
            let v = *potentials;
            for k in 0..CLASSES {
                match self.loss {
                    Loss::Max if v[k] > scores[k] => (scores[k], peaks[k]) = (v[k], step),
                    Loss::Max => {}
                    _ => scores[k] += part * v[k],
                }
            }
            match self.loss {
                Loss::TimeSoftmax => {
                    let (term, slope) = cross_entropy(&v, class);
                    loss += part * term;
                    *potentials = slope.map(|slope| part * slope);
                }
                Loss::MeanSquare => {
                    let off: [f64; CLASSES] = std::array::from_fn(|k| v[k] - wanted[k]);
                    loss += 0.5 * part * off.iter().map(|off| off * off).sum::<f64>();
                    *potentials = off.map(|off| part * off);
                }
                _ => *potentials = [0.0; CLASSES],
            }
        }
        if self.loss == Loss::Max {
            let (entropy, slope) = cross_entropy(&scores, class);
            loss = entropy;
            for k in 0..CLASSES {
                outputs.potentials[peaks[k]][k] = slope[k];
            }
        }
        (outputs.loss, outputs.scores) = (loss, scores);
    }
}

/// Potentials of outputs that do not spike, in steps 0 (all 0) to the last.
fn potentials(tables: &Tables, network: &Network, hidden: &Hidden, steps: &mut Vec<[f64; CLASSES]>) {
    steps.clear();
    steps.resize(tables.steps as usize + 1, [0.0; CLASSES]);
    let size = network.hidden_len();
    for (n, train) in hidden.trains() {
        for spike in train {
            for (k, current) in steps[spike.step as usize].iter_mut().enumerate() {
                *current += network.w_out[k * size + n];
            }
        }
    }
    let (alpha, beta) = (tables.alpha[1], tables.beta[1]);
    let gain = tables.ratio * (alpha - beta);
    let (mut v, mut current) = ([0.0; CLASSES], [0.0; CLASSES]);
    for step in steps {
        for k in 0..CLASSES {
            v[k] = alpha * v[k] + gain * current[k];
            current[k] = beta * current[k] + step[k];
        }
        *step = v;
    }
}

/// Outputs that spike: only the first spike of each counts, so the adjoint starts there.
fn first_spikes(tables: &Tables, network: &Network, hidden: &Hidden, class: usize, outputs: &mut Outputs) {
    let size = network.hidden_len();
    outputs.events.clear();
    for (n, train) in hidden.trains() {
        outputs.events.extend(train.iter().map(|spike| (spike.step, n as u32)));
    }
    outputs.events.sort_unstable();
    let mut firsts = [None; CLASSES];
    for (k, first) in firsts.iter_mut().enumerate() {
        outputs.spikes.clear();
        let arrivals = outputs.events.iter().map(|&(step, n)| (step, network.w_out[k * size + n as usize]));
        tables.spikes(arrivals, &mut outputs.spikes);
        *first = outputs.spikes.first().copied();
    }
    let duration = tables.model.duration;
    let times = firsts.map(|first| first.map_or(duration, |spike| f64::from(spike.step) * tables.model.dt));
    let (loss, slope) = first_spike(&times, class);
    (outputs.loss, outputs.scores) = (loss, times.map(|time| -time));
    outputs.effects.clear();
    outputs.effects.resize(tables.steps as usize + 1, Effects::default());
    let (tau_mem, tau_syn) = (tables.model.tau_mem, tables.model.tau_syn);
    for k in 0..CLASSES {
        // A silent output has no derivative. The right one is pulled to the threshold in the last step all the same, or
        // it might stay silent for ever.
        let spike = match firsts[k] {
            Some(spike) => spike,
            None if k == class => Spike { step: tables.steps, slope: tables.model.threshold },
            None => continue,
        };
        let jump = slope[k] / spike.slope;
        for step in 0..spike.step.min(tables.steps) {
            let m = (spike.step - step) as usize;
            let lambda_v = jump * tables.alpha[m];
            let lambda_i = jump * tau_mem / (tau_mem - tau_syn) * (tables.alpha[m] - tables.beta[m]);
            outputs.effects[step as usize][k] = Effect { by_weight: -tau_syn * lambda_i, by_time: lambda_v - lambda_i };
        }
    }
}

impl Outputs {
    /// The class with the greatest score.
    pub(crate) fn class(&self) -> usize {
        class_of(&self.scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Split;
    use crate::eventprop::check::{Scenario, network};
    use crate::eventprop::stepped;

    /// Spikes and scores are those of the network run step by step, which knows nothing of closed forms.
    #[test]
    fn the_closed_form_is_the_network_step_by_step() {
        for (dt, loss) in Loss::ALL.map(|loss| (0.1, loss)).into_iter().chain(Loss::ALL.map(|loss| (0.5, loss))) {
            let scenario = Scenario::new(5, dt);
            let (model, network) = (&scenario.model, network(&scenario));
            let tables = Tables::new(model);
            let readout = Readout::new(&tables, loss);
            let delays: Vec<u32> = network.delays.iter().map(|&delay| model.in_steps(delay)).collect();
            let (mut hidden, mut outputs) = (Hidden::default(), Outputs::default());
            let mut repeated = 0;
            for sample in &Split::Test.samples()[..60] {
                let inputs = model.spikes(sample);
                hidden.run(&tables, &network, &delays, &inputs);
                readout.run(&tables, &network, &hidden, sample.class, &mut outputs);
                let expected = stepped::run(&network, model, loss, &inputs);
                let mut spikes: Vec<(u32, u32)> = Vec::new();
                for (n, train) in hidden.trains() {
                    // The step whose end is the time of the spike.
                    spikes.extend(train.iter().map(|spike| (n as u32, spike.step - 1)));
                    repeated += usize::from(train.len() > 1);
                }
                spikes.sort_unstable_by_key(|&(n, step)| (step, n));
                assert_eq!(spikes, expected.spikes, "{loss:?}, dt {dt}, {sample:?}");
                for (found, expected) in outputs.scores.iter().zip(expected.scores) {
                    assert!((found - expected).abs() < 1e-9, "{loss:?}, dt {dt}: {found} and {expected}");
                }
            }
            assert!(repeated > 60, "neurons hardly ever spike twice: resets are not tested");
        }
    }

    /// Where the synaptic time constant is the longer one, the closed form has other signs.
    #[test]
    fn slow_synapses_are_no_exception() {
        let scenario = Scenario::new(6, 0.25);
        let model = crate::eventprop::Model { tau_mem: 4.0, tau_syn: 9.0, ..scenario.model };
        let network = network(&scenario);
        let tables = Tables::new(&model);
        let delays: Vec<u32> = network.delays.iter().map(|&delay| model.in_steps(delay)).collect();
        let mut hidden = Hidden::default();
        let mut total = 0;
        for sample in &Split::Test.samples()[..60] {
            let inputs = model.spikes(sample);
            hidden.run(&tables, &network, &delays, &inputs);
            let expected = stepped::run(&network, &model, Loss::Average, &inputs).spikes;
            let train = |n: u32| expected.iter().filter(move |spike| spike.0 == n).map(|spike| spike.1 + 1);
            for (n, found) in hidden.trains() {
                assert!(found.iter().map(|spike| spike.step).eq(train(n as u32)), "neuron {n}, {sample:?}");
                total += found.len();
            }
        }
        assert!(total > 600, "{total} spikes");
    }
}
