//! Who drives whom: a graph's chains of matrices between neurons, each composed into one.
//!
//! Contract: [`Wiring::new`] reports everything that keeps a graph from being a network of spiking sources, matrices
//! and neurons; [`Wiring::drive`] then gives what reaches a node: one matrix per source, and a bias. Composition is
//! exact in the sense of real numbers: parallel paths from one source add, chains multiply.
//!
//! Not here: time (which edges are one step late) and what neurons do.

use std::collections::{BTreeMap, BTreeSet};

use crate::nir::{Graph, Matrix, Node};

use super::error::ImportError;

/// No machine holds more weights than this: vector memories have at most some megabytes.
const MAX_WEIGHTS: usize = 1 << 26;

/// What reaches a node in a step: `Σ matrix · spikes(source) + bias`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drive<'g> {
    /// By the name of the Input or the neurons; rows are targets.
    pub(super) matrices: BTreeMap<&'g str, Matrix>,
    /// One number per target.
    pub(super) bias: Vec<f64>,
}

/// A checked graph.
#[derive(Debug)]
pub(super) struct Wiring<'g> {
    graph: &'g Graph,
    incoming: BTreeMap<&'g str, Vec<&'g str>>,
    outgoing: BTreeMap<&'g str, Vec<&'g str>>,
    sizes: BTreeMap<&'g str, usize>,
}

/// Whether the node has state of its own.
pub(super) fn is_neurons(node: &Node) -> bool {
    matches!(node, Node::Lif(_) | Node::CubaLif(_) | Node::Li(_) | Node::CubaLi(_))
}

fn is_matrix(node: &Node) -> bool {
    matches!(node, Node::Linear { .. } | Node::Affine { .. })
}

impl<'g> Wiring<'g> {
    /// Reads and checks `graph`, which must be well-formed in the sense of [`Graph::check`].
    ///
    /// # Errors
    /// Everything that keeps it from being imported, in the order of node names.
    pub(super) fn new(graph: &'g Graph) -> Result<Self, Vec<ImportError>> {
        let mut wiring = Self { graph, incoming: BTreeMap::new(), outgoing: BTreeMap::new(), sizes: BTreeMap::new() };
        for edge in &graph.edges {
            wiring.incoming.entry(&edge.to).or_default().push(&edge.from);
            wiring.outgoing.entry(&edge.from).or_default().push(&edge.to);
        }
        let mut errors = wiring.unsupported();
        if errors.is_empty() {
            errors = wiring.misplaced();
        }
        if errors.is_empty() {
            errors = wiring.sizes();
        }
        if errors.is_empty() { Ok(wiring) } else { Err(errors) }
    }

    /// What leads into `node`, in file order.
    pub(super) fn sources(&self, node: &str) -> &[&'g str] {
        self.incoming.get(node).map_or(&[], Vec::as_slice)
    }

    /// How many numbers `node` gives in a step.
    pub(super) fn size(&self, node: &str) -> usize {
        self.sizes[node]
    }

    fn node(&self, name: &str) -> &'g Node {
        &self.graph.nodes[name]
    }

    fn unsupported(&self) -> Vec<ImportError> {
        let others = self.graph.nodes.iter().filter_map(|(name, node)| match node {
            Node::Other { kind } => Some(ImportError::Unsupported { node: name.clone(), kind: kind.clone() }),
            _ => None,
        });
        others.collect()
    }

    /// Edges and nodes that are where they cannot be.
    fn misplaced(&self) -> Vec<ImportError> {
        let mut errors = Vec::new();
        for edge in &self.graph.edges {
            let (from, to) = (edge.from.clone(), edge.to.clone());
            match (self.node(&from), self.node(&to)) {
                (Node::Output { .. }, _) | (_, Node::Input { .. }) => errors.push(ImportError::Edge { from, to }),
                (Node::Li(_) | Node::CubaLi(_), target) if !matches!(target, Node::Output { .. }) => {
                    let kind = if matches!(self.node(&from), Node::Li(_)) { "LI" } else { "CubaLI" };
                    errors.push(ImportError::Graded { node: from, kind, to });
                }
                _ => {}
            }
        }
        for (output, _) in self.graph.outputs() {
            match self.sources(output) {
                [source] => {
                    let node = self.node(source);
                    if !is_neurons(node) {
                        let (node, kind) = ((*source).to_owned(), node.kind().to_owned());
                        errors.push(ImportError::OutputSource { output: output.to_owned(), node, kind });
                    }
                }
                sources => {
                    errors.push(ImportError::OutputEdges { output: output.to_owned(), count: sources.len() });
                }
            }
        }
        let from_inputs = reach(self.graph.inputs().map(|(name, _)| name), &self.outgoing);
        let to_outputs = reach(self.graph.outputs().map(|(name, _)| name), &self.incoming);
        for (name, node) in &self.graph.nodes {
            let has_own_error = matches!(node, Node::Output { .. });
            if !from_inputs.contains(name.as_str()) && !has_own_error {
                errors.push(ImportError::Unreachable { node: name.clone() });
            } else if !to_outputs.contains(name.as_str()) {
                errors.push(ImportError::DeadEnd { node: name.clone() });
            }
        }
        errors.extend(self.linear_cycle());
        errors
    }

    /// The nodes of a cycle of matrices only: those left when all matrices fed by no other are taken away repeatedly,
    /// and then all that feed no other.
    fn linear_cycle(&self) -> Option<ImportError> {
        let mut left: BTreeSet<&str> =
            self.graph.nodes.iter().filter(|(_, node)| is_matrix(node)).map(|(name, _)| name.as_str()).collect();
        for neighbours in [&self.incoming, &self.outgoing] {
            loop {
                let touches =
                    |name: &str| neighbours.get(name).is_some_and(|list| list.iter().any(|n| left.contains(n)));
                let Some(free) = left.iter().copied().find(|name| !touches(name)) else { break };
                left.remove(free);
            }
        }
        let names: Vec<String> = left.iter().map(|name| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| ImportError::LinearCycle { nodes: names.join(", ") })
    }

    /// Settles every node's size and checks that the ends of all edges agree.
    fn sizes(&mut self) -> Vec<ImportError> {
        let names: Vec<&'g str> = self.graph.nodes.keys().map(String::as_str).collect();
        self.sizes = names.iter().filter_map(|name| Some((*name, self.node(name).output_len()?))).collect();
        // Sizes travel along edges, so this ends after as many rounds as the longest path has unsettled nodes.
        loop {
            let known = self.sizes.len();
            for name in &names {
                if !self.sizes.contains_key(name)
                    && let Some(size) = self.sources(name).iter().find_map(|source| self.sizes.get(source)).copied()
                {
                    self.sizes.insert(name, size);
                }
            }
            if self.sizes.len() == known {
                break;
            }
        }
        // Every node is settled now: an Input, whose size is stated, leads to each.
        let ends = self.graph.edges.iter().map(|edge| (edge.from.as_str(), edge.to.as_str()));
        let mut errors: Vec<ImportError> = ends.filter_map(|(from, to)| self.mismatch(from, to)).collect();
        if errors.is_empty() {
            let neurons = names.iter().filter(|name| is_neurons(self.node(name)));
            errors = neurons.flat_map(|name| self.too_large(name)).collect();
        }
        errors
    }

    fn mismatch(&self, from: &str, to: &str) -> Option<ImportError> {
        let gives = self.size(from);
        let takes = self.node(to).input_len().unwrap_or_else(|| self.size(to));
        (gives != takes).then(|| ImportError::SizeMismatch { from: from.to_owned(), gives, to: to.to_owned(), takes })
    }

    /// Matrices onto `node` that are too large, found without making them.
    fn too_large(&self, node: &str) -> Vec<ImportError> {
        let error = |source: &str| {
            let weights = self.size(source) as u128 * self.size(node) as u128;
            let error =
                || ImportError::TooLarge { from: source.to_owned(), to: node.to_owned(), weights, limit: MAX_WEIGHTS };
            (weights > MAX_WEIGHTS as u128).then(error)
        };
        self.origins(node).into_iter().filter_map(error).collect()
    }

    /// The Inputs and neurons whose spikes reach `node` without passing other neurons.
    pub(super) fn origins(&self, node: &str) -> BTreeSet<&'g str> {
        let mut origins = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = self.sources(node).to_vec();
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            if is_matrix(self.node(name)) {
                open.extend(self.sources(name));
            } else {
                origins.insert(name);
            }
        }
        origins
    }

    /// What reaches the input of `node`.
    pub(super) fn drive(&self, node: &str) -> Drive<'g> {
        let takes = self.node(node).input_len().unwrap_or_else(|| self.size(node));
        let mut drive = Drive { matrices: BTreeMap::new(), bias: vec![0.0; takes] };
        for source in self.sources(node) {
            let part = match self.node(source) {
                Node::Linear { weight } => through(weight, None, self.drive(source)),
                Node::Affine { weight, bias } => through(weight, Some(bias), self.drive(source)),
                _ => Drive { matrices: BTreeMap::from([(*source, identity(takes))]), bias: vec![0.0; takes] },
            };
            add(&mut drive.bias, &part.bias);
            for (name, matrix) in part.matrices {
                match drive.matrices.get_mut(name) {
                    Some(sum) => add(&mut sum.data, &matrix.data),
                    None => {
                        drive.matrices.insert(name, matrix);
                    }
                }
            }
        }
        drive
    }
}

/// All nodes that `start` reaches, itself included.
fn reach<'g>(start: impl Iterator<Item = &'g str>, edges: &BTreeMap<&'g str, Vec<&'g str>>) -> BTreeSet<&'g str> {
    let mut open: Vec<&str> = start.collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if seen.insert(name) {
            open.extend(edges.get(name).into_iter().flatten());
        }
    }
    seen
}

fn add(sum: &mut [f64], part: &[f64]) {
    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
}

fn identity(size: usize) -> Matrix {
    let mut data = vec![0.0; size * size];
    data.iter_mut().step_by(size + 1).for_each(|weight| *weight = 1.0);
    Matrix { rows: size, cols: size, data }
}

fn is_identity(matrix: &Matrix) -> bool {
    matrix.rows == matrix.cols && matrix.data == identity(matrix.rows).data
}

/// `weight · before + bias`.
fn through<'g>(weight: &Matrix, bias: Option<&Vec<f64>>, before: Drive<'g>) -> Drive<'g> {
    let mut sum: Vec<f64> = (0..weight.rows).map(|row| dot(weight.row(row), &before.bias)).collect();
    if let Some(bias) = bias {
        add(&mut sum, bias);
    }
    let matrices = before.matrices.into_iter().map(|(name, matrix)| (name, product(weight, matrix))).collect();
    Drive { matrices, bias: sum }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `left · right`.
fn product(left: &Matrix, right: Matrix) -> Matrix {
    if is_identity(&right) {
        return left.clone();
    }
    let mut data = vec![0.0; left.rows * right.cols];
    for (row, sums) in data.chunks_exact_mut(right.cols.max(1)).enumerate() {
        for (middle, &factor) in left.row(row).iter().enumerate() {
            sums.iter_mut().zip(right.row(middle)).for_each(|(sum, weight)| *sum += factor * weight);
        }
    }
    Matrix { rows: left.rows, cols: right.cols, data }
}
