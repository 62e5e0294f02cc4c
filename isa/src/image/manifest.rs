//! The manifest: what a host has to know of a program in order to feed it and read its results.
//!
//! Contract: it is JSON inside the program image, version [`VERSION`]. A host needs nothing else: neither the network
//! nor the compiler. [`Manifest::check`] proves that everything it names lies inside the machine's memories, so that
//! a host that has checked it can use the addresses as they are.
//!
//! One *run* is `steps` time steps of one sample: the host writes the inputs' spikes, starts the program, waits, and
//! reads outputs and recordings. Where state is carried from run to run, runs must be made in order on one machine.
//!
//! Not here: the encoding of data-set files into spikes, which the host does as [`Encoding`] says.

use serde::{Deserialize, Serialize};

use crate::fixed::Format;
use crate::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};

/// The version of the manifest's form that this crate writes and reads.
pub const VERSION: u32 = 2;

/// What a host has to know of a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// The network's name.
    pub name: String,
    /// The tool that wrote the program, with its version.
    pub generator: String,
    /// Model time of one step in milliseconds, where the network says.
    pub time_step_ms: Option<f64>,
    /// Time steps in one run, at least 1.
    pub steps: u32,
    /// What happens to state between runs.
    pub state: StatePolicy,
    /// The seed of everything random in the program.
    pub seed: Option<u64>,
    /// Where the program can be started.
    pub entry_points: Vec<EntryPoint>,
    /// What the host writes before a run.
    pub inputs: Vec<Input>,
    /// What the host reads after it, as the result.
    pub outputs: Vec<Output>,
    /// What it can read besides.
    pub recordings: Vec<Recording>,
    /// The populations and the number formats of their variables, for reports.
    pub populations: Vec<Population>,
}

/// What happens to the neurons' state between runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatePolicy {
    /// Every run begins in the same state: runs are independent, in any order, on any number of machines.
    Reset,
    /// State is carried over: runs must be made in order on one machine.
    Carried,
}

/// A place where the program can be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryPoint {
    /// `run` for one run.
    pub name: String,
    /// In instruction memory.
    pub address: u32,
}

/// Spikes the host provides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The population's name.
    pub name: String,
    /// How many neurons.
    pub neurons: u32,
    /// How a sample's numbers become spikes.
    pub encoding: Encoding,
    /// Where the spikes of all steps go.
    pub spikes: InputSpikes,
}

/// In which form the host writes an input's spikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputSpikes {
    /// One bit per neuron and step.
    Bits(SpikeArray),
    /// One word per spike.
    List(SpikeList),
}

/// A list of spikes in scalar memory, with one part for each step, one part after the other.
///
/// A part begins with a word that holds the address behind the part, which is where the next one begins. Then follows
/// the word `base + scale·n` (modulo 2³²) for each neuron `n` that spikes in the step, in rising order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeList {
    /// Of the first part, in scalar memory, a multiple of 4.
    pub address: u32,
    /// How long all parts together may be: a multiple of 4, at least one word per step. A sample with more spikes cannot
    /// be run.
    pub bytes: u32,
    /// See above.
    pub base: u32,
    /// See above; at least 1.
    pub scale: u32,
}

/// How a sample becomes spikes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Encoding {
    /// The sample is a list of spikes already.
    Spikes,
    /// One spike per neuron, the earlier the larger its value `p`: in step
    /// `round(tau · ln(p / (p − threshold)))`, halves to even, if `p > threshold` and that step is within the run.
    Latency {
        /// In steps.
        tau: f64,
        /// In units of `p`.
        threshold: f64,
    },
}

/// One bit per neuron and step, in scalar memory.
///
/// Neuron `n` in step `t` is bit `n % 32` of the word at `address + 4·(t·words + n/32)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeArray {
    /// In scalar memory, a multiple of 4.
    pub address: u32,
    /// Words per step: neurons / 32, rounded up.
    pub words: u32,
    /// How many steps are kept.
    pub steps: u32,
}

/// One 16-bit number per neuron, for one or several steps, in vector memory.
///
/// Neuron `n` in step `t` is at `address + t·step_stride + (n/32)·stride + 2·(n % 32)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueArray {
    /// In vector memory, a multiple of 64.
    pub address: u32,
    /// Bytes from one vector of 32 neurons to the next, a multiple of 64.
    pub stride: u32,
    /// How many steps are kept; 1 for the state at the end.
    pub steps: u32,
    /// Bytes from one step to the next, a multiple of 64.
    pub step_stride: u32,
    /// How the numbers are read.
    pub format: Format,
}

/// Where results are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// Spikes.
    Spikes(SpikeArray),
    /// Numbers.
    Values(ValueArray),
}

/// A result: one number per neuron after its readout, the largest being the class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The population's name.
    pub name: String,
    /// How many neurons, which is how many classes.
    pub neurons: u32,
    /// Where.
    pub data: Data,
    /// How the steps kept become one number.
    pub readout: Readout,
}

/// How an output's steps become one number per neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readout {
    /// The value in the last step kept.
    Last,
    /// The mean over the steps kept.
    Mean,
    /// The greatest value in the steps kept.
    Max,
    /// The number of spikes.
    Count,
}

/// Something recorded in every step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The population's name.
    pub population: String,
    /// The event's or the variable's name.
    pub name: String,
    /// How many neurons.
    pub neurons: u32,
    /// Where.
    pub data: Data,
}

/// A population, for reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Its name.
    pub name: String,
    /// How many neurons.
    pub neurons: u32,
    /// Its variables and their formats.
    pub variables: Vec<Variable>,
}

/// A variable, for reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its format.
    pub format: Format,
}

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Another version.
    #[error("the manifest has version {0}, this tool reads version {VERSION}; compile the network again")]
    Version(u32),
    /// An array is not inside its memory.
    #[error("the manifest's `{name}` does not lie inside {space} ({bytes} bytes); compile the network again")]
    Outside {
        /// Of the input, output or recording.
        name: String,
        /// Which memory.
        space: Space,
        /// Its size.
        bytes: u32,
    },
    /// An array's numbers contradict each other.
    #[error("the manifest's `{name}` is inconsistent: {what}; compile the network again")]
    Inconsistent {
        /// Of the input, output or recording.
        name: String,
        /// How.
        what: &'static str,
    },
}

impl Manifest {
    /// Proves that every array lies inside its memory and agrees with itself.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, config: &MachineConfig) -> Result<(), ManifestError> {
        if self.version != VERSION {
            return Err(ManifestError::Version(self.version));
        }
        let wrong = |name: &str, what| ManifestError::Inconsistent { name: name.to_owned(), what };
        if self.steps == 0 {
            return Err(wrong("steps", "a run has at least one step"));
        }
        if self.entry_points.iter().any(|entry| entry.address >= config.instruction_bytes || entry.address % 4 != 0) {
            return Err(wrong("entry_points", "an address is not in instruction memory"));
        }
        for input in &self.inputs {
            match &input.spikes {
                InputSpikes::Bits(array) => {
                    array.check(&input.name, input.neurons, config)?;
                    if array.steps != self.steps {
                        return Err(wrong(&input.name, "an input has one slot per step"));
                    }
                }
                InputSpikes::List(list) => list.check(&input.name, input.neurons, self.steps, config)?,
            }
            if let Encoding::Latency { tau, threshold } = input.encoding
                && !(tau > 0.0 && tau.is_finite() && threshold >= 0.0 && threshold.is_finite())
            {
                return Err(wrong(&input.name, "a latency code has a positive tau and no negative threshold"));
            }
        }
        for output in &self.outputs {
            output.data.check(&output.name, output.neurons, config)?;
            if matches!(output.data, Data::Spikes(_)) != (output.readout == Readout::Count) {
                return Err(wrong(&output.name, "spikes are counted, and nothing else is"));
            }
        }
        self.recordings
            .iter()
            .try_for_each(|recording| recording.data.check(&recording.name, recording.neurons, config))
    }
}

impl Data {
    fn check(&self, name: &str, neurons: u32, config: &MachineConfig) -> Result<(), ManifestError> {
        match self {
            Self::Spikes(array) => array.check(name, neurons, config),
            Self::Values(array) => array.check(name, neurons, config),
        }
    }
}

impl SpikeArray {
    fn check(&self, name: &str, neurons: u32, config: &MachineConfig) -> Result<(), ManifestError> {
        let wrong = |what| Err(ManifestError::Inconsistent { name: name.to_owned(), what });
        if neurons == 0 || self.steps == 0 || self.words != neurons.div_ceil(32) {
            return wrong("there is one word for 32 neurons");
        }
        if !self.address.is_multiple_of(4) {
            return wrong("its address is not a multiple of 4");
        }
        let end = u64::from(self.address) + 4 * u64::from(self.words) * u64::from(self.steps);
        inside(name, Space::Scalar, end, config)
    }
}

impl SpikeList {
    /// How many spikes it can hold in a run of `steps` steps.
    pub fn capacity(&self, steps: u32) -> u32 {
        (self.bytes / 4).saturating_sub(steps)
    }

    fn check(&self, name: &str, neurons: u32, steps: u32, config: &MachineConfig) -> Result<(), ManifestError> {
        let wrong = |what| Err(ManifestError::Inconsistent { name: name.to_owned(), what });
        if neurons == 0 || self.scale == 0 {
            return wrong("it is empty");
        }
        if !self.address.is_multiple_of(4) || !self.bytes.is_multiple_of(4) {
            return wrong("its address or its size is not a multiple of 4");
        }
        if u64::from(self.bytes) < 4 * u64::from(steps) {
            return wrong("a list has at least a word per step");
        }
        inside(name, Space::Scalar, u64::from(self.address) + u64::from(self.bytes), config)
    }
}

impl ValueArray {
    fn check(&self, name: &str, neurons: u32, config: &MachineConfig) -> Result<(), ManifestError> {
        let wrong = |what| Err(ManifestError::Inconsistent { name: name.to_owned(), what });
        if neurons == 0 || self.steps == 0 {
            return wrong("it is empty");
        }
        if [self.address, self.stride, self.step_stride].iter().any(|n| !n.is_multiple_of(VECTOR_BYTES)) {
            return wrong("an address or a stride is not a multiple of 64");
        }
        let blocks = neurons.div_ceil(LANES as u32);
        let last_vector = u64::from(blocks - 1) * u64::from(self.stride);
        let last_step = u64::from(self.steps - 1) * u64::from(self.step_stride);
        // Either the vectors of a step lie between the steps, or the steps of a vector lie between the vectors.
        let apart = |count: u32, stride: u32, inner: u64| count == 1 || u64::from(stride) > inner;
        let steps_outside = apart(self.steps, self.step_stride, last_vector) && apart(blocks, self.stride, 0);
        let vectors_outside = apart(blocks, self.stride, last_step) && apart(self.steps, self.step_stride, 0);
        if !steps_outside && !vectors_outside {
            return wrong("its vectors lie on top of each other");
        }
        inside(name, Space::Vector, u64::from(self.address) + last_step + last_vector + u64::from(VECTOR_BYTES), config)
    }
}

fn inside(name: &str, space: Space, end: u64, config: &MachineConfig) -> Result<(), ManifestError> {
    let bytes = config.bytes(space);
    if end > u64::from(bytes) {
        return Err(ManifestError::Outside { name: name.to_owned(), space, bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors may be interleaved with steps either way, but not share a byte.
    #[test]
    fn arrays_do_not_overlap_themselves() {
        let config = MachineConfig::default();
        let format = Format::UNIT;
        let check = |neurons, steps, stride, step_stride| {
            ValueArray { address: 0, stride, steps, step_stride, format }.check("array", neurons, &config).is_ok()
        };
        assert!(check(32, 1, 0, 0));
        assert!(check(64, 3, 64, 128) && check(64, 3, 192, 64));
        assert!(!check(64, 1, 0, 0) && !check(32, 2, 0, 0));
        assert!(!check(64, 3, 64, 64) && !check(96, 3, 64, 128) && !check(64, 3, 128, 64));
    }
}
