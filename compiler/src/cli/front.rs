//! From a network file, of either kind, to a network.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use fenn_isa::memory::Space;

use super::samples::{Samples, Target, load};
use super::{Arguments, Failure};
use crate::description::{self, Conversion, DescriptionError, Drawn};
use crate::export::{ExportRules, Exported, export};
use crate::import::{self, Calibration, ImportReport, Record, import};
use crate::network::{Network, Quantity, Recording, Window};
use crate::netx::{self, NetxError};
use crate::nir;

/// What a front end made of a file.
pub(super) struct Loaded {
    pub(super) network: Network,
    /// Of a description: how real numbers became codes.
    pub(super) conversions: Vec<Conversion>,
    /// Of a description: what was drawn at random.
    pub(super) drawn: Vec<Drawn>,
    /// Of a NIR graph: how formats were found.
    pub(super) import: Option<ImportReport>,
    /// Of a netx file: what is exact and what is not.
    pub(super) netx: Option<netx::Report>,
    /// Ready to be printed.
    pub(super) warnings: String,
}

impl Loaded {
    /// How many weights became 0 when they were rounded, where the front end knows: that of NIR graphs does.
    pub(super) fn vanished_weights(&self) -> Option<u64> {
        let import = self.import.as_ref()?;
        Some(import.populations.iter().map(|population| population.clipped.weights_vanished as u64).sum())
    }
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Description,
    Nir,
    Netx,
}

/// Which kind of file: netx files go by their name, NIR graphs are HDF5 too, which has a signature, and everything else is a
/// description.
pub(super) fn kind(path: &Path) -> Kind {
    use std::io::Read;
    let named = |name| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(name));
    if named("net") {
        return Kind::Netx;
    }
    let mut signature = [0; 8];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut signature));
    if named("nir") || read.is_ok() && signature == *b"\x89HDF\r\n\x1a\n" { Kind::Nir } else { Kind::Description }
}

/// The network of a description, or of a directory of trained arrays with its description.
pub(super) fn description(path: &Path, arguments: &Arguments, color: bool) -> Result<Loaded, Failure> {
    let options = description::Options {
        steps: arguments.steps,
        seed: arguments.seed,
        allow_outside: arguments.allow_outside,
        checkpoint: arguments.architecture.as_ref().map(|_| path.to_owned()),
    };
    let described = description::read(arguments.architecture.as_deref().unwrap_or(path), &options).map_err(
        |error| match error {
            DescriptionError::Wrong(remarks) => Failure::Drawn(remarks.render(color).trim_end().to_owned()),
            other => Failure::Description(other),
        },
    )?;
    let mut network = described.network;
    if let Some(record) = arguments.record {
        network.recordings = recordings(&network, record);
    }
    let warnings = described.warnings.render(color);
    let (conversions, drawn) = (described.conversions, described.drawn);
    Ok(Loaded { network, conversions, drawn, import: None, netx: None, warnings })
}

/// The network as a NIR graph that is to be written to `target`.
pub(super) fn exported(path: &Path, target: &Path, network: &Network) -> Result<Exported, Failure> {
    super::check_output(path, target)?;
    export(network).map_err(|errors| Failure::Export { path: path.to_owned(), errors })
}

/// How an exported graph is to be read, for a terminal.
pub(super) fn rules(target: &Path, exported: &Exported) -> String {
    let ExportRules { dt, method, reset, comparison, spike_from } = exported.rules;
    let name = |value: Option<clap::builder::PossibleValue>| value.map(|value| value.get_name().to_owned());
    let options = [
        ("method", name(method.to_possible_value())),
        ("reset", name(reset.to_possible_value())),
        ("compare", name(comparison.to_possible_value())),
        ("spike-from", name(spike_from.to_possible_value())),
    ];
    let options: String =
        options.into_iter().filter_map(|(name, value)| Some(format!(" --{name} {}", value?))).collect();
    format!("{} means the same network with --dt {dt}{options}\n", target.display())
}

/// Everything that `record` asks for.
fn recordings(network: &Network, record: Record) -> Vec<Recording> {
    let mut recordings = Vec::new();
    for (population, neurons) in network.populations.iter().enumerate() {
        let mut keep = |quantity| recordings.push(Recording { population, quantity, window: Window::WHOLE });
        if record != Record::None {
            (0..neurons.kernel.events.len()).map(Quantity::Event).for_each(&mut keep);
        }
        if record == Record::All {
            (0..neurons.kernel.variables.len()).map(Quantity::Variable).for_each(&mut keep);
        }
    }
    recordings
}

/// The network of a NIR graph.
pub(super) fn graph(path: &Path, arguments: &Arguments, progress: bool) -> Result<Loaded, Failure> {
    let graph = nir::read(path)?;
    let sizes = graph.inputs().map(|(_, node)| node.output_len().unwrap_or_default()).collect();
    let (samples, steps) = samples(arguments, sizes, "a NIR graph")?;
    fits(arguments, graph.inputs().map(|(_, node)| node.output_len().unwrap_or_default()), steps)?;
    let name = name(path);
    let mut options = import::Options {
        dt: arguments.dt,
        method: arguments.method.unwrap_or_default(),
        reset: arguments.reset.unwrap_or_default(),
        comparison: arguments.compare.unwrap_or_default(),
        spike_from: arguments.spike_from.unwrap_or_default(),
        readout: arguments.readout.map(Into::into),
        record: arguments.record.unwrap_or_default(),
        formats: arguments.format.clone(),
        rounding: arguments.rounding.unwrap_or_default(),
        roundings: arguments.round.clone(),
        seed: arguments.seed.unwrap_or_default(),
        calibration: Calibration { samples, ..Calibration::default() },
        ..import::Options::new(name, steps)
    };
    options.calibration.clip_percent = arguments.clip.unwrap_or(options.calibration.clip_percent);
    options.calibration.seed = arguments.seed.unwrap_or(options.calibration.seed);
    let imported = patiently(progress, || import(&graph, &options))
        .map_err(|errors| Failure::Import { path: path.to_owned(), errors })?;
    let warnings = imported.report.warnings.iter().map(|warning| format!("Warning: {warning}\n")).collect();
    let (network, import) = (imported.network, Some(imported.report));
    Ok(Loaded { network, conversions: Vec::new(), drawn: Vec::new(), import, netx: None, warnings })
}

/// The network of a netx file.
pub(super) fn net(path: &Path, arguments: &Arguments, progress: bool) -> Result<Loaded, Failure> {
    let net = netx::read(path)?;
    let size = net.input.iter().product::<u32>() as usize;
    let (samples, steps) = samples(arguments, vec![size], "a netx file")?;
    fits(arguments, std::iter::once(size), steps)?;
    let options = netx::Options {
        name: name(path),
        steps,
        record: arguments.record.unwrap_or_default(),
        samples: samples.into_iter().flatten().collect(),
        seed: arguments.seed.unwrap_or(Calibration::default().seed),
    };
    let imported = patiently(progress, || netx::import(&net, &options))
        .map_err(|problems| NetxError { file: path.to_owned(), problems })?;
    let warnings = imported.report.warnings.iter().map(|warning| format!("Warning: {warning}\n")).collect();
    let (network, netx) = (imported.network, Some(imported.report));
    Ok(Loaded { network, conversions: Vec::new(), drawn: Vec::new(), import: None, netx, warnings })
}

/// What a network is called where its file does not say it.
fn name(path: &Path) -> String {
    path.file_stem().map_or_else(|| "network".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// Refuses runs whose input spikes are beyond a memory: before calibration, which would take as long as such a run does, and as
/// much memory.
fn fits(arguments: &Arguments, sizes: impl Iterator<Item = usize>, steps: u32) -> Result<(), Failure> {
    let words: u64 = sizes.map(|size| size.div_ceil(32) as u64).sum();
    let (needed, available) = (4 * words * u64::from(steps), u64::from(arguments.machine().scalar_bytes));
    if needed > available {
        return Err(Failure::TooLong { steps, needed, available, space: Space::Scalar });
    }
    Ok(())
}

/// The calibration samples of all files together, and the steps of a run.
fn samples(arguments: &Arguments, sizes: Vec<usize>, file: &str) -> Result<(Samples, u32), Failure> {
    let mut target = Target { sizes, steps: arguments.steps };
    let mut all = Samples::new();
    for path in &arguments.calibrate {
        let (samples, steps) = load(path, &target).map_err(|error| Failure::Samples(error.to_string()))?;
        all.extend(samples);
        // The first file decides where the command line does not.
        target.steps = Some(steps);
    }
    let steps = target.steps.ok_or_else(|| {
        Failure::Usage(format!("{file} does not say how many steps a run has; give --steps, or --calibrate"))
    })?;
    Ok((all, steps))
}

/// Does `work`, and if that takes long and somebody is watching, says so.
fn patiently<T>(watched: bool, work: impl FnOnce() -> T) -> T {
    if !watched {
        return work();
    }
    let start = Instant::now();
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut said = false;
            while is_done.recv_timeout(Duration::from_secs(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprint!("\rchoosing number formats by calibration: {} s ", start.elapsed().as_secs());
                said = true;
            }
            if said {
                eprint!("\r\x1b[K");
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// Where the program goes when the command line does not say.
pub(super) fn default_output(network: &Path) -> PathBuf {
    let mut name = network.file_stem().unwrap_or(OsStr::new("network")).to_owned();
    name.push(".elf");
    PathBuf::from(name)
}
