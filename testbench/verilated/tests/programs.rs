//! The programs of the repository, in lockstep.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fenn_compiler::{backend, description};
use fenn_host::dataset::{Dataset, Selection, Shape};
use fenn_host::device::Limit;
use fenn_host::session::Session;
use fenn_host::sim::Simulator;
use fenn_verilated::configuration::CONFIGURATIONS;
use fenn_verilated::device::Both;
use fenn_verilated::kernels::{self, CALLS};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_kernel() {
    let mut there = BTreeSet::new();
    for entry in std::fs::read_dir(kernels::folder()).expect("there are kernels") {
        let path = entry.expect("its entries can be read").path();
        if path.extension().is_some_and(|extension| extension == "s") {
            there.insert(path.file_stem().expect("it has a name").to_string_lossy().into_owned());
        }
    }
    let called: BTreeSet<String> =
        CALLS.iter().flat_map(|calls| calls.sources).map(|name| (*name).to_owned()).collect();
    assert_eq!(called, there, "every kernel is called, and no other");
    let compared = kernels::run_all().unwrap_or_else(|failure| panic!("{failure}"));
    eprintln!("{} programs, {} cycles", compared.programs, compared.cycles);
}

#[test]
fn the_promised_loops() {
    let dense = kernels::dense().unwrap_or_else(|failure| panic!("{failure}"));
    let sparse = kernels::sparse().unwrap_or_else(|failure| panic!("{failure}"));
    let lif = kernels::lif().unwrap_or_else(|failure| panic!("{failure}"));
    eprintln!("{dense:?} {sparse:?} {lif:?}");
    assert!(dense.cycles <= 4.75, "{dense:?}");
    assert!(sparse.cycles <= 6.5, "{sparse:?}");
    assert_eq!(lif.other_stalls, 0.0, "{lif:?}");
}

/// The published network, compiled and run through the host's protocol: the first images give what the simulator alone
/// gives, and every retirement on the way is compared.
#[test]
fn mnist() {
    const IMAGES: usize = 5;
    let data = root().join("../shared/data/mnist");
    if !data.exists() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is needed", data.display());
        eprintln!("skipped: no reference data at {}", data.display());
        return;
    }
    let options = description::Options { allow_outside: true, ..description::Options::default() };
    let described = description::read(root().join("programs/mnist/network.toml"), &options).expect("it is a network");
    let compiled = backend::compile(&described.network, &backend::Options::default()).expect("it compiles");
    let image = compiled.image;
    let manifest = image.manifest.as_ref().expect("a compiled network has a manifest");
    let selection = Selection { limit: Some(IMAGES), ..Selection::default() };
    let set = Dataset::read(&data.join("t10k-images-idx3-ubyte.gz"), None, &Shape::from(manifest), selection);
    let set = set.expect("the images can be read");

    let both = Both::new(&CONFIGURATIONS[0]).unwrap_or_else(|failure| panic!("{failure}"));
    let mut core = Session::open(both, &image).expect("it loads");
    let simulator = Simulator::new(CONFIGURATIONS[0].memory).expect("the machine exists");
    let mut alone = Session::open(simulator, &image).expect("it loads");
    let mut executed = 0;
    for sample in 0..IMAGES {
        let run =
            core.run(set.spikes(sample), Limit::default()).unwrap_or_else(|error| panic!("image {sample}: {error}"));
        let expected = alone.run(set.spikes(sample), Limit::default()).expect("the simulator runs it");
        assert_eq!(run.outputs, expected.outputs, "image {sample}");
        assert_eq!(run.finished.instructions, expected.finished.instructions, "image {sample}");
        executed += expected.finished.instructions;
    }
    // Every instruction was compared: some for each of the 784 inputs of an image at least.
    assert_eq!(core.device().lockstep().retired(), executed);
    assert!(executed > 784 * IMAGES as u64, "a network was run: {executed} instructions");
    eprintln!("{IMAGES} images in lockstep");
}
