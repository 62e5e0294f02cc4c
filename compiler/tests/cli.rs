//! `fenn-cc` as its users run it: exit codes, messages, files.
//!
//! What it says to standard error is in `cli/NAME.err`; to rewrite: `FENN_BLESS=1 cargo test -p fenn-compiler --test cli`,
//! then read the diff.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use fenn_compiler::nir::{self, Edge, Graph, Lif, Matrix, Node};
use fenn_isa::image::Image;
use fenn_isa::image::manifest::{Batch, Data, InputSpikes, PhaseKind, Window};
use tempfile::TempDir;

const NETWORK: &str = r#"name = "small"
steps = 20

[[input]]
name = "in"
size = 2

[[population]]
name = "hidden"
size = 3
events = ["Spike"]
equations = '''
V = mul_rn(Alpha, V) + I;
I = 0.0h10;
if (V > 1.0h10) { Spike(); V = 0.0h10; }
'''
[population.variables]
V = { type = "s5_10_sat_t" }
I = { type = "s5_10_sat_t" }
[population.parameters]
Alpha = { type = "s0_15_t", value = "exp(-1/20)" }

[[projection]]
name = "in_hid"
source = "in"
target = "hidden.I"
weights = { file = "weights.bin", dtype = "int16", format = "s5.10" }

[[output]]
population = "hidden"
event = "Spike"
"#;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli")
}

/// Two inputs to three LIF neurons.
fn graph() -> Graph {
    let lif = Lif {
        shape: vec![3],
        tau: vec![0.02; 3],
        r: vec![1.0; 3],
        v_leak: vec![0.0; 3],
        v_threshold: vec![0.1; 3],
        v_reset: vec![0.0; 3],
    };
    let weight = Matrix { rows: 3, cols: 2, data: vec![3.0, 0.5, 1.0, 2.0, -1.0, 4.0] };
    let nodes = [
        ("input", Node::Input { shape: vec![2] }),
        ("fc", Node::Linear { weight }),
        ("lif", Node::Lif(lif)),
        ("output", Node::Output { shape: vec![3] }),
    ];
    let edge = |(from, to): (&str, &str)| Edge { from: from.to_owned(), to: to.to_owned() };
    Graph {
        version: "1.0".to_owned(),
        nodes: nodes.into_iter().map(|(name, node)| (name.to_owned(), node)).collect(),
        edges: [("input", "fc"), ("fc", "lif"), ("lif", "output")].map(edge).to_vec(),
    }
}

/// A folder with a good description, a good graph, and what each needs.
fn files() -> TempDir {
    let files = tempfile::tempdir().unwrap();
    let at = |name: &str| files.path().join(name);
    fs::write(at("network.toml"), NETWORK).unwrap();
    let weights = [700i16, -300, 900, 1000, 250, 0];
    fs::write(at("weights.bin"), weights.map(i16::to_le_bytes).concat()).unwrap();
    nir::write(&graph(), at("graph.nir")).unwrap();
    fs::write(at("spikes.csv"), "1,0\n0,1\n1,1\n0,0\n1,0\n").unwrap();
    files
}

fn run(files: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("fenn-cc").unwrap();
    command.current_dir(files.path()).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A mistake: what it is called, what is done to the files, the arguments, and the exit code.
type Mistake = (&'static str, fn(&Path), &'static [&'static str], i32);

/// Replaces text of the description.
fn replace(folder: &Path, from: &str, to: &str) {
    let path = folder.join("network.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

const DESCRIPTION: &[&str] = &["network.toml", "-o", "out.elf"];
const GRAPH: &[&str] = &["graph.nir", "--dt", "1e-3", "--steps", "50", "-o", "out.elf"];

fn nothing(_: &Path) {}

/// Takes the last bytes off a file.
fn truncate(path: PathBuf, bytes: usize) {
    let contents = fs::read(&path).unwrap();
    fs::write(path, &contents[..contents.len() - bytes]).unwrap();
}

const MISTAKES: &[Mistake] = &[
    ("truncated_weights", |folder| truncate(folder.join("weights.bin"), 1), DESCRIPTION, 1),
    ("missing_weights", |folder| fs::remove_file(folder.join("weights.bin")).unwrap(), DESCRIPTION, 1),
    ("unknown_identifier", |folder| replace(folder, "mul_rn(Alpha, V)", "mul_rn(Alpah, V)"), DESCRIPTION, 1),
    ("mixed_formats", |folder| replace(folder, "V > 1.0h10", "V > 1.0h9"), DESCRIPTION, 1),
    ("weight_format", |folder| replace(folder, "s5.10\" }", "s4.11\" }"), DESCRIPTION, 1),
    ("unknown_key", |folder| replace(folder, "steps = 20", "step = 20"), DESCRIPTION, 1),
    ("no_output", |folder| replace(folder, "[[output]]", "[[record]]"), DESCRIPTION, 1),
    (
        "nan_weights",
        |folder| {
            replace(folder, "dtype = \"int16\", format = \"s5.10\"", "dtype = \"float32\"");
            let weights = [1.0, 2.0, f32::NAN, 4.0, 5.0, 6.0f32];
            fs::write(folder.join("weights.bin"), weights.map(f32::to_le_bytes).concat()).unwrap();
        },
        DESCRIPTION,
        1,
    ),
    ("missing_network", |folder| fs::remove_file(folder.join("network.toml")).unwrap(), DESCRIPTION, 1),
    ("unwritable", nothing, &["network.toml", "-o", "no/such/folder/out.elf"], 1),
    ("over_the_network", nothing, &["network.toml", "-o", "./network.toml"], 2),
    ("steps_too_many", nothing, &["network.toml", "-o", "out.elf", "--steps", "100000", "--record", "all"], 3),
    ("vector_memory_too_small", nothing, &["network.toml", "-o", "out.elf", "--vector-kib", "2"], 3),
    ("too_much_code", nothing, &["network.toml", "-o", "out.elf", "--instructions", "20"], 3),
    ("impossible_machine", nothing, &["network.toml", "-o", "out.elf", "--lane-kib", "3"], 2),
    ("option_for_graphs", nothing, &["network.toml", "-o", "out.elf", "--dt", "1e-3"], 2),
    ("window_beyond_the_run", nothing, &["network.toml", "-o", "out.elf", "--window", "20"], 2),
    ("window_of_nothing", nothing, &["network.toml", "-o", "out.elf", "--window", "last:0"], 2),
    ("room_for_no_list", nothing, &["network.toml", "-o", "out.elf", "--input", "bits", "--input-spikes", "9"], 2),
    ("too_large_a_batch", nothing, &["network.toml", "-o", "out.elf", "--batch", "100000"], 3),
    ("no_batch", nothing, &["network.toml", "-o", "out.elf", "--batch", "0"], 2),
    ("name_that_leads_out", |folder| replace(folder, "name = \"small\"", "name = \"../../small\""), DESCRIPTION, 1),
    ("graph_without_time_step", nothing, &["graph.nir", "--steps", "50"], 1),
    ("graph_without_steps", nothing, &["graph.nir", "--dt", "1e-3"], 2),
    ("graph_with_wrong_time_step", nothing, &["graph.nir", "--dt", "-1e-3", "--steps", "50"], 1),
    ("graph_with_too_many_steps", nothing, &["graph.nir", "--dt", "1e-3", "--steps", "2000000000"], 3),
    ("graph_cut_off", |folder| truncate(folder.join("graph.nir"), 100), GRAPH, 1),
    (
        "graph_without_output",
        |folder| {
            let path = folder.join("graph.nir");
            let mut bytes = fs::read(&path).unwrap();
            let place = bytes.windows(6).position(|window| window == b"Output").unwrap();
            bytes[place..place + 6].copy_from_slice(b"Outlet");
            fs::write(path, bytes).unwrap();
        },
        GRAPH,
        1,
    ),
    (
        "wrong_samples",
        |folder| fs::write(folder.join("spikes.csv"), "1,0\n0,2\n").unwrap(),
        &["graph.nir", "--dt", "1e-3", "--calibrate", "spikes.csv"],
        1,
    ),
    ("impossible_format", nothing, &["graph.nir", "--dt", "1e-3", "--steps", "9", "--format", "lif.V=s3.11"], 2),
    ("format_of_nothing", nothing, &["graph.nir", "--dt", "1e-3", "--steps", "9", "--format", "fil.V=s3.12"], 1),
];

/// Without names of temporary files, and in messages about size without the sizes, which change with the compiler.
fn masked(message: &str, code: i32) -> String {
    let lines = message.lines().map(|line| line.split(" at path ").next().unwrap_or_default());
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    if code != 3 {
        return text;
    }
    let mut masked = text.replace(|c: char| c.is_ascii_digit(), "#");
    while masked.contains("##") {
        masked = masked.replace("##", "#");
    }
    masked
}

#[test]
fn every_mistake_has_one_clear_message() {
    let mut wrong = Vec::new();
    for (name, damage, arguments, code) in MISTAKES {
        let files = files();
        damage(files.path());
        let output = run(&files, arguments);
        let found = masked(&String::from_utf8(output.stderr).unwrap(), *code);
        let path = folder().join(name).with_extension("err");
        if std::env::var_os("FENN_BLESS").is_some() {
            fs::write(&path, &found).unwrap();
        }
        if output.status.code() != Some(*code) {
            wrong.push(format!("{name}: {} instead of exit code {code}:\n{found}", output.status));
        } else if fs::read_to_string(&path).unwrap_or_default() != found {
            wrong.push(format!("{name} differs; FENN_BLESS=1 rewrites it. Found:\n{found}"));
        }
        assert!(!found.is_empty() && output.stdout.is_empty(), "{name}");
        for leftover in ["out.elf", "graph.elf", "network.elf"] {
            assert!(!files.path().join(leftover).exists(), "{name} left {leftover}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_description_becomes_a_program() {
    let files = files();
    let output = run(&files, DESCRIPTION);
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    let image = Image::read(files.path().join("out.elf")).unwrap();
    let manifest = image.manifest.unwrap();
    assert_eq!((manifest.name.as_str(), manifest.steps), ("small", 20));
    assert!(image.ready_flag.is_none() && manifest.recordings.is_empty());

    let more = &["--steps", "30", "--record", "all", "--ready-flag", "--vector-kib", "64"];
    assert!(run(&files, &[DESCRIPTION, more].concat()).status.success());
    let image = Image::read(files.path().join("out.elf")).unwrap();
    let manifest = image.manifest.unwrap();
    assert_eq!((manifest.steps, image.config.vector_bytes), (30, 64 << 10));
    assert!(image.ready_flag.is_some());
    let recorded: Vec<(&str, bool)> =
        manifest.recordings.iter().map(|r| (r.name.as_str(), matches!(r.data, Data::Spikes(_)))).collect();
    assert_eq!(recorded, [("Spike", true), ("V", false), ("I", false)]);
}

#[test]
fn the_contract_with_the_host_is_in_the_manifest() {
    let files = files();
    let compiled = |options: &[&str]| {
        let output = run(&files, &[DESCRIPTION, options].concat());
        assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
        Image::read(files.path().join("out.elf")).unwrap().manifest.unwrap()
    };
    let plain = compiled(&["--input", "bits"]);
    assert!(matches!(plain.inputs[0].spikes, InputSpikes::Bits(_)));
    assert_eq!((&plain.batch, &plain.counters), (&Batch::ONE, &None));
    let manifest =
        compiled(&["--input-spikes", "7", "--batch", "3", "--counters", "--record", "all", "--window", "4:5"]);
    let InputSpikes::List(list) = &manifest.inputs[0].spikes else { panic!("a list") };
    assert_eq!(list.capacity(manifest.steps), 7);
    assert_eq!(
        (manifest.batch.samples, manifest.batch.count.is_some(), manifest.batch.marks.is_some()),
        (3, true, true)
    );
    for recording in &manifest.recordings {
        assert_eq!((recording.window, recording.data.steps()), (Window { from: 4, every: 5 }, 4));
    }
    let phases = manifest.counters.unwrap().phases;
    assert_eq!(phases.iter().filter(|phase| phase.kind == PhaseKind::Update).count(), manifest.populations.len());
    assert_eq!(manifest.batch.stream, None);
    for (options, samples) in [(&["--stream"][..], 4), (&["--stream", "--batch", "2"], 2)] {
        let manifest = compiled(options);
        assert_eq!((manifest.batch.samples, manifest.batch.stream.is_some()), (samples, true));
        assert!(manifest.outputs.iter().all(|output| !matches!(output.data, Data::Values(_))));
    }
    let last = compiled(&["--record", "spikes", "--window", "last:6"]);
    assert_eq!(last.recordings[0].window, Window { from: 14, every: 1 });
}

#[test]
fn the_same_network_gives_the_same_bytes() {
    let files = files();
    let program = |arguments: &[&str], name: &str| {
        let output = run(&files, &[arguments, &["-o", name]].concat());
        assert!(output.status.success(), "{output:?}");
        fs::read(files.path().join(name)).unwrap()
    };
    assert_eq!(program(&["network.toml"], "a.elf"), program(&["network.toml"], "b.elf"));
    let graph = ["graph.nir", "--dt", "1e-3", "--steps", "50"];
    assert_eq!(program(&graph, "a.elf"), program(&graph, "b.elf"));
}

#[test]
fn a_graph_becomes_a_program_of_the_name_and_length_of_its_samples() {
    let files = files();
    let output = run(&files, &["graph.nir", "--dt", "1e-3", "--calibrate", "spikes.csv", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let manifest = Image::read(files.path().join("graph.elf")).unwrap().manifest.unwrap();
    assert_eq!((manifest.name.as_str(), manifest.steps, manifest.time_step_ms), ("graph", 5, Some(1.0)));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["network"]["populations"][0]["neurons"], 3);
    assert_eq!(report["import"]["validation"]["samples"], 1);
    assert!(report["import"]["populations"][0]["candidates"].as_array().unwrap().len() > 3);
    assert!(report["program"]["instructions"].as_u64().unwrap() > 20);
}

#[test]
fn a_forced_format_is_used() {
    let files = files();
    let arguments = [GRAPH, &["--format", "lif.V=s7.8", "--format", "lif.I=s6.9", "--report"]].concat();
    let output = run(&files, &arguments);
    assert!(output.status.success(), "{output:?}");
    let report = stdout(&output);
    assert!(report.contains("I: s6.9, V: s7.8"), "{report}");
}

#[test]
fn the_report_names_everything_and_checking_writes_nothing() {
    let files = files();
    let output = run(&files, &["network.toml", "--check", "--report", "--listing", "listing.txt"]);
    assert!(output.status.success(), "{output:?}");
    let report = stdout(&output);
    for part in ["small: 20 steps", "in_hid weights", "s5.10", "update_hidden", "instruction memory", "vector memory"] {
        assert!(report.contains(part), "{part} is not in\n{report}");
    }
    assert!(fs::read_to_string(files.path().join("listing.txt")).unwrap().lines().count() > 20);
    assert!(!files.path().join("network.elf").exists());
}

#[test]
fn warnings_do_not_stop_it() {
    let files = files();
    replace(files.path(), "value = \"exp(-1/20)\"", "value = 1e-6");
    let output = run(&files, DESCRIPTION);
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && warnings.contains("Warning: 0.000001 becomes 0 in s0.15"), "{warnings}");
    assert!(files.path().join("out.elf").exists());
}

#[test]
fn completions_and_help_are_printed() {
    let files = files();
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&files, &["--completions", shell]);
        assert!(output.status.success() && stdout(&output).contains("calibrate"), "{shell}");
    }
    let help = stdout(&run(&files, &["--help"]));
    for code in ["0  done", "1  the network", "2  wrong usage", "3  the network does not fit"] {
        assert!(help.contains(code), "{help}");
    }
    assert_eq!(run(&files, &[]).status.code(), Some(2));
}

/// The same instructions for every core, in another order.
#[test]
fn instructions_are_arranged_for_the_core_that_is_named() {
    let files = files();
    let listing = |profile: &str| {
        let arguments = ["network.toml", "--check", "--profile", profile, "--listing", "-"];
        let output = run(&files, &arguments);
        assert!(output.status.success(), "{output:?}");
        stdout(&output)
    };
    let [ours, other] = ["fenn", "functional"].map(listing);
    assert_ne!(ours, other);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&ours), sorted(&other));
    let output = run(&files, &["network.toml", "--check", "--profile", "fast"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("there is no such profile; there are fenn cv32e40x functional"), "{said}");
}

/// What a layer is reckoned to take is told with the reason, in figures that add up.
#[test]
fn explanations_have_cycles() {
    let files = files();
    let output = run(&files, &["network.toml", "--check", "--explain"]);
    let text = stdout(&output);
    let mut lines = text.lines();
    let mut behind = |start: &str| {
        lines.find(|line| line.trim_start().starts_with(start)).unwrap_or_else(|| panic!("{start}: {text}"));
        lines.next().unwrap().trim().to_owned()
    };
    let numbers = |line: &str| -> Vec<u32> { line.split(' ').filter_map(|word| word.parse().ok()).collect() };
    let spikes = behind("propagate_in_hid:");
    let [_, cycles, instructions, waits] = numbers(&spikes)[..] else { panic!("{spikes}") };
    assert!(cycles.abs_diff(instructions + waits) <= 1 && instructions > 4, "{spikes}");
    assert!(spikes.ends_with(" of waiting for a spike"), "{spikes}");
    let update = behind("update_hidden:");
    let [cycles, instructions, waits] = numbers(&update)[..] else { panic!("{update}") };
    assert!(cycles.abs_diff(instructions + waits) <= 1 && instructions > 4, "{update}");
    assert!(update.starts_with("about ") && update.ends_with(" of waiting in a step"), "{update}");
}
