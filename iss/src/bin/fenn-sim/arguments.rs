//! The command line.

use std::num::ParseIntError;
use std::path::PathBuf;

use clap::Parser;
use fenn_isa::timing::{DramTiming, PUBLISHED_DRAM, Profile};

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
  fenn-sim program.elf --hot hot.txt --heatmap heat.html --phases
  fenn-sim program.elf --check --write scalar:spikes:spikes.bin
  fenn-sim program.elf --until step --registers
  fenn-sim program.elf --trace-binary run.trace
  fenn-sim --read-trace run.trace
  fenn-sim program.elf --gdb 1234
  fenn-sim program.elf --until step --snapshot early.snap
  fenn-sim program.elf --restore early.snap --dump vector:potential:128:s5.10

Exit codes:
  0  the program ended, with ecall or its ready flag, or came to where --until stops it
  1  a file could not be read or written, or is no program
  2  wrong usage
  3  the program trapped, or stopped at ebreak
  4  the instruction limit or the cycle limit was reached
  5  the program ended, and --check found errors
  6  the debugger killed the program";

/// Runs a FeNN program on the simulator.
#[derive(Debug, Parser)]
#[command(version, after_help = HELP)]
pub(crate) struct Arguments {
    /// The program, an ELF file made by fenn-as or fenn-cc; with --restore only its symbols and lines are used.
    #[arg(required_unless_present_any = ["completions", "read_trace", "restore"])]
    pub(crate) program: Option<PathBuf>,
    /// Trap where a board carries on: misaligned scalar accesses, addresses beyond the end, odd lane-local addresses.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Whose timing: this project's core, the published one, or one cycle for every instruction.
    #[arg(long, value_name = "NAME", default_value = fenn_isa::timing::FENN.name, value_parser = Profile::by_name)]
    pub(crate) profile: &'static Profile,
    /// Cycles from starting a DMA transfer until its first byte moves, instead of the profile's.
    #[arg(long, value_name = "CYCLES")]
    pub(crate) dram_latency: Option<u32>,
    /// Bytes that DRAM moves in a cycle, instead of the profile's: a divisor or a multiple of 64.
    #[arg(long, value_name = "BYTES", value_parser = dram_width)]
    pub(crate) dram_bytes_per_cycle: Option<u32>,
    /// Stop after N instructions; without it an endless program runs for ever.
    #[arg(long, value_name = "N")]
    pub(crate) max_instructions: Option<u64>,
    /// Stop after the instruction with which N cycles have passed.
    #[arg(long, value_name = "N")]
    pub(crate) max_cycles: Option<u64>,
    /// Stop before an instruction, given by its address or a symbol of the program; can be given several times. The
    /// program's first instruction is executed in any case.
    #[arg(long, value_name = "SYMBOL|ADDRESS")]
    pub(crate) until: Vec<String>,
    /// Print how often each instruction was executed, and the cycles lost by cause.
    #[arg(long)]
    pub(crate) stats: bool,
    /// Write a line per instruction to FILE, `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Write the same to FILE in a quarter of the space or less, to be read with --read-trace.
    #[arg(long, value_name = "FILE")]
    pub(crate) trace_binary: Option<PathBuf>,
    /// Print a trace that --trace-binary wrote as --trace would have, and do nothing else.
    #[arg(long, value_name = "FILE", exclusive = true)]
    pub(crate) read_trace: Option<PathBuf>,
    /// Write which symbols and lines of source the cycles went to: a table (.txt), an object (.json), a page (.html), or
    /// stacks of calls for flame graphs (.folded).
    #[arg(long, value_name = "FILE")]
    pub(crate) hot: Vec<PathBuf>,
    /// Write the source with what each line cost as a page (.html) or text (.txt), `-` for text on standard output.
    /// Sources are looked for where the program names them, then beside the program.
    #[arg(long, value_name = "FILE")]
    pub(crate) heatmap: Vec<PathBuf>,
    /// Print what each phase cost; a symbol `phase.NAME` of the program's code begins one.
    #[arg(long)]
    pub(crate) phases: bool,
    /// Look for reads of memory that nobody wrote, addresses that wrap round, and DMA transfers that get in the way.
    #[arg(long)]
    pub(crate) check: bool,
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
    /// Wait for GDB and let it run the program: on a TCP port of this machine (0 for any that is free), at a Unix socket,
    /// or on standard input and output (`-`), for GDB's `target remote | fenn-sim --gdb - program.elf`.
    #[cfg(feature = "gdb")]
    #[arg(long, value_name = "PORT|PATH|-", conflicts_with_all = crate::debug::NOT_WITH_GDB)]
    pub(crate) gdb: Option<crate::debug::Place>,
    /// Write the whole machine to FILE after the run, to be continued with --restore.
    #[arg(long, value_name = "FILE")]
    pub(crate) snapshot: Option<PathBuf>,
    /// Go on from a snapshot rather than from the program's beginning, with the machine and timing it was taken of.
    #[arg(long, value_name = "FILE", conflicts_with_all = crate::debug::NOT_WITH_RESTORE)]
    pub(crate) restore: Option<PathBuf>,
    /// Print everything as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print completions for a shell and do nothing else.
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub(crate) completions: Option<clap_complete::Shell>,
}

fn dram_width(text: &str) -> Result<u32, String> {
    let bytes_per_cycle = text.parse().map_err(|error: ParseIntError| error.to_string())?;
    DramTiming { bytes_per_cycle, ..PUBLISHED_DRAM }.check().map_err(|error| error.to_string())?;
    Ok(bytes_per_cycle)
}

impl Arguments {
    /// The timing that the options describe together.
    pub(crate) fn timing(&self) -> Profile {
        let mut timing = *self.profile;
        timing.dram.latency = self.dram_latency.unwrap_or(timing.dram.latency);
        timing.dram.bytes_per_cycle = self.dram_bytes_per_cycle.unwrap_or(timing.dram.bytes_per_cycle);
        timing
    }
}
