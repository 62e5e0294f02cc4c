//! What a program counted about itself.
//!
//! Contract: as [`fenn_isa::image::manifest::Batch::marks`] and [`fenn_isa::image::manifest::Counters`] say where and how.

use fenn_isa::image::manifest::Counters;
use fenn_isa::memory::Space;

use crate::device::{Device, Finished};
use crate::error::SessionError;

/// What a phase of the program took, in all runs of a launch or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Clock cycles, what counting itself takes included.
    pub cycles: u64,
    /// Instructions, that of counting itself included.
    pub instructions: u64,
}

/// The counts of all phases.
pub(super) fn read(device: &mut impl Device, counters: &Counters) -> Result<Vec<Count>, SessionError> {
    let words = words(device, counters.address, 4 * counters.phases.len())?;
    let rows = words.chunks_exact(4);
    let long = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    Ok(rows.map(|row| Count { cycles: long(row[0], row[1]), instructions: long(row[2], row[3]) }).collect())
}

/// What each of `samples` runs took.
pub(super) fn runs(device: &mut impl Device, marks: u32, samples: u32) -> Result<Vec<Finished>, SessionError> {
    let words = words(device, marks, 2 * (samples as usize + 1))?;
    let marks: Vec<&[u32]> = words.chunks_exact(2).collect();
    let between = |from: u32, to: u32| u64::from(to.wrapping_sub(from));
    let run = |pair: &[&[u32]]| Finished {
        cycles: between(pair[0][0], pair[1][0]),
        instructions: between(pair[0][1], pair[1][1]),
    };
    Ok(marks.windows(2).map(run).collect())
}

/// What the run in place `sample` took, in a program with a [`fenn_isa::image::manifest::Stream`].
pub(super) fn of_place(device: &mut impl Device, marks: u32, sample: u32) -> Result<Finished, SessionError> {
    // A checked manifest's marks lie in a memory.
    let words = words(device, marks + 16 * sample, 4)?;
    let between = |which: usize| u64::from(words[which + 2].wrapping_sub(words[which]));
    Ok(Finished { cycles: between(0), instructions: between(1) })
}

fn words(device: &mut impl Device, address: u32, count: usize) -> Result<Vec<u32>, SessionError> {
    let mut bytes = vec![0; 4 * count];
    device.read(Space::Scalar, address, &mut bytes)?;
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    Ok(bytes.chunks_exact(4).map(word).collect())
}
