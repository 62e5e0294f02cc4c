//! What memories hold when a random program begins.

use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::{CORNERS, DRAM, OWN};
use crate::lockstep::{Failure, Lockstep};

/// Fills the memories of both sides with what every random program begins with, and declares that the baseline.
///
/// # Errors
/// Where the core does not answer.
pub fn fill(lockstep: &mut Lockstep) -> Result<(), Box<Failure>> {
    let mut source = Pcg64Mcg::seed_from_u64(0x66_65_6e_6e);
    let memory = lockstep.configuration().memory;
    let mut rows = |bytes: u32| -> Vec<u8> {
        let mut all = Vec::new();
        for row in 0..bytes / VECTOR_BYTES {
            let corner = CORNERS[row as usize % CORNERS.len()];
            for _ in 0..LANES {
                let lane: i16 = match source.random_range(0..4) {
                    0 => CORNERS[source.random_range(0..CORNERS.len())],
                    1 => source.random_range(-40..40),
                    2 if row % 3 == 0 => corner,
                    _ => source.random(),
                };
                all.extend(lane.to_le_bytes());
            }
        }
        all
    };
    let lanes = memory.bytes(Space::LaneLocal).min(64 * VECTOR_BYTES);
    let last = 2048;
    let parts = [
        (Space::Scalar, 0, rows(4096)),
        (Space::Vector, 0, rows(OWN)),
        (Space::Vector, memory.vector_bytes / 4, rows(OWN)),
        (Space::Vector, memory.vector_bytes / 2, rows(OWN)),
        (Space::Vector, memory.vector_bytes - last, rows(last)),
        (Space::LaneLocal, 0, rows(lanes)),
        (Space::Dram, 0, rows(DRAM)),
        (Space::Dram, memory.dram_bytes / 2, rows(DRAM)),
    ];
    parts.iter().try_for_each(|(space, address, bytes)| lockstep.write(*space, *address, bytes))?;
    lockstep.set_baseline();
    Ok(())
}
