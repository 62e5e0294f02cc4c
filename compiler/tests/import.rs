//! Importing NIR graphs: published spikes, a second simulator, and everything that is refused.

mod nir_graphs;

use fenn_compiler::import::linear::Map;
use fenn_compiler::import::model::Model;
use fenn_compiler::import::quantize::{self, Choice, Formats, Roundings};
use fenn_compiler::import::{
    Comparison, ImportError, Imported, Method, Options, Part, Record, Reset, RoundingName, SpikeFrom, float, import,
};
use fenn_compiler::interpret::{Interpreter, Run, RunError, SpikeTrain};
use fenn_compiler::network::{Network, Phase, Quantity, Readout, Source, Values};
use fenn_compiler::nir::{Edge, Graph, Matrix, Node, read};
use fenn_isa::fixed::Format;
use nir_graphs::{
    Emulator, Simulator, affine, cuba_li, cuba_lif, graph, input, li, lif, linear, output, published, repository_file,
};
use proptest::prelude::*;

fn options(steps: u32, dt: f64) -> Options {
    Options { dt: Some(dt), ..Options::new("test", steps) }
}

/// The rows of a CSV file of numbers.
fn rows(path: &std::path::Path) -> Vec<Vec<f64>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split(',').map(|cell| cell.trim().parse().unwrap()).collect()).collect()
}

/// The columns that are not 0 in each row.
fn spikes(rows: &[Vec<f64>]) -> SpikeTrain {
    let list = |row: &Vec<f64>| (0..row.len() as u32).filter(|&n| row[n as usize] != 0.0).collect();
    SpikeTrain::new(rows.iter().map(list).collect())
}

fn steps_with_spikes(train: &SpikeTrain) -> Vec<usize> {
    (0..train.len()).filter(|&step| !train.steps()[step].is_empty()).collect()
}

/// Formats for `I` and `V`, and rounding to nearest.
fn choice(current: &str, potential: &str) -> Choice {
    let formats = Formats { current: current.parse().unwrap(), potential: potential.parse().unwrap() };
    Choice { formats, roundings: Roundings::both(RoundingName::Nearest.into()) }
}

fn execute(network: &Network, inputs: &[SpikeTrain]) -> Run {
    Interpreter::new(network).unwrap().run(inputs).unwrap()
}

fn position(network: &Network, name: &str) -> usize {
    network.populations.iter().position(|population| population.name == name).unwrap()
}

/// The single LIF neuron of the NIR paper with its input and the membrane potential norse found.
struct SingleNeuron {
    graph: Graph,
    input: SpikeTrain,
    potential: Vec<f64>,
}

fn single_neuron() -> Option<SingleNeuron> {
    let folder = published()?.join("lif");
    let rows = rows(&folder.join("lif_norse.csv"));
    Some(SingleNeuron {
        graph: read(folder.join("lif_norse.nir")).unwrap(),
        input: spikes(&rows.iter().map(|row| vec![row[0]]).collect::<Vec<_>>()),
        potential: rows.iter().map(|row| row[1]).collect(),
    })
}

#[test]
fn the_single_neuron_spikes_when_published() {
    let Some(SingleNeuron { graph, input, potential }) = single_neuron() else { return };
    let mut options = options(1000, 1e-4);
    options.calibration.samples = vec![vec![input.clone()]];
    // Norse and five more; then lava, Loihi 2 and Spyx, which decide by the old potential.
    for (spike_from, expected) in [(SpikeFrom::New, [460, 510, 710, 760]), (SpikeFrom::Old, [461, 511, 711, 761])] {
        options.spike_from = spike_from;
        let model = Model::new(&graph, &options).unwrap();
        let float = float::run(&model, std::slice::from_ref(&input));
        assert_eq!(steps_with_spikes(&float.spikes[0]), expected, "{spike_from:?}, floating point");
        if spike_from == SpikeFrom::New {
            let furthest = float.potentials[0].iter().zip(&potential).map(|(v, norse)| (v[0] - norse).abs());
            assert!(furthest.fold(0.0, f64::max) < 1e-6, "V differs from norse's");
        }
        let Imported { network, report } = import(&graph, &options).unwrap();
        let run = execute(&network, std::slice::from_ref(&input));
        assert_eq!(
            steps_with_spikes(&run.events[0][0]),
            expected,
            "{spike_from:?}, {:?}",
            report.populations[0].formats
        );
    }
}

#[test]
fn the_single_neuron_needs_ten_fraction_bits() {
    // Published for this project's reference: with 10 and more the four steps are right, with 8 there are no spikes.
    let Some(SingleNeuron { graph, input, .. }) = single_neuron() else { return };
    for (bits, expected) in [(8, vec![]), (10, vec![460, 510, 710, 760]), (12, vec![460, 510, 710, 760])] {
        let model = Model::new(&graph, &options(1000, 1e-4)).unwrap();
        let format = Format::new(bits).unwrap().to_string();
        let (network, _) = quantize::network(&model, &[choice(&format, &format)], Record::None).unwrap();
        let run = execute(&network, std::slice::from_ref(&input));
        assert_eq!(steps_with_spikes(&run.events[0][0]), expected, "{bits} fraction bits");
    }
}

/// A Braille classifier of the NIR paper, one sample of class 1, and the hidden spikes snnTorch published for it.
struct Braille {
    graph: Graph,
    options: Options,
    input: SpikeTrain,
    hidden: SpikeTrain,
    /// Mismatches allowed in 16 bits.
    gate: usize,
}

fn braille() -> Option<[Braille; 2]> {
    let folder = published()?.join("braille");
    let input = spikes(&rows(&folder.join("sample0.csv")));
    let one = |name: &str, reset, gate| {
        let bytes = std::fs::read(folder.join(format!("snntorch_activity_{name}.npy"))).unwrap();
        let file = npyz::NpyFile::new(&bytes[..]).unwrap();
        let width = file.shape()[1] as usize;
        let activity: Vec<f32> = file.into_vec().unwrap();
        let rows: Vec<Vec<f64>> =
            activity.chunks(width).map(|row| row.iter().map(|&value| value.into()).collect()).collect();
        let mut options = Options { reset, ..options(256, 1e-4) };
        options.calibration.samples = vec![vec![input.clone()]];
        let graph = read(folder.join(format!("braille_{name}.nir"))).unwrap();
        Braille { graph, options, input: input.clone(), hidden: spikes(&rows), gate }
    };
    Some([one("noDelay_noBias_subtract", Reset::Snntorch, 2), one("noDelay_bias_zero", Reset::Value, 5)])
}

#[test]
fn braille_in_floating_point_is_snntorch() {
    let Some(both) = braille() else { return };
    for case in &both {
        let model = Model::new(&case.graph, &case.options).unwrap();
        assert_eq!(model.populations.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["lif1.lif", "lif2"]);
        let run = float::run(&model, std::slice::from_ref(&case.input));
        assert!(case.hidden.count() > 100, "a comparison with silence would show nothing");
        assert_eq!(run.spikes[0].mismatches(&case.hidden), 0);
    }
    // Subtracting at once, without snnTorch's delay, is known to differ in 46 places.
    let naive = Options { reset: Reset::Subtract, ..both[0].options.clone() };
    let model = Model::new(&both[0].graph, &naive).unwrap();
    let run = float::run(&model, std::slice::from_ref(&both[0].input));
    assert_eq!(run.spikes[0].mismatches(&both[0].hidden), 46);
}

#[test]
fn braille_in_16_bits_is_within_its_gates() {
    let Some(both) = braille() else { return };
    for case in both {
        let Imported { network, report } = import(&case.graph, &case.options).unwrap();
        let run = execute(&network, std::slice::from_ref(&case.input));
        let mismatches = run.events[position(&network, "lif1.lif")][0].mismatches(&case.hidden);
        let formats = report.populations[0].formats;
        assert!(mismatches <= case.gate, "{mismatches} mismatches with {formats:?}");
        let scores = run.readout(&network, &network.outputs[0]);
        let class = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        assert_eq!(class, Some(1), "{scores:?}");
        assert_eq!(report.validation.populations[0].mismatches, mismatches as f64, "the report says so");
        assert_eq!((report.validation.samples, report.validation.jittered), (1, 24));
    }
}

#[test]
fn braille_agrees_with_a_second_emulator_also_where_it_is_wrong() {
    // Mismatches of the hidden layer in given formats, from an emulator in NumPy that shares nothing with this code.
    let Some([subtract, zero]) = braille() else { return };
    let cases = [
        (&subtract, [("s3.12", "s6.9", 0), ("s3.12", "s5.10", 6), ("s4.11", "s6.9", 18), ("s6.9", "s6.9", 8)]),
        (&zero, [("s3.12", "s6.9", 0), ("s3.12", "s5.10", 1), ("s5.10", "s5.10", 1), ("s6.9", "s6.9", 35)]),
    ];
    for (case, formats) in cases {
        let model = Model::new(&case.graph, &case.options).unwrap();
        for (current, potential, expected) in formats {
            let choices = [choice(current, potential); 2];
            let (network, _) = quantize::network(&model, &choices, Record::None).unwrap();
            let run = execute(&network, std::slice::from_ref(&case.input));
            assert_eq!(run.events[0][0].mismatches(&case.hidden), expected, "{current} and {potential}");
        }
    }
}

#[test]
fn the_shipped_yin_yang_network_imports() {
    let Some(path) = repository_file("programs/yin-yang/yin-yang.nir") else { return };
    let graph = read(path).unwrap();
    let Imported { network, report } = import(&graph, &options(80, 5e-4)).unwrap();
    assert_eq!((network.inputs[0].size, network.outputs[0].readout), (5, Readout::Max));
    assert_eq!(network.populations[network.outputs[0].population].size, 3);
    assert!(report.validation.populations.iter().all(|p| p.mismatches.is_finite()));
}

/// A graph with everything in it: heterogeneous neurons of all types, chains, parallel paths, biases, a cycle of two
/// populations and one of one.
fn everything() -> Graph {
    graph(
        vec![
            ("in", input(4)),
            ("other", input(2)),
            ("skip", linear(3, 4, 1)),
            ("first", affine(5, 4, 2)),
            ("second", affine(3, 5, 3)),
            ("a", cuba_lif(3, 0.5)),
            ("a_to_b", affine(2, 3, 4)),
            ("extra", linear(2, 2, 5)),
            ("b", lif(2, -0.25)),
            ("b_to_a", linear(3, 2, 6)),
            ("b_to_b", linear(2, 2, 7)),
            ("b_to_c", linear(2, 2, 8)),
            ("c", li(2)),
            ("a_to_d", affine(2, 3, 9)),
            ("d", cuba_li(2)),
            ("out_b", output(2)),
            ("out_c", output(2)),
            ("out_d", output(2)),
        ],
        &[
            ("in", "skip"),
            ("skip", "a"),
            ("in", "first"),
            ("first", "second"),
            ("second", "a"),
            ("a", "a_to_b"),
            ("a_to_b", "b"),
            ("other", "extra"),
            ("extra", "b"),
            ("other", "b"),
            ("b", "b_to_a"),
            ("b_to_a", "a"),
            ("b", "b_to_b"),
            ("b_to_b", "b"),
            ("b", "b_to_c"),
            ("b_to_c", "c"),
            ("a", "a_to_d"),
            ("a_to_d", "d"),
            ("b", "out_b"),
            ("c", "out_c"),
            ("d", "out_d"),
        ],
    )
}

/// Spikes at about every third chance, different in each step.
fn busy(size: u32, steps: u32, salt: u32) -> SpikeTrain {
    let hash = |t: u32, n: u32| (t * 7919 + n * 104_729 + salt * 15_485_863).wrapping_mul(2_654_435_761) >> 16;
    SpikeTrain::new((0..steps).map(|t| (0..size).filter(|&n| hash(t, n) % 3 == 0).collect()).collect())
}

/// Every combination of rules.
fn all_rules() -> Vec<Options> {
    let mut all = Vec::new();
    for method in [Method::ForwardEuler, Method::ExponentialEuler] {
        for reset in [Reset::Value, Reset::Subtract, Reset::Snntorch] {
            for comparison in [Comparison::Greater, Comparison::GreaterEqual] {
                for spike_from in [SpikeFrom::New, SpikeFrom::Old] {
                    if (reset, spike_from) != (Reset::Snntorch, SpikeFrom::Old) {
                        all.push(Options { method, reset, comparison, spike_from, ..options(200, 1e-3) });
                    }
                }
            }
        }
    }
    all
}

#[test]
fn a_second_simulator_finds_the_same_spikes_and_potentials() {
    let graph = everything();
    let inputs = [busy(4, 200, 1), busy(2, 200, 2)];
    for options in all_rules() {
        let model = Model::new(&graph, &options).unwrap();
        let names: Vec<&str> = model.populations.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names[..2], ["a", "b"], "both are one connection from an Input, so the name decides");
        let run = float::run(&model, &inputs);
        let mut second = Simulator::new(&graph, &options);
        let trains = std::collections::BTreeMap::from([("in", &inputs[0]), ("other", &inputs[1])]);
        for step in 0..200 {
            second.step(&names, &trains, step);
            for (index, name) in names.iter().enumerate() {
                let (v, spikes) = (&run.potentials[index][step], &run.spikes[index].steps()[step]);
                assert_eq!(*spikes, second.spikes(name), "{name} in step {step} with {options:?}");
                for (a, b) in v.iter().zip(second.potential(name)) {
                    assert!((a - b).abs() < 1e-9, "{name} in step {step}: {a} and {b} with {options:?}");
                }
            }
        }
        assert!(run.spikes[0].count() > 20 && run.spikes[1].count() > 20, "{} spikes", run.spikes[0].count());
    }
}

#[test]
fn a_second_emulator_finds_the_same_codes_under_all_rules() {
    let graph = everything();
    let inputs = [busy(4, 200, 1), busy(2, 200, 2)];
    for options in all_rules() {
        let model = Model::new(&graph, &options).unwrap();
        for (current, potential) in [("s4.11", "s7.8"), ("s6.9", "s6.9"), ("s7.8", "s4.11")] {
            let all = vec![choice(current, potential); model.populations.len()];
            let (network, _) = quantize::network(&model, &all, Record::All).unwrap();
            let run = execute(&network, &inputs);
            let mut second = Emulator::new(&model, &options, all[0].formats);
            for step in 0..200 {
                second.step([&inputs[0].steps()[step], &inputs[1].steps()[step]]);
                for (index, population) in network.populations.iter().enumerate() {
                    let place = || format!("{} in step {step}, {current}/{potential}, {options:?}", population.name);
                    let codes = |variable: usize| -> Vec<i64> {
                        let trace = run.traces[index][variable].as_ref().unwrap();
                        trace[step].iter().map(|&code| code.into()).collect()
                    };
                    assert_eq!(codes(quantize::CURRENT), second.current[index], "I of {}", place());
                    assert_eq!(codes(quantize::POTENTIAL), second.potential[index], "V of {}", place());
                    if let Some(train) = run.events[index].first() {
                        assert_eq!(train.steps()[step], second.spikes[index], "spikes of {}", place());
                    }
                }
            }
            assert!(run.events[0][0].count() > 20 && run.events[1][0].count() > 20);
        }
    }
}

#[test]
fn the_search_finds_formats_that_follow_floating_point() {
    let graph = everything();
    let mut options = options(200, 1e-3);
    options.calibration.samples = vec![vec![busy(4, 200, 1), busy(2, 200, 2)]];
    options.calibration.jittered = 4;
    let report = import(&graph, &options).unwrap().report;
    for (population, agreement) in report.populations.iter().zip(&report.validation.populations) {
        assert!(population.candidates.len() >= 16, "{}", population.name);
        assert!(population.candidates[1..].is_sorted_by(|a, b| a.cost <= b.cost));
        assert_eq!(population.formats, population.candidates[0].formats);
        match agreement.deviation_percent {
            Some(deviation) => assert!(deviation < 2.0, "{}: V deviates by {deviation} %", population.name),
            None => assert!(agreement.correlation.unwrap() > 0.99, "{}: {agreement:?}", population.name),
        }
    }
}

#[test]
fn the_schedule_delays_feedback_only() {
    let graph = everything();
    let model = Model::new(&graph, &options(1, 1e-3)).unwrap();
    let name = |index: usize| model.populations[index].name.as_str();
    let described: Vec<String> = model
        .schedule
        .iter()
        .map(|phase| match *phase {
            Phase::Update(index) => name(index).to_owned(),
            Phase::Propagate(index) => {
                let connection = &model.connections[index];
                let arrow = if connection.is_feedback() { "=>" } else { "->" };
                format!("{}{arrow}{}", model.source_name(connection.source), name(connection.target))
            }
        })
        .collect();
    let expected = ["in->a", "b=>a", "a", "other->b", "a->b", "b=>b", "b", "b->c", "c", "a->d", "d"];
    assert_eq!(described, expected);
}

#[test]
fn neurons_fed_by_an_input_directly_have_unit_weights() {
    let graph = graph(vec![("in", input(3)), ("n", lif(3, 0.0)), ("out", output(3))], &[("in", "n"), ("n", "out")]);
    let model = Model::new(&graph, &options(10, 1e-3)).unwrap();
    assert_eq!(model.connections[0].map, Map::Diagonal(vec![1.0; 3]));
}

#[test]
fn scalar_parameters_take_the_size_of_what_feeds_them() {
    let mut scalar = lif(1, 0.0);
    if let Node::Lif(parameters) = &mut scalar {
        parameters.shape.clear();
    }
    let nodes = || vec![("in", input(3)), ("w", linear(4, 3, 1)), ("n", scalar.clone()), ("out", output(4))];
    let chain = graph(nodes(), &[("in", "w"), ("w", "n"), ("n", "out")]);
    let model = Model::new(&chain, &options(10, 1e-3)).unwrap();
    assert_eq!(model.populations[0].size, 4);
    assert_eq!(model.populations[0].potential.decay(3), model.populations[0].potential.decay(0));
}

#[test]
fn uniform_parameters_stay_uniform_and_others_do_not() {
    let mut uniform = lif(3, 0.0);
    if let Node::Lif(parameters) = &mut uniform {
        parameters.tau = vec![0.02; 3];
    }
    let edges = [("in", "n"), ("n", "out")];
    for (neurons, is_uniform) in [(uniform, true), (lif(3, 0.0), false)] {
        let graph = graph(vec![("in", input(3)), ("n", neurons), ("out", output(3))], &edges);
        let network = import(&graph, &options(50, 1e-3)).unwrap().network;
        let kernel = &network.populations[0].kernel;
        let alpha = kernel.parameters.iter().position(|slot| slot.name == "Alpha").unwrap();
        assert_eq!(matches!(network.populations[0].parameters[alpha], Values::Uniform(_)), is_uniform);
    }
}

#[test]
fn a_decay_that_rounds_to_1_is_kept_in_a_coarser_format() {
    let mut slow = lif(1, 0.0);
    if let Node::Lif(parameters) = &mut slow {
        parameters.tau = vec![1e4];
        parameters.r = vec![1e6];
    }
    let graph = graph(vec![("in", input(1)), ("n", slow), ("out", output(1))], &[("in", "n"), ("n", "out")]);
    let network = import(&graph, &options(50, 1e-3)).unwrap().network;
    let kernel = &network.populations[0].kernel;
    let alpha = kernel.parameters.iter().position(|slot| slot.name == "Alpha").unwrap();
    assert_eq!(kernel.parameters[alpha].ty.format.to_string(), "s1.14");
    assert_eq!(network.populations[0].parameters[alpha], Values::Uniform(1 << 14));
}

#[test]
fn readouts_and_recordings_are_as_asked_for() {
    let graph = everything();
    let Imported { network, .. } = import(&graph, &options(20, 1e-3)).unwrap();
    let names = |network: &Network| -> Vec<(String, Readout)> {
        let name = |population: usize| network.populations[population].name.clone();
        network.outputs.iter().map(|output| (name(output.population), output.readout)).collect()
    };
    let expected = [("b", Readout::Count), ("c", Readout::Max), ("d", Readout::Max)];
    assert_eq!(names(&network), expected.map(|(name, readout)| (name.to_owned(), readout)));
    assert!(network.recordings.is_empty());

    let asked = Options { readout: Some(Readout::Mean), record: Record::Spikes, ..options(20, 1e-3) };
    let Imported { network, .. } = import(&graph, &asked).unwrap();
    assert!(names(&network).iter().all(|(_, readout)| *readout == Readout::Mean));
    assert!(network.outputs.iter().all(|output| output.quantity == Quantity::Variable(quantize::POTENTIAL)));
    assert_eq!(network.recordings.len(), 2, "the spikes of a and b");
    let asked = Options { record: Record::All, ..options(20, 1e-3) };
    assert_eq!(import(&graph, &asked).unwrap().network.recordings.len(), 2 + 2 * 4);
}

#[test]
fn imports_are_the_same_with_any_number_of_threads() {
    let graph = everything();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| import(&graph, &options(100, 1e-3)).unwrap())
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn forced_formats_are_obeyed_and_reported() {
    let graph = everything();
    let mut asked = options(50, 1e-3);
    asked.formats = ["a.I=s4.11", "a.V=s7.8", "c.V=s2_13"].map(|text| text.parse().unwrap()).to_vec();
    let Imported { network, report } = import(&graph, &asked).unwrap();
    let text = |name: &str| {
        let kernel = &network.populations[position(&network, name)].kernel;
        kernel.variables.iter().map(|slot| slot.ty.format.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(text("a"), ["s4.11", "s7.8"]);
    assert_eq!(text("c")[1], "s2.13");
    assert_eq!(report.populations[0].candidates.len(), 1, "nothing was left to search");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["populations"][0]["formats"]["I"], "s4.11");
    assert_eq!(json["options"]["formats"][1], "a.V=s7.8");
}

/// What is said against `graph`.
fn refusals(graph: &Graph, options: &Options) -> Vec<ImportError> {
    import(graph, options).expect_err("a graph to be refused")
}

/// `in -> w -> n -> out` with two inputs and neurons of the given kind.
fn simple(neurons: Node) -> Graph {
    graph(
        vec![("in", input(2)), ("w", linear(2, 2, 1)), ("n", neurons), ("out", output(2))],
        &[("in", "w"), ("w", "n"), ("n", "out")],
    )
}

#[test]
fn options_without_meaning_are_refused() {
    let graph = simple(lif(2, 0.0));
    assert_eq!(refusals(&graph, &Options::new("x", 10)), [ImportError::NoTimeStep]);
    assert_eq!(refusals(&graph, &options(10, -1.0)), [ImportError::TimeStep(-1.0)]);
    assert!(matches!(refusals(&graph, &options(10, f64::NAN))[..], [ImportError::TimeStep(dt)] if dt.is_nan()));
    let both = Options { reset: Reset::Snntorch, spike_from: SpikeFrom::Old, ..options(0, 1e-3) };
    assert_eq!(refusals(&graph, &both), [ImportError::NoSteps, ImportError::ResetAndSpikeFrom]);
    assert!(ImportError::NoTimeStep.to_string().contains("--dt"));
}

#[test]
fn a_graph_that_is_not_well_formed_is_refused() {
    let mut graph = simple(lif(2, 0.0));
    graph.nodes.remove("w");
    let errors = refusals(&graph, &options(10, 1e-3));
    assert!(errors.iter().all(|error| matches!(error, ImportError::Graph(text) if text.contains("`w`"))), "{errors:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever leads where: a network that can be executed, or reasons; never a panic.
    #[test]
    fn graphs_with_any_edges_are_imported_or_refused(
        dropped in proptest::collection::vec(0..21_usize, 0..3),
        added in proptest::collection::vec((0..18_usize, 0..18_usize), 0..4),
    ) {
        let mut graph = everything();
        let names: Vec<String> = graph.nodes.keys().cloned().collect();
        for index in dropped {
            graph.edges.remove(index % graph.edges.len());
        }
        for (from, to) in added {
            let edge = Edge { from: names[from].clone(), to: names[to].clone() };
            if !graph.edges.contains(&edge) {
                graph.edges.push(edge);
            }
        }
        let mut options = options(5, 1e-3);
        options.calibration.generated = 2;
        options.formats = ["a", "b", "c", "d"]
            .iter()
            .flat_map(|name| [format!("{name}.I=s4.11"), format!("{name}.V=s7.8")])
            .map(|text| text.parse().unwrap())
            .collect();
        match import(&graph, &options) {
            Ok(imported) => prop_assert!(Interpreter::new(&imported.network).is_ok()),
            Err(errors) => prop_assert!(!errors.is_empty()),
        }
    }
}

#[test]
fn unsupported_nodes_are_refused_by_name() {
    let mut graph = simple(lif(2, 0.0));
    graph.nodes.insert("w".into(), Node::Other { kind: "Conv3d".into() });
    let errors = refusals(&graph, &options(10, 1e-3));
    assert_eq!(errors, [ImportError::Unsupported { node: "w".into(), kind: "Conv3d".into() }]);
    assert!(errors[0].to_string().contains("`w` is of type Conv3d"));
}

#[test]
fn misplaced_edges_and_nodes_are_refused() {
    let both_ways = graph(
        vec![("in", input(2)), ("n", lif(2, 0.0)), ("out", output(2))],
        &[("in", "n"), ("n", "out"), ("n", "in"), ("out", "n")],
    );
    let edge = |from: &str, to: &str| ImportError::Edge { from: from.into(), to: to.into() };
    assert_eq!(refusals(&both_ways, &options(10, 1e-3)), [edge("n", "in"), edge("out", "n")]);

    let graded = graph(
        vec![("in", input(2)), ("n", li(2)), ("w", linear(2, 2, 1)), ("m", lif(2, 0.0)), ("out", output(2))],
        &[("in", "n"), ("n", "w"), ("w", "m"), ("m", "out")],
    );
    let expected = ImportError::Graded { node: "n".into(), kind: "LI", to: "m".into() };
    assert_eq!(refusals(&graded, &options(10, 1e-3)), [expected]);

    let lost = graph(
        vec![("in", input(2)), ("n", lif(2, 0.0)), ("dead", lif(2, 0.0)), ("island", lif(2, 0.0)), ("out", output(2))],
        &[("in", "n"), ("n", "out"), ("n", "dead"), ("island", "n")],
    );
    let expected = [ImportError::DeadEnd { node: "dead".into() }, ImportError::Unreachable { node: "island".into() }];
    assert_eq!(refusals(&lost, &options(10, 1e-3)), expected);
}

#[test]
fn outputs_that_are_not_one_units_have_a_population_of_their_own() {
    // A linear readout of two populations, to which a bias adds.
    let linear_end = graph(
        vec![
            ("in", input(2)),
            ("m", lif(2, 0.0)),
            ("n", lif(2, 0.0)),
            ("w", affine(3, 2, 1)),
            ("v", linear(3, 2, 2)),
            ("out", output(3)),
        ],
        &[("in", "m"), ("in", "n"), ("m", "w"), ("n", "v"), ("w", "out"), ("v", "out")],
    );
    let options = options(100, 1e-3);
    let model = Model::new(&linear_end, &options).unwrap();
    assert_eq!(model.populations.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["m", "n", "out"]);
    assert_eq!(model.outputs, [(2, Readout::Mean)]);
    let trains = [busy(2, 100, 3)];
    let run = float::run(&model, &trains);
    let (Node::Affine { weight: w, bias }, Node::Linear { weight: v }) =
        (&linear_end.nodes["w"], &linear_end.nodes["v"])
    else {
        panic!("as made above")
    };
    for step in 0..100 {
        for (target, bias) in bias.iter().enumerate().take(3) {
            let part = |population: usize, row: &[f64]| -> f64 {
                run.spikes[population].steps()[step].iter().map(|&spike| row[spike as usize]).sum()
            };
            let expected = bias + part(0, w.row(target)) + part(1, v.row(target));
            assert!((run.potentials[2][step][target] - expected).abs() < 1e-12);
        }
    }
    let network = import(&linear_end, &options).unwrap().network;
    let fixed = execute(&network, &trains).readout(&network, &network.outputs[0]);
    for (fixed, float) in fixed.iter().zip(&run.readouts(&model)[0]) {
        assert!((fixed - float).abs() < 0.02, "{fixed} and {float}");
    }
}

#[test]
fn outputs_without_a_meaning_are_refused() {
    let mut none = simple(lif(2, 0.0));
    none.nodes.insert("none".into(), output(2));
    assert_eq!(refusals(&none, &options(10, 1e-3)), [ImportError::NothingToOutput { output: "none".into() }]);
    let counted = Options { readout: Some(Readout::Count), ..options(10, 1e-3) };
    let expected = ImportError::CountOfPotential { output: "out".into() };
    assert_eq!(refusals(&simple(li(2)), &counted), [expected]);
    // Potentials can be read, but not added up.
    let mut two = simple(li(2));
    two.nodes.insert("m".into(), lif(2, 0.0));
    two.edges.extend([("in", "m"), ("m", "out")].map(|(from, to)| Edge { from: from.into(), to: to.into() }));
    let expected = ImportError::Graded { node: "n".into(), kind: "LI", to: "out".into() };
    assert_eq!(refusals(&two, &options(10, 1e-3)), [expected]);
}

#[test]
fn a_cycle_of_matrices_is_refused() {
    let cycle = graph(
        vec![
            ("in", input(2)),
            ("before", linear(2, 2, 4)),
            ("u", linear(2, 2, 1)),
            ("v", linear(2, 2, 2)),
            ("after", linear(2, 2, 3)),
            ("n", lif(2, 0.0)),
            ("out", output(2)),
        ],
        &[("in", "before"), ("before", "u"), ("u", "v"), ("v", "u"), ("v", "after"), ("after", "n"), ("n", "out")],
    );
    assert_eq!(refusals(&cycle, &options(10, 1e-3)), [ImportError::LinearCycle { nodes: "`u`, `v`".into() }]);
}

#[test]
fn sizes_that_differ_or_are_huge_are_refused() {
    let mut scalar = lif(1, 0.0);
    if let Node::Lif(parameters) = &mut scalar {
        parameters.shape.clear();
    }
    let too_many = graph(
        vec![("in", input(2)), ("n", scalar), ("w", linear(3, 2, 1)), ("out", output(2))],
        &[("in", "w"), ("w", "n"), ("n", "out")],
    );
    let errors = refusals(&too_many, &options(10, 1e-3));
    assert!(
        matches!(&errors[..], [ImportError::Shape { from, node, .. }] if from == "n" && node == "out"),
        "{errors:?}"
    );

    // Through a bottleneck of one number.
    let wide = |rows, cols| Node::Linear { weight: Matrix { rows, cols, data: vec![1.0; rows * cols] } };
    let huge = graph(
        vec![
            ("in", input(1 << 14)),
            ("a", wide(1, 1 << 14)),
            ("b", wide(1 << 14, 1)),
            ("n", lif(1 << 14, 0.0)),
            ("out", output(1 << 14)),
        ],
        &[("in", "a"), ("a", "b"), ("b", "n"), ("n", "out")],
    );
    let expected = ImportError::TooLarge { node: "b".into(), weights: 1 << 28, limit: 1 << 26 };
    assert_eq!(refusals(&huge, &options(10, 1e-3)), [expected]);
    let many = graph(
        vec![
            ("in", input(1 << 25)),
            ("n", Node::Flatten { input_shape: None, start_dim: 0, end_dim: 0 }),
            ("out", output(1 << 25)),
        ],
        &[("in", "n"), ("n", "out")],
    );
    assert!(
        matches!(&refusals(&many, &options(10, 1e-3))[..], [ImportError::NodeTooLarge { node, .. }] if node == "n")
    );
}

#[test]
fn steps_longer_than_a_time_constant_need_exponential_euler() {
    let graph = simple(cuba_lif(2, 0.0));
    let errors = refusals(&graph, &options(10, 0.0105));
    let ImportError::StepTooLong { node, constant, neuron, .. } = &errors[0] else { panic!("{errors:?}") };
    assert_eq!((node.as_str(), *constant, *neuron), ("n", "tau_syn", 0));
    let exponential = Options { method: Method::ExponentialEuler, ..options(10, 0.0105) };
    assert!(import(&graph, &exponential).is_ok());
}

#[test]
fn numbers_beyond_all_formats_are_refused() {
    let with = |change: fn(&mut fenn_compiler::nir::Lif)| {
        let mut neurons = lif(2, 0.0);
        if let Node::Lif(parameters) = &mut neurons {
            change(parameters);
        }
        refusals(&simple(neurons), &options(10, 1e-3))
    };
    let infinite = with(|parameters| parameters.r = vec![f64::MAX, 1.0]);
    // Finite, since dt/τ and the weights are below 1.
    assert!(matches!(&infinite[0], ImportError::NoFormat { node, part: Part::Current, .. } if node == "n"));
    let small = with(|parameters| parameters.v_threshold = vec![1e-9; 2]);
    assert!(matches!(&small[0], ImportError::NoFormat { node, part: Part::Potential, .. } if node == "n"));
    let large = with(|parameters| parameters.v_threshold = vec![1e9; 2]);
    assert!(matches!(&large[0], ImportError::NoFormat { part: Part::Potential, why, .. } if why.contains("1.000e9")));

    let mut overflow = cuba_lif(2, 0.0);
    if let Node::CubaLif(parameters) = &mut overflow {
        parameters.r = vec![1e200; 2];
        parameters.w_in = vec![1e200; 2];
    }
    assert_eq!(refusals(&simple(overflow), &options(10, 1e-3)), [ImportError::NotFinite { node: "n".into() }]);
}

#[test]
fn impossible_choices_of_formats_are_refused() {
    let graph = simple(lif(2, 0.0));
    let forced = |texts: &[&str]| {
        let mut asked = options(10, 1e-3);
        asked.formats = texts.iter().map(|text| text.parse().unwrap()).collect();
        refusals(&graph, &asked)
    };
    let expected = ImportError::UnknownPopulation { population: "m".into(), known: "`n`".into() };
    assert_eq!(forced(&["m.V=s3.12"]), [expected]);
    let (current, potential) = ("s15.0".parse().unwrap(), "s0.15".parse().unwrap());
    let expected = ImportError::FormatsApart { node: "n".into(), current, potential };
    assert_eq!(forced(&["n.I=s15.0", "n.V=s0.15"]), [expected]);
    for wrong in ["", "n", "n=s3.12", "n.W=s3.12", ".V=s3.12", "n.V=3.12", "n.V=s3.13"] {
        let error = wrong.parse::<fenn_compiler::import::ForcedFormat>().unwrap_err();
        assert!(error.to_string().contains("NODE.V=sX.Y"), "{error}");
    }
    let dotted: fenn_compiler::import::ForcedFormat = "lif1.lif.I=s3.12".parse().unwrap();
    assert_eq!((dotted.population.as_str(), dotted.part), ("lif1.lif", Part::Current));
    assert_eq!(dotted.to_string(), "lif1.lif.I=s3.12");
}

#[test]
fn calibration_samples_must_fit() {
    let graph = simple(lif(2, 0.0));
    let mut asked = options(10, 1e-3);
    asked.calibration.samples = vec![vec![SpikeTrain::silent(10)], vec![], vec![SpikeTrain::silent(9)]];
    let mut spikes = vec![vec![]; 10];
    spikes[4] = vec![2];
    asked.calibration.samples.push(vec![SpikeTrain::new(spikes)]);
    let errors = refusals(&graph, &asked);
    let expected = [
        (1, RunError::Inputs { expected: 1, found: 0 }),
        (2, RunError::Steps { input: "in".into(), expected: 10, found: 9 }),
        (3, RunError::Neuron { input: "in".into(), size: 2, neuron: 2, step: 4 }),
    ];
    assert_eq!(errors, expected.map(|(sample, error)| ImportError::Sample { sample, error }));
    let mut nothing = options(10, 1e-3);
    nothing.calibration.generated = 0;
    assert_eq!(refusals(&graph, &nothing), [ImportError::NoCalibration]);
}

#[test]
fn all_that_speaks_against_a_graph_is_said_at_once() {
    let mut graph = simple(lif(2, 0.0));
    graph.nodes.insert("u".into(), Node::Other { kind: "Conv3d".into() });
    graph.nodes.insert("v".into(), Node::Other { kind: "GRU".into() });
    assert_eq!(refusals(&graph, &Options::new("x", 0)).len(), 4);
}

#[test]
fn an_imported_network_runs_its_own_source() {
    // The events a projection names are those of the population the model means.
    let network = import(&everything(), &options(10, 1e-3)).unwrap().network;
    for projection in &network.projections {
        let (from, to) = projection.name.split_once("->").unwrap();
        assert_eq!(network.populations[projection.target].name, to);
        let source = match projection.source {
            Source::Input(input) => &network.inputs[input].name,
            Source::Events { population, .. } => &network.populations[population].name,
        };
        assert_eq!(source, from);
    }
}

/// The CNN of the NIR paper on events at random.
#[test]
fn the_published_cnn_imports_and_follows_floating_point() {
    let Some(folder) = published() else { return };
    let graph = read(folder.join("cnn/cnn_sinabs.nir")).unwrap();
    let events = |salt: u32| {
        let hash = |t: u32, n: u32| (t * 7919 + n * 104_729 + salt * 15_485_863).wrapping_mul(2_654_435_761) >> 16;
        SpikeTrain::new((0..100).map(|t| (0..2312).filter(|&n| hash(t, n) % 50 == 0).collect()).collect())
    };
    let mut options = options(100, 1.0);
    options.calibration.samples = vec![vec![events(1)], vec![events(2)]];
    options.calibration.jittered = 2;
    let model = Model::new(&graph, &options).unwrap();
    let kinds: Vec<&str> = model
        .connections
        .iter()
        .map(|connection| match connection.map {
            Map::Convolution(_) => "convolution",
            Map::Dense { .. } => "dense",
            Map::Sparse(_) | Map::Diagonal(_) => "other",
        })
        .collect();
    assert_eq!(kinds, ["convolution", "convolution", "convolution", "dense", "dense"]);
    assert_eq!(model.populations.iter().map(|p| p.size).sum::<usize>(), 8970);
    let Imported { network, report } = import(&graph, &options).unwrap();
    let run = execute(&network, &[events(3)]);
    let float = float::run(&model, &[events(3)]);
    for (index, population) in report.populations.iter().enumerate() {
        let (fixed, float) = (run.events[index][0].count() as f64, float.spikes[index].count() as f64);
        assert!(float > 10.0 && (fixed - float).abs() < 0.01 * float + 3.0, "{}: {fixed} and {float}", population.name);
    }
}
