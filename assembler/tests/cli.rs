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
    for arguments in [&[][..], &["--nonsense"], &["a.s", "--vector-bytes", "many"], &["-d", "a.elf", "--entry", "x"]] {
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
