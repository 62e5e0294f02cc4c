//! The network in float64, in the order of the original program: input, two half steps of V, one of U, in mV.

use fenn_compiler::network::Network;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};

use super::{EXCITATORY, NEURONS, Spikes, reals};
use crate::program::Failure;

/// Parameters of all neurons, excitatory ones first, and `weights[source][target]` in mV.
pub(super) struct Reference {
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
    d: Vec<f64>,
    noise: Vec<f64>,
    weights: Vec<Vec<f64>>,
}

impl Reference {
    /// With the random numbers of a described network, which has its potentials in units of 16 mV.
    pub(super) fn new(network: &Network) -> Result<Self, Failure> {
        let r = |population: usize, size: usize| -> Result<Vec<f64>, Failure> {
            let population = network.populations.get(population).ok_or("the network has two populations")?;
            let index = population.kernel.parameters.iter().position(|parameter| parameter.name == "R");
            let index = index.ok_or("its neurons have no parameter R")?;
            Ok(reals(&population.parameters[index], size, 1.0 / 32_768.0))
        };
        let (excitatory, inhibitory) = (r(0, EXCITATORY)?, r(1, NEURONS - EXCITATORY)?);
        let all = |of_e: fn(f64) -> f64, of_i: fn(f64) -> f64| -> Vec<f64> {
            excitatory.iter().map(|r| of_e(*r)).chain(inhibitory.iter().map(|r| of_i(*r))).collect()
        };
        let mut weights = vec![vec![0.0; NEURONS]; NEURONS];
        for (index, projection) in network.projections.iter().enumerate() {
            let (from, to) = (EXCITATORY * (index / 2), EXCITATORY * projection.target);
            let sizes = [EXCITATORY, NEURONS - EXCITATORY];
            for neuron in 0..sizes[index / 2] {
                projection.weights.row(neuron as u32, sizes[projection.target] as u32, |synapse| {
                    weights[from + neuron][to + synapse.target as usize] += 16.0 * f64::from(synapse.weight) / 4096.0;
                });
            }
        }
        Ok(Self {
            a: all(|_| 0.02, |r| 0.02 + 0.08 * r),
            b: all(|_| 0.2, |r| 0.25 - 0.05 * r),
            c: all(|r| -65.0 + 15.0 * r * r, |_| -65.0),
            d: all(|r| 8.0 - 6.0 * r * r, |_| 2.0),
            noise: all(|_| 5.0, |_| 2.0),
            weights,
        })
    }

    /// Spikes of so many steps of 1 ms, no potential ever being above `most` mV.
    pub(super) fn run(&self, steps: usize, most: f64, seed: u64) -> Spikes {
        let mut source = Pcg64::seed_from_u64(seed);
        let mut unit = || ((source.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        // Box and Muller's method.
        let mut normal = move || (-2.0 * f64::ln(unit())).sqrt() * (std::f64::consts::TAU * unit()).cos();
        let mut v = vec![-65.0; NEURONS];
        let mut u: Vec<f64> = self.b.iter().map(|b| -65.0 * b).collect();
        let mut fired: Vec<u32> = Vec::new();
        let mut spikes = Vec::new();
        for _ in 0..steps {
            let mut input: Vec<f64> = self.noise.iter().map(|deviation| deviation * normal()).collect();
            for neuron in &fired {
                input.iter_mut().zip(&self.weights[*neuron as usize]).for_each(|(sum, weight)| *sum += weight);
            }
            fired.clear();
            for neuron in 0..NEURONS {
                let (v, u) = (&mut v[neuron], &mut u[neuron]);
                for _ in 0..2 {
                    *v = (*v + 0.5 * (0.04 * *v * *v + 5.0 * *v + 140.0 - *u + input[neuron])).min(most);
                }
                *u += self.a[neuron] * (self.b[neuron] * *v - *u);
                if *v >= 30.0 {
                    fired.push(neuron as u32);
                    *v = self.c[neuron];
                    *u += self.d[neuron];
                }
            }
            spikes.push(fired.clone());
        }
        spikes
    }
}
