//! An adaptive neuron in each of 32 lanes over 5,000 steps, with each way of rounding its decays.

use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::kernels::experiment::{self, Adaptive};
use fenn_testbench::kernels::neuron::{Arithmetic, Decay};
use maud::html;

use super::{Part, TRACES};
use crate::chart::{Axis, Mark, Series, curves};
use crate::program::{Failure, Line, Options};

const LANES: usize = 32;
/// Units of V, s1.14, and of A, s6.9.
const UNITS: [f64; 2] = [16_384.0, 512.0];

/// A run of the kernel, and the errors of the published trace of V and A.
struct Run {
    name: &'static str,
    ours: Adaptive,
    published: Option<[f64; 2]>,
}

pub(super) fn run(options: &Options<'_>, seed: u64) -> Result<Part, Failure> {
    let file = |name: &str| options.data(&format!("numerics/{name}"));
    let one = |name, decay, saturating, inputs: &str, published: Option<&str>| -> Result<Run, Failure> {
        let ours = experiment::adaptive(&file(inputs)?, Arithmetic { decay, saturating }, seed)?;
        let published = match published {
            Some(trace) => Some(experiment::errors(&experiment::published_trace(&file(trace)?)?, &ours.float)),
            None => None,
        };
        Ok(Run { name, ours, published })
    };
    const USUAL: &str = "poisson_data.bin";
    const OVER: &str = "poisson_data_bad.bin";
    let down = one("rounded down", Decay::Down, true, USUAL, Some("out_alif_14_9.txt.gz"))?;
    let nearest = one("rounded to the nearest", Decay::Nearest, true, USUAL, None)?;
    let stochastic = one("rounded stochastically", Decay::Stochastic, true, USUAL, Some("out_alif_14_9_rs.txt.gz"))?;
    let wrapping = one("overdriven, wrapping", Decay::Stochastic, false, OVER, Some("out_alif_bad_14_9_rs.txt.gz"))?;
    let saturating =
        one("overdriven, saturating", Decay::Stochastic, true, OVER, Some("out_alif_bad_14_9_sat_rs.txt.gz"))?;
    let published = experiment::published_trace(&file("out_alif_14_9.txt.gz")?)?;
    let differ = down.ours.trace.iter().zip(&published).filter(|(a, b)| a != b).count();
    let mut lines = vec![
        Line::new(Figure::new(
            "ALIF rounded down: steps unlike the published trace",
            (differ + down.ours.trace.len().abs_diff(published.len())) as f64,
            "",
            Gate::Exactly(0.0),
        ))
        .noted(format!("of {} steps of V and A", published.len())),
    ];
    let runs = [&down, &nearest, &stochastic, &wrapping, &saturating];
    let unlike: usize = runs.iter().map(|run| run.ours.unlike_reference).sum();
    lines.push(Line::new(Figure::new(
        "ALIF, all runs: steps unlike the reference with the same seed",
        unlike as f64,
        "",
        Gate::Exactly(0.0),
    )));
    // The gates are for what rounding does to A, and for what saturation does to both where V would overflow.
    let gates = [
        [Gate::None, Gate::Between(0.018, 0.020)],
        [Gate::None, Gate::None],
        [Gate::AtMost(0.06), Gate::AtMost(0.010)],
        [Gate::None, Gate::None],
        [Gate::AtMost(0.15), Gate::AtMost(0.03)],
    ];
    for (run, gates) in runs.iter().zip(gates) {
        for (which, gate) in gates.into_iter().enumerate().rev() {
            let name = format!("ALIF {}: error of {}", run.name, ["V", "A"][which]);
            let line = Line::new(Figure::new(name, run.ours.error[which], "of its range", gate));
            let line = line.noted(format!("{:.1} spikes, float {}", run.ours.spikes, run.ours.float_spikes));
            lines.push(match run.published {
                Some(published) => line.beside(format!("{:.4}", published[which]), TRACES),
                None => line,
            });
        }
    }
    let usual = [&down, &nearest, &stochastic];
    let body = html! {
        (drift(&usual))
        (traces("V for some steps", 0, &usual, 4000..4200, 1,
            "The potential of lane 0 while the input is strong. Spikes come as the adaptation lets them: too early where it was \
             rounded down."))
        (traces("V with too strong an input", 0, &[&wrapping, &saturating], parting(&wrapping, &saturating), 1,
            "The same with more input than the format can hold, around the step in which the sums first matter. Those that wrap \
             turn the greatest potential into the least; those that saturate stay at the greatest."))
        p {
            "Errors are roots of the mean squared distance from float64 over all lanes and steps, divided by the range of \
             float64. The input: 32 lanes of Poisson counts, mean 5.7, 5.8, 0.5, 0.5 and 5.8 in blocks of 1,000 steps."
        }
    };
    Ok((lines, body))
}

/// How far A of lane 0 is from float64's.
fn drift(runs: &[&Run]) -> maud::Markup {
    let series = runs.iter().enumerate().map(|(colour, run)| {
        let away = |step: usize| f64::from(run.ours.trace[step * LANES][1]) / UNITS[1] - run.ours.float[step][1];
        let steps = (0..run.ours.float.len()).step_by(5);
        Series::line(run.name, colour, steps.map(|step| (step as f64, away(step))).collect())
    });
    curves(
        "A less float64's",
        Axis::linear("step"),
        Axis::linear("A"),
        &series.collect::<Vec<_>>(),
        "The adaptation of lane 0, which is up to 35 and decays by a two-thousandth in a step: a few units of its last place. \
         Rounded down it loses half a unit more each time, which adds up; the other two ways keep to float64, but for spikes \
         that come a step earlier or later and move A by 1 for as long.",
    )
}

/// Some steps around the first in which V of lane 0 differs.
fn parting(a: &Run, b: &Run) -> std::ops::Range<usize> {
    let steps = a.ours.float.len();
    let first = (0..steps).find(|step| a.ours.trace[step * LANES][0] != b.ours.trace[step * LANES][0]).unwrap_or(0);
    first.saturating_sub(50)..(first + 150).min(steps)
}

/// One of V and A of lane 0, of these runs and of their floating-point neuron.
fn traces(
    title: &str,
    which: usize,
    runs: &[&Run],
    steps: std::ops::Range<usize>,
    every: usize,
    caption: &str,
) -> maud::Markup {
    let ours = runs.iter().enumerate().map(|(colour, run)| {
        let value = |step: usize| f64::from(run.ours.trace[step * LANES][which]) / UNITS[which];
        Series::line(run.name, colour, steps.clone().step_by(every).map(|step| (step as f64, value(step))).collect())
    });
    let float = runs.first().map(|run| {
        let points = steps.clone().step_by(every).map(|step| (step as f64, run.ours.float[step][which]));
        Series::line("float64", 8, points.collect()).marked(Mark::Dashed)
    });
    let series: Vec<Series> = ours.chain(float).collect();
    curves(title, Axis::linear("step"), Axis::linear(["V", "A"][which]), &series, caption)
}
