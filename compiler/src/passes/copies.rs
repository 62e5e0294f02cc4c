//! Removes copies of registers.
//!
//! Contract: a copy goes, and its register becomes the one it is a copy of, where that cannot be told from before: where
//! neither is ever written again, or where the one is not wanted any more from the copy on, and the other not before it.
//! Where a computed jump relies on the layout nothing goes. There is no move instruction; additions of zero and shifts by nothing are copies.

use std::collections::BTreeMap;

use fenn_isa::Op;

use super::Context;
use crate::ir::flow::laid_out;
use crate::ir::{Arg, Code, Inst, Item, Reg};
use crate::regalloc::liveness::intervals;

/// Runs the pass.
pub fn run(code: &mut Code, _context: &Context) {
    while let Some((at, from, to)) = copy(code) {
        code.items.remove(at);
        for item in &mut code.items {
            let Item::Inst(inst) = item else { continue };
            inst.args.iter_mut().filter(|arg| **arg == Arg::Reg(to)).for_each(|arg| *arg = Arg::Reg(from));
        }
    }
}

/// What the instruction copies where, if it is a copy.
fn copied(inst: &Inst) -> Option<(Reg, Reg)> {
    let (from, to) = match (inst.op, inst.args.as_slice()) {
        (
            Op::Addi | Op::Ori | Op::Xori | Op::Slli | Op::Srli | Op::Srai | Op::VSlli | Op::VSrai | Op::VSraiRn,
            [Arg::Reg(to), Arg::Reg(from), Arg::Imm(0)],
        )
        | (
            Op::Add | Op::Or | Op::Xor,
            [Arg::Reg(to), Arg::Reg(from), Arg::Zero] | [Arg::Reg(to), Arg::Zero, Arg::Reg(from)],
        )
        | (Op::Sub, [Arg::Reg(to), Arg::Reg(from), Arg::Zero]) => (*from, *to),
        _ => return None,
    };
    Some((from, to))
}

/// A copy that can go: its item, and the two registers.
fn copy(code: &Code) -> Option<(usize, Reg, Reg)> {
    let copies = || {
        let items = code.items.iter().enumerate();
        items.filter_map(|(at, item)| if let Item::Inst(inst) = item { Some((at, copied(inst)?)) } else { None })
    };
    copies().next()?;
    let fixed = laid_out(code);
    let mut writes: BTreeMap<Reg, u32> = BTreeMap::new();
    code.insts().flat_map(Inst::defs).for_each(|def| *writes.entry(def).or_default() += 1);
    let intervals: BTreeMap<Reg, (usize, usize)> =
        intervals(code).into_iter().map(|interval| (interval.reg, (interval.start, interval.end))).collect();
    let found = copies().find(|(at, (from, to))| {
        let never_again = writes[from] == 1 && writes[to] == 1;
        let one_after_the_other = intervals[from].1 <= 2 * at && intervals[to].0 > 2 * at;
        !fixed[*at] && (from == to || never_again || one_after_the_other)
    });
    found.map(|(at, (from, to))| (at, from, to))
}
