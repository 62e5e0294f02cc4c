//! The card's PCI configuration space: who it is, its two regions, MSI-X, and PCI Express.
//!
//! Contract: 256 bytes; reads give all of them, writes change those bits only that a function has to let change. Region 0
//! is the card's registers (AXI-Lite), region 1 the XDMA's own.

/// Bytes of the space.
pub const BYTES: usize = 256;
/// Bytes of region 0: the card's registers.
pub const USER_BYTES: u32 = 0x1_0000;
/// Bytes of region 1: the XDMA's.
pub const CONFIG_BYTES: u32 = 0x1_0000;
/// Interrupt vectors.
pub const VECTORS: u16 = 32;

const COMMAND: usize = 0x04;
const BAR0: usize = 0x10;
const BAR1: usize = 0x14;
const MSIX: usize = 0x60;
const EXPRESS: usize = 0x70;

/// The space.
#[derive(Debug, Clone)]
pub struct ConfigSpace {
    bytes: [u8; BYTES],
    /// Bits that a write changes.
    writable: [u8; BYTES],
}

impl Default for ConfigSpace {
    fn default() -> Self {
        Self::new()
    }
}

impl ConfigSpace {
    /// As after power-up.
    pub fn new() -> Self {
        let mut space = Self { bytes: [0; BYTES], writable: [0; BYTES] };
        // Xilinx, the XDMA's default device for 8 lanes of the third generation; a "serial controller" like its examples.
        space.set(0x00, 0x9038_10ee, 0);
        // Capabilities are there; memory accesses, bus mastering and INTx can be switched.
        space.set(COMMAND, 0x0010_0000, 0x0000_0546);
        space.set(0x08, 0x0700_0100, 0);
        space.set(0x0c, 0, 0x0000_00ff);
        space.set(BAR0, 0, !(USER_BYTES - 1));
        space.set(BAR1, 0, !(CONFIG_BYTES - 1));
        space.set(0x2c, 0x0007_10ee, 0);
        space.set(0x34, MSIX as u32, 0);
        space.set(0x3c, 0, 0x0000_00ff);
        // MSI-X: the table at 0x8000 of region 1, pending bits at 0x8fe0.
        space.set(MSIX, 0x0011 | (EXPRESS as u32) << 8 | u32::from(VECTORS - 1) << 16, 0xc000_0000);
        space.set(MSIX + 4, 0x8000 | 1, 0);
        space.set(MSIX + 8, 0x8fe0 | 1, 0);
        // PCI Express, version 2, an endpoint: payloads of 512 bytes, function-level reset, eight lanes at 8 GT/s.
        space.set(EXPRESS, 0x0002_0010, 0);
        space.set(EXPRESS + 0x04, 1 << 28 | 0x8002, 0);
        space.set(EXPRESS + 0x08, 0x0000_2810, 0x0000_7fff);
        space.set(EXPRESS + 0x0c, 0x0000_0083, 0);
        space.set(EXPRESS + 0x10, 0x0083_0000, 0x0000_0fff);
        space
    }

    fn set(&mut self, offset: usize, value: u32, writable: u32) {
        self.bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        self.writable[offset..offset + 4].copy_from_slice(&writable.to_le_bytes());
    }

    /// Copies from `offset`; what is beyond the space reads 0.
    pub fn read(&self, offset: u64, out: &mut [u8]) {
        for (index, byte) in out.iter_mut().enumerate() {
            let at = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(index));
            *byte = at.and_then(|at| self.bytes.get(at)).copied().unwrap_or(0);
        }
    }

    /// Copies to `offset`, where bits can be changed.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (index, byte) in bytes.iter().enumerate() {
            let Some(at) = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(index)) else { return };
            let Some(writable) = self.writable.get(at) else { return };
            self.bytes[at] = self.bytes[at] & !writable | byte & writable;
        }
    }

    /// Whether the function may read and write the host's memory.
    pub fn is_bus_master(&self) -> bool {
        self.bytes[COMMAND] & 4 != 0
    }

    /// Whether MSI-X is on.
    pub fn has_messages(&self) -> bool {
        self.bytes[MSIX + 3] & 0x80 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(space: &ConfigSpace, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        space.read(offset, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    #[test]
    fn regions_tell_their_sizes() {
        let mut space = ConfigSpace::new();
        space.write(0x10, &[0xff; 8]);
        assert_eq!([word(&space, 0x10), word(&space, 0x14), word(&space, 0x18)], [0xffff_0000, 0xffff_0000, 0]);
    }

    #[test]
    fn who_it_is_cannot_be_changed() {
        let mut space = ConfigSpace::new();
        space.write(0, &[0; 4]);
        assert_eq!(word(&space, 0), 0x9038_10ee);
        assert!(!space.is_bus_master());
        space.write(4, &[6, 0]);
        assert!(space.is_bus_master());
    }

    #[test]
    fn capabilities_are_a_list() {
        let space = ConfigSpace::new();
        let (mut at, mut ids) = (word(&space, 0x34) & 0xff, Vec::new());
        while at != 0 {
            let head = word(&space, at.into());
            ids.push(head & 0xff);
            at = head >> 8 & 0xff;
        }
        assert_eq!(ids, [0x11, 0x10]);
    }

    #[test]
    fn the_end_of_the_space() {
        let mut space = ConfigSpace::new();
        space.write(254, &[1; 4]);
        space.write(u64::MAX, &[1; 4]);
        let mut out = [9; 4];
        space.read(u64::MAX, &mut out);
        assert_eq!(out, [0; 4]);
    }
}
