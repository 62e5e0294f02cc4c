//! How often everything happened.

use std::collections::BTreeMap;

use fenn_isa::{Class, Extension, Op, SPECS};

use super::Observer;
use crate::dma::Transfer;
use crate::state::State;
use crate::timing::{Retired, StallTable};
use crate::trap::{Access, Trap};

/// How often everything happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    ops: [u64; SPECS.len()],
    stalls: [StallTable; Class::ALL.len()],
    /// Branches that were taken; the others are [`Self::class`] of [`Class::Branch`] less these.
    pub branches_taken: u64,
    /// Finished DMA transfers.
    pub transfers: u64,
    /// Bytes they moved.
    pub transferred_bytes: u64,
    /// Traps, whether or not a handler was entered.
    pub traps: u64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            ops: [0; SPECS.len()],
            stalls: [StallTable::default(); Class::ALL.len()],
            branches_taken: 0,
            transfers: 0,
            transferred_bytes: 0,
            traps: 0,
        }
    }
}

impl Observer for Statistics {
    #[inline(always)]
    fn retire(&mut self, retired: &Retired, _state: &State) {
        let op = retired.inst.op();
        self.ops[op as usize] += 1;
        for stall in retired.stalls.iter() {
            self.stalls[op.spec().class as usize].add(stall.cause, u64::from(stall.cycles));
        }
        if retired.next != retired.pc.wrapping_add(4) && op.spec().class == Class::Branch {
            self.branches_taken += 1;
        }
    }
    #[inline(always)]
    fn access(&mut self, _access: &Access) {}
    fn transfer(&mut self, transfer: &Transfer) {
        self.transfers += 1;
        self.transferred_bytes += u64::from(transfer.bytes);
    }
    fn trap(&mut self, _trap: &Trap) {
        self.traps += 1;
    }
}

impl Statistics {
    /// Adds what `other` counted.
    pub fn add(&mut self, other: &Self) {
        let Self { ops, stalls, branches_taken, transfers, transferred_bytes, traps } = other;
        self.ops.iter_mut().zip(ops).for_each(|(mine, other)| *mine += other);
        self.stalls.iter_mut().zip(stalls).for_each(|(mine, other)| mine.add_table(other, 1));
        self.branches_taken += branches_taken;
        self.transfers += transfers;
        self.transferred_bytes += transferred_bytes;
        self.traps += traps;
    }

    /// How often instructions of this row retired.
    pub fn op(&self, op: Op) -> u64 {
        self.ops[op as usize]
    }

    /// How many instructions retired.
    pub fn total(&self) -> u64 {
        self.ops.iter().sum()
    }

    /// How many of one class.
    pub fn class(&self, class: Class) -> u64 {
        self.by_class().get(&class).copied().unwrap_or(0)
    }

    /// Every row that occurred, the most frequent first.
    pub fn by_op(&self) -> Vec<(Op, u64)> {
        let mut counts: Vec<_> = Op::ALL.iter().map(|op| (*op, self.op(*op))).filter(|(_, count)| *count > 0).collect();
        counts.sort_by_key(|(op, count)| (u64::MAX - count, *op));
        counts
    }

    /// Every class that occurred.
    pub fn by_class(&self) -> BTreeMap<Class, u64> {
        self.group(|op| op.spec().class)
    }

    /// Every extension that occurred.
    pub fn by_extension(&self) -> BTreeMap<Extension, u64> {
        self.group(|op| op.spec().extension)
    }

    /// Cycles lost around instructions of this class: what they waited for, and what they kept others from.
    pub fn class_stalls(&self, class: Class) -> &StallTable {
        &self.stalls[class as usize]
    }

    /// Cycles lost around instructions. The machine's own table ([`crate::Machine::stalls`]) has those around traps too.
    pub fn stalls(&self) -> StallTable {
        let mut sum = StallTable::default();
        self.stalls.iter().for_each(|stalls| sum.add_table(stalls, 1));
        sum
    }

    fn group<K: Ord>(&self, key: impl Fn(Op) -> K) -> BTreeMap<K, u64> {
        let mut groups = BTreeMap::new();
        for (op, count) in self.by_op() {
            *groups.entry(key(op)).or_insert(0) += count;
        }
        groups
    }
}
