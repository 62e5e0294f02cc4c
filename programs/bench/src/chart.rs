//! Charts for the pages of programs: curves, bars and rasters, in the house's style.
//!
//! Contract: every function is pure, gives SVG with a title and a description, and draws nothing for numbers that are not
//! finite, or not positive on an axis of powers of ten.

use std::fmt::Write as _;

use fenn_host::report::svg::{LEFT, RIGHT, Scale, WIDTH, at, grouped, picture, short};
use maud::{Markup, html};

/// Colours there are; series beyond use them again.
const COLOURS: usize = 10;
const TOP: f64 = 18.0;
/// The most marks in a panel of a raster; more cannot be told apart and make a page slow.
const MOST_MARKS: usize = 40_000;
/// Rasters with less are drawn with thicker marks.
const FEW_MARKS: usize = 500;

/// How numbers are spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Evenly.
    Linear,
    /// By their powers of ten.
    Log,
}

/// An axis.
#[derive(Debug, Clone, Copy)]
pub struct Axis<'a> {
    /// What, and in which unit.
    pub name: &'a str,
    /// How.
    pub spread: Spread,
    /// Numbers that have to be on it, besides those of the series.
    pub with: &'a [f64],
}

impl<'a> Axis<'a> {
    /// Even numbers.
    pub fn linear(name: &'a str) -> Self {
        Self { name, spread: Spread::Linear, with: &[] }
    }

    /// Powers of ten.
    pub fn log(name: &'a str) -> Self {
        Self { name, spread: Spread::Log, with: &[] }
    }

    /// With these numbers on it.
    pub fn with(mut self, numbers: &'a [f64]) -> Self {
        self.with = numbers;
        self
    }

    fn map(&self, number: f64) -> Option<f64> {
        let mapped = match self.spread {
            Spread::Linear => number,
            Spread::Log => number.log10(),
        };
        mapped.is_finite().then_some(mapped)
    }

    fn scale(&self, numbers: impl Iterator<Item = f64>, from: f64, to: f64) -> Scale {
        let mapped = numbers.chain(self.with.iter().copied()).filter_map(|number| self.map(number));
        let (low, high) = mapped.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), n| (a.min(n), b.max(n)));
        if low > high { Scale::new(0.0, 1.0, from, to) } else { Scale::new(low, high, from, to) }
    }

    /// Where ticks are, in mapped numbers, with their texts.
    fn ticks(&self, scale: &Scale, count: usize) -> Vec<(f64, String)> {
        let ticks = scale.ticks(count);
        match self.spread {
            Spread::Linear => ticks.into_iter().map(|tick| (tick, short(tick))).collect(),
            Spread::Log if ticks.iter().filter(|tick| tick.fract() == 0.0).count() >= 2 => {
                let whole = ticks.into_iter().filter(|tick| tick.fract() == 0.0);
                whole.map(|tick| (tick, short(10f64.powf(tick)))).collect()
            }
            // Less than two powers of ten: round numbers between them.
            Spread::Log => {
                let round = (-12..12).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
                let (least, most) = scale.range();
                let inside = round.map(|number| (number.log10(), short(number)));
                inside.filter(|(tick, _)| (least..=most).contains(tick)).collect()
            }
        }
    }
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Joined points.
    Line,
    /// Joined by a broken line: what others published, or a reference.
    Dashed,
    /// Points alone.
    Dots,
}

/// Numbers that belong together.
#[derive(Debug, Clone)]
pub struct Series {
    /// What they are.
    pub name: String,
    /// As (x, y), in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
    /// How they are drawn.
    pub mark: Mark,
    /// Of which colour; series of one colour are about one thing.
    pub colour: usize,
}

impl Series {
    /// Joined points.
    pub fn line(name: impl Into<String>, colour: usize, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, mark: Mark::Line, colour }
    }

    /// The same, drawn in another way.
    pub fn marked(mut self, mark: Mark) -> Self {
        self.mark = mark;
        self
    }

    fn class(&self) -> String {
        format!("c{}", self.colour % COLOURS)
    }
}

/// What a colour means, above a figure.
fn legend(entries: impl Iterator<Item = (String, String)>) -> Markup {
    html! {
        ul.legend {
            @for (class, name) in entries {
                li { span class=(class) {} (name) }
            }
        }
    }
}

/// Curves over two axes.
pub fn curves(title: &str, x: Axis<'_>, y: Axis<'_>, series: &[Series], caption: &str) -> Markup {
    const BOTTOM: f64 = 300.0;
    let points = || series.iter().flat_map(|series| &series.points);
    let across = x.scale(points().map(|(x, _)| *x), LEFT, WIDTH - RIGHT);
    let up = y.scale(points().map(|(_, y)| *y), BOTTOM, TOP);
    let place = |(a, b): &(f64, f64)| Some((across.at(x.map(*a)?), up.at(y.map(*b)?)));
    let body = html! {
        @for (tick, text) in y.ticks(&up, 6) {
            line.grid x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(up.at(tick))) y2=(at(up.at(tick))) {}
            text.soft x=(at(LEFT - 8.0)) y=(at(up.at(tick) + 4.0)) text-anchor="end" { (text) }
        }
        @for (tick, text) in x.ticks(&across, 8) {
            line.grid x1=(at(across.at(tick))) x2=(at(across.at(tick))) y1=(at(TOP)) y2=(at(BOTTOM)) {}
            text.soft x=(at(across.at(tick))) y=(at(BOTTOM + 16.0)) text-anchor="middle" { (text) }
        }
        text.soft x=(at(WIDTH - RIGHT)) y=(at(BOTTOM + 34.0)) text-anchor="end" { (x.name) }
        text.soft x=(at(LEFT)) y=(at(TOP - 6.0)) { (y.name) }
        @for one in series {
            @let places: Vec<(f64, f64)> = one.points.iter().filter_map(place).collect();
            @let dashes = if one.mark == Mark::Dashed { "5 4" } else { "none" };
            @if one.mark != Mark::Dots {
                @let text: Vec<String> = places.iter().map(|(x, y)| format!("{},{}", at(*x), at(*y))).collect();
                polyline class=(format!("trace {}", one.class())) stroke-dasharray=(dashes) points=(text.join(" ")) {}
            }
            @if one.mark == Mark::Dots || places.len() <= 40 {
                @for (x, y) in &places {
                    circle class=(one.class()) cx=(at(*x)) cy=(at(*y)) r="2.6" fill="none" stroke-width="1.5" {}
                }
            }
        }
    };
    let description = format!("{} over {}, {} series.", y.name, x.name, series.len());
    let drawn = picture(BOTTOM + 44.0, title, &description, body, html! { (caption) });
    let entries = series.iter().map(|series| {
        let how = if series.mark == Mark::Dashed { " (dashed)" } else { "" };
        (series.class(), format!("{}{how}", series.name))
    });
    html! { h3 { (title) } (legend(entries)) (drawn) }
}

/// Groups of bars side by side, one bar a series. `groups` are a name and a number for each of `series`.
pub fn bars(title: &str, unit: &str, series: &[&str], groups: &[(String, Vec<f64>)], caption: &str) -> Markup {
    const BOTTOM: f64 = 240.0;
    let numbers = || groups.iter().flat_map(|(_, numbers)| numbers).copied().filter(|number| number.is_finite());
    let y = Scale::new(numbers().fold(0.0, f64::min), numbers().fold(0.0, f64::max), BOTTOM, TOP);
    let x = Scale::new(0.0, groups.len().max(1) as f64, LEFT, WIDTH - RIGHT);
    let slot = x.at(1.0) - x.at(0.0);
    let width = (slot * 0.8 / series.len().max(1) as f64).min(48.0);
    let body = html! {
        @for tick in y.ticks(5) {
            @let class = if tick == 0.0 { "zero" } else { "grid" };
            line class=(class) x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(y.at(tick))) y2=(at(y.at(tick))) {}
            text.soft x=(at(LEFT - 8.0)) y=(at(y.at(tick) + 4.0)) text-anchor="end" { (short(tick)) }
        }
        text.soft x=(at(LEFT)) y=(at(TOP - 6.0)) { (unit) }
        @for (index, (name, numbers)) in groups.iter().enumerate() {
            @let middle = x.at(index as f64 + 0.5);
            @let left = middle - width * numbers.len() as f64 / 2.0;
            @for (place, number) in numbers.iter().enumerate().filter(|(_, number)| number.is_finite()) {
                @let (top, bottom) = (y.at(number.max(0.0)), y.at(number.min(0.0)));
                rect style=(format!("fill: var(--c{})", place % COLOURS)) x=(at(left + width * place as f64 + 0.5))
                    width=(at(width - 1.0)) y=(at(top)) height=(at(bottom - top)) {
                    title { (name) ", " (series.get(place).unwrap_or(&"")) ": " (short(*number)) }
                }
            }
            text x=(at(middle)) y=(at(BOTTOM + 18.0)) text-anchor="middle" { (name) }
        }
    };
    let description = format!("{} groups of {} bars, in {unit}.", groups.len(), series.len());
    let drawn = picture(BOTTOM + 30.0, title, &description, body, html! { (caption) });
    let entries = series.iter().enumerate().map(|(index, name)| (format!("c{}", index % COLOURS), (*name).to_owned()));
    html! { h3 { (title) } (legend(entries)) (drawn) }
}

/// A population of a raster.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Its name.
    pub name: String,
    /// How many neurons are shown.
    pub neurons: u32,
    /// When, in the unit of the axis, and which neuron.
    pub spikes: Vec<(f64, u32)>,
}

/// Spikes of populations, one above the other on an axis of time from `from` to `to`.
pub fn raster(title: &str, axis: &str, from: f64, to: f64, panels: &[Panel], caption: &str) -> Markup {
    const GAP: f64 = 26.0;
    let x = Scale::new(from, to, LEFT, WIDTH - RIGHT);
    // A few spikes would be lost as thin marks.
    let few = panels.iter().map(|panel| panel.spikes.len()).sum::<usize>() < FEW_MARKS;
    let mut bottom = 0.0;
    let places: Vec<(f64, f64)> = panels
        .iter()
        .map(|panel| {
            let place = (bottom + GAP, (f64::from(panel.neurons) * 0.6).clamp(36.0, 150.0));
            bottom = place.0 + place.1;
            place
        })
        .collect();
    let draw = |panel: &Panel, (top, height): (f64, f64)| {
        let row = height / f64::from(panel.neurons.max(1));
        let mark = (row * 0.8).clamp(if few { 3.0 } else { 1.4 }, 6.0);
        let thinning = panel.spikes.len().div_ceil(MOST_MARKS).max(1);
        let mut path = String::new();
        let inside = panel.spikes.iter().filter(|(when, neuron)| (from..=to).contains(when) && *neuron < panel.neurons);
        for (when, neuron) in inside.step_by(thinning) {
            let from = top + (f64::from(*neuron) + 0.5) * row - mark / 2.0;
            // Writing to a string cannot fail.
            let _ = write!(path, "M{} {}v{}", at(x.at(*when)), at(from), at(mark));
        }
        html! {
            text.bold x=(at(LEFT)) y=(at(top - 7.0)) { (panel.name) }
            text.soft x=(at(WIDTH - RIGHT)) y=(at(top - 7.0)) text-anchor="end" {
                (grouped(panel.neurons.into())) " neurons"
                @if thinning > 1 { ", one spike in " (thinning) " is drawn" }
            }
            rect.panel x=(at(LEFT)) y=(at(top)) width=(at(WIDTH - RIGHT - LEFT)) height=(at(height)) {}
            path.marks stroke-width=(if few { "3" } else { "1.1" }) d=(path) {}
        }
    };
    let body = html! {
        @for tick in x.ticks(8) {
            line.grid x1=(at(x.at(tick))) x2=(at(x.at(tick))) y1=(at(GAP)) y2=(at(bottom)) {}
            text.soft x=(at(x.at(tick))) y=(at(bottom + 16.0)) text-anchor="middle" { (short(tick)) }
        }
        text.soft x=(at(WIDTH - RIGHT)) y=(at(bottom + 32.0)) text-anchor="end" { (axis) }
        @for (panel, place) in panels.iter().zip(&places) { (draw(panel, *place)) }
    };
    let spikes: usize = panels.iter().map(|panel| panel.spikes.len()).sum();
    let description = format!("{} spikes of {} populations.", grouped(spikes as u64), panels.len());
    html! { h3 { (title) } (picture(bottom + 40.0, title, &description, body, html! { (caption) })) }
}

/// A table: a heading for each column, and rows of texts, of which the first is what the row is about. A column whose first text is
/// no number stands at the left.
pub fn table(columns: &[&str], rows: &[Vec<String>]) -> Markup {
    let number = |text: &String| text.starts_with(|c: char| c.is_ascii_digit() || "−–-+<>×".contains(c));
    let class = |column: usize| {
        let first = rows.first().and_then(|row| row.get(column));
        if first.is_none_or(number) { "" } else { "text" }
    };
    html! {
        figure {
            table {
                thead { tr { @for (index, column) in columns.iter().enumerate() { th class=(class(index)) { (column) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (index, text) in row.iter().enumerate() {
                                @if index == 0 {
                                    th scope="row" { (text) }
                                } @else {
                                    td class=(class(index)) { (text) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let series = [Series::line("a", 0, vec![(1.0, 10.0), (10.0, 0.0), (100.0, 1000.0), (f64::NAN, 100.0)])];
        let text = curves("t", Axis::log("n"), Axis::log("s"), &series, "").into_string();
        let points = text.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert_eq!(points, "64,300 886,18", "the first and the third, in the corners");
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }

    #[test]
    fn powers_of_ten_and_round_numbers_are_ticks() {
        let axis = Axis::log("n");
        let texts = |low: f64, high: f64| -> Vec<String> {
            let scale = axis.scale([low, high].into_iter(), 0.0, 1.0);
            axis.ticks(&scale, 6).into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts(1.0, 1000.0), ["1", "10", "100", "1000"]);
        assert_eq!(texts(3.0, 30.0), ["5", "10", "20"]);
    }

    #[test]
    fn a_raster_keeps_to_its_panel() {
        let panel = Panel { name: "E".to_owned(), neurons: 2, spikes: vec![(0.5, 0), (0.5, 2), (7.0, 1)] };
        let text = raster("t", "s", 0.0, 1.0, &[panel], "").into_string();
        assert_eq!(text.matches('M').count() - text.matches("Me").count(), 1, "{text}");
    }
}
