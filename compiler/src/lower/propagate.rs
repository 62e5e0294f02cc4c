//! Spikes through weights: for each spike of the source, its weight row is added to the target's variable.
//!
//! The target's vectors are held in registers while the spikes are scanned, so that a spike costs one load and one
//! addition per vector. Targets of more than [`CHUNK`] vectors are done in chunks, each with a scan of its own; the order of
//! additions to a neuron is that of the spikes all the same. Spikes are found with `ctz`, in rising order of neurons.

use fenn_isa::Op;
use fenn_isa::memory::VECTOR_BYTES;

use super::{Address, Lowering, When};
use crate::ir::{Arg, Reg};
use crate::network::Source;
use crate::place::{Vectors, reads_previous_step, row_bytes};

/// The most target vectors held in registers at once; the last is reached by a load's immediate.
const CHUNK: u32 = 24;

impl Lowering<'_> {
    pub(super) fn propagate(&mut self, index: usize) {
        let projection = &self.network.projections[index];
        let name = format!("propagate_{}", symbol(&projection.name));
        self.code.name(name);
        let (spikes, words) = match projection.source {
            Source::Input(input) => {
                let base = Some(self.step.inputs[input]);
                (Address { base, offset: 0 }, self.placement.inputs[input].words)
            }
            Source::Events { population, event } => {
                let when = if reads_previous_step(self.network, index) { When::Before } else { When::Now };
                let words = self.placement.populations[population].events[event].words;
                (self.event_address(population, event, when), words)
            }
        };
        let target = &self.network.populations[projection.target];
        let saturating = target.kernel.variables[projection.variable].ty.saturating;
        let place = &self.placement.populations[projection.target];
        let vectors = place.variables[projection.variable];
        let scan = Scan {
            spikes,
            words,
            row_bytes: row_bytes(target.size) as i64,
            add: if saturating { Op::VAddS } else { Op::VAdd },
        };
        let chunks = place.blocks.div_ceil(CHUNK);
        let size = place.blocks.div_ceil(chunks);
        for first in (0..place.blocks).step_by(size as usize) {
            let count = size.min(place.blocks - first);
            let weights = self.placement.weights[index] + first * VECTOR_BYTES;
            let part = Vectors { address: vectors.address + first * vectors.stride, ..vectors };
            self.propagate_chunk(&scan, weights, part, count);
        }
    }

    /// Adds the rows of all spikes, of which `count` vectors begin at `weights`, to `target`.
    fn propagate_chunk(&mut self, scan: &Scan, weights: u32, target: Vectors, count: u32) {
        let address = Address { base: None, offset: target.address.into() };
        let (base, offset) = self.reach(address, i64::from(count * target.stride));
        let at = |block: u32| Arg::Imm(offset + i64::from(block * target.stride));
        let sums: Vec<Reg> = (0..count).map(|block| self.code.def_v(Op::VLoadV, &[at(block), base])).collect();
        self.scan(scan, weights, &sums);
        for (block, sum) in sums.iter().enumerate() {
            self.code.emit(Op::VStore, &[(*sum).into(), at(block as u32), base]);
        }
    }

    fn scan(&mut self, scan: &Scan, weights: u32, sums: &[Reg]) {
        let rows = self.code.constant(weights.into());
        let scale = Scale::of(scan.row_bytes).unwrap_or_else(|| Scale::Multiply(self.code.constant(scan.row_bytes)));
        let done = self.code.label();
        if scan.words == 1 {
            let (base, offset) = self.reach(scan.spikes, 4);
            let word = self.code.def_x(Op::Lw, &[offset.into(), base]);
            self.code.emit(Op::Beq, &[word.into(), Arg::Zero, done.into()]);
            self.spikes_of(word, rows, scale, scan.add, sums);
            self.code.bind(done);
            return;
        }
        let pointer = self.pointer(scan.spikes);
        let end = self.pointer(Address { base: Some(pointer), offset: i64::from(4 * scan.words) });
        let (head, next) = (self.code.label(), self.code.label());
        self.code.bind(head);
        let word = self.code.def_x(Op::Lw, &[0.into(), pointer.into()]);
        self.code.advance(pointer, 4);
        self.code.emit(Op::Beq, &[word.into(), Arg::Zero, next.into()]);
        self.spikes_of(word, rows, scale, scan.add, sums);
        self.code.bind(next);
        self.code.advance(rows, 32 * scan.row_bytes);
        self.code.emit(Op::Bltu, &[pointer.into(), end.into(), head.into()]);
    }

    /// For each bit of `word`, which is not zero, lowest first: its row of `rows` is added to `sums`.
    fn spikes_of(&mut self, word: Reg, rows: Reg, scale: Scale, add: Op, sums: &[Reg]) {
        let head = self.code.label();
        self.code.bind(head);
        let bit = self.code.def_x(Op::Ctz, &[word.into()]);
        let below = self.code.def_x(Op::Addi, &[word.into(), (-1).into()]);
        self.code.emit(Op::And, &[word.into(), word.into(), below.into()]);
        let offset = match scale {
            Scale::Shift(amount) => self.code.def_x(Op::Slli, &[bit.into(), amount.into()]),
            Scale::Multiply(bytes) => self.code.def_x(Op::Mul, &[bit.into(), bytes.into()]),
        };
        let row = self.code.def_x(Op::Add, &[offset.into(), rows.into()]);
        for (block, sum) in sums.iter().enumerate() {
            let offset = block as i64 * i64::from(VECTOR_BYTES);
            let weights = self.code.def_v(Op::VLoadV, &[offset.into(), row.into()]);
            self.code.emit(add, &[(*sum).into(), (*sum).into(), weights.into()]);
        }
        self.code.emit(Op::Bne, &[word.into(), Arg::Zero, head.into()]);
    }
}

/// What the chunks of a projection share.
struct Scan {
    spikes: Address,
    words: u32,
    row_bytes: i64,
    add: Op,
}

/// How a spike's number becomes its row's offset.
#[derive(Clone, Copy)]
enum Scale {
    Shift(i64),
    Multiply(Reg),
}

impl Scale {
    fn of(row_bytes: i64) -> Option<Self> {
        let power = u64::try_from(row_bytes).ok()?;
        power.is_power_of_two().then(|| Self::Shift(i64::from(power.trailing_zeros())))
    }
}

/// `name` with everything replaced that does not belong into an assembler's symbol.
pub(super) fn symbol(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
