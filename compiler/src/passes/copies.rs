//! Removes copies of registers.
//!
//! Contract: a copy goes, and its two registers become one, where nobody can tell: where neither is written while the other's
//! value is still wanted, but for the copy itself. Copies in inner loops go first, since joining two registers may keep others
//! apart. Where a computed jump relies on the layout nothing goes. There is no move instruction; additions of zero and shifts
//! by nothing are copies.

use std::collections::{BTreeMap, BTreeSet};

use fenn_isa::Op;

use super::Context;
use crate::ir::flow::{Flow, Liveness, laid_out};
use crate::ir::{Arg, Code, Inst, Item, Reg};
use crate::regalloc::liveness::depths;

/// Runs the pass.
pub fn run(code: &mut Code, _context: &Context) {
    let fixed = laid_out(code);
    let depths = depths(code);
    let items = code.items.iter().enumerate().filter(|(at, _)| !fixed[*at]);
    let mut copies: Vec<(usize, Reg, Reg)> = items
        .filter_map(|(at, item)| if let Item::Inst(inst) = item { Some((at, copied(inst)?)) } else { None })
        .map(|(at, (from, to))| (at, from, to))
        .collect();
    if copies.is_empty() {
        return;
    }
    copies.sort_by_key(|(at, ..)| (-depths[*at], *at));
    let mut classes = Classes::of(code, &copies);
    let gone: BTreeSet<usize> =
        copies.iter().filter(|(_, from, to)| classes.join(*from, *to)).map(|(at, ..)| *at).collect();
    let items = std::mem::take(&mut code.items).into_iter().enumerate();
    code.items = items.filter(|(at, _)| !gone.contains(at)).map(|(_, item)| item).collect();
    for item in &mut code.items {
        let Item::Inst(inst) = item else { continue };
        for arg in &mut inst.args {
            if let Arg::Reg(reg) = arg {
                *reg = classes.name(*reg);
            }
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

/// A set of small numbers.
#[derive(Clone)]
struct Bits(Vec<u64>);

impl Bits {
    fn insert(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn union(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }
}

/// The registers that are copied, in classes of those that have become one.
struct Classes {
    numbers: BTreeMap<Reg, usize>,
    registers: Vec<Reg>,
    /// The class of each register: the number of its first member.
    class: Vec<usize>,
    members: Vec<Bits>,
    /// The registers that must not become one with any of a class.
    apart: Vec<Bits>,
}

impl Classes {
    fn of(code: &Code, copies: &[(usize, Reg, Reg)]) -> Self {
        let registers: BTreeSet<Reg> = copies.iter().flat_map(|(_, from, to)| [*from, *to]).collect();
        let registers: Vec<Reg> = registers.into_iter().collect();
        let numbers: BTreeMap<Reg, usize> = registers.iter().enumerate().map(|(number, reg)| (*reg, number)).collect();
        let none = Bits(vec![0; registers.len().div_ceil(64)]);
        let mut members = vec![none.clone(); registers.len()];
        members.iter_mut().enumerate().for_each(|(number, members)| members.insert(number));
        let class = (0..registers.len()).collect();
        let mut classes = Self { numbers, class, members, apart: vec![none; registers.len()], registers };
        let flow = Flow::of(code);
        let liveness = Liveness::of(code, &flow);
        for (block, mut live) in flow.blocks.iter().zip(liveness.live_out) {
            for item in code.items[block.items.clone()].iter().rev() {
                let Item::Inst(inst) = item else { continue };
                for def in inst.defs() {
                    if let Some(number) = classes.numbers.get(&def).copied() {
                        let copy = copied(inst).filter(|(_, to)| *to == def).map(|(from, _)| from);
                        for other in 0..classes.registers.len() {
                            let reg = classes.registers[other];
                            if reg != def && reg.file == def.file && Some(reg) != copy && live.contains(reg) {
                                classes.apart[number].insert(other);
                                classes.apart[other].insert(number);
                            }
                        }
                    }
                }
                inst.defs().for_each(|def| live.remove(def));
                inst.uses().for_each(|used| live.insert(used));
            }
        }
        classes
    }

    /// Makes two registers one, if they may be; whether they are now.
    fn join(&mut self, a: Reg, b: Reg) -> bool {
        let [a, b] = [a, b].map(|reg| self.class[self.numbers[&reg]]);
        if a == b {
            return true;
        }
        if self.apart[a].meets(&self.members[b]) || self.apart[b].meets(&self.members[a]) {
            return false;
        }
        let (kept, gone) = (a.min(b), a.max(b));
        let (members, apart) = (self.members[gone].clone(), self.apart[gone].clone());
        self.members[kept].union(&members);
        self.apart[kept].union(&apart);
        self.class.iter_mut().filter(|class| **class == gone).for_each(|class| *class = kept);
        true
    }

    /// The register that stands for this one now.
    fn name(&self, reg: Reg) -> Reg {
        self.numbers.get(&reg).map_or(reg, |number| self.registers[self.class[*number]])
    }
}
