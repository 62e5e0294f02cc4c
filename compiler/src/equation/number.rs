//! The number literals of the language, and its names of types.
//!
//! Contract: a literal with a format is rounded once, to the nearest code, ties to the even one; a number outside the
//! format is an error, never a saturated code.

use fenn_isa::decimal::is_decimal;
use fenn_isa::fixed::Format;

pub use fenn_isa::decimal::{DecimalError, parse_decimal};

use crate::kernel::Type;

/// Why a literal is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LiteralError {
    /// Not a number at all; a remark on the likely cause.
    Malformed(&'static str),
    /// It has a fraction or an exponent but no format.
    Fraction,
    /// `h16` and beyond.
    Suffix,
    /// The value does not fit; the sentence.
    Range(String),
}

/// The code and the type of a literal: `12` and `0x1f` are `int16_t`, `0.5h10` has 10 fraction bits.
pub(super) fn literal(text: &str, negative: bool) -> Result<(i16, Type), LiteralError> {
    let signed = |digits: &str| if negative { format!("-{digits}") } else { digits.to_owned() };
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let magnitude =
            i64::from_str_radix(digits, 16).map_err(|_| LiteralError::Malformed("bad hexadecimal digits"))?;
        let value = if negative { -magnitude } else { magnitude };
        let code = i16::try_from(value).map_err(|_| not_int16(&signed(text)))?;
        return Ok((code, Type::INT));
    }
    let Some((mantissa, suffix)) = text.split_once('h') else {
        return integer(text, &signed(text));
    };
    if !is_decimal(mantissa) || suffix.is_empty() || !suffix.bytes().all(|b| b.is_ascii_digit()) {
        return Err(LiteralError::Malformed("a fixed-point number is written like `0.5h10`"));
    }
    let format = suffix.parse().ok().and_then(Format::new).ok_or(LiteralError::Suffix)?;
    let code = parse_decimal(&signed(mantissa), format).map_err(|error| LiteralError::Range(error.to_string()))?;
    Ok((code, Type { format, saturating: false }))
}

fn integer(text: &str, signed: &str) -> Result<(i16, Type), LiteralError> {
    if !is_decimal(text) {
        let cause = match text.bytes().last() {
            Some(b'f' | b'F') => {
                "floating-point numbers do not exist here; write a fixed-point number such as `0.5h10`"
            }
            Some(b'u' | b'U' | b'l' | b'L') => "integers have no suffix; all are int16_t",
            _ => "numbers are written like `12` or `0.5h10`",
        };
        return Err(LiteralError::Malformed(cause));
    }
    if text.contains(['.', 'e', 'E']) {
        return Err(LiteralError::Fraction);
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(LiteralError::Malformed("C would read a leading 0 as octal; leave it out"));
    }
    match parse_decimal(signed, Format::INTEGER) {
        Ok(code) => Ok((code, Type::INT)),
        Err(_) => Err(not_int16(signed)),
    }
}

fn not_int16(text: &str) -> LiteralError {
    LiteralError::Range(format!("{text} is outside int16_t, which reaches from -32768 to 32767"))
}

/// The type named `text`: `sX_Y_t`, `sX_Y_sat_t` with X + Y = 15, or `int16_t`.
///
/// `s15_0_t` is another name of `int16_t`.
pub fn parse_type(text: &str) -> Option<Type> {
    if text == "int16_t" {
        return Some(Type::INT);
    }
    let stem = text.strip_suffix("_t")?;
    let (stem, saturating) = match stem.strip_suffix("_sat") {
        Some(stem) => (stem, true),
        None => (stem, false),
    };
    // The format's own text form also knows a dot, and leading zeros would give a type two names.
    let format: Format = stem.parse().ok()?;
    (stem == format.to_string().replace('.', "_")).then_some(Type { format, saturating })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn types_have_one_name_each() {
        for format in Format::all() {
            for saturating in [false, true] {
                let ty = Type { format, saturating };
                assert_eq!(parse_type(&ty.to_string()), Some(ty));
            }
        }
        assert_eq!(parse_type("s15_0_t"), Some(Type::INT));
        for wrong in ["", "s5_10", "s5_11_t", "s05_10_t", "s5.10_t", "s5_10_sat", "int", "int32_t", "s5_10_sat_sat_t"] {
            assert_eq!(parse_type(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in ".{0,30}", negative: bool) {
            let _ = (parse_decimal(&text, Format::UNIT), parse_type(&text), literal(&text, negative));
        }
    }
}
