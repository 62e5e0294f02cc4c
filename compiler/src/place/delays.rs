//! Delays by rings of sums or by rows sorted by delay: what each costs.
//!
//! Contract: [`DelayCosts::of`] reckons the cycles of a step either way, with the code of [`crate::lower`] on this project's
//! core and one source neuron in a hundred spiking; [`DelayCosts::cheaper`] takes the lesser, as long as the ring leaves half of
//! lane-local memory to others.
//!
//! The two are not the same network where sums saturate ([`Delays`]), so that whoever makes a network decides before anything
//! is placed; a description that names one gets it.

use fenn_isa::memory::{LANES, MachineConfig};

use super::choose::{FIND, LOOK_UP};
use super::rows::{Member, Rows, Shape};
use crate::network::{Delays, Weights};

/// The part of the source neurons that are taken to spike in a step.
const ACTIVE: f64 = 0.01;
/// Cycles to look at a word of spikes that is 0.
const WORD: f64 = 4.0;
/// Cycles to come from a word of spikes to its bits.
const IN_WORD: f64 = 7.0;
/// Cycles for what is due for 32 neurons in an update, and for the ring as a whole.
const DUE: [f64; 2] = [11.0, 10.0];
/// Cycles of a step for each delay, besides its spikes and the words they are in.
const EACH_DELAY: f64 = 12.0;

/// What delays cost either way, in cycles of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DelayCosts {
    /// Through a ring of sums.
    pub ring: f64,
    /// Sorted by delay.
    pub sorted: f64,
    /// Half-words of each lane that the ring takes.
    pub half_words: u64,
    /// Distinct delays.
    pub distinct: usize,
}

/// Half-words of each lane that a ring may take.
fn room() -> u64 {
    u64::from(MachineConfig::default().lane_local_bytes / 2 / 2)
}

impl DelayCosts {
    /// Of `sources` neurons onto `targets`, with a delay for each of the weights' codes. Kernels of convolutions have no such
    /// delays.
    pub fn of(weights: &Weights, delays: &[u16], sources: u32, targets: u32) -> Self {
        let mut distinct = delays.to_vec();
        distinct.sort_unstable_by(|a, b| b.cmp(a));
        distinct.dedup();
        if distinct.is_empty() {
            distinct.push(0);
        }
        let member = Member { weights, ring: None, sorted: None, size: targets, base: 0, block_bytes: 2 };
        let shape = |member, delays| -> Shape { Rows { members: vec![member], sources, delays }.shape() };
        let through_ring = shape(member, vec![0]).mean();
        let by_delay = shape(Member { sorted: Some(delays), ..member }, distinct.clone()).mean();
        let blocks = f64::from(targets.div_ceil(LANES as u32));
        let words = f64::from(sources.div_ceil(LANES as u32));
        let spikes = ACTIVE * f64::from(sources);
        let count = distinct.len() as f64;
        // Seven instructions for 32 synapses; a number for each target needs no look-up.
        let row = (7.0 * through_ring + LOOK_UP).min(8.0 * blocks);
        // The code of a sorted row without synapses is jumped over all the same.
        let sorted_row = 5.0 * by_delay + LOOK_UP;
        let scans = (WORD * words * count).min((WORD + 1.0) * words + WORD * count * (words / LANES as f64).ceil());
        let slots = u64::from(distinct[0]) + 1;
        Self {
            ring: DUE[0] * blocks + DUE[1] + WORD * words + spikes * (row + FIND + IN_WORD),
            sorted: EACH_DELAY * count + scans + spikes * count * (sorted_row + FIND + IN_WORD),
            half_words: (slots * u64::from(targets.div_ceil(LANES as u32))).next_power_of_two(),
            distinct: distinct.len(),
        }
    }

    /// Whether a ring leaves enough of lane-local memory to others.
    pub fn ring_fits(&self) -> bool {
        self.half_words <= room()
    }

    /// `delays` in the form that costs less.
    pub fn cheaper(&self, delays: Vec<u16>) -> Delays {
        if self.ring_fits() && self.ring <= self.sorted { Delays::Ring(delays) } else { Delays::Sorted(delays) }
    }

    /// The comparison, in words.
    pub fn why(&self) -> String {
        let Self { ring, sorted, half_words, distinct } = self;
        let delays = if *distinct == 1 { "delay" } else { "delays" };
        let room = if self.ring_fits() {
            String::new()
        } else {
            format!(", and its {half_words} half-words of each lane are more than the {} that a ring may take", room())
        };
        format!(
            "with one neuron in a hundred spiking, a ring takes about {ring:.0} cycles a step{room}; sorting by {distinct} \
             {delays} takes {sorted:.0}"
        )
    }
}
