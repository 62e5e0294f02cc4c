//! Exported NIR graphs in the hands of another reader: the float interpreter reads the file by itself, and finds the spikes that the
//! network has in fixed point, but for rounding.

use std::path::{Path, PathBuf};

use fenn_compiler::export::{ExportRules, export};
use fenn_compiler::import::{self, Imported, Options};
use fenn_compiler::interpret::{Interpreter, SpikeTrain};
use fenn_compiler::nir;
use fenn_testbench::graph_comparison::correlation;
use fenn_testbench::nir_reference::{self, Comparison, Method, Reference, Reset, Settings, SpikeFrom};

/// A file beside the workspace or in it; its absence is printed, and a failure in CI.
fn present(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is needed in CI", path.display());
    eprintln!("skipped: no {}", path.display());
    None
}

fn settings(rules: ExportRules) -> Settings {
    let ExportRules { dt, method, reset, comparison, spike_from } = rules;
    Settings {
        dt,
        method: match method {
            import::Method::ForwardEuler => Method::ForwardEuler,
            import::Method::ExponentialEuler => Method::ExponentialEuler,
        },
        reset: match reset {
            import::Reset::Value => Reset::Value,
            import::Reset::Subtract => Reset::Subtract,
            import::Reset::Snntorch => Reset::DelayedSubtract,
        },
        comparison: match comparison {
            import::Comparison::Greater => Comparison::Greater,
            import::Comparison::GreaterEqual => Comparison::GreaterEqual,
        },
        spike_from: match spike_from {
            import::SpikeFrom::New => SpikeFrom::New,
            import::SpikeFrom::Old => SpikeFrom::Old,
        },
    }
}

/// About one spike in `every` of each neuron's steps.
fn spikes(size: u32, steps: u32, every: u32) -> SpikeTrain {
    let hash = |t: u32, n: u32| (t * 7919 + n * 104_729 + 17).wrapping_mul(2_654_435_761) >> 16;
    SpikeTrain::new((0..steps).map(|t| (0..size).filter(|&n| hash(t, n) % every == 0).collect()).collect())
}

/// Imports a graph, exports the network, and compares the two readers' spikes.
fn compare(path: &Path, options: Options, every: u32) {
    let Imported { network, .. } = import::import(&nir::read(path).unwrap(), &options).unwrap();
    let exported = export(&network).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    nir::write(&exported.graph, file.path()).unwrap();
    let graph = nir_reference::read(file.path()).unwrap();
    let trains: Vec<SpikeTrain> = network.inputs.iter().map(|input| spikes(input.size, network.steps, every)).collect();
    let values = |(train, size): (&SpikeTrain, u32)| -> Vec<Vec<f64>> {
        let step = |list: &Vec<u32>| (0..size).map(|n| f64::from(u8::from(list.contains(&n)))).collect();
        train.steps().iter().map(step).collect()
    };
    let inputs: Vec<Vec<Vec<f64>>> =
        trains.iter().zip(&network.inputs).map(|(train, input)| values((train, input.size))).collect();
    let trace = Reference::new(&graph, settings(exported.rules)).unwrap().run(&inputs);
    let run = Interpreter::new(&network).unwrap().run(&trains).unwrap();
    let mut all = 0;
    for (index, (population, events)) in network.populations.iter().zip(&run.events).enumerate() {
        let Some(train) = events.first() else { continue };
        let expected: f64 = trace.units[&population.name].iter().flatten().sum();
        let found = train.count() as f64;
        all += train.count();
        let place = format!("{} of {}: {found} and {expected} spikes", population.name, path.display());
        assert!((found - expected).abs() <= 0.01 * expected + 2.0, "{place}");
        let counts = |n: usize| trace.units[&population.name].iter().map(|step| step[n]).sum::<f64>();
        let per_neuron: Vec<f64> = (0..population.size as usize).map(counts).collect();
        let fixed: Vec<f64> = train.counts(population.size as usize).into_iter().map(f64::from).collect();
        if let Some(r) = correlation(&per_neuron, &fixed).filter(|_| expected >= 100.0) {
            assert!(r >= 0.98, "{place}, counts per neuron correlated by {r}");
        }
        // Those that inputs drive directly have them at the same times, too; behind those, what comes a step late adds up.
        if index == 0 {
            let pairs = trace.units[&population.name].iter().zip(train.steps());
            let mismatches: usize = pairs
                .map(|(values, list)| {
                    let spiking = |n: u32| list.binary_search(&n).is_ok();
                    (0..).zip(values).filter(|(n, value)| spiking(*n) != (**value > 0.0)).count()
                })
                .sum();
            assert!(mismatches as f64 <= 0.05 * expected + 4.0, "{place}, {mismatches} at other times");
        }
    }
    assert!(all > 20, "a comparison of silence shows nothing");
}

#[test]
fn another_reader_finds_the_same_spikes() {
    if let Some(path) = present("programs/yin-yang/yin-yang.nir") {
        compare(&path, Options { dt: Some(5e-4), ..Options::new("yin-yang", 80) }, 20);
    }
    if let Some(path) = present("../shared/data/nir/braille/braille_noDelay_noBias_subtract.nir") {
        let reset = import::Reset::Snntorch;
        compare(&path, Options { dt: Some(1e-4), reset, ..Options::new("braille", 128) }, 6);
    }
    if let Some(path) = present("../shared/data/nir/braille/braille_noDelay_bias_zero.nir") {
        compare(&path, Options { dt: Some(1e-4), ..Options::new("braille", 128) }, 6);
    }
    if let Some(path) = present("../shared/data/nir/cnn/cnn_sinabs.nir") {
        let mut options = Options { dt: Some(1.0), ..Options::new("cnn", 30) };
        options.calibration.generated = 2;
        compare(&path, options, 40);
    }
}
