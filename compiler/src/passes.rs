//! What is done to machine code on virtual registers before registers are allocated.
//!
//! Contract: each pass is a function from code to code that computes the same, one file each; [`PIPELINE`] is their order.
//! [`run`] verifies the code before the first and behind every pass, so that a pass that breaks it is named.
//!
//! Not here: which instructions to choose in the first place ([`crate::lower`]).

use fenn_isa::memory::{Space, VECTOR_BYTES};
use fenn_isa::timing::Profile;
use fenn_isa::{Class, Op};

use crate::ir::Code;
use crate::ir::verify::{CodeError, verify};

pub mod copies;
pub mod dead;
pub mod hoist;
pub mod promote;
pub mod schedule;

/// What a pass may want to know besides the code.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// How long instructions take.
    pub profile: &'static Profile,
}

/// One pass.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// As errors and tests name it: its file's name.
    pub name: &'static str,
    /// What it does.
    pub run: fn(&mut Code, &Context),
}

/// All passes, in the order in which they run.
pub const PIPELINE: &[Pass] = &[
    Pass { name: "copies", run: copies::run },
    Pass { name: "dead", run: dead::run },
    Pass { name: "promote", run: promote::run },
    Pass { name: "hoist", run: hoist::run },
    Pass { name: "schedule", run: schedule::run },
];

/// Code that is not well-formed: a bug of the compiler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the code is not well-formed after {pass}, which is a bug in the compiler: {}",
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
)]
pub struct PassError {
    /// The pass behind which it was found, or `lowering`.
    pub pass: &'static str,
    /// What is wrong.
    pub errors: Vec<CodeError>,
}

/// Runs all passes on `code`.
///
/// # Errors
/// Code that is not well-formed to begin with, or is not any more.
pub fn run(code: &mut Code, context: &Context) -> Result<(), PassError> {
    let check = |code: &Code, pass| verify(code).map_err(|errors| PassError { pass, errors });
    check(code, "lowering")?;
    for pass in PIPELINE {
        (pass.run)(code, context);
        check(code, pass.name)?;
    }
    Ok(())
}

/// A memory that instructions access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) space: Space,
    /// From the address on; lane-local memory is accessed all over.
    pub(crate) bytes: u32,
    pub(crate) writes: bool,
}

/// What the row accesses.
pub(crate) fn memory(op: Op) -> Option<Memory> {
    let (space, writes) = match op.spec().class {
        Class::Load => (Space::Scalar, false),
        Class::Store => (Space::Scalar, true),
        Class::VectorLoad | Class::GeneratorLoad => (Space::Vector, false),
        Class::VectorStore => (Space::Vector, true),
        Class::LaneLoad => (Space::LaneLocal, false),
        Class::LaneStore => (Space::LaneLocal, true),
        _ => return None,
    };
    let bytes = match op {
        Op::Lb | Op::Lbu | Op::Sb => 1,
        Op::Lh | Op::Lhu | Op::Sh => 2,
        Op::Lw | Op::Sw => 4,
        _ => VECTOR_BYTES,
    };
    Some(Memory { space, bytes, writes })
}
