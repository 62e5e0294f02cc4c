//! `fuzz-seeds FOLDER`: writes what `fuzz/` begins with.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Writes the inputs that fuzzing begins with, made from the repository's own sources: FOLDER/SUBJECT/seed-NUMBER.
#[derive(Parser)]
#[command(version, after_help = "Example:\n  fuzz-seeds fuzz/corpus\n\nExit codes: 0 written, 1 not, 2 wrong usage.")]
struct Arguments {
    /// Where; made if it is not there.
    folder: PathBuf,
}

fn main() -> ExitCode {
    let folder = Arguments::parse().folder;
    match fenn_testbench::fuzz::write_seeds(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fuzz-seeds: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}
