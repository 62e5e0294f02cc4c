//! The benchmarks of trained networks at reduced size: MNIST, Braille and Yin-Yang.

use fenn_bench::{braille, mnist, yin_yang};

mod support;
use support::{check, small, value};

#[test]
fn braille_counts_are_exact() {
    let out = tempfile::tempdir().unwrap();
    let Some(outcome) = small(&braille::PROGRAM, None, out.path()) else { return };
    check(&braille::PROGRAM, &outcome);
    let exact = outcome.lines.iter().filter(|line| line.figure.gate.to_string().starts_with("exactly"));
    assert_eq!(exact.count(), 14, "spikes, class and five counts of both networks");
    assert!(out.path().join("subtract.html").is_file() && out.path().join("zero.json").is_file());
}

#[test]
fn mnist_of_some_images() {
    let out = tempfile::tempdir().unwrap();
    let Some(outcome) = small(&mnist::PROGRAM, None, out.path()) else { return };
    check(&mnist::PROGRAM, &outcome);
    // Each of 79 steps has all pairs, however many images there are.
    assert_eq!(value(&outcome, "NeuroBench: dense operations"), 79.0 * (784.0 * 128.0 + 128.0 * 10.0));
}

#[test]
fn yin_yang_after_an_epoch() {
    let out = tempfile::tempdir().unwrap();
    let outcome = small(&yin_yang::PROGRAM, None, out.path()).unwrap();
    check(&yin_yang::PROGRAM, &outcome);
    assert_eq!(outcome.seed, Some(2));
    assert!(out.path().join("60-hidden/network.toml").is_file());
}
