//! netx files: what is imported is what an independent calculation in whole numbers says, and mistakes are told.

use std::fs;
use std::path::Path;

use fenn_compiler::backend::{self, compile};
use fenn_compiler::cli;
use fenn_compiler::contract::InputForm;
use fenn_compiler::import::Record;
use fenn_compiler::interpret::{Interpreter, SpikeTrain};
use fenn_compiler::network::{Delays, Network, Weights};
use fenn_compiler::netx::{self, Imported, Options, Precision};
use fenn_isa::image::manifest::{Data as Recorded, InputSpikes};
use fenn_isa::memory::Space;
use fenn_iss::{Limits, Machine, Stop};
use hdf5_pure::{EnumTypeBuilder, FileBuilder, GroupBuilder};

/// What a dataset holds.
#[derive(Clone)]
enum Data {
    Float(Vec<f64>, Vec<u64>),
    Single(Vec<f64>, Vec<u64>),
    Whole(Vec<i64>, Vec<u64>),
    Bool(bool),
    /// As h5py writes a list of one string.
    Bytes(&'static str),
    Text(&'static str),
    Group(Vec<(&'static str, Data)>),
}

type Layer = Vec<(&'static str, Data)>;

fn whole(numbers: &[i64]) -> Data {
    Data::Whole(numbers.to_vec(), vec![numbers.len() as u64])
}

fn fill(group: &mut GroupBuilder, datasets: &[(&'static str, Data)]) {
    for (name, data) in datasets {
        match data {
            Data::Float(numbers, shape) => {
                group.create_dataset(name).with_f64_data(numbers).with_shape(shape);
            }
            Data::Single(numbers, shape) => {
                let numbers: Vec<f32> = numbers.iter().map(|number| *number as f32).collect();
                group.create_dataset(name).with_f32_data(&numbers).with_shape(shape);
            }
            Data::Whole(numbers, shape) => {
                group.create_dataset(name).with_i64_data(numbers).with_shape(shape);
            }
            Data::Bool(value) => {
                let kind = EnumTypeBuilder::u8_based().value("FALSE", 0).value("TRUE", 1).build().unwrap();
                group.create_dataset(name).with_enum_u8_data(kind, &[u8::from(*value)]).with_shape(&[]);
            }
            Data::Bytes(text) => {
                group.create_dataset(name).with_ascii_strings_sized(&[text], 10).unwrap();
            }
            Data::Text(text) => {
                group.create_dataset(name).with_vlen_strings(&[text]).with_shape(&[]);
            }
            Data::Group(datasets) => {
                let mut inner = group.create_group(name);
                fill(&mut inner, datasets);
                group.add_group(inner.finish());
            }
        }
    }
}

fn bytes(layers: &[Layer]) -> Vec<u8> {
    let mut file = FileBuilder::new();
    let mut all = file.create_group("layer");
    for (index, layer) in layers.iter().enumerate() {
        let mut group = all.create_group(&index.to_string());
        fill(&mut group, layer);
        all.add_group(group.finish());
    }
    file.add_group(all.finish());
    file.finish().unwrap()
}

fn write(path: &Path, layers: &[Layer]) {
    fs::write(path, bytes(layers)).unwrap();
}

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64) % bound
    }

    /// Even numbers from −`most` to `most`, shifted up.
    fn weights(&mut self, count: usize, most: i64, up: i64) -> Vec<i64> {
        (0..count).map(|_| 2 * (self.below(most + 1) - most / 2 + up)).collect()
    }
}

fn real(numbers: &[i64]) -> Vec<f64> {
    numbers.iter().map(|number| *number as f64).collect()
}

/// A layer as the calculation sees it: all pairs, by target.
struct Reference {
    /// `(source, weight)` of each neuron.
    synapses: Vec<Vec<(usize, i64)>>,
    /// Of what comes in, by source.
    delays: Vec<usize>,
    current_decays: Vec<i64>,
    voltage_decays: Vec<i64>,
    threshold: i64,
    biases: Vec<i64>,
    exponent: u32,
}

/// Spikes of all layers in every step, neuron by neuron and step by step.
fn simulate(layers: &[Reference], input: &[Vec<bool>]) -> Vec<Vec<Vec<bool>>> {
    let mut spikes: Vec<Vec<Vec<bool>>> = layers.iter().map(|_| Vec::new()).collect();
    let mut state: Vec<Vec<(i64, i64)>> = layers.iter().map(|layer| vec![(0, 0); layer.synapses.len()]).collect();
    let decay = |x: i64, d: i64| if x < 0 { -((-x * (4096 - d)) / 4096) } else { x * (4096 - d) / 4096 };
    for step in 0..input.len() {
        for (index, layer) in layers.iter().enumerate() {
            let mut now = Vec::new();
            for (neuron, state) in state[index].iter_mut().enumerate() {
                let mut sum = 0;
                for &(source, weight) in &layer.synapses[neuron] {
                    let late = layer.delays[source] + usize::from(index > 0);
                    let there = step >= late
                        && match index {
                            0 => input[step - late][source],
                            _ => spikes[index - 1][step - late][source],
                        };
                    sum += if there { weight } else { 0 };
                }
                let (u, v) = *state;
                let u = decay(u, layer.current_decays[neuron]) + 64 * (sum << layer.exponent);
                let v = decay(v, layer.voltage_decays[neuron]) + u + 64 * layer.biases[neuron];
                assert!(u.abs() < 1 << 23 && v.abs() < 1 << 23, "24 bits are enough");
                let spike = v > 64 * layer.threshold;
                *state = (u, if spike { 0 } else { v });
                now.push(spike);
            }
            spikes[index].push(now);
        }
    }
    spikes
}

fn train(spikes: &[Vec<bool>]) -> SpikeTrain {
    let of_step = |spikes: &Vec<bool>| (0..).zip(spikes).filter(|(_, spike)| **spike).map(|(n, _)| n).collect();
    SpikeTrain::new(spikes.iter().map(of_step).collect())
}

fn random_input(numbers: &mut Numbers, size: usize, steps: usize) -> Vec<Vec<bool>> {
    (0..steps).map(|_| (0..size).map(|_| numbers.below(10) == 0).collect()).collect()
}

fn cuba(current: Data, voltage: Data, threshold: i64) -> Data {
    Data::Group(vec![
        ("type", Data::Bytes("CUBA")),
        ("iDecay", current),
        ("vDecay", voltage),
        ("vThMant", whole(&[threshold])),
        ("refDelay", whole(&[1])),
        ("gradedSpike", Data::Bool(false)),
    ])
}

fn input(shape: &[i64]) -> Layer {
    vec![("type", Data::Bytes("input")), ("shape", whole(shape))]
}

/// All kinds of layers; the file, and what it means.
fn every_kind(numbers: &mut Numbers) -> (Vec<Layer>, Vec<Reference>) {
    let [channels, rows, columns] = [2, 6, 7];
    let conv = numbers.weights(4 * 3 * 3, 20, 6);
    let conv_decays: Vec<i64> = (0..4).map(|channel| 500 + 300 * channel).collect();
    let conv_delays: Vec<i64> = (0..4 * 6 * 7).map(|_| numbers.below(4)).collect();
    let dense = numbers.weights(20 * 36, 12, 1);
    let dense_bias = numbers.weights(20, 6, 0);
    let dense_delays: Vec<i64> = (0..20).map(|_| numbers.below(9)).collect();
    let last = numbers.weights(12 * 20, 12, 1);
    let last_decays: Vec<i64> = (0..12).map(|n| 1000 + 250 * n).collect();
    let layers = vec![
        input(&[channels, rows, columns]),
        vec![
            ("type", Data::Text("conv")),
            ("shape", whole(&[4, 6, 7])),
            ("weight", Data::Single(real(&conv), vec![4, 1, 3, 3, 1])),
            ("inChannels", whole(&[2])),
            ("outChannels", whole(&[4])),
            ("kernelSize", whole(&[3, 3])),
            ("stride", whole(&[1, 1])),
            ("padding", whole(&[1, 1])),
            ("dilation", whole(&[1])),
            ("groups", whole(&[2])),
            // SLAYER writes times in steps, which need not be whole.
            ("delay", Data::Float(conv_delays.iter().map(|d| *d as f64 + 0.25).collect(), vec![4, 6, 7])),
            ("neuron", cuba(whole(&conv_decays), whole(&[512]), 60)),
        ],
        vec![
            ("type", Data::Bytes("pool")),
            ("shape", whole(&[4, 3, 3])),
            ("kernelSize", whole(&[2, 2])),
            ("stride", whole(&[2, 2])),
            ("padding", whole(&[0, 0])),
            ("dilation", whole(&[1, 1])),
            ("weight", Data::Float(vec![88.0; 4], vec![1, 1, 2, 2])),
            ("delay", whole(&[3])),
            ("neuron", cuba(whole(&[4096]), whole(&[0]), 64)),
        ],
        vec![("type", Data::Bytes("flatten")), ("shape", whole(&[36]))],
        vec![
            ("type", Data::Bytes("dense")),
            ("shape", whole(&[20, 1, 1])),
            ("weight", Data::Float(real(&dense), vec![20, 36])),
            ("bias", whole(&dense_bias)),
            ("delay", Data::Float(real(&dense_delays), vec![20])),
            ("neuron", cuba(whole(&[2048]), whole(&[1024]), 50)),
        ],
        vec![
            ("type", Data::Bytes("dense")),
            ("shape", whole(&[12])),
            ("weight", Data::Whole(last.clone(), vec![12, 20])),
            ("neuron", cuba(whole(&last_decays), whole(&[2048]), 40)),
        ],
        vec![("type", Data::Bytes("average")), ("shape", whole(&[4]))],
    ];
    let mut of_conv = vec![Vec::new(); 4 * 6 * 7];
    for (o, y, x) in (0..4).flat_map(|o| (0..6).flat_map(move |y| (0..7).map(move |x| (o, y, x)))) {
        for (ky, kx) in (0..3).flat_map(|ky| (0..3).map(move |kx| (ky, kx))) {
            let (sy, sx) = (y + ky - 1, x + kx - 1);
            if (0..6).contains(&sy) && (0..7).contains(&sx) {
                // Two of the four channels see the first of the two.
                let source = (o / 2) * 42 + sy * 7 + sx;
                of_conv[(o * 42 + y * 7 + x) as usize].push((source as usize, conv[(o * 9 + ky * 3 + kx) as usize]));
            }
        }
    }
    let pooled = |n: usize| {
        let (c, y, x) = (n / 9, n / 3 % 3, n % 3);
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(i, j)| (c * 42 + (2 * y + i) * 7 + 2 * x + j, 88)).to_vec()
    };
    let all = |weights: &[i64], sources: usize| -> Vec<Vec<(usize, i64)>> {
        weights.chunks(sources).map(|row| row.iter().copied().enumerate().collect()).collect()
    };
    let steps = |delays: &[i64]| delays.iter().map(|delay| *delay as usize).collect();
    let plain = |synapses: Vec<Vec<(usize, i64)>>, delays: Vec<usize>, [current, voltage, threshold]: [i64; 3]| {
        let size = synapses.len();
        let (current_decays, voltage_decays) = (vec![current; size], vec![voltage; size]);
        Reference { synapses, delays, current_decays, voltage_decays, threshold, biases: vec![0; size], exponent: 0 }
    };
    let mut reference = vec![
        plain(of_conv, vec![0; 84], [0, 512, 60]),
        plain((0..36).map(pooled).collect(), steps(&conv_delays), [4096, 0, 64]),
        plain(all(&dense, 36), vec![3; 36], [2048, 1024, 50]),
        plain(all(&last, 20), steps(&dense_delays), [0, 2048, 40]),
    ];
    reference[0].current_decays = (0..168).map(|n| conv_decays[n / 42]).collect();
    reference[2].biases = dense_bias;
    reference[3].current_decays = last_decays;
    (layers, reference)
}

fn import(path: &Path, samples: Vec<SpikeTrain>, steps: u32) -> Imported {
    let net = netx::read(path).unwrap_or_else(|error| panic!("{error}"));
    let options = Options { name: "net".to_owned(), steps, record: Record::Spikes, samples, seed: 1 };
    netx::import(&net, &options).unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[test]
fn every_kind_of_layer_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.net");
    for seed in 1..=8 {
        let mut numbers = Numbers(seed);
        let (layers, reference) = every_kind(&mut numbers);
        write(&path, &layers);
        let inputs: Vec<Vec<Vec<bool>>> = (0..3).map(|_| random_input(&mut numbers, 84, 60)).collect();
        let Imported { network, report } = import(&path, inputs.iter().map(|input| train(input)).collect(), 60);
        for layer in &report.layers {
            let expected = (Precision::Exact, 0, 0.0);
            assert_eq!((layer.precision, layer.saturations, layer.mismatches), expected, "{layer:?}");
        }
        assert_eq!(report.warnings, Vec::<String>::new());
        assert!(matches!(network.projections[0].weights, Weights::Convolution(_)));
        assert!(matches!(network.projections[1].weights, Weights::Sparse(_)), "delays differ");
        assert!(matches!(network.projections[3].delays, Delays::Ring(_)));
        assert_eq!(network.projections[2].delays, Delays::Uniform(3));
        for input in &inputs {
            let expected = simulate(&reference, input);
            let run = Interpreter::new(&network).unwrap().run(&[train(input)]).unwrap();
            for (layer, spikes) in expected.iter().enumerate() {
                let count = spikes.iter().flatten().filter(|spike| **spike).count();
                assert!(count > 20, "layer {layer} has {count} spikes");
                assert_eq!(run.events[layer][0], train(spikes), "seed {seed}, layer {layer}");
            }
            let counts = train(&expected[3]).counts(12);
            let sums: Vec<f64> = counts.chunks(3).map(|group| group.iter().sum::<u32>().into()).collect();
            assert_eq!(run.readout(&network, &network.outputs[0]), sums);
        }
    }
}

/// An input and two dense layers.
fn two_layers() -> Vec<Layer> {
    let dense = |weights: Vec<f64>, out: u64, sources: u64| -> Layer {
        vec![
            ("type", Data::Bytes("dense")),
            ("shape", whole(&[out as i64])),
            ("weight", Data::Float(weights, vec![out, sources])),
            ("neuron", cuba(whole(&[1024]), whole(&[128]), 80)),
        ]
    };
    vec![input(&[4]), dense(vec![40.0; 12], 3, 4), dense(vec![60.0; 6], 2, 3)]
}

#[test]
fn weights_scale_and_delays_may_be_the_synapses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.net");
    let mut layers = two_layers();
    let delays: Vec<i64> = (0..12).collect();
    layers[1].push(("delay", Data::Whole(delays.clone(), vec![3, 4])));
    let Data::Group(neuron) = &mut layers[1].iter_mut().find(|(name, _)| *name == "neuron").unwrap().1 else {
        panic!()
    };
    neuron.push(("wgtExp", whole(&[1])));
    neuron.iter_mut().find(|(name, _)| *name == "type").unwrap().1 = Data::Text("LOIHI");
    write(&path, &layers);
    let mut numbers = Numbers(5);
    let input = random_input(&mut numbers, 4, 80);
    let Imported { network, .. } = import(&path, vec![train(&input)], 80);
    let run = Interpreter::new(&network).unwrap().run(&[train(&input)]).unwrap();
    // Each synapse has a source of its own, which is that many steps later.
    let spread: Vec<Vec<bool>> =
        (0..80).map(|step: usize| (0..12).map(|n| step >= n && input[step - n][n % 4]).collect()).collect();
    let reference = |synapses, exponent, size| Reference {
        synapses,
        delays: vec![0; 12],
        current_decays: vec![1024; size],
        voltage_decays: vec![128; size],
        threshold: 80,
        biases: vec![0; size],
        exponent,
    };
    let first = (0..3).map(|target| (0..4).map(|source| (4 * target + source, 40)).collect()).collect();
    let second = vec![(0..3).map(|source| (source, 60)).collect(); 2];
    let expected = simulate(&[reference(first, 1, 3), reference(second, 0, 2)], &spread);
    assert_eq!([&run.events[0][0], &run.events[1][0]], [&train(&expected[0]), &train(&expected[1])]);
    assert!(run.events[1][0].count() > 10);
}

#[test]
fn files_may_begin_with_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.net");
    let layers = two_layers();
    write(&path, &layers);
    let with_input = netx::read(&path).unwrap();
    write(&path, &layers[1..]);
    let without = netx::read(&path).unwrap();
    assert_eq!(without.input, [4, 1, 1]);
    assert_eq!(without.layers[0].name, "layer0");
    assert_eq!(without.layers[0].weights, with_input.layers[0].weights);
    assert_eq!(without.layers[1].weights, with_input.layers[1].weights);
}

/// Currents, bias and spikes of neurons of a trained convolution, as recorded in lava-dl's tests
/// ([`gts/tinynet`](https://github.com/lava-nc/lava-dl/tree/main/tests/lava/lib/dl/netx/gts/tinynet): `current.npy`, `layer1_bias.npy`,
/// `layer1.npy`, from the second step on, where their states begin at 0); the threshold is 25, decays are 4096 and 1024.
const RECORDED: [(i64, [i64; 15], &[usize]); 6] = [
    (0, [10, -14, 40, -20, 16, 6, 10, -16, 40, -8, 10, 0, 10, -14, 46], &[2, 8, 14]),
    (34, [16, -14, 2, -6, 20, -36, 16, -16, 2, -10, 16, -28, 16, -14, 6], &[0, 2, 3, 4, 6, 8, 10, 12, 14]),
    (62, [-10, -60, -28, -54, -38, -82, -10, -46, -28, -88, -10, -76, -10, -60, -56], &[0, 2, 4, 6, 8, 10, 12]),
    (2, [2, 24, -10, 26, 0, 4, 2, 20, -10, 22, 2, 6, 2, 24, -12], &[1, 7, 13]),
    (50, [12, -76, 14, -78, 20, -84, 12, -72, 14, -68, 12, -86, 12, -76, 22], &[0, 2, 4, 6, 8, 10, 12, 14]),
    (4, [18, 38, -2, 44, 20, 10, 18, 24, -2, 40, 18, 16, 18, 38, 0], &[1, 3, 5, 7, 9, 11, 13]),
];

#[test]
fn recorded_neurons_spike_when_they_did() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorded.net");
    // One input is active in each step.
    let weights: Vec<i64> = RECORDED.iter().flat_map(|(_, currents, _)| currents).copied().collect();
    let layer = vec![
        ("type", Data::Bytes("dense")),
        ("shape", whole(&[6])),
        ("weight", Data::Float(real(&weights), vec![6, 15])),
        ("bias", whole(&RECORDED.map(|(bias, ..)| bias))),
        ("neuron", cuba(whole(&[4096]), whole(&[1024]), 25)),
    ];
    write(&path, &[layer]);
    let input = SpikeTrain::new((0..15).map(|step| vec![step]).collect());
    let expected = (0..15).map(|step| (0..6).filter(|n| RECORDED[*n as usize].2.contains(&step)).collect()).collect();
    let expected = SpikeTrain::new(expected);
    let exact = netx::exact::run(&netx::read(&path).unwrap(), &input, 15).unwrap();
    assert_eq!(exact[0].spikes, expected);
    let Imported { network, .. } = import(&path, vec![input.clone()], 15);
    let inputs = [input];
    assert_eq!(Interpreter::new(&network).unwrap().run(&inputs).unwrap().events[0][0], expected);
    assert_eq!(on_the_machine(&network, &inputs[0]), expected);
}

/// The spikes that the program of a network of one layer records on the simulator.
fn on_the_machine(network: &Network, input: &SpikeTrain) -> SpikeTrain {
    let compiled =
        compile(network, &backend::Options { input: InputForm::Bits, ..backend::Options::default() }).unwrap();
    let mut machine = Machine::from_image(&compiled.image, fenn_iss::Options::default()).unwrap();
    let manifest = compiled.image.manifest.as_ref().unwrap();
    let InputSpikes::Bits(bits) = &manifest.inputs[0].spikes else { panic!("as bits") };
    assert_eq!(bits.words, 1, "15 inputs");
    for (neurons, step) in input.steps().iter().zip(0..) {
        let word = neurons.iter().fold(0_u32, |word, neuron| word | 1 << neuron);
        machine.write(Space::Scalar, bits.address + step * bits.step_stride, &word.to_le_bytes()).unwrap();
    }
    machine.state_mut().pc = manifest.entry_points[0].address;
    let outcome = machine.run(Limits { instructions: Some(1_000_000), ..Limits::default() }, &mut ());
    assert!(matches!(outcome.stop, Stop::Ecall { .. }), "{:?}", outcome.stop);
    let Recorded::Spikes(spikes) = &manifest.recordings[0].data else { panic!("spikes") };
    let neurons = |step: u32| {
        let mut bytes = [0; 4];
        machine.read(Space::Scalar, spikes.address + step * spikes.step_stride, &mut bytes).unwrap();
        let word = u32::from_le_bytes(bytes);
        (0..32).filter(|neuron| word >> neuron & 1 == 1).collect()
    };
    SpikeTrain::new((0..spikes.steps).map(neurons).collect())
}

/// The ends of 24 bits, as [Lava's model](https://github.com/lava-nc/lava/blob/main/src/lava/proc/lif/models.py) has them: `u` wraps
/// around, but 2^23 is still a number; `v` saturates at one less.
#[test]
fn exact_numbers_have_24_bits() {
    let half = 1_i64 << 23;
    // A weight with an exponent of 7 counts 2^13 times.
    for (weight, u, v) in [
        (1023, half - 8192, half - 8192),
        (1024, half, half - 1),
        (1025, -half + 8192, -half + 8192),
        (2047, -8192, -8192),
        (-1023, -half + 8192, -half + 8192),
        (-1024, half, half - 1),
        (-1025, half - 8192, half - 8192),
    ] {
        let neurons = netx::Neurons {
            current_decays: vec![0],
            voltage_decays: vec![0],
            thresholds: vec![(1 << 17) - 1],
            biases: vec![0],
        };
        let layer = netx::Layer {
            name: "one".to_owned(),
            kind: "dense".to_owned(),
            shape: [1; 3],
            weights: Weights::Dense(vec![weight]),
            exponent: 7,
            delays: Delays::None,
            neurons,
        };
        let net = netx::Net { input: [1; 3], layers: vec![layer], groups: None, warnings: Vec::new() };
        let activity = &netx::exact::run(&net, &SpikeTrain::new(vec![vec![0]]), 1).unwrap()[0];
        let expected = (u.abs(), [v.min(0), v.max(0)]);
        assert_eq!((activity.current, activity.voltage), expected, "a weight of {weight}");
    }
}

#[test]
fn what_does_not_fit_is_approximated_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.net");
    let mut layers = two_layers();
    let mut numbers = Numbers(3);
    let weights = numbers.weights(12, 250, 60);
    layers[1][2].1 = Data::Float(real(&weights), vec![3, 4]);
    layers[1][3].1 = cuba(whole(&[1024]), whole(&[128]), 1500);
    write(&path, &layers);
    let inputs: Vec<SpikeTrain> = (0..4).map(|_| train(&random_input(&mut numbers, 4, 400))).collect();
    let Imported { report, network } = import(&path, inputs, 400);
    let [large, small] = &report.layers[..] else { panic!("two layers") };
    assert_ne!(large.precision, Precision::Exact);
    assert_eq!(small.precision, Precision::Exact);
    assert_eq!(network.populations[0].kernel.variables[0].ty.format, large.format);
    assert!(large.voltage[1] > 1500.0 && large.spikes > 20.0, "{large:?}");
    assert!(large.mismatches < 0.1 * large.spikes, "{large:?}");
    let warning = &report.warnings[0];
    assert!(warning.starts_with("`layer1`: its values go beyond s9.6, so it is an approximation in s"), "{warning}");
}

/// Everything that can be wrong with a file, and what is said.
#[test]
fn mistakes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.net");
    let said = |layers: &[Layer]| {
        write(&path, layers);
        let options = Options { name: "net".to_owned(), steps: 5, record: Record::None, samples: Vec::new(), seed: 1 };
        let error = netx::read(&path).and_then(|net| {
            netx::import(&net, &options).map_err(|problems| netx::NetxError { file: path.clone(), problems })
        });
        error.expect_err("it is wrong").to_string().replace(&path.display().to_string(), "FILE")
    };
    let set = |layer: usize, name: &'static str, data: Data| {
        let mut layers = two_layers();
        layers[layer].retain(|(found, _)| *found != name);
        layers[layer].push((name, data));
        layers
    };
    let neuron = |name: &'static str, data: Option<Data>| {
        let mut layers = two_layers();
        let Data::Group(datasets) = &mut layers[1][3].1 else { panic!() };
        datasets.retain(|(found, _)| *found != name);
        datasets.extend(data.map(|data| (name, data)));
        layers
    };
    let without = |layer: usize, name: &str| {
        let mut layers = two_layers();
        layers[layer].retain(|(found, _)| *found != name);
        layers
    };
    let weights = |numbers: &[f64], shape: &[u64]| set(1, "weight", Data::Float(numbers.to_vec(), shape.to_vec()));
    let one = |number: i64| Some(whole(&[number]));
    let conv = |name: &'static str, data: Data| {
        let mut layers = vec![
            input(&[2, 5, 5]),
            vec![
                ("type", Data::Bytes("conv")),
                ("shape", whole(&[4, 3, 3])),
                ("weight", Data::Float(vec![2.0; 72], vec![4, 2, 3, 3])),
                ("neuron", cuba(whole(&[1024]), whole(&[128]), 80)),
            ],
        ];
        layers[1].retain(|(found, _)| *found != name);
        layers[1].push((name, data));
        layers
    };
    assert!({
        write(&path, &conv("groups", whole(&[1])));
        netx::read(&path).is_ok()
    });
    let cases = [
        ("no layers at all", vec![], "FILE: has no layers `/layer/0`"),
        ("an input and nothing else", vec![input(&[4])], "FILE: has no layer with neurons. Export the whole network"),
        (
            "a convolution of an image of unknown size",
            conv("groups", whole(&[1]))[1..].to_vec(),
            "FILE: layer 0 is of type conv, which cannot be imported at the beginning. Layers can be input and dense there",
        ),
        (
            "a type of layer that has no counterpart",
            set(1, "type", Data::Text("concat")),
            "FILE: layer 1 is of type concat, which cannot be imported at all. Layers can be input, dense, conv, pool, flatten and average",
        ),
        (
            "`average` in the middle",
            set(1, "type", Data::Text("average")),
            "FILE: layer 1 is of type average, which cannot be imported before the end",
        ),
        ("an input without a size", without(0, "shape"), "FILE: layer 0 of type input has no `shape`"),
        ("a layer without a type", without(1, "type"), "FILE: layer 1 of type unknown has no `type`"),
        (
            "a layer without weights",
            without(1, "weight"),
            "FILE: layer 1 of type dense has no `weight`. Export the layer with all its parameters",
        ),
        (
            "a layer without neurons",
            without(1, "neuron"),
            "FILE: layer 1 has no neurons. Let the network end in neurons that spike",
        ),
        ("neurons without a threshold", neuron("vThMant", None), "FILE: layer 1 of type dense has no `vThMant`"),
        (
            "neurons of another type",
            neuron("type", Some(Data::Text("SDNN"))),
            "FILE: layer 1 has neurons of type SDNN. Only CUBA neurons",
        ),
        ("neurons without a type", neuron("type", None), "FILE: layer 1 has neurons of type unknown"),
        (
            "graded spikes",
            neuron("gradedSpike", Some(Data::Bool(true))),
            "FILE: layer 1 has graded spikes. Spikes are 0 or 1 here",
        ),
        (
            "a decay of more than everything",
            neuron("iDecay", one(4097)),
            "FILE: layer 1: `iDecay` holds 4097 at flat index 0; needed: whole numbers from 0 to 4096. Decays are 12-bit numbers",
        ),
        ("a negative decay", neuron("vDecay", one(-1)), "FILE: layer 1: `vDecay` holds -1 at flat index 0"),
        (
            "two decays for three neurons",
            neuron("iDecay", Some(whole(&[1, 2]))),
            "FILE: layer 1: `iDecay` has shape [2]; needed: 1 or 3 numbers",
        ),
        (
            "a weight exponent that is too large",
            neuron("wgtExp", one(8)),
            "FILE: layer 1: `wgtExp` holds 8 at flat index 0; needed: whole numbers from -6 to 7",
        ),
        (
            "a threshold that is too large",
            neuron("vThMant", one(40_000)),
            "FILE: `layer1`: a threshold of 40000 does not fit into 16 bits",
        ),
        (
            "a bias that is too large",
            set(1, "bias", whole(&[0, 70_000, 0])),
            "FILE: `layer1`: a bias of 70000 does not fit into 16 bits",
        ),
        (
            "weights with a second exponent",
            neuron("weight_exp", one(2)),
            "FILE: layer 1 has weights with an exponent of their own (`neuron/weight_exp`). Train without",
        ),
        (
            "a weight that is not a number",
            weights(&[f64::NAN; 12], &[3, 4]),
            "FILE: layer 1: `weight` holds NaN at flat index 0; needed: whole numbers from -32768 to 32767. Export quantised weights",
        ),
        (
            "weights that are not quantised",
            weights(&[0.5; 12], &[3, 4]),
            "FILE: layer 1: `weight` holds 0.5 at flat index 0",
        ),
        (
            "a matrix with too many columns",
            weights(&[2.0; 15], &[3, 5]),
            "FILE: layer 1: its weights are for 5 neurons, but 4 lead into it",
        ),
        (
            "a matrix with too many rows",
            weights(&[2.0; 16], &[4, 4]),
            "FILE: layer 1: its shape is [3, 1, 1], but what it says of itself gives [4, 1, 1]",
        ),
        (
            "a matrix with three dimensions",
            weights(&[2.0; 12], &[1, 3, 4]),
            "FILE: layer 1: `weight` has shape [1, 3, 4]; needed: [out, in]",
        ),
        (
            "text for weights",
            set(1, "weight", Data::Text("none")),
            "FILE: layer 1: `weight` holds vlen_string, not numbers",
        ),
        (
            "complex weights",
            set(1, "weight", Data::Group(vec![])),
            "FILE: layer 1 has complex weights. Only CUBA neurons can be imported",
        ),
        (
            "a negative delay",
            set(1, "delay", whole(&[-1])),
            "FILE: layer 1: `delay` holds -1 at flat index 0; needed: whole numbers from 0 to 65535",
        ),
        ("two delays for three neurons", set(1, "delay", whole(&[1, 2])), "FILE: layer 1: `delay` has shape [2]"),
        (
            "more neurons than anyone has",
            set(1, "shape", whole(&[1 << 20, 1 << 20])),
            "FILE: layer 1: a shape of [1048576, 1048576, 1] is not one of 1 to 16777216 neurons",
        ),
        (
            "an average of groups of different sizes",
            set(2, "type", Data::Text("average")),
            "FILE: layer 2: 3 neurons cannot be summed in 2 groups of the same size",
        ),
        (
            "groups that do not divide the channels",
            conv("groups", whole(&[3])),
            "FILE: layer 1: 3 groups do not divide its 4 channels",
        ),
        (
            "weights for another number of channels",
            conv("groups", whole(&[2])),
            "FILE: layer 1: its weights are for 2 channels in 2 groups, but 2 lead into it",
        ),
        (
            "a stride of 0",
            conv("stride", whole(&[0])),
            "FILE: layer 1: `stride` holds 0 at flat index 0; needed: whole numbers from 1",
        ),
        (
            "a window that is larger than the image",
            conv("dilation", whole(&[3])),
            "FILE: layer 1: windows of 7 do not fit into the 5 rows or columns that there are",
        ),
        (
            "a shape that the parameters contradict",
            conv("padding", whole(&[1])),
            "FILE: layer 1: its shape is [4, 3, 3], but what it says of itself gives [4, 5, 5]",
        ),
        (
            "a kernel with two dimensions",
            conv("weight", Data::Float(vec![2.0; 8], vec![4, 2])),
            "FILE: layer 1: `weight` has shape [4, 2]; needed: [out, in / groups, rows, columns]",
        ),
    ];
    let mut page = "# What is said of netx files\n\nWritten by `BLESS=1 cargo test -p fenn-compiler --test netx`, do not edit. \
                    Each message names the layer, counted from 0 as in the file, and says what to do; all of them come at once.\n\n\
                    | mistake | message |\n| --- | --- |\n"
        .to_owned();
    for (mistake, layers, expected) in cases {
        let text = said(&layers);
        assert!(text.starts_with(expected), "expected: {expected}\nsaid: {text}");
        let text = text.replace("FILE", "network.net").replace('|', "\\|").replace('\n', "<br>");
        page.push_str(&format!("| {mistake} | {text} |\n"));
    }
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/networks/netx-errors.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&book, &page).unwrap();
    }
    assert_eq!(fs::read_to_string(&book).unwrap_or_default(), page, "run with BLESS=1 and read the diff");
    // Several at once.
    let mut layers = neuron("type", Some(Data::Text("RF")));
    layers[2].retain(|(name, _)| *name != "weight");
    assert_eq!(said(&layers).lines().count(), 2);
    for (content, expected) in [(&b"text"[..], "is not an HDF5 file"), (b"", "is not an HDF5 file")] {
        fs::write(&path, content).unwrap();
        let text = netx::read(&path).expect_err("it is wrong").to_string();
        assert!(text.contains(expected), "{text}");
    }
    let missing = netx::read(folder.path().join("missing.net")).expect_err("there is none").to_string();
    assert!(missing.contains("cannot be accessed"), "{missing}");
    // Whatever is cut off or altered, there is an answer.
    let whole_file = bytes(&two_layers());
    for length in (0..whole_file.len()).step_by(37) {
        fs::write(&path, &whole_file[..length]).unwrap();
        assert!(netx::read(&path).is_err(), "{length} bytes");
        let mut altered = whole_file.clone();
        altered[length] ^= 0x5a;
        fs::write(&path, altered).unwrap();
        let _ = netx::read(&path);
    }
}

#[test]
fn the_command_line_takes_netx_files() {
    use clap::Parser;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.net");
    write(&path, &two_layers());
    let run = |options: &[&str]| {
        let arguments = [&["fenn-cc", path.to_str().unwrap(), "--check"], options].concat();
        let printed = cli::run(&cli::Arguments::try_parse_from(arguments).unwrap(), cli::Terminal::default());
        printed.map(|printed| printed.output).map_err(|failure| (failure.code(), failure.to_string()))
    };
    let report = run(&["--steps", "50", "--report"]).unwrap();
    assert!(report.contains("Layers, against exact whole numbers on 8 generated samples"), "{report}");
    assert!(report.contains("s9.6, exact"), "{report}");
    let json: serde_json::Value = serde_json::from_str(&run(&["--steps", "50", "--json"]).unwrap()).unwrap();
    assert_eq!(json["netx"]["layers"][1]["precision"], "exact");
    let (code, message) = run(&[]).unwrap_err();
    assert_eq!(
        (code, message.as_str()),
        (2, "a netx file does not say how many steps a run has; give --steps, or --calibrate")
    );
    let (code, message) = run(&["--steps", "50", "--dt", "1"]).unwrap_err();
    assert!(code == 2 && message.starts_with("--dt is for NIR graphs, and "), "{message}");
    let (code, message) = run(&["--steps", "50", "--export-nir", "small.nir"]).unwrap_err();
    assert!(code == 2 && message.starts_with("--export-nir cannot write "), "{message}");
    fs::write(&path, "text").unwrap();
    assert_eq!(run(&["--steps", "50"]).unwrap_err().0, 1);
}
