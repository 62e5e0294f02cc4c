//! FeNN assembly text to program image, and back.
//!
//! Contract: [`assemble`] reads sources and gives an image, or everything that is wrong with them, each with its place;
//! it never stops at the first. Instructions come from the one table in `fenn-isa`: nothing here knows any of them.
//! [`disassemble`] writes text that assembles to the same bytes.
//!
//! The language is that of GNU as for RISC-V as far as it applies: labels (`name:`, `1:` with `1b` and `1f`), comments
//! (`#`, `//`, `/* */`), `;` between statements, directives, pseudo-instructions ([`pseudo`]) and
//! C's expressions; conditions, repetitions, macros and included files; several sources in one namespace, but for names
//! declared `.local`; conditional branches that are too far away become two instructions. Differences: a number is never the target of a branch (`. + 8` is), numbers do not
//! begin with a needless 0, comparisons give 1, and each memory has its section: `.text`, `.data` (also `.rodata` and
//! `.bss`), `.vector`, `.lane`, `.dram`, each starting at address 0 of its memory. `.lane` is laid out in rows of 64
//! bytes, a halfword for each lane, and a label there is the byte address within each lane.
//!
//! FeNN's own data are fixed-point numbers (`.fixed s5.10, -0.5`, and `fx(-0.5, 10)` in expressions), vectors (`.vec`),
//! tables for the lanes (`.table`, `.columns`) and seeds (`.seed`).
//!
//! Invariant: data flows from text to tokens to statements to places to bytes, and no step looks back; where a branch
//! turns out to be too far away, all is done once more.
//!
//! Not here: printing, which belongs to the binary.

#![forbid(unsafe_code)]

use fenn_isa::image::{Image, Symbol, SymbolKind};
use fenn_isa::memory::{LANES, MachineConfig, Space};

mod data;
pub mod diagnostic;
mod directive;
mod disassemble;
mod emit;
mod expand;
mod expression;
pub mod files;
mod instruction;
mod layout;
mod lexer;
mod lines;
pub mod lint;
pub mod listing;
mod macros;
pub mod output;
mod parser;
pub mod pseudo;
mod scan;
pub mod source;
mod symbol;

pub use diagnostic::{Diagnostic, Problem};
pub use disassemble::{disassemble, disassemble_with_source, disassembly_json};
pub use files::{Disk, Files, NoFiles};
pub use source::{Source, Span};

use emit::Emitted;
use expand::{Expander, MOST_DIAGNOSTICS};
use layout::{Choices, Layout};
use listing::Line;
use symbol::{Place, Symbols};
use typed_arena::Arena;

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
    /// The sources that were given, and behind them those that the assembly came upon: included files, and the texts
    /// that macros became. All spans here belong to these.
    pub sources: Vec<Source>,
}

/// Assembles the sources, one after the other, into one program.
///
/// There is an image exactly if there are no diagnostics. These are about the given sources: what is wrong inside a
/// macro is said where it is called. [`assemble_with_lines`] says it where it is.
pub fn assemble(sources: &[Source], options: &Options) -> (Option<Image>, Vec<Diagnostic>) {
    let Assembly { image, mut diagnostics, sources: all, .. } = assemble_with_lines(sources, options);
    for diagnostic in &mut diagnostics {
        diagnostic.span = diagnostic.span.map(|span| source::given(span, &all, sources.len()));
        if let Problem::Duplicate { first, .. } | Problem::DuplicateMacro { first, .. } | Problem::AfterElse { first } =
            &mut diagnostic.problem
        {
            *first = source::given(*first, &all, sources.len());
        }
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    diagnostics.dedup();
    (image, diagnostics)
}

/// As [`assemble`], and what each statement became.
pub fn assemble_with_lines(sources: &[Source], options: &Options) -> Assembly {
    assemble_with_files(sources, options, &NoFiles)
}

/// How often the sources are laid out before branches are made long that need not be.
const EXACT_ATTEMPTS: u32 = 8;
/// How often they are laid out at all.
const MOST_ATTEMPTS: u32 = 20;
/// How far a branch reaches.
const REACH: i64 = 4096;

/// As [`assemble_with_lines`], with the files that `.include` and `.incbin` name.
///
/// The sources are laid out until all is known that must be known before: which branches are long, and which names are
/// their source's own. Each attempt makes more branches long, never fewer, so the result is the shortest of that form.
/// Where each attempt finds one more, branches that are nearly too far are taken with them from some point on.
pub fn assemble_with_files(sources: &[Source], options: &Options, files: &dyn Files) -> Assembly {
    if let Err(error) = options.config.check() {
        let diagnostics = vec![Problem::from(error).anywhere()];
        let sources = sources.to_vec();
        return Assembly { image: None, diagnostics, lines: Vec::new(), labels: Vec::new(), sources };
    }
    let mut choices = Choices::default();
    for attempt in 0..MOST_ATTEMPTS {
        let reach = REACH >> attempt.saturating_sub(EXACT_ATTEMPTS).min(10);
        match attempt_assembly(sources, options, files, &choices, reach) {
            Ok(assembly) => return assembly,
            Err(wanted) => choices = wanted,
        }
    }
    let diagnostics = vec![Problem::Unsettled.anywhere()];
    Assembly { image: None, diagnostics, lines: Vec::new(), labels: Vec::new(), sources: sources.to_vec() }
}

/// One attempt; the better choices where `choices` were not good.
fn attempt_assembly(
    sources: &[Source],
    options: &Options,
    files: &dyn Files,
    choices: &Choices,
    reach: i64,
) -> Result<Assembly, Choices> {
    let arena = Arena::new();
    let mut assembly = {
        let mut diagnostics = Vec::new();
        let layout = Layout::new(options.config, choices.clone());
        let mut expander = Expander::new(sources, &arena, files, layout, &mut diagnostics);
        expander.run();
        let (layout, stopped) = (expander.layout, expander.stopped);
        layout.finish(&mut diagnostics);
        let emitted = emit::emit(&layout, reach, &mut diagnostics);
        let mut wanted = layout.choices.clone();
        wanted.long.extend(&emitted.far);
        if !stopped && wanted != *choices {
            return Err(wanted);
        }
        finish(&layout, options, emitted, diagnostics)
    };
    assembly.sources = sources.iter().cloned().chain(arena.into_vec()).collect();
    if let Some(image) = &mut assembly.image {
        image.lines = lines::debug(&assembly.lines, &assembly.sources);
        let wrong = image.check().err();
        assembly.diagnostics.extend(wrong.map(|error| Problem::from(error).anywhere()));
    }
    if !assembly.diagnostics.is_empty() {
        assembly.image = None;
    }
    // What is wrong inside a macro or a file stands where that is called or included.
    assembly.diagnostics.sort_by_cached_key(|diagnostic| {
        let steps = diagnostic.span.map(|span| source::trace(span, &assembly.sources)).unwrap_or_default();
        let calls = steps.into_iter().rev().map(|step| step.at);
        calls.chain(diagnostic.span).collect::<Vec<Span>>()
    });
    // Some are found only at the end, such as what is not defined or not closed, and may be as many as there are lines.
    if let Some(last) = assembly.diagnostics.get(MOST_DIAGNOSTICS) {
        let span = last.span;
        assembly.diagnostics.truncate(MOST_DIAGNOSTICS);
        assembly.diagnostics.push(Diagnostic { problem: Problem::TooMany, span });
    }
    // In a listing, what a macro became stands where it was called, and repetitions stand where their bodies are.
    for line in &mut assembly.lines {
        line.span = source::root(line.span, &assembly.sources);
    }
    assembly.lines.sort_by_key(|line| (line.span.source, line.span.start));
    Ok(assembly)
}

/// The image, if nothing is wrong, of what was laid out.
fn finish<'a>(
    layout: &Layout<'a>,
    options: &'a Options,
    emitted: Emitted,
    mut diagnostics: Vec<Diagnostic>,
) -> Assembly {
    let Emitted { segments, lines, .. } = emitted;
    let mut image = Image { config: options.config, segments, ..Image::default() };
    image.symbols = symbols(layout, &mut diagnostics);
    match option_symbol("entry point", &options.entry, Space::Instruction, &layout.symbols) {
        Ok(entry) => image.entry = entry.or_else(|| default_entry(&layout.symbols)).unwrap_or(0),
        Err(diagnostic) => diagnostics.push(diagnostic),
    }
    match option_symbol("ready flag", &options.ready_flag, Space::Scalar, &layout.symbols) {
        Ok(flag) => image.ready_flag = flag,
        Err(diagnostic) => diagnostics.push(diagnostic),
    }
    let places = layout.symbols.places().filter(|place| place.space == Space::Instruction);
    let labels = places.map(|place| place.offset).collect();
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    // One wrong symbol's value can be wanted in many places; its message says nothing new the second time.
    diagnostics.dedup();
    suggest(&layout.symbols, &mut diagnostics);
    Assembly { image: diagnostics.is_empty().then_some(image), diagnostics, lines, labels, sources: Vec::new() }
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

fn default_entry<'a>(symbols: &Symbols<'a>) -> Option<u32> {
    symbols.label("_start").filter(|place| place.space == Space::Instruction).map(|place| place.offset)
}

fn option_symbol<'a>(
    option: &'static str,
    name: &'a Option<String>,
    wanted: Space,
    symbols: &Symbols<'a>,
) -> Result<Option<u32>, Diagnostic> {
    let Some(name) = name else { return Ok(None) };
    match symbols.label(name) {
        Some(Place { space, offset }) if space == wanted => Ok(Some(offset)),
        Some(_) => Err(Problem::OptionSymbolSpace { option, name: name.clone(), wanted }.anywhere()),
        None => {
            let similar = diagnostic::similar(name, symbols.sorted());
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
    let mut names = None;
    for (name, similar) in unknown.take(MOST) {
        let names = names.get_or_insert_with(|| symbols.sorted());
        *similar = diagnostic::similar(name, names.iter().copied());
    }
}

/// The labels as the image's symbols. Names that begin with `.L` are for the source only.
fn symbols(layout: &Layout<'_>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    for (key, place) in layout.symbols.labels().filter(|((_, name), _)| !name.starts_with(".L")) {
        let (name, remarks) = (key.1, layout.remarks.get(&key));
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
