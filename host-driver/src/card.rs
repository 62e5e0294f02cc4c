//! A card: who it is, what it has, and its cores as devices.
//!
//! Contract: [`Card::open`] looks at a card and changes nothing on it; one that this crate was not made for is refused with what
//! was found and what was expected. [`Card::core`] gives one core, as a [`crate::device::Device`] of its own, to whoever
//! asks first. Cores share the way to the card, one call at a time, in turn; a program runs on each at the same time.
//!
//! The card's DRAM is divided evenly: each core has a region that no other core of this crate's can reach.
//!
//! Invariant: no address and no length gets to the transport that does not lie in a memory of the core it is meant for, whatever
//! a file or the card's registers say: sizes are checked once, when the card is opened.
//!
//! Not here: how a card is reached ([`crate::transport`]), and what runs on it ([`crate::session`]).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fenn_isa::memory::{LANES, MachineConfig, Space};
use fenn_isa::soc::{
    self, CardRegister, CoreRegister, FINGERPRINT, IDENT, MOST_CORES, REGION_ALIGNMENT, VERSION, bus_error, control,
    status,
};

use crate::error::CardError;
use crate::transport::{Capabilities, Deadline, Transport, TransportError};

mod core;
mod fault;
mod memory;
mod shared;
pub mod stream;

pub use self::core::Core;
use shared::Shared;

/// The longest region of DRAM that a core can have.
const LONGEST_REGION: u64 = 1 << 31;
/// How long a core may take to stand still after it has been told to.
const STOPPING: Duration = Duration::from_secs(1);

/// How to use a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a single transfer of at most 4 MiB may take.
    pub transfer: Duration,
    /// The longest look at a core that does not end: how soon an end is noticed whose interrupt was lost.
    pub look: Duration,
    /// How many cores share the DRAM, the first ones; all, if not stated.
    pub cores_with_dram: Option<u32>,
}

impl Default for Settings {
    /// 15 s, 50 ms, all.
    fn default() -> Self {
        Self { transfer: Duration::from_secs(15), look: Duration::from_millis(50), cores_with_dram: None }
    }
}

/// What a card says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// How it is reached.
    pub name: String,
    /// The version of its registers, major in bits 31:16.
    pub version: u32,
    /// Of what it was made from.
    pub fingerprint: u32,
    /// How many cores it has.
    pub cores: u32,
    /// The memories of each core; of DRAM, the longest region that a core gets.
    pub config: MachineConfig,
    /// Bytes of DRAM, all regions together, that can be reached from here.
    pub dram_bytes: u64,
    /// Bits of the ports to the host and to DRAM.
    pub data_width: u32,
    /// The clock in kHz, where it is known.
    pub clock_khz: Option<u32>,
}

/// A core's part of the card's DRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Its first byte, counted from the start of the card's DRAM, a multiple of 4096.
    pub base: u64,
    /// How many bytes, a multiple of 4096, at most 2³¹.
    pub bytes: u32,
}

/// What a core's registers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreState {
    /// Whether it executes instructions.
    pub running: bool,
    /// Whether a program has come to its end.
    pub done: bool,
    /// Whether it stopped at an exception or a breakpoint.
    pub error: bool,
    /// Why it stands still.
    pub cause: status::Cause,
    /// The program counter, exact while it stands still.
    pub pc: u32,
    /// Cycles since the start.
    pub cycles: u64,
    /// Instructions since the start.
    pub instructions: u64,
}

/// Accesses of a host that failed on the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusError {
    /// The bits are those of [`bus_error`].
    pub bits: u32,
    /// The address of the first of them.
    pub address: u64,
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (bus_error::READ_DECODE, "a read outside of every memory"),
            (bus_error::WRITE_DECODE, "a write outside of every memory"),
            (bus_error::READ_BUSY, "a read of vector or lane-local memory while the core ran"),
            (bus_error::WRITE_BUSY, "a write of vector or lane-local memory while the core ran"),
        ];
        let said: Vec<&str> = kinds.iter().filter(|(bit, _)| self.bits & bit != 0).map(|(_, text)| *text).collect();
        write!(f, "{}, the first at {:#x}", said.join(" and "), self.address)?;
        match soc::at(self.address) {
            Some((Space::Dram, _, inside)) => write!(f, " (byte {inside:#x} of DRAM)"),
            Some((space, core, inside)) => write!(f, " (byte {inside:#x} of core {core}'s {space})"),
            None => Ok(()),
        }
    }
}

/// A card that has been found to be one.
pub struct Card<T> {
    shared: Arc<Shared<T>>,
}

impl<T: Transport> fmt::Debug for Card<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Card").field("identity", &self.shared.identity).finish_non_exhaustive()
    }
}

impl<T: Transport> Card<T> {
    /// The card behind a transport.
    ///
    /// # Errors
    /// [`CardError`]: what is there is no card of this kind, or was not made for this version; or it cannot be reached.
    pub fn open(transport: T) -> Result<Self, CardError> {
        Self::open_with(transport, Settings::default())
    }

    /// As [`Card::open`], with limits of one's own.
    ///
    /// # Errors
    /// As [`Card::open`].
    pub fn open_with(mut transport: T, settings: Settings) -> Result<Self, CardError> {
        let capabilities = transport.capabilities();
        let (identity, regions) = identify(&mut transport, &capabilities, settings.cores_with_dram)?;
        Ok(Self { shared: Arc::new(Shared::new(transport, capabilities, settings, identity, regions)) })
    }

    /// What it is.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// What the way to it can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.shared.capabilities
    }

    /// Each core's region of DRAM.
    pub fn regions(&self) -> &[Region] {
        &self.shared.regions
    }

    /// One core, to be used by whoever has the answer until it is dropped.
    ///
    /// # Errors
    /// [`CardError::NoCore`], [`CardError::Taken`]; what the transport says.
    pub fn core(&self, index: u32) -> Result<Core<T>, CardError> {
        Core::take(Arc::clone(&self.shared), index)
    }

    /// What a core's registers say, whoever uses it.
    ///
    /// # Errors
    /// [`CardError::NoCore`]; what the transport says.
    pub fn state(&self, core: u32) -> Result<CoreState, CardError> {
        self.shared.check_core(core)?;
        Ok(self.shared.with(|transport| state(transport, core))?)
    }

    /// Accesses that have failed since that was last asked, by whomever they were made.
    ///
    /// # Errors
    /// What the transport says.
    pub fn take_bus_error(&self) -> Result<Option<BusError>, TransportError> {
        self.shared.with(take_bus_error)
    }

    /// The same, and leaves it for others to see.
    ///
    /// # Errors
    /// What the transport says.
    pub fn bus_error(&self) -> Result<Option<BusError>, TransportError> {
        self.shared.with(bus_error_of)
    }

    /// How long reading one register takes, in each of so many reads of `scratch`.
    ///
    /// # Errors
    /// What the transport says.
    pub fn register_times(&self, reads: usize) -> Result<Vec<Duration>, TransportError> {
        let scratch = CardRegister::Scratch.spec().offset;
        let time = |_| {
            let begin = Instant::now();
            self.shared.with(|transport| transport.read_register(scratch))?;
            Ok(begin.elapsed())
        };
        (0..reads).map(time).collect()
    }

    /// Brings the card and the way to it back into a state in which it can be used, after an error: resets engines and every core,
    /// and forgets interrupts and failed accesses. Programs must be loaded again.
    ///
    /// # Errors
    /// Where the card cannot be brought back: [`TransportError::Gone`], or a core that does not stand still after its reset.
    pub fn recover(&self) -> Result<(), TransportError> {
        self.shared.forget_programs();
        self.shared.with(|transport| {
            transport.recover()?;
            for core in 0..self.shared.identity.cores {
                reset(transport, core)?;
            }
            transport.write_register(CardRegister::BusError.spec().offset, u32::MAX)
        })
    }
}

impl<T> Shared<T> {
    fn check_core(&self, core: u32) -> Result<(), CardError> {
        let cores = self.identity.cores;
        if core < cores { Ok(()) } else { Err(CardError::NoCore { core, cores }) }
    }
}

/// Reads who a card is, and divides its DRAM.
fn identify(
    transport: &mut impl Transport,
    capabilities: &Capabilities,
    with_dram: Option<u32>,
) -> Result<(Identity, Vec<Region>), CardError> {
    let mut read = |register: CardRegister| transport.read_register(register.spec().offset);
    let ident = read(CardRegister::Ident)?;
    if ident != IDENT {
        return Err(CardError::NotFenn { found: ident });
    }
    let version = read(CardRegister::Version)?;
    if version >> 16 != VERSION >> 16 {
        return Err(CardError::Version { found: version >> 16, expected: VERSION >> 16 });
    }
    let fingerprint = read(CardRegister::Fingerprint)?;
    if fingerprint != FINGERPRINT {
        return Err(CardError::Fingerprint { found: fingerprint, expected: FINGERPRINT });
    }
    let lanes = read(CardRegister::Lanes)?;
    if lanes != LANES as u32 {
        return Err(CardError::Lanes { found: lanes });
    }
    let cores = read(CardRegister::Cores)?;
    if cores == 0 || cores > MOST_CORES {
        return Err(CardError::Cores { found: cores });
    }
    let dram = u64::from(read(CardRegister::DramHigh)?) << 32 | u64::from(read(CardRegister::DramLow)?);
    let (first, reachable) = reachable_dram(capabilities, dram);
    let regions = regions(first, reachable, cores, with_dram.unwrap_or(cores).clamp(1, cores));
    let config = MachineConfig {
        instruction_bytes: read(CardRegister::InstructionBytes)?,
        scalar_bytes: read(CardRegister::ScalarBytes)?,
        vector_bytes: read(CardRegister::VectorBytes)?,
        lane_local_bytes: read(CardRegister::LaneBytes)?,
        dram_bytes: regions.first().map_or(0, |region| region.bytes),
    };
    // A card without DRAM is one, although no machine is: its cores' transfers end with errors.
    MachineConfig { dram_bytes: config.dram_bytes.max(64), ..config }.check()?;
    let clock = read(CardRegister::ClockKhz)?;
    let data_width = read(CardRegister::DataWidth)?;
    let identity = Identity {
        name: transport.name(),
        version,
        fingerprint,
        cores,
        config,
        dram_bytes: reachable,
        data_width,
        clock_khz: (clock != 0).then_some(clock),
    };
    Ok((identity, regions))
}

/// The longest stretch of the card's DRAM that the transport reaches: from where in DRAM, and how many bytes.
fn reachable_dram(capabilities: &Capabilities, bytes: u64) -> (u64, u64) {
    let base = soc::window(Space::Dram, 0);
    let end = base.saturating_add(bytes);
    let part = |window: &crate::transport::Window| {
        let from = window.address.max(base);
        let to = window.address.saturating_add(window.bytes).min(end);
        (from.wrapping_sub(base), to.saturating_sub(from))
    };
    capabilities.windows.iter().map(part).max_by_key(|(_, bytes)| *bytes).unwrap_or((0, 0))
}

/// Equal parts of `bytes` bytes of DRAM from `first` on for the first `sharing` of `cores` cores, and nothing for the others.
fn regions(first: u64, bytes: u64, cores: u32, sharing: u32) -> Vec<Region> {
    let unit = u64::from(REGION_ALIGNMENT);
    let start = first.next_multiple_of(unit);
    let bytes = bytes.saturating_sub(start - first);
    let each = (bytes / u64::from(sharing)).min(LONGEST_REGION) / unit * unit;
    let region = |core: u32| match core < sharing {
        true => Region { base: start + each * u64::from(core), bytes: each as u32 },
        false => Region { base: start, bytes: 0 },
    };
    (0..cores).map(region).collect()
}

/// Reads a core's block.
fn state(transport: &mut impl Transport, core: u32) -> Result<CoreState, TransportError> {
    let word = status_of(transport, core)?;
    let mut read = |register| transport.read_register(soc::core_offset(core, register));
    let mut long = |low, high| Ok(u64::from(read(low)?) | u64::from(read(high)?) << 32);
    let cycles = long(CoreRegister::CyclesLow, CoreRegister::CyclesHigh)?;
    let instructions = long(CoreRegister::InstructionsLow, CoreRegister::InstructionsHigh)?;
    Ok(CoreState {
        running: word & status::RUNNING != 0,
        done: word & status::DONE != 0,
        error: word & status::ERROR != 0,
        cause: status::Cause::of(word).unwrap_or(status::Cause::Reset),
        pc: transport.read_register(soc::core_offset(core, CoreRegister::Pc))?,
        cycles,
        instructions,
    })
}

/// A core's status word, if it is one.
fn status_of(transport: &mut impl Transport, core: u32) -> Result<u32, TransportError> {
    let word = transport.read_register(soc::core_offset(core, CoreRegister::Status))?;
    let known = status::RUNNING | status::DONE | status::ERROR | status::CAUSE_MASK;
    if word & !known != 0 || status::Cause::of(word).is_none() {
        let what = format!("the status of core {core} reads {word:#010x}, which is none");
        return Err(TransportError::Gone { name: transport.name(), what });
    }
    Ok(word)
}

/// Waits until a core that has been told to stands still; whether it does.
fn stands_still(transport: &mut impl Transport, core: u32) -> Result<bool, TransportError> {
    let deadline = Deadline::after(STOPPING);
    loop {
        if status_of(transport, core)? & status::RUNNING == 0 {
            return Ok(true);
        }
        if deadline.passed() {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}

fn write_control(transport: &mut impl Transport, core: u32, bits: u32) -> Result<(), TransportError> {
    transport.write_register(soc::core_offset(core, CoreRegister::Control), bits)
}

fn acknowledge(transport: &mut impl Transport, core: u32) -> Result<(), TransportError> {
    transport.write_register(CardRegister::IrqAck.spec().offset, 1 << core)
}

/// Resets a core and waits until it is.
fn reset(transport: &mut impl Transport, core: u32) -> Result<(), TransportError> {
    write_control(transport, core, control::RESET)?;
    if !stands_still(transport, core)? {
        return Err(TransportError::Deadline { what: format!("the reset of core {core}"), limit: STOPPING });
    }
    acknowledge(transport, core)
}

fn bus_error_of(transport: &mut impl Transport) -> Result<Option<BusError>, TransportError> {
    let mut read = |register: CardRegister| transport.read_register(register.spec().offset);
    let bits = read(CardRegister::BusError)?;
    if bits == 0 {
        return Ok(None);
    }
    let address = u64::from(read(CardRegister::BusErrorHigh)?) << 32 | u64::from(read(CardRegister::BusErrorLow)?);
    Ok(Some(BusError { bits, address }))
}

fn take_bus_error(transport: &mut impl Transport) -> Result<Option<BusError>, TransportError> {
    let error = bus_error_of(transport)?;
    if error.is_some() {
        transport.write_register(CardRegister::BusError.spec().offset, u32::MAX)?;
    }
    Ok(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Window;

    fn capabilities(windows: &[(u64, u64)]) -> Capabilities {
        let windows = windows.iter().map(|&(address, bytes)| Window { address, bytes }).collect();
        Capabilities { registers: 0, windows, alignment: 4, chunk: 4096, interrupts: false }
    }

    #[test]
    fn dram_is_what_both_the_card_and_the_way_to_it_have() {
        let all = capabilities(&[(0, u64::MAX)]);
        assert_eq!(reachable_dram(&all, 1 << 30), (0, 1 << 30));
        // A size that no card can have leads to no address that wraps round.
        assert_eq!(reachable_dram(&all, u64::MAX), (0, u64::MAX - 0x8000_0000));
        let part = capabilities(&[(0, 0x1000), (0x9000_0000, 0x2000_0000)]);
        assert_eq!(reachable_dram(&part, 1 << 30), (0x1000_0000, 0x2000_0000));
        assert_eq!(reachable_dram(&part, 0x1800_0000), (0x1000_0000, 0x0800_0000));
        assert_eq!(reachable_dram(&part, 0x1000).1, 0);
        assert_eq!(reachable_dram(&capabilities(&[]), 1 << 30), (0, 0));
    }

    #[test]
    fn regions_do_not_share_a_byte() {
        for (first, bytes, cores, sharing) in [
            (0, 1 << 30, 4, 4),
            (0, 1 << 40, 3, 3),
            (64, 5 << 20, 3, 2),
            (0, 4096, 2, 2),
            (0, 0, 1, 1),
            (u64::MAX - 0x8000_0000 - 10_000, 10_000, 2, 1),
        ] {
            let regions = regions(first, bytes, cores, sharing);
            assert_eq!(regions.len(), cores as usize);
            let mut behind = first;
            for region in regions.iter().filter(|region| region.bytes > 0) {
                assert!(region.base.is_multiple_of(4096) && region.bytes.is_multiple_of(4096));
                assert!(region.base >= behind, "{region:?}");
                behind = region.base + u64::from(region.bytes);
                assert!(behind <= first + bytes && region.bytes <= 1 << 31);
            }
            assert!(regions[sharing as usize..].iter().all(|region| region.bytes == 0));
        }
    }

    #[test]
    fn a_failed_access_is_told_with_its_place() {
        let error = BusError { bits: bus_error::WRITE_BUSY | bus_error::READ_DECODE, address: 0x2100_0040 };
        let text = error.to_string();
        assert!(
            text.starts_with("a read outside of every memory and a write of vector or lane-local memory"),
            "{text}"
        );
        assert!(text.ends_with("the first at 0x21000040 (byte 0x40 of core 1's vector memory)"), "{text}");
    }
}
