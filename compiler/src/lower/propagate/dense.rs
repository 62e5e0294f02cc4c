//! Dense rows: a number for each target.
//!
//! The targets' vectors are held in registers while the spikes are scanned, so that a spike costs one load and one addition
//! per vector. Targets of more than [`CHUNK`] vectors are done in chunks, each with a scan of its own; the order of
//! additions to a neuron is that of the spikes all the same.

use fenn_isa::Op;
use fenn_isa::memory::VECTOR_BYTES;

use super::super::lanes::{At, Pointers, load, store};
use super::Lowering;
use crate::ir::{ROWS, Reg};
use crate::place::{Dense, DenseTarget};

/// The most vectors of sums held in registers at once; the last is reached by a load's immediate.
pub(super) const CHUNK: u32 = crate::place::CHUNK;

/// A part of a dense row.
pub(super) struct Chunk {
    /// Its first byte within the row.
    pub(super) first: u32,
    /// Targets with the first block of each that is in the chunk, and the number of blocks.
    pieces: Vec<(DenseTarget, u32, u32)>,
}

impl Chunk {
    pub(super) fn bytes(&self) -> u32 {
        self.pieces.iter().map(|(.., count)| count * VECTOR_BYTES).sum()
    }
}

/// How many of the first chunks are alike: as many blocks each, of one target.
pub(super) fn alike(chunks: &[Chunk]) -> usize {
    let Some(Chunk { pieces, .. }) = chunks.first() else { return 0 };
    let [(target, _, count)] = &pieces[..] else { return 1 };
    let same = |chunk: &&Chunk| matches!(&chunk.pieces[..], [(other, _, number)] if (other, number) == (target, count));
    chunks.iter().take_while(same).count()
}

/// Where the vectors of sums are that a chunk adds to, and how.
pub(super) struct Places(Vec<(At, Op)>);

/// Sums in registers.
pub(super) struct Sums(Vec<Sum>);

struct Sum {
    register: Reg,
    at: At,
    add: Op,
}

/// A row in as few equal chunks as have `held` vectors at most.
pub(super) fn chunks(rows: &Dense, held: u32) -> Vec<Chunk> {
    let total: u32 = rows.targets.iter().map(|target| target.blocks).sum();
    let size = total.div_ceil(total.div_ceil(held).max(1));
    let mut chunks: Vec<Chunk> = Vec::new();
    let (mut room, mut at) = (0, 0);
    for target in &rows.targets {
        let mut first = 0;
        while first < target.blocks {
            if room == 0 {
                chunks.push(Chunk { first: at * VECTOR_BYTES, pieces: Vec::new() });
                room = size;
            }
            let count = room.min(target.blocks - first);
            if let Some(chunk) = chunks.last_mut() {
                chunk.pieces.push((*target, first, count));
            }
            (first, at, room) = (first + count, at + count, room - count);
        }
    }
    chunks
}

impl Lowering<'_> {
    pub(super) fn load_sums(&mut self, chunk: &Chunk) -> Sums {
        let places = self.places(chunk, &mut Pointers::default());
        self.load_places(&places)
    }

    /// The places of a chunk's sums, from registers of `pointers`.
    pub(super) fn places(&mut self, chunk: &Chunk, pointers: &mut Pointers) -> Places {
        let mut places = Vec::new();
        for (target, first, count) in &chunk.pieces {
            let home = self.placement.populations[target.population].variables[target.variable].behind_blocks(*first);
            let place = pointers.point(self, home, *count);
            let add = if target.saturating { Op::VAddS } else { Op::VAdd };
            places.extend((0..*count).map(|block| (place.behind(block), add)));
        }
        Places(places)
    }

    pub(super) fn load_places(&mut self, places: &Places) -> Sums {
        let load = |(at, add): &(At, Op)| Sum { register: load(&mut self.code, *at), at: *at, add: *add };
        Sums(places.0.iter().map(load).collect())
    }

    pub(super) fn store_sums(&mut self, sums: &Sums) {
        sums.0.iter().for_each(|sum| store(&mut self.code, sum.register, sum.at));
    }

    /// Adds the row at `row` in vector memory. Each vector is loaded one before it is added.
    pub(super) fn add_row(&mut self, sums: &Sums, row: Reg) {
        let mut loaded = None;
        for (index, sum) in sums.0.iter().enumerate() {
            let weights = self.code.def_v(Op::VLoadV, &[(index as i64 * i64::from(VECTOR_BYTES)).into(), row.into()]);
            self.code.within(ROWS);
            if let Some((before, weights)) = loaded.replace((sum, weights)) {
                self.add(before, weights);
            }
        }
        if let Some((last, weights)) = loaded {
            self.add(last, weights);
        }
    }

    fn add(&mut self, sum: &Sum, weights: Reg) {
        self.code.emit(sum.add, &[sum.register.into(), sum.register.into(), weights.into()]);
    }
}
