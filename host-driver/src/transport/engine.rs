//! The DMA engines of an XDMA, as their registers and descriptors say: what is written to start one, and what it answers.
//!
//! Contract: plain data and arithmetic. [`chain`] writes descriptors that the engine can fetch in blocks: at most
//! [`MOST_ADJACENT`] in one, none over a 4 KiB line. [`Outcome`] reads a status register. Names and places are those of the
//! product guide of the XDMA (PG195).
//!
//! Not here: how registers are reached ([`super::pci`]) and in which order ([`super::direct`]).

use std::fmt;

/// Bytes of one descriptor in DMA memory.
pub const DESCRIPTOR_BYTES: usize = 32;
/// The most descriptors that the engine fetches at once.
pub const MOST_ADJACENT: usize = 64;
/// Bytes that one descriptor can say.
pub const MOST_DESCRIPTOR_LENGTH: u32 = (1 << 28) - 1;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the host's memory to the card (H2C).
    ToCard,
    /// From the card to the host's memory (C2H).
    FromCard,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ToCard, Self::FromCard];

    /// As the product guide has it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::ToCard => "H2C",
            Self::FromCard => "C2H",
        }
    }

    /// Byte offset of a channel's registers in the configuration region.
    pub const fn channel(self, channel: u8) -> u32 {
        let base = match self {
            Self::ToCard => 0,
            Self::FromCard => 0x1000,
        };
        base + 0x100 * channel as u32
    }

    /// Byte offset of the registers of a channel's descriptors.
    pub const fn descriptors(self, channel: u8) -> u32 {
        self.channel(channel) + 0x4000
    }

    /// Bits 31:16 of a channel's identifier.
    pub const fn id(self) -> u32 {
        match self {
            Self::ToCard => 0x1fc0,
            Self::FromCard => 0x1fc1,
        }
    }
}

/// Byte offsets in a channel's registers.
pub mod channel {
    /// Identifier.
    pub const ID: u32 = 0x00;
    /// Control; bits of [`super::control`].
    pub const CONTROL: u32 = 0x04;
    /// Sets bits of control.
    pub const CONTROL_SET: u32 = 0x08;
    /// Clears bits of control.
    pub const CONTROL_CLEAR: u32 = 0x0c;
    /// Status.
    pub const STATUS: u32 = 0x40;
    /// Status, cleared by reading it.
    pub const STATUS_CLEAR: u32 = 0x44;
    /// Descriptors completed since the start.
    pub const COMPLETED: u32 = 0x48;
    /// What addresses and lengths must be multiples of.
    pub const ALIGNMENTS: u32 = 0x4c;
    /// Where the count of completed descriptors is written to, lower word; the upper word follows.
    pub const WRITE_BACK: u32 = 0x88;
    /// Which bits of status raise the channel's interrupt.
    pub const INTERRUPT_MASK: u32 = 0x90;
}

/// Bits of a channel's control register.
pub mod control {
    /// Go; cleared to stop.
    pub const RUN: u32 = 1 << 0;
    /// Log each kind of end and error: stopped, completed, alignment, magic, idle, read, write and descriptor errors.
    pub const LOG_ALL: u32 = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 4) | (1 << 6) | (0x7fff << 9);
    /// Write the count of completed descriptors to memory.
    pub const POLL_WRITE_BACK: u32 = 1 << 26;
}

/// Byte offsets in the registers of a channel's descriptors.
pub mod first {
    /// Address of the first descriptor, lower word.
    pub const LOW: u32 = 0x80;
    /// Its upper word.
    pub const HIGH: u32 = 0x84;
    /// How many follow it without a gap.
    pub const ADJACENT: u32 = 0x88;
}

/// Byte offsets in the configuration region, of the interrupt block and the configuration block.
pub mod block {
    /// The interrupt block's identifier, whose bits 31:16 are [`INTERRUPT_ID`].
    pub const INTERRUPT: u32 = 0x2000;
    /// Bits 31:16 of the interrupt block's identifier.
    pub const INTERRUPT_ID: u32 = 0x1fc2;
    /// Which user interrupts are let through.
    pub const USER_ENABLE: u32 = 0x2004;
    /// Which channels' interrupts are.
    pub const CHANNEL_ENABLE: u32 = 0x2010;
    /// The user interrupt lines as they are.
    pub const USER_REQUEST: u32 = 0x2040;
    /// Vectors of user interrupts, four in a word.
    pub const USER_VECTORS: u32 = 0x2080;
    /// Vectors of channels, four in a word.
    pub const CHANNEL_VECTORS: u32 = 0x20a0;
    /// The configuration block's identifier, whose bits 31:16 are [`CONFIGURATION_ID`].
    pub const CONFIGURATION: u32 = 0x3000;
    /// Bits 31:16 of the configuration block's identifier.
    pub const CONFIGURATION_ID: u32 = 0x1fc3;
}

/// The write-back word: descriptors completed, and whether there was an error.
pub mod write_back {
    /// The count's bits.
    pub const COUNT: u32 = 0x00ff_ffff;
    /// An error stopped the engine.
    pub const ERROR: u32 = 1 << 31;
}

/// Bit 0 of status: the engine works.
pub const BUSY: u32 = 1;

/// What a channel's status register says of a transfer that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    direction: Direction,
    status: u32,
}

impl Outcome {
    /// As read.
    pub const fn new(direction: Direction, status: u32) -> Self {
        Self { direction, status }
    }

    /// Whether any error is in it.
    pub fn is_error(self) -> bool {
        self.errors().next().is_some()
    }

    /// The errors in it, in the order of their bits.
    pub fn errors(self) -> impl Iterator<Item = &'static str> {
        // The side that is the card's AXI port answers with two kinds of error, the one that is the host's with five.
        let (host, card) = match self.direction {
            Direction::ToCard => (9_u32, 14_u32),
            Direction::FromCard => (u32::MAX, 9),
        };
        (0_u32..24).filter(move |bit| self.status >> bit & 1 == 1).filter_map(move |bit| {
            let host_side = bit.checked_sub(host).filter(|kind| *kind < 5);
            let card_side = bit.checked_sub(card).filter(|kind| *kind < 5);
            match (bit, host_side, card_side) {
                (3, _, _) => Some("the addresses and the length are not aligned alike"),
                (4, _, _) => Some("a descriptor does not begin with the magic number"),
                (5, _, _) => Some("a descriptor's length is not allowed"),
                (19, _, _) => Some("reading a descriptor: unsupported request"),
                (20, _, _) => Some("reading a descriptor: the host aborted"),
                (21, _, _) => Some("reading a descriptor: parity error"),
                (22, _, _) => Some("reading a descriptor: poisoned data"),
                (23, _, _) => Some("reading a descriptor: unexpected completion"),
                (_, _, Some(0)) => Some("AXI decode error (DECERR): nothing is at that address"),
                (_, _, Some(1)) => Some("AXI slave error (SLVERR): what is there refused"),
                (_, Some(0), _) => Some("reading the host's memory: unsupported request"),
                (_, Some(1), _) => Some("reading the host's memory: the host aborted"),
                (_, Some(2), _) => Some("reading the host's memory: parity error"),
                (_, Some(3), _) => Some("reading the host's memory: poisoned data"),
                (_, Some(4), _) => Some("reading the host's memory: unexpected completion"),
                (_, _, Some(_)) => Some("AXI error of an unknown kind"),
                _ => None,
            }
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in self.errors() {
            write!(f, "{error}; ")?;
        }
        write!(f, "{} status {:#010x}", self.direction.text(), self.status)
    }
}

/// A run of bytes to be moved, as the engine will see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Which way.
    pub direction: Direction,
    /// The first byte's address on the card.
    pub card: u64,
    /// The first byte's address in DMA memory, as the card sees it.
    pub host: u64,
    /// How many.
    pub bytes: usize,
}

/// How many descriptors of at most `most` bytes a run of `bytes` bytes takes.
pub const fn descriptors(bytes: usize, most: usize) -> usize {
    bytes.div_ceil(most)
}

/// How many descriptors follow the one at address `at` in the block that the engine fetches it in, if `left` follow in all.
pub const fn adjacent(at: u64, left: usize) -> usize {
    // Blocks of 64 descriptors begin at multiples of 2 KiB, so none crosses a 4 KiB line.
    let index = (at as usize / DESCRIPTOR_BYTES) % MOST_ADJACENT;
    let room = MOST_ADJACENT - 1 - index;
    if room < left { room } else { left }
}

/// The descriptors of `run`, each of at most `most` bytes, for a ring whose first byte the card sees at `ring`.
///
/// In each: `0xad4b` in bits 31:16; in 13:8 how many follow *the next one* without a gap; bit 0 stop, 1 tell of completion,
/// 4 end of packet, all three on the last only. Then the length, and addresses of source, destination and next descriptor.
pub fn chain(run: &Run, most: usize, ring: u64) -> Vec<u8> {
    let count = descriptors(run.bytes, most);
    let mut bytes = Vec::with_capacity(count * DESCRIPTOR_BYTES);
    for index in 0..count {
        let before = index * most;
        let length = most.min(run.bytes - before);
        let last = index + 1 == count;
        let next = if last { 0 } else { ring + ((index + 1) * DESCRIPTOR_BYTES) as u64 };
        let follow = if last { 0 } else { adjacent(next, count - index - 2) };
        let flags = if last { 0b1_0011 } else { 0 };
        let (card, host) = (run.card + before as u64, run.host + before as u64);
        let (source, destination) = match run.direction {
            Direction::ToCard => (host, card),
            Direction::FromCard => (card, host),
        };
        let words = [0xad4b_0000 | (follow as u32) << 8 | flags, length as u32];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend([source, destination, next].iter().flat_map(|address| address.to_le_bytes()));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn one_descriptor_stops() {
        let run = Run { direction: Direction::ToCard, card: 0x1_8000_0000, host: 0x7000_0040, bytes: 100 };
        let bytes = chain(&run, 4096, 0x7001_0000);
        let words: Vec<u32> = (0..8).map(|i| word(&bytes, 4 * i)).collect();
        assert_eq!(words, [0xad4b_0013, 100, 0x7000_0040, 0, 0x8000_0000, 1, 0, 0]);
    }

    #[test]
    fn from_the_card_source_and_destination_change_places() {
        let run = Run { direction: Direction::FromCard, card: 0x1_8000_0000, host: 0x7000_0040, bytes: 100 };
        let bytes = chain(&run, 4096, 0x7001_0000);
        assert_eq!([word(&bytes, 8), word(&bytes, 12), word(&bytes, 16)], [0x8000_0000, 1, 0x7000_0040]);
    }

    /// As an engine walks it: blocks by their counts, none over a 4 KiB line, every byte once.
    #[test]
    fn blocks_tile_the_ring() {
        for (offset, bytes) in [(0, 4096 * 200), (32, 4096 * 64), (0x7e0, 4096 * 3), (0xfe0, 4096 * 130 + 5), (64, 1)] {
            let ring = 0x1_0000_0000 + offset;
            let run = Run { direction: Direction::ToCard, card: 0x8000_0000, host: 0x4000_0000, bytes };
            let chain = chain(&run, 4096, ring);
            let count = descriptors(bytes, 4096);
            assert_eq!(chain.len(), count * DESCRIPTOR_BYTES);
            let (mut index, mut follow) = (0, adjacent(ring, count - 1));
            let mut moved = 0;
            loop {
                let (from, to) = (ring + 32 * index as u64, ring + 32 * (index + follow + 1) as u64 - 1);
                assert!(follow < MOST_ADJACENT && from / 4096 == to / 4096, "block {from:#x}..{to:#x}");
                for descriptor in chain[32 * index..].chunks_exact(32).take(follow + 1) {
                    assert_eq!(word(descriptor, 0) >> 16, 0xad4b);
                    moved += word(descriptor, 4) as usize;
                }
                index += follow;
                let last = &chain[32 * index..];
                if word(last, 0) & 1 == 1 {
                    break;
                }
                index += 1;
                assert_eq!(u64::from(word(last, 24)) | u64::from(word(last, 28)) << 32, ring + 32 * index as u64);
                follow = (word(last, 0) >> 8 & 0x3f) as usize;
            }
            assert_eq!((index + 1, moved), (count, bytes));
        }
    }

    #[test]
    fn errors_have_names() {
        let text = |direction, bit: u32| Outcome::new(direction, 1 << bit).to_string();
        assert!(text(Direction::ToCard, 14).contains("DECERR"));
        assert!(text(Direction::ToCard, 15).contains("SLVERR"));
        assert!(text(Direction::FromCard, 9).contains("DECERR"));
        assert!(text(Direction::FromCard, 10).contains("SLVERR"));
        assert!(text(Direction::ToCard, 9).contains("host's memory"));
        assert!(text(Direction::FromCard, 19).contains("descriptor"));
        for direction in Direction::ALL {
            assert!(!Outcome::new(direction, 0b100_0110).is_error(), "stopped, completed and idle are no errors");
            assert!(Outcome::new(direction, 1 << 4).is_error());
        }
    }
}
