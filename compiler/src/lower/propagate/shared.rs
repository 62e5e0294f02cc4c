//! Shared rows: a vector of weights for each of some blocks, which lie as far apart for every neuron.
//!
//! The address of a neuron's first block is in the table; put into all lanes of a register, immediates reach the others from
//! it. That is four instructions for each block.

use fenn_isa::Op;
use fenn_isa::memory::VECTOR_BYTES;

use super::super::lanes::{At, load, store};
use super::Lowering;
use crate::ir::Reg;
use crate::place::SharedRows;

/// As many vectors of a row as one register reaches.
const REACHED: u32 = 2048 / VECTOR_BYTES;
/// What immediates reach in lane-local memory.
const REACHED_BYTES: u32 = 2048;

impl Lowering<'_> {
    /// The row and the first block of the neuron whose place in the table is at `entry`.
    pub(super) fn shared_row_of(&mut self, entry: Reg) -> (Reg, Reg) {
        let row = self.code.def_x(Op::Lw, &[0.into(), entry.into()]);
        let first = self.code.def_x(Op::Lw, &[4.into(), entry.into()]);
        (row, first)
    }

    /// Adds the row at `row` in vector memory from the block at `first` on.
    pub(super) fn add_shared_row(&mut self, rows: &SharedRows, row: Reg, first: Reg) {
        let add = if rows.saturating { Op::VAddS } else { Op::VAdd };
        let (mut row, mut start) = (row, 0);
        let mut blocks = self.code.def_v(Op::VFill, &[first.into()]);
        for (index, distance) in (0..).zip(&rows.distances) {
            if index > 0 && index % REACHED == 0 {
                row = self.plus(row, i64::from(REACHED * VECTOR_BYTES));
            }
            if distance - start >= REACHED_BYTES {
                let further = self.plus(first, (*distance).into());
                blocks = self.code.def_v(Op::VFill, &[further.into()]);
                start = *distance;
            }
            let code = &mut self.code;
            let weights = code.def_v(Op::VLoadV, &[i64::from(index % REACHED * VECTOR_BYTES).into(), row.into()]);
            let at = At::new(blocks.into(), i64::from(distance - start), 0);
            let sum = load(code, at);
            let sum = code.def_v(add, &[sum.into(), weights.into()]);
            store(code, sum, at);
        }
    }
}
