//! The benchmarks of numbers and of balanced networks at reduced size: every gate that holds there is met, and the page is whole.

use fenn_bench::{izhikevich, numerics, vogels_abbott};

mod support;
use support::{check, small, value};

#[test]
fn numbers() {
    let out = tempfile::tempdir().unwrap();
    let Some(outcome) = small(&numerics::PROGRAM, None, out.path()) else { return };
    check(&numerics::PROGRAM, &outcome);
    assert_eq!(outcome.sections.len(), 6);
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
    let out = tempfile::tempdir().unwrap();
    let Some(outcome) = small(&vogels_abbott::PROGRAM, Some(3), out.path()) else { return };
    check(&vogels_abbott::PROGRAM, &outcome);
    assert_eq!(outcome.sections.len(), 3);
    assert_eq!(outcome.seed, Some(3));
}

#[test]
fn izhikevich_has_rate_and_rhythm() {
    let out = tempfile::tempdir().unwrap();
    let outcome = small(&izhikevich::PROGRAM, None, out.path()).unwrap();
    check(&izhikevich::PROGRAM, &outcome);
    assert_eq!(outcome.sections.len(), 2);
    // Another seed is another network, and float64 another run of it.
    let other = small(&izhikevich::PROGRAM, Some(2), out.path()).unwrap();
    let name = "rate in float64, the same network";
    assert_ne!(value(&outcome, name), value(&other, name));
}
