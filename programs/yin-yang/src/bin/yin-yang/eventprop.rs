//! The commands that train with EventProp, and check its gradients.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use fenn_compiler::nir;
use fenn_yin_yang::dataset::Split;
use fenn_yin_yang::eventprop::{
    Agreement, Checked, Deployed, Epoch, Loss, Model, Recipe, Scenario, Trained, encoded, gradient_check, train,
};
use indicatif::{ProgressBar, ProgressStyle};

/// What `train-eventprop` is told.
#[derive(Args)]
pub(crate) struct Training {
    /// Seed of the initial numbers and of the order of the samples
    #[arg(long, default_value_t = 2)]
    seed: u64,
    /// Hidden neurons
    #[arg(long, default_value_t = 30)]
    hidden: usize,
    /// Train a delay at every input synapse too; without, spikes arrive at once
    #[arg(long)]
    delays: bool,
    /// What is to be small
    #[arg(long, value_enum, default_value = "weighted")]
    loss: Loss,
    /// Length of a time step in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0.1)]
    dt_ms: f64,
    /// Passes over the 5,000 training samples
    #[arg(long)]
    epochs: Option<usize>,
    /// Samples per update
    #[arg(long)]
    batch: Option<usize>,
    /// Adam's step size for weights in the first epoch
    #[arg(long)]
    rate: Option<f64>,
    /// Adam's step size for delays in the first epoch, in milliseconds
    #[arg(long, value_name = "MS", requires = "delays")]
    delay_rate: Option<f64>,
    /// The folder to write: a description for fenn-cc, and arrays
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The NIR file to write
    #[arg(long, value_name = "FILE.nir")]
    nir: Option<PathBuf>,
    /// Threads; by default one per core. The result is the same for any number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `gradient-check` is told.
#[derive(Args)]
pub(crate) struct Checking {
    /// A loss to check; may be repeated. By default all
    #[arg(long, value_enum)]
    loss: Vec<Loss>,
    /// Seed of the network's weights and delays
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Hidden neurons
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    hidden: u16,
    /// Samples, of the test split
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    samples: u16,
    /// Length of a time step in milliseconds, for the gradients
    #[arg(long, value_name = "MS", default_value_t = 0.0005)]
    dt_ms: f64,
    /// Threads; by default one per core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) const TRAINING_HELP: &str = "\
Examples:
  yin-yang train-eventprop --delays --seed 2
  yin-yang train-eventprop --delays --dt-ms 0.5 --out delays/
  yin-yang train-eventprop --hidden 60 --loss average --dt-ms 0.5 --nir plain.nir
  yin-yang train-eventprop --delays --epochs 5 --json --jobs 1

The network kept is that of the epoch which is best on the validation split. A seed gives the same files on any machine, with any
number of threads. A folder becomes a program by `fenn-cc FOLDER/network.toml`; its input spikes are written by
`yin-yang data --network FOLDER`.

Exit codes: 0 done, 1 failed, 2 wrong usage.";

pub(crate) const CHECKING_HELP: &str = "\
Examples:
  yin-yang gradient-check
  yin-yang gradient-check --loss max --loss first-spike --seed 3
  yin-yang gradient-check --dt-ms 0.1 --json

Gradients of the grid are compared with finite differences of the loss in continuous time, by an independent simulation. Gates:
cosine at least 0.995, scale 1 within 0.02, for input weights, output weights and delays. A coarse grid does not keep them:
gradients are exact for spikes between steps, and a grid rounds their times.

Exit codes: 0 within the gates, 1 outside or failed, 2 wrong usage.";

/// Runs `work` on `jobs` threads.
fn on<T: Send>(jobs: Option<u16>, work: impl FnOnce() -> T + Send) -> Result<T, Box<dyn Error>> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(jobs.map_or(0, usize::from)).build()?.install(work))
}

fn percent(fraction: f64) -> f64 {
    100.0 * fraction
}

/// The name of a loss on the command line.
fn name(loss: Loss) -> String {
    clap::ValueEnum::to_possible_value(&loss).map_or_else(|| format!("{loss:?}"), |value| value.get_name().to_owned())
}

pub(crate) fn train_command(told: &Training) -> Result<(), Box<dyn Error>> {
    let mut recipe = Recipe::new(told.seed, told.hidden, Model::published(told.dt_ms), told.loss);
    if told.delays {
        recipe = recipe.with_delays();
    }
    recipe.epochs = told.epochs.unwrap_or(recipe.epochs);
    recipe.batch = told.batch.unwrap_or(recipe.batch);
    recipe.rate = told.rate.unwrap_or(recipe.rate);
    if let Some((delays, rate)) = recipe.delays.as_mut().zip(told.delay_rate) {
        delays.rate = rate;
    }
    // Hidden by itself where stderr is no terminal.
    let bar = ProgressBar::new(recipe.epochs as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} epochs, {eta} left  {msg}")?);
    let watch = |epoch: &Epoch| {
        let validation = percent(epoch.validation);
        bar.set_message(format!("loss {:.4}, validation {validation:.1} %", epoch.loss));
        bar.inc(1);
    };
    let trained = on(told.jobs, || train(&recipe, watch))??;
    bar.finish_and_clear();
    let deployed = Deployed { model: recipe.model, loss: recipe.loss, network: trained.network.clone() };
    // Before anything is written, so that there is all of it or nothing.
    let graph = told.nir.as_ref().map(|path| deployed.to_graph().map(|graph| (path, graph))).transpose()?;
    if let Some(folder) = &told.out {
        deployed.write(folder, &trained.log(&recipe))?;
    }
    if let Some((path, graph)) = graph {
        nir::write(&graph, path)?;
    }
    report(told, &recipe, &trained, &deployed)
}

fn report(told: &Training, recipe: &Recipe, trained: &Trained, deployed: &Deployed) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let best = trained.epochs.iter().map(|epoch| epoch.test).fold(0.0, f64::max);
    let chosen = trained.chosen.checked_sub(1).map(|index| &trained.epochs[index]);
    if told.json {
        let report = serde_json::json!({
            "seed": recipe.seed, "hidden": recipe.hidden, "delays": recipe.delays.is_some(), "loss": name(recipe.loss),
            "dt_ms": recipe.model.dt, "steps": recipe.model.steps(), "best_test": best, "chosen_epoch": trained.chosen,
            "chosen_test": chosen.map(|epoch| epoch.test), "final_test": trained.epochs.last().map(|epoch| epoch.test),
            "epochs": trained.epochs,
        });
        writeln!(out, "{report}")?;
        return Ok(());
    }
    if let (Some(chosen), Some(last)) = (chosen, trained.epochs.last()) {
        writeln!(
            out,
            "epoch {} of {}, the best on the validation split ({:.1} %): test {:.1} %, {:.1} hidden spikes per sample",
            chosen.number,
            last.number,
            percent(chosen.validation),
            percent(chosen.test),
            chosen.spikes
        )?;
        writeln!(out, "test, best of all epochs {:.1} %, last epoch {:.1} %", percent(best), percent(last.test))?;
    }
    if let Some(folder) = &told.out {
        writeln!(out, "{}: fenn-cc {}", folder.display(), folder.join("network.toml").display())?;
    }
    if let Some(path) = &told.nir {
        writeln!(out, "{0}: fenn-cc {0} {1}", path.display(), deployed.nir_options()?)?;
    }
    Ok(())
}

/// Least cosine.
const COSINE: f64 = 0.995;
/// Greatest distance of the scale from 1.
const SCALE: f64 = 0.02;

fn groups(checked: &Checked) -> [(&'static str, Agreement); 3] {
    [("w_in", checked.w_in), ("w_out", checked.w_out), ("delays", checked.delays)]
}

/// Whether all are within the gates.
pub(crate) fn check_command(told: &Checking) -> Result<bool, Box<dyn Error>> {
    let scenario =
        Scenario { hidden: told.hidden.into(), samples: told.samples.into(), ..Scenario::new(told.seed, told.dt_ms) };
    let losses = if told.loss.is_empty() { &Loss::ALL[..] } else { &told.loss };
    let checks = on(told.jobs, || losses.iter().map(|&loss| gradient_check(&scenario, loss)).collect::<Vec<_>>())?;
    let checks = checks.into_iter().collect::<Result<Vec<Checked>, _>>()?;
    let passes = |checked: &Checked| {
        let within = |(_, a): (_, Agreement)| a.cosine >= COSINE && (a.scale - 1.0).abs() <= SCALE;
        groups(checked).into_iter().all(within)
    };
    let mut out = std::io::stdout().lock();
    if told.json {
        let check = |checked: &Checked| {
            let mut object = serde_json::json!({
                "loss": name(checked.loss), "hidden_spikes": checked.spikes, "left_out": checked.left_out,
                "loss_in_continuous_time": checked.losses[0], "loss_on_the_grid": checked.losses[1],
                "passes": passes(checked),
            });
            for (group, agreement) in groups(checked) {
                object[group] = serde_json::json!({ "cosine": agreement.cosine, "scale": agreement.scale });
            }
            object
        };
        let checks_json: Vec<_> = checks.iter().map(check).collect();
        let report = serde_json::json!({
            "dt_ms": told.dt_ms, "seed": told.seed, "hidden": told.hidden, "samples": told.samples,
            "gates": { "cosine": COSINE, "scale": SCALE }, "checks": checks_json,
        });
        writeln!(out, "{report}")?;
    } else {
        writeln!(out, "{:14} {:>17} {:>17} {:>17}", "cosine, scale", "w_in", "w_out", "delays")?;
        for checked in &checks {
            write!(out, "{:14}", name(checked.loss))?;
            for (_, Agreement { cosine, scale }) in groups(checked) {
                write!(out, "  {cosine:.5} {scale:.5}")?;
            }
            let left_out =
                if checked.left_out == 0 { String::new() } else { format!(", {} left out", checked.left_out) };
            writeln!(out, "  {}{left_out}", if passes(checked) { "ok" } else { "OUT OF GATE" })?;
        }
    }
    Ok(checks.iter().all(passes))
}

/// Right ones and samples of a folder that `train-eventprop` wrote.
pub(crate) fn evaluate(folder: &std::path::Path, split: Split) -> Result<(Deployed, usize, usize), Box<dyn Error>> {
    let deployed = Deployed::read(folder)?;
    let samples = encoded(split, &deployed.model);
    let right = deployed.correct(&samples);
    Ok((deployed, right, samples.len()))
}
