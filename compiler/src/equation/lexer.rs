//! Bytes to tokens.
//!
//! Contract: every text gives tokens; they cover it in order, apart from blanks and comments, and the last one is
//! [`Token::End`]. What is no token of the language is reported and becomes [`Token::Unknown`].

use std::ops::Range;

use crate::diagnostic::Diagnostic;

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, keyword or type; the text says which.
    Name,
    /// Anything that starts like a number, well-formed or not.
    Number,
    /// An operator or bracket, as written.
    Mark(&'static str),
    /// Reported already.
    Unknown,
    /// Behind the last token.
    End,
}

/// A token and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) span: Range<usize>,
}

/// Longer marks before their prefixes.
const MARKS: [&str; 42] = [
    "<<=", ">>=", "++", "--", "+=", "-=", "*=", "/=", "%=", "@=", "&=", "|=", "^=", "==", "!=", "<=", ">=", "<<", ">>",
    "&&", "||", "->", "+", "-", "*", "/", "%", "@", "&", "|", "^", "~", "!", "<", ">", "=", "?", ":", ";", ",", ".",
    "#",
];
const BRACKETS: [&str; 6] = ["(", ")", "[", "]", "{", "}"];

/// All tokens of `text`, and what is wrong with it at this level.
pub(super) fn lex(text: &str) -> (Vec<Lexeme>, Vec<Diagnostic>) {
    let mut lexemes = Vec::new();
    let mut diagnostics = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let end = comment.find("*/").map(|found| found + 4);
            if end.is_none() {
                diagnostics.push(
                    Diagnostic::error("this comment does not end")
                        .at(at..at + 2, "it starts here")
                        .help("close it with `*/`"),
                );
            }
            at += end.unwrap_or(rest.len());
        } else {
            let (token, length) = token(rest);
            let span = at..at + length;
            if token == Token::Unknown {
                diagnostics.push(unknown(&rest[..length], span.clone()));
            }
            at = span.end;
            lexemes.push(Lexeme { token, span });
        }
    }
    lexemes.push(Lexeme { token: Token::End, span: at..at });
    (lexemes, diagnostics)
}

/// The first token of `rest`, which is not empty and starts with neither a blank nor a comment.
fn token(rest: &str) -> (Token, usize) {
    let bytes = rest.as_bytes();
    let starts_number = bytes[0].is_ascii_digit() || bytes[0] == b'.' && bytes.get(1).is_some_and(u8::is_ascii_digit);
    if starts_number {
        return (Token::Number, number_length(bytes));
    }
    if is_name_start(bytes[0]) {
        let length = bytes.iter().take_while(|&&b| is_name_start(b) || b.is_ascii_digit()).count();
        return (Token::Name, length);
    }
    if let Some(mark) = MARKS.into_iter().chain(BRACKETS).find(|mark| rest.starts_with(mark)) {
        // `#` is known only so that it can be refused by name.
        return if mark == "#" { (Token::Unknown, 1) } else { (Token::Mark(mark), mark.len()) };
    }
    let known = |c: char| c.is_ascii() && !c.is_ascii_control() && !"\"'`$\\".contains(c) || c.is_whitespace();
    (Token::Unknown, rest.find(known).unwrap_or(rest.len()))
}

/// Digits, letters and dots as far as they go, and a sign directly behind an exponent's `e`.
fn number_length(bytes: &[u8]) -> usize {
    let hexadecimal = bytes.starts_with(b"0x") || bytes.starts_with(b"0X");
    let mut length = 0;
    while let Some(&byte) = bytes.get(length) {
        let exponent_sign = matches!(byte, b'+' | b'-')
            && !hexadecimal
            && matches!(bytes[length - 1], b'e' | b'E')
            && bytes[..length - 1].iter().all(|b| b.is_ascii_digit() || *b == b'.')
            && bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
        if !(byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_' || exponent_sign) {
            break;
        }
        length += 1;
    }
    length
}

pub(super) fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn unknown(text: &str, span: Range<usize>) -> Diagnostic {
    let help = match text.chars().next() {
        Some('#') => "there is no preprocessor; fill numbers in before, or declare a parameter",
        Some('"' | '\'' | '`') => "there are no strings or characters here",
        _ => "names consist of the letters a to z, digits and `_`",
    };
    Diagnostic::error("this is not part of the equation language").at(span, "not understood").help(help)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<&str> {
        lex(text).0.into_iter().map(|lexeme| &text[lexeme.span]).filter(|word| !word.is_empty()).collect()
    }

    #[test]
    fn the_longest_token_wins() {
        assert_eq!(words("V<<=3>>a--+b"), ["V", "<<=", "3", ">>", "a", "--", "+", "b"]);
        assert_eq!(
            words("1.5e-3h15-2e+x 0x1e+1 .5h3.7"),
            ["1.5e-3h15", "-", "2e", "+", "x", "0x1e", "+", "1", ".5h3.7"]
        );
        assert_eq!(words("a//b\nc/*d*/e/**/"), ["a", "c", "e"]);
    }

    #[test]
    fn longer_marks_come_first() {
        for (index, mark) in MARKS.iter().enumerate() {
            assert!(MARKS[..index].iter().all(|earlier| !mark.starts_with(earlier)), "{mark} is hidden");
        }
    }

    #[test]
    fn what_is_no_token_is_reported_once() {
        for text in ["é€", "\"", "#define", "/* open", "$\\", "\u{0}\u{1b}"] {
            let (lexemes, diagnostics) = lex(text);
            assert_eq!(diagnostics.len(), 1, "{text:?}");
            assert_eq!(lexemes.last().unwrap().token, Token::End);
        }
    }

    proptest! {
        #[test]
        fn tokens_cover_the_text(text in "([a-z0-9. +*/=\n;é]|/\\*|\\*/|//){0,60}") {
            let (lexemes, _) = lex(&text);
            let mut at = 0;
            for lexeme in &lexemes {
                let gap = text[at..lexeme.span.start].trim_start();
                prop_assert!(gap.is_empty() || gap.starts_with("//") || gap.starts_with("/*"), "{gap:?} is lost");
                prop_assert_eq!(lexeme.span.is_empty(), lexeme.token == Token::End);
                at = lexeme.span.end;
            }
            prop_assert_eq!(at, text.len());
        }
    }
}
