//! Pictures of a network on the sample.

use maud::{Markup, html};

use super::{BIN, HIDDEN, Measured, counts, histogram};
use crate::chart::{Axis, Mark, Panel, Series, curves, raster};

/// Raster, spikes over time, and counts of neurons, in float64 and in 16 bits.
pub(super) fn section(measured: &Measured, inputs: &[Vec<u32>]) -> Markup {
    let fixed = &measured.runs[0];
    let float = &measured.float.hidden;
    let dots = |steps: &[Vec<u32>]| -> Vec<(f64, u32)> {
        steps.iter().enumerate().flat_map(|(step, units)| units.iter().map(move |unit| (step as f64, *unit))).collect()
    };
    let panel = |name: &str, neurons: usize, steps: &[Vec<u32>]| Panel {
        name: name.to_owned(),
        neurons: neurons as u32,
        spikes: dots(steps),
    };
    let panels = [
        panel("input channels", fenn_testbench::shd::INPUTS, inputs),
        panel("hidden, float64", HIDDEN, float),
        panel("hidden, 16 bits", HIDDEN, &fixed.hidden),
    ];
    let over_time = |steps: &[Vec<u32>]| -> Vec<(f64, f64)> {
        histogram(steps).into_iter().enumerate().map(|(bin, spikes)| ((bin * BIN) as f64, spikes)).collect()
    };
    let mut series = vec![
        Series::line("16 bits", 0, over_time(&fixed.hidden)),
        Series::line("float64", 1, over_time(float)).marked(Mark::Dashed),
    ];
    if let Some(zero) = measured.towards_zero() {
        series.push(Series::line("16 bits, rounded towards zero", 8, over_time(&zero.hidden)));
    }
    let (ours, theirs) = (counts(&fixed.hidden), counts(float));
    let most = ours.iter().chain(&theirs).copied().fold(0.0, f64::max);
    let scatter = [
        Series::line("hidden neurons", 0, theirs.into_iter().zip(ours).collect()).marked(Mark::Dots),
        Series::line("equal", 8, vec![(0.0, 0.0), (most, most)]).marked(Mark::Dashed),
    ];
    html! {
        (raster("Spikes", "ms", 0.0, inputs.len() as f64, &panels, ""))
        (curves("Hidden spikes over time", Axis::linear("ms"), Axis::linear("spikes in 10 ms").with(&[0.0]), &series,
            &format!("Correlation of 16 bits with float64: {:.4}.", fixed.psth_r)))
        (curves("Spikes of each hidden neuron", Axis::linear("float64"), Axis::linear("16 bits").with(&[0.0]), &scatter,
            &format!("Correlation: {:.4}.", fixed.counts_r)))
    }
}
