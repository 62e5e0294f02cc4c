//! What a host can do wrong with a machine.

use fenn_isa::image::ImageError;
use fenn_isa::memory::{ConfigError, Space};
use fenn_isa::timing::ProfileError;

/// A request of the host that a machine cannot meet. What a *program* does wrong is a [`crate::Trap`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The machine cannot exist.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No core has this timing.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The image is not well-formed.
    #[error("the program image is wrong: {0}")]
    Image(#[from] ImageError),
    /// The image was made for a machine with more memory.
    #[error("the program was made for {needed} bytes of {space}, this machine has {bytes}")]
    TooSmall {
        /// Which memory.
        space: Space,
        /// What the image's machine has.
        needed: u32,
        /// What this machine has.
        bytes: u32,
    },
    /// The host asked for bytes that are not there.
    #[error("bytes {address:#x}..{end:#x} are not in {space}, which has {bytes} bytes")]
    Outside {
        /// Which memory.
        space: Space,
        /// First byte.
        address: u32,
        /// Behind the last byte.
        end: u64,
        /// The memory's size, all lanes together for lane-local memory.
        bytes: u32,
    },
}
