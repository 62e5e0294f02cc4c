//! Runs a [`Model`] in 64-bit floating point: what its fixed-point network is compared with.
//!
//! Contract: the equations of [`super::model`] and the rules of [`Spike`], as written there, nothing folded.

use crate::interpret::SpikeTrain;
use crate::network::{Phase, Readout, Source};

use super::model::{Model, Neurons, OnSpike, Spike};
use super::options::{Comparison, SpikeFrom};

/// What a run leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatRun {
    /// `[population]`: its spikes.
    pub spikes: Vec<SpikeTrain>,
    /// `[population][step][neuron]`: `V` at the end of the step, where that was wanted.
    pub potentials: Vec<Vec<Vec<f64>>>,
    /// `[population]`: the least and the greatest of what becomes the variable `I`, of all neurons and steps: the input of the
    /// membrane, `gain_mem·I`, or `I` itself where gains are not folded.
    pub currents: Vec<Range>,
    /// `[population]`: the least and the greatest `V` before resets.
    pub reached: Vec<Range>,
}

/// An interval that contains 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Range {
    /// 0 or less.
    pub min: f64,
    /// 0 or more.
    pub max: f64,
}

impl Range {
    fn include(&mut self, value: f64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// The least interval that contains both.
    pub fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

impl FloatRun {
    /// The results of the outputs of `model`, as [`crate::interpret::Run::readout`].
    pub fn readouts(&self, model: &Model) -> Vec<Vec<f64>> {
        let readout = |&(population, readout): &(usize, Readout)| -> Vec<f64> {
            let size = model.populations[population].size;
            let trace = &self.potentials[population];
            let fold = |start: f64, step: fn(f64, f64) -> f64| -> Vec<f64> {
                (0..size).map(|n| trace.iter().fold(start, |acc, v| step(acc, v[n]))).collect()
            };
            match readout {
                Readout::Count => self.spikes[population].counts(size).into_iter().map(f64::from).collect(),
                Readout::Last => trace.last().cloned().unwrap_or_default(),
                Readout::Max => fold(f64::NEG_INFINITY, f64::max),
                Readout::Mean => fold(0.0, |a, b| a + b).iter().map(|sum| sum / f64::from(model.steps)).collect(),
            }
        };
        model.outputs.iter().map(readout).collect()
    }
}

/// The state of one population.
struct State {
    current: Vec<f64>,
    potential: Vec<f64>,
    spikes: Vec<u32>,
}

/// One run from the initial state; `inputs[i]` are the spikes of `model.inputs[i]` in `model.steps` steps, with no
/// neuron beyond the input's size. All potentials are kept.
pub fn run(model: &Model, inputs: &[SpikeTrain]) -> FloatRun {
    run_keeping(model, inputs, |_| true)
}

/// As [`run()`]; the potentials are kept of populations for which `wanted` holds.
pub(super) fn run_keeping(model: &Model, inputs: &[SpikeTrain], wanted: impl Fn(usize) -> bool) -> FloatRun {
    let count = model.populations.len();
    let mut states: Vec<State> = model
        .populations
        .iter()
        .map(|neurons| State { current: vec![0.0; neurons.size], potential: neurons.rest.clone(), spikes: Vec::new() })
        .collect();
    let mut sums: Vec<Vec<f64>> = model.populations.iter().map(|neurons| vec![0.0; neurons.size]).collect();
    let mut run = FloatRun {
        spikes: vec![SpikeTrain::default(); count],
        potentials: vec![Vec::new(); count],
        currents: vec![Range::default(); count],
        reached: vec![Range::default(); count],
    };
    for step in 0..model.steps as usize {
        for phase in &model.schedule {
            match *phase {
                Phase::Propagate(index) => {
                    let connection = &model.connections[index];
                    let train = match connection.source {
                        Source::Input(input) => &inputs[input].steps()[..=step],
                        Source::Events { population, .. } => run.spikes[population].steps(),
                    };
                    let sums = &mut sums[connection.target];
                    for &spike in arriving(train, connection.delay) {
                        connection.map.row(spike as usize, |target, weight| sums[target as usize] += weight);
                    }
                }
                Phase::Update(index) => {
                    let neurons = &model.populations[index];
                    update(neurons, &mut states[index], &mut sums[index], &mut run, index);
                    run.spikes[index].push(states[index].spikes.clone());
                    if wanted(index) {
                        run.potentials[index].push(states[index].potential.clone());
                    }
                }
            }
        }
    }
    run
}

/// The spikes of `delay` steps before the last one there are.
pub(super) fn arriving(train: &[Vec<u32>], delay: u32) -> &[u32] {
    train.len().checked_sub(1 + delay as usize).map_or(&[], |step| &train[step])
}

fn update(neurons: &Neurons, state: &mut State, sums: &mut [f64], run: &mut FloatRun, index: usize) {
    state.spikes.clear();
    for (n, sum) in sums.iter_mut().enumerate() {
        let x = std::mem::take(sum) + neurons.bias[n];
        let current = match &neurons.current {
            Some(leak) => leak.decay(n) * state.current[n] + leak.gain(n) * x,
            None => x,
        };
        state.current[n] = current;
        let input = neurons.potential.gain(n) * current;
        let old = state.potential[n];
        let updated = neurons.rest[n] + neurons.potential.decay(n) * (old - neurons.rest[n]) + input;
        // Where gains are not folded, neither is that of the current.
        let variable =
            if neurons.folded { input } else { current / neurons.current.as_ref().map_or(1.0, |l| l.gain(n)) };
        run.currents[index].include(variable);
        run.reached[index].include(updated);
        state.potential[n] = updated;
        if let Some(spike) = &neurons.spike {
            let (spiked, potential) = fire(spike, n, old, updated);
            state.potential[n] = potential;
            if spiked {
                state.spikes.push(n as u32);
            }
        }
    }
}

/// Whether neuron `n` spikes, and its potential then.
fn fire(spike: &Spike, n: usize, old: f64, updated: f64) -> (bool, f64) {
    let threshold = spike.threshold[n];
    let above = |v: f64| match spike.comparison {
        Comparison::Greater => v > threshold,
        Comparison::GreaterEqual => v >= threshold,
    };
    if spike.then == OnSpike::DelayedSubtract {
        let was_above = f64::from(u8::from(above(old)));
        let lowered = updated - was_above * threshold;
        let spiked = above(lowered);
        return (spiked, lowered - threshold * (f64::from(u8::from(spiked)) - was_above));
    }
    let spiked = match spike.from {
        SpikeFrom::New => above(updated),
        SpikeFrom::Old => above(old),
    };
    let after = match &spike.then {
        OnSpike::Value(reset) => reset[n],
        OnSpike::Subtract => updated - threshold,
        OnSpike::DelayedSubtract | OnSpike::Keep => updated,
    };
    (spiked, if spiked { after } else { updated })
}
