//! Live intervals: from where to where each virtual register's value is wanted.
//!
//! Contract: positions are `2·item` for what an instruction reads and `2·item + 1` for what it writes, so that a value
//! may end where another begins. An interval covers every position at which its register is live.

use std::collections::BTreeMap;

use crate::ir::{Code, File, Item, Reg};

/// Where a register's value is wanted.
#[derive(Debug, Clone)]
pub(super) struct Interval {
    pub(super) reg: Reg,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Uses and definitions, each counted ten times per loop around it.
    pub(super) weight: f64,
}

/// A set of registers, one bit each.
#[derive(Clone, PartialEq, Eq)]
struct Set(Vec<u64>);

impl Set {
    fn insert(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    fn remove(&mut self, index: usize) {
        self.0[index / 64] &= !(1 << (index % 64));
    }

    fn union(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        let words = self.0.iter().enumerate();
        words.flat_map(|(i, word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| 64 * i + bit))
    }
}

/// A run of items that control enters at the top only.
struct Block {
    first: usize,
    /// One past the last.
    end: usize,
    successors: Vec<usize>,
}

fn blocks(code: &Code) -> Vec<Block> {
    let mut starts = vec![0];
    for (at, item) in code.items.iter().enumerate() {
        match item {
            Item::Label(_) => starts.push(at),
            Item::Inst(inst) if inst.is_terminator() => starts.push(at + 1),
            Item::Inst(_) => {}
        }
    }
    starts.sort_unstable();
    starts.dedup();
    starts.retain(|start| *start < code.items.len());
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([code.items.len()]).collect();
    let labels = super::label_positions(code);
    let block_at = |position: usize| starts.partition_point(|start| *start <= position) - 1;
    let ranges = starts.iter().zip(&ends).enumerate();
    ranges
        .map(|(index, (first, end))| {
            let mut successors = Vec::new();
            let last = match code.items[first + (end - first) - 1] {
                Item::Inst(ref inst) => Some(inst),
                Item::Label(_) => None,
            };
            let targets = last.into_iter().flat_map(|inst| inst.targets());
            successors.extend(targets.filter_map(|label| labels.get(&label)).map(|at| block_at(*at)));
            if !last.is_some_and(|inst| inst.diverts()) && index + 1 < starts.len() {
                successors.push(index + 1);
            }
            Block { first: *first, end: *end, successors }
        })
        .collect()
}

/// The interval of every register that occurs.
pub(super) fn intervals(code: &Code) -> Vec<Interval> {
    let scalar = code.count(File::X) as usize;
    let total = scalar + code.count(File::V) as usize;
    let index = |reg: Reg| reg.index as usize + if reg.file == File::V { scalar } else { 0 };
    let blocks = blocks(code);
    let live_out = live_out(code, &blocks, total, &index);
    let depth = depths(code);
    let mut found: BTreeMap<usize, Interval> = BTreeMap::new();
    let mut touch = |id: usize, position: usize, weight: f64| {
        let reg = match id.checked_sub(scalar) {
            Some(vector) => Reg { file: File::V, index: vector as u32 },
            None => Reg { file: File::X, index: id as u32 },
        };
        let interval = found.entry(id).or_insert(Interval { reg, start: position, end: position, weight: 0.0 });
        interval.start = interval.start.min(position);
        interval.end = interval.end.max(position);
        interval.weight += weight;
    };
    for (block, mut live) in blocks.iter().zip(live_out) {
        live.iter().for_each(|id| touch(id, 2 * block.end - 1, 0.0));
        for at in (block.first..block.end).rev() {
            let Item::Inst(inst) = &code.items[at] else { continue };
            let weight = 10f64.powi(depth[at]);
            for def in inst.defs() {
                touch(index(def), 2 * at + 1, weight);
                live.remove(index(def));
            }
            for used in inst.uses() {
                touch(index(used), 2 * at, weight);
                live.insert(index(used));
            }
        }
        live.iter().for_each(|id| touch(id, 2 * block.first, 0.0));
    }
    found.into_values().collect()
}

/// What is live behind each block: the usual backward iteration until nothing changes.
fn live_out(code: &Code, blocks: &[Block], total: usize, index: &impl Fn(Reg) -> usize) -> Vec<Set> {
    let empty = Set(vec![0; total.div_ceil(64)]);
    let mut live_in = vec![empty.clone(); blocks.len()];
    let mut live_out = vec![empty; blocks.len()];
    loop {
        let mut changed = false;
        for (at, block) in blocks.iter().enumerate().rev() {
            let mut live = live_out[at].clone();
            block.successors.iter().for_each(|successor| live.union(&live_in[*successor]));
            live_out[at] = live.clone();
            for item in code.items[block.first..block.end].iter().rev() {
                let Item::Inst(inst) = item else { continue };
                inst.defs().for_each(|def| live.remove(index(def)));
                inst.uses().for_each(|used| live.insert(index(used)));
            }
            changed |= live != live_in[at];
            live_in[at] = live;
        }
        if !changed {
            return live_out;
        }
    }
}

/// How many loops are around each item: backward branches span loops.
///
/// Code whose layout a computed jump relies on counts as far deeper than any loop: a value that is used there goes to
/// memory only where all others have, since the instructions that would bring it back would change the layout.
fn depths(code: &Code) -> Vec<i32> {
    const LAID_OUT: i32 = 100;
    let labels = super::label_positions(code);
    let mut depth = vec![0; code.items.len()];
    for (at, item) in code.items.iter().enumerate() {
        let Item::Inst(inst) = item else { continue };
        let places = || inst.targets().filter_map(|label| labels.get(&label).copied());
        if let Some(head) = places().min().filter(|head| *head <= at) {
            depth[head..=at].iter_mut().for_each(|depth| *depth += 1);
        }
        let spaced = inst.targets.as_ref().is_some_and(|targets| targets.spacing.is_some());
        if let (true, Some(first), Some(last)) = (spaced, places().min(), places().max()) {
            depth[first..last].iter_mut().for_each(|depth| *depth += LAID_OUT);
        }
    }
    depth
}
