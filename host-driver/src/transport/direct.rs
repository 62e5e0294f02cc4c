//! A card with an XDMA, driven from this process: no kernel module.
//!
//! Contract: [`Direct`] is a [`Transport`] over any [`Pci`]. It finds the XDMA's configuration region by what is in it, uses
//! one channel each way, and cuts transfers into chunks that pass through DMA memory of its own, two at a time: while the
//! engine moves one, the other is filled or emptied. A chunk counts as moved when the engine stands still, says nothing of
//! an error and has completed as many descriptors as there were.
//!
//! An engine that does not stop when it is told to makes the transport *stuck*: every transfer is refused until
//! [`Transport::recover`] has reset the function; so does any error after which it is not known what an engine does. A register that reads as all ones is looked into: if the configuration block
//! does not answer with its identifier either, the card is gone.
//!
//! A lost interrupt costs time, not the transfer: between waits the registers are looked at. A register itself is waited for two
//! seconds, whatever the deadline: one that has not answered by then belongs to a card that is gone.
//!
//! ```text
//! DMA memory:  descriptors of one chunk | write-back word, a page | chunk 0 | chunk 1
//! ```

use std::time::Duration;

use super::engine::{self, BUSY, Direction, Outcome, Run, block, channel, control, first, write_back};
use super::pci::{BARS, Pci};
use super::{Capabilities, Deadline, Transport, TransportError, Window, reach};

/// How long one access to a register may take.
const REGISTER_LIMIT: Duration = Duration::from_secs(2);
/// How long an engine may take to stop.
const STOP_LIMIT: Duration = Duration::from_millis(200);
/// How long a reset may take.
const RESET_LIMIT: Duration = Duration::from_secs(5);
/// The longest wait for an interrupt before the registers are looked at.
const LONGEST_SLICE: Duration = Duration::from_millis(50);
/// The first wait for an interrupt before they are.
const FIRST_WAIT: Duration = Duration::from_millis(2);
/// The shortest pause between two looks.
const SHORTEST_SLICE: Duration = Duration::from_micros(20);
/// What a function that is not there reads as.
const NOTHING: u32 = u32::MAX;
/// A page.
const PAGE: usize = 4096;
/// Addresses of source and destination agree modulo this, which any width of data path is content with.
const LINE: u64 = 64;
/// Vectors 0 to 15 are the user interrupts', then come the channels'.
const CHANNEL_VECTORS: u32 = 16;

/// How the end of a transfer is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Completion {
    /// By the channel's interrupt.
    #[default]
    Interrupt,
    /// By looking at the word that the engine writes to memory: quicker for small transfers, and the processor is not free.
    Poll,
}

/// How a card is driven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a chunk, a multiple of 4096, at most 4 MiB.
    pub chunk: u32,
    /// Bytes of a descriptor, a multiple of 4096, at most as many as of a chunk.
    pub descriptor: u32,
    /// The channel, each way.
    pub channel: u8,
    /// How the end of a transfer is found out.
    pub completion: Completion,
    /// What can be reached of the card's memory space. Empty: every address that the engines have bits for.
    pub windows: Vec<Window>,
    /// Bytes of the register space; the size of the user region where that is smaller.
    pub registers: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            chunk: MOST_CHUNK,
            descriptor: 64 << 10,
            channel: 0,
            completion: Completion::default(),
            windows: Vec::new(),
            registers: fenn_isa::soc::REGISTER_BYTES,
        }
    }
}

/// Bytes of the largest chunk.
pub const MOST_CHUNK: u32 = 4 << 20;

impl Options {
    /// Bytes of DMA memory that a card driven like this needs.
    pub fn memory_bytes(&self) -> usize {
        self.buffer(2)
    }

    /// Bytes of the descriptors of one chunk, in whole pages.
    fn ring_bytes(&self) -> usize {
        let most = engine::descriptors(self.chunk as usize, self.descriptor as usize);
        (most * engine::DESCRIPTOR_BYTES).next_multiple_of(PAGE)
    }

    /// Where chunk `index` lies in DMA memory. Behind each there is a page for those that do not begin at a line.
    fn buffer(&self, index: usize) -> usize {
        self.ring_bytes() + PAGE + index * (self.chunk as usize + PAGE)
    }

    fn check(&self) -> Result<(), TransportError> {
        let pages = |bytes: u32| bytes > 0 && bytes.is_multiple_of(PAGE as u32);
        if pages(self.chunk) && self.chunk <= MOST_CHUNK && pages(self.descriptor) && self.descriptor <= self.chunk {
            return Ok(());
        }
        Err(TransportError::System {
            what: format!("chunks of {} bytes in descriptors of {}", self.chunk, self.descriptor),
            message: format!(
                "both are multiples of {PAGE}, a descriptor no larger than a chunk and that at most {MOST_CHUNK}"
            ),
        })
    }
}

/// A card with an XDMA behind a [`Pci`].
#[derive(Debug)]
pub struct Direct<P> {
    pci: P,
    options: Options,
    /// The region with the XDMA's own registers.
    config: u8,
    /// The region with the card's registers.
    user: u8,
    /// Bit number of each direction's channel in the interrupt block.
    lines: [u32; 2],
    capabilities: Capabilities,
    /// Why no transfer can be made before a recovery.
    stuck: Option<String>,
}

/// A chunk under way.
#[derive(Debug, Clone, Copy)]
struct Started {
    run: Run,
    buffer: usize,
    descriptors: u32,
}

impl<P: Pci> Direct<P> {
    /// Finds the XDMA in `pci` and makes it ready.
    ///
    /// # Errors
    /// [`TransportError::System`] for options that cannot be, for a function that is no XDMA with memory-mapped channels, or
    /// one with less DMA memory than [`Options::memory_bytes`]; [`TransportError::Gone`] where everything reads as all ones.
    pub fn open(pci: P, options: Options) -> Result<Self, TransportError> {
        options.check()?;
        let needed = options.memory_bytes();
        if pci.memory_bytes() < needed || !pci.memory_address().is_multiple_of(PAGE as u64) {
            return Err(TransportError::System {
                what: format!("opening {}", pci.name()),
                message: format!("{} bytes of DMA memory are there, and {needed} are needed", pci.memory_bytes()),
            });
        }
        let nothing =
            Capabilities { registers: 0, windows: Vec::new(), alignment: 1, chunk: options.chunk, interrupts: false };
        let mut card = Self { pci, options, config: 0, user: 0, lines: [0, 1], capabilities: nothing, stuck: None };
        card.find_regions()?;
        card.find_channels()?;
        card.prepare()?;
        Ok(card)
    }

    /// [`Direct::open`], limited to the memories that the card's registers speak of.
    ///
    /// # Errors
    /// As [`Direct::open`].
    pub fn open_card(pci: P, options: Options) -> Result<Self, TransportError> {
        let mut card = Self::open(pci, options)?;
        let windows = reach::windows(&mut card)?;
        card.limit(windows);
        Ok(card)
    }

    /// The function below.
    pub fn pci_mut(&mut self) -> &mut P {
        &mut self.pci
    }

    /// Only these parts of the memory space can be reached from now on; none, where there are none.
    pub fn limit(&mut self, windows: Vec<Window>) {
        self.capabilities.windows = windows;
    }

    /// Which region is the XDMA's, and which the card's: the one before it, as the XDMA lays them out.
    fn find_regions(&mut self) -> Result<(), TransportError> {
        let mut seen = Vec::new();
        for bar in 0..BARS {
            if self.pci.bar_bytes(bar) < 0x1_0000 {
                continue;
            }
            let mut word = |offset| self.pci.read_bar(bar, offset, Deadline::after(REGISTER_LIMIT));
            let (interrupt, configuration) = (word(block::INTERRUPT)?, word(block::CONFIGURATION)?);
            if interrupt >> 16 == block::INTERRUPT_ID && configuration >> 16 == block::CONFIGURATION_ID {
                self.config = bar;
                let user = (0..bar).rev().find(|bar| self.pci.bar_bytes(*bar) > 0);
                self.user =
                    user.ok_or_else(|| self.not_ours("the XDMA has no AXI-Lite region: it was built without one"))?;
                return Ok(());
            }
            seen.push((bar, interrupt, configuration));
        }
        if !seen.is_empty() && seen.iter().all(|(_, interrupt, configuration)| interrupt & configuration == NOTHING) {
            return Err(self.gone("every register reads as all ones"));
        }
        let words: Vec<String> = seen
            .iter()
            .map(|(bar, interrupt, configuration)| format!("BAR {bar}: {interrupt:#x}, {configuration:#x}"))
            .collect();
        let words = if words.is_empty() { "no BAR is large enough".to_owned() } else { words.join("; ") };
        Err(self.not_ours(&format!("no BAR has the XDMA's identifiers at 0x2000 and 0x3000 ({words})")))
    }

    /// How many channels there are, whether ours are among them, and what they can do.
    fn find_channels(&mut self) -> Result<(), TransportError> {
        let mut count = [0_u32; 2];
        let mut alignment = 1;
        let mut address_bits = 64;
        for (index, direction) in Direction::ALL.into_iter().enumerate() {
            for number in 0..4 {
                let id = self.config_word(direction.channel(number) + channel::ID)?;
                if id >> 16 != direction.id() || id >> 8 & 0xf != u32::from(number) {
                    break;
                }
                count[index] += 1;
            }
            let number = self.options.channel;
            if u32::from(number) >= count[index] {
                let message = format!(
                    "it has {} {} channels, and channel {number} was asked for",
                    count[index],
                    direction.text()
                );
                return Err(self.not_ours(&message));
            }
            let id = self.config_word(direction.channel(number) + channel::ID)?;
            if id & 1 << 15 != 0 {
                return Err(
                    self.not_ours(&format!("{} channel {number} is a stream, not memory-mapped", direction.text()))
                );
            }
            let word = self.config_word(direction.channel(number) + channel::ALIGNMENTS)?;
            let (address, length, bits) = (word >> 16 & 0xff, word >> 8 & 0xff, word & 0xff);
            let both = address.max(length).max(1);
            if !both.is_power_of_two() || !(12..=64).contains(&bits) {
                let message =
                    format!("{} channel {number} has an alignment word {word:#x} that cannot be", direction.text());
                return Err(self.not_ours(&message));
            }
            alignment = alignment.max(both);
            address_bits = address_bits.min(bits);
        }
        self.lines = [u32::from(self.options.channel), count[0] + u32::from(self.options.channel)];
        let reach = if address_bits == 64 { u64::MAX } else { 1 << address_bits };
        let windows = if self.options.windows.is_empty() {
            vec![Window { address: 0, bytes: reach }]
        } else {
            self.options.windows.clone()
        };
        let user = u32::try_from(self.pci.bar_bytes(self.user)).unwrap_or(u32::MAX);
        let interrupts = self.pci.vectors() > 0;
        let registers = self.options.registers.min(user);
        self.capabilities = Capabilities { registers, windows, alignment, chunk: self.options.chunk, interrupts };
        Ok(())
    }

    /// Stops both engines and sets up interrupts, as after a reset.
    fn prepare(&mut self) -> Result<(), TransportError> {
        for direction in Direction::ALL {
            self.stop(direction)?;
            let base = direction.channel(self.options.channel);
            self.set_config(base + channel::INTERRUPT_MASK, control::LOG_ALL)?;
        }
        let vectors = self.pci.vectors();
        if vectors == 0 {
            self.set_config(block::USER_ENABLE, 0)?;
            return self.set_config(block::CHANNEL_ENABLE, 0);
        }
        for word in 0..4 {
            let packed = |offset: u32| (0..4).map(|i| ((offset + 4 * word + i) % vectors) << (8 * i)).sum();
            self.set_config(block::USER_VECTORS + 4 * word, packed(0))?;
            if word < 2 {
                self.set_config(block::CHANNEL_VECTORS + 4 * word, packed(CHANNEL_VECTORS))?;
            }
        }
        self.set_config(block::USER_ENABLE, 0xffff)?;
        self.set_config(block::CHANNEL_ENABLE, 1 << self.lines[0] | 1 << self.lines[1])
    }

    fn config_word(&mut self, offset: u32) -> Result<u32, TransportError> {
        let word = self.pci.read_bar(self.config, offset, Deadline::after(REGISTER_LIMIT))?;
        // No register of the XDMA that is read here can be all ones.
        if word == NOTHING { Err(self.gone(&format!("its register {offset:#x} reads as all ones"))) } else { Ok(word) }
    }

    fn set_config(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.pci.write_bar(self.config, offset, value, Deadline::after(REGISTER_LIMIT))
    }

    fn gone(&self, what: &str) -> TransportError {
        TransportError::Gone { name: self.pci.name(), what: what.to_owned() }
    }

    fn not_ours(&self, message: &str) -> TransportError {
        TransportError::System { what: format!("opening {}", self.pci.name()), message: message.to_owned() }
    }

    /// Clears the engine's run bit and waits until it stands still; whether it does.
    fn stop(&mut self, direction: Direction) -> Result<bool, TransportError> {
        let base = direction.channel(self.options.channel);
        self.set_config(base + channel::CONTROL_CLEAR, NOTHING)?;
        let deadline = Deadline::after(STOP_LIMIT);
        let mut pause = SHORTEST_SLICE;
        while self.config_word(base + channel::STATUS)? & BUSY != 0 {
            if deadline.passed() {
                self.stuck = Some(format!("{} engine {} does not stop", direction.text(), self.options.channel));
                return Ok(false);
            }
            std::thread::sleep(pause);
            pause = (2 * pause).min(LONGEST_SLICE);
        }
        // What it logged is of the past.
        self.config_word(base + channel::STATUS_CLEAR)?;
        Ok(true)
    }

    /// Where in DMA memory the bytes of a chunk for `address` begin, in buffer `index`.
    fn place(&self, address: u64, index: usize) -> usize {
        self.options.buffer(index % 2) + (address % LINE) as usize
    }

    fn start(
        &mut self,
        direction: Direction,
        address: u64,
        index: usize,
        bytes: usize,
    ) -> Result<Started, TransportError> {
        let buffer = self.place(address, index);
        let memory = self.pci.memory_address();
        let run = Run { direction, card: address, host: memory + buffer as u64, bytes };
        let most = self.options.descriptor as usize;
        let chain = engine::chain(&run, most, memory);
        self.pci.write_memory(0, &chain)?;
        let base = direction.channel(self.options.channel);
        let descriptors = engine::descriptors(bytes, most);
        let sgdma = direction.descriptors(self.options.channel);
        let mut go = control::RUN | control::LOG_ALL;
        if self.options.completion == Completion::Poll {
            let at = self.options.ring_bytes();
            self.pci.write_memory(at, &[0; 8])?;
            let at = memory + at as u64;
            self.set_config(base + channel::WRITE_BACK, at as u32)?;
            self.set_config(base + channel::WRITE_BACK + 4, (at >> 32) as u32)?;
            go |= control::POLL_WRITE_BACK;
        }
        self.set_config(sgdma + first::LOW, memory as u32)?;
        self.set_config(sgdma + first::HIGH, (memory >> 32) as u32)?;
        self.set_config(sgdma + first::ADJACENT, engine::adjacent(memory, descriptors - 1) as u32)?;
        self.set_config(base + channel::CONTROL, go)?;
        Ok(Started { run, buffer, descriptors: descriptors as u32 })
    }

    /// Whether the write-back word says that the engine has ended.
    fn written_back(&mut self, started: &Started) -> Result<bool, TransportError> {
        let mut word = [0; 4];
        self.pci.read_memory(self.options.ring_bytes(), &mut word)?;
        let word = u32::from_le_bytes(word);
        Ok(word & write_back::ERROR != 0 || word & write_back::COUNT >= started.descriptors)
    }

    fn finish(&mut self, started: &Started, deadline: Deadline) -> Result<(), TransportError> {
        let direction = started.run.direction;
        let base = direction.channel(self.options.channel);
        let line = self.lines[usize::from(direction == Direction::FromCard)];
        let mut slice = if self.capabilities.interrupts { FIRST_WAIT } else { SHORTEST_SLICE };
        let (mut looked, mut look_after) = (std::time::Instant::now(), SHORTEST_SLICE);
        loop {
            let look = if self.options.completion == Completion::Poll {
                let ended = self.written_back(started)?;
                if !ended {
                    std::thread::yield_now();
                }
                ended || looked.elapsed() >= look_after
            } else if self.capabilities.interrupts {
                let vector = (CHANNEL_VECTORS + line) % self.pci.vectors();
                self.pci.wait_interrupt(vector, slice.min(deadline.left()))?;
                slice = (2 * slice).min(LONGEST_SLICE);
                true
            } else {
                std::thread::sleep(slice.min(deadline.left()));
                slice = (2 * slice).min(LONGEST_SLICE);
                true
            };
            if look {
                let status = self.config_word(base + channel::STATUS)?;
                // One that was told to run and has not begun is not busy either, and has logged nothing.
                if status & BUSY == 0 && status != 0 {
                    break;
                }
                looked = std::time::Instant::now();
                look_after = (2 * look_after).min(LONGEST_SLICE);
            }
            if deadline.passed() {
                self.stop(direction)?;
                return Err(TransportError::Deadline {
                    what: format!(
                        "moving {} bytes at {:#x} by {} engine {} of {}",
                        started.run.bytes,
                        started.run.card,
                        direction.text(),
                        self.options.channel,
                        self.pci.name()
                    ),
                    limit: deadline.limit(),
                });
            }
        }
        let outcome = Outcome::new(direction, self.config_word(base + channel::STATUS_CLEAR)?);
        let completed = self.config_word(base + channel::COMPLETED)?;
        self.set_config(base + channel::CONTROL_CLEAR, control::RUN)?;
        let (address, bytes) = (started.run.card, started.run.bytes as u64);
        if outcome.is_error() {
            return Err(TransportError::Refused { address, bytes, answer: outcome.to_string() });
        }
        if completed != started.descriptors {
            let moved = (u64::from(completed) * u64::from(self.options.descriptor)).min(bytes);
            return Err(TransportError::Short { address, bytes, moved });
        }
        Ok(())
    }

    /// While a chunk is under way, the one before is copied out of its buffer.
    fn read_chunks(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        let chunk = self.options.chunk as usize;
        let mut under_way: Option<(usize, Started)> = None;
        for index in 0..=out.len().div_ceil(chunk) {
            if let Some((_, started)) = &under_way {
                let started = *started;
                self.finish(&started, deadline)?;
            }
            let from = index * chunk;
            let next = if from < out.len() {
                let bytes = chunk.min(out.len() - from);
                Some((from, self.start(Direction::FromCard, address + from as u64, index, bytes)?))
            } else {
                None
            };
            if let Some((from, started)) = under_way {
                self.pci.read_memory(started.buffer, &mut out[from..from + started.run.bytes])?;
            }
            under_way = next;
        }
        Ok(())
    }

    /// While a chunk is under way, the next is copied into its buffer.
    fn write_chunks(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        let mut under_way: Option<Started> = None;
        for (index, part) in bytes.chunks(self.options.chunk as usize).enumerate() {
            let address = address + (index * self.options.chunk as usize) as u64;
            let copied = self.pci.write_memory(self.place(address, index), part);
            if let Some(started) = under_way.take() {
                self.finish(&started, deadline)?;
            }
            copied?;
            under_way = Some(self.start(Direction::ToCard, address, index, part.len())?);
        }
        match under_way {
            Some(started) => self.finish(&started, deadline),
            None => Ok(()),
        }
    }

    /// Notes an error after which nobody knows what the engine does.
    fn note(&mut self, ended: Result<(), TransportError>) -> Result<(), TransportError> {
        if let Err(error @ (TransportError::Gone { .. } | TransportError::System { .. })) = &ended {
            self.stuck.get_or_insert_with(|| format!("it is not known what its engines do ({error})"));
        }
        ended
    }

    fn ready(&self, address: u64, bytes: usize) -> Result<(), TransportError> {
        self.capabilities.check(address, bytes)?;
        let Some(why) = &self.stuck else { return Ok(()) };
        Err(TransportError::System {
            what: format!("moving {bytes} bytes at {address:#x}"),
            message: format!("{why} since an earlier error; recover first"),
        })
    }
}

impl<P: Pci> Transport for Direct<P> {
    fn name(&self) -> String {
        self.pci.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        self.capabilities.check_register(offset)?;
        let word = self.pci.read_bar(self.user, offset, Deadline::after(REGISTER_LIMIT))?;
        if word == NOTHING {
            // A register may hold that; the XDMA's identifier may not.
            self.config_word(block::CONFIGURATION)?;
        }
        Ok(word)
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.capabilities.check_register(offset)?;
        self.pci.write_bar(self.user, offset, value, Deadline::after(REGISTER_LIMIT))?;
        // A write is posted; a read behind it returns when the card has it, and tells whether there is one.
        self.config_word(block::CONFIGURATION).map(|_| ())
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        self.ready(address, out.len())?;
        let ended = self.read_chunks(address, out, deadline);
        self.note(ended)
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        self.ready(address, bytes.len())?;
        let ended = self.write_chunks(address, bytes, deadline);
        self.note(ended)
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        let mut slice = Duration::from_millis(1);
        loop {
            // A line that is up already sends no message again.
            if self.config_word(block::USER_REQUEST)? >> (core % 32) & 1 == 1 {
                return Ok(());
            }
            if deadline.passed() {
                return Err(TransportError::Deadline {
                    what: format!("the interrupt of core {core} of {}", self.pci.name()),
                    limit: deadline.limit(),
                });
            }
            let wait = slice.min(deadline.left());
            if self.capabilities.interrupts && core < CHANNEL_VECTORS {
                if self.pci.wait_interrupt(core % self.pci.vectors(), wait)? {
                    return Ok(());
                }
            } else {
                std::thread::sleep(wait);
                return Ok(());
            }
            slice = (2 * slice).min(LONGEST_SLICE);
        }
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        self.pci.reset(Deadline::after(RESET_LIMIT))?;
        self.stuck = None;
        let id = self.config_word(block::CONFIGURATION)?;
        if id >> 16 != block::CONFIGURATION_ID {
            return Err(self.gone(&format!(
                "after a reset its configuration block says {id:#x}; `fenn-run doctor` may know more"
            )));
        }
        self.prepare()?;
        match &self.stuck {
            None => Ok(()),
            Some(why) => Err(self.gone(&format!("after a reset, {why}; the host must be restarted"))),
        }
    }
}
