//! The 16-bit fixed-point formats sX.Y: how a lane's integer is read as a number.
//!
//! Contract: a code `c` in format sX.Y means `c · 2^−Y`, with `X + Y = 15` and one sign bit. The machine itself knows
//! only integers; formats live in programs, in the image's manifest and in reports.
//!
//! Not here: arithmetic on codes (see [`crate::lane`]) and decimal text (the assembler and the compiler parse it).

use core::fmt;
use core::str::FromStr;

/// A fixed-point format of a 16-bit lane, written `sX.Y`: `X` integer bits and `Y` fraction bits, `X + Y = 15`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Format {
    fraction_bits: u8,
}

/// A real number brought into a [`Format`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantized {
    /// The nearest code, ties to even; the nearest end of the range where the number lies outside it.
    pub code: i16,
    /// Whether the rounded number lay outside −32768..=32767 and was moved to the end of the range.
    pub saturated: bool,
}

impl Format {
    /// Plain integers, s15.0.
    pub const INTEGER: Self = Self { fraction_bits: 0 };
    /// Numbers in −1..1, s0.15: what `vrng` draws and what decay factors use.
    pub const UNIT: Self = Self { fraction_bits: 15 };

    /// The format with `fraction_bits` fraction bits, or `None` above 15.
    pub const fn new(fraction_bits: u8) -> Option<Self> {
        if fraction_bits <= 15 { Some(Self { fraction_bits }) } else { None }
    }

    /// Every format, from s15.0 to s0.15.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..=15).map(|fraction_bits| Self { fraction_bits })
    }

    /// `Y`, 0 to 15.
    pub const fn fraction_bits(self) -> u8 {
        self.fraction_bits
    }

    /// `X = 15 − Y`.
    pub const fn integer_bits(self) -> u8 {
        15 - self.fraction_bits
    }

    /// The step between neighbouring codes, `2^−Y`.
    pub fn resolution(self) -> f64 {
        1.0 / f64::from(1u32 << self.fraction_bits)
    }

    /// `code · 2^−Y`, exactly.
    pub fn to_f64(self, code: i16) -> f64 {
        f64::from(code) * self.resolution()
    }

    /// The code nearest to `number`, ties to even, saturated to the range; `None` for a NaN.
    ///
    /// `number · 2^Y` only changes the exponent, so the one rounding is the one stated.
    pub fn quantize(self, number: f64) -> Option<Quantized> {
        if number.is_nan() {
            return None;
        }
        let scaled = (number * f64::from(1u32 << self.fraction_bits)).round_ties_even();
        let code = scaled.clamp(f64::from(i16::MIN), f64::from(i16::MAX));
        Some(Quantized { code: code as i16, saturated: code != scaled })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}.{}", self.integer_bits(), self.fraction_bits)
    }
}

/// The text is not a format such as `s5.10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError(pub String);

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a number format; write sX.Y with X + Y = 15, such as s5.10", self.0)
    }
}

impl core::error::Error for FormatError {}

impl FromStr for Format {
    type Err = FormatError;

    /// Reads `s5.10` or `s5_10`.
    fn from_str(text: &str) -> Result<Self, FormatError> {
        let parse = || {
            let (integer, fraction) = text.strip_prefix('s')?.split_once(['.', '_'])?;
            let plain = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
            if !plain(integer) || !plain(fraction) {
                return None;
            }
            let (integer, fraction) = (integer.parse::<u8>().ok()?, fraction.parse::<u8>().ok()?);
            let format = Self::new(fraction)?;
            (format.integer_bits() == integer).then_some(format)
        };
        parse().ok_or_else(|| FormatError(text.to_owned()))
    }
}

#[cfg(feature = "image")]
impl serde::Serialize for Format {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "image")]
impl<'de> serde::Deserialize<'de> for Format {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_format_are_each_others_inverse() {
        for format in Format::all() {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert_eq!(format.to_string().replace('.', "_").parse(), Ok(format));
        }
        for wrong in ["", "s", "s5", "s5.11", "s-1.16", "s+5.10", "5.10", "s5.10t"] {
            assert!(wrong.parse::<Format>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_round_to_even_and_saturate() {
        let s5_10 = Format::new(10).unwrap();
        assert_eq!(s5_10.quantize(1.0), Some(Quantized { code: 1024, saturated: false }));
        assert_eq!(s5_10.quantize(0.5 / 1024.0), Some(Quantized { code: 0, saturated: false }));
        assert_eq!(s5_10.quantize(1.5 / 1024.0), Some(Quantized { code: 2, saturated: false }));
        assert_eq!(s5_10.quantize(32.0), Some(Quantized { code: i16::MAX, saturated: true }));
        assert_eq!(s5_10.quantize(f64::NEG_INFINITY), Some(Quantized { code: i16::MIN, saturated: true }));
        assert_eq!(s5_10.quantize(f64::NAN), None);
        assert!(Format::all().all(|f| f.quantize(f.to_f64(-12345)).unwrap().code == -12345));
    }
}
