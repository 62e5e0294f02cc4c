//! Random NIR graphs: the generator keeps its promises, and what the compiler makes of its graphs passes the gate.

use fenn_testbench::graph_comparison::{Survey, compare, compare_file};
use fenn_testbench::nir_reference::{Node, Reference, read, write};
use fenn_testbench::random_graphs::{basics, build, of_seed, shrink};

#[test]
fn a_seed_is_a_graph() {
    for seed in 0..20 {
        let [case, again] = [of_seed(seed), of_seed(seed)].map(|plan| build(&plan));
        assert_eq!((&case.graph, &case.inputs), (&again.graph, &again.inputs));
        assert_ne!(case.graph, build(&of_seed(seed + 1)).graph);
        let file = tempfile::NamedTempFile::new().unwrap();
        write(&case.graph, file.path()).unwrap();
        assert_eq!(read(file.path()).unwrap(), case.graph);
    }
}

/// Every kind of node occurs, exact cases do, and nearly all populations spike, but not all the time.
#[test]
fn graphs_are_worth_comparing() {
    let mut kinds = std::collections::BTreeSet::new();
    let (mut exact, mut silent, mut busy, mut populations) = (0, 0, 0, 0);
    for seed in 0..200 {
        let case = build(&of_seed(seed));
        kinds.extend(case.graph.kinds().into_keys());
        exact += usize::from(case.exact);
        let trace = Reference::new(&case.graph, case.settings).unwrap().run(&case.inputs);
        for steps in trace.units.values() {
            let spikes = steps.concat();
            if spikes.iter().any(|z| *z != 0.0 && *z != 1.0) {
                continue;
            }
            let rate = spikes.iter().sum::<f64>() / spikes.len() as f64;
            populations += 1;
            silent += usize::from(rate < 0.02);
            busy += usize::from(rate > 0.4);
        }
    }
    assert_eq!(kinds.len(), 19, "{kinds:?}");
    assert!(exact >= 20, "{exact} exact cases");
    assert!(busy * 20 < populations, "{busy} of {populations} populations spike all the time");
    assert!(silent * 10 < populations, "{silent} of {populations} populations are silent");
}

#[test]
fn plans_shrink_to_what_fails() {
    let seed = (0..).find(|seed| of_seed(*seed).layers.iter().any(|layer| layer.recurrent == 1)).unwrap();
    let plan = shrink(seed, 2000, |plan| plan.layers.iter().any(|layer| layer.recurrent == 1));
    let [layer] = plan.layers.as_slice() else { panic!("one layer is enough: {plan:?}") };
    assert_eq!((layer.recurrent, layer.size, layer.nested, plan.steps), (1, 2, false, 20));
}

#[test]
fn small_graphs_pass() {
    let folder = tempfile::tempdir().unwrap();
    for (name, case) in basics() {
        let found = compare(&case, folder.path());
        assert!(found.passes(), "{name} fails; `random-nir basics` shows it\n{found}");
    }
}

/// As many as `make show-compiler` shows.
#[test]
fn random_graphs_pass() {
    let survey = Survey::new(0..200, &[]).unwrap();
    assert_eq!(survey.reports.len(), 200);
    if let Some((seed, found)) = survey.failures().next() {
        panic!("seed {seed} fails; `random-nir run {seed} --verbose` shows it\n{found}");
    }
}

/// A program that is not the graph's does not pass: what is compared is compared.
#[test]
fn other_graphs_fail() {
    let folder = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for (name, case) in basics() {
        let mut other = case.clone();
        let weights = other.graph.nodes.values_mut().filter_map(|node| match node {
            Node::Linear(weight) | Node::Affine(weight, _) => Some(&mut weight.data),
            _ => None,
        });
        weights.flatten().for_each(|weight| *weight *= 0.5);
        if other.graph == case.graph {
            continue;
        }
        let file = folder.path().join("other.nir");
        write(&other.graph, &file).unwrap();
        tried += 1;
        let found = compare_file(&case, &file, folder.path(), &[]);
        assert!(!found.units.is_empty() || !found.outputs.is_empty(), "{name}\n{found}");
        assert!(!found.passes(), "{name}\n{found}");
    }
    assert!(tried > 20, "{tried}");
}
