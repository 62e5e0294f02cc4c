//! The card: engines, interrupts and configuration of an XDMA, and what its AXI ports lead to.
//!
//! Contract: register accesses take effect at once; engines move bytes only in [`Card::work`], a piece at a time, so that
//! whoever owns the card decides when and in which thread. Interrupt messages are collected for [`Card::take_messages`].
//!
//! What an engine does: its run bit rises; it fetches the block of descriptors at its first address, as many as the adjacent
//! count says, then blocks at `next` of the last of each. It stops after a descriptor with the stop bit, at an error, or when
//! its run bit falls, between two pieces. A block over a 4 KiB line, which PCIe does not allow, is a descriptor error.
//!
//! Two things the guide leaves open: errors are logged whether or not control asks for it (the interrupt asks the mask), and
//! performance counters count beats, for there is no time here.

use std::collections::VecDeque;
use std::time::Duration;

use fenn_host::transport::{Deadline, Transport, TransportError};
use fenn_isa::soc::{CardRegister, CoreRegister, MOST_CORES, core_offset, status};

use crate::config_space::{CONFIG_BYTES, ConfigSpace, USER_BYTES, VECTORS};
use crate::fault::{Fault, Plan, Strike};
use crate::memory::{HostMemory, Unmapped};
use crate::registers::{self as reg, Descriptor, Target, target};

/// Bytes that an engine moves at once, so that registers can be read in between.
const PIECE: usize = 256 << 10;
/// How long the AXI side may take for one piece before the engine counts as hung.
const SIDE_LIMIT: Duration = Duration::from_secs(60);
/// How long cores run at a time while nobody looks.
const CORE_SLICE: Duration = Duration::from_micros(200);
/// Bytes of a beat on the AXI ports.
const BEAT: u64 = 64;
/// What a function that is not there reads as.
const NOTHING: u32 = u32::MAX;

/// How a card is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// Channels each way, 1 to 4.
    pub channels: usize,
    /// Bits of addresses.
    pub address_bits: u32,
    /// What all that is drawn is drawn from.
    pub seed: u64,
}

impl Default for Build {
    fn default() -> Self {
        Self { channels: 1, address_bits: 64, seed: 0 }
    }
}

/// Which way a channel moves bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToCard,
    FromCard,
}

/// One transfer under way.
#[derive(Debug, Clone)]
struct Walk {
    /// Fetched, not yet done.
    block: VecDeque<Descriptor>,
    /// Where the next block is, and how many it has.
    next: u64,
    count: u32,
    /// Bytes of the first of `block` that were moved.
    moved: usize,
    /// Descriptors seen.
    index: u32,
    strike: Option<Strike>,
}

/// One channel.
#[derive(Debug, Clone, Default)]
struct Channel {
    control: u32,
    status: u32,
    completed: u32,
    write_back: u64,
    mask: u32,
    first: u64,
    adjacent: u32,
    credits: u32,
    counting: u32,
    beats: u64,
    walk: Option<Walk>,
    hung: bool,
}

impl Channel {
    fn busy(&self) -> bool {
        self.hung || self.walk.is_some()
    }

    fn status(&self) -> u32 {
        self.status | if self.busy() { reg::STATUS_BUSY } else { 0 }
    }

    /// Whether its interrupt is requested.
    fn requests(&self) -> bool {
        self.status & self.mask & !reg::STATUS_BUSY != 0
    }

    fn set_control(&mut self, value: u32, plan: &mut Plan) -> Option<Strike> {
        let rises = value & !self.control & reg::CONTROL_RUN != 0;
        self.control = value;
        if value & reg::CONTROL_RUN == 0 && self.walk.take().is_some() {
            self.status |= reg::STATUS_IDLE;
        }
        if !rises || self.busy() {
            return None;
        }
        let strike = plan.start();
        self.completed = 0;
        self.walk = Some(Walk {
            block: VecDeque::new(),
            next: self.first,
            count: self.adjacent + 1,
            moved: 0,
            index: 0,
            strike,
        });
        strike
    }

    fn read(&mut self, register: u32, id: u32, alignments: u32) -> u32 {
        match register {
            0x00 => id,
            0x04 => self.control,
            0x40 => self.status(),
            0x44 => {
                let status = self.status();
                self.status = 0;
                status
            }
            0x48 => self.completed,
            0x4c => alignments,
            0x88 => self.write_back as u32,
            0x8c => (self.write_back >> 32) as u32,
            0x90 => self.mask,
            0xc0 => self.counting,
            0xc4 | 0xcc => self.beats as u32,
            0xc8 | 0xd0 => (self.beats >> 32) as u32 & 0x3ff,
            _ => 0,
        }
    }

    fn write(&mut self, register: u32, value: u32, plan: &mut Plan) -> Option<Strike> {
        match register {
            0x04 => return self.set_control(value, plan),
            0x08 => return self.set_control(self.control | value, plan),
            0x0c => return self.set_control(self.control & !value, plan),
            0x40 => self.status &= !value,
            0x88 => self.write_back = self.write_back & !0xffff_ffff | u64::from(value),
            0x8c => self.write_back = self.write_back & 0xffff_ffff | u64::from(value) << 32,
            0x90 => self.mask = value,
            0x94 => self.mask |= value,
            0x98 => self.mask &= !value,
            0xc0 => {
                self.counting = value & 5;
                if value & 2 != 0 {
                    self.beats = 0;
                }
            }
            _ => {}
        }
        None
    }

    fn read_descriptors(&self, register: u32, id: u32) -> u32 {
        match register {
            0x00 => id,
            0x80 => self.first as u32,
            0x84 => (self.first >> 32) as u32,
            0x88 => self.adjacent,
            0x8c => self.credits,
            _ => 0,
        }
    }

    fn write_descriptors(&mut self, register: u32, value: u32) {
        match register {
            0x80 => self.first = self.first & !0xffff_ffff | u64::from(value),
            0x84 => self.first = self.first & 0xffff_ffff | u64::from(value) << 32,
            0x88 => self.adjacent = value & 0x3f,
            0x8c => self.credits = value & 0x3ff,
            _ => {}
        }
    }
}

/// The interrupt block.
#[derive(Debug, Clone, Default)]
struct Interrupts {
    user_enable: u32,
    channel_enable: u32,
    user_vectors: [u32; 4],
    channel_vectors: [u32; 2],
    /// The user interrupt lines.
    user_lines: u32,
    /// What was let through when last looked at, to see edges.
    user_seen: u32,
    channel_seen: u32,
}

/// Replaces what a write to a register with its two neighbours, set and clear, says.
fn masked(value: &mut u32, neighbour: u32, written: u32) {
    match neighbour {
        0 => *value = written,
        1 => *value |= written,
        _ => *value &= !written,
    }
}

/// The vector in byte `index` of packed registers.
fn vector(packed: &[u32], index: usize) -> u32 {
    packed.get(index / 4).map_or(0, |word| word >> (8 * (index % 4)) & 0x1f)
}

/// What a piece of an engine's work was.
enum Step {
    /// Go on.
    More,
    /// The engine stops, with these bits of status.
    Stop(u32),
    /// The engine will never stop.
    Hang,
}

/// A card with an XDMA.
pub struct Card {
    build: Build,
    side: Box<dyn Transport>,
    alignment: u32,
    /// Cores behind the ports.
    cores: u32,
    channels: [Vec<Channel>; 2],
    interrupts: Interrupts,
    config: ConfigSpace,
    table: Vec<u32>,
    messages: u32,
    lose_messages: u32,
    linked: bool,
    turn: usize,
    /// The faults to come.
    pub faults: Plan,
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Card").field("side", &self.side.name()).field("build", &self.build).finish_non_exhaustive()
    }
}

impl Card {
    /// A card whose AXI ports lead to `side`.
    pub fn new(mut side: Box<dyn Transport>, build: Build) -> Self {
        let build =
            Build { channels: build.channels.clamp(1, 4), address_bits: build.address_bits.clamp(12, 64), ..build };
        let alignment = side.capabilities().alignment;
        let cores = side.read_register(CardRegister::Cores.spec().offset).unwrap_or(0).min(MOST_CORES);
        let channels = || vec![Channel::default(); build.channels];
        Self {
            build,
            side,
            alignment,
            cores,
            channels: [channels(), channels()],
            interrupts: Interrupts::default(),
            config: ConfigSpace::new(),
            table: vec![0; 1024],
            messages: 0,
            lose_messages: 0,
            linked: true,
            turn: 0,
            faults: Plan::new(build.seed),
        }
    }

    /// Resets the function: the XDMA and its configuration space are as after power-up, and the link is there. What the AXI
    /// ports lead to stays as it is.
    pub fn reset(&mut self) {
        for channel in self.channels.iter_mut().flatten() {
            *channel = Channel::default();
        }
        self.interrupts = Interrupts { user_lines: self.interrupts.user_lines, ..Interrupts::default() };
        self.config = ConfigSpace::new();
        self.table.fill(0);
        self.messages = 0;
        self.lose_messages = 0;
        self.linked = true;
    }

    /// The link is lost, now.
    pub fn cut_link(&mut self) {
        self.linked = false;
        for channel in self.channels.iter_mut().flatten() {
            channel.walk = None;
        }
    }

    /// The next interrupt message is lost.
    pub fn lose_message(&mut self) {
        self.lose_messages += 1;
    }

    /// What the AXI ports lead to.
    pub fn side_mut(&mut self) -> &mut dyn Transport {
        &mut *self.side
    }

    /// Copies from the configuration space.
    pub fn read_space(&mut self, offset: u64, out: &mut [u8]) {
        if self.linked { self.config.read(offset, out) } else { out.fill(0xff) }
    }

    /// Copies to the configuration space.
    pub fn write_space(&mut self, offset: u64, bytes: &[u8]) {
        if self.linked {
            self.config.write(offset, bytes);
        }
    }

    /// Reads the word at byte `offset` of the card's registers. What does not answer reads as all ones.
    pub fn read_user(&mut self, offset: u32) -> u32 {
        if !self.linked || offset >= USER_BYTES {
            return NOTHING;
        }
        self.side.read_register(offset & !3).unwrap_or(NOTHING)
    }

    /// Writes the word at byte `offset` of the card's registers; where nothing is, a posted write is lost.
    pub fn write_user(&mut self, offset: u32, value: u32) {
        if self.linked && offset < USER_BYTES {
            // PCIe has no answer to a write: whether it failed is seen by the next read.
            drop(self.side.write_register(offset & !3, value));
            self.look_at_lines();
        }
    }

    /// Reads the word at byte `offset` of the XDMA's registers.
    pub fn read_config(&mut self, offset: u32) -> u32 {
        if !self.linked || offset >= CONFIG_BYTES {
            return NOTHING;
        }
        let alignments = self.alignment << 16 | self.alignment << 8 | self.build.address_bits;
        let [to_card, from_card] = &mut self.channels;
        let value = match target(offset & !3) {
            Target::HostToCard(n, register) => {
                to_card.get_mut(n).map_or(0, |channel| channel.read(register, reg::id(0, n), alignments))
            }
            Target::CardToHost(n, register) => {
                from_card.get_mut(n).map_or(0, |channel| channel.read(register, reg::id(1, n), alignments))
            }
            Target::HostToCardDescriptors(n, register) => {
                to_card.get(n).map_or(0, |channel| channel.read_descriptors(register, reg::id(4, n)))
            }
            Target::CardToHostDescriptors(n, register) => {
                from_card.get(n).map_or(0, |channel| channel.read_descriptors(register, reg::id(5, n)))
            }
            Target::Interrupt(register) => {
                self.look_at_lines();
                self.read_interrupts(register)
            }
            Target::Configuration(register) => match register {
                0x00 => reg::id(3, 0),
                // 512-byte payloads, 512-byte read requests.
                0x08 | 0x0c => 2,
                0x10 => 0xff01,
                0x14 => u32::from(self.config.has_messages()) << 1,
                // 512 bits.
                0x18 => 3,
                _ => 0,
            },
            Target::CommonDescriptors(0) => reg::id(6, 0),
            Target::CommonDescriptors(_) | Target::Hole => 0,
            Target::Vectors(offset) => self.table[offset as usize / 4],
        };
        self.look_at_edges();
        value
    }

    /// Writes the word at byte `offset` of the XDMA's registers.
    pub fn write_config(&mut self, offset: u32, value: u32) {
        if !self.linked || offset >= CONFIG_BYTES {
            return;
        }
        let [to_card, from_card] = &mut self.channels;
        let strike = match target(offset & !3) {
            Target::HostToCard(n, register) => {
                to_card.get_mut(n).and_then(|channel| channel.write(register, value, &mut self.faults))
            }
            Target::CardToHost(n, register) => {
                from_card.get_mut(n).and_then(|channel| channel.write(register, value, &mut self.faults))
            }
            Target::HostToCardDescriptors(n, register) => {
                if let Some(channel) = to_card.get_mut(n) {
                    channel.write_descriptors(register, value);
                }
                None
            }
            Target::CardToHostDescriptors(n, register) => {
                if let Some(channel) = from_card.get_mut(n) {
                    channel.write_descriptors(register, value);
                }
                None
            }
            Target::Interrupt(register) => {
                self.write_interrupts(register, value);
                None
            }
            Target::Vectors(offset) => {
                self.table[offset as usize / 4] = value;
                None
            }
            Target::Configuration(_) | Target::CommonDescriptors(_) | Target::Hole => None,
        };
        if strike.is_some_and(|strike| strike.fault == Fault::LinkLoss && strike.part < 128) {
            self.cut_link();
        }
        self.look_at_edges();
    }

    fn channel_requests(&self) -> u32 {
        self.channels.iter().flatten().enumerate().map(|(line, channel)| u32::from(channel.requests()) << line).sum()
    }

    fn read_interrupts(&self, register: u32) -> u32 {
        let Interrupts { user_enable, channel_enable, user_vectors, channel_vectors, user_lines, .. } =
            &self.interrupts;
        match register {
            0x00 => reg::id(2, 0),
            0x04 => *user_enable,
            0x10 => *channel_enable,
            0x40 => *user_lines,
            0x44 => self.channel_requests(),
            0x48 => user_lines & user_enable,
            0x4c => self.channel_requests() & channel_enable,
            0x80..=0x8f => user_vectors[(register as usize - 0x80) / 4],
            0xa0..=0xa7 => channel_vectors[(register as usize - 0xa0) / 4],
            _ => 0,
        }
    }

    fn write_interrupts(&mut self, register: u32, value: u32) {
        let interrupts = &mut self.interrupts;
        match register {
            0x04 | 0x08 | 0x0c => masked(&mut interrupts.user_enable, (register - 0x04) / 4, value),
            0x10 | 0x14 | 0x18 => masked(&mut interrupts.channel_enable, (register - 0x10) / 4, value),
            0x80..=0x8f => interrupts.user_vectors[(register as usize - 0x80) / 4] = value & 0x1f1f_1f1f,
            0xa0..=0xa7 => interrupts.channel_vectors[(register as usize - 0xa0) / 4] = value & 0x1f1f_1f1f,
            _ => {}
        }
    }

    /// Reads the cores' interrupts off the card's registers: pending and enabled.
    fn look_at_lines(&mut self) {
        use fenn_isa::soc::CardRegister::{IrqEnable, IrqPending};
        let mut read =
            |register: fenn_isa::soc::CardRegister| self.side.read_register(register.spec().offset).unwrap_or(0);
        self.interrupts.user_lines = read(IrqPending) & read(IrqEnable) & 0xffff;
    }

    /// Sends a message for each interrupt that has come up.
    fn look_at_edges(&mut self) {
        let user = self.interrupts.user_lines & self.interrupts.user_enable;
        let channel = self.channel_requests() & self.interrupts.channel_enable;
        let (user_risen, channel_risen) = (user & !self.interrupts.user_seen, channel & !self.interrupts.channel_seen);
        self.interrupts.user_seen = user;
        self.interrupts.channel_seen = channel;
        for line in 0..16 {
            if user_risen >> line & 1 == 1 {
                self.send(vector(&self.interrupts.user_vectors, line));
            }
            if channel_risen >> line & 1 == 1 {
                self.send(vector(&self.interrupts.channel_vectors, line));
            }
        }
    }

    fn send(&mut self, vector: u32) {
        if self.lose_messages > 0 {
            self.lose_messages -= 1;
        } else if vector < u32::from(VECTORS) {
            self.messages |= 1 << vector;
        }
    }

    /// The interrupt messages since the last call: one bit for each vector.
    pub fn take_messages(&mut self) -> u32 {
        std::mem::take(&mut self.messages)
    }

    /// Looks whether a core has raised its interrupt, and gives those that run some time; whether any does.
    pub fn watch(&mut self) -> bool {
        if !self.linked {
            return false;
        }
        self.look_at_lines();
        let running = self.running_core();
        if let Some(core) = running {
            // Some cards run only while somebody waits for them. Either way, what came of it is in the lines.
            let (Ok(()) | Err(_)) = self.side.wait_event(core, Deadline::after(CORE_SLICE));
            self.look_at_lines();
        }
        self.look_at_edges();
        running.is_some()
    }

    /// A core that runs.
    fn running_core(&mut self) -> Option<u32> {
        let core_status = |core| core_offset(core, CoreRegister::Status);
        (0..self.cores)
            .filter(|core| self.interrupts.user_lines >> core & 1 == 0)
            .find(|core| self.side.read_register(core_status(*core)).is_ok_and(|word| word & status::RUNNING != 0))
    }

    /// Moves one piece of one engine's transfer; whether any engine has more to do.
    pub fn work(&mut self, memory: &mut dyn HostMemory) -> bool {
        let lines = 2 * self.build.channels;
        for _ in 0..lines {
            let line = self.turn % lines;
            self.turn = (line + 1) % lines;
            let (way, number) = (line / self.build.channels, line % self.build.channels);
            if self.channels[way][number].walk.is_some() {
                self.advance(if way == 0 { Way::ToCard } else { Way::FromCard }, way, number, memory);
                break;
            }
        }
        self.channels.iter().flatten().any(|channel| channel.walk.is_some())
    }

    fn advance(&mut self, way: Way, index: usize, number: usize, memory: &mut dyn HostMemory) {
        let channel = &mut self.channels[index][number];
        let Some(mut walk) = channel.walk.take() else { return };
        let step = if self.config.is_bus_master() {
            step(way, channel, &mut walk, &mut *self.side, self.alignment, memory)
        } else {
            // Nobody lets it read descriptors.
            Step::Stop(reg::STATUS_DESCRIPTOR_19)
        };
        let strike = walk.strike;
        let step = match (&step, strike) {
            (Step::More, Some(Strike { fault: Fault::LinkLoss, descriptor, .. })) if walk.index > descriptor => None,
            (Step::Stop(_), Some(Strike { fault: Fault::LinkLoss, .. })) => None,
            _ => Some(step),
        };
        match step {
            None => return self.cut_link(),
            Some(Step::More) => channel.walk = Some(walk),
            Some(Step::Hang) => channel.hung = true,
            Some(Step::Stop(bits)) => {
                channel.status |= bits;
                if strike.is_some_and(|strike| strike.fault == Fault::LostInterrupt) {
                    self.lose_messages += 1;
                }
            }
        }
        let channel = &self.channels[index][number];
        if channel.control & reg::CONTROL_WRITE_BACK != 0 && !channel.hung {
            let error = channel.status & reg::STATUS_ERRORS != 0;
            let word = channel.completed & 0x00ff_ffff | u32::from(error) << 31;
            post(memory, channel.write_back, &word.to_le_bytes());
        }
        self.look_at_edges();
    }
}

/// Fetches a block.
fn fetch(walk: &mut Walk, memory: &mut dyn HostMemory) -> Result<(), u32> {
    let bytes = walk.count as usize * Descriptor::BYTES;
    let inside = (walk.next % 4096) as usize;
    if !walk.next.is_multiple_of(Descriptor::BYTES as u64) || inside + bytes > 4096 {
        return Err(reg::STATUS_DESCRIPTOR_19);
    }
    let mut block = vec![0; bytes];
    memory.read(walk.next, &mut block).map_err(|Unmapped(_)| reg::STATUS_DESCRIPTOR_19)?;
    let (descriptors, _) = block.as_chunks::<{ Descriptor::BYTES }>();
    walk.block = descriptors.iter().map(Descriptor::parse).collect();
    Ok(())
}

/// One piece of a transfer: at most [`PIECE`] bytes of one descriptor.
fn step(
    way: Way,
    channel: &mut Channel,
    walk: &mut Walk,
    side: &mut dyn Transport,
    alignment: u32,
    memory: &mut dyn HostMemory,
) -> Step {
    if walk.block.is_empty()
        && let Err(bits) = fetch(walk, memory)
    {
        return Step::Stop(bits);
    }
    let Some(&descriptor) = walk.block.front() else { return Step::Stop(reg::STATUS_DESCRIPTOR_19) };
    if descriptor.control >> 16 != reg::MAGIC {
        return Step::Stop(reg::STATUS_MAGIC);
    }
    if descriptor.length == 0 {
        return Step::Stop(reg::STATUS_LENGTH);
    }
    let card = if way == Way::ToCard { descriptor.destination } else { descriptor.source };
    let unit = u64::from(alignment.max(1));
    if !(descriptor.source ^ descriptor.destination).is_multiple_of(unit)
        || !card.is_multiple_of(unit)
        || !u64::from(descriptor.length).is_multiple_of(unit)
    {
        return Step::Stop(reg::STATUS_ALIGN);
    }
    let last = descriptor.control & reg::DESCRIPTOR_STOP != 0;
    let struck = walk.strike.filter(|strike| walk.index == strike.descriptor || last && walk.index < strike.descriptor);
    let mut limit = descriptor.length as usize;
    match struck.map(|strike| (strike.fault, strike.part)) {
        Some((Fault::Hang, part)) | Some((Fault::Decerr | Fault::Slverr, part)) => {
            limit = (limit * usize::from(part) / 256) & !(unit as usize - 1);
        }
        Some((Fault::Short, _)) => return Step::Stop(reg::STATUS_STOPPED),
        Some((Fault::LostInterrupt | Fault::LinkLoss, _)) | None => {}
    }
    let piece = PIECE.min(limit.saturating_sub(walk.moved));
    if piece > 0 {
        let at = walk.moved as u64;
        let card = if channel.control & reg::CONTROL_FIXED_ADDRESS != 0 { card } else { card.wrapping_add(at) };
        if let Err(step) = move_piece(way, &descriptor, at, card, piece, side, memory) {
            return step;
        }
        walk.moved += piece;
        if channel.counting & 5 != 0 {
            channel.beats += (piece as u64).div_ceil(BEAT);
        }
    }
    if walk.moved < limit {
        return Step::More;
    }
    match struck.map(|strike| strike.fault) {
        Some(Fault::Hang) => return Step::Hang,
        Some(Fault::Decerr) => return Step::Stop(axi_error(way, true)),
        Some(Fault::Slverr) => return Step::Stop(axi_error(way, false)),
        _ => {}
    }
    channel.completed = channel.completed.wrapping_add(1);
    walk.index += 1;
    walk.moved = 0;
    walk.block.pop_front();
    if walk.block.is_empty() {
        walk.next = descriptor.next;
        walk.count = descriptor.adjacent() + 1;
    }
    let completed = if descriptor.control & reg::DESCRIPTOR_COMPLETED != 0 { reg::STATUS_COMPLETED } else { 0 };
    if last {
        return Step::Stop(reg::STATUS_STOPPED | completed);
    }
    channel.status |= completed;
    Step::More
}

/// Writes to the host's memory. PCIe has no answer to a write: one into memory that is not there is lost.
fn post(memory: &mut dyn HostMemory, address: u64, bytes: &[u8]) {
    let (Ok(()) | Err(Unmapped(_))) = memory.write(address, bytes);
}

/// The status bit of an error on an AXI port.
fn axi_error(way: Way, decode: bool) -> u32 {
    match (way, decode) {
        (Way::ToCard, true) => reg::STATUS_WRITE_14,
        (Way::ToCard, false) => reg::STATUS_WRITE_15,
        (Way::FromCard, true) => reg::STATUS_READ_9,
        (Way::FromCard, false) => reg::STATUS_READ_10,
    }
}

fn move_piece(
    way: Way,
    descriptor: &Descriptor,
    at: u64,
    card: u64,
    bytes: usize,
    side: &mut dyn Transport,
    memory: &mut dyn HostMemory,
) -> Result<(), Step> {
    let mut buffer = vec![0; bytes];
    let refused = |error: TransportError| match error {
        TransportError::Outside { .. } => Step::Stop(axi_error(way, true)),
        // What a side says in words is one of the two answers that AXI has.
        TransportError::Refused { answer, .. } => Step::Stop(axi_error(way, answer.contains("decode"))),
        TransportError::Unaligned { .. } => Step::Stop(reg::STATUS_ALIGN),
        // A port that does not answer: so does the engine.
        _ => Step::Hang,
    };
    match way {
        Way::ToCard => {
            let source = descriptor.source.wrapping_add(at);
            memory.read(source, &mut buffer).map_err(|Unmapped(_)| Step::Stop(reg::STATUS_READ_9))?;
            side.write(card, &buffer, Deadline::after(SIDE_LIMIT)).map_err(refused)
        }
        Way::FromCard => {
            side.read(card, &mut buffer, Deadline::after(SIDE_LIMIT)).map_err(refused)?;
            let destination = descriptor.destination.wrapping_add(at);
            post(memory, destination, &buffer);
            Ok(())
        }
    }
}
