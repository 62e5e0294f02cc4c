//! Items to bytes, once every symbol is known.
//!
//! Contract: items come in the order of their places, so each section's bytes follow from them alone. Long runs of
//! zeros become segments of their own, which cost nothing in a file. Every operand that does not fit is reported.

use fenn_isa::csr;
use fenn_isa::image::Segment;
use fenn_isa::memory::Space;
use fenn_isa::operand::OperandKind;

use crate::diagnostic::{Diagnostic, Problem, similar};
use crate::expression::Expression;
use crate::instruction::{Instruction, Operand};
use crate::layout::{Content, Item, data_range, operand_name};
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

/// The segments, and what each line of source became.
pub(crate) fn emit(
    items: &[Item<'_>],
    symbols: &Symbols<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Vec<Segment>, Vec<Line>) {
    let mut sections = Space::ALL.map(Section::new);
    let mut lines = Vec::new();
    for item in items {
        let Item { content, site, span } = item;
        let section = &mut sections[site.place.space as usize];
        let mut line = Line {
            span: *span,
            space: site.place.space,
            address: site.place.offset,
            bytes: Vec::new(),
            zeros: 0,
            code: false,
        };
        match content {
            Content::Instruction(instruction) => {
                line.code = true;
                line.bytes = word(instruction, symbols, item, diagnostics).to_le_bytes().to_vec();
            }
            Content::Numbers { width, values } => {
                for value in values {
                    // As in GNU as, `.` is the address of the number itself, not that of the list.
                    let mut site = *site;
                    site.place.offset += line.bytes.len() as u32;
                    line.bytes.extend(number(value, *width, symbols, site, diagnostics));
                }
            }
            Content::Bytes(bytes) => line.bytes.clone_from(bytes),
            Content::Zeros(count) => line.zeros = *count,
            Content::Fill { count, width, value } => {
                let one = number(value, *width, symbols, *site, diagnostics);
                if one.iter().all(|byte| *byte == 0) {
                    line.zeros = *count * u32::from(*width);
                } else {
                    line.bytes = one.repeat(*count as usize);
                }
            }
        }
        section.bytes.extend(&line.bytes);
        if line.zeros > 0 {
            section.zeros(line.zeros);
        }
        lines.push(line);
    }
    let segments = sections.into_iter().flat_map(|mut section| {
        section.close();
        section.done
    });
    (segments.collect(), lines)
}

/// A number's bytes, the lowest first.
fn number<'a>(
    value: &Expression<'a>,
    width: u8,
    symbols: &Symbols<'a>,
    site: Site,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<u8> {
    let (first, last) = data_range(width);
    let number = match symbols.evaluate(value, site) {
        Ok(value) => value.number,
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            0
        }
    };
    if !(first..=last).contains(&number) {
        let what = "the number".to_owned();
        diagnostics.push(Problem::OutOfRange { what, value: number, first, last, step: 1 }.at(value.span));
    }
    number.to_le_bytes()[..usize::from(width)].to_vec()
}

/// An instruction's word; where an operand is wrong, that is reported and the word is some other.
fn word<'a>(
    instruction: &Instruction<'a>,
    symbols: &Symbols<'a>,
    item: &Item<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> u32 {
    let spec = instruction.op.spec();
    let mut values = Vec::new();
    for (operand, spec) in instruction.operands.iter().zip(spec.operands()) {
        values.push(match value(operand, spec.kind, symbols, item.site) {
            Ok(value) => value,
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                0
            }
        });
    }
    spec.assemble(&values).unwrap_or_else(|index| {
        let (Some(spec), Some(value)) = (spec.operands().nth(index), values.get(index)) else { return 0 };
        let range = spec.kind.range();
        let problem = Problem::OutOfRange {
            what: operand_name(spec.kind, spec.name),
            value: *value,
            first: *range.start(),
            last: *range.end(),
            step: 1 << spec.kind.zero_bits(),
        };
        let span = match instruction.operands.get(index) {
            Some(Operand::Computed(expression)) => expression.span,
            _ => item.span,
        };
        diagnostics.push(problem.at(span));
        0
    })
}

fn value<'a>(operand: &Operand<'a>, kind: OperandKind, symbols: &Symbols<'a>, site: Site) -> Result<i64, Diagnostic> {
    let expression = match operand {
        Operand::Fixed(value) => return Ok(*value),
        Operand::Computed(expression) => expression,
    };
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
