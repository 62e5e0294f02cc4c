//! Arrays of numbers in files: raw little-endian, NumPy's `.npy`, and `.npz` archives of those.
//!
//! Contract: [`load`] gives exactly `rows × columns` numbers, row-major, without the padding that the file may have
//! behind each row (which must be zero), or says what the file has instead; [`load_list`] gives as many as there are, up to a
//! limit. A file's claims about its own size are checked against its length before anything is allocated.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use crate::npy::{self, Array, LONGEST_HEADER, NpyError, Numbers};

/// The numbers of a raw file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dtype {
    Int8,
    Uint8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Float32,
    Float64,
}

impl Dtype {
    pub(super) const CHOICES: [(&'static str, Self); 8] = [
        ("int8", Self::Int8),
        ("uint8", Self::Uint8),
        ("int16", Self::Int16),
        ("uint16", Self::Uint16),
        ("int32", Self::Int32),
        ("uint32", Self::Uint32),
        ("float32", Self::Float32),
        ("float64", Self::Float64),
    ];

    fn bytes(self) -> usize {
        match self {
            Self::Int8 | Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    pub(super) fn name(self) -> &'static str {
        let name = Self::CHOICES.iter().find(|(_, dtype)| *dtype == self);
        name.map_or("", |(name, _)| name)
    }
}

/// How the numbers of a file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// One after the other.
    Raw(Dtype),
    /// A NumPy array.
    Npy,
    /// A member of an archive of NumPy arrays.
    Npz(&'a str),
}

/// Which numbers of a file are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Length of a row in the file, at least `columns`.
    pub(super) stored: usize,
}

impl Shape {
    fn total(self) -> Option<usize> {
        self.rows.checked_mul(self.stored)
    }

    fn describe(self) -> String {
        match self.rows {
            1 => format!("{}", self.stored),
            rows => format!("{rows} × {}", self.stored),
        }
    }
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot read {}: {error}", path.display())]
    Io { path: PathBuf, error: std::io::Error },
    #[error("{} has {found} bytes, but {shape} numbers of {dtype} are {expected} bytes{}", path.display(), remark(*.columns))]
    Length { path: PathBuf, found: u64, expected: u64, shape: String, dtype: &'static str, columns: Option<u64> },
    #[error("{} {error}", path.display())]
    Npy { path: PathBuf, error: NpyError },
    #[error("{} is no archive of NumPy arrays: {what}", path.display())]
    Archive { path: PathBuf, what: String },
    #[error("{} has no array `{name}`; it has {names}", path.display())]
    Member { path: PathBuf, name: String, names: String },
    #[error("{} has {found} bytes, which is no whole number of {dtype}", path.display())]
    Odd { path: PathBuf, found: u64, dtype: &'static str },
    #[error("{} has shape ({}), but a plain list is needed", path.display(), list(.found))]
    NoList { path: PathBuf, found: Vec<u64> },
    #[error("{} has more numbers than the {most} there can be", path.display())]
    TooMany { path: PathBuf, most: u64 },
    #[error("{} has {found} bytes, more than {shape} numbers can take", path.display())]
    TooLong { path: PathBuf, found: u64, shape: String },
    #[error("{} has shape ({}), but {shape} numbers are needed", path.display(), list(.found))]
    Shape { path: PathBuf, found: Vec<u64>, shape: String },
    #[error("{} has {number} behind the last column, at row {row}, column {column}; only zeros may be there", path.display())]
    Padding { path: PathBuf, row: usize, column: usize, number: f64 },
}

fn remark(columns: Option<u64>) -> String {
    columns.map(|columns| format!("; with `columns = {columns}` they would fit")).unwrap_or_default()
}

fn list(shape: &[u64]) -> String {
    shape.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

/// The numbers of `path`; a NumPy array may also have the shape `axes`.
pub(super) fn load(path: &Path, shape: Shape, axes: &[u64], kind: Kind<'_>) -> Result<Numbers, FileError> {
    let io = |error| FileError::Io { path: path.to_owned(), error };
    let numbers = match kind {
        Kind::Raw(dtype) => {
            check_length(path, std::fs::metadata(path).map_err(io)?.len(), shape, dtype)?;
            raw(&std::fs::read(path).map_err(io)?, dtype)
        }
        Kind::Npy | Kind::Npz(_) => {
            let most = shape.total().map_or(u64::MAX, |total| total as u64);
            let too_long = |found| FileError::TooLong { path: path.to_owned(), found, shape: shape.describe() };
            npy(path, &numpy(path, kind, most, too_long)?, shape, axes)?
        }
    };
    without_padding(path, numbers, shape)
}

/// All numbers of `path`, at most `most`, which are a plain list.
pub(super) fn load_list(path: &Path, most: u64, kind: Kind<'_>) -> Result<Numbers, FileError> {
    let io = |error| FileError::Io { path: path.to_owned(), error };
    let too_many = || FileError::TooMany { path: path.to_owned(), most };
    match kind {
        Kind::Raw(dtype) => {
            let found = std::fs::metadata(path).map_err(io)?.len();
            let bytes = dtype.bytes() as u64;
            if !found.is_multiple_of(bytes) {
                return Err(FileError::Odd { path: path.to_owned(), found, dtype: dtype.name() });
            }
            if found / bytes > most {
                return Err(too_many());
            }
            Ok(raw(&std::fs::read(path).map_err(io)?, dtype))
        }
        Kind::Npy | Kind::Npz(_) => {
            let bytes = numpy(path, kind, most, |_| too_many())?;
            let Array { shape, numbers } =
                npy::read(&bytes).map_err(|error| FileError::Npy { path: path.to_owned(), error })?;
            match shape[..] {
                [length] if length <= most => Ok(numbers),
                [_] => Err(too_many()),
                _ => Err(FileError::NoList { path: path.to_owned(), found: shape }),
            }
        }
    }
}

/// The bytes of a NumPy array of at most `most` numbers.
fn numpy(path: &Path, kind: Kind<'_>, most: u64, too_long: impl Fn(u64) -> FileError) -> Result<Vec<u8>, FileError> {
    let io = |error| FileError::Io { path: path.to_owned(), error };
    let limit = most.saturating_mul(8).saturating_add(2 * LONGEST_HEADER as u64);
    if let Kind::Npz(name) = kind {
        return member(path, name, limit, too_long);
    }
    let length = std::fs::metadata(path).map_err(io)?.len();
    if length > limit {
        return Err(too_long(length));
    }
    std::fs::read(path).map_err(io)
}

/// One array of an archive. What it says about its size is not believed.
fn member(path: &Path, name: &str, limit: u64, too_long: impl Fn(u64) -> FileError) -> Result<Vec<u8>, FileError> {
    let wrong = |what: String| FileError::Archive { path: path.to_owned(), what };
    let bytes = std::fs::read(path).map_err(|error| FileError::Io { path: path.to_owned(), error })?;
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| wrong(error.to_string()))?;
    let Some(index) = archive.index_for_name(&format!("{name}.npy")) else {
        let names = archive.file_names().filter_map(Result::ok).take(20);
        let names: Vec<String> = names.map(|name| name.trim_end_matches(".npy").to_owned()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (path, names) = (path.to_owned(), super::table::list(&names));
        return Err(FileError::Member { path, name: name.to_owned(), names });
    };
    let file = archive.by_index(index).map_err(|error| wrong(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(too_long(bytes.len() as u64));
    }
    Ok(bytes)
}

fn check_length(path: &Path, found: u64, shape: Shape, dtype: Dtype) -> Result<(), FileError> {
    let bytes = dtype.bytes() as u64;
    let expected = shape.total().map_or(u64::MAX, |total| (total as u64).saturating_mul(bytes));
    if found == expected {
        return Ok(());
    }
    let row = bytes * shape.rows as u64;
    let columns = (found > 0 && found.is_multiple_of(row)).then(|| found / row);
    let columns = columns.filter(|columns| *columns > shape.columns as u64);
    let (path, shape, dtype) = (path.to_owned(), shape.describe(), dtype.name());
    Err(FileError::Length { path, found, expected, shape, dtype, columns })
}

fn raw(bytes: &[u8], dtype: Dtype) -> Numbers {
    match dtype {
        Dtype::Int8 => Numbers::Codes(elements(bytes, i8::from_le_bytes)),
        Dtype::Uint8 => Numbers::Codes(elements(bytes, u8::from_le_bytes)),
        Dtype::Int16 => Numbers::Codes(elements(bytes, i16::from_le_bytes)),
        Dtype::Uint16 => Numbers::Codes(elements(bytes, u16::from_le_bytes)),
        Dtype::Int32 => Numbers::Codes(elements(bytes, i32::from_le_bytes)),
        Dtype::Uint32 => Numbers::Codes(elements(bytes, u32::from_le_bytes)),
        Dtype::Float32 => Numbers::Reals(elements(bytes, f32::from_le_bytes)),
        Dtype::Float64 => Numbers::Reals(elements(bytes, f64::from_le_bytes)),
    }
}

fn elements<const N: usize, T, U: From<T>>(bytes: &[u8], element: fn([u8; N]) -> T) -> Vec<U> {
    bytes.as_chunks::<N>().0.iter().map(|bytes| U::from(element(*bytes))).collect()
}

fn npy(path: &Path, bytes: &[u8], shape: Shape, axes: &[u64]) -> Result<Numbers, FileError> {
    let path = || path.to_owned();
    let Array { shape: found, numbers } = npy::read(bytes).map_err(|error| FileError::Npy { path: path(), error })?;
    let (rows, stored) = (shape.rows as u64, shape.stored as u64);
    let flat = found.len() == 1 && shape.total().is_some_and(|total| found[0] == total as u64);
    if !(flat
        || found == [rows, stored]
        || rows == 1 && found == [stored]
        || found == axes && shape.stored == shape.columns)
    {
        return Err(FileError::Shape { path: path(), found, shape: shape.describe() });
    }
    Ok(numbers)
}

fn without_padding(path: &Path, numbers: Numbers, shape: Shape) -> Result<Numbers, FileError> {
    if shape.stored == shape.columns {
        return Ok(numbers);
    }
    let padding = |(place, number): (usize, f64)| {
        let path = path.to_owned();
        FileError::Padding { path, row: place / shape.stored, column: place % shape.stored, number }
    };
    match numbers {
        Numbers::Codes(codes) => strip(&codes, shape, 0).map(Numbers::Codes).map_err(|(p, n)| padding((p, n as f64))),
        Numbers::Reals(reals) => strip(&reals, shape, 0.0).map(Numbers::Reals).map_err(padding),
    }
}

/// The first columns of each row, or the first number behind them that is not zero, with its index.
fn strip<T: Copy + PartialEq>(numbers: &[T], shape: Shape, zero: T) -> Result<Vec<T>, (usize, T)> {
    let mut kept = Vec::with_capacity(shape.rows * shape.columns);
    for (row, numbers) in numbers.chunks_exact(shape.stored).enumerate() {
        let (used, padding) = numbers.split_at(shape.columns);
        if let Some(column) = padding.iter().position(|number| *number != zero) {
            return Err((row * shape.stored + shape.columns + column, padding[column]));
        }
        kept.extend_from_slice(used);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use npyz::Order;

    use super::*;
    use crate::npy::tests::written;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn loaded(bytes: &[u8], shape: Shape, dtype: Option<Dtype>) -> Result<Numbers, String> {
        // Without the path, which is different every time.
        let file = file(bytes);
        let name = file.path().display().to_string();
        load(file.path(), shape, &[], dtype.map_or(Kind::Npy, Kind::Raw))
            .map_err(|error| error.to_string().replace(&name, "FILE"))
    }

    const TWO_BY_THREE: Shape = Shape { rows: 2, columns: 3, stored: 3 };
    const PADDED: Shape = Shape { rows: 2, columns: 2, stored: 3 };

    #[test]
    fn raw_files_are_little_endian_and_row_major() {
        let bytes = [1, 0, 0xff, 0xff, 0, 0x80, 4, 0, 5, 0, 0, 0];
        let codes = vec![1, -1, -32768, 4, 5, 0];
        assert_eq!(loaded(&bytes, TWO_BY_THREE, Some(Dtype::Int16)), Ok(Numbers::Codes(codes)));
        let bytes: Vec<u8> = [1.5f32, 0.0, f32::INFINITY].iter().flat_map(|x| x.to_le_bytes()).collect();
        let shape = Shape { rows: 1, columns: 3, stored: 3 };
        assert_eq!(loaded(&bytes, shape, Some(Dtype::Float32)), Ok(Numbers::Reals(vec![1.5, 0.0, f64::INFINITY])));
    }

    #[test]
    fn padding_is_left_out_only_if_it_is_zero() {
        let good = loaded(&[1, 2, 0, 4, 5, 0], PADDED, Some(Dtype::Int8));
        assert_eq!(good, Ok(Numbers::Codes(vec![1, 2, 4, 5])));
        let bad = loaded(&[1, 2, 0, 4, 5, 6], PADDED, Some(Dtype::Int8)).unwrap_err();
        assert_eq!(bad, "FILE has 6 behind the last column, at row 1, column 2; only zeros may be there");
    }

    #[test]
    fn wrong_lengths_say_what_would_fit() {
        let error = loaded(&[0; 11], TWO_BY_THREE, Some(Dtype::Int16)).unwrap_err();
        assert_eq!(error, "FILE has 11 bytes, but 2 × 3 numbers of int16 are 12 bytes");
        let error = loaded(&[0; 32], TWO_BY_THREE, Some(Dtype::Int16)).unwrap_err();
        assert!(error.ends_with("; with `columns = 8` they would fit"), "{error}");
    }

    #[test]
    fn numpy_files_have_to_have_the_shape() {
        let rows = [1i16, 2, 3, 4, 5, 6];
        let expected = Ok(Numbers::Codes(vec![1, 2, 3, 4, 5, 6]));
        for shape in [vec![2, 3], vec![6]] {
            assert_eq!(loaded(&written(&rows, &shape, Order::C), TWO_BY_THREE, None), expected);
        }
        let error = loaded(&written(&rows, &[3, 2], Order::C), TWO_BY_THREE, None).unwrap_err();
        assert_eq!(error, "FILE has shape (3, 2), but 2 × 3 numbers are needed");
        let error = loaded(&[0; 10_000], TWO_BY_THREE, None).unwrap_err();
        assert_eq!(error, "FILE has 10000 bytes, more than 2 × 3 numbers can take");
        let error = loaded(b"hello", TWO_BY_THREE, None).unwrap_err();
        assert!(error.starts_with("FILE is not a NumPy file"), "{error}");
    }
}
