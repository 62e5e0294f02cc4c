//! A data set run through a program.
//!
//! Contract: every sample is one run; the result has one [`Sample`] for each, in the data set's order. As many samples as
//! the program takes, or fewer if asked, share a launch. Where the program takes samples while it runs and the device's programs go on
//! meanwhile ([`Delivery::Streamed`]), each device makes one launch of all its samples. Where the program's runs are independent ([`StatePolicy::Reset`]) they are spread over workers with a device each, and the
//! result is the same for any number of them; where state is carried over there is one device and the order of the
//! file. The first output of the manifest is the classifier.
//!
//! When a run fails, the error is that of the first sample, in the data set's order, that fails; where several samples
//! share a launch, that of the first launch that fails; of samples that are streamed the sample itself.
//!
//! Invariant: only [`Evaluation::wall`], [`Evaluation::jobs`] and what follows from them differ between two
//! evaluations of the same program and data, and the cycles of each device's first launch: its branch target buffer is
//! empty then, and keeps what it has learned from launch to launch, as that of a core in hardware does.
//!
//! Not here: figures and pages (see [`crate::report`]).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fenn_isa::image::Image;
use fenn_isa::image::manifest::{Manifest, Phase, PhaseKind, StatePolicy};
use rayon::prelude::*;

use crate::dataset::{Dataset, Spike};
use crate::device::{Device, Finished, Limit, Meanwhile};
use crate::error::{DeviceError, EvaluateError, SampleError, SessionError};
use crate::session::array::Array;
use crate::session::{Count, Session, bytes_of};

/// The most bytes of recordings that are kept of all samples together.
pub const MOST_RECORDED: u64 = 1 << 28;

/// What a worker takes of the data set at once takes about so long, if it is more than a launch: workers on short runs would
/// otherwise wait for each other at the counters they share.
const TURN: Duration = Duration::from_millis(1);
/// The most launches that are taken at once.
const MOST_LAUNCHES: usize = 256;

/// How to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Workers where samples are independent, at least 1.
    pub jobs: usize,
    /// For each run; instructions and time of a launch are so many times more.
    pub limit: Limit,
    /// Keep everything that this sample's run shows.
    pub capture: Option<usize>,
    /// Samples per launch, at least 1 and at most what the program takes; if not stated, that. If stated, nothing is streamed.
    pub batch: Option<usize>,
    /// Keep the recordings of all samples.
    pub record: bool,
}

impl Default for Options {
    /// One worker, the usual limit, as many samples per launch as the program takes, nothing kept.
    fn default() -> Self {
        Self { jobs: 1, limit: Limit::default(), capture: None, batch: None, record: false }
    }
}

/// How samples get to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Before a launch, and results after it; the program takes them no other way.
    Launches,
    /// The same, although the program would take samples while it runs.
    NotStreamed(WhyNot),
    /// While others run, in one launch for each device.
    Streamed,
}

/// Why nothing is streamed that could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNot {
    /// The device's memories cannot be reached, or nothing runs, while a host does something else.
    Device,
    /// What is recorded of a sample is to be read.
    Recordings,
    /// So many samples per launch were asked for.
    Batch,
}

impl WhyNot {
    /// In a few words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Device => "on this device nothing would overlap",
            Self::Recordings => "recordings are read between launches",
            Self::Batch => "by --batch",
        }
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
    /// What the program counted in each phase, where it does.
    pub phases: Vec<PhaseCost>,
    /// The sample that was to be looked at.
    pub capture: Option<Capture>,
    /// Devices used.
    pub jobs: usize,
    /// Samples per launch; the last launch may have had fewer. Where samples are streamed, how many are on their way at most.
    pub batch: usize,
    /// How samples got there.
    pub delivery: Delivery,
    /// Cost of all launches, with what the program does once per launch, and with waiting for the host.
    pub launches: Finished,
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
    /// What was recorded, for each recording of the manifest, where that was asked for.
    pub recordings: Vec<Array>,
}

/// What a phase of the program took in all runs together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseCost {
    /// Which.
    pub phase: Phase,
    /// How often it happened.
    pub visits: u64,
    /// Without what counting itself took.
    pub count: Count,
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
    /// Cycles of all phases that the program counts, without what counting took.
    pub fn counted_cycles(&self) -> u64 {
        self.phases.iter().fold(0, |sum, cost| sum.saturating_add(cost.count.cycles))
    }

    /// Million instructions per second of the host's clock, all devices together.
    pub fn mips(&self) -> f64 {
        self.instructions.total as f64 / self.wall.as_secs_f64().max(1e-9) / 1e6
    }
}

/// Runs every sample of `dataset` through `image` on devices that `open` makes.
///
/// `progress` is told how many samples are done, now and then, from any thread, not necessarily in rising order.
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
    // More than there are samples would make the last launch the only one.
    let most = (manifest.batch.samples as usize).clamp(1, samples.max(1));
    let batch = options.batch.map_or(most, |batch| batch.clamp(1, most));
    let jobs = if independent { options.jobs.clamp(1, samples.div_ceil(batch).max(1)) } else { 1 };
    if options.record {
        let recordings = manifest.recordings.iter().map(|recording| bytes_of(&recording.data, recording.neurons));
        let bytes = recordings.fold(0, u64::saturating_add).saturating_mul(samples as u64);
        if bytes > MOST_RECORDED {
            return Err(EvaluateError::TooMuchRecorded { samples, bytes, most: MOST_RECORDED });
        }
    }
    // The first session finds out what is wrong with the program before any thread is started.
    let mut sessions = vec![session(image, &open)?];
    let device = sessions[0].device().name();
    let delivery = delivery(&mut sessions[0], &options);
    for _ in 1..jobs {
        sessions.push(session(image, &open)?);
    }
    let work = Work {
        dataset,
        options,
        batch,
        delivery,
        progress,
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
        captured: Mutex::new(None),
    };
    let begin = Instant::now();
    let (results, totals) = run_all(&work, sessions)?;
    let wall = begin.elapsed();
    let capture = work.captured.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Evaluation {
        score: dataset.labels().map(|labels| Score::new(&results, labels, classes)),
        instructions: Spread::of(results.iter().map(|sample| sample.finished.instructions)),
        cycles: Spread::of(results.iter().map(|sample| sample.finished.cycles)),
        phases: phases(&manifest, &totals.counts, results.len()),
        manifest,
        device,
        samples: results,
        capture,
        jobs,
        batch,
        delivery,
        launches: totals.finished,
        wall,
    })
}

/// How samples get to this session's program.
fn delivery<D: Device>(session: &mut Session<D>, options: &Options) -> Delivery {
    match session.streams() {
        None => Delivery::Launches,
        Some(_) if options.batch.is_some() => Delivery::NotStreamed(WhyNot::Batch),
        Some(_) if options.record || options.capture.is_some() => Delivery::NotStreamed(WhyNot::Recordings),
        Some(Meanwhile::Nothing | Meanwhile::Stepwise) => Delivery::NotStreamed(WhyNot::Device),
        Some(Meanwhile::Overlapped) => Delivery::Streamed,
    }
}

fn session<D: Device>(image: &Image, open: impl Fn() -> Result<D, DeviceError>) -> Result<Session<D>, EvaluateError> {
    Ok(Session::open(open().map_err(EvaluateError::Open)?, image)?)
}

/// What the workers share.
struct Work<'a, P> {
    dataset: &'a Dataset,
    options: Options,
    batch: usize,
    delivery: Delivery,
    progress: P,
    /// The next sample that nobody has taken. Samples are taken in order.
    next: AtomicUsize,
    done: AtomicUsize,
    failed: AtomicBool,
    captured: Mutex<Option<Capture>>,
}

/// What the launches came to together.
#[derive(Default)]
struct Totals {
    finished: Finished,
    counts: Vec<Count>,
}

impl Totals {
    fn add(&mut self, finished: Finished, counts: &[Count]) {
        self.finished.instructions = self.finished.instructions.saturating_add(finished.instructions);
        self.finished.cycles = self.finished.cycles.saturating_add(finished.cycles);
        self.counts.resize(self.counts.len().max(counts.len()), Count::default());
        for (total, count) in self.counts.iter_mut().zip(counts) {
            total.cycles = total.cycles.saturating_add(count.cycles);
            total.instructions = total.instructions.saturating_add(count.instructions);
        }
    }
}

/// What one worker has found.
#[derive(Default)]
struct Found {
    /// Samples that follow each other in the data set, with the number of the first: what a worker has taken at once.
    stretches: Vec<(usize, Vec<Sample>)>,
    totals: Totals,
    /// What ended its work, with the number of the first sample of the launch.
    error: Option<(usize, EvaluateError)>,
}

impl Found {
    /// Adds a sample behind the latest, or begins a stretch with it.
    fn add(&mut self, index: usize, sample: Sample) {
        match self.stretches.last_mut() {
            Some((first, stretch)) if *first + stretch.len() == index => stretch.push(sample),
            _ => self.stretches.push((index, vec![sample])),
        }
    }
}

fn run_all<D: Device, P: Fn(usize) + Sync>(
    work: &Work<'_, P>,
    mut sessions: Vec<Session<D>>,
) -> Result<(Vec<Sample>, Totals), EvaluateError> {
    let found: Vec<Found> = if sessions.len() == 1 {
        sessions.iter_mut().map(|session| work.run(session)).collect()
    } else {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(sessions.len()).build();
        let pool = pool.map_err(|error| EvaluateError::Threads(error.to_string()))?;
        pool.install(|| sessions.par_iter_mut().with_max_len(1).map(|session| work.run(session)).collect())
    };
    let mut stretches = Vec::new();
    let mut totals = Totals::default();
    let mut errors = Vec::new();
    for found in found {
        stretches.extend(found.stretches);
        totals.add(found.totals.finished, &found.totals.counts);
        errors.extend(found.error);
    }
    // Samples are taken in order and a worker finishes those it has taken, so every launch before the first failing one
    // has been made, whatever the number of workers.
    if let Some((_, error)) = errors.into_iter().min_by_key(|(sample, _)| *sample) {
        return Err(error);
    }
    // Sorted by stretches, of which there are few: this is done by one thread while the others have nothing to do.
    stretches.sort_unstable_by_key(|(first, _)| *first);
    let mut samples = Vec::with_capacity(work.dataset.len());
    stretches.into_iter().for_each(|(_, stretch)| samples.extend(stretch));
    Ok((samples, totals))
}

impl<P: Fn(usize)> Work<'_, P> {
    fn run<D: Device>(&self, session: &mut Session<D>) -> Found {
        if self.delivery == Delivery::Streamed {
            return self.stream(session);
        }
        let mut found = Found::default();
        let mut launches = 1;
        while !self.failed.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(launches * self.batch, Ordering::Relaxed);
            if first >= self.dataset.len() {
                break;
            }
            let end = (first + launches * self.batch).min(self.dataset.len());
            let begin = Instant::now();
            found.stretches.push((first, Vec::with_capacity(end - first)));
            for first in (first..end).step_by(self.batch) {
                let last = (first + self.batch).min(end) - 1;
                if let Err(error) = self.launch(session, first..=last, &mut found) {
                    self.failed.store(true, Ordering::Relaxed);
                    found.error = Some((first, error));
                    return found;
                }
            }
            let count = end - first;
            (self.progress)(self.done.fetch_add(count, Ordering::Relaxed) + count);
            let took = begin.elapsed();
            if took < TURN / 2 {
                launches = (2 * launches).min(MOST_LAUNCHES);
            } else if took > TURN {
                launches = (launches / 2).max(1);
            }
        }
        found
    }

    /// Runs samples until there are no more, in one launch.
    fn stream<D: Device>(&self, session: &mut Session<D>) -> Found {
        let mut found = Found::default();
        // The numbers, in the data set, of this device's samples.
        let taken = RefCell::new(Vec::new());
        let samples = std::iter::from_fn(|| {
            if self.failed.load(Ordering::Relaxed) {
                return None;
            }
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            (index < self.dataset.len()).then(|| {
                taken.borrow_mut().push(index);
                self.dataset.spikes(index)
            })
        });
        let result = session.stream(samples, self.options.limit, |sample, run| {
            let class = run.outputs.first().map_or(0, |output| output.class());
            let codes = run.outputs.into_iter().map(|output| output.codes).collect();
            // A result is of a sample that has been taken.
            let index = taken.borrow().get(sample).copied().unwrap_or_default();
            found.add(index, Sample { class, codes, finished: run.finished, recordings: Vec::new() });
            (self.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1);
        });
        match result {
            Ok(streamed) => found.totals.add(streamed.finished, &streamed.counts),
            Err(SampleError { sample, source }) => {
                self.failed.store(true, Ordering::Relaxed);
                // What went wrong before there was one, did at the next.
                let next = || self.next.load(Ordering::Relaxed).min(self.dataset.len());
                let sample = taken.borrow().get(sample).copied().unwrap_or_else(next);
                found.error = Some((sample, EvaluateError::Sample { sample, source }));
            }
        }
        found
    }

    /// Runs these samples, which one launch takes.
    fn launch<D: Device>(
        &self,
        session: &mut Session<D>,
        indices: std::ops::RangeInclusive<usize>,
        found: &mut Found,
    ) -> Result<(), EvaluateError> {
        let (first, last) = (*indices.start(), *indices.end());
        let spikes: Vec<&[Spike]> = indices.clone().map(|index| self.dataset.spikes(index)).collect();
        for (sample, spikes) in indices.clone().zip(&spikes) {
            session.check(spikes).map_err(|source| EvaluateError::Sample { sample, source })?;
        }
        let failed = |source| match first == last {
            true => EvaluateError::Sample { sample: first, source },
            false => EvaluateError::Launch { first, last, source },
        };
        let Limit { instructions, time } = self.options.limit;
        let factor = u32::try_from(spikes.len()).unwrap_or(u32::MAX);
        let limit =
            Limit { instructions: instructions.saturating_mul(factor.into()), time: time.saturating_mul(factor) };
        let launch = session.launch(&spikes, limit).map_err(failed)?;
        found.totals.add(launch.finished, &launch.counts);
        for ((index, run), slot) in indices.zip(launch.runs).zip(0..) {
            let class = run.outputs.first().map_or(0, |output| output.class());
            let captured = self.options.capture == Some(index);
            let wanted = self.options.record || captured;
            let recordings = if wanted { session.recordings(slot).map_err(failed)? } else { Vec::new() };
            if captured {
                let capture = Capture {
                    sample: index,
                    label: self.dataset.labels().and_then(|labels| labels.get(index).copied()),
                    class,
                    spikes: self.dataset.spikes(index).to_vec(),
                    recordings: recordings.clone(),
                    outputs: session.output_arrays(slot).map_err(failed)?,
                    scores: run.outputs.iter().map(|output| output.scores.clone()).collect(),
                };
                *self.captured.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(capture);
            }
            let codes = run.outputs.into_iter().map(|output| output.codes).collect();
            let recordings = if self.options.record { recordings } else { Vec::new() };
            found.add(index, Sample { class, codes, finished: run.finished, recordings });
        }
        Ok(())
    }
}

/// What the phases took in `samples` runs, without what counting took: that is what a phase of nothing came to.
fn phases(manifest: &Manifest, counts: &[Count], samples: usize) -> Vec<PhaseCost> {
    let Some(counters) = &manifest.counters else { return Vec::new() };
    let visits = |phase: &Phase| u64::from(phase.kind.visits(manifest.steps)) * samples as u64;
    let rows = || counters.phases.iter().zip(counts);
    let nothing = rows().find(|(phase, _)| phase.kind == PhaseKind::Nothing);
    let (each, of) = nothing.map_or((Count::default(), 1), |(phase, count)| (*count, visits(phase).max(1)));
    let without = |total: u64, each: u64, visits: u64| {
        // Rounded down, so that a phase never comes out at more than nothing.
        let counting = u128::from(each) * u128::from(visits) / u128::from(of);
        total.saturating_sub(u64::try_from(counting).unwrap_or(u64::MAX))
    };
    let costs = rows().filter(|(phase, _)| phase.kind != PhaseKind::Nothing).map(|(phase, count)| {
        let visits = visits(phase);
        let cycles = without(count.cycles, each.cycles, visits);
        let instructions = without(count.instructions, each.instructions, visits);
        PhaseCost { phase: phase.clone(), visits, count: Count { cycles, instructions } }
    });
    costs.collect()
}
