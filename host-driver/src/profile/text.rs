//! A profile, and a comparison of two, in plain text.

use std::fmt::Write as _;

use super::{Change, Comparison, Profile, Verdict};

/// The summary of a profile: what it took, phase by phase, and what the network did.
pub fn text(profile: &Profile) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<22}{text}");
    };
    let mean = |total: u64| format!("{:.1}", profile.per_sample(total));
    if profile.steps > 0 {
        line("program", format!("{}, {} samples of {} steps", profile.program, profile.samples, profile.steps));
    }
    line("device", profile.device.clone());
    if let Some(accuracy) = &profile.accuracy {
        line("accuracy", format!("{:.2} % ({} of {})", 100.0 * accuracy.share(), accuracy.correct, accuracy.samples));
    }
    let each = if profile.steps > 0 { " per sample" } else { "" };
    line("instructions", format!("{}{each}", mean(profile.cost.instructions)));
    line("cycles", format!("{}{each}, {:.3} per instruction", mean(profile.cost.cycles), profile.cost.cpi()));
    line("lost cycles", format!("{}{each}{}", mean(profile.cost.lost()), causes(profile)));
    if profile.dma.transfers > 0 {
        let (bytes, wait) = (mean(profile.dma.bytes), mean(profile.dma.wait_cycles));
        line("DMA", format!("{bytes} bytes{each}; {wait} cycles of waiting for them"));
    }
    let mut out = out + "\n" + &phases(profile);
    if !profile.populations.is_empty() {
        out = out + "\n" + &spikes(profile);
    }
    if let Some(metrics) = neurobench(profile) {
        out = out + "\n" + &metrics;
    }
    for note in &profile.notes {
        let _ = writeln!(out, "\nnote: {note}");
    }
    out
}

/// The lost cycles' causes, with their shares.
fn causes(profile: &Profile) -> String {
    let lost = profile.cost.lost();
    let mut causes: Vec<(&String, &u64)> = profile.cost.stalls.iter().collect();
    causes.sort_by_key(|(_, cycles)| u64::MAX - **cycles);
    let share = |cycles: u64| 100.0 * cycles as f64 / lost.max(1) as f64;
    let causes: Vec<String> =
        causes.iter().map(|(cause, cycles)| format!("{cause} {:.1} %", share(**cycles))).collect();
    if causes.is_empty() { String::new() } else { format!(": {}", causes.join(", ")) }
}

fn phases(profile: &Profile) -> String {
    let name = |phase: &super::Phase| format!("{} {}", phase.kind, phase.name);
    let ran = || profile.phases.iter().filter(|phase| phase.cost.cycles > 0);
    let width = ran().map(|phase| name(phase).chars().count()).max().unwrap_or(0).max(22);
    let mut out = format!(
        "{:<width$}  {:>13} {:>12} {:>7} {:>11} {:>9} {:>9}\n",
        "phase", "instructions", "cycles", "share", "lost", "DMA wait", "spikes"
    );
    for phase in ran() {
        let share = 100.0 * phase.cost.cycles as f64 / profile.cost.cycles.max(1) as f64;
        let spikes = phase.spikes.map_or(String::new(), |spikes| format!("{:.1}", profile.per_sample(spikes)));
        let row = format!(
            "{:<width$}  {:>13.1} {:>12.1} {share:>5.1} % {:>11.1} {:>9.1} {spikes:>9}",
            name(phase),
            profile.per_sample(phase.cost.instructions),
            profile.per_sample(phase.cost.cycles),
            profile.per_sample(phase.cost.lost()),
            profile.per_sample(phase.dma_wait),
        );
        let _ = writeln!(out, "{}", row.trim_end());
    }
    out
}

fn spikes(profile: &Profile) -> String {
    let mut out = format!("{:<22}  {:>8} {:>14} {:>14}\n", "population", "neurons", "spikes", "per sample");
    for population in &profile.populations {
        let name = match &population.event {
            Some(event) => format!("{}.{event}", population.population),
            None => format!("{} (input)", population.population),
        };
        let known = |text: String| if population.spikes.is_some() { text } else { "not seen".to_owned() };
        let spikes = population.spikes.unwrap_or(0);
        let _ = writeln!(
            out,
            "{name:<22}  {:>8} {:>14} {:>14}",
            population.neurons,
            known(spikes.to_string()),
            known(format!("{:.2}", profile.per_sample(spikes)))
        );
    }
    out
}

fn neurobench(profile: &Profile) -> Option<String> {
    let metrics = profile.neurobench.as_ref()?;
    let mean = |total: u64| format!("{:.2}", profile.per_sample(total));
    let known = |text: Option<String>| text.unwrap_or_else(|| "not known".to_owned());
    let mut out = "NeuroBench\n".to_owned();
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {name:<34}{text}");
    };
    line("footprint", format!("{} bytes, {} of them weights", metrics.footprint, metrics.footprint_weights));
    line(
        "connection sparsity",
        format!("{:.6} ({} of {} weights)", metrics.connection_sparsity, metrics.zero_weights, metrics.weights),
    );
    if let (Some(given), Some(vanished)) = (metrics.connection_sparsity_given, metrics.vanished_weights)
        && vanished > 0
    {
        line("  before rounding to 16 bits", format!("{given:.6} ({vanished} weights were rounded to 0)"));
    }
    line("activation sparsity", known(metrics.activation_sparsity.map(|share| format!("{share:.6}"))));
    line("dense operations per sample", mean(metrics.dense));
    line("effective ACs per sample", known(metrics.effective_acs.map(mean)));
    line("effective MACs per sample", mean(metrics.effective_macs));
    line("lanes spent on them per sample", known(metrics.lanes.map(mean)));
    line("neuron updates per sample", mean(metrics.membrane_updates));
    if let Some(rate) = metrics.execution_rate_hz {
        line("model execution rate", format!("{rate} Hz, as given"));
    }
    Some(out)
}

/// What became worse and better, sorted.
pub fn comparison_text(comparison: &Comparison) -> String {
    let mut out = String::new();
    for (title, verdict) in [("worse", Verdict::Worse), ("better", Verdict::Better), ("different", Verdict::Different)]
    {
        let changes: Vec<&Change> = comparison.of(verdict).collect();
        if changes.is_empty() {
            continue;
        }
        let width = changes.iter().map(|change| change.name.chars().count()).max().unwrap_or(0);
        let _ = writeln!(out, "{title}");
        for change in changes {
            let number = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.2}"));
            let percent = change.percent.map_or("-".to_owned(), |percent| format!("{percent:+.2} %"));
            let (before, after) = (number(change.before), number(change.after));
            let row = format!("  {:<width$} {before:>16} {after:>16} {percent:>12} {}", change.name, change.unit);
            let _ = writeln!(out, "{}", row.trim_end());
        }
    }
    let _ = writeln!(out, "the same: {} figures", comparison.of(Verdict::Same).count());
    for note in &comparison.notes {
        let _ = writeln!(out, "note: {note}");
    }
    out
}
