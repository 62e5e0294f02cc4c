//! Program image to text.
//!
//! Contract: the text assembles to the same bytes. Words that are no instruction, and those that have bits set which the
//! machine ignores, are written as `.word` with a comment. Gaps between contents become zeros. Symbols are labels
//! where the language allows it, else comments: names the lexer would not take, registers' names, places inside an
//! instruction or a row of lane-local memory, and places behind the contents. Where a branch or jump goes without there
//! being a symbol, there is a label of the text's own, `.L_` and the address, which does not become a symbol again.
//! Lines of source, where they are wanted and the image knows them, are comments before the words they became.
//!
//! Not here: what else an image holds; entry point and ready flag are comments.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fenn_isa::Inst;
use fenn_isa::image::{self, Image, Segment, Symbol, SymbolKind};
use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};
use fenn_isa::operand::OperandKind;

use crate::expression::is_register;
use crate::lexer::is_name;
use crate::source::Source;

mod json;

pub use json::disassembly_json;

/// Runs of zeros at least this long are written as `.space`.
const LONG_RUN: usize = 64;

/// The image's contents and symbols as text that assembles to the same bytes.
pub fn disassemble(image: &Image) -> String {
    write(image, None)
}

/// As [`disassemble`], with the lines of source as comments; of a source that is not among `sources` (by the name that
/// the image has for it), the line's number alone.
pub fn disassemble_with_source(image: &Image, sources: &[Source]) -> String {
    write(image, Some(&Origins::new(image, sources)))
}

fn write(image: &Image, origins: Option<&Origins<'_>>) -> String {
    let mut text = format!("# entry point {:#x}\n", image.entry);
    if let Some(flag) = image.ready_flag {
        text += &format!("# ready flag {flag:#x} of scalar memory\n");
    }
    let mut seen = BTreeSet::new();
    for space in Space::ALL {
        let segments: Vec<&Segment> = image.segments.iter().filter(|segment| segment.space == space).collect();
        let end = segments.last().map_or(0, |segment| segment.address.saturating_add(segment.size));
        let mut section = Section {
            space,
            text: String::new(),
            labels: BTreeMap::new(),
            targets: BTreeMap::new(),
            at: 0,
            origins: origins.filter(|_| space == Space::Instruction),
        };
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
        if space == Space::Instruction {
            section.targets = own_labels(image);
            section.targets.retain(|address, _| *address <= end && !section.labels.contains_key(address));
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

/// Where lines of code came from, with the lines themselves.
struct Origins<'a> {
    lines: HashMap<u32, &'a image::Line>,
    texts: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Origins<'a> {
    fn new(image: &'a Image, sources: &'a [Source]) -> Self {
        let lines = image.lines.iter().map(|line| (line.address, line)).collect();
        let texts = sources.iter().map(|source| (source.name.as_str(), source.text.lines().collect())).collect();
        Self { lines, texts }
    }

    /// The line that the word at `address` begins, and its text where that is known.
    fn at(&self, address: u32) -> Option<(&'a image::Line, Option<&'a str>)> {
        let line = *self.lines.get(&address)?;
        let number = (line.line as usize).checked_sub(1)?;
        Some((line, self.texts.get(&*line.file).and_then(|lines| lines.get(number).copied())))
    }
}

/// Names for the places in the code that branches and jumps go to.
fn own_labels(image: &Image) -> BTreeMap<u32, String> {
    let names: BTreeSet<&str> = image.symbols.iter().map(|symbol| symbol.name.as_str()).collect();
    let mut labels = BTreeMap::new();
    for segment in image.segments.iter().filter(|segment| segment.space == Space::Instruction) {
        let (words, _) = segment.bytes.as_chunks::<4>();
        for (word, address) in words.iter().zip((segment.address..).step_by(4)) {
            let word = u32::from_le_bytes(*word);
            let plain = Inst::decode(word).filter(|inst| inst.encode() == word);
            let target = plain.and_then(|inst| target(inst, address)).filter(|target| target.is_multiple_of(4));
            labels.extend(target.map(|target| (target, format!(".L_{target:04x}"))));
        }
    }
    labels.retain(|_, name| !names.contains(name.as_str()));
    labels
}

/// Where an instruction at `address` goes, if it is a branch or a jump to a constant distance.
fn target(inst: Inst, address: u32) -> Option<u32> {
    let spec = inst.op().spec();
    let operand = spec.operands().find(|operand| matches!(operand.kind, OperandKind::Branch | OperandKind::Jump))?;
    let distance = operand.kind.from_bits(operand.field.extract(inst.encode()));
    u32::try_from(i64::from(address) + distance).ok()
}

/// A text without what would end a comment or disturb a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The instruction's text, with a label for the place it goes to.
fn text_with_label(inst: Inst, label: Option<&str>) -> String {
    let text = inst.to_string();
    // The offset is the last operand in the text, as its syntax has it.
    match (label, text.rsplit_once(' ')) {
        (Some(label), Some((before, _))) => format!("{before} {label}"),
        _ => text,
    }
}

struct Section<'a> {
    space: Space,
    text: String,
    /// Those still to be written are at `at` or behind.
    labels: BTreeMap<u32, Vec<&'a Symbol>>,
    /// Labels that are no symbols, where there are none that are.
    targets: BTreeMap<u32, String>,
    at: u32,
    origins: Option<&'a Origins<'a>>,
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
        if let Some(name) = self.targets.get(&self.at) {
            self.text += &format!("{name}:\n");
        }
    }

    /// The line of source of the current address.
    fn origin(&mut self) {
        if let Some((line, text)) = self.origins.and_then(|origins| origins.at(self.at)) {
            let comment = format!("{}:{}: {}", line.file, line.line, text.unwrap_or_default());
            self.text += &format!("# {}\n", printable(comment.trim_end().trim_end_matches(':')));
        }
    }

    /// Bytes from the current address to the next label's, at most `most`.
    fn until_label(&self, most: usize) -> usize {
        let label = self.labels.range(self.at + 1..).next().map(|(address, _)| *address);
        let target = self.targets.range(self.at + 1..).next().map(|(address, _)| *address);
        label.into_iter().chain(target).min().map_or(most, |address| most.min((address - self.at) as usize))
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
            self.origin();
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
        let label = target(inst, self.at).and_then(|target| {
            let symbol = self.labels.get(&target).and_then(|symbols| symbols.first()).map(|symbol| &symbol.name);
            symbol.or_else(|| self.targets.get(&target))
        });
        text_with_label(inst, label.map(String::as_str))
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
