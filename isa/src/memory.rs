//! The machine's memories: their sizes, their alignment, and where a host and an ELF file see them.
//!
//! Contract: the core sees each memory as an address space of its own, starting at 0. Outside the core (in an ELF file,
//! over AXI, in a debugger) there is one 32-bit *load address* space with a window for each memory; [`SPACES`] is the
//! only place that says where. In every window memory lies in the order of the space's own addresses; lane-local memory
//! is laid out one row after the other, a row being the halfwords that the 32 lanes hold at one address, so that byte
//! address `a` of lane `l` is at `32·(a & ~1) + 2·l`.
//!
//! Not here: the memories' contents.

use core::fmt;

/// Lanes of the vector unit.
pub const LANES: usize = 32;
/// Bytes of a vector: one 16-bit number per lane.
pub const VECTOR_BYTES: u32 = 2 * LANES as u32;

/// An address space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// Instructions, fetched only.
    Instruction,
    /// Scalar data, for loads and stores of `x` registers.
    Scalar,
    /// Vectors, for loads and stores of `v` registers and the DMA engine.
    Vector,
    /// Each lane's own memory.
    LaneLocal,
    /// Outside the core, reached by the DMA engine only.
    Dram,
}

/// One row of the memory map.
#[derive(Debug)]
pub struct SpaceSpec {
    /// Which space.
    pub space: Space,
    /// Its name in words.
    pub name: &'static str,
    /// The ELF section that holds its initial contents.
    pub section: &'static str,
    /// Load address of its first byte.
    pub base: u32,
    /// Bytes of load addresses kept for it (for one core).
    pub window: u32,
    /// Its unit of access in bytes: what the alignment of its contents is.
    pub alignment: u32,
    /// What it is.
    pub doc: &'static str,
}

/// The memory map, indexed by [`Space`].
///
/// Windows are 256 MiB apart so that the cores of a multi-core machine can follow at a stride of 16 MiB in each.
pub static SPACES: [SpaceSpec; 5] = [
    SpaceSpec {
        space: Space::Instruction,
        name: "instruction memory",
        section: ".text",
        base: 0,
        window: 1 << 24,
        alignment: 4,
        doc: "32-bit instruction words; the program counter is an address in this space.",
    },
    SpaceSpec {
        space: Space::Scalar,
        name: "scalar memory",
        section: ".data",
        base: 0x1000_0000,
        window: 1 << 24,
        alignment: 4,
        doc: "Block RAM beside the scalar core: bytes, halfwords and words.",
    },
    SpaceSpec {
        space: Space::Vector,
        name: "vector memory",
        section: ".vector",
        base: 0x2000_0000,
        window: 1 << 24,
        alignment: VECTOR_BYTES,
        doc: "UltraRAM beside the vector unit: vectors of 64 bytes, lane 0 first.",
    },
    SpaceSpec {
        space: Space::LaneLocal,
        name: "lane-local memory",
        section: ".lane",
        base: 0x3000_0000,
        window: 1 << 24,
        alignment: 2,
        doc: "One small memory of halfwords per lane, each with its own address.",
    },
    SpaceSpec {
        space: Space::Dram,
        name: "DRAM",
        section: ".dram",
        base: 0x8000_0000,
        window: 1 << 31,
        alignment: VECTOR_BYTES,
        doc: "External memory, moved to and from vector memory by the DMA engine.",
    },
];

const _: () = {
    let mut i = 0;
    while i < SPACES.len() {
        assert!(SPACES[i].space as usize == i, "rows are in the enum's order");
        let end = SPACES[i].base as u64 + SPACES[i].window as u64;
        let next = if i + 1 < SPACES.len() { SPACES[i + 1].base as u64 } else { 1 << 32 };
        assert!(end <= next, "windows overlap");
        i += 1;
    }
};

impl Space {
    /// All of them, in the map's order.
    pub const ALL: [Self; 5] = [Self::Instruction, Self::Scalar, Self::Vector, Self::LaneLocal, Self::Dram];

    /// The row of the memory map.
    pub fn spec(self) -> &'static SpaceSpec {
        &SPACES[self as usize]
    }

    /// The load address of byte `address` of this space, or `None` outside the window.
    pub fn load_address(self, address: u32) -> Option<u32> {
        (address < self.spec().window).then(|| self.spec().base + address)
    }

    /// The space whose window holds `load_address`, and the address there; `None` between windows.
    pub fn at_load_address(load_address: u32) -> Option<(Self, u32)> {
        SPACES.iter().find_map(|row| {
            let address = load_address.checked_sub(row.base)?;
            (address < row.window).then_some((row.space, address))
        })
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec().name)
    }
}

/// The sizes of a machine's memories; everything else about it is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "image", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "image", serde(deny_unknown_fields))]
pub struct MachineConfig {
    /// Bytes of instruction memory, a multiple of 4.
    pub instruction_bytes: u32,
    /// Bytes of scalar memory, a multiple of 4.
    pub scalar_bytes: u32,
    /// Bytes of vector memory, a multiple of 64.
    pub vector_bytes: u32,
    /// Bytes of each lane's own memory, a power of two.
    pub lane_local_bytes: u32,
    /// Bytes of DRAM, a multiple of 64.
    pub dram_bytes: u32,
}

impl Default for MachineConfig {
    /// The published board: 4096 instructions, 128 KiB scalar, 512 KiB vector and 2 KiB per lane; and 256 MiB of DRAM.
    fn default() -> Self {
        Self {
            instruction_bytes: 4 * 4096,
            scalar_bytes: 128 << 10,
            vector_bytes: 512 << 10,
            lane_local_bytes: 2 << 10,
            dram_bytes: 256 << 20,
        }
    }
}

/// A size that no machine can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Of which memory.
    pub space: Space,
    /// The size asked for, in bytes (per lane for lane-local memory).
    pub bytes: u32,
    /// What it must be.
    pub rule: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot have {} bytes: it must be {}", self.space, self.bytes, self.rule)
    }
}

impl core::error::Error for ConfigError {}

impl MachineConfig {
    /// Bytes of a whole memory, all lanes together for the lane-local one.
    pub fn bytes(&self, space: Space) -> u32 {
        match space {
            Space::Instruction => self.instruction_bytes,
            Space::Scalar => self.scalar_bytes,
            Space::Vector => self.vector_bytes,
            Space::LaneLocal => self.lane_local_bytes * LANES as u32,
            Space::Dram => self.dram_bytes,
        }
    }

    /// Checks every size.
    ///
    /// # Errors
    /// The first one that is zero, beyond its window, or not a multiple of its unit (lane-local: no power of two).
    pub fn check(&self) -> Result<(), ConfigError> {
        for row in &SPACES {
            let lane_local = row.space == Space::LaneLocal;
            let bytes = if lane_local { self.lane_local_bytes } else { self.bytes(row.space) };
            // Lane addresses are signed 16-bit numbers, so 32 KiB is the most a lane can reach.
            let most = if lane_local { 1 << 15 } else { row.window };
            let unit = row.alignment;
            let good = bytes >= unit
                && bytes <= most
                && if lane_local { bytes.is_power_of_two() } else { bytes.is_multiple_of(unit) };
            if !good {
                let shape = if lane_local { "a power of two".to_owned() } else { format!("a multiple of {unit}") };
                let rule = format!("{shape} from {unit} to {most}");
                return Err(ConfigError { space: row.space, bytes, rule });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_addresses_come_back() {
        for space in Space::ALL {
            for address in [0, 64, space.spec().window - 1] {
                let load = space.load_address(address).unwrap();
                assert_eq!(Space::at_load_address(load), Some((space, address)));
            }
            assert_eq!(space.load_address(space.spec().window), None);
        }
        assert_eq!(Space::at_load_address(0x0fff_ffff), None);
    }

    #[test]
    fn wrong_sizes_are_refused() {
        let good = MachineConfig::default();
        assert_eq!(good.check(), Ok(()));
        for bad in [
            MachineConfig { vector_bytes: 100, ..good },
            MachineConfig { lane_local_bytes: 3000, ..good },
            MachineConfig { lane_local_bytes: 1 << 16, ..good },
            MachineConfig { scalar_bytes: 0, ..good },
            MachineConfig { instruction_bytes: 1 << 25, ..good },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
