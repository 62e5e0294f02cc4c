//! The simulator as a core with fewer lanes than its own.
//!
//! Contract: [`step`] executes one instruction of a machine as a core with `lanes` lanes does. Lanes have nothing to do with
//! each other, so those of such a core are the first ones of the machine's; what the machine's other lanes do is never
//! looked at, and where it would be seen, it is taken back:
//! - bits of a mask that have no lane, and a lane that is not there, read 0;
//! - a row of vector memory is shorter: it may begin within one of the machine's, and storing one leaves alone what is
//!   behind it.
//!
//! With [`LANES`] lanes this is [`Machine::step`].
//!
//! Not here: transfers, which have to be in multiples of the machine's rows, and must not touch the row that an instruction
//! accesses in the same cycle.

use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};
use fenn_isa::operand::{OperandKind, XReg};
use fenn_isa::{Class, Inst};
use fenn_iss::{Machine, Stop};

use crate::check::{Watch, destination};

/// The bits of a mask that belong to a lane.
pub const fn mask(lanes: usize) -> u32 {
    if lanes >= LANES { u32::MAX } else { (1 << lanes) - 1 }
}

/// Where a core with so many lanes has what is at `address` of the machine's lane-local memory, if it has that lane.
pub const fn lane_address(address: u32, lanes: usize) -> Option<u32> {
    let (row, within) = (address / VECTOR_BYTES, address % VECTOR_BYTES);
    let bytes = 2 * lanes as u32;
    if within < bytes { Some(row * bytes + within) } else { None }
}

/// Executes an instruction.
///
/// # Errors
/// As [`Machine::step`].
pub fn step(machine: &mut Machine, lanes: usize, watch: &mut Watch) -> Result<(), Stop> {
    let pc = machine.state().pc;
    let inst = if lanes < LANES { machine.memory().word(pc).and_then(Inst::decode) } else { None };
    let Some(inst) = inst else { return machine.step(watch) };
    match inst.op().spec().class {
        Class::VectorToScalar => {
            let result = machine.step(watch);
            if watch.retired.is_some() {
                restrict(machine, inst, lanes);
            }
            result
        }
        Class::VectorLoad | Class::VectorStore | Class::GeneratorLoad => access(machine, inst, lanes, watch),
        _ => machine.step(watch),
    }
}

/// Takes back what lanes that are not there have given to a scalar register.
fn restrict(machine: &mut Machine, inst: Inst, lanes: usize) {
    let Some(rd) = destination(inst, OperandKind::XReg).and_then(|rd| XReg::new(i64::from(rd))) else { return };
    let value = machine.state().x(rd);
    let value = match inst {
        Inst::VExtract { lane, .. } if usize::from(lane.get()) < lanes => value,
        Inst::VExtract { .. } => 0,
        _ => value & mask(lanes),
    };
    machine.state_mut().set_x(rd, value);
}

/// An access to vector memory: the machine's row holds what the core's does, for as long as the step lasts.
fn access(machine: &mut Machine, inst: Inst, lanes: usize, watch: &mut Watch) -> Result<(), Stop> {
    let (Inst::VLoadV { imm, rs1, .. }
    | Inst::VStore { imm, rs1, .. }
    | Inst::VLoadR0 { imm, rs1 }
    | Inst::VLoadR1 { imm, rs1 }) = inst
    else {
        return machine.step(watch);
    };
    let bytes = 2 * lanes;
    let imm = i32::from(imm.get());
    let address = machine.state().x(rs1).wrapping_add_signed(imm);
    if !address.is_multiple_of(bytes as u32) {
        // An exception of both.
        return machine.step(watch);
    }
    // The base is not changed, for it may be `zero`: the instruction's constant is, down to the beginning of the machine's
    // row, or up to the next one where a constant does not reach so far down.
    let offset = (address % VECTOR_BYTES) as i32;
    let least = *OperandKind::Imm12.range().start() as i32;
    let moved = if imm - offset >= least { -offset } else { VECTOR_BYTES as i32 - offset };
    let size = machine.config().vector_bytes;
    let (place, row) = (address % size, address.wrapping_add_signed(moved) % size);
    let (pc, kept) = (machine.state().pc, read(machine, row, VECTOR_BYTES as usize));
    let own = read(machine, place, bytes);
    write(machine, Space::Vector, row, &own);
    if moved != 0 {
        write(machine, Space::Instruction, pc, &with_constant(inst, imm + moved).to_le_bytes());
    }
    let result = machine.step(watch);
    if moved != 0 {
        write(machine, Space::Instruction, pc, &inst.encode().to_le_bytes());
    }
    let own = read(machine, row, bytes);
    write(machine, Space::Vector, row, &kept);
    write(machine, Space::Vector, place, &own);
    if let Some(retired) = &mut watch.retired {
        retired.inst = inst;
    }
    for access in &mut watch.accesses {
        (access.address, access.bytes) = (address, bytes as u32);
    }
    result
}

/// The instruction with another constant.
fn with_constant(inst: Inst, value: i32) -> u32 {
    let word = inst.encode();
    let constant = inst.op().spec().operands().find(|operand| operand.kind == OperandKind::Imm12);
    constant.map_or(word, |operand| word & !operand.field.insert(u32::MAX) | operand.field.insert(value as u32))
}

fn read(machine: &Machine, address: u32, bytes: usize) -> Vec<u8> {
    machine.read_bytes(Space::Vector, address, bytes as u32).expect("a row lies in vector memory")
}

fn write(machine: &mut Machine, space: Space, address: u32, bytes: &[u8]) {
    machine.write(space, address, bytes).expect("a row lies in vector memory, and an instruction where it was read");
}

#[cfg(test)]
mod tests {
    use fenn_assembler::assemble_text;
    use fenn_iss::Options;

    use super::*;

    /// Runs `lines` with 4 lanes on a machine whose vector memory holds its own addresses, halfword by halfword.
    fn run(lines: &str) -> Machine {
        let image = assemble_text("narrow.s", lines).expect("it assembles");
        let mut machine = Machine::from_image(&image, Options::default()).expect("it fits");
        let bytes = machine.config().vector_bytes;
        let addresses: Vec<u8> = (0..bytes).step_by(2).flat_map(|address| (address as u16).to_le_bytes()).collect();
        machine.write(Space::Vector, 0, &addresses).expect("all of it");
        let mut watch = Watch::default();
        loop {
            watch.clear();
            if let Err(stop) = step(&mut machine, 4, &mut watch) {
                assert!(matches!(stop, Stop::Ecall { .. }), "{stop}");
                return machine;
            }
        }
    }

    fn halfwords(machine: &Machine, address: u32, count: u32) -> Vec<u16> {
        let bytes = machine.read_bytes(Space::Vector, address, 2 * count).expect("it is there");
        bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    fn a(machine: &Machine, index: i64) -> u32 {
        machine.state().x(XReg::new(10 + index).expect("it is a register"))
    }

    #[test]
    fn lanes_that_are_not_there_read_zero() {
        let machine = run(" vlui v1, 7\n vteq a0, v1, v1\n vextract a1, v1, 3\n vextract a2, v1, 4\n ecall");
        assert_eq!([0, 1, 2].map(|index| a(&machine, index)), [0b1111, 7, 0]);
    }

    #[test]
    fn a_row_begins_and_ends_within_one_of_the_machine_s() {
        // The second row of 8 bytes, read with a constant, and with one that cannot be any lower.
        let machine =
            run(" li t0, 2048+8\n vloadv v1, 8(zero)\n vloadv v2, -2048(t0)\n li t1, 512\n vstore v1, 24(t1)\n \
             vteq a0, v1, v2\n vextract a1, v1, 3\n ecall");
        assert_eq!([a(&machine, 0), a(&machine, 1)], [0b1111, 14]);
        assert_eq!(halfwords(&machine, 534, 6), [534, 8, 10, 12, 14, 544]);
        // Nothing else has changed.
        assert_eq!(halfwords(&machine, 0, 64), (0..128).step_by(2).collect::<Vec<u16>>());
        assert_eq!(halfwords(&machine, 448, 43), (448..534).step_by(2).collect::<Vec<u16>>());
        assert_eq!(halfwords(&machine, 544, 64), (544..672).step_by(2).collect::<Vec<u16>>());
    }

    #[test]
    fn the_order_of_lane_local_memory() {
        // Byte 2 of lane 3: the second row's fourth halfword, of 32 lanes and of 4.
        assert_eq!(lane_address(64 + 6, 4), Some(8 + 6));
        assert_eq!(lane_address(64 + 8, 4), None);
        assert_eq!(lane_address(64 + 8, 32), Some(64 + 8));
    }
}
