//! The kernel's side of a character device that a program serves: `/dev/cuse`, and the FUSE messages it speaks.
//!
//! Contract: one [`Node`] is one device, from [`Node::create`] until it is dropped. Requests come one by one from
//! [`Node::next`]; each but an interrupt is answered exactly once. Numbers are the machine's own order, as the kernel's are.
//!
//! Layouts are those of `linux/fuse.h`, protocol 7.31 and later; a message that is shorter than its kind is an error.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// The version of the protocol spoken here.
const MAJOR: u32 = 7;
const MINOR: u32 = 31;
/// Bytes of a request's header, and of an answer's.
const IN_HEADER: usize = 40;
const OUT_HEADER: usize = 16;
/// What the kernel reads and writes at once at most, whatever is asked for: 32 pages.
pub const MOST: u32 = 128 << 10;
/// Room for the largest request.
const ROOM: usize = 1 << 20;

const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const INTERRUPT: u32 = 36;
const POLL: u32 = 40;
const CUSE_INIT: u32 = 4096;
/// The kernel asks for a message when the device becomes ready.
const POLL_SCHEDULE_NOTIFY: u32 = 1;
/// The number of that message.
const NOTIFY_POLL: i32 = 1;

/// Something that a caller wants of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number, for the answer.
    pub unique: u64,
    /// The calling thread.
    pub thread: u32,
    /// What.
    pub what: What,
}

/// The kinds of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A caller opens the device.
    Open,
    /// A caller has closed it.
    Release,
    /// Up to `bytes` bytes are wanted, `offset` behind the first one of the system call.
    Read {
        /// Bytes of the same call that came before.
        offset: u64,
        /// How many.
        bytes: u32,
    },
    /// Bytes are given, `offset` behind the first one of the system call.
    Write {
        /// Bytes of the same call that came before.
        offset: u64,
        /// They.
        bytes: Vec<u8>,
    },
    /// What is ready? `notify`: the poll to be woken when that changes.
    Poll {
        /// Its handle.
        notify: Option<u64>,
    },
    /// The caller of this request has caught a signal.
    Interrupt(u64),
    /// Something that no device here does.
    Other(u32),
}

/// A character device.
#[derive(Debug, Clone)]
pub struct Node {
    file: Arc<File>,
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the kernel's message is {what}"))
}

fn word(bytes: &[u8], at: usize) -> io::Result<u32> {
    let part = bytes.get(at..at + 4).and_then(|part| part.try_into().ok());
    part.map(u32::from_ne_bytes).ok_or_else(|| broken("too short"))
}

fn long(bytes: &[u8], at: usize) -> io::Result<u64> {
    let part = bytes.get(at..at + 8).and_then(|part| part.try_into().ok());
    part.map(u64::from_ne_bytes).ok_or_else(|| broken("too short"))
}

/// Reads one message.
fn parse(message: &[u8]) -> io::Result<Request> {
    let (length, kind, unique, thread) = (word(message, 0)?, word(message, 4)?, long(message, 8)?, word(message, 32)?);
    if length as usize != message.len() {
        return Err(broken("not as long as it says"));
    }
    let body = message.get(IN_HEADER..).ok_or_else(|| broken("too short"))?;
    let what = match kind {
        OPEN => What::Open,
        RELEASE => What::Release,
        READ => What::Read { offset: long(body, 8)?, bytes: word(body, 16)? },
        WRITE => {
            let bytes = body.get(40..).ok_or_else(|| broken("too short"))?;
            if bytes.len() != word(body, 16)? as usize {
                return Err(broken("a write of another length"));
            }
            What::Write { offset: long(body, 8)?, bytes: bytes.to_vec() }
        }
        POLL => {
            let notify = word(body, 16)? & POLL_SCHEDULE_NOTIFY != 0;
            What::Poll { notify: notify.then_some(long(body, 8)?) }
        }
        INTERRUPT => What::Interrupt(long(body, 0)?),
        other => What::Other(other),
    };
    Ok(Request { unique, thread, what })
}

/// An answer, as the kernel reads it.
fn answer(unique: u64, error: i32, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(OUT_HEADER + body.len());
    message.extend(((OUT_HEADER + body.len()) as u32).to_ne_bytes());
    message.extend(error.to_ne_bytes());
    message.extend(unique.to_ne_bytes());
    message.extend(body);
    message
}

/// What the kernel wants to know of a new device.
fn introduction(name: &str) -> Vec<u8> {
    let mut body = Vec::new();
    // Version, nothing, flags, sizes, a number of the kernel's choice, and ten words for later.
    for value in [MAJOR, MINOR, 0, 0, MOST, MOST, 0, 0].into_iter().chain([0; 10]) {
        body.extend(value.to_ne_bytes());
    }
    body.extend(format!("DEVNAME={name}\0").bytes());
    body
}

impl Node {
    /// Makes the device `/dev/NAME`.
    ///
    /// # Errors
    /// The system's.
    pub fn create(name: &str) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/cuse")?;
        let node = Self { file: Arc::new(file) };
        let first = node.receive()?;
        if first.what != What::Other(CUSE_INIT) {
            return Err(broken("no introduction"));
        }
        node.send(&answer(first.unique, 0, &introduction(name)))?;
        Ok(node)
    }

    fn receive(&self) -> io::Result<Request> {
        let mut message = vec![0; ROOM];
        loop {
            match (&*self.file).read(&mut message) {
                Ok(length) => return parse(&message[..length]),
                // A caller that has gone before its request was read.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::NOENT) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next request; none if there is none within `limit`.
    ///
    /// # Errors
    /// The system's; the device is of no use then.
    pub fn next(&self, limit: Option<Duration>) -> io::Result<Option<Request>> {
        if let Some(limit) = limit {
            let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
            let limit = Timespec { tv_sec: seconds, tv_nsec: limit.subsec_nanos().into() };
            let mut fds = [PollFd::new(&*self.file, PollFlags::IN)];
            match rustix::event::poll(&mut fds, Some(&limit)) {
                Ok(0) | Err(Errno::INTR) => return Ok(None),
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.receive().map(Some)
    }

    /// A caller that has gone takes no answer.
    fn send(&self, message: &[u8]) -> io::Result<()> {
        match (&*self.file).write(message) {
            Ok(_) => Ok(()),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Answers that it has failed.
    ///
    /// # Errors
    /// The system's.
    pub fn fail(&self, unique: u64, error: Errno) -> io::Result<()> {
        self.send(&answer(unique, -error.raw_os_error(), &[]))
    }

    /// Answers a read with bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn give(&self, unique: u64, bytes: &[u8]) -> io::Result<()> {
        self.send(&answer(unique, 0, bytes))
    }

    /// Answers a write with how much of it was taken.
    ///
    /// # Errors
    /// The system's.
    pub fn took(&self, unique: u64, bytes: u32) -> io::Result<()> {
        self.send(&answer(unique, 0, &u64::from(bytes).to_ne_bytes()))
    }

    /// Answers a poll with what is ready.
    ///
    /// # Errors
    /// The system's.
    pub fn ready(&self, unique: u64, flags: PollFlags) -> io::Result<()> {
        self.send(&answer(unique, 0, &u64::from(flags.bits()).to_ne_bytes()))
    }

    /// Wakes a poll.
    ///
    /// # Errors
    /// The system's.
    pub fn wake(&self, handle: u64) -> io::Result<()> {
        self.send(&answer(0, NOTIFY_POLL, &handle.to_ne_bytes()))
    }

    /// Answers what is the same for every device: opening, closing, and what none of them does.
    ///
    /// # Errors
    /// The system's.
    pub fn usual(&self, request: &Request) -> io::Result<()> {
        match request.what {
            // No handle, no flags.
            What::Open => self.give(request.unique, &[0; 16]),
            What::Release => self.give(request.unique, &[]),
            What::Interrupt(_) => Ok(()),
            What::Poll { .. } => self.ready(request.unique, PollFlags::IN | PollFlags::OUT),
            What::Read { .. } | What::Write { .. } => self.fail(request.unique, Errno::INVAL),
            What::Other(_) => self.fail(request.unique, Errno::NOSYS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message, laid out by the table in `linux/fuse.h`: length, kind, unique, node, user, group, thread, nothing, body.
    fn message(kind: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((40 + body.len() as u32).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(77_u64.to_ne_bytes());
        bytes.extend([0; 16]);
        bytes.extend(1234_u32.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn messages_are_read_as_they_are_laid_out() {
        let mut body = vec![0; 40];
        body[8..16].copy_from_slice(&4096_u64.to_ne_bytes());
        body[16..20].copy_from_slice(&3_u32.to_ne_bytes());
        let what = What::Read { offset: 4096, bytes: 3 };
        assert_eq!(parse(&message(15, &body)).unwrap(), Request { unique: 77, thread: 1234, what });
        body.extend([5, 6, 7]);
        let what = What::Write { offset: 4096, bytes: vec![5, 6, 7] };
        assert_eq!(parse(&message(16, &body)).unwrap().what, what);
        let interrupted = parse(&message(36, &9_u64.to_ne_bytes())).unwrap();
        assert_eq!(interrupted.what, What::Interrupt(9));
        let mut poll = vec![0; 24];
        poll[8..16].copy_from_slice(&8_u64.to_ne_bytes());
        assert_eq!(parse(&message(40, &poll)).unwrap().what, What::Poll { notify: None });
        poll[16] = 1;
        assert_eq!(parse(&message(40, &poll)).unwrap().what, What::Poll { notify: Some(8) });
    }

    #[test]
    fn messages_that_are_too_short_are_refused() {
        let mut body = [0; 40];
        body[16] = 4;
        let whole = message(16, &[&body[..], &[1, 2, 3, 4]].concat());
        assert!(parse(&whole).is_ok());
        for length in 0..whole.len() {
            let mut part = whole[..length].to_vec();
            assert!(parse(&part).is_err(), "{length}");
            if length >= 4 {
                part[..4].copy_from_slice(&(length as u32).to_ne_bytes());
                assert!(parse(&part).is_err(), "{length} bytes that say so");
            }
        }
    }

    #[test]
    fn answers_have_their_length_in_front() {
        let bytes = answer(0x0102, -5, &[9]);
        assert_eq!(bytes.len(), 17);
        assert_eq!(word(&bytes, 0).unwrap(), 17);
        assert_eq!(word(&bytes, 4).unwrap() as i32, -5);
        assert_eq!(long(&bytes, 8).unwrap(), 0x0102);
        let name = introduction("abc");
        assert_eq!((name.len(), &name[72..]), (84, b"DEVNAME=abc\0".as_slice()));
    }
}
