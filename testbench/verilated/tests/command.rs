//! What `fenn-cosim` says of a program.

use std::path::Path;
use std::process::{Command, Output};

use fenn_assembler::assemble_text;
use fenn_verilated::configuration::Configuration;
use fenn_verilated::mutants;

/// Line 4 is what the mutant does wrong.
const SOURCE: &str = "\
start:  li      a0, -5
        li      a1, 7
        add     a2, a0, a1
        min     a3, a0, a1
        sw      a3, 0(zero)
        ecall
";

fn cosim(program: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fenn-cosim"));
    command.arg("--program").arg(program).args(arguments).output().expect("fenn-cosim can be run")
}

/// A difference is told with the line of the source that the program's debug information has, at the instruction itself.
#[test]
fn a_difference_names_the_line_of_the_source() {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let path = folder.path().join("least.elf");
    let mut image = assemble_text("least.s", SOURCE).expect("it assembles");
    image.config = Configuration::by_name("mutants").expect("it is in the table").memory;
    image.write(&path).expect("it can be written");

    let good = cosim(&path, &["--config", "mutants"]);
    let text = String::from_utf8_lossy(&good.stdout);
    assert_eq!(good.status.code(), Some(0), "{text}");
    // `ecall` stops the core, and is not executed.
    assert!(text.contains(" 5 retirements, 0 mismatches"), "{text}");

    let least = mutants::all().iter().position(|mutant| mutant.breaks == "min is max").expect("there is such a mutant");
    let number = (least + 1).to_string();
    let bad = cosim(&path, &["--config", "mutants", "--mutant", &number]);
    let text = String::from_utf8_lossy(&bad.stdout);
    assert_eq!(bad.status.code(), Some(1), "{text}");
    // `min` is the fourth word.
    let first = "least.s:4: at 0xc: a3 (x13): the core has 0x7, the simulator 0xfffffffb\n";
    assert!(text.starts_with(first), "{text}");
    let (last, history) = (text.trim_end().lines().next_back().unwrap_or_default(), text.lines().count() - 3);
    assert_eq!(history, 4, "both have executed four instructions: {text}");
    assert!(text.contains("min a3, a0, a1"), "{text}");
    let again = format!("again: cargo run -p fenn-verilated -- --config mutants --mutant {number} --program ");
    assert!(last.starts_with(&again) && last.ends_with("least.elf --wave failure.fst"), "{last}");

    let json = cosim(&path, &["--config", "mutants", "--mutant", &number, "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).expect("it is JSON");
    assert_eq!(value["mismatches"], 1);
    assert_eq!(value["text"].as_str().map(str::trim_end), Some(text.trim_end()));
}
