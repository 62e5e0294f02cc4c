//! The backward pass: λ_V and λ_I of the hidden neurons from the last spike to the first, in closed form between events.
//!
//! ```text
//! backwards in time       τ_mem λ_V' = −λ_V      τ_syn λ_I' = −λ_I + λ_V
//! at a spike              λ_V += (θ λ_V + Σ_k w_k (λ_V − λ_I)_k) / (I − V)
//! where a spike arrives   dL/dw = −τ_syn λ_I     dL/dd = w (λ_V − λ_I)
//! ```
//!
//! T. C. Wunderlich, C. Pehle (2021); for delays, B. Mészáros, J. C. Knight, T. Nowotny (arXiv 2501.07331).

use super::forward::{Hidden, Outputs, Readout};
use super::model::{Network, Tables};
use crate::dataset::CLASSES;
use crate::encode::INPUTS;

/// Sums over samples.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gradient {
    pub(crate) w_in: Vec<f64>,
    pub(crate) delays: Vec<f64>,
    pub(crate) w_out: Vec<f64>,
    pub(crate) loss: f64,
    pub(crate) correct: usize,
    pub(crate) spikes: usize,
}

impl Gradient {
    pub(crate) fn zero(hidden: usize) -> Gradient {
        Gradient {
            w_in: vec![0.0; INPUTS * hidden],
            delays: vec![0.0; INPUTS * hidden],
            w_out: vec![0.0; CLASSES * hidden],
            loss: 0.0,
            correct: 0,
            spikes: 0,
        }
    }

    pub(crate) fn add(&mut self, other: &Gradient) {
        let pairs = [(&mut self.w_in, &other.w_in), (&mut self.delays, &other.delays), (&mut self.w_out, &other.w_out)];
        for (sum, term) in pairs {
            sum.iter_mut().zip(term).for_each(|(sum, term)| *sum += term);
        }
        self.loss += other.loss;
        self.correct += other.correct;
        self.spikes += other.spikes;
    }
}

/// Adds the gradient of a run to `sum`.
pub(crate) fn accumulate(
    tables: &Tables,
    network: &Network,
    readout: &Readout,
    hidden: &Hidden,
    outputs: &Outputs,
    sum: &mut Gradient,
) {
    let size = network.hidden_len();
    for (n, train) in hidden.trains() {
        let mut adjoint = Adjoint { lambda_v: 0.0, lambda_i: 0.0, step: tables.steps };
        let mut arrivals = hidden.arrivals[n].iter().rev().skip_while(|(step, _)| *step >= tables.steps).peekable();
        for spike in train.iter().rev() {
            // What arrives in the step of a spike comes after it.
            while let Some(&(step, input)) = arrivals.next_if(|(step, _)| *step >= spike.step) {
                adjoint.arrival(tables, network, step, usize::from(input) * size + n, sum);
            }
            adjoint.back_to(tables, spike.step);
            let mut push = tables.model.threshold * adjoint.lambda_v;
            for (k, effect) in readout.effects(outputs, spike.step).into_iter().enumerate() {
                push += network.w_out[k * size + n] * effect.by_time;
                sum.w_out[k * size + n] += effect.by_weight;
            }
            adjoint.lambda_v += push / spike.slope;
        }
        for &(step, input) in arrivals {
            adjoint.arrival(tables, network, step, usize::from(input) * size + n, sum);
        }
    }
}

/// A hidden neuron's adjoint just after `step`.
struct Adjoint {
    lambda_v: f64,
    lambda_i: f64,
    step: u32,
}

impl Adjoint {
    fn back_to(&mut self, tables: &Tables, step: u32) {
        let m = (self.step - step) as usize;
        let (tau_mem, tau_syn) = (tables.model.tau_mem, tables.model.tau_syn);
        let (alpha, beta) = (tables.alpha[m], tables.beta[m]);
        self.lambda_i = beta * self.lambda_i + self.lambda_v * tau_mem / (tau_mem - tau_syn) * (alpha - beta);
        self.lambda_v *= alpha;
        self.step = step;
    }

    fn arrival(&mut self, tables: &Tables, network: &Network, step: u32, synapse: usize, sum: &mut Gradient) {
        self.back_to(tables, step);
        sum.w_in[synapse] -= tables.model.tau_syn * self.lambda_i;
        sum.delays[synapse] += network.w_in[synapse] * (self.lambda_v - self.lambda_i);
    }
}
