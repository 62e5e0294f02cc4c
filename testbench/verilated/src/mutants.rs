//! The proof that the lockstep sees what it should: every mutant of the core is caught.
//!
//! Contract: [`check`] runs random programs on each mutant until one fails, and gives what failed first. The core without a
//! mutant runs as many programs as the slowest mutant needed, without a difference, so that it is the mutants that are
//! caught.

use crate::campaign::{self, Plan};
use crate::configuration::Configuration;
use crate::lockstep::Failure;
use crate::mutation::{self, Mutant};

/// Programs after which a mutant has survived.
pub const PROGRAMS: u64 = 1500;

/// What became of a mutant.
#[derive(Debug)]
pub struct Verdict {
    /// From 1.
    pub number: u32,
    /// Which.
    pub mutant: Mutant,
    /// Programs until it was caught; `None` if it was not.
    pub programs: Option<u64>,
    /// What gave it away.
    pub failure: Option<Box<Failure>>,
}

/// The list.
///
/// # Panics
/// Where the list in the repository is malformed; the build has read it before.
pub fn all() -> Vec<Mutant> {
    mutation::parse(include_str!("../mutants.toml")).expect("the build script has read it")
}

/// The list of a card's.
///
/// # Panics
/// As [`all`].
pub fn all_of_cards() -> Vec<Mutant> {
    mutation::parse(include_str!("../mutants_soc.toml")).expect("the build script has read it")
}

/// Runs every mutant; `seen` is told of each verdict.
///
/// # Errors
/// Where there is no model with the mutants, or the core without one differs from the simulator.
pub fn check(seed: u64, mut seen: impl FnMut(&Verdict)) -> Result<Vec<Verdict>, Box<Failure>> {
    let configuration = Configuration::by_name("mutants").expect("it is in the table");
    let plan = |mutant, programs| Plan {
        configuration,
        mutant,
        seed,
        first: 0,
        programs,
        cycles: u64::MAX,
        shrink: false,
        wave: None,
        lines: None,
    };
    let mut verdicts = Vec::new();
    for (index, mutant) in all().into_iter().enumerate() {
        let number = index as u32 + 1;
        let outcome = campaign::run(&plan(number, PROGRAMS))?;
        let failure = outcome.failure.map(|report| report.failure);
        let programs = failure.as_ref().map(|_| outcome.programs);
        let verdict = Verdict { number, mutant, programs, failure };
        seen(&verdict);
        verdicts.push(verdict);
    }
    let most = verdicts.iter().filter_map(|verdict| verdict.programs).max().unwrap_or(1);
    match campaign::run(&plan(0, most))?.failure {
        Some(report) => Err(report.failure),
        None => Ok(verdicts),
    }
}
