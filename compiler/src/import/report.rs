//! What an import decided and what it costs, for the user's eyes.

use serde::Serialize;

use super::float::Range;
use super::options::Options;
use super::quantize::{Clipped, Formats};

/// What an import decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportReport {
    /// What was asked for.
    pub options: Options,
    /// The populations, in the order in which they are updated.
    pub populations: Vec<PopulationReport>,
    /// The whole network in the formats chosen, against floating point.
    pub validation: Validation,
    /// What the user should look at.
    pub warnings: Vec<String>,
}

/// What was decided for one population.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PopulationReport {
    /// The node's name.
    pub name: String,
    /// The node's type.
    pub kind: &'static str,
    /// How many neurons.
    pub size: usize,
    /// The formats chosen.
    pub formats: Formats,
    /// What they cannot hold.
    pub clipped: Clipped,
    /// What arrives at the membrane in a step, `gain_mem·I`, in floating point.
    pub current: Range,
    /// The potential before resets, in floating point.
    pub potential: Range,
    /// All pairs of formats tried on all calibration spikes, the best first; the population alone, driven by the
    /// floating-point spikes of the others.
    pub candidates: Vec<Candidate>,
}

/// How a population does in a pair of formats.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// The formats.
    pub formats: Formats,
    /// What decided: the sum of the two means of mismatches, or of deviation in percent and of samples with another
    /// largest readout in percent for neurons that do not spike.
    pub cost: f64,
    /// How it compares.
    pub agreement: Agreement,
}

/// A population in fixed point against floating point, over the calibration spikes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Spikes that only one of the two has, per sample.
    pub mismatches: f64,
    /// The same per disturbed copy of a sample.
    pub mismatches_jittered: f64,
    /// The correlation of spike counts per neuron and sample, where both vary.
    pub correlation: Option<f64>,
    /// For neurons that do not spike: the root mean square deviation of `V`, in percent of the largest |V|.
    pub deviation_percent: Option<f64>,
    /// The share of samples (copies included) whose largest readout belongs to another neuron, in percent.
    pub other_class_percent: f64,
    /// How often `I` met an end of its range.
    pub saturations_current: u64,
    /// How often `V` met an end of its range.
    pub saturations_potential: u64,
}

/// The whole network against floating point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Validation {
    /// Samples tried, disturbed copies not counted.
    pub samples: usize,
    /// Disturbed copies tried.
    pub jittered: usize,
    /// Each population, in order.
    pub populations: Vec<Agreement>,
}
