//! The benchmarks of numbers and of balanced networks at reduced size: every gate that holds there is met, and the page is whole.

use fenn_bench::program::{Options, Outcome, Program};
use fenn_bench::{izhikevich, numerics, vogels_abbott};
use fenn_testbench::shared::{data, root};

/// Runs it, or nothing where it needs data that are missing.
fn small(program: &Program, seed: Option<u64>) -> Option<Outcome> {
    if program.needs_data {
        data("")?;
    }
    let out = tempfile::tempdir().unwrap();
    let options = Options {
        seed,
        jobs: 2,
        small: true,
        out: out.path(),
        data: Some(root().join("../shared/data")),
        progress: &|_, _| {},
    };
    Some((program.run)(&options).unwrap())
}

fn value(outcome: &Outcome, name: &str) -> f64 {
    let line = outcome.lines.iter().find(|line| line.figure.name == name);
    line.and_then(|line| line.figure.value).unwrap_or_else(|| panic!("there is a figure `{name}`"))
}

/// All gates, the sections, and no coordinate that is no number.
fn check(program: &Program, outcome: &Outcome, sections: usize) {
    let missed: Vec<String> =
        outcome.lines.iter().map(|line| &line.figure).filter(|f| !f.ok()).map(ToString::to_string).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert_eq!(outcome.sections.len(), sections);
    let page = outcome.page(program);
    assert!(page.contains("<svg") && !page.contains("NaN") && !page.contains("\"inf"));
}

#[test]
fn numbers() {
    let Some(outcome) = small(&numerics::PROGRAM, None) else { return };
    check(&numerics::PROGRAM, &outcome, 6);
    // Counts that were published, or counted in the published traces by another program.
    assert_eq!(value(&outcome, "spoken digit: class in float64"), 18.0);
    let published = |name: &str| {
        let line = outcome.lines.iter().find(|line| line.figure.name == name);
        line.and_then(|line| line.published.as_ref()).map(|published| published.value.clone())
    };
    for (pattern, spikes) in [("tonic", "20.0"), ("initial burst", "5.2"), ("transient spiking", "38.0")] {
        let name = format!("AdExp {pattern}: spikes, rounded stochastically");
        assert_eq!(published(&name).as_deref(), Some(spikes));
    }
}

#[test]
fn vogels_abbott_in_all_arrangements() {
    let Some(outcome) = small(&vogels_abbott::PROGRAM, Some(3)) else { return };
    check(&vogels_abbott::PROGRAM, &outcome, 3);
    assert_eq!(outcome.seed, Some(3));
}

#[test]
fn izhikevich_has_rate_and_rhythm() {
    let outcome = small(&izhikevich::PROGRAM, None).unwrap();
    check(&izhikevich::PROGRAM, &outcome, 2);
    // Another seed is another network, and float64 another run of it.
    let other = small(&izhikevich::PROGRAM, Some(2)).unwrap();
    let name = "rate in float64, the same network";
    assert_ne!(value(&outcome, name), value(&other, name));
}
