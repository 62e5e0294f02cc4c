//! Pseudo-instructions: names for common uses of rows.
//!
//! Contract: one row of [`PSEUDOS`] is a syntax and the instructions it stands for. In these an operand is one of the
//! syntax's, a register, a number, or a part of a word: `hi:NAME` and `lo:NAME`, or `pcrel_hi:NAME` and in the next
//! instruction `pcrel_lo`. What kind of operand a name is follows from the first instruction that uses it. `li` alone is
//! not a row, since its length depends on its value. `la`, `call` and `tail` are what fits this machine: an address in a
//! small memory of its own, and a jump; after `.option norelax` they are what reaches any address.
//!
//! Source of the names: the RISC-V assembly programmer's manual.

use std::sync::OnceLock;

use fenn_isa::Op;
use fenn_isa::operand::{OperandKind, XReg};
use fenn_isa::text::{self, Part};

use crate::expression::{Expression, Half};
use crate::instruction::{Form, Instruction, Operand};
use crate::source::Span;

/// The one pseudo-instruction that is no row: `li rd, value`.
pub(crate) const LOAD_IMMEDIATE: &str = "li";

/// One pseudo-instruction.
#[derive(Debug)]
pub struct Pseudo {
    /// As it is written.
    pub syntax: &'static str,
    /// The instructions, each as `mnemonic operand, ...` in its row's order, without parentheses.
    pub rows: &'static [&'static str],
    /// Those after `.option norelax`, where they are others; else empty.
    pub long: &'static [&'static str],
    /// What it does.
    pub doc: &'static str,
}

const fn pseudo(syntax: &'static str, rows: &'static [&'static str], doc: &'static str) -> Pseudo {
    Pseudo { syntax, rows, long: &[], doc }
}

const fn relaxed(
    syntax: &'static str,
    rows: &'static [&'static str],
    long: &'static [&'static str],
    doc: &'static str,
) -> Pseudo {
    Pseudo { syntax, rows, long, doc }
}

/// The table.
pub static PSEUDOS: &[Pseudo] = &[
    pseudo("nop", &["addi zero, zero, 0"], "does nothing"),
    relaxed(
        "la rd, symbol",
        &["lui rd, hi:symbol", "addi rd, rd, lo:symbol"],
        &["auipc rd, pcrel_hi:symbol", "addi rd, rd, pcrel_lo"],
        "rd = the symbol's address",
    ),
    pseudo("lla rd, symbol", &["auipc rd, pcrel_hi:symbol", "addi rd, rd, pcrel_lo"], "rd = the symbol's address"),
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
    pseudo("jr offset(rs)", &["jalr zero, offset, rs"], "jump to rs + offset"),
    pseudo("jalr offset(rs)", &["jalr ra, offset, rs"], "jump to rs + offset, the return address in ra"),
    pseudo("jalr rd, rs", &["jalr rd, 0, rs"], "jump to rs, the return address in rd"),
    pseudo("ret", &["jalr zero, 0, ra"], "return to the address in ra"),
    relaxed(
        "call target",
        &["jal ra, target"],
        &["auipc ra, pcrel_hi:target", "jalr ra, pcrel_lo, ra"],
        "call a function",
    ),
    relaxed(
        "call rd, target",
        &["jal rd, target"],
        &["auipc t1, pcrel_hi:target", "jalr rd, pcrel_lo, t1"],
        "call a function, the return address in rd",
    ),
    relaxed(
        "tail target",
        &["jal zero, target"],
        &["auipc t1, pcrel_hi:target", "jalr zero, pcrel_lo, t1"],
        "call a function that returns for this one",
    ),
    relaxed(
        "jump target, rt",
        &["jal zero, target"],
        &["auipc rt, pcrel_hi:target", "jalr zero, pcrel_lo, rt"],
        "jump anywhere, rt being free",
    ),
    pseudo("lb rd, symbol", &["auipc rd, pcrel_hi:symbol", "lb rd, pcrel_lo, rd"], "rd = the byte at the symbol"),
    pseudo(
        "lbu rd, symbol",
        &["auipc rd, pcrel_hi:symbol", "lbu rd, pcrel_lo, rd"],
        "rd = the unsigned byte at the symbol",
    ),
    pseudo("lh rd, symbol", &["auipc rd, pcrel_hi:symbol", "lh rd, pcrel_lo, rd"], "rd = the halfword at the symbol"),
    pseudo(
        "lhu rd, symbol",
        &["auipc rd, pcrel_hi:symbol", "lhu rd, pcrel_lo, rd"],
        "rd = the unsigned halfword at the symbol",
    ),
    pseudo("lw rd, symbol", &["auipc rd, pcrel_hi:symbol", "lw rd, pcrel_lo, rd"], "rd = the word at the symbol"),
    pseudo(
        "sb rs, symbol, rt",
        &["auipc rt, pcrel_hi:symbol", "sb rs, pcrel_lo, rt"],
        "the byte at the symbol = rs; rt is used",
    ),
    pseudo(
        "sh rs, symbol, rt",
        &["auipc rt, pcrel_hi:symbol", "sh rs, pcrel_lo, rt"],
        "the halfword at the symbol = rs; rt is used",
    ),
    pseudo(
        "sw rs, symbol, rt",
        &["auipc rt, pcrel_hi:symbol", "sw rs, pcrel_lo, rt"],
        "the word at the symbol = rs; rt is used",
    ),
    pseudo("add rd, rs, imm", &["addi rd, rs, imm"], "rd = rs + imm"),
    pseudo("and rd, rs, imm", &["andi rd, rs, imm"], "rd = rs & imm"),
    pseudo("or rd, rs, imm", &["ori rd, rs, imm"], "rd = rs | imm"),
    pseudo("xor rd, rs, imm", &["xori rd, rs, imm"], "rd = rs ^ imm"),
    pseudo("slt rd, rs, imm", &["slti rd, rs, imm"], "rd = rs < imm"),
    pseudo("sltu rd, rs, imm", &["sltiu rd, rs, imm"], "rd = rs < (unsigned) imm"),
    pseudo("sll rd, rs, imm", &["slli rd, rs, imm"], "rd = rs << imm"),
    pseudo("srl rd, rs, imm", &["srli rd, rs, imm"], "rd = rs >> imm"),
    pseudo("sra rd, rs, imm", &["srai rd, rs, imm"], "rd = rs >> (arithmetic) imm"),
    pseudo("ror rd, rs, imm", &["rori rd, rs, imm"], "rd = rs rotated right by imm"),
    pseudo("sgt rd, rs, rt", &["slt rd, rt, rs"], "rd = rs > rt, signed"),
    pseudo("sgtu rd, rs, rt", &["sltu rd, rt, rs"], "rd = rs > rt, unsigned"),
    pseudo("move rd, rs", &["addi rd, rs, 0"], "rd = rs"),
    pseudo("fence", &["fence 15, 15"], "order all accesses"),
    pseudo("csrr rd, csr", &["csrrs rd, csr, zero"], "rd = csr"),
    pseudo("csrw csr, rs", &["csrrw zero, csr, rs"], "csr = rs"),
    pseudo("csrs csr, rs", &["csrrs zero, csr, rs"], "csr |= rs"),
    pseudo("csrc csr, rs", &["csrrc zero, csr, rs"], "csr &= ~rs"),
    pseudo("csrwi csr, uimm", &["csrrwi zero, csr, uimm"], "csr = uimm"),
    pseudo("csrsi csr, uimm", &["csrrsi zero, csr, uimm"], "csr |= uimm"),
    pseudo("csrci csr, uimm", &["csrrci zero, csr, uimm"], "csr &= ~uimm"),
    pseudo("csrw csr, uimm", &["csrrwi zero, csr, uimm"], "csr = uimm"),
    pseudo("csrs csr, uimm", &["csrrsi zero, csr, uimm"], "csr |= uimm"),
    pseudo("csrc csr, uimm", &["csrrci zero, csr, uimm"], "csr &= ~uimm"),
    pseudo("csrrw rd, csr, uimm", &["csrrwi rd, csr, uimm"], "as `csrrwi`"),
    pseudo("csrrs rd, csr, uimm", &["csrrsi rd, csr, uimm"], "as `csrrsi`"),
    pseudo("csrrc rd, csr, uimm", &["csrrci rd, csr, uimm"], "as `csrrci`"),
    pseudo("rdcycle rd", &["csrrs rd, 0xc00, zero"], "rd = the cycle counter"),
    pseudo("rdtime rd", &["csrrs rd, 0xc01, zero"], "rd = the time"),
    pseudo("rdinstret rd", &["csrrs rd, 0xc02, zero"], "rd = the retired instructions"),
    pseudo("rdcycleh rd", &["csrrs rd, 0xc80, zero"], "rd = the cycle counter's upper word"),
    pseudo("rdtimeh rd", &["csrrs rd, 0xc81, zero"], "rd = the time's upper word"),
    pseudo("rdinstreth rd", &["csrrs rd, 0xc82, zero"], "rd = the retired instructions' upper word"),
    pseudo("scall", &["ecall"], "as `ecall`"),
    pseudo("sbreak", &["ebreak"], "as `ebreak`"),
    pseudo("unimp", &["csrrw zero, 0xc00, zero"], "an illegal instruction"),
];

/// The row and the operands of one line of an expansion.
fn line(text: &'static str) -> Option<(Op, Vec<&'static str>)> {
    let (mnemonic, operands) = text.split_once(' ').unwrap_or((text, ""));
    let operands = operands.split(',').map(str::trim).filter(|operand| !operand.is_empty());
    Some((Op::from_mnemonic(mnemonic)?, operands.collect()))
}

/// Where an operand of an expansion comes from.
#[derive(Debug, Clone, Copy)]
enum Piece {
    /// The operand with this index, as it is written.
    Given(usize),
    /// A part of it.
    Half(Half, usize),
    /// What `%pcrel_hi` in the instruction before left.
    Rest,
    Fixed(i64),
}

/// A row of the table, taken apart.
#[derive(Debug)]
pub(crate) struct Expansion {
    pub(crate) mnemonic: &'static str,
    pub(crate) form: Form,
    rows: Vec<(Op, Vec<Piece>)>,
    long: Vec<(Op, Vec<Piece>)>,
}

/// The table, taken apart once.
pub(crate) fn expansions() -> &'static [Expansion] {
    static EXPANSIONS: OnceLock<Vec<Expansion>> = OnceLock::new();
    EXPANSIONS.get_or_init(|| PSEUDOS.iter().map(Pseudo::expansion).collect())
}

impl Pseudo {
    /// The first word of the syntax.
    pub fn mnemonic(&self) -> &'static str {
        self.syntax.split(' ').next().unwrap_or(self.syntax)
    }

    /// The operands' names, in the order they are written.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.syntax.split([' ', ',', '(', ')']).skip(1).filter(|name| !name.is_empty())
    }

    /// What kind of operand `name` is.
    pub fn kind(&self, name: &str) -> OperandKind {
        let uses = self.rows.iter().filter_map(|row| line(row)).flat_map(|(op, operands)| {
            let kinds = op.spec().operands().map(|operand| operand.kind);
            operands.into_iter().zip(kinds).collect::<Vec<_>>()
        });
        let mut kinds = uses.filter(|(operand, _)| *operand == name).map(|(_, kind)| kind);
        // A name that is only used by its parts is a word; one that only the long form uses is a register.
        let parts = self.rows.iter().chain(self.long).any(|row| row.contains(&format!(":{name}")));
        kinds.next().unwrap_or(if parts { OperandKind::Imm20 } else { OperandKind::XReg })
    }

    fn expansion(&self) -> Expansion {
        let names: Vec<&str> = self.names().collect();
        let kinds = names.iter().map(|name| self.kind(name)).collect();
        let symbols = names.iter().map(|name| *name == "symbol").collect();
        let mut parts = Vec::new();
        let mut rest = self.syntax.strip_prefix(self.mnemonic()).unwrap_or_default();
        while let Some(first) = rest.trim_start().chars().next() {
            rest = rest.trim_start();
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len()).max(1);
            let found = names.iter().position(|name| *name == &rest[..length]);
            parts.push(found.map_or(Part::Literal(first), Part::Operand));
            rest = &rest[length..];
        }
        let rows = |rows: &[&'static str]| {
            let row = |(op, operands): (Op, Vec<&'static str>)| {
                let kinds = op.spec().operands().map(|operand| operand.kind);
                (op, operands.iter().zip(kinds).map(|(text, kind)| piece(text, kind, &names)).collect())
            };
            rows.iter().filter_map(|text| line(text)).map(row).collect::<Vec<_>>()
        };
        let long = if self.long.is_empty() { self.rows } else { self.long };
        let form = Form::new(parts, kinds, symbols);
        Expansion { mnemonic: self.mnemonic(), form, rows: rows(self.rows), long: rows(long) }
    }
}

fn piece(text: &'static str, kind: OperandKind, names: &[&str]) -> Piece {
    let (half, name) = match text.split_once(':') {
        Some(("hi", name)) => (Some(Half::High), name),
        Some(("lo", name)) => (Some(Half::Low), name),
        Some(("pcrel_hi", name)) => (Some(Half::PcrelHigh), name),
        _ => (None, text),
    };
    match (names.iter().position(|known| *known == name), half) {
        (Some(index), Some(half)) => Piece::Half(half, index),
        (Some(index), None) => Piece::Given(index),
        (None, _) if text == "pcrel_lo" => Piece::Rest,
        // The table's test proves that what is no name is a register or a number.
        (None, _) => Piece::Fixed(fixed(text, kind).unwrap_or_default()),
    }
}

impl Expansion {
    /// The instructions with these operands, for the statement at `span`.
    pub(crate) fn instructions<'a>(&self, given: &[Operand<'a>], relax: bool, span: Span) -> Vec<Instruction<'a>> {
        let operand = |piece: &Piece| match *piece {
            Piece::Fixed(value) => Operand::Fixed(value),
            Piece::Rest => Operand::Computed(Expression::before(4, span).half(Half::PcrelLow)),
            Piece::Given(index) => given.get(index).cloned().unwrap_or(Operand::Fixed(0)),
            Piece::Half(half, index) => match given.get(index) {
                Some(Operand::Computed(expression)) => Operand::Computed(expression.clone().half(half)),
                _ => Operand::Fixed(0),
            },
        };
        let rows = if relax { &self.rows } else { &self.long };
        rows.iter().map(|(op, pieces)| Instruction::with(*op, pieces.iter().map(operand))).collect()
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
            for row in pseudo.rows.iter().chain(pseudo.long) {
                let (op, operands) = line(row).unwrap_or_else(|| panic!("{row}"));
                assert_eq!(operands.len(), op.spec().operands().len(), "{row}");
                for (text, spec) in operands.iter().zip(op.spec().operands()) {
                    let name = text.split_once(':').map_or(*text, |(_, name)| name);
                    let known = pseudo.names().any(|n| n == name) || *text == "pcrel_lo";
                    assert!(known || fixed(text, spec.kind).is_some(), "{row}: {text}");
                }
            }
            let rows = pseudo.rows.iter().chain(pseudo.long);
            let used = |name: &str| rows.clone().any(|row| row.split([' ', ',', ':']).any(|word| word == name));
            assert!(pseudo.names().all(used), "{}", pseudo.syntax);
            assert_ne!(pseudo.mnemonic(), LOAD_IMMEDIATE);
        }
    }
}
