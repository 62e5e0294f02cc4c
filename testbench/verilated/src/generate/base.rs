//! Registers that something is to be reached by: values at the corners, and results that have just been made.

use fenn_isa::code::Item;
use fenn_isa::csr::Register;
use fenn_isa::operand::OperandKind;
use fenn_isa::{Class, Inst, Op, Role, SPECS};
use rand::RngExt;

use super::maker::{Exceptions, Maker};
use super::{CORNERS, FREE, Line, NOP, SCALAR_BASE, SCRATCH, VECTOR_BASE};

impl Maker {
    pub(super) fn corners(&mut self) {
        for _ in 0..=self.below(3) {
            let rd = self.source.random_range(1..FREE);
            let value = self.corner();
            self.set(rd, value);
            if self.chance(30) {
                let vd = self.below(32);
                match self.below(3) {
                    0 => self.put(Op::VFill, &[vd, rd]),
                    1 => {
                        let imm = i64::from(self.of(&CORNERS));
                        self.put(Op::VLui, &[vd, imm]);
                    }
                    _ => {
                        let imm = 64 * self.source.random_range(-32..32);
                        self.put(Op::VLoadV, &[vd, imm, VECTOR_BASE]);
                    }
                }
            }
            self.some(3);
        }
    }

    pub(super) fn move_base(&mut self) {
        let row = 64 * self.source.random_range(32..96) as u32;
        let size = self.configuration.memory.vector_bytes;
        let beyond = match self.below(4) {
            0 => 0x8000_0000,
            1 => size.wrapping_mul(self.source.random_range(1..5)),
            _ => 0,
        };
        self.set(VECTOR_BASE, row.wrapping_add(beyond));
    }

    /// Accesses of vectors from bases at the corners.
    pub(super) fn odd_bases(&mut self) {
        if self.exceptions == Exceptions::Return && self.chance(50) {
            for _ in 0..3 {
                let value = self.of(&[0, 1, u32::MAX, 0x8000_0000, 0x7fff_ffff]);
                self.set(SCRATCH, value);
                let op = self.of(&[Op::Lb, Op::Lh, Op::Lw, Op::Lbu, Op::Lhu, Op::Sb, Op::Sh, Op::Sw]);
                let (register, imm) = (self.below(FREE), self.immediate(OperandKind::Imm12));
                self.put(op, &[register, imm, SCRATCH]);
            }
        }
        for _ in 0..=self.below(2) {
            let (base, offset) = self.of(&[(1, 63), (1, -1), (u32::MAX, 1), (0x8000_0000, 64), (0x7fff_ffff, 1)]);
            self.set(SCRATCH, base);
            self.some(2);
            let (register, imm) = (self.below(32), offset + 64 * self.below(20));
            match self.of(&[Op::VLoadV, Op::VStore, Op::VLoadR0, Op::VLoadR1]) {
                op @ (Op::VLoadV | Op::VStore) => self.put(op, &[register, imm, SCRATCH]),
                op => self.put(op, &[imm, SCRATCH]),
            }
        }
    }

    /// An instruction of this row whose result is often one that something can be reached by: made of zeros, of one vector,
    /// and of a constant that is a row's address.
    fn low(&mut self, op: Op) {
        let (vector, rd) = (self.v_source(), self.x_destination());
        let operands: Vec<i64> = op
            .spec()
            .operands()
            .map(|operand| match (operand.kind, operand.role) {
                (OperandKind::XReg, Role::Source) => 0,
                (OperandKind::XReg, _) => rd,
                (OperandKind::VReg, _) => vector,
                (OperandKind::Imm12, _) => 64 * self.below(16),
                (kind, _) => self.immediate(kind),
            })
            .collect();
        self.put(op, &operands);
    }

    /// A base that any class has just made, whatever it is; what it leads to may be an exception.
    pub(super) fn fresh_base(&mut self) {
        // Wherever it leads, no transfer may be running there.
        if self.exceptions == Exceptions::End || self.busy != [false; 2] {
            return self.any();
        }
        use Class::{Alu, Count, Csr, Divide, GeneratorLoad, Jump, Load, Multiply, MultiplyHigh, Store};
        use Class::{Branch, VectorAlu, VectorFill, VectorLoad, VectorSelect, VectorStore, VectorToScalar};
        let maker = self.of(&[Alu, Count, Multiply, MultiplyHigh, Divide, Load, Csr, VectorToScalar, Jump, Jump]);
        let readers =
            [Load, Store, VectorLoad, VectorStore, GeneratorLoad, Csr, VectorFill, VectorSelect, Count, Multiply];
        let reader = if self.chance(20) { self.of(&[Branch, VectorAlu]) } else { self.of(&readers) };
        let of_class = |maker: &mut Self, class: Class| {
            let rows: Vec<Op> = SPECS.iter().filter(|spec| spec.class == class).map(|spec| spec.op).collect();
            maker.of(&rows)
        };
        let rd = self.source.random_range(1..FREE);
        match maker {
            Jump => {
                let next = self.label();
                if self.chance(50) {
                    self.jump(rd, next);
                    self.bind(next);
                    self.recent_x.insert(0, rd);
                } else {
                    self.put(Op::Auipc, &[SCRATCH, 0]);
                    self.put(Op::Jalr, &[rd, 8, SCRATCH]);
                    self.recent_x.insert(0, rd);
                }
            }
            Load => {
                let op = of_class(self, Load);
                let imm = 4 * self.below(8);
                if self.chance(50) {
                    // 0 is a base of anything.
                    self.put(Op::Sw, &[0, imm, SCALAR_BASE]);
                }
                self.put(op, &[rd, imm, SCALAR_BASE]);
            }
            Csr => self.read_csr(rd, Register::Mscratch),
            class => {
                let op = of_class(self, class);
                if self.chance(40) {
                    self.low(op)
                } else {
                    self.plain(op)
                }
                // The destination is the first operand of every such row.
                if let Some(Line::Item(Item::Inst(inst))) = self.piece.last_mut() {
                    let field = op.spec().operands().next().map(|operand| operand.field);
                    if let Some(field) = field {
                        let word = inst.encode() & !field.insert(31) | field.insert(rd as u32);
                        *inst = Inst::decode(word).unwrap_or(NOP);
                    }
                }
            }
        }
        for _ in 0..self.below(3) {
            self.any_short();
        }
        let op = of_class(self, reader);
        let (other, vector, imm) = (self.x_destination(), self.below(32), self.of(&[0, 0, 1, 64, -64]));
        match op.spec().class {
            Load | Store => self.put(op, &[other, imm, rd]),
            VectorLoad | VectorStore => self.put(op, &[vector, imm, rd]),
            GeneratorLoad => self.put(op, &[imm, rd]),
            VectorFill => self.put(op, &[vector, rd]),
            VectorSelect => {
                let vs2 = self.v_source();
                self.put(op, &[vector, rd, vs2]);
            }
            Multiply => {
                let factor = self.x_source();
                self.put(op, &[other, rd, factor]);
            }
            Csr => self.put(Op::Csrrw, &[other, i64::from(Register::Mscratch.spec().address), rd]),
            VectorAlu => {
                let (vs1, shift) = (self.v_source(), self.immediate(OperandKind::Shift));
                self.put(Op::VAndAdd, &[vector, vs1, rd, shift]);
            }
            Branch => {
                let (over, condition) = (self.label(), self.condition());
                self.branch(condition, rd, other, over);
                self.any();
                self.bind(over);
            }
            _ => self.put(Op::Cpop, &[other, rd]),
        }
    }
}
