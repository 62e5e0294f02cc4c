//! Products of pairs of numbers, rounded down, to the nearest and stochastically, against those of the real core.

use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::kernels::experiment;
use maud::html;

use super::{Part, moments};
use crate::chart::{Axis, Mark, Series, curves};
use crate::program::{Failure, Line, Options};

/// Where the real core's products are from.
const SOURCE: &str = "the real core's products (out_stoch_round.bin)";
const LANES: usize = 32;
const NAMES: [&str; 3] = ["down", "to the nearest", "stochastically"];

pub(super) fn run(options: &Options<'_>, seed: u64) -> Result<Part, Failure> {
    let [operands, expected] = experiment::published_products(&options.data("numerics")?)?;
    let products = experiment::products(&operands, &expected, seed)?;
    let theirs = published_errors(&operands, &expected);
    let count = products.count;
    let mut lines = vec![
        Line::new(Figure::new(
            "products rounded down or to the nearest that differ from the real core's",
            products.wrong as f64,
            "",
            Gate::Exactly(0.0),
        ))
        .beside(0, SOURCE)
        .noted(format!("{count} pairs, shift 15; the file has 680 vectors of products for 1,562 of operands")),
        Line::new(Figure::new(
            "products rounded stochastically to neither neighbour",
            products.outside as f64,
            "",
            Gate::Exactly(0.0),
        ))
        .noted(format!("{} unlike the reference with the same seed", products.unlike_reference)),
    ];
    for (which, gate) in
        [Gate::Between(-0.51, -0.49), Gate::Between(-0.01, 0.01), Gate::Between(-0.01, 0.01)].into_iter().enumerate()
    {
        let [mean, deviation] = moments(&products.errors[which]);
        let [published, published_deviation] = moments(&theirs[which]);
        lines.push(
            Line::new(Figure::new(format!("products rounded {}: mean error", NAMES[which]), mean, "LSB", gate))
                .beside(format!("{published:.4}"), SOURCE)
                .noted(format!("standard deviation {deviation:.3}, theirs {published_deviation:.3}")),
        );
    }
    let ours = products
        .errors
        .iter()
        .zip(NAMES)
        .enumerate()
        .map(|(colour, (errors, name))| Series::line(format!("rounded {name}"), colour, histogram(errors)));
    let real = Series::line("real core, stochastically", 2, histogram(&theirs[2])).marked(Mark::Dashed);
    let drawn = curves(
        "Errors of products",
        Axis::linear("error in units of the last place").with(&[-1.0, 1.0]),
        Axis::linear("share of products in a twentieth of a unit, %").with(&[0.0]),
        &ours.chain([real]).collect::<Vec<_>>(),
        "Rounded down, an error is anywhere from -1 to 0, and half a unit is lost on average. To the nearest it is at most \
         half a unit. Stochastically it may be nearly a whole one, but its mean is 0 whatever the product, which is why \
         sums of many small steps come out right.",
    );
    Ok((lines, html! { (drawn) }))
}

/// The errors of the real core's products.
fn published_errors(operands: &[i16], products: &[i16]) -> [Vec<f64>; 3] {
    let mut errors: [Vec<f64>; 3] = Default::default();
    for (operands, products) in operands.chunks_exact(3 * LANES).zip(products.chunks_exact(3 * LANES)) {
        for lane in 0..LANES {
            let exact = f64::from(operands[lane]) * f64::from(operands[LANES + lane]) / 32_768.0;
            for (row, errors) in errors.iter_mut().enumerate() {
                errors.push(f64::from(products[row * LANES + lane]) - exact);
            }
        }
    }
    errors
}

/// Shares of errors in twentieths of a unit from -1 to 1, at their middles, in percent.
fn histogram(errors: &[f64]) -> Vec<(f64, f64)> {
    const BINS: usize = 40;
    let mut bins = [0.0; BINS];
    for error in errors {
        bins[(((error + 1.0) * BINS as f64 / 2.0) as usize).min(BINS - 1)] += 100.0 / errors.len() as f64;
    }
    bins.iter().enumerate().map(|(bin, share)| ((bin as f64 + 0.5) / 20.0 - 1.0, *share)).collect()
}
