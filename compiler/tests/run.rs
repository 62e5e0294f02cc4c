//! Compiled networks compute what the network means: the program on the instruction-set simulator against the
//! [`Interpreter`], which shares no code with the back end.

use fenn_compiler::backend::{Options, compile};
use fenn_compiler::contract::InputForm;
use fenn_compiler::interpret::{Interpreter, Run, SpikeTrain};
use fenn_compiler::kernel::{BinaryOp, CompareOp, Cond, Expr, Kernel, Place, Rounding, Slot, Stmt, Type};
use fenn_compiler::network::{
    Convolution, Delays, Encoding, Input, Network, Phase, Population, Projection, Quantity, Recording, Source, Sparse,
    StatePolicy, Values, Variable, Weights, Window,
};
use fenn_compiler::place::{RowLayout, WeightMemory};
use fenn_isa::fixed::Format;
use fenn_isa::image::Image;
use fenn_isa::image::manifest::{Data, InputSpikes, SpikeArray, SpikeList, ValueArray};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_iss::{Limits, Machine, Options as MachineOptions, Stop};
use proptest::prelude::*;
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// Three variables of different kinds, three parameters, two locals, two events.
const VARIABLES: usize = 3;
const PARAMETERS: usize = 3;
const LOCALS: usize = 2;
const EVENTS: usize = 2;

fn leaf() -> impl Strategy<Value = Expr> {
    prop_oneof![
        prop_oneof![Just(0i16), Just(1), Just(i16::MIN), Just(i16::MAX), any::<i16>()].prop_map(Expr::Constant),
        (0..VARIABLES).prop_map(Expr::Variable),
        (0..PARAMETERS).prop_map(Expr::Parameter),
        (0..LOCALS).prop_map(Expr::Local),
        Just(Expr::Random),
    ]
}

fn rounding() -> impl Strategy<Value = Rounding> {
    prop_oneof![Just(Rounding::Zero), Just(Rounding::Nearest), Just(Rounding::Stochastic)]
}

fn compare(expr: impl Strategy<Value = Expr> + Clone) -> impl Strategy<Value = Cond> {
    let op = prop_oneof![
        Just(CompareOp::Equal),
        Just(CompareOp::NotEqual),
        Just(CompareOp::Less),
        Just(CompareOp::LessEqual),
        Just(CompareOp::Greater),
        Just(CompareOp::GreaterEqual)
    ];
    (op, expr.clone(), expr).prop_map(|(op, left, right)| Cond::Compare { op, left, right })
}

fn condition(expr: impl Strategy<Value = Expr> + Clone + 'static) -> impl Strategy<Value = Cond> {
    compare(expr).prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Cond::And(a.into(), b.into())),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Cond::Or(a.into(), b.into())),
            inner.prop_map(|a| Cond::Not(a.into())),
        ]
    })
}

/// Sums saturate throughout or wrap throughout, as the slots' types do.
fn expr(saturating: bool) -> impl Strategy<Value = Expr> + Clone {
    leaf().prop_recursive(3, 12, 2, move |inner| {
        let sums = match saturating {
            true => [BinaryOp::AddSaturating, BinaryOp::SubSaturating],
            false => [BinaryOp::Add, BinaryOp::Sub],
        };
        let op = prop::sample::select(vec![sums[0], sums[1], BinaryOp::And]);
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (op, inner.clone(), inner.clone()).prop_map(|(op, left, right)| Expr::Binary {
                op,
                left: left.into(),
                right: right.into()
            }),
            (two, 0..16u8, rounding(), any::<bool>()).prop_map(|((left, right), shift, rounding, saturating)| {
                Expr::Multiply { left: left.into(), right: right.into(), shift, rounding, saturating }
            }),
            (inner.clone(), 0..16u8).prop_map(|(value, shift)| Expr::ShiftLeft { value: value.into(), shift }),
            (inner.clone(), 0..16u8, rounding()).prop_map(|(value, shift, rounding)| Expr::ShiftRight {
                value: value.into(),
                shift,
                rounding
            }),
            (compare(inner.clone()), inner.clone(), inner).prop_map(|(condition, then, otherwise)| Expr::Select {
                condition: condition.into(),
                then: then.into(),
                otherwise: otherwise.into()
            }),
        ]
    })
}

fn statement(saturating: bool) -> impl Strategy<Value = Stmt> {
    let place = prop_oneof![(0..VARIABLES).prop_map(Place::Variable), (0..LOCALS).prop_map(Place::Local)];
    let simple = prop_oneof![
        4 => (place, expr(saturating)).prop_map(|(place, value)| Stmt::Assign { place, value }),
        1 => (0..EVENTS).prop_map(Stmt::Emit),
    ];
    simple.prop_recursive(2, 8, 3, move |inner| {
        let block = prop::collection::vec(inner, 0..3);
        (condition(expr(saturating)), block.clone(), block).prop_map(|(condition, then, otherwise)| Stmt::If {
            condition,
            then,
            otherwise,
        })
    })
}

fn kernel() -> impl Strategy<Value = Kernel> {
    let body = any::<bool>().prop_flat_map(|sat| (Just(sat), prop::collection::vec(statement(sat), 1..7)));
    body.prop_map(|(saturating, mut body)| {
        let ty = Type { format: Format::new(9).unwrap(), saturating };
        let slot = |prefix: &str, index: usize| Slot { name: format!("{prefix}{index}"), ty };
        // Locals are to be assigned before they are read.
        body.splice(
            0..0,
            (0..LOCALS).map(|index| Stmt::Assign { place: Place::Local(index), value: Expr::Variable(index) }),
        );
        Kernel {
            variables: (0..VARIABLES).map(|index| slot("V", index)).collect(),
            parameters: (0..PARAMETERS).map(|index| slot("P", index)).collect(),
            events: (0..EVENTS).map(|index| format!("E{index}")).collect(),
            locals: (0..LOCALS).map(|index| slot("L", index)).collect(),
            body,
        }
    })
}

fn values(size: u32) -> impl Strategy<Value = Values> {
    prop_oneof![
        any::<i16>().prop_map(Values::Uniform),
        prop::collection::vec(any::<i16>(), size as usize).prop_map(Values::PerNeuron)
    ]
}

fn population(index: usize) -> impl Strategy<Value = Population> {
    prop_oneof![Just(1u32), 2..32u32, Just(32), 33..200u32].prop_flat_map(move |size| {
        let variables = prop::collection::vec((values(size), any::<bool>()), VARIABLES);
        let parameters = prop::collection::vec(values(size), PARAMETERS);
        (kernel(), variables, parameters).prop_map(move |(kernel, variables, parameters)| Population {
            name: format!("population {index}"),
            size,
            kernel,
            variables: variables.into_iter().map(|(initial, reset)| Variable { initial, reset }).collect(),
            parameters,
        })
    })
}

/// Numbers that follow from a seed: proptest chooses seeds and shapes rather than thousands of weights.
struct Numbers(Pcg32);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(Pcg32::seed_from_u64(seed))
    }

    fn below(&mut self, bound: u32) -> u32 {
        (u64::from(self.0.next_u32()) * u64::from(bound) >> 32) as u32
    }
}

/// What weights are like.
#[derive(Debug, Clone, Copy)]
enum Codes {
    /// All the same.
    Constant(i16),
    /// From a range around 0.
    Within(u32),
}

impl Codes {
    fn draw(self, numbers: &mut Numbers) -> i16 {
        match self {
            Self::Constant(code) => code,
            Self::Within(range) => (numbers.below(2 * range + 1) as i32 - range as i32) as i16,
        }
    }
}

fn codes() -> impl Strategy<Value = Codes> {
    prop_oneof![
        (-300..300i16).prop_map(Codes::Constant),
        // 5 bits, some more, and nearly all: these saturate.
        Just(Codes::Within(15)),
        Just(Codes::Within(300)),
        Just(Codes::Within(32_767)),
    ]
}

/// How two populations are joined, before their sizes are known.
#[derive(Debug, Clone)]
struct Join {
    form: u8,
    codes: Codes,
    /// Synapses per source neuron: a percentage of the targets, more than 100 of which occur more than once.
    density: u32,
    delay: u8,
    longest: u32,
    seed: u64,
}

fn join() -> impl Strategy<Value = Join> {
    let density = prop_oneof![Just(0u32), 1..12u32, 12..120u32, 500..5000u32];
    (0..4u8, codes(), density, 0..5u8, 0..9u32, any::<u64>())
        .prop_map(|(form, codes, density, delay, longest, seed)| Join { form, codes, density, delay, longest, seed })
}

impl Join {
    fn weights(&self, source: u32, target: u32, numbers: &mut Numbers) -> Weights {
        let mut draw = |count: u32| -> Vec<i16> { (0..count).map(|_| self.codes.draw(numbers)).collect() };
        match self.form {
            0 => Weights::Dense(draw(source * target)),
            1 if source == target => Weights::OneToOne(draw(source)),
            _ => Weights::Sparse(Sparse::from_rows((0..source).map(|_| {
                // Some rows are empty, and some have one synapse.
                let most = (target * self.density / 100).min(700);
                let count = if numbers.below(4) == 0 { numbers.below(2) } else { numbers.below(most + 1) };
                (0..count).map(|_| (numbers.below(target), self.codes.draw(numbers))).collect()
            }))),
        }
    }

    fn delays(&self, weights: &Weights, numbers: &mut Numbers) -> Delays {
        let mut each = || weights.codes().iter().map(|_| numbers.below(self.longest + 1) as u16).collect();
        match self.delay {
            1 => Delays::Uniform(self.longest),
            2 if !matches!(weights, Weights::Convolution(_)) => Delays::Ring(each()),
            3 if !matches!(weights, Weights::Convolution(_)) => Delays::Sorted(each()),
            _ => Delays::None,
        }
    }
}

/// A convolution that joins two grids; the target's size follows.
fn convolution() -> impl Strategy<Value = Convolution> {
    let two = |range: std::ops::Range<u32>| [range.clone(), range];
    let shape = (1..3u32, 1..4u32, two(1..8), two(1..4), two(1..3));
    (shape, two(1..3), two(0..3), two(1..3), codes(), any::<u64>()).prop_map(
        |((groups, channels, [height, width], extent, pool), stride, padding, dilation, codes, seed)| {
            let grid = [height, width];
            let size = |axis: usize| {
                let (pooled, seen) = (grid[axis] / pool[axis] + 2 * padding[axis], dilation[axis] * (extent[axis] - 1));
                pooled.saturating_sub(seen + 1) / stride[axis] + 1
            };
            let source = [groups * channels, height, width];
            let target = [groups * 2, size(0), size(1)];
            let mut numbers = Numbers::new(seed);
            let kernel = (0..target[0] * channels * extent[0] * extent[1]).map(|_| codes.draw(&mut numbers)).collect();
            Convolution { kernel, extent, source, pool, target, stride, padding, dilation, groups }
        },
    )
}

fn sized(mut population: Population, size: u32) -> Population {
    let resize = |values: &mut Values| {
        if let Values::PerNeuron(codes) = values {
            let first = codes[0];
            codes.resize(size as usize, first);
        }
    };
    population.variables.iter_mut().for_each(|variable| resize(&mut variable.initial));
    population.parameters.iter_mut().for_each(resize);
    population.size = size;
    population
}

fn network() -> impl Strategy<Value = Network> {
    let order = Just([
        Phase::Propagate(0),
        Phase::Propagate(1),
        Phase::Propagate(2),
        Phase::Propagate(3),
        Phase::Propagate(4),
        Phase::Update(0),
        Phase::Update(1),
    ])
    .prop_shuffle();
    let grid = prop::option::weighted(0.3, convolution());
    let joins = prop::collection::vec(join(), 5);
    let flags = prop::collection::vec(any::<bool>(), 9);
    let parts = (1..100u32, flags, population(0), population(1), any::<u64>());
    (parts, grid, joins, order).prop_map(|((input, flags, first, second, seed), grid, joins, order)| {
        let (input, first) = match &grid {
            Some(grid) => (grid.source.iter().product(), sized(first, grid.target.iter().product())),
            None => (input, first),
        };
        // One-to-one weights need equal sizes.
        let second = if flags[8] { sized(second, first.size) } else { second };
        build(input, &flags, [first, second], seed, &joins, grid, &order)
    })
}

fn build(
    input: u32,
    flags: &[bool],
    mut populations: [Population; 2],
    seed: u64,
    joins: &[Join],
    grid: Option<Convolution>,
    order: &[Phase],
) -> Network {
    let state = if flags[0] { StatePolicy::Reset } else { StatePolicy::Carried };
    if flags[0] {
        populations.iter_mut().flat_map(|p| &mut p.variables).for_each(|variable| variable.reset = true);
    }
    let (of_first, of_second) = (0, 1);
    // From where, onto which variable of which population: two share a source, two a sum, two a source and a population.
    let ends = [
        (Source::Input(0), of_first, 0),
        (Source::Events { population: of_first, event: 0 }, of_second, 1),
        (Source::Events { population: of_second, event: 1 }, of_first, 1),
        (Source::Events { population: of_first, event: 0 }, of_first, 0),
        (Source::Input(0), of_second, 2),
    ];
    let projections = joins.iter().zip(ends).enumerate().map(|(index, (join, (source, target, variable)))| {
        let from = match source {
            Source::Input(_) => input,
            Source::Events { population, .. } => populations[population].size,
        };
        let mut numbers = Numbers::new(join.seed);
        let weights = match &grid {
            Some(grid) if index == 0 => Weights::Convolution(grid.clone()),
            _ => join.weights(from, populations[target].size, &mut numbers),
        };
        let delays = join.delays(&weights, &mut numbers);
        Projection { name: format!("projection {index}"), source, target, variable, weights, delays }
    });
    let projections = projections.collect();
    let mut recordings = Vec::new();
    for population in 0..2 {
        let quantities = [Quantity::Variable(0), Quantity::Variable(2), Quantity::Event(0)];
        let kept = quantities.into_iter().zip(&flags[1 + 3 * population..]).filter(|(_, keep)| **keep);
        recordings.extend(kept.map(|(quantity, _)| Recording { population, quantity, window: Window::WHOLE }));
    }
    Network {
        name: "random".to_owned(),
        time_step_ms: None,
        steps: 5,
        state,
        seed,
        inputs: vec![Input { name: "input".to_owned(), size: input, encoding: Encoding::Spikes }],
        populations: populations.into(),
        projections,
        schedule: order.to_vec(),
        outputs: Vec::new(),
        recordings,
    }
}

/// Pseudo-random input spikes, about a fifth of all.
fn spikes(size: u32, steps: u32, salt: u32) -> SpikeTrain {
    let spikes = |step: u32, n: u32| (n ^ step << 7 ^ salt << 15).wrapping_mul(2_654_435_761).wrapping_add(salt) >> 16;
    SpikeTrain::new((0..steps).map(|step| (0..size).filter(|n| spikes(step, *n) % 5 == 0).collect()).collect())
}

fn write_spikes(machine: &mut Machine, input: &InputSpikes, train: &SpikeTrain) {
    let array = match input {
        InputSpikes::Bits(array) => array,
        InputSpikes::List(list) => return write_list(machine, list, train),
    };
    let mut words = vec![0u32; (array.words * array.steps) as usize];
    for (step, neurons) in train.steps().iter().enumerate() {
        neurons.iter().for_each(|n| words[step * array.words as usize + *n as usize / 32] |= 1 << (n % 32));
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    machine.write(Space::Scalar, array.address, &bytes).unwrap();
}

fn write_list(machine: &mut Machine, list: &SpikeList, train: &SpikeTrain) {
    let mut at = list.address;
    for neurons in train.steps() {
        let behind = at + 4 + 4 * neurons.len() as u32;
        assert!(behind <= list.address + list.sample_bytes, "the list is too short");
        let entries = neurons.iter().map(|neuron| list.base + list.scale * neuron);
        let bytes: Vec<u8> = std::iter::once(behind).chain(entries).flat_map(u32::to_le_bytes).collect();
        machine.write(Space::Scalar, at, &bytes).unwrap();
        at = behind;
    }
}

fn read_spikes(machine: &Machine, array: &SpikeArray) -> SpikeTrain {
    let mut bytes = vec![0; 4 * (array.words * array.steps) as usize];
    machine.read(Space::Scalar, array.address, &mut bytes).unwrap();
    let words: Vec<u32> = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
    let neurons =
        |words: &[u32]| (0..32 * words.len() as u32).filter(|n| words[*n as usize / 32] >> (n % 32) & 1 == 1).collect();
    SpikeTrain::new(words.chunks_exact(array.words as usize).map(neurons).collect())
}

fn read_values(machine: &Machine, array: &ValueArray, neurons: u32) -> Vec<Vec<i16>> {
    let code = |step: u32, n: u32| {
        let address = array.address + step * array.step_stride + n / 32 * array.stride + 2 * (n % 32);
        let mut bytes = [0; 2];
        machine.read(Space::Vector, address, &mut bytes).unwrap();
        i16::from_le_bytes(bytes)
    };
    (0..array.steps).map(|step| (0..neurons).map(|n| code(step, n)).collect()).collect()
}

fn compare_run(network: &Network, image: &Image, machine: &Machine, expected: &Run, run: usize) {
    let manifest = image.manifest.as_ref().unwrap();
    for (recording, described) in network.recordings.iter().zip(&manifest.recordings) {
        let place = format!("run {run}, {}.{}", described.population, described.name);
        match (&described.data, recording.quantity) {
            (Data::Spikes(array), Quantity::Event(event)) => {
                assert_eq!(read_spikes(machine, array), expected.events[recording.population][event], "{place}");
            }
            (Data::Values(array), Quantity::Variable(variable)) => {
                let trace = expected.traces[recording.population][variable].as_ref().unwrap();
                assert_eq!(&read_values(machine, array, described.neurons), trace, "{place}");
            }
            other => panic!("{place}: {other:?}"),
        }
    }
}

/// Every variable at the end of a run, through the placement's symbols being in the manifest only for outputs: so each
/// variable is made an output first.
fn with_all_outputs(mut network: Network) -> Network {
    use fenn_compiler::network::{Output, Readout};
    for population in 0..network.populations.len() {
        for variable in 0..VARIABLES {
            let quantity = Quantity::Variable(variable);
            network.outputs.push(Output { population, quantity, readout: Readout::Last });
        }
    }
    network
}

/// In bits and as a list.
fn check(network: Network, ready_flag: bool) {
    let network = with_all_outputs(network);
    for input in [InputForm::Bits, InputForm::List(None)] {
        check_with(&network, &Options { ready_flag, input, ..Options::default() });
    }
}

fn check_with(network: &Network, options: &Options) {
    let compiled = compile(network, options).unwrap_or_else(|error| panic!("{error}"));
    let image = &compiled.image;
    let manifest = image.manifest.as_ref().unwrap();
    let mut machine = Machine::from_image(image, MachineOptions { strict: true, ..MachineOptions::default() }).unwrap();
    let mut interpreter = Interpreter::new(network).unwrap();
    for run in 0..3 {
        let train = spikes(network.inputs[0].size, network.steps, run as u32);
        write_spikes(&mut machine, &manifest.inputs[0].spikes, &train);
        let entries = &manifest.entry_points;
        let entry = if run == 0 { entries.first() } else { entries.last() };
        machine.state_mut().pc = entry.unwrap().address;
        let outcome = machine.run(Limits { instructions: Some(10_000_000), ..Limits::default() }, &mut ());
        let ended = if options.ready_flag { Stop::ReadyFlag { pc: 0 } } else { Stop::Ecall { pc: 0 } };
        assert_eq!(std::mem::discriminant(&outcome.stop), std::mem::discriminant(&ended), "{:?}", outcome.stop);
        let expected = interpreter.run(&[train]).unwrap();
        compare_run(network, image, &machine, &expected, run);
        for (output, described) in network.outputs.iter().zip(&manifest.outputs) {
            let (Data::Values(array), Quantity::Variable(variable)) = (&described.data, output.quantity) else {
                panic!("only variables are outputs here");
            };
            let values = read_values(&machine, array, described.neurons).pop().unwrap();
            assert_eq!(
                values, expected.finals[output.population][variable],
                "run {run}, {} {variable}",
                described.name
            );
        }
    }
}

fn options() -> impl Strategy<Value = Options> {
    let weights = prop_oneof![
        2 => Just(WeightMemory::Auto),
        1 => Just(WeightMemory::Vector),
        2 => Just(WeightMemory::Dram)
    ];
    let layouts = [RowLayout::Auto, RowLayout::Dense, RowLayout::Sparse, RowLayout::Split, RowLayout::Packed];
    // All five projections in straight code, with neuron programs that may be long.
    let config = MachineConfig { instruction_bytes: 1 << 16, ..MachineConfig::default() };
    let inputs = prop::sample::select(vec![InputForm::Bits, InputForm::List(None)]);
    let parts = (any::<bool>(), inputs, weights, prop::sample::select(layouts.to_vec()));
    parts.prop_map(move |(ready_flag, input, weights, rows)| {
        // Where everything is to be in vector memory, it has to fit.
        let vector_bytes = if weights == WeightMemory::Vector { 8 << 20 } else { config.vector_bytes };
        let config = MachineConfig { vector_bytes, ..config };
        Options { config, ready_flag, input, weights, rows, ..Options::default() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn random_networks_run_as_they_mean(network in network(), options in options()) {
        check_with(&with_all_outputs(network), &options);
    }
}

/// Enough values alive at once that registers run out, and more than one chunk of target vectors.
#[test]
fn spilling_and_chunks_change_nothing() {
    let variables = 40;
    let slot = |index: usize| Slot { name: format!("V{index}"), ty: Type { format: Format::UNIT, saturating: false } };
    let sum = |a: Expr, b: Expr| Expr::Binary { op: BinaryOp::Add, left: a.into(), right: b.into() };
    // All variables are read before any is written, so that all are alive at once.
    let total = (0..variables).fold(Expr::Constant(1), |total, index| sum(total, Expr::Variable(index)));
    let mut body = vec![Stmt::Assign { place: Place::Local(0), value: total }];
    body.extend((0..variables).map(|index| Stmt::Assign {
        place: Place::Variable(index),
        value: sum(Expr::Variable((index + 7) % variables), sum(Expr::Local(0), Expr::Constant(index as i16 * 3))),
    }));
    let hit = Cond::Compare { op: CompareOp::Less, left: Expr::Variable(0), right: Expr::Constant(100) };
    body.push(Stmt::If { condition: hit, then: vec![Stmt::Emit(0)], otherwise: vec![] });
    let kernel = Kernel {
        variables: (0..variables).map(slot).collect(),
        locals: vec![Slot { name: "total".to_owned(), ty: Type { format: Format::UNIT, saturating: false } }],
        events: vec!["Spike".to_owned()],
        parameters: vec![],
        body,
    };
    let size = 1000;
    let initial = |v: usize| Variable { initial: Values::Uniform(v as i16 * 100), reset: true };
    let population = Population {
        name: "large".to_owned(),
        size,
        kernel,
        variables: (0..variables).map(initial).collect(),
        parameters: vec![],
    };
    let weights = (0..3 * size as i32).map(|index| (index * 37 % 2001 - 1000) as i16).collect();
    let network = Network {
        name: "spills".to_owned(),
        time_step_ms: None,
        steps: 4,
        state: StatePolicy::Reset,
        seed: 1,
        inputs: vec![Input { name: "input".to_owned(), size: 3, encoding: Encoding::Spikes }],
        populations: vec![population],
        projections: vec![Projection {
            name: "in".to_owned(),
            source: Source::Input(0),
            target: 0,
            variable: 1,
            weights: Weights::Dense(weights),
            delays: Delays::None,
        }],
        schedule: vec![Phase::Propagate(0), Phase::Update(0)],
        outputs: vec![],
        recordings: vec![Recording { population: 0, quantity: Quantity::Event(0), window: Window::WHOLE }],
    };
    let compiled = compile(&with_all_outputs(network.clone()), &Options::default()).unwrap();
    assert!(compiled.report.spilled[1] > 0, "the test is to need spills");
    check(network, false);
}

/// The smallest network with everything: spikes scanned over two words, one population, nothing but sums.
#[test]
fn sums_of_weights_are_exact() {
    for (input, size) in [(3, 8), (33, 8), (33, 40), (70, 200)] {
        let ty = Type { format: Format::UNIT, saturating: true };
        let kernel = Kernel { variables: vec![Slot { name: "I".to_owned(), ty }; 1], ..Kernel::default() };
        let mut kernels = kernel;
        kernels.variables.extend((1..VARIABLES).map(|index| Slot { name: format!("V{index}"), ty }));
        let weights = (0..(input * size) as i32).map(|index| (index * 37 % 2001 - 1000) as i16).collect();
        let network = Network {
            name: "sums".to_owned(),
            time_step_ms: None,
            steps: 4,
            state: StatePolicy::Reset,
            seed: 1,
            inputs: vec![Input { name: "input".to_owned(), size: input, encoding: Encoding::Spikes }],
            populations: vec![Population {
                name: "sums".to_owned(),
                size,
                kernel: kernels,
                variables: vec![Variable { initial: Values::Uniform(5), reset: true }; VARIABLES],
                parameters: vec![],
            }],
            projections: vec![Projection {
                name: "in".to_owned(),
                source: Source::Input(0),
                target: 0,
                variable: 0,
                weights: Weights::Dense(weights),
                delays: Delays::None,
            }],
            schedule: vec![Phase::Propagate(0), Phase::Update(0)],
            outputs: vec![],
            recordings: vec![],
        };
        check(network, false);
    }
}
