//! NumPy's `.npy` files of plain numbers.
//!
//! Contract: [`read`] gives the shape and all numbers in C order, or says why the bytes are no such file. Nothing is
//! allocated that the number of bytes does not bound, and no bytes make it panic.
//!
//! Not here: structured and pickled arrays, and archives (`.npz`).

use npyz::{NpyFile, Order, TypeChar};

/// A header larger than this is nonsense for a plain array.
pub(crate) const LONGEST_HEADER: usize = 4096;

/// An array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    /// Length of each axis, slowest first.
    pub(crate) shape: Vec<u64>,
    /// All numbers, the last axis fastest.
    pub(crate) numbers: Numbers,
}

/// What an array holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Numbers {
    /// Integers (in weight files: codes).
    Codes(Vec<i64>),
    /// Real numbers, not necessarily finite.
    Reals(Vec<f64>),
}

/// Why bytes are no array; the message continues a file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NpyError {
    #[error("is not a NumPy file: {0}")]
    Malformed(String),
    #[error("has numbers of type {0}; integers and floats of 4 or 8 bytes can be read")]
    Dtype(String),
}

/// The array that `bytes` hold.
pub(crate) fn read(bytes: &[u8]) -> Result<Array, NpyError> {
    check_header(bytes).map_err(|what| NpyError::Malformed(what.to_owned()))?;
    let file = NpyFile::new(bytes).map_err(malformed)?;
    let shape = file.shape().to_vec();
    let columns_first = file.order() == Order::Fortran && shape.len() > 1;
    let numbers = numbers(file)?;
    let numbers = match numbers {
        numbers if !columns_first => numbers,
        Numbers::Codes(codes) => Numbers::Codes(to_c_order(&codes, &shape)),
        Numbers::Reals(reals) => Numbers::Reals(to_c_order(&reals, &shape)),
    };
    Ok(Array { shape, numbers })
}

fn malformed(error: std::io::Error) -> NpyError {
    NpyError::Malformed(error.to_string())
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
    // A key that appears twice, or escaped, could hide a shape from this check.
    if header.matches("shape").count() != 1 || header.contains('\\') {
        return Err("its header has no shape");
    }
    let after = header.split_once("shape").ok_or("its header has no shape")?.1;
    let tuple = after.split_once('(').and_then(|(_, rest)| rest.split_once(')')).ok_or("its header has no shape")?.0;
    let sizes = tuple.split(',').map(str::trim).filter(|size| !size.is_empty());
    let total = sizes.map(|size| size.parse::<usize>().ok()).try_fold(1usize, |total, size| total.checked_mul(size?));
    if total.is_none_or(|total| total > bytes.len()) {
        return Err("it is cut off: its header promises more numbers than there are bytes");
    }
    Ok(())
}

fn numbers(file: NpyFile<&[u8]>) -> Result<Numbers, NpyError> {
    let dtype = file.dtype();
    let unsupported = || NpyError::Dtype(dtype.descr());
    let npyz::DType::Plain(plain) = &dtype else { return Err(unsupported()) };
    let codes = |codes: std::io::Result<Vec<i64>>| codes.map(Numbers::Codes).map_err(malformed);
    match (plain.type_char(), plain.size_field()) {
        (TypeChar::Bool, _) => codes(file.into_vec::<bool>().map(|all| all.into_iter().map(i64::from).collect())),
        (TypeChar::Int, 1) => codes(widen::<i8>(file)),
        (TypeChar::Int, 2) => codes(widen::<i16>(file)),
        (TypeChar::Int, 4) => codes(widen::<i32>(file)),
        (TypeChar::Int, 8) => codes(widen::<i64>(file)),
        (TypeChar::Uint, 1) => codes(widen::<u8>(file)),
        (TypeChar::Uint, 2) => codes(widen::<u16>(file)),
        (TypeChar::Uint, 4) => codes(widen::<u32>(file)),
        (TypeChar::Float, 4) => {
            let singles = file.into_vec::<f32>().map_err(malformed)?;
            Ok(Numbers::Reals(singles.into_iter().map(f64::from).collect()))
        }
        (TypeChar::Float, 8) => file.into_vec().map(Numbers::Reals).map_err(malformed),
        _ => Err(unsupported()),
    }
}

fn widen<T: npyz::Deserialize + Into<i64>>(file: NpyFile<&[u8]>) -> std::io::Result<Vec<i64>> {
    Ok(file.into_vec::<T>()?.into_iter().map(Into::into).collect())
}

/// First axis fastest to last axis fastest.
fn to_c_order<T: Copy>(numbers: &[T], shape: &[u64]) -> Vec<T> {
    let shape: Vec<usize> = shape.iter().map(|length| *length as usize).collect();
    let mut index = vec![0; shape.len()];
    let mut ordered = Vec::with_capacity(numbers.len());
    for _ in 0..numbers.len() {
        let place = index.iter().zip(&shape).rev().fold(0, |place, (index, length)| place * length + index);
        ordered.push(numbers[place]);
        for (index, length) in index.iter_mut().zip(&shape).rev() {
            *index = (*index + 1) % length;
            if *index > 0 {
                break;
            }
        }
    }
    ordered
}

#[cfg(test)]
pub(crate) mod tests {
    use npyz::WriterBuilder;
    use proptest::prelude::*;

    use super::*;

    /// A file with `numbers` in the order in which they are given.
    pub(crate) fn written<T: npyz::AutoSerialize + Copy>(numbers: &[T], shape: &[u64], order: Order) -> Vec<u8> {
        let mut bytes = Vec::new();
        let options = npyz::WriteOptions::new().default_dtype().shape(shape).order(order);
        let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
        writer.extend(numbers.iter().copied()).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn types_and_orders_agree() {
        let expected = Array { shape: vec![2, 3], numbers: Numbers::Codes(vec![1, 2, 3, 4, 5, 6]) };
        assert_eq!(read(&written(&[1i16, 2, 3, 4, 5, 6], &[2, 3], Order::C)).as_ref(), Ok(&expected));
        assert_eq!(read(&written(&[1u32, 4, 2, 5, 3, 6], &[2, 3], Order::Fortran)).as_ref(), Ok(&expected));
        // Element [i, j, k] is 4 i + 2 j + k.
        let expected = Array { shape: vec![2, 2, 2], numbers: Numbers::Codes((0..8).collect()) };
        assert_eq!(read(&written(&[0i64, 4, 2, 6, 1, 5, 3, 7], &[2, 2, 2], Order::Fortran)), Ok(expected));
        let reals = Array { shape: vec![3], numbers: Numbers::Reals(vec![0.5, -1.0, f64::INFINITY]) };
        assert_eq!(read(&written(&[0.5f32, -1.0, f32::INFINITY], &[3], Order::C)).as_ref(), Ok(&reals));
        assert_eq!(read(&written(&[0.5f64, -1.0, f64::INFINITY], &[3], Order::C)).as_ref(), Ok(&reals));
        let flags = Array { shape: vec![2], numbers: Numbers::Codes(vec![1, 0]) };
        assert_eq!(read(&written(&[true, false], &[2], Order::C)), Ok(flags));
        let error = read(&written(&[1u64], &[1], Order::C)).unwrap_err();
        assert_eq!(error, NpyError::Dtype("'<u8'".to_owned()));
    }

    #[test]
    fn damaged_files_are_refused() {
        let good = written(&[1i16, 2, 3, 4, 5, 6], &[2, 3], Order::C);
        for length in 0..good.len() {
            assert!(read(&good[..length]).is_err(), "{length} bytes");
        }
        let text = String::from_utf8_lossy(&good[10..]).into_owned();
        for wrong in ["(18446744073709551615, 2)", "(2, -3)", "((((", "(2, 3, 99999999999999999999999)"] {
            let mut bytes = good[..10].to_vec();
            let (before, rest) = text.split_once('(').unwrap();
            bytes.extend(format!("{before}{wrong}{}", rest.split_once(')').unwrap().1).bytes());
            let header = u16::try_from(bytes.len() - 22).unwrap();
            bytes[8..10].copy_from_slice(&header.to_le_bytes());
            assert!(read(&bytes).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn damaged_bytes_never_panic(place in 0usize..140, byte: u8) {
            let mut bytes = written(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3], Order::C);
            let place = place % bytes.len();
            bytes[place] = byte;
            let _ = read(&bytes);
        }
    }
}
