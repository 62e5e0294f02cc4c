//! Neuron programs that repeat something: statement by statement, for one block of neurons.
//!
//! A loop is run under a mask of the lanes that are in it, until none is left. What it assigns has one register each, from
//! before the loop until behind it, in which lanes are chosen (`vsel`); nothing else may have that register. Outside of loops a
//! name's register changes with each assignment, as long as no mask is in the way.
//!
//! Temporaries that are assigned once and read nowhere but in the same loop need no mask: nobody reads the lanes that the
//! mask would have kept.
//!
//! Not here: kernels without loops, for which [`super::values`] finds better code.

use std::collections::{BTreeMap, BTreeSet};

use fenn_isa::Op;
use fenn_isa::code::Label;

use super::super::lanes::{self, At};
use super::emit::{self, Places, Shared};
use crate::ir::{Arg, Code, Reg};
use crate::kernel::{self, BinaryOp, CompareOp, Cond, Expr, Kernel, Place, Rounding, Stmt};
use crate::network::{Population, Values};

/// How a kernel's blocks are computed.
pub(super) struct Walk<'a> {
    population: &'a Population,
    recorded: Vec<bool>,
    constants: BTreeSet<i16>,
    accessed: BTreeSet<usize>,
    assigned: BTreeSet<usize>,
    /// Locals that are assigned without a mask.
    free: BTreeSet<usize>,
    length: u32,
}

impl<'a> Walk<'a> {
    /// How to compute the kernel of `population`, where the variables for which `recorded` holds are recorded.
    pub(super) fn of(population: &'a Population, recorded: impl Fn(usize) -> bool) -> Self {
        let kernel = &population.kernel;
        let mut survey = Survey::new(population);
        survey.block(&kernel.body, 0);
        let variables = 0..kernel.variables.len();
        let free = survey.free();
        Self {
            population,
            recorded: variables.map(recorded).collect(),
            constants: survey.constants,
            accessed: survey.variables,
            assigned: survey.assigned,
            free,
            length: survey.length,
        }
    }

    /// The constants that blocks read.
    pub(super) fn constants(&self) -> BTreeSet<i16> {
        self.constants.clone()
    }

    /// Whether blocks access the variable's array.
    pub(super) fn accesses(&self, variable: usize) -> bool {
        self.accessed.contains(&variable) || self.recorded[variable]
    }

    /// Instructions in a block, nearly.
    pub(super) fn length(&self) -> u32 {
        self.length
    }

    /// Appends a block's code.
    pub(super) fn emit(&self, code: &mut Code, places: &Places, shared: &Shared) {
        let kernel = &self.population.kernel;
        let mut block = Block {
            walk: self,
            kernel,
            code,
            places,
            shared,
            values: BTreeMap::new(),
            events: vec![None; kernel.events.len()],
            pinned: BTreeSet::new(),
            loops: Vec::new(),
        };
        block.statements(&kernel.body, None);
        block.finish();
    }
}

/// What a kernel refers to.
struct Survey<'a> {
    population: &'a Population,
    constants: BTreeSet<i16>,
    variables: BTreeSet<usize>,
    assigned: BTreeSet<usize>,
    /// Of each local: how often it is assigned, in which loop, and in which loops it is read.
    locals: Vec<(u32, usize, BTreeSet<usize>)>,
    loops: usize,
    length: u32,
}

impl<'a> Survey<'a> {
    fn new(population: &'a Population) -> Self {
        Self {
            population,
            constants: BTreeSet::new(),
            variables: BTreeSet::new(),
            assigned: BTreeSet::new(),
            locals: vec![(0, 0, BTreeSet::new()); population.kernel.locals.len()],
            loops: 0,
            length: 0,
        }
    }

    fn free(&self) -> BTreeSet<usize> {
        let free =
            |(count, at, read): &(u32, usize, BTreeSet<usize>)| *count == 1 && read.iter().all(|place| place == at);
        self.locals.iter().enumerate().filter(|(_, local)| free(local)).map(|(index, _)| index).collect()
    }

    /// `at`: the number of the innermost loop, 0 for none.
    fn block(&mut self, block: &[Stmt], at: usize) {
        for stmt in block {
            self.length += 2;
            match stmt {
                Stmt::Assign { place, value } => {
                    self.expr(value, at);
                    match place {
                        Place::Variable(index) => {
                            self.variables.insert(*index);
                            self.assigned.insert(*index);
                        }
                        Place::Local(index) => {
                            let (count, assigned_at, _) = &mut self.locals[*index];
                            *count += 1;
                            *assigned_at = at;
                        }
                    }
                }
                Stmt::If { condition, then, otherwise } => {
                    self.cond(condition, at);
                    self.block(then, at);
                    self.block(otherwise, at);
                }
                Stmt::Loop { body, step } => {
                    self.loops += 1;
                    let inside = self.loops;
                    self.block(body, inside);
                    self.block(step, inside);
                }
                Stmt::While(condition) => self.cond(condition, at),
                Stmt::Emit(_) | Stmt::Break | Stmt::Continue => {}
            }
        }
    }

    fn expr(&mut self, expr: &Expr, at: usize) {
        self.length += 1;
        match expr {
            Expr::Constant(code) => {
                self.constants.insert(*code);
            }
            Expr::Parameter(index) => {
                if let Values::Uniform(code) = self.population.parameters[*index] {
                    self.constants.insert(code);
                }
            }
            Expr::Variable(index) => {
                self.variables.insert(*index);
            }
            Expr::Local(index) => {
                self.locals[*index].2.insert(at);
            }
            Expr::Random => {}
            Expr::Binary { left, right, .. } | Expr::Multiply { left, right, .. } => {
                self.expr(left, at);
                self.expr(right, at);
            }
            Expr::ShiftLeft { value, .. } | Expr::ShiftRight { value, .. } => self.expr(value, at),
            Expr::Interpolate { table, value, shift: _ } => {
                self.constants.insert(offset_mask(&self.population.kernel, *table));
                self.length += 7;
                self.expr(value, at);
            }
            Expr::Select { condition, then, otherwise } => {
                self.cond(condition, at);
                self.expr(then, at);
                self.expr(otherwise, at);
            }
        }
    }

    fn cond(&mut self, cond: &Cond, at: usize) {
        self.length += 1;
        match cond {
            Cond::Compare { left, right, .. } => {
                self.expr(left, at);
                self.expr(right, at);
            }
            Cond::And(a, b) | Cond::Or(a, b) => {
                self.cond(a, at);
                self.cond(b, at);
            }
            Cond::Not(a) => self.cond(a, at),
        }
    }
}

/// Twice the greatest number of an interval of a table.
fn offset_mask(kernel: &Kernel, table: usize) -> i16 {
    2 * (kernel.tables[table].codes.len() as i16 - 2)
}

/// Something that has a value in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Variable(usize),
    Parameter(usize),
    Local(usize),
}

impl From<Place> for Name {
    fn from(place: Place) -> Self {
        match place {
            Place::Variable(index) => Self::Variable(index),
            Place::Local(index) => Self::Local(index),
        }
    }
}

/// A loop that is being run.
struct Around {
    /// The lanes that are in it.
    inside: Reg,
    /// And have not left out the rest of this iteration; the same register where none can.
    going: Reg,
    end: Label,
}

/// The code of one block, as far as it is.
struct Block<'a> {
    walk: &'a Walk<'a>,
    kernel: &'a Kernel,
    code: &'a mut Code,
    places: &'a Places,
    shared: &'a Shared,
    /// The present register of everything that has been read or written.
    values: BTreeMap<Name, Reg>,
    /// The spikes so far.
    events: Vec<Option<Reg>>,
    /// Names that keep their register, since a loop around assigns them.
    pinned: BTreeSet<Name>,
    loops: Vec<Around>,
}

/// Statements.
impl Block<'_> {
    fn statements(&mut self, block: &[Stmt], mut mask: Option<Reg>) {
        for stmt in block {
            match stmt {
                Stmt::Assign { place, value } => self.assign(*place, value, mask),
                Stmt::Emit(event) => self.spike(*event, mask),
                Stmt::If { condition, then, otherwise } => {
                    let condition = self.condition(condition, false);
                    let inside = self.both(mask, condition);
                    self.statements(then, Some(inside));
                    if !otherwise.is_empty() {
                        let outside = match mask {
                            Some(mask) => self.code.def_x(Op::Andn, &[mask.into(), condition.into()]),
                            None => self.code.def_x(Op::Xori, &[condition.into(), (-1).into()]),
                        };
                        self.statements(otherwise, Some(outside));
                    }
                    if leaves(then) || leaves(otherwise) {
                        mask = self.still_here(mask);
                    }
                }
                Stmt::Loop { body, step } => self.repeat(body, step, mask),
                Stmt::While(condition) => self.test(condition),
                // What stands behind is for no lane, but draws random numbers all the same.
                Stmt::Break => {
                    self.leave(mask, true);
                    mask = self.still_here(mask);
                }
                Stmt::Continue => {
                    self.leave(mask, false);
                    mask = self.still_here(mask);
                }
            }
        }
    }

    /// Those of `mask` that have not left the innermost loop, or this iteration, in the meantime.
    fn still_here(&mut self, mask: Option<Reg>) -> Option<Reg> {
        let going = self.loops.last().map(|around| around.going)?;
        match mask {
            // The register itself has been changed.
            Some(mask) if mask == going => Some(mask),
            Some(mask) => Some(self.code.def_x(Op::And, &[mask.into(), going.into()])),
            None => Some(going),
        }
    }

    fn repeat(&mut self, body: &[Stmt], step: &[Stmt], mask: Option<Reg>) {
        let inside = self.code.x();
        match (mask, self.places.lanes) {
            (None, None) => self.code.set(inside, -1),
            (Some(mask), Some(lanes)) => self.code.emit(Op::And, &[inside.into(), mask.into(), lanes.into()]),
            (Some(lanes), None) | (None, Some(lanes)) => self.move_x(inside, lanes),
        }
        let outside = self.pinned.clone();
        self.pin(body, step);
        let (head, end) = (self.code.label(), self.code.label());
        if mask.is_some() {
            self.code.emit(Op::Beq, &[inside.into(), Arg::Zero, end.into()]);
        }
        self.code.bind(head);
        let going = if continues(body) {
            let going = self.code.x();
            self.move_x(going, inside);
            going
        } else {
            inside
        };
        self.loops.push(Around { inside, going, end });
        self.statements(body, Some(going));
        if let Some(around) = self.loops.last_mut() {
            around.going = inside;
        }
        if !step.is_empty() && leaves(body) {
            self.code.emit(Op::Beq, &[inside.into(), Arg::Zero, end.into()]);
        }
        match step.split_last() {
            // The branch back finds out whether the loop goes on.
            Some((Stmt::While(condition), before)) => {
                self.statements(before, Some(inside));
                self.narrow(condition);
            }
            _ => self.statements(step, Some(inside)),
        }
        self.loops.pop();
        self.code.emit(Op::Bne, &[inside.into(), Arg::Zero, head.into()]);
        self.code.bind(end);
        self.pinned = outside;
    }

    fn test(&mut self, condition: &Cond) {
        self.narrow(condition);
        if let Some(Around { inside, end, .. }) = self.loops.last() {
            self.code.emit(Op::Beq, &[(*inside).into(), Arg::Zero, (*end).into()]);
        }
    }

    /// Lanes that are here and do not meet the condition leave the loop.
    fn narrow(&mut self, condition: &Cond) {
        let Some((inside, going)) = self.loops.last().map(|around| (around.inside, around.going)) else { return };
        if inside == going {
            let condition = self.condition(condition, false);
            return self.code.emit(Op::And, &[inside.into(), inside.into(), condition.into()]);
        }
        let fails = self.condition(condition, true);
        let leaving = self.code.def_x(Op::And, &[going.into(), fails.into()]);
        for lanes in [inside, going] {
            self.code.emit(Op::Andn, &[lanes.into(), lanes.into(), leaving.into()]);
        }
    }

    /// The lanes of `mask` leave the innermost loop, or the rest of this iteration.
    fn leave(&mut self, mask: Option<Reg>, for_good: bool) {
        let Some((inside, going)) = self.loops.last().map(|around| (around.inside, around.going)) else { return };
        // In a loop there is always a mask.
        let mask = mask.unwrap_or(going);
        let without = |block: &mut Self, lanes: Reg| {
            let args = [lanes.into(), lanes.into(), mask.into()];
            if lanes == mask { block.code.set(lanes, 0) } else { block.code.emit(Op::Andn, &args) }
        };
        if for_good && inside != going {
            without(self, inside);
        }
        without(self, going);
    }

    /// Gives everything that a loop assigns a register of its own, and loads what it reads.
    fn pin(&mut self, body: &[Stmt], step: &[Stmt]) {
        let mut assigned = BTreeSet::new();
        kernel::assigned(body, &mut assigned);
        kernel::assigned(step, &mut assigned);
        let free = |place: &Place| matches!(place, Place::Local(index) if self.walk.free.contains(index));
        let names: Vec<Name> = assigned.into_iter().filter(|place| !free(place)).map(Name::from).collect();
        let mut read = BTreeSet::new();
        for block in [body, step] {
            reads(block, &mut read);
        }
        read.into_iter().filter(|name| !matches!(name, Name::Local(_))).for_each(|name| {
            self.read(name);
        });
        for name in names {
            self.read(name);
            self.own(name);
            self.pinned.insert(name);
        }
        let mut emitted = BTreeSet::new();
        for block in [body, step] {
            emits(block, &mut emitted);
        }
        // A loop around has done so.
        emitted.retain(|_| self.loops.is_empty());
        for event in emitted {
            let reg = self.code.x();
            match self.events[event] {
                Some(before) => self.move_x(reg, before),
                None => self.code.set(reg, 0),
            }
            self.events[event] = Some(reg);
        }
    }

    fn assign(&mut self, place: Place, value: &Expr, mask: Option<Reg>) {
        let name = Name::from(place);
        let free = matches!(place, Place::Local(index) if self.walk.free.contains(&index));
        let value = self.expr(value).reg;
        match mask {
            Some(mask) if !free => self.choose(name, mask, value),
            _ => {
                self.values.insert(name, value);
            }
        }
    }

    /// The name gets `value` in the lanes of `mask`.
    fn choose(&mut self, name: Name, mask: Reg, value: Reg) {
        if self.read(name) != value {
            let own = self.own(name);
            self.code.emit(Op::VSel, &[own.into(), mask.into(), value.into()]);
        }
    }

    /// The register of a name that has one, which nothing else has: its own where that must stay, otherwise perhaps another.
    fn own(&mut self, name: Name) -> Reg {
        let reg = self.values[&name];
        let others: Vec<Name> = self.others(name).collect();
        if others.is_empty() && !self.shared.constants.values().any(|shared| *shared == reg) {
            return reg;
        }
        let copy = self.copy(reg);
        if self.pinned.contains(&name) {
            others.into_iter().for_each(|other| {
                self.values.insert(other, copy);
            });
            return reg;
        }
        self.values.insert(name, copy);
        copy
    }

    fn others(&self, name: Name) -> impl Iterator<Item = Name> {
        let reg = self.values.get(&name).copied();
        self.values.iter().filter(move |(other, at)| **other != name && Some(**at) == reg).map(|(other, _)| *other)
    }

    /// There is no move; a shift by nothing takes as long.
    fn copy(&mut self, reg: Reg) -> Reg {
        self.code.def_v(Op::VSlli, &[reg.into(), 0.into()])
    }

    fn move_x(&mut self, to: Reg, from: Reg) {
        self.code.emit(Op::Addi, &[to.into(), from.into(), 0.into()]);
    }

    fn spike(&mut self, event: usize, mask: Option<Reg>) {
        let spikes = mask.unwrap_or_else(|| self.code.constant(-1));
        if !self.loops.is_empty()
            && let Some(so_far) = self.events[event]
        {
            return self.code.emit(Op::Or, &[so_far.into(), so_far.into(), spikes.into()]);
        }
        let spikes = match self.events[event] {
            // Not the mask's own register, which a loop may change.
            None => self.code.def_x(Op::Addi, &[spikes.into(), 0.into()]),
            Some(before) => self.code.def_x(Op::Or, &[before.into(), spikes.into()]),
        };
        self.events[event] = Some(spikes);
    }

    fn both(&mut self, mask: Option<Reg>, condition: Reg) -> Reg {
        match mask {
            Some(mask) => self.code.def_x(Op::And, &[mask.into(), condition.into()]),
            None => condition,
        }
    }

    /// Stores what has been written, what is recorded, and the spikes.
    fn finish(&mut self) {
        for index in 0..self.kernel.variables.len() {
            let (assigned, recorded) = (self.walk.assigned.contains(&index), self.walk.recorded[index]);
            let own = self.places.variables[index].filter(|_| assigned);
            let record = self.places.records[index].filter(|_| recorded);
            for place in own.into_iter().chain(record) {
                let reg = self.read(Name::Variable(index));
                lanes::store(self.code, reg, At::new(place.base, place.offset, 0));
                self.code.within(place.array);
            }
        }
        for (event, place) in self.places.events.iter().enumerate() {
            let spikes = match (self.events[event], self.places.lanes) {
                (Some(spikes), Some(lanes)) => self.code.def_x(Op::And, &[spikes.into(), lanes.into()]).into(),
                (Some(spikes), None) => spikes.into(),
                (None, _) => Arg::Zero,
            };
            self.code.emit(Op::Sw, &[spikes, place.offset.into(), place.base]);
            self.code.within(place.array);
        }
    }
}

/// A value, and whether its register may be changed because nothing else refers to it.
#[derive(Clone, Copy)]
struct Value {
    reg: Reg,
    owned: bool,
}

/// Expressions.
impl Block<'_> {
    /// The present register of a name, loaded if need be.
    fn read(&mut self, name: Name) -> Reg {
        if let Some(reg) = self.values.get(&name) {
            return *reg;
        }
        let place = match name {
            Name::Variable(index) => self.places.variables[index],
            Name::Parameter(index) => self.places.parameters[index],
            Name::Local(_) => None,
        };
        let reg = match (place, name) {
            (Some(place), _) => {
                let reg = lanes::load(self.code, At::new(place.base, place.offset, 0));
                self.code.within(place.array);
                reg
            }
            (None, Name::Parameter(index)) => self.shared.constants[&self.walk.population.parameters[index].get(0)],
            // Assigned under a mask first: zero elsewhere.
            (None, _) => self.code.def_v(Op::VLui, &[0.into()]),
        };
        self.values.insert(name, reg);
        reg
    }

    /// The value of an expression. Names' registers are not owned: they hold the names' values.
    fn expr(&mut self, expr: &Expr) -> Value {
        let name = match expr {
            Expr::Constant(code) => return Value { reg: self.shared.constants[code], owned: false },
            Expr::Variable(index) => Name::Variable(*index),
            Expr::Parameter(index) => Name::Parameter(*index),
            Expr::Local(index) => Name::Local(*index),
            _ => return Value { reg: self.operation(expr), owned: true },
        };
        Value { reg: self.read(name), owned: false }
    }

    fn operation(&mut self, expr: &Expr) -> Reg {
        match expr {
            Expr::Constant(_) | Expr::Variable(_) | Expr::Parameter(_) | Expr::Local(_) => self.expr(expr).reg,
            Expr::Random => self.code.def_v(Op::VRng, &[]),
            Expr::Binary { op, left, right } => {
                let (left, right) = (self.expr(left).reg, self.expr(right).reg);
                let op = match op {
                    BinaryOp::Add => Op::VAdd,
                    BinaryOp::AddSaturating => Op::VAddS,
                    BinaryOp::Sub => Op::VSub,
                    BinaryOp::SubSaturating => Op::VSubS,
                    BinaryOp::And => Op::VAnd,
                    BinaryOp::ShiftLeft => Op::VSll,
                    BinaryOp::ShiftRight => Op::VSra,
                };
                self.code.def_v(op, &[left.into(), right.into()])
            }
            Expr::Multiply { left, right, shift, rounding, saturating } => {
                let (left, right) = (self.expr(left).reg, self.expr(right).reg);
                let op = match (saturating, rounding) {
                    (false, Rounding::Zero) => Op::VMul,
                    (false, Rounding::Nearest) => Op::VMulRn,
                    (false, Rounding::Stochastic) => Op::VMulRs,
                    (true, Rounding::Zero) => Op::VMulS,
                    (true, Rounding::Nearest) => Op::VMulSRn,
                    (true, Rounding::Stochastic) => Op::VMulSRs,
                };
                self.code.def_v(op, &[left.into(), right.into(), i64::from(*shift).into()])
            }
            Expr::ShiftLeft { value, shift } => {
                let value = self.expr(value).reg;
                self.code.def_v(Op::VSlli, &[value.into(), i64::from(*shift).into()])
            }
            Expr::ShiftRight { value, shift, rounding } => {
                let value = self.expr(value).reg;
                let op = match rounding {
                    Rounding::Zero => Op::VSrai,
                    Rounding::Nearest => Op::VSraiRn,
                    Rounding::Stochastic => Op::VSraiRs,
                };
                self.code.def_v(op, &[value.into(), i64::from(*shift).into()])
            }
            Expr::Interpolate { table, value, shift } => {
                let value = self.expr(value).reg;
                self.interpolate(*table, value, *shift)
            }
            Expr::Select { condition, then, otherwise } => {
                let condition = self.condition(condition, false);
                let then = self.expr(then).reg;
                let otherwise = self.expr(otherwise);
                let own = otherwise.owned && otherwise.reg != then;
                let reg = if own { otherwise.reg } else { self.copy(otherwise.reg) };
                self.code.emit(Op::VSel, &[reg.into(), condition.into(), then.into()]);
                reg
            }
        }
    }

    /// Straight lines between the entries of a table.
    fn interpolate(&mut self, table: usize, value: Reg, shift: u8) -> Reg {
        let bits = i64::from(shift);
        let mask = self.shared.constants[&offset_mask(self.kernel, table)];
        let wide = self.code.def_v(Op::VSrai, &[value.into(), (bits - 1).into()]);
        let offset = self.code.def_v(Op::VAnd, &[wide.into(), mask.into()]);
        let row = self.places.tables[table];
        let [entry, next] = [false, true].map(|next| emit::look_up(self.code, row, next, offset));
        let fraction = self.code.def_v(Op::VAndAdd, &[value.into(), Arg::Zero, bits.into()]);
        let difference = self.code.def_v(Op::VSub, &[next.into(), entry.into()]);
        let part = self.code.def_v(Op::VMulRn, &[difference.into(), fraction.into(), bits.into()]);
        self.code.def_v(Op::VAdd, &[entry.into(), part.into()])
    }

    /// One bit per lane: where the condition holds, or where it does not.
    fn condition(&mut self, cond: &Cond, negated: bool) -> Reg {
        match cond {
            Cond::Compare { op, left, right } => {
                let (left, right) = (self.expr(left).reg, self.expr(right).reg);
                let (op, first, second) = match (op, negated) {
                    (CompareOp::Equal, false) | (CompareOp::NotEqual, true) => (Op::VTeq, left, right),
                    (CompareOp::NotEqual, false) | (CompareOp::Equal, true) => (Op::VTne, left, right),
                    (CompareOp::Less, false) | (CompareOp::GreaterEqual, true) => (Op::VTlt, left, right),
                    (CompareOp::GreaterEqual, false) | (CompareOp::Less, true) => (Op::VTge, left, right),
                    (CompareOp::Greater, false) | (CompareOp::LessEqual, true) => (Op::VTlt, right, left),
                    (CompareOp::LessEqual, false) | (CompareOp::Greater, true) => (Op::VTge, right, left),
                };
                self.code.def_x(op, &[first.into(), second.into()])
            }
            Cond::And(a, b) => self.joined(if negated { Op::Or } else { Op::And }, a, b, negated),
            Cond::Or(a, b) => self.joined(if negated { Op::And } else { Op::Or }, a, b, negated),
            Cond::Not(a) => self.condition(a, !negated),
        }
    }

    fn joined(&mut self, op: Op, a: &Cond, b: &Cond, negated: bool) -> Reg {
        let (a, b) = (self.condition(a, negated), self.condition(b, negated));
        self.code.def_x(op, &[a.into(), b.into()])
    }
}

/// Whether lanes may leave the loop around these statements, or the iteration, other than by its own conditions.
fn leaves(block: &[Stmt]) -> bool {
    block.iter().any(|stmt| match stmt {
        Stmt::Break | Stmt::Continue => true,
        Stmt::If { then, otherwise, .. } => leaves(then) || leaves(otherwise),
        Stmt::Loop { .. } | Stmt::Assign { .. } | Stmt::Emit(_) | Stmt::While(_) => false,
    })
}

/// Whether lanes may leave an iteration of the loop around these statements.
fn continues(block: &[Stmt]) -> bool {
    block.iter().any(|stmt| match stmt {
        Stmt::Continue => true,
        Stmt::If { then, otherwise, .. } => continues(then) || continues(otherwise),
        Stmt::Loop { .. } | Stmt::Assign { .. } | Stmt::Emit(_) | Stmt::While(_) | Stmt::Break => false,
    })
}

fn emits(block: &[Stmt], events: &mut BTreeSet<usize>) {
    for stmt in block {
        match stmt {
            Stmt::Emit(event) => {
                events.insert(*event);
            }
            Stmt::If { then: one, otherwise: other, .. } | Stmt::Loop { body: one, step: other } => {
                emits(one, events);
                emits(other, events);
            }
            Stmt::Assign { .. } | Stmt::While(_) | Stmt::Break | Stmt::Continue => {}
        }
    }
}

/// Every name that the statements read.
fn reads(block: &[Stmt], names: &mut BTreeSet<Name>) {
    for stmt in block {
        match stmt {
            Stmt::Assign { value, .. } => reads_expr(value, names),
            Stmt::While(condition) => reads_cond(condition, names),
            Stmt::If { condition, then, otherwise } => {
                reads_cond(condition, names);
                reads(then, names);
                reads(otherwise, names);
            }
            Stmt::Loop { body, step } => {
                reads(body, names);
                reads(step, names);
            }
            Stmt::Emit(_) | Stmt::Break | Stmt::Continue => {}
        }
    }
}

fn reads_expr(expr: &Expr, names: &mut BTreeSet<Name>) {
    match expr {
        Expr::Constant(_) | Expr::Random => {}
        Expr::Variable(index) => {
            names.insert(Name::Variable(*index));
        }
        Expr::Parameter(index) => {
            names.insert(Name::Parameter(*index));
        }
        Expr::Local(index) => {
            names.insert(Name::Local(*index));
        }
        Expr::Binary { left, right, .. } | Expr::Multiply { left, right, .. } => {
            reads_expr(left, names);
            reads_expr(right, names);
        }
        Expr::ShiftLeft { value, .. } | Expr::ShiftRight { value, .. } | Expr::Interpolate { value, .. } => {
            reads_expr(value, names);
        }
        Expr::Select { condition, then, otherwise } => {
            reads_cond(condition, names);
            reads_expr(then, names);
            reads_expr(otherwise, names);
        }
    }
}

fn reads_cond(cond: &Cond, names: &mut BTreeSet<Name>) {
    match cond {
        Cond::Compare { left, right, .. } => {
            reads_expr(left, names);
            reads_expr(right, names);
        }
        Cond::And(a, b) | Cond::Or(a, b) => {
            reads_cond(a, names);
            reads_cond(b, names);
        }
        Cond::Not(a) => reads_cond(a, names),
    }
}
