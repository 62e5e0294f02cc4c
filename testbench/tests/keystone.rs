//! The keystone's figures hold. The demo is a command of the README and is run with those; training takes a minute and is
//! left to `make show-keystone`; the counted tests run as themselves.

use fenn_testbench::figure::Figure;
use fenn_testbench::keystone::PARTS;
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
fn mnist() {
    holds("MNIST");
}

#[test]
fn braille() {
    holds("Braille");
}

#[test]
fn nir_lif() {
    holds("NIR LIF");
}

#[test]
fn bad_input() {
    holds("bad input");
}
