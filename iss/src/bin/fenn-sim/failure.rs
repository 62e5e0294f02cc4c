//! Why there is no result, as the one sentence that is said about it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fenn_iss::observe::TraceError;
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
    #[error(transparent)]
    Snapshot(#[from] fenn_iss::snapshot::SnapshotError),
    #[error("{} is a snapshot of a machine that ran another program than {}", snapshot.display(), program.display())]
    OtherProgram { snapshot: PathBuf, program: PathBuf },
    #[cfg(feature = "gdb")]
    #[error(transparent)]
    Gdb(#[from] fenn_iss::gdb::GdbError),
    #[error("{option} - and --json would both write to standard output; give the {what} a file")]
    TwoOutputs { option: &'static str, what: &'static str },
    #[error("--until {text}: no instruction is there, for {address:#x} is no multiple of 4 inside instruction memory")]
    Until { text: String, address: u32 },
    #[error("{option} {}: the name must end in {endings}", path.display())]
    Ending { option: &'static str, path: PathBuf, endings: &'static str },
    #[error("{}: {source}", path.display())]
    Trace { path: PathBuf, source: TraceError },
    #[error(
        "the statistics are wrong: {cycles} cycles are not {instructions} instructions, {traps} traps and {stalls} stalls"
    )]
    Unbalanced { cycles: u64, instructions: u64, traps: u64, stalls: u64 },
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::File(_)
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Output(_)
            | Self::Machine(_)
            | Self::Trace { .. }
            | Self::Unbalanced { .. }
            | Self::Snapshot(_)
            | Self::OtherProgram { .. } => 1,
            #[cfg(feature = "gdb")]
            Self::Gdb(_) => 1,
            Self::View { .. }
            | Self::Outside { .. }
            | Self::TwoOutputs { .. }
            | Self::Until { .. }
            | Self::Ending { .. } => 2,
        }
    }
}

/// Writes a file, whole or not at all.
pub(crate) fn write_whole(path: &Path, fill: impl FnOnce(&mut fs::File) -> io::Result<()>) -> Result<(), Failure> {
    fenn_isa::file::write_with(path, fill).map_err(|source| Failure::Write { path: path.to_owned(), source })
}
