//! The exceptions: what `mcause` and `mtval` hold for each.
//!
//! Source: the RISC-V privileged manual. Not here: what a machine does then.

use crate::spec::{Class, Op};

/// One row, as data.
#[derive(Debug)]
pub struct ExceptionSpec {
    /// Which row.
    pub exception: Exception,
    /// When it is raised.
    pub doc: &'static str,
    /// What `mtval` holds.
    pub value: &'static str,
}

macro_rules! exceptions {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $value:literal;)*) => {
        /// Why an instruction could not be executed; the number is `mcause`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum Exception { $($(#[doc = $doc])* $name = $code,)* }

        /// The table.
        pub static EXCEPTIONS: &[ExceptionSpec] = &[$(ExceptionSpec {
            exception: Exception::$name,
            doc: concat!($($doc, "\n"),*),
            value: $value,
        }),*];
    };
}

impl Exception {
    /// The code in `mcause`.
    pub const fn code(self) -> u32 {
        self as u32
    }
}

/// The exceptions that instructions of one row can raise, besides those of their fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raised {
    /// On every machine.
    pub always: &'static [Exception],
    /// Only on a strict machine, which traps where a board carries on.
    pub strict: &'static [Exception],
}

impl Raised {
    /// Those of the instructions of row `op`.
    pub fn by(op: Op) -> Self {
        use Exception::{FetchMisaligned, Illegal, LoadFault, LoadMisaligned, StoreFault, StoreMisaligned};
        let (always, strict): (&[Exception], &[Exception]) = match op.spec().class {
            Class::Branch | Class::Jump | Class::JumpRegister => (&[FetchMisaligned], &[]),
            Class::Csr => (&[Illegal], &[]),
            // A byte is never misaligned.
            Class::Load if matches!(op, Op::Lb | Op::Lbu) => (&[LoadFault], &[]),
            Class::Store if op == Op::Sb => (&[StoreFault], &[]),
            Class::Load => (&[LoadFault], &[LoadMisaligned]),
            Class::Store => (&[StoreFault], &[StoreMisaligned]),
            Class::VectorLoad | Class::GeneratorLoad => (&[LoadMisaligned], &[LoadFault]),
            Class::VectorStore => (&[StoreMisaligned], &[StoreFault]),
            Class::LaneLoad => (&[], &[LoadMisaligned, LoadFault]),
            Class::LaneStore => (&[], &[StoreMisaligned, StoreFault]),
            Class::Alu
            | Class::Count
            | Class::Multiply
            | Class::MultiplyHigh
            | Class::Divide
            | Class::Fence
            | Class::System
            | Class::TrapReturn
            | Class::VectorAlu
            | Class::VectorMultiply
            | Class::VectorRandom
            | Class::VectorFill
            | Class::VectorToScalar
            | Class::VectorSelect => (&[], &[]),
        };
        Self { always, strict }
    }
}

exceptions! {
    /// A jump to an address that is no multiple of 4.
    FetchMisaligned = 0, "the target";
    /// A fetch outside instruction memory.
    FetchFault = 1, "the address";
    /// A word that matches no row, a CSR that is not there, or a write to one that is read-only.
    Illegal = 2, "the word";
    /// A vector load from an address that is no multiple of 64.
    LoadMisaligned = 4, "the address";
    /// A load from outside scalar memory.
    LoadFault = 5, "the address";
    /// A vector store to an address that is no multiple of 64.
    StoreMisaligned = 6, "the address";
    /// A store to outside scalar memory.
    StoreFault = 7, "the address";
}
