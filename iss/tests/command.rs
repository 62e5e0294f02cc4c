//! `fenn-sim` as people and scripts use it: output, files, exit codes, and one clear sentence for whatever is wrong.

mod support;

use std::path::Path;

use assert_cmd::Command;
use fenn_isa::image::{Image, Segment, Symbol, SymbolKind};
use fenn_isa::memory::Space;
use serde_json::{Value, json};
use support::{bytes, image, small};
use tempfile::TempDir;

/// Adds the numbers at `values` to themselves; the sum of the first with its double goes to scalar memory.
const PROGRAM: [&str; 7] = [
    "vloadv v1, 64(zero)",
    "vadd_s v1, v1, v1",
    "vstore v1, 128(zero)",
    "vextract t0, v1, 1",
    "lw t1, 8(zero)",
    "sw t0, 12(zero)",
    "ecall",
];

fn program() -> Image {
    let mut image = image(small(), &PROGRAM);
    image.segments.push(Segment::new(Space::Scalar, 8, vec![1, 2, 3, 4]));
    image.segments.push(Segment::new(Space::Vector, 64, bytes(&[512, -1024, 20000])));
    let symbol = |name: &str, space, address, size| Symbol {
        name: name.to_owned(),
        space,
        address,
        size,
        kind: SymbolKind::Object,
        global: true,
    };
    image.symbols.push(symbol("values", Space::Vector, 64, 6));
    image.symbols.push(symbol("result", Space::Scalar, 12, 4));
    image
}

/// A directory with the program in it as `p.elf`.
fn directory(image: &Image) -> TempDir {
    let directory = TempDir::new().unwrap();
    image.write(directory.path().join("p.elf")).unwrap();
    directory
}

struct Run {
    code: i32,
    out: String,
    err: String,
}

fn sim(directory: &Path, arguments: &[&str]) -> Run {
    let output = Command::cargo_bin("fenn-sim").unwrap().current_dir(directory).args(arguments).output().unwrap();
    Run {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_run_says_what_it_came_to() {
    let directory = directory(&program());
    let Run { code, out, err } = sim(directory.path(), &["p.elf"]);
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "ended by ecall at pc 0x18\n6 instructions, 7 cycles (fenn)\n", "")
    );
}

#[test]
fn memory_is_written_dumped_and_filed() {
    let directory = directory(&program());
    std::fs::write(directory.path().join("in:put"), bytes(&[-512, 700])).unwrap();
    let run = sim(
        directory.path(),
        &[
            "p.elf",
            "--write",
            "vector:values:in:put",
            "--dump",
            "vector:128:6:s5.10",
            "--dump",
            "scalar:result::i32",
            "--dump",
            "vector:values",
            "--dump-file",
            "vector:0x80:6:out.bin",
        ],
    );
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.contains("vector:128:6:s5.10\n00000080: -1.0 1.3671875 31.9990234375\n"), "{}", run.out);
    assert!(run.out.contains("scalar:result::i32\n0000000c: 1400\n"), "{}", run.out);
    assert!(run.out.contains("vector:values\n00000040: 00 fe bc 02 20 4e\n"), "{}", run.out);
    assert_eq!(std::fs::read(directory.path().join("out.bin")).unwrap(), bytes(&[-1024, 1400, 32767]));
}

#[test]
fn json_has_everything_in_one_object() {
    let directory = directory(&program());
    let run = sim(directory.path(), &["p.elf", "--json", "--stats", "--registers", "--dump", "vector:128:6:i16"]);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["stop"]["kind"], "ecall");
    assert_eq!((&report["instructions"], &report["cycles"]), (&json!(6), &json!(7)));
    assert_eq!(report["statistics"]["instructions"]["vadd_s"], 1);
    assert_eq!(report["statistics"]["extensions"], json!({ "Fenn": 4, "Rv32i": 2 }));
    assert_eq!(report["registers"]["x"][6], 0x0403_0201);
    assert_eq!(report["registers"]["v"][1][2], 32767);
    assert_eq!(report["dumps"][0]["values"], json!([1024, -2048, 32767]));
}

#[test]
fn statistics_registers_and_traces_are_text() {
    let directory = directory(&program());
    let run = sim(directory.path(), &["p.elf", "--stats", "--registers", "--trace", "t.txt"]);
    assert_eq!(run.code, 0);
    for part in ["vadd_s                          1  16.67 %", "VectorAlu ", "x5  t0   fffff800", "0 branches taken"] {
        assert!(run.out.contains(part), "{part}: {}", run.out);
    }
    let trace = std::fs::read_to_string(directory.path().join("t.txt")).unwrap();
    assert_eq!(trace.lines().count(), 6);
    let run = sim(directory.path(), &["p.elf", "--trace", "-"]);
    assert_eq!(run.out, trace + "ended by ecall at pc 0x18\n6 instructions, 7 cycles (fenn)\n");
}

#[test]
fn exit_codes_say_how_it_ended() {
    let code = |lines: &[&str], ready_flag, arguments: &[&str]| {
        let image = Image { ready_flag, ..image(small(), lines) };
        sim(directory(&image).path(), &[&["p.elf"], arguments].concat())
    };
    assert_eq!(code(&["addi t0, zero, 1", "sw t0, 8(zero)", "jal zero, .+0"], Some(8), &[]).code, 0);
    let trap = code(&["lw a0, -4(zero)"], None, &[]);
    assert_eq!(trap.code, 3);
    assert!(trap.err.starts_with("fenn-sim: trap at pc 0x0 (`lw a0, -4(zero)`): load of 4 bytes at 0xfffffffc"));
    assert_eq!(code(&["lw a0, 1(zero)", "ecall"], None, &[]).code, 0);
    assert_eq!(code(&["lw a0, 1(zero)", "ecall"], None, &["--strict"]).code, 3);
    assert_eq!(code(&["ebreak"], None, &[]).code, 3);
    let limit = code(&["jal zero, .+0"], None, &["--max-instructions", "1000", "--json"]);
    assert_eq!(limit.code, 4);
    assert_eq!(serde_json::from_str::<Value>(&limit.out).unwrap()["stop"]["kind"], "instruction_limit");
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let directory = directory(&program());
    std::fs::write(directory.path().join("text.elf"), "no program").unwrap();
    let elf = std::fs::read(directory.path().join("p.elf")).unwrap();
    std::fs::write(directory.path().join("half.elf"), &elf[..elf.len() / 2]).unwrap();
    std::fs::write(directory.path().join("long"), [0; 5000]).unwrap();
    for (code, arguments, says) in [
        (1, &["none.elf"][..], "cannot read none.elf"),
        (1, &["text.elf"], "this is not an ELF file"),
        (1, &["half.elf"], "half.elf"),
        (1, &["p.elf", "--write", "vector:0:none.bin"], "cannot read none.bin"),
        (1, &["p.elf", "--dump-file", "vector:0:4:no/such/out.bin"], "cannot write no/such/out.bin"),
        (1, &["p.elf", "--trace", "no/such/trace"], "cannot write no/such/trace"),
        (2, &["p.elf", "--dump", "vector"], "not of the form"),
        (2, &["p.elf", "--dump", "vector:nothing:4"], "neither a number nor a symbol"),
        (2, &["p.elf", "--dump", "vector:4096:1"], "0x1000..0x1001 are not in vector memory"),
        (2, &["p.elf", "--dump", "dram:0:0xffffffff"], "are not in DRAM"),
        (2, &["p.elf", "--dump-file", "scalar:0:4"], "not of the form"),
        (2, &["p.elf", "--write", "ram:0:long"], "there is no memory `ram`"),
        (2, &["p.elf", "--write", "vector:0:long"], "which has 4096 bytes"),
        (2, &["p.elf", "--json", "--trace", "-"], "give the trace a file"),
    ] {
        let run = sim(directory.path(), arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.err);
        assert!(run.err.starts_with("fenn-sim: ") && run.err.lines().count() == 1, "{arguments:?}: {}", run.err);
        assert!(run.err.contains(says), "{arguments:?}: {}", run.err);
        assert_eq!(run.out, "", "{arguments:?}");
    }
    for arguments in [&[][..], &["p.elf", "--no-such-option"], &["p.elf", "--max-instructions", "many"]] {
        assert_eq!(sim(directory.path(), arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn help_and_completions_are_printed() {
    let directory = directory(&program());
    let help = sim(directory.path(), &["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.out.contains("Exit codes:") && help.out.contains("Examples:"));
    for shell in ["bash", "zsh", "fish"] {
        let run = sim(directory.path(), &["--completions", shell]);
        assert!(run.code == 0 && run.out.contains("fenn-sim") && run.out.contains("max-instructions"), "{shell}");
    }
}
