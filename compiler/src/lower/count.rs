//! What the program counts about itself.
//!
//! Contract: where the placement has a table of counters, [`Lowering::counted`] adds to a row of it what a piece of code takes;
//! otherwise it is that code and nothing else. Between the reading of `minstret` before the code and that behind it is the
//! code and the first reading itself; between those of `mcycle` are those of `minstret` too. A row that counts nothing shows
//! how much that is ([`fenn_isa::image::manifest::PhaseKind::Nothing`]).
//!
//! A CSR access is a barrier to [`crate::passes`], so that no instruction leaves the code that it is counted in.

use fenn_isa::Op;
use fenn_isa::csr::{CSRS, Register};

use super::{Address, Lowering};
use crate::ir::{Arg, Reg};

/// Bytes of a row: two counters of 64 bits.
const ROW: u32 = 16;

impl Lowering<'_> {
    /// Lets the counters count, where anything looks at them, and begins the table anew.
    pub(super) fn start_counting(&mut self) {
        if self.placement.counters.is_some() || self.placement.marks.is_some() {
            self.code.emit(Op::Csrrw, &[Arg::Zero, address(Register::Mcountinhibit), Arg::Zero]);
        }
        if let Some((table, rows)) = self.placement.counters {
            self.clear_words(Address { base: None, offset: table.into() }, ROW / 4 * rows);
        }
    }

    /// `body`, counted in a row.
    pub(super) fn counted(&mut self, row: usize, body: impl FnOnce(&mut Self)) {
        let Some((table, _)) = self.placement.counters else { return body(self) };
        let cycles = self.counter(Register::Mcycle);
        let instructions = self.counter(Register::Minstret);
        body(self);
        let instructions_then = self.counter(Register::Minstret);
        let cycles_then = self.counter(Register::Mcycle);
        let at = Address { base: None, offset: i64::from(table) + i64::from(ROW) * row as i64 };
        let (base, offset) = self.reach(at, ROW.into());
        self.accumulate(cycles, cycles_then, base, offset);
        self.accumulate(instructions, instructions_then, base, offset + 8);
    }

    /// The lower half of a counter.
    pub(super) fn counter(&mut self, register: Register) -> Reg {
        self.code.def_x(Op::Csrrs, &[address(register), Arg::Zero])
    }

    /// Adds `then - before`, which is below 2^32, to the 64 bits at `offset(base)`.
    fn accumulate(&mut self, before: Reg, then: Reg, base: Arg, offset: i64) {
        let (low, high) = (Arg::Imm(offset), Arg::Imm(offset + 4));
        let taken = self.code.def_x(Op::Sub, &[then.into(), before.into()]);
        let old = self.code.def_x(Op::Lw, &[low, base]);
        let sum = self.code.def_x(Op::Add, &[old.into(), taken.into()]);
        self.code.emit(Op::Sw, &[sum.into(), low, base]);
        let carry = self.code.def_x(Op::Sltu, &[sum.into(), taken.into()]);
        let old = self.code.def_x(Op::Lw, &[high, base]);
        let sum = self.code.def_x(Op::Add, &[old.into(), carry.into()]);
        self.code.emit(Op::Sw, &[sum.into(), high, base]);
    }
}

/// A CSR as an operand.
fn address(register: Register) -> Arg {
    Arg::Imm(CSRS[register as usize].address.into())
}
