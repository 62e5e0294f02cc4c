//! The spikes that a bundle of projections sees in a step, one after the other.
//!
//! Contract: [`Lowering::for_each_spike`] runs a piece of code for every spike, in rising order of neurons, with
//! registers that hold the addresses of what is looked up for the neuron. Where spikes come from is [`Spikes`]: bit fields are scanned with
//! `ctz`, a list that the host wrote is walked along, which costs a spike one load and nothing per silent neuron.
//!
//! Code around a loop that is of no use without spikes (loading what the rows are added to, storing it) goes between
//! [`Lowering::open_spikes`] and the label it was given, which the program jumps to wherever it is cheap to know that
//! there are none. A loop with [`Open`] may be emitted once; a bundle that needs several opens the spikes again.
//!
//! Not here: what is done with a row, and which memory it lies in: an address is a number here.

use fenn_isa::Op;
use fenn_isa::code::Label;
use fenn_isa::memory::VECTOR_BYTES;

use super::{Address, InputPointer, Lowering};
use crate::ir::{Arg, Code, Reg, Turns};
use crate::network::Source;
use crate::place::{Bundle, InputPlace};

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
    /// As `Bits`, with marks of the words that are not 0.
    Marked {
        /// The first word.
        at: Address,
        /// The first word of marks.
        marks: Address,
        /// How many words of marks.
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
        base: u32,
        /// See [`crate::place::SpikeList::scale`].
        scale: u32,
    },
}

/// Something that is looked up by neuron: neuron `n` has the place at `first + n·stride`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    /// Of neuron 0's place.
    pub(super) first: First,
    /// From place to place.
    pub(super) stride: Stride,
}

/// How far it is from place to place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stride {
    /// So many bytes, at least 1.
    Bytes(u32),
    /// As far as a table says: `first` is its address, and it has a word for each so many words of spikes, a power of two: the
    /// address of these neurons' first place, a multiple of 64, plus the vectors from place to place. Not for lists of spikes.
    Grouped(u32),
}

/// An address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// A constant.
    At(u32),
    /// In a register, which stays as it is.
    In(Reg),
}

/// Spikes that have been looked at: ready for one loop.
#[derive(Debug, Clone, Copy)]
pub(super) enum Open {
    /// One word, which is not zero.
    Word(Reg),
    /// Words, of which any may be zero.
    Words { at: Address, words: u32 },
    /// Words of which some are marked.
    Marked { at: Address, marks: Address, words: u32 },
    /// Entries from `next` up to `end`, at least one.
    List { next: Reg, end: Reg, base: u32, scale: u32 },
}

impl Lowering<'_> {
    /// The spikes that a bundle sees in this step.
    pub(super) fn spikes_of(&mut self, bundle: &Bundle) -> Spikes {
        match bundle.source {
            Source::Input(input) => match (self.step.inputs[input], self.placement.inputs[input]) {
                (InputPointer(base), InputPlace::Bits(spikes)) => {
                    let offset = -i64::from(bundle.ago * spikes.slot_bytes());
                    Spikes::Bits { at: Address { base: Some(base), offset }, words: spikes.words }
                }
                (InputPointer(part), InputPlace::List(list)) => {
                    Spikes::List { part, only_reader: list.readers == 1, base: list.base, scale: list.scale }
                }
            },
            Source::Events { population, event } => {
                let words = self.placement.populations[population].events[event].words;
                Spikes::Bits { at: self.event_address(population, event, bundle.when, bundle.ago), words }
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
            Spikes::Marked { at, marks, words } => Open::Marked { at, marks, words },
            Spikes::List { part, only_reader, base, scale } => {
                let end = self.code.def_x(Op::Lw, &[0.into(), part.into()]);
                let next = if only_reader && last { part } else { self.code.x() };
                self.code.emit(Op::Addi, &[next.into(), part.into(), 4.into()]);
                self.code.emit(Op::Beq, &[next.into(), end.into(), none.into()]);
                Open::List { next, end, base, scale }
            }
        }
    }

    /// `body` for every spike, with the addresses of its places in all of `rows`, in registers that `body` may change; behind
    /// them, in registers that stay as they are, the strides of those that are grouped. With `entered`, code behind the loop
    /// goes back into the body: what the loop keeps in registers has a value then, although no spike may have been found.
    pub(super) fn for_each_spike(
        &mut self,
        open: Open,
        rows: &[Rows],
        entered: bool,
        body: impl FnOnce(&mut Self, &[Reg]),
    ) {
        match open {
            Open::Word(word) => {
                let places = self.word_places(rows, true);
                let grouped: Vec<WordPlaces> = places.iter().filter(|place| place.group.is_some()).copied().collect();
                if !grouped.is_empty() {
                    let first = self.code.constant(0);
                    self.find_word(&grouped, first);
                }
                self.for_each_bit(word, &places, body);
            }
            Open::Words { at, words } => self.for_each_word(at, words, rows, entered, body),
            Open::Marked { at, marks, words } => self.for_each_marked([at, marks], words, rows, entered, body),
            Open::List { next, end, base, scale } => self.for_each_entry([next, end], [base, scale], rows, body),
        }
    }

    /// Registers for the places of a word's neurons; if the word is the only one, those are where the first word's are.
    fn word_places(&mut self, rows: &[Rows], only: bool) -> Vec<WordPlaces> {
        let mut places = Vec::new();
        for rows in rows {
            let first = match rows.first {
                First::At(address) => self.code.constant(address.into()),
                First::In(register) => register,
            };
            let (of_word, word_scale, scale, group) = match rows.stride {
                Stride::Bytes(bytes) if only => (first, Scale::One, self.scale(bytes), None),
                // Bytes for the 32 neurons of a word, over the four bytes of the word.
                Stride::Bytes(bytes) => (self.code.x(), self.scale(8 * bytes), self.scale(bytes), None),
                Stride::Grouped(words) => {
                    let stride = self.code.x();
                    (self.code.x(), Scale::One, Scale::Multiply(stride), Some(Group { words, stride }))
                }
            };
            places.push(WordPlaces { first, of_word, word_scale, scale, group });
        }
        places
    }

    /// Gives a value to the registers that a loop over spikes keeps.
    fn give_values(&mut self, places: &[WordPlaces], word: Reg) {
        let strides = places.iter().filter_map(|place| place.group).map(|group| group.stride);
        for register in places.iter().map(|place| place.of_word).chain(strides).chain([word]) {
            self.code.emit(Op::Addi, &[register.into(), Arg::Zero, 0.into()]);
        }
    }

    /// Finds the places of the first neuron of the word that is `offset` bytes behind the first one.
    fn find_word(&mut self, places: &[WordPlaces], offset: Reg) {
        for WordPlaces { first, of_word, word_scale, group, .. } in places {
            let Some(Group { words, stride }) = group else {
                let offset = self.scaled(offset, *word_scale);
                self.code.emit(Op::Add, &[(*of_word).into(), offset.into(), (*first).into()]);
                continue;
            };
            let mut entry = offset;
            if *words > 1 {
                let group = self.code.def_x(Op::Srli, &[offset.into(), i64::from(words.trailing_zeros()).into()]);
                entry = self.code.def_x(Op::Andi, &[group.into(), (-4).into()]);
            }
            let entry = self.code.def_x(Op::Add, &[entry.into(), (*first).into()]);
            let entry = self.code.def_x(Op::Lw, &[0.into(), entry.into()]);
            let vectors = self.code.def_x(Op::Andi, &[entry.into(), i64::from(VECTOR_BYTES - 1).into()]);
            let shift = i64::from(VECTOR_BYTES.trailing_zeros());
            self.code.emit(Op::Slli, &[(*stride).into(), vectors.into(), shift.into()]);
            self.code.emit(Op::Sub, &[(*of_word).into(), entry.into(), vectors.into()]);
            if *words > 1 {
                // Bytes of words before this one in the group, to neurons, to bytes of places.
                let before = self.code.constant(i64::from(4 * words - 1));
                let before = self.code.def_x(Op::And, &[offset.into(), before.into()]);
                let before = self.code.def_x(Op::Slli, &[before.into(), 3.into()]);
                let before = self.code.def_x(Op::Mul, &[before.into(), (*stride).into()]);
                self.code.emit(Op::Add, &[(*of_word).into(), (*of_word).into(), before.into()]);
            }
        }
    }

    /// A word without spikes takes four instructions. The branch back from it goes to a lower address, so that the fetch
    /// unit foresees it.
    fn for_each_word(
        &mut self,
        at: Address,
        words: u32,
        rows: &[Rows],
        entered: bool,
        body: impl FnOnce(&mut Self, &[Reg]),
    ) {
        let pointer = self.pointer(at);
        let end = self.plus(pointer, i64::from(4 * words));
        // Where the pointer is behind the first word.
        let start = self.plus(pointer, 4);
        let places = self.word_places(rows, false);
        let word = self.code.x();
        if entered {
            self.give_values(&places, word);
        }
        let (check, next, done) = (self.code.label(), self.code.label(), self.code.label());
        self.code.bind_turns(check, Turns::Scan(words));
        self.code.emit(Op::Beq, &[pointer.into(), end.into(), done.into()]);
        self.code.bind_turns(next, Turns::Spike);
        self.code.emit(Op::Lw, &[word.into(), 0.into(), pointer.into()]);
        self.code.advance(pointer, 4);
        self.code.emit(Op::Beq, &[word.into(), Arg::Zero, check.into()]);
        let behind = self.code.def_x(Op::Sub, &[pointer.into(), start.into()]);
        self.find_word(&places, behind);
        self.for_each_bit(word, &places, body);
        self.code.emit(Op::Bne, &[pointer.into(), end.into(), next.into()]);
        self.code.bind(done);
    }

    /// Of words of spikes those that are marked in `words` words of marks.
    fn for_each_marked(
        &mut self,
        [at, marks]: [Address; 2],
        words: u32,
        rows: &[Rows],
        entered: bool,
        body: impl FnOnce(&mut Self, &[Reg]),
    ) {
        let start = self.pointer(at);
        let pointer = self.pointer(marks);
        let end = self.plus(pointer, i64::from(4 * words));
        let places = self.word_places(rows, false);
        let word = self.code.x();
        if entered {
            self.give_values(&places, word);
        }
        // Bytes from the first word to those of the present marks.
        let group = (words > 1).then(|| self.code.constant(0));
        let (head, next, marked, unmarked) =
            (self.code.label(), self.code.label(), self.code.label(), self.code.label());
        self.code.bind_turns(head, Turns::Scan(words));
        let mark = self.code.def_x(Op::Lw, &[0.into(), pointer.into()]);
        self.code.advance(pointer, 4);
        self.code.emit(Op::Beq, &[mark.into(), Arg::Zero, next.into()]);
        self.code.bind_turns(marked, Turns::Spike);
        let bit = self.code.def_x(Op::Ctz, &[mark.into()]);
        let below = self.code.def_x(Op::Addi, &[mark.into(), (-1).into()]);
        self.code.emit(Op::And, &[mark.into(), mark.into(), below.into()]);
        let mut offset = self.code.def_x(Op::Slli, &[bit.into(), 2.into()]);
        if let Some(group) = group {
            offset = self.code.def_x(Op::Add, &[offset.into(), group.into()]);
        }
        let here = self.code.def_x(Op::Add, &[start.into(), offset.into()]);
        self.code.emit(Op::Lw, &[word.into(), 0.into(), here.into()]);
        self.find_word(&places, offset);
        // Marks may be older than the slot.
        self.code.emit(Op::Beq, &[word.into(), Arg::Zero, unmarked.into()]);
        self.for_each_bit(word, &places, body);
        self.code.bind(unmarked);
        self.code.emit(Op::Bne, &[mark.into(), Arg::Zero, marked.into()]);
        self.code.bind(next);
        if let Some(group) = group {
            self.code.advance(group, 4 * 32);
            self.code.emit(Op::Bne, &[pointer.into(), end.into(), head.into()]);
        }
    }

    /// Marks which of `words` words from `at` on are not 0, in words from `marks` on.
    pub(super) fn mark_words(&mut self, at: Address, words: u32, marks: Address) {
        const UNROLLED: i64 = 4;
        let (pointer, to) = (self.pointer(at), self.pointer(marks));
        // Each word's bit comes in at the top, and moves down with those of the words behind it.
        let four = |code: &mut Code, mark: Reg, count: i64| {
            code.emit(Op::Srli, &[mark.into(), mark.into(), count.into()]);
            for index in 0..count {
                let word = code.def_x(Op::Lw, &[(4 * index).into(), pointer.into()]);
                let some = code.def_x(Op::Sltu, &[Arg::Zero, word.into()]);
                let some = code.def_x(Op::Slli, &[some.into(), (32 - count + index).into()]);
                code.emit(Op::Or, &[mark.into(), mark.into(), some.into()]);
            }
            code.advance(pointer, 4 * count);
        };
        let whole = words / 32;
        if whole > 0 {
            let end = self.plus(to, i64::from(4 * whole));
            let (group, turn) = (self.code.label(), self.code.label());
            self.code.bind_turns(group, Turns::Times(whole));
            let mark = self.code.constant(0);
            let left = self.code.constant(32 / UNROLLED);
            self.code.bind_turns(turn, Turns::Times(32 / UNROLLED as u32));
            four(&mut self.code, mark, UNROLLED);
            self.code.advance(left, -1);
            self.code.emit(Op::Bne, &[left.into(), Arg::Zero, turn.into()]);
            self.code.emit(Op::Sw, &[mark.into(), 0.into(), to.into()]);
            self.code.advance(to, 4);
            self.code.emit(Op::Bne, &[to.into(), end.into(), group.into()]);
        }
        let rest = i64::from(words % 32);
        if rest > 0 {
            let mark = self.code.constant(0);
            for first in (0..rest).step_by(UNROLLED as usize) {
                four(&mut self.code, mark, UNROLLED.min(rest - first));
            }
            if rest < 32 {
                self.code.emit(Op::Srli, &[mark.into(), mark.into(), (32 - rest).into()]);
            }
            self.code.emit(Op::Sw, &[mark.into(), 0.into(), to.into()]);
        }
    }

    /// For each bit of `word`, which is not zero, lowest first; `of_word` are the places of the word's first neuron.
    fn for_each_bit(&mut self, word: Reg, of_word: &[WordPlaces], body: impl FnOnce(&mut Self, &[Reg])) {
        let head = self.code.label();
        self.code.bind_turns(head, Turns::Spike);
        let bit = self.code.def_x(Op::Ctz, &[word.into()]);
        let below = self.code.def_x(Op::Addi, &[word.into(), (-1).into()]);
        self.code.emit(Op::And, &[word.into(), word.into(), below.into()]);
        let mut places = Vec::new();
        for place in of_word {
            let offset = self.scaled(bit, place.scale);
            places.push(self.code.def_x(Op::Add, &[offset.into(), place.of_word.into()]));
        }
        places.extend(of_word.iter().filter_map(|place| place.group).map(|group| group.stride));
        body(self, &places);
        self.code.emit(Op::Bne, &[word.into(), Arg::Zero, head.into()]);
    }

    /// For each of the words from `next` up to `end`, of which there is at least one; moves `next` there.
    fn for_each_entry(
        &mut self,
        [next, end]: [Reg; 2],
        [base, scale]: [u32; 2],
        rows: &[Rows],
        body: impl FnOnce(&mut Self, &[Reg]),
    ) {
        // With strides that agree, an entry is an address but for a constant; entries of other lists are neurons' numbers.
        let mut ways = Vec::new();
        for rows in rows {
            let Stride::Bytes(stride) = rows.stride else { unreachable!("rows in groups are found by bits") };
            let agrees = scale == stride;
            debug_assert!(agrees || (base, scale) == (0, 1), "a list serves all its readers");
            let away = match rows.first {
                First::In(register) if agrees && base != 0 => {
                    let base = self.code.constant(base.into());
                    Some(self.code.def_x(Op::Sub, &[register.into(), base.into()]))
                }
                First::In(register) => Some(register),
                First::At(address) => {
                    let away = i64::from(address) - if agrees { i64::from(base) } else { 0 };
                    (away != 0).then(|| self.code.constant(away))
                }
            };
            ways.push((self.scale(if agrees { 1 } else { stride }), away));
        }
        let head = self.code.label();
        self.code.bind_turns(head, Turns::Spike);
        let entry = self.code.def_x(Op::Lw, &[0.into(), next.into()]);
        self.code.advance(next, 4);
        let mut places = Vec::new();
        for (scale, away) in ways {
            let mut place = self.scaled(entry, scale);
            if let Some(away) = away {
                place = self.code.def_x(Op::Add, &[place.into(), away.into()]);
            }
            places.push(place);
        }
        body(self, &places);
        self.code.emit(Op::Bne, &[next.into(), end.into(), head.into()]);
    }

    fn scale(&mut self, stride: u32) -> Scale {
        match stride {
            1 => Scale::One,
            _ if stride.is_power_of_two() => Scale::Shift(stride.trailing_zeros().into()),
            _ => Scale::Multiply(self.code.constant(stride.into())),
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

/// Registers for the places of the neurons of a word of spikes.
#[derive(Clone, Copy)]
struct WordPlaces {
    /// See [`Rows::first`].
    first: Reg,
    /// The place of the word's first neuron.
    of_word: Reg,
    /// How bytes from the first word become bytes of places, unless grouped.
    word_scale: Scale,
    /// How a neuron's number in its word becomes bytes.
    scale: Scale,
    group: Option<Group>,
}

/// Of [`Stride::Grouped`].
#[derive(Clone, Copy)]
struct Group {
    /// Of spikes in a group.
    words: u32,
    /// Bytes from place to place.
    stride: Reg,
}

/// How a neuron's number becomes its row's offset.
#[derive(Clone, Copy)]
enum Scale {
    One,
    Shift(i64),
    Multiply(Reg),
}
