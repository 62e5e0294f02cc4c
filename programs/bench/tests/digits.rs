//! The programs `shd`, `spyx-quickstart` and `host-scaling` at the size for tests.

use fenn_bench::program::{Options, Outcome, Program};
use fenn_bench::{host_scaling, shd, spyx_quickstart};
use fenn_testbench::shared::{data, root};

fn outcome(program: &Program, data: Option<std::path::PathBuf>) -> Outcome {
    let out = tempfile::tempdir().unwrap();
    let options = Options { seed: None, jobs: 2, small: true, out: out.path(), data, progress: &|_, _| () };
    (program.run)(&options).unwrap()
}

fn value(outcome: &Outcome, name: &str) -> f64 {
    let line = outcome.lines.iter().find(|line| line.figure.name == name);
    line.unwrap_or_else(|| panic!("no figure `{name}`")).figure.value.unwrap()
}

#[test]
fn spoken_digits() {
    if data("shd").is_none() {
        return;
    }
    let outcome = outcome(&shd::PROGRAM, Some(root().join("../shared/data")));
    for line in &outcome.lines {
        assert!(line.figure.ok(), "{}", line.figure);
    }
    assert_eq!(value(&outcome, "without delays: class"), 18.0);
    assert!(outcome.page(&shd::PROGRAM).contains("Jetson Orin Nano, GPU"));
}

#[test]
fn the_quick_start_of_spyx() {
    let there = data("nir/lif").is_some();
    let outcome = outcome(&spyx_quickstart::PROGRAM, there.then(|| root().join("../shared/data")));
    for line in outcome.lines.iter().filter(|line| there || line.figure.value.is_some()) {
        assert!(line.figure.ok(), "{}", line.figure);
    }
    assert!(value(&outcome, "accuracy after 15 epochs") > value(&outcome, "accuracy before training") + 40.0);
}

#[test]
fn two_workers_find_what_one_finds() {
    let outcome = outcome(&host_scaling::PROGRAM, data("shd").map(|_| root().join("../shared/data")));
    assert_eq!(value(&outcome, "short runs: samples that differ"), 0.0);
    assert!(outcome.lines.iter().all(|line| line.figure.ok() || !line.figure.name.contains("differ")));
}

/// The same seed gives the same network, and another one another.
#[test]
fn seeds_are_kept() {
    let trained = |seed| {
        let mut training = spyx_quickstart::train::Training::new(seed);
        training.epoch();
        training.network
    };
    assert_eq!(trained(7), trained(7));
    assert_ne!(trained(7), trained(8));
}
