//! The DMA engine: two channels, one into vector memory (MM2S) and one out of it (S2MM).
//!
//! Contract. Writing 1 to bit 0 of a channel's control register starts a transfer with the registers' values at that
//! moment. It waits for DRAM (status START), moves data (TRANSFERRING), and is then IDLE | OK; how long either takes is in
//! [`DramTiming`], by default the published simulator's `10 + 4·(bytes/64)` cycles. The clock starts with the cycle in which the write executes. All data move
//! in the last cycle: a program that touches either end of a running transfer sees the state before it.
//!
//! What the engine cannot do ends at once, with IDLE and
//! - INTERNAL_ERROR: an address or a length that is no multiple of 64, a length of 0 (no data mover accepts one) or
//!   beyond [`DMA_MAX_BYTES`];
//! - DECODE_ERROR: bytes that are not in DRAM or not in vector memory; the engine does not wrap.
//!
//! A start while the channel is busy is dropped; INTERNAL_ERROR then stands beside the running transfer's state, and
//! instead of OK when it has ended, until the next start. DRAM refuses nothing, unless
//! somebody who times transfers from outside says so ([`crate::Machine::set_transfer_times`]). Channels that end in the same
//! cycle move their data in the order MM2S, S2MM.
//!
//! The channels share a port of vector memory. Where a row takes DRAM two cycles or more, neither delays the other. Where
//! DRAM moves a row or more every cycle, MM2S goes first, and S2MM waits while rows come in.
//!
//! Not here: the data (see [`crate::memory`]).

use fenn_isa::csr::{DMA_MAX_BYTES, dma_status};
use fenn_isa::memory::{Space, VECTOR_BYTES};
use fenn_isa::timing::DramTiming;

use crate::memory::Memory;

/// When nothing is going to happen.
const NEVER: u64 = u64::MAX;

/// Which channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// MM2S: from DRAM into vector memory.
    IntoVector,
    /// S2MM: from vector memory into DRAM.
    OutOfVector,
}

impl Direction {
    /// Both, in the order in which they move data.
    pub const ALL: [Self; 2] = [Self::IntoVector, Self::OutOfVector];

    const fn spaces(self) -> (Space, Space) {
        match self {
            Self::IntoVector => (Space::Dram, Space::Vector),
            Self::OutOfVector => (Space::Vector, Space::Dram),
        }
    }
}

/// A transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transfer {
    /// Which way.
    pub direction: Direction,
    /// First byte read.
    pub source: u32,
    /// First byte written.
    pub destination: u32,
    /// How many.
    pub bytes: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) transfer: Transfer,
    /// The clock at which data begin to move.
    pub(crate) begins: u64,
    /// Cycles on the way in which the other channel had the port of vector memory.
    pub(crate) waits: u64,
    /// The clock at which the transfer has ended.
    ends: u64,
    /// Cycles from one row to the next.
    row_cycles: u64,
    /// Bits of the status that DRAM's answers amount to.
    errors: u32,
}

impl Running {
    pub(crate) fn new(transfer: Transfer, begins: u64, waits: u64, dram: &DramTiming) -> Self {
        let ends = begins + dram.transfer_cycles(transfer.bytes) + waits;
        Self { transfer, begins, waits, ends, row_cycles: dram.row_cycles(), errors: 0 }
    }
}

/// One channel: its registers and what it is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// `*_src_addr`.
    pub source: u32,
    /// `*_dst_addr`.
    pub destination: u32,
    /// `*_count`.
    pub count: u32,
    pub(crate) status: u32,
    pub(crate) running: Option<Running>,
    /// The clock of the last read of the status, if it found the channel busy.
    pub(crate) polled: Option<u64>,
    pub(crate) waited: u64,
}

impl Default for Channel {
    fn default() -> Self {
        Self { source: 0, destination: 0, count: 0, status: dma_status::IDLE, running: None, polled: None, waited: 0 }
    }
}

impl Channel {
    /// `*_status`.
    pub fn status(&self) -> u32 {
        self.status
    }

    /// Cycles that the program has spent waiting for this channel since the reset: those between a read of the status that
    /// found it busy and the next read. They are not stalls, for instructions were issued meanwhile.
    pub fn waited(&self) -> u64 {
        self.waited
    }

    /// The transfer that has not ended.
    pub fn running(&self) -> Option<&Transfer> {
        self.running.as_ref().map(|running| &running.transfer)
    }

    /// `*_status`, read by the program at `clock`.
    pub(crate) fn poll(&mut self, clock: u64) -> u32 {
        if let Some(before) = self.polled.take() {
            self.waited += clock - before;
        }
        if self.status & dma_status::IDLE == 0 {
            self.polled = Some(clock);
        }
        self.status
    }
}

/// Both channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dma {
    channels: [Channel; 2],
    /// No channel changes by itself before this clock.
    next_event: u64,
}

impl Default for Dma {
    fn default() -> Self {
        Self { channels: Default::default(), next_event: NEVER }
    }
}

impl Dma {
    /// One channel.
    pub fn channel(&self, direction: Direction) -> &Channel {
        &self.channels[direction as usize]
    }

    /// One channel, to set its registers.
    pub fn channel_mut(&mut self, direction: Direction) -> &mut Channel {
        &mut self.channels[direction as usize]
    }

    /// Whether [`Self::advance`] has something to do at this clock.
    #[inline(always)]
    pub(crate) fn is_due(&self, clock: u64) -> bool {
        clock >= self.next_event
    }

    /// The first clock at which [`Self::advance`] has something to do.
    pub(crate) fn next_event(&self) -> u64 {
        self.next_event
    }

    /// Whether a row enters or leaves vector memory in this cycle.
    pub(crate) fn moves_row_at(&self, clock: u64) -> bool {
        self.channels.iter().filter_map(|channel| channel.running.as_ref()).any(|running| {
            (running.begins..running.ends).contains(&clock)
                && (clock + 1 - running.begins).is_multiple_of(running.row_cycles)
        })
    }

    /// Starts a transfer at `clock`.
    pub(crate) fn start(&mut self, direction: Direction, clock: u64, memory: &Memory, dram: &DramTiming) {
        let channel = &mut self.channels[direction as usize];
        if channel.running.is_some() {
            channel.status |= dma_status::INTERNAL_ERROR;
            return;
        }
        let Channel { source, destination, count: bytes, .. } = *channel;
        let transfer = Transfer { direction, source, destination, bytes };
        if let Err(error) = transfer.check(memory) {
            channel.status = dma_status::IDLE | error;
            return;
        }
        let begins = clock + u64::from(dram.latency);
        channel.status = dma_status::START;
        channel.running = Some(Running::new(transfer, begins, 0, dram));
        self.share_port(direction, clock);
        *self = Self::from_channels(std::mem::take(&mut self.channels));
    }

    /// Lets S2MM wait for MM2S, one of which has been started at `clock`, where each could move a row every cycle.
    ///
    /// A row comes into vector memory in the cycle before the status counts it, and leaves it two cycles before, or as
    /// soon as the row before it has gone, whichever is later.
    fn share_port(&mut self, started: Direction, clock: u64) {
        let [into, out_of] = self.channels.each_mut().map(|channel| channel.running.as_mut());
        let (Some(into), Some(out_of)) = (into, out_of) else { return };
        if out_of.row_cycles > 1 || into.ends == NEVER || out_of.ends == NEVER {
            return;
        }
        // When the status counts the first row that leaves behind the last that comes in.
        let again = into.ends + 2;
        // The first row is fetched in the cycle behind the start.
        if started == Direction::OutOfVector && (into.begins..into.ends).contains(&(clock + 2)) {
            let later = again.saturating_sub(out_of.begins);
            out_of.begins += later;
            out_of.ends += later;
        }
        // The last row that still leaves, if it is not the last of all.
        let last = out_of.begins.max(into.begins + 1);
        if last <= into.ends && last + 1 < out_of.ends {
            let waits = again - (last + 1);
            out_of.waits += waits;
            out_of.ends += waits;
        }
    }

    /// Says when the running transfer begins and ends, and which errors its status shows then.
    pub(crate) fn set_times(&mut self, direction: Direction, begins: u64, ends: u64, errors: u32) {
        if let Some(running) = &mut self.channels[direction as usize].running {
            (running.begins, running.ends) = (begins, ends);
            running.errors = errors & (dma_status::SLAVE_ERROR | dma_status::DECODE_ERROR);
            *self = Self::from_channels(std::mem::take(&mut self.channels));
        }
    }

    /// Ends transfers that do not lie in these memories, which are not those they were started in.
    pub(crate) fn drop_impossible(&mut self, memory: &Memory) {
        for channel in &mut self.channels {
            let error = channel.running.as_ref().and_then(|running| running.transfer.check(memory).err());
            if let Some(error) = error {
                channel.running = None;
                channel.status = dma_status::IDLE | error;
            }
        }
        *self = Self::from_channels(std::mem::take(&mut self.channels));
    }

    /// Both channels as they are, whatever they were doing.
    pub(crate) fn from_channels(channels: [Channel; 2]) -> Self {
        let event = |channel: &Channel| {
            let running = channel.running.as_ref()?;
            Some(if channel.status & dma_status::START != 0 { running.begins } else { running.ends })
        };
        let next_event = channels.iter().filter_map(event).min().unwrap_or(NEVER);
        Self { channels, next_event }
    }

    /// Brings both channels to `clock`, moving the data of transfers that have ended; `done` is told of each of them.
    #[cold]
    pub(crate) fn advance(&mut self, clock: u64, memory: &mut Memory, mut done: impl FnMut(&Transfer)) {
        self.next_event = NEVER;
        // Data move in the order in which the transfers end.
        let mut order = Direction::ALL;
        order.sort_by_key(|direction| self.channel(*direction).running.as_ref().map_or(NEVER, |running| running.ends));
        for direction in order {
            let channel = &mut self.channels[direction as usize];
            let Some(Running { transfer, begins, ends, errors, .. }) = channel.running.clone() else { continue };
            let refused = channel.status & dma_status::INTERNAL_ERROR;
            if clock >= ends {
                memory.transfer(&transfer);
                channel.running = None;
                let wrong = refused | errors;
                channel.status = dma_status::IDLE | if wrong != 0 { wrong } else { dma_status::OK };
                done(&transfer);
            } else if clock >= begins {
                channel.status = dma_status::TRANSFERRING | refused;
                self.next_event = self.next_event.min(ends);
            } else {
                self.next_event = self.next_event.min(begins);
            }
        }
    }
}

impl Transfer {
    /// Whether the engine can do it; the error is a bit of the status register.
    pub(crate) fn check(&self, memory: &Memory) -> Result<(), u32> {
        let Self { direction, source, destination, bytes } = *self;
        let aligned = [source, destination, bytes].iter().all(|number| number.is_multiple_of(VECTOR_BYTES));
        if !aligned || bytes == 0 || bytes > DMA_MAX_BYTES {
            return Err(dma_status::INTERNAL_ERROR);
        }
        let (from, to) = direction.spaces();
        let inside = |space, address| u64::from(address) + u64::from(bytes) <= u64::from(memory.config().bytes(space));
        if !inside(from, source) || !inside(to, destination) {
            return Err(dma_status::DECODE_ERROR);
        }
        Ok(())
    }
}
