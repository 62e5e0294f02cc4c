//! Lines of source per second, on a generated file: the figure that tells whether waiting for the assembler is noticed.
//!
//! One line of output for each length; the second is twice the first, so that the time per line tells whether it stays
//! the same.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its result")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use fenn_assembler::{Options, Source, assemble_with_lines};
use fenn_isa::memory::MachineConfig;

/// Loops of ten lines each, as a compiler or a person writes them: labels, comments, loads, arithmetic, branches.
fn program(lines: usize) -> String {
    let mut text = String::from("        .globl  _start\n_start:\n");
    for block in 0..lines / 10 {
        write!(
            text,
            "loop{block}:                            # block {block}\n        lw      a0, {}(sp)\n        addi    a1, a0, {}\n        vadd    v1, v2, v3\n        slli    t0, a1, 3\n        li      t1, {}\n        add     t2, t0, t1\n        sw      t2, 4(sp)\n        bnez    t2, loop{block}\n        j       loop{}\n",
            4 * (block % 500),
            block % 2048,
            block * 77,
            block.saturating_sub(7),
        )
        .expect("a string takes any text");
    }
    text
}

fn main() {
    let config = MachineConfig { instruction_bytes: 1 << 24, ..MachineConfig::default() };
    let options = Options { config, ..Options::default() };
    for lines in [100_000, 200_000] {
        let sources = [Source::new("generated.s", program(lines))];
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            let assembly = assemble_with_lines(&sources, &options);
            best = best.min(start.elapsed());
            assert!(assembly.image.is_some(), "{:?}", assembly.diagnostics.first());
        }
        let count = sources[0].text.lines().count();
        println!(
            "{count} lines in {:.1} ms: {:.2} million lines per second",
            best.as_secs_f64() * 1e3,
            count as f64 / best.as_secs_f64() / 1e6
        );
    }
}
