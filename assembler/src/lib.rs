//! FeNN assembly text to program image, and back.
//!
//! Contract: [`assemble`] reads sources and gives an image, or everything that is wrong with them, each with its place;
//! it never stops at the first. Instructions come from the one table in `fenn-isa`: nothing here knows any of them.
//! [`disassemble`] writes text that assembles to the same bytes.
//!
//! The language is that of GNU as for RISC-V as far as it applies: labels (`name:`, `1:` with `1b` and `1f`), comments
//! (`#`, `//`, `/* */`), `;` between statements, directives, pseudo-instructions ([`pseudo`]) and
//! C's expressions. Differences: a number is never the target of a branch (`. + 8` is), numbers do not
//! begin with a needless 0, comparisons give 1, and each memory has its section: `.text`, `.data` (also `.rodata` and
//! `.bss`), `.vector`, `.lane`, `.dram`, each starting at address 0 of its memory. `.lane` is laid out in rows of 64
//! bytes, a halfword for each lane, and a label there is the byte address within each lane.
//!
//! Invariant: data flows from text to tokens to statements to places to bytes, and no step looks back.
//!
//! Not here: printing and files, which belong to the binary; macros, includes and debug information.

#![forbid(unsafe_code)]

use fenn_isa::image::{Image, Symbol, SymbolKind};
use fenn_isa::memory::{LANES, MachineConfig, Space};

pub mod diagnostic;
mod directive;
mod disassemble;
mod emit;
mod expression;
pub mod files;
mod instruction;
mod layout;
mod lexer;
mod lines;
pub mod lint;
pub mod listing;
pub mod output;
mod parser;
pub mod pseudo;
pub mod source;
mod symbol;

pub use diagnostic::{Diagnostic, Problem};
pub use disassemble::{disassemble, disassemble_with_source, disassembly_json};
pub use source::{Source, Span};

use layout::Layout;
use listing::Line;
use symbol::{Place, Symbols};

/// What an assembly needs to know besides the sources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// The machine the program is for.
    pub config: MachineConfig,
    /// The label where execution begins; by default `_start` where there is one in `.text`, else address 0.
    pub entry: Option<String>,
    /// The label, in `.data`, of the word that the program sets when it is done.
    pub ready_flag: Option<String>,
}

/// All that comes of an assembly.
#[derive(Debug)]
pub struct Assembly {
    /// The program, where nothing was wrong.
    pub image: Option<Image>,
    /// What was wrong, in the order of the sources.
    pub diagnostics: Vec<Diagnostic>,
    /// What each statement became, for listings.
    pub lines: Vec<Line>,
    /// The addresses of code that have a label of any kind.
    pub labels: Vec<u32>,
}

/// Assembles the sources, one after the other, into one program.
///
/// There is an image exactly if there are no diagnostics.
pub fn assemble(sources: &[Source], options: &Options) -> (Option<Image>, Vec<Diagnostic>) {
    let Assembly { image, diagnostics, .. } = assemble_with_lines(sources, options);
    (image, diagnostics)
}

/// As [`assemble`], and what each statement became.
pub fn assemble_with_lines(sources: &[Source], options: &Options) -> Assembly {
    let mut diagnostics = Vec::new();
    if let Err(error) = options.config.check() {
        diagnostics.push(Problem::from(error).anywhere());
        return Assembly { image: None, diagnostics, lines: Vec::new(), labels: Vec::new() };
    }
    let mut layout = Layout::new(options.config);
    for (index, source) in (0u32..).zip(sources) {
        if u32::try_from(source.text.len()).is_err() {
            diagnostics.push(Problem::SourceTooLong.at(Span { source: index, start: 0, end: 0 }));
            continue;
        }
        let tokens = lexer::lex(index, &source.text, &mut diagnostics);
        let statements = parser::parse(&tokens, &mut diagnostics);
        layout.add(statements, &mut diagnostics);
    }
    layout.finish(&mut diagnostics);
    let (segments, lines) = emit::emit(&layout.items, &layout.symbols, &mut diagnostics);
    let mut image = Image { config: options.config, segments, ..Image::default() };
    image.symbols = symbols(&layout, &mut diagnostics);
    match option_symbol("entry point", &options.entry, Space::Instruction, &layout.symbols) {
        Ok(entry) => image.entry = entry.or_else(|| default_entry(&layout.symbols)).unwrap_or(0),
        Err(diagnostic) => diagnostics.push(diagnostic),
    }
    match option_symbol("ready flag", &options.ready_flag, Space::Scalar, &layout.symbols) {
        Ok(flag) => image.ready_flag = flag,
        Err(diagnostic) => diagnostics.push(diagnostic),
    }
    if diagnostics.is_empty() {
        image.lines = lines::debug(&lines, sources);
        diagnostics.extend(image.check().err().map(|error| Problem::from(error).anywhere()));
    }
    let places = layout.symbols.places().filter(|place| place.space == Space::Instruction);
    let labels = places.map(|place| place.offset).collect();
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    // One wrong symbol's value can be wanted in many places; its message says nothing new the second time.
    diagnostics.dedup();
    suggest(&layout.symbols, &mut diagnostics);
    Assembly { image: diagnostics.is_empty().then_some(image), diagnostics, lines, labels }
}

/// Assembles one text for the default machine.
///
/// # Errors
/// The diagnostics as text.
pub fn assemble_text(name: &str, text: &str) -> Result<Image, String> {
    let sources = [Source::new(name, text)];
    let (image, diagnostics) = assemble(&sources, &Options::default());
    image.ok_or_else(|| diagnostic::render(&diagnostics, &sources, false))
}

fn default_entry(symbols: &Symbols<'_>) -> Option<u32> {
    symbols.label("_start").filter(|place| place.space == Space::Instruction).map(|place| place.offset)
}

fn option_symbol(
    option: &'static str,
    name: &Option<String>,
    wanted: Space,
    symbols: &Symbols<'_>,
) -> Result<Option<u32>, Diagnostic> {
    let Some(name) = name else { return Ok(None) };
    match symbols.label(name) {
        Some(Place { space, offset }) if space == wanted => Ok(Some(offset)),
        Some(_) => Err(Problem::OptionSymbolSpace { option, name: name.clone(), wanted }.anywhere()),
        None => {
            let similar = symbols.similar(name);
            Err(Problem::UnknownOptionSymbol { option, name: name.clone(), similar }.anywhere())
        }
    }
}

/// Says which symbol may have been meant, where one is not defined.
fn suggest(symbols: &Symbols<'_>, diagnostics: &mut [Diagnostic]) {
    /// Each suggestion looks at every symbol; nobody reads more of them at a time.
    const MOST: usize = 100;
    let unknown = diagnostics.iter_mut().filter_map(|diagnostic| match &mut diagnostic.problem {
        Problem::UnknownSymbol { name, similar } => Some((name, similar)),
        _ => None,
    });
    for (name, similar) in unknown.take(MOST) {
        *similar = symbols.similar(name);
    }
}

/// The labels as the image's symbols. Names that begin with `.L` are for the source only.
fn symbols(layout: &Layout<'_>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    for (name, place) in layout.symbols.labels().filter(|(name, _)| !name.starts_with(".L")) {
        let remarks = layout.remarks.get(name);
        let global = remarks.and_then(|remarks| remarks.global).unwrap_or(false);
        let usual = match place.space {
            Space::Instruction if global => SymbolKind::Function,
            Space::Instruction => SymbolKind::Label,
            Space::Scalar | Space::Vector | Space::LaneLocal | Space::Dram => SymbolKind::Object,
        };
        let kind = remarks.and_then(|remarks| remarks.kind).unwrap_or(usual);
        let size = remarks.and_then(|remarks| remarks.size.as_ref()).map_or(Ok(0), |(bytes, site)| {
            let number = layout.symbols.evaluate(bytes, *site)?.number;
            // A difference of labels counts the bytes of one lane; the image counts those of all.
            let scale = if place.space == Space::LaneLocal { LANES as i64 } else { 1 };
            let number = number.saturating_mul(scale);
            let last = i64::from(u32::MAX);
            let what = "the size".to_owned();
            u32::try_from(number)
                .map_err(|_| Problem::OutOfRange { what, value: number, first: 0, last, step: 1 }.at(bytes.span))
        });
        let size = size.unwrap_or_else(|diagnostic| {
            diagnostics.push(diagnostic);
            0
        });
        symbols.push(Symbol { name: name.to_owned(), space: place.space, address: place.offset, size, kind, global });
    }
    symbols.sort_by(|a, b| (a.space, a.address, &a.name).cmp(&(b.space, b.address, &b.name)));
    symbols
}
