//! What the XDMA's AXI ports lead to: memory, simulated cores, or cores in SystemVerilog.
//!
//! Contract: [`open`] is the one place that knows which there are; the model sees a [`Transport`] and nothing else.

use clap::ValueEnum;
use fenn_host::error::DeviceError;
use fenn_host::transport::Transport;
use fenn_host::transport::sim::{Options, SimulatedCard};
use fenn_isa::memory::Space;
use fenn_isa::soc::window;
use fenn_verilated::core::CoreError;
use fenn_verilated::soc::VerilatedCard;

use crate::memory::PlainMemory;

/// The kinds of sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Memory at the address of DRAM, and registers that hold what was written.
    Memory,
    /// Cores of the instruction set simulator.
    Sim,
    /// Cores in SystemVerilog, as a Verilated model.
    Rtl,
}

/// Which side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Of which kind.
    pub kind: Kind,
    /// Bytes of memory, or of the simulated cores' DRAM, a multiple of 4096; `None`: 64 MiB of memory, or 256 MiB of DRAM for
    /// each core. A Verilated card has the DRAM that it was built with.
    pub bytes: Option<u64>,
    /// Simulated cores.
    pub cores: u32,
    /// Which Verilated card, of [`fenn_verilated::soc::CARDS`].
    pub model: String,
}

impl Side {
    /// The usual side of this kind: one core.
    pub fn new(kind: Kind) -> Self {
        Self { kind, bytes: None, cores: 1, model: "soc_board".to_owned() }
    }
}

/// Why there is no such side.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// Too much memory.
    #[error("{0} bytes of memory are more than this machine can address")]
    Bytes(u64),
    /// No such simulated card.
    #[error("the simulated card cannot be made: {0}")]
    Sim(#[from] DeviceError),
    /// No such model.
    #[error("the Verilated card cannot be made: {0}")]
    Rtl(#[from] CoreError),
}

/// Opens a side.
///
/// # Errors
/// [`SideError`], where it cannot be made.
pub fn open(side: &Side) -> Result<Box<dyn Transport>, SideError> {
    Ok(match side.kind {
        Kind::Memory => {
            let bytes = side.bytes.unwrap_or(64 << 20);
            let bytes = usize::try_from(bytes).map_err(|_| SideError::Bytes(bytes))?;
            Box::new(PlainMemory::new(window(Space::Dram, 0), bytes))
        }
        Kind::Sim => {
            let dram_bytes = side.bytes.unwrap_or(u64::from(side.cores) << 28);
            Box::new(SimulatedCard::new(Options { cores: side.cores, dram_bytes, ..Options::default() })?)
        }
        Kind::Rtl => Box::new(VerilatedCard::new(&side.model)?),
    })
}
