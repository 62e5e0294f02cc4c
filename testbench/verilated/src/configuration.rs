//! The configurations of the core that have models.
//!
//! Contract: [`CONFIGURATIONS`] has the parameters that `build.rs` gives to Verilator, as the simulator and the testbench
//! see them. All have 32 lanes, as the simulator has; other numbers of lanes are linted only.

use fenn_isa::memory::MachineConfig;
use fenn_isa::timing::{DramTiming, FENN, Profile};

/// A configuration of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configuration {
    /// What commands call it, and which model it is.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Its memories.
    pub memory: MachineConfig,
    /// Bytes of the DMA engine's port.
    pub port_bytes: u32,
    /// Most beats of a burst.
    pub burst: u32,
}

const BOARD: MachineConfig = MachineConfig {
    instruction_bytes: 4 * 4096,
    scalar_bytes: 128 << 10,
    vector_bytes: 512 << 10,
    lane_local_bytes: 2 << 10,
    dram_bytes: 256 << 20,
};

const COMPACT: MachineConfig = MachineConfig {
    instruction_bytes: 8192,
    scalar_bytes: 4096,
    vector_bytes: 32 << 10,
    lane_local_bytes: 128,
    dram_bytes: 1 << 20,
};

/// All of them, the default first.
pub static CONFIGURATIONS: [Configuration; 4] = [
    Configuration { name: "board", doc: "the published board", memory: BOARD, port_bytes: 16, burst: 256 },
    Configuration { name: "wide", doc: "a 512-bit port", memory: BOARD, port_bytes: 64, burst: 16 },
    Configuration { name: "compact", doc: "small memories, a 32-bit port", memory: COMPACT, port_bytes: 4, burst: 16 },
    Configuration {
        name: "mutants",
        doc: "small memories, and every mutant in it",
        memory: COMPACT,
        port_bytes: 16,
        burst: 256,
    },
];

impl Configuration {
    /// The configuration with this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        CONFIGURATIONS.iter().find(|configuration| configuration.name == name)
    }

    /// The timing of the core, with a DRAM that gives the port a beat every cycle.
    pub fn profile(&self) -> Profile {
        Profile { dram: DramTiming { latency: FENN.dram.latency, bytes_per_cycle: self.port_bytes }, ..FENN }
    }

    /// Whether rows of both channels can come so fast that they have to wait for each other, which nobody sees outside.
    pub fn channels_collide(&self) -> bool {
        self.port_bytes >= 64
    }
}
