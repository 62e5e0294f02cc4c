//! The text of `network.toml`: a trained network in the compiler's language of neuron equations.
//!
//! Potentials and currents of a population share a format, for which currents are multiplied by a power of two; the gain from
//! one to the other is divided by it.

use rayon::prelude::*;

use super::export::{Deployed, ExportError};
use super::loss::Loss;
use super::model::Model;
use super::stepped;
use super::train::encoded;
use crate::dataset::{CLASSES, Split};
use crate::encode::INPUTS;

/// What is the largest on the validation split.
struct Largest {
    hidden: [f64; 2],
    output: [f64; 2],
    /// The mean that classes are read from.
    score: f64,
}

/// How the outputs are read: statements, variables, parameters, and the table of the output.
struct Reading {
    statements: String,
    variables: String,
    parameters: String,
    output: &'static str,
}

impl Deployed {
    /// The text of `network.toml`. Formats have room for what is the largest on the validation split, and a quarter more.
    ///
    /// # Errors
    /// [`ExportError::Readout`] for [`Loss::FirstSpike`].
    pub fn description(&self) -> Result<String, ExportError> {
        if self.loss == Loss::FirstSpike {
            return Err(ExportError::Readout { form: "network.toml", loss: self.loss, instead: "another loss" });
        }
        let (model, steps) = (&self.model, self.model.steps());
        let Model { tau_mem, tau_syn, threshold, dt, .. } = *model;
        let largest = self.largest();
        let [h_current, h_potential] = largest.hidden;
        let hidden = Formats::new(h_current, h_potential.max(threshold), stepped::gain(model));
        let [o_current, o_potential] = largest.output;
        let output = Formats::new(o_current, o_potential, stepped::gain(model));
        let reading = self.reading(&output, largest.score);
        let gain = |formats: &Formats| {
            let scale = formats.current_scale;
            format!("{tau_syn}/({tau_mem}-{tau_syn})*(exp(-dt/{tau_mem})-exp(-dt/{tau_syn}))/{scale}")
        };
        let (h_type, o_type) = (hidden.name(), output.name());
        let (h_scale, o_scale) = (hidden.current_scale, output.current_scale);
        let (h_gain, o_gain) = (gain(&hidden), gain(&output));
        let (h_frac, loss, size) = (15 - hidden.integer, self.loss, self.network.hidden_len());
        let delayed = self.network.delays.iter().any(|&delay| model.in_steps(delay) > 0);
        let with = if delayed { "with a delay at every input synapse" } else { "without delays" };
        let Reading { statements, variables, parameters, output } = reading;
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
{statements}'''
[population.variables]
V = {{ type = "{o_type}" }}
I = {{ type = "{o_type}" }}
{variables}[population.parameters]
Alpha = {{ type = "s0_15_t", value = "exp(-dt/{tau_mem})" }}
Beta = {{ type = "s0_15_t", value = "exp(-dt/{tau_syn})" }}
Gain = {{ type = "s0_15_t", value = "{o_gain}" }}
{parameters}
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
{output}
"#
        ))
    }

    fn largest(&self) -> Largest {
        let samples: Vec<[u32; INPUTS]> =
            encoded(Split::Validation, &self.model).into_iter().map(|(inputs, _)| inputs).collect();
        // The mean itself, as the description has it.
        let factor = self.loss.weight(0.0, self.model.duration);
        let of = |inputs: &[u32; INPUTS]| {
            let run = stepped::run(&self.network, &self.model, self.loss, inputs);
            let score = run.scores.iter().fold(0.0_f64, |most, score| most.max(score.abs() / factor));
            Largest { hidden: run.largest[0], output: run.largest[1], score }
        };
        let pairs = |a: [f64; 2], b: [f64; 2]| [a[0].max(b[0]), a[1].max(b[1])];
        let none = || Largest { hidden: [0.0; 2], output: [0.0; 2], score: 0.0 };
        samples.par_iter().map(of).reduce(none, |a, b| Largest {
            hidden: pairs(a.hidden, b.hidden),
            output: pairs(a.output, b.output),
            score: a.score.max(b.score),
        })
    }

    fn reading(&self, format: &Formats, score: f64) -> Reading {
        if self.loss == Loss::Max {
            let (statements, variables, parameters) = (String::new(), String::new(), String::new());
            return Reading { statements, variables, parameters, output: "variable = \"V\"\nreadout = \"max\"" };
        }
        // The mean is multiplied by a power of two that makes use of the format.
        let boost = power_of_two_below(0.8 * format.range() / score);
        let boost = boost.min(power_of_two_below(0.99 * f64::from(self.model.steps())));
        let mut reading = Reading {
            statements: "Score += Part * V;\n".to_owned(),
            variables: format!("Score = {{ type = \"{}\" }}\n", format.name()),
            parameters: format!(
                "Part = {{ type = \"s0_15_sat_t\", value = \"{boost}/steps\" }}   # {boost} times the mean: more bits are used\n"
            ),
            output: "variable = \"Score\"",
        };
        if self.loss == Loss::Weighted {
            reading.statements = "Weight *= Fall;\nScore += Part * (Weight * V);\n".to_owned();
            // 1, as nearly as there is a code for it.
            reading.variables += "Weight = { type = \"s0_15_t\", initial = { code = 32767 } }   # e^(-t/T)\n";
            reading.parameters =
                format!("Fall = {{ type = \"s0_15_t\", value = \"exp(-1/steps)\" }}\n{}", reading.parameters);
        }
        reading
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
