//! Latency code: an image becomes one spike per bright pixel, the brighter the earlier.
//!
//! Contract: a pixel of value `p` spikes once, in step `round(tau · ln(p / (p − threshold)))`, halves to even, if
//! `p > threshold` and that step is within the run; else never. The logarithm is the same on every platform.
//!
//! With `tau` = 20 steps, `threshold` = 51 and 79 steps this is the code of the published MNIST example: a pixel that
//! charges a leaky integrator of that time constant to one fifth of full scale.

use super::idx::Idx;
use super::{Dataset, Shape, Spike};
use crate::error::DataProblem;

/// The step in which a pixel of value `p` spikes, if it does within `steps`.
pub fn step(p: f64, tau: f64, threshold: f64, steps: u32) -> Option<u32> {
    if p.partial_cmp(&threshold) != Some(std::cmp::Ordering::Greater) {
        return None;
    }
    let step = (tau * libm::log(p / (p - threshold))).round_ties_even();
    // A spike is never before the run: p > threshold ≥ 0, so the logarithm is not negative.
    (step < f64::from(steps)).then_some(step as u32)
}

/// The data set of these images. The shape has two dimensions or more, the first one for the samples.
pub(super) fn encode(images: &Idx<'_>, shape: &Shape) -> Result<Dataset, DataProblem> {
    let (tau, threshold) = shape.latency.ok_or_else(|| DataProblem::NoEncoding(shape.program.clone()))?;
    let wrong = |expected: String| DataProblem::Shape { found: format!("{:?}", images.shape), expected };
    let bytes = images.bytes().ok_or_else(|| wrong("pixels must be unsigned bytes (type 0x08)".to_owned()))?;
    let pixels = images.shape[1..].iter().fold(1u128, |product, n| product.saturating_mul(u128::from(*n)));
    if pixels != u128::from(shape.units) || pixels == 0 {
        return Err(wrong(format!("the program `{}` takes samples of {} pixels", shape.program, shape.units)));
    }
    let table: Vec<Option<u32>> = (0..=255).map(|p| step(f64::from(p), tau, threshold, shape.steps)).collect();
    let samples = bytes.chunks_exact(pixels as usize).map(|image| {
        let spikes = image.iter().zip(0..).filter_map(|(p, unit)| Some(Spike { step: table[usize::from(*p)]?, unit }));
        spikes.collect()
    });
    Ok(Dataset::new(samples, None))
}
