//! What makes [`Code`] well-formed, checked between passes.
//!
//! Contract: [`verify`] finds everything that is wrong with a program:
//! - each instruction belongs to a row that compiled code may have, and has the row's operands, each of its kind and in
//!   its range;
//! - every label that is named is bound, and once;
//! - a jump to a computed address says where it may go, and nothing else does;
//! - every register is written before it is read, on every path from wherever a host may start;
//! - control never goes on behind the last instruction.
//!
//! It shares nothing with the passes but the flow of control.

use fenn_isa::code::Label;
use fenn_isa::operand::OperandKind;
use fenn_isa::{Op, Role};

use super::flow::{Flow, Set};
use super::{Arg, Code, File, Inst, Item, Reg};

/// Something that is wrong with a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// An instruction that compiled code never has.
    #[error("item {at} (`{text}`): compiled code has no such instruction")]
    Op {
        /// Index of the item.
        at: usize,
        /// The instruction.
        text: String,
    },
    /// Too many or too few operands.
    #[error("item {at} ({op:?}) has {found} operands, not {wanted}")]
    Count {
        /// Index of the item.
        at: usize,
        /// The row.
        op: Op,
        /// Operands it has.
        found: usize,
        /// Operands its row has.
        wanted: usize,
    },
    /// An operand of the wrong kind or outside its range.
    #[error("item {at} (`{text}`): `{operand}` cannot be {found:?}")]
    Operand {
        /// Index of the item.
        at: usize,
        /// The instruction.
        text: String,
        /// The operand's name.
        operand: &'static str,
        /// What stands there.
        found: Arg,
    },
    /// A register that was never handed out.
    #[error("item {at} (`{text}`): there is no register {reg}")]
    Register {
        /// Index of the item.
        at: usize,
        /// The instruction.
        text: String,
        /// The register.
        reg: Reg,
    },
    /// A label that is not bound, or more than once.
    #[error("label {} is bound {times} times", label.0)]
    Label {
        /// The label.
        label: Label,
        /// How often.
        times: usize,
    },
    /// A computed jump without targets, or targets of something else.
    #[error("item {at} (`{text}`): computed jumps have targets, and nothing else has")]
    Targets {
        /// Index of the item.
        at: usize,
        /// The instruction.
        text: String,
    },
    /// Something is said of an instruction that it cannot be.
    #[error("item {at} (`{text}`): only what accesses a memory has an array, only what keeps lanes is fresh")]
    Attribute {
        /// Index of the item.
        at: usize,
        /// The instruction.
        text: String,
    },
    /// A register that may hold nothing yet.
    #[error("item {at} (`{text}`) reads {reg}, which is not written before on every path")]
    Undefined {
        /// Index of the item.
        at: usize,
        /// The instruction.
        text: String,
        /// The register.
        reg: Reg,
    },
    /// Nothing stops the program at its end.
    #[error("control goes on behind the last instruction")]
    FallsOff,
}

/// Whether compiled code may have the row: all but what calls, waits, traps or depends on its own address.
fn allowed(op: Op) -> bool {
    !matches!(op, Op::Auipc | Op::Ebreak | Op::Mret | Op::Wfi | Op::FenceI)
}

/// Checks `code`.
///
/// # Errors
/// Everything that is wrong with it, in the order of the code. The flow of values is looked at only where nothing else is
/// wrong.
pub fn verify(code: &Code) -> Result<(), Vec<CodeError>> {
    let mut errors = Vec::new();
    for (at, item) in code.items.iter().enumerate() {
        if let Item::Inst(inst) = item {
            instruction(code, at, inst, &mut errors);
        }
    }
    labels(code, &mut errors);
    if errors.is_empty() {
        values(code, &mut errors);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn instruction(code: &Code, at: usize, inst: &Inst, errors: &mut Vec<CodeError>) {
    let spec = inst.op.spec();
    let (found, wanted) = (inst.args.len(), spec.operands().len());
    if found != wanted {
        // It cannot even be printed.
        return errors.push(CodeError::Count { at, op: inst.op, found, wanted });
    }
    let text = || inst.to_string();
    if !allowed(inst.op) || (matches!(inst.op, Op::Jal | Op::Jalr) && inst.args[0] != Arg::Zero) {
        errors.push(CodeError::Op { at, text: text() });
    }
    for (arg, operand) in inst.args.iter().zip(spec.operands()) {
        let fits = match (*arg, operand.kind) {
            (Arg::Reg(reg), OperandKind::XReg) => reg.file == File::X,
            (Arg::Reg(reg), OperandKind::VReg) => reg.file == File::V,
            (Arg::Zero, kind) => kind == OperandKind::XReg,
            (Arg::Label(_), kind) => matches!(kind, OperandKind::Branch | OperandKind::Jump),
            (Arg::Upper(_), _) => inst.op == Op::Lui,
            (Arg::Lower(_), kind) => kind == OperandKind::Imm12 && matches!(inst.op, Op::Addi | Op::Jalr),
            (Arg::Imm(value), kind) => {
                let number =
                    !matches!(kind, OperandKind::XReg | OperandKind::VReg | OperandKind::Branch | OperandKind::Jump);
                number && kind.to_bits(value).is_some()
            }
            (Arg::Reg(_), _) => false,
        };
        if !fits {
            errors.push(CodeError::Operand { at, text: text(), operand: operand.name, found: *arg });
        }
        if let Arg::Reg(reg) = *arg
            && reg.index >= code.count(reg.file)
        {
            errors.push(CodeError::Register { at, text: text(), reg });
        }
    }
    let has_targets = inst.targets.as_ref().is_some_and(|targets| !targets.labels.is_empty());
    if has_targets != (inst.op == Op::Jalr) || (inst.targets.is_some() && !has_targets) {
        errors.push(CodeError::Targets { at, text: text() });
    }
    let accesses = crate::passes::memory(inst.op).is_some();
    let keeps = spec.operands().any(|operand| operand.role == Role::Merged);
    if (inst.array.is_some() && !accesses) || (inst.fresh && !keeps) {
        errors.push(CodeError::Attribute { at, text: text() });
    }
}

fn labels(code: &Code, errors: &mut Vec<CodeError>) {
    let mut bound = vec![0; code.names.len()];
    let mut named = vec![false; code.names.len()];
    let mut strangers = Vec::new();
    let mut note = |label: Label, binds: bool| match bound.get_mut(label.0 as usize) {
        Some(times) => {
            *times += usize::from(binds);
            named[label.0 as usize] = true;
        }
        None => strangers.push(label),
    };
    for item in &code.items {
        match item {
            Item::Label(label) => note(*label, true),
            Item::Inst(inst) => {
                inst.targets().for_each(|label| note(label, false));
                for arg in &inst.args {
                    if let Arg::Upper(label) | Arg::Lower(label) = arg {
                        note(*label, false);
                    }
                }
            }
        }
    }
    let wrong = bound.iter().zip(&named).enumerate().filter(|(_, (times, named))| **named && **times != 1);
    errors.extend(wrong.map(|(index, (times, _))| CodeError::Label { label: Label(index as u32), times: *times }));
    errors.extend(strangers.into_iter().map(|label| CodeError::Label { label, times: 0 }));
}

/// What is certainly written before each block: forwards, until nothing changes.
fn values(code: &Code, errors: &mut Vec<CodeError>) {
    let flow = Flow::of(code);
    let mut before: Vec<Option<Set>> = vec![None; flow.blocks.len()];
    let mut work = Vec::new();
    for (index, _) in flow.blocks.iter().enumerate().filter(|(_, block)| block.entry) {
        before[index] = Some(Set::empty(code));
        work.push(index);
    }
    while let Some(index) = work.pop() {
        let Some(mut known) = before[index].clone() else { continue };
        for item in &code.items[flow.blocks[index].items.clone()] {
            if let Item::Inst(inst) = item {
                inst.defs().for_each(|def| known.insert(def));
            }
        }
        for successor in &flow.blocks[index].successors {
            let met = match &before[*successor] {
                None => known.clone(),
                Some(known_there) => {
                    let mut both = known_there.clone();
                    both.intersect(&known);
                    both
                }
            };
            if before[*successor].as_ref() != Some(&met) {
                before[*successor] = Some(met);
                work.push(*successor);
            }
        }
    }
    for (block, known) in flow.blocks.iter().zip(before) {
        let Some(mut known) = known else { continue };
        if block.falls_off {
            errors.push(CodeError::FallsOff);
        }
        for at in block.items.clone() {
            let Item::Inst(inst) = &code.items[at] else { continue };
            for reg in inst.uses().filter(|reg| !known.contains(*reg)) {
                errors.push(CodeError::Undefined { at, text: inst.to_string(), reg });
            }
            inst.defs().for_each(|def| known.insert(def));
        }
    }
}
