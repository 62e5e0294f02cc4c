//! The committed network with delays: its figures, where its bytes come from, and its run on the simulator.

use std::path::PathBuf;

use fenn_compiler::backend::{self, compile};
use fenn_compiler::network::{Network, Readout};
use fenn_compiler::{description, import, nir};
use fenn_host::dataset::{Dataset, Spike};
use fenn_host::evaluate::{Evaluation, evaluate};
use fenn_host::sim::Simulator;
use fenn_yin_yang::dataset::Split;
use fenn_yin_yang::eventprop::{Deployed, Labelled, Loss, Recipe, Trained, encoded, train};

/// How the committed network was trained: `train-eventprop --seed 2 --delays --dt-ms 0.5`.
fn recipe(model: fenn_yin_yang::eventprop::Model, epochs: usize) -> Recipe {
    Recipe { epochs, ..Recipe::new(2, 30, model, Loss::Weighted).with_delays() }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("delays")
}

fn committed() -> Deployed {
    Deployed::read(&folder()).unwrap()
}

fn on_simulator(network: &Network, samples: &[Labelled]) -> Evaluation {
    let image = compile(network, &backend::Options::default()).unwrap().image;
    let spikes = |inputs: &[u32; 5]| -> Vec<Spike> {
        inputs.iter().zip(0..).map(|(&step, unit)| Spike { step, unit }).collect()
    };
    let labels = samples.iter().map(|(_, class)| *class as u32).collect();
    let dataset = Dataset::new(samples.iter().map(|(inputs, _)| spikes(inputs)), Some(labels));
    evaluate(&image, &dataset, || Simulator::new(image.config), Default::default(), |_| ()).unwrap()
}

/// The test split, and a step-by-step run of it.
fn right(deployed: &Deployed) -> (Vec<Labelled>, usize) {
    let samples = encoded(Split::Test, &deployed.model);
    let right = deployed.correct(&samples);
    (samples, right)
}

/// The network with its delays on the whole test split: in 64-bit floats, and compiled, in 16 bits on the simulator.
#[test]
fn the_committed_network_runs_on_the_simulator() {
    let deployed = committed();
    let longest = deployed.network.delays.iter().fold(0.0_f64, |longest, delay| longest.max(*delay));
    assert!(longest > 5.0, "hardly a delay: {longest} ms");
    let (samples, float) = right(&deployed);
    assert_eq!(float, 968, "the figure in README.md is out of date");
    let described = description::read(folder().join("network.toml"), &description::Options::default()).unwrap();
    assert!(described.warnings.iter().next().is_none(), "{}", described.warnings.render(false));
    let evaluation = on_simulator(&described.network, &samples);
    let fixed = evaluation.score.unwrap().correct;
    assert!(fixed.abs_diff(float) <= 5, "{fixed} of 1000 in 16 bits, {float} in floats");
    assert_eq!(fixed, 968, "the figure in README.md is out of date");
}

/// Both forms of a network with delays are the same network: a NIR graph of standard nodes, and the description.
#[test]
fn nir_has_the_delays_too() {
    let mut deployed = committed();
    // Its weights do for any loss; what counts is that both forms agree. NIR has no weighted mean.
    deployed.loss = Loss::Average;
    let graph = deployed.to_graph().unwrap();
    assert!(graph.nodes.values().filter(|node| matches!(node, nir::Node::Delay { .. })).count() > 3);
    let file = tempfile::NamedTempFile::new().unwrap();
    nir::write(&graph, file.path()).unwrap();
    let read = nir::read(file.path()).unwrap();
    assert_eq!(read, graph);
    let mut options = import::Options::new("yin-yang", deployed.model.steps() - 1);
    options.dt = Some(deployed.model.dt / 1e3);
    options.method = import::Method::ExponentialEuler;
    options.readout = Some(Readout::Mean);
    let expected = "--dt 0.0005 --steps 59 --method exponential-euler --readout mean";
    assert_eq!(deployed.nir_options().unwrap(), expected);

    // In floats the importer's own interpreter gives the same potentials, step by step.
    let model = import::model::Model::new(&read, &options).unwrap();
    let hidden = model.populations.iter().position(|neurons| neurons.name == "hidden").unwrap();
    let (samples, float) = right(&deployed);
    for (inputs, _) in &samples[..100] {
        let at = |step: u32| (0..5).filter(|&unit: &u32| inputs[unit as usize] == step).collect();
        let train = fenn_compiler::interpret::SpikeTrain::new((0..options.steps).map(at).collect());
        let found = import::float::run(&model, &[train]);
        let ours = fenn_yin_yang::eventprop::stepped::run(&deployed.network, &deployed.model, deployed.loss, inputs);
        let spikes: Vec<(u32, u32)> = found.spikes[hidden]
            .steps()
            .iter()
            .zip(0..)
            .flat_map(|(neurons, step)| neurons.iter().map(move |&neuron| (neuron, step)))
            .collect();
        let before_the_last = ours.spikes.iter().copied().filter(|&(_, step)| step < options.steps);
        assert_eq!(spikes, before_the_last.collect::<Vec<_>>());
        // The mean is over 59 steps there, and 8 times that over 60 here.
        for (found, ours) in found.readouts(&model)[0].iter().zip(ours.scores) {
            assert!((found * 59.0 / 60.0 * 8.0 - ours).abs() < 1e-9, "{found} and {ours}");
        }
    }

    let imported = import::import(&read, &options).unwrap();
    let fixed = on_simulator(&imported.network, &samples).score.unwrap().correct;
    assert!(fixed.abs_diff(float) <= 5, "{fixed} of 1000 in 16 bits, {float} in floats");
}

/// Retraining gives the first lines of the committed log, to the last bit.
#[test]
fn training_begins_as_the_log_says() {
    let log = std::fs::read_to_string(folder().join("training.json")).unwrap();
    let recipe = recipe(committed().model, 2);
    let trained = train(&recipe, |_| {}).unwrap();
    let short = trained.log(&recipe);
    let epochs = |log: &str| -> Vec<String> {
        let lines = log.lines().filter(|line| line.starts_with("{\"number\""));
        lines.map(|line| line.trim_end_matches(',').to_owned()).collect()
    };
    assert_eq!(epochs(&log).len(), 30);
    assert_eq!(epochs(&short), epochs(&log)[..2]);
}

#[test]
fn training_reproduces_the_committed_folder() {
    let recipe = recipe(committed().model, 30);
    let trained: Trained = train(&recipe, |_| {}).unwrap();
    let out = tempfile::tempdir().unwrap();
    let deployed = Deployed { model: recipe.model, loss: recipe.loss, network: trained.network.clone() };
    deployed.write(out.path(), &trained.log(&recipe)).unwrap();
    for file in std::fs::read_dir(folder()).unwrap() {
        let name = file.unwrap().file_name();
        let bytes = |folder: &std::path::Path| std::fs::read(folder.join(&name)).unwrap();
        assert_eq!(bytes(&folder()), bytes(out.path()), "{name:?}");
    }
}

#[test]
fn a_folder_survives_and_a_wrong_one_is_refused_by_name() {
    let out = tempfile::tempdir().unwrap();
    let mut deployed = committed();
    deployed.write(out.path(), "{}").unwrap();
    assert_eq!(Deployed::read(out.path()).unwrap(), deployed);
    // Without delays their file goes.
    deployed.network.delays.fill(0.0);
    deployed.write(out.path(), "{}").unwrap();
    assert_eq!(Deployed::read(out.path()).unwrap(), deployed);
    assert!(!out.path().join("best-Conn_Pop0_Pop1-d.npy").exists());

    let message = || Deployed::read(out.path()).unwrap_err().to_string();
    std::fs::write(out.path().join("best-Conn_Pop0_Pop1-g.npy"), "text").unwrap();
    assert!(message().contains("best-Conn_Pop0_Pop1-g.npy: "), "{}", message());
    let constants = std::fs::read_to_string(out.path().join("constants.json")).unwrap();
    std::fs::write(out.path().join("constants.json"), constants.replace("0.5", "-0.5")).unwrap();
    assert!(message().contains("constants.json: dt is -0.5, and has to be a number above 0"), "{}", message());
    let many = constants.replace("\"hidden\": 30", "\"hidden\": 3000000000000000");
    std::fs::write(out.path().join("constants.json"), many).unwrap();
    assert!(message().ends_with("3000000000000000 hidden neurons; there have to be 1 to 65536"), "{}", message());
    std::fs::write(out.path().join("constants.json"), "{").unwrap();
    assert!(message().contains("constants.json: EOF"), "{}", message());
    std::fs::remove_file(out.path().join("constants.json")).unwrap();
    assert!(message().contains("constants.json: No such file"), "{}", message());

    for (loss, form) in [(Loss::FirstSpike, "network.toml"), (Loss::Weighted, "NIR")] {
        deployed.loss = loss;
        let error = if form == "NIR" {
            deployed.to_graph().unwrap_err()
        } else {
            deployed.write(out.path(), "{}").unwrap_err()
        };
        assert!(error.to_string().starts_with(form), "{error}");
    }
}
