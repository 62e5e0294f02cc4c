//! A PCI function of another process, over a vfio-user socket.
//!
//! Contract: [`VfioUser`] is a [`Pci`] whose other side is a server of the vfio-user protocol. DMA memory is a file without a
//! name that both processes map; interrupts are event file descriptors. Every call ends at its deadline, whatever the server
//! does or fails to do: requests are made by a thread of their own, and the first that is late, or that ends it, makes the
//! function [`TransportError::Gone`] for good, because nobody knows any more whose answer would come next.
//!
//! The protocol is the `vfio_user` crate's. Its client knows no deadlines and trusts the server's lengths; the thread is what
//! keeps that from the caller. A thread whose server never answers stays until the process ends.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use rustix::fs::MemfdFlags;
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSIX_IRQ_INDEX,
};
use vfio_user::Client;

use super::events::Events;
use super::mmio::Mapping;
use super::pci::{BARS, Pci, check_word, outside};
use super::{Deadline, TransportError};

/// How long the server may take to answer while the function is opened.
const OPEN_LIMIT: Duration = Duration::from_secs(2);
/// Where the function sees the DMA memory.
const MEMORY_ADDRESS: u64 = 0x1_0000_0000;
/// The most interrupt vectors that are asked for.
const MOST_VECTORS: u32 = 32;
/// The command register in the configuration space.
const COMMAND: u64 = 4;
/// Its bits: memory accesses, and bus mastering.
const MEMORY_AND_MASTER: u8 = 0b110;

type Request = Box<dyn FnOnce(&mut Client) + Send>;

/// A PCI function behind a vfio-user socket.
#[derive(Debug)]
pub struct VfioUser {
    name: String,
    bars: [u64; BARS as usize],
    memory: Mapping,
    events: Events,
    requests: SyncSender<Request>,
    gone: Option<String>,
}

impl VfioUser {
    /// Connects to the server at `path`, with `bytes` bytes of DMA memory.
    ///
    /// # Errors
    /// [`TransportError::System`] where there is no server or it is none of a PCI function; [`TransportError::Gone`] where it
    /// does not answer within two seconds.
    pub fn connect(path: &Path, bytes: usize) -> Result<Self, TransportError> {
        let name = format!("vfio-user:{}", path.display());
        let system = |what: &str, message: String| TransportError::System { what: format!("{what} {name}"), message };
        let bytes = bytes.next_multiple_of(4096);
        let file = rustix::fs::memfd_create("fenn-dma", MemfdFlags::CLOEXEC)
            .map_err(|error| system("making DMA memory for", error.to_string()))?;
        rustix::fs::ftruncate(&file, bytes as u64)
            .map_err(|error| system("making DMA memory for", error.to_string()))?;
        let file = File::from(file);
        let memory =
            Mapping::new(&file, 0, bytes).map_err(|error| system("mapping DMA memory for", error.to_string()))?;

        let (requests, inbox) = mpsc::sync_channel::<Request>(1);
        let (connected, answer) = mpsc::sync_channel(1);
        let socket = path.to_owned();
        std::thread::Builder::new()
            .name("fenn-vfio-user".to_owned())
            .spawn(move || serve(&socket, &connected, &inbox))
            .map_err(|error| system("starting a thread for", error.to_string()))?;
        let events = Events::new(0)?;
        let mut function = Self { name: name.clone(), bars: [0; BARS as usize], memory, events, requests, gone: None };
        match answer.recv_timeout(OPEN_LIMIT) {
            Ok(Ok(bars)) => function.bars = bars,
            Ok(Err(error)) => return Err(system("connecting to", error.to_string())),
            Err(error) => return Err(function.lost(error, "it was asked what it is")),
        }
        function.switch_on(file, bytes)?;
        Ok(function)
    }

    /// What is done once, and after each reset: memory, interrupts, bus mastering.
    fn switch_on(&mut self, shared: File, bytes: usize) -> Result<(), TransportError> {
        let deadline = Deadline::after(OPEN_LIMIT);
        self.ask("mapping DMA memory", deadline, move |client| {
            client.dma_map(0, MEMORY_ADDRESS, bytes as u64, shared.as_raw_fd())
        })?;
        let info =
            self.ask("asking for interrupts", deadline, |client| client.get_irq_info(VFIO_PCI_MSIX_IRQ_INDEX))?;
        let events = Events::new(info.count.min(MOST_VECTORS))?;
        for (vector, event) in (0..).zip(events.iter()) {
            // One at a time: a server may take no more file descriptors than that with a message.
            let event = event.try_clone().map_err(|error| TransportError::System {
                what: format!("interrupt {vector} of {}", self.name),
                message: error.to_string(),
            })?;
            let flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
            self.ask("setting an interrupt", deadline, move |client| {
                client.set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, flags, vector, 1, &[event.as_raw_fd()])
            })?;
        }
        self.events = events;
        self.make_master(deadline)
    }

    fn make_master(&mut self, deadline: Deadline) -> Result<(), TransportError> {
        self.ask("switching on bus mastering", deadline, |client| {
            let mut command = [0; 2];
            client.region_read(VFIO_PCI_CONFIG_REGION_INDEX, COMMAND, &mut command)?;
            command[0] |= MEMORY_AND_MASTER;
            client.region_write(VFIO_PCI_CONFIG_REGION_INDEX, COMMAND, &command)
        })
    }

    /// Makes one request and waits for its answer.
    fn ask<T: Send + 'static>(
        &mut self,
        what: &str,
        deadline: Deadline,
        request: impl FnOnce(&mut Client) -> Result<T, vfio_user::Error> + Send + 'static,
    ) -> Result<T, TransportError> {
        if let Some(why) = &self.gone {
            return Err(TransportError::Gone { name: self.name.clone(), what: why.clone() });
        }
        let (answers, answer) = mpsc::sync_channel(1);
        // The caller may have given up: then nobody wants the answer.
        let boxed: Request = Box::new(move |client| drop(answers.send(request(client))));
        if self.requests.send(boxed).is_err() {
            return Err(self.lost(RecvTimeoutError::Disconnected, what));
        }
        match answer.recv_timeout(deadline.left()) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let what = format!("{what}: {error}");
                self.gone = Some(what.clone());
                Err(TransportError::Gone { name: self.name.clone(), what })
            }
            Err(error) => Err(self.lost(error, what)),
        }
    }

    /// No answer came.
    fn lost(&mut self, error: RecvTimeoutError, what: &str) -> TransportError {
        let what = match error {
            RecvTimeoutError::Timeout => format!("no answer when {what}"),
            RecvTimeoutError::Disconnected => format!("the connection ended when {what}"),
        };
        self.gone = Some(what.clone());
        TransportError::Gone { name: self.name.clone(), what }
    }
}

/// The thread: connects, says what the function has, and makes requests until nobody makes any.
fn serve(
    socket: &Path,
    connected: &SyncSender<Result<[u64; BARS as usize], vfio_user::Error>>,
    inbox: &Receiver<Request>,
) {
    let mut client = match Client::new(socket) {
        Ok(client) => client,
        Err(error) => return drop(connected.send(Err(error))),
    };
    let bars = std::array::from_fn(|bar| client.region(bar as u32).map_or(0, |region| region.size));
    if connected.send(Ok(bars)).is_err() {
        return;
    }
    for request in inbox {
        request(&mut client);
    }
}

impl Pci for VfioUser {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn bar_bytes(&self, bar: u8) -> u64 {
        self.bars.get(usize::from(bar)).copied().unwrap_or(0)
    }

    fn read_bar(&mut self, bar: u8, offset: u32, deadline: Deadline) -> Result<u32, TransportError> {
        check_word(self.bar_bytes(bar), offset)?;
        let bytes = self.ask("reading a register", deadline, move |client| {
            let mut bytes = [0; 4];
            client.region_read(bar.into(), offset.into(), &mut bytes).map(|()| bytes)
        })?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn write_bar(&mut self, bar: u8, offset: u32, value: u32, deadline: Deadline) -> Result<(), TransportError> {
        check_word(self.bar_bytes(bar), offset)?;
        self.ask("writing a register", deadline, move |client| {
            client.region_write(bar.into(), offset.into(), &value.to_le_bytes())
        })
    }

    fn memory_bytes(&self) -> usize {
        self.memory.bytes()
    }

    fn memory_address(&self) -> u64 {
        MEMORY_ADDRESS
    }

    fn read_memory(&mut self, offset: usize, out: &mut [u8]) -> Result<(), TransportError> {
        self.memory.read_bytes(offset, out).ok_or_else(|| outside(&self.name, offset))
    }

    fn write_memory(&mut self, offset: usize, bytes: &[u8]) -> Result<(), TransportError> {
        self.memory.write_bytes(offset, bytes).ok_or_else(|| outside(&self.name, offset))
    }

    fn vectors(&self) -> u32 {
        self.events.len()
    }

    fn wait_interrupt(&mut self, vector: u32, limit: Duration) -> Result<bool, TransportError> {
        self.events.wait(vector, limit)
    }

    fn reset(&mut self, deadline: Deadline) -> Result<(), TransportError> {
        self.ask("resetting", deadline, Client::reset)?;
        self.events.clear()?;
        self.make_master(deadline)
    }
}
