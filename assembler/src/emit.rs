//! Items to bytes, once every symbol is known.
//!
//! Contract: items come in the order of their places, so each section's bytes follow from them alone. Long runs of
//! zeros become segments of their own, which cost nothing in a file. Every operand that does not fit is reported.
//! Branches that are too far away are also given by their statements' order, for the next attempt.

use fenn_isa::code::Condition;
use fenn_isa::csr;
use fenn_isa::image::Segment;
use fenn_isa::memory::Space;
use fenn_isa::operand::OperandKind;
use fenn_isa::{Op, SPECS};

use crate::diagnostic::{Diagnostic, Problem, similar};
use crate::expression::Expression;
use crate::instruction::Instruction;
use crate::layout::{Content, Item, Layout, data_range, operand_name};
use crate::listing::Line;
use crate::symbol::{Site, Symbols};

/// Runs of zeros at least this long are not stored.
const LONG_RUN: u32 = 1024;

/// One memory's contents so far.
#[derive(Debug)]
struct Section {
    space: Space,
    done: Vec<Segment>,
    /// Where `bytes` begins; a multiple of the space's alignment.
    start: u32,
    bytes: Vec<u8>,
}

impl Section {
    fn new(space: Space) -> Self {
        Self { space, done: Vec::new(), start: 0, bytes: Vec::new() }
    }

    fn close(&mut self) {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            let segment = Segment::new(self.space, self.start, bytes);
            self.start += segment.size;
            self.done.push(segment);
        }
    }

    fn zeros(&mut self, count: u32) {
        let unit = self.space.spec().alignment;
        let end = self.start + self.bytes.len() as u32;
        let padding = end.next_multiple_of(unit) - end;
        if count < LONG_RUN + padding {
            self.bytes.resize(self.bytes.len() + count as usize, 0);
            return;
        }
        self.bytes.resize(self.bytes.len() + padding as usize, 0);
        self.close();
        let left = count - padding;
        let whole = left / unit * unit;
        self.done.push(Segment::zeros(self.space, self.start, whole));
        self.start += whole;
        self.bytes = vec![0; (left - whole) as usize];
    }
}

/// What comes of all items.
#[derive(Debug, Default)]
pub(crate) struct Emitted {
    pub(crate) segments: Vec<Segment>,
    pub(crate) lines: Vec<Line>,
    /// The statements, by their order, whose branches have to be long.
    pub(crate) far: Vec<u32>,
}

/// The contents of all memories. Branches further away than `reach` bytes count as too far.
pub(crate) fn emit(layout: &Layout<'_>, reach: i64, diagnostics: &mut Vec<Diagnostic>) -> Emitted {
    let mut sections = Space::ALL.map(Section::new);
    let mut emitter = Emitter { symbols: &layout.symbols, reach, far: Vec::new(), diagnostics };
    let mut lines = Vec::with_capacity(layout.items.len());
    for item in &layout.items {
        let Item { site, span, .. } = item;
        let section = &mut sections[site.place.space as usize];
        let mut line = Line {
            span: *span,
            space: site.place.space,
            address: site.place.offset,
            bytes: Vec::new(),
            zeros: 0,
            code: false,
        };
        emitter.item(item, &mut line);
        section.bytes.extend(&line.bytes);
        if line.zeros > 0 {
            section.zeros(line.zeros);
        }
        // The branch and the jump of a long branch are two instructions of one statement.
        if line.code && line.bytes.len() > 4 {
            let bytes = line.bytes.split_off(4);
            let jump = Line { address: line.address + 4, bytes, ..line.clone() };
            lines.extend([line, jump]);
        } else {
            lines.push(line);
        }
    }
    let far = emitter.far;
    let segments = sections.into_iter().flat_map(|mut section| {
        section.close();
        section.done
    });
    Emitted { segments: segments.collect(), lines, far }
}

struct Emitter<'l, 'a> {
    symbols: &'l Symbols<'a>,
    reach: i64,
    far: Vec<u32>,
    diagnostics: &'l mut Vec<Diagnostic>,
}

impl<'a> Emitter<'_, 'a> {
    fn item(&mut self, item: &Item<'a>, line: &mut Line) {
        let Item { content, site, .. } = item;
        match content {
            Content::Instruction(instruction) => {
                line.code = true;
                line.bytes = self.word(instruction, item).to_le_bytes().to_vec();
            }
            Content::LongBranch(branch) => {
                line.code = true;
                line.bytes = self.long_branch(branch, item);
            }
            Content::Numbers { width, times, values } => {
                for value in values {
                    // As in GNU as, `.` is the address of the number itself, not that of the list.
                    let mut site = *site;
                    site.place.offset += line.bytes.len() as u32;
                    let bytes = self.number(value, *width, site);
                    for _ in 0..*times {
                        line.bytes.extend(&bytes[..usize::from(*width)]);
                    }
                }
            }
            Content::Bytes(bytes) => line.bytes.clone_from(bytes),
            Content::Zeros(count) => line.zeros = *count,
            Content::Fill { count, width, value } => {
                let one = self.number(value, *width, *site);
                let one = &one[..usize::from(*width)];
                if one.iter().all(|byte| *byte == 0) {
                    line.zeros = *count * u32::from(*width);
                } else {
                    line.bytes = one.repeat(*count as usize);
                }
            }
        }
    }

    /// A number's bytes, the lowest first.
    fn number(&mut self, value: &Expression<'a>, width: u8, site: Site) -> [u8; 8] {
        let (first, last) = data_range(width);
        let number = match self.symbols.evaluate(value, site) {
            Ok(value) => value.number,
            Err(diagnostic) => {
                self.diagnostics.push(diagnostic);
                0
            }
        };
        if !(first..=last).contains(&number) {
            let what = "the number".to_owned();
            self.diagnostics.push(Problem::OutOfRange { what, value: number, first, last, step: 1 }.at(value.span));
        }
        number.to_le_bytes()
    }

    /// An instruction's word; where an operand is wrong, that is reported and the word is some other.
    fn word(&mut self, instruction: &Instruction<'a>, item: &Item<'a>) -> u32 {
        let Instruction { op, mut word, ref open } = *instruction;
        for (index, expression) in open {
            let Some(operand) = op.spec().operands().nth(*index) else { continue };
            let number = match value(expression, operand.kind, self.symbols, item.site) {
                Ok(number) => number,
                Err(diagnostic) => {
                    self.diagnostics.push(diagnostic);
                    continue;
                }
            };
            let branch = operand.kind == OperandKind::Branch && number % 2 == 0;
            if branch && number.unsigned_abs() > self.reach.unsigned_abs() {
                self.far.push(item.site.order);
            }
            match operand.kind.to_bits(number) {
                Some(bits) => word |= operand.field.insert(bits),
                None => {
                    if branch {
                        self.far.push(item.site.order);
                    }
                    self.diagnostics.push(outside(operand.kind, operand.name, number).at(expression.span));
                }
            }
        }
        word
    }

    /// `branch` with the opposite condition around a jump to where it goes.
    fn long_branch(&mut self, branch: &Instruction<'a>, item: &Item<'a>) -> Vec<u8> {
        let target = branch.open.first().map(|(_, expression)| {
            let number = value(expression, OperandKind::Branch, self.symbols, item.site);
            number.map(|number| (number, expression.span))
        });
        let (distance, span) = match target {
            Some(Ok(found)) => found,
            Some(Err(diagnostic)) => {
                self.diagnostics.push(diagnostic);
                (4, item.span)
            }
            None => (4, item.span),
        };
        // The jump is one instruction behind the branch.
        let kind = OperandKind::Jump;
        let bits = kind.to_bits(distance - 4).unwrap_or_else(|| {
            self.diagnostics.push(outside(kind, "offset", distance).at(span));
            0
        });
        let jump = Op::Jal.spec();
        let field = |name| jump.operands().find(|operand| operand.kind == name).map_or(0, |o| o.field.insert(bits));
        let jump = jump.layout.value | field(kind);
        let around = opposite(branch.op).map_or(0, |op| op.spec().layout.value);
        let registers = branch.word & !branch.op.spec().layout.value;
        let over = branch.op.spec().operands().find(|operand| operand.kind == OperandKind::Branch);
        let over = over.map_or(0, |operand| operand.field.insert(8));
        [(around | registers | over).to_le_bytes(), jump.to_le_bytes()].concat()
    }
}

/// The branch that is taken when this one is not.
fn opposite(branch: Op) -> Option<Op> {
    let condition = Condition::of(branch)?.opposite();
    SPECS.iter().map(|spec| spec.op).find(|op| Condition::of(*op) == Some(condition))
}

fn outside(kind: OperandKind, name: &str, value: i64) -> Problem {
    let (range, step) = (kind.range(), 1 << kind.zero_bits());
    Problem::OutOfRange { what: operand_name(kind, name), value, first: *range.start(), last: *range.end(), step }
}

fn value<'a>(
    expression: &Expression<'a>,
    kind: OperandKind,
    symbols: &Symbols<'a>,
    site: Site,
) -> Result<i64, Diagnostic> {
    let value = symbols.evaluate(expression, site).map_err(|diagnostic| match diagnostic.problem {
        Problem::UnknownSymbol { name, .. } if kind == OperandKind::Csr => {
            let similar = similar(&name, csr::CSRS.iter().map(|row| row.name));
            Diagnostic { problem: Problem::UnknownCsr { name, similar }, ..diagnostic }
        }
        _ => diagnostic,
    })?;
    if !matches!(kind, OperandKind::Branch | OperandKind::Jump) {
        return Ok(value.number);
    }
    if value.space != Some(Space::Instruction) {
        return Err(Problem::Target.at(expression.span));
    }
    value.number.checked_sub(i64::from(site.place.offset)).ok_or_else(|| Problem::Overflow.at(expression.span))
}
