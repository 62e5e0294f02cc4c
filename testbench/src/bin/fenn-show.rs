//! `fenn-show TOPIC`: measures the figures the project promises and prints each beside its gate.

#![allow(clippy::print_stdout, reason = "printing is what this binary does")]

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use fenn_testbench::part::Part;
use fenn_testbench::{assembler_figures, compiler_figures, host_figures, keystone, rtl_figures, simulator_figures};

/// Measures the figures the project promises, then and there, and prints each beside its gate.
///
/// One line a figure: `figure: value unit (gate) ok|MISSED`. Exit code 1 where a gate is missed.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  fenn-show keystone\n  fenn-show compiler --only Abbott\n\nExit codes: 0 all gates are met, 1 one is missed, 2 wrong usage."
)]
struct Arguments {
    /// Which figures.
    topic: Topic,
    /// Of those, only parts with this in their names.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Topic {
    /// A trained network runs end to end, from file to accuracy.
    Keystone,
    /// The assembler, and what its kernels compute.
    Assembler,
    /// What compiled networks cost and compute.
    Compiler,
    /// The simulator beside its witnesses.
    Simulator,
    /// The SystemVerilog core, beside the simulator.
    Rtl,
    /// The host driver, down to the SoC.
    Host,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let parts: &[Part] = match arguments.topic {
        Topic::Keystone => &keystone::PARTS,
        Topic::Assembler => &assembler_figures::PARTS,
        Topic::Compiler => &compiler_figures::PARTS,
        Topic::Simulator => &simulator_figures::PARTS,
        Topic::Rtl => &rtl_figures::PARTS,
        Topic::Host => &host_figures::PARTS,
    };
    let mut missed = 0;
    let parts = parts.iter().filter(|part| arguments.only.as_deref().is_none_or(|only| part.name.contains(only)));
    for figure in parts.flat_map(Part::figures) {
        println!("{figure}");
        missed += usize::from(!figure.ok());
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
