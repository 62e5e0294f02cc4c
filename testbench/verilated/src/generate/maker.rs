//! What a program in the making is: its pieces, its labels, and what the next choice may depend on.
//!
//! Contract: every choice is drawn from [`Maker::source`], so that a seed names a program. [`Maker::put`] notes what it
//! writes, for instructions that read what was just written.

use fenn_isa::code::{Condition, Item, Label};
use fenn_isa::operand::{OperandKind, XReg};
use fenn_isa::{Inst, Op, Role};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::{FREE, Line, Pacing};
use crate::configuration::Configuration;

/// What the program does with exceptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceptions {
    /// They end it.
    End,
    /// A handler goes on behind them.
    Return,
}

/// A program in the making.
pub(super) struct Maker {
    pub(super) source: Pcg64Mcg,
    pub(super) configuration: &'static Configuration,
    pub(super) pieces: Vec<Vec<Line>>,
    pub(super) piece: Vec<Line>,
    pub(super) labels: u32,
    pub(super) end: Label,
    pub(super) exceptions: Exceptions,
    pub(super) pacing: Pacing,
    /// The scalar and the vector registers that were written last, the last one first.
    pub(super) recent_x: Vec<i64>,
    pub(super) recent_v: Vec<i64>,
    /// Whether the channels may be busy: into vector memory, out of it.
    pub(super) busy: [bool; 2],
    /// Whether the registers of a channel are set for a start that is to come.
    pub(super) set_up: bool,
}

impl Maker {
    pub(super) fn new(seed: u64, configuration: &'static Configuration) -> Self {
        let mut source = Pcg64Mcg::seed_from_u64(seed);
        let exceptions = if source.random_range(0..6) == 0 { Exceptions::End } else { Exceptions::Return };
        let pacing = match source.random_range(0..6) {
            0 | 1 => Pacing::Random { ready: source.random_range(20..95), errors: 0 },
            2 => Pacing::Random { ready: source.random_range(20..100), errors: 20_000 },
            _ => Pacing::Steady,
        };
        Self {
            source,
            configuration,
            pieces: Vec::new(),
            piece: Vec::new(),
            labels: 1,
            end: Label(0),
            exceptions,
            pacing,
            recent_x: vec![1, 2, 3],
            recent_v: vec![1, 2, 3],
            busy: [false; 2],
            set_up: false,
        }
    }

    pub(super) fn below(&mut self, end: i64) -> i64 {
        self.source.random_range(0..end)
    }

    pub(super) fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.source.random_range(0..choices.len())]
    }

    pub(super) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    pub(super) fn bind(&mut self, label: Label) {
        self.piece.push(Line::Item(Item::Label(label)));
    }

    fn item(&mut self, item: Item) {
        self.piece.push(Line::Item(item));
    }

    /// Adds an instruction. Operands out of range are a mistake of the generator's.
    pub(super) fn put(&mut self, op: Op, operands: &[i64]) {
        let spec = op.spec();
        let word = spec.assemble(operands).unwrap_or_else(|index| panic!("operand {index} of {op:?}: {operands:?}"));
        let inst = Inst::decode(word).expect("a row's word is an instruction");
        self.piece.push(Line::Item(Item::Inst(inst)));
        for (operand, value) in spec.operands().zip(operands) {
            if matches!(operand.role, Role::Destination | Role::Merged) {
                let recent = if operand.kind == OperandKind::XReg { &mut self.recent_x } else { &mut self.recent_v };
                recent.insert(0, *value);
                recent.truncate(4);
            }
        }
    }

    pub(super) fn branch(&mut self, condition: Condition, rs1: i64, rs2: i64, target: Label) {
        let register = |index| XReg::new(index).unwrap_or(XReg::ZERO);
        self.item(Item::Branch { condition, rs1: register(rs1), rs2: register(rs2), target });
    }

    pub(super) fn jump(&mut self, rd: i64, target: Label) {
        self.item(Item::Jump { rd: XReg::new(rd).unwrap_or(XReg::ZERO), target });
    }

    pub(super) fn close(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        self.pieces.push(piece);
    }

    /// Puts a number into a register.
    pub(super) fn set(&mut self, rd: i64, value: u32) {
        let low = (value as i32) << 20 >> 20;
        let high = value.wrapping_sub(low as u32) >> 12;
        if high == 0 {
            self.put(Op::Addi, &[rd, 0, i64::from(low)]);
        } else {
            self.put(Op::Lui, &[rd, i64::from(high)]);
            if low != 0 {
                self.put(Op::Addi, &[rd, rd, i64::from(low)]);
            }
        }
    }

    pub(super) fn corner(&mut self) -> u32 {
        match self.below(10) {
            0 => 0,
            1 => 1,
            2 => u32::MAX,
            3 => i32::MIN as u32,
            4 => i32::MAX as u32,
            5 => 1 << self.below(32),
            6 => self.below(64) as u32,
            7 => self.source.random_range(-40..40_i32) as u32,
            _ => self.source.random(),
        }
    }

    pub(super) fn x_source(&mut self) -> i64 {
        if self.chance(60) {
            let index = self.below(3) as usize;
            return self.recent_x.get(index).copied().unwrap_or(1);
        }
        if self.chance(4) { self.below(32) } else { self.below(FREE) }
    }

    pub(super) fn v_source(&mut self) -> i64 {
        if self.chance(60) {
            let index = self.below(3) as usize;
            return self.recent_v.get(index).copied().unwrap_or(1);
        }
        self.below(32)
    }

    pub(super) fn x_destination(&mut self) -> i64 {
        if self.chance(5) { 0 } else { self.source.random_range(1..FREE) }
    }

    pub(super) fn immediate(&mut self, kind: OperandKind) -> i64 {
        let range = kind.range();
        let (least, greatest) = (*range.start(), *range.end());
        match self.below(8) {
            0 => 0,
            1 => 1.min(greatest),
            2 => (-1).max(least),
            3 => least,
            // Lane constants are written signed or unsigned.
            4 => {
                if kind == OperandKind::Imm16 {
                    0x7fff
                } else {
                    greatest
                }
            }
            _ => self.source.random_range(least..=greatest),
        }
    }
}
