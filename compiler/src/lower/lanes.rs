//! Blocks of 32 codes, in vector memory and in lane-local memory alike.
//!
//! Contract: a place in either memory is a register and an offset ([`At`]): a scalar register for vector memory, a vector
//! register, equal in all lanes, for lane-local memory. [`Pointers`] holds as few registers as reach a set of arrays, and moves
//! them from block to block.

use fenn_isa::Op;
use fenn_isa::operand::OperandKind;

use super::Lowering;
use crate::ir::{Arg, Code, File, Reg};
use crate::place::{Home, Ring, Vectors};

/// Where a block is.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    /// A scalar register for vector memory, a vector register for lane-local memory.
    pub(super) base: Arg,
    pub(super) offset: i64,
    /// From this block to the next.
    stride: i64,
}

impl At {
    pub(super) fn new(base: Arg, offset: i64, stride: i64) -> Self {
        Self { base, offset, stride }
    }

    /// So many blocks further.
    pub(super) fn behind(self, blocks: u32) -> Self {
        Self { offset: self.offset + i64::from(blocks) * self.stride, ..self }
    }

    fn is_lane(self) -> bool {
        matches!(self.base, Arg::Reg(Reg { file: File::V, .. }))
    }
}

/// The block at a place, in a new register.
pub(super) fn load(code: &mut Code, at: At) -> Reg {
    if !at.is_lane() {
        return code.def_v(Op::VLoadV, &[at.offset.into(), at.base]);
    }
    let value = code.def_v(Op::VLoadL, &[at.offset.into(), at.base]);
    code.fresh();
    value
}

/// Puts a register there.
pub(super) fn store(code: &mut Code, value: Reg, at: At) {
    let op = if at.is_lane() { Op::VStoreL } else { Op::VStore };
    code.emit(op, &[value.into(), at.offset.into(), at.base]);
}

impl Home {
    /// The same array from a later block on.
    pub(super) fn behind_blocks(self, block: u32) -> Self {
        match self {
            Self::Vector(vectors) => {
                Self::Vector(Vectors { address: vectors.address + block * vectors.stride, ..vectors })
            }
            Self::Lane { row } => Self::Lane { row: row + block },
        }
    }

    /// How many blocks from one place on immediates reach, at least 1.
    pub(super) fn reach(self) -> u32 {
        let (_, stride) = self.address();
        u32::try_from(1 + OperandKind::Imm12.range().end() / stride.max(1)).unwrap_or(u32::MAX)
    }

    fn address(self) -> (i64, i64) {
        match self {
            Self::Vector(vectors) => (vectors.address.into(), vectors.stride.into()),
            Self::Lane { row } => (2 * i64::from(row), 2),
        }
    }
}

/// Registers that point to the present block of some arrays.
#[derive(Default)]
pub(super) struct Pointers {
    /// Registers, the address each starts at, and how far it moves from block to block.
    bases: Vec<(Reg, i64, i64)>,
    /// How many blocks they move at once.
    blocks: u32,
}

impl Pointers {
    /// Where the first block of an array is, such that `blocks` blocks from there can be reached.
    pub(super) fn point(&mut self, lowering: &mut Lowering<'_>, home: Home, blocks: u32) -> At {
        self.blocks = self.blocks.max(blocks);
        let (address, stride) = home.address();
        let file = if matches!(home, Home::Lane { .. }) { File::V } else { File::X };
        let last = i64::from(blocks.saturating_sub(1)) * stride;
        let range = OperandKind::Imm12.range();
        for (register, start, other) in &self.bases {
            let offset = address - start;
            let same = register.file == file && *other == stride;
            if same && range.contains(&offset) && range.contains(&(offset + last)) {
                return At::new((*register).into(), offset, stride);
            }
        }
        let register = match file {
            File::X => lowering.code.constant(address),
            // Offsets reach the first kilobytes from zero.
            File::V => {
                let start = if range.contains(&(address + last)) { 0 } else { address };
                let register = lowering.code.def_v(Op::VLui, &[start.into()]);
                self.bases.push((register, start, stride));
                return At::new(register.into(), address - start, stride);
            }
        };
        self.bases.push((register, address, stride));
        At::new(register.into(), 0, stride)
    }

    /// A register with what lane-local pointers move by, if there are any.
    pub(super) fn lane_step(&self, lowering: &mut Lowering<'_>, blocks: u32) -> Option<Reg> {
        let any = self.bases.iter().any(|(register, ..)| register.file == File::V);
        any.then(|| lowering.code.def_v(Op::VLui, &[(2 * i64::from(blocks)).into()]))
    }

    /// Moves all pointers by the number of blocks they were made to reach.
    pub(super) fn advance(&self, code: &mut Code, lane_step: Option<Reg>) {
        for (register, _, stride) in &self.bases {
            match (register.file, lane_step) {
                (File::V, Some(step)) => code.emit(Op::VAdd, &[(*register).into(), (*register).into(), step.into()]),
                _ => code.advance(*register, stride * i64::from(self.blocks)),
            }
        }
    }
}

impl Lowering<'_> {
    /// Whether lane-local memory keeps something from run to run.
    pub(super) fn keeps_lanes(&self) -> bool {
        let lane = |home: &Home| matches!(home, Home::Lane { .. });
        let variables = self.network.populations.iter().zip(&self.placement.populations);
        let mut kept = variables.flat_map(|(population, place)| population.variables.iter().zip(&place.variables));
        !self.placement.tables.is_empty()
            || self.placement.rings.iter().any(|ring| self.lasts(ring))
            || kept.any(|(variable, home)| !variable.reset && lane(home))
    }

    /// Whether a ring of sums is kept from run to run, as its variable is.
    fn lasts(&self, ring: &Ring) -> bool {
        !self.network.populations[ring.population].variables[ring.variable].reset
    }

    /// Nothing is on its way any more.
    pub(super) fn clear_ring(&mut self, ring: &Ring) {
        let zero = self.code.def_v(Op::VLui, &[0.into()]);
        self.for_blocks(ring.bytes / 2, &[Home::Lane { row: ring.row }], |code, at| store(code, zero, at[0]));
    }

    /// Fills lane-local memory with what is not filled before every run: no host can.
    pub(super) fn fill_lanes(&mut self) {
        for (population, place) in self.network.populations.iter().zip(&self.placement.populations) {
            for (index, variable) in population.variables.iter().enumerate() {
                if !variable.reset && matches!(place.variables[index], Home::Lane { .. }) {
                    self.set_variable(&variable.initial, place.initial[index], place.variables[index], place.blocks);
                }
            }
        }
        self.fill_tables();
        for index in 0..self.placement.rings.len() {
            let ring = self.placement.rings[index];
            if self.lasts(&ring) {
                self.clear_ring(&ring);
            }
        }
    }

    /// Puts the tables of functions into every lane.
    pub(super) fn fill_tables(&mut self) {
        /// Entries in one turn of the loop: a power of two, as tables have one more than such a number.
        const TURN: u32 = 8;
        for table in &self.placement.tables {
            let put = |code: &mut Code, from: Reg, to: Reg, entry: u32| {
                let at = 2 * i64::from(entry);
                let entry = code.def_x(Op::Lh, &[at.into(), from.into()]);
                let entry = code.def_v(Op::VFill, &[entry.into()]);
                code.emit(Op::VStoreL, &[entry.into(), at.into(), to.into()]);
            };
            let from = self.code.constant(table.source.into());
            let to = self.code.def_v(Op::VLui, &[(2 * i64::from(table.row)).into()]);
            let turns = table.entries / TURN;
            if turns > 0 {
                let end = self.code.constant(i64::from(table.source + 2 * TURN * turns));
                let step = self.code.def_v(Op::VLui, &[i64::from(2 * TURN).into()]);
                let head = self.code.label();
                self.code.bind(head);
                (0..TURN).for_each(|entry| put(&mut self.code, from, to, entry));
                self.code.advance(from, i64::from(2 * TURN));
                self.code.emit(Op::VAdd, &[to.into(), to.into(), step.into()]);
                self.code.emit(Op::Bne, &[from.into(), end.into(), head.into()]);
            }
            (0..table.entries % TURN).for_each(|entry| put(&mut self.code, from, to, entry));
        }
    }
}
