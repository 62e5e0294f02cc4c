//! Rows sorted by delay: for each delay, the longest first, the spikes of so many steps ago and their rows for that delay.
//!
//! The same spikes are looked at once for each delay, so that it pays to mark once which of their words are not 0 ([`Marks`]). Few
//! spikes have the same age, so that rows from DRAM come while those of the next delay are looked for.

use fenn_isa::Op;
use fenn_isa::memory::{LANES, Space};

use super::{Address, First, Lowering, Rows, Spikes, Stride};
use crate::ir::{Arg, Reg, Turns};
use crate::network::Source;
use crate::place::{Bundle, Marks, Slots, SparseRows};

impl Lowering<'_> {
    pub(super) fn sorted(&mut self, index: usize, bundle: &Bundle, rows: &SparseRows) {
        if rows.longest == 0 {
            return;
        }
        let marks = rows.marks.zip(self.step.marks[index]);
        if let Some((marks, latest)) = marks {
            self.mark_latest(bundle, marks, latest);
        }
        let sources = self.network.source_size(bundle.source);
        let count = rows.sorted.len() as u32;
        let table = self.code.constant(rows.table.into());
        // Behind the starts of all rows, how far back each delay's slot is.
        let (stride, of_delay, one_more) = match rows.grouped {
            Some(words) => (Stride::Grouped(words), sources.div_ceil(LANES as u32).div_ceil(words), 0),
            None => (Stride::Bytes(4), sources, 1),
        };
        let delay = self.code.constant(i64::from(rows.table + 4 * (count * of_delay + one_more)));
        let last = self.plus(delay, i64::from(8 * count));
        // With a single word of spikes, the code is jumped over where there are none, and nothing may be left for later.
        let stream = (rows.space == Space::Dram && sources > LANES as u32).then(|| self.stream(rows));
        let head = self.code.label();
        self.code.bind_turns(head, Turns::Times(count));
        let back = self.code.def_x(Op::Lw, &[0.into(), delay.into()]);
        let Some(mut spikes) = self.spikes_back(bundle, back) else { return };
        if let (Some((marks, latest)), Spikes::Bits { at, .. }) = (marks, spikes) {
            let back = self.code.def_x(Op::Lw, &[4.into(), delay.into()]);
            let offset = self.code.def_x(Op::Sub, &[latest.into(), back.into()]);
            spikes = Spikes::Marked { at, marks: self.around(offset, &marks), words: marks.words };
        }
        let places = Rows { first: First::In(table), stride };
        if let Some(stream) = &stream {
            self.stream_spikes(stream, rows, spikes, places);
        } else if rows.space == Space::Dram {
            self.far_sparse(rows, spikes, places);
        } else {
            let none = self.code.label();
            let open = self.open_spikes(spikes, true, none);
            let adder = self.adder(rows);
            self.for_each_spike(open, &[places], false, |lowering, places| {
                let (start, end) = match places {
                    [start, bytes] => (*start, lowering.code.def_x(Op::Add, &[(*start).into(), (*bytes).into()])),
                    _ => lowering.row_of(places[0]),
                };
                lowering.add_sparse_row(&adder, start, end);
            });
            self.code.bind(none);
        }
        self.code.advance(table, i64::from(4 * of_delay));
        self.code.advance(delay, 8);
        self.code.emit(Op::Bne, &[delay.into(), last.into(), head.into()]);
        if let Some(stream) = stream {
            self.end_stream(&stream);
        }
    }

    /// Marks the latest spikes, in the slot behind that of those before.
    fn mark_latest(&mut self, bundle: &Bundle, marks: Marks, latest: Reg) {
        // The placement keeps those as bits.
        let Spikes::Bits { at, words } = self.spikes_of(bundle) else { return };
        self.code.advance(latest, marks.slot_bytes().into());
        let again = self.plus(latest, -i64::from(marks.slots * marks.slot_bytes()));
        // The lesser without sign: what is below 0 is very large.
        self.code.emit(Op::Minu, &[latest.into(), latest.into(), again.into()]);
        self.mark_words(at, words, Address { base: Some(latest), offset: marks.address.into() });
    }

    /// The slot of marks that is `offset` bytes behind the first one; less than none means as much before the end.
    fn around(&mut self, offset: Reg, marks: &Marks) -> Address {
        let again = self.plus(offset, i64::from(marks.slots * marks.slot_bytes()));
        let offset = self.code.def_x(Op::Minu, &[offset.into(), again.into()]);
        Address { base: Some(offset), offset: marks.address.into() }
    }

    /// The spikes `back` bytes before the latest ones.
    fn spikes_back(&mut self, bundle: &Bundle, back: Reg) -> Option<Spikes> {
        // The placement keeps those as bits.
        let Spikes::Bits { at: latest, words } = self.spikes_of(bundle) else { return None };
        let ring = match bundle.source {
            Source::Input(_) => None,
            Source::Events { population, event } => {
                let spikes = self.placement.populations[population].events[event];
                let latest = self.step.events[population][event];
                latest.filter(|_| matches!(spikes.slots, Slots::Ring { .. })).map(|latest| (latest, spikes))
            }
        };
        let at = match ring {
            Some((latest, spikes)) => {
                let offset = self.code.def_x(Op::Sub, &[latest.into(), back.into()]);
                self.in_ring(offset, &spikes)
            }
            None => self.moved_back(latest, back),
        };
        Some(Spikes::Bits { at, words })
    }

    fn moved_back(&mut self, address: Address, back: Reg) -> Address {
        match address.base {
            Some(base) => Address { base: Some(self.code.def_x(Op::Sub, &[base.into(), back.into()])), ..address },
            None => {
                let base = self.code.def_x(Op::Sub, &[Arg::Zero, back.into()]);
                Address { base: Some(base), ..address }
            }
        }
    }
}
