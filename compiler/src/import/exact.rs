//! Constants in quadruple precision, so that each is rounded once on its way to a code.
//!
//! Contract: [`Real`] is IEEE 754's 128-bit format, computed in software: the same bits on every platform. [`exp`] is
//! right to within a few units of its last place, some 2⁻¹¹⁰ of the result; a code has 16 bits.
//!
//! Not here: which constants there are.

use fenn_isa::fixed::{Format, Quantized};
use rustc_apfloat::ieee::{Double, Quad};
use rustc_apfloat::{Float, FloatConvert, Round};

/// A real number with 113 significant bits.
pub(super) type Real = Quad;

/// `number`, exactly.
pub(super) fn real(number: f64) -> Real {
    Double::from_bits(number.to_bits().into()).convert(&mut false).value
}

/// The nearest `f64`.
pub(super) fn nearest(number: Real) -> f64 {
    let double: Double = number.convert_r(Round::NearestTiesToEven, &mut false).value;
    f64::from_bits(double.to_bits() as u64)
}

/// `e^x` for `x` of at most 0; 0 where it would be less than 2⁻¹⁶⁰⁰⁰.
pub(super) fn exp(x: Real) -> Real {
    /// Halvings of the argument before the series, and squarings behind it.
    const HALVINGS: i32 = 8;
    /// Terms of the series; the next one would be less than 2⁻¹¹³·(½·2⁻⁸)²⁰⁄20! of it.
    const TERMS: i128 = 20;
    let one = real(1.0);
    let whole = (-nearest(x) / std::f64::consts::LN_2).round();
    if whole > 16_000.0 {
        return real(0.0);
    }
    // x = rest − whole · ln 2; the digits of ln 2 go far beyond 113 bits.
    let ln_2: Real = "0.69314718055994530941723212145817656807550013436025525412068".parse().unwrap_or(real(f64::NAN));
    let rest = (x + (ln_2 * real(whole)).value).value.scalbn(-HALVINGS);
    // e^rest − 1, from the last term to the first, and squared in that form: nothing is lost where rest is small.
    let mut series = one;
    for n in (2..=TERMS).rev() {
        let term = (series * (rest / Real::from_i128(n).value).value).value;
        series = (one + term).value;
    }
    let mut minus_1 = (series * rest).value;
    for _ in 0..HALVINGS {
        minus_1 = (minus_1 * (minus_1 + real(2.0)).value).value;
    }
    (minus_1 + one).value.scalbn(-(whole as i32))
}

/// The code nearest to `number` in `format`, ties to even, saturated.
pub(super) fn quantize(number: Real, format: Format) -> Quantized {
    let scaled = number.scalbn(format.fraction_bits().into());
    let rounded = scaled.round_to_integral(Round::NearestTiesToEven).value;
    // Far beyond every code it does not matter how far.
    let whole = rounded.to_i128_r(64, Round::TowardZero, &mut false).value;
    let code = whole.clamp(i16::MIN.into(), i16::MAX.into());
    Quantized { code: code as i16, saturated: code != whole }
}

/// A factor, as a number to compute with and exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Factor {
    pub(super) nearest: f64,
    pub(super) exact: Real,
}

impl Factor {
    pub(super) fn new(exact: Real) -> Self {
        Self { nearest: nearest(exact), exact }
    }

    /// The code nearest to this times `number`.
    ///
    /// The product in `f64` is wrong by at most 2⁻⁵² of itself; only where that could decide is it computed exactly.
    pub(super) fn quantize(&self, number: f64, format: Format) -> Quantized {
        /// Of a code; products of less than 2^15 codes are wrong by less than 2⁻³⁶.
        const DOUBT: f64 = 1e-9;
        let scaled = self.nearest * number * f64::from(1_u32 << format.fraction_bits());
        if scaled.abs() < 40_000.0 && (scaled.abs().fract() - 0.5).abs() > DOUBT {
            let rounded = scaled.round_ties_even();
            let code = rounded.clamp(i16::MIN.into(), i16::MAX.into());
            return Quantized { code: code as i16, saturated: code != rounded };
        }
        quantize((self.exact * real(number)).value, format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_the_tables() {
        // 36 digits, from bc.
        for (x, expected) in [
            ("-1", "0.367879441171442321595523770161460867"),
            ("-0.5", "0.606530659712633423603799534991180453"),
            ("-0.015625", "0.984496437005408405986988829697020369"),
            ("-20", "0.00000000206115362243855782796594038015"),
            ("0", "1"),
        ] {
            let (x, expected): (Real, Real) = (x.parse().unwrap(), expected.parse().unwrap());
            let error = nearest(((exp(x) - expected).value / expected).value).abs();
            assert!(error < 1e-27, "e^{x} is wrong by {error:e}");
        }
        for step in 0..2000 {
            let x = -f64::from(step) * 0.007;
            let ours = nearest(exp(real(x)));
            assert!((ours - libm::exp(x)).abs() <= 2.0 * f64::EPSILON * ours, "e^{x}");
        }
        assert_eq!(nearest(exp(real(-1e9))), 0.0);
    }

    #[test]
    fn products_that_are_nearly_ties_are_rounded_by_what_they_are() {
        let s5_10 = Format::new(10).unwrap();
        // A hair above half a code, which f64 cannot tell from half a code.
        let above = Factor::new((real(1.0) + real(1.0).scalbn(-90)).value);
        assert_eq!(above.nearest, 1.0);
        assert_eq!(above.quantize(0.5 / 1024.0, s5_10).code, 1);
        assert_eq!(s5_10.quantize(0.5 / 1024.0).unwrap().code, 0);
        let code = |number: f64| Factor::new(real(1.0)).quantize(number, s5_10);
        for number in [1.0, -1.0, 0.12345, 31.9999, 32.0, -32.1, 1e300, -7.000_488_281_25] {
            assert_eq!(code(number), s5_10.quantize(number).unwrap(), "{number}");
        }
    }
}
