//! Debugging: `--gdb`, `--snapshot` and `--restore`.

use std::io::{self, Write};

use fenn_isa::image::Image;
use fenn_isa::memory::Space;
use fenn_iss::{Machine, Outcome};

use crate::arguments::Arguments;
use crate::failure::Failure;

/// What a debugger does instead, or would not see.
#[cfg(feature = "gdb")]
pub(crate) const NOT_WITH_GDB: [&str; 10] =
    ["max_instructions", "max_cycles", "until", "stats", "trace", "trace_binary", "hot", "heatmap", "phases", "check"];
/// What a snapshot has decided already, and the checker, which has to see a run from its beginning.
pub(crate) const NOT_WITH_RESTORE: [&str; 5] = ["strict", "profile", "dram_latency", "dram_bytes_per_cycle", "check"];

/// Where GDB is waited for.
#[cfg(feature = "gdb")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Standard input and output.
    Standard,
    /// A TCP port.
    Port(u16),
    /// A Unix socket.
    Socket(std::path::PathBuf),
}

#[cfg(feature = "gdb")]
impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "-" => Ok(Self::Standard),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let port = digits.parse().map_err(|_| "ports are numbers from 0 to 65535".to_owned())?;
                Ok(Self::Port(port))
            }
            path if cfg!(unix) => Ok(Self::Socket(path.into())),
            _ => Err("neither a port nor `-`".to_owned()),
        }
    }
}

/// Where the report goes: to standard error while a debugger has standard output.
pub(crate) fn output(arguments: &Arguments) -> Box<dyn Write> {
    #[cfg(feature = "gdb")]
    if arguments.gdb == Some(Place::Standard) {
        return Box::new(io::stderr());
    }
    let _ = arguments;
    Box::new(io::stdout().lock())
}

/// Says something on standard error, if anybody listens: a debugger that started the simulator may have closed that too.
pub(crate) fn complain(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "fenn-sim: {what}");
}

/// The program and a machine that is about to run it, from its beginning or from where a snapshot was taken. Without a
/// program there are no symbols.
pub(crate) fn load(arguments: &Arguments) -> Result<(Image, Machine), Failure> {
    let image = arguments.program.as_deref().map(Image::read).transpose()?;
    let Some(snapshot) = &arguments.restore else {
        let image = image.expect("clap demands a program");
        let builder = Machine::builder().profile(arguments.timing()).strict(arguments.strict);
        let machine = builder.image(&image).build()?;
        return Ok((image, machine));
    };
    let machine = Machine::read_snapshot(snapshot)?;
    if let (Some(image), Some(program)) = (&image, &arguments.program)
        && !runs(&machine, image)
    {
        return Err(Failure::OtherProgram { snapshot: snapshot.clone(), program: program.clone() });
    }
    Ok((image.unwrap_or_default(), machine))
}

/// Whether the machine holds the image's code; programs cannot change their own.
fn runs(machine: &Machine, image: &Image) -> bool {
    let code = image.segments.iter().filter(|segment| segment.space == Space::Instruction);
    *machine.config() == image.config
        && code.into_iter().all(|segment| {
            let length = segment.bytes.len() as u32;
            machine.read_bytes(segment.space, segment.address, length).is_ok_and(|bytes| bytes == segment.bytes)
        })
}

/// What came of a debugger.
pub(crate) enum Session {
    /// None was asked for.
    None,
    /// The program has been run to its end.
    #[cfg_attr(not(feature = "gdb"), expect(dead_code, reason = "only a debugger ends a program"))]
    Ended(Outcome),
    /// The debugger ended the program.
    #[cfg_attr(not(feature = "gdb"), expect(dead_code, reason = "only a debugger ends a program"))]
    Killed,
}

#[cfg(not(feature = "gdb"))]
pub(crate) fn session(_arguments: &Arguments, _machine: &mut Machine) -> Result<Session, Failure> {
    Ok(Session::None)
}

/// Lets a debugger run the program, if one was asked for, and runs it on when the debugger leaves.
#[cfg(feature = "gdb")]
pub(crate) fn session(arguments: &Arguments, machine: &mut Machine) -> Result<Session, Failure> {
    use fenn_iss::Limits;
    use fenn_iss::gdb::{Ended, GdbError, Link, serve};

    let Some(place) = &arguments.gdb else { return Ok(Session::None) };
    let link = match place {
        Place::Standard => Ok(Link::standard()),
        Place::Port(port) => {
            Link::listen(*port, |port| eprintln!("fenn-sim: waiting for GDB: target remote localhost:{port}"))
        }
        #[cfg(unix)]
        Place::Socket(path) => {
            Link::listen_at(path, || eprintln!("fenn-sim: waiting for GDB: target remote {}", path.display()))
        }
        #[cfg(not(unix))]
        Place::Socket(_) => unreachable!("only Unix systems have them"),
    };
    let (retired, cycles) = (machine.state().retired, machine.state().cycles);
    let stop = match serve(machine, link.map_err(GdbError::Link)?)? {
        Ended::Exited(stop) => stop,
        Ended::Detached => machine.run(Limits::default(), &mut ()).stop,
        Ended::Killed => {
            complain(format_args!("killed by the debugger at pc {:#x}", machine.state().pc));
            return Ok(Session::Killed);
        }
    };
    // A debugger may have begun anew in between: then the counts are those since that.
    let since = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
    Ok(Session::Ended(Outcome {
        stop,
        instructions: since(machine.state().retired, retired),
        cycles: since(machine.state().cycles, cycles),
    }))
}
