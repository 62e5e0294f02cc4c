//! What a host sees of a system of cores: two address spaces of a card, and the registers in one of them.
//!
//! Contract: a card has a *register space* of 32-bit words (an AXI4-Lite slave; the user BAR of an XDMA card) with one block
//! for the card and one for each core, and a *memory space* of 64-bit addresses (an AXI4 slave; what an XDMA card's DMA
//! channels reach), where [`window`] says what lies where. [`CARD_REGISTERS`] and [`CORE_REGISTERS`] are the only places that
//! name registers; the SystemVerilog package, the drivers and the manual are read off them.
//!
//! Registers are little-endian words, read and written whole. A register that is not in the table reads 0 and ignores
//! writes, so that a later version may have more.
//!
//! Not here: how a host gets to either space, and what the cores do.

use crate::csr::CSRS;
use crate::memory::{SPACES, Space};
use crate::spec::SPECS;

/// What [`CardRegister::Ident`] reads: `FENN`, first letter in the lowest byte.
pub const IDENT: u32 = u32::from_le_bytes(*b"FENN");
/// What [`CardRegister::Version`] reads: this map's version, major in bits 31:16. A host refuses another major version.
pub const VERSION: u32 = 0x0001_0000;
/// Most cores of a card: as many as the windows of the memory map have room for.
pub const MOST_CORES: u32 = 16;
/// Byte offset of core 0's registers in the register space.
pub const CORE_BLOCKS: u32 = 0x1000;
/// Bytes of a core's block of registers.
pub const CORE_BLOCK_BYTES: u32 = 0x100;
/// Bytes of the register space.
pub const REGISTER_BYTES: u32 = CORE_BLOCKS + MOST_CORES * CORE_BLOCK_BYTES;
/// From one core's window to the next one's, in each memory of the memory space but DRAM.
pub const CORE_STRIDE: u32 = 1 << 24;
/// A core's region of DRAM begins at a multiple of this.
pub const REGION_ALIGNMENT: u32 = 4096;

/// Who may do what with a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reads only; writes are ignored.
    ReadOnly,
    /// Holds what was written.
    ReadWrite,
    /// Bits written as 1 do something; reads 0.
    Pulse,
    /// Bits written as 1 are cleared.
    ClearByOne,
}

impl Access {
    /// As the manual has it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::ReadOnly => "RO",
            Self::ReadWrite => "RW",
            Self::Pulse => "W1P",
            Self::ClearByOne => "RW1C",
        }
    }
}

/// One register, as data.
#[derive(Debug)]
pub struct RegisterSpec {
    /// Lower case, with underscores.
    pub name: &'static str,
    /// Byte offset in its block, a multiple of 4.
    pub offset: u32,
    /// Who may do what.
    pub access: Access,
    /// The doc comment.
    pub doc: &'static str,
}

macro_rules! registers {
    ($(#[doc = $block:literal])* $enum:ident $table:ident
     $($(#[doc = $doc:literal])* $variant:ident $name:literal = $offset:literal, $access:ident;)*) => {
        $(#[doc = $block])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $enum { $($(#[doc = $doc])* $variant,)* }

        /// The block's table, indexed by the register.
        pub static $table: &[RegisterSpec] = &[$(RegisterSpec {
            name: $name,
            offset: $offset,
            access: Access::$access,
            doc: concat!($($doc, "\n"),*),
        }),*];

        impl $enum {
            /// All of them, in the order of their offsets.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The row.
            pub fn spec(self) -> &'static RegisterSpec {
                &$table[self as usize]
            }

            /// The register at byte `offset` of its block.
            pub fn at(offset: u32) -> Option<Self> {
                Self::ALL.iter().copied().find(|register| register.spec().offset == offset)
            }
        }

        const _: () = {
            let offsets: &[u32] = &[$($offset),*];
            let mut i = 0;
            while i < offsets.len() {
                assert!(offsets[i] % 4 == 0, "registers are words");
                assert!(i == 0 || offsets[i - 1] < offsets[i], "rows are in the order of their offsets");
                i += 1;
            }
        };
    };
}

registers! {
    /// A register of the card.
    CardRegister CARD_REGISTERS
    /// `FENN`: there is a card of this kind.
    Ident "ident" = 0x00, ReadOnly;
    /// The version of this map, major in bits 31:16.
    Version "version" = 0x04, ReadOnly;
    /// Fingerprint of the instructions, CSRs and memory map that the cores were made from.
    Fingerprint "fingerprint" = 0x08, ReadOnly;
    /// Cores.
    Cores "cores" = 0x0c, ReadOnly;
    /// Lanes of each core's vector unit.
    Lanes "lanes" = 0x10, ReadOnly;
    /// Bytes of each core's instruction memory.
    InstructionBytes "imem_bytes" = 0x14, ReadOnly;
    /// Bytes of each core's scalar memory.
    ScalarBytes "smem_bytes" = 0x18, ReadOnly;
    /// Bytes of each core's vector memory.
    VectorBytes "vmem_bytes" = 0x1c, ReadOnly;
    /// Bytes of each lane's own memory.
    LaneBytes "lane_bytes" = 0x20, ReadOnly;
    /// Bytes of the card's DRAM, all regions together, the lower word.
    DramLow "dram_lo" = 0x24, ReadOnly;
    /// Its upper word.
    DramHigh "dram_hi" = 0x28, ReadOnly;
    /// Bits of the ports to the host and to DRAM.
    DataWidth "data_width" = 0x2c, ReadOnly;
    /// The clock in kHz; 0 where it is not known, as in simulation.
    ClockKhz "clock_khz" = 0x30, ReadOnly;
    /// A word for the host's own use, 0 after reset.
    Scratch "scratch" = 0x34, ReadWrite;
    /// Bit n: core n has stopped (`done` or `error` of its status) and that has not been acknowledged.
    IrqPending "irq_pending" = 0x40, ReadOnly;
    /// Bit n lets core n raise its interrupt, which stays up while it is pending.
    IrqEnable "irq_enable" = 0x44, ReadWrite;
    /// Bit n acknowledges core n's interrupt; its status stays.
    IrqAck "irq_ack" = 0x48, Pulse;
    /// Accesses to the memory space that failed, since cleared: bit 0 a read and bit 1 a write outside of every window
    /// (DECERR); bit 2 a read and bit 3 a write of vector or lane-local memory while the core runs (SLVERR).
    BusError "bus_error" = 0x4c, ClearByOne;
    /// The address of the first of them, the lower word.
    BusErrorLow "bus_error_lo" = 0x50, ReadOnly;
    /// Its upper word.
    BusErrorHigh "bus_error_hi" = 0x54, ReadOnly;
}

registers! {
    /// A register of one core.
    CoreRegister CORE_REGISTERS
    /// What the core is to do; the bits are those of [`control`].
    Control "control" = 0x00, Pulse;
    /// What it does; the bits are those of [`status`].
    Status "status" = 0x04, ReadOnly;
    /// Where a program starts: a byte address in instruction memory.
    Entry "entry" = 0x08, ReadWrite;
    /// The program counter, exact while the core stands still.
    Pc "pc" = 0x0c, ReadOnly;
    /// `mcause` of the exception that stopped it.
    TrapCause "trap_cause" = 0x10, ReadOnly;
    /// `mtval` of the exception that stopped it.
    TrapValue "trap_value" = 0x14, ReadOnly;
    /// Cycles since the start, counted while it runs, the lower word. Reading it keeps the upper word for the next read.
    CyclesLow "cycles_lo" = 0x18, ReadOnly;
    /// The upper word, as of the latest read of the lower.
    CyclesHigh "cycles_hi" = 0x1c, ReadOnly;
    /// Instructions retired since the start, the lower word, with an upper word as cycles have.
    InstructionsLow "instructions_lo" = 0x20, ReadOnly;
    /// The upper word, as of the latest read of the lower.
    InstructionsHigh "instructions_hi" = 0x24, ReadOnly;
    /// Where the core's region of DRAM begins, in bytes from the start of the card's DRAM, the lower word; a multiple of 4096.
    /// To be changed only while the core stands still.
    DramBaseLow "dram_base_lo" = 0x28, ReadWrite;
    /// The upper word.
    DramBaseHigh "dram_base_hi" = 0x2c, ReadWrite;
    /// Bytes of the region, a multiple of 64, at most 2^31. The core's transfers beyond it end with a decode error. 0 after reset: no DRAM.
    DramLimit "dram_limit" = 0x30, ReadWrite;
}

/// Bits of [`CoreRegister::Control`].
pub mod control {
    /// Start at `entry`; registers, generators and memories stay as they are. Ignored while the core runs.
    pub const RUN: u32 = 1 << 0;
    /// Stop before the next instruction.
    pub const HALT: u32 = 1 << 1;
    /// Reset the core: it stops, CSRs and generators are as after power-up, and memories stay.
    pub const RESET: u32 = 1 << 2;
    /// With `RUN`: for one instruction.
    pub const STEP: u32 = 1 << 3;
    /// Go on at `pc` after a halt, a step or a breakpoint. Ignored while the core runs.
    pub const RESUME: u32 = 1 << 4;
}

/// Bits of [`CoreRegister::Status`].
pub mod status {
    /// It executes instructions.
    pub const RUNNING: u32 = 1 << 0;
    /// The program came to its end (`ecall`); until the next start or reset.
    pub const DONE: u32 = 1 << 1;
    /// It stopped at an exception or an `ebreak`; until the next start or reset.
    pub const ERROR: u32 = 1 << 2;
    /// Position of the reason why it stands still, 3 bits: 0 reset, 1 asked to, 2 step, 3 `ecall`, 4 `ebreak`, 5 exception.
    pub const CAUSE_SHIFT: u32 = 4;
    /// The reason's bits.
    pub const CAUSE_MASK: u32 = 7 << CAUSE_SHIFT;

    /// Why a core stands still.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    #[repr(u32)]
    pub enum Cause {
        /// It has not run since its reset.
        Reset = 0,
        /// A host asked for it.
        Request = 1,
        /// One instruction was asked for.
        Step = 2,
        /// The program's end.
        Ecall = 3,
        /// A breakpoint.
        Ebreak = 4,
        /// An exception.
        Trap = 5,
    }

    impl Cause {
        /// The reason in a word of status; `None` for a code that has no meaning.
        pub const fn of(status: u32) -> Option<Self> {
            Some(match (status & CAUSE_MASK) >> CAUSE_SHIFT {
                0 => Self::Reset,
                1 => Self::Request,
                2 => Self::Step,
                3 => Self::Ecall,
                4 => Self::Ebreak,
                5 => Self::Trap,
                _ => return None,
            })
        }
    }
}

/// Bits of [`CardRegister::BusError`].
pub mod bus_error {
    /// A read outside of every window.
    pub const READ_DECODE: u32 = 1 << 0;
    /// A write outside of every window.
    pub const WRITE_DECODE: u32 = 1 << 1;
    /// A read of vector or lane-local memory while the core runs.
    pub const READ_BUSY: u32 = 1 << 2;
    /// A write of vector or lane-local memory while the core runs.
    pub const WRITE_BUSY: u32 = 1 << 3;
}

/// Byte offset of a core's register in the register space.
pub fn core_offset(core: u32, register: CoreRegister) -> u32 {
    CORE_BLOCKS + core * CORE_BLOCK_BYTES + register.spec().offset
}

/// Where the first byte of a memory of core `core` is in the memory space; for DRAM, where the card's DRAM begins, whatever
/// the core. DRAM is last, so it may be larger than the window that load addresses have for it.
pub fn window(space: Space, core: u32) -> u64 {
    let base = u64::from(space.spec().base);
    if space == Space::Dram { base } else { base + u64::from(core) * u64::from(CORE_STRIDE) }
}

/// Whose memory is at an address of the memory space, and at which of its bytes; `None` where no core could have one.
pub fn at(address: u64) -> Option<(Space, u32, u64)> {
    let dram = u64::from(Space::Dram.spec().base);
    if address >= dram {
        return Some((Space::Dram, 0, address - dram));
    }
    SPACES.iter().filter(|row| row.space != Space::Dram).find_map(|row| {
        let inside = address.checked_sub(row.base.into())?;
        let core = u32::try_from(inside / u64::from(CORE_STRIDE)).ok()?;
        (core < MOST_CORES).then_some((row.space, core, inside % u64::from(CORE_STRIDE)))
    })
}

/// What [`CardRegister::Fingerprint`] reads: FNV-1a (32 bits) over every row's encoding, every CSR's address, every window's base and every
/// register's offset.
pub const FINGERPRINT: u32 = {
    const fn mix(mut hash: u32, word: u32) -> u32 {
        let bytes = word.to_le_bytes();
        let mut i = 0;
        while i < 4 {
            hash = (hash ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
            i += 1;
        }
        hash
    }
    let mut hash = 0x811c_9dc5;
    let mut i = 0;
    while i < SPECS.len() {
        hash = mix(mix(hash, SPECS[i].layout.mask), SPECS[i].layout.value);
        i += 1;
    }
    i = 0;
    while i < CSRS.len() {
        hash = mix(hash, CSRS[i].address as u32);
        i += 1;
    }
    i = 0;
    while i < SPACES.len() {
        hash = mix(hash, SPACES[i].base);
        i += 1;
    }
    i = 0;
    while i < CARD_REGISTERS.len() {
        hash = mix(hash, CARD_REGISTERS[i].offset);
        i += 1;
    }
    i = 0;
    while i < CORE_REGISTERS.len() {
        hash = mix(hash, CORE_REGISTERS[i].offset);
        i += 1;
    }
    hash
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_come_back() {
        for space in Space::ALL {
            for core in [0, 1, MOST_CORES - 1] {
                let owner = if space == Space::Dram { 0 } else { core };
                assert_eq!(at(window(space, core) + 68), Some((space, owner, 68)));
            }
        }
        assert_eq!(at(0x4000_0000), None);
        assert_eq!(at(0x8000_0000 + (1 << 34)), Some((Space::Dram, 0, 1 << 34)));
    }

    #[test]
    fn blocks_have_room() {
        assert!(CARD_REGISTERS.iter().all(|row| row.offset < CORE_BLOCKS));
        assert!(CORE_REGISTERS.iter().all(|row| row.offset < CORE_BLOCK_BYTES));
        assert_eq!(core_offset(2, CoreRegister::Status), 0x1204);
        assert_eq!(CardRegister::at(0x0c), Some(CardRegister::Cores));
        assert_eq!(CoreRegister::at(0x34), None);
    }
}
