//! Spikes through weights: one loop over the spikes of a source ([`super::spikes`]) finds the rows of all projections of a
//! bundle.
//!
//! Contract: spikes act in rising order of neurons, and all synapses of one act before those of the next. One file per kind
//! of row: `dense`, `sparse` (with rings), `delayed`, `shared`, `one_to_one`, `sorted`; `far` brings rows from DRAM.

use fenn_isa::memory::Space;

use super::spikes::{First, Rows, Spikes, Stride};
use super::{Address, Lowering};
use crate::place::{Bundle, Delayed, Dense, Part, SharedRows, SparseRows};

mod delayed;
mod dense;
mod far;
mod one_to_one;
mod ring;
mod shared;
mod sorted;
mod sparse;

/// What is added for each spike.
enum Adder<'a> {
    Dense(dense::Sums),
    Sparse(sparse::Adder),
    Delayed(delayed::DelayedAdder),
    Shared(&'a SharedRows),
}

/// What one loop over the spikes adds.
enum Piece<'a> {
    Chunk(&'a Dense, dense::Chunk),
    Sparse(&'a SparseRows),
    Delayed(&'a Delayed),
    Shared(&'a SharedRows),
}

impl Lowering<'_> {
    pub(super) fn propagate(&mut self, index: usize) {
        let bundle = &self.placement.bundles[index];
        let names: Vec<String> =
            bundle.projections.iter().map(|index| symbol(&self.network.projections[*index].name)).collect();
        self.code.name(format!("propagate_{}", names.join("_and_")));
        match &bundle.parts[..] {
            [Part::OneToOne(part)] => self.one_to_one(bundle, part),
            [Part::Sparse(rows)] if !rows.sorted.is_empty() => self.sorted(index, bundle, rows),
            [Part::Sparse(rows)] if rows.space == Space::Dram => {
                let spikes = self.spikes_of(bundle);
                self.far_sparse(rows, spikes, Rows { first: First::At(rows.table), stride: Stride::Bytes(4) });
            }
            [Part::Delayed(rows)] if rows.space == Space::Dram => self.far_delayed(bundle, rows),
            [Part::Shared(rows)] if rows.space == Space::Dram => self.far_shared(bundle, rows),
            [Part::Dense(rows)] if rows.space == Space::Dram => self.far_dense(bundle, rows),
            parts => self.near(bundle, parts),
        }
    }

    /// Rows in vector memory, of any number of parts: dense ones in chunks that registers hold, of which each has a loop; the
    /// first loop does all the rest too.
    fn near(&mut self, bundle: &Bundle, parts: &[Part]) {
        let mut first = Vec::new();
        for part in parts {
            match part {
                Part::Sparse(rows) if rows.longest > 0 => first.push(Piece::Sparse(rows)),
                Part::Delayed(rows) => first.push(Piece::Delayed(rows)),
                Part::Shared(rows) => first.push(Piece::Shared(rows)),
                Part::Sparse(_) | Part::Dense(_) | Part::OneToOne(_) => {}
            }
        }
        // Their vector registers are taken.
        let mut held = dense::CHUNK - 6 * (first.len() as u32).min(2);
        let mut loops = vec![first];
        for part in parts {
            let Part::Dense(rows) = part else { continue };
            for chunk in dense::chunks(rows, held) {
                match loops.last_mut() {
                    Some(free) if !free.iter().any(|piece| matches!(piece, Piece::Chunk(..))) => {
                        free.push(Piece::Chunk(rows, chunk));
                    }
                    _ => loops.push(vec![Piece::Chunk(rows, chunk)]),
                }
            }
            held = dense::CHUNK;
        }
        loops.retain(|pieces| !pieces.is_empty());
        let count = loops.len();
        for (index, pieces) in loops.iter().enumerate() {
            self.near_loop(bundle, pieces, index + 1 == count);
        }
    }

    fn near_loop(&mut self, bundle: &Bundle, pieces: &[Piece<'_>], last: bool) {
        let spikes = self.spikes_of(bundle);
        let none = self.code.label();
        let open = self.open_spikes(spikes, last, none);
        let (mut rows, mut adders) = (Vec::new(), Vec::new());
        for piece in pieces {
            let (first, stride, adder) = match piece {
                Piece::Chunk(rows, chunk) => {
                    (rows.address + chunk.first, rows.row_bytes, Adder::Dense(self.load_sums(chunk)))
                }
                Piece::Sparse(rows) => (rows.table, 4, Adder::Sparse(self.adder(rows))),
                Piece::Delayed(rows) => (rows.address, rows.row_bytes(), Adder::Delayed(self.delayed_adder(rows))),
                Piece::Shared(rows) => (rows.table, SharedRows::ENTRY, Adder::Shared(rows)),
            };
            rows.push(Rows { first: First::At(first), stride: Stride::Bytes(stride) });
            adders.push(adder);
        }
        self.for_each_spike(open, &rows, false, |lowering, places| {
            for (adder, place) in adders.iter().zip(places) {
                match adder {
                    Adder::Dense(sums) => lowering.add_row(sums, *place),
                    Adder::Sparse(adder) => {
                        let (start, end) = lowering.row_of(*place);
                        lowering.add_sparse_row(adder, start, end);
                    }
                    Adder::Delayed(adder) => lowering.add_delayed_row(adder, *place),
                    Adder::Shared(rows) => {
                        let (row, first) = lowering.shared_row_of(*place);
                        lowering.add_shared_row(rows, row, first);
                    }
                }
            }
        });
        for adder in &adders {
            if let Adder::Dense(sums) = adder {
                self.store_sums(sums);
            }
        }
        self.code.bind(none);
    }
}

/// `name` with everything replaced that does not belong into an assembler's symbol.
pub(super) fn symbol(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
