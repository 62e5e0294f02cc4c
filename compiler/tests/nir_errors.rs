//! Every way in which a NIR graph can be wrong, and what is said of it: the table of the documentation.
//!
//! `BLESS=1 cargo test -p fenn-compiler --test nir_errors` writes `docs/src/networks/nir-errors.md`; read the diff.

mod nir_graphs;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use fenn_compiler::export::export;
use fenn_compiler::import::{Options, Reset, SpikeFrom, import};
use fenn_compiler::interpret::SpikeTrain;
use fenn_compiler::kernel::{Expr, Stmt};
use fenn_compiler::network::Readout;
use fenn_compiler::nir::{Edge, Graph, Node, Tensor, read, write};
use hdf5_pure::FileBuilder;
use nir_graphs::{affine, graph, input, li, lif, linear, output};

/// A mistake, in words, and what is said.
type Case = (&'static str, Vec<String>);

fn options() -> Options {
    Options { dt: Some(1e-3), ..Options::new("x", 20) }
}

/// `in -> w -> n -> out`.
fn plain() -> Graph {
    graph(
        vec![("in", input(2)), ("w", linear(2, 2, 1)), ("n", lif(2, 0.0)), ("out", output(2))],
        &[("in", "w"), ("w", "n"), ("n", "out")],
    )
}

fn with(change: impl FnOnce(&mut Graph)) -> Graph {
    let mut graph = plain();
    change(&mut graph);
    graph
}

fn edge(from: &str, to: &str) -> Edge {
    Edge { from: from.into(), to: to.into() }
}

fn replace(graph: &mut Graph, name: &str, node: Node) {
    graph.nodes.insert(name.into(), node);
}

fn tensor(data: Vec<f64>) -> Tensor {
    Tensor { shape: vec![data.len()], data }
}

/// What the reader says of a file, which is called `network.nir`.
fn file(bytes: Option<&[u8]>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.nir");
    if let Some(bytes) = bytes {
        std::fs::write(&path, bytes).unwrap();
    }
    let text = read(&path).unwrap_err().to_string();
    text.lines().map(|line| line.replace(&*path.to_string_lossy(), "network.nir")).collect()
}

/// What the reader says of a graph, written as it is.
fn stored(graph: &Graph) -> Vec<String> {
    graph.check().iter().map(|problem| format!("network.nir: {problem}")).collect()
}

fn bytes_of(graph: &Graph) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    write(graph, file.path()).unwrap();
    std::fs::read(file.path()).unwrap()
}

/// A file whose one node besides Input and Output has these datasets.
fn node(kind: &str, datasets: &[(&str, &[u64], &[f64])]) -> Vec<String> {
    let mut file_builder = FileBuilder::new();
    let mut root = file_builder.create_group("node");
    root.create_dataset("type").with_vlen_strings(&["NIRGraph"]).with_shape(&[]);
    root.create_dataset("edges").with_vlen_strings(&["in", "x", "x", "out"]).with_shape(&[2, 2]);
    let mut nodes = root.create_group("nodes");
    let ends: &[(&str, &[u64], &[f64])] = &[("shape", &[1], &[2.0])];
    for (name, kind, datasets) in [("in", "Input", ends), ("out", "Output", ends), ("x", kind, datasets)] {
        let mut node = nodes.create_group(name);
        node.create_dataset("type").with_vlen_strings(&[kind]).with_shape(&[]);
        for (dataset, shape, values) in datasets {
            node.create_dataset(dataset).with_f64_data(values).with_shape(shape);
        }
        nodes.add_group(node.finish());
    }
    root.add_group(nodes.finish());
    file_builder.add_group(root.finish());
    file(Some(&file_builder.finish().unwrap()))
}

/// What the importer says.
fn imported(graph: &Graph, options: &Options) -> Vec<String> {
    import(graph, options).unwrap_err().iter().map(|error| format!("network.nir: {error}")).collect()
}

fn files() -> Vec<Case> {
    let mut root_is_lif = FileBuilder::new();
    let mut root = root_is_lif.create_group("node");
    root.create_dataset("type").with_vlen_strings(&["LIF"]).with_shape(&[]);
    root_is_lif.add_group(root.finish());
    let mut other = FileBuilder::new();
    other.create_dataset("x").with_f64_data(&[1.0]);
    let whole = bytes_of(&plain());
    vec![
        ("there is no such file", file(None)),
        ("the file is of another kind", file(Some(b"[network]"))),
        ("the file was cut short", file(Some(&whole[..whole.len() / 2]))),
        ("an HDF5 file that is no NIR graph", file(Some(&other.finish().unwrap()))),
        ("a node was written, not a graph", file(Some(&root_is_lif.finish().unwrap()))),
        ("a parameter is missing", node("LIF", &[("tau", &[], &[0.02])])),
        ("a matrix with three dimensions", node("Linear", &[("weight", &[1, 2, 2], &[1.0; 4])])),
        ("parameters of different sizes", node("IF", &[("r", &[2], &[1.0; 2]), ("v_threshold", &[3], &[1.0; 3])])),
        ("half a dimension", node("Flatten", &[("start_dim", &[], &[0.5])])),
        (
            "a weight that is not a number",
            stored(&with(|graph| {
                let Some(Node::Linear { weight }) = graph.nodes.get_mut("w") else { panic!("as made above") };
                weight.data[2] = f64::NAN;
            })),
        ),
        (
            "a time constant of 0",
            stored(&with(|graph| {
                let Some(Node::Lif(lif)) = graph.nodes.get_mut("n") else { panic!("as made above") };
                lif.tau[1] = 0.0;
            })),
        ),
        (
            "a negative delay",
            stored(&with(|graph| replace(graph, "w", Node::Delay { delay: tensor(vec![0.0, -0.1]) }))),
        ),
        ("an edge to nowhere", stored(&with(|graph| graph.edges.push(edge("n", "readout"))))),
        ("an edge that is there twice", stored(&with(|graph| graph.edges.push(edge("in", "w"))))),
        ("matrices that do not fit", stored(&with(|graph| replace(graph, "w", linear(2, 3, 1))))),
        (
            "no Input",
            stored(&with(|graph| {
                graph.nodes.remove("in");
                graph.edges.remove(0);
            })),
        ),
        (
            "no Output",
            stored(&with(|graph| {
                graph.nodes.remove("out");
                graph.edges.remove(2);
            })),
        ),
        (
            "a graph within the graph with two Inputs",
            stored(&with(|graph| {
                let mut inner = plain();
                inner.nodes.insert("in2".into(), input(2));
                inner.edges.push(edge("in2", "w"));
                replace(graph, "w", Node::Graph(inner));
            })),
        ),
    ]
}

fn choices() -> Vec<Case> {
    let with = |change: fn(&mut Options)| {
        let mut options = options();
        change(&mut options);
        imported(&plain(), &options)
    };
    vec![
        ("no time step", with(|options| options.dt = None)),
        ("a negative time step", with(|options| options.dt = Some(-1e-3))),
        ("a run of no steps", with(|options| options.steps = 0)),
        ("a time step longer than a time constant", with(|options| options.dt = Some(0.05))),
        (
            "snnTorch's reset, and spikes from the old potential",
            with(|options| {
                options.reset = Reset::Snntorch;
                options.spike_from = SpikeFrom::Old;
            }),
        ),
        (
            "a format for neurons that do not exist",
            with(|options| options.formats = vec!["m.V=s3.12".parse().unwrap()]),
        ),
        (
            "formats too far apart",
            with(|options| {
                options.formats = ["n.I=s15.0", "n.V=s0.15"].map(|text| text.parse().unwrap()).to_vec();
            }),
        ),
        (
            "a rounding for neurons that do not exist",
            with(|options| {
                options.roundings = vec!["m.V=stochastic".parse().unwrap()];
            }),
        ),
        ("no calibration at all", with(|options| options.calibration.generated = 0)),
        (
            "a calibration sample of another length",
            with(|options| {
                options.calibration.samples = vec![vec![SpikeTrain::silent(19)]];
            }),
        ),
    ]
}

fn graphs() -> Vec<Case> {
    let say = |change: &dyn Fn(&mut Graph)| imported(&with(|graph| change(graph)), &options());
    let neurons = |change: fn(&mut fenn_compiler::nir::Lif)| {
        say(&move |graph: &mut Graph| {
            let Some(Node::Lif(lif)) = graph.nodes.get_mut("n") else { panic!("as made above") };
            change(lif);
        })
    };
    let other = |kind: &str| Node::Other { kind: kind.to_owned() };
    let counted = Options { readout: Some(Readout::Count), ..options() };
    vec![
        ("a node that NIR has and this compiler not", say(&|graph| replace(graph, "w", other("Conv3d")))),
        (
            "linear nodes in a cycle without neurons",
            say(&|graph| {
                replace(graph, "v", linear(2, 2, 2));
                graph.edges.extend([edge("w", "v"), edge("v", "w")]);
            }),
        ),
        (
            "the same with a Delay",
            say(&|graph| {
                replace(graph, "v", Node::Delay { delay: tensor(vec![0.01; 2]) });
                graph.edges.extend([edge("w", "v"), edge("v", "w")]);
            }),
        ),
        (
            "a node that no Input leads to",
            say(&|graph| {
                replace(graph, "v", affine(2, 2, 2));
                graph.edges.push(edge("v", "n"));
            }),
        ),
        (
            "a node that leads to no Output",
            say(&|graph| {
                replace(graph, "m", lif(2, 0.0));
                graph.edges.push(edge("w", "m"));
            }),
        ),
        ("an Output that nothing leads to", say(&|graph| replace(graph, "none", output(2)))),
        ("an edge into an Input", say(&|graph| graph.edges.push(edge("n", "in")))),
        (
            "potentials that would have to be sent on",
            say(&|graph| {
                replace(graph, "w", li(2));
            }),
        ),
        ("spikes counted of neurons that do not spike", imported(&with(|graph| replace(graph, "n", li(2))), &counted)),
        (
            "an image that is none",
            say(&|graph| {
                let pool = fenn_compiler::nir::Pool { kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
                replace(graph, "w", Node::SumPool2d(pool));
            }),
        ),
        (
            "two ways to a node that differ in size",
            say(&|graph| {
                replace(graph, "v", Node::Flatten { input_shape: None, start_dim: 0, end_dim: 0 });
                replace(graph, "in2", input(3));
                graph.edges.extend([edge("in2", "v"), edge("v", "w")]);
            }),
        ),
        (
            "a delay of more steps than there can be",
            say(&|graph| {
                replace(graph, "w", Node::Delay { delay: tensor(vec![0.0, 70.0]) });
            }),
        ),
        ("weights that nothing could hold", {
            let wide = |rows: usize, cols: usize| Node::Linear {
                weight: fenn_compiler::nir::Matrix { rows, cols, data: vec![1.0; rows * cols] },
            };
            let size = 1 << 14;
            let nodes = vec![
                ("in", input(size)),
                ("a", wide(1, size)),
                ("b", wide(size, 1)),
                ("n", lif(size, 0.0)),
                ("out", output(size)),
            ];
            imported(&graph(nodes, &[("in", "a"), ("a", "b"), ("b", "n"), ("n", "out")]), &options())
        }),
        ("a threshold beyond all formats", neurons(|lif| lif.v_threshold = vec![1e9; 2])),
        ("weights beyond all formats", neurons(|lif| lif.r = vec![1e12; 2])),
        (
            "products beyond all numbers",
            say(&|graph| {
                replace(graph, "s", Node::Scale { scale: tensor(vec![1e300; 2]) });
                graph.edges.retain(|edge| edge.to != "n");
                graph.edges.extend([edge("w", "s"), edge("s", "n")]);
                let Some(Node::Lif(lif)) = graph.nodes.get_mut("n") else { panic!("as made above") };
                lif.r = vec![1e300; 2];
            }),
        ),
        (
            "a nested graph whose node's name is taken",
            say(&|graph| {
                let inner = fenn_compiler::nir::Graph {
                    version: String::new(),
                    nodes: BTreeMap::from([("in".to_owned(), input(2)), ("out".to_owned(), output(2))]),
                    edges: vec![edge("in", "out")],
                };
                replace(graph, "w", Node::Graph(inner));
                replace(graph, "w.in", linear(2, 2, 3));
                graph.edges.extend([edge("in", "w.in"), edge("w.in", "n")]);
            }),
        ),
    ]
}

fn exports() -> Vec<Case> {
    let say = |change: &dyn Fn(&mut fenn_compiler::network::Network)| -> Vec<String> {
        let mut network = import(&plain(), &options()).unwrap().network;
        change(&mut network);
        export(&network).unwrap_err().iter().map(|error| format!("network.toml: {error}")).collect()
    };
    vec![
        ("a network without a time step", say(&|network| network.time_step_ms = None)),
        (
            "equations that no NIR node has",
            say(&|network| {
                let kernel = &mut network.populations[0].kernel;
                let place = fenn_compiler::kernel::Place::Variable(1);
                kernel.body.insert(0, Stmt::Assign { place, value: Expr::Random });
            }),
        ),
        ("a name that no file can hold", say(&|network| network.populations[0].name = "a/b".to_owned())),
    ]
}

#[test]
fn every_mistake_is_said_as_the_documentation_says() {
    let sections = [
        ("The file", "found when it is read; all of them at once.", files()),
        ("What a NIR file leaves open", "among the options of `fenn-cc`.", choices()),
        ("The graph", "found when it is imported; all of them at once.", graphs()),
        ("Export", "with `--export-nir`.", exports()),
    ];
    let mut text =
        "# What is said of NIR graphs\n\nWritten by `BLESS=1 cargo test -p fenn-compiler --test nir_errors`, do \
                    not edit. Each message names the node, and says what to do.\n"
            .to_owned();
    for (title, when, cases) in sections {
        writeln!(text, "\n## {title}\n\nMistakes {when}\n\n| mistake | message |\n| --- | --- |").unwrap();
        for (mistake, messages) in cases {
            assert!(!messages.is_empty(), "{mistake}");
            let messages: Vec<String> = messages.iter().map(|message| message.replace('|', "\\|")).collect();
            writeln!(text, "| {mistake} | {} |", messages.join("<br>")).unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/networks/nir-errors.md");
    if std::env::var_os("BLESS").is_some() {
        fenn_isa::file::write_whole(&path, text.as_bytes()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, text, "run with BLESS=1 and read the diff");
}
