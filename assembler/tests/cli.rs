//! The command line: what it writes, where, and its exit codes.

use std::path::Path;

use assert_cmd::Command;
use fenn_isa::image::Image;
use fenn_isa::memory::MachineConfig;

fn fenn_as() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("fenn-as"))
}

const GOOD: &str = "_start: nop\nmain: ecall\n.data\nflag: .word 0\n";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder with `good.s` and `bad.s` in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("good.s"), GOOD).unwrap();
    std::fs::write(folder.path().join("bad.s"), "nop\n  vadd v0, v1, v40\n  .wrod 5\n").unwrap();
    folder
}

fn at(folder: &Path) -> Command {
    let mut command = fenn_as();
    command.current_dir(folder);
    command
}

#[test]
fn a_program_is_written_with_what_the_options_say() {
    let folder = folder();
    let options = ["--ready-flag", "flag", "--entry", "main", "--vector-bytes", "64K", "--instruction-words", "0x100"];
    at(folder.path())
        .args(["good.s", "-o", "good.elf", "--listing", "good.lst"])
        .args(options)
        .assert()
        .success()
        .stdout("");
    let image = Image::read(folder.path().join("good.elf")).unwrap();
    assert_eq!((image.entry, image.ready_flag), (4, Some(0)));
    let config = MachineConfig { vector_bytes: 64 << 10, instruction_bytes: 1 << 10, ..MachineConfig::default() };
    assert_eq!(image.config, config);
    assert!(std::fs::read_to_string(folder.path().join("good.lst")).unwrap().contains("00000004  00000073"));
    // Nothing is left behind of the files that were being written.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
fn a_program_goes_round_through_pipes() {
    let folder = folder();
    at(folder.path()).args(["-", "-o", "one.elf"]).write_stdin(GOOD).assert().success();
    let output = at(folder.path()).args(["-d", "one.elf"]).assert().success();
    let source = text(&output.get_output().stdout);
    at(folder.path()).args(["-", "-o", "two.elf"]).write_stdin(source).assert().success();
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    // The copy's lines are the disassembly's; all else is the same.
    let image = |name: &str| Image { lines: Vec::new(), ..Image::read(folder.path().join(name)).unwrap() };
    assert_eq!(image("one.elf"), image("two.elf"));
    at(folder.path()).args(["-d", "-", "-o", "three.s"]).write_stdin(read("one.elf")).assert().success();
    assert!(text(&read("three.s")).contains("_start:"));
}

#[test]
fn every_error_is_shown_and_nothing_is_written() {
    let folder = folder();
    let output = at(folder.path()).args(["good.s", "bad.s", "-o", "bad.elf"]).assert().code(1);
    let errors = text(&output.get_output().stderr);
    for wanted in ["bad.s:2:16", "found `v40`", "bad.s:3:3", "did you mean `.word`?", "fenn-as: 2 errors"] {
        assert!(errors.contains(wanted), "no `{wanted}` in\n{errors}");
    }
    assert!(!errors.contains('\x1b'));
    assert!(!folder.path().join("bad.elf").exists());
    let output = at(folder.path()).args(["bad.s", "--color", "always"]).assert().code(1);
    assert!(text(&output.get_output().stderr).contains('\x1b'));
}

#[test]
fn reports_are_json() {
    let folder = folder();
    let output = at(folder.path()).args(["bad.s", "--json"]).assert().code(1).stderr("");
    let report: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(report["ok"], false);
    let first = &report["diagnostics"][0];
    assert_eq!(
        (&first["file"], &first["start"]["line"], &first["start"]["column"]),
        (&"bad.s".into(), &2.into(), &16.into())
    );
    assert_eq!(report["diagnostics"][1]["help"], "did you mean `.word`?");
    let output = at(folder.path()).args(["good.s", "--json"]).assert().success();
    let report: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!((&report["ok"], &report["program"]["memories"][0]["bytes"]), (&true.into(), &8.into()));
    let output = at(folder.path()).args(["none.s", "--json"]).assert().code(1);
    let report: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert!(report["diagnostics"][0]["message"].as_str().unwrap().contains("none.s"));
}

#[test]
fn wrong_input_is_one_clear_message() {
    let folder = folder();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("latin.s", b"nop # \xe9\n");
    write("text.elf", b"this is no program");
    write("machine.json", br#"{"instruction_bytes": 1024}"#);
    let mut elf = Image::default().to_elf().unwrap();
    write("short.elf", &elf[..elf.len() / 2]);
    elf[18] = 62;
    write("other.elf", &elf);
    for (arguments, wanted) in [
        (&["none.s"][..], "cannot read none.s"),
        (&["latin.s"], "latin.s is not UTF-8 text: byte 6"),
        (&["-d", "text.elf"], "text.elf: this is not an ELF file"),
        (&["-d", "short.elf"], "short.elf: "),
        (&["-d", "other.elf"], "other.elf: this ELF file is for x86-64"),
        (&["-d", "text.elf", "other.elf"], "one program at a time"),
        (&["good.s", "-o", "none/good.elf"], "cannot write none/good.elf"),
        (&["good.s", "--config", "machine.json"], "machine.json is no machine configuration"),
        (&["good.s", "--vector-bytes", "100"], "vector memory cannot have 100 bytes"),
        (&["good.s", "--ready-flag", "flog"], "did you mean `flag`?"),
        (&["good.s", "--ready-flag", "main"], "`main` is not in scalar memory"),
    ] {
        let output = at(folder.path()).args(arguments).assert().code(1).stdout("");
        let errors = text(&output.get_output().stderr);
        assert!(errors.contains(wanted), "{arguments:?}: no `{wanted}` in\n{errors}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        &[][..],
        &["--nonsense"],
        &["a.s", "--vector-bytes", "many"],
        &["-d", "a.elf", "--entry", "x"],
        &["-d", "a.elf", "--format", "bin", "-o", "a.bin"],
        &["a.s", "--source"],
        &["a.s", "--format", "bin"],
        &["a.s", "-o", "a.elf", "--memory", "text"],
        &["a.s", "-o", "a.bin", "--format", "bin", "--memory", "text,data"],
        &["a.s", "-o", "a.bin", "--format", "bin", "--memory", "stack"],
        &["a.s", "-o", "a.bin", "--format", "bin", "--width", "32"],
        &["a.s", "-o", "a.hex", "--format", "ihex", "--memory", "lane", "--lane", "0"],
        &["a.s", "-o", "a.coe", "--format", "coe", "--memory", "vector", "--lane", "0"],
        &["a.s", "-o", "-", "--listing", "-"],
        &["a.s", "-o", "-", "--json"],
        &["-", "-"],
        &["a.s", "--deny-warnings"],
        &["a.s", "--lint", "--allow", "nonsense"],
        &["a.s", "--json", "--error-format", "json"],
    ] {
        fenn_as().args(arguments).assert().code(2);
    }
}

#[test]
fn help_names_the_exit_codes_and_shells_complete() {
    let output = fenn_as().arg("--help").assert().success();
    let help = text(&output.get_output().stdout);
    assert!(help.contains("Exit status:") && help.contains("Examples:"), "{help}");
    for shell in ["bash", "zsh", "fish"] {
        let output = fenn_as().args(["--completions", shell]).assert().success();
        assert!(text(&output.get_output().stdout).contains("ready-flag"));
    }
}

/// Several memories, and something for a lint to find.
const MEMORIES: &str = "_start: vloadv v0, 0(zero)\n vstore v0, 64(zero)\n addi zero, a0, 1\n ecall\n.vector\n.half 1, -2\n.lane\n.half 5, 6, 7\n";

fn output(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    at(folder).args(arguments).write_stdin(MEMORIES).assert().success().get_output().stdout.clone()
}

#[test]
fn every_form_goes_to_files_and_pipes() {
    let folder = folder();
    let forms: &[(&[&str], &str)] = &[
        (&["--format", "bin", "--memory", "text"], "\x12\0\0\0"),
        (&["--format", "coe", "--memory", "lane", "--lane", "1"], "memory_initialization_vector=\n0006;\n"),
        (&["--format", "coe", "--memory", "vector", "--width", "32"], "=\nfffe0001;\n"),
        (&["--format", "readmemh", "--memory", "vector", "--width", "16"], "@0\n0001\nfffe\n"),
        (&["--format", "readmemh", "--memory", "dram"], "// DRAM, words of 512 bits\n"),
        (&["--format", "ihex"], ":00000001FF\n"),
        (&["--format", "ihex", "--memory", "vector,lane"], ":040000000100FEFFFE\n"),
        (&[], "\x7fELF"),
    ];
    for (arguments, wanted) in forms {
        let printed = output(folder.path(), &[&["-", "-o", "-"][..], arguments].concat());
        let place = printed.windows(wanted.len()).position(|window| window == wanted.as_bytes());
        assert!(place.is_some(), "{arguments:?}: {}", String::from_utf8_lossy(&printed));
        // The same again, and into a file.
        output(folder.path(), &[&["-", "-o", "file"][..], arguments].concat());
        assert!(std::fs::read(folder.path().join("file")).unwrap() == printed, "{arguments:?}");
    }
    for arguments in [&["--format", "bin"][..], &["--format", "coe", "--memory", "lane", "--lane", "32"]] {
        let arguments = [&["-", "-o", "none"][..], arguments].concat();
        at(folder.path()).args(arguments).write_stdin(MEMORIES).assert().code(1).stdout("");
    }
    assert!(!folder.path().join("none").exists());
    assert!(text(&output(folder.path(), &["-", "--map", "-"])).contains(".lane "));
}

#[test]
fn lints_warn_and_can_be_left_out() {
    let folder = folder();
    let run = |arguments: &[&str], code: i32| {
        let output = at(folder.path()).args(arguments).write_stdin(MEMORIES).assert().code(code);
        text(&output.get_output().stderr)
    };
    assert_eq!(run(&["-"], 0), "");
    let both = run(&["-", "--lint", "-o", "warned.elf"], 0);
    for wanted in ["[result-not-ready]", "<stdin>:2:2", "[x0-written]", "fenn-as: 2 warnings"] {
        assert!(both.contains(wanted), "no `{wanted}` in\n{both}");
    }
    assert!(folder.path().join("warned.elf").exists());
    let one = run(&["-", "--lint", "--allow", "x0-written"], 0);
    assert!(one.contains("[result-not-ready]") && !one.contains("[x0-written]"), "{one}");
    assert_eq!(run(&["-", "--lint", "--allow", "x0-written,result-not-ready"], 0), "");
    run(&["-", "--lint", "--deny-warnings", "-o", "denied.elf"], 1);
    assert!(!folder.path().join("denied.elf").exists());
    run(&["-", "--lint", "--deny-warnings", "--allow", "x0-written,result-not-ready", "-o", "denied.elf"], 0);
    assert!(run(&["-", "--allow", "help"], 2).contains("unreachable-code"));
}

#[test]
fn messages_can_be_lines_of_json() {
    let folder = folder();
    let messages = |arguments: &[&str]| -> Vec<serde_json::Value> {
        let output = at(folder.path()).args(arguments).args(["--error-format", "json"]).assert();
        text(&output.get_output().stderr).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let errors = messages(&["bad.s"]);
    assert_eq!(errors.len(), 2);
    assert_eq!((&errors[1]["level"], &errors[1]["code"]), (&"error".into(), &"unknown-directive".into()));
    assert_eq!((&errors[1]["start"]["byte"], &errors[1]["end"]["column"]), (&25.into(), &8.into()));
    assert_eq!(messages(&["none.s"])[0]["code"], "file");
    std::fs::write(folder.path().join("twice.s"), "x: nop\nx: nop\n").unwrap();
    let twice = &messages(&["twice.s"])[0];
    assert_eq!((&twice["elsewhere"]["start"]["line"], &twice["start"]["line"]), (&1.into(), &2.into()));
    assert_eq!(messages(&["good.s", "--lint"]), [] as [serde_json::Value; 0]);
}

#[test]
fn a_disassembly_shows_the_source_and_is_json_too() {
    let folder = folder();
    std::fs::write(
        folder.path().join("loop.s"),
        "_start: li a0, 5\n1:  addi a0, a0, -1  # step\n bnez a0, 1b\n ecall\n",
    )
    .unwrap();
    at(folder.path()).args(["loop.s", "-o", "loop.elf"]).assert().success();
    let with_source = text(&output(folder.path(), &["-d", "loop.elf", "--source"]));
    let lines: Vec<&str> = with_source.lines().collect();
    let at_step = lines.iter().position(|line| *line == "# loop.s:2: 1:  addi a0, a0, -1  # step").expect(&with_source);
    assert_eq!(lines[at_step - 1], ".L_0004:");
    assert!(lines[at_step + 1].starts_with("        addi a0, a0, -1"), "{with_source}");
    assert!(with_source.contains("bne a0, zero, .L_0004"), "{with_source}");
    // It assembles to the same bytes and symbols.
    std::fs::write(folder.path().join("again.s"), &with_source).unwrap();
    at(folder.path()).args(["again.s", "-o", "again.elf", "--strip-debug"]).assert().success();
    at(folder.path()).args(["loop.s", "-o", "plain.elf", "--strip-debug"]).assert().success();
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(read("again.elf") == read("plain.elf") && read("plain.elf") != read("loop.elf"));
    // Without the source its lines' numbers are left.
    std::fs::remove_file(folder.path().join("loop.s")).unwrap();
    let without = text(&output(folder.path(), &["-d", "loop.elf", "--source"]));
    assert!(without.lines().any(|line| line == "# loop.s:2"), "{without}");
    let json = output(folder.path(), &["-d", "loop.elf", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let branch = &json["code"][2];
    assert_eq!((&branch["address"], &branch["target"], &branch["line"]), (&8.into(), &4.into(), &3.into()));
    assert_eq!((&branch["word"], &branch["text"]), (&"fe051ee3".into(), &"bne a0, zero, .-4".into()));
    assert_eq!((&json["symbols"][0]["name"], &json["symbols"][0]["section"]), (&"_start".into(), &".text".into()));
}

/// DWARF, read by GNU's tools.
#[test]
fn addr2line_finds_the_lines() {
    let folder = folder();
    std::fs::write(folder.path().join("two.s"), "        nop\n\nlast:   li a0, 0x12345\n        ecall\n").unwrap();
    at(folder.path()).args(["good.s", "two.s", "-o", "all.elf"]).assert().success();
    let tool = std::process::Command::new("riscv64-unknown-elf-addr2line")
        .current_dir(&folder)
        .args(["-e", "all.elf", "0", "4", "8", "c", "10", "14", "18"])
        .output();
    let Ok(found) = tool else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "addr2line is needed in CI");
        eprintln!("skipped: riscv64-unknown-elf-addr2line is not installed (Debian: binutils-riscv64-unknown-elf)");
        return;
    };
    let wanted = "good.s:1\ngood.s:2\ntwo.s:1\ntwo.s:3\ntwo.s:3\ntwo.s:4\n";
    assert_eq!(text(&found.stdout).strip_prefix(wanted), Some("??:0\n"));
}

/// What a macro became is found where it was called, and an included file's lines in that file.
#[test]
fn lines_lead_to_what_somebody_wrote() {
    let folder = folder();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("lib")).unwrap();
    write("lib/part.s", "part:   nop\n        ret\n");
    write("main.s", ".macro twice\n nop\n nop\n.endm\n_start: twice\n.include \"lib/part.s\"\n ecall\n");
    at(folder.path()).args(["main.s", "-o", "main.elf"]).assert().success();
    let image = Image::read(folder.path().join("main.elf")).unwrap();
    let found: Vec<(u32, &str, u32)> = image.lines.iter().map(|line| (line.address, &*line.file, line.line)).collect();
    assert_eq!(found, [(0, "main.s", 5), (8, "lib/part.s", 1), (12, "lib/part.s", 2), (16, "main.s", 7)]);
    write("main.s", ".macro bad x\n lw a0, 0(\\x)\n.endm\n nop\n bad 5\n");
    let output = at(folder.path()).args(["main.s", "--error-format", "json"]).assert().code(1);
    let error: serde_json::Value = serde_json::from_slice(&output.get_output().stderr).unwrap();
    assert_eq!(error["trace"][0], "in the expansion of macro `bad` at main.s:5:2", "{error:#}");
}
