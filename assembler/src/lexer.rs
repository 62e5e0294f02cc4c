//! Bytes to tokens, each with its span.
//!
//! Contract: every byte belongs to a token, to blanks or to a comment, and every token has its span. The lexer never
//! fails: what begins no token becomes a diagnostic and is left out. Each source ends with [`TokenKind::End`].
//!
//! Not here: what names mean; `%hi` is an operator and a name.

use crate::diagnostic::{Diagnostic, Problem};
use crate::source::Span;

/// A piece of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind<'a>,
    pub(crate) span: Span,
}

/// What kind of piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenKind<'a> {
    /// A mnemonic, directive, symbol or register; `.` alone too.
    Name(&'a str),
    /// A number, or a character's number.
    Number(i64),
    /// A numeric label: `1f` the next, `1b` the last.
    Local { number: u32, forward: bool },
    /// A string's bytes.
    Text(Vec<u8>),
    /// An operator or other mark.
    Mark(&'static str),
    /// The end of a statement: a new line, `;`, or the end of the source.
    End,
}

/// Longer marks first, so that `<<` is not two `<`.
const MARKS: [&str; 30] = [
    "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "<", ">", "=", "!", "&", "|", "^", "~", "+", "-", "*", "/", "%",
    "(", ")", ",", ":", "?", "@", "[", "]", "\\",
];

/// The tokens of source number `source`.
pub(crate) fn lex<'a>(source: u32, text: &'a str, diagnostics: &mut Vec<Diagnostic>) -> Vec<Token<'a>> {
    let mut lexer = Lexer { source, text, at: 0, diagnostics };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let start = lexer.at;
        if start >= text.len() {
            tokens.push(Token { kind: TokenKind::End, span: lexer.span(start) });
            return tokens;
        }
        if let Some(kind) = lexer.token() {
            tokens.push(Token { kind, span: lexer.span(start) });
        }
    }
}

struct Lexer<'a, 'd> {
    source: u32,
    text: &'a str,
    at: usize,
    diagnostics: &'d mut Vec<Diagnostic>,
}

fn begins_name(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '_' | '.' | '$')
}

fn continues_name(c: char) -> bool {
    begins_name(c) || c.is_ascii_digit()
}

/// Whether the lexer takes `text` for one name.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(begins_name) && text.chars().all(continues_name) && text != "."
}

impl<'a> Lexer<'a, '_> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn span(&self, start: usize) -> Span {
        Span { source: self.source, start: start as u32, end: self.at as u32 }
    }

    fn report(&mut self, problem: Problem, start: usize) {
        let diagnostic = problem.at(self.span(start));
        self.diagnostics.push(diagnostic);
    }

    /// Takes as many characters as `wanted` holds for.
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Blanks and comments; a new line is a token.
    fn skip_blanks(&mut self) {
        loop {
            self.take(|c| c.is_whitespace() && c != '\n');
            let rest = self.rest();
            if rest.starts_with('#') || rest.starts_with("//") {
                self.take(|c| c != '\n');
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let start = self.at;
                match comment.find("*/") {
                    Some(end) => self.at += 2 + end + 2,
                    None => {
                        self.at += 2;
                        self.report(Problem::OpenComment, start);
                        self.at = self.text.len();
                    }
                }
            } else {
                return;
            }
        }
    }

    /// The next token; at least one character of the text is taken.
    fn token(&mut self) -> Option<TokenKind<'a>> {
        let start = self.at;
        let rest = self.rest();
        let first = rest.chars().next()?;
        if first == '\n' || first == ';' {
            self.at += 1;
            return Some(TokenKind::End);
        }
        if begins_name(first) {
            return Some(TokenKind::Name(self.take(continues_name)));
        }
        if first.is_ascii_digit() {
            return self.number();
        }
        if first == '"' {
            return self.string().map(TokenKind::Text);
        }
        if first == '\'' {
            return self.character();
        }
        if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            self.at += mark.len();
            return Some(TokenKind::Mark(mark));
        }
        self.at += first.len_utf8();
        self.report(Problem::Character(first), start);
        None
    }

    fn number(&mut self) -> Option<TokenKind<'a>> {
        let start = self.at;
        let text = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
        let decimal = text.trim_end_matches(['b', 'f']);
        if decimal.len() + 1 == text.len()
            && decimal.bytes().all(|b| b.is_ascii_digit())
            && let Ok(number) = decimal.parse()
        {
            return Some(TokenKind::Local { number, forward: text.ends_with('f') });
        }
        match parse_number(text) {
            Ok(number) => Some(TokenKind::Number(number)),
            Err(why) => {
                self.report(Problem::Number(why), start);
                // Something stands here; a second message about it would say nothing new.
                Some(TokenKind::Number(0))
            }
        }
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        let start = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let Some(c) = self.rest().chars().next().filter(|c| *c != '\n') else {
                self.report(Problem::OpenText, start);
                return Some(bytes);
            };
            match c {
                '"' => {
                    self.at += 1;
                    return Some(bytes);
                }
                '\\' => bytes.extend(self.escape()),
                c => {
                    self.at += c.len_utf8();
                    bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
                }
            }
        }
    }

    fn character(&mut self) -> Option<TokenKind<'a>> {
        let start = self.at;
        self.at += 1;
        let number = match self.rest().chars().next().filter(|c| !matches!(c, '\n' | '\'')) {
            Some('\\') => self.escape().map(i64::from),
            Some(c) => {
                self.at += c.len_utf8();
                Some(i64::from(u32::from(c)))
            }
            None => None,
        };
        if self.rest().starts_with('\'') {
            self.at += 1;
        } else {
            // Up to the closing mark, if the line has one: what is between is no part of the program.
            let line = self.rest().split('\n').next().unwrap_or_default();
            self.at += line.find('\'').map_or(0, |end| end + 1);
            self.report(Problem::BadCharacter, start);
        }
        Some(TokenKind::Number(number.unwrap_or(0)))
    }

    /// The byte that an escape sequence means, from its backslash on.
    fn escape(&mut self) -> Option<u8> {
        let start = self.at;
        self.at += 1;
        let c = self.rest().chars().next().filter(|c| *c != '\n');
        self.at += c.map_or(0, char::len_utf8);
        let byte = match c {
            Some('n') => Some(b'\n'),
            Some('t') => Some(b'\t'),
            Some('r') => Some(b'\r'),
            Some('0') => Some(0),
            Some(c @ ('\\' | '"' | '\'')) => Some(c as u8),
            Some('x') => {
                let digits = self.rest().get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
                self.at += digits.map_or(0, str::len);
                digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())
            }
            _ => None,
        };
        if byte.is_none() {
            let written = self.text[start + 1..self.at].to_owned();
            self.report(Problem::Escape(written), start);
        }
        byte
    }
}

fn parse_number(text: &str) -> Result<i64, &'static str> {
    let (radix, digits) = match text.get(..2) {
        Some("0x" | "0X") => (16, &text[2..]),
        Some("0b" | "0B") => (2, &text[2..]),
        Some("0o" | "0O") => (8, &text[2..]),
        _ => (10, text),
    };
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    if radix == 10 && digits.len() > 1 && digits.starts_with('0') {
        return Err("write 0o17 for octal digits, or leave the leading zero out");
    }
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err("a digit does not belong to its base");
    }
    i64::from_str_radix(&digits, radix).map_err(|_| "it has more than 63 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> (Vec<TokenKind<'_>>, Vec<Problem>) {
        let mut diagnostics = Vec::new();
        let tokens = lex(0, text, &mut diagnostics);
        (tokens.into_iter().map(|token| token.kind).collect(), diagnostics.into_iter().map(|d| d.problem).collect())
    }

    #[test]
    fn each_kind_of_token_is_known() {
        use TokenKind::{End, Local, Mark, Name, Number, Text};
        let (tokens, problems) =
            kinds("a: vadd_s v0,.+0x1F /* c\n */ 1f 2b 0b1_0 'a' '\\n' \"x\\x41\\\"\" << # no\n// no\n;");
        assert_eq!(problems, []);
        let wanted = vec![
            Name("a"),
            Mark(":"),
            Name("vadd_s"),
            Name("v0"),
            Mark(","),
            Name("."),
            Mark("+"),
            Number(31),
            Local { number: 1, forward: true },
            Local { number: 2, forward: false },
            Number(2),
            Number(97),
            Number(10),
            Text(b"xA\"".to_vec()),
            Mark("<<"),
            End,
            End,
            End,
            End,
        ];
        assert_eq!(tokens, wanted);
    }

    #[test]
    fn bad_pieces_are_reported_and_passed_over() {
        assert_eq!(kinds("é").1, [Problem::Character('é')]);
        assert_eq!(kinds("\"abc\n").1, [Problem::OpenText]);
        assert_eq!(kinds("'ab").1, [Problem::BadCharacter]);
        assert_eq!(kinds("/* x").1, [Problem::OpenComment]);
        assert_eq!(kinds("\"\\q\"").1, [Problem::Escape("q".to_owned())]);
        for wrong in ["0x", "12z", "017", "0b2", "0xffffffffffffffff"] {
            assert!(matches!(kinds(wrong).1[..], [Problem::Number(_)]), "{wrong}");
        }
    }
}
