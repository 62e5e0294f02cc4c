//! The spike raster: a mark per spike, a panel per population, one above the other on the same axis of steps.

use std::fmt::Write as _;

use fenn_isa::image::manifest::{Manifest, Window};
use maud::{Markup, html};

use super::svg::{LEFT, RIGHT, Scale, WIDTH, at, grouped, picture, steps_axis};
use crate::evaluate::Capture;
use crate::session::array::Array;

/// The most marks in a panel; more cannot be told apart and make a page slow.
const MOST_MARKS: usize = 40_000;
/// Between panels, for the name.
const GAP: f64 = 26.0;

/// One population.
struct Panel {
    name: String,
    neurons: u32,
    /// As (step, neuron).
    spikes: Vec<(u32, u32)>,
    input: bool,
}

/// The figure.
pub(super) fn figure(manifest: &Manifest, capture: &Capture) -> Markup {
    let panels: Vec<Panel> = inputs(manifest, capture).chain(recordings(manifest, capture)).collect();
    let x = Scale::new(0.0, f64::from(manifest.steps), LEFT, WIDTH - RIGHT);
    let mut top = 0.0;
    let places: Vec<(f64, f64)> = panels
        .iter()
        .map(|panel| {
            let place = (top + GAP, (f64::from(panel.neurons) * 9.0).clamp(30.0, 190.0));
            top = place.0 + place.1;
            place
        })
        .collect();
    let body = html! {
        (steps_axis(&x, GAP, top, manifest.time_step_ms))
        @for (panel, (top, height)) in panels.iter().zip(&places) { (panel.draw(&x, *top, *height)) }
    };
    let all: usize = panels.iter().map(|panel| panel.spikes.len()).sum();
    let description =
        format!("{} spikes of {} populations in {} steps.", grouped(all as u64), panels.len(), manifest.steps);
    let caption = html! {
        "A mark for each spike; neurons from 0 at the top of each panel downwards."
        @if !panels.iter().any(|panel| !panel.input) { " The program records no population's spikes." }
        @for panel in panels.iter().filter(|panel| panel.spikes.len() > MOST_MARKS) {
            " Of " (panel.name) " only one spike in " (panel.thinning()) " is drawn."
        }
    };
    picture(top + 40.0, &format!("Spikes of sample {}", capture.sample), &description, body, caption)
}

fn inputs<'a>(manifest: &'a Manifest, capture: &'a Capture) -> impl Iterator<Item = Panel> + 'a {
    let mut first = 0u64;
    manifest.inputs.iter().map(move |input| {
        let range = first..first + u64::from(input.neurons);
        let spikes = capture.spikes.iter().filter(|spike| range.contains(&spike.unit.into()));
        let spikes = spikes.map(|spike| (spike.step, (u64::from(spike.unit) - range.start) as u32)).collect();
        first = range.end;
        Panel { name: input.name.clone(), neurons: input.neurons, spikes, input: true }
    })
}

fn recordings<'a>(manifest: &'a Manifest, capture: &'a Capture) -> impl Iterator<Item = Panel> + 'a {
    manifest.recordings.iter().zip(&capture.recordings).filter_map(|(recording, array)| {
        let Array::Spikes(spikes) = array else { return None };
        let name = match recording.name.as_str() {
            "Spike" => recording.population.clone(),
            event => format!("{} · {event}", recording.population),
        };
        let Window { from, every } = recording.window;
        let spikes = spikes.all().map(|(kept, neuron)| (from + kept * every, neuron)).collect();
        Some(Panel { name, neurons: recording.neurons, spikes, input: false })
    })
}

impl Panel {
    /// Every how many spikes one is drawn.
    fn thinning(&self) -> usize {
        self.spikes.len().div_ceil(MOST_MARKS).max(1)
    }

    fn draw(&self, x: &Scale, top: f64, height: f64) -> Markup {
        let row = height / f64::from(self.neurons);
        let mark = (row * 0.8).clamp(2.2, 9.0);
        let step = x.at(1.0) - x.at(0.0);
        let mut path = String::new();
        for (when, neuron) in self.spikes.iter().step_by(self.thinning()) {
            let from = top + (f64::from(*neuron) + 0.5) * row - mark / 2.0;
            // Writing to a string cannot fail.
            let _ = write!(path, "M{} {}v{}", at(x.at(f64::from(*when) + 0.5)), at(from), at(mark));
        }
        let class = if self.input { "marks input" } else { "marks" };
        html! {
            text.bold x=(at(LEFT)) y=(at(top - 7.0)) { (self.name) }
            text.soft x=(at(WIDTH - RIGHT)) y=(at(top - 7.0)) text-anchor="end" {
                (grouped(self.neurons.into())) " neurons, " (grouped(self.spikes.len() as u64)) " spikes"
            }
            rect.panel x=(at(LEFT)) y=(at(top)) width=(at(WIDTH - RIGHT - LEFT)) height=(at(height)) {}
            text.soft x=(at(LEFT - 8.0)) y=(at(top + 10.0)) text-anchor="end" { "0" }
            text.soft x=(at(LEFT - 8.0)) y=(at(top + height - 1.0)) text-anchor="end" { (self.neurons - 1) }
            path class=(class) stroke-width=(at((step * 0.7).clamp(1.2, 3.0))) d=(path) {}
        }
    }
}
