//! The same column in float64: the model's own equations, written apart from the description that is compiled.
//!
//! Contract: connectivity, weights (as drawn, not rounded), delays and initial potentials are the [`Column`]'s; Poisson input is
//! drawn here, by a generator of its own, so that it has the same statistics and other numbers. Within a step: potentials move by
//! the currents before it, currents decay, what arrives in the step is added, thresholds are looked at; a spike of step `t`
//! with delay `d` is added in step `t + d`.

use super::drawn::{Column, PARTS, Stream};
use super::model::{DELAY_BOUNDS, Propagators, REFRACTORY, THRESHOLD};

/// Runs a column; gives the spikes as (step, neuron).
pub(super) fn run(column: &Column, steps: u32, seed: u64, mut progress: impl FnMut(f64)) -> Vec<(u32, u32)> {
    let model = &column.model;
    let neurons = model.neurons() as usize;
    let Propagators { leak, decay, current, constant } = Propagators::new();
    let unit = model.weight / PARTS;
    let population: Vec<usize> = (0..model.neurons()).map(|neuron| model.population(neuron)).collect();
    let drive: Vec<f64> = population.iter().map(|index| model.drive[*index] * constant).collect();
    let none: Vec<f64> = population.iter().map(|index| (-model.poisson[*index]).exp()).collect();
    let mut potential = column.initial.clone();
    let mut synaptic = vec![0.0f64; neurons];
    let mut silent = vec![0u16; neurons];
    let slots = DELAY_BOUNDS.1 as usize + 1;
    let mut arriving = vec![0.0f64; slots * neurons];
    let mut stream = Stream::new(seed, 1 << 20);
    let mut spikes = Vec::new();
    for step in 0..steps {
        let slot = step as usize % slots;
        let fired_before = spikes.len();
        let due = &mut arriving[slot * neurons..][..neurons];
        for neuron in 0..neurons {
            let v = &mut potential[neuron];
            if silent[neuron] > 0 {
                silent[neuron] -= 1;
            } else {
                *v = *v * leak + synaptic[neuron] * unit * current + drive[neuron];
            }
            let poisson = if stream.unit() < none[neuron] {
                0
            } else {
                at_least_one(&mut stream, model.poisson[population[neuron]], none[neuron])
            };
            synaptic[neuron] = synaptic[neuron] * decay + due[neuron] + PARTS * f64::from(poisson);
            due[neuron] = 0.0;
            if *v >= THRESHOLD {
                (*v, silent[neuron]) = (0.0, REFRACTORY);
                spikes.push((step, neuron as u32));
            }
        }
        for (_, neuron) in &spikes[fired_before..] {
            for synapse in column.row(*neuron as usize) {
                let slot = (step as usize + usize::from(synapse.delay)) % slots;
                arriving[slot * neurons + synapse.target as usize] += f64::from(synapse.weight);
            }
        }
        if step % 200 == 0 {
            progress(f64::from(step) / f64::from(steps));
        }
    }
    spikes
}

/// A Poisson number that is not 0, by inversion.
fn at_least_one(stream: &mut Stream, mean: f64, none: f64) -> u32 {
    let mut left = stream.unit() * (1.0 - none);
    let (mut number, mut chance) = (1, none * mean);
    while left >= chance && number < 50 {
        left -= chance;
        number += 1;
        chance *= mean / f64::from(number);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::super::model::Model;
    use super::*;

    #[test]
    fn poisson_numbers_have_mean_and_variance() {
        let (mut stream, mean) = (Stream::new(1, 2), 0.232f64);
        let none = (-mean).exp();
        let draws: Vec<f64> = (0..1_000_000)
            .map(|_| if stream.unit() < none { 0.0 } else { f64::from(at_least_one(&mut stream, mean, none)) })
            .collect();
        let average = draws.iter().sum::<f64>() / 1e6;
        let variance = draws.iter().map(|draw| (draw - average).powi(2)).sum::<f64>() / 1e6;
        // Five standard errors.
        assert!((average - mean).abs() < 5.0 * (mean / 1e6f64).sqrt(), "{average}");
        assert!((variance / mean - 1.0).abs() < 0.02, "{variance}");
    }

    /// A synapse moves a resting neuron by 0.15 mV at full size, once, after its delay.
    #[test]
    fn a_spike_has_the_published_effect() {
        let mut model = Model::new(1.0);
        (model.drive, model.poisson) = ([0.0; 8], [0.0; 8]);
        let unit = model.weight / PARTS;
        let Propagators { leak, decay, current, .. } = Propagators::new();
        let (mut v, mut i, mut most) = (0.0f64, 10.0f64, 0.0f64);
        for _ in 0..200 {
            v = v * leak + i * unit * current;
            i *= decay;
            most = most.max(v);
        }
        assert!((most - 0.15).abs() < 1e-3, "{most}");
    }
}
