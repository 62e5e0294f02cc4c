//! The network a graph and its [`Options`] mean, in real numbers and discrete time.
//!
//! Contract: in each step, for each population in the order of the schedule, with `x = Σ W s + b` summed over the
//! connections onto it (`s` the spikes of this step if the source is an Input or stands before it in the schedule, of
//! the previous step otherwise, and where there is a delay so many steps earlier):
//!
//! ```text
//! I = decay_syn·I + gain_syn·x            (I = x where there is no synaptic current)
//! V = rest + decay_mem·(V − rest) + gain_mem·I
//! ```
//!
//! then spikes and resets as [`Spike`] says. `I` is 0 and `V` is `rest` before the first step. Per neuron:
//!
//! | | forward Euler | exponential Euler | I, IF | Threshold, Output |
//! |---|---|---|---|---|
//! | `decay` | `1 − dt/τ` | `e^(−dt/τ)` | 1 | 0 |
//! | `gain_syn` | `(1 − decay)·w_in` | same | | |
//! | `gain_mem` | `(1 − decay)·r` | same | `dt·r` | 1 |
//!
//! Units (neurons and Threshold) are ordered so that every connection that is not part of a cycle acts within the step.
//! Within a cycle, the units nearer to an Input come first (by the number of connections, then by name), and connections
//! from a unit onto itself or an earlier one carry the previous step's spikes. A delay of at least one step makes no cycle, and
//! nothing is added to it.
//!
//! An Output that one unit feeds, with nothing between, reads that unit. Any other gets a population of its own, without
//! memory, last in the schedule. A bias that goes through a Delay comes from a population of one neuron that spikes in every step.
//!
//! Not here: number formats.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::network::{Phase, Readout, Source};
use crate::nir::{CubaLi, CubaLif, Graph, I, If, Li, Lif, Node};

use super::error::ImportError;
use super::exact::{self, Factor, Real, real};
use super::linear::{Map, uniform_chunks};
use super::options::{Comparison, Method, Options, Reset, SpikeFrom};
use super::wiring::{Drive, Origin, Wiring, is_unit, spikes};

/// A network in real numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// As the user called it.
    pub name: String,
    /// Length of a step, in the file's unit of time.
    pub dt: f64,
    /// Steps in one run.
    pub steps: u32,
    /// Name and size of each Input, by name.
    pub inputs: Vec<(String, usize)>,
    /// The neurons, in the order of the schedule.
    pub populations: Vec<Neurons>,
    /// Who drives whom; grouped by target, Inputs first, then populations in order, shorter delays first.
    pub connections: Vec<Connection>,
    /// [`Phase::Propagate`] for all connections onto a population, then its [`Phase::Update`], for each in turn.
    pub schedule: Vec<Phase>,
    /// The results, by the names of the Outputs.
    pub outputs: Vec<(usize, Readout)>,
}

/// One population.
#[derive(Debug, Clone, PartialEq)]
pub struct Neurons {
    /// The node's name.
    pub name: String,
    /// The node's type; `Output` and `constant` for the populations that no node is.
    pub kind: &'static str,
    /// How many neurons; the length of every list below.
    pub size: usize,
    /// Decay and gain of the synaptic current, where there is one.
    pub current: Option<Leak>,
    /// Decay and gain of the membrane potential.
    pub potential: Leak,
    /// Leak potential.
    pub rest: Vec<f64>,
    /// When the neurons spike, where they do.
    pub spike: Option<Spike>,
    /// Added to the input in every step.
    pub bias: Vec<f64>,
    /// Whether the gains go into the weights. They cannot where neurons of one channel have different ones, and a
    /// convolution's kernel is shared.
    pub folded: bool,
}

/// A leaky integrator in discrete time.
#[derive(Debug, Clone, PartialEq)]
pub struct Leak {
    pub(super) decays: Vec<Factor>,
    pub(super) gains: Vec<Factor>,
}

impl Leak {
    /// Factor of the value per step, 0 to 1.
    pub fn decay(&self, neuron: usize) -> f64 {
        self.decays[neuron].nearest
    }

    /// Factor of what comes in.
    pub fn gain(&self, neuron: usize) -> f64 {
        self.gains[neuron].nearest
    }

    /// Whether all neurons keep this share of their value.
    pub(super) fn keeps(&self, share: f64) -> bool {
        self.decays.iter().all(|decay| decay.nearest == share)
    }
}

/// When neurons spike, and where their potential goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Spike {
    /// `v_threshold`.
    pub threshold: Vec<f64>,
    /// What a spike does.
    pub then: OnSpike,
    /// When a potential is above the threshold.
    pub comparison: Comparison,
    /// Which potential decides; of no account for [`OnSpike::DelayedSubtract`].
    pub from: SpikeFrom,
}

/// What a spike does to the potential.
#[derive(Debug, Clone, PartialEq)]
pub enum OnSpike {
    /// `V = v_reset`.
    Value(Vec<f64>),
    /// `V = V − v_threshold`.
    Subtract,
    /// See [`Reset::Snntorch`].
    DelayedSubtract,
    /// Nothing.
    Keep,
}

/// What comes from one source to one population with one delay.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// An Input or the spikes of a population (event 0).
    pub source: Source,
    /// `model.populations[_]`
    pub target: usize,
    /// Without the target's gains.
    pub map: Map,
    /// How many updates of the source (or steps of the input) ago the spikes are that arrive.
    pub delay: u32,
}

impl Connection {
    /// Whether its source's latest update is the previous step's.
    pub fn is_feedback(&self) -> bool {
        matches!(self.source, Source::Events { population, .. } if population >= self.target)
    }
}

impl Neurons {
    /// What one unit of input adds to the potential's input per step, per neuron: `gain_syn · gain_mem`.
    pub fn gain(&self, neuron: usize) -> f64 {
        self.factor(neuron).nearest
    }

    /// The same exactly.
    pub(super) fn factor(&self, neuron: usize) -> Factor {
        let potential = self.potential.gains[neuron];
        match &self.current {
            None => potential,
            Some(current) => Factor::new((current.gains[neuron].exact * potential.exact).value),
        }
    }

    /// What weights and biases are multiplied with before they become codes.
    pub(super) fn folded_factors(&self) -> Vec<Factor> {
        if self.folded {
            (0..self.size).map(|neuron| self.factor(neuron)).collect()
        } else {
            vec![Factor::new(real(1.0)); self.size]
        }
    }
}

impl Model {
    /// The name of a source.
    pub fn source_name(&self, source: Source) -> &str {
        match source {
            Source::Input(input) => &self.inputs[input].0,
            Source::Events { population, .. } => &self.populations[population].name,
        }
    }

    /// What `graph` means with `options`.
    ///
    /// # Errors
    /// Everything that keeps the graph from being imported.
    pub fn new(graph: &Graph, options: &Options) -> Result<Self, Vec<ImportError>> {
        let malformed: Vec<ImportError> =
            graph.check().iter().map(|problem| ImportError::Graph(problem.to_string())).collect();
        if !malformed.is_empty() {
            return Err(malformed);
        }
        let mut errors = check(options);
        let flat = graph
            .flattened()
            .map_err(|names| names.into_iter().map(|node| ImportError::Nested { node }).collect::<Vec<_>>())?;
        let wiring = match Wiring::new(&flat) {
            Ok(wiring) => wiring,
            Err(more) => {
                errors.extend(more);
                return Err(errors);
            }
        };
        let dt = options.dt.unwrap_or(f64::NAN);
        if !errors.is_empty() {
            return Err(errors);
        }
        let drives = wiring.drives(dt)?;
        Assembly { graph: &flat, wiring: &wiring, options, dt, errors: Vec::new() }.model(drives)
    }
}

fn check(options: &Options) -> Vec<ImportError> {
    let mut errors = Vec::new();
    match options.dt {
        None => errors.push(ImportError::NoTimeStep),
        Some(dt) if !(dt > 0.0 && dt.is_finite()) => errors.push(ImportError::TimeStep(dt)),
        Some(_) => {}
    }
    if options.steps == 0 {
        errors.push(ImportError::NoSteps);
    }
    if options.reset == Reset::Snntorch && options.spike_from == SpikeFrom::Old {
        errors.push(ImportError::ResetAndSpikeFrom);
    }
    errors
}

/// The name of a unit's sources of any delay, or of those that act within the step.
fn sources<'g>(drive: &Drive<'g>, graph: &Graph, within_step: bool) -> BTreeSet<&'g str> {
    let unit = |(origin, delay): &(Origin<'g>, u32)| match origin {
        Origin::Node(name) if is_unit(&graph.nodes[*name]) && (*delay == 0 || !within_step) => Some(*name),
        _ => None,
    };
    drive.parts.keys().filter_map(unit).collect()
}

/// The names of the units in the order of the schedule; see the module.
fn order<'g>(graph: &'g Graph, drives: &BTreeMap<&'g str, Drive<'g>>) -> Vec<&'g str> {
    let units: Vec<&str> =
        graph.nodes.iter().filter(|(_, node)| is_unit(node)).map(|(name, _)| name.as_str()).collect();
    // Who is fed by whom, within the step and at all.
    let targets = |within_step| -> BTreeMap<&'g str, Vec<&'g str>> {
        let mut targets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for &unit in &units {
            for source in sources(&drives[unit], graph, within_step) {
                targets.entry(source).or_default().push(unit);
            }
        }
        targets
    };
    let (now, ever) = (targets(true), targets(false));
    let from_input = |unit: &&&str| {
        let input = |origin: &Origin<'_>| matches!(origin, Origin::Node(name) if !is_unit(&graph.nodes[*name]));
        drives[**unit].parts.keys().any(|(origin, _)| input(origin))
    };
    let from_inputs = distances(units.iter().filter(from_input).copied().collect(), &ever);
    let reached: BTreeMap<&str, BTreeMap<&str, usize>> =
        units.iter().map(|unit| (*unit, distances(now.get(unit).cloned().unwrap_or_default(), &now))).collect();
    let before = |a: &str, b: &str| reached[a].contains_key(b) && !reached[b].contains_key(a);

    let mut left: Vec<&str> = units.clone();
    left.sort_by_key(|name| (from_inputs.get(name).copied().unwrap_or(usize::MAX), *name));
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        // "Leads to, but not back" has no cycles, so there is always one that none of the others leads to.
        let next = left.iter().position(|b| !left.iter().any(|a| before(a, b))).unwrap_or(0);
        order.push(left.remove(next));
    }
    order
}

/// Every node that can be reached from `start`, with the least number of steps (0 for `start` itself).
fn distances<'g>(start: Vec<&'g str>, targets: &BTreeMap<&'g str, Vec<&'g str>>) -> BTreeMap<&'g str, usize> {
    let mut found = BTreeMap::new();
    let mut open: VecDeque<(&str, usize)> = start.into_iter().map(|name| (name, 0)).collect();
    while let Some((name, distance)) = open.pop_front() {
        if !found.contains_key(name) {
            found.insert(name, distance);
            open.extend(targets.get(name).into_iter().flatten().map(|next| (*next, distance + 1)));
        }
    }
    found
}

/// Puts a model together.
struct Assembly<'a, 'g> {
    graph: &'g Graph,
    wiring: &'a Wiring<'g>,
    options: &'a Options,
    dt: f64,
    errors: Vec<ImportError>,
}

impl<'g> Assembly<'_, 'g> {
    fn model(mut self, mut drives: BTreeMap<&'g str, Drive<'g>>) -> Result<Model, Vec<ImportError>> {
        let order = order(self.graph, &drives);
        let mut populations = Vec::new();
        // The names of the populations' drives; the constant one has none.
        let mut driven: Vec<Option<&'g str>> = Vec::new();
        let delayed_bias = drives.values().any(|drive| drive.parts.keys().any(|(origin, _)| *origin == Origin::One));
        if delayed_bias {
            populations.push(self.constant());
            driven.push(None);
        }
        for name in order {
            let bias = std::mem::take(&mut drives.entry(name).or_insert_with(no_drive).bias);
            populations.extend(self.unit(name, bias));
            driven.push(Some(name));
        }
        let outputs = self.outputs(&mut drives, &mut populations, &mut driven);
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        let options = self.options;
        let mut model = Model {
            name: options.name.clone(),
            dt: self.dt,
            steps: options.steps,
            inputs: self.graph.inputs().map(|(name, _)| (name.to_owned(), self.wiring.size(name))).collect(),
            populations,
            connections: Vec::new(),
            schedule: Vec::new(),
            outputs,
        };
        for (target, name) in driven.iter().enumerate() {
            if let Some(drive) = name.and_then(|name| drives.remove(name)) {
                self.connect(&mut model, &driven, target, drive);
            }
            model.schedule.push(Phase::Update(target));
        }
        for index in 0..model.populations.len() {
            self.settle_gains(&mut model, index);
        }
        if self.errors.is_empty() { Ok(model) } else { Err(self.errors) }
    }

    /// One neuron that spikes in every step: its potential is always 0.
    fn constant(&self) -> Neurons {
        let mut name = "constant".to_owned();
        while self.graph.nodes.contains_key(&name) {
            name.push('\'');
        }
        let (threshold, then) = (vec![-1.0], OnSpike::Keep);
        let spike = Spike { threshold, then, comparison: Comparison::Greater, from: SpikeFrom::New };
        Neurons {
            name,
            kind: "constant",
            size: 1,
            current: None,
            potential: passing(1),
            rest: vec![0.0],
            spike: Some(spike),
            bias: vec![0.0],
            folded: true,
        }
    }

    /// The results; makes the populations of Outputs that are not just one unit's.
    fn outputs(
        &mut self,
        drives: &mut BTreeMap<&'g str, Drive<'g>>,
        populations: &mut Vec<Neurons>,
        driven: &mut Vec<Option<&'g str>>,
    ) -> Vec<(usize, Readout)> {
        let mut outputs = Vec::new();
        for (output, _) in self.graph.outputs() {
            let drive = &drives[output];
            let unbiased = drive.bias.iter().all(|bias| *bias == 0.0);
            let only = match drive.parts.iter().next() {
                Some(((Origin::Node(source), 0), map)) if drive.parts.len() == 1 && unbiased && map.is_identity() => {
                    driven.iter().position(|name| *name == Some(*source))
                }
                _ => None,
            };
            let (population, default) = match only {
                Some(population) if spikes(&self.graph.nodes[driven[population].unwrap_or(output)]) => {
                    (population, Readout::Count)
                }
                Some(population) => (population, Readout::Max),
                None => {
                    let size = self.wiring.size(output);
                    let bias = std::mem::take(&mut drives.entry(output).or_insert_with(no_drive).bias);
                    let (name, rest) = (output.to_owned(), vec![0.0; size]);
                    let (current, spike, potential) = (None, None, passing(size));
                    populations.push(Neurons {
                        name,
                        kind: "Output",
                        size,
                        current,
                        potential,
                        rest,
                        spike,
                        bias,
                        folded: true,
                    });
                    driven.push(Some(output));
                    (driven.len() - 1, Readout::Mean)
                }
            };
            let readout = self.options.readout.unwrap_or(default);
            if readout == Readout::Count && default != Readout::Count {
                self.errors.push(ImportError::CountOfPotential { output: output.to_owned() });
            }
            outputs.push((population, readout));
        }
        outputs
    }

    fn connect(&mut self, model: &mut Model, driven: &[Option<&'g str>], target: usize, drive: Drive<'g>) {
        let mut found: BTreeMap<(bool, usize, u32), Map> = BTreeMap::new();
        for ((origin, delay), map) in drive.parts {
            let place = |name: &str| driven.iter().position(|found| *found == Some(name));
            let (of_input, index) = match origin {
                // The constant population is the first.
                Origin::One => (false, 0),
                Origin::Node(name) => match place(name) {
                    Some(population) => {
                        if !spikes(&self.graph.nodes[name]) {
                            let (node, kind) = (name.to_owned(), model.populations[population].kind);
                            let to = model.populations[target].name.clone();
                            self.errors.push(ImportError::Graded { node, kind, to });
                            continue;
                        }
                        (false, population)
                    }
                    None => (true, self.graph.inputs().position(|(input, _)| input == name).unwrap_or(0)),
                },
            };
            if delay > u32::from(u16::MAX) {
                let (node, limit) = (model.populations[target].name.clone(), u16::MAX.into());
                self.errors.push(ImportError::DelaysTooLong { node, steps: delay, limit });
                continue;
            }
            if map.is_zero() {
                continue;
            }
            // What comes from behind is a step old already.
            let delay = if !of_input && index >= target { delay.saturating_sub(1) } else { delay };
            let key = (!of_input, index, delay);
            let sum = match found.remove(&key) {
                Some(sum) => sum.plus(map),
                None => Ok(map),
            };
            match sum.and_then(Map::settled) {
                Ok(map) => {
                    found.insert(key, map);
                }
                Err(too_large) => {
                    let (node, limit) = (model.populations[target].name.clone(), super::linear::MOST_WEIGHTS);
                    self.errors.push(ImportError::TooLarge { node, weights: too_large.0, limit });
                }
            }
        }
        for ((of_population, index, delay), map) in found {
            let source =
                if of_population { Source::Events { population: index, event: 0 } } else { Source::Input(index) };
            model.schedule.push(Phase::Propagate(model.connections.len()));
            model.connections.push(Connection { source, target, map, delay });
        }
    }

    /// Decides where the gains of a population go, and checks that all products are finite.
    fn settle_gains(&mut self, model: &mut Model, index: usize) {
        let neurons = &model.populations[index];
        let gains: Vec<f64> = (0..neurons.size).map(|neuron| neurons.gain(neuron)).collect();
        let onto = || model.connections.iter().filter(|connection| connection.target == index);
        let foldable = onto().all(|connection| match &connection.map {
            Map::Convolution(kernel) => {
                let [_, rows, columns] = kernel.geometry().target;
                uniform_chunks(&gains, (rows * columns) as usize).is_some()
            }
            Map::Diagonal(_) | Map::Dense { .. } | Map::Sparse(_) => true,
        });
        let mut finite = gains.iter().zip(&neurons.bias).all(|(gain, bias)| (gain * bias).is_finite());
        for connection in onto() {
            for source in 0..connection.map.sources() {
                connection.map.row(source, |target, weight| finite &= (gains[target as usize] * weight).is_finite());
            }
        }
        if !finite {
            self.errors.push(ImportError::NotFinite { node: neurons.name.clone() });
        }
        model.populations[index].folded = foldable;
    }

    fn unit(&mut self, name: &str, bias: Vec<f64>) -> Option<Neurons> {
        let size = self.wiring.size(name);
        let node = &self.graph.nodes[name];
        let zero = &[0.0][..];
        let (current, potential, rest, spike): (_, _, &[f64], _) = match node {
            Node::Threshold { threshold } => (None, passing(size), zero, Some((&threshold.data, None))),
            Node::I(I { shape: _, r }) => (None, self.sum(r, size), zero, None),
            Node::If(If { shape: _, r, v_threshold, v_reset }) => {
                (None, self.sum(r, size), zero, Some((v_threshold, Some(v_reset))))
            }
            Node::Li(Li { shape: _, tau, r, v_leak }) => (None, self.leak(name, "tau", tau, r, size), v_leak, None),
            Node::Lif(Lif { shape: _, tau, r, v_leak, v_threshold, v_reset }) => {
                (None, self.leak(name, "tau", tau, r, size), v_leak, Some((v_threshold, Some(v_reset))))
            }
            Node::CubaLi(CubaLi { shape: _, tau_syn, tau_mem, r, v_leak, w_in }) => {
                let current = self.leak(name, "tau_syn", tau_syn, w_in, size);
                (Some(current), self.leak(name, "tau_mem", tau_mem, r, size), v_leak, None)
            }
            Node::CubaLif(CubaLif { shape: _, tau_syn, tau_mem, r, v_leak, v_threshold, v_reset, w_in }) => {
                let current = self.leak(name, "tau_syn", tau_syn, w_in, size);
                let potential = self.leak(name, "tau_mem", tau_mem, r, size);
                (Some(current), potential, v_leak, Some((v_threshold, Some(v_reset))))
            }
            Node::Input { .. }
            | Node::Output { .. }
            | Node::Linear { .. }
            | Node::Affine { .. }
            | Node::Conv1d(_)
            | Node::Conv2d(_)
            | Node::SumPool2d(_)
            | Node::AvgPool2d(_)
            | Node::Flatten { .. }
            | Node::Scale { .. }
            | Node::Delay { .. }
            | Node::Graph(_)
            | Node::Other { .. } => return None,
        };
        let Options { reset, comparison, spike_from, .. } = *self.options;
        let spike = spike.map(|(threshold, v_reset)| {
            let threshold = each(threshold, size);
            match v_reset {
                None => Spike { threshold, then: OnSpike::Keep, comparison, from: SpikeFrom::New },
                Some(v_reset) => {
                    let then = match reset {
                        Reset::Value => OnSpike::Value(each(v_reset, size)),
                        Reset::Subtract => OnSpike::Subtract,
                        Reset::Snntorch => OnSpike::DelayedSubtract,
                    };
                    Spike { threshold, then, comparison, from: spike_from }
                }
            }
        });
        let kind = match node {
            Node::Threshold { .. } => "Threshold",
            Node::I(_) => "I",
            Node::If(_) => "IF",
            Node::Li(_) => "LI",
            Node::Lif(_) => "LIF",
            Node::CubaLi(_) => "CubaLI",
            _ => "CubaLIF",
        };
        let rest = each(rest, size);
        Some(Neurons { name: name.to_owned(), kind, size, current, potential, rest, spike, bias, folded: true })
    }

    /// `v += dt·r·x`
    fn sum(&self, r: &[f64], size: usize) -> Leak {
        let gain = |r: &f64| Factor::new((real(self.dt) * real(*r)).value);
        let gains = each(r, size).iter().map(gain).collect();
        Leak { decays: vec![Factor::new(real(1.0)); size], gains }
    }

    /// `tau·v' = factor·x − v`
    fn leak(&mut self, node: &str, constant: &'static str, tau: &[f64], factor: &[f64], size: usize) -> Leak {
        let (tau, factor) = (each(tau, size), each(factor, size));
        let dt = self.dt;
        if self.options.method == Method::ForwardEuler
            && let Some((neuron, &tau)) = tau.iter().enumerate().find(|(_, tau)| **tau < dt)
        {
            self.errors.push(ImportError::StepTooLong { node: node.to_owned(), constant, neuron, tau, dt });
        }
        let one = real(1.0);
        let decay = |tau: f64| -> Real {
            let ratio = (real(dt) / real(tau)).value;
            match self.options.method {
                Method::ForwardEuler => (one - ratio).value,
                Method::ExponentialEuler => exact::exp(-ratio),
            }
        };
        // Most populations have one time constant, and an exponential takes its time.
        let mut known: Option<(f64, Real)> = None;
        let (mut decays, mut gains) = (Vec::with_capacity(size), Vec::with_capacity(size));
        for (tau, factor) in tau.into_iter().zip(factor) {
            let decay = match known {
                Some((of, decay)) if of == tau => decay,
                _ => decay(tau),
            };
            known = Some((tau, decay));
            decays.push(Factor::new(decay));
            gains.push(Factor::new(((one - decay).value * real(factor)).value));
        }
        Leak { decays, gains }
    }
}

fn no_drive<'g>() -> Drive<'g> {
    Drive { parts: BTreeMap::new(), bias: Vec::new() }
}

/// `v = x`
fn passing(size: usize) -> Leak {
    Leak { decays: vec![Factor::new(real(0.0)); size], gains: vec![Factor::new(real(1.0)); size] }
}

/// One number per neuron; a parameter of a population of unstated size has one for all.
fn each(values: &[f64], size: usize) -> Vec<f64> {
    if values.len() == 1 { vec![values[0]; size] } else { values.to_vec() }
}
