//! The benchmark's page.

use maud::html;

use super::model::{DELAYS, NAMES, POPULATIONS, PUBLISHED_RATES, STEP, inhibitory};
use super::{CLOCK, Found};
use crate::chart::{Axis, Mark, Panel, Series, bars, curves, raster, table};
use crate::program::Section;

/// What the raster shows, in steps, at the end of the run.
const SHOWN: u32 = 4000;
/// Neurons of each population in the raster: one in so many.
const ONE_IN: u32 = 2;

/// All parts; `float` are the reference's spikes.
pub(super) fn sections(found: &Found<'_>, float: &[(u32, u32)]) -> Vec<Section> {
    vec![activity(found), spikes(found, float), delays(found), cost(found)]
}

fn activity(found: &Found<'_>) -> Section {
    let (ours, theirs) = (&found.ours, &found.theirs);
    let groups = |numbers: &dyn Fn(usize) -> Vec<f64>| -> Vec<(String, Vec<f64>)> {
        NAMES.iter().enumerate().map(|(index, name)| ((*name).to_owned(), numbers(index))).collect()
    };
    let rates = groups(&|index| vec![ours.rates[index], theirs.rates[index], PUBLISHED_RATES[index]]);
    let roundings = groups(&|index| {
        [ours, theirs].into_iter().chain(&found.others).map(|activity| activity.rates[index]).collect()
    });
    let cvs = groups(&|index| vec![ours.cv[index], theirs.cv[index]]);
    let caption = "The same neurons, synapses, delays and initial potentials in 16 bits with stochastic rounding and in float64; the \
                   Poisson input has other numbers. The full model has ten times the neurons and synapses, so that a tenth is not \
                   expected to have its rates exactly.";
    let body = html! {
        (bars("Rates", "Hz", &["FeNN", "float64, same column", "full model, published"], &rates, caption))
        @if !found.others.is_empty() {
            (bars("Rates under other roundings", "Hz",
                &["FeNN, stochastic", "float64, same column", "to nearest", "towards minus infinity"], &roundings,
                "The same program but for the rounding of products: in every step, each neuron loses half a unit of potential and of \
                 current on average if it is towards minus infinity."))
        }
        (bars("Irregularity", "CV of inter-spike intervals", &["FeNN", "float64, same column"], &cvs,
            "Mean over neurons with at least three spikes. 1 is a Poisson process; runs as short as this have less than long ones."))
    };
    Section::new("Activity", body)
}

fn spikes(found: &Found<'_>, float: &[(u32, u32)]) -> Section {
    let model = &found.column.model;
    let firsts = model.firsts();
    let from = found.steps.saturating_sub(SHOWN);
    let ms = |step: u32| f64::from(step) * STEP;
    let panels = |spikes: &[(u32, u32)]| -> Vec<Panel> {
        let panel = |index: usize| {
            let own = firsts[index]..firsts[index + 1];
            let shown = spikes.iter().filter(|(step, neuron)| *step >= from && own.contains(neuron));
            let thinned = shown.map(|(step, neuron)| (*step, neuron - own.start)).filter(|(_, n)| n % ONE_IN == 0);
            let spikes = thinned.map(|(step, neuron)| (ms(step), neuron / ONE_IN)).collect();
            Panel { name: NAMES[index].to_owned(), neurons: model.sizes[index].div_ceil(ONE_IN), spikes }
        };
        (0..POPULATIONS).map(panel).collect()
    };
    let (from, to) = (ms(from), ms(found.steps));
    let caption = format!("Every other neuron, the last {} ms of the run.", to - from);
    let body = html! {
        (raster("FeNN", "ms", from, to, &panels(&found.simulated.spikes), &caption))
        (raster("float64, same column", "ms", from, to, &panels(float),
            "A chaotic network: spikes differ, and look alike."))
    };
    Section::new("Spikes", body)
}

fn delays(found: &Found<'_>) -> Section {
    let mut counts = [[0u64; 64]; 2];
    for neuron in 0..found.column.model.neurons() {
        let kind = usize::from(inhibitory(found.column.model.population(neuron)));
        for synapse in found.column.row(neuron as usize) {
            counts[kind][usize::from(synapse.delay).min(63)] += 1;
        }
    }
    let mut series = Vec::new();
    for (colour, (name, counts)) in ["excitatory", "inhibitory"].iter().zip(&counts).enumerate() {
        let total: u64 = counts.iter().sum();
        let last = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        let points = (1..=last).map(|step| (step as f64 * STEP, counts[step] as f64 / total as f64)).collect();
        series.push(Series::line(*name, colour, points).marked(Mark::Dots));
        let (mean, sd) = DELAYS[colour];
        let density = |ms: f64| {
            let z = (ms - mean) / sd;
            // Of the whole distribution; what is cut off below the first step is a fortieth of it.
            let kept = 0.5 * libm::erfc((STEP - mean) / sd / std::f64::consts::SQRT_2);
            STEP * (-0.5 * z * z).exp() / (sd * (2.0 * std::f64::consts::PI).sqrt() * kept)
        };
        let points = (1..=last).map(|step| (step as f64 * STEP, density(step as f64 * STEP))).collect();
        series.push(Series::line(format!("{name}, normal density"), colour, points).marked(Mark::Dashed));
    }
    let caption = "In steps of 0.1 ms. Delays below a step are drawn again, so that the densities have the whole weight above it; the \
                   first step has only half its width.";
    let chart = curves(
        "Delays of all synapses",
        Axis::linear("ms"),
        Axis::linear("share of synapses").with(&[0.0]),
        &series,
        caption,
    );
    Section::new("Delays", chart)
}

fn cost(found: &Found<'_>) -> Section {
    let steps = f64::from(found.steps);
    let phases = found.simulated.phases.iter().filter(|(_, count)| count.cycles * 1000 > found.simulated.cycles);
    let groups: Vec<(String, Vec<f64>)> = phases
        .map(|(name, count)| (name.clone(), vec![count.cycles as f64 / steps, count.instructions as f64 / steps]))
        .collect();
    let budget = CLOCK * STEP * 1e-3;
    let caption = format!("Real time at 175 MHz is {budget:.0} cycles a step.");
    let rows: Vec<Vec<String>> = found
        .program
        .report
        .arrays
        .iter()
        .filter(|array| array.bytes >= 1024)
        .map(|array| {
            let bytes = fenn_host::report::svg::grouped(array.bytes);
            vec![array.name.clone(), array.space.to_string(), bytes, array.layout.clone().unwrap_or_default()]
        })
        .collect();
    let body = html! {
        (bars("A step", "on average", &["cycles", "instructions"], &groups, &caption))
        h3 { "Arrays of a kilobyte or more" }
        (table(&["array", "memory", "bytes", "layout"], &rows))
    };
    Section::new("What it takes", body)
}
