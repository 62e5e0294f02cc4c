//! Published classifiers for the Spiking Heidelberg Digits, in float64.
//!
//! In each step of 1 ms, with `α = e^(−1/20)`, `β = e^(−1/5)`:
//!
//! ```text
//! I = I + Σ w            over input spikes of d steps before and hidden spikes of d + 1 steps before, d the synapse's delay
//! V = α V + 5 (1 − β) (1 − α) I
//! I = β I
//! hidden: a spike where V ≥ 1, then V = 0;  output: the class is the neuron with the greatest sum of V over all steps
//! ```
//!
//! With adaptive thresholds ([`Adaptive`]), and no synaptic currents:
//!
//! ```text
//! hidden: V = α V + Σ w,  A = e^(−1/2000) A;  silent for 4 steps after a spike, else one where V ≥ 0.6 + 0.0174 A:
//!         then V = V − 0.6, A = A + 1
//! output: V = α V + Σ w + bias
//! ```
//!
//! Contract: hidden spikes for the published sample are 4,214 without and 5,629 with delays, the figures that an independent
//! evaluation of the published weights gave.

use std::path::Path;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::SeedableRng;

use crate::part::Failure;
use crate::random::below;

/// Steps of a run.
pub const STEPS: usize = 1170;
/// Channels.
pub const INPUTS: usize = 700;
/// Recurrent neurons.
pub const HIDDEN: usize = 256;
/// Classes.
pub const OUTPUTS: usize = 20;

/// Weights, a row per source neuron.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    in_hid: Vec<f64>,
    hid_hid: Vec<f64>,
    hid_out: Vec<f64>,
    /// Steps, of the first two.
    delays: Option<[Vec<usize>; 2]>,
}

/// A network with adaptive thresholds, a row per source neuron.
#[derive(Debug, Clone, PartialEq)]
pub struct Adaptive {
    in_hid: Vec<f64>,
    hid_hid: Vec<f64>,
    hid_out: Vec<f64>,
    bias: Vec<f64>,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Hidden spikes of each step.
    pub hidden: Vec<Vec<u32>>,
    /// Sum of the potential over all steps, of each class.
    pub scores: Vec<f64>,
}

/// The numbers of a file.
fn reals(path: &Path) -> Result<Vec<f64>, Failure> {
    let file = npyz::NpyFile::new(std::io::BufReader::new(std::fs::File::open(path)?))?;
    Ok(file.into_vec::<f32>()?.into_iter().map(f64::from).collect())
}

/// Delays of a file, in whole steps.
///
/// # Errors
/// It cannot be read.
pub fn delays(folder: &Path, connection: &str) -> Result<Vec<usize>, Failure> {
    let path = folder.join(format!("best-Conn_{connection}-d.npy"));
    Ok(reals(&path)?.into_iter().map(|delay| delay.round().max(0.0) as usize).collect())
}

impl Network {
    /// The network without delays, in the folder `lif` of the data.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn without_delays(folder: &Path) -> Result<Self, Failure> {
        Self::read(folder, "108", None)
    }

    /// The network with delays, in the folder `delays` of the data.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn with_delays(folder: &Path) -> Result<Self, Failure> {
        Self::read(folder, "best", Some([delays(folder, "Pop0_Pop1")?, delays(folder, "Pop1_Pop1")?]))
    }

    fn read(folder: &Path, prefix: &str, delays: Option<[Vec<usize>; 2]>) -> Result<Self, Failure> {
        let weights = |connection: &str, count: usize| -> Result<Vec<f64>, Failure> {
            let weights = reals(&folder.join(format!("{prefix}-Conn_{connection}-g.npy")))?;
            if weights.len() == count { Ok(weights) } else { Err(format!("{connection} has other sizes").into()) }
        };
        Ok(Self {
            in_hid: weights("Pop0_Pop1", INPUTS * HIDDEN)?,
            hid_hid: weights("Pop1_Pop1", HIDDEN * HIDDEN)?,
            hid_out: weights("Pop1_Pop2", HIDDEN * OUTPUTS)?,
            delays,
        })
    }

    /// The same network with every weight moved by up to `part` of the largest one of its projection.
    pub fn moved(&self, part: f64, seed: u64) -> Self {
        let mut moved = self.clone();
        shift([&mut moved.in_hid, &mut moved.hid_hid, &mut moved.hid_out], part, seed);
        moved
    }

    /// A run from zero state: `inputs[t]` are the channels that spike in step `t`.
    pub fn run(&self, inputs: &[Vec<u32>]) -> Run {
        let (alpha, beta) = ((-1.0_f64 / 20.0).exp(), (-1.0_f64 / 5.0).exp());
        let gain = 5.0 * (1.0 - beta) * (1.0 - alpha);
        let longest = self.delays.iter().flatten().flatten().copied().max().unwrap_or(0);
        // What arrives in this step, the next one, and so on.
        let mut coming = vec![vec![0.0; HIDDEN]; longest + 1];
        let (mut current, mut potential) = (vec![0.0; HIDDEN], vec![0.0; HIDDEN]);
        let (mut out_current, mut out_potential) = (vec![0.0; OUTPUTS], vec![0.0; OUTPUTS]);
        let mut run = Run { hidden: Vec::new(), scores: vec![0.0; OUTPUTS] };
        for step in 0..STEPS {
            let before = run.hidden.last().cloned().unwrap_or_default();
            let silence = Vec::new();
            let spikes = inputs.get(step).unwrap_or(&silence);
            for (which, (weights, spikes)) in [(&self.in_hid, spikes), (&self.hid_hid, &before)].into_iter().enumerate()
            {
                for synapse in spikes.iter().flat_map(|spike| *spike as usize * HIDDEN..(*spike as usize + 1) * HIDDEN)
                {
                    let delay = self.delays.as_ref().map_or(0, |delays| delays[which][synapse]);
                    coming[delay][synapse % HIDDEN] += weights[synapse];
                }
            }
            let mut fired = Vec::new();
            for (neuron, arrives) in coming[0].iter().enumerate() {
                current[neuron] += arrives;
                potential[neuron] = alpha * potential[neuron] + gain * current[neuron];
                current[neuron] *= beta;
                if potential[neuron] >= 1.0 {
                    potential[neuron] = 0.0;
                    fired.push(neuron as u32);
                }
            }
            coming[0].fill(0.0);
            coming.rotate_left(1);
            for class in 0..OUTPUTS {
                let arrives: f64 = before.iter().map(|spike| self.hid_out[*spike as usize * OUTPUTS + class]).sum();
                out_current[class] += arrives;
                out_potential[class] = alpha * out_potential[class] + gain * out_current[class];
                out_current[class] *= beta;
                run.scores[class] += out_potential[class];
            }
            run.hidden.push(fired);
        }
        run
    }
}

impl Adaptive {
    /// The published network in this folder.
    ///
    /// # Errors
    /// A file is missing, or has other sizes.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let numbers = |name: &str, count: usize| -> Result<Vec<f64>, Failure> {
            let numbers = reals(&folder.join(format!("99-{name}.npy")))?;
            if numbers.len() == count { Ok(numbers) } else { Err(format!("{name} has another size").into()) }
        };
        Ok(Self {
            in_hid: numbers("Conn_Pop0_Pop1-g", INPUTS * HIDDEN)?,
            hid_hid: numbers("Conn_Pop1_Pop1-g", HIDDEN * HIDDEN)?,
            hid_out: numbers("Conn_Pop1_Pop2-g", HIDDEN * OUTPUTS)?,
            bias: numbers("Pop2-Bias", OUTPUTS)?,
        })
    }

    /// The same network with every weight moved by up to `part` of the largest one of its projection.
    pub fn moved(&self, part: f64, seed: u64) -> Self {
        let mut moved = self.clone();
        shift([&mut moved.in_hid, &mut moved.hid_hid, &mut moved.hid_out], part, seed);
        moved
    }

    /// A run on the channels that spike in each step. Of the state only the adaptation, one number per hidden neuron, is taken
    /// over from an earlier run, and left for a later one.
    ///
    /// # Panics
    /// There are not as many adaptations as hidden neurons.
    pub fn run(&self, inputs: &[Vec<u32>], adaptation: &mut [f64]) -> Run {
        let (alpha, rho) = ((-1.0_f64 / 20.0).exp(), (-1.0_f64 / 2000.0).exp());
        let mut potential = [0.0; HIDDEN];
        let mut silent = [0_u32; HIDDEN];
        let mut out_potential = [0.0; OUTPUTS];
        let mut run = Run { hidden: Vec::new(), scores: vec![0.0; OUTPUTS] };
        for step in 0..STEPS {
            let before = run.hidden.last().cloned().unwrap_or_default();
            let spikes = inputs.get(step).map_or(&[][..], Vec::as_slice);
            let arriving = |weights: &[f64], spikes: &[u32], targets: usize, target: usize| -> f64 {
                spikes.iter().map(|spike| weights[*spike as usize * targets + target]).sum()
            };
            let mut fired = Vec::new();
            for neuron in 0..HIDDEN {
                let arrives =
                    arriving(&self.in_hid, spikes, HIDDEN, neuron) + arriving(&self.hid_hid, &before, HIDDEN, neuron);
                potential[neuron] = alpha * potential[neuron] + arrives;
                adaptation[neuron] *= rho;
                if silent[neuron] > 0 {
                    silent[neuron] -= 1;
                } else if potential[neuron] >= 0.6 + 0.0174 * adaptation[neuron] {
                    potential[neuron] -= 0.6;
                    adaptation[neuron] += 1.0;
                    silent[neuron] = 4;
                    fired.push(neuron as u32);
                }
            }
            for (class, potential) in out_potential.iter_mut().enumerate() {
                let arrives = arriving(&self.hid_out, &before, OUTPUTS, class);
                *potential = alpha * *potential + arrives + self.bias[class];
                run.scores[class] += *potential;
            }
            run.hidden.push(fired);
        }
        run
    }
}

/// Moves all weights by up to `part` of the largest one of theirs.
fn shift(projections: [&mut Vec<f64>; 3], part: f64, seed: u64) {
    let mut source = Pcg32::seed_from_u64(seed);
    for weights in projections {
        let largest = weights.iter().map(|weight| weight.abs()).fold(0.0, f64::max);
        let mut shift = || part * largest * (f64::from(below(&mut source, 1 << 20)) / f64::from(1 << 19) - 1.0);
        weights.iter_mut().for_each(|weight| *weight += shift());
    }
}

impl Run {
    /// The neuron with the greatest score.
    pub fn class(&self) -> usize {
        (1..OUTPUTS).fold(0, |best, class| if self.scores[class] > self.scores[best] { class } else { best })
    }

    /// Hidden spikes in all.
    pub fn count(&self) -> usize {
        self.hidden.iter().map(Vec::len).sum()
    }

    /// How often each hidden neuron spiked.
    pub fn counts(&self) -> Vec<f64> {
        let mut counts = vec![0.0; HIDDEN];
        self.hidden.iter().flatten().for_each(|neuron| counts[*neuron as usize] += 1.0);
        counts
    }
}

/// The published sample: for each step, the channels that spike.
///
/// # Errors
/// The file is not what it was.
pub fn sample(path: &Path) -> Result<Vec<Vec<u32>>, Failure> {
    let mut steps = vec![Vec::new(); STEPS];
    for line in std::fs::read_to_string(path)?.lines() {
        let (time, channel) = line.split_once(',').ok_or("a line has no comma")?;
        let step = time.trim().parse::<f64>()? as usize;
        steps.get_mut(step).ok_or("a spike is too late")?.push(channel.trim().parse()?);
    }
    Ok(steps)
}
