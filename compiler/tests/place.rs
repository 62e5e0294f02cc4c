//! Where arrays live: layouts by cost, what happens when memories are small, and what rows hold, read back from the
//! memories' contents.

use fenn_compiler::backend::{CompileError, Options, compile};
use fenn_compiler::kernel::{Kernel, Slot, Stmt, Type};
use fenn_compiler::network::{
    Convolution, Delays, Encoding, Input, Network, Output, Phase, Population, Projection, Quantity, Readout, Recording,
    Source, Sparse, StatePolicy, Values, Variable, Weights, Window,
};
use fenn_compiler::place::{Home, Part, Placement, RowFormat, RowLayout, SparseRows, WeightMemory, place};
use fenn_isa::fixed::Format;
use fenn_isa::memory::{MachineConfig, Space};
use proptest::prelude::*;

/// Populations of these sizes, each with two variables and one event, and one input; every population is updated in order
/// after all projections.
fn network(input: u32, sizes: &[u32], saturating: bool, projections: Vec<Projection>) -> Network {
    let slot = |name: &str| Slot { name: name.to_owned(), ty: Type { format: Format::UNIT, saturating } };
    let population = |(index, size): (usize, &u32)| Population {
        name: format!("p{index}"),
        size: *size,
        kernel: Kernel {
            variables: vec![slot("A"), slot("B")],
            events: vec!["Spike".to_owned()],
            body: vec![Stmt::Emit(0)],
            ..Kernel::default()
        },
        variables: vec![Variable { initial: Values::Uniform(0), reset: true }; 2],
        parameters: vec![],
    };
    let propagates = (0..projections.len()).map(Phase::Propagate);
    Network {
        name: "placed".to_owned(),
        time_step_ms: None,
        steps: 4,
        state: StatePolicy::Reset,
        seed: 1,
        inputs: vec![Input { name: "input".to_owned(), size: input, encoding: Encoding::Spikes }],
        populations: sizes.iter().enumerate().map(population).collect(),
        schedule: propagates.chain((0..sizes.len()).map(Phase::Update)).collect(),
        projections,
        outputs: vec![Output { population: 0, quantity: Quantity::Variable(0), readout: Readout::Last }],
        recordings: vec![],
    }
}

fn projection(name: &str, source: Source, (target, variable): (usize, usize), weights: Weights) -> Projection {
    Projection { name: name.to_owned(), source, target, variable, weights, delays: Delays::None }
}

/// Every `apart`th pair.
fn sparse(sources: u32, targets: u32, apart: u32, weight: impl Fn(u32) -> i16) -> Weights {
    let row = |source: u32| {
        (0..targets)
            .filter(|target| (source + target).is_multiple_of(apart))
            .map(|target| (target, weight(target)))
            .collect()
    };
    Weights::Sparse(Sparse::from_rows((0..sources).map(row)))
}

fn dense(sources: u32, targets: u32) -> Weights {
    Weights::Dense((0..sources * targets).map(|index| (index % 7) as i16 - 3).collect())
}

fn placed(network: &Network, options: &Options) -> Placement {
    place(network, options).unwrap_or_else(|error| panic!("{error}"))
}

const INPUT: Source = Source::Input(0);

/// Two projections that see the same spikes are one bundle; their sparse rows are one, with the longest lane of both
/// together.
#[test]
fn projections_with_the_same_spikes_share_rows() {
    let weights = |targets| sparse(64, targets, 9, |_| 5);
    let two = vec![projection("a", INPUT, (0, 0), weights(320)), projection("b", INPUT, (1, 1), weights(64))];
    let placement = placed(&network(64, &[320, 64], true, two), &Options::default());
    let [bundle] = &placement.bundles[..] else { panic!("{:?}", placement.bundles) };
    assert_eq!(bundle.projections, [0, 1]);
    let [Part::Sparse(rows)] = &bundle.parts[..] else { panic!("{:?}", bundle.parts) };
    assert_eq!(rows.format, RowFormat::Constant(5));
    // As many as the fullest lane has synapses of both: where the fullest lanes differ, fewer than one after the other.
    let in_lane = |source: u32, lane: u32, targets: u32| {
        (0..targets).filter(|target| target % 32 == lane && (source + target).is_multiple_of(9)).count() as u32
    };
    let both = |source| (0..32).map(|lane| in_lane(source, lane, 320) + in_lane(source, lane, 64)).max().unwrap();
    assert_eq!(rows.longest, (0..64).map(both).max().unwrap());
    assert!(placement.populations.iter().all(|p| p.variables.iter().any(|home| matches!(home, Home::Lane { .. }))));
}

/// Sums that saturate depend on the order, so projections onto the same one stay apart; sums that wrap do not.
#[test]
fn only_the_order_of_saturating_sums_matters() {
    let two = || vec![projection("a", INPUT, (0, 0), dense(8, 40)), projection("b", INPUT, (0, 0), dense(8, 40))];
    assert_eq!(placed(&network(8, &[40], true, two()), &Options::default()).bundles.len(), 2);
    assert_eq!(placed(&network(8, &[40], false, two()), &Options::default()).bundles.len(), 1);
    // A projection in between that adds to another sum is no obstacle, one that adds to the same is.
    let three = |middle| {
        let source = Source::Events { population: 1, event: 0 };
        vec![
            projection("a", INPUT, (0, 0), dense(8, 40)),
            projection("m", source, (0, middle), dense(40, 40)),
            projection("b", INPUT, (1, 0), dense(8, 40)),
            projection("c", INPUT, (0, middle), dense(8, 40)),
        ]
    };
    let bundles = |middle| {
        let placement = placed(&network(8, &[40, 40], true, three(middle)), &Options::default());
        placement.bundles.iter().map(|bundle| bundle.projections.clone()).collect::<Vec<_>>()
    };
    assert_eq!(bundles(1), [vec![0, 2], vec![1], vec![3]], "c adds to what m adds to");
    assert_eq!(bundles(0), [vec![0, 2], vec![1], vec![3]], "so it does here, and to what a adds to");
}

/// Few targets are better reached one by one, many all at once.
#[test]
fn layouts_are_chosen_by_cost() {
    let one = |apart| {
        let weights = sparse(32, 640, apart, |target| target as i16);
        placed(&network(32, &[640], true, vec![projection("a", INPUT, (0, 0), weights)]), &Options::default())
    };
    let parts = |placement: &Placement| placement.bundles[0].parts[0].clone();
    assert!(matches!(parts(&one(50)), Part::Sparse(_)));
    assert!(matches!(parts(&one(1)), Part::Dense(_)));
    let choice = &one(50).choices[0];
    assert!(choice.others.iter().all(|other| other.cycles_per_spike >= choice.taken.cycles_per_spike), "{choice:?}");
}

/// Rows that do not fit into vector memory go to DRAM; those that gain least by the vector memory go first.
#[test]
fn what_does_not_fit_goes_to_dram() {
    let two = vec![
        projection("large", INPUT, (0, 0), dense(600, 320)),
        projection("small", Source::Events { population: 0, event: 0 }, (1, 0), dense(320, 32)),
    ];
    let network = network(600, &[320, 32], true, two);
    let spaces = |options: &Options| -> Vec<Space> {
        let placement = placed(&network, options);
        let parts = placement.bundles.iter().flat_map(|bundle| &bundle.parts);
        parts.map(|part| if let Part::Dense(rows) = part { rows.space } else { panic!("{part:?}") }).collect()
    };
    let kib = |vector_kib: u32| MachineConfig { vector_bytes: vector_kib << 10, ..MachineConfig::default() };
    let auto = |vector_kib| spaces(&Options { config: kib(vector_kib), ..Options::default() });
    assert_eq!(auto(512), [Space::Vector, Space::Vector]);
    assert_eq!(auto(128), [Space::Dram, Space::Vector]);
    assert_eq!(auto(8), [Space::Dram, Space::Dram]);
    assert_eq!(spaces(&Options { weights: WeightMemory::Dram, ..Options::default() }), [Space::Dram, Space::Dram]);
}

/// Where lane-local memory is too small for the variables of sparse rows, rows are dense instead, if they can be.
#[test]
fn small_lane_local_memories_take_less() {
    let config = MachineConfig { lane_local_bytes: 32, ..MachineConfig::default() };
    let options = Options { config, rows: RowLayout::Sparse, ..Options::default() };
    let two = |weights: fn() -> Weights| {
        vec![projection("a", INPUT, (0, 0), sparse(8, 480, 30, |_| 1)), projection("b", INPUT, (1, 0), weights())]
    };
    let kinds = |weights| {
        let placement = placed(&network(8, &[480, 320], true, two(weights)), &options);
        let parts = placement.bundles.iter().flat_map(|bundle| &bundle.parts);
        parts.map(|part| matches!(part, Part::Sparse(_))).collect::<Vec<_>>()
    };
    // 15 and 10 rows; there are 16.
    assert_eq!(kinds(|| sparse(8, 320, 30, |_| 1)), [false, true]);
    let twice = || Weights::Sparse(Sparse::from_rows((0..8).map(|_| vec![(3, 20_000), (3, -20_000)])));
    let error = place(&network(8, &[600, 320], true, vec![projection("b", INPUT, (0, 0), twice())]), &options);
    let error = error.unwrap_err();
    assert_eq!((error.space, error.needed, error.available), (Space::LaneLocal, 19 * 64, 16 * 64));
}

/// Each memory says what fills it and what to change.
#[test]
fn every_memory_that_is_too_small_says_what_to_change() {
    let board = MachineConfig::default();
    let delayed = |longest: u16| {
        let mut network = network(64, &[512], true, vec![projection("slow", INPUT, (0, 0), dense(64, 512))]);
        network.projections[0].delays =
            Delays::Ring((0..64 * 512).map(|index| (index % u32::from(longest)) as u16).collect());
        network
    };
    let plain = || network(64, &[512], true, vec![projection("all", INPUT, (0, 0), dense(64, 512))]);
    let recorded = || Network {
        steps: 400,
        recordings: vec![Recording { population: 0, quantity: Quantity::Event(0), window: Window::WHOLE }],
        ..plain()
    };
    let (vector, dram) = (WeightMemory::Vector, WeightMemory::Dram);
    let cases = [
        (
            recorded(),
            MachineConfig { scalar_bytes: 9000, ..board },
            vector,
            Space::Scalar,
            "p0.Spike spikes",
            "--window",
        ),
        (
            plain(),
            MachineConfig { vector_bytes: 4096, ..board },
            vector,
            Space::Vector,
            "all weights",
            "--weights auto",
        ),
        (plain(), MachineConfig { dram_bytes: 4096, ..board }, dram, Space::Dram, "all weights", "--dram-mib"),
        (delayed(100), board, vector, Space::LaneLocal, "p0.A, due later", "Shorten delays"),
    ];
    for (network, config, weights, space, largest, advice) in cases {
        let error = compile(&network, &Options { config, weights, ..Options::default() }).unwrap_err();
        let CompileError::DoesNotFit(error) = error else { panic!("{error}") };
        assert_eq!(error.space, space, "{error}");
        assert_eq!(error.largest[0].name, largest, "{error}");
        assert!(error.needed > error.available && error.to_string().contains(advice), "{error}");
    }
    let small = MachineConfig { instruction_bytes: 64, ..board };
    let error = compile(&plain(), &Options { config: small, ..Options::default() }).unwrap_err();
    assert!(matches!(error, CompileError::TooMuchCode { available: 16, .. }), "{error}");
}

/// The bytes of a memory when it is loaded.
fn contents(placement: &Placement, space: Space) -> Vec<u8> {
    let mut bytes = Vec::new();
    for segment in placement.segments.iter().filter(|segment| segment.space == space) {
        bytes.resize(segment.address as usize, 0);
        bytes.extend(&segment.bytes);
        bytes.resize((segment.address + segment.size) as usize, 0);
    }
    bytes
}

fn half(bytes: &[u8], at: u32) -> i16 {
    i16::from_le_bytes([bytes[at as usize], bytes[at as usize + 1]])
}

/// The synapses of row `row` as `(target neuron, weight)`, vector by vector and lane by lane.
fn read_row(placement: &Placement, rows: &SparseRows, first: u32, row: u32) -> Vec<(u32, i16)> {
    let (scalar, memory) = (contents(placement, Space::Scalar), contents(placement, rows.space));
    let word = |at: u32| u32::from_le_bytes(scalar[at as usize..at as usize + 4].try_into().unwrap());
    let (start, end) = (word(rows.table + 4 * row), word(rows.table + 4 * row + 4));
    let unit = rows.format.unit_bytes();
    let mut found = Vec::new();
    for vector in (start..end).step_by(unit as usize) {
        for lane in 0..32 {
            let number = half(&memory, vector + 2 * lane);
            let (address, weight) = match rows.format {
                RowFormat::Constant(weight) => (number, weight),
                RowFormat::Split => (number, half(&memory, vector + 64 + 2 * lane)),
                RowFormat::Packed { bits } => (number & ((1 << bits) - 1), number >> bits),
            };
            let padding = if matches!(rows.format, RowFormat::Packed { .. }) { weight == 0 } else { address < 0 };
            if !padding {
                let block = (address as u32 + rows.base) / 2 - first;
                found.push((32 * block + lane, weight));
            }
        }
    }
    found
}

/// A convolution from two channels of `[height, width]` to two, and the size of its target.
fn convolution([height, width]: [u32; 2], extent: u32, stride: u32, padding: u32, pool: u32) -> (Convolution, u32) {
    let size = |side: u32| ((side / pool + 2 * padding).saturating_sub(extent)) / stride + 1;
    let target = [2, size(height), size(width)];
    let kernel = (0..4 * extent * extent).map(|index| (index * 7 % 11) as i16 - 5).collect();
    let convolution = Convolution {
        kernel,
        extent: [extent; 2],
        source: [2, height, width],
        pool: [pool; 2],
        target,
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [1; 2],
        groups: 1,
    };
    (convolution, target.iter().product())
}

proptest! {
    /// What neurons share is, at each neuron's place, what the convolution is by its definition.
    #[test]
    fn shared_rows_hold_a_convolution(
        sides in (4..20u32, 4..20u32),
        (extent, stride, padding, pool) in (1..4u32, 1..3u32, 0..2u32, 1..3u32),
        weights in prop::sample::select(vec![WeightMemory::Vector, WeightMemory::Dram]),
    ) {
        let (kernel, size) = convolution([sides.0, sides.1], extent, stride, padding, pool);
        let (sources, shape) = (kernel.source.iter().product(), kernel.target);
        let kernel = Weights::Convolution(kernel);
        let one = vec![projection("a", INPUT, (0, 1), kernel.clone())];
        let options = Options { rows: RowLayout::Shared, weights, ..Options::default() };
        let placement = placed(&network(sources, &[size], true, one), &options);
        // Rows that are too irregular are sparse or dense; most are not.
        if let [Part::Shared(rows)] = &placement.bundles[0].parts[..] {
            let Home::Lane { row: home } = placement.populations[0].variables[1] else { panic!("not in the lanes") };
            let (scalar, memory) = (contents(&placement, Space::Scalar), contents(&placement, rows.space));
            let word = |at: u32| u32::from_le_bytes(scalar[at as usize..at as usize + 4].try_into().unwrap());
            for source in 0..sources {
                let (row, first) = (word(rows.table + 8 * source), word(rows.table + 8 * source + 4));
                let mut found = Vec::new();
                for (vector, distance) in (0..).zip(&rows.distances) {
                    let block = (first + distance) / 2 - home;
                    let codes = (0..32).map(|lane| (32 * block + lane, half(&memory, row + 64 * vector + 2 * lane)));
                    found.extend(codes.filter(|(_, weight)| *weight != 0));
                }
                let mut expected = Vec::new();
                kernel.row(source, size, |synapse| expected.push((synapse.target, synapse.weight)));
                expected.retain(|(_, weight)| *weight != 0);
                prop_assert_eq!(found, expected, "neuron {}", source);
            }
        } else {
            let [_, height, width] = shape;
            prop_assert!(height * width % 32 != 0 || 32 % width != 0, "{}x{}: regular grids are shared", height, width);
        }
    }

    /// Each row holds its synapses but for weights of 0, those of a target in their order, in as few vectors as its
    /// fullest lane asks for.
    #[test]
    fn rows_hold_their_synapses(
        rows in prop::collection::vec(prop::collection::vec((0..200u32, -9..9i16), 0..60), 1..20),
        constant: bool,
        layout in prop::sample::select(vec![RowLayout::Sparse, RowLayout::Split, RowLayout::Packed]),
        weights in prop::sample::select(vec![WeightMemory::Vector, WeightMemory::Dram]),
    ) {
        let code = |weight| if constant { 4 } else { weight };
        let rows: Vec<Vec<(u32, i16)>> =
            rows.into_iter().map(|row| row.into_iter().map(|(target, weight)| (target, code(weight))).collect()).collect();
        let sparse = Sparse::from_rows(rows);
        let sources = sparse.starts.len() as u32 - 1;
        let one = vec![projection("a", INPUT, (0, 1), Weights::Sparse(sparse.clone()))];
        let options = Options { rows: layout, weights, ..Options::default() };
        let placement = placed(&network(sources, &[200], true, one), &options);
        let Home::Lane { row: first } = placement.populations[0].variables[1] else { panic!("not in the lanes") };
        let [Part::Sparse(placed)] = &placement.bundles[0].parts[..] else { panic!("not sparse") };
        for row in 0..sources {
            let range = sparse.row(row);
            let synapses = sparse.targets[range.clone()].iter().copied().zip(sparse.weights[range].iter().copied());
            let expected: Vec<(u32, i16)> = synapses.filter(|(_, weight)| *weight != 0).collect();
            let mut found = read_row(&placement, placed, first, row);
            let fullest = (0..32).map(|lane| expected.iter().filter(|(target, _)| target % 32 == lane).count()).max();
            let scalar = contents(&placement, Space::Scalar);
            let word = |at: u32| u32::from_le_bytes(scalar[at as usize..at as usize + 4].try_into().unwrap());
            let bytes = word(placed.table + 4 * row + 4) - word(placed.table + 4 * row);
            prop_assert_eq!(bytes / placed.format.unit_bytes(), fullest.unwrap_or(0) as u32);
            // Stable: what a target gets stays in its order.
            found.sort_by_key(|(target, _)| *target);
            prop_assert_eq!(found, expected);
        }
    }
}
