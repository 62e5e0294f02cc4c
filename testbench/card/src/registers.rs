//! The XDMA's registers, as the model has them.
//!
//! Sources: the product guide PG195 (register space of the DMA), and what the Linux driver reads and writes. Offsets are in the
//! configuration region.

/// What an access to the configuration region is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A register of the channel of that number; the offset in its block of 0x100.
    HostToCard(usize, u32),
    /// The same, of the other direction.
    CardToHost(usize, u32),
    /// The interrupt block.
    Interrupt(u32),
    /// The configuration block.
    Configuration(u32),
    /// The descriptors of a channel to the card.
    HostToCardDescriptors(usize, u32),
    /// The descriptors of a channel from the card.
    CardToHostDescriptors(usize, u32),
    /// What all descriptor engines share.
    CommonDescriptors(u32),
    /// The MSI-X table and its pending bits.
    Vectors(u32),
    /// Nothing.
    Hole,
}

/// Whose register is at `offset`: bits 15:12 are the block, 11:8 the channel and 7:0 the register.
pub fn target(offset: u32) -> Target {
    let (block, channel, register) = (offset >> 12, (offset >> 8 & 0xf) as usize, offset & 0xff);
    match block {
        0 => Target::HostToCard(channel, register),
        1 => Target::CardToHost(channel, register),
        2 if channel == 0 => Target::Interrupt(register),
        3 if channel == 0 => Target::Configuration(register),
        4 => Target::HostToCardDescriptors(channel, register),
        5 => Target::CardToHostDescriptors(channel, register),
        6 if channel == 0 => Target::CommonDescriptors(register),
        8 => Target::Vectors(offset & 0xfff),
        _ => Target::Hole,
    }
}

/// Bits 31:16 of every block's identifier but for the last digit, which is the block's number.
pub const ID_BASE: u32 = 0x1fc0;
/// Bits 7:0 of an identifier: the version of the 2016.3 release, which all later ones answer with.
pub const ID_VERSION: u32 = 0x06;

/// The identifier of block `block`, for channel `channel`.
pub const fn id(block: u32, channel: usize) -> u32 {
    (ID_BASE + block) << 16 | (channel as u32) << 8 | ID_VERSION
}

/// Channel control, bit 0: run.
pub const CONTROL_RUN: u32 = 0x0000_0001;
/// Channel control, bit 25: the address on the card does not advance.
pub const CONTROL_FIXED_ADDRESS: u32 = 0x0200_0000;
/// Channel control, bit 26: write the completed count to memory.
pub const CONTROL_WRITE_BACK: u32 = 0x0400_0000;

/// Channel status, bit 0: busy.
pub const STATUS_BUSY: u32 = 0x0000_0001;
/// Bit 1: the engine stopped after a descriptor that said so.
pub const STATUS_STOPPED: u32 = 0x0000_0002;
/// Bit 2: a descriptor was completed that asked for a word of it.
pub const STATUS_COMPLETED: u32 = 0x0000_0004;
/// Bit 3: source, destination and length are not aligned alike.
pub const STATUS_ALIGN: u32 = 0x0000_0008;
/// Bit 4: a descriptor without the magic number.
pub const STATUS_MAGIC: u32 = 0x0000_0010;
/// Bit 5: a descriptor's length is 0.
pub const STATUS_LENGTH: u32 = 0x0000_0020;
/// Bit 6: the engine became idle.
pub const STATUS_IDLE: u32 = 0x0000_0040;
/// Bit 9: to the card, the host's memory did not answer (unsupported request); from the card, AXI decode error.
pub const STATUS_READ_9: u32 = 0x0000_0200;
/// Bit 10: from the card, AXI slave error.
pub const STATUS_READ_10: u32 = 0x0000_0400;
/// Bit 14: to the card, AXI decode error.
pub const STATUS_WRITE_14: u32 = 0x0000_4000;
/// Bit 15: to the card, AXI slave error.
pub const STATUS_WRITE_15: u32 = 0x0000_8000;
/// Bit 19: reading a descriptor, unsupported request.
pub const STATUS_DESCRIPTOR_19: u32 = 0x0008_0000;
/// Bits that stop an engine.
pub const STATUS_ERRORS: u32 = 0x00ff_fe38;

/// Bits 31:16 of a descriptor.
pub const MAGIC: u32 = 0xad4b;
/// Bit 0 of a descriptor: stop after it.
pub const DESCRIPTOR_STOP: u32 = 1;
/// Bit 1: log its completion.
pub const DESCRIPTOR_COMPLETED: u32 = 2;

/// A descriptor, as fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Flags, and how many follow the next one.
    pub control: u32,
    /// Bytes, 28 bits.
    pub length: u32,
    /// From.
    pub source: u64,
    /// To.
    pub destination: u64,
    /// The address of the next one.
    pub next: u64,
}

impl Descriptor {
    /// Bytes in memory.
    pub const BYTES: usize = 32;

    /// Reads the 32 bytes.
    pub fn parse(bytes: &[u8; Self::BYTES]) -> Self {
        let word = |i: usize| u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]]);
        let long = |i: usize| u64::from(word(i)) | u64::from(word(i + 1)) << 32;
        Self { control: word(0), length: word(1) & 0x0fff_ffff, source: long(2), destination: long(4), next: long(6) }
    }

    /// How many follow the next one without a gap.
    pub const fn adjacent(&self) -> u32 {
        self.control >> 8 & 0x3f
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_the_guide() {
        assert_eq!(target(0x0048), Target::HostToCard(0, 0x48));
        assert_eq!(target(0x1340), Target::CardToHost(3, 0x40));
        assert_eq!(target(0x2080), Target::Interrupt(0x80));
        assert_eq!(target(0x3014), Target::Configuration(0x14));
        assert_eq!(target(0x4080), Target::HostToCardDescriptors(0, 0x80));
        assert_eq!(target(0x5188), Target::CardToHostDescriptors(1, 0x88));
        assert_eq!(target(0x8fe0), Target::Vectors(0xfe0));
        assert_eq!(target(0x7000), Target::Hole);
        assert_eq!(id(1, 2), 0x1fc1_0206);
    }
}
