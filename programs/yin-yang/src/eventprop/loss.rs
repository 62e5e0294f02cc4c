//! What is to be small, and how much of it each output potential has at each time.
//!
//! With `V_k(t)` the potential of output `k`, `c` the class of the sample and T the length of the run:
//!
//! | loss | is | the class given is the one with the |
//! | --- | --- | --- |
//! | [`Loss::Average`] | `−ln softmax(y)_c`, `y_k = g/T ∫ V_k dt` | greatest `y_k` |
//! | [`Loss::Weighted`] | the same with `y_k = g/T ∫ e^(−t/T) V_k dt` ("loss shaping") | greatest `y_k` |
//! | [`Loss::TimeSoftmax`] | `1/T ∫ −ln softmax(V(t))_c dt` | greatest `∫ V_k dt` |
//! | [`Loss::Max`] | `−ln softmax(y)_c`, `y_k = max_t V_k` | greatest `y_k` |
//! | [`Loss::MeanSquare`] | `1/(2T) ∫ Σ_k (V_k − [k = c])² dt` | greatest `∫ V_k dt` |
//! | [`Loss::FirstSpike`] | `−ln softmax(−t/τ_0)_c + a (e^(t_c/τ_1) − 1)`, `t_k` the first spike of output `k` | least `t_k` |
//!
//! The first of equals wins. g is [`GAIN`], τ_0 [`SPREAD`], τ_1 [`GROWTH`], a [`EARLINESS`]. `FirstSpike` has outputs that spike, and
//! for one that does not `t_k = T`. Sources: T. Nowotny, J. P. Turner, J. C. Knight, "Loss shaping enhances exact gradient learning
//! with EventProp in spiking neural networks" (arXiv 2212.01232) for the first five; T. C. Wunderlich, C. Pehle, "Event-based
//! backpropagation can compute exact gradients for spiking neural networks" (2021) for the last.

use serde::{Deserialize, Serialize};

use crate::dataset::CLASSES;

/// What is to be small: see the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy of mean potentials.
    Average,
    /// Cross-entropy of mean potentials, early ones counting more.
    Weighted,
    /// Mean cross-entropy of potentials.
    TimeSoftmax,
    /// Cross-entropy of greatest potentials.
    Max,
    /// Mean squared distance of potentials from 1 for the class and 0 for the others.
    MeanSquare,
    /// Cross-entropy of the times of first spikes.
    FirstSpike,
}

impl Loss {
    /// All there are.
    pub const ALL: [Loss; 6] =
        [Loss::Average, Loss::Weighted, Loss::TimeSoftmax, Loss::Max, Loss::MeanSquare, Loss::FirstSpike];

    /// Whether the loss is a function of one number `y_k` per output, linear in its potential.
    pub(crate) fn is_linear(self) -> bool {
        matches!(self, Loss::Average | Loss::Weighted)
    }

    /// The weight of a potential at `time` in the integral that classes are read from, but for `1/T`.
    pub(crate) fn weight(self, time: f64, duration: f64) -> f64 {
        match self {
            Loss::Average => GAIN,
            Loss::Weighted => GAIN * libm::exp(-time / duration),
            _ => 1.0,
        }
    }
}

/// g: mean potentials are multiplied by it before the softmax, so that a loss near 0 needs only modest ones.
pub const GAIN: f64 = 8.0;

/// τ_0 of [`Loss::FirstSpike`] in milliseconds.
pub const SPREAD: f64 = 1.0;
/// τ_1 of [`Loss::FirstSpike`] in milliseconds.
pub const GROWTH: f64 = 20.0;
/// a of [`Loss::FirstSpike`].
pub const EARLINESS: f64 = 0.02;

/// `−ln softmax(y)_class`, and its derivative by each `y`: probability, less 1 for the class.
pub(crate) fn cross_entropy(y: &[f64; CLASSES], class: usize) -> (f64, [f64; CLASSES]) {
    let top = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers = y.map(|y| libm::exp(y - top));
    let total: f64 = powers.iter().sum();
    let mut slope = powers.map(|power| power / total);
    slope[class] -= 1.0;
    (libm::log(total) + top - y[class], slope)
}

/// The loss of first spikes at `times`, and its derivative by each.
pub(crate) fn first_spike(times: &[f64; CLASSES], class: usize) -> (f64, [f64; CLASSES]) {
    let (entropy, slope) = cross_entropy(&times.map(|time| -time / SPREAD), class);
    let growth = EARLINESS * libm::exp(times[class] / GROWTH);
    let mut slope = slope.map(|slope| -slope / SPREAD);
    slope[class] += growth / GROWTH;
    (entropy + growth - EARLINESS, slope)
}

/// The first of the greatest.
pub(crate) fn class_of(scores: &[f64; CLASSES]) -> usize {
    (1..CLASSES).fold(0, |best, class| if scores[class] > scores[best] { class } else { best })
}
