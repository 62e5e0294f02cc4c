//! `book-gen`: writes the pages of the manual that are read off the tools, below `docs/src/generated`. Exit code 1 where
//! a tool is not built or a file cannot be written.

use std::process::ExitCode;

use fenn_isa::file::write_whole;
use fenn_testbench::book::pages;
use fenn_testbench::shared::root;

fn main() -> ExitCode {
    let pages = match pages() {
        Ok(pages) => pages,
        Err(error) => {
            eprintln!("book-gen: {error}");
            return ExitCode::FAILURE;
        }
    };
    for (path, text) in pages {
        if let Err(error) = write_whole(&root().join(&path), text.as_bytes()) {
            eprintln!("book-gen: cannot write {path}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
