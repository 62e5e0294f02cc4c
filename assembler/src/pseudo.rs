//! Pseudo-instructions: names for common uses of rows.
//!
//! Contract: one row of [`PSEUDOS`] is a syntax and the instructions it stands for. In these an operand is one of the
//! syntax's, a register, a number, or `hi:NAME` and `lo:NAME` for the parts of a word. What kind of operand a name is
//! follows from the first instruction that uses it. `li` alone is not a row, since its length depends on its value.
//! `la`, `call` and `tail` are what fits this machine: an address in a small memory of its own, and a jump.
//!
//! Source of the names: the RISC-V assembly programmer's manual.

use fenn_isa::Op;
use fenn_isa::operand::{OperandKind, XReg};
use fenn_isa::text::{self, Part};

use crate::diagnostic::Diagnostic;
use crate::expression::{Expression, Half};
use crate::instruction::{Instruction, Operand, walk};
use crate::parser::Cursor;

/// The one pseudo-instruction that is no row: `li rd, value`.
pub(crate) const LOAD_IMMEDIATE: &str = "li";

/// One pseudo-instruction.
#[derive(Debug)]
pub struct Pseudo {
    /// As it is written.
    pub syntax: &'static str,
    /// The instructions, each as `mnemonic operand, ...` in its row's order, without parentheses.
    pub rows: &'static [&'static str],
    /// What it does.
    pub doc: &'static str,
}

const fn pseudo(syntax: &'static str, rows: &'static [&'static str], doc: &'static str) -> Pseudo {
    Pseudo { syntax, rows, doc }
}

/// The table.
pub static PSEUDOS: &[Pseudo] = &[
    pseudo("nop", &["addi zero, zero, 0"], "does nothing"),
    pseudo("la rd, symbol", &["lui rd, hi:symbol", "addi rd, rd, lo:symbol"], "rd = the symbol's address"),
    pseudo("mv rd, rs", &["addi rd, rs, 0"], "rd = rs"),
    pseudo("not rd, rs", &["xori rd, rs, -1"], "rd = ~rs"),
    pseudo("neg rd, rs", &["sub rd, zero, rs"], "rd = -rs"),
    pseudo("zext.b rd, rs", &["andi rd, rs, 255"], "rd = the low byte of rs"),
    pseudo("seqz rd, rs", &["sltiu rd, rs, 1"], "rd = rs == 0"),
    pseudo("snez rd, rs", &["sltu rd, zero, rs"], "rd = rs != 0"),
    pseudo("sltz rd, rs", &["slt rd, rs, zero"], "rd = rs < 0"),
    pseudo("sgtz rd, rs", &["slt rd, zero, rs"], "rd = rs > 0"),
    pseudo("beqz rs, target", &["beq rs, zero, target"], "branch if rs == 0"),
    pseudo("bnez rs, target", &["bne rs, zero, target"], "branch if rs != 0"),
    pseudo("blez rs, target", &["bge zero, rs, target"], "branch if rs <= 0"),
    pseudo("bgez rs, target", &["bge rs, zero, target"], "branch if rs >= 0"),
    pseudo("bltz rs, target", &["blt rs, zero, target"], "branch if rs < 0"),
    pseudo("bgtz rs, target", &["blt zero, rs, target"], "branch if rs > 0"),
    pseudo("bgt rs, rt, target", &["blt rt, rs, target"], "branch if rs > rt, signed"),
    pseudo("ble rs, rt, target", &["bge rt, rs, target"], "branch if rs <= rt, signed"),
    pseudo("bgtu rs, rt, target", &["bltu rt, rs, target"], "branch if rs > rt, unsigned"),
    pseudo("bleu rs, rt, target", &["bgeu rt, rs, target"], "branch if rs <= rt, unsigned"),
    pseudo("j target", &["jal zero, target"], "jump"),
    pseudo("jal target", &["jal ra, target"], "jump, the return address in ra"),
    pseudo("jr rs", &["jalr zero, 0, rs"], "jump to rs"),
    pseudo("jalr rs", &["jalr ra, 0, rs"], "jump to rs, the return address in ra"),
    pseudo("jalr rd, rs, offset", &["jalr rd, offset, rs"], "jump to rs + offset"),
    pseudo("ret", &["jalr zero, 0, ra"], "return to the address in ra"),
    pseudo("call target", &["jal ra, target"], "call a function"),
    pseudo("tail target", &["jal zero, target"], "call a function that returns for this one"),
    pseudo("fence", &["fence 15, 15"], "order all accesses"),
    pseudo("csrr rd, csr", &["csrrs rd, csr, zero"], "rd = csr"),
    pseudo("csrw csr, rs", &["csrrw zero, csr, rs"], "csr = rs"),
    pseudo("csrs csr, rs", &["csrrs zero, csr, rs"], "csr |= rs"),
    pseudo("csrc csr, rs", &["csrrc zero, csr, rs"], "csr &= ~rs"),
    pseudo("csrwi csr, uimm", &["csrrwi zero, csr, uimm"], "csr = uimm"),
    pseudo("csrsi csr, uimm", &["csrrsi zero, csr, uimm"], "csr |= uimm"),
    pseudo("csrci csr, uimm", &["csrrci zero, csr, uimm"], "csr &= ~uimm"),
];

/// The row and the operands of one line of an expansion.
fn line(text: &'static str) -> Option<(Op, impl Iterator<Item = &'static str> + Clone)> {
    let (mnemonic, operands) = text.split_once(' ')?;
    Some((Op::from_mnemonic(mnemonic)?, operands.split(',').map(str::trim)))
}

impl Pseudo {
    /// The first word of the syntax.
    pub fn mnemonic(&self) -> &'static str {
        self.syntax.split(' ').next().unwrap_or(self.syntax)
    }

    /// The operands' names, in the order they are written.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.syntax.split([' ', ',']).skip(1).filter(|name| !name.is_empty())
    }

    /// What kind of operand `name` is.
    fn kind(&self, name: &str) -> OperandKind {
        let uses = self.rows.iter().filter_map(|row| line(row)).flat_map(|(op, operands)| {
            let kinds = op.spec().operands().map(|operand| operand.kind);
            operands.zip(kinds).collect::<Vec<_>>()
        });
        let mut kinds = uses.filter(|(operand, _)| *operand == name).map(|(_, kind)| kind);
        // A name that is only used by its parts is a word.
        kinds.next().unwrap_or(OperandKind::Imm20)
    }

    /// Reads the operands, the cursor being behind the mnemonic, and puts them into the instructions.
    pub(crate) fn parse<'a>(&self, cursor: &mut Cursor<'_, 'a>) -> Result<Vec<Instruction<'a>>, Diagnostic> {
        let names: Vec<&str> = self.names().collect();
        let kinds: Vec<OperandKind> = names.iter().map(|name| self.kind(name)).collect();
        let commas = (0..names.len()).flat_map(|index| {
            let comma = (index > 0).then_some(Part::Literal(','));
            comma.into_iter().chain([Part::Operand(index)])
        });
        let given = walk(commas, &kinds, cursor)?;
        let instructions = self.rows.iter().filter_map(|row| line(row)).map(|(op, operands)| {
            let kinds = op.spec().operands().map(|operand| operand.kind);
            let operands = operands.zip(kinds).map(|(text, kind)| operand(text, kind, &names, &given)).collect();
            Instruction { op, operands }
        });
        Ok(instructions.collect())
    }
}

/// One operand of an expansion.
fn operand<'a>(text: &str, kind: OperandKind, names: &[&str], given: &[Operand<'a>]) -> Operand<'a> {
    let (half, name) = match text.split_once(':') {
        Some(("hi", name)) => (Some(Half::High), name),
        Some(("lo", name)) => (Some(Half::Low), name),
        _ => (None, text),
    };
    let found = names.iter().position(|known| *known == name).and_then(|index| given.get(index)).cloned();
    match (found, half) {
        (Some(Operand::Computed(expression)), Some(half)) => Operand::Computed(Expression::half(expression, half)),
        (Some(operand), _) => operand,
        // The table's test proves that what is no name is a register or a number.
        (None, _) => Operand::Fixed(fixed(text, kind).unwrap_or_default()),
    }
}

fn fixed(text: &str, kind: OperandKind) -> Option<i64> {
    if kind == OperandKind::XReg {
        return XReg::from_name(text).map(|reg| i64::from(reg.get()));
    }
    text::parse_operand(kind, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent() {
        for pseudo in PSEUDOS {
            for row in pseudo.rows {
                let (op, operands) = line(row).unwrap_or_else(|| panic!("{row}"));
                assert_eq!(operands.clone().count(), op.spec().operands().len(), "{row}");
                for (text, spec) in operands.zip(op.spec().operands()) {
                    let name = text.trim_start_matches("hi:").trim_start_matches("lo:");
                    assert!(pseudo.names().any(|n| n == name) || fixed(text, spec.kind).is_some(), "{row}: {text}");
                }
            }
            let used = |name: &str| pseudo.rows.iter().any(|row| row.split([' ', ',', ':']).any(|word| word == name));
            assert!(pseudo.names().all(used), "{}", pseudo.syntax);
            assert_ne!(pseudo.mnemonic(), LOAD_IMMEDIATE);
        }
    }
}
