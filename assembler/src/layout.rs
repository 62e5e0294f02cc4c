//! Where everything lies: statements to items with places, and symbols with values.
//!
//! Contract: each memory is one section that grows from address 0 in the order of the sources; `.text`, `.data` and the
//! others only say which. An item's size is known when it is reached, so a label's place is final when it is defined.
//! Contents beyond the memory's size are reported once and left out.
//!
//! Not here: what the contents are (see [`crate::emit`]).

use std::collections::BTreeMap;

use fenn_isa::image::SymbolKind;
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::operand::OperandKind;
use fenn_isa::{Inst, Op};

use crate::diagnostic::{Diagnostic, Problem};
use crate::directive::Directive;
use crate::expression::{Expression, ExpressionKind, Half, split_word};
use crate::instruction::{Code, Instruction, Operand};
use crate::parser::{Statement, StatementKind};
use crate::source::Span;
use crate::symbol::{Place, Site, Symbols, unknown};

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
    Numbers {
        width: u8,
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
            Self::Numbers { width, values } => u64::from(*width) * values.len() as u64,
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

/// The result of laying out all sources.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    pub(crate) symbols: Symbols<'a>,
    pub(crate) items: Vec<Item<'a>>,
    pub(crate) remarks: BTreeMap<&'a str, Remarks<'a>>,
    config: MachineConfig,
    lengths: [u32; Space::ALL.len()],
    full: [bool; Space::ALL.len()],
    space: Space,
    order: u32,
}

impl<'a> Layout<'a> {
    pub(crate) fn new(config: MachineConfig) -> Self {
        Self {
            symbols: Symbols::default(),
            items: Vec::new(),
            remarks: BTreeMap::new(),
            config,
            lengths: [0; 5],
            full: [false; 5],
            space: Space::Instruction,
            order: 0,
        }
    }

    /// Adds one source, which begins in `.text`.
    pub(crate) fn add(&mut self, statements: Vec<Statement<'a>>, diagnostics: &mut Vec<Diagnostic>) {
        self.space = Space::Instruction;
        for Statement { kind, span } in statements {
            self.order += 1;
            diagnostics.extend(self.statement(kind, span).err());
        }
    }

    /// Reports what was said of symbols that do not exist.
    pub(crate) fn finish(&self, diagnostics: &mut Vec<Diagnostic>) {
        for (name, remarks) in &self.remarks {
            if !self.symbols.is_defined(name) {
                diagnostics.extend(remarks.spans.iter().map(|span| unknown(name, *span)));
            }
        }
    }

    fn site(&self) -> Site {
        Site { order: self.order, place: Place { space: self.space, offset: self.lengths[self.space as usize] } }
    }

    fn statement(&mut self, kind: StatementKind<'a>, span: Span) -> Result<(), Diagnostic> {
        let site = self.site();
        match kind {
            StatementKind::Label(name) => self.symbols.define_label(name, site, span),
            StatementKind::Local(number) => {
                self.symbols.define_local(number, site);
                Ok(())
            }
            StatementKind::Assign { name, value } => self.symbols.define_value(name, value, site, span),
            StatementKind::Directive(directive) => self.directive(directive, span),
            StatementKind::Code(code) => self.code(code, span),
            StatementKind::Broken if self.space == Space::Instruction => self.place(Content::Zeros(4), span),
            StatementKind::Broken => Ok(()),
        }
    }

    /// Puts contents at the end of the current section.
    fn place(&mut self, content: Content<'a>, span: Span) -> Result<(), Diagnostic> {
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
        let instructions = match code {
            Code::Words(instructions) => instructions,
            Code::LoadImmediate { rd, value } => self.load_immediate(rd, value)?,
        };
        for instruction in instructions {
            self.note_pcrel(&instruction);
            self.place(Content::Instruction(instruction), span)?;
        }
        if misaligned { Err(Problem::MisalignedInstruction(offset).at(span)) } else { Ok(()) }
    }

    fn note_pcrel(&mut self, instruction: &Instruction<'a>) {
        let site = self.site();
        for operand in &instruction.operands {
            if let Operand::Computed(Expression { kind: ExpressionKind::Half(Half::PcrelHigh, target), .. }) = operand {
                self.symbols.note_pcrel((**target).clone(), site);
            }
        }
    }

    /// One instruction where the value is known here and fits, else two.
    fn load_immediate(&self, rd: Operand<'a>, value: Expression<'a>) -> Result<Vec<Instruction<'a>>, Diagnostic> {
        let zero = Operand::Fixed(0);
        let span = value.span;
        let number = |number: i64| Operand::Computed(Expression::number(number, span));
        let known = match self.symbols.evaluate(&value, self.site()) {
            Ok(known) => known.number,
            Err(Diagnostic { problem: Problem::UnknownSymbol { .. } | Problem::UnknownLocal { .. }, .. }) => {
                let (high, low) = (value.clone().half(Half::High), value.half(Half::Low));
                let add = vec![rd.clone(), rd.clone(), Operand::Computed(low)];
                let lui = Instruction { op: Op::Lui, operands: vec![rd, Operand::Computed(high)] };
                return Ok(vec![lui, Instruction { op: Op::Addi, operands: add }]);
            }
            Err(diagnostic) => return Err(diagnostic),
        };
        let (high, low) = split_word(known).map_err(|problem| problem.at(span))?;
        let mut instructions = Vec::new();
        if high != 0 {
            instructions.push(Instruction { op: Op::Lui, operands: vec![rd.clone(), number(high)] });
        }
        if low != 0 || high == 0 {
            let source = if high == 0 { zero } else { rd.clone() };
            instructions.push(Instruction { op: Op::Addi, operands: vec![rd, source, number(low)] });
        }
        Ok(instructions)
    }

    fn directive(&mut self, directive: Directive<'a>, span: Span) -> Result<(), Diagnostic> {
        match directive {
            Directive::Section(space) => self.space = space,
            Directive::Visibility { symbols, global } => {
                for (name, span) in symbols {
                    self.remark(name, span).global = Some(global);
                }
            }
            Directive::Type { symbol: (name, span), kind } => self.remark(name, span).kind = Some(kind),
            Directive::Size { symbol: (name, span), bytes } => {
                let site = self.site();
                self.remark(name, span).size = Some((bytes, site));
            }
            Directive::Data { width, values } => return self.place(Content::Numbers { width, values }, span),
            Directive::Text(bytes) => return self.place(Content::Bytes(bytes), span),
            Directive::Fill { count, value, width } => {
                let count = self.known(&count, "the number of bytes", 0, i64::from(u32::MAX))? as u32;
                let content = match value {
                    Some(value) => Content::Fill { count, width, value },
                    None => Content::Zeros(count),
                };
                return self.place(content, span);
            }
            Directive::Align { bytes, power } => return self.align(&bytes, power, span),
            Directive::Org(address) => return self.org(&address, span),
            Directive::Nothing => {}
        }
        Ok(())
    }

    fn remark(&mut self, name: &'a str, span: Span) -> &mut Remarks<'a> {
        let remarks = self.remarks.entry(name).or_default();
        remarks.spans.push(span);
        remarks
    }

    /// A value that decides where things are, and must therefore be known already.
    fn known(&self, expression: &Expression<'a>, what: &str, first: i64, last: i64) -> Result<i64, Diagnostic> {
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

    fn align(&mut self, bytes: &Expression<'a>, power: bool, span: Span) -> Result<(), Diagnostic> {
        let given = if power {
            1 << self.known(bytes, "the alignment's power of two", 0, 20)?
        } else {
            self.known(bytes, "the alignment", 1, MOST_ALIGNMENT)?
        };
        let alignment = u32::try_from(given).ok().filter(|alignment| alignment.is_power_of_two());
        let alignment = alignment.ok_or_else(|| Problem::Alignment(given).at(bytes.span))?;
        let offset = self.site().place.offset;
        let gap = offset.next_multiple_of(alignment) - offset;
        // Execution may run through a gap between instructions.
        if self.space == Space::Instruction && gap.is_multiple_of(4) && gap > 0 {
            let nop = i64::from(Inst::decode(0x13).map_or(0x13, Inst::encode));
            let value = Expression::number(nop, span);
            return self.place(Content::Fill { count: gap / 4, width: 4, value }, span);
        }
        self.place(Content::Zeros(gap), span)
    }

    fn org(&mut self, address: &Expression<'a>, span: Span) -> Result<(), Diagnostic> {
        let to = self.known(address, "the address", 0, i64::from(u32::MAX))?;
        let Place { space, offset: from } = self.site().place;
        // In lane-local memory addresses count a lane's bytes, and the section has 32 of each.
        let scale = if space == Space::LaneLocal { fenn_isa::memory::LANES as i64 } else { 1 };
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
