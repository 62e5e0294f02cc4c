//! An evaluation in plain text, as JSON, and as a table of its raw results.
//!
//! Contract: pure functions of an [`Evaluation`]; nothing is printed or written here. The page for people with a
//! browser is [`crate::report`].

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::evaluate::{Delivery, Evaluation, PhaseCost, Score, Spread};
use crate::report::phase_name;

/// The widest confusion matrix that is printed as text.
const WIDEST: u32 = 30;
/// The widest confusion matrix that is given in JSON as a matrix.
const WIDEST_JSON: u32 = 1000;

/// The summary: figures, and the confusion matrix or, without labels, the classes.
pub fn text(evaluation: &Evaluation) -> String {
    let Evaluation { manifest, device, samples, score, instructions, cycles, jobs, wall, batch, launches, .. } =
        evaluation;
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<14}{text}");
    };
    line("program", format!("{}, {} steps per sample", manifest.name, manifest.steps));
    line("device", device.clone());
    line("samples", samples.len().to_string());
    if let Some(score) = score {
        line("accuracy", format!("{:.2} % ({} of {})", 100.0 * score.accuracy(), score.correct, score.samples));
    }
    line("instructions", spread(instructions));
    line("cycles", spread(cycles));
    match evaluation.delivery {
        Delivery::Streamed => {
            let places = format!("through {batch} places, {} cycles in all with waiting", launches.cycles);
            line("streamed", places);
        }
        Delivery::NotStreamed(why) => {
            let text = format!("{batch} samples each, {} cycles in all; not streamed: {}", launches.cycles, why.text());
            line("launches", text);
        }
        Delivery::Launches if *batch > 1 => {
            line("launches", format!("{batch} samples each, {} cycles in all", launches.cycles));
        }
        Delivery::Launches => {}
    }
    let devices = if *jobs == 1 { "one device".to_owned() } else { format!("{jobs} devices") };
    line("time", format!("{:.2} s, {:.1} MIPS on {devices}", wall.as_secs_f64(), evaluation.mips()));
    if !evaluation.phases.is_empty() {
        out = out + "\n" + &phases(evaluation);
    }
    match score {
        Some(score) => out + "\n" + &confusion(score),
        None => out + "\n" + &classes(evaluation),
    }
}

/// A line per phase: what it took per sample, and of all cycles.
fn phases(evaluation: &Evaluation) -> String {
    let samples = evaluation.samples.len().max(1) as f64;
    let total = evaluation.counted_cycles().max(1) as f64;
    let name = |cost: &PhaseCost| format!("{} {}", phase_name(cost.phase.kind), cost.phase.name);
    let width = evaluation.phases.iter().map(|cost| name(cost).chars().count()).max().unwrap_or(0).max(22);
    let mut out = format!("{:<width$}  instructions    cycles  per step   share\n", "phase");
    let steps = f64::from(evaluation.manifest.steps);
    for cost in &evaluation.phases {
        let (instructions, cycles) = (cost.count.instructions as f64 / samples, cost.count.cycles as f64 / samples);
        let share = 100.0 * cost.count.cycles as f64 / total;
        out.push_str(&format!(
            "{:<width$}  {instructions:>12.1}{cycles:>10.1}{:>10.1}{share:>6.1} %\n",
            name(cost),
            cycles / steps
        ));
    }
    let rest = evaluation.cycles.total.saturating_sub(evaluation.counted_cycles()) as f64 / samples;
    out.push_str(&format!("{:<width$}  {rest:>22.1}\n", "counting, and the rest"));
    out
}

fn spread(spread: &Spread) -> String {
    let Spread { min, max, total, .. } = spread;
    if min == max {
        return format!("{min} per sample, {total} in all");
    }
    format!("{:.1} per sample ({min} to {max}), {total} in all", spread.mean())
}

fn confusion(score: &Score) -> String {
    let classes = score.classes;
    if classes > WIDEST {
        return format!("confusion     {classes} classes are too many for a terminal; see the report or the JSON\n");
    }
    let rows = matrix(score);
    let greatest = rows.iter().flatten().copied().max().unwrap_or(0).max(classes as usize);
    let width = greatest.to_string().len() + 2;
    let mut out = format!("{:<14}", "label \\ class");
    (0..classes).for_each(|class| out.push_str(&format!("{class:>width$}")));
    out.push_str("   recall\n");
    for (label, row) in rows.iter().enumerate() {
        out.push_str(&format!("{label:<14}"));
        row.iter().for_each(|count| out.push_str(&format!("{count:>width$}")));
        match row.iter().sum::<usize>() {
            0 => out.push_str("        -\n"),
            samples => out.push_str(&format!("{:>7.2} %\n", 100.0 * row[label] as f64 / samples as f64)),
        }
    }
    out
}

fn classes(evaluation: &Evaluation) -> String {
    let rows = evaluation.samples.iter().enumerate();
    let rows: String = rows.map(|(index, sample)| format!("{index:<14}{}\n", sample.class)).collect();
    format!("{:<14}class\n{rows}", "sample")
}

fn matrix(score: &Score) -> Vec<Vec<usize>> {
    (0..score.classes).map(|label| score.row(label)).collect()
}

/// The summary for programs. Everything in it is in the units of [`Evaluation`]; seconds are the host's. `confusion` is
/// a list of rows, one per label; `streamed` says whether samples were handed over while others ran; with more than 1000 classes it is null. `phases` has what the program counted in all
/// samples together, without what counting took; it is empty where the program does not count.
pub fn json(evaluation: &Evaluation) -> Value {
    let Evaluation { manifest, device, samples, score, instructions, cycles, jobs, wall, .. } = evaluation;
    let spread =
        |spread: &Spread| json!({ "min": spread.min, "mean": spread.mean(), "max": spread.max, "total": spread.total });
    json!({
        "program": manifest.name,
        "generator": manifest.generator,
        "seed": manifest.seed,
        "device": device,
        "steps": manifest.steps,
        "samples": samples.len(),
        "correct": score.as_ref().map(|score| score.correct),
        "accuracy": score.as_ref().map(Score::accuracy),
        "confusion": score.as_ref().filter(|score| score.classes <= WIDEST_JSON).map(matrix),
        "instructions": spread(instructions),
        "cycles": spread(cycles),
        "jobs": jobs,
        "batch": evaluation.batch,
        "streamed": evaluation.delivery == Delivery::Streamed,
        "launches": { "instructions": evaluation.launches.instructions, "cycles": evaluation.launches.cycles },
        "phases": evaluation.phases.iter().map(phase).collect::<Vec<_>>(),
        "seconds": wall.as_secs_f64(),
        "mips": evaluation.mips(),
        "classes": samples.iter().map(|sample| sample.class).collect::<Vec<_>>(),
        "sample_instructions": samples.iter().map(|sample| sample.finished.instructions).collect::<Vec<_>>(),
        "sample_cycles": samples.iter().map(|sample| sample.finished.cycles).collect::<Vec<_>>(),
    })
}

fn phase(cost: &PhaseCost) -> Value {
    json!({
        "kind": phase_name(cost.phase.kind),
        "name": cost.phase.name,
        "visits": cost.visits,
        "instructions": cost.count.instructions,
        "cycles": cost.count.cycles,
    })
}

/// The integer results, a line per sample, the neurons of all outputs one after the other, without a header.
pub fn outputs(evaluation: &Evaluation) -> String {
    let mut out = String::new();
    for sample in &evaluation.samples {
        let codes: Vec<String> = sample.codes.iter().flatten().map(i64::to_string).collect();
        out.push_str(&codes.join(","));
        out.push('\n');
    }
    out
}
