//! `fenn-run profile`: where a program's time goes, and what became better from one profile to another.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueHint;
use fenn_host::dataset::{Dataset, Selection, Shape};
use fenn_host::device::Limit;
use fenn_host::error::EvaluateError;
use fenn_host::profile::{self, Options, Profile, ProfileError};
use fenn_isa::image::Image;
use fenn_isa::timing;
use serde_json::Value;

use crate::run::{failure, progress_bar, to_usize};
use crate::{Failure, WRONG_FILE, WRONG_USE, print, write};

/// A longer file is no source.
const LONGEST_SOURCE: u64 = 16 << 20;

pub(crate) const HELP: &str = "\
The program is run on the simulator, which sees every instruction. A compiled network says itself what its \
    parts do; of one whose spikes stay in registers the counts of spikes and synaptic operations are missing, \
    until it is compiled with --record spikes. A program from fenn-as needs no data: it is run once, its phases \
    are those of symbols phase.NAME, and the heat map is over its source, if that can be read.

Examples:
  fenn-run profile mnist.elf --data images.gz --labels labels.gz --limit 100 --report profile.html
  fenn-run profile braille.elf --data sample0.csv --json
  fenn-run profile net.elf --data spikes.npy --out after.json
  fenn-run profile --compare before.json after.json --report difference.html
  fenn-run profile kernel.elf --report kernel.html";

/// Count where a program's time goes, what its network does, and NeuroBench's metrics; or compare two such profiles.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A compiled network, made by fenn-cc, or a program of fenn-as
    #[arg(value_hint = ValueHint::FilePath, required_unless_present = "compare")]
    program: Option<PathBuf>,

    /// The samples; for compiled networks
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    data: Option<PathBuf>,

    /// Compare two profiles that --out has written: what is better and what is worse in the second
    #[arg(long, value_names = ["BEFORE.json", "AFTER.json"], num_args = 2, value_hint = ValueHint::FilePath,
        conflicts_with_all = ["program", "data", "labels", "limit", "samples", "jobs", "max_instructions", "timeout", "strict",
        "machine", "execution_rate"])]
    compare: Option<Vec<PathBuf>>,

    /// The samples' classes
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "data")]
    labels: Option<PathBuf>,

    /// Run only the first N samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "data")]
    limit: Option<u32>,

    /// Say that a spike list has N samples, where the last ones have no spikes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "data")]
    samples: Option<u32>,

    /// Run N samples at once, where state is reset between samples [default: one per processor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,

    /// Write a page
    #[arg(long, value_name = "OUT.html", value_hint = ValueHint::FilePath)]
    report: Option<PathBuf>,

    /// Write the profile, or the comparison, as JSON
    #[arg(long, value_name = "OUT.json", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// How many samples per second the task asks for: NeuroBench's model execution rate, which no program knows
    #[arg(long, value_name = "HZ", value_parser = rate)]
    execution_rate: Option<f64>,

    /// Stop a run after N instructions
    #[arg(long, value_name = "N", default_value_t = Limit::default().instructions)]
    max_instructions: u64,

    /// Stop a run after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = Limit::default().time.as_secs())]
    timeout: u64,

    /// Make accesses that the board carries out in its own way faults: misaligned, or beyond the end
    #[arg(long)]
    strict: bool,

    /// Whose cycles are counted: this project's core, the published one, or one for every instruction [default: fenn]
    #[arg(long, value_name = "NAME", value_parser = timing::Profile::by_name)]
    machine: Option<&'static timing::Profile>,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("a rate is a positive number of samples per second".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if let Some([before, after]) = args.compare.as_deref() {
        return compare(args, before, after);
    }
    // Where clap demands a program unless there is something to compare.
    let Some(program) = &args.program else { return Ok(()) };
    let profile = measure(args, program)?;
    let json = profile.to_json().map_err(|error| Failure(WRONG_FILE, error.to_string()))?;
    if let Some(path) = &args.out {
        write(path, format!("{json}\n").as_bytes())?;
    }
    if let Some(path) = &args.report {
        write(path, profile::page(&profile).as_bytes())?;
    }
    print(&if args.json { format!("{json}\n") } else { profile::text(&profile) })
}

fn measure(args: &Args, program: &Path) -> Result<Profile, Failure> {
    let image = Image::read(program).map_err(|error| Failure(WRONG_FILE, error.to_string()))?;
    let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let profile = args.machine.copied().unwrap_or(timing::FENN);
    let options = Options {
        jobs: args.jobs.map_or_else(processors, usize::from),
        limit: Limit { instructions: args.max_instructions, time: Duration::from_secs(args.timeout) },
        machine: fenn_iss::Options { strict: args.strict, profile, ..fenn_iss::Options::default() },
        execution_rate_hz: args.execution_rate,
    };
    let folder = program.parent().unwrap_or(Path::new(""));
    let source = |name: &str| text_of(Path::new(name)).or_else(|| text_of(&folder.join(name)));
    let Some(manifest) = &image.manifest else {
        if let Some(data) = &args.data {
            let message = format!(
                "{}: this is no compiled network, so there is nothing to do with {}",
                program.display(),
                data.display()
            );
            return Err(Failure(WRONG_USE, message));
        }
        return profile::profile_once(&image, &options, source).map_err(|error| not_profiled(program, error));
    };
    let Some(data) = &args.data else {
        let message = format!("{}: a compiled network needs samples: --data FILE", program.display());
        return Err(Failure(WRONG_USE, message));
    };
    let shape = Shape::from(manifest);
    if shape.classes == 0 {
        return Err(failure(program, &EvaluateError::NoOutput));
    }
    let selection =
        Selection { samples: args.samples.map(to_usize), limit: args.limit.map(to_usize), ..Selection::default() };
    let dataset = Dataset::read(data, args.labels.as_deref(), &shape, selection);
    let dataset = dataset.map_err(|error| Failure(WRONG_FILE, error.to_string()))?;
    let bar = progress_bar(dataset.len());
    let progress = |done| bar.set_position(bar.position().max(done as u64));
    let found = profile::profile(&image, &dataset, &options, source, progress);
    bar.finish_and_clear();
    found.map_err(|error| not_profiled(program, error))
}

fn not_profiled(program: &Path, error: ProfileError) -> Failure {
    match error {
        ProfileError::Evaluate(error) => failure(program, &error),
        // A device that fails without an evaluation is said what one in an evaluation is.
        ProfileError::Device(error) => failure(program, &EvaluateError::Session(error.into())),
        error => Failure(WRONG_FILE, format!("{}: {error}", program.display())),
    }
}

/// The text of an ordinary file of a source's length.
fn text_of(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > LONGEST_SOURCE {
        return None;
    }
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn compare(args: &Args, before: &Path, after: &Path) -> Result<(), Failure> {
    let read = |path: &Path| {
        let wrong = |error: &dyn std::fmt::Display| Failure(WRONG_FILE, format!("{}: {error}", path.display()));
        let bytes = fenn_host::file::read(path).map_err(|error| wrong(&error))?;
        let bytes = bytes.ok_or_else(|| wrong(&"this file is too long for a profile"))?;
        Profile::from_json(&bytes).map_err(|error| wrong(&error))
    };
    let comparison = profile::compare(&read(before)?, &read(after)?);
    let json = serde_json::to_value(&comparison).unwrap_or(Value::Null);
    if let Some(path) = &args.out {
        write(path, format!("{json:#}\n").as_bytes())?;
    }
    if let Some(path) = &args.report {
        write(path, profile::comparison_page(&comparison).as_bytes())?;
    }
    print(&if args.json { format!("{json:#}\n") } else { profile::comparison_text(&comparison) })
}
