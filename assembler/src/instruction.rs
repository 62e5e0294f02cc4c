//! One instruction's operands, through its row's syntax.
//!
//! Contract: any row of the table is read here, by walking [`text::parts`] and asking each operand's kind what may
//! stand for it; no row is mentioned but `li`'s. Beyond the row's syntax, an offset before a register in parentheses may
//! be left out, and is then 0. Where rows and pseudo-instructions share a mnemonic, the one whose operands look as those
//! that are written is meant.
//!
//! Not here: the operands' values, which may be labels (see [`crate::emit`]).

use std::collections::HashMap;
use std::sync::OnceLock;

use fenn_isa::operand::{OperandKind, XReg};
use fenn_isa::text::{self, Part};
use fenn_isa::{Op, SPECS};

use crate::diagnostic::{Diagnostic, Problem, similar};
use crate::expression::{Expression, ExpressionKind, is_register};
use crate::lexer::{Token, TokenKind};
use crate::parser::Cursor;
use crate::pseudo::{self, Expansion, PSEUDOS};
use crate::source::Span;

/// What an instruction statement becomes.
#[derive(Debug)]
pub(crate) enum Code<'a> {
    /// One word.
    One(Instruction<'a>),
    /// One word each.
    Words(Vec<Instruction<'a>>),
    /// `li`: one or two words, which depends on the value.
    LoadImmediate { rd: i64, value: Expression<'a> },
}

/// A row with its operands.
#[derive(Debug, Clone)]
pub(crate) struct Instruction<'a> {
    pub(crate) op: Op,
    /// The word, as far as it is known; zeros elsewhere.
    pub(crate) word: u32,
    /// The operands that are still to be computed, by their index in the row.
    pub(crate) open: Vec<(usize, Expression<'a>)>,
}

/// What stands for an operand.
#[derive(Debug, Clone)]
pub(crate) enum Operand<'a> {
    /// A register, a CSR, a set of accesses: known when read.
    Fixed(i64),
    /// Anything that is computed.
    Computed(Expression<'a>),
}

impl<'a> Instruction<'a> {
    /// The row without operands.
    pub(crate) fn new(op: Op) -> Self {
        Self { op, word: op.spec().layout.value, open: Vec::new() }
    }

    /// Puts the operand with that index into its place, or keeps it for later.
    pub(crate) fn put(&mut self, index: usize, kind: OperandKind, operand: Operand<'a>) {
        let (known, expression) = match operand {
            Operand::Fixed(value) => (Some(value), None),
            // A bare number is no target; that is reported when it is asked for its memory.
            Operand::Computed(expression) if matches!(kind, OperandKind::Branch | OperandKind::Jump) => {
                (None, Some(expression))
            }
            Operand::Computed(expression) => match expression.kind {
                ExpressionKind::Number(number) => (Some(number), Some(expression)),
                _ => (None, Some(expression)),
            },
        };
        if let Some(bits) = known.and_then(|value| kind.to_bits(value)) {
            self.word |= self.op.spec().layout.fields[index].insert(bits);
        } else if let Some(expression) = expression {
            self.open.push((index, expression));
        }
    }

    /// With all operands given.
    pub(crate) fn with(op: Op, operands: impl IntoIterator<Item = Operand<'a>>) -> Self {
        let mut instruction = Self::new(op);
        for ((index, operand), spec) in operands.into_iter().enumerate().zip(op.spec().operands()) {
            instruction.put(index, spec.kind, operand);
        }
        instruction
    }
}

/// How a mnemonic's operands are written.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) parts: Vec<Part>,
    pub(crate) kinds: Vec<OperandKind>,
    /// Operands of which only a symbol is this form, since a number belongs to another.
    pub(crate) symbols: Vec<bool>,
    commas: usize,
}

impl Form {
    pub(crate) fn new(parts: Vec<Part>, kinds: Vec<OperandKind>, symbols: Vec<bool>) -> Self {
        let commas = parts.iter().filter(|part| **part == Part::Literal(',')).count();
        Self { parts, kinds, symbols, commas }
    }

    fn counts(&self, cursor: &Cursor<'_, '_>) -> bool {
        self.commas == cursor.commas() && self.parts.is_empty() == cursor.at_end()
    }

    /// Whether each operand looks like one of its kind.
    fn fits(&self, cursor: &Cursor<'_, '_>) -> bool {
        let given = operands(cursor.rest());
        self.counts(cursor)
            && self.parts.split(|part| *part == Part::Literal(',')).zip(given).all(|(wanted, given)| {
                let register = match given {
                    [Token { kind: TokenKind::Name(name), .. }] => is_register(name),
                    _ => false,
                };
                let based = matches!(given, [.., open, register, close]
                if open.kind == TokenKind::Mark("(") && close.kind == TokenKind::Mark(")")
                && matches!(register.kind, TokenKind::Name(name) if is_register(name)));
                match wanted {
                    [Part::Operand(index)] if self.symbols[*index] => {
                        let symbol = matches!(given.first().map(|token| &token.kind), Some(TokenKind::Name(_)));
                        symbol && !register && !based
                    }
                    [Part::Operand(index)] => {
                        let wants = matches!(self.kinds[*index], OperandKind::XReg | OperandKind::VReg);
                        wants == register && !based
                    }
                    _ => based,
                }
            })
    }
}

/// The tokens between the commas, leaving out those in parentheses.
fn operands<'t, 'a>(tokens: &'t [Token<'a>]) -> impl Iterator<Item = &'t [Token<'a>]> {
    let mut depth = 0usize;
    tokens.split(move |token| {
        match token.kind {
            TokenKind::Mark("(") => depth += 1,
            TokenKind::Mark(")") => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.kind == TokenKind::Mark(",")
    })
}

/// What a form stands for.
#[derive(Debug)]
enum Meaning {
    Row(Op),
    Pseudo(&'static Expansion),
}

/// All forms of all mnemonics, rows before pseudo-instructions.
fn forms() -> &'static HashMap<&'static str, Vec<(&'static Form, Meaning)>> {
    static FORMS: OnceLock<HashMap<&'static str, Vec<(&'static Form, Meaning)>>> = OnceLock::new();
    static ROWS: OnceLock<Vec<Form>> = OnceLock::new();
    FORMS.get_or_init(|| {
        let rows = ROWS.get_or_init(|| {
            let form = |spec: &'static fenn_isa::Spec| {
                let kinds: Vec<OperandKind> = spec.operands().map(|operand| operand.kind).collect();
                let symbols = vec![false; kinds.len()];
                Form::new(text::parts(spec).collect(), kinds, symbols)
            };
            SPECS.iter().map(form).collect()
        });
        let mut forms: HashMap<&'static str, Vec<(&'static Form, Meaning)>> = HashMap::new();
        for (spec, form) in SPECS.iter().zip(rows) {
            forms.entry(spec.mnemonic()).or_default().push((form, Meaning::Row(spec.op)));
        }
        for expansion in pseudo::expansions() {
            forms.entry(expansion.mnemonic).or_default().push((&expansion.form, Meaning::Pseudo(expansion)));
        }
        forms
    })
}

/// Reads the instruction `name`, the cursor being behind it. Without `relax`, calls and addresses have their longest form.
///
/// # Errors
/// Where there is no such instruction, or its operands are others.
pub(crate) fn parse<'a>(
    name: &str,
    span: Span,
    cursor: &mut Cursor<'_, 'a>,
    relax: bool,
) -> Result<Code<'a>, Diagnostic> {
    if name == pseudo::LOAD_IMMEDIATE {
        return load_immediate(cursor);
    }
    let Some(forms) = forms().get(name) else { return Err(unknown(name, span)) };
    let chosen = match forms.as_slice() {
        [only] => Some(only),
        all => {
            let fits = all.iter().find(|(form, _)| form.fits(cursor));
            fits.or_else(|| all.iter().find(|(form, _)| form.counts(cursor))).or(all.first())
        }
    };
    let Some((form, meaning)) = chosen else { return Err(unknown(name, span)) };
    match meaning {
        Meaning::Row(op) => {
            let mut instruction = Instruction::new(*op);
            walk(form, cursor, |index, operand| instruction.put(index, form.kinds[index], operand))?;
            Ok(Code::One(instruction))
        }
        Meaning::Pseudo(expansion) => {
            let mut given = Vec::new();
            walk(form, cursor, |_, operand| given.push(operand))?;
            let mut instructions = expansion.instructions(&given, relax, span);
            match instructions.len() {
                1 => Ok(Code::One(instructions.remove(0))),
                _ => Ok(Code::Words(instructions)),
            }
        }
    }
}

fn unknown(name: &str, span: Span) -> Diagnostic {
    let mnemonics = SPECS.iter().map(|spec| spec.mnemonic()).chain(PSEUDOS.iter().map(pseudo::Pseudo::mnemonic));
    let similar = similar(name, mnemonics.chain([pseudo::LOAD_IMMEDIATE]));
    Problem::UnknownInstruction { name: name.to_owned(), similar }.at(span)
}

fn load_immediate<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Code<'a>, Diagnostic> {
    let rd = cursor.name().and_then(XReg::from_name);
    let rd = rd.ok_or_else(|| cursor.expected(SCALAR))?;
    cursor.advance();
    cursor.expect_mark(",")?;
    let value = Expression::parse(cursor)?;
    cursor.expect_end()?;
    Ok(Code::LoadImmediate { rd: i64::from(rd.get()), value })
}

/// Reads operands as a form says, to the end of the statement.
fn walk<'a>(
    form: &Form,
    cursor: &mut Cursor<'_, 'a>,
    mut put: impl FnMut(usize, Operand<'a>),
) -> Result<(), Diagnostic> {
    for (at, part) in form.parts.iter().enumerate() {
        match part {
            Part::Literal(',') => cursor.expect_mark(",")?,
            Part::Literal('(') => cursor.expect_mark("(")?,
            Part::Literal(c) => cursor.expect_mark(c.encode_utf8(&mut [0; 4]))?,
            Part::Operand(index) => {
                let omitted = form.parts.get(at + 1) == Some(&Part::Literal('(')) && at_base(cursor);
                put(*index, if omitted { Operand::Fixed(0) } else { operand(form.kinds[*index], cursor)? });
            }
        }
    }
    cursor.expect_end()
}

/// Whether a register in parentheses is next.
fn at_base(cursor: &Cursor<'_, '_>) -> bool {
    cursor.mark() == Some("(") && matches!(cursor.peek_at(1), Some(TokenKind::Name(name)) if is_register(name))
}

const SCALAR: &str = "a scalar register (`x0` to `x31`, or its ABI name)";

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
        OperandKind::XReg => Err(cursor.expected(SCALAR)),
        OperandKind::VReg => Err(cursor.expected("a vector register (`v0` to `v31`)")),
        _ => Expression::parse(cursor).map(Operand::Computed),
    }
}
