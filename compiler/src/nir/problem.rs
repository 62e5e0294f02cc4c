//! What can be wrong with a NIR file. The doc comment of a variant says when it is returned; its message says where, and
//! what to do about it.

use std::fmt;
use std::path::PathBuf;

use crate::hdf5::Damaged;

/// A NIR file that cannot be used, with everything found wrong with it.
#[derive(Debug, thiserror::Error)]
pub struct NirError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it, in the order it was found; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for NirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}: {problem}", self.file.display())?;
        }
        Ok(())
    }
}

impl From<Damaged> for Problem {
    fn from(Damaged { object, reason }: Damaged) -> Self {
        Self::Damaged { object, reason }
    }
}

/// One thing wrong with a NIR file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file system refused.
    #[error("cannot be accessed: {0}. Check the path and its permissions")]
    Io(#[from] std::io::Error),
    /// The file has no HDF5 signature.
    #[error("is not an HDF5 file. NIR graphs are HDF5; write one with the Python package `nir` (`nir.write`)")]
    NotHdf5,
    /// The file is larger than [`MAX_FILE_BYTES`](super::MAX_FILE_BYTES).
    #[error("has {bytes} bytes, more than the {limit} this reader takes. Check that it is the intended file")]
    TooLarge {
        /// Size of the file.
        bytes: u64,
        /// Largest size taken.
        limit: u64,
    },
    /// The HDF5 structure cannot be followed: the file is cut short, altered, or uses an unsupported HDF5 feature.
    #[error(
        "`{object}` cannot be read: {reason}. The file is damaged, cut short or of an unsupported HDF5 kind; write it again"
    )]
    Damaged {
        /// Path inside the file.
        object: String,
        /// What the HDF5 reader says.
        reason: String,
    },
    /// An object every NIR file has is absent.
    #[error("has no `{object}`, which every NIR file has. Write the graph with `nir.write`")]
    NotNir {
        /// Path inside the file.
        object: &'static str,
    },
    /// The file's root is some other node than a graph.
    #[error(
        "holds a node of type `{kind}` at its root, not a NIRGraph. Put the node in a graph with an Input and an Output"
    )]
    RootNotGraph {
        /// The type found.
        kind: String,
    },
    /// A node lacks a dataset its type needs.
    #[error("node `{node}` of type {kind} has no dataset `{dataset}`. Export the node with all its parameters")]
    MissingDataset {
        /// Name of the node.
        node: String,
        /// Its type.
        kind: String,
        /// The dataset looked for.
        dataset: &'static str,
    },
    /// A dataset holds something else than asked for.
    #[error("node `{node}`: dataset `{dataset}` holds {found}; needed: {expected}. Export it so")]
    WrongType {
        /// Name of the node.
        node: String,
        /// The dataset.
        dataset: &'static str,
        /// What it has to hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// A dataset has the wrong number of dimensions or extents.
    #[error("node `{node}`: dataset `{dataset}` has shape {found:?}; needed: {expected}. Export it so")]
    WrongShape {
        /// Name of the node.
        node: String,
        /// The dataset.
        dataset: &'static str,
        /// The shape it has to have, in words.
        expected: String,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// A parameter is not a finite number.
    #[error(
        "node `{node}`: dataset `{dataset}` holds {value} at flat index {index}. Training diverged, or the export failed: every number must be finite"
    )]
    NotFinite {
        /// Name of the node.
        node: String,
        /// The dataset.
        dataset: &'static str,
        /// Row-major index of the first such element.
        index: usize,
        /// The element.
        value: f64,
    },
    /// A time constant is zero or negative.
    #[error("node `{node}`: dataset `{dataset}` holds {value} at flat index {index}. Time constants must be positive")]
    NotPositive {
        /// Name of the node.
        node: String,
        /// The dataset.
        dataset: &'static str,
        /// Row-major index of the first such element.
        index: usize,
        /// The element.
        value: f64,
    },
    /// A node's name cannot be an HDF5 link.
    #[error("node name `{node}` cannot be stored. Use a name that is not empty, not `.` and free of `/` and NUL")]
    BadName {
        /// The name.
        node: String,
    },
    /// A delay is negative.
    #[error(
        "node `{node}`: dataset `{dataset}` holds {value} at flat index {index}. Nothing can arrive before it is sent"
    )]
    Negative {
        /// Name of the node.
        node: String,
        /// The dataset.
        dataset: &'static str,
        /// Row-major index of the first such element.
        index: usize,
        /// The element.
        value: f64,
    },
    /// Groups that do not divide the channels of a convolution.
    #[error("node `{node}` has {out} channels that come out, which {groups} groups do not divide. Correct `groups`")]
    Groups {
        /// Name of the node.
        node: String,
        /// Channels that come out.
        out: usize,
        /// Groups.
        groups: usize,
    },
    /// A nested graph has other ends than one Input and one Output.
    #[error(
        "node `{node}`, a graph, has {inputs} Input and {outputs} Output nodes. Edges name the graph only, so give it one of \
         each"
    )]
    Ends {
        /// Name of the node.
        node: String,
        /// Its Inputs.
        inputs: usize,
        /// Its Outputs.
        outputs: usize,
    },
    /// Something is wrong with a nested graph.
    #[error("in graph `{graph}`: {problem}")]
    Within {
        /// Name of the node.
        graph: String,
        /// What is wrong.
        problem: Box<Problem>,
    },
    /// The table of edges is not `[n, 2]`.
    #[error("`{object}` has shape {found:?}; needed: [edges, 2]. Each row names a source and a target node")]
    EdgesShape {
        /// Path inside the file.
        object: String,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// An edge names a node that is not there.
    #[error(
        "edge {index} (`{from}` -> `{to}`) names `{missing}`, which is not a node. Add the node or remove the edge"
    )]
    UnknownNode {
        /// Row of `/node/edges`.
        index: usize,
        /// Its source.
        from: String,
        /// Its target.
        to: String,
        /// Whichever of the two is unknown.
        missing: String,
    },
    /// An edge appears twice; NIR's edges are a set, so its meaning is in doubt.
    #[error(
        "edge {index} (`{from}` -> `{to}`) is there twice. Remove one; to count an input double, double its weights"
    )]
    DuplicateEdge {
        /// Row of `/node/edges` of the second appearance.
        index: usize,
        /// Its source.
        from: String,
        /// Its target.
        to: String,
    },
    /// The two ends of an edge disagree on the number of elements.
    #[error(
        "edge {index} joins `{from}`, which gives {gives} numbers, to `{to}`, which takes {takes}. Make the shapes agree"
    )]
    SizeMismatch {
        /// Row of `/node/edges`.
        index: usize,
        /// Its source.
        from: String,
        /// Elements the source gives.
        gives: usize,
        /// Its target.
        to: String,
        /// Elements the target takes.
        takes: usize,
    },
    /// The graph has no Input node.
    #[error("the graph has no Input node. Add one and join it to the first layer")]
    NoInput,
    /// The graph has no Output node.
    #[error("the graph has no Output node. Add one and join the last layer to it")]
    NoOutput,
    /// A graph to write holds a node without its parameters.
    #[error("node `{node}` of type {kind} was read without its parameters and cannot be written. Remove it first")]
    NotWritable {
        /// Name of the node.
        node: String,
        /// Its type.
        kind: String,
    },
}

impl Problem {
    /// The problem as one of the nested graph `graph`.
    pub(super) fn within(self, graph: &str) -> Self {
        Self::Within { graph: graph.to_owned(), problem: Box::new(self) }
    }
}
