//! NIR graphs at random, for the compiler to be compared with [`crate::nir_reference`] on.
//!
//! Contract: a seed is a graph, spikes to run it on and spikes to calibrate on, the same on every machine. [`plan`]'s
//! strategy makes a [`Plan`], which is small and shrinks; [`build`] makes a [`Case`] of it, with all numbers from the plan's own
//! seed. A case is a graph that some tool of the field could have written: every population spikes in 5 to 20 of 100 steps, as
//! far as what comes in allows that, no bias is behind a Delay, and values between
//! populations are spikes, or weighted sums of them.
//!
//! In an *exact* case all numbers are dyadic and all neurons such that in s7.8 nothing is rounded, so that no spike may differ;
//! [`Case::exact`] is whether that came out so, potentials being within that format's range. Such cases are about the order of
//! events and about arithmetic, not about the choice of formats, so that format is asked for.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::SeedableRng;

use crate::nir_reference::graph::{Conv, Kind, Padding, Pool};
use crate::nir_reference::{
    Comparison, Graph, Method, Neurons, Node, Reference, Reset, Settings, SpikeFrom, Tensor, layer,
};
use crate::random::below;

/// Length of a step, in seconds: a power of two, so that exact cases stay exact.
pub const DT: f64 = 1.0 / 1024.0;

/// The format of exact cases.
pub const EXACT_FORMAT: &str = "s7.8";

/// Numbers of exact cases are multiples of this, and potentials less than 2⁷.
const FINEST: f64 = 1.0 / 256.0;

/// The longest delay, in steps.
const LONGEST_DELAY: u32 = 12;

/// A graph as far as it shrinks.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Of all numbers.
    pub seed: u64,
    /// How many steps.
    pub steps: usize,
    /// Whether it is to be exact.
    pub exact: bool,
    /// Integration.
    pub exponential: bool,
    /// 0 to a value, 1 subtract, 2 snnTorch's, 3 to a value and 4 subtract with spikes from the old potential.
    pub reset: usize,
    /// `≥` instead of `>`.
    pub or_equal: bool,
    /// The inputs; the first feeds the first layer.
    pub inputs: Vec<Shape>,
    /// One after the other.
    pub layers: Vec<Layer>,
    /// A projection from a layer (first number) back to another, if both are there and flat.
    pub feedback: Option<(usize, usize)>,
}

/// The shape of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// So many units.
    Flat(usize),
    /// Channels, width.
    Line(usize, usize),
    /// Channels, height, width.
    Image(usize, usize, usize),
}

/// One population and what leads to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Pool images before: 1 sums, 2 averages.
    pub pool: usize,
    /// Convolve images and lines, rather than flatten them.
    pub convolve: bool,
    /// With a bias.
    pub bias: bool,
    /// Neurons, or for convolutions four times the output channels.
    pub size: usize,
    /// 1 stride, 2 padding, 3 same padding, 4 dilation, 5 groups.
    pub variant: usize,
    /// A Scale behind the weights.
    pub scale: bool,
    /// 1: a Delay before the weights, 2: behind them (where there is no bias).
    pub delay: usize,
    /// Which neurons: an index into the kinds that spike (Threshold the last), or for the last layer those that do not.
    pub unit: usize,
    /// Every neuron has parameters of its own.
    pub each: bool,
    /// 1: recurrent weights, 2: from each neuron to itself, 3: recurrent weights behind a Delay.
    pub recurrent: usize,
    /// In a graph of its own.
    pub nested: bool,
    /// From the first input too.
    pub skip: bool,
    /// With an Output of its own.
    pub shown: bool,
}

/// A graph and everything a run needs.
#[derive(Debug, Clone)]
pub struct Case {
    /// The graph.
    pub graph: Graph,
    /// What it does not say.
    pub settings: Settings,
    /// Spikes of each Input, by name, to run on.
    pub inputs: Vec<Vec<Vec<f64>>>,
    /// Others, to choose formats on.
    pub calibration: Vec<Vec<Vec<f64>>>,
    /// Whether no spike may differ.
    pub exact: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        3 => (2_usize..=24).prop_map(Shape::Flat),
        1 => (1_usize..=2, 4_usize..=12).prop_map(|(c, w)| Shape::Line(c, w)),
        3 => (1_usize..=2, 4_usize..=8, 4_usize..=8).prop_map(|(c, h, w)| Shape::Image(c, h, w)),
    ]
}

/// `0` mostly, else up to `most`.
fn seldom(most: usize) -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0), 2 => 1..=most]
}

fn a_layer() -> impl Strategy<Value = Layer> {
    let weights = (seldom(2), prop::bool::weighted(0.7), any::<bool>(), 2_usize..=40, 0_usize..=5);
    let around = (prop::bool::weighted(0.2), seldom(2), 0_usize..4, any::<bool>(), seldom(3));
    let place = (prop::bool::weighted(0.25), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    (weights, around, place).prop_map(|(weights, around, place)| {
        let (pool, convolve, bias, size, variant) = weights;
        let (scale, delay, unit, each, recurrent) = around;
        let (nested, skip, shown) = place;
        Layer { pool, convolve, bias, size, variant, scale, delay, unit, each, recurrent, nested, skip, shown }
    })
}

/// Plans; they shrink to fewer and smaller layers without extras.
pub fn plan() -> impl Strategy<Value = Plan> {
    let rules = (prop::bool::weighted(0.3), any::<bool>(), 0_usize..=4, any::<bool>());
    let inputs = prop_oneof![3 => prop::collection::vec(shape(), 1), 1 => prop::collection::vec(shape(), 2..=3)];
    let feedback = prop_oneof![3 => Just(None), 1 => (0_usize..4, 0_usize..4).prop_map(Some)];
    let layers = prop::collection::vec(a_layer(), 1..=4);
    (any::<u64>(), 20_usize..=80, rules, inputs, layers, feedback).prop_map(
        |(seed, steps, (exact, exponential, reset, or_equal), inputs, layers, feedback)| Plan {
            seed,
            steps,
            exact,
            exponential,
            reset,
            or_equal,
            inputs,
            layers,
            feedback,
        },
    )
}

/// The plan of a seed, and how it shrinks.
///
/// # Panics
/// Never: the strategy refuses nothing.
pub fn tree(seed: u64) -> impl ValueTree<Value = Plan> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let source = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), source);
    plan().new_tree(&mut runner).expect("the strategy refuses nothing")
}

/// The plan of a seed.
pub fn of_seed(seed: u64) -> Plan {
    tree(seed).current()
}

/// The smallest plan like that of `seed` for which `fails` holds, as far as it is found within `attempts`.
pub fn shrink(seed: u64, attempts: usize, mut fails: impl FnMut(&Plan) -> bool) -> Plan {
    let mut tree = tree(seed);
    let mut smallest = tree.current();
    for _ in 0..attempts {
        let more = if fails(&tree.current()) {
            smallest = tree.current();
            tree.simplify()
        } else {
            tree.complicate()
        };
        if !more {
            break;
        }
    }
    smallest
}

/// Numbers of a case.
struct Numbers {
    source: Pcg32,
    exact: bool,
}

impl Numbers {
    /// From `low` to `high`; in exact cases a multiple of 1/8, 0 excluded.
    fn real(&mut self, low: f64, high: f64) -> f64 {
        let number = low + (high - low) * f64::from(below(&mut self.source, 1 << 20)) / f64::from(1 << 20);
        if !self.exact {
            return number;
        }
        let eighths = (8.0 * number).round();
        if eighths == 0.0 { 0.125 } else { eighths / 8.0 }
    }

    /// One of them.
    fn one(&mut self, of: &[f64]) -> f64 {
        of[below(&mut self.source, of.len() as u32) as usize]
    }

    /// From `low` to `high`, both included.
    fn whole(&mut self, low: u32, high: u32) -> u32 {
        low + below(&mut self.source, high - low + 1)
    }

    /// Weights whose sum over a row is about 1 where a third of the sources spike, and a third of which are negative.
    fn weights(&mut self, shape: &[usize], strength: f64) -> Tensor {
        let fan_in: usize = shape[1..].iter().product();
        let scale = if self.exact { 1.0 } else { strength * 3.0 / (fan_in as f64).sqrt() };
        let data = (0..shape.iter().product()).map(|_| scale * self.real(-0.5, 1.0)).collect();
        Tensor { shape: shape.to_vec(), data }
    }

    /// A letter, so that the order of names is not that of layers.
    fn letter(&mut self) -> char {
        char::from(b'a' + self.whole(0, 25) as u8)
    }

    /// Spikes of so many units, of which each does so with a chance of `rate` percent.
    fn spikes(&mut self, units: usize, steps: usize, rate: u32) -> Vec<Vec<f64>> {
        let mut spike = || f64::from(u8::from(below(&mut self.source, 100) < rate));
        (0..steps).map(|_| (0..units).map(|_| spike()).collect()).collect()
    }
}

impl Shape {
    fn extents(self) -> Vec<usize> {
        match self {
            Self::Flat(size) => vec![size],
            Self::Line(channels, width) => vec![channels, width],
            Self::Image(channels, height, width) => vec![channels, height, width],
        }
    }
}

/// What a layer's nodes are put into: the graph, or one within.
struct Chain {
    graph: Graph,
    last: String,
    shape: Vec<usize>,
    prefix: String,
}

impl Chain {
    fn push(&mut self, what: &str, node: Node) {
        let name = format!("{}{what}", self.prefix);
        self.shape = layer::output_shape(&name, &node, &self.shape).expect("nodes are chosen for what comes");
        let last = self.last.clone();
        self.graph.add(&name, node, &[&last]);
        self.last = name;
    }
}

/// The case of a plan.
///
/// # Panics
/// Never, but for a defect of this module.
pub fn build(plan: &Plan) -> Case {
    let mut numbers = Numbers { source: Pcg32::seed_from_u64(plan.seed), exact: plan.exact };
    let mut graph = Graph::default();
    for (index, shape) in plan.inputs.iter().enumerate() {
        graph.add(&format!("input{index}"), Node::Input(shape.extents()), &[]);
    }
    let mut places: Vec<(String, Vec<usize>)> = Vec::new();
    let mut before = ("input0".to_owned(), plan.inputs[0].extents());
    let mut waiting: Vec<usize> = (1..plan.inputs.len()).collect();
    for (index, layer) in plan.layers.iter().enumerate() {
        let last = index + 1 == plan.layers.len();
        let mut extra = Vec::new();
        let flat = !layer.convolve || before.1.len() == 1;
        if flat {
            extra = std::mem::take(&mut waiting);
            if layer.skip && index > 0 {
                extra.push(0);
            }
        }
        let place = add_layer(&mut graph, &mut numbers, plan, layer, index, last, &before, &extra);
        if last || layer.shown {
            let letter = numbers.letter();
            graph.add(&format!("{letter}_output{index}"), Node::Output(place.1.clone()), &[&place.0]);
        }
        places.push(place.clone());
        before = place;
    }
    // An input that no layer could take.
    for index in waiting {
        graph.nodes.remove(&format!("input{index}"));
    }
    add_feedback(&mut graph, &mut numbers, plan, &places);
    let (reset, spike_from) = match plan.reset {
        0 => (Reset::Value, SpikeFrom::New),
        1 => (Reset::Subtract, SpikeFrom::New),
        2 => (Reset::DelayedSubtract, SpikeFrom::New),
        3 => (Reset::Value, SpikeFrom::Old),
        _ => (Reset::Subtract, SpikeFrom::Old),
    };
    let settings = Settings {
        dt: DT,
        method: if plan.exponential && !plan.exact { Method::ExponentialEuler } else { Method::ForwardEuler },
        reset,
        comparison: if plan.or_equal { Comparison::GreaterEqual } else { Comparison::Greater },
        spike_from,
    };
    let units: Vec<usize> = graph
        .nodes
        .values()
        .filter_map(|node| match node {
            Node::Input(shape) => Some(shape.iter().product()),
            _ => None,
        })
        .collect();
    // Calibration is on typical spikes: other ones, as many.
    let rates: Vec<u32> = units.iter().map(|_| numbers.whole(4, 24)).collect();
    let mut sample = || -> Vec<Vec<Vec<f64>>> {
        units.iter().zip(&rates).map(|(units, rate)| numbers.spikes(*units, plan.steps, *rate)).collect()
    };
    let (inputs, calibration) = (sample(), sample());
    set_thresholds(&mut graph, settings, &inputs, &mut numbers);
    let exact = plan.exact && is_exact(&graph, settings, &inputs);
    Case { graph, settings, inputs, calibration, exact }
}

/// Adds a layer behind `before` and the Inputs `extra`; the name of what gives its spikes, and their shape.
#[expect(clippy::too_many_arguments, reason = "one call, and everything is another thing")]
fn add_layer(
    graph: &mut Graph,
    numbers: &mut Numbers,
    plan: &Plan,
    layer: &Layer,
    index: usize,
    last: bool,
    before: &(String, Vec<usize>),
    extra: &[usize],
) -> (String, Vec<usize>) {
    let name = format!("{}{index}", numbers.letter());
    let nested = layer.nested && extra.is_empty();
    let mut chain = if nested {
        let mut graph = Graph::default();
        graph.add("input", Node::Input(before.1.clone()), &[]);
        Chain { graph, last: "input".to_owned(), shape: before.1.clone(), prefix: String::new() }
    } else {
        Chain {
            graph: std::mem::take(graph),
            last: before.0.clone(),
            shape: before.1.clone(),
            prefix: format!("{name}_"),
        }
    };
    add_weights(&mut chain, numbers, layer);
    let biased = matches!(&chain.graph.nodes[&chain.last], Node::Affine(..) | Node::Conv1d(_) | Node::Conv2d(_));
    if layer.scale {
        let factor =
            |numbers: &mut Numbers| if numbers.exact { numbers.one(&[0.5, 1.0]) } else { numbers.real(0.5, 1.5) };
        let size = chain.shape.iter().product();
        let scale = (0..size).map(|_| factor(numbers)).collect();
        let shape = chain.shape.clone();
        chain.push("scale", Node::Scale(Tensor { shape, data: scale }));
    }
    if layer.delay == 2 && !biased {
        let delay = delays(numbers, &chain.shape, layer.each, 0);
        chain.push("delay_behind", delay);
    }
    let unit = unit(numbers, plan, layer, last, &chain.shape);
    let kind = unit.kind().to_lowercase();
    let spikes = !matches!(&unit, Node::Neurons(neurons) if !neurons.kind.spikes());
    chain.push(&kind, unit);
    let own = chain.last.clone();
    for input in extra {
        let Node::Input(shape) = chain.graph.nodes[&format!("input{input}")].clone() else { continue };
        let mut from = format!("input{input}");
        if shape.len() > 1 {
            let flatten = format!("{name}_flatten{input}");
            chain.graph.add(&flatten, Node::Flatten(0, -1), &[&from]);
            from = flatten;
        }
        let shape = [chain.shape.iter().product(), shape.iter().product()];
        let weights = format!("{name}_from{input}");
        chain.graph.add(&weights, Node::Linear(numbers.weights(&shape, 0.5)), &[&from]);
        chain.graph.connect(&weights, &own);
    }
    if spikes {
        add_recurrence(&mut chain, numbers, layer, &own);
    }
    let shape = chain.shape;
    if !nested {
        *graph = chain.graph;
        return (own, shape);
    }
    chain.graph.add("output", Node::Output(shape.clone()), &[&own]);
    graph.add(&name, Node::Graph(chain.graph), &[&before.0]);
    (name, shape)
}

/// Delays of `least` steps and more.
fn delays(numbers: &mut Numbers, shape: &[usize], each: bool, least: u32) -> Node {
    let mut one = || DT * f64::from(numbers.whole(least, LONGEST_DELAY));
    Node::Delay(if each {
        let data = (0..shape.iter().product()).map(|_| one()).collect();
        Tensor { shape: shape.to_vec(), data }
    } else {
        Tensor::new(&[], vec![one()])
    })
}

fn add_weights(chain: &mut Chain, numbers: &mut Numbers, layer: &Layer) {
    if layer.pool > 0 && chain.shape.len() == 3 && chain.shape[1..].iter().all(|extent| *extent >= 2) {
        let average = layer.pool == 2;
        let pool = Pool { kernel: vec![2, 2], stride: vec![2, 2], padding: vec![0, 0], average };
        chain.push("pool", Node::Pool2d(pool));
    }
    if layer.delay == 1 {
        let shape = chain.shape.clone();
        chain.push("delay", delays(numbers, &shape, layer.each, 0));
    }
    let dimensions = chain.shape.len() - 1;
    if !layer.convolve || dimensions == 0 {
        if dimensions > 0 {
            chain.push("flatten", Node::Flatten(0, -1));
        }
        let weights = numbers.weights(&[layer.size, chain.shape[0]], 1.0);
        let node = if layer.bias {
            Node::Affine(weights, (0..layer.size).map(|_| numbers.real(-0.2, 0.2)).collect())
        } else {
            Node::Linear(weights)
        };
        chain.push("weights", node);
        return;
    }
    let channels = chain.shape[0];
    let mut outs = layer.size.div_ceil(10);
    let mut groups = 1;
    if layer.variant == 5 && channels > 1 {
        groups = channels;
        outs = outs.next_multiple_of(groups);
    }
    // Kernels no larger than the image, dilated or not.
    let spatial = chain.shape[1..].to_vec();
    let kernel: Vec<usize> = spatial.iter().map(|extent| numbers.whole(1, 3.min(*extent as u32)) as usize).collect();
    let reach = |kernel: &[usize], dilation: usize| {
        kernel.iter().zip(&spatial).all(|(kernel, extent)| dilation * (kernel - 1) < *extent)
    };
    let dilation = if layer.variant == 4 && reach(&kernel, 2) { 2 } else { 1 };
    let weight = numbers.weights(&[&[outs, channels / groups], kernel.as_slice()].concat(), 1.0);
    let bias = (0..outs).map(|_| if layer.bias { numbers.real(-0.2, 0.2) } else { 0.0 }).collect();
    let conv = Conv {
        weight,
        bias,
        stride: vec![if layer.variant == 1 { 2 } else { 1 }; dimensions],
        padding: match layer.variant {
            2 => Padding::Zeros((0..dimensions).map(|_| numbers.whole(0, 1) as usize).collect()),
            3 => Padding::Same,
            _ => Padding::Zeros(vec![0; dimensions]),
        },
        dilation: vec![dilation; dimensions],
        groups,
        input_shape: layer.each.then(|| spatial.clone()),
    };
    chain.push("conv", if dimensions == 1 { Node::Conv1d(conv) } else { Node::Conv2d(conv) });
}

/// The last layer's neurons may be of a kind that does not spike.
fn unit(numbers: &mut Numbers, plan: &Plan, layer: &Layer, last: bool, shape: &[usize]) -> Node {
    let silent = last && layer.variant % 2 == 1;
    let kind = match layer.unit {
        0 if silent => Kind::Li,
        1 if silent => Kind::CubaLi,
        _ if silent => Kind::I,
        0 => Kind::Lif,
        1 => Kind::CubaLif,
        2 => Kind::If,
        // To be set.
        _ => return Node::Threshold(Tensor::new(shape, vec![1.0; shape.iter().product()])),
    };
    let count = if layer.each { shape.iter().product() } else { 1 };
    let mut parameters: BTreeMap<&'static str, Tensor> = BTreeMap::new();
    for _ in 0..count {
        // Of the current and of the potential, in steps; in exact cases nothing is left of the step before.
        let mut steps = |most| if plan.exact { 1.0 } else { f64::from(numbers.whole(20, most)) / 10.0 };
        let (tau_syn, tau_mem) = (steps(100), steps(220));
        for (name, _) in kind.parameters() {
            let value = parameter(numbers, name, kind, layer.each, tau_syn, tau_mem);
            parameters.entry(name).or_default().data.push(value);
        }
    }
    if layer.each {
        parameters.values_mut().for_each(|tensor| tensor.shape = shape.to_vec());
    }
    Node::Neurons(Neurons { kind, parameters })
}

/// A parameter of a neuron with these time constants, in steps, such that the factor of what comes in is about 1.
fn parameter(numbers: &mut Numbers, name: &str, kind: Kind, each: bool, tau_syn: f64, tau_mem: f64) -> f64 {
    let leaks = !matches!(kind, Kind::I | Kind::If);
    match name {
        "tau_syn" => tau_syn * DT,
        "tau" | "tau_mem" => tau_mem * DT,
        "r" if numbers.exact => numbers.one(&[0.5, 1.0]) / if leaks { 1.0 } else { DT },
        "r" if leaks => numbers.real(0.7, 1.4) * tau_mem.min(8.0),
        "r" => numbers.real(0.7, 1.4) / DT,
        "w_in" if numbers.exact => 1.0,
        "w_in" => numbers.real(0.8, 1.2) * tau_syn.min(4.0),
        "v_leak" if each && !numbers.exact => numbers.real(-0.1, 0.1),
        "v_reset" if each => numbers.real(-0.2, 0.2),
        "v_threshold" => 1.0,
        _ => 0.0,
    }
}

fn add_recurrence(chain: &mut Chain, numbers: &mut Numbers, layer: &Layer, own: &str) {
    let size: usize = chain.shape.iter().product();
    let mut from = own.to_owned();
    let name = |what: &str| format!("{}{what}", chain.prefix);
    if layer.recurrent == 0 {
        return;
    }
    if layer.recurrent == 3 {
        let delay = name("delay_back");
        let node = delays(numbers, &chain.shape, layer.each, 1);
        chain.graph.add(&delay, node, &[&from]);
        from = delay;
    }
    let back = name("back");
    let node = match chain.shape[..] {
        _ if layer.recurrent == 2 => {
            let data = (0..size).map(|_| -numbers.real(0.1, 0.5)).collect();
            Node::Scale(Tensor { shape: chain.shape.clone(), data })
        }
        [size] => Node::Linear(numbers.recurrent(&[size, size])),
        [channels, _, _] => Node::Conv2d(Conv {
            weight: numbers.recurrent(&[channels, channels, 3, 3]),
            bias: vec![0.0; channels],
            stride: vec![1, 1],
            padding: Padding::Zeros(vec![1, 1]),
            dilation: vec![1, 1],
            groups: 1,
            input_shape: None,
        }),
        [channels, _] => Node::Conv1d(Conv {
            weight: numbers.recurrent(&[channels, channels, 3]),
            bias: vec![0.0; channels],
            stride: vec![1],
            padding: Padding::Zeros(vec![1]),
            dilation: vec![1],
            groups: 1,
            input_shape: None,
        }),
        _ => return,
    };
    chain.graph.add(&back, node, &[&from]);
    chain.graph.connect(&back, own);
}

impl Numbers {
    /// Weights that are weak and negative more often than not, so that a population neither explodes nor is chaotic.
    fn recurrent(&mut self, shape: &[usize]) -> Tensor {
        let mut weights = self.weights(shape, 0.3);
        weights.data.iter_mut().for_each(|weight| *weight = -*weight);
        weights
    }
}

fn add_feedback(graph: &mut Graph, numbers: &mut Numbers, plan: &Plan, places: &[(String, Vec<usize>)]) {
    let Some((from, to)) = plan.feedback else { return };
    let (Some(source), Some(target)) = (places.get(from), places.get(to)) else { return };
    let spikes = from + 1 < places.len();
    if to >= from || !spikes || source.1.len() > 1 || target.1.len() > 1 {
        return;
    }
    // Straight to the neurons; into a graph there is one way only, which is not to be added to.
    if matches!(graph.nodes[&target.0], Node::Graph(_)) {
        return;
    }
    let weights = numbers.recurrent(&[target.1[0], source.1[0]]);
    graph.add("feedback", Node::Linear(weights), &[&source.0]);
    graph.connect("feedback", &target.0);
}

/// Runs a node's thresholds through `set`, in graphs within too; `name` is the flat one.
fn with_unit(graph: &mut Graph, name: &str, set: &mut impl FnMut(&mut Tensor)) {
    if let Some((outer, inner)) = name.split_once('.') {
        if let Some(Node::Graph(graph)) = graph.nodes.get_mut(outer) {
            with_unit(graph, inner, set);
        }
        return;
    }
    match graph.nodes.get_mut(name) {
        Some(Node::Neurons(neurons)) => {
            if let Some(threshold) = neurons.parameters.get_mut("v_threshold") {
                set(threshold);
            }
        }
        Some(Node::Threshold(threshold)) => set(threshold),
        _ => {}
    }
}

/// Sets thresholds population by population, in the order of update, so that each spikes in 5 to 20 of 100 steps, as far as
/// what comes in allows that.
fn set_thresholds(graph: &mut Graph, settings: Settings, inputs: &[Vec<Vec<f64>>], numbers: &mut Numbers) {
    let run = |graph: &Graph| Reference::new(graph, settings).expect("the graph has a meaning").run(inputs);
    let order = Reference::new(graph, settings).expect("the graph has a meaning").unit_names();
    for name in &order {
        with_unit(graph, name, &mut |threshold| threshold.data.iter_mut().for_each(|value| *value = 1e9));
    }
    let exact = numbers.exact;
    for name in &order {
        let highest = run(graph).potentials[name].iter().flatten().fold(0.25, |most: f64, v| most.max(*v));
        let wanted = f64::from(numbers.whole(5, 20)) / 100.0;
        let mut factors = Vec::new();
        with_unit(graph, name, &mut |threshold| {
            factors = threshold.data.iter().map(|_| if exact { 1.0 } else { numbers.real(0.85, 1.15) }).collect();
        });
        if factors.is_empty() {
            continue;
        }
        let (mut low, mut high) = (highest / 50.0, highest);
        for _ in 0..7 {
            let mut level = (low + high) / 2.0;
            if exact {
                // Potentials are multiples of 1/8 more often than not, so that some are equal to it.
                level = (8.0 * level).round().max(1.0) / 8.0;
            }
            with_unit(graph, name, &mut |threshold| {
                threshold.data.iter_mut().zip(&factors).for_each(|(theta, factor)| *theta = factor * level);
            });
            let spikes = run(graph).units[name].concat();
            let rate = spikes.iter().sum::<f64>() / spikes.len() as f64;
            if rate > wanted { low = level } else { high = level }
        }
    }
}

/// Whether all potentials, and so all currents, are multiples of [`FINEST`] and far from the ends of s7.8.
fn is_exact(graph: &Graph, settings: Settings, inputs: &[Vec<Vec<f64>>]) -> bool {
    let trace = Reference::new(graph, settings).expect("the graph has a meaning").run(inputs);
    let fine = |v: &f64| v.abs() < 100.0 && (v / FINEST).fract() == 0.0;
    trace.potentials.values().flatten().flatten().all(fine)
}

/// One small graph for each kind of node, and for each way in which graphs can be put together.
///
/// # Panics
/// Never, but for a defect of this module.
pub fn basics() -> Vec<(String, Case)> {
    let layer = Layer {
        pool: 0,
        convolve: false,
        bias: false,
        size: 12,
        variant: 0,
        scale: false,
        delay: 0,
        unit: 0,
        each: false,
        recurrent: 0,
        nested: false,
        skip: false,
        shown: false,
    };
    let plan = |inputs: &[Shape], layers: &[&Layer]| Plan {
        seed: 1,
        steps: 60,
        exact: false,
        exponential: false,
        reset: 0,
        or_equal: false,
        inputs: inputs.to_vec(),
        layers: layers.iter().map(|layer| (*layer).clone()).collect(),
        feedback: None,
    };
    let (flat, image, line) = (Shape::Flat(10), Shape::Image(2, 6, 6), Shape::Line(2, 12));
    let one = |layer: &Layer| plan(&[flat], &[layer]);
    let of_image = |layer: &Layer| plan(&[image], &[layer]);
    let convolve = Layer { convolve: true, size: 30, ..layer.clone() };
    let variant = |variant| of_image(&Layer { variant, ..convolve.clone() });
    let unit = |unit, variant| one(&Layer { unit, variant, ..layer.clone() });
    let reset = |reset| Plan { reset, ..one(&layer) };
    let recurrent = |recurrent| one(&Layer { recurrent, ..layer.clone() });
    let plans = [
        ("LIF", unit(0, 0)),
        ("CubaLIF", unit(1, 0)),
        ("IF", unit(2, 0)),
        ("Threshold", unit(3, 0)),
        ("LI", unit(0, 1)),
        ("CubaLI", unit(1, 1)),
        ("I", unit(2, 1)),
        ("Affine", one(&Layer { bias: true, ..layer.clone() })),
        ("Flatten", of_image(&layer)),
        ("Scale", one(&Layer { scale: true, ..layer.clone() })),
        ("Delay before weights", one(&Layer { delay: 1, ..layer.clone() })),
        ("Delay before weights, each its own", one(&Layer { delay: 1, each: true, ..layer.clone() })),
        ("Delay behind weights, each its own", one(&Layer { delay: 2, each: true, ..layer.clone() })),
        ("Conv2d", variant(0)),
        ("Conv2d with stride", variant(1)),
        ("Conv2d with padding", variant(2)),
        ("Conv2d with same padding", variant(3)),
        ("Conv2d with dilation", variant(4)),
        ("Conv2d with groups", variant(5)),
        ("Conv2d with bias", of_image(&Layer { bias: true, ..convolve.clone() })),
        ("Conv1d", plan(&[line], &[&convolve])),
        ("SumPool2d", of_image(&Layer { pool: 1, ..layer.clone() })),
        ("AvgPool2d", of_image(&Layer { pool: 2, ..layer.clone() })),
        ("SumPool2d and Conv2d", of_image(&Layer { pool: 1, ..convolve.clone() })),
        ("two layers", plan(&[flat], &[&layer, &layer])),
        ("two layers of images", plan(&[image], &[&convolve, &convolve])),
        ("parameters of each neuron", one(&Layer { each: true, ..layer.clone() })),
        ("recurrent weights", recurrent(1)),
        ("recurrent Scale", recurrent(2)),
        ("recurrent weights with Delay", recurrent(3)),
        ("feedback over two layers", Plan { feedback: Some((1, 0)), ..plan(&[flat], &[&layer, &layer, &layer]) }),
        ("graph within", one(&Layer { nested: true, ..layer.clone() })),
        ("graph within, recurrent", one(&Layer { nested: true, recurrent: 1, ..layer.clone() })),
        ("two inputs", plan(&[flat, image], &[&layer])),
        ("two outputs", plan(&[flat], &[&Layer { shown: true, ..layer.clone() }, &layer])),
        ("an input to two layers", plan(&[flat], &[&layer, &Layer { skip: true, ..layer.clone() }])),
        ("reset by subtraction", reset(1)),
        ("reset by subtraction, snnTorch's", reset(2)),
        ("spikes from the old potential", reset(3)),
        ("spikes from the old potential, subtraction", reset(4)),
        ("greater or equal", Plan { or_equal: true, exact: true, ..unit(2, 0) }),
        ("exponential Euler", Plan { exponential: true, ..unit(1, 0) }),
        ("exact IF", Plan { exact: true, ..unit(2, 0) }),
        (
            "exact convolutions",
            Plan { exact: true, ..plan(&[image], &[&convolve, &Layer { pool: 2, ..convolve.clone() }]) },
        ),
    ];
    plans.into_iter().map(|(name, plan)| (name.to_owned(), build(&plan))).collect()
}
