//! Bytes to tokens, each with its span.
//!
//! Contract: every byte belongs to a token, to blanks or to a comment, and every token has its span. The lexer never
//! fails: what begins no token becomes a diagnostic and is left out. Each statement ends with [`TokenKind::End`].
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
    /// A number with a fraction or an exponent, as written.
    Decimal(&'a str),
    /// A string's bytes.
    Text(Vec<u8>),
    /// An operator or other mark.
    Mark(&'static str),
    /// The end of a statement: a new line, `;`, or the end of the source.
    End,
}

/// The mark that `rest` begins with; longer ones first, so that `<<` is not two `<`.
fn mark(rest: &[u8]) -> Option<&'static str> {
    let pair = |second: u8| rest.get(1) == Some(&second);
    let mark = match rest.first()? {
        b'<' if pair(b'<') => "<<",
        b'<' if pair(b'=') => "<=",
        b'<' => "<",
        b'>' if pair(b'>') => ">>",
        b'>' if pair(b'=') => ">=",
        b'>' => ">",
        b'=' if pair(b'=') => "==",
        b'=' => "=",
        b'!' if pair(b'=') => "!=",
        b'!' => "!",
        b'&' if pair(b'&') => "&&",
        b'&' => "&",
        b'|' if pair(b'|') => "||",
        b'|' => "|",
        b'^' => "^",
        b'~' => "~",
        b'+' => "+",
        b'-' => "-",
        b'*' => "*",
        b'/' => "/",
        b'%' => "%",
        b'(' => "(",
        b')' => ")",
        b',' => ",",
        b':' => ":",
        b'?' => "?",
        b'@' => "@",
        b'[' => "[",
        b']' => "]",
        b'\\' => "\\",
        _ => return None,
    };
    Some(mark)
}

/// Reads the statement of source number `source` that begins at byte `at` into `tokens`, with its end, and gives the
/// byte behind it.
pub(crate) fn statement<'a>(
    source: u32,
    text: &'a str,
    at: usize,
    tokens: &mut Vec<Token<'a>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> usize {
    let mut lexer = Lexer { source, text, at, diagnostics };
    tokens.clear();
    loop {
        lexer.skip_blanks();
        let start = lexer.at;
        if start >= text.len() {
            tokens.push(Token { kind: TokenKind::End, span: lexer.span(start) });
            return start;
        }
        if let Some(kind) = lexer.token() {
            let end = kind == TokenKind::End;
            tokens.push(Token { kind, span: lexer.span(start) });
            if end {
                return lexer.at;
            }
        }
    }
}

struct Lexer<'a, 'd> {
    source: u32,
    text: &'a str,
    at: usize,
    diagnostics: &'d mut Vec<Diagnostic>,
}

fn begins_name(b: u8) -> bool {
    b.is_ascii_alphabetic() || matches!(b, b'_' | b'.' | b'$')
}

fn continues_name(b: u8) -> bool {
    begins_name(b) || b.is_ascii_digit()
}

/// How many of the first bytes of `text` make a name.
pub(crate) fn name_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if !bytes.first().copied().is_some_and(begins_name) {
        return 0;
    }
    bytes.iter().position(|b| !continues_name(*b)).unwrap_or(bytes.len())
}

/// Whether the lexer takes `text` for one name.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && name_length(text) == text.len() && text != "."
}

impl<'a> Lexer<'a, '_> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn span(&self, start: usize) -> Span {
        Span { source: self.source, start: start as u32, end: self.at as u32 }
    }

    fn report(&mut self, problem: Problem, start: usize) {
        let diagnostic = problem.at(self.span(start));
        self.diagnostics.push(diagnostic);
    }

    /// Takes as many bytes as `wanted` holds for, which is for none or all of a character.
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().position(|b| !wanted(b)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Blanks and comments; a new line is a token.
    fn skip_blanks(&mut self) {
        loop {
            self.take(|b| matches!(b, b' ' | b'\t' | b'\r' | 0x0b | 0x0c));
            let rest = self.rest();
            let bytes = rest.as_bytes();
            match bytes.first() {
                Some(b'#') => {
                    self.take(|b| b != b'\n');
                }
                Some(b'/') if bytes.get(1) == Some(&b'/') => {
                    self.take(|b| b != b'\n');
                }
                Some(b'/') if bytes.get(1) == Some(&b'*') => {
                    let start = self.at;
                    match rest[2..].find("*/") {
                        Some(end) => self.at += 2 + end + 2,
                        None => {
                            self.at += 2;
                            self.report(Problem::OpenComment, start);
                            self.at = self.text.len();
                        }
                    }
                }
                Some(128..) => match rest.chars().next().filter(|c| c.is_whitespace()) {
                    Some(c) => self.at += c.len_utf8(),
                    None => return,
                },
                _ => return,
            }
        }
    }

    /// The next token; at least one character of the text is taken.
    fn token(&mut self) -> Option<TokenKind<'a>> {
        let start = self.at;
        let first = self.byte()?;
        if first == b'\n' || first == b';' {
            self.at += 1;
            return Some(TokenKind::End);
        }
        if begins_name(first) {
            return Some(TokenKind::Name(self.take(continues_name)));
        }
        if first.is_ascii_digit() {
            return self.number();
        }
        if first == b'"' {
            return self.string().map(TokenKind::Text);
        }
        if first == b'\'' {
            return self.character();
        }
        if let Some(mark) = mark(&self.text.as_bytes()[start..]) {
            self.at += mark.len();
            return Some(TokenKind::Mark(mark));
        }
        let character = self.rest().chars().next()?;
        self.at += character.len_utf8();
        self.report(Problem::Character(character), start);
        None
    }

    fn number(&mut self) -> Option<TokenKind<'a>> {
        let start = self.at;
        let digits = self.take(|b| b.is_ascii_digit());
        if let Some(length) = fraction(self.rest()) {
            self.at += length;
            return Some(TokenKind::Decimal(&self.text[start..self.at]));
        }
        if !self.byte().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
            && (digits.len() == 1 || digits.len() < 19 && !digits.starts_with('0'))
        {
            return Some(TokenKind::Number(digits.bytes().fold(0, |number, b| 10 * number + i64::from(b - b'0'))));
        }
        self.at = start;
        let text = self.take(|b| b.is_ascii_alphanumeric() || b == b'_');
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
            Some('b') => Some(8),
            Some('f') => Some(12),
            Some('0'..='7') => {
                // Up to three octal digits, of which the first is taken.
                let digits = self.text[start + 1..].bytes().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
                self.at = start + 1 + digits;
                u8::from_str_radix(&self.text[start + 1..self.at], 8).ok()
            }
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

/// How much of `rest`, which is behind digits, is a fraction, an exponent or both: `.5`, `e-3`, `.5e3`.
fn fraction(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut length = 0;
    if bytes.first() == Some(&b'.') {
        let count = digits(1);
        if count == 0 {
            return None;
        }
        length = 1 + count;
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let count = digits((length + 1 + sign).min(bytes.len()));
        length += if count > 0 { 1 + sign + count } else { 0 };
    }
    (length > 0).then_some(length)
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
        let (mut diagnostics, mut all, mut at) = (Vec::new(), Vec::new(), 0);
        loop {
            let mut tokens = Vec::new();
            at = statement(0, text, at, &mut tokens, &mut diagnostics);
            all.extend(tokens);
            if at >= text.len() {
                break;
            }
        }
        let tokens: Vec<Token<'_>> = all;
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
