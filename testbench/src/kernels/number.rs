//! Fixed-point arithmetic of one lane, from the machine's description, on 64-bit integers.

/// What becomes of the bits that a product's shift drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Towards minus infinity.
    Down,
    /// To the nearest, halves upwards.
    Nearest,
    /// Up where a random number and the dropped bits together carry: `r` is that number, of as many bits as are dropped.
    Stochastic(u16),
}

/// The nearest number that 16 bits hold.
pub fn saturate(value: i64) -> i16 {
    i16::try_from(value).unwrap_or(if value < 0 { i16::MIN } else { i16::MAX })
}

/// `value / 2^shift`, rounded.
///
/// Division is by [`i64::div_euclid`] rather than a shift, for the sake of being another way.
pub fn scale(value: i64, shift: u32, rounding: Rounding) -> i64 {
    let unit = 1i64 << shift;
    let offset = match rounding {
        Rounding::Down => 0,
        Rounding::Nearest => unit / 2,
        Rounding::Stochastic(r) => i64::from(r) % unit,
    };
    (value + offset).div_euclid(unit)
}

/// `a b / 2^shift`, rounded; what does not fit into 16 bits is for the caller to treat.
pub fn product(a: i16, b: i16, shift: u32, rounding: Rounding) -> i64 {
    scale(i64::from(a) * i64::from(b), shift, rounding)
}

/// The low 16 bits, as a signed number.
pub fn wrap(value: i64) -> i16 {
    let low = value.rem_euclid(1 << 16);
    saturate(if low >= 1 << 15 { low - (1 << 16) } else { low })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners() {
        assert_eq!([40_000, -40_000, 7].map(saturate), [i16::MAX, i16::MIN, 7]);
        assert_eq!([40_000, -40_000, -1, 65_536].map(wrap), [-25_536, 25_536, -1, 0]);
        assert_eq!(scale(-3, 1, Rounding::Down), -2);
        assert_eq!(scale(-3, 1, Rounding::Nearest), -1);
        assert_eq!(scale(3, 1, Rounding::Nearest), 2);
        assert_eq!([0, 1].map(|r| scale(3, 1, Rounding::Stochastic(r))), [1, 2]);
        assert_eq!(scale(5, 0, Rounding::Nearest), 5);
    }
}
