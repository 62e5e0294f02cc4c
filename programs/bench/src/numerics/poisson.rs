//! Poisson counts: one uniform number after the other multiplied, sums of such counts, and comparisons for rare events.

use fenn_compiler::backend;
use fenn_host::device::Limit;
use fenn_host::session::array::Array;
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::kernels::experiment;
use fenn_testbench::kernels::random::{poisson_fit, poisson_fit_in};
use maud::html;

use super::Part;
use crate::chart::bars;
use crate::program::{Failure, Line, Options};
use crate::run::{compiled, described, session};

const SOURCE: &str = "the real core's counts (out_poisson_device.txt)";
/// Neurons that draw, of the compiled programs.
const NEURONS: usize = 1024;

pub(super) fn run(options: &Options<'_>, seed: u64) -> Result<Part, Failure> {
    let ours = experiment::poisson(5.0, if options.small { 250 } else { 1000 }, seed)?;
    let core = experiment::published_poisson(&options.data("numerics/out_poisson_device.txt")?)?;
    let theirs = poisson_fit(&core, 5.0);
    let steps = if options.small { 10 } else { 40 };
    let (sums, sum_cost) = drawn("sum", &sum(), steps, seed, options)?;
    let (rare, rare_cost) = drawn("rare", &rare(), steps, seed, options)?;
    let sum_fit = poisson_fit_in(&sums, 20.0, 10..=30);
    let rare_fit = poisson_fit_in(&rare, RARE, 0..=2);
    let lines = vec![
        Line::new(Figure::new("Poisson, mean 5: p of the χ² test", ours.fit.p, "", Gate::AtLeast(0.01)))
            .beside(format!("{:.2}", theirs.p), SOURCE)
            .noted(format!("{} counts; {} unlike the reference", ours.counts.len(), ours.unlike_reference)),
        Line::new(Figure::new("Poisson, mean 5: mean", ours.fit.mean, "", Gate::Between(4.95, 5.05)))
            .beside(format!("{:.3}", theirs.mean), SOURCE)
            .noted(format!("{} counts of theirs, without lane 0, whose generator had the state 0", core.len())),
        Line::new(Figure::new("Poisson, mean 5: variance", ours.fit.variance, "", Gate::Between(4.8, 5.2)))
            .beside(format!("{:.3}", theirs.variance), SOURCE)
            .noted(format!("{:.0} instructions for 32 counts", ours.instructions)),
        Line::new(Figure::new(
            "Poisson, mean 20 as four of mean 5: p of the χ² test",
            sum_fit.p,
            "",
            Gate::AtLeast(0.01),
        ))
        .noted(format!(
            "{} counts, mean {:.3}, variance {:.3}, {sum_cost:.0} instructions for 32; compiled from equations",
            sums.len(),
            sum_fit.mean,
            sum_fit.variance
        )),
        Line::new(Figure::new(
            "Poisson, mean 0.02 by comparisons: p of the χ² test",
            rare_fit.p,
            "",
            Gate::AtLeast(0.01),
        ))
        .noted(format!(
            "{} counts, mean {:.4}, variance {:.4}, {rare_cost:.0} instructions for 32; compiled from equations",
            rare.len(),
            rare_fit.mean,
            rare_fit.variance
        )),
    ];
    let body = html! {
        (histogram("Counts with mean 5", 5.0, 0..=14, &[("ours", &ours.counts), ("real core", &core)],
            "Uniform numbers are multiplied until the product is at most e^-5, which is 110 units of its format."))
        (histogram("Counts with mean 20", 20.0, 8..=34, &[("ours", &sums)],
            "e^-20 is nothing in 16 bits, so a greater mean is the sum of smaller ones: four counts of mean 5."))
    };
    Ok((lines, body))
}

/// A small mean.
const RARE: f64 = 0.02;

fn sum() -> String {
    format!(
        r#"equations = '''
int16_t Count = 0;
for (int16_t Part = 0; Part < 4; Part++) {{
    s1_14_t P = One * fennrand();
    while (P > Threshold) {{
        Count++;
        P = P * fennrand();
    }}
}}
N = Count;
'''
variables.N = {{ type = "int16_t" }}
parameters.One = {{ type = "s1_14_t", value = 1 }}
parameters.Threshold = {{ type = "s1_14_t", value = {} }}
"#,
        (-5.0f64).exp()
    )
}

/// One uniform number, compared with the chances of none and of at most one.
fn rare() -> String {
    format!(
        r#"equations = '''
s0_15_t U = fennrand();
N = 0;
if (U >= None) {{ N = 1; }}
if (U >= One) {{ N = 2; }}
'''
variables.N = {{ type = "int16_t" }}
parameters.None = {{ type = "s0_15_t", value = {} }}
parameters.One = {{ type = "s0_15_t", value = {} }}
"#,
        (-RARE).exp(),
        (1.0 + RARE) * (-RARE).exp()
    )
}

/// Counts of a population with these equations, and the instructions for 32 of them.
fn drawn(
    name: &str,
    population: &str,
    steps: usize,
    seed: u64,
    options: &Options<'_>,
) -> Result<(Vec<i16>, f64), Failure> {
    let text = format!(
        "name = \"poisson-{name}\"\nsteps = {steps}\nseed = {seed}\n\n[[population]]\nname = \"counts\"\nsize = {NEURONS}\n\
         {population}\n[[output]]\npopulation = \"counts\"\nvariable = \"N\"\n\n[[record]]\npopulation = \"counts\"\n\
         variable = \"N\"\n"
    );
    fenn_isa::file::write_whole(&options.out.join(format!("poisson-{name}.toml")), text.as_bytes())?;
    let network = described(&text, name, options.out, None)?;
    let program = compiled(&network, &backend::Options::default())?;
    let mut session = session(&program.image)?;
    let run = session.run(&[], Limit::default())?;
    let counts = session.recordings(0)?.into_iter().find_map(|array| match array {
        Array::Values(values) => Some(values.codes),
        Array::Spikes(_) => None,
    });
    let vectors = (steps * NEURONS / 32) as f64;
    Ok((counts.ok_or("the counts were not recorded")?, run.finished.instructions as f64 / vectors))
}

/// Shares of counts beside the distribution's.
fn histogram(
    title: &str,
    lambda: f64,
    range: std::ops::RangeInclusive<i16>,
    series: &[(&str, &Vec<i16>)],
    caption: &str,
) -> maud::Markup {
    let share = |counts: &[i16], k: i16| {
        100.0 * counts.iter().filter(|count| **count == k).count() as f64 / counts.len() as f64
    };
    let exact = |k: i16| {
        let logarithm = (1..=k).map(|i| (lambda / f64::from(i)).ln()).sum::<f64>() - lambda;
        100.0 * logarithm.exp()
    };
    let groups: Vec<(String, Vec<f64>)> = range
        .map(|k| {
            let ours = series.iter().map(|(_, counts)| share(counts, k));
            (k.to_string(), std::iter::once(exact(k)).chain(ours).collect())
        })
        .collect();
    let names: Vec<&str> = std::iter::once("Poisson").chain(series.iter().map(|(name, _)| *name)).collect();
    bars(title, "% of counts", &names, &groups, caption)
}
