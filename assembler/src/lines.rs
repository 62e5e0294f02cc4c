//! Lines of sources: found fast, and for the program's debug information.
//!
//! Contract: [`Lines`] finds line starts once per source and then places in the time of a search. [`debug`] says for
//! every word of code which line a person wrote for it: where a macro was called, rather than its expansion.

use std::ops::Range;
use std::sync::Arc;

use fenn_isa::image;
use fenn_isa::memory::Space;

use crate::listing::Line;
use crate::source::{Position, Source, root};

/// The longest name of a source that debug information can hold.
const LONGEST_NAME: usize = 4096;

/// Line and column of places in sources.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    sources: &'a [Source],
    /// First bytes of the lines, found when first asked for.
    starts: Vec<Option<Vec<u32>>>,
    /// The place that was asked for last.
    counted: Option<Counted>,
}

/// How many characters are between the beginning of a line and a place in it.
#[derive(Debug, Clone, Copy)]
struct Counted {
    source: u32,
    offset: u32,
    characters: usize,
}

impl<'a> Lines<'a> {
    /// Of these sources.
    pub(crate) fn new(sources: &'a [Source]) -> Self {
        Self { sources, starts: sources.iter().map(|_| None).collect(), counted: None }
    }

    /// Index of the line that byte `offset` of a source is in, and the line's first byte.
    fn line(&mut self, source: u32, offset: u32) -> (usize, u32) {
        let Some((text, starts)) = self.sources.get(source as usize).zip(self.starts.get_mut(source as usize)) else {
            return (0, 0);
        };
        let starts = starts.get_or_insert_with(|| {
            let behind = text.text.bytes().zip(1u32..).filter(|(byte, _)| *byte == b'\n').map(|(_, behind)| behind);
            std::iter::once(0).chain(behind).collect()
        });
        let line = starts.partition_point(|start| *start <= offset).saturating_sub(1);
        (line, starts[line])
    }

    /// The bytes of the line that byte `offset` of a source is in, without what ends it.
    pub(crate) fn around(&mut self, source: u32, offset: u32) -> Range<usize> {
        let (line, start) = self.line(source, offset);
        let text = self.sources.get(source as usize).map_or("", |source| &source.text);
        let starts = self.starts.get(source as usize).and_then(Option::as_ref);
        let next = starts.and_then(|starts| starts.get(line + 1)).map_or(text.len(), |next| *next as usize);
        let whole = text.get(start as usize..next).unwrap_or_default();
        start as usize..start as usize + whole.trim_end_matches(['\n', '\r']).len()
    }

    /// Line and column, in characters, of byte `offset` of a source.
    pub(crate) fn position(&mut self, source: u32, offset: u32) -> Position {
        let (line, start) = self.line(source, offset);
        // Many places of one long line are asked for in their order; each counts on from the one before.
        let known = self.counted.filter(|known| known.source == source && (start..=offset).contains(&known.offset));
        let (from, before) = known.map_or((start, 0), |known| (known.offset, known.characters));
        let text = self.sources.get(source as usize).and_then(|source| source.text.get(from as usize..offset as usize));
        let characters = before + text.map_or(0, |text| text.chars().count());
        self.counted = text.map(|_| Counted { source, offset, characters });
        Position { line: line + 1, column: characters + 1 }
    }
}

/// The lines that the words of code came from, for the image.
///
/// Sources that debug information cannot name (an empty name, one with a zero byte, one longer than 4096 bytes) have
/// none.
pub(crate) fn debug(lines: &[Line], sources: &[Source]) -> Vec<image::Line> {
    let nameable = |name: &str| !name.is_empty() && !name.contains('\0') && name.len() <= LONGEST_NAME;
    let names: Vec<Option<Arc<str>>> =
        sources.iter().map(|source| nameable(&source.name).then(|| source.name.as_str().into())).collect();
    let mut places = Lines::new(sources);
    let mut found: Vec<image::Line> = Vec::new();
    for line in lines.iter().filter(|line| line.space == Space::Instruction && line.address.is_multiple_of(4)) {
        let span = root(line.span, sources);
        let name = names.get(span.source as usize).and_then(Option::as_ref);
        let (Some(file), false) = (name, line.bytes.is_empty() && line.zeros == 0) else { continue };
        let (index, start) = places.line(span.source, span.start);
        let number = |value: u32| value.saturating_add(1);
        let (row, column) = (number(u32::try_from(index).unwrap_or(u32::MAX)), number(span.start - start));
        // A statement that became several words is one line.
        let same =
            |before: &image::Line| (before.line, before.column) == (row, column) && Arc::ptr_eq(&before.file, file);
        if !found.last().is_some_and(same) {
            found.push(image::Line { address: line.address, file: Arc::clone(file), line: row, column });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::position;

    #[test]
    fn places_in_any_order_are_those_counted_afresh() {
        let sources = [Source::new("a", "é;é\n\nlong é line\nx"), Source::new("b", "éé")];
        let mut lines = Lines::new(&sources);
        for (source, offset) in [(0, 2), (0, 3), (0, 5), (0, 7), (0, 12), (1, 4), (1, 2), (0, 14), (0, 9), (0, 0)] {
            let text = &sources[source as usize].text;
            assert_eq!(lines.position(source, offset), position(text, offset), "{source} {offset}");
        }
        assert_eq!((lines.around(0, 5), lines.around(0, 6), lines.around(1, 4)), (0..5, 6..6, 0..4));
    }
}
