//! Synapses as lists, and in the layouts that the propagation kernels read.
//!
//! Neuron `n` of the targets is in lane `n mod 32`, its number there is `n / 32`.

use fenn_isa::memory::LANES;

use super::number::saturate;

/// A synapse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synapse {
    /// Which neuron it reaches.
    pub target: usize,
    /// What a spike adds to its input.
    pub weight: i16,
    /// After how many steps.
    pub delay: usize,
}

/// The sources whose bits are set, rising.
pub fn fired(words: &[u32]) -> impl Iterator<Item = usize> {
    let bits = words.iter().enumerate();
    bits.flat_map(|(word, bits)| {
        (0..32).filter(move |bit| (bits / (1u32 << bit)) % 2 == 1).map(move |bit| 32 * word + bit)
    })
}

/// Adds what each spike sends to `inputs`, saturating after each synapse; delays are none.
pub fn propagate(inputs: &mut [i16], spikes: &[u32], rows: &[Vec<Synapse>]) {
    for source in fired(spikes) {
        for synapse in &rows[source] {
            let input = &mut inputs[synapse.target];
            *input = saturate(i64::from(*input) + i64::from(synapse.weight));
        }
    }
}

/// Rows as the sparse and delayed kernels read them: halfwords row by row, and the vectors of each row.
///
/// `bits` is the width of the place in a lane, of which there are `neurons` per step of delay. Rows that need fewer vectors
/// than the longest are filled up with 0.
pub fn pack(rows: &[Vec<Synapse>], bits: u32, neurons: usize) -> (Vec<i16>, usize) {
    let columns: Vec<Vec<Vec<i16>>> = rows.iter().map(|row| lanes(row, bits, neurons)).collect();
    let longest = columns.iter().flatten().map(Vec::len).max().unwrap_or(0).max(1);
    let mut halves = Vec::new();
    for row in &columns {
        for vector in 0..longest {
            halves.extend(row.iter().map(|lane| lane.get(vector).copied().unwrap_or(0)));
        }
    }
    (halves, longest)
}

/// One row's halfwords for each lane, in the row's order.
fn lanes(row: &[Synapse], bits: u32, neurons: usize) -> Vec<Vec<i16>> {
    let mut lanes = vec![Vec::new(); LANES];
    for synapse in row {
        let place = 2 * (neurons * synapse.delay + synapse.target / LANES);
        let half = i64::from(synapse.weight) * (1 << bits) + place as i64;
        lanes[synapse.target % LANES].push(saturate(half));
    }
    lanes
}
