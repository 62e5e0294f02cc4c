//! The card as a PCI function of other processes, over a vfio-user socket.
//!
//! Contract: one client at a time; when it goes, its memory and interrupts are forgotten and the function is reset. The
//! client shares its memory as files, which are read and written at offsets and never mapped, so that a client that makes its
//! file shorter costs itself an unsupported request and nothing else. Engines work in a thread of their own, so that registers
//! can be read meanwhile.
//!
//! The protocol is the `vfio_user` crate's; its server trusts the client's lengths. This is for tests: the socket is the
//! user's own, and nobody else's.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_EVENTFD, VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_PCI_MSIX_IRQ_INDEX,
    VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS, VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE, vfio_region_info,
};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, ServerBackend, ServerRegion};

use crate::config_space::{self, CONFIG_BYTES, USER_BYTES, VECTORS};
use crate::memory::{HostMemory, Unmapped};
use crate::model::Card;

/// Number of the configuration space among the regions.
const SPACE: u32 = 7;
/// How long an idle card sleeps before it looks at its cores.
const IDLE: Duration = Duration::from_millis(1);

/// The client's memory: files, each at an address.
#[derive(Debug, Default)]
struct Files(Vec<Part>);

#[derive(Debug)]
struct Part {
    address: u64,
    bytes: u64,
    offset: u64,
    file: File,
}

impl Files {
    fn find(&self, address: u64, bytes: usize) -> Result<(&File, u64), Unmapped> {
        let found = self.0.iter().find_map(|part| {
            let inside = address.checked_sub(part.address)?;
            let left = part.bytes.checked_sub(inside)?;
            (bytes as u64 <= left).then_some((&part.file, part.offset.checked_add(inside)?))
        });
        found.ok_or(Unmapped(address))
    }
}

impl HostMemory for Files {
    fn read(&mut self, address: u64, out: &mut [u8]) -> Result<(), Unmapped> {
        let (file, offset) = self.find(address, out.len())?;
        file.read_exact_at(out, offset).map_err(|_| Unmapped(address))
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Unmapped> {
        let (file, offset) = self.find(address, bytes.len())?;
        // The file must not grow.
        let end = offset.checked_add(bytes.len() as u64);
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        if end.is_none_or(|end| end > length) {
            return Err(Unmapped(address));
        }
        file.write_all_at(bytes, offset).map_err(|_| Unmapped(address))
    }
}

/// What the socket's thread and the engines' share.
struct Shared {
    card: Mutex<Card>,
    memory: Mutex<Files>,
    triggers: Mutex<Vec<Option<File>>>,
    /// How many threads want the card more than the engines do.
    wanted: AtomicU32,
    stop: AtomicBool,
    bell: (Mutex<bool>, Condvar),
}

/// A lock whose holder panicked holds what it held: a model in the middle of a transfer is still a model.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Does something with the card, before the engines do the next piece.
    fn with_card<T>(&self, what: impl FnOnce(&mut Card) -> T) -> T {
        self.wanted.fetch_add(1, Ordering::SeqCst);
        let mut card = lock(&self.card);
        self.wanted.fetch_sub(1, Ordering::SeqCst);
        let result = what(&mut card);
        let messages = card.take_messages();
        drop(card);
        self.send(messages);
        result
    }

    fn ring(&self) {
        *lock(&self.bell.0) = true;
        self.bell.1.notify_all();
    }

    fn send(&self, messages: u32) {
        if messages == 0 {
            return;
        }
        let mut triggers = lock(&self.triggers);
        for (vector, trigger) in triggers.iter_mut().enumerate() {
            if messages >> vector & 1 == 1
                && let Some(file) = trigger
            {
                // An event that nobody reads any more is full or closed: its message is lost.
                drop(file.write(&1_u64.to_ne_bytes()));
            }
        }
    }

    /// The engines' thread.
    fn work(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            let mut card = lock(&self.card);
            let more = card.work(&mut *lock(&self.memory));
            // Cores that run go on, whether or not bytes are moved.
            let running = card.watch();
            let idle = !more && !running;
            let messages = card.take_messages();
            drop(card);
            self.send(messages);
            while self.wanted.load(Ordering::SeqCst) > 0 {
                std::thread::yield_now();
            }
            if idle {
                let rung = lock(&self.bell.0);
                let waited = self.bell.1.wait_timeout_while(rung, IDLE, |rung| !*rung);
                let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
                *rung = false;
            }
        }
    }
}

/// What the protocol's server calls.
struct Backend(Arc<Shared>);

impl Backend {
    fn forget_client(&self) {
        lock(&self.0.memory).0.clear();
        lock(&self.0.triggers).iter_mut().for_each(|trigger| *trigger = None);
        self.0.with_card(Card::reset);
    }
}

impl ServerBackend for Backend {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        data.fill(0xff);
        self.0.with_card(|card| {
            if region == SPACE {
                return card.read_space(offset, data);
            }
            // By words, as the XDMA has them; a part of a word is that part.
            let mut done = 0;
            while done < data.len() {
                let at = offset.wrapping_add(done as u64);
                let Ok(word_at) = u32::try_from(at & !3) else { return };
                let word = match region {
                    0 => card.read_user(word_at),
                    1 => card.read_config(word_at),
                    _ => return,
                };
                let from = (at & 3) as usize;
                let count = (4 - from).min(data.len() - done);
                data[done..done + count].copy_from_slice(&word.to_le_bytes()[from..from + count]);
                done += count;
            }
        });
        Ok(())
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.with_card(|card| {
            if region == SPACE {
                return card.write_space(offset, data);
            }
            // Whole words only: the XDMA's drivers write nothing else.
            for (index, word) in data.as_chunks::<4>().0.iter().enumerate() {
                let Ok(at) = u32::try_from(offset.wrapping_add(4 * index as u64)) else { return };
                match region {
                    0 => card.write_user(at, u32::from_le_bytes(*word)),
                    1 => card.write_config(at, u32::from_le_bytes(*word)),
                    _ => return,
                }
            }
        });
        self.0.ring();
        Ok(())
    }

    fn dma_map(&mut self, _: DmaMapFlags, offset: u64, address: u64, bytes: u64, file: Option<File>) -> io::Result<()> {
        // Memory that is not shared as a file cannot be reached, and reads as not there.
        if let Some(file) = file {
            lock(&self.0.memory).0.push(Part { address, bytes, offset, file });
        }
        Ok(())
    }

    fn dma_unmap(&mut self, flags: DmaUnmapFlags, address: u64, bytes: u64) -> io::Result<()> {
        let all = flags.contains(DmaUnmapFlags::UNMAP_ALL);
        let inside = |part: &Part| {
            part.address >= address && part.address.saturating_add(part.bytes) <= address.saturating_add(bytes)
        };
        lock(&self.0.memory).0.retain(|part| !all && !inside(part));
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        self.0.with_card(Card::reset);
        Ok(())
    }

    fn set_irqs(&mut self, index: u32, flags: u32, start: u32, count: u32, files: Vec<File>) -> io::Result<()> {
        if index != VFIO_PCI_MSIX_IRQ_INDEX || flags & VFIO_IRQ_SET_ACTION_TRIGGER == 0 {
            return Ok(());
        }
        let mut triggers = lock(&self.0.triggers);
        if count == 0 {
            triggers.iter_mut().for_each(|trigger| *trigger = None);
            return Ok(());
        }
        let end = start.checked_add(count).filter(|end| *end <= VECTORS.into());
        let Some(end) = end else { return Err(io::ErrorKind::InvalidInput.into()) };
        let mut files = files.into_iter();
        if flags & VFIO_IRQ_SET_DATA_EVENTFD != 0 {
            for trigger in &mut triggers[start as usize..end as usize] {
                *trigger = files.next();
            }
        }
        Ok(())
    }
}

/// A card behind a socket. Dropping it ends the service once no client is connected.
pub struct Server {
    shared: Arc<Shared>,
    path: PathBuf,
    worker: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `card` at `path`, which must not exist. What goes wrong with a client is told to `report`.
    ///
    /// # Errors
    /// Where the socket or a thread cannot be made.
    pub fn start(path: &Path, card: Card, report: impl Fn(&str) + Send + 'static) -> io::Result<Self> {
        let server = vfio_user::Server::new(path, true, interrupts(), regions()).map_err(io::Error::other)?;
        let shared = Arc::new(Shared {
            card: Mutex::new(card),
            memory: Mutex::default(),
            triggers: Mutex::new((0..VECTORS).map(|_| None).collect()),
            wanted: AtomicU32::new(0),
            stop: AtomicBool::new(false),
            bell: (Mutex::new(false), Condvar::new()),
        });
        let engines = Arc::clone(&shared);
        let worker = std::thread::Builder::new().name("card-engines".to_owned()).spawn(move || engines.work())?;
        let socket = Arc::clone(&shared);
        std::thread::Builder::new().name("card-socket".to_owned()).spawn(move || {
            let mut backend = Backend(socket);
            while !backend.0.stop.load(Ordering::SeqCst) {
                if let Err(error) = server.run(&mut backend) {
                    report(&error.to_string());
                }
                backend.forget_client();
            }
        })?;
        Ok(Self { shared, path: path.to_owned(), worker: Some(worker) })
    }

    /// Does something with the card while it is served: injects faults, looks behind its ports.
    pub fn with_card<T>(&self, what: impl FnOnce(&mut Card) -> T) -> T {
        let result = self.shared.with_card(what);
        self.shared.ring();
        result
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.ring();
        // Wakes the socket's thread if it waits for a client; if it serves one, that one wakes it by going.
        drop(UnixStream::connect(&self.path));
        if let Some(worker) = self.worker.take() {
            // A panic there was printed when it happened.
            drop(worker.join());
        }
    }
}

fn interrupts() -> Vec<IrqInfo> {
    let count = |index| if index == VFIO_PCI_MSIX_IRQ_INDEX { u32::from(VECTORS) } else { 0 };
    (0..VFIO_PCI_NUM_IRQS).map(|index| IrqInfo { index, flags: VFIO_IRQ_INFO_EVENTFD, count: count(index) }).collect()
}

fn regions() -> Vec<ServerRegion> {
    let bytes = |index| match index {
        0 => u64::from(USER_BYTES),
        1 => u64::from(CONFIG_BYTES),
        SPACE => config_space::BYTES as u64,
        _ => 0,
    };
    let region = |index| ServerRegion {
        region_info: vfio_region_info {
            argsz: size_of::<vfio_region_info>() as u32,
            flags: if bytes(index) > 0 { VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE } else { 0 },
            index,
            cap_offset: 0,
            size: bytes(index),
            offset: 0,
        },
        sparse_areas: Vec::new(),
        mmap_fd: None,
    };
    (0..VFIO_PCI_NUM_REGIONS).map(region).collect()
}
