//! A short run of each subject of `fuzz/`, the same on every machine; `make fuzz-assembler` is the long one.

use fenn_testbench::fuzz::{Subject, run};

fn short(subject: Subject, executions: usize) {
    let outcome = run(subject, executions, 1).unwrap();
    let first = outcome.findings.first().map(|(what, input)| format!("{what}\n{}", input.escape_ascii()));
    assert_eq!(first, None, "{} findings, the first of them", outcome.findings.len());
    // Inputs that are all refused, or all accepted, would try little.
    assert!(outcome.accepted > executions / 50 && outcome.accepted < executions, "{}", outcome.accepted);
}

#[test]
fn source_text() {
    short(Subject::Source, 3000);
}

#[test]
fn elf_files() {
    short(Subject::Elf, 3000);
}

#[test]
fn include_graphs() {
    short(Subject::Includes, 3000);
}
