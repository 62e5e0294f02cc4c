//! A sample's spikes as the bytes that a program takes.
//!
//! Contract: both forms are as [`fenn_isa::image::manifest`] defines them; two spikes of a neuron in one step are one.
//! Steps and neurons must be those of the input.

use fenn_isa::image::manifest::{SpikeArray, SpikeList};

/// Appends one bit per neuron and step.
pub(super) fn bits(array: &SpikeArray, spikes: impl Iterator<Item = (u32, u32)>, out: &mut Vec<u8>) {
    let slot = 4 * array.words as usize;
    let begin = out.len();
    out.resize(begin + slot * array.steps as usize, 0);
    for (step, neuron) in spikes {
        // Words are little-endian, so bit b of word w of a slot is bit b % 8 of its byte 4·w + b / 8.
        out[begin + step as usize * slot + neuron as usize / 8] |= 1 << (neuron % 8);
    }
}

/// Appends the parts of `steps` steps; where the list is too short for them, returns how many spikes there are.
pub(super) fn list(
    list: &SpikeList,
    steps: u32,
    spikes: impl Iterator<Item = (u32, u32)>,
    out: &mut Vec<u8>,
) -> Result<(), usize> {
    let mut spikes: Vec<(u32, u32)> = spikes.collect();
    spikes.sort_unstable();
    spikes.dedup();
    let bytes = 4 * (u64::from(steps) + spikes.len() as u64);
    if bytes > u64::from(list.bytes) {
        return Err(spikes.len());
    }
    let mut next = list.address + out.len() as u32;
    let mut left = &spikes[..];
    for step in 0..steps {
        let (part, rest) = left.split_at(left.partition_point(|spike| spike.0 == step));
        left = rest;
        next += 4 * (1 + part.len() as u32);
        out.extend(next.to_le_bytes());
        for (_, neuron) in part {
            out.extend(list.base.wrapping_add(list.scale.wrapping_mul(*neuron)).to_le_bytes());
        }
    }
    Ok(())
}
