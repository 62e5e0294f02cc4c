//! Directives: their names and arguments.
//!
//! Contract: each directive is one row of [`DIRECTIVES`], and what it does is said there. `.equ` and `.set` are read by
//! the parser, since `name = value` means the same.
//!
//! Not here: where contents go (see [`crate::layout`]).

use fenn_isa::image::SymbolKind;
use fenn_isa::memory::Space;

use crate::diagnostic::{Diagnostic, Problem, similar};
use crate::expression::Expression;
use crate::lexer::TokenKind;
use crate::parser::Cursor;
use crate::source::Span;

/// What a directive does, with its arguments.
#[derive(Debug)]
pub(crate) enum Directive<'a> {
    /// Contents go to this memory from now on.
    Section(Space),
    /// These symbols may be meant by other files, or not.
    Visibility { symbols: Vec<(&'a str, Span)>, global: bool },
    /// Numbers of `width` bytes each.
    Data { width: u8, values: Vec<Expression<'a>> },
    /// `count` times `value`, a number of `width` bytes; zeros where there is no value.
    Fill { count: Expression<'a>, value: Option<Expression<'a>>, width: u8 },
    /// To the next multiple of `bytes`, or of 2 to its power.
    Align { bytes: Expression<'a>, power: bool },
    /// To an address of the section.
    Org(Expression<'a>),
    /// Bytes.
    Text(Vec<u8>),
    /// What a symbol names.
    Type { symbol: (&'a str, Span), kind: SymbolKind },
    /// How many bytes a symbol names.
    Size { symbol: (&'a str, Span), bytes: Expression<'a> },
    /// Nothing.
    Nothing,
}

/// How a directive's arguments are read.
#[derive(Debug, Clone, Copy)]
enum Form {
    Space(Space),
    Section,
    Visibility { global: bool },
    Data { width: u8 },
    Fill,
    Align { power: bool },
    Org,
    Text { zero: bool },
    Type,
    Size,
    Option,
}

const DIRECTIVES: &[(&str, Form)] = &[
    (".text", Form::Space(Space::Instruction)),
    (".data", Form::Space(Space::Scalar)),
    (".rodata", Form::Space(Space::Scalar)),
    (".bss", Form::Space(Space::Scalar)),
    (".vector", Form::Space(Space::Vector)),
    (".lane", Form::Space(Space::LaneLocal)),
    (".dram", Form::Space(Space::Dram)),
    (".section", Form::Section),
    (".globl", Form::Visibility { global: true }),
    (".global", Form::Visibility { global: true }),
    (".local", Form::Visibility { global: false }),
    (".byte", Form::Data { width: 1 }),
    (".half", Form::Data { width: 2 }),
    (".short", Form::Data { width: 2 }),
    (".2byte", Form::Data { width: 2 }),
    (".word", Form::Data { width: 4 }),
    (".long", Form::Data { width: 4 }),
    (".4byte", Form::Data { width: 4 }),
    (".space", Form::Fill),
    (".skip", Form::Fill),
    (".zero", Form::Fill),
    (".align", Form::Align { power: true }),
    (".p2align", Form::Align { power: true }),
    (".balign", Form::Align { power: false }),
    (".org", Form::Org),
    (".ascii", Form::Text { zero: false }),
    (".asciz", Form::Text { zero: true }),
    (".string", Form::Text { zero: true }),
    (".type", Form::Type),
    (".size", Form::Size),
    (".option", Form::Option),
];

/// Names that belong to the parser.
const ASSIGNMENTS: [&str; 2] = [".equ", ".set"];

/// Reads the directive `name`, the cursor being behind it.
///
/// # Errors
/// Where there is no such directive, or its arguments are others.
pub(crate) fn parse<'a>(name: &'a str, span: Span, cursor: &mut Cursor<'_, 'a>) -> Result<Directive<'a>, Diagnostic> {
    let Some((_, form)) = DIRECTIVES.iter().find(|(known, _)| *known == name) else {
        let names = DIRECTIVES.iter().map(|(known, _)| *known).chain(ASSIGNMENTS);
        return Err(Problem::UnknownDirective { name: name.to_owned(), similar: similar(name, names) }.at(span));
    };
    let directive = match *form {
        Form::Space(space) => Directive::Section(space),
        Form::Section => section(cursor)?,
        Form::Visibility { global } => Directive::Visibility { symbols: list(cursor, Cursor::expect_symbol)?, global },
        Form::Data { width } => Directive::Data { width, values: list(cursor, Expression::parse)? },
        Form::Fill => {
            let count = Expression::parse(cursor)?;
            let value = if cursor.take_mark(",") { Some(Expression::parse(cursor)?) } else { None };
            Directive::Fill { count, value, width: 1 }
        }
        Form::Align { power } => Directive::Align { bytes: Expression::parse(cursor)?, power },
        Form::Org => Directive::Org(Expression::parse(cursor)?),
        Form::Text { zero } => Directive::Text(strings(cursor, zero)?),
        Form::Type => {
            let symbol = cursor.expect_symbol()?;
            cursor.expect_mark(",")?;
            Directive::Type { symbol, kind: symbol_kind(cursor)? }
        }
        Form::Size => {
            let symbol = cursor.expect_symbol()?;
            cursor.expect_mark(",")?;
            Directive::Size { symbol, bytes: Expression::parse(cursor)? }
        }
        Form::Option => option(cursor)?,
    };
    cursor.expect_end()?;
    Ok(directive)
}

/// One or more, separated by commas.
fn list<'t, 'a, T>(
    cursor: &mut Cursor<'t, 'a>,
    one: impl Fn(&mut Cursor<'t, 'a>) -> Result<T, Diagnostic>,
) -> Result<Vec<T>, Diagnostic> {
    let mut all = vec![one(cursor)?];
    while cursor.take_mark(",") {
        all.push(one(cursor)?);
    }
    Ok(all)
}

/// `.section NAME`, and the flags and type that other assemblers want; here the name says it all.
fn section<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Directive<'a>, Diagnostic> {
    let (name, span) = cursor.expect_symbol()?;
    let first = name.get(1..).and_then(|rest| rest.split('.').next()).unwrap_or_default();
    let known = |known: &str| known.get(1..) == Some(first) && name.starts_with('.');
    let space = DIRECTIVES.iter().find_map(|(directive, form)| match form {
        Form::Space(space) if known(directive) => Some(*space),
        _ => None,
    });
    if cursor.take_mark(",") {
        if !matches!(cursor.peek(), Some(TokenKind::Text(_))) {
            return Err(cursor.expected("the section's flags as a string"));
        }
        cursor.advance();
        if cursor.take_mark(",") {
            cursor.expect_mark("@")?;
            cursor.expect_symbol()?;
        }
    }
    space.map(Directive::Section).ok_or_else(|| Problem::UnknownSection(name.to_owned()).at(span))
}

fn strings(cursor: &mut Cursor<'_, '_>, zero: bool) -> Result<Vec<u8>, Diagnostic> {
    let parts = list(cursor, |cursor| match cursor.peek() {
        Some(TokenKind::Text(bytes)) => {
            cursor.advance();
            Ok(bytes.clone())
        }
        _ => Err(cursor.expected("a string")),
    })?;
    let ending: &[u8] = if zero { &[0] } else { &[] };
    Ok(parts.into_iter().flat_map(|part| [part.as_slice(), ending].concat()).collect())
}

fn symbol_kind(cursor: &mut Cursor<'_, '_>) -> Result<SymbolKind, Diagnostic> {
    let wanted = "`@function`, `@object` or `@notype`";
    if !cursor.take_mark("@") && !cursor.take_mark("%") {
        return Err(cursor.expected(wanted));
    }
    let kind = match cursor.name() {
        Some("function") => SymbolKind::Function,
        Some("object") => SymbolKind::Object,
        Some("notype") => SymbolKind::Label,
        _ => return Err(cursor.expected(wanted)),
    };
    cursor.advance();
    Ok(kind)
}

/// Options of other assemblers that ask for what is always so here.
fn option<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Directive<'a>, Diagnostic> {
    let span = cursor.span();
    match cursor.name() {
        Some("norelax" | "norvc") => {
            cursor.advance();
            Ok(Directive::Nothing)
        }
        Some(other) => Err(Problem::Option(other.to_owned()).at(span)),
        None => Err(cursor.expected("`norelax` or `norvc`")),
    }
}
