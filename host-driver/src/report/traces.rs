//! Values against time: a line per neuron.

use std::fmt::Write as _;

use fenn_isa::image::manifest::{Manifest, Window};
use maud::{Markup, html};

use super::svg::{LEFT, RIGHT, Scale, WIDTH, at, picture, rows, short, steps_axis};
use crate::session::array::Values;

/// As many lines as there are colours.
const MOST_LINES: u32 = 10;
/// The most points of a line; the page is not wider.
const MOST_POINTS: usize = 2000;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 220.0;

/// The figure of `values` in the steps of `window`, which `what` names; the line of `chosen` is bold.
pub(super) fn figure(what: &str, values: &Values, manifest: &Manifest, window: Window, chosen: Option<u32>) -> Markup {
    let neurons: Vec<u32> = (0..values.neurons.min(MOST_LINES)).collect();
    let numbers = || neurons.iter().flat_map(|neuron| values.of(*neuron)).map(|code| values.format.to_f64(code));
    let (low, high) = (numbers().fold(0.0, f64::min), numbers().fold(0.0, f64::max));
    let [begin, every_step] = [window.from, window.every].map(f64::from);
    let x = Scale::new(begin, begin + every_step * f64::from(values.steps), LEFT, WIDTH - RIGHT);
    let y = Scale::new(low, high, BOTTOM, TOP);
    let every = (values.steps as usize).div_ceil(MOST_POINTS);
    let line = |neuron: u32| {
        let mut path = String::new();
        for (step, code) in values.of(neuron).enumerate().step_by(every) {
            let command = if step == 0 { 'M' } else { 'L' };
            // Writing to a string cannot fail.
            let _ = write!(
                path,
                "{command}{} {}",
                at(x.at(begin + every_step * step as f64 + 0.5)),
                at(y.at(values.format.to_f64(code)))
            );
        }
        let class = if chosen == Some(neuron) { "trace chosen" } else { "trace" };
        html! { path class=(format!("{class} c{}", neuron % MOST_LINES)) d=(path) { title { "neuron " (neuron) } } }
    };
    let body = html! {
        (rows(&y, 5))
        (steps_axis(&x, TOP, BOTTOM, manifest.time_step_ms))
        @for neuron in &neurons { (line(*neuron)) }
    };
    let description = format!(
        "{what}: {} neurons over {} steps, from {} to {}.",
        neurons.len(),
        values.steps,
        short(low),
        short(high)
    );
    let caption = html! {
        "In format " (values.format) "."
        @if values.neurons > MOST_LINES { " The first " (MOST_LINES) " of " (values.neurons) " neurons." }
        @if every > 1 { " One point in " (every) " steps." }
        @if chosen.is_some() { " The class given is drawn bold." }
    };
    html! {
        ul.legend aria-hidden="true" {
            @for neuron in &neurons { li { span class=(format!("c{}", neuron % MOST_LINES)) {} (neuron) } }
        }
        (picture(BOTTOM + 40.0, what, &description, body, caption))
    }
}
