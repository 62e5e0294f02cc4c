//! Transfers of the DMA engine, in both directions, with and without waiting for them.
//!
//! Contract: a running transfer's two ends are touched by nobody, as the places of [`super`] say, and a channel's registers
//! are left alone between being set and the start.

use fenn_isa::Op;
use fenn_isa::code::Condition;
use fenn_isa::csr::{DMA_MAX_BYTES, Register};
use fenn_isa::memory::VECTOR_BYTES;
use rand::RngExt;

use super::maker::Maker;
use super::{DRAM, FREE, INNER, OWN, SCRATCH, VECTOR_BASE};

impl Maker {
    pub(super) fn transfer(&mut self) {
        match self.below(10) {
            0..4 => self.start(0),
            4..7 => self.start(1),
            7 => self.impossible(),
            8 => {
                let channel = self.below(2) as usize;
                self.wait(channel);
                self.look(channel);
            }
            _ => {
                self.wait(0);
                self.wait(1);
                self.read_back();
            }
        }
    }

    /// The registers of a channel: source, destination, count, control, status.
    fn channel(channel: usize) -> [Register; 5] {
        use Register::*;
        [
            [Mm2sSrcAddr, Mm2sDstAddr, Mm2sCount, Mm2sControl, Mm2sStatus],
            [S2mmSrcAddr, S2mmDstAddr, S2mmCount, S2mmControl, S2mmStatus],
        ][channel]
    }

    fn program_channel(&mut self, channel: usize, [source, destination, bytes]: [u32; 3]) {
        self.set_up = true;
        let registers = Self::channel(channel);
        for (register, value) in registers.into_iter().zip([source, destination, bytes]) {
            let rd = self.source.random_range(1..FREE);
            self.set(rd, value);
            self.write_csr(register, rd);
        }
        self.some(2);
        self.begin(channel);
    }

    fn begin(&mut self, channel: usize) {
        let control = i64::from(Self::channel(channel)[3].spec().address);
        if self.chance(50) {
            self.put(Op::Csrrwi, &[0, control, 1]);
        } else {
            let rd = self.source.random_range(1..FREE);
            let value = 1 | self.source.random::<u32>() << 12;
            self.set(rd, value);
            let op = self.of(&[Op::Csrrw, Op::Csrrs]);
            let old = self.of(&[0, 0, 3]);
            self.put(op, &[old, control, rd]);
        }
        self.busy[channel] = true;
    }

    pub(super) fn start(&mut self, channel: usize) {
        if self.chance(80) {
            self.wait(channel);
            if channel == 1 {
                self.prepare();
            }
        }
        let memory = self.configuration.memory;
        let most = if self.chance(15) { 40 } else { 4 };
        let rows = self.source.random_range(1..=most);
        let inside = |maker: &mut Self, bytes: u32| {
            let last = i64::from(bytes / VECTOR_BYTES - rows);
            // At the end, around a page's end, or anywhere.
            let row = match maker.below(4) {
                0 => last,
                1 => (64 - maker.below(i64::from(rows) + 1)).max(0).min(last),
                _ => maker.below(last + 1),
            };
            VECTOR_BYTES * row as u32
        };
        let vector = memory.vector_bytes / 4 * (1 + channel as u32) + inside(self, OWN);
        let half = memory.dram_bytes / 2;
        let bytes = rows * VECTOR_BYTES;
        let dram = if channel == 1 && self.chance(10) {
            memory.dram_bytes - bytes
        } else {
            (if channel == 0 { 0 } else { half }) + inside(self, DRAM)
        };
        self.program_channel(channel, if channel == 0 { [dram, vector, bytes] } else { [vector, dram, bytes] });
        match self.below(4) {
            0 => self.some(8),
            1 => self.wait(channel),
            2 => {
                // States on the way.
                let status = Self::channel(channel)[4];
                for _ in 0..self.source.random_range(3..16) {
                    let rd = self.source.random_range(1..FREE);
                    self.read_csr(rd, status);
                }
            }
            _ => {
                // Once more, which is dropped.
                self.some(3);
                if self.chance(30) {
                    self.begin(channel);
                }
            }
        }
        self.set_up = false;
    }

    /// Transfers that the engine refuses.
    fn impossible(&mut self) {
        let channel = self.below(2) as usize;
        self.wait(channel);
        let memory = self.configuration.memory;
        let (vector, dram) = (memory.vector_bytes, memory.dram_bytes);
        let mut good = [0, vector / 4 * (1 + channel as u32), 64];
        if channel == 1 {
            good.swap(0, 1);
            good[1] = dram / 2;
        }
        let place = self.below(3) as usize;
        let sizes = if channel == 0 { [dram, vector] } else { [vector, dram] };
        good[place] = match (self.below(3), place) {
            // Of no row, be it the core's or the simulator's.
            (0, _) => {
                let row = self.configuration.row_bytes();
                let odd: Vec<u32> =
                    [1_u32, 2, 4, 8, 16, 32, 33].into_iter().filter(|bytes| !bytes.is_multiple_of(row)).collect();
                good[place] + self.of(&odd)
            }
            (_, 2) => self.of(&[0, DMA_MAX_BYTES + 64, 1 << 20, 0x8000_0000, 0xffff_ffc0]),
            (1, _) => sizes[place],
            _ => self.of(&[0xffff_ffc0, 0x8000_0000, sizes[place] + 64]),
        };
        self.program_channel(channel, good);
        let status = Self::channel(channel)[4];
        for _ in 0..self.source.random_range(1..4) {
            let rd = self.source.random_range(1..FREE);
            self.read_csr(rd, status);
        }
        self.wait(channel);
        self.set_up = false;
    }

    pub(super) fn wait(&mut self, channel: usize) {
        if !self.busy[channel] {
            return;
        }
        let again = self.label();
        self.bind(again);
        self.read_csr(SCRATCH, Self::channel(channel)[4]);
        for _ in 0..self.below(3) {
            self.put(Op::Addi, &[INNER, INNER, 1]);
        }
        self.put(Op::Andi, &[SCRATCH, SCRATCH, 2]);
        self.branch(Condition::Eq, SCRATCH, 0, again);
        self.read_csr(SCRATCH, Self::channel(channel)[4]);
        self.busy[channel] = false;
    }

    /// Points the vector base into an area of the channels' and back.
    fn at_area(&mut self, area: u32, work: impl Fn(&mut Self)) {
        let base = self.configuration.memory.vector_bytes / 4 * area + 2048 + 64 * self.below(60) as u32;
        self.set(VECTOR_BASE, base);
        work(self);
        let base = 2048 + 64 * self.below(60) as u32;
        self.set(VECTOR_BASE, base);
    }

    /// Loads what has been transferred.
    pub(super) fn look(&mut self, channel: usize) {
        if channel == 0 && !self.busy[0] {
            self.at_area(1, |maker| {
                for _ in 0..=maker.below(4) {
                    let (vd, imm) = (maker.below(32), 64 * maker.source.random_range(-32..32));
                    maker.put(Op::VLoadV, &[vd, imm, VECTOR_BASE]);
                }
            });
        }
    }

    /// Stores what is to be transferred.
    fn prepare(&mut self) {
        if !self.busy[1] && self.chance(60) {
            self.at_area(2, |maker| {
                for _ in 0..=maker.below(4) {
                    let (vs2, imm) = (maker.v_source(), 64 * maker.source.random_range(-32..32));
                    maker.put(Op::VStore, &[vs2, imm, VECTOR_BASE]);
                }
            });
        }
    }

    /// Brings back into vector memory what was written to DRAM, and looks at it. Both channels are idle.
    fn read_back(&mut self) {
        let memory = self.configuration.memory;
        let row = 64 * self.below(200) as u32;
        let vector = memory.vector_bytes / 4 + 64 * self.below(100) as u32;
        self.program_channel(0, [memory.dram_bytes / 2 + row, vector, 256]);
        self.set_up = false;
        self.wait(0);
        self.look(0);
    }
}
