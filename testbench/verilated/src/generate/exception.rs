//! What cannot be executed.

use fenn_isa::csr::{CSRS, Register};
use fenn_isa::operand::OperandKind;
use fenn_isa::{Inst, Op};
use rand::RngExt;

use super::maker::{Exceptions, Maker};
use super::{FREE, Line, SCRATCH, VECTOR_BASE};

impl Maker {
    pub(super) fn exception(&mut self) {
        if self.exceptions == Exceptions::End {
            return self.any();
        }
        self.some(2);
        self.raise();
        self.some(3);
    }

    pub(super) fn no_instruction(&mut self) {
        let word = loop {
            let word: u32 = self.source.random();
            if Inst::decode(word).is_none() {
                break word;
            }
        };
        self.piece.push(Line::Word(word));
    }

    /// Something that cannot be executed.
    pub(super) fn raise(&mut self) {
        let register = self.source.random_range(1..FREE);
        match self.below(9) {
            0 => self.no_instruction(),
            1 => {
                let base = if self.chance(60) {
                    let value = self.of(&[0, 1, u32::MAX, 0x8000_0000, 0x7fff_ffff]);
                    self.set(SCRATCH, value);
                    SCRATCH
                } else {
                    self.x_source()
                };
                let op = self.of(&[Op::Lb, Op::Lh, Op::Lw, Op::Lbu, Op::Lhu, Op::Sb, Op::Sh, Op::Sw]);
                let imm = self.immediate(OperandKind::Imm12);
                self.put(op, &[register, imm, base]);
            }
            2 => {
                // The end of scalar memory, from within to beyond.
                let offset = self.source.random_range(-6..4);
                let size = self.configuration.memory.scalar_bytes;
                self.set(SCRATCH, size.wrapping_add_signed(offset));
                let op = self.of(&[Op::Lb, Op::Lh, Op::Lw, Op::Lbu, Op::Lhu, Op::Sb, Op::Sh, Op::Sw]);
                let imm = self.of(&[0, -1, 1, 2]);
                self.put(op, &[register, imm, SCRATCH]);
            }
            3 => {
                let imm = 64 * self.below(8) + self.source.random_range(1..64);
                let op = self.of(&[Op::VLoadV, Op::VStore]);
                self.put(op, &[register, imm, VECTOR_BASE]);
            }
            4 => {
                let imm = 64 * self.below(8) + self.source.random_range(1..64);
                let op = self.of(&[Op::VLoadR0, Op::VLoadR1]);
                self.put(op, &[imm, VECTOR_BASE]);
            }
            5 => {
                let address = loop {
                    let address = self.below(4096);
                    if CSRS.iter().all(|row| i64::from(row.address) != address) {
                        break address;
                    }
                };
                let op = self.of(&[Op::Csrrw, Op::Csrrs, Op::Csrrc, Op::Csrrwi, Op::Csrrsi, Op::Csrrci]);
                let last = self.of(&[0, 1, register]);
                self.put(op, &[register, address, last]);
            }
            6 => {
                let row = self.of(&[Register::Mhartid, Register::Mm2sStatus, Register::S2mmStatus]);
                let op = self.of(&[Op::Csrrw, Op::Csrrs, Op::Csrrc, Op::Csrrwi, Op::Csrrsi, Op::Csrrci]);
                self.put(op, &[register, i64::from(row.spec().address), register]);
            }
            7 => {
                // To an address between two words: with `jal`, and with a branch, if it is taken.
                let offset = 4 * self.source.random_range(-3..5) + 2;
                let (rs1, rs2) = (self.x_source(), self.x_source());
                let row = self.of(&[Op::Jal, Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu]);
                let operands = if row == Op::Jal { vec![register, offset] } else { vec![rs1, rs2, offset] };
                let word = row.spec().assemble(&operands).unwrap_or(0);
                self.piece.push(Line::Word(word));
            }
            _ => {
                self.put(Op::Auipc, &[SCRATCH, 0]);
                let imm = self.of(&[2, 3, 6, -2]);
                self.put(Op::Jalr, &[register, imm, SCRATCH]);
            }
        }
    }

    /// Jumps to where no instruction memory is.
    pub(super) fn outside(&mut self) {
        let size = self.configuration.memory.instruction_bytes;
        let (address, imm) =
            self.of(&[(size, 0), (size + 64, 0), (0x8000_0000, 4), (0x7fff_ffff, 1), (0xffff_fffc, 0)]);
        self.set(SCRATCH, address);
        self.put(Op::Jalr, &[0, imm, SCRATCH]);
    }
}
