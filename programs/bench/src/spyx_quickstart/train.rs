//! Samples of the Spyx quick start, and training on them.
//!
//! Contract: as in the quick start of Spyx. A sample of class `c` has spikes with probability 0.5 in channel `c` and 0.05 in the
//! others, in each of 16 steps. An epoch is eight batches of 32 samples, the same eight every time, each a step of Adam (rate
//! 0.002, decays 0.9 and 0.999). Everything comes from one generator, in one order, with functions that are the same on every
//! platform, so that a seed gives the same network everywhere.

use fenn_testbench::random::below;
use rand_pcg::Pcg32;
use rand_pcg::rand_core::SeedableRng as _;

use super::network::{CHANNELS, CLASSES, Network, PARAMETERS, STEPS, Sample};

/// Passes over the training samples.
pub const EPOCHS: usize = 15;
const BATCHES: usize = 8;
const BATCH: usize = 32;
const RATE: f64 = 2e-3;
const DECAYS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;
/// A normal distribution cut at two standard deviations has this one.
const CUT: f64 = 0.879_625_661_034_239_8;

/// From 0 to below 1.
fn uniform(source: &mut Pcg32) -> f64 {
    f64::from(below(source, 1 << 24)) / f64::from(1 << 24)
}

/// Standard normal, cut at two standard deviations.
fn normal(source: &mut Pcg32) -> f64 {
    loop {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - uniform(source)));
        let number = radius * libm::cos(std::f64::consts::TAU * uniform(source));
        if number.abs() <= 2.0 {
            return number;
        }
    }
}

/// A sample and its class.
pub fn sample(source: &mut Pcg32) -> (Sample, usize) {
    let class = below(source, CLASSES as u32) as usize;
    let mut sample = [0; STEPS];
    for channels in &mut sample {
        for channel in 0..CHANNELS {
            let probability = if channel == class { 0.5 } else { 0.05 };
            *channels |= u8::from(uniform(source) < probability) << channel;
        }
    }
    (sample, class)
}

/// So many samples of a seed.
pub fn samples(seed: u64, count: usize) -> Vec<(Sample, usize)> {
    let mut source = Pcg32::seed_from_u64(seed);
    (0..count).map(|_| sample(&mut source)).collect()
}

/// A network as Spyx begins with: weights of variance 1 by the number of sources, decays of 0.25 ± 0.5 (what is beyond
/// 0 and 1 counts as these), and 0.8 for the readout.
pub fn untrained(source: &mut Pcg32) -> Network {
    let mut network = Network { parameters: vec![0.0; PARAMETERS] };
    network.set_weights(|| normal(source) / CUT);
    network.set_decays(|| 0.25 + 0.5 * normal(source), 0.8);
    network
}

/// A training, epoch by epoch.
#[derive(Debug)]
pub struct Training {
    /// As it is now.
    pub network: Network,
    /// What it is trained on.
    pub samples: Vec<(Sample, usize)>,
    /// Adam's means of the gradient and of its square.
    means: [Vec<f64>; 2],
    /// Steps made.
    steps: i32,
}

impl Training {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        let mut source = Pcg32::seed_from_u64(seed);
        let network = untrained(&mut source);
        let samples = (0..BATCHES * BATCH).map(|_| sample(&mut source)).collect();
        Self { network, samples, means: [vec![0.0; PARAMETERS], vec![0.0; PARAMETERS]], steps: 0 }
    }

    /// An epoch; gives the mean loss.
    pub fn epoch(&mut self) -> f64 {
        let mut loss = 0.0;
        for batch in self.samples.chunks(BATCH) {
            let mut gradient = vec![0.0; PARAMETERS];
            for (sample, class) in batch {
                loss += self.network.add_gradient(sample, *class, 1.0 / batch.len() as f64, &mut gradient);
            }
            self.steps += 1;
            let corrections = DECAYS.map(|decay| 1.0 - libm::pow(decay, self.steps.into()));
            let [first, second] = &mut self.means;
            for (index, slope) in gradient.iter().enumerate() {
                first[index] = DECAYS[0] * first[index] + (1.0 - DECAYS[0]) * slope;
                second[index] = DECAYS[1] * second[index] + (1.0 - DECAYS[1]) * slope * slope;
                let size = libm::sqrt(second[index] / corrections[1]) + EPSILON;
                self.network.parameters[index] -= RATE * first[index] / corrections[0] / size;
            }
        }
        loss / self.samples.len() as f64
    }
}

/// How many of these are given their class, in percent.
pub fn accuracy(network: &Network, samples: &[(Sample, usize)]) -> f64 {
    let right = samples.iter().filter(|(sample, class)| network.run(sample).class() == *class).count();
    100.0 * right as f64 / samples.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_as_likely_as_they_should_be() {
        let samples = samples(5, 2000);
        let share = |of_class: bool| {
            let mut counts = [0.0, 0.0];
            for (sample, class) in &samples {
                for channel in (0..CHANNELS).filter(|channel| (channel == class) == of_class) {
                    counts[0] += sample.iter().filter(|step| **step >> channel & 1 == 1).count() as f64;
                    counts[1] += STEPS as f64;
                }
            }
            counts[0] / counts[1]
        };
        // Four standard deviations of as many draws: 32,000 and 224,000.
        assert!((share(true) - 0.5).abs() < 0.011 && (share(false) - 0.05).abs() < 0.002);
        let of = |class| samples.iter().filter(|(_, of)| *of == class).count();
        assert!((0..CLASSES).all(|class| of(class).abs_diff(667) < 85));
    }

    #[test]
    fn normal_numbers_are_cut() {
        let mut source = Pcg32::seed_from_u64(1);
        let numbers: Vec<f64> = (0..20_000).map(|_| normal(&mut source)).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let deviation = libm::sqrt(numbers.iter().map(|n| n * n).sum::<f64>() / 20_000.0);
        assert!(mean.abs() < 0.03 && (deviation - CUT).abs() < 0.02, "{mean} {deviation}");
        assert!(numbers.iter().all(|number| number.abs() <= 2.0));
    }
}
