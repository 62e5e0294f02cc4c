//! Networks as Lava's `netx` stores them (HDF5, usually `.net`), as SLAYER of lava-dl writes them.
//!
//! Contract: [`read()`] gives the layers of a file, everything in them checked, or every [`Problem`] of it; [`import()`] makes a
//! network of them. The numbers of such files are whole numbers for 24-bit arithmetic ([`exact`]); what is found here is how many
//! of their bits fit into 16.
//!
//! A neuron has `u` and `v`, in units of 1/64 of a weight:
//!
//! ```text
//! u = u · (4096 − iDecay) / 4096 + 64 · 2^wgtExp · Σ weight · spike        both products rounded towards 0
//! v = v · (4096 − vDecay) / 4096 + u + 64 · bias
//! if (v > 64 · vThMant) { Spike(); v = 0; }
//! ```
//!
//! With six fraction bits, `s9.6`, a code is 1/64 of a weight too, and all of this is done exactly ([`Precision::Exact`]) as long as
//! nothing goes beyond ±512 weights of 1. Where that happens, formats with fewer fraction bits are tried on spikes, and the network is
//! an approximation; [`LayerReport`] says so.
//!
//! What differs from Lava:
//!
//! - **Time**: the spikes of the input act in the step they come in, those of each layer in the next step, after their axonal delay.
//!   Lava's processes take one more step for the input: with samples that begin one step later, all is as there.
//! - **Range**: sums saturate at 16 bits. In 24 bits, `u` wraps around and `v` saturates.
//! - **`delay`** is of a layer's spikes, as in training with SLAYER. Lava delays what comes into the layer, which is the same, but
//!   for biases that act before.
//! - **`average`**: the sums of spikes of each group, not their means. They are in the same order.
//! - **`input`** with a neuron: numbers become spikes on the host; the network's input is those spikes. A file without `input`, as
//!   some are, begins with `dense`, whose weights say how many inputs there are.
//! - **`refDelay`** is not obeyed, as Lava does not obey it.
//!
//! Not here: graded spikes, complex weights, recurrent layers (`dense_rec`), layers that join others (`concat`) or widen images
//! (`convT`, `unpool`), layers without neurons, and neurons other than `CUBA` (each refused with a message).

pub mod exact;

mod build;
mod choose;
mod problem;
mod read;

pub use build::{Choice, Precision};
pub use choose::{Imported, LayerReport, Options, Report, import};
pub use problem::{NetxError, Problem};
pub use read::read;

use crate::network::{Delays, Weights};

/// A file's layers, from the input on.
#[derive(Debug, Clone, PartialEq)]
pub struct Net {
    /// Channels, rows and columns of the input.
    pub input: [u32; 3],
    /// All layers that have neurons; at least one.
    pub layers: Vec<Layer>,
    /// At the end, the neurons are summed in so many groups of neighbours.
    pub groups: Option<u32>,
    /// What is in the file and not in here.
    pub warnings: Vec<String>,
}

/// A layer of neurons with what comes into it.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// `layer` with its number in the file.
    pub name: String,
    /// As in the file: `dense`, `conv` or `pool`.
    pub kind: String,
    /// Channels, rows and columns; neurons are numbered in this order.
    pub shape: [u32; 3],
    /// From the layer before, or the input; whole numbers.
    pub weights: Weights,
    /// Weights count 2^`exponent` times.
    pub exponent: i32,
    /// Of the spikes that come in.
    pub delays: Delays,
    /// The neurons.
    pub neurons: Neurons,
}

impl Layer {
    /// Neurons.
    pub fn size(&self) -> u32 {
        size_of(self.shape)
    }
}

/// What a layer's neurons compute with; one number per neuron in each list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neurons {
    /// `iDecay`, 0 to 4096.
    pub current_decays: Vec<i16>,
    /// `vDecay`, 0 to 4096.
    pub voltage_decays: Vec<i16>,
    /// `vThMant`
    pub thresholds: Vec<i32>,
    /// In units of a weight; all 0 where there is none.
    pub biases: Vec<i32>,
}

/// A decay by so much is to nothing.
pub const WHOLE_DECAY: i16 = 4096;

/// Neurons of a shape, which `read` has bounded.
fn size_of(shape: [u32; 3]) -> u32 {
    shape.iter().product()
}
