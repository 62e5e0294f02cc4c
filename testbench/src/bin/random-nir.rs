//! `random-nir`: compiles NIR graphs, runs them on the simulator, and compares them with the float reference.

#![allow(clippy::print_stdout, reason = "printing is what this binary does")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fenn_testbench::graph_comparison::{Report, Survey, command, compare};
use fenn_testbench::random_graphs::{Case, Plan, basics, build, of_seed, shrink};

/// Compiles NIR graphs by fenn-cc, runs them on the simulator, and compares them with a float64 interpreter.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  random-nir basics\n  random-nir survey --count 200\n  random-nir run 17 --verbose\n  \
                  random-nir shrink 17\n\nExit codes: 0 all graphs pass, 1 one does not, 2 wrong usage."
)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One small graph for each kind of node and each way of using it.
    Basics {
        /// Everything about each.
        #[arg(long)]
        verbose: bool,
    },
    /// Many random graphs: what fails, by kind of node and by reason.
    Survey {
        /// The first seed.
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// How many.
        #[arg(long, default_value_t = 200)]
        count: u64,
        /// Of those, only graphs without nodes of other kinds than these (and Input and Output), separated by commas.
        #[arg(long, value_delimiter = ',', value_name = "KINDS")]
        only: Vec<String>,
        /// Every report.
        #[arg(long)]
        verbose: bool,
    },
    /// The random graph of a seed; its files stay in out/random-nir/SEED.
    Run {
        /// The seed.
        seed: u64,
        /// The plan and the command line, too.
        #[arg(long)]
        verbose: bool,
    },
    /// The smallest graph that fails like that of a seed.
    Shrink {
        /// The seed.
        seed: u64,
        /// How many graphs to try.
        #[arg(long, default_value_t = 500)]
        attempts: usize,
    },
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match run(Arguments::parse().what) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A folder that stays.
fn folder(name: &str) -> Result<PathBuf, Failure> {
    let folder = fenn_testbench::shared::root().join("out/random-nir").join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn run(what: What) -> Result<bool, Failure> {
    match what {
        What::Basics { verbose } => {
            let mut passes = true;
            for (name, case) in basics() {
                let report = compare(&case, &folder(&name.replace(' ', "-"))?);
                passes &= report.passes();
                let failures = report.failures.join("; ").replace('\n', " ");
                println!(
                    "{name}: {}",
                    if report.passes() { "passes".to_owned() } else { format!("FAILS: {failures}") }
                );
                if verbose {
                    println!("{report}");
                }
            }
            Ok(passes)
        }
        What::Survey { first, count, mut only, verbose } => {
            if !only.is_empty() {
                only.extend(["Input".to_owned(), "Output".to_owned()]);
            }
            let survey = Survey::new(first..first + count, &only)?;
            if verbose {
                survey.reports.iter().for_each(|(seed, report)| println!("seed {seed}\n{report}"));
            }
            print_survey(&survey);
            Ok(survey.failures().next().is_none())
        }
        What::Run { seed, verbose } => {
            let plan = of_seed(seed);
            let folder = folder(&seed.to_string())?;
            let report = show(&plan, &build(&plan), &folder, verbose);
            Ok(report.passes())
        }
        What::Shrink { seed, attempts } => {
            let folder = folder(&format!("{seed}-shrunk"))?;
            let kind = |report: &Report| report.failures.first().map(|text| first_words(text));
            let wanted = kind(&compare(&build(&of_seed(seed)), &folder));
            if wanted.is_none() {
                println!("the graph of seed {seed} passes");
                return Ok(true);
            }
            let plan = shrink(seed, attempts, |plan| kind(&compare(&build(plan), &folder)) == wanted);
            show(&plan, &build(&plan), &folder, true);
            Ok(false)
        }
    }
}

/// A message as far as it is likely to be the same of another graph.
fn first_words(text: &str) -> String {
    text.split(|c: char| c == '`' || c.is_ascii_digit()).next().unwrap_or_default().to_owned()
}

fn show(plan: &Plan, case: &Case, folder: &std::path::Path, verbose: bool) -> Report {
    if verbose {
        println!("{plan:#?}");
        println!("{:?}", case.settings);
        for (from, to) in &case.graph.edges {
            println!("  {from} -> {to}");
        }
        println!("{}", command(case, folder).join(" "));
    }
    let report = compare(case, folder);
    print!("{report}");
    report
}

fn print_survey(survey: &Survey) {
    println!("{:<12} {:>7} {:>7}", "node", "graphs", "failing");
    for (kind, (graphs, failing)) in survey.by_kind() {
        println!("{kind:<12} {graphs:>7} {failing:>7}");
    }
    println!();
    for (reason, seeds) in survey.reasons() {
        let some: Vec<String> = seeds.iter().take(5).map(u64::to_string).collect();
        println!("{:>4} graphs (seeds {}, …): {reason}", seeds.len(), some.join(", "));
    }
    let (mut spikes, mut off, mut exact, mut spread) = (0, 0, 0, 0);
    for (_, report) in &survey.reports {
        exact += usize::from(report.exact && report.passes());
        spread += usize::from(report.judged_by_spread);
        for unit in &report.units {
            spikes += unit.expected;
            off += unit.mismatches;
        }
    }
    let failing = survey.failures().count();
    println!(
        "\n{} graphs, {failing} fail; {exact} are exact, {spread} as far off as the reference from itself; {spikes} spikes compared, \
         {off} steps and neurons off",
        survey.reports.len()
    );
}
