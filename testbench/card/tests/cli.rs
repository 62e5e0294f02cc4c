//! The program: its socket, its lines, and its exit codes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use fenn_host::transport::direct::{Direct, Options};
use fenn_host::transport::vfio_user::VfioUser;
use fenn_host::transport::{Deadline, Transport, TransportError};
use serde_json::Value;
use tempfile::TempDir;

const MEMORY: u64 = 0x8000_0000;
const LONG: Duration = Duration::from_secs(60);

/// The running program; it is ended with the test, whatever comes of that.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let (Ok(()) | Err(_)) = self.0.kill();
        let (Ok(_) | Err(_)) = self.0.wait();
    }
}

fn start(socket: &Path, more: &[&str]) -> (Program, BufReader<ChildStdout>) {
    let mut command = Command::new(cargo_bin("fenn-card"));
    command.arg("--socket").arg(socket).args(["--bytes", "1048576"]).args(more);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (Program(child), output)
}

fn line(output: &mut impl BufRead) -> Value {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

fn open(socket: &Path) -> Direct<VfioUser> {
    let options = Options::default();
    Direct::open(VfioUser::connect(socket, options.memory_bytes()).unwrap(), options).unwrap()
}

#[test]
fn faults_come_by_arguments_and_by_lines() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("card");
    let (mut program, mut output) = start(&socket, &["--fault", "decerr@1"]);
    assert_eq!(line(&mut output)["socket"], socket.to_str().unwrap());
    let mut card = open(&socket);
    let write = |card: &mut Direct<VfioUser>| card.write(MEMORY, &[1; 64], Deadline::after(LONG));
    write(&mut card).unwrap();
    assert!(matches!(write(&mut card), Err(TransportError::Refused { .. })));
    write(&mut card).unwrap();
    let input = program.0.stdin.as_mut().unwrap();
    // The answer to the last line says that those before it were obeyed.
    writeln!(input, "short\nnonsense\nslverr@5\nclear\nslverr\ntransfers").unwrap();
    assert_eq!(line(&mut output)["transfers"], 3);
    assert!(matches!(write(&mut card), Err(TransportError::Refused { answer, .. }) if answer.contains("SLVERR")));
    write(&mut card).unwrap();
    writeln!(input, "cut\ntransfers").unwrap();
    line(&mut output);
    assert!(matches!(write(&mut card), Err(TransportError::Gone { .. })));
    writeln!(input, "quit").unwrap();
    assert_eq!(program.0.wait().unwrap().code(), Some(0));
}

#[test]
fn it_ends_with_whoever_started_it() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("card");
    let (mut program, mut output) = start(&socket, &["--until-eof"]);
    line(&mut output);
    let card = open(&socket);
    drop(program.0.stdin.take());
    assert_eq!(program.0.wait().unwrap().code(), Some(0));
    drop(card);
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = TempDir::new().unwrap();
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "").unwrap();
    let taken = taken.to_str().unwrap();
    let free = folder.path().join("free");
    let free = free.to_str().unwrap();
    for (arguments, said) in [
        (vec![], "--socket"),
        (vec!["--socket", taken], "exists"),
        (vec!["--socket", free, "--fault", "flood"], "lost-interrupt"),
        (vec!["--socket", free, "--channels", "5"], "5"),
        (vec!["--socket", free, "--side", "sim", "--cores", "99"], "99"),
        (vec!["--socket", free, "--side", "rtl", "--model", "soc_nine"], "card"),
    ] {
        let output = Command::new(cargo_bin("fenn-card")).args(&arguments).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}

#[test]
fn bandwidth_is_a_table() {
    let arguments = ["bandwidth", "--bytes", "200000", "--repeats", "1", "--chunks", "65536,4194304"];
    let output = Command::new(cargo_bin("fenn-card")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = figures["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2 * 2 * 2, "sizes, directions, completions");
    for row in rows {
        let (seconds, rate) = (row["seconds"].as_f64().unwrap(), row["bytes_per_second"].as_f64().unwrap());
        assert!((rate * seconds - 200_000.0).abs() < 1.0, "{row}");
    }
}
