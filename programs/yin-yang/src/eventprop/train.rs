//! Training: Adam on EventProp gradients, for weights and delays.
//!
//! The outcome is a function of the [`Recipe`] alone: the same bits for any number of threads, on any platform.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;
use serde::Serialize;

use super::adjoint::{Gradient, accumulate};
use super::forward::{Hidden, Outputs, Readout};
use super::loss::Loss;
use super::model::{Model, ModelError, Network, Tables};
use crate::adam::Adam;
use crate::dataset::{CLASSES, Split};
use crate::encode::INPUTS;

/// Samples whose gradients are summed one after the other; such sums are then added in order.
const CHUNK: usize = 10;

/// The most hidden neurons, and the largest batch.
pub(super) const MOST: usize = 65_536;

/// How delays are trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DelayRecipe {
    /// Adam's step size in the first epoch, in milliseconds.
    pub rate: f64,
    /// From one epoch to the next it is multiplied by this.
    pub rate_decay: f64,
    /// Delays begin uniform between 0 and this, in milliseconds.
    pub initial: f64,
}

/// Everything a training run depends on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recipe {
    /// Seed of the initial numbers and of the order of the samples.
    pub seed: u64,
    /// Number of hidden neurons.
    pub hidden: usize,
    /// The network's constants.
    pub model: Model,
    /// What is to be small.
    pub loss: Loss,
    /// How the delays of the input synapses are trained; without, they are 0.
    pub delays: Option<DelayRecipe>,
    /// Passes over the training split.
    pub epochs: usize,
    /// Samples per update.
    pub batch: usize,
    /// Adam's step size for weights in the first epoch.
    pub rate: f64,
    /// From one epoch to the next it is multiplied by this.
    pub rate_decay: f64,
    /// Initial weights are normal with these means and standard deviations: of the inputs, of the outputs.
    pub initial: [[f64; 2]; 2],
}

/// A recipe that cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum RecipeError {
    /// The network's constants.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A number of something that there is not, or too much of.
    #[error("{name} is {value}, and has to be 1 to {MOST}")]
    Count {
        /// Which one.
        name: &'static str,
        /// What it is.
        value: usize,
    },
    /// A number that is negative or no number.
    #[error("{name} is {value}, and has to be a number not below 0")]
    Negative {
        /// Which one.
        name: &'static str,
        /// What it is.
        value: f64,
    },
}

impl Recipe {
    /// The recipe of the figures: 30 epochs in batches of 50, Adam's step 0.01 for weights, 5 % less in each epoch.
    pub fn new(seed: u64, hidden: usize, model: Model, loss: Loss) -> Recipe {
        Recipe {
            seed,
            hidden,
            model,
            loss,
            delays: None,
            epochs: 30,
            batch: 50,
            rate: 0.01,
            rate_decay: 0.95,
            initial: [[1.8, 1.0], [0.0, 0.3]],
        }
    }

    /// The same with delays that begin at 0 and are trained with steps of 0.1 ms, 13 % less in each epoch.
    pub fn with_delays(self) -> Recipe {
        Recipe { delays: Some(DelayRecipe { rate: 0.1, rate_decay: 0.87, initial: 0.0 }), ..self }
    }

    fn check(&self) -> Result<(), RecipeError> {
        self.model.check()?;
        for (name, value) in [("hidden", self.hidden), ("batch", self.batch)] {
            if !(1..=MOST).contains(&value) {
                return Err(RecipeError::Count { name, value });
            }
        }
        let delays = self.delays.unwrap_or(DelayRecipe { rate: 0.0, rate_decay: 1.0, initial: 0.0 });
        let numbers = [
            ("rate", self.rate),
            ("rate_decay", self.rate_decay),
            ("standard deviation of input weights", self.initial[0][1]),
            ("standard deviation of output weights", self.initial[1][1]),
            ("delay rate", delays.rate),
            ("delay rate_decay", delays.rate_decay),
            ("initial delay", delays.initial),
        ];
        match numbers.into_iter().find(|(_, value)| value.is_nan() || *value < 0.0) {
            Some((name, value)) => Err(RecipeError::Negative { name, value }),
            None => Ok(()),
        }
    }
}

/// What one epoch came to; accuracies are fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: usize,
    /// Mean loss over the training split, during the epoch.
    pub loss: f64,
    /// Accuracy on the training split, during the epoch.
    pub train: f64,
    /// Accuracy on the validation split, after the epoch.
    pub validation: f64,
    /// Accuracy on the test split, after the epoch. Nothing is chosen by it.
    pub test: f64,
    /// Mean number of hidden spikes per sample of the training split, during the epoch.
    pub spikes: f64,
}

/// What training came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The network after the epoch that did best on the validation split (the last such).
    pub network: Network,
    /// That epoch's number; 0 if there was none, and the network is untrained.
    pub chosen: usize,
    /// All epochs.
    pub epochs: Vec<Epoch>,
}

impl Trained {
    /// The recipe and what each epoch came to, as JSON with a line for each epoch.
    pub fn log(&self, recipe: &Recipe) -> String {
        // Numbers and names only: there is nothing that JSON could not hold.
        let json = |value: serde_json::Result<String>| value.expect("numbers and names are JSON");
        let epochs: Vec<String> = self.epochs.iter().map(|epoch| json(serde_json::to_string(epoch))).collect();
        let recipe = json(serde_json::to_string(recipe));
        format!("{{\"recipe\": {recipe},\n\"chosen\": {},\n\"epochs\": [\n{}\n]}}\n", self.chosen, epochs.join(",\n"))
    }
}

/// A sample: steps of the input spikes, and the class.
pub type Labelled = ([u32; INPUTS], usize);

/// The samples of a split on the grid of `model`.
pub fn encoded(split: Split, model: &Model) -> Vec<Labelled> {
    split.samples().iter().map(|sample| (model.spikes(sample), sample.class)).collect()
}

/// The class `network` gives to each of `samples`, in order.
///
/// # Errors
/// The constants make no sense.
pub fn classify(
    network: &Network,
    model: &Model,
    loss: Loss,
    samples: &[[u32; INPUTS]],
) -> Result<Vec<usize>, ModelError> {
    model.check()?;
    let runner = Runner::new(model, loss);
    let delays = runner.delays(network);
    let classes = samples.par_chunks(CHUNK).flat_map_iter(|chunk| {
        let (mut hidden, mut outputs) = (Hidden::default(), Outputs::default());
        let class = |inputs| {
            hidden.run(&runner.tables, network, &delays, inputs);
            // The class of the sample is of no account to the scores.
            runner.readout.run(&runner.tables, network, &hidden, 0, &mut outputs);
            outputs.class()
        };
        chunk.iter().map(class).collect::<Vec<usize>>()
    });
    Ok(classes.collect())
}

/// Everything that a run needs besides network and sample.
pub(crate) struct Runner {
    pub(crate) tables: Tables,
    pub(crate) readout: Readout,
}

impl Runner {
    pub(crate) fn new(model: &Model, loss: Loss) -> Runner {
        let tables = Tables::new(model);
        let readout = Readout::new(&tables, loss);
        Runner { tables, readout }
    }

    /// Delays in steps.
    pub(crate) fn delays(&self, network: &Network) -> Vec<u32> {
        network.delays.iter().map(|&delay| self.tables.model.in_steps(delay)).collect()
    }

    /// The gradient summed over `samples`, in an order that does not depend on the number of threads.
    pub(crate) fn gradient(&self, network: &Network, samples: &[Labelled], batch: &[usize]) -> Gradient {
        let delays = self.delays(network);
        let parts: Vec<Gradient> = batch
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut sum = Gradient::zero(network.hidden_len());
                let (mut hidden, mut outputs) = (Hidden::default(), Outputs::default());
                for &index in chunk {
                    let (inputs, class) = &samples[index];
                    hidden.run(&self.tables, network, &delays, inputs);
                    self.readout.run(&self.tables, network, &hidden, *class, &mut outputs);
                    accumulate(&self.tables, network, &self.readout, &hidden, &outputs, &mut sum);
                    sum.loss += outputs.loss;
                    sum.correct += usize::from(outputs.class() == *class);
                    sum.spikes += hidden.spikes.len();
                }
                sum
            })
            .collect();
        let mut sum = Gradient::zero(network.hidden_len());
        parts.iter().for_each(|part| sum.add(part));
        sum
    }
}

/// Trains a network. `watch` is called after each epoch.
///
/// # Errors
/// The recipe makes no sense.
pub fn train(recipe: &Recipe, mut watch: impl FnMut(&Epoch)) -> Result<Trained, RecipeError> {
    recipe.check()?;
    let model = &recipe.model;
    let mut random = Pcg64Mcg::seed_from_u64(recipe.seed);
    let mut network = initial(recipe, &mut random);
    let runner = Runner::new(model, recipe.loss);
    let samples = encoded(Split::Train, model);
    let [validation, test] = [Split::Validation, Split::Test].map(|split| encoded(split, model));
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let mut adam = [network.w_in.len(), network.delays.len(), network.w_out.len()].map(Adam::new);
    let mut rate = recipe.rate;
    let mut delay_rate = recipe.delays.map(|delays| delays.rate);
    let weights = [f64::NEG_INFINITY, f64::INFINITY];
    let mut trained = Trained { network: network.clone(), chosen: 0, epochs: Vec::new() };
    let mut best = f64::NEG_INFINITY;
    for number in 1..=recipe.epochs {
        order.shuffle(&mut random);
        let (mut loss, mut correct, mut spikes) = (0.0, 0, 0);
        for batch in order.chunks(recipe.batch) {
            let gradient = runner.gradient(&network, &samples, batch);
            let scale = 1.0 / batch.len() as f64;
            adam[0].step(&mut network.w_in, &gradient.w_in, scale, rate, weights);
            adam[2].step(&mut network.w_out, &gradient.w_out, scale, rate, weights);
            if let Some(rate) = delay_rate {
                let delays = [0.0, model.longest_delay];
                adam[1].step(&mut network.delays, &gradient.delays, scale, rate, delays);
            }
            loss += gradient.loss;
            correct += gradient.correct;
            spikes += gradient.spikes;
        }
        rate *= recipe.rate_decay;
        delay_rate = delay_rate.zip(recipe.delays).map(|(rate, delays)| rate * delays.rate_decay);
        let of_training = |sum: f64| sum / samples.len() as f64;
        let [validation, test] = [&validation, &test].map(|split| runner.gradient_free_accuracy(&network, split));
        let epoch = Epoch {
            number,
            loss: of_training(loss),
            train: of_training(correct as f64),
            validation,
            test,
            spikes: of_training(spikes as f64),
        };
        watch(&epoch);
        trained.epochs.push(epoch);
        if epoch.validation >= best {
            (best, trained.chosen) = (epoch.validation, number);
            trained.network.clone_from(&network);
        }
    }
    Ok(trained)
}

impl Runner {
    fn gradient_free_accuracy(&self, network: &Network, samples: &[Labelled]) -> f64 {
        let delays = self.delays(network);
        let right = |chunk: &[Labelled]| {
            let (mut hidden, mut outputs) = (Hidden::default(), Outputs::default());
            let right = |(inputs, class): &&Labelled| {
                hidden.run(&self.tables, network, &delays, inputs);
                self.readout.run(&self.tables, network, &hidden, *class, &mut outputs);
                outputs.class() == *class
            };
            chunk.iter().filter(right).count()
        };
        let right: usize = samples.par_chunks(CHUNK).map(right).sum();
        right as f64 / samples.len() as f64
    }
}

fn initial(recipe: &Recipe, random: &mut Pcg64Mcg) -> Network {
    let [inputs, outputs] = [INPUTS, CLASSES].map(|rows| rows * recipe.hidden);
    let mut weights = |len: usize, [mean, deviation]: [f64; 2]| -> Vec<f64> {
        (0..len).map(|_| mean + deviation * normal(random)).collect()
    };
    let w_in = weights(inputs, recipe.initial[0]);
    let w_out = weights(outputs, recipe.initial[1]);
    let longest = recipe.delays.map_or(0.0, |delays| delays.initial.min(recipe.model.longest_delay));
    let delays = (0..inputs).map(|_| longest * random.random::<f64>()).collect();
    Network { w_in, delays, w_out }
}

/// A number of the standard normal distribution (G. E. P. Box, M. E. Muller, 1958).
fn normal(random: &mut Pcg64Mcg) -> f64 {
    // Not 0, so that it has a logarithm.
    let (radius, angle) = (1.0 - random.random::<f64>(), random.random::<f64>());
    (-2.0 * libm::log(radius)).sqrt() * libm::cos(2.0 * std::f64::consts::PI * angle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(loss: Loss) -> Recipe {
        Recipe { epochs: 2, ..Recipe::new(7, 12, Model::published(0.5), loss).with_delays() }
    }

    /// Two epochs, with one thread, two and three, give the same bits.
    #[test]
    fn training_does_not_depend_on_the_number_of_threads() {
        for loss in [Loss::Weighted, Loss::Max, Loss::FirstSpike] {
            let with = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| train(&short(loss), |_| {})).unwrap()
            };
            let one = with(1);
            assert_eq!(one, with(2), "{loss:?}");
            assert_eq!(one, with(3), "{loss:?}");
            assert!(one.epochs[1].loss < one.epochs[0].loss, "the loss did not fall: {:?}", one.epochs);
        }
    }

    #[test]
    fn delays_stay_in_their_range_and_move_only_if_trained() {
        let mut recipe = short(Loss::Weighted);
        recipe.model.longest_delay = 1.0;
        let delays = train(&recipe, |_| {}).unwrap().network.delays;
        assert!(delays.iter().all(|delay| (0.0..=1.0).contains(delay)), "{delays:?}");
        for end in [0.0, 1.0] {
            assert!(delays.contains(&end), "no delay is clipped to {end}: {delays:?}");
        }
        let fixed = train(&Recipe { delays: None, ..recipe }, |_| {}).unwrap().network.delays;
        assert!(fixed.iter().all(|delay| *delay == 0.0));
    }

    #[test]
    fn recipes_without_sense_are_refused() {
        let good = short(Loss::Average);
        let message = |recipe: Recipe| train(&recipe, |_| panic!("trained all the same")).unwrap_err().to_string();
        assert_eq!(message(Recipe { hidden: 0, ..good.clone() }), "hidden is 0, and has to be 1 to 65536");
        assert_eq!(message(Recipe { batch: 0, ..good.clone() }), "batch is 0, and has to be 1 to 65536");
        assert_eq!(
            message(Recipe { rate: f64::NAN, ..good.clone() }),
            "rate is NaN, and has to be a number not below 0"
        );
        let model = |change: fn(&mut Model)| {
            let mut recipe = good.clone();
            change(&mut recipe.model);
            message(recipe)
        };
        assert_eq!(model(|model| model.dt = 0.0), "dt is 0, and has to be a number above 0");
        assert_eq!(model(|model| model.late = -1.0), "late is -1 ms, and has to be 0 to 500000 ms");
        assert_eq!(model(|model| model.tau_syn = 20.0), "tau_mem and tau_syn are the same, and have to differ");
        assert_eq!(
            model(|model| model.dt = 1e-6),
            "a run of 30000000 steps: it has to have 2 to 1,000,000; choose another dt"
        );
    }
}
