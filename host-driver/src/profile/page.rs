//! Pages about a profile and about two of them, for people.
//!
//! Contract: one HTML file that needs nothing else, as that of [`crate::report`]: no script, no font, no address is
//! loaded, and its own content policy forbids it. Everything that comes from a program or its source is escaped. Figures are
//! SVG with a title and a description; colour repeats what a number or a word says, in a palette whose colours can be
//! told apart without red and green, on light and dark screens. A page is a pure function of what it is about.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{Change, Comparison, Cost, Line, Listing, Phase, Profile, Verdict};
use crate::report::styled_page;
use crate::report::svg::{Scale, WIDTH, at, grouped, picture, short};

/// Levels of heat.
const LEVELS: u64 = 10;
/// Causes of lost cycles that have a colour of their own; the others share one.
const CAUSES: usize = 8;
/// Room for names left of bars.
const NAMES: f64 = 216.0;
/// Room for numbers right of bars.
const NUMBERS: f64 = 150.0;
/// Names in figures that are longer end in an ellipsis.
const LONGEST: usize = 32;
/// Phases, populations and rows of weights in a figure; more are in the tables alone.
const MOST_BARS: usize = 40;
/// Parts of the code that are shown without being asked for.
const OPEN: usize = 2;

const CSS: &str = r"
:root { --heat: 194, 87, 26; --pad: #d5dae1; }
@media (prefers-color-scheme: dark) { :root { --heat: 235, 145, 85; --pad: #3b4552; } }
header, main { max-width: 70rem; }
.wide { overflow-x: auto; }
.wide table { width: 100%; }
td, th { white-space: nowrap; }
td.say, th.say { white-space: normal; text-align: left; color: var(--soft); min-width: 18rem; }
td:last-child, th:last-child { padding-right: 0; }
.sub { margin-top: .6rem; }
.f0 { fill: var(--c0); background: var(--c0); } .f1 { fill: var(--c1); background: var(--c1); }
.f2 { fill: var(--c2); background: var(--c2); } .f3 { fill: var(--c3); background: var(--c3); }
.f4 { fill: var(--c4); background: var(--c4); } .f5 { fill: var(--c5); background: var(--c5); }
.f6 { fill: var(--c6); background: var(--c6); } .f7 { fill: var(--c7); background: var(--c7); }
.f9 { fill: var(--c9); background: var(--c9); } .f8 { fill: var(--c8); background: var(--c8); }
.pad { fill: var(--pad); background: var(--pad); }
.legend .f0, .legend .f1, .legend .f2, .legend .f3, .legend .f4, .legend .f5, .legend .f6, .legend .f7, .legend .f8, .legend .f9,
.legend .pad { height: .7rem; width: .9rem; }
.wait { fill: none; stroke: var(--ink); stroke-width: 2; }
.note { border-left: .25rem solid var(--wrong); padding: .1rem 0 .1rem .8rem; color: var(--soft); }
.tile .note { border: 0; padding: 0; }
details { margin: .4rem 0; background: var(--card); border: 1px solid var(--rule); border-radius: .6rem; padding: .1rem .8rem; }
summary { display: flex; gap: 1rem; align-items: center; padding: .35rem 0; cursor: pointer; font-variant-numeric: tabular-nums; }
summary::before { content: '▸'; color: var(--soft); } details[open] > summary::before { content: '▾'; }
summary .label { flex: 1; font: 600 .9rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
summary .num { width: 7.5rem; text-align: right; font-size: .88rem; }
summary .meter { width: 9rem; height: .6rem; background: var(--grid); border-radius: .2rem; overflow: hidden; }
summary .meter span { display: block; height: 100%; background: rgb(var(--heat)); }
.source { width: 100%; font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin-bottom: .5rem; }
.source th, .source td { padding: 0 .9rem 0 .3rem; border-bottom: 0; }
.source td.code { text-align: left; white-space: pre; width: 100%; border-left: 1px solid var(--rule); padding-left: .7rem; }
.source td.text, .source td.place, .source tr.cold td { color: var(--soft); }
.better { color: var(--accent); } .worse { color: var(--wrong); }
.better, .worse { font-weight: 600; }
.change { width: 16rem; }
.change svg { width: 16rem; height: 1.1rem; }
.change .up { fill: var(--wrong); } .change .down { fill: var(--accent); } .change .other { fill: var(--c8); }
.arrow { color: var(--soft); font-weight: 400; }
.tile .figure .arrow { padding: 0 .2rem; }
";

/// The page about a profile.
pub fn page(profile: &Profile) -> String {
    let title = if profile.program.is_empty() { "program" } else { profile.program.as_str() };
    let about = html! { (introduction(profile)) };
    let body = html! {
        (tiles(profile))
        @for note in &profile.notes { p.note { (note) } }
        (phases(profile))
        (spikes(profile))
        (synapses(profile))
        (neurobench(profile))
        (machine(profile))
        (heat(profile))
    };
    styled_page("FeNN profile", title, &about, &body, &(CSS.to_owned() + &levels()))
}

/// The page about two profiles.
pub fn comparison_page(comparison: &Comparison) -> String {
    let Comparison { before, after, notes, .. } = comparison;
    let title = if before == after { before.clone() } else { format!("{before} and {after}") };
    let about = html! {
        "From the first profile to the second. Totals are means over samples; a change is in percent of the first. Fewer \
         cycles, operations and bytes are better; of spikes, neither more nor fewer are."
    };
    let body = html! {
        (main_changes(comparison))
        @for note in notes { p.note { (note) } }
        (changes(comparison, Verdict::Worse, "What became worse"))
        (changes(comparison, Verdict::Better, "What became better"))
        (changes(comparison, Verdict::Different, "What is different"))
        (changes(comparison, Verdict::Same, "What is the same"))
    };
    styled_page("FeNN profiles compared", &title, &about, &body, CSS)
}

/// A class for each level of heat.
fn levels() -> String {
    let level = |level: u64| format!(".h{level} {{ background: rgba(var(--heat), {:.2}); }}\n", 0.055 * level as f64);
    (1..=LEVELS).map(level).collect()
}

/// The level of a line that took so many cycles, where the hottest took `most`; equal steps of the square root, so that warm
/// lines are seen beside a hot one.
fn level(cycles: u64, most: u64) -> u64 {
    ((cycles as f64 / most.max(1) as f64).sqrt() * LEVELS as f64).ceil() as u64
}

fn introduction(profile: &Profile) -> String {
    let Profile { samples, steps, time_step_ms, device, generator, .. } = profile;
    if *steps == 0 {
        return format!("One run, on the {device}.");
    }
    let time_step = time_step_ms.map_or(String::new(), |ms| format!(" of {} ms", short(ms)));
    let s = |count: u64| if count == 1 { "" } else { "s" };
    format!(
        "{} sample{} of {} step{}{time_step} each, on the {device}; program made by {generator}.",
        grouped(*samples),
        s(*samples),
        grouped((*steps).into()),
        s((*steps).into()),
    )
}

/// A mean or a count, in as many digits as one wants to read.
fn amount(number: f64) -> String {
    if number >= 1000.0 {
        return grouped(number.round() as u64);
    }
    let digits = if number >= 100.0 { 1 } else { 2 };
    let text = format!("{number:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

fn known(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

/// A name for a figure.
fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn tiles(profile: &Profile) -> Markup {
    let tile = |figure: String, name: &str, note: String| {
        html! { div.tile { p.figure { (figure) } p.name { (name) } p.note { (note) } } }
    };
    let Profile { cost, neurobench, accuracy, .. } = profile;
    let each = if profile.steps > 0 { " per sample" } else { "" };
    let lost = cost.lost();
    let worst = cost.stalls.iter().max_by_key(|(_, cycles)| **cycles);
    let worst =
        worst.map_or(String::new(), |(cause, cycles)| format!("{:.0} % of them: {cause}", percent(*cycles, lost)));
    let metrics = neurobench.as_ref();
    let effective = metrics.and_then(|metrics| Some((metrics, metrics.effective_acs?)));
    html! {
        section.tiles aria-label="Main figures" {
            @if let Some(accuracy) = accuracy {
                @let of = format!("{} of {}", grouped(accuracy.correct), grouped(accuracy.samples));
                (tile(format!("{:.2} %", 100.0 * accuracy.share()), "accuracy", of))
            }
            (tile(
                amount(profile.per_sample(cost.cycles)),
                &format!("cycles{each}"),
                format!("{} instructions, {:.3} cycles each", amount(profile.per_sample(cost.instructions)), cost.cpi()),
            ))
            (tile(format!("{:.1} %", percent(lost, cost.cycles)), "of the cycles lost", worst))
            @if profile.dma.transfers > 0 {
                (tile(
                    format!("{:.1} %", percent(profile.dma.wait_cycles, cost.cycles)),
                    "of the cycles waiting for DRAM",
                    format!("{} bytes{each}", amount(profile.per_sample(profile.dma.bytes))),
                ))
            }
            @if let Some((metrics, effective)) = effective {
                (tile(
                    amount(profile.per_sample(effective)),
                    &format!("synaptic operations{each}"),
                    format!("{:.2} % of the dense {}", percent(effective, metrics.dense), amount(profile.per_sample(metrics.dense))),
                ))
                @if let Some(lanes) = metrics.lanes.filter(|lanes| *lanes > 0) {
                    (tile(
                        format!("{:.1} %", percent(effective, lanes)),
                        "of lanes do such an operation",
                        format!("{} lanes spent{each}", amount(profile.per_sample(lanes))),
                    ))
                }
            }
            @if let Some(sparsity) = metrics.and_then(|metrics| metrics.activation_sparsity) {
                (tile(format!("{sparsity:.4}"), "activation sparsity", "share of outputs without a spike".to_owned()))
            }
        }
    }
}

/// A colour and a name for each part of a bar of cycles.
struct Parts {
    /// Causes with a colour of their own, most lost cycles first.
    causes: Vec<String>,
    others: bool,
}

impl Parts {
    fn of(cost: &Cost) -> Self {
        let mut causes: Vec<(&String, &u64)> = cost.stalls.iter().collect();
        causes.sort_by_key(|(_, cycles)| u64::MAX - **cycles);
        let others = causes.len() > CAUSES;
        let causes = causes.into_iter().take(if others { CAUSES - 1 } else { CAUSES });
        Self { causes: causes.map(|(cause, _)| cause.clone()).collect(), others }
    }

    /// The class of the colour of the `index`-th cause; 0 is the instructions' and 8 the others'.
    fn class(index: usize) -> String {
        const CLASSES: [u8; CAUSES] = [1, 6, 5, 3, 2, 4, 7, 9];
        format!("f{}", CLASSES.get(index).copied().unwrap_or(8))
    }

    /// Class, name and cycles of each part of a phase.
    fn split(&self, cost: &Cost) -> Vec<(String, String, u64)> {
        let mut parts = vec![("f0".to_owned(), "instructions".to_owned(), cost.instructions)];
        let mut rest = cost.lost();
        for (index, cause) in self.causes.iter().enumerate() {
            let cycles = cost.stalls.get(cause).copied().unwrap_or(0);
            rest = rest.saturating_sub(cycles);
            parts.push((Self::class(index), format!("lost: {cause}"), cycles));
        }
        parts.push(("f8".to_owned(), "lost: other causes, and traps".to_owned(), rest.saturating_add(cost.traps)));
        parts
    }

    fn legend(&self, waits: bool) -> Markup {
        html! {
            ul.legend {
                li { span.f0 {} "instructions" }
                @for (index, cause) in self.causes.iter().enumerate() { li { span class=(Self::class(index)) {} "lost: " (cause) } }
                @if self.others { li { span.f8 {} "lost: other causes" } }
                @if waits { li { "line below a bar: waiting for DRAM" } }
            }
        }
    }
}

fn phase_label(phase: &Phase) -> String {
    format!("{} {}", phase.kind, phase.name)
}

fn phases(profile: &Profile) -> Markup {
    let ran: Vec<&Phase> = profile.phases.iter().filter(|phase| phase.cost.cycles > 0).collect();
    if ran.is_empty() {
        return html! {};
    }
    let parts = Parts::of(&profile.cost);
    let waits = ran.iter().any(|phase| phase.dma_wait > 0);
    let any_spikes = ran.iter().any(|phase| phase.spikes.is_some());
    let mean = |total| amount(profile.per_sample(total));
    html! {
        section {
            h2 { "Phases" }
            (parts.legend(waits))
            (phase_bars(profile, &ran, &parts))
            div.wide { table {
                thead { tr {
                    th.text scope="col" { "phase" } th scope="col" { "entered" } th scope="col" { "instructions" }
                    th scope="col" { "cycles" } th scope="col" { "share" } th scope="col" { "CPI" } th scope="col" { "lost" }
                    @if waits { th scope="col" { "waiting for DRAM" } }
                    @if any_spikes { th scope="col" { "spikes" } }
                } }
                tbody { @for phase in &ran { tr {
                    th scope="row" { (phase_label(phase)) }
                    td { (mean(phase.entered)) }
                    td { (mean(phase.cost.instructions)) }
                    td { (mean(phase.cost.cycles)) }
                    td { (format!("{:.1} %", percent(phase.cost.cycles, profile.cost.cycles))) }
                    td { (format!("{:.3}", phase.cost.cpi())) }
                    td { (mean(phase.cost.lost())) }
                    @if waits { td { (mean(phase.dma_wait)) } }
                    @if any_spikes { td { @if let Some(spikes) = phase.spikes { (mean(spikes)) } } }
                } } }
            } }
            p.sub {
                @if profile.steps > 0 { "Means over samples. " }
                "A cycle is that of an instruction, or lost: before it, or because of it. Spikes are those that came about in an \
                 update, and those that passed through a projection."
            }
        }
    }
}

/// Parts of a bar, each with the number of cycles before it.
fn stacked(parts: Vec<(String, String, u64)>) -> impl Iterator<Item = (u64, (String, String, u64))> {
    parts.into_iter().scan(0u64, |sum, part| {
        let from = *sum;
        *sum = sum.saturating_add(part.2);
        Some((from, part))
    })
}

fn phase_bars(profile: &Profile, ran: &[&Phase], parts: &Parts) -> Markup {
    let mut shown: Vec<&Phase> = ran.to_vec();
    shown.sort_by_key(|phase| u64::MAX - phase.cost.cycles);
    shown.truncate(MOST_BARS);
    // The order of the code is the order of a step.
    let shown: Vec<&&Phase> =
        ran.iter().filter(|phase| shown.iter().any(|other| std::ptr::eq(*other, **phase))).collect();
    let most = shown.iter().map(|phase| phase.cost.cycles).max().unwrap_or(1);
    let x = Scale::new(0.0, most as f64, NAMES, WIDTH - NUMBERS);
    let (row, bar) = (32.0, 20.0);
    let body = html! {
        @for (index, phase) in shown.iter().enumerate() {
            @let top = row * index as f64 + 4.0;
            (name_left(&phase_label(phase), top + bar / 2.0))
            @for (from, (class, name, cycles)) in stacked(parts.split(&phase.cost)) {
                @if cycles > 0 {
                    @let title = format!("{name}: {} cycles", amount(profile.per_sample(cycles)));
                    (segment(&x, from, cycles, top, bar, &class, &title))
                }
            }
            @if phase.dma_wait > 0 {
                line.wait x1=(at(NAMES)) x2=(at(x.at(phase.dma_wait as f64))) y1=(at(top + bar + 3.5)) y2=(at(top + bar + 3.5)) {
                    title { (format!("waiting for DRAM: {} cycles", amount(profile.per_sample(phase.dma_wait)))) }
                }
            }
            text.soft x=(at(x.at(phase.cost.cycles as f64) + 8.0)) y=(at(top + bar / 2.0 + 4.0)) {
                (amount(profile.per_sample(phase.cost.cycles))) " · "
                (format!("{:.1} %", percent(phase.cost.cycles, profile.cost.cycles)))
            }
        }
    };
    let description = format!("{} phases; the longest bar is {} cycles.", shown.len(), grouped(most));
    let caption = html! {
        "Cycles of each phase" @if profile.steps > 0 { " per sample" } ", and what they were."
        @if shown.len() < ran.len() { " The " (shown.len()) " longest of " (ran.len()) " phases." }
    };
    picture(row * shown.len() as f64 + 4.0, "Cycles by phase", &description, body, caption)
}

/// A name that ends where the bars begin.
fn name_left(name: &str, middle: f64) -> Markup {
    html! {
        text x=(at(NAMES - 10.0)) y=(at(middle + 4.0)) text-anchor="end" { title { (name) } (shortened(name)) }
    }
}

fn segment(x: &Scale, from: u64, length: u64, top: f64, height: f64, class: &str, title: &str) -> Markup {
    let (left, right) = (x.at(from as f64), x.at(from as f64 + length as f64));
    html! {
        rect class=(class) x=(at(left)) y=(at(top)) width=(at((right - left).max(0.1))) height=(at(height)) { title { (title) } }
    }
}

fn spikes(profile: &Profile) -> Markup {
    let populations = &profile.populations;
    if populations.is_empty() {
        return html! {};
    }
    let label = |index: usize| match &populations[index].event {
        Some(event) => format!("{} · {event}", populations[index].population),
        None => format!("{} · input", populations[index].population),
    };
    let shown = populations.len().min(MOST_BARS);
    let rate = |index: usize| {
        let one = &populations[index];
        let steps = profile.samples as f64 * f64::from(profile.steps) * f64::from(one.neurons);
        one.spikes.map(|spikes| spikes as f64 / steps.max(1.0))
    };
    let most = populations.iter().take(shown).filter_map(|one| one.spikes).max().unwrap_or(1).max(1);
    let x = Scale::new(0.0, most as f64, NAMES, WIDTH - NUMBERS);
    let (row, bar) = (28.0, 18.0);
    let body = html! {
        @for (index, one) in populations.iter().take(shown).enumerate() {
            @let top = row * index as f64 + 4.0;
            (name_left(&label(index), top + bar / 2.0))
            @match one.spikes {
                Some(spikes) => {
                    @let class = if one.event.is_some() { "f0" } else { "f8" };
                    (segment(&x, 0, spikes, top, bar, class, &format!("{} spikes in all", grouped(spikes))))
                    text.soft x=(at(x.at(spikes as f64) + 8.0)) y=(at(top + bar / 2.0 + 4.0)) { (amount(profile.per_sample(spikes))) }
                }
                None => { text.soft x=(at(NAMES + 2.0)) y=(at(top + bar / 2.0 + 4.0)) { "not seen" } }
            }
        }
    };
    let hertz = profile.time_step_ms.is_some();
    html! {
        section {
            h2 { "Spikes" }
            (picture(
                row * shown as f64 + 4.0,
                "Spikes by population",
                &format!("{shown} inputs and populations; the longest bar is {} spikes in all.", grouped(most)),
                body,
                html! { "Spikes per sample: of inputs grey, of populations blue." },
            ))
            div.wide { table {
                thead { tr {
                    th.text scope="col" { "population" } th scope="col" { "neurons" } th scope="col" { "spikes" }
                    th scope="col" { "per sample" } th scope="col" { "per neuron and step" }
                    @if hertz { th scope="col" { "Hz" } }
                } }
                tbody { @for (index, one) in populations.iter().enumerate() { tr {
                    th scope="row" { (label(index)) }
                    td { (grouped(one.neurons.into())) }
                    td { (known(one.spikes.map(grouped))) }
                    td { (known(one.spikes.map(|spikes| amount(profile.per_sample(spikes))))) }
                    td { (known(rate(index).map(|rate| format!("{rate:.5}")))) }
                    @if let Some(ms) = profile.time_step_ms { td { (known(rate(index).map(|rate| short(1000.0 * rate / ms)))) } }
                } } }
            } }
        }
    }
}

fn synapses(profile: &Profile) -> Markup {
    let rows = &profile.rows;
    if rows.is_empty() {
        return html! {};
    }
    let label = |index: usize| {
        let names: Vec<&str> = rows[index].projections.iter().map(|one| one.projection.as_str()).collect();
        names.join(" + ")
    };
    let shown = rows.len().min(MOST_BARS);
    let most = rows.iter().take(shown).filter_map(|rows| rows.lanes.max(rows.effective)).max().unwrap_or(1).max(1);
    let x = Scale::new(0.0, most as f64, NAMES, WIDTH - NUMBERS);
    let (row, bar) = (28.0, 18.0);
    let body = html! {
        @for (index, rows) in rows.iter().take(shown).enumerate() {
            @let top = row * index as f64 + 4.0;
            (name_left(&label(index), top + bar / 2.0))
            @match (rows.effective, rows.lanes) {
                (Some(effective), Some(lanes)) => {
                    (segment(&x, 0, lanes, top, bar, "pad", &format!("{} lanes in all", grouped(lanes))))
                    (segment(&x, 0, effective, top, bar, "f0", &format!("{} operations in all", grouped(effective))))
                    text.soft x=(at(x.at(lanes.max(effective) as f64) + 8.0)) y=(at(top + bar / 2.0 + 4.0)) {
                        (amount(profile.per_sample(effective))) " · " (format!("{:.1} %", percent(effective, lanes)))
                    }
                }
                _ => { text.soft x=(at(NAMES + 2.0)) y=(at(top + bar / 2.0 + 4.0)) { "spikes not seen" } }
            }
        }
    };
    let mean = |total: Option<u64>| known(total.map(|total| amount(profile.per_sample(total))));
    html! {
        section {
            h2 { "Synaptic operations" }
            ul.legend {
                li { span.f0 {} "real: an addition of a weight that is not 0" }
                li { span.pad {} "padded: a lane that is spent and adds nothing" }
            }
            (picture(
                row * shown as f64 + 4.0,
                "Synaptic operations by projection",
                &format!("{shown} kinds of rows; the longest bar is {} lanes in all.", grouped(most)),
                body,
                html! { "Lanes of the vector unit that additions of weights take, per sample; the share is that of real operations." },
            ))
            div.wide { table {
                thead { tr {
                    th.text scope="col" { "projection" } th.text scope="col" { "from" } th.text scope="col" { "to" } th scope="col" { "weights" }
                    th scope="col" { "of those 0" } th scope="col" { "spikes" } th scope="col" { "real" } th scope="col" { "lanes" }
                    th scope="col" { "dense" }
                } }
                @for rows in rows { tbody { @for (index, one) in rows.projections.iter().enumerate() { tr {
                    th scope="row" { (one.projection) }
                    td.text { (rows.source) @if rows.delay > 0 || rows.delays > 1 { (later(rows.delay, rows.delays)) } }
                    td.text { (one.target) }
                    td { (grouped(one.weights)) }
                    td { (grouped(one.weights.saturating_sub(one.nonzero))) }
                    td { (mean(rows.spikes)) }
                    td { (mean(one.effective)) }
                    @if index == 0 { td rowspan=(rows.projections.len()) { (mean(rows.lanes)) } }
                    td { (amount(profile.per_sample(one.dense))) }
                } } } }
            } }
            p.sub { "Means over samples. Projections that share rows share lanes." }
        }
    }
}

/// When rows are added, in words.
fn later(delay: u32, delays: u32) -> String {
    let s = if delay == 1 { "" } else { "s" };
    match delays {
        1 => format!(" ({delay} step{s} later)"),
        _ => format!(" ({delays} delays from {delay} step{s} on)"),
    }
}

fn neurobench(profile: &Profile) -> Markup {
    let Some(metrics) = &profile.neurobench else { return html! {} };
    let mean = |total: u64| {
        let mean = profile.per_sample(total);
        let text = if mean.fract() == 0.0 { grouped(mean as u64) } else { format!("{mean:.2}") };
        if mean.fract() != 0.0 && mean >= 1000.0 {
            let whole = grouped(mean.trunc() as u64);
            let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
            return format!("{whole}.{fraction}");
        }
        text
    };
    let row = |name: &str, value: String, says: &str| {
        html! { tr { th scope="row" { (name) } td { (value) } td.say { (says) } } }
    };
    let bytes = [
        ("weights", metrics.footprint_weights),
        ("lists of synapses", metrics.footprint_connections),
        ("parameters", metrics.footprint_parameters),
        ("state", metrics.footprint_state),
        ("spikes", metrics.footprint_spikes),
        ("code", metrics.footprint_code),
    ];
    let bytes: Vec<String> = bytes
        .iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(name, bytes)| format!("{name} {}", grouped(*bytes)))
        .collect();
    html! {
        section {
            h2 { "NeuroBench" }
            div.wide { table {
                thead { tr { th.text scope="col" { "metric" } th scope="col" { "value" } th.say scope="col" { "definition" } } }
                tbody {
                    @if let Some(accuracy) = &profile.accuracy {
                        (row("Accuracy", format!("{:.2} %", 100.0 * accuracy.share()), "Samples whose class is their label."))
                    }
                    (row("Footprint", format!("{} B", grouped(metrics.footprint)),
                        &format!("Bytes of everything the network is made of, zero weights included: {}.", bytes.join(", "))))
                    (row("Connection sparsity", format!("{:.6}", metrics.connection_sparsity),
                        &format!("Weights that are 0, of all: {} of {}.", grouped(metrics.zero_weights), grouped(metrics.weights))))
                    @if let (Some(given), Some(vanished)) = (metrics.connection_sparsity_given, metrics.vanished_weights) {
                        (row("Connection sparsity, as given", format!("{given:.6}"),
                            &format!("The same before the weights were rounded to 16 bits, which made {} of them 0.", grouped(vanished))))
                    }
                    (row("Activation sparsity", known(metrics.activation_sparsity.map(|share| format!("{share:.6}"))),
                        "Outputs without a spike, of all: over neurons that can spike, steps and samples."))
                    (row("Synaptic operations, dense", mean(metrics.dense),
                        "Per sample: every weight in every step, as if all weights and inputs were 1. Biases do not count."))
                    (row("Synaptic operations, effective ACs", known(metrics.effective_acs.map(mean)),
                        "Per sample: a spike and a weight that is not 0."))
                    (row("Synaptic operations, effective MACs", mean(metrics.effective_macs),
                        "Per sample: an input that is no spike and a weight that is not 0. There are no such inputs."))
                    (row("Membrane updates", mean(metrics.membrane_updates), "Per sample: neurons whose state was computed, in every step."))
                    (row("Model execution rate", known(metrics.execution_rate_hz.map(|rate| format!("{} Hz", short(rate)))),
                        "Samples per second that the task asks for, as it was given."))
                    (row("Lanes spent on synaptic operations", known(metrics.lanes.map(mean)),
                        "Not NeuroBench's: per sample, what the hardware does for the effective operations."))
                }
            } }
        }
    }
}

fn machine(profile: &Profile) -> Markup {
    let mut classes: Vec<(&String, &u64)> = profile.classes.iter().collect();
    classes.sort_by_key(|(_, count)| u64::MAX - **count);
    let mut causes: Vec<(&String, &u64)> = profile.cost.stalls.iter().collect();
    causes.sort_by_key(|(_, cycles)| u64::MAX - **cycles);
    let mean = |total: u64| amount(profile.per_sample(total));
    html! {
        section {
            h2 { "Machine" }
            h3 { "Memories" }
            table {
                thead { tr { th.text scope="col" { "memory" } th scope="col" { "used" } th scope="col" { "of" } th scope="col" { "share" } } }
                tbody { @for memory in &profile.memories { tr {
                    th scope="row" { (memory.memory) } td { (grouped(memory.used)) " B" } td { (grouped(memory.available)) " B" }
                    td { (format!("{:.1} %", percent(memory.used, memory.available))) }
                } } }
            }
            h3 { "Lost cycles" }
            table {
                thead { tr { th.text scope="col" { "cause" } th scope="col" { "cycles" } th scope="col" { "of all cycles" } } }
                tbody { @for (cause, cycles) in causes { tr {
                    th scope="row" { (cause) } td { (mean(*cycles)) } td { (format!("{:.2} %", percent(*cycles, profile.cost.cycles))) }
                } } }
            }
            h3 { "Instructions" }
            table {
                thead { tr { th.text scope="col" { "class" } th scope="col" { "instructions" } th scope="col" { "share" } } }
                tbody { @for (class, count) in classes { tr {
                    th scope="row" { (class) } td { (mean(*count)) } td { (format!("{:.1} %", percent(*count, profile.cost.instructions))) }
                } } }
            }
        }
    }
}

/// A piece of a listing: from a label to the next one.
struct Piece<'a> {
    name: &'a str,
    lines: &'a [Line],
    cycles: u64,
}

fn pieces(listing: &Listing) -> Vec<Piece<'_>> {
    let is_label = |line: &Line| line.place.is_empty() && !line.code;
    let mut starts: Vec<usize> = (0..listing.lines.len()).filter(|at| is_label(&listing.lines[*at])).collect();
    if starts.first() != Some(&0) {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([listing.lines.len()]);
    let piece = |(start, end): (usize, usize)| {
        let lines = &listing.lines[start..end];
        let labelled = lines.first().filter(|line| is_label(line));
        let (name, lines) = match labelled {
            Some(label) => (label.text.trim_end_matches(':'), &lines[1..]),
            None => (listing.name.as_str(), lines),
        };
        let cycles = lines.iter().map(|line| line.cycles).fold(0, u64::saturating_add);
        Piece { name, lines, cycles }
    };
    starts.iter().copied().zip(ends).map(piece).filter(|piece| !piece.lines.is_empty()).collect()
}

fn heat(profile: &Profile) -> Markup {
    let most = profile.listings.iter().flat_map(|listing| &listing.lines).map(|line| line.cycles).max().unwrap_or(0);
    html! {
        @if !profile.listings.is_empty() {
            section {
                h2 { "Heat map" }
                p.sub {
                    "Where the cycles went, all samples together: the darker a line, the more. A line's cycles are those of its \
                     instructions, what they waited for, and what they kept others from. A click on a part opens it."
                }
                @for listing in &profile.listings {
                    h3 { (listing.name) }
                    @let pieces = pieces(listing);
                    @let hottest = hottest(&pieces);
                    @for piece in &pieces {
                        details open[piece.cycles > 0 && hottest.contains(&piece.cycles)] {
                            summary {
                                span.label { (piece.name) }
                                span.num { (grouped(piece.cycles)) }
                                span.num { (format!("{:.1} %", percent(piece.cycles, profile.cost.cycles))) }
                                span.meter { span style=(format!("width: {:.1}%", percent(piece.cycles, profile.cost.cycles))) {} }
                            }
                            div.wide { table.source {
                                thead { tr {
                                    th scope="col" { "executions" } th scope="col" { "cycles" } th scope="col" { "%" }
                                    th scope="col" { "lost" } th.text scope="col" { "mostly" } th scope="col" { "" } th.text scope="col" { "" }
                                } }
                                tbody { @for line in piece.lines { (source_line(line, most, profile)) } }
                            } }
                        }
                    }
                }
            }
        }
    }
}

/// The cycles of the pieces that have most.
fn hottest(pieces: &[Piece<'_>]) -> Vec<u64> {
    let mut cycles: Vec<u64> = pieces.iter().map(|piece| piece.cycles).collect();
    cycles.sort_unstable_by(|a, b| b.cmp(a));
    cycles.truncate(OPEN);
    cycles
}

fn source_line(line: &Line, most: u64, profile: &Profile) -> Markup {
    let heat = format!("h{}", level(line.cycles, most));
    let class = if line.code && line.cycles > 0 { heat.as_str() } else { "cold" };
    html! {
        tr class=(class) {
            @if line.code {
                td { (grouped(line.executions)) }
                td { (grouped(line.cycles)) }
                td { (format!("{:.2}", percent(line.cycles, profile.cost.cycles))) }
                td { @if line.stalls > 0 { (grouped(line.stalls)) } }
                td.text { @if let Some(cause) = line.cause.as_ref().filter(|_| line.stalls > 0) { (cause) } }
            } @else {
                td {} td {} td {} td {} td {}
            }
            td.place { (line.place) }
            td.code { (line.text) }
        }
    }
}

/// The figures that matter most, from one profile to the other.
fn main_changes(comparison: &Comparison) -> Markup {
    const MAIN: [&str; 6] = [
        "accuracy",
        "cycles per sample",
        "instructions per sample",
        "all lost cycles per sample",
        "effective synaptic operations per sample",
        "share of lanes that add something",
    ];
    let find = |name: &str| comparison.changes.iter().find(|change| change.name == name);
    let main: BTreeMap<usize, &Change> =
        MAIN.iter().enumerate().filter_map(|(at, name)| Some((at, find(name)?))).collect();
    html! {
        section.tiles aria-label="Main figures" {
            @for change in main.values() {
                div.tile {
                    p.figure { (said(change)) }
                    p.name { (change.name) }
                    p.note { (number(change.before, change.unit)) span.arrow { " → " } (number(change.after, change.unit)) }
                }
            }
        }
    }
}

fn number(number: Option<f64>, unit: &str) -> String {
    let Some(number) = number else { return "–".to_owned() };
    let text = if (number > 0.0 && number < 1.0) || unit == "%" { short(number) } else { amount(number) };
    if unit.is_empty() { text } else { format!("{text} {unit}") }
}

/// The change in percent, with a word for what it means.
fn said(change: &Change) -> Markup {
    let percent = change.percent.map(|percent| {
        let sign = if percent > 0.0 { "+" } else { "" };
        format!("{sign}{} %", short((percent * 100.0).round() / 100.0))
    });
    let percent = match (&percent, change.before, change.after) {
        (Some(percent), ..) => percent.as_str(),
        (None, None, _) => "new",
        (None, _, None) => "gone",
        (None, ..) => "from 0",
    };
    html! {
        @match change.verdict {
            Verdict::Worse => { span.worse { (percent) } }
            Verdict::Better => { span.better { (percent) } }
            Verdict::Different | Verdict::Same => { (percent) }
        }
    }
}

fn changes(comparison: &Comparison, verdict: Verdict, title: &str) -> Markup {
    let changes: Vec<&Change> = comparison.of(verdict).collect();
    let most = changes.iter().filter_map(|change| change.percent).map(f64::abs).fold(0.0, f64::max);
    let table = html! {
        div.wide { table {
            thead { tr {
                th.text scope="col" { "figure" } th.text scope="col" { "of" } th scope="col" { "before" } th scope="col" { "after" }
                @if verdict != Verdict::Same { th scope="col" { "change" } th scope="col" {} }
            } }
            tbody { @for change in &changes { tr {
                th scope="row" { (change.name) } td.text { (change.group) }
                td { (number(change.before, change.unit)) } td { (number(change.after, change.unit)) }
                @if verdict != Verdict::Same {
                    td { (said(change)) }
                    td.change { (bar(change, most)) }
                }
            } } }
        } }
    };
    html! {
        section {
            h2 { (title) " " span.arrow { "(" (changes.len()) ")" } }
            @if changes.is_empty() {
                p.sub { "Nothing." }
            } @else if verdict == Verdict::Same {
                details { summary { span.label { (changes.len()) " figures" } } (table) }
            } @else {
                (table)
            }
        }
    }
}

/// The change as a bar to the left or to the right of a line.
fn bar(change: &Change, most: f64) -> Markup {
    let Some(percent) = change.percent.filter(|percent| *percent != 0.0 && most > 0.0) else { return html! {} };
    let length = (percent.abs() / most * 98.0).max(1.0);
    let left = if percent < 0.0 { 100.0 - length } else { 100.0 };
    let class = match change.verdict {
        Verdict::Worse => "up",
        Verdict::Better => "down",
        Verdict::Different | Verdict::Same => "other",
    };
    let title = format!("{} by {} %", change.name, short(percent));
    html! {
        svg role="img" viewBox="0 0 200 14" preserveAspectRatio="none" {
            title { (title) }
            rect class=(class) x=(at(left)) y="2" width=(at(length)) height="10" {}
            line.zero x1="100" x2="100" y1="0" y2="14" {}
        }
    }
}
