//! From what was seen to what it amounts to: synaptic operations, and the metrics of NeuroBench.
//!
//! Contract: integers, all of them exact. For rows that are added `d` steps after a spike, with `s[n]` spikes of source
//! neuron `n` that arrive:
//!
//! | | |
//! | --- | --- |
//! | effective operations | `Σ_n s[n] · fan_out[n]` |
//! | lanes | `Σ_n s[n] · lanes[n]`, or so many in each step |
//! | dense operations | `dense · steps · samples` |
//!
//! A spike arrives unless its run ends before and the spikes of a run are forgotten in the next. Rows that are sorted by
//! delay are counted delay by delay, and are one in the profile: their spikes are those that arrive first.

use fenn_isa::image::manifest::{Lanes, Manifest, Origin, Rows, Work};

use super::watch::{Found, Seen};
use super::{NeuroBench, PopulationSpikes, ProjectionWork, RowWork};
use crate::dataset::Dataset;

/// Spikes of each neuron that arrive after some steps.
pub(super) struct Sources<'a> {
    manifest: &'a Manifest,
    dataset: &'a Dataset,
    events: &'a [Seen],
}

impl<'a> Sources<'a> {
    pub(super) fn new(manifest: &'a Manifest, dataset: &'a Dataset, found: &'a Found) -> Self {
        Self { manifest, dataset, events: &found.events }
    }

    /// Spikes of an input's neurons that arrive `delay` steps later within their run.
    fn of_input(&self, name: &str, delay: u32) -> Vec<u64> {
        let mut first = 0u64;
        for input in &self.manifest.inputs {
            if input.name == name {
                let mut counts = vec![0; input.neurons as usize];
                let (steps, range) = (self.manifest.steps, first..first + u64::from(input.neurons));
                for sample in 0..self.dataset.len() {
                    for spike in self.dataset.spikes(sample) {
                        let arrives = u64::from(spike.step) + u64::from(delay) < u64::from(steps);
                        if arrives && range.contains(&spike.unit.into()) {
                            counts[(u64::from(spike.unit) - first) as usize] += 1;
                        }
                    }
                }
                return counts;
            }
            first += u64::from(input.neurons);
        }
        Vec::new()
    }

    /// Spikes of each neuron of a source that arrive `delay` steps later; `None` where not all were seen.
    fn arriving(&self, source: &Origin, delay: u32) -> Option<Vec<u64>> {
        match source {
            Origin::Input(name) => Some(self.of_input(name, delay)),
            Origin::Event(index) => {
                let seen = self.events.get(*index as usize).filter(|seen| seen.complete)?;
                let late = (delay as usize).checked_sub(1).and_then(|index| seen.late.get(index));
                let lost = |neuron: usize| late.map_or(0, |late| late[neuron]);
                Some(seen.spikes.iter().enumerate().map(|(neuron, spikes)| spikes - lost(neuron)).collect())
            }
        }
    }

    /// How many spikes every population and input has had.
    pub(super) fn populations(&self, work: Option<&Work>) -> Vec<PopulationSpikes> {
        let inputs = self.manifest.inputs.iter().map(|input| PopulationSpikes {
            population: input.name.clone(),
            event: None,
            neurons: input.neurons,
            spikes: Some(self.of_input(&input.name, 0).iter().sum()),
        });
        let events = work.into_iter().flat_map(|work| &work.events).zip(self.events);
        let events = events.map(|(event, seen)| PopulationSpikes {
            population: event.population.clone(),
            event: Some(event.name.clone()),
            neurons: event.neurons,
            spikes: seen.complete.then(|| seen.spikes.iter().sum()),
        });
        inputs.chain(events).collect()
    }

    /// What one kind of rows came to. `visits` is how often control was in their section.
    pub(super) fn rows(&self, work: &Work, rows: &Rows, visits: u64) -> RowWork {
        let arriving = self.arriving(&rows.source, rows.delay);
        let sum = |each: &dyn Fn(u32) -> u64| {
            let arriving = arriving.as_ref()?;
            let products = arriving.iter().zip(0..).map(|(spikes, neuron)| spikes.saturating_mul(each(neuron)));
            Some(products.fold(0, u64::saturating_add))
        };
        let projections: Vec<ProjectionWork> = rows
            .projections
            .iter()
            .map(|projection| ProjectionWork {
                projection: projection.name.clone(),
                target: projection.target.clone(),
                weights: projection.weights,
                nonzero: projection.nonzero,
                effective: sum(&|neuron| projection.fan_out.at(neuron).into()),
                dense: (u64::from(self.manifest.steps) * self.dataset.len() as u64).saturating_mul(projection.dense),
            })
            .collect();
        let source = match &rows.source {
            Origin::Input(name) => name.clone(),
            Origin::Event(index) => {
                work.events.get(*index as usize).map_or_else(String::new, |event| event.population.clone())
            }
        };
        RowWork {
            section: rows.section,
            source,
            delay: rows.delay,
            delays: 1,
            spikes: sum(&|_| 1),
            effective: all(projections.iter().map(|projection| projection.effective)),
            lanes: match &rows.lanes {
                Lanes::PerSpike(lanes) => sum(&|neuron| lanes.at(neuron).into()),
                Lanes::PerStep(lanes) => Some(visits.saturating_mul(*lanes)),
            },
            projections,
        }
    }
}

impl RowWork {
    /// Takes in the rows that `next` is about, if they are those of a further delay of the same projections.
    pub(super) fn joins(&mut self, next: &Self) -> bool {
        let names = |rows: &Self| rows.projections.iter().map(|one| one.projection.clone()).collect::<Vec<_>>();
        if self.section != next.section || self.delay >= next.delay || names(self) != names(next) {
            return false;
        }
        let add = |sum: &mut Option<u64>, more: Option<u64>| *sum = all([*sum, more].into_iter());
        self.delays += 1;
        add(&mut self.effective, next.effective);
        add(&mut self.lanes, next.lanes);
        for (mine, next) in self.projections.iter_mut().zip(&next.projections) {
            add(&mut mine.effective, next.effective);
            mine.weights = mine.weights.saturating_add(next.weights);
            mine.nonzero = mine.nonzero.saturating_add(next.nonzero);
            mine.dense = mine.dense.saturating_add(next.dense);
        }
        true
    }
}

/// The sum, where every number is known.
fn all(mut numbers: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    numbers.try_fold(0u64, |sum, number| Some(sum.saturating_add(number?)))
}

/// The metrics; `code` is the program's length in bytes.
pub(super) fn neurobench(
    manifest: &Manifest,
    work: &Work,
    populations: &[PopulationSpikes],
    rows: &[RowWork],
    samples: u64,
    code: u64,
    execution_rate_hz: Option<f64>,
) -> NeuroBench {
    let projections = || rows.iter().flat_map(|rows| &rows.projections);
    let weights = projections().map(|projection| projection.weights).fold(0, u64::saturating_add);
    let nonzero = projections().map(|projection| projection.nonzero).fold(0, u64::saturating_add).min(weights);
    let steps = u64::from(manifest.steps) * samples;
    let neurons = |spikes: &&PopulationSpikes| spikes.event.is_some();
    let active = all(populations.iter().filter(neurons).map(|population| population.spikes));
    let outputs = populations.iter().filter(neurons).map(|p| u64::from(p.neurons).saturating_mul(steps));
    let outputs = outputs.fold(0, u64::saturating_add);
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let updated: u64 = manifest.populations.iter().map(|population| u64::from(population.neurons)).sum();
    let active = active.map(|active| active.min(outputs));
    let fenn_isa::image::manifest::Footprint { weights: bytes, connections, parameters, state, spikes } =
        work.footprint;
    NeuroBench {
        footprint_weights: bytes,
        footprint_connections: connections,
        footprint_parameters: parameters,
        footprint_state: state,
        footprint_spikes: spikes,
        footprint_code: code,
        footprint: work.footprint.total().saturating_add(code),
        weights,
        zero_weights: weights - nonzero,
        connection_sparsity: share(weights - nonzero, weights),
        vanished_weights: work.vanished,
        connection_sparsity_given: work
            .vanished
            .map(|rounded| share((weights - nonzero).saturating_sub(rounded), weights)),
        outputs,
        zero_outputs: active.map(|active| outputs - active),
        activation_sparsity: active.filter(|_| outputs > 0).map(|active| share(outputs - active, outputs)),
        dense: projections().map(|projection| projection.dense).fold(0, u64::saturating_add),
        effective_acs: all(rows.iter().map(|rows| rows.effective)),
        // Every input of a synapse is a spike, so there is nothing to multiply.
        effective_macs: 0,
        lanes: all(rows.iter().map(|rows| rows.lanes)),
        membrane_updates: updated.saturating_mul(steps),
        execution_rate_hz,
    }
}
