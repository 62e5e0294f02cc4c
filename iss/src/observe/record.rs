//! What one line of a trace says, as data.
//!
//! Contract: a [`Record`] is what both forms of a trace hold: [`super::Trace`] prints it, [`super::BinaryTrace`] writes it
//! and [`super::TraceReader`] reads it again. A [`Step`] is made of an instruction when it retires; which register and
//! which memory it has is read off the instruction's row, so that equal words have equal shapes.
//!
//! # The text
//!
//! One line a record. A retired instruction's line has these columns, the last two of which may be missing:
//!
//! ```text
//!      cycle lost pc       word     instruction                      results               ; stalls
//!          7    1 0000001c 00628233 add tp, t0, t1                   x4=00000007           ; load-use 1
//! ```
//!
//! - *cycle*: the one it was issued in; 10 characters. *lost*: cycles before and after it in which nothing was issued, 4
//!   characters, blank for none. *pc* and *word*: 8 hexadecimal digits. *instruction*: as the disassembler prints it, 32
//!   characters or more.
//! - *results*: the register it wrote, `x5=` and 8 hexadecimal digits, or `v3=` and 32 times 4, lane 0 first; `s0=` or
//!   `s1=` for that half of the generators' states. A register written with the value it had is printed too.
//! - The memory it accessed: `<` for a load and `>` for a store, then `scalar:`, `vector:` or `lane:` and the byte address
//!   as the instruction computed it, before any wrapping. An access to lane-local memory has one address for all lanes, or
//!   32 with commas between, `-` for a lane that takes no part. Behind a store follows `=` and what was stored.
//! - *stalls*: every cause with its cycles, those before it first.
//!
//! Lines about DMA transfers and traps begin with 15 blanks and are prose.

use core::fmt;

use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};
use fenn_isa::operand::OperandKind;
use fenn_isa::usage::{Resource, Usage};
use fenn_isa::{Class, Inst, Op};

use crate::dma::Transfer;
use crate::state::{State, Vector};
use crate::timing::{Retired, Stalls};
use crate::trap::{Access, AccessKind, Trap};

/// One entry of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are steps")]
pub enum Record {
    /// An instruction has retired.
    Step(Step),
    /// A DMA transfer has moved its data.
    Transfer(Transfer),
    /// An instruction has trapped.
    Trap(Trap),
}

/// A retired instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The cycle it was issued in.
    pub cycle: u64,
    /// Its address.
    pub pc: u32,
    /// The instruction.
    pub inst: Inst,
    /// The cycles around it that were lost.
    pub stalls: Stalls,
    /// What it wrote into its destination, if it has one other than `x0`; of one that it merges into, the whole.
    pub result: Option<Value>,
    /// The memory it accessed.
    pub touched: Touched,
    /// What it stored there: of a scalar register as many bytes as the instruction stores, of a vector all lanes, also
    /// those that take no part.
    pub stored: Option<Value>,
}

/// A register's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Of a scalar register.
    Scalar(u32),
    /// Of a vector register, or one half of the generators' states.
    Vector(Vector),
}

/// The memory that an instruction accessed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a step is made for each instruction, and a box would cost more")]
pub enum Touched {
    /// None.
    Nothing,
    /// Scalar or vector memory.
    Place {
        /// Byte address, as the instruction computed it.
        address: u32,
    },
    /// Lane-local memory: each lane's byte address, `None` for a lane that took no part.
    Lanes([Option<u32>; LANES]),
}

/// What an instruction does, as far as its row says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) usage: Usage,
    /// The half of the generators' states that it loads.
    pub(super) half: usize,
    /// The memory it accesses: kind, space and bytes.
    pub(super) access: Option<(AccessKind, Space, u32)>,
    /// The register its address comes from.
    pub(super) base: Resource,
    /// What is added to it.
    pub(super) offset: i32,
    /// The register that it stores.
    pub(super) stored: Resource,
}

impl Shape {
    pub(super) fn of(inst: Inst) -> Self {
        let op = inst.op();
        let usage = Usage::of(inst);
        let scalar_bytes = match op {
            Op::Lb | Op::Lbu | Op::Sb => 1,
            Op::Lh | Op::Lhu | Op::Sh => 2,
            _ => 4,
        };
        let access = match usage.class {
            Class::Load => Some((AccessKind::Load, Space::Scalar, scalar_bytes)),
            Class::Store => Some((AccessKind::Store, Space::Scalar, scalar_bytes)),
            Class::VectorLoad | Class::GeneratorLoad => Some((AccessKind::Load, Space::Vector, VECTOR_BYTES)),
            Class::VectorStore => Some((AccessKind::Store, Space::Vector, VECTOR_BYTES)),
            Class::LaneLoad => Some((AccessKind::Load, Space::LaneLocal, 2)),
            Class::LaneStore => Some((AccessKind::Store, Space::LaneLocal, 2)),
            _ => None,
        };
        let [base, data] = usage.fields;
        let stored = match access {
            Some((AccessKind::Store, Space::Scalar, _)) => Resource::scalar(data),
            Some((AccessKind::Store, ..)) => Resource::vector(data),
            _ => Resource::NONE,
        };
        let lanes = matches!(access, Some((_, Space::LaneLocal, _)));
        let word = inst.encode();
        let immediate = op.spec().operands().find(|operand| operand.kind == OperandKind::Imm12);
        Self {
            usage,
            half: usize::from(op == Op::VLoadR1),
            access,
            base: if lanes { Resource::vector(base) } else { Resource::scalar(base) },
            // Twelve bits with a sign.
            offset: immediate.map_or(0, |operand| (operand.field.extract(word) << 20) as i32 >> 20),
            stored,
        }
    }

    /// What is left of a register's contents when it has been stored.
    pub(super) fn cut(&self, value: Value) -> Value {
        match (value, self.access) {
            (Value::Scalar(value), Some((_, _, bytes @ 1..4))) => Value::Scalar(value & ((1 << (8 * bytes)) - 1)),
            _ => value,
        }
    }

    /// The lanes' addresses, when the base register holds `base`.
    pub(super) fn lane_addresses(&self, base: &Vector) -> [Option<u32>; LANES] {
        core::array::from_fn(|lane| {
            let base = base.0[lane];
            (base >= 0).then(|| (i32::from(base) + self.offset) as u32)
        })
    }
}

/// The generators' half as a vector.
fn half(state: &State, half: usize) -> Vector {
    let words = if half == 0 { &state.generators.s0 } else { &state.generators.s1 };
    Vector(words.map(|word| word as i16))
}

impl Step {
    /// What `retired` did, which made these accesses and left `state`.
    pub(super) fn new(retired: &Retired, accesses: &[Access], state: &State) -> Self {
        let shape = Shape::of(retired.inst);
        let value = |resource: Resource| match resource.index() {
            0 => None,
            index @ 1..32 => Some(Value::Scalar(state.all_x()[index])),
            index @ 32..64 => Some(Value::Vector(state.v[index - 32])),
            _ => Some(Value::Vector(half(state, shape.half))),
        };
        let touched = match shape.access {
            Some((_, Space::LaneLocal, _)) => {
                let mut addresses = [None; LANES];
                for access in accesses {
                    if let Some(place) = access.lane.and_then(|lane| addresses.get_mut(usize::from(lane))) {
                        *place = Some(access.address);
                    }
                }
                Touched::Lanes(addresses)
            }
            Some(_) => accesses.first().map_or(Touched::Nothing, |access| Touched::Place { address: access.address }),
            None => Touched::Nothing,
        };
        let stored = matches!(shape.access, Some((AccessKind::Store, ..)))
            .then(|| shape.cut(value(shape.stored).unwrap_or(Value::Scalar(0))));
        let Retired { pc, inst, cycle, stalls, .. } = *retired;
        Self { cycle, pc, inst, stalls, result: value(shape.usage.writes), touched, stored }
    }
}

fn lanes(f: &mut fmt::Formatter<'_>, vector: &Vector) -> fmt::Result {
    vector.0.iter().try_for_each(|lane| write!(f, "{lane:04x}"))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cycle, pc, inst, stalls, result, touched, stored } = self;
        let shape = Shape::of(*inst);
        let mut text = inst.to_string();
        let lost: u64 = stalls.iter().map(|stall| u64::from(stall.cycles)).sum();
        let has_more = result.is_some() || *touched != Touched::Nothing || lost > 0;
        if has_more {
            text = format!("{text:<32}");
        }
        let lost_text = if lost > 0 { lost.to_string() } else { String::new() };
        write!(f, "{cycle:>10} {lost_text:>4} {pc:08x} {:08x} {text}", inst.encode())?;
        let written = shape.usage.writes;
        match result {
            Some(Value::Scalar(value)) => write!(f, " {written}={value:08x}")?,
            Some(Value::Vector(vector)) => {
                if written == Resource::GENERATORS {
                    write!(f, " s{}=", shape.half)?;
                } else {
                    write!(f, " {written}=")?;
                }
                lanes(f, vector)?;
            }
            None => {}
        }
        if let (Some((kind, space, bytes)), true) = (shape.access, *touched != Touched::Nothing) {
            let arrow = if kind == AccessKind::Load { '<' } else { '>' };
            match touched {
                Touched::Place { address } if space == Space::Scalar => write!(f, " {arrow}scalar:{address:08x}")?,
                Touched::Place { address } => write!(f, " {arrow}vector:{address:08x}")?,
                Touched::Lanes(addresses) => {
                    write!(f, " {arrow}lane:")?;
                    write_addresses(f, addresses)?;
                }
                Touched::Nothing => {}
            }
            match stored {
                Some(Value::Scalar(value)) => write!(f, "={value:0width$x}", width = 2 * bytes as usize)?,
                Some(Value::Vector(vector)) => {
                    f.write_str("=")?;
                    lanes(f, vector)?;
                }
                None => {}
            }
        }
        for (index, stall) in stalls.iter().enumerate() {
            write!(f, "{} {} {}", if index == 0 { " ;" } else { "," }, stall.cause.name(), stall.cycles)?;
        }
        Ok(())
    }
}

fn write_addresses(f: &mut fmt::Formatter<'_>, addresses: &[Option<u32>; LANES]) -> fmt::Result {
    let first = addresses[0];
    let shared = first.filter(|_| addresses.iter().all(|address| *address == first));
    if let Some(address) = shared {
        return write!(f, "{address:04x}");
    }
    for (lane, address) in addresses.iter().enumerate() {
        if lane > 0 {
            f.write_str(",")?;
        }
        match address {
            Some(address) => write!(f, "{address:04x}")?,
            None => f.write_str("-")?,
        }
    }
    Ok(())
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => step.fmt(f),
            Self::Transfer(Transfer { direction, source, destination, bytes }) => {
                write!(f, "{:15} dma {direction:?}: {bytes} bytes from {source:#x} to {destination:#x}", "")
            }
            Self::Trap(trap) => write!(f, "{:15} {trap}", ""),
        }
    }
}
