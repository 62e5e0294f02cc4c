//! Lane-local memory, every lane at its own address.
//!
//! Contract: a [`Place`] is where the lanes of one access are. Lanes with a negative base take no part; an address wraps at the
//! end of the memory, and its bit 0 does not matter. Neurons' own state has one address for all lanes: that is one access of
//! a whole row.
//!
//! Not here: what is done with the data (see [`super::handlers`]).

use fenn_isa::memory::LANES;

use super::simd::Lanes;
use crate::execute::Core;
use crate::state::Vector;

/// Rows up to which a halfword's index in lane-local memory fits 16 bits, lanes included.
const SMALL: usize = (1 << 16) / LANES;

/// Where the lanes of an access are.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// All lanes in this row.
    Row(usize),
    /// Each lane in the row that it has here.
    Rows {
        /// 32 times the row, if the memory is small; else the row.
        rows: Vector,
        /// Bit `i`: lane `i` takes no part.
        absent: u32,
    },
}

impl Place {
    /// Where `base + imm` is, in lane-local memory with these rows.
    #[inline(always)]
    pub(super) fn of<L: Lanes>(l: L, memory: &[Vector], base: L::V, imm: i16) -> Self {
        let last_row = memory.len().wrapping_sub(1);
        let first = l.first(base);
        if first >= 0 && l.equal(base, l.splat(first)) == u32::MAX {
            return Self::Row((i32::from(first) + i32::from(imm)) as u32 as usize >> 1 & last_row);
        }
        // There are at most 2^15 rows, so that the bits of the sum that are lost here would not matter.
        let row = l.and(l.shift_right_zero(l.add(base, l.splat(imm)), 1), l.splat(last_row as i16));
        let scaled = if memory.len() <= SMALL { l.shift_left(row, LANES.trailing_zeros()) } else { row };
        let mut rows = Vector::ZERO;
        l.store(&mut rows, scaled);
        Self::Rows { rows, absent: l.negative(base) }
    }

    /// What the lanes have there; absent lanes have what they have in `old`.
    #[inline(always)]
    pub(super) fn load<L: Lanes>(&self, l: L, core: &Core, old: impl FnOnce() -> L::V) -> L::V {
        let memory = core.memory.lane_rows();
        match self {
            Self::Row(row) => l.load(&memory[*row]),
            Self::Rows { rows, absent } => {
                // Each way loads its own, so that the usual one is never in the host's memory.
                let read = if memory.len() <= SMALL {
                    l.load(&gather(memory, rows))
                } else {
                    l.load(&gather_large(memory, rows))
                };
                if *absent == 0 { read } else { l.select(*absent, old(), read) }
            }
        }
    }

    /// Puts the lanes there.
    #[inline(always)]
    pub(super) fn store<L: Lanes>(&self, l: L, core: &mut Core, value: L::V) {
        let memory = core.memory.lane_rows_mut();
        match self {
            Self::Row(row) => l.store(&mut memory[*row], value),
            Self::Rows { rows, absent } => {
                let mut values = Vector::ZERO;
                l.store(&mut values, value);
                if *absent == 0 && memory.len() <= SMALL {
                    scatter(memory, rows, &values);
                } else {
                    store_some(memory, rows, *absent, &values);
                }
            }
        }
    }
}

/// Lane `i` of the row that begins at halfword `rows[i]`.
#[inline(always)]
fn gather(memory: &[Vector], rows: &Vector) -> Vector {
    let halves = memory.as_ptr().cast::<i16>();
    let mut read = Vector::ZERO;
    for (lane, value) in read.0.iter_mut().enumerate() {
        let index = usize::from(rows.0[lane] as u16) + lane;
        debug_assert!(index < LANES * memory.len(), "`Place::of` has wrapped the row");
        // SAFETY: the row was wrapped at the end of the memory, which is not empty, and has 32 lanes.
        *value = unsafe { *halves.add(index) };
    }
    read
}

/// Lane `i` of row `rows[i]`.
#[cold]
#[inline(never)]
fn gather_large(memory: &[Vector], rows: &Vector) -> Vector {
    Vector(core::array::from_fn(|lane| memory[usize::from(rows.0[lane] as u16)].0[lane]))
}

/// The inverse of [`gather`].
#[inline(always)]
fn scatter(memory: &mut [Vector], rows: &Vector, values: &Vector) {
    let length = LANES * memory.len();
    let halves = memory.as_mut_ptr().cast::<i16>();
    for lane in 0..LANES {
        let index = usize::from(rows.0[lane] as u16) + lane;
        debug_assert!(index < length, "`Place::of` has wrapped the row");
        // SAFETY: as in `gather`; the memory is borrowed to be written.
        unsafe { *halves.add(index) = values.0[lane] };
    }
}

/// Puts the lanes that take part there.
#[cold]
#[inline(never)]
fn store_some(memory: &mut [Vector], rows: &Vector, absent: u32, values: &Vector) {
    let small = memory.len() <= SMALL;
    for lane in (0..LANES).filter(|lane| absent >> lane & 1 == 0) {
        let index = usize::from(rows.0[lane] as u16);
        memory[if small { index / LANES } else { index }].0[lane] = values.0[lane];
    }
}
