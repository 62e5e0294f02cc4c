//! One instruction's operands, through its row's syntax.
//!
//! Contract: any row of the table is read here, by walking [`text::parts`] and asking each operand's kind what may
//! stand for it; no row is mentioned. Beyond the row's syntax, an offset before a register in parentheses may be left
//! out, and is then 0.
//!
//! Not here: the operands' values, which may be labels (see [`crate::emit`]).

use fenn_isa::operand::OperandKind;
use fenn_isa::text::{self, Part};
use fenn_isa::{Op, SPECS, Spec};

use crate::diagnostic::{Diagnostic, Problem, similar};
use crate::expression::{Expression, is_register};
use crate::lexer::TokenKind;
use crate::parser::Cursor;
use crate::pseudo::{self, PSEUDOS};
use crate::source::Span;

/// What an instruction statement becomes.
#[derive(Debug)]
pub(crate) enum Code<'a> {
    /// One word each.
    Words(Vec<Instruction<'a>>),
    /// `li`: one or two words, which depends on the value.
    LoadImmediate { rd: Operand<'a>, value: Expression<'a> },
}

/// A row with its operands, in the row's order.
#[derive(Debug, Clone)]
pub(crate) struct Instruction<'a> {
    pub(crate) op: Op,
    pub(crate) operands: Vec<Operand<'a>>,
}

/// What stands for an operand.
#[derive(Debug, Clone)]
pub(crate) enum Operand<'a> {
    /// A register, a CSR, a set of accesses: known when read.
    Fixed(i64),
    /// Anything that is computed.
    Computed(Expression<'a>),
}

/// Reads the instruction `name`, the cursor being behind it.
///
/// # Errors
/// Where there is no such instruction, or its operands are others.
pub(crate) fn parse<'a>(name: &str, span: Span, cursor: &mut Cursor<'_, 'a>) -> Result<Code<'a>, Diagnostic> {
    if name == pseudo::LOAD_IMMEDIATE {
        return load_immediate(cursor);
    }
    let commas = cursor.commas();
    let fits = |syntax: &str| syntax.matches(',').count() == commas && syntax.contains(' ') != cursor.at_end();
    let row = Op::from_mnemonic(name).map(Op::spec);
    let mut forms = PSEUDOS.iter().filter(|pseudo| pseudo.mnemonic() == name);
    if let Some(spec) = row.filter(|spec| fits(spec.syntax)) {
        return row_operands(spec, cursor).map(|instruction| Code::Words(vec![instruction]));
    }
    if let Some(form) =
        forms.clone().find(|pseudo| fits(pseudo.syntax)).or_else(|| forms.next().filter(|_| row.is_none()))
    {
        return form.parse(cursor).map(Code::Words);
    }
    if let Some(spec) = row {
        return row_operands(spec, cursor).map(|instruction| Code::Words(vec![instruction]));
    }
    let mnemonics = SPECS.iter().map(Spec::mnemonic).chain(PSEUDOS.iter().map(pseudo::Pseudo::mnemonic));
    let similar = similar(name, mnemonics.chain([pseudo::LOAD_IMMEDIATE]));
    Err(Problem::UnknownInstruction { name: name.to_owned(), similar }.at(span))
}

fn load_immediate<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Code<'a>, Diagnostic> {
    let rd = operand(OperandKind::XReg, cursor)?;
    cursor.expect_mark(",")?;
    let value = Expression::parse(cursor)?;
    cursor.expect_end()?;
    Ok(Code::LoadImmediate { rd, value })
}

fn row_operands<'a>(spec: &'static Spec, cursor: &mut Cursor<'_, 'a>) -> Result<Instruction<'a>, Diagnostic> {
    let kinds: Vec<OperandKind> = spec.operands().map(|operand| operand.kind).collect();
    let operands = walk(text::parts(spec), &kinds, cursor)?;
    Ok(Instruction { op: spec.op, operands })
}

/// Reads operands of these kinds as the parts of a syntax say, to the end of the statement.
pub(crate) fn walk<'a>(
    parts: impl Iterator<Item = Part>,
    kinds: &[OperandKind],
    cursor: &mut Cursor<'_, 'a>,
) -> Result<Vec<Operand<'a>>, Diagnostic> {
    let mut operands = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Literal(c) => cursor.expect_mark(c.encode_utf8(&mut [0; 4]))?,
            Part::Operand(index) => {
                let omitted = parts.peek() == Some(&Part::Literal('(')) && at_base(cursor);
                operands.push(if omitted { Operand::Fixed(0) } else { operand(kinds[index], cursor)? });
            }
        }
    }
    cursor.expect_end()?;
    Ok(operands)
}

/// Whether a register in parentheses is next.
fn at_base(cursor: &Cursor<'_, '_>) -> bool {
    cursor.mark() == Some("(") && matches!(cursor.peek_at(1), Some(TokenKind::Name(name)) if is_register(name))
}

/// Reads what stands for one operand.
fn operand<'a>(kind: OperandKind, cursor: &mut Cursor<'_, 'a>) -> Result<Operand<'a>, Diagnostic> {
    let named = match kind {
        OperandKind::XReg | OperandKind::VReg | OperandKind::Csr | OperandKind::FenceSet => {
            cursor.name().and_then(|name| text::parse_operand(kind, name))
        }
        OperandKind::Imm12
        | OperandKind::Imm20
        | OperandKind::Imm16
        | OperandKind::Branch
        | OperandKind::Jump
        | OperandKind::Shamt
        | OperandKind::Shift
        | OperandKind::Lane
        | OperandKind::Uimm5 => None,
    };
    if let Some(value) = named {
        cursor.advance();
        return Ok(Operand::Fixed(value));
    }
    match kind {
        OperandKind::XReg => Err(cursor.expected("a scalar register (`x0` to `x31`, or its ABI name)")),
        OperandKind::VReg => Err(cursor.expected("a vector register (`v0` to `v31`)")),
        _ => Expression::parse(cursor).map(Operand::Computed),
    }
}
