//! From a point to spikes: each of five values becomes the time step of the one spike of its input neuron.

use crate::dataset::Sample;

/// Number of input neurons: x, y, 1 − x, 1 − y, and a constant.
pub const INPUTS: usize = 5;

/// The time axis of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Length of a time step in seconds.
    pub dt: f64,
    /// Step of a spike that stands for 0.
    pub early: u32,
    /// Step of a spike that stands for 1.
    pub late: u32,
    /// Number of time steps of a run.
    pub steps: u32,
}

/// Time steps of the input spikes of one sample, by input neuron.
pub type Spikes = [u32; INPUTS];

impl Timing {
    /// The time axis the shipped network is trained for: 80 steps of 0.5 ms, values spread over 30 ms.
    pub const SHIPPED: Timing = Timing { dt: 0.5e-3, early: 1, late: 61, steps: 80 };

    /// `early + round(v (late − early))` for each `v` of (x, y, 1 − x, 1 − y, 0), halves away from zero.
    pub fn spikes(&self, sample: &Sample) -> Spikes {
        let span = f64::from(self.late - self.early);
        [sample.x, sample.y, 1.0 - sample.x, 1.0 - sample.y, 0.0]
            .map(|value| self.early + (value * span).round() as u32)
    }
}

/// The spikes of many samples as rows (sample, step, unit), sorted.
pub fn events(samples: &[Spikes]) -> Vec<[i32; 3]> {
    let mut rows = Vec::with_capacity(samples.len() * INPUTS);
    for (sample, spikes) in samples.iter().enumerate() {
        for (unit, &step) in spikes.iter().enumerate() {
            rows.push([sample as i32, step as i32, unit as i32]);
        }
    }
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_steps_and_events_are_sorted() {
        let sample = Sample { x: 0.25, y: 1.0, class: 0 };
        let spikes = Timing::SHIPPED.spikes(&sample);
        assert_eq!(spikes, [16, 61, 46, 1, 1]);
        assert_eq!(
            events(&[spikes, spikes])[..6],
            [[0, 1, 3], [0, 1, 4], [0, 16, 0], [0, 46, 2], [0, 61, 1], [1, 1, 3]]
        );
    }
}
