//! Several instructions as one operation.
//!
//! Contract: [`fuse`] puts the instructions of a block in an order that computes the same, and gives some groups of
//! neighbours one function. What a group is found by is which instruction reads what which other wrote, in whatever order and
//! with whatever else in between the compiler put them. An order is *legal* if
//! - no two instructions change places of which one writes what the other reads or writes, memories included;
//! - whoever may trap finds no later instruction executed. Earlier ones may be missing, if they cannot trap: they are made
//!   up for when it does (see [`Fused::resume`]).
//!
//! A group is executed whole or not at all, unless its function says otherwise and its instructions are in program order.
//!
//! Not here: what the functions do (see [`super::handlers`]).

use fenn_isa::timing::draws;
use fenn_isa::usage::{Resource, Usage};
use fenn_isa::{Class, Inst, Op as Row};

use super::handlers::{FIRSTS, Handler, Handlers, Op, SECONDS, TESTS};

/// An instruction of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) inst: Inst,
    pub(super) op: Op,
    /// Which of the block's instructions it is.
    pub(super) origin: u8,
    effect: Effect,
}

/// What an instruction reads and writes, as sets of [`Resource`]s and memories, and whether it may trap.
#[derive(Debug, Clone, Copy)]
struct Effect {
    reads: u128,
    writes: u128,
    traps: bool,
}

const LANES: u128 = 1 << 100;
const VECTOR: u128 = 1 << 101;
const SCALAR: u128 = 1 << 102;

const fn bit(resource: Resource) -> u128 {
    // Nothing is read or written by nobody.
    if resource.index() == 0 { 0 } else { 1 << resource.index() }
}

impl Effect {
    fn of(inst: Inst) -> Self {
        let usage = Usage::of(inst);
        let mut reads = usage.reads.into_iter().fold(bit(usage.merges), |set, resource| set | bit(resource));
        let mut writes = bit(usage.writes);
        if draws(inst.op()) {
            writes |= bit(Resource::GENERATORS);
        }
        let mut traps = true;
        match usage.class {
            Class::Load => reads |= SCALAR,
            Class::Store => writes |= SCALAR,
            Class::VectorLoad | Class::GeneratorLoad => reads |= VECTOR,
            Class::VectorStore => writes |= VECTOR,
            Class::LaneLoad => (reads, traps) = (reads | LANES, false),
            Class::LaneStore => (writes, traps) = (writes | LANES, false),
            _ => traps = false,
        }
        // Half of the generators' states stays.
        if usage.class == Class::GeneratorLoad {
            reads |= bit(Resource::GENERATORS);
        }
        Self { reads, writes, traps }
    }

    const fn conflicts(&self, other: &Self) -> bool {
        self.writes & (other.reads | other.writes) | other.writes & self.reads != 0
    }
}

impl Item {
    pub(super) fn new(inst: Inst, op: Op, origin: u8) -> Self {
        Self { inst, op, origin, effect: Effect::of(inst) }
    }
}

/// An instruction in its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fused {
    /// With the function of its group, if it is the first of one.
    pub(super) op: Op,
    /// Which of the block's instructions it is.
    pub(super) origin: u8,
    /// Which of the block's instructions the reference goes on with when this operation, or its group, is not executed; those
    /// before it that have not been executed either come first.
    pub(super) resume: u8,
}

/// Items that stay together.
#[derive(Debug, Clone)]
struct Unit {
    items: Vec<Item>,
    run: Option<Handler>,
    /// Executed whole or not at all.
    atomic: bool,
}

impl Unit {
    /// The first of its instructions that may trap.
    fn first_trap(&self) -> Option<u8> {
        self.items.iter().filter(|item| item.effect.traps).map(|item| item.origin).min()
    }

    /// Its instruction, if it is one that is in no group yet.
    fn single(&self) -> Option<&Item> {
        if self.run.is_none() { self.items.first() } else { None }
    }
}

/// Fuses what can be fused in the straight part of a block, which ends with a branch of the row `end` if with any.
pub(super) fn fuse(handlers: &Handlers, items: Vec<Item>, end: Option<Row>) -> Vec<Fused> {
    let mut block = Units(items.into_iter().map(|item| Unit { items: vec![item], run: None, atomic: true }).collect());
    block.know_rows(handlers);
    block.groups(|block, at| block.scatter(handlers, at));
    block.groups(|block, at| block.accumulate(handlers, at));
    block.groups(|block, at| block.add_rows(handlers, at));
    block.groups(|block, at| block.test_select(handlers, at));
    block.groups(|block, at| block.pair(handlers, at));
    block.tail(handlers, end);
    block.chains(handlers);
    block.finish()
}

struct Units(Vec<Unit>);

/// A group that could be made: its members in the order of its function's operations.
struct Group {
    members: Vec<usize>,
    run: Handler,
    /// Operations that differ from those of the members.
    ops: Vec<Op>,
}

impl Units {
    /// Where all lanes are known to have the same base, lane-local accesses are accesses of a row.
    fn know_rows(&mut self, handlers: &Handlers) {
        let mut same = 0;
        for unit in &mut self.0 {
            let item = &mut unit.items[0];
            match item.inst {
                Inst::VFill { .. } | Inst::VLui { .. } => {
                    same |= item.effect.writes;
                    continue;
                }
                Inst::VLoadL { vs1, .. } if same & bit(Resource::vector(vs1.get())) != 0 => {
                    item.op.run = handlers.vloadl_row;
                }
                Inst::VStoreL { vs1, .. } if same & bit(Resource::vector(vs1.get())) != 0 => {
                    item.op.run = handlers.vstorel_row;
                }
                _ => {}
            }
            same &= !item.effect.writes;
        }
    }

    /// Makes all groups that `find` finds behind one another's end.
    fn groups(&mut self, find: impl Fn(&Self, usize) -> Option<Group>) {
        let mut at = 0;
        while at < self.0.len() {
            if let Some(group) = find(self, at).filter(|group| group.members.len() > 1) {
                self.make(group);
            }
            at += 1;
        }
    }

    /// The last instruction before `at` that writes the resource, if it is in no group.
    fn writer(&self, at: usize, resource: Resource) -> Option<usize> {
        let writes = |unit: &Unit| unit.items.iter().any(|item| item.effect.writes & bit(resource) != 0);
        let found = (0..at).rev().find(|index| writes(&self.0[*index]))?;
        self.0[found].single().map(|_| found)
    }

    fn inst(&self, at: usize) -> Option<Inst> {
        self.0[at].single().map(|item| item.inst)
    }

    fn op(&self, at: usize) -> Op {
        self.0[at].items[0].op
    }

    /// `vandadd`, `vloadl`, `vsrai`, `vadd_s`, `vstorel`, with `vloadv` before it if that can be; found by the store.
    fn scatter(&self, handlers: &Handlers, store: usize) -> Option<Group> {
        let Inst::VStoreL { vs2: value, imm, vs1: base } = self.inst(store)? else { return None };
        let vector = |reg: fenn_isa::operand::VReg| Resource::vector(reg.get());
        let add = self.writer(store, vector(value))?;
        let Inst::VAddS { vs1, vs2, .. } = self.inst(add)? else { return None };
        let split = self.writer(store, vector(base))?;
        let Inst::VAndAdd { vs1: words, .. } = self.inst(split)? else { return None };
        let both = [(vs1, vs2), (vs2, vs1)];
        let (load, shift) = both.into_iter().find_map(|(old, weight)| {
            let (load, shift) = (self.writer(add, vector(old))?, self.writer(add, vector(weight))?);
            let (Inst::VLoadL { vs1: from, imm: at, .. }, Inst::VSrai { vs1: of, .. }) =
                (self.inst(load)?, self.inst(shift)?)
            else {
                return None;
            };
            let same = from == base && at == imm && self.writer(load, vector(from)) == Some(split) && of == words;
            (same && old != weight && old != base && weight != base).then_some((load, shift))
        })?;
        let source = |at| {
            (0..at)
                .rev()
                .find(|index| self.0[*index].items.iter().any(|item| item.effect.writes & bit(vector(words)) != 0))
        };
        let from = source(split);
        // Registers that several roles share would be read after they were written.
        if source(shift) != from || words == base || value == base {
            return None;
        }
        let core = vec![split, load, shift, add, store];
        let ops = core.iter().map(|at| self.op(*at)).collect();
        let without = Group { members: core, run: handlers.scatter, ops };
        let Some(from) = from.filter(|from| matches!(self.inst(*from), Some(Inst::VLoadV { .. }))) else {
            return self.place(&without).map(|_| without);
        };
        let members: Vec<usize> = [from].into_iter().chain(without.members.iter().copied()).collect();
        let ops = members.iter().map(|at| self.op(*at)).collect();
        let with = Group { members, run: handlers.load_scatter, ops };
        [with, without].into_iter().find(|group| self.place(group).is_some())
    }

    /// `vloadl`, `vadd_s`, `vstorel`; found by the store.
    fn accumulate(&self, handlers: &Handlers, store: usize) -> Option<Group> {
        let Inst::VStoreL { vs2: value, imm, vs1: base } = self.inst(store)? else { return None };
        let vector = |reg: fenn_isa::operand::VReg| Resource::vector(reg.get());
        let add = self.writer(store, vector(value))?;
        let Inst::VAddS { vs1, vs2, .. } = self.inst(add)? else { return None };
        let (load, swapped) = [(vs1, false), (vs2, true)].into_iter().find_map(|(old, swapped)| {
            let load = self.writer(add, vector(old))?;
            let Inst::VLoadL { vs1: from, imm: at, .. } = self.inst(load)? else { return None };
            (from == base && at == imm && old != base && vs1 != vs2).then_some((load, swapped))
        })?;
        // A row is known to be one: that is quicker.
        let known = self.op(load).run as usize == handlers.vloadl_row as usize;
        if value == base || known {
            return None;
        }
        let mut sum = self.op(add);
        if swapped {
            (sum.b, sum.c) = (sum.c, sum.b);
        }
        let ops = vec![self.op(load), sum, self.op(store)];
        let group = Group { members: vec![load, add, store], run: handlers.accumulate, ops };
        self.place(&group).map(|_| group)
    }

    /// `vloadv`, `vloadv`, `vadd_s`, `vstore`; found by the store.
    fn add_rows(&self, handlers: &Handlers, store: usize) -> Option<Group> {
        let Inst::VStore { vs2: value, .. } = self.inst(store)? else { return None };
        let vector = |reg: fenn_isa::operand::VReg| Resource::vector(reg.get());
        let add = self.writer(store, vector(value))?;
        let Inst::VAddS { vs1, vs2, .. } = self.inst(add)? else { return None };
        let (one, two) = (self.writer(add, vector(vs1))?, self.writer(add, vector(vs2))?);
        let loads = [one, two].map(|at| matches!(self.inst(at), Some(Inst::VLoadV { .. })));
        if one == two || loads != [true; 2] {
            return None;
        }
        let members = vec![one.min(two), one.max(two), add, store];
        let ops = members.iter().map(|at| self.op(*at)).collect();
        let group = Group { members, run: handlers.add_rows, ops };
        self.place(&group).map(|_| group)
    }

    /// A comparison and the `vsel` that reads its mask; found by the latter.
    fn test_select(&self, handlers: &Handlers, select: usize) -> Option<Group> {
        let Inst::VSel { rs1, .. } = self.inst(select)? else { return None };
        let test = self.writer(select, Resource::scalar(rs1.get()))?;
        let index = TESTS.iter().position(|row| Some(*row) == self.inst(test).map(|inst| inst.op()))?;
        let group = Group {
            members: vec![test, select],
            run: handlers.test_select[index],
            ops: vec![self.op(test), self.op(select)],
        };
        self.place(&group).map(|_| group)
    }

    /// Any two that [`FIRSTS`] and [`SECONDS`] allow, of which the second reads what the first wrote; found by the second.
    fn pair(&self, handlers: &Handlers, second: usize) -> Option<Group> {
        let row = self.inst(second)?.op();
        let column = SECONDS.iter().position(|other| *other == row)?;
        let op = self.op(second);
        // Which operand: `vstore` has it in `a`, `vsel` in `c`.
        let operands = match row {
            Row::VStore => vec![(op.a, false)],
            Row::VSel => vec![(op.c, true)],
            _ => vec![(op.b, false), (op.c, true)],
        };
        operands.into_iter().find_map(|(reg, as_c)| {
            let first = self.writer(second, Resource::vector((reg >> 6) as u8))?;
            let index = FIRSTS.iter().position(|other| Some(*other) == self.inst(first).map(|inst| inst.op()))?;
            let group = Group {
                members: vec![first, second],
                run: handlers.pairs[index][column][usize::from(as_c)],
                ops: vec![self.op(first), op],
            };
            self.place(&group).map(|_| group)
        })
    }

    /// The order that making this group leads to, if one is legal.
    fn place(&self, group: &Group) -> Option<Vec<Unit>> {
        let first = *group.members.iter().min()?;
        let last = *group.members.iter().max()?;
        let items: Vec<Item> =
            group.members.iter().zip(&group.ops).map(|(at, op)| Item { op: *op, ..self.0[*at].items[0] }).collect();
        let in_order = items.windows(2).all(|pair| pair[0].origin < pair[1].origin);
        // A function that may stop between its instructions needs them in order, with nothing of them missing before.
        let partial = items.iter().skip(1).any(|item| item.effect.traps) && group.members.len() == 2;
        if partial && !in_order {
            return None;
        }
        let unit = Unit { items, run: Some(group.run), atomic: !partial };
        let others = || (first..=last).filter(|at| !group.members.contains(at)).map(|at| self.0[at].clone());
        let early = [unit.clone()].into_iter().chain(others()).collect::<Vec<_>>();
        let late = others().chain([unit]).collect::<Vec<_>>();
        [early, late].into_iter().find(|window| self.is_legal(first, window))
    }

    /// Whether the block computes the same with this in place of as many instructions from `first` on.
    fn is_legal(&self, first: usize, window: &[Unit]) -> bool {
        let items: Vec<&Item> = window.iter().flat_map(|unit| &unit.items).collect();
        for (index, earlier) in items.iter().enumerate() {
            let swapped = |later: &&&Item| later.origin < earlier.origin && later.effect.conflicts(&earlier.effect);
            if items[index + 1..].iter().any(|later| swapped(&later)) {
                return false;
            }
        }
        let behind = first + items.len();
        let all = self.0[..first].iter().chain(window).chain(self.0.iter().skip(self.skip(behind, first)));
        let mut newest = None;
        for unit in all {
            // Whoever may trap finds nothing later executed; so nothing that is missing then can trap.
            if unit.first_trap().is_some_and(|trap| newest > Some(trap)) {
                return false;
            }
            newest = newest.max(unit.items.iter().map(|item| item.origin).max());
        }
        true
    }

    /// The index of the first unit behind the window: units in the window may be groups already.
    fn skip(&self, behind: usize, first: usize) -> usize {
        let mut items = first;
        let mut index = first;
        while items < behind && index < self.0.len() {
            items += self.0[index].items.len();
            index += 1;
        }
        index
    }

    fn make(&mut self, group: Group) {
        let (Some(first), Some(last)) = (group.members.iter().min().copied(), group.members.iter().max().copied())
        else {
            return;
        };
        if let Some(window) = self.place(&group) {
            self.0.splice(first..=last, window);
        }
    }

    /// Gives the last instructions and the branch that ends the block one function.
    fn tail(&mut self, handlers: &Handlers, end: Option<Row>) {
        let found = TAILS.iter().filter(|(_, last, _)| Some(*last) == end).find(|(rows, ..)| {
            let first = self.0.len().checked_sub(rows.len());
            first.is_some_and(|first| {
                let units = self.0[first..].iter().map(|unit| unit.single().map(|item| item.inst.op()));
                units.eq(rows.iter().map(|row| Some(*row)))
            })
        });
        if let Some((rows, _, run)) = found {
            let items = self.0.drain(self.0.len() - rows.len()..).map(|unit| unit.items[0]).collect();
            self.0.push(Unit { items, run: Some(run(handlers)), atomic: false });
        }
    }

    /// Gives neighbours that are in no group one function, without forwarding anything.
    fn chains(&mut self, handlers: &Handlers) {
        let mut at = 0;
        while at < self.0.len() {
            if let Some((length, run)) = chain_at(handlers, &self.0[at..]) {
                let items = self.0[at..at + length].iter().map(|unit| unit.items[0]).collect();
                self.0.splice(at..at + length, [Unit { items, run: Some(run), atomic: false }]);
            }
            at += 1;
        }
    }

    fn finish(self) -> Vec<Fused> {
        let mut all = Vec::new();
        for unit in self.0 {
            let resume = unit.first_trap();
            for (index, item) in unit.items.iter().enumerate() {
                let mut op = item.op;
                if let Some(run) = unit.run.filter(|_| index == 0) {
                    op.run = run;
                }
                let resume = if unit.atomic { resume.unwrap_or(item.origin) } else { item.origin };
                all.push(Fused { op, origin: item.origin, resume });
            }
        }
        all
    }
}

/// Takes a function from those there are.
type Choose = fn(&Handlers) -> Handler;

/// Rows that chains are made of.
const CHAINS: &[(&[Row], Choose)] = &[
    (&[Row::Addi, Row::Addi, Row::Addi], |h| h.three_addi),
    (&[Row::Addi, Row::Addi], |h| h.two_addi),
    (&[Row::VLoadV, Row::VLoadV], |h| h.two_vloadv),
    (&[Row::VAddS, Row::VAddS], |h| h.two_vadd_s),
    (&[Row::VStore, Row::VStore], |h| h.two_vstore),
    (&[Row::VSel, Row::VSel], |h| h.two_vsel),
    (&[Row::VLui, Row::VLui], |h| h.two_vlui),
    (&[Row::VStore, Row::Sw], |h| h.vstore_sw),
    (&[Row::Xori, Row::And], |h| h.xori_and),
    (&[Row::And, Row::Xori], |h| h.and_xori),
    (&[Row::Addi, Row::And], |h| h.addi_and),
    (&[Row::Slli, Row::Add], |h| h.slli_add),
    (&[Row::Mul, Row::Add], |h| h.mul_add),
    (&[Row::Ctz, Row::Addi], |h| h.ctz_addi),
    (&[Row::Clz, Row::Sll], |h| h.clz_sll),
    (&[Row::Lui, Row::Addi], |h| h.set_addi),
    (&[Row::Lw, Row::Addi], |h| h.lw_addi),
    (&[Row::Sw, Row::Addi], |h| h.sw_addi),
];

/// Rows before a branch that are fused with it; longer ones first.
const TAILS: &[(&[Row], Row, Choose)] = &[
    (&[Row::Addi, Row::Addi], Row::Bne, |h| h.two_addi_bne),
    (&[Row::Addi], Row::Bne, |h| h.addi_bne),
    (&[Row::Lw, Row::Addi], Row::Beq, |h| h.lw_addi_beq),
    (&[Row::Addi], Row::Beq, |h| h.addi_beq),
    (&[Row::Addi], Row::Bltu, |h| h.addi_bltu),
    (&[Row::Addi], Row::Blt, |h| h.addi_blt),
    (&[Row::Lui, Row::Add], Row::Bltu, |h| h.set_add_bltu),
    (&[Row::Add], Row::Bltu, |h| h.add_bltu),
    (&[Row::Add], Row::Bne, |h| h.add_bne),
    (&[Row::Lw], Row::Beq, |h| h.lw_beq),
    (&[Row::Lw], Row::Bne, |h| h.lw_bne),
];

/// The chain that begins with these units.
fn chain_at(handlers: &Handlers, units: &[Unit]) -> Option<(usize, Handler)> {
    let is_row = |unit: &Unit| {
        let run = unit.items[0].op.run as usize;
        run == handlers.vloadl_row as usize || run == handlers.vstorel_row as usize
    };
    let rows: Vec<Row> = units.iter().take(3).map_while(|unit| unit.single()).map(|item| item.inst.op()).collect();
    let known = rows.len() >= 2 && is_row(&units[0]);
    if known || rows.len() >= 2 && is_row(&units[1]) {
        let second = is_row(&units[1]);
        return match (rows[0], rows[1]) {
            (Row::VLoadL, Row::VLoadL) if known && second => Some((2, handlers.two_vloadl_row)),
            (Row::VStoreL, Row::VStoreL) if known && second => Some((2, handlers.two_vstorel_row)),
            (Row::VStoreL, Row::Sw) if known => Some((2, handlers.vstorel_row_sw)),
            (Row::VFill, Row::VLoadL) if second => Some((2, handlers.vfill_vloadl_row)),
            _ => None,
        };
    }
    CHAINS.iter().find(|(chain, _)| rows.starts_with(chain)).map(|(chain, run)| (chain.len(), run(handlers)))
}
