//! Source texts and places in them.
//!
//! Contract: a [`Span`] is a range of bytes of one source, both ends on character boundaries. It stays valid for as
//! long as the table of sources it was made for. That table begins with the sources that were given; behind them are
//! those that the assembly came upon: included files, and the texts that macros were expanded to. Each of these knows
//! where it came from, so every place leads back to a line that somebody wrote ([`root`]), and to how it was reached
//! ([`trace`]).

/// A text to be assembled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How messages call it, usually the file's path.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a source came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// It was given.
    #[default]
    Given,
    /// A file that the statement at this place included.
    Included(Span),
    /// The text that a macro, or a repetition with arguments, was expanded to.
    Expansion {
        /// What was expanded, such as ``macro `copy` ``.
        what: String,
        /// The statement that was replaced.
        call: Span,
    },
}

impl Source {
    /// A source of that name, as it is given to the assembler.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), origin: Origin::Given }
    }

    /// The statement that this source stands for.
    fn parent(&self) -> Option<Span> {
        match &self.origin {
            Origin::Given => None,
            Origin::Included(at) | Origin::Expansion { call: at, .. } => Some(*at),
        }
    }
}

/// A range of bytes of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Index of the source.
    pub source: u32,
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    /// From the start of this span to the end of `last`, which is of the same source.
    pub fn to(self, last: Self) -> Self {
        Self { end: last.end.max(self.end), ..self }
    }

    /// The empty span behind this one.
    pub fn after(self) -> Self {
        Self { start: self.end, ..self }
    }

    /// The text it covers; empty where it belongs to other sources.
    pub fn text(self, sources: &[Source]) -> &str {
        let source = sources.get(self.source as usize);
        source.and_then(|source| source.text.get(self.start as usize..self.end as usize)).unwrap_or_default()
    }
}

/// One step on the way from a place to the line that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What led there: ``in the expansion of macro `copy` `` or `included`.
    pub what: String,
    /// The statement that did.
    pub at: Span,
}

/// How the place `span` was reached: expansions and inclusions, the innermost first.
///
/// Sources come after those that led to them, so this ends.
pub fn trace(span: Span, sources: &[Source]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut source = span.source;
    while let Some(Source { origin, .. }) = sources.get(source as usize) {
        let (what, at) = match origin {
            Origin::Included(at) => ("included".to_owned(), *at),
            Origin::Expansion { what, call } => (format!("in the expansion of {what}"), *call),
            Origin::Given => break,
        };
        steps.push(Step { what, at });
        if at.source >= source {
            break;
        }
        source = at.source;
    }
    steps
}

/// The place in a file, given or included, that `span` comes from: where a macro was called, rather than its expansion.
pub fn root(mut span: Span, sources: &[Source]) -> Span {
    while let Some(Source { origin: Origin::Expansion { call, .. }, .. }) = sources.get(span.source as usize) {
        if call.source >= span.source {
            break;
        }
        span = *call;
    }
    span
}

/// The statement of one of the first `given` sources that `span` comes from.
pub(crate) fn given(mut span: Span, sources: &[Source], given: usize) -> Span {
    while span.source as usize >= given
        && let Some(parent) = sources.get(span.source as usize).and_then(Source::parent)
        && parent.source < span.source
    {
        span = parent;
    }
    span
}

/// A place as people count: from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Line and column of byte `offset` of `text`.
pub fn position(text: &str, offset: u32) -> Position {
    let before = text.get(..offset as usize).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}
