//! One instruction and its text, both ways, through the row's syntax.
//!
//! Contract: `parse(print(inst)) == inst` for every instruction. Scalar registers print by their ABI names, numbers in
//! decimal, CSRs by name where they have one, branch and jump offsets as `.+8` (from the instruction itself).
//! The parser also takes `x5` for `t0`, hexadecimal numbers, and any blanks.
//!
//! Not here: labels, expressions, pseudo-instructions and directives, which belong to the assembler; it walks
//! [`parts`] itself.

use core::fmt;

use crate::csr;
use crate::operand::{OperandKind, VReg, XReg};
use crate::spec::{Inst, Op, Spec};

/// A piece of a row's syntax after the mnemonic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A character to be written as it stands: a comma or a parenthesis.
    Literal(char),
    /// The operand with this index.
    Operand(usize),
}

/// The pieces of `spec`'s syntax after the mnemonic, blanks left out.
pub fn parts(spec: &'static Spec) -> impl Iterator<Item = Part> {
    let mut rest = spec.syntax.strip_prefix(spec.mnemonic()).unwrap_or("");
    core::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length.max(1));
        rest = after;
        let operand = spec.operands().position(|operand| operand.name == name);
        Some(operand.map_or(Part::Literal(first), Part::Operand))
    })
}

/// Writes one operand's number as text.
pub fn print_operand(kind: OperandKind, value: i64) -> String {
    match kind {
        OperandKind::XReg => XReg::new(value).map_or_else(|| value.to_string(), |reg| reg.to_string()),
        OperandKind::VReg => format!("v{value}"),
        OperandKind::Branch | OperandKind::Jump => format!(".{value:+}"),
        OperandKind::Imm20 => format!("{value:#x}"),
        OperandKind::Csr => {
            csr::by_address(value as u16).map_or_else(|| format!("{value:#x}"), |row| row.name.to_owned())
        }
        OperandKind::FenceSet if value == 0 => "0".to_owned(),
        OperandKind::FenceSet => {
            "iorw".chars().enumerate().filter(|(i, _)| value >> (3 - i) & 1 == 1).map(|(_, c)| c).collect()
        }
        OperandKind::Imm12
        | OperandKind::Imm16
        | OperandKind::Shamt
        | OperandKind::Shift
        | OperandKind::Lane
        | OperandKind::Uimm5 => value.to_string(),
    }
}

/// Reads one operand's text; `None` where it is no operand of this kind. Ranges are not checked here.
pub fn parse_operand(kind: OperandKind, text: &str) -> Option<i64> {
    match kind {
        OperandKind::XReg => XReg::from_name(text).map(|reg| i64::from(reg.get())),
        OperandKind::VReg => VReg::from_name(text).map(|reg| i64::from(reg.get())),
        OperandKind::Branch | OperandKind::Jump => number(text.strip_prefix('.')?),
        OperandKind::Csr => csr::by_name(text).map(|row| i64::from(row.address)).or_else(|| number(text)),
        OperandKind::FenceSet => fence_set(text).or_else(|| number(text)),
        OperandKind::Imm12
        | OperandKind::Imm16
        | OperandKind::Imm20
        | OperandKind::Shamt
        | OperandKind::Shift
        | OperandKind::Lane
        | OperandKind::Uimm5 => number(text),
    }
}

fn fence_set(text: &str) -> Option<i64> {
    let mut set = 0;
    for c in text.chars() {
        let bit = 8 >> "iorw".find(c)?;
        if set & bit != 0 {
            return None;
        }
        set |= bit;
    }
    (set != 0).then_some(set)
}

fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.trim_start();
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (16, hex),
        None => (10, digits),
    };
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

impl fmt::Display for Inst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spec, word) = (self.op().spec(), self.encode());
        f.write_str(spec.mnemonic())?;
        let mut blank = " ";
        for part in parts(spec) {
            match part {
                Part::Literal(c) => {
                    write!(f, "{c}")?;
                    blank = if c == ',' { " " } else { "" };
                }
                Part::Operand(index) => {
                    let operand = spec.operands().nth(index).expect("parts name this row's operands");
                    let value = operand.kind.from_bits(operand.field.extract(word));
                    write!(f, "{blank}{}", print_operand(operand.kind, value))?;
                    blank = "";
                }
            }
        }
        Ok(())
    }
}

/// Why a text is no instruction; positions are byte offsets into the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextError {
    /// No row has this mnemonic.
    UnknownMnemonic(String),
    /// A piece of the syntax is missing or something else stands in its place.
    Expected {
        /// Where.
        at: usize,
        /// What belongs there.
        what: String,
    },
    /// An operand's number does not fit its field.
    OutOfRange {
        /// Where.
        at: usize,
        /// The operand's name.
        operand: &'static str,
        /// Its kind, which has the range.
        kind: OperandKind,
    },
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMnemonic(name) => write!(f, "no instruction is called `{name}`"),
            Self::Expected { at, what } => write!(f, "expected {what} at column {}", at + 1),
            Self::OutOfRange { at, operand, kind } => {
                let (range, step) = (kind.range(), 1 << kind.zero_bits());
                write!(f, "`{operand}` at column {} must lie in {}..={}", at + 1, range.start(), range.end())?;
                if step > 1 { write!(f, " and be a multiple of {step}") } else { Ok(()) }
            }
        }
    }
}

impl core::error::Error for TextError {}

/// Reads one instruction.
///
/// # Errors
/// The first place where the text departs from the row's syntax or an operand from its range.
pub fn parse(text: &str) -> Result<Inst, TextError> {
    let start = text.len() - text.trim_start().len();
    let end = text[start..].find(char::is_whitespace).map_or(text.len(), |length| start + length);
    let mnemonic = &text[start..end];
    let op = Op::from_mnemonic(mnemonic).ok_or_else(|| TextError::UnknownMnemonic(mnemonic.to_owned()))?;
    let spec = op.spec();
    let mut values = vec![0; spec.operands().len()];
    let mut places = vec![0; values.len()];
    let mut at = end;
    for part in parts(spec) {
        at += text[at..].len() - text[at..].trim_start().len();
        match part {
            Part::Literal(c) => {
                if !text[at..].starts_with(c) {
                    return Err(TextError::Expected { at, what: format!("`{c}`") });
                }
                at += c.len_utf8();
            }
            Part::Operand(index) => {
                let operand = spec.operands().nth(index).expect("parts name this row's operands");
                let length = text[at..].find([',', '(', ')']).unwrap_or(text.len() - at);
                let value = parse_operand(operand.kind, text[at..at + length].trim_end());
                let what = || TextError::Expected { at, what: format!("`{}` ({:?})", operand.name, operand.kind) };
                values[index] = value.ok_or_else(what)?;
                places[index] = at;
                at += length;
            }
        }
    }
    at += text[at..].len() - text[at..].trim_start().len();
    if at < text.len() {
        return Err(TextError::Expected { at, what: "the end of the instruction".to_owned() });
    }
    let word = spec.assemble(&values).map_err(|index| {
        let operand = spec.operands().nth(index).expect("assemble names one of this row's operands");
        TextError::OutOfRange { at: places[index], operand: operand.name, kind: operand.kind }
    })?;
    Ok(Inst::decode(word).expect("an assembled word belongs to its row"))
}
