//! Rows of synapses as they lie in DRAM, reckoned from the column alone.
//!
//! Contract: a row has the synapses of one neuron with one delay, 32 to a vector, each in the lane of its target, so that it is as
//! long as its fullest lane asks for; rows of so many neighbours are as long as the longest of them. This is a second
//! reckoning beside the compiler's, of which the program's report gives the sum.

use super::drawn::Column;

/// Lanes of a vector, and neurons in a word of spikes.
const LANES: usize = 32;
/// Bytes of a vector.
const VECTOR: u64 = 64;
/// Delays there can be, in steps.
const DELAYS: usize = 64;

/// Bytes that a spike of each neuron brings from DRAM, altogether after all delays, where rows of `neighbours` neurons are equally
/// long; and the bytes of all rows.
pub(super) fn bytes(column: &Column, neighbours: usize) -> (Vec<u64>, u64) {
    let neurons = column.initial.len();
    let mut of_neuron = vec![0; neurons];
    for first in (0..neurons).step_by(neighbours) {
        let group = first..(first + neighbours).min(neurons);
        let mut longest = [0u64; DELAYS];
        for neuron in group.clone() {
            let mut counts = [[0u64; LANES]; DELAYS];
            for synapse in column.row(neuron) {
                counts[usize::from(synapse.delay) % DELAYS][synapse.target as usize % LANES] += 1;
            }
            for (longest, counts) in longest.iter_mut().zip(&counts) {
                *longest = counts.iter().copied().max().unwrap_or(0).max(*longest);
            }
        }
        of_neuron[group].fill(VECTOR * longest.iter().sum::<u64>());
    }
    let all = of_neuron.iter().sum();
    (of_neuron, all)
}

#[cfg(test)]
mod tests {
    use super::super::drawn::Synapse;
    use super::super::model::Model;
    use super::*;

    /// Two targets in one lane are two vectors, two delays two rows; neighbours have as much.
    #[test]
    fn rows_are_as_long_as_their_fullest_lane() {
        let synapse = |target, delay| Synapse { target, weight: 1.0, delay };
        let column = Column {
            model: Model::new(0.02),
            initial: vec![0.0; 3],
            starts: vec![0, 3, 4, 4],
            synapses: vec![synapse(0, 5), synapse(1, 5), synapse(32, 5), synapse(7, 9)],
        };
        assert_eq!(bytes(&column, 1), (vec![128, 64, 0], 192));
        assert_eq!(bytes(&column, 2), (vec![192, 192, 0], 384));
        assert_eq!(bytes(&column, 4), (vec![192, 192, 192], 576));
    }
}
