//! How registers and memories of a card are reached.
//!
//! Contract: a [`Transport`] is the two address spaces of [`fenn_isa::soc`] and a way to wait, and knows nothing of what lies in
//! them. Every call ends by its deadline; what cannot be done is a [`TransportError`] with the place in it. Bytes that a
//! call could not vouch for are an error, never a short count: after an error of [`Transport::read`] or [`Transport::write`]
//! nothing is known of the bytes in between but that no others were touched.
//!
//! Bounds are the caller's business *and* the transport's: [`Capabilities::registers`] and [`Capabilities::check`] are
//! asked before anything reaches a device, so that no offset, from whatever file it came, leads outside of the windows.
//!
//! A transport is used by one thread at a time, which may be another each time. Those that need threads of their own keep them.
//!
//! Not here: what registers mean and what a program is (the card, on top of this).

pub mod direct;
pub mod engine;
#[cfg(target_os = "linux")]
mod events;
mod mmio;
pub mod pci;
pub mod reach;
pub mod sim;
#[cfg(target_os = "linux")]
pub mod spawned;
pub mod uio;
#[cfg(target_os = "linux")]
pub mod vfio;
#[cfg(target_os = "linux")]
pub mod vfio_user;
#[cfg(target_os = "linux")]
pub mod xdma;

use std::time::{Duration, Instant};

/// How registers and memories of one card are reached.
pub trait Transport: Send {
    /// What it is and which, for reports and messages: a few words.
    fn name(&self) -> String;

    /// What can be reached, and how. The same for as long as the transport is open.
    fn capabilities(&self) -> Capabilities;

    /// Reads the register at byte `offset`.
    ///
    /// # Errors
    /// [`TransportError::Register`] for an offset that is no register's place; [`TransportError::Gone`] when the card does not answer.
    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError>;

    /// Writes the register at byte `offset`, and returns when the card has it.
    ///
    /// # Errors
    /// As [`Transport::read_register`].
    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError>;

    /// Copies `out.len()` bytes from `address` of the memory space.
    ///
    /// # Errors
    /// [`TransportError::Outside`] and [`TransportError::Unaligned`] before anything is moved; [`TransportError::Refused`],
    /// [`TransportError::Short`], [`TransportError::Deadline`], [`TransportError::Gone`].
    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError>;

    /// Copies `bytes` to `address` of the memory space, and returns when the card has them.
    ///
    /// # Errors
    /// As [`Transport::read`].
    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError>;

    /// Waits until core `core` raises its interrupt, or may have: a transport without interrupts returns after a pause that
    /// grows while nothing happens. The caller looks at the core's status afterwards, whatever the answer.
    ///
    /// # Errors
    /// [`TransportError::Deadline`] when it has passed; [`TransportError::Gone`].
    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError>;

    /// Brings the way to the card back into a state in which calls can be made, after an error: aborts what is under way,
    /// resets engines. The card's cores are left as they are.
    ///
    /// # Errors
    /// Where the way cannot be brought back; the message says what is left to do.
    fn recover(&mut self) -> Result<(), TransportError>;
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        (**self).read_register(offset)
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        (**self).write_register(offset, value)
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        (**self).read(address, out, deadline)
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        (**self).write(address, bytes, deadline)
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        (**self).wait_event(core, deadline)
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        (**self).recover()
    }
}

/// What a transport can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Bytes of the register space.
    pub registers: u32,
    /// The parts of the memory space that can be reached, ascending and apart. A transport that cannot tell has all of it.
    pub windows: Vec<Window>,
    /// Addresses and lengths in the memory space are multiples of this, a power of two.
    pub alignment: u32,
    /// The longest single transfer on the way to the card, in bytes; longer ones are made of several.
    pub chunk: u32,
    /// Whether [`Transport::wait_event`] waits for an interrupt, or looks now and then.
    pub interrupts: bool,
}

/// A part of the memory space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first byte.
    pub address: u64,
    /// How many.
    pub bytes: u64,
}

impl Capabilities {
    /// Whether a register can be at byte `offset`.
    ///
    /// # Errors
    /// [`TransportError::Register`] where it cannot.
    pub fn check_register(&self, offset: u32) -> Result<(), TransportError> {
        if offset.is_multiple_of(4) && offset < self.registers {
            return Ok(());
        }
        Err(TransportError::Register { offset, bytes: self.registers })
    }

    /// Whether `bytes` bytes at `address` can be moved.
    ///
    /// # Errors
    /// [`TransportError::Unaligned`]; [`TransportError::Outside`] unless they all lie in one window.
    pub fn check(&self, address: u64, bytes: usize) -> Result<(), TransportError> {
        let length = bytes as u64;
        let alignment = u64::from(self.alignment);
        if !address.is_multiple_of(alignment) || !length.is_multiple_of(alignment) {
            return Err(TransportError::Unaligned { address, bytes: length, alignment: self.alignment });
        }
        let holds = |window: &Window| {
            let inside = address.checked_sub(window.address);
            inside.is_some_and(|inside| inside <= window.bytes && length <= window.bytes - inside)
        };
        if self.windows.iter().any(holds) { Ok(()) } else { Err(TransportError::Outside { address, bytes: length }) }
    }
}

/// When a call must have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// From now on. A century is enough for whoever asks for more.
    pub fn after(limit: Duration) -> Self {
        let limit = limit.min(Duration::from_secs(100 * 365 * 86_400));
        Self { at: Instant::now() + limit, limit }
    }

    /// What is left of it: zero when it has passed.
    pub fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn passed(&self) -> bool {
        self.left().is_zero()
    }

    /// What was allowed at first.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

/// Why the card could not be reached, or what it answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No register can be there.
    #[error("no register is at offset {offset:#x}: offsets are multiples of 4 below {bytes:#x}")]
    Register {
        /// The offset asked for.
        offset: u32,
        /// Bytes of the register space.
        bytes: u32,
    },
    /// No memory is there.
    #[error("bytes {address:#x}..{:#x} are not in one memory of this card", u128::from(*address) + u128::from(*bytes))]
    Outside {
        /// First byte.
        address: u64,
        /// How many.
        bytes: u64,
    },
    /// The way to the card moves whole units only.
    #[error("{bytes} bytes at {address:#x}: addresses and lengths must be multiples of {alignment} here")]
    Unaligned {
        /// First byte.
        address: u64,
        /// How many.
        bytes: u64,
        /// The unit.
        alignment: u32,
    },
    /// The card answered with an error.
    #[error("the card refused {bytes} bytes at {address:#x}: {answer}")]
    Refused {
        /// First byte of the transfer.
        address: u64,
        /// Its length.
        bytes: u64,
        /// Decode error, slave error, or what the engine says of itself.
        answer: String,
    },
    /// Fewer bytes were moved than asked for, without any word of an error.
    #[error(
        "only {moved} of {bytes} bytes at {address:#x} were moved, and no reason was given; a part may lie outside of the card's memories"
    )]
    Short {
        /// First byte of the transfer.
        address: u64,
        /// Its length.
        bytes: u64,
        /// What was said to have been moved.
        moved: u64,
    },
    /// It took too long.
    #[error("{what} did not end within {} s; the card or its driver hangs: reset it (`fenn-run info --reset`), or see `fenn-run doctor`", limit.as_secs_f64())]
    Deadline {
        /// What was waited for, with its place.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// The card does not answer any more.
    #[error("{name} does not answer any more ({what}); it was reset or unplugged, or lost its link")]
    Gone {
        /// Which.
        name: String,
        /// What was seen.
        what: String,
    },
    /// The operating system said no.
    #[error("{what}: {message}")]
    System {
        /// What was tried, with the file's name.
        what: String,
        /// The system's words, and what to do where that is known.
        message: String,
    },
    /// A call that was given up because the caller said so.
    #[error("cancelled after {bytes} bytes")]
    Cancelled {
        /// Bytes moved before.
        bytes: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities() -> Capabilities {
        let windows = vec![Window { address: 0x1000, bytes: 0x100 }, Window { address: u64::MAX - 0xff, bytes: 0x100 }];
        Capabilities { registers: 0x40, windows, alignment: 4, chunk: 4096, interrupts: false }
    }

    #[test]
    fn bytes_lie_in_one_window() {
        let can = capabilities();
        for (address, bytes) in [(0x1000, 0x100), (0x10fc, 4), (0x1100, 0), (u64::MAX - 0xff, 0x100)] {
            assert_eq!(can.check(address, bytes), Ok(()), "{address:#x} {bytes}");
        }
        for (address, bytes) in [(0xffc, 8), (0x10fc, 8), (0x1104, 0), (u64::MAX - 3, 8), (0, usize::MAX & !3)] {
            let outside = Err(TransportError::Outside { address, bytes: bytes as u64 });
            assert_eq!(can.check(address, bytes), outside, "{address:#x} {bytes}");
        }
        for (address, bytes) in [(0x1002, 4), (0x1000, 2)] {
            assert!(matches!(can.check(address, bytes), Err(TransportError::Unaligned { .. })));
        }
    }

    #[test]
    fn registers_are_words() {
        let can = capabilities();
        assert_eq!(can.check_register(0x3c), Ok(()));
        for offset in [0x3d, 0x3e, 0x40, u32::MAX - 3] {
            assert_eq!(can.check_register(offset), Err(TransportError::Register { offset, bytes: 0x40 }));
        }
    }

    #[test]
    fn the_text_of_a_place_at_the_end_of_all_addresses() {
        let error = TransportError::Outside { address: u64::MAX - 3, bytes: 8 };
        assert!(error.to_string().contains("0x10000000000000004"), "{error}");
    }
}
