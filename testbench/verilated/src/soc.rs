//! A card as a Verilated model, as a host reaches it.
//!
//! Contract: a [`VerilatedCard`] is one model of `rtl/soc/fenn_soc.sv` with a host ([`master`]) on its two slaves and DRAM
//! ([`dram`]) on its master, and as a [`Transport`] what a driver talks to. Its clock stands still between calls. The assertions
//! of the model are part of it: when one fails, every call is [`TransportError::Gone`], and the assertion's text is on the standard
//! output.
//!
//! Not here: any knowledge of the card's inside, and what registers mean.

pub mod dram;
pub mod master;
pub mod ports;

use fenn_host::transport::{Capabilities, Deadline, Transport, TransportError, Window};
use fenn_isa::memory::Space;
use fenn_isa::soc::{CardRegister, REGISTER_BYTES, window};
use rand::RngExt;

use self::dram::Dram;
use self::master::{Batch, Burst, Master, Outcome, Read, Register, Write};
use self::ports::{SocInputs, SocOutputs};
use crate::axi::Pace;
use crate::core::CoreError;
use crate::ffi;

/// The cards that have models: `soc_board` has one core with the published board's memories and a port of 128 bits, `soc_two` and
/// `soc_four` have so many cores with small memories and ports of 64 and 512 bits.
pub const CARDS: [&str; 3] = ["soc_board", "soc_two", "soc_four"];

/// After so many cycles the host's clock is looked at.
const LOOK: u64 = 4096;
/// Bytes that no burst crosses.
const PAGE: u64 = 4096;
/// Most beats of a burst.
const BEATS: u64 = 256;
/// How many bytes of bursts are made at a time.
const BATCH: usize = 64 << 10;
/// Cycles that are given to what is under way when the way to the card is brought back.
const PATIENCE: u64 = 1 << 20;

/// An answer on an AXI port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Answer {
    /// Done.
    Okay = 0,
    /// Done, exclusively; nobody here asks for that.
    Exclusive = 1,
    /// The one who was asked could not.
    SlaveError = 2,
    /// Nobody is there.
    DecodeError = 3,
}

impl Answer {
    fn of(code: u8) -> Self {
        match code & 3 {
            0 => Self::Okay,
            1 => Self::Exclusive,
            2 => Self::SlaveError,
            _ => Self::DecodeError,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Okay => "okay",
            Self::Exclusive => "exclusive okay",
            Self::SlaveError => "slave error",
            Self::DecodeError => "decode error",
        }
    }
}

fn words_of(bytes: &[u8; 64]) -> [u32; 16] {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

fn bytes_of(words: &[u32; 16]) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    bytes
}

/// One card.
pub struct VerilatedCard {
    model: ffi::OwnedSoc,
    name: String,
    inputs: Box<SocInputs>,
    outputs: Box<SocOutputs>,
    dram: Dram,
    pace: Pace,
    /// What a call that had to end by its deadline left behind.
    unfinished: Option<Master>,
    capabilities: Capabilities,
    cores: u32,
    width: u64,
    clock: u64,
    /// An assertion has failed.
    failed: bool,
}

impl std::fmt::Debug for VerilatedCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerilatedCard").field("name", &self.name).field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl VerilatedCard {
    /// The card with this name, after a reset, with a host and DRAM that never hesitate.
    ///
    /// # Errors
    /// [`CoreError::NotBuilt`], [`CoreError::NoModel`]; [`CoreError::Card`] where it does not answer.
    pub fn new(name: &str) -> Result<Self, CoreError> {
        Self::mutant(name, 0)
    }

    /// As [`VerilatedCard::new`]; `mutant` is 0 except for `soc_mutants`, which has the mistakes of `mutants_soc.toml`.
    ///
    /// # Errors
    /// As [`VerilatedCard::new`].
    pub fn mutant(name: &str, mutant: u32) -> Result<Self, CoreError> {
        let capabilities = Capabilities {
            registers: REGISTER_BYTES,
            windows: Vec::new(),
            alignment: 4,
            chunk: 4096,
            interrupts: true,
        };
        let mut card = Self {
            model: ffi::owned_soc(name, mutant)?,
            name: name.to_owned(),
            inputs: Box::default(),
            outputs: Box::default(),
            dram: Dram::new(8, Pace::Steady),
            pace: Pace::Steady,
            unfinished: None,
            capabilities,
            cores: 0,
            width: 8,
            clock: 0,
            failed: false,
        };
        card.reset().and_then(|()| card.look()).map_err(CoreError::Card)?;
        Ok(card)
    }

    /// Reads off the registers what can be reached.
    fn look(&mut self) -> Result<(), TransportError> {
        let mut read = |register: CardRegister| self.read_register(register.spec().offset);
        let cores = read(CardRegister::Cores)?;
        let lanes = read(CardRegister::Lanes)?;
        let sizes = [
            (Space::Instruction, read(CardRegister::InstructionBytes)?),
            (Space::Scalar, read(CardRegister::ScalarBytes)?),
            (Space::Vector, read(CardRegister::VectorBytes)?),
            (Space::LaneLocal, lanes * read(CardRegister::LaneBytes)?),
        ];
        let dram = u64::from(read(CardRegister::DramHigh)?) << 32 | u64::from(read(CardRegister::DramLow)?);
        self.width = u64::from(read(CardRegister::DataWidth)? / 8);
        self.cores = cores;
        for (space, bytes) in sizes {
            let places = (0..cores).map(|core| Window { address: window(space, core), bytes: bytes.into() });
            self.capabilities.windows.extend(places);
        }
        self.capabilities.windows.push(Window { address: window(Space::Dram, 0), bytes: dram });
        self.capabilities.chunk = PAGE.min(BEATS * self.width) as u32;
        self.dram = Dram::new(self.width, Pace::Steady);
        Ok(())
    }

    /// Resets the whole card. Memories and DRAM keep their contents.
    ///
    /// # Errors
    /// [`TransportError::Gone`] when an assertion fails.
    pub fn reset(&mut self) -> Result<(), TransportError> {
        self.unfinished = None;
        *self.inputs = SocInputs { reset: true, ..SocInputs::default() };
        for _ in 0..4 {
            self.edge()?;
        }
        self.inputs.reset = false;
        // Cores take a few cycles more.
        for _ in 0..4 {
            self.edge()?;
        }
        Ok(())
    }

    /// How fast the host and DRAM are from now on.
    pub fn set_pace(&mut self, host: Pace, dram: Pace) {
        self.pace = host;
        self.dram.set_pace(dram);
    }

    /// Cores of the card.
    pub fn cores(&self) -> u32 {
        self.cores
    }

    /// Bytes of the host's port.
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Rising edges so far.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// The interrupts that are up, bit n core n's.
    pub fn interrupts(&self) -> u32 {
        self.outputs.irq
    }

    /// DRAM, past the card.
    pub fn dram(&mut self) -> &mut Dram {
        &mut self.dram
    }

    /// Lets cycles pass.
    ///
    /// # Errors
    /// [`TransportError::Gone`].
    pub fn idle(&mut self, cycles: u64) -> Result<(), TransportError> {
        (0..cycles).try_for_each(|_| self.tick())
    }

    /// Does a batch, with what is in it at the same time.
    ///
    /// # Errors
    /// [`TransportError::Deadline`], [`TransportError::Gone`]. Answers that are errors are part of the outcome.
    pub fn perform(&mut self, batch: Batch, deadline: Deadline) -> Result<Outcome, TransportError> {
        if let Some(left) = self.unfinished.take() {
            self.finish(left, deadline)?;
        }
        self.finish(Master::new(batch), deadline)
    }

    fn finish(&mut self, mut master: Master, deadline: Deadline) -> Result<Outcome, TransportError> {
        let begun = self.clock;
        while !master.is_done() {
            master.drive(&self.outputs, &mut self.inputs, &mut self.pace);
            self.tick()?;
            if (self.clock - begun).is_multiple_of(LOOK) && deadline.passed() {
                self.unfinished = Some(master);
                self.rest();
                let cycles = self.clock - begun;
                let what = format!("{} (bursts and registers, {cycles} cycles so far)", self.name());
                return Err(TransportError::Deadline { what, limit: deadline.limit() });
            }
        }
        self.rest();
        Ok(master.into_outcome())
    }

    /// Nobody takes anything between calls; what is offered stays, for it may not be taken back.
    fn rest(&mut self) {
        self.inputs.host_rready = false;
        self.inputs.host_bready = false;
        self.inputs.axil_rready = false;
        self.inputs.axil_bready = false;
        if self.unfinished.is_none() {
            self.inputs.host_awvalid = false;
            self.inputs.host_wvalid = false;
            self.inputs.host_arvalid = false;
            self.inputs.axil_awvalid = false;
            self.inputs.axil_wvalid = false;
            self.inputs.axil_arvalid = false;
        }
    }

    /// One cycle, with DRAM.
    #[inline]
    fn tick(&mut self) -> Result<(), TransportError> {
        self.dram.drive(&self.outputs, &mut self.inputs);
        self.edge()
    }

    #[inline]
    fn edge(&mut self) -> Result<(), TransportError> {
        if !self.failed {
            self.failed = !ffi::soc_cycle(&mut self.model, &self.inputs, &mut self.outputs);
            self.clock += 1;
        }
        if self.failed {
            let what = format!("an assertion of the model failed in cycle {}", self.clock);
            return Err(TransportError::Gone { name: self.name(), what });
        }
        Ok(())
    }

    fn register(&mut self, access: Register, offset: u32) -> Result<u32, TransportError> {
        self.capabilities.check_register(offset)?;
        let batch = Batch { registers: vec![access], ..Batch::default() };
        let outcome = self.perform(batch, Deadline::after(REGISTER_LIMIT))?;
        match outcome.registers[0] {
            (value, Answer::Okay) => Ok(value),
            (_, answer) => {
                let answer = answer.text().to_owned();
                Err(TransportError::Refused { address: offset.into(), bytes: 4, answer })
            }
        }
    }

    /// The bursts that move `bytes` bytes at `address`: as long as can be, or, for a host that hesitates, of any size.
    fn bursts(&mut self, address: u64, bytes: u64) -> Vec<Part> {
        let mut parts = Vec::new();
        let (mut at, end) = (address, address + bytes);
        while at < end {
            let (mut size, mut most) = (self.width.trailing_zeros() as u8, BEATS);
            if let Pace::Random { source, .. } = &mut self.pace
                && source.random_range(0..3) == 0
            {
                size = source.random_range(2..=size);
                most = source.random_range(1..=16);
            }
            let beat = 1 << size;
            let container = at - at % beat;
            let stop = end.min(container - container % PAGE + PAGE).min(container + most * beat);
            let beats = (stop - container).div_ceil(beat) as u32;
            parts.push(Part { address: at, bytes: stop - at, size, beats });
            at = stop;
        }
        parts
    }

    fn beats_of(&self, part: Part, bytes: &[u8]) -> Vec<([u8; 64], u64)> {
        let beat = 1 << part.size;
        let mut beats = vec![([0; 64], 0); part.beats as usize];
        let first = part.address - part.address % beat;
        for (index, byte) in bytes.iter().enumerate() {
            let at = part.address + index as u64;
            let (data, strobes) = &mut beats[((at - first) / beat) as usize];
            let lane = at % self.width;
            data[lane as usize] = *byte;
            *strobes |= 1 << lane;
        }
        beats
    }
}

/// How long a register access may take: the card answers it in a few cycles.
const REGISTER_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// A burst, of a longer transfer.
#[derive(Debug, Clone, Copy)]
struct Part {
    address: u64,
    bytes: u64,
    size: u8,
    beats: u32,
}

fn refused(address: u64, bytes: usize, answer: Answer) -> TransportError {
    TransportError::Refused { address, bytes: bytes as u64, answer: answer.text().to_owned() }
}

impl Transport for VerilatedCard {
    fn name(&self) -> String {
        format!("Verilated card {}", self.name)
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        self.register(Register::Read(offset), offset)
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.register(Register::Write(offset, value, 0b1111), offset).map(|_| ())
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        self.capabilities.check(address, out.len())?;
        let total = out.len();
        let mut at = address;
        for out in out.chunks_mut(BATCH) {
            let parts = self.bursts(at, out.len() as u64);
            let read = |part: &Part| Read {
                address: part.address,
                size: part.size,
                burst: Burst::Incrementing,
                beats: part.beats,
            };
            let batch = Batch { reads: parts.iter().map(read).collect(), ..Batch::default() };
            let outcome = self.perform(batch, deadline)?;
            for (part, beats) in parts.iter().zip(&outcome.reads) {
                let worst = beats.iter().map(|beat| beat.answer).max().unwrap_or(Answer::Okay);
                if worst != Answer::Okay {
                    return Err(refused(address, total, worst));
                }
                let (beat, first) = (1 << part.size, part.address - part.address % (1 << part.size));
                for byte in 0..part.bytes {
                    let place = part.address + byte;
                    let bytes = &beats[((place - first) / beat) as usize].bytes;
                    out[(place - at) as usize] = bytes[(place % self.width) as usize];
                }
            }
            at += out.len() as u64;
        }
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        self.capabilities.check(address, bytes.len())?;
        let mut at = address;
        for chunk in bytes.chunks(BATCH) {
            let parts = self.bursts(at, chunk.len() as u64);
            let write = |part: &Part| {
                let from = (part.address - at) as usize;
                let beats = self.beats_of(*part, &chunk[from..from + part.bytes as usize]);
                Write { address: part.address, size: part.size, burst: Burst::Incrementing, beats }
            };
            let batch = Batch { writes: parts.iter().map(write).collect(), ..Batch::default() };
            let outcome = self.perform(batch, deadline)?;
            let worst = outcome.writes.iter().copied().max().unwrap_or(Answer::Okay);
            if worst != Answer::Okay {
                return Err(refused(address, bytes.len(), worst));
            }
            at += chunk.len() as u64;
        }
        Ok(())
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        if core >= self.cores {
            let message = format!("the card has {} cores", self.cores);
            return Err(TransportError::System { what: format!("waiting for core {core}"), message });
        }
        let begun = self.clock;
        while self.outputs.irq >> core & 1 == 0 {
            self.tick()?;
            if (self.clock - begun).is_multiple_of(LOOK) && deadline.passed() {
                let what = format!("the interrupt of core {core} of {}", self.name());
                return Err(TransportError::Deadline { what, limit: deadline.limit() });
            }
        }
        Ok(())
    }

    /// Lets what is under way come to its end, for a million cycles.
    fn recover(&mut self) -> Result<(), TransportError> {
        let Some(mut master) = self.unfinished.take() else { return Ok(()) };
        for _ in 0..PATIENCE {
            if master.is_done() {
                self.rest();
                return Ok(());
            }
            master.drive(&self.outputs, &mut self.inputs, &mut self.pace);
            self.tick()?;
        }
        self.unfinished = Some(master);
        self.rest();
        let message = format!("what is under way does not end within {PATIENCE} cycles; reset the card");
        Err(TransportError::System { what: self.name(), message })
    }
}
