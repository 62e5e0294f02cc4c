//! The textual form of [`Code`], both ways.
//!
//! Contract: `Code::parse(&code.to_string())` is `code` again, but for the names of labels that nothing binds. A line is
//! empty, a label (`L3:`, or `L3: # name` for one that becomes a symbol), or an instruction as assembly text, with `%x0`
//! and `%v0` for virtual registers, `L3` for where a branch goes, `%hi(L3)` and `%lo(L3)` for the parts of an address.
//! What else is known of an instruction stands behind it: `in 2048` names the array it accesses, `fresh` says that nobody
//! looks at the lanes it keeps, and `to L3 L4 L5` where a computed jump may go, with `every 16` if the targets are so many
//! bytes apart. `# entry name` is a label where a host may start. `;` begins a comment.

use std::fmt;

use fenn_isa::Op;
use fenn_isa::code::Label;
use fenn_isa::operand::OperandKind;
use fenn_isa::text::{Part, parse_operand, parts, print_operand};

use super::{Arg, Code, File, Inst, Item, Origin, Reg, Targets};

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = match self.file {
            File::X => 'x',
            File::V => 'v',
        };
        write!(f, "%{file}{}", self.index)
    }
}

/// Prints as assembly text with `%x0`, `%v0` for virtual registers.
impl fmt::Display for Inst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = self.op.spec();
        f.write_str(spec.mnemonic())?;
        let mut blank = " ";
        for part in parts(spec) {
            match part {
                Part::Literal(c) => {
                    write!(f, "{c}")?;
                    blank = if c == ',' { " " } else { "" };
                }
                Part::Operand(index) => {
                    f.write_str(blank)?;
                    blank = "";
                    match self.args[index] {
                        Arg::Reg(reg) => write!(f, "{reg}")?,
                        Arg::Zero => f.write_str("zero")?,
                        Arg::Imm(value) => {
                            let kind = spec.operands().nth(index).map_or(OperandKind::Imm12, |operand| operand.kind);
                            f.write_str(&print_operand(kind, value))?;
                        }
                        Arg::Label(label) => write!(f, "L{}", label.0)?,
                        Arg::Upper(label) => write!(f, "%hi(L{})", label.0)?,
                        Arg::Lower(label) => write!(f, "%lo(L{})", label.0)?,
                    }
                }
            }
        }
        self.array.iter().try_for_each(|array| write!(f, " in {array}"))?;
        if self.fresh {
            f.write_str(" fresh")?;
        }
        if let Some(targets) = &self.targets {
            f.write_str(" to")?;
            targets.labels.iter().try_for_each(|label| write!(f, " L{}", label.0))?;
            targets.spacing.iter().try_for_each(|spacing| write!(f, " every {spacing}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for item in &self.items {
            match item {
                Item::Label(label) => match &self.names[label.0 as usize] {
                    Some(name) if self.entries.contains(label) => writeln!(f, "L{}: # entry {name}", label.0)?,
                    Some(name) => writeln!(f, "L{}: # {name}", label.0)?,
                    None => writeln!(f, "L{}:", label.0)?,
                },
                Item::Inst(inst) => writeln!(f, "    {inst}")?,
            }
        }
        Ok(())
    }
}

/// A line that is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: ParseErrorKind,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// No row of the instruction table has this mnemonic.
    #[error("no instruction is called `{0}`")]
    Mnemonic(String),
    /// Something else stands where the row's syntax has this.
    #[error("expected {what} at `{found}`")]
    Expected {
        /// What belongs there.
        what: String,
        /// The rest of the line.
        found: String,
    },
}

/// Labels and registers have lesser numbers than this in text: what is known of them is kept in lists.
const MOST: u32 = 1 << 20;

impl Code {
    /// Reads the textual form.
    ///
    /// # Errors
    /// The first line that is none. Ranges of numbers are not checked here.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut code = Self::default();
        for (line, content) in text.lines().enumerate() {
            let content = content.split(';').next().unwrap_or("").trim();
            if !content.is_empty() {
                let mut parser = Parser { rest: content, code: &mut code };
                parser.line().map_err(|kind| ParseError { line: line + 1, kind })?;
            }
        }
        Ok(code)
    }

    /// Counts label `number` among those there are.
    fn known_label(&mut self, number: u32) -> Label {
        if self.names.len() <= number as usize {
            self.names.resize(number as usize + 1, None);
        }
        Label(number)
    }
}

struct Parser<'a> {
    rest: &'a str,
    code: &'a mut Code,
}

type Parsed<T> = Result<T, ParseErrorKind>;

impl<'a> Parser<'a> {
    fn line(&mut self) -> Parsed<()> {
        if self.rest.starts_with('L') {
            let label = self.label()?;
            self.literal(':')?;
            if self.rest.starts_with('#') {
                self.literal('#')?;
                if self.keyword("entry") {
                    self.code.entries.insert(label);
                }
                self.code.names[label.0 as usize] = Some(self.rest.to_owned());
                self.rest = "";
            }
            self.code.items.push(Item::Label(label));
        } else {
            let inst = self.inst()?;
            self.code.items.push(Item::Inst(inst));
        }
        if self.rest.is_empty() { Ok(()) } else { Err(self.expected("the end of the line")) }
    }

    fn inst(&mut self) -> Parsed<Inst> {
        let mnemonic = self.word();
        let op = Op::from_mnemonic(mnemonic).ok_or_else(|| ParseErrorKind::Mnemonic(mnemonic.to_owned()))?;
        let spec = op.spec();
        let mut args = vec![Arg::Zero; spec.operands().len()];
        for part in parts(spec) {
            match part {
                Part::Literal(c) => self.literal(c)?,
                Part::Operand(index) => {
                    let operand = spec.operands().nth(index).expect("parts name this row's operands");
                    args[index] = self.arg(operand.kind)?;
                }
            }
        }
        let array = if self.keyword("in") { Some(self.number()?) } else { None };
        let fresh = self.keyword("fresh");
        let targets = if self.keyword("to") { Some(self.targets()?) } else { None };
        Ok(Inst { op, args, origin: Origin::Lowered(self.code.items.len()), targets, array, fresh })
    }

    fn targets(&mut self) -> Parsed<Targets> {
        let mut labels = Vec::new();
        while self.rest.starts_with('L') {
            labels.push(self.label()?);
        }
        let spacing = if self.keyword("every") { Some(self.number()?) } else { None };
        Ok(Targets { labels, spacing })
    }

    fn arg(&mut self, kind: OperandKind) -> Parsed<Arg> {
        let part = [("%hi(", Arg::Upper as fn(Label) -> Arg), ("%lo(", Arg::Lower)];
        for (start, arg) in part {
            if let Some(rest) = self.rest.strip_prefix(start) {
                self.rest = rest;
                let label = self.label()?;
                self.literal(')')?;
                return Ok(arg(label));
            }
        }
        let jump = matches!(kind, OperandKind::Branch | OperandKind::Jump);
        if jump && self.rest.starts_with('L') {
            return Ok(self.label()?.into());
        }
        for (start, file) in [("%x", File::X), ("%v", File::V)] {
            if let Some(rest) = self.rest.strip_prefix(start) {
                self.rest = rest;
                let index = self.index()?;
                let count = &mut self.code.counts[file as usize];
                *count = (index + 1).max(*count);
                return Ok(Reg { file, index }.into());
            }
        }
        let expected = self.expected(&format!("an operand ({kind:?})"));
        let text = self.word();
        match kind {
            OperandKind::XReg | OperandKind::VReg if text == "zero" => Ok(Arg::Zero),
            OperandKind::XReg | OperandKind::VReg | OperandKind::Branch | OperandKind::Jump => Err(expected),
            _ => parse_operand(kind, text).map(Arg::Imm).ok_or(expected),
        }
    }

    fn label(&mut self) -> Parsed<Label> {
        let expected = self.expected("a label");
        self.rest = self.rest.strip_prefix('L').ok_or(expected)?;
        let number = self.index()?;
        Ok(self.code.known_label(number))
    }

    fn number(&mut self) -> Parsed<u32> {
        let expected = self.expected("a number");
        let digits = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let number = self.rest[..digits].parse();
        self.skip(digits);
        number.map_err(|_| expected)
    }

    fn index(&mut self) -> Parsed<u32> {
        let expected = self.expected(&format!("a number below {MOST}"));
        self.number().ok().filter(|number| *number < MOST).ok_or(expected)
    }

    fn keyword(&mut self, word: &str) -> bool {
        let ends = |rest: &&str| rest.is_empty() || rest.starts_with(char::is_whitespace);
        let found = self.rest.strip_prefix(word).filter(ends);
        if let Some(rest) = found {
            self.rest = rest.trim_start();
        }
        found.is_some()
    }

    fn literal(&mut self, c: char) -> Parsed<()> {
        let expected = self.expected(&format!("`{c}`"));
        self.rest = self.rest.strip_prefix(c).ok_or(expected)?.trim_start();
        Ok(())
    }

    /// Everything up to a blank, a comma or a parenthesis.
    fn word(&mut self) -> &'a str {
        let end = |c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')');
        let length = self.rest.find(end).unwrap_or(self.rest.len());
        let word = &self.rest[..length];
        self.skip(length);
        word
    }

    fn skip(&mut self, length: usize) {
        self.rest = self.rest[length..].trim_start();
    }

    fn expected(&self, what: &str) -> ParseErrorKind {
        ParseErrorKind::Expected { what: what.to_owned(), found: self.rest.to_owned() }
    }
}
