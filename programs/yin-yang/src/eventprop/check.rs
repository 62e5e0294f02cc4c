//! Are the gradients those of the loss? Finite differences of an independent simulation in continuous time say.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;

use super::continuous;
use super::loss::Loss;
use super::model::{Model, ModelError, Network, Times};
use super::train::{Labelled, Runner};
use crate::dataset::{CLASSES, Sample, Split};
use crate::encode::INPUTS;

/// A small network and a few samples on which gradients are checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Constants of the network; the grid of the gradients is `model.dt`.
    pub model: Model,
    /// Number of hidden neurons.
    pub hidden: usize,
    /// The first so many samples of the test split.
    pub samples: usize,
    /// Seed of weights and delays.
    pub seed: u64,
    /// Half the distance between the two points of a difference, for weights and (in milliseconds) delays.
    pub distance: f64,
}

impl Scenario {
    /// Eight neurons and four samples.
    pub fn new(seed: u64, dt: f64) -> Scenario {
        let model = Model { least_slope: 1e-9, ..Model::published(dt) };
        Scenario { model, hidden: 8, samples: 4, seed, distance: 1e-4 }
    }
}

/// How gradient g and differences f agree, over a group of parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// `g·f / (|g| |f|)`
    pub cosine: f64,
    /// `g·f / f·f`
    pub scale: f64,
}

/// What the check of one loss came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// Which loss.
    pub loss: Loss,
    /// Weights of inputs.
    pub w_in: Agreement,
    /// Weights to outputs.
    pub w_out: Agreement,
    /// Delays of inputs.
    pub delays: Agreement,
    /// Number of hidden spikes of all samples.
    pub spikes: usize,
    /// Parameters left out because a spike comes or goes between the two points of the difference.
    pub left_out: usize,
    /// The loss in continuous time, and on the grid; sums over samples.
    pub losses: [f64; 2],
}

/// Checks the gradients of `loss`.
///
/// # Errors
/// The constants make no sense.
pub fn gradient_check(scenario: &Scenario, loss: Loss) -> Result<Checked, ModelError> {
    let model = &scenario.model;
    model.check()?;
    let network = network(scenario);
    let samples: Vec<Sample> = Split::Test.samples().into_iter().take(scenario.samples).collect();
    let runner = Runner::new(model, loss);
    let labelled: Vec<Labelled> = samples.iter().map(|sample| (model.spikes(sample), sample.class)).collect();
    let all: Vec<usize> = (0..labelled.len()).collect();
    let gradient = runner.gradient(&network, &labelled, &all);

    let timed: Vec<(Times, usize)> = samples.iter().map(|sample| (model.times(sample), sample.class)).collect();
    let run = |network: &Network| {
        let runs = timed.iter().map(|(times, class)| continuous::run(model, network, loss, times, *class));
        runs.fold((0.0, Vec::new()), |(loss, mut spikes), run| {
            spikes.extend(run.spikes);
            (loss + run.loss, spikes)
        })
    };
    let (in_continuous_time, spikes) = run(&network);
    let group = |of: fn(&mut Network) -> &mut Vec<f64>, gradient: &[f64]| {
        let difference = |index: usize| {
            let at = |by: f64| {
                let mut moved = network.clone();
                of(&mut moved)[index] += by;
                run(&moved)
            };
            let [up, down] = [at(scenario.distance), at(-scenario.distance)];
            (up.1 == spikes && down.1 == spikes).then(|| (up.0 - down.0) / (2.0 * scenario.distance))
        };
        let differences: Vec<Option<f64>> = (0..gradient.len()).into_par_iter().map(difference).collect();
        let pairs: Vec<(f64, f64)> =
            gradient.iter().zip(&differences).filter_map(|(g, f)| f.map(|f| (*g, f))).collect();
        (agreement(&pairs), gradient.len() - pairs.len())
    };
    let (w_in, a) = group(|network| &mut network.w_in, &gradient.w_in);
    let (w_out, b) = group(|network| &mut network.w_out, &gradient.w_out);
    let (delays, c) = group(|network| &mut network.delays, &gradient.delays);
    let spikes = gradient.spikes;
    Ok(Checked { loss, w_in, w_out, delays, spikes, left_out: a + b + c, losses: [in_continuous_time, gradient.loss] })
}

fn agreement(pairs: &[(f64, f64)]) -> Agreement {
    let (mut gg, mut gf, mut ff) = (0.0, 0.0, 0.0);
    for (g, f) in pairs {
        gg += g * g;
        gf += g * f;
        ff += f * f;
    }
    Agreement { cosine: gf / (gg * ff).sqrt(), scale: gf / ff }
}

/// Weights such that hidden neurons and outputs spike, and are not alike.
pub(super) fn network(scenario: &Scenario) -> Network {
    let mut random = Pcg64Mcg::seed_from_u64(scenario.seed);
    let mut between = |rows: usize, [least, most]: [f64; 2]| -> Vec<f64> {
        (0..rows * scenario.hidden).map(|_| least + (most - least) * random.random::<f64>()).collect()
    };
    Network {
        w_in: between(INPUTS, [1.0, 5.0]),
        delays: between(INPUTS, [0.0, 4.0]),
        w_out: between(CLASSES, [0.5, 2.5]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise first spikes' times would have no derivative, and their check would be of something else.
    #[test]
    fn all_outputs_of_the_scenarios_spike() {
        for seed in 1..=3 {
            for (hidden, samples) in [(5, 3), (8, 4)] {
                let scenario = Scenario { hidden, samples, ..Scenario::new(seed, 0.1) };
                let network = network(&scenario);
                for sample in &Split::Test.samples()[..samples] {
                    let times = scenario.model.times(sample);
                    let run = continuous::run(&scenario.model, &network, Loss::FirstSpike, &times, sample.class);
                    assert_eq!(run.spikes.len(), hidden + CLASSES);
                    assert!(run.spikes[hidden..].iter().all(|spikes| *spikes > 0), "seed {seed}: {:?}", run.spikes);
                }
            }
        }
    }
}
