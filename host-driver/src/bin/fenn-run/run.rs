//! `fenn-run run`: a data set through a program.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::ValueHint;
use fenn_host::card::Card;
use fenn_host::dataset::{Dataset, Selection, Shape};
use fenn_host::device::Limit;
use fenn_host::error::{DeviceError, EvaluateError, ExportError, SessionError};
use fenn_host::evaluate::{Evaluation, Options, evaluate};
use fenn_host::open::{Selector, open_at};
use fenn_host::sim::Simulator;
use fenn_host::system::Root;
use fenn_host::{export, report, summary};
use fenn_isa::image::Image;
use fenn_isa::timing::Profile;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{CARD_FAILED, FAULT, Failure, LIMIT, WRONG_FILE, WRONG_USE, not_open, not_usable, print, write};

/// Evaluate a data set with a program, on the simulator or on a card.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A compiled network, made by fenn-cc
    #[arg(value_hint = ValueHint::FilePath)]
    program: PathBuf,

    /// The samples
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    data: PathBuf,

    /// Run on this card, on all its cores or as many as --jobs says; without it on the simulator [see fenn-run list]
    #[arg(long, value_name = "CARD")]
    device: Option<Selector>,

    /// The samples' classes; without them, those of an HDF5 file, or the classes found are printed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    labels: Option<PathBuf>,

    /// Leave out the first N samples: the next one is then sample 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u32,

    /// Run only the first N samples, of those that are not skipped
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    /// Say that a spike list has N samples, where the last ones have no spikes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,

    /// Run N samples at once, where state is reset between samples [default: one per processor, or one per core of a card]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,

    /// Write a report with figures
    #[arg(long, value_name = "OUT.html", value_hint = ValueHint::FilePath)]
    report: Option<PathBuf>,

    /// Show sample K in the report
    #[arg(long, value_name = "K", default_value_t = 0, requires = "report")]
    sample: usize,

    /// Write the outputs' integer codes, a line per sample; where the readout is a mean, their sums over the steps
    #[arg(long, value_name = "FILE.csv", value_hint = ValueHint::FilePath)]
    outputs: Option<PathBuf>,

    /// Write what the program records of all samples, as NumPy arrays
    #[arg(long, value_name = "FILE.npz", value_hint = ValueHint::FilePath)]
    recordings: Option<PathBuf>,

    /// Hand over N samples per launch, where the program takes so many, and none while it runs [default: as many as it takes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,

    /// Print the results as JSON
    #[arg(long)]
    json: bool,

    /// Stop a run after N instructions
    #[arg(long, value_name = "N", default_value_t = Limit::default().instructions)]
    max_instructions: u64,

    /// Stop a run after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = Limit::default().time.as_secs())]
    timeout: u64,

    /// On a simulated machine, make accesses that the board carries out in its own way faults: misaligned, or beyond the end
    #[arg(long)]
    strict: bool,

    /// Whose cycles a simulated machine counts: this project's core, the published one, or one for every instruction [default: fenn]
    #[arg(long, value_name = "NAME", value_parser = Profile::by_name)]
    profile: Option<&'static Profile>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let (program, data) = (&args.program, &args.data);
    let image = Image::read(program).map_err(|error| Failure(WRONG_FILE, error.to_string()))?;
    let about_program = |error: EvaluateError| failure(program, &error);
    let manifest = image.manifest.as_ref().ok_or(SessionError::NoManifest);
    let manifest = manifest.map_err(|error| about_program(error.into()))?;
    let shape = Shape::from(manifest);
    if shape.classes == 0 {
        return Err(about_program(EvaluateError::NoOutput));
    }
    let samples = manifest.batch.samples;
    if let Some(batch) = args.batch.filter(|batch| *batch > samples) {
        return Err(about_program(SessionError::Samples { samples: to_usize(batch), most: samples }.into()));
    }
    if args.recordings.is_some() && manifest.recordings.is_empty() {
        return Err(Failure(WRONG_FILE, format!("{}: {}", program.display(), ExportError::Nothing)));
    }
    let selection =
        Selection { samples: args.samples.map(to_usize), skip: to_usize(args.skip), limit: args.limit.map(to_usize) };
    let dataset = Dataset::read(data, args.labels.as_deref(), &shape, selection);
    let dataset = dataset.map_err(|error| Failure(WRONG_FILE, error.to_string()))?;
    let evaluation = evaluate_all(args, &image, &dataset)?;
    if let Some(path) = &args.outputs {
        write(path, summary::outputs(&evaluation).as_bytes())?;
    }
    if let Some(path) = &args.recordings {
        let bytes =
            export::npz(&evaluation).map_err(|error| Failure(WRONG_FILE, format!("{}: {error}", program.display())))?;
        write(path, &bytes)?;
    }
    if let Some(path) = &args.report {
        write(path, report::html(&evaluation).as_bytes())?;
    }
    if dataset.coinciding() > 0 {
        let count = dataset.coinciding();
        let _ = writeln!(
            std::io::stderr(),
            "fenn-run: note: {count} spikes of {} were dropped: the same unit has another one in the same step",
            data.display()
        );
    }
    let late = dataset.late();
    if late.spikes > 0 {
        let _ = writeln!(
            std::io::stderr(),
            "fenn-run: note: {} spikes of {} of the {} samples from {} were left out: they come after the run's {} steps",
            late.spikes,
            late.samples,
            dataset.len(),
            data.display(),
            shape.steps
        );
    }
    print(&if args.json { format!("{:#}\n", summary::json(&evaluation)) } else { summary::text(&evaluation) })
}

fn evaluate_all(args: &Args, image: &Image, dataset: &Dataset) -> Result<Evaluation, Failure> {
    let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut options = Options {
        jobs: args.jobs.map_or_else(processors, usize::from),
        limit: Limit { instructions: args.max_instructions, time: Duration::from_secs(args.timeout) },
        capture: args.report.is_some().then_some(args.sample),
        batch: args.batch.map(to_usize),
        record: args.recordings.is_some(),
    };
    let profile = args.profile.copied().unwrap_or(fenn_isa::timing::FENN);
    let machine = fenn_iss::Options { strict: args.strict, profile, ..fenn_iss::Options::default() };
    let bar = progress_bar(dataset.len());
    let progress = |done| bar.set_position(bar.position().max(done as u64));
    let evaluation = match &args.device {
        None => evaluate(image, dataset, || Simulator::with_options(image.config, machine), options, progress),
        Some(selector) => {
            if !matches!(selector, Selector::Sim(_)) && (args.strict || args.profile.is_some()) {
                let message = format!("--strict and --profile are for simulated machines, and {selector} is none");
                return Err(Failure(WRONG_USE, message));
            }
            let transport = open_at(selector, &Root::default(), machine).map_err(|error| not_open(&error))?;
            let card = Card::open(transport).map_err(|error| not_usable(selector, &error))?;
            let cores = to_usize(card.identity().cores);
            options.jobs = args.jobs.map_or(cores, |jobs| usize::from(jobs).min(cores));
            let next = AtomicU32::new(0);
            let open = || Ok(card.core(next.fetch_add(1, Ordering::Relaxed))?);
            evaluate(image, dataset, open, options, progress)
        }
    };
    bar.finish_and_clear();
    evaluation.map_err(|error| failure(&args.program, &error))
}

/// A bar on standard error, if that is a terminal.
pub(crate) fn progress_bar(samples: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(samples as u64);
    match ProgressStyle::with_template("{bar:40} {pos} of {len} samples, {per_sec}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What went wrong with a program, and the exit code for it.
pub(crate) fn failure(program: &Path, error: &EvaluateError) -> Failure {
    let code = match error.device() {
        Some(DeviceError::Fault { .. } | DeviceError::Breakpoint { .. }) => FAULT,
        Some(DeviceError::Limit { .. }) => LIMIT,
        Some(
            DeviceError::Transport(_)
            | DeviceError::Bus { .. }
            | DeviceError::Card(_)
            | DeviceError::Interrupted { .. },
        ) => CARD_FAILED,
        _ => WRONG_FILE,
    };
    let hint = match code {
        LIMIT => " (see --max-instructions and --timeout)",
        _ => "",
    };
    Failure(code, format!("{}: {error}{hint}", program.display()))
}

pub(crate) const fn to_usize(number: u32) -> usize {
    number as usize
}
