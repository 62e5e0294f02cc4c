//! The listing: each line of source with what became of it.
//!
//! Contract: a line of the listing is the number of the source line, the memory and the address where its contents
//! begin, up to 8 bytes of them, and the source line. Instructions are written as words, data as bytes in
//! the order of memory; contents that need more lines continue without source. Addresses in `.lane` count all lanes'
//! bytes, as in the image. Runs of zeros are written `00 × count`.

use fenn_isa::image::{Image, SymbolKind};
use fenn_isa::memory::Space;

use crate::source::{Origin, Source, Span, position};

/// Bytes in one line.
const PER_LINE: usize = 8;
/// Characters these take.
const WIDTH: usize = 3 * PER_LINE - 1;

/// Contents that came of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The statement.
    pub span: Span,
    /// In which memory.
    pub space: Space,
    /// The first byte's place in the image.
    pub address: u32,
    /// The contents.
    pub bytes: Vec<u8>,
    /// Zeros behind them.
    pub zeros: u32,
    /// Whether it is an instruction.
    pub code: bool,
}

impl Line {
    fn pieces(&self) -> Vec<(u32, String)> {
        let mut pieces = Vec::new();
        if self.code {
            let word = self.bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect();
            pieces.push((self.address, word));
        } else {
            for (index, chunk) in self.bytes.chunks(PER_LINE).enumerate() {
                let bytes: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
                pieces.push((self.address + (index * PER_LINE) as u32, bytes.join(" ")));
            }
        }
        if self.zeros > 0 {
            pieces.push((self.address + self.bytes.len() as u32, format!("00 × {}", self.zeros)));
        }
        pieces
    }
}

/// The listing of all sources, and the image's symbols.
pub fn listing(sources: &[Source], lines: &[Line], image: &Image) -> String {
    let mut text = String::new();
    let mut lines = lines.iter().peekable();
    let written = |source: &Source| !matches!(source.origin, Origin::Expansion { .. });
    for (index, source) in sources.iter().enumerate().filter(|(_, source)| written(source)) {
        text += &format!("{}\n", source.name);
        let mut start = 0;
        for (number, line) in source.text.split_inclusive('\n').enumerate() {
            start += line.len();
            let mut pieces = Vec::new();
            while let Some(item) =
                lines.next_if(|item| item.span.source as usize == index && (item.span.start as usize) < start)
            {
                pieces.extend(item.pieces().into_iter().map(|(address, bytes)| (item.space, address, bytes)));
            }
            let mut written = format!("{:5}", number + 1);
            let mut pieces = pieces.into_iter();
            match pieces.next() {
                Some(piece) => written += &cell(piece),
                None => written += &" ".repeat(1 + 7 + 1 + 8 + 2 + WIDTH),
            }
            text += format!("{written}  {}", line.trim_end()).trim_end();
            text.push('\n');
            for piece in pieces {
                text += format!("     {}", cell(piece)).trim_end();
                text.push('\n');
            }
        }
    }
    text + &symbols(image)
}

fn cell((space, address, bytes): (Space, u32, String)) -> String {
    format!(" {:<7} {address:08x}  {bytes:<WIDTH$}", space.spec().section)
}

fn symbols(image: &Image) -> String {
    if image.symbols.is_empty() {
        return String::new();
    }
    let mut text = "symbols\n".to_owned();
    for symbol in &image.symbols {
        let kind = match symbol.kind {
            SymbolKind::Function => "function",
            SymbolKind::Object => "object",
            SymbolKind::Label => "label",
        };
        let visibility = if symbol.global { "global" } else { "local" };
        let section = symbol.space.spec().section;
        let size = if symbol.size > 0 { format!(" {} bytes", symbol.size) } else { String::new() };
        text += &format!("      {section:<7} {:08x}  {} ({visibility} {kind}{size})\n", symbol.address, symbol.name);
    }
    text
}

/// The line of source that an address of the image came from, for debuggers and profiles.
pub fn source_line(lines: &[Line], sources: &[Source], space: Space, address: u32) -> Option<(String, usize)> {
    let line = lines.iter().find(|line| {
        let size = line.bytes.len() as u32 + line.zeros;
        line.space == space && address >= line.address && address - line.address < size
    })?;
    let source = sources.get(line.span.source as usize)?;
    Some((source.name.clone(), position(&source.text, line.span.start).line))
}
