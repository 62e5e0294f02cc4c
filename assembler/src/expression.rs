//! Expressions: C's operators with C's precedence over 64-bit integers, symbols, and `.` for the current address.
//!
//! Contract: addresses are those the program sees, in the symbol's own memory, and an expression remembers which memory
//! its value is an address of: a label plus a number is an address, the difference of two labels of one memory is a
//! number. Comparisons give 1 or 0. Nothing wraps: what does not fit into 64 bits is an error.
//! `%hi(x)` and `%lo(x)` are the parts of a word for `lui` and the instruction after it; `%pcrel_hi(x)` and
//! `%pcrel_lo(label)` the same for `auipc`, where `label` is the `auipc`'s. `fx(-0.5, 15)` is the code of a decimal number
//! with that many fraction bits, rounded once to the nearest, ties to the even code.
//!
//! Not here: where symbols come from (see [`crate::symbol`]).

use fenn_isa::decimal::{is_decimal, parse_decimal};
use fenn_isa::fixed::Format;
use fenn_isa::memory::Space;
use fenn_isa::operand::{VReg, XReg};

use crate::diagnostic::{Diagnostic, Problem};
use crate::lexer::TokenKind;
use crate::parser::Cursor;
use crate::source::Span;

/// The deepest nesting of an expression; what is deeper is refused before it could exhaust the stack.
const DEEPEST: u16 = 150;

/// An expression with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expression<'a> {
    pub(crate) kind: ExpressionKind<'a>,
    pub(crate) span: Span,
    depth: u16,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExpressionKind<'a> {
    Number(i64),
    /// The current address.
    Here,
    Symbol(&'a str),
    Local {
        number: u32,
        forward: bool,
    },
    Unary(Unary, Box<Expression<'a>>),
    Binary(Binary, Box<[Expression<'a>; 2]>),
    /// `condition ? one : other`.
    Choice(Box<[Expression<'a>; 3]>),
    Half(Half, Box<Expression<'a>>),
    /// `fx(number, bits)`: the code of a decimal number, as written, with so many fraction bits.
    Fixed(Box<(String, Expression<'a>)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Minus,
    Plus,
    Not,
    Invert,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Multiply,
    Divide,
    Remainder,
    Add,
    Subtract,
    ShiftLeft,
    ShiftRight,
    Less,
    Greater,
    LessEqual,
    GreaterEqual,
    Equal,
    Unequal,
    And,
    Xor,
    Or,
    Both,
    Either,
}

/// Which part of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    High,
    Low,
    PcrelHigh,
    PcrelLow,
}

impl Half {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "hi" => Some(Self::High),
            "lo" => Some(Self::Low),
            "pcrel_hi" => Some(Self::PcrelHigh),
            "pcrel_lo" => Some(Self::PcrelLow),
            _ => None,
        }
    }
}

/// An operator and its precedence, the loosest 0, as in C.
fn operator(mark: &str) -> Option<(usize, Binary)> {
    let found = match mark {
        "||" => (0, Binary::Either),
        "&&" => (1, Binary::Both),
        "|" => (2, Binary::Or),
        "^" => (3, Binary::Xor),
        "&" => (4, Binary::And),
        "==" => (5, Binary::Equal),
        "!=" => (5, Binary::Unequal),
        "<" => (6, Binary::Less),
        ">" => (6, Binary::Greater),
        "<=" => (6, Binary::LessEqual),
        ">=" => (6, Binary::GreaterEqual),
        "<<" => (7, Binary::ShiftLeft),
        ">>" => (7, Binary::ShiftRight),
        "+" => (8, Binary::Add),
        "-" => (8, Binary::Subtract),
        "*" => (9, Binary::Multiply),
        "/" => (9, Binary::Divide),
        "%" => (9, Binary::Remainder),
        _ => return None,
    };
    Some(found)
}

impl<'a> Expression<'a> {
    fn new(kind: ExpressionKind<'a>, span: Span) -> Result<Self, Diagnostic> {
        let inner = match &kind {
            ExpressionKind::Unary(_, inner) | ExpressionKind::Half(_, inner) => inner.depth,
            ExpressionKind::Fixed(inner) => inner.1.depth,
            ExpressionKind::Binary(_, inner) => inner.iter().map(|e| e.depth).max().unwrap_or(0),
            ExpressionKind::Choice(inner) => inner.iter().map(|e| e.depth).max().unwrap_or(0),
            _ => 0,
        };
        if inner >= DEEPEST { Err(Problem::TooDeep.at(span)) } else { Ok(Self { kind, span, depth: inner + 1 }) }
    }

    /// A number that stands for something at `span`.
    pub(crate) fn number(number: i64, span: Span) -> Self {
        Self { kind: ExpressionKind::Number(number), span, depth: 1 }
    }

    /// The address `bytes` before the current one.
    pub(crate) fn before(bytes: i64, span: Span) -> Self {
        let here = Self { kind: ExpressionKind::Here, span, depth: 1 };
        let operands = Box::new([here, Self::number(bytes, span)]);
        Self { kind: ExpressionKind::Binary(Binary::Subtract, operands), span, depth: 2 }
    }

    /// A part of this expression's value.
    pub(crate) fn half(self, half: Half) -> Self {
        let (span, depth) = (self.span, self.depth + 1);
        Self { kind: ExpressionKind::Half(half, Box::new(self)), span, depth }
    }

    /// Reads one expression, as far as it goes.
    ///
    /// # Errors
    /// The first place that no expression goes on with.
    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, Diagnostic> {
        Self::choice(cursor, 0)
    }

    fn choice(cursor: &mut Cursor<'_, 'a>, depth: u16) -> Result<Self, Diagnostic> {
        let condition = Self::binary(cursor, 0, depth)?;
        if !cursor.take_mark("?") {
            return Ok(condition);
        }
        let one = Self::choice(cursor, deeper(cursor, depth)?)?;
        cursor.expect_mark(":")?;
        let other = Self::choice(cursor, deeper(cursor, depth)?)?;
        let span = condition.span.to(other.span);
        Self::new(ExpressionKind::Choice(Box::new([condition, one, other])), span)
    }

    /// Operators of `level` and tighter ones: precedence climbing.
    fn binary(cursor: &mut Cursor<'_, 'a>, level: usize, depth: u16) -> Result<Self, Diagnostic> {
        let mut left = Self::unary(cursor, depth)?;
        while let Some((found, binary)) = cursor.mark().and_then(operator).filter(|(found, _)| *found >= level) {
            cursor.advance();
            let right = Self::binary(cursor, found + 1, deeper(cursor, depth)?)?;
            let span = left.span.to(right.span);
            left = Self::new(ExpressionKind::Binary(binary, Box::new([left, right])), span)?;
        }
        Ok(left)
    }

    fn unary(cursor: &mut Cursor<'_, 'a>, depth: u16) -> Result<Self, Diagnostic> {
        let start = cursor.span();
        let unary = match cursor.mark() {
            Some("-") => Unary::Minus,
            Some("+") => Unary::Plus,
            Some("!") => Unary::Not,
            Some("~") => Unary::Invert,
            _ => return Self::primary(cursor, depth),
        };
        cursor.advance();
        let inner = Self::unary(cursor, deeper(cursor, depth)?)?;
        let span = start.to(inner.span);
        Self::new(ExpressionKind::Unary(unary, Box::new(inner)), span)
    }

    /// `fx(number, bits)`, the cursor being at its name.
    fn fixed(cursor: &mut Cursor<'_, 'a>, depth: u16) -> Result<Self, Diagnostic> {
        let start = cursor.span();
        cursor.advance();
        cursor.advance();
        let number = decimal(cursor)?;
        cursor.expect_mark(",")?;
        let bits = Self::choice(cursor, deeper(cursor, depth)?)?;
        let span = start.to(cursor.span());
        cursor.expect_mark(")")?;
        Self::new(ExpressionKind::Fixed(Box::new((number, bits))), span)
    }

    fn primary(cursor: &mut Cursor<'_, 'a>, depth: u16) -> Result<Self, Diagnostic> {
        let start = cursor.span();
        let wanted = "a number, a symbol or `(`";
        let kind = match cursor.peek() {
            Some(TokenKind::Number(number)) => ExpressionKind::Number(*number),
            Some(TokenKind::Local { number, forward }) => ExpressionKind::Local { number: *number, forward: *forward },
            Some(TokenKind::Name(".")) => ExpressionKind::Here,
            Some(TokenKind::Name("fx")) if cursor.peek_at(1) == Some(&TokenKind::Mark("(")) => {
                return Self::fixed(cursor, depth);
            }
            Some(TokenKind::Name(name)) if is_register(name) => return Err(cursor.expected(wanted)),
            Some(TokenKind::Name(name)) => ExpressionKind::Symbol(name),
            Some(TokenKind::Mark("(")) => {
                cursor.advance();
                let mut inner = Self::choice(cursor, deeper(cursor, depth)?)?;
                inner.span = start.to(cursor.span());
                cursor.expect_mark(")")?;
                return Ok(inner);
            }
            Some(TokenKind::Mark("%")) => {
                cursor.advance();
                let half = cursor.name().and_then(Half::from_name);
                let half = half.ok_or_else(|| cursor.expected("`hi`, `lo`, `pcrel_hi` or `pcrel_lo`"))?;
                cursor.advance();
                cursor.expect_mark("(")?;
                let inner = Self::choice(cursor, deeper(cursor, depth)?)?;
                let span = start.to(cursor.span());
                cursor.expect_mark(")")?;
                return Self::new(ExpressionKind::Half(half, Box::new(inner)), span);
            }
            _ => return Err(cursor.expected(wanted)),
        };
        cursor.advance();
        Self::new(kind, start)
    }
}

fn deeper(cursor: &Cursor<'_, '_>, depth: u16) -> Result<u16, Diagnostic> {
    if depth >= DEEPEST { Err(Problem::TooDeep.at(cursor.span())) } else { Ok(depth + 1) }
}

/// Reads a decimal number with an optional sign, and gives it as it is written.
pub(crate) fn decimal(cursor: &mut Cursor<'_, '_>) -> Result<String, Diagnostic> {
    let sign = if cursor.take_mark("-") { "-" } else { "" };
    if sign.is_empty() {
        cursor.take_mark("+");
    }
    let text = match cursor.peek() {
        Some(TokenKind::Decimal(text)) => format!("{sign}{text}"),
        // What begins with a point is a name to the lexer.
        Some(TokenKind::Name(text)) if is_decimal(text) => format!("{sign}{text}"),
        Some(TokenKind::Number(number)) => format!("{sign}{number}"),
        _ => return Err(cursor.expected("a decimal number")),
    };
    cursor.advance();
    Ok(text)
}

/// The code of the decimal `text` in `format`.
pub(crate) fn code(text: &str, format: Format) -> Result<i64, Problem> {
    parse_decimal(text, format).map(i64::from).map_err(|error| Problem::Decimal(error.to_string()))
}

/// Whether a name belongs to a register, scalar or vector.
pub(crate) fn is_register(name: &str) -> bool {
    XReg::from_name(name).is_some() || VReg::from_name(name).is_some()
}

/// A number, and which memory it is an address of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) number: i64,
    pub(crate) space: Option<Space>,
}

impl Value {
    pub(crate) fn number(number: i64) -> Self {
        Self { number, space: None }
    }
}

/// `-x`, `!x` and so on.
pub(crate) fn apply_unary(unary: Unary, value: Value) -> Result<Value, Problem> {
    let number = match unary {
        Unary::Plus => return Ok(value),
        Unary::Minus => value.number.checked_neg().ok_or(Problem::Overflow)?,
        Unary::Not => i64::from(value.number == 0),
        Unary::Invert => !value.number,
    };
    Ok(Value::number(number))
}

/// `a + b` and so on.
pub(crate) fn apply_binary(binary: Binary, left: Value, right: Value) -> Result<Value, Problem> {
    let (a, b) = (left.number, right.number);
    let shift = || u32::try_from(b).ok().filter(|bits| *bits < 64).ok_or(Problem::Shift(b));
    let divisor = || if b == 0 { Err(Problem::DivisionByZero) } else { Ok(b) };
    let checked = |result: Option<i64>| result.ok_or(Problem::Overflow);
    let truth = |holds: bool| Ok(i64::from(holds));
    let space = match (binary, left.space, right.space) {
        (Binary::Add, Some(_), Some(_)) => return Err(Problem::AddressSum),
        (Binary::Add, one, other) => one.or(other),
        (Binary::Subtract, one, None) => one,
        _ => None,
    };
    let number = match binary {
        Binary::Multiply => checked(a.checked_mul(b)),
        Binary::Divide => checked(a.checked_div(divisor()?)),
        Binary::Remainder => checked(a.checked_rem(divisor()?)),
        Binary::Add => checked(a.checked_add(b)),
        Binary::Subtract => checked(a.checked_sub(b)),
        Binary::ShiftLeft => {
            let bits = shift()?;
            checked(Some(a << bits).filter(|shifted| shifted >> bits == a))
        }
        Binary::ShiftRight => Ok(a >> shift()?),
        Binary::Less => truth(a < b),
        Binary::Greater => truth(a > b),
        Binary::LessEqual => truth(a <= b),
        Binary::GreaterEqual => truth(a >= b),
        Binary::Equal => truth(a == b),
        Binary::Unequal => truth(a != b),
        Binary::And => Ok(a & b),
        Binary::Xor => Ok(a ^ b),
        Binary::Or => Ok(a | b),
        Binary::Both => truth(a != 0 && b != 0),
        Binary::Either => truth(a != 0 || b != 0),
    }?;
    Ok(Value { number, space })
}

/// The parts of a 32-bit word: `(high << 12) + low` is the word, `low` being signed.
pub(crate) fn split_word(number: i64) -> Result<(i64, i64), Problem> {
    const RANGE: std::ops::RangeInclusive<i64> = -(1 << 31)..=(1 << 32) - 1;
    if !RANGE.contains(&number) {
        let what = "the word".to_owned();
        return Err(Problem::OutOfRange { what, value: number, first: *RANGE.start(), last: *RANGE.end(), step: 1 });
    }
    let word = number as u32;
    Ok((i64::from(word.wrapping_add(0x800) >> 12), i64::from((word as i32) << 20 >> 20)))
}
