//! Proves an allocation afresh: every instruction of the original program finds in its real registers the values of the
//! virtual registers it names.
//!
//! Contract: independent of how the allocation was found. It walks the allocated program along every path, keeping for
//! each real register and each spill slot the virtual register of the *original* program whose present value it holds,
//! and compares at each original instruction. Where paths meet, only what both agree on is known.

use std::collections::BTreeMap;

use fenn_isa::Role;
use fenn_isa::code::Label;

use super::Allocation;
use crate::ir::{Arg, Code, File, Inst, Item, Origin, Reg};

/// A value that would be lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("item {at} (`{text}`) wants {what}")]
pub struct Mismatch {
    /// Index of the item in the allocated program.
    pub at: usize,
    /// The instruction.
    pub text: String,
    /// What it does not find.
    pub what: String,
}

/// A real register or a spill slot, which is named by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Register(File, u8),
    Slot(File, i64),
}

/// Which original register's present value each place holds.
type Holds = BTreeMap<Place, Reg>;

/// Checks `allocation` of `original`.
///
/// # Errors
/// The first instruction that would not find a value, or that differs from the original program's.
pub fn check(original: &Code, allocation: &Allocation) -> Result<(), Mismatch> {
    let items = &allocation.code.items;
    let labels = items.iter().enumerate();
    let labels: BTreeMap<Label, usize> =
        labels.filter_map(|(at, item)| if let Item::Label(label) = item { Some((*label, at)) } else { None }).collect();
    let mut known: Vec<Option<Holds>> = vec![None; items.len() + 1];
    let mut work = vec![(0, Holds::new())];
    while let Some((at, arriving)) = work.pop() {
        let merged = match &known[at] {
            None => arriving,
            Some(before) => {
                let both: Holds =
                    before.iter().filter(|(p, r)| arriving.get(p) == Some(r)).map(|(p, r)| (*p, *r)).collect();
                if both.len() == before.len() {
                    continue;
                }
                both
            }
        };
        known[at] = Some(merged.clone());
        let Some(item) = items.get(at) else { continue };
        let mut holds = merged;
        if let Item::Inst(inst) = item {
            let mismatch = |what| Mismatch { at, text: inst.to_string(), what };
            step(original, allocation, inst, &mut holds).map_err(mismatch)?;
            work.extend(inst.targets().map(|target| (labels[&target], holds.clone())));
            if inst.diverts() {
                continue;
            }
        }
        work.push((at + 1, holds));
    }
    complete(original, allocation)
}

/// Every original instruction must still be there, once and in order, but for constants that are computed elsewhere.
fn complete(original: &Code, allocation: &Allocation) -> Result<(), Mismatch> {
    let items = allocation.code.items.iter().enumerate();
    let mut kept = items.filter_map(|(at, item)| match item {
        Item::Inst(Inst { origin: Origin::Lowered(index), .. }) => Some((at, *index)),
        _ => None,
    });
    let mut next = kept.next();
    for (index, item) in original.items.iter().enumerate() {
        let Item::Inst(inst) = item else { continue };
        if next.is_some_and(|(_, kept)| kept == index) {
            next = kept.next();
        } else if inst.defs().next().is_none_or(|def| definition(original, def).is_none())
            || inst.uses().next().is_some()
        {
            return Err(Mismatch { at: index, text: inst.to_string(), what: "to be kept".to_owned() });
        }
    }
    match next {
        None => Ok(()),
        Some((at, _)) => Err(Mismatch { at, text: String::new(), what: "the original order".to_owned() }),
    }
}

fn step(original: &Code, allocation: &Allocation, inst: &Inst, holds: &mut Holds) -> Result<(), String> {
    let real = |reg: Reg| Place::Register(reg.file, allocation.registers[&reg]);
    let own = || match (inst.args[0], inst.args[1]) {
        (Arg::Reg(reg), Arg::Imm(address)) => Ok((real(reg), Place::Slot(reg.file, address))),
        _ => Err("a register and a slot".to_owned()),
    };
    match inst.origin {
        Origin::Reload => {
            let (register, slot) = own()?;
            copy(holds, slot, register);
        }
        Origin::Spill => {
            let (register, slot) = own()?;
            copy(holds, register, slot);
        }
        Origin::Rematerialize(reg) => {
            let definition = definition(original, reg).ok_or("a constant of the original program")?;
            if definition.op != inst.op || definition.args[1..] != inst.args[1..] {
                return Err(format!("the constant of {reg}, `{definition}`"));
            }
            let Arg::Reg(temporary) = inst.args[0] else { return Err("a register".to_owned()) };
            holds.insert(real(temporary), reg);
        }
        Origin::Lowered(index) => {
            let Some(Item::Inst(wanted)) = original.items.get(index) else {
                return Err("an instruction of the original program".to_owned());
            };
            if (wanted.op, &wanted.targets, wanted.fresh) != (inst.op, &inst.targets, inst.fresh)
                || wanted.args.len() != inst.args.len()
            {
                return Err(format!("to be `{wanted}`"));
            }
            let operands = || wanted.args.iter().zip(&inst.args).zip(wanted.op.spec().operands());
            for ((wanted, given), operand) in operands() {
                match (*wanted, *given) {
                    (Arg::Reg(wanted), Arg::Reg(given)) => {
                        let reads = operand.role == Role::Source || (operand.role == Role::Merged && !inst.fresh);
                        if reads && holds.get(&real(given)) != Some(&wanted) {
                            return Err(format!(
                                "{wanted} in {:?}, which holds {:?}",
                                real(given),
                                holds.get(&real(given))
                            ));
                        }
                    }
                    (wanted, given) if wanted == given => {}
                    (wanted, given) => return Err(format!("{wanted:?}, not {given:?}")),
                }
            }
            for ((wanted, given), operand) in operands() {
                if let (Arg::Reg(wanted), Arg::Reg(given)) = (*wanted, *given)
                    && matches!(operand.role, Role::Destination | Role::Merged)
                {
                    // Every other copy of the written register is out of date now.
                    holds.retain(|_, held| *held != wanted);
                    holds.insert(real(given), wanted);
                }
            }
        }
    }
    Ok(())
}

fn copy(holds: &mut Holds, from: Place, to: Place) {
    match holds.get(&from).copied() {
        Some(reg) => holds.insert(to, reg),
        None => holds.remove(&to),
    };
}

/// The only instruction that writes `reg`, if it is the only one.
fn definition(code: &Code, reg: Reg) -> Option<&Inst> {
    let mut all = code.items.iter().filter_map(|item| match item {
        Item::Inst(inst) if inst.defs().any(|def| def == reg) => Some(inst),
        _ => None,
    });
    let first = all.next()?;
    all.next().is_none().then_some(first)
}
