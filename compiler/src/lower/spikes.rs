//! The spikes that a projection sees in a step, one after the other.
//!
//! Contract: [`Lowering::for_each_spike`] runs a piece of code for every spike, in rising order of neurons, with a
//! register that holds the address of the spike's row. Where spikes come from is [`Spikes`]: bit fields are scanned with
//! `ctz`, a list that the host wrote is walked along, which costs a spike one load and nothing per silent neuron.
//!
//! Code around a loop that is of no use without spikes (loading what the rows are added to, storing it) goes between
//! [`Lowering::open_spikes`] and the label it was given, which the program jumps to wherever it is cheap to know that
//! there are none. A loop with [`Open`] may be emitted once; a projection that needs several opens the spikes again.
//!
//! Not here: what is done with a row, and which memory it lies in: an address is a number here.

use fenn_isa::Op;
use fenn_isa::code::Label;

use super::{Address, InputPointer, Lowering, When};
use crate::ir::{Arg, Reg};
use crate::network::Source;
use crate::place::{InputPlace, reads_previous_step};

/// Where the spikes of a step are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spikes {
    /// One bit per neuron, `words` words from `at` on.
    Bits {
        /// The first word.
        at: Address,
        /// How many.
        words: u32,
    },
    /// A part of a list, which begins with a word that holds the address behind the part. Each word after it is
    /// `base + scale·n` for one neuron `n`.
    List {
        /// Points to the part's first word.
        part: Reg,
        /// Whether nothing else in the step looks at the list, so that the loop may move `part` itself.
        only_reader: bool,
        /// See [`crate::place::SpikeList::base`].
        base: i64,
        /// See [`crate::place::SpikeList::scale`].
        scale: i64,
    },
}

/// Rows that are looked up by neuron: neuron `n` has the one at `address + n·stride`. With an address of 0 and a stride
/// of 1, a spike's row is its neuron's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    /// Of neuron 0's row.
    pub(super) address: i64,
    /// From row to row, at least 1.
    pub(super) stride: i64,
}

/// Spikes that have been looked at: ready for one loop.
#[derive(Debug, Clone, Copy)]
pub(super) enum Open {
    /// One word, which is not zero.
    Word(Reg),
    /// Words, of which any may be zero.
    Words { at: Address, words: u32 },
    /// Entries from `next` up to `end`, at least one.
    List { next: Reg, end: Reg, base: i64, scale: i64 },
}

impl Lowering<'_> {
    /// The spikes that `projection` sees in this step if it has no delays.
    pub(super) fn spikes_of(&self, projection: usize) -> Spikes {
        match self.network.projections[projection].source {
            Source::Input(input) => match (self.step.inputs[input], &self.placement.inputs[input]) {
                (InputPointer(base), InputPlace::Bits(spikes)) => {
                    Spikes::Bits { at: Address { base: Some(base), offset: 0 }, words: spikes.words }
                }
                (InputPointer(part), InputPlace::List(list)) => Spikes::List {
                    part,
                    only_reader: list.readers == 1,
                    base: list.base.into(),
                    scale: list.scale.into(),
                },
            },
            Source::Events { population, event } => {
                let when = if reads_previous_step(self.network, projection) { When::Before } else { When::Now };
                let words = self.placement.populations[population].events[event].words;
                Spikes::Bits { at: self.event_address(population, event, when), words }
            }
        }
    }

    /// Looks at `spikes` for one loop, which is the last one over them in this step if `last`. The program goes on at
    /// `none` where there are none and that is cheap to know.
    pub(super) fn open_spikes(&mut self, spikes: Spikes, last: bool, none: Label) -> Open {
        match spikes {
            Spikes::Bits { at, words: 1 } => {
                let (base, offset) = self.reach(at, 4);
                let word = self.code.def_x(Op::Lw, &[offset.into(), base]);
                self.code.emit(Op::Beq, &[word.into(), Arg::Zero, none.into()]);
                Open::Word(word)
            }
            Spikes::Bits { at, words } => Open::Words { at, words },
            Spikes::List { part, only_reader, base, scale } => {
                let end = self.code.def_x(Op::Lw, &[0.into(), part.into()]);
                let next = if only_reader && last { part } else { self.code.x() };
                self.code.emit(Op::Addi, &[next.into(), part.into(), 4.into()]);
                self.code.emit(Op::Beq, &[next.into(), end.into(), none.into()]);
                Open::List { next, end, base, scale }
            }
        }
    }

    /// `body` for every spike, with its row's address in a register that `body` may change.
    pub(super) fn for_each_spike(&mut self, open: Open, rows: Rows, mut body: impl FnMut(&mut Self, Reg)) {
        match open {
            Open::Word(word) => {
                let first = self.code.constant(rows.address);
                let scale = self.scale(rows.stride);
                self.for_each_bit(word, first, scale, &mut body);
            }
            Open::Words { at, words } => {
                let first = self.code.constant(rows.address);
                let scale = self.scale(rows.stride);
                let pointer = self.pointer(at);
                let end = self.pointer(Address { base: Some(pointer), offset: i64::from(4 * words) });
                let (head, next) = (self.code.label(), self.code.label());
                self.code.bind(head);
                let word = self.code.def_x(Op::Lw, &[0.into(), pointer.into()]);
                self.code.advance(pointer, 4);
                self.code.emit(Op::Beq, &[word.into(), Arg::Zero, next.into()]);
                self.for_each_bit(word, first, scale, &mut body);
                self.code.bind(next);
                self.code.advance(first, 32 * rows.stride);
                self.code.emit(Op::Bltu, &[pointer.into(), end.into(), head.into()]);
            }
            Open::List { next, end, base, scale } => self.for_each_entry([next, end], [base, scale], rows, &mut body),
        }
    }

    /// For each bit of `word`, which is not zero, lowest first.
    fn for_each_bit(&mut self, word: Reg, first: Reg, scale: Scale, body: &mut impl FnMut(&mut Self, Reg)) {
        let head = self.code.label();
        self.code.bind(head);
        let bit = self.code.def_x(Op::Ctz, &[word.into()]);
        let below = self.code.def_x(Op::Addi, &[word.into(), (-1).into()]);
        self.code.emit(Op::And, &[word.into(), word.into(), below.into()]);
        let row = self.scaled(bit, scale);
        self.code.emit(Op::Add, &[row.into(), row.into(), first.into()]);
        body(self, row);
        self.code.emit(Op::Bne, &[word.into(), Arg::Zero, head.into()]);
    }

    /// For each of the words from `next` up to `end`, of which there is at least one; moves `next` there.
    fn for_each_entry(
        &mut self,
        [next, end]: [Reg; 2],
        [base, scale]: [i64; 2],
        rows: Rows,
        body: &mut impl FnMut(&mut Self, Reg),
    ) {
        // With strides that agree, an entry is a row's address but for a constant; entries of other lists are neurons'
        // numbers.
        let agrees = scale == rows.stride;
        debug_assert!(agrees || (base, scale) == (0, 1), "a list serves all its readers");
        let away = rows.address - if agrees { base } else { 0 };
        let away = (away != 0).then(|| self.code.constant(away));
        let scale = self.scale(if agrees { 1 } else { rows.stride });
        let head = self.code.label();
        self.code.bind(head);
        let entry = self.code.def_x(Op::Lw, &[0.into(), next.into()]);
        self.code.advance(next, 4);
        let row = self.scaled(entry, scale);
        if let Some(away) = away {
            self.code.emit(Op::Add, &[row.into(), row.into(), away.into()]);
        }
        body(self, row);
        self.code.emit(Op::Bne, &[next.into(), end.into(), head.into()]);
    }

    fn scale(&mut self, stride: i64) -> Scale {
        match u64::try_from(stride) {
            Ok(1) => Scale::One,
            Ok(stride) if stride.is_power_of_two() => Scale::Shift(stride.trailing_zeros().into()),
            _ => Scale::Multiply(self.code.constant(stride)),
        }
    }

    /// A register with `number` scaled, which may be `number` itself.
    fn scaled(&mut self, number: Reg, scale: Scale) -> Reg {
        match scale {
            Scale::One => number,
            Scale::Shift(amount) => self.code.def_x(Op::Slli, &[number.into(), amount.into()]),
            Scale::Multiply(stride) => self.code.def_x(Op::Mul, &[number.into(), stride.into()]),
        }
    }
}

/// How a neuron's number becomes its row's offset.
#[derive(Clone, Copy)]
enum Scale {
    One,
    Shift(i64),
    Multiply(Reg),
}
