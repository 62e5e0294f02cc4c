//! Rows with delays: a number for each target that holds its weight and when it is due.
//!
//! The address of a sum is found in two instructions: `vandadd` takes the delay out of the number and adds where the block's
//! sums are by now, and `vand` turns that round the ring's end. With the loads of number and sum, `vsrai` for the weight, the
//! addition and the store that is seven instructions for 32 synapses; all blocks follow each other in straight code, which
//! the scheduler interleaves.

use fenn_isa::Op;
use fenn_isa::memory::VECTOR_BYTES;
use fenn_isa::operand::OperandKind;

use super::Lowering;
use crate::ir::{Arg, ROWS, Reg};
use crate::place::{Delayed, Ring, TIMED};

/// Registers that the addition of rows with delays keeps from spike to spike.
pub(super) struct DelayedAdder {
    rows: Delayed,
    ring: Ring,
    /// Where the sums of each block are by now; of the first one only, if there are many.
    times: Vec<Reg>,
    /// A ring's bytes less 1.
    mask: Reg,
    /// Where the ring begins, if no immediate reaches it.
    base: Option<Reg>,
}

/// As many vectors of a row as one register reaches.
const REACHED: u32 = 2048 / VECTOR_BYTES;

impl Lowering<'_> {
    /// Prepares for a loop.
    pub(super) fn delayed_adder(&mut self, rows: &Delayed) -> DelayedAdder {
        let (ring, time) = (self.placement.rings[rows.ring], self.step.rings[rows.ring]);
        let separate = if rows.blocks <= TIMED { rows.blocks } else { 1 };
        let block = 2 * i64::from(ring.slots);
        let mut times = vec![time];
        times.extend((1..separate).map(|index| self.plus(time, block * i64::from(index))));
        let mask = self.code.def_v(Op::VLui, &[i64::from(ring.bytes - 1).into()]);
        let start = 2 * i64::from(ring.row);
        let reachable = OperandKind::Imm12.range().contains(&start);
        let base = (!reachable).then(|| self.code.def_v(Op::VLui, &[start.into()]));
        DelayedAdder { rows: *rows, ring, times, mask, base }
    }

    /// Adds the row at `row` in vector memory.
    pub(super) fn add_delayed_row(&mut self, adder: &DelayedAdder, row: Reg) {
        let DelayedAdder { rows, ring, times, mask, base } = adder;
        let add = if rows.saturating { Op::VAddS } else { Op::VAdd };
        let bits = i64::from(rows.bits);
        let start = if base.is_some() { 0 } else { 2 * i64::from(ring.row) };
        let mut row = row;
        let mut moving = None;
        for block in 0..rows.blocks {
            if block > 0 && block % REACHED == 0 {
                row = self.plus(row, i64::from(REACHED * VECTOR_BYTES));
            }
            let time = match times.get(block as usize) {
                Some(time) => *time,
                None => {
                    let before = moving.unwrap_or(times[0]);
                    self.plus(before, 2 * i64::from(ring.slots))
                }
            };
            moving = Some(time);
            let code = &mut self.code;
            let word = code.def_v(Op::VLoadV, &[i64::from(block % REACHED * VECTOR_BYTES).into(), row.into()]);
            code.within(ROWS);
            let mut address = code.def_v(Op::VAndAdd, &[word.into(), time.into(), bits.into()]);
            address = code.def_v(Op::VAnd, &[address.into(), Arg::Reg(*mask)]);
            if let Some(base) = base {
                address = code.def_v(Op::VAdd, &[address.into(), Arg::Reg(*base)]);
            }
            let sum = code.def_v(Op::VLoadL, &[start.into(), address.into()]);
            code.fresh();
            let weight = code.def_v(Op::VSrai, &[word.into(), bits.into()]);
            let sum = code.def_v(add, &[sum.into(), weight.into()]);
            code.emit(Op::VStoreL, &[sum.into(), start.into(), address.into()]);
        }
    }
}
