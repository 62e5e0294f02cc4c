//! The published model: its tables, and what they come to at a smaller size.
//!
//! Contract: everything here is parameters and arithmetic on them; nothing is random. Populations are in the order of [`NAMES`], and
//! matrices are `[target][source]`, as published. Sources: Potjans and Diesmann 2014, and the model's public repository (facts:
//! `network_params.py`, `stimulus_params.py`); scaling as there and in van Albada, Helias and Diesmann 2015.

/// How many populations there are.
pub(super) const POPULATIONS: usize = 8;

/// Layer and kind, excitatory or inhibitory.
pub(super) const NAMES: [&str; POPULATIONS] = ["2/3E", "2/3I", "4E", "4I", "5E", "5I", "6E", "6I"];

/// Neurons at full size.
const SIZES: [f64; POPULATIONS] = [20683.0, 5834.0, 21915.0, 5479.0, 4850.0, 1065.0, 14395.0, 2948.0];

/// Poisson inputs of each neuron at full size.
const EXTERNAL: [f64; POPULATIONS] = [1600.0, 1500.0, 2100.0, 1900.0, 2000.0, 1900.0, 2900.0, 2100.0];

/// The chance that two neurons are joined at least once, `[target][source]`.
const PROBABILITIES: [[f64; POPULATIONS]; POPULATIONS] = [
    [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0],
    [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0],
    [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0],
    [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0],
    [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],
    [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0],
    [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
    [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
];

/// Rates of the full model in Hz, as its repository lists them.
pub(super) const PUBLISHED_RATES: [f64; POPULATIONS] = [0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829];

/// The most frequent coefficients of variation of inter-spike intervals in 900 s of the full model, read off the repository's
/// figure.
pub(super) const PUBLISHED_CV: [&str; POPULATIONS] =
    ["0.95", "0.90", "0.90", "0.90", "0.85", "0.80–0.85", "0.95", "0.85"];

/// Membrane potentials to begin with, in mV: mean and standard deviation ("optimised" in the repository).
const INITIAL: [(f64, f64); POPULATIONS] = [
    (-68.28, 5.36),
    (-63.16, 4.57),
    (-63.33, 4.74),
    (-63.45, 4.94),
    (-63.11, 4.94),
    (-61.66, 4.55),
    (-66.72, 5.46),
    (-61.43, 4.48),
];

/// Resting potential and reset, mV.
const REST: f64 = -65.0;
/// Distance of the threshold from rest, mV.
pub(super) const THRESHOLD: f64 = 15.0;
/// Time constants of membrane and synapse, ms.
pub(super) const TAU_MEMBRANE: f64 = 10.0;
/// See [`TAU_MEMBRANE`].
pub(super) const TAU_SYNAPSE: f64 = 0.5;
/// Membrane capacity, pF.
pub(super) const CAPACITY: f64 = 250.0;
/// Time step, ms.
pub(super) const STEP: f64 = 0.1;
/// Steps in which a neuron that has fired is silent: 2 ms.
pub(super) const REFRACTORY: u16 = 20;
/// Excitatory postsynaptic potential, mV.
const PSP: f64 = 0.15;
/// Strength of inhibition over excitation.
const INHIBITION: f64 = -4.0;
/// Rate of each external input, Hz.
const EXTERNAL_RATE: f64 = 8.0;
/// Standard deviation of weights over their mean.
pub(super) const WEIGHT_SPREAD: f64 = 0.1;
/// Delays in ms: mean and standard deviation, of excitatory and inhibitory synapses.
pub(super) const DELAYS: [(f64, f64); 2] = [(1.5, 0.75), (0.75, 0.375)];
/// Bounds of delays in steps, both included; numbers outside are drawn again. The first is the published one, the last leaves
/// out one in ten thousand.
pub(super) const DELAY_BOUNDS: (f64, f64) = (1.0, 43.0);

/// The model at one size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model {
    /// Share of the published size, in neurons and in synapses of each neuron alike.
    pub(super) scale: f64,
    /// Neurons.
    pub(super) sizes: [u32; POPULATIONS],
    /// Synapses, `[target][source]`.
    pub(super) synapses: [[u64; POPULATIONS]; POPULATIONS],
    /// Charge of one mean excitatory synapse, as the current in pA that it begins with.
    pub(super) weight: f64,
    /// What stands for the input of synapses left out, pA.
    pub(super) drive: [f64; POPULATIONS],
    /// Poisson spikes that a neuron gets in a step.
    pub(super) poisson: [f64; POPULATIONS],
    /// Membrane potentials over rest to begin with, mV: mean and standard deviation.
    pub(super) initial: [(f64, f64); POPULATIONS],
}

/// Integration over one step, exact for a current that decays exponentially: `V ← V·leak + I·current + drive·constant`, and
/// `I ← I·decay`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Propagators {
    /// Of the potential.
    pub(super) leak: f64,
    /// Of the current.
    pub(super) decay: f64,
    /// mV of each pA of synaptic current.
    pub(super) current: f64,
    /// mV of each pA of constant current.
    pub(super) constant: f64,
}

impl Propagators {
    /// Of the model's neurons.
    pub(super) fn new() -> Self {
        let (leak, decay) = ((-STEP / TAU_MEMBRANE).exp(), (-STEP / TAU_SYNAPSE).exp());
        let factor = TAU_MEMBRANE * TAU_SYNAPSE / (CAPACITY * (TAU_MEMBRANE - TAU_SYNAPSE));
        let constant = TAU_MEMBRANE / CAPACITY * (1.0 - leak);
        Self { leak, decay, current: factor * (leak - decay), constant }
    }
}

impl Default for Propagators {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether population `index` is inhibitory.
pub(super) fn inhibitory(index: usize) -> bool {
    index % 2 == 1
}

/// The mean weight from `source` to `target` over that of an excitatory synapse.
pub(super) fn strength(target: usize, source: usize) -> f64 {
    match (target, source) {
        (_, source) if inhibitory(source) => INHIBITION,
        // From layer 4 to layer 2/3.
        (0, 2) => 2.0,
        _ => 1.0,
    }
}

/// How many synapses join `sources` with `targets` neurons, both drawn with replacement, such that a pair is joined at least once
/// with `probability`.
fn synapses(probability: f64, sources: f64, targets: f64) -> f64 {
    libm::log1p(-probability) / libm::log1p(-1.0 / (sources * targets))
}

impl Model {
    /// The model with `scale` times the neurons and `scale` times the synapses of each. What is left out is made up for: weights
    /// grow by `1/√scale`, which keeps the variance of the input, and a constant current brings its mean back.
    pub(super) fn new(scale: f64) -> Self {
        let sizes = SIZES.map(|size| (size * scale).round());
        // Synapses of a neuron of the full model.
        let in_degree = |target: usize, source: usize| {
            synapses(PROBABILITIES[target][source], SIZES[source], SIZES[target]) / SIZES[target]
        };
        let count = |target: usize, source: usize| (scale * in_degree(target, source) * sizes[target]).round() as u64;
        let all = |target| std::array::from_fn(|source| count(target, source));
        // A synapse of 1 pA moves the potential by so many mV at most.
        let (m, s) = (TAU_MEMBRANE, TAU_SYNAPSE);
        let (fast, slow) = ((m / s).powf(-m / (m - s)), (m / s).powf(-s / (m - s)));
        let full = PSP / (s * m / (CAPACITY * (s - m)) * (fast - slow));
        let drive = |target: usize| {
            let recurrent: f64 = (0..POPULATIONS)
                .map(|source| strength(target, source) * full * in_degree(target, source) * PUBLISHED_RATES[source])
                .sum();
            let external = full * EXTERNAL[target] * EXTERNAL_RATE;
            1e-3 * TAU_SYNAPSE * (1.0 - scale.sqrt()) * (recurrent + external)
        };
        Self {
            scale,
            sizes: sizes.map(|size| size as u32),
            synapses: std::array::from_fn(all),
            weight: full / scale.sqrt(),
            drive: std::array::from_fn(drive),
            poisson: EXTERNAL.map(|inputs| inputs * scale * EXTERNAL_RATE * STEP * 1e-3),
            initial: INITIAL.map(|(mean, sd)| (mean - REST, sd)),
        }
    }

    /// Neurons of all populations.
    pub(super) fn neurons(&self) -> u32 {
        self.sizes.iter().sum()
    }

    /// The first neuron of each population, and behind the last one.
    pub(super) fn firsts(&self) -> [u32; POPULATIONS + 1] {
        let mut firsts = [0; POPULATIONS + 1];
        for (index, size) in self.sizes.iter().enumerate() {
            firsts[index + 1] = firsts[index] + size;
        }
        firsts
    }

    /// Which population a neuron belongs to.
    pub(super) fn population(&self, neuron: u32) -> usize {
        self.firsts()[1..POPULATIONS].partition_point(|first| *first <= neuron)
    }

    /// Synapses of all projections.
    pub(super) fn total(&self) -> u64 {
        self.synapses.iter().flatten().sum()
    }
}

/// Mean and standard deviation, in steps, of delays as they come out: normal, drawn again outside [`DELAY_BOUNDS`], rounded to whole
/// steps. By summing the areas under the normal density.
pub(super) fn expected_delay((mean, sd): (f64, f64)) -> (f64, f64) {
    let (mean, sd) = (mean / STEP, sd / STEP);
    let below = |x: f64| 0.5 * libm::erfc(-(x - mean) / (sd * std::f64::consts::SQRT_2));
    let (least, most) = DELAY_BOUNDS;
    let (mut weight, mut first, mut second) = (0.0, 0.0, 0.0);
    for step in least as u32..=most as u32 {
        let step = f64::from(step);
        let area = below((step + 0.5).min(most)) - below((step - 0.5).max(least));
        weight += area;
        first += area * step;
        second += area * step * step;
    }
    let mean = first / weight;
    (mean, (second / weight - mean * mean).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Totals of the full model as other implementations have them, and the published current of a synapse, 87.8 pA.
    #[test]
    fn the_full_model_is_the_published_one() {
        let full = Model::new(1.0);
        assert_eq!(full.neurons(), 77_169);
        assert_eq!(full.total(), 298_880_970);
        assert!((full.weight - 87.81).abs() < 0.005, "{}", full.weight);
        assert!(full.drive.iter().all(|drive| *drive == 0.0), "nothing is left out: {:?}", full.drive);
        let degrees = |target: usize| full.synapses[target].iter().sum::<u64>() as f64 / f64::from(full.sizes[target]);
        let expected = [4995.0, 5285.0, 2806.0, 5888.0, 4944.0, 2736.0, 2564.0, 2434.0];
        for (target, expected) in expected.into_iter().enumerate() {
            assert!((degrees(target) - expected).abs() < 1.0, "{}: {}", NAMES[target], degrees(target));
        }
    }

    #[test]
    fn a_tenth_has_a_hundredth_of_the_synapses() {
        let tenth = Model::new(0.1);
        assert_eq!(tenth.neurons(), 7718);
        assert_eq!(tenth.total(), 2_988_960);
        assert_eq!(tenth.firsts()[8], 7718);
        assert_eq!([0, 2067, 2068, 7717].map(|neuron| tenth.population(neuron)), [0, 0, 1, 7]);
    }

    /// Published with the model, to as many digits.
    #[test]
    fn propagators_are_the_published_ones() {
        let Propagators { leak, decay, current, constant } = Propagators::new();
        assert!((leak - 0.990_050).abs() < 5e-7 && (decay - 0.818_731).abs() < 5e-7);
        assert!((current - 3.6067e-4).abs() < 5e-9 && (constant - 3.9801e-4).abs() < 5e-9);
    }

    /// By drawing: a million numbers of a generator and a method of their own.
    #[test]
    fn delays_are_expected_where_they_fall() {
        use rand_pcg::Pcg32;
        use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
        let mut source = Pcg32::seed_from_u64(5);
        for parameters in DELAYS {
            let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
            while count < 1e6 {
                // Twelve uniform numbers are as good as normal for a mean, but for the tails.
                let unit = (0..12).map(|_| f64::from(source.next_u32()) / 4_294_967_296.0).sum::<f64>() - 6.0;
                let delay = (parameters.0 + parameters.1 * unit) / STEP;
                if (DELAY_BOUNDS.0..=DELAY_BOUNDS.1).contains(&delay) {
                    count += 1.0;
                    sum += delay.round();
                    squares += delay.round() * delay.round();
                }
            }
            let (mean, sd) = expected_delay(parameters);
            let found = sum / count;
            assert!((found / mean - 1.0).abs() < 3e-3, "{found} {mean}");
            assert!(((squares / count - found * found).sqrt() / sd - 1.0).abs() < 5e-3);
        }
    }
}
