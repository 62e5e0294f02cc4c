//! The configurations of the core that have models.
//!
//! Contract: [`CONFIGURATIONS`] has the parameters that `build.rs` gives to Verilator, as the simulator and the testbench
//! see them. What has fewer lanes than the simulator is compared with its first ones ([`crate::narrow`]).

use fenn_isa::memory::{LANES, MachineConfig};
use fenn_isa::timing::{DramTiming, FENN, Profile};

/// A configuration of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configuration {
    /// What commands call it, and which model it is.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// How many lanes it has.
    pub lanes: usize,
    /// Its memories, with lane-local memory of 32 lanes, as the simulator has it.
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

const fn whole(
    name: &'static str,
    doc: &'static str,
    memory: MachineConfig,
    port_bytes: u32,
    burst: u32,
) -> Configuration {
    Configuration { name, doc, lanes: LANES, memory, port_bytes, burst }
}

const fn narrow(name: &'static str, doc: &'static str, lanes: usize, port_bytes: u32) -> Configuration {
    Configuration { name, doc, lanes, memory: COMPACT, port_bytes, burst: 16 }
}

/// All of them, the default first.
pub static CONFIGURATIONS: [Configuration; 7] = [
    whole("board", "the published board", BOARD, 16, 256),
    whole("wide", "a 512-bit port", BOARD, 64, 16),
    whole("compact", "small memories, a 32-bit port", COMPACT, 4, 16),
    whole("mutants", "small memories, and every mutant in it", COMPACT, 16, 256),
    // A row has two beats or more on either side: with one, the core's channels alone would wait for each other.
    narrow("four", "4 lanes, a 32-bit port", 4, 4),
    narrow("eight", "8 lanes, a 64-bit port", 8, 8),
    narrow("sixteen", "16 lanes, a 128-bit port", 16, 16),
];

impl Configuration {
    /// The configuration with this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        CONFIGURATIONS.iter().find(|configuration| configuration.name == name)
    }

    /// Whether it has fewer lanes than the simulator.
    pub fn is_narrow(&self) -> bool {
        self.lanes < LANES
    }

    /// Bytes of one of its rows of vector memory.
    pub fn row_bytes(&self) -> u32 {
        2 * self.lanes as u32
    }

    /// The timing of the core, with a DRAM that gives the port a beat every cycle.
    pub fn profile(&self) -> Profile {
        Profile { dram: DramTiming { latency: FENN.dram.latency, bytes_per_cycle: self.port_bytes }, ..FENN }
    }
}
