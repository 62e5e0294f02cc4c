//! Lane arithmetic: what the vector unit does to one 16-bit lane, as pure functions.
//!
//! Contract: every function is total and takes and returns plain integers; shifts take the amount the instruction
//! carries (0 to 15) and use its low four bits only. The simulator, the compiler's own evaluation of neuron programs
//! and the tests of the SystemVerilog lane all call these, so a rule is stated once.
//!
//! Not here: which lanes take part, memories, and the order in which lanes draw random numbers.

/// How a right shift treats the bits it drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Towards minus infinity: the bits are dropped.
    Zero,
    /// To nearest, halves up: half of the last kept bit is added first.
    Nearest,
    /// Stochastic: a uniform random number of as many bits as are dropped is added first, so the expectation is exact.
    Stochastic,
}

/// `min(max(value, −32768), 32767)`.
pub const fn saturate(value: i32) -> i16 {
    if value > i16::MAX as i32 {
        i16::MAX
    } else if value < i16::MIN as i32 {
        i16::MIN
    } else {
        value as i16
    }
}

/// `a + b` modulo 2^16, or saturated.
pub const fn add(a: i16, b: i16, saturating: bool) -> i16 {
    if saturating { a.saturating_add(b) } else { a.wrapping_add(b) }
}

/// `a − b` modulo 2^16, or saturated.
pub const fn sub(a: i16, b: i16, saturating: bool) -> i16 {
    if saturating { a.saturating_sub(b) } else { a.wrapping_sub(b) }
}

/// `a · 2^shift` modulo 2^16.
pub const fn shift_left(a: i16, shift: u8) -> i16 {
    ((a as u16) << (shift & 15)) as i16
}

/// `(value + r) >> shift`, arithmetic, in 32 bits.
///
/// `r` is 0 ([`Rounding::Zero`]), `2^(shift−1)` ([`Rounding::Nearest`]) or the low `shift` bits of `random`
/// ([`Rounding::Stochastic`]). For `shift = 0` nothing is added. The sum cannot overflow: `|value| ≤ 2^30` for every
/// product of two lanes.
pub const fn round_shift(value: i32, shift: u8, rounding: Rounding, random: u16) -> i32 {
    let shift = (shift & 15) as u32;
    let mask = (1i32 << shift) - 1;
    let addend = match rounding {
        Rounding::Zero => 0,
        Rounding::Nearest => (mask + 1) >> 1 & mask,
        Rounding::Stochastic => random as i32 & mask,
    };
    (value + addend) >> shift
}

/// `round_shift(a)`: an arithmetic right shift of a lane.
///
/// The result always fits: rounding up can at most reach `2^15 / 2`.
pub const fn shift_right(a: i16, shift: u8, rounding: Rounding, random: u16) -> i16 {
    round_shift(a as i32, shift, rounding, random) as i16
}

/// `round_shift(a · b)`, then its low 16 bits, or saturated.
pub const fn multiply(a: i16, b: i16, shift: u8, rounding: Rounding, random: u16, saturating: bool) -> i16 {
    let shifted = round_shift(a as i32 * b as i32, shift, rounding, random);
    if saturating { saturate(shifted) } else { shifted as i16 }
}

/// The lower `bits` bits of `a` plus the low half of `scalar`, modulo 2^16: `(a & (2^bits − 1)) + scalar[15:0]`.
pub const fn and_add(a: i16, scalar: u32, bits: u8) -> i16 {
    let mask = (1u16 << (bits & 15)) - 1;
    ((a as u16) & mask).wrapping_add(scalar as u16) as i16
}

/// What `vfill` puts into every lane: `{scalar[31], scalar[14:0]}`.
pub const fn fill(scalar: u32) -> i16 {
    ((scalar >> 16 & 0x8000) | (scalar & 0x7fff)) as u16 as i16
}

/// One lane's random number generator, Xoroshiro32++ (rotations 13, 5, 10 and 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Generator {
    /// First half of the state, loaded by `vloadr0`.
    pub s0: u16,
    /// Second half of the state, loaded by `vloadr1`.
    pub s1: u16,
}

impl Generator {
    /// The next 16 random bits, `rotl(s0 + s1, 9) + s0`, all modulo 2^16; then
    /// `s1 ^= s0; s0 = rotl(s0, 13) ^ s1 ^ (s1 << 5); s1 = rotl(s1, 10)`.
    ///
    /// The state (0, 0) yields zeros for ever; seeds avoid it.
    pub const fn next(&mut self) -> u16 {
        let output = self.s0.wrapping_add(self.s1).rotate_left(9).wrapping_add(self.s0);
        let mixed = self.s1 ^ self.s0;
        self.s0 = self.s0.rotate_left(13) ^ mixed ^ (mixed << 5);
        self.s1 = mixed.rotate_left(10);
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roundings_agree_with_real_arithmetic() {
        for shift in 0..16u8 {
            let unit = f64::from(1u32 << shift);
            for value in [-32768i32, -12345, -8, -7, -1, 0, 1, 7, 8, 12345, 32767, i32::from(i16::MIN).pow(2)] {
                let exact = f64::from(value) / unit;
                assert_eq!(f64::from(round_shift(value, shift, Rounding::Zero, 0xffff)), exact.floor());
                assert_eq!(f64::from(round_shift(value, shift, Rounding::Nearest, 0xffff)), (exact + 0.5).floor());
                let total: i64 = (0..1u32 << shift)
                    .map(|r| i64::from(round_shift(value, shift, Rounding::Stochastic, r as u16)))
                    .sum();
                assert_eq!(total, i64::from(value), "the mean over all random words is exact");
            }
        }
    }

    #[test]
    fn extremes_saturate_or_wrap() {
        assert_eq!(multiply(-32768, -32768, 0, Rounding::Zero, 0, true), 32767);
        assert_eq!(multiply(-32768, -32768, 15, Rounding::Zero, 0, false), -32768);
        assert_eq!(add(32767, 1, false), -32768);
        assert_eq!(sub(-32768, 1, true), -32768);
        assert_eq!(shift_right(32767, 1, Rounding::Nearest, 0), 16384);
        assert_eq!(shift_right(-1, 15, Rounding::Zero, 0), -1);
        assert_eq!(fill(0x8000_0001), i16::MIN + 1);
        assert_eq!(fill(0x0000_8001), 1);
    }

    #[test]
    fn the_generator_has_full_period() {
        let start = Generator { s0: 1, s1: 0 };
        let mut generator = start;
        let mut period = 0u64;
        loop {
            generator.next();
            period += 1;
            if generator == start {
                break;
            }
        }
        assert_eq!(period, (1 << 32) - 1, "every state but (0, 0) is visited");
    }
}
