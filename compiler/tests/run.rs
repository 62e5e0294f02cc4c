//! Compiled networks compute what the network means: the program on the instruction-set simulator against the
//! [`Interpreter`], which shares no code with the back end.

use std::num::NonZeroU32;

use fenn_compiler::backend::{CompileError, Options, compile};
use fenn_compiler::contract::InputForm;
use fenn_compiler::interpret::{Interpreter, Run, SpikeTrain};
use fenn_compiler::kernel::{BinaryOp, CompareOp, Cond, Expr, Kernel, Place, Rounding, Slot, Stmt, Table, Type};
use fenn_compiler::network::{
    Convolution, Delays, Encoding, Input, Network, Output, Phase, Population, Projection, Quantity, Readout, Recording,
    Source, Sparse, StatePolicy, Values, Variable, Weights, Window,
};
use fenn_compiler::place::{Array, Part, RowLayout, WeightMemory, place};
use fenn_isa::fixed::Format;
use fenn_isa::image::manifest::{
    CodeArray, Data, InputSpikes, Manifest, PhaseKind, STREAM_UNIT, SpikeArray, SpikeList, Stream, ValueArray,
};
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
/// Locals behind the others that count the iterations of loops, one for each depth.
const COUNTERS: usize = 4;

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
        let shifts = [BinaryOp::ShiftLeft, BinaryOp::ShiftRight];
        let op = prop::sample::select([sums.as_slice(), &[BinaryOp::And], &shifts].concat());
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
            (inner.clone(), 0..2usize, 1..16u8).prop_map(|(value, table, shift)| Expr::Interpolate {
                table,
                value: value.into(),
                shift
            }),
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

/// With loops, whose counters [`counted`] adds, and breaks, conditions and so on anywhere.
fn statement(saturating: bool, loops: bool) -> impl Strategy<Value = Stmt> {
    let place = prop_oneof![(0..VARIABLES).prop_map(Place::Variable), (0..LOCALS).prop_map(Place::Local)];
    let simple = prop_oneof![
        4 => (place, expr(saturating)).prop_map(|(place, value)| Stmt::Assign { place, value }),
        1 => (0..EVENTS).prop_map(Stmt::Emit),
        u32::from(loops) => prop_oneof![
            Just(Stmt::Break),
            Just(Stmt::Continue),
            condition(expr(saturating)).prop_map(Stmt::While),
        ],
    ];
    simple.prop_recursive(2 + u32::from(loops), 8, 3, move |inner| {
        let block = prop::collection::vec(inner, 0..3);
        prop_oneof![
            2 => (condition(expr(saturating)), block.clone(), block.clone()).prop_map(|(condition, then, otherwise)| {
                Stmt::If { condition, then, otherwise }
            }),
            2 * u32::from(loops) => (block.clone(), block).prop_map(|(body, step)| Stmt::Loop { body, step }),
        ]
    })
}

/// The statements with counters that end every loop after at most three iterations, in one of three ways, and without what
/// does not belong where it is. `in_loop`: 0 outside, 1 in a body, 2 in a step; `own`: whether it is a body or a step itself.
fn counted(block: Vec<Stmt>, depth: usize, in_loop: u8, own: bool) -> Vec<Stmt> {
    let mut out = Vec::new();
    for stmt in block {
        match stmt {
            Stmt::Assign { .. } | Stmt::Emit(_) => out.push(stmt),
            Stmt::If { condition, then, otherwise } => {
                let [then, otherwise] = [then, otherwise].map(|block| counted(block, depth, in_loop, false));
                out.push(Stmt::If { condition, then, otherwise });
            }
            Stmt::While(_) if in_loop > 0 && own => out.push(stmt),
            Stmt::Break if in_loop > 0 => out.push(stmt),
            Stmt::Continue if in_loop == 1 => out.push(stmt),
            Stmt::While(_) | Stmt::Break | Stmt::Continue => {}
            Stmt::Loop { body, step } => {
                let counter = LOCALS + depth;
                let (kind, most) = (body.len() + 2 * step.len(), (3 * body.len() + step.len()) as i16 % 4);
                let compare = |op| Cond::Compare { op, left: Expr::Local(counter), right: Expr::Constant(most) };
                let count = Expr::Binary {
                    op: BinaryOp::Add,
                    left: Expr::Local(counter).into(),
                    right: Expr::Constant(1).into(),
                };
                let count = Stmt::Assign { place: Place::Local(counter), value: count };
                let mut body = counted(body, depth + 1, 1, true);
                let mut step = counted(step, depth + 1, 2, true);
                body.insert(0, count);
                match kind % 3 {
                    0 => body.insert(0, Stmt::While(compare(CompareOp::Less))),
                    1 => step.push(Stmt::While(compare(CompareOp::Less))),
                    _ => {
                        let condition = compare(CompareOp::GreaterEqual);
                        body.insert(1, Stmt::If { condition, then: vec![Stmt::Break], otherwise: vec![] });
                    }
                }
                out.push(Stmt::Assign { place: Place::Local(counter), value: Expr::Constant(0) });
                out.push(Stmt::Loop { body, step });
            }
        }
    }
    out
}

/// Two tables, of 5 and of 65 codes.
fn tables() -> impl Strategy<Value = Vec<Table>> {
    any::<u64>().prop_map(|seed| {
        let mut numbers = Numbers::new(seed);
        let mut table = |name: &str, count: u32| Table {
            name: name.to_owned(),
            codes: (0..count).map(|_| numbers.below(1 << 16) as i16).collect(),
        };
        vec![table("short", 5), table("long", 65)]
    })
}

fn kernel() -> impl Strategy<Value = Kernel> {
    let flags = (any::<bool>(), prop::bool::weighted(0.4));
    let body = flags.prop_flat_map(|(sat, loops)| (Just(sat), prop::collection::vec(statement(sat, loops), 1..7)));
    (body, tables()).prop_map(|((saturating, body), tables)| {
        let mut body = counted(body, 0, 0, false);
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
            locals: (0..LOCALS)
                .map(|index| slot("L", index))
                .chain((0..COUNTERS).map(|depth| Slot { name: format!("count {depth}"), ty: Type::INT }))
                .collect(),
            tables,
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
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
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

/// Writes the trains of a launch's samples to the places from `first` on. Each has its own place in a list of a program with a
/// stream.
fn write_spikes(machine: &mut Machine, input: &InputSpikes, trains: &[SpikeTrain], first: u32, streams: bool) {
    let array = match input {
        InputSpikes::Bits(array) => array,
        InputSpikes::List(list) if streams => {
            for (train, sample) in trains.iter().zip(first..) {
                let address = list.address + sample * list.sample_bytes;
                write_list(machine, &SpikeList { address, ..list.clone() }, std::slice::from_ref(train));
            }
            return;
        }
        InputSpikes::List(list) => return write_list(machine, list, trains),
    };
    for (train, sample) in trains.iter().zip(first..) {
        for (neurons, step) in train.steps().iter().zip(0..) {
            let mut words = vec![0u32; array.words as usize];
            neurons.iter().for_each(|n| words[*n as usize / 32] |= 1 << (n % 32));
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let address = array.address + sample * array.sample_stride + step * array.step_stride;
            machine.write(Space::Scalar, address, &bytes).unwrap();
        }
    }
}

fn write_list(machine: &mut Machine, list: &SpikeList, trains: &[SpikeTrain]) {
    let mut at = list.address;
    for neurons in trains.iter().flat_map(SpikeTrain::steps) {
        let behind = at + 4 + 4 * neurons.len() as u32;
        assert!(behind <= list.address + trains.len() as u32 * list.sample_bytes, "the list is too short");
        let entries = neurons.iter().map(|neuron| list.base + list.scale * neuron);
        let bytes: Vec<u8> = std::iter::once(behind).chain(entries).flat_map(u32::to_le_bytes).collect();
        machine.write(Space::Scalar, at, &bytes).unwrap();
        at = behind;
    }
}

fn read_spikes(machine: &Machine, array: &SpikeArray, sample: u32) -> Vec<Vec<u32>> {
    let neurons = |step: u32| {
        let address = array.address + sample * array.sample_stride + step * array.step_stride;
        let mut bytes = vec![0; 4 * array.words as usize];
        machine.read(Space::Scalar, address, &mut bytes).unwrap();
        (0..32 * array.words).filter(|n| bytes[*n as usize / 8] >> (n % 8) & 1 == 1).collect()
    };
    (0..array.steps).map(neurons).collect()
}

fn read_values(machine: &Machine, array: &ValueArray, neurons: u32, sample: u32) -> Vec<Vec<i16>> {
    let code = |step: u32, n: u32| {
        let (of_sample, of_step) = (sample * array.sample_stride, step * array.step_stride);
        let address = array.address + of_sample + of_step + n / 32 * array.stride + 2 * (n % 32);
        let mut bytes = [0; 2];
        machine.read(Space::Vector, address, &mut bytes).unwrap();
        i16::from_le_bytes(bytes)
    };
    (0..array.steps).map(|step| (0..neurons).map(|n| code(step, n)).collect()).collect()
}

fn read_codes(machine: &Machine, array: &CodeArray, neurons: u32, sample: u32) -> Vec<Vec<i16>> {
    let code = |step: u32, n: u32| {
        let address = array.address + sample * array.sample_stride + step * array.step_stride + 2 * n;
        let mut bytes = [0; 2];
        machine.read(Space::Scalar, address, &mut bytes).unwrap();
        i16::from_le_bytes(bytes)
    };
    (0..array.steps).map(|step| (0..neurons).map(|n| code(step, n)).collect()).collect()
}

/// The elements of those steps that the window's definition keeps.
fn in_window<T: Clone>(steps: &[T], window: Window) -> Vec<T> {
    let kept = |step: u32| step >= window.from && (step - window.from).is_multiple_of(window.every);
    steps.iter().zip(0..).filter(|(_, step)| kept(*step)).map(|(element, _)| element.clone()).collect()
}

/// What is recorded of a launch's sample, and what is put out, against the interpreter's run.
fn compare_run(network: &Network, manifest: &Manifest, machine: &Machine, expected: &Run, sample: u32, run: &str) {
    for (recording, described) in network.recordings.iter().zip(&manifest.recordings) {
        let place = format!("{run}, {}.{}, {:?}", described.population, described.name, recording.window);
        assert_eq!(described.window, recording.window, "{place}");
        match (&described.data, recording.quantity) {
            (Data::Spikes(array), Quantity::Event(event)) => {
                let expected = in_window(expected.events[recording.population][event].steps(), recording.window);
                assert_eq!(read_spikes(machine, array, sample), expected, "{place}");
            }
            (Data::Values(array), Quantity::Variable(variable)) => {
                let trace = expected.traces[recording.population][variable].as_ref().unwrap();
                let expected = in_window(trace, recording.window);
                assert_eq!(read_values(machine, array, described.neurons, sample), expected, "{place}");
            }
            other => panic!("{place}: {other:?}"),
        }
    }
    compare_outputs(network, manifest, machine, expected, sample, run);
}

/// What is put out of a launch's sample, against the interpreter's run.
fn compare_outputs(network: &Network, manifest: &Manifest, machine: &Machine, expected: &Run, sample: u32, run: &str) {
    for (output, described) in network.outputs.iter().zip(&manifest.outputs) {
        let place = format!("{run}, output {}, {:?}", described.name, output.quantity);
        match (&described.data, output.quantity, output.readout) {
            (Data::Values(array), Quantity::Variable(variable), Readout::Last) => {
                let expected = &expected.finals[output.population][variable];
                assert_eq!(
                    read_values(machine, array, described.neurons, sample),
                    std::slice::from_ref(expected),
                    "{place}"
                );
            }
            (Data::Values(array), Quantity::Variable(variable), _) => {
                let expected = expected.traces[output.population][variable].as_ref().unwrap();
                assert_eq!(&read_values(machine, array, described.neurons, sample), expected, "{place}");
            }
            (Data::Codes(array), Quantity::Variable(variable), readout) => {
                let expected = match readout {
                    Readout::Last => std::slice::from_ref(&expected.finals[output.population][variable]),
                    _ => expected.traces[output.population][variable].as_ref().unwrap(),
                };
                assert_eq!(read_codes(machine, array, described.neurons, sample), expected, "{place}");
            }
            (Data::Spikes(array), Quantity::Event(event), _) => {
                let expected = expected.events[output.population][event].steps();
                assert_eq!(read_spikes(machine, array, sample), expected, "{place}");
            }
            other => panic!("{place}: {other:?}"),
        }
    }
}

/// Every variable at the end of a run, through the placement's symbols being in the manifest only for outputs: so each
/// variable is made an output first.
fn with_all_outputs(mut network: Network) -> Network {
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
    let batch = options.batch.get();
    assert_eq!(manifest.batch.samples, batch);
    let mut run = 0;
    for (launch, samples) in [batch, 1, batch.div_ceil(2)].into_iter().enumerate() {
        let runs = run..run + samples;
        run = runs.end;
        let trains = |input: &Input| -> Vec<SpikeTrain> {
            runs.clone().map(|run| spikes(input.size, network.steps, run)).collect()
        };
        let trains: Vec<Vec<SpikeTrain>> = network.inputs.iter().map(trains).collect();
        for (input, trains) in manifest.inputs.iter().zip(&trains) {
            write_spikes(&mut machine, &input.spikes, trains, 0, options.stream);
        }
        let ready = manifest.batch.stream.map(|stream| stream.ready);
        for word in manifest.batch.count.into_iter().chain(ready) {
            machine.write(Space::Scalar, word, &samples.to_le_bytes()).unwrap();
        }
        let entries = &manifest.entry_points;
        let entry = if launch == 0 { entries.first() } else { entries.last() };
        machine.state_mut().pc = entry.unwrap().address;
        let outcome = machine.run(Limits { instructions: Some(100_000_000), ..Limits::default() }, &mut ());
        let ended = if options.ready_flag { Stop::ReadyFlag { pc: 0 } } else { Stop::Ecall { pc: 0 } };
        assert_eq!(std::mem::discriminant(&outcome.stop), std::mem::discriminant(&ended), "{:?}", outcome.stop);
        for sample in 0..samples {
            let inputs: Vec<SpikeTrain> = trains.iter().map(|trains| trains[sample as usize].clone()).collect();
            let expected = interpreter.run(&inputs).unwrap();
            compare_run(network, manifest, &machine, &expected, sample, &format!("launch {launch}, sample {sample}"));
        }
        // Functions are put into lane-local memory before the first sample.
        let tables = network.populations.iter().flat_map(|population| &population.kernel.tables);
        let filling: u64 = tables.map(|table| 10 + 4 * table.codes.len() as u64).sum();
        check_counts(manifest, &machine, samples, [outcome.instructions, filling], outcome.cycles);
        assert!(manifest.batch.stream.is_none_or(|stream| words(&machine, stream.done, 1) == [samples]));
    }
    if let Some(stream) = manifest.batch.stream {
        check_apart(&compiled.report.arrays, manifest, stream);
        check_stream(network, options, manifest, stream, &mut machine, &mut interpreter, run);
    }
}

/// What the host writes while the program runs has no unit in common with anything else.
fn check_apart(arrays: &[Array], manifest: &Manifest, stream: Stream) {
    let inputs = manifest.inputs.iter().map(|input| match &input.spikes {
        InputSpikes::Bits(array) => array.address,
        InputSpikes::List(list) => list.address,
    });
    let written: Vec<u32> = inputs.chain([manifest.batch.count.unwrap(), stream.ready]).collect();
    let scalar = arrays.iter().filter(|array| array.space == Space::Scalar && array.bytes > 0);
    let units = |array: &Array| {
        let (first, last) = (u64::from(array.address), u64::from(array.address) + array.bytes - 1);
        (first / u64::from(STREAM_UNIT), last / u64::from(STREAM_UNIT))
    };
    let is_hosts = |array: &&Array| {
        let inside = |address: &u32| {
            (u64::from(array.address)..u64::from(array.address) + array.bytes).contains(&u64::from(*address))
        };
        written.iter().any(inside)
    };
    let (hosts, others): (Vec<&Array>, Vec<&Array>) = scalar.partition(is_hosts);
    assert_eq!(hosts.len(), written.len());
    for (host, other) in hosts.iter().flat_map(|host| others.iter().map(move |other| (host, other))) {
        let (mine, its) = (units(host), units(other));
        assert!(mine.1 < its.0 || its.1 < mine.0, "{} and {}", host.name, other.name);
    }
}

/// A launch of some turns of the ring, with a host that is early, late and in time by turns: from `run` on.
fn check_stream(
    network: &Network,
    options: &Options,
    manifest: &Manifest,
    stream: Stream,
    machine: &mut Machine,
    interpreter: &mut Interpreter<'_>,
    run: u32,
) {
    let (slots, samples) = (manifest.batch.samples, 2 * manifest.batch.samples + 3);
    let count = manifest.batch.count.unwrap();
    let set = |machine: &mut Machine, word: u32, value: u32| {
        machine.write(Space::Scalar, word, &value.to_le_bytes()).unwrap()
    };
    set(machine, count, u32::MAX);
    set(machine, stream.ready, 0);
    set(machine, stream.done, 0);
    machine.state_mut().pc = manifest.entry_points.last().unwrap().address;
    let (mut provided, mut checked) = (0, 0);
    let mut numbers = Numbers::new(run.into());
    let mut looks = 0;
    let stop = loop {
        for _ in 0..numbers.below(3) {
            if provided < samples && provided - checked < slots {
                for input in 0..manifest.inputs.len() {
                    let train = spikes(network.inputs[input].size, network.steps, run + provided);
                    write_spikes(machine, &manifest.inputs[input].spikes, &[train], provided % slots, true);
                }
                provided += 1;
                set(machine, stream.ready, provided);
            }
        }
        if provided == samples && numbers.below(3) == 0 {
            set(machine, count, samples);
        }
        let limits = Limits { instructions: Some(1 + u64::from(numbers.below(3000))), ..Limits::default() };
        let stop = machine.run(limits, &mut ()).stop;
        let done = words(machine, stream.done, 1)[0];
        assert!((checked..=provided).contains(&done), "{done} of {provided}");
        while checked < done && (stop.is_end() || numbers.below(3) > 0) {
            let train = |input: &Input| spikes(input.size, network.steps, run + checked);
            let inputs: Vec<SpikeTrain> = network.inputs.iter().map(train).collect();
            let expected = interpreter.run(&inputs).unwrap();
            let place = format!("streamed sample {checked}");
            compare_outputs(network, manifest, machine, &expected, checked % slots, &place);
            let marks = words(machine, manifest.batch.marks.unwrap() + 16 * (checked % slots), 4);
            assert!(marks[3].wrapping_sub(marks[1]) > 0 && marks[2].wrapping_sub(marks[0]) > 0, "{place}: {marks:?}");
            checked += 1;
        }
        looks += 1;
        assert!(looks < 1_000_000, "{provided} provided, {checked} checked, {done} done: {stop}");
        if !matches!(stop, Stop::InstructionLimit { .. }) {
            break stop;
        }
    };
    let ended = if options.ready_flag { Stop::ReadyFlag { pc: 0 } } else { Stop::Ecall { pc: 0 } };
    assert_eq!(std::mem::discriminant(&stop), std::mem::discriminant(&ended), "{stop}");
    assert_eq!((provided, checked), (samples, samples));
}

fn words(machine: &Machine, address: u32, count: u32) -> Vec<u32> {
    let mut bytes = vec![0; 4 * count as usize];
    machine.read(Space::Scalar, address, &mut bytes).unwrap();
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
}

/// What the program says that it took, against what the simulator says of the launch; up to `filling` instructions of it are
/// before the first sample.
fn check_counts(manifest: &Manifest, machine: &Machine, samples: u32, [instructions, filling]: [u64; 2], cycles: u64) {
    if let (Some(marks), true) = (manifest.batch.marks, manifest.batch.stream.is_some()) {
        let marks = words(machine, marks, 4 * samples);
        let each = marks.chunks_exact(4).map(|of| [0, 1].map(|which| u64::from(of[which + 2].wrapping_sub(of[which]))));
        let [all_cycles, all] = each.fold([0, 0], |sum, each| [sum[0] + each[0], sum[1] + each[1]]);
        assert!(all <= instructions && all_cycles <= cycles, "{marks:?}");
        assert!((all + filling) * 10 > instructions * 7, "{all} of {instructions}: {marks:?}");
    } else if let Some(marks) = manifest.batch.marks {
        let marks = words(machine, marks, 2 * (samples + 1));
        let total = |which: usize| u64::from(marks[2 * samples as usize + which].wrapping_sub(marks[which]));
        assert!(marks.chunks_exact(2).collect::<Vec<_>>().windows(2).all(|pair| pair[0][1] < pair[1][1]));
        assert!(total(0) <= cycles && total(1) <= instructions, "{marks:?}");
        assert!((total(1) + filling) * 10 > instructions * 8, "{marks:?}");
    }
    if let Some(counters) = &manifest.counters {
        let table = words(machine, counters.address, 4 * counters.phases.len() as u32);
        let long = |row: usize, at: usize| u64::from(table[4 * row + at]) | u64::from(table[4 * row + at + 1]) << 32;
        // A phase of nothing has the one instruction of counting, in each run.
        assert_eq!((counters.phases[0].kind, long(0, 2)), (PhaseKind::Nothing, samples.into()));
        let rows = 0..counters.phases.len();
        let [counted, counted_cycles] = [2, 0].map(|at| rows.clone().map(|row| long(row, at)).sum::<u64>());
        assert!(counted <= instructions && counted_cycles <= cycles, "{table:?}");
    }
}

/// Windows of a run of five steps, for at most six recordings.
fn windows() -> impl Strategy<Value = Vec<Window>> {
    let some = (0..5u32, 1..6u32).prop_map(|(from, every)| Window { from, every });
    prop::collection::vec(prop_oneof![Just(Window::WHOLE), some], 6)
}

fn options() -> impl Strategy<Value = Options> {
    let weights = prop_oneof![
        2 => Just(WeightMemory::Auto),
        1 => Just(WeightMemory::Vector),
        2 => Just(WeightMemory::Dram)
    ];
    let layouts =
        [RowLayout::Auto, RowLayout::Dense, RowLayout::Sparse, RowLayout::Split, RowLayout::Packed, RowLayout::Shared];
    // All five projections in straight code, with neuron programs that may be long.
    let config = MachineConfig { instruction_bytes: 1 << 16, ..MachineConfig::default() };
    let inputs = prop::sample::select(vec![InputForm::Bits, InputForm::List(None)]);
    let batch = (1..=5u32).prop_map(|batch| NonZeroU32::new(batch).unwrap());
    let streams = prop::bool::weighted(0.4);
    let layouts = prop::sample::select(layouts.to_vec());
    let parts = (any::<bool>(), inputs, weights, layouts, batch, prop::bool::weighted(0.3), streams);
    parts.prop_map(move |(ready_flag, input, weights, rows, batch, counters, stream)| {
        // Where everything is to be in vector memory, it has to fit.
        let vector_bytes = if weights == WeightMemory::Vector { 8 << 20 } else { config.vector_bytes };
        let config = MachineConfig { vector_bytes, ..config };
        Options { config, ready_flag, input, weights, rows, batch, counters, stream, ..Options::default() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn random_networks_run_as_they_mean(
        network in network(),
        windows in windows(),
        all_steps: bool,
        options in options(),
    ) {
        let mut network = with_all_outputs(network);
        if all_steps {
            // Of quantities of which a recording may want some steps only.
            let of_first = Output { population: 0, quantity: Quantity::Variable(0), readout: Readout::Max };
            let of_second = Output { population: 1, quantity: Quantity::Event(0), readout: Readout::Count };
            network.outputs.extend([of_first, of_second]);
        }
        for (recording, window) in network.recordings.iter_mut().zip(windows) {
            recording.window = window;
        }
        check_with(&network, &options);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    /// A program that does not fit is made again with less unrolling, and computes the same.
    #[test]
    fn small_machines_run_the_same(network in network()) {
        let network = with_all_outputs(network);
        let mut options = Options { input: InputForm::Bits, ..Options::default() };
        let mut compiled = compile(&network, &options);
        for _ in 0..3 {
            let Ok(fits) = compiled else { break };
            options.config.instruction_bytes = 4 * (fits.report.instructions as u32 - 1);
            compiled = compile(&network, &options);
            if compiled.is_ok() {
                check_with(&network, &options);
            }
        }
        prop_assert!(matches!(compiled, Err(CompileError::TooMuchCode { .. })), "{:?}", compiled.err());
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
        tables: vec![],
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

/// Where code is short, chunks of long rows from DRAM share it: 3,072 targets of one population and 1,000 of another are one row in
/// six chunks, of which the first four are alike.
#[test]
fn rolled_chunks_change_nothing() {
    let ty = Type { format: Format::UNIT, saturating: false };
    let population = |name: &str, size: u32| {
        let sum = |a: Expr, b: Expr| Expr::Binary { op: BinaryOp::Add, left: a.into(), right: b.into() };
        let hit = Cond::Compare { op: CompareOp::Less, left: Expr::Constant(900), right: Expr::Variable(0) };
        let kernel = Kernel {
            variables: ["V", "I"].map(|name| Slot { name: name.to_owned(), ty }).to_vec(),
            locals: vec![],
            tables: vec![],
            events: vec!["Spike".to_owned()],
            parameters: vec![],
            body: vec![
                Stmt::Assign { place: Place::Variable(0), value: sum(Expr::Variable(0), Expr::Variable(1)) },
                Stmt::If { condition: hit, then: vec![Stmt::Emit(0)], otherwise: vec![] },
            ],
        };
        let variable = || Variable { initial: Values::Uniform(0), reset: true };
        let variables = vec![variable(), variable()];
        Population { name: name.to_owned(), size, kernel, variables, parameters: vec![] }
    };
    const SIZES: [u32; 2] = [3072, 1000];
    let projection = |target: usize| {
        let size = SIZES[target] as i32;
        let weights = (0..40 * size).map(|index| (index * 37 % 2001 - 1000 - target as i32) as i16).collect();
        Projection {
            name: format!("in_{target}"),
            source: Source::Input(0),
            target,
            variable: 1,
            weights: Weights::Dense(weights),
            delays: Delays::None,
        }
    };
    let network = Network {
        name: "rolled".to_owned(),
        time_step_ms: None,
        steps: 4,
        state: StatePolicy::Reset,
        seed: 1,
        inputs: vec![Input { name: "input".to_owned(), size: 40, encoding: Encoding::Spikes }],
        populations: vec![population("first", SIZES[0]), population("second", SIZES[1])],
        projections: vec![projection(0), projection(1)],
        schedule: vec![Phase::Propagate(0), Phase::Propagate(1), Phase::Update(0), Phase::Update(1)],
        outputs: [0, 1]
            .map(|population| Output { population, quantity: Quantity::Variable(0), readout: Readout::Last })
            .to_vec(),
        recordings: [0, 1]
            .map(|population| Recording { population, quantity: Quantity::Event(0), window: Window::WHOLE })
            .to_vec(),
    };
    for input in [InputForm::Bits, InputForm::List(None)] {
        let options = Options { input, weights: WeightMemory::Dram, ..Options::default() };
        let whole = compile(&network, &options).unwrap().report.instructions;
        let mut small = options;
        small.config.instruction_bytes = 4 * (whole as u32 - 100);
        let rolled = compile(&network, &small).unwrap().report.instructions;
        assert!(rolled < whole - 100, "{rolled} of {whole} instructions");
        check_with(&network, &options);
        check_with(&network, &small);
    }
}

/// In whatever form, what a host has not written is no spike.
#[test]
fn without_a_host_nothing_spikes() {
    let ty = Type { format: Format::UNIT, saturating: true };
    let kernel = Kernel {
        variables: (0..VARIABLES).map(|index| Slot { name: format!("V{index}"), ty }).collect(),
        ..Kernel::default()
    };
    let network = with_all_outputs(Network {
        name: "silent".to_owned(),
        time_step_ms: None,
        steps: 9,
        state: StatePolicy::Reset,
        seed: 1,
        inputs: vec![Input { name: "input".to_owned(), size: 40, encoding: Encoding::Spikes }],
        populations: vec![Population {
            name: "sums".to_owned(),
            size: 3,
            kernel,
            variables: vec![Variable { initial: Values::Uniform(5), reset: true }; VARIABLES],
            parameters: vec![],
        }],
        projections: vec![Projection {
            name: "in".to_owned(),
            source: Source::Input(0),
            target: 0,
            variable: 0,
            weights: Weights::Dense(vec![1; 120]),
            delays: Delays::None,
        }],
        schedule: vec![Phase::Propagate(0), Phase::Update(0)],
        outputs: vec![],
        recordings: vec![],
    });
    for (input, batch) in [(InputForm::Bits, 1), (InputForm::List(None), 1), (InputForm::List(Some(0)), 3)] {
        let options = Options { input, batch: NonZeroU32::new(batch).unwrap(), ..Options::default() };
        let image = compile(&network, &options).unwrap().image;
        let mut machine = Machine::from_image(&image, MachineOptions::default()).unwrap();
        let outcome = machine.run(Limits { instructions: Some(10_000), ..Limits::default() }, &mut ());
        assert!(outcome.stop.is_end(), "{}", outcome.stop);
        let Data::Values(array) = &image.manifest.unwrap().outputs[0].data else { panic!("values") };
        assert_eq!(read_values(&machine, array, 3, 0), [[5, 5, 5]]);
    }
}

/// Spikes of so many neurons that marks of their words are several words, delayed by more than a ring of few slots: from an
/// input and from a population, in vector memory and in DRAM. Tables of the starts of rows do not fit into scalar memory for the
/// larger network, whose rows are in groups of equal length instead: some sources have many synapses there, and the last ones no
/// long delays.
#[test]
fn many_neurons_with_sorted_delays_are_exact() {
    let ty = Type { format: Format::UNIT, saturating: true };
    let add = |a: Expr, b: Expr| Expr::Binary { op: BinaryOp::AddSaturating, left: a.into(), right: b.into() };
    let kernel = Kernel {
        variables: (0..VARIABLES).map(|index| Slot { name: format!("V{index}"), ty }).collect(),
        events: vec!["Spike".to_owned()],
        body: vec![
            Stmt::Assign { place: Place::Variable(1), value: add(Expr::Variable(1), Expr::Random) },
            Stmt::If {
                condition: Cond::Compare {
                    op: CompareOp::Greater,
                    left: Expr::Variable(1),
                    right: Expr::Constant(32_000),
                },
                then: vec![Stmt::Emit(0), Stmt::Assign { place: Place::Variable(1), value: Expr::Constant(i16::MIN) }],
                otherwise: vec![],
            },
        ],
        ..Kernel::default()
    };
    let population = |name: &str, size| Population {
        name: name.to_owned(),
        size,
        kernel: kernel.clone(),
        variables: vec![Variable { initial: Values::Uniform(0), reset: true }; VARIABLES],
        parameters: vec![],
    };
    let sparse = |sources: u32, salt: u64| {
        let mut numbers = Numbers::new(salt);
        let rows = (0..sources).map(|source| {
            let count = if source % 50 == 7 { 90 } else { 3 };
            (0..count).map(|_| (numbers.below(70), numbers.below(40) as i16 - 20)).collect()
        });
        let weights = Sparse::from_rows(rows.collect::<Vec<_>>());
        let delays = (0..sources).flat_map(|source| {
            let row = weights.starts[source as usize]..weights.starts[source as usize + 1];
            let distinct = if source < sources / 2 { 4 } else { 2 };
            row.map(|_| [0, 1, 4, 9][numbers.below(distinct) as usize]).collect::<Vec<u16>>()
        });
        let delays = delays.collect();
        (Weights::Sparse(weights), Delays::Sorted(delays))
    };
    let projection = |index: usize, source, sources| {
        let (weights, delays) = sparse(sources, index as u64);
        Projection { name: format!("sorted {index}"), source, target: 1, variable: 0, weights, delays }
    };
    // Marks are whole words and a part of one, a part only, or whole words only.
    let sizes = [(1029, 2100), (288, 1024)];
    for (state, (listening, many)) in
        [StatePolicy::Reset, StatePolicy::Carried].into_iter().flat_map(|state| sizes.map(|sizes| (state, sizes)))
    {
        let network = with_all_outputs(Network {
            name: "sorted".to_owned(),
            time_step_ms: None,
            steps: 14,
            state,
            seed: 1,
            inputs: vec![Input { name: "input".to_owned(), size: listening, encoding: Encoding::Spikes }],
            populations: vec![population("many", many), population("few", 70)],
            projections: vec![
                projection(0, Source::Input(0), listening),
                projection(1, Source::Events { population: 0, event: 0 }, many),
            ],
            schedule: vec![Phase::Propagate(0), Phase::Update(0), Phase::Propagate(1), Phase::Update(1)],
            outputs: vec![],
            recordings: vec![],
        });
        for weights in [WeightMemory::Vector, WeightMemory::Dram] {
            let config = MachineConfig { vector_bytes: 4 << 20, ..MachineConfig::default() };
            let options = Options { weights, config, ..Options::default() };
            let placement = place(&network, &options).unwrap();
            for part in placement.bundles.iter().flat_map(|bundle| &bundle.parts) {
                let Part::Sparse(rows) = part else { panic!("rows are sparse") };
                assert_eq!(rows.grouped.is_some(), many == 2100, "{:?}", rows.grouped);
                assert!(rows.longest > 1);
            }
            check_with(&network, &options);
        }
    }
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

/// A program that counts finds the instructions that the same program takes when it does not count, but for the few that are
/// around phases: where the difference goes is known from the simulator, not from the program.
#[test]
fn what_is_counted_is_what_the_program_takes() {
    let ty = Type { format: Format::UNIT, saturating: true };
    let (size, input, steps) = (300, 40, 64);
    let sum =
        Expr::Binary { op: BinaryOp::AddSaturating, left: Expr::Variable(1).into(), right: Expr::Variable(0).into() };
    let kernel = Kernel {
        variables: (0..VARIABLES).map(|index| Slot { name: format!("V{index}"), ty }).collect(),
        events: vec!["Spike".to_owned()],
        body: vec![Stmt::Assign { place: Place::Variable(1), value: sum }, Stmt::Emit(0)],
        ..Kernel::default()
    };
    let network = with_all_outputs(Network {
        name: "counted".to_owned(),
        time_step_ms: None,
        steps,
        state: StatePolicy::Reset,
        seed: 1,
        inputs: vec![Input { name: "input".to_owned(), size: input, encoding: Encoding::Spikes }],
        populations: vec![Population {
            name: "sums".to_owned(),
            size,
            kernel,
            variables: vec![Variable { initial: Values::Uniform(5), reset: true }; VARIABLES],
            parameters: vec![],
        }],
        projections: vec![Projection {
            name: "in".to_owned(),
            source: Source::Input(0),
            target: 0,
            variable: 0,
            weights: Weights::Dense((0..(input * size) as i32).map(|index| (index % 201 - 100) as i16).collect()),
            delays: Delays::None,
        }],
        schedule: vec![Phase::Propagate(0), Phase::Update(0)],
        outputs: vec![],
        recordings: vec![Recording { population: 0, quantity: Quantity::Event(0), window: Window::WHOLE }],
    });
    for samples in [1, 3] {
        let batch = NonZeroU32::new(samples).unwrap();
        let trains: Vec<SpikeTrain> = (0..samples).map(|sample| spikes(input, steps, sample)).collect();
        let run = |counters| {
            let options = Options { batch, counters, ..Options::default() };
            let image = compile(&network, &options).unwrap().image;
            let mut machine = Machine::from_image(&image, MachineOptions::default()).unwrap();
            let manifest = image.manifest.unwrap();
            write_spikes(&mut machine, &manifest.inputs[0].spikes, &trains, 0, false);
            if let Some(count) = manifest.batch.count {
                machine.write(Space::Scalar, count, &samples.to_le_bytes()).unwrap();
            }
            let outcome = machine.run(Limits { instructions: Some(10_000_000), ..Limits::default() }, &mut ());
            assert!(outcome.stop.is_end(), "{}", outcome.stop);
            (machine, manifest, outcome)
        };
        let (_, manifest, plain) = run(false);
        assert_eq!(manifest.counters, None);
        let (machine, manifest, _) = run(true);
        let counters = manifest.counters.unwrap();
        let table = words(&machine, counters.address, 4 * counters.phases.len() as u32);
        let kinds: Vec<PhaseKind> = counters.phases.iter().map(|phase| phase.kind).collect();
        use PhaseKind::{Finish, Nothing, Propagate, Record, Reset, Update};
        assert_eq!(kinds, [Nothing, Reset, Propagate, Update, Record, Finish]);
        let net = |row: usize| u64::from(table[4 * row + 2]) - u64::from(samples * kinds[row].visits(steps));
        let (all, samples, steps) = ((0..kinds.len()).map(net).sum::<u64>(), u64::from(samples), u64::from(steps));
        assert_eq!(net(0), 0);
        // Of each step its count and its jump, and what is before the first step: constants, pointers, marks.
        let around = plain.instructions - all;
        assert!(
            around >= 2 * steps * samples && around < 2 * steps * samples + 60 * samples,
            "{around} of {}: {table:?}",
            plain.instructions
        );
        // Ten blocks: an addition and a word of spikes each.
        assert!(net(2) > 8 * 10 * steps * samples && net(3) >= 10 * 2 * steps * samples, "{table:?}");
    }
}
