//! What an instruction reads and writes, as numbers: all that timing has to know of it before it is executed.
//!
//! Contract: [`Usage::of`] is read off the row of [`crate::SPECS`] that the word belongs to. Not here: when any of that is
//! ready (see [`crate::timing`]).

use crate::csr;
use crate::operand::OperandKind;
use crate::spec::{Class, Inst, Op, Role};
use crate::timing::draws;

/// Something that one instruction writes and a later one reads: a register, or the generators' states.
///
/// The number of a scalar register, 32 plus that of a vector register, or 64; 0 is nothing, and so is `x0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Resource(u8);

impl Resource {
    /// No resource.
    pub const NONE: Self = Self(0);
    /// The states of all lanes' generators.
    pub const GENERATORS: Self = Self(64);
    /// How many there are; a resource as a number is less.
    pub const COUNT: usize = 65;

    /// A scalar register; `x0` is [`Self::NONE`].
    pub const fn scalar(index: u8) -> Self {
        Self(index & 31)
    }

    /// A vector register.
    pub const fn vector(index: u8) -> Self {
        Self(32 + (index & 31))
    }

    /// Less than [`Self::COUNT`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The inverse of [`Self::index`]; `None` for a number that is too great.
    pub const fn from_index(index: usize) -> Option<Self> {
        if index < Self::COUNT { Some(Self(index as u8)) } else { None }
    }

    /// Whether it is a scalar register other than `x0`.
    pub const fn is_scalar(self) -> bool {
        self.0 != 0 && self.0 < 32
    }
}

impl core::fmt::Display for Resource {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            0 => f.write_str("nothing"),
            index @ 1..32 => write!(f, "x{index}"),
            index @ 32..64 => write!(f, "v{}", index - 32),
            _ => f.write_str("the generators"),
        }
    }
}

/// What one instruction reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Its timing class.
    pub class: Class,
    /// What it reads, in no order; [`Resource::NONE`] fills up.
    pub reads: [Resource; 3],
    /// A register it writes in some lanes and keeps in the others.
    pub merges: Resource,
    /// What it writes, the register it merges into included.
    pub writes: Resource,
    /// The bits of the word where other instructions have `rs1` and `rs2`, whatever they are here.
    pub fields: [u8; 2],
    /// Whether it accesses the low word of a counter that counts cycles or instructions.
    pub counter: bool,
    /// Whether it is a signed division or remainder.
    pub signed_division: bool,
}

impl Usage {
    /// What a word that is no instruction uses: nothing. It takes an arithmetic instruction's place until it traps.
    pub const NOTHING: Self = Self {
        class: Class::System,
        reads: [Resource::NONE; 3],
        merges: Resource::NONE,
        writes: Resource::NONE,
        fields: [0; 2],
        counter: false,
        signed_division: false,
    };

    /// What this instruction uses.
    pub fn of(inst: Inst) -> Self {
        let op = inst.op();
        let spec = op.spec();
        let word = inst.encode();
        let mut usage = Self { class: spec.class, ..Self::NOTHING };
        let mut reads = 0;
        for operand in spec.operands() {
            let bits = operand.field.extract(word) as u8;
            let resource = match operand.kind {
                OperandKind::XReg => Resource::scalar(bits),
                OperandKind::VReg => Resource::vector(bits),
                _ => continue,
            };
            match operand.role {
                Role::Source => {
                    usage.reads[reads] = resource;
                    reads += 1;
                }
                Role::Destination => usage.writes = resource,
                Role::Merged => (usage.writes, usage.merges) = (resource, resource),
                Role::Immediate => {}
            }
        }
        if draws(op) {
            usage.reads[reads] = Resource::GENERATORS;
        }
        if usage.class == Class::GeneratorLoad {
            usage.writes = Resource::GENERATORS;
        }
        usage.fields = [(word >> 15 & 31) as u8, (word >> 20 & 31) as u8];
        usage.counter = usage.class == Class::Csr
            && csr::by_address((word >> 20) as u16)
                .is_some_and(|row| matches!(row.register, csr::Register::Mcycle | csr::Register::Minstret));
        usage.signed_division = matches!(op, Op::Div | Op::Rem);
        usage
    }

    /// Whether it accesses vector memory.
    pub const fn uses_vector_memory(&self) -> bool {
        matches!(self.class, Class::VectorLoad | Class::VectorStore | Class::GeneratorLoad)
    }
}
