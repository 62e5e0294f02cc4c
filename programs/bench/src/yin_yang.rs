//! Yin-Yang with EventProp: gradients against finite differences, learned delays against none, and the trained networks on
//! the simulator.

use std::path::Path;

use fenn_compiler::backend;
use fenn_host::dataset::Spike;
use fenn_host::device::Limit;
use fenn_testbench::figure::{Figure, Gate};
use fenn_testbench::shared::root;
use fenn_yin_yang::dataset::Split;
use fenn_yin_yang::eventprop::{
    Checked, Deployed, Epoch, Loss, Model, Recipe, Scenario, Trained, encoded, gradient_check, train,
};
use maud::html;

use crate::chart::{self, Axis, Series};
use crate::program::{Failure, Line, Options, Outcome, Program, Section};
use crate::run;

/// See the module.
pub const PROGRAM: Program = Program {
    name: "yin-yang",
    title: "Yin-Yang with learned delays",
    about: "Which part of a yin-yang sign is a point in? Trained with exact gradients of weights and delays, run in 16 bits.",
    needs_data: false,
    run,
};

/// Time step of training, in milliseconds.
const DT: f64 = 0.1;
/// The same of the gradient check, whose grid has to be fine: at 0.002 the greatest potential's moment is too coarse.
const FINE: f64 = 0.0005;
/// Hidden neurons of the comparison with and without delays, and of the larger network without.
const HIDDEN: usize = 30;
const LARGER: usize = 60;
/// Samples of the test split.
const SAMPLES: f64 = 1000.0;

fn run(options: &Options<'_>) -> Result<Outcome, Failure> {
    let first = options.seed.unwrap_or(2);
    let (seeds, epochs) = if options.small { (vec![first], 1) } else { ((first..first + 3).collect(), 30) };
    let mut outcome = Outcome { seed: Some(first), ..Outcome::default() };
    let gate = |gate| if options.small { Gate::None } else { gate };

    let losses: &[Loss] = if options.small { &[Loss::Average] } else { &Loss::ALL };
    let mut checks = Vec::new();
    for (index, loss) in losses.iter().enumerate() {
        (options.progress)("checking gradients", 0.1 * index as f64 / losses.len() as f64);
        checks.push(gradient_check(&Scenario::new(first, FINE), *loss)?);
    }
    outcome.lines.extend(checks.iter().flat_map(agreement));

    let mut trainings: Vec<(String, Trained)> = Vec::new();
    let all = 2 * seeds.len() + 1;
    let mut trained = |name: String, recipe: Recipe| -> Result<Trained, Failure> {
        let done = trainings.len() as f64;
        let watch = |epoch: &Epoch| {
            let share = (done + epoch.number as f64 / epochs as f64) / all as f64;
            (options.progress)(&format!("training {name}"), 0.1 + 0.8 * share);
        };
        let trained = train(&Recipe { epochs, ..recipe }, watch)?;
        trainings.push((name, trained.clone()));
        Ok(trained)
    };
    let model = Model::published(DT);
    let loss = Loss::Weighted;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for seed in &seeds {
        let recipe = Recipe::new(*seed, HIDDEN, model, loss);
        without.push(trained(format!("no delays, seed {seed}"), recipe.clone())?);
        with.push(trained(format!("delays, seed {seed}"), recipe.with_delays())?);
    }
    let larger = trained(format!("{LARGER} hidden, seed {first}"), Recipe::new(first, LARGER, model, loss))?;

    let mean = |trained: &[Trained], of: fn(&Trained) -> f64| {
        100.0 * trained.iter().map(of).sum::<f64>() / trained.len().max(1) as f64
    };
    let (best_with, best_without) = (mean(&with, best), mean(&without, best));
    let line = |what: &str, value, unit, gate| Line::new(Figure::new(what, value, unit, gate));
    outcome.lines.extend([
        line("learned delays: best test accuracy, mean over seeds", best_with, "%", gate(Gate::AtLeast(96.0)))
            .noted(each(&with, best)),
        line("no delays: the same", best_without, "%", Gate::None).noted(each(&without, best)),
        line("learned delays above none", best_with - best_without, "points", gate(Gate::AtLeast(1.5))),
        line("learned delays: after the last epoch", mean(&with, last), "%", Gate::None).noted(each(&with, last)),
        line("no delays: after the last epoch", mean(&without, last), "%", Gate::None).noted(each(&without, last)),
        line("60 hidden, no delays: best test accuracy", 100.0 * best(&larger), "%", gate(Gate::AtLeast(94.0)))
            .beside("98.1 with 200 hidden", "EventProp's paper, from memory"),
    ]);

    (options.progress)("running in 16 bits", 0.9);
    let with = with.into_iter().next().ok_or("there is a seed")?;
    let folder = root().join("programs/yin-yang/delays");
    let shipped = Deployed::read(&folder)?;
    outcome.lines.extend(in_16_bits("shipped, steps of 0.5 ms", &shipped, &folder, options)?);
    let small = Recipe { epochs, ..Recipe::new(first, HIDDEN, model, loss).with_delays() };
    let large = Recipe { epochs, ..Recipe::new(first, LARGER, model, loss) };
    for (name, recipe, trained) in [("learned delays", small, with), ("60 hidden", large, larger)] {
        let folder = options.out.join(name.replace(' ', "-"));
        let log = trained.log(&recipe);
        let deployed = Deployed { model, loss, network: trained.network };
        deployed.write(&folder, &log)?;
        outcome.lines.extend(in_16_bits(name, &deployed, &folder, options)?);
    }

    let series = |of: fn(&Epoch) -> f64| -> Vec<Series> {
        let one = |(index, (name, trained)): (usize, &(String, Trained))| {
            let points = trained.epochs.iter().map(|epoch| (epoch.number as f64, 100.0 * of(epoch)));
            Series::line(name.clone(), index, points.collect())
        };
        trainings.iter().enumerate().map(one).collect()
    };
    outcome.sections = vec![
        Section::new(
            "Training",
            chart::curves(
                "Test accuracy after each epoch",
                Axis::linear("epoch"),
                Axis::linear("%"),
                &series(|epoch| epoch.test),
                "Nothing is chosen by the test split; the network kept is the best on the validation split.",
            ),
        ),
        Section::new(
            "Gradients",
            html! {
                p { "Cosine between the gradient and finite differences of a simulation in continuous time, and how many times as large it is." }
                (chart::table(
                    &["loss", "weights in", "weights out", "delays", "spikes", "left out"],
                    &checks.iter().map(row).collect::<Vec<_>>(),
                ))
                p.sub { "Left out are parameters at which a spike comes or goes between the two points of a difference: there the loss jumps." }
            },
        ),
    ];
    Ok(outcome)
}

fn best(trained: &Trained) -> f64 {
    trained.epochs.iter().map(|epoch| epoch.test).fold(0.0, f64::max)
}

fn last(trained: &Trained) -> f64 {
    trained.epochs.last().map_or(0.0, |epoch| epoch.test)
}

fn each(trained: &[Trained], of: fn(&Trained) -> f64) -> String {
    trained.iter().map(|trained| format!("{:.1}", 100.0 * of(trained))).collect::<Vec<_>>().join(", ")
}

/// The lines of a gradient check: the worst of its groups.
fn agreement(checked: &Checked) -> [Line; 2] {
    let groups = [checked.w_in, checked.w_out, checked.delays];
    let cosine = groups.iter().map(|group| group.cosine).fold(f64::INFINITY, f64::min);
    let scale = groups
        .iter()
        .map(|group| group.scale)
        .fold(1.0, |worst: f64, scale| if (scale - 1.0).abs() > (worst - 1.0).abs() { scale } else { worst });
    let name = |what: &str| format!("gradient of {:?}: {what}", checked.loss);
    [
        Line::new(Figure::new(name("least cosine"), cosine, "", Gate::AtLeast(0.995))),
        Line::new(Figure::new(name("worst scale"), scale, "", Gate::Between(0.98, 1.02))),
    ]
}

fn row(checked: &Checked) -> Vec<String> {
    let group = |group: fenn_yin_yang::eventprop::Agreement| format!("{:.6}, × {:.4}", group.cosine, group.scale);
    vec![
        format!("{:?}", checked.loss),
        group(checked.w_in),
        group(checked.w_out),
        group(checked.delays),
        checked.spikes.to_string(),
        checked.left_out.to_string(),
    ]
}

/// Compiles the network that `folder` holds, runs the test split on the simulator, and compares with the float run.
fn in_16_bits(name: &str, deployed: &Deployed, folder: &Path, options: &Options<'_>) -> Result<[Line; 3], Failure> {
    let description = folder.join("network.toml");
    let text = std::fs::read_to_string(&description).map_err(|error| format!("{}: {error}", description.display()))?;
    let network = run::described(&text, "network.toml", folder, None)?;
    let image = run::compiled(&network, &backend::Options::default())?.image;
    let mut session = run::session(&image)?;
    let samples = encoded(Split::Test, &deployed.model);
    let (mut correct, mut cycles) = (0, 0u64);
    for (inputs, class) in &samples {
        let spikes: Vec<Spike> = inputs.iter().zip(0u32..).map(|(step, unit)| Spike { step: *step, unit }).collect();
        let launch = session.run(&spikes, Limit::default())?;
        let given = run::class(&launch)?;
        correct += usize::from(given as usize == *class);
        cycles += launch.finished.cycles;
    }
    let float = 100.0 * deployed.correct(&samples) as f64 / SAMPLES;
    let fixed = 100.0 * f64::from(u32::try_from(correct)?) / SAMPLES;
    let line = |what: &str, value, unit, gate| Line::new(Figure::new(format!("{name}: {what}"), value, unit, gate));
    let gate = if options.small { Gate::AtLeast(-3.0) } else { Gate::AtLeast(-0.5) };
    Ok([
        line("accuracy in 16 bits on the simulator", fixed, "%", Gate::None).noted(format!("float64 {float:.1} %")),
        line("the same, above float64", fixed - float, "points", gate),
        line("time at 175 MHz", cycles as f64 / samples.len() as f64 / 175.0, "us a sample", Gate::None),
    ])
}
