//! Why there is no result, as the one sentence that is said about it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fenn_iss::view::ViewError;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    File(#[from] fenn_isa::image::elf::FileError),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    #[error(transparent)]
    Machine(#[from] fenn_iss::Error),
    #[error("{option} {text}: {source}")]
    View { option: &'static str, text: String, source: ViewError },
    #[error("{option} {text}: {source}")]
    Outside { option: &'static str, text: String, source: fenn_iss::Error },
    #[error("--trace - and --json would both write to standard output; give the trace a file")]
    TraceAndJson,
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::File(_) | Self::Read { .. } | Self::Write { .. } | Self::Output(_) | Self::Machine(_) => 1,
            Self::View { .. } | Self::Outside { .. } | Self::TraceAndJson => 2,
        }
    }
}

/// Writes a file, whole or not at all.
pub(crate) fn write_whole(path: &Path, fill: impl FnOnce(&mut fs::File) -> io::Result<()>) -> Result<(), Failure> {
    fenn_isa::file::write_with(path, fill).map_err(|source| Failure::Write { path: path.to_owned(), source })
}
