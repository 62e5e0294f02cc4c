//! The command line: what it writes, and how it refuses.

use assert_cmd::Command;
use npyz::NpyFile;

fn yin_yang() -> Command {
    Command::new(env!("CARGO_BIN_EXE_yin-yang"))
}

fn npy(path: &std::path::Path) -> (Vec<u64>, Vec<i32>) {
    let bytes = std::fs::read(path).unwrap();
    let file = NpyFile::new(&bytes[..]).unwrap();
    (file.shape().to_vec(), file.into_vec().unwrap())
}

/// The first rows were printed by NumPy.
#[test]
fn data_writes_sorted_events_and_labels() {
    let folder = tempfile::tempdir().unwrap();
    let (spikes, labels) = (folder.path().join("s.npy"), folder.path().join("l.npy"));
    let run = yin_yang()
        .args(["data", "--split", "test", "--out-spikes"])
        .arg(&spikes)
        .arg("--labels")
        .arg(&labels)
        .assert()
        .success();
    assert_eq!(run.get_output().stdout, b"1000 samples, 5000 spikes, 80 steps\n");
    let (shape, rows) = npy(&spikes);
    assert_eq!(shape, [5000, 3]);
    assert_eq!(rows[..18], [0, 1, 4, 0, 15, 0, 0, 25, 1, 0, 37, 3, 0, 47, 2, 1, 1, 4]);
    let (shape, classes) = npy(&labels);
    assert_eq!((&shape[..], &classes[..5]), (&[1000][..], &[2, 2, 1, 1, 1][..]));
}

#[test]
fn evaluate_reports_in_words_and_in_json() {
    let network = concat!(env!("CARGO_MANIFEST_DIR"), "/yin-yang.nir");
    let run = yin_yang().args(["evaluate", network]).assert().success();
    assert!(run.get_output().stdout.starts_with(b"977 of 1000 correct: 97.7 %\n"));
    let run = yin_yang().args(["evaluate", network, "--json"]).assert().success();
    let report: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    assert_eq!((&report["correct"], &report["dt"]), (&977.into(), &0.0005.into()));
}

#[test]
fn training_writes_a_network_that_evaluates() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("short.nir");
    yin_yang().args(["train", "--seed", "5", "--epochs", "1", "--out"]).arg(&out).assert().success();
    yin_yang().arg("evaluate").arg(&out).args(["--split", "validation"]).assert().success();
}

#[test]
fn refusals_name_the_file_and_exit_with_one_or_two() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.nir");
    std::fs::write(&text, "not a network").unwrap();
    let refused = yin_yang().arg("evaluate").arg(&text).assert().code(1);
    let message = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(message.contains("text.nir: is not an HDF5 file"), "{message}");
    yin_yang().args(["train", "--epochs", "1", "--out", "/no/such/folder/x.nir"]).assert().code(1);
    yin_yang().args(["evaluate", "--split", "none", "x.nir"]).assert().code(2);
}
