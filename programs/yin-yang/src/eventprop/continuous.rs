//! The same network in continuous time, for one purpose: to say what the loss is, so that finite differences of it are a
//! second witness for the gradients.
//!
//! Nothing is shared with the forward pass but the constants and the formulas of the losses. A potential is a sum over all
//! that ever arrived and all spikes, `V(t) = Σ w κ(t − t_arrival) − Σ θ e^(−(t − t_spike)/τ_mem)` with
//! `κ(t) = τ_syn/(τ_mem − τ_syn) (e^(−t/τ_mem) − e^(−t/τ_syn))`; spikes are found by
//! looking at V every [`LOOK`] and halving the interval in which it gets above the threshold; integrals are Gauss–Legendre sums between hidden spikes.

use super::loss::{Loss, cross_entropy, first_spike};
use super::model::{Model, Network, Times};
use crate::dataset::CLASSES;
use crate::encode::INPUTS;

/// How closely potentials are looked at, in milliseconds. A spike that comes and would go within it is not seen.
const LOOK: f64 = 0.05;
/// Intervals of integration are at most so long, in milliseconds.
const PANEL: f64 = 1.0;

/// What a run comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) loss: f64,
    /// Number of spikes of each hidden neuron, then of each output if it spikes.
    pub(crate) spikes: Vec<usize>,
}

/// A neuron: what arrives at it, and its own spikes.
struct Neuron<'m> {
    model: &'m Model,
    arrivals: Vec<(f64, f64)>,
    spikes: Vec<f64>,
}

impl<'m> Neuron<'m> {
    fn silent(model: &'m Model, arrivals: Vec<(f64, f64)>) -> Neuron<'m> {
        Neuron { model, arrivals, spikes: Vec::new() }
    }

    /// Finds the spikes.
    fn spiking(model: &'m Model, arrivals: Vec<(f64, f64)>) -> Neuron<'m> {
        let mut neuron = Neuron::silent(model, arrivals);
        let threshold = model.threshold;
        let mut last = 0.0;
        for look in 1.. {
            let time = (f64::from(look) * LOOK).min(model.duration);
            if neuron.potential(time) > threshold {
                let (mut before, mut after) = (last, time);
                while after - before > 1e-12 {
                    let middle = 0.5 * (before + after);
                    if neuron.potential(middle) > threshold { after = middle } else { before = middle }
                }
                neuron.spikes.push(after);
            }
            last = time;
            if time >= model.duration {
                break;
            }
        }
        neuron
    }

    fn potential(&self, time: f64) -> f64 {
        let Model { tau_mem, tau_syn, threshold, .. } = *self.model;
        let decayed = |since: f64, tau: f64| (-since / tau).exp();
        let arrived = self.arrivals.iter().filter(|(at, _)| *at < time).map(|&(at, weight)| {
            weight * tau_syn / (tau_mem - tau_syn) * (decayed(time - at, tau_mem) - decayed(time - at, tau_syn))
        });
        let spiked = self.spikes.iter().filter(|at| **at < time).map(|at| threshold * decayed(time - at, tau_mem));
        arrived.sum::<f64>() - spiked.sum::<f64>()
    }

    /// The greatest potential.
    fn greatest(&self) -> f64 {
        let looks = (self.model.duration / LOOK).ceil() as usize;
        let at = |look: usize| (look as f64 * LOOK).min(self.model.duration);
        let best = (0..=looks).max_by(|a, b| self.potential(at(*a)).total_cmp(&self.potential(at(*b)))).unwrap_or(0);
        // By thirds, as the maximum is between its neighbours.
        let (mut low, mut high) = (at(best.saturating_sub(1)), at(best + 1));
        while high - low > 1e-9 {
            let (left, right) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
            if self.potential(left) < self.potential(right) { low = left } else { high = right }
        }
        self.potential(0.5 * (low + high))
    }
}

/// Runs one sample. Delays are used as they are.
pub(crate) fn run(model: &Model, network: &Network, loss: Loss, inputs: &Times, class: usize) -> Run {
    let size = network.hidden_len();
    let hidden = |n: usize| {
        let synapse = |input: usize| input * size + n;
        let arrival = |input: usize| (inputs[input] + network.delays[synapse(input)], network.w_in[synapse(input)]);
        Neuron::spiking(model, (0..INPUTS).map(arrival).collect()).spikes
    };
    let hidden: Vec<Vec<f64>> = (0..size).map(hidden).collect();
    let mut spikes: Vec<usize> = hidden.iter().map(Vec::len).collect();
    let onto = |k: usize| -> Vec<(f64, f64)> {
        let from = |(n, train): (usize, &Vec<f64>)| -> Vec<(f64, f64)> {
            train.iter().map(|&time| (time, network.w_out[k * size + n])).collect()
        };
        hidden.iter().enumerate().flat_map(from).collect()
    };
    if loss == Loss::FirstSpike {
        let outputs: [Neuron; CLASSES] = std::array::from_fn(|k| Neuron::spiking(model, onto(k)));
        spikes.extend(outputs.iter().map(|output| output.spikes.len()));
        let times = outputs.map(|output| output.spikes.first().copied().unwrap_or(model.duration));
        return Run { loss: first_spike(&times, class).0, spikes };
    }
    let outputs: [Neuron; CLASSES] = std::array::from_fn(|k| Neuron::silent(model, onto(k)));
    let potentials = |time: f64| -> [f64; CLASSES] { std::array::from_fn(|k| outputs[k].potential(time)) };
    let duration = model.duration;
    let mut ends: Vec<f64> = hidden.concat();
    ends.push(duration);
    ends.sort_unstable_by(f64::total_cmp);
    let mean = |of: &dyn Fn(f64) -> f64| integral(&ends, of) / duration;
    let loss = match loss {
        Loss::Average | Loss::Weighted => {
            let y = std::array::from_fn(|k| mean(&|time| loss.weight(time, duration) * potentials(time)[k]));
            cross_entropy(&y, class).0
        }
        Loss::TimeSoftmax => mean(&|time| cross_entropy(&potentials(time), class).0),
        Loss::MeanSquare => {
            let off = |k: usize, v: f64| v - f64::from(u8::from(k == class));
            mean(&|time| {
                let squares = potentials(time).into_iter().enumerate().map(|(k, v)| off(k, v) * off(k, v));
                0.5 * squares.sum::<f64>()
            })
        }
        Loss::Max => cross_entropy(&std::array::from_fn(|k| outputs[k].greatest()), class).0,
        Loss::FirstSpike => f64::NAN,
    };
    Run { loss, spikes }
}

/// The integral from 0 over intervals that end at `ends`, inside which the integrand is smooth.
fn integral(ends: &[f64], of: &dyn Fn(f64) -> f64) -> f64 {
    /// Nodes and weights of the rule with three points.
    const RULE: [(f64, f64); 3] =
        [(-0.774_596_669_241_483_4, 5.0 / 9.0), (0.0, 8.0 / 9.0), (0.774_596_669_241_483_4, 5.0 / 9.0)];
    let (mut sum, mut start) = (0.0, 0.0);
    for &end in ends {
        let panels = ((end - start) / PANEL).ceil().max(1.0);
        let half = 0.5 * (end - start) / panels;
        for panel in 0..panels as u32 {
            let middle = start + half * (2.0 * f64::from(panel) + 1.0);
            sum += RULE.iter().map(|&(node, weight)| weight * half * of(middle + half * node)).sum::<f64>();
        }
        start = end;
    }
    sum
}
