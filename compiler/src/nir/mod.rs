//! NIR files: a trained network as the Neuromorphic Intermediate Representation stores it (HDF5).
//!
//! [`read()`] returns a [`Graph`] in which every number is finite, every array has the shape its node type asks for, every
//! edge joins two nodes that exist and agree on their size, and there is at least one [`Node::Input`] and one
//! [`Node::Output`]; otherwise it returns every [`Problem`] of the file at once. [`write()`] accepts exactly the graphs
//! [`read()`] can return, and what it wrote reads back equal (and is accepted by the Python package `nir`).
//!
//! The layout is the one of `nir` 0.1 to 1.0: `/version`, `/node/type` = `NIRGraph`, `/node/edges` (`[n, 2]` names),
//! `/node/nodes/NAME/type` and one dataset per parameter. Numbers of any stored width arrive as `f64`.
//!
//! Deliberately not here: time. NIR files carry no time step, so `dt`, the Euler variant and the reset mode belong to the
//! importer. Nor is there any lowering, and node types without a typed form here are kept as [`Node::Other`], by name and
//! type only, so that the importer can refuse them with both.

mod check;
mod problem;
mod read;
mod write;

pub use problem::{NirError, Problem};
pub use read::{MAX_FILE_BYTES, read};
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
    /// Leaky integrate-and-fire neurons.
    Lif(Lif),
    /// Leaky integrate-and-fire neurons behind an exponential current synapse.
    CubaLif(CubaLif),
    /// Leaky integrators.
    Li(Li),
    /// Leaky integrators behind an exponential current synapse.
    CubaLi(CubaLi),
    /// Any other node type, nested graphs included, without its parameters.
    Other {
        /// The type as the file states it, for example `Conv2d` or `NIRGraph`.
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
            Node::Lif(_) => "LIF",
            Node::CubaLif(_) => "CubaLIF",
            Node::Li(_) => "LI",
            Node::CubaLi(_) => "CubaLI",
            Node::Other { kind } => kind,
        }
    }

    /// How many numbers the node takes per time step; `None` where the file does not say: for [`Node::Other`], and for
    /// neurons whose parameters are all scalars (shape `[]`), which take on the size of what feeds them.
    pub fn input_len(&self) -> Option<usize> {
        match self {
            Node::Linear { weight } | Node::Affine { weight, .. } => Some(weight.cols),
            other => other.output_len(),
        }
    }

    /// How many numbers the node gives per time step; `None` as for [`Node::input_len`].
    pub fn output_len(&self) -> Option<usize> {
        match self {
            Node::Input { shape } | Node::Output { shape } => len_of(shape),
            Node::Linear { weight } | Node::Affine { weight, .. } => Some(weight.rows),
            Node::Lif(p) => population_len(&p.shape),
            Node::CubaLif(p) => population_len(&p.shape),
            Node::Li(p) => population_len(&p.shape),
            Node::CubaLi(p) => population_len(&p.shape),
            Node::Other { .. } => None,
        }
    }
}

/// The number of elements of `shape`, or `None` if it is beyond `usize`.
fn len_of(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |n, &extent| n.checked_mul(extent))
}

/// As [`len_of`], but shape `[]` means a population of unstated size.
fn population_len(shape: &[usize]) -> Option<usize> {
    if shape.is_empty() { None } else { len_of(shape) }
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
