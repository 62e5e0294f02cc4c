//! The vector half: 32 lanes at once.
//!
//! Contract: what one lane does is [`fenn_isa::lane`]'s; here is what all lanes do, so that the compiler can make host
//! vector instructions of it. Results are formed whole before the destination is written, because it may be a source.

use fenn_isa::lane::{self, Rounding};
use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};
use fenn_isa::operand::{Imm12, Shift, VReg, XReg};

use super::{Core, Exit};
use crate::observe::Observer;
use crate::state::Vector;
use crate::timing::Detail;
use crate::trap::{Access, AccessKind};

impl Core {
    #[inline(always)]
    pub(super) fn lanes(&mut self, vd: VReg, vs1: VReg, vs2: VReg, f: impl Fn(i16, i16) -> i16) {
        let (a, b) = (self.state.v(vs1), self.state.v(vs2));
        *self.state.v_mut(vd) = Vector(each(|i| f(a.0[i], b.0[i])));
    }

    #[inline(always)]
    pub(super) fn fill(&mut self, vd: VReg, value: i16) {
        *self.state.v_mut(vd) = Vector([value; LANES]);
    }

    /// The lanes' random words where the rounding needs them; the generators advance then, and only then.
    #[inline(always)]
    fn random_words(&mut self, rounding: Rounding) -> [u16; LANES] {
        if rounding == Rounding::Stochastic { self.state.generators.draw() } else { [0; LANES] }
    }

    #[inline(always)]
    pub(super) fn multiply<const SATURATING: bool>(
        &mut self,
        vd: VReg,
        vs1: VReg,
        vs2: VReg,
        shift: Shift,
        rounding: Rounding,
    ) {
        let random = self.random_words(rounding);
        let (a, b) = (self.state.v(vs1), self.state.v(vs2));
        *self.state.v_mut(vd) =
            Vector(each(|i| lane::multiply(a.0[i], b.0[i], shift.get(), rounding, random[i], SATURATING)));
    }

    #[inline(always)]
    pub(super) fn shift_right(&mut self, vd: VReg, vs1: VReg, shift: Shift, rounding: Rounding) {
        let random = self.random_words(rounding);
        let a = self.state.v(vs1);
        *self.state.v_mut(vd) = Vector(each(|i| lane::shift_right(a.0[i], shift.get(), rounding, random[i])));
    }

    #[inline(always)]
    pub(super) fn random(&mut self, vd: VReg) {
        *self.state.v_mut(vd) = Vector(self.state.generators.draw().map(|word| (word >> 1) as i16));
    }

    #[inline(always)]
    pub(super) fn test(&mut self, rd: XReg, vs1: VReg, vs2: VReg, f: impl Fn(i16, i16) -> bool) {
        let (a, b) = (self.state.v(vs1), self.state.v(vs2));
        self.set(rd, to_mask(each(|i| f(a.0[i], b.0[i]))));
    }

    #[inline(always)]
    pub(super) fn select(&mut self, vd: VReg, mask: u32, vs2: VReg) {
        let (old, chosen) = (self.state.v(vd), self.state.v(vs2));
        let take = from_mask(mask);
        *self.state.v_mut(vd) = Vector(each(|i| if take[i] { chosen.0[i] } else { old.0[i] }));
    }

    #[inline(always)]
    pub(super) fn load_vector<O: Observer>(
        &mut self,
        vd: VReg,
        address: u32,
        observer: &mut O,
    ) -> Result<Detail, Exit> {
        *self.state.v_mut(vd) = *self.memory.vector(address, self.strict)?;
        observer.access(&vector_access(AccessKind::Load, address));
        Ok(Detail::Vector(address))
    }

    #[inline(always)]
    pub(super) fn store_vector<O: Observer>(
        &mut self,
        vs2: VReg,
        address: u32,
        observer: &mut O,
    ) -> Result<Detail, Exit> {
        *self.memory.vector_mut(address, self.strict)? = *self.state.v(vs2);
        observer.access(&vector_access(AccessKind::Store, address));
        Ok(Detail::Vector(address))
    }

    /// Loads one half of every generator's state.
    pub(super) fn load_generators<const HALF: usize, O: Observer>(
        &mut self,
        address: u32,
        observer: &mut O,
    ) -> Result<Detail, Exit> {
        let words = self.memory.vector(address, self.strict)?.0.map(|lane| lane as u16);
        observer.access(&vector_access(AccessKind::Load, address));
        let generators = &mut self.state.generators;
        *(if HALF == 0 { &mut generators.s0 } else { &mut generators.s1 }) = words;
        Ok(Detail::Vector(address))
    }

    #[inline(always)]
    pub(super) fn load_lanes<O: Observer>(
        &mut self,
        vd: VReg,
        vs1: VReg,
        imm: Imm12,
        observer: &mut O,
    ) -> Result<(), Exit> {
        self.watch_lanes(AccessKind::Load, vs1, imm, observer)?;
        let (base, old) = (self.state.v(vs1), self.state.v(vd));
        let rows = self.memory.lane_rows();
        let last_row = rows.len() - 1;
        if let Some(same) = shared_row(base, imm) {
            *self.state.v_mut(vd) = rows[same & last_row];
            return Ok(());
        }
        // Lanes that take no part read as well: a branch for each lane would cost more.
        let read: [i16; LANES] = each(|i| rows[row(base.0[i], imm) & last_row].0[i]);
        *self.state.v_mut(vd) = Vector(each(|i| if base.0[i] >= 0 { read[i] } else { old.0[i] }));
        Ok(())
    }

    #[inline(always)]
    pub(super) fn store_lanes<O: Observer>(
        &mut self,
        vs2: VReg,
        vs1: VReg,
        imm: Imm12,
        observer: &mut O,
    ) -> Result<(), Exit> {
        self.watch_lanes(AccessKind::Store, vs1, imm, observer)?;
        let (base, values) = (self.state.v(vs1), self.state.v(vs2));
        let rows = self.memory.lane_rows_mut();
        let last_row = rows.len() - 1;
        if let Some(same) = shared_row(base, imm) {
            rows[same & last_row] = *values;
            return Ok(());
        }
        for lane in 0..LANES {
            if base.0[lane] >= 0 {
                rows[row(base.0[lane], imm) & last_row].0[lane] = values.0[lane];
            }
        }
        Ok(())
    }

    /// Checks the lanes' addresses when strict, and tells the observer of every lane that takes part.
    #[inline(always)]
    fn watch_lanes<O: Observer>(&self, kind: AccessKind, vs1: VReg, imm: Imm12, observer: &mut O) -> Result<(), Exit> {
        let address = |base: i16| (i32::from(base) + i32::from(imm.get())) as u32;
        let base = self.state.v(vs1);
        if self.strict {
            self.memory.check_lanes(kind, &base.0.map(|base| (base >= 0).then(|| address(base))))?;
        }
        for (lane, base) in base.0.iter().enumerate().filter(|(_, base)| **base >= 0) {
            let (space, address, lane) = (Space::LaneLocal, address(*base), Some(lane as u8));
            observer.access(&Access { kind, space, address, bytes: 2, lane });
        }
        Ok(())
    }
}

/// The row that all lanes address, if they all take part and address the same: what neurons' own state looks like, and
/// then one access does for all of them.
#[inline(always)]
fn shared_row(base: &Vector, imm: Imm12) -> Option<usize> {
    let first = base.0[0];
    let differ = base.0.iter().fold(0, |differ, lane| differ | (lane ^ first));
    (first >= 0 && differ == 0).then(|| row(first, imm))
}

/// The row of lane-local memory that holds byte address `base + imm`, still to be wrapped; bit 0 does not matter.
#[inline(always)]
fn row(base: i16, imm: Imm12) -> usize {
    (i32::from(base) + i32::from(imm.get())) as u32 as usize >> 1
}

/// `f` of every lane. A plain loop, because the compiler does not always see through [`core::array::from_fn`].
#[inline(always)]
fn each<T: Copy + Default>(f: impl Fn(usize) -> T) -> [T; LANES] {
    let mut lanes = [T::default(); LANES];
    for (i, lane) in lanes.iter_mut().enumerate() {
        *lane = f(i);
    }
    lanes
}

/// Bit `i` of the result is lane `i`'s.
///
/// Formed in two halves of 16 bits, so that a lane's bit fits the lane and the host can work on all lanes at once.
#[inline(always)]
fn to_mask(lanes: [bool; LANES]) -> u32 {
    let half = |first: usize| (0..16).fold(0, |mask, i| mask | if lanes[first + i] { 1u16 << i } else { 0 });
    u32::from(half(0)) | u32::from(half(16)) << 16
}

/// The inverse of [`to_mask`].
#[inline(always)]
fn from_mask(mask: u32) -> [bool; LANES] {
    let halves = [mask as u16, (mask >> 16) as u16];
    each(|i| halves[i / 16] & 1 << (i % 16) != 0)
}

fn vector_access(kind: AccessKind, address: u32) -> Access {
    Access { kind, space: Space::Vector, address, bytes: VECTOR_BYTES, lane: None }
}
