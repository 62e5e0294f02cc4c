//! FeNN's own data: fixed-point numbers, vectors, per-lane tables and seeds.
//!
//! Contract: all of it is halfwords. Where the first argument is a number format (`s5.10`), the others are decimal
//! numbers, each rounded once to the nearest code, ties to even, and refused outside the format's range; else they are
//! expressions, in which `fx(0.5, 15)` gives the code of one number.
//!
//! - `.fixed FORMAT, number, ...`: one halfword each.
//! - `.vec [FORMAT,] value, ...`: one vector; one value for all lanes, or 32, lane 0 first.
//! - `.table [FORMAT,] value, ...`: one row for each value, which every lane gets: the same table for each lane.
//! - `.columns N, [FORMAT,] value, ...`: 32 tables of N values, lane 0's first: each lane its own.
//! - `.seed N`: the 64 distinct halfwords other than 0 with which the lanes' generators begin: a vector of `s0` and a
//!   vector of `s1` (see [`fenn_isa::seed`]).
//!
//! All but `.fixed` must begin at a multiple of 64 bytes.

use fenn_isa::fixed::Format;
use fenn_isa::memory::LANES;
use fenn_isa::seed::generator_seeds;

use crate::diagnostic::{Diagnostic, Problem};
use crate::directive::list;
use crate::expression::{Expression, code, decimal};
use crate::parser::Cursor;
use crate::source::Span;

/// Which directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Fixed,
    Vector,
    Table,
    Columns,
    Seed,
}

/// Halfwords, and how they are spread over lanes.
#[derive(Debug)]
pub(crate) enum Lanes<'a> {
    /// As they stand, at any place.
    Halfwords(Vec<Expression<'a>>),
    /// Each for all lanes.
    Rows(Vec<Expression<'a>>),
    /// A value for each lane, from lane 0 on, then the next row.
    Each(Vec<Expression<'a>>),
    /// As many for one lane as this says, and then for the next lane.
    Columns { rows: Expression<'a>, values: Vec<Expression<'a>> },
    /// What becomes of this seed.
    Seed(Expression<'a>),
}

/// Reads the arguments of the directive at `span`.
pub(crate) fn parse<'a>(kind: Kind, span: Span, cursor: &mut Cursor<'_, 'a>) -> Result<Lanes<'a>, Diagnostic> {
    match kind {
        Kind::Fixed => {
            let format = format(cursor).ok_or_else(|| cursor.expected("a number format such as `s5.10`"))?;
            values(Some(format), cursor).map(Lanes::Halfwords)
        }
        Kind::Vector => {
            let format = format(cursor);
            let values = values(format, cursor)?;
            match values.len() {
                1 => Ok(Lanes::Rows(values)),
                LANES => Ok(Lanes::Each(values)),
                found => Err(Problem::Lanes(found).at(span)),
            }
        }
        Kind::Table => {
            let format = format(cursor);
            values(format, cursor).map(Lanes::Rows)
        }
        Kind::Columns => {
            let rows = Expression::parse(cursor)?;
            cursor.expect_mark(",")?;
            let format = format(cursor);
            Ok(Lanes::Columns { rows, values: values(format, cursor)? })
        }
        Kind::Seed => Expression::parse(cursor).map(Lanes::Seed),
    }
}

/// A number format and the comma behind it, where the cursor is at one.
fn format(cursor: &mut Cursor<'_, '_>) -> Option<Format> {
    let format = cursor.name()?.parse().ok()?;
    cursor.advance();
    cursor.take_mark(",");
    Some(format)
}

fn values<'a>(format: Option<Format>, cursor: &mut Cursor<'_, 'a>) -> Result<Vec<Expression<'a>>, Diagnostic> {
    let Some(format) = format else { return list(cursor, Expression::parse) };
    list(cursor, |cursor| {
        let start = cursor.span();
        let text = decimal(cursor)?;
        let span = start.to(cursor.before());
        let code = code(&text, format).map_err(|problem| problem.at(span))?;
        Ok(Expression::number(code, span))
    })
}

/// The values of 32 columns in the order of memory.
///
/// # Errors
/// Where there are not `rows` for each lane.
pub(crate) fn transpose<T>(rows: usize, values: Vec<T>) -> Result<Vec<T>, Problem> {
    if Some(values.len()) != rows.checked_mul(LANES) {
        return Err(Problem::Columns { rows, found: values.len() });
    }
    let mut placed: Vec<(usize, T)> = values.into_iter().enumerate().collect();
    placed.sort_by_key(|(index, _)| (index % rows, index / rows));
    Ok(placed.into_iter().map(|(_, value)| value).collect())
}

/// The 64 halfwords of a seed, in the order of memory.
pub(crate) fn seed(number: u64) -> Vec<u8> {
    let lanes = generator_seeds(number);
    let words = lanes.iter().map(|lane| lane.s0).chain(lanes.iter().map(|lane| lane.s1));
    words.flat_map(u16::to_le_bytes).collect()
}
