//! Register allocation: virtual registers to real ones, by linear scan over live intervals.
//!
//! Contract: the result computes what the input computes, on `x1`–`x31` and `v0`–`v31`, using the spill area where those
//! do not suffice; [`checker`] proves that afresh for every program, by other means. Deterministic.
//!
//! Intervals are hulls: from the first to the last place where a register's value is wanted, loops included. When
//! registers run out, the value with the least use (weighted by loop depth) of those that compete goes to memory; constants
//! are computed again instead. This repeats until everything fits.
//!
//! Not here: the order of instructions, and coalescing (lowering avoids copies).

use std::collections::{BTreeMap, BTreeSet};

use fenn_isa::code::{Condition, Item as LinkItem};
use fenn_isa::memory::VECTOR_BYTES;
use fenn_isa::operand::XReg;
use fenn_isa::{Inst as RealInst, Op, Role};

use crate::ir::{Arg, Code, File, Inst, Item, Origin, Reg};

pub mod checker;
pub(crate) mod liveness;

/// Bytes kept for spilled scalar registers at address 0 of scalar memory.
pub const SCALAR_SPILL_BYTES: u32 = 512;
/// Bytes kept for spilled vector registers at address 0 of vector memory: all that an immediate reaches from `x0`.
pub const VECTOR_SPILL_BYTES: u32 = 2048;

/// How often spilling is tried before a program is called too complex.
const MAX_ROUNDS: usize = 24;

/// A program on real registers.
#[derive(Debug, Clone)]
pub struct Allocation {
    /// The program with the allocator's own instructions, on virtual registers.
    pub code: Code,
    /// The real register of each virtual one.
    pub registers: BTreeMap<Reg, u8>,
    /// Values kept in memory for want of registers: scalar, vector.
    pub spilled: [u32; 2],
}

/// Why no registers could be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllocationError {
    /// More values than registers and spill slots.
    #[error("the neuron program needs more intermediate values than the machine can hold; split it into smaller parts")]
    TooComplex,
    /// The checker found that a value would be lost: a bug of the compiler.
    #[error("register allocation is wrong, which is a bug in the compiler: {0}")]
    Wrong(#[from] checker::Mismatch),
}

/// Finds a real register for each virtual one, and checks the result.
///
/// # Errors
/// A program with too many values at once; a mismatch found by the checker.
pub fn allocate(code: &Code) -> Result<Allocation, AllocationError> {
    let mut current = code.clone();
    current.renumber();
    let mut slots = Slots::new(code);
    for _ in 0..MAX_ROUNDS {
        match scan(&current, &slots.temporaries) {
            Ok(registers) => {
                let spilled = slots.spilled;
                let allocation = Allocation { code: current, registers, spilled };
                checker::check(code, &allocation)?;
                return Ok(allocation);
            }
            Err(victims) if victims.is_empty() => return Err(AllocationError::TooComplex),
            Err(victims) => current = spill(&current, &victims, &mut slots)?,
        }
    }
    Err(AllocationError::TooComplex)
}

/// One pass of linear scan: a register for each value, or the values to be spilled first.
fn scan(code: &Code, temporaries: &BTreeSet<Reg>) -> Result<BTreeMap<Reg, u8>, Vec<Reg>> {
    let mut intervals = liveness::intervals(code);
    intervals.sort_by_key(|interval| (interval.start, interval.reg));
    let mut assigned = BTreeMap::new();
    let mut victims = Vec::new();
    for file in [File::X, File::V] {
        let first = if file == File::X { 1 } else { 0 };
        let mut free: BTreeSet<u8> = (first..32).collect();
        let mut active: Vec<&liveness::Interval> = Vec::new();
        for interval in intervals.iter().filter(|interval| interval.reg.file == file) {
            active.retain(|other| {
                let live = other.end >= interval.start;
                if !live {
                    free.insert(assigned[&other.reg]);
                }
                live
            });
            if let Some(register) = free.pop_first() {
                assigned.insert(interval.reg, register);
                active.push(interval);
                continue;
            }
            let candidates = active.iter().copied().chain([interval]);
            let spillable = candidates.filter(|candidate| !temporaries.contains(&candidate.reg));
            let Some(victim) = spillable.min_by(|a, b| a.weight.total_cmp(&b.weight).then(b.end.cmp(&a.end))) else {
                return Err(Vec::new());
            };
            victims.push(victim.reg);
            if victim.reg != interval.reg {
                let register = assigned[&victim.reg];
                active.retain(|other| other.reg != victim.reg);
                assigned.insert(interval.reg, register);
                active.push(interval);
            }
        }
    }
    if victims.is_empty() { Ok(assigned) } else { Err(victims) }
}

/// What has been spilled so far.
struct Slots {
    /// From where to where each register's value is wanted in the program as it was, of which only that program's registers
    /// are ever spilled: a slot holds its values one after the other.
    wanted: BTreeMap<Reg, (usize, usize)>,
    /// For each slot, what is wanted of the values that it holds.
    taken: [Vec<Vec<(usize, usize)>>; 2],
    spilled: [u32; 2],
    /// Registers that live between a spilled value's slot and one instruction: spilling them again gains nothing.
    temporaries: BTreeSet<Reg>,
}

impl Slots {
    fn new(code: &Code) -> Self {
        let wanted =
            liveness::intervals(code).into_iter().map(|interval| (interval.reg, (interval.start, interval.end)));
        Self {
            wanted: wanted.collect(),
            taken: [Vec::new(), Vec::new()],
            spilled: [0; 2],
            temporaries: BTreeSet::new(),
        }
    }

    /// The number of a slot for `reg`.
    fn take(&mut self, reg: Reg) -> usize {
        let (start, end) = self.wanted[&reg];
        let slots = &mut self.taken[reg.file as usize];
        let free = |values: &Vec<(usize, usize)>| values.iter().all(|other| other.1 < start || end < other.0);
        let slot = slots.iter().position(free).unwrap_or_else(|| {
            slots.push(Vec::new());
            slots.len() - 1
        });
        slots[slot].push((start, end));
        self.spilled[reg.file as usize] += 1;
        slot
    }
}

/// Where a spilled value is to be had.
enum Home {
    /// In the slot at this address.
    Memory(i64),
    /// Computed again by its only definition.
    Constant(Inst),
}

fn spill(code: &Code, victims: &[Reg], slots: &mut Slots) -> Result<Code, AllocationError> {
    let mut homes = BTreeMap::new();
    for reg in victims {
        homes.insert(*reg, home(code, *reg, slots)?);
    }
    let mut result = code.without_items();
    for item in &code.items {
        match item {
            Item::Inst(inst) if inst.registers().any(|(reg, _)| homes.contains_key(&reg)) => {
                rewrite(inst, &homes, &mut result, slots);
            }
            _ => result.items.push(item.clone()),
        }
    }
    Ok(result)
}

fn home(code: &Code, reg: Reg, slots: &mut Slots) -> Result<Home, AllocationError> {
    let insts = || code.items.iter().filter_map(|item| if let Item::Inst(inst) = item { Some(inst) } else { None });
    let mut definitions = insts().filter(|inst| inst.defs().any(|def| def == reg));
    if let (Some(only), None) = (definitions.next(), definitions.next())
        && only.uses().next().is_none()
        && matches!(only.op, Op::VLui | Op::Addi | Op::Lui)
    {
        return Ok(Home::Constant(only.clone()));
    }
    let (unit, limit) = match reg.file {
        File::X => (4, SCALAR_SPILL_BYTES),
        File::V => (VECTOR_BYTES, VECTOR_SPILL_BYTES),
    };
    let address = slots.take(reg) as u32 * unit;
    if address + unit > limit {
        return Err(AllocationError::TooComplex);
    }
    Ok(Home::Memory(i64::from(address)))
}

/// Writes `inst` with its spilled operands brought from home before it and taken back after it.
fn rewrite(inst: &Inst, homes: &BTreeMap<Reg, Home>, result: &mut Code, slots: &mut Slots) {
    let mut inst = inst.clone();
    let mut stores = Vec::new();
    let mut fresh: BTreeMap<Reg, Reg> = BTreeMap::new();
    let mut drop = false;
    let registers: Vec<_> = inst.registers().collect();
    for (reg, role) in registers {
        let Some(home) = homes.get(&reg) else { continue };
        let temporary = *fresh.entry(reg).or_insert_with(|| result.register(reg.file));
        slots.temporaries.insert(temporary);
        if role == Role::Source || (role == Role::Merged && !inst.fresh) {
            bring(reg, home, temporary, result);
        }
        if matches!(role, Role::Destination | Role::Merged) {
            match home {
                Home::Memory(address) => stores.push(access(STORES, temporary, *address, Origin::Spill)),
                Home::Constant(_) => drop = true,
            }
        }
    }
    for arg in &mut inst.args {
        if let Arg::Reg(reg) = arg
            && let Some(temporary) = fresh.get(reg)
        {
            *arg = Arg::Reg(*temporary);
        }
    }
    if !drop {
        result.items.push(Item::Inst(inst));
    }
    result.items.extend(stores.into_iter().map(Item::Inst));
}

fn bring(reg: Reg, home: &Home, temporary: Reg, result: &mut Code) {
    let inst = match home {
        Home::Memory(address) => access(LOADS, temporary, *address, Origin::Reload),
        Home::Constant(inst) => {
            let mut inst = inst.clone();
            inst.args[0] = Arg::Reg(temporary);
            inst.origin = Origin::Rematerialize(reg);
            inst
        }
    };
    result.items.push(Item::Inst(inst));
}

const LOADS: [Op; 2] = [Op::Lw, Op::VLoadV];
const STORES: [Op; 2] = [Op::Sw, Op::VStore];

fn access(ops: [Op; 2], reg: Reg, address: i64, origin: Origin) -> Inst {
    let args = vec![reg.into(), address.into(), Arg::Zero];
    Inst::new(ops[reg.file as usize], args, origin)
}

impl Allocation {
    /// The real register number an operand stands for, its number otherwise; `None` for a label or its address.
    fn value(&self, arg: Arg) -> Option<i64> {
        match arg {
            Arg::Reg(reg) => Some(i64::from(self.registers[&reg])),
            Arg::Zero => Some(0),
            Arg::Imm(value) => Some(value),
            Arg::Label(_) | Arg::Upper(_) | Arg::Lower(_) => None,
        }
    }

    /// The program as items to be linked.
    ///
    /// # Panics
    /// Where lowering gave an instruction an operand outside its range, which is a bug in the compiler.
    pub fn items(&self) -> Vec<LinkItem> {
        self.code.items.iter().map(|item| self.item(item)).collect()
    }

    fn item(&self, item: &Item) -> LinkItem {
        let inst = match item {
            Item::Label(label) => return LinkItem::Label(*label),
            Item::Inst(inst) => inst,
        };
        let x = |index: usize| {
            let number = self.value(inst.args[index]).expect("a register has a number");
            XReg::new(number).expect("a register's number is below 32")
        };
        for arg in &inst.args {
            match *arg {
                Arg::Label(target) => {
                    return match Condition::of(inst.op) {
                        Some(condition) => LinkItem::Branch { condition, rs1: x(0), rs2: x(1), target },
                        None => LinkItem::Jump { rd: x(0), target },
                    };
                }
                Arg::Upper(target) => return LinkItem::Upper { rd: x(0), target },
                Arg::Lower(target) if inst.op == Op::Jalr => {
                    return LinkItem::JumpLower { rd: x(0), rs1: x(2), target };
                }
                Arg::Lower(target) => return LinkItem::AddLower { rd: x(0), rs1: x(1), target },
                Arg::Reg(_) | Arg::Zero | Arg::Imm(_) => {}
            }
        }
        let values: Vec<i64> = inst.args.iter().filter_map(|arg| self.value(*arg)).collect();
        let word = inst.op.spec().assemble(&values);
        let word = word.unwrap_or_else(|index| panic!("operand {index} of `{inst}` is out of range"));
        LinkItem::Inst(RealInst::decode(word).expect("an assembled word belongs to its row"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forty scalar values that are all alive across a loop, in which each is changed; then all are stored.
    fn crowded() -> Code {
        let mut code = Code::default();
        let values: Vec<Reg> = (0..40).map(|index| code.constant(5000 + index)).collect();
        let left = code.constant(3);
        let head = code.label();
        code.bind(head);
        for pair in values.windows(2) {
            code.emit(Op::Add, &[pair[0].into(), pair[0].into(), pair[1].into()]);
        }
        code.advance(left, -1);
        code.emit(Op::Bne, &[left.into(), Arg::Zero, head.into()]);
        for (index, value) in values.iter().enumerate() {
            code.emit(Op::Sw, &[(*value).into(), (1024 + 4 * index as i64).into(), Arg::Zero]);
        }
        code
    }

    #[test]
    fn values_that_do_not_fit_are_spilled() {
        let allocation = allocate(&crowded()).unwrap();
        assert!(allocation.spilled[0] >= 9, "41 values and 31 registers");
        assert!(allocation.registers.values().all(|register| *register < 32));
    }

    /// Two registers that are both wanted later must not be one: the checker sees each such mistake.
    #[test]
    fn the_checker_sees_shared_registers() {
        let code = crowded();
        let allocation = allocate(&code).unwrap();
        let intervals = liveness::intervals(&allocation.code);
        let mut mistakes = 0;
        for (index, a) in intervals.iter().enumerate() {
            for b in intervals[index + 1..].iter().filter(|b| b.reg.file == a.reg.file) {
                // Overlapping strictly: each is read after the other has been written.
                if a.start.max(b.start) + 2 < a.end.min(b.end) {
                    let mut wrong = allocation.clone();
                    wrong.registers.insert(b.reg, wrong.registers[&a.reg]);
                    assert!(checker::check(&code, &wrong).is_err(), "{} and {} share a register", a.reg, b.reg);
                    mistakes += 1;
                }
            }
        }
        assert!(mistakes > 300, "{mistakes}");
    }

    /// Without any one instruction a value is lost. Reloads are sometimes superfluous (the register still holds the
    /// value), so not all of those are missed.
    #[test]
    fn the_checker_sees_missing_instructions() {
        let code = crowded();
        let allocation = allocate(&code).unwrap();
        let (mut reloads, mut missed) = (0, 0);
        for (at, item) in allocation.code.items.iter().enumerate() {
            let Item::Inst(inst) = item else { continue };
            let mut wrong = allocation.clone();
            wrong.code.items.remove(at);
            let seen = checker::check(&code, &wrong).is_err();
            if inst.origin == Origin::Reload {
                reloads += 1;
                missed += usize::from(seen);
            } else {
                assert!(seen, "{inst}");
            }
        }
        assert!(missed > reloads / 2, "{missed} of {reloads}");
    }

    #[test]
    fn too_many_values_are_refused() {
        let mut code = Code::default();
        let values: Vec<Reg> = (0..300).map(|index| code.def_x(Op::Lw, &[Arg::Imm(index), Arg::Zero])).collect();
        for value in values {
            code.emit(Op::Sw, &[value.into(), 0.into(), Arg::Zero]);
        }
        assert_eq!(allocate(&code).unwrap_err(), AllocationError::TooComplex);
    }
}
