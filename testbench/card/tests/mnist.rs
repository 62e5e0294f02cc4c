//! A compiled network on the Verilated card, through the whole way: driver in user space, vfio-user socket, XDMA engines, AXI
//! ports. The first images give, number for number and cycle for cycle, what the simulator alone gives.

use std::path::Path;

use fenn_card::model::{Build, Card as Model};
use fenn_card::server::Server;
use fenn_card::side::{self, Kind, Side, SideError};
use fenn_compiler::{backend, description};
use fenn_host::card::Card;
use fenn_host::dataset::{Dataset, Selection, Shape};
use fenn_host::device::Limit;
use fenn_host::session::Session;
use fenn_host::sim::Simulator;
use fenn_host::transport::direct::{Direct, Options};
use fenn_host::transport::vfio_user::VfioUser;
use fenn_verilated::core::CoreError;

const IMAGES: usize = 3;

fn skip(why: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{why}");
    eprintln!("skipped: {why}");
}

#[test]
fn mnist_on_the_verilated_card() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = root.join("../shared/data/mnist");
    if !data.exists() {
        return skip(&format!("no reference data at {}", data.display()));
    }
    let side = match side::open(&Side::new(Kind::Rtl)) {
        Ok(side) => side,
        Err(SideError::Rtl(CoreError::NotBuilt)) => return skip("there is no Verilated card in this build"),
        Err(error) => panic!("{error}"),
    };
    let options = description::Options { allow_outside: true, ..description::Options::default() };
    let described = description::read(root.join("programs/mnist/network.toml"), &options).expect("it is a network");
    let image = backend::compile(&described.network, &backend::Options::default()).expect("it compiles").image;
    let manifest = image.manifest.as_ref().expect("a compiled network has a manifest");
    let selection = Selection { limit: Some(IMAGES), ..Selection::default() };
    let set = Dataset::read(&data.join("t10k-images-idx3-ubyte.gz"), None, &Shape::from(manifest), selection);
    let set = set.expect("the images can be read");

    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("card");
    let card = Model::new(side, Build::default());
    let server = Server::start(&path, card, |error| eprintln!("{error}")).expect("the socket can be made");
    let options = Options::default();
    let function = VfioUser::connect(&path, options.memory_bytes()).expect("it is served");
    let card = Card::open(Direct::open_card(function, options).expect("it is an XDMA")).expect("it is a card");
    let core = card.core(0).expect("it has a core");
    let mut through = Session::open(core, &image).expect("it loads");
    let mut alone = Session::open(Simulator::new(image.config).expect("the machine exists"), &image).expect("it loads");
    for sample in 0..IMAGES {
        let run =
            through.run(set.spikes(sample), Limit::default()).unwrap_or_else(|error| panic!("image {sample}: {error}"));
        let expected = alone.run(set.spikes(sample), Limit::default()).expect("the simulator runs it");
        assert_eq!(run.outputs, expected.outputs, "image {sample}");
        assert_eq!(run.finished, expected.finished, "image {sample}: instructions and cycles");
        assert!(run.finished.instructions > 784, "image {sample}: a network was run");
    }
    let transfers = server.with_card(|card| card.faults.transfers());
    assert!(transfers > 2 * IMAGES as u64, "only {transfers} transfers went by the engines");
    eprintln!("{IMAGES} images through the socket");
}
