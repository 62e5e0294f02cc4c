//! `ERRORS.md`: each mistake in `data/err` and what is said of it.
//!
//! `BLESS=1 cargo test -p fenn-assembler --test errors` writes it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use fenn_assembler::diagnostic::{Message, json};
use fenn_assembler::lint::{Lint, lint};
use fenn_assembler::source::position;
use fenn_assembler::{Options, Source, assemble_with_lines};

const HEAD: &str = "# What the assembler says of mistakes

Written by `BLESS=1 cargo test -p fenn-assembler --test errors` from `tests/data`, do not edit.

Every mistake of every source is reported in one run, each with its line and a mark under the part it is about (the
`.err` files in `tests/data/err` show them as drawn). The *name* is what `--error-format json` calls it; it stays when
the wording changes.
";

const LINTS: &str = "
## Lints

`--lint` looks for what may be wrong in a correct program, too. `--allow NAME` leaves a lint out.

";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn sources(name: &str) -> Vec<PathBuf> {
    let folder = folder().join("tests/data").join(name);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "s"));
    paths.sort();
    paths
}

/// The text in a code span of a table.
fn code(text: &str) -> String {
    let plain = text.trim().replace('|', "\\|");
    let fence = if plain.contains('`') { "``" } else { "`" };
    if plain.is_empty() { String::new() } else { format!("{fence}{plain}{fence}") }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// One row for each message: the line as it is written, the name, the sentence and the help.
fn rows(messages: &[Message], sources: &[Source]) -> String {
    let mut rows = "| written | name | message |\n| --- | --- | --- |\n".to_owned();
    for (message, value) in messages.iter().zip(json(messages, sources)) {
        let written = message.span.and_then(|span| {
            let source = sources.get(span.source as usize)?;
            source.text.lines().nth(position(&source.text, span.start).line - 1)
        });
        let mut text = cell(&message.text);
        let steps = value["trace"].as_array().into_iter().flatten().filter_map(|step| step.as_str());
        for remark in steps.chain(message.help.as_deref()) {
            let _ = write!(text, "<br>{}", cell(remark));
        }
        let _ = writeln!(rows, "| {} | {} | {text} |", code(written.unwrap_or_default()), message.code);
    }
    rows
}

#[test]
fn the_table_of_mistakes_is_fresh() {
    let mut text = HEAD.to_owned();
    for path in sources("err") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let sources = [Source::new(name, fs::read_to_string(&path).unwrap())];
        // The first line says what the file is about.
        let about = sources[0].text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
        let assembly = assemble_with_lines(&sources, &Options::default());
        let messages: Vec<Message> = assembly.diagnostics.iter().map(Message::from).collect();
        let _ = write!(text, "\n## {}\n\n{}", about.trim_end_matches('.'), rows(&messages, &assembly.sources));
    }
    text += LINTS;
    text += "| name | finds |\n| --- | --- |\n";
    for lint in Lint::ALL {
        let _ = writeln!(text, "| {} | {} |", lint.name(), cell(lint.doc()));
    }
    for path in sources("lint") {
        let sources = [Source::new("lint", fs::read_to_string(&path).unwrap())];
        let about = sources[0].text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
        let assembly = assemble_with_lines(&sources, &Options::default());
        let messages: Vec<Message> = lint(&assembly).iter().map(Message::from).collect();
        let _ = write!(text, "\n### {}\n\n{}", about.trim_end_matches('.'), rows(&messages, &assembly.sources));
    }
    let path = folder().join("ERRORS.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert!(wanted == text, "{} is not what it would be written as; BLESS=1 writes it", path.display());
}
