//! Labels: one class for each sample.
//!
//! Contract: NPY of whole numbers with one dimension (or [samples, 1]), IDX with one dimension, or text with one
//! number per line below an optional header. Every label is one of the program's classes.

use super::idx::{self, Idx};
use super::npy::{self, Npy};
use super::text;
use super::{MOST_SAMPLES, Shape};
use crate::error::DataProblem;

/// The labels in a file.
pub(super) fn read(bytes: &[u8], shape: &Shape) -> Result<Vec<u32>, DataProblem> {
    let wrong_shape = |found: String| DataProblem::Shape { found, expected: "labels are a single column".to_owned() };
    if idx::is(bytes) {
        let array = Idx::parse(bytes)?;
        if array.shape.len() != 1 {
            return Err(wrong_shape(format!("{:?}", array.shape)));
        }
        return by_row(array.numbers().map(Some), shape);
    }
    if npy::is(bytes) {
        let array = Npy::parse(bytes)?;
        return match array.shape[..] {
            [count] => by_row((0..count).map(|row| array.whole(&[row])), shape),
            [count, 1] => by_row((0..count).map(|row| array.whole(&[row, 0])), shape),
            _ => Err(wrong_shape(format!("{:?}", array.shape))),
        };
    }
    by_line(bytes, shape)
}

fn by_row(numbers: impl Iterator<Item = Option<i64>>, shape: &Shape) -> Result<Vec<u32>, DataProblem> {
    let numbers = numbers.take(MOST_SAMPLES + 1).enumerate();
    numbers.map(|(row, number)| class(number, shape).map_err(|what| DataProblem::Row { row, what })).collect()
}

fn by_line(bytes: &[u8], shape: &Shape) -> Result<Vec<u32>, DataProblem> {
    let mut labels = Vec::new();
    for (index, row) in text::rows(bytes)?.enumerate() {
        if row.len() != 1 {
            return Err(row.wrong(format!("{} columns, but labels are a single column", row.len())));
        }
        if index == 0 && row.is_words() {
            continue;
        }
        labels.push(class(row.number(), shape).map_err(|what| row.wrong(what))?);
    }
    Ok(labels)
}

/// A label as one of the program's classes.
pub(super) fn class(number: Option<i64>, shape: &Shape) -> Result<u32, String> {
    let Shape { program, classes, .. } = shape;
    let number = number.ok_or_else(|| "a label is a whole number, and this is none".to_owned())?;
    u32::try_from(number).ok().filter(|label| label < classes).ok_or_else(|| {
        format!("label {number} is not a class: the program `{program}` has {classes} classes, counted from 0")
    })
}
