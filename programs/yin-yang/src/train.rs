//! Training: Adam on the surrogate gradient of the deployed network.
//!
//! The outcome is a function of the [`Recipe`] alone: the same bits for any number of threads, on any platform (sums are
//! taken in a fixed order, and no function of the platform's mathematics library is called).

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;

use crate::adam::Adam;
use crate::dataset::{CLASSES, Split};
use crate::encode::{INPUTS, Spikes, Timing};
use crate::gradient::{Gradient, accumulate};
use crate::network::{Network, Neuron, Spiking};

/// Samples whose gradients are summed one after the other; such sums are then added in order.
const CHUNK: usize = 10;

/// Everything a training run depends on.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Seed of the initial weights and of the order of the samples.
    pub seed: u64,
    /// Number of hidden neurons.
    pub hidden: usize,
    /// The time axis.
    pub timing: Timing,
    /// Constants of the hidden neurons.
    pub hidden_neuron: Neuron,
    /// Constants of the output neurons.
    pub output_neuron: Neuron,
    /// Passes over the training split.
    pub epochs: usize,
    /// Samples per update.
    pub batch: usize,
    /// Adam's step size in the first epoch; it falls linearly to a fiftieth of it in the last.
    pub rate: f64,
    /// Initial weights are uniform in `mean ± spread`: of the inputs, of the outputs.
    pub initial: [[f64; 2]; 2],
    /// Weights are clipped to `± clip` after each update.
    pub clip: f64,
}

impl Recipe {
    /// The recipe of the shipped network. Its decays are 7/8 and 31/32 and its gains 1 and 1/8, all exact in 16 bits, and
    /// clipped weights keep currents and potentials within a few thresholds.
    pub fn shipped(seed: u64) -> Recipe {
        let neuron = Neuron { tau_syn: 4e-3, tau_mem: 16e-3, r: 4.0, w_in: 8.0 };
        Recipe {
            seed,
            hidden: 128,
            timing: Timing::SHIPPED,
            hidden_neuron: neuron,
            output_neuron: neuron,
            epochs: 150,
            batch: 50,
            rate: 0.004,
            initial: [[0.4, 0.6], [0.0, 0.3]],
            clip: 1.5,
        }
    }
}

/// What one epoch came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: usize,
    /// Mean loss over the training split, during the epoch.
    pub loss: f64,
    /// Fraction of the training split classified correctly, during the epoch.
    pub train: f64,
    /// Fraction of the validation split classified correctly, after the epoch.
    pub validation: f64,
}

/// A labelled, encoded sample.
pub type Labelled = (Spikes, usize);

/// The samples of a split, encoded.
pub fn encoded(split: Split, timing: &Timing) -> Vec<Labelled> {
    split.samples().iter().map(|sample| (timing.spikes(sample), sample.class)).collect()
}

/// How many of `samples` the network classifies correctly.
pub fn correct(network: &Network, timing: &Timing, samples: &[Labelled]) -> usize {
    samples.par_iter().filter(|(spikes, class)| network.classify(timing, spikes) == *class).count()
}

/// The network after the epoch that did best on the validation split (the last such), and that epoch.
///
/// `watch` is called after each epoch.
pub fn train(recipe: &Recipe, mut watch: impl FnMut(&Epoch)) -> (Network, Epoch) {
    let mut random = Pcg64Mcg::seed_from_u64(recipe.seed);
    let mut network = initial(recipe, &mut random);
    let samples = encoded(Split::Train, &recipe.timing);
    let validation = encoded(Split::Validation, &recipe.timing);
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let mut adam = [Adam::new(network.w_in.len()), Adam::new(network.w_out.len())];
    let mut best: Option<(Network, Epoch)> = None;
    for number in 1..=recipe.epochs {
        let progress = (number - 1) as f64 / recipe.epochs.max(2) as f64;
        let rate = recipe.rate * (1.0 - 0.98 * progress);
        order.shuffle(&mut random);
        let mut total = Gradient::zero(network.hidden_len());
        for batch in order.chunks(recipe.batch) {
            let gradient = gradient_of(&network, &recipe.timing, &samples, batch);
            let scale = 1.0 / batch.len() as f64;
            adam[0].step(&mut network.w_in, &gradient.w_in, scale, rate, [-recipe.clip, recipe.clip]);
            adam[1].step(&mut network.w_out, &gradient.w_out, scale, rate, [-recipe.clip, recipe.clip]);
            total.loss += gradient.loss;
            total.correct += gradient.correct;
        }
        let epoch = Epoch {
            number,
            loss: total.loss / samples.len() as f64,
            train: total.correct as f64 / samples.len() as f64,
            validation: correct(&network, &recipe.timing, &validation) as f64 / validation.len() as f64,
        };
        watch(&epoch);
        if best.as_ref().is_none_or(|(_, best)| epoch.validation >= best.validation) {
            best = Some((network.clone(), epoch));
        }
    }
    best.unwrap_or((network, Epoch { number: 0, loss: f64::NAN, train: 0.0, validation: 0.0 }))
}

fn initial(recipe: &Recipe, random: &mut Pcg64Mcg) -> Network {
    let mut weights = |rows: usize, [mean, spread]: [f64; 2]| {
        (0..rows * recipe.hidden).map(|_| mean + spread * (2.0 * random.random::<f64>() - 1.0)).collect()
    };
    Network {
        hidden: recipe.hidden_neuron,
        threshold: 1.0,
        output: recipe.output_neuron,
        w_in: weights(INPUTS, recipe.initial[0]),
        w_out: weights(CLASSES, recipe.initial[1]),
    }
}

/// The gradient summed over a batch, in an order that does not depend on the number of threads.
fn gradient_of(network: &Network, timing: &Timing, samples: &[Labelled], batch: &[usize]) -> Gradient {
    let parts: Vec<Gradient> = batch
        .par_chunks(CHUNK)
        .map(|chunk| {
            let mut sum = Gradient::zero(network.hidden_len());
            for &index in chunk {
                let (spikes, class) = &samples[index];
                accumulate::<Spiking>(network, timing, spikes, *class, &mut sum);
            }
            sum
        })
        .collect();
    let mut sum = Gradient::zero(network.hidden_len());
    parts.iter().for_each(|part| sum.add(part));
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two epochs, with one thread and with two, give the same bits.
    #[test]
    fn training_does_not_depend_on_the_number_of_threads() {
        let recipe = Recipe { epochs: 2, hidden: 16, ..Recipe::shipped(7) };
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut losses = Vec::new();
            let (network, _) = pool.install(|| train(&recipe, |epoch| losses.push(epoch.loss)));
            (network, losses)
        };
        let (one, two) = (with(1), with(2));
        assert_eq!(one, two);
        assert!(one.1[1] < one.1[0], "the loss did not fall: {:?}", one.1);
    }
}
