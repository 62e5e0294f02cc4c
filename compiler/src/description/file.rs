//! Arrays of numbers in files: raw little-endian and NumPy's `.npy`.
//!
//! Contract: [`load`] gives exactly `rows × columns` numbers, row-major, without the padding that the file may have
//! behind each row (which must be zero), or says what the file has instead. A file's claims about its own size are
//! checked against its length before anything is allocated.

use std::path::{Path, PathBuf};

use npyz::{NpyFile, Order, TypeChar};

/// The numbers of a raw file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dtype {
    Int8,
    Int16,
    Float32,
    Float64,
}

impl Dtype {
    pub(super) const CHOICES: [(&'static str, Self); 4] =
        [("int8", Self::Int8), ("int16", Self::Int16), ("float32", Self::Float32), ("float64", Self::Float64)];

    fn bytes(self) -> usize {
        match self {
            Self::Int8 => 1,
            Self::Int16 => 2,
            Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        }
    }
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

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Numbers {
    /// Integers, which are codes.
    Codes(Vec<i64>),
    /// Real numbers, not necessarily finite.
    Reals(Vec<f64>),
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot read {}: {error}", path.display())]
    Io { path: PathBuf, error: std::io::Error },
    #[error("{} has {found} bytes, but {shape} numbers of {dtype} are {expected} bytes{}", path.display(), remark(*.columns))]
    Length { path: PathBuf, found: u64, expected: u64, shape: String, dtype: &'static str, columns: Option<u64> },
    #[error("{} is not a NumPy file: {what}", path.display())]
    NotNpy { path: PathBuf, what: String },
    #[error("{} has shape ({}), but {shape} numbers are needed", path.display(), list(.found))]
    Shape { path: PathBuf, found: Vec<u64>, shape: String },
    #[error("{} has numbers of type {dtype}; integers of up to 8 bytes and floats of 4 or 8 can be read", path.display())]
    Dtype { path: PathBuf, dtype: String },
    #[error("{} has {number} behind the last column, at row {row}, column {column}; only zeros may be there", path.display())]
    Padding { path: PathBuf, row: usize, column: usize, number: f64 },
}

fn remark(columns: Option<u64>) -> String {
    columns.map(|columns| format!("; with `columns = {columns}` they would fit")).unwrap_or_default()
}

fn list(shape: &[u64]) -> String {
    shape.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

/// A NumPy header larger than this is nonsense for a plain array.
const LONGEST_HEADER: usize = 4096;

/// The numbers of `path`; raw with elements of `dtype`, or a NumPy file if that is `None`.
pub(super) fn load(path: &Path, shape: Shape, dtype: Option<Dtype>) -> Result<Numbers, FileError> {
    let io = |error| FileError::Io { path: path.to_owned(), error };
    let length = std::fs::metadata(path).map_err(io)?.len();
    let read = || std::fs::read(path).map_err(io);
    let numbers = match dtype {
        Some(dtype) => {
            check_length(path, length, shape, dtype)?;
            raw(&read()?, dtype)
        }
        None => {
            let most = shape.total().and_then(|total| total.checked_mul(8)).unwrap_or(usize::MAX);
            if length > (most as u64).saturating_add(2 * LONGEST_HEADER as u64) {
                let what = format!("{length} bytes are more than {} numbers need", shape.describe());
                return Err(FileError::NotNpy { path: path.to_owned(), what });
            }
            npy(path, &read()?, shape)?
        }
    };
    without_padding(path, numbers, shape)
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
        Dtype::Int8 => Numbers::Codes(bytes.iter().map(|byte| i64::from(*byte as i8)).collect()),
        Dtype::Int16 => Numbers::Codes(elements(bytes, i16::from_le_bytes)),
        Dtype::Float32 => Numbers::Reals(elements(bytes, f32::from_le_bytes)),
        Dtype::Float64 => Numbers::Reals(elements(bytes, f64::from_le_bytes)),
    }
}

fn elements<const N: usize, T, U: From<T>>(bytes: &[u8], element: fn([u8; N]) -> T) -> Vec<U> {
    bytes.as_chunks::<N>().0.iter().map(|bytes| U::from(element(*bytes))).collect()
}

fn npy(path: &Path, bytes: &[u8], shape: Shape) -> Result<Numbers, FileError> {
    let not_npy = |what: String| FileError::NotNpy { path: path.to_owned(), what };
    check_header(bytes).map_err(|what| not_npy(what.to_owned()))?;
    let file = NpyFile::new(bytes).map_err(|error| not_npy(error.to_string()))?;
    let found = file.shape().to_vec();
    let (rows, stored) = (shape.rows as u64, shape.stored as u64);
    let flat = found.len() == 1 && shape.total().is_some_and(|total| found[0] == total as u64);
    if !(flat || found == [rows, stored] || rows == 1 && found == [stored]) {
        return Err(FileError::Shape { path: path.to_owned(), found, shape: shape.describe() });
    }
    let transposed = file.order() == Order::Fortran && found.len() == 2;
    let numbers = npy_numbers(path, file)?;
    Ok(if !transposed {
        numbers
    } else {
        match numbers {
            Numbers::Codes(codes) => Numbers::Codes(transpose(&codes, shape)),
            Numbers::Reals(reals) => Numbers::Reals(transpose(&reals, shape)),
        }
    })
}

/// Keeps headers from the reader that it could neither allocate nor multiply: the header is short, shallow and claims
/// no more numbers than the file has bytes.
fn check_header(bytes: &[u8]) -> Result<(), &'static str> {
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err("it does not begin with NumPy's signature");
    }
    let length = match bytes {
        [_, _, _, _, _, _, 1, _, a, b, ..] => 10 + usize::from(u16::from_le_bytes([*a, *b])),
        [_, _, _, _, _, _, 2 | 3, _, a, b, c, d, ..] => {
            12usize.saturating_add(u32::from_le_bytes([*a, *b, *c, *d]) as usize)
        }
        _ => return Err("its version is unknown"),
    };
    let header = bytes.get(..length.min(LONGEST_HEADER)).filter(|header| header.len() == length);
    let header = String::from_utf8_lossy(header.ok_or("its header is cut off or too long")?);
    if header.matches(['(', '[', '{']).count() > 8 {
        return Err("it holds something other than a plain array");
    }
    let after = header.split_once("'shape'").ok_or("its header has no shape")?.1;
    let tuple = after.split_once('(').and_then(|(_, rest)| rest.split_once(')')).ok_or("its header has no shape")?.0;
    let sizes = tuple.split(',').map(str::trim).filter(|size| !size.is_empty());
    let total = sizes.map(|size| size.parse::<usize>().ok()).try_fold(1usize, |total, size| total.checked_mul(size?));
    if total.is_none_or(|total| total > bytes.len()) {
        return Err("it is cut off: its header promises more numbers than there are bytes");
    }
    Ok(())
}

fn npy_numbers(path: &Path, file: NpyFile<&[u8]>) -> Result<Numbers, FileError> {
    let dtype = file.dtype();
    let cut = |error: std::io::Error| FileError::NotNpy { path: path.to_owned(), what: error.to_string() };
    let unsupported = || FileError::Dtype { path: path.to_owned(), dtype: dtype.descr() };
    let npyz::DType::Plain(plain) = &dtype else { return Err(unsupported()) };
    let codes = |codes: std::io::Result<Vec<i64>>| codes.map(Numbers::Codes).map_err(cut);
    match (plain.type_char(), plain.size_field()) {
        (TypeChar::Int, 1) => codes(widen::<i8>(file)),
        (TypeChar::Int, 2) => codes(widen::<i16>(file)),
        (TypeChar::Int, 4) => codes(widen::<i32>(file)),
        (TypeChar::Int, 8) => codes(widen::<i64>(file)),
        (TypeChar::Uint, 1) => codes(widen::<u8>(file)),
        (TypeChar::Uint, 2) => codes(widen::<u16>(file)),
        (TypeChar::Uint, 4) => codes(widen::<u32>(file)),
        (TypeChar::Float, 4) => {
            let singles = file.into_vec::<f32>().map_err(cut)?;
            Ok(Numbers::Reals(singles.into_iter().map(f64::from).collect()))
        }
        (TypeChar::Float, 8) => file.into_vec().map(Numbers::Reals).map_err(cut),
        _ => Err(unsupported()),
    }
}

fn widen<T: npyz::Deserialize + Into<i64>>(file: NpyFile<&[u8]>) -> std::io::Result<Vec<i64>> {
    Ok(file.into_vec::<T>()?.into_iter().map(Into::into).collect())
}

/// Column-major to row-major.
fn transpose<T: Copy>(numbers: &[T], shape: Shape) -> Vec<T> {
    let column = |row| (0..shape.stored).map(move |column| numbers[column * shape.rows + row]);
    (0..shape.rows).flat_map(column).collect()
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

    use npyz::WriterBuilder;
    use proptest::prelude::*;

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn loaded(bytes: &[u8], shape: Shape, dtype: Option<Dtype>) -> Result<Numbers, String> {
        // Without the path, which is different every time.
        let file = file(bytes);
        let name = file.path().display().to_string();
        load(file.path(), shape, dtype).map_err(|error| error.to_string().replace(&name, "FILE"))
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

    fn written<T: npyz::AutoSerialize + Copy>(numbers: &[T], shape: &[u64], order: Order) -> Vec<u8> {
        let mut bytes = Vec::new();
        let options = npyz::WriteOptions::new().default_dtype().shape(shape).order(order);
        let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
        writer.extend(numbers.iter().copied()).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn numpy_files_of_every_shape_and_order_agree() {
        let rows = [1i16, 2, 3, 4, 5, 6];
        let expected = Ok(Numbers::Codes(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(loaded(&written(&rows, &[2, 3], Order::C), TWO_BY_THREE, None), expected);
        assert_eq!(loaded(&written(&rows, &[6], Order::C), TWO_BY_THREE, None), expected);
        let columns = [1i64, 4, 2, 5, 3, 6];
        assert_eq!(loaded(&written(&columns, &[2, 3], Order::Fortran), TWO_BY_THREE, None), expected);
        let reals = Numbers::Reals(vec![0.5, -1.0, 2.0, 3.0, 4.0, 5.0]);
        let singles = written(&[0.5f32, -1.0, 2.0, 3.0, 4.0, 5.0], &[2, 3], Order::C);
        assert_eq!(loaded(&singles, TWO_BY_THREE, None), Ok(reals));
        let error = loaded(&written(&rows, &[3, 2], Order::C), TWO_BY_THREE, None).unwrap_err();
        assert_eq!(error, "FILE has shape (3, 2), but 2 × 3 numbers are needed");
        let error = loaded(&written(&[true; 6], &[6], Order::C), TWO_BY_THREE, None).unwrap_err();
        assert!(error.contains("type '|b1'"), "{error}");
    }

    #[test]
    fn damaged_numpy_files_are_refused() {
        let good = written(&[1i16, 2, 3, 4, 5, 6], &[2, 3], Order::C);
        for length in 0..good.len() {
            assert!(loaded(&good[..length], TWO_BY_THREE, None).is_err(), "{length} bytes");
        }
        let text = String::from_utf8_lossy(&good[10..]).into_owned();
        for wrong in ["(18446744073709551615, 2)", "(2, -3)", "((((", "(2, 3, 99999999999999999999999)"] {
            let mut bytes = good[..10].to_vec();
            bytes.extend(text.replace("(2, 3)", wrong).bytes());
            assert!(loaded(&bytes, TWO_BY_THREE, None).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn damaged_bytes_never_panic(place in 0usize..140, byte: u8) {
            let mut bytes = written(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3], Order::C);
            let place = place % bytes.len();
            bytes[place] = byte;
            let _ = loaded(&bytes, TWO_BY_THREE, None);
        }
    }
}
