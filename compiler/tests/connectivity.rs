//! Synapses and delays of descriptions: from every kind of file, and drawn by rules.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use fenn_compiler::description::{Described, Options, parse};
use fenn_compiler::network::{Convolution, Delays, Projection, Sparse, Values, Weights};
use npyz::WriterBuilder;

fn npy<T: npyz::AutoSerialize + Copy>(numbers: &[T], shape: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    writer.extend(numbers.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A network of an input `in` and a population `hidden`, joined by a projection that `synapses` describes.
fn network(sizes: [u32; 2], synapses: &str, source: &str) -> String {
    let [inputs, hidden] = sizes;
    format!(
        r#"
        name = "test"
        time_step_ms = 0.5
        steps = 4
        seed = 5
        input = [{{ name = "in", size = {inputs} }}]
        [[population]]
        name = "hidden"
        size = {hidden}
        events = ["Spike"]
        equations = "I = I;"
        variables = {{ I = {{ type = "s5_10_sat_t" }} }}
        [[projection]]
        name = "joined"
        source = "{source}"
        target = "hidden.I"
        {synapses}
        [[output]]
        population = "hidden"
        variable = "I"
        "#
    )
}

fn described(sizes: [u32; 2], synapses: &str, source: &str, folder: &Path) -> Described {
    let text = network(sizes, synapses, source);
    parse(&text, "network.toml", folder, &Options::default())
        .unwrap_or_else(|remarks| panic!("{}", remarks.render(false)))
}

fn joined(sizes: [u32; 2], synapses: &str, folder: &Path) -> Projection {
    described(sizes, synapses, "in", folder).network.projections.remove(0)
}

fn sparse(starts: &[u32], targets: &[u32], weights: &[i16]) -> Weights {
    Weights::Sparse(Sparse { starts: starts.into(), targets: targets.into(), weights: weights.into() })
}

#[test]
fn pairs_and_rows_give_the_same_synapses_in_any_order() {
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(files.path().join(name), bytes).unwrap();
    // (0, 2) and (2, 1) twice; in the order of sources and targets the weights are 1 to 5.
    write("pre.npy", &npy(&[2i64, 0, 2, 0, 2], &[5]));
    write("post.npy", &npy(&[1u32, 2, 1, 0, 3], &[5]));
    write("g.npy", &npy(&[3.0f32, 2.0, 4.0, 1.0, 5.0].map(|code| code / 1024.0), &[5]));
    write("d.npy", &npy(&[30.4f32, 20.0, 40.0, 10.0, 49.5], &[5]));
    let expected = sparse(&[0, 2, 2, 5], &[0, 2, 1, 1, 3], &[1, 2, 3, 4, 5]);
    let pairs = r#"connectivity = { kind = "sparse", pre = { file = "pre.npy" }, post = { file = "post.npy" } }
        weights = { file = "g.npy" }
        delays = { file = "d.npy", by = "sorted" }"#;
    let found = joined([3, 4], pairs, files.path());
    assert_eq!(found.weights, expected);
    assert_eq!(found.delays, Delays::Sorted(vec![10, 20, 30, 40, 50]), "in the order of the weights");

    write("lengths.bin", &[2, 0, 3]);
    write("targets.bin", &[2u16, 0, 1, 3, 1].map(u16::to_le_bytes).concat());
    write("codes.bin", &[2i8 as u8, 1, 3, 5, 4]);
    let rows = r#"connectivity = { kind = "sparse", lengths = { file = "lengths.bin", dtype = "uint8" }, targets = { file = "targets.bin", dtype = "uint16" } }
        weights = { file = "codes.bin", dtype = "int8", format = "s5.10" }
        delays = { steps = [20, 10, 30, 50, 40], longest = 50 }"#;
    let found = joined([3, 4], rows, files.path());
    assert_eq!(found.weights, expected);
    assert_eq!(found.delays, Delays::Ring(vec![10, 20, 30, 40, 50]));

    // Integers with a scale are real numbers.
    let scaled = rows.replace(r#"format = "s5.10""#, r#"scale = "2^-9""#);
    assert_eq!(joined([3, 4], &scaled, files.path()).weights.codes(), [2, 4, 6, 8, 10]);
    let uniform = r#"connectivity = { kind = "sparse", pre = [0, 1], post = [3, 3] }
        weights = "1/1024"
        delays = "4 * dt""#;
    let found = joined([3, 4], uniform, files.path());
    assert_eq!(found.weights, sparse(&[0, 1, 2, 2], &[3, 3], &[1, 1]));
    assert_eq!(found.delays, Delays::Uniform(2));
}

#[test]
fn archives_hold_arrays_by_name() {
    let files = tempfile::tempdir().unwrap();
    let mut archive = zip::ZipWriter::new(fs::File::create(files.path().join("net.npz")).unwrap());
    for (name, numbers) in [("first", [9.0f64; 6]), ("second", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])] {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&npy(&numbers, &[2, 3])).unwrap();
    }
    archive.finish().unwrap();
    let found = joined([2, 3], r#"weights = { file = "net.npz", array = "second" }"#, files.path());
    assert_eq!(found.weights, Weights::Dense((1..=6).map(|number| number * 1024).collect()));
}

#[test]
fn neurons_are_joined_one_to_one() {
    let folder = Path::new(".");
    let one = joined([3, 3], "connectivity = \"one_to_one\"\nweights = [1, 2, 3]\ndelays = [3, 4, 5]", folder);
    assert_eq!(one.weights, Weights::OneToOne(vec![1024, 2048, 3072]));
    assert_eq!(one.delays, Delays::Ring(vec![3, 4, 5]));
}

#[test]
fn convolutions_have_the_shapes_of_the_frameworks() {
    let files = tempfile::tempdir().unwrap();
    fs::write(files.path().join("kernel.npy"), npy(&[1i16; 24], &[4, 1, 3, 2])).unwrap();
    let synapses = r#"connectivity = { kind = "convolution", source = [2, 7, 9], channels = 4, kernel = [3, 2], stride = [2, 1], padding = [1, 0], dilation = [1, 3], groups = 2, pool = [1, 2] }
        weights = { file = "kernel.npy" }
        delays = 2"#;
    // ⌊(7 + 2 − 2 − 1)/2⌋ + 1 = 4 rows, ⌊9/2⌋ − 3 = 1 column.
    let found = joined([126, 16], synapses, files.path());
    let expected = Convolution {
        kernel: vec![1; 24],
        extent: [3, 2],
        source: [2, 7, 9],
        pool: [1, 2],
        target: [4, 4, 1],
        stride: [2, 1],
        padding: [1, 0],
        dilation: [1, 3],
        groups: 2,
    };
    assert_eq!((found.weights, found.delays), (Weights::Convolution(expected), Delays::Uniform(2)));
    let same = r#"connectivity = { kind = "convolution", source = [1, 5, 5], channels = 1, kernel = 4, padding = "same" }
        weights = { distribution = "uniform", min = 0, max = 1 }"#;
    let Weights::Convolution(found) = joined([25, 25], same, files.path()).weights else { panic!("no convolution") };
    // Three zeros to be added: one before, two behind.
    assert_eq!((found.padding, found.target, found.kernel.len()), ([1, 1], [1, 5, 5], 16));
}

#[test]
fn what_is_random_depends_on_the_seed_and_on_names_only() {
    let folder = Path::new(".");
    let synapses = r#"connectivity = { kind = "fixed_probability", probability = 0.25, autapses = false }
        weights = { distribution = "normal", mean = 1, sd = 0.25, min = 0.5, max = 1.5 }
        delays = { distribution = "exponential", mean = 4, max = 20, by = "sorted" }"#;
    let text = network([4, 64], synapses, "hidden.Spike");
    let read = |text: &str, seed: Option<u64>| {
        let options = Options { seed, ..Options::default() };
        parse(text, "network.toml", folder, &options).unwrap_or_else(|remarks| panic!("{}", remarks.render(false)))
    };
    let first = read(&text, None);
    let joined =
        |described: &Described| described.network.projections.iter().find(|p| p.name == "joined").unwrap().clone();
    let projection = joined(&first);
    let Weights::Sparse(sparse) = &projection.weights else { panic!("not sparse") };
    // 64·63/4 = 1008 ± 27.
    assert!((870..=1146).contains(&sparse.targets.len()), "{}", sparse.targets.len());
    assert!((0..64).all(|source| !sparse.targets[sparse.row(source)].contains(&source)));
    assert!(sparse.weights.iter().all(|code| (512..=1536).contains(code)));
    let mean = sparse.weights.iter().map(|code| f64::from(*code)).sum::<f64>() / sparse.weights.len() as f64;
    // The bounds are two standard deviations away: 0.25·0.88·1024/√1008 = 7 is the standard error.
    assert!((mean - 1024.0).abs() < 36.0, "{mean}");
    let Delays::Sorted(steps) = &projection.delays else { panic!("not sorted") };
    assert!(steps.iter().all(|step| *step <= 20) && steps.iter().any(|step| *step > 8));

    assert_eq!(joined(&read(&text, Some(5))), projection);
    assert_ne!(joined(&read(&text, Some(6))).weights, projection.weights);
    let more = text.replace("input = [", "input = [{ name = \"other\", size = 9 },").replace(
        "[[projection]]",
        "[[projection]]\nname = \"before\"\nsource = \"other\"\ntarget = \"hidden.I\"\nweights = { distribution = \"uniform\", min = 0, max = 1 }\n[[projection]]",
    );
    assert_eq!(joined(&read(&more, None)).weights, projection.weights, "another projection changes nothing");
    let renamed = read(&text.replace("joined", "renamed"), None);
    assert_ne!(renamed.network.projections[0].weights, projection.weights);

    let drawn: Vec<(&str, &str, u64, usize)> =
        first.drawn.iter().map(|drawn| (drawn.of.as_str(), drawn.rule.as_str(), drawn.seed, drawn.numbers)).collect();
    let synapses = sparse.targets.len();
    assert_eq!(
        drawn,
        [
            ("the synapses of `joined`", "fixed_probability, probability 0.25, no autapses", 5, synapses),
            ("the weights of `joined`", "normal, mean 1, sd 0.25, min 0.5, max 1.5", 5, synapses),
            ("the delays of `joined`", "exponential, mean 4, max 20", 5, synapses),
        ]
    );
}

#[test]
fn variables_and_parameters_may_be_random() {
    let text = network([1, 400], "weights = 0", "in").replace(
        "variables = { I = { type = \"s5_10_sat_t\" } }",
        "variables = { I = { type = \"s5_10_sat_t\", initial = { distribution = \"normal\", mean = 3, sd = 2, scale = 0.5 } } }
         parameters = { P = { type = \"s0_15_t\", value = { distribution = \"uniform\", min = 0, max = 2 } } }",
    );
    let described = parse(&text, "network.toml", Path::new("."), &Options::default()).unwrap();
    let Values::PerNeuron(initial) = &described.network.populations[0].variables[0].initial else { panic!("uniform") };
    let mean = initial.iter().map(|code| f64::from(*code) / 1024.0).sum::<f64>() / 400.0;
    // Standard error 0.05.
    assert!((mean - 1.5).abs() < 0.25, "{mean}");
    let clipped = described.drawn[1].clipped;
    assert!((150..=250).contains(&clipped), "half of the numbers are above 1: {clipped}");
    assert_eq!(described.warnings.iter().count(), 1, "which is said");
}

/// The design's limit is 20 s for a whole program; what is measured here is printed, not judged.
#[test]
fn ten_million_synapses_can_be_described() {
    let synapses = r#"connectivity = { kind = "fixed_number_total", number = 10_000_000 }
        weights = { distribution = "normal", mean = 1, sd = 0.1 }
        delays = { distribution = "normal", mean = 15, sd = 7.5, min = 1, max = 43 }"#;
    let start = Instant::now();
    let found = joined([4096, 4096], synapses, Path::new("."));
    eprintln!("10⁷ synapses with weights and delays: {:.1} s", start.elapsed().as_secs_f64());
    let Weights::Sparse(sparse) = &found.weights else { panic!("not sparse") };
    assert_eq!((sparse.targets.len(), sparse.starts.len()), (10_000_000, 4097));
    let mean = sparse.weights.iter().map(|code| f64::from(*code) / 1024.0).sum::<f64>() / 1e7;
    assert!((mean - 1.0).abs() < 2e-4, "standard error 3·10⁻⁵: {mean}");
}
