//! From a NIR graph to a [`Network`] in 16-bit fixed point.
//!
//! Contract: [`import`] gives a well-formed network that computes what the graph means with the [`Options`], but for
//! rounding and saturation, or everything that speaks against the graph. The steps are apart: [`model`] is the graph
//! in discrete time and real numbers, [`mod@float`] runs that, [`mod@quantize`] brings it into given formats, and the
//! formats are found by trying them on spikes ([`Options::calibration`]). [`ImportReport`] says what was chosen and
//! what it costs.
//!
//! Invariant: the same graph and options give the same network on every machine.
//!
//! Not here: reading files (see [`crate::nir`]).

mod calibrate;
mod error;
pub mod float;
pub mod model;
mod options;
pub mod quantize;
mod report;
mod trains;
mod wiring;

pub use error::ImportError;
pub use options::{
    Calibration, Comparison, ForcedFormat, ForcedFormatError, Method, Options, Part, Record, Reset, SpikeFrom,
};
pub use report::{Agreement, Candidate, ImportReport, PopulationReport, Validation};

use crate::interpret::{Interpreter, Saturations};
use crate::network::{Network, Quantity, Recording, Window};
use crate::nir::Graph;

use calibrate::{Case, Tally, cases, search};
use float::Range;
use model::Model;
use quantize::{Clipped, Formats};

/// An imported network.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Well-formed in the sense of [`crate::verify`].
    pub network: Network,
    /// How it came about.
    pub report: ImportReport,
}

/// Imports `graph`.
///
/// # Errors
/// Everything that speaks against the graph, the options or the calibration samples; never an empty list.
pub fn import(graph: &Graph, options: &Options) -> Result<Imported, Vec<ImportError>> {
    let model = Model::new(graph, options)?;
    let cases = cases(&model, &options.calibration)?;
    let candidates = search(&model, &cases, &options.formats)?;
    let formats: Vec<Formats> =
        candidates.iter().filter_map(|list| list.first()).map(|candidate| candidate.formats).collect();
    let (network, clipped) = quantize::network(&model, &formats, options.record)?;
    let validation = validate(&model, &network, &cases)?;
    let populations: Vec<PopulationReport> = candidates
        .into_iter()
        .zip(clipped)
        .enumerate()
        .map(|(index, (candidates, clipped))| population(&model, index, formats[index], clipped, &cases, candidates))
        .collect();
    let warnings = warnings(&populations, &validation);
    Ok(Imported { network, report: ImportReport { options: options.clone(), populations, validation, warnings } })
}

fn population(
    model: &Model,
    index: usize,
    formats: Formats,
    clipped: Clipped,
    cases: &[Case],
    candidates: Vec<Candidate>,
) -> PopulationReport {
    let range =
        |of: fn(&Case, usize) -> Range| cases.iter().fold(Range::default(), |all, case| all.union(of(case, index)));
    let neurons = &model.populations[index];
    PopulationReport {
        name: neurons.name.clone(),
        kind: neurons.kind,
        size: neurons.size,
        formats,
        clipped,
        current: range(|case, index| case.float.currents[index]),
        potential: range(|case, index| case.float.reached[index]),
        candidates,
    }
}

/// Runs the network on all cases and compares every population with floating point.
fn validate(model: &Model, network: &Network, cases: &[Case]) -> Result<Validation, Vec<ImportError>> {
    let internal = |errors: Vec<_>| -> Vec<ImportError> { errors.into_iter().map(ImportError::Internal).collect() };
    // The potentials of neurons that do not spike are compared in every step, whatever the user wants recorded.
    let mut watched = network.clone();
    for (population, _) in model.populations.iter().enumerate() {
        let quantity = Quantity::Variable(quantize::POTENTIAL);
        if !watched.is_recorded(population, quantity) {
            watched.recordings.push(Recording { population, quantity, window: Window::WHOLE });
        }
    }
    let mut interpreter = Interpreter::new(&watched).map_err(internal)?;
    let mut saturations = Saturations::new(&watched);
    let mut tallies: Vec<Tally<'_>> = (0..model.populations.len()).map(|index| Tally::new(model, index)).collect();
    for (sample, case) in cases.iter().enumerate() {
        let run = interpreter
            .run_observed(&case.inputs, &mut saturations)
            .map_err(|error| vec![ImportError::Sample { sample, error }])?;
        for (index, tally) in tallies.iter_mut().enumerate() {
            tally.add(case, &watched, &run, index);
        }
    }
    let jittered = cases.iter().filter(|case| case.jittered).count();
    let populations = tallies.iter().zip(&saturations.counts).map(|(tally, counts)| tally.agreement(counts)).collect();
    Ok(Validation { samples: cases.len() - jittered, jittered, populations })
}

/// More than this share of samples with another class is worth a word, in percent.
const OTHER_CLASS_PERCENT: f64 = 5.0;

fn warnings(populations: &[PopulationReport], validation: &Validation) -> Vec<String> {
    let mut warnings = Vec::new();
    for (population, agreement) in populations.iter().zip(&validation.populations) {
        let PopulationReport { name, formats, clipped, .. } = population;
        if clipped.weights_clipped > 0 {
            warnings.push(format!(
                "`{name}`: {} of {} weights are beyond {} and were clipped",
                clipped.weights_clipped, clipped.weights, formats.current
            ));
        }
        if clipped.parameters_clipped > 0 {
            warnings.push(format!(
                "`{name}`: {} biases, thresholds, resets or leaks are beyond their format and were clipped; choose another",
                clipped.parameters_clipped
            ));
        }
        if agreement.other_class_percent > OTHER_CLASS_PERCENT {
            warnings.push(format!(
                "`{name}`: in {:.1} % of the calibration samples the largest readout is another neuron's than in \
                 floating point; give typical samples for calibration, or look at the candidates",
                agreement.other_class_percent
            ));
        }
    }
    warnings
}
