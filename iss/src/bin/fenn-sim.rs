//! `fenn-sim`: runs a program image on the simulator.
//!
//! Contract: what the run came to goes to standard output, complaints to standard error, and the exit code says which
//! of the cases in [`HELP`] it was. Files are written beside their place and renamed, so they are whole or not there.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use fenn_isa::image::Image;
use fenn_isa::operand::ABI_NAMES;
use fenn_isa::timing::Profile;
use fenn_iss::view::{self, Place, View, ViewError};
use fenn_iss::{Limits, Machine, Options, Outcome, Statistics, Stop, Trace};
use serde_json::{Value, json};

const HELP: &str = "\
Places are SPACE:ADDRESS. SPACE is instruction, scalar, vector, lane or dram; ADDRESS is a number or a symbol of the \
program. LENGTH counts bytes and may be left out for a symbol that has a size. FORMAT is hex (the default), i16, u16, \
i32, u32 or a fixed-point format such as s5.10. Lane-local memory is seen row by row: byte address a of lane l is at \
32*(a & ~1) + 2*l.

Cycles are exact, as the core that --profile names counts them; the manual has its timing table.

Examples:
  fenn-sim program.elf
  fenn-sim program.elf --stats --dump vector:potential:128:s5.10
  fenn-sim program.elf --write scalar:spikes:spikes.bin --dump-file scalar:out:64:out.bin
  fenn-sim program.elf --trace - --max-instructions 100

Exit codes:
  0  the program ended: ecall, or its ready flag
  1  a file could not be read or written, or is no program
  2  wrong usage
  3  the program trapped, or stopped at ebreak
  4  the instruction limit was reached";

/// Runs a FeNN program on the simulator.
#[derive(Debug, Parser)]
#[command(version, after_help = HELP)]
struct Arguments {
    /// The program, an ELF file made by fenn-as or fenn-cc.
    #[arg(required_unless_present = "completions")]
    program: Option<PathBuf>,
    /// Trap where a board carries on: misaligned scalar accesses, addresses beyond the end, odd lane-local addresses.
    #[arg(long)]
    strict: bool,
    /// Whose timing: this project's core, the published one, or one cycle for every instruction.
    #[arg(long, value_name = "NAME", default_value = fenn_isa::timing::FENN.name, value_parser = Profile::by_name)]
    profile: &'static Profile,
    /// Stop after N instructions; without it an endless program runs for ever.
    #[arg(long, value_name = "N")]
    max_instructions: Option<u64>,
    /// Print how often each instruction was executed.
    #[arg(long)]
    stats: bool,
    /// Write a line per instruction to FILE, `-` for standard output.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Print a part of a memory after the run.
    #[arg(long, value_name = "SPACE:ADDRESS:LENGTH[:FORMAT]")]
    dump: Vec<String>,
    /// Write a part of a memory to a file after the run, byte for byte.
    #[arg(long, value_name = "SPACE:ADDRESS:LENGTH:FILE")]
    dump_file: Vec<String>,
    /// Fill memory with a file's bytes before the run.
    #[arg(long, value_name = "SPACE:ADDRESS:FILE")]
    write: Vec<String>,
    /// Print the registers after the run.
    #[arg(long)]
    registers: bool,
    /// Print everything as one JSON object.
    #[arg(long)]
    json: bool,
    /// Print completions for a shell and do nothing else.
    #[arg(long, value_name = "SHELL", exclusive = true)]
    completions: Option<clap_complete::Shell>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum Failure {
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
    fn code(&self) -> u8 {
        match self {
            Self::File(_) | Self::Read { .. } | Self::Write { .. } | Self::Output(_) | Self::Machine(_) => 1,
            Self::View { .. } | Self::Outside { .. } | Self::TraceAndJson => 2,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments, &mut io::stdout().lock()) {
        Ok(code) => code,
        // Whoever reads the output has had enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("fenn-sim: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run(arguments: &Arguments, out: &mut impl Write) -> Result<ExitCode, Failure> {
    if let Some(shell) = arguments.completions {
        // The generator panics on a failed write; into memory none fails.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), "fenn-sim", &mut script);
        out.write_all(&script)?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.json && arguments.trace.as_deref() == Some(Path::new("-")) {
        return Err(Failure::TraceAndJson);
    }
    let program = arguments.program.as_deref().expect("clap demands a program");
    let image = Image::read(program)?;
    let mut machine = Machine::from_image(&image, Options { strict: arguments.strict, profile: *arguments.profile })?;
    let plan = Plan::new(arguments, &image, &machine)?;
    for (place, text, path) in &plan.writes {
        let bytes = fs::read(path).map_err(|source| Failure::Read { path: path.clone(), source })?;
        machine.write(place.space, place.address, &bytes).map_err(outside("--write", text))?;
    }
    let mut statistics = arguments.stats.then(Statistics::default);
    let outcome = simulate(arguments, &mut machine, &mut statistics, out)?;
    for (view, path) in &plan.files {
        let bytes = machine.read_bytes(view.place.space, view.place.address, view.bytes)?;
        write_whole(path, |file| file.write_all(&bytes))?;
    }
    if arguments.json {
        let report = report_json(arguments, &machine, &outcome, statistics.as_ref(), &plan)?;
        writeln!(out, "{report:#}")?;
    } else {
        report_text(arguments, &machine, &outcome, statistics.as_ref(), &plan, out)?;
    }
    out.flush()?;
    if matches!(outcome.stop, Stop::Trap(_) | Stop::Ebreak { .. }) {
        eprintln!("fenn-sim: {}", outcome.stop);
    }
    Ok(ExitCode::from(match outcome.stop {
        Stop::Ecall { .. } | Stop::ReadyFlag { .. } => 0,
        Stop::Trap(_) | Stop::Ebreak { .. } => 3,
        Stop::InstructionLimit { .. } => 4,
    }))
}

/// What the options that name memory mean for this program; all of them are checked before the run.
struct Plan {
    writes: Vec<(Place, String, PathBuf)>,
    dumps: Vec<(View, String)>,
    files: Vec<(View, PathBuf)>,
}

impl Plan {
    fn new(arguments: &Arguments, image: &Image, machine: &Machine) -> Result<Self, Failure> {
        let mut plan = Self { writes: Vec::new(), dumps: Vec::new(), files: Vec::new() };
        for text in &arguments.write {
            let (place, path) = parse_write(text, image).map_err(wrong("--write", text))?;
            plan.writes.push((place, text.clone(), path));
        }
        for text in &arguments.dump {
            let view = View::parse(text, image).map_err(wrong("--dump", text))?;
            check(machine, &view).map_err(outside("--dump", text))?;
            plan.dumps.push((view, text.clone()));
        }
        for text in &arguments.dump_file {
            let (view, path) = parse_dump_file(text, image).map_err(wrong("--dump-file", text))?;
            check(machine, &view).map_err(outside("--dump-file", text))?;
            plan.files.push((view, path));
        }
        Ok(plan)
    }
}

fn wrong(option: &'static str, text: &str) -> impl FnOnce(ViewError) -> Failure {
    move |source| Failure::View { option, text: text.to_owned(), source }
}

fn outside(option: &'static str, text: &str) -> impl FnOnce(fenn_iss::Error) -> Failure {
    move |source| Failure::Outside { option, text: text.to_owned(), source }
}

fn check(machine: &Machine, view: &View) -> Result<(), fenn_iss::Error> {
    machine.read_bytes(view.place.space, view.place.address, view.bytes).map(drop)
}

/// A file's name may have colons in it: it is all that follows the other parts.
fn parse_write(text: &str, image: &Image) -> Result<(Place, PathBuf), ViewError> {
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let [space, address, path] = parts[..] else { return Err(ViewError::Form(text.to_owned())) };
    Ok((Place::parse(space, address, image)?, PathBuf::from(path)))
}

fn parse_dump_file(text: &str, image: &Image) -> Result<(View, PathBuf), ViewError> {
    let parts: Vec<&str> = text.splitn(4, ':').collect();
    let [space, address, length, path] = parts[..] else { return Err(ViewError::Form(text.to_owned())) };
    let (place, bytes) = view::range(space, address, length, image)?;
    Ok((View { place, bytes, element: view::Element::Hex }, PathBuf::from(path)))
}

/// Runs the program, with the observers that were asked for and no others.
fn simulate(
    arguments: &Arguments,
    machine: &mut Machine,
    statistics: &mut Option<Statistics>,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let limits = Limits { instructions: arguments.max_instructions };
    let Some(path) = &arguments.trace else {
        return Ok(match statistics {
            Some(statistics) => machine.run(limits, statistics),
            None => machine.run(limits, &mut ()),
        });
    };
    let mut outcome = None;
    let mut traced = |writer: &mut dyn Write| -> io::Result<()> {
        let mut observers = (Trace::new(BufWriter::new(writer)), statistics.take());
        outcome = Some(machine.run(limits, &mut observers));
        *statistics = observers.1;
        observers.0.finish().map(drop)
    };
    if path == Path::new("-") {
        traced(out)?;
    } else {
        write_whole(path, |file| traced(file))?;
    }
    Ok(outcome.expect("the program has been run"))
}

fn write_whole(path: &Path, fill: impl FnOnce(&mut fs::File) -> io::Result<()>) -> Result<(), Failure> {
    fenn_isa::file::write_with(path, fill).map_err(|source| Failure::Write { path: path.to_owned(), source })
}

fn report_text(
    arguments: &Arguments,
    machine: &Machine,
    outcome: &Outcome,
    statistics: Option<&Statistics>,
    plan: &Plan,
    out: &mut impl Write,
) -> Result<(), Failure> {
    writeln!(out, "{}", outcome.stop)?;
    writeln!(out, "{} instructions, {} cycles ({})", outcome.instructions, outcome.cycles, arguments.profile.name)?;
    if let Some(statistics) = statistics {
        write_statistics(statistics, out)?;
    }
    if arguments.registers {
        write_registers(machine, out)?;
    }
    for (view, text) in &plan.dumps {
        writeln!(out, "\n{text}")?;
        let bytes = machine.read_bytes(view.place.space, view.place.address, view.bytes)?;
        out.write_all(view.text(&bytes).as_bytes())?;
    }
    Ok(())
}

fn write_statistics(statistics: &Statistics, out: &mut impl Write) -> io::Result<()> {
    let total = statistics.total().max(1) as f64;
    let mut line =
        |name: &str, count: u64| writeln!(out, "{name:<18} {count:>14} {:>6.2} %", count as f64 / total * 100.0);
    line("\ninstruction", statistics.total())?;
    statistics.by_op().iter().try_for_each(|(op, count)| line(op.spec().mnemonic(), *count))?;
    line("\nclass", statistics.total())?;
    statistics.by_class().iter().try_for_each(|(class, count)| line(&format!("{class:?}"), *count))?;
    line("\nextension", statistics.total())?;
    statistics.by_extension().iter().try_for_each(|(extension, count)| line(&format!("{extension:?}"), *count))?;
    let Statistics { branches_taken, transfers, transferred_bytes, traps, .. } = statistics;
    writeln!(
        out,
        "\n{branches_taken} branches taken, {transfers} DMA transfers of {transferred_bytes} bytes, {traps} traps"
    )
}

fn write_registers(machine: &Machine, out: &mut impl Write) -> io::Result<()> {
    let state = machine.state();
    writeln!(out, "\npc       {:08x}", state.pc)?;
    for (index, (name, value)) in ABI_NAMES.iter().zip(state.all_x()).enumerate() {
        let end = if index % 4 == 3 { '\n' } else { ' ' };
        write!(out, "{:<3} {name:<4} {value:08x}{end}", format!("x{index}"))?;
    }
    for (index, vector) in state.v.iter().enumerate() {
        write!(out, "v{index:<7}")?;
        vector.0.iter().try_for_each(|lane| write!(out, " {lane}"))?;
        writeln!(out)?;
    }
    Ok(())
}

fn report_json(
    arguments: &Arguments,
    machine: &Machine,
    outcome: &Outcome,
    statistics: Option<&Statistics>,
    plan: &Plan,
) -> Result<Value, Failure> {
    let mut report = json!({
        "stop": stop_json(&outcome.stop),
        "instructions": outcome.instructions,
        "cycles": outcome.cycles,
        "profile": machine.timing().profile().name,
    });
    if let Some(statistics) = statistics {
        report["statistics"] = statistics_json(statistics);
    }
    if arguments.registers {
        let state = machine.state();
        report["registers"] = json!({
            "pc": state.pc,
            "x": state.all_x(),
            "v": state.v.iter().map(|vector| vector.0).collect::<Vec<_>>(),
            "s0": state.generators.s0,
            "s1": state.generators.s1,
        });
    }
    if !plan.dumps.is_empty() {
        let dump = |(view, text): &(View, String)| -> Result<Value, Failure> {
            let bytes = machine.read_bytes(view.place.space, view.place.address, view.bytes)?;
            Ok(json!({ "dump": text, "address": view.place.address, "values": view.values(&bytes) }))
        };
        report["dumps"] = plan.dumps.iter().map(dump).collect::<Result<_, _>>()?;
    }
    Ok(report)
}

fn stop_json(stop: &Stop) -> Value {
    let kind = match stop {
        Stop::Ecall { .. } => "ecall",
        Stop::ReadyFlag { .. } => "ready_flag",
        Stop::Ebreak { .. } => "ebreak",
        Stop::InstructionLimit { .. } => "instruction_limit",
        Stop::Trap(_) => "trap",
    };
    let mut value = json!({ "kind": kind, "pc": stop.pc(), "text": stop.to_string() });
    if let Stop::Trap(trap) = stop {
        value["cause"] = json!(trap.cause.code());
        value["value"] = json!(trap.value());
        value["word"] = json!(trap.word);
    }
    value
}

fn statistics_json(statistics: &Statistics) -> Value {
    let by_op: serde_json::Map<_, _> =
        statistics.by_op().iter().map(|(op, count)| (op.spec().mnemonic().to_owned(), json!(count))).collect();
    let by_class: serde_json::Map<_, _> =
        statistics.by_class().iter().map(|(class, count)| (format!("{class:?}"), json!(count))).collect();
    let by_extension: serde_json::Map<_, _> =
        statistics.by_extension().iter().map(|(group, count)| (format!("{group:?}"), json!(count))).collect();
    json!({
        "instructions": by_op,
        "classes": by_class,
        "extensions": by_extension,
        "branches_taken": statistics.branches_taken,
        "dma_transfers": statistics.transfers,
        "dma_bytes": statistics.transferred_bytes,
        "traps": statistics.traps,
    })
}
