//! Where everything lies: statements to items with places, and symbols with values.
//!
//! Contract: each memory is one section that grows from address 0 in the order of the sources; `.text`, `.data` and the
//! others only say which. An item's size is known when it is reached, so a label's place is final when it is defined:
//! which branches must be long is decided before ([`Choices`]), and where that turns out to be wrong, all is laid out
//! once more. Contents beyond the memory's size are reported once and left out.
//!
//! Not here: what the contents are (see [`crate::emit`]).

use std::collections::{HashMap, HashSet};

use fenn_isa::code::Condition;
use fenn_isa::image::SymbolKind;
use fenn_isa::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};
use fenn_isa::operand::OperandKind;
use fenn_isa::{Inst, Op};

use crate::data::{self, Lanes};
use crate::diagnostic::{Diagnostic, Problem};
use crate::directive::Directive;
use crate::expression::{Expression, ExpressionKind, Half, split_word};
use crate::instruction::{Code, Instruction, Operand};
use crate::parser::StatementKind;
use crate::source::Span;
use crate::symbol::{Key, Place, Site, Symbols, unknown};

/// The largest alignment.
const MOST_ALIGNMENT: i64 = 1 << 20;

/// Contents with their place.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub(crate) content: Content<'a>,
    pub(crate) site: Site,
    pub(crate) span: Span,
}

/// What lies somewhere.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    Instruction(Instruction<'a>),
    /// A branch that is too far away: the opposite branch around a jump.
    LongBranch(Instruction<'a>),
    /// Each number so many times.
    Numbers {
        width: u8,
        times: u8,
        values: Vec<Expression<'a>>,
    },
    Bytes(Vec<u8>),
    Zeros(u32),
    /// So many times the same number.
    Fill {
        count: u32,
        width: u8,
        value: Expression<'a>,
    },
}

impl Content<'_> {
    fn bytes(&self) -> u64 {
        match self {
            Self::Instruction(_) => 4,
            Self::LongBranch(_) => 8,
            Self::Numbers { width, times, values } => u64::from(*width) * u64::from(*times) * values.len() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(count) => u64::from(*count),
            Self::Fill { count, width, .. } => u64::from(*count) * u64::from(*width),
        }
    }
}

/// What was said of a symbol besides its place.
#[derive(Debug, Default)]
pub(crate) struct Remarks<'a> {
    pub(crate) global: Option<bool>,
    pub(crate) kind: Option<SymbolKind>,
    pub(crate) size: Option<(Expression<'a>, Site)>,
    /// Where it was said, to report a symbol that does not exist.
    spans: Vec<Span>,
}

/// What must be known before anything is laid out, and is found out by doing so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Choices {
    /// The statements, by their order, whose branches are long.
    pub(crate) long: HashSet<u32>,
    /// The names that a source keeps to itself.
    pub(crate) private: HashSet<(u32, String)>,
}

/// The result of laying out all sources.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    pub(crate) symbols: Symbols<'a>,
    pub(crate) items: Vec<Item<'a>>,
    pub(crate) remarks: HashMap<Key<'a>, Remarks<'a>>,
    /// Those it was made with, and those that it asks for.
    pub(crate) choices: Choices,
    /// Whether calls and addresses have their shortest form.
    pub(crate) relax: bool,
    options: Vec<bool>,
    sections: Vec<(Space, Space)>,
    previous: Space,
    scope: u32,
    config: MachineConfig,
    lengths: [u32; Space::ALL.len()],
    full: [bool; Space::ALL.len()],
    space: Space,
    order: u32,
}

impl<'a> Layout<'a> {
    pub(crate) fn new(config: MachineConfig, choices: Choices) -> Self {
        Self {
            symbols: Symbols::new(choices.private.clone()),
            items: Vec::new(),
            remarks: HashMap::new(),
            choices,
            relax: true,
            options: Vec::new(),
            sections: Vec::new(),
            previous: Space::Instruction,
            scope: 0,
            config,
            lengths: [0; 5],
            full: [false; 5],
            space: Space::Instruction,
            order: 0,
        }
    }

    /// Begins with source number `scope`, in `.text`.
    pub(crate) fn begin(&mut self, scope: u32) {
        (self.space, self.previous) = (Space::Instruction, Space::Instruction);
        self.scope = scope;
        self.relax = true;
        self.options.clear();
        self.sections.clear();
    }

    /// Reports what was said of symbols that do not exist.
    pub(crate) fn finish(&self, diagnostics: &mut Vec<Diagnostic>) {
        for (key, remarks) in &self.remarks {
            if self.symbols.defined(*key).is_none() {
                diagnostics.extend(remarks.spans.iter().map(|span| unknown(key.1, *span)));
            }
        }
    }

    pub(crate) fn site(&self) -> Site {
        let place = Place { space: self.space, offset: self.lengths[self.space as usize] };
        Site { scope: self.scope, order: self.order, place }
    }

    /// Adds one statement.
    pub(crate) fn add(&mut self, kind: StatementKind<'a>, span: Span) -> Result<(), Diagnostic> {
        self.order += 1;
        let site = self.site();
        match kind {
            StatementKind::Label(name) => self.symbols.define_label(name, site, span),
            StatementKind::Local(number) => {
                self.symbols.define_local(number, site);
                Ok(())
            }
            StatementKind::Assign { name, value, once } => {
                let first = self.symbols.defined(self.symbols.key(name, self.scope));
                match first.filter(|_| once) {
                    Some(first) => Err(Problem::Duplicate { name: name.to_owned(), first }.at(span)),
                    None => self.symbols.define_value(name, value, site, span),
                }
            }
            StatementKind::Directive(directive) => self.directive(directive, span),
            StatementKind::Code(code) => self.code(code, span),
            StatementKind::Broken if self.space == Space::Instruction => self.place(Content::Zeros(4), span),
            StatementKind::Broken => Ok(()),
        }
    }

    /// Puts contents at the end of the current section.
    pub(crate) fn place(&mut self, content: Content<'a>, span: Span) -> Result<(), Diagnostic> {
        let site = self.site();
        let index = self.space as usize;
        let bytes = self.config.bytes(self.space);
        match u64::from(self.lengths[index]) + content.bytes() {
            end if end <= u64::from(bytes) => {
                self.lengths[index] = end as u32;
                self.items.push(Item { content, site, span });
                Ok(())
            }
            _ if self.full[index] => Ok(()),
            _ => {
                self.full[index] = true;
                Err(Problem::Full { space: self.space, bytes }.at(span))
            }
        }
    }

    fn code(&mut self, code: Code<'a>, span: Span) -> Result<(), Diagnostic> {
        if self.space != Space::Instruction {
            return Err(Problem::NotText(self.space).at(span));
        }
        let offset = self.site().place.offset;
        let misaligned = !offset.is_multiple_of(4);
        if misaligned {
            // The instructions after this one are then in their places, and one message is enough.
            self.place(Content::Zeros(4 - offset % 4), span)?;
        }
        match code {
            Code::One(instruction) => self.instruction(instruction, span)?,
            Code::Words(instructions) => self.instructions(instructions, span)?,
            Code::LoadImmediate { rd, value } => {
                let instructions = self.load_immediate(rd, value)?;
                self.instructions(instructions, span)?;
            }
        }
        if misaligned { Err(Problem::MisalignedInstruction(offset).at(span)) } else { Ok(()) }
    }

    fn instructions(&mut self, instructions: Vec<Instruction<'a>>, span: Span) -> Result<(), Diagnostic> {
        instructions.into_iter().try_for_each(|instruction| self.instruction(instruction, span))
    }

    fn instruction(&mut self, instruction: Instruction<'a>, span: Span) -> Result<(), Diagnostic> {
        for (_, operand) in &instruction.open {
            if let ExpressionKind::Half(Half::PcrelHigh, target) = &operand.kind {
                let (target, site) = ((**target).clone(), self.site());
                self.symbols.note_pcrel(target, site);
            }
        }
        let long = !self.choices.long.is_empty() && self.choices.long.contains(&self.order);
        if long && Condition::of(instruction.op).is_some() {
            return self.place(Content::LongBranch(instruction), span);
        }
        self.place(Content::Instruction(instruction), span)
    }

    /// One instruction where the value is known here and fits, else two.
    fn load_immediate(&self, rd: i64, value: Expression<'a>) -> Result<Vec<Instruction<'a>>, Diagnostic> {
        let span = value.span;
        let fixed = Operand::Fixed;
        let number = |number: i64| Operand::Computed(Expression::number(number, span));
        let known = match self.symbols.evaluate(&value, self.site()) {
            Ok(known) => known.number,
            Err(Diagnostic { problem: Problem::UnknownSymbol { .. } | Problem::UnknownLocal { .. }, .. }) => {
                let (high, low) = (value.clone().half(Half::High), value.half(Half::Low));
                let lui = Instruction::with(Op::Lui, [fixed(rd), Operand::Computed(high)]);
                return Ok(vec![lui, Instruction::with(Op::Addi, [fixed(rd), fixed(rd), Operand::Computed(low)])]);
            }
            Err(diagnostic) => return Err(diagnostic),
        };
        let (high, low) = split_word(known).map_err(|problem| problem.at(span))?;
        let mut instructions = Vec::new();
        if high != 0 {
            instructions.push(Instruction::with(Op::Lui, [fixed(rd), number(high)]));
        }
        if low != 0 || high == 0 {
            let source = if high == 0 { 0 } else { rd };
            instructions.push(Instruction::with(Op::Addi, [fixed(rd), fixed(source), number(low)]));
        }
        Ok(instructions)
    }

    fn directive(&mut self, directive: Directive<'a>, span: Span) -> Result<(), Diagnostic> {
        match directive {
            Directive::Section(space) => self.section(space),
            Directive::Visibility { symbols, global } => {
                for (name, span) in symbols {
                    if !global {
                        self.choices.private.insert((self.scope, name.to_owned()));
                    }
                    self.remark(name, span).global = Some(global);
                }
            }
            Directive::Type { symbol: (name, span), kind } => self.remark(name, span).kind = Some(kind),
            Directive::Size { symbol: (name, span), bytes } => {
                let site = self.site();
                self.remark(name, span).size = Some((bytes, site));
            }
            Directive::Data { width, values } => {
                return self.place(Content::Numbers { width, times: 1, values }, span);
            }
            Directive::Text(bytes) => return self.place(Content::Bytes(bytes), span),
            Directive::Fill { count, value, width } => return self.fill(&count, value, width.as_ref(), span),
            Directive::Align { bytes, power, fill, most } => {
                return self.align(&bytes, power, fill, most.as_ref(), span);
            }
            Directive::Lanes(lanes) => return self.lanes(lanes, span),
            Directive::Push(space) => {
                self.sections.push((self.space, self.previous));
                self.section(space.unwrap_or(self.space));
            }
            Directive::Pop => {
                let kept = self.sections.pop();
                let unopened = Problem::Unopened { name: ".popsection", opening: ".pushsection" };
                (self.space, self.previous) = kept.ok_or_else(|| unopened.at(span))?;
            }
            Directive::Previous => self.section(self.previous),
            Directive::Relax(relax) => self.relax = relax,
            Directive::KeepOptions { push: true } => self.options.push(self.relax),
            Directive::KeepOptions { push: false } => {
                let unopened = Problem::Unopened { name: ".option pop", opening: ".option push" };
                self.relax = self.options.pop().ok_or_else(|| unopened.at(span))?;
            }
            Directive::Org(address) => return self.org(&address, span),
            Directive::Nothing => {}
        }
        Ok(())
    }

    fn section(&mut self, space: Space) {
        self.previous = std::mem::replace(&mut self.space, space);
    }

    fn remark(&mut self, name: &'a str, span: Span) -> &mut Remarks<'a> {
        let remarks = self.remarks.entry(self.symbols.key(name, self.scope)).or_default();
        remarks.spans.push(span);
        remarks
    }

    /// A value that decides where things are, and must therefore be known already.
    pub(crate) fn known(
        &self,
        expression: &Expression<'a>,
        what: &str,
        first: i64,
        last: i64,
    ) -> Result<i64, Diagnostic> {
        let value = self.symbols.evaluate(expression, self.site()).map_err(|diagnostic| match diagnostic.problem {
            Problem::UnknownSymbol { name, .. } => Diagnostic { problem: Problem::NotYetKnown(name), ..diagnostic },
            _ => diagnostic,
        })?;
        if (first..=last).contains(&value.number) {
            return Ok(value.number);
        }
        let problem = Problem::OutOfRange { what: what.to_owned(), value: value.number, first, last, step: 1 };
        Err(problem.at(expression.span))
    }

    fn fill(
        &mut self,
        count: &Expression<'a>,
        value: Option<Expression<'a>>,
        width: Option<&Expression<'a>>,
        span: Span,
    ) -> Result<(), Diagnostic> {
        let width = match width {
            Some(width) => self.known(width, "the width", 1, 8)? as u8,
            None => 1,
        };
        let what = if width == 1 { "the number of bytes" } else { "the number of values" };
        let count = self.known(count, what, 0, i64::from(u32::MAX))? as u32;
        match value {
            Some(value) => self.place(Content::Fill { count, width, value }, span),
            None => self.zeros(u64::from(count) * u64::from(width), span),
        }
    }

    /// So many zeros; more than any memory holds become too many.
    fn zeros(&mut self, count: u64, span: Span) -> Result<(), Diagnostic> {
        self.place(Content::Zeros(u32::try_from(count).unwrap_or(u32::MAX)), span)
    }

    fn align(
        &mut self,
        bytes: &Expression<'a>,
        power: bool,
        fill: Option<Expression<'a>>,
        most: Option<&Expression<'a>>,
        span: Span,
    ) -> Result<(), Diagnostic> {
        let given = if power {
            1 << self.known(bytes, "the alignment's power of two", 0, 20)?
        } else {
            self.known(bytes, "the alignment", 1, MOST_ALIGNMENT)?
        };
        let alignment = u32::try_from(given).ok().filter(|alignment| alignment.is_power_of_two());
        let alignment = alignment.ok_or_else(|| Problem::Alignment(given).at(bytes.span))?;
        let offset = self.site().place.offset;
        let gap = offset.next_multiple_of(alignment) - offset;
        if let Some(most) = most
            && i64::from(gap) > self.known(most, "the most bytes", 0, i64::from(u32::MAX))?
        {
            return Ok(());
        }
        if let Some(value) = fill {
            return self.place(Content::Fill { count: gap, width: 1, value }, span);
        }
        // Execution may run through a gap between instructions.
        if self.space == Space::Instruction && gap.is_multiple_of(4) && gap > 0 {
            let nop = i64::from(Inst::decode(0x13).map_or(0x13, Inst::encode));
            let value = Expression::number(nop, span);
            return self.place(Content::Fill { count: gap / 4, width: 4, value }, span);
        }
        self.place(Content::Zeros(gap), span)
    }

    fn lanes(&mut self, lanes: Lanes<'a>, span: Span) -> Result<(), Diagnostic> {
        let offset = self.site().place.offset;
        let (times, values) = match lanes {
            Lanes::Halfwords(values) => return self.place(Content::Numbers { width: 2, times: 1, values }, span),
            _ if !offset.is_multiple_of(VECTOR_BYTES) => return Err(Problem::NoVector(offset).at(span)),
            Lanes::Rows(values) => (LANES as u8, values),
            Lanes::Each(values) => (1, values),
            Lanes::Columns { rows, values } => {
                let rows = self.known(&rows, "the number of rows", 1, i64::from(u32::MAX))? as usize;
                (1, data::transpose(rows, values).map_err(|problem| problem.at(span))?)
            }
            Lanes::Seed(number) => {
                let number = self.known(&number, "the seed", 0, i64::MAX)?;
                return self.place(Content::Bytes(data::seed(number as u64)), span);
            }
        };
        self.place(Content::Numbers { width: 2, times, values }, span)
    }

    fn org(&mut self, address: &Expression<'a>, span: Span) -> Result<(), Diagnostic> {
        let to = self.known(address, "the address", 0, i64::from(u32::MAX))?;
        let Place { space, offset: from } = self.site().place;
        // In lane-local memory addresses count a lane's bytes, and the section has 32 of each.
        let scale = if space == Space::LaneLocal { LANES as i64 } else { 1 };
        let offset = to * scale;
        if offset < i64::from(from) {
            return Err(Problem::OrgBack { from, to }.at(span));
        }
        let gap = u32::try_from(offset - i64::from(from)).unwrap_or(u32::MAX);
        self.place(Content::Zeros(gap), span)
    }
}

/// Which numbers fit into so many bytes, written signed or unsigned.
pub(crate) fn data_range(width: u8) -> (i64, i64) {
    if width >= 8 {
        return (i64::MIN, i64::MAX);
    }
    let bits = 8 * u32::from(width);
    (-(1 << (bits - 1)), (1 << bits) - 1)
}

/// What an operand's number is called in messages.
pub(crate) fn operand_name(kind: OperandKind, name: &str) -> String {
    match kind {
        OperandKind::Branch | OperandKind::Jump => "the distance to the target".to_owned(),
        _ => format!("`{name}`"),
    }
}
