//! `fenn-as`: assembles FeNN programs, and disassembles them.

#![forbid(unsafe_code)]

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, ValueEnum};
use clap_complete::Shell;
use fenn_assembler::listing::listing;
use fenn_assembler::source::position;
use fenn_assembler::{Assembly, Diagnostic, Options, Source, assemble_with_lines, diagnostic, disassemble};
use fenn_isa::file::write_whole;
use fenn_isa::image::Image;
use fenn_isa::image::elf::FileError;
use fenn_isa::memory::{MachineConfig, Space};
use serde_json::{Value, json};

const AFTER: &str = "\
Examples:
  fenn-as kernel.s -o kernel.elf             assemble
  fenn-as start.s kernel.s -o program.elf    several sources, one after the other
  fenn-as kernel.s                           only look for errors
  fenn-as kernel.s -o kernel.elf --listing - print what each line became
  fenn-as -d kernel.elf                      disassemble
  fenn-as -d kernel.elf | fenn-as - -o copy.elf

Exit status:
  0  everything was done
  1  a source or an input file is wrong, or a file cannot be read or written
  2  the command line is wrong";

/// Assembles FeNN programs, and disassembles them.
#[derive(Debug, Parser)]
#[command(name = "fenn-as", version, after_help = AFTER)]
struct Arguments {
    /// Sources, or with --disassemble a program; `-` is the standard input.
    #[arg(required_unless_present = "completions", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Write the program (with --disassemble: the text) to this file; without it, sources are only checked and a
    /// disassembly goes to the standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Turn a program into text that assembles to the same bytes.
    #[arg(short, long, conflicts_with_all = ["listing", "entry", "ready_flag", "json", "config"])]
    disassemble: bool,

    /// Write what each line of the sources became to this file; `-` is the standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    listing: Option<PathBuf>,

    /// The label where execution begins [default: `_start` where there is one, else address 0].
    #[arg(long, value_name = "SYMBOL")]
    entry: Option<String>,

    /// The label of the word in `.data` that the program sets to something other than 0 when it is done.
    #[arg(long, value_name = "SYMBOL")]
    ready_flag: Option<String>,

    /// Report on the standard output as one JSON object, errors included.
    #[arg(long)]
    json: bool,

    /// Colours in messages.
    #[arg(long, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    color: When,

    /// Take the sizes of the memories from this JSON file; the options below override it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    sizes: Sizes,

    /// Print a completion script for this shell and do nothing else.
    #[arg(long, value_enum, value_name = "SHELL")]
    completions: Option<Shell>,
}

/// Sizes of memories; numbers may end in K, M or G.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sizes of memories (numbers may end in K, M or G)")]
struct Sizes {
    /// Words of instruction memory [default: 4K].
    #[arg(long, value_name = "N", value_parser = number)]
    instruction_words: Option<u32>,
    /// Bytes of scalar memory [default: 128K].
    #[arg(long, value_name = "N", value_parser = number)]
    scalar_bytes: Option<u32>,
    /// Bytes of vector memory [default: 512K].
    #[arg(long, value_name = "N", value_parser = number)]
    vector_bytes: Option<u32>,
    /// Bytes of each lane's own memory [default: 2K].
    #[arg(long, value_name = "N", value_parser = number)]
    lane_bytes: Option<u32>,
    /// Bytes of DRAM [default: 256M].
    #[arg(long, value_name = "N", value_parser = number)]
    dram_bytes: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// Where the standard error is a terminal.
    Auto,
    Always,
    Never,
}

fn number(text: &str) -> Result<u32, String> {
    let (digits, scale) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1u64),
    };
    let parsed = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let number = parsed.map_err(|error| error.to_string())?;
    number
        .checked_mul(scale)
        .and_then(|bytes| u32::try_from(bytes).ok())
        .ok_or_else(|| "it does not fit into 32 bits".to_owned())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(shell) = arguments.completions {
        clap_complete::generate(shell, &mut Arguments::command(), "fenn-as", &mut std::io::stdout());
        return ExitCode::SUCCESS;
    }
    let done = if arguments.disassemble { take_apart(&arguments) } else { put_together(&arguments) };
    match done {
        Ok(code) => code,
        Err(message) => {
            if arguments.json {
                let report = json!({ "ok": false, "diagnostics": [{ "message": message }] });
                // Nothing is left to be told where the standard output is closed.
                let _ = print(&format!("{report:#}\n"));
            } else {
                eprintln!("fenn-as: {message}");
            }
            ExitCode::from(1)
        }
    }
}

fn put_together(arguments: &Arguments) -> Result<ExitCode, String> {
    let sources = arguments.files.iter().map(|path| source(path)).collect::<Result<Vec<_>, _>>()?;
    let options = Options {
        config: config(arguments)?,
        entry: arguments.entry.clone(),
        ready_flag: arguments.ready_flag.clone(),
    };
    let Assembly { image, diagnostics, lines, .. } = assemble_with_lines(&sources, &options);
    if let Some(image) = &image {
        if let Some(path) = &arguments.output {
            image.write(path).map_err(|error| error.to_string())?;
        }
        if let Some(path) = &arguments.listing {
            put(path, &listing(&sources, &lines, image))?;
        }
    }
    if arguments.json {
        print(&format!("{:#}\n", report(&diagnostics, &sources, image.as_ref())))?;
    } else if !diagnostics.is_empty() {
        let color = match arguments.color {
            When::Always => true,
            When::Never => false,
            When::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        eprint!("{}", diagnostic::render(&diagnostics, &sources, color));
        eprintln!("fenn-as: {} error{}", diagnostics.len(), if diagnostics.len() == 1 { "" } else { "s" });
    }
    Ok(if image.is_some() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn take_apart(arguments: &Arguments) -> Result<ExitCode, String> {
    let [path] = arguments.files.as_slice() else {
        return Err("one program at a time can be disassembled".to_owned());
    };
    let image = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| format!("cannot read the standard input: {error}"))?;
        Image::from_elf(&bytes).map_err(|source| FileError::Elf { path: "<stdin>".into(), source })
    } else {
        Image::read(path)
    };
    let text = disassemble(&image.map_err(|error| error.to_string())?);
    match &arguments.output {
        Some(path) => put(path, &text)?,
        None => print(&text)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn source(path: &Path) -> Result<Source, String> {
    let stdin = path == Path::new("-");
    let name = if stdin { "<stdin>".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let read = if stdin {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|contents| bytes = contents)
    };
    read.map_err(|error| format!("cannot read {name}: {error}"))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| format!("{name} is not UTF-8 text: byte {}", error.utf8_error().valid_up_to()))?;
    Ok(Source::new(name, text))
}

fn config(arguments: &Arguments) -> Result<MachineConfig, String> {
    let mut config = match &arguments.config {
        None => MachineConfig::default(),
        Some(path) => {
            let name = path.display();
            let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
            serde_json::from_str(&text).map_err(|error| format!("{name} is no machine configuration: {error}"))?
        }
    };
    let Sizes { instruction_words, scalar_bytes, vector_bytes, lane_bytes, dram_bytes } = arguments.sizes;
    if let Some(words) = instruction_words {
        config.instruction_bytes = words.checked_mul(4).ok_or("--instruction-words is too large")?;
    }
    config.scalar_bytes = scalar_bytes.unwrap_or(config.scalar_bytes);
    config.vector_bytes = vector_bytes.unwrap_or(config.vector_bytes);
    config.lane_local_bytes = lane_bytes.unwrap_or(config.lane_local_bytes);
    config.dram_bytes = dram_bytes.unwrap_or(config.dram_bytes);
    Ok(config)
}

/// Writes a text file, or to the standard output.
fn put(path: &Path, text: &str) -> Result<(), String> {
    if path == Path::new("-") {
        return print(text);
    }
    write_whole(path, text.as_bytes()).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Writes to the standard output; a reader that has seen enough is no error.
fn print(text: &str) -> Result<(), String> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to the standard output: {error}"))
        }
        _ => Ok(()),
    }
}

fn report(diagnostics: &[Diagnostic], sources: &[Source], image: Option<&Image>) -> Value {
    let messages: Vec<Value> = diagnostics
        .iter()
        .map(|diagnostic| {
            let mut value = json!({ "message": diagnostic.problem.to_string(), "help": diagnostic.problem.help() });
            if let Some((span, source)) =
                diagnostic.span.and_then(|span| Some((span, sources.get(span.source as usize)?)))
            {
                let place = |offset| {
                    let position = position(&source.text, offset);
                    json!({ "line": position.line, "column": position.column })
                };
                value["file"] = json!(source.name);
                value["start"] = place(span.start);
                value["end"] = place(span.end);
            }
            value
        })
        .collect();
    let program = image.map(|image| {
        let memories: Vec<Value> = Space::ALL
            .iter()
            .map(|space| {
                let used: u64 =
                    image.segments.iter().filter(|s| s.space == *space).map(|segment| u64::from(segment.size)).sum();
                json!({ "section": space.spec().section, "bytes": used, "size": image.config.bytes(*space) })
            })
            .collect();
        json!({ "entry": image.entry, "ready_flag": image.ready_flag, "symbols": image.symbols.len(), "memories": memories })
    });
    json!({ "ok": image.is_some(), "diagnostics": messages, "program": program })
}
