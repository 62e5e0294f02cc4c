//! `fenn-sim --snapshot`, `--restore` and `--gdb`, as people use them.

mod support;

use std::path::Path;

use assert_cmd::Command;
use fenn_isa::image::{Image, Segment, Symbol, SymbolKind};
use fenn_isa::memory::Space;
use fenn_iss::{Limits, Machine, Options};
use support::{image, small};
use tempfile::TempDir;

/// `result = 1 + … + 100`.
const PROGRAM: [&str; 6] =
    ["addi t0, zero, 100", "add t1, t1, t0", "addi t0, t0, -1", "bne t0, zero, .-8", "sw t1, 12(zero)", "ecall"];

fn program() -> Image {
    let mut image = image(small(), &PROGRAM);
    let (name, space, kind) = ("result".to_owned(), Space::Scalar, SymbolKind::Object);
    image.symbols.push(Symbol { name, space, address: 12, size: 4, kind, global: true });
    image
}

fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    program().write(directory.path().join("p.elf")).unwrap();
    directory
}

fn sim(directory: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::cargo_bin("fenn-sim").unwrap();
    let output = command.current_dir(directory).args(arguments).write_stdin(input).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("it was not killed"), text(output.stdout), text(output.stderr))
}

#[test]
fn a_run_is_continued_from_a_snapshot() {
    let directory = directory();
    let path = directory.path();
    let (code, whole, _) = sim(path, &["p.elf", "--dump", "scalar:result::u32"], "");
    assert_eq!(code, 0);
    assert!(whole.contains("302 instructions") && whole.contains("0000000c: 5050"), "{whole}");
    let mut machine = Machine::from_image(&program(), Options::default()).unwrap();
    let first = machine.run(Limits { instructions: Some(77), ..Limits::default() }, &mut ());
    let (code, said, error) = sim(path, &["p.elf", "--max-instructions", "77", "--snapshot", "a.snap"], "");
    assert_eq!((code, error.as_str()), (4, ""));
    assert!(said.contains(&format!("77 instructions, {} cycles", first.cycles)), "{said}");
    assert_eq!(std::fs::read(path.join("a.snap")).unwrap(), machine.snapshot().unwrap());
    let rest = machine.run(Limits::default(), &mut ());
    let (code, said, _) = sim(path, &["p.elf", "--restore", "a.snap", "--dump", "scalar:result::u32"], "");
    assert_eq!(code, 0);
    assert!(said.contains(&format!("225 instructions, {} cycles (fenn)", rest.cycles)), "{said}");
    assert!(said.contains("0000000c: 5050"), "{said}");
    // What is counted is this run's, and adds up.
    let (code, said, error) = sim(path, &["p.elf", "--restore", "a.snap", "--stats", "--json"], "");
    assert_eq!((code, error.as_str()), (0, ""));
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let stalls = report["stalls"].as_object().unwrap().values().filter_map(serde_json::Value::as_u64).sum::<u64>();
    assert_eq!(report["cycles"].as_u64().unwrap(), 225 + stalls, "{said}");
    assert_eq!(sim(path, &["p.elf", "--restore", "a.snap", "--stats"], "").0, 0);
    // Without the program there are no symbols, and everything else is the same.
    let (code, said, _) = sim(path, &["--restore", "a.snap", "--dump", "scalar:12:4:u32", "--snapshot", "b.snap"], "");
    assert_eq!(code, 0);
    assert!(said.contains("0000000c: 5050"), "{said}");
    assert_eq!(std::fs::read(path.join("b.snap")).unwrap(), machine.snapshot().unwrap());
    assert_eq!(sim(path, &["--restore", "a.snap", "--dump", "scalar:result:4"], "").0, 2);
}

#[test]
fn a_restored_machine_keeps_its_timing() {
    let directory = directory();
    let path = directory.path();
    let limit = ["p.elf", "--profile", "cv32e40x", "--max-instructions", "10", "--snapshot", "a.snap"];
    assert_eq!(sim(path, &limit, "").0, 4);
    let (code, said, _) = sim(path, &["--restore", "a.snap"], "");
    assert!(code == 0 && said.contains("(cv32e40x)"), "{said}");
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let directory = directory();
    let path = directory.path();
    assert_eq!(sim(path, &["p.elf", "--max-instructions", "9", "--snapshot", "a.snap"], "").0, 4);
    let file = std::fs::read(path.join("a.snap")).unwrap();
    std::fs::write(path.join("half.snap"), &file[..file.len() / 2]).unwrap();
    let mut other = program();
    other.segments[0] = Segment::new(Space::Instruction, 0, support::words(&["addi t0, zero, 99", "ecall"]));
    other.write(path.join("other.elf")).unwrap();
    std::fs::write(path.join("taken"), "").unwrap();
    for (code, arguments, says) in [
        (1, &["--restore", "none.snap"][..], "cannot read none.snap"),
        (1, &["--restore", "p.elf"], "p.elf: this is not a snapshot"),
        (1, &["--restore", "half.snap"], "half.snap: the snapshot is truncated"),
        (1, &["--restore", "a.snap", "other.elf"], "a.snap is a snapshot of a machine that ran another program than"),
        (1, &["p.elf", "--snapshot", "no/such/file"], "cannot write no/such/file"),
        #[cfg(feature = "gdb")]
        (1, &["p.elf", "--gdb", "./taken"], "cannot wait for a debugger at ./taken"),
        #[cfg(feature = "gdb")]
        (1, &["p.elf", "--gdb", "-"], "the debugger is gone"),
    ] {
        let (got, _, error) = sim(path, arguments, "");
        assert_eq!(got, code, "{arguments:?}: {error}");
        assert!(error.starts_with("fenn-sim: ") && error.lines().count() == 1, "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
    for usage in [
        &["--restore", "a.snap", "--strict"][..],
        &["--restore", "a.snap", "--profile", "fenn"],
        &["--restore", "a.snap", "--dram-latency", "3"],
        &["p.elf", "--restore", "a.snap", "--check"],
        &["--snapshot", "a.snap"],
        #[cfg(feature = "gdb")]
        &["p.elf", "--gdb", "70000"],
        #[cfg(feature = "gdb")]
        &["p.elf", "--gdb", "1", "--stats"],
    ] {
        assert_eq!(sim(path, usage, "").0, 2, "{usage:?}");
    }
}

/// Packets on standard input: the report is on standard error, for standard output is the debugger's.
#[test]
#[cfg(feature = "gdb")]
fn a_debugger_on_standard_input_runs_the_program() {
    let directory = directory();
    let path = directory.path();
    let whole = sim(path, &["p.elf"], "").1;
    // Continue to the end.
    let (code, out, error) = sim(path, &["p.elf", "--gdb", "-"], "$c#63");
    assert_eq!((code, out.as_str(), error.as_str()), (0, "+$W00#b7", whole.as_str()));
    // A breakpoint, continue, detach: it runs on by itself, to the same end.
    let (code, out, error) = sim(path, &["p.elf", "--gdb", "-"], "$Z0,10,4#77+$c#63+$D#44");
    assert!(out.contains("$OK#9a") && out.contains("swbreak"), "{out}");
    assert_eq!((code, error.as_str()), (0, whole.as_str()));
    let (code, _, error) = sim(path, &["p.elf", "--gdb", "-"], "$s#73+$k#6b");
    assert_eq!((code, error.as_str()), (6, "fenn-sim: killed by the debugger at pc 0x4\n"));
}

/// GDB closes all its ends when it kills a program that it has started.
#[test]
#[cfg(all(feature = "gdb", unix))]
fn nobody_has_to_listen() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    let directory = directory();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fenn-sim"));
    command.current_dir(directory.path()).args(["p.elf", "--gdb", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    child.stdin.take().unwrap().write_all(b"$k#6b").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(6));
}
