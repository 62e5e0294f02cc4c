//! Watching a machine: what happens is told to an [`Observer`].
//!
//! Contract: an observer sees every retirement, every access to a data memory, every finished DMA transfer and every
//! trap, in program order, and changes nothing. The machine is generic over it, so `()` costs nothing.
//!
//! Here: [`Statistics`] counts, [`Trace`] writes a line per instruction; a pair of observers and an optional one are
//! observers. Not here: profiles by symbol, and memory checking.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use fenn_isa::operand::OperandKind;
use fenn_isa::{Class, Extension, Op, Role, SPECS};

use crate::dma::Transfer;
use crate::state::State;
use crate::timing::Retired;
use crate::trap::{Access, Trap};

/// What a machine tells while it runs.
pub trait Observer {
    /// An instruction has been executed; `state` is what it left.
    fn retire(&mut self, retired: &Retired, state: &State);

    /// The instruction that retires next has made this access. Accesses to lane-local memory come lane by lane.
    fn access(&mut self, access: &Access);

    /// A DMA transfer has moved its data.
    fn transfer(&mut self, transfer: &Transfer);

    /// An instruction has trapped; the program's handler is entered or the run ends.
    fn trap(&mut self, trap: &Trap);
}

/// Sees nothing.
impl Observer for () {
    #[inline(always)]
    fn retire(&mut self, _retired: &Retired, _state: &State) {}
    #[inline(always)]
    fn access(&mut self, _access: &Access) {}
    #[inline(always)]
    fn transfer(&mut self, _transfer: &Transfer) {}
    #[inline(always)]
    fn trap(&mut self, _trap: &Trap) {}
}

/// Tells both.
impl<A: Observer, B: Observer> Observer for (A, B) {
    #[inline(always)]
    fn retire(&mut self, retired: &Retired, state: &State) {
        self.0.retire(retired, state);
        self.1.retire(retired, state);
    }
    #[inline(always)]
    fn access(&mut self, access: &Access) {
        self.0.access(access);
        self.1.access(access);
    }
    fn transfer(&mut self, transfer: &Transfer) {
        self.0.transfer(transfer);
        self.1.transfer(transfer);
    }
    fn trap(&mut self, trap: &Trap) {
        self.0.trap(trap);
        self.1.trap(trap);
    }
}

/// Tells the one that may be there.
impl<T: Observer> Observer for Option<T> {
    #[inline(always)]
    fn retire(&mut self, retired: &Retired, state: &State) {
        if let Some(observer) = self {
            observer.retire(retired, state);
        }
    }
    #[inline(always)]
    fn access(&mut self, access: &Access) {
        if let Some(observer) = self {
            observer.access(access);
        }
    }
    fn transfer(&mut self, transfer: &Transfer) {
        if let Some(observer) = self {
            observer.transfer(transfer);
        }
    }
    fn trap(&mut self, trap: &Trap) {
        if let Some(observer) = self {
            observer.trap(trap);
        }
    }
}

/// How often everything happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    ops: [u64; SPECS.len()],
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
        Self { ops: [0; SPECS.len()], branches_taken: 0, transfers: 0, transferred_bytes: 0, traps: 0 }
    }
}

impl Observer for Statistics {
    #[inline(always)]
    fn retire(&mut self, retired: &Retired, _state: &State) {
        let op = retired.inst.op();
        self.ops[op as usize] += 1;
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

    fn group<K: Ord>(&self, key: impl Fn(Op) -> K) -> BTreeMap<K, u64> {
        let mut groups = BTreeMap::new();
        for (op, count) in self.by_op() {
            *groups.entry(key(op)).or_insert(0) += count;
        }
        groups
    }
}

/// Writes a line per instruction: clock, address, word, text, and the register it wrote.
///
/// A vector is printed as 32 hexadecimal lanes, lane 0 first.
#[derive(Debug)]
pub struct Trace<W> {
    out: W,
    line: String,
    failed: Option<io::Error>,
}

impl<W: io::Write> Trace<W> {
    /// A trace into `out`, which should be buffered.
    pub fn new(out: W) -> Self {
        Self { out, line: String::new(), failed: None }
    }

    /// The writer, flushed.
    ///
    /// # Errors
    /// The first error of any write; nothing was written after it.
    pub fn finish(mut self) -> io::Result<W> {
        match self.failed {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.out),
        }
    }

    fn end_line(&mut self) {
        self.line.push('\n');
        if self.failed.is_none() {
            self.failed = self.out.write_all(self.line.as_bytes()).err();
        }
        self.line.clear();
    }

    /// Writing to a string cannot fail.
    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.line.write_fmt(text);
    }
}

impl<W: io::Write> Observer for Trace<W> {
    fn retire(&mut self, retired: &Retired, state: &State) {
        let word = retired.inst.encode();
        let clock = state.cycles;
        self.push(format_args!("{clock:>10} {:08x} {word:08x} {:<32}", retired.pc, retired.inst.to_string()));
        for operand in retired.inst.op().spec().operands() {
            if !matches!(operand.role, Role::Destination | Role::Merged) {
                continue;
            }
            let index = operand.field.extract(word) as usize;
            if operand.kind == OperandKind::VReg {
                self.push(format_args!(" v{index}="));
                state.v[index].0.iter().for_each(|lane| self.push(format_args!("{lane:04x}")));
            } else {
                self.push(format_args!(" x{index}={:08x}", state.all_x()[index]));
            }
        }
        self.line.truncate(self.line.trim_end().len());
        self.end_line();
    }

    fn access(&mut self, _access: &Access) {}

    fn transfer(&mut self, transfer: &Transfer) {
        let Transfer { direction, source, destination, bytes } = transfer;
        self.push(format_args!("           dma {direction:?}: {bytes} bytes from {source:#x} to {destination:#x}"));
        self.end_line();
    }

    fn trap(&mut self, trap: &Trap) {
        self.push(format_args!("           {trap}"));
        self.end_line();
    }
}
