//! Golden files of the lints: `data/lint/NAME.s` with its warnings `NAME.lint`.
//!
//! `BLESS=1 cargo test -p fenn-assembler --test lint` rewrites the expectations; read the difference before keeping it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fenn_assembler::diagnostic::{Message, render, render_messages};
use fenn_assembler::lint::{Lint, Warning, lint};
use fenn_assembler::{Options, Source, assemble_with_lines};

fn sources(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "s"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn warnings(sources: &[Source]) -> Vec<Warning> {
    let assembly = assemble_with_lines(sources, &Options::default());
    assert!(assembly.image.is_some(), "{}", render(&assembly.diagnostics, sources, false));
    lint(&assembly)
}

#[test]
fn every_lint_finds_what_it_says_and_no_more() {
    let mut found = BTreeSet::new();
    for path in sources("tests/data/lint") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let sources = [Source::new(name, fs::read_to_string(&path).unwrap())];
        let warnings = warnings(&sources);
        found.extend(warnings.iter().map(|warning| warning.lint));
        let messages: Vec<Message> = warnings.iter().map(Message::from).collect();
        let drawn = render_messages(&messages, &sources, false);
        let golden = path.with_extension("lint");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &drawn).unwrap();
        }
        let wanted = fs::read_to_string(&golden).unwrap_or_default();
        assert!(wanted == drawn, "{} differs; BLESS=1 rewrites it. Found:\n{drawn}", golden.display());
    }
    assert_eq!(found, Lint::ALL.iter().copied().collect(), "a lint without an example");
}

#[test]
fn the_kernels_are_clean() {
    for path in sources("../programs/kernels") {
        let sources = [Source::new(path.display().to_string(), fs::read_to_string(&path).unwrap())];
        assert_eq!(warnings(&sources), [], "{}", path.display());
    }
}

#[test]
fn names_lead_back_to_lints() {
    for lint in Lint::ALL {
        assert_eq!(Lint::from_name(lint.name()), Some(*lint));
        assert!(lint.doc().ends_with('.'), "{}", lint.doc());
    }
    assert_eq!(Lint::from_name("nonsense"), None);
}
