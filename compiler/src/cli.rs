//! The command line of `fenn-cc`.
//!
//! Contract: [`run`] does what the arguments say and returns what is to be printed where; the binary prints. A program is
//! written whole or not at all. Exit codes are [`Failure::code`]'s.
//!
//! Not here: what networks mean (the front ends) and how they are compiled (the back end).

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, ValueEnum};
use clap_complete::Shell;
use fenn_isa::file::write_whole;
use fenn_isa::image::elf::FileError;
use fenn_isa::memory::{ConfigError, MachineConfig, Space};

use crate::backend::{self, CompileError, compile};
use crate::contract::{InputForm, Kept};
use crate::description::DescriptionError;
use crate::export::ExportError;
use crate::import::{
    Comparison, ForcedFormat, ForcedRounding, ImportError, Method, Record, Reset, RoundingName, SpikeFrom,
};
use crate::network::Readout;
use crate::netx::NetxError;
use crate::nir::NirError;
use crate::place::{RowLayout, WeightMemory};

mod explain;
mod front;
mod report;
mod samples;

const HELP: &str = "\
Examples:
  fenn-cc network.toml -o network.elf
  fenn-cc braille.nir --dt 1e-4 --calibrate sample0.csv --report -o braille.elf
  fenn-cc network.toml --record all --window last:20 -o recorded.elf
  fenn-cc network.toml --stream --batch 8 -o network.elf
  fenn-cc network.toml --check
  fenn-cc gestures.net --steps 300 --calibrate samples.npy --report
  fenn-cc checkpoints/ --architecture network.toml -o network.elf
  fenn-cc cnn.nir --dt 1 --steps 100 --check --explain
  fenn-cc network.toml --check --export-nir network.nir

Exit codes:
  0  done
  1  the network, or a file it needs, is wrong or cannot be read or written
  2  wrong usage
  3  the network does not fit the machine, or cannot be compiled";

/// Compiles a spiking network to a FeNN program.
#[derive(Debug, Clone, Parser)]
#[command(name = "fenn-cc", version, after_help = HELP)]
pub struct Arguments {
    /// The network: a description (TOML), a NIR graph (HDF5), a netx file of Lava (.net), or a directory of trained arrays (with
    /// --architecture).
    #[arg(required_unless_present = "completions")]
    pub network: Option<PathBuf>,
    /// The program to write; by default the network's name with .elf, in the current directory.
    #[arg(short, long, value_name = "PROGRAM.elf")]
    pub output: Option<PathBuf>,
    /// Compile, but write no program.
    #[arg(long, conflicts_with = "output")]
    pub check: bool,
    /// Time steps in one run; a description has its own.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)))]
    pub steps: Option<u32>,
    /// Keep every step's spikes, or all variables too, to be read after a run; a description has its own.
    #[arg(long, value_name = "WHAT")]
    pub record: Option<Record>,
    /// Keep only the steps from FROM on, every EVERY-th of them, or the last N, of what is recorded.
    #[arg(long, value_name = "FROM[:EVERY]|last:N")]
    pub window: Option<Kept>,
    /// Seed of everything random: in a description, its equations, synapses and values; or in the calibration of a NIR graph or a netx
    /// file.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The description (TOML) of the network whose trained arrays are in the directory.
    #[arg(long, value_name = "FILE.toml")]
    pub architecture: Option<PathBuf>,
    /// Let a description name files outside its own directory.
    #[arg(long)]
    pub allow_outside: bool,
    /// Print memory use, code size and, for NIR and netx, the choice of formats.
    #[arg(long)]
    pub report: bool,
    /// Print, layer by layer, formats, memory, instructions, the cycles they are reckoned to take, and why they are so.
    #[arg(long, conflicts_with_all = ["report", "json"])]
    pub explain: bool,
    /// Print the report as one JSON object.
    #[arg(long, conflicts_with = "report")]
    pub json: bool,
    /// Write the network as it runs, all numbers rounded, as a NIR graph.
    #[arg(long, value_name = "FILE.nir")]
    pub export_nir: Option<PathBuf>,
    /// Write the machine code before register allocation to FILE, `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub listing: Option<PathBuf>,
    /// In which form a host hands over input spikes.
    #[arg(long, value_name = "FORM", default_value = "auto", help_heading = RUNS)]
    pub input: InputName,
    /// Room for N spikes per run in the lists of input spikes; by default for as many as there can be.
    #[arg(long, value_name = "N", help_heading = RUNS)]
    pub input_spikes: Option<u32>,

    /// Let a launch of the program run up to N samples; 1 if not said, or 4 with --stream.
    #[arg(long, value_name = "N", help_heading = RUNS)]
    pub batch: Option<NonZeroU32>,
    /// Let a host write samples and read results while the program runs, with the batch's places as a ring.
    #[arg(long, help_heading = RUNS)]
    pub stream: bool,
    /// Let the program count the cycles and instructions of each of its phases.
    #[arg(long, help_heading = RUNS)]
    pub counters: bool,

    /// Length of a time step, in the unit of the graph's time constants (usually seconds).
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = NIR)]
    pub dt: Option<f64>,
    /// How differential equations become steps.
    #[arg(long, help_heading = NIR)]
    pub method: Option<Method>,
    /// What a spike does to the potential.
    #[arg(long, help_heading = NIR)]
    pub reset: Option<Reset>,
    /// When a potential is above the threshold.
    #[arg(long, value_name = "COMPARISON", help_heading = NIR)]
    pub compare: Option<Comparison>,
    /// Which potential decides about a spike.
    #[arg(long, value_name = "POTENTIAL", help_heading = NIR)]
    pub spike_from: Option<SpikeFrom>,
    /// How a run's steps become one number per output neuron; by default the number of spikes, or the greatest potential.
    #[arg(long, help_heading = NIR)]
    pub readout: Option<ReadoutName>,
    /// Typical spikes, on which number formats are tried (netx files' too); may be repeated.
    #[arg(long, value_name = "FILE", help_heading = NIR)]
    pub calibrate: Vec<PathBuf>,
    /// A number format that is not to be searched for; may be repeated.
    #[arg(long, value_name = "NODE.I=sX.Y", help_heading = NIR)]
    pub format: Vec<ForcedFormat>,
    /// How the neurons' operations round.
    #[arg(long, value_name = "ROUNDING", help_heading = NIR)]
    pub rounding: Option<RoundingName>,
    /// How the operations on one population's I or V round; may be repeated.
    #[arg(long, value_name = "NODE.V=ROUNDING", help_heading = NIR)]
    pub round: Vec<ForcedRounding>,
    /// How many of a population's weights a number format may clip, in percent; by default 1.
    #[arg(long, value_name = "PERCENT", value_parser = percent, help_heading = NIR)]
    pub clip: Option<f64>,

    /// Instructions that fit into instruction memory.
    #[arg(long, value_name = "N", value_parser = size(4), help_heading = MACHINE)]
    pub instructions: Option<u32>,
    /// KiB of scalar memory.
    #[arg(long, value_name = "N", value_parser = size(1 << 10), help_heading = MACHINE)]
    pub scalar_kib: Option<u32>,
    /// KiB of vector memory.
    #[arg(long, value_name = "N", value_parser = size(1 << 10), help_heading = MACHINE)]
    pub vector_kib: Option<u32>,
    /// KiB of memory of each lane.
    #[arg(long, value_name = "N", value_parser = size(1 << 10), help_heading = MACHINE)]
    pub lane_kib: Option<u32>,
    /// MiB of DRAM.
    #[arg(long, value_name = "N", value_parser = size(1 << 20), help_heading = MACHINE)]
    pub dram_mib: Option<u32>,
    /// The core to arrange instructions for: this project's, the published one, or one that takes one cycle for each.
    #[arg(long, value_name = "NAME", default_value = fenn_isa::timing::FENN.name,
          value_parser = fenn_isa::timing::Profile::by_name, help_heading = MACHINE)]
    pub profile: &'static fenn_isa::timing::Profile,
    /// End a run by setting a word in scalar memory, as a board's host expects, rather than by ecall.
    #[arg(long, help_heading = MACHINE)]
    pub ready_flag: bool,

    /// Where rows of weights live; by default in vector memory as far as they fit.
    #[arg(long, value_name = "MEMORY", default_value = "auto", help_heading = MACHINE)]
    pub weights: WeightsName,
    /// How rows of weights are laid out; by default as costs least.
    #[arg(long, value_name = "LAYOUT", default_value = "auto", help_heading = MACHINE)]
    pub rows: RowsName,

    /// Print completions for a shell and do nothing else.
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub completions: Option<Shell>,
}

const RUNS: &str = "Runs";
const NIR: &str = "NIR graphs";
const MACHINE: &str = "Machine (by default the published board)";

/// Counts of `unit` bytes that fit into 32 bits; what a machine can have is checked afterwards.
fn size(unit: u32) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(u32::MAX / unit))
}

/// The names of [`InputForm`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputName {
    /// A list if there is room for the longest, otherwise bits.
    Auto,
    /// One bit per neuron and step.
    Bits,
    /// One word per spike: costs nothing for neurons that are silent.
    List,
}

/// 0 to 100.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=100.0).contains(number));
    number.ok_or_else(|| "a number from 0 to 100 is needed".to_owned())
}

/// The names of [`Readout`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReadoutName {
    /// The potential after the last step.
    Last,
    /// The mean potential.
    Mean,
    /// The greatest potential.
    Max,
    /// The number of spikes.
    Count,
}

impl From<ReadoutName> for Readout {
    fn from(name: ReadoutName) -> Self {
        match name {
            ReadoutName::Last => Self::Last,
            ReadoutName::Mean => Self::Mean,
            ReadoutName::Max => Self::Max,
            ReadoutName::Count => Self::Count,
        }
    }
}

/// The names of [`WeightMemory`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightsName {
    /// In vector memory as far as they fit, in DRAM otherwise.
    Auto,
    /// In vector memory.
    Vector,
    /// In DRAM.
    Dram,
}

impl From<WeightsName> for WeightMemory {
    fn from(name: WeightsName) -> Self {
        match name {
            WeightsName::Auto => Self::Auto,
            WeightsName::Vector => Self::Vector,
            WeightsName::Dram => Self::Dram,
        }
    }
}

/// The names of [`RowLayout`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowsName {
    /// As costs least.
    Auto,
    /// A number for each target, where that is possible.
    Dense,
    /// The targets' addresses, with weights where they differ.
    Sparse,
    /// Addresses and weights in vectors of their own.
    Split,
    /// Address and weight in one number, where they fit.
    Packed,
    /// Rows of convolutions that are equal but for their place once; others as costs least.
    Shared,
}

impl From<RowsName> for RowLayout {
    fn from(name: RowsName) -> Self {
        match name {
            RowsName::Auto => Self::Auto,
            RowsName::Dense => Self::Dense,
            RowsName::Sparse => Self::Sparse,
            RowsName::Split => Self::Split,
            RowsName::Packed => Self::Packed,
            RowsName::Shared => Self::Shared,
        }
    }
}

impl Arguments {
    /// The machine that is compiled for.
    fn machine(&self) -> MachineConfig {
        let board = MachineConfig::default();
        let bytes = |count: Option<u32>, unit: u32, default: u32| count.map_or(default, |count| count * unit);
        MachineConfig {
            instruction_bytes: bytes(self.instructions, 4, board.instruction_bytes),
            scalar_bytes: bytes(self.scalar_kib, 1 << 10, board.scalar_bytes),
            vector_bytes: bytes(self.vector_kib, 1 << 10, board.vector_bytes),
            lane_local_bytes: bytes(self.lane_kib, 1 << 10, board.lane_local_bytes),
            dram_bytes: bytes(self.dram_mib, 1 << 20, board.dram_bytes),
        }
    }

    /// Places for samples.
    fn places(&self) -> NonZeroU32 {
        const STREAMED: NonZeroU32 = NonZeroU32::new(4).expect("not zero");
        self.batch.unwrap_or(if self.stream { STREAMED } else { NonZeroU32::MIN })
    }

    /// In which form inputs are handed over.
    fn input_form(&self) -> Result<InputForm, Failure> {
        match (self.input, self.input_spikes) {
            (InputName::Bits, Some(_)) => {
                Err(Failure::Usage("--input-spikes is for lists, and --input bits asks for none".to_owned()))
            }
            (InputName::Bits, None) => Ok(InputForm::Bits),
            (InputName::Auto, None) => Ok(InputForm::Auto),
            (InputName::List | InputName::Auto, spikes) => Ok(InputForm::List(spikes)),
        }
    }

    /// The first option given that a file of this kind does not have.
    fn foreign(&self, kind: front::Kind) -> Option<&'static str> {
        let calibrated = kind == front::Kind::Netx;
        let options = [
            ("--dt", self.dt.is_some()),
            ("--method", self.method.is_some()),
            ("--reset", self.reset.is_some()),
            ("--compare", self.compare.is_some()),
            ("--spike-from", self.spike_from.is_some()),
            ("--readout", self.readout.is_some()),
            ("--calibrate", !self.calibrate.is_empty() && !calibrated),
            ("--format", !self.format.is_empty()),
            ("--rounding", self.rounding.is_some()),
            ("--round", !self.round.is_empty()),
            ("--clip", self.clip.is_some()),
        ];
        options.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }
}

/// What is to be printed after success.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Printed {
    /// To standard output.
    pub output: String,
    /// To standard error.
    pub warnings: String,
}

/// What the terminal is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// Colour the diagnostics.
    pub color: bool,
    /// Say what takes long, on standard error, while it does.
    pub progress: bool,
}

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments contradict each other or the file.
    #[error("{0}")]
    Usage(String),
    /// No machine has such memories.
    #[error("{0}")]
    Machine(#[from] ConfigError),
    /// The description cannot be read.
    #[error(transparent)]
    Description(DescriptionError),
    /// The description is wrong: its diagnostics, drawn.
    #[error("{0}")]
    Drawn(String),
    /// The NIR file is wrong.
    #[error(transparent)]
    Nir(#[from] NirError),
    /// The netx file is wrong, or cannot be imported.
    #[error(transparent)]
    Netx(#[from] NetxError),
    /// The NIR graph cannot be imported.
    #[error("{}", .errors.iter().map(|error| format!("{}: {error}", path.display())).collect::<Vec<_>>().join("\n"))]
    Import {
        /// The file.
        path: PathBuf,
        /// Everything against it.
        errors: Vec<ImportError>,
    },
    /// The network is no NIR graph.
    #[error("{}", .errors.iter().map(|error| format!("{}: {error}", path.display())).collect::<Vec<_>>().join("\n"))]
    Export {
        /// The network's file.
        path: PathBuf,
        /// Everything against it.
        errors: Vec<ExportError>,
    },
    /// A calibration file is wrong.
    #[error("{0}")]
    Samples(String),
    /// The input spikes of a run are more than a memory holds.
    #[error(
        "the input spikes of {steps} steps need {needed} bytes of {space}, which has {available}; shorten the run, or use a machine with more memory (--scalar-kib)"
    )]
    TooLong {
        /// Of a run.
        steps: u32,
        /// Bytes they take.
        needed: u64,
        /// Bytes there are.
        available: u64,
        /// Which memory.
        space: Space,
    },
    /// The network cannot be compiled.
    #[error("{}: {error}", path.display())]
    Compile {
        /// The network's file.
        path: PathBuf,
        /// Why not.
        error: CompileError,
    },
    /// The program cannot be written.
    #[error(transparent)]
    Program(#[from] FileError),
    /// Another file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl Failure {
    /// The exit code: 1 for wrong or unreadable files, 2 for wrong usage, 3 for what does not fit or cannot be compiled.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Machine(_) => 2,
            Self::TooLong { .. } => 3,
            Self::Compile { error: CompileError::Network(_), .. } => 1,
            Self::Compile { .. } => 3,
            Self::Description(_)
            | Self::Drawn(_)
            | Self::Nir(_)
            | Self::Netx(_)
            | Self::Import { .. }
            | Self::Export { .. }
            | Self::Samples(_)
            | Self::Program(_)
            | Self::Write { .. } => 1,
        }
    }

    /// Whether the message stands for itself, without the name of the program before it.
    pub fn is_drawn(&self) -> bool {
        matches!(self, Self::Drawn(_))
    }
}

/// Does what the arguments say.
///
/// # Errors
/// See [`Failure`]; no program has been written then.
pub fn run(arguments: &Arguments, terminal: Terminal) -> Result<Printed, Failure> {
    if let Some(shell) = arguments.completions {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), "fenn-cc", &mut script);
        return Ok(Printed { output: String::from_utf8_lossy(&script).into_owned(), ..Printed::default() });
    }
    let Some(path) = &arguments.network else { return Err(Failure::Usage("which network is not stated".to_owned())) };
    let config = arguments.machine();
    config.check()?;
    let output = arguments.output.clone().unwrap_or_else(|| front::default_output(path));
    let output = (!arguments.check).then_some(output);
    for network in [Some(path), arguments.architecture.as_ref()].into_iter().flatten() {
        output.as_deref().map_or(Ok(()), |output| check_output(network, output))?;
    }
    match (&arguments.architecture, path.is_dir()) {
        (None, true) => {
            let message = format!(
                "{} is a directory; give the description of the network whose trained arrays it holds with --architecture",
                path.display()
            );
            return Err(Failure::Usage(message));
        }
        (Some(_), false) => {
            let message =
                format!("--architecture is for a directory of trained arrays, which {} is not", path.display());
            return Err(Failure::Usage(message));
        }
        _ => {}
    }
    let kind = front::kind(path);
    if let Some(option) = arguments.foreign(kind).filter(|_| kind != front::Kind::Nir) {
        let what = match kind {
            front::Kind::Netx => "a netx file, which leaves nothing of the kind open",
            _ => "a description, which states such things itself",
        };
        return Err(Failure::Usage(format!("{option} is for NIR graphs, and {} is {what}", path.display())));
    }
    if kind == front::Kind::Netx && arguments.export_nir.is_some() {
        let message = format!(
            "--export-nir cannot write {}: no NIR node decays as the neurons of netx files do, rounding towards 0",
            path.display()
        );
        return Err(Failure::Usage(message));
    }
    let mut loaded = match kind {
        front::Kind::Nir => front::graph(path, arguments, terminal.progress)?,
        front::Kind::Netx => front::net(path, arguments, terminal.progress)?,
        front::Kind::Description => front::description(path, arguments, terminal.color)?,
    };
    if let Some(kept) = arguments.window {
        let steps = loaded.network.steps;
        let message =
            || format!("--window {kept} keeps nothing of a run of {steps} steps, which are 0 to {}", steps - 1);
        let window = kept.window(steps).ok_or_else(|| Failure::Usage(message()))?;
        loaded.network.recordings.iter_mut().for_each(|recording| recording.window = window);
    }
    let exported = match &arguments.export_nir {
        Some(target) => Some((target, front::exported(path, target, &loaded.network)?)),
        None => None,
    };
    let options = backend::Options {
        config,
        profile: arguments.profile,
        ready_flag: arguments.ready_flag,
        input: arguments.input_form()?,
        batch: arguments.places(),
        stream: arguments.stream,
        counters: arguments.counters,
        weights: arguments.weights.into(),
        rows: arguments.rows.into(),
    };
    let mut compiled =
        compile(&loaded.network, &options).map_err(|error| Failure::Compile { path: path.clone(), error })?;
    if let Some(manifest) = compiled.image.manifest.as_mut().filter(|_| !loaded.drawn.is_empty()) {
        manifest.seed = Some(loaded.network.seed);
    }
    if let Some(work) = compiled.image.manifest.as_mut().and_then(|manifest| manifest.work.as_mut()) {
        work.vanished = loaded.vanished_weights();
    }
    let mut printed = Printed { output: String::new(), warnings: loaded.warnings.clone() };
    if let Some(listing) = &arguments.listing {
        if listing == Path::new("-") {
            printed.output.push_str(&compiled.listing);
        } else {
            write_whole(listing, compiled.listing.as_bytes())
                .map_err(|source| Failure::Write { path: listing.clone(), source })?;
        }
    }
    if arguments.report {
        printed.output.push_str(&report::text(&loaded, &compiled));
    }
    if arguments.explain {
        printed.output.push_str(&explain::text(&loaded, &compiled));
    }
    if arguments.json {
        printed.output.push_str(&format!("{:#}\n", report::json(&loaded, &compiled)));
    }
    if let Some((target, exported)) = &exported {
        crate::nir::write(&exported.graph, target)?;
        printed.warnings.push_str(&front::rules(target, exported));
    }
    if let Some(output) = output {
        compiled.image.write(output)?;
    }
    Ok(printed)
}

/// Refuses to write the program over the network.
fn check_output(network: &Path, output: &Path) -> Result<(), Failure> {
    match (network.canonicalize(), output.canonicalize()) {
        (Ok(from), Ok(to)) if from == to => {
            let message = format!("{} is the network; give the program another name", output.display());
            Err(Failure::Usage(message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn machines_are_what_the_options_say() {
        let parse = |options: &[&str]| Arguments::try_parse_from([&["fenn-cc", "x.toml"], options].concat());
        assert_eq!(parse(&[]).unwrap().machine(), MachineConfig::default());
        let large = parse(&["--vector-kib", "4096", "--dram-mib", "2048", "--instructions", "8192"]).unwrap().machine();
        assert_eq!((large.vector_bytes, large.dram_bytes, large.instruction_bytes), (4 << 20, 1 << 31, 1 << 15));
        assert_eq!(large.check(), Ok(()));
        // Beyond 32 bits it is clap that complains, before that the machine does.
        assert!(parse(&["--dram-mib", "4096"]).is_err());
        assert!(parse(&["--lane-kib", "3"]).unwrap().machine().check().is_err());
        assert!(parse(&["--scalar-kib", "0"]).is_err());
    }
}
