//! Shared rows: of neurons whose synapses are the same but for the place of their targets, the weights are stored once.
//!
//! Contract: a shared row has one vector of weights for each block of 32 targets that it may touch, with 0 where there is
//! no synapse, and every row of a projection touches blocks at the same distances from its first one. A neuron has its
//! row's number and that first block. The rows of a convolution are like that: they differ with the source's channel
//! and column, and with its row only as far as a block has several rows of targets, and at the edges.
//!
//! Not here: whether that is worth while ([`super::choose`]).

use std::collections::{BTreeSet, HashMap};

use fenn_isa::memory::LANES;

use crate::network::Weights;

/// The most blocks of a row: all are gone through in straight code.
const MOST_BLOCKS: usize = 64;
/// The most weights that are looked at: what is beyond is no small kernel, and would take seconds.
const MOST_WEIGHTS: u64 = 1 << 28;

/// The rows of a projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patterns {
    /// Distances of the blocks of a row from its first one, rising from 0.
    pub(super) distances: Vec<u32>,
    /// For each source neuron, the number of its row and the first block.
    pub(super) places: Vec<(u32, u32)>,
    /// The weights of all rows, one vector for each of `distances`.
    pub(super) weights: Vec<i16>,
}

impl Patterns {
    /// How many different rows there are.
    pub(super) fn count(&self) -> usize {
        self.weights.len() / (self.distances.len().max(1) * LANES)
    }

    /// The shared rows of weights, none of whose rows has a target twice, or `None` if they are too long or too irregular.
    pub(super) fn of(weights: &Weights, sources: u32, size: u32) -> Option<Self> {
        let blocks = size.div_ceil(LANES as u32);
        let mut distances = BTreeSet::from([0]);
        let mut touched = Vec::new();
        for source in 0..sources {
            touch(weights, source, size, &mut touched);
            let first = touched.first().copied().unwrap_or(0);
            distances.extend(touched.iter().map(|block| block - first));
            if distances.len() > MOST_BLOCKS {
                return None;
            }
        }
        let distances: Vec<u32> = distances.into_iter().collect();
        let (vectors, last) = (distances.len(), distances.last().copied().unwrap_or(0));
        if u64::from(sources) * (vectors * LANES) as u64 > MOST_WEIGHTS || last >= blocks {
            return None;
        }
        let mut known: HashMap<Vec<i16>, u32> = HashMap::new();
        let mut result = Self { distances, places: Vec::new(), weights: Vec::new() };
        for source in 0..sources {
            touch(weights, source, size, &mut touched);
            let first = result.first_block(&touched, blocks - 1 - last)?;
            let mut row = vec![0; vectors * LANES];
            weights.row(source, size, |synapse| {
                if synapse.weight != 0 {
                    let distance = synapse.target / LANES as u32 - first;
                    let vector = result.distances.partition_point(|other| *other < distance);
                    row[vector * LANES + synapse.target as usize % LANES] = synapse.weight;
                }
            });
            let next = known.len() as u32;
            let number = known.get(&row).copied();
            if number.is_none() {
                result.weights.extend(&row);
                known.insert(row, next);
            }
            result.places.push((number.unwrap_or(next), first));
        }
        Some(result)
    }

    /// The greatest first block, `most` or below, from which the touched ones are at distances that a row has.
    fn first_block(&self, touched: &[u32], most: u32) -> Option<u32> {
        let Some(lowest) = touched.first() else { return Some(0) };
        let has = |distance: u32| self.distances.binary_search(&distance).is_ok();
        let firsts = self.distances.iter().filter_map(|distance| lowest.checked_sub(*distance));
        firsts.into_iter().find(|first| *first <= most && touched.iter().all(|block| has(block - first)))
    }
}

/// The blocks that a row touches, rising.
fn touch(weights: &Weights, source: u32, size: u32, touched: &mut Vec<u32>) {
    touched.clear();
    weights.row(source, size, |synapse| {
        if synapse.weight != 0 {
            touched.push(synapse.target / LANES as u32);
        }
    });
    touched.sort_unstable();
    touched.dedup();
}
