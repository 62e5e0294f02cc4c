//! The network step by step, in the order in which it is deployed: what a fixed-point run is measured against, and a second
//! witness of the forward pass on the grid, from which it has only the constants.
//!
//! In each of the [`Model::steps`] steps what arrives is added to currents (input spikes of as many steps before as their
//! synapse's delay, and hidden spikes of the previous step), then
//!
//! ```text
//! V = α V + g I      I = β I      hidden: a spike where V > θ, then V = 0
//! ```
//!
//! with `g = τ_syn/(τ_mem − τ_syn) (α − β)`. The potentials after step `t` are those of the forward pass's step `t + 1`.

use super::loss::Loss;
use super::model::{Model, Network};
use crate::dataset::CLASSES;
use crate::encode::INPUTS;

/// What a run comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The score of each class, as the loss reads potentials; the class is that of the greatest.
    pub scores: [f64; CLASSES],
    /// Hidden spikes: neuron and step, in the order of steps.
    pub spikes: Vec<(u32, u32)>,
    /// Largest |I| and |V| (before the reset) of hidden neurons, then of outputs.
    pub largest: [[f64; 2]; 2],
}

/// `g` of the module's equations.
pub(super) fn gain(model: &Model) -> f64 {
    let [alpha, beta] = [model.tau_mem, model.tau_syn].map(|tau| libm::exp(-model.dt / tau));
    model.tau_syn / (model.tau_mem - model.tau_syn) * (alpha - beta)
}

/// Runs one sample; its input spikes are given by their steps.
pub fn run(network: &Network, model: &Model, loss: Loss, inputs: &[u32; INPUTS]) -> Run {
    let (hidden, steps) = (network.hidden_len(), model.steps());
    let [alpha, beta] = [model.tau_mem, model.tau_syn].map(|tau| libm::exp(-model.dt / tau));
    let gain = gain(model);
    let spiking_outputs = loss == Loss::FirstSpike;
    let (mut v, mut current) = (vec![0.0; hidden], vec![0.0; hidden]);
    let (mut out_v, mut out_current) = ([0.0; CLASSES], [0.0; CLASSES]);
    let mut scores = [match loss {
        Loss::Max => f64::NEG_INFINITY,
        Loss::FirstSpike => -model.duration,
        _ => 0.0,
    }; CLASSES];
    let mut run = Run { scores, spikes: Vec::new(), largest: [[0.0; 2]; 2] };
    let (mut spiked, mut before): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for step in 0..steps {
        for (input, &at) in inputs.iter().enumerate() {
            for (n, current) in current.iter_mut().enumerate() {
                let synapse = input * hidden + n;
                if at + model.in_steps(network.delays[synapse]) == step {
                    *current += network.w_in[synapse];
                }
            }
        }
        std::mem::swap(&mut spiked, &mut before);
        for (k, current) in out_current.iter_mut().enumerate() {
            before.iter().for_each(|n| *current += network.w_out[k * hidden + n]);
        }
        spiked.clear();
        for n in 0..hidden {
            v[n] = alpha * v[n] + gain * current[n];
            run.largest[0] = [run.largest[0][0].max(current[n].abs()), run.largest[0][1].max(v[n].abs())];
            current[n] *= beta;
            if v[n] > model.threshold {
                v[n] = 0.0;
                spiked.push(n);
                run.spikes.push((n as u32, step));
            }
        }
        let time = f64::from(step + 1) * model.dt;
        let part = model.dt / model.duration;
        for k in 0..CLASSES {
            out_v[k] = alpha * out_v[k] + gain * out_current[k];
            run.largest[1] = [run.largest[1][0].max(out_current[k].abs()), run.largest[1][1].max(out_v[k].abs())];
            out_current[k] *= beta;
            match loss {
                Loss::Max => scores[k] = scores[k].max(out_v[k]),
                Loss::FirstSpike => {}
                _ => scores[k] += part * loss.weight(time, model.duration) * out_v[k],
            }
            if spiking_outputs && out_v[k] > model.threshold {
                out_v[k] = 0.0;
                // The first is the earliest.
                scores[k] = scores[k].max(-time);
            }
        }
    }
    run.scores = scores;
    run
}
