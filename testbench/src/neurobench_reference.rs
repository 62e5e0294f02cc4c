//! NeuroBench's metrics by their definitions (arXiv 2304.04640), for comparison with the profiler's.
//!
//! A network here is layers of weights, each with the input that it had in every step. Everything is counted by going through
//! all pairs of a weight and an input, as the definitions do:
//!
//! | | |
//! | --- | --- |
//! | connection sparsity | zero weights, of all weights |
//! | activation sparsity | zeros, of all outputs of neurons, over layers and steps |
//! | dense synaptic operations | pairs of a weight and an input, in every step |
//! | effective ones | those of a weight and an input that are both not 0; multiply-accumulates (MACs) in steps whose inputs are not all −1, 0 or 1, otherwise accumulates (ACs) |
//!
//! Biases, sums over windows and scalings are not counted. Nothing here knows of the machine, its programs or their manifests.

/// A layer of weights.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layer {
    /// One row for each target, with one number for each source.
    pub weights: Vec<Vec<f64>>,
    /// What each source gave, in every step.
    pub inputs: Vec<Vec<f64>>,
}

/// Counts, all of them of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Weights.
    pub weights: u64,
    /// Those that are 0.
    pub zero_weights: u64,
    /// Pairs of a weight and an input.
    pub dense: u64,
    /// Accumulates.
    pub effective_acs: u64,
    /// Multiply-accumulates.
    pub effective_macs: u64,
}

impl Layer {
    /// Counts of this layer alone.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in &self.weights {
            counts.weights += row.len() as u64;
            counts.zero_weights += row.iter().filter(|weight| **weight == 0.0).count() as u64;
        }
        for input in &self.inputs {
            let accumulates = input.iter().all(|value| [-1.0, 0.0, 1.0].contains(value));
            let mut effective = 0;
            for row in &self.weights {
                for (weight, value) in row.iter().zip(input) {
                    counts.dense += 1;
                    effective += u64::from(*weight != 0.0 && *value != 0.0);
                }
            }
            *(if accumulates { &mut counts.effective_acs } else { &mut counts.effective_macs }) += effective;
        }
        counts
    }
}

/// Counts of all layers together.
pub fn total(layers: &[Layer]) -> Counts {
    layers.iter().map(Layer::counts).fold(Counts::default(), |sum, counts| Counts {
        weights: sum.weights + counts.weights,
        zero_weights: sum.zero_weights + counts.zero_weights,
        dense: sum.dense + counts.dense,
        effective_acs: sum.effective_acs + counts.effective_acs,
        effective_macs: sum.effective_macs + counts.effective_macs,
    })
}

/// Zeros and all outputs of neurons, given each population's outputs in every step.
pub fn activation(populations: &[&[Vec<f64>]]) -> (u64, u64) {
    let outputs = || populations.iter().flat_map(|steps| steps.iter()).flatten();
    (outputs().filter(|output| **output == 0.0).count() as u64, outputs().count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three inputs and three targets: nine products, of which four have a weight and an input that are not 0.
    #[test]
    fn three_by_three() {
        let weights = vec![vec![1.0, 0.0, 3.0], vec![0.0, 5.0, 0.0], vec![7.0, 8.0, 9.0]];
        let layer = |input| Layer { weights: weights.clone(), inputs: vec![input] };
        let expected = Counts { weights: 9, zero_weights: 3, dense: 9, effective_acs: 4, effective_macs: 0 };
        assert_eq!(layer(vec![1.0, 0.0, 1.0]).counts(), expected);
        assert_eq!(layer(vec![-1.0, 0.0, 1.0]).counts(), expected);
        let graded = Counts { effective_acs: 0, effective_macs: 4, ..expected };
        assert_eq!(layer(vec![0.5, 0.0, 1.0]).counts(), graded);
        let twice = total(&[layer(vec![1.0, 0.0, 1.0]), layer(vec![0.5, 0.0, 1.0])]);
        assert_eq!((twice.dense, twice.effective_acs, twice.effective_macs), (18, 4, 4));
        assert_eq!(activation(&[&[vec![0.0, 1.0], vec![0.0, 0.0]]]), (3, 4));
    }
}
