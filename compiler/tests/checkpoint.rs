//! Directories of trained arrays, generated and published.

use std::fs;
use std::path::{Path, PathBuf};

use fenn_compiler::description::{Described, Grid, Options, Remarks, parse};
use fenn_compiler::interpret::{Interpreter, SpikeTrain};
use fenn_compiler::network::{Delays, Network, Quantity, Readout, Sparse, Values, Weights};
use npyz::WriterBuilder;

fn npy<T: npyz::AutoSerialize + Copy>(folder: &Path, name: &str, numbers: &[T]) {
    let mut bytes = Vec::new();
    let shape = [numbers.len() as u64];
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd().unwrap();
    writer.extend(numbers.iter().copied()).unwrap();
    writer.finish().unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

fn numbers(path: &Path) -> Vec<f64> {
    let bytes = fs::read(path).unwrap();
    let file = npyz::NpyFile::new(&bytes[..]).unwrap();
    match file.dtype().descr().as_str() {
        "'<f4'" => file.into_vec::<f32>().unwrap().into_iter().map(f64::from).collect(),
        "'<u4'" => file.into_vec::<u32>().unwrap().into_iter().map(f64::from).collect(),
        "'<i8'" => file.into_vec::<i64>().unwrap().into_iter().map(|number| number as f64).collect(),
        other => panic!("{other}"),
    }
}

const ARCHITECTURE: &str = r#"
name = "trained"
steps = 4
CHECKPOINT

[[input]]
name = "in"
size = 3

[[population]]
name = "hidden"
size = 2
events = ["Spike"]
equations = "I = Bias;"
variables = { I = { type = "s5_10_sat_t" } }
parameters = { Bias = { type = "s5_10_sat_t", value = { checkpoint = "Pop1-Bias" } } }

[[projection]]
name = "in_hid"
source = "in"
target = "hidden.I"
checkpoint = "Conn_Pop0_Pop1"
IN_HID

[[projection]]
name = "hid_hid"
source = "hidden.Spike"
target = "hidden.I"
checkpoint = "Conn_Pop1_Pop1"

[[output]]
population = "hidden"
variable = "I"
"#;

/// Weights and delays, all to all, and a sparse connection whose pairs are in no order.
fn directory() -> tempfile::TempDir {
    let files = tempfile::tempdir().unwrap();
    let folder = files.path();
    npy(folder, "7-Conn_Pop0_Pop1-g.npy", &[0.5f32, -0.25, 1.0, 2.5, -3.75, 100.0]);
    npy(folder, "7-Conn_Pop0_Pop1-d.npy", &[0.0f32, 1.4, 61.6, 62.4, 63.0, -0.3]);
    npy(folder, "7-Conn_Pop1_Pop1-g.npy", &[0.25f32, 0.5, 0.75]);
    npy(folder, "7-Conn_Pop1_Pop1-pre_ind.npy", &[1i64, 0, 1]);
    npy(folder, "7-Conn_Pop1_Pop1-post_ind.npy", &[1u32, 1, 0]);
    npy(folder, "7-Pop1-Bias.npy", &[0.125f32, -1.0]);
    files
}

fn described(folder: &Path, checkpoint: &str, in_hid: &str, options: &Options) -> Result<Described, Remarks> {
    let text = ARCHITECTURE.replace("CHECKPOINT", checkpoint).replace("IN_HID", in_hid);
    parse(&text, "network.toml", folder, options)
}

#[test]
fn arrays_go_where_their_names_say() {
    let files = directory();
    fs::create_dir(files.path().join("trained")).unwrap();
    for entry in fs::read_dir(files.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::rename(&path, files.path().join("trained").join(path.file_name().unwrap())).unwrap();
        }
    }
    let table = "checkpoint = { directory = \"trained\" }";
    let delays = "delays = { longest = 62, clip = true, by = \"sorted\" }";
    let Described { network, conversions, warnings, .. } = described(files.path(), table, delays, &Options::default())
        .unwrap_or_else(|remarks| panic!("{}", remarks.render(false)));
    let [in_hid, hid_hid] = &network.projections[..] else { panic!("two projections") };
    assert_eq!(in_hid.weights, Weights::Dense(vec![512, -256, 1024, 2560, -3840, i16::MAX]));
    assert_eq!(in_hid.delays, Delays::Sorted(vec![0, 1, 62, 62, 62, 0]));
    let expected = Sparse { starts: vec![0, 1, 3], targets: vec![1, 0, 1], weights: vec![512, 768, 256] };
    assert_eq!(hid_hid.weights, Weights::Sparse(expected));
    assert_eq!(hid_hid.delays, Delays::None);
    assert_eq!(network.populations[0].parameters[0], Values::PerNeuron(vec![128, -1024]));
    let counts: Vec<_> = conversions.iter().map(|c| (c.numbers, c.clipped, c.format.is_some())).collect();
    assert_eq!(counts, [(2, 0, true), (6, 1, true), (6, 1, false), (3, 0, true)]);
    let said: Vec<&str> = warnings.iter().map(|(_, warning)| warning.message.as_str()).collect();
    assert_eq!(said.len(), 2, "clipped weights and clipped delays: {said:?}");

    // From elsewhere, the table's directory being none.
    let options = Options { checkpoint: Some(files.path().join("trained")), ..Options::default() };
    let elsewhere = described(Path::new("/nonexistent"), "checkpoint = { directory = \"x\" }", delays, &options);
    assert_eq!(elsewhere.unwrap().network, network);
}

#[test]
fn weights_can_be_brought_to_fewer_bits() {
    let files = directory();
    let options = Options { checkpoint: Some(files.path().to_owned()), ..Options::default() };
    let weights = |how: &str| {
        let in_hid = format!("weights = {how}\ndelays = 0");
        let described = described(files.path(), "", &in_hid, &options)
            .unwrap_or_else(|remarks| panic!("{}", remarks.render(false)));
        let codes = described.network.projections[0].weights.codes().to_vec();
        let conversion = described.conversions.iter().find(|c| c.of.contains("in_hid")).unwrap();
        (codes, conversion.grid, conversion.clipped)
    };
    // 100 needs steps of 1 in 8 bits: 127 of them; in s5.10 it is clipped all the same.
    let (codes, grid, clipped) = weights("{ bits = 8 }");
    assert_eq!(codes, [0, 0, 1024, 2048, -4096, i16::MAX], "halves go to even");
    assert_eq!((grid, clipped), (Some(Grid { bits: 8, step: 1.0 }), 1));
    // Without the largest of six, 3.75 decides: 120 steps of 1/32.
    let (codes, grid, clipped) = weights("{ bits = 8, percentile = 80 }");
    assert_eq!(codes, [512, -256, 1024, 2560, -3840, 127 * 32]);
    assert_eq!((grid, clipped), (Some(Grid { bits: 8, step: 1.0 / 32.0 }), 1));
    let (codes, grid, clipped) = weights("{ bits = 3, step = \"2^-1\" }");
    assert_eq!(codes, [512, 0, 1024, 1536, -2048, 1536]);
    assert_eq!((grid, clipped), (Some(Grid { bits: 3, step: 0.5 }), 3));
    let (codes, _, _) = weights("{ scale = 0.25 }");
    assert_eq!(codes, [128, -64, 256, 640, -960, 25600]);
}

#[test]
fn mistakes_say_what_there_is() {
    let files = directory();
    let refused = |checkpoint: &str, in_hid: &str, replace: [&str; 2]| {
        let text = ARCHITECTURE.replace("CHECKPOINT", checkpoint).replace("IN_HID", in_hid);
        let text = text.replace(replace[0], replace[1]);
        let remarks = parse(&text, "network.toml", files.path(), &Options::default()).expect_err("it is wrong");
        remarks.render(false).replace(&files.path().display().to_string(), "DIR")
    };
    let here = "checkpoint = { directory = \".\" }";
    let same = ["", ""];
    for (checkpoint, in_hid, replace, parts) in [
        ("", "", same, vec!["the description has no checkpoint", "--architecture"]),
        ("checkpoint = { prefix = \"7\" }", "", same, vec!["which directory the checkpoint is in is not stated"]),
        ("checkpoint = { directory = \"..\" }", "", same, vec!["leads out of the description's directory"]),
        ("checkpoint = { directory = \"x\" }", "", same, vec!["cannot read DIR/x", "this checkpoint"]),
        (
            "checkpoint = { directory = \".\", prefix = \"8\" }",
            "",
            same,
            vec!["has no files of `8`; it has those of `7`"],
        ),
        (
            here,
            "",
            ["\"Conn_Pop0_Pop1\"", "\"Conn_Pop0_Pop2\""],
            vec!["has no `Conn_Pop0_Pop2`", "did you mean `Conn_Pop0_Pop1`"],
        ),
        (
            here,
            "",
            ["\"Pop1-Bias\"", "\"Pop1-Bas\""],
            vec!["`Pop1` of the checkpoint `7` has no `Bas`", "it has `Bias`"],
        ),
        (here, "", ["\"Pop1-Bias\"", "\"Bias\""], vec!["names no array", "\"Pop1-Bias\""]),
        (here, "", ["size = 3", "size = 4"], vec!["has shape (6), but 4 × 2 numbers are needed"]),
        (here, "", ["size = 2", "size = 1"], vec!["number 0 is 1, but they are from 0 to 0"]),
        (here, "weights = 3", same, vec!["must be a table"]),
        (here, "weights = { bits = 8, percentile = 0 }", same, vec!["a percentile is above 0"]),
        (here, "weights = { bits = 8, step = 0.3 }", same, vec!["0.3 is no power of two"]),
        (here, "weights = { bits = 8, step = 0.5, percentile = 9 }", same, vec!["leaves nothing for `percentile`"]),
        (here, "weights = { percentile = 99 }", same, vec!["of how many bits?"]),
        (here, "weights = { file = \"x.npy\" }", same, vec!["has no key `file`"]),
        (here, "delays = { longest = 62 }", same, vec!["1 of 6 delays are not from 0 to 62", "clip = true"]),
        (
            here,
            "",
            ["checkpoint = \"Conn_Pop1_Pop1\"", "checkpoint = \"Conn_Pop1_Pop1\"\nconnectivity = \"dense\""],
            vec!["says which neurons `Conn_Pop1_Pop1` joins", "leave it out"],
        ),
    ] {
        let text = refused(checkpoint, in_hid, replace);
        for part in parts {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
    }
    // What nothing uses is a doubt.
    npy(files.path(), "7-Conn_Pop1_Pop2-g.npy", &[1.0f32]);
    let Described { warnings, .. } = described(files.path(), here, "delays = 0", &Options::default()).unwrap();
    let said = warnings.render(false);
    assert!(said.contains("nothing uses `Conn_Pop1_Pop2-g` of the checkpoint `7`"), "{said}");
    assert!(said.contains("nothing uses `Conn_Pop0_Pop1-d`"), "{said}");
    let anywhere = Options { allow_outside: true, ..Options::default() };
    #[cfg(unix)]
    {
        let elsewhere = tempfile::tempdir().unwrap();
        npy(elsewhere.path(), "bias.npy", &[1.0f32, 2.0]);
        fs::remove_file(files.path().join("7-Pop1-Bias.npy")).unwrap();
        let link = files.path().join("7-Pop1-Bias.npy");
        std::os::unix::fs::symlink(elsewhere.path().join("bias.npy"), link).unwrap();
        let text = refused(here, "delays = 0", same);
        assert!(text.contains("`Pop1-Bias` leads out of the checkpoint's directory"), "{text}");
        assert!(described(files.path(), here, "delays = 0", &anywhere).is_ok());
    }
}

/// `../shared/data` beside the project, or `None` where it may be missing.
fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", path.display());
    eprintln!("skipped: {} is missing", path.display());
    None
}

fn read(path: &str) -> Described {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let options = Options { allow_outside: true, ..Options::default() };
    fenn_compiler::description::read(path, &options).unwrap_or_else(|error| panic!("{error}"))
}

/// Every number of the published N-MNIST network arrives at its pair.
#[test]
fn the_published_sparse_network_is_read() {
    let Some(folder) = data("nmnist") else { return };
    let text = r#"
        name = "n-mnist"
        steps = 300
        input = [{ name = "events", size = 2312 }]
        [[population]]
        name = "hidden"
        size = 512
        events = ["Spike"]
        equations = "I = I;"
        variables = { I = { type = "s5_10_sat_t" } }
        [[population]]
        name = "output"
        size = 10
        equations = "I = I + Bias;"
        variables = { I = { type = "s5_10_sat_t" } }
        parameters = { Bias = { type = "s5_10_sat_t", value = { checkpoint = "Pop1-Bias" } } }
        [[projection]]
        name = "in_hid"
        source = "events"
        target = "hidden.I"
        checkpoint = "Conn_Pop0_Pop2"
        [[projection]]
        name = "hid_hid"
        source = "hidden.Spike"
        target = "hidden.I"
        checkpoint = "Conn_Pop2_Pop2"
        [[projection]]
        name = "hid_out"
        source = "hidden.Spike"
        target = "output.I"
        checkpoint = "Conn_Pop2_Pop1"
        [[output]]
        population = "output"
        variable = "I"
    "#;
    let options = Options { checkpoint: Some(folder.clone()), ..Options::default() };
    let Described { network, warnings, .. } = parse(text, "network.toml", Path::new("."), &options).unwrap();
    assert_eq!(warnings.iter().count(), 0, "{}", warnings.render(false));
    for (projection, object, synapses) in [(0, "Conn_Pop0_Pop2", 59_325), (1, "Conn_Pop2_Pop2", 2_533)] {
        let Weights::Sparse(sparse) = &network.projections[projection].weights else { panic!("not sparse") };
        assert_eq!(sparse.targets.len(), synapses);
        let array = |variable: &str| numbers(&folder.join(format!("98-{object}-{variable}.npy")));
        let [pre, post, g] = [array("pre_ind"), array("post_ind"), array("g")];
        // No pair occurs twice in these.
        let mut expected: Vec<(u32, u32, i16)> = pre
            .iter()
            .zip(&post)
            .zip(&g)
            .map(|((pre, post), g)| (*pre as u32, *post as u32, (g * 1024.0).round_ties_even() as i16))
            .collect();
        expected.sort_unstable();
        let sources = (0..).zip(sparse.starts.windows(2)).flat_map(|(n, row)| (row[0]..row[1]).map(move |_| n));
        let found: Vec<(u32, u32, i16)> = sources
            .zip(&sparse.targets)
            .zip(&sparse.weights)
            .map(|((source, target), weight)| (source, *target, *weight))
            .collect();
        assert_eq!(found, expected, "{object}");
    }
    assert_eq!(network.projections[2].weights.codes().len(), 5120);
}

/// As active as float64 says, in the first run and when the adaptation has settled. No class is published for this network, and which one
/// comes out depends on the rounding.
#[test]
fn the_published_adaptive_network_is_as_active_as_in_float64() {
    let (Some(_), Some(sample)) = (data("shd/adaptive"), data("shd/shd_input_spikes_1.csv")) else { return };
    let Described { network, warnings, .. } = read("programs/shd/adaptive.toml");
    assert_eq!(warnings.errors(), 0);
    assert_eq!((network.outputs[0].quantity, network.outputs[0].readout), (Quantity::Variable(2), Readout::Last));
    let spikes = [spikes(&sample, &network)];
    let mut interpreter = Interpreter::new(&network).unwrap();
    let mut count = || interpreter.run(&spikes).unwrap().events[0][0].count() as f64;
    let counts: Vec<f64> = (0..6).map(|_| count()).collect();
    let settled = counts[2..].iter().sum::<f64>() / 4.0;
    // The mean of runs 2 to 5 is 10,675 in float64; single ones differ by 800.
    assert!((counts[0] / 18_167.0 - 1.0).abs() < 0.03, "{counts:?}");
    assert!((settled / 10_675.0 - 1.0).abs() < 0.06, "{counts:?}");
}

/// Lines of time in ms and unit.
fn spikes(path: &Path, network: &Network) -> SpikeTrain {
    let mut steps = vec![Vec::new(); network.steps as usize];
    for line in fs::read_to_string(path).unwrap().lines() {
        let (time, unit) = line.split_once(',').unwrap();
        steps[time.trim().parse::<f64>().unwrap() as usize].push(unit.trim().parse::<f64>().unwrap() as u32);
    }
    SpikeTrain::new(steps)
}
