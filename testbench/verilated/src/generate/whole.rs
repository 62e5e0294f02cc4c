//! A whole program: what it begins with, its pieces, and how it ends.

use fenn_isa::Op;
use fenn_isa::code::Condition;
use fenn_isa::csr::{CSRS, Register};
use rand::RngExt;

use super::maker::{Exceptions, Maker};
use super::{FREE, HANDLER, SCALAR, SCALAR_BASE, SCRATCH, VECTOR_BASE};

impl Maker {
    pub(super) fn program(&mut self) {
        self.prologue();
        let room = i64::from(self.configuration.memory.instruction_bytes / 4) - 700;
        let length = self.source.random_range(100..room.min(900));
        let mut written = 0;
        while written < length {
            self.one_piece();
            written += self.piece.len() as i64;
            self.close();
        }
        self.epilogue();
    }

    fn one_piece(&mut self) {
        match self.below(100) {
            0..24 => {
                self.any();
                self.some(10);
            }
            24..36 => self.fresh_base(),
            36..48 => self.corners(),
            48..60 => self.forwards(),
            60..70 => self.looped(),
            70..74 => self.call(),
            74..78 => self.computed_jump(),
            78..81 => self.return_somewhere(),
            81..83 => self.fresh_base(),
            83..85 => self.move_base(),
            85..87 => self.odd_bases(),
            87..89 => self.exception(),
            89..90 => self.counters(),
            90..91 => self.by_the_stub(),
            91..92 => self.same_handler(),
            _ => self.transfer(),
        }
    }

    fn prologue(&mut self) {
        // At address 4 is a way to wherever the scratch register says.
        let begin = self.label();
        self.jump(0, begin);
        self.put(Op::Jalr, &[0, 0, SCRATCH]);
        self.bind(begin);
        self.set(SCALAR_BASE, SCALAR as u32);
        self.set(VECTOR_BASE, 2048);
        let inhibit = if self.chance(85) { 0 } else { self.below(8) };
        self.put(Op::Csrrwi, &[0, i64::from(Register::Mcountinhibit.spec().address), inhibit]);
        if self.exceptions == Exceptions::Return {
            self.handler();
        }
        self.close();
        for register in 1..FREE {
            if self.chance(70) {
                let value = self.corner();
                self.set(register, value);
            }
        }
        self.close();
        for vd in 0..32 {
            if self.chance(80) {
                let imm = 64 * self.source.random_range(-32..32);
                self.put(Op::VLoadV, &[vd, imm, VECTOR_BASE]);
            }
        }
        for op in [Op::VLoadR0, Op::VLoadR1] {
            let imm = 64 * self.source.random_range(-32..32);
            self.put(op, &[imm, VECTOR_BASE]);
        }
        self.close();
    }

    fn handler(&mut self) {
        let over = self.label();
        self.jump(HANDLER, over);
        self.read_csr(HANDLER, Register::Mcause);
        self.put(Op::Addi, &[HANDLER, HANDLER, -1]);
        // What could not be fetched has no place to go on at.
        self.branch(Condition::Eq, HANDLER, 0, self.end);
        if self.chance(40) {
            let register = self.of(&[Register::Mtval, Register::Mstatus, Register::Mcycle]);
            self.read_csr(HANDLER, register);
        }
        self.read_csr(HANDLER, Register::Mepc);
        self.put(Op::Addi, &[HANDLER, HANDLER, 4]);
        self.write_csr(Register::Mepc, HANDLER);
        for _ in 0..self.below(4) {
            self.put(Op::Addi, &[HANDLER, HANDLER, 1]);
        }
        self.put(Op::Mret, &[]);
        self.bind(over);
        self.write_csr(Register::Mtvec, HANDLER);
    }

    fn epilogue(&mut self) {
        if self.exceptions == Exceptions::Return && self.chance(30) {
            // The handler goes to the end from there.
            self.outside();
        }
        self.bind(self.end);
        self.close();
        if self.chance(70) {
            // The handler may have come here from anywhere: what is not busy is found idle at once.
            self.busy = [true; 2];
            self.wait(0);
            self.wait(1);
            self.look(0);
        }
        self.close();
        for register in 1..32 {
            self.put(Op::Sw, &[register, 1536 + 4 * register, 0]);
        }
        self.set(VECTOR_BASE, 2048);
        for register in 0..32 {
            self.put(Op::VStore, &[register, 64 * (register - 32), VECTOR_BASE]);
        }
        self.close();
        for (index, row) in CSRS.iter().enumerate() {
            self.put(Op::Csrrs, &[1 + index as i64 % 24, i64::from(row.address), 0]);
        }
        self.close();
        match self.below(20) {
            0 => self.put(Op::Ebreak, &[]),
            1 | 2 => {
                // An exception without a handler.
                self.write_csr(Register::Mtvec, 0);
                self.raise();
                self.outside();
            }
            3 => {
                // A handler whose first instruction cannot be executed itself.
                let over = self.label();
                self.jump(HANDLER, over);
                self.no_instruction();
                self.bind(over);
                self.write_csr(Register::Mtvec, HANDLER);
                self.raise();
            }
            4 => {
                self.write_csr(Register::Mtvec, 0);
                self.outside();
            }
            5 => {
                // A handler that is not there.
                self.put(Op::Lui, &[HANDLER, 0x80]);
                self.write_csr(Register::Mtvec, HANDLER);
                self.raise();
            }
            _ => {}
        }
        self.put(Op::Ecall, &[]);
        self.close();
    }
}
