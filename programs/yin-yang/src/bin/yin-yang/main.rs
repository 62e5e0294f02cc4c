//! `yin-yang`: train, evaluate and export the Yin-Yang task. Exit codes: 0 done, 1 failed, 2 wrong usage.
#![allow(clippy::print_stdout, reason = "a command line tool prints its results")]

mod eventprop;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fenn_compiler::nir;
use fenn_yin_yang::dataset::Split;
use fenn_yin_yang::encode::{Spikes, Timing, events};
use fenn_yin_yang::eventprop::Deployed;
use fenn_yin_yang::network::Network;
use fenn_yin_yang::train::{Recipe, correct, encoded, train};
use indicatif::{ProgressBar, ProgressStyle};
use npyz::WriterBuilder;

/// Train, evaluate and export the Yin-Yang classification task
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  yin-yang train --seed 1 --out yin-yang.nir
  yin-yang train-eventprop --delays --out delays/
  yin-yang gradient-check
  yin-yang evaluate yin-yang.nir --split test
  yin-yang data --split test --out-spikes spikes.npy --labels labels.npy"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network and write it as a NIR file (about a minute on two cores)
    #[command(after_help = "Example:\n  yin-yang train --seed 1 --out yin-yang.nir\n\nA seed gives the same file on \
                            any machine, with any number of threads.")]
    Train {
        /// Seed of the initial weights and of the order of the samples
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Passes over the 5,000 training samples
        #[arg(long, default_value_t = Recipe::shipped(0).epochs)]
        epochs: usize,
        /// The NIR file to write
        #[arg(long, value_name = "FILE.nir")]
        out: PathBuf,
    },
    /// Train weights and delays with exact gradients, and write a description with arrays, or NIR (seconds on two cores)
    #[command(after_help = eventprop::TRAINING_HELP)]
    TrainEventprop(eventprop::Training),
    /// Compare exact gradients with finite differences, for every loss
    #[command(after_help = eventprop::CHECKING_HELP)]
    GradientCheck(eventprop::Checking),
    /// Write a split as NumPy files: input spikes, and labels
    #[command(
        after_help = "Example:\n  yin-yang data --split test --out-spikes spikes.npy --labels labels.npy\n\nSpikes: \
                            int32 [events, 3], rows (sample, step, unit), sorted. Labels: int32 [samples]."
    )]
    Data {
        /// The part of the data set
        #[arg(long, value_enum)]
        split: Split,
        /// Where to write the spikes
        #[arg(long, value_name = "FILE.npy")]
        out_spikes: PathBuf,
        /// Where to write the labels
        #[arg(long, value_name = "FILE.npy")]
        labels: PathBuf,
        /// A folder of `train-eventprop`, for the spikes of its time axis; by default those of `train`
        #[arg(long, value_name = "FOLDER")]
        network: Option<PathBuf>,
    },
    /// Run a network in 64-bit floats and print its accuracy
    #[command(
        after_help = "Examples:\n  yin-yang evaluate yin-yang.nir\n  yin-yang evaluate yin-yang.nir --split train --json\n  \
                      yin-yang evaluate programs/yin-yang/delays"
    )]
    Evaluate {
        /// The NIR file of `train`, or the folder of `train-eventprop`
        #[arg(value_name = "FILE.nir|FOLDER")]
        network: PathBuf,
        /// The part of the data set
        #[arg(long, value_enum, default_value = "test")]
        split: Split,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Train { seed, epochs, out } => train_command(seed, epochs, &out),
        Command::TrainEventprop(told) => eventprop::train_command(&told),
        Command::GradientCheck(told) => match eventprop::check_command(&told) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
        Command::Data { split, out_spikes, labels, network } => {
            data_command(split, &out_spikes, &labels, network.as_deref())
        }
        Command::Evaluate { network, split, json } => evaluate_command(&network, split, json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn train_command(seed: u64, epochs: usize, out: &Path) -> Result<(), Box<dyn Error>> {
    let recipe = Recipe { epochs, ..Recipe::shipped(seed) };
    // Hidden by itself where stderr is no terminal.
    let bar = ProgressBar::new(epochs as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} epochs, {eta} left  {msg}")?);
    let (network, best) = train(&recipe, |epoch| {
        bar.set_message(format!("loss {:.4}, validation {:.1} %", epoch.loss, 100.0 * epoch.validation));
        bar.inc(1);
    });
    bar.finish_and_clear();
    nir::write(&network.to_graph(), out)?;
    println!("{}: epoch {} of {epochs}, validation {:.1} %", out.display(), best.number, 100.0 * best.validation);
    Ok(())
}

fn data_command(split: Split, spikes: &Path, labels: &Path, network: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let (samples, steps) = match network {
        Some(folder) => {
            let model = Deployed::read(folder)?.model;
            (fenn_yin_yang::eventprop::encoded(split, &model), model.steps())
        }
        None => (encoded(split, &Timing::SHIPPED), Timing::SHIPPED.steps),
    };
    let encoded: Vec<Spikes> = samples.iter().map(|(spikes, _)| *spikes).collect();
    let rows = events(&encoded);
    write_npy(spikes, &[rows.len() as u64, 3], rows.as_flattened())?;
    let classes: Vec<i32> = samples.iter().map(|&(_, class)| class as i32).collect();
    write_npy(labels, &[classes.len() as u64], &classes)?;
    println!("{} samples, {} spikes, {steps} steps", classes.len(), rows.len());
    Ok(())
}

/// Writes a NumPy array, completely or not at all.
fn write_npy(path: &Path, shape: &[u64], values: &[i32]) -> Result<(), Box<dyn Error>> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape);
    let mut array = options.writer(&mut bytes).begin_nd()?;
    array.extend(values.iter().copied())?;
    array.finish()?;
    fenn_isa::file::write_whole(path, &bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(())
}

fn evaluate_command(path: &Path, split: Split, json: bool) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        return evaluate_folder(path, split, json);
    }
    let network = Network::from_graph(&nir::read(path)?).map_err(|error| format!("{}: {error}", path.display()))?;
    let timing = Timing::SHIPPED;
    let samples = encoded(split, &timing);
    let right = correct(&network, &timing, &samples);
    let accuracy = right as f64 / samples.len() as f64;
    let runs = samples.iter().map(|(spikes, _)| network.run(&timing, spikes));
    let (spikes, [current, potential]) = runs.fold((0, [0.0_f64; 2]), |(count, largest), run| {
        (count + run.spikes, [largest[0].max(run.largest[0]), largest[1].max(run.largest[1])])
    });
    let per_sample = spikes as f64 / samples.len() as f64;
    let mut out = std::io::stdout().lock();
    if json {
        let report = serde_json::json!({
            "correct": right, "samples": samples.len(), "accuracy": accuracy, "hidden_spikes_per_sample": per_sample,
            "largest_current": current, "largest_potential": potential,
            "dt": timing.dt, "steps": timing.steps, "readout": "max",
        });
        writeln!(out, "{report}")?;
    } else {
        writeln!(out, "{right} of {} correct: {:.1} %", samples.len(), 100.0 * accuracy)?;
        writeln!(out, "{per_sample:.1} hidden spikes per sample; largest |I| {current:.2}, |V| {potential:.2}")?;
    }
    Ok(())
}

fn evaluate_folder(folder: &Path, split: Split, json: bool) -> Result<(), Box<dyn Error>> {
    let (deployed, right, samples) = eventprop::evaluate(folder, split)?;
    let accuracy = right as f64 / samples as f64;
    let mut out = std::io::stdout().lock();
    if json {
        let report = serde_json::json!({
            "correct": right, "samples": samples, "accuracy": accuracy, "dt": deployed.model.dt / 1e3,
            "steps": deployed.model.steps(), "loss": deployed.loss,
        });
        writeln!(out, "{report}")?;
    } else {
        writeln!(out, "{right} of {samples} correct: {:.1} %", 100.0 * accuracy)?;
    }
    Ok(())
}
