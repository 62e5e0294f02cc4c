//! A debugging session with the real GDB, as a person would have it, by script.
//!
//! Contract: [`run`] assembles kernels of `programs/kernels` with `fenn-as`, lets Debian's `gdb-multiarch` debug them under
//! `fenn-sim --gdb`, and compares what GDB prints with numbers reckoned here, by hand or on 64-bit integers, from what the
//! kernels' comments promise. Three sessions: one through a pipe to the program's end, one through a port that detaches,
//! one that kills.
//!
//! Not here: the protocol packet by packet (a test of the simulator).

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::shared::root;
use crate::tools::{self, ToolError, tool};

/// The debugger's command, and the Debian package it is in.
pub const GDB: &str = "gdb-multiarch";
/// What is debugged, besides the kernels.
const PROGRAM: &str = "testbench/src/gdb_session/delayed.s";
const PROPAGATE: &str = "programs/kernels/propagate_delayed.s";
const NEURON: &str = "programs/kernels/neuron_lif.s";
/// A line that GDB is made to print before each step.
const MARK: &str = "=== ";

/// Why the session is not what it has to be.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Debian's GDB is not there.
    #[error("{GDB} cannot be run: {0}; `make setup` installs it")]
    NoGdb(std::io::Error),
    /// The project's own tools fail.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A file cannot be read or written, or a program started.
    #[error("the session cannot be prepared: {0}")]
    Files(#[from] std::io::Error),
    /// A source has not the line where the session stops.
    #[error("{file} has no line `{line}`")]
    NoLine {
        /// Which source.
        file: &'static str,
        /// The beginning of the line.
        line: &'static str,
    },
    /// GDB printed something else.
    #[error("after `{step}` GDB should have printed `{missing}`, and printed:\n{said}")]
    Said {
        /// Which step.
        step: String,
        /// What is missing.
        missing: String,
        /// What it printed.
        said: String,
    },
}

/// Whether GDB is installed.
pub fn is_installed() -> bool {
    Command::new(GDB).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Commands for GDB, and what it has to say to them.
struct Step {
    commands: Vec<String>,
    says: Vec<String>,
}

fn step<const N: usize, const M: usize>(commands: [&str; N], says: [&str; M]) -> Step {
    Step { commands: commands.map(str::to_owned).to_vec(), says: says.map(str::to_owned).to_vec() }
}

/// The number of the first line of `file` with `text` as its instruction.
fn line_of(file: &'static str, text: &'static str) -> Result<usize, SessionError> {
    let source = std::fs::read_to_string(root().join(file))?;
    let found = source.lines().position(|line| {
        let code = line.split_once(": ").map_or(line, |(_, code)| code);
        code.trim().starts_with(text)
    });
    Ok(found.ok_or(SessionError::NoLine { file, line: text })? + 1)
}

/// What GDB prints for a vector.
fn vector(lane: impl Fn(i64) -> i64) -> String {
    let lanes: Vec<String> = (0..32).map(|index| lane(index).to_string()).collect();
    format!("{{{}}}", lanes.join(", "))
}

/// `V / 2 + I`, rounded to nearest: `V` is 64 times the lane's number from 1, `I` the weights of sources 0 and 2.
fn membrane(lane: i64) -> i64 {
    (64 * (lane + 1) + 1) / 2 + (lane + 1) + 10
}

/// The same after the reset by subtraction of the neurons at 1000 or above.
fn potential(lane: i64) -> i64 {
    let membrane = membrane(lane);
    if membrane >= 1000 { membrane - 1000 } else { membrane }
}

fn whole_session() -> Result<Vec<Step>, SessionError> {
    let store = line_of(PROPAGATE, "vstorel v2, 0(v1)")?;
    let compare = line_of(NEURON, "vtge    t1, v0, v17")?;
    let fired = (0..32).filter(|lane| membrane(*lane) >= 1000).fold(0u32, |set, lane| set | 1 << lane);
    Ok(vec![
        step(["info registers pc", "p $cycles"], ["<_start>", "= 0"]),
        // A breakpoint at a symbol of a kernel, and at a line of it.
        step(["break propagate_delayed", "continue"], ["Breakpoint 1, propagate_delayed () at", "beqz    a1, 5f"]),
        step(
            ["info symbol $pc", "p/x $a3", "info registers a5"],
            ["propagate_delayed in section .text", "= 0x40", "a5             0x0"],
        ),
        step(
            [&format!("break propagate_delayed.s:{store}"), "continue"],
            [&format!("{store}\t        vstorel v2, 0(v1)")],
        ),
        step(["list"], ["vadd_s  v2, v2, v3", &format!("{}\t        bnez    t0, 2b", store + 2)]),
        // The weights of source 0, and the place of delay 3 and target 1, the same in all lanes.
        step(["print $v3"], [&vector(|lane| lane + 1)]),
        step(["print $v1", "print $v3[31]"], ["{26 <repeats 32 times>}", "= 32"]),
        step(["info registers misa", "p/x $mm2s_status"], ["0x40001100", "= 0x2"]),
        // Lane 5's halfword at byte address 26: row 13.
        step(["p &ring", "watch ((short *)&ring)[13 * 32 + 5]"], ["0x30000000", "Hardware watchpoint 3"]),
        step(
            ["delete 2", "continue"],
            ["Old value = 0\n", "New value = 6\n", &format!("{}\t        bne     t1, t2, 3b", store + 1)],
        ),
        step(["p ((short (*)[32])&ring)[13][31]", "monitor lane 5 26"], ["= 32", "lane 5, 0x1a: 6"]),
        step(["stepi"], [&format!("{}\t        bnez    t0, 2b", store + 2)]),
        step(["step"], ["ctz     t1, t0"]),
        step(["continue"], ["Old value = 6\n", "New value = 16\n"]),
        step(["print $v3", "backtrace"], ["{10 <repeats 32 times>}", "in _start () at"]),
        step(["continue"], ["Old value = 16\n", "New value = 0\n", "collect_delayed () at"]),
        step(["delete", "break neuron_lif", "continue"], ["neuron_lif () at", "beqz    a4, 2f"]),
        step(["x/4hd (char *)&current + 64", "x/3hd &potential"], ["11\t12\t13\t14", "64\t128\t192"]),
        step(
            [&format!("break neuron_lif.s:{compare}"), "continue"],
            [&format!("{compare}\t        vtge    t1, v0, v17")],
        ),
        step(["print $v0", "p $v17[0]"], [&vector(membrane), "= 1000"]),
        step(["nexti", "p/x $t1"], [&format!("= {fired:#x}")]),
        // Writing: what the debugger changes, the program goes on with; here it is put back.
        step(["set $v17[3] = -5", "p $v17[3]", "set $v17[3] = 1000", "p $v17"], ["= -5", "{1000 <repeats 32 times>}"]),
        step(["set var *(int *)&fired = 7", "x/xw &fired", "set var *(int *)&fired = 0"], ["0x00000007"]),
        step(["x/w 0x50000000"], ["Cannot access memory at address 0x50000000"]),
        step(["set $cycles = 1"], ["Could not write register \"cycles\""]),
        // Each of the two spikes adds to a product in the instruction behind the multiply.
        step(["monitor stalls"], [&format!("scalar-result {:>17}", 2)]),
        step(["monitor state", "monitor help"], ["mm2s: idle", "restore FILE"]),
        step(["delete", "finish"], ["_start () at", "ecall"]),
        step(["p *(short (*)[32])&potential", "x/xw &fired"], [&vector(potential), &format!("{fired:#010x}")]),
    ])
}

/// Lets GDB go through the steps, and says all it printed. `connect` is what it is to be connected to.
fn debug(folder: &Path, elf: &Path, connect: &str, steps: &[Step]) -> Result<String, SessionError> {
    let mut script = format!("set pagination off\nset confirm off\nset width 0\ntarget remote {connect}\n");
    for (index, Step { commands, .. }) in steps.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(script, "echo {MARK}{index}\\n");
        for command in commands {
            // A command that fails would end the script: Python catches that and prints what GDB would.
            let quoted = format!("{command:?}");
            let _ =
                writeln!(script, "python\ntry: gdb.execute({quoted})\nexcept gdb.error as error: print(error)\nend");
        }
    }
    let file = folder.join("session.gdb");
    std::fs::write(&file, script)?;
    let mut command = Command::new(GDB);
    command.current_dir(root()).args(["-q", "-nx", "-batch", "-x"]).arg(&file).arg(elf).stdin(Stdio::null());
    // One pipe for both, so that everything is in its place.
    let (mut reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().map_err(SessionError::NoGdb)?;
    drop(command);
    let mut said = Vec::new();
    reader.read_to_end(&mut said)?;
    child.wait()?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// Compares what was said with what has to be, step by step.
fn compare(steps: &[Step], said: &str) -> Result<(), SessionError> {
    for (index, Step { commands, says }) in steps.iter().enumerate() {
        let begin = format!("{MARK}{index}\n");
        let (_, rest) = said.split_once(&begin).ok_or_else(|| SessionError::Said {
            step: commands.join("; "),
            missing: begin.clone(),
            said: said.to_owned(),
        })?;
        let here = rest.split(MARK).next().unwrap_or(rest);
        if let Some(missing) = says.iter().find(|part| !here.contains(part.as_str())) {
            let (step, missing, said) = (commands.join("; "), missing.clone(), here.to_owned());
            return Err(SessionError::Said { step, missing, said });
        }
    }
    Ok(())
}

/// The simulator as the shell that GDB starts it with has to read it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// Holds the sessions; what GDB printed in the first one.
///
/// # Errors
/// Where GDB is missing, a tool fails, or GDB printed something else than it had to.
pub fn run() -> Result<String, SessionError> {
    let folder = tempfile::tempdir()?;
    let elf = folder.path().join("delayed.elf");
    let path = elf.display().to_string();
    tools::run("fenn-as", &[PROGRAM, PROPAGATE, NEURON, "-o", &path])?;
    let undebugged = tools::run("fenn-sim", &[&path])?;
    let counts = undebugged.lines().nth(1).unwrap_or_default();

    let simulator = PathBuf::from(tool("fenn-sim")?.get_program());
    // The simulator's own report goes to a file: GDB passes on what it finds on the pipe, which is not always all.
    let own = folder.path().join("report.txt");
    let pipe = format!("| {} --gdb - {} 2>{}", quoted(&simulator), quoted(&elf), quoted(&own));
    let mut steps = whole_session()?;
    steps.push(step(["continue"], ["exited normally"]));
    let said = debug(folder.path(), &elf, &pipe, &steps)?;
    compare(&steps, &said)?;
    expect("to the end", &std::fs::read_to_string(&own)?, counts)?;

    let kill = [step(["break neuron_lif", "continue", "kill"], ["Breakpoint 1", "killed"])];
    let killed = debug(folder.path(), &elf, &pipe, &kill)?;
    compare(&kill, &killed)?;
    expect("kill", &std::fs::read_to_string(&own)?, "fenn-sim: killed by the debugger at pc 0x")?;

    let mut server =
        tool("fenn-sim")?.args(["--gdb", "0", &path]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(errors) = server.stderr.take() {
        BufReader::new(errors).read_line(&mut line)?;
    }
    let place = line.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    let detach = [step(["break collect_delayed", "continue", "detach"], ["Breakpoint 1", "detached"])];
    let detached = debug(folder.path(), &elf, &place, &detach).and_then(|said| compare(&detach, &said));
    if detached.is_err() {
        // Nobody will connect any more.
        server.kill()?;
    }
    let mut report = String::new();
    if let Some(mut out) = server.stdout.take() {
        out.read_to_string(&mut report)?;
    }
    server.wait()?;
    detached?;
    expect("detach", &report, counts)?;
    Ok(said)
}

fn expect(step: &str, said: &str, part: &str) -> Result<(), SessionError> {
    if !part.is_empty() && said.contains(part) {
        return Ok(());
    }
    Err(SessionError::Said { step: step.to_owned(), missing: part.to_owned(), said: said.to_owned() })
}
