//! How long instructions take, apart from what they do.
//!
//! Contract: execution calls [`Timing`] once for every instruction that retires and once for every trap that enters a
//! handler, in program order, and adds the cycles it answers to the clock ([`crate::State::cycles`]). Programs see the
//! clock only through `mcycle` and the DMA engine. A model of time may keep state of its own, and never touches the
//! machine's.
//!
//! Here is the *functional* timing, [`OneCycle`]: right for what programs compute, not for how long they take on a
//! board. Not here: pipelines, hazards and stalls.

use fenn_isa::Inst;

/// What the time an instruction takes depends on besides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Nothing else.
    Nothing,
    /// The address of an access to scalar or vector memory, before it wraps.
    Address(u32),
    /// The divisor of a division.
    Divisor(u32),
}

/// An instruction that has been executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired {
    /// Its address.
    pub pc: u32,
    /// The instruction.
    pub inst: Inst,
    /// Address of the next one; not `pc + 4` after a taken branch or a jump.
    pub next: u32,
    /// What else its time depends on.
    pub detail: Detail,
}

/// A model of time.
pub trait Timing: Clone {
    /// Cycles from the previous instruction's retirement to this one's.
    fn retire(&mut self, retired: &Retired) -> u64;

    /// Cycles from the previous retirement to the first instruction of a trap handler.
    fn trap(&mut self) -> u64;

    /// Forgets everything, as after a reset.
    fn reset(&mut self);
}

/// One cycle for every instruction and every trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OneCycle;

impl Timing for OneCycle {
    #[inline(always)]
    fn retire(&mut self, _retired: &Retired) -> u64 {
        1
    }

    fn trap(&mut self) -> u64 {
        1
    }

    fn reset(&mut self) {}
}
