//! The whole machine as bytes, to be continued later.
//!
//! Contract: a machine restored from a snapshot does the same as the one it was taken of, bit for bit and cycle for cycle:
//! registers, generators, CSRs, running transfers, memories, results on their way, what the fetch unit has learnt, and all
//! counts are in it. A file that was cut short or changed, or that another version wrote, gives one error that says where;
//! no bytes make this module panic, and none make it allocate more than a machine with the largest memories needs.
//!
//! The file is little-endian:
//!
//! | offset | bytes | contents |
//! | --- | --- | --- |
//! | 0 | 8 | `FeNNsnap` |
//! | 8 | 4 | [`VERSION`] |
//! | 12 | | the sections, each once and in this order, and nothing behind them |
//!
//! A section is its tag of 4 bytes, the length of its contents in 8, the contents, and in 4 bytes the CRC-32 (that of
//! Ethernet and zip) of all that. What one holds:
//!
//! | tag | contents |
//! | --- | --- |
//! | `MACH` | bytes of instruction, scalar, vector, lane-local (one lane) and DRAM memory, 4 each; 1 if strict; entry point, 4; address of the ready flag, 4, all ones for none |
//! | `PROF` | the timing: name, 16 bytes filled up with zeros; then every number of [`Profile`] in the order of its fields |
//! | `CORE` | `pc`; `x1` to `x31`; `v0` to `v31`; both halves of the generators; the stored CSRs; cycles; instructions retired |
//! | `DMA ` | for each channel: source, destination, count, status, cycles waited for it, the clock of the last status read that found it busy, and source, destination, bytes, beginning and waits of the running transfer; a byte before what need not be there |
//! | `PIPE` | the clock and the cause of every pending result, the other clocks, the branch target buffer, the stall table |
//! | `INST` `SCAL` `VECT` `LANE` `DRAM` | a memory: its pages of [`PAGE`] bytes that are not all zero, each behind its address of 4 bytes |
//!
//! Invariant: a section is described once, by one function that both reads and writes it, so neither can forget a field.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fenn_isa::csr::dma_status;
use fenn_isa::memory::{LANES, MachineConfig, Space};
use fenn_isa::operand::XReg;
use fenn_isa::timing::{
    ClassTiming, Divider, DividerSkip, DramTiming, FENN, PROFILES, PUBLISHED_DRAM, Profile, Redirect, StallCause,
};

use crate::dma::{Channel, Direction, Dma, Running, Transfer};
use crate::error::Error;
use crate::execute::{Core, NO_READY_FLAG};
use crate::machine::{Machine, Options};
use crate::memory::Memory;
use crate::state::{Csrs, Generators, State, Vector};
use crate::timing::Pipeline;

/// The version of the format that this crate writes and reads.
pub const VERSION: u32 = 2;
/// Bytes of a memory that are stored or left out together.
pub const PAGE: u32 = 4096;

const MAGIC: [u8; 8] = *b"FeNNsnap";
/// Bytes of a section besides its contents.
const FRAME: usize = 4 + 8 + 4;
/// Longer than any simulation: counts up to here can be added up without overflow.
const MOST: u64 = 1 << 56;

/// A part of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Section {
    /// What kind of machine it is.
    Machine,
    /// How it is timed.
    Profile,
    /// Registers and counters.
    Core,
    /// The DMA engine.
    Dma,
    /// The pipeline.
    Pipeline,
    /// A memory.
    Memory(Space),
}

impl Section {
    /// Its tag in the file.
    pub const fn tag(self) -> [u8; 4] {
        *match self {
            Self::Machine => b"MACH",
            Self::Profile => b"PROF",
            Self::Core => b"CORE",
            Self::Dma => b"DMA ",
            Self::Pipeline => b"PIPE",
            Self::Memory(Space::Instruction) => b"INST",
            Self::Memory(Space::Scalar) => b"SCAL",
            Self::Memory(Space::Vector) => b"VECT",
            Self::Memory(Space::LaneLocal) => b"LANE",
            Self::Memory(Space::Dram) => b"DRAM",
        }
    }
}

impl core::fmt::Display for Section {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Machine => f.write_str("the machine's description"),
            Self::Profile => f.write_str("the machine's timing"),
            Self::Core => f.write_str("the core's state"),
            Self::Dma => f.write_str("the DMA engine's state"),
            Self::Pipeline => f.write_str("the pipeline's state"),
            Self::Memory(space) => write!(f, "the contents of {space}"),
        }
    }
}

/// Why bytes are no snapshot, or a machine cannot be written as one.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The first bytes are not those of a snapshot.
    #[error("this is not a snapshot; fenn-sim --snapshot writes them")]
    NotSnapshot,
    /// Another version of the format.
    #[error("this snapshot has version {found} of the format, and this simulator reads version {VERSION}")]
    Version {
        /// What the file says.
        found: u32,
    },
    /// The file ends too early.
    #[error("the snapshot is truncated: {section} at offset {offset} needs {needed} bytes and {left} are left")]
    Truncated {
        /// What does not fit.
        section: Section,
        /// Where it begins.
        offset: u64,
        /// Its length, or that of what comes before its contents.
        needed: u64,
        /// What the file has from there on.
        left: u64,
    },
    /// Another section than the next one.
    #[error("the snapshot is damaged: at offset {offset} should be {section}, and is {found:?}")]
    Order {
        /// What should be there.
        section: Section,
        /// Where.
        offset: u64,
        /// The tag that is there.
        found: String,
    },
    /// A section's bytes have changed.
    #[error("the snapshot is damaged: the checksum of {section} at offset {offset} is wrong")]
    Checksum {
        /// Which.
        section: Section,
        /// Where it begins.
        offset: u64,
    },
    /// A value that no machine has.
    #[error("the snapshot is wrong: in {section}, at offset {offset}, {what}")]
    Value {
        /// Where.
        section: Section,
        /// Behind the value.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Something behind the last section.
    #[error("the snapshot is damaged: {left} bytes follow its end at offset {offset}")]
    Trailing {
        /// The end.
        offset: u64,
        /// How many bytes.
        left: u64,
    },
    /// The machine is in a state that snapshots cannot hold.
    #[error("no snapshot can be taken: in {section}, {what}")]
    State {
        /// Where.
        section: Section,
        /// What is wrong.
        what: String,
    },
    /// The system could not read the file.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The system could not write the file.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is no snapshot.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<SnapshotError>,
    },
}

impl Machine {
    /// The whole machine as bytes; see the [module](self).
    ///
    /// # Errors
    /// [`SnapshotError::State`] for a count beyond 2^56, and for a timing whose name no [`Profile`] of this crate has.
    pub fn snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        let mut machine = Parts::of(self);
        let mut file = MAGIC.to_vec();
        file.extend(VERSION.to_le_bytes());
        for section in SECTIONS {
            let begin = file.len();
            file.extend(section.tag());
            file.extend([0; 8]);
            let mut put = Put(&mut file);
            machine.section(section, &mut put).map_err(|what| SnapshotError::State { section, what })?;
            let length = (file.len() - begin - 12) as u64;
            file[begin + 4..begin + 12].copy_from_slice(&length.to_le_bytes());
            let sum = crc32fast::hash(&file[begin..]);
            file.extend(sum.to_le_bytes());
        }
        Ok(file)
    }

    /// The machine that `bytes` is a snapshot of.
    ///
    /// # Errors
    /// The first thing that keeps the bytes from being one, with its place.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(SnapshotError::NotSnapshot)?;
        let (version, _) = rest.split_first_chunk().ok_or(SnapshotError::NotSnapshot)?;
        let found = u32::from_le_bytes(*version);
        if found != VERSION {
            return Err(SnapshotError::Version { found });
        }
        let mut at = MAGIC.len() + 4;
        let mut machine = Parts::new();
        for section in SECTIONS {
            let contents = frame(bytes, at, section)?;
            let begin = at + 12;
            let mut take = Take { bytes: contents, at: 0 };
            let read = machine.section(section, &mut take).and_then(|()| match contents.len() - take.at {
                0 => Ok(()),
                more => Err(format!("there are {more} bytes too many")),
            });
            read.map_err(|what| SnapshotError::Value { section, offset: (begin + take.at) as u64, what })?;
            at = begin + contents.len() + 4;
        }
        match bytes.len() - at {
            0 => Ok(machine.machine),
            left => Err(SnapshotError::Trailing { offset: at as u64, left: left as u64 }),
        }
    }

    /// Writes a snapshot to a file: beside it first, then renamed, so that there is never half a file of that name.
    ///
    /// # Errors
    /// As [`Machine::snapshot`], and where the system refuses.
    pub fn write_snapshot(&self, path: impl AsRef<Path>) -> Result<(), SnapshotError> {
        let path = path.as_ref();
        let bytes = self.snapshot()?;
        fenn_isa::file::write_whole(path, &bytes)
            .map_err(|source| SnapshotError::Write { path: path.to_owned(), source })
    }

    /// The machine that a file is a snapshot of.
    ///
    /// # Errors
    /// As [`Machine::from_snapshot`], and where the system refuses.
    pub fn read_snapshot(path: impl AsRef<Path>) -> Result<Self, SnapshotError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| SnapshotError::Read { path: path.to_owned(), source })?;
        Self::from_snapshot(&bytes)
            .map_err(|source| SnapshotError::File { path: path.to_owned(), source: Box::new(source) })
    }
}

/// All sections, in the file's order: what a section needs to know comes before it.
const SECTIONS: [Section; 10] = [
    Section::Machine,
    Section::Profile,
    Section::Memory(Space::Instruction),
    Section::Memory(Space::Scalar),
    Section::Memory(Space::Vector),
    Section::Memory(Space::LaneLocal),
    Section::Memory(Space::Dram),
    Section::Core,
    Section::Dma,
    Section::Pipeline,
];

/// The contents of the section that begins at `at`, its tag, length and checksum having been found right.
fn frame(bytes: &[u8], at: usize, section: Section) -> Result<&[u8], SnapshotError> {
    let offset = at as u64;
    let rest = &bytes[at..];
    let left = rest.len() as u64;
    let truncated = |needed| SnapshotError::Truncated { section, offset, needed, left };
    let (tag, behind) = rest.split_first_chunk::<4>().ok_or(truncated(FRAME as u64))?;
    if *tag != section.tag() {
        return Err(SnapshotError::Order { section, offset, found: tag.escape_ascii().to_string() });
    }
    let (length, _) = behind.split_first_chunk().ok_or(truncated(FRAME as u64))?;
    let needed = u64::from_le_bytes(*length).saturating_add(FRAME as u64);
    if needed > left {
        return Err(truncated(needed));
    }
    let (summed, sum) = rest[..needed as usize].split_at(needed as usize - 4);
    if crc32fast::hash(summed).to_le_bytes() != *sum {
        return Err(SnapshotError::Checksum { section, offset });
    }
    Ok(&summed[12..])
}

/// Fields in their order, on their way into a file or out of it.
trait Fields {
    /// Stores the bytes, or replaces them by the stored ones.
    fn raw(&mut self, bytes: &mut [u8]) -> Result<(), String>;

    /// How many bytes are still to be read; `None` for a writer.
    fn left(&self) -> Option<usize>;

    fn u8(&mut self, value: &mut u8) -> Result<(), String> {
        self.raw(core::slice::from_mut(value))
    }

    fn u16(&mut self, value: &mut u16) -> Result<(), String> {
        let mut bytes = value.to_le_bytes();
        self.raw(&mut bytes)?;
        *value = u16::from_le_bytes(bytes);
        Ok(())
    }

    fn u32(&mut self, value: &mut u32) -> Result<(), String> {
        let mut bytes = value.to_le_bytes();
        self.raw(&mut bytes)?;
        *value = u32::from_le_bytes(bytes);
        Ok(())
    }

    fn u64(&mut self, value: &mut u64) -> Result<(), String> {
        let mut bytes = value.to_le_bytes();
        self.raw(&mut bytes)?;
        *value = u64::from_le_bytes(bytes);
        Ok(())
    }

    /// A clock or a count.
    fn clock(&mut self, value: &mut u64) -> Result<(), String> {
        self.u64(value)?;
        ensure(*value <= MOST, || format!("{value} cycles or instructions are too many"))
    }

    fn flag(&mut self, value: &mut bool) -> Result<(), String> {
        let mut byte = u8::from(*value);
        self.u8(&mut byte)?;
        *value = byte == 1;
        ensure(byte <= 1, || format!("{byte} is neither yes nor no"))
    }

    /// Something that need not be there, behind a byte that says whether it is.
    fn option<T>(
        &mut self,
        value: &mut Option<T>,
        blank: T,
        field: impl FnOnce(&mut Self, &mut T) -> Result<(), String>,
    ) -> Result<(), String>
    where
        Self: Sized,
    {
        let mut there = value.is_some();
        self.flag(&mut there)?;
        if there { field(self, value.get_or_insert(blank)) } else { Ok(()) }
    }

    /// One of `all`.
    fn one_of<T: Copy + PartialEq>(&mut self, value: &mut T, all: &[T]) -> Result<(), String> {
        let mut index = all.iter().position(|each| each == value).ok_or("something has no number")? as u8;
        self.u8(&mut index)?;
        *value = *all.get(usize::from(index)).ok_or_else(|| format!("{index} is none of {} numbers", all.len()))?;
        Ok(())
    }

    fn vector(&mut self, value: &mut Vector) -> Result<(), String> {
        let mut bytes = value.to_bytes();
        self.raw(&mut bytes)?;
        *value = Vector::from_bytes(&bytes);
        Ok(())
    }
}

fn ensure(good: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(what()) }
}

struct Put<'a>(&'a mut Vec<u8>);

impl Fields for Put<'_> {
    fn raw(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn left(&self) -> Option<usize> {
        None
    }
}

struct Take<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields for Take<'_> {
    fn raw(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        let stored = self.bytes.get(self.at..self.at + bytes.len()).ok_or("something is missing")?;
        bytes.copy_from_slice(stored);
        self.at += bytes.len();
        Ok(())
    }

    fn left(&self) -> Option<usize> {
        Some(self.bytes.len() - self.at)
    }
}

/// A machine while it is written, or is being put together.
struct Parts {
    machine: Machine,
    config: MachineConfig,
    options: Options,
    entry: u32,
    ready_flag: u32,
}

impl Parts {
    fn of(machine: &Machine) -> Self {
        Self {
            machine: machine.clone(),
            config: *machine.config(),
            options: machine.options(),
            entry: machine.entry,
            ready_flag: machine.core.ready_flag,
        }
    }

    /// A machine as small as can be, to be replaced when its size is known.
    fn new() -> Self {
        let config = MachineConfig {
            instruction_bytes: 4,
            scalar_bytes: 4,
            vector_bytes: 64,
            lane_local_bytes: 2,
            dram_bytes: 64,
        };
        let options = Options { strict: false, profile: FENN, ..Options::default() };
        let machine = Machine::new(config, options).expect("every size is the least that is allowed");
        Self { machine, config, options, entry: 0, ready_flag: NO_READY_FLAG }
    }

    fn section(&mut self, section: Section, io: &mut impl Fields) -> Result<(), String> {
        match section {
            Section::Machine => self.machine(io),
            Section::Profile => self.profile(io),
            Section::Memory(space) => memory(&mut self.machine.core.memory, space, io),
            Section::Core => core(&mut self.machine.core.state, io),
            Section::Dma => self.dma(io),
            Section::Pipeline => self.pipeline(io),
        }
    }

    fn machine(&mut self, io: &mut impl Fields) -> Result<(), String> {
        let MachineConfig { instruction_bytes, scalar_bytes, vector_bytes, lane_local_bytes, dram_bytes } =
            &mut self.config;
        for bytes in [instruction_bytes, scalar_bytes, vector_bytes, lane_local_bytes, dram_bytes] {
            io.u32(bytes)?;
        }
        self.config.check().map_err(|error| error.to_string())?;
        io.flag(&mut self.options.strict)?;
        io.u32(&mut self.entry)?;
        ensure(self.entry.is_multiple_of(4) && self.entry < self.config.instruction_bytes, || {
            format!("the entry point {:#x} is not in instruction memory", self.entry)
        })?;
        io.u32(&mut self.ready_flag)?;
        let flag = self.ready_flag;
        ensure(flag == NO_READY_FLAG || flag.is_multiple_of(4) && flag < self.config.scalar_bytes, || {
            format!("the ready flag {flag:#x} is not a word in scalar memory")
        })
    }

    /// The timing; behind it the machine is known.
    fn profile(&mut self, io: &mut impl Fields) -> Result<(), String> {
        timing(&mut self.options.profile, io)?;
        if io.left().is_some() {
            self.machine = Machine::new(self.config, self.options).map_err(|error: Error| error.to_string())?;
            self.machine.entry = self.entry;
            self.machine.core.ready_flag = self.ready_flag;
        }
        Ok(())
    }

    fn dma(&mut self, io: &mut impl Fields) -> Result<(), String> {
        let Core { state, memory, dram, .. } = &mut self.machine.core;
        let mut channels = Direction::ALL.map(|direction| state.dma.channel(direction).clone());
        for (channel, direction) in channels.iter_mut().zip(Direction::ALL) {
            channel_fields(channel, direction, io)?;
            let future = channel.polled.is_some_and(|polled| polled > state.cycles);
            ensure(!future, || "the status was read in the future".to_owned())?;
            if let Some(Running { transfer, begins, waits, .. }) = channel.running {
                let possible = transfer.check(memory).is_ok();
                ensure(possible, || "the DMA engine cannot do the running transfer".to_owned())?;
                channel.running = Some(Running::new(transfer, begins, waits, dram));
            }
        }
        state.dma = Dma::from_channels(channels);
        Ok(())
    }

    fn pipeline(&mut self, io: &mut impl Fields) -> Result<(), String> {
        // The profile has a section of its own, and decides how long the buffer is.
        let Pipeline { profile: _, ready, cause, drained, returnable, shadow: (number, free), buffer, stalls } =
            &mut self.machine.timing;
        for (ready, cause) in ready.iter_mut().zip(cause) {
            io.clock(ready)?;
            io.one_of(cause, &StallCause::ALL)?;
        }
        ensure(ready[0] == 0, || "something waits for nothing".to_owned())?;
        io.clock(drained)?;
        io.clock(returnable)?;
        io.u8(number)?;
        io.clock(free)?;
        buffer.iter_mut().try_for_each(|pc| io.u32(pc))?;
        stalls.0.iter_mut().try_for_each(|cycles| io.clock(cycles))
    }
}

fn timing(profile: &mut Profile, io: &mut impl Fields) -> Result<(), String> {
    let Profile {
        name,
        doc,
        classes,
        divider: Divider { base, skip },
        misaligned,
        redirect: Redirect { branch, jump, jump_register, trap_return, trap, buffer },
        early_jump_operand,
        csr_to_return,
        counter_drain,
        false_dependency,
        merged_is_read,
        shared_vector_port,
        dram: DramTiming { latency, bytes_per_cycle },
    } = profile;
    let padded = |name: &str| {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
        bytes
    };
    let mut stored = padded(name);
    io.raw(&mut stored)?;
    let known = PROFILES.iter().find(|profile| padded(profile.name) == stored);
    let known = known.ok_or_else(|| format!("this simulator has no timing called {}", stored.escape_ascii()))?;
    (*name, *doc) = (known.name, known.doc);
    for ClassTiming { occupancy, latency } in classes {
        io.u8(occupancy)?;
        io.u8(latency)?;
    }
    io.u8(base)?;
    io.one_of(skip, &[None, Some(DividerSkip::Magnitude), Some(DividerSkip::Complement)])?;
    io.u8(misaligned)?;
    for cycles in [branch, jump, jump_register, trap_return, trap, buffer] {
        io.u8(cycles)?;
    }
    for cycles in [early_jump_operand, csr_to_return, counter_drain] {
        io.u8(cycles)?;
    }
    for answer in [false_dependency, merged_is_read, shared_vector_port] {
        io.flag(answer)?;
    }
    io.u32(latency)?;
    io.u32(bytes_per_cycle)?;
    profile.check().map_err(|error| error.to_string())
}

fn core(state: &mut State, io: &mut impl Fields) -> Result<(), String> {
    io.u32(&mut state.pc)?;
    for index in 1..32 {
        let reg = XReg::new(index).expect("there are 32 registers");
        let mut value = state.x(reg);
        io.u32(&mut value)?;
        state.set_x(reg, value);
    }
    state.v.iter_mut().try_for_each(|vector| io.vector(vector))?;
    let Generators { s0, s1 } = &mut state.generators;
    let halves: [&mut [u16; LANES]; 2] = [s0, s1];
    halves.into_iter().flatten().try_for_each(|lane| io.u16(lane))?;
    let Csrs { mstatus, mtvec, mcountinhibit, mscratch, mepc, mcause, mtval, mcycle, minstret } = &mut state.csrs;
    for csr in [&mut *mstatus, mtvec, mcountinhibit, mscratch, mepc, mcause, mtval] {
        io.u32(csr)?;
    }
    io.u64(mcycle)?;
    io.u64(minstret)?;
    ensure(state.csrs.is_legal(), || "a CSR holds what cannot be written to it".to_owned())?;
    io.clock(&mut state.cycles)?;
    io.clock(&mut state.retired)
}

fn channel_fields(channel: &mut Channel, direction: Direction, io: &mut impl Fields) -> Result<(), String> {
    let Channel { source, destination, count, status, running, polled, waited } = channel;
    for register in [source, destination, count, &mut *status] {
        io.u32(register)?;
    }
    io.clock(waited)?;
    io.option(polled, 0, |io, polled| io.clock(polled))?;
    // What follows from the beginning and the timing is not stored.
    let nothing = Transfer { direction, source: 0, destination: 0, bytes: 0 };
    let blank = Running::new(nothing, 0, 0, &PUBLISHED_DRAM);
    io.option(running, blank, |io, Running { transfer, begins, waits, .. }| {
        let Transfer { direction: _, source, destination, bytes } = transfer;
        for number in [source, destination, bytes] {
            io.u32(number)?;
        }
        io.clock(begins)?;
        io.clock(waits)
    })?;
    let busy = match *status & (dma_status::IDLE | dma_status::START | dma_status::TRANSFERRING) {
        dma_status::IDLE => false,
        dma_status::START | dma_status::TRANSFERRING => true,
        _ => return Err(format!("a DMA channel cannot be in the state {status:#x}")),
    };
    ensure(busy == running.is_some(), || "a DMA channel is busy without a transfer, or idle with one".to_owned())
}

fn memory(memory: &mut Memory, space: Space, io: &mut impl Fields) -> Result<(), String> {
    let size = memory.config().bytes(space);
    let mut page = [0; PAGE as usize];
    if io.left().is_none() {
        for mut address in
            (0..size).step_by(PAGE as usize).filter(|address| memory.may_hold(space, *address)).collect::<Vec<_>>()
        {
            let bytes = &mut page[..(size - address).min(PAGE) as usize];
            memory.read(space, address, bytes).map_err(|error| error.to_string())?;
            if bytes.iter().any(|byte| *byte != 0) {
                io.u32(&mut address)?;
                io.raw(bytes)?;
            }
        }
        return Ok(());
    }
    let mut least = 0;
    while io.left() != Some(0) {
        let mut address = 0;
        io.u32(&mut address)?;
        ensure(address.is_multiple_of(PAGE) && address >= least && address < size, || {
            format!("a page at {address:#x} is out of order or outside the memory")
        })?;
        let bytes = &mut page[..(size - address).min(PAGE) as usize];
        io.raw(bytes)?;
        memory.write(space, address, bytes).map_err(|error| error.to_string())?;
        least = address.saturating_add(PAGE);
    }
    Ok(())
}
