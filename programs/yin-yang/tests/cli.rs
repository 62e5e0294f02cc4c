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

#[test]
fn eventprop_trains_writes_and_tells() {
    let folder = tempfile::tempdir().unwrap();
    let (out, nir) = (folder.path().join("net"), folder.path().join("net.nir"));
    let short = ["train-eventprop", "--hidden", "6", "--epochs", "1", "--dt-ms", "1", "--loss", "average", "--delays"];
    let mut command = yin_yang();
    command.args(short).arg("--out").arg(&out).arg("--nir").arg(&nir).args(["--jobs", "1"]);
    let told = String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap();
    assert!(told.starts_with("epoch 1 of 1, the best on the validation split ("), "{told}");
    assert!(told.contains("net.nir --dt 0.001 --steps 29 --method exponential-euler --readout mean\n"), "{told}");
    assert!(nir.is_file());

    let run = yin_yang().args(short).args(["--json", "--jobs", "2"]).assert().success();
    let report: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    assert_eq!(
        (&report["steps"], &report["loss"], &report["chosen_epoch"]),
        (&30.into(), &"average".into(), &1.into())
    );
    // What training said of the test split is what the files come to, in the network's step-by-step run.
    let run = yin_yang().arg("evaluate").arg(&out).arg("--json").assert().success();
    let evaluated: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    assert_eq!(evaluated["accuracy"], report["chosen_test"]);
    assert!(evaluated["accuracy"].as_f64().unwrap() > 0.4, "{evaluated}");

    let (spikes, labels) = (folder.path().join("s.npy"), folder.path().join("l.npy"));
    let mut command = yin_yang();
    command.args(["data", "--split", "test", "--network"]).arg(&out).arg("--out-spikes").arg(&spikes).arg("--labels");
    let run = command.arg(&labels).assert().success();
    assert_eq!(run.get_output().stdout, b"1000 samples, 5000 spikes, 30 steps\n");
    // The first sample is (0.2341, 0.4018): 1.5 + 18.5 v milliseconds, one per step.
    assert_eq!(npy(&spikes).1[..15], [0, 2, 4, 0, 6, 0, 0, 9, 1, 0, 13, 3, 0, 16, 2]);
}

#[test]
fn gradient_check_prints_each_group_and_fails_outside_its_gates() {
    let small = ["gradient-check", "--loss", "average", "--hidden", "3", "--samples", "2"];
    let run = yin_yang().args(small).assert().success();
    let told = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    let rows: Vec<&str> = told.lines().collect();
    assert!(rows[1].starts_with("average ") && rows[1].ends_with(" ok"), "{told}");
    assert_eq!(rows[1].split_whitespace().count(), 8, "{told}");
    let run = yin_yang().args(small).args(["--dt-ms", "2", "--json"]).assert().code(1);
    let report: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    assert_eq!(report["checks"][0]["passes"], false);
    assert!(report["checks"][0]["delays"]["cosine"].is_f64());
}

#[test]
fn eventprop_refuses_what_it_cannot_do() {
    let refused = |arguments: &[&str], code: i32| {
        let run = yin_yang().args(arguments).assert().code(code);
        String::from_utf8_lossy(&run.get_output().stderr).into_owned()
    };
    let told = refused(&["train-eventprop", "--dt-ms", "0"], 1);
    assert_eq!(told, "error: dt is 0, and has to be a number above 0\n");
    let told = refused(&["train-eventprop", "--hidden", "0"], 1);
    assert_eq!(told, "error: hidden is 0, and has to be 1 to 65536\n");
    let told = refused(&["train-eventprop", "--hidden", "2", "--epochs", "0", "--nir", "never.nir"], 1);
    assert!(told.starts_with("error: NIR has no way to read a class out of potentials"), "{told}");
    refused(&["train-eventprop", "--delay-rate", "1"], 2);
    refused(&["train-eventprop", "--loss", "none"], 2);
    refused(&["gradient-check", "--samples", "0"], 2);
    let told = refused(&["evaluate", "/"], 1);
    assert!(told.contains("constants.json"), "{told}");
}
