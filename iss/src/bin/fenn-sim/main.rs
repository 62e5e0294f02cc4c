//! `fenn-sim`: runs a program image on the simulator.
//!
//! Contract: what the run came to goes to standard output, complaints to standard error, and the exit code says which
//! of the cases in [`arguments::HELP`] it was. Files are written beside their place and renamed, so they are whole or not there.

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use fenn_iss::Stop;
use fenn_iss::observe::TraceReader;

mod arguments;
mod debug;
mod failure;
mod files;
mod plan;
mod report;
mod simulate;

use arguments::Arguments;
use failure::{Failure, write_whole};
use plan::{Plan, is_stdout, outside};
use simulate::{Watch, simulate};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments, &mut debug::output(&arguments)) {
        Ok(code) => code,
        // Whoever reads the output has had enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            debug::complain(format_args!("{failure}"));
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
    if let Some(path) = &arguments.read_trace {
        return print_trace(path, out);
    }
    if arguments.json && arguments.trace.as_deref().is_some_and(is_stdout) {
        return Err(Failure::TwoOutputs { option: "--trace", what: "trace" });
    }
    if arguments.json && arguments.heatmap.iter().any(|path| is_stdout(path)) {
        return Err(Failure::TwoOutputs { option: "--heatmap", what: "heat map" });
    }
    let (image, mut machine) = debug::load(arguments)?;
    let before = report::Before::of(&machine);
    let program = arguments.program.as_deref().or(arguments.restore.as_deref()).expect("clap demands one of them");
    let plan = Plan::new(arguments, &image, &machine)?;
    let mut watch = Watch::new(arguments, &plan, &image);
    for (place, text, path) in &plan.writes {
        let bytes = fs::read(path).map_err(|source| Failure::Read { path: path.clone(), source })?;
        machine.write(place.space, place.address, &bytes).map_err(outside("--write", text))?;
        if let Some(checker) = &mut watch.checker {
            // What has been written fits into a memory, and so into 32 bits.
            checker.host_wrote(place.space, place.address, bytes.len() as u32);
        }
    }
    let outcome = match debug::session(arguments, &mut machine)? {
        debug::Session::None => simulate(arguments, &plan, &mut machine, &mut watch, out)?,
        debug::Session::Ended(outcome) => outcome,
        debug::Session::Killed => return Ok(ExitCode::from(6)),
    };
    if let Some(path) = &arguments.snapshot {
        machine.write_snapshot(path)?;
    }
    for (view, path) in &plan.files {
        let bytes = machine.read_bytes(view.place.space, view.place.address, view.bytes)?;
        write_whole(path, |file| file.write_all(&bytes))?;
    }
    files::write(program, &plan, &watch, &image)?;
    let run = report::Run {
        arguments,
        plan: &plan,
        image: &image,
        machine: &machine,
        before: &before,
        outcome,
        watch: &watch,
    };
    if arguments.json {
        writeln!(out, "{:#}", run.json()?)?;
    } else {
        run.text(out)?;
        files::print(program, &plan, &watch, &image, out)?;
    }
    out.flush()?;
    if matches!(outcome.stop, Stop::Trap(_) | Stop::Ebreak { .. }) {
        debug::complain(format_args!("{}", outcome.stop));
    }
    let has_errors = watch.checker.as_ref().is_some_and(|checker| checker.has_errors());
    Ok(ExitCode::from(match outcome.stop {
        Stop::Ecall { .. } | Stop::ReadyFlag { .. } | Stop::Breakpoint { .. } if has_errors => 5,
        Stop::Ecall { .. } | Stop::ReadyFlag { .. } | Stop::Breakpoint { .. } => 0,
        Stop::Trap(_) | Stop::Ebreak { .. } => 3,
        Stop::InstructionLimit { .. } | Stop::CycleLimit { .. } => 4,
    }))
}

/// Prints a trace that was written as bytes.
fn print_trace(path: &std::path::Path, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let file = fs::File::open(path).map_err(|source| Failure::Read { path: path.to_owned(), source })?;
    let damaged = |source| Failure::Trace { path: path.to_owned(), source };
    let mut out = io::BufWriter::new(out);
    for record in TraceReader::new(file).map_err(damaged)? {
        match record {
            Ok(record) => writeln!(out, "{record}")?,
            Err(error) => {
                // What was read before is what the file says.
                out.flush()?;
                return Err(damaged(error));
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
