//! Directives: their names and arguments.
//!
//! Contract: each directive is one row of [`DIRECTIVES`], and what it does is said there. `.equ` and `.set` are read by
//! the parser, since `name = value` means the same; those that decide which text is read at all, by [`crate::expand`].
//!
//! Not here: where contents go (see [`crate::layout`]), and the arguments of FeNN's own data (see [`crate::data`]).

use std::collections::HashMap;
use std::sync::OnceLock;

use fenn_isa::image::SymbolKind;
use fenn_isa::memory::Space;

use crate::data;
use crate::diagnostic::{Diagnostic, Problem, similar};
use crate::expand;
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
    Fill { count: Expression<'a>, value: Option<Expression<'a>>, width: Option<Expression<'a>> },
    /// To the next multiple of `bytes`, or of 2 to its power, with bytes of the value `fill`; not at all if that takes
    /// more than `most` bytes.
    Align { bytes: Expression<'a>, power: bool, fill: Option<Expression<'a>>, most: Option<Expression<'a>> },
    /// FeNN's own data.
    Lanes(data::Lanes<'a>),
    /// Keep the section for [`Directive::Pop`], and perhaps change it.
    Push(Option<Space>),
    /// Back to the section kept last.
    Pop,
    /// Back to the section before this one.
    Previous,
    /// Shortest forms of calls and addresses, or those that reach any address.
    Relax(bool),
    /// Keep the options, or go back to those kept last.
    KeepOptions { push: bool },
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
    Zeros,
    Fill,
    Align { power: bool },
    Lanes(data::Kind),
    Push,
    Pop,
    Previous,
    Ignored,
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
    (".hword", Form::Data { width: 2 }),
    (".dword", Form::Data { width: 8 }),
    (".quad", Form::Data { width: 8 }),
    (".8byte", Form::Data { width: 8 }),
    (".space", Form::Zeros),
    (".skip", Form::Zeros),
    (".zero", Form::Zeros),
    (".fill", Form::Fill),
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
    (".pushsection", Form::Push),
    (".popsection", Form::Pop),
    (".previous", Form::Previous),
    (".fixed", Form::Lanes(data::Kind::Fixed)),
    (".vec", Form::Lanes(data::Kind::Vector)),
    (".table", Form::Lanes(data::Kind::Table)),
    (".columns", Form::Lanes(data::Kind::Columns)),
    (".seed", Form::Lanes(data::Kind::Seed)),
    // What compilers write for tools that are not used here.
    (".file", Form::Ignored),
    (".ident", Form::Ignored),
    (".attribute", Form::Ignored),
];

/// Names that belong to the parser.
const ASSIGNMENTS: [&str; 3] = [".equ", ".set", ".equiv"];

/// The names of all directives, those of other modules too.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    DIRECTIVES.iter().map(|(known, _)| *known).chain(ASSIGNMENTS).chain(expand::DIRECTIVES)
}

fn form(name: &str) -> Option<Form> {
    static FORMS: OnceLock<HashMap<&'static str, Form>> = OnceLock::new();
    FORMS.get_or_init(|| DIRECTIVES.iter().copied().collect()).get(name).copied()
}

/// Reads the directive `name`, the cursor being behind it.
///
/// # Errors
/// Where there is no such directive, or its arguments are others.
pub(crate) fn parse<'a>(name: &'a str, span: Span, cursor: &mut Cursor<'_, 'a>) -> Result<Directive<'a>, Diagnostic> {
    let Some(form) = form(name) else {
        return Err(Problem::UnknownDirective { name: name.to_owned(), similar: similar(name, names()) }.at(span));
    };
    let directive = match form {
        Form::Space(space) => Directive::Section(space),
        Form::Section => Directive::Section(section(cursor)?),
        Form::Visibility { global } => Directive::Visibility { symbols: list(cursor, Cursor::expect_symbol)?, global },
        Form::Data { width } => Directive::Data { width, values: list(cursor, Expression::parse)? },
        Form::Zeros => {
            let count = Expression::parse(cursor)?;
            Directive::Fill { count, value: optional(cursor)?, width: None }
        }
        Form::Fill => {
            let count = Expression::parse(cursor)?;
            let width = optional(cursor)?;
            Directive::Fill { count, value: optional(cursor)?, width }
        }
        Form::Align { power } => {
            let bytes = Expression::parse(cursor)?;
            let fill = optional(cursor)?;
            Directive::Align { bytes, power, fill, most: optional(cursor)? }
        }
        Form::Lanes(kind) => Directive::Lanes(data::parse(kind, span, cursor)?),
        Form::Push if cursor.at_end() => Directive::Push(None),
        Form::Push => Directive::Push(Some(section(cursor)?)),
        Form::Pop => Directive::Pop,
        Form::Previous => Directive::Previous,
        Form::Ignored => {
            cursor.finish();
            Directive::Nothing
        }
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

/// What follows a comma, if there is one and something follows it.
fn optional<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Option<Expression<'a>>, Diagnostic> {
    let given = cursor.take_mark(",") && cursor.mark() != Some(",") && !cursor.at_end();
    given.then(|| Expression::parse(cursor)).transpose()
}

/// One or more, separated by commas.
pub(crate) fn list<'t, 'a, T>(
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
fn section(cursor: &mut Cursor<'_, '_>) -> Result<Space, Diagnostic> {
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
    space.ok_or_else(|| Problem::UnknownSection(name.to_owned()).at(span))
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

/// `.option`: whether calls and addresses may be short. Instructions are always 32 bits wide.
fn option<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Directive<'a>, Diagnostic> {
    let span = cursor.span();
    let directive = match cursor.name() {
        Some("norvc" | "nopic") => Directive::Nothing,
        Some("relax") => Directive::Relax(true),
        Some("norelax") => Directive::Relax(false),
        Some("push") => Directive::KeepOptions { push: true },
        Some("pop") => Directive::KeepOptions { push: false },
        Some(other) => return Err(Problem::Option(other.to_owned()).at(span)),
        None => return Err(cursor.expected("`relax`, `norelax`, `push`, `pop` or `norvc`")),
    };
    cursor.advance();
    Ok(directive)
}
