//! Ways through a program: branches, loops, calls, computed jumps.
//!
//! Contract: every one of them goes on behind itself.

use fenn_isa::Op;
use fenn_isa::code::Condition;
use fenn_isa::csr::Register;
use rand::RngExt;

use super::maker::Maker;
use super::{FREE, INNER, OUTER, SCALAR_BASE, SCRATCH};

impl Maker {
    pub(super) fn condition(&mut self) -> Condition {
        use Condition::{Eq, Ge, Geu, Lt, Ltu, Ne};
        self.of(&[Eq, Ne, Lt, Ge, Ltu, Geu])
    }

    pub(super) fn forwards(&mut self) {
        let over = self.label();
        self.some(2);
        let (condition, rs1, rs2) = (self.condition(), self.x_source(), self.x_source());
        if self.chance(20) {
            let rd = self.of(&[0, 1, 5]);
            self.jump(rd, over);
        } else {
            self.branch(condition, rs1, rs2, over);
        }
        self.some(5);
        self.bind(over);
    }

    pub(super) fn looped(&mut self) {
        let nested = self.chance(20);
        let outer = self.label();
        if nested {
            let times = self.source.random_range(2..5);
            self.put(Op::Addi, &[OUTER, 0, times]);
            self.bind(outer);
            self.some(3);
        }
        let times = if self.chance(10) { 40 } else { self.source.random_range(1..12) };
        self.put(Op::Addi, &[INNER, 0, times]);
        let (head, leave) = (self.label(), self.label());
        self.bind(head);
        self.some(5);
        if self.chance(30) {
            let over = self.label();
            let (condition, rs1, rs2) = (self.condition(), self.x_source(), self.x_source());
            self.branch(condition, rs1, rs2, over);
            self.some(3);
            self.bind(over);
        }
        self.put(Op::Addi, &[INNER, INNER, -1]);
        self.some(1);
        match self.below(8) {
            0 => self.branch(Condition::Lt, 0, INNER, head),
            1 => self.branch(Condition::Ltu, 0, INNER, head),
            2 => {
                // The jump goes back, the branch leaves.
                self.branch(Condition::Eq, INNER, 0, leave);
                self.jump(0, head);
            }
            3 => {
                self.put(Op::Addi, &[SCRATCH, 0, 1]);
                self.branch(Condition::Ge, INNER, SCRATCH, head);
            }
            4 => {
                self.put(Op::Addi, &[SCRATCH, 0, 1]);
                self.branch(Condition::Geu, INNER, SCRATCH, head);
            }
            5 => {
                // Taken once at most: equal only while one is left.
                self.put(Op::Sltiu, &[SCRATCH, INNER, 1]);
                self.branch(Condition::Eq, SCRATCH, 0, head);
            }
            _ => self.branch(Condition::Ne, INNER, 0, head),
        }
        self.bind(leave);
        if nested {
            self.put(Op::Addi, &[OUTER, OUTER, -1]);
            self.branch(Condition::Ne, OUTER, 0, outer);
        }
    }

    pub(super) fn call(&mut self) {
        let (function, over) = (self.label(), self.label());
        self.jump(SCRATCH, function);
        self.some(2);
        if self.chance(50) {
            self.jump(SCRATCH, function);
            self.some(2);
        }
        self.jump(0, over);
        self.bind(function);
        self.some(4);
        let rd = self.of(&[0, 0, 1]);
        self.put(Op::Jalr, &[rd, 0, SCRATCH]);
        self.bind(over);
    }

    /// `jalr` behind what makes its register, in many ways.
    pub(super) fn computed_jump(&mut self) {
        let kind = self.below(9);
        let fillers = if self.chance(50) { 0 } else { self.below(4) };
        let skipped = self.below(3);
        // Between `auipc` and `jalr`.
        let makers = match kind {
            0 => 0,
            1 => 1,
            2..=4 => 2,
            _ => 1,
        };
        let imm = self.of(&[0, 0, 4, -8, 1, -1, 2047]);
        let distance = 4 * (1 + 1 + makers + fillers + 1 + skipped);
        self.put(Op::Auipc, &[SCRATCH, 0]);
        self.put(Op::Addi, &[SCRATCH, SCRATCH, distance - (imm & !1)]);
        match kind {
            0 => {}
            1 => self.put(Op::Addi, &[SCRATCH, SCRATCH, 0]),
            2 => {
                self.put(Op::Sw, &[SCRATCH, 32, SCALAR_BASE]);
                self.put(Op::Lw, &[SCRATCH, 32, SCALAR_BASE]);
            }
            3 => {
                self.write_csr(Register::Mscratch, SCRATCH);
                self.read_csr(SCRATCH, Register::Mscratch);
            }
            4 => {
                self.put(Op::Addi, &[INNER, 0, 1]);
                self.put(Op::Mul, &[SCRATCH, SCRATCH, INNER]);
            }
            5 => self.put(Op::Xori, &[SCRATCH, SCRATCH, 0]),
            6 => self.put(Op::Maxu, &[SCRATCH, SCRATCH, 0]),
            7 => self.put(Op::Ror, &[SCRATCH, SCRATCH, 0]),
            _ => {
                // From the link of a jump to the next instruction.
                self.piece.truncate(self.piece.len() - 2);
                self.put(Op::Auipc, &[SCRATCH, 0]);
                self.put(Op::Jalr, &[SCRATCH, 8, SCRATCH]);
                for _ in 0..fillers {
                    self.any_short();
                }
                let rd = self.of(&[0, 1, 1, 7]);
                return self.put(Op::Jalr, &[rd, 4 * (fillers + 1), SCRATCH]);
            }
        }
        for _ in 0..fillers {
            self.any_short();
        }
        let rd = self.of(&[0, 1, 1, 7]);
        self.put(Op::Jalr, &[rd, imm, SCRATCH]);
        for _ in 0..skipped {
            self.any_short();
        }
    }

    /// `mret` to an address of the program's.
    pub(super) fn return_somewhere(&mut self) {
        let fillers = self.below(3);
        let skipped = self.below(2);
        self.put(Op::Auipc, &[SCRATCH, 0]);
        self.put(Op::Addi, &[SCRATCH, SCRATCH, 4 * (3 + fillers + 1 + skipped)]);
        self.write_csr(Register::Mepc, SCRATCH);
        for _ in 0..fillers {
            let rd = self.source.random_range(1..FREE);
            // Not what may raise an exception, which would change mepc.
            let op = self.of(&[Op::Addi, Op::Xori, Op::Andi]);
            self.put(op, &[rd, rd, 5]);
        }
        self.put(Op::Mret, &[]);
        for _ in 0..skipped {
            self.any_short();
        }
    }

    /// A jump to the stub at address 4, which comes back: from a base at a corner, or one that any class has just made.
    pub(super) fn by_the_stub(&mut self) {
        let begin = self.piece.len();
        self.put(Op::Auipc, &[SCRATCH, 0]);
        let way_back = self.piece.len();
        self.put(Op::Addi, &[SCRATCH, SCRATCH, 0]);
        let (base, imm) = self.of(&[(0, 4), (1, 3), (1, 4), (u32::MAX, 5), (2052, -2048)]);
        let imm = match self.below(9) {
            0 => {
                self.set(INNER, 15);
                self.put(Op::Cpop, &[INNER, INNER]);
                0
            }
            1 => {
                self.set(INNER, 2);
                self.put(Op::Mul, &[INNER, INNER, INNER]);
                0
            }
            2 => {
                self.set(INNER, 0x20000);
                let op = self.of(&[Op::Mulh, Op::Mulhu, Op::Mulhsu]);
                self.put(op, &[INNER, INNER, INNER]);
                0
            }
            3 => {
                self.set(INNER, 5);
                let op = self.of(&[Op::Div, Op::Divu]);
                self.put(op, &[INNER, INNER, INNER]);
                3
            }
            4 => {
                self.set(INNER, 4);
                self.write_csr(Register::Mscratch, INNER);
                self.read_csr(INNER, Register::Mscratch);
                0
            }
            5 => {
                self.put(Op::VLui, &[3, 8]);
                let lane = self.below(32);
                self.put(Op::VExtract, &[INNER, 3, lane]);
                -4
            }
            6 => {
                self.set(INNER, 4);
                self.put(Op::Sw, &[INNER, 40, SCALAR_BASE]);
                self.put(Op::Lw, &[INNER, 40, SCALAR_BASE]);
                0
            }
            _ => {
                self.set(INNER, base);
                imm
            }
        };
        for _ in 0..self.below(3) {
            self.any_short();
        }
        let rd = self.of(&[0, 1, 6]);
        self.put(Op::Jalr, &[rd, imm, INNER]);
        let distance = 4 * (self.piece.len() - begin) as i64;
        let end = self.piece.len();
        self.put(Op::Addi, &[SCRATCH, SCRATCH, distance]);
        self.piece.swap(way_back, end);
        self.piece.truncate(end);
    }
}
