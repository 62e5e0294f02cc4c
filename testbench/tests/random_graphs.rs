//! Random NIR graphs: the generator keeps its promises, and what the compiler makes of its graphs passes the gate.

use fenn_testbench::graph_comparison::{Report, Survey, compare};
use fenn_testbench::nir_reference::{Reference, read, write};
use fenn_testbench::random_graphs::{basics, build, of_seed, shrink};

/// Kinds of nodes that the compiler knows.
const SUPPORTED: [&str; 8] = ["Input", "Output", "Linear", "Affine", "LIF", "CubaLIF", "LI", "CubaLI"];

/// How a failure is to be looked at again.
fn report(name: &str, report: &Report) -> String {
    format!("{name} fails; `random-nir run {name} --verbose` shows it\n{report}")
}

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
    let supported = |report: &Report| report.kinds.keys().all(|kind| SUPPORTED.contains(kind));
    let reports = basics().into_iter().map(|(name, case)| (name, compare(&case, folder.path())));
    let reports: Vec<(String, Report)> = reports.filter(|(_, report)| supported(report)).collect();
    assert!(reports.len() >= 15, "{} small graphs have supported nodes only", reports.len());
    for (name, found) in reports {
        assert!(found.passes(), "{}", report(&name, &found));
    }
}

#[test]
fn random_graphs_pass() {
    let survey = Survey::new(0..300, &SUPPORTED.map(str::to_owned)).unwrap();
    for (seed, found) in survey.failures() {
        panic!("{}", report(&seed.to_string(), found));
    }
    let spikes: usize = survey.reports.iter().flat_map(|(_, report)| &report.units).map(|unit| unit.expected).sum();
    eprintln!("{} graphs pass", survey.reports.len());
    eprintln!("{spikes} spikes compared");
}
