//! The keystone's figures: a trained network runs end to end, from file to accuracy.
//!
//! Contract: everything is measured by the tools as they are built, on the files a user would give them; references are the
//! published data and [`crate::nir_reference`]. A part that cannot be measured is a figure that misses its gate, with
//! the reason.

use std::path::Path;
use std::process::Command;

use fenn_host::session::Session;
use fenn_host::session::array::Array;
use fenn_host::sim::Simulator;
use fenn_isa::image::Image;

use crate::bad_input;
use crate::figure::{Figure, Gate};
use crate::nir_reference::{self, Graph, Node, Reference, Reset, Settings};
use crate::part::{Failure, OUT, Part, needed};
use crate::shared::root;
use crate::tools::{ToolError, counted_test, json, number, run};

/// All parts, in the order in which they are shown.
pub const PARTS: [Part; 8] = [
    Part::new("demo", false, demo),
    Part::new("training", false, training),
    Part::new("MNIST", true, mnist),
    Part::new("Braille", true, braille),
    Part::new("NIR LIF", true, lif),
    Part::new("recorded vector instructions", true, vector_ops),
    Part::new("scalar rows", false, scalar_rows),
    Part::new("bad input", false, bad_inputs),
];

/// The shipped Yin-Yang network on its 1,000 test samples, as `make demo` runs it.
fn demo() -> Result<Vec<Figure>, Failure> {
    let output = Command::new("make").args(["--no-print-directory", "demo"]).current_dir(root()).output()?;
    if !output.status.success() {
        return Err(format!("make demo failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let run = json(
        "fenn-run",
        &["out/demo/yin-yang.elf", "--data", "out/demo/spikes.npy", "--labels", "out/demo/labels.npy"],
    )?;
    let accuracy = 100.0 * number(&run, "/accuracy")?;
    let float = yin_yang_float()?;
    let report = std::fs::read_to_string(root().join("out/demo/report.html"))?;
    let pictures = report.matches("<svg").count() as f64;
    Ok(vec![
        Figure::new("demo: samples", number(&run, "/samples")?, "", Gate::Exactly(1000.0)),
        Figure::new("demo: accuracy on the simulator", accuracy, "%", Gate::AtLeast(94.0)),
        Figure::new("demo: accuracy of the float reference", float, "%", Gate::None),
        Figure::new("demo: distance from the float reference", (accuracy - float).abs(), "points", Gate::AtMost(0.5)),
        Figure::new("demo: pictures in the report", pictures, "", Gate::AtLeast(3.0)),
        Figure::new("demo: instructions per sample", number(&run, "/instructions/mean")?, "", Gate::None),
    ])
}

/// Accuracy of the same network and spikes in [`crate::nir_reference`], in percent.
fn yin_yang_float() -> Result<f64, Failure> {
    const STEPS: usize = 80;
    let graph = nir_reference::read(root().join("programs/yin-yang/yin-yang.nir"))?;
    let spikes = fenn_yin_yang_samples(&root().join("out/demo/spikes.npy"), STEPS)?;
    let labels: Vec<i64> = integers(&root().join("out/demo/labels.npy"))?;
    let output = graph.nodes.iter().find(|(_, node)| matches!(node, Node::Output(_)));
    let output = output.ok_or("the graph has no output")?.0;
    let mut correct = 0;
    for (sample, label) in spikes.iter().zip(&labels) {
        let trace = Reference::new(&graph, Settings::new(0.0005))?.run(std::slice::from_ref(sample));
        let classes = &trace.outputs[output];
        let peak = |class: usize| classes.iter().map(|step| step[class]).fold(f64::NEG_INFINITY, f64::max);
        let peaks: Vec<f64> = (0..classes[0].len()).map(peak).collect();
        let best = (0..peaks.len()).fold(0, |best, class| if peaks[class] > peaks[best] { class } else { best });
        correct += usize::from(best as i64 == *label);
    }
    Ok(100.0 * correct as f64 / labels.len() as f64)
}

/// Input values per sample and step, of rows (sample, step, unit).
fn fenn_yin_yang_samples(path: &Path, steps: usize) -> Result<Vec<Vec<Vec<f64>>>, Failure> {
    let rows: Vec<i64> = integers(path)?;
    let samples = rows.chunks_exact(3).map(|row| row[0] + 1).max().unwrap_or(0) as usize;
    let units = rows.chunks_exact(3).map(|row| row[2] + 1).max().unwrap_or(0) as usize;
    let mut values = vec![vec![vec![0.0; units]; steps]; samples];
    for row in rows.chunks_exact(3) {
        values[row[0] as usize][row[1] as usize][row[2] as usize] += 1.0;
    }
    Ok(values)
}

/// The 32-bit integers of a NumPy file.
fn integers(path: &Path) -> Result<Vec<i64>, Failure> {
    let file = npyz::NpyFile::new(std::io::BufReader::new(std::fs::File::open(path)?))?;
    Ok(file.into_vec::<i32>()?.into_iter().map(i64::from).collect())
}

/// Training again from the seed gives the committed bytes.
fn training() -> Result<Vec<Figure>, Failure> {
    let out = format!("{OUT}/yin-yang.nir");
    run("yin-yang", &["train", "--seed", "1", "--out", &out])?;
    let same = std::fs::read(root().join(&out))? == std::fs::read(root().join("programs/yin-yang/yin-yang.nir"))?;
    let same = f64::from(u8::from(same));
    Ok(vec![Figure::new("Yin-Yang: training from the seed gives the shipped file", same, "", Gate::Exactly(1.0))])
}

/// The published MNIST network, in file order from zero state.
fn mnist() -> Result<Vec<Figure>, Failure> {
    let (images, labels) = (needed("mnist/t10k-images-idx3-ubyte.gz")?, needed("mnist/t10k-labels-idx1-ubyte.gz")?);
    let golden = std::fs::read_to_string(needed("golden/mnist_v_avg_first1000.csv")?)?;
    let (elf, csv) = (format!("{OUT}/mnist.elf"), format!("{OUT}/mnist.csv"));
    run("fenn-cc", &["programs/mnist/network.toml", "--allow-outside", "-o", &elf])?;
    let (images, labels) = (images.to_string_lossy().into_owned(), labels.to_string_lossy().into_owned());
    let answer = json("fenn-run", &[&elf, "--data", &images, "--labels", &labels, "--outputs", &csv])?;
    let ours = std::fs::read_to_string(root().join(&csv))?;
    let (mut rows, mut different) = (0, 0);
    // The published run's first three rows carry the trace of an uninitialised buffer.
    for (expected, found) in golden.lines().zip(ours.lines()).skip(3) {
        let expected: Vec<i64> = expected.split(',').map(str::parse).collect::<Result<_, _>>()?;
        let found: Vec<&str> = found.split(',').collect();
        let found: Vec<i64> =
            found[found.len() - expected.len()..].iter().map(|n| n.parse()).collect::<Result<_, _>>()?;
        rows += 1;
        different += usize::from(expected != found);
    }
    let correct = number(&answer, "/correct")?;
    Ok(vec![
        Figure::new("MNIST: images compared with the published VAvg", rows as f64, "", Gate::Exactly(997.0)),
        Figure::new("MNIST: of those different in any of ten integers", different as f64, "", Gate::Exactly(0.0)),
        Figure::new("MNIST: images", number(&answer, "/samples")?, "", Gate::Exactly(10_000.0)),
        Figure::new("MNIST: correct", correct, "", Gate::Exactly(9591.0)),
        Figure::new(
            "MNIST: instructions per image (published 28,879)",
            number(&answer, "/instructions/mean")?,
            "",
            Gate::None,
        ),
    ])
}

struct Braille {
    name: &'static str,
    graph: &'static str,
    activity: &'static str,
    reset: (&'static str, Reset),
    /// Mismatches allowed in 16 bits.
    gate: f64,
    /// Entries compared.
    entries: f64,
}

/// Both published graphs on the embedded sample, against snnTorch's published hidden spikes.
fn braille() -> Result<Vec<Figure>, Failure> {
    let graphs = [
        Braille {
            name: "subtract",
            graph: "nir/braille/braille_noDelay_noBias_subtract.nir",
            activity: "nir/braille/snntorch_activity_noDelay_noBias_subtract.npy",
            reset: ("snntorch", Reset::DelayedSubtract),
            gate: 2.0,
            entries: 10_240.0,
        },
        Braille {
            name: "zero",
            graph: "nir/braille/braille_noDelay_bias_zero.nir",
            activity: "nir/braille/snntorch_activity_noDelay_bias_zero.npy",
            reset: ("value", Reset::Value),
            gate: 5.0,
            entries: 9_728.0,
        },
    ];
    let mut figures = Vec::new();
    for case in graphs {
        figures.extend(braille_case(&case)?);
    }
    Ok(figures)
}

fn braille_case(case: &Braille) -> Result<Vec<Figure>, Failure> {
    let (path, sample) = (needed(case.graph)?, needed("nir/braille/sample0.csv")?);
    let published = npyz::NpyFile::new(std::io::BufReader::new(std::fs::File::open(needed(case.activity)?)?))?;
    let published: Vec<f64> = published.into_vec::<f32>()?.into_iter().map(f64::from).collect();
    let inputs = dense(&std::fs::read_to_string(&sample)?)?;
    let graph = nir_reference::read(&path)?;

    let settings = Settings { reset: case.reset.1, ..Settings::new(1e-4) };
    let trace = Reference::new(&graph, settings)?.run(std::slice::from_ref(&inputs));
    let hidden = hidden_population(&graph).ok_or("no population feeds another")?;
    let float: Vec<f64> = trace.units[hidden].concat();

    let elf = format!("{OUT}/braille-{}.elf", case.name);
    let (path, sample_path) = (path.to_string_lossy().into_owned(), sample.to_string_lossy().into_owned());
    let steps = inputs.len().to_string();
    let arguments = [path.as_str(), "--dt", "1e-4", "--steps", &steps, "--reset", case.reset.0, "--record", "spikes"];
    run("fenn-cc", &[&arguments[..], &["--calibrate", &sample_path, "-o", &elf]].concat())?;
    let (fixed, class, instructions) = spikes_on_simulator(&elf, hidden, &inputs)?;

    let name = |what: &str| format!("Braille {}: {what}", case.name);
    let differing = |spikes: &[f64]| spikes.iter().zip(&published).filter(|(a, b)| a != b).count() as f64;
    Ok(vec![
        Figure::new(
            name("spikes compared"),
            fixed.len().min(float.len()).min(published.len()) as f64,
            "",
            Gate::Exactly(case.entries),
        ),
        Figure::new(name("mismatches of the float reference with snnTorch"), differing(&float), "", Gate::Exactly(0.0)),
        Figure::new(name("mismatches in 16 bits with snnTorch"), differing(&fixed), "", Gate::AtMost(case.gate)),
        Figure::new(name("class"), f64::from(class), "", Gate::Exactly(1.0)),
        Figure::new(name("instructions per sample"), instructions as f64, "", Gate::None),
    ])
}

/// The spiking population that feeds another: not the output's.
fn hidden_population(graph: &Graph) -> Option<&str> {
    let feeds_output =
        |name: &str| graph.edges.iter().any(|(from, to)| from == name && matches!(graph.nodes[to], Node::Output(_)));
    let mut spiking = graph.nodes.iter().filter(|(_, node)| is_spiking(node));
    spiking.find(|(name, _)| !feeds_output(name)).map(|(name, _)| name.as_str())
}

fn is_spiking(node: &Node) -> bool {
    matches!(node, Node::Neurons(neurons) if neurons.kind.spikes())
}

/// A dense CSV: one row per step, one column per input.
fn dense(text: &str) -> Result<Vec<Vec<f64>>, Failure> {
    let row =
        |line: &str| line.split(',').map(|field| Ok(field.trim().parse::<f64>()?)).collect::<Result<_, Failure>>();
    text.lines().filter(|line| !line.is_empty()).map(row).collect()
}

/// Runs one sample on the simulator; the recorded spikes of `population` (step by step), the class and the instructions.
fn spikes_on_simulator(elf: &str, population: &str, inputs: &[Vec<f64>]) -> Result<(Vec<f64>, u32, u64), Failure> {
    let image = Image::read(root().join(elf))?;
    let mut session = Session::open(Simulator::new(image.config)?, &image)?;
    let spikes: Vec<_> = spikes_of(inputs);
    let run = session.run(&spikes, fenn_host::device::Limit::default())?;
    let index = session.manifest().recordings.iter().position(|recording| recording.population == population);
    let index = index.ok_or_else(|| format!("{population} is not recorded"))?;
    let recordings = session.recordings(0)?;
    let Array::Spikes(recorded) = &recordings[index] else { return Err("spikes are recorded as spikes".into()) };
    let mut values = vec![0.0; (recorded.neurons * recorded.steps) as usize];
    recorded.all().for_each(|(step, neuron)| values[(step * recorded.neurons + neuron) as usize] = 1.0);
    let class = run.outputs.first().map_or(0, fenn_host::session::readout::Result::class);
    Ok((values, class, run.finished.instructions))
}

fn spikes_of(inputs: &[Vec<f64>]) -> Vec<fenn_host::dataset::Spike> {
    let steps = inputs.iter().zip(0u32..);
    let rows = steps.flat_map(|(row, step)| row.iter().zip(0u32..).map(move |(value, unit)| (step, unit, *value)));
    let spikes = rows.filter(|(_, _, value)| *value != 0.0);
    spikes.map(|(step, unit, _)| fenn_host::dataset::Spike { step, unit }).collect()
}

/// The published LIF neuron: input and output spikes of 1,000 steps.
fn lif() -> Result<Vec<Figure>, Failure> {
    const PUBLISHED: [usize; 4] = [460, 510, 710, 760];
    let path = needed("nir/lif/lif_norse.nir")?;
    let recorded = dense(&std::fs::read_to_string(needed("nir/lif/lif_norse.csv")?)?)?;
    let inputs: Vec<Vec<f64>> = recorded.iter().map(|row| vec![row[0]]).collect();
    let graph = nir_reference::read(&path)?;
    let neuron = graph.nodes.iter().find(|(_, node)| is_spiking(node));
    let neuron = neuron.ok_or("the graph has no LIF neuron")?.0;

    let trace = Reference::new(&graph, Settings::new(1e-4))?.run(std::slice::from_ref(&inputs));
    let float: Vec<usize> = (0..inputs.len()).filter(|step| trace.units[neuron][*step][0] != 0.0).collect();

    let (elf, text) = (format!("{OUT}/lif.elf"), path.to_string_lossy().into_owned());
    let steps = inputs.len().to_string();
    run("fenn-cc", &[&text, "--dt", "1e-4", "--steps", &steps, "--record", "spikes", "-o", &elf])?;
    let (fixed, _, _) = spikes_on_simulator(&elf, neuron, &inputs)?;
    let fixed: Vec<usize> = (0..fixed.len()).filter(|step| fixed[*step] != 0.0).collect();

    let differing = |steps: &[usize]| {
        let only = |a: &[usize], b: &[usize]| a.iter().filter(|step| !b.contains(step)).count();
        (only(steps, &PUBLISHED) + only(&PUBLISHED, steps)) as f64
    };
    let mut figure = Figure::new(
        "NIR LIF: spikes on the simulator off the published steps",
        differing(&fixed),
        "",
        Gate::Exactly(0.0),
    );
    figure.note = format!("spikes at {fixed:?}");
    let float =
        Figure::new("NIR LIF: spikes of the float reference off them", differing(&float), "", Gate::Exactly(0.0));
    Ok(vec![figure, float])
}

fn vector_ops() -> Result<Vec<Figure>, Failure> {
    needed("golden/vector_ops.jsonl")?;
    let count = counted_test("fenn-iss", "golden", "records reproduced")?;
    Ok(vec![Figure::new("recorded vector instructions reproduced", count, "of 862", Gate::Exactly(862.0))])
}

fn scalar_rows() -> Result<Vec<Figure>, Failure> {
    let count = counted_test("fenn-isa", "rv32", "words equal to GNU as")?;
    Ok(vec![Figure::new(
        "scalar instructions equal to GNU as, none different",
        count,
        "words",
        Gate::AtLeast(10_000.0),
    )])
}

fn bad_inputs() -> Result<Vec<Figure>, Failure> {
    let cases = bad_input::cases(&root().join(OUT)).map_err(|error| ToolError(error.to_string()))?;
    let total = cases.len() as f64;
    let wrong: Vec<String> = cases.iter().filter_map(|case| case.check().err()).collect();
    let good = total - wrong.len() as f64;
    let mut figure =
        Figure::new("bad input: cases with one clear error and its exit code", good, "", Gate::Exactly(total));
    figure.note = wrong.join("; ").replace('\n', " ");
    Ok(vec![figure])
}
