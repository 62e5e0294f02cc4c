//! Compiled networks that are given samples while they run, on one core: simulated, and in SystemVerilog. Results and the
//! instructions of each sample are those of launches on the simulator; and how much of the bytes' way, or of running, is hidden
//! behind the other, in clock cycles of the SoC.
//!
//! With B the cycles of a stream of samples, L those of the same program in launches, R those of L in which it runs, and T = L − R those
//! in which the host writes and reads, (L − B) / min(T, R) of the shorter is hidden: 1 when the longer of the two is all that it
//! takes, 0 when nothing is gained.

#![expect(clippy::print_stderr, reason = "what was measured, for whoever runs the tests by hand")]

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fenn_card::side::{self, Kind, Side, SideError};
use fenn_compiler::contract::InputForm;
use fenn_compiler::network::Network;
use fenn_compiler::{backend, description, import, nir};
use fenn_host::card::Card;
use fenn_host::dataset::{Dataset, Selection, Shape, Spike};
use fenn_host::device::{Device, Limit};
use fenn_host::session::{Run, Session, units};
use fenn_host::sim::Simulator;
use fenn_host::transport::sim::{Options, SimulatedCard};
use fenn_host::transport::{Capabilities, Deadline, Transport, TransportError};
use fenn_isa::image::Image;
use fenn_verilated::axi::Pace;
use fenn_verilated::core::CoreError;
use fenn_verilated::soc::VerilatedCard;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const LIMIT: Limit = Limit { instructions: 50_000_000, time: Duration::from_secs(300) };

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn skip(why: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{why}");
    eprintln!("skipped: {why}");
}

/// A program with so many places, streaming.
fn compiled(network: &Network, places: u32, input: InputForm) -> Image {
    let batch = NonZeroU32::new(places).expect("at least one");
    let options = backend::Options { batch, stream: true, input, ..backend::Options::default() };
    backend::compile(network, &options).expect("it compiles").image
}

fn yin_yang() -> Network {
    let graph = nir::read(root().join("programs/yin-yang/yin-yang.nir")).expect("it is a graph");
    let options = import::Options { dt: Some(0.0005), ..import::Options::new("yin-yang", 80) };
    import::import(&graph, &options).expect("it can be imported").network
}

/// So many inputs with spikes in each of so many steps, one number per neuron added up, carried from sample to sample or not.
fn sums(inputs: u32, neurons: u32, steps: u32, state: &str, readout: &str) -> Network {
    let text = format!(
        r#"
name = "sums"
steps = {steps}
state = "{state}"
[[input]]
name = "in"
size = {inputs}
[[population]]
name = "sum"
size = {neurons}
equations = "V = (0.5h5 * V) + I;\nI = 0.0h5;"
[population.variables]
V = {{ type = "s10_5_sat_t" }}
I = {{ type = "s10_5_sat_t" }}
[[projection]]
name = "all"
source = "in"
target = "sum.I"
weights = {{ distribution = "uniform", min = -1, max = 1 }}
[[output]]
population = "sum"
variable = "V"
readout = "{readout}"
"#
    );
    let described = description::parse(&text, "sums.toml", Path::new("."), &description::Options::default());
    described.unwrap_or_else(|error| panic!("{}", error.render(false))).network
}

/// Random samples: each unit spikes in each step with this probability.
fn samples(image: &Image, count: usize, probability: f64, seed: u64) -> Vec<Vec<Spike>> {
    let manifest = image.manifest.as_ref().expect("a compiled network has one");
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let all =
        |steps: u32| (0..steps).flat_map(|step| (0..units(manifest) as u32).map(move |unit| Spike { step, unit }));
    (0..count).map(|_| all(manifest.steps).filter(|_| rng.random_bool(probability)).collect()).collect()
}

/// All samples in launches of as many as there are places.
fn launched<D: Device>(session: &mut Session<D>, samples: &[Vec<Spike>]) -> (Vec<Run>, u64) {
    let places = session.manifest().batch.samples as usize;
    let (mut runs, mut cycles) = (Vec::new(), 0);
    for chunk in samples.chunks(places) {
        let chunk: Vec<&[Spike]> = chunk.iter().map(Vec::as_slice).collect();
        let launch = session.launch(&chunk, LIMIT).expect("it runs");
        cycles += launch.finished.cycles;
        runs.extend(launch.runs);
    }
    (runs, cycles)
}

fn streamed<D: Device>(session: &mut Session<D>, samples: &[Vec<Spike>]) -> Vec<Run> {
    let mut runs = Vec::new();
    let result = session.stream(samples.iter().map(Vec::as_slice), LIMIT, |sample, run| {
        assert_eq!(sample, runs.len());
        runs.push(run);
    });
    let streamed = result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(streamed.samples, samples.len());
    runs
}

/// On the simulator, in launches.
fn expected(image: &Image, samples: &[Vec<Spike>]) -> Vec<Run> {
    let simulator = Simulator::new(image.config).expect("the machine exists");
    launched(&mut Session::open(simulator, image).expect("it loads"), samples).0
}

fn simulated_card(slice: u64) -> Card<SimulatedCard> {
    let options = Options { slice, ..Options::default() };
    Card::open(SimulatedCard::new(options).expect("it can be made")).expect("it is a card")
}

/// Outputs and instructions of each sample, none of them spent on waiting. Cycles too, but where a program has waited: those of a run
/// then depend a little on what the fetch unit has from before it.
fn same(found: &[Run], expected: &[Run], waited: bool) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.outputs, expected.outputs, "sample {index}");
        assert_eq!(found.finished.instructions, expected.finished.instructions, "sample {index}: instructions");
        if !waited {
            assert_eq!(found.finished.cycles, expected.finished.cycles, "sample {index}: cycles");
        }
    }
}

/// Against the program that takes samples before a launch only: the same results.
fn as_without_a_stream(network: &Network, found: &[Run], samples: &[Vec<Spike>]) {
    let image = backend::compile(network, &backend::Options::default()).expect("it compiles").image;
    let simulator = Simulator::new(image.config).expect("the machine exists");
    let (plain, _) = launched(&mut Session::open(simulator, &image).expect("it loads"), samples);
    for (index, (found, plain)) in found.iter().zip(&plain).enumerate() {
        assert_eq!(found.outputs, plain.outputs, "sample {index}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn networks_of_any_size_compute_the_same(
        (inputs, neurons, steps) in (1u32..80, 1u32..100, 1u32..12),
        places in 1u32..6,
        (carried, listed) in any::<(bool, bool)>(),
        readout in prop::sample::select(vec!["last", "mean", "max"]),
        count in 0usize..20,
        slice in 1u64..5000,
        seed: u64,
    ) {
        let state = if carried { "carried" } else { "reset" };
        let network = sums(inputs, neurons, steps, state, readout);
        let form = if listed { InputForm::List(None) } else { InputForm::Bits };
        let image = compiled(&network, places, form);
        let samples = samples(&image, count, 0.2, seed);
        let card = simulated_card(slice);
        let mut session = Session::open(card.core(0).expect("it has one"), &image).expect("it loads");
        let found = streamed(&mut session, &samples);
        same(&found, &expected(&image, &samples), true);
        as_without_a_stream(&network, &found, &samples);
        // And again, for what is carried goes on.
        if !carried {
            same(&streamed(&mut session, &samples), &found, true);
        }
    }
}

#[test]
fn yin_yang_on_a_simulated_card() {
    let network = yin_yang();
    for (places, form) in [(2, InputForm::Auto), (5, InputForm::Bits)] {
        let image = compiled(&network, places, form);
        let samples = samples(&image, 24, 0.02, 7);
        let card = simulated_card(1024);
        let mut session = Session::open(card.core(0).expect("it has one"), &image).expect("it loads");
        let found = streamed(&mut session, &samples);
        same(&found, &expected(&image, &samples), true);
        as_without_a_stream(&network, &found, &samples);
    }
}

/// The published network, and so many of its images; `None` without the reference data.
fn mnist(images: usize) -> Option<(Network, Vec<Vec<Spike>>)> {
    let data = root().join("../shared/data/mnist");
    if !data.exists() {
        skip(&format!("no reference data at {}", data.display()));
        return None;
    }
    let options = description::Options { allow_outside: true, ..description::Options::default() };
    let network =
        description::read(root().join("programs/mnist/network.toml"), &options).expect("it is a network").network;
    let image = backend::compile(&network, &backend::Options::default()).expect("it compiles").image;
    let manifest = image.manifest.as_ref().expect("a compiled network has a manifest");
    let selection = Selection { limit: Some(images), ..Selection::default() };
    let set = Dataset::read(&data.join("t10k-images-idx3-ubyte.gz"), None, &Shape::from(manifest), selection);
    let set = set.expect("the images can be read");
    Some((network, (0..images).map(|index| set.spikes(index).to_vec()).collect()))
}

#[test]
fn mnist_on_a_simulated_card() {
    let Some((network, samples)) = mnist(20) else { return };
    let image = compiled(&network, 3, InputForm::Auto);
    let card = simulated_card(1024);
    let mut session = Session::open(card.core(0).expect("it has one"), &image).expect("it loads");
    let found = streamed(&mut session, &samples);
    same(&found, &expected(&image, &samples), true);
    as_without_a_stream(&network, &found, &samples);
}

/// A Verilated card whose clock can be read while it is a session's.
struct Clocked {
    card: VerilatedCard,
    clock: Arc<AtomicU64>,
}

impl Clocked {
    fn told<R>(&mut self, act: impl FnOnce(&mut VerilatedCard) -> R) -> R {
        let result = act(&mut self.card);
        self.clock.store(self.card.clock(), Ordering::Relaxed);
        result
    }
}

impl Transport for Clocked {
    fn name(&self) -> String {
        self.card.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.card.capabilities()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        self.told(|card| card.read_register(offset))
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.told(|card| card.write_register(offset, value))
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        self.told(|card| card.read(address, out, deadline))
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        self.told(|card| card.write(address, bytes, deadline))
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        self.told(|card| card.wait_event(core, deadline))
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        self.told(VerilatedCard::recover)
    }
}

/// The share that is hidden on the Verilated card; results and instructions are the simulator's.
fn hidden(name: &str, network: &Network, image: &Image, samples: &[Vec<Spike>], pace: Option<u32>) -> f64 {
    let open = || {
        let clock = Arc::new(AtomicU64::new(0));
        let mut card = VerilatedCard::new("soc_board").expect("the model has been built");
        if let Some(ready) = pace {
            let source = Pcg64Mcg::seed_from_u64(5);
            card.set_pace(Pace::Random { source, ready, errors: 0 }, Pace::Steady);
        }
        let card = Card::open(Clocked { card, clock: clock.clone() }).expect("it is a card");
        (Session::open(card.core(0).expect("it has one"), image).expect("it loads"), clock)
    };
    let (mut session, clock) = open();
    let before = clock.load(Ordering::Relaxed);
    let (launches, run) = launched(&mut session, samples);
    let apart = clock.load(Ordering::Relaxed) - before;
    let transfer = apart - run;

    let (mut session, clock) = open();
    let before = clock.load(Ordering::Relaxed);
    let found = streamed(&mut session, samples);
    let both = clock.load(Ordering::Relaxed) - before;

    let expected = expected(image, samples);
    same(&launches, &expected, false);
    same(&found, &expected, true);
    as_without_a_stream(network, &found, samples);
    let hidden = (apart as f64 - both as f64) / transfer.min(run) as f64;
    let count = samples.len();
    eprintln!("{name}: {count} samples, transfers {transfer}, runs {run}, both {both} cycles: {hidden:.4} hidden");
    hidden
}

/// Networks that take longer than their samples' bytes with a host that never hesitates, and about as long and less long with one that
/// moves something in so many of a hundred cycles only.
#[test]
fn the_shorter_of_moving_and_running_is_hidden() {
    match side::open(&Side::new(Kind::Rtl)) {
        Ok(_) => {}
        Err(SideError::Rtl(CoreError::NotBuilt)) => return skip("there is no Verilated card in this build"),
        Err(error) => panic!("{error}"),
    }
    let mut least = f64::INFINITY;
    let mut case = |name: &str, network: &Network, image: &Image, samples: &[Vec<Spike>], pace| {
        let share = hidden(name, network, image, samples, pace);
        assert!(share >= 0.9, "{name}: {share}");
        least = least.min(share);
    };
    let network = yin_yang();
    let image = compiled(&network, 4, InputForm::Auto);
    case("yin-yang", &network, &image, &samples(&image, 40, 0.02, 1), None);
    for (name, inputs, neurons, probability, pace) in [
        ("longer run", 400, 160, 0.1, None),
        ("fast host", 3000, 10, 0.002, None),
        ("as long", 3000, 10, 0.002, Some(5)),
        ("longer transfer", 3000, 10, 0.002, Some(2)),
    ] {
        let network = sums(inputs, neurons, 12, "carried", "last");
        let image = compiled(&network, 4, InputForm::Bits);
        case(name, &network, &image, &samples(&image, 48, probability, 2), pace);
    }
    if let Some((network, samples)) = mnist(32) {
        let image = compiled(&network, 4, InputForm::Auto);
        case("MNIST", &network, &image, &samples, None);
    }
    eprintln!("{:.2} % of samples' transfers or runs hidden at least", 100.0 * least);
}
