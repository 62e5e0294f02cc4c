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
    let limit = code(&["jal zero, .+0"], None, &["--max-cycles", "1000", "--json"]);
    assert_eq!(limit.code, 4);
    let report = serde_json::from_str::<Value>(&limit.out).unwrap();
    // The first jump takes two cycles, until the fetch unit knows it.
    assert_eq!((&report["stop"]["kind"], &report["instructions"]), (&json!("cycle_limit"), &json!(999)));
    let until = code(&["addi t0, t0, 1", "jal zero, .-4"], None, &["--until", "4", "--json"]);
    assert_eq!(until.code, 0);
    assert_eq!(serde_json::from_str::<Value>(&until.out).unwrap()["stop"]["kind"], "breakpoint");
    let unwritten = ["lw a0, 0(zero)", "ecall"];
    assert_eq!((code(&unwritten, None, &[]).code, code(&unwritten, None, &["--check"]).code), (0, 5));
    assert_eq!(code(&["lw a0, 0(zero)", "ebreak"], None, &["--check"]).code, 3, "how it ended comes first");
    assert_eq!(code(&["sw a0, 0(zero)", "ecall"], None, &["--check"]).code, 0);
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
        (2, &["p.elf", "--json", "--heatmap", "-"], "give the heat map a file"),
        (2, &["p.elf", "--hot", "hot.csv"], "must end in .txt, .json, .html or .folded"),
        (2, &["p.elf", "--heatmap", "heat.json"], "must end in .txt or .html"),
        (2, &["p.elf", "--until", "nowhere"], "neither a number nor a symbol"),
        (2, &["p.elf", "--until", "values"], "the symbol `values` is in vector memory"),
        (2, &["p.elf", "--until", "0x400"], "0x400 is no multiple of 4 inside instruction memory"),
        (2, &["p.elf", "--until", "6"], "0x6 is no multiple of 4"),
        (1, &["p.elf", "--hot", "no/such/hot.txt"], "cannot write no/such/hot.txt"),
        (1, &["p.elf", "--heatmap", "no/such/heat.html"], "cannot write no/such/heat.html"),
        (1, &["p.elf", "--trace-binary", "no/such/trace"], "cannot write no/such/trace"),
        (1, &["p.elf", "--trace", "t.txt", "--trace-binary", "no/such/trace"], "cannot write no/such/trace"),
        (1, &["p.elf", "--trace", "no/such/trace", "--trace-binary", "t.bin"], "cannot write no/such/trace"),
        (1, &["--read-trace", "none.bin"], "cannot read none.bin"),
        (1, &["--read-trace", "text.elf"], "text.elf: the trace is damaged at byte 8: it does not begin as a trace"),
    ] {
        let run = sim(directory.path(), arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.err);
        assert!(run.err.starts_with("fenn-sim: ") && run.err.lines().count() == 1, "{arguments:?}: {}", run.err);
        assert!(run.err.contains(says), "{arguments:?}: {}", run.err);
        assert_eq!(run.out, "", "{arguments:?}");
    }
    for arguments in [
        &[][..],
        &["p.elf", "--no-such-option"],
        &["p.elf", "--max-instructions", "many"],
        &["p.elf", "--dram-bytes-per-cycle", "0"],
        &["p.elf", "--dram-bytes-per-cycle", "48"],
        &["p.elf", "--dram-bytes-per-cycle", "96"],
        &["p.elf", "--read-trace", "t.bin"],
    ] {
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

#[test]
fn traces_of_bytes_print_as_text() {
    let directory = directory(&program());
    let folder = directory.path();
    let run = sim(folder, &["p.elf", "--trace", "t.txt", "--trace-binary", "t.bin"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let text = std::fs::read_to_string(folder.join("t.txt")).unwrap();
    let printed = sim(folder, &["--read-trace", "t.bin"]);
    assert_eq!((printed.code, printed.out.as_str(), printed.err.as_str()), (0, text.as_str(), ""));
    // Alone it is the same, and beside the text on standard output.
    let bytes = std::fs::read(folder.join("t.bin")).unwrap();
    let run = sim(folder, &["p.elf", "--trace", "-", "--trace-binary", "u.bin"]);
    assert!(run.out.starts_with(&text));
    sim(folder, &["p.elf", "--trace-binary", "v.bin"]);
    for other in ["u.bin", "v.bin"] {
        assert!(std::fs::read(folder.join(other)).unwrap() == bytes, "{other}");
    }
    // Of a trace that was cut, what is there is printed.
    std::fs::write(folder.join("cut.bin"), &bytes[..bytes.len() - 12]).unwrap();
    let cut = sim(folder, &["--read-trace", "cut.bin"]);
    assert_eq!(cut.code, 1);
    assert!(!cut.out.is_empty() && text.starts_with(&cut.out), "{}", cut.out);
    assert!(cut.err.contains(&format!("damaged at byte {}: it ends in the middle", bytes.len() - 12)), "{}", cut.err);
    // Where one trace cannot be written, there is none.
    assert_eq!(sim(folder, &["p.elf", "--trace", "x.txt", "--trace-binary", "no/such/x.bin"]).code, 1);
    assert!(!folder.join("x.txt").exists());
}

/// The program's source, as far as the lines of [`reporting`] go.
const SOURCE: &str = "# a test\nload\ndouble\nstore\nextract\nnext\nlast\n";

/// The program with lines of source, a phase and a symbol in its code.
fn reporting() -> Image {
    let file: std::sync::Arc<str> = "source/p.s".into();
    let mut image = program();
    let label = |name: &str, address| Symbol {
        name: name.to_owned(),
        space: Space::Instruction,
        address,
        size: 0,
        kind: SymbolKind::Label,
        global: true,
    };
    image.symbols.extend([label("begin", 0), label("phase.store", 8), label("finish", 8)]);
    let line =
        |(index, line): (u32, u32)| fenn_isa::image::Line { address: 4 * index, file: file.clone(), line, column: 1 };
    image.lines = (0..).zip([2, 3, 4, 5, 6, 7]).map(line).collect();
    image
}

#[test]
fn profiles_heat_maps_and_phases_are_written() {
    let directory = directory(&reporting());
    let folder = directory.path();
    std::fs::create_dir(folder.join("source")).unwrap();
    std::fs::write(folder.join("source/p.s"), SOURCE).unwrap();
    let files = ["hot.txt", "hot.json", "hot.html", "hot.folded"];
    let mut arguments = vec!["p.elf", "--phases", "--heatmap", "heat.html", "--heatmap", "heat.txt", "--heatmap", "-"];
    files.iter().for_each(|file| arguments.extend(["--hot", file]));
    let run = sim(folder, &arguments);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    // Two cycles of the first symbol's two instructions, and one that the addition waits for its row.
    assert!(
        read("hot.txt").contains("           4  57.1 %            4  1.000          0  finish\n"),
        "{}",
        read("hot.txt")
    );
    assert_eq!(serde_json::from_str::<Value>(&read("hot.json")).unwrap()["lines"][0]["stalls"]["vector-result"], 1);
    assert_eq!(read("hot.folded"), "begin 7\n");
    assert!(read("hot.html").contains("Hottest lines") && read("heat.html").contains("<td class=\"code\">double</td>"));
    let heat = read("heat.txt");
    assert!(heat.contains("          1            2          1  28.57 ##########        3 | double\n"), "{heat}");
    assert!(run.out.ends_with(&heat));
    let phases = "phase                   entered instructions       cycles    CPI  stalls\n\
        (before)                      0            2            3  1.500  vector-result 1\n\
        store                         1            4            4  1.000\n";
    assert!(run.out.contains(phases), "{}", run.out);
    // The source is found beside the program too, and missed without a word: its code is shown instead.
    let elsewhere = TempDir::new().unwrap();
    let path = folder.join("p.elf");
    let run = sim(elsewhere.path(), &[path.to_str().unwrap(), "--heatmap", "-"]);
    assert!(run.out.ends_with(&heat));
    std::fs::remove_file(folder.join("source/p.s")).unwrap();
    let run = sim(folder, &["p.elf", "--heatmap", "-"]);
    assert!(run.out.contains("00000004 | vadd_s v1, v1, v1\n"), "{}", run.out);
    // A program without marks says so.
    std::fs::write(folder.join("q.elf"), program().to_elf().unwrap()).unwrap();
    assert!(sim(folder, &["q.elf", "--phases"]).out.contains("no symbol `phase.NAME`"));
}

#[test]
fn findings_have_their_place_and_know_what_the_host_wrote() {
    let directory = directory(&reporting());
    let folder = directory.path();
    let run = sim(folder, &["p.elf", "--check"]);
    // Six bytes of the row are the image's.
    let lines = "\n\
        source/p.s:2: note at pc 0x0: vector memory at 0x40 is read, and 58 of the 64 bytes were never written\n\
        source/p.s:3: note at pc 0x4: v1 is read right behind its load from vector memory, before it is ready\n";
    assert!(run.code == 0 && run.out.ends_with(lines), "{}", run.out);
    std::fs::write(folder.join("row"), [0; 64]).unwrap();
    let run = sim(folder, &["p.elf", "--check", "--write", "vector:values:row"]);
    assert!(!run.out.contains("never written") && run.out.contains("right behind its load"), "{}", run.out);
}

#[test]
fn statistics_balance_the_cycles() {
    let directory = directory(&program());
    let run = sim(directory.path(), &["p.elf", "--stats"]);
    for part in [
        "7 cycles = 6 instructions + 0 traps + 1 stalls\n1.167 cycles per instruction\n",
        "stall                           1  14.29 %\nvector-result                   1  14.29 %\n",
        "0 cycles waiting for transfers into vector memory, 0 for those out of it\n",
        "VectorAlu                       1  16.67 % vector-result 1\n",
    ] {
        assert!(run.out.contains(part), "{part}: {}", run.out);
    }
    let run = sim(directory.path(), &["p.elf", "--json", "--stats", "--phases", "--check", "--hot", "hot.json"]);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["stalls"], json!({ "vector-result": 1 }));
    assert_eq!(report["statistics"]["class_stalls"]["VectorAlu"], json!({ "vector-result": 1 }));
    assert_eq!(report["dma_waits"], json!({ "into_vector": 0, "out_of_vector": 0 }));
    assert_eq!(report["phases"][0]["cycles"], 7);
    assert_eq!(report["findings"][0]["missing"], 58);
    assert_eq!(report["hot"]["total"]["instructions"], 6);
    assert!((report["cpi"].as_f64().unwrap() - 7.0 / 6.0).abs() < 1e-12);
    // A trap that is handled, and one that is not; an endless program.
    let code = |lines: &[&str], arguments: &[&str]| {
        sim(self::directory(&image(small(), lines)).path(), &[&["p.elf", "--stats"], arguments].concat()).out
    };
    let handled = ["addi t0, zero, 16", "csrrw zero, mtvec, t0", "lw t1, -4(zero)", "ecall", "ecall"];
    assert!(
        code(&handled, &[]).contains("\n5 cycles = 2 instructions + 1 traps + 2 stalls\n"),
        "{}",
        code(&handled, &[])
    );
    let fatal = ["lw t0, 0(zero)", "lw t1, -4(t0)"];
    assert!(code(&fatal, &[]).contains("\n2 cycles = 1 instructions + 0 traps + 1 stalls\n"), "{}", code(&fatal, &[]));
}

/// Waiting for a transfer of one row: `latency + 64 / width` cycles after the start, give or take the loop.
#[test]
fn dram_can_be_another() {
    let lines = [
        "addi t0, zero, 64",
        "csrrw zero, mm2s_count, t0",
        "csrrwi zero, mm2s_control, 1",
        "csrrs t1, mm2s_status, zero",
        "andi t1, t1, 2",
        "beq t1, zero, .-8",
        "ecall",
    ];
    let directory = directory(&image(small(), &lines));
    let cycles = |arguments: &[&str]| {
        let run = sim(directory.path(), &[&["p.elf", "--json", "--profile", "functional"], arguments].concat());
        let report: Value = serde_json::from_str(&run.out).unwrap();
        let waits = report["dma_waits"]["into_vector"].as_u64().unwrap();
        (report["dram"].clone(), report["cycles"].as_u64().unwrap(), waits)
    };
    // The start is in cycle 2, and the status is read in cycles 3, 6, 9 and so on, until it has ended.
    let expected = |latency: u64, width: u64| {
        let ends = 2 + latency + 64u64.div_ceil(width);
        let last = (3..).step_by(3).find(|read| *read >= ends).unwrap();
        (json!({ "latency": latency, "bytes_per_cycle": width }), last + 3, last - 3)
    };
    assert_eq!(cycles(&[]), expected(10, 16));
    assert_eq!(cycles(&["--dram-latency", "1000"]), expected(1000, 16));
    assert_eq!(cycles(&["--dram-bytes-per-cycle", "1"]), expected(10, 1));
    assert_eq!(cycles(&["--dram-latency", "0", "--dram-bytes-per-cycle", "128"]), expected(0, 128));
}
