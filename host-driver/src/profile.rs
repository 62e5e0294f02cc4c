//! Where a program's time goes, and what the network does with it.
//!
//! Contract: a [`Profile`] is what the simulator did with a program and a data set, counted, not estimated: instructions,
//! cycles and lost cycles of each phase, waits for the DMA engine, spikes of each population, synaptic operations and the
//! lanes spent on them, NeuroBench's metrics, and the cycles of every line of source or of disassembly. It is plain data:
//! the same program, data and machine give the same profile, whatever the number of devices, and JSON that reads back as
//! the same. [`compare`] says what became better or worse from one profile to another; [`page`] and [`comparison_page`]
//! are pages for people, [`text`] and [`comparison_text`] summaries for terminals.
//!
//! What parts of a program do, its manifest says ([`fenn_isa::image::manifest::Work`]). A program without a manifest, from the
//! assembler, is run once; its phases are those that symbols `phase.NAME` mark ([`fenn_iss::observe::phases`]).
//!
//! ```no_run
//! use fenn_host::dataset::{Dataset, Selection, Shape};
//! use fenn_host::profile::{self, Options};
//! use fenn_isa::image::Image;
//!
//! let image = Image::read("network.elf")?;
//! let shape = Shape::from(image.manifest.as_ref().ok_or("a compiled network has a manifest")?);
//! let data = Dataset::read("spikes.npy".as_ref(), None, &shape, Selection::default())?;
//! let profile = profile::profile(&image, &data, &Options::default(), |_| None, |_| ())?;
//! let operations = profile.neurobench.as_ref().and_then(|metrics| metrics.effective_acs);
//! println!("{} cycles, {operations:?} synaptic operations", profile.cost.cycles);
//! std::fs::write("profile.html", profile::page(&profile))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Not here: the metrics' formulas, which are with [`NeuroBench`] and [`RowWork`]; and watching single instructions, which
//! `fenn-sim` does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use fenn_isa::image::Image;
use fenn_isa::image::manifest::{Manifest, Section};
use fenn_isa::memory::Space;
use fenn_iss::observe::heatmap::Heatmap;
use fenn_iss::observe::{Cost as Counted, Phases};
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::device::{Device as _, Limit};
use crate::error::{DeviceError, EvaluateError, SessionError};
use crate::evaluate::{self, evaluate};
use crate::report::phase_name;
use crate::sim::Simulator;

mod compare;
mod count;
mod page;
mod text;
mod watch;

pub use compare::{Change, Comparison, Verdict, compare};
pub use page::{comparison_page, page};
pub use text::{comparison_text, text};

use count::Sources;
use watch::{Found, Plan, Watch};

/// The version of the form of [`Profile`] that is written and read.
pub const VERSION: u32 = 1;

/// How to profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Simulated machines where samples are independent, at least 1.
    pub jobs: usize,
    /// For each run.
    pub limit: Limit,
    /// The machine.
    pub machine: fenn_iss::Options,
    /// How often the network is to be run, in samples per second, where that is known: it is a matter of the task, which no
    /// program knows.
    pub execution_rate_hz: Option<f64>,
}

impl Default for Options {
    /// One device, the usual limit and machine.
    fn default() -> Self {
        Self { jobs: 1, limit: Limit::default(), machine: fenn_iss::Options::default(), execution_rate_hz: None }
    }
}

/// What a program did with a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// [`VERSION`].
    pub version: u32,
    /// The program's name; empty where it has none.
    pub program: String,
    /// What made it.
    pub generator: String,
    /// The seed of everything random in it.
    pub seed: Option<u64>,
    /// The machine, and whose cycles it counts.
    pub device: String,
    /// Samples that were run; 1 for a program without a manifest.
    pub samples: u64,
    /// Steps in each; 0 for a program without a manifest.
    pub steps: u32,
    /// Milliseconds of model time in a step, where that is known.
    pub time_step_ms: Option<f64>,
    /// Where there were labels.
    pub accuracy: Option<Accuracy>,
    /// All of it.
    pub cost: Cost,
    /// Instructions by class.
    pub classes: BTreeMap<String, u64>,
    /// Transfers between DRAM and vector memory.
    pub dma: Dma,
    /// Phases, in the order of their code; together they are all that ran.
    pub phases: Vec<Phase>,
    /// Spikes of inputs and populations.
    pub populations: Vec<PopulationSpikes>,
    /// Synaptic operations.
    pub rows: Vec<RowWork>,
    /// NeuroBench's metrics, where the program says what its parts do.
    pub neurobench: Option<NeuroBench>,
    /// How much of each memory the program uses.
    pub memories: Vec<MemoryUse>,
    /// Every line of source whose text is known, then the rest of the code as disassembly.
    pub listings: Vec<Listing>,
    /// What is missing from the profile and why, as sentences.
    pub notes: Vec<String>,
}

/// Results compared with labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Samples whose class is their label.
    pub correct: u64,
    /// Of how many.
    pub samples: u64,
}

/// Cycles and where they went: `cycles = instructions + traps + Σ stalls`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Instructions retired.
    pub instructions: u64,
    /// Traps that were taken.
    pub traps: u64,
    /// Clock cycles.
    pub cycles: u64,
    /// Lost cycles by cause; causes that lost none are left out.
    pub stalls: BTreeMap<String, u64>,
}

/// Transfers between DRAM and vector memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dma {
    /// Finished transfers.
    pub transfers: u64,
    /// Bytes they moved.
    pub bytes: u64,
    /// Cycles from each read of the engine's status that found it busy to the next read of it. They are the cycles of
    /// instructions (and their stalls), not cycles besides.
    pub wait_cycles: u64,
}

/// A stretch of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The projections' or the population's name; otherwise that of its kind.
    pub name: String,
    /// What happens in it: reset, propagate, update, record, finish; `phase` where a symbol marks it, `rest` for what is in no
    /// other.
    pub kind: String,
    /// How often control came to it from elsewhere.
    pub entered: u64,
    /// What it took.
    pub cost: Cost,
    /// Cycles of it in which it waited for the DMA engine.
    pub dma_wait: u64,
    /// Spikes that came about in an update, or passed in a propagation; where they were seen.
    pub spikes: Option<u64>,
}

/// Spikes of an input or of one of a population's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PopulationSpikes {
    /// The input's or population's name.
    pub population: String,
    /// The event's name; none for an input.
    pub event: Option<String>,
    /// How many neurons.
    pub neurons: u32,
    /// In all samples together; none where the program does not store them.
    pub spikes: Option<u64>,
}

/// What spikes through rows of weights came to, in all samples together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowWork {
    /// Of [`Profile::phases`].
    pub section: u32,
    /// The source's name.
    pub source: String,
    /// Steps from a spike to the addition of its row; of several, the least.
    pub delay: u32,
    /// How many rows a spike has, each after a delay of its own.
    pub delays: u32,
    /// Spikes whose rows were added.
    pub spikes: Option<u64>,
    /// Real synaptic operations: additions of weights that are not 0. `Σ_n spikes[n] · fan_out[n]`.
    pub effective: Option<u64>,
    /// Padded synaptic operations: lanes of the vector unit in additions of weights, whether they add anything or not.
    pub lanes: Option<u64>,
    /// The same for each projection that shares the rows.
    pub projections: Vec<ProjectionWork>,
}

/// What spikes through a projection came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectionWork {
    /// Its name.
    pub projection: String,
    /// The target population's name.
    pub target: String,
    /// Its weights, zeros included.
    pub weights: u64,
    /// Those that are not 0.
    pub nonzero: u64,
    /// Additions of weights that are not 0.
    pub effective: Option<u64>,
    /// Additions if every source neuron had spiked in every step and no weight were 0.
    pub dense: u64,
}

/// The metrics of NeuroBench (arXiv 2304.04640), of the program as it runs, in 16 bits. Counts are of all samples together; the
/// published ones are their means over samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeuroBench {
    /// Bytes of weights: 2 for each that is stored, zeros included.
    pub footprint_weights: u64,
    /// Bytes of targets and delays in lists of synapses.
    pub footprint_connections: u64,
    /// Bytes of the neurons' parameters.
    pub footprint_parameters: u64,
    /// Bytes of the neurons' variables.
    pub footprint_state: u64,
    /// Bytes of one step's spikes, a bit for each neuron, in whole words.
    pub footprint_spikes: u64,
    /// Bytes of the program's code.
    pub footprint_code: u64,
    /// Their sum. What the machine takes with padding, copies and buffers is [`Profile::memories`].
    pub footprint: u64,
    /// Weights of all projections, zeros included; of a list of synapses, those of the matrix that it is.
    pub weights: u64,
    /// Those that are 0.
    pub zero_weights: u64,
    /// `zero_weights / weights`; 0 where there are none.
    pub connection_sparsity: f64,
    /// How many of the weights that are 0 were not before they were rounded to 16 bits, where the compiler knew.
    pub vanished_weights: Option<u64>,
    /// `(zero_weights − vanished_weights) / weights`: the connection sparsity of the network that was compiled.
    pub connection_sparsity_given: Option<f64>,
    /// Outputs of neurons that can spike: `Σ neurons · steps · samples`. Inputs are no neurons.
    pub outputs: u64,
    /// Those that were 0.
    pub zero_outputs: Option<u64>,
    /// `zero_outputs / outputs`.
    pub activation_sparsity: Option<f64>,
    /// Synaptic operations if all weights and all inputs were 1.
    pub dense: u64,
    /// Synaptic operations with a spike and a weight that is not 0. All inputs of synapses are spikes, so they are
    /// accumulates.
    pub effective_acs: Option<u64>,
    /// Multiply-accumulates of inputs that are no spikes: 0.
    pub effective_macs: u64,
    /// Padded synaptic operations: the lanes spent on those above.
    pub lanes: Option<u64>,
    /// Updates of neurons: `Σ neurons · steps · samples`, spiking or not.
    pub membrane_updates: u64,
    /// Model execution rate: samples per second that the task demands, as the user gave it.
    pub execution_rate_hz: Option<f64>,
}

/// How much of a memory is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryUse {
    /// Its name.
    pub memory: String,
    /// Bytes up to the last one that the program's arrays and contents take.
    pub used: u64,
    /// Bytes there are.
    pub available: u64,
}

/// A source, or code that has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Its name.
    pub name: String,
    /// Its lines, in order.
    pub lines: Vec<Line>,
}

/// A line of source or of disassembly, or a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its number, or the address of its word; empty for a label.
    pub place: String,
    /// What it says.
    pub text: String,
    /// How often it was executed.
    pub executions: u64,
    /// What all of its code took.
    pub cycles: u64,
    /// Lost cycles among them.
    pub stalls: u64,
    /// The cause of most of those, where there are any.
    pub cause: Option<String>,
    /// Whether code came from it.
    pub code: bool,
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The program cannot be run on the data set.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// A program without a manifest cannot be run.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A file is no profile.
    #[error("this is no profile of fenn-run: {0}")]
    Form(String),
    /// A profile of another version.
    #[error("the profile has version {0}, this tool reads version {VERSION}; profile the program again")]
    Version(u32),
}

impl Profile {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`ProfileError::Version`], [`ProfileError::Form`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ProfileError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let form = |error: serde_json::Error| ProfileError::Form(error.to_string());
        let Versioned { version } = serde_json::from_slice(bytes).map_err(form)?;
        if version != VERSION {
            return Err(ProfileError::Version(version));
        }
        serde_json::from_slice(bytes).map_err(form)
    }

    /// As JSON, indented.
    ///
    /// # Errors
    /// [`ProfileError::Form`] for a number that JSON does not have, which no profile made here holds.
    pub fn to_json(&self) -> Result<String, ProfileError> {
        serde_json::to_string_pretty(self).map_err(|error| ProfileError::Form(error.to_string()))
    }

    /// `total` for each sample, on average.
    pub fn per_sample(&self, total: u64) -> f64 {
        total as f64 / self.samples.max(1) as f64
    }
}

impl Accuracy {
    /// From 0 to 1.
    pub fn share(&self) -> f64 {
        self.correct as f64 / self.samples.max(1) as f64
    }
}

impl Cost {
    /// Lost cycles of all causes.
    pub fn lost(&self) -> u64 {
        self.stalls.values().fold(0, |sum, cycles| sum.saturating_add(*cycles))
    }

    /// Cycles per instruction; 0 where there are none.
    pub fn cpi(&self) -> f64 {
        if self.instructions == 0 { 0.0 } else { self.cycles as f64 / self.instructions as f64 }
    }
}

impl From<&Counted> for Cost {
    fn from(counted: &Counted) -> Self {
        let lost = counted.stalls.iter().filter(|(_, cycles)| *cycles > 0);
        Self {
            instructions: counted.instructions,
            traps: counted.traps,
            cycles: counted.cycles,
            stalls: lost.map(|(cause, cycles)| (cause.name().to_owned(), cycles)).collect(),
        }
    }
}

/// Runs every sample of `dataset` through `image` on simulated machines and counts.
///
/// `source` gives the text of the source with that name, as the image names it, or `None` where it cannot be read.
/// `progress` is told how many samples are done, from any thread.
///
/// # Errors
/// As [`evaluate()`]: on any, no profile is given.
pub fn profile(
    image: &Image,
    dataset: &Dataset,
    options: &Options,
    source: impl FnMut(&str) -> Option<String>,
    progress: impl Fn(usize) + Sync,
) -> Result<Profile, ProfileError> {
    let manifest = image.manifest.as_ref().ok_or(EvaluateError::Session(SessionError::NoManifest))?;
    let plan = Arc::new(Plan::of(manifest));
    let found = Arc::new(Mutex::new(Found::default()));
    let open = || Simulator::observed(image.config, options.machine, Watch::new(&plan, None, &found));
    let of_runs = evaluate::Options { jobs: options.jobs, limit: options.limit, ..evaluate::Options::default() };
    let evaluation = evaluate(image, dataset, open, of_runs, progress)?;
    let found = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    let mut profile = blank(image, &found, evaluation.device.clone(), source);
    let accuracy = |score: &evaluate::Score| Accuracy { correct: score.correct as u64, samples: score.samples as u64 };
    profile.accuracy = evaluation.score.as_ref().map(accuracy);
    profile.samples = dataset.len() as u64;
    describe(&mut profile, image, manifest, dataset, &found, options);
    Ok(profile)
}

/// Runs a program that has no manifest once, from its entry point to its end, and counts.
///
/// # Errors
/// Where the device refuses the program, or it does not come to its own end.
pub fn profile_once(
    image: &Image,
    options: &Options,
    source: impl FnMut(&str) -> Option<String>,
) -> Result<Profile, ProfileError> {
    let phases = Phases::of(image);
    let found = Arc::new(Mutex::new(Found::default()));
    let watch = Watch::new(&Arc::new(Plan::default()), Some(phases), &found);
    let mut device = Simulator::observed(image.config, options.machine, watch)?;
    let name = device.name();
    device.load(image)?;
    device.start(image.entry)?;
    device.wait(options.limit)?;
    drop(device);
    let found = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    let mut profile = blank(image, &found, name, source);
    for phase in found.phases.iter().flat_map(Phases::phases) {
        if phase.entered == 0 && phase.cost == Counted::default() {
            continue;
        }
        let (name, kind) = if phase.name.is_empty() { ("(before)", "rest") } else { (phase.name.as_str(), "phase") };
        profile.phases.push(Phase {
            name: name.to_owned(),
            kind: kind.to_owned(),
            entered: phase.entered,
            cost: Cost::from(&phase.cost),
            dma_wait: 0,
            spikes: None,
        });
    }
    if let [phase] = &mut profile.phases[..] {
        phase.dma_wait = profile.dma.wait_cycles;
    }
    Ok(profile)
}

/// What holds for every program.
fn blank(image: &Image, found: &Found, device: String, source: impl FnMut(&str) -> Option<String>) -> Profile {
    let classes = found.statistics.by_class().into_iter().map(|(class, count)| (format!("{class:?}"), count));
    let heat = Heatmap::new(&found.profiler, image, source);
    let line = |row: &fenn_iss::observe::heatmap::Row| Line {
        place: row.place.clone(),
        text: row.text.clone(),
        executions: row.executions,
        cycles: row.cost.cycles,
        stalls: row.cost.stalls.total(),
        cause: row.cost.worst().map(|(cause, _)| cause.name().to_owned()),
        code: row.has_code,
    };
    let listings = heat
        .listings
        .iter()
        .map(|listing| Listing { name: listing.name.clone(), lines: listing.rows.iter().map(line).collect() });
    let total = Counted::sum(found.profiler.costs().values());
    Profile {
        version: VERSION,
        program: image.manifest.as_ref().map_or_else(String::new, |manifest| manifest.name.clone()),
        generator: image.manifest.as_ref().map_or_else(String::new, |manifest| manifest.generator.clone()),
        seed: image.manifest.as_ref().and_then(|manifest| manifest.seed),
        device,
        samples: 1,
        steps: 0,
        time_step_ms: None,
        accuracy: None,
        cost: Cost::from(&total),
        classes: classes.collect(),
        dma: Dma {
            transfers: found.statistics.transfers,
            bytes: found.statistics.transferred_bytes,
            wait_cycles: found.waits.iter().sum(),
        },
        phases: Vec::new(),
        populations: Vec::new(),
        rows: Vec::new(),
        neurobench: None,
        memories: memories(image),
        listings: listings.collect(),
        notes: Vec::new(),
    }
}

/// What a compiled network has besides.
fn describe(
    profile: &mut Profile,
    image: &Image,
    manifest: &Manifest,
    dataset: &Dataset,
    found: &Found,
    options: &Options,
) {
    (profile.steps, profile.time_step_ms) = (manifest.steps, manifest.time_step_ms);
    let sources = Sources::new(manifest, dataset, found);
    profile.populations = sources.populations(manifest.work.as_ref());
    let Some(work) = &manifest.work else {
        profile.notes.push(
            "The program does not say what its parts do, so there are no phases, synaptic operations and metrics of the \
             network; fenn-cc makes programs that do."
                .to_owned(),
        );
        return;
    };
    for rows in &work.rows {
        let visits = found.entered.get(rows.section as usize).copied().unwrap_or(0);
        let rows = sources.rows(work, rows, visits);
        if !profile.rows.last_mut().is_some_and(|last| last.joins(&rows)) {
            profile.rows.push(rows);
        }
    }
    for rows in work.rows.iter().filter(|rows| rows.merged) {
        let name = rows.projections.first().map_or("", |projection| projection.name.as_str());
        profile.notes.push(format!(
            "The rows of {name} are sorted by delay and too many for the manifest: its operations are counted when a spike's \
             first row is due, also those that would be due only after the end of a run."
        ));
    }
    profile.phases = phases(profile, &work.sections, found);
    for event in profile.populations.iter().filter(|population| population.spikes.is_none()) {
        profile.notes.push(format!(
            "The program keeps the spikes of {} in registers, where they cannot be counted; so what depends on them is \
             missing. Compile the network with --record spikes.",
            event.population
        ));
    }
    let code: u64 = image.segments.iter().filter(|s| s.space == Space::Instruction).map(|s| u64::from(s.size)).sum();
    let metrics = count::neurobench(
        manifest,
        work,
        &profile.populations,
        &profile.rows,
        profile.samples,
        code,
        options.execution_rate_hz,
    );
    profile.neurobench = Some(metrics);
}

/// The sections, and the rest of what ran.
fn phases(profile: &Profile, sections: &[Section], found: &Found) -> Vec<Phase> {
    let costs = found.profiler.costs();
    let mut rest = Counted::sum(costs.values());
    let mut phases: Vec<Phase> = sections
        .iter()
        .enumerate()
        .map(|(index, section)| {
            let range = section.address..section.address + section.bytes;
            let cost = Counted::sum(costs.range(range).map(|(_, cost)| cost));
            rest.instructions -= cost.instructions;
            rest.traps -= cost.traps;
            rest.cycles -= cost.cycles;
            rest.stalls = rest.stalls.since(&cost.stalls);
            let kind = phase_name(section.kind);
            let spikes = match kind {
                "propagate" => {
                    // All rows of a section are found by the same spikes.
                    profile.rows.iter().find(|rows| rows.section as usize == index).and_then(|rows| rows.spikes)
                }
                "update" => {
                    let mut of =
                        profile.populations.iter().filter(|p| p.event.is_some() && p.population == section.name);
                    of.try_fold(0u64, |sum, population| Some(sum + population.spikes?))
                }
                _ => None,
            };
            Phase {
                name: section.name.clone(),
                kind: kind.to_owned(),
                entered: found.entered.get(index).copied().unwrap_or(0),
                cost: Cost::from(&cost),
                dma_wait: found.waits.get(index).copied().unwrap_or(0),
                spikes,
            }
        })
        .collect();
    if rest != Counted::default() {
        phases.push(Phase {
            name: "(in no section)".to_owned(),
            kind: "rest".to_owned(),
            entered: 0,
            cost: Cost::from(&rest),
            dma_wait: found.waits.last().copied().unwrap_or(0),
            spikes: None,
        });
    }
    phases
}

/// How much of each memory contents and arrays take.
fn memories(image: &Image) -> Vec<MemoryUse> {
    let mut used: BTreeMap<Space, u64> = BTreeMap::new();
    let contents = image.segments.iter().map(|segment| (segment.space, segment.address, segment.size));
    let arrays = image.symbols.iter().map(|symbol| (symbol.space, symbol.address, symbol.size));
    for (space, address, size) in contents.chain(arrays).filter(|(.., size)| *size > 0) {
        let so_far = used.entry(space).or_default();
        *so_far = (*so_far).max(u64::from(address) + u64::from(size));
    }
    let of = |(space, used): (Space, u64)| MemoryUse {
        memory: space.to_string(),
        used,
        available: image.config.bytes(space).into(),
    };
    used.into_iter().map(of).collect()
}
