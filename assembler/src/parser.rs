//! Tokens to statements.
//!
//! Contract: it never fails. A statement that breaks the grammar becomes one diagnostic and [`StatementKind::Broken`];
//! the next statement is read as if nothing had happened. Every statement has its span.
//!
//! Not here: what symbols mean, and where anything lies.

use crate::diagnostic::{Diagnostic, Problem};
use crate::directive::{self, Directive};
use crate::expression::{Expression, is_register};
use crate::instruction::{self, Code};
use crate::lexer::{Token, TokenKind};
use crate::source::Span;

/// A statement with its place.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) kind: StatementKind<'a>,
    pub(crate) span: Span,
}

/// What a statement is.
#[derive(Debug)]
pub(crate) enum StatementKind<'a> {
    /// `name:`
    Label(&'a str),
    /// `1:`
    Local(u32),
    /// `name = expression`, also `.set name, expression`.
    Assign {
        name: &'a str,
        value: Expression<'a>,
    },
    Directive(Directive<'a>),
    Code(Code<'a>),
    /// An instruction that could not be read; its place is kept so that no address after it is wrong.
    Broken,
}

/// A walk over the tokens of one statement.
#[derive(Debug)]
pub(crate) struct Cursor<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    end: Span,
}

impl<'t, 'a> Cursor<'t, 'a> {
    /// Over `tokens`, the statement ending at `end`.
    pub(crate) fn new(tokens: &'t [Token<'a>], end: Span) -> Self {
        Self { tokens, at: 0, end }
    }

    /// The next token, if the statement has one.
    pub(crate) fn peek(&self) -> Option<&'t TokenKind<'a>> {
        self.peek_at(0)
    }

    /// The token `ahead` of the next one.
    pub(crate) fn peek_at(&self, ahead: usize) -> Option<&'t TokenKind<'a>> {
        self.tokens.get(self.at + ahead).map(|token| &token.kind)
    }

    /// Where the next token is, or the end of the statement.
    pub(crate) fn span(&self) -> Span {
        self.tokens.get(self.at).map_or(self.end, |token| token.span)
    }

    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    /// The next token's mark.
    pub(crate) fn mark(&self) -> Option<&'static str> {
        if let Some(TokenKind::Mark(mark)) = self.peek() { Some(mark) } else { None }
    }

    /// The next token's name.
    pub(crate) fn name(&self) -> Option<&'a str> {
        if let Some(TokenKind::Name(name)) = self.peek() { Some(name) } else { None }
    }

    /// Takes the next token if it is that mark.
    pub(crate) fn take_mark(&mut self, mark: &str) -> bool {
        let found = self.mark() == Some(mark);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn expect_mark(&mut self, mark: &str) -> Result<(), Diagnostic> {
        if self.take_mark(mark) { Ok(()) } else { Err(self.expected(&format!("`{mark}`"))) }
    }

    /// Takes a name that can be a symbol's.
    pub(crate) fn expect_symbol(&mut self) -> Result<(&'a str, Span), Diagnostic> {
        let span = self.span();
        let name = self.name().filter(|name| *name != ".").ok_or_else(|| self.expected("a symbol"))?;
        self.advance();
        Ok((name, span))
    }

    pub(crate) fn expect_end(&self) -> Result<(), Diagnostic> {
        if self.at >= self.tokens.len() { Ok(()) } else { Err(self.expected("the end of the statement")) }
    }

    /// Something else stands at the next token.
    pub(crate) fn expected(&self, wanted: &str) -> Diagnostic {
        let found = match self.peek() {
            None => "the end of the statement".to_owned(),
            Some(TokenKind::Name(name)) if is_register(name) => format!("the register `{name}`"),
            Some(TokenKind::Name(name)) => format!("`{name}`"),
            Some(TokenKind::Number(number)) => format!("`{number}`"),
            Some(TokenKind::Local { number, forward }) => format!("`{number}{}`", if *forward { 'f' } else { 'b' }),
            Some(TokenKind::Text(_)) => "a string".to_owned(),
            Some(TokenKind::Mark(mark)) => format!("`{mark}`"),
            Some(TokenKind::End) => "the end of the statement".to_owned(),
        };
        Problem::Expected { wanted: wanted.to_owned(), found }.at(self.span())
    }

    /// How many commas the statement has from here on, not counting those in parentheses.
    pub(crate) fn commas(&self) -> usize {
        let mut depth = 0usize;
        let mut commas = 0;
        for token in self.tokens.get(self.at..).unwrap_or_default() {
            match token.kind {
                TokenKind::Mark("(") => depth += 1,
                TokenKind::Mark(")") => depth = depth.saturating_sub(1),
                TokenKind::Mark(",") if depth == 0 => commas += 1,
                _ => {}
            }
        }
        commas
    }

    /// Whether any token is left.
    pub(crate) fn at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }
}

/// The statements of one source.
pub(crate) fn parse<'a>(tokens: &[Token<'a>], diagnostics: &mut Vec<Diagnostic>) -> Vec<Statement<'a>> {
    let mut statements = Vec::new();
    let mut rest = tokens;
    while let Some(length) = rest.iter().position(|token| token.kind == TokenKind::End) {
        let end = rest[length].span;
        let end = Span { end: end.start, ..end };
        statement(&rest[..length], end, &mut statements, diagnostics);
        rest = &rest[length + 1..];
    }
    statements
}

fn statement<'a>(
    tokens: &[Token<'a>],
    end: Span,
    statements: &mut Vec<Statement<'a>>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut cursor = Cursor::new(tokens, end);
    labels(&mut cursor, statements);
    if cursor.at_end() {
        return;
    }
    let start = cursor.span();
    let (kind, problem) = match body(&mut cursor) {
        Ok(kind) => (Some(kind), None),
        Err(problem) => {
            let instruction = matches!(tokens.get(cursor_name(tokens)), Some(Token { kind: TokenKind::Name(name), .. })
                if !name.starts_with('.'));
            (instruction.then_some(StatementKind::Broken), Some(problem))
        }
    };
    diagnostics.extend(problem);
    let last = tokens.last().map_or(end, |token| token.span);
    statements.extend(kind.map(|kind| Statement { kind, span: start.to(last) }));
}

/// Where the statement's mnemonic or directive is: behind its labels.
fn cursor_name(tokens: &[Token<'_>]) -> usize {
    let labels = tokens.chunks_exact(2).take_while(|pair| pair[1].kind == TokenKind::Mark(":")).count();
    2 * labels
}

fn labels<'a>(cursor: &mut Cursor<'_, 'a>, statements: &mut Vec<Statement<'a>>) {
    while cursor.peek_at(1) == Some(&TokenKind::Mark(":")) {
        let span = cursor.span();
        let kind = match cursor.peek() {
            Some(TokenKind::Name(name)) if *name != "." => StatementKind::Label(name),
            Some(TokenKind::Number(number)) => match u32::try_from(*number) {
                Ok(number) => StatementKind::Local(number),
                Err(_) => return,
            },
            _ => return,
        };
        cursor.advance();
        cursor.advance();
        statements.push(Statement { kind, span });
    }
}

fn body<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<StatementKind<'a>, Diagnostic> {
    let span = cursor.span();
    let name = cursor.name().ok_or_else(|| cursor.expected("a label, an instruction or a directive"))?;
    if cursor.peek_at(1) == Some(&TokenKind::Mark("=")) && name != "." {
        cursor.advance();
        cursor.advance();
        return assignment(name, cursor);
    }
    cursor.advance();
    if !name.starts_with('.') {
        return instruction::parse(name, span, cursor).map(StatementKind::Code);
    }
    if matches!(name, ".equ" | ".set") {
        let (name, _) = cursor.expect_symbol()?;
        cursor.expect_mark(",")?;
        return assignment(name, cursor);
    }
    directive::parse(name, span, cursor).map(StatementKind::Directive)
}

fn assignment<'a>(name: &'a str, cursor: &mut Cursor<'_, 'a>) -> Result<StatementKind<'a>, Diagnostic> {
    let value = Expression::parse(cursor)?;
    cursor.expect_end()?;
    Ok(StatementKind::Assign { name, value })
}
