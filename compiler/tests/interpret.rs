//! The interpreter against a second model of the same arithmetic, written neuron by neuron with 64-bit integers.

use fenn_compiler::interpret::{Interpreter, RunError, Saturations, SpikeTrain};
use fenn_compiler::kernel::{BinaryOp, CompareOp, Cond, Expr, Kernel, Place, Rounding, Slot, Stmt, Table, Type};
use fenn_compiler::network::{
    Delays, Encoding, Input, Network, Output, Phase, Population, Projection, Quantity, Readout, Recording, Source,
    StatePolicy, Values, Variable, Weights, Window,
};
use fenn_compiler::seed::generator_seeds;
use fenn_isa::fixed::Format;
use fenn_isa::lane::Generator;

const STEPS: u32 = 60;
const INPUTS: u32 = 7;
/// Two vectors, the second with 8 neurons.
const NEURONS: u32 = 40;
const SHIFT: u8 = 5;

fn slot(name: &str, saturating: bool) -> Slot {
    Slot { name: name.into(), ty: Type { format: Format::new(SHIFT).unwrap(), saturating } }
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary { op, left: Box::new(left), right: Box::new(right) }
}

fn set(variable: usize, value: Expr) -> Stmt {
    Stmt::Assign { place: Place::Variable(variable), value }
}

fn compare(op: CompareOp, left: Expr, right: Expr) -> Cond {
    Cond::Compare { op, left, right }
}

/// Leaky integrate-and-fire with refractoriness, recurrent, as in the published MNIST example; `noise` adds a random
/// number to `V` and decays it with stochastic rounding.
fn network(noise: bool) -> Network {
    let [v, i, refractory] = [0, 1, 2].map(Expr::Variable);
    let rounding = if noise { Rounding::Stochastic } else { Rounding::Nearest };
    let decayed = Expr::Multiply {
        left: Box::new(Expr::Parameter(0)),
        right: Box::new(v.clone()),
        shift: SHIFT,
        rounding,
        saturating: false,
    };
    let mut drive = i;
    if noise {
        let small = Expr::ShiftRight { value: Box::new(Expr::Random), shift: 11, rounding: Rounding::Stochastic };
        drive = binary(BinaryOp::AddSaturating, drive, small);
    }
    let fire = Stmt::If {
        condition: compare(CompareOp::GreaterEqual, v.clone(), Expr::Parameter(1)),
        then: vec![
            Stmt::Emit(0),
            set(0, binary(BinaryOp::SubSaturating, v, Expr::Parameter(1))),
            set(2, Expr::Constant(3)),
        ],
        otherwise: vec![],
    };
    let body = vec![
        set(0, binary(BinaryOp::AddSaturating, decayed, drive)),
        set(1, Expr::Constant(0)),
        Stmt::If {
            condition: compare(CompareOp::Greater, refractory.clone(), Expr::Constant(0)),
            then: vec![set(2, binary(BinaryOp::Sub, refractory, Expr::Constant(1)))],
            otherwise: vec![fire],
        },
    ];
    let mut next = 12345_u32;
    let mut weight = |range: u32, offset: i32| {
        next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (((next >> 8) % range) as i32 - offset) as i16
    };
    let variable = |initial| Variable { initial, reset: true };
    Network {
        name: "test".into(),
        time_step_ms: None,
        steps: STEPS,
        state: StatePolicy::Reset,
        seed: 99,
        inputs: vec![Input { name: "in".into(), size: INPUTS, encoding: Encoding::Spikes }],
        populations: vec![Population {
            name: "lif".into(),
            size: NEURONS,
            kernel: Kernel {
                variables: vec![slot("V", true), slot("I", true), Slot { name: "R".into(), ty: Type::INT }],
                parameters: vec![slot("Alpha", true), slot("Threshold", true)],
                events: vec!["Spike".into()],
                locals: vec![],
                tables: vec![],
                body,
            },
            variables: vec![
                variable(Values::PerNeuron((0..NEURONS as i16).collect())),
                variable(Values::Uniform(0)),
                variable(Values::Uniform(0)),
            ],
            parameters: vec![Values::Uniform(30), Values::PerNeuron((0..NEURONS as i16).map(|n| 100 + n).collect())],
        }],
        projections: vec![
            Projection {
                name: "in".into(),
                source: Source::Input(0),
                target: 0,
                variable: 1,
                weights: Weights::Dense((0..INPUTS * NEURONS).map(|_| weight(50000, 24000)).collect()),
                delays: Delays::None,
            },
            Projection {
                name: "rec".into(),
                source: Source::Events { population: 0, event: 0 },
                target: 0,
                variable: 1,
                weights: Weights::Dense((0..NEURONS * NEURONS).map(|_| weight(200, 100)).collect()),
                delays: Delays::None,
            },
        ],
        schedule: vec![Phase::Propagate(0), Phase::Propagate(1), Phase::Update(0)],
        outputs: vec![Output { population: 0, quantity: Quantity::Variable(0), readout: Readout::Mean }],
        recordings: vec![Recording { population: 0, quantity: Quantity::Variable(0), window: Window::WHOLE }],
    }
}

fn train() -> SpikeTrain {
    SpikeTrain::new((0..STEPS).map(|t| (0..INPUTS).filter(|n| (t * 7 + n * 11) % 5 == 0).collect()).collect())
}

/// What the second model finds: spikes and V per step, sums that did not fit.
struct Expected {
    spikes: Vec<Vec<u32>>,
    v: Vec<Vec<i64>>,
    overflows: u64,
}

/// The second model: one neuron after the other, wide integers, its own clamping and rounding.
fn second_model(network: &Network, train: &SpikeTrain, noise: bool) -> Expected {
    let clamp = |x: i64| x.clamp(-32768, 32767);
    let w_in = network.projections[0].weights.codes();
    let w_rec = network.projections[1].weights.codes();
    let n = NEURONS as usize;
    let mut generators = generator_seeds(network.seed);
    let mut v: Vec<i64> = (0..n as i64).collect();
    let (mut i, mut r) = (vec![0_i64; n], vec![0_i64; n]);
    let mut spikes: Vec<u32> = Vec::new();
    let mut expected = Expected { spikes: vec![], v: vec![], overflows: 0 };
    for step in train.steps() {
        for (list, weights) in [(step, w_in), (&spikes, w_rec)] {
            for &source in list {
                for j in 0..n {
                    let sum = i[j] + i64::from(weights[source as usize * n + j]);
                    expected.overflows += u64::from(sum != clamp(sum));
                    i[j] = clamp(sum);
                }
            }
        }
        spikes = Vec::new();
        for vector in 0..2 {
            // Three words per neuron and step, drawn by every lane whether it has a neuron or not.
            let mut words = || -> Vec<i64> { generators.iter_mut().map(|g: &mut Generator| g.next().into()).collect() };
            let drawn = if noise { [words(), words(), words()] } else { Default::default() };
            for j in 32 * vector..n.min(32 * vector + 32) {
                let lane = j % 32;
                let product = 30 * v[j];
                let (decayed, extra) = if noise {
                    let [decay, uniform, rounding] = &drawn;
                    let small = ((uniform[lane] >> 1) + (rounding[lane] & 2047)).div_euclid(2048);
                    ((product + (decay[lane] & 31)).div_euclid(32), small)
                } else {
                    ((product + 16).div_euclid(32), 0)
                };
                v[j] = clamp(decayed + clamp(i[j] + extra));
                i[j] = 0;
                let threshold = 100 + j as i64;
                if r[j] > 0 {
                    r[j] -= 1;
                } else if v[j] >= threshold {
                    spikes.push(j as u32);
                    v[j] -= threshold;
                    r[j] = 3;
                }
            }
        }
        expected.spikes.push(spikes.clone());
        expected.v.push(v.clone());
    }
    expected
}

#[test]
fn agrees_with_a_second_model() {
    for noise in [false, true] {
        let network = network(noise);
        let mut saturations = Saturations::new(&network);
        let run = Interpreter::new(&network).unwrap().run_observed(&[train()], &mut saturations).unwrap();
        let expected = second_model(&network, &train(), noise);
        assert_eq!(run.events[0][0].steps(), expected.spikes, "spikes, noise {noise}");
        let trace: Vec<Vec<i64>> = run.traces[0][0]
            .as_ref()
            .expect("V is recorded")
            .iter()
            .map(|codes| codes.iter().map(|&code| code.into()).collect())
            .collect();
        assert_eq!(trace, expected.v, "V, noise {noise}");
        assert!(expected.overflows > 0 && expected.spikes.iter().any(|s| s.iter().any(|n| *n >= 32)));
        assert_eq!(saturations.counts[0][1], expected.overflows, "sums into I that did not fit");
        assert!(run.traces[0][1].is_none(), "I is not recorded");
        let last: Vec<i64> = run.finals[0][0].iter().map(|&code| code.into()).collect();
        assert_eq!(&last, expected.v.last().unwrap());
        let mean = run.readout(&network, &network.outputs[0])[3];
        let sum: i64 = expected.v.iter().map(|v| v[3]).sum();
        assert_eq!(mean, sum as f64 / 32.0 / f64::from(STEPS));
    }
}

#[test]
fn runs_start_anew_or_carry_on_as_the_network_says() {
    let mut network = network(true);
    let mut interpreter = Interpreter::new(&network).unwrap();
    let first = interpreter.run(&[train()]).unwrap();
    assert_eq!(interpreter.run(&[train()]).unwrap(), first, "state, spikes and generators start anew");

    network.state = StatePolicy::Carried;
    network.populations[0].variables[0].reset = false;
    let mut carried = Interpreter::new(&network).unwrap();
    assert_eq!(carried.run(&[train()]).unwrap(), first, "the first run is the same");
    assert_ne!(carried.run(&[train()]).unwrap(), first, "the second is not");

    // Two runs of a carried network are one run of twice the length, if only carried variables are in use.
    network.populations[0].variables.iter_mut().for_each(|variable| variable.reset = false);
    let mut carried = Interpreter::new(&network).unwrap();
    let halves = [carried.run(&[train()]).unwrap(), carried.run(&[train()]).unwrap()];
    let mut double = network.clone();
    double.steps *= 2;
    let twice = SpikeTrain::new([train().steps(), train().steps()].concat());
    let whole = Interpreter::new(&double).unwrap().run(&[twice]).unwrap();
    let joined = [halves[0].events[0][0].steps(), halves[1].events[0][0].steps()].concat();
    assert_eq!(whole.events[0][0].steps(), joined);
    assert_eq!(whole.finals, halves[1].finals);
}

#[test]
fn a_projection_before_its_source_carries_the_previous_step() {
    let mut network = network(false);
    // Weights so small that nothing saturates: the order of the sums into I is then no matter.
    let Weights::Dense(weights) = &mut network.projections[0].weights else { panic!("dense") };
    weights.iter_mut().for_each(|weight| *weight /= 64);
    network.schedule = vec![Phase::Propagate(0), Phase::Update(0), Phase::Propagate(1)];
    let late = Interpreter::new(&network).unwrap().run(&[train()]).unwrap();
    network.schedule = vec![Phase::Propagate(1), Phase::Propagate(0), Phase::Update(0)];
    let early = Interpreter::new(&network).unwrap().run(&[train()]).unwrap();
    assert!(early.events[0][0].count() > 100);
    assert_eq!(late.events, early.events, "at the end of a step or at the beginning of the next is the same");
    let in_last_step = early.events[0][0].steps().last().is_some_and(|spikes| !spikes.is_empty());
    assert_eq!(late.finals[0][1] != early.finals[0][1], in_last_step, "only the late order has delivered those");
}

#[test]
fn wrong_inputs_are_refused_with_their_place() {
    let network = network(false);
    let mut interpreter = Interpreter::new(&network).unwrap();
    assert_eq!(interpreter.run(&[]), Err(RunError::Inputs { expected: 1, found: 0 }));
    let short = SpikeTrain::silent(3);
    let error = interpreter.run(&[short]).unwrap_err();
    assert_eq!(error, RunError::Steps { input: "in".into(), expected: STEPS, found: 3 });
    let mut steps = vec![vec![]; STEPS as usize];
    steps[9] = vec![INPUTS];
    let error = interpreter.run(&[SpikeTrain::new(steps)]).unwrap_err();
    assert_eq!(error, RunError::Neuron { input: "in".into(), size: INPUTS, neuron: INPUTS, step: 9 });
    assert_eq!(error.to_string(), "input `in` has 7 neurons, but neuron 7 spikes in step 9");
}

#[test]
fn an_ill_formed_network_is_not_executed() {
    let mut network = network(false);
    network.steps = 0;
    assert_eq!(Interpreter::new(&network).unwrap_err().len(), 1);
}

#[test]
fn spike_trains_compare_step_by_step() {
    let a = SpikeTrain::new(vec![vec![3, 1, 3], vec![], vec![2]]);
    assert_eq!(a.steps(), [vec![1, 3], vec![], vec![2]]);
    assert_eq!((a.len(), a.count(), a.counts(3)), (3, 3, vec![0, 1, 1]));
    let b = SpikeTrain::new(vec![vec![1, 2], vec![0]]);
    assert_eq!(a.mismatches(&b), 4);
    assert_eq!(b.mismatches(&a), 4);
    assert_eq!(a.mismatches(&a), 0);
}

/// A neuron that always spikes drives one that counts, over two runs of three steps, in every combination of what begins
/// anew and of how long spikes are on their way. What comes out was worked out step by step on paper.
#[test]
fn what_is_on_its_way_is_reset_with_what_it_belongs_to() {
    let integer = |name: &str| Slot { name: name.into(), ty: Type::INT };
    let population = |name: &str, body: Vec<Stmt>, reset: bool| Population {
        name: name.into(),
        size: 1,
        kernel: Kernel { variables: vec![integer("N")], events: vec!["Spike".into()], body, ..Kernel::default() },
        variables: vec![Variable { initial: Values::Uniform(0), reset }],
        parameters: vec![],
    };
    let counts = |delays: &Delays, source: bool, target: bool| {
        let network = Network {
            name: "relay".into(),
            time_step_ms: None,
            steps: 3,
            state: StatePolicy::Carried,
            seed: 1,
            inputs: vec![],
            populations: vec![population("source", vec![Stmt::Emit(0)], source), population("target", vec![], target)],
            projections: vec![Projection {
                name: "relay".into(),
                source: Source::Events { population: 0, event: 0 },
                target: 1,
                variable: 0,
                weights: Weights::Dense(vec![1]),
                delays: delays.clone(),
            }],
            // Spikes of a step arrive in the next one at the earliest.
            schedule: vec![Phase::Propagate(0), Phase::Update(0), Phase::Update(1)],
            outputs: vec![Output { population: 1, quantity: Quantity::Variable(0), readout: Readout::Last }],
            recordings: vec![],
        };
        let mut interpreter = Interpreter::new(&network).unwrap();
        [0, 1].map(|_| interpreter.run(&[]).unwrap().finals[1][0][0])
    };
    let [none, two, ring] = [Delays::None, Delays::Uniform(2), Delays::Ring(vec![2])];
    // Whether the source begins anew, whether the target does: the count after the first and after the second run.
    let cases = [
        (&none, false, false, [2, 5]),
        (&none, true, false, [2, 4]),
        (&none, false, true, [2, 3]),
        (&none, true, true, [2, 2]),
        (&two, false, false, [0, 3]),
        (&two, true, false, [0, 0]),
        (&two, false, true, [0, 3]),
        (&two, true, true, [0, 0]),
        (&ring, false, false, [0, 3]),
        (&ring, true, false, [0, 2]),
        (&ring, false, true, [0, 1]),
        (&ring, true, true, [0, 0]),
    ];
    for (delays, source, target, expected) in cases {
        assert_eq!(counts(delays, source, target), expected, "{delays:?}, source {source}, target {target}");
    }
}

/// The network of the other tests with another program.
fn with_body(body: Vec<Stmt>) -> Network {
    let mut network = network(false);
    network.populations[0].kernel.body = body;
    network.projections.clear();
    network.schedule = vec![Phase::Update(0)];
    network.steps = 1;
    network
}

/// Every neuron goes through a loop as often as its own variables say, and draws last as long as the slowest of its vector.
#[test]
fn loops_end_when_the_last_lane_has_left() {
    let [v, i, counted] = [0, 1, 2].map(Expr::Variable);
    let more = |variable: usize, by: i16| {
        set(variable, binary(BinaryOp::AddSaturating, Expr::Variable(variable), Expr::Constant(by)))
    };
    let count = set(2, binary(BinaryOp::Add, counted, Expr::Constant(1)));
    // V counts down from the neuron's number; from 30 down to 21 nothing else happens, and at 5 the loop is left.
    let body = vec![
        Stmt::Loop {
            body: vec![
                Stmt::While(compare(CompareOp::Greater, v.clone(), Expr::Constant(0))),
                more(0, -1),
                Stmt::If {
                    condition: Cond::And(
                        Box::new(compare(CompareOp::Less, v.clone(), Expr::Constant(30))),
                        Box::new(compare(CompareOp::Greater, v.clone(), Expr::Constant(20))),
                    ),
                    then: vec![Stmt::Continue],
                    otherwise: vec![],
                },
                more(1, 1),
                Stmt::If {
                    condition: compare(CompareOp::Equal, v, Expr::Constant(5)),
                    then: vec![Stmt::Emit(0), Stmt::Break],
                    otherwise: vec![],
                },
            ],
            step: vec![count, set(0, binary(BinaryOp::AddSaturating, Expr::Variable(0), Expr::Constant(0)))],
        },
        set(1, binary(BinaryOp::AddSaturating, i, Expr::Constant(100))),
    ];
    let network = with_body(body);
    let run = Interpreter::new(&network).unwrap().run(&[SpikeTrain::silent(1)]).unwrap();
    for neuron in 0..NEURONS as i16 {
        // With the machine's C: one neuron after the other.
        let (mut v, mut i, mut counted, mut spike) = (neuron, 0, 0, false);
        while v > 0 {
            v -= 1;
            if !(v < 30 && v > 20) {
                i += 1;
                if v == 5 {
                    spike = true;
                    break;
                }
            }
            counted += 1;
        }
        let found = [0, 1, 2].map(|variable| run.finals[0][variable][neuron as usize]);
        assert_eq!(found, [v, i + 100, counted], "neuron {neuron}");
        assert_eq!(run.events[0][0].steps()[0].contains(&(neuron as u32)), spike, "neuron {neuron}");
    }
}

/// Random numbers are drawn for all lanes in every iteration, and none for lanes without a neuron on their own account.
#[test]
fn loops_draw_for_all_lanes() {
    let times = |variable: usize| {
        vec![
            Stmt::While(compare(CompareOp::Greater, Expr::Variable(variable), Expr::Constant(0))),
            set(variable, binary(BinaryOp::AddSaturating, Expr::Variable(variable), Expr::Constant(-1))),
            set(1, Expr::Random),
        ]
    };
    let network = with_body(vec![Stmt::Loop { body: times(0), step: vec![] }, set(2, Expr::Random)]);
    let run = Interpreter::new(&network).unwrap().run(&[SpikeTrain::silent(1)]).unwrap();
    let mut generators = generator_seeds(network.seed);
    let mut draw = || -> Vec<i16> { generators.iter_mut().map(|generator| (generator.next() >> 1) as i16).collect() };
    // V begins at the neuron's number: the first vector takes 31 turns, the second, with neurons up to 39, takes 39.
    let first: Vec<Vec<i16>> = (0..31).map(|_| draw()).collect();
    let behind = draw();
    let second: Vec<Vec<i16>> = (0..39).map(|_| draw()).collect();
    let last = draw();
    for neuron in 0..NEURONS as usize {
        let (turns, expected) = if neuron < 32 { (&first, &behind) } else { (&second, &last) };
        assert_eq!(run.finals[0][2][neuron], expected[neuron % 32]);
        let in_loop = neuron.checked_sub(1).map_or(0, |turn| turns[turn][neuron % 32]);
        assert_eq!(run.finals[0][1][neuron], in_loop, "neuron {neuron}");
    }
}

#[test]
fn a_loop_without_end_is_given_up() {
    let positive = compare(CompareOp::GreaterEqual, Expr::Variable(0), Expr::Constant(33));
    let network = with_body(vec![Stmt::Loop { body: vec![Stmt::While(positive)], step: vec![] }]);
    let error = Interpreter::new(&network).unwrap().run(&[SpikeTrain::silent(1)]).unwrap_err();
    let expected = RunError::Endless { population: "lif".into(), first: 32, step: 0 };
    assert_eq!(error, expected, "{error}");
}

/// The definition in words against the function: all values, for a table of five codes.
#[test]
fn tables_are_straight_between_their_entries() {
    let table = Table { name: "zigzag".into(), codes: vec![-32768, 100, -7, 32767, 5] };
    for shift in [1u8, 4, 9, 13, 15] {
        for value in i16::MIN..=i16::MAX {
            let (whole, unit) = (i64::from(value).div_euclid(1 << shift), 1i64 << shift);
            let (index, fraction) = (whole.rem_euclid(4) as usize, i64::from(value).rem_euclid(unit));
            let wrap = |x: i64| x as i16;
            let [entry, next] = [table.codes[index], table.codes[index + 1]].map(i64::from);
            let slope = i64::from(wrap(next - entry));
            let expected = wrap(entry + i64::from(wrap((slope * fraction + unit / 2).div_euclid(unit))));
            assert_eq!(table.interpolate(value, shift), expected, "{value} {shift}");
        }
    }
}
