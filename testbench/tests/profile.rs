//! The profiler's counts, of compiled programs on the simulator, against counts by the definitions.
//!
//! Spikes of the second witness come from interpreters of networks, floating-point and integer; none of them executes
//! instructions. Operations are counted by going through weights and inputs ([`neurobench_reference`]), or through synapses as
//! the network lists them, enumerated here.

use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::Path;

use fenn_compiler::backend::{self, compile};
use fenn_compiler::contract::InputForm;
use fenn_compiler::description;
use fenn_compiler::interpret::{Interpreter, SpikeTrain};
use fenn_compiler::network::{Convolution, Delays, Network, Phase, Source, Weights};
use fenn_compiler::place::{RowLayout, WeightMemory};
use fenn_host::dataset::{Dataset, Spike};
use fenn_host::profile::{self, Options, Profile, profile as measure};
use fenn_isa::image::Image;
use fenn_testbench::neurobench_reference::{Layer, activation, total};
use fenn_testbench::nir_reference::{self, Graph, Node, Reference, Reset, Settings, Trace};
use fenn_testbench::shared::{data, root};
use fenn_testbench::tools::run;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// Compiles with fenn-cc and profiles with fenn-run, as a user does.
fn tools(compile: &[&str], elf: &str, samples: &[&str]) -> Profile {
    std::fs::create_dir_all(root().join("out/test")).unwrap();
    run("fenn-cc", &[compile, &["-o", elf]].concat()).unwrap();
    let json = run("fenn-run", &[&["profile", elf, "--json"], samples].concat()).unwrap();
    Profile::from_json(json.as_bytes()).unwrap()
}

/// The matrices of a flat graph with what went through each of them, in a run of the reference.
fn layers(graph: &Graph, trace: &Trace, inputs: &[Vec<f64>]) -> Vec<Layer> {
    let flat = graph.flat().unwrap();
    let mut layers = Vec::new();
    for (name, node) in &flat.nodes {
        let (Node::Linear(weights) | Node::Affine(weights, _)) = node else { continue };
        let from = &flat.edges.iter().find(|(_, to)| to == name).unwrap().0;
        let to = &flat.edges.iter().find(|(from, _)| from == name).unwrap().1;
        let inputs = match &flat.nodes[from] {
            Node::Input(_) => inputs.to_vec(),
            // A population sees of itself what it gave in the step before.
            _ if from == to => {
                let before = trace.units[from].iter();
                let silence = vec![0.0; trace.units[from][0].len()];
                [silence].iter().chain(before).take(inputs.len()).cloned().collect()
            }
            _ => trace.units[from].clone(),
        };
        let width = weights.shape[1];
        layers.push(Layer { weights: weights.data.chunks_exact(width).map(<[f64]>::to_vec).collect(), inputs });
    }
    layers
}

struct Braille {
    graph: &'static str,
    reset: (&'static str, Reset),
    /// Of the formats that `fenn-cc` would choose otherwise.
    formats: &'static [&'static str],
    hidden_spikes: u64,
    parts: [u64; 3],
    dense: u64,
    weights: u64,
    activation: &'static str,
}

fn braille(case: &Braille) {
    let (Some(graph_path), Some(sample)) = (data(case.graph), data("nir/braille/sample0.csv")) else { return };
    let text = std::fs::read_to_string(&sample).unwrap();
    let inputs: Vec<Vec<f64>> =
        text.lines().map(|line| line.split(',').map(|bit| bit.trim().parse().unwrap()).collect()).collect();
    assert_eq!(inputs.iter().flatten().filter(|bit| **bit != 0.0).count(), 539);

    // The witness, in floating point.
    let graph = nir_reference::read(&graph_path).unwrap();
    let settings = Settings { reset: case.reset.1, ..Settings::new(1e-4) };
    let trace = Reference::new(&graph, settings).unwrap().run(std::slice::from_ref(&inputs));
    let layers = layers(&graph, &trace, &inputs);
    let expected = total(&layers);
    let populations: Vec<&[Vec<f64>]> = trace.units.values().map(Vec::as_slice).collect();
    let (zeros, outputs) = activation(&populations);

    let elf = format!("out/test/profile-{}.elf", Path::new(case.graph).file_stem().unwrap().display());
    let (graph_path, sample) = (graph_path.to_string_lossy().into_owned(), sample.to_string_lossy().into_owned());
    let mut compile = vec![graph_path.as_str(), "--dt", "1e-4", "--steps", "256", "--reset", case.reset.0];
    compile.extend(["--record", "spikes", "--calibrate", sample.as_str()]);
    compile.extend(case.formats.iter().flat_map(|format| ["--format", format]));
    let profile = tools(&compile, &elf, &["--data", &sample, "--execution-rate", "0.78125"]);
    let metrics = profile.neurobench.as_ref().unwrap();

    let hidden = profile.populations.iter().find(|one| one.population == "lif1.lif").unwrap();
    assert_eq!(hidden.spikes, Some(case.hidden_spikes));
    let mut effective: Vec<u64> = profile.rows.iter().map(|rows| rows.effective.unwrap()).collect();
    effective.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(effective, case.parts);
    assert_eq!(metrics.effective_acs, Some(case.parts.iter().sum()));
    assert_eq!(metrics.effective_acs, Some(expected.effective_acs));
    assert_eq!((metrics.effective_macs, expected.effective_macs), (0, 0));
    assert_eq!((metrics.dense, expected.dense), (case.dense, case.dense));
    assert_eq!((metrics.weights, expected.weights), (case.weights, case.weights));
    assert_eq!((metrics.zero_outputs, metrics.outputs), (Some(zeros), outputs));
    assert_eq!(format!("{:.6}", metrics.activation_sparsity.unwrap()), case.activation);
    // No weight of the graph is 0; one or two are too small for 16 bits, on synapses that no spike of this sample needs.
    assert_eq!((metrics.connection_sparsity_given, expected.zero_weights), (Some(0.0), 0));
    assert_eq!(metrics.vanished_weights, Some(metrics.zero_weights));
    assert!(metrics.zero_weights <= 2);
    assert_eq!(metrics.footprint_weights, 2 * case.weights);
    assert_eq!(metrics.execution_rate_hz, Some(0.78125));
    assert_eq!(profile.notes, [""; 0]);
}

#[test]
fn braille_with_subtraction() {
    braille(&Braille {
        graph: "nir/braille/braille_noDelay_noBias_subtract.nir",
        reset: ("snntorch", Reset::DelayedSubtract),
        formats: &[],
        hidden_spikes: 118,
        parts: [21_560, 4_720, 826],
        dense: 604_160,
        weights: 2_360,
        activation: "0.979222",
    });
}

/// The formats that fenn-cc finds for the output's neurons by itself lose one of their 687 spikes.
#[test]
fn braille_with_reset_to_zero() {
    braille(&Braille {
        graph: "nir/braille/braille_noDelay_bias_zero.nir",
        reset: ("value", Reset::Value),
        formats: &["lif2.I=s5.10", "lif2.V=s5.10"],
        hidden_spikes: 119,
        parts: [20_482, 4_484, 833],
        dense: 554_496,
        weights: 2_166,
        activation: "0.930035",
    });
}

/// The hidden layer of the published MNIST network, as its description says, in integers.
struct Mnist {
    in_hid: Vec<i16>,
    hid_out: Vec<i16>,
    v: Vec<i16>,
    refractory: Vec<i16>,
    /// Who spiked in the step before.
    latest: Vec<usize>,
    hidden_spikes: u64,
    operations: u64,
}

const HIDDEN: usize = 128;
const STEPS: usize = 79;

impl Mnist {
    fn image(&mut self, image: &[u8], mut layers: Option<&mut [Layer; 2]>) {
        let mut input = vec![Vec::new(); STEPS];
        for (pixel, p) in image.iter().map(|p| f64::from(*p)).enumerate().filter(|(_, p)| *p > 51.0) {
            let step = (20.0 * (p / (p - 51.0)).ln()).round_ties_even() as usize;
            if let Some(step) = input.get_mut(step) {
                step.push(pixel);
            }
        }
        for pixels in input {
            let mut current = [0i16; HIDDEN];
            for pixel in &pixels {
                let row = &self.in_hid[pixel * HIDDEN..(pixel + 1) * HIDDEN];
                for (sum, weight) in current.iter_mut().zip(row) {
                    *sum = sum.saturating_add(*weight);
                    self.operations += u64::from(*weight != 0);
                }
            }
            for neuron in &self.latest {
                let row = &self.hid_out[neuron * 32..neuron * 32 + 10];
                self.operations += row.iter().filter(|weight| **weight != 0).count() as u64;
            }
            if let Some([first, second]) = layers.as_deref_mut() {
                let ones = |size, of: &[usize]| (0..size).map(|at| f64::from(u8::from(of.contains(&at)))).collect();
                first.inputs.push(ones(784, &pixels));
                second.inputs.push(ones(HIDDEN, &self.latest));
            }
            self.latest.clear();
            for (neuron, current) in current.into_iter().enumerate() {
                // 30/32, to nearest.
                let leaked = ((30 * i32::from(self.v[neuron]) + 16) >> 5) as i16;
                self.v[neuron] = leaked.saturating_add(current);
                if self.refractory[neuron] > 0 {
                    self.refractory[neuron] -= 1;
                } else if self.v[neuron] >= 20 {
                    self.v[neuron] = self.v[neuron].saturating_sub(20);
                    self.refractory[neuron] = 5;
                    self.latest.push(neuron);
                }
            }
            self.hidden_spikes += self.latest.len() as u64;
        }
    }
}

#[test]
fn mnist() {
    let Some(folder) = data("mnist") else { return };
    let codes = |name: &str| -> Vec<i16> {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        bytes.chunks_exact(2).map(|code| i16::from_le_bytes([code[0], code[1]])).collect()
    };
    let mut images = Vec::new();
    let images_path = folder.join("t10k-images-idx3-ubyte.gz");
    flate2::read::GzDecoder::new(std::fs::File::open(&images_path).unwrap()).read_to_end(&mut images).unwrap();
    let fresh = || Mnist {
        in_hid: codes("mnist_in_hid.bin"),
        hid_out: codes("mnist_hid_out.bin"),
        v: vec![0; HIDDEN],
        refractory: vec![0; HIDDEN],
        latest: Vec::new(),
        hidden_spikes: 0,
        operations: 0,
    };
    let mut witness = fresh();
    images[16..].chunks_exact(784).for_each(|image| witness.image(image, None));

    let images_path = images_path.to_string_lossy().into_owned();
    let labels = folder.join("t10k-labels-idx1-ubyte.gz").to_string_lossy().into_owned();
    let network = ["programs/mnist/network.toml", "--allow-outside"];
    let elf = "out/test/profile-mnist.elf";
    let profile = tools(&network, elf, &["--data", &images_path, "--labels", &labels]);
    let metrics = profile.neurobench.as_ref().unwrap();
    assert_eq!(profile.samples, 10_000);
    assert_eq!(profile.accuracy.unwrap().correct, 9_591);
    let hidden = profile.populations.iter().find(|one| one.population == "hidden").unwrap();
    assert_eq!(hidden.spikes, Some(witness.hidden_spikes));
    assert_eq!(metrics.effective_acs, Some(witness.operations));
    assert_eq!(format!("{:.2}", profile.per_sample(metrics.effective_acs.unwrap())), "16175.25");
    assert_eq!(metrics.dense, 10_000 * 8_028_928);
    assert_eq!(format!("{:.6}", metrics.activation_sparsity.unwrap()), "0.984271");
    assert_eq!(format!("{:.6}", metrics.connection_sparsity), "0.117483");
    // 784 · 128 and 128 · 10: that the published output has rows of 32 is padding.
    assert_eq!((metrics.weights, metrics.footprint_weights), (101_632, 203_264));

    // Three images by the definitions, pair by pair.
    let mut first = fresh();
    let matrix = |codes: &[i16], stride: usize, targets: usize| -> Vec<Vec<f64>> {
        let row = |target| codes.chunks_exact(stride).map(|row| f64::from(row[target])).collect();
        (0..targets).map(row).collect()
    };
    let mut layers = [
        Layer { weights: matrix(&first.in_hid, HIDDEN, HIDDEN), inputs: Vec::new() },
        Layer { weights: matrix(&first.hid_out, 32, 10), inputs: Vec::new() },
    ];
    images[16..].chunks_exact(784).take(3).for_each(|image| first.image(image, Some(&mut layers)));
    let expected = total(&layers);
    let json = run("fenn-run", &["profile", elf, "--data", &images_path, "--limit", "3", "--json"]).unwrap();
    let three = Profile::from_json(json.as_bytes()).unwrap().neurobench.unwrap();
    assert_eq!((three.effective_acs, three.dense), (Some(expected.effective_acs), expected.dense));
    assert_eq!((three.weights, three.zero_weights), (expected.weights, expected.zero_weights));
}

/// The worked check of the definitions, as a network of three inputs and three neurons: nine products, four of them effective.
#[test]
fn three_by_three() {
    let text = r#"
name = "three"
steps = 1
schedule = ["w", "cells"]
[[input]]
name = "in"
size = 3
[[population]]
name = "cells"
size = 3
events = ["Spike"]
equations = "if (I >= Threshold) { Spike(); } I = 0;"
[population.variables]
I = { type = "int16_t" }
[population.parameters]
Threshold = { type = "int16_t", value = 8 }
[[projection]]
name = "w"
source = "in"
target = "cells.I"
weights = { code = [[1, 0, 7], [0, 5, 8], [3, 0, 9]] }
[[output]]
population = "cells"
event = "Spike"
readout = "count"
"#;
    let network = described(text);
    let image = compile(&network, &backend::Options::default()).unwrap().image;
    let sample = vec![Spike { step: 0, unit: 0 }, Spike { step: 0, unit: 2 }];
    let profile = of(&image, vec![sample], 1);
    let metrics = profile.neurobench.unwrap();
    assert_eq!((metrics.effective_acs, metrics.effective_macs, metrics.dense), (Some(4), 0, 9));
    assert_eq!((metrics.weights, metrics.zero_weights), (9, 3));
    // Neuron 2 gets 16, the others less than 8.
    assert_eq!((metrics.zero_outputs, metrics.outputs), (Some(2), 3));
}

fn described(text: &str) -> Network {
    let described = description::parse(text, "test.toml", Path::new("."), &description::Options::default());
    described.unwrap_or_else(|remarks| panic!("{}", remarks.render(false))).network
}

fn of(image: &Image, samples: Vec<Vec<Spike>>, jobs: usize) -> Profile {
    let options = Options { jobs, ..Options::default() };
    measure(image, &Dataset::new(samples, None), &options, |_| None, |_| ()).unwrap()
}

/// Every kind of connection and delay there is.
const KINDS: &str = r#"
name = "kinds"
steps = 30
seed = 3
schedule = ["in_a", "a_a", "in_b", "a_b", "image_d", "a", "a_c", "b_c", "b_b", "b", "c", "d"]

[[input]]
name = "in"
size = 70
[[input]]
name = "image"
size = 72

[[population]]
name = "a"
size = 50
events = ["Spike"]
equations = "V += I; I = 0; if (V >= Threshold) { Spike(); V = 0; }"
[population.variables]
V = { type = "int16_t" }
I = { type = "int16_t" }
[population.parameters]
Threshold = { type = "int16_t", value = 9 }

[[population]]
name = "b"
size = 40
events = ["Spike"]
equations = "V += I; I = 0; if (V >= Threshold) { Spike(); V = 0; }"
[population.variables]
V = { type = "int16_t" }
I = { type = "int16_t" }
[population.parameters]
Threshold = { type = "int16_t", value = 12 }

[[population]]
name = "c"
size = 50
events = ["Spike"]
equations = "V += I; I = 0; J = 0; if (V >= Threshold) { Spike(); V = 0; }"
[population.variables]
V = { type = "int16_t" }
I = { type = "int16_t" }
J = { type = "int16_t" }
[population.parameters]
Threshold = { type = "int16_t", value = 3 }

[[population]]
name = "d"
size = 48
events = ["Spike"]
equations = "V += I; I = 0; if (V >= Threshold) { Spike(); V = 0; }"
[population.variables]
V = { type = "int16_t" }
I = { type = "int16_t" }
[population.parameters]
Threshold = { type = "int16_t", value = 5 }

[[projection]]
name = "in_a"
source = "in"
target = "a.I"
weights = { distribution = "uniform", min = -1.4, max = 2.4 }

[[projection]]
name = "a_a"
source = "a.Spike"
target = "a.I"
connectivity = { kind = "fixed_probability", probability = 0.2 }
weights = { distribution = "uniform", min = -2, max = 1.4 }

[[projection]]
name = "in_b"
source = "in"
target = "b.I"
weights = { distribution = "uniform", min = -1.2, max = 2.2 }
delays = 2

[[projection]]
name = "a_b"
source = "a.Spike"
target = "b.I"
connectivity = { kind = "fixed_number_post", number = 12 }
weights = { distribution = "uniform", min = -1, max = 2.4 }
delays = { distribution = "uniform", min = 0, max = 5 }

[[projection]]
name = "image_d"
source = "image"
target = "d.I"
connectivity = { kind = "convolution", source = [2, 6, 6], channels = 3, kernel = 3, pool = 1, padding = 0 }
weights = { distribution = "uniform", min = -1.2, max = 2.4 }

[[projection]]
name = "a_c"
source = "a.Spike"
target = "c.I"
connectivity = "one_to_one"
weights = { distribution = "uniform", min = 0, max = 2.4 }

[[projection]]
name = "b_c"
source = "b.Spike"
target = "c.J"
connectivity = { kind = "fixed_probability", probability = 0.3 }
weights = 1

[[projection]]
name = "b_b"
source = "b.Spike"
target = "b.I"
connectivity = { kind = "fixed_probability", probability = 0.3 }
weights = { distribution = "uniform", min = -2, max = 2 }
delays = { distribution = "uniform", min = 0, max = 3, by = "sorted" }

[[output]]
population = "c"
event = "Spike"
readout = "count"
[[record]]
population = "a"
event = "Spike"
[[record]]
population = "b"
event = "Spike"
[[record]]
population = "d"
event = "Spike"
"#;

/// The synapses of a source neuron whose weights are not 0, one by one, with how many weights their projection has and
/// how many products in a step are dense.
fn synapses(weights: &Weights, source: usize, sources: usize, targets: usize) -> u64 {
    let nonzero = |codes: &[i16]| codes.iter().filter(|code| **code != 0).count() as u64;
    match weights {
        Weights::Dense(codes) => {
            assert_eq!(codes.len(), sources * targets);
            nonzero(&codes[source * targets..(source + 1) * targets])
        }
        Weights::Sparse(sparse) => {
            nonzero(&sparse.weights[sparse.starts[source] as usize..sparse.starts[source + 1] as usize])
        }
        Weights::OneToOne(codes) => u64::from(codes[source] != 0),
        Weights::Convolution(convolution) => {
            seen_by(convolution).filter(|(at, code)| *at == source && *code != 0).count() as u64
        }
    }
}

/// Source neuron and weight of every product of a convolution with stride 1 and neither padding nor pool, by its sum.
fn seen_by(convolution: &Convolution) -> impl Iterator<Item = (usize, i16)> + '_ {
    let [channels, height, width] = convolution.source.map(|n| n as usize);
    let [outputs, rows, columns] = convolution.target.map(|n| n as usize);
    let [ky, kx] = convolution.extent.map(|n| n as usize);
    assert_eq!((convolution.stride, convolution.padding, convolution.groups), ([1, 1], [0, 0], 1));
    let targets = (0..outputs).flat_map(move |o| (0..rows * columns).map(move |at| (o, at / columns, at % columns)));
    targets.flat_map(move |(o, y, x)| {
        (0..channels * ky * kx).map(move |at| {
            let (c, dy, dx) = (at / (ky * kx), at / kx % ky, at % kx);
            let source = (c * height + y + dy) * width + x + dx;
            (source, convolution.kernel[(o * channels + c) * ky * kx + at % (ky * kx)])
        })
    })
}

/// What a profile is to say of `network` after these samples: spikes per population, and per projection effective operations.
fn expected(network: &Network, samples: &[Vec<Spike>]) -> (Vec<u64>, Vec<u64>) {
    let mut machine = Interpreter::new(network).unwrap();
    let mut spikes = vec![0; network.populations.len()];
    let mut operations = vec![0; network.projections.len()];
    let carried = network.state == fenn_compiler::network::StatePolicy::Carried;
    // Per population and step, all runs one after the other where spikes live on.
    let mut lives: Vec<Vec<Vec<Vec<u32>>>> = vec![vec![]; network.populations.len()];
    for sample in samples {
        let mut first = 0;
        let mut trains = Vec::new();
        for input in &network.inputs {
            let mut steps = vec![Vec::new(); network.steps as usize];
            for spike in sample.iter().filter(|spike| (first..first + input.size).contains(&spike.unit)) {
                steps[spike.step as usize].push(spike.unit - first);
            }
            first += input.size;
            trains.push(SpikeTrain::new(steps));
        }
        let run = machine.run(&trains).unwrap();
        for (index, events) in run.events.iter().enumerate() {
            spikes[index] += events[0].count() as u64;
            let steps = events[0].steps().to_vec();
            match lives[index].last_mut().filter(|_| carried) {
                Some(life) => life.extend(steps),
                None => lives[index].push(steps),
            }
        }
        for (index, projection) in network.projections.iter().enumerate() {
            if let Source::Input(input) = projection.source {
                operations[index] += arriving(network, index, std::slice::from_ref(&trains[input].steps().to_vec()));
            }
        }
    }
    for (index, projection) in network.projections.iter().enumerate() {
        if let Source::Events { population, .. } = projection.source {
            operations[index] += arriving(network, index, &lives[population]);
        }
    }
    (spikes, operations)
}

/// Operations of the spikes of some runs that arrive before the run is over.
fn arriving(network: &Network, index: usize, runs: &[Vec<Vec<u32>>]) -> u64 {
    let projection = &network.projections[index];
    let sources = network.source_size(projection.source) as usize;
    let targets = network.populations[projection.target].size as usize;
    let position = |phase| network.schedule.iter().position(|other| *other == phase).unwrap();
    let before = match projection.source {
        Source::Input(_) => false,
        Source::Events { population, .. } => position(Phase::Propagate(index)) < position(Phase::Update(population)),
    };
    let lag = usize::from(before) + if let Delays::Uniform(steps) = projection.delays { steps as usize } else { 0 };
    let mut operations = 0;
    if let (Delays::Sorted(delays), Weights::Sparse(sparse)) = (&projection.delays, &projection.weights) {
        // Each synapse when it is due.
        for run in runs {
            for (step, neurons) in run.iter().enumerate() {
                for neuron in neurons.iter().map(|neuron| *neuron as usize) {
                    let row = sparse.starts[neuron] as usize..sparse.starts[neuron + 1] as usize;
                    let due = |at: &usize| step + lag + usize::from(delays[*at]) < run.len();
                    operations += row.filter(due).filter(|at| sparse.weights[*at] != 0).count() as u64;
                }
            }
        }
        return operations;
    }
    for run in runs {
        for neurons in &run[..run.len().saturating_sub(lag)] {
            let of = |neuron: &u32| synapses(&projection.weights, *neuron as usize, sources, targets);
            operations += neurons.iter().map(of).sum::<u64>();
        }
    }
    operations
}

/// Times that instructions of these names were executed in a section.
fn executed(image: &Image, profile: &Profile, section: u32, names: &[&str]) -> u64 {
    let section = &image.manifest.as_ref().unwrap().work.as_ref().unwrap().sections[section as usize];
    let lines = profile.listings.iter().flat_map(|listing| &listing.lines).filter(|line| line.code);
    let inside = lines.filter(|line| {
        let address = u32::from_str_radix(&line.place, 16).unwrap();
        (section.address..section.address + section.bytes).contains(&address)
    });
    inside.filter(|line| names.contains(&line.text.split(' ').next().unwrap())).map(|line| line.executions).sum()
}

#[test]
fn every_kind_of_connection_in_every_layout() {
    let mut random = Pcg64Mcg::seed_from_u64(11);
    let samples: Vec<Vec<Spike>> = (0..5)
        .map(|_| {
            let all = (0..30).flat_map(|step| (0..142).map(move |unit| Spike { step, unit }));
            all.filter(|_| random.random_bool(0.06)).collect()
        })
        .collect();
    for carried in [false, true] {
        let mut network = described(KINDS);
        if carried {
            network.state = fenn_compiler::network::StatePolicy::Carried;
            network.populations.iter_mut().flat_map(|p| &mut p.variables).for_each(|variable| variable.reset = false);
        }
        let (spikes, operations) = expected(&network, &samples);
        assert!(spikes.iter().all(|spikes| *spikes > 20), "{spikes:?}");
        assert!(operations.iter().all(|operations| *operations > 100), "{operations:?}");
        for rows in [RowLayout::Auto, RowLayout::Dense, RowLayout::Sparse, RowLayout::Split, RowLayout::Shared] {
            for weights in [WeightMemory::Vector, WeightMemory::Dram] {
                for (batch, input) in [(1, InputForm::Auto), (3, InputForm::Bits)] {
                    let batch = NonZeroU32::new(batch).unwrap();
                    let options = backend::Options { rows, weights, batch, input, ..backend::Options::default() };
                    let image = compile(&network, &options).unwrap().image;
                    let profile = of(&image, samples.clone(), 2);
                    check(
                        &network,
                        &image,
                        &profile,
                        (&spikes, &operations),
                        &format!("{options:?}, carried {carried}"),
                    );
                }
            }
        }
    }
}

fn check(network: &Network, image: &Image, profile: &Profile, (spikes, operations): (&[u64], &[u64]), case: &str) {
    assert_eq!(profile.notes, [""; 0], "{case}");
    for (population, expected) in network.populations.iter().zip(spikes) {
        let found = profile.populations.iter().find(|one| one.population == population.name).unwrap();
        assert_eq!(found.spikes, Some(*expected), "{}: {case}", population.name);
    }
    let found = || profile.rows.iter().flat_map(|rows| &rows.projections);
    assert_eq!(found().count(), network.projections.len(), "{case}");
    for (projection, expected) in network.projections.iter().zip(operations) {
        let found = found().find(|one| one.projection == projection.name).unwrap();
        assert_eq!(found.effective, Some(*expected), "{}: {case}", projection.name);
    }
    let metrics = profile.neurobench.as_ref().unwrap();
    assert_eq!(metrics.effective_acs, Some(operations.iter().sum()), "{case}");
    // Phases are all that ran.
    let cycles: u64 = profile.phases.iter().map(|phase| phase.cost.cycles).sum();
    let waits: u64 = profile.phases.iter().map(|phase| phase.dma_wait).sum();
    assert_eq!((cycles, waits), (profile.cost.cycles, profile.dma.wait_cycles), "{case}");
    assert_eq!(profile.cost.cycles, profile.cost.instructions + profile.cost.traps + profile.cost.lost(), "{case}");
    let lines: u64 = profile.listings.iter().flat_map(|listing| &listing.lines).map(|line| line.cycles).sum();
    assert_eq!(lines, profile.cost.cycles, "{case}");
    lanes(image, profile, case);
}

/// Lanes are 32 for each addition of weights that the machine has executed: of sparse, shared and one-to-one rows in
/// lane-local memory there is a store for each of those (sums of dense rows are loaded and stored once per scan, and
/// their sections are left out here), of dense rows an addition.
fn lanes(image: &Image, profile: &Profile, case: &str) {
    let work = image.manifest.as_ref().unwrap().work.as_ref().unwrap();
    // Every row is a list of synapses there, and every sum in lane-local memory.
    let listed = ["rows: Sparse", "rows: Split"].iter().any(|layout| case.contains(layout));
    let mut compared = 0;
    for index in 0..work.sections.len() as u32 {
        let rows: Vec<_> = profile.rows.iter().filter(|rows| rows.section == index).collect();
        let names: Vec<&str> =
            rows.iter().flat_map(|rows| &rows.projections).map(|one| one.projection.as_str()).collect();
        let expected: u64 = rows.iter().map(|rows| rows.lanes.unwrap()).sum();
        let adds = executed(image, profile, index, &["vadd", "vadd_s"]);
        let stores = executed(image, profile, index, &["vstorel"]);
        match names[..] {
            // Rows with delays, however they are laid out, are added sum by sum in lane-local memory.
            ["a_b" | "b_b"] => assert_eq!(expected, 32 * stores, "{names:?}: {case}"),
            ["in_a" | "in_b" | "a_a" | "b_c" | "image_d"] if stores == 0 => {
                assert_eq!(expected, 32 * adds, "{names:?}: {case}");
            }
            ["a_c"] => assert_eq!(expected, 32 * executed(image, profile, index, &["vsel"]), "{names:?}: {case}"),
            ["in_a" | "in_b" | "b_c" | "image_d"] | ["a_a", "a_b"] if listed => {
                assert_eq!(expected, 32 * stores, "{names:?}: {case}");
            }
            _ => continue,
        }
        compared += 1;
    }
    assert!(compared >= 3, "{compared}: {case}");
}

/// Spikes of a small population that nobody records stay in a register: they are not counted, and that is said.
#[test]
fn spikes_that_are_not_stored_are_not_made_up() {
    let text = KINDS.split("[[record]]").next().unwrap().replace("size = 40", "size = 20");
    let network = described(&text);
    let image = compile(&network, &backend::Options::default()).unwrap().image;
    let profile = of(&image, vec![vec![Spike { step: 0, unit: 0 }]], 1);
    for population in profile.populations.iter().filter(|one| one.spikes.is_none()) {
        let note = profile.notes.iter().find(|note| note.contains(&format!("the spikes of {}", population.population)));
        assert!(note.unwrap().contains("--record spikes"), "{:?}", profile.notes);
    }
    let unseen = profile.populations.iter().filter(|one| one.spikes.is_none()).count();
    assert_eq!(unseen, profile.notes.len());
    let metrics = profile.neurobench.as_ref().unwrap();
    assert_eq!(metrics.activation_sparsity.is_none(), unseen > 0);
    assert!(profile::page(&profile).contains("Synaptic operations"));
}
