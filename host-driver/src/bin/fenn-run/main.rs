//! `fenn-run`: runs programs, on the simulator or on a card, and looks after cards.
//!
//! What the user typed is [`Args`]; everything else is the library's. Only this program's files print, and the exit codes are
//! those that its help documents.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use fenn_host::error::CardError;
use fenn_host::open::{OpenError, Selector};

mod bench;
mod cards;
mod memory;
mod profile;
mod run;

/// An input file is wrong, or an output file cannot be written.
const WRONG_FILE: u8 = 1;
/// The command line is wrong.
const WRONG_USE: u8 = 2;
/// The program stopped with a fault.
const FAULT: u8 = 3;
/// A limit was reached.
const LIMIT: u8 = 4;
/// There is no way to the card, or it is not one that can be used.
const NO_CARD: u8 = 5;
/// The card, or the way to it, failed on the way.
const CARD_FAILED: u8 = 6;
/// The doctor found something.
const PROBLEMS: u8 = 7;

/// What an exit code means, for every command's help.
const EXIT_STATUS: &str = "\
Exit status:
  0  it was done; of a run, every sample
  1  a file is wrong or cannot be written; the message says which and where
  2  the command line is wrong
  3  the program stopped with a fault, or at a breakpoint
  4  the program did not end within its limits
  5  the card cannot be opened, or was not made for this version
  6  the card or the way to it failed: refused, timed out, lost, or not what was written
  7  doctor found a problem";

const CARDS: &str = "\
Cards:
  sim, sim:4            a simulated card, with as many cores
  rtl, rtl:soc_two      simulated hardware, by the program fenn-card, and which
  xdma0                 a card behind Xilinx' XDMA driver
  vfio:0000:03:00.0     a card bound to vfio-pci
  vfio-user:/run/card   a card behind a vfio-user socket
  uio:0                 a Zynq or Kria board";

const RUN_HELP: &str = "\
Data files:
  IDX (also gzipped)   images, for programs with a latency code
  NPY                  [spikes, 3] rows of sample, step, unit; or [samples, steps, units] of 0 and 1
  CSV                  a table of 0 and 1, a line per step and a column per input unit;
                       or lines step,unit or sample,step,unit; or any order below a header
                       with the names sample, step (or time_ms), unit
Labels: IDX, NPY or CSV with one number per sample.

On a card, a program made with fenn-cc --stream is given samples and gives results while others
run, unless --batch, --recordings or --report asks for launches; the summary says which.

Examples:
  fenn-run mnist.elf --data t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz
  fenn-run yin-yang.elf --data spikes.npy --labels labels.npy --jobs 2 --report report.html
  fenn-run braille.elf --data sample0.csv --report sample0.html
  fenn-run mnist.elf --data images.gz --limit 1000 --outputs v_avg.csv --json
  fenn-run recorded.elf --data spikes.npy --batch 4 --recordings recorded.npz";

/// Run programs on the simulator or on a card, and look after cards.
#[derive(Debug, Parser)]
#[command(name = "fenn-run", version, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Print a completion script for this shell
    #[arg(long, value_name = "SHELL", exclusive = true)]
    completions: Option<Shell>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Profile(Box<profile::Args>),
    List(cards::ListArgs),
    Info(cards::InfoArgs),
    Bench(bench::Args),
    Doctor(cards::DoctorArgs),
    Mem(memory::Args),
}

/// The commands' names.
const COMMANDS: [&str; 8] = ["run", "profile", "list", "info", "bench", "doctor", "mem", "help"];

/// A message for the user, and the exit code.
struct Failure(u8, String);

fn main() -> ExitCode {
    let help = |examples: &str| format!("{examples}\n\n{CARDS}\n\n{EXIT_STATUS}");
    let mut command = Args::command().after_help(help(
        "Without a command, what follows is `run`: fenn-run net.elf --data spikes.npy. For a program that is called like a \
         command, write fenn-run run list.\n\n\
         Examples:\n  fenn-run mnist.elf --data images.gz --labels labels.gz\n  fenn-run list\n  fenn-run info --device xdma0\n  \
         fenn-run doctor",
    ));
    for (name, examples) in [
        ("run", RUN_HELP),
        ("profile", profile::HELP),
        ("list", cards::LIST_HELP),
        ("info", cards::INFO_HELP),
        ("bench", bench::HELP),
        ("doctor", cards::DOCTOR_HELP),
        ("mem", memory::HELP),
    ] {
        command = command.mut_subcommand(name, |command| command.after_help(help(examples)));
    }
    let matches = command.get_matches_from(with_command(std::env::args_os().collect()));
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match act(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(code, message)) => {
            // Where not even this can be written there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "fenn-run: {message}");
            ExitCode::from(code)
        }
    }
}

/// The arguments with the command `run` where there is none.
fn with_command(mut arguments: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    const OF_ALL: [&str; 5] = ["-h", "--help", "-V", "--version", "--completions"];
    let first = arguments.get(1).map(|first| first.to_string_lossy().into_owned());
    let is_own =
        |first: &str| COMMANDS.contains(&first) || OF_ALL.contains(&first) || first.starts_with("--completions=");
    if first.is_some_and(|first| !is_own(&first)) {
        arguments.insert(1, "run".into());
    }
    arguments
}

fn act(args: &Args) -> Result<(), Failure> {
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Args::command(), "fenn-run", &mut script);
        return print(&String::from_utf8_lossy(&script));
    }
    match &args.command {
        Some(Command::Run(args)) => run::run(args),
        Some(Command::Profile(args)) => profile::run(args),
        Some(Command::List(args)) => cards::list(args),
        Some(Command::Info(args)) => cards::info(args),
        Some(Command::Bench(args)) => bench::run(args),
        Some(Command::Doctor(args)) => cards::doctor(args),
        Some(Command::Mem(args)) => memory::run(args),
        // Without anything, clap has shown the help.
        None => Ok(()),
    }
}

/// What to say of a card to which there is no way.
fn not_open(error: &OpenError) -> Failure {
    Failure(NO_CARD, error.to_string())
}

/// What to say of a card that cannot be used.
fn not_usable(selector: &Selector, error: &CardError) -> Failure {
    let code = if matches!(error, CardError::Transport(_)) { CARD_FAILED } else { NO_CARD };
    Failure(code, format!("{selector}: {error}"))
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
