//! The profile and the heat map as a page.
//!
//! Contract: one HTML file that needs nothing else: no script, no font, no picture, no address is loaded, and its own
//! content policy forbids it. Everything that comes from a program or its source is escaped. Colour repeats what a number
//! says, and reads on light and dark screens.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::cost::{Cost, stalls_text};
use super::heatmap::{Heatmap, Row};
use super::profile::{Report, percent};

/// Everything is refused but the style in the page itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
/// Lines of the table of lines; the heat map has all of them.
const HOTTEST: usize = 20;
/// Levels of heat.
const LEVELS: u64 = 10;

const CSS: &str = r"
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d2430; --soft: #5c6675; --rule: #dfe2e6; --accent: #2563a8; --heat: 226, 88, 34;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171c; --card: #1b2027; --ink: #e6e9ee; --soft: #9aa5b4; --rule: #323a45; --accent: #6ea8e8; --heat: 240, 110, 50; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif; }
header, main { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
main { padding-bottom: 4rem; }
.kicker { margin: 0; color: var(--accent); font-size: .8rem; font-weight: 600; letter-spacing: .08em; text-transform: uppercase; }
h1 { margin: .1rem 0 .3rem; font-size: 2.1rem; line-height: 1.15; overflow-wrap: anywhere; }
h2 { margin: 2.75rem 0 .8rem; padding-top: 1rem; border-top: 1px solid var(--rule); font-size: 1.35rem; overflow-wrap: anywhere; }
.sub { margin: 0; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin-top: 1.6rem; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: .6rem; padding: .8rem 1rem .9rem; }
.tile p { margin: 0; }
.figure { font-size: 1.75rem; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: .6rem; padding: .4rem .8rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem 1.2rem .25rem 0; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--soft); font-weight: 500; }
.text { text-align: left; }
td.stalls { color: var(--soft); white-space: normal; }
.source { font: 13px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.source th, .source td { padding: 0 .9rem 0 .3rem; border-bottom: 0; }
.source td.code { text-align: left; white-space: pre; width: 100%; border-left: 1px solid var(--rule); padding-left: .7rem; }
.source .place, .source tr.cold td { color: var(--soft); }
.source tr.never td.code { color: var(--soft); text-decoration: underline dotted; text-underline-offset: 3px; }
";

/// The page; the source is below the tables where `heatmap` is given.
pub(super) fn html(title: &str, report: &Report, heatmap: Option<&Heatmap>) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) " – FeNN profile" }
                style { (PreEscaped(CSS)) (PreEscaped(levels())) }
            }
            body {
                header {
                    p.kicker { "FeNN profile" }
                    h1 { (title) }
                    p.sub { "A line's cycles are those of its instructions, what they waited for, and what they kept others from." }
                }
                main {
                    (tiles(&report.total))
                    (symbols(report))
                    @if heatmap.is_none() { (lines(report)) }
                    @if let Some(heatmap) = heatmap { (sources(heatmap, report)) }
                }
            }
        }
    };
    page.into_string()
}

/// A class for each level of heat.
fn levels() -> String {
    (1..=LEVELS)
        .map(|level| format!(".h{level} {{ background: rgba(var(--heat), {:.2}); }}\n", 0.06 * level as f64))
        .collect()
}

/// The level of a line that took so many cycles, where the hottest took `most`; equal steps of the square root, so that
/// warm lines are seen beside a hot one.
fn level(cycles: u64, most: u64) -> u64 {
    ((cycles as f64 / most as f64).sqrt() * LEVELS as f64).ceil() as u64
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn tiles(total: &Cost) -> Markup {
    let tile = |figure: String, name: &str| html! { div.tile { p.figure { (figure) } p { (name) } } };
    let worst =
        total.worst().map(|(cause, cycles)| format!("lost cycles, most to {} ({})", cause.name(), grouped(cycles)));
    html! {
        section.tiles aria-label="Main figures" {
            (tile(grouped(total.cycles), "cycles"))
            (tile(grouped(total.instructions), "instructions"))
            (tile(format!("{:.3}", total.cpi()), "cycles per instruction"))
            (tile(grouped(total.stalls.total()), worst.as_deref().unwrap_or("lost cycles")))
        }
    }
}

fn figures(cost: &Cost, total: &Cost) -> Markup {
    html! {
        td { (grouped(cost.cycles)) }
        td { (format!("{:.1}", percent(cost.cycles, total.cycles))) }
        td { (grouped(cost.instructions)) }
        td { (format!("{:.3}", cost.cpi())) }
    }
}

fn symbols(report: &Report) -> Markup {
    html! {
        h2 { "By symbol" }
        div.wide { table {
            thead { tr {
                th.text scope="col" { "symbol" } th scope="col" { "cycles" } th scope="col" { "%" }
                th scope="col" { "instructions" } th scope="col" { "CPI" } th scope="col" { "calls" }
                th.text scope="col" { "stalls" }
            } }
            tbody { @for row in &report.symbols { tr {
                th.text scope="row" { (row.name.as_deref().unwrap_or("(before the first symbol)")) }
                (figures(&row.cost, &report.total))
                td { (grouped(row.calls)) }
                td.text.stalls { (stalls_text(&row.cost.stalls)) }
            } } }
        } }
    }
}

fn lines(report: &Report) -> Markup {
    html! {
        @if !report.lines.is_empty() {
            h2 { "Hottest lines" }
            div.wide { table {
                thead { tr {
                    th.text scope="col" { "line" } th scope="col" { "cycles" } th scope="col" { "%" }
                    th scope="col" { "instructions" } th scope="col" { "CPI" } th scope="col" { "executions" }
                    th.text scope="col" { "stalls" }
                } }
                tbody { @for row in report.lines.iter().take(HOTTEST) { tr {
                    th.text scope="row" { (row.file) ":" (row.line) }
                    (figures(&row.cost, &report.total))
                    td { (grouped(row.executions)) }
                    td.text.stalls { (stalls_text(&row.cost.stalls)) }
                } } }
            } }
        }
    }
}

fn sources(heatmap: &Heatmap, report: &Report) -> Markup {
    let most = heatmap.most();
    html! {
        @for listing in &heatmap.listings {
            h2 { (listing.name) }
            div.wide { table.source {
                thead { tr {
                    th scope="col" { "executions" } th scope="col" { "cycles" } th scope="col" { "%" }
                    th scope="col" { "stalls" } th scope="col" { "line" } th.text scope="col" { "" }
                } }
                tbody { @for row in &listing.rows { (source_row(row, most, report)) } }
            } }
        }
    }
}

fn source_row(row: &Row, most: u64, report: &Report) -> Markup {
    let Row { place, text, executions, cost, has_code } = row;
    let heat = format!("h{}", level(cost.cycles, most));
    let class = match (*has_code, cost.cycles) {
        (false, _) => "cold",
        (true, 0) => "never",
        (true, _) => &heat,
    };
    html! {
        tr class=(class) title=[(cost.stalls.total() > 0).then(|| stalls_text(&cost.stalls))] {
            @if *has_code {
                td { (grouped(*executions)) }
                td { (grouped(cost.cycles)) }
                td { (format!("{:.2}", percent(cost.cycles, report.total.cycles))) }
                td { @if cost.stalls.total() > 0 { (grouped(cost.stalls.total())) } }
            } @else {
                td {} td {} td {} td {}
            }
            td.place { (place) }
            td.code { (text) }
        }
    }
}
