//! The neurons, the time axis and the trainable numbers. All times are in milliseconds.
//!
//! Hidden neurons and outputs are alike but for the spike, which outputs have only under [`Loss::FirstSpike`]:
//!
//! ```text
//! τ_syn I' = −I, and I += w when a spike arrives      τ_mem V' = −V + I      V > θ: a spike, V = 0
//! ```
//!
//! Between two events both have a closed form, so on a grid of steps nothing is computed in steps where nothing happens:
//! `m` steps after a state (V, I), with α = e^(−dt/τ_mem), β = e^(−dt/τ_syn) and c = τ_syn / (τ_mem − τ_syn),
//! `V[m] = V α^m + c I (α^m − β^m)` and `I[m] = I β^m`.
//!
//! [`Loss::FirstSpike`]: super::Loss::FirstSpike

use serde::{Deserialize, Serialize};

use crate::dataset::{CLASSES, Sample};
use crate::encode::INPUTS;

/// Times of the input spikes of a sample, by input neuron.
pub type Times = [f64; INPUTS];

/// The constants of the network. Each can be anything for which [`Model::check`] has no objection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Membrane time constant.
    pub tau_mem: f64,
    /// Time constant of synaptic currents, not the membrane's.
    pub tau_syn: f64,
    /// Potential above which a neuron spikes.
    pub threshold: f64,
    /// Length of a time step.
    pub dt: f64,
    /// Length of a run.
    pub duration: f64,
    /// Time of an input spike that stands for 0.
    pub early: f64,
    /// Time of an input spike that stands for 1.
    pub late: f64,
    /// The longest delay.
    pub longest_delay: f64,
    /// Least `I − V` at a spike that gradients reckon with: a spike that only just comes about is less certain than its
    /// derivative says.
    pub least_slope: f64,
}

impl Model {
    /// The published time constants and times of the task (arXiv 2501.07331): 20 and 5 ms, spikes from 1.5 to 20 ms, in a run
    /// of 30 ms with delays up to 20 ms.
    pub fn published(dt: f64) -> Model {
        Model {
            tau_mem: 20.0,
            tau_syn: 5.0,
            threshold: 1.0,
            dt,
            duration: 30.0,
            early: 1.5,
            late: 20.0,
            longest_delay: 20.0,
            least_slope: 0.05,
        }
    }

    /// Number of steps of a run.
    pub fn steps(&self) -> u32 {
        self.in_steps(self.duration)
    }

    /// The nearest whole number of steps; 0 for what is negative.
    pub fn in_steps(&self, time: f64) -> u32 {
        (time / self.dt).round() as u32
    }

    /// `early + v (late − early)` for each `v` of (x, y, 1 − x, 1 − y, 0).
    pub fn times(&self, sample: &Sample) -> Times {
        let span = self.late - self.early;
        [sample.x, sample.y, 1.0 - sample.x, 1.0 - sample.y, 0.0].map(|value| self.early + value * span)
    }

    /// The steps of [`Model::times`].
    pub fn spikes(&self, sample: &Sample) -> [u32; INPUTS] {
        self.times(sample).map(|time| self.in_steps(time))
    }

    /// Whether the constants make sense together.
    ///
    /// # Errors
    /// The first constant that does not.
    pub fn check(&self) -> Result<(), ModelError> {
        let positive = [
            ("tau_mem", self.tau_mem),
            ("tau_syn", self.tau_syn),
            ("threshold", self.threshold),
            ("dt", self.dt),
            ("duration", self.duration),
            ("least_slope", self.least_slope),
        ];
        for (name, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(ModelError::NotPositive { name, value });
            }
        }
        if ((self.tau_mem - self.tau_syn) / self.tau_mem).abs() < 1e-6 {
            return Err(ModelError::EqualTimeConstants);
        }
        let steps = self.duration / self.dt;
        if !(2.0..=MOST_STEPS).contains(&steps) {
            return Err(ModelError::Steps { steps });
        }
        for (name, value) in [("early", self.early), ("late", self.late), ("longest_delay", self.longest_delay)] {
            if !(0.0..=MOST_STEPS * self.dt).contains(&value) {
                return Err(ModelError::OutOfRange { name, value, most: MOST_STEPS * self.dt });
            }
        }
        Ok(())
    }
}

/// Longest time axis: a table of decays has an entry per step.
const MOST_STEPS: f64 = 1e6;

/// Constants with which there is no network.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// A constant has to be above 0.
    #[error("{name} is {value}, and has to be a number above 0")]
    NotPositive {
        /// Which one.
        name: &'static str,
        /// What it is.
        value: f64,
    },
    /// A time is before the start, or not a number.
    #[error("{name} is {value} ms, and has to be 0 to {most} ms")]
    OutOfRange {
        /// Which one.
        name: &'static str,
        /// What it is.
        value: f64,
        /// The longest time there can be.
        most: f64,
    },
    /// The closed form divides by their difference.
    #[error("tau_mem and tau_syn are the same, and have to differ")]
    EqualTimeConstants,
    /// A run of no steps, or of more than tables can hold.
    #[error("a run of {steps} steps: it has to have 2 to 1,000,000; choose another dt")]
    Steps {
        /// `duration / dt`.
        steps: f64,
    },
}

/// What is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// `[INPUTS][hidden]`: weights, one row of targets per input.
    pub w_in: Vec<f64>,
    /// `[INPUTS][hidden]`: delays of the same synapses. A run uses the nearest whole number of steps.
    pub delays: Vec<f64>,
    /// `[CLASSES][hidden]`: weights, one row of sources per output.
    pub w_out: Vec<f64>,
}

impl Network {
    /// Number of hidden neurons.
    pub fn hidden_len(&self) -> usize {
        self.w_out.len() / CLASSES
    }
}

/// Powers of both decays, and what follows from the constants.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) model: Model,
    pub(crate) steps: u32,
    /// α^m
    pub(crate) alpha: Vec<f64>,
    /// β^m
    pub(crate) beta: Vec<f64>,
    /// c of the module's equations.
    pub(crate) ratio: f64,
    /// τ_mem / τ_syn
    tau_ratio: f64,
    /// Steps per unit of the logarithm of β^m / α^m, negated.
    peak_scale: f64,
    /// What a current of 1 raises V to at most.
    response: f64,
}

/// A hidden spike: everything the backward pass needs to know of the forward pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spike {
    pub(crate) step: u32,
    /// `I − V` where V crossed the threshold, between this step and the one before.
    pub(crate) slope: f64,
}

impl Tables {
    /// The model has to be one without objections.
    pub(crate) fn new(model: &Model) -> Tables {
        let steps = model.steps();
        let powers = |tau: f64| (0..=steps).map(|m| libm::exp(-f64::from(m) * model.dt / tau)).collect();
        let (tau_ratio, rate) = (model.tau_mem / model.tau_syn, 1.0 / model.tau_syn - 1.0 / model.tau_mem);
        let ratio = model.tau_syn / (model.tau_mem - model.tau_syn);
        let at = libm::log(tau_ratio) / rate;
        Tables {
            model: *model,
            steps,
            alpha: powers(model.tau_mem),
            beta: powers(model.tau_syn),
            ratio,
            tau_ratio,
            peak_scale: 1.0 / (rate * model.dt),
            response: ratio * (libm::exp(-at / model.tau_mem) - libm::exp(-at / model.tau_syn)),
        }
    }

    /// Appends the spikes of one neuron to `spikes`, and returns how many. `arrivals` are steps and weights, sorted by step.
    ///
    /// In a step V is updated first; a spike is where V > θ then, and sets V to 0; what arrives is added to I last.
    pub(crate) fn spikes(&self, arrivals: impl IntoIterator<Item = (u32, f64)>, spikes: &mut Vec<Spike>) -> usize {
        let before = spikes.len();
        let (mut v, mut current, mut now) = (0.0, 0.0, 0);
        for (step, weight) in arrivals {
            if step >= self.steps {
                break;
            }
            self.advance(&mut v, &mut current, &mut now, step, spikes);
            current += weight;
        }
        self.advance(&mut v, &mut current, &mut now, self.steps, spikes);
        spikes.len() - before
    }

    fn advance(&self, v: &mut f64, current: &mut f64, now: &mut u32, to: u32, spikes: &mut Vec<Spike>) {
        while let Some((steps, slope)) = self.crossing(*v, *current, to - *now) {
            *now += steps;
            *current *= self.beta[steps as usize];
            *v = 0.0;
            spikes.push(Spike { step: *now, slope });
        }
        let m = (to - *now) as usize;
        *v = *v * self.alpha[m] + self.ratio * *current * (self.alpha[m] - self.beta[m]);
        *current *= self.beta[m];
        *now = to;
    }

    /// After how many steps, at most `span`, V is above the threshold, and `I − V` where it got there.
    ///
    /// V is at most θ now. So it gets above only while I > θ, and has a single maximum, where I = V.
    fn crossing(&self, v: f64, current: f64, span: u32) -> Option<(u32, f64)> {
        let threshold = self.model.threshold;
        if current <= threshold || v.max(0.0) + self.response * current <= threshold {
            return None;
        }
        let (a, b) = (v + self.ratio * current, self.ratio * current);
        let at = |m: u32| a * self.alpha[m as usize] - b * self.beta[m as usize];
        // Where c < 0 (τ_syn > τ_mem) both are negative, and their ratio is what counts.
        let quotient = b * self.tau_ratio / a;
        let peak = if quotient > 0.0 { self.peak_scale * libm::log(quotient) } else { f64::INFINITY };
        let below = peak.clamp(0.0, f64::from(span)) as u32;
        let mut first = if below > 0 && at(below) > threshold {
            below
        } else if below < span && at(below + 1) > threshold {
            below + 1
        } else {
            return None;
        };
        // V rises up to `first`, or `first` is all there is.
        let mut not_yet = if first == below { 0 } else { below };
        while first - not_yet > 1 {
            let middle = not_yet + (first - not_yet) / 2;
            if at(middle) > threshold { first = middle } else { not_yet = middle }
        }
        let (low, high) = (at(not_yet), at(first));
        let part = (threshold - low) / (high - low);
        let decay = 1.0 - part * (1.0 - self.beta[1]);
        let slope = current * self.beta[not_yet as usize] * decay - threshold;
        Some((first, slope.max(self.model.least_slope)))
    }
}
