//! The state of the core: program counter, registers, generators, CSRs and DMA channels.
//!
//! Contract: plain data. Two machines whose states and memories are equal do the same from there on, so `==` is the
//! comparison that lockstep tests need. Reset puts everything to zero except the CSRs, which get the values of their
//! rows in [`fenn_isa::csr::CSRS`]; real registers and generators start undefined.
//!
//! Invariant: `x0` is 0. [`State::set_x`] is the only way to write a scalar register from outside this crate, and inside it
//! for all but the fast engine, whose operations never have `x0` for a destination.
//!
//! Not here: memories (see [`crate::memory`]) and what changes a state (see `execute`).

use fenn_isa::csr::Register;
use fenn_isa::lane::Generator;
use fenn_isa::memory::{LANES, VECTOR_BYTES};
use fenn_isa::operand::{VReg, XReg};

use crate::dma::Dma;

/// One vector: 32 lanes of 16 bits, lane 0 first. Aligned to its size so that one never crosses a cache line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Vector(pub [i16; LANES]);

impl Vector {
    /// Zero in every lane.
    pub const ZERO: Self = Self([0; LANES]);

    /// The 64 bytes in the order of memory: lane 0 first, low byte first.
    #[inline]
    pub fn to_bytes(&self) -> [u8; VECTOR_BYTES as usize] {
        let mut bytes = [0; VECTOR_BYTES as usize];
        for (pair, lane) in bytes.chunks_exact_mut(2).zip(&self.0) {
            pair.copy_from_slice(&lane.to_le_bytes());
        }
        bytes
    }

    /// The vector that [`Self::to_bytes`] gives `bytes` for.
    #[inline]
    pub fn from_bytes(bytes: &[u8; VECTOR_BYTES as usize]) -> Self {
        Self(core::array::from_fn(|lane| i16::from_le_bytes([bytes[2 * lane], bytes[2 * lane + 1]])))
    }
}

impl Default for Vector {
    fn default() -> Self {
        Self::ZERO
    }
}

/// The random number generators of all lanes, in the two halves that `vloadr0` and `vloadr1` load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Generators {
    /// First half of each lane's state.
    pub s0: [u16; LANES],
    /// Second half of each lane's state.
    pub s1: [u16; LANES],
}

impl Generators {
    /// One random word for each lane; every generator advances once. See [`Generator::next`].
    #[inline]
    pub fn draw(&mut self) -> [u16; LANES] {
        core::array::from_fn(|lane| {
            let mut generator = Generator { s0: self.s0[lane], s1: self.s1[lane] };
            let word = generator.next();
            (self.s0[lane], self.s1[lane]) = (generator.s0, generator.s1);
            word
        })
    }
}

/// The CSRs that hold something; the constant ones and the DMA engine's are not stored here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csrs {
    /// MIE (bit 3), MPIE (bit 7), MPP (bits 12:11, always 3).
    pub mstatus: u32,
    /// Trap handler's address, a multiple of 4; 0 for none.
    pub mtvec: u32,
    /// Bit 0 stops `mcycle`, bit 2 stops `minstret`.
    pub mcountinhibit: u32,
    /// For the handler's own use.
    pub mscratch: u32,
    /// Address of the instruction that trapped, a multiple of 4.
    pub mepc: u32,
    /// Why it trapped.
    pub mcause: u32,
    /// Address or word that made it trap.
    pub mtval: u32,
    /// Cycles counted while not inhibited.
    pub mcycle: u64,
    /// Instructions counted while not inhibited.
    pub minstret: u64,
}

impl Default for Csrs {
    fn default() -> Self {
        let reset = |register: Register| register.spec().reset;
        Self {
            mstatus: reset(Register::Mstatus),
            mtvec: reset(Register::Mtvec),
            mcountinhibit: reset(Register::Mcountinhibit),
            mscratch: reset(Register::Mscratch),
            mepc: reset(Register::Mepc),
            mcause: reset(Register::Mcause),
            mtval: reset(Register::Mtval),
            mcycle: u64::from(reset(Register::Mcycleh)) << 32 | u64::from(reset(Register::Mcycle)),
            minstret: u64::from(reset(Register::Minstreth)) << 32 | u64::from(reset(Register::Minstret)),
        }
    }
}

/// Everything about the core that is not in a memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Address of the next instruction, in instruction memory.
    pub pc: u32,
    pub(crate) x: [u32; 32],
    /// The vector registers.
    pub v: [Vector; 32],
    /// The lanes' random number generators.
    pub generators: Generators,
    /// Control and status.
    pub csrs: Csrs,
    /// Both channels of the DMA engine.
    pub dma: Dma,
    /// Cycles since reset, whether or not `mcycle` counts them.
    pub cycles: u64,
    /// Instructions retired since reset, whether or not `minstret` counts them.
    pub retired: u64,
}

impl State {
    /// A scalar register.
    #[inline(always)]
    pub fn x(&self, reg: XReg) -> u32 {
        // The mask costs nothing and spares the bounds check: a register's number is always below 32.
        self.x[reg.get() as usize & 31]
    }

    /// All scalar registers, `x0` first.
    pub fn all_x(&self) -> &[u32; 32] {
        &self.x
    }

    /// Writes a scalar register; `x0` stays 0.
    #[inline(always)]
    pub fn set_x(&mut self, reg: XReg, value: u32) {
        self.x[reg.get() as usize & 31] = value;
        self.x[0] = 0;
    }

    /// A vector register.
    #[inline(always)]
    pub fn v(&self, reg: VReg) -> &Vector {
        &self.v[reg.get() as usize & 31]
    }

    /// A vector register, to be written.
    #[inline(always)]
    pub fn v_mut(&mut self, reg: VReg) -> &mut Vector {
        &mut self.v[reg.get() as usize & 31]
    }
}
