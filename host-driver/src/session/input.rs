//! A sample's spikes as the bytes that a program takes.
//!
//! Contract: both forms are as [`fenn_isa::image::manifest`] defines them; two spikes of a neuron in one step are one.
//! Steps and neurons must be those of the input, and a list must be long enough.

use fenn_isa::image::manifest::{SpikeArray, SpikeList};

/// Fills `out` with the slots of all steps, one behind the other.
pub(super) fn bits(array: &SpikeArray, spikes: impl Iterator<Item = (u32, u32)>, out: &mut Vec<u8>) {
    let slot = 4 * array.words as usize;
    out.clear();
    out.resize(slot * array.steps as usize, 0);
    for (step, neuron) in spikes {
        // Words are little-endian, so bit b of word w of a slot is bit b % 8 of its byte 4·w + b / 8.
        out[step as usize * slot + neuron as usize / 8] |= 1 << (neuron % 8);
    }
}

/// The spikes in the order of a list, each once.
pub(super) fn sorted(spikes: impl Iterator<Item = (u32, u32)>) -> Vec<(u32, u32)> {
    let mut spikes: Vec<(u32, u32)> = spikes.collect();
    spikes.sort_unstable();
    spikes.dedup();
    spikes
}

/// Appends the parts of `steps` steps to `out`, which is what the list holds from its address on.
pub(super) fn list(list: &SpikeList, steps: u32, spikes: impl Iterator<Item = (u32, u32)>, out: &mut Vec<u8>) {
    let spikes = sorted(spikes);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three steps with two, no and one spike, behind another sample's three empty parts, written out by hand.
    #[test]
    fn a_list_is_a_chain_of_parts() {
        let form = SpikeList { address: 0x100, sample_bytes: 64, base: 0xffff_fff0, scale: 8 };
        let mut out = Vec::new();
        list(&form, 3, std::iter::empty(), &mut out);
        list(&form, 3, [(2, 1), (0, 5), (0, 0), (0, 5)].into_iter(), &mut out);
        let words: Vec<u32> = out.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        let expected =
            [0x104, 0x108, 0x10c, /* next sample */ 0x118, 0xffff_fff0, 0x18, 0x11c, 0x124, 0xffff_fff8];
        assert_eq!(words, expected);
    }
}
