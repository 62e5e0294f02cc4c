//! The list of what makes a [`Graph`] well-formed, applied after reading and before writing.

use std::collections::BTreeSet;

use super::{Graph, Node, Problem, len_of};

/// Parameters that are time constants, in any neuron type.
const TIME_CONSTANTS: [&str; 3] = ["tau", "tau_mem", "tau_syn"];

impl Graph {
    /// Everything wrong with the graph; empty if it is well-formed:
    ///
    /// 1. at least one Input and one Output;
    /// 2. every edge joins two nodes of the graph, and appears once;
    /// 3. the two ends of an edge agree on the number of elements, where both state it;
    /// 4. every array has as many numbers as its shape says;
    /// 5. every number is finite, and every time constant positive.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.inputs().next().is_none() {
            problems.push(Problem::NoInput);
        }
        if self.outputs().next().is_none() {
            problems.push(Problem::NoOutput);
        }
        for (name, node) in &self.nodes {
            check_node(name, node, &mut problems);
        }
        self.check_edges(&mut problems);
        problems
    }

    fn check_edges(&self, problems: &mut Vec<Problem>) {
        let mut seen = BTreeSet::new();
        for (index, edge) in self.edges.iter().enumerate() {
            let (from, to) = (edge.from.clone(), edge.to.clone());
            if !seen.insert(edge) {
                problems.push(Problem::DuplicateEdge { index, from, to });
                continue;
            }
            match (self.nodes.get(&from), self.nodes.get(&to)) {
                (Some(source), Some(target)) => {
                    if let (Some(gives), Some(takes)) = (source.output_len(), target.input_len())
                        && gives != takes
                    {
                        problems.push(Problem::SizeMismatch { index, from, gives, to, takes });
                    }
                }
                (source, target) => {
                    for (end, name) in [(source, &from), (target, &to)] {
                        if end.is_none() {
                            problems.push(Problem::UnknownNode {
                                index,
                                from: from.clone(),
                                to: to.clone(),
                                missing: name.clone(),
                            });
                        }
                    }
                }
            }
        }
    }
}

fn check_node(name: &str, node: &Node, problems: &mut Vec<Problem>) {
    match node {
        Node::Input { shape } | Node::Output { shape } => {
            if len_of(shape).is_none_or(|len| len == 0) {
                problems.push(wrong_shape(name, "shape", "positive extents", shape));
            }
        }
        Node::Linear { weight } => check_array(name, "weight", &[weight.rows, weight.cols], &weight.data, problems),
        Node::Affine { weight, bias } => {
            check_array(name, "weight", &[weight.rows, weight.cols], &weight.data, problems);
            check_array(name, "bias", &[weight.rows], bias, problems);
        }
        Node::Lif(p) => check_population(name, &p.shape, &p.parameters(), problems),
        Node::CubaLif(p) => check_population(name, &p.shape, &p.parameters(), problems),
        Node::Li(p) => check_population(name, &p.shape, &p.parameters(), problems),
        Node::CubaLi(p) => check_population(name, &p.shape, &p.parameters(), problems),
        Node::Other { .. } => {}
    }
}

fn check_population(name: &str, shape: &[usize], parameters: &[(&'static str, &[f64])], problems: &mut Vec<Problem>) {
    for &(dataset, values) in parameters {
        check_array(name, dataset, shape, values, problems);
        if TIME_CONSTANTS.contains(&dataset)
            && let Some((index, &value)) = values.iter().enumerate().find(|(_, value)| **value <= 0.0)
        {
            problems.push(Problem::NotPositive { node: name.into(), dataset, index, value });
        }
    }
}

fn check_array(name: &str, dataset: &'static str, shape: &[usize], data: &[f64], problems: &mut Vec<Problem>) {
    if len_of(shape) != Some(data.len()) || data.is_empty() {
        let expected = format!("one number for each element of {shape:?}, which must not be empty");
        problems.push(wrong_shape(name, dataset, &expected, &[data.len()]));
    }
    if let Some((index, &value)) = data.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        problems.push(Problem::NotFinite { node: name.into(), dataset, index, value });
    }
}

/// A [`Problem::WrongShape`] from borrowed parts.
pub(super) fn wrong_shape(node: &str, dataset: &'static str, expected: &str, found: &[usize]) -> Problem {
    Problem::WrongShape { node: node.into(), dataset, expected: expected.into(), found: found.to_vec() }
}
