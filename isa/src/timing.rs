//! How long instructions take: one table a core.
//!
//! Contract: a [`Profile`] is the whole description of an in-order core's timing, as plain data. The simulator's pipeline
//! model, the compiler's scheduler, the assembler's lints, the manual and the tests of the SystemVerilog core all read it;
//! nobody else knows a latency.
//!
//! The model behind the numbers: one instruction is *issued* a cycle, in program order. An instruction issued in cycle `t`
//! occupies the core for `occupancy` cycles, so the next one is issued in cycle `t + occupancy` or later; whoever reads its
//! result is issued in cycle `t + occupancy − 1 + latency` or later. What makes the fetch unit start anew adds cycles
//! between two instructions. "The cycle of an instruction" always means the one it is issued in; it retires a fixed number
//! of cycles later.
//!
//! Sources: [`FENN`] is this project's own core, which is built to this table. [`CV32E40X`] is the core of the published
//! system (arXiv 2506.11760), whose numbers are those of its public documentation and RTL, and of its published measurements.
//!
//! Not here: the state of a pipeline (the simulator's), and which instruction belongs to which class (the table's).

use crate::spec::{Class, Op};

/// How a class is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClassTiming {
    /// Cycles from issuing one to issuing the next instruction, if nothing else is in the way; divisions, misaligned
    /// accesses and redirections add to it.
    pub occupancy: u8,
    /// Cycles from the last cycle of its occupancy to the first in which a reader of its result can be issued; 1 is the
    /// next cycle. Without meaning for classes that have no result.
    pub latency: u8,
}

/// Which leading zeros of the divisor a division skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DividerSkip {
    /// Those of the divisor's magnitude.
    Magnitude,
    /// Those of the divisor, where it is not negative or the division is unsigned; of `(~divisor << 1) | 1`, where it is.
    Complement,
}

/// How long divisions and remainders take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Divider {
    /// Cycles besides those for the divisor's leading zeros.
    pub base: u8,
    /// Which zeros add a cycle each; `None` if none do.
    pub skip: Option<DividerSkip>,
}

impl Divider {
    /// Cycles that a division by `divisor` occupies the core.
    pub const fn occupancy(&self, divisor: u32, signed: bool) -> u32 {
        let Some(skip) = self.skip else { return self.base as u32 };
        let zeros = match skip {
            _ if !signed || divisor as i32 >= 0 => divisor.leading_zeros(),
            DividerSkip::Magnitude => divisor.wrapping_neg().leading_zeros(),
            DividerSkip::Complement => (!divisor << 1 | 1).leading_zeros(),
        };
        self.base as u32 + zeros
    }
}

/// What a change of the program counter costs, in cycles between the instruction and the one at its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// A conditional branch that went where the fetch unit did not.
    pub branch: u8,
    /// `jal` that the fetch unit did not foresee.
    pub jump: u8,
    /// `jalr`, which it never foresees.
    pub jump_register: u8,
    /// `mret`.
    pub trap_return: u8,
    /// Entry into a trap handler.
    pub trap: u8,
    /// Entries of the branch target buffer, a power of two, or 0 for a core that has none and fetches straight on.
    ///
    /// An instruction at `pc` has one possible place, entry `(pc / 4) mod entries`. It is written when a `jal`, or a
    /// branch to its own address or a lower one, has been taken without being found there; nothing else changes it. The
    /// fetch unit goes to the target of an instruction that it finds, and straight on otherwise.
    pub buffer: u8,
}

/// DRAM and the port between it and the DMA engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DramTiming {
    /// Cycles from starting a transfer until its first byte moves.
    pub latency: u32,
    /// Bytes a cycle from then on: a divisor or a multiple of 64.
    pub bytes_per_cycle: u32,
}

impl DramTiming {
    /// Whether there can be such a memory: whole rows take whole cycles, or whole rows move in one.
    ///
    /// # Errors
    /// [`ProfileError::Dram`].
    pub const fn check(&self) -> Result<(), ProfileError> {
        let (row, bytes) = (crate::memory::VECTOR_BYTES, self.bytes_per_cycle);
        if bytes > 0 && (row.is_multiple_of(bytes) || bytes.is_multiple_of(row)) {
            Ok(())
        } else {
            Err(ProfileError::Dram { bytes })
        }
    }

    /// Cycles in which the data of a transfer of `bytes` move.
    pub const fn transfer_cycles(&self, bytes: u32) -> u64 {
        (bytes as u64).div_ceil(self.bytes_per_cycle as u64)
    }

    /// Cycles from one row of 64 bytes to the next.
    pub const fn row_cycles(&self) -> u64 {
        self.transfer_cycles(crate::memory::VECTOR_BYTES)
    }
}

/// The timing of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Profile {
    /// What commands call it.
    pub name: &'static str,
    /// What it describes.
    pub doc: &'static str,
    /// Indexed by [`Class`]; see [`Profile::class`].
    pub classes: [ClassTiming; Class::ALL.len()],
    /// Division, whose entry in `classes` gives the latency alone.
    pub divider: Divider,
    /// Cycles that a scalar access that crosses a word boundary takes more.
    pub misaligned: u8,
    /// Changes of the program counter.
    pub redirect: Redirect,
    /// Cycles more that `jalr` waits for its register than other readers do.
    pub early_jump_operand: u8,
    /// `mret` is issued no earlier than so many cycles after a CSR instruction.
    pub csr_to_return: u8,
    /// A read of the low word of `mcycle` or `minstret` is issued no earlier than so many cycles after the instruction
    /// before it has left.
    pub counter_drain: u8,
    /// Whether a vector instruction right behind a load or another vector instruction with a scalar result waits one cycle
    /// where one of its `rs1` and `rs2` fields has that register's number, even if the field means something else.
    pub false_dependency: bool,
    /// Whether an instruction that keeps lanes of its destination waits for the destination's old value.
    pub merged_is_read: bool,
    /// Whether the DMA engine takes the vector memory from the core in the cycle in which it moves a row, the last of
    /// [`DramTiming::row_cycles`]. Otherwise it has a port of its own.
    pub shared_vector_port: bool,
    /// External memory.
    pub dram: DramTiming,
}

impl Profile {
    /// The timing of a class.
    pub const fn class(&self, class: Class) -> ClassTiming {
        self.classes[class as usize]
    }

    /// Whether there can be a core with this timing. All of [`PROFILES`] can be.
    ///
    /// # Errors
    /// The first number that no core can have.
    pub const fn check(&self) -> Result<(), ProfileError> {
        let mut i = 0;
        while i < Class::ALL.len() {
            if self.classes[i].occupancy == 0 {
                return Err(ProfileError::Occupancy { class: Class::ALL[i] });
            }
            i += 1;
        }
        if self.divider.base == 0 {
            return Err(ProfileError::Divider);
        }
        let entries = self.redirect.buffer;
        if entries != 0 && !entries.is_power_of_two() {
            return Err(ProfileError::Buffer { entries });
        }
        self.dram.check()
    }

    /// The profile with this name.
    ///
    /// # Errors
    /// [`NoSuchProfile`] where there is none.
    pub fn by_name(name: &str) -> Result<&'static Self, NoSuchProfile> {
        PROFILES.iter().copied().find(|profile| profile.name == name).ok_or(NoSuchProfile)
    }
}

/// Why there can be no core with a timing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileError {
    /// Instructions that take no cycle.
    Occupancy {
        /// Of which class.
        class: Class,
    },
    /// Divisions that may take no cycle.
    Divider,
    /// A branch target buffer without a place for every address.
    Buffer {
        /// How many entries it has.
        entries: u8,
    },
    /// DRAM of which rows take parts of cycles.
    Dram {
        /// What it moves in a cycle.
        bytes: u32,
    },
}

impl core::fmt::Display for ProfileError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Occupancy { class } => {
                write!(f, "instructions of the class {class:?} take no cycle: it must be one or more")
            }
            Self::Divider => f.write_str("divisions take no cycle: it must be one or more"),
            Self::Buffer { entries } => {
                write!(f, "a branch target buffer cannot have {entries} entries: it must be a power of two, or 0")
            }
            Self::Dram { bytes } => {
                let row = crate::memory::VECTOR_BYTES;
                write!(f, "DRAM cannot move {bytes} bytes a cycle: it must be a divisor or a multiple of {row}")
            }
        }
    }
}

impl core::error::Error for ProfileError {}

/// Whether the row draws from the lanes' generators, and so waits for a load of their states.
pub const fn draws(op: Op) -> bool {
    matches!(op, Op::VRng | Op::VMulRs | Op::VMulSRs | Op::VSraiRs)
}

/// The published transfer time: 10 + 4·(bytes/64) cycles, as in the published simulator.
pub const PUBLISHED_DRAM: DramTiming = DramTiming { latency: 10, bytes_per_cycle: 16 };

const ONE: ClassTiming = ClassTiming { occupancy: 1, latency: 1 };
const LATE: ClassTiming = ClassTiming { occupancy: 1, latency: 2 };

/// `rest` for every class but the ones listed.
const fn table(rest: ClassTiming, listed: &[(Class, ClassTiming)]) -> [ClassTiming; Class::ALL.len()] {
    let mut classes = [rest; Class::ALL.len()];
    let mut i = 0;
    while i < listed.len() {
        classes[listed[i].0 as usize] = listed[i].1;
        i += 1;
    }
    classes
}

/// This project's core: single issue; results of loads, multiplies, counts and CSR reads one cycle later than those of
/// arithmetic; a branch target buffer, so that loops turn without a bubble.
pub const FENN: Profile = Profile {
    name: "fenn",
    doc: "this project's core",
    classes: table(
        ONE,
        &[
            (Class::Count, LATE),
            (Class::Multiply, LATE),
            (Class::MultiplyHigh, LATE),
            (Class::Divide, LATE),
            (Class::Load, LATE),
            (Class::Csr, LATE),
            (Class::VectorMultiply, LATE),
            (Class::VectorToScalar, LATE),
            (Class::VectorLoad, LATE),
            (Class::LaneLoad, LATE),
            (Class::GeneratorLoad, LATE),
        ],
    ),
    divider: Divider { base: 3, skip: Some(DividerSkip::Magnitude) },
    misaligned: 1,
    redirect: Redirect { branch: 2, jump: 1, jump_register: 1, trap_return: 1, trap: 2, buffer: 16 },
    early_jump_operand: 1,
    csr_to_return: 2,
    counter_drain: 1,
    false_dependency: false,
    merged_is_read: false,
    shared_vector_port: false,
    dram: PUBLISHED_DRAM,
};

/// The core of the published system: CV32E40X with the vector unit behind its coprocessor interface. Its documentation does
/// not say what entering a trap handler costs; here it is the way from its last stage back to fetching.
pub const CV32E40X: Profile = Profile {
    name: "cv32e40x",
    doc: "the published core, with its vector unit behind a coprocessor interface",
    classes: table(
        ONE,
        &[
            (Class::MultiplyHigh, ClassTiming { occupancy: 4, latency: 1 }),
            (Class::Load, LATE),
            (Class::Fence, ClassTiming { occupancy: 5, latency: 1 }),
            (Class::VectorToScalar, LATE),
            (Class::VectorLoad, LATE),
            (Class::LaneLoad, LATE),
            (Class::GeneratorLoad, LATE),
        ],
    ),
    divider: Divider { base: 3, skip: Some(DividerSkip::Complement) },
    misaligned: 1,
    redirect: Redirect { branch: 2, jump: 1, jump_register: 1, trap_return: 1, trap: 3, buffer: 0 },
    early_jump_operand: 1,
    csr_to_return: 1,
    counter_drain: 2,
    false_dependency: true,
    merged_is_read: true,
    shared_vector_port: false,
    dram: PUBLISHED_DRAM,
};

/// One cycle for every instruction, whatever it is: counts instructions.
pub const FUNCTIONAL: Profile = Profile {
    name: "functional",
    doc: "one cycle for every instruction",
    classes: table(ONE, &[]),
    divider: Divider { base: 1, skip: None },
    misaligned: 0,
    redirect: Redirect { branch: 0, jump: 0, jump_register: 0, trap_return: 0, trap: 0, buffer: 0 },
    early_jump_operand: 0,
    csr_to_return: 1,
    counter_drain: 1,
    false_dependency: false,
    merged_is_read: false,
    shared_vector_port: false,
    dram: PUBLISHED_DRAM,
};

/// A name that no profile has; as text, the names there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchProfile;

impl core::fmt::Display for NoSuchProfile {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("there is no such profile; there are")?;
        PROFILES.iter().try_for_each(|profile| write!(f, " {}", profile.name))
    }
}

impl core::error::Error for NoSuchProfile {}

/// All profiles, the default first.
pub const PROFILES: [&Profile; 3] = [&FENN, &CV32E40X, &FUNCTIONAL];

/// Why a cycle passed without an instruction being issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StallCause {
    /// An instruction waited for a scalar load.
    LoadUse,
    /// An instruction waited for another scalar result: of a multiply, a division, a count or a CSR read.
    ScalarResult,
    /// An instruction waited for a vector register, or for the generators' states.
    VectorResult,
    /// An instruction waited for a mask or a lane that the vector unit hands to a scalar register.
    VectorToScalar,
    /// `jalr` waited for its register longer than other instructions would.
    JumpOperand,
    /// `mret` waited for a CSR instruction.
    ReturnAfterCsr,
    /// A vector instruction waited although it reads nothing that is missing; see [`Profile::false_dependency`].
    FalseDependency,
    /// A read of a counter waited until earlier instructions had left.
    CounterDrain,
    /// A branch that the fetch unit had not foreseen.
    Branch,
    /// A jump that the fetch unit had not foreseen.
    Jump,
    /// Entering a trap handler, or returning from it.
    Trap,
    /// A division occupied the core.
    Divide,
    /// A multiply occupied the core.
    Multiply,
    /// A scalar access that crosses a word boundary.
    Misaligned,
    /// `fence` or `fence.i`.
    Fence,
    /// The DMA engine used the vector memory's port.
    PortConflict,
}

impl StallCause {
    /// All of them; a cause as a number is its index here.
    pub const ALL: [Self; 16] = [
        Self::LoadUse,
        Self::ScalarResult,
        Self::VectorResult,
        Self::VectorToScalar,
        Self::JumpOperand,
        Self::ReturnAfterCsr,
        Self::FalseDependency,
        Self::CounterDrain,
        Self::Branch,
        Self::Jump,
        Self::Trap,
        Self::Divide,
        Self::Multiply,
        Self::Misaligned,
        Self::Fence,
        Self::PortConflict,
    ];

    /// As reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoadUse => "load-use",
            Self::ScalarResult => "scalar-result",
            Self::VectorResult => "vector-result",
            Self::VectorToScalar => "vector-to-scalar",
            Self::JumpOperand => "jump-operand",
            Self::ReturnAfterCsr => "return-after-csr",
            Self::FalseDependency => "false-dependency",
            Self::CounterDrain => "counter-drain",
            Self::Branch => "branch",
            Self::Jump => "jump",
            Self::Trap => "trap",
            Self::Divide => "divide",
            Self::Multiply => "multiply",
            Self::Misaligned => "misaligned",
            Self::Fence => "fence",
            Self::PortConflict => "port-conflict",
        }
    }
}

const _: () = {
    let mut i = 0;
    while i < Class::ALL.len() {
        assert!(Class::ALL[i] as usize == i, "Class::ALL is in the order of the variants");
        i += 1;
    }
    let mut i = 0;
    while i < PROFILES.len() {
        assert!(PROFILES[i].check().is_ok(), "every core that has a name can be");
        i += 1;
    }
    let mut i = 0;
    while i < StallCause::ALL.len() {
        assert!(StallCause::ALL[i] as usize == i, "StallCause::ALL is in the order of the variants");
        i += 1;
    }
};
