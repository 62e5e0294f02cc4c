//! The published MNIST classifier: accuracy, cost and NeuroBench's metrics over the whole test set.

use fenn_compiler::backend;
use fenn_host::dataset::{Dataset, Selection, Shape};
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::shared::root;

use crate::chart;
use crate::neurobench::{self, Expected};
use crate::program::{Failure, Line, Options, Outcome, Program, Section};
use crate::run;

/// See the module.
pub const PROGRAM: Program = Program {
    name: "mnist",
    title: "MNIST",
    about: "The published classifier of handwritten digits on all 10,000 test images, with its own weights.",
    needs_data: true,
    run,
};

/// Images of a small run.
const SMALL: usize = 50;

/// Counts of an independent emulator over the 10,000 images.
const EXPECTED: Expected = Expected {
    accumulates: 16_175.25,
    dense: 8_028_928.0,
    activation_sparsity: 0.984_271,
    connection_sparsity: 0.117_483,
    weights: 101_632.0,
};

fn run(options: &Options<'_>) -> Result<Outcome, Failure> {
    let images = options.data("mnist/t10k-images-idx3-ubyte.gz")?;
    let labels = options.data("mnist/t10k-labels-idx1-ubyte.gz")?;
    let folder = root().join("programs/mnist");
    let description = folder.join("network.toml");
    let text = std::fs::read_to_string(&description).map_err(|error| format!("{}: {error}", description.display()))?;
    let network = run::described(&text, "network.toml", &folder, None)?;
    let image = run::compiled(&network, &backend::Options::default())?.image;
    let manifest = image.manifest.as_ref().ok_or("a compiled network has a manifest")?;
    let limit = options.small.then_some(SMALL);
    let selection = Selection { limit, ..Selection::default() };
    let data = Dataset::read(&images, Some(&labels), &Shape::from(manifest), selection)?;
    let profile = neurobench::profiled(&image, &data, options, "mnist")?;

    let accuracy = profile.accuracy.as_ref().ok_or("there are labels")?;
    let whole = !options.small;
    let samples = profile.samples as f64;
    let correct = if whole { Gate::Exactly(9591.0) } else { Gate::AtLeast(45.0) };
    let figure = |what: &str, value, unit, gate| Line::new(Figure::new(what, value, unit, gate));
    let mut lines = vec![
        figure("correct", accuracy.correct as f64, "images", correct)
            .beside("9591 (9583 as scripted)", "the published system, measured"),
        figure("instructions", profile.cost.instructions as f64 / samples, "an image", Gate::AtMost(16_000.0))
            .beside(28_879, "the published system, measured"),
        figure("cycles", profile.cost.cycles as f64 / samples, "an image", Gate::None),
        figure("time at 175 MHz", profile.cost.cycles as f64 / samples / 175.0, "us an image", Gate::None),
    ];
    lines.extend(neurobench::lines("NeuroBench", &profile, whole.then_some(&EXPECTED))?);
    let groups: Vec<(String, Vec<f64>)> = profile
        .phases
        .iter()
        .filter(|phase| phase.cost.cycles > 0)
        .map(|phase| {
            let lost: u64 = phase.cost.stalls.values().sum();
            let cycles = phase.cost.cycles - lost.min(phase.cost.cycles);
            (phase.name.clone(), vec![cycles as f64 / samples, lost as f64 / samples])
        })
        .collect();
    let sections = vec![
        Section::new(
            "Where cycles go",
            chart::bars(
                "Cycles of an image by phase",
                "cycles",
                &["instructions", "lost"],
                &groups,
                "On average over all images; the profiler's page is mnist/mnist.html.",
            ),
        ),
        Section::new("NeuroBench", neurobench::section(&[("MNIST", &profile)])),
    ];
    Ok(Outcome { lines, sections, ..Outcome::default() })
}
