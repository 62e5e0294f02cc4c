//! A data set run through a program.
//!
//! Contract: every sample is one run; the result has one [`Sample`] for each, in the data set's order. Where the
//! program's runs are independent ([`StatePolicy::Reset`]) they are spread over workers with a device each, and the
//! result is the same for any number of them; where state is carried over there is one device and the order of the
//! file. The first output of the manifest is the classifier.
//!
//! When a run fails, the error is that of the first sample, in the data set's order, that fails.
//!
//! Invariant: only [`Evaluation::wall`], [`Evaluation::jobs`] and what follows from them differ between two
//! evaluations of the same program and data.
//!
//! Not here: figures and pages (see [`crate::report`]).

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fenn_isa::image::Image;
use fenn_isa::image::manifest::{Manifest, StatePolicy};
use rayon::prelude::*;

use crate::dataset::{Dataset, Spike};
use crate::device::{Device, Finished, Limit};
use crate::error::{DeviceError, EvaluateError, SessionError};
use crate::session::Session;
use crate::session::array::Array;

/// How to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Workers where samples are independent, at least 1.
    pub jobs: usize,
    /// For each run.
    pub limit: Limit,
    /// Keep everything that this sample's run shows.
    pub capture: Option<usize>,
}

impl Default for Options {
    /// One worker, the usual limit, nothing kept.
    fn default() -> Self {
        Self { jobs: 1, limit: Limit::default(), capture: None }
    }
}

/// What an evaluation came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// What the program says of itself.
    pub manifest: Manifest,
    /// What the devices are.
    pub device: String,
    /// One for each sample.
    pub samples: Vec<Sample>,
    /// Where there were labels.
    pub score: Option<Score>,
    /// Instructions per sample.
    pub instructions: Spread,
    /// Cycles per sample.
    pub cycles: Spread,
    /// The sample that was to be looked at.
    pub capture: Option<Capture>,
    /// Devices used.
    pub jobs: usize,
    /// From the first run's start to the last one's end.
    pub wall: Duration,
}

/// The result of one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Class by the first output.
    pub class: u32,
    /// The integer result of each neuron of each output.
    pub codes: Vec<Vec<i64>>,
    /// The cost.
    pub finished: Finished,
}

/// Results compared with labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// Samples whose class is their label.
    pub correct: usize,
    /// Of how many.
    pub samples: usize,
    /// How many classes there are.
    pub classes: u32,
    /// How often a label was given a class, as (label, class); pairs that did not occur are left out, for a large
    /// output would make a table of them all larger than memory.
    pub confusion: BTreeMap<(u32, u32), usize>,
}

/// Smallest, greatest and sum of something per sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spread {
    /// Smallest.
    pub min: u64,
    /// Greatest.
    pub max: u64,
    /// Of all samples.
    pub total: u64,
    /// How many samples.
    pub samples: usize,
}

/// Everything one run shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// Which sample.
    pub sample: usize,
    /// Its label, where there is one.
    pub label: Option<u32>,
    /// Its class.
    pub class: u32,
    /// What went in.
    pub spikes: Vec<Spike>,
    /// What was recorded, for each recording of the manifest.
    pub recordings: Vec<Array>,
    /// What the outputs were made from, for each output of the manifest.
    pub outputs: Vec<Array>,
    /// The result of each output in real units.
    pub scores: Vec<Vec<f64>>,
}

impl Score {
    fn new(samples: &[Sample], labels: &[u32], classes: u32) -> Self {
        let mut confusion = BTreeMap::new();
        for (sample, label) in samples.iter().zip(labels) {
            *confusion.entry((*label, sample.class)).or_insert(0) += 1;
        }
        let correct = confusion.iter().filter(|((label, class), _)| label == class).map(|(_, count)| count).sum();
        Self { correct, samples: samples.len(), classes, confusion }
    }

    /// How often `label` was given `class`.
    pub fn count(&self, label: u32, class: u32) -> usize {
        self.confusion.get(&(label, class)).copied().unwrap_or(0)
    }

    /// How often each class was given to samples of `label`.
    pub fn row(&self, label: u32) -> Vec<usize> {
        (0..self.classes).map(|class| self.count(label, class)).collect()
    }

    /// Correct ones among all, from 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples.max(1) as f64
    }
}

impl Spread {
    fn of(numbers: impl Iterator<Item = u64>) -> Self {
        let start = Self { min: u64::MAX, ..Self::default() };
        let spread = numbers.fold(start, |spread, number| Self {
            min: spread.min.min(number),
            max: spread.max.max(number),
            total: spread.total.saturating_add(number),
            samples: spread.samples + 1,
        });
        if spread.samples == 0 { Self::default() } else { spread }
    }

    /// Mean; 0 of nothing.
    pub fn mean(&self) -> f64 {
        self.total as f64 / self.samples.max(1) as f64
    }
}

impl Evaluation {
    /// Million instructions per second of the host's clock, all devices together.
    pub fn mips(&self) -> f64 {
        self.instructions.total as f64 / self.wall.as_secs_f64().max(1e-9) / 1e6
    }
}

/// Runs every sample of `dataset` through `image` on devices that `open` makes.
///
/// `progress` is told how many samples are done, from any thread, not necessarily in rising order.
///
/// # Errors
/// [`EvaluateError`]; on any, no result is given.
pub fn evaluate<D: Device>(
    image: &Image,
    dataset: &Dataset,
    open: impl Fn() -> Result<D, DeviceError> + Sync,
    options: Options,
    progress: impl Fn(usize) + Sync,
) -> Result<Evaluation, EvaluateError> {
    let manifest = image.manifest.clone().ok_or(SessionError::NoManifest)?;
    let classes = manifest.outputs.first().ok_or(EvaluateError::NoOutput)?.neurons;
    let samples = dataset.len();
    if let Some(sample) = options.capture.filter(|sample| *sample >= samples) {
        return Err(EvaluateError::NoSample { sample, samples });
    }
    let independent = manifest.state == StatePolicy::Reset;
    let jobs = if independent { options.jobs.clamp(1, samples.max(1)) } else { 1 };
    // The first session finds out what is wrong with the program before any thread is started.
    let mut sessions = vec![session(image, &open)?];
    let device = sessions[0].device().name();
    for _ in 1..jobs {
        sessions.push(session(image, &open)?);
    }
    let work = Work {
        dataset,
        options,
        progress,
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
        captured: Mutex::new(None),
    };
    let begin = Instant::now();
    let results = run_all(&work, sessions)?;
    let wall = begin.elapsed();
    let capture = work.captured.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Evaluation {
        score: dataset.labels().map(|labels| Score::new(&results, labels, classes)),
        instructions: Spread::of(results.iter().map(|sample| sample.finished.instructions)),
        cycles: Spread::of(results.iter().map(|sample| sample.finished.cycles)),
        manifest,
        device,
        samples: results,
        capture,
        jobs,
        wall,
    })
}

fn session<D: Device>(image: &Image, open: impl Fn() -> Result<D, DeviceError>) -> Result<Session<D>, EvaluateError> {
    Ok(Session::open(open().map_err(EvaluateError::Open)?, image)?)
}

/// What the workers share.
struct Work<'a, P> {
    dataset: &'a Dataset,
    options: Options,
    progress: P,
    /// The next sample that nobody has taken. Samples are taken in order.
    next: AtomicUsize,
    done: AtomicUsize,
    failed: AtomicBool,
    captured: Mutex<Option<Capture>>,
}

/// What one worker has found: samples with their number, and the error that ended its work.
type Found = (Vec<(usize, Sample)>, Option<(usize, SessionError)>);

fn run_all<D: Device, P: Fn(usize) + Sync>(
    work: &Work<'_, P>,
    mut sessions: Vec<Session<D>>,
) -> Result<Vec<Sample>, EvaluateError> {
    let found: Vec<Found> = if sessions.len() == 1 {
        sessions.iter_mut().map(|session| work.run(session)).collect()
    } else {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(sessions.len()).build();
        let pool = pool.map_err(|error| EvaluateError::Threads(error.to_string()))?;
        pool.install(|| sessions.par_iter_mut().with_max_len(1).map(|session| work.run(session)).collect())
    };
    let mut samples = Vec::with_capacity(work.dataset.len());
    let mut errors = Vec::new();
    for (results, error) in found {
        samples.extend(results);
        errors.extend(error);
    }
    // Samples are taken in order and a worker finishes the one it has taken, so every sample before the first failing
    // one has been run, whatever the number of workers.
    if let Some((sample, source)) = errors.into_iter().min_by_key(|(sample, _)| *sample) {
        return Err(EvaluateError::Sample { sample, source });
    }
    samples.sort_unstable_by_key(|(index, _)| *index);
    Ok(samples.into_iter().map(|(_, sample)| sample).collect())
}

impl<P: Fn(usize)> Work<'_, P> {
    fn run<D: Device>(&self, session: &mut Session<D>) -> Found {
        let mut results = Vec::new();
        while !self.failed.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.dataset.len() {
                break;
            }
            match self.sample(session, index) {
                Ok(sample) => results.push((index, sample)),
                Err(error) => {
                    self.failed.store(true, Ordering::Relaxed);
                    return (results, Some((index, error)));
                }
            }
            (self.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1);
        }
        (results, None)
    }

    fn sample<D: Device>(&self, session: &mut Session<D>, index: usize) -> Result<Sample, SessionError> {
        let spikes = self.dataset.spikes(index);
        let run = session.run(spikes, self.options.limit)?;
        let class = run.outputs.first().map_or(0, |output| output.class());
        if self.options.capture == Some(index) {
            let capture = Capture {
                sample: index,
                label: self.dataset.labels().and_then(|labels| labels.get(index).copied()),
                class,
                spikes: spikes.to_vec(),
                recordings: session.recordings()?,
                outputs: session.output_arrays()?,
                scores: run.outputs.iter().map(|output| output.scores.clone()).collect(),
            };
            *self.captured.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(capture);
        }
        let codes = run.outputs.into_iter().map(|output| output.codes).collect();
        Ok(Sample { class, codes, finished: run.finished })
    }
}
