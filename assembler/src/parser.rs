//! Tokens to statements.
//!
//! Contract: a statement that breaks the grammar becomes one diagnostic; the next is read as if nothing had happened.
//! Every statement has its span.
//!
//! Not here: conditions, macros and files (see [`crate::expand`]), what symbols mean, and where anything lies.

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
    /// `name = expression`, also `.set name, expression`; `.equiv` where there must be no other definition.
    Assign {
        name: &'a str,
        value: Expression<'a>,
        once: bool,
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

    /// Where the token before the next one is.
    pub(crate) fn before(&self) -> Span {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(self.end, |token| token.span)
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
            Some(TokenKind::Decimal(text)) => format!("`{text}`"),
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

    /// The tokens from here on.
    pub(crate) fn rest(&self) -> &'t [Token<'a>] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    /// Passes over all that is left.
    pub(crate) fn finish(&mut self) {
        self.at = self.tokens.len();
    }

    /// Whether no token is left.
    pub(crate) fn at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }
}

/// Takes the label that the cursor is at, if it is at one.
pub(crate) fn label<'a>(cursor: &mut Cursor<'_, 'a>) -> Option<Statement<'a>> {
    if cursor.peek_at(1) != Some(&TokenKind::Mark(":")) {
        return None;
    }
    let span = cursor.span();
    let kind = match cursor.peek()? {
        TokenKind::Name(name) if *name != "." => StatementKind::Label(name),
        TokenKind::Number(number) => StatementKind::Local(u32::try_from(*number).ok()?),
        _ => return None,
    };
    cursor.advance();
    cursor.advance();
    Some(Statement { kind, span })
}

/// Reads what follows the labels. Without `relax`, calls and addresses have their longest form.
///
/// # Errors
/// The first place where it departs from the grammar.
pub(crate) fn body<'a>(cursor: &mut Cursor<'_, 'a>, relax: bool) -> Result<StatementKind<'a>, Diagnostic> {
    let span = cursor.span();
    let name = cursor.name().ok_or_else(|| cursor.expected("a label, an instruction or a directive"))?;
    if cursor.peek_at(1) == Some(&TokenKind::Mark("=")) && name != "." {
        cursor.advance();
        cursor.advance();
        return assignment(name, cursor, false);
    }
    cursor.advance();
    if !name.starts_with('.') {
        return instruction::parse(name, span, cursor, relax).map(StatementKind::Code);
    }
    if matches!(name, ".equ" | ".set" | ".equiv") {
        let once = name == ".equiv";
        let (name, _) = cursor.expect_symbol()?;
        cursor.expect_mark(",")?;
        return assignment(name, cursor, once);
    }
    directive::parse(name, span, cursor).map(StatementKind::Directive)
}

fn assignment<'a>(name: &'a str, cursor: &mut Cursor<'_, 'a>, once: bool) -> Result<StatementKind<'a>, Diagnostic> {
    let value = Expression::parse(cursor)?;
    cursor.expect_end()?;
    Ok(StatementKind::Assign { name, value, once })
}
