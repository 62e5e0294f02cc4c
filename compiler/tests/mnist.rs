//! The shipped MNIST description against the published system's results.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use fenn_compiler::description::{Options, read};
use fenn_compiler::interpret::{Interpreter, SpikeTrain};
use fenn_compiler::kernel::Kernel;
use fenn_compiler::network::{Encoding, Network, Values};
use flate2::read::GzDecoder;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `../shared/data` beside the project, or `None` where it may be missing.
fn data() -> Option<PathBuf> {
    let data = root().join("../shared/data/mnist");
    if data.is_dir() {
        return Some(root().join("../shared/data"));
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", data.display());
    eprintln!("skipped: {} is missing", data.display());
    None
}

fn network() -> Network {
    // The weights are beside the project.
    let options = Options { allow_outside: true, ..Options::default() };
    let described = read(root().join("programs/mnist/network.toml"), &options);
    let described = described.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(described.warnings.render(false), "");
    described.network
}

/// The contents of an IDX file of bytes behind its header of `header` bytes.
fn idx(path: &Path, header: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes.split_off(header)
}

/// The latency code by its definition in the data's description.
fn spikes(image: &[u8], network: &Network) -> SpikeTrain {
    let Encoding::Latency { tau, threshold } = network.inputs[0].encoding else { panic!("not a latency code") };
    let mut steps = vec![Vec::new(); network.steps as usize];
    for (pixel, value) in image.iter().enumerate() {
        let p = f64::from(*value);
        if p > threshold {
            let step = (tau * (p / (p - threshold)).ln()).round_ties_even() as usize;
            if let Some(spikes) = steps.get_mut(step) {
                spikes.push(pixel as u32);
            }
        }
    }
    SpikeTrain::new(steps)
}

#[test]
fn the_description_is_the_published_network() {
    if data().is_none() {
        return;
    }
    let network = network();
    let parameter = |kernel: &Kernel, values: &[Values], name: &str| {
        let index = kernel.parameters.iter().position(|slot| slot.name == name).unwrap();
        values[index].clone()
    };
    let [hidden, output] = &network.populations[..] else { panic!("two populations") };
    let of_hidden = |name| parameter(&hidden.kernel, &hidden.parameters, name);
    let of_output = |name| parameter(&output.kernel, &output.parameters, name);
    // round(e^(-1/20) 2^5), round(0.61 2^5), round(e^(-1/20) 2^6) and round((2/79) 2^6).
    assert_eq!(of_hidden("Alpha"), Values::Uniform(30));
    assert_eq!(of_hidden("VThresh"), Values::Uniform(20));
    assert_eq!(of_hidden("TauRefrac"), Values::Uniform(5));
    assert_eq!(of_output("Alpha"), Values::Uniform(61));
    assert_eq!(of_output("VAvgScale"), Values::Uniform(2));
    assert!(matches!(of_output("Bias"), Values::PerNeuron(codes) if codes.len() == 10));
}

/// The published run began with an uninitialised spike buffer, whose trace is in its first three rows. That 9,591 of all
/// images are correct from zero state is known from an independent emulator of the published description.
#[test]
fn the_integers_are_the_published_ones() {
    let Some(data) = data() else { return };
    let network = network();
    let images = idx(&data.join("mnist/t10k-images-idx3-ubyte.gz"), 16);
    let labels = idx(&data.join("mnist/t10k-labels-idx1-ubyte.gz"), 8);
    let golden = std::fs::read_to_string(data.join("golden/mnist_v_avg_first1000.csv")).unwrap();
    let golden: Vec<Vec<i16>> =
        golden.lines().map(|line| line.split(',').map(|code| code.trim().parse().unwrap()).collect()).collect();
    assert_eq!((golden.len(), labels.len(), images.len()), (1000, 10_000, 7_840_000));
    let output = &network.populations[1].kernel;
    let v_avg = output.variables.iter().position(|slot| slot.name == "VAvg").unwrap();
    let mut machine = Interpreter::new(&network).unwrap();
    let mut correct = 0;
    for (index, (image, label)) in images.chunks_exact(784).zip(&labels).enumerate() {
        let run = machine.run(&[spikes(image, &network)]).unwrap();
        let found = &run.finals[1][v_avg];
        if let Some(expected) = golden.get(index).filter(|_| index >= 3) {
            assert_eq!(found, expected, "image {}", index + 1);
        }
        // The first of equals, as `argmax` has it.
        let class = (0..10).rev().max_by_key(|class| found[*class]).unwrap();
        correct += usize::from(class == usize::from(*label));
    }
    assert_eq!(correct, 9591);
}
