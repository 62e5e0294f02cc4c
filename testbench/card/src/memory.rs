//! What the card's two sides lead to: the host's memory, and a card that is memory only.

use fenn_host::transport::{Capabilities, Deadline, Transport, TransportError, Window};

/// No memory of the host is at that address: on PCIe, an unsupported request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no memory of the host is at {0:#x}")]
pub struct Unmapped(pub u64);

/// The host's memory, as a card reaches it by DMA.
pub trait HostMemory {
    /// Copies from `address`.
    ///
    /// # Errors
    /// [`Unmapped`] where not every byte is there.
    fn read(&mut self, address: u64, out: &mut [u8]) -> Result<(), Unmapped>;

    /// Copies to `address`.
    ///
    /// # Errors
    /// As [`HostMemory::read`].
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Unmapped>;
}

/// One range of bytes at one address.
#[derive(Debug, Clone)]
pub struct Range {
    /// The first byte's address.
    pub address: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Range {
    /// Where bytes `address..address + bytes` are in the range.
    fn part(&self, address: u64, bytes: usize) -> Option<std::ops::Range<usize>> {
        let from = usize::try_from(address.checked_sub(self.address)?).ok()?;
        let to = from.checked_add(bytes)?;
        (to <= self.bytes.len()).then_some(from..to)
    }
}

impl HostMemory for Range {
    fn read(&mut self, address: u64, out: &mut [u8]) -> Result<(), Unmapped> {
        let part = self.part(address, out.len()).ok_or(Unmapped(address))?;
        out.copy_from_slice(&self.bytes[part]);
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Unmapped> {
        let part = self.part(address, bytes.len()).ok_or(Unmapped(address))?;
        self.bytes[part].copy_from_slice(bytes);
        Ok(())
    }
}

/// A card without cores: a register space whose words hold what was written, and one window of memory.
///
/// The words of `irq_pending` and `irq_enable` in the register space raise user interrupts like those of a card with cores,
/// so that a test can raise one by writing a word.
#[derive(Debug, Clone)]
pub struct PlainMemory {
    registers: Vec<u32>,
    memory: Range,
    alignment: u32,
}

impl PlainMemory {
    /// `bytes` bytes of zeros at `address`, and registers of zeros.
    pub fn new(address: u64, bytes: usize) -> Self {
        let registers = vec![0; fenn_isa::soc::REGISTER_BYTES as usize / 4];
        Self { registers, memory: Range { address, bytes: vec![0; bytes] }, alignment: 1 }
    }

    /// Addresses and lengths have to be multiples of `alignment`, a power of two, from now on.
    #[must_use]
    pub fn with_alignment(mut self, alignment: u32) -> Self {
        self.alignment = alignment;
        self
    }
}

impl Transport for PlainMemory {
    fn name(&self) -> String {
        format!("{} bytes of plain memory", self.memory.bytes.len())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            registers: 4 * self.registers.len() as u32,
            windows: vec![Window { address: self.memory.address, bytes: self.memory.bytes.len() as u64 }],
            alignment: self.alignment,
            chunk: u32::MAX,
            interrupts: false,
        }
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        self.capabilities().check_register(offset)?;
        Ok(self.registers[offset as usize / 4])
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.capabilities().check_register(offset)?;
        self.registers[offset as usize / 4] = value;
        Ok(())
    }

    fn read(&mut self, address: u64, out: &mut [u8], _: Deadline) -> Result<(), TransportError> {
        self.capabilities().check(address, out.len())?;
        let bytes = out.len() as u64;
        HostMemory::read(&mut self.memory, address, out).map_err(|_| TransportError::Outside { address, bytes })
    }

    fn write(&mut self, address: u64, bytes: &[u8], _: Deadline) -> Result<(), TransportError> {
        self.capabilities().check(address, bytes.len())?;
        let outside = TransportError::Outside { address, bytes: bytes.len() as u64 };
        HostMemory::write(&mut self.memory, address, bytes).map_err(|_| outside)
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        // Nothing happens in a memory: the wait is the deadline's.
        std::thread::sleep(deadline.left());
        Err(TransportError::Deadline { what: format!("core {core} of a card without cores"), limit: deadline.limit() })
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}
