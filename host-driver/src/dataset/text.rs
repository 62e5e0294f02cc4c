//! Spikes from text: comma-separated columns.
//!
//! Contract: the kinds of text that [`super`] lists, told apart by a header if the first line has a word in it, and by
//! the number of columns otherwise. As many columns as input units mean a dense table, even where they are two or
//! three; give lists of programs with two or three input units a header.
//!
//! Blanks around a number and empty lines mean nothing.

use super::spikes::Events;
use super::{MOST_SAMPLES, Shape, step_of};
use crate::error::DataProblem;

/// What the columns of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Sample,
    Step,
    /// In milliseconds.
    Time,
    Unit,
}

impl Column {
    fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "sample" => Some(Self::Sample),
            "step" => Some(Self::Step),
            "time_ms" => Some(Self::Time),
            "unit" => Some(Self::Unit),
            _ => None,
        }
    }
}

enum Layout {
    Dense,
    List(Vec<Column>),
}

/// The spikes in a text.
pub(super) fn read<'a>(bytes: &[u8], shape: &'a Shape) -> Result<Events<'a>, DataProblem> {
    let mut rows = rows(bytes)?.peekable();
    let Some(first) = rows.peek().copied() else { return Ok(Events::listed(shape)) };
    let layout = if first.is_words() {
        rows.next();
        header(first, shape)?
    } else {
        by_columns(first, shape)?
    };
    match layout {
        Layout::Dense => dense(rows, shape),
        Layout::List(columns) => list(rows, &columns, shape),
    }
}

fn header(row: Row<'_>, shape: &Shape) -> Result<Layout, DataProblem> {
    let columns: Option<Vec<Column>> = row.fields().map(Column::from_name).collect();
    let has = |wanted: &[Column]| {
        columns.as_ref().is_some_and(|columns| {
            columns.len() == wanted.len() && wanted.iter().all(|column| columns.contains(column))
        })
    };
    let is_list = [Column::Step, Column::Time]
        .into_iter()
        .any(|when| has(&[when, Column::Unit]) || has(&[Column::Sample, when, Column::Unit]));
    match columns {
        Some(columns) if is_list => {
            if columns.contains(&Column::Time) && shape.time_step_ms.is_none() {
                let what = format!(
                    "times cannot become steps, because the program `{}` says no time step; give a column `step`",
                    shape.program
                );
                return Err(row.wrong(what));
            }
            Ok(Layout::List(columns))
        }
        _ => Err(row.wrong(
            "the header must name the columns `step` or `time_ms`, `unit` and, for several samples, `sample`"
                .to_owned(),
        )),
    }
}

fn by_columns(row: Row<'_>, shape: &Shape) -> Result<Layout, DataProblem> {
    match row.len() {
        columns if columns as u64 == shape.units => Ok(Layout::Dense),
        2 => Ok(Layout::List(vec![Column::Step, Column::Unit])),
        3 => Ok(Layout::List(vec![Column::Sample, Column::Step, Column::Unit])),
        columns => Err(row.wrong(format!(
            "{columns} columns are neither a table for the {} input units of `{}` nor a list (step,unit or sample,step,unit)",
            shape.units, shape.program
        ))),
    }
}

fn dense<'a, 't>(rows: impl Iterator<Item = Row<'t>>, shape: &'a Shape) -> Result<Events<'a>, DataProblem> {
    // How many samples there are is known at the end.
    let mut events = Events::listed(shape);
    let steps = shape.steps as usize;
    let mut count = 0;
    for row in rows {
        let (sample, step) = (count / steps, count % steps);
        if sample >= MOST_SAMPLES {
            return Err(row.wrong(format!("there are more than {MOST_SAMPLES} samples")));
        }
        if row.len() as u64 != shape.units {
            let what =
                format!("{} columns, but the program `{}` has {} input units", row.len(), shape.program, shape.units);
            return Err(row.wrong(what));
        }
        for (unit, field) in row.fields().enumerate() {
            events.add_bit(whole(field), sample, step, unit).map_err(|what| row.wrong(format!("`{field}`: {what}")))?;
        }
        count += 1;
    }
    if !count.is_multiple_of(steps) {
        let what = format!("holds {count} lines, which is no multiple of the {steps} steps of `{}`", shape.program);
        return Err(DataProblem::Count { what });
    }
    Ok(events.with_samples(count / steps))
}

fn list<'a, 't>(
    rows: impl Iterator<Item = Row<'t>>,
    columns: &[Column],
    shape: &'a Shape,
) -> Result<Events<'a>, DataProblem> {
    let mut events = Events::listed(shape);
    for row in rows {
        if row.len() != columns.len() {
            return Err(row.wrong(format!("{} columns where there should be {}", row.len(), columns.len())));
        }
        let (mut sample, mut step, mut unit) = (0, 0, 0);
        for (column, field) in columns.iter().zip(row.fields()) {
            let number = || whole(field).ok_or_else(|| row.wrong(format!("`{field}` is not a whole number")));
            match column {
                Column::Sample => sample = number()?,
                Column::Step => step = number()?,
                Column::Unit => unit = number()?,
                Column::Time => {
                    let time_step = shape.time_step_ms.unwrap_or(f64::NAN);
                    let time = field.parse().ok().and_then(|time| step_of(time, time_step));
                    step = time.ok_or_else(|| row.wrong(format!("`{field}` is not a time")))?;
                }
            }
        }
        events.add(sample, step, unit).map_err(|what| row.wrong(what))?;
    }
    Ok(events)
}

/// A whole number, also where a decimal point and zeros follow, as table programs write them.
fn whole(field: &str) -> Option<i64> {
    field.parse().ok().or_else(|| {
        let number = field.parse::<f64>().ok()?;
        (number.fract() == 0.0 && number.abs() < 2f64.powi(53)).then_some(number as i64)
    })
}

/// A line of text with something in it.
#[derive(Clone, Copy)]
pub(super) struct Row<'t> {
    /// Counted from 1.
    line: u64,
    text: &'t str,
}

impl<'t> Row<'t> {
    fn fields(self) -> impl Iterator<Item = &'t str> {
        self.text.split(',').map(str::trim)
    }

    pub(super) fn len(self) -> usize {
        self.fields().count()
    }

    /// Whether it looks like a header: something in it is a word, and not one that stands for a number, such as `nan`.
    pub(super) fn is_words(self) -> bool {
        let is_word = |field: &str| field.starts_with(char::is_alphabetic) && field.parse::<f64>().is_err();
        self.fields().any(is_word)
    }

    /// The whole number in the first column.
    pub(super) fn number(self) -> Option<i64> {
        self.fields().next().and_then(whole)
    }

    pub(super) fn wrong(self, what: String) -> DataProblem {
        DataProblem::Line { line: self.line, what }
    }
}

/// The lines of a text that have something in them.
pub(super) fn rows(bytes: &[u8]) -> Result<impl Iterator<Item = Row<'_>>, DataProblem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| DataProblem::Unknown(format!("byte {} is not UTF-8", error.valid_up_to())))?;
    if let Some(offset) = text.find('\0') {
        return Err(DataProblem::Unknown(format!("byte {offset} is zero")));
    }
    // Spreadsheets put a byte-order mark first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().zip(1..).map(|(text, line)| Row { line, text });
    Ok(lines.filter(|row| !row.text.trim().is_empty()))
}
