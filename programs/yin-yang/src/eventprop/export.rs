//! A trained network as files: a description with NumPy arrays, delays included, and a NIR graph.
//!
//! A folder has `network.toml` for `fenn-cc`, the arrays as mlGeNN names them (`best-Conn_Pop0_Pop1-g.npy`, weights `[INPUTS][hidden]`;
//! `-d.npy`, delays in steps, if there are any; `best-Conn_Pop1_Pop2-g.npy`, `[hidden][CLASSES]`), `constants.json`, from which
//! [`Deployed::read`] takes what arrays do not say, and `training.json`, which says how they came about.
//!
//! A NIR graph has a delay per neuron, not per synapse. [`Deployed::to_graph`] gives every synapse its own all the same, with
//! standard nodes: beside each other, `Delay` nodes that delay each input by one of the lengths its synapses have, each with a
//! `Linear` node of the synapses of that length.

use std::path::{Path, PathBuf};

use fenn_compiler::nir::{CubaLi, CubaLif, Edge, Graph, Matrix, Node, Tensor};
use fenn_isa::file::write_whole;
use npyz::{NpyFile, WriterBuilder};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::loss::Loss;
use super::model::{Model, ModelError, Network};
use super::stepped;
use super::train::{Labelled, MOST, encoded};
use crate::dataset::{CLASSES, Split};
use crate::encode::INPUTS;

/// A network with everything needed to run it.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployed {
    /// Its constants.
    pub model: Model,
    /// The loss it was trained with, which says how its potentials are read.
    pub loss: Loss,
    /// Its weights and delays.
    pub network: Network,
}

/// `constants.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Constants {
    model: Model,
    loss: Loss,
    hidden: usize,
}

/// A network that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A form has no such readout.
    #[error("{form} has no way to read a class out of potentials as the loss `{loss:?}` does; use {instead}")]
    Readout {
        /// The form.
        form: &'static str,
        /// The loss.
        loss: Loss,
        /// What there is a way for.
        instead: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Constants without sense.
    #[error("{}: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ModelError,
    },
}

const W_IN: &str = "best-Conn_Pop0_Pop1-g.npy";
const DELAYS: &str = "best-Conn_Pop0_Pop1-d.npy";
const W_OUT: &str = "best-Conn_Pop1_Pop2-g.npy";
const DESCRIPTION: &str = "network.toml";
const CONSTANTS: &str = "constants.json";
const LOG: &str = "training.json";

impl Deployed {
    /// How many of `samples` are classified correctly, step by step in 64-bit floats.
    pub fn correct(&self, samples: &[Labelled]) -> usize {
        let right = |(inputs, class): &&Labelled| self.classify(inputs) == *class;
        samples.par_iter().filter(right).count()
    }

    /// The class of the input spikes at steps `inputs`, step by step in 64-bit floats.
    pub fn classify(&self, inputs: &[u32; INPUTS]) -> usize {
        super::loss::class_of(&stepped::run(&self.network, &self.model, self.loss, inputs).scores)
    }

    /// Writes the folder, and each of its files whole or not at all. `log` is [`Trained::log`](super::Trained::log)'s.
    ///
    /// # Errors
    /// The system's, and [`ExportError::Readout`] for [`Loss::FirstSpike`].
    pub fn write(&self, folder: &Path, log: &str) -> Result<(), ExportError> {
        let description = self.description()?;
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| ExportError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        let hidden = self.network.hidden_len();
        let delays: Vec<i32> = self.network.delays.iter().map(|&delay| self.model.in_steps(delay) as i32).collect();
        let constants = Constants { model: self.model, loss: self.loss, hidden };
        let content = |name: &str| {
            let path = folder.join(name);
            move |error: serde_json::Error| ExportError::Content { path, what: error.to_string() }
        };
        let mut json = serde_json::to_string_pretty(&constants).map_err(content(CONSTANTS))?;
        json.push('\n');
        let transposed: Vec<f64> = transposed(&self.network.w_out, CLASSES, hidden);
        let mut files = vec![
            (W_IN, npy(&[INPUTS, hidden], &self.network.w_in).map_err(io(&folder.join(W_IN)))?),
            (W_OUT, npy(&[hidden, CLASSES], &transposed).map_err(io(&folder.join(W_OUT)))?),
            (CONSTANTS, json.into_bytes()),
            (DESCRIPTION, description.into_bytes()),
            (LOG, log.as_bytes().to_vec()),
        ];
        let path = folder.join(DELAYS);
        if delays.iter().any(|&steps| steps > 0) {
            files.push((DELAYS, npy(&[INPUTS, hidden], &delays).map_err(io(&path))?));
        } else if path.exists() {
            // Of another network: the compiler takes what is there.
            std::fs::remove_file(&path).map_err(io(&path))?;
        }
        for (name, bytes) in files {
            let path = folder.join(name);
            write_whole(&path, &bytes).map_err(io(&path))?;
        }
        Ok(())
    }

    /// The network in a folder that [`Deployed::write`] wrote.
    ///
    /// # Errors
    /// What is missing or wrong, with the file's name.
    pub fn read(folder: &Path) -> Result<Deployed, ExportError> {
        let path = folder.join(CONSTANTS);
        let text = std::fs::read_to_string(&path).map_err(|source| ExportError::Io { path: path.clone(), source })?;
        let Constants { model, loss, hidden } = serde_json::from_str(&text)
            .map_err(|error| ExportError::Content { path: path.clone(), what: error.to_string() })?;
        model.check().map_err(|source| ExportError::Model { path: path.clone(), source })?;
        if !(1..=MOST).contains(&hidden) {
            let what = format!("{hidden} hidden neurons; there have to be 1 to {MOST}");
            return Err(ExportError::Content { path, what });
        }
        let w_in = numbers::<f64>(&folder.join(W_IN), [INPUTS, hidden])?;
        let path = folder.join(DELAYS);
        let delays = if path.exists() { numbers::<i32>(&path, [INPUTS, hidden])? } else { vec![0; INPUTS * hidden] };
        let w_out = numbers::<f64>(&folder.join(W_OUT), [hidden, CLASSES])?;
        let longest = model.in_steps(model.longest_delay) as i32;
        if let Some(delay) = delays.iter().find(|delay| !(0..=longest).contains(*delay)) {
            let what = format!("a delay of {delay} steps; {CONSTANTS} allows 0 to {longest}");
            return Err(ExportError::Content { path: folder.join(DELAYS), what });
        }
        let delays = delays.into_iter().map(|steps| f64::from(steps) * model.dt).collect();
        let network = Network { w_in, delays, w_out: transposed(&w_out, hidden, CLASSES) };
        Ok(Deployed { model, loss, network })
    }

    /// The network as a NIR graph, whose spikes and potentials are those of [`stepped`] with `fenn-cc`'s options
    /// [`Deployed::nir_options`].
    ///
    /// # Errors
    /// [`ExportError::Readout`]: NIR has no readout, and `fenn-cc` reads a mean, or a maximum.
    pub fn to_graph(&self) -> Result<Graph, ExportError> {
        self.nir_readout()?;
        let (model, hidden) = (&self.model, self.network.hidden_len());
        let [alpha, beta] = [model.tau_mem, model.tau_syn].map(|tau| libm::exp(-model.dt / tau));
        // In a step, exponential Euler multiplies an input by 1 − β and a current by 1 − α. The graph's factor makes `g` of it.
        let factor = stepped::gain(model) / ((1.0 - alpha) * (1.0 - beta));
        let (tau_mem, tau_syn) = (model.tau_mem / 1e3, model.tau_syn / 1e3);
        let mut nodes = vec![
            ("input".to_owned(), Node::Input { shape: vec![INPUTS] }),
            (
                "hidden".to_owned(),
                Node::CubaLif(CubaLif {
                    shape: vec![hidden],
                    tau_syn: vec![tau_syn; hidden],
                    tau_mem: vec![tau_mem; hidden],
                    r: vec![1.0; hidden],
                    v_leak: vec![0.0; hidden],
                    v_threshold: vec![model.threshold; hidden],
                    v_reset: vec![0.0; hidden],
                    w_in: vec![factor; hidden],
                }),
            ),
            (
                "fc2".to_owned(),
                Node::Linear { weight: Matrix { rows: CLASSES, cols: hidden, data: self.network.w_out.clone() } },
            ),
            (
                "readout".to_owned(),
                Node::CubaLi(CubaLi {
                    shape: vec![CLASSES],
                    tau_syn: vec![tau_syn; CLASSES],
                    tau_mem: vec![tau_mem; CLASSES],
                    r: vec![1.0; CLASSES],
                    v_leak: vec![0.0; CLASSES],
                    w_in: vec![factor; CLASSES],
                }),
            ),
            ("output".to_owned(), Node::Output { shape: vec![CLASSES] }),
        ];
        let edge = |from: &str, to: &str| Edge { from: from.to_owned(), to: to.to_owned() };
        let mut edges = Vec::new();
        for (index, (steps, weight)) in self.branches().into_iter().enumerate() {
            let (delay, linear) = (format!("delay{index}"), format!("fc1_{index}"));
            nodes.push((linear.clone(), Node::Linear { weight }));
            if steps == [0; INPUTS] {
                edges.push(edge("input", &linear));
            } else {
                let data = steps.iter().map(|&steps| f64::from(steps) * model.dt / 1e3).collect();
                nodes.push((delay.clone(), Node::Delay { delay: Tensor { shape: vec![INPUTS], data } }));
                edges.extend([edge("input", &delay), edge(&delay, &linear)]);
            }
            edges.push(edge(&linear, "hidden"));
        }
        edges.extend([edge("hidden", "fc2"), edge("fc2", "readout"), edge("readout", "output")]);
        Ok(Graph { version: "1.0".to_owned(), nodes: nodes.into_iter().collect(), edges })
    }

    /// The options of `fenn-cc` that a graph of [`Deployed::to_graph`] needs. A feed-forward edge of a graph acts within its step,
    /// so that the last step has nothing to do there.
    ///
    /// # Errors
    /// As for [`Deployed::to_graph`].
    pub fn nir_options(&self) -> Result<String, ExportError> {
        let (dt, steps, readout) = (self.model.dt / 1e3, self.model.steps() - 1, self.nir_readout()?);
        Ok(format!("--dt {dt} --steps {steps} --method exponential-euler --readout {readout}"))
    }

    fn nir_readout(&self) -> Result<&'static str, ExportError> {
        match self.loss {
            Loss::Average | Loss::TimeSoftmax | Loss::MeanSquare => Ok("mean"),
            Loss::Max => Ok("max"),
            Loss::Weighted | Loss::FirstSpike => {
                let instead = "another loss, or, for `Weighted`, the folder with a description";
                Err(ExportError::Readout { form: "NIR", loss: self.loss, instead })
            }
        }
    }

    /// The synapses in groups of which each has one delay per input: these, in steps, and the weights.
    fn branches(&self) -> Vec<([u32; INPUTS], Matrix)> {
        let hidden = self.network.hidden_len();
        let delays: Vec<u32> = self.network.delays.iter().map(|&delay| self.model.in_steps(delay)).collect();
        let lengths: [Vec<u32>; INPUTS] = std::array::from_fn(|input| {
            let mut lengths = delays[input * hidden..][..hidden].to_vec();
            lengths.sort_unstable();
            lengths.dedup();
            lengths
        });
        let groups = lengths.iter().map(Vec::len).max().unwrap_or(0);
        let group = |index: usize| {
            let mut weight = Matrix { rows: hidden, cols: INPUTS, data: vec![0.0; hidden * INPUTS] };
            let steps = std::array::from_fn(|input| {
                let Some(&steps) = lengths[input].get(index) else { return 0 };
                for n in 0..hidden {
                    if delays[input * hidden + n] == steps {
                        weight.data[n * INPUTS + input] = self.network.w_in[input * hidden + n];
                    }
                }
                steps
            });
            (steps, weight)
        };
        (0..groups).map(group).collect()
    }

    /// The text of `network.toml`. Formats have room for what is the largest on the validation split, and a quarter more.
    ///
    /// # Errors
    /// [`ExportError::Readout`] for [`Loss::FirstSpike`].
    pub fn description(&self) -> Result<String, ExportError> {
        let (model, steps) = (&self.model, self.model.steps());
        let Model { tau_mem, tau_syn, threshold, dt, .. } = *model;
        if self.loss == Loss::FirstSpike {
            return Err(ExportError::Readout { form: "network.toml", loss: self.loss, instead: "another loss" });
        }
        let samples: Vec<[u32; INPUTS]> =
            encoded(Split::Validation, model).into_iter().map(|(inputs, _)| inputs).collect();
        let ranges = samples.par_iter().map(|inputs| {
            let run = stepped::run(&self.network, model, self.loss, inputs);
            // The mean itself, as the description has it.
            let factor = self.loss.weight(0.0, model.duration);
            let score = run.scores.iter().fold(0.0_f64, |most, score| most.max(score.abs() / factor));
            [run.largest[0][0], run.largest[0][1], run.largest[1][0], run.largest[1][1], score]
        });
        let [h_current, h_potential, o_current, o_potential, score] =
            ranges.reduce(|| [0.0; 5], |a, b| std::array::from_fn(|index| a[index].max(b[index])));
        let hidden = Formats::new(h_current, h_potential.max(threshold), stepped::gain(model));
        let output = Formats::new(o_current, o_potential, stepped::gain(model));
        let (h, size) = (hidden.integer, self.network.hidden_len());
        let (h_type, o_type) = (hidden.name(), output.name());
        // The mean is multiplied by a power of two that makes use of the format.
        let boost = power_of_two_below(0.8 * output.range() / score).min(power_of_two_below(0.99 * f64::from(steps)));
        let gain = |formats: &Formats| {
            format!("{tau_syn}/({tau_mem}-{tau_syn})*(exp(-dt/{tau_mem})-exp(-dt/{tau_syn}))/{}", formats.current_scale)
        };
        let (score, readout, extra) = match self.loss {
            Loss::Max => (String::new(), "variable = \"V\"\nreadout = \"max\"", String::new()),
            Loss::Weighted => (
                "Weight *= Fall;\nScore += Part * (Weight * V);\n".to_owned(),
                "variable = \"Score\"",
                format!(
                    "Fall = {{ type = \"s0_15_t\", value = \"exp(-1/steps)\" }}\nPart = {{ type = \"s0_15_sat_t\", value = \"{boost}/steps\" }}   # {boost} times the mean: more bits are used\n"
                ),
            ),
            _ => (
                "Score += Part * V;\n".to_owned(),
                "variable = \"Score\"",
                format!(
                    "Part = {{ type = \"s0_15_sat_t\", value = \"{boost}/steps\" }}   # {boost} times the mean: more bits are used\n"
                ),
            ),
        };
        let mut variables = String::new();
        if !score.is_empty() {
            variables.push_str(&format!("Score = {{ type = \"{o_type}\" }}\n"));
        }
        if self.loss == Loss::Weighted {
            // 1, as nearly as there is a code for it.
            variables.push_str("Weight = { type = \"s0_15_t\", initial = { code = 32767 } }   # e^(-t/T)\n");
        }
        let (h_scale, o_scale) = (hidden.current_scale, output.current_scale);
        let (h_gain, o_gain) = (gain(&hidden), gain(&output));
        let (h_frac, loss) = (15 - h, self.loss);
        let delayed = self.network.delays.iter().any(|&delay| model.in_steps(delay) > 0);
        let with = if delayed { "with a delay at every input synapse" } else { "without delays" };
        Ok(format!(
            r#"# The Yin-Yang task, {with}: 5 inputs -> {size} LIF neurons -> 3 leaky integrators,
# trained with EventProp for the loss {loss:?}. Written by `yin-yang train-eventprop`; its numbers are the arrays beside this file.
# Currents are kept {h_scale} (hidden) and {o_scale} (outputs) times as large as they are, to be in the potentials' formats.
name = "yin-yang-eventprop"
time_step_ms = {dt}
steps = {steps}
rounding = "nearest"

# All synapses first, then all neurons: hidden spikes of step t arrive in step t + 1.
schedule = ["in_hid", "hid_out", "hidden", "output"]

[checkpoint]
directory = "."

[[input]]
name = "values"
size = {INPUTS}

[[population]]
name = "hidden"
size = {size}
events = ["Spike"]
equations = '''
V = (Alpha * V) + (Gain * I);
I *= Beta;
if (V > VThresh) {{
    Spike();
    V = 0.0h{h_frac};
}}
'''
[population.variables]
V = {{ type = "{h_type}" }}
I = {{ type = "{h_type}" }}
[population.parameters]
Alpha = {{ type = "s0_15_t", value = "exp(-dt/{tau_mem})" }}
Beta = {{ type = "s0_15_t", value = "exp(-dt/{tau_syn})" }}
Gain = {{ type = "s0_15_t", value = "{h_gain}" }}
VThresh = {{ type = "{h_type}", value = {threshold} }}

[[population]]
name = "output"
size = {CLASSES}
equations = '''
V = (Alpha * V) + (Gain * I);
I *= Beta;
{score}'''
[population.variables]
V = {{ type = "{o_type}" }}
I = {{ type = "{o_type}" }}
{variables}[population.parameters]
Alpha = {{ type = "s0_15_t", value = "exp(-dt/{tau_mem})" }}
Beta = {{ type = "s0_15_t", value = "exp(-dt/{tau_syn})" }}
Gain = {{ type = "s0_15_t", value = "{o_gain}" }}
{extra}
[[projection]]
name = "in_hid"
source = "values"
target = "hidden.I"
checkpoint = "Conn_Pop0_Pop1"
weights = {{ scale = {h_scale} }}

[[projection]]
name = "hid_out"
source = "hidden.Spike"
target = "output.I"
checkpoint = "Conn_Pop1_Pop2"
weights = {{ scale = {o_scale} }}

# The class is the neuron with the greatest of these.
[[output]]
population = "output"
{readout}
"#
        ))
    }
}

/// One format for a population's potentials and currents, which are scaled to fit.
struct Formats {
    /// Bits before the point.
    integer: u32,
    /// A power of two by which currents are multiplied.
    current_scale: f64,
}

impl Formats {
    /// For the largest current and potential there are, and the gain from one to the other, which divided by the current's scale
    /// has to be below 1.
    fn new(current: f64, potential: f64, gain: f64) -> Formats {
        let of = |integer: u32| {
            let formats = Formats { integer, current_scale: 1.0 };
            Formats { current_scale: power_of_two_below(0.8 * formats.range() / current).min(1.0), ..formats }
        };
        let fits = |formats: &Formats| formats.range() > 1.25 * potential && gain < 0.99 * formats.current_scale;
        (0..15).map(of).find(fits).unwrap_or(Formats { integer: 15, current_scale: 1.0 })
    }

    fn range(&self) -> f64 {
        f64::from(1u32 << self.integer)
    }

    fn name(&self) -> String {
        format!("s{}_{}_sat_t", self.integer, 15 - self.integer)
    }
}

/// The greatest power of two not above `value`, of those between 2⁻¹⁴ and 2¹⁴.
fn power_of_two_below(value: f64) -> f64 {
    libm::exp2(libm::floor(libm::log2(value.clamp(6.2e-5, 16_384.0))))
}

fn transposed(numbers: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| numbers[row * columns + column])).collect()
}

fn npy<T: npyz::AutoSerialize + Copy>(shape: &[usize; 2], numbers: &[T]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let shape = shape.map(|length| length as u64);
    let mut array = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
    array.extend(numbers.iter().copied())?;
    array.finish()?;
    Ok(bytes)
}

fn numbers<T: npyz::Deserialize>(path: &Path, shape: [usize; 2]) -> Result<Vec<T>, ExportError> {
    let bytes = std::fs::read(path).map_err(|source| ExportError::Io { path: path.to_owned(), source })?;
    let wrong = |what: String| ExportError::Content { path: path.to_owned(), what };
    let file = NpyFile::new(&bytes[..]).map_err(|error| wrong(error.to_string()))?;
    let wanted = shape.map(|length| length as u64);
    if file.shape() != wanted || file.order() != npyz::Order::C {
        return Err(wrong(format!("has shape {:?}, and {wanted:?} in C order is needed", file.shape())));
    }
    file.into_vec().map_err(|error| wrong(error.to_string()))
}
