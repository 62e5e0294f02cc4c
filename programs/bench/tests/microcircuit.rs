//! The microcircuit at its true size, for a tenth of a second.

use assert_cmd::Command;
use serde_json::Value;

/// Synapses, delays, inputs and the first hundred steps, spike for spike, have gates at any length; rates have none in so short a
/// run.
#[test]
fn a_tenth_of_a_second_is_exact() {
    let out = tempfile::tempdir().unwrap();
    let mut command = Command::cargo_bin("fenn-bench").unwrap();
    let output = command.args(["microcircuit", "--small", "--json", "--out"]).arg(out.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let documents: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let document = &documents[0];
    assert_eq!(document["ok"], true, "{document:#}");
    let figures = document["figures"].as_array().unwrap();
    let value = |name: &str| {
        let figure = figures.iter().find(|figure| figure["figure"] == name);
        figure.unwrap_or_else(|| panic!("no figure {name}"))["value"].as_f64().unwrap()
    };
    // As the model's repository has them for a tenth.
    assert_eq!(value("synapses"), 2_988_960.0);
    assert_eq!(value("synapses in the rows in DRAM"), 2_988_960.0);
    assert_eq!(value("spikes that differ from the interpreter's"), 0.0);
    // What compares nothing proves nothing.
    assert!(
        (0..8)
            .any(|index| value(&format!("rate of {}", ["2/3E", "2/3I", "4E", "4I", "5E", "5I", "6E", "6I"][index]))
                > 1.0)
    );
    assert!(out.path().join("microcircuit.html").exists());
    assert!(out.path().join("microcircuit/network.toml").exists(), "for the compiler on its own");
}
