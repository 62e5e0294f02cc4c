//! Rows in DRAM: while a row is added, the next spike's row is on its way.
//!
//! There are two buffers in vector memory. When the scan has found a spike, the engine, which has brought the row of the spike
//! before, is started for the new one, into the other buffer; then the row before is added. The last row is added behind the
//! scan, by the same code. The engine is idle before and after.
//!
//! Transfers cannot fail: their addresses and lengths are the placement's. Rows without synapses are not brought.

use fenn_isa::Op;
use fenn_isa::csr::{Register, dma_status};

use super::super::spikes::Open;
use super::dense::chunks;
use super::{First, Lowering, Rows, Spikes};
use crate::ir::{Arg, Reg};
use crate::place::{Bundle, Delayed, Dense, SparseRows};

/// What the engine is doing.
struct Far {
    /// The buffer the next row goes into.
    next: Reg,
    /// What makes one buffer's address the other's, by exclusive or.
    flip: Reg,
    /// 1 while a row is on its way or waits to be added.
    pending: Reg,
    /// The row that is being added.
    row: Reg,
}

impl Lowering<'_> {
    /// Sparse rows, with the table of their starts at `table`.
    pub(super) fn far_sparse(&mut self, rows: &SparseRows, spikes: Spikes, table: First) {
        if rows.longest == 0 {
            return;
        }
        let none = self.code.label();
        let open = self.open_spikes(spikes, true, none);
        let adder = self.adder(rows);
        let far = self.far();
        // Bytes of the row that is on its way, and the end of the one that is being added.
        let coming = self.code.constant(0);
        let end = self.code.x();
        let starts = Rows { first: table, stride: 4 };
        self.far_scan(
            &far,
            open,
            starts,
            |lowering, entry| {
                let (start, behind) = lowering.row_of(entry);
                let bytes = lowering.code.def_x(Op::Sub, &[behind.into(), start.into()]);
                (start, Some(bytes))
            },
            |lowering, started| {
                lowering.code.emit(Op::Add, &[end.into(), far.row.into(), coming.into()]);
                if let Some(bytes) = started {
                    lowering.code.emit(Op::Addi, &[coming.into(), bytes.into(), 0.into()]);
                }
            },
            |lowering| lowering.add_sparse_row(&adder, far.row, end),
        );
        self.code.bind(none);
    }

    /// Dense rows, chunk by chunk.
    pub(super) fn far_dense(&mut self, bundle: &Bundle, rows: &Dense) {
        let mut chunks = chunks(rows, super::dense::CHUNK).into_iter().peekable();
        while let Some(chunk) = chunks.next() {
            let spikes = self.spikes_of(bundle);
            let none = self.code.label();
            let last = chunks.peek().is_none();
            let open = self.open_spikes(spikes, last, none);
            let sums = self.load_sums(&chunk);
            let far = self.far();
            let bytes = self.code.constant(chunk.bytes().into());
            self.write_csr(Register::Mm2sCount, bytes);
            let pieces = Rows { first: First::At(rows.address + chunk.first), stride: rows.row_bytes };
            self.far_scan(
                &far,
                open,
                pieces,
                |_, row| (row, None),
                |_, _| {},
                |lowering| lowering.add_row(&sums, far.row),
            );
            self.store_sums(&sums);
            self.code.bind(none);
        }
    }

    /// Rows with delays.
    pub(super) fn far_delayed(&mut self, bundle: &Bundle, rows: &Delayed) {
        let spikes = self.spikes_of(bundle);
        let none = self.code.label();
        let open = self.open_spikes(spikes, true, none);
        let adder = self.delayed_adder(rows);
        let far = self.far();
        let bytes = self.code.constant(rows.row_bytes().into());
        self.write_csr(Register::Mm2sCount, bytes);
        let places = Rows { first: First::At(rows.address), stride: rows.row_bytes() };
        let add = |lowering: &mut Self| lowering.add_delayed_row(&adder, far.row);
        self.far_scan(&far, open, places, |_, row| (row, None), |_, _| {}, add);
        self.code.bind(none);
    }

    fn far(&mut self) -> Far {
        let [first, second] = self.placement.buffers;
        let next = self.code.constant(first.into());
        let flip = self.code.constant((first ^ second).into());
        Far { next, flip, pending: self.code.constant(0), row: self.code.x() }
    }

    /// `find` says where a spike's row is, and how many bytes it has if that is not known before the scan; `turn` is told that
    /// a row has arrived and how many bytes the next one has, of which there may be none; `add` adds the row in the buffer.
    fn far_scan(
        &mut self,
        far: &Far,
        open: Open,
        rows: Rows,
        find: impl FnOnce(&mut Self, Reg) -> (Reg, Option<Reg>),
        turn: impl Fn(&mut Self, Option<Reg>),
        add: impl FnOnce(&mut Self),
    ) {
        let (adding, done) = (self.code.label(), self.code.label());
        self.for_each_spike(open, &[rows], true, |lowering, at| {
            let next_spike = lowering.code.label();
            let (start, length) = find(lowering, at[0]);
            if let Some(bytes) = length {
                lowering.code.emit(Op::Beq, &[bytes.into(), Arg::Zero, next_spike.into()]);
            }
            lowering.wait_for_row();
            lowering.write_csr(Register::Mm2sSrcAddr, start);
            lowering.write_csr(Register::Mm2sDstAddr, far.next);
            if let Some(bytes) = length {
                lowering.write_csr(Register::Mm2sCount, bytes);
            }
            let control = i64::from(Register::Mm2sControl.spec().address);
            lowering.code.emit(Op::Csrrwi, &[Arg::Zero, control.into(), 1.into()]);
            let code = &mut lowering.code;
            code.emit(Op::Xor, &[far.next.into(), far.next.into(), far.flip.into()]);
            // The row before has arrived in the buffer that the next row is to go into.
            code.emit(Op::Addi, &[far.row.into(), far.next.into(), 0.into()]);
            turn(lowering, length);
            let code = &mut lowering.code;
            let before = code.def_x(Op::Addi, &[far.pending.into(), 0.into()]);
            code.emit(Op::Addi, &[far.pending.into(), Arg::Zero, 1.into()]);
            code.emit(Op::Beq, &[before.into(), Arg::Zero, next_spike.into()]);
            code.bind(adding);
            add(lowering);
            let code = &mut lowering.code;
            code.emit(Op::Beq, &[far.pending.into(), Arg::Zero, done.into()]);
            code.bind(next_spike);
        });
        let code = &mut self.code;
        code.emit(Op::Beq, &[far.pending.into(), Arg::Zero, done.into()]);
        code.emit(Op::Addi, &[far.pending.into(), Arg::Zero, 0.into()]);
        code.emit(Op::Xor, &[far.row.into(), far.next.into(), far.flip.into()]);
        turn(self, None);
        self.wait_for_row();
        self.code.jump(adding);
        self.code.bind(done);
    }

    /// Until the engine is idle.
    fn wait_for_row(&mut self) {
        let poll = self.code.label();
        self.code.bind(poll);
        let status = i64::from(Register::Mm2sStatus.spec().address);
        let status = self.code.def_x(Op::Csrrs, &[status.into(), Arg::Zero]);
        let idle = self.code.def_x(Op::Andi, &[status.into(), i64::from(dma_status::IDLE).into()]);
        self.code.emit(Op::Beq, &[idle.into(), Arg::Zero, poll.into()]);
    }

    fn write_csr(&mut self, csr: Register, value: Reg) {
        self.code.emit(Op::Csrrw, &[Arg::Zero, i64::from(csr.spec().address).into(), value.into()]);
    }
}
