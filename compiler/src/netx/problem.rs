//! What can be wrong with a netx file. The doc comment of a variant says when it is returned; its message says where, and what to
//! do about it.

use std::fmt;
use std::path::PathBuf;

use crate::hdf5::Damaged;
use crate::interpret::RunError;
use crate::verify::VerifyError;

/// A netx file that cannot be used, with everything found wrong with it.
#[derive(Debug, thiserror::Error)]
pub struct NetxError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it, in the order it was found; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for NetxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> =
            self.problems.iter().map(|problem| format!("{}: {problem}", self.file.display())).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// One thing wrong with a netx file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file system refused.
    #[error("cannot be accessed: {0}. Check the path and its permissions")]
    Io(#[from] std::io::Error),
    /// The file has no HDF5 signature.
    #[error("is not an HDF5 file. netx files are HDF5; write one with `export_hdf5` of lava-dl")]
    NotHdf5,
    /// The file is larger than [`MAX_FILE_BYTES`](crate::nir::MAX_FILE_BYTES).
    #[error("has {bytes} bytes, more than the {limit} this reader takes. Check that it is the intended file")]
    TooLarge {
        /// Size of the file.
        bytes: u64,
        /// Largest size taken.
        limit: u64,
    },
    /// The HDF5 structure cannot be followed.
    #[error(
        "`{object}` cannot be read: {reason}. The file is damaged, cut short or of an unsupported HDF5 kind; write it again"
    )]
    Damaged {
        /// Path inside the file.
        object: String,
        /// What the HDF5 reader says.
        reason: String,
    },
    /// There is no group `layer`, or it has other names than 0, 1, 2 and so on.
    #[error("has no layers `/layer/0`, `/layer/1` and so on. Write the network with `export_hdf5` of lava-dl")]
    NoLayers,
    /// No layer of neurons behind the input.
    #[error("has no layer with neurons. Export the whole network")]
    NoNeurons,
    /// A layer lacks a dataset its type needs.
    #[error("layer {layer} of type {kind} has no `{dataset}`. Export the layer with all its parameters")]
    Missing {
        /// Number of the layer.
        layer: usize,
        /// Its type.
        kind: String,
        /// What was looked for.
        dataset: &'static str,
    },
    /// A type of layer that cannot be imported, or not in this place.
    #[error("layer {layer} is of type {kind}, which cannot be imported {place}. Layers can be {possible}")]
    Kind {
        /// Number of the layer.
        layer: usize,
        /// Its type.
        kind: String,
        /// Where it is.
        place: &'static str,
        /// What can be there.
        possible: &'static str,
    },
    /// A type of neuron that cannot be imported.
    #[error(
        "layer {layer} has neurons of type {kind}. Only CUBA neurons can be imported; train with `slayer.block.cuba`"
    )]
    Neuron {
        /// Number of the layer.
        layer: usize,
        /// Their type.
        kind: String,
    },
    /// Something else that cannot be imported.
    #[error("layer {layer} has {what}. {instead}")]
    Unsupported {
        /// Number of the layer.
        layer: usize,
        /// What.
        what: String,
        /// What to do about it.
        instead: &'static str,
    },
    /// A dataset holds no numbers.
    #[error("layer {layer}: `{dataset}` holds {found}, not numbers. Export it so")]
    NotNumbers {
        /// Number of the layer.
        layer: usize,
        /// The dataset.
        dataset: &'static str,
        /// What it holds.
        found: String,
    },
    /// A dataset has the wrong number of dimensions or extents.
    #[error("layer {layer}: `{dataset}` has shape {found:?}; needed: {expected}. Export it so")]
    Shape {
        /// Number of the layer.
        layer: usize,
        /// The dataset.
        dataset: &'static str,
        /// What it has to have, in words.
        expected: String,
        /// What it has.
        found: Vec<usize>,
    },
    /// A number that is none, has a fraction, or is out of range.
    #[error(
        "layer {layer}: `{dataset}` holds {value} at flat index {index}; needed: whole numbers from {least} to {most}. {advice}"
    )]
    Number {
        /// Number of the layer.
        layer: usize,
        /// The dataset.
        dataset: &'static str,
        /// Row-major index of the first such element.
        index: usize,
        /// The element.
        value: f64,
        /// Smallest one possible.
        least: i32,
        /// Largest one possible.
        most: i32,
        /// What to do about it.
        advice: &'static str,
    },
    /// Layers that do not fit each other, or themselves.
    #[error("layer {layer}: {what}. Export the layers of one network, in order")]
    Sizes {
        /// Number of the layer.
        layer: usize,
        /// What does not fit.
        what: String,
    },
    /// Numbers of a layer that 16 bits cannot hold even without fractions.
    #[error("`{layer}`: {what} does not fit into 16 bits. Scale weights, biases and threshold down together")]
    Range {
        /// Name of the layer.
        layer: String,
        /// What.
        what: String,
    },
    /// A calibration sample does not fit the network.
    #[error("calibration sample {sample}: {error}. Give samples of this network's input")]
    Sample {
        /// Counted from 0.
        sample: usize,
        /// What is wrong with it.
        error: RunError,
    },
    /// The network that was made is not well-formed: a mistake in this compiler.
    #[error("internal error: {0}. This is a mistake in fenn-cc; report it with the file")]
    Internal(VerifyError),
}

impl From<Damaged> for Problem {
    fn from(Damaged { object, reason }: Damaged) -> Self {
        Self::Damaged { object, reason }
    }
}
