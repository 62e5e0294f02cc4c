//! The network of the Spyx quick start, in float64, and its gradient.
//!
//! Contract: in step `t`, from `V = U = 0`, as Spyx defines LIF and LI (`spyx.nn`):
//!
//! ```text
//! s(t) = [V(t−1) > 1]                                the spike comes from the old potential
//! V(t) = β V(t−1) + W x(t) − s(t)                    β of each neuron, learned, kept within 0 and 1
//! U(t) = γ U(t−1) + O s(t)                           γ of each class, likewise
//! logits = Σ_t U(t)
//! ```
//!
//! The loss of a sample is the cross entropy of the softmax of the logits with labels smoothed by 0.3. Its gradient runs the same
//! equations backwards; `∂s/∂V` is `max(0, 1 − 2 |V − 1|)`, and it counts in the reset too.
//!
//! Not here: samples, and how parameters are changed.

/// Input channels.
pub const CHANNELS: usize = 8;
/// Hidden neurons.
pub const HIDDEN: usize = 32;
/// Classes.
pub const CLASSES: usize = 3;
/// Steps of a sample.
pub const STEPS: usize = 16;

/// How far labels are from 0 and 1.
const SMOOTHING: f64 = 0.3;
/// The slowest decay: a NIR file has time constants, and that of 1 would be infinite.
pub const SLOWEST: f64 = 1.0 - 1.0 / (1 << 20) as f64;

const W: usize = 0;
const BETA: usize = W + CHANNELS * HIDDEN;
const O: usize = BETA + HIDDEN;
const GAMMA: usize = O + HIDDEN * CLASSES;
/// How many parameters there are.
pub const PARAMETERS: usize = GAMMA + CLASSES;

/// Which channels spike, one bit each, in each step.
pub type Sample = [u8; STEPS];

/// The network's parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// `W` by hidden neuron and channel, `β`, `O` by class and hidden neuron, `γ`.
    pub parameters: Vec<f64>,
}

/// What decides about spikes, and what stands for its slope.
pub(super) trait Activation {
    fn value(x: f64) -> f64;
    fn slope(x: f64) -> f64;
}

/// A step, and the triangle that Spyx puts in the place of its slope.
pub(super) struct Spike;

impl Activation for Spike {
    fn value(x: f64) -> f64 {
        f64::from(u8::from(x > 0.0))
    }

    fn slope(x: f64) -> f64 {
        (1.0 - (2.0 * x).abs()).max(0.0)
    }
}

/// Everything that happened in a sample.
#[derive(Debug, Clone)]
pub struct Run {
    /// Hidden spikes of each step.
    pub spikes: Vec<[f64; HIDDEN]>,
    /// Hidden potentials before each step, and after the last.
    potentials: Vec<[f64; HIDDEN]>,
    /// Readouts before each step, and after the last.
    pub readouts: Vec<[f64; CLASSES]>,
    /// Sums of the readouts.
    pub logits: [f64; CLASSES],
}

impl Run {
    /// The class with the greatest logit, the first of equals.
    pub fn class(&self) -> usize {
        (1..CLASSES).fold(0, |best, class| if self.logits[class] > self.logits[best] { class } else { best })
    }
}

/// Whether a channel spikes in a step.
pub fn spikes(sample: &Sample, step: usize, channel: usize) -> bool {
    sample[step] >> channel & 1 == 1
}

impl Network {
    /// `W[neuron][channel]`.
    pub fn w(&self, neuron: usize, channel: usize) -> f64 {
        self.parameters[W + neuron * CHANNELS + channel]
    }

    /// `O[class][neuron]`.
    pub fn o(&self, class: usize, neuron: usize) -> f64 {
        self.parameters[O + class * HIDDEN + neuron]
    }

    /// `β` of a neuron as it is used.
    pub fn beta(&self, neuron: usize) -> f64 {
        self.parameters[BETA + neuron].clamp(0.0, SLOWEST)
    }

    /// `γ` of a class as it is used.
    pub fn gamma(&self, class: usize) -> f64 {
        self.parameters[GAMMA + class].clamp(0.0, SLOWEST)
    }

    /// Sets the decays: those of hidden neurons and those of classes.
    pub(super) fn set_decays(&mut self, beta: impl FnMut() -> f64, gamma: f64) {
        self.parameters[BETA..O].fill_with(beta);
        self.parameters[GAMMA..].fill(gamma);
    }

    /// Sets the weights, from standard deviations of the two layers.
    pub(super) fn set_weights(&mut self, mut normal: impl FnMut() -> f64) {
        let scale = |fan_in: usize| libm::sqrt(1.0 / fan_in as f64);
        self.parameters[W..BETA].fill_with(|| scale(CHANNELS) * normal());
        self.parameters[O..GAMMA].fill_with(|| scale(HIDDEN) * normal());
    }

    /// A run on a sample.
    pub fn run(&self, sample: &Sample) -> Run {
        self.run_with::<Spike>(sample)
    }

    fn run_with<A: Activation>(&self, sample: &Sample) -> Run {
        let (mut v, mut u) = ([0.0; HIDDEN], [0.0; CLASSES]);
        let mut run = Run { spikes: Vec::new(), potentials: vec![v], readouts: vec![u], logits: [0.0; CLASSES] };
        for step in 0..STEPS {
            let s: [f64; HIDDEN] = std::array::from_fn(|neuron| A::value(v[neuron] - 1.0));
            for neuron in 0..HIDDEN {
                let input: f64 = (0..CHANNELS)
                    .filter(|channel| spikes(sample, step, *channel))
                    .map(|channel| self.w(neuron, channel))
                    .sum();
                v[neuron] = self.beta(neuron) * v[neuron] + input - s[neuron];
            }
            for (class, u) in u.iter_mut().enumerate() {
                let input: f64 = (0..HIDDEN).map(|neuron| self.o(class, neuron) * s[neuron]).sum();
                *u = self.gamma(class) * *u + input;
                run.logits[class] += *u;
            }
            run.spikes.push(s);
            run.potentials.push(v);
            run.readouts.push(u);
        }
        run
    }

    /// Adds the gradient of a sample's loss, times `share`, to `sum`, and gives the loss.
    pub fn add_gradient(&self, sample: &Sample, class: usize, share: f64, sum: &mut [f64]) -> f64 {
        self.add_gradient_with::<Spike>(sample, class, share, sum)
    }

    fn add_gradient_with<A: Activation>(&self, sample: &Sample, class: usize, share: f64, sum: &mut [f64]) -> f64 {
        let run = self.run_with::<A>(sample);
        let (loss, d_logits) = cross_entropy(&run.logits, class);
        // What a decay outside of its range is does not matter.
        let counts = |decay: f64| f64::from(u8::from((0.0..=SLOWEST).contains(&decay)));
        let (mut d_u, mut d_v) = ([0.0; CLASSES], [0.0; HIDDEN]);
        for step in (0..STEPS).rev() {
            let (s, v, u) = (&run.spikes[step], &run.potentials[step], &run.readouts[step]);
            let mut d_s = [0.0; HIDDEN];
            for class in 0..CLASSES {
                d_u[class] = self.gamma(class) * d_u[class] + share * d_logits[class];
                sum[GAMMA + class] += counts(self.parameters[GAMMA + class]) * d_u[class] * u[class];
                for neuron in 0..HIDDEN {
                    sum[O + class * HIDDEN + neuron] += d_u[class] * s[neuron];
                    d_s[neuron] += self.o(class, neuron) * d_u[class];
                }
            }
            for neuron in 0..HIDDEN {
                for channel in (0..CHANNELS).filter(|channel| spikes(sample, step, *channel)) {
                    sum[W + neuron * CHANNELS + channel] += d_v[neuron];
                }
                sum[BETA + neuron] += counts(self.parameters[BETA + neuron]) * d_v[neuron] * v[neuron];
                let slope = A::slope(v[neuron] - 1.0);
                d_v[neuron] = self.beta(neuron) * d_v[neuron] + slope * (d_s[neuron] - d_v[neuron]);
            }
        }
        loss
    }
}

/// The loss, and its derivative by each logit.
fn cross_entropy(logits: &[f64; CLASSES], class: usize) -> (f64, [f64; CLASSES]) {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers = logits.map(|logit| libm::exp(logit - top));
    let log_total = libm::log(powers.iter().sum());
    let (mut loss, mut slope) = (0.0, [0.0; CLASSES]);
    for index in 0..CLASSES {
        let right = f64::from(u8::from(index == class));
        let label = (1.0 - SMOOTHING) * right + SMOOTHING / CLASSES as f64;
        let log_share = logits[index] - top - log_total;
        loss -= label * log_share;
        slope[index] = libm::exp(log_share) - label;
    }
    (loss, slope)
}

#[cfg(test)]
mod tests {
    use rand_pcg::Pcg32;
    use rand_pcg::rand_core::SeedableRng as _;

    use super::*;
    use crate::spyx_quickstart::train;

    /// A spike that is no step, so that the loss has a gradient which differences can find.
    struct Smooth;

    impl Activation for Smooth {
        fn value(x: f64) -> f64 {
            1.0 / (1.0 + libm::exp(-4.0 * x))
        }

        fn slope(x: f64) -> f64 {
            4.0 * Self::value(x) * (1.0 - Self::value(x))
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        const STEP: f64 = 1e-5;
        let mut source = Pcg32::seed_from_u64(3);
        let network = train::untrained(&mut source);
        let (sample, class) = train::sample(&mut source);
        let mut gradient = vec![0.0; PARAMETERS];
        network.add_gradient_with::<Smooth>(&sample, class, 1.0, &mut gradient);
        let loss = |parameter: usize, by: f64| {
            let mut moved = network.clone();
            moved.parameters[parameter] += by;
            moved.add_gradient_with::<Smooth>(&sample, class, 1.0, &mut vec![0.0; PARAMETERS])
        };
        let mut inside = 0;
        for (parameter, slope) in gradient.into_iter().enumerate() {
            let value = network.parameters[parameter];
            let is_decay = (BETA..O).contains(&parameter) || parameter >= GAMMA;
            if is_decay && !(STEP..SLOWEST - STEP).contains(&value) {
                assert_eq!(slope, 0.0, "a decay out of its range has no gradient");
                continue;
            }
            inside += 1;
            let differences = (loss(parameter, STEP) - loss(parameter, -STEP)) / (2.0 * STEP);
            let off = (differences - slope).abs();
            assert!(off < 1e-7 * (1.0 + differences.abs()), "{parameter}: {differences} {slope}");
        }
        assert!(inside > PARAMETERS - HIDDEN / 2, "{inside}");
    }

    /// One neuron by hand: a weight of 0.75 and a decay of 0.5.
    #[test]
    fn spikes_come_from_the_old_potential() {
        let mut network = Network { parameters: vec![0.0; PARAMETERS] };
        network.parameters[W] = 0.75;
        network.parameters[BETA] = 0.5;
        network.parameters[O] = 1.0;
        let mut sample = [0; STEPS];
        sample[..4].fill(1);
        let run = network.run(&sample);
        // V: 0.75, 1.125 (above 1 only now), then 0.5625 + 0.75 − 1 with the spike, 0.15625 + 0.75, halves of it.
        let v: Vec<f64> = run.potentials.iter().take(6).map(|v| v[0]).collect();
        assert_eq!(v, [0.0, 0.75, 1.125, 0.3125, 0.90625, 0.453125]);
        let fired: Vec<usize> = (0..STEPS).filter(|step| run.spikes[*step][0] == 1.0).collect();
        assert_eq!((fired, run.logits), (vec![2], [1.0, 0.0, 0.0]));
    }
}
