//! The exponential function by table and straight lines, as published for FeNN, with saturation at the end.

use super::number::{Rounding, product, saturate, scale};

/// `1 / ln 2` and `ln 2`, as the machine has them: s1.14 and s0.15.
fn constants() -> (i64, i64) {
    let ln2 = std::f64::consts::LN_2;
    ((16_384.0 / ln2).round() as i64, (32_768.0 * ln2).round() as i64)
}

/// Entry `i` of the table, in s1.14: `exp` at 65 places from `-ln 2 / 2` to `ln 2 / 2`.
fn entry(i: i64) -> i64 {
    (16_384.0 * ((i as f64 / 64.0 - 0.5) * std::f64::consts::LN_2).exp()).round() as i64
}

/// `exp(x)` for `x` with `from` fraction bits (5 to 14), with `to` fraction bits, saturating.
pub fn exponential(x: i16, from: u32, to: u32) -> i16 {
    let (inverse, ln2) = constants();
    let x = i64::from(x);
    let k = scale(scale(x * inverse, 15, Rounding::Down), from - 1, Rounding::Nearest);
    let rest = x - scale(k * ln2, 15 - from, Rounding::Nearest);
    let place = (scale(rest * inverse, from - 1, Rounding::Nearest) + (1 << 14)).clamp(0, 32_767);
    let (index, fraction) = (place / 512, place % 512);
    let rise = (entry(index + 1) - entry(index)) as i16;
    let value = entry(index) + product(rise, fraction as i16, 9, Rounding::Nearest);
    let shift = k - (14 - i64::from(to));
    match u32::try_from(shift) {
        Ok(left) => saturate(value << left.min(32)),
        Err(_) => saturate(scale(value, shift.unsigned_abs().min(32) as u32, Rounding::Down)),
    }
}
