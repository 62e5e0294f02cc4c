//! NIR files: a trained network as the Neuromorphic Intermediate Representation stores it (HDF5).
//!
//! [`read()`] returns a [`Graph`] in which every number is finite, every array has the shape its node type asks for, every
//! edge joins two nodes that exist and agree on their size, and there is at least one [`Node::Input`] and one
//! [`Node::Output`]; otherwise it returns every [`Problem`] of the file at once. [`write()`] accepts exactly the graphs
//! [`read()`] can return, and what it wrote reads back equal (and is accepted by the Python package `nir`).
//!
//! The layout is the one of `nir` 0.1 to 1.0: `/version`, `/node/type` = `NIRGraph`, `/node/edges` (`[n, 2]` names),
//! `/node/nodes/NAME/type` and one dataset per parameter; a nested graph is a node with `edges` and `nodes` of its own.
//! Numbers of any stored width arrive as `f64`.
//!
//! Deliberately not here: time. NIR files carry no time step, so `dt`, the Euler variant and the reset mode belong to the
//! importer. Nor is there any lowering, and node types without a typed form here are kept as [`Node::Other`], by name and
//! type only, so that the importer can refuse them with both.

mod check;
mod flat;
mod problem;
mod read;
mod shape;
mod write;

pub use problem::{NirError, Problem};
pub use read::{MAX_FILE_BYTES, MAX_NESTING, read};
pub use shape::ShapeError;
pub use write::write;

use std::collections::BTreeMap;

/// A NIR graph: named nodes, and edges that add the value of one node to the input of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The version of the NIR format the file states (`/version`), or an empty string when it states none.
    pub version: String,
    /// The nodes by name, in the byte order of their names (HDF5 keeps no other).
    pub nodes: BTreeMap<String, Node>,
    /// The edges, in file order.
    pub edges: Vec<Edge>,
}

impl Graph {
    /// The [`Node::Input`] nodes, in name order.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.named(|node| matches!(node, Node::Input { .. }))
    }

    /// The [`Node::Output`] nodes, in name order.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.named(|node| matches!(node, Node::Output { .. }))
    }

    /// The only node of a list.
    fn only<'g>(&self, mut nodes: impl Iterator<Item = (&'g str, &'g Node)>) -> Option<&'g Node> {
        let (_, node) = nodes.next()?;
        nodes.next().is_none().then_some(node)
    }

    fn named(&self, keep: fn(&Node) -> bool) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().filter(move |(_, node)| keep(node)).map(|(name, node)| (name.as_str(), node))
    }
}

/// One edge: the output of `from` is an input of `to`. Several edges into one node add up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Name of the source node.
    pub from: String,
    /// Name of the target node.
    pub to: String,
}

/// A node of a [`Graph`]. `x` is its input of a time step; equations are NIR's, in continuous time.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Where values enter. `shape` without batch or time, row-major.
    Input {
        /// Extent of each dimension.
        shape: Vec<usize>,
    },
    /// Where values leave.
    Output {
        /// Extent of each dimension.
        shape: Vec<usize>,
    },
    /// `y = W x`.
    Linear {
        /// `W`, one row per target.
        weight: Matrix,
    },
    /// `y = W x + b`, `b` added in every time step.
    Affine {
        /// `W`, one row per target.
        weight: Matrix,
        /// `b`, one number per row of `W`.
        bias: Vec<f64>,
    },
    /// Cross-correlation of channels with one spatial dimension; values have shape `[channels, columns]`.
    Conv1d(Conv<1>),
    /// Cross-correlation of channels with two spatial dimensions; values have shape `[channels, rows, columns]`.
    Conv2d(Conv<2>),
    /// The sum over each window, for each channel.
    SumPool2d(Pool),
    /// The sum over each window, divided by the window's size (zeros around the image count), for each channel.
    AvgPool2d(Pool),
    /// The dimensions from `start_dim` to `end_dim` become one; the numbers stay in their row-major order.
    Flatten {
        /// The shape that comes in, where the file states it.
        input_shape: Option<Vec<usize>>,
        /// The first, counted from 0, without batch or time; negative ones from behind.
        start_dim: i64,
        /// The last, counted likewise.
        end_dim: i64,
    },
    /// `y = scale x`, element by element.
    Scale {
        /// One factor per element, or one for all.
        scale: Tensor,
    },
    /// `y = 1` where `x > threshold`, otherwise 0, element by element.
    Threshold {
        /// One threshold per element, or one for all.
        threshold: Tensor,
    },
    /// `y(t) = x(t - delay)`, element by element.
    Delay {
        /// One delay per element, or one for all, in the file's unit of time; not negative.
        delay: Tensor,
    },
    /// Integrators.
    I(I),
    /// Integrate-and-fire neurons.
    If(If),
    /// Leaky integrate-and-fire neurons.
    Lif(Lif),
    /// Leaky integrate-and-fire neurons behind an exponential current synapse.
    CubaLif(CubaLif),
    /// Leaky integrators.
    Li(Li),
    /// Leaky integrators behind an exponential current synapse.
    CubaLi(CubaLi),
    /// A graph within the graph: what leads to the node leads to its one Input, what leads from it leads from its one Output.
    /// Its [`Graph::version`] is empty.
    Graph(Graph),
    /// Any other node type, without its parameters.
    Other {
        /// The type as the file states it, for example `Conv3d`.
        kind: String,
    },
}

impl Node {
    /// The node's type as NIR spells it.
    pub fn kind(&self) -> &str {
        match self {
            Node::Input { .. } => "Input",
            Node::Output { .. } => "Output",
            Node::Linear { .. } => "Linear",
            Node::Affine { .. } => "Affine",
            Node::Conv1d(_) => "Conv1d",
            Node::Conv2d(_) => "Conv2d",
            Node::SumPool2d(_) => "SumPool2d",
            Node::AvgPool2d(_) => "AvgPool2d",
            Node::Flatten { .. } => "Flatten",
            Node::Scale { .. } => "Scale",
            Node::Threshold { .. } => "Threshold",
            Node::Delay { .. } => "Delay",
            Node::I(_) => "I",
            Node::If(_) => "IF",
            Node::Lif(_) => "LIF",
            Node::CubaLif(_) => "CubaLIF",
            Node::Li(_) => "LI",
            Node::CubaLi(_) => "CubaLI",
            Node::Graph(_) => "NIRGraph",
            Node::Other { kind } => kind,
        }
    }

    /// How many numbers the node takes per time step; `None` where the file does not say by this node alone: for
    /// [`Node::Other`], for nodes whose parameters are all single numbers, which take on the size of what feeds them, and
    /// for nodes that take images of any size.
    pub fn input_len(&self) -> Option<usize> {
        match self {
            Node::Linear { weight } | Node::Affine { weight, .. } => Some(weight.cols),
            Node::Conv1d(conv) => conv.input_len(),
            Node::Conv2d(conv) => conv.input_len(),
            Node::Flatten { input_shape, .. } => input_shape.as_deref().and_then(len_of),
            Node::Graph(graph) => graph.only(graph.inputs()).and_then(Node::input_len),
            other => other.output_len(),
        }
    }

    /// How many numbers the node gives per time step; `None` as for [`Node::input_len`].
    pub fn output_len(&self) -> Option<usize> {
        match self {
            Node::Input { shape } | Node::Output { shape } => len_of(shape),
            Node::Linear { weight } | Node::Affine { weight, .. } => Some(weight.rows),
            Node::Conv1d(conv) => conv.output_len(),
            Node::Conv2d(conv) => conv.output_len(),
            Node::SumPool2d(_) | Node::AvgPool2d(_) => None,
            Node::Flatten { .. } => self.input_len(),
            Node::Scale { scale: tensor } | Node::Threshold { threshold: tensor } | Node::Delay { delay: tensor } => {
                population_len(&tensor.shape)
            }
            Node::I(p) => population_len(&p.shape),
            Node::If(p) => population_len(&p.shape),
            Node::Lif(p) => population_len(&p.shape),
            Node::CubaLif(p) => population_len(&p.shape),
            Node::Li(p) => population_len(&p.shape),
            Node::CubaLi(p) => population_len(&p.shape),
            Node::Graph(graph) => graph.only(graph.outputs()).and_then(Node::output_len),
            Node::Other { .. } => None,
        }
    }
}

/// The number of elements of `shape`, or `None` if it is beyond `usize`.
fn len_of(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |n, &extent| n.checked_mul(extent))
}

/// As [`len_of`], but one number stands for any number of elements.
fn population_len(shape: &[usize]) -> Option<usize> {
    len_of(shape).filter(|len| *len != 1)
}

/// Numbers with a shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Extent of each dimension; `[]` for one number.
    pub shape: Vec<usize>,
    /// As many numbers as the product of the extents.
    pub data: Vec<f64>,
}

/// `y[o] = b[o] + Σ W[o][i] ⋆ x[first + i]` over the channels `i` of the group that `o` is of, `first` being that group's first:
/// a cross-correlation (the kernel is not turned round) in `D` spatial dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv<const D: usize> {
    /// Channels that come out.
    pub out_channels: usize,
    /// Channels of a group that come in, so `groups` times as many in all.
    pub group_channels: usize,
    /// Extents of the kernel.
    pub kernel: [usize; D],
    /// `W`, `[out_channels][group_channels][kernel…]`.
    pub weight: Vec<f64>,
    /// `b`, one number per channel that comes out, in every time step and place.
    pub bias: Vec<f64>,
    /// From one place to the next, in each dimension.
    pub stride: [usize; D],
    /// Zeros around what comes in.
    pub padding: Padding<D>,
    /// From one element of the kernel to the next, in each dimension.
    pub dilation: [usize; D],
    /// Groups of channels that know nothing of each other.
    pub groups: usize,
    /// Spatial extents of what comes in, where the file states them.
    pub input_shape: Option<[usize; D]>,
}

/// Zeros around an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const D: usize> {
    /// As many before and behind, in each dimension.
    Zeros([usize; D]),
    /// As many in all as make what comes out as large as what comes in for a stride of 1; the odd one behind.
    Same,
    /// None.
    Valid,
}

/// Windows over the rows and columns of each channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Rows and columns of a window.
    pub kernel: [usize; 2],
    /// Rows and columns from one window to the next.
    pub stride: [usize; 2],
    /// Rows and columns of zeros before and behind.
    pub padding: [usize; 2],
}

/// A dense matrix, row-major: `data[row * cols + col]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Number of targets.
    pub rows: usize,
    /// Number of sources.
    pub cols: usize,
    /// `rows * cols` numbers.
    pub data: Vec<f64>,
}

impl Matrix {
    /// Row `row`: the weights of all sources onto that target.
    ///
    /// # Panics
    /// If `row >= rows`.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.data[row * self.cols..(row + 1) * self.cols]
    }
}

impl Tensor {
    /// The number of element `index`; the only one, where there is one for all.
    ///
    /// # Panics
    /// If `index` is beyond the numbers.
    pub fn at(&self, index: usize) -> f64 {
        if self.data.len() == 1 { self.data[0] } else { self.data[index] }
    }
}

/// Declares one neuron type: its struct, and its parameters as `(name in the file, values)` pairs.
macro_rules! population {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),* $(,)? }) => {
        $(#[$doc])*
        ///
        /// Each parameter has one number per neuron (row-major over `shape`); a scalar in the file is repeated.
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            /// Extent of each dimension of the population; `[]` when every parameter in the file is a scalar.
            pub shape: Vec<usize>,
            $($(#[$field_doc])* pub $field: Vec<f64>,)*
        }

        impl $name {
            /// Every parameter, named as in the file.
            fn parameters(&self) -> Vec<(&'static str, &[f64])> {
                // Destructured in full, so that a new parameter cannot be forgotten.
                let Self { shape: _, $($field),* } = self;
                vec![$((stringify!($field), $field.as_slice())),*]
            }
        }
    };
}

population! {
    /// `v' = r x`; gives `v`.
    I {
        /// Resistance.
        r,
    }
}

population! {
    /// `v' = r x`; a spike where `v > v_threshold`, then `v = v_reset`.
    If {
        /// Resistance.
        r,
        /// Firing threshold.
        v_threshold,
        /// Reset potential; 0 where the file has none.
        v_reset,
    }
}

population! {
    /// `tau v' = (v_leak - v) + r x`; a spike where `v > v_threshold`, then `v = v_reset`.
    Lif {
        /// Membrane time constant, in the file's unit of time (seconds by convention).
        tau,
        /// Resistance.
        r,
        /// Leak potential.
        v_leak,
        /// Firing threshold.
        v_threshold,
        /// Reset potential; 0 where the file has none.
        v_reset,
    }
}

population! {
    /// `tau_syn i' = -i + w_in x`, `tau_mem v' = (v_leak - v) + r i`; a spike where `v > v_threshold`, then `v = v_reset`.
    CubaLif {
        /// Synaptic time constant, in the file's unit of time.
        tau_syn,
        /// Membrane time constant, in the file's unit of time.
        tau_mem,
        /// Resistance.
        r,
        /// Leak potential.
        v_leak,
        /// Firing threshold.
        v_threshold,
        /// Reset potential; 0 where the file has none.
        v_reset,
        /// Weight of the input; 1 where the file has none.
        w_in,
    }
}

population! {
    /// `tau v' = (v_leak - v) + r x`; gives `v`.
    Li {
        /// Membrane time constant, in the file's unit of time.
        tau,
        /// Resistance.
        r,
        /// Leak potential.
        v_leak,
    }
}

population! {
    /// `tau_syn i' = -i + w_in x`, `tau_mem v' = (v_leak - v) + r i`; gives `v`.
    CubaLi {
        /// Synaptic time constant, in the file's unit of time.
        tau_syn,
        /// Membrane time constant, in the file's unit of time.
        tau_mem,
        /// Resistance.
        r,
        /// Leak potential.
        v_leak,
        /// Weight of the input; 1 where the file has none.
        w_in,
    }
}
