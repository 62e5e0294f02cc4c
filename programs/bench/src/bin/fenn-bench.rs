//! `fenn-bench NAME`: runs a benchmark, prints its figures beside the published ones, writes a page.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this binary does")]

use std::io::{IsTerminal as _, stderr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};
use clap_complete::Shell;
use fenn_bench::PROGRAMS;
use fenn_bench::program::{Failure, Line, Options, Program};
use fenn_isa::file;
use indicatif::{ProgressBar, ProgressStyle};

/// Runs the field's benchmarks: ours beside the published figure, and a page with plots.
///
/// One line a figure: `figure: value unit (gate) ok|MISSED`, and what others published.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  fenn-bench --list\n  fenn-bench numerics\n  fenn-bench all --out out/bench\n  fenn-bench vogels-abbott --json\n\nExit codes: 0 all gates are met, 1 one is missed or a program could not be run, 2 wrong usage."
)]
struct Arguments {
    /// Which benchmarks, or `all`.
    #[arg(required_unless_present_any = ["list", "completions"])]
    names: Vec<String>,
    /// List the benchmarks.
    #[arg(long)]
    list: bool,
    /// Where pages and what is written besides go: DIR/NAME.html and DIR/NAME/.
    #[arg(long, value_name = "DIR", default_value = "out/bench")]
    out: PathBuf,
    /// The reference data.
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
    /// Of everything random; by default each benchmark's own.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads of the host; by default as many as there are cores.
    #[arg(long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// At a size that takes seconds, with fewer gates.
    #[arg(long)]
    small: bool,
    /// Print one JSON document for machines instead.
    #[arg(long)]
    json: bool,
    /// Print a shell's completions.
    #[arg(long, value_name = "SHELL")]
    completions: Option<Shell>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(shell) = arguments.completions {
        clap_complete::generate(shell, &mut Arguments::command(), "fenn-bench", &mut std::io::stdout());
        return ExitCode::SUCCESS;
    }
    if arguments.list {
        let width = PROGRAMS.iter().map(|program| program.name.len()).max().unwrap_or(0);
        for program in PROGRAMS {
            println!("{:width$}  {}", program.name, program.about);
        }
        return ExitCode::SUCCESS;
    }
    let programs = match chosen(&arguments.names) {
        Ok(programs) => programs,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let mut all = true;
    let mut documents = Vec::new();
    for program in programs {
        match run(program, &arguments) {
            Ok((ok, document)) => {
                all &= ok;
                documents.push(document);
            }
            Err(error) => {
                eprintln!("error: {}: {error}", program.name);
                all = false;
            }
        }
    }
    if arguments.json {
        println!("{:#}", serde_json::Value::from(documents));
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The programs of these names.
fn chosen(names: &[String]) -> Result<Vec<&'static Program>, String> {
    if names.iter().any(|name| name == "all") {
        return Ok(PROGRAMS.iter().collect());
    }
    let find = |name: &String| {
        PROGRAMS.iter().find(|program| program.name == name).ok_or_else(|| {
            let all: Vec<&str> = PROGRAMS.iter().map(|program| program.name).collect();
            format!("there is no benchmark `{name}`; there are {}", all.join(", "))
        })
    };
    names.iter().map(find).collect()
}

/// Runs a program, prints its figures unless they are for machines, and writes its page.
fn run(program: &Program, arguments: &Arguments) -> Result<(bool, serde_json::Value), Failure> {
    let folder = arguments.out.join(program.name);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let bar = if stderr().is_terminal() { ProgressBar::new(1000) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("{prefix} {wide_bar} {percent} % {msg}")?);
    bar.set_prefix(program.name);
    let progress = |what: &str, share: f64| {
        bar.set_message(what.to_owned());
        bar.set_position((share.clamp(0.0, 1.0) * 1000.0) as u64);
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options {
        seed: arguments.seed,
        jobs: arguments.jobs.map_or(cores, usize::from),
        small: arguments.small,
        out: &folder,
        data: arguments.data.exists().then(|| arguments.data.clone()),
        progress: &progress,
    };
    let outcome = (program.run)(&options);
    bar.finish_and_clear();
    let outcome = outcome?;
    let page = arguments.out.join(format!("{}.html", program.name));
    file::write_whole(&page, outcome.page(program).as_bytes())?;
    if !arguments.json {
        for Line { figure, published } in &outcome.lines {
            match published {
                Some(published) => println!("{figure} <published: {}, {}>", published.value, published.source),
                None => println!("{figure}"),
            }
        }
        println!("page: {}", page.display());
    }
    Ok((outcome.ok(), outcome.json(program)))
}
