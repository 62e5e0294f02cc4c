//! The float interpreter of NIR graphs, on its own: against published spikes, and against sums done by hand.

use std::collections::BTreeMap;

use fenn_testbench::nir_reference::graph::{Conv, GraphError, Kind, Padding, Pool};
use fenn_testbench::nir_reference::layer::{output_shape, values};
use fenn_testbench::nir_reference::{
    Comparison, Graph, Method, Neurons, Node, Reference, Reset, Settings, SpikeFrom, Tensor, read, write,
};
use fenn_testbench::shared::data;

/// The numbers of a table of text.
fn table(path: &std::path::Path) -> Vec<Vec<f64>> {
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| line.split(',').map(|field| field.trim().parse().unwrap()).collect();
    text.lines().filter(|line| !line.is_empty()).map(row).collect()
}

fn neurons(kind: Kind, parameters: &[(&'static str, &[f64])]) -> Node {
    let tensor = |values: &[f64]| match values {
        [one] => Tensor::new(&[], vec![*one]),
        more => Tensor::new(&[more.len()], more.to_vec()),
    };
    let parameters = parameters.iter().map(|(name, values)| (*name, tensor(values))).collect();
    Node::Neurons(Neurons { kind, parameters })
}

/// The one neuron's spikes, as steps.
fn spikes(trace: &[Vec<f64>]) -> Vec<usize> {
    (0..trace.len()).filter(|step| trace[*step][0] == 1.0).collect()
}

#[test]
fn published_lif() {
    let Some(folder) = data("nir/lif") else { return };
    let graph = read(folder.join("lif_norse.nir")).unwrap();
    let unit = graph.nodes.iter().find(|(_, node)| matches!(node, Node::Neurons(_))).unwrap().0;
    let norse = table(&folder.join("lif_norse.csv"));
    let inputs: Vec<Vec<f64>> = norse.iter().map(|row| vec![row[0]]).collect();
    let run = |settings| Reference::new(&graph, settings).unwrap().run(std::slice::from_ref(&inputs));
    let plain = Settings::new(1e-4);

    let trace = run(plain);
    assert_eq!(spikes(&trace.units[unit]), [460, 510, 710, 760]);
    // norse counts in 32 bits.
    let off = norse.iter().zip(&trace.potentials[unit]).map(|(row, v)| (row[1] - v[0]).abs()).fold(0.0, f64::max);
    assert!(off < 1e-7, "{off}");

    // The platforms that decide on the old potential spike a step later.
    let old = run(Settings { spike_from: SpikeFrom::Old, ..plain });
    assert_eq!(spikes(&old.units[unit]), [461, 511, 711, 761]);
    let platform = table(&folder.join("lif_spyx.csv"));
    let published: Vec<usize> = (0..platform.len()).filter(|step| platform[*step][2] == 1.0).collect();
    assert_eq!(spikes(&old.units[unit]), published);

    // The exact solution differs from Euler's in the fifth digit, and spikes in the same steps.
    let exact = run(Settings { method: Method::ExponentialEuler, ..plain });
    assert_eq!(spikes(&exact.units[unit]), [460, 510, 710, 760]);
}

#[test]
fn published_braille() {
    let Some(folder) = data("nir/braille") else { return };
    let inputs = table(&folder.join("sample0.csv"));
    let cases = [
        ("braille_noDelay_noBias_subtract", Reset::DelayedSubtract, "noDelay_noBias_subtract", 10_240, 0),
        ("braille_noDelay_bias_zero", Reset::Value, "noDelay_bias_zero", 9_728, 0),
        // Without snnTorch's order it is another network.
        ("braille_noDelay_noBias_subtract", Reset::Subtract, "noDelay_noBias_subtract", 10_240, 46),
    ];
    for (file, reset, activity, entries, expected) in cases {
        let graph = read(folder.join(format!("{file}.nir"))).unwrap();
        let settings = Settings { reset, ..Settings::new(1e-4) };
        let trace = Reference::new(&graph, settings).unwrap().run(std::slice::from_ref(&inputs));
        let path = folder.join(format!("snntorch_activity_{activity}.npy"));
        let published = npyz::NpyFile::new(std::fs::File::open(path).unwrap()).unwrap().into_vec::<f32>().unwrap();
        let hidden = trace.units.values().find(|steps| steps.concat().len() == published.len()).unwrap().concat();
        let differing = hidden.iter().zip(&published).filter(|(a, b)| **a != f64::from(**b)).count();
        assert_eq!((hidden.len(), differing), (entries, expected), "{file} {reset:?}");
        let output = trace.outputs.values().next().unwrap();
        let counts: Vec<f64> = (0..7).map(|class| output.iter().map(|step| step[class]).sum()).collect();
        let best = (0..7).max_by(|a, b| counts[*a].total_cmp(&counts[*b])).unwrap();
        assert_eq!(best, 1, "{counts:?}");
    }
}

/// The published network for N-MNIST is read as it is described.
#[test]
fn published_cnn() {
    let Some(path) = data("nir/cnn/cnn_sinabs.nir") else { return };
    let graph = read(path).unwrap();
    let kinds = graph.kinds();
    let expected =
        [("Affine", 2), ("Conv2d", 3), ("Flatten", 1), ("IF", 5), ("Input", 1), ("Output", 1), ("SumPool2d", 2)];
    assert_eq!(kinds, BTreeMap::from(expected));
    let silence = vec![vec![0.0; 2 * 34 * 34]; 2];
    let trace = Reference::new(&graph, Settings::new(1e-4)).unwrap().run(&[silence]);
    let neurons: usize = trace.units.values().map(|steps| steps[0].len()).sum();
    assert_eq!(neurons, 8_970);
}

/// An image that counts from 1.
fn counting(shape: &[usize]) -> Vec<f64> {
    (1..=shape.iter().product::<usize>()).map(|value| value as f64).collect()
}

fn conv(shape: &[usize], weight: &[f64], bias: &[f64]) -> Conv {
    let dimensions = shape.len() - 2;
    Conv {
        weight: Tensor::new(shape, weight.to_vec()),
        bias: bias.to_vec(),
        stride: vec![1; dimensions],
        padding: Padding::Zeros(vec![0; dimensions]),
        dilation: vec![1; dimensions],
        groups: 1,
        input_shape: None,
    }
}

/// What a node makes of a counting image, and its shape.
fn apply(node: &Node, shape: &[usize]) -> (Vec<usize>, Vec<f64>) {
    (output_shape("n", node, shape).unwrap(), values(node, shape, counting(shape)))
}

#[test]
fn convolutions_by_hand() {
    // 1 2 3 / 4 5 6 / 7 8 9 with 1 2 / 3 4, not turned over: 1 + 2·2 + 3·4 + 4·5 = 37, and so on, plus a bias of 0.5.
    let plain = conv(&[1, 1, 2, 2], &[1.0, 2.0, 3.0, 4.0], &[0.5]);
    let image = [1, 3, 3];
    assert_eq!(apply(&Node::Conv2d(plain.clone()), &image), (vec![1, 2, 2], vec![37.5, 47.5, 67.5, 77.5]));

    // With zeros all around and every second window: corners 4·1, 3·3 + 4·0 …: rows begin at −1 and 1.
    let strided = Conv { stride: vec![2, 2], padding: Padding::Zeros(vec![1, 1]), ..plain.clone() };
    // (−1,−1): 4·1; (−1,1): 3·2 + 4·3; (1,−1): 2·4 + 4·7; (1,1): 5 + 2·6 + 3·8 + 4·9.
    assert_eq!(apply(&Node::Conv2d(strided), &image), (vec![1, 2, 2], vec![4.5, 18.5, 36.5, 77.5]));

    // Points two apart: 1·1 + 2·3 + 3·7 + 4·9.
    let dilated = Conv { dilation: vec![2, 2], ..plain.clone() };
    assert_eq!(apply(&Node::Conv2d(dilated), &image), (vec![1, 1, 1], vec![64.5]));

    // As large as the input; for a kernel of two the zeros are behind: the last is 1·9.
    let same = Conv { padding: Padding::Same, ..plain };
    let (shape, y) = apply(&Node::Conv2d(same), &image);
    assert_eq!((shape, y[0], y[2], y[8]), (vec![1, 3, 3], 37.5, 3.0 + 3.0 * 6.0 + 0.5, 9.5));

    // Kernels need not be square: 1 × 2.
    let flat = conv(&[1, 1, 1, 2], &[1.0, -1.0], &[0.0]);
    assert_eq!(apply(&Node::Conv2d(flat), &[1, 2, 2]), (vec![1, 2, 1], vec![-1.0, -1.0]));

    // Two channels, 1 2 / 3 4 and 5 6 / 7 8, onto two: the sum, and the second alone.
    let mix = conv(&[2, 2, 1, 1], &[1.0, 1.0, 0.0, 10.0], &[0.0, 1.0]);
    let expected = vec![6.0, 8.0, 10.0, 12.0, 51.0, 61.0, 71.0, 81.0];
    assert_eq!(apply(&Node::Conv2d(mix), &[2, 2, 2]), (vec![2, 2, 2], expected));

    // Groups: each channel has its own factor and knows nothing of the other; two outputs a group.
    let grouped = Conv { groups: 2, ..conv(&[4, 1, 1, 1], &[1.0, 2.0, 3.0, 4.0], &[0.0; 4]) };
    assert_eq!(apply(&Node::Conv2d(grouped), &[2, 1, 1]), (vec![4, 1, 1], vec![1.0, 2.0, 6.0, 8.0]));

    // One dimension, two channels 1 2 3 and 4 5 6: 1·1 − 1·2 + 2·4 + 0·5.
    let line = conv(&[1, 2, 2], &[1.0, -1.0, 2.0, 0.0], &[0.25]);
    assert_eq!(apply(&Node::Conv1d(line.clone()), &[2, 3]), (vec![1, 2], vec![7.25, 9.25]));
    let line = Conv { stride: vec![2], padding: Padding::Zeros(vec![1]), input_shape: Some(vec![3]), ..line };
    // Windows from −1 and 1: −1·1 + 0·4; 2 − 3 + 2·5.
    assert_eq!(apply(&Node::Conv1d(line), &[2, 3]), (vec![1, 2], vec![-0.75, 9.25]));
}

#[test]
fn poolings_by_hand() {
    let pool = Pool { kernel: vec![2, 2], stride: vec![2, 2], padding: vec![0, 0], average: false };
    // Two channels of 2 × 5; the last column fits no window.
    let expected =
        vec![1.0 + 2.0 + 6.0 + 7.0, 3.0 + 4.0 + 8.0 + 9.0, 11.0 + 12.0 + 16.0 + 17.0, 13.0 + 14.0 + 18.0 + 19.0];
    assert_eq!(apply(&Node::Pool2d(pool.clone()), &[2, 2, 5]), (vec![2, 1, 2], expected));
    // An average counts the zeros around the image as well.
    let average = Pool { padding: vec![1, 1], average: true, ..pool };
    assert_eq!(apply(&Node::Pool2d(average), &[1, 2, 2]), (vec![1, 2, 2], vec![0.25, 0.5, 0.75, 1.0]));
}

#[test]
fn flattening() {
    let shape = |start, end, shape: &[usize]| output_shape("n", &Node::Flatten(start, end), shape);
    assert_eq!(shape(0, -1, &[2, 3, 4]).unwrap(), [24]);
    assert_eq!(shape(1, -1, &[2, 3, 4]).unwrap(), [2, 12]);
    assert_eq!(shape(-3, 1, &[2, 3, 4]).unwrap(), [6, 4]);
    assert!(shape(2, 1, &[2, 3, 4]).is_err());
}

/// One Input of one unit, one population of one neuron: what it gives, its potentials.
fn single(node: Node, settings: Settings, inputs: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut graph = Graph::default();
    graph.add("in", Node::Input(vec![1]), &[]);
    graph.add("n", node, &["in"]);
    graph.add("out", Node::Output(vec![1]), &["n"]);
    let inputs: Vec<Vec<f64>> = inputs.iter().map(|x| vec![*x]).collect();
    let trace = Reference::new(&graph, settings).unwrap().run(&[inputs]);
    assert_eq!(trace.outputs["out"], trace.units["n"]);
    (trace.units["n"].concat(), trace.potentials["n"].concat())
}

#[test]
fn neurons_by_hand() {
    let settings = Settings::new(0.5);
    // dt·r = 1.
    assert_eq!(single(neurons(Kind::I, &[("r", &[2.0])]), settings, &[1.0, 0.0, 1.0]).1, [1.0, 1.0, 2.0]);

    let integrate_and_fire = || neurons(Kind::If, &[("r", &[2.0]), ("v_threshold", &[1.5]), ("v_reset", &[-0.5])]);
    let ones = [1.0; 5];
    let (z, v) = single(integrate_and_fire(), settings, &ones);
    assert_eq!((z, v), (vec![0.0, 1.0, 0.0, 0.0, 1.0], vec![1.0, -0.5, 0.5, 1.5, -0.5]));
    let (z, _) = single(integrate_and_fire(), Settings { comparison: Comparison::GreaterEqual, ..settings }, &ones);
    assert_eq!(z, [0.0, 1.0, 0.0, 1.0, 0.0]);
    let (z, v) = single(integrate_and_fire(), Settings { reset: Reset::Subtract, ..settings }, &ones);
    assert_eq!((z, v), (vec![0.0, 1.0, 0.0, 1.0, 1.0], vec![1.0, 0.5, 1.5, 1.0, 0.5]));
    let (z, v) = single(
        integrate_and_fire(),
        Settings { spike_from: SpikeFrom::Old, reset: Reset::Subtract, ..settings },
        &ones,
    );
    assert_eq!((z, v), (vec![0.0, 0.0, 1.0, 0.0, 1.0], vec![1.0, 2.0, 1.5, 2.5, 2.0]));

    // dt/τ = 1/4: v += (1 − v + 2x)/4 from 1.
    let leaky = || neurons(Kind::Li, &[("tau", &[2.0]), ("r", &[2.0]), ("v_leak", &[1.0])]);
    assert_eq!(single(leaky(), settings, &[1.0, 0.0]).1, [1.5, 1.375]);
    let exact = Settings { method: Method::ExponentialEuler, ..settings };
    let v = single(leaky(), exact, &[1.0]).1[0];
    assert!((v - (3.0 - 2.0 * (-0.25_f64).exp())).abs() < 1e-15, "{v}");

    // dt/τ_syn = 1/2, dt/τ_mem = 1/4: i = 2, v = 3·2/4; then i = 1, v = 1.5·3/4 + 3/4.
    let current = neurons(
        Kind::CubaLi,
        &[("tau_syn", &[1.0]), ("tau_mem", &[2.0]), ("r", &[3.0]), ("v_leak", &[0.0]), ("w_in", &[4.0])],
    );
    assert_eq!(single(current, settings, &[1.0, 0.0]).1, [1.5, 1.875]);

    // snnTorch's order, potentials of 3 with a threshold of 1 and no leak: the second spike needs more than twice the
    // threshold, for what is due is taken off before it is decided.
    let subtract = || neurons(Kind::If, &[("r", &[2.0]), ("v_threshold", &[1.0]), ("v_reset", &[0.0])]);
    let delayed = Settings { reset: Reset::DelayedSubtract, ..settings };
    assert_eq!(single(subtract(), delayed, &[3.0, 0.0, 0.0]), (vec![1.0, 0.0, 0.0], vec![2.0, 2.0, 2.0]));
    let usual = Settings { reset: Reset::Subtract, ..settings };
    assert_eq!(single(subtract(), usual, &[3.0, 0.0, 0.0]), (vec![1.0, 1.0, 0.0], vec![2.0, 1.0, 1.0]));
}

#[test]
fn thresholds_scales_and_delays() {
    let mut graph = Graph::default();
    graph.add("in", Node::Input(vec![2]), &[]);
    graph.add("scale", Node::Scale(Tensor::new(&[2], vec![2.0, 3.0])), &["in"]);
    graph.add("delay", Node::Delay(Tensor::new(&[2], vec![0.0, 0.2])), &["scale"]);
    graph.add("late", Node::Delay(Tensor::new(&[], vec![0.1])), &["delay"]);
    graph.add("threshold", Node::Threshold(Tensor::new(&[], vec![2.0])), &["late"]);
    graph.add("out", Node::Output(vec![2]), &["threshold"]);
    let inputs = vec![vec![1.0, 1.0], vec![0.0, 0.0], vec![0.0; 2], vec![1.0, 0.0], vec![0.0; 2]];
    let run = |comparison| {
        let settings = Settings { comparison, ..Settings::new(0.1) };
        Reference::new(&graph, settings).unwrap().run(std::slice::from_ref(&inputs)).outputs["out"].clone()
    };
    let nothing = vec![0.0, 0.0];
    let second = vec![0.0, 1.0];
    let first = vec![1.0, 0.0];
    assert_eq!(run(Comparison::Greater), [&nothing, &nothing, &nothing, &second, &nothing].map(Clone::clone));
    assert_eq!(run(Comparison::GreaterEqual), [&nothing, &first, &nothing, &second, &first].map(Clone::clone));
}

/// A neuron that spikes in the step in which anything comes.
fn relay() -> Node {
    neurons(
        Kind::Lif,
        &[("tau", &[1.0]), ("r", &[1.0]), ("v_leak", &[0.0]), ("v_threshold", &[0.5]), ("v_reset", &[0.0])],
    )
}

fn one_by_one(weight: f64) -> Node {
    Node::Linear(Tensor::new(&[1, 1], vec![weight]))
}

/// Spikes of unit `of` after a spike of the input in step 0, for 8 steps.
fn pulse(graph: &Graph, of: &str) -> Vec<usize> {
    let mut inputs = vec![vec![0.0]; 8];
    inputs[0][0] = 1.0;
    let trace = Reference::new(graph, Settings::new(1.0)).unwrap().run(&[inputs]);
    spikes(&trace.units[of])
}

#[test]
fn order_of_a_step() {
    // Forward, a chain takes no time, whatever its nodes are called, and however near to the input they are.
    let mut chain = Graph::default();
    chain.add("in", Node::Input(vec![1]), &[]);
    chain.add("z", relay(), &["in"]);
    chain.add("w", one_by_one(1.0), &["z"]);
    chain.add("a", relay(), &["w"]);
    chain.add("out", Node::Output(vec![1]), &["a"]);
    assert_eq!(pulse(&chain, "a"), [0]);
    // A short cut to `a`, which alone does nothing, makes both as near; still, `a` is behind `z`.
    let mut short_cut = chain.clone();
    short_cut.add("cut", one_by_one(0.0), &["in"]);
    short_cut.connect("cut", "a");
    assert_eq!(pulse(&short_cut, "a"), [0]);

    // Around a cycle of two it takes one step: `a` sees `z` of this step, `z` sees `a` of the step before.
    let mut cycle = chain.clone();
    cycle.add("back", one_by_one(1.0), &["a"]);
    cycle.connect("back", "z");
    assert_eq!(pulse(&cycle, "z"), [0, 1, 2, 3, 4, 5, 6, 7]);
    // With a Delay of three steps it takes three, not four.
    let mut delayed = chain.clone();
    delayed.add("delay", Node::Delay(Tensor::new(&[1], vec![3.0])), &["a"]);
    delayed.add("back", one_by_one(1.0), &["delay"]);
    delayed.connect("back", "z");
    assert_eq!(pulse(&delayed, "z"), [0, 3, 6]);
    assert_eq!(pulse(&delayed, "a"), [0, 3, 6]);
    // A Delay of none is a wire.
    let mut wire = cycle.clone();
    wire.nodes.insert("back".to_owned(), Node::Delay(Tensor::new(&[], vec![0.0])));
    assert_eq!(pulse(&wire, "z"), [0, 1, 2, 3, 4, 5, 6, 7]);
    // Its own spikes reach a neuron one step later.
    let mut own = chain.clone();
    own.add("self", one_by_one(1.0), &["z"]);
    own.connect("self", "z");
    assert_eq!(pulse(&own, "z"), [0, 1, 2, 3, 4, 5, 6, 7]);

    // A bias on the way back counts from the first step on.
    let mut biased = cycle.clone();
    biased.nodes.insert("back".to_owned(), Node::Affine(Tensor::new(&[1, 1], vec![0.0]), vec![1.0]));
    let silence = vec![vec![0.0]; 2];
    let trace = Reference::new(&biased, Settings::new(1.0)).unwrap().run(&[silence]);
    assert_eq!(spikes(&trace.units["z"]), [0, 1]);
}

#[test]
fn nested_graphs_are_their_nodes() {
    let mut inner = Graph::default();
    inner.add("input", Node::Input(vec![1]), &[]);
    inner.add("lif", relay(), &["input"]);
    inner.add("w", one_by_one(1.0), &["lif"]);
    inner.connect("w", "lif");
    inner.add("output", Node::Output(vec![1]), &["lif"]);
    let mut graph = Graph::default();
    graph.add("in", Node::Input(vec![1]), &[]);
    graph.add("first", Node::Graph(inner.clone()), &["in"]);
    graph.add("second", Node::Graph(inner.clone()), &["first"]);
    graph.add("out", Node::Output(vec![1]), &["second"]);
    assert_eq!(pulse(&graph, "second.lif"), [0, 1, 2, 3, 4, 5, 6, 7]);

    inner.add("more", Node::Output(vec![1]), &["lif"]);
    graph.nodes.insert("second".to_owned(), Node::Graph(inner));
    assert_eq!(Reference::new(&graph, Settings::new(1.0)).err(), Some(GraphError::Ends { graph: "second".to_owned() }));
}

#[test]
fn graphs_without_meaning() {
    let settings = Settings::new(1.0);
    let mut graph = Graph::default();
    graph.add("in", Node::Input(vec![1]), &[]);
    graph.add("a", one_by_one(1.0), &["in"]);
    graph.add("b", one_by_one(1.0), &["a"]);
    graph.connect("b", "a");
    graph.add("out", Node::Output(vec![1]), &["b"]);
    assert!(matches!(Reference::new(&graph, settings).err(), Some(GraphError::Cycle { .. })));
    // With a Delay it has one.
    graph.nodes.insert("b".to_owned(), Node::Delay(Tensor::new(&[], vec![1.0])));
    assert!(Reference::new(&graph, settings).is_ok());
    graph.nodes.insert("b".to_owned(), Node::Delay(Tensor::new(&[], vec![-1.0])));
    assert!(matches!(Reference::new(&graph, settings).err(), Some(GraphError::Delay { .. })));
    graph.nodes.insert("b".to_owned(), Node::Linear(Tensor::new(&[1, 2], vec![1.0; 2])));
    assert!(matches!(Reference::new(&graph, settings).err(), Some(GraphError::Shape { .. })));
    graph.connect("b", "nobody");
    assert!(matches!(Reference::new(&graph, settings).err(), Some(GraphError::Edge { .. })));
}

/// Every kind of node, with every parameter another number.
fn everything() -> Graph {
    let mut graph = Graph::default();
    let mut next = 0.0;
    let mut numbers = |shape: &[usize]| {
        let data = (0..shape.iter().product()).map(|_| {
            next += 0.125;
            next
        });
        Tensor { data: data.collect(), shape: shape.to_vec() }
    };
    graph.add("in", Node::Input(vec![2, 6, 6]), &[]);
    let conv = Conv {
        weight: numbers(&[4, 1, 2, 3]),
        bias: numbers(&[4]).data,
        stride: vec![1, 2],
        padding: Padding::Zeros(vec![1, 0]),
        dilation: vec![2, 1],
        groups: 2,
        input_shape: Some(vec![6, 6]),
    };
    graph.add("conv", Node::Conv2d(conv.clone()), &["in"]);
    let same = Conv { padding: Padding::Same, stride: vec![1, 1], groups: 1, input_shape: None, ..conv };
    graph.add("same", Node::Conv2d(Conv { weight: numbers(&[4, 4, 3, 1]), ..same }), &["conv"]);
    let pool = Pool { kernel: vec![2, 1], stride: vec![2, 1], padding: vec![0, 1], average: true };
    graph.add("average", Node::Pool2d(pool.clone()), &["same"]);
    graph.add("sum", Node::Pool2d(Pool { average: false, ..pool }), &["average"]);
    graph.add("flat", Node::Flatten(0, -1), &["sum"]);
    graph.add("linear", Node::Linear(numbers(&[3, 24])), &["flat"]);
    graph.add("affine", Node::Affine(numbers(&[3, 3]), numbers(&[3]).data), &["linear"]);
    graph.add("scale", Node::Scale(numbers(&[3])), &["affine"]);
    graph.add("threshold", Node::Threshold(numbers(&[])), &["scale"]);
    graph.add("delay", Node::Delay(numbers(&[3])), &["threshold"]);
    let mut before = "delay".to_owned();
    for (index, kind) in Kind::ALL.into_iter().enumerate() {
        let shape: &[usize] = if index % 2 == 0 { &[3] } else { &[] };
        let parameters = kind.parameters().iter().map(|(name, _)| (*name, numbers(shape))).collect();
        let neurons = Node::Neurons(Neurons { kind, parameters });
        graph.add(kind.name(), neurons, &[before.as_str()]);
        before = kind.name().to_owned();
    }
    let line = Conv {
        weight: numbers(&[1, 1, 2]),
        bias: numbers(&[1]).data,
        stride: vec![1],
        padding: Padding::Zeros(vec![0]),
        dilation: vec![1],
        groups: 1,
        input_shape: None,
    };
    let mut inner = Graph::default();
    inner.add("input", Node::Input(vec![1, 3]), &[]);
    inner.add("line", Node::Conv1d(line), &["input"]);
    inner.add("output", Node::Output(vec![1, 2]), &["line"]);
    graph.add("inner", Node::Graph(inner), &[]);
    graph
}

#[test]
fn files_are_read_as_they_were_written() {
    let graph = everything();
    let file = tempfile::NamedTempFile::new().unwrap();
    write(&graph, file.path()).unwrap();
    assert_eq!(read(file.path()).unwrap(), graph);
}
