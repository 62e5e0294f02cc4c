//! `fenn-cc`: compiles a spiking network to a FeNN program. All of it is in [`fenn_compiler::cli`].

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use fenn_compiler::cli::{Arguments, Terminal, run};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let watched = io::stderr().is_terminal();
    let color = watched && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    match run(&arguments, Terminal { color, progress: watched }) {
        Ok(printed) => {
            eprint!("{}", printed.warnings);
            match io::stdout().lock().write_all(printed.output.as_bytes()) {
                // Whoever reads the output has had enough.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    eprintln!("fenn-cc: cannot write to standard output: {error}");
                    ExitCode::from(1)
                }
                _ => ExitCode::SUCCESS,
            }
        }
        Err(failure) => {
            let name = if failure.is_drawn() { "" } else { "fenn-cc: " };
            eprintln!("{name}{failure}");
            ExitCode::from(failure.code())
        }
    }
}
