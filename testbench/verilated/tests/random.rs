//! Random programs: core and simulator agree at every retirement, in value and in cycle.
//!
//! One seed is fixed and has to fill every bin of the coverage plan that can be filled; one is fresh, and printed.

use std::time::{SystemTime, UNIX_EPOCH};

use fenn_assembler::assemble_text;
use fenn_isa::code::{Item, Label};
use fenn_isa::operand::XReg;
use fenn_verilated::campaign::{self, Plan};
use fenn_verilated::configuration::Configuration;
use fenn_verilated::coverage::Coverage;
use fenn_verilated::generate::{Line, Pacing, Program};

/// Cycles of each configuration: with the fixed seed, and with the fresh one.
const CYCLES: [(&str, u64, u64); 3] =
    [("board", 800_000, 200_000), ("wide", 800_000, 200_000), ("compact", 800_000, 200_000)];
/// One with which so many cycles meet every bin.
const SEED: u64 = 109;

fn run(name: &str, seed: u64, cycles: u64) -> (u64, Box<Coverage>) {
    let configuration = Configuration::by_name(name).expect("it is in the table");
    let wave = std::env::temp_dir().join(format!("fenn-{name}-{seed}.fst"));
    let plan = Plan {
        configuration,
        mutant: 0,
        seed,
        first: 0,
        programs: u64::MAX,
        cycles,
        shrink: true,
        wave: Some(wave),
        lines: None,
    };
    let outcome = campaign::run(&plan).unwrap_or_else(|failure| panic!("{failure}"));
    if let Some(report) = outcome.failure {
        panic!("{name}: {report}");
    }
    assert!(outcome.cycles >= cycles, "{name}: {} cycles", outcome.cycles);
    assert_eq!(outcome.limited, 0, "{name}, seed {seed}: programs that do not end");
    (outcome.cycles, outcome.coverage)
}

#[test]
fn a_fixed_seed() {
    let mut all = Coverage::default();
    let mut cycles = 0;
    for (name, most, _) in CYCLES {
        let (ran, coverage) = run(name, SEED, most);
        all.add(&coverage);
        cycles += ran;
    }
    let summary = all.summary();
    eprintln!("{cycles} cycles, 0 mismatches, {} of {} bins", summary.filled, summary.possible);
    let holes: Vec<_> = summary.holes.iter().filter(|hole| hole.reason.is_none()).map(|hole| &hole.bin).collect();
    assert!(holes.is_empty(), "empty without a reason: {holes:#?}");
}

#[test]
fn a_fresh_seed() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let seed = now.as_nanos() as u64 & 0xffff_ffff;
    eprintln!("seed {seed}");
    let cycles: u64 = CYCLES.iter().map(|(name, _, cycles)| run(name, seed, *cycles).0).sum();
    eprintln!("seed {seed}: {cycles} cycles, 0 mismatches");
}

/// Cores with fewer lanes than the simulator do what its first lanes do; their coverage is not the plan's.
#[test]
fn fewer_lanes() {
    for name in ["four", "eight", "sixteen"] {
        let (cycles, _) = run(name, SEED, 150_000);
        eprintln!("{name}: {cycles} cycles, 0 mismatches");
    }
}

/// What a failure prints can be assembled, and is the program that failed, word for word.
#[test]
fn the_text_of_a_program_assembles_to_it() {
    let configuration = Configuration::by_name("board").expect("it is in the table");
    // What random programs have none of: parts of a label's address.
    let [rd, rs1] = [5, 6].map(|index| XReg::new(index).expect("it is a register"));
    let label = Label(1);
    let mut lines = vec![
        Line::Item(Item::Upper { rd, target: label }),
        Line::Item(Item::AddLower { rd, rs1, target: label }),
        Line::Item(Item::JumpLower { rd, rs1, target: label }),
    ];
    lines.extend([Line::Word(0); 700]);
    lines.push(Line::Item(Item::Label(label)));
    let parts = Program { seed: 0, pieces: vec![lines], pacing: Pacing::Steady };
    let programs = (0..40).map(|number| Program::generate(campaign::seed_of(SEED, number), configuration));
    for (number, program) in programs.chain([parts]).enumerate() {
        let words = program.words(configuration).expect("it fits");
        let image = assemble_text("program.s", &program.text()).unwrap_or_else(|error| panic!("{number}: {error}"));
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert!(image.segments[0].bytes == bytes, "program {number} of seed {SEED}");
    }
}
