//! One core of a card as a [`Device`].
//!
//! Contract: as [`Device`] says, and: instructions are counted by the core, so that limit is kept to within a look at it; a
//! program with a ready flag, which does not end by itself, is halted when the flag is seen, and what it is said to have
//! cost is then a little more than it took. Of DRAM, loading writes what the image has contents for, zeros included, and leaves
//! the rest as it is: clearing gigabytes that no program relies on would take longer than running it.
//!
//! Nor does a program need more DRAM than its image has contents for: where it goes beyond the core's region its transfers end with
//! a decode error, and reach nobody else's.
//!
//! A memory that the way to the card does not reach is left alone, unless the image has contents for it.
//!
//! A core whose owner is gone is halted, and raises no interrupt.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fenn_isa::image::Image;
use fenn_isa::image::manifest::STREAM_UNIT;
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::soc::{self, CardRegister, CoreRegister, control, status};

use super::memory::Place;
use super::shared::Shared;
use super::{
    CoreState, Deadline, Region, Transport, TransportError, acknowledge, fault, reset, stands_still, state,
    take_bus_error, write_control,
};
use crate::device::{Device, Finished, Limit, Meanwhile, Watched};
use crate::error::{CardError, DeviceError, Exceeded};

/// Looks at a word that is watched before the first pause between two of them, and that pause.
const EAGER_LOOKS: u32 = 16;
/// See [`EAGER_LOOKS`].
const FIRST_WATCH: Duration = Duration::from_micros(10);
/// The first pause between two looks at a core that raises no interrupt by itself.
const FIRST_LOOK: Duration = Duration::from_micros(100);
/// The longest that one core has the transport for while others are in use.
const LOOK_IN_TURN: Duration = Duration::from_millis(1);

/// One core of a card.
pub struct Core<T: Transport> {
    shared: Arc<Shared<T>>,
    index: u32,
    /// The card's epoch in which a program was loaded.
    loaded: Option<u64>,
    ready_flag: Option<u32>,
    running: bool,
}

impl<T: Transport> std::fmt::Debug for Core<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("index", &self.index).field("running", &self.running).finish_non_exhaustive()
    }
}

impl<T: Transport> Core<T> {
    pub(super) fn take(shared: Arc<Shared<T>>, index: u32) -> Result<Self, CardError> {
        shared.check_core(index)?;
        if !shared.take(index) {
            return Err(CardError::Taken { core: index });
        }
        // From here on it is given back when it is dropped.
        let core = Self { shared, index, loaded: None, ready_flag: None, running: false };
        core.enable_interrupt(true)?;
        Ok(core)
    }

    /// Which core it is.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its region of the card's DRAM.
    pub fn region(&self) -> Region {
        // There is one for each core.
        self.shared.regions.get(self.index as usize).copied().unwrap_or(Region { base: 0, bytes: 0 })
    }

    /// What its registers say.
    ///
    /// # Errors
    /// What the transport says.
    pub fn state(&self) -> Result<CoreState, DeviceError> {
        Ok(self.shared.with(|transport| state(transport, self.index))?)
    }

    /// Resets the core after a fault or a program that does not end. Its program must be loaded again.
    ///
    /// # Errors
    /// A core that does not stand still after its reset, and what the transport says: then it takes [`super::Card::recover`].
    pub fn recover(&mut self) -> Result<(), DeviceError> {
        self.loaded = None;
        self.shared.with(|transport| reset(transport, self.index))?;
        self.running = false;
        Ok(())
    }

    pub(super) fn place(&self, space: Space, address: u32, length: usize) -> Result<Place, DeviceError> {
        let place = Place::find(&self.shared, self.index, space, address, length)?;
        if self.is_running() && matches!(space, Space::Vector | Space::LaneLocal) {
            return Err(DeviceError::Busy { space });
        }
        Ok(place)
    }

    pub(super) fn read_place(&self, place: Place, out: &mut [u8]) -> Result<(), DeviceError> {
        self.shared.read(place, out).map_err(|error| self.explain(error))
    }

    pub(super) fn write_place(&self, place: Place, bytes: &[u8]) -> Result<(), DeviceError> {
        self.shared.write(place, bytes).map_err(|error| self.explain(error))
    }

    /// What the card has to say of a transfer that it refused.
    fn explain(&self, error: TransportError) -> DeviceError {
        let asked = matches!(error, TransportError::Refused { .. } | TransportError::Short { .. });
        match asked.then(|| self.shared.with(take_bus_error)) {
            Some(Ok(Some(noted))) => DeviceError::Bus { error, noted: noted.to_string() },
            // The first error is the one to be told of.
            _ => error.into(),
        }
    }

    fn is_running(&self) -> bool {
        // A recovery of the whole card has stopped it.
        self.running && self.loaded == Some(self.shared.epoch())
    }

    fn write_register(&self, register: CoreRegister, value: u32) -> Result<(), TransportError> {
        self.shared.with(|transport| transport.write_register(soc::core_offset(self.index, register), value))
    }

    fn enable_interrupt(&self, on: bool) -> Result<(), TransportError> {
        let offset = CardRegister::IrqEnable.spec().offset;
        self.shared.with(|transport| {
            let before = transport.read_register(offset)?;
            let bit = 1 << self.index;
            transport.write_register(offset, if on { before | bit } else { before & !bit })
        })
    }

    /// What the run that has stopped came to.
    fn finish(&mut self, state: CoreState) -> Result<Finished, DeviceError> {
        self.running = false;
        self.shared.with(|transport| acknowledge(transport, self.index))?;
        let CoreState { pc, cycles, instructions, .. } = state;
        match state.cause {
            status::Cause::Ecall => Ok(Finished { instructions, cycles }),
            status::Cause::Ebreak => Err(DeviceError::Breakpoint { pc }),
            status::Cause::Trap => {
                let read = |register| {
                    self.shared.with(|transport| transport.read_register(soc::core_offset(self.index, register)))
                };
                let (cause, value) = (read(CoreRegister::TrapCause)?, read(CoreRegister::TrapValue)?);
                let mut word = [0; 4];
                let place = Place::find(&self.shared, self.index, Space::Instruction, pc, word.len());
                // Where there is no instruction, the exception is that.
                let word = match place {
                    Ok(place) if pc.is_multiple_of(4) => {
                        self.read_place(place, &mut word)?;
                        Some(u32::from_le_bytes(word))
                    }
                    _ => None,
                };
                Err(fault::fault(&self.config(), pc, cause, value, word))
            }
            status::Cause::Reset | status::Cause::Request | status::Cause::Step => {
                Err(DeviceError::Interrupted { core: self.index, pc })
            }
        }
    }

    /// Whether the program has set its ready flag.
    fn is_ready(&self) -> Result<bool, DeviceError> {
        let Some(flag) = self.ready_flag else { return Ok(false) };
        Ok(self.word(flag)? != 0)
    }

    /// Waits for an interrupt, or for `pause`.
    fn pause(&self, pause: Duration) -> Result<(), TransportError> {
        match self.shared.with(|transport| transport.wait_event(self.index, Deadline::after(pause))) {
            // Only this look has come to its end.
            Err(TransportError::Deadline { .. }) => Ok(()),
            other => other,
        }
    }

    /// Whether the way to the card leads to this memory at all.
    fn reaches(&self, space: Space) -> bool {
        let first = soc::window(space, self.index);
        let holds = |inside: Option<u64>, bytes| inside.is_some_and(|inside| inside < bytes);
        self.shared.capabilities.windows.iter().any(|window| holds(first.checked_sub(window.address), window.bytes))
    }

    fn zeroed(&self, space: Space, image: &Image) -> Vec<u8> {
        let mut bytes = vec![0; self.config().bytes(space) as usize];
        for segment in image.segments.iter().filter(|segment| segment.space == space) {
            let from = segment.address as usize;
            // A checked image lies inside the machine it was made for, which is no larger than this.
            if let Some(place) = bytes.get_mut(from..from + segment.bytes.len()) {
                place.copy_from_slice(&segment.bytes);
            }
        }
        bytes
    }

    fn load_dram(&self, image: &Image) -> Result<(), DeviceError> {
        let zeros = vec![0; 1 << 20];
        for segment in image.segments.iter().filter(|segment| segment.space == Space::Dram) {
            self.write_place(self.place(Space::Dram, segment.address, segment.bytes.len())?, &segment.bytes)?;
            let mut next = segment.address + segment.bytes.len() as u32;
            let end = segment.address + segment.size;
            while next < end {
                let length = (end - next).min(zeros.len() as u32);
                let zeros = &zeros[..length as usize];
                self.write_place(self.place(Space::Dram, next, zeros.len())?, zeros)?;
                next += length;
            }
        }
        Ok(())
    }
}

/// Behind the last byte of DRAM that the image has contents for.
fn dram_end(image: &Image) -> u32 {
    let dram = image.segments.iter().filter(|segment| segment.space == Space::Dram);
    // A checked image's segments end inside its machine.
    dram.map(|segment| segment.address.saturating_add(segment.size)).max().unwrap_or(0)
}

impl<T: Transport> Device for Core<T> {
    fn name(&self) -> String {
        // Cores of a card are alike; which it is, who needs it asks.
        self.shared.identity.name.clone()
    }

    fn config(&self) -> MachineConfig {
        MachineConfig { dram_bytes: self.region().bytes, ..self.shared.identity.config }
    }

    fn load(&mut self, image: &Image) -> Result<(), DeviceError> {
        image.check()?;
        let config = self.config();
        for space in Space::ALL {
            let needed = if space == Space::Dram { dram_end(image) } else { image.config.bytes(space) };
            let bytes = config.bytes(space);
            if needed > bytes {
                return Err(DeviceError::TooSmall { space, needed, bytes });
            }
        }
        self.loaded = None;
        let epoch = self.shared.epoch();
        self.shared.with(|transport| reset(transport, self.index))?;
        self.running = false;
        for space in [Space::Instruction, Space::Scalar, Space::Vector, Space::LaneLocal] {
            let has_contents = image.segments.iter().any(|segment| segment.space == space);
            if !has_contents && !self.reaches(space) {
                continue;
            }
            let bytes = self.zeroed(space, image);
            self.write_place(self.place(space, 0, bytes.len())?, &bytes)?;
        }
        self.load_dram(image)?;
        let Region { base, bytes } = self.region();
        self.write_register(CoreRegister::DramBaseLow, base as u32)?;
        self.write_register(CoreRegister::DramBaseHigh, (base >> 32) as u32)?;
        self.write_register(CoreRegister::DramLimit, bytes)?;
        self.ready_flag = image.ready_flag;
        self.loaded = Some(epoch);
        Ok(())
    }

    fn read(&mut self, space: Space, address: u32, out: &mut [u8]) -> Result<(), DeviceError> {
        self.read_place(self.place(space, address, out.len())?, out)
    }

    fn write(&mut self, space: Space, address: u32, bytes: &[u8]) -> Result<(), DeviceError> {
        self.write_place(self.place(space, address, bytes.len())?, bytes)
    }

    fn start(&mut self, entry: u32) -> Result<(), DeviceError> {
        let bytes = self.config().instruction_bytes;
        if self.loaded != Some(self.shared.epoch()) {
            return Err(DeviceError::NoProgram);
        }
        if self.running {
            return Err(DeviceError::Running);
        }
        if !entry.is_multiple_of(4) || entry >= bytes {
            return Err(DeviceError::Entry { address: entry, bytes });
        }
        if let Some(flag) = self.ready_flag {
            self.write(Space::Scalar, flag, &[0; 4])?;
        }
        self.shared.with(|transport| {
            acknowledge(transport, self.index)?;
            transport.write_register(soc::core_offset(self.index, CoreRegister::Entry), entry)?;
            write_control(transport, self.index, control::RUN)
        })?;
        self.running = true;
        Ok(())
    }

    fn wait(&mut self, limit: Limit) -> Result<Finished, DeviceError> {
        match self.look_until(None, limit)? {
            Watched::Ended(finished) => Ok(finished),
            // Nothing is watched.
            Watched::Changed(_) => Err(DeviceError::NotRunning),
        }
    }

    /// Scalar memory is reached while a core runs, unless what is written takes its neighbours with it.
    fn meanwhile(&self) -> Meanwhile {
        let alignment = self.shared.capabilities.alignment;
        if alignment <= STREAM_UNIT { Meanwhile::Overlapped } else { Meanwhile::Nothing }
    }

    fn watch(&mut self, address: u32, value: u32, limit: Limit) -> Result<Watched, DeviceError> {
        self.look_until(Some((address, value)), limit)
    }

    fn halt(&mut self) -> Result<(), DeviceError> {
        if !self.running {
            return Ok(());
        }
        self.shared.with(|transport| {
            write_control(transport, self.index, control::HALT)?;
            if !stands_still(transport, self.index)? {
                reset(transport, self.index)?;
            }
            acknowledge(transport, self.index)
        })?;
        self.running = false;
        Ok(())
    }
}

impl<T: Transport> Core<T> {
    /// Looks at the core until its program has ended, or a word that is watched is another than this.
    fn look_until(&mut self, watched: Option<(u32, u32)>, limit: Limit) -> Result<Watched, DeviceError> {
        if !self.is_running() {
            self.running = false;
            return Err(DeviceError::NotRunning);
        }
        let begin = Instant::now();
        let mut before = None;
        let mut eager = if watched.is_some() { EAGER_LOOKS } else { 0 };
        let mut pause = if watched.is_some() { FIRST_WATCH } else { FIRST_LOOK };
        loop {
            if let Some((address, value)) = watched {
                let word = self.word(address)?;
                if word != value {
                    return Ok(Watched::Changed(word));
                }
            }
            let mut state = self.state()?;
            if !state.running {
                return self.finish(state).map(Watched::Ended);
            }
            if self.is_ready()? {
                self.halt()?;
                state = self.state()?;
                return Ok(Watched::Ended(Finished { instructions: state.instructions, cycles: state.cycles }));
            }
            let CoreState { instructions, pc, .. } = state;
            if instructions.saturating_sub(*before.get_or_insert(instructions)) >= limit.instructions {
                return Err(DeviceError::Limit { limit: Exceeded::Instructions(limit.instructions), pc: Some(pc) });
            }
            let left = limit.time.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Err(DeviceError::Limit { limit: Exceeded::Time(limit.time), pc: Some(pc) });
            }
            if eager > 0 {
                eager -= 1;
                continue;
            }
            let longest = if self.shared.in_use() > 1 { LOOK_IN_TURN } else { self.shared.settings.look };
            // With an interrupt there is no hurry to look.
            let waits = self.shared.capabilities.interrupts && self.ready_flag.is_none() && watched.is_none();
            self.pause(if waits { longest } else { pause.min(longest) }.min(left))?;
            pause = (2 * pause).min(longest);
        }
    }

    /// A word of scalar memory.
    fn word(&self, address: u32) -> Result<u32, DeviceError> {
        let mut word = [0; 4];
        self.read_place(self.place(Space::Scalar, address, word.len())?, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }
}

impl<T: Transport> Drop for Core<T> {
    /// Where the card cannot be reached any more there is nothing that could be done.
    fn drop(&mut self) {
        let _ = self.halt();
        let _ = self.enable_interrupt(false);
        self.shared.give_back(self.index);
    }
}
