//! The command line: what it lists, what it refuses, and its exit codes.

use assert_cmd::Command;
use fenn_bench::PROGRAMS;

fn bench(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::cargo_bin("fenn-bench").unwrap().args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn all_are_listed_and_have_their_folder() {
    let (code, out, _) = bench(&["--list"]);
    assert_eq!(code, Some(0));
    assert_eq!(out.lines().count(), PROGRAMS.len());
    for program in PROGRAMS {
        assert!(out.lines().any(|line| line.starts_with(program.name)), "{}", program.name);
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(program.name);
        assert!(folder.join("README.md").is_file(), "programs/{} has no README", program.name);
    }
}

#[test]
fn names_are_unique() {
    let names: std::collections::BTreeSet<&str> = PROGRAMS.iter().map(|program| program.name).collect();
    assert_eq!(names.len(), PROGRAMS.len());
}

#[test]
fn an_unknown_name_is_wrong_usage() {
    let (code, out, err) = bench(&["mnits"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.starts_with("error: there is no benchmark `mnits`; there are "), "{err}");
    assert_eq!(bench(&[]).0, Some(2));
}

#[test]
fn a_folder_that_cannot_be_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let name = PROGRAMS[0].name;
    let (code, _, err) = bench(&[name, "--small", "--out", &file.join("out").to_string_lossy()]);
    assert_eq!(code, Some(1));
    assert!(err.starts_with(&format!("error: {name}: ")) && err.contains("file"), "{err}");
}
