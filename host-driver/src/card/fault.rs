//! What an exception on a card means, in the words the simulator has for it.
//!
//! Contract: from the program counter, the two trap registers and the word of instruction memory there; the numbers are those of
//! the registers, whatever the text makes of them. A cause that no instruction of this machine raises is told by its number.

use fenn_isa::csr;
use fenn_isa::exception::Exception;
use fenn_isa::memory::{MachineConfig, Space, VECTOR_BYTES};
use fenn_isa::spec::Class;
use fenn_isa::{Inst, Op};
use fenn_iss::{Access, AccessKind, Cause, Trap};

use crate::error::DeviceError;

/// The error for an exception with this cause and value at `pc`, where the word is `word`, if it could be read.
pub(super) fn fault(config: &MachineConfig, pc: u32, cause: u32, value: u32, word: Option<u32>) -> DeviceError {
    let text = match cause_of(config, cause, value, word) {
        Some(cause) => Trap { pc, word, cause }.to_string(),
        None => {
            let code = format!("trap at pc {pc:#x}: exception {cause} with value {value:#x}");
            match word.and_then(Inst::decode) {
                Some(inst) => {
                    format!("{code}, which `{inst}` should not raise; is this the core the program was loaded into?")
                }
                None => format!("{code}, which this machine does not have"),
            }
        }
    };
    DeviceError::Fault { pc, cause, value, text }
}

fn cause_of(config: &MachineConfig, cause: u32, value: u32, word: Option<u32>) -> Option<Cause> {
    let inst = word.and_then(Inst::decode);
    let is = |exception: Exception| exception.code() == cause;
    if is(Exception::FetchMisaligned) {
        return Some(Cause::FetchMisaligned { target: value });
    }
    if is(Exception::FetchFault) {
        return Some(Cause::FetchOutside { size: config.instruction_bytes });
    }
    if is(Exception::Illegal) {
        return Some(match inst {
            Some(inst) if inst.op().spec().class == Class::Csr => {
                let address = (inst.encode() >> 20) as u16;
                match csr::by_address(address) {
                    Some(_) => Cause::ReadOnlyCsr { address },
                    None => Cause::NoSuchCsr { address },
                }
            }
            _ => Cause::Illegal,
        });
    }
    let (kind, space, bytes) = access_of(inst?)?;
    let access = Access { kind, space, address: value, bytes, lane: None };
    let size = if space == Space::LaneLocal { config.lane_local_bytes } else { config.bytes(space) };
    let (misaligned, outside) = match kind {
        AccessKind::Load => (Exception::LoadMisaligned, Exception::LoadFault),
        AccessKind::Store => (Exception::StoreMisaligned, Exception::StoreFault),
    };
    if is(misaligned) {
        return Some(Cause::Misaligned { access, alignment: bytes });
    }
    is(outside).then_some(Cause::Outside { access, size })
}

/// What an instruction does with a data memory.
fn access_of(inst: Inst) -> Option<(AccessKind, Space, u32)> {
    let op = inst.op();
    let scalar = match op {
        Op::Lb | Op::Lbu | Op::Sb => 1,
        Op::Lh | Op::Lhu | Op::Sh => 2,
        _ => 4,
    };
    Some(match op.spec().class {
        Class::Load => (AccessKind::Load, Space::Scalar, scalar),
        Class::Store => (AccessKind::Store, Space::Scalar, scalar),
        Class::VectorLoad | Class::GeneratorLoad => (AccessKind::Load, Space::Vector, VECTOR_BYTES),
        Class::VectorStore => (AccessKind::Store, Space::Vector, VECTOR_BYTES),
        Class::LaneLoad => (AccessKind::Load, Space::LaneLocal, 2),
        Class::LaneStore => (AccessKind::Store, Space::LaneLocal, 2),
        _ => return None,
    })
}
