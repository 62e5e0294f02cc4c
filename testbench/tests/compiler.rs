//! The compiler's figures hold. Random graphs are a test of their own, MNIST's spikes are the keystone's, and times are left to
//! `make show-compiler`.

use fenn_testbench::compiler_figures::PARTS;
use fenn_testbench::figure::Figure;
use fenn_testbench::shared::data;

fn holds(name: &str) {
    let part = PARTS.iter().find(|part| part.name == name).expect("the part exists");
    if part.needs_data && data("README.md").is_none() {
        return;
    }
    let figures = part.figures();
    let missed: Vec<String> = figures.iter().filter(|figure| !figure.ok()).map(Figure::to_string).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn vogels_abbott() {
    holds("Vogels-Abbott");
}

#[test]
fn spoken_digits() {
    holds("spoken digits");
}

#[test]
fn spoken_digits_with_delays() {
    holds("spoken digits with delays");
}

#[test]
fn braille() {
    holds("Braille");
}

#[test]
fn n_mnist() {
    holds("N-MNIST");
}

#[test]
fn errors() {
    holds("errors");
}
