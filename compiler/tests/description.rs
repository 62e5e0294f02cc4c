//! Descriptions, right and wrong.
//!
//! `description/NAME.toml` is refused with the text in `NAME.err`. To rewrite the expectations:
//! `FENN_BLESS=1 cargo test -p fenn-compiler --test description`, then read the diff.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use fenn_compiler::description::{Described, Options, Remarks, parse, read};
use fenn_compiler::network::{
    Encoding, Phase, Quantity, Readout, Recording, Source, StatePolicy, Values, Weights, Window,
};
use npyz::WriterBuilder;
use proptest::prelude::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/description")
}

fn npy<T: npyz::AutoSerialize + Copy>(path: &Path, numbers: &[T], shape: &[u64]) {
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    writer.extend(numbers.iter().copied()).unwrap();
    writer.finish().unwrap();
    fs::write(path, bytes).unwrap();
}

fn raw(path: &Path, numbers: &[i16]) {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    fs::write(path, bytes).unwrap();
}

/// What is said about `text`, with files beside it; the folder's name is replaced by `DIR`.
fn refused(text: &str, folder: &Path) -> String {
    let remarks = parse(text, "network.toml", folder, &Options::default()).expect_err("the description is wrong");
    assert!(remarks.errors() > 0);
    remarks.render(false).replace(&folder.display().to_string(), "DIR")
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let files = tempfile::tempdir().unwrap();
    let at = |name: &str| files.path().join(name);
    raw(&at("truncated.bin"), &[1, 2, 3, 4, 5]);
    raw(&at("padded.bin"), &[1, 2, 3, 0, 4, 5, 6, 0]);
    raw(&at("padding.bin"), &[1, 2, 3, 4]);
    raw(&at("good.bin"), &[1, 2, 3, 4, 5, 6]);
    npy(&at("nan.npy"), &[1.0, 2.0, 3.0, 4.0, f64::NAN, 6.0], &[2, 3]);
    npy(&at("wide.npy"), &[1, 2, 3, 4, 40_000i32, 6], &[2, 3]);
    npy(&at("targets.npy"), &[0, -1i32], &[2]);
    npy(&at("reals.npy"), &[0.0, 1.0f32], &[2]);
    npy(&at("delays.npy"), &[0.0, 1.5, 62.6, 63.6, -1.0, 1e9f32], &[6]);
    fs::write(at("text.npy"), "hello").unwrap();
    fs::write(at("good.npz"), "hello").unwrap();
    let mut archive = zip::ZipWriter::new(fs::File::create(at("arrays.npz")).unwrap());
    for (name, numbers) in [("weights", 6), ("long", 2000)] {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        npy(&at("member.npy"), &vec![1.0; numbers], &[numbers as u64]);
        archive.write_all(&fs::read(at("member.npy")).unwrap()).unwrap();
    }
    archive.finish().unwrap();
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), at("link.bin")).unwrap();
    fs::copy(folder().join("broken.eq"), at("broken.eq")).unwrap();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let found = refused(&fs::read_to_string(&path).unwrap(), files.path());
        let expected = path.with_extension("err");
        if std::env::var_os("FENN_BLESS").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{} differs; FENN_BLESS=1 rewrites it. Found:\n{found}", expected.display()));
        }
        seen += 1;
    }
    assert!(seen >= 7 && wrong.is_empty(), "{}", wrong.join("\n"));
}

const GOOD: &str = r#"
name = "good"
time_step_ms = 0.5
steps = 7
state = "carried"
seed = 9
rounding = "zero"
schedule = ["update_last", "cells", "hidden"]

[[input]]
name = "in"
size = 2

[[population]]
name = "hidden"
size = 3
events = ["Spike", "Late"]
equations = { file = "hidden.eq" }
[population.variables]
V = { type = "s5_10_sat_t", initial = [0.5, "1/3", -1], reset = true }
I = { type = "s5_10_sat_t", initial = { code = -7 } }
A = { type = "int16_t", initial = { code = [1, 2, 3] } }
[population.parameters]
Alpha = { type = "s0_15_t", value = "exp(-dt/20)" }
Bias = { type = "s5_10_sat_t", value = { file = "bias.npy" } }
Half = { type = "s0_15_t", value = 0x0 }

[[population]]
name = "cells"
size = 1
equations = "X += 1;"
variables = { X = { type = "int16_t" } }

[[projection]]
name = "update_last"
source = "hidden.Late"
target = "hidden.I"
weights = { file = "weights.bin", dtype = "float32" }

[[output]]
population = "hidden"
event = "Late"

[[output]]
population = "hidden"
variable = "V"
readout = "mean"

[[record]]
population = "cells"
variable = "X"
"#;

fn good_files() -> tempfile::TempDir {
    let files = tempfile::tempdir().unwrap();
    let program = "V = (Alpha * V) + I + Bias;\nI = 0.0h10;\nif (V > 0.25h10) { Spike(); } else { Late(); }\nA += 1;";
    fs::write(files.path().join("hidden.eq"), program).unwrap();
    npy(&files.path().join("bias.npy"), &[0.5f32, -0.25, 40.0], &[3]);
    let weights = [0.5f32, 1.0, -1.0, 100.0, 1e-5, 0.0, -32.0, 31.9995, 0.25];
    fs::write(files.path().join("weights.bin"), weights.map(f32::to_le_bytes).concat()).unwrap();
    files
}

#[test]
fn everything_arrives_where_it_belongs() {
    let files = good_files();
    let Described { network, conversions, warnings, .. } =
        parse(GOOD, "good.toml", files.path(), &Options::default()).unwrap();
    assert_eq!((network.name.as_str(), network.time_step_ms, network.steps), ("good", Some(0.5), 7));
    assert_eq!((network.state, network.seed), (StatePolicy::Carried, 9));
    assert_eq!(network.inputs[0].encoding, Encoding::Spikes);
    assert_eq!(network.schedule, [Phase::Propagate(0), Phase::Update(1), Phase::Update(0)]);
    let hidden = &network.populations[0];
    let names: Vec<&str> = hidden.kernel.variables.iter().map(|slot| slot.name.as_str()).collect();
    assert_eq!(names, ["V", "I", "A"], "the order of the file");
    // 1/3 · 2¹⁰ = 341.33.
    assert_eq!(hidden.variables[0].initial, Values::PerNeuron(vec![512, 341, -1024]));
    assert_eq!(hidden.variables[1].initial, Values::Uniform(-7));
    assert_eq!(hidden.variables[2].initial, Values::PerNeuron(vec![1, 2, 3]));
    assert_eq!(hidden.variables.iter().map(|variable| variable.reset).collect::<Vec<_>>(), [true, false, false]);
    // e^(−0.5/20) · 2¹⁵ = 31958.97.
    assert_eq!(hidden.parameters[0], Values::Uniform(31_959));
    assert_eq!(hidden.parameters[1], Values::PerNeuron(vec![512, -256, 32_767]));
    assert!(hidden.kernel.to_string().contains("mul_s_rz(Alpha, V, 15)"), "{}", hidden.kernel);
    let projection = &network.projections[0];
    assert_eq!(
        (projection.source, projection.target, projection.variable),
        (Source::Events { population: 0, event: 1 }, 0, 1)
    );
    // 31.9995 · 2¹⁰ = 32767.49 still fits.
    assert_eq!(projection.weights, Weights::Dense(vec![512, 1024, -1024, 32_767, 0, 0, -32_768, 32_767, 256]));
    assert_eq!(network.outputs[0].readout, Readout::Count);
    assert_eq!((network.outputs[1].quantity, network.outputs[1].readout), (Quantity::Variable(0), Readout::Mean));
    assert_eq!(
        network.recordings,
        [Recording { population: 1, quantity: Quantity::Variable(0), window: Window::WHOLE }]
    );
    let counts: Vec<_> = conversions.iter().map(|c| (c.numbers, c.clipped, c.vanished, c.largest)).collect();
    assert_eq!(counts, [(3, 1, 0, 40.0), (9, 1, 1, 100.0)]);
    let warnings: Vec<&str> = warnings.iter().map(|(_, warning)| warning.message.as_str()).collect();
    assert_eq!(
        warnings,
        [
            "parameter `hidden.Bias`: 1 of 3 numbers are outside s5.10 and are clipped",
            "the weight matrix of `update_last`: 1 of 9 numbers are outside s5.10 and are clipped",
        ]
    );
}

#[test]
fn the_command_line_goes_before_the_file() {
    let files = good_files();
    let text = GOOD.replace("value = 0x0", "value = \"1/steps\"");
    let options = Options { steps: Some(64), seed: Some(3), ..Options::default() };
    let network = parse(&text, "good.toml", files.path(), &options).unwrap().network;
    assert_eq!((network.steps, network.seed), (64, 3));
    assert_eq!(network.populations[0].parameters[2], Values::Uniform(512), "expressions see the steps of the run");
}

#[test]
fn without_a_schedule_all_synapses_come_first() {
    let files = good_files();
    let text = GOOD.replace("schedule = [", "# [");
    let network = parse(&text, "good.toml", files.path(), &Options::default()).unwrap().network;
    assert_eq!(network.schedule, [Phase::Propagate(0), Phase::Update(0), Phase::Update(1)]);
}

#[test]
fn small_numbers_are_doubted() {
    let files = good_files();
    let text = GOOD.replace("value = 0x0", "value = 1e-6").replace("[0.5, \"1/3\", -1]", "\"-1/4000\"");
    let warnings = parse(&text, "good.toml", files.path(), &Options::default()).unwrap().warnings;
    let zeros = warnings.iter().filter(|(_, warning)| warning.message.contains("becomes 0")).count();
    assert_eq!((warnings.errors(), zeros), (0, 2), "{}", warnings.render(false));
}

#[test]
fn networks_too_large_for_any_machine_are_refused_before_they_are_built() {
    let text =
        GOOD.replace("size = 3", "size = 1048576").replace("{ file = \"weights.bin\", dtype = \"float32\" }", "0");
    let remarks: Remarks =
        parse(&text, "good.toml", good_files().path(), &Options::default()).expect_err("1 M × 1 M weights");
    let text = remarks.render(false);
    assert!(text.contains("has 1048576 × 1048576 synapses"), "{text}");
}

#[test]
fn files_that_are_no_text_are_refused() {
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("x.toml");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    let error = read(&path, &Options::default()).unwrap_err().to_string();
    assert!(error.ends_with("x.toml is neither a description (TOML, UTF-8 text) nor a NIR graph (HDF5)"), "{error}");
}

proptest! {
    /// A good description with a piece replaced is right or wrong, but never a panic.
    #[test]
    fn damaged_descriptions_have_an_answer(
        start in 0usize..GOOD.len(),
        length in 0usize..40,
        piece in "[\\[\\]{}='\".,a-zA-Z0-9 \n-]{0,6}|1e400|inf|'''|\\PC{0,3}",
    ) {
        let end = (start + length).min(GOOD.len());
        let text = format!("{}{piece}{}", &GOOD[..start], &GOOD[end..]);
        // Without its files: whatever they are, their absence is one more mistake.
        if let Err(remarks) = parse(&text, "good.toml", Path::new("/nonexistent"), &Options::default()) {
            prop_assert!(remarks.errors() > 0);
            prop_assert!(!remarks.render(false).is_empty());
        }
    }
}

#[test]
fn populations_are_reset_and_recordings_have_windows() {
    let text = r#"
        name = "windows"
        steps = 10
        state = "carried"
        [[population]]
        name = "hidden"
        size = 3
        reset = true
        equations = "V = 0.5h10; W = 0.25h10;"
        [population.variables]
        V = { type = "s5_10_sat_t" }
        W = { type = "s5_10_sat_t", reset = false }
        [[output]]
        population = "hidden"
        variable = "V"
        [[record]]
        population = "hidden"
        variable = "V"
        from = 3
        every = 2
        [[record]]
        population = "hidden"
        variable = "W"
        last = 4
    "#;
    let network = |text: &str| parse(text, "windows.toml", Path::new("."), &Options::default()).unwrap().network;
    let carried = network(text);
    let resets = |network: &fenn_compiler::network::Network| {
        network.populations[0].variables.iter().map(|variable| variable.reset).collect::<Vec<_>>()
    };
    assert_eq!((resets(&carried), carried.forgets_spikes(0)), (vec![true, false], false));
    let windows: Vec<Window> = carried.recordings.iter().map(|recording| recording.window).collect();
    assert_eq!(windows, [Window { from: 3, every: 2 }, Window { from: 6, every: 1 }]);
    let whole = network(&text.replace(", reset = false", ""));
    assert_eq!((resets(&whole), whole.forgets_spikes(0)), (vec![true, true], true));
    let neither = network(&text.replace("reset = true", ""));
    assert_eq!((resets(&neither), neither.forgets_spikes(0)), (vec![false, false], false));
}
