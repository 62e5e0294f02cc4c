//! From a [`Graph`] to an HDF5 file, byte for byte the same for equal graphs.

use std::path::Path;

use fenn_isa::file::write_whole;
use hdf5_pure::{FileBuilder, FinishedGroup, GroupBuilder, LibVer};

use super::{Graph, Matrix, NirError, Node, Problem};

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
    for (name, node) in &graph.nodes {
        if name.is_empty() || name == "." || name.contains(['/', '\0']) {
            problems.push(Problem::BadName { node: name.clone() });
        }
        if let Node::Other { kind } = node {
            problems.push(Problem::NotWritable { node: name.clone(), kind: kind.clone() });
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    build(graph)
        .map_err(|error| vec![Problem::Damaged { object: "/".into(), reason: format!("while writing: {error}") }])
}

fn build(graph: &Graph) -> Result<Vec<u8>, hdf5_pure::Error> {
    let mut file = FileBuilder::new();
    // The oldest format this writer knows: every HDF5 library since 1.8 reads it.
    file.with_libver_bounds(LibVer::Earliest, LibVer::V18);
    file.create_dataset("version").with_vlen_strings(&[&graph.version]).with_shape(&[]);
    let mut root = file.create_group("node");
    string(&mut root, "type", "NIRGraph");
    let names: Vec<&str> = graph.edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]).collect();
    root.create_dataset("edges").with_vlen_strings(&names).with_shape(&[graph.edges.len() as u64, 2]);
    let mut nodes = root.create_group("nodes");
    for (name, node) in &graph.nodes {
        let group = nodes.create_group(name);
        nodes.add_group(fill(group, node));
    }
    root.add_group(nodes.finish());
    file.add_group(root.finish());
    file.finish()
}

fn fill(mut group: GroupBuilder, node: &Node) -> FinishedGroup {
    string(&mut group, "type", node.kind());
    match node {
        Node::Input { shape } | Node::Output { shape } => {
            let extents: Vec<i64> = shape.iter().map(|&extent| extent as i64).collect();
            group.create_dataset("shape").with_i64_data(&extents);
        }
        Node::Linear { weight } => matrix(&mut group, weight),
        Node::Affine { weight, bias } => {
            matrix(&mut group, weight);
            group.create_dataset("bias").with_f64_data(bias);
        }
        Node::Lif(p) => population(&mut group, &p.shape, &p.parameters()),
        Node::CubaLif(p) => population(&mut group, &p.shape, &p.parameters()),
        Node::Li(p) => population(&mut group, &p.shape, &p.parameters()),
        Node::CubaLi(p) => population(&mut group, &p.shape, &p.parameters()),
        Node::Other { .. } => unreachable!("refused by `to_bytes` before anything is built"),
    }
    group.finish()
}

fn string(group: &mut GroupBuilder, name: &str, text: &str) {
    group.create_dataset(name).with_vlen_strings(&[text]).with_shape(&[]);
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
