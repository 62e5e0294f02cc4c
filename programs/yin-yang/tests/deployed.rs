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
        inputs.iter().zip(0..).map(|(&step, neuron)| Spike { step, neuron, ..Spike::default() }).collect()
    };
    let labels = samples.iter().map(|(_, class)| *class as u32).collect();
    let dataset = Dataset::new(samples.iter().map(|(inputs, _)| spikes(inputs)), Some(labels));
    evaluate(&image, &dataset, || Simulator::new(image.config), Default::default(), |_| ()).unwrap()
}
