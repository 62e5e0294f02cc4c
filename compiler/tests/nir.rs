//! NIR files: published ones, written ones, and broken ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fenn_compiler::nir::{
    Conv, CubaLi, CubaLif, Edge, Graph, I, If, Li, Lif, Matrix, NirError, Node, Padding, Pool, Problem, Tensor, read,
    write,
};
use hdf5_pure::FileBuilder;
use proptest::prelude::*;

/// The folder of published NIR files, or `None` (with the reason printed) where it is absent; its absence is a failure
/// in CI.
fn published() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/nir");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is needed in CI", folder.display());
    eprintln!("skipped: no {}", folder.display());
    None
}

fn edge(from: &str, to: &str) -> Edge {
    Edge { from: from.into(), to: to.into() }
}

/// Two channels that become two, in groups of one.
fn conv<const D: usize>(kernel: [usize; D], padding: Padding<D>, input_shape: Option<[usize; D]>) -> Conv<D> {
    let numbers = 2 * kernel.iter().product::<usize>();
    Conv {
        out_channels: 2,
        group_channels: 1,
        kernel,
        weight: (0..numbers).map(|n| n as f64 - 2.5).collect(),
        bias: vec![0.125, -0.5],
        stride: [2; D],
        padding,
        dilation: [1; D],
        groups: 2,
        input_shape,
    }
}

/// A graph to be in another, with `depth` graphs in it.
fn inner(depth: usize) -> Graph {
    let mut nodes = BTreeMap::from([
        ("in".to_owned(), Node::Input { shape: vec![2] }),
        ("scale".to_owned(), Node::Scale { scale: Tensor { shape: vec![1], data: vec![depth as f64] } }),
        ("out".to_owned(), Node::Output { shape: vec![2] }),
    ]);
    let mut edges = vec![edge("in", "scale"), edge("scale", "out")];
    if depth > 0 {
        nodes.insert("deeper".into(), Node::Graph(inner(depth - 1)));
        edges.extend([edge("in", "deeper"), edge("deeper", "out")]);
    }
    Graph { version: String::new(), nodes, edges }
}

/// A graph with every typed node.
fn every_node() -> Graph {
    let cuba_lif = CubaLif {
        shape: vec![2],
        tau_syn: vec![0.005, 0.006],
        tau_mem: vec![0.02, 0.021],
        r: vec![1.0, 2.0],
        v_leak: vec![0.0, -0.5],
        v_threshold: vec![1.0, 1.5],
        v_reset: vec![0.0, -1.0],
        w_in: vec![3.0, 0.1],
    };
    let nodes = BTreeMap::from([
        ("in".to_owned(), Node::Input { shape: vec![3] }),
        (
            "w.0".to_owned(),
            Node::Linear { weight: Matrix { rows: 2, cols: 3, data: vec![0.1, -2.0, 3.5, 1e-9, 0.0, -7.25] } },
        ),
        ("cuba".to_owned(), Node::CubaLif(cuba_lif)),
        (
            "lif".to_owned(),
            Node::Lif(Lif {
                shape: vec![2],
                tau: vec![0.01; 2],
                r: vec![1.0; 2],
                v_leak: vec![0.25; 2],
                v_threshold: vec![1.0; 2],
                v_reset: vec![-0.125; 2],
            }),
        ),
        (
            "affine".to_owned(),
            Node::Affine { weight: Matrix { rows: 2, cols: 2, data: vec![1.0, 2.0, 3.0, 4.0] }, bias: vec![0.5, -0.5] },
        ),
        ("li".to_owned(), Node::Li(Li { shape: vec![2], tau: vec![0.03; 2], r: vec![1.0; 2], v_leak: vec![0.0; 2] })),
        (
            "cubali".to_owned(),
            Node::CubaLi(CubaLi {
                shape: vec![2],
                tau_syn: vec![0.004; 2],
                tau_mem: vec![0.03; 2],
                r: vec![1.0; 2],
                v_leak: vec![0.0; 2],
                w_in: vec![1.0; 2],
            }),
        ),
        ("out".to_owned(), Node::Output { shape: vec![2] }),
        ("conv1".to_owned(), Node::Conv1d(conv([3], Padding::Same, None))),
        ("conv2".to_owned(), Node::Conv2d(conv([3, 2], Padding::Zeros([1, 0]), Some([5, 4])))),
        ("valid".to_owned(), Node::Conv2d(conv([1, 1], Padding::Valid, None))),
        ("sum".to_owned(), Node::SumPool2d(Pool { kernel: [2, 3], stride: [2, 1], padding: [0, 1] })),
        ("average".to_owned(), Node::AvgPool2d(Pool { kernel: [2, 2], stride: [2, 2], padding: [0, 0] })),
        ("flat".to_owned(), Node::Flatten { input_shape: Some(vec![1, 2]), start_dim: 0, end_dim: -1 }),
        ("flat2".to_owned(), Node::Flatten { input_shape: None, start_dim: -2, end_dim: 1 }),
        ("scale".to_owned(), Node::Scale { scale: Tensor { shape: vec![2], data: vec![0.5, -2.0] } }),
        ("threshold".to_owned(), Node::Threshold { threshold: Tensor { shape: vec![], data: vec![0.25] } }),
        ("delay".to_owned(), Node::Delay { delay: Tensor { shape: vec![2, 1], data: vec![0.0, 0.003] } }),
        ("i".to_owned(), Node::I(I { shape: vec![2], r: vec![1.5, 2.5] })),
        ("if".to_owned(), Node::If(If { shape: vec![], r: vec![1.0], v_threshold: vec![1.0], v_reset: vec![0.25] })),
        ("graph".to_owned(), Node::Graph(inner(1))),
    ]);
    let chain = ["in", "w.0", "cuba", "lif", "affine", "li", "cubali", "out"];
    let edges = chain.windows(2).map(|pair| edge(pair[0], pair[1])).collect();
    Graph { version: "1.0".into(), nodes, edges }
}

fn only_problem(result: Result<Graph, NirError>) -> Problem {
    let mut problems = result.expect_err("the file is broken").problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

/// Reads a file with these bytes.
fn read_bytes(bytes: &[u8]) -> Result<Graph, NirError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    read(file.path())
}

fn bytes_of(graph: &Graph) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    write(graph, file.path()).unwrap();
    std::fs::read(file.path()).unwrap()
}

#[test]
fn what_is_written_reads_back_equal_and_writing_is_reproducible() {
    let graph = every_node();
    let bytes = bytes_of(&graph);
    assert_eq!(read_bytes(&bytes).unwrap(), graph);
    assert_eq!(bytes_of(&graph), bytes);
}

/// The figures were printed by h5py 3.16.
#[test]
fn braille_graphs_read_with_the_numbers_h5py_shows() {
    let Some(folder) = published() else { return };
    let graph = read(folder.join("braille/braille_noDelay_bias_zero.nir")).unwrap();
    assert_eq!(graph.version, "0.2.0");
    assert_eq!(graph.nodes.len(), 7);
    assert_eq!(graph.edges.len(), 7);
    assert_eq!(graph.edges[0], edge("lif1.w_rec", "lif1.lif"));
    assert_eq!(graph.edges[1], edge("lif2", "output"));
    let Node::Affine { weight, bias } = &graph.nodes["fc1"] else { panic!("fc1 is an Affine") };
    assert_eq!((weight.rows, weight.cols), (38, 12));
    assert_eq!(weight.row(0)[..2], [f64::from(-1.338_063_6_f32), f64::from(0.057_944_9_f32)]);
    assert_eq!(bias[2], f64::from(0.116_288_28_f32));
    let Node::CubaLif(hidden) = &graph.nodes["lif1.lif"] else { panic!("lif1.lif is a CubaLIF") };
    assert_eq!(hidden.shape, [38]);
    assert!((hidden.r[37] - 9.999_997_62).abs() < 1e-8);
    assert_eq!(hidden.v_reset, [0.0; 38]);
    assert!(read(folder.join("braille/braille_noDelay_noBias_subtract.nir")).is_ok());
}

#[test]
fn lif_and_cnn_graphs_read_and_unknown_nodes_keep_their_type() {
    let Some(folder) = published() else { return };
    for name in ["lif/lif_norse.nir", "lif/lif_rockpool.nir"] {
        let graph = read(folder.join(name)).unwrap();
        let lif = graph.nodes.values().find_map(|node| match node {
            Node::Lif(lif) => Some(lif),
            _ => None,
        });
        assert_eq!(lif.unwrap().tau, [f64::from(0.0025_f32)], "{name}");
    }
    let cnn = read(folder.join("cnn/cnn_sinabs.nir")).unwrap();
    assert_eq!(cnn.nodes["4"].kind(), "SumPool2d");
    let Node::Conv2d(first) = &cnn.nodes["0"] else { panic!("a Conv2d") };
    assert_eq!((first.out_channels, first.group_channels, first.kernel, first.stride), (16, 2, [5, 5], [2, 2]));
    assert_eq!((first.padding, first.groups, first.input_shape), (Padding::Zeros([1, 1]), 1, Some([34, 34])));
    assert!((first.weight[2] - -0.326_558_14).abs() < 1e-7);
    let flatten = Node::Flatten { input_shape: Some(vec![8, 4, 4]), start_dim: 0, end_dim: -1 };
    assert_eq!(cnn.nodes["8"], flatten);
}

#[test]
fn a_missing_file_and_one_of_another_kind_say_so() {
    assert!(matches!(only_problem(read("/no/such/file.nir")), Problem::Io(_)));
    assert!(matches!(only_problem(read_bytes(b"P5 not a graph")), Problem::NotHdf5));
    assert!(matches!(only_problem(read_bytes(b"")), Problem::NotHdf5));
    let mut other = FileBuilder::new();
    other.create_dataset("x").with_f64_data(&[1.0]);
    let error = only_problem(read_bytes(&other.finish().unwrap()));
    assert!(matches!(error, Problem::NotNir { object: "/node" }), "{error}");
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = bytes_of(&every_node());
    // A prime step visits every alignment without taking every length.
    for len in (0..bytes.len()).step_by(23) {
        assert!(read_bytes(&bytes[..len]).is_err(), "the first {len} of {} bytes read", bytes.len());
    }
}

/// A node to store: parameters by name, each with a shape.
type Raw<'a> = &'a [(&'a str, &'a [u64], &'a [f64])];

/// A file with Input `in` and Output `out` of size 2 around node `x` of type `kind`.
fn file_with(kind: &str, datasets: Raw, edges: &[&str]) -> Vec<u8> {
    let mut file = FileBuilder::new();
    let mut root = file.create_group("node");
    root.create_dataset("type").with_vlen_strings(&["NIRGraph"]).with_shape(&[]);
    root.create_dataset("edges").with_vlen_strings(edges).with_shape(&[edges.len() as u64 / 2, 2]);
    let mut nodes = root.create_group("nodes");
    for (name, kind, datasets) in [
        ("in", "Input", &[("shape", &[1_u64][..], &[2.0][..])][..]),
        ("out", "Output", &[("shape", &[1], &[2.0])]),
        ("x", kind, datasets),
    ] {
        let mut node = nodes.create_group(name);
        node.create_dataset("type").with_ascii_strings(&[kind]).unwrap().with_shape(&[]);
        for (dataset, shape, values) in datasets {
            node.create_dataset(dataset).with_f64_data(values).with_shape(shape);
        }
        nodes.add_group(node.finish());
    }
    root.add_group(nodes.finish());
    file.add_group(root.finish());
    file.finish().unwrap()
}

const THROUGH: [&str; 4] = ["in", "x", "x", "out"];

#[test]
fn scalars_are_repeated_and_absent_resets_are_zero() {
    let bytes = file_with(
        "CubaLIF",
        &[
            ("tau_syn", &[], &[0.005]),
            ("tau_mem", &[2], &[0.02, 0.03]),
            ("r", &[], &[1.0]),
            ("v_leak", &[], &[0.0]),
            ("v_threshold", &[2], &[1.0, 2.0]),
        ],
        &THROUGH,
    );
    let graph = read_bytes(&bytes).unwrap();
    assert_eq!(graph.version, "");
    let Node::CubaLif(x) = &graph.nodes["x"] else { panic!("x is a CubaLIF") };
    assert_eq!((&x.shape[..], &x.tau_syn[..], &x.tau_mem[..]), (&[2][..], &[0.005; 2][..], &[0.02, 0.03][..]));
    assert_eq!((&x.v_reset[..], &x.w_in[..]), (&[0.0; 2][..], &[1.0; 2][..]));
}

#[test]
fn structural_errors_name_node_and_dataset() {
    let lif = |tau: f64, v_leak: &'static [f64]| {
        file_with(
            "LIF",
            &[
                ("tau", &[], &[tau]),
                ("r", &[2], &[1.0; 2]),
                ("v_leak", &[v_leak.len() as u64], v_leak),
                ("v_threshold", &[2], &[1.0; 2]),
            ],
            &THROUGH,
        )
    };
    assert!(read_bytes(&lif(0.1, &[0.0, 0.0])).is_ok());
    let square: (&str, &[u64], &[f64]) = ("weight", &[2, 2], &[1.0; 4]);
    let cases: [(Vec<u8>, &str); 12] = [
        (
            file_with("Linear", &[], &THROUGH),
            "node `x` of type Linear has no dataset `weight`. Export the node with all its parameters",
        ),
        (
            file_with("Linear", &[("weight", &[4], &[1.0; 4])], &THROUGH),
            "node `x`: dataset `weight` has shape [4]; needed: [targets, sources]. Export it so",
        ),
        (
            file_with("Affine", &[square, ("bias", &[3], &[1.0; 3])], &THROUGH),
            "node `x`: dataset `bias` has shape [3]; needed: [2] (or a scalar). Export it so",
        ),
        (
            lif(0.1, &[0.0, 0.0, 0.0]),
            "node `x`: dataset `v_leak` has shape [3]; needed: [2] (or a scalar). Export it so",
        ),
        (
            lif(0.1, &[0.0, f64::NAN]),
            "node `x`: dataset `v_leak` holds NaN at flat index 1. Training diverged, or the export failed: every number \
             must be finite",
        ),
        (lif(-0.1, &[0.0, 0.0]), "node `x`: dataset `tau` holds -0.1 at flat index 0. Time constants must be positive"),
        (
            file_with("Linear", &[("weight", &[2, 2], &[1.0, 1.0, f64::INFINITY, 1.0])], &THROUGH),
            "node `x`: dataset `weight` holds inf at flat index 2. Training diverged, or the export failed: every number \
             must be finite",
        ),
        (
            file_with("Linear", &[square], &["in", "x", "y", "out"]),
            "edge 1 (`y` -> `out`) names `y`, which is not a node. Add the node or remove the edge",
        ),
        (
            file_with("Linear", &[square], &["in", "x", "in", "x"]),
            "edge 1 (`in` -> `x`) is there twice. Remove one; to count an input double, double its weights",
        ),
        (
            file_with("Linear", &[("weight", &[2, 3], &[1.0; 6])], &THROUGH),
            "edge 0 joins `in`, which gives 2 numbers, to `x`, which takes 3. Make the shapes agree",
        ),
        (
            file_with("Input", &[("shape", &[1], &[1.5])], &THROUGH),
            "node `x`: dataset `shape` holds 1.5; needed: whole numbers, 0 or more. Export it so",
        ),
        (
            file_with("Input", &[("shape", &[1], &[0.0])], &[]),
            "node `x`: dataset `shape` has shape [0]; needed: positive extents. Export it so",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(only_problem(read_bytes(&bytes)).to_string(), expected);
    }
}

#[test]
fn structural_errors_of_linear_nodes_name_node_and_dataset() {
    type Arrays = Vec<(&'static str, &'static [u64], &'static [f64])>;
    let with = |change: &dyn Fn(&mut Arrays)| {
        let mut datasets: Vec<(&str, &[u64], &[f64])> = vec![
            ("weight", &[2, 1, 1, 2], &[1.0; 4]),
            ("bias", &[2], &[0.0; 2]),
            ("stride", &[2], &[1.0, 1.0]),
            ("padding", &[], &[0.0]),
            ("dilation", &[], &[1.0]),
            ("groups", &[], &[2.0]),
        ];
        change(&mut datasets);
        read_bytes(&file_with("Conv2d", &datasets, &[]))
    };
    let Node::Conv2d(conv) = with(&|_| {}).unwrap().nodes["x"].clone() else { panic!("a Conv2d") };
    assert_eq!((conv.stride, conv.padding, conv.dilation), ([1, 1], Padding::Zeros([0, 0]), [1, 1]));
    let message = |change: &dyn Fn(&mut Arrays)| only_problem(with(change)).to_string();
    assert_eq!(
        message(&|sets| sets[0] = ("weight", &[2, 2], &[1.0; 4])),
        "node `x`: dataset `weight` has shape [2, 2]; needed: [out, in / groups, rows, columns]. Export it so"
    );
    assert_eq!(
        message(&|sets| sets[2] = ("stride", &[3], &[1.0; 3])),
        "node `x`: dataset `stride` has shape [3]; needed: [2] (or a scalar). Export it so"
    );
    assert_eq!(
        message(&|sets| sets[2] = ("stride", &[2], &[1.0, 0.0])),
        "node `x`: dataset `stride` holds 0 in dimension 1; needed: whole numbers, 1 or more. Export it so"
    );
    assert_eq!(
        message(&|sets| sets[3] = ("padding", &[], &[-1.0])),
        "node `x`: dataset `padding` holds -1; needed: whole numbers, 0 or more. Export it so"
    );
    assert_eq!(
        message(&|sets| sets[5] = ("groups", &[], &[3.0])),
        "node `x` has 2 channels that come out, which 3 groups do not divide. Correct `groups`"
    );
    assert_eq!(
        message(&|sets| sets[1] = ("bias", &[2], &[f64::NAN, 0.0])),
        "node `x`: dataset `bias` holds NaN at flat index 0. Training diverged, or the export failed: every number must be \
         finite"
    );
    assert_eq!(
        message(&|sets| sets.push(("input_shape", &[2], &[1.0, 1.0]))),
        "node `x`: dataset `input_shape` has shape [1, 1]; needed: extents in which the kernel fits. Export it so"
    );
    let delay = file_with("Delay", &[("delay", &[2], &[0.0, -0.5])], &THROUGH);
    assert_eq!(
        only_problem(read_bytes(&delay)).to_string(),
        "node `x`: dataset `delay` holds -0.5 at flat index 1. Nothing can arrive before it is sent"
    );
    let flatten = file_with("Flatten", &[("start_dim", &[], &[0.5])], &THROUGH);
    assert_eq!(
        only_problem(read_bytes(&flatten)).to_string(),
        "node `x`: dataset `start_dim` holds 0.5; needed: a whole number. Export it so"
    );
}

#[test]
fn problems_of_nested_graphs_say_in_which() {
    let mut graph = every_node();
    let mut nested = inner(1);
    nested.nodes.insert("out2".into(), Node::Output { shape: vec![2] });
    let Some(Node::Graph(deeper)) = nested.nodes.get_mut("deeper") else { panic!("as made above") };
    deeper.edges.push(edge("in", "nowhere"));
    graph.nodes.insert("graph".into(), Node::Graph(nested));
    let problems: Vec<String> = graph.check().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "node `graph`, a graph, has 1 Input and 2 Output nodes. Edges name the graph only, so give it one of each",
            "in graph `graph`: in graph `deeper`: edge 2 (`in` -> `nowhere`) names `nowhere`, which is not a node. Add the \
             node or remove the edge",
        ]
    );
    let mut deep = every_node();
    deep.nodes.insert("graph".into(), Node::Graph(inner(fenn_compiler::nir::MAX_NESTING)));
    let problem = only_problem(read_bytes(&bytes_of(&deep)));
    assert!(problem.to_string().contains("graphs are nested more than 16 deep"), "{problem}");
}

#[test]
fn nested_graphs_are_taken_apart() {
    let mut graph = every_node();
    graph.edges.extend([edge("lif", "graph"), edge("graph", "i")]);
    let flat = graph.flattened().unwrap();
    let names: Vec<&str> = flat.nodes.keys().map(String::as_str).filter(|name| name.starts_with("graph")).collect();
    let expected =
        ["graph.deeper.in", "graph.deeper.out", "graph.deeper.scale", "graph.in", "graph.out", "graph.scale"];
    assert_eq!(names, expected);
    for (from, to) in [
        ("lif", "graph.in"),
        ("graph.in", "graph.scale"),
        ("graph.in", "graph.deeper.in"),
        ("graph.deeper.out", "graph.out"),
        ("graph.out", "i"),
    ] {
        assert!(flat.edges.contains(&edge(from, to)), "{from} -> {to}");
    }
    assert_eq!((flat.inputs().count(), flat.outputs().count()), (1, 1));
    graph.nodes.insert("graph.in".into(), Node::Output { shape: vec![2] });
    assert_eq!(graph.flattened(), Err(vec!["graph.in".to_owned()]));
}

#[test]
fn all_problems_of_a_file_come_at_once_each_with_the_file() {
    let mut graph = every_node();
    graph.nodes.retain(|_, node| !matches!(node, Node::Input { .. } | Node::Output { .. }));
    graph.edges = vec![edge("nowhere", "li")];
    let error = write(&graph, "never-written.nir").unwrap_err();
    let kinds: Vec<bool> = vec![
        matches!(error.problems[0], Problem::NoInput),
        matches!(error.problems[1], Problem::NoOutput),
        matches!(&error.problems[2], Problem::UnknownNode { missing, .. } if missing == "nowhere"),
    ];
    assert_eq!(kinds, [true; 3]);
    assert_eq!(error.to_string().matches("never-written.nir: ").count(), 3);
    assert!(!Path::new("never-written.nir").exists());
}

#[test]
fn unwritable_graphs_are_refused() {
    let mut graph = every_node();
    graph.nodes.insert("a/b".into(), Node::Other { kind: "Conv3d".into() });
    let error = write(&graph, "never-written.nir").unwrap_err();
    assert!(matches!(&error.problems[0], Problem::BadName { node } if node == "a/b"));
    assert!(matches!(&error.problems[1], Problem::NotWritable { kind, .. } if kind == "Conv3d"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), signed in any::<bool>()) {
        let mut file = if signed { b"\x89HDF\r\n\x1a\n".to_vec() } else { Vec::new() };
        file.extend(bytes);
        prop_assert!(read_bytes(&file).is_err());
    }

    #[test]
    fn damaged_files_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        keep in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = bytes_of(&every_node());
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut {
            bytes.truncate(keep.index(bytes.len()));
        }
        if let Ok(graph) = read_bytes(&bytes) {
            prop_assert!(graph.check().is_empty());
        }
    }

    /// Other library, other format version: these files have version 0 superblocks and symbol tables.
    #[test]
    fn damaged_published_files_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        second in any::<bool>(),
    ) {
        let Some(folder) = published() else { return Ok(()) };
        let name = if second { "lif/lif_norse.nir" } else { "braille/braille_noDelay_bias_zero.nir" };
        let mut bytes = std::fs::read(folder.join(name)).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(graph) = read_bytes(&bytes) {
            prop_assert!(graph.check().is_empty());
        }
    }
}

/// `nir.write` compresses by default.
#[test]
fn compressed_weights_read_and_damaged_ones_never_panic() {
    let numbers: Vec<f64> = (0..64).map(f64::from).collect();
    let mut file = FileBuilder::new();
    let mut root = file.create_group("node");
    root.create_dataset("type").with_vlen_strings(&["NIRGraph"]).with_shape(&[]);
    root.create_dataset("edges").with_vlen_strings(&["in", "w", "w", "out"]).with_shape(&[2, 2]);
    let mut nodes = root.create_group("nodes");
    for (name, kind) in [("in", "Input"), ("w", "Linear"), ("out", "Output")] {
        let mut node = nodes.create_group(name);
        node.create_dataset("type").with_vlen_strings(&[kind]).with_shape(&[]);
        if kind == "Linear" {
            node.create_dataset("weight")
                .with_f64_data(&numbers)
                .with_shape(&[8, 8])
                .with_chunks(&[4, 8])
                .with_deflate(4);
        } else {
            node.create_dataset("shape").with_i64_data(&[8]);
        }
        nodes.add_group(node.finish());
    }
    root.add_group(nodes.finish());
    file.add_group(root.finish());
    let bytes = file.finish().unwrap();
    let weight = Matrix { rows: 8, cols: 8, data: numbers };
    assert_eq!(read_bytes(&bytes).unwrap().nodes["w"], Node::Linear { weight });
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        if let Ok(graph) = read_bytes(&damaged) {
            assert!(graph.check().is_empty(), "byte {at}");
        }
    }
}
