//! What became of each layer of a network, and why.
//!
//! Contract: [`text`] prints one section per population, in the order in which they are updated, with the projections onto it: number
//! formats and how they were found, what arrives and in which form it is stored, memory, instructions and the cycles they are
//! reckoned to take. It decides nothing: all it prints is in the network, in the import's report and in the back end's.

use std::fmt::{self, Write};

use super::front::Loaded;
use super::report::{Table, choices};
use crate::backend::Compiled;
use crate::estimate::Estimate;
use crate::import::{ImportReport, RoundingName};
use crate::network::{Delays, Network, Phase, Population, Projection, Weights};
use crate::place::{Alternative, DelayCosts, LayoutChoice};

/// The explanation for readers.
pub(super) fn text(loaded: &Loaded, compiled: &Compiled) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = write(&mut out, loaded, compiled);
    out
}

fn write(out: &mut String, loaded: &Loaded, compiled: &Compiled) -> fmt::Result {
    let network = &loaded.network;
    if let Some(import) = &loaded.import {
        write_rules(out, import)?;
    }
    for (layer, index) in updates(network).enumerate() {
        let population = &network.populations[index];
        writeln!(out, "\n{}. {}: {} neurons", layer + 1, population.name, population.size)?;
        write_formats(out, population, loaded.import.as_ref())?;
        for projection in network.projections.iter().filter(|projection| projection.target == index) {
            write_projection(out, network, projection)?;
            write_rows(out, projection, compiled)?;
        }
        write_memory(out, population, network, compiled)?;
        write_code(out, population, network, index, compiled)?;
    }
    for input in &network.inputs {
        writeln!(out, "\n{}: input of {} neurons", input.name, input.size)?;
    }
    Ok(())
}

/// The populations in the order of the schedule.
fn updates(network: &Network) -> impl Iterator<Item = usize> {
    network.schedule.iter().filter_map(|phase| match phase {
        Phase::Update(index) => Some(*index),
        Phase::Propagate(_) => None,
    })
}

fn write_rules(out: &mut String, import: &ImportReport) -> fmt::Result {
    let options = &import.options;
    writeln!(out, "{}: {}", options.name, choices(options))?;
    let samples = import.options.calibration.samples.len();
    let origin = if samples == 0 { "generated spikes".to_owned() } else { format!("{samples} samples given") };
    let validation = &import.validation;
    writeln!(
        out,
        "Formats were tried on {origin}; the whole network was run on {} samples and {} disturbed copies.",
        validation.samples, validation.jittered
    )
}

fn write_formats(out: &mut String, population: &Population, import: Option<&ImportReport>) -> fmt::Result {
    let slots = population.kernel.variables.iter().map(|slot| format!("{} {}", slot.name, slot.ty.format));
    writeln!(out, "  formats: {}", slots.collect::<Vec<String>>().join(", "))?;
    let Some(import) = import else { return Ok(()) };
    let found = import.populations.iter().zip(&import.validation.populations).find(|(p, _)| p.name == population.name);
    let Some((report, agreement)) = found else { return Ok(()) };
    writeln!(out, "    a {} node; {}", report.kind, report.why)?;
    writeln!(
        out,
        "    in floating point I goes from {:.4} to {:.4} and V from {:.4} to {:.4}",
        report.current.min, report.current.max, report.potential.min, report.potential.max
    )?;
    let clipped = &report.clipped;
    writeln!(
        out,
        "    {} weights: {} clipped, {} became 0; {} other numbers clipped",
        clipped.weights, clipped.weights_clipped, clipped.weights_vanished, clipped.parameters_clipped
    )?;
    let result = match agreement.deviation_percent {
        Some(deviation) => format!("V deviates by {deviation:.2} %"),
        None => format!(
            "{:.1} spikes per sample instead of {:.1}, counts correlated by {}",
            agreement.spikes_fixed,
            agreement.spikes_float,
            agreement.correlation.map_or_else(|| "-".to_owned(), |r| format!("{r:.4}"))
        ),
    };
    writeln!(
        out,
        "  against floating point: {result}; I saturated {} times, V {}",
        agreement.saturations_current, agreement.saturations_potential
    )?;
    let roundings = [report.roundings.current, report.roundings.potential].map(RoundingName::from);
    writeln!(out, "  rounding: I {}, V {}", roundings[0], roundings[1])
}

fn write_projection(out: &mut String, network: &Network, projection: &Projection) -> fmt::Result {
    let target = &network.populations[projection.target];
    let source = network.source_size(projection.source);
    let synapses = projection.weights.count(source, target.size);
    let form = match &projection.weights {
        Weights::Dense(_) => "a dense matrix".to_owned(),
        Weights::Sparse(_) => "sparse rows".to_owned(),
        Weights::OneToOne(_) => "one weight per neuron".to_owned(),
        Weights::Convolution(convolution) => {
            let [rows, columns] = convolution.extent;
            let pool = match convolution.pool {
                [1, 1] => String::new(),
                [rows, columns] => format!(" behind sums over {rows} x {columns}"),
            };
            format!("a kernel of {rows} x {columns}{pool}, {} numbers shared", convolution.kernel.len())
        }
    };
    let delays = match &projection.delays {
        Delays::None => String::new(),
        Delays::Uniform(steps) => format!(", {steps} steps later"),
        Delays::Ring(_) => format!(", each up to {} steps later, through a ring of sums", projection.delays.longest()),
        Delays::Sorted(_) => format!(", each up to {} steps later, sorted by delay", projection.delays.longest()),
    };
    writeln!(
        out,
        "  {} from {}: {form}, {synapses} synapses{delays}",
        projection.name,
        network.source_name(projection.source)
    )?;
    if let Delays::Ring(steps) | Delays::Sorted(steps) = &projection.delays {
        writeln!(out, "    {}", DelayCosts::of(&projection.weights, steps, source, target.size).why())?;
    }
    Ok(())
}

/// How the rows of a projection are laid out, and what that is reckoned to cost.
fn write_rows(out: &mut String, projection: &Projection, compiled: &Compiled) -> fmt::Result {
    let has = |choice: &&LayoutChoice| choice.projections.contains(&projection.name);
    let Some(choice) = compiled.report.rows.iter().find(has) else { return Ok(()) };
    let way = |way: &Alternative| {
        format!("{} in {}, {} bytes: {:.0} cycles a spike", way.layout, way.memory, way.bytes, way.cycles_per_spike)
    };
    let shared: Vec<&str> =
        choice.projections.iter().filter(|name| **name != projection.name).map(String::as_str).collect();
    let with = if shared.is_empty() { String::new() } else { format!(", shared with {}", shared.join(", ")) };
    writeln!(out, "    {}{with}", way(&choice.taken))?;
    choice.others.iter().try_for_each(|other| writeln!(out, "      rather than {}", way(other)))
}

/// Whether something called `name` belongs to `owner`.
fn is_of(name: &str, owner: &str) -> bool {
    name.strip_prefix(owner).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ' ']))
}

/// The names of a population and of what leads to it.
fn owners<'n>(population: &'n Population, network: &'n Network) -> Vec<&'n str> {
    let onto = network.projections.iter().filter(|p| network.populations[p.target].name == population.name);
    onto.map(|projection| projection.name.as_str()).chain([population.name.as_str()]).collect()
}

fn write_memory(out: &mut String, population: &Population, network: &Network, compiled: &Compiled) -> fmt::Result {
    let owners = owners(population, network);
    let own = compiled.report.arrays.iter().filter(|array| owners.iter().any(|owner| is_of(&array.name, owner)));
    let mut table = Table::new(&["array", "memory", "layout", "bytes"], 3);
    for array in own {
        let layout = array.layout.clone().unwrap_or_default();
        table.row(vec![array.name.clone(), array.space.to_string(), layout, array.bytes.to_string()]);
    }
    write!(out, "{table}")
}

fn write_code(
    out: &mut String,
    population: &Population,
    network: &Network,
    index: usize,
    compiled: &Compiled,
) -> fmt::Result {
    // As the back end makes symbols of names.
    let symbol =
        |name: &str| -> String { name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect() };
    let update = format!("update_{}", symbol(&population.name));
    let onto = network.projections.iter().filter(|projection| projection.target == index);
    let projections: Vec<String> = onto.map(|projection| symbol(&projection.name)).collect();
    // One scan of spikes may serve several projections.
    let propagates = |name: &str| name.split("_and_").any(|name| projections.iter().any(|own| own == name));
    let own = |name: &str| name == update || name.strip_prefix("propagate_").is_some_and(propagates);
    for part in compiled.report.parts.iter().filter(|part| own(&part.name)) {
        writeln!(out, "  {}: {} instructions", part.name, part.instructions)?;
        if let Some(estimate) = compiled.report.estimates.iter().find(|estimate| estimate.part == part.name) {
            write_estimate(out, estimate)?;
        }
    }
    Ok(())
}

/// What a part of the code is reckoned to take, and the sentence why.
fn write_estimate(out: &mut String, estimate: &Estimate) -> fmt::Result {
    write!(out, "    about {:.0} cycles a step", estimate.step.cycles)?;
    if let Some(cycles) = estimate.cycles_per_spike() {
        write!(out, " and {cycles:.0} a spike")?;
    }
    writeln!(out, ": {}", estimate.why())
}
