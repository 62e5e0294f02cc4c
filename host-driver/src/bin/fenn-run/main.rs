//! `fenn-run`: evaluates a data set with a program.
//!
//! What the user typed is [`Args`]; everything else is the library's. Only this file prints, and the exit codes are
//! those that its help documents.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, ValueHint};
use clap_complete::Shell;
use fenn_host::dataset::{Dataset, Selection, Shape};
use fenn_host::device::Limit;
use fenn_host::error::{DeviceError, EvaluateError, ExportError, SessionError};
use fenn_host::evaluate::{Evaluation, Options, evaluate};
use fenn_host::sim::Simulator;
use fenn_host::{export, report, summary};
use fenn_isa::image::Image;
use fenn_isa::timing::Profile;
use indicatif::{ProgressBar, ProgressStyle};

/// An input file is wrong, or an output file cannot be written.
const WRONG_FILE: u8 = 1;
/// The program stopped with a fault.
const FAULT: u8 = 3;
/// A limit was reached.
const LIMIT: u8 = 4;

const AFTER_HELP: &str = "\
Data files:
  IDX (also gzipped)   images, for programs with a latency code
  NPY                  [spikes, 3] rows of sample, step, unit; or [samples, steps, units] of 0 and 1
  CSV                  a table of 0 and 1, a line per step and a column per input unit;
                       or lines step,unit or sample,step,unit; or any order below a header
                       with the names sample, step (or time_ms), unit
Labels: IDX, NPY or CSV with one number per sample.

Examples:
  fenn-run mnist.elf --data t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz
  fenn-run yin-yang.elf --data spikes.npy --labels labels.npy --jobs 2 --report report.html
  fenn-run braille.elf --data sample0.csv --report sample0.html
  fenn-run mnist.elf --data images.gz --limit 1000 --outputs v_avg.csv --json
  fenn-run recorded.elf --data spikes.npy --batch 4 --recordings recorded.npz

Exit status:
  0  every sample has been run
  1  a file is wrong or cannot be written; the message says which and where
  2  the command line is wrong
  3  the program stopped with a fault, or at a breakpoint
  4  the program did not end within its limits";

/// Evaluate a data set with a program, on the simulator.
#[derive(Debug, Parser)]
#[command(name = "fenn-run", version, after_help = AFTER_HELP)]
struct Args {
    /// A compiled network, made by fenn-cc
    #[arg(required_unless_present = "completions", value_hint = ValueHint::FilePath)]
    program: Option<PathBuf>,

    /// The samples
    #[arg(long, value_name = "FILE", required_unless_present = "completions", value_hint = ValueHint::FilePath)]
    data: Option<PathBuf>,

    /// The samples' classes; without them, the classes found are printed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    labels: Option<PathBuf>,

    /// Run only the first N samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    /// Say that a spike list has N samples, where the last ones have no spikes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,

    /// Run N samples at once, where state is reset between samples [default: one per processor]
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

    /// Hand over N samples per launch, where the program takes so many [default: as many as it takes]
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

    /// Make accesses that the board carries out in its own way faults: misaligned, or beyond the end
    #[arg(long)]
    strict: bool,

    /// Whose cycles the simulator counts: this project's core, the published one, or one for every instruction
    #[arg(long, value_name = "NAME", default_value = fenn_isa::timing::FENN.name, value_parser = Profile::by_name)]
    profile: &'static Profile,

    /// Print a completion script for this shell
    #[arg(long, value_name = "SHELL", exclusive = true)]
    completions: Option<Shell>,
}

/// A message for the user, and the exit code.
struct Failure(u8, String);

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(code, message)) => {
            // Where not even this can be written there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "fenn-run: {message}");
            ExitCode::from(code)
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Args::command(), "fenn-run", &mut script);
        return print(&String::from_utf8_lossy(&script));
    }
    // The parser has seen to it that both are there.
    let (Some(program), Some(data)) = (&args.program, &args.data) else { return Ok(()) };
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
    let selection = Selection { samples: args.samples.map(to_usize), limit: args.limit.map(to_usize) };
    let dataset = Dataset::read(data, args.labels.as_deref(), &shape, selection);
    let dataset = dataset.map_err(|error| Failure(WRONG_FILE, error.to_string()))?;
    let evaluation = evaluate_all(args, &image, &dataset).map_err(about_program)?;
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
    print(&if args.json { format!("{:#}\n", summary::json(&evaluation)) } else { summary::text(&evaluation) })
}

fn evaluate_all(args: &Args, image: &Image, dataset: &Dataset) -> Result<Evaluation, EvaluateError> {
    let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = Options {
        jobs: args.jobs.map_or_else(processors, usize::from),
        limit: Limit { instructions: args.max_instructions, time: Duration::from_secs(args.timeout) },
        capture: args.report.is_some().then_some(args.sample),
        batch: args.batch.map(to_usize),
        record: args.recordings.is_some(),
    };
    let machine = fenn_iss::Options { strict: args.strict, profile: *args.profile, ..fenn_iss::Options::default() };
    let bar = progress_bar(dataset.len());
    let open = || Simulator::with_options(image.config, machine);
    let evaluation = evaluate(image, dataset, open, options, |done| bar.set_position(bar.position().max(done as u64)));
    bar.finish_and_clear();
    evaluation
}

/// A bar on standard error, if that is a terminal.
fn progress_bar(samples: usize) -> ProgressBar {
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
fn failure(program: &Path, error: &EvaluateError) -> Failure {
    let code = match error.device() {
        Some(DeviceError::Fault { .. } | DeviceError::Breakpoint { .. }) => FAULT,
        Some(DeviceError::Limit { .. }) => LIMIT,
        _ => WRONG_FILE,
    };
    let hint = match code {
        LIMIT => " (see --max-instructions and --timeout)",
        _ => "",
    };
    Failure(code, format!("{}: {error}{hint}", program.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let wrong = |error| Failure(WRONG_FILE, format!("cannot write {}: {error}", path.display()));
    fenn_isa::file::write_whole(path, bytes).map_err(wrong)
}

/// Prints, and takes a closed pipe for an answer: whoever reads has seen enough.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure(WRONG_FILE, format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

const fn to_usize(number: u32) -> usize {
    number as usize
}
