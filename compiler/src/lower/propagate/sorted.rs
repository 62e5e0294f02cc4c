//! Rows sorted by delay: for each delay, the longest first, the spikes of so many steps ago and their rows for that delay.

use fenn_isa::Op;
use fenn_isa::memory::Space;

use super::{Address, First, Lowering, Rows, Spikes};
use crate::ir::{Arg, Reg};
use crate::network::Source;
use crate::place::{Bundle, Slots, SparseRows};

impl Lowering<'_> {
    pub(super) fn sorted(&mut self, bundle: &Bundle, rows: &SparseRows) {
        if rows.longest == 0 {
            return;
        }
        let sources = self.network.source_size(bundle.source);
        let count = rows.sorted.len() as u32;
        let table = self.code.constant(rows.table.into());
        // Behind the starts of all rows, how far back each delay's slot is.
        let delay = self.code.constant(i64::from(rows.table + 4 * (count * sources + 1)));
        let last = self.plus(delay, i64::from(4 * count));
        let head = self.code.label();
        self.code.bind(head);
        let back = self.code.def_x(Op::Lw, &[0.into(), delay.into()]);
        let Some(spikes) = self.spikes_back(bundle, back) else { return };
        if rows.space == Space::Dram {
            self.far_sparse(rows, spikes, First::In(table));
        } else {
            let none = self.code.label();
            let open = self.open_spikes(spikes, true, none);
            let adder = self.adder(rows);
            let starts = Rows { first: First::In(table), stride: 4 };
            self.for_each_spike(open, &[starts], false, |lowering, places| {
                let (start, end) = lowering.row_of(places[0]);
                lowering.add_sparse_row(&adder, start, end);
            });
            self.code.bind(none);
        }
        self.code.advance(table, i64::from(4 * sources));
        self.code.advance(delay, 4);
        self.code.emit(Op::Bne, &[delay.into(), last.into(), head.into()]);
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
