//! Decimal text to fixed point.
//!
//! Contract: a decimal is rounded once, to the nearest code, ties to the even one, however many digits it has; a number
//! outside the format is an error, never a saturated code.

use rustc_apfloat::ieee::Quad;
use rustc_apfloat::{Float, Round, Status};

use crate::fixed::Format;

/// More characters than any number needs; keeps the work for one number bounded.
const LONGEST: usize = 1000;

/// Why a text is not a number of a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// `{text}` is not a decimal number; write it as `-12.5` or `1.5e-3`.
    #[error("`{text}` is not a decimal number; write it as `-12.5` or `1.5e-3`")]
    Malformed {
        /// What was given.
        text: String,
    },
    /// The number does not fit; the message gives the format's range.
    #[error("{text} is outside {format}, which reaches from {} to {}", .format.to_f64(i16::MIN), .format.to_f64(i16::MAX))]
    OutOfRange {
        /// What was given.
        text: String,
        /// Where it was to fit in.
        format: Format,
    },
    /// The number has {length} characters; 1000 are enough for any.
    #[error("the number has {length} characters; 1000 are enough for any")]
    TooLong {
        /// How many.
        length: usize,
    },
}

/// The code nearest to the decimal number `text` in `format`, ties to the even code.
///
/// `text` is an optional sign, digits with an optional `.` among or around them, and an optional exponent `e-3`.
///
/// # Errors
/// Where `text` is no such number, or the code nearest to it does not exist.
pub fn parse_decimal(text: &str, format: Format) -> Result<i16, DecimalError> {
    if text.len() > LONGEST {
        return Err(DecimalError::TooLong { length: text.len() });
    }
    let malformed = || DecimalError::Malformed { text: text.to_owned() };
    let out_of_range = || DecimalError::OutOfRange { text: text.to_owned(), format };
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if !is_decimal(digits) {
        return Err(malformed());
    }
    // Truncated to 113 bits, with the knowledge whether anything was cut off: enough to round once afterwards.
    let parsed = Quad::from_str_r(digits, Round::TowardZero).map_err(|_| malformed())?;
    if parsed.status.contains(Status::OVERFLOW) {
        return Err(out_of_range());
    }
    // Two bits below the code: its half, and one that is set for anything below that.
    let scaled = parsed.value.scalbn(i32::from(format.fraction_bits()) + 2);
    let mut exact = true;
    let quarters = scaled.to_i128_r(64, Round::TowardZero, &mut exact);
    if quarters.status.contains(Status::INVALID_OP) {
        return Err(out_of_range());
    }
    let sticky = !exact || parsed.status != Status::OK;
    let quarters = quarters.value | i128::from(sticky);
    let (whole, rest) = (quarters >> 2, quarters & 3);
    let magnitude = whole + i128::from(rest > 2 || rest == 2 && whole & 1 == 1);
    i16::try_from(if negative { -magnitude } else { magnitude }).map_err(|_| out_of_range())
}

/// Whether `text` is `[0-9]*[.]?[0-9]*` with a digit, then optionally `[eE][+-]?[0-9]+`.
pub fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = exponent.map(|e| e.strip_prefix(['+', '-']).unwrap_or(e));
    all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && digits.is_none_or(|d| !d.is_empty() && all_digits(d))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ties_go_to_even_and_a_hair_decides() {
        let s5_10 = Format::new(10).unwrap();
        let half = "0.00048828125"; // 2^-11
        assert_eq!(parse_decimal(half, s5_10), Ok(0));
        assert_eq!(parse_decimal(&format!("{half}{}1", "0".repeat(300)), s5_10), Ok(1));
        assert_eq!(parse_decimal("0.00146484375", s5_10), Ok(2));
        assert_eq!(parse_decimal("31.99951171874", s5_10), Ok(32767));
        assert!(matches!(parse_decimal("31.99951171875", s5_10), Err(DecimalError::OutOfRange { .. })));
        assert_eq!(parse_decimal("-32.00048828125", s5_10), Ok(-32768));
        assert!(parse_decimal("-32.0004882812501", s5_10).is_err());
        assert_eq!(parse_decimal("+.5", s5_10), Ok(512));
        assert_eq!(parse_decimal("5.e-1", s5_10), Ok(512));
        assert_eq!(parse_decimal("1e-99999999999999999999", s5_10), Ok(0));
        assert_eq!(parse_decimal("0e99999999999999999999", s5_10), Ok(0));
        assert!(matches!(parse_decimal("1e99999999999999999999", s5_10), Err(DecimalError::OutOfRange { .. })));
        let long = "0".repeat(LONGEST + 1);
        assert_eq!(parse_decimal(&long, s5_10), Err(DecimalError::TooLong { length: LONGEST + 1 }));
        for wrong in ["", "-", ".", "e1", "1e", "1e+", "--1", "+-1", "1.2.3", "0x10", "inf", "nan", "1 ", "١"] {
            assert!(matches!(parse_decimal(wrong, s5_10), Err(DecimalError::Malformed { .. })), "{wrong}");
        }
    }

    #[test]
    fn the_range_is_in_the_message() {
        let error = parse_decimal("40", Format::new(10).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "40 is outside s5.10, which reaches from -32 to 31.9990234375");
    }

    proptest! {
        /// The witness is exact: the decimal is `n / 10^d`, its code the rounded quotient of integers.
        #[test]
        fn decimals_round_as_integer_division_does(n in 0i128..10_000_000_000_000_000, d in 0u32..16, y in 0u8..16, negative: bool) {
            let scale = 10i128.pow(d);
            let text = format!("{}{}.{:0width$}", if negative { "-" } else { "" }, n / scale, n % scale, width = d as usize);
            let twice = 2 * n * (1i128 << y);
            let (floor, rest) = (twice / (2 * scale), twice % (2 * scale));
            let magnitude = floor + i128::from(rest > scale || rest == scale && floor % 2 == 1);
            let expected = i16::try_from(if negative { -magnitude } else { magnitude }).ok();
            // With d = 0 there is no fraction digit, but the format still prints one.
            let text = if d == 0 { text.split('.').next().unwrap().to_owned() } else { text };
            prop_assert_eq!(parse_decimal(&text, Format::new(y).unwrap()).ok(), expected, "{}", text);
        }

        /// Every code's exact decimal reads back, and so does every tie between two codes.
        #[test]
        fn codes_read_back(code: i16, y in 0u8..16) {
            let format = Format::new(y).unwrap();
            let exact = format.to_f64(code);
            prop_assert_eq!(parse_decimal(&format!("{exact}"), format), Ok(code));
            prop_assert_eq!(parse_decimal(&format!("{exact:e}"), format), Ok(code));
            let tie = exact + format.resolution() / 2.0;
            let expected = format.quantize(tie).filter(|q| !q.saturated).map(|q| q.code);
            prop_assert_eq!(parse_decimal(&format!("{tie}"), format).ok(), expected);
        }

        #[test]
        fn any_text_has_an_answer(text in ".{0,30}") {
            let _ = parse_decimal(&text, Format::UNIT);
        }
    }
}
