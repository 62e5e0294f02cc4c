//! IDX: the file format of the MNIST data sets.
//!
//! Contract: two zero bytes, a byte for the type of the elements, a byte for the number of dimensions, each dimension
//! as a big-endian 32-bit word, then the elements, the last dimension fastest, and nothing else
//! (<https://yann.lecun.com/exdb/mnist>). Only whole-number types are read.

use std::ops::RangeFrom;

use crate::error::DataProblem;

/// An IDX file's contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx<'a> {
    /// The dimensions, the first one outermost.
    pub shape: Vec<u32>,
    kind: Kind,
    elements: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    I16,
    I32,
}

impl Kind {
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x08 => Some(Self::U8),
            0x09 => Some(Self::I8),
            0x0b => Some(Self::I16),
            0x0c => Some(Self::I32),
            _ => None,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 => 4,
        }
    }
}

/// Whether a file begins as IDX files do: no text and no NPY file has two zero bytes there.
pub fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0, 0])
}

impl<'a> Idx<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// [`DataProblem::Header`], [`DataProblem::Length`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DataProblem> {
        let header = |offset, what: &str| DataProblem::Header { offset, what: what.to_owned() };
        let &[0, 0, code, rank, ref rest @ ..] = bytes else {
            return Err(header(0, "an IDX file begins with two zero bytes, a type and a number of dimensions"));
        };
        let kind = Kind::from_code(code).ok_or_else(|| {
            header(2, &format!("element type {code:#04x} is not one of 0x08, 0x09, 0x0b, 0x0c (whole numbers)"))
        })?;
        if rank == 0 {
            return Err(header(3, "there is no dimension"));
        }
        let (dimensions, elements) = rest
            .split_at_checked(4 * usize::from(rank))
            .ok_or_else(|| header(4, &format!("the file ends within its {rank} dimensions")))?;
        let dimension = |word: &[u8]| word.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        let shape: Vec<u32> = dimensions.chunks_exact(4).map(dimension).collect();
        // A zero among the dimensions makes the others meaningless, and saturation cannot hide a wrong length.
        let count = shape.iter().fold(kind.bytes() as u128, |product, n| product.saturating_mul(u128::from(*n)));
        let expected = count.saturating_add((bytes.len() - elements.len()) as u128);
        let found = bytes.len();
        if expected != found as u128 {
            let what = if expected > found as u128 { "truncated" } else { "too long" };
            return Err(DataProblem::Length { what, expected, found });
        }
        Ok(Self { shape, kind, elements })
    }

    /// Checks the number of dimensions.
    ///
    /// # Errors
    /// [`DataProblem::Shape`].
    pub fn expect_rank(&self, rank: RangeFrom<usize>) -> Result<(), DataProblem> {
        if rank.contains(&self.shape.len()) {
            return Ok(());
        }
        let expected =
            "samples are images: a dimension for the samples, and at least one for the pixels (are these the labels?)";
        Err(DataProblem::Shape { found: format!("{:?}", self.shape), expected: expected.to_owned() })
    }

    /// The elements in order.
    pub fn numbers(&self) -> impl Iterator<Item = i64> + '_ {
        let unused = 64 - 8 * self.kind.bytes() as u32;
        self.elements.chunks_exact(self.kind.bytes()).map(move |bytes| {
            let word = bytes.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
            if self.kind == Kind::U8 { word as i64 } else { (word << unused) as i64 >> unused }
        })
    }

    /// The elements, where they are unsigned bytes.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        (self.kind == Kind::U8).then_some(self.elements)
    }
}
