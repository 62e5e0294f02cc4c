//! What is reckoned of a program, against what the simulator counts: within 5 % for each part of a step (12 % where rows come from
//! DRAM), where spikes are as few as the estimate takes them to be.

use fenn_compiler::backend::{Options, compile};
use fenn_compiler::contract::InputForm;
use fenn_compiler::description::{self, parse};
use fenn_compiler::network::{Delays, Network, Phase, Projection, Source, Sparse, Weights};
use fenn_compiler::place::{DelayCosts, RowLayout, WeightMemory};
use fenn_isa::image::manifest::InputSpikes;
use fenn_isa::memory::Space;
use fenn_iss::observe::profile::Profiler;
use fenn_iss::{Limits, Machine, Options as MachineOptions, Stop};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

const STEPS: u32 = 200;
/// The part of what the simulator counts that an estimate may be off by.
const TOLERANCE: f64 = 0.05;
/// The same where rows come from DRAM.
const TOLERANCE_FAR: f64 = 0.12;

/// `inputs` neurons onto a population of `size` that runs `equations`.
fn network(inputs: u32, size: u32, equations: &str, weights: Weights, delays: Delays) -> Network {
    let text = format!(
        "name = \"test\"\nsteps = {STEPS}\nstate = \"reset\"\n[[input]]\nname = \"in\"\nsize = {inputs}\n[[population]]\n\
         name = \"cells\"\nsize = {size}\nevents = [\"Spike\"]\nequations = '''{equations}'''\n[population.variables]\n\
         I = {{ type = \"s5_10_sat_t\" }}\nV = {{ type = \"s5_10_sat_t\" }}\n[[output]]\npopulation = \"cells\"\n\
         variable = \"V\"\n"
    );
    let described = parse(&text, "test.toml", ".".as_ref(), &description::Options::default());
    let mut network = described.unwrap_or_else(|remarks| panic!("{}", remarks.render(false))).network;
    let source = Source::Input(0);
    network.projections =
        vec![Projection { name: "weights".to_owned(), source, target: 0, variable: 0, weights, delays }];
    network.schedule = vec![Phase::Propagate(0), Phase::Update(0)];
    network
}

const LEAKY: &str = "V = (0.9h10 * V) + I; I = 0.0h10; if (V >= 1.0h10) { Spike(); V = 0.0h10; }";

/// Runs the network with about one neuron in `seldom` spiking in a step, and compares each part.
#[track_caller]
fn check(network: &Network, options: &Options, seldom: u32, tolerance: f64) {
    let compiled = compile(network, options).unwrap_or_else(|error| panic!("{error}"));
    let manifest = compiled.image.manifest.as_ref().unwrap();
    let mut machine = Machine::from_image(&compiled.image, MachineOptions::default()).unwrap();
    let mut numbers = Pcg32::seed_from_u64(1);
    let size = network.inputs[0].size;
    let mut train = || (0..size).filter(|_| numbers.next_u32() % seldom == 0).collect::<Vec<u32>>();
    let train: Vec<Vec<u32>> = (0..STEPS).map(|_| train()).collect();
    let spikes: usize = train.iter().map(Vec::len).sum();
    let (address, words) = match &manifest.inputs[0].spikes {
        InputSpikes::Bits(array) => {
            let mut words = vec![0_u32; (array.words * array.steps) as usize];
            for (step, neurons) in train.iter().enumerate() {
                neurons.iter().for_each(|n| words[step * array.words as usize + *n as usize / 32] |= 1 << (n % 32));
            }
            (array.address, words)
        }
        InputSpikes::List(list) => {
            let mut words = Vec::new();
            for neurons in &train {
                let end = words.len() as u32 + 1 + neurons.len() as u32;
                words.push(list.address + 4 * end);
                words.extend(neurons.iter().map(|neuron| list.base + list.scale * neuron));
            }
            (list.address, words)
        }
    };
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    machine.write(Space::Scalar, address, &bytes).unwrap();
    let mut profiler = Profiler::new();
    let outcome = machine.run(Limits { instructions: Some(10_000_000), ..Limits::default() }, &mut profiler);
    assert!(matches!(outcome.stop, Stop::Ecall { .. }), "{:?}", outcome.stop);
    let counted = profiler.report(&compiled.image);
    assert_eq!(compiled.report.estimates.len(), 2);
    for estimate in &compiled.report.estimates {
        let symbol = counted.symbols.iter().find(|symbol| symbol.name.as_deref() == Some(&estimate.part));
        let found = symbol.unwrap().cost.cycles as f64;
        assert_eq!(estimate.spike.is_some(), estimate.part.starts_with("propagate_"), "{estimate:?}");
        let spikes = spikes as f64 * estimate.cycles_per_spike().unwrap_or(0.0);
        let reckoned = f64::from(STEPS) * estimate.step.cycles + spikes;
        let off = (reckoned - found) / found;
        assert!(off.abs() <= tolerance, "{reckoned:.0} cycles reckoned, {found:.0} counted: {estimate:?}");
    }
}

/// Rows of `length` synapses with weights from -20 to 19.
fn sparse(sources: u32, targets: u32, length: u32) -> Sparse {
    let mut numbers = Pcg32::seed_from_u64(2);
    let mut synapse = || (numbers.next_u32() % targets, (numbers.next_u32() % 40) as i16 - 20);
    let rows: Vec<Vec<(u32, i16)>> = (0..sources).map(|_| (0..length).map(|_| synapse()).collect()).collect();
    Sparse::from_rows(rows)
}

#[test]
fn dense_rows_and_spikes_as_bits() {
    let weights = Weights::Dense((0..512 * 200).map(|index: i32| (index % 31 - 15) as i16).collect());
    let network = network(512, 200, LEAKY, weights, Delays::None);
    check(&network, &Options { input: InputForm::Bits, ..Options::default() }, 400, TOLERANCE);
}

#[test]
fn sparse_rows_and_a_list_of_spikes() {
    let network = network(300, 2000, LEAKY, Weights::Sparse(sparse(300, 2000, 150)), Delays::None);
    let options = Options {
        input: InputForm::List(Some(4000)),
        rows: RowLayout::Split,
        weights: WeightMemory::Vector,
        ..Options::default()
    };
    check(&network, &options, 30, TOLERANCE);
}

#[test]
fn a_ring_of_sums() {
    let weights = sparse(256, 256, 40);
    let delays = (0..weights.targets.len()).map(|index| (index % 12) as u16).collect();
    let network = network(256, 256, LEAKY, Weights::Sparse(weights), Delays::Ring(delays));
    check(&network, &Options { weights: WeightMemory::Vector, ..Options::default() }, 200, TOLERANCE);
}

#[test]
fn synapses_sorted_by_delay() {
    let weights = sparse(512, 256, 40);
    let delays = (0..weights.targets.len()).map(|index| (index % 12) as u16).collect();
    let network = network(512, 256, LEAKY, Weights::Sparse(weights), Delays::Sorted(delays));
    check(&network, &Options { weights: WeightMemory::Vector, ..Options::default() }, 400, TOLERANCE);
}

/// What the estimate is for: the transfer, not the core, is what a spike waits for.
#[test]
fn rows_that_come_from_dram() {
    let weights = Weights::Dense((0..64 * 512).map(|index: i32| (index % 31 - 15) as i16).collect());
    let network = network(64, 512, LEAKY, weights, Delays::None);
    let options = Options { input: InputForm::Bits, weights: WeightMemory::Dram, ..Options::default() };
    let compiled = compile(&network, &options).unwrap_or_else(|error| panic!("{error}"));
    let estimate = &compiled.report.estimates[0];
    let (spike, transfer) = (estimate.spike.unwrap().cycles, estimate.transfer.unwrap());
    // 16 vectors of 64 bytes at 16 bytes a cycle, 10 cycles later.
    assert!((74.0..90.0).contains(&transfer), "{estimate:?}");
    assert!(spike < transfer && estimate.cycles_per_spike() == Some(transfer), "{estimate:?}");
    assert!(estimate.why().contains("DRAM"), "{}", estimate.why());
    // The row of a step's last spike is added when no other is on its way.
    for seldom in [60, 20, 8, 3] {
        check(&network, &options, seldom, TOLERANCE_FAR);
    }
}

/// The form of delays that is chosen by cost is the one whose code is reckoned to take less, unless the two are within a fifth of
/// each other; each is chosen at least once.
#[test]
fn delays_in_the_form_that_takes_less() {
    let options = Options { input: InputForm::Bits, weights: WeightMemory::Vector, ..Options::default() };
    let mut chosen = [0; 2];
    for (sources, targets, length, longest) in [
        (32, 512, 20, 2),
        (64, 1024, 30, 3),
        (512, 64, 20, 16),
        (256, 256, 40, 30),
        (128, 128, 60, 60),
        (700, 128, 10, 8),
    ] {
        let weights = sparse(sources, targets, length);
        let delays: Vec<u16> = (0..weights.targets.len()).map(|index| (index % longest) as u16).collect();
        let weights = Weights::Sparse(weights);
        let costs = DelayCosts::of(&weights, &delays, sources, targets);
        let cycles = |delays| {
            let network = network(sources, targets, LEAKY, weights.clone(), delays);
            let compiled = compile(&network, &options).unwrap_or_else(|error| panic!("{error}"));
            let estimates = &compiled.report.estimates;
            let steps: f64 = estimates.iter().map(|estimate| estimate.step.cycles).sum();
            steps + f64::from(sources) / 100.0 * estimates[0].cycles_per_spike().unwrap()
        };
        let (ring, sorted) = (cycles(Delays::Ring(delays.clone())), cycles(Delays::Sorted(delays.clone())));
        let takes_ring = matches!(costs.cheaper(delays), Delays::Ring(_));
        chosen[usize::from(takes_ring)] += 1;
        let close = (ring - sorted).abs() < 0.2 * ring.min(sorted);
        assert!(close || takes_ring == (ring < sorted), "ring {ring:.0}, sorted {sorted:.0}: {costs:?}");
    }
    assert!(chosen.iter().all(|count| *count > 0), "{chosen:?}");
}

/// A ring that does not fit is not chosen, whatever it costs.
#[test]
fn delays_that_no_ring_holds_are_sorted() {
    let weights = sparse(512, 1024, 40);
    let delays: Vec<u16> = (0..weights.targets.len()).map(|index| (index % 40) as u16).collect();
    let costs = DelayCosts::of(&Weights::Sparse(weights), &delays, 512, 1024);
    // 32 vectors, 40 steps: 1280 sums, and the next power of two.
    assert_eq!(costs.half_words, 2048);
    assert!(!costs.ring_fits() && costs.ring < costs.sorted, "{costs:?}");
    assert!(matches!(costs.cheaper(delays), Delays::Sorted(_)));
    assert!(costs.why().contains("more than the 512 that a ring may take"), "{}", costs.why());
}

/// Nobody knows how often a loop of the equations turns; the estimate says what it takes that to be.
#[test]
fn loops_that_depend_on_data_are_told() {
    let weights = || Weights::Dense(vec![1; 32 * 40]);
    let estimate = |equations: &str| {
        let network = network(32, 40, equations, weights(), Delays::None);
        let compiled = compile(&network, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
        compiled.report.estimates.into_iter().find(|estimate| estimate.part == "update_cells").unwrap()
    };
    let straight = estimate(LEAKY);
    assert!(!straight.open && !straight.why().contains("turns once"), "{straight:?}");
    let open = estimate("V = V + I; I = 0.0h10; while (V > 1.0h10) { V = V - 1.0h10; }");
    assert!(open.open && open.why().ends_with("if each loop that depends on data turns once"), "{}", open.why());
}
