//! A page about an evaluation, for people.
//!
//! Contract: one HTML file that needs nothing else: no script, no font, no picture, no address is loaded, and its own
//! content policy forbids it. Every name that comes from a program is escaped. Figures are SVG with a title and a
//! description, and are readable on light and dark screens and without colour. The page is a pure function of the
//! [`Evaluation`].
//!
//! Not here: the numbers' meaning (see [`crate::evaluate`]), and plain text and JSON (see [`crate::summary`]).

use fenn_isa::fixed::Format;
use fenn_isa::image::manifest::{Data, Encoding, InputSpikes, Manifest, PhaseKind, Readout, StatePolicy, Window};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::evaluate::{Capture, Evaluation, Spread};
use crate::session::array::Array;
use svg::{grouped, short};

mod bars;
mod confusion;
mod raster;
mod style;
pub mod svg;
mod traces;

/// Everything is refused but the style in the page itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The page.
pub fn html(evaluation: &Evaluation) -> String {
    let Manifest { name, generator, steps, time_step_ms, .. } = &evaluation.manifest;
    let time_step = time_step_ms.map_or(String::new(), |ms| format!(" of {} ms", short(ms)));
    let sub = html! {
        (counted(evaluation.samples.len(), "sample")) ", " (counted(*steps as usize, "step")) (time_step)
        " each, on the " (evaluation.device) "; program made by " (generator) "."
    };
    let body = html! {
        (tiles(evaluation))
        (results(evaluation))
        @if let Some(capture) = &evaluation.capture { (sample(&evaluation.manifest, capture)) }
        (figures(evaluation))
        (phases(evaluation))
        (network(&evaluation.manifest))
    };
    page("FeNN report", name, &sub, &body)
}

/// A page of the house: what kind it is, its name, what it is about in a line or two, and what it has to say.
pub fn page(kind: &str, name: &str, about: &Markup, body: &Markup) -> String {
    styled_page(kind, name, about, body, "")
}

/// A [`page`] with styles of its own besides.
pub(crate) fn styled_page(kind: &str, name: &str, about: &Markup, body: &Markup, styles: &str) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (name) " – " (kind) }
                style { (PreEscaped(style::CSS)) (PreEscaped(styles)) }
            }
            body {
                header {
                    p.kicker { (kind) }
                    h1 { (name) }
                    p.sub { (about) }
                }
                main { (body) }
            }
        }
    };
    page.into_string()
}

/// A figure that matters, with its name and a note.
pub fn tile(figure: &str, name: &str, note: &str) -> Markup {
    html! { div.tile { p.figure { (figure) } p.name { (name) } p.note { (note) } } }
}

/// The figures that matter most.
fn tiles(evaluation: &Evaluation) -> Markup {
    let tile = |figure: String, name: &str, note: String| tile(&figure, name, &note);
    let Evaluation { score, instructions, jobs, wall, .. } = evaluation;
    let range = |spread: &Spread| match spread {
        Spread { min, max, .. } if min == max => "always the same".to_owned(),
        Spread { min, max, .. } => format!("{} to {}", grouped(*min), grouped(*max)),
    };
    let per_sample = grouped(instructions.mean().round() as u64);
    html! {
        section.tiles aria-label="Main figures" {
            @if let Some(score) = score {
                @let of = format!("{} of {}", grouped(score.correct as u64), grouped(score.samples as u64));
                (tile(format!("{:.2} %", 100.0 * score.accuracy()), "accuracy", of))
            }
            (tile(per_sample, "instructions per sample", range(instructions)))
            (tile(grouped(evaluation.cycles.mean().round() as u64), "cycles per sample", range(&evaluation.cycles)))
            (tile(
                format!("{:.1}", evaluation.mips()),
                "million instructions per second",
                format!("{} s on {}", short(wall.as_secs_f64()), counted(*jobs, "device")),
            ))
        }
    }
}

/// All samples together.
fn results(evaluation: &Evaluation) -> Markup {
    let counts = evaluation.samples.iter().map(|sample| sample.finished.instructions);
    html! {
        section {
            h2 { "All samples" }
            @if let Some(score) = &evaluation.score {
                h3 { "Confusion matrix" }
                (confusion::figure(score))
            }
            h3 { "Instructions per sample" }
            (bars::histogram(counts.collect(), evaluation.instructions))
        }
    }
}

/// The sample that was looked at.
fn sample(manifest: &Manifest, capture: &Capture) -> Markup {
    let label = capture.label.map_or("no label is known".to_owned(), |label| format!("its label is {label}"));
    let right = match capture.label {
        Some(label) if label == capture.class => " ✓",
        Some(_) => " ✗",
        None => "",
    };
    html! {
        section {
            h2 { "Sample " (capture.sample) }
            p { "It was given class " strong { (capture.class) } "; " (label) (right) "." }
            h3 { "Spikes" }
            (raster::figure(manifest, capture))
            @for (recording, array) in manifest.recordings.iter().zip(&capture.recordings) {
                @if let Array::Values(values) = array {
                    h3 { (recording.population) " · " (recording.name) }
                    @let chosen = manifest.outputs.first().filter(|output| output.data == recording.data).map(|_| capture.class);
                    (traces::figure(&format!("{} of {}", recording.name, recording.population), values, manifest, recording.window, chosen))
                }
            }
            @for (index, (output, array)) in manifest.outputs.iter().zip(&capture.outputs).enumerate() {
                @let shown = manifest.recordings.iter().any(|recording| recording.data == output.data);
                @if let (Array::Values(values), false) = (array, shown || output_is_state(&output.data)) {
                    h3 { "Output " (output.name) ", step by step" }
                    (traces::figure(&format!("output {}", output.name), values, manifest, Window::WHOLE, (index == 0).then_some(capture.class)))
                }
                h3 { "Output " (output.name) ", " (readout_name(output.readout)) }
                (bars::output(&output.name, &capture.scores[index], (index == 0).then_some(capture)))
            }
        }
    }
}

/// Whether only one step is kept, so that there is nothing to draw against time.
fn output_is_state(data: &Data) -> bool {
    !matches!(data, Data::Spikes(_)) && data.steps() == 1
}

/// So many of what `one` is one of.
fn counted(count: usize, one: &str) -> String {
    format!("{} {one}{}", grouped(count as u64), if count == 1 { "" } else { "s" })
}

fn readout_name(readout: Readout) -> &'static str {
    match readout {
        Readout::Last => "value in the last step",
        Readout::Mean => "mean over the steps",
        Readout::Max => "greatest value of all steps",
        Readout::Count => "number of spikes",
    }
}

/// The table of figures.
fn figures(evaluation: &Evaluation) -> Markup {
    let Evaluation { manifest, device, samples, score, instructions, cycles, jobs, wall, .. } = evaluation;
    let spread_row = |name: &str, spread: &Spread| {
        html! {
            tr {
                th scope="row" { (name) }
                td { (format!("{:.1}", spread.mean())) } td { (grouped(spread.min)) } td { (grouped(spread.max)) }
                td { (grouped(spread.total)) }
            }
        }
    };
    let row = |name: &str, value: String| html! { tr { th scope="row" { (name) } td colspan="4" { (value) } } };
    let state = match manifest.state {
        StatePolicy::Reset => "reset before each sample",
        StatePolicy::Carried => "carried from sample to sample",
    };
    html! {
        section {
            h2 { "Figures" }
            table {
                thead { tr { th {} th scope="col" { "mean" } th scope="col" { "least" } th scope="col" { "most" } th scope="col" { "all" } } }
                tbody {
                    (spread_row("instructions per sample", instructions))
                    (spread_row("cycles per sample", cycles))
                    (row("samples", grouped(samples.len() as u64)))
                    @if let Some(score) = score {
                        (row("correct", format!("{} ({:.2} %)", grouped(score.correct as u64), 100.0 * score.accuracy())))
                    }
                    (row("steps per sample", manifest.steps.to_string()))
                    (row("samples per launch", evaluation.batch.to_string()))
                    (row("state", state.to_owned()))
                    (row("seed", manifest.seed.map_or("none: nothing is random".to_owned(), |seed| seed.to_string())))
                    (row("program", manifest.name.clone()))
                    (row("made by", manifest.generator.clone()))
                    (row("device", format!("{device}, {jobs} in use")))
                    (row("time", format!("{:.3} s, {:.1} MIPS", wall.as_secs_f64(), evaluation.mips())))
                }
            }
        }
    }
}

/// What the program says of its network.
fn network(manifest: &Manifest) -> Markup {
    let ends = |format: Format| format!("{} … {}", short(format.to_f64(i16::MIN)), short(format.to_f64(i16::MAX)));
    html! {
        section {
            h2 { "Network" }
            h3 { "Inputs and outputs" }
            table {
                thead { tr { th scope="col" { "name" } th scope="col" { "neurons" } th.text scope="col" { "how" } } }
                tbody {
                    @for input in &manifest.inputs {
                        tr { th scope="row" { (input.name) } td { (grouped(input.neurons.into())) } td.text { (encoding(&input.encoding)) (form(&input.spikes, manifest.steps)) } }
                    }
                    @for output in &manifest.outputs {
                        tr { th scope="row" { (output.name) } td { (grouped(output.neurons.into())) } td.text { "output: " (readout_name(output.readout)) } }
                    }
                }
            }
            h3 { "Number formats" }
            table {
                thead {
                    tr {
                        th scope="col" { "population" } th scope="col" { "neurons" } th.text scope="col" { "variable" }
                        th.text scope="col" { "format" } th scope="col" { "range" } th scope="col" { "resolution" }
                    }
                }
                @for population in &manifest.populations {
                    tbody {
                        @for (index, variable) in population.variables.iter().enumerate() {
                            tr {
                                @if index == 0 {
                                    th scope="rowgroup" rowspan=(population.variables.len()) { (population.name) }
                                    td rowspan=(population.variables.len()) { (grouped(population.neurons.into())) }
                                }
                                td.text { (variable.name) } td.text { (variable.format) }
                                td { (ends(variable.format)) } td { (short(variable.format.resolution())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where the program says that its time goes.
fn phases(evaluation: &Evaluation) -> Markup {
    let samples = evaluation.samples.len().max(1) as f64;
    let cycles = evaluation.counted_cycles().max(1) as f64;
    let rest = evaluation.cycles.total.saturating_sub(evaluation.counted_cycles()) as f64 / samples;
    html! {
        @if !evaluation.phases.is_empty() {
            section {
                h2 { "Phases" }
                table {
                    thead {
                        tr {
                            th.text scope="col" { "phase" } th scope="col" { "instructions per sample" }
                            th scope="col" { "cycles per sample" } th scope="col" { "cycles per visit" } th scope="col" { "share" }
                        }
                    }
                    tbody {
                        @for cost in &evaluation.phases {
                            tr {
                                th.text scope="row" { (phase_name(cost.phase.kind)) " " (cost.phase.name) }
                                td { (format!("{:.1}", cost.count.instructions as f64 / samples)) }
                                td { (format!("{:.1}", cost.count.cycles as f64 / samples)) }
                                td { (format!("{:.1}", cost.count.cycles as f64 / cost.visits.max(1) as f64)) }
                                td { (format!("{:.1} %", 100.0 * cost.count.cycles as f64 / cycles)) }
                            }
                        }
                    }
                }
                p {
                    "Counted by the program itself, without the " (format!("{rest:.1}")) " cycles per sample that counting and "
                    "what is around the phases take."
                }
            }
        }
    }
}

/// A kind of phase in a word or two.
pub(crate) fn phase_name(kind: PhaseKind) -> &'static str {
    match kind {
        PhaseKind::Nothing => "nothing",
        PhaseKind::Reset => "reset",
        PhaseKind::Propagate => "propagate",
        PhaseKind::Update => "update",
        PhaseKind::Record => "record",
        PhaseKind::Finish => "finish",
    }
}

/// In which form an input is handed over.
fn form(spikes: &InputSpikes, steps: u32) -> String {
    match spikes {
        InputSpikes::Bits(_) => "; handed over as bits".to_owned(),
        InputSpikes::List(list) => format!("; handed over as a list of at most {} spikes", list.capacity(steps)),
    }
}

fn encoding(encoding: &Encoding) -> String {
    match encoding {
        Encoding::Spikes => "input: spikes as they are".to_owned(),
        Encoding::Latency { tau, threshold } => format!(
            "input: one spike per neuron in step {} · ln(p / (p − {})), if p > {}",
            short(*tau),
            short(*threshold),
            short(*threshold)
        ),
    }
}
