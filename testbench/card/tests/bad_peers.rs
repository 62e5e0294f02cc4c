//! PCI functions that are no card, or lie: the driver says so, and never hangs, panics, or takes a lie for a transfer.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use fenn_host::transport::direct::{Completion, Direct, Options};
use fenn_host::transport::pci::Pci;
use fenn_host::transport::vfio_user::VfioUser;
use fenn_host::transport::{Deadline, Transport, TransportError};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tempfile::TempDir;
use vfio_bindings::bindings::vfio::vfio_region_info;
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, Server, ServerBackend, ServerRegion};

/// A function whose registers are a closure's, and which does nothing.
struct Puppet<F>(F);

impl<F: FnMut(u32, u64) -> u32> ServerBackend for Puppet<F> {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        let word = (self.0)(region, offset).to_le_bytes();
        data.iter_mut().zip(word).for_each(|(byte, from)| *byte = from);
        Ok(())
    }
    fn region_write(&mut self, _: u32, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn dma_map(&mut self, _: DmaMapFlags, _: u64, _: u64, _: u64, _: Option<File>) -> io::Result<()> {
        Ok(())
    }
    fn dma_unmap(&mut self, _: DmaUnmapFlags, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn reset(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn set_irqs(&mut self, _: u32, _: u32, _: u32, _: u32, _: Vec<File>) -> io::Result<()> {
        Ok(())
    }
}

fn socket() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("card.socket");
    (folder, path)
}

/// What opening a card says whose registers are these.
fn open(bar_bytes: u64, registers: impl FnMut(u32, u64) -> u32 + Send + 'static) -> TransportError {
    let (_folder, path) = socket();
    let region = |index| {
        let size = if index < 2 { bar_bytes } else { 256 };
        let region_info = vfio_region_info { argsz: 32, index, size, flags: 3, ..vfio_region_info::default() };
        ServerRegion { region_info, sparse_areas: Vec::new(), mmap_fd: None }
    };
    let irqs = (0..5).map(|index| IrqInfo { index, flags: 1, count: 2 }).collect();
    let server = Server::new(&path, true, irqs, (0..8).map(region).collect()).unwrap();
    let thread = std::thread::spawn(move || server.run(&mut Puppet(registers)).unwrap());
    let options = Options::default();
    let opened = VfioUser::connect(&path, options.memory_bytes()).and_then(|pci| Direct::open(pci, options));
    let error = opened.map(|card| card.name()).expect_err("it is no card");
    thread.join().unwrap();
    error
}

#[test]
fn other_identifiers() {
    let error = open(0x1_0000, |_, _| 0x1234_5678).to_string();
    assert!(error.contains("identifiers") && error.contains("0x12345678"), "{error}");
    let error = open(0x1000, |_, _| 0x1fc3_0006).to_string();
    assert!(error.contains("no BAR is large enough"), "{error}");
}

#[test]
fn all_ones() {
    let error = open(0x1_0000, |_, _| u32::MAX);
    assert!(matches!(error, TransportError::Gone { .. }), "{error}");
}

/// A word of an XDMA with one memory-mapped channel each way.
fn xdma(offset: u64) -> u32 {
    match offset {
        0x0000 => 0x1fc0_0006,
        0x1000 => 0x1fc1_0006,
        0x2000 => 0x1fc2_0006,
        0x3000 => 0x1fc3_0006,
        0x004c | 0x104c => 0x0001_0140,
        _ => 0,
    }
}

#[test]
fn an_xdma_that_cannot_be_used() {
    let with = |at: u64, word: u32| {
        open(0x1_0000, move |region, offset| match (region, offset) {
            (1, offset) if offset == at => word,
            (1, offset) => xdma(offset),
            _ => 0,
        })
        .to_string()
    };
    let error = with(0x0000, 0x1fc0_8006);
    assert!(error.contains("stream"), "{error}");
    let error = with(0x1000, 0);
    assert!(error.contains("0 C2H channels"), "{error}");
    let error = with(0x004c, 0x0003_0140);
    assert!(error.contains("alignment"), "{error}");
    let error = with(0x0040, u32::MAX);
    assert!(error.contains("all ones"), "{error}");
    let error = open(0x1_0000, |region, offset| if region == 0 { xdma(offset) } else { 0 }).to_string();
    assert!(error.contains("AXI-Lite"), "{error}");
}

/// What connecting says to a peer that does this.
fn connect(peer: impl FnOnce(std::os::unix::net::UnixStream) + Send + 'static) -> TransportError {
    let (_folder, path) = socket();
    let listener = UnixListener::bind(&path).unwrap();
    let thread = std::thread::spawn(move || peer(listener.accept().unwrap().0));
    let (answers, answer) = mpsc::channel();
    let connecting = std::thread::spawn({
        let path = path.clone();
        move || answers.send(VfioUser::connect(&path, 4096).map(|pci| pci.name())).unwrap()
    });
    let error = answer.recv_timeout(Duration::from_secs(60)).expect("connecting hangs").expect_err("it is no function");
    connecting.join().unwrap();
    thread.join().unwrap();
    error
}

#[test]
fn peers_that_do_not_speak_the_protocol() {
    let silent = connect(|stream| {
        // Takes whatever is asked and says nothing, for longer than the other side has patience.
        stream.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
        let (Ok(_) | Err(_)) = io::copy(&mut stream.take(1 << 20), &mut io::sink());
    });
    assert!(matches!(silent, TransportError::Gone { .. }), "{silent}");
    let closed = connect(drop);
    assert!(closed.to_string().contains("card.socket"), "{closed}");
    let mut generator = Pcg64Mcg::seed_from_u64(11);
    for _ in 0..20 {
        let bytes: Vec<u8> = (0..4096).map(|_| generator.random()).collect();
        let error = connect(move |mut stream| {
            let (Ok(()) | Err(_)) = stream.write_all(&bytes);
        });
        assert!(error.to_string().contains("card.socket"), "{error}");
    }
    let nobody = VfioUser::connect(Path::new("/nonexistent/card.socket"), 4096).unwrap_err();
    assert!(nobody.to_string().contains("/nonexistent/card.socket"), "{nobody}");
}

/// A function in this process whose registers are drawn: those of an XDMA often, anything else now and then.
struct Liar {
    generator: Pcg64Mcg,
    /// One word in so many is another.
    one_in: u32,
    memory: Vec<u8>,
    /// Accesses outside of what there is.
    strays: u32,
}

impl Pci for Liar {
    fn name(&self) -> String {
        "a liar".to_owned()
    }
    fn bar_bytes(&self, bar: u8) -> u64 {
        if bar < 2 { 0x1_0000 } else { 0 }
    }
    fn read_bar(&mut self, bar: u8, offset: u32, _: Deadline) -> Result<u32, TransportError> {
        self.strays += u32::from(bar > 1 || offset >= 0x1_0000 || !offset.is_multiple_of(4));
        if self.generator.random_range(0..self.one_in) == 0 {
            return Ok(match self.generator.random_range(0..4) {
                0 => u32::MAX,
                1 => 1,
                2 => 1 << self.generator.random_range(0..32),
                _ => self.generator.random(),
            });
        }
        Ok(if bar == 1 { xdma(offset.into()) } else { 0 })
    }
    fn write_bar(&mut self, bar: u8, offset: u32, _: u32, _: Deadline) -> Result<(), TransportError> {
        self.strays += u32::from(bar > 1 || offset >= 0x1_0000 || !offset.is_multiple_of(4));
        Ok(())
    }
    fn memory_bytes(&self) -> usize {
        self.memory.len()
    }
    fn memory_address(&self) -> u64 {
        0x7_0000_0000
    }
    fn read_memory(&mut self, offset: usize, out: &mut [u8]) -> Result<(), TransportError> {
        // What a function writes to memory is as it likes, too.
        let at = self.generator.random_range(0..self.memory.len());
        self.memory[at] = self.generator.random();
        out.copy_from_slice(&self.memory[offset..offset + out.len()]);
        Ok(())
    }
    fn write_memory(&mut self, offset: usize, bytes: &[u8]) -> Result<(), TransportError> {
        self.memory[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
    fn vectors(&self) -> u32 {
        32
    }
    fn wait_interrupt(&mut self, vector: u32, _: Duration) -> Result<bool, TransportError> {
        self.strays += u32::from(vector >= 32);
        Ok(self.generator.random())
    }
    fn reset(&mut self, _: Deadline) -> Result<(), TransportError> {
        Ok(())
    }
}

#[test]
fn no_lie_makes_the_driver_panic_hang_or_stray() {
    let mut opened = 0;
    for seed in 0..400 {
        let options = Options { chunk: 16 << 10, descriptor: 4096, ..Options::default() };
        let completion = if seed % 2 == 0 { Completion::Interrupt } else { Completion::Poll };
        let options = Options { completion, ..options };
        let memory = vec![0; options.memory_bytes()];
        let one_in = 4 << (seed % 6);
        let liar = Liar { generator: Pcg64Mcg::seed_from_u64(seed), one_in, memory, strays: 0 };
        let Ok(mut card) = Direct::open(liar, options) else { continue };
        opened += 1;
        for round in 0..4 {
            let deadline = Deadline::after(Duration::from_millis(3));
            let ended = if round % 2 == 0 {
                card.write(0x1003, &[7; 40_000], deadline)
            } else {
                card.read(0x1003, &mut [0; 40_000], deadline)
            };
            // It never moves anything, so that it has is believed only if a count is drawn that says so.
            if let Err(TransportError::Short { moved, bytes, .. }) = &ended {
                assert!(moved <= bytes, "seed {seed}");
            }
            let (Ok(()) | Err(_)) = card.wait_event(round, Deadline::after(Duration::from_millis(3)));
            let (Ok(()) | Err(_)) = card.recover();
        }
        assert_eq!(card.pci_mut().strays, 0, "seed {seed}");
    }
    assert!(opened > 100, "only {opened} opened");
}
