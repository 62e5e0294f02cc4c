//! NPY: arrays as NumPy writes them, in so far as they can hold samples and labels.
//!
//! Contract: versions 1 to 3 of the format (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>),
//! booleans, integers and floating-point numbers of 4 or 8 bytes, either byte order, C or Fortran order, up to
//! [`MOST_DIMENSIONS`] dimensions. The header must be the dictionary literal that NumPy writes; it is read by a scanner
//! without recursion, and the array's size is compared with the file's before anything is used: a file is untrusted,
//! and general readers of Python literals recurse on brackets and multiply dimensions unchecked.
//!
//! Not here: structured and object arrays, and archives (`.npz`).

use crate::error::DataProblem;

/// The most dimensions an array can have here.
pub const MOST_DIMENSIONS: usize = 8;

const MAGIC: &[u8] = b"\x93NUMPY";

/// An array in a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Npy<'a> {
    /// The dimensions.
    pub shape: Vec<usize>,
    fortran: bool,
    element: Element,
    data: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Element {
    kind: Kind,
    bytes: usize,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Signed,
    Float,
}

/// Whether a file begins as NPY files do.
pub fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

impl<'a> Npy<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// [`DataProblem::Header`], [`DataProblem::Length`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DataProblem> {
        let (begin, text, data) = split(bytes)?;
        let Header { descr, fortran, shape } =
            Header::parse(text).map_err(|(offset, what)| header(begin + offset, what))?;
        let element = Element::from_name(descr).ok_or_else(|| {
            header(begin, format!("elements of type `{descr}` are neither whole numbers nor 4- or 8-byte floats"))
        })?;
        let expected = shape.iter().fold(element.bytes as u128, |product, n| product.saturating_mul(*n as u128));
        let expected = expected.saturating_add((bytes.len() - data.len()) as u128);
        let found = bytes.len();
        if expected != found as u128 {
            let what = if expected > found as u128 { "truncated" } else { "too long" };
            return Err(DataProblem::Length { what, expected, found });
        }
        Ok(Self { shape, fortran, element, data })
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.data.len() / self.element.bytes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The element at `index`, if it is there and a whole number. NaN and infinity are none.
    pub fn whole(&self, index: &[usize]) -> Option<i64> {
        if index.len() != self.shape.len() || index.iter().zip(&self.shape).any(|(at, size)| at >= size) {
            return None;
        }
        let next = |offset: usize, (at, size): (&usize, &usize)| offset * size + at;
        let pairs = index.iter().zip(&self.shape);
        let offset = if self.fortran { pairs.rev().fold(0, next) } else { pairs.fold(0, next) };
        let bytes = self.data.get(offset * self.element.bytes..)?.get(..self.element.bytes)?;
        self.element.whole(bytes)
    }
}

/// The offset of the header's text, the text, and the data behind it.
fn split(bytes: &[u8]) -> Result<(usize, &str, &[u8]), DataProblem> {
    let cut = || header(bytes.len(), "the file ends within its header".to_owned());
    let version = *bytes.get(MAGIC.len()).ok_or_else(cut)?;
    let begin = match version {
        1 => MAGIC.len() + 4,
        2 | 3 => MAGIC.len() + 6,
        _ => return Err(header(MAGIC.len(), format!("format version {version} is not 1, 2 or 3"))),
    };
    let length = bytes.get(MAGIC.len() + 2..begin).ok_or_else(cut)?;
    let length = length.iter().rev().fold(0usize, |number, byte| number << 8 | usize::from(*byte));
    let (text, data) = bytes[begin..].split_at_checked(length).ok_or_else(cut)?;
    let text = std::str::from_utf8(text)
        .map_err(|error| header(begin + error.valid_up_to(), "the header is not text".to_owned()))?;
    Ok((begin, text, data))
}

fn header(offset: usize, what: String) -> DataProblem {
    DataProblem::Header { offset, what }
}

impl Element {
    /// The type that NumPy calls `<i4` and the like.
    fn from_name(name: &str) -> Option<Self> {
        let mut chars = name.chars();
        let (order, kind) = (chars.next()?, chars.next()?);
        let bytes: usize = chars.as_str().parse().ok()?;
        let big_endian = match order {
            '>' => true,
            '<' | '=' => false,
            '|' if bytes == 1 => false,
            _ => return None,
        };
        let (kind, sizes): (_, &[usize]) = match kind {
            'b' => (Kind::Unsigned, &[1]),
            'u' => (Kind::Unsigned, &[1, 2, 4, 8]),
            'i' => (Kind::Signed, &[1, 2, 4, 8]),
            'f' => (Kind::Float, &[4, 8]),
            _ => return None,
        };
        sizes.contains(&bytes).then_some(Self { kind, bytes, big_endian })
    }

    /// The whole number that `bytes` hold; `None` for a fraction, NaN, infinity, or beyond 64 bits.
    fn whole(self, bytes: &[u8]) -> Option<i64> {
        let shift = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
        let word = if self.big_endian { bytes.iter().fold(0, shift) } else { bytes.iter().rev().fold(0, shift) };
        let unused = 64 - 8 * self.bytes as u32;
        let float = |number: f64| (number.fract() == 0.0 && number.abs() < 2f64.powi(53)).then_some(number as i64);
        match (self.kind, self.bytes) {
            (Kind::Unsigned, _) => i64::try_from(word).ok(),
            (Kind::Signed, _) => Some((word << unused) as i64 >> unused),
            (Kind::Float, 4) => float(f32::from_bits(word as u32).into()),
            (Kind::Float, _) => float(f64::from_bits(word)),
        }
    }
}

/// The header's dictionary.
struct Header<'t> {
    descr: &'t str,
    fortran: bool,
    shape: Vec<usize>,
}

impl<'t> Header<'t> {
    /// Reads `{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }`, keys in any order.
    fn parse(text: &'t str) -> Result<Self, (usize, String)> {
        let mut scanner = Scanner { text, at: 0 };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        scanner.expect("{")?;
        while !scanner.take("}") {
            let key = scanner.string()?;
            scanner.expect(":")?;
            match key {
                "descr" => descr = Some(scanner.string()?),
                "fortran_order" => fortran = Some(scanner.boolean()?),
                "shape" => shape = Some(scanner.shape()?),
                _ => return Err(scanner.wrong(&format!("an array has no `{key}`"))),
            }
            if !scanner.take(",") {
                scanner.expect("}")?;
                break;
            }
        }
        let missing = |key: &str| (text.len(), format!("`{key}` is missing"));
        Ok(Self {
            descr: descr.ok_or_else(|| missing("descr"))?,
            fortran: fortran.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    fn rest(&mut self) -> &'t str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), (usize, String)> {
        if self.take(token) { Ok(()) } else { Err(self.wrong(&format!("`{token}` is expected"))) }
    }

    fn wrong(&self, what: &str) -> (usize, String) {
        (self.at, what.to_owned())
    }

    fn string(&mut self) -> Result<&'t str, (usize, String)> {
        let rest = self.rest();
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let body = quote.and_then(|quote| rest[1..].split_once(quote)).map(|(body, _)| body);
        let body = body.ok_or_else(|| self.wrong("a quoted name is expected (structured arrays cannot be read)"))?;
        self.at += body.len() + 2;
        Ok(body)
    }

    fn boolean(&mut self) -> Result<bool, (usize, String)> {
        if self.take("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn shape(&mut self) -> Result<Vec<usize>, (usize, String)> {
        self.expect("(")?;
        let mut shape = Vec::new();
        while !self.take(")") {
            let rest = self.rest();
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let size = rest[..digits].parse().map_err(|_| self.wrong("a dimension is expected"))?;
            self.at += digits;
            // Python 2 wrote long integers with an L.
            self.take("L");
            shape.push(size);
            if shape.len() > MOST_DIMENSIONS {
                return Err(self.wrong(&format!("there are more than {MOST_DIMENSIONS} dimensions")));
            }
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(shape)
    }
}
