//! A card on the same chip as the host: Zynq and Kria boards, through UIO and u-dma-buf.
//!
//! Contract: `/dev/uioN` is one of
//! - our own system of cores, whose device-tree node has the `reg-names` `registers`, `imem`, `smem`, `vmem` and `lmem`: the register
//!   space, and the windows of [`fenn_isa::soc`] that the node has. DRAM is the u-dma-buf of the same number: the cores' port to memory is to see the
//!   board's physical addresses, so that the buffer is at its own physical address in the card's DRAM, and the cores' regions in it
//!   keep them from all other memory;
//! - a part of the published board, whose registers are others: see [`published`].
//!
//! Windows are copied word by word; there are no interrupts, for looking at a register takes less than a microsecond here.
//!
//! Not here: which bitstream is loaded, and the device tree.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use fenn_isa::memory::Space;
use fenn_isa::soc::{self, CORE_STRIDE, CardRegister, MOST_CORES, REGISTER_BYTES};

use super::mmio::Mapping;
use super::{Capabilities, Deadline, Transport, TransportError, Window};
use crate::system::Root;

pub mod published;

/// Bytes between two looks at the clock.
const BETWEEN_LOOKS: usize = 1 << 16;
/// The first and the longest pause between two looks at a core.
const PAUSES: (Duration, Duration) = (Duration::from_micros(20), Duration::from_millis(2));
/// Names of the memories' maps.
const WINDOWS: [(&str, Space, CardRegister); 4] = [
    ("imem", Space::Instruction, CardRegister::InstructionBytes),
    ("smem", Space::Scalar, CardRegister::ScalarBytes),
    ("vmem", Space::Vector, CardRegister::VectorBytes),
    ("lmem", Space::LaneLocal, CardRegister::LaneBytes),
];

/// The card or board that `/dev/uioN` belongs to.
///
/// # Errors
/// [`TransportError::System`] with what is missing.
pub fn open(root: &Root, number: u32) -> Result<Box<dyn Transport>, TransportError> {
    let name = name_of(root, number)?;
    if published::is_part(&name) {
        return Ok(Box::new(published::Board::open(root)?));
    }
    Ok(Box::new(Soc::open(root, number)?))
}

/// The device's name.
///
/// # Errors
/// [`TransportError::System`] where there is no such device.
pub fn name_of(root: &Root, number: u32) -> Result<String, TransportError> {
    root.text(format!("sys/class/uio/uio{number}/name")).map_err(|error| TransportError::System {
        what: format!("looking for uio{number}"),
        message: format!("{error}; is the device in the device tree, with a compatible of uio_pdrv_genirq.of_id?"),
    })
}

/// One mapping of a UIO device.
#[derive(Debug)]
struct Map {
    name: String,
    mapping: Mapping,
}

/// All mappings of a UIO device.
fn maps(root: &Root, number: u32) -> Result<Vec<Map>, TransportError> {
    let device = format!("dev/uio{number}");
    let file = open_device(&root.path(&device), false)?;
    let folder = format!("sys/class/uio/uio{number}/maps");
    let map = |name: String| {
        let system = |what: &str, error: std::io::Error| TransportError::System {
            what: format!("{what} of /{folder}/{name}"),
            message: error.to_string(),
        };
        let index = name.strip_prefix("map").and_then(|index| index.parse::<u64>().ok());
        let index = index.ok_or_else(|| system("the number", std::io::ErrorKind::InvalidData.into()))?;
        let bytes = root.number(format!("{folder}/{name}/size")).map_err(|error| system("the size", error))?;
        let title = root.text(format!("{folder}/{name}/name")).unwrap_or_default();
        let bytes = usize::try_from(bytes).map_err(|_| system("the size", std::io::ErrorKind::InvalidData.into()))?;
        // So a UIO device tells its maps apart.
        let offset = index * rustix::param::page_size() as u64;
        let mapping = Mapping::new(&file, offset, bytes).map_err(|error| system("mapping", error))?;
        Ok(Map { name: title, mapping })
    };
    root.names(&folder).into_iter().map(map).collect()
}

/// Opens a device node for reading and writing; `uncached` for memory that a device writes.
fn open_device(path: &Path, uncached: bool) -> Result<File, TransportError> {
    let flags = if uncached { rustix::fs::OFlags::SYNC.bits() as i32 } else { 0 };
    let opened = File::options().read(true).write(true).custom_flags(flags).open(path);
    opened.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::PermissionDenied => "; see `fenn-run doctor` for who may open it",
            _ => "",
        };
        TransportError::System { what: format!("opening {}", path.display()), message: format!("{error}{hint}") }
    })
}

/// A stretch of memory that devices reach too.
#[derive(Debug)]
struct DmaBuffer {
    mapping: Mapping,
    /// Where devices see it.
    physical: u64,
}

impl DmaBuffer {
    /// The u-dma-buf of that number, if there is one.
    fn open(root: &Root, number: u32) -> Result<Option<Self>, TransportError> {
        let folders = ["sys/class/u-dma-buf", "sys/class/udmabuf"].map(|class| format!("{class}/udmabuf{number}"));
        let Some(folder) = folders.iter().find(|folder| root.has(folder)) else { return Ok(None) };
        let wrong = |what: &str, error: std::io::Error| TransportError::System {
            what: format!("{what} of /{folder}"),
            message: error.to_string(),
        };
        let bytes = root.number(format!("{folder}/size")).map_err(|error| wrong("the size", error))?;
        let physical = root.number(format!("{folder}/phys_addr")).map_err(|error| wrong("the address", error))?;
        let bytes = usize::try_from(bytes).map_err(|_| wrong("the size", std::io::ErrorKind::InvalidData.into()))?;
        let file = open_device(&root.path(format!("dev/udmabuf{number}")), true)?;
        let mapping = Mapping::new(&file, 0, bytes).map_err(|error| wrong("mapping", error))?;
        Ok(Some(Self { mapping, physical }))
    }
}

/// Our own system of cores.
#[derive(Debug)]
pub struct Soc {
    number: u32,
    registers: Mapping,
    /// With the number of the window's first byte.
    windows: Vec<(u64, Mapping)>,
    capabilities: Capabilities,
    pause: Duration,
}

impl Soc {
    /// The one behind `/dev/uioN`.
    ///
    /// # Errors
    /// [`TransportError::System`] with what is missing.
    pub fn open(root: &Root, number: u32) -> Result<Self, TransportError> {
        let mut maps = maps(root, number)?;
        let missing = |what: String| TransportError::System {
            what: format!("uio{number}"),
            message: format!("{what}; the device-tree node's reg-names are registers, imem, smem, vmem, lmem"),
        };
        let registers = maps.iter().position(|map| map.name == "registers");
        let registers = maps.swap_remove(registers.ok_or_else(|| missing("no map is called `registers`".to_owned()))?);
        if registers.mapping.bytes() < REGISTER_BYTES as usize {
            return Err(missing(format!("its registers have less than {REGISTER_BYTES:#x} bytes")));
        }
        let registers = registers.mapping;
        let read = |register: CardRegister| registers.read(register.spec().offset as usize).unwrap_or(0);
        // Whether it is a card is found out by whoever asks; here only what is at most there matters.
        let cores = read(CardRegister::Cores).min(MOST_CORES);
        let sizes = WINDOWS.map(|(_, _, register)| u64::from(read(register)));
        let mut windows = Vec::new();
        let mut told = Vec::new();
        for ((name, space, _), size) in WINDOWS.into_iter().zip(sizes) {
            let Some(index) = maps.iter().position(|map| map.name == name) else { continue };
            let Map { mapping, .. } = maps.swap_remove(index);
            // Of lane-local memory the register has a lane's share.
            let size = if space == Space::LaneLocal { size * fenn_isa::memory::LANES as u64 } else { size };
            let size = size.min(CORE_STRIDE.into()) & !3;
            let fits = |core: &u32| u64::from(*core) * u64::from(CORE_STRIDE) + size <= mapping.bytes() as u64;
            let cores = (0..cores).take_while(fits);
            told.extend(cores.map(|core| Window { address: soc::window(space, core), bytes: size }));
            windows.push((soc::window(space, 0), mapping));
        }
        if let Some(DmaBuffer { mapping, physical }) = DmaBuffer::open(root, number)? {
            let address = soc::window(Space::Dram, 0).saturating_add(physical);
            told.push(Window { address, bytes: mapping.bytes() as u64 & !3 });
            windows.push((address, mapping));
        }
        let capabilities =
            Capabilities { registers: REGISTER_BYTES, windows: told, alignment: 4, chunk: 4 << 20, interrupts: false };
        Ok(Self { number, registers, windows, capabilities, pause: PAUSES.0 })
    }

    /// The mapping that an access inside of the windows goes to, and where in it.
    fn place(&mut self, address: u64, bytes: usize) -> Result<(&mut Mapping, usize), TransportError> {
        self.capabilities.check(address, bytes)?;
        let outside = TransportError::Outside { address, bytes: bytes as u64 };
        let place = self.windows.iter_mut().find_map(|(first, mapping)| {
            let inside = usize::try_from(address.checked_sub(*first)?).ok()?;
            (inside.checked_add(bytes)? <= mapping.bytes()).then_some((mapping, inside))
        });
        place.ok_or(outside)
    }

    /// An answer that the mapping could not give: the register is beyond it, which the check before has ruled out.
    fn no_register(&self, offset: u32) -> TransportError {
        TransportError::Register { offset, bytes: self.capabilities.registers }
    }
}

impl Transport for Soc {
    fn name(&self) -> String {
        format!("uio{}", self.number)
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        self.capabilities.check_register(offset)?;
        self.registers.read(offset as usize).ok_or_else(|| self.no_register(offset))
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.capabilities.check_register(offset)?;
        self.pause = PAUSES.0;
        match self.registers.write(offset as usize, value) {
            Some(()) => Ok(()),
            None => Err(self.no_register(offset)),
        }
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        let (mapping, inside) = self.place(address, out.len())?;
        copy_out(mapping, inside, out, address, deadline)
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        let (mapping, inside) = self.place(address, bytes.len())?;
        copy_in(mapping, inside, bytes, address, deadline)
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        let pause = pause(&mut self.pause, core, &deadline)?;
        std::thread::sleep(pause);
        Ok(())
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

/// How long to pause this time; the next pause is twice as long.
fn pause(next: &mut Duration, core: u32, deadline: &Deadline) -> Result<Duration, TransportError> {
    let left = deadline.left();
    if left.is_zero() {
        return Err(TransportError::Deadline { what: format!("waiting for core {core}"), limit: deadline.limit() });
    }
    let pause = *next;
    *next = (2 * pause).min(PAUSES.1);
    Ok(pause.min(left))
}

fn late(what: &str, address: u64, deadline: &Deadline) -> TransportError {
    TransportError::Deadline { what: format!("{what} at {address:#x}"), limit: deadline.limit() }
}

/// Reads words of a mapping, all of which it has.
fn copy_out(
    mapping: &Mapping,
    inside: usize,
    out: &mut [u8],
    address: u64,
    deadline: Deadline,
) -> Result<(), TransportError> {
    for (part, index) in out.chunks_mut(BETWEEN_LOOKS).zip(0..) {
        let from = index * BETWEEN_LOOKS;
        if deadline.passed() {
            return Err(late("reading", address + from as u64, &deadline));
        }
        for (word, place) in part.chunks_exact_mut(4).zip((inside + from..).step_by(4)) {
            let outside = TransportError::Outside { address: address + from as u64, bytes: 4 };
            word.copy_from_slice(&mapping.read(place).ok_or(outside)?.to_le_bytes());
        }
    }
    Ok(())
}

/// Writes words of a mapping, all of which it has.
fn copy_in(
    mapping: &mut Mapping,
    inside: usize,
    bytes: &[u8],
    address: u64,
    deadline: Deadline,
) -> Result<(), TransportError> {
    for (part, index) in bytes.chunks(BETWEEN_LOOKS).zip(0..) {
        let from = index * BETWEEN_LOOKS;
        if deadline.passed() {
            return Err(late("writing", address + from as u64, &deadline));
        }
        for (word, place) in part.chunks_exact(4).zip((inside + from..).step_by(4)) {
            let outside = TransportError::Outside { address: address + from as u64, bytes: 4 };
            let value = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            mapping.write(place, value).ok_or(outside)?;
        }
    }
    Ok(())
}
