//! `fenn-show TOPIC`: measures the figures the project promises and prints each beside its gate.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use fenn_testbench::figure::Figure;
use fenn_testbench::keystone;

/// Measures the figures the project promises, then and there, and prints each beside its gate.
///
/// One line a figure: `figure: value unit (gate) ok|MISSED`. Exit code 1 where a gate is missed.
#[derive(Parser)]
#[command(version, after_help = "Example:\n  fenn-show keystone\n\nExit codes: 0 all gates are met, 1 one is missed, 2 wrong usage.")]
struct Arguments {
    /// Which figures.
    topic: Topic,
}

#[derive(Clone, Copy, ValueEnum)]
enum Topic {
    /// A trained network runs end to end, from file to accuracy.
    Keystone,
}

fn main() -> ExitCode {
    let mut report = |figure: &Figure| println!("{figure}");
    let figures = match Arguments::parse().topic {
        Topic::Keystone => keystone::figures(&mut report),
    };
    if figures.iter().all(Figure::ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
