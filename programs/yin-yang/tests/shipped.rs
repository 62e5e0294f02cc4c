//! The committed network: its accuracy, a second implementation of its equations, and where its bytes come from.

use std::path::PathBuf;

use fenn_compiler::nir::{Graph, Node, read, write};
use fenn_yin_yang::dataset::{CLASSES, Split};
use fenn_yin_yang::encode::{Spikes, Timing};
use fenn_yin_yang::graph::NotYinYang;
use fenn_yin_yang::network::Network;
use fenn_yin_yang::train::{Recipe, correct, encoded, train};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("yin-yang.nir")
}

fn shipped() -> (Graph, Network) {
    let graph = read(path()).unwrap();
    let network = Network::from_graph(&graph).unwrap();
    (graph, network)
}

#[test]
fn the_shipped_network_reaches_its_figures() {
    let (_, network) = shipped();
    let samples = encoded(Split::Test, &Timing::SHIPPED);
    let right = correct(&network, &Timing::SHIPPED, &samples);
    assert!(right >= 950, "{right} of 1000");
    assert_eq!(right, 977, "the figure in README.md is out of date");
    // 16 bits with 11 fraction bits hold ±16.
    for (spikes, _) in &samples {
        let [current, potential] = network.run(&Timing::SHIPPED, spikes).largest;
        assert!(current < 8.0 && potential < 8.0, "{current} {potential}");
    }
}

/// Scores by the differential equations as NIR states them, neuron by neuron from the graph's own parameters.
fn scores_by_euler(graph: &Graph, spikes: &Spikes) -> [f64; CLASSES] {
    let (Node::Linear { weight: fc1 }, Node::CubaLif(h), Node::Linear { weight: fc2 }, Node::CubaLi(o)) =
        (&graph.nodes["fc1"], &graph.nodes["hidden"], &graph.nodes["fc2"], &graph.nodes["readout"])
    else {
        panic!("the shipped graph has other nodes")
    };
    let Timing { dt, steps, .. } = Timing::SHIPPED;
    let mut state = vec![(0.0, 0.0); fc1.rows];
    let mut out = [(0.0, 0.0); CLASSES];
    let mut scores = [f64::NEG_INFINITY; CLASSES];
    for step in 0..steps {
        let x = spikes.map(|at| if at == step { 1.0 } else { 0.0 });
        let mut z = vec![0.0; fc1.rows];
        for (n, (i, v)) in state.iter_mut().enumerate() {
            let input: f64 = fc1.row(n).iter().zip(x).map(|(w, x)| w * x).sum();
            *i += dt / h.tau_syn[n] * (-*i + h.w_in[n] * input);
            *v += dt / h.tau_mem[n] * (h.v_leak[n] - *v + h.r[n] * *i);
            if *v > h.v_threshold[n] {
                z[n] = 1.0;
                *v = h.v_reset[n];
            }
        }
        for (n, (i, v)) in out.iter_mut().enumerate() {
            let input: f64 = fc2.row(n).iter().zip(&z).map(|(w, z)| w * z).sum();
            *i += dt / o.tau_syn[n] * (-*i + o.w_in[n] * input);
            *v += dt / o.tau_mem[n] * (o.v_leak[n] - *v + o.r[n] * *i);
            scores[n] = scores[n].max(*v);
        }
    }
    scores
}

#[test]
fn scores_are_those_of_the_equations() {
    let (graph, network) = shipped();
    for (number, (spikes, _)) in encoded(Split::Test, &Timing::SHIPPED).iter().enumerate() {
        let expected = scores_by_euler(&graph, spikes);
        let found = network.run(&Timing::SHIPPED, spikes).scores;
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "sample {number}: {found} and {expected}");
        }
    }
}

#[test]
fn a_network_survives_the_file_and_other_graphs_are_refused() {
    let (graph, network) = shipped();
    assert_eq!(network.to_graph().nodes, graph.nodes);
    let mut uneven = graph.clone();
    if let Some(Node::CubaLif(hidden)) = uneven.nodes.get_mut("hidden") {
        hidden.tau_mem[3] *= 2.0;
    }
    let error = Network::from_graph(&uneven).unwrap_err();
    assert!(matches!(error, NotYinYang::Parameter { parameter: "tau_mem", .. }), "{error}");
    let mut cyclic = graph.clone();
    cyclic.edges.retain(|edge| edge.to != "output");
    cyclic.edges.push(fenn_compiler::nir::Edge { from: "readout".into(), to: "fc2".into() });
    assert!(matches!(Network::from_graph(&cyclic), Err(NotYinYang::Chain(_))));
}

#[test]
#[ignore = "trains for a minute; run with `cargo test --release -p fenn-yin-yang -- --ignored`"]
fn training_reproduces_the_committed_bytes() {
    let (network, _) = train(&Recipe::shipped(1), |_| {});
    let file = tempfile::NamedTempFile::new().unwrap();
    write(&network.to_graph(), file.path()).unwrap();
    assert_eq!(std::fs::read(file.path()).unwrap(), std::fs::read(path()).unwrap());
}
