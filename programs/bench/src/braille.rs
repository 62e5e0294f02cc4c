//! Braille letters: two networks of the NIR paper, their published hidden spikes, and NeuroBench's metrics.

use std::path::Path;

use fenn_compiler::backend;
use fenn_compiler::import::{self, Calibration, Record, Reset, import};
use fenn_compiler::interpret::SpikeTrain;
use fenn_compiler::nir;
use fenn_host::dataset::{Dataset, Selection, Shape};
use fenn_host::profile::Profile;
use fenn_testbench::figure::{Figure, Gate};
use maud::html;

use crate::chart::{self, Panel};
use crate::neurobench::{self, Expected};
use crate::program::{Failure, Line, Options, Outcome, Program, Section};
use crate::run;

/// See the module.
pub const PROGRAM: Program = Program {
    name: "braille",
    title: "Braille letters",
    about: "Two recurrent networks of the NIR paper on a touched letter: snnTorch's spikes, and NeuroBench's metrics counted on the run.",
    needs_data: true,
    run,
};

/// Steps of a sample, and its inputs and classes.
const STEPS: u32 = 256;
const INPUTS: u32 = 12;
const CLASSES: u32 = 7;

/// A network, and what its sample 0 has to come to: counts of a float64 evaluation of snnTorch's order of operations.
struct Case {
    name: &'static str,
    graph: &'static str,
    reset: Reset,
    /// Formats that are not left to calibration, which loses one of the output's 687 spikes.
    formats: &'static [&'static str],
    hidden: f64,
    expected: Expected,
    published: &'static str,
}

const CASES: [Case; 2] = [
    Case {
        name: "subtract",
        graph: "nir/braille/braille_noDelay_noBias_subtract.nir",
        reset: Reset::Snntorch,
        formats: &[],
        hidden: 118.0,
        expected: Expected {
            accumulates: 27_106.0,
            dense: 604_160.0,
            activation_sparsity: 0.979_222,
            connection_sparsity: 0.0,
            weights: 2_360.0,
        },
        published: "92.86 (FeNN), 92.14 (snnTorch)",
    },
    Case {
        name: "zero",
        graph: "nir/braille/braille_noDelay_bias_zero.nir",
        reset: Reset::Value,
        formats: &["lif2.I=s5.10", "lif2.V=s5.10"],
        hidden: 119.0,
        expected: Expected {
            accumulates: 25_799.0,
            dense: 554_496.0,
            activation_sparsity: 0.930_035,
            connection_sparsity: 0.0,
            weights: 2_166.0,
        },
        published: "95.0 (snnTorch)",
    },
];

fn run(options: &Options<'_>) -> Result<Outcome, Failure> {
    let sample = options.data("nir/braille/sample0.csv")?;
    let shape = Shape {
        program: "braille".to_owned(),
        units: INPUTS.into(),
        steps: STEPS,
        time_step_ms: None,
        latency: None,
        classes: CLASSES,
    };
    let data = Dataset::read(&sample, None, &shape, Selection::default())?;
    let mut outcome = Outcome::default();
    let mut profiles = Vec::new();
    let mut panels = vec![Panel {
        name: "input".to_owned(),
        neurons: INPUTS,
        spikes: data.spikes(0).iter().map(|spike| (f64::from(spike.step), spike.unit)).collect(),
    }];
    for case in &CASES {
        let (profile, lines, raster) = network(case, &options.data(case.graph)?, &data, options)?;
        outcome.lines.extend(lines);
        panels.push(raster);
        profiles.push((case.name, profile));
    }
    let named: Vec<(&str, &Profile)> = profiles.iter().map(|(name, profile)| (*name, profile)).collect();
    outcome.sections = vec![
        Section::new(
            "Spikes",
            chart::raster(
                "Sample 0, a letter of class 1",
                "step",
                0.0,
                STEPS.into(),
                &panels,
                "A mark for each spike.",
            ),
        ),
        Section::new("NeuroBench", neurobench::section(&named)),
        Section::new(
            "Accuracy",
            html! { p {
                "The data set of 140 test samples is not among the reference data. Published accuracies: with subtraction "
                (CASES[0].published) " %, with reset to zero " (CASES[1].published) " % (the NIR paper's data)."
            } },
        ),
    ];
    Ok(outcome)
}

/// Compiles, profiles and records one network.
fn network(
    case: &Case,
    graph: &Path,
    data: &Dataset,
    options: &Options<'_>,
) -> Result<(Profile, Vec<Line>, Panel), Failure> {
    (options.progress)(&format!("compiling {}", case.name), 0.0);
    let mut steps = vec![Vec::new(); STEPS as usize];
    data.spikes(0).iter().for_each(|spike| steps[spike.step as usize].push(spike.unit));
    let how = import::Options {
        dt: Some(1e-4),
        reset: case.reset,
        record: Record::Spikes,
        formats: case.formats.iter().map(|format| format.parse()).collect::<Result<_, _>>()?,
        calibration: Calibration { samples: vec![vec![SpikeTrain::new(steps)]], ..Calibration::default() },
        ..import::Options::new(case.name, STEPS)
    };
    let said = |errors: Vec<import::ImportError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let imported = import(&nir::read(graph)?, &how).map_err(said)?;
    let mut image = run::compiled(&imported.network, &backend::Options::default())?.image;
    // Rounding makes 0 of a weight or two, which the network that is measured has.
    let vanished: usize =
        imported.report.populations.iter().map(|population| population.clipped.weights_vanished).sum();
    let work = image.manifest.as_mut().and_then(|manifest| manifest.work.as_mut());
    work.ok_or("a compiled network says what its parts do")?.vanished = Some(vanished as u64);
    let profile = neurobench::profiled(&image, data, options, case.name)?;

    let mut session = run::session(&image)?;
    let launch = session.run(data.spikes(0), fenn_host::device::Limit::default())?;
    let class = run::class(&launch)?;
    // The hidden population is the one that is no output.
    let manifest = session.manifest();
    let output = |name: &str| manifest.outputs.iter().any(|output| output.name == name);
    let index = manifest.recordings.iter().position(|recording| !output(&recording.population));
    let index = index.ok_or("the hidden population is not recorded")?;
    let neurons = manifest.recordings[index].neurons;
    let hidden = run::steps(&session.recordings(0)?[index]);
    let count: usize = hidden.iter().map(Vec::len).sum();
    let spikes = hidden.iter().zip(0u32..).flat_map(|(step, when)| step.iter().map(move |n| (f64::from(when), *n)));
    let panel = Panel { name: format!("hidden, {}", case.name), neurons, spikes: spikes.collect() };

    let figure =
        |what: &str, value, unit, gate| Line::new(Figure::new(format!("{}: {what}", case.name), value, unit, gate));
    let mut lines = vec![
        figure("hidden spikes", count as f64, "", Gate::Exactly(case.hidden))
            .beside(case.hidden, "snnTorch, the NIR paper's data"),
        figure("class", f64::from(class), "", Gate::Exactly(1.0)).beside(1, "the sample's label"),
        figure("cycles", launch.finished.cycles as f64, "", Gate::None),
    ];
    lines.extend(neurobench::lines(case.name, &profile, Some(&case.expected))?);
    lines.push(figure("weights that 16 bits make 0", vanished as f64, "", Gate::AtMost(2.0)));
    Ok((profile, lines, panel))
}
