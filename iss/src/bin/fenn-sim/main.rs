//! `fenn-sim`: runs a program image on the simulator.
//!
//! Contract: what the run came to goes to standard output, complaints to standard error, and the exit code says which
//! of the cases in [`arguments::HELP`] it was. Files are written beside their place and renamed, so they are whole or not there.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use fenn_isa::image::Image;
use fenn_iss::{Limits, Machine, Options, Outcome, Statistics, Stop, Trace};

mod arguments;
mod failure;
mod plan;
mod report;

use arguments::Arguments;
use failure::{Failure, write_whole};
use plan::{Plan, outside};

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
        let report = report::json(arguments, &machine, &outcome, statistics.as_ref(), &plan)?;
        writeln!(out, "{report:#}")?;
    } else {
        report::text(arguments, &machine, &outcome, statistics.as_ref(), &plan, out)?;
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
