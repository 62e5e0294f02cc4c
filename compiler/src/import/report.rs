//! What an import decided and what it costs, for the user's eyes.

use serde::Serialize;

use super::float::Range;
use super::options::Options;
use super::options::RoundingName;
use super::quantize::{Clipped, Formats, Roundings};

/// What an import decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportReport {
    /// What was asked for.
    pub options: Options,
    /// The populations, in the order in which they are updated.
    pub populations: Vec<PopulationReport>,
    /// The whole network in the formats chosen, against floating point.
    pub validation: Validation,
    /// The same with every operation rounded in one way.
    pub roundings: Vec<RoundingReport>,
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
    /// How its operations round.
    pub roundings: Roundings,
    /// In words, what decided about the formats.
    pub why: String,
    /// What they cannot hold.
    pub clipped: Clipped,
    /// What arrives at the membrane in a step, `gain_mem·I`, in floating point.
    pub current: Range,
    /// The potential before resets, in floating point.
    pub potential: Range,
    /// All pairs of formats tried on all calibration spikes: the one that was taken, then the others, the cheapest first; the population alone, driven by the
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
    /// How many of the population's neurons were tried.
    pub neurons: usize,
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
    /// Spikes per sample (copies included), in floating point.
    pub spikes_float: f64,
    /// The same in fixed point.
    pub spikes_fixed: f64,
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

/// The whole network, all of it rounded in one way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoundingReport {
    /// Which way.
    pub rounding: RoundingName,
    /// Whether every population that spikes is within the gate: spikes within half a percent of floating point (or within half a
    /// spike per sample), counts per neuron and sample correlated by 0.995 or more; and whether the potentials of the others
    /// deviate by no more than two percent.
    pub in_gate: bool,
    /// Each population, in order.
    pub populations: Vec<Agreement>,
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

/// Spikes may be as many percent more or fewer.
const GATE_SPIKES_PERCENT: f64 = 0.5;

/// Or as many per sample.
const GATE_SPIKES: f64 = 0.5;

/// Counts per neuron and sample are to be correlated like this.
const GATE_CORRELATION: f64 = 0.995;

/// Potentials that matter may deviate by as many percent of the largest.
const GATE_DEVIATION_PERCENT: f64 = 2.0;

impl Agreement {
    /// By how many percent there are more spikes in fixed point than in floating point.
    pub fn spikes_percent(&self) -> f64 {
        if self.spikes_float > 0.0 { 100.0 * (self.spikes_fixed / self.spikes_float - 1.0) } else { 0.0 }
    }

    /// Whether the population is within the gate; see [`RoundingReport::in_gate`].
    pub fn in_gate(&self) -> bool {
        let difference = (self.spikes_fixed - self.spikes_float).abs();
        let counts = difference <= GATE_SPIKES || self.spikes_percent().abs() <= GATE_SPIKES_PERCENT;
        let correlated = self.correlation.is_none_or(|r| r >= GATE_CORRELATION);
        counts && correlated && self.deviation_percent.is_none_or(|percent| percent <= GATE_DEVIATION_PERCENT)
    }
}
