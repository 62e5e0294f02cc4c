//! Spikes through weights: one loop over the spikes of a source ([`super::spikes`]) finds the rows of all projections of a
//! bundle.
//!
//! Contract: spikes act in rising order of neurons, and all synapses of one act before those of the next. One file per kind
//! of row: `dense`, `sparse` (with rings), `one_to_one`, `sorted`; `far` brings rows from DRAM.

use fenn_isa::memory::Space;

use super::spikes::{First, Rows, Spikes};
use super::{Address, Lowering};
use crate::place::{Bundle, Delayed, Dense, Part, SparseRows};

mod delayed;
mod dense;
mod far;
mod one_to_one;
mod ring;
mod sorted;
mod sparse;

/// What one loop over the spikes adds: a part of dense rows, sparse rows, and rows with delays.
type Loop<'a> = (Option<(&'a Dense, dense::Chunk)>, &'a [&'a SparseRows], &'a [&'a Delayed]);

impl Lowering<'_> {
    pub(super) fn propagate(&mut self, index: usize) {
        let bundle = &self.placement.bundles[index];
        let names: Vec<String> =
            bundle.projections.iter().map(|index| symbol(&self.network.projections[*index].name)).collect();
        self.code.name(format!("propagate_{}", names.join("_and_")));
        match &bundle.parts[..] {
            [Part::OneToOne(part)] => self.one_to_one(bundle, part),
            [Part::Sparse(rows)] if !rows.sorted.is_empty() => self.sorted(bundle, rows),
            [Part::Sparse(rows)] if rows.space == Space::Dram => {
                let spikes = self.spikes_of(bundle);
                self.far_sparse(rows, spikes, First::At(rows.table));
            }
            [Part::Delayed(rows)] if rows.space == Space::Dram => self.far_delayed(bundle, rows),
            [Part::Dense(rows)] if rows.space == Space::Dram => self.far_dense(bundle, rows),
            parts => self.near(bundle, parts),
        }
    }

    /// Rows in vector memory, of any number of parts: dense ones in chunks that registers hold.
    fn near(&mut self, bundle: &Bundle, parts: &[Part]) {
        let sparse: Vec<&SparseRows> = parts
            .iter()
            .filter_map(|part| if let Part::Sparse(rows) = part { Some(rows) } else { None })
            .filter(|rows| rows.longest > 0)
            .collect();
        let delayed: Vec<&Delayed> =
            parts.iter().filter_map(|part| if let Part::Delayed(rows) = part { Some(rows) } else { None }).collect();
        let dense = parts.iter().filter_map(|part| if let Part::Dense(rows) = part { Some(rows) } else { None });
        // The first loop, which is for sparse rows too, has vector registers for them.
        let others = (sparse.len() + delayed.len()) as u32;
        let mut held = dense::CHUNK - 6 * others.min(2);
        let mut loops: Vec<Loop> = Vec::new();
        for rows in dense {
            loops.extend(dense::chunks(rows, held).into_iter().map(|chunk| (Some((rows, chunk)), &[][..], &[][..])));
            held = dense::CHUNK;
        }
        if loops.is_empty() {
            loops.push((None, &[], &[]));
        }
        (loops[0].1, loops[0].2) = (&sparse, &delayed);
        let count = loops.len();
        for (index, one) in loops.into_iter().enumerate() {
            if one.0.is_none() && one.1.is_empty() && one.2.is_empty() {
                continue;
            }
            self.near_loop(bundle, one, index + 1 == count);
        }
    }

    fn near_loop(&mut self, bundle: &Bundle, (chunk, sparse, delayed): Loop<'_>, last: bool) {
        let spikes = self.spikes_of(bundle);
        let none = self.code.label();
        let open = self.open_spikes(spikes, last, none);
        let mut rows = Vec::new();
        let sums = chunk.map(|(dense, chunk)| {
            rows.push(Rows { first: First::At(dense.address + chunk.first), stride: dense.row_bytes });
            self.load_sums(&chunk)
        });
        let mut adders = Vec::new();
        for sparse in sparse {
            rows.push(Rows { first: First::At(sparse.table), stride: 4 });
            adders.push(self.adder(sparse));
        }
        let mut delayed_adders = Vec::new();
        for delayed in delayed {
            rows.push(Rows { first: First::At(delayed.address), stride: delayed.row_bytes() });
            delayed_adders.push(self.delayed_adder(delayed));
        }
        self.for_each_spike(open, &rows, false, |lowering, places| {
            let (dense, others) = places.split_at(usize::from(sums.is_some()));
            let (sparse, delayed) = others.split_at(adders.len());
            for (sums, row) in sums.iter().zip(dense) {
                lowering.add_row(sums, *row);
            }
            for (adder, entry) in adders.iter().zip(sparse) {
                let (start, end) = lowering.row_of(*entry);
                lowering.add_sparse_row(adder, start, end);
            }
            for (adder, row) in delayed_adders.iter().zip(delayed) {
                lowering.add_delayed_row(adder, *row);
            }
        });
        if let Some(sums) = sums {
            self.store_sums(&sums);
        }
        self.code.bind(none);
    }
}

/// `name` with everything replaced that does not belong into an assembler's symbol.
pub(super) fn symbol(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
