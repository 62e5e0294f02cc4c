//! Back-propagation through time of the cross-entropy of the scores, for one sample.
//!
//! The adjoint runs the module equations of [`network`](crate::network) backwards; only the slope of a spike is replaced.

use crate::dataset::CLASSES;
use crate::encode::{INPUTS, Spikes, Timing};
use crate::network::{Activation, Network};

/// The scores are multiplied by this before the softmax, so that a loss near 0 needs only modest potentials.
pub(crate) const SCORE_GAIN: f64 = 4.0;

/// Sums over samples.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gradient {
    pub(crate) w_in: Vec<f64>,
    pub(crate) w_out: Vec<f64>,
    pub(crate) loss: f64,
    pub(crate) correct: usize,
}

impl Gradient {
    pub(crate) fn zero(hidden: usize) -> Gradient {
        Gradient { w_in: vec![0.0; INPUTS * hidden], w_out: vec![0.0; CLASSES * hidden], loss: 0.0, correct: 0 }
    }

    pub(crate) fn add(&mut self, other: &Gradient) {
        let pairs = [(&mut self.w_in, &other.w_in), (&mut self.w_out, &other.w_out)];
        for (sum, term) in pairs {
            sum.iter_mut().zip(term).for_each(|(sum, term)| *sum += term);
        }
        self.loss += other.loss;
        self.correct += other.correct;
    }
}

/// `−ln softmax(gain · scores)[class]`, and its derivative by each score.
fn cross_entropy(scores: &[f64; CLASSES], class: usize) -> (f64, [f64; CLASSES]) {
    let logits = scores.map(|score| SCORE_GAIN * score);
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers = logits.map(|logit| libm::exp(logit - top));
    let total: f64 = powers.iter().sum();
    let mut slope = powers.map(|power| SCORE_GAIN * power / total);
    slope[class] -= SCORE_GAIN;
    (libm::log(total) + top - logits[class], slope)
}

/// Adds the loss of one sample, and its gradient, to `sum`.
pub(crate) fn accumulate<A: Activation>(
    network: &Network,
    timing: &Timing,
    spikes: &Spikes,
    class: usize,
    sum: &mut Gradient,
) {
    let run = network.run_with::<A>(timing, spikes);
    let (loss, d_scores) = cross_entropy(&run.scores, class);
    sum.loss += loss;
    sum.correct += usize::from((0..CLASSES).all(|other| other == class || run.scores[other] < run.scores[class]));

    let hidden = network.hidden_len();
    let (h, o) = (network.hidden.factors(timing.dt), network.output.factors(timing.dt));
    let (mut d_out_v, mut d_out_current) = ([0.0; CLASSES], [0.0; CLASSES]);
    // `d_v` is by V before the reset of the step after; so is `d_current` by I.
    let (mut d_v, mut d_current) = (vec![0.0; hidden], vec![0.0; hidden]);
    let [out0, out1, out2] = [0, 1, 2].map(|class| &network.w_out[class * hidden..][..hidden]);
    for (step, potentials) in run.potentials.chunks_exact(hidden).enumerate().rev() {
        for class in 0..CLASSES {
            d_out_v[class] *= o.decay_mem;
            if run.peaks[class] == step {
                d_out_v[class] += d_scores[class];
            }
            d_out_current[class] = o.decay_syn * d_out_current[class] + o.gain_mem * d_out_v[class];
        }
        let [d0, d1, d2] = d_out_current.map(|d| o.gain_syn * d);
        let state = d_v.iter_mut().zip(&mut d_current).zip(potentials);
        for (((d_v, d_current), v), ((w0, w1), w2)) in state.zip(out0.iter().zip(out1).zip(out2)) {
            let x = v - network.threshold;
            let z = A::value(x);
            let d_after = h.decay_mem * *d_v;
            let mut d_z = w0 * d0 + w1 * d1 + w2 * d2;
            if A::RESET_HAS_SLOPE {
                d_z -= v * d_after;
            }
            *d_v = d_after * (1.0 - z) + d_z * A::slope(x);
            *d_current = h.decay_syn * *d_current + h.gain_mem * *d_v;
        }
        for (class, d) in [d0, d1, d2].into_iter().enumerate() {
            let weights = &mut sum.w_out[class * hidden..][..hidden];
            for (weight, v) in weights.iter_mut().zip(potentials) {
                *weight += d * A::value(v - network.threshold);
            }
        }
        for (input, weights) in sum.w_in.chunks_exact_mut(hidden).enumerate() {
            if spikes[input] as usize == step {
                weights.iter_mut().zip(&d_current).for_each(|(weight, d)| *weight += h.gain_syn * d);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Neuron, STEEPNESS};
    use rand::{RngExt, SeedableRng};

    /// The smooth function whose derivative is exactly the surrogate slope.
    struct Smooth;

    impl Activation for Smooth {
        const RESET_HAS_SLOPE: bool = true;

        fn value(x: f64) -> f64 {
            0.5 + x / (1.0 + STEEPNESS * x.abs())
        }

        fn slope(x: f64) -> f64 {
            let width = 1.0 + STEEPNESS * x.abs();
            1.0 / (width * width)
        }
    }

    /// With a smooth activation the loss has a derivative, which finite differences find without knowing the adjoint.
    #[test]
    fn the_adjoint_agrees_with_finite_differences_of_a_smooth_network() {
        let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(3);
        let neuron = Neuron { tau_syn: 0.004, tau_mem: 0.016, r: 4.0, w_in: 8.0 };
        let timing = Timing { dt: 0.0005, early: 1, late: 21, steps: 30 };
        let mut weights = |len: usize| (0..len).map(|_| random.random::<f64>() - 0.3).collect();
        let hidden = 7;
        let network = Network {
            hidden: neuron,
            threshold: 1.0,
            output: Neuron { tau_syn: 0.003, tau_mem: 0.01, r: 2.0, w_in: 5.0 },
            w_in: weights(INPUTS * hidden),
            w_out: weights(CLASSES * hidden),
        };
        let spikes = [5, 9, 17, 13, 1];
        let of = |network: &Network| {
            let mut sum = Gradient::zero(hidden);
            accumulate::<Smooth>(network, &timing, &spikes, 2, &mut sum);
            sum
        };
        let gradient = of(&network);
        assert!(gradient.w_in.iter().chain(&gradient.w_out).all(|g| g.abs() > 1e-9), "a gradient is trivially zero");
        let h = 1e-6;
        let difference = |change: &dyn Fn(&mut Network, f64)| {
            let (mut up, mut down) = (network.clone(), network.clone());
            change(&mut up, h);
            change(&mut down, -h);
            (of(&up).loss - of(&down).loss) / (2.0 * h)
        };
        for (n, expected) in gradient.w_in.iter().enumerate() {
            let found = difference(&|network, by| network.w_in[n] += by);
            assert!((found - expected).abs() < 1e-6 * (1.0 + expected.abs()), "w_in[{n}]: {found} and {expected}");
        }
        for (n, expected) in gradient.w_out.iter().enumerate() {
            let found = difference(&|network, by| network.w_out[n] += by);
            assert!((found - expected).abs() < 1e-6 * (1.0 + expected.abs()), "w_out[{n}]: {found} and {expected}");
        }
    }
}
