//! What the figures share: scales, axes, and numbers as text.
//!
//! Contract: figures are drawn in units of which [`WIDTH`] make the page's width. Every coordinate is finite, whatever
//! the data.

use maud::{Markup, html};

/// The width of a figure.
pub const WIDTH: f64 = 900.0;
/// Room for an axis' numbers on the left.
pub const LEFT: f64 = 64.0;
/// Room on the right.
pub const RIGHT: f64 = 14.0;

/// A picture with its name, what it shows in words, and a caption below.
pub fn picture(height: f64, title: &str, description: &str, body: Markup, caption: Markup) -> Markup {
    picture_of(WIDTH, height, title, description, body, caption)
}

/// A [`picture`] of another width; it is not made larger than it is.
pub fn picture_of(width: f64, height: f64, title: &str, description: &str, body: Markup, caption: Markup) -> Markup {
    html! {
        figure {
            svg role="img" viewBox=(format!("0 0 {} {}", at(width), at(height))) style=(format!("max-width: {}px", at(width))) {
                title { (title) }
                desc { (description) }
                (body)
            }
            figcaption { (caption) }
        }
    }
}

/// A linear map from data to the page.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Maps `low` to `from` and `high` to `to`. An empty range becomes one around it.
    pub fn new(low: f64, high: f64, from: f64, to: f64) -> Self {
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
        Self { low, high, from, to }
    }

    /// The least and the greatest number.
    pub fn range(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Where `number` is.
    pub fn at(&self, number: f64) -> f64 {
        self.from + (number - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Round numbers in the range, about `count` of them.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / count.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= rough).unwrap_or(rough);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        // Not by adding up, so that zero is zero.
        (first..=last).map(|n| n as f64 * step).collect()
    }
}

/// Horizontal lines with their numbers at the left.
pub fn rows(y: &Scale, count: usize) -> Markup {
    html! {
        @for tick in y.ticks(count) {
            @let class = if tick == 0.0 { "zero" } else { "grid" };
            line class=(class) x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(y.at(tick))) y2=(at(y.at(tick))) {}
            text.soft x=(at(LEFT - 8.0)) y=(at(y.at(tick) + 4.0)) text-anchor="end" { (short(tick)) }
        }
    }
}

/// The axis of steps below a figure: ticks from `top`, numbers below `bottom`; with milliseconds where they are known.
pub fn steps_axis(x: &Scale, top: f64, bottom: f64, time_step_ms: Option<f64>) -> Markup {
    let name = match time_step_ms {
        Some(ms) => format!("step (of {} ms)", short(ms)),
        None => "step".to_owned(),
    };
    html! {
        @for tick in x.ticks(8) {
            line.grid x1=(at(x.at(tick))) x2=(at(x.at(tick))) y1=(at(top)) y2=(at(bottom)) {}
            text.soft x=(at(x.at(tick))) y=(at(bottom + 16.0)) text-anchor="middle" { (short(tick)) }
        }
        text.soft x=(at(WIDTH - RIGHT)) y=(at(bottom + 32.0)) text-anchor="end" { (name) }
    }
}

/// A coordinate, to a tenth.
pub fn at(coordinate: f64) -> String {
    let text = format!("{coordinate:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A number in at most about five digits, with a true minus sign.
pub fn short(number: f64) -> String {
    let size = number.abs();
    let sign = if number < 0.0 { "−" } else { "" };
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{sign}{size:.3e}");
    }
    let digits = if size == 0.0 { 0 } else { (4 - size.log10().floor() as i32).clamp(0, 7) };
    let text = format!("{size:.*}", digits as usize);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{sign}{text}")
}

/// A whole number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap_or("")).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 1.0, -2.5, 0.1 + 0.2, 1234.5678, 65536.0, 2e6, 1e-9, 0.000030517578125, 0.0625];
        let texts = ["0", "1", "−2.5", "0.3", "1234.6", "65536", "2.000e6", "1.000e-9", "3.052e-5", "0.0625"];
        assert_eq!(numbers.map(short), texts);
        assert_eq!(
            [0, 999, 1000, 28_879, u64::MAX].map(grouped),
            ["0", "999", "1,000", "28,879", "18,446,744,073,709,551,615"]
        );
        assert_eq!([0.0, -0.04, 1.0, 12.345].map(at), ["0", "0", "1", "12.3"]);
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let ticks = |low, high| Scale::new(low, high, 0.0, 100.0).ticks(5);
        assert_eq!(ticks(0.0, 80.0), [0.0, 20.0, 40.0, 60.0, 80.0]);
        assert_eq!(ticks(-1.2, 0.7), [-1.0, -0.5, 0.0, 0.5]);
        assert_eq!(ticks(3.0, 3.0).len(), 5);
        assert_eq!(Scale::new(0.0, 10.0, 100.0, 0.0).at(2.5), 75.0);
        assert!(Scale::new(7.0, 7.0, 0.0, 1.0).at(7.0).is_finite());
    }
}
