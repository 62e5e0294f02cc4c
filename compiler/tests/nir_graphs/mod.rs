//! Graphs for the importer's tests, and a second simulator that works on graphs as they are.

#![allow(dead_code, reason = "every test that includes this uses another part of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fenn_compiler::import::model::{Leak, Model, OnSpike};
use fenn_compiler::import::quantize::Formats;
use fenn_compiler::import::{Comparison, Method, Options, Reset, SpikeFrom};
use fenn_compiler::interpret::SpikeTrain;
use fenn_compiler::network::Source;
use fenn_compiler::nir::{CubaLi, CubaLif, Edge, Graph, Li, Lif, Matrix, Node};

/// A folder or file that may be absent: its absence is printed, and a failure in CI.
fn present(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is needed in CI", path.display());
    eprintln!("skipped: no {}", path.display());
    None
}

/// The folder of published NIR files.
pub(crate) fn published() -> Option<PathBuf> {
    present(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/nir"))
}

/// A file of this repository.
pub(crate) fn repository_file(path: &str) -> Option<PathBuf> {
    present(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path))
}

pub(crate) fn graph(nodes: Vec<(&str, Node)>, edges: &[(&str, &str)]) -> Graph {
    Graph {
        version: String::new(),
        nodes: nodes.into_iter().map(|(name, node)| (name.to_owned(), node)).collect(),
        edges: edges.iter().map(|&(from, to)| Edge { from: from.into(), to: to.into() }).collect(),
    }
}

pub(crate) fn input(size: usize) -> Node {
    Node::Input { shape: vec![size] }
}

pub(crate) fn output(size: usize) -> Node {
    Node::Output { shape: vec![size] }
}

/// Numbers from −1 to 1, different for each `salt`.
fn numbers(count: usize, salt: u32) -> Vec<f64> {
    let mut state = salt.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 23) - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn matrix(rows: usize, cols: usize, salt: u32) -> Matrix {
    Matrix { rows, cols, data: numbers(rows * cols, salt).iter().map(|x| 0.6 * x + 0.3).collect() }
}

pub(crate) fn linear(rows: usize, cols: usize, salt: u32) -> Node {
    Node::Linear { weight: matrix(rows, cols, salt) }
}

pub(crate) fn affine(rows: usize, cols: usize, salt: u32) -> Node {
    let bias = numbers(rows, salt + 100).iter().map(|x| 0.1 * x).collect();
    Node::Affine { weight: matrix(rows, cols, salt), bias }
}

/// `start`, `start + step`, ...: no two neurons are alike.
fn rising(size: usize, start: f64, step: f64) -> Vec<f64> {
    (0..size).map(|n| start + step * n as f64).collect()
}

pub(crate) fn lif(size: usize, v_leak: f64) -> Node {
    Node::Lif(Lif {
        shape: vec![size],
        tau: rising(size, 0.02, 0.003),
        r: rising(size, 12.0, 1.0),
        v_leak: vec![v_leak; size],
        v_threshold: rising(size, 0.8, 0.1),
        v_reset: vec![-0.2; size],
    })
}

pub(crate) fn cuba_lif(size: usize, v_leak: f64) -> Node {
    Node::CubaLif(CubaLif {
        shape: vec![size],
        tau_syn: rising(size, 0.008, 0.001),
        tau_mem: rising(size, 0.02, 0.003),
        r: rising(size, 4.0, 0.5),
        v_leak: vec![v_leak; size],
        v_threshold: rising(size, 1.0, 0.1),
        v_reset: vec![0.1; size],
        w_in: rising(size, 3.0, 0.1),
    })
}

pub(crate) fn li(size: usize) -> Node {
    Node::Li(Li {
        shape: vec![size],
        tau: rising(size, 0.03, 0.005),
        r: rising(size, 8.0, 1.0),
        v_leak: rising(size, 0.1, 0.1),
    })
}

pub(crate) fn cuba_li(size: usize) -> Node {
    Node::CubaLi(CubaLi {
        shape: vec![size],
        tau_syn: rising(size, 0.005, 0.001),
        tau_mem: rising(size, 0.03, 0.005),
        r: rising(size, 4.0, 1.0),
        v_leak: vec![0.0; size],
        w_in: rising(size, 2.0, 0.1),
    })
}

/// The differential equations of a graph, stepped node by node as NIR states them, with nothing composed or folded.
pub(crate) struct Simulator<'g> {
    graph: &'g Graph,
    options: &'g Options,
    current: BTreeMap<&'g str, Vec<f64>>,
    potential: BTreeMap<&'g str, Vec<f64>>,
    spikes: BTreeMap<&'g str, Vec<f64>>,
}

impl<'g> Simulator<'g> {
    pub(crate) fn new(graph: &'g Graph, options: &'g Options) -> Self {
        let mut simulator =
            Self { graph, options, current: BTreeMap::new(), potential: BTreeMap::new(), spikes: BTreeMap::new() };
        for (name, node) in &graph.nodes {
            let leak = match node {
                Node::Lif(p) => &p.v_leak,
                Node::CubaLif(p) => &p.v_leak,
                Node::Li(p) => &p.v_leak,
                Node::CubaLi(p) => &p.v_leak,
                _ => continue,
            };
            simulator.current.insert(name, vec![0.0; leak.len()]);
            simulator.spikes.insert(name, vec![0.0; leak.len()]);
            simulator.potential.insert(name, leak.clone());
        }
        simulator
    }

    pub(crate) fn potential(&self, name: &str) -> &[f64] {
        &self.potential[name]
    }

    pub(crate) fn spikes(&self, name: &str) -> Vec<u32> {
        (0..).zip(&self.spikes[name]).filter(|(_, spike)| **spike > 0.0).map(|(n, _)| n).collect()
    }

    /// One step; neurons in the given order.
    pub(crate) fn step(&mut self, order: &[&'g str], inputs: &BTreeMap<&str, &SpikeTrain>, step: usize) {
        for name in order {
            self.update(name, inputs, step);
        }
    }

    /// What `name` gives: spikes of neurons are the latest there are.
    fn value(&self, name: &str, inputs: &BTreeMap<&str, &SpikeTrain>, step: usize) -> Vec<f64> {
        let multiply = |weight: &Matrix| -> Vec<f64> {
            let x = self.sum(name, weight.cols, inputs, step);
            (0..weight.rows).map(|row| (0..weight.cols).map(|col| weight.row(row)[col] * x[col]).sum()).collect()
        };
        match &self.graph.nodes[name] {
            Node::Input { shape } => {
                let mut values = vec![0.0; shape[0]];
                inputs[name].steps()[step].iter().for_each(|&neuron| values[neuron as usize] = 1.0);
                values
            }
            Node::Linear { weight } => multiply(weight),
            Node::Affine { weight, bias } => multiply(weight).iter().zip(bias).map(|(y, b)| y + b).collect(),
            _ => self.spikes[name].clone(),
        }
    }

    fn sum(&self, name: &str, size: usize, inputs: &BTreeMap<&str, &SpikeTrain>, step: usize) -> Vec<f64> {
        let mut sum = vec![0.0; size];
        for edge in self.graph.edges.iter().filter(|edge| edge.to == name) {
            sum.iter_mut().zip(self.value(&edge.from, inputs, step)).for_each(|(sum, value)| *sum += value);
        }
        sum
    }

    fn update(&mut self, name: &'g str, inputs: &BTreeMap<&str, &SpikeTrain>, step: usize) {
        let size = self.potential[name].len();
        let x = self.sum(name, size, inputs, step);
        for (n, &x) in x.iter().enumerate() {
            let (synapse, (tau, r, leak), spike) = match &self.graph.nodes[name] {
                Node::Lif(p) => (None, (p.tau[n], p.r[n], p.v_leak[n]), Some((p.v_threshold[n], p.v_reset[n]))),
                Node::CubaLif(p) => (
                    Some((p.tau_syn[n], p.w_in[n])),
                    (p.tau_mem[n], p.r[n], p.v_leak[n]),
                    Some((p.v_threshold[n], p.v_reset[n])),
                ),
                Node::Li(p) => (None, (p.tau[n], p.r[n], p.v_leak[n]), None),
                Node::CubaLi(p) => (Some((p.tau_syn[n], p.w_in[n])), (p.tau_mem[n], p.r[n], p.v_leak[n]), None),
                other => panic!("{} does not update", other.kind()),
            };
            let current = match synapse {
                None => x,
                Some((tau, w_in)) => self.relax(self.current[name][n], w_in * x, tau),
            };
            self.current.get_mut(name).unwrap()[n] = current;
            let old = self.potential[name][n];
            let mut v = self.relax(old, leak + r * current, tau);
            if let Some((threshold, reset)) = spike {
                let (spiked, after) = self.fire(old, v, threshold, reset);
                self.spikes.get_mut(name).unwrap()[n] = f64::from(u8::from(spiked));
                v = after;
            }
            self.potential.get_mut(name).unwrap()[n] = v;
        }
    }

    /// A step of `tau y' = goal - y`.
    fn relax(&self, y: f64, goal: f64, tau: f64) -> f64 {
        let dt = self.options.dt.unwrap();
        match self.options.method {
            Method::ForwardEuler => y + dt / tau * (goal - y),
            Method::ExponentialEuler => goal + (y - goal) * (-dt / tau).exp(),
        }
    }

    fn fire(&self, old: f64, new: f64, threshold: f64, reset: f64) -> (bool, f64) {
        let above = |v: f64| match self.options.comparison {
            Comparison::Greater => v > threshold,
            Comparison::GreaterEqual => v >= threshold,
        };
        let spiked = match (self.options.reset, self.options.spike_from) {
            (Reset::Snntorch, _) => above(if above(old) { new - threshold } else { new }),
            (_, SpikeFrom::New) => above(new),
            (_, SpikeFrom::Old) => above(old),
        };
        let after = match self.options.reset {
            _ if !spiked => new,
            Reset::Value => reset,
            Reset::Subtract | Reset::Snntorch => new - threshold,
        };
        (spiked, after)
    }
}

/// The documented integer update of an imported population, neuron by neuron in 64 bits, with its own rounding.
pub(crate) struct Emulator<'m> {
    model: &'m Model,
    rules: &'m Options,
    /// Fraction bits of I and V.
    bits: [u32; 2],
    pub(crate) current: Vec<Vec<i64>>,
    pub(crate) potential: Vec<Vec<i64>>,
    pub(crate) spikes: Vec<Vec<u32>>,
}

fn clamp(x: i64) -> i64 {
    x.clamp(-32768, 32767)
}

/// Half up, as the lanes round.
fn rounded(x: i64, bits: u32) -> i64 {
    if bits == 0 { x } else { (x + (1 << (bits - 1))).div_euclid(1 << bits) }
}

/// The nearest code, ties to even.
fn code(x: f64, bits: u32) -> i64 {
    clamp((x * 2_f64.powi(bits as i32)).round_ties_even() as i64)
}

/// `value` times the factor of neuron `n`: s0.15, or s1.14 where a factor of the population would round to 1.
fn decayed(leak: &Leak, size: usize, n: usize, value: i64) -> i64 {
    let rounds_to_1 = |n: usize| (leak.decay(n) * 32768.0).round_ties_even() > 32767.0;
    let bits = if (0..size).any(rounds_to_1) { 14 } else { 15 };
    rounded(code(leak.decay(n), bits) * value, bits)
}

impl<'m> Emulator<'m> {
    /// All populations in the same formats.
    pub(crate) fn new(model: &'m Model, rules: &'m Options, formats: Formats) -> Self {
        let bits = [formats.current, formats.potential].map(|format| format.fraction_bits().into());
        let potential = model.populations.iter().map(|p| p.rest.iter().map(|&rest| code(rest, bits[1])).collect());
        Self {
            model,
            rules,
            bits,
            current: model.populations.iter().map(|p| vec![0; p.size]).collect(),
            potential: potential.collect(),
            spikes: vec![Vec::new(); model.populations.len()],
        }
    }

    /// One step with the given spikes of the two inputs.
    pub(crate) fn step(&mut self, inputs: [&Vec<u32>; 2]) {
        for index in 0..self.model.populations.len() {
            for connection in self.model.connections.iter().filter(|connection| connection.target == index) {
                let spikes = match connection.source {
                    Source::Input(input) => inputs[input],
                    Source::Events { population, .. } => &self.spikes[population],
                };
                for &spike in spikes {
                    connection.map.row(spike as usize, |n, weight| {
                        let current = &mut self.current[index][n as usize];
                        let weight = weight * self.model.populations[index].gain(n as usize);
                        *current = clamp(*current + code(weight, self.bits[0]));
                    });
                }
            }
            self.spikes[index] =
                (0..self.model.populations[index].size).filter(|&n| self.neuron(index, n)).map(|n| n as u32).collect();
        }
    }

    /// The update of one neuron; whether it spikes.
    fn neuron(&mut self, index: usize, n: usize) -> bool {
        let (neurons, rules) = (&self.model.populations[index], self.rules);
        let [current_bits, bits] = self.bits;
        let (i, v) = (&mut self.current[index][n], &mut self.potential[index][n]);
        *i = clamp(*i + code(neurons.bias[n] * neurons.gain(n), current_bits));
        let converted =
            if current_bits >= bits { rounded(*i, current_bits - bits) } else { clamp(*i << (bits - current_bits)) };
        let (old, leak) = (*v, code(neurons.rest[n], bits));
        *v = clamp(clamp(leak + decayed(&neurons.potential, neurons.size, n, clamp(old - leak))) + converted);
        *i = neurons.current.as_ref().map_or(0, |leak| decayed(leak, neurons.size, n, *i));
        let Some(spike) = &neurons.spike else { return false };
        let threshold = code(spike.threshold[n], bits);
        let above = |v: i64, threshold: i64| match rules.comparison {
            Comparison::Greater => v > threshold,
            Comparison::GreaterEqual => v >= threshold,
        };
        let spiked = match (rules.reset, rules.spike_from) {
            (Reset::Snntorch, _) if above(old, threshold) => above(*v, clamp(2 * threshold)),
            (_, SpikeFrom::Old) => above(old, threshold),
            (_, SpikeFrom::New) => above(*v, threshold),
        };
        if spiked {
            *v = match rules.reset {
                Reset::Value => match &spike.then {
                    OnSpike::Value(reset) => code(reset[n], bits),
                    other => panic!("a reset to a value is not {other:?}"),
                },
                Reset::Subtract | Reset::Snntorch => clamp(*v - threshold),
            };
        }
        spiked
    }
}
