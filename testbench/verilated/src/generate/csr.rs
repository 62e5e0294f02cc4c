//! CSRs: reads, writes, and the counters.
//!
//! Contract: nothing here starts a transfer, or changes the registers of one that is to be started.

use fenn_isa::Op;
use fenn_isa::csr::{CSRS, Register};
use fenn_isa::operand::OperandKind;
use rand::RngExt;

use super::SCRATCH;
use super::maker::Maker;

impl Maker {
    pub(super) fn read_csr(&mut self, rd: i64, register: Register) {
        self.put(Op::Csrrs, &[rd, i64::from(register.spec().address), 0]);
    }

    pub(super) fn write_csr(&mut self, register: Register, rs1: i64) {
        self.put(Op::Csrrw, &[0, i64::from(register.spec().address), rs1]);
    }

    pub(super) fn csr(&mut self, op: Op) {
        let row = &CSRS[self.source.random_range(0..CSRS.len())];
        let address = i64::from(row.address);
        let rd = self.x_destination();
        let immediate = matches!(op, Op::Csrrwi | Op::Csrrsi | Op::Csrrci);
        let free =
            !matches!(row.register, Register::Mtvec | Register::Mm2sStatus | Register::S2mmStatus | Register::Mhartid);
        // Nobody knows what a start does whose registers were changed.
        let free = free && !(self.set_up && row.name.contains("mm"));
        let starts = matches!(row.register, Register::Mm2sControl | Register::S2mmControl);
        if !free || (starts && !immediate) {
            let op = self.of(&[Op::Csrrs, Op::Csrrc]);
            return self.put(op, &[rd, address, 0]);
        }
        if immediate {
            let uimm = if starts { 2 * self.below(16) } else { self.immediate(OperandKind::Uimm5) };
            self.put(op, &[rd, address, uimm]);
        } else {
            let rs1 = if self.chance(20) { 0 } else { self.x_source() };
            self.put(op, &[rd, address, rs1]);
        }
        // Counters shall count most of the time.
        if row.register == Register::Mcountinhibit && self.chance(70) {
            self.put(Op::Csrrwi, &[0, address, 0]);
        }
    }

    pub(super) fn counters(&mut self) {
        let register = self.of(&[Register::Mcycle, Register::Minstret, Register::Mcycleh, Register::Minstreth]);
        if self.chance(30) {
            // Next to where the lower word overflows.
            self.put(Op::Addi, &[SCRATCH, 0, -3]);
            self.write_csr(register, SCRATCH);
        }
        self.some(2);
        for register in [Register::Mcycle, Register::Minstret, Register::Mcycleh, Register::Minstreth] {
            let rd = self.x_destination();
            self.read_csr(rd, register);
        }
    }

    pub(super) fn same_handler(&mut self) {
        self.read_csr(SCRATCH, Register::Mtvec);
        self.write_csr(Register::Mtvec, SCRATCH);
    }
}
