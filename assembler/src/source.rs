//! Source texts and places in them.
//!
//! Contract: a [`Span`] is a range of bytes of one source, both ends on character boundaries. It stays valid for as
//! long as the slice of sources it was made for.

/// A text to be assembled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How messages call it, usually the file's path.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// A source of that name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
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
