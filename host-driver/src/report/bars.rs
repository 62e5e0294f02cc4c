//! Bars: the result of an output, and how many samples cost how much.

use maud::{Markup, html};

use super::svg::{LEFT, RIGHT, Scale, WIDTH, at, grouped, picture, rows, short};
use crate::evaluate::{Capture, Spread};

/// Bars of a histogram.
const BINS: usize = 40;
/// The most bars of an output; the page is not wide enough for more.
const MOST: usize = 400;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 180.0;

/// A bar: its height, its name below, its name when pointed at, and its class of style.
struct Bar {
    value: f64,
    name: String,
    title: String,
    style: &'static str,
}

/// One output of one sample: a bar per neuron. In the classifier, the class given is marked, and the label where it is
/// another.
pub(super) fn output(name: &str, scores: &[f64], classifier: Option<&Capture>) -> Markup {
    let style = |neuron: u32| match classifier {
        Some(capture) if capture.class == neuron => "bar chosen",
        Some(capture) if capture.label == Some(neuron) => "bar missed",
        _ => "bar",
    };
    let bars = scores.iter().take(MOST).zip(0..).map(|(score, neuron)| Bar {
        value: *score,
        name: neuron.to_string(),
        title: format!("neuron {neuron}: {score}"),
        style: style(neuron),
    });
    let bars: Vec<Bar> = bars.collect();
    let description =
        format!("{} neurons, from {} to {}.", scores.len(), short(least(scores)), short(greatest(scores)));
    let caption = html! {
        "In real units, by neuron."
        @if scores.len() > MOST { " The first " (MOST) " of " (grouped(scores.len() as u64)) " neurons." }
        @if let Some(capture) = classifier {
            " The class given is " (capture.class)
            @if let Some(label) = capture.label.filter(|label| *label != capture.class) { ", the label " (label) }
            "."
        }
    };
    chart(&format!("Output {name}"), &description, &bars, bars.len() <= 20, caption)
}

/// How many samples took how many instructions.
pub(super) fn histogram(counts: Vec<u64>, spread: Spread) -> Markup {
    if spread.min == spread.max {
        return html! { p { "Every sample takes " (grouped(spread.min)) " instructions." } };
    }
    let range = u128::from(spread.max - spread.min) + 1;
    let bins = BINS.min(usize::try_from(range).unwrap_or(BINS));
    // The last edge may be one beyond the greatest number there is.
    let edge = |bin: usize| {
        let edge = u128::from(spread.min) + (range * bin as u128).div_ceil(bins as u128);
        u64::try_from(edge).unwrap_or(u64::MAX)
    };
    let mut samples = vec![0u32; bins];
    for count in counts {
        samples[(u128::from(count - spread.min) * bins as u128 / range) as usize] += 1;
    }
    let bars: Vec<Bar> = samples
        .iter()
        .enumerate()
        .map(|(bin, samples)| Bar {
            value: f64::from(*samples),
            name: if bin % 8 == 0 { grouped(edge(bin)) } else { String::new() },
            title: format!("{} to {}: {samples} samples", grouped(edge(bin)), grouped(edge(bin + 1) - 1)),
            style: "bar",
        })
        .collect();
    let description = format!("From {} to {} instructions.", grouped(spread.min), grouped(spread.max));
    let caption = html! { "Number of samples by the instructions they take; the numbers below are the left edges of their bars." };
    chart("Instructions per sample", &description, &bars, false, caption)
}

fn chart(title: &str, description: &str, bars: &[Bar], valued: bool, caption: Markup) -> Markup {
    let values: Vec<f64> = bars.iter().map(|bar| bar.value).collect();
    let y = Scale::new(least(&values).min(0.0), greatest(&values).max(0.0), BOTTOM, TOP);
    let x = Scale::new(0.0, bars.len() as f64, LEFT, WIDTH - RIGHT);
    let slot = x.at(1.0) - x.at(0.0);
    let width = (slot * 0.72).min(64.0);
    // Numbers below only where they do not run into each other.
    let every = (22.0 / slot).ceil().max(1.0) as usize;
    let body = html! {
        (rows(&y, 4))
        @for (index, bar) in bars.iter().enumerate() {
            @let middle = x.at(index as f64 + 0.5);
            @let (top, bottom) = (y.at(bar.value.max(0.0)), y.at(bar.value.min(0.0)));
            rect class=(bar.style) x=(at(middle - width / 2.0)) width=(at(width)) y=(at(top)) height=(at(bottom - top)) {
                title { (bar.title) }
            }
            @if valued {
                @let above = if bar.value < 0.0 { bottom + 13.0 } else { top - 5.0 };
                text.soft x=(at(middle)) y=(at(above)) text-anchor="middle" { (short(bar.value)) }
            }
            @if index % every == 0 || !valued && bar.name.len() > 2 {
                text x=(at(middle)) y=(at(BOTTOM + 28.0)) text-anchor="middle" { (bar.name) }
            }
        }
    };
    picture(BOTTOM + 40.0, title, description, body, caption)
}

fn least(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::INFINITY, f64::min)
}

fn greatest(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}
