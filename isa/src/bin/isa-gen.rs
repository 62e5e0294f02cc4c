//! `isa-gen [ROOT]`: writes what is read off the tables, `isa/MANUAL.md` and the packages in `rtl/pkg`, below ROOT (the
//! current folder by default). Exit code 1 where a file cannot be written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fenn_isa::generate::{manual, package, soc_package};

fn main() -> ExitCode {
    let root = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let files = [
        ("isa/MANUAL.md", manual()),
        ("rtl/pkg/fenn_isa_pkg.sv", package()),
        ("rtl/pkg/fenn_soc_pkg.sv", soc_package()),
    ];
    for (path, text) in files {
        if let Err(error) = replace(&root.join(path), &text) {
            eprintln!("isa-gen: cannot write {}: {error}", root.join(path).display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Writes beside the file, then renames, so that a reader never sees half of it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text)?;
    std::fs::rename(beside, path)
}
