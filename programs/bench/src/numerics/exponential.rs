//! The exponential function by table, over all 65,536 codes.

use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::kernels::experiment;
use maud::html;

use super::Part;
use crate::chart::{Axis, Mark, Series, curves};
use crate::program::{Failure, Line, Options};

const SOURCE: &str = "FeNN's published values (exp_fenn.npz)";

/// How far numbers are from exact ones, in units of the last place.
struct Errors {
    below_one: f64,
    most: f64,
    mean: f64,
}

fn errors(values: impl Iterator<Item = f64> + Clone) -> Errors {
    let count = values.clone().count() as f64;
    Errors {
        below_one: 100.0 * values.clone().filter(|error| error.abs() < 1.0).count() as f64 / count,
        most: values.clone().fold(0.0, |most: f64, error| most.max(error.abs())),
        mean: values.map(f64::abs).sum::<f64>() / count,
    }
}

pub(super) fn run(options: &Options<'_>, _: u64) -> Result<Part, Failure> {
    let published = experiment::published_exponential(&options.data("numerics/exp_fenn.npz")?)?;
    let ours = experiment::exponential_of_all(13, 9)?;
    let codes = || (i16::MIN..=i16::MAX).zip(&ours.values);
    let exact = |code: i16| (f64::from(code) / 8192.0).exp() * 512.0;
    let differ = codes().filter(|(code, value)| published.get(code) != Some(&i64::from(**value))).count();
    let all = errors(codes().map(|(code, value)| f64::from(*value) - exact(code)));
    let theirs = errors(codes().filter_map(|(code, _)| Some(*published.get(&code)? as f64 - exact(code))));
    let falls = ours.values.windows(2).filter(|pair| pair[1] < pair[0]).count();
    // Four formats whose greatest result the published function lets wrap.
    let mut other_falls = 0;
    for from in if options.small { &[12][..] } else { &[12, 11, 10, 14] } {
        let other = experiment::exponential_of_all(*from, 9)?;
        other_falls += other.values.windows(2).filter(|pair| pair[1] < pair[0]).count();
    }
    let lines = vec![
        Line::new(Figure::new("exp: codes unlike the published ones", differ as f64, "", Gate::Exactly(0.0)))
            .noted("of 65,536, from s2.13 to s6.9"),
        Line::new(Figure::new("exp: less than one unit off", all.below_one, "% of codes", Gate::Between(95.8915, 95.8925)))
            .beside(format!("{:.3}", theirs.below_one), SOURCE),
        Line::new(Figure::new("exp: most units off", all.most, "LSB", Gate::AtMost(3.315)))
            .beside(format!("{:.3}", theirs.most), SOURCE),
        Line::new(Figure::new("exp: units off on average", all.mean, "LSB", Gate::AtMost(0.512)))
            .beside(format!("{:.3}", theirs.mean), SOURCE)
            .noted(format!("{} instructions for 32 numbers", ours.instructions)),
        Line::new(Figure::new("exp: codes at which it falls", falls as f64, "", Gate::Exactly(0.0))).beside(0, SOURCE),
        Line::new(Figure::new("exp of s3.12, s4.11, s5.10 and s1.14: codes at which it falls", other_falls as f64, "", Gate::Exactly(0.0)))
            .noted("ours saturates where the published function wraps at one code of each, as was computed from its description"),
    ];
    let points: Vec<(f64, f64)> =
        codes().step_by(37).map(|(code, value)| (f64::from(code) / 8192.0, f64::from(*value) - exact(code))).collect();
    let drawn = curves(
        "Error of exp",
        Axis::linear("x"),
        Axis::linear("units of the last place of s6.9"),
        &[Series::line("every 37th code", 0, points).marked(Mark::Dots)],
        "The argument is brought to within ±ln 2 / 2, looked up among 65 numbers, and joined by straight lines; the shift at \
         the end multiplies what is left of the error by powers of two.",
    );
    Ok((lines, html! { (drawn) }))
}
