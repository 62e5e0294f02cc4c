//! From an HDF5 file to a [`Graph`].
//!
//! Nothing in the file is trusted: sizes are bounded before anything is allocated, and only the paths a NIR file has are
//! followed, so links that form a cycle cannot lead anywhere.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hdf5_pure::{DType, Dataset, File, Group, VlenStringReadOptions, is_hdf5_bytes};

use super::check::wrong_shape;
use super::{
    Conv, CubaLi, CubaLif, Edge, Graph, I, If, Li, Lif, Matrix, NirError, Node, Padding, Pool, Problem, Tensor,
};

/// The largest file [`read`] takes, in bytes: weights for a card's whole memory fit.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// Deflate, the strongest filter HDF5 files commonly use, expands one byte to at most 1032, so a dataset that claims more
/// than that times the size of its file lies.
const MAX_EXPANSION: u64 = 1032;

/// Graphs within graphs, at most this deep. A link from a group to one that it is in would otherwise have no end.
pub const MAX_NESTING: usize = 16;

/// More nodes than any graph has, those of nested graphs included: links could make exponentially many of a few.
const MAX_NODES: usize = 1 << 16;

/// No name or type in a NIR file is longer than this, in bytes.
const MAX_STRING_BYTES: u64 = 4096;

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
    // The HDF5 reader returns errors for all damage we know of, but it is a large parser of hostile input that we did not
    // write. Should it have a panic left, that is the file's fault to the user, so this is the one place that contains it.
    // Nothing outlives the closure, so no broken state can be seen afterwards.
    catch_unwind(AssertUnwindSafe(|| Reader::open(bytes)?.graph())).unwrap_or_else(|panic| {
        let reason = panic.downcast_ref::<&str>().map_or("internal error of the HDF5 reader", |text| text);
        Err(vec![damaged("/", reason)])
    })
}

fn damaged(object: &str, reason: impl ToString) -> Problem {
    Problem::Damaged { object: object.into(), reason: reason.to_string() }
}

/// An array as stored: shape, then row-major numbers.
struct Stored {
    shape: Vec<usize>,
    data: Vec<f64>,
}

struct Reader {
    file: File,
    /// No dataset may claim more bytes than this.
    max_bytes: u64,
}

impl Reader {
    fn open(bytes: Vec<u8>) -> Result<Reader, Vec<Problem>> {
        let max_bytes = (bytes.len() as u64).saturating_mul(MAX_EXPANSION);
        let file = File::from_bytes(bytes).map_err(|error| vec![damaged("/", error)])?;
        Ok(Reader { file, max_bytes })
    }

    fn graph(&self) -> Result<Graph, Vec<Problem>> {
        let root = self.group("node")?;
        let kind = self.string(&root, "/node", "type").map_err(one)?;
        match kind {
            None => return Err(vec![Problem::NotNir { object: "/node/type" }]),
            Some(kind) if kind != "NIRGraph" => return Err(vec![Problem::RootNotGraph { kind }]),
            Some(_) => {}
        }
        let version = self.string(&self.file.root(), "", "version").map_err(one)?.unwrap_or_default();
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
        let (parent, name) = path.rsplit_once('/').map_or((self.file.root(), path), |(parent, name)| {
            (self.file.group(parent).unwrap_or_else(|_| self.file.root()), name)
        });
        let present = parent.groups().map_err(|error| vec![damaged("/", error)])?.iter().any(|found| found == name);
        if !present {
            let object = if name == "nodes" { "/node/nodes" } else { "/node" };
            return Err(vec![Problem::NotNir { object }]);
        }
        self.file.group(path).map_err(|error| vec![damaged(path, error)])
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
        let Some(kind) = self.string(&group, &place, "type").map_err(one)? else {
            return Err(one(Problem::MissingDataset { node: name.into(), kind: "unknown".into(), dataset: "type" }));
        };
        if kind == "NIRGraph" {
            return Ok(Node::Graph(self.nested(&group, &place, name, depth, left)?));
        }
        Fields { reader: self, group, name, kind: &kind, place }.node().map_err(one)
    }

    /// The edges of the graph in `group`, or `None` if there are none of the name.
    fn edges(&self, group: &Group, place: &str) -> Result<Option<Vec<Edge>>, Problem> {
        let Some(dataset) = self.dataset(group, place, "edges")? else { return Ok(None) };
        let place = format!("{place}/edges");
        let shape = extents_of(&dataset, &place)?;
        // A graph without edges is stored as an empty array of any rank.
        if shape.contains(&0) {
            return Ok(Some(Vec::new()));
        }
        if shape.len() != 2 || shape[1] != 2 {
            return Err(Problem::EdgesShape { object: place, found: shape });
        }
        let mut names = self.strings(&dataset, &place)?.into_iter();
        let mut edges = Vec::new();
        while let (Some(from), Some(to)) = (names.next(), names.next()) {
            edges.push(Edge { from, to });
        }
        if edges.len() != shape[0] {
            return Err(damaged(&place, "fewer names than its shape says"));
        }
        Ok(Some(edges))
    }

    /// The dataset `name` of `group`, or `None` if there is no such dataset.
    fn dataset(&self, group: &Group, place: &str, name: &str) -> Result<Option<Dataset>, Problem> {
        let place = format!("{place}/{name}");
        if !group.datasets().map_err(|error| damaged(&place, error))?.iter().any(|found| found == name) {
            return Ok(None);
        }
        let dataset = group.dataset(name).map_err(|error| damaged(&place, error))?;
        let bytes = dataset.shape().and_then(|shape| {
            let width = dataset.element_size()?.max(size_of::<f64>() as u64);
            Ok(shape.iter().try_fold(width, |n, &extent| n.checked_mul(extent)))
        });
        match bytes.map_err(|error| damaged(&place, error))? {
            Some(bytes) if bytes <= self.max_bytes => Ok(Some(dataset)),
            _ => Err(damaged(&place, "its shape says more data than a file of this size can hold")),
        }
    }

    /// The one string in dataset `name` of `group`, or `None` if there is no such dataset.
    fn string(&self, group: &Group, place: &str, name: &str) -> Result<Option<String>, Problem> {
        let Some(dataset) = self.dataset(group, place, name)? else { return Ok(None) };
        let place = format!("{place}/{name}");
        let mut strings = self.strings(&dataset, &place)?;
        match (strings.pop(), strings.is_empty()) {
            (Some(text), true) => Ok(Some(text)),
            _ => Err(damaged(&place, "it does not hold exactly one string")),
        }
    }

    fn strings(&self, dataset: &Dataset, place: &str) -> Result<Vec<String>, Problem> {
        let element = dataset.element_size().map_err(|error| damaged(place, error))?;
        let strings = match dataset.dtype().map_err(|error| damaged(place, error))? {
            DType::VariableLengthString => {
                let limit = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
                dataset.read_vlen_strings(VlenStringReadOptions::new().with_max_payload_bytes(limit))
            }
            DType::String if element <= MAX_STRING_BYTES => dataset.read_string(),
            other => return Err(damaged(place, format!("it holds {other}, not strings"))),
        };
        strings.map_err(|error| damaged(place, error))
    }
}

/// The shape of a dataset, as `usize`.
fn extents_of(dataset: &Dataset, place: &str) -> Result<Vec<usize>, Problem> {
    let shape = dataset.shape().map_err(|error| damaged(place, error))?;
    shape.into_iter().map(|extent| usize::try_from(extent).map_err(|error| damaged(place, error))).collect()
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
        let Some(found) = self.reader.dataset(&self.group, &self.place, dataset)? else { return Ok(None) };
        let place = format!("{}/{dataset}", self.place);
        let dtype = found.dtype().map_err(|error| damaged(&place, error))?;
        let numeric = matches!(
            dtype,
            DType::F32
                | DType::F64
                | DType::I8
                | DType::I16
                | DType::I32
                | DType::I64
                | DType::U8
                | DType::U16
                | DType::U32
                | DType::U64
        );
        if !numeric {
            let (node, found) = (self.name.into(), dtype.to_string());
            return Err(Problem::WrongType { node, dataset, expected: "numbers", found });
        }
        let shape = extents_of(&found, &place)?;
        let data = found.read_f64().map_err(|error| damaged(&place, error))?;
        if super::len_of(&shape) != Some(data.len()) {
            return Err(damaged(&place, "its shape and the amount of its data disagree"));
        }
        Ok(Some(Stored { shape, data }))
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
        let Some(dataset) = self.reader.dataset(&self.group, &self.place, "padding")? else {
            return Err(self.missing("padding"));
        };
        let dtype = dataset.dtype().map_err(|error| damaged(&place, error))?;
        if !matches!(dtype, DType::VariableLengthString | DType::String) {
            return Ok(Padding::Zeros(self.required_each("padding")?));
        }
        match self.reader.string(&self.group, &self.place, "padding")?.as_deref() {
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
            ([only], Some(len)) if len as u64 <= self.reader.max_bytes => Ok(vec![*only; len]),
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
