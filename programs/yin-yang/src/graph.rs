//! The network as a NIR graph, and back.
//!
//! The graph is a chain `Input -> Linear -> CubaLIF -> Linear -> CubaLI -> Output`; the length of the time step and the
//! score are not in it, because NIR has no place for them: see [`Timing::SHIPPED`](crate::encode::Timing::SHIPPED) and
//! [`network`](crate::network).

use std::collections::BTreeMap;

use fenn_compiler::nir::{CubaLi, CubaLif, Edge, Graph, Matrix, Node};

use crate::dataset::CLASSES;
use crate::encode::INPUTS;
use crate::network::{Network, Neuron};

/// The nodes from input to output, with the names they are written under.
const CHAIN: [(&str, &str); 6] = [
    ("input", "Input"),
    ("fc1", "Linear"),
    ("hidden", "CubaLIF"),
    ("fc2", "Linear"),
    ("readout", "CubaLI"),
    ("output", "Output"),
];

/// A graph that is not a Yin-Yang network.
#[derive(Debug, thiserror::Error)]
pub enum NotYinYang {
    /// The nodes do not form the chain.
    #[error(
        "the graph is not a chain Input -> Linear -> CubaLIF -> Linear -> CubaLI -> Output: {0}. Use a network written by \
         `yin-yang train`"
    )]
    Chain(String),
    /// A layer has the wrong number of neurons.
    #[error("node `{node}` has {found} elements where the task needs {expected}")]
    Size {
        /// The node.
        node: String,
        /// Its number of elements.
        found: usize,
        /// The number needed.
        expected: usize,
    },
    /// A parameter differs between neurons, or is not 0 where it has to be.
    #[error("node `{node}`: `{parameter}` must be {expected}; this float run has no other kind of neuron")]
    Parameter {
        /// The node.
        node: String,
        /// The parameter.
        parameter: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
}

impl Network {
    /// The network as a graph.
    pub fn to_graph(&self) -> Graph {
        let hidden = self.hidden_len();
        let transposed =
            (0..hidden).flat_map(|n| (0..INPUTS).map(move |input| self.w_in[input * hidden + n])).collect();
        let nodes = [
            Node::Input { shape: vec![INPUTS] },
            Node::Linear { weight: Matrix { rows: hidden, cols: INPUTS, data: transposed } },
            Node::CubaLif(CubaLif {
                shape: vec![hidden],
                tau_syn: vec![self.hidden.tau_syn; hidden],
                tau_mem: vec![self.hidden.tau_mem; hidden],
                r: vec![self.hidden.r; hidden],
                v_leak: vec![0.0; hidden],
                v_threshold: vec![self.threshold; hidden],
                v_reset: vec![0.0; hidden],
                w_in: vec![self.hidden.w_in; hidden],
            }),
            Node::Linear { weight: Matrix { rows: CLASSES, cols: hidden, data: self.w_out.clone() } },
            Node::CubaLi(CubaLi {
                shape: vec![CLASSES],
                tau_syn: vec![self.output.tau_syn; CLASSES],
                tau_mem: vec![self.output.tau_mem; CLASSES],
                r: vec![self.output.r; CLASSES],
                v_leak: vec![0.0; CLASSES],
                w_in: vec![self.output.w_in; CLASSES],
            }),
            Node::Output { shape: vec![CLASSES] },
        ];
        let edges = CHAIN.windows(2).map(|pair| Edge { from: pair[0].0.into(), to: pair[1].0.into() }).collect();
        let nodes = CHAIN.iter().zip(nodes).map(|(&(name, _), node)| (name.to_owned(), node)).collect();
        Graph { version: "1.0".into(), nodes, edges }
    }

    /// The network in a well-formed graph (one that [`fenn_compiler::nir::read()`] returned).
    ///
    /// # Errors
    /// When the graph is not a Yin-Yang network of the kind [`Network::to_graph`] gives.
    pub fn from_graph(graph: &Graph) -> Result<Network, NotYinYang> {
        match chain(graph)?[..] {
            [
                (input, Node::Input { shape }),
                (_, Node::Linear { weight: w_in }),
                (hidden, Node::CubaLif(h)),
                (_, Node::Linear { weight: w_out }),
                (readout, Node::CubaLi(o)),
                (_, Node::Output { .. }),
            ] => {
                size(input, shape.iter().product(), INPUTS)?;
                size(readout, w_out.rows, CLASSES)?;
                zero(hidden, "v_leak", &h.v_leak)?;
                zero(hidden, "v_reset", &h.v_reset)?;
                zero(readout, "v_leak", &o.v_leak)?;
                Ok(Network {
                    hidden: Neuron {
                        tau_syn: same(hidden, "tau_syn", &h.tau_syn)?,
                        tau_mem: same(hidden, "tau_mem", &h.tau_mem)?,
                        r: same(hidden, "r", &h.r)?,
                        w_in: same(hidden, "w_in", &h.w_in)?,
                    },
                    threshold: same(hidden, "v_threshold", &h.v_threshold)?,
                    output: Neuron {
                        tau_syn: same(readout, "tau_syn", &o.tau_syn)?,
                        tau_mem: same(readout, "tau_mem", &o.tau_mem)?,
                        r: same(readout, "r", &o.r)?,
                        w_in: same(readout, "w_in", &o.w_in)?,
                    },
                    w_in: (0..INPUTS).flat_map(|input| (0..w_in.rows).map(move |n| w_in.row(n)[input])).collect(),
                    w_out: w_out.data.clone(),
                })
            }
            ref found => {
                let kinds: Vec<&str> = found.iter().map(|(_, node)| node.kind()).collect();
                Err(NotYinYang::Chain(format!("it is {}", kinds.join(" -> "))))
            }
        }
    }
}

/// The nodes in the order of the edges, from the one Input on.
fn chain(graph: &Graph) -> Result<Vec<(&str, &Node)>, NotYinYang> {
    let mut inputs = graph.inputs();
    let (Some(first), None) = (inputs.next(), inputs.next()) else {
        return Err(NotYinYang::Chain("it has several inputs".into()));
    };
    let mut next = BTreeMap::new();
    for edge in &graph.edges {
        if next.insert(edge.from.as_str(), edge.to.as_str()).is_some() {
            return Err(NotYinYang::Chain(format!("`{}` has two targets", edge.from)));
        }
    }
    let mut nodes = vec![first];
    while let Some(&name) = next.get(nodes[nodes.len() - 1].0) {
        match graph.nodes.get(name) {
            Some(node) if nodes.len() < CHAIN.len() => nodes.push((name, node)),
            _ => return Err(NotYinYang::Chain(format!("it goes on after `{}`", nodes[nodes.len() - 1].0))),
        }
    }
    Ok(nodes)
}

fn size(node: &str, found: usize, expected: usize) -> Result<(), NotYinYang> {
    if found == expected { Ok(()) } else { Err(NotYinYang::Size { node: node.into(), found, expected }) }
}

fn same(node: &str, parameter: &'static str, values: &[f64]) -> Result<f64, NotYinYang> {
    match values {
        [first, rest @ ..] if rest.iter().all(|value| value == first) => Ok(*first),
        _ => Err(NotYinYang::Parameter { node: node.into(), parameter, expected: "the same for all neurons" }),
    }
}

fn zero(node: &str, parameter: &'static str, values: &[f64]) -> Result<(), NotYinYang> {
    if values.iter().all(|&value| value == 0.0) {
        Ok(())
    } else {
        Err(NotYinYang::Parameter { node: node.into(), parameter, expected: "0" })
    }
}
