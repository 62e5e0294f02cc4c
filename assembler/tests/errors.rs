//! `ERRORS.md`: each mistake in `data/err` and what is said of it.
//!
//! `BLESS=1 cargo test -p fenn-assembler --test errors` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use fenn_assembler::diagnostic::{Message, json};
use fenn_assembler::lint::{Lint, lint};
use fenn_assembler::source::position;
use fenn_assembler::{Options, Problem, Source, assemble_with_files, assemble_with_lines};
use fenn_isa::memory::MachineConfig;
use strum::VariantNames as _;

const HEAD: &str = "# What the assembler says of mistakes

Written by `BLESS=1 cargo test -p fenn-assembler --test errors` from `tests/data`, do not edit.

Every mistake of every source is reported in one run, each with its line and a mark under the part it is about (the
`.err` files in `tests/data/err` show them as drawn). The *name* is what `--error-format json` calls it; it stays when
the wording changes.
";

const TABLE: &str = "| written | name | message |\n| --- | --- | --- |\n";

const ALONE: &str = "
## Mistakes that end an assembly, and those of options and files

The files are `loop.s`, which includes itself, `nop.s` of 3 bytes, and `picture.png`, which is no text.

";

const LINTS: &str = "
## Lints

`--lint` looks for what may be wrong in a correct program, too. `--allow NAME` leaves a lint out.

";

/// A mistake that ends an assembly, or needs options or files: it cannot stand among others.
struct Alone {
    /// The name of what is said.
    code: &'static str,
    /// What is written, as the table shows it.
    written: &'static str,
    text: String,
    options: Options,
}

/// The files that can be included.
fn files() -> BTreeMap<String, Vec<u8>> {
    [("loop.s", &b".include \"loop.s\""[..]), ("nop.s", b"nop"), ("picture.png", b"\x89PNG")]
        .map(|(name, bytes)| (name.to_owned(), bytes.to_vec()))
        .into()
}

fn alone() -> Vec<Alone> {
    let default = Options::default;
    let one = |code, text: &'static str| Alone { code, written: text, text: text.to_owned(), options: default() };
    let no_words = MachineConfig { instruction_bytes: 0, ..MachineConfig::default() };
    // Each branch that turns out to be long asks for one more; each has names of its own.
    let mut count = String::from(".macro m0\n.endm\n");
    for index in 0..40 {
        let _ = write!(
            count,
            ".macro m{}\na{index}: beqz a0, far\nb{index}:\n.if b{index} - a{index} == 8\nm{index}\n.endif\n.endm\n",
            index + 1
        );
    }
    vec![
        one("include-cycle", ".include \"loop.s\""),
        one("file", ".include \"missing.s\""),
        one("file", ".include \"picture.png\""),
        one("out-of-range", ".incbin \"nop.s\", 5"),
        one("file-budget", ".rept 5000; .include \"nop.s\"; .endr"),
        one("expansion-budget", ".rept 0xffffffff; .endr"),
        one("too-many", ".rept 20000; vaddd v0, v1, v2; .endr"),
        Alone {
            code: "too-deep",
            written: ".word ((((… with 1000 parentheses",
            text: format!(".word {}1{}", "(".repeat(1000), ")".repeat(1000)),
            options: default(),
        },
        Alone {
            code: "parameters",
            written: ".macro m with 1001 parameters",
            text: format!(".macro m {}\n.endm", (0..1001).map(|index| format!("p{index} ")).collect::<String>()),
            options: default(),
        },
        Alone {
            code: "unknown-option-symbol",
            written: "--entry strat, and a label start:",
            text: "start: nop".to_owned(),
            options: Options { entry: Some("strat".to_owned()), ..default() },
        },
        Alone {
            code: "option-symbol-space",
            written: "--ready-flag start, and a label start: in .text",
            text: "start: nop".to_owned(),
            options: Options { ready_flag: Some("start".to_owned()), ..default() },
        },
        Alone {
            code: "config",
            written: "--instruction-words 0",
            text: "nop".to_owned(),
            options: Options { config: no_words, ..default() },
        },
        Alone {
            code: "image",
            written: "_start: behind 16384 bytes of .text",
            text: ".space 16384\n_start:".to_owned(),
            options: default(),
        },
        Alone {
            code: "unsettled",
            written: "a branch to far, long only where the .if before it found another one long, 40 times",
            text: format!("{count}m40\n.space 8000\nfar: nop"),
            options: default(),
        },
    ]
}

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

/// The text as a table's cell; what is in code spans stays.
fn cell(text: &str) -> String {
    let text = text.replace('|', "\\|").replace('\n', " ");
    let parts = text.split('`').enumerate();
    let outside =
        |(index, part): (usize, &str)| if index % 2 == 0 { part.replace('<', "\\<") } else { part.to_owned() };
    parts.map(outside).collect::<Vec<_>>().join("`")
}

fn row(written: &str, message: &Message, value: &serde_json::Value) -> String {
    let mut text = cell(&message.text);
    let steps = value["trace"].as_array().into_iter().flatten().filter_map(|step| step.as_str());
    for remark in steps.chain(message.help.as_deref()) {
        let _ = write!(text, "<br>{}", cell(remark));
    }
    format!("| {written} | `{}` | {text} |\n", message.code)
}

/// One row for each message: the line as it is written, the name, the sentence and the help.
fn rows(messages: &[Message], sources: &[Source]) -> String {
    let mut rows = TABLE.to_owned();
    for (message, value) in messages.iter().zip(json(messages, sources)) {
        let written = message.span.and_then(|span| {
            let source = sources.get(span.source as usize)?;
            source.text.lines().nth(position(&source.text, span.start).line - 1)
        });
        rows += &row(&code(written.unwrap_or_default()), message, &value);
    }
    rows
}

#[test]
fn the_table_of_mistakes_is_fresh() {
    let mut text = HEAD.to_owned();
    let mut told = BTreeSet::new();
    for path in sources("err") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let sources = [Source::new(name, fs::read_to_string(&path).unwrap())];
        // The first line says what the file is about.
        let about = sources[0].text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
        let assembly = assemble_with_lines(&sources, &Options::default());
        let messages: Vec<Message> = assembly.diagnostics.iter().map(Message::from).collect();
        told.extend(messages.iter().map(|message| message.code.clone()));
        let _ = write!(text, "\n## {}\n\n{}", about.trim_end_matches('.'), rows(&messages, &assembly.sources));
    }
    text += ALONE;
    text += TABLE;
    for Alone { code: wanted, written, text: source, options } in alone() {
        let sources = [Source::new("alone.s", source)];
        let assembly = assemble_with_files(&sources, &options, &files());
        let messages: Vec<Message> = assembly.diagnostics.iter().map(Message::from).collect();
        let found = messages.iter().position(|message| message.code == wanted);
        let found = found.unwrap_or_else(|| panic!("{written}: {:?} is not {wanted}", messages.first()));
        text += &row(&code(written), &messages[found], &json(&messages, &assembly.sources)[found]);
        told.insert(wanted.to_owned());
    }
    // No test has 4 GiB to spare.
    let long = Message::from(&Problem::SourceTooLong.anywhere());
    text += &row("a source of 4 GiB", &long, &serde_json::Value::Null);
    told.insert(long.code);
    let all: BTreeSet<String> = Problem::VARIANTS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(told, all, "each problem has an example in tests/data/err or in `alone`, and no other");
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
