//! What a netx file means, in whole numbers.
//!
//! Contract: [`run`] is the arithmetic of Loihi's neurons, in 24 bits, as Lava's processes for CPUs have it: `u` wraps around, `v`
//! saturates, decays round towards 0. The order in time is that of [`super`].

use crate::interpret::{RunError, SpikeTrain};
use crate::network::Delays;

use super::{Layer, Net};

/// The largest `v`; its opposite is the least.
const LARGEST: i64 = (1 << 23) - 1;

/// One layer in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// The spikes.
    pub spikes: SpikeTrain,
    /// The largest `|u|`.
    pub current: i64,
    /// The least and the largest `v`, before it is reset.
    pub voltage: [i64; 2],
}

/// What each layer does in a run of `steps` steps.
///
/// # Errors
/// [`RunError`] if the spikes do not fit the input.
pub fn run(net: &Net, input: &SpikeTrain, steps: u32) -> Result<Vec<Activity>, RunError> {
    input.check("input", super::size_of(net.input), steps)?;
    let mut activities: Vec<Activity> = Vec::new();
    for layer in &net.layers {
        let activity = match activities.last() {
            None => layer_run(layer, input),
            Some(before) => layer_run(layer, &before.spikes.delayed()),
        };
        activities.push(activity);
    }
    Ok(activities)
}

/// What `layer` makes of spikes that come in.
fn layer_run(layer: &Layer, spikes: &SpikeTrain) -> Activity {
    let (size, steps) = (layer.size() as usize, spikes.len());
    // A ring of sums, the first of which is due next.
    let longest = layer.delays.longest() as usize;
    let mut due = std::collections::VecDeque::from(vec![vec![0_i64; size]; longest + 1]);
    let (mut u, mut v) = (vec![0_i64; size], vec![0_i64; size]);
    let mut activity = Activity { spikes: SpikeTrain::default(), current: 0, voltage: [0; 2] };
    let mut lists = Vec::with_capacity(steps);
    for sources in spikes.steps() {
        for &source in sources {
            layer.weights.row(source, layer.size(), |synapse| {
                let delay = match &layer.delays {
                    Delays::None => 0,
                    Delays::Uniform(delay) => *delay as usize,
                    Delays::Ring(delays) | Delays::Sorted(delays) => delays[synapse.index].into(),
                };
                due[delay][synapse.target as usize] += i64::from(synapse.weight);
            });
        }
        let mut list = Vec::new();
        for neuron in 0..size {
            let neurons = &layer.neurons;
            let added = due[0][neuron] << (6 + layer.exponent);
            let sum = decayed(u[neuron], neurons.current_decays[neuron]) + added;
            u[neuron] = wrapped(sum);
            let bias = i64::from(neurons.biases[neuron]) << 6;
            let sum = decayed(v[neuron], neurons.voltage_decays[neuron]) + u[neuron] + bias;
            v[neuron] = sum.clamp(-LARGEST, LARGEST);
            activity.current = activity.current.max(u[neuron].abs());
            activity.voltage = [activity.voltage[0].min(v[neuron]), activity.voltage[1].max(v[neuron])];
            if v[neuron] > i64::from(neurons.thresholds[neuron]) << 6 {
                list.push(neuron as u32);
                v[neuron] = 0;
            }
        }
        lists.push(list);
        let mut first = due.pop_front().unwrap_or_default();
        first.fill(0);
        due.push_back(first);
    }
    activity.spikes = SpikeTrain::new(lists);
    activity
}

/// Of all values that differ from this one by whole turns, the one from `1 − 2^23` to `2^23`.
fn wrapped(value: i64) -> i64 {
    (value + LARGEST).rem_euclid(2 * (LARGEST + 1)) - LARGEST
}

/// `value · (4096 − decay) / 4096`, towards 0.
fn decayed(value: i64, decay: i16) -> i64 {
    value.signum() * ((value.abs() * (4096 - i64::from(decay))) >> 12)
}
