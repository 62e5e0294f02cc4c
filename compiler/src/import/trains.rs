//! Spike trains to try number formats on: generated ones, and disturbed copies of real ones.
//!
//! Contract: the same seed gives the same trains on every platform.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

use crate::interpret::SpikeTrain;

/// Rates of generated Poisson trains, in spikes per neuron and step.
const RATES: [f64; 4] = [0.02, 0.05, 0.1, 0.2];

/// One disturbed spike in this many is dropped.
const DROP_ONE_IN: u32 = 20;

/// Every so many disturbed copies, the neurons are rotated too.
const ROTATE_EVERY: usize = 4;

/// Random trains.
pub(crate) struct Trains {
    random: Pcg32,
}

impl Trains {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Pcg32::seed_from_u64(seed) }
    }

    /// A number below `bound`. The bias of at most `bound / 2^32` is no matter here.
    fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.random.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// Sample `index` for inputs of `sizes`: Poisson trains of each rate in turn (even samples), or one spike per
    /// neuron at a uniform step, as latency codes have (odd samples).
    pub(crate) fn generate(&mut self, index: usize, sizes: &[usize], steps: u32) -> Vec<SpikeTrain> {
        let rate = (RATES[index / 2 % RATES.len()] * f64::from(u32::MAX)) as u32;
        let mut train = |size: usize| {
            let mut lists = vec![Vec::new(); steps as usize];
            for neuron in 0..size as u32 {
                if index.is_multiple_of(2) {
                    lists.iter_mut().filter(|_| self.random.next_u32() < rate).for_each(|list| list.push(neuron));
                } else {
                    lists[self.below(steps) as usize].push(neuron);
                }
            }
            SpikeTrain::new(lists)
        };
        sizes.iter().map(|&size| train(size)).collect()
    }

    /// The `copy`-th copy of `sample`: a quarter of the spikes one step earlier, a quarter one later (as far as the run
    /// goes), some dropped; in every fourth copy, the neurons of each input rotated by a random number.
    pub(super) fn jitter(&mut self, copy: usize, sample: &[SpikeTrain], sizes: &[usize]) -> Vec<SpikeTrain> {
        let mut train = |train: &SpikeTrain, size: usize| {
            let rotate = if copy % ROTATE_EVERY == ROTATE_EVERY - 1 { self.below(size as u32) } else { 0 };
            let mut lists = vec![Vec::new(); train.len()];
            for (step, spikes) in train.steps().iter().enumerate() {
                for &spike in spikes {
                    let moved = match self.below(4) {
                        0 => step.saturating_sub(1),
                        1 => (step + 1).min(train.len() - 1),
                        _ => step,
                    };
                    if self.below(DROP_ONE_IN) > 0 {
                        lists[moved].push(((u64::from(spike) + u64::from(rotate)) % size as u64) as u32);
                    }
                }
            }
            SpikeTrain::new(lists)
        };
        sample.iter().zip(sizes).map(|(spikes, &size)| train(spikes, size)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_trains_have_their_rate_or_one_spike_each() {
        let mut trains = Trains::new(3);
        for index in 0..8 {
            let sample = trains.generate(index, &[50, 10], 200);
            assert_eq!(sample.iter().map(SpikeTrain::len).collect::<Vec<_>>(), [200, 200]);
            if index % 2 == 1 {
                assert_eq!(sample[0].counts(50), vec![1; 50], "one spike each");
            } else {
                let expected = RATES[index / 2] * 50.0 * 200.0;
                let deviation = (sample[0].count() as f64 - expected).abs() / expected.sqrt();
                assert!(deviation < 4.0, "{} spikes instead of {expected}", sample[0].count());
            }
        }
    }

    #[test]
    fn copies_are_near_their_original() {
        let mut trains = Trains::new(5);
        let original = trains.generate(4, &[30], 300);
        for copy in 0..8 {
            let jittered = trains.jitter(copy, &original, &[30]);
            let (before, after) = (original[0].count(), jittered[0].count());
            assert!(after < before && after > before * 8 / 10, "{before} spikes became {after}");
            assert_ne!(jittered[0], original[0]);
            let in_bounds = jittered[0].steps().iter().flatten().all(|&neuron| neuron < 30);
            assert!(in_bounds && jittered[0].len() == 300);
        }
        assert_eq!(Trains::new(5).generate(4, &[30], 300), original, "the seed decides");
    }
}
