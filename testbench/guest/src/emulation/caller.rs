//! What a thread is asking its kernel for, as another program can see it.
//!
//! Contract: [`Call::of`] reads the system call in which a thread waits, and [`is_writable`] whether a byte of the thread's
//! memory may be written. Both need the rights to look at the thread.

use std::io;
use std::path::Path;
use std::time::Duration;

/// How often to look at a thread that has not come to wait yet, and how long in between.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_micros(50);

/// The calls with a buffer and a length, by their numbers on x86-64.
const READ: u64 = 0;
const WRITE: u64 = 1;
const PREAD64: u64 = 17;
const PWRITE64: u64 = 18;

/// A system call that moves bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Where its buffer begins in the caller's memory.
    pub buffer: u64,
    /// The position of its first byte.
    pub offset: u64,
}

/// Why that cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It cannot be looked at.
    #[error("the calling thread cannot be looked at: {0}")]
    Io(io::Error),
    /// It is in another call, which the driver does not survive or which makes no sense.
    #[error("system call {0} instead of pread or pwrite")]
    Other(u64),
    /// What the kernel says of it is no system call.
    #[error("{0:?} is no system call")]
    Text(String),
}

impl Call {
    /// The call in which the thread waits.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn of(thread: u32) -> Result<Self, CallError> {
        let path = format!("/proc/{thread}/syscall");
        for _ in 0..LOOKS {
            let text = std::fs::read_to_string(Path::new(&path)).map_err(CallError::Io)?;
            // Its request may be here before it has gone to sleep.
            if text.trim() != "running" {
                return Self::parse(&text);
            }
            std::thread::sleep(PAUSE);
        }
        Err(CallError::Text("running".to_owned()))
    }

    fn parse(text: &str) -> Result<Self, CallError> {
        let wrong = || CallError::Text(text.trim().to_owned());
        let mut words = text.split_whitespace();
        let number: u64 = words.next().and_then(|word| word.parse().ok()).ok_or_else(wrong)?;
        let values: Option<Vec<u64>> =
            words.map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()).collect();
        let values = values.filter(|values| values.len() >= 4).ok_or_else(wrong)?;
        match number {
            PREAD64 | PWRITE64 => Ok(Self { buffer: values[1], offset: values[3] }),
            // The driver never advances the position, so it is where every file begins.
            READ | WRITE => Ok(Self { buffer: values[1], offset: 0 }),
            other => Err(CallError::Other(other)),
        }
    }
}

/// Whether the thread may write the byte at this address.
///
/// # Errors
/// The system's.
pub fn is_writable(thread: u32, address: u64) -> io::Result<bool> {
    let maps = std::fs::read_to_string(format!("/proc/{thread}/maps"))?;
    Ok(maps.lines().any(|line| holds(line, address)))
}

fn holds(line: &str, address: u64) -> bool {
    let mut words = line.split_whitespace();
    let Some((from, to)) = words.next().and_then(|range| range.split_once('-')) else { return false };
    let (Ok(from), Ok(to)) = (u64::from_str_radix(from, 16), u64::from_str_radix(to, 16)) else { return false };
    (from..to).contains(&address) && words.next().is_some_and(|rights| rights.as_bytes().get(1) == Some(&b'w'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_as_the_kernel_writes_them() {
        let text = "18 0x5 0x7f0000001000 0x2000 0x80000040 0x0 0x0 0x7ffd00000000 0x7f1111111111\n";
        assert_eq!(Call::parse(text).unwrap(), Call { buffer: 0x7f00_0000_1000, offset: 0x8000_0040 });
        let text = "1 0x5 0x7f0000001000 0x2000 0x80000040 0x0 0x0 0x7ffd00000000 0x7f1111111111\n";
        assert_eq!(Call::parse(text).unwrap().offset, 0);
        assert!(matches!(Call::parse(&text.replacen('1', "296", 1)), Err(CallError::Other(296))));
        for text in ["", "-1 0x7ffd00000000 0x7f1111111111", "18 0x5", "18 5 5 5 5 5 5"] {
            assert!(matches!(Call::parse(text), Err(CallError::Text(_))), "{text}");
        }
    }

    #[test]
    fn memory_that_may_be_written() {
        static CONSTANT: [u64; 64] = [7; 64];
        let local = 5_u8;
        let address = |pointer: *const u8| pointer as u64;
        assert!(is_writable(std::process::id(), address(&raw const local)).unwrap());
        assert!(!is_writable(std::process::id(), address(CONSTANT.as_ptr().cast())).unwrap());
        assert!(!is_writable(std::process::id(), 0).unwrap());
    }
}
