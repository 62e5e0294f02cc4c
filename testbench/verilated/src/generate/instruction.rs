//! Single instructions, of any row that goes on to the next one.
//!
//! Contract: registers that programs keep for themselves are not written. Where no handler goes on behind an exception,
//! accesses raise none.

use fenn_isa::operand::OperandKind;
use fenn_isa::{Class, Op, Role, SPECS};
use rand::RngExt;

use super::maker::{Exceptions, Maker};
use super::{SCALAR_BASE, VECTOR_BASE};

impl Maker {
    /// An instruction of any row that goes on to the next one.
    pub(super) fn any(&mut self) {
        loop {
            let op = self.row();
            match op.spec().class {
                Class::Branch | Class::Jump | Class::JumpRegister | Class::TrapReturn => continue,
                Class::System if op != Op::Wfi => continue,
                Class::Csr => self.csr(op),
                Class::Load | Class::Store => self.scalar_access(op),
                Class::VectorLoad | Class::VectorStore | Class::GeneratorLoad => self.vector_access(op),
                _ => self.plain(op),
            }
            return;
        }
    }

    /// Any row, or a row of any class: a class of one row shall be met as well.
    fn row(&mut self) -> Op {
        if self.chance(60) {
            return SPECS[self.source.random_range(0..SPECS.len())].op;
        }
        let class = self.of(&Class::ALL);
        let rows: Vec<Op> = SPECS.iter().filter(|spec| spec.class == class).map(|spec| spec.op).collect();
        self.of(&rows)
    }

    pub(super) fn plain(&mut self, op: Op) {
        let operands: Vec<i64> = op
            .spec()
            .operands()
            .map(|operand| match (operand.kind, operand.role) {
                (OperandKind::XReg, Role::Source) => self.x_source(),
                (OperandKind::XReg, _) => self.x_destination(),
                (OperandKind::VReg, Role::Source) => self.v_source(),
                // What is merged into is read as well.
                (OperandKind::VReg, Role::Merged) if self.chance(50) => self.v_source(),
                (OperandKind::VReg, _) => self.below(32),
                (kind, _) => self.immediate(kind),
            })
            .collect();
        self.put(op, &operands);
    }

    fn scalar_access(&mut self, op: Op) {
        let register = if op.spec().class == Class::Load { self.x_destination() } else { self.x_source() };
        let wild = if self.exceptions == Exceptions::Return { 6 } else { 0 };
        if self.chance(wild) {
            let (imm, base) = (self.immediate(OperandKind::Imm12), self.x_source());
            return self.put(op, &[register, imm, base]);
        }
        let imm = match self.below(6) {
            0 => self.of(&[0, 1, -1, 2047, -1024]),
            1 => self.source.random_range(-1024..2048),
            // Few places, so that what is stored is loaded again.
            2 => self.below(8),
            _ => 4 * self.below(8),
        };
        // The last words are reached from above, too.
        if self.chance(3) {
            let imm = self.of(&[0, 4, 64, 1020]);
            return self.put(op, &[register, imm, 0]);
        }
        self.put(op, &[register, imm, SCALAR_BASE]);
    }

    fn vector_access(&mut self, op: Op) {
        let row = i64::from(self.configuration.row_bytes());
        let aligned = row * self.source.random_range(-2048 / row..2048 / row);
        let near = row * self.below(4);
        let odd = if self.exceptions == Exceptions::Return { 3 } else { 0 };
        let imm = if self.chance(odd) {
            self.immediate(OperandKind::Imm12)
        } else if self.chance(60) {
            near
        } else {
            aligned
        };
        // The base is 0 now and then, so that the address may be below it.
        let base = if self.chance(10) { 0 } else { VECTOR_BASE };
        match op {
            Op::VLoadV => {
                let vd = self.below(32);
                self.put(op, &[vd, imm, base]);
            }
            Op::VStore => {
                let vs2 = self.v_source();
                self.put(op, &[vs2, imm, base]);
            }
            _ => self.put(op, &[imm, base]),
        }
    }

    pub(super) fn some(&mut self, most: i64) {
        for _ in 0..self.below(most + 1) {
            self.any();
        }
    }

    /// One word, whatever it is.
    pub(super) fn any_short(&mut self) {
        loop {
            let before = self.piece.len();
            self.any();
            if self.piece.len() == before + 1 {
                return;
            }
            self.piece.truncate(before);
        }
    }
}
