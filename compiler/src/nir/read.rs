//! From an HDF5 file to a [`Graph`].
//!
//! Nothing in the file is trusted: sizes are bounded before anything is allocated, and only the paths a NIR file has are
//! followed, so links that form a cycle cannot lead anywhere.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5_pure::{DType, Group, is_hdf5_bytes};

use super::check::wrong_shape;
use super::{
    Conv, CubaLi, CubaLif, Edge, Graph, I, If, Li, Lif, Matrix, NirError, Node, Padding, Pool, Problem, Tensor,
};
use crate::hdf5::{self, Archive, Content, Stored, extents_of, guarded};

/// The largest file [`read`] takes, in bytes: weights for a card's whole memory fit.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// Graphs within graphs, at most this deep. A link from a group to one that it is in would otherwise have no end.
pub const MAX_NESTING: usize = 16;

/// More nodes than any graph has, those of nested graphs included: links could make exponentially many of a few.
const MAX_NODES: usize = 1 << 16;

/// Reads the NIR graph in `path`.
///
/// # Errors
/// Every [`Problem`] of the file, when it cannot be opened, is no NIR file, is damaged, or holds a graph that is not
/// well-formed in the sense of [`Graph::check`].
pub fn read(path: impl AsRef<Path>) -> Result<Graph, NirError> {
    let path = path.as_ref();
    read_bytes(path).map_err(|problems| NirError { file: path.to_path_buf(), problems })
}

fn read_bytes(path: &Path) -> Result<Graph, Vec<Problem>> {
    let size = std::fs::metadata(path).map_err(one)?.len();
    if size > MAX_FILE_BYTES {
        return Err(vec![Problem::TooLarge { bytes: size, limit: MAX_FILE_BYTES }]);
    }
    parse(std::fs::read(path).map_err(one)?)
}

fn one(problem: impl Into<Problem>) -> Vec<Problem> {
    vec![problem.into()]
}

/// The graph in the bytes of a file.
pub(super) fn parse(bytes: Vec<u8>) -> Result<Graph, Vec<Problem>> {
    if !is_hdf5_bytes(&bytes) {
        return Err(vec![Problem::NotHdf5]);
    }
    guarded(|| Reader { archive: Archive::open(bytes).map_err(one)? }.graph())
        .unwrap_or_else(|damaged| Err(one(damaged)))
}

fn damaged(object: &str, reason: impl ToString) -> Problem {
    hdf5::damaged(object, reason).into()
}

struct Reader {
    archive: Archive,
}

impl Reader {
    fn graph(&self) -> Result<Graph, Vec<Problem>> {
        let root = self.group("node")?;
        let kind = self.archive.string(&root, "/node", "type").map_err(one)?;
        match kind {
            None => return Err(vec![Problem::NotNir { object: "/node/type" }]),
            Some(kind) if kind != "NIRGraph" => return Err(vec![Problem::RootNotGraph { kind }]),
            Some(_) => {}
        }
        let version = self.archive.string(&self.archive.root(), "", "version").map_err(one)?.unwrap_or_default();
        let edges =
            self.edges(&root, "/node").map_err(one)?.ok_or_else(|| one(Problem::NotNir { object: "/node/edges" }))?;
        let group = self.group("node/nodes")?;
        let mut left = MAX_NODES;
        let nodes = self.nodes(&group, "/node/nodes", 0, &mut left)?;
        let graph = Graph { version, nodes, edges };
        let problems = graph.check();
        if problems.is_empty() { Ok(graph) } else { Err(problems) }
    }

    /// The nodes in a group. `left`: how many more may be read.
    fn nodes(
        &self,
        group: &Group,
        place: &str,
        depth: usize,
        left: &mut usize,
    ) -> Result<BTreeMap<String, Node>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut nodes = BTreeMap::new();
        for name in group.groups().map_err(|error| vec![damaged(place, error)])? {
            *left = left.checked_sub(1).ok_or_else(|| vec![damaged(place, format!("more than {MAX_NODES} nodes"))])?;
            match self.node(group, place, &name, depth, left) {
                Ok(node) => {
                    nodes.insert(name, node);
                }
                Err(found) => problems.extend(found),
            }
        }
        // A graph with holes would only repeat them as unknown nodes.
        if problems.is_empty() { Ok(nodes) } else { Err(problems) }
    }

    /// A graph that is a node of another.
    fn nested(
        &self,
        group: &Group,
        place: &str,
        name: &str,
        depth: usize,
        left: &mut usize,
    ) -> Result<Graph, Vec<Problem>> {
        if depth >= MAX_NESTING {
            return Err(vec![damaged(place, format!("graphs are nested more than {MAX_NESTING} deep"))]);
        }
        let missing = |dataset| Problem::MissingDataset { node: name.into(), kind: "NIRGraph".into(), dataset };
        let edges = self.edges(group, place).map_err(one)?.ok_or_else(|| one(missing("edges")))?;
        let present = group.groups().map_err(|error| vec![damaged(place, error)])?.iter().any(|found| found == "nodes");
        if !present {
            return Err(vec![missing("nodes")]);
        }
        let inner = group.group("nodes").map_err(|error| vec![damaged(place, error)])?;
        let nodes = self
            .nodes(&inner, &format!("{place}/nodes"), depth + 1, left)
            .map_err(|problems| problems.into_iter().map(|problem| problem.within(name)).collect::<Vec<_>>())?;
        Ok(Graph { version: String::new(), nodes, edges })
    }

    fn group(&self, path: &'static str) -> Result<Group, Vec<Problem>> {
        let (parent, name) = path.rsplit_once('/').map_or((self.archive.root(), path), |(parent, name)| {
            (self.archive.group(parent).unwrap_or_else(|_| self.archive.root()), name)
        });
        let present = parent.groups().map_err(|error| vec![damaged("/", error)])?.iter().any(|found| found == name);
        if !present {
            let object = if name == "nodes" { "/node/nodes" } else { "/node" };
            return Err(vec![Problem::NotNir { object }]);
        }
        self.archive.group(path).map_err(one)
    }

    fn node(
        &self,
        nodes: &Group,
        place: &str,
        name: &str,
        depth: usize,
        left: &mut usize,
    ) -> Result<Node, Vec<Problem>> {
        let place = format!("{place}/{name}");
        let group = nodes.group(name).map_err(|error| vec![damaged(&place, error)])?;
        let Some(kind) = self.archive.string(&group, &place, "type").map_err(one)? else {
            return Err(one(Problem::MissingDataset { node: name.into(), kind: "unknown".into(), dataset: "type" }));
        };
        if kind == "NIRGraph" {
            return Ok(Node::Graph(self.nested(&group, &place, name, depth, left)?));
        }
        Fields { reader: self, group, name, kind: &kind, place }.node().map_err(one)
    }

    /// The edges of the graph in `group`, or `None` if there are none of the name.
    fn edges(&self, group: &Group, place: &str) -> Result<Option<Vec<Edge>>, Problem> {
        let Some(dataset) = self.archive.dataset(group, place, "edges")? else { return Ok(None) };
        let place = format!("{place}/edges");
        let shape = extents_of(&dataset, &place)?;
        // A graph without edges is stored as an empty array of any rank.
        if shape.contains(&0) {
            return Ok(Some(Vec::new()));
        }
        if shape.len() != 2 || shape[1] != 2 {
            return Err(Problem::EdgesShape { object: place, found: shape });
        }
        let mut names = self.archive.strings(&dataset, &place)?.into_iter();
        let mut edges = Vec::new();
        while let (Some(from), Some(to)) = (names.next(), names.next()) {
            edges.push(Edge { from, to });
        }
        if edges.len() != shape[0] {
            return Err(damaged(&place, "fewer names than its shape says"));
        }
        Ok(Some(edges))
    }
}

/// The datasets of one node.
struct Fields<'a> {
    reader: &'a Reader,
    group: Group,
    name: &'a str,
    kind: &'a str,
    place: String,
}

impl Fields<'_> {
    fn node(&self) -> Result<Node, Problem> {
        Ok(match self.kind {
            "Input" => Node::Input { shape: self.extents("shape")? },
            "Output" => Node::Output { shape: self.extents("shape")? },
            "Linear" => Node::Linear { weight: self.matrix("weight")? },
            "Affine" => {
                let weight = self.matrix("weight")?;
                let bias = self.required("bias")?;
                let bias = self.fill("bias", bias, &[weight.rows])?;
                Node::Affine { weight, bias }
            }
            "Conv1d" => Node::Conv1d(self.conv("[out, in / groups, columns]")?),
            "Conv2d" => Node::Conv2d(self.conv("[out, in / groups, rows, columns]")?),
            "SumPool2d" => Node::SumPool2d(self.pool()?),
            "AvgPool2d" => Node::AvgPool2d(self.pool()?),
            "Flatten" => {
                let input_shape = self.present("input_type").then(|| self.extents("input_type")).transpose()?;
                let start_dim = self.integer("start_dim", 1)?;
                Node::Flatten { input_shape, start_dim, end_dim: self.integer("end_dim", -1)? }
            }
            "Scale" => Node::Scale { scale: self.tensor("scale")? },
            "Threshold" => Node::Threshold { threshold: self.tensor("threshold")? },
            "Delay" => Node::Delay { delay: self.tensor("delay")? },
            "I" => {
                let (shape, [r]) = self.population([("r", None)])?;
                Node::I(I { shape, r })
            }
            "IF" => {
                let names = [("r", None), ("v_threshold", None), ("v_reset", Some(0.0))];
                let (shape, [r, v_threshold, v_reset]) = self.population(names)?;
                Node::If(If { shape, r, v_threshold, v_reset })
            }
            "LIF" => self.lif()?,
            "CubaLIF" => self.cuba_lif()?,
            "LI" => self.li()?,
            "CubaLI" => self.cuba_li()?,
            kind => Node::Other { kind: kind.to_owned() },
        })
    }

    /// Whether the node has a dataset of this name. Where that cannot be read, reading it says so.
    fn present(&self, dataset: &str) -> bool {
        self.group.datasets().map_or(true, |found| found.iter().any(|name| name == dataset))
    }

    /// The numbers of `dataset`, or `None` if the node has no such dataset.
    fn optional(&self, dataset: &'static str) -> Result<Option<Stored>, Problem> {
        match self.reader.archive.numbers(&self.group, &self.place, dataset)? {
            None => Ok(None),
            Some(Content::Numbers(stored)) => Ok(Some(stored)),
            Some(Content::Other(found)) => {
                Err(Problem::WrongType { node: self.name.into(), dataset, expected: "numbers", found })
            }
        }
    }

    fn required(&self, dataset: &'static str) -> Result<Stored, Problem> {
        self.optional(dataset)?.ok_or_else(|| self.missing(dataset))
    }

    fn missing(&self, dataset: &'static str) -> Problem {
        Problem::MissingDataset { node: self.name.into(), kind: self.kind.into(), dataset }
    }

    /// A dataset that states a shape: whole numbers, not negative.
    fn extents(&self, dataset: &'static str) -> Result<Vec<usize>, Problem> {
        let stored = self.required(dataset)?;
        self.whole(dataset, &stored)
    }

    fn whole(&self, dataset: &'static str, stored: &Stored) -> Result<Vec<usize>, Problem> {
        if stored.shape.len() > 1 {
            return Err(wrong_shape(self.name, dataset, "[dimensions]", &stored.shape));
        }
        // 2^53: beyond it, `f64` no longer tells neighbouring integers apart.
        let whole = |&value: &f64| (0.0..9_007_199_254_740_992.0).contains(&value) && value.fract() == 0.0;
        if let Some(&value) = stored.data.iter().find(|value| !whole(value)) {
            let (node, found) = (self.name.into(), value.to_string());
            return Err(Problem::WrongType { node, dataset, expected: "whole numbers, 0 or more", found });
        }
        Ok(stored.data.iter().map(|&value| value as usize).collect())
    }

    /// One whole number for each of `D` dimensions, or one for all of them.
    fn each<const D: usize>(&self, dataset: &'static str, stored: &Stored) -> Result<[usize; D], Problem> {
        let extents = self.whole(dataset, stored)?;
        match extents[..] {
            [extent] => Ok([extent; D]),
            _ => extents
                .try_into()
                .map_err(|_| wrong_shape(self.name, dataset, &format!("[{D}] (or a scalar)"), &stored.shape)),
        }
    }

    fn required_each<const D: usize>(&self, dataset: &'static str) -> Result<[usize; D], Problem> {
        self.each(dataset, &self.required(dataset)?)
    }

    fn integer(&self, dataset: &'static str, absent: i64) -> Result<i64, Problem> {
        let Some(stored) = self.optional(dataset)? else { return Ok(absent) };
        match stored.data[..] {
            [value] if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 => Ok(value as i64),
            [value] => {
                let (node, found) = (self.name.into(), value.to_string());
                Err(Problem::WrongType { node, dataset, expected: "a whole number", found })
            }
            _ => Err(wrong_shape(self.name, dataset, "[] (a scalar)", &stored.shape)),
        }
    }

    fn tensor(&self, dataset: &'static str) -> Result<Tensor, Problem> {
        let Stored { shape, data } = self.required(dataset)?;
        Ok(Tensor { shape, data })
    }

    fn conv<const D: usize>(&self, expected: &'static str) -> Result<Conv<D>, Problem> {
        let Stored { shape, data: weight } = self.required("weight")?;
        let (out_channels, group_channels, kernel) = match shape[..] {
            [out, group, ref kernel @ ..] if kernel.len() == D => {
                let mut extents = [0; D];
                extents.copy_from_slice(kernel);
                (out, group, extents)
            }
            _ => return Err(wrong_shape(self.name, "weight", expected, &shape)),
        };
        // Before anything is made of extents that no data bear out.
        if weight.is_empty() {
            return Err(wrong_shape(self.name, "weight", &format!("{expected}, none of them 0"), &shape));
        }
        let bias = match self.optional("bias")? {
            Some(bias) => self.fill("bias", bias, &[out_channels])?,
            None => vec![0.0; out_channels],
        };
        let input_shape = match self.optional("input_shape")? {
            Some(stored) => Some(self.each("input_shape", &stored)?),
            None => None,
        };
        let [groups] = self.required_each("groups")?;
        Ok(Conv {
            out_channels,
            group_channels,
            kernel,
            weight,
            bias,
            stride: self.required_each("stride")?,
            padding: self.padding()?,
            dilation: self.required_each("dilation")?,
            groups,
            input_shape,
        })
    }

    fn padding<const D: usize>(&self) -> Result<Padding<D>, Problem> {
        let place = format!("{}/padding", self.place);
        let Some(dataset) = self.reader.archive.dataset(&self.group, &self.place, "padding")? else {
            return Err(self.missing("padding"));
        };
        let dtype = dataset.dtype().map_err(|error| damaged(&place, error))?;
        if !matches!(dtype, DType::VariableLengthString | DType::String) {
            return Ok(Padding::Zeros(self.required_each("padding")?));
        }
        match self.reader.archive.string(&self.group, &self.place, "padding")?.as_deref() {
            Some("same") => Ok(Padding::Same),
            Some("valid") => Ok(Padding::Valid),
            text => {
                let found = format!("`{}`", text.unwrap_or_default());
                let expected = "whole numbers, `same` or `valid`";
                Err(Problem::WrongType { node: self.name.into(), dataset: "padding", expected, found })
            }
        }
    }

    fn pool(&self) -> Result<Pool, Problem> {
        Ok(Pool {
            kernel: self.required_each("kernel_size")?,
            stride: self.required_each("stride")?,
            padding: self.required_each("padding")?,
        })
    }

    fn matrix(&self, dataset: &'static str) -> Result<Matrix, Problem> {
        let Stored { shape, data } = self.required(dataset)?;
        match shape[..] {
            [rows, cols] => Ok(Matrix { rows, cols, data }),
            _ => Err(wrong_shape(self.name, dataset, "[targets, sources]", &shape)),
        }
    }

    /// `stored` as one number per element of `shape`, repeated if it is one number.
    fn fill(&self, dataset: &'static str, stored: Stored, shape: &[usize]) -> Result<Vec<f64>, Problem> {
        if stored.shape == shape {
            return Ok(stored.data);
        }
        match (&stored.data[..], super::len_of(shape)) {
            ([only], Some(len)) if len as u64 <= self.reader.archive.max_bytes() => Ok(vec![*only; len]),
            _ => Err(wrong_shape(self.name, dataset, &format!("{shape:?} (or a scalar)"), &stored.shape)),
        }
    }

    /// The shape shared by all of a neuron's parameters, and the parameters in the order of `datasets`. A parameter that
    /// the file does not have takes the number given with its name.
    fn population<const N: usize>(
        &self,
        datasets: [(&'static str, Option<f64>); N],
    ) -> Result<(Vec<usize>, [Vec<f64>; N]), Problem> {
        let mut all = Vec::with_capacity(N);
        for (dataset, absent) in datasets {
            all.push(match absent {
                None => self.required(dataset)?,
                Some(value) => self.optional(dataset)?.unwrap_or(Stored { shape: vec![], data: vec![value] }),
            });
        }
        // The shape of those with more than one number; then of those with a dimension.
        let shapes = || all.iter().map(|stored| &stored.shape);
        let shape = shapes().find(|shape| super::len_of(shape) != Some(1)).or_else(|| shapes().find(|s| !s.is_empty()));
        let shape = shape.cloned().unwrap_or_default();
        let mut parameters = [const { Vec::new() }; N];
        for ((parameter, stored), (dataset, _)) in parameters.iter_mut().zip(all).zip(datasets) {
            *parameter = self.fill(dataset, stored, &shape)?;
        }
        Ok((shape, parameters))
    }

    fn lif(&self) -> Result<Node, Problem> {
        let names = [("tau", None), ("r", None), ("v_leak", None), ("v_threshold", None), ("v_reset", Some(0.0))];
        let (shape, [tau, r, v_leak, v_threshold, v_reset]) = self.population(names)?;
        Ok(Node::Lif(Lif { shape, tau, r, v_leak, v_threshold, v_reset }))
    }

    fn cuba_lif(&self) -> Result<Node, Problem> {
        let names = [
            ("tau_syn", None),
            ("tau_mem", None),
            ("r", None),
            ("v_leak", None),
            ("v_threshold", None),
            ("v_reset", Some(0.0)),
            ("w_in", Some(1.0)),
        ];
        let (shape, [tau_syn, tau_mem, r, v_leak, v_threshold, v_reset, w_in]) = self.population(names)?;
        Ok(Node::CubaLif(CubaLif { shape, tau_syn, tau_mem, r, v_leak, v_threshold, v_reset, w_in }))
    }

    fn li(&self) -> Result<Node, Problem> {
        let (shape, [tau, r, v_leak]) = self.population([("tau", None), ("r", None), ("v_leak", None)])?;
        Ok(Node::Li(Li { shape, tau, r, v_leak }))
    }

    fn cuba_li(&self) -> Result<Node, Problem> {
        let names = [("tau_syn", None), ("tau_mem", None), ("r", None), ("v_leak", None), ("w_in", Some(1.0))];
        let (shape, [tau_syn, tau_mem, r, v_leak, w_in]) = self.population(names)?;
        Ok(Node::CubaLi(CubaLi { shape, tau_syn, tau_mem, r, v_leak, w_in }))
    }
}
