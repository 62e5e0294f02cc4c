//! Control flow and liveness of [`Code`].
//!
//! Contract: a [`Flow`] cuts the code into blocks that control enters at the top and leaves at the bottom only, in the
//! order of the code; [`Liveness`] is the usual fixed point over them.

use std::collections::BTreeMap;
use std::ops::Range;

use fenn_isa::code::Label;

use super::{Code, File, Inst, Item, Reg};

/// A set of registers, one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    scalar: usize,
    words: Vec<u64>,
}

impl Set {
    /// No register of `code`.
    pub fn empty(code: &Code) -> Self {
        let scalar = code.count(File::X) as usize;
        let total = scalar + code.count(File::V) as usize;
        Self { scalar, words: vec![0; total.div_ceil(64)] }
    }

    fn position(&self, reg: Reg) -> usize {
        reg.index as usize + if reg.file == File::V { self.scalar } else { 0 }
    }

    /// Puts `reg` in.
    pub fn insert(&mut self, reg: Reg) {
        let at = self.position(reg);
        self.words[at / 64] |= 1 << (at % 64);
    }

    /// Takes `reg` out.
    pub fn remove(&mut self, reg: Reg) {
        let at = self.position(reg);
        self.words[at / 64] &= !(1 << (at % 64));
    }

    /// Whether `reg` is in.
    pub fn contains(&self, reg: Reg) -> bool {
        let at = self.position(reg);
        self.words[at / 64] >> (at % 64) & 1 == 1
    }

    /// Puts all of `other` in.
    pub fn union(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    /// Takes out what is not in `other`.
    pub fn intersect(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= b);
    }

    /// Its registers, scalar ones first, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = Reg> {
        let words = self.words.iter().enumerate();
        let bits = words.flat_map(|(i, word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |b| 64 * i + b));
        bits.map(|at| match at.checked_sub(self.scalar) {
            Some(vector) => Reg { file: File::V, index: vector as u32 },
            None => Reg { file: File::X, index: at as u32 },
        })
    }
}

/// A run of items that control enters at the top only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its items; not empty.
    pub items: Range<usize>,
    /// Where control may go behind it.
    pub successors: Vec<usize>,
    /// From where control may come, this code's blocks only.
    pub predecessors: Vec<usize>,
    /// Whether a host may start here.
    pub entry: bool,
    /// Whether control may go on behind the last item of the code.
    pub falls_off: bool,
}

/// The blocks of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// In the order of the code, all of which they cover.
    pub blocks: Vec<Block>,
}

/// Where each label is bound.
pub fn label_positions(code: &Code) -> BTreeMap<Label, usize> {
    let labels = code.items.iter().enumerate();
    labels.filter_map(|(at, item)| if let Item::Label(label) = item { Some((*label, at)) } else { None }).collect()
}

/// For each item, whether a computed jump relies on where it is: whether it lies between targets that have to be so many
/// bytes apart. No instruction may come or go there.
pub fn laid_out(code: &Code) -> Vec<bool> {
    let labels = label_positions(code);
    let mut fixed = vec![false; code.items.len()];
    for targets in code.insts().filter_map(|inst| inst.targets.as_ref()).filter(|targets| targets.spacing.is_some()) {
        let places = || targets.labels.iter().filter_map(|label| labels.get(label).copied());
        if let (Some(first), Some(last)) = (places().min(), places().max()) {
            fixed[first..last].fill(true);
        }
    }
    fixed
}

impl Flow {
    /// Cuts `code` into blocks. Jumps to labels that nothing binds are left out.
    pub fn of(code: &Code) -> Self {
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
        let labels = label_positions(code);
        let block_at = |position: usize| starts.partition_point(|start| *start <= position) - 1;
        let block = |(index, (start, end)): (usize, (&usize, &usize))| {
            let last = code.items[..*end].last();
            let last = last.and_then(|item| if let Item::Inst(inst) = item { Some(inst) } else { None });
            let targets = last.into_iter().flat_map(Inst::targets);
            let mut successors: Vec<usize> =
                targets.filter_map(|label| labels.get(&label)).map(|at| block_at(*at)).collect();
            let goes_on = !last.is_some_and(Inst::diverts);
            if goes_on && index + 1 < starts.len() {
                successors.push(index + 1);
            }
            let is_entry = |item: &Item| matches!(item, Item::Label(label) if code.entries.contains(label));
            let entry = index == 0 || is_entry(&code.items[*start]);
            let falls_off = goes_on && index + 1 == starts.len();
            Block { items: *start..*end, successors, predecessors: Vec::new(), entry, falls_off }
        };
        let mut blocks: Vec<Block> = starts.iter().zip(&ends).enumerate().map(block).collect();
        for index in 0..blocks.len() {
            for successor in blocks[index].successors.clone() {
                if !blocks[successor].predecessors.contains(&index) {
                    blocks[successor].predecessors.push(index);
                }
            }
        }
        Self { blocks }
    }

    /// Whether control can come to each block.
    pub fn reachable(&self) -> Vec<bool> {
        let mut reached = vec![false; self.blocks.len()];
        let mut work: Vec<usize> = (0..self.blocks.len()).filter(|block| self.blocks[*block].entry).collect();
        while let Some(block) = work.pop() {
            if !std::mem::replace(&mut reached[block], true) {
                work.extend(&self.blocks[block].successors);
            }
        }
        reached
    }
}

/// Which registers' values are still wanted.
#[derive(Debug, Clone)]
pub struct Liveness {
    /// Before each block.
    pub live_in: Vec<Set>,
    /// Behind each block.
    pub live_out: Vec<Set>,
}

impl Liveness {
    /// Iterates backwards until nothing changes.
    pub fn of(code: &Code, flow: &Flow) -> Self {
        let empty = Set::empty(code);
        let mut live_in = vec![empty.clone(); flow.blocks.len()];
        let mut live_out = vec![empty; flow.blocks.len()];
        loop {
            let mut changed = false;
            for (at, block) in flow.blocks.iter().enumerate().rev() {
                let mut live = live_out[at].clone();
                block.successors.iter().for_each(|successor| live.union(&live_in[*successor]));
                live_out[at] = live.clone();
                for item in code.items[block.items.clone()].iter().rev() {
                    let Item::Inst(inst) = item else { continue };
                    inst.defs().for_each(|def| live.remove(def));
                    inst.uses().for_each(|used| live.insert(used));
                }
                changed |= live != live_in[at];
                live_in[at] = live;
            }
            if !changed {
                return Self { live_in, live_out };
            }
        }
    }
}
