//! Sparse rows: synapses with the addresses of their targets in lane-local memory.
//!
//! A row of up to [`UNROLLED`] vectors is one pass through straight code, entered so far from its end as the row is long: the
//! pass has one *unit* of instructions for each vector, all of the same length, and the way in is a computed jump. In each
//! unit the next vector is loaded while the present one's sums are on their way, so that nothing waits; the sums of a vector
//! are stored before the next one's are loaded, since a target may occur again. Longer rows go through the code several times.
//!
//! | rows | unit | instructions for 32 synapses |
//! |---|---|---|
//! | constant | `vloadl` sum, `vloadv` next, `vadd`, `vstorel` | 4 |
//! | split | and `vloadv` weights | 5 |
//! | packed | and `vandadd` address, `vsrai` weights | 6 |
//! | rings | and `vadd` or `vandadd` time, `vand` | 7 |

use fenn_isa::Op;
use fenn_isa::memory::VECTOR_BYTES;
use fenn_isa::operand::OperandKind;

use super::Lowering;
use crate::ir::{Arg, ROWS, Reg, Targets, Turns};
use crate::place::{RowFormat, SparseRows};

/// Vectors of a row that the straight code adds at once: even, and as many as immediates reach of split rows.
const UNROLLED: u32 = 16;

/// Registers that the addition of sparse rows keeps from spike to spike.
pub(super) struct Adder {
    format: RowFormat,
    add: Op,
    /// To be added to addresses in the rows.
    base: i64,
    /// Units that are laid out.
    units: u32,
    /// Vectors of a row, on average.
    mean: f64,
    /// Whether rows may be longer than that.
    long: bool,
    /// The upper part of the address of the code's end.
    upper: Reg,
    end: fenn_isa::code::Label,
    /// The sums of a vector.
    sum: Reg,
    /// Vectors of a row, by turns.
    loaded: [Reg; 2],
    weights: Reg,
    /// Addresses, where a row does not hold them as they are.
    address: Reg,
    /// Bytes that long rows go on by, if no immediate holds them.
    step: Option<Reg>,
    ring: Option<RingRegisters>,
}

/// What makes a ring's address of that in a row.
struct RingRegisters {
    /// Bytes the ring has turned.
    time: Reg,
    /// The same in all lanes.
    times: Option<Reg>,
    /// A ring's bytes less 1.
    mask: Reg,
    /// Where the ring begins, if no immediate reaches it.
    base: Option<Reg>,
}

impl Lowering<'_> {
    /// Prepares for a scan.
    pub(super) fn adder(&mut self, rows: &SparseRows) -> Adder {
        let end = self.code.label();
        let upper = self.code.upper(end);
        let loaded = [self.code.v(), self.code.v()];
        let weights = match rows.format {
            RowFormat::Constant(code) => self.code.def_v(Op::VLui, &[i64::from(code).into()]),
            RowFormat::Split | RowFormat::Packed { .. } => self.code.v(),
        };
        let mut base = i64::from(rows.base);
        let reachable = OperandKind::Imm12.range().contains(&base);
        let ring = rows.ring.map(|ring| {
            let (place, time) = (self.placement.rings[ring], self.step.rings[ring]);
            let times = matches!(rows.format, RowFormat::Split).then(|| self.code.def_v(Op::VFill, &[time.into()]));
            let mask = self.code.def_v(Op::VLui, &[i64::from(place.bytes - 1).into()]);
            let base = (!reachable).then(|| self.code.def_v(Op::VLui, &[base.into()]));
            RingRegisters { time, times, mask, base }
        });
        if !reachable {
            base = 0;
        }
        let (units, long) = (rows.longest.min(UNROLLED), rows.longest > UNROLLED);
        let add = if rows.saturating { Op::VAddS } else { Op::VAdd };
        let [sum, address] = [self.code.v(), self.code.v()];
        let whole = i64::from(UNROLLED * rows.format.unit_bytes());
        let step = (long && !OperandKind::Imm12.range().contains(&whole)).then(|| self.code.constant(whole));
        let mean = rows.mean();
        Adder {
            format: rows.format,
            add,
            base,
            units,
            mean,
            long,
            upper,
            end,
            sum,
            loaded,
            weights,
            address,
            step,
            ring,
        }
    }

    /// The start and the end of the row whose place in the table is at `entry`.
    pub(super) fn row_of(&mut self, entry: Reg) -> (Reg, Reg) {
        let start = self.code.def_x(Op::Lw, &[0.into(), entry.into()]);
        let end = self.code.def_x(Op::Lw, &[4.into(), entry.into()]);
        (start, end)
    }

    /// Adds the row of vector memory from `start` to `end`.
    pub(super) fn add_sparse_row(&mut self, adder: &Adder, start: Reg, end: Reg) {
        let unit_bytes = i64::from(adder.format.unit_bytes());
        let whole = i64::from(UNROLLED) * unit_bytes;
        let [even, odd] = adder.loaded;
        self.code.emit(Op::VLoadV, &[even.into(), 0.into(), start.into()]);
        self.code.within(ROWS);
        let mut bytes = self.code.def_x(Op::Sub, &[end.into(), start.into()]);
        // Where the present pass ends.
        let mut until = end;
        if adder.long {
            bytes = self.code.def_x(Op::Andi, &[bytes.into(), (whole - 1).into()]);
            until = self.code.def_x(Op::Add, &[start.into(), bytes.into()]);
        }
        let entry = self.entry(adder, bytes);
        self.code.emit(Op::VLoadV, &[odd.into(), 0.into(), start.into()]);
        self.code.within(ROWS);
        let labels: Vec<_> = (0..adder.units).map(|_| self.code.label()).collect();
        let spacing = Some(4 * adder.instructions());
        let targets = Targets { labels: labels.iter().copied().chain([adder.end]).collect(), spacing };
        self.code.computed_jump(entry, Arg::Lower(adder.end), targets);
        if let Some(first) = labels.first() {
            self.code.turns.insert(*first, Turns::Units(adder.mean));
        }
        for (label, left) in labels.iter().zip((1..=adder.units).rev()) {
            self.code.bind(*label);
            self.unit(adder, until, left);
        }
        self.code.bind(adder.end);
        if adder.long {
            match adder.step {
                Some(step) => self.code.emit(Op::Add, &[until.into(), until.into(), step.into()]),
                None => self.code.advance(until, whole),
            }
            self.code.emit(Op::Bgeu, &[end.into(), until.into(), labels[0].into()]);
        }
    }

    /// The register that the jump to the code for so many bytes of a row is based on: `upper` less the bytes of code.
    fn entry(&mut self, adder: &Adder, bytes: Reg) -> Reg {
        // Code per byte of a row: 4·instructions over the bytes of a unit, as a sum or difference of powers of two.
        let unit = adder.format.unit_bytes().trailing_zeros();
        let shifts: &[(bool, u32)] = match adder.instructions() {
            4 => &[(true, 4)],
            5 => &[(true, 4), (true, 2)],
            6 => &[(true, 4), (true, 3)],
            7 => &[(true, 5), (false, 2)],
            _ => &[(true, 5)],
        };
        let parts: Vec<(bool, Reg)> = shifts
            .iter()
            .map(|(plus, power)| {
                let amount = i64::from(unit - power);
                (*plus, self.code.def_x(Op::Srli, &[bytes.into(), amount.into()]))
            })
            .collect();
        parts.into_iter().fold(adder.upper, |entry, (plus, part)| {
            let op = if plus { Op::Sub } else { Op::Add };
            self.code.def_x(op, &[entry.into(), part.into()])
        })
    }

    /// Adds the vector that is `left` before `until`, and loads the one behind it.
    fn unit(&mut self, adder: &Adder, until: Reg, left: u32) {
        let unit_bytes = i64::from(adder.format.unit_bytes());
        let at = -unit_bytes * i64::from(left);
        let present = adder.loaded[left as usize % 2];
        let next = adder.loaded[(left as usize + 1) % 2];
        let Adder { sum, weights, base, add, .. } = *adder;
        let code = &mut self.code;
        let load_next = [next.into(), (at + unit_bytes).into(), until.into()];
        let load_weights = [weights.into(), (at + i64::from(VECTOR_BYTES)).into(), until.into()];
        let mut address = present;
        match (adder.format, &adder.ring) {
            (RowFormat::Constant(_), _) => {
                code.emit(Op::VLoadL, &[sum.into(), base.into(), address.into()]);
                code.fresh();
                code.emit(Op::VLoadV, &load_next);
                code.within(ROWS);
            }
            (RowFormat::Split, None) => {
                code.emit(Op::VLoadL, &[sum.into(), base.into(), address.into()]);
                code.fresh();
                code.emit(Op::VLoadV, &load_weights);
                code.within(ROWS);
                code.emit(Op::VLoadV, &load_next);
                code.within(ROWS);
            }
            (RowFormat::Split, Some(ring)) => {
                address = adder.address;
                let times = ring.times.unwrap_or(ring.mask);
                code.emit(Op::VAdd, &[address.into(), present.into(), times.into()]);
                code.emit(Op::VLoadV, &load_weights);
                code.within(ROWS);
                code.emit(Op::VAnd, &[address.into(), address.into(), ring.mask.into()]);
                if let Some(base) = ring.base {
                    code.emit(Op::VAdd, &[address.into(), address.into(), base.into()]);
                }
                code.emit(Op::VLoadL, &[sum.into(), base.into(), address.into()]);
                code.fresh();
                code.emit(Op::VLoadV, &load_next);
                code.within(ROWS);
            }
            (RowFormat::Packed { bits }, ring) => {
                let bits = i64::from(bits);
                let time = ring.as_ref().map_or(Arg::Zero, |ring| ring.time.into());
                address = adder.address;
                code.emit(Op::VAndAdd, &[address.into(), present.into(), time, bits.into()]);
                code.emit(Op::VLoadV, &load_next);
                code.within(ROWS);
                if let Some(ring) = ring {
                    code.emit(Op::VAnd, &[address.into(), address.into(), ring.mask.into()]);
                    if let Some(base) = ring.base {
                        code.emit(Op::VAdd, &[address.into(), address.into(), base.into()]);
                    }
                }
                code.emit(Op::VLoadL, &[sum.into(), base.into(), address.into()]);
                code.fresh();
                code.emit(Op::VSrai, &[weights.into(), present.into(), bits.into()]);
            }
        }
        code.emit(add, &[sum.into(), sum.into(), weights.into()]);
        code.emit(Op::VStoreL, &[sum.into(), base.into(), address.into()]);
    }
}

impl Adder {
    /// Of a unit.
    fn instructions(&self) -> u32 {
        match (self.format, &self.ring) {
            (_, Some(ring)) => 7 + u32::from(ring.base.is_some()),
            (RowFormat::Constant(_), None) => 4,
            (RowFormat::Split, None) => 5,
            (RowFormat::Packed { .. }, None) => 6,
        }
    }
}
