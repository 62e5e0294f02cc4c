//! A trained network as a folder: a description with NumPy arrays, delays included. (NIR: `nir`.)
//!
//! There are `network.toml` for `fenn-cc`, the arrays as mlGeNN names them (`best-Conn_Pop0_Pop1-g.npy`, weights
//! `[INPUTS][hidden]`; `-d.npy`, delays in steps, if there are any; `best-Conn_Pop1_Pop2-g.npy`, `[hidden][CLASSES]`),
//! `constants.json`, from which [`Deployed::read`] takes what arrays do not say, and `training.json`, which says how they came
//! about.

use std::path::{Path, PathBuf};

use fenn_isa::file::write_whole;
use npyz::{NpyFile, WriterBuilder};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::loss::Loss;
use super::model::{Model, ModelError, Network};
use super::stepped;
use super::train::{Labelled, MOST};
use crate::dataset::CLASSES;
use crate::encode::INPUTS;

/// A network with everything needed to run it.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployed {
    /// Its constants.
    pub model: Model,
    /// The loss it was trained with, which says how its potentials are read.
    pub loss: Loss,
    /// Its weights and delays.
    pub network: Network,
}

/// `constants.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Constants {
    model: Model,
    loss: Loss,
    hidden: usize,
}

/// A network that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A form has no such readout.
    #[error("{form} has no way to read a class out of potentials as the loss `{loss:?}` does; use {instead}")]
    Readout {
        /// The form.
        form: &'static str,
        /// The loss.
        loss: Loss,
        /// What there is a way for.
        instead: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Constants without sense.
    #[error("{}: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ModelError,
    },
}

const W_IN: &str = "best-Conn_Pop0_Pop1-g.npy";
const DELAYS: &str = "best-Conn_Pop0_Pop1-d.npy";
const W_OUT: &str = "best-Conn_Pop1_Pop2-g.npy";
const DESCRIPTION: &str = "network.toml";
const CONSTANTS: &str = "constants.json";
const LOG: &str = "training.json";

impl Deployed {
    /// How many of `samples` are classified correctly, step by step in 64-bit floats.
    pub fn correct(&self, samples: &[Labelled]) -> usize {
        let right = |(inputs, class): &&Labelled| self.classify(inputs) == *class;
        samples.par_iter().filter(right).count()
    }

    /// The class of the input spikes at steps `inputs`, step by step in 64-bit floats.
    pub fn classify(&self, inputs: &[u32; INPUTS]) -> usize {
        super::loss::class_of(&stepped::run(&self.network, &self.model, self.loss, inputs).scores)
    }

    /// Writes the folder, and each of its files whole or not at all. `log` is [`Trained::log`](super::Trained::log)'s.
    ///
    /// # Errors
    /// The system's, and [`ExportError::Readout`] for [`Loss::FirstSpike`].
    pub fn write(&self, folder: &Path, log: &str) -> Result<(), ExportError> {
        let description = self.description()?;
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| ExportError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        let hidden = self.network.hidden_len();
        let delays: Vec<i32> = self.network.delays.iter().map(|&delay| self.model.in_steps(delay) as i32).collect();
        let constants = Constants { model: self.model, loss: self.loss, hidden };
        let content = |name: &str| {
            let path = folder.join(name);
            move |error: serde_json::Error| ExportError::Content { path, what: error.to_string() }
        };
        let mut json = serde_json::to_string_pretty(&constants).map_err(content(CONSTANTS))?;
        json.push('\n');
        let transposed: Vec<f64> = transposed(&self.network.w_out, CLASSES, hidden);
        let mut files = vec![
            (W_IN, npy(&[INPUTS, hidden], &self.network.w_in).map_err(io(&folder.join(W_IN)))?),
            (W_OUT, npy(&[hidden, CLASSES], &transposed).map_err(io(&folder.join(W_OUT)))?),
            (CONSTANTS, json.into_bytes()),
            (DESCRIPTION, description.into_bytes()),
            (LOG, log.as_bytes().to_vec()),
        ];
        let path = folder.join(DELAYS);
        if delays.iter().any(|&steps| steps > 0) {
            files.push((DELAYS, npy(&[INPUTS, hidden], &delays).map_err(io(&path))?));
        } else if path.exists() {
            // Of another network: the compiler takes what is there.
            std::fs::remove_file(&path).map_err(io(&path))?;
        }
        for (name, bytes) in files {
            let path = folder.join(name);
            write_whole(&path, &bytes).map_err(io(&path))?;
        }
        Ok(())
    }

    /// The network in a folder that [`Deployed::write`] wrote.
    ///
    /// # Errors
    /// What is missing or wrong, with the file's name.
    pub fn read(folder: &Path) -> Result<Deployed, ExportError> {
        let path = folder.join(CONSTANTS);
        let text = std::fs::read_to_string(&path).map_err(|source| ExportError::Io { path: path.clone(), source })?;
        let Constants { model, loss, hidden } = serde_json::from_str(&text)
            .map_err(|error| ExportError::Content { path: path.clone(), what: error.to_string() })?;
        model.check().map_err(|source| ExportError::Model { path: path.clone(), source })?;
        if !(1..=MOST).contains(&hidden) {
            let what = format!("{hidden} hidden neurons; there have to be 1 to {MOST}");
            return Err(ExportError::Content { path, what });
        }
        let w_in = numbers::<f64>(&folder.join(W_IN), [INPUTS, hidden])?;
        let path = folder.join(DELAYS);
        let delays = if path.exists() { numbers::<i32>(&path, [INPUTS, hidden])? } else { vec![0; INPUTS * hidden] };
        let w_out = numbers::<f64>(&folder.join(W_OUT), [hidden, CLASSES])?;
        let longest = model.in_steps(model.longest_delay) as i32;
        if let Some(delay) = delays.iter().find(|delay| !(0..=longest).contains(*delay)) {
            let what = format!("a delay of {delay} steps; {CONSTANTS} allows 0 to {longest}");
            return Err(ExportError::Content { path: folder.join(DELAYS), what });
        }
        let delays = delays.into_iter().map(|steps| f64::from(steps) * model.dt).collect();
        let network = Network { w_in, delays, w_out: transposed(&w_out, hidden, CLASSES) };
        Ok(Deployed { model, loss, network })
    }
}

fn transposed(numbers: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| numbers[row * columns + column])).collect()
}

fn npy<T: npyz::AutoSerialize + Copy>(shape: &[usize; 2], numbers: &[T]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let shape = shape.map(|length| length as u64);
    let mut array = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
    array.extend(numbers.iter().copied())?;
    array.finish()?;
    Ok(bytes)
}

fn numbers<T: npyz::Deserialize>(path: &Path, shape: [usize; 2]) -> Result<Vec<T>, ExportError> {
    let bytes = std::fs::read(path).map_err(|source| ExportError::Io { path: path.to_owned(), source })?;
    let wrong = |what: String| ExportError::Content { path: path.to_owned(), what };
    let file = NpyFile::new(&bytes[..]).map_err(|error| wrong(error.to_string()))?;
    let wanted = shape.map(|length| length as u64);
    if file.shape() != wanted || file.order() != npyz::Order::C {
        return Err(wrong(format!("has shape {:?}, and {wanted:?} in C order is needed", file.shape())));
    }
    file.into_vec().map_err(|error| wrong(error.to_string()))
}
