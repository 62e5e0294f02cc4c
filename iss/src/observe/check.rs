//! Mistakes that a machine has an answer for, and that are mistakes all the same.
//!
//! Contract: a [`Checker`] watches one program from its first instruction and finds, once for each instruction, with a count
//! and the first address:
//!
//! | finding | severity |
//! |---|---|
//! | a load of bytes that neither the image, nor the host, nor the program has written | error; a note if some bytes of a vector were written |
//! | a DMA transfer of such bytes | error; a note if some of them were written |
//! | an access to vector or lane-local memory beyond its end, which wraps round | error |
//! | a load from, or a store to, the rows that a running DMA transfer writes | error |
//! | a store to the rows that a running DMA transfer reads | error |
//! | a transfer that reads or writes rows that the other channel's is writing, or writes what it is reading | error |
//! | a transfer that the engine refuses: started while its channel is busy, or with an address or length it does not take | error |
//! | a vector read by the instruction right behind the one that loads it | note |
//!
//! The last is what the published simulator calls a RAW hazard and stops at; hardware waits a cycle, and so does this
//! project's.
//!
//! Every byte has one bit, set once it is written: instruction memory has none, for it is only fetched from. What a DMA
//! transfer writes counts as written, so that a mistake is reported where it is made. [`Checker::new`] takes what the image
//! gives, the zeros that a segment ends with included; what the host writes before a run must be told with
//! [`Checker::host_wrote`].
//!
//! Not here: registers, which count as written; they are zero after the reset.
//!
//! ```
//! use fenn_iss::{Limits, Machine, observe::Checker};
//! # use fenn_isa::{image::{Image, Segment}, memory::Space, text};
//! # let code = ["vloadv v1, 0(zero)", "ecall"];
//! # let bytes = code.iter().flat_map(|line| text::parse(line).unwrap().encode().to_le_bytes()).collect();
//! # let image = Image { segments: vec![Segment::new(Space::Instruction, 0, bytes)], ..Image::default() };
//! // `vloadv v1, 0(zero)`, where nobody has written anything.
//! let mut machine = Machine::builder().image(&image).build()?;
//! let mut checker = Checker::new(&image);
//! machine.run(Limits::default(), &mut checker);
//! let finding = checker.findings().next().expect("one");
//! assert_eq!(finding.to_string(), "vector memory at 0x0 is read, and 64 of the 64 bytes were never written");
//! # Ok::<(), fenn_iss::Error>(())
//! ```

use core::fmt;
use std::collections::BTreeMap;

use fenn_isa::image::Image;
use fenn_isa::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};
use fenn_isa::usage::{Resource, Usage};
use fenn_isa::{Class, csr::dma_status};
use serde_json::{Value, json};

use super::Observer;
use crate::dma::{Direction, Transfer};
use crate::state::State;
use crate::timing::Retired;
use crate::trap::{Access, AccessKind, Trap};

mod written;

use written::Written;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The program works on this machine as it is written.
    Note,
    /// What the program computes depends on what it does not say.
    Error,
}

/// What is wrong, of all that can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Bytes were read that nobody wrote.
    Uninitialised,
    /// Bytes were read of which some were never written.
    PartlyUninitialised,
    /// An address is beyond the end, and wraps.
    Wraps,
    /// A transfer was running there.
    Overlap,
    /// Two transfers meet.
    Transfers,
    /// A transfer was not begun.
    Refused,
    /// A vector was read right behind its load.
    TooEarly,
}

impl Kind {
    /// As reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uninitialised => "uninitialised-read",
            Self::PartlyUninitialised => "partly-uninitialised-read",
            Self::Wraps => "wrap-around",
            Self::Overlap => "dma-overlap",
            Self::Transfers => "dma-transfers-overlap",
            Self::Refused => "dma-refused",
            Self::TooEarly => "result-too-early",
        }
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::PartlyUninitialised | Self::TooEarly => Severity::Note,
            _ => Severity::Error,
        }
    }
}

/// One mistake of one instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The instruction's address.
    pub pc: u32,
    /// How often it was made.
    pub count: u64,
    /// Which memory; for a register that is read too early, the one it was loaded from.
    pub space: Space,
    /// The first address, as the instruction or the transfer has it.
    pub address: u32,
    /// How many bytes the first access or transfer had.
    pub bytes: u32,
    /// How many of them were never written, where that is the mistake.
    pub missing: u32,
    /// The lane, for lane-local memory.
    pub lane: Option<u8>,
    /// The register that was read too early.
    pub register: Resource,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, space, address, bytes, missing, register, .. } = self;
        let of_lane = match self.lane {
            Some(lane) => format!("{space} of lane {lane}"),
            None => space.to_string(),
        };
        match kind {
            Kind::Uninitialised | Kind::PartlyUninitialised => {
                write!(f, "{of_lane} at {address:#x} is read, and {missing} of the {bytes} bytes were never written")
            }
            Kind::Wraps => write!(f, "{address:#x} is beyond the end of {of_lane}, and wraps round"),
            Kind::Overlap => write!(f, "{of_lane} at {address:#x} is accessed while a DMA transfer is running there"),
            Kind::Transfers => {
                write!(f, "a DMA transfer begins, and {of_lane} at {address:#x} belongs to the one that is running")
            }
            Kind::Refused => {
                write!(f, "the DMA engine refuses the transfer of {bytes} bytes from {address:#x} of {space}")
            }
            Kind::TooEarly => write!(f, "{register} is read right behind its load from {space}, before it is ready"),
        }
    }
}

/// Finds mistakes.
#[derive(Debug, Clone)]
pub struct Checker {
    config: MachineConfig,
    written: [Written; Space::ALL.len()],
    running: [Option<Transfer>; 2],
    errors: [u32; 2],
    accesses: Vec<Access>,
    /// What the last instruction loaded into a vector register or the generators, and from where.
    loaded: Option<(Resource, Space)>,
    findings: BTreeMap<(u32, Kind), Finding>,
}

const ERRORS: u32 = dma_status::INTERNAL_ERROR | dma_status::DECODE_ERROR;

impl Checker {
    /// A checker of a machine that was loaded with `image` and of nothing else yet. Its memories are those of the image's
    /// own machine; see [`Self::with_config`].
    pub fn new(image: &Image) -> Self {
        Self::with_config(image, image.config)
    }

    /// The same, for a machine with other memories than the image's.
    pub fn with_config(image: &Image, config: MachineConfig) -> Self {
        let mut checker = Self {
            config,
            written: Space::ALL.map(|space| Written::new(config.bytes(space))),
            running: [None; 2],
            errors: [0; 2],
            accesses: Vec::new(),
            loaded: None,
            findings: BTreeMap::new(),
        };
        for segment in &image.segments {
            checker.host_wrote(segment.space, segment.address, segment.size);
        }
        checker
    }

    /// The host has written these bytes. What lies outside the memory does not count.
    pub fn host_wrote(&mut self, space: Space, address: u32, bytes: u32) {
        self.written[space as usize].mark(address, bytes);
    }

    /// What was found, in the order of the instructions.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.values()
    }

    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.findings().any(|finding| finding.kind.severity() == Severity::Error)
    }

    /// What was found, a line each: place in the source, severity, what, and how often.
    pub fn text(&self, image: &Image) -> String {
        let mut text = String::new();
        for finding in self.findings() {
            let place =
                image.line_of(finding.pc).map_or(String::new(), |line| format!("{}:{}: ", line.file, line.line));
            let severity = if finding.kind.severity() == Severity::Error { "error" } else { "note" };
            let times = if finding.count == 1 { String::new() } else { format!(" ({} times)", finding.count) };
            text += &format!("{place}{severity} at pc {:#x}: {finding}{times}\n", finding.pc);
        }
        text
    }

    /// What was found, as a list.
    pub fn json(&self, image: &Image) -> Value {
        let value = |finding: &Finding| {
            let line = image.line_of(finding.pc);
            json!({
                "kind": finding.kind.name(),
                "severity": if finding.kind.severity() == Severity::Error { "error" } else { "note" },
                "pc": finding.pc,
                "file": line.map(|line| &*line.file),
                "line": line.map(|line| line.line),
                "count": finding.count,
                "space": finding.space.to_string(),
                "address": finding.address,
                "bytes": finding.bytes,
                "missing": finding.missing,
                "lane": finding.lane,
                "text": finding.to_string(),
            })
        };
        self.findings().map(value).collect()
    }

    fn find(&mut self, finding: Finding) {
        self.findings.entry((finding.pc, finding.kind)).or_insert(Finding { count: 0, ..finding }).count += 1;
    }

    fn check_access(&mut self, pc: u32, access: &Access) {
        let Access { kind, space, address, bytes, lane } = *access;
        let found =
            |kind| Finding { kind, pc, count: 1, space, address, bytes, missing: 0, lane, register: Resource::NONE };
        let size = self.config.bytes(space);
        // Where its bytes are, as a host addresses them.
        let at = match (space, lane) {
            (Space::LaneLocal, Some(lane)) => {
                if address >= self.config.lane_local_bytes {
                    self.find(found(Kind::Wraps));
                }
                // A machine's lane-local memory is not empty.
                let own = (address % self.config.lane_local_bytes) & !1;
                own * LANES as u32 + 2 * u32::from(lane)
            }
            (Space::Vector, _) => {
                if address >= size {
                    self.find(found(Kind::Wraps));
                }
                address % size
            }
            _ => address,
        };
        if space == Space::Vector && self.is_busy(kind, at, bytes) {
            self.find(found(Kind::Overlap));
        }
        let written = &mut self.written[space as usize];
        match kind {
            AccessKind::Store => written.mark(at, bytes),
            AccessKind::Load => {
                let missing = written.missing(at, bytes);
                if missing > 0 {
                    self.find(Finding { missing, ..found(uninitialised(missing, bytes)) });
                }
            }
        }
    }

    /// Whether an access to vector memory meets a running transfer.
    fn is_busy(&self, kind: AccessKind, address: u32, bytes: u32) -> bool {
        self.running.iter().flatten().any(|transfer| match transfer.direction {
            Direction::IntoVector => meet((address, bytes), (transfer.destination, transfer.bytes)),
            Direction::OutOfVector => {
                kind == AccessKind::Store && meet((address, bytes), (transfer.source, transfer.bytes))
            }
        })
    }

    /// Looks for a transfer that the CSR instruction at `pc` has begun, or that the engine has refused.
    fn check_dma(&mut self, pc: u32, state: &State) {
        for direction in Direction::ALL {
            let channel = state.dma.channel(direction);
            let (was, errors) = (self.running[direction as usize], channel.status() & ERRORS);
            let (from, to) = match direction {
                Direction::IntoVector => (Space::Dram, Space::Vector),
                Direction::OutOfVector => (Space::Vector, Space::Dram),
            };
            let found = |kind, space, address, bytes| Finding {
                kind,
                pc,
                count: 1,
                space,
                address,
                bytes,
                missing: 0,
                lane: None,
                register: Resource::NONE,
            };
            if errors & !self.errors[direction as usize] != 0 {
                self.find(found(Kind::Refused, from, channel.source, channel.count));
            }
            self.errors[direction as usize] = errors;
            let Some(transfer) = channel.running().copied().filter(|_| was.is_none()) else { continue };
            let Transfer { source, destination, bytes, .. } = transfer;
            let missing = self.written[from as usize].missing(source, bytes);
            if missing > 0 {
                self.find(Finding { missing, ..found(uninitialised(missing, bytes), from, source, bytes) });
            }
            // The other channel goes the other way: its source is where this one writes.
            if let Some(other) = self.running[1 - direction as usize] {
                if meet((source, bytes), (other.destination, other.bytes)) {
                    self.find(found(Kind::Transfers, from, source, bytes));
                } else if meet((destination, bytes), (other.source, other.bytes)) {
                    self.find(found(Kind::Transfers, to, destination, bytes));
                }
            }
            self.running[direction as usize] = Some(transfer);
            self.written[to as usize].mark(destination, bytes);
        }
    }
}

const fn uninitialised(missing: u32, bytes: u32) -> Kind {
    if missing == bytes { Kind::Uninitialised } else { Kind::PartlyUninitialised }
}

/// Whether two ranges, each an address and a length, share a byte.
fn meet(a: (u32, u32), b: (u32, u32)) -> bool {
    let end = |(address, bytes): (u32, u32)| u64::from(address) + u64::from(bytes);
    u64::from(a.0) < end(b) && u64::from(b.0) < end(a)
}

impl Observer for Checker {
    fn retire(&mut self, retired: &Retired, state: &State) {
        let pc = retired.pc;
        let accesses = std::mem::take(&mut self.accesses);
        accesses.iter().for_each(|access| self.check_access(pc, access));
        let usage = Usage::of(retired.inst);
        if let Some((register, space)) = self.loaded.take()
            && (usage.reads.contains(&register) || usage.merges == register)
        {
            self.find(Finding {
                kind: Kind::TooEarly,
                pc,
                count: 1,
                space,
                address: 0,
                bytes: VECTOR_BYTES,
                missing: 0,
                lane: None,
                register,
            });
        }
        match usage.class {
            Class::VectorLoad | Class::GeneratorLoad => self.loaded = Some((usage.writes, Space::Vector)),
            Class::LaneLoad => self.loaded = Some((usage.writes, Space::LaneLocal)),
            Class::Csr => self.check_dma(pc, state),
            _ => {}
        }
        self.accesses = accesses;
        self.accesses.clear();
    }

    fn access(&mut self, access: &Access) {
        self.accesses.push(*access);
    }

    fn transfer(&mut self, transfer: &Transfer) {
        self.running[transfer.direction as usize] = None;
    }

    fn trap(&mut self, _trap: &Trap) {
        self.accesses.clear();
        self.loaded = None;
    }
}
