//! Live intervals: from where to where each virtual register's value is wanted.
//!
//! Contract: positions are `2·item` for what an instruction reads and `2·item + 1` for what it writes, so that a value
//! may end where another begins. An interval covers every position at which its register is live.

use std::collections::BTreeMap;

use crate::ir::flow::{Flow, Liveness, label_positions, laid_out};
use crate::ir::{Code, Item, Reg};

/// Where a register's value is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Interval {
    pub(crate) reg: Reg,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Uses and definitions, each counted ten times per loop around it.
    pub(crate) weight: f64,
}

/// The interval of every register that occurs.
pub(crate) fn intervals(code: &Code) -> Vec<Interval> {
    let flow = Flow::of(code);
    let liveness = Liveness::of(code, &flow);
    let depth = depths(code);
    let mut found: BTreeMap<Reg, Interval> = BTreeMap::new();
    let mut touch = |reg: Reg, position: usize, weight: f64| {
        let interval = found.entry(reg).or_insert(Interval { reg, start: position, end: position, weight: 0.0 });
        interval.start = interval.start.min(position);
        interval.end = interval.end.max(position);
        interval.weight += weight;
    };
    for (block, live_out) in flow.blocks.iter().zip(&liveness.live_out) {
        let mut live = live_out.clone();
        live_out.iter().for_each(|reg| touch(reg, 2 * block.items.end - 1, 0.0));
        for at in block.items.clone().rev() {
            let Item::Inst(inst) = &code.items[at] else { continue };
            let weight = 10f64.powi(depth[at]);
            for def in inst.defs() {
                touch(def, 2 * at + 1, weight);
                live.remove(def);
            }
            for used in inst.uses() {
                touch(used, 2 * at, weight);
                live.insert(used);
            }
        }
        live.iter().for_each(|reg| touch(reg, 2 * block.items.start, 0.0));
    }
    found.into_values().collect()
}

/// How many loops are around each item: backward branches span loops.
///
/// Code whose layout a computed jump relies on counts as far deeper than any loop: a value that is used there goes to
/// memory only where all others have, since the instructions that would bring it back would change the layout.
pub(crate) fn depths(code: &Code) -> Vec<i32> {
    const LAID_OUT: i32 = 100;
    let labels = label_positions(code);
    let mut depth: Vec<i32> = laid_out(code).into_iter().map(|fixed| if fixed { LAID_OUT } else { 0 }).collect();
    for (at, item) in code.items.iter().enumerate() {
        let Item::Inst(inst) = item else { continue };
        let heads = inst.targets().filter_map(|label| labels.get(&label).copied());
        if let Some(head) = heads.min().filter(|head| *head <= at) {
            depth[head..=at].iter_mut().for_each(|depth| *depth += 1);
        }
    }
    depth
}
