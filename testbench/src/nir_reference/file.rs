//! `.nir` files: HDF5, `/node` being a graph, which has a `type`, `edges` and a group `nodes`, in which each node has a
//! `type` and its parameters.
//!
//! Contract: what [`write()`] wrote, [`read`] reads equal. Files are trusted to be small and whole: what is damaged is an
//! error, but no defence is made against files that were made to do harm.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5_pure::{DType, File, FileBuilder, Group, GroupBuilder, VlenStringReadOptions};

use super::graph::{Conv, Graph, Kind, Neurons, Node, Padding, Pool, Tensor};

/// Why a file is not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened, or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is no HDF5 file, or damaged.
    #[error("{object}: {error}")]
    Hdf5 {
        /// Where in the file.
        object: String,
        /// What the library says.
        error: hdf5_pure::Error,
    },
    /// A parameter is missing.
    #[error("{0} is missing")]
    Missing(String),
    /// A parameter is not what it has to be.
    #[error("{object} is {found}")]
    Wrong {
        /// Where in the file.
        object: String,
        /// What it is.
        found: String,
    },
}

/// A group of the file, and its path.
struct Place {
    group: Group,
    path: String,
    datasets: Vec<String>,
}

fn at(object: &str) -> impl Fn(hdf5_pure::Error) -> FileError + '_ {
    move |error| FileError::Hdf5 { object: object.to_owned(), error }
}

/// Reads a graph.
///
/// # Errors
/// The first thing that is wrong with the file.
pub fn read(path: impl AsRef<Path>) -> Result<Graph, FileError> {
    let file = File::from_bytes(std::fs::read(path)?).map_err(at("/"))?;
    Place::new(file.root(), String::new())?.within("node")?.graph()
}

impl Place {
    fn new(group: Group, path: String) -> Result<Self, FileError> {
        let datasets = group.datasets().map_err(at(&path))?;
        Ok(Self { group, path, datasets })
    }

    fn name(&self, of: &str) -> String {
        format!("{}/{of}", self.path)
    }

    fn within(&self, name: &str) -> Result<Self, FileError> {
        let path = self.name(name);
        Self::new(self.group.group(name).map_err(at(&path))?, path)
    }

    fn graph(&self) -> Result<Graph, FileError> {
        let names = self.strings("edges")?;
        let pairs = names.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        let mut graph = Graph { nodes: BTreeMap::new(), edges: pairs.collect() };
        let nodes = self.within("nodes")?;
        for name in nodes.group.groups().map_err(at(&nodes.path))? {
            let node = nodes.within(&name)?.node()?;
            graph.nodes.insert(name, node);
        }
        Ok(graph)
    }

    fn node(&self) -> Result<Node, FileError> {
        let kind = self.string("type")?.ok_or_else(|| FileError::Missing(self.name("type")))?;
        if let Some(kind) = Kind::ALL.into_iter().find(|known| known.name() == kind) {
            let mut parameters = BTreeMap::new();
            for (name, absent) in kind.parameters() {
                let tensor = match (self.optional(name)?, absent) {
                    (Some(tensor), _) => tensor,
                    (None, Some(value)) => Tensor::new(&[], vec![*value]),
                    (None, None) => return Err(FileError::Missing(self.name(name))),
                };
                parameters.insert(*name, tensor);
            }
            return Ok(Node::Neurons(Neurons { kind, parameters }));
        }
        Ok(match kind.as_str() {
            "Input" => Node::Input(self.extents("shape")?),
            "Output" => Node::Output(self.extents("shape")?),
            "Linear" => Node::Linear(self.tensor("weight")?),
            "Affine" => Node::Affine(self.tensor("weight")?, self.tensor("bias")?.data),
            "Conv1d" => Node::Conv1d(self.conv(1)?),
            "Conv2d" => Node::Conv2d(self.conv(2)?),
            "SumPool2d" | "AvgPool2d" => Node::Pool2d(Pool {
                kernel: self.spatial("kernel_size", 2)?,
                stride: self.spatial("stride", 2)?,
                padding: self.spatial("padding", 2)?,
                average: kind == "AvgPool2d",
            }),
            "Flatten" => {
                let dim = |name, absent| -> Result<i64, FileError> {
                    Ok(self.optional(name)?.map_or(absent, |tensor| tensor.at(0) as i64))
                };
                Node::Flatten(dim("start_dim", 1)?, dim("end_dim", -1)?)
            }
            "Scale" => Node::Scale(self.tensor("scale")?),
            "Threshold" => Node::Threshold(self.tensor("threshold")?),
            "Delay" => Node::Delay(self.tensor("delay")?),
            "NIRGraph" => Node::Graph(self.graph()?),
            other => return Err(FileError::Wrong { object: self.name("type"), found: format!("`{other}`") }),
        })
    }

    fn conv(&self, dimensions: usize) -> Result<Conv, FileError> {
        let padding = match self.string("padding") {
            Ok(Some(word)) if word == "same" => Padding::Same,
            Ok(Some(word)) if word == "valid" => Padding::Zeros(vec![0; dimensions]),
            Ok(Some(word)) => {
                return Err(FileError::Wrong { object: self.name("padding"), found: format!("`{word}`") });
            }
            _ => Padding::Zeros(self.spatial("padding", dimensions)?),
        };
        Ok(Conv {
            weight: self.tensor("weight")?,
            bias: self.tensor("bias")?.data,
            stride: self.spatial("stride", dimensions)?,
            padding,
            dilation: self.spatial("dilation", dimensions)?,
            groups: self.extents("groups")?[0],
            input_shape: self.optional("input_shape")?.map(|t| t.data.iter().map(|x| *x as usize).collect()),
        })
    }

    /// One number for each spatial dimension, or one for all.
    fn spatial(&self, name: &str, dimensions: usize) -> Result<Vec<usize>, FileError> {
        let extents = self.extents(name)?;
        if extents.len() == 1 { Ok(vec![extents[0]; dimensions]) } else { Ok(extents) }
    }

    fn extents(&self, name: &str) -> Result<Vec<usize>, FileError> {
        let tensor = self.tensor(name)?;
        let whole = |x: &f64| (*x >= 0.0 && x.fract() == 0.0).then_some(*x as usize);
        let wrong = || FileError::Wrong { object: self.name(name), found: format!("{:?}", tensor.data) };
        let extents: Option<Vec<usize>> = tensor.data.iter().map(whole).collect();
        extents.filter(|extents| !extents.is_empty()).ok_or_else(wrong)
    }

    fn tensor(&self, name: &str) -> Result<Tensor, FileError> {
        self.optional(name)?.ok_or_else(|| FileError::Missing(self.name(name)))
    }

    fn optional(&self, name: &str) -> Result<Option<Tensor>, FileError> {
        if !self.datasets.iter().any(|found| found == name) {
            return Ok(None);
        }
        let object = self.name(name);
        let dataset = self.group.dataset(name).map_err(at(&object))?;
        let shape: Vec<usize> =
            dataset.shape().map_err(at(&object))?.into_iter().map(|extent| extent as usize).collect();
        let data = dataset.read_f64().map_err(at(&object))?;
        if shape.iter().product::<usize>() != data.len() {
            return Err(FileError::Wrong { object, found: format!("{} numbers of shape {shape:?}", data.len()) });
        }
        Ok(Some(Tensor { shape, data }))
    }

    /// The one string of a dataset, where there is that dataset.
    fn string(&self, name: &str) -> Result<Option<String>, FileError> {
        if !self.datasets.iter().any(|found| found == name) {
            return Ok(None);
        }
        let mut strings = self.strings(name)?;
        Ok(strings.pop())
    }

    fn strings(&self, name: &str) -> Result<Vec<String>, FileError> {
        let object = self.name(name);
        let dataset = self.group.dataset(name).map_err(at(&object))?;
        // A graph without edges holds an empty array, of whatever type.
        if dataset.shape().map_err(at(&object))?.contains(&0) {
            return Ok(Vec::new());
        }
        match dataset.dtype().map_err(at(&object))? {
            DType::VariableLengthString => dataset.read_vlen_strings(VlenStringReadOptions::new()).map_err(at(&object)),
            DType::String => dataset.read_string().map_err(at(&object)),
            other => Err(FileError::Wrong { object, found: other.to_string() }),
        }
    }
}

/// Writes a graph.
///
/// # Errors
/// It cannot be written.
pub fn write(graph: &Graph, path: impl AsRef<Path>) -> Result<(), FileError> {
    let mut file = FileBuilder::new();
    file.create_dataset("version").with_vlen_strings(&["1.0"]).with_shape(&[]);
    let mut root = file.create_group("node");
    write_graph(graph, &mut root);
    file.add_group(root.finish());
    let bytes = file.finish().map_err(at("/"))?;
    Ok(fenn_isa::file::write_whole(path.as_ref(), &bytes)?)
}

fn write_graph(graph: &Graph, group: &mut GroupBuilder) {
    text(group, "type", "NIRGraph");
    let names: Vec<&str> = graph.edges.iter().flat_map(|(from, to)| [from.as_str(), to]).collect();
    group.create_dataset("edges").with_vlen_strings(&names).with_shape(&[graph.edges.len() as u64, 2]);
    let mut nodes = group.create_group("nodes");
    for (name, node) in &graph.nodes {
        let mut own = nodes.create_group(name);
        write_node(node, &mut own);
        nodes.add_group(own.finish());
    }
    group.add_group(nodes.finish());
}

fn text(group: &mut GroupBuilder, name: &str, text: &str) {
    group.create_dataset(name).with_vlen_strings(&[text]).with_shape(&[]);
}

fn reals(group: &mut GroupBuilder, name: &str, shape: &[usize], data: &[f64]) {
    let shape: Vec<u64> = shape.iter().map(|extent| *extent as u64).collect();
    group.create_dataset(name).with_f64_data(data).with_shape(&shape);
}

fn integers(group: &mut GroupBuilder, name: &str, data: &[usize]) {
    let data: Vec<i64> = data.iter().map(|extent| *extent as i64).collect();
    group.create_dataset(name).with_i64_data(&data).with_shape(&[data.len() as u64]);
}

fn integer(group: &mut GroupBuilder, name: &str, number: i64) {
    group.create_dataset(name).with_i64_data(&[number]).with_shape(&[]);
}

fn write_node(node: &Node, group: &mut GroupBuilder) {
    let tensor =
        |group: &mut GroupBuilder, name: &str, tensor: &Tensor| reals(group, name, &tensor.shape, &tensor.data);
    if let Node::Graph(graph) = node {
        return write_graph(graph, group);
    }
    text(group, "type", node.kind());
    match node {
        Node::Input(shape) | Node::Output(shape) => integers(group, "shape", shape),
        Node::Linear(weight) => tensor(group, "weight", weight),
        Node::Affine(weight, bias) => {
            tensor(group, "weight", weight);
            reals(group, "bias", &[bias.len()], bias);
        }
        Node::Conv1d(conv) | Node::Conv2d(conv) => write_conv(conv, group),
        Node::Pool2d(Pool { kernel, stride, padding, average: _ }) => {
            integers(group, "kernel_size", kernel);
            integers(group, "stride", stride);
            integers(group, "padding", padding);
        }
        Node::Flatten(start, end) => {
            integer(group, "start_dim", *start);
            integer(group, "end_dim", *end);
        }
        Node::Scale(scale) => tensor(group, "scale", scale),
        Node::Threshold(threshold) => tensor(group, "threshold", threshold),
        Node::Delay(delay) => tensor(group, "delay", delay),
        Node::Neurons(neurons) => neurons.parameters.iter().for_each(|(name, values)| tensor(group, name, values)),
        Node::Graph(_) => {}
    }
}

fn write_conv(conv: &Conv, group: &mut GroupBuilder) {
    let Conv { weight, bias, stride, padding, dilation, groups, input_shape } = conv;
    reals(group, "weight", &weight.shape, &weight.data);
    reals(group, "bias", &[bias.len()], bias);
    integers(group, "stride", stride);
    match padding {
        Padding::Zeros(zeros) => integers(group, "padding", zeros),
        Padding::Same => text(group, "padding", "same"),
    }
    integers(group, "dilation", dilation);
    integer(group, "groups", *groups as i64);
    if let Some(shape) = input_shape {
        integers(group, "input_shape", shape);
    }
}
