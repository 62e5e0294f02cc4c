//! Every way a program stops, with program counter and address.
//!
//! Contract: a [`Trap`] says which instruction, which word, and what was wrong with what address; as text it is a
//! sentence a programmer can act on. Codes and values are those of the RISC-V privileged manual, so that a trap handler
//! inside a program sees what it expects.
//!
//! Not here: faults of a host that uses the library (see [`crate::Error`]).

use core::fmt;

use fenn_isa::csr;
use fenn_isa::exception::Exception;
use fenn_isa::memory::Space;

/// Which way data went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessKind {
    /// From memory.
    Load,
    /// To memory.
    Store,
}

/// One access to a data memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Access {
    /// Load or store.
    pub kind: AccessKind,
    /// Which memory.
    pub space: Space,
    /// Byte address as the instruction computed it; in lane-local memory an address in one lane's own memory.
    pub address: u32,
    /// How many bytes.
    pub bytes: u32,
    /// Whose lane-local memory.
    pub lane: Option<u8>,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, space, address, bytes, lane } = self;
        let kind = match kind {
            AccessKind::Load => "load",
            AccessKind::Store => "store",
        };
        write!(f, "{kind} of {bytes} bytes at {address:#x} of {space}")?;
        lane.map_or(Ok(()), |lane| write!(f, " in lane {lane}"))
    }
}

/// Why an instruction could not be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Cause {
    /// The target of a jump, or the program counter, is not a multiple of 4.
    #[error("{target:#x} is not a multiple of 4, so no instruction can be there")]
    FetchMisaligned {
        /// Where execution would have gone on.
        target: u32,
    },
    /// The program counter left instruction memory.
    #[error("no instruction can be fetched: instruction memory ends at {size:#x}")]
    FetchOutside {
        /// Bytes of instruction memory.
        size: u32,
    },
    /// The word belongs to no instruction.
    #[error("illegal instruction")]
    Illegal,
    /// There is no such CSR.
    #[error("there is no CSR {address:#x}")]
    NoSuchCsr {
        /// 12 bits.
        address: u16,
    },
    /// A read-only CSR was to be written.
    #[error("the CSR {name} cannot be written", name = csr::by_address(*address).map_or("", |row| row.name))]
    ReadOnlyCsr {
        /// 12 bits.
        address: u16,
    },
    /// An address that is not a multiple of what the access needs.
    #[error("{access} is not a multiple of {alignment}")]
    Misaligned {
        /// What was tried.
        access: Access,
        /// What the address must be a multiple of.
        alignment: u32,
    },
    /// An access (partly) beyond the end of a memory.
    #[error("{access}, which ends at {size:#x}")]
    Outside {
        /// What was tried.
        access: Access,
        /// Bytes of the memory; of one lane's for lane-local memory.
        size: u32,
    },
}

impl Cause {
    /// Which exception it raises.
    pub const fn exception(&self) -> Exception {
        match self {
            Self::FetchMisaligned { .. } => Exception::FetchMisaligned,
            Self::FetchOutside { .. } => Exception::FetchFault,
            Self::Illegal | Self::NoSuchCsr { .. } | Self::ReadOnlyCsr { .. } => Exception::Illegal,
            Self::Misaligned { access: Access { kind: AccessKind::Load, .. }, .. } => Exception::LoadMisaligned,
            Self::Outside { access: Access { kind: AccessKind::Load, .. }, .. } => Exception::LoadFault,
            Self::Misaligned { access: Access { kind: AccessKind::Store, .. }, .. } => Exception::StoreMisaligned,
            Self::Outside { access: Access { kind: AccessKind::Store, .. }, .. } => Exception::StoreFault,
        }
    }

    /// What `mcause` holds for it.
    pub const fn code(&self) -> u32 {
        self.exception().code()
    }
}

/// An instruction that could not be executed; it has changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trap {
    /// The instruction's address.
    pub pc: u32,
    /// Its word, unless it could not be fetched.
    pub word: Option<u32>,
    /// What is wrong.
    pub cause: Cause,
}

impl Trap {
    /// What `mtval` holds for it: the address at fault, or the illegal word.
    pub fn value(&self) -> u32 {
        match self.cause {
            Cause::FetchMisaligned { target } => target,
            Cause::FetchOutside { .. } => self.pc,
            Cause::Illegal | Cause::NoSuchCsr { .. } | Cause::ReadOnlyCsr { .. } => self.word.unwrap_or(0),
            Cause::Misaligned { access, .. } | Cause::Outside { access, .. } => access.address,
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pc, word, cause } = self;
        write!(f, "trap at pc {pc:#x}")?;
        if let Some(word) = word {
            match fenn_isa::Inst::decode(*word) {
                Some(inst) => write!(f, " (`{inst}`)")?,
                None => write!(f, " (word {word:#010x})")?,
            }
        }
        write!(f, ": {cause}")
    }
}

impl core::error::Error for Trap {}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// The program ended with `ecall`, which is not executed: the state's `pc` is its address.
    Ecall {
        /// Its address.
        pc: u32,
    },
    /// The program stored something other than zero to its ready flag; it would go on to spin.
    ReadyFlag {
        /// Address of the store, which has been executed.
        pc: u32,
    },
    /// `ebreak`, which is not executed: the state's `pc` is its address.
    Ebreak {
        /// Its address.
        pc: u32,
    },
    /// As many steps as were allowed have been made.
    InstructionLimit {
        /// The next instruction's address.
        pc: u32,
    },
    /// As many cycles as were allowed have passed.
    CycleLimit {
        /// The next instruction's address.
        pc: u32,
    },
    /// The next instruction is one that the run was to stop before.
    Breakpoint {
        /// Its address.
        pc: u32,
    },
    /// An instruction could not be executed, and the program has no handler that could be entered.
    Trap(Trap),
}

impl Stop {
    /// Whether the program came to its own end.
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Ecall { .. } | Self::ReadyFlag { .. })
    }

    /// Where.
    pub const fn pc(&self) -> u32 {
        match *self {
            Self::Ecall { pc }
            | Self::ReadyFlag { pc }
            | Self::Ebreak { pc }
            | Self::InstructionLimit { pc }
            | Self::CycleLimit { pc }
            | Self::Breakpoint { pc } => pc,
            Self::Trap(Trap { pc, .. }) => pc,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ecall { pc } => write!(f, "ended by ecall at pc {pc:#x}"),
            Self::ReadyFlag { pc } => write!(f, "ended by the ready flag, stored at pc {pc:#x}"),
            Self::Ebreak { pc } => write!(f, "stopped by ebreak at pc {pc:#x}"),
            Self::InstructionLimit { pc } => write!(f, "stopped by the instruction limit at pc {pc:#x}"),
            Self::CycleLimit { pc } => write!(f, "stopped by the cycle limit at pc {pc:#x}"),
            Self::Breakpoint { pc } => write!(f, "stopped before pc {pc:#x}, as asked"),
            Self::Trap(trap) => trap.fmt(f),
        }
    }
}
