//! The benchmarks of trained networks at reduced size: MNIST, Braille and Yin-Yang.

use fenn_bench::program::{Options, Outcome, Program};
use fenn_bench::{braille, mnist, yin_yang};
use fenn_testbench::shared::{data, root};

/// Runs it, or nothing where it needs data that are missing; what it writes is in `out`.
fn small(program: &Program, out: &std::path::Path) -> Option<Outcome> {
    if program.needs_data {
        data("")?;
    }
    let data = Some(root().join("../shared/data"));
    let options = Options { seed: None, jobs: 2, small: true, out, data, progress: &|_, _| {} };
    Some((program.run)(&options).unwrap())
}

fn check(program: &Program, outcome: &Outcome) {
    let missed: Vec<String> =
        outcome.lines.iter().map(|line| &line.figure).filter(|f| !f.ok()).map(ToString::to_string).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    let page = outcome.page(program);
    assert!(page.contains("<svg") && !page.contains("NaN") && !page.contains("\"inf"));
}

#[test]
fn braille_counts_are_exact() {
    let out = tempfile::tempdir().unwrap();
    let Some(outcome) = small(&braille::PROGRAM, out.path()) else { return };
    check(&braille::PROGRAM, &outcome);
    let exact = outcome.lines.iter().filter(|line| line.figure.gate.to_string().starts_with("exactly"));
    assert_eq!(exact.count(), 14, "spikes, class and five counts of both networks");
    assert!(out.path().join("subtract.html").is_file() && out.path().join("zero.json").is_file());
}

#[test]
fn mnist_of_some_images() {
    let out = tempfile::tempdir().unwrap();
    let Some(outcome) = small(&mnist::PROGRAM, out.path()) else { return };
    check(&mnist::PROGRAM, &outcome);
    let dense = outcome.lines.iter().find(|line| line.figure.name == "NeuroBench: dense operations").unwrap();
    // Each of 79 steps has all pairs, however many images there are.
    assert_eq!(dense.figure.value, Some(79.0 * (784.0 * 128.0 + 128.0 * 10.0)));
}

#[test]
fn yin_yang_after_an_epoch() {
    let out = tempfile::tempdir().unwrap();
    let outcome = small(&yin_yang::PROGRAM, out.path()).unwrap();
    check(&yin_yang::PROGRAM, &outcome);
    assert_eq!(outcome.seed, Some(2));
    assert!(out.path().join("60-hidden/network.toml").is_file());
}
