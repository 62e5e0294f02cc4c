//! The Vogels–Abbott benchmark as published: two populations, joined at random, and what they do.
//!
//! Contract: a [`Connectivity`] is the recorded one, or comes from a seed. [`Connectivity::description`] is the network for
//! `fenn-cc`; [`Connectivity::spikes`] runs it in the published integers, written here and not by the compiler, in which the
//! recorded spikes come out.

use std::fmt::Write as _;
use std::path::Path;

use npyz::WriterBuilder as _;
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng as _, SeedableRng};

use crate::npz;
use crate::part::Failure;
use crate::random::below;
use crate::vogels_abbott::{Neuron, neuron, saturated};

/// Steps of a run, 1 ms each.
pub const STEPS: usize = 1000;

/// The recorded network's size.
pub const RECORDED: usize = 256;

/// Excitatory and inhibitory.
const NAMES: [&str; 2] = ["E", "I"];

/// Who reaches whom, and how the neurons begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connectivity {
    /// Potentials at the beginning, of excitatory and inhibitory neurons; as many as there are neurons.
    pub initial: [Vec<i16>; 2],
    /// `rows[source][target]`: for each neuron of the source, its targets.
    pub rows: [[Vec<Vec<u32>>; 2]; 2],
    /// The weight of each synapse of an excitatory and an inhibitory neuron, s2.13.
    pub weights: [i16; 2],
}

/// Spikes of both populations: the neurons, for each step.
pub type Spikes = [Vec<Vec<u32>>; 2];

impl Connectivity {
    /// The recorded network.
    ///
    /// # Errors
    /// The file is not what it was.
    pub fn recorded(archive: &Path) -> Result<Self, Failure> {
        let lists = |name: &str| -> Result<Vec<Vec<u32>>, Failure> {
            let (targets, lengths) =
                (numbers(archive, &format!("{name}_ind"))?, numbers(archive, &format!("{name}_len"))?);
            let mut targets = targets.into_iter().map(|target| target as u32);
            Ok(lengths.into_iter().map(|length| targets.by_ref().take(length as usize).collect()).collect())
        };
        let potentials = |name: &str| -> Result<Vec<i16>, Failure> {
            Ok(numbers(archive, name)?.into_iter().map(|code| code as i16).collect())
        };
        let weights = numbers(archive, "weights_exc_inh")?;
        let [excitatory, inhibitory] = weights[..] else { return Err("there are two weights".into()) };
        Ok(Self {
            initial: [potentials("e_v0")?, potentials("i_v0")?],
            rows: [[lists("ee")?, lists("ei")?], [lists("ie")?, lists("ii")?]],
            weights: [excitatory as i16, inhibitory as i16],
        })
    }

    /// A network of so many excitatory neurons, and a quarter of that inhibitory ones, of which each pair is joined with a chance
    /// of a tenth. Weights are smaller the more neurons there are, so that a neuron gets as much.
    pub fn random(excitatory: usize, seed: u64) -> Self {
        let mut source = Pcg32::seed_from_u64(seed);
        let sizes = [excitatory, excitatory / 4];
        let weights = published_weights(excitatory, 0.1);
        let rows = sizes.map(|sources| {
            sizes.map(|targets| {
                let mut row = || (0..targets as u32).filter(|_| below(&mut source, 10) == 0).collect();
                (0..sources).map(|_| row()).collect()
            })
        });
        // Below the threshold of 10.
        let initial = sizes.map(|size| (0..size).map(|_| (source.next_u32() % (10 << 10)) as i16).collect());
        Self { initial, rows, weights }
    }

    /// How many neurons of each population.
    pub fn sizes(&self) -> [usize; 2] {
        [self.initial[0].len(), self.initial[1].len()]
    }

    /// What the neurons do, in the published integers.
    pub fn spikes(&self) -> Spikes {
        let mut neurons = [0, 1].map(|which| -> Vec<Neuron> {
            self.initial[which].iter().map(|v| Neuron { v: *v, ..Neuron::default() }).collect()
        });
        let mut latest = [Vec::new(), Vec::new()];
        let mut spikes: Spikes = Default::default();
        for _ in 0..STEPS {
            for (source, fired) in latest.iter().enumerate() {
                for (rows, targets) in self.rows[source].iter().zip(&mut neurons) {
                    for spike in fired {
                        for synapse in &rows[*spike as usize] {
                            let reached = &mut targets[*synapse as usize];
                            let sum = if source == 0 { &mut reached.exc } else { &mut reached.inh };
                            *sum = saturated(i32::from(*sum) + i32::from(self.weights[source]));
                        }
                    }
                }
            }
            for which in 0..2 {
                let all = neurons[which].iter_mut().zip(0..);
                latest[which] = all.filter_map(|(neuron, index)| neuron.update().then_some(index)).collect();
                spikes[which].push(latest[which].clone());
            }
        }
        spikes
    }

    /// The description for `fenn-cc`, which names files of [`Self::write`] in `folder`.
    pub fn description(&self, folder: &str) -> String {
        let initial = |name: &str| format!("{{ file = \"{folder}/{name}_V.npy\" }}");
        let synapses = |source: usize, target: usize| {
            format!("weights = {{ file = \"{folder}/{}_{}.npy\" }}", NAMES[source], NAMES[target])
        };
        describe(&format!("steps = {STEPS}"), self.sizes(), initial, synapses)
    }

    /// Writes the weights, as whole matrices, and the initial potentials to `folder`.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        std::fs::create_dir_all(folder)?;
        for (source, name) in NAMES.iter().enumerate() {
            array(&folder.join(format!("{name}_V.npy")), &[self.initial[source].len()], &self.initial[source])?;
            for (target, other) in NAMES.iter().enumerate() {
                let size = self.sizes()[target];
                let mut matrix = vec![0; self.sizes()[source] * size];
                for (row, targets) in matrix.chunks_exact_mut(size).zip(&self.rows[source][target]) {
                    targets.iter().for_each(|target| row[*target as usize] = self.weights[source]);
                }
                array(&folder.join(format!("{name}_{other}.npy")), &[self.sizes()[source], size], &matrix)?;
            }
        }
        Ok(())
    }
}

/// The published weights for so many excitatory neurons, s2.13: less the more synapses a neuron has.
pub fn published_weights(excitatory: usize, probability: f64) -> [i16; 2] {
    let neurons = excitatory + excitatory / 4;
    let scale = 4000.0 / neurons as f64 * 0.02 / probability;
    [4e-3, -51e-3].map(|weight: f64| (weight * scale * 8192.0).round() as i16)
}

/// A description that needs no files: pairs are joined, and potentials begin, as the compiler draws them from the seed. A run is
/// `steps` steps, and the next one goes on from there.
pub fn drawn_description(excitatory: usize, probability: f64, steps: usize, seed: u64) -> String {
    let weights = published_weights(excitatory, probability);
    // Below the threshold of 10.
    let initial = |_: &str| "{ distribution = \"uniform\", min = 0, max = 9.999 }".to_owned();
    let synapses = |source: usize, _| {
        format!(
            "connectivity = {{ kind = \"fixed_probability\", probability = {probability} }}\nweights = {{ code = {} }}",
            weights[source]
        )
    };
    let head = format!("steps = {steps}\nstate = \"carried\"  # a run goes on where the last one ended\nseed = {seed}");
    describe(&head, [excitatory, excitatory / 4], initial, synapses)
}

/// A description: its first lines, sizes, what potentials begin with, and what a projection has besides its ends.
fn describe(
    head: &str,
    sizes: [usize; 2],
    initial: impl Fn(&str) -> String,
    synapses: impl Fn(usize, usize) -> String,
) -> String {
    let mut text = format!(
        "name = \"vogels-abbott\"\ntime_step_ms = 1.0\n{head}\n\
         dialect = \"published\"  # products round to nearest and do not saturate, `*=` truncates\n\n\
         # All synapses first, then all neurons: a spike arrives one step later.\n\
         schedule = [\"E_E\", \"E_I\", \"I_E\", \"I_I\", \"E\", \"I\"]\n"
    );
    // Writing to a string cannot fail.
    for (name, size) in NAMES.iter().zip(sizes) {
        let equations = neuron(&format!(", initial = {}", initial(name)));
        let _ = write!(text, "\n[[population]]\nname = \"{name}\"\nsize = {size}\n{equations}");
    }
    for (source, variable) in ["IExc", "IInh"].iter().enumerate() {
        for (target, to) in NAMES.iter().enumerate() {
            let from = NAMES[source];
            let _ = write!(
                text,
                "\n[[projection]]\nname = \"{from}_{to}\"\nsource = \"{from}.Spike\"\n\
                 target = \"{to}.{variable}\"\n{}\n",
                synapses(source, target)
            );
        }
    }
    for name in NAMES {
        let _ = write!(text, "\n[[output]]\npopulation = \"{name}\"\nevent = \"Spike\"\nreadout = \"count\"\n");
    }
    for name in NAMES {
        let _ = write!(text, "\n[[record]]\npopulation = \"{name}\"\nevent = \"Spike\"\n");
    }
    text
}

/// Writes a NumPy array of codes.
///
/// # Errors
/// It cannot be written.
pub fn array(path: &Path, shape: &[usize], codes: &[i16]) -> Result<(), Failure> {
    let shape: Vec<u64> = shape.iter().map(|extent| *extent as u64).collect();
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
    writer.extend(codes.iter().copied())?;
    writer.finish()?;
    Ok(fenn_isa::file::write_whole(path, &bytes)?)
}

/// The recorded spikes, in the order of the steps that [`Connectivity::spikes`] has.
///
/// # Errors
/// The file is not what it was.
pub fn recorded_spikes(archive: &Path) -> Result<Spikes, Failure> {
    let mut spikes: Spikes = Default::default();
    for (population, name) in spikes.iter_mut().zip(["e_spikes", "i_spikes"]) {
        *population = vec![Vec::new(); STEPS];
        let events = numbers(archive, name)?;
        let (times, neurons) = events.split_at(events.len() / 2);
        for (time, neuron) in times.iter().zip(neurons) {
            // Times count from 1.
            population[*time as usize - 1].push(*neuron as u32);
        }
        population.iter_mut().for_each(|neurons| neurons.sort_unstable());
    }
    Ok(spikes)
}

/// The whole numbers of an array in an archive.
fn numbers(archive: &Path, name: &str) -> Result<Vec<i64>, Failure> {
    Ok(npz::numbers(archive, name)?.into_iter().map(|number| number as i64).collect())
}
