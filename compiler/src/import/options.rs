//! What a NIR file leaves open, and the user has to say.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use fenn_isa::fixed::Format;
use serde::{Serialize, Serializer};

use crate::interpret::SpikeTrain;
use crate::kernel::Rounding;
use crate::network::Readout;

/// How the neurons' differential equations become steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A factor `1 − dt/τ` per step; inputs count `dt/τ`.
    #[default]
    ForwardEuler,
    /// A factor `e^(−dt/τ)` per step; inputs count 1 minus that.
    ExponentialEuler,
}

/// What a spike does to the membrane potential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// `V = v_reset`, as NIR defines it; `v_reset` is 0 where the file has none.
    #[default]
    Value,
    /// `V = V − v_threshold`; `v_reset` is ignored.
    Subtract,
    /// As snnTorch does for `reset_mechanism="subtract"`: with `old = V > v_threshold` before the update, the
    /// threshold is subtracted where `old` holds, a spike is emitted where the result is above the threshold, and it
    /// is subtracted (or given back) for the difference of the two. Hence a neuron whose potential is still above the
    /// threshold after its reset must exceed twice the threshold to spike in the next step.
    Snntorch,
}

/// When a potential is above the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `V > v_threshold`, as NIR defines it. What holds for neurons holds for Threshold nodes.
    #[default]
    Greater,
    /// `V >= v_threshold`.
    GreaterEqual,
}

/// Which potential decides about a spike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum SpikeFrom {
    /// The one after the step's update.
    #[default]
    New,
    /// The one before it, so that spikes come one step later; the reset acts on the updated potential.
    Old,
}

/// What to keep of every step, besides what the outputs need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Nothing.
    #[default]
    None,
    /// The spikes of all populations.
    Spikes,
    /// The spikes and all variables of all populations.
    All,
}

/// A variable of an imported neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Part {
    /// `I`: the synaptic current, with the weights and biases that add to it.
    #[serde(rename = "I")]
    Current,
    /// `V`: the membrane potential, with threshold, reset and leak potentials.
    #[serde(rename = "V")]
    Potential,
}

/// A number format the user insists on, `population.I=sX.Y` or `population.V=sX.Y`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForcedFormat {
    /// The name of the neurons' node; it may contain dots.
    pub population: String,
    /// Which of its variables.
    pub part: Part,
    /// The format.
    pub format: Format,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Current => "I",
            Self::Potential => "V",
        })
    }
}

/// `population.I=choice` or `population.V=choice`.
fn split(text: &str) -> Option<(String, Part, &str)> {
    let (place, choice) = text.rsplit_once('=')?;
    let (population, part) = place.rsplit_once('.')?;
    let part = match part {
        "I" => Part::Current,
        "V" => Part::Potential,
        _ => return None,
    };
    (!population.is_empty()).then(|| (population.to_owned(), part, choice))
}

impl fmt::Display for ForcedFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}={}", self.population, self.part, self.format)
    }
}

/// The text is no [`ForcedFormat`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a choice of format; write NODE.I=sX.Y or NODE.V=sX.Y with X + Y = 15, such as lif1.V=s6.9")]
pub struct ForcedFormatError(pub String);

impl FromStr for ForcedFormat {
    type Err = ForcedFormatError;

    fn from_str(text: &str) -> Result<Self, ForcedFormatError> {
        let parse = || {
            let (population, part, format) = split(text)?;
            Some(Self { population, part, format: format.parse().ok()? })
        };
        parse().ok_or_else(|| ForcedFormatError(text.to_owned()))
    }
}

impl Serialize for ForcedFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How results that do not fit their format's steps are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum RoundingName {
    /// To the nearest code, halves up.
    #[default]
    Nearest,
    /// Up with the probability of what is cut off, so that means are kept; draws a random number per operation.
    Stochastic,
    /// What is cut off is lost: always down.
    Zero,
}

impl From<RoundingName> for Rounding {
    fn from(name: RoundingName) -> Self {
        match name {
            RoundingName::Nearest => Self::Nearest,
            RoundingName::Stochastic => Self::Stochastic,
            RoundingName::Zero => Self::Zero,
        }
    }
}

impl From<Rounding> for RoundingName {
    fn from(rounding: Rounding) -> Self {
        match rounding {
            Rounding::Nearest => Self::Nearest,
            Rounding::Stochastic => Self::Stochastic,
            Rounding::Zero => Self::Zero,
        }
    }
}

impl fmt::Display for RoundingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nearest => "nearest",
            Self::Stochastic => "stochastic",
            Self::Zero => "zero",
        })
    }
}

pub(super) fn rounding_name<S: Serializer>(rounding: &Rounding, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&RoundingName::from(*rounding))
}

/// A rounding of one population's operations, `population.I=stochastic` or `population.V=stochastic`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForcedRounding {
    /// The name of the neurons' node; it may contain dots.
    pub population: String,
    /// The decay of `I` and its conversion, or the decay of `V`.
    pub part: Part,
    /// How they round.
    pub rounding: RoundingName,
}

/// The text is no [`ForcedRounding`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a choice of rounding; write NODE.I=ROUNDING or NODE.V=ROUNDING, ROUNDING being nearest, stochastic or zero"
)]
pub struct ForcedRoundingError(pub String);

impl FromStr for ForcedRounding {
    type Err = ForcedRoundingError;

    fn from_str(text: &str) -> Result<Self, ForcedRoundingError> {
        let parse = || {
            let (population, part, rounding) = split(text)?;
            let rounding = RoundingName::from_str(rounding, false).ok()?;
            Some(Self { population, part, rounding })
        };
        parse().ok_or_else(|| ForcedRoundingError(text.to_owned()))
    }
}

impl fmt::Display for ForcedRounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}={}", self.population, self.part, self.rounding)
    }
}

impl Serialize for ForcedRounding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// On which spikes number formats are tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Typical samples: for each, one train per Input node of the graph, in the order of their names.
    #[serde(skip)]
    pub samples: Vec<Vec<SpikeTrain>>,
    /// How many disturbed copies of the samples to try besides (spikes moved by a step, dropped, channels rotated).
    pub jittered: usize,
    /// How many samples to generate where `samples` is empty: Poisson trains of several rates and single spikes.
    pub generated: usize,
    /// Seed of everything random about them.
    pub seed: u64,
    /// How many of a population's weights a format may clip, in percent.
    pub clip_percent: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { samples: Vec::new(), jittered: 24, generated: 16, seed: 1, clip_percent: 1.0 }
    }
}

/// What a NIR file leaves open.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Options {
    /// The network's name.
    pub name: String,
    /// Length of a time step, in the unit of the file's time constants (seconds by convention). NIR files do not state
    /// it, and there is no default.
    pub dt: Option<f64>,
    /// Time steps in one run.
    pub steps: u32,
    /// How differential equations become steps.
    pub method: Method,
    /// What a spike does to the potential.
    pub reset: Reset,
    /// When a potential is above the threshold.
    pub comparison: Comparison,
    /// Which potential decides about a spike.
    pub spike_from: SpikeFrom,
    /// How a run's steps become one number per output neuron; by default [`Readout::Count`] for neurons that spike and
    /// [`Readout::Max`] for those that do not. Others than `Count` read the potential.
    pub readout: Option<Readout>,
    /// What to keep of every step.
    pub record: Record,
    /// Number formats not to be searched for.
    pub formats: Vec<ForcedFormat>,
    /// How the neurons' operations round.
    pub rounding: RoundingName,
    /// Where they round otherwise.
    pub roundings: Vec<ForcedRounding>,
    /// Seed of stochastic rounding.
    pub seed: u64,
    /// On which spikes the others are tried.
    pub calibration: Calibration,
}

impl Options {
    /// A run of `steps` steps; everything else as by default, the time step unknown.
    pub fn new(name: impl Into<String>, steps: u32) -> Self {
        Self {
            name: name.into(),
            dt: None,
            steps,
            method: Method::default(),
            reset: Reset::default(),
            comparison: Comparison::default(),
            spike_from: SpikeFrom::default(),
            readout: None,
            record: Record::default(),
            formats: Vec::new(),
            rounding: RoundingName::default(),
            roundings: Vec::new(),
            seed: 0,
            calibration: Calibration::default(),
        }
    }
}
