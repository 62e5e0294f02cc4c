//! The list of what makes a [`Graph`] well-formed, applied after reading and before writing.

use std::collections::BTreeSet;

use super::{Conv, Graph, Node, Pool, Problem, Tensor, len_of};

/// Parameters that are time constants, in any neuron type.
const TIME_CONSTANTS: [&str; 3] = ["tau", "tau_mem", "tau_syn"];

impl Graph {
    /// Everything wrong with the graph; empty if it is well-formed:
    ///
    /// 1. at least one Input and one Output;
    /// 2. every edge joins two nodes of the graph, and appears once;
    /// 3. the two ends of an edge agree on the number of elements, where both state it;
    /// 4. every array has as many numbers as its shape says;
    /// 5. every number is finite, every time constant positive, and no delay negative;
    /// 6. strides, dilations, groups and the extents of kernels are positive, and groups divide the channels;
    /// 7. nested graphs keep these rules too, and have one Input and one Output.
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
        Node::Conv1d(conv) => check_conv(name, conv, problems),
        Node::Conv2d(conv) => check_conv(name, conv, problems),
        Node::SumPool2d(Pool { kernel, stride, padding: _ }) | Node::AvgPool2d(Pool { kernel, stride, padding: _ }) => {
            check_positive(name, &[("kernel_size", kernel), ("stride", stride)], problems);
        }
        Node::Flatten { input_shape, start_dim: _, end_dim: _ } => {
            if let Some(shape) = input_shape
                && len_of(shape).is_none_or(|len| len == 0)
            {
                problems.push(wrong_shape(name, "input_type", "positive extents", shape));
            }
        }
        Node::Scale { scale } => check_tensor(name, "scale", scale, problems),
        Node::Threshold { threshold } => check_tensor(name, "threshold", threshold, problems),
        Node::Delay { delay } => {
            check_tensor(name, "delay", delay, problems);
            if let Some((index, &value)) = delay.data.iter().enumerate().find(|(_, value)| **value < 0.0) {
                problems.push(Problem::Negative { node: name.into(), dataset: "delay", index, value });
            }
        }
        Node::Graph(graph) => {
            let (inputs, outputs) = (graph.inputs().count(), graph.outputs().count());
            if (inputs, outputs) != (1, 1) {
                problems.push(Problem::Ends { node: name.into(), inputs, outputs });
            }
            let ends = |problem: &Problem| matches!(problem, Problem::NoInput | Problem::NoOutput);
            let inner = graph.check().into_iter().filter(|problem| !ends(problem));
            problems.extend(inner.map(|problem| problem.within(name)));
        }
        Node::I(p) => check_population(name, &p.shape, &p.parameters(), problems),
        Node::If(p) => check_population(name, &p.shape, &p.parameters(), problems),
        Node::Lif(p) => check_population(name, &p.shape, &p.parameters(), problems),
        Node::CubaLif(p) => check_population(name, &p.shape, &p.parameters(), problems),
        Node::Li(p) => check_population(name, &p.shape, &p.parameters(), problems),
        Node::CubaLi(p) => check_population(name, &p.shape, &p.parameters(), problems),
        Node::Other { .. } => {}
    }
}

fn check_conv<const D: usize>(name: &str, conv: &Conv<D>, problems: &mut Vec<Problem>) {
    let Conv { out_channels, group_channels, kernel, weight, bias, stride, padding: _, dilation, groups, input_shape } =
        conv;
    let shape = [&[*out_channels, *group_channels], &kernel[..]].concat();
    check_array(name, "weight", &shape, weight, problems);
    check_array(name, "bias", &[*out_channels], bias, problems);
    check_positive(name, &[("stride", stride), ("dilation", dilation), ("groups", &[*groups])], problems);
    if let Some(extents) = input_shape {
        check_positive(name, &[("input_shape", extents)], problems);
        if conv.output_extents(*extents).is_none() && !extents.contains(&0) {
            let expected = "extents in which the kernel fits";
            problems.push(wrong_shape(name, "input_shape", expected, extents));
        }
    }
    if *groups > 0 && !out_channels.is_multiple_of(*groups) {
        problems.push(Problem::Groups { node: name.into(), out: *out_channels, groups: *groups });
    }
}

fn check_positive(name: &str, lists: &[(&'static str, &[usize])], problems: &mut Vec<Problem>) {
    for (dataset, numbers) in lists {
        if let Some(index) = numbers.iter().position(|number| *number == 0) {
            let (node, found) = (name.into(), format!("0 in dimension {index}"));
            problems.push(Problem::WrongType { node, dataset, expected: "whole numbers, 1 or more", found });
        }
    }
}

fn check_tensor(name: &str, dataset: &'static str, tensor: &Tensor, problems: &mut Vec<Problem>) {
    check_array(name, dataset, &tensor.shape, &tensor.data, problems);
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
