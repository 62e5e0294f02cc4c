//! The simulator's figures hold that no other test measures: those of the published board. The others are the same
//! comparisons with less of each.

use fenn_testbench::figure::Figure;
use fenn_testbench::shared::data;
use fenn_testbench::simulator_figures::PARTS;

#[test]
fn vogels_abbott() {
    let part = PARTS.iter().find(|part| part.name == "Vogels-Abbott").expect("the part exists");
    if part.needs_data && data("README.md").is_none() {
        return;
    }
    let figures = part.figures();
    let missed: Vec<String> = figures.iter().filter(|figure| !figure.ok()).map(Figure::to_string).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}
