//! The card as a PCI function in the caller's own thread: no socket, no other thread.
//!
//! Contract: engines work while somebody waits for an interrupt or reads a register, [`PIECES`] at each call, so that a test
//! runs the same way each time.

use std::time::{Duration, Instant};

use fenn_host::transport::pci::{Pci, check_word};
use fenn_host::transport::{Deadline, TransportError};

use crate::config_space::{CONFIG_BYTES, USER_BYTES, VECTORS};
use crate::memory::{HostMemory, Range};
use crate::model::Card;

/// Where the card sees the host's memory: above 4 GiB, so that both halves of addresses are used.
pub const MEMORY_ADDRESS: u64 = 0x12_3456_0000;

/// Pieces of transfers that are moved at each call.
pub const PIECES: usize = 100;

/// The card, and the host's memory.
#[derive(Debug)]
pub struct InProcess {
    /// The card.
    pub card: Card,
    memory: Range,
    /// Messages that came and that nobody has waited for.
    came: u32,
    vectors: u32,
}

impl InProcess {
    /// Plugs in `card`, with `bytes` bytes of memory for DMA, and makes it bus master.
    pub fn new(mut card: Card, bytes: usize) -> Self {
        card.write_space(4, &[6, 0]);
        let memory = Range { address: MEMORY_ADDRESS, bytes: vec![0; bytes] };
        Self { card, memory, came: 0, vectors: VECTORS.into() }
    }

    /// A host that gives the function no interrupt vectors.
    #[must_use]
    pub fn without_interrupts(mut self) -> Self {
        self.vectors = 0;
        self
    }

    /// Some work.
    fn step(&mut self) {
        for _ in 0..PIECES {
            if !self.card.work(&mut self.memory) {
                break;
            }
        }
        self.card.watch();
        self.came |= self.card.take_messages();
    }
}

impl Pci for InProcess {
    fn name(&self) -> String {
        "the card in this process".to_owned()
    }

    fn bar_bytes(&self, bar: u8) -> u64 {
        match bar {
            0 => USER_BYTES.into(),
            1 => CONFIG_BYTES.into(),
            _ => 0,
        }
    }

    fn read_bar(&mut self, bar: u8, offset: u32, _: Deadline) -> Result<u32, TransportError> {
        check_word(self.bar_bytes(bar), offset)?;
        self.step();
        Ok(if bar == 0 { self.card.read_user(offset) } else { self.card.read_config(offset) })
    }

    fn write_bar(&mut self, bar: u8, offset: u32, value: u32, _: Deadline) -> Result<(), TransportError> {
        check_word(self.bar_bytes(bar), offset)?;
        if bar == 0 {
            self.card.write_user(offset, value);
        } else {
            self.card.write_config(offset, value);
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.memory.bytes.len()
    }

    fn memory_address(&self) -> u64 {
        self.memory.address
    }

    fn read_memory(&mut self, offset: usize, out: &mut [u8]) -> Result<(), TransportError> {
        self.step();
        HostMemory::read(&mut self.memory, MEMORY_ADDRESS + offset as u64, out)
            .map_err(|error| outside(&error.to_string()))
    }

    fn write_memory(&mut self, offset: usize, bytes: &[u8]) -> Result<(), TransportError> {
        HostMemory::write(&mut self.memory, MEMORY_ADDRESS + offset as u64, bytes)
            .map_err(|error| outside(&error.to_string()))
    }

    fn vectors(&self) -> u32 {
        self.vectors
    }

    fn wait_interrupt(&mut self, vector: u32, limit: Duration) -> Result<bool, TransportError> {
        let end = Instant::now() + limit;
        loop {
            self.step();
            if self.came >> vector & 1 == 1 {
                self.came &= !(1 << vector);
                return Ok(true);
            }
            if Instant::now() >= end {
                return Ok(false);
            }
            std::thread::yield_now();
        }
    }

    fn reset(&mut self, _: Deadline) -> Result<(), TransportError> {
        self.card.reset();
        self.card.write_space(4, &[6, 0]);
        self.came = 0;
        Ok(())
    }
}

fn outside(message: &str) -> TransportError {
    TransportError::System { what: "DMA memory".to_owned(), message: message.to_owned() }
}
