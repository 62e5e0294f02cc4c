//! The network a graph and its [`Options`] mean, in real numbers and discrete time.
//!
//! Contract: in each step, for each population in the order of the schedule, with `x = Σ W s + b` summed over the
//! connections onto it (`s` the spikes of this step if the source is an Input or stands before it in the schedule, of
//! the previous step otherwise):
//!
//! ```text
//! I = decay_syn·I + gain_syn·x            (I = x where there is no synaptic current)
//! V = rest + decay_mem·(V − rest) + gain_mem·I
//! ```
//!
//! then spikes and resets as [`Rules`] say. `I` is 0 and `V` is `rest` before the first step. Per neuron:
//!
//! | | forward Euler | exponential Euler |
//! |---|---|---|
//! | `decay` | `1 − dt/τ` | `e^(−dt/τ)` |
//! | `gain_syn` | `(1 − decay)·w_in` | same |
//! | `gain_mem` | `(1 − decay)·r` | same |
//!
//! Populations are ordered so that every connection that is not part of a cycle acts within the step. Within a cycle,
//! the populations nearer to an Input come first (by the number of connections, then by name), and connections from a
//! population onto itself or an earlier one carry the previous step's spikes.
//!
//! Not here: number formats.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::network::{Phase, Readout, Source};
use crate::nir::{CubaLi, CubaLif, Graph, Li, Lif, Matrix, Node};

use super::error::ImportError;
use super::options::{Comparison, Method, Options, Reset, SpikeFrom};
use super::wiring::{Drive, Wiring, is_neurons};

/// What happens at the threshold, in all populations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// What a spike does to the potential.
    pub reset: Reset,
    /// When a potential is above the threshold.
    pub comparison: Comparison,
    /// Which potential decides.
    pub spike_from: SpikeFrom,
}

/// A network in real numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// As the user called it.
    pub name: String,
    /// Length of a step, in the file's unit of time.
    pub dt: f64,
    /// Steps in one run.
    pub steps: u32,
    /// What happens at the threshold.
    pub rules: Rules,
    /// Name and size of each Input, by name.
    pub inputs: Vec<(String, usize)>,
    /// The neurons, in the order of the schedule.
    pub populations: Vec<Neurons>,
    /// Who drives whom; grouped by target, Inputs first, then populations in order. At most one per pair.
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
    /// The node's type.
    pub kind: &'static str,
    /// How many neurons; the length of every list below.
    pub size: usize,
    /// Decay and gain of the synaptic current, where there is one.
    pub current: Option<Leak>,
    /// Decay and gain of the membrane potential.
    pub potential: Leak,
    /// Leak potential.
    pub rest: Vec<f64>,
    /// Threshold and reset potential, where the neurons spike.
    pub spike: Option<Spike>,
    /// Added to the input in every step.
    pub bias: Vec<f64>,
}

/// A leaky integrator in discrete time.
#[derive(Debug, Clone, PartialEq)]
pub struct Leak {
    /// Factor of the value per step, 0 to 1.
    pub decay: Vec<f64>,
    /// Factor of what comes in.
    pub gain: Vec<f64>,
}

/// When a neuron spikes, and where its potential goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Spike {
    /// `v_threshold`.
    pub threshold: Vec<f64>,
    /// `v_reset`.
    pub reset: Vec<f64>,
}

/// Dense weights from one source to one population.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// An Input or the spikes of a population (event 0).
    pub source: Source,
    /// `model.populations[_]`
    pub target: usize,
    /// One row per target neuron.
    pub weight: Matrix,
}

impl Connection {
    /// Whether it carries the previous step's spikes.
    pub fn is_feedback(&self) -> bool {
        matches!(self.source, Source::Events { population, .. } if population >= self.target)
    }
}

impl Neurons {
    /// What one unit of input adds to the potential's input per step, per neuron: `gain_syn · gain_mem`.
    pub fn gain(&self, neuron: usize) -> f64 {
        self.potential.gain[neuron] * self.current.as_ref().map_or(1.0, |current| current.gain[neuron])
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
        let wiring = match Wiring::new(graph) {
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
        let order = order(graph, &wiring);
        let drives: Vec<Drive<'_>> = order.iter().map(|name| wiring.drive(name)).collect();
        let mut populations = Vec::new();
        for (name, drive) in order.iter().zip(&drives) {
            let mut builder =
                Builder { name, size: wiring.size(name), dt, method: options.method, errors: &mut errors };
            populations.extend(builder.neurons(&graph.nodes[*name], drive.bias.clone()));
        }
        let inputs: Vec<(String, usize)> =
            graph.inputs().map(|(name, _)| (name.to_owned(), wiring.size(name))).collect();
        let outputs = outputs(graph, &wiring, &order, options, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let Options { reset, comparison, spike_from, .. } = *options;
        let mut model = Self {
            name: options.name.clone(),
            dt,
            steps: options.steps,
            rules: Rules { reset, comparison, spike_from },
            inputs,
            populations,
            connections: Vec::new(),
            schedule: Vec::new(),
            outputs,
        };
        model.connect(&order, drives);
        let not_finite = |(index, neurons): (usize, &Neurons)| {
            let onto = || model.connections.iter().filter(|connection| connection.target == index);
            let finite = |n: usize| {
                let weights = onto().flat_map(|connection| connection.weight.row(n));
                weights.chain([&neurons.bias[n]]).all(|weight| (neurons.gain(n) * weight).is_finite())
            };
            let fine = (0..neurons.size).all(finite);
            (!fine).then(|| ImportError::NotFinite { node: neurons.name.clone() })
        };
        let errors: Vec<ImportError> = model.populations.iter().enumerate().filter_map(not_finite).collect();
        if errors.is_empty() { Ok(model) } else { Err(errors) }
    }

    fn connect(&mut self, order: &[&str], drives: Vec<Drive<'_>>) {
        for (target, mut drive) in drives.into_iter().enumerate() {
            let inputs = self.inputs.iter().enumerate().map(|(i, (name, _))| (Source::Input(i), name.as_str()));
            let events =
                order.iter().enumerate().map(|(population, name)| (Source::Events { population, event: 0 }, *name));
            for (source, name) in inputs.chain(events) {
                if let Some(weight) = drive.matrices.remove(name) {
                    self.schedule.push(Phase::Propagate(self.connections.len()));
                    self.connections.push(Connection { source, target, weight });
                }
            }
            self.schedule.push(Phase::Update(target));
        }
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

/// The names of the neurons in the order of the schedule; see the module.
fn order<'g>(graph: &'g Graph, wiring: &Wiring<'g>) -> Vec<&'g str> {
    let neurons: Vec<&str> =
        graph.nodes.iter().filter(|(_, node)| is_neurons(node)).map(|(name, _)| name.as_str()).collect();
    let origins: BTreeMap<&str, BTreeSet<&str>> = neurons.iter().map(|name| (*name, wiring.origins(name))).collect();
    let targets = |source: &str| -> Vec<&'g str> {
        neurons.iter().copied().filter(|name| origins[name].contains(source)).collect()
    };
    let reached: BTreeMap<&str, BTreeMap<&str, usize>> =
        neurons.iter().map(|name| (*name, distances(targets(name), targets))).collect();
    let from_inputs = distances(graph.inputs().flat_map(|(name, _)| targets(name)).collect(), targets);
    let before = |a: &str, b: &str| reached[a].contains_key(b) && !reached[b].contains_key(a);

    let mut left: Vec<&str> = neurons.clone();
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
fn distances<'g>(start: Vec<&'g str>, targets: impl Fn(&str) -> Vec<&'g str>) -> BTreeMap<&'g str, usize> {
    let mut found = BTreeMap::new();
    let mut open: VecDeque<(&str, usize)> = start.into_iter().map(|name| (name, 0)).collect();
    while let Some((name, distance)) = open.pop_front() {
        if !found.contains_key(name) {
            found.insert(name, distance);
            open.extend(targets(name).into_iter().map(|next| (next, distance + 1)));
        }
    }
    found
}

fn outputs(
    graph: &Graph,
    wiring: &Wiring<'_>,
    order: &[&str],
    options: &Options,
    errors: &mut Vec<ImportError>,
) -> Vec<(usize, Readout)> {
    let mut outputs = Vec::new();
    for (output, _) in graph.outputs() {
        // Checked by `Wiring::new`: exactly one node leads to it, and it is neurons.
        let Some(population) = order.iter().position(|name| wiring.sources(output).contains(name)) else { continue };
        let spikes = matches!(graph.nodes[order[population]], Node::Lif(_) | Node::CubaLif(_));
        let readout = options.readout.unwrap_or(if spikes { Readout::Count } else { Readout::Max });
        if readout == Readout::Count && !spikes {
            errors.push(ImportError::CountOfPotential { output: output.to_owned() });
        }
        outputs.push((population, readout));
    }
    outputs
}

/// Turns a node's time constants into factors.
struct Builder<'a> {
    name: &'a str,
    size: usize,
    dt: f64,
    method: Method,
    errors: &'a mut Vec<ImportError>,
}

impl Builder<'_> {
    fn neurons(&mut self, node: &Node, bias: Vec<f64>) -> Option<Neurons> {
        let (kind, current, potential, rest, spike) = match node {
            Node::Lif(Lif { shape: _, tau, r, v_leak, v_threshold, v_reset }) => {
                let spike = Spike { threshold: self.each(v_threshold), reset: self.each(v_reset) };
                ("LIF", None, self.leak("tau", tau, r), v_leak, Some(spike))
            }
            Node::CubaLif(CubaLif { shape: _, tau_syn, tau_mem, r, v_leak, v_threshold, v_reset, w_in }) => {
                let spike = Spike { threshold: self.each(v_threshold), reset: self.each(v_reset) };
                let current = self.leak("tau_syn", tau_syn, w_in);
                ("CubaLIF", Some(current), self.leak("tau_mem", tau_mem, r), v_leak, Some(spike))
            }
            Node::Li(Li { shape: _, tau, r, v_leak }) => ("LI", None, self.leak("tau", tau, r), v_leak, None),
            Node::CubaLi(CubaLi { shape: _, tau_syn, tau_mem, r, v_leak, w_in }) => {
                let current = self.leak("tau_syn", tau_syn, w_in);
                ("CubaLI", Some(current), self.leak("tau_mem", tau_mem, r), v_leak, None)
            }
            Node::Input { .. }
            | Node::Output { .. }
            | Node::Linear { .. }
            | Node::Affine { .. }
            | Node::Other { .. } => {
                return None;
            }
        };
        let rest = self.each(rest);
        Some(Neurons { name: self.name.to_owned(), kind, size: self.size, current, potential, rest, spike, bias })
    }

    /// One number per neuron; a parameter of a population of unstated size has one for all.
    fn each(&self, values: &[f64]) -> Vec<f64> {
        if values.len() == 1 { vec![values[0]; self.size] } else { values.to_vec() }
    }

    fn leak(&mut self, constant: &'static str, tau: &[f64], factor: &[f64]) -> Leak {
        let (tau, factor) = (self.each(tau), self.each(factor));
        if self.method == Method::ForwardEuler
            && let Some((neuron, &tau)) = tau.iter().enumerate().find(|(_, tau)| **tau < self.dt)
        {
            let (node, dt) = (self.name.to_owned(), self.dt);
            self.errors.push(ImportError::StepTooLong { node, constant, neuron, tau, dt });
        }
        let pair = |(tau, factor): (&f64, &f64)| match self.method {
            Method::ForwardEuler => (1.0 - self.dt / tau, self.dt / tau * factor),
            Method::ExponentialEuler => {
                // Not the platform's functions, whose last bit differs between platforms.
                (libm::exp(-self.dt / tau), -libm::expm1(-self.dt / tau) * factor)
            }
        };
        let (decay, gain) = tau.iter().zip(&factor).map(pair).unzip();
        Leak { decay, gain }
    }
}
