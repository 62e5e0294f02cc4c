//! How an output's steps become one number per neuron, and the numbers a class.
//!
//! Contract: per neuron `n`, over the steps `t` kept, with codes `c`:
//!
//! | readout | integer result | in real units |
//! | --- | --- | --- |
//! | `last` | `c[T−1][n]` | `· 2^−Y` |
//! | `mean` | `Σ_t c[t][n]`, the sum, which is exact | `· 2^−Y / T` |
//! | `max` | `max_t c[t][n]` | `· 2^−Y` |
//! | `count` | number of spikes | the same |
//!
//! The class is the neuron with the greatest integer result, the first of equals; real units play no part in it.

use fenn_isa::image::manifest::Readout;

use super::array::{Array, Values};

/// One output of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Result {
    /// The integer result of each neuron.
    pub codes: Vec<i64>,
    /// The same in real units.
    pub scores: Vec<f64>,
}

impl Result {
    /// The neuron with the greatest result, the first of equals.
    pub fn class(&self) -> u32 {
        let first_greatest = |best: usize, next: usize| if self.codes[next] > self.codes[best] { next } else { best };
        (0..self.codes.len()).reduce(first_greatest).unwrap_or(0) as u32
    }
}

/// The readout of an array. Spikes are counted whatever `readout` is, for that is all that can be done with them; a
/// checked manifest asks for nothing else.
pub fn read(array: &Array, readout: Readout) -> Result {
    match array {
        Array::Spikes(spikes) => {
            let codes = spikes.counts();
            Result { scores: codes.iter().map(|count| *count as f64).collect(), codes }
        }
        Array::Values(values) => read_values(values, readout),
    }
}

fn read_values(values: &Values, readout: Readout) -> Result {
    let steps = |neuron| values.of(neuron).map(i64::from);
    let code = |neuron| match readout {
        Readout::Last => steps(neuron).next_back(),
        Readout::Max => steps(neuron).max(),
        Readout::Mean => Some(steps(neuron).sum()),
        Readout::Count => Some(steps(neuron).filter(|code| *code != 0).count() as i64),
    };
    // An array has at least one step, so there always is a number.
    let codes: Vec<i64> = (0..values.neurons).map(|neuron| code(neuron).unwrap_or(0)).collect();
    let unit = match readout {
        Readout::Last | Readout::Max => values.format.resolution(),
        Readout::Mean => values.format.resolution() / f64::from(values.steps),
        Readout::Count => 1.0,
    };
    let scores = codes.iter().map(|code| *code as f64 * unit).collect();
    Result { codes, scores }
}
