//! Neuron programs: a population's kernel, for 32 neurons at a time.
//!
//! Before it, the sums that are due are added to the variables, and the events' rings make room for its spikes.
//!
//! Within a block of neurons the code is straight: an `if` becomes lane masks in scalar registers and `vsel`. Variables
//! are loaded when first read and stored at the end if written. Constants and uniform parameters are loaded once, before
//! the loop over blocks.
//!
//! A variable's value moves from register to register as it is assigned, so that an assignment outside an `if` costs
//! nothing; under a mask, `vsel` changes the register in place if nothing else refers to it.

use std::collections::BTreeMap;

use fenn_isa::Op;
use fenn_isa::memory::VECTOR_BYTES;

use super::lanes::{self, At, load, store};
use super::propagate::symbol;
use super::{Address, Lowering, When, last_lanes};
use crate::ir::{Arg, Code, Reg};
use crate::kernel::{BinaryOp, CompareOp, Cond, Expr, Kernel, Place, Rounding, Stmt};
use crate::network::{Population, Values};
use crate::place::{Home, PopulationPlace, Vectors};

impl Lowering<'_> {
    pub(super) fn update(&mut self, index: usize) {
        let population = &self.network.populations[index];
        let place = &self.placement.populations[index];
        self.code.name(format!("update_{}", symbol(&population.name)));
        self.deliver(index);
        self.advance_rings(index);
        let constants = self.constants(population);
        let pointers = self.block_pointers(index);
        let left = (place.blocks > 1).then(|| self.code.constant(place.blocks.into()));
        let lane_step = if place.blocks > 1 { pointers.base.lane_step(self, 1) } else { None };
        let head = self.code.label();
        self.code.bind(head);
        let mut block = Block {
            code: &mut self.code,
            population,
            kernel: &population.kernel,
            pointers: &pointers,
            constants: &constants,
            values: BTreeMap::new(),
            shared: constants.values().copied().collect(),
            written: vec![false; population.kernel.variables.len()],
            events: vec![None; population.kernel.events.len()],
        };
        block.statements(&population.kernel.body, None);
        block.finish(place, last_lanes(population.size));
        if let Some(left) = left {
            pointers.advance(&mut self.code, lane_step);
            self.code.advance(left, -1);
            self.code.emit(Op::Bne, &[left.into(), Arg::Zero, head.into()]);
            self.mask_last_words(index);
        }
    }

    /// Registers with every constant and uniform parameter the kernel reads.
    fn constants(&mut self, population: &Population) -> BTreeMap<i16, Reg> {
        let mut codes = Vec::new();
        constants_of(&population.kernel.body, population, &mut codes);
        codes.sort_unstable();
        codes.dedup();
        codes.into_iter().map(|code| (code, self.code.def_v(Op::VLui, &[i64::from(code).into()]))).collect()
    }

    /// A loop over blocks stores whole words of spikes; the last one must not hold spikes of neurons that are not there.
    fn mask_last_words(&mut self, index: usize) {
        let mask = last_lanes(self.network.populations[index].size);
        if mask == u32::MAX {
            return;
        }
        let mask = self.code.constant(i64::from(mask as i32));
        for event in 0..self.placement.populations[index].events.len() {
            let words = self.placement.populations[index].events[event].words;
            let mut address = self.event_address(index, event, When::Now, 0);
            address.offset += i64::from(4 * (words - 1));
            let (base, offset) = self.reach(address, 4);
            let word = self.code.def_x(Op::Lw, &[offset.into(), base]);
            let masked = self.code.def_x(Op::And, &[word.into(), mask.into()]);
            self.code.emit(Op::Sw, &[masked.into(), offset.into(), base]);
        }
    }

    /// Pointers to the first block of every array of the population, as few as reach them all.
    fn block_pointers(&mut self, index: usize) -> Pointers {
        let place = &self.placement.populations[index];
        let mut pointers = Pointers::default();
        let parameters = place.parameters.iter().map(|vectors| vectors.map(Home::Vector));
        for home in place.variables.iter().copied().map(Some).chain(parameters) {
            // Pointers that do not move are shared by arrays of any stride.
            let still = |home| match home {
                Home::Vector(vectors) if place.blocks == 1 => Home::Vector(Vectors { stride: 0, ..vectors }),
                home => home,
            };
            let at = home.map(|home| pointers.base.point(self, still(home), 1));
            pointers.arrays.push(at);
        }
        for record in self.step.records[index].clone() {
            let single = place.blocks == 1;
            let at = record.map(|record| {
                let register = if single { record } else { self.pointer(Address { base: Some(record), offset: 0 }) };
                pointers.moving.push((register, VECTOR_BYTES.into()));
                At::new(register.into(), 0, VECTOR_BYTES.into())
            });
            pointers.records.push(at);
        }
        for event in 0..place.events.len() {
            let address = self.event_address(index, event, When::Now, 0);
            let at = if place.blocks == 1 {
                self.reach(address, 4)
            } else {
                let register = self.pointer(address);
                pointers.moving.push((register, 4));
                (Arg::Reg(register), 0)
            };
            pointers.events.push(at);
        }
        pointers
    }
}

/// Where a block's vectors are.
#[derive(Default)]
struct Pointers {
    /// For each variable, then for each parameter that differs from neuron to neuron.
    arrays: Vec<Option<At>>,
    /// For each variable that is recorded.
    records: Vec<Option<At>>,
    /// For each event.
    events: Vec<(Arg, i64)>,
    /// What `arrays` are reached by.
    base: lanes::Pointers,
    /// What else moves from block to block.
    moving: Vec<(Reg, i64)>,
}

impl Pointers {
    fn advance(&self, code: &mut Code, lane_step: Option<Reg>) {
        self.base.advance(code, lane_step);
        self.moving.iter().for_each(|(register, stride)| code.advance(*register, *stride));
    }
}

/// Something that has a value in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Variable(usize),
    Parameter(usize),
    Local(usize),
}

/// The code of one block of neurons.
struct Block<'a> {
    code: &'a mut Code,
    population: &'a Population,
    kernel: &'a Kernel,
    pointers: &'a Pointers,
    constants: &'a BTreeMap<i16, Reg>,
    /// The present register of everything that has been read or written.
    values: BTreeMap<Name, Reg>,
    /// Registers that outlive the block: they are never changed.
    shared: Vec<Reg>,
    written: Vec<bool>,
    /// The spikes so far.
    events: Vec<Option<Reg>>,
}

/// A value, and whether its register may be changed because nothing else refers to it.
#[derive(Clone, Copy)]
struct Value {
    reg: Reg,
    owned: bool,
}

impl Block<'_> {
    fn statements(&mut self, block: &[Stmt], mask: Option<Reg>) {
        for stmt in block {
            match stmt {
                Stmt::Assign { place, value } => self.assign(*place, value, mask),
                Stmt::Emit(event) => self.spike(*event, mask),
                Stmt::If { condition, then, otherwise } => {
                    let condition = self.condition(condition);
                    let inside = match mask {
                        Some(mask) => self.code.def_x(Op::And, &[mask.into(), condition.into()]),
                        None => condition,
                    };
                    self.statements(then, Some(inside));
                    if !otherwise.is_empty() {
                        let outside = match mask {
                            Some(mask) => self.code.def_x(Op::Andn, &[mask.into(), condition.into()]),
                            None => self.code.def_x(Op::Xori, &[condition.into(), (-1).into()]),
                        };
                        self.statements(otherwise, Some(outside));
                    }
                }
            }
        }
    }

    fn assign(&mut self, place: Place, value: &Expr, mask: Option<Reg>) {
        let value = self.expr(value);
        let name = match place {
            Place::Variable(index) => {
                self.written[index] = true;
                Name::Variable(index)
            }
            Place::Local(index) => Name::Local(index),
        };
        let reg = match mask {
            // A register that something else owns may be shared: nothing is changed in place unless it is owned.
            None => value.reg,
            Some(mask) => {
                let old = self.read(name);
                self.select(mask, value.reg, old)
            }
        };
        self.values.insert(name, reg);
    }

    /// `mask ? then : otherwise`, in `otherwise`'s own register if it may be changed.
    fn select(&mut self, mask: Reg, then: Reg, otherwise: Value) -> Reg {
        let reg = if otherwise.owned && otherwise.reg != then { otherwise.reg } else { self.copy(otherwise.reg) };
        self.code.emit(Op::VSel, &[reg.into(), mask.into(), then.into()]);
        reg
    }

    /// There is no move; a shift by nothing takes as long.
    fn copy(&mut self, reg: Reg) -> Reg {
        self.code.def_v(Op::VSlli, &[reg.into(), 0.into()])
    }

    fn spike(&mut self, event: usize, mask: Option<Reg>) {
        let spikes = mask.unwrap_or_else(|| self.code.constant(-1));
        let spikes = match self.events[event] {
            None => spikes,
            Some(before) => self.code.def_x(Op::Or, &[before.into(), spikes.into()]),
        };
        self.events[event] = Some(spikes);
    }

    /// The present value of a name, loaded if need be. It may be changed if no other name has the same register.
    fn read(&mut self, name: Name) -> Value {
        if let Some(reg) = self.values.get(&name).copied() {
            let others = self.values.values().filter(|other| **other == reg).count();
            return Value { reg, owned: others == 1 && !self.shared.contains(&reg) };
        }
        let variables = self.kernel.variables.len();
        let at = match name {
            Name::Variable(index) => self.pointers.arrays[index],
            Name::Parameter(index) => self.pointers.arrays[variables + index],
            Name::Local(_) => None,
        };
        let reg = match (at, name) {
            (Some(at), _) => load(self.code, at),
            (None, Name::Parameter(index)) => self.constants[&self.uniform(index)],
            // A local that is assigned under a condition first: zero elsewhere.
            (None, _) => self.code.def_v(Op::VLui, &[0.into()]),
        };
        self.values.insert(name, reg);
        Value { reg, owned: !self.shared.contains(&reg) }
    }

    fn uniform(&self, parameter: usize) -> i16 {
        self.population.parameters[parameter].get(0)
    }

    /// The value of an expression. Names' registers are not owned: they hold the names' values.
    fn expr(&mut self, expr: &Expr) -> Value {
        let name = match expr {
            Expr::Constant(code) => return Value { reg: self.constants[code], owned: false },
            Expr::Variable(index) => Name::Variable(*index),
            Expr::Parameter(index) => Name::Parameter(*index),
            Expr::Local(index) => Name::Local(*index),
            _ => return Value { reg: self.operation(expr), owned: true },
        };
        Value { reg: self.read(name).reg, owned: false }
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
            Expr::Select { condition, then, otherwise } => {
                let condition = self.condition(condition);
                let then = self.expr(then).reg;
                let otherwise = self.expr(otherwise);
                self.select(condition, then, otherwise)
            }
        }
    }

    /// One bit per lane.
    fn condition(&mut self, cond: &Cond) -> Reg {
        match cond {
            Cond::Compare { op, left, right } => {
                let (left, right) = (self.expr(left).reg, self.expr(right).reg);
                let (op, first, second) = match op {
                    CompareOp::Equal => (Op::VTeq, left, right),
                    CompareOp::NotEqual => (Op::VTne, left, right),
                    CompareOp::Less => (Op::VTlt, left, right),
                    CompareOp::GreaterEqual => (Op::VTge, left, right),
                    CompareOp::Greater => (Op::VTlt, right, left),
                    CompareOp::LessEqual => (Op::VTge, right, left),
                };
                self.code.def_x(op, &[first.into(), second.into()])
            }
            Cond::And(a, b) => self.both(Op::And, a, b),
            Cond::Or(a, b) => self.both(Op::Or, a, b),
            Cond::Not(a) => {
                let a = self.condition(a);
                self.code.def_x(Op::Xori, &[a.into(), (-1).into()])
            }
        }
    }

    fn both(&mut self, op: Op, a: &Cond, b: &Cond) -> Reg {
        let (a, b) = (self.condition(a), self.condition(b));
        self.code.def_x(op, &[a.into(), b.into()])
    }

    /// Stores what has been written, what is recorded, and the spikes.
    fn finish(&mut self, place: &PopulationPlace, lanes: u32) {
        for index in 0..self.kernel.variables.len() {
            let recorded = self.pointers.records[index];
            if !self.written[index] && recorded.is_none() {
                continue;
            }
            let reg = self.read(Name::Variable(index)).reg;
            let own = self.pointers.arrays[index].filter(|_| self.written[index]);
            for at in own.into_iter().chain(recorded) {
                store(self.code, reg, at);
            }
        }
        for (event, (base, offset)) in self.pointers.events.iter().enumerate() {
            let spikes = match self.events[event] {
                // With one block the neurons that are not there can be left out at once.
                Some(spikes) if place.blocks == 1 && lanes != u32::MAX => {
                    let mask = self.code.constant(i64::from(lanes as i32));
                    Arg::Reg(self.code.def_x(Op::And, &[spikes.into(), mask.into()]))
                }
                Some(spikes) => spikes.into(),
                None => Arg::Zero,
            };
            self.code.emit(Op::Sw, &[spikes, (*offset).into(), *base]);
        }
    }
}

fn constants_of(block: &[Stmt], population: &Population, codes: &mut Vec<i16>) {
    for stmt in block {
        match stmt {
            Stmt::Assign { value, .. } => constants_in(value, population, codes),
            Stmt::Emit(_) => {}
            Stmt::If { condition, then, otherwise } => {
                constants_under(condition, population, codes);
                constants_of(then, population, codes);
                constants_of(otherwise, population, codes);
            }
        }
    }
}

fn constants_in(expr: &Expr, population: &Population, codes: &mut Vec<i16>) {
    match expr {
        Expr::Constant(code) => codes.push(*code),
        Expr::Parameter(index) => {
            if let Values::Uniform(code) = population.parameters[*index] {
                codes.push(code);
            }
        }
        Expr::Variable(_) | Expr::Local(_) | Expr::Random => {}
        Expr::Binary { left, right, .. } | Expr::Multiply { left, right, .. } => {
            constants_in(left, population, codes);
            constants_in(right, population, codes);
        }
        Expr::ShiftLeft { value, .. } | Expr::ShiftRight { value, .. } => constants_in(value, population, codes),
        Expr::Select { condition, then, otherwise } => {
            constants_under(condition, population, codes);
            constants_in(then, population, codes);
            constants_in(otherwise, population, codes);
        }
    }
}

fn constants_under(cond: &Cond, population: &Population, codes: &mut Vec<i16>) {
    match cond {
        Cond::Compare { left, right, .. } => {
            constants_in(left, population, codes);
            constants_in(right, population, codes);
        }
        Cond::And(a, b) | Cond::Or(a, b) => {
            constants_under(a, population, codes);
            constants_under(b, population, codes);
        }
        Cond::Not(a) => constants_under(a, population, codes),
    }
}
