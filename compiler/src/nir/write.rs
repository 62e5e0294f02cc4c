//! From a [`Graph`] to an HDF5 file, byte for byte the same for equal graphs.

use std::path::Path;

use fenn_isa::file::write_whole;
use hdf5_pure::{FileBuilder, FinishedGroup, GroupBuilder, LibVer};

use super::{Conv, Graph, Matrix, NirError, Node, Padding, Pool, Problem, Tensor};

/// Writes `graph` to `path`: completely, or not at all (to a temporary file beside it, renamed at the end).
///
/// All numbers are stored as 64-bit floats. An existing file is replaced.
///
/// # Errors
/// Every [`Problem`] of a graph that is not well-formed in the sense of [`Graph::check`], that has a [`Node::Other`] or a
/// name HDF5 cannot hold; or [`Problem::Io`].
pub fn write(graph: &Graph, path: impl AsRef<Path>) -> Result<(), NirError> {
    let path = path.as_ref();
    let fail = |problems| NirError { file: path.to_path_buf(), problems };
    let bytes = to_bytes(graph).map_err(fail)?;
    write_whole(path, &bytes).map_err(|error| fail(vec![error.into()]))
}

/// The bytes of the file.
pub(super) fn to_bytes(graph: &Graph) -> Result<Vec<u8>, Vec<Problem>> {
    let mut problems = graph.check();
    problems.extend(unwritable(graph));
    if !problems.is_empty() {
        return Err(problems);
    }
    build(graph)
        .map_err(|error| vec![Problem::Damaged { object: "/".into(), reason: format!("while writing: {error}") }])
}

/// What a file cannot hold.
fn unwritable(graph: &Graph) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, node) in &graph.nodes {
        if name.is_empty() || name == "." || name.contains(['/', '\0']) {
            problems.push(Problem::BadName { node: name.clone() });
        }
        match node {
            Node::Other { kind } => {
                problems.push(Problem::NotWritable { node: name.clone(), kind: kind.clone() });
            }
            Node::Graph(graph) => problems.extend(unwritable(graph).into_iter().map(|problem| problem.within(name))),
            _ => {}
        }
    }
    problems
}

fn build(graph: &Graph) -> Result<Vec<u8>, hdf5_pure::Error> {
    let mut file = FileBuilder::new();
    // The oldest format this writer knows: every HDF5 library since 1.8 reads it.
    file.with_libver_bounds(LibVer::Earliest, LibVer::V18);
    file.create_dataset("version").with_vlen_strings(&[&graph.version]).with_shape(&[]);
    let mut root = file.create_group("node");
    nested(&mut root, graph);
    file.add_group(root.finish());
    file.finish()
}

/// What a graph has in common with every other, the outermost or not.
fn nested(group: &mut GroupBuilder, graph: &Graph) {
    string(group, "type", "NIRGraph");
    let names: Vec<&str> = graph.edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]).collect();
    group.create_dataset("edges").with_vlen_strings(&names).with_shape(&[graph.edges.len() as u64, 2]);
    let mut nodes = group.create_group("nodes");
    for (name, node) in &graph.nodes {
        let group = nodes.create_group(name);
        nodes.add_group(fill(group, node));
    }
    group.add_group(nodes.finish());
}

fn fill(mut group: GroupBuilder, node: &Node) -> FinishedGroup {
    if let Node::Graph(graph) = node {
        nested(&mut group, graph);
        return group.finish();
    }
    string(&mut group, "type", node.kind());
    match node {
        Node::Input { shape } | Node::Output { shape } => integers(&mut group, "shape", shape),
        Node::Linear { weight } => matrix(&mut group, weight),
        Node::Affine { weight, bias } => {
            matrix(&mut group, weight);
            group.create_dataset("bias").with_f64_data(bias);
        }
        Node::Conv1d(conv) => convolution(&mut group, conv),
        Node::Conv2d(conv) => convolution(&mut group, conv),
        Node::SumPool2d(Pool { kernel, stride, padding }) | Node::AvgPool2d(Pool { kernel, stride, padding }) => {
            for (name, extents) in [("kernel_size", kernel), ("stride", stride), ("padding", padding)] {
                integers(&mut group, name, extents);
            }
        }
        Node::Flatten { input_shape, start_dim, end_dim } => {
            if let Some(shape) = input_shape {
                integers(&mut group, "input_type", shape);
            }
            for (name, dim) in [("start_dim", *start_dim), ("end_dim", *end_dim)] {
                group.create_dataset(name).with_i64_data(&[dim]).with_shape(&[]);
            }
        }
        Node::Scale { scale } => tensor(&mut group, "scale", scale),
        Node::Threshold { threshold } => tensor(&mut group, "threshold", threshold),
        Node::Delay { delay } => tensor(&mut group, "delay", delay),
        Node::I(p) => population(&mut group, &p.shape, &p.parameters()),
        Node::If(p) => population(&mut group, &p.shape, &p.parameters()),
        Node::Lif(p) => population(&mut group, &p.shape, &p.parameters()),
        Node::CubaLif(p) => population(&mut group, &p.shape, &p.parameters()),
        Node::Li(p) => population(&mut group, &p.shape, &p.parameters()),
        Node::CubaLi(p) => population(&mut group, &p.shape, &p.parameters()),
        Node::Graph(_) | Node::Other { .. } => unreachable!("written above, or refused by `to_bytes`"),
    }
    group.finish()
}

fn string(group: &mut GroupBuilder, name: &str, text: &str) {
    group.create_dataset(name).with_vlen_strings(&[text]).with_shape(&[]);
}

fn integers(group: &mut GroupBuilder, name: &str, numbers: &[usize]) {
    let numbers: Vec<i64> = numbers.iter().map(|&number| number as i64).collect();
    group.create_dataset(name).with_i64_data(&numbers);
}

/// A list of one number, or that number: `nir` takes one for a single dimension.
fn spatial(group: &mut GroupBuilder, name: &str, numbers: &[usize]) {
    match *numbers {
        [number] => {
            group.create_dataset(name).with_i64_data(&[number as i64]).with_shape(&[]);
        }
        _ => integers(group, name, numbers),
    }
}

fn convolution<const D: usize>(group: &mut GroupBuilder, conv: &Conv<D>) {
    let Conv { out_channels, group_channels, kernel, weight, bias, stride, padding, dilation, groups, input_shape } =
        conv;
    let shape: Vec<u64> = [*out_channels, *group_channels].iter().chain(kernel).map(|&extent| extent as u64).collect();
    group.create_dataset("weight").with_f64_data(weight).with_shape(&shape);
    group.create_dataset("bias").with_f64_data(bias);
    spatial(group, "stride", stride);
    match padding {
        Padding::Zeros(zeros) => spatial(group, "padding", zeros),
        Padding::Same => string(group, "padding", "same"),
        Padding::Valid => string(group, "padding", "valid"),
    }
    spatial(group, "dilation", dilation);
    spatial(group, "groups", &[*groups]);
    if let Some(extents) = input_shape {
        spatial(group, "input_shape", extents);
    }
}

fn tensor(group: &mut GroupBuilder, name: &str, tensor: &Tensor) {
    let shape: Vec<u64> = tensor.shape.iter().map(|&extent| extent as u64).collect();
    group.create_dataset(name).with_f64_data(&tensor.data).with_shape(&shape);
}

fn matrix(group: &mut GroupBuilder, weight: &Matrix) {
    group.create_dataset("weight").with_f64_data(&weight.data).with_shape(&[weight.rows as u64, weight.cols as u64]);
}

fn population(group: &mut GroupBuilder, shape: &[usize], parameters: &[(&'static str, &[f64])]) {
    let shape: Vec<u64> = shape.iter().map(|&extent| extent as u64).collect();
    for (name, values) in parameters {
        group.create_dataset(name).with_f64_data(values).with_shape(&shape);
    }
}
