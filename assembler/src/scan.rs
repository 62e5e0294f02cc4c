//! Statements that are not read: where they end, and which word they begin with.
//!
//! Contract: a statement ends where the lexer would end it: at a new line or `;` outside strings, characters and
//! comments. What is inside need not be tokens; macro bodies hold `\name`, and text left out by a condition anything.

use crate::lexer::name_length;

/// A statement that was passed over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a> {
    /// The first name that is no label; empty where there is none.
    pub(crate) word: &'a str,
    /// Where that is, or else where the statement began.
    pub(crate) start: usize,
    /// Behind the statement's end.
    pub(crate) next: usize,
}

/// The statement at byte `at` of `text`.
pub(crate) fn statement(text: &str, at: usize) -> Raw<'_> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied();
    let (mut word, mut start, mut looking) = ("", at, true);
    let mut next = at;
    while let Some(b) = byte(next) {
        match b {
            b'\n' | b';' => return Raw { word, start, next: next + 1 },
            b'#' => next = line_end(bytes, next),
            b'/' if byte(next + 1) == Some(b'/') => next = line_end(bytes, next),
            b'/' if byte(next + 1) == Some(b'*') => {
                next = text[next + 2..].find("*/").map_or(bytes.len(), |end| next + 2 + end + 2);
            }
            b'"' => (next, looking) = (string_end(bytes, next), false),
            b'\'' => (next, looking) = (character_end(text, next), false),
            b' ' | b'\t' | b'\r' => next += 1,
            _ if looking => {
                let digits = bytes[next..].iter().take_while(|b| b.is_ascii_digit()).count();
                let length = name_length(&text[next..]).max(digits);
                let blanks = bytes[next + length..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
                if length > 0 && byte(next + length + blanks) == Some(b':') {
                    next += length + blanks + 1;
                } else {
                    (word, start, looking) = (&text[next..next + name_length(&text[next..])], next, false);
                    next += length.max(1);
                }
            }
            _ => next += 1,
        }
    }
    Raw { word, start, next: bytes.len() }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |length| at + length)
}

/// Behind the string that begins at `at`; strings end with their line.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    at += 1;
    while let Some(b) = bytes.get(at) {
        match b {
            b'"' => return at + 1,
            b'\n' => return at,
            b'\\' if bytes.get(at + 1).is_some_and(|b| *b != b'\n') => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Behind the character that begins at `at`, or only behind its mark where it is none.
fn character_end(text: &str, at: usize) -> usize {
    let rest = &text[at + 1..];
    let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
    let mut characters = line.char_indices();
    let escaped = match characters.next() {
        Some((_, '\\')) => characters.next().is_some(),
        Some((_, '\'')) | None => return at + 1,
        Some(_) => false,
    };
    // An escape may be longer than one character; none is longer than four.
    let most = if escaped { 3 } else { 1 };
    let closing = characters.take(most).find(|(_, c)| *c == '\'');
    closing.map_or(at + 1, |(index, _)| at + 1 + index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_the_lexer_ends_them() {
        for (text, word, next) in [
            (".endm", ".endm", 5),
            ("a: 1: .endr # x\nb", ".endr", 16),
            ("nop ; nop", "nop", 5),
            (".ascii \"a;\\\";\\n\" ; x", ".ascii", 18),
            ("li a0, ';' ; x", "li", 12),
            ("li a0, '\\n' ; x", "li", 13),
            ("/* ; \n */ .if x\ny", ".if", 16),
            ("\\label: nop\nx", "", 12),
            ("don't ; x", "don", 7),
        ] {
            let raw = statement(text, 0);
            assert_eq!((raw.word, raw.next), (word, next), "{text}");
        }
    }
}
