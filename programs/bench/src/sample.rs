//! One sample through a program on the simulator, with what the program recorded of it.
//!
//! Contract: a new simulated machine of the program's sizes, in the cycles of this project's core; nothing is left of it.

use fenn_host::dataset::Spike;
use fenn_host::device::{Finished, Limit};
use fenn_host::session::Session;
use fenn_host::session::array::{Array, Values};
use fenn_host::sim::Simulator;
use fenn_isa::image::Image;

use crate::program::Failure;

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The class by the first output.
    pub class: usize,
    /// The cost.
    pub finished: Finished,
    /// Spikes of each recorded population, by step.
    pub spikes: Vec<(String, Vec<Vec<u32>>)>,
    /// What the first output was made from, where it is numbers.
    pub output: Option<Values>,
}

impl Sample {
    /// Spikes of a population, by step.
    ///
    /// # Errors
    /// The program records none of it.
    pub fn of(&self, population: &str) -> Result<&[Vec<u32>], Failure> {
        let found = self.spikes.iter().find(|(name, _)| name == population);
        Ok(&found.ok_or_else(|| format!("the program records no spikes of `{population}`"))?.1)
    }
}

/// Spikes of each step, as a host takes them.
pub fn listed(steps: &[Vec<u32>]) -> Vec<Spike> {
    let spikes =
        steps.iter().zip(0..).flat_map(|(units, step)| units.iter().map(move |unit| Spike { step, unit: *unit }));
    let mut spikes: Vec<Spike> = spikes.collect();
    spikes.sort_unstable();
    spikes
}

/// A run on a sample, from the state after a reset.
///
/// # Errors
/// What the program or the machine is wrong in.
pub fn run(image: &Image, spikes: &[Spike]) -> Result<Sample, Failure> {
    let mut session = Session::open(Simulator::new(image.config)?, image)?;
    let run = session.run(spikes, Limit::default())?;
    let names: Vec<String> = session.manifest().recordings.iter().map(|one| one.population.clone()).collect();
    let recordings = names.into_iter().zip(session.recordings(0)?);
    let spikes = recordings.filter_map(|(name, array)| match array {
        Array::Spikes(array) => Some((name, (0..array.steps).map(|step| array.in_step(step).collect()).collect())),
        Array::Values(_) => None,
    });
    let spikes = spikes.collect();
    let output = session.output_arrays(0)?.into_iter().next().and_then(|array| match array {
        Array::Values(values) => Some(values),
        Array::Spikes(_) => None,
    });
    let class = crate::run::class(&run)? as usize;
    Ok(Sample { class, finished: run.finished, spikes, output })
}
