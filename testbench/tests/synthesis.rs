//! What judges the core's size: it lets the record pass, refuses each figure that was doctored, and knows of which sources a
//! record is. Synthesis itself is `make synth`'s.

use std::fs;
use std::path::Path;
use std::process::Command;

use fenn_testbench::shared::root;
use serde_json::{Value, json};
use tempfile::TempDir;

const RECORD: &str = "rtl/synth/report/figures.json";
const MEASURED: &str = "out/synth/figures.json";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("an entry");
        let into = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &into);
        } else {
            fs::copy(entry.path(), into).expect("a copy");
        }
    }
}

/// A checkout of `rtl/` alone, whose synthesis has just given what the record says.
fn checkout() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&root().join("rtl"), &folder.path().join("rtl"));
    fs::create_dir_all(folder.path().join("out/synth")).expect("a folder");
    fs::copy(folder.path().join(RECORD), folder.path().join(MEASURED)).expect("there is a record");
    folder
}

/// Whether `sizes.py VERB` is content, and what it says.
fn sizes(verb: &str, folder: &Path) -> (bool, String) {
    let output = Command::new("python3").args(["-B", "rtl/synth/sizes.py", verb]).current_dir(folder).output();
    let output = output.expect("python3 runs; make setup-rtl installs it");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).expect("text").trim().to_owned())
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut figures = serde_json::from_slice(&fs::read(path).expect("figures")).expect("JSON");
    change(&mut figures);
    fs::write(path, figures.to_string()).expect("written");
}

/// What `check` says if the measured `pointer` is `value`.
fn doctored(pointer: &str, value: impl FnOnce(f64) -> f64) -> (bool, String) {
    let folder = checkout();
    edit(&folder.path().join(MEASURED), |figures| {
        let figure = figures.pointer_mut(pointer).expect("the record has it");
        *figure = json!(value(figure.as_f64().expect("a number")));
    });
    sizes("check", folder.path())
}

#[test]
fn the_record_is_of_these_sources_and_is_in_the_readme() {
    assert_eq!(sizes("fresh", &root()), (true, String::new()));
}

#[test]
fn the_record_passes() {
    assert_eq!(sizes("check", checkout().path()), (true, String::new()));
}

#[test]
fn a_size_that_has_grown_fails() {
    let grown = [
        ("/ultrascale/fenn_core/lut", 1.03, "fenn_core has grown from"),
        ("/ultrascale/fenn_lane/ff", 1.12, "fenn_lane has grown from"),
        ("/ultrascale/fenn_top/lutram", 1.03, "fenn_top has grown from"),
    ];
    for (pointer, factor, message) in grown {
        let (good, said) = doctored(pointer, |before| (before * factor).round());
        assert!(!good && said.starts_with(message), "{pointer}: {said}");
        // What the optimiser's luck amounts to is let pass.
        assert_eq!(doctored(pointer, |before| (before * 1.005).round()), (true, String::new()), "{pointer}");
    }
    for (module, block) in
        [("fenn_lane", "dsp"), ("fenn_smem_ram", "bram"), ("fenn_dma", "bram_blocks"), ("fenn_core", "uram")]
    {
        let (good, said) = doctored(&format!("/ultrascale/{module}/{block}"), |before| before + 1.0);
        assert!(!good && said.starts_with(&format!("{module} has grown from")) && said.ends_with(block), "{said}");
    }
    // One that has shrunk does not.
    assert_eq!(doctored("/ultrascale/fenn_core/lut", |before| before - 500.0), (true, String::new()));
}

#[test]
fn a_missed_gate_fails() {
    // The numbers of the gates, once more.
    let gates = [
        ("/ultrascale/fenn_top/lut", 18000.0, 18001.0, "lut is 18,001, not <= 18,000"),
        ("/ultrascale/fenn_top/dsp", 36.0, 37.0, "dsp is 37, not <= 36"),
        ("/ultrascale/fenn_top/uram", 16.0, 17.0, "uram is 17, not <= 16"),
        ("/ultrascale/fenn_lane/bram_blocks", 1.0, 2.0, "lane_bram is 2, not <= 1"),
        ("/ultrascale/fenn_core/lut", 5132.0, 5133.0, "core_lut is 5,133, not < 5,133"),
        ("/ecp5_mhz/fenn_lane", 106.0, 105.9, "lane_mhz is 105.9, not >= 106"),
        ("/ecp5_mhz/fenn_core", 85.0, 84.9, "core_mhz is 84.9, not >= 85"),
    ];
    for (pointer, good, bad, message) in gates {
        for (value, met) in [(good, true), (bad, false)] {
            let (_, said) = doctored(pointer, |_| value);
            assert_eq!(!said.lines().any(|line| line == message), met, "{pointer} is {value}: {said}");
        }
        assert!(!doctored(pointer, |_| bad).0, "{pointer} is {bad}");
    }
}

#[test]
fn figures_of_other_sources_or_modules_fail() {
    let folder = checkout();
    edit(&folder.path().join(MEASURED), |figures| {
        let modules = figures["ultrascale"].as_object_mut().expect("modules");
        let csr = modules.remove("fenn_csr").expect("the record has it");
        modules.insert("fenn_new".to_owned(), csr);
    });
    let (good, said) = sizes("check", folder.path());
    assert!(
        !good && said.contains("fenn_csr was not measured") && said.contains("fenn_new is not in the record"),
        "{said}"
    );

    let folder = checkout();
    let source = folder.path().join("rtl/fenn_alu.sv");
    let text = fs::read_to_string(&source).expect("a source");
    // Comments and spacing are none of synthesis's business.
    fs::write(&source, format!("/* {text} */\n// \"\n{}", text.replace('\n', "\n\n"))).expect("written");
    assert_eq!(sizes("fresh", folder.path()), (true, String::new()));
    assert_eq!(sizes("check", folder.path()), (true, String::new()));
    fs::write(&source, text.replace("endmodule", "  wire more = 1'b1;\nendmodule")).expect("written");
    for verb in ["fresh", "check", "record"] {
        let (good, said) = sizes(verb, folder.path());
        assert!(!good && said.contains("of other sources"), "{verb}: {said}");
    }

    let folder = checkout();
    fs::remove_file(folder.path().join(MEASURED)).expect("removed");
    let (good, said) = sizes("check", folder.path());
    assert!(!good && said.contains("run make synth"), "{said}");
}

#[test]
fn a_growth_that_is_meant_is_recorded() {
    let folder = checkout();
    let readme = folder.path().join("rtl/README.md");
    edit(&folder.path().join(MEASURED), |figures| figures["ultrascale"]["fenn_host"]["lut"] = json!(4321));
    assert!(!sizes("check", folder.path()).0);
    assert_eq!(sizes("record", folder.path()), (true, String::new()));
    assert!(fs::read_to_string(&readme).expect("a README").contains("| `fenn_host` | 4,321 |"));
    for verb in ["check", "fresh"] {
        assert_eq!(sizes(verb, folder.path()), (true, String::new()), "{verb}");
    }

    // But none beyond a gate.
    let before = fs::read(folder.path().join(RECORD)).expect("a record");
    edit(&folder.path().join(MEASURED), |figures| figures["ultrascale"]["fenn_top"]["lut"] = json!(20000));
    assert_eq!(sizes("record", folder.path()), (false, "lut is 20,000, not <= 18,000".to_owned()));
    assert_eq!(fs::read(folder.path().join(RECORD)).expect("a record"), before);

    // And tables that somebody wrote by hand are told.
    let text = fs::read_to_string(&readme).expect("a README").replace("| 4,321 |", "| 102 |");
    fs::write(&readme, text).expect("written");
    let (good, said) = sizes("fresh", folder.path());
    assert!(!good && said.starts_with("the tables of rtl/README.md are not those of"), "{said}");
}
