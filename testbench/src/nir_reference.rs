//! A float64 interpreter of NIR graphs, written from the definitions alone.
//!
//! Contract: one time step asks each population, in the order of its distance from the inputs, for its input current by
//! walking the graph's edges backwards: through `Linear` and `Affine` nodes, to inputs, and to other populations,
//! whose spikes of this step count if they are nearer to the inputs and those of the step before otherwise. A bias counts
//! in every step. Nothing is prepared, folded or scheduled, and speed is no object: the compiler's own float model does
//! all of that, and is what this is the second witness for.
//!
//! Only the file reader is shared with the compiler. Not here: nested graphs and convolutions.

use std::collections::BTreeMap;

use fenn_compiler::nir::{Graph, Node};

/// How differential equations become steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `y += (dt/τ)·f(y)`.
    ForwardEuler,
    /// `y = f∞ + (y − f∞)·e^(−dt/τ)`.
    ExponentialEuler,
}

/// What a spike does to the potential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// `v = v_reset`.
    Value,
    /// `v −= θ`.
    Subtract,
    /// snnTorch's order: θ is taken off where the *old* `v` was above it, the spike is decided on the result, and the
    /// difference of the two is made good.
    DelayedSubtract,
}

/// What the graph does not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Time step in the graph's unit of time.
    pub dt: f64,
    /// Integration method.
    pub method: Method,
    /// Reset.
    pub reset: Reset,
}

/// The state and the output of a population.
#[derive(Debug, Clone, Default)]
struct Neurons {
    current: Vec<f64>,
    potential: Vec<f64>,
    /// What leaves the population: spikes as 0 and 1, or the potentials of a leaky integrator.
    output: Vec<f64>,
    before: Vec<f64>,
    distance: usize,
}

/// What a run leaves behind.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Per population and step, what left it.
    pub outputs: BTreeMap<String, Vec<Vec<f64>>>,
    /// Per population and step, the potentials after reset.
    pub potentials: BTreeMap<String, Vec<Vec<f64>>>,
}

/// Parameters of one neuron, the same names for all types.
struct Parameters {
    tau_syn: Option<f64>,
    w_in: f64,
    tau_mem: f64,
    r: f64,
    v_leak: f64,
    threshold: Option<f64>,
    v_reset: f64,
}

/// A graph being run.
pub struct Reference<'g> {
    graph: &'g Graph,
    settings: Settings,
    neurons: BTreeMap<&'g str, Neurons>,
    order: Vec<&'g str>,
}

fn size(node: &Node) -> Option<usize> {
    match node {
        Node::Lif(p) => Some(p.tau.len()),
        Node::Li(p) => Some(p.tau.len()),
        Node::CubaLif(p) => Some(p.tau_mem.len()),
        Node::CubaLi(p) => Some(p.tau_mem.len()),
        Node::Input { .. } | Node::Output { .. } | Node::Linear { .. } | Node::Affine { .. } | Node::Other { .. } => {
            None
        }
    }
}

fn parameters(node: &Node, n: usize) -> Option<Parameters> {
    let plain = |tau: &[f64], r: &[f64], v_leak: &[f64]| Parameters {
        tau_syn: None,
        w_in: 1.0,
        tau_mem: tau[n],
        r: r[n],
        v_leak: v_leak[n],
        threshold: None,
        v_reset: 0.0,
    };
    match node {
        Node::Lif(p) => {
            let rest = plain(&p.tau, &p.r, &p.v_leak);
            Some(Parameters { threshold: Some(p.v_threshold[n]), v_reset: p.v_reset[n], ..rest })
        }
        Node::Li(p) => Some(plain(&p.tau, &p.r, &p.v_leak)),
        Node::CubaLif(p) => Some(Parameters {
            tau_syn: Some(p.tau_syn[n]),
            w_in: p.w_in[n],
            threshold: Some(p.v_threshold[n]),
            v_reset: p.v_reset[n],
            ..plain(&p.tau_mem, &p.r, &p.v_leak)
        }),
        Node::CubaLi(p) => {
            Some(Parameters { tau_syn: Some(p.tau_syn[n]), w_in: p.w_in[n], ..plain(&p.tau_mem, &p.r, &p.v_leak) })
        }
        _ => None,
    }
}

impl<'g> Reference<'g> {
    /// A graph at rest: all currents, potentials and outputs 0.
    ///
    /// # Panics
    /// Where a node is of a kind this reference does not know.
    pub fn new(graph: &'g Graph, settings: Settings) -> Self {
        let mut distance: BTreeMap<&str, usize> = graph.inputs().map(|(name, _)| (name, 0)).collect();
        let mut changed = true;
        while changed {
            changed = false;
            for edge in &graph.edges {
                assert!(!matches!(graph.nodes[&edge.to], Node::Other { .. }), "{} is of an unknown kind", edge.to);
                if let Some(from) = distance.get(edge.from.as_str()).copied()
                    && distance.get(edge.to.as_str()).is_none_or(|to| *to > from + 1)
                {
                    distance.insert(&edge.to, from + 1);
                    changed = true;
                }
            }
        }
        let mut neurons = BTreeMap::new();
        for (name, node) in &graph.nodes {
            let Some(count) = size(node) else { continue };
            let zeros = vec![0.0; count];
            let distance = distance.get(name.as_str()).copied().unwrap_or(usize::MAX);
            let state = Neurons {
                current: zeros.clone(),
                potential: zeros.clone(),
                output: zeros.clone(),
                before: zeros,
                distance,
            };
            neurons.insert(name.as_str(), state);
        }
        let mut order: Vec<&str> = neurons.keys().copied().collect();
        order.sort_by_key(|name| (neurons[name].distance, *name));
        Self { graph, settings, neurons, order }
    }

    /// Runs all steps: `inputs[t]` are the values of the (only) input in step `t`.
    pub fn run(mut self, inputs: &[Vec<f64>]) -> Trace {
        let mut trace = Trace::default();
        for x in inputs {
            for state in self.neurons.values_mut() {
                state.before = state.output.clone();
            }
            for name in self.order.clone() {
                self.update(name, x);
                let state = &self.neurons[name];
                trace.outputs.entry(name.to_owned()).or_default().push(state.output.clone());
                trace.potentials.entry(name.to_owned()).or_default().push(state.potential.clone());
            }
        }
        trace
    }

    /// The sum over the edges into `to` of what comes along them, seen from population `seen_from`.
    fn input_of(&self, to: &str, seen_from: &str, x: &[f64]) -> Vec<f64> {
        let mut sum: Vec<f64> = Vec::new();
        for edge in self.graph.edges.iter().filter(|edge| edge.to == to) {
            let value = self.value_of(&edge.from, seen_from, x);
            if sum.is_empty() {
                sum = vec![0.0; value.len()];
            }
            assert_eq!(sum.len(), value.len(), "edges into {to} disagree in size");
            sum.iter_mut().zip(&value).for_each(|(sum, value)| *sum += value);
        }
        sum
    }

    fn value_of(&self, name: &str, seen_from: &str, x: &[f64]) -> Vec<f64> {
        match &self.graph.nodes[name] {
            Node::Input { .. } => x.to_vec(),
            Node::Linear { weight } => {
                let input = self.input_of(name, seen_from, x);
                (0..weight.rows).map(|row| weight.row(row).iter().zip(&input).map(|(w, x)| w * x).sum()).collect()
            }
            Node::Affine { weight, bias } => {
                let input = self.input_of(name, seen_from, x);
                let product = |row| -> f64 { weight.row(row).iter().zip(&input).map(|(w, x)| w * x).sum() };
                (0..weight.rows).map(|row| product(row) + bias[row]).collect()
            }
            Node::Output { .. } | Node::Other { .. } => panic!("{name} has no value"),
            Node::Lif(_) | Node::CubaLif(_) | Node::Li(_) | Node::CubaLi(_) => {
                let state = &self.neurons[name];
                let nearer = state.distance < self.neurons[seen_from].distance;
                if nearer { state.output.clone() } else { state.before.clone() }
            }
        }
    }

    fn update(&mut self, name: &'g str, x: &[f64]) {
        let input = self.input_of(name, name, x);
        let (node, settings) = (&self.graph.nodes[name], self.settings);
        let state = self.neurons.get_mut(name).expect("the order names populations");
        for (n, input) in input.into_iter().enumerate() {
            let p = parameters(node, n).expect("the order names populations");
            let drive = match p.tau_syn {
                Some(tau) => {
                    state.current[n] = relax(settings, state.current[n], p.w_in * input, tau);
                    state.current[n]
                }
                None => input,
            };
            let old = state.potential[n];
            let mut v = relax(settings, old, p.v_leak + p.r * drive, p.tau_mem);
            match p.threshold {
                None => state.output[n] = v,
                Some(threshold) => {
                    let was_above = settings.reset == Reset::DelayedSubtract && old > threshold;
                    if was_above {
                        v -= threshold;
                    }
                    let spike = v > threshold;
                    match settings.reset {
                        Reset::Value if spike => v = p.v_reset,
                        Reset::Subtract if spike => v -= threshold,
                        Reset::DelayedSubtract => {
                            v -= threshold * (f64::from(u8::from(spike)) - f64::from(u8::from(was_above)));
                        }
                        Reset::Value | Reset::Subtract => {}
                    }
                    state.output[n] = f64::from(u8::from(spike));
                }
            }
            state.potential[n] = v;
        }
    }
}

/// One step of `τ·y' = target − y`.
fn relax(settings: Settings, y: f64, target: f64, tau: f64) -> f64 {
    match settings.method {
        Method::ForwardEuler => y + settings.dt / tau * (target - y),
        Method::ExponentialEuler => target + (y - target) * (-settings.dt / tau).exp(),
    }
}
