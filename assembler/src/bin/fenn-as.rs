//! `fenn-as`: assembles FeNN programs, and disassembles them.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use clap_complete::Shell;
use fenn_assembler::diagnostic::{self, Level, Message};
use fenn_assembler::lint::{Lint, lint};
use fenn_assembler::listing::listing;
use fenn_assembler::output::{Contents, binary, coe, intel_hex, map, readmemh};
use fenn_assembler::{
    Disk, Options, Source, assemble_with_files, disassemble, disassemble_with_source, disassembly_json,
};
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
  fenn-as kernel.s --lint                    and for what may be wrong
  fenn-as kernel.s -o kernel.elf --listing - print what each line became
  fenn-as kernel.s -o text.mem --format readmemh --memory text
  fenn-as -d kernel.elf                      disassemble
  fenn-as -d kernel.elf --source             with the lines of source
  fenn-as -d kernel.elf | fenn-as - -o copy.elf

Exit status:
  0  everything was done; warnings do not change that
  1  a source or an input file is wrong, a file cannot be read or written, or there are warnings with --deny-warnings
  2  the command line is wrong";

/// Assembles FeNN programs, and disassembles them.
#[derive(Debug, Parser)]
#[command(name = "fenn-as", version, after_help = AFTER)]
struct Arguments {
    /// Sources, or with --disassemble a program; `-` is the standard input.
    #[arg(required_unless_present = "completions", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Write the program (with --disassemble: the text) to this file; `-` is the standard output. Without it, sources
    /// are only checked and a disassembly goes to the standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Turn a program into text that assembles to the same bytes (with --json: into one JSON object).
    #[arg(short, long, conflicts_with_all = [
        "listing", "map", "entry", "ready_flag", "config", "format", "memory", "width", "lane", "strip_debug", "lint",
    ])]
    disassemble: bool,

    /// With --disassemble: show the lines of source, read from the files that the program names where they are there.
    #[arg(long, requires = "disassemble")]
    source: bool,

    /// The form of the output.
    #[arg(long, value_enum, default_value_t = Format::Elf, value_name = "FORMAT", requires = "output")]
    format: Format,

    /// Write only these memories; not for ELF. A form that holds one needs it where several have contents.
    #[arg(long, value_enum, value_name = "MEMORY", value_delimiter = ',', requires = "output")]
    memory: Vec<Memory>,

    /// Bits of a word in COE and readmemh, 8 to 512 [default: 32 for text and data, 512 for the others].
    #[arg(long, value_name = "BITS", requires = "output")]
    width: Option<u32>,

    /// Write this lane's part of lane-local memory only, in words of 16 bits.
    #[arg(long, value_name = "N", requires = "memory")]
    lane: Option<usize>,

    /// Look here for files that `.include` and `.incbin` name and that are not in the including file's folder.
    #[arg(short = 'I', long, value_name = "FOLDER")]
    include: Vec<PathBuf>,

    /// Leave the lines of source out of the program.
    #[arg(long)]
    strip_debug: bool,

    /// Write what each line of the sources became to this file; `-` is the standard output.
    #[arg(long, value_name = "FILE")]
    listing: Option<PathBuf>,

    /// Write how full the memories are and where the symbols lie to this file; `-` is the standard output.
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,

    /// Look for what may be wrong in a correct program, too.
    #[arg(long)]
    lint: bool,

    /// Leave out these lints; `--allow help` lists them.
    #[arg(long, value_name = "LINT", value_delimiter = ',', value_parser = lint_name)]
    allow: Vec<Lint>,

    /// With --lint: write nothing and exit with 1 where there are warnings.
    #[arg(long, requires = "lint")]
    deny_warnings: bool,

    /// The label where execution begins [default: `_start` where there is one, else address 0].
    #[arg(long, value_name = "SYMBOL")]
    entry: Option<String>,

    /// The label of the word in `.data` that the program sets to something other than 0 when it is done.
    #[arg(long, value_name = "SYMBOL")]
    ready_flag: Option<String>,

    /// Report on the standard output as one JSON object, errors included.
    #[arg(long)]
    json: bool,

    /// How errors and warnings are written to the standard error: drawn, or as JSON, one object a line.
    #[arg(long, value_enum, default_value_t = ErrorFormat::Text, value_name = "FORMAT", conflicts_with = "json")]
    error_format: ErrorFormat,

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

/// What a program is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// All memories, symbols and lines of source; what the other tools read.
    Elf,
    /// One memory's bytes from its address 0 on.
    Bin,
    /// Intel HEX: memories at their load addresses.
    Ihex,
    /// Xilinx COE: one memory's words.
    Coe,
    /// Verilog's `$readmemh`: one memory's words.
    Readmemh,
}

/// The memories, by their sections' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Memory {
    Text,
    Data,
    Vector,
    Lane,
    Dram,
}

impl Memory {
    fn space(self) -> Space {
        match self {
            Self::Text => Space::Instruction,
            Self::Data => Space::Scalar,
            Self::Vector => Space::Vector,
            Self::Lane => Space::LaneLocal,
            Self::Dram => Space::Dram,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ErrorFormat {
    Text,
    Json,
}

fn lint_name(name: &str) -> Result<Lint, String> {
    Lint::from_name(name).ok_or_else(|| {
        let all: Vec<String> = Lint::ALL.iter().map(|lint| format!("  {:<20}{}", lint.name(), lint.doc())).collect();
        format!("the lints are\n{}", all.join("\n"))
    })
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
    if let Err(message) = consistent(&arguments) {
        Arguments::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    let done = if arguments.disassemble { take_apart(&arguments) } else { put_together(&arguments) };
    match done {
        Ok(code) => code,
        Err(message) => {
            let value = json!({ "level": "error", "code": "file", "message": message });
            if arguments.json {
                let report = json!({ "ok": false, "diagnostics": [value] });
                // Nothing is left to be told where the standard output is closed.
                let _ = print(format!("{report:#}\n").as_bytes());
            } else if arguments.error_format == ErrorFormat::Json {
                eprintln!("{value}");
            } else {
                eprintln!("fenn-as: {message}");
            }
            ExitCode::from(1)
        }
    }
}

/// What of the command line contradicts itself in ways its grammar does not say.
fn consistent(arguments: &Arguments) -> Result<(), String> {
    let Arguments { format, memory, width, lane, .. } = arguments;
    if *format == Format::Elf && (!memory.is_empty() || width.is_some() || lane.is_some()) {
        return Err("--memory, --width and --lane go with another --format than elf, which holds all".to_owned());
    }
    if width.is_some() && !matches!(format, Format::Coe | Format::Readmemh) {
        return Err("--width goes with --format coe and readmemh, the others count bytes".to_owned());
    }
    if *format != Format::Ihex && memory.len() > 1 {
        return Err("this --format holds one memory at a time".to_owned());
    }
    if lane.is_some() && (*format == Format::Ihex || memory.as_slice() != [Memory::Lane]) {
        return Err("--lane goes with --memory lane and --format bin, coe or readmemh".to_owned());
    }
    let paths = [&arguments.output, &arguments.listing, &arguments.map];
    let printed = paths.into_iter().flatten().filter(|path| is_standard(path)).count();
    if printed + usize::from(arguments.json && !arguments.disassemble) > 1 {
        return Err("only one thing can be written to the standard output".to_owned());
    }
    if arguments.files.iter().filter(|path| is_standard(path)).count() > 1 {
        return Err("the standard input can be read once".to_owned());
    }
    Ok(())
}

fn put_together(arguments: &Arguments) -> Result<ExitCode, String> {
    let sources = arguments.files.iter().map(|path| source(path)).collect::<Result<Vec<_>, _>>()?;
    let options = Options {
        config: config(arguments)?,
        entry: arguments.entry.clone(),
        ready_flag: arguments.ready_flag.clone(),
    };
    let files = Disk { folders: arguments.include.clone() };
    let mut assembly = assemble_with_files(&sources, &options, &files);
    let mut messages: Vec<Message> = assembly.diagnostics.iter().map(Message::from).collect();
    if arguments.lint {
        let warnings = lint(&assembly);
        messages.extend(warnings.iter().filter(|warning| !arguments.allow.contains(&warning.lint)).map(Message::from));
    }
    if arguments.deny_warnings && !messages.is_empty() {
        assembly.image = None;
    }
    if let Some(image) = &mut assembly.image {
        let listing = arguments.listing.as_ref().map(|path| (path, listing(&assembly.sources, &assembly.lines, image)));
        if arguments.strip_debug {
            image.lines.clear();
        }
        if let Some(path) = &arguments.output {
            put(path, &program(image, arguments)?)?;
        }
        if let Some((path, listing)) = listing {
            put(path, listing.as_bytes())?;
        }
        if let Some(path) = &arguments.map {
            put(path, map(image).as_bytes())?;
        }
    }
    tell(&messages, &assembly.sources, assembly.image.as_ref(), arguments)?;
    Ok(if assembly.image.is_some() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The program in the form that was asked for.
fn program(image: &Image, arguments: &Arguments) -> Result<Vec<u8>, String> {
    if arguments.format == Format::Elf {
        return image.to_elf().map_err(|error| error.to_string());
    }
    let given: Vec<Space> = arguments.memory.iter().map(|memory| memory.space()).collect();
    let mut memories: Vec<Contents> = Space::ALL
        .into_iter()
        .filter(|space| given.is_empty() || given.contains(space))
        .map(|space| Contents::new(image, space))
        .filter(|contents| !given.is_empty() || !contents.is_empty())
        .collect();
    if arguments.format == Format::Ihex {
        return Ok(intel_hex(image, &memories).into_bytes());
    }
    let mut contents = match (memories.pop(), memories.is_empty()) {
        (Some(contents), true) => contents,
        (None, _) => Contents::new(image, Space::Instruction),
        (Some(_), false) => {
            return Err("several memories have contents, and this format holds one: say which with --memory".to_owned());
        }
    };
    if let Some(lane) = arguments.lane {
        contents = contents.of_lane(lane).map_err(|error| error.to_string())?;
    }
    if let Some(bits) = arguments.width {
        contents = contents.with_width(bits).map_err(|error| error.to_string())?;
    }
    Ok(match arguments.format {
        Format::Coe => coe(&contents).into_bytes(),
        Format::Readmemh => readmemh(&contents).into_bytes(),
        Format::Bin | Format::Elf | Format::Ihex => binary(&contents),
    })
}

/// Errors and warnings, as the options want them.
fn tell(messages: &[Message], sources: &[Source], image: Option<&Image>, arguments: &Arguments) -> Result<(), String> {
    if arguments.json {
        return print(format!("{:#}\n", report(messages, sources, image)).as_bytes());
    }
    if arguments.error_format == ErrorFormat::Json {
        for value in diagnostic::json(messages, sources) {
            eprintln!("{value}");
        }
        return Ok(());
    }
    let color = match arguments.color {
        When::Always => true,
        When::Never => false,
        When::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    eprint!("{}", diagnostic::render_messages(messages, sources, color));
    for (level, word) in [(Level::Error, "error"), (Level::Warning, "warning")] {
        let count = messages.iter().filter(|message| message.level == level).count();
        if count > 0 {
            eprintln!("fenn-as: {count} {word}{}", if count == 1 { "" } else { "s" });
        }
    }
    Ok(())
}

fn take_apart(arguments: &Arguments) -> Result<ExitCode, String> {
    let [path] = arguments.files.as_slice() else {
        return Err("one program at a time can be disassembled".to_owned());
    };
    let image = if is_standard(path) {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| format!("cannot read the standard input: {error}"))?;
        Image::from_elf(&bytes).map_err(|source| FileError::Elf { path: "<stdin>".into(), source })
    } else {
        Image::read(path)
    };
    let image = image.map_err(|error| error.to_string())?;
    let sources = if arguments.source { found_sources(&image) } else { Vec::new() };
    let text = match (arguments.json, arguments.source) {
        (true, _) => format!("{:#}\n", disassembly_json(&image, &sources)),
        (false, true) => disassemble_with_source(&image, &sources),
        (false, false) => disassemble(&image),
    };
    match &arguments.output {
        Some(path) => put(path, text.as_bytes())?,
        None => print(text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The sources of a program as far as they are still there. A program may name any file, so only ordinary files are
/// read, and one that is not text has no lines to show.
fn found_sources(image: &Image) -> Vec<Source> {
    let names: BTreeSet<&str> = image.lines.iter().map(|line| &*line.file).collect();
    let ordinary = names.into_iter().filter(|name| std::fs::metadata(name).is_ok_and(|file| file.is_file()));
    ordinary.filter_map(|name| Some(Source::new(name, std::fs::read_to_string(name).ok()?))).collect()
}

fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

fn source(path: &Path) -> Result<Source, String> {
    let stdin = is_standard(path);
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

/// Writes a file, or to the standard output.
fn put(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if is_standard(path) {
        return print(bytes);
    }
    write_whole(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Writes to the standard output; a reader that has seen enough is no error.
fn print(bytes: &[u8]) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to the standard output: {error}"))
        }
        _ => Ok(()),
    }
}

fn report(messages: &[Message], sources: &[Source], image: Option<&Image>) -> Value {
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
    json!({ "ok": image.is_some(), "diagnostics": diagnostic::json(messages, sources), "program": program })
}
