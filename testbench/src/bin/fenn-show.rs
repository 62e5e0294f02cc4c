//! `fenn-show TOPIC`: measures the figures the project promises and prints each beside its gate.

#![allow(clippy::print_stdout, reason = "printing is what this binary does")]

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use fenn_testbench::part::Part;
use fenn_testbench::{assembler_figures, keystone, rtl_figures, simulator_figures};

/// Measures the figures the project promises, then and there, and prints each beside its gate.
///
/// One line a figure: `figure: value unit (gate) ok|MISSED`. Exit code 1 where a gate is missed.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  fenn-show keystone\n\nExit codes: 0 all gates are met, 1 one is missed, 2 wrong usage."
)]
struct Arguments {
    /// Which figures.
    topic: Topic,
}

#[derive(Clone, Copy, ValueEnum)]
enum Topic {
    /// A trained network runs end to end, from file to accuracy.
    Keystone,
    /// The assembler, and what its kernels compute.
    Assembler,
    /// The simulator beside its witnesses.
    Simulator,
    /// The SystemVerilog core, beside the simulator.
    Rtl,
}

fn main() -> ExitCode {
    let parts: &[Part] = match Arguments::parse().topic {
        Topic::Keystone => &keystone::PARTS,
        Topic::Assembler => &assembler_figures::PARTS,
        Topic::Simulator => &simulator_figures::PARTS,
        Topic::Rtl => &rtl_figures::PARTS,
    };
    let mut missed = 0;
    for figure in parts.iter().flat_map(|part| part.figures()) {
        println!("{figure}");
        missed += usize::from(!figure.ok());
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
