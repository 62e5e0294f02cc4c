//! The published board (Zynq or Kria) behind the registers of [`fenn_isa::soc`].
//!
//! Contract. The board has, for each core, four UIO devices: `axi_bram_ctrl_instr` and `axi_bram_ctrl_data` (instruction and scalar
//! memory), `axi_gpio` (word 0 enables the core) and `dm_cmd_and_fsm` (the registers of the DMA engine); with several cores
//! their names begin with `core_N_`. `/dev/udmabuf0` is memory that the DMA engine reaches by physical addresses.
//!
//! What [`fenn_isa::soc`] has and the board has not is made up for where that is possible:
//! - `run` enables the core and `halt` disables it, which resets it: it always starts at 0, so another `entry` is refused, and so are `step`
//!   and `resume`. It is `running` while it is enabled; that a program has come to its end only its ready flag tells.
//! - Vector memory is reached through the DMA engine and a part of the buffer, while the core is disabled.
//! - Counters read 0, and there are no interrupts.
//!
//! What is missing: lane-local memory cannot be reached. DRAM is not offered as memory of a core, for the board's programs take
//! physical addresses, which nothing checks. The board does not say who it is: that the names are right is all that is known, and
//! the sizes of vector and lane-local memory are those of the published design.

use std::time::Duration;

use fenn_isa::csr::{DMA_MAX_BYTES, dma_status};
use fenn_isa::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};
use fenn_isa::soc::{
    self, CORE_BLOCK_BYTES, CORE_BLOCKS, CardRegister, CoreRegister, FINGERPRINT, IDENT, MOST_CORES, REGISTER_BYTES,
    VERSION, control, status,
};

use super::{DmaBuffer, Map, PAUSES, copy_in, copy_out, late, maps, pause};
use crate::system::Root;
use crate::transport::mmio::Mapping;
use crate::transport::{Capabilities, Deadline, Transport, TransportError, Window};

/// The names of a core's devices.
const PARTS: [&str; 4] = ["axi_bram_ctrl_instr", "axi_bram_ctrl_data", "axi_gpio", "dm_cmd_and_fsm"];
/// Byte offset of the GPIO's word that enables the core.
const ENABLE: usize = 0;
/// What is written to a channel's control register to start it.
const START: u32 = 1;
/// How long a transfer of the DMA engine may take.
const TRANSFER: Duration = Duration::from_secs(1);
/// Bytes of the DMA engine's registers.
const COMMAND_BYTES: usize = 0x28;

/// A channel's registers in the DMA command block, by byte offset.
#[derive(Debug, Clone, Copy)]
struct Channel {
    source: usize,
    destination: usize,
    count: usize,
    status: usize,
    control: usize,
}

/// Into vector memory.
const MM2S: Channel = Channel { source: 0x00, destination: 0x04, count: 0x08, status: 0x0c, control: 0x10 };
/// Out of vector memory.
const S2MM: Channel = Channel { source: 0x14, destination: 0x18, count: 0x1c, status: 0x20, control: 0x24 };

/// The core and the part that a UIO device of this name is.
fn part_of(name: &str) -> Option<(u32, usize)> {
    let (core, name) = match name.strip_prefix("core_").and_then(|rest| rest.split_once('_')) {
        Some((core, name)) => (core.parse().ok()?, name),
        None => (0, name),
    };
    let part = PARTS.iter().position(|part| *part == name)?;
    (core < MOST_CORES).then_some((core, part))
}

/// Whether a UIO device of this name is a part of the published board.
pub fn is_part(name: &str) -> bool {
    part_of(name).is_some()
}

/// The board.
#[derive(Debug)]
pub struct Board {
    cores: Vec<Core>,
    buffer: Option<DmaBuffer>,
    config: MachineConfig,
    capabilities: Capabilities,
    scratch: u32,
    pause: Duration,
}

/// One core's devices.
#[derive(Debug)]
struct Core {
    instruction: Mapping,
    scalar: Mapping,
    gpio: Mapping,
    command: Mapping,
    entry: u32,
    cause: status::Cause,
}

impl Board {
    /// The board whose parts are this machine's UIO devices.
    ///
    /// # Errors
    /// [`TransportError::System`] for a core of which a part is missing, or cannot be opened.
    pub fn open(root: &Root) -> Result<Self, TransportError> {
        let mut found: Vec<[Option<u32>; PARTS.len()]> = Vec::new();
        for device in root.names("sys/class/uio") {
            let Some(number) = device.strip_prefix("uio").and_then(|number| number.parse().ok()) else { continue };
            let Some((core, part)) = part_of(&super::name_of(root, number)?) else { continue };
            found.resize(found.len().max(core as usize + 1), [None; PARTS.len()]);
            found[core as usize][part] = Some(number);
        }
        let cores = found.iter().zip(0..).map(|(parts, core)| Core::open(root, core, parts));
        let cores = cores.collect::<Result<Vec<_>, _>>()?;
        let buffer = DmaBuffer::open(root, 0)?;
        let smallest = |bytes: fn(&Core) -> usize| cores.iter().map(bytes).min().unwrap_or(0) as u32 & !3;
        let config = MachineConfig {
            instruction_bytes: smallest(|core| core.instruction.bytes()),
            scalar_bytes: smallest(|core| core.scalar.bytes()),
            dram_bytes: 0,
            ..MachineConfig::default()
        };
        let mut spaces = vec![Space::Instruction, Space::Scalar];
        // Without a buffer there is no way to vector memory.
        spaces.extend(buffer.as_ref().filter(|buffer| staging(buffer).is_some()).map(|_| Space::Vector));
        let window = |space, core| Window { address: soc::window(space, core), bytes: config.bytes(space).into() };
        let windows = spaces.into_iter().flat_map(|space| (0..).zip(&cores).map(move |(core, _)| window(space, core)));
        let capabilities = Capabilities {
            registers: REGISTER_BYTES,
            windows: windows.collect(),
            // Transfers of the DMA engine are of whole vectors.
            alignment: VECTOR_BYTES,
            chunk: DMA_MAX_BYTES,
            interrupts: false,
        };
        Ok(Self { cores, buffer, config, capabilities, scratch: 0, pause: PAUSES.0 })
    }

    fn control(&mut self, index: usize, bits: u32) -> Result<(), TransportError> {
        let core = &mut self.cores[index];
        self.pause = PAUSES.0;
        if bits & (control::RESET | control::HALT) != 0 {
            let reset = bits & control::RESET != 0;
            if core.is_enabled()? || reset {
                core.enable(false)?;
                core.cause = if reset { status::Cause::Reset } else { status::Cause::Request };
            }
            return Ok(());
        }
        let cannot = |message: &str| TransportError::System {
            what: format!("starting core {index} of the published board"),
            message: message.to_owned(),
        };
        if bits & (control::STEP | control::RESUME) != 0 {
            return Err(cannot("it cannot go on where it stopped, nor make single steps"));
        }
        if bits & control::RUN != 0 {
            if core.entry != 0 {
                return Err(cannot("it always starts at address 0; give the program its entry point there"));
            }
            core.enable(true)?;
        }
        Ok(())
    }

    fn read_card(&self, register: CardRegister) -> u32 {
        match register {
            CardRegister::Ident => IDENT,
            CardRegister::Version => VERSION,
            CardRegister::Fingerprint => FINGERPRINT,
            CardRegister::Cores => self.cores.len() as u32,
            CardRegister::Lanes => LANES as u32,
            CardRegister::InstructionBytes => self.config.instruction_bytes,
            CardRegister::ScalarBytes => self.config.scalar_bytes,
            CardRegister::VectorBytes => self.config.vector_bytes,
            CardRegister::LaneBytes => self.config.lane_local_bytes,
            // 16 bytes move in each beat.
            CardRegister::DataWidth => 128,
            CardRegister::Scratch => self.scratch,
            CardRegister::DramLow
            | CardRegister::DramHigh
            | CardRegister::ClockKhz
            | CardRegister::IrqPending
            | CardRegister::IrqEnable
            | CardRegister::IrqAck
            | CardRegister::BusError
            | CardRegister::BusErrorLow
            | CardRegister::BusErrorHigh => 0,
        }
    }

    /// The core and register at an offset of the register space that is one.
    fn register_at(&self, offset: u32) -> Result<Option<(usize, CoreRegister)>, TransportError> {
        self.capabilities.check_register(offset)?;
        let place = offset.checked_sub(CORE_BLOCKS).and_then(|inside| {
            let core = (inside / CORE_BLOCK_BYTES) as usize;
            Some((core, CoreRegister::at(inside % CORE_BLOCK_BYTES)?))
        });
        Ok(place.filter(|(core, _)| *core < self.cores.len()))
    }

    fn place(&self, address: u64, bytes: usize) -> Result<(Space, usize, usize), TransportError> {
        self.capabilities.check(address, bytes)?;
        let outside = TransportError::Outside { address, bytes: bytes as u64 };
        let (space, core, inside) = soc::at(address).ok_or(outside)?;
        Ok((space, core as usize, inside as usize))
    }
}

/// How many bytes of a buffer a transfer goes through, and where the engine sees them; none if it cannot.
fn staging(buffer: &DmaBuffer) -> Option<(u32, u32)> {
    let bytes = (buffer.mapping.bytes() as u64).min(DMA_MAX_BYTES.into()) as u32 / VECTOR_BYTES * VECTOR_BYTES;
    let physical = u32::try_from(buffer.physical).ok().filter(|address| address.is_multiple_of(VECTOR_BYTES))?;
    (bytes > 0 && physical.checked_add(bytes).is_some()).then_some((bytes, physical))
}

impl Core {
    fn open(root: &Root, core: u32, parts: &[Option<u32>; PARTS.len()]) -> Result<Self, TransportError> {
        let missing = |part: usize, message: String| TransportError::System {
            what: format!("core {core} of the published board"),
            message: format!("{} {message}", PARTS[part]),
        };
        let open = |part: usize, least: usize| {
            let number = parts[part].ok_or_else(|| missing(part, "is no UIO device of this machine".to_owned()))?;
            let map = maps(root, number)?.into_iter().next();
            let Map { mapping, .. } = map.ok_or_else(|| missing(part, "has no memory to map".to_owned()))?;
            match mapping.bytes() >= least {
                true => Ok(mapping),
                false => Err(missing(part, format!("has {} bytes and not {least}", mapping.bytes()))),
            }
        };
        Ok(Self {
            instruction: open(0, VECTOR_BYTES as usize)?,
            scalar: open(1, VECTOR_BYTES as usize)?,
            gpio: open(2, 12)?,
            command: open(3, COMMAND_BYTES)?,
            entry: 0,
            cause: status::Cause::Reset,
        })
    }

    fn is_enabled(&self) -> Result<bool, TransportError> {
        Ok(word(&self.gpio, ENABLE)? & 1 != 0)
    }

    fn enable(&mut self, on: bool) -> Result<(), TransportError> {
        set_word(&mut self.gpio, ENABLE, on.into())
    }

    fn read(&self, register: CoreRegister) -> Result<u32, TransportError> {
        Ok(match register {
            CoreRegister::Status if self.is_enabled()? => status::RUNNING,
            CoreRegister::Status => (self.cause as u32) << status::CAUSE_SHIFT,
            CoreRegister::Entry => self.entry,
            _ => 0,
        })
    }

    /// Lets the DMA engine make one transfer.
    fn transfer(
        &mut self,
        channel: Channel,
        source: u32,
        destination: u32,
        bytes: u32,
        deadline: &Deadline,
    ) -> Result<(), TransportError> {
        let place = source.min(destination);
        let refused = |answer: String| TransportError::Refused { address: place.into(), bytes: bytes.into(), answer };
        set_word(&mut self.command, channel.source, source)?;
        set_word(&mut self.command, channel.destination, destination)?;
        set_word(&mut self.command, channel.count, bytes)?;
        set_word(&mut self.command, channel.control, START)?;
        let limit = Deadline::after(TRANSFER.min(deadline.left()));
        loop {
            let status = word(&self.command, channel.status)?;
            let errors = dma_status::INTERNAL_ERROR | dma_status::DECODE_ERROR | dma_status::SLAVE_ERROR;
            if status & errors != 0 {
                return Err(refused(dma_text(status)));
            }
            if status & (dma_status::IDLE | dma_status::OK) == dma_status::IDLE | dma_status::OK {
                return Ok(());
            }
            if limit.passed() {
                return Err(late("the DMA engine's transfer", place.into(), &limit));
            }
            std::hint::spin_loop();
        }
    }
}

/// What the DMA engine's status says.
pub fn dma_text(status: u32) -> String {
    let bits = [
        (
            dma_status::INTERNAL_ERROR,
            "the DMA engine cannot do that: an address or length is no multiple of 64, or too long",
        ),
        (dma_status::DECODE_ERROR, "the DMA engine got a decode error: an address belongs to no memory"),
        (dma_status::SLAVE_ERROR, "the DMA engine got a slave error: a memory refused an access"),
        (dma_status::START, "the DMA engine has not begun"),
        (dma_status::TRANSFERRING, "the DMA engine is at it"),
    ];
    let said: Vec<&str> = bits.iter().filter(|(bit, _)| status & bit != 0).map(|(_, text)| *text).collect();
    if said.is_empty() { format!("the DMA engine's status is {status:#x}") } else { said.join("; ") }
}

fn word(mapping: &Mapping, offset: usize) -> Result<u32, TransportError> {
    let bytes = mapping.bytes() as u32;
    mapping.read(offset).ok_or(TransportError::Register { offset: offset as u32, bytes })
}

fn set_word(mapping: &mut Mapping, offset: usize, value: u32) -> Result<(), TransportError> {
    let bytes = mapping.bytes() as u32;
    mapping.write(offset, value).ok_or(TransportError::Register { offset: offset as u32, bytes })
}

impl Transport for Board {
    fn name(&self) -> String {
        "published board".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        match self.register_at(offset)? {
            Some((core, register)) => self.cores[core].read(register),
            None => Ok(CardRegister::at(offset).map_or(0, |register| self.read_card(register))),
        }
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        match self.register_at(offset)? {
            Some((core, CoreRegister::Control)) => self.control(core, value)?,
            Some((core, CoreRegister::Entry)) => self.cores[core].entry = value,
            None if offset == CardRegister::Scratch.spec().offset => self.scratch = value,
            // Regions, interrupts and errors are not there.
            Some(_) | None => {}
        }
        Ok(())
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        let (space, index, inside) = self.place(address, out.len())?;
        let core = &mut self.cores[index];
        match space {
            Space::Instruction => copy_out(&core.instruction, inside, out, address, deadline),
            Space::Scalar => copy_out(&core.scalar, inside, out, address, deadline),
            _ => {
                let Some((buffer, (bytes, physical))) = self.buffer.as_mut().and_then(|b| Some((&*b, staging(b)?)))
                else {
                    return Err(TransportError::Outside { address, bytes: out.len() as u64 });
                };
                core.must_stand_still(address, out.len())?;
                for (part, from) in out.chunks_mut(bytes as usize).zip((inside as u32..).step_by(bytes as usize)) {
                    core.transfer(S2MM, from, physical, part.len() as u32, &deadline)?;
                    copy_out(&buffer.mapping, 0, part, address, deadline)?;
                }
                Ok(())
            }
        }
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        let (space, index, inside) = self.place(address, bytes.len())?;
        let core = &mut self.cores[index];
        match space {
            Space::Instruction => copy_in(&mut core.instruction, inside, bytes, address, deadline),
            Space::Scalar => copy_in(&mut core.scalar, inside, bytes, address, deadline),
            _ => {
                let outside = TransportError::Outside { address, bytes: bytes.len() as u64 };
                let Some(buffer) = self.buffer.as_mut() else { return Err(outside) };
                let Some((length, physical)) = staging(buffer) else { return Err(outside) };
                core.must_stand_still(address, bytes.len())?;
                for (part, to) in bytes.chunks(length as usize).zip((inside as u32..).step_by(length as usize)) {
                    copy_in(&mut buffer.mapping, 0, part, address, deadline)?;
                    core.transfer(MM2S, physical, to, part.len() as u32, &deadline)?;
                }
                Ok(())
            }
        }
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        let pause = pause(&mut self.pause, core, &deadline)?;
        std::thread::sleep(pause);
        Ok(())
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        self.cores.iter_mut().try_for_each(|core| {
            core.cause = status::Cause::Reset;
            core.enable(false)
        })
    }
}

impl Core {
    /// The DMA engine is the program's while it runs.
    fn must_stand_still(&self, address: u64, bytes: usize) -> Result<(), TransportError> {
        match self.is_enabled()? {
            false => Ok(()),
            true => Err(TransportError::Refused {
                address,
                bytes: bytes as u64,
                answer: "the core runs, and the DMA engine is its own".to_owned(),
            }),
        }
    }
}
