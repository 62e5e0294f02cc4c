//! From an HDF5 file to a [`Graph`].
//!
//! Nothing in the file is trusted: sizes are bounded before anything is allocated, and only the paths a NIR file has are
//! followed, so links that form a cycle cannot lead anywhere.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hdf5_pure::{DType, Dataset, File, Group, VlenStringReadOptions, is_hdf5_bytes};

use super::check::wrong_shape;
use super::{CubaLi, CubaLif, Edge, Graph, Li, Lif, Matrix, NirError, Node, Problem};

/// The largest file [`read`] takes, in bytes: weights for a card's whole memory fit.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// Deflate, the strongest filter HDF5 files commonly use, expands one byte to at most 1032, so a dataset that claims more
/// than that times the size of its file lies.
const MAX_EXPANSION: u64 = 1032;

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
        let edges = self.edges(&root).map_err(one)?;
        let group = self.group("node/nodes")?;
        let mut problems = Vec::new();
        let mut nodes = BTreeMap::new();
        for name in group.groups().map_err(|error| vec![damaged("/node/nodes", error)])? {
            match self.node(&group, &name) {
                Ok(node) => {
                    nodes.insert(name, node);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            // A graph with holes would only repeat them as unknown nodes.
            return Err(problems);
        }
        let graph = Graph { version, nodes, edges };
        let problems = graph.check();
        if problems.is_empty() { Ok(graph) } else { Err(problems) }
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

    fn node(&self, nodes: &Group, name: &str) -> Result<Node, Problem> {
        let place = format!("/node/nodes/{name}");
        let group = nodes.group(name).map_err(|error| damaged(&place, error))?;
        let Some(kind) = self.string(&group, &place, "type")? else {
            return Err(Problem::MissingDataset { node: name.into(), kind: "unknown".into(), dataset: "type" });
        };
        let fields = Fields { reader: self, group, name, kind: &kind, place };
        Ok(match kind.as_str() {
            "Input" => Node::Input { shape: fields.extents("shape")? },
            "Output" => Node::Output { shape: fields.extents("shape")? },
            "Linear" => Node::Linear { weight: fields.matrix("weight")? },
            "Affine" => {
                let weight = fields.matrix("weight")?;
                let bias = fields.required("bias")?;
                let bias = fields.fill("bias", bias, &[weight.rows])?;
                Node::Affine { weight, bias }
            }
            "LIF" => fields.lif()?,
            "CubaLIF" => fields.cuba_lif()?,
            "LI" => fields.li()?,
            "CubaLI" => fields.cuba_li()?,
            _ => Node::Other { kind },
        })
    }

    fn edges(&self, root: &Group) -> Result<Vec<Edge>, Problem> {
        let place = "/node/edges";
        let Some(dataset) = self.dataset(root, "/node", "edges")? else {
            return Err(Problem::NotNir { object: place });
        };
        let shape = extents_of(&dataset, place)?;
        // A graph without edges is stored as an empty array of any rank.
        if shape.contains(&0) {
            return Ok(Vec::new());
        }
        if shape.len() != 2 || shape[1] != 2 {
            return Err(Problem::EdgesShape { found: shape });
        }
        let mut names = self.strings(&dataset, place)?.into_iter();
        let mut edges = Vec::new();
        while let (Some(from), Some(to)) = (names.next(), names.next()) {
            edges.push(Edge { from, to });
        }
        if edges.len() != shape[0] {
            return Err(damaged(place, "fewer names than its shape says"));
        }
        Ok(edges)
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
        self.optional(dataset)?.ok_or_else(|| Problem::MissingDataset {
            node: self.name.into(),
            kind: self.kind.into(),
            dataset,
        })
    }

    /// A dataset that states a shape: whole numbers, not negative.
    fn extents(&self, dataset: &'static str) -> Result<Vec<usize>, Problem> {
        let stored = self.required(dataset)?;
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

    fn matrix(&self, dataset: &'static str) -> Result<Matrix, Problem> {
        let Stored { shape, data } = self.required(dataset)?;
        match shape[..] {
            [rows, cols] => Ok(Matrix { rows, cols, data }),
            _ => Err(wrong_shape(self.name, dataset, "[targets, sources]", &shape)),
        }
    }

    /// `stored` as one number per element of `shape`, repeated if it is a scalar.
    fn fill(&self, dataset: &'static str, stored: Stored, shape: &[usize]) -> Result<Vec<f64>, Problem> {
        if stored.shape == shape {
            return Ok(stored.data);
        }
        match (&stored.shape[..], super::len_of(shape)) {
            ([], Some(len)) => Ok(vec![stored.data[0]; len]),
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
        let shape = all.iter().map(|stored| &stored.shape).find(|shape| !shape.is_empty()).cloned().unwrap_or_default();
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
