//! A card with plain memory behind a socket, and a watchdog.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use fenn_card::memory::PlainMemory;
use fenn_card::model::{Build, Card};
use fenn_card::server::Server;
use fenn_host::transport::direct::{Direct, Options};
use fenn_host::transport::vfio_user::VfioUser;
use tempfile::TempDir;

/// Where the card's memory begins.
pub const MEMORY: u64 = 0x8000_0000;

/// A served card.
pub struct Bench {
    pub server: Server,
    folder: TempDir,
}

impl Bench {
    /// With so many bytes of memory.
    pub fn new(bytes: usize) -> Self {
        Self::with(Card::new(Box::new(PlainMemory::new(MEMORY, bytes)), Build { channels: 2, ..Build::default() }))
    }

    pub fn with(card: Card) -> Self {
        let folder = TempDir::new().unwrap();
        let server = Server::start(&folder.path().join("card.socket"), card, |error| panic!("{error}")).unwrap();
        Self { server, folder }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("card.socket")
    }

    pub fn open(&self, options: Options) -> Direct<VfioUser> {
        let pci = VfioUser::connect(&self.path(), options.memory_bytes()).unwrap();
        Direct::open(pci, options).unwrap()
    }
}

/// Runs a test that must end: one that hangs fails instead.
pub fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    match ended.recv_timeout(Duration::from_secs(120)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("this test hangs"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}
