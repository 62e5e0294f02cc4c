//! Keeps in registers what a loop loads from and stores to the same place in every turn.
//!
//! Contract: a vector or a word of memory that a loop accesses at one address, which nothing else in the loop can meet, is
//! loaded before the loop and stored behind it, if the loop stores it; what the loop loads and stores become copies, most of
//! which [`super::copies`] removes. So neurons' states, and sums that spikes are added to, stay in registers from step to
//! step where there are few enough.
//!
//! As many places are kept as leave the registers that [`super::hoist`] and [`super::schedule`] work with; those with the most
//! accesses first. Inner loops come before outer ones. A loop is one that control enters at its first item and leaves at its
//! last. Loops that stop the program, or start the DMA engine or look at it, keep what they have.
//!
//! Places of different arrays do not meet ([`crate::ir::Inst::array`]), nor do those at different constant addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use fenn_isa::memory::Space;
use fenn_isa::operand::OperandKind;
use fenn_isa::{Class, Op};

use super::hoist::loops;
use super::schedule::{Constants, constants, is_dma};
use super::{Context, copies, dead, memory};
use crate::ir::flow::{label_positions, laid_out};
use crate::ir::{Arg, Code, File, HOST, Inst, Item, Origin, Reg};
use crate::regalloc::liveness::{depths, intervals};

/// Registers that may be taken at once in a loop that keeps places in registers: scalar, vector.
const TAKEN: [usize; 2] = [24, 24];

/// Runs the pass.
pub fn run(code: &mut Code, context: &Context) {
    let heads: Vec<_> = loops(code).into_iter().map(|(label, _)| label).collect();
    for head in heads {
        let range = |code: &Code| loops(code).into_iter().find(|(label, _)| *label == head).map(|(_, range)| range);
        let Some(found) = range(code) else { continue };
        let places = places(code, &found);
        if places.is_empty() {
            continue;
        }
        let before = most(code, &found);
        // All, or as many as can be found in a few attempts.
        let (mut least, mut above) = (0, places.len() + 1);
        let mut best = None;
        while above - least > 1 {
            let count = if above == places.len() + 1 { places.len() } else { least.midpoint(above) };
            let mut changed = code.clone();
            promote(&mut changed, &found, &places[..count]);
            copies::run(&mut changed, context);
            dead::run(&mut changed, context);
            let now = range(&changed).map_or([usize::MAX; 2], |range| most(&changed, &range));
            if (0..2).all(|file| now[file] <= TAKEN[file].max(before[file])) {
                (least, best) = (count, Some(changed));
            } else {
                above = count;
            }
        }
        if let Some(best) = best {
            *code = best;
        }
    }
}

/// The most registers of each file that are wanted at once in the loop.
fn most(code: &Code, range: &Range<usize>) -> [usize; 2] {
    let (first, last) = (2 * range.start, 2 * range.end - 1);
    let mut changes = vec![[0isize; 2]; last + 2 - first];
    for interval in intervals(code).into_iter().filter(|interval| interval.end >= first && interval.start <= last) {
        changes[interval.start.max(first) - first][interval.reg.file as usize] += 1;
        changes[interval.end.min(last) + 1 - first][interval.reg.file as usize] -= 1;
    }
    let (mut now, mut most) = ([0; 2], [0; 2]);
    for change in changes {
        for file in 0..2 {
            now[file] += change[file];
            most[file] = most[file].max(now[file]);
        }
    }
    most.map(|count| count as usize)
}

/// A vector or a word at a constant address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    file: File,
    address: i64,
}

impl Cell {
    fn bytes(self) -> i64 {
        i64::from(memory(self.load()).map_or(0, |memory| memory.bytes))
    }

    fn load(self) -> Op {
        if self.file == File::X { Op::Lw } else { Op::VLoadV }
    }

    fn store(self) -> Op {
        if self.file == File::X { Op::Sw } else { Op::VStore }
    }
}

/// A cell that can be kept in a register.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    cell: Cell,
    array: Option<u32>,
    /// Items that load or store it.
    accesses: Vec<usize>,
    stored: bool,
}

/// Where an access goes, as far as it is known.
fn address(inst: &Inst, constants: &Constants) -> Option<i64> {
    let [.., Arg::Imm(offset), base] = inst.args.as_slice() else { return None };
    match base {
        Arg::Zero => Some(*offset),
        Arg::Reg(base) => constants.get(base).map(|base| base + offset),
        _ => None,
    }
}

/// The places that the loop over `range` could keep in registers, the most accessed first.
fn places(code: &Code, range: &Range<usize>) -> Vec<Place> {
    let labels = label_positions(code);
    let constants = constants(code);
    let (depth, fixed) = (depths(code), laid_out(code));
    let mut dma = false;
    let mut found: BTreeMap<Cell, Place> = BTreeMap::new();
    let mut refused: BTreeSet<Cell> = BTreeSet::new();
    let mut others: Vec<(Space, Option<i64>, i64, Option<u32>)> = Vec::new();
    for at in range.clone() {
        let Item::Inst(inst) = &code.items[at] else { continue };
        let leaves = inst.targets().any(|label| labels.get(&label).is_none_or(|to| !range.contains(to)));
        let stops = inst.op.spec().class == Class::System;
        let jumps_on = inst.diverts() && at + 1 == range.end;
        if leaves || stops || jumps_on {
            return Vec::new();
        }
        dma |= is_dma(inst);
        let Some(memory) = memory(inst.op) else { continue };
        let address = address(inst, &constants);
        let file = match inst.op {
            Op::Lw | Op::Sw => Some(File::X),
            Op::VLoadV | Op::VStore => Some(File::V),
            _ => None,
        };
        let Some((file, address)) = file.zip(address) else {
            others.push((memory.space, address, memory.bytes.into(), inst.array));
            continue;
        };
        let cell = Cell { file, address };
        let place = found.entry(cell).or_insert(Place { cell, array: None, accesses: Vec::new(), stored: false });
        match (place.array, inst.array) {
            (Some(known), Some(array)) if known != array => _ = refused.insert(cell),
            (None, array) => place.array = array,
            _ => {}
        }
        // An access that has its place in the code cannot become a copy that goes, nor one that somebody else is to see.
        if fixed[at] || inst.array == Some(HOST) {
            refused.insert(cell);
        }
        place.accesses.push(at);
        place.stored |= memory.writes;
    }
    if dma {
        return Vec::new();
    }
    let space = |cell: &Cell| if cell.file == File::X { Space::Scalar } else { Space::Vector };
    let overlap =
        |cell: &Cell, address: i64, bytes: i64| address < cell.address + cell.bytes() && cell.address < address + bytes;
    let cells: Vec<Cell> = found.keys().copied().collect();
    found.retain(|cell, place| {
        let met = others.iter().any(|(other, address, bytes, array)| {
            let apart = place.array.zip(*array).is_some_and(|(mine, other)| mine != other)
                || address.is_some_and(|address| !overlap(cell, address, *bytes));
            *other == space(cell) && !apart
        });
        let crossed = cells
            .iter()
            .any(|other| other != cell && other.file == cell.file && overlap(cell, other.address, other.bytes()));
        !met && !crossed && !refused.contains(cell)
    });
    let mut places: Vec<Place> = found.into_values().collect();
    let weight = |place: &Place| -> f64 { place.accesses.iter().map(|at| 10f64.powi(depth[*at])).sum() };
    places.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cell.cmp(&b.cell)));
    places
}

/// Keeps `places` in registers over the loop.
fn promote(code: &mut Code, range: &Range<usize>, places: &[Place]) {
    let registers: BTreeMap<Cell, Reg> =
        places.iter().map(|place| (place.cell, code.register(place.cell.file))).collect();
    let mut accesses: BTreeMap<usize, Reg> = BTreeMap::new();
    for place in places {
        accesses.extend(place.accesses.iter().map(|at| (*at, registers[&place.cell])));
    }
    let mut bases = Bases::default();
    let items = std::mem::take(&mut code.items);
    for (at, mut item) in items.into_iter().enumerate() {
        if at == range.start {
            for place in places {
                bases.access(code, place, registers[&place.cell], false);
            }
        }
        if let (Item::Inst(inst), Some(reg)) = (&mut item, accesses.get(&at)) {
            let loads = memory(inst.op).is_some_and(|memory| !memory.writes);
            let other = inst.args[0];
            let (to, from) = if loads { (other, Arg::Reg(*reg)) } else { (Arg::Reg(*reg), other) };
            let op = if reg.file == File::X { Op::Addi } else { Op::VSlli };
            *inst = Inst::new(op, vec![to, from, Arg::Imm(0)], inst.origin);
        }
        code.items.push(item);
        if at + 1 == range.end {
            for place in places.iter().filter(|place| place.stored) {
                bases.access(code, place, registers[&place.cell], true);
            }
        }
    }
}

/// Registers that hold addresses for the accesses before and behind a loop.
#[derive(Default)]
struct Bases(Vec<(Reg, i64)>);

impl Bases {
    fn access(&mut self, code: &mut Code, place: &Place, reg: Reg, store: bool) {
        let address = place.cell.address;
        let range = OperandKind::Imm12.range();
        let reach = |(_, at): &&(Reg, i64)| range.contains(&(address - at));
        let (base, at) = match self.0.iter().find(reach) {
            _ if range.contains(&address) => (Arg::Zero, 0),
            Some((base, at)) => (Arg::Reg(*base), *at),
            None => {
                // All of an immediate's range is made use of.
                let at = address - range.start();
                let base = code.constant(at);
                self.0.push((base, at));
                (Arg::Reg(base), at)
            }
        };
        let op = if store { place.cell.store() } else { place.cell.load() };
        let args = vec![reg.into(), Arg::Imm(address - at), base];
        let origin = Origin::Lowered(code.items.len());
        code.items.push(Item::Inst(Inst { array: place.array, ..Inst::new(op, args, origin) }));
    }
}
