//! A trained network all the way: host library, driver in user space, socket, the card's XDMA, the SoC in SystemVerilog.

#![expect(clippy::print_stderr, reason = "what was measured, for whoever runs the tests by hand")]

use std::path::{Path, PathBuf};

use fenn_card::model::{Build, Card as Model};
use fenn_card::server::Server;
use fenn_card::side::{self, Kind, Side};
use fenn_compiler::{backend, description};
use fenn_host::card::Card;
use fenn_host::dataset::{Dataset, Selection, Shape};
use fenn_host::device::{Device, Limit};
use fenn_host::session::Session;
use fenn_host::sim::Simulator;
use fenn_host::transport::direct::{Direct, Options};
use fenn_host::transport::vfio_user::VfioUser;
use tempfile::TempDir;

/// The published classifier on the first images: what it says, and how many instructions it takes, is what the simulator says.
#[test]
fn mnist_through_the_socket_as_in_the_simulator() {
    const IMAGES: usize = 4;
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = root.join("../shared/data/mnist");
    if !data.exists() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is needed", data.display());
        eprintln!("skipped: no reference data at {}", data.display());
        return;
    }
    let allowed = description::Options { allow_outside: true, ..description::Options::default() };
    let described = description::read(root.join("programs/mnist/network.toml"), &allowed).expect("it is a network");
    let image = backend::compile(&described.network, &backend::Options::default()).expect("it compiles").image;
    let manifest = image.manifest.as_ref().expect("a compiled network has a manifest");
    let selection = Selection { samples: None, limit: Some(IMAGES) };
    let set = Dataset::read(&data.join("t10k-images-idx3-ubyte.gz"), None, &Shape::from(manifest), selection);
    let set = set.expect("the images can be read");

    let folder = TempDir::new().expect("there is room");
    let socket = folder.path().join("card.socket");
    let side = side::open(&Side::new(Kind::Rtl)).expect("the model has been built");
    let model = Model::new(side, Build::default());
    let _server = Server::start(&socket, model, |error| eprintln!("{error}")).expect("it listens");
    let options = Options::default();
    let pci = VfioUser::connect(&socket, options.memory_bytes()).expect("it answers");
    let way = Direct::open(pci, options).expect("there is an XDMA");
    let card = Card::open(way).expect("it is a card");
    let core = card.core(0).expect("nobody has the core");
    let simulator = Simulator::new(core.config()).expect("the machine exists");

    let mut there = Session::open(core, &image).expect("it loads");
    let mut here = Session::open(simulator, &image).expect("it loads");
    for sample in 0..IMAGES {
        let run = there.run(set.spikes(sample), Limit::default());
        let run = run.unwrap_or_else(|error| panic!("image {sample}: {error}"));
        let expected = here.run(set.spikes(sample), Limit::default()).expect("the simulator runs it");
        assert_eq!(run.outputs, expected.outputs, "image {sample}");
        assert_eq!(run.finished.instructions, expected.finished.instructions, "image {sample}");
        assert!(run.finished.instructions > 784, "a network was run: {:?}", run.finished);
    }
    eprintln!("{IMAGES} images through the socket");
}
