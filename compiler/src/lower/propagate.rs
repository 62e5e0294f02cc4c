//! Spikes through weights: for each spike of the source, its weight row is added to the target's variable.
//!
//! The target's vectors are held in registers while the spikes pass ([`super::spikes`]), so that a spike costs one load and
//! one addition per vector. Targets of more than [`CHUNK`] vectors are done in chunks, each with a pass of its own; the
//! order of additions to a neuron is that of the spikes all the same.

use fenn_isa::Op;
use fenn_isa::memory::VECTOR_BYTES;

use super::spikes::{Rows, Spikes};
use super::{Address, Lowering};
use crate::ir::{Arg, Reg};
use crate::place::{Vectors, row_bytes};

/// The most target vectors held in registers at once; the last is reached by a load's immediate.
const CHUNK: u32 = 24;

impl Lowering<'_> {
    pub(super) fn propagate(&mut self, index: usize) {
        let projection = &self.network.projections[index];
        let name = format!("propagate_{}", symbol(&projection.name));
        self.code.name(name);
        let spikes = self.spikes_of(index);
        let target = &self.network.populations[projection.target];
        let saturating = target.kernel.variables[projection.variable].ty.saturating;
        let add = if saturating { Op::VAddS } else { Op::VAdd };
        let place = &self.placement.populations[projection.target];
        let vectors = place.variables[projection.variable];
        let chunks = place.blocks.div_ceil(CHUNK);
        let size = place.blocks.div_ceil(chunks);
        for first in (0..place.blocks).step_by(size as usize) {
            let count = size.min(place.blocks - first);
            let address = i64::from(self.placement.weights[index] + first * VECTOR_BYTES);
            let rows = Rows { address, stride: row_bytes(target.size) as i64 };
            let part = Vectors { address: vectors.address + first * vectors.stride, ..vectors };
            let last = first + count == place.blocks;
            self.propagate_chunk((spikes, last), rows, add, part, count);
        }
    }

    /// Adds the rows of all spikes to `target`, of which `count` vectors are meant. The second of `spikes` says whether this
    /// is the last chunk.
    fn propagate_chunk(&mut self, spikes: (Spikes, bool), rows: Rows, add: Op, target: Vectors, count: u32) {
        let none = self.code.label();
        let open = self.open_spikes(spikes.0, spikes.1, none);
        let address = Address { base: None, offset: target.address.into() };
        let (base, offset) = self.reach(address, i64::from(count * target.stride));
        let at = |block: u32| Arg::Imm(offset + i64::from(block * target.stride));
        let sums: Vec<Reg> = (0..count).map(|block| self.code.def_v(Op::VLoadV, &[at(block), base])).collect();
        self.for_each_spike(open, rows, |lowering, row| {
            for (block, sum) in sums.iter().enumerate() {
                let offset = block as i64 * i64::from(VECTOR_BYTES);
                let weights = lowering.code.def_v(Op::VLoadV, &[offset.into(), row.into()]);
                lowering.code.emit(add, &[(*sum).into(), (*sum).into(), weights.into()]);
            }
        });
        for (block, sum) in sums.iter().enumerate() {
            self.code.emit(Op::VStore, &[(*sum).into(), at(block as u32), base]);
        }
        self.code.bind(none);
    }
}

/// `name` with everything replaced that does not belong into an assembler's symbol.
pub(super) fn symbol(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
