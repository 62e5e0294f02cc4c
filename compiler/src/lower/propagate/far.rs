//! Rows in DRAM: while a row is added, the next spike's row is on its way.
//!
//! There are two buffers in vector memory. When the loop has found a spike, the engine, which has brought the row of the spike
//! before, is started for the new one, into the other buffer; then the row before is added. The last row is added behind the
//! loop, by the same code. The engine is idle before and after. A loop may be gone through several times, with spikes and rows of its
//! own each time, before that last row is added ([`Stream`]): so a row comes while the next spikes are looked for.
//!
//! Transfers cannot fail: their addresses and lengths are the placement's. Rows without synapses are not brought.

use fenn_isa::Op;
use fenn_isa::code::Label;
use fenn_isa::csr::{Register, dma_status};
use fenn_isa::memory::VECTOR_BYTES;

use super::super::lanes::Pointers;
use super::super::spikes::Open;
use super::dense::{Chunk, Sums, alike, chunks};
use super::sparse::Adder;
use super::{First, Lowering, Rows, Spikes, Stride};
use crate::ir::{Arg, Reg, Turns};
use crate::place::{Bundle, Delayed, Dense, SharedRows, SparseRows};

/// What the engine is doing.
struct Far {
    /// The buffer that the next row goes into; from when that has been started until the next one is, the buffer of the
    /// row that is being added.
    buffer: Reg,
    /// What makes one buffer's address the other's, by exclusive or.
    flip: Reg,
    /// Not 0 while a row is on its way: its bytes, where rows differ in length.
    coming: Reg,
}

/// Where the code of a loop goes on.
#[derive(Clone, Copy)]
struct Labels {
    adding: Label,
    wait: Label,
    start: Label,
    done: Label,
}

/// Sparse rows that a loop brings which is gone through several times.
pub(super) struct Stream {
    adder: Adder,
    far: Far,
    /// Where the row that is being added ends.
    end: Reg,
    labels: Labels,
}

/// The rows of a loop.
enum Lengths {
    /// All are as long; the engine knows it already.
    Equal,
    /// They differ, and the one that is being added ends at the register.
    Differ {
        /// Holds an address.
        end: Reg,
    },
    /// All are as long, and belong to blocks that a table names.
    Placed {
        /// The first block of the row that is being added.
        block: Reg,
        /// The first block of the row that is on its way.
        coming: Reg,
    },
}

impl Lowering<'_> {
    /// Sparse rows, found at `places`: by a table of their starts, or in groups.
    pub(super) fn far_sparse(&mut self, rows: &SparseRows, spikes: Spikes, places: Rows) {
        if rows.longest == 0 {
            return;
        }
        let none = self.code.label();
        let open = self.open_spikes(spikes, true, none);
        let stream = self.stream(rows);
        self.stream_opened(&stream, rows, open, places);
        self.end_stream(&stream);
        self.code.bind(none);
    }

    /// Prepares for sparse rows of several loops.
    pub(super) fn stream(&mut self, rows: &SparseRows) -> Stream {
        let (adder, far, end, labels) = (self.adder(rows), self.far(), self.code.x(), self.far_labels());
        Stream { adder, far, end, labels }
    }

    /// The loop, of which there is one in the code; the row of its last spike is still to be added. There is more than one word of
    /// spikes.
    pub(super) fn stream_spikes(&mut self, stream: &Stream, rows: &SparseRows, spikes: Spikes, places: Rows) {
        let none = self.code.label();
        let open = self.open_spikes(spikes, true, none);
        self.stream_opened(stream, rows, open, places);
        self.code.bind(none);
    }

    fn stream_opened(&mut self, stream: &Stream, rows: &SparseRows, open: Open, places: Rows) {
        let Stream { adder, far, end, labels } = stream;
        let add = |lowering: &mut Self| lowering.add_sparse_row(adder, far.buffer, *end);
        let bytes = rows.mean() * f64::from(rows.format.unit_bytes());
        self.far_spikes(far, open, (places, bytes), &Lengths::Differ { end: *end }, *labels, add);
    }

    /// Adds the row of the last spike.
    pub(super) fn end_stream(&mut self, stream: &Stream) {
        self.far_end(&stream.far, &Lengths::Differ { end: stream.end }, stream.labels);
    }

    /// Dense rows, chunk by chunk. Where code is short, several chunks that are alike are a loop.
    pub(super) fn far_dense(&mut self, bundle: &Bundle, rows: &Dense) {
        /// Fewer are not worth a loop.
        const SEVERAL: usize = 3;
        let chunks = chunks(rows, super::dense::CHUNK);
        let mut done = 0;
        while done < chunks.len() {
            let left = &chunks[done..];
            let alike = if self.limits.rolled { alike(left) } else { 1 };
            if alike >= SEVERAL {
                self.far_chunks(bundle, rows, &left[..alike]);
                done += alike;
                continue;
            }
            let chunk = &left[0];
            let spikes = self.spikes_of(bundle);
            let none = self.code.label();
            let open = self.open_spikes(spikes, left.len() == 1, none);
            let sums = self.load_sums(chunk);
            self.far_chunk(open, rows, First::At(rows.address + chunk.first), chunk.bytes(), &sums);
            self.code.bind(none);
            done += 1;
        }
    }

    /// Chunks that are alike, one after the other.
    fn far_chunks(&mut self, bundle: &Bundle, rows: &Dense, chunks: &[Chunk]) {
        let (chunk, turns) = (&chunks[0], chunks.len() as u32);
        let mut pointers = Pointers::default();
        let places = self.places(chunk, &mut pointers);
        let blocks = chunk.bytes() / VECTOR_BYTES;
        let step = pointers.lane_step(self, blocks);
        let first = self.code.constant((rows.address + chunk.first).into());
        let left = self.code.constant(turns.into());
        let head = self.code.label();
        self.code.bind_turns(head, Turns::Times(turns));
        let spikes = self.spikes_of(bundle);
        let none = self.code.label();
        // A list is walked along once for each chunk.
        let open = self.open_spikes(spikes, false, none);
        let sums = self.load_places(&places);
        self.far_chunk(open, rows, First::In(first), chunk.bytes(), &sums);
        self.code.bind(none);
        pointers.advance(&mut self.code, step);
        self.code.advance(first, chunk.bytes().into());
        self.code.advance(left, -1);
        self.code.emit(Op::Bne, &[left.into(), Arg::Zero, head.into()]);
    }

    /// Adds a chunk of every spike's row, of which neuron 0's is at `first`.
    fn far_chunk(&mut self, open: Open, rows: &Dense, first: First, bytes: u32, sums: &Sums) {
        let far = self.far();
        self.set_length(bytes);
        let pieces = Rows { first, stride: Stride::Bytes(rows.row_bytes) };
        let add = |lowering: &mut Self| lowering.add_row(sums, far.buffer);
        self.far_loop(&far, open, (pieces, bytes.into()), &Lengths::Equal, add);
        self.store_sums(sums);
    }

    /// Rows with delays.
    pub(super) fn far_delayed(&mut self, bundle: &Bundle, rows: &Delayed) {
        let spikes = self.spikes_of(bundle);
        let none = self.code.label();
        let open = self.open_spikes(spikes, true, none);
        let adder = self.delayed_adder(rows);
        let far = self.far();
        self.set_length(rows.row_bytes());
        let places = Rows { first: First::At(rows.address), stride: Stride::Bytes(rows.row_bytes()) };
        let add = |lowering: &mut Self| lowering.add_delayed_row(&adder, far.buffer);
        self.far_loop(&far, open, (places, rows.row_bytes().into()), &Lengths::Equal, add);
        self.code.bind(none);
    }

    /// Shared rows.
    pub(super) fn far_shared(&mut self, bundle: &Bundle, rows: &SharedRows) {
        let spikes = self.spikes_of(bundle);
        let none = self.code.label();
        let open = self.open_spikes(spikes, true, none);
        let far = self.far();
        self.set_length(rows.row_bytes());
        let (block, coming) = (self.code.x(), self.code.constant(0));
        let places = Rows { first: First::At(rows.table), stride: Stride::Bytes(SharedRows::ENTRY) };
        let add = |lowering: &mut Self| lowering.add_shared_row(rows, far.buffer, block);
        self.far_loop(&far, open, (places, rows.row_bytes().into()), &Lengths::Placed { block, coming }, add);
        self.code.bind(none);
    }

    fn far(&mut self) -> Far {
        let [first, second] = self.placement.buffers;
        let buffer = self.code.constant(first.into());
        let flip = self.code.constant((first ^ second).into());
        Far { buffer, flip, coming: self.code.constant(0) }
    }

    fn set_length(&mut self, bytes: u32) {
        let bytes = self.code.constant(bytes.into());
        self.write_csr(Register::Mm2sCount, bytes);
    }

    fn far_labels(&mut self) -> Labels {
        let [adding, wait, start, done] = [(); 4].map(|()| self.code.label());
        Labels { adding, wait, start, done }
    }

    /// `rows` are the rows themselves, or where their starts are if they differ in length, and a row's bytes on average; `add` adds
    /// the row in the buffer.
    fn far_loop(&mut self, far: &Far, open: Open, rows: (Rows, f64), lengths: &Lengths, add: impl FnOnce(&mut Self)) {
        let labels = self.far_labels();
        self.far_spikes(far, open, rows, lengths, labels, add);
        self.far_end(far, lengths, labels);
    }

    /// The loop over spikes.
    fn far_spikes(
        &mut self,
        far: &Far,
        open: Open,
        (rows, mean): (Rows, f64),
        lengths: &Lengths,
        Labels { adding, wait, start, done }: Labels,
        add: impl FnOnce(&mut Self),
    ) {
        self.for_each_spike(open, &[rows], true, |lowering, places| {
            let next_spike = lowering.code.label();
            let mut first = None;
            let (row, bytes) = match lengths {
                Lengths::Equal => (places[0], None),
                Lengths::Placed { .. } => {
                    let (row, block) = lowering.shared_row_of(places[0]);
                    first = Some(block);
                    (row, None)
                }
                Lengths::Differ { .. } if matches!(rows.stride, Stride::Grouped(_)) => (places[0], Some(places[1])),
                Lengths::Differ { .. } => {
                    let (start, end) = lowering.row_of(places[0]);
                    (start, Some(lowering.code.def_x(Op::Sub, &[end.into(), start.into()])))
                }
            };
            let idle = lowering.idle();
            if let Some(bytes) = bytes {
                lowering.code.emit(Op::Beq, &[bytes.into(), Arg::Zero, next_spike.into()]);
            }
            // Seldom: adding a row takes about as long as bringing one.
            lowering.code.emit(Op::Beq, &[idle.into(), Arg::Zero, wait.into()]);
            lowering.code.bind_turns(start, Turns::Brings(mean));
            lowering.write_csr(Register::Mm2sSrcAddr, row);
            lowering.write_csr(Register::Mm2sDstAddr, far.buffer);
            if let Some(bytes) = bytes {
                lowering.write_csr(Register::Mm2sCount, bytes);
            }
            let control = i64::from(Register::Mm2sControl.spec().address);
            lowering.code.emit(Op::Csrrwi, &[Arg::Zero, control.into(), 1.into()]);
            lowering.turn(far, lengths);
            let code = &mut lowering.code;
            if let (Lengths::Placed { coming, .. }, Some(first)) = (lengths, first) {
                code.emit(Op::Addi, &[(*coming).into(), first.into(), 0.into()]);
            }
            match bytes {
                // At first a row of no bytes is added.
                Some(bytes) => code.emit(Op::Addi, &[far.coming.into(), bytes.into(), 0.into()]),
                None => {
                    let before = code.def_x(Op::Addi, &[far.coming.into(), 0.into()]);
                    code.emit(Op::Addi, &[far.coming.into(), Arg::Zero, 1.into()]);
                    code.emit(Op::Beq, &[before.into(), Arg::Zero, next_spike.into()]);
                }
            }
            code.bind(adding);
            add(lowering);
            let code = &mut lowering.code;
            code.emit(Op::Beq, &[far.coming.into(), Arg::Zero, done.into()]);
            code.bind(next_spike);
        });
    }

    /// The last row, if there was any.
    fn far_end(&mut self, far: &Far, lengths: &Lengths, Labels { adding, wait, start, done }: Labels) {
        self.code.emit(Op::Beq, &[far.coming.into(), Arg::Zero, done.into()]);
        self.turn(far, lengths);
        self.code.emit(Op::Addi, &[far.coming.into(), Arg::Zero, 0.into()]);
        let arriving = self.code.label();
        self.wait_in(arriving);
        self.code.jump(adding);
        self.wait_in(wait);
        self.code.jump(start);
        self.code.bind(done);
    }

    /// The buffer of the row that has arrived, and the end of that.
    fn turn(&mut self, far: &Far, lengths: &Lengths) {
        self.code.emit(Op::Xor, &[far.buffer.into(), far.buffer.into(), far.flip.into()]);
        match lengths {
            Lengths::Equal => {}
            Lengths::Differ { end } => {
                self.code.emit(Op::Add, &[(*end).into(), far.buffer.into(), far.coming.into()]);
            }
            Lengths::Placed { block, coming } => {
                self.code.emit(Op::Addi, &[(*block).into(), (*coming).into(), 0.into()]);
            }
        }
    }

    /// A loop at `label` until the engine is idle.
    fn wait_in(&mut self, label: Label) {
        self.code.bind(label);
        let idle = self.idle();
        self.code.emit(Op::Beq, &[idle.into(), Arg::Zero, label.into()]);
    }

    /// Not 0 if the engine is idle.
    fn idle(&mut self) -> Reg {
        let status = i64::from(Register::Mm2sStatus.spec().address);
        let status = self.code.def_x(Op::Csrrs, &[status.into(), Arg::Zero]);
        self.code.def_x(Op::Andi, &[status.into(), i64::from(dma_status::IDLE).into()])
    }

    fn write_csr(&mut self, csr: Register, value: Reg) {
        self.code.emit(Op::Csrrw, &[Arg::Zero, i64::from(csr.spec().address).into(), value.into()]);
    }
}
