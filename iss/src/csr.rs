//! What reading and writing the CSRs does.
//!
//! Contract: an access to an address without a row, and a write to a read-only row, is a trap and changes nothing.
//! Fields that cannot be written keep their value. An instruction that writes a counter does not count itself into it:
//! the next instruction reads what was written. Whether an instruction is counted is decided by `mcountinhibit` as it
//! was before that instruction.
//!
//! Not here: which CSRs there are (see [`fenn_isa::csr`]).

use fenn_isa::csr::{self, Access, Register};

use crate::dma::Direction;
use crate::execute::Core;
use crate::state::{Csrs, State};
use crate::trap::Cause;

/// `mstatus.MIE`.
pub(crate) const MIE: u32 = 1 << 3;
/// `mstatus.MPIE`.
pub(crate) const MPIE: u32 = 1 << 7;
/// The bit of `mcountinhibit` that stops `mcycle`.
pub(crate) const INHIBIT_CYCLES: u32 = 1 << 0;
/// The bit of `mcountinhibit` that stops `minstret`.
pub(crate) const INHIBIT_INSTRUCTIONS: u32 = 1 << 2;

/// What a CSR instruction writes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Write {
    /// Nothing.
    Nothing,
    /// This value.
    All(u32),
    /// The old value with these bits set.
    Set(u32),
    /// The old value with these bits cleared.
    Clear(u32),
}

impl Core {
    /// The old value of the CSR at `address`, after `write` has been done to it.
    pub(crate) fn access_csr(&mut self, address: u16, write: Write) -> Result<u32, Cause> {
        let row = csr::by_address(address).ok_or(Cause::NoSuchCsr { address })?;
        let old = self.read_csr(row.register);
        let new = match write {
            Write::Nothing => return Ok(old),
            Write::All(value) => value,
            Write::Set(bits) => old | bits,
            Write::Clear(bits) => old & !bits,
        };
        if row.access == Access::ReadOnly {
            return Err(Cause::ReadOnlyCsr { address });
        }
        self.write_csr(row.register, new);
        Ok(old)
    }

    fn read_csr(&mut self, register: Register) -> u32 {
        match register {
            Register::Mm2sStatus => self.poll_dma(Direction::IntoVector),
            Register::S2mmStatus => self.poll_dma(Direction::OutOfVector),
            _ => self.state.csr(register),
        }
    }

    fn write_csr(&mut self, register: Register, value: u32) {
        match register {
            Register::Mcycle | Register::Mcycleh => self.counters_written |= INHIBIT_CYCLES,
            Register::Minstret | Register::Minstreth => self.counters_written |= INHIBIT_INSTRUCTIONS,
            Register::Mm2sControl => return self.control_dma(Direction::IntoVector, value),
            Register::S2mmControl => return self.control_dma(Direction::OutOfVector, value),
            _ => {}
        }
        self.state.set_csr(register, value);
    }

    fn poll_dma(&mut self, direction: Direction) -> u32 {
        self.state.dma.channel_mut(direction).poll(self.state.cycles)
    }

    fn control_dma(&mut self, direction: Direction, value: u32) {
        if value & 1 != 0 {
            self.state.dma.start(direction, self.state.cycles, &self.memory, &self.dram);
        }
    }
}

impl State {
    /// What a CSR reads, without the reading's effects.
    pub(crate) fn csr(&self, register: Register) -> u32 {
        let csrs = &self.csrs;
        let into = self.dma.channel(Direction::IntoVector);
        let out_of = self.dma.channel(Direction::OutOfVector);
        match register {
            Register::Mstatus => csrs.mstatus,
            Register::Mtvec => csrs.mtvec,
            Register::Mcountinhibit => csrs.mcountinhibit,
            Register::Mscratch => csrs.mscratch,
            Register::Mepc => csrs.mepc,
            Register::Mcause => csrs.mcause,
            Register::Mtval => csrs.mtval,
            Register::Mcycle => csrs.mcycle as u32,
            Register::Minstret => csrs.minstret as u32,
            Register::Mcycleh => (csrs.mcycle >> 32) as u32,
            Register::Minstreth => (csrs.minstret >> 32) as u32,
            Register::Mm2sSrcAddr => into.source,
            Register::Mm2sDstAddr => into.destination,
            Register::Mm2sCount => into.count,
            Register::Mm2sStatus => into.status(),
            Register::S2mmSrcAddr => out_of.source,
            Register::S2mmDstAddr => out_of.destination,
            Register::S2mmCount => out_of.count,
            Register::S2mmStatus => out_of.status(),
            // Constants; the controls read 0, which is their reset value.
            Register::Misa | Register::Mhartid | Register::Mm2sControl | Register::S2mmControl => register.spec().reset,
        }
    }

    /// Writes what can be written of a CSR without starting anything; `false` where that is nothing.
    pub(crate) fn set_csr(&mut self, register: Register, value: u32) -> bool {
        let csrs = &mut self.csrs;
        let dma = &mut self.dma;
        match register {
            Register::Mstatus => csrs.mstatus = Register::Mstatus.spec().reset | value & (MIE | MPIE),
            Register::Mtvec => csrs.mtvec = value & !3,
            Register::Mcountinhibit => csrs.mcountinhibit = value & (INHIBIT_CYCLES | INHIBIT_INSTRUCTIONS),
            Register::Mscratch => csrs.mscratch = value,
            Register::Mepc => csrs.mepc = value & !3,
            Register::Mcause => csrs.mcause = value,
            Register::Mtval => csrs.mtval = value,
            Register::Mcycle => csrs.mcycle = with_low(csrs.mcycle, value),
            Register::Mcycleh => csrs.mcycle = with_high(csrs.mcycle, value),
            Register::Minstret => csrs.minstret = with_low(csrs.minstret, value),
            Register::Minstreth => csrs.minstret = with_high(csrs.minstret, value),
            Register::Mm2sSrcAddr => dma.channel_mut(Direction::IntoVector).source = value,
            Register::Mm2sDstAddr => dma.channel_mut(Direction::IntoVector).destination = value,
            Register::Mm2sCount => dma.channel_mut(Direction::IntoVector).count = value,
            Register::S2mmSrcAddr => dma.channel_mut(Direction::OutOfVector).source = value,
            Register::S2mmDstAddr => dma.channel_mut(Direction::OutOfVector).destination = value,
            Register::S2mmCount => dma.channel_mut(Direction::OutOfVector).count = value,
            // Writable in name only, read-only, or with an effect of its own.
            Register::Misa
            | Register::Mhartid
            | Register::Mm2sStatus
            | Register::S2mmStatus
            | Register::Mm2sControl
            | Register::S2mmControl => return false,
        }
        true
    }
}

impl Csrs {
    /// Whether every CSR holds something that can be written to it.
    pub(crate) fn is_legal(&self) -> bool {
        self.mstatus & !(MIE | MPIE) == Register::Mstatus.spec().reset
            && self.mtvec & 3 == 0
            && self.mepc & 3 == 0
            && self.mcountinhibit & !(INHIBIT_CYCLES | INHIBIT_INSTRUCTIONS) == 0
    }
}

fn with_low(counter: u64, value: u32) -> u64 {
    counter & !0xffff_ffff | u64::from(value)
}

fn with_high(counter: u64, value: u32) -> u64 {
    counter & 0xffff_ffff | u64::from(value) << 32
}
