//! What spikes come to: rates, irregularity, synchrony.
//!
//! Contract: spikes are (step, neuron), sorted by step; all functions are pure.

use super::model::{Model, POPULATIONS, STEP};

/// A neuron counts for the irregularity if it has more spikes than this.
const FEW: usize = 2;
/// Width of the bins that synchrony is measured in, in steps: 3 ms.
const BIN: u32 = 30;

/// What one run came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Activity {
    /// Spikes of each population.
    pub(super) spikes: [u64; POPULATIONS],
    /// Mean rate of each population's neurons, Hz.
    pub(super) rates: [f64; POPULATIONS],
    /// Coefficient of variation of the inter-spike intervals, on average over neurons with at least three spikes. NaN where there
    /// are none.
    pub(super) cv: [f64; POPULATIONS],
    /// Variance over mean of all spikes in bins of 3 ms: 1 if neurons fired by chance.
    pub(super) synchrony: f64,
    /// Spikes over synapses: how many of these were crossed.
    pub(super) events: u64,
}

/// What `spikes` in `steps` steps came to. `starts` are where each neuron's synapses begin and end.
pub(super) fn activity(model: &Model, starts: &[u32], spikes: &[(u32, u32)], steps: u32) -> Activity {
    let mut times: Vec<Vec<u32>> = vec![Vec::new(); model.neurons() as usize];
    let mut bins = vec![0.0; steps.div_ceil(BIN) as usize];
    let mut events = 0;
    for (step, neuron) in spikes {
        times[*neuron as usize].push(*step);
        bins[(step / BIN) as usize] += 1.0;
        events += u64::from(starts[*neuron as usize + 1] - starts[*neuron as usize]);
    }
    // The last one is shorter.
    if !steps.is_multiple_of(BIN) {
        bins.pop();
    }
    let seconds = f64::from(steps) * STEP * 1e-3;
    let firsts = model.firsts();
    let of = |index: usize| &times[firsts[index] as usize..firsts[index + 1] as usize];
    let count = |index: usize| of(index).iter().map(|times| times.len() as u64).sum::<u64>();
    let spikes = std::array::from_fn(count);
    let rates = std::array::from_fn(|index| spikes[index] as f64 / f64::from(model.sizes[index]) / seconds);
    let cv = std::array::from_fn(|index| {
        let all: Vec<f64> = of(index).iter().filter(|times| times.len() > FEW).map(|times| variation(times)).collect();
        all.iter().sum::<f64>() / all.len() as f64
    });
    let (mean, variance) = moments(&bins);
    Activity { spikes, rates, cv, synchrony: variance / mean, events }
}

/// Standard deviation over mean of the intervals between times, of which there are at least two.
fn variation(times: &[u32]) -> f64 {
    let intervals: Vec<f64> = times.windows(2).map(|pair| f64::from(pair[1] - pair[0])).collect();
    let (mean, variance) = moments(&intervals);
    variance.sqrt() / mean
}

/// Mean and variance of all numbers there are.
pub(super) fn moments(numbers: &[f64]) -> (f64, f64) {
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    (mean, numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / numbers.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spikes_are_counted_where_they_belong() {
        let model = Model::new(0.02);
        let starts: Vec<u32> = (0..=model.neurons()).map(|neuron| 3 * neuron).collect();
        let second = model.firsts()[1];
        // Intervals of 100 and 300 steps: mean 200, deviation 100.
        let spikes = [(0, second), (100, second), (100, 0), (400, second)];
        let found = activity(&model, &starts, &spikes, 1000);
        assert_eq!(found.spikes[..2], [1, 3]);
        assert_eq!(found.events, 12);
        assert!((found.rates[1] - 3.0 / f64::from(model.sizes[1]) / 0.1).abs() < 1e-12);
        assert_eq!(found.cv[1], 0.5);
        assert!(found.cv[0].is_nan());
        // 33 bins: one spike, two, and one; mean 4/33.
        let mean = 4.0 / 33.0;
        assert!((found.synchrony - (6.0 / 33.0 - mean * mean) / mean).abs() < 1e-12);
    }
}
