//! Program image to text.
//!
//! Contract: the text assembles to the same bytes. Words that are no instruction, and those that have bits set which the
//! machine ignores, are written as `.word` with a comment. Gaps between contents become zeros. Symbols are labels
//! where the language allows it, else comments: names the lexer would not take, registers' names, places inside an
//! instruction or a row of lane-local memory, and places behind the contents.
//!
//! Not here: what an image holds besides bytes and symbols; entry point and ready flag are comments.

use std::collections::{BTreeMap, BTreeSet};

use fenn_isa::Inst;
use fenn_isa::image::{Image, Segment, Symbol, SymbolKind};
use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};
use fenn_isa::operand::OperandKind;

use crate::expression::is_register;
use crate::lexer::is_name;

/// Runs of zeros at least this long are written as `.space`.
const LONG_RUN: usize = 64;

/// The image's contents and symbols as text that assembles to the same bytes.
pub fn disassemble(image: &Image) -> String {
    let mut text = format!("# entry point {:#x}\n", image.entry);
    if let Some(flag) = image.ready_flag {
        text += &format!("# ready flag {flag:#x} of scalar memory\n");
    }
    let mut seen = BTreeSet::new();
    for space in Space::ALL {
        let segments: Vec<&Segment> = image.segments.iter().filter(|segment| segment.space == space).collect();
        let end = segments.last().map_or(0, |segment| segment.address.saturating_add(segment.size));
        let mut section = Section { space, text: String::new(), labels: BTreeMap::new(), at: 0 };
        for symbol in image.symbols.iter().filter(|symbol| symbol.space == space) {
            let unit = match space {
                Space::Instruction => 4,
                Space::LaneLocal => VECTOR_BYTES,
                Space::Scalar | Space::Vector | Space::Dram => 1,
            };
            let placed = symbol.address <= end && symbol.address.is_multiple_of(unit);
            let named = is_name(&symbol.name) && !is_register(&symbol.name);
            if placed && named && seen.insert(symbol.name.as_str()) {
                section.labels.entry(symbol.address).or_default().push(symbol);
            } else {
                section.text += &format!("# {:?} is {:#x} of {space}\n", symbol.name, symbol.address);
            }
        }
        for segment in &segments {
            section.zeros(segment.address.saturating_sub(section.at));
            section.contents(&segment.bytes);
            section.zeros(segment.size.saturating_sub(segment.bytes.len() as u32));
        }
        section.here();
        if !section.text.is_empty() {
            text += &format!("\n        {}\n{}", space.spec().section, section.text);
        }
    }
    text
}

struct Section<'a> {
    space: Space,
    text: String,
    /// Those still to be written are at `at` or behind.
    labels: BTreeMap<u32, Vec<&'a Symbol>>,
    at: u32,
}

impl Section<'_> {
    fn line(&mut self, line: &str) {
        self.text += &format!("        {line}\n");
    }

    /// The labels of the current address.
    fn here(&mut self) {
        let symbols = self.labels.get(&self.at).cloned().unwrap_or_default();
        for symbol in symbols {
            let Symbol { name, space: _, address: _, size, kind, global } = symbol;
            if *global {
                self.line(&format!(".globl {name}"));
            }
            self.line(&format!(
                ".type {name}, @{}",
                match kind {
                    SymbolKind::Function => "function",
                    SymbolKind::Object => "object",
                    SymbolKind::Label => "notype",
                }
            ));
            let lanes = if self.space == Space::LaneLocal { LANES as u32 } else { 1 };
            if *size > 0 && size.is_multiple_of(lanes) {
                self.line(&format!(".size {name}, {}", size / lanes));
            } else if *size > 0 {
                self.text += &format!("# {name} has {size} bytes\n");
            }
            self.text += &format!("{name}:\n");
        }
    }

    /// Bytes from the current address to the next label's, at most `most`.
    fn until_label(&self, most: usize) -> usize {
        let next = self.labels.range(self.at + 1..).next();
        next.map_or(most, |(address, _)| most.min((address - self.at) as usize))
    }

    fn zeros(&mut self, mut count: u32) {
        while count > 0 {
            self.here();
            let run = self.until_label(count as usize) as u32;
            self.line(&format!(".space {run}"));
            self.at += run;
            count -= run;
        }
    }

    fn contents(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.here();
            let (run, rest) = bytes.split_at(self.until_label(bytes.len()));
            if self.space == Space::Instruction {
                self.code(run)
            } else {
                self.data(run)
            }
            bytes = rest;
        }
    }

    fn code(&mut self, bytes: &[u8]) {
        // A segment of another tool can end inside a word; what comes then is not at a word's place.
        let (words, rest) = if self.at.is_multiple_of(4) { bytes.as_chunks::<4>() } else { (&[][..], bytes) };
        for word in words {
            let word = u32::from_le_bytes(*word);
            let text = self.instruction(word);
            self.line(&format!("{text:<40}# {:04x}: {word:08x}", self.at));
            self.at += 4;
        }
        self.numbers(".byte", rest, 1);
    }

    fn instruction(&self, word: u32) -> String {
        let Some(inst) = Inst::decode(word) else { return format!(".word {word:#010x} # no instruction") };
        if inst.encode() != word {
            return format!(".word {word:#010x} # {inst}, with ignored bits set");
        }
        let text = inst.to_string();
        let spec = inst.op().spec();
        let offset = spec.operands().find(|operand| matches!(operand.kind, OperandKind::Branch | OperandKind::Jump));
        let label = offset.and_then(|operand| {
            let distance = operand.kind.from_bits(operand.field.extract(word));
            let target = u32::try_from(i64::from(self.at) + distance).ok()?;
            self.labels.get(&target)?.first()
        });
        // The offset is the last operand in the text, as its syntax has it.
        match (label, text.rsplit_once(' ')) {
            (Some(label), Some((before, _))) => format!("{before} {}", label.name),
            _ => text,
        }
    }

    fn data(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            if zeros >= LONG_RUN {
                self.line(&format!(".space {zeros}"));
                self.at += zeros as u32;
                bytes = &bytes[zeros..];
                continue;
            }
            // Up to the next long run of zeros, or all.
            let next = bytes.windows(LONG_RUN).position(|window| window.iter().all(|byte| *byte == 0));
            let (run, rest) = bytes.split_at(next.filter(|length| *length > 0).unwrap_or(bytes.len()));
            let (directive, width) = if self.space == Space::Scalar { (".word", 4) } else { (".half", 2) };
            let (whole, odd) = run.split_at(run.len() / width * width);
            self.numbers(directive, whole, width);
            self.numbers(".byte", odd, 1);
            bytes = rest;
        }
    }

    /// Numbers of `width` bytes, of which `bytes` is a multiple.
    fn numbers(&mut self, directive: &str, bytes: &[u8], width: usize) {
        for line in bytes.chunks(width * if width == 2 { 16 } else { 8 }) {
            let numbers: Vec<String> = line
                .chunks(width)
                .map(|number| {
                    let value = number.iter().rev().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
                    if width == 2 { i64::from(value as u16 as i16).to_string() } else { format!("{value:#x}") }
                })
                .collect();
            self.line(&format!("{directive} {}", numbers.join(", ")));
            self.at += line.len() as u32;
        }
    }
}
