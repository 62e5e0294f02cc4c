//! The programs `shd`, `spyx-quickstart` and `host-scaling` at the size for tests.

use fenn_bench::{host_scaling, shd, spyx_quickstart};
use fenn_testbench::shared::data;

mod support;
use support::{check, small, value};

#[test]
fn spoken_digits() {
    let out = tempfile::tempdir().unwrap();
    let Some(outcome) = small(&shd::PROGRAM, None, out.path()) else { return };
    check(&shd::PROGRAM, &outcome);
    assert_eq!(value(&outcome, "without delays: class"), 18.0);
    assert!(outcome.page(&shd::PROGRAM).contains("Jetson Orin Nano, GPU"));
}

#[test]
fn the_quick_start_of_spyx() {
    let there = data("nir/lif").is_some();
    let out = tempfile::tempdir().unwrap();
    let outcome = small(&spyx_quickstart::PROGRAM, None, out.path()).unwrap();
    for line in outcome.lines.iter().filter(|line| there || line.figure.value.is_some()) {
        assert!(line.figure.ok(), "{}", line.figure);
    }
    assert!(value(&outcome, "accuracy after 15 epochs") > value(&outcome, "accuracy before training") + 40.0);
}

#[test]
fn two_workers_find_what_one_finds() {
    let out = tempfile::tempdir().unwrap();
    let outcome = small(&host_scaling::PROGRAM, None, out.path()).unwrap();
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
