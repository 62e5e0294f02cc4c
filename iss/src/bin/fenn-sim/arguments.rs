//! The command line.

use std::path::PathBuf;

use clap::Parser;
use fenn_isa::timing::Profile;

pub(crate) const HELP: &str = "\
Places are SPACE:ADDRESS. SPACE is instruction, scalar, vector, lane or dram; ADDRESS is a number or a symbol of the \
program. LENGTH counts bytes and may be left out for a symbol that has a size. FORMAT is hex (the default), i16, u16, \
i32, u32 or a fixed-point format such as s5.10. Lane-local memory is seen row by row: byte address a of lane l is at \
32*(a & ~1) + 2*l.

Cycles are exact, as the core that --profile names counts them; the manual has its timing table.

Examples:
  fenn-sim program.elf
  fenn-sim program.elf --stats --dump vector:potential:128:s5.10
  fenn-sim program.elf --write scalar:spikes:spikes.bin --dump-file scalar:out:64:out.bin
  fenn-sim program.elf --trace - --max-instructions 100

Exit codes:
  0  the program ended: ecall, or its ready flag
  1  a file could not be read or written, or is no program
  2  wrong usage
  3  the program trapped, or stopped at ebreak
  4  the instruction limit was reached";

/// Runs a FeNN program on the simulator.
#[derive(Debug, Parser)]
#[command(version, after_help = HELP)]
pub(crate) struct Arguments {
    /// The program, an ELF file made by fenn-as or fenn-cc.
    #[arg(required_unless_present = "completions")]
    pub(crate) program: Option<PathBuf>,
    /// Trap where a board carries on: misaligned scalar accesses, addresses beyond the end, odd lane-local addresses.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Whose timing: this project's core, the published one, or one cycle for every instruction.
    #[arg(long, value_name = "NAME", default_value = fenn_isa::timing::FENN.name, value_parser = Profile::by_name)]
    pub(crate) profile: &'static Profile,
    /// Stop after N instructions; without it an endless program runs for ever.
    #[arg(long, value_name = "N")]
    pub(crate) max_instructions: Option<u64>,
    /// Print how often each instruction was executed.
    #[arg(long)]
    pub(crate) stats: bool,
    /// Write a line per instruction to FILE, `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Print a part of a memory after the run.
    #[arg(long, value_name = "SPACE:ADDRESS:LENGTH[:FORMAT]")]
    pub(crate) dump: Vec<String>,
    /// Write a part of a memory to a file after the run, byte for byte.
    #[arg(long, value_name = "SPACE:ADDRESS:LENGTH:FILE")]
    pub(crate) dump_file: Vec<String>,
    /// Fill memory with a file's bytes before the run.
    #[arg(long, value_name = "SPACE:ADDRESS:FILE")]
    pub(crate) write: Vec<String>,
    /// Print the registers after the run.
    #[arg(long)]
    pub(crate) registers: bool,
    /// Print everything as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print completions for a shell and do nothing else.
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub(crate) completions: Option<clap_complete::Shell>,
}
