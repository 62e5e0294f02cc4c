//! Every rule of the verifier, broken once.

use fenn_compiler::kernel::{BinaryOp, CompareOp, Cond, Expr, Kernel, Place, Rounding, Slot, Stmt, Table, Type};
use fenn_compiler::network::{
    Delays, Encoding, Input, Network, Output, Phase, Population, Projection, Quantity, Readout, Recording, Source,
    StatePolicy, Values, Variable, Weights, Window,
};
use fenn_compiler::verify::{VerifyError, verify};
use fenn_isa::fixed::Format;

fn slot(name: &str, fraction_bits: u8) -> Slot {
    Slot { name: name.into(), ty: Type { format: Format::new(fraction_bits).unwrap(), saturating: true } }
}

fn add(left: Expr, right: Expr) -> Expr {
    Expr::Binary { op: BinaryOp::AddSaturating, left: Box::new(left), right: Box::new(right) }
}

fn assign(place: Place, value: Expr) -> Stmt {
    Stmt::Assign { place, value }
}

fn greater(left: Expr, right: Expr) -> Cond {
    Cond::Compare { op: CompareOp::Greater, left, right }
}

/// A network that is well-formed: 3 inputs onto 2 neurons that project onto themselves.
fn good() -> Network {
    let kernel = Kernel {
        variables: vec![slot("V", 10), slot("I", 12)],
        parameters: vec![slot("Threshold", 10)],
        events: vec!["Spike".into()],
        locals: vec![slot("U", 10)],
        tables: vec![],
        body: vec![
            assign(
                Place::Local(0),
                Expr::ShiftRight { value: Box::new(Expr::Variable(1)), shift: 2, rounding: Rounding::Nearest },
            ),
            assign(Place::Variable(0), add(Expr::Variable(0), Expr::Local(0))),
            Stmt::If {
                condition: greater(Expr::Variable(0), Expr::Parameter(0)),
                then: vec![Stmt::Emit(0), assign(Place::Variable(0), Expr::Constant(0))],
                otherwise: vec![],
            },
            assign(Place::Variable(1), Expr::Constant(0)),
        ],
    };
    let zero = Variable { initial: Values::Uniform(0), reset: true };
    Network {
        name: "good".into(),
        time_step_ms: Some(1.0),
        steps: 4,
        state: StatePolicy::Reset,
        seed: 0,
        inputs: vec![Input { name: "in".into(), size: 3, encoding: Encoding::Spikes }],
        populations: vec![Population {
            name: "p".into(),
            size: 2,
            kernel,
            variables: vec![zero.clone(), zero],
            parameters: vec![Values::PerNeuron(vec![1, 2])],
        }],
        projections: vec![
            Projection {
                name: "in->p".into(),
                source: Source::Input(0),
                target: 0,
                variable: 1,
                weights: Weights::Dense(vec![0; 6]),
                delays: Delays::None,
            },
            Projection {
                name: "p->p".into(),
                source: Source::Events { population: 0, event: 0 },
                target: 0,
                variable: 1,
                weights: Weights::Dense(vec![0; 4]),
                delays: Delays::None,
            },
        ],
        schedule: vec![Phase::Propagate(0), Phase::Propagate(1), Phase::Update(0)],
        outputs: vec![Output { population: 0, quantity: Quantity::Event(0), readout: Readout::Count }],
        recordings: vec![Recording { population: 0, quantity: Quantity::Variable(0), window: Window::WHOLE }],
    }
}

/// The errors after `break_it`, as text.
fn errors(break_it: impl FnOnce(&mut Network)) -> Vec<String> {
    let mut network = good();
    break_it(&mut network);
    verify(&network).expect_err("a broken network").iter().map(VerifyError::to_string).collect()
}

/// `break_it` breaks one rule, whose message has all of `parts`.
#[track_caller]
fn breaks(break_it: impl FnOnce(&mut Network), parts: &[&str]) {
    let errors = errors(break_it);
    assert_eq!(errors.len(), 1, "{errors:?}");
    for part in parts {
        assert!(errors[0].contains(part), "`{}` lacks `{part}`", errors[0]);
    }
}

fn body(network: &mut Network) -> &mut Vec<Stmt> {
    &mut network.populations[0].kernel.body
}

#[test]
fn a_good_network_is_accepted() {
    assert_eq!(verify(&good()), Ok(()));
}

#[test]
fn rule_1_steps_and_time_step() {
    breaks(|n| n.steps = 0, &["0 steps"]);
    for step in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        breaks(|n| n.time_step_ms = Some(step), &["time step"]);
    }
}

#[test]
fn rule_2_inputs_and_populations() {
    breaks(|n| n.inputs[0].name.clear(), &["input 0", "empty name"]);
    breaks(|n| n.inputs[0].name = "p".into(), &["population 0", "`p` is taken"]);
    let none = |n: &mut Network| {
        n.inputs[0].size = 0;
        n.projections[0].weights = Weights::Dense(vec![]);
    };
    breaks(none, &["input `in`", "no neurons"]);
    let none = |n: &mut Network| {
        n.populations[0].size = 0;
        n.populations[0].parameters[0] = Values::Uniform(0);
        n.projections.iter_mut().for_each(|p| p.weights = Weights::Dense(vec![]));
    };
    breaks(none, &["population `p`", "no neurons"]);
    for (tau, threshold) in [(0.0, 0.0), (f64::NAN, 0.0), (1.0, -1.0), (1.0, f64::INFINITY)] {
        breaks(|n| n.inputs[0].encoding = Encoding::Latency { tau, threshold }, &["input `in`", "latency"]);
    }
}

#[test]
fn rule_3_names_in_a_kernel() {
    breaks(|n| n.populations[0].kernel.variables[1].name = "V".into(), &["population `p`, variable", "`V` is taken"]);
    breaks(|n| n.populations[0].kernel.parameters[0].name = "U".into(), &["population `p`, local", "`U` is taken"]);
    breaks(|n| n.populations[0].kernel.locals[0].name.clear(), &["population `p`, local", "empty"]);
    breaks(|n| n.populations[0].kernel.events[0] = "V".into(), &["population `p`, event", "`V` is taken"]);
}

#[test]
fn rule_4_references_and_shifts() {
    let place = |index: usize| format!("population `p`, statement {index} ");
    for (stmt, what) in [
        (assign(Place::Variable(2), Expr::Constant(0)), "variable 2, but there are 2"),
        (assign(Place::Local(1), Expr::Constant(0)), "local 1, but there are 1"),
        (assign(Place::Variable(0), Expr::Variable(7)), "variable 7"),
        (assign(Place::Variable(0), Expr::Parameter(1)), "parameter 1"),
        (assign(Place::Variable(0), Expr::Local(1)), "local 1"),
        (Stmt::Emit(1), "event 1, but there are 1"),
        (assign(Place::Variable(0), Expr::ShiftLeft { value: Box::new(Expr::Random), shift: 16 }), "shifts by 16"),
        (
            assign(
                Place::Variable(0),
                Expr::ShiftRight { value: Box::new(Expr::Random), shift: 255, rounding: Rounding::Zero },
            ),
            "shifts by 255",
        ),
        (
            assign(
                Place::Variable(0),
                Expr::Multiply {
                    left: Box::new(Expr::Random),
                    right: Box::new(Expr::Constant(1)),
                    shift: 16,
                    rounding: Rounding::Zero,
                    saturating: false,
                },
            ),
            "shifts by 16",
        ),
    ] {
        breaks(|n| body(n).push(stmt), &[&place(4), what]);
    }
    let nested = |n: &mut Network| {
        let Stmt::If { then, otherwise, .. } = &mut body(n)[2] else { panic!("statement 2 is an if") };
        otherwise.push(then[0].clone());
        otherwise.push(Stmt::Emit(3));
    };
    breaks(nested, &["statement 2.else.1", "event 3"]);
}

#[test]
fn rule_4_holds_inside_conditions() {
    let unknown = || greater(Expr::Variable(9), Expr::Constant(0));
    let fine = || greater(Expr::Variable(0), Expr::Constant(0));
    for cond in [
        unknown(),
        Cond::And(Box::new(fine()), Box::new(unknown())),
        Cond::Or(Box::new(unknown()), Box::new(fine())),
        Cond::Not(Box::new(unknown())),
    ] {
        let select = Expr::Select {
            condition: Box::new(cond.clone()),
            then: Box::new(Expr::Constant(0)),
            otherwise: Box::new(Expr::Constant(1)),
        };
        breaks(|n| body(n).push(assign(Place::Variable(0), select)), &["statement 4", "variable 9"]);
        let stmt = Stmt::If { condition: cond, then: vec![], otherwise: vec![] };
        breaks(|n| body(n).push(stmt), &["statement 4", "variable 9"]);
    }
}

#[test]
fn rule_4_tables_and_what_belongs_into_loops() {
    let interpolate = |table, shift| Expr::Interpolate { table, value: Box::new(Expr::Variable(0)), shift };
    let table = |codes: usize| Table { name: "square".into(), codes: vec![0; codes] };
    let good = |n: &mut Network| n.populations[0].kernel.tables.push(table(5));
    breaks(|n| body(n).push(assign(Place::Variable(0), interpolate(0, 3))), &["table 0, but there are 0"]);
    for shift in [0, 16] {
        let stmt = assign(Place::Variable(0), interpolate(0, shift));
        breaks(|n| (good(n), body(n).push(stmt)).1, &["statement 4", "shifts by"]);
    }
    for codes in [0, 1, 2, 4, 64, 2049] {
        breaks(|n| n.populations[0].kernel.tables.push(table(codes)), &["table `square`", "2^k + 1"]);
    }
    let always = || greater(Expr::Variable(0), Expr::Constant(0));
    let inside = |stmt: Stmt| Stmt::If { condition: always(), then: vec![stmt], otherwise: vec![] };
    let repeat = |body: Vec<Stmt>, step: Vec<Stmt>| Stmt::Loop { body, step };
    for (stmt, parts) in [
        (Stmt::Break, ["statement 4 is a break", "any loop"]),
        (Stmt::Continue, ["statement 4 is a continue", "any loop"]),
        (Stmt::While(always()), ["statement 4 is a condition", "in a loop itself"]),
        (repeat(vec![inside(Stmt::While(always()))], vec![]), ["statement 4.body.0.then.0", "in a loop itself"]),
        (repeat(vec![], vec![Stmt::Continue]), ["statement 4.step.0", "any loop's body"]),
    ] {
        breaks(|n| body(n).push(stmt), &parts);
    }
    let fine = repeat(vec![Stmt::While(always()), inside(Stmt::Break), inside(Stmt::Continue)], vec![Stmt::Break]);
    let mut network = self::good();
    body(&mut network).push(repeat(vec![fine], vec![Stmt::While(always())]));
    assert_eq!(verify(&network), Ok(()));
}

#[test]
fn rule_5_holds_for_loops() {
    let always = || greater(Expr::Variable(0), Expr::Constant(0));
    let inside = |then: Vec<Stmt>| Stmt::If { condition: always(), then, otherwise: vec![] };
    let set = || assign(Place::Local(0), Expr::Variable(0));
    let get = || assign(Place::Variable(0), Expr::Local(0));
    let accepted = |loop_body: Vec<Stmt>, step: Vec<Stmt>, behind: Vec<Stmt>| {
        let mut network = good();
        *body(&mut network) = [vec![Stmt::Loop { body: loop_body, step }], behind].concat();
        verify(&network).is_ok()
    };
    // The condition comes first: perhaps nobody assigns.
    assert!(!accepted(vec![Stmt::While(always()), set()], vec![], vec![get()]));
    assert!(accepted(vec![set()], vec![Stmt::While(always())], vec![get()]));
    // One of the ways out has no value.
    assert!(!accepted(vec![inside(vec![Stmt::Break]), set()], vec![Stmt::While(always())], vec![get()]));
    assert!(accepted(vec![inside(vec![set(), Stmt::Break]), set()], vec![Stmt::While(always())], vec![get()]));
    // Nor has one of the ways to the step.
    assert!(!accepted(vec![inside(vec![Stmt::Continue]), set()], vec![get(), Stmt::While(always())], vec![]));
    assert!(accepted(vec![set(), inside(vec![Stmt::Continue])], vec![get(), Stmt::While(always())], vec![]));
    // What an iteration leaves is not there in the first one.
    assert!(!accepted(vec![get(), set()], vec![Stmt::While(always())], vec![]));
}

#[test]
fn rule_5_locals_are_assigned_before_they_are_read() {
    breaks(|n| body(n).swap(0, 1), &["statement 0", "`U`", "assigned"]);
    let in_one_branch = |n: &mut Network| {
        let first = body(n).remove(0);
        let condition = greater(Expr::Variable(0), Expr::Constant(0));
        body(n).insert(0, Stmt::If { condition, then: vec![first], otherwise: vec![] });
    };
    breaks(in_one_branch, &["statement 1", "`U`"]);
    let mut network = good();
    let first = body(&mut network).remove(0);
    let condition = greater(Expr::Variable(0), Expr::Constant(0));
    body(&mut network).insert(0, Stmt::If { condition, then: vec![first.clone()], otherwise: vec![first] });
    assert_eq!(verify(&network), Ok(()), "assigned in both branches is assigned");
}

#[test]
fn rule_6_formats_and_saturation() {
    let mixed = add(Expr::Variable(0), Expr::Variable(1));
    breaks(|n| body(n).push(assign(Place::Variable(0), mixed)), &["`V` (s5_10_sat_t)", "`I` (s3_12_sat_t)"]);
    breaks(|n| body(n).push(assign(Place::Variable(0), Expr::Variable(1))), &["statement 4", "`V`", "`I`"]);
    let condition = greater(Expr::Parameter(0), Expr::Variable(1));
    breaks(|n| body(n).push(Stmt::If { condition, then: vec![], otherwise: vec![] }), &["`Threshold`", "`I`"]);
    let select = Expr::Select {
        condition: Box::new(greater(Expr::Variable(0), Expr::Constant(0))),
        then: Box::new(Expr::Variable(0)),
        otherwise: Box::new(Expr::Variable(1)),
    };
    breaks(|n| body(n).push(assign(Place::Variable(0), add(select, Expr::Constant(1)))), &["`V`", "`I`"]);
    for op in [BinaryOp::Add, BinaryOp::Sub] {
        let wraps = Expr::Binary { op, left: Box::new(Expr::Constant(1)), right: Box::new(Expr::Variable(0)) };
        breaks(|n| body(n).push(assign(Place::Variable(0), wraps)), &["statement 4", "`V`", "wrap-around"]);
    }
}

#[test]
fn rule_7_values() {
    breaks(|n| n.populations[0].parameters.clear(), &["population `p`", "0 parameters", "has 1"]);
    let surplus = |n: &mut Network| {
        let more = n.populations[0].variables[0].clone();
        n.populations[0].variables.push(more);
    };
    breaks(surplus, &["population `p`", "3 variables", "has 2"]);
    let long = |n: &mut Network| n.populations[0].parameters[0] = Values::PerNeuron(vec![0; 3]);
    breaks(long, &["`Threshold`", "3 numbers", "needs 2"]);
    let short = |n: &mut Network| n.populations[0].variables[1].initial = Values::PerNeuron(vec![0]);
    breaks(short, &["`I`", "1 numbers", "needs 2"]);
}

#[test]
fn rule_8_projections() {
    breaks(|n| n.projections[1].name = "in->p".into(), &["projection 1", "`in->p` is taken"]);
    breaks(|n| n.projections[0].source = Source::Input(1), &["projection `in->p`", "input 1"]);
    let event = |n: &mut Network| n.projections[1].source = Source::Events { population: 0, event: 1 };
    breaks(event, &["projection `p->p`", "event 1"]);
    let population = |n: &mut Network| n.projections[1].source = Source::Events { population: 1, event: 0 };
    breaks(population, &["projection `p->p`", "population 1"]);
    breaks(|n| n.projections[1].target = 1, &["projection `p->p`", "population 1"]);
    breaks(|n| n.projections[1].variable = 2, &["projection `p->p`", "variable 2"]);
    breaks(|n| n.projections[0].weights = Weights::Dense(vec![0; 5]), &["`in->p`", "5 numbers", "needs 6"]);
}

#[test]
fn rule_9_schedule() {
    let missing = |n: &mut Network| {
        n.schedule.remove(1);
    };
    breaks(missing, &["projection `p->p`", "missing"]);
    breaks(|n| n.schedule.push(Phase::Update(0)), &["population `p`", "more than once"]);
    breaks(|n| n.schedule.push(Phase::Propagate(2)), &["phase 3", "projection 2"]);
    breaks(|n| n.schedule.push(Phase::Update(1)), &["phase 3", "population 1"]);
}

#[test]
fn rule_10_results() {
    breaks(|n| n.outputs.clear(), &["no output"]);
    breaks(|n| n.outputs[0].population = 1, &["output 0", "population 1"]);
    breaks(|n| n.outputs[0].quantity = Quantity::Event(1), &["output 0", "event 1"]);
    breaks(|n| n.outputs[0].readout = Readout::Max, &["output 0", "Max"]);
    breaks(|n| n.outputs[0].quantity = Quantity::Variable(0), &["output 0", "Count"]);
    breaks(|n| n.recordings[0].quantity = Quantity::Variable(2), &["recording 0", "variable 2"]);
    let twice = |n: &mut Network| n.recordings.push(n.recordings[0]);
    breaks(twice, &["recording 1", "twice"]);
}

#[test]
fn rule_11_reset() {
    breaks(|n| n.populations[0].variables[1].reset = false, &["population `p`, `I`", "not reset"]);
    let mut carried = good();
    carried.state = StatePolicy::Carried;
    carried.populations[0].variables[1].reset = false;
    assert_eq!(verify(&carried), Ok(()));
}

#[test]
fn all_broken_rules_are_reported_at_once() {
    let broken = errors(|n| {
        n.steps = 0;
        n.outputs.clear();
        n.projections[0].target = 4;
        n.schedule.pop();
    });
    assert_eq!(broken.len(), 4, "{broken:?}");
}
