//! The manifest: what a host has to know of a program in order to feed it and read its results.
//!
//! Contract: it is JSON inside the program image, version [`VERSION`]. A host needs nothing else: neither the network
//! nor the compiler. [`Manifest::check`] proves that everything it names lies inside the machine's memories, so that
//! a host that has checked it can use the addresses as they are, and that no name in it can be mistaken for anything
//! else where it is printed or becomes a file's. There is no path in a manifest, and a field that is not documented here is
//! refused.
//!
//! One *run* is `steps` time steps of one sample. One *launch* is what happens between the start of the program and its
//! end: the runs of one or several samples ([`Batch`]), one after the other. The host writes the inputs' spikes, starts
//! the program, waits, and reads outputs and recordings. Where state is carried from run to run, runs must be made in
//! order on one machine. Where the program has a [`Stream`], the host may also write and read while others' runs are made.
//!
//! # Versions
//!
//! A manifest of another version is refused, with a message that says which version it is: a program is compiled again
//! in a second, and a host that guesses what an older or newer compiler meant would be wrong about addresses. Version 1
//! knew neither lists of spikes nor batches, windows and counters; version 2 neither streams nor what a program's parts do
//! ([`Work`]).
//!
//! Not here: the encoding of data-set files into spikes, which the host does as [`Encoding`] says.

use serde::{Deserialize, Serialize};

use crate::fixed::Format;
use crate::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};

mod work;

pub use work::{Counts, Event, Footprint, Lanes, Origin, Projection, Rows, Section, Work};

/// The version of the manifest's form that this crate writes and reads.
pub const VERSION: u32 = 3;

/// The longest name in a manifest, in bytes.
pub const LONGEST_NAME: usize = 1024;

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
    /// How many samples a launch takes.
    pub batch: Batch,
    /// What the host writes before a launch.
    pub inputs: Vec<Input>,
    /// What the host reads after it, as the result.
    pub outputs: Vec<Output>,
    /// What it can read besides.
    pub recordings: Vec<Recording>,
    /// What the program counts about itself, where it does.
    pub counters: Option<Counters>,
    /// The populations and the number formats of their variables, for reports.
    pub populations: Vec<Population>,
    /// What its parts do, for profilers, where it says.
    pub work: Option<Work>,
}

/// What happens to the neurons' state between runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatePolicy {
    /// Every run begins in the same state: runs are independent, in any order, on any number of machines.
    Reset,
    /// State is carried over, but for variables and populations that say otherwise: runs must be made in order on one
    /// machine.
    Carried,
}

/// A place where the program can be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryPoint {
    /// `run` for one launch; `init`, where there is one, for the first.
    pub name: String,
    /// In instruction memory.
    pub address: u32,
}

/// How many samples a launch takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The most samples in one launch, at least 1.
    pub samples: u32,
    /// The word of scalar memory in which the host writes how many samples the launch has, from 1 to
    /// [`Batch::samples`], or, in a program with a [`Stream`], as is said there. Without it there is always one.
    pub count: Option<u32>,
    /// Where the program writes what its runs cost, in scalar memory: two words before the first run and two after each,
    /// the lower halves of `mcycle` and `minstret`. The cost of a run is the difference, modulo 2³². In a program with a
    /// [`Stream`] there are four words for each sample, two from before and two from after its run, so that waiting for the
    /// host is no part of it.
    pub marks: Option<u32>,
    /// How samples are handed over and results taken away while the program runs, where that can be done.
    pub stream: Option<Stream>,
}

/// How a host and a running program hand samples and results to each other: two words of scalar memory, which a host reaches
/// while a program runs, as it does inputs and, in a program with a stream, outputs.
///
/// The places of [`Batch::samples`] samples are a ring: sample `k` of a launch, counted from 0, has place `k % samples`, and
/// a launch may have any number of samples up to 2³² − 2. When `k` samples are done, the program waits until the word
/// [`Batch::count`] is `k`, which ends the launch, or the word `ready` is not `k`; then it runs sample `k`, and writes `k + 1` to
/// `done` when outputs and marks are in their places.
///
/// So a host writes `done = 0`, and to `count` the number of samples, or 2³² − 1 while it does not know; writes a sample's
/// inputs before it counts it in `ready`; and leaves a place alone until it has seen in `done` that its sample is done, and
/// read what it wants of it. A launch of at most [`Batch::samples`] samples that are all there is `count = ready`.
///
/// What the host writes while the program runs (`count`, `ready` and inputs) shares no 64 bytes with what the program writes,
/// so that a host which reaches memory in units of up to so many bytes can write parts of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// The word in which the host writes how many samples it has provided in this launch; a multiple of 4.
    pub ready: u32,
    /// The word in which the program writes how many of them are done; a multiple of 4.
    pub done: u32,
}

/// Units in which a host may write to what a running program reads, without touching what that program writes: see [`Stream`].
pub const STREAM_UNIT: u32 = 64;

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
/// Neuron `n` in step `t` (of those kept) of sample `b` is bit `n % 32` of the word at
/// `address + b·sample_stride + t·step_stride + 4·(n/32)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeArray {
    /// In scalar memory, a multiple of 4.
    pub address: u32,
    /// Words per step: neurons / 32, rounded up.
    pub words: u32,
    /// How many steps are kept.
    pub steps: u32,
    /// Bytes from one step to the next, a multiple of 4.
    pub step_stride: u32,
    /// Bytes from one sample of a launch to the next, a multiple of 4.
    pub sample_stride: u32,
}

/// A list of spikes in scalar memory, with one part for each step of each sample of a launch, one part after the other; in a
/// program with a [`Stream`] the first part of sample `b` is at `address + b·sample_bytes`, whatever came before.
///
/// A part begins with a word that holds the address behind the part, which is where the next one begins. Then follows
/// the word `base + scale·n` (modulo 2³²) for each neuron `n` that spikes in the step, in rising order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeList {
    /// Of the first part, in scalar memory, a multiple of 4.
    pub address: u32,
    /// How long the parts of one sample may be: a multiple of 4, at least one word per step. A sample with more spikes
    /// cannot be run. So many bytes for each sample that a launch can have are kept from `address` on.
    pub sample_bytes: u32,
    /// See above.
    pub base: u32,
    /// See above; at least 1.
    pub scale: u32,
}

/// One 16-bit number per neuron, for one or several steps, in vector memory.
///
/// Neuron `n` in step `t` (of those kept) of sample `b` is at
/// `address + b·sample_stride + t·step_stride + (n/32)·stride + 2·(n % 32)`.
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
    /// Bytes from one sample of a launch to the next, a multiple of 64.
    pub sample_stride: u32,
    /// How the numbers are read.
    pub format: Format,
}

/// One 16-bit number per neuron, for one or several steps, in scalar memory: outputs that a host reads while the program runs.
///
/// Neuron `n` in step `t` (of those kept) of sample `b` is the halfword at `address + b·sample_stride + t·step_stride + 2·n`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeArray {
    /// In scalar memory, a multiple of 4.
    pub address: u32,
    /// How many steps are kept; 1 for the state at the end.
    pub steps: u32,
    /// Bytes from one step to the next, a multiple of 4.
    pub step_stride: u32,
    /// Bytes from one sample of a launch to the next, a multiple of 4.
    pub sample_stride: u32,
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
    /// Numbers in scalar memory.
    Codes(CodeArray),
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

/// Which steps of a run are kept: `from`, `from + every`, and so on to the run's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first step kept, counted from 0.
    pub from: u32,
    /// From one step kept to the next, at least 1.
    pub every: u32,
}

/// Something recorded in the steps of a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The population's name.
    pub population: String,
    /// The event's or the variable's name.
    pub name: String,
    /// How many neurons.
    pub neurons: u32,
    /// Which steps are kept; as many as the array has.
    pub window: Window,
    /// Where.
    pub data: Data,
}

/// What a program counts about itself: a table in scalar memory with one row of four words per phase, which hold the lower
/// and the upper half of the cycles, then of the instructions, that the phase has taken in all runs of the launch. The
/// program begins it anew in every launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Of the first row, in scalar memory, a multiple of 4.
    pub address: u32,
    /// The rows, in order.
    pub phases: Vec<Phase>,
}

/// A stretch of the program that is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The projection's or the population's name; otherwise that of its kind.
    pub name: String,
    /// What happens in it.
    pub kind: PhaseKind,
}

/// What happens in a stretch of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseKind {
    /// Nothing, once per run: what counting itself adds to each visit of the others.
    Nothing,
    /// Variables and spikes are brought to their state before a run, once per run.
    Reset,
    /// Spikes pass through a projection, once per step.
    Propagate,
    /// A population's neurons are updated, once per step.
    Update,
    /// What is kept of a step is put away, once per step.
    Record,
    /// What a host reads of a sample, and what the next run begins with, are brought to where they stay, once per run.
    Finish,
}

/// A population, for reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Its name.
    pub name: String,
    /// How many neurons.
    pub neurons: u32,
    /// Whether its spikes of one run are gone in the next.
    pub reset: bool,
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
    /// Whether it has its initial value again before each run.
    pub reset: bool,
}

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Another version.
    #[error("the manifest has version {0}, this tool reads version {VERSION}; compile the network again")]
    Version(u32),
    /// Not a manifest at all.
    #[error("the manifest is not well-formed: {0}; compile the network again")]
    Form(String),
    /// A name that is none.
    #[error(
        "the manifest has the {what} {name:.100?}, which is empty, longer than {LONGEST_NAME} bytes, holds a control \
         character, or leads out of a folder; compile the network under another name"
    )]
    Name {
        /// Whose name.
        what: &'static str,
        /// It.
        name: String,
    },
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

/// Whether `name` can be one of a network's or of its parts': it is not empty, has at most [`LONGEST_NAME`] bytes and no
/// control characters (nor others that change how text is laid out), so that it can be printed; and as a path it would not
/// lead out of a folder.
pub fn is_name(name: &str) -> bool {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let component = |part: &str| !matches!(part, "" | "." | "..");
    name.len() <= LONGEST_NAME && !name.contains(hidden) && name.split(['/', '\\']).all(component)
}

impl Window {
    /// Every step of a run.
    pub const WHOLE: Self = Self { from: 0, every: 1 };

    /// The last `steps` steps of a run of `of`; all, if it has not so many.
    pub const fn last(steps: u32, of: u32) -> Self {
        Self { from: of.saturating_sub(steps), every: 1 }
    }

    /// How many steps of a run of `steps` are kept.
    pub const fn count(self, steps: u32) -> u32 {
        if self.every == 0 { 0 } else { steps.saturating_sub(self.from).div_ceil(self.every) }
    }

    /// The steps of a run of `steps` that are kept.
    pub fn steps(self, steps: u32) -> impl Iterator<Item = u32> {
        (0..self.count(steps)).map(move |index| self.from + index * self.every)
    }
}

impl PhaseKind {
    /// How often it happens in a run of `steps` steps.
    pub const fn visits(self, steps: u32) -> u32 {
        match self {
            Self::Nothing | Self::Reset | Self::Finish => 1,
            Self::Propagate | Self::Update | Self::Record => steps,
        }
    }
}

impl Manifest {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`ManifestError::Version`] for another version, whatever else it holds; [`ManifestError::Form`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let form = |error: serde_json::Error| ManifestError::Form(error.to_string());
        let Versioned { version } = serde_json::from_slice(bytes).map_err(form)?;
        if version != VERSION {
            return Err(ManifestError::Version(version));
        }
        serde_json::from_slice(bytes).map_err(form)
    }

    /// Proves that every array lies inside its memory and agrees with itself, and that names are names.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, config: &MachineConfig) -> Result<(), ManifestError> {
        if self.version != VERSION {
            return Err(ManifestError::Version(self.version));
        }
        self.check_names()?;
        let wrong = |name: &str, what| Err(ManifestError::Inconsistent { name: name.to_owned(), what });
        if self.steps == 0 {
            return wrong("steps", "a run has at least one step");
        }
        if self.time_step_ms.is_some_and(|ms| !(ms.is_finite() && ms > 0.0)) {
            return wrong("time_step_ms", "a step takes some time");
        }
        if self.entry_points.iter().any(|entry| entry.address >= config.instruction_bytes || entry.address % 4 != 0) {
            return wrong("entry_points", "an address is not in instruction memory");
        }
        self.batch.check(config)?;
        let samples = self.batch.samples;
        let size = |name, neurons| Size { name, neurons, samples, config };
        for Input { name, neurons, encoding, spikes } in &self.inputs {
            match spikes {
                InputSpikes::Bits(array) if array.steps != self.steps => {
                    return wrong(name, "an input has one slot per step");
                }
                InputSpikes::Bits(array) => array.check(&size(name, *neurons))?,
                InputSpikes::List(list) => list.check(&size(name, *neurons), self.steps)?,
            }
            if let Encoding::Latency { tau, threshold } = *encoding
                && !(tau > 0.0 && tau.is_finite() && threshold >= 0.0 && threshold.is_finite())
            {
                return wrong(name, "a latency code has a positive tau and no negative threshold");
            }
        }
        for Output { name, neurons, data, readout } in &self.outputs {
            data.check(&size(name, *neurons))?;
            if matches!(data, Data::Spikes(_)) != (*readout == Readout::Count) {
                return wrong(name, "spikes are counted, and nothing else is");
            }
            if data.steps() > self.steps {
                return wrong(name, "a run has no more steps than that");
            }
            if self.batch.stream.is_some() && matches!(data, Data::Values(_)) {
                return wrong(name, "what is read while the program runs is in scalar memory");
            }
        }
        for Recording { name, neurons, window, data, .. } in &self.recordings {
            data.check(&size(name, *neurons))?;
            if window.count(self.steps) != data.steps() {
                return wrong(name, "its window has not as many steps as it keeps");
            }
        }
        self.counters.as_ref().map_or(Ok(()), |counters| counters.check(config))?;
        self.work.as_ref().map_or(Ok(()), |work| work.check(self, config))
    }

    fn check_names(&self) -> Result<(), ManifestError> {
        let entries = self.entry_points.iter().map(|entry| ("entry point", &entry.name));
        let inputs = self.inputs.iter().map(|input| ("input", &input.name));
        let outputs = self.outputs.iter().map(|output| ("output", &output.name));
        let recordings = self.recordings.iter();
        let recordings = recordings.flat_map(|r| [("recorded population", &r.population), ("recording", &r.name)]);
        let phases = self.counters.iter().flat_map(|counters| &counters.phases).map(|phase| ("phase", &phase.name));
        let populations = self.populations.iter().flat_map(|population| {
            let variables = population.variables.iter().map(|variable| ("variable", &variable.name));
            std::iter::once(("population", &population.name)).chain(variables)
        });
        let own = [("network", &self.name), ("generator", &self.generator)];
        let names = own.into_iter().chain(entries).chain(inputs).chain(outputs).chain(recordings).chain(phases);
        let work = self.work.iter().flat_map(Work::names);
        match names.chain(populations).chain(work).find(|(_, name)| !is_name(name)) {
            Some((what, name)) => Err(ManifestError::Name { what, name: name.clone() }),
            None => Ok(()),
        }
    }
}

/// What the arrays of one input, output or recording have in common.
struct Size<'a> {
    name: &'a str,
    neurons: u32,
    samples: u32,
    config: &'a MachineConfig,
}

impl Size<'_> {
    fn wrong(&self, what: &'static str) -> Result<(), ManifestError> {
        Err(ManifestError::Inconsistent { name: self.name.to_owned(), what })
    }

    fn inside(&self, space: Space, end: u64) -> Result<(), ManifestError> {
        inside(self.name, space, end, self.config)
    }
}

impl Batch {
    /// One sample in every launch.
    pub const ONE: Self = Self { samples: 1, count: None, marks: None, stream: None };

    /// Bytes of all marks.
    fn mark_bytes(&self) -> u64 {
        let samples = u64::from(self.samples);
        if self.stream.is_some() { 16 * samples } else { 8 * (samples + 1) }
    }

    fn check(&self, config: &MachineConfig) -> Result<(), ManifestError> {
        let wrong = |what| Err(ManifestError::Inconsistent { name: "batch".to_owned(), what });
        if self.samples == 0 {
            return wrong("a launch has at least one sample");
        }
        if (self.samples > 1 || self.stream.is_some()) && self.count.is_none() {
            return wrong("nothing says how many samples a launch has");
        }
        let (ready, done) = (self.stream.map(|stream| stream.ready), self.stream.map(|stream| stream.done));
        if [self.count, self.marks, ready, done].into_iter().flatten().any(|address| !address.is_multiple_of(4)) {
            return wrong("an address is not a multiple of 4");
        }
        if ready.is_some() && (ready == done || self.count == ready || self.count == done) {
            return wrong("a word is two things at once");
        }
        let words_end = [self.count, ready, done].into_iter().flatten().max().map_or(0, |word| u64::from(word) + 4);
        let marks_end = self.marks.map_or(0, |address| u64::from(address) + self.mark_bytes());
        inside("batch", Space::Scalar, words_end.max(marks_end), config)
    }
}

impl Data {
    /// How many steps are kept.
    pub fn steps(&self) -> u32 {
        match self {
            Self::Spikes(array) => array.steps,
            Self::Values(array) => array.steps,
            Self::Codes(array) => array.steps,
        }
    }

    fn check(&self, size: &Size<'_>) -> Result<(), ManifestError> {
        match self {
            Self::Spikes(array) => array.check(size),
            Self::Values(array) => array.check(size),
            Self::Codes(array) => array.check(size),
        }
    }
}

impl SpikeArray {
    /// Steps and samples without gaps: `steps` slots for each sample, one after the other.
    pub const fn dense(address: u32, words: u32, steps: u32) -> Self {
        let step_stride = words.saturating_mul(4);
        Self { address, words, steps, step_stride, sample_stride: step_stride.saturating_mul(steps) }
    }

    fn check(&self, size: &Size<'_>) -> Result<(), ManifestError> {
        let Self { address, words, steps, step_stride, sample_stride } = *self;
        if size.neurons == 0 || steps == 0 || words != size.neurons.div_ceil(32) {
            return size.wrong("there is one word for 32 neurons");
        }
        if [address, step_stride, sample_stride].iter().any(|n| !n.is_multiple_of(4)) {
            return size.wrong("an address or a stride is not a multiple of 4");
        }
        let end = extent(4 * u64::from(words), &[(steps, step_stride), (size.samples, sample_stride)]);
        let Some(end) = end else { return size.wrong("its words lie on top of each other") };
        size.inside(Space::Scalar, u64::from(address) + end)
    }
}

impl SpikeList {
    /// How many spikes a sample of `steps` steps may have.
    pub fn capacity(&self, steps: u32) -> u32 {
        (self.sample_bytes / 4).saturating_sub(steps)
    }

    fn check(&self, size: &Size<'_>, steps: u32) -> Result<(), ManifestError> {
        if size.neurons == 0 || self.scale == 0 {
            return size.wrong("it is empty");
        }
        if !self.address.is_multiple_of(4) || !self.sample_bytes.is_multiple_of(4) {
            return size.wrong("its address or its size is not a multiple of 4");
        }
        if u64::from(self.sample_bytes) < 4 * u64::from(steps) {
            return size.wrong("a list has at least a word per step");
        }
        size.inside(Space::Scalar, u64::from(self.address) + u64::from(self.sample_bytes) * u64::from(size.samples))
    }
}

impl ValueArray {
    fn check(&self, size: &Size<'_>) -> Result<(), ManifestError> {
        let Self { address, stride, steps, step_stride, sample_stride, format: _ } = *self;
        if size.neurons == 0 || steps == 0 {
            return size.wrong("it is empty");
        }
        if [address, stride, step_stride, sample_stride].iter().any(|n| !n.is_multiple_of(VECTOR_BYTES)) {
            return size.wrong("an address or a stride is not a multiple of 64");
        }
        let blocks = size.neurons.div_ceil(LANES as u32);
        let extents = [(blocks, stride), (steps, step_stride), (size.samples, sample_stride)];
        let Some(end) = extent(VECTOR_BYTES.into(), &extents) else {
            return size.wrong("its vectors lie on top of each other");
        };
        size.inside(Space::Vector, u64::from(address) + end)
    }
}

impl CodeArray {
    /// Bytes of one step's numbers: whole words.
    pub fn row_bytes(neurons: u32) -> u64 {
        4 * u64::from(neurons.div_ceil(2))
    }

    fn check(&self, size: &Size<'_>) -> Result<(), ManifestError> {
        let Self { address, steps, step_stride, sample_stride, format: _ } = *self;
        if size.neurons == 0 || steps == 0 {
            return size.wrong("it is empty");
        }
        if [address, step_stride, sample_stride].iter().any(|n| !n.is_multiple_of(4)) {
            return size.wrong("an address or a stride is not a multiple of 4");
        }
        let end = extent(Self::row_bytes(size.neurons), &[(steps, step_stride), (size.samples, sample_stride)]);
        let Some(end) = end else { return size.wrong("its words lie on top of each other") };
        size.inside(Space::Scalar, u64::from(address) + end)
    }
}

impl Counters {
    fn check(&self, config: &MachineConfig) -> Result<(), ManifestError> {
        let wrong = |what| Err(ManifestError::Inconsistent { name: "counters".to_owned(), what });
        if self.phases.is_empty() {
            return wrong("nothing is counted");
        }
        if !self.address.is_multiple_of(4) {
            return wrong("its address is not a multiple of 4");
        }
        inside("counters", Space::Scalar, u64::from(self.address) + 16 * self.phases.len() as u64, config)
    }
}

/// The bytes from the first to behind the last of units of `unit` bytes that are repeated `count` times at a distance of
/// `stride`, for each `(count, stride)`; `None` if it is not certain that no two share a byte. They do not where, from the
/// smallest stride to the greatest, each is at least as long as everything repeated so far.
fn extent(unit: u64, repeats: &[(u32, u32)]) -> Option<u64> {
    let mut repeats: Vec<(u64, u64)> = repeats
        .iter()
        .filter(|(count, _)| *count > 1)
        .map(|(count, stride)| ((*stride).into(), (*count).into()))
        .collect();
    repeats.sort_unstable();
    repeats.into_iter().try_fold(unit, |extent, (stride, count)| {
        // Below 2^32 each, and the sum of three such products below 2^66 only in theory: so saturate.
        (stride >= extent).then(|| extent.saturating_add((count - 1).saturating_mul(stride)))
    })
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

    /// Vectors may be interleaved with steps and samples in any order, but not share a byte.
    #[test]
    fn arrays_do_not_overlap_themselves() {
        let config = MachineConfig::default();
        let format = Format::UNIT;
        let check = |neurons, steps, samples, stride, step_stride, sample_stride| {
            let array = ValueArray { address: 0, stride, steps, step_stride, sample_stride, format };
            array.check(&Size { name: "array", neurons, samples, config: &config }).is_ok()
        };
        assert!(check(32, 1, 1, 0, 0, 0));
        assert!(check(64, 3, 1, 64, 128, 0) && check(64, 3, 1, 192, 64, 0));
        assert!(!check(64, 1, 1, 0, 0, 0) && !check(32, 2, 1, 0, 0, 0) && !check(32, 1, 2, 0, 0, 0));
        assert!(!check(64, 3, 1, 64, 64, 0) && !check(96, 3, 1, 64, 128, 0) && !check(64, 3, 1, 128, 64, 0));
        assert!(check(64, 3, 2, 64, 128, 384) && check(64, 3, 2, 128, 256, 64) && check(64, 3, 2, 64, 256, 128));
        assert!(!check(64, 3, 2, 64, 128, 320) && !check(64, 3, 2, 64, 256, 192));
    }

    #[test]
    fn windows_are_counted_by_going_through_them() {
        for (from, every, steps) in
            [(0, 1, 5), (4, 1, 5), (5, 1, 5), (9, 2, 5), (0, 2, 5), (1, 2, 5), (0, 7, 5), (2, 3, 9)]
        {
            let window = Window { from, every };
            let kept: Vec<u32> = (0..steps).filter(|step| *step >= from && (step - from) % every == 0).collect();
            assert_eq!(window.steps(steps).collect::<Vec<_>>(), kept, "{window:?}");
            assert_eq!(window.count(steps) as usize, kept.len());
        }
        assert_eq!(Window::last(2, 5).steps(5).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(Window::last(9, 5), Window::WHOLE);
    }

    #[test]
    fn names_cannot_be_mistaken() {
        for name in ["V", "hidden/lif 1", "…", "a.b", "<&>", "C:d"] {
            assert!(is_name(name), "{name}");
        }
        let long = "x".repeat(LONGEST_NAME + 1);
        for name in
            ["", "..", ".", "../x", "a/../b", "/etc", "a//b", "a/", "..\\x", "a\u{1b}[2J", "a\nb", "\u{202e}a", &long]
        {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
