//! Everything that can go wrong between a host, its files and a machine.
//!
//! Contract: one enum per layer, each variant a sentence that says what, where, and what to do about it; a layer's
//! errors hold those of the layer below.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use fenn_isa::image::ImageError;
use fenn_isa::memory::{ConfigError, LANES, Space};
use fenn_isa::soc::MOST_CORES;

use crate::transport::TransportError;

/// What a device refuses, and how programs on it go wrong.
///
/// More devices will have more ways to fail, so a `match` needs a last arm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The machine cannot exist.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The simulated machine cannot be made so; the simulator's words.
    #[error("{0}")]
    Machine(String),
    /// The image is not well-formed.
    #[error("the program image is wrong: {0}")]
    Image(#[from] ImageError),
    /// The image was made for a machine with more memory.
    #[error(
        "the program was made for {needed} bytes of {space}, this machine has {bytes}; compile it for this machine"
    )]
    TooSmall {
        /// Which memory.
        space: Space,
        /// What the image's machine has.
        needed: u32,
        /// What this machine has.
        bytes: u32,
    },
    /// Bytes that are not there.
    #[error("bytes {address:#x}..{end:#x} are not in {space}, which has {bytes} bytes")]
    Outside {
        /// Which memory.
        space: Space,
        /// First byte.
        address: u32,
        /// Behind the last byte.
        end: u64,
        /// The memory's size.
        bytes: u32,
    },
    /// Nothing to start.
    #[error("no program has been loaded")]
    NoProgram,
    /// A program runs already.
    #[error("a program is still running: wait for it or halt it before starting another")]
    Running,
    /// Nothing to wait for.
    #[error("no program is running, so there is nothing to wait for")]
    NotRunning,
    /// A program cannot be started there.
    #[error(
        "a program cannot be started at {address:#x}: that is no instruction's address (memory ends at {bytes:#x})"
    )]
    Entry {
        /// The address asked for.
        address: u32,
        /// Bytes of instruction memory.
        bytes: u32,
    },
    /// An instruction could not be executed.
    #[error("the program stopped with a fault: {text}")]
    Fault {
        /// The instruction's address.
        pc: u32,
        /// What `mcause` holds for it.
        cause: u32,
        /// What `mtval` holds for it: the address at fault, or the illegal word.
        value: u32,
        /// What happened.
        text: String,
    },
    /// The program came to an `ebreak`.
    #[error("the program stopped at a breakpoint (ebreak at pc {pc:#x})")]
    Breakpoint {
        /// Its address.
        pc: u32,
    },
    /// The program was stopped by somebody else.
    #[error(
        "core {core} was halted or reset at pc {pc:#x} while its program ran, and not by this program; is the card used by two?"
    )]
    Interrupted {
        /// Which core.
        core: u32,
        /// Where it stands.
        pc: u32,
    },
    /// A memory that belongs to the program while it runs.
    #[error("{space} cannot be reached while the program runs: wait for it or halt it first")]
    Busy {
        /// Which memory.
        space: Space,
    },
    /// The card refused a transfer, and noted why.
    #[error("{error}; the card noted {noted}")]
    Bus {
        /// The refusal.
        error: TransportError,
        /// What the card noted.
        noted: String,
    },
    /// The card cannot be reached, or not so.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The card is none that can be used.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The program did not end.
    #[error("the program did not end within {limit}{at}; it may need longer, or loop for ever",
        at = pc.map_or(String::new(), |pc| format!(", it was at pc {pc:#x} then")))]
    Limit {
        /// What was used up.
        limit: Exceeded,
        /// Where the program was, if the device tells.
        pc: Option<u32>,
    },
}

/// Why a card, or one of its cores, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// Something else is there.
    #[error(
        "this is no FeNN card: its first register reads {found:#010x} and not `FENN`; load the FeNN bitstream, or choose \
         another device (`fenn-run list`)"
    )]
    NotFenn {
        /// What was read.
        found: u32,
    },
    /// A card with registers of another kind.
    #[error(
        "the card's registers have version {found}, and this tool knows version {expected}; use the tool that came with the \
         bitstream, or the bitstream that came with the tool"
    )]
    Version {
        /// The card's major version.
        found: u32,
        /// This crate's.
        expected: u32,
    },
    /// A card made from another instruction set.
    #[error(
        "the card's cores were made from other instructions, CSRs or registers (fingerprint {found:#010x}) than this tool \
         ({expected:#010x}); build bitstream and tool from the same source"
    )]
    Fingerprint {
        /// The card's.
        found: u32,
        /// This crate's.
        expected: u32,
    },
    /// A vector unit of another width.
    #[error("the card's cores have {found} lanes, and programs are made for {LANES}")]
    Lanes {
        /// The card's.
        found: u32,
    },
    /// A number of cores that no card has.
    #[error(
        "the card says that it has {found} cores, and can have 1 to {MOST_CORES}; its bitstream is damaged, or its link"
    )]
    Cores {
        /// What it says.
        found: u32,
    },
    /// Sizes that no card has.
    #[error("the card's memories have sizes that no machine has: {0}; its bitstream is damaged, or its link")]
    Config(#[from] ConfigError),
    /// There is no such core.
    #[error("there is no core {core}: the card has {cores}, counted from 0")]
    NoCore {
        /// Which was asked for.
        core: u32,
        /// How many there are.
        cores: u32,
    },
    /// A core is somebody else's.
    #[error("core {core} is in use")]
    Taken {
        /// Which.
        core: u32,
    },
    /// The card cannot be reached.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// The limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// So many instructions.
    Instructions(u64),
    /// So much time.
    Time(Duration),
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instructions(count) => write!(f, "{count} instructions"),
            Self::Time(time) => write!(f, "{} s", time.as_secs_f64()),
        }
    }
}

impl From<fenn_iss::Error> for DeviceError {
    fn from(error: fenn_iss::Error) -> Self {
        use fenn_iss::Error;
        match error {
            Error::Config(error) => Self::Config(error),
            Error::Image(error) => Self::Image(error),
            Error::Profile(_) => Self::Machine(error.to_string()),
            Error::TooSmall { space, needed, bytes } => Self::TooSmall { space, needed, bytes },
            Error::Outside { space, address, end, bytes } => Self::Outside { space, address, end, bytes },
        }
    }
}

/// What keeps a program's runs from being made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The device refused or the program failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The image is not well-formed.
    #[error("the program image is wrong: {0}")]
    Image(#[from] ImageError),
    /// Nothing says what to feed and what to read.
    #[error(
        "the program has no manifest, so nothing says where its inputs and outputs are; compile a network with fenn-cc"
    )]
    NoManifest,
    /// Nothing says where to start.
    #[error("the program's manifest names no entry point `run`; compile the network again")]
    NoEntryPoint,
    /// More results than there is memory for.
    #[error(
        "the manifest's `{name}` makes {bytes} bytes of results, more than the memories can hold ({most}); compile the network again"
    )]
    TooMuch {
        /// The output or recording at which it became too much.
        name: String,
        /// Bytes so far.
        bytes: u64,
        /// What could be at most.
        most: u64,
    },
    /// More spikes than a list has room for.
    #[error(
        "the sample has {spikes} spikes for input `{name}`, and the program has room for {capacity}; compile it with a \
         longer list (fenn-cc --input-spikes N), or with --input bits"
    )]
    TooManySpikes {
        /// The input.
        name: String,
        /// Those of the sample.
        spikes: usize,
        /// Those that fit.
        capacity: u32,
    },
    /// A number of samples that a launch cannot have.
    #[error("a launch of this program has at least one sample and at most {most}, not {samples}; see fenn-cc --batch")]
    Samples {
        /// How many were given.
        samples: usize,
        /// How many it can have.
        most: u32,
    },
    /// A program that takes samples before a launch only.
    #[error("the program takes no samples while it runs; compile it with fenn-cc --stream")]
    NoStream,
    /// A device whose memories are out of reach while a program runs.
    #[error("{device} cannot be given samples while a program runs, nor give results; run them by launches")]
    CannotStream {
        /// The device.
        device: String,
    },
    /// A program that does not keep to what its manifest says.
    #[error(
        "the program says that {found} samples are done, after {done} of the {provided} that it has been given: something \
         writes to that word, or the memory is faulty"
    )]
    Handshake {
        /// What it says.
        found: u32,
        /// What it had said before.
        done: u32,
        /// How many it has been given.
        provided: u32,
    },
    /// A program that does not wait.
    #[error(
        "the program ended after {done} of the {provided} samples that it has been given; compile the network again"
    )]
    EndedEarly {
        /// How many are done.
        done: u32,
        /// How many it has been given.
        provided: u32,
    },
    /// A spike that the program cannot be given.
    #[error(
        "a spike of unit {unit} in step {step} does not fit the program: it has {units} input units and {steps} steps"
    )]
    Spike {
        /// Its unit, counted through all inputs.
        unit: u32,
        /// Its step.
        step: u32,
        /// Units of all inputs together.
        units: u64,
        /// Steps of a run.
        steps: u32,
    },
}

/// What ended a stream of samples, and at which of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sample {sample}: {source}")]
pub struct SampleError {
    /// The first sample that could not be run, counted from 0.
    pub sample: usize,
    /// Why.
    pub source: SessionError,
}

/// What keeps recordings from being written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// There are none.
    #[error("the program records nothing; compile the network with recordings (fenn-cc --record spikes, or all)")]
    Nothing,
    /// The archive cannot be made.
    #[error("the recordings cannot be packed: {0}")]
    Archive(String),
}

/// What is wrong with a data-set file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct DataError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: DataProblem,
}

/// How a data-set file is wrong. Rows and samples are counted from 0, lines of text files from 1.
#[derive(Debug, thiserror::Error)]
pub enum DataProblem {
    /// The system could not read it.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Beyond [`crate::file::LONGEST`].
    #[error("has (unpacked) more than {} MiB; split it into several files", crate::file::LONGEST >> 20)]
    TooLong,
    /// Neither of the kinds that can be read.
    #[error("is no data file that can be read: it is neither IDX nor NPY nor HDF5 nor text; {0}")]
    Unknown(String),
    /// The packing is damaged.
    #[error("is packed with gzip and damaged: {0}")]
    Gzip(io::Error),
    /// The file is shorter or longer than its header says.
    #[error("is {what}: its header announces {expected} bytes in all and there are {found}; copy it again")]
    Length {
        /// `truncated` or `too long`.
        what: &'static str,
        /// What the header announces.
        expected: u128,
        /// How many there are.
        found: usize,
    },
    /// A header that cannot be understood.
    #[error("its header is wrong at byte {offset}: {what}")]
    Header {
        /// Where.
        offset: usize,
        /// What is wrong and what is expected.
        what: String,
    },
    /// An array of a shape that does not fit.
    #[error("holds an array of shape {found}, and {expected}")]
    Shape {
        /// Its shape.
        found: String,
        /// What would fit.
        expected: String,
    },
    /// Numbers of the wrong kind of sample.
    #[error(
        "holds images, and the program `{0}` takes spikes as they are; give a spike list (CSV or NPY), or compile with a latency encoding"
    )]
    NoEncoding(String),
    /// A text line that cannot be understood.
    #[error("line {line}: {what}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong and what is expected.
        what: String,
    },
    /// A number in a binary array that cannot be used.
    #[error("row {row}: {what}")]
    Row {
        /// Counted from 0.
        row: usize,
        /// What is wrong and what is expected.
        what: String,
    },
    /// A part of an HDF5 file that is missing or cannot be used.
    #[error("`{place}` in it: {what}")]
    Hdf5 {
        /// Path inside the file.
        place: String,
        /// What is wrong and what is expected.
        what: String,
    },
    /// A number of samples that does not fit.
    #[error("{what}")]
    Count {
        /// Which numbers differ, and what to do.
        what: String,
    },
}

/// What keeps a data set from being evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// A device could not be opened.
    #[error("no device could be opened: {0}")]
    Open(DeviceError),
    /// The program cannot be prepared.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The program has no result.
    #[error(
        "the program's manifest names no output, so there is nothing to evaluate; compile the network with an output"
    )]
    NoOutput,
    /// The sample to be looked at is not there.
    #[error("there is no sample {sample} to look at: the data set has {samples}")]
    NoSample {
        /// Which was asked for.
        sample: usize,
        /// How many there are.
        samples: usize,
    },
    /// No threads.
    #[error("the worker threads could not be started: {0}")]
    Threads(String),
    /// More recordings than are kept at once.
    #[error(
        "the recordings of {samples} samples take {bytes} bytes, more than are kept at once ({most}); record less, or run \
         fewer samples (--limit)"
    )]
    TooMuchRecorded {
        /// How many samples.
        samples: usize,
        /// What they take.
        bytes: u64,
        /// What is kept at most.
        most: u64,
    },
    /// A run failed.
    #[error("sample {sample}: {source}")]
    Sample {
        /// Which.
        sample: usize,
        /// Why.
        source: SessionError,
    },
    /// A launch of several samples failed.
    #[error("samples {first} to {last}: {source}")]
    Launch {
        /// The first of them.
        first: usize,
        /// The last of them.
        last: usize,
        /// Why.
        source: SessionError,
    },
}

impl EvaluateError {
    /// The device's error at the bottom, if there is one.
    pub fn device(&self) -> Option<&DeviceError> {
        match self {
            Self::Open(error)
            | Self::Session(SessionError::Device(error))
            | Self::Sample { source: SessionError::Device(error), .. }
            | Self::Launch { source: SessionError::Device(error), .. } => Some(error),
            Self::Session(_)
            | Self::NoOutput
            | Self::NoSample { .. }
            | Self::Threads(_)
            | Self::TooMuchRecorded { .. }
            | Self::Sample { .. }
            | Self::Launch { .. } => None,
        }
    }
}
