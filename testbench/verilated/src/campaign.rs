//! Many random programs, one after the other.
//!
//! Contract: [`run`] runs programs of one seed on one configuration until so many cycles have been compared, and stops at
//! the first failure, which it makes small and describes: the difference, both histories, the program as assembly text
//! that reassembles, the command that shows it again, and a waveform of it. Program `k` of seed `s` is the same whatever
//! was run before it.

use std::fmt;
use std::path::{Path, PathBuf};

use fenn_isa::{Class, Inst};

use crate::configuration::Configuration;
use crate::coverage::Coverage;
use crate::generate::{self, Program};
use crate::lockstep::{End, Failure, Lockstep};
use crate::shrink::shrink;

/// No program as generated comes near.
pub const LIMIT: u64 = 60_000;
/// After so many programs, every word that one changed is compared; of the others, their records.
const THOROUGH: u64 = 8;
/// How many smaller programs are tried.
const TRIES: usize = 600;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// On which core.
    pub configuration: &'static Configuration,
    /// Which mutant it is, or 0.
    pub mutant: u32,
    /// Of all programs.
    pub seed: u64,
    /// The first program.
    pub first: u64,
    /// At most so many programs.
    pub programs: u64,
    /// Until so many cycles have been compared.
    pub cycles: u64,
    /// Whether a failing program is made small.
    pub shrink: bool,
    /// Where the waveform of a failure goes; none is written without.
    pub wave: Option<PathBuf>,
    /// Where it goes how often each line of the core was executed, if the build counts that.
    pub lines: Option<PathBuf>,
}

/// What was run.
#[derive(Debug)]
pub struct Outcome {
    /// Programs run.
    pub programs: u64,
    /// Cycles compared.
    pub cycles: u64,
    /// Retirements compared.
    pub retired: u64,
    /// Programs that were ended by the limit of cycles.
    pub limited: u64,
    /// What they have exercised.
    pub coverage: Box<Coverage>,
    /// The failure that ended it.
    pub failure: Option<Box<Report>>,
}

/// A failure, with what is needed to look into it.
#[derive(Debug)]
pub struct Report {
    /// Which program failed.
    pub program: u64,
    /// How it did, made small.
    pub failure: Box<Failure>,
    /// What is left of it.
    pub smallest: Program,
    /// How to see it again.
    pub command: String,
    /// Where the waveform is.
    pub wave: Option<PathBuf>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "program {} fails: {}", self.program, self.failure)?;
        writeln!(f, "made small, DRAM {:?}:", self.smallest.pacing)?;
        f.write_str(&self.smallest.text())?;
        if let Some(wave) = &self.wave {
            writeln!(f, "waveform: {}", wave.display())?;
        }
        write!(f, "again: {}", self.command)
    }
}

/// The number that program `number` of `seed` is made from.
pub fn seed_of(seed: u64, number: u64) -> u64 {
    // Neighbouring seeds shall have no program in common.
    (seed ^ 0x9e37_79b9_7f4a_7c15)
        .wrapping_mul(0xd129_0dcf_b4d2_5a31)
        .wrapping_add(number.wrapping_mul(0xff51_afd7_ed55_8ccd))
}

/// A core with the contents of memories that random programs begin with.
///
/// # Errors
/// Where there is no such core, or it does not answer.
pub fn prepared(configuration: &'static Configuration, mutant: u32) -> Result<Lockstep, Box<Failure>> {
    let mut lockstep = Lockstep::new(configuration, mutant)?;
    generate::fill(&mut lockstep)?;
    Ok(lockstep)
}

/// Runs one program on a core as [`prepared`] made it, and leaves it so.
///
/// # Errors
/// The first difference.
pub fn run_program(lockstep: &mut Lockstep, program: &Program, thorough: bool) -> Result<Option<End>, Box<Failure>> {
    // What is left of a program may have lost a label; then it is none.
    let Some(words) = program.words(lockstep.configuration()) else { return Ok(None) };
    lockstep.load_code(&words)?;
    let end = lockstep.run(0, program.pace(), LIMIT)?;
    if thorough {
        lockstep.compare_memories()?;
    }
    lockstep.restore()?;
    Ok(Some(end))
}

/// Steps through the beginning of a program, by the debug port.
fn step_through(lockstep: &mut Lockstep, program: &Program) -> Result<(), Box<Failure>> {
    const STEPS: u32 = 400;
    let Some(words) = program.words(lockstep.configuration()) else { return Ok(()) };
    const FENCE: u32 = 0x0ff0_000f;
    // Counters tell of cycles, and so does the engine: both are stopped.
    let quiet = |word: u32| {
        let class = Inst::decode(word).map(|inst| inst.op().spec().class);
        if class == Some(Class::Csr) { FENCE } else { word }
    };
    let words: Vec<u32> = words.into_iter().map(quiet).collect();
    lockstep.load_code(&words)?;
    lockstep.step_through(0, STEPS)?;
    lockstep.restore()
}

/// Runs programs as planned.
///
/// # Errors
/// Where there is no such core. What goes wrong with a program is in the outcome.
pub fn run(plan: &Plan) -> Result<Outcome, Box<Failure>> {
    let mut lockstep = prepared(plan.configuration, plan.mutant)?;
    lockstep.cover(Box::default());
    let mut outcome =
        Outcome { programs: 0, cycles: 0, retired: 0, limited: 0, coverage: Box::default(), failure: None };
    for number in plan.first..plan.first.saturating_add(plan.programs) {
        if lockstep.cycles() >= plan.cycles {
            break;
        }
        let program = Program::generate(seed_of(plan.seed, number), plan.configuration);
        let thorough = number % THOROUGH == 0 || plan.programs == 1;
        outcome.programs += 1;
        match run_program(&mut lockstep, &program, thorough) {
            Ok(end) => outcome.limited += u64::from(end == Some(End::Limit)),
            Err(failure) => {
                outcome.failure = Some(Box::new(report(plan, number, &program, failure)));
                break;
            }
        }
    }
    if outcome.failure.is_none() && plan.programs > 1 {
        let program = Program::generate(seed_of(plan.seed, plan.first), plan.configuration);
        if let Err(failure) = step_through(&mut lockstep, &program) {
            outcome.failure = Some(Box::new(report(plan, plan.first, &program, failure)));
        }
    }
    if outcome.failure.is_none() && plan.configuration.memory.vector_bytes <= 1 << 16 {
        // Small memories are compared in full: what no record told of would be seen.
        if let Err(failure) = lockstep.load_code(&[]).and_then(|()| lockstep.compare_everything()) {
            let none = Program { seed: plan.seed, pieces: Vec::new(), pacing: generate::Pacing::Steady };
            outcome.failure = Some(Box::new(report(plan, plan.first + outcome.programs, &none, failure)));
        }
    }
    if let Some(path) = &plan.lines {
        lockstep.core_mut().write_coverage(path)?;
    }
    (outcome.cycles, outcome.retired) = (lockstep.cycles(), lockstep.retired());
    outcome.coverage = lockstep.take_coverage().unwrap_or_default();
    Ok(outcome)
}

/// Runs a program on a new core.
fn alone(plan: &Plan, program: &Program, wave: Option<&Path>) -> Result<Option<End>, Box<Failure>> {
    let mut lockstep = prepared(plan.configuration, plan.mutant)?;
    if let Some(path) = wave {
        lockstep.open_wave(path)?;
    }
    run_program(&mut lockstep, program, true)
}

fn report(plan: &Plan, number: u64, program: &Program, failure: Box<Failure>) -> Report {
    let tries = if plan.shrink { TRIES } else { 0 };
    let smallest = shrink(program, tries, |program| alone(plan, program, None).is_err());
    let wave = plan.wave.clone();
    let again = if plan.shrink || wave.is_some() { alone(plan, &smallest, wave.as_deref()).err() } else { None };
    let failure = again.unwrap_or(failure);
    let Plan { configuration, seed, mutant, .. } = plan;
    let mutant = if *mutant == 0 { String::new() } else { format!(" --mutant {mutant}") };
    let command = format!(
        "cargo run -p fenn-verilated -- --config {}{mutant} --seed {seed} --program-number {number} --wave failure.fst",
        configuration.name
    );
    Report { program: number, failure, smallest, command, wave }
}
