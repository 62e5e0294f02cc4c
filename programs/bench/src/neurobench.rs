//! NeuroBench's metrics of a program's run, beside their published definitions.
//!
//! Contract: everything is counted on the run by the profiler ([`fenn_host::profile`]), nothing is estimated; gates are exact
//! counts of an evaluation that follows NeuroBench's definitions (arXiv 2304.04640) and knows nothing of the machine.

use fenn_host::dataset::Dataset;
use fenn_host::profile::{self, NeuroBench, Profile};
use fenn_host::report::svg::grouped;
use fenn_isa::image::Image;
use fenn_isa::timing::FENN;
use fenn_testbench::figure::{Figure, Gate};
use maud::{Markup, html};

use crate::chart;
use crate::program::{Failure, Line, Options};

/// What a network has to come to.
pub(crate) struct Expected {
    /// Effective accumulates of a sample, on average, in whole hundredths.
    pub(crate) accumulates: f64,
    /// Pairs of weight and input of a sample.
    pub(crate) dense: f64,
    /// Share of outputs that are no spikes, in whole millionths.
    pub(crate) activation_sparsity: f64,
    /// Share of weights that are 0, in whole millionths.
    pub(crate) connection_sparsity: f64,
    /// Weights, those that are 0 included.
    pub(crate) weights: f64,
}

/// Profiles `image` on `data`, and writes the profiler's own page and JSON to `name.html` and `name.json`.
pub(crate) fn profiled(image: &Image, data: &Dataset, options: &Options<'_>, name: &str) -> Result<Profile, Failure> {
    let machine = fenn_iss::Options { profile: FENN, ..fenn_iss::Options::default() };
    let how = profile::Options { jobs: options.jobs, machine, ..profile::Options::default() };
    let all = data.len().max(1) as f64;
    let profile = profile::profile(
        image,
        data,
        &how,
        |_| None,
        |done| {
            (options.progress)(&format!("profiling {name}"), done as f64 / all);
        },
    )?;
    let file = |end: &str| options.out.join(format!("{name}.{end}"));
    fenn_isa::file::write_whole(&file("html"), profile::page(&profile).as_bytes())?;
    fenn_isa::file::write_whole(&file("json"), profile.to_json()?.as_bytes())?;
    Ok(profile)
}

/// The lines of a profile, each against its exact count.
pub(crate) fn lines(of: &str, profile: &Profile, expected: Option<&Expected>) -> Result<Vec<Line>, Failure> {
    let metrics = profile.neurobench.as_ref().ok_or("the profile has no NeuroBench section")?;
    let counted = |number: Option<u64>| number.ok_or("spikes were not counted");
    let per_sample = |number: u64| number as f64 / profile.samples.max(1) as f64;
    let millionth = |number: f64| (number * 1e6).round() / 1e6;
    let hundredth = |number: f64| (number * 1e2).round() / 1e2;
    let sparsity = metrics.activation_sparsity.ok_or("spikes were not counted")?;
    let connections = metrics.connection_sparsity_given.unwrap_or(metrics.connection_sparsity);
    let gate = |number: fn(&Expected) -> f64| expected.map_or(Gate::None, |expected| Gate::Exactly(number(expected)));
    let figure = |what: &str, value, unit, gate| Line::new(Figure::new(format!("{of}: {what}"), value, unit, gate));
    Ok(vec![
        figure(
            "effective accumulates",
            hundredth(per_sample(counted(metrics.effective_acs)?)),
            "a sample",
            gate(|e| e.accumulates),
        ),
        figure("dense operations", per_sample(metrics.dense), "a sample", gate(|e| e.dense)),
        figure("activation sparsity", millionth(sparsity), "", gate(|e| e.activation_sparsity)),
        figure("connection sparsity", millionth(connections), "", gate(|e| e.connection_sparsity)),
        figure("weights", metrics.weights as f64, "", gate(|e| e.weights)),
        figure("lanes spent on them", per_sample(counted(metrics.lanes)?), "a sample", Gate::None),
        figure("footprint", metrics.footprint as f64, "bytes", Gate::None),
    ])
}

/// What the definitions say, and what was counted.
pub(crate) fn section(networks: &[(&str, &Profile)]) -> Markup {
    let with = |number: fn(&NeuroBench) -> Option<f64>| -> Vec<String> {
        let text = |profile: &Profile| {
            let number = profile.neurobench.as_ref().and_then(number);
            number.map_or("–".to_owned(), |number| match number.fract() == 0.0 {
                true => grouped(number as u64),
                false => format!("{number:.6}"),
            })
        };
        networks.iter().map(|(_, profile)| text(profile)).collect()
    };
    let row = |name: &str, numbers: Vec<String>, meaning: &str| {
        [vec![name.to_owned()], numbers, vec![meaning.to_owned()]].concat()
    };
    let rows = [
        row(
            "footprint, bytes",
            with(|m| Some(m.footprint as f64)),
            "parameters and buffers, weights that are 0 included",
        ),
        row("connection sparsity", with(|m| Some(m.connection_sparsity)), "weights that are 0 / weights"),
        row("activation sparsity", with(|m| m.activation_sparsity), "outputs that are 0 / neurons · steps · samples"),
        row("dense operations", with(|m| Some(m.dense as f64)), "pairs of weight and input, of all samples"),
        row(
            "effective accumulates",
            with(|m| m.effective_acs.map(|n| n as f64)),
            "those with a spike and a weight that is not 0",
        ),
        row(
            "effective multiply-accumulates",
            with(|m| Some(m.effective_macs as f64)),
            "inputs that are no spikes: none",
        ),
        row(
            "lanes spent",
            with(|m| m.lanes.map(|n| n as f64)),
            "what the vector unit takes for them, padding included",
        ),
        row("membrane updates", with(|m| Some(m.membrane_updates as f64)), "neurons · steps · samples"),
    ];
    let heads: Vec<&str> =
        std::iter::once("metric").chain(networks.iter().map(|(name, _)| *name)).chain(["meaning"]).collect();
    html! {
        (chart::table(&heads, &rows))
        p.sub { "Counted on the run; the definitions are those of NeuroBench (arXiv 2304.04640)." }
    }
}
