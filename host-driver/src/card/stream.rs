//! Many bytes to a card: weights.
//!
//! Contract: [`Core::stream`] copies from a source to one memory of a core in chunks of at most 4 MiB. While a chunk is on its way
//! a thread of its own fills the next, so that the slower of the two is what it takes. It can be done while a program runs,
//! to the memories that a host may reach then. After an error, how much has been written is known only for
//! [`StreamError::Cancelled`]; the core's other bytes are as they were.
//!
//! [`Verify::Chunks`] finds out that a byte did not arrive, and which; [`Verify::Checksum`] also that a later one was written over
//! it.
//!
//! A source that blocks keeps the call from ending, whatever the deadline: a file does not.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use fenn_isa::memory::Space;

use super::Core;
use super::memory::LONGEST_CHUNK;
use crate::error::DeviceError;
use crate::transport::Transport;

/// Buffers: one on its way, one being filled.
const BUFFERS: usize = 2;

/// How to find out whether everything has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Not at all.
    No,
    /// Each chunk is read back after it has been written, and compared byte for byte.
    Chunks,
    /// Everything is read back at the end, and its CRC-32 compared with that of what was written.
    #[default]
    Checksum,
}

/// Something with which another thread can end a transfer.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends it before its next chunk.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether that has been said.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How to copy.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Bytes of a chunk; at most what the transport moves at once, and 4 MiB.
    pub chunk: u32,
    /// How to find out whether everything has arrived.
    pub verify: Verify,
    /// Who can end it.
    pub cancel: Cancel,
}

impl Default for Plan {
    /// 1 MiB, with a checksum.
    fn default() -> Self {
        Self { chunk: 1 << 20, verify: Verify::default(), cancel: Cancel::default() }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that have been written.
    pub written: u64,
    /// Bytes that have been read back and were right so far.
    pub verified: u64,
    /// Bytes in all.
    pub bytes: u64,
}

/// What has been copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streamed {
    /// How many bytes.
    pub bytes: u64,
    /// Their CRC-32 (IEEE 802.3).
    pub crc: u32,
    /// What writing took, with the time in which nothing was there to be written.
    pub writing: Duration,
    /// What reading back took.
    pub verifying: Duration,
}

/// Why not everything is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The source.
    #[error("the source could not be read behind byte {at} of {bytes}: {message}")]
    Source {
        /// Where.
        at: u64,
        /// How many there should be.
        bytes: u64,
        /// The system's words.
        message: String,
    },
    /// A byte is another one.
    #[error("byte {at} was written as {written:#04x} and reads {read:#04x}; the memory or the way to it is faulty")]
    Differs {
        /// Which, counted from the first one written.
        at: u64,
        /// As it was written.
        written: u8,
        /// As it reads.
        read: u8,
    },
    /// Some bytes are others.
    #[error(
        "what was written has CRC-32 {written:#010x}, and what is there {read:#010x}; the memory or the way to it is faulty, or \
         the running program writes there"
    )]
    Checksum {
        /// Of what was written.
        written: u32,
        /// Of what is there.
        read: u32,
    },
    /// Somebody said so.
    #[error("cancelled after {written} of {bytes} bytes")]
    Cancelled {
        /// Bytes written.
        written: u64,
        /// Of how many.
        bytes: u64,
    },
}

impl<T: Transport> Core<T> {
    /// Copies the next `bytes` bytes of `source` to `address` of a memory. `progress` is told after every chunk.
    ///
    /// # Errors
    /// [`StreamError`]. What does not lie in the memory is refused before anything is written.
    pub fn stream(
        &mut self,
        space: Space,
        address: u32,
        bytes: u32,
        source: impl Read + Send,
        plan: &Plan,
        mut progress: impl FnMut(Progress),
    ) -> Result<Streamed, StreamError> {
        self.place(space, address, bytes as usize)?;
        let chunk = u64::from(plan.chunk).clamp(64, LONGEST_CHUNK) as usize;
        let begin = Instant::now();
        let (mut writing, mut verifying) = (Duration::ZERO, Duration::ZERO);
        let mut sum = crc32fast::Hasher::new();
        let mut now = Progress { written: 0, verified: 0, bytes: bytes.into() };
        std::thread::scope(|scope| {
            let (give, empty) = sync_channel(BUFFERS);
            let (fill, full) = sync_channel(BUFFERS);
            for _ in 0..BUFFERS.min((bytes as usize).div_ceil(chunk)) {
                // There is room for all of them.
                let _ = give.send(vec![0; chunk.min(bytes as usize)]);
            }
            scope.spawn(move || fill_chunks(source, bytes.into(), &empty, &fill));
            let mut read_back = Vec::new();
            while now.written < now.bytes {
                if plan.cancel.is_cancelled() {
                    return Err(StreamError::Cancelled { written: now.written, bytes: now.bytes });
                }
                let buffer: Vec<u8> = match full.recv() {
                    Ok(filled) => filled?,
                    // It ends with an error or with everything; neither is lost.
                    Err(_) => return Err(source_ended(now)),
                };
                let to = address + now.written as u32;
                let place = self.place(space, to, buffer.len())?;
                self.write_place(place, &buffer)?;
                sum.update(&buffer);
                if plan.verify == Verify::Chunks {
                    let begin = Instant::now();
                    read_back.resize(buffer.len(), 0);
                    self.read_place(place, &mut read_back)?;
                    if let Some(index) = buffer.iter().zip(&read_back).position(|(a, b)| a != b) {
                        let at = now.written + index as u64;
                        return Err(StreamError::Differs { at, written: buffer[index], read: read_back[index] });
                    }
                    now.verified += buffer.len() as u64;
                    verifying += begin.elapsed();
                }
                now.written += buffer.len() as u64;
                progress(now);
                // Where nobody fills it any more, everything is on its way.
                let _ = give.send(buffer);
            }
            writing = begin.elapsed() - verifying;
            Ok(())
        })?;
        let crc = sum.finalize();
        if plan.verify == Verify::Checksum {
            let begin = Instant::now();
            self.verify(space, address, chunk, crc, plan, &mut now, &mut progress)?;
            verifying = begin.elapsed();
        }
        Ok(Streamed { bytes: now.bytes, crc, writing, verifying })
    }

    #[expect(clippy::too_many_arguments, reason = "one call, to keep its caller readable")]
    fn verify(
        &self,
        space: Space,
        address: u32,
        chunk: usize,
        written: u32,
        plan: &Plan,
        now: &mut Progress,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(), StreamError> {
        let mut sum = crc32fast::Hasher::new();
        let mut buffer = vec![0; chunk];
        while now.verified < now.bytes {
            if plan.cancel.is_cancelled() {
                return Err(StreamError::Cancelled { written: now.written, bytes: now.bytes });
            }
            let length = (now.bytes - now.verified).min(chunk as u64) as usize;
            let place = self.place(space, address + now.verified as u32, length)?;
            self.read_place(place, &mut buffer[..length])?;
            sum.update(&buffer[..length]);
            now.verified += length as u64;
            progress(*now);
        }
        let read = sum.finalize();
        if read == written { Ok(()) } else { Err(StreamError::Checksum { written, read }) }
    }
}

fn source_ended(now: Progress) -> StreamError {
    StreamError::Source { at: now.written, bytes: now.bytes, message: "it ended".to_owned() }
}

/// Fills buffers until there are as many bytes, or nobody takes them any more.
fn fill_chunks(
    mut source: impl Read,
    bytes: u64,
    empty: &Receiver<Vec<u8>>,
    full: &SyncSender<Result<Vec<u8>, StreamError>>,
) {
    let mut at = 0;
    while at < bytes {
        let Ok(mut buffer) = empty.recv() else { return };
        buffer.truncate((bytes - at).min(buffer.len() as u64) as usize);
        let filled = source.read_exact(&mut buffer);
        at += buffer.len() as u64;
        let (from, failed) = (at - buffer.len() as u64, filled.is_err());
        let filled = filled.map(|()| buffer).map_err(|error| StreamError::Source {
            at: from,
            bytes,
            message: error.to_string(),
        });
        if full.send(filled).is_err() || failed {
            return;
        }
    }
}
