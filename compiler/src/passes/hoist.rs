//! Takes what is the same in every turn out of loops.
//!
//! Contract: an instruction that depends on nothing that its loop changes, and does nothing but write a register that
//! nothing else writes, is executed once before the loop instead, and several equal ones are one. Nothing is taken out
//! that would need more registers than there are, with a few left over for [`super::schedule`]; what removes the most
//! instructions goes first. Inner loops come before outer ones, so that a constant leaves as many as it can.
//!
//! Where a computed jump relies on the layout nothing is taken out.
//!
//! A loop here is what lies between a label and a branch back to it, where control enters at the label only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use fenn_isa::code::Label;
use fenn_isa::timing::draws;
use fenn_isa::{Class, Op};

use super::Context;
use crate::ir::flow::{label_positions, laid_out};
use crate::ir::{Arg, Code, File, Inst, Item, Reg};
use crate::regalloc::liveness::intervals;

/// Registers that may be taken at once in a loop with what has been taken out of it: scalar, vector.
const TAKEN: [i64; 2] = [27, 28];

/// Runs the pass.
pub fn run(code: &mut Code, _context: &Context) {
    let heads: Vec<Label> = loops(code).into_iter().map(|(label, _)| label).collect();
    for head in heads {
        while let Some((_, range)) = loops(code).into_iter().find(|(label, _)| *label == head) {
            if !hoist(code, range) {
                break;
            }
        }
    }
}

/// All loops, inner ones first: the label and the items from it to the last branch back to it.
pub(super) fn loops(code: &Code) -> Vec<(Label, Range<usize>)> {
    let labels = label_positions(code);
    let mut ends: BTreeMap<Label, usize> = BTreeMap::new();
    let mut jumps: Vec<(usize, usize)> = Vec::new();
    for (at, item) in code.items.iter().enumerate() {
        let Item::Inst(inst) = item else { continue };
        for target in inst.targets() {
            let Some(to) = labels.get(&target) else { continue };
            jumps.push((at, *to));
            if *to <= at {
                ends.insert(target, at + 1);
            }
        }
    }
    let entered_elsewhere = |range: &Range<usize>| {
        let jumped = jumps.iter().any(|(at, to)| !range.contains(at) && range.contains(to));
        let started = code.entries.iter().filter_map(|label| labels.get(label)).any(|at| range.contains(at));
        jumped || started
    };
    let ranges = ends.into_iter().map(|(label, end)| (label, labels[&label]..end));
    let mut found: Vec<_> = ranges.filter(|(_, range)| range.start > 0 && !entered_elsewhere(range)).collect();
    found.sort_by_key(|(_, range)| (range.len(), range.start));
    found
}

/// Whether the instruction does nothing but compute a register from others.
fn is_pure(inst: &Inst) -> bool {
    let class = inst.op.spec().class;
    let arithmetic = matches!(
        class,
        Class::Alu | Class::Count | Class::Multiply | Class::MultiplyHigh | Class::VectorAlu | Class::VectorMultiply
    );
    (arithmetic || inst.op == Op::VFill) && !draws(inst.op)
}

/// Instructions that compute the same.
struct Equal {
    op: Op,
    /// All but the destination.
    args: Vec<Arg>,
    /// Their items and destinations.
    members: Vec<(usize, Reg)>,
}

/// Takes out of the loop over the items `range` what can be taken out now; whether there was anything.
fn hoist(code: &mut Code, range: Range<usize>) -> bool {
    let mut definitions: BTreeMap<Reg, u32> = BTreeMap::new();
    let mut changed: BTreeSet<Reg> = BTreeSet::new();
    for (at, item) in code.items.iter().enumerate() {
        let Item::Inst(inst) = item else { continue };
        for def in inst.defs() {
            *definitions.entry(def).or_default() += 1;
            if range.contains(&at) {
                changed.insert(def);
            }
        }
    }
    // Equal instructions by what they compute, in the order of the first of each.
    let mut same: Vec<Equal> = Vec::new();
    let fixed = laid_out(code);
    for at in range.clone().filter(|at| !fixed[*at]) {
        let Item::Inst(inst) = &code.items[at] else { continue };
        let Some(def) = inst.defs().next().filter(|def| definitions[def] == 1) else { continue };
        if !is_pure(inst) || inst.uses().any(|reg| changed.contains(&reg)) {
            continue;
        }
        match same.iter_mut().find(|equal| equal.op == inst.op && equal.args == inst.args[1..]) {
            Some(equal) => equal.members.push((at, def)),
            None => same.push(Equal { op: inst.op, args: inst.args[1..].to_vec(), members: vec![(at, def)] }),
        }
    }
    same.sort_by_key(|equal| std::cmp::Reverse(equal.members.len()));
    let intervals: BTreeMap<Reg, (usize, usize)> =
        intervals(code).into_iter().map(|interval| (interval.reg, (interval.start, interval.end))).collect();
    let (first, last) = (2 * range.start, 2 * range.end - 1);
    let mut taken = [vec![0i64; last + 1 - first], vec![0; last + 1 - first]];
    let mut take = |file: File, (start, end): (usize, usize), count: i64, limit: Option<i64>| {
        let span = start.max(first)..=end.min(last);
        let taken = &mut taken[file as usize];
        span.for_each(|at| taken[at - first] += count);
        limit.is_none_or(|limit| taken.iter().all(|count| *count <= limit))
    };
    for (reg, interval) in &intervals {
        if interval.0 <= last && interval.1 >= first {
            take(reg.file, *interval, 1, None);
        }
    }
    let mut moved: Vec<Item> = Vec::new();
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    let mut renamed: BTreeMap<Reg, Reg> = BTreeMap::new();
    for Equal { members, .. } in same {
        let inside = |reg: Reg| intervals[&reg].0 >= first && intervals[&reg].1 <= last;
        let members: Vec<_> = members.into_iter().filter(|(_, reg)| inside(*reg)).collect();
        let Some((at, kept)) = members.first().copied() else { continue };
        members.iter().for_each(|(_, reg)| {
            take(kept.file, intervals[reg], -1, None);
        });
        if take(kept.file, (first, last), 1, Some(TAKEN[kept.file as usize])) {
            moved.push(code.items[at].clone());
            gone.extend(members.iter().map(|(at, _)| *at));
            renamed.extend(members.iter().map(|(_, reg)| (*reg, kept)));
        } else {
            take(kept.file, (first, last), -1, None);
            members.iter().for_each(|(_, reg)| {
                take(kept.file, intervals[reg], 1, None);
            });
        }
    }
    let found = !moved.is_empty();
    let items = std::mem::take(&mut code.items);
    for (at, mut item) in items.into_iter().enumerate() {
        if at == range.start {
            code.items.append(&mut moved);
        }
        if gone.contains(&at) {
            continue;
        }
        if let Item::Inst(inst) = &mut item {
            for arg in &mut inst.args {
                if let Arg::Reg(reg) = arg
                    && let Some(kept) = renamed.get(reg)
                {
                    *reg = *kept;
                }
            }
        }
        code.items.push(item);
    }
    found
}
