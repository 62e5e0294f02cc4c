//! What tests of benchmarks share: a small run, and what holds for every one.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;

use fenn_bench::program::{Options, Outcome, Program};
use fenn_testbench::shared::{data, root};

/// Runs it at the size for tests, or nothing where it needs data that are missing; what it writes is in `out`.
pub(crate) fn small(program: &Program, seed: Option<u64>, out: &Path) -> Option<Outcome> {
    if program.needs_data {
        data("")?;
    }
    let data = Some(root().join("../shared/data")).filter(|folder| folder.exists());
    let options = Options { seed, jobs: 2, small: true, out, data, progress: &|_, _| {} };
    Some((program.run)(&options).unwrap())
}

/// The value of a figure that there has to be.
pub(crate) fn value(outcome: &Outcome, name: &str) -> f64 {
    let line = outcome.lines.iter().find(|line| line.figure.name == name);
    line.and_then(|line| line.figure.value).unwrap_or_else(|| panic!("there is a figure `{name}`"))
}

/// All gates are met, and the page has figures without a coordinate that is no number.
pub(crate) fn check(program: &Program, outcome: &Outcome) {
    let missed: Vec<String> =
        outcome.lines.iter().map(|line| &line.figure).filter(|f| !f.ok()).map(ToString::to_string).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    let page = outcome.page(program);
    assert!(page.contains("<svg") && !page.contains("NaN") && !page.contains("\"inf"));
}
