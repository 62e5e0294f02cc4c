//! What became of a network, for readers and for programs.

use std::fmt::{self, Write};

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde_json::{Value, json};

use super::front::Loaded;
use crate::backend::{Compiled, MemoryUse, Report};
use crate::import::{self, Agreement, Candidate, ImportReport};
use crate::network::{Network, StatePolicy, Values};
use crate::netx::{self, Precision};

/// Candidates of a population that are shown; JSON has all.
const CANDIDATES_SHOWN: usize = 5;

/// Rows of cells, aligned: the first columns to the left, the others to the right.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    left: usize,
}

impl Table {
    /// `left`: how many columns are text.
    pub(super) fn new(head: &[&str], left: usize) -> Self {
        Self { rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()], left }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::from(" ");
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column < self.left {
                    write!(line, " {cell:<width$} ")?;
                } else {
                    write!(line, " {cell:>width$} ")?;
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The report for readers.
pub(super) fn text(loaded: &Loaded, compiled: &Compiled) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = write_text(&mut out, loaded, compiled);
    out
}

fn write_text(out: &mut String, loaded: &Loaded, compiled: &Compiled) -> fmt::Result {
    write_network(out, &loaded.network)?;
    if !loaded.conversions.is_empty() {
        writeln!(out, "\nReal numbers of files, rounded")?;
        let mut table = Table::new(&["what", "format", "numbers", "clipped", "became 0", "largest"], 2);
        for conversion in &loaded.conversions {
            table.row(vec![
                conversion.of.clone(),
                match (conversion.format, conversion.grid) {
                    (None, _) => "steps".to_owned(),
                    (Some(format), None) => format.to_string(),
                    (Some(format), Some(grid)) => format!("{format}, {grid}"),
                },
                conversion.numbers.to_string(),
                conversion.clipped.to_string(),
                conversion.vanished.to_string(),
                format!("{:.4}", conversion.largest),
            ]);
        }
        write!(out, "{table}")?;
    }
    if !loaded.drawn.is_empty() {
        writeln!(out, "\nDrawn at random, seed {}", loaded.network.seed)?;
        let mut table = Table::new(&["what", "rule", "numbers", "clipped"], 2);
        for drawn in &loaded.drawn {
            let numbers = [drawn.numbers, drawn.clipped].map(|number| number.to_string());
            table.row([vec![drawn.of.clone(), drawn.rule.clone()], numbers.to_vec()].concat());
        }
        write!(out, "{table}")?;
    }
    if let Some(import) = &loaded.import {
        write_import(out, import)?;
    }
    if let Some(netx) = &loaded.netx {
        write_netx(out, netx)?;
    }
    write_program(out, &compiled.report)
}

fn write_network(out: &mut String, network: &Network) -> fmt::Result {
    let state = match network.state {
        StatePolicy::Reset => "every run starts anew",
        StatePolicy::Carried => "state is carried from run to run",
    };
    let step = network.time_step_ms.map(|step| format!(" of {step} ms")).unwrap_or_default();
    writeln!(out, "{}: {} steps{step}, {state}", network.name, network.steps)?;
    writeln!(out, "\nNeurons")?;
    let mut table = Table::new(&["name", "formats", "size"], 2);
    for input in &network.inputs {
        table.row(vec![input.name.clone(), "input".to_owned(), input.size.to_string()]);
    }
    for population in &network.populations {
        let formats = population.kernel.variables.iter().map(|slot| format!("{}: {}", slot.name, slot.ty.format));
        let formats: Vec<String> = formats.collect();
        table.row(vec![population.name.clone(), formats.join(", "), population.size.to_string()]);
    }
    write!(out, "{table}")?;
    writeln!(out, "\nSynapses")?;
    let mut table = Table::new(&["name", "from", "to", "synapses", "not 0"], 3);
    for projection in &network.projections {
        let source = network.source_size(projection.source);
        let synapses = projection.weights.count(source, network.populations[projection.target].size);
        let codes = projection.weights.codes();
        table.row(vec![
            projection.name.clone(),
            network.source_name(projection.source),
            target(network, projection.target, projection.variable),
            synapses.to_string(),
            codes.iter().filter(|code| **code != 0).count().to_string(),
        ]);
    }
    write!(out, "{table}")
}

fn target(network: &Network, population: usize, variable: usize) -> String {
    let population = &network.populations[population];
    format!("{}.{}", population.name, population.kernel.variables[variable].name)
}

/// What a graph was taken to mean, as the options that say so.
pub(super) fn choices(options: &import::Options) -> String {
    let name = |value: Option<PossibleValue>| value.map(|value| value.get_name().to_owned()).unwrap_or_default();
    let roundings: Vec<String> = options.roundings.iter().map(ToString::to_string).collect();
    let others = if roundings.is_empty() { String::new() } else { format!(", but {}", roundings.join(", ")) };
    format!(
        "dt {}, method {}, reset {}, compare {}, spike-from {}, rounding {}{others}",
        options.dt.unwrap_or(f64::NAN),
        name(options.method.to_possible_value()),
        name(options.reset.to_possible_value()),
        name(options.comparison.to_possible_value()),
        name(options.spike_from.to_possible_value()),
        options.rounding
    )
}

fn write_import(out: &mut String, import: &ImportReport) -> fmt::Result {
    let validation = &import.validation;
    writeln!(out, "\nThe graph was taken to mean: {}", choices(&import.options))?;
    writeln!(
        out,
        "\nNumber formats, against floating point on {} samples and {} disturbed copies",
        validation.samples, validation.jittered
    )?;
    let head = [
        "population",
        "I",
        "V",
        "mismatches",
        "in copies",
        "spikes",
        "correlation",
        "deviation",
        "other class",
        "I sat.",
        "V sat.",
    ];
    let mut table = Table::new(&head, 1);
    for (population, agreement) in import.populations.iter().zip(&validation.populations) {
        let formats = [population.formats.current, population.formats.potential].map(|format| format.to_string());
        table.row([vec![population.name.clone()], formats.to_vec(), cells(agreement)].concat());
    }
    write!(out, "{table}")?;
    writeln!(
        out,
        "  Mismatches are spikes that only one of the two has, per sample; deviations are of V, for neurons that do not spike."
    )?;
    writeln!(out, "\nEvery operation rounded in one way: spikes against floating point, or deviation of V")?;
    let names: Vec<&str> = import.populations.iter().map(|population| population.name.as_str()).collect();
    let mut table = Table::new(&[&["rounding"], &names[..], &["gate"]].concat(), 1);
    for report in &import.roundings {
        let cell = |agreement: &Agreement| match agreement.deviation_percent {
            Some(deviation) => format!("{deviation:.2} %"),
            None => format!("{:+.2} %", agreement.spikes_percent()),
        };
        let cells: Vec<String> = report.populations.iter().map(cell).collect();
        let gate = if report.in_gate { "in" } else { "out" };
        table.row([vec![report.rounding.to_string()], cells, vec![gate.to_owned()]].concat());
    }
    write!(out, "{table}")?;
    for population in &import.populations {
        let (shown, all) = (CANDIDATES_SHOWN.min(population.candidates.len()), population.candidates.len());
        let (current, potential) = (population.current, population.potential);
        writeln!(
            out,
            "\n{} ({}, {} neurons): I from {:.3} to {:.3}, V from {:.3} to {:.3}; {} of {} weights clipped; best {shown} of {all} pairs of formats",
            population.name,
            population.kind,
            population.size,
            current.min,
            current.max,
            potential.min,
            potential.max,
            population.clipped.weights_clipped,
            population.clipped.weights,
        )?;
        let head = [
            "I",
            "V",
            "cost",
            "mismatches",
            "in copies",
            "spikes",
            "correlation",
            "deviation",
            "other class",
            "I sat.",
            "V sat.",
        ];
        let mut table = Table::new(&head, 0);
        for Candidate { formats, cost, neurons: _, agreement } in &population.candidates[..shown] {
            let own = vec![formats.current.to_string(), formats.potential.to_string(), format!("{cost:.3}")];
            table.row([own, cells(agreement)].concat());
        }
        write!(out, "{table}")?;
    }
    Ok(())
}

fn write_netx(out: &mut String, netx: &netx::Report) -> fmt::Result {
    let generated = if netx.generated { "generated " } else { "" };
    writeln!(out, "\nLayers, against exact whole numbers on {} {generated}samples", netx.samples)?;
    let head = ["layer", "type", "U and V", "|u| up to", "v from", "to", "spikes", "mismatches", "saturated"];
    let mut table = Table::new(&head, 3);
    for layer in &netx.layers {
        let numbers = [layer.current, layer.voltage[0], layer.voltage[1]].map(|number| format!("{number:.1}"));
        let formats = match layer.precision {
            Precision::Exact if layer.saturations == 0 => format!("{}, exact", layer.format),
            Precision::Exact => format!("{}, saturating", layer.format),
            Precision::Truncated(_) => format!("{}, truncated", layer.format),
            Precision::Nearest(_) => format!("{}, to nearest", layer.format),
        };
        let counts = [layer.spikes, layer.mismatches].map(|number| format!("{number:.2}"));
        let text = vec![layer.name.clone(), layer.kind.clone(), formats];
        table.row([text, numbers.to_vec(), counts.to_vec(), vec![layer.saturations.to_string()]].concat());
    }
    write!(out, "{table}")?;
    writeln!(out, "  u and v are in units of a weight of 1; spikes and mismatches are per sample.")
}

fn cells(agreement: &Agreement) -> Vec<String> {
    let Agreement {
        mismatches,
        mismatches_jittered,
        spikes_float,
        spikes_fixed: _,
        correlation,
        deviation_percent,
        other_class_percent,
        saturations_current,
        saturations_potential,
    } = agreement;
    let more = if *spikes_float > 0.0 { format!("{:+.2} %", agreement.spikes_percent()) } else { "-".to_owned() };
    let optional = |number: &Option<f64>, digits: usize, unit: &str| {
        number.map_or_else(|| "-".to_owned(), |number| format!("{number:.digits$}{unit}"))
    };
    vec![
        format!("{mismatches:.2}"),
        format!("{mismatches_jittered:.2}"),
        more,
        optional(correlation, 4, ""),
        optional(deviation_percent, 2, " %"),
        format!("{other_class_percent:.1} %"),
        saturations_current.to_string(),
        saturations_potential.to_string(),
    ]
}

fn write_program(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "\nMemory")?;
    let mut table = Table::new(&["memory", "used", "of", ""], 1);
    for MemoryUse { memory, used, available } in &report.memories {
        let share = 100.0 * *used as f64 / *available as f64;
        table.row(vec![memory.clone(), used.to_string(), available.to_string(), format!("{share:.1} %")]);
    }
    write!(out, "{table}")?;
    writeln!(out, "\nArrays")?;
    let mut table = Table::new(&["array", "memory", "format", "layout", "address", "bytes"], 4);
    for array in &report.arrays {
        table.row(vec![
            array.name.clone(),
            array.space.to_string(),
            array.format.map(|format| format.to_string()).unwrap_or_default(),
            array.layout.clone().unwrap_or_default(),
            format!("{:#x}", array.address),
            array.bytes.to_string(),
        ]);
    }
    write!(out, "{table}")?;
    writeln!(out, "\nCode: {} instructions", report.instructions)?;
    let mut table = Table::new(&["part", "instructions"], 1);
    for part in &report.parts {
        table.row(vec![part.name.clone(), part.instructions.to_string()]);
    }
    write!(out, "{table}")?;
    let [scalar, vector] = report.spilled;
    if scalar + vector > 0 {
        writeln!(out, "  {scalar} scalar and {vector} vector values are kept in memory for want of registers.")?;
    }
    Ok(())
}

/// The report for programs.
pub(super) fn json(loaded: &Loaded, compiled: &Compiled) -> Value {
    let network = &loaded.network;
    let uniform = |values: &Values| match values {
        Values::Uniform(code) => json!(code),
        Values::PerNeuron(_) => json!("per neuron"),
    };
    let populations = network.populations.iter().map(|population| {
        let kernel = &population.kernel;
        let variables = kernel.variables.iter().map(|slot| json!({ "name": slot.name, "type": slot.ty.to_string() }));
        let parameters =
            kernel.parameters.iter().zip(&population.parameters).map(
                |(slot, values)| json!({ "name": slot.name, "type": slot.ty.to_string(), "code": uniform(values) }),
            );
        json!({
            "name": population.name,
            "neurons": population.size,
            "variables": variables.collect::<Vec<_>>(),
            "parameters": parameters.collect::<Vec<_>>(),
            "events": kernel.events,
        })
    });
    let projections = network.projections.iter().map(|projection| {
        let source = network.source_size(projection.source);
        let synapses = projection.weights.count(source, network.populations[projection.target].size);
        json!({
            "name": projection.name,
            "source": network.source_name(projection.source),
            "target": target(network, projection.target, projection.variable),
            "synapses": synapses,
        })
    });
    let inputs = network.inputs.iter().map(|input| json!({ "name": input.name, "neurons": input.size }));
    json!({
        "network": {
            "name": network.name,
            "time_step_ms": network.time_step_ms,
            "steps": network.steps,
            "state": network.state,
            "seed": network.seed,
            "inputs": inputs.collect::<Vec<_>>(),
            "populations": populations.collect::<Vec<_>>(),
            "projections": projections.collect::<Vec<_>>(),
        },
        "conversions": loaded.conversions,
        "drawn": loaded.drawn,
        "import": loaded.import,
        "netx": loaded.netx,
        "program": compiled.report,
    })
}
