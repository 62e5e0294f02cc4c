//! The XDMA driver's character devices without the driver: CUSE in front of a simulated card.
//!
//! Contract: [`run`] makes `xdma0_h2c_0`, `xdma0_c2h_0`, `xdma0_user`, `xdma0_events_0` (one for each core) and
//! `xdma0_faults`, which behave as the driver was seen to behave, as far as a caller can tell by `open`, `pread`, `pwrite`, `poll` and their
//! results. What a driver of the kernel's own would answer with a crash is written to standard error as a line that begins with
//! `BUG`, and answered with an I/O error.
//!
//! Two things that the kernel's CUSE does not have: devices that can be mapped, and the position of a read or write, which it
//! never passes on. The latter is read from the calling thread's `/proc/THREAD/syscall`, where the caller's buffer is found too ([`caller`]).
//!
//! Not here: descriptors and engines (the card's model has those), and speed.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fenn_host::error::DeviceError;
use fenn_host::transport::sim::{Options as CardOptions, SimulatedCard};
use fenn_host::transport::{Deadline, Transport, TransportError};
use fenn_isa::soc::CardRegister;

pub mod caller;
mod events;
mod fault;
pub mod fuse;
mod registers;
mod transfers;

use fault::Fault;

/// How long cores run at a time while nobody looks.
const CORE_SLICE: u64 = 1 << 14;
/// How often they do.
const TICK: Duration = Duration::from_millis(1);
/// How long the simulated card may take for one request.
const CARD_LIMIT: Duration = Duration::from_secs(60);

/// What to emulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Cores of the card, which has 64 MiB of DRAM for each.
    pub cores: u32,
    /// How long a transfer that does not end takes until the driver gives up.
    pub timeout: Duration,
    /// Source and destination are aligned alike, to this power of two.
    pub alignment: u32,
    /// How long 128 KiB take, so that a signal finds a transfer under way.
    pub pace: Duration,
}

/// The card, and what goes wrong with it.
struct World {
    card: SimulatedCard,
    linked: bool,
    faults: Vec<Fault>,
    /// Interrupts of the cores as they were last seen.
    lines: u32,
}

/// What all devices share.
struct Shared {
    options: Options,
    world: Mutex<World>,
    /// One bit for each core: an interrupt that nobody has read.
    flags: Mutex<u32>,
    raised: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn new(options: Options) -> Result<Self, DeviceError> {
        let card = SimulatedCard::new(CardOptions {
            cores: options.cores,
            dram_bytes: u64::from(options.cores) * (64 << 20),
            // The driver does not tell where memories are.
            tells_windows: false,
            ..CardOptions::default()
        })?;
        let world = World { card, linked: true, faults: Vec::new(), lines: 0 };
        Ok(Self { options, world: Mutex::new(world), flags: Mutex::new(0), raised: Condvar::new() })
    }

    /// Something done to the card; then, interrupts that have come up are noted.
    fn with_world<T>(&self, what: impl FnOnce(&mut World) -> T) -> T {
        let mut world = lock(&self.world);
        let result = what(&mut world);
        let mut read = |register: CardRegister| world.card.read_register(register.spec().offset).unwrap_or(0);
        let lines = read(CardRegister::IrqPending) & read(CardRegister::IrqEnable);
        let risen = if world.linked { lines & !world.lines } else { 0 };
        world.lines = lines;
        drop(world);
        if risen != 0 {
            *lock(&self.flags) |= risen;
            self.raised.notify_all();
        }
        result
    }
}

impl World {
    /// Moves a piece, as the card's AXI port would.
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), TransportError> {
        self.card.write(address, bytes, Deadline::after(CARD_LIMIT))
    }

    fn read(&mut self, address: u64, out: &mut [u8]) -> Result<(), TransportError> {
        self.card.read(address, out, Deadline::after(CARD_LIMIT))
    }

    /// The fault that strikes this transfer.
    fn strike(&mut self) -> Option<Fault> {
        let fault = if self.faults.is_empty() { None } else { Some(self.faults.remove(0)) };
        if fault == Some(Fault::LinkLoss) {
            self.linked = false;
        }
        fault
    }
}

/// Why there is no emulation.
#[derive(Debug, thiserror::Error)]
pub enum EmulationError {
    /// No such card can be.
    #[error(transparent)]
    Card(DeviceError),
    /// A device cannot be made, or not be served any more.
    #[error("the device {name} cannot be served: {error}; is the kernel module `cuse` loaded?")]
    Device {
        /// Which.
        name: String,
        /// The system's words.
        error: io::Error,
    },
}

/// Makes the devices, calls `ready`, and serves them until one fails.
///
/// # Errors
/// [`EmulationError`].
pub fn run(options: Options, ready: impl FnOnce()) -> Result<(), EmulationError> {
    let shared = Arc::new(Shared::new(options).map_err(EmulationError::Card)?);
    let (failed, failures) = std::sync::mpsc::channel();
    let start = |name: String, serve: Box<dyn FnOnce(fuse::Node) -> io::Result<()> + Send>| {
        let failed = failed.clone();
        let wrong = |name: &str, error| EmulationError::Device { name: name.to_owned(), error };
        let node = fuse::Node::create(&name).map_err(|error| wrong(&name, error))?;
        std::thread::spawn(move || {
            let error = serve(node).err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
            // Nobody listens any more where another one has failed before.
            let (Ok(()) | Err(_)) = failed.send(EmulationError::Device { name, error });
        });
        Ok(())
    };
    for (name, to_card) in [("xdma0_h2c_0", true), ("xdma0_c2h_0", false)] {
        let shared = Arc::clone(&shared);
        start(name.to_owned(), Box::new(move |node| transfers::serve(node, &shared, to_card)))?;
    }
    let registers = Arc::clone(&shared);
    start("xdma0_user".to_owned(), Box::new(move |node| registers::serve(node, &registers)))?;
    let faults = Arc::clone(&shared);
    start("xdma0_faults".to_owned(), Box::new(move |node| registers::serve_faults(node, &faults)))?;
    for core in 0..options.cores {
        let shared = Arc::clone(&shared);
        start(format!("xdma0_events_{core}"), Box::new(move |node| events::serve(node, &shared, core)))?;
    }
    let clock = Arc::clone(&shared);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(TICK);
            clock.with_world(|world| world.card.advance(CORE_SLICE));
        }
    });
    ready();
    // The sender here keeps it open.
    Err(failures
        .recv()
        .unwrap_or_else(|_| EmulationError::Device { name: String::new(), error: io::ErrorKind::Other.into() }))
}
