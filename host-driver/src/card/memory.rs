//! Bytes of a core's memories, in units that the way to the card can move.
//!
//! Contract: a [`Place`] has been found inside one memory of one core, and only its bytes are written. Where a transfer's
//! edges are no whole units, the units are read and written back with the other bytes as they were; what a running
//! program writes to those in between is lost.

use fenn_isa::memory::Space;
use fenn_isa::soc;

use super::shared::Shared;
use super::{Deadline, Duration, Transport, TransportError};
use crate::error::DeviceError;

/// The longest transfer that is made as one: what a single run of an engine takes easily.
pub(super) const LONGEST_CHUNK: u64 = 4 << 20;

/// Bytes inside one memory of one core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// In the memory space.
    address: u64,
    bytes: u64,
    /// What writes must be a multiple of besides what the transport says: memories but DRAM are made of words.
    word: u64,
}

impl Place {
    /// These bytes of this memory, if they are all there.
    pub(super) fn find<T>(
        shared: &Shared<T>,
        core: u32,
        space: Space,
        address: u32,
        length: usize,
    ) -> Result<Self, DeviceError> {
        let region = shared.regions.get(core as usize).copied();
        let (base, size) = match (space, region) {
            (Space::Dram, Some(region)) => (region.base, region.bytes),
            (Space::Dram, None) => (0, 0),
            _ => (0, shared.identity.config.bytes(space)),
        };
        let end = u64::from(address) + length as u64;
        if end > u64::from(size) {
            return Err(DeviceError::Outside { space, address, end, bytes: size });
        }
        let word = if space == Space::Dram { 1 } else { 4 };
        let address = soc::window(space, core) + base + u64::from(address);
        Ok(Self { address, bytes: length as u64, word })
    }

    /// A part of it; what is beyond its end is cut off.
    fn part(&self, from: u64, bytes: u64) -> Self {
        let from = from.min(self.bytes);
        Self { address: self.address + from, bytes: bytes.min(self.bytes - from), ..*self }
    }

    /// The whole units that hold it: first byte, number.
    fn units(&self, unit: u64) -> (u64, u64) {
        let first = self.address / unit * unit;
        (first, (self.address + self.bytes).next_multiple_of(unit) - first)
    }

    /// Transfers of this many bytes at most, each with its place in the whole; they meet at multiples of the length.
    fn chunks(self, longest: u64) -> impl Iterator<Item = (std::ops::Range<usize>, Self)> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let left = self.bytes - from;
            let to_border = longest - (self.address + from) % longest;
            let bytes = left.min(to_border);
            let part = self.part(from, bytes);
            let range = from as usize..(from + bytes) as usize;
            from += bytes;
            (bytes > 0).then_some((range, part))
        })
    }
}

impl<T: Transport> Shared<T> {
    fn longest_chunk(&self, unit: u64) -> u64 {
        (LONGEST_CHUNK.min(self.capabilities.chunk.into()) / unit * unit).max(unit)
    }

    fn alignment(&self) -> u64 {
        u64::from(self.capabilities.alignment.max(1))
    }

    /// Copies bytes from a place, whose length `out` has.
    pub(super) fn read(&self, place: Place, out: &mut [u8]) -> Result<(), TransportError> {
        let unit = self.alignment();
        for (range, part) in place.chunks(self.longest_chunk(unit)) {
            self.with(|transport| read_chunk(transport, part, unit, &mut out[range], self.settings.transfer))?;
        }
        Ok(())
    }

    /// Copies bytes to a place, whose length they have.
    pub(super) fn write(&self, place: Place, bytes: &[u8]) -> Result<(), TransportError> {
        let unit = self.alignment().max(place.word);
        for (range, part) in place.chunks(self.longest_chunk(unit)) {
            self.with(|transport| write_chunk(transport, part, unit, &bytes[range], self.settings.transfer))?;
        }
        Ok(())
    }
}

fn read_chunk(
    transport: &mut impl Transport,
    place: Place,
    unit: u64,
    out: &mut [u8],
    limit: Duration,
) -> Result<(), TransportError> {
    let (first, length) = place.units(unit);
    if (first, length) == (place.address, place.bytes) {
        return transport.read(first, out, Deadline::after(limit));
    }
    let mut units = vec![0; length as usize];
    transport.read(first, &mut units, Deadline::after(limit))?;
    let skip = (place.address - first) as usize;
    out.copy_from_slice(&units[skip..skip + out.len()]);
    Ok(())
}

fn write_chunk(
    transport: &mut impl Transport,
    place: Place,
    unit: u64,
    bytes: &[u8],
    limit: Duration,
) -> Result<(), TransportError> {
    let (first, length) = place.units(unit);
    if (first, length) == (place.address, place.bytes) {
        return transport.write(first, bytes, Deadline::after(limit));
    }
    let mut units = vec![0; length as usize];
    let (edge, skip) = (unit as usize, (place.address - first) as usize);
    let behind = skip + bytes.len();
    let last = units.len() - edge;
    if skip > 0 {
        transport.read(first, &mut units[..edge], Deadline::after(limit))?;
    }
    // Unless the first unit is the last one, and has been read.
    if behind < units.len() && !(skip > 0 && last == 0) {
        transport.read(first + last as u64, &mut units[last..], Deadline::after(limit))?;
    }
    units[skip..behind].copy_from_slice(bytes);
    transport.write(first, &units, Deadline::after(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_all_of_a_place_and_meet_at_borders() {
        let place = Place { address: 0x1003, bytes: 0x2101, word: 1 };
        let chunks: Vec<_> = place.chunks(0x1000).collect();
        assert_eq!(chunks.len(), 3);
        let mut next = 0;
        for (range, part) in &chunks {
            assert_eq!((range.start, range.len() as u64, part.address), (next, part.bytes, 0x1003 + next as u64));
            next = range.end;
        }
        assert_eq!(next, 0x2101);
        assert!(chunks[1..].iter().all(|(_, part)| part.address.is_multiple_of(0x1000)));
        assert_eq!(Place { bytes: 0, ..place }.chunks(16).count(), 0);
    }
}
