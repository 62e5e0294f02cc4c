//! Exported networks: what comes back, and what cannot go out.

mod nir_graphs;

use fenn_compiler::export::{ExportError, Exported, export};
use fenn_compiler::import::{Imported, Method, Options, Reset, SpikeFrom, import};
use fenn_compiler::network::{Delays, Network, Weights};
use fenn_compiler::nir::{Conv, Graph, Node, Padding, Pool, Tensor, read, write};
use nir_graphs::{affine, cuba_li, cuba_lif, graph, input, li, lif, linear, output, published, repository_file};

fn options(steps: u32, dt: f64) -> Options {
    Options { dt: Some(dt), ..Options::new("test", steps) }
}

/// A network, and the same after export, a file, and import in the same formats.
fn there_and_back(graph: &Graph, options: &Options) -> (Network, Network) {
    let Imported { network, report } = import(graph, options).unwrap();
    let Exported { graph, rules } = export(&network).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    write(&graph, file.path()).unwrap();
    let mut again = Options { dt: Some(rules.dt), ..options.clone() };
    (again.method, again.reset) = (rules.method, rules.reset);
    (again.comparison, again.spike_from) = (rules.comparison, rules.spike_from);
    let formats = report.populations.iter().flat_map(|population| {
        let [i, v] = [population.formats.current, population.formats.potential];
        [format!("{}.I={i}", population.name), format!("{}.V={v}", population.name)]
    });
    again.formats = formats.map(|text| text.parse().unwrap()).collect();
    let returned = import(&read(file.path()).unwrap(), &again).unwrap().network;
    (network, returned)
}

fn assert_same(graph: &Graph, options: &Options) -> Network {
    let (network, mut returned) = there_and_back(graph, options);
    assert_eq!(returned.populations, network.populations);
    assert_eq!(returned.projections, network.projections);
    // NIR knows which populations are read, and not how.
    let read = |network: &Network| network.outputs.iter().map(|output| output.population).collect::<Vec<usize>>();
    assert_eq!(read(&returned), read(&network));
    returned.outputs.clone_from(&network.outputs);
    assert_eq!(returned, network);
    network
}

/// All kinds of neurons, cycles, biases, per-neuron numbers.
fn everything() -> Graph {
    graph(
        vec![
            ("in", input(4)),
            ("first", affine(3, 4, 2)),
            ("a", cuba_lif(3, 0.5)),
            ("a_to_b", affine(2, 3, 4)),
            ("b", lif(2, -0.25)),
            ("b_to_a", linear(3, 2, 6)),
            ("b_to_b", linear(2, 2, 7)),
            ("b_to_c", linear(2, 2, 8)),
            ("c", li(2)),
            ("a_to_d", affine(2, 3, 9)),
            ("d", cuba_li(2)),
            ("w", affine(2, 2, 3)),
            ("out_b", output(2)),
            ("out_c", output(2)),
            ("out_d", output(2)),
            ("out_e", output(2)),
        ],
        &[
            ("in", "first"),
            ("first", "a"),
            ("a", "a_to_b"),
            ("a_to_b", "b"),
            ("b", "b_to_a"),
            ("b_to_a", "a"),
            ("b", "b_to_b"),
            ("b_to_b", "b"),
            ("b", "b_to_c"),
            ("b_to_c", "c"),
            ("a", "a_to_d"),
            ("a_to_d", "d"),
            ("b", "w"),
            ("w", "out_e"),
            ("b", "out_b"),
            ("c", "out_c"),
            ("d", "out_d"),
        ],
    )
}

#[test]
fn what_is_exported_imports_as_the_same_codes_under_all_rules() {
    let graph = everything();
    for method in [Method::ForwardEuler, Method::ExponentialEuler] {
        for (reset, spike_from) in [
            (Reset::Value, SpikeFrom::New),
            (Reset::Value, SpikeFrom::Old),
            (Reset::Subtract, SpikeFrom::New),
            (Reset::Snntorch, SpikeFrom::New),
        ] {
            let mut options = Options { method, reset, spike_from, ..options(60, 1e-3) };
            options.calibration.generated = 4;
            assert_same(&graph, &options);
        }
    }
}

#[test]
fn published_networks_survive() {
    if let Some(folder) = published() {
        let mut cnn = options(20, 1.0);
        cnn.calibration.generated = 2;
        let network = assert_same(&read(folder.join("cnn/cnn_sinabs.nir")).unwrap(), &cnn);
        let kernels = network.projections.iter().filter(|p| matches!(p.weights, Weights::Convolution(_))).count();
        assert_eq!(kernels, 3);
        let braille = Options { reset: Reset::Snntorch, ..options(64, 1e-4) };
        assert_same(&read(folder.join("braille/braille_noDelay_noBias_subtract.nir")).unwrap(), &braille);
        assert_same(&read(folder.join("lif/lif_norse.nir")).unwrap(), &options(100, 1e-4));
    }
    if let Some(path) = repository_file("programs/yin-yang/yin-yang.nir") {
        assert_same(&read(path).unwrap(), &options(80, 5e-4));
    }
}

fn tensor(data: Vec<f64>) -> Tensor {
    Tensor { shape: vec![data.len()], data }
}

#[test]
fn delays_survive() {
    let delays = |steps: [f64; 4]| Node::Delay { delay: tensor(steps.map(|steps| steps * 1e-3).to_vec()) };
    for (steps, kind) in [([3.0; 4], "uniform"), ([0.0, 2.0, 5.0, 3.0], "each")] {
        let graph = graph(
            vec![
                ("in", input(4)),
                ("d", delays(steps)),
                ("w", linear(3, 4, 1)),
                ("n", lif(3, 0.0)),
                ("out", output(3)),
            ],
            &[("in", "d"), ("d", "w"), ("w", "n"), ("n", "out")],
        );
        let network = assert_same(&graph, &options(40, 1e-3));
        match (&network.projections[0].delays, kind) {
            (Delays::Uniform(3), "uniform") | (Delays::Ring(_), "each") => {}
            (other, kind) => panic!("{kind}: {other:?}"),
        }
    }
    // Around a cycle: a delay of three steps is two besides the one that the cycle has.
    let own = Node::Delay { delay: tensor(vec![3e-3; 3]) };
    let graph = graph(
        vec![
            ("in", input(3)),
            ("w", linear(3, 3, 1)),
            ("n", lif(3, 0.0)),
            ("d", own),
            ("r", linear(3, 3, 2)),
            ("out", output(3)),
        ],
        &[("in", "w"), ("w", "n"), ("n", "d"), ("d", "r"), ("r", "n"), ("n", "out")],
    );
    let network = assert_same(&graph, &options(40, 1e-3));
    let own = network.projections.iter().find(|projection| projection.name.starts_with("n->n")).unwrap();
    assert_eq!(own.delays, Delays::Uniform(2));
}

/// Three delays to few neurons need only a small ring. To many, the ring is a turn of a loop for every 32 of them in every step;
/// three looks at one word of spikes are less.
#[test]
fn delays_take_the_form_that_costs_less() {
    let delays = |targets| {
        let steps = [0.0, 1.0, 2.0, 1.0].map(|steps| steps * 1e-3);
        let graph = graph(
            vec![
                ("in", input(4)),
                ("d", Node::Delay { delay: tensor(steps.to_vec()) }),
                ("w", linear(targets, 4, 1)),
                ("n", lif(targets, 0.0)),
                ("out", output(targets)),
            ],
            &[("in", "d"), ("d", "w"), ("w", "n"), ("n", "out")],
        );
        assert_same(&graph, &options(20, 1e-3)).projections.remove(0).delays
    };
    assert!(matches!(delays(3), Delays::Ring(_)));
    assert!(matches!(delays(640), Delays::Sorted(_)));
}

#[test]
fn images_survive() {
    let conv = |padding| {
        Node::Conv2d(Conv {
            out_channels: 3,
            group_channels: 2,
            kernel: [3, 2],
            weight: (0..36).map(|n| f64::from(n % 7) * 0.1 - 0.2).collect(),
            bias: vec![0.05, 0.0, -0.025],
            stride: [1, 1],
            padding,
            dilation: [1, 1],
            groups: 1,
            input_shape: None,
        })
    };
    let neurons = || match lif(1, 0.0) {
        Node::Lif(mut lif) => {
            lif.shape.clear();
            Node::Lif(lif)
        }
        other => other,
    };
    for padding in [Padding::Zeros([1, 0]), Padding::Same, Padding::Valid] {
        let graph = graph(
            vec![
                ("in", Node::Input { shape: vec![2, 6, 8] }),
                ("pool", Node::SumPool2d(Pool { kernel: [2, 2], stride: [2, 2], padding: [0, 0] })),
                ("conv", conv(padding)),
                ("n", neurons()),
                ("flat", Node::Flatten { input_shape: None, start_dim: 0, end_dim: -1 }),
                ("out", output(0)),
            ],
            &[("in", "pool"), ("pool", "conv"), ("conv", "n"), ("n", "flat"), ("flat", "out")],
        );
        let mut graph = graph;
        let rows = if padding == Padding::Valid { 1 } else { 3 };
        let columns = if padding == Padding::Same { 4 } else { 3 };
        graph.nodes.insert("out".into(), output(3 * rows * columns));
        let network = assert_same(&graph, &options(20, 1e-3));
        assert!(matches!(&network.projections[0].weights, Weights::Convolution(conv) if conv.pool == [2, 2]));
    }
}

#[test]
fn networks_that_nir_cannot_say_are_refused() {
    let graph = graph(
        vec![("in", input(2)), ("w", linear(2, 2, 1)), ("n", lif(2, 0.0)), ("out", output(2))],
        &[("in", "w"), ("w", "n"), ("n", "out")],
    );
    let network = import(&graph, &options(10, 1e-3)).unwrap().network;
    let mut timeless = network.clone();
    timeless.time_step_ms = None;
    assert_eq!(export(&timeless), Err(vec![ExportError::NoTimeStep]));
    // A bias with nothing to go with.
    let mut alone = network.clone();
    alone.populations[0].kernel.body.insert(
        0,
        fenn_compiler::kernel::Stmt::Assign {
            place: fenn_compiler::kernel::Place::Variable(0),
            value: fenn_compiler::kernel::Expr::Constant(7),
        },
    );
    let errors = export(&alone).unwrap_err();
    assert!(matches!(&errors[..], [ExportError::Equations { population, .. }] if population == "n"), "{errors:?}");
}
