//! The quick start of Spyx: a small spiking network is trained, leaves as a NIR file, and runs in 16 bits as it was trained.
//!
//! Contract: see `programs/spyx-quickstart/README.md`. The float accuracy is that of [`network`], and the float64 interpreter of
//! NIR graphs, which knows nothing of it, has to give every sample the same class from the exported file.

pub mod network;
pub mod train;

use std::collections::BTreeMap;
use std::path::Path;

use fenn_compiler::backend;
use fenn_compiler::import::{self, Calibration, Record, Reset, SpikeFrom};
use fenn_compiler::interpret::SpikeTrain;
use fenn_compiler::network::Readout;
use fenn_compiler::nir::{self, Edge, Graph, Li, Lif, Matrix, Node};
use fenn_host::dataset::{Dataset, Spike};
use fenn_host::evaluate::{self, Evaluation, evaluate};
use fenn_host::session::array::Array;
use fenn_host::sim::Simulator;
use fenn_isa::image::Image;
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::nir_reference::{self, Reference};
use maud::{Markup, html};
use rayon::prelude::*;

use crate::chart::{Axis, Mark, Panel, Series, curves, raster, table};
use crate::program::{Failure, Line, Options, Outcome, Program, Section};
use crate::run::compiled;
use crate::sample;
use network::{CHANNELS, CLASSES, HIDDEN, Network, STEPS, Sample, spikes};
use train::{EPOCHS, Training};

/// The program.
pub const PROGRAM: Program = Program {
    name: "spyx-quickstart",
    title: "The quick start of Spyx",
    about: "8 channels, 32 LIF neurons that spike from their old potential, 3 leaky integrators: trained here with the surrogate \
            gradient, exported to NIR, run in 16 bits.",
    needs_data: false,
    run,
};

const SOURCE: &str = "Spyx's documentation, docs/how-to/quickstart.md, 32 samples";
const SEED: u64 = 1;
/// What samples are evaluated on, whatever the training is begun from.
const TEST_SEED: u64 = 999;
/// Seconds of a step in the exported file; any number does.
const DT: f64 = 1e-3;
/// Clock of the published board.
const MEGAHERTZ: f64 = 175.0;
/// The steps in which the published platforms with this order of things spike.
const LIF_STEPS: [usize; 4] = [461, 511, 711, 761];

fn run(options: &Options<'_>) -> Result<Outcome, Failure> {
    let seed = options.seed.unwrap_or(SEED);
    let test = train::samples(TEST_SEED, if options.small { 200 } else { 1000 });
    (options.progress)("training", 0.0);
    let training = trained(seed, &test);
    let others = if options.small { Vec::new() } else { other_seeds(seed, options.jobs, &test)? };
    (options.progress)("compiling", 0.6);
    let path = options.out.join("spyx-quickstart.nir");
    nir::write(&to_graph(&training.network), &path)?;
    let image = compile(&path, &training)?;
    (options.progress)("running", 0.7);
    let evaluation = evaluate_all(&image, &test, options.jobs)?;
    let reference = by_reference(&path, &test)?;
    let mut outcome = Outcome { seed: Some(seed), ..Outcome::default() };
    outcome.lines.extend(training.lines(&others));
    outcome.lines.extend(compared(&training.network, &test, &reference, &evaluation)?);
    outcome.sections.push(Section::new("Training", training.section(&others)));
    outcome.sections.push(Section::new("A sample", sample_section(&training.network, &test, &image)?));
    (options.progress)("the NIR paper's neuron", 0.9);
    match lif(options) {
        Ok((line, section)) => {
            outcome.lines.push(line);
            outcome.sections.push(section);
        }
        Err(error) => outcome.lines.push(Line::new(Figure::unmeasured(LIF_NAME, Gate::Exactly(0.0), error))),
    }
    Ok(outcome)
}

/// A trained network as a program, whose NIR file is written to `path`, and its training samples.
///
/// # Errors
/// The file cannot be written, or what the compiler says.
pub fn trained_program(seed: u64, path: &Path) -> Result<(Image, Vec<Vec<Spike>>), Failure> {
    let training = trained(seed, &[]);
    nir::write(&to_graph(&training.network), path)?;
    let samples = training.samples.iter().map(|(sample, _)| sample::listed(&by_step(sample))).collect();
    Ok((compile(path, &training)?, samples))
}

/// A training that has ended.
struct Trained {
    network: Network,
    /// What it was trained on.
    samples: Vec<(Sample, usize)>,
    /// Mean loss of each epoch.
    losses: Vec<f64>,
    /// Accuracy before training, and after each epoch.
    accuracies: Vec<f64>,
}

fn trained(seed: u64, test: &[(Sample, usize)]) -> Trained {
    let mut training = Training::new(seed);
    let (mut losses, mut accuracies) = (Vec::new(), vec![train::accuracy(&training.network, test)]);
    for _ in 0..EPOCHS {
        losses.push(training.epoch());
        accuracies.push(train::accuracy(&training.network, test));
    }
    Trained { network: training.network, samples: training.samples, losses, accuracies }
}

/// Accuracies of seven other seeds, on `jobs` threads.
fn other_seeds(seed: u64, jobs: usize, test: &[(Sample, usize)]) -> Result<Vec<Trained>, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?;
    Ok(pool.install(|| (1..8u64).into_par_iter().map(|other| trained(seed.wrapping_add(other), test)).collect()))
}

impl Trained {
    fn last(&self) -> f64 {
        self.accuracies.last().copied().unwrap_or(f64::NAN)
    }

    fn lines(&self, others: &[Trained]) -> Vec<Line> {
        let all: Vec<f64> = others.iter().map(Trained::last).chain([self.last()]).collect();
        let seeds = if others.is_empty() {
            String::new()
        } else {
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let least = all.iter().copied().fold(f64::INFINITY, f64::min);
            format!("{} seeds: mean {mean:.1} %, least {least:.1} %", all.len())
        };
        let untrained = Figure::new("accuracy before training", self.accuracies[0], "%", Gate::AtMost(50.0));
        let first = Figure::new("accuracy after an epoch", self.accuracies[1], "%", Gate::None);
        let last = Figure::new("accuracy after 15 epochs", self.last(), "%", Gate::AtLeast(90.0));
        vec![
            Line::new(untrained).noted("chance is 33.3 %"),
            Line::new(first).beside("28.12", SOURCE),
            Line::new(last).beside("90.62", SOURCE).noted(seeds),
        ]
    }

    fn section(&self, others: &[Trained]) -> Markup {
        let over = |numbers: &[f64], from: usize| -> Vec<(f64, f64)> {
            numbers.iter().enumerate().map(|(epoch, number)| ((epoch + from) as f64, *number)).collect()
        };
        let published = [(1.0, 28.12), (4.0, 68.75), (8.0, 81.25), (15.0, 90.62)];
        let published_loss = [(1.0, 3.536), (4.0, 1.192), (8.0, 0.862), (15.0, 0.790)];
        let mut accuracies = vec![
            Series::line("this run", 0, over(&self.accuracies, 0)),
            Series::line("published", 1, published.to_vec()).marked(Mark::Dashed),
        ];
        let mut losses = vec![
            Series::line("this run", 0, over(&self.losses, 1)),
            Series::line("published", 1, published_loss.to_vec()).marked(Mark::Dashed),
        ];
        // Of all seeds, epoch by epoch.
        let over_all = |of: fn(&Trained) -> &[f64], from: usize, pick: fn(&[f64]) -> f64| -> Vec<(f64, f64)> {
            let all: Vec<&[f64]> = others.iter().map(of).chain([of(self)]).collect();
            let epochs = 0..all[0].len();
            epochs.map(|e| ((e + from) as f64, pick(&all.iter().map(|one| one[e]).collect::<Vec<_>>()))).collect()
        };
        let mean: fn(&[f64]) -> f64 = |numbers| numbers.iter().sum::<f64>() / numbers.len() as f64;
        if !others.is_empty() {
            let least: fn(&[f64]) -> f64 = |numbers| numbers.iter().copied().fold(f64::INFINITY, f64::min);
            accuracies.push(Series::line("mean of 8 seeds", 2, over_all(|one| &one.accuracies, 0, mean)));
            accuracies.push(Series::line("least of 8 seeds", 8, over_all(|one| &one.accuracies, 0, least)));
            losses.push(Series::line("mean of 8 seeds", 2, over_all(|one| &one.losses, 1, mean)));
        }
        html! {
            p {
                "An epoch is eight batches of 32 samples, the same eight every time. The published numbers are of 32 test samples, \
                 ours of many more; generators of random numbers differ, so neither curve can be the other."
            }
            (curves("Accuracy", Axis::linear("epochs"), Axis::linear("% of the test samples").with(&[0.0, 100.0]), &accuracies, ""))
            (curves("Loss", Axis::linear("epochs"), Axis::linear("cross entropy with smoothed labels").with(&[0.0]), &losses,
                "Labels are smoothed by 0.3, so that the least possible loss is 0.639."))
        }
    }
}

/// The network as a NIR graph, whose time step is [`DT`].
///
/// NIR's `v += dt/τ (v_leak − v + r x)` is `V ← βV + x` with `τ = dt / (1 − β)` and `r = τ / dt`.
fn to_graph(network: &Network) -> Graph {
    let tau = |beta: f64| DT / (1.0 - beta);
    let hidden: Vec<f64> = (0..HIDDEN).map(|neuron| tau(network.beta(neuron))).collect();
    let classes: Vec<f64> = (0..CLASSES).map(|class| tau(network.gamma(class))).collect();
    let resistances = |taus: &[f64]| taus.iter().map(|tau| tau / DT).collect();
    let w = (0..HIDDEN).flat_map(|neuron| (0..CHANNELS).map(move |channel| network.w(neuron, channel)));
    let o = (0..CLASSES).flat_map(|class| (0..HIDDEN).map(move |neuron| network.o(class, neuron)));
    let chain = [
        ("input", Node::Input { shape: vec![CHANNELS] }),
        ("linear1", Node::Linear { weight: Matrix { rows: HIDDEN, cols: CHANNELS, data: w.collect() } }),
        (
            "lif",
            Node::Lif(Lif {
                shape: vec![HIDDEN],
                r: resistances(&hidden),
                tau: hidden,
                v_leak: vec![0.0; HIDDEN],
                v_threshold: vec![1.0; HIDDEN],
                v_reset: vec![0.0; HIDDEN],
            }),
        ),
        ("linear2", Node::Linear { weight: Matrix { rows: CLASSES, cols: HIDDEN, data: o.collect() } }),
        (
            "li",
            Node::Li(Li { shape: vec![CLASSES], r: resistances(&classes), tau: classes, v_leak: vec![0.0; CLASSES] }),
        ),
        ("output", Node::Output { shape: vec![CLASSES] }),
    ];
    let edges = chain.windows(2).map(|pair| Edge { from: pair[0].0.to_owned(), to: pair[1].0.to_owned() }).collect();
    let nodes: BTreeMap<String, Node> = chain.into_iter().map(|(name, node)| (name.to_owned(), node)).collect();
    Graph { version: "1.0".to_owned(), nodes, edges }
}

/// The program of the file, its formats chosen on training samples.
fn compile(path: &Path, training: &Trained) -> Result<Image, Failure> {
    let train = |(sample, _): &(Sample, usize)| vec![SpikeTrain::new(by_step(sample))];
    let calibration =
        Calibration { samples: training.samples.iter().take(32).map(train).collect(), ..Calibration::default() };
    let options = import::Options {
        dt: Some(DT),
        reset: Reset::Subtract,
        spike_from: SpikeFrom::Old,
        readout: Some(Readout::Mean),
        record: Record::Spikes,
        calibration,
        ..import::Options::new("spyx-quickstart", STEPS as u32)
    };
    imported(path, &options)
}

/// The program of a NIR file.
fn imported(path: &Path, options: &import::Options) -> Result<Image, Failure> {
    let imported = import::import(&nir::read(path)?, options)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    Ok(compiled(&imported.network, &backend::Options::default())?.image)
}

/// Channels that spike in each step.
fn by_step(sample: &Sample) -> Vec<Vec<u32>> {
    let channels = |step| (0..CHANNELS as u32).filter(move |channel| spikes(sample, step, *channel as usize));
    (0..STEPS).map(|step| channels(step).collect()).collect()
}

fn evaluate_all(image: &Image, test: &[(Sample, usize)], jobs: usize) -> Result<Evaluation, Failure> {
    let samples: Vec<Vec<Spike>> = test.iter().map(|(sample, _)| sample::listed(&by_step(sample))).collect();
    let labels = test.iter().map(|(_, class)| *class as u32).collect();
    let dataset = Dataset::new(samples, Some(labels));
    let options = evaluate::Options { jobs, record: true, ..evaluate::Options::default() };
    Ok(evaluate(image, &dataset, || Simulator::new(image.config), options, |_| ())?)
}

/// What the interpreter of NIR graphs finds of a sample.
struct ByReference {
    class: usize,
    /// Hidden spikes of each step.
    hidden: Vec<Vec<f64>>,
}

fn by_reference(path: &Path, test: &[(Sample, usize)]) -> Result<Vec<ByReference>, Failure> {
    let graph = nir_reference::read(path)?;
    let settings = nir_reference::Settings {
        reset: nir_reference::Reset::Subtract,
        spike_from: nir_reference::SpikeFrom::Old,
        ..nir_reference::Settings::new(DT)
    };
    let run = |(sample, _): &(Sample, usize)| -> Result<ByReference, Failure> {
        let dense = |step| (0..CHANNELS).map(|channel| f64::from(u8::from(spikes(sample, step, channel)))).collect();
        let mut trace = Reference::new(&graph, settings)?.run(&[(0..STEPS).map(dense).collect()]);
        let outputs = trace.outputs.get("output").ok_or("the reference has no output")?;
        let logits: Vec<f64> = (0..CLASSES).map(|class| outputs.iter().map(|step| step[class]).sum()).collect();
        let class = (1..CLASSES).fold(0, |best, class| if logits[class] > logits[best] { class } else { best });
        Ok(ByReference { class, hidden: trace.units.remove("lif").ok_or("the reference has no neurons")? })
    };
    test.iter().map(run).collect()
}

/// Float against float, and against 16 bits.
fn compared(
    network: &Network,
    test: &[(Sample, usize)],
    reference: &[ByReference],
    evaluation: &Evaluation,
) -> Result<Vec<Line>, Failure> {
    let score = evaluation.score.as_ref().ok_or("the data set has no labels")?;
    let fixed = 100.0 * score.accuracy();
    let float = train::accuracy(network, test);
    let (mut unlike, mut total, mut off, mut in_float) = (0, 0, 0, 0);
    for (((sample, _), ByReference { class, hidden }), found) in test.iter().zip(reference).zip(&evaluation.samples) {
        let run = network.run(sample);
        unlike += usize::from(run.class() != *class);
        in_float += run.spikes.iter().zip(hidden).filter(|(ours, theirs)| ours[..] != theirs[..]).count();
        let Some(Array::Spikes(array)) = found.recordings.first() else {
            return Err("the program records no hidden spikes".into());
        };
        for (step, ours) in run.spikes.iter().enumerate() {
            let mut bits = [0.0; HIDDEN];
            array.in_step(step as u32).for_each(|neuron| bits[neuron as usize] = 1.0);
            total += ours.iter().filter(|spike| **spike == 1.0).count();
            off += ours.iter().zip(bits).filter(|(a, b)| **a != *b).count();
        }
    }
    let samples = test.len();
    // To the hundredth, which is finer than a sample: percentages are not exact in binary.
    let distance = (100.0 * (fixed - float)).round().abs() / 100.0;
    Ok(vec![
        Line::new(Figure::new(
            "exported file: samples with another class in the NIR reference",
            unlike as f64,
            "",
            Gate::Exactly(0.0),
        ))
        .noted(format!("of {samples}; steps with other hidden spikes: {in_float}")),
        Line::new(Figure::new("accuracy in 16 bits, on the simulator", fixed, "%", Gate::AtLeast(90.0)))
            .noted(format!("{} of {samples}", score.correct)),
        Line::new(Figure::new("16 bits off float", distance, "points", Gate::AtMost(2.0))),
        Line::new(Figure::new("hidden spikes in 16 bits that differ", off as f64, "", Gate::None))
            .noted(format!("of {total} in float, {samples} samples")),
        Line::new(Figure::new("instructions per sample", evaluation.instructions.mean(), "", Gate::None)),
        Line::new(Figure::new("time per sample", evaluation.cycles.mean() / MEGAHERTZ, "µs", Gate::None))
            .noted("cycles of the simulated core at the published board's 175 MHz"),
    ])
}

/// A sample in pictures: the first of the test.
fn sample_section(network: &Network, test: &[(Sample, usize)], image: &Image) -> Result<Markup, Failure> {
    let (sample, label) = test.first().ok_or("there are no test samples")?;
    let run = network.run(sample);
    let found = sample::run(image, &sample::listed(&by_step(sample)))?;
    let dots = |steps: &[Vec<u32>]| -> Vec<(f64, u32)> {
        steps.iter().enumerate().flat_map(|(step, units)| units.iter().map(move |unit| (step as f64, *unit))).collect()
    };
    let float: Vec<Vec<u32>> = run
        .spikes
        .iter()
        .map(|spikes| spikes.iter().zip(0..).filter(|(spike, _)| **spike == 1.0).map(|(_, neuron)| neuron).collect())
        .collect();
    let panel = |name: &str, neurons: usize, spikes: Vec<(f64, u32)>| Panel {
        name: name.to_owned(),
        neurons: neurons as u32,
        spikes,
    };
    let panels = [
        panel("input", CHANNELS, dots(&by_step(sample))),
        panel("hidden, float64", HIDDEN, dots(&float)),
        panel("hidden, 16 bits", HIDDEN, dots(found.of("lif")?)),
    ];
    let mut series = Vec::new();
    for class in 0..CLASSES {
        let readouts = run.readouts.iter().skip(1).enumerate().map(|(step, readouts)| (step as f64, readouts[class]));
        series.push(Series::line(format!("class {class}, float64"), class, readouts.collect()).marked(Mark::Dashed));
        if let Some(values) = &found.output {
            let codes = values.of(class as u32).enumerate();
            let points = codes.map(|(step, code)| (step as f64, f64::from(code) * values.format.resolution()));
            series.push(Series::line(format!("class {class}, 16 bits"), class, points.collect()));
        }
    }
    Ok(html! {
        p { "The first test sample, of class " (label) "; float64 says " (run.class()) ", 16 bits say " (found.class) "." }
        (raster("Spikes", "step", -0.5, STEPS as f64 - 0.5, &panels, ""))
        (curves("Readout", Axis::linear("step"), Axis::linear("potential"), &series,
            "The class is the one with the greatest sum over all steps."))
    })
}

const LIF_NAME: &str = "NIR LIF that spikes from its old potential: spikes off the published steps";

/// The NIR paper's neuron with this order of things.
fn lif(options: &Options<'_>) -> Result<(Line, Section), Failure> {
    let path = options.data("nir/lif/lif_norse.nir")?;
    let column = |path: &Path, column: usize| -> Result<Vec<f64>, Failure> {
        let text = std::fs::read_to_string(path)?;
        let field = |line: &str| Ok(line.split(',').nth(column).ok_or("a line is too short")?.trim().parse()?);
        text.lines().filter(|line| !line.trim().is_empty()).map(field).collect()
    };
    let inputs = column(&options.data("nir/lif/lif_norse.csv")?, 0)?;
    let spyx = column(&options.data("nir/lif/lif_spyx.csv")?, 2)?;
    let steps: Vec<Vec<u32>> = inputs.iter().map(|input| if *input != 0.0 { vec![0] } else { vec![] }).collect();
    let chosen = import::Options {
        dt: Some(1e-4),
        reset: Reset::Subtract,
        spike_from: SpikeFrom::Old,
        record: Record::Spikes,
        calibration: Calibration { samples: vec![vec![SpikeTrain::new(steps.clone())]], ..Calibration::default() },
        ..import::Options::new("lif", steps.len() as u32)
    };
    let found = sample::run(&imported(&path, &chosen)?, &sample::listed(&steps))?;
    let (_, spikes) = found.spikes.first().ok_or("the program records no spikes")?;
    let ours: Vec<usize> = (0..spikes.len()).filter(|step| !spikes[*step].is_empty()).collect();
    let theirs: Vec<usize> = (0..spyx.len()).filter(|step| spyx[*step] != 0.0).collect();
    let off = |a: &[usize], b: &[usize]| a.iter().filter(|step| !b.contains(step)).count();
    let wrong = off(&ours, &LIF_STEPS) + off(&LIF_STEPS, &ours);
    let text = |steps: &[usize]| steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let line = Line::new(Figure::new(LIF_NAME, wrong as f64, "", Gate::Exactly(0.0)))
        .beside(text(&theirs), "the NIR paper's data, Spyx; Lava and Loihi 2 are the same")
        .noted(format!("spikes at {}", text(&ours)));
    let rows = [
        vec!["16 bits, on the simulator".to_owned(), text(&ours)],
        vec!["Spyx, published".to_owned(), text(&theirs)],
        vec![
            "spiking from the new potential (exact solution, Nengo, Norse, snnTorch)".to_owned(),
            "460, 510, 710, 760".to_owned(),
        ],
    ];
    let body = html! {
        p { "One leaky neuron of the NIR paper, 1,000 steps of 0.1 ms: where spikes come from the potential before the step, they \
             come a step later." }
        (table(&["", "spikes in the steps"], &rows))
    };
    Ok((line, Section::new("The NIR paper's neuron", body)))
}
