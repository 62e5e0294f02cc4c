//! Thirty-two lanes at once, in the host's own vector instructions.
//!
//! Contract: an implementation of [`Lanes`] computes what [`fenn_isa::lane`] says, lane by lane. A value of its type is the
//! proof that the host has the instructions, so that using it is safe; only making one is not. [`Portable`] is written in
//! terms of [`fenn_isa::lane`] itself and runs anywhere.
//!
//! Every method is inlined into a handler that is compiled for these instructions; without that it would be a call for each.
//!
//! Not here: which instruction uses what (see [`super::handlers`]).

use fenn_isa::lane::{self, Rounding};
use fenn_isa::memory::LANES;

use crate::state::Vector;

/// One way of working on all lanes at once.
pub(super) trait Lanes: Copy {
    /// All lanes, in the host's registers.
    type V: Copy;

    fn load(self, from: &Vector) -> Self::V;
    fn store(self, to: &mut Vector, value: Self::V);
    fn splat(self, value: i16) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn add_saturating(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub_saturating(self, a: Self::V, b: Self::V) -> Self::V;
    fn and(self, a: Self::V, b: Self::V) -> Self::V;
    fn or(self, a: Self::V, b: Self::V) -> Self::V;
    fn xor(self, a: Self::V, b: Self::V) -> Self::V;
    /// Every lane by the low four bits of the lane in `by`.
    fn shift_left_each(self, a: Self::V, by: Self::V) -> Self::V;
    /// As [`Self::shift_left_each`], arithmetic.
    fn shift_right_each(self, a: Self::V, by: Self::V) -> Self::V;
    /// `by` up to 16; by 16 everything is shifted out.
    fn shift_left(self, a: Self::V, by: u32) -> Self::V;
    /// `by` up to 15, arithmetic.
    fn shift_right(self, a: Self::V, by: u32) -> Self::V;
    /// `by` up to 16, zeros shifted in.
    fn shift_right_zero(self, a: Self::V, by: u32) -> Self::V;
    /// Low 16 bits of the products.
    fn multiply_low(self, a: Self::V, b: Self::V) -> Self::V;
    /// High 16 bits of the signed products.
    fn multiply_high(self, a: Self::V, b: Self::V) -> Self::V;
    /// `(a · b + addend) >> shift` in 32 bits, the addend unsigned; then the low 16 bits, or saturated.
    fn multiply_wide(self, a: Self::V, b: Self::V, shift: u32, addend: Self::V, saturating: bool) -> Self::V;
    /// Bit `i`: lane `i` of both is equal.
    fn equal(self, a: Self::V, b: Self::V) -> u32;
    /// Bit `i`: lane `i` of `a` is less, signed.
    fn less(self, a: Self::V, b: Self::V) -> u32;
    /// Bit `i`: lane `i` is negative.
    fn negative(self, a: Self::V) -> u32;
    /// Lane 0.
    fn first(self, a: Self::V) -> i16;
    /// Lanes of `set` where the mask's bit is set, of `clear` elsewhere.
    fn select(self, mask: u32, set: Self::V, clear: Self::V) -> Self::V;

    /// Low 16 bits of `(a · b) >> shift`.
    #[inline(always)]
    fn multiply(self, a: Self::V, b: Self::V, shift: u32) -> Self::V {
        let low = self.shift_right_zero(self.multiply_low(a, b), shift);
        self.or(low, self.shift_left(self.multiply_high(a, b), 16 - shift))
    }

    /// Low 16 bits of `(a · b + 2^(shift−1)) >> shift`; adding half of the last kept bit before the shift is adding the
    /// first dropped bit after it.
    #[inline(always)]
    fn multiply_nearest(self, a: Self::V, b: Self::V, shift: u32) -> Self::V {
        let product = self.multiply_low(a, b);
        let low = self.shift_right_zero(product, shift);
        let whole = self.or(low, self.shift_left(self.multiply_high(a, b), 16 - shift));
        // For a shift by 0 the bit in question is shifted out.
        let dropped = self.shift_right_zero(self.shift_left(product, 16 - shift), 15);
        self.add(whole, dropped)
    }

    /// `(a + 2^(shift−1)) >> shift`.
    #[inline(always)]
    fn shift_right_nearest(self, a: Self::V, shift: u32) -> Self::V {
        let dropped = self.shift_right_zero(self.shift_left(a, 16 - shift), 15);
        self.add(self.shift_right(a, shift), dropped)
    }

    /// `x` with its bits rotated left by `by`, 1 to 15.
    #[inline(always)]
    fn rotate_left(self, a: Self::V, by: u32) -> Self::V {
        self.or(self.shift_left(a, by), self.shift_right_zero(a, 16 - by))
    }
}

/// `f` of every lane.
#[inline(always)]
fn each(f: impl Fn(usize) -> i16) -> Vector {
    let mut lanes = [0; LANES];
    for (i, lane) in lanes.iter_mut().enumerate() {
        *lane = f(i);
    }
    Vector(lanes)
}

/// Bit `i` is `f(i)`, in two halves so that a lane's bit fits a lane.
#[inline(always)]
fn mask(f: impl Fn(usize) -> bool) -> u32 {
    let half = |first: usize| (0..16).fold(0, |mask, i| mask | if f(first + i) { 1u16 << i } else { 0 });
    u32::from(half(0)) | u32::from(half(16)) << 16
}

/// Without any instructions of one kind of host.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Lanes for Portable {
    type V = Vector;

    #[inline(always)]
    fn load(self, from: &Vector) -> Vector {
        *from
    }
    #[inline(always)]
    fn store(self, to: &mut Vector, value: Vector) {
        *to = value;
    }
    #[inline(always)]
    fn splat(self, value: i16) -> Vector {
        Vector([value; LANES])
    }
    #[inline(always)]
    fn add(self, a: Vector, b: Vector) -> Vector {
        each(|i| lane::add(a.0[i], b.0[i], false))
    }
    #[inline(always)]
    fn add_saturating(self, a: Vector, b: Vector) -> Vector {
        each(|i| lane::add(a.0[i], b.0[i], true))
    }
    #[inline(always)]
    fn sub(self, a: Vector, b: Vector) -> Vector {
        each(|i| lane::sub(a.0[i], b.0[i], false))
    }
    #[inline(always)]
    fn sub_saturating(self, a: Vector, b: Vector) -> Vector {
        each(|i| lane::sub(a.0[i], b.0[i], true))
    }
    #[inline(always)]
    fn and(self, a: Vector, b: Vector) -> Vector {
        each(|i| a.0[i] & b.0[i])
    }
    #[inline(always)]
    fn or(self, a: Vector, b: Vector) -> Vector {
        each(|i| a.0[i] | b.0[i])
    }
    #[inline(always)]
    fn xor(self, a: Vector, b: Vector) -> Vector {
        each(|i| a.0[i] ^ b.0[i])
    }
    #[inline(always)]
    fn shift_left_each(self, a: Vector, by: Vector) -> Vector {
        each(|i| lane::shift_left(a.0[i], by.0[i] as u8))
    }
    #[inline(always)]
    fn shift_right_each(self, a: Vector, by: Vector) -> Vector {
        each(|i| lane::shift_right(a.0[i], by.0[i] as u8, Rounding::Zero, 0))
    }
    #[inline(always)]
    fn shift_left(self, a: Vector, by: u32) -> Vector {
        each(|i| (u32::from(a.0[i] as u16) << by) as i16)
    }
    #[inline(always)]
    fn shift_right(self, a: Vector, by: u32) -> Vector {
        each(|i| a.0[i] >> (by & 15))
    }
    #[inline(always)]
    fn shift_right_zero(self, a: Vector, by: u32) -> Vector {
        each(|i| (u32::from(a.0[i] as u16) >> by) as i16)
    }
    #[inline(always)]
    fn multiply_low(self, a: Vector, b: Vector) -> Vector {
        each(|i| a.0[i].wrapping_mul(b.0[i]))
    }
    #[inline(always)]
    fn multiply_high(self, a: Vector, b: Vector) -> Vector {
        each(|i| ((i32::from(a.0[i]) * i32::from(b.0[i])) >> 16) as i16)
    }
    #[inline(always)]
    fn multiply_wide(self, a: Vector, b: Vector, shift: u32, addend: Vector, saturating: bool) -> Vector {
        each(|i| {
            let sum = i32::from(a.0[i]) * i32::from(b.0[i]) + i32::from(addend.0[i] as u16);
            let shifted = sum >> (shift & 15);
            if saturating { lane::saturate(shifted) } else { shifted as i16 }
        })
    }
    #[inline(always)]
    fn equal(self, a: Vector, b: Vector) -> u32 {
        mask(|i| a.0[i] == b.0[i])
    }
    #[inline(always)]
    fn less(self, a: Vector, b: Vector) -> u32 {
        mask(|i| a.0[i] < b.0[i])
    }
    #[inline(always)]
    fn negative(self, a: Vector) -> u32 {
        mask(|i| a.0[i] < 0)
    }
    #[inline(always)]
    fn first(self, a: Vector) -> i16 {
        a.0[0]
    }
    #[inline(always)]
    fn select(self, mask: u32, set: Vector, clear: Vector) -> Vector {
        let halves = [mask as u16, (mask >> 16) as u16];
        each(|i| if halves[i / 16] & 1 << (i % 16) != 0 { set.0[i] } else { clear.0[i] })
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::Avx2;

#[cfg(target_arch = "x86_64")]
#[allow(unused_unsafe, reason = "calls of intrinsics nest")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Lanes;
    use crate::state::Vector;

    /// An intrinsic, called where the host is known to have it.
    macro_rules! host {
        ($intrinsic:ident $(::<$constant:literal>)? ($($argument:expr),*)) => {
            // SAFETY: the method belongs to a value that is made only where the host has these instructions; every
            // pointer comes from a reference to a whole vector, which is aligned to its 64 bytes.
            unsafe { $intrinsic $(::<$constant>)? ($($argument),*) }
        };
    }

    /// AVX2, in two halves.
    #[derive(Clone, Copy)]
    pub(in crate::engine) struct Avx2(());

    impl Avx2 {
        /// # Safety
        /// The host has AVX2.
        #[inline(always)]
        pub(in crate::engine) const unsafe fn new() -> Self {
            Self(())
        }
    }

    #[inline(always)]
    fn both(a: [__m256i; 2], b: [__m256i; 2], f: impl Fn(__m256i, __m256i) -> __m256i) -> [__m256i; 2] {
        [f(a[0], b[0]), f(a[1], b[1])]
    }

    impl Avx2 {
        /// One bit per lane of lanes that are all ones or all zeros.
        #[inline(always)]
        fn bits(self, lanes: [__m256i; 2]) -> u32 {
            let packed = host!(_mm256_packs_epi16(lanes[0], lanes[1]));
            host!(_mm256_movemask_epi8(host!(_mm256_permute4x64_epi64::<0b11_01_10_00>(packed)))) as u32
        }

        #[inline(always)]
        fn spread(self, mask: u16) -> __m256i {
            let bit =
                host!(_mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, -32768));
            let set = host!(_mm256_and_si256(host!(_mm256_set1_epi16(mask as i16)), bit));
            host!(_mm256_cmpeq_epi16(set, bit))
        }
    }

    impl Lanes for Avx2 {
        type V = [__m256i; 2];

        #[inline(always)]
        fn load(self, from: &Vector) -> Self::V {
            let from = from.0.as_ptr().cast::<__m256i>();
            [host!(_mm256_load_si256(from)), host!(_mm256_load_si256(from.wrapping_add(1)))]
        }
        #[inline(always)]
        fn store(self, to: &mut Vector, value: Self::V) {
            let to = to.0.as_mut_ptr().cast::<__m256i>();
            host!(_mm256_store_si256(to, value[0]));
            host!(_mm256_store_si256(to.wrapping_add(1), value[1]));
        }
        #[inline(always)]
        fn splat(self, value: i16) -> Self::V {
            [host!(_mm256_set1_epi16(value)); 2]
        }
        #[inline(always)]
        fn add(self, a: Self::V, b: Self::V) -> Self::V {
            both(a, b, |a, b| host!(_mm256_add_epi16(a, b)))
        }
        #[inline(always)]
        fn add_saturating(self, a: Self::V, b: Self::V) -> Self::V {
            both(a, b, |a, b| host!(_mm256_adds_epi16(a, b)))
        }
        #[inline(always)]
        fn sub(self, a: Self::V, b: Self::V) -> Self::V {
            both(a, b, |a, b| host!(_mm256_sub_epi16(a, b)))
        }
        #[inline(always)]
        fn sub_saturating(self, a: Self::V, b: Self::V) -> Self::V {
            both(a, b, |a, b| host!(_mm256_subs_epi16(a, b)))
        }
        #[inline(always)]
        fn and(self, a: Self::V, b: Self::V) -> Self::V {
            both(a, b, |a, b| host!(_mm256_and_si256(a, b)))
        }
        #[inline(always)]
        fn or(self, a: Self::V, b: Self::V) -> Self::V {
            both(a, b, |a, b| host!(_mm256_or_si256(a, b)))
        }
        #[inline(always)]
        fn xor(self, a: Self::V, b: Self::V) -> Self::V {
            both(a, b, |a, b| host!(_mm256_xor_si256(a, b)))
        }
        /// There are variable shifts of 32 bits only: the even lanes, then the odd ones.
        #[inline(always)]
        fn shift_left_each(self, a: Self::V, by: Self::V) -> Self::V {
            both(a, by, |a, by| {
                let fifteen = host!(_mm256_set1_epi32(15));
                let low = host!(_mm256_set1_epi32(0xffff));
                let even = host!(_mm256_sllv_epi32(a, host!(_mm256_and_si256(by, fifteen))));
                let odd_by = host!(_mm256_and_si256(host!(_mm256_srli_epi32::<16>(by)), fifteen));
                let odd = host!(_mm256_sllv_epi32(host!(_mm256_andnot_si256(low, a)), odd_by));
                host!(_mm256_or_si256(host!(_mm256_and_si256(even, low)), odd))
            })
        }
        #[inline(always)]
        fn shift_right_each(self, a: Self::V, by: Self::V) -> Self::V {
            both(a, by, |a, by| {
                let fifteen = host!(_mm256_set1_epi32(15));
                let even_value = host!(_mm256_srai_epi32::<16>(host!(_mm256_slli_epi32::<16>(a))));
                let even = host!(_mm256_srav_epi32(even_value, host!(_mm256_and_si256(by, fifteen))));
                let odd_by = host!(_mm256_and_si256(host!(_mm256_srli_epi32::<16>(by)), fifteen));
                let odd = host!(_mm256_srav_epi32(a, odd_by));
                host!(_mm256_blend_epi16::<0b1010_1010>(even, odd))
            })
        }
        #[inline(always)]
        fn shift_left(self, a: Self::V, by: u32) -> Self::V {
            let by = host!(_mm_cvtsi32_si128(by as i32));
            a.map(|a| host!(_mm256_sll_epi16(a, by)))
        }
        #[inline(always)]
        fn shift_right(self, a: Self::V, by: u32) -> Self::V {
            let by = host!(_mm_cvtsi32_si128(by as i32));
            a.map(|a| host!(_mm256_sra_epi16(a, by)))
        }
        #[inline(always)]
        fn shift_right_zero(self, a: Self::V, by: u32) -> Self::V {
            let by = host!(_mm_cvtsi32_si128(by as i32));
            a.map(|a| host!(_mm256_srl_epi16(a, by)))
        }
        #[inline(always)]
        fn multiply_low(self, a: Self::V, b: Self::V) -> Self::V {
            both(a, b, |a, b| host!(_mm256_mullo_epi16(a, b)))
        }
        #[inline(always)]
        fn multiply_high(self, a: Self::V, b: Self::V) -> Self::V {
            both(a, b, |a, b| host!(_mm256_mulhi_epi16(a, b)))
        }
        #[inline(always)]
        fn multiply_wide(self, a: Self::V, b: Self::V, shift: u32, addend: Self::V, saturating: bool) -> Self::V {
            let by = host!(_mm_cvtsi32_si128(shift as i32));
            let zero = host!(_mm256_setzero_si256());
            [0, 1].map(|half| {
                let (low, high) =
                    (host!(_mm256_mullo_epi16(a[half], b[half])), host!(_mm256_mulhi_epi16(a[half], b[half])));
                // Unpacking and packing take the 128-bit parts alike, so that lanes end where they began.
                let scale = |product: __m256i, addend: __m256i| {
                    let shifted = host!(_mm256_sra_epi32(host!(_mm256_add_epi32(product, addend)), by));
                    if saturating {
                        shifted
                    } else {
                        host!(_mm256_srai_epi32::<16>(host!(_mm256_slli_epi32::<16>(shifted))))
                    }
                };
                let first =
                    scale(host!(_mm256_unpacklo_epi16(low, high)), host!(_mm256_unpacklo_epi16(addend[half], zero)));
                let second =
                    scale(host!(_mm256_unpackhi_epi16(low, high)), host!(_mm256_unpackhi_epi16(addend[half], zero)));
                host!(_mm256_packs_epi32(first, second))
            })
        }
        #[inline(always)]
        fn equal(self, a: Self::V, b: Self::V) -> u32 {
            self.bits(both(a, b, |a, b| host!(_mm256_cmpeq_epi16(a, b))))
        }
        #[inline(always)]
        fn less(self, a: Self::V, b: Self::V) -> u32 {
            self.bits(both(a, b, |a, b| host!(_mm256_cmpgt_epi16(b, a))))
        }
        #[inline(always)]
        fn negative(self, a: Self::V) -> u32 {
            // Packing keeps signs.
            self.bits(a)
        }
        #[inline(always)]
        fn first(self, a: Self::V) -> i16 {
            host!(_mm_cvtsi128_si32(host!(_mm256_castsi256_si128(a[0])))) as i16
        }
        #[inline(always)]
        fn select(self, mask: u32, set: Self::V, clear: Self::V) -> Self::V {
            let take = [self.spread(mask as u16), self.spread((mask >> 16) as u16)];
            [0, 1].map(|half| host!(_mm256_blendv_epi8(clear[half], set[half], take[half])))
        }
    }
}
