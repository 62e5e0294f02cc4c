//! What a program's parts do, for those who count: profilers.
//!
//! Contract: a host needs none of it to run the program. It says which stretch of code is which phase, in which words a
//! population's spikes appear, and for each row of weights what a spike through it is: how many synapses act, and how many
//! lanes are spent on them. With the spikes of a run that is enough to count synaptic operations exactly.
//!
//! [`Work::check`] proves that addresses lie in their memories, that names are those of the manifest, and that there is a
//! number for each source neuron where numbers differ.
//!
//! Not here: what the counts mean (the host's, who reports them).

use serde::{Deserialize, Serialize};

use super::{Manifest, ManifestError, PhaseKind, inside};
use crate::memory::{MachineConfig, Space};

/// What a program's parts do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// The program's code in the order of addresses; sections do not overlap. What is in none is around the runs.
    pub sections: Vec<Section>,
    /// Where each population's spikes are written.
    pub events: Vec<Event>,
    /// What a spike does, row by row. Where rows are sorted by delay, those of each delay follow each other, and the weights
    /// are those of the first.
    pub rows: Vec<Rows>,
    /// What the network is made of, in bytes.
    pub footprint: Footprint,
    /// How many weights are 0 only because they were rounded to the program's format, where the front end says.
    pub vanished: Option<u64>,
}

/// A stretch of code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// The projections' or the population's name; otherwise that of its kind.
    pub name: String,
    /// What happens in it.
    pub kind: PhaseKind,
    /// Of the first instruction, in instruction memory; a multiple of 4.
    pub address: u32,
    /// A multiple of 4; 0 where the section has no code.
    pub bytes: u32,
}

/// The spikes of one of a population's events.
///
/// While control is in section [`Event::section`], which it enters once per step, the program stores the spikes of this
/// step's update, bit `n % 32` of the word `n / 32` for neuron `n`, into consecutive words below
/// `address + bytes`; other words of that stretch it leaves as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The population's name.
    pub population: String,
    /// The event's name.
    pub name: String,
    /// How many neurons.
    pub neurons: u32,
    /// Of [`Work::sections`]: the population's update.
    pub section: u32,
    /// Of the first word, in scalar memory; a multiple of 4.
    pub address: u32,
    /// A multiple of 4: all slots together.
    pub bytes: u32,
}

/// Whose spikes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Of the input of that name.
    Input(String),
    /// Of [`Work::events`].
    Event(u32),
}

/// Weights that are stored as rows, one for each source neuron; projections of one source may share rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// Of [`Work::sections`]: where the spikes pass through.
    pub section: u32,
    /// Whose spikes.
    pub source: Origin,
    /// How many neurons the source has.
    pub neurons: u32,
    /// How many steps after the spike's own step its row is added. Weights whose sums are due later are added at once.
    pub delay: u32,
    /// Whether that is only the least delay of rows that are sorted by delay, of which there are too many to be told apart.
    pub merged: bool,
    /// The lanes that are spent.
    pub lanes: Lanes,
    /// What the rows consist of, at least one.
    pub projections: Vec<Projection>,
}

/// How many lanes of the vector unit additions of weights take, those that add nothing included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lanes {
    /// For each spike of a neuron.
    PerSpike(Counts),
    /// In each step, whatever the spikes are.
    PerStep(u64),
}

/// Synapses from one source to one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Projection {
    /// Its name.
    pub name: String,
    /// The target population's name.
    pub target: String,
    /// Weights, those that are 0 included: of a matrix all its elements, whether they are stored or not; of a convolution those
    /// of its kernel; of a one-to-one projection one for each neuron.
    pub weights: u64,
    /// How many of them are not 0, in the program's number format.
    pub nonzero: u64,
    /// Additions in a step in which every source neuron spikes and no weight is 0.
    pub dense: u64,
    /// Additions for a spike of each source neuron: synapses whose weight is not 0.
    pub fan_out: Counts,
}

/// A number for each neuron.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// All neurons have the same.
    Same(u32),
    /// One for each.
    Each(Vec<u32>),
}

/// What the network is made of, in bytes, without padding and without copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Footprint {
    /// Weights that are stored: of a dense matrix all, of a list those of its synapses, of a convolution the kernel.
    pub weights: u64,
    /// What lists of synapses have besides: 2 bytes for each target, and 2 for each delay of its own.
    pub connections: u64,
    /// Neurons' parameters: one number, or one for each neuron.
    pub parameters: u64,
    /// Neurons' variables, and sums of inputs that are due later.
    pub state: u64,
    /// Spikes of one step: a bit for each neuron and event, in whole words.
    pub spikes: u64,
}

impl Footprint {
    /// All of it.
    pub const fn total(&self) -> u64 {
        self.weights
            .saturating_add(self.connections)
            .saturating_add(self.parameters)
            .saturating_add(self.state)
            .saturating_add(self.spikes)
    }
}

impl Counts {
    /// In the shorter form.
    pub fn of(counts: Vec<u32>) -> Self {
        match counts.split_first() {
            Some((first, rest)) if rest.iter().all(|count| count == first) => Self::Same(*first),
            None => Self::Same(0),
            Some(_) => Self::Each(counts),
        }
    }

    /// That of a neuron; 0 for one that is not there.
    pub fn at(&self, neuron: u32) -> u32 {
        match self {
            Self::Same(count) => *count,
            Self::Each(counts) => counts.get(neuron as usize).copied().unwrap_or(0),
        }
    }
}

impl Work {
    pub(super) fn check(&self, manifest: &Manifest, config: &MachineConfig) -> Result<(), ManifestError> {
        let wrong = |name: &str, what| Err(ManifestError::Inconsistent { name: name.to_owned(), what });
        let mut end = 0;
        for Section { name, address, bytes, .. } in &self.sections {
            if !address.is_multiple_of(4) || !bytes.is_multiple_of(4) {
                return wrong(name, "its code does not consist of words");
            }
            if u64::from(*address) < end {
                return wrong(name, "its code is not behind that of the section before");
            }
            end = u64::from(*address) + u64::from(*bytes);
            inside(name, Space::Instruction, end, config)?;
        }
        for Event { population, neurons, section, address, bytes, .. } in &self.events {
            let known = manifest.populations.iter().find(|other| other.name == *population);
            if known.is_none_or(|known| known.neurons != *neurons) {
                return wrong(population, "there is no population of that name and size");
            }
            if self.sections.get(*section as usize).is_none_or(|section| section.kind != PhaseKind::Update) {
                return wrong(population, "its spikes appear in no update");
            }
            if !address.is_multiple_of(4)
                || !bytes.is_multiple_of(4)
                || u64::from(*bytes) < 4 * u64::from(neurons.div_ceil(32))
            {
                return wrong(population, "its spikes are no words, or too few");
            }
            inside(population, Space::Scalar, u64::from(*address) + u64::from(*bytes), config)?;
        }
        self.rows.iter().try_for_each(|rows| self.check_rows(rows, manifest))
    }

    fn check_rows(&self, rows: &Rows, manifest: &Manifest) -> Result<(), ManifestError> {
        let Rows { section, source, neurons, lanes, projections, .. } = rows;
        let Some(first) = projections.first() else {
            let what = "rows of weights belong to no projection";
            return Err(ManifestError::Inconsistent { name: "work".to_owned(), what });
        };
        let wrong = |what| Err(ManifestError::Inconsistent { name: first.name.clone(), what });
        if self.sections.get(*section as usize).is_none_or(|section| section.kind != PhaseKind::Propagate) {
            return wrong("no section adds its weights");
        }
        let size = match source {
            Origin::Input(name) => manifest.inputs.iter().find(|input| input.name == *name).map(|input| input.neurons),
            Origin::Event(index) => self.events.get(*index as usize).map(|event| event.neurons),
        };
        if size != Some(*neurons) {
            return wrong("there is no source of that name and size");
        }
        if let Origin::Event(index) = source
            && let Some(event) = self.events.get(*index as usize)
            && rows.delay > event.bytes / 4 / event.neurons.div_ceil(32).max(1)
        {
            return wrong("its spikes are not kept for so many steps");
        }
        let complete = |counts: &Counts| match counts {
            Counts::Same(_) => true,
            Counts::Each(counts) => counts.len() == *neurons as usize,
        };
        let lanes = match lanes {
            Lanes::PerSpike(counts) => complete(counts),
            Lanes::PerStep(_) => true,
        };
        if !lanes || !projections.iter().all(|projection| complete(&projection.fan_out)) {
            return wrong("there is not one number for each source neuron");
        }
        let is_population = |name: &String| manifest.populations.iter().any(|other| other.name == *name);
        if !projections.iter().all(|projection| is_population(&projection.target)) {
            return wrong("there is no population of its target's name");
        }
        if projections.iter().any(|projection| projection.nonzero > projection.weights) {
            return wrong("more weights are not 0 than there are");
        }
        Ok(())
    }

    /// Every name, with what it is of.
    pub(super) fn names(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let sections = self.sections.iter().map(|section| ("section", &section.name));
        let events = self.events.iter().map(|event| ("event", &event.name));
        let projections = self.rows.iter().flat_map(|rows| &rows.projections);
        sections.chain(events).chain(projections.map(|projection| ("projection", &projection.name)))
    }
}
