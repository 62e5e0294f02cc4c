//! Who drives whom: a graph's chains of linear nodes between units, each composed into one map.
//!
//! Contract: [`Wiring::new`] reports everything that keeps a graph from being a network of spiking sources, linear maps and
//! units; [`Wiring::drives`] then gives what reaches each unit and Output: a [`Map`] per source and delay, and a bias.
//! *Units* are the nodes that hold a value from step to step, neurons and Threshold; linear nodes are all others between
//! Inputs and Outputs, Delay included. Composition is exact in the sense of real numbers: parallel paths from one source with one
//! delay add, chains multiply.
//!
//! Not here: time (which edges are one step late) and what units do.

use std::collections::{BTreeMap, BTreeSet};

use crate::nir::{Graph, Node};

use super::error::ImportError;
use super::linear::{MOST_WEIGHTS, Map, TooLarge};

/// Later than this nothing arrives.
const LONGEST_DELAY: usize = u16::MAX as usize;

/// More than this many numbers pass through no node.
const LARGEST_NODE: usize = 1 << 24;

/// Where a part of a drive comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin<'g> {
    /// 1 in every step: a bias that went through a Delay.
    One,
    /// An Input or a unit.
    Node(&'g str),
}

/// What reaches a node in a step: `Σ map · source(delay steps ago) + bias`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drive<'g> {
    /// By source and delay. A map may be all 0: there is a path even so.
    pub(super) parts: BTreeMap<(Origin<'g>, u32), Map>,
    /// One number per target.
    pub(super) bias: Vec<f64>,
}

/// A checked graph, without graphs in it.
#[derive(Debug)]
pub(super) struct Wiring<'g> {
    graph: &'g Graph,
    incoming: BTreeMap<&'g str, Vec<&'g str>>,
    outgoing: BTreeMap<&'g str, Vec<&'g str>>,
    /// Of what comes in, and of what goes out.
    shapes: BTreeMap<&'g str, [Vec<usize>; 2]>,
}

/// Whether the node has state of its own, or at least decides for itself.
pub(super) fn is_unit(node: &Node) -> bool {
    match node {
        Node::Threshold { .. }
        | Node::I(_)
        | Node::If(_)
        | Node::Lif(_)
        | Node::CubaLif(_)
        | Node::Li(_)
        | Node::CubaLi(_) => true,
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
        | Node::Other { .. } => false,
    }
}

/// Whether what the unit gives is spikes.
pub(super) fn spikes(node: &Node) -> bool {
    matches!(node, Node::Threshold { .. } | Node::If(_) | Node::Lif(_) | Node::CubaLif(_))
}

fn is_linear(node: &Node) -> bool {
    !is_unit(node) && !matches!(node, Node::Input { .. } | Node::Output { .. })
}

impl<'g> Wiring<'g> {
    /// Reads and checks `graph`, which must be well-formed in the sense of [`Graph::check`] and have no graphs in it.
    ///
    /// # Errors
    /// Everything that keeps it from being imported, in the order of node names.
    pub(super) fn new(graph: &'g Graph) -> Result<Self, Vec<ImportError>> {
        let mut wiring = Self { graph, incoming: BTreeMap::new(), outgoing: BTreeMap::new(), shapes: BTreeMap::new() };
        for edge in &graph.edges {
            wiring.incoming.entry(&edge.to).or_default().push(&edge.from);
            wiring.outgoing.entry(&edge.from).or_default().push(&edge.to);
        }
        let mut errors = wiring.unsupported();
        if errors.is_empty() {
            errors = wiring.misplaced();
        }
        if errors.is_empty() {
            errors = wiring.settle_shapes();
        }
        if errors.is_empty() { Ok(wiring) } else { Err(errors) }
    }

    /// What leads into `node`, in file order.
    fn sources(&self, node: &str) -> &[&'g str] {
        self.incoming.get(node).map_or(&[], Vec::as_slice)
    }

    /// How many numbers `node` gives in a step.
    pub(super) fn size(&self, node: &str) -> usize {
        self.shapes[node][1].iter().product()
    }

    /// How many numbers `node` takes in a step.
    fn takes(&self, node: &str) -> usize {
        self.shapes[node][0].iter().product()
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
            if matches!(self.node(&from), Node::Output { .. }) || matches!(self.node(&to), Node::Input { .. }) {
                errors.push(ImportError::Edge { from, to });
            }
        }
        for (output, _) in self.graph.outputs() {
            if self.sources(output).is_empty() {
                errors.push(ImportError::NothingToOutput { output: output.to_owned() });
            }
        }
        let from_inputs = reach(self.graph.inputs().map(|(name, _)| name), &self.outgoing);
        let to_outputs = reach(self.graph.outputs().map(|(name, _)| name), &self.incoming);
        for (name, node) in &self.graph.nodes {
            let has_own_error = matches!(node, Node::Output { .. }) && self.sources(name).is_empty();
            if !from_inputs.contains(name.as_str()) && !has_own_error {
                errors.push(ImportError::Unreachable { node: name.clone() });
            } else if !to_outputs.contains(name.as_str()) {
                errors.push(ImportError::DeadEnd { node: name.clone() });
            }
        }
        errors.extend(self.linear_cycle());
        errors
    }

    /// The nodes of a cycle of linear nodes only: those left when all that no other feeds are taken away repeatedly, and then
    /// all that feed no other.
    fn linear_cycle(&self) -> Option<ImportError> {
        let mut left: BTreeSet<&str> =
            self.graph.nodes.iter().filter(|(_, node)| is_linear(node)).map(|(name, _)| name.as_str()).collect();
        for (before, after) in [(&self.incoming, &self.outgoing), (&self.outgoing, &self.incoming)] {
            let neighbours = |name: &str| before.get(name).into_iter().flatten().copied();
            let mut open: Vec<&str> =
                left.iter().copied().filter(|name| !neighbours(name).any(|n| left.contains(n))).collect();
            while let Some(free) = open.pop() {
                left.remove(free);
                let next = after.get(free).into_iter().flatten().copied();
                open.extend(next.filter(|name| left.contains(name) && !neighbours(name).any(|n| left.contains(n))));
            }
        }
        let names: Vec<String> = left.iter().map(|name| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| ImportError::LinearCycle { nodes: names.join(", ") })
    }

    /// Settles every node's shape, from the Inputs on, and checks that the ends of all edges agree.
    fn settle_shapes(&mut self) -> Vec<ImportError> {
        let mut errors = Vec::new();
        let mut open: Vec<&'g str> = self.graph.inputs().map(|(name, _)| name).collect();
        for input in open.clone() {
            if let Node::Input { shape } = self.node(input) {
                self.shapes.insert(input, [shape.clone(), shape.clone()]);
            }
        }
        // Every node is settled in the end: an Input, whose shape is stated, leads to each.
        while let Some(from) = open.pop() {
            let shape = self.shapes[from][1].clone();
            for &to in self.outgoing.get(from).into_iter().flatten() {
                if self.shapes.contains_key(to) {
                    continue;
                }
                let node = self.node(to);
                let given = match node.output_shape(&shape) {
                    // A flat list may be the image that the neurons say it is.
                    Ok(given) if given.len() == 1 => stated(node).unwrap_or(given),
                    Ok(given) => given,
                    Err(error) => {
                        let (from, node, kind) = (from.to_owned(), to.to_owned(), node.kind().to_owned());
                        errors.push(ImportError::Shape { from, node, kind, error });
                        // Goes on with the right number, so that those behind are not blamed.
                        match node_len(self.node(to)) {
                            Some(len) => vec![len],
                            None => return errors,
                        }
                    }
                };
                if given.iter().try_fold(1_usize, |n, extent| n.checked_mul(*extent)).is_none_or(|n| n > LARGEST_NODE) {
                    return vec![ImportError::NodeTooLarge { node: to.to_owned(), limit: LARGEST_NODE }];
                }
                self.shapes.insert(to, [shape.clone(), given]);
                open.push(to);
            }
        }
        if errors.is_empty() {
            let ends = self.graph.edges.iter().map(|edge| (edge.from.as_str(), edge.to.as_str()));
            errors.extend(ends.filter_map(|(from, to)| self.mismatch(from, to)));
        }
        errors
    }

    fn mismatch(&self, from: &str, to: &str) -> Option<ImportError> {
        let (gives, takes) = (self.size(from), self.takes(to));
        (gives != takes).then(|| ImportError::SizeMismatch { from: from.to_owned(), gives, to: to.to_owned(), takes })
    }

    /// What reaches every unit and every Output, by name.
    ///
    /// # Errors
    /// Delays that no machine keeps, and maps that none holds.
    pub(super) fn drives(&self, dt: f64) -> Result<BTreeMap<&'g str, Drive<'g>>, Vec<ImportError>> {
        let mut errors = Vec::new();
        // What linear nodes give, until the last who wants it has taken it.
        let mut given: BTreeMap<&'g str, (Drive<'g>, usize)> = BTreeMap::new();
        let mut drives = BTreeMap::new();
        let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
        let mut open: Vec<&'g str> = Vec::new();
        for (name, _) in self.graph.nodes.iter().filter(|(_, node)| !matches!(node, Node::Input { .. })) {
            let from_linear = self.sources(name).iter().filter(|source| is_linear(self.node(source))).count();
            if from_linear == 0 {
                open.push(name);
            }
            waiting.insert(name, from_linear);
        }
        while let Some(name) = open.pop() {
            let node = self.node(name);
            let drive = self.gather(name, &mut given).and_then(|drive| match is_linear(node) {
                true => self.through(name, node, drive, dt, &mut errors),
                false => Ok(drive),
            });
            let drive = match drive {
                Ok(drive) => drive,
                Err(TooLarge(weights)) => {
                    errors.push(ImportError::TooLarge { node: name.to_owned(), weights, limit: MOST_WEIGHTS });
                    return Err(errors);
                }
            };
            if !is_linear(node) {
                drives.insert(name, drive);
                continue;
            }
            let targets = self.outgoing.get(name).map_or(&[][..], Vec::as_slice);
            given.insert(name, (drive, targets.len()));
            for &target in targets {
                if let Some(count) = waiting.get_mut(target) {
                    *count -= 1;
                    if *count == 0 {
                        open.push(target);
                    }
                }
            }
        }
        if errors.is_empty() { Ok(drives) } else { Err(errors) }
    }

    /// The sum of what comes along the edges into `name`.
    fn gather(&self, name: &str, given: &mut BTreeMap<&'g str, (Drive<'g>, usize)>) -> Result<Drive<'g>, TooLarge> {
        let takes = self.takes(name);
        let mut sum: Option<Drive<'g>> = None;
        for &source in self.sources(name) {
            let part = match given.remove(source) {
                Some((drive, 1)) => drive,
                Some((drive, left)) => {
                    given.insert(source, (drive.clone(), left - 1));
                    drive
                }
                None => Drive {
                    parts: BTreeMap::from([((Origin::Node(source), 0), Map::identity(takes))]),
                    bias: vec![0.0; takes],
                },
            };
            sum = Some(match sum {
                None => part,
                Some(sum) => sum.plus(part)?,
            });
        }
        Ok(sum.unwrap_or_else(|| Drive { parts: BTreeMap::new(), bias: vec![0.0; takes] }))
    }

    /// What the linear node `name` makes of `drive`.
    fn through(
        &self,
        name: &str,
        node: &Node,
        drive: Drive<'g>,
        dt: f64,
        errors: &mut Vec<ImportError>,
    ) -> Result<Drive<'g>, TooLarge> {
        let shape = &self.shapes[name][0];
        let image = || <[usize; 3]>::try_from(&shape[..]).unwrap_or([1; 3]);
        match node {
            Node::Linear { weight } => drive.then(Map::matrix(weight), None),
            Node::Affine { weight, bias } => drive.then(Map::matrix(weight), Some(bias.clone())),
            Node::Conv1d(conv) => {
                let extents = conv.input_extents(shape).unwrap_or([1]);
                drive.then(Map::convolution(conv, extents)?, Some(spread(&conv.bias, self.size(name))))
            }
            Node::Conv2d(conv) => {
                let extents = conv.input_extents(shape).unwrap_or([1; 2]);
                drive.then(Map::convolution(conv, extents)?, Some(spread(&conv.bias, self.size(name))))
            }
            Node::SumPool2d(pool) => drive.then(Map::pool(pool, image(), 1.0)?, None),
            Node::AvgPool2d(pool) => {
                let factor = 1.0 / (pool.kernel[0] as f64 * pool.kernel[1] as f64);
                drive.then(Map::pool(pool, image(), factor)?, None)
            }
            Node::Scale { scale } => {
                let factors = (0..self.takes(name)).map(|index| scale.at(index)).collect();
                drive.then(Map::Diagonal(factors), None)
            }
            Node::Delay { delay } => {
                let steps = |index: usize| {
                    let steps = (delay.at(index) / dt).round();
                    if steps <= LONGEST_DELAY as f64 {
                        return steps as u32;
                    }
                    let (node, delay) = (name.to_owned(), delay.at(index));
                    errors.push(ImportError::DelayTooLong { node, index, delay, steps, limit: LONGEST_DELAY });
                    0
                };
                let count = if delay.data.len() == 1 { 1 } else { self.takes(name) };
                drive.delayed(&(0..count).map(steps).collect::<Vec<u32>>())
            }
            // What comes in goes out.
            Node::Flatten { .. } => Ok(drive),
            Node::Input { .. }
            | Node::Output { .. }
            | Node::Threshold { .. }
            | Node::I(_)
            | Node::If(_)
            | Node::Lif(_)
            | Node::CubaLif(_)
            | Node::Li(_)
            | Node::CubaLi(_)
            | Node::Graph(_)
            | Node::Other { .. } => Ok(drive),
        }
    }
}

/// The shape a population states, where it states one.
fn stated(node: &Node) -> Option<Vec<usize>> {
    let shape = match node {
        Node::I(p) => &p.shape,
        Node::If(p) => &p.shape,
        Node::Lif(p) => &p.shape,
        Node::CubaLif(p) => &p.shape,
        Node::Li(p) => &p.shape,
        Node::CubaLi(p) => &p.shape,
        _ => return None,
    };
    (shape.len() > 1 && node.output_len().is_some()).then(|| shape.clone())
}

/// How many numbers a node gives, where it says so itself.
fn node_len(node: &Node) -> Option<usize> {
    node.output_len().filter(|len| *len <= LARGEST_NODE)
}

/// One number per channel for each number of the channel.
fn spread(bias: &[f64], size: usize) -> Vec<f64> {
    let area = size / bias.len().max(1);
    bias.iter().flat_map(|bias| std::iter::repeat_n(*bias, area)).collect()
}

impl<'g> Drive<'g> {
    fn plus(mut self, other: Self) -> Result<Self, TooLarge> {
        add(&mut self.bias, &other.bias);
        for (key, map) in other.parts {
            self.add(key, map)?;
        }
        Ok(self)
    }

    fn add(&mut self, key: (Origin<'g>, u32), map: Map) -> Result<(), TooLarge> {
        let sum = match self.parts.remove(&key) {
            Some(sum) => sum.plus(map)?,
            None => map,
        };
        self.parts.insert(key, sum);
        Ok(())
    }

    /// `map · drive + bias`.
    fn then(self, map: Map, bias: Option<Vec<f64>>) -> Result<Self, TooLarge> {
        let mut sum = map.apply(&self.bias);
        if let Some(bias) = bias {
            add(&mut sum, &bias);
        }
        let mut parts = BTreeMap::new();
        let mut left = self.parts.len();
        let mut map = Some(map);
        for (key, part) in self.parts {
            left -= 1;
            // The last one needs no copy.
            let Some(next) = (if left == 0 { map.take() } else { map.clone() }) else { break };
            parts.insert(key, part.then(next)?);
        }
        Ok(Self { parts, bias: sum })
    }

    /// Element `i` comes `steps[i]` steps later, or all come `steps[0]` steps later. A bias then is a source of its own, since nothing
    /// arrives before it has been sent.
    fn delayed(self, steps: &[u32]) -> Result<Self, TooLarge> {
        let size = self.bias.len();
        let of = |element: usize| if steps.len() == 1 { steps[0] } else { steps[element] };
        let distinct: BTreeSet<u32> = steps.iter().copied().collect();
        let mut delayed = Self { parts: BTreeMap::new(), bias: vec![0.0; size] };
        let mut late = vec![0.0; size];
        for (element, bias) in self.bias.iter().enumerate() {
            let place = if of(element) == 0 { &mut delayed.bias } else { &mut late };
            place[element] = *bias;
        }
        let mut parts = self.parts;
        if late.iter().any(|bias| *bias != 0.0) {
            let map = Map::Dense { sources: 1, targets: size, weights: late };
            // Its own delay comes on top, as for all others.
            match parts.remove(&(Origin::One, 0)) {
                Some(sum) => parts.insert((Origin::One, 0), sum.plus(map)?),
                None => parts.insert((Origin::One, 0), map),
            };
        }
        for ((origin, before), map) in parts {
            if let [all] = distinct.iter().copied().collect::<Vec<u32>>()[..] {
                delayed.add((origin, before.saturating_add(all)), map)?;
                continue;
            }
            for &delay in &distinct {
                delayed.add((origin, before.saturating_add(delay)), map.onto(|element| of(element) == delay)?)?;
            }
        }
        Ok(delayed)
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
