//! A column drawn from a seed: who is joined with whom, how strongly, after how long, and how the neurons begin.
//!
//! Contract: [`Column::draw`] depends on the model and the seed alone. Numbers are real here; [`Column::codes`] rounds them for the
//! machine. Weights count tenths of a mean excitatory synapse, so that the model's are 10, 20 and −40.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};

use super::model::{DELAY_BOUNDS, DELAYS, Model, POPULATIONS, STEP, WEIGHT_SPREAD, inhibitory, strength};

/// Parts that a mean excitatory synapse is counted in.
pub(super) const PARTS: f64 = 10.0;

/// Random numbers with the same bits everywhere.
#[derive(Debug)]
pub(super) struct Stream {
    generator: Pcg64,
    spare: Option<f64>,
}

impl Stream {
    /// For one of several purposes under a seed.
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        let generator = Pcg64::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(purpose));
        Self { generator, spare: None }
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of so many: the high half of a product, whose bias is below 2⁻³².
    pub(super) fn below(&mut self, count: u32) -> u32 {
        ((u128::from(self.generator.next_u64()) * u128::from(count)) >> 64) as u32
    }

    /// Mean 0, standard deviation 1: the polar method.
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let factor = (-2.0 * libm::log(square) / square).sqrt();
                self.spare = Some(y * factor);
                return x * factor;
            }
        }
    }
}

/// One synapse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Synapse {
    /// The neuron it acts on.
    pub(super) target: u32,
    /// In tenths of a mean excitatory synapse; its sign is that of its source.
    pub(super) weight: f32,
    /// In steps.
    pub(super) delay: u8,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    /// What it is drawn of.
    pub(super) model: Model,
    /// Potentials over rest to begin with, mV.
    pub(super) initial: Vec<f64>,
    /// Where each neuron's synapses begin, and where the last one's end.
    pub(super) starts: Vec<u32>,
    /// Synapses, by source and then by target.
    pub(super) synapses: Vec<Synapse>,
}

impl Column {
    /// The column of a seed.
    pub(super) fn draw(model: Model, seed: u64) -> Self {
        let (firsts, neurons) = (model.firsts(), model.neurons() as usize);
        let mut rows: Vec<Vec<Synapse>> = vec![Vec::new(); neurons];
        for target in 0..POPULATIONS {
            for source in 0..POPULATIONS {
                let mut stream = Stream::new(seed, (target * POPULATIONS + source) as u64);
                let mean = PARTS * strength(target, source);
                let (delay, spread) = DELAYS[usize::from(inhibitory(source))];
                let (delay, spread) = (delay / STEP, spread / STEP);
                for _ in 0..model.synapses[target][source] {
                    let from = firsts[source] + stream.below(model.sizes[source]);
                    let to = firsts[target] + stream.below(model.sizes[target]);
                    let size = (mean.abs() * (1.0 + WEIGHT_SPREAD * stream.normal())).max(0.0);
                    let steps = loop {
                        let steps = delay + spread * stream.normal();
                        if (DELAY_BOUNDS.0..=DELAY_BOUNDS.1).contains(&steps) {
                            break steps.round() as u8;
                        }
                    };
                    let weight = size.copysign(mean) as f32;
                    rows[from as usize].push(Synapse { target: to, weight, delay: steps });
                }
            }
        }
        let mut starts = vec![0];
        let mut synapses = Vec::with_capacity(model.total() as usize);
        for mut row in rows {
            row.sort_by_key(|synapse| synapse.target);
            synapses.append(&mut row);
            starts.push(synapses.len() as u32);
        }
        let mut stream = Stream::new(seed, 1 << 16);
        let initial = model
            .sizes
            .iter()
            .zip(model.initial)
            .flat_map(|(size, (mean, sd))| (0..*size).map(|_| mean + sd * stream.normal()).collect::<Vec<f64>>());
        let initial = initial.collect();
        Self { model, initial, starts, synapses }
    }

    /// The synapses of a neuron.
    pub(super) fn row(&self, neuron: usize) -> &[Synapse] {
        &self.synapses[self.starts[neuron] as usize..self.starts[neuron + 1] as usize]
    }

    /// Weights as codes, in the order of the synapses.
    pub(super) fn codes(&self) -> impl Iterator<Item = i16> + '_ {
        self.synapses.iter().map(|synapse| synapse.weight.round() as i16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_the_moments_of_its_model() {
        let model = Model::new(0.02);
        let column = Column::draw(model.clone(), 4);
        assert_eq!(column.synapses.len() as u64, model.total());
        assert_eq!(column, Column::draw(model.clone(), 4));
        assert_ne!(column.synapses, Column::draw(model.clone(), 5).synapses);
        // From layer 4 to layer 2/3: the doubled ones.
        let firsts = model.firsts();
        let mut weights = Vec::new();
        for neuron in firsts[2]..firsts[3] {
            weights.extend(
                column.row(neuron as usize).iter().filter(|s| s.target < firsts[1]).map(|s| f64::from(s.weight)),
            );
        }
        assert_eq!(weights.len() as u64, model.synapses[0][2]);
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let sd = (weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / weights.len() as f64).sqrt();
        assert!((mean - 20.0).abs() < 0.1 && (sd - 2.0).abs() < 0.1, "{mean} {sd}");
        for neuron in 0..model.neurons() {
            let negative = inhibitory(model.population(neuron));
            assert!(
                column.row(neuron as usize).iter().all(|s| (s.weight < 0.0) == negative && (1..=43).contains(&s.delay))
            );
        }
    }
}
