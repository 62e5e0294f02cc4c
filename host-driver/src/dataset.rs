//! Samples and labels, from files to spikes.
//!
//! Contract: a [`Dataset`] is read for one program ([`Shape`]): every spike in it is one of the program's input units
//! in one of its steps, and every label one of its classes. What the file is, its first bytes say; any of them may be
//! packed with gzip:
//!
//! | file | samples |
//! | --- | --- |
//! | IDX, unsigned bytes, [samples, …] | images of as many pixels as there are input units; spikes by the latency code of the program |
//! | NPY, whole numbers, [events, 3] | a row (sample, step, unit) per spike |
//! | NPY, [samples, steps, units] or [steps, units] | 0 or 1 per unit and step |
//! | text, as many columns as input units | 0 or 1, a line per step, one sample after the other |
//! | text with 2 columns | a line `step,unit` per spike, of one sample |
//! | text with 3 columns | a line `sample,step,unit` per spike |
//! | text with a header of these names, or `time_ms` for `step` | the columns as named |
//! | HDF5 with `spikes/times` and `spikes/units` | a sequence of times in seconds and one of units per sample (see [`hdf5`]) |
//!
//! A time falls into the step `⌊time / time step + 10⁻⁶⌋`: within a millionth of a step below a boundary it counts as
//! on it, so that times written in decimal fall where they are meant to.
//!
//! Labels are NPY or IDX of rank 1, or text with one column; one for each sample. HDF5 files may bring their own.
//!
//! Invariant: no bytes make reading panic, and what is allocated is bounded by the length of the file
//! ([`crate::file::LONGEST`], but for HDF5 files, of which only the samples that are wanted are read) and by [`MOST_SAMPLES`].
//!
//! Not here: how a machine is fed.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::ops::Range;
use std::path::Path;

use fenn_isa::image::manifest::{Encoding, Manifest};

use crate::error::{DataError, DataProblem};
use crate::file;
use crate::session::units;

pub mod hdf5;
pub mod idx;
mod labels;
pub mod latency;
pub mod npy;
mod spikes;
mod text;

/// The most samples a spike list may have, because a single wrong number in it could claim any.
pub const MOST_SAMPLES: usize = 1 << 24;

/// A spike of an input unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spike {
    /// In which step of the run.
    pub step: u32,
    /// Of which unit, counted through all inputs of the program.
    pub unit: u32,
}

/// What a program takes: everything of its manifest that matters for reading files.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The program's name, for messages.
    pub program: String,
    /// Units of all inputs together.
    pub units: u64,
    /// Steps in a run.
    pub steps: u32,
    /// Model time of a step in milliseconds, where the program says.
    pub time_step_ms: Option<f64>,
    /// Latency code of images: `tau` in steps and `threshold` in units of a pixel's value. Only of a program with one
    /// input that has one.
    pub latency: Option<(f64, f64)>,
    /// How many classes there are: neurons of the first output.
    pub classes: u32,
}

impl From<&Manifest> for Shape {
    fn from(manifest: &Manifest) -> Self {
        let latency = match manifest.inputs.as_slice() {
            [input] => match input.encoding {
                Encoding::Latency { tau, threshold } => Some((tau, threshold)),
                Encoding::Spikes => None,
            },
            _ => None,
        };
        Self {
            program: manifest.name.clone(),
            units: units(manifest),
            steps: manifest.steps,
            time_step_ms: manifest.time_step_ms,
            latency,
            classes: manifest.outputs.first().map_or(0, |output| output.neurons),
        }
    }
}

/// How much of the files is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// How many samples a spike list has, where its last ones have no spikes and so leave no trace in it.
    pub samples: Option<usize>,
    /// Leave out so many samples, the first ones. The first that is used then is sample 0.
    pub skip: usize,
    /// Use only so many samples, the first ones that are not left out. The whole files are still checked, except for HDF5.
    pub limit: Option<usize>,
}

impl Selection {
    /// Which of `total` samples are used.
    fn range(&self, total: usize) -> Result<Range<usize>, DataProblem> {
        if total > 0 && self.skip >= total {
            let what = format!("holds {total} samples, and none is left when {} are skipped", self.skip);
            return Err(DataProblem::Count { what });
        }
        let begin = self.skip.min(total);
        Ok(begin..self.limit.unwrap_or(usize::MAX).saturating_add(begin).min(total))
    }
}

/// Samples as spikes, and their labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dataset {
    /// Of all samples, one after the other.
    spikes: Vec<Spike>,
    /// Where each sample's spikes end.
    ends: Vec<usize>,
    labels: Option<Vec<u32>>,
    coinciding: usize,
    late: Late,
}

/// What was left out because it comes after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Late {
    /// Spikes.
    pub spikes: usize,
    /// Samples that had any such.
    pub samples: usize,
}

impl Dataset {
    /// A data set from spikes in memory: one list per sample, each in any order, and labels if there are any.
    ///
    /// Spikes of the same unit in the same step are one.
    pub fn new(samples: impl IntoIterator<Item = Vec<Spike>>, labels: Option<Vec<u32>>) -> Self {
        let mut set = Self { labels, ..Self::default() };
        samples.into_iter().for_each(|sample| set.push(sample));
        set
    }

    /// Reads the files.
    ///
    /// # Errors
    /// The first thing that is wrong, with the file and the place in it.
    pub fn read(data: &Path, labels: Option<&Path>, shape: &Shape, selection: Selection) -> Result<Self, DataError> {
        let named = |path: &Path| {
            let path = path.to_owned();
            move |problem| DataError { path, problem }
        };
        let (mut set, total) = Self::read_samples(data, shape, selection).map_err(named(data))?;
        if total == 0 {
            let what =
                "holds no samples; a spike list without spikes needs the number of samples to be given".to_owned();
            return Err(named(data)(DataProblem::Count { what }));
        }
        if let Some(path) = labels {
            let bytes = read_file(path).map_err(named(path))?;
            let labels = labels::read(&bytes, shape).map_err(named(path))?;
            check_labels(labels.len(), total, selection).map_err(named(path))?;
            let range = selection.range(total).map_err(named(data))?;
            set.labels = Some(labels[range].to_vec());
        }
        Ok(set)
    }

    /// The samples that are wanted of a file, and how many it has.
    fn read_samples(path: &Path, shape: &Shape, selection: Selection) -> Result<(Self, usize), DataProblem> {
        let mut file = File::open(path)?;
        let mut begin = Vec::new();
        (&mut file).take(8).read_to_end(&mut begin)?;
        file.rewind()?;
        let store = if hdf5::is(&begin) {
            hdf5::Store::of_file(file)?
        } else {
            let bytes = unpack(file::read_bounded(file)?.ok_or(DataProblem::TooLong)?)?;
            if !hdf5::is(&bytes) {
                let mut set = Self::from_bytes(&bytes, shape, selection)?;
                let total = set.len();
                set.select(selection.range(total)?);
                return Ok((set, total));
            }
            hdf5::Store::of_bytes(bytes)
        };
        hdf5::read(store, shape, selection)
    }

    /// Reads all samples from the bytes of a file that is not packed, whatever else is selected.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_bytes(bytes: &[u8], shape: &Shape, selection: Selection) -> Result<Self, DataProblem> {
        if idx::is(bytes) {
            let images = idx::Idx::parse(bytes)?;
            images.expect_rank(2..)?;
            return latency::encode(&images, shape);
        }
        if hdf5::is(bytes) {
            let all = Selection { samples: selection.samples, ..Selection::default() };
            return Ok(hdf5::read(hdf5::Store::of_bytes(bytes.to_vec()), shape, all)?.0);
        }
        let set =
            if npy::is(bytes) { spikes::from_npy(&npy::Npy::parse(bytes)?, shape) } else { text::read(bytes, shape) };
        set.and_then(|events| events.into_dataset(selection.samples))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many samples.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// A sample's spikes, sorted; none beyond the last sample.
    pub fn spikes(&self, sample: usize) -> &[Spike] {
        let begin = if sample == 0 { 0 } else { self.ends.get(sample - 1).copied().unwrap_or(0) };
        self.ends.get(sample).map_or(&[], |end| &self.spikes[begin..*end])
    }

    /// The labels, one for each sample.
    pub fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }

    /// How many spikes were dropped because the same unit had another one in the same step: a step holds one bit.
    pub fn coinciding(&self) -> usize {
        self.coinciding
    }

    /// What was left out because it comes after the run.
    pub fn late(&self) -> Late {
        self.late
    }

    fn push(&mut self, mut sample: Vec<Spike>) {
        let before = sample.len();
        sample.sort_unstable();
        sample.dedup();
        self.coinciding += before - sample.len();
        self.spikes.append(&mut sample);
        self.ends.push(self.spikes.len());
    }

    /// Keeps only these samples.
    fn select(&mut self, range: Range<usize>) {
        let end_of = |ends: &[usize], samples: usize| samples.checked_sub(1).map_or(0, |last| ends[last]);
        let (begin, end) = (end_of(&self.ends, range.start), end_of(&self.ends, range.end));
        self.spikes.truncate(end);
        self.spikes.drain(..begin);
        self.ends.truncate(range.end);
        self.ends.drain(..range.start);
        self.ends.iter_mut().for_each(|end| *end -= begin);
    }
}

/// Refuses labels of another number than that of the samples.
fn check_labels(labels: usize, samples: usize, selection: Selection) -> Result<(), DataProblem> {
    if labels == samples {
        return Ok(());
    }
    let hint = match selection.samples {
        None if labels > samples => "; if the last samples have no spikes, give the number of samples",
        _ => "",
    };
    Err(DataProblem::Count { what: format!("holds {labels} labels for {samples} samples{hint}") })
}

/// The step into which a time falls; `None` where it is no number, or too large to count.
fn step_of(time_ms: f64, time_step_ms: f64) -> Option<i64> {
    let step = (time_ms / time_step_ms + 1e-6).floor();
    (step.abs() < 2f64.powi(53)).then_some(step as i64)
}

/// All bytes of a file, unpacked.
fn read_file(path: &Path) -> Result<Vec<u8>, DataProblem> {
    let bytes = file::read(path)?.ok_or(DataProblem::TooLong)?;
    unpack(bytes)
}

/// The bytes, unpacked where they are packed with gzip.
fn unpack(bytes: Vec<u8>) -> Result<Vec<u8>, DataProblem> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    if !bytes.starts_with(&GZIP) {
        return Ok(bytes);
    }
    file::read_bounded(flate2::read::MultiGzDecoder::new(bytes.as_slice()))
        .map_err(DataProblem::Gzip)?
        .ok_or(DataProblem::TooLong)
}
