//! The published experiments on FeNN's numbers: how products are rounded, and what that does to neurons.

use maud::Markup;

use crate::program::{Failure, Line, Options, Outcome, Program, Section};

mod adexp;
mod alif;
mod exponential;
mod poisson;
mod rounding;
mod spoken;

/// The benchmark.
pub const PROGRAM: Program = Program {
    name: "numerics",
    title: "FeNN's numbers",
    about: "Sixteen bits and three ways of rounding: products, an adaptive neuron, random counts, the exponential function, six firing patterns and a spoken digit.",
    needs_data: true,
    run,
};

/// Of the lanes' generators, unless another is asked for.
const SEED: u64 = 1;
/// What the published figures are read off.
const TRACES: &str = "the published traces of FeNN";

/// A part of the benchmark: figures, and what the page has about them.
type Part = (Vec<Line>, Markup);

/// Measures a part, with a seed.
type Measure = fn(&Options<'_>, u64) -> Result<Part, Failure>;

fn run(options: &Options<'_>) -> Result<Outcome, Failure> {
    let seed = options.seed.unwrap_or(SEED);
    let parts: [(&str, Measure); 6] = [
        ("Rounding", rounding::run),
        ("An adaptive neuron", alif::run),
        ("Random counts", poisson::run),
        ("The exponential function", exponential::run),
        ("Six firing patterns", adexp::run),
        ("A spoken digit", spoken::run),
    ];
    let mut outcome = Outcome { seed: Some(seed), ..Outcome::default() };
    for (index, (title, part)) in parts.into_iter().enumerate() {
        (options.progress)(title, index as f64 / 6.0);
        let (lines, body) = part(options, seed)?;
        outcome.lines.extend(lines);
        outcome.sections.push(Section::new(title, body));
    }
    Ok(outcome)
}

/// Mean and standard deviation.
fn moments(numbers: &[f64]) -> [f64; 2] {
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / numbers.len() as f64;
    [mean, variance.sqrt()]
}
