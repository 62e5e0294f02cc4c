//! A card with an XDMA, through the character devices of Xilinx' kernel driver.
//!
//! Contract: [`Xdma`] is a [`Transport`] over `/dev/xdmaN_*`. That driver has traps, which were found in its source and by
//! running it; each has its rule here:
//!
//! - A caught signal aborts a transfer. So each channel has a thread of its own, with all signals blocked.
//! - A transfer may take 10 s for every 8 MiB before the driver gives up, and cannot be called back. So the caller waits for
//!   the thread, and no longer than its deadline; a channel whose thread is late is *stuck* until [`Transport::recover`].
//! - `write` does not advance the position, `pwritev` is a kernel bug, and asynchronous I/O ignores the offset. So only
//!   `pread` and `pwrite`, at most 4 MiB at once.
//! - Source and destination must be aligned alike, and even what is only read must be writable memory. So all bytes pass
//!   through writable buffers of our own, in which they lie at the same place of a page as on the card.
//! - Counts that are short hide errors. So a short count is an error, and a chunk is whole or not at all.
//! - `read` and `write` of `user` do not check bounds, and one byte read overwrites four. So registers are mapped, which is
//!   checked, and accessed as words; where a stand-in for the driver cannot be mapped, by calls that are checked here.
//! - `read` of `events_K` has no limit. So it is read only when `poll` says that there is something.
//! - `control` is the driver's. It is never opened.
//!
//! - After a transfer that it gave up, the driver says of the next one that it failed, whatever became of it, because it has not
//!   cleared the engine's status. So a recovery moves a word each way until the driver believes it.
//!
//! An H2C transfer that the card refuses ends as one that took too long, because the driver does not ask for that interrupt.
//!
//! Not here: building, loading or configuring the kernel module, which is the user's own.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use fenn_isa::memory::Space;
use fenn_isa::soc::window;
use nix::sys::signal::SigSet;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::engine::Direction;
use super::{Capabilities, Deadline, Transport, TransportError, Window};

mod registers;

use registers::Registers;

/// Bytes of the largest chunk: half of what the driver does in one run of the engine.
pub const MOST_CHUNK: u32 = 4 << 20;
/// How long a recovery waits for a thread: longer than the driver's own limit for a run.
const RECOVER_LIMIT: Duration = Duration::from_secs(15);
/// After so long a wait the caller looks for itself: interrupts can be lost.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// The shortest pause between two looks, where there are no interrupts.
const SHORTEST_PAUSE: Duration = Duration::from_micros(50);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// A page.
const PAGE: usize = 4096;
/// What a card that is not there reads as.
const NOTHING: u32 = u32::MAX;
/// User interrupts that the driver has devices for.
const MOST_EVENTS: u32 = 16;

/// Which card, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where the devices are: `/dev`.
    pub folder: PathBuf,
    /// The number N in `xdmaN_user`.
    pub index: u32,
    /// The channel, each way.
    pub channel: u8,
    /// Bytes of a chunk, a multiple of 4096, at most [`MOST_CHUNK`].
    pub chunk: u32,
    /// What can be reached of the card's memory space. Empty: everything.
    pub windows: Vec<Window>,
    /// Bytes of the register space.
    pub registers: u32,
    /// What addresses and lengths must be multiples of, a power of two; the driver does not tell.
    pub alignment: u32,
}

impl Options {
    /// Card `index` of this machine.
    pub fn card(index: u32) -> Self {
        Self {
            folder: PathBuf::from("/dev"),
            index,
            channel: 0,
            chunk: MOST_CHUNK,
            windows: Vec::new(),
            registers: fenn_isa::soc::REGISTER_BYTES,
            alignment: 4,
        }
    }

    /// The device of that name.
    pub fn device(&self, name: &str) -> PathBuf {
        self.folder.join(format!("xdma{}_{name}", self.index))
    }

    /// The device of the channel that moves bytes this way.
    pub fn channel_device(&self, direction: Direction) -> PathBuf {
        let way = match direction {
            Direction::ToCard => "h2c",
            Direction::FromCard => "c2h",
        };
        self.device(&format!("{way}_{}", self.channel))
    }

    fn check(&self) -> Result<(), TransportError> {
        let chunk = self.chunk > 0 && self.chunk.is_multiple_of(PAGE as u32) && self.chunk <= MOST_CHUNK;
        let alignment = self.alignment.is_power_of_two() && self.alignment as usize <= PAGE;
        if chunk && alignment && self.registers > 0 {
            return Ok(());
        }
        Err(TransportError::System {
            what: format!("chunks of {} bytes in units of {}", self.chunk, self.alignment),
            message: format!(
                "chunks are multiples of {PAGE}, at most {MOST_CHUNK}, and units powers of two up to {PAGE}"
            ),
        })
    }
}

/// What a channel's thread calls: a device, or in tests something that behaves like the driver.
trait Calls: Send + 'static {
    fn pread(&mut self, out: &mut [u8], at: u64) -> io::Result<usize>;
    fn pwrite(&mut self, bytes: &[u8], at: u64) -> io::Result<usize>;
}

impl Calls for File {
    fn pread(&mut self, out: &mut [u8], at: u64) -> io::Result<usize> {
        self.read_at(out, at)
    }

    fn pwrite(&mut self, bytes: &[u8], at: u64) -> io::Result<usize> {
        self.write_at(bytes, at)
    }
}

/// A writable buffer, in which bytes lie at the same place of a page as on the card.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    /// Where its first page begins.
    page: usize,
}

impl Buffer {
    fn new(chunk: usize) -> Self {
        let bytes = vec![0; chunk + 2 * PAGE];
        let page = bytes.as_ptr().align_offset(PAGE);
        Self { bytes, page }
    }

    fn part(&mut self, address: u64, bytes: usize) -> &mut [u8] {
        let from = self.page + (address % PAGE as u64) as usize;
        &mut self.bytes[from..from + bytes]
    }
}

/// A chunk that the thread is to move.
struct Job {
    address: u64,
    bytes: usize,
    buffer: Buffer,
}

/// What came of it.
struct Answer {
    job: Job,
    moved: io::Result<usize>,
    took: Duration,
}

/// One channel and its thread.
#[derive(Debug)]
struct Channel {
    name: String,
    jobs: SyncSender<Job>,
    answers: Receiver<Answer>,
    /// The two, but for those that the thread has.
    buffers: Vec<Buffer>,
    under_way: bool,
    /// A job was not done when its caller had to go.
    stuck: bool,
}

impl Channel {
    fn start(direction: Direction, name: String, chunk: usize, mut calls: impl Calls) -> Result<Self, TransportError> {
        let (jobs, inbox) = mpsc::sync_channel::<Job>(1);
        let (outbox, answers) = mpsc::sync_channel(1);
        let (ready, is_ready) = mpsc::sync_channel(1);
        let thread = move || {
            // Before the first call: the driver ends a transfer when a signal is caught in its thread.
            let masked = SigSet::all().thread_block();
            if ready.send(masked).is_err() || masked.is_err() {
                return;
            }
            for mut job in inbox {
                let before = Instant::now();
                let (address, bytes) = (job.address, job.bytes);
                let part = job.buffer.part(address, bytes);
                let moved = match direction {
                    Direction::ToCard => calls.pwrite(part, address),
                    Direction::FromCard => calls.pread(part, address),
                };
                if outbox.send(Answer { job, moved, took: before.elapsed() }).is_err() {
                    return;
                }
            }
        };
        let system =
            |message: String| TransportError::System { what: format!("starting the thread of {name}"), message };
        let builder = std::thread::Builder::new().name(format!("fenn-{}", direction.text()));
        builder.spawn(thread).map_err(|error| system(error.to_string()))?;
        let masked = is_ready.recv().map_err(|error| system(error.to_string()))?;
        masked.map_err(|error| system(format!("its signals cannot be blocked: {error}")))?;
        let buffers = vec![Buffer::new(chunk), Buffer::new(chunk)];
        Ok(Self { name, jobs, answers, buffers, under_way: false, stuck: false })
    }

    fn gone(&self, what: &str) -> TransportError {
        TransportError::Gone { name: self.name.clone(), what: what.to_owned() }
    }

    /// A free buffer. There are two, and one job at most is under way.
    fn buffer(&mut self) -> Result<Buffer, TransportError> {
        self.buffers.pop().ok_or_else(|| self.gone("its thread has ended"))
    }

    fn submit(&mut self, address: u64, bytes: usize, buffer: Buffer) -> Result<(), TransportError> {
        self.jobs.send(Job { address, bytes, buffer }).map_err(|_| self.gone("its thread has ended"))?;
        self.under_way = true;
        Ok(())
    }

    /// Waits for the job under way and takes its buffer, which goes back by [`Channel::put_back`].
    fn finish(&mut self, deadline: Deadline) -> Result<Job, TransportError> {
        match self.answers.recv_timeout(deadline.left()) {
            Ok(answer) => {
                self.under_way = false;
                self.judge(answer)
            }
            Err(RecvTimeoutError::Timeout) => {
                self.stuck = true;
                Err(TransportError::Deadline { what: format!("a transfer by {}", self.name), limit: deadline.limit() })
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.gone("its thread has ended")),
        }
    }

    fn put_back(&mut self, job: Job) {
        self.buffers.push(job.buffer);
    }

    fn judge(&mut self, answer: Answer) -> Result<Job, TransportError> {
        let Answer { job, moved, took } = answer;
        let (address, bytes) = (job.address, job.bytes as u64);
        let error = match moved {
            Ok(moved) if moved as u64 == bytes => return Ok(job),
            Ok(moved) => TransportError::Short { address, bytes, moved: (moved as u64).min(bytes) },
            Err(error) => self.refusal(address, bytes, took, &error),
        };
        self.put_back(job);
        Err(error)
    }

    /// What an error number of the driver means.
    fn refusal(&self, address: u64, bytes: u64, took: Duration, error: &io::Error) -> TransportError {
        let system = |message: String| TransportError::System {
            what: format!("moving {bytes} bytes at {address:#x} by {}", self.name),
            message,
        };
        match Errno::from_io_error(error) {
            Some(Errno::TIMEDOUT) => TransportError::Deadline {
                what: format!(
                    "moving {bytes} bytes at {address:#x} by {}, which the kernel's driver gave up (a card that refuses the \
                     first bytes looks like this, too)",
                    self.name
                ),
                limit: took,
            },
            Some(Errno::IO) => TransportError::Refused {
                address,
                bytes,
                answer: "the kernel's driver reports an error of the engine (EIO); `dmesg` has its status".to_owned(),
            },
            Some(Errno::BUSY) => self.gone("the kernel's driver has taken it offline (EBUSY)"),
            Some(Errno::NODEV | Errno::NXIO) => self.gone(&format!("its device is not there any more: {error}")),
            Some(Errno::INVAL) => system(format!("{error}: the driver does not take this address or length")),
            _ => system(error.to_string()),
        }
    }

    fn ready(&self) -> Result<(), TransportError> {
        if !self.stuck {
            return Ok(());
        }
        Err(TransportError::System {
            what: format!("a transfer by {}", self.name),
            message: "its last one is still in the kernel's driver; recover first".to_owned(),
        })
    }

    /// Waits until the driver lets go of the last job.
    fn recover(&mut self, deadline: Deadline) -> Result<(), TransportError> {
        if self.under_way {
            match self.answers.recv_timeout(deadline.left()) {
                // How it ended, its caller knows: too late.
                Ok(answer) => self.put_back(answer.job),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.lost("the kernel's driver does not let go of its last transfer"));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.gone("its thread has ended")),
            }
        }
        self.under_way = false;
        self.stuck = false;
        Ok(())
    }

    /// What only the machine's administrator can bring back.
    fn lost(&self, what: &str) -> TransportError {
        let message = format!(
            "{what}; close all programs that use the card, then `rmmod xdma`, `echo 1` to `reset` of its folder below \
             /sys/bus/pci/devices, and `modprobe xdma`, or restart the machine"
        );
        TransportError::System { what: format!("recovering {}", self.name), message }
    }

    /// Moves a word of `data` until the driver believes that it has been: an engine's status tells of errors until a transfer has
    /// ended with them.
    fn settle(&mut self, direction: Direction, address: u64, data: &mut [u8; 4]) -> Result<(), TransportError> {
        let mut last = None;
        for _ in 0..2 {
            let deadline = Deadline::after(RECOVER_LIMIT);
            let moved = match direction {
                Direction::ToCard => self.write(address, data, PAGE, deadline),
                Direction::FromCard => self.read(address, data, PAGE, deadline),
            };
            match moved {
                Ok(()) => return Ok(()),
                Err(error @ TransportError::Refused { .. }) => last = Some(error),
                Err(error) => return Err(self.lost(&error.to_string())),
            }
        }
        Err(self.lost(&last.map_or_else(String::new, |error| error.to_string())))
    }

    /// Copies `bytes` to the card, chunk by chunk: while one is under way, the next is copied into its buffer.
    fn write(&mut self, address: u64, bytes: &[u8], chunk: usize, deadline: Deadline) -> Result<(), TransportError> {
        self.ready()?;
        for (index, part) in bytes.chunks(chunk).enumerate() {
            let at = address + (index * chunk) as u64;
            let mut buffer = self.buffer()?;
            buffer.part(at, part.len()).copy_from_slice(part);
            if let Err(error) = self.take_turn(deadline) {
                self.buffers.push(buffer);
                return Err(error);
            }
            self.submit(at, part.len(), buffer)?;
        }
        self.take_turn(deadline)
    }

    /// Waits for the job under way, if there is one.
    fn take_turn(&mut self, deadline: Deadline) -> Result<(), TransportError> {
        if self.under_way {
            let done = self.finish(deadline)?;
            self.put_back(done);
        }
        Ok(())
    }

    /// Copies from the card to `out`: while one chunk is under way, the last is copied out of its buffer.
    fn read(&mut self, address: u64, out: &mut [u8], chunk: usize, deadline: Deadline) -> Result<(), TransportError> {
        self.ready()?;
        let mut done: Option<(&mut [u8], Job)> = None;
        let mut parts = out.chunks_mut(chunk).enumerate();
        let mut at = address;
        let mut next = parts.next();
        let mut waiting: Option<&mut [u8]> = None;
        loop {
            if let Some(part) = waiting.take() {
                done = Some((part, self.finish(deadline)?));
            }
            if let Some((_, part)) = next.take() {
                let buffer = self.buffer()?;
                self.submit(at, part.len(), buffer)?;
                at += part.len() as u64;
                waiting = Some(part);
                next = parts.next();
            }
            if let Some((part, mut job)) = done.take() {
                part.copy_from_slice(job.buffer.part(job.address, job.bytes));
                self.put_back(job);
            }
            if waiting.is_none() {
                return Ok(());
            }
        }
    }
}

/// A card behind Xilinx' kernel driver.
#[derive(Debug)]
pub struct Xdma {
    options: Options,
    name: String,
    user: Registers,
    /// Kept for its lock: one program at a time.
    _lock: File,
    to_card: Channel,
    from_card: Channel,
    events: Vec<Option<File>>,
    capabilities: Capabilities,
    pause: Duration,
}

impl Xdma {
    /// Opens a card.
    ///
    /// # Errors
    /// [`TransportError::System`] where a device is missing, may not be opened or is used by another program, with what to
    /// do; [`TransportError::Gone`] where the registers read as all ones.
    pub fn open(options: Options) -> Result<Self, TransportError> {
        options.check()?;
        let name = format!("xdma{}", options.index);
        let user_path = options.device("user");
        let file = open(&user_path, true, true)?;
        lock(&user_path, &file)?;
        let bytes = (options.registers as usize).next_multiple_of(PAGE);
        let user = Registers::open(&file, bytes).map_err(|error| failed("mapping", &user_path, &error.to_string()))?;
        let channel = |direction| {
            let path = options.channel_device(direction);
            let file = open(&path, direction == Direction::FromCard, direction == Direction::ToCard)?;
            Channel::start(direction, path.display().to_string(), options.chunk as usize, file)
        };
        let (to_card, from_card) = (channel(Direction::ToCard)?, channel(Direction::FromCard)?);
        let events: Vec<Option<File>> = (0..MOST_EVENTS)
            .map(|event| {
                let path = options.device(&format!("events_{event}"));
                // A card may have been built with fewer user interrupts, or none.
                if path.exists() { open(&path, true, false).map(Some) } else { Ok(None) }
            })
            .collect::<Result<_, _>>()?;
        let everything = || vec![Window { address: 0, bytes: u64::MAX }];
        let capabilities = Capabilities {
            registers: options.registers,
            windows: if options.windows.is_empty() { everything() } else { options.windows.clone() },
            alignment: options.alignment,
            chunk: options.chunk,
            interrupts: events.iter().any(Option::is_some),
        };
        let pause = SHORTEST_PAUSE;
        let card = Self { options, name, user, _lock: file, to_card, from_card, events, capabilities, pause };
        card.answers()?;
        Ok(card)
    }

    /// Only these parts of the memory space can be reached from now on; none, where there are none.
    pub fn limit(&mut self, windows: Vec<Window>) {
        self.capabilities.windows = windows;
    }

    fn no_register(&self, offset: u32) -> TransportError {
        TransportError::Register { offset, bytes: self.capabilities.registers }
    }

    fn word(&self, offset: u32) -> Result<u32, TransportError> {
        let word = self.user.read(offset as usize).map_err(|error| self.unreadable("reading", &error))?;
        word.ok_or_else(|| self.no_register(offset))
    }

    fn unreadable(&self, what: &str, error: &io::Error) -> TransportError {
        failed(what, &self.options.device("user"), &error.to_string())
    }

    /// Whether the card is there: its first word, which names its kind, cannot be all ones.
    fn answers(&self) -> Result<(), TransportError> {
        if self.word(0)? != NOTHING {
            return Ok(());
        }
        let what = "its registers read as all ones".to_owned();
        Err(TransportError::Gone { name: self.name.clone(), what })
    }
}

fn failed(what: &str, path: &Path, message: &str) -> TransportError {
    TransportError::System { what: format!("{what} {}", path.display()), message: message.to_owned() }
}

fn open(path: &Path, read: bool, write: bool) -> Result<File, TransportError> {
    OpenOptions::new().read(read).write(write).open(path).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "; is the kernel module `xdma` loaded, and the card programmed?",
            io::ErrorKind::PermissionDenied => "; the udev rule shipped with the tools lets members of a group use it",
            _ => "",
        };
        failed("opening", path, &format!("{error}{remedy}"))
    })
}

/// One program at a time, or they would take each other's events.
fn lock(path: &Path, file: &File) -> Result<(), TransportError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(failed("opening", path, "another program uses this card (`fuser` on this file says which)"))
        }
        Err(TryLockError::Error(error)) => Err(failed("locking", path, &error.to_string())),
    }
}

/// Waits until there is something to read, at most `limit`: whether there is. A signal ends it early.
fn wait_readable(file: &File, limit: Duration) -> Result<bool, Errno> {
    let mut fds = [PollFd::new(file, PollFlags::IN)];
    let limit =
        Timespec { tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX), tv_nsec: limit.subsec_nanos().into() };
    match rustix::event::poll(&mut fds, Some(&limit)) {
        Ok(_) => Ok(fds[0].revents().contains(PollFlags::IN)),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Transport for Xdma {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn read_register(&mut self, offset: u32) -> Result<u32, TransportError> {
        self.capabilities.check_register(offset)?;
        let word = self.word(offset)?;
        if word == NOTHING {
            self.answers()?;
        }
        Ok(word)
    }

    fn write_register(&mut self, offset: u32, value: u32) -> Result<(), TransportError> {
        self.capabilities.check_register(offset)?;
        let written = self.user.write(offset as usize, value).map_err(|error| self.unreadable("writing", &error))?;
        written.ok_or_else(|| self.no_register(offset))?;
        // A write is posted; a read behind it returns when the card has it.
        self.answers()
    }

    fn read(&mut self, address: u64, out: &mut [u8], deadline: Deadline) -> Result<(), TransportError> {
        self.capabilities.check(address, out.len())?;
        self.from_card.read(address, out, self.options.chunk as usize, deadline)
    }

    fn write(&mut self, address: u64, bytes: &[u8], deadline: Deadline) -> Result<(), TransportError> {
        self.capabilities.check(address, bytes.len())?;
        self.to_card.write(address, bytes, self.options.chunk as usize, deadline)
    }

    fn wait_event(&mut self, core: u32, deadline: Deadline) -> Result<(), TransportError> {
        let late =
            || TransportError::Deadline { what: format!("the interrupt of core {core}"), limit: deadline.limit() };
        if deadline.passed() {
            return Err(late());
        }
        let Some(Some(events)) = self.events.get_mut(core as usize) else {
            std::thread::sleep(self.pause.min(deadline.left()));
            self.pause = (2 * self.pause).min(LONGEST_PAUSE);
            return Ok(());
        };
        let path = self.options.device(&format!("events_{core}"));
        let readable = wait_readable(events, LONGEST_WAIT.min(deadline.left()));
        if readable.map_err(|error| failed("waiting for", &path, &error.to_string()))? {
            let mut flag = [0; 4];
            events.read_exact(&mut flag).map_err(|error| failed("reading", &path, &error.to_string()))?;
            return Ok(());
        }
        if deadline.passed() { Err(late()) } else { Ok(()) }
    }

    fn recover(&mut self) -> Result<(), TransportError> {
        let deadline = Deadline::after(RECOVER_LIMIT);
        self.to_card.recover(deadline)?;
        self.from_card.recover(deadline)?;
        self.pause = SHORTEST_PAUSE;
        self.answers()?;
        // A word that cores never write, so that it can be written back as it was: core 0's first instruction.
        let harmless = window(Space::Instruction, 0);
        if self.capabilities.check(harmless, 4).is_ok() {
            let mut word = [0; 4];
            self.from_card.settle(Direction::FromCard, harmless, &mut word)?;
            self.to_card.settle(Direction::ToCard, harmless, &mut word)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::Signal;
    use std::sync::{Arc, Mutex};

    const LONG: Duration = Duration::from_secs(60);

    /// What the driver was seen to do, as far as a caller can tell.
    struct Driver {
        memory: Arc<Mutex<Vec<u8>>>,
        /// What the next calls do, in this order.
        script: Vec<Script>,
        alignment: usize,
        seen: Arc<Mutex<Vec<(u64, usize)>>>,
    }

    #[derive(Clone, Copy)]
    enum Script {
        Moves,
        Takes(Duration),
        Fails(Errno),
        StopsAt(usize),
    }

    impl Driver {
        fn call(&mut self, buffer: usize, bytes: usize, at: u64) -> io::Result<usize> {
            let mask = SigSet::thread_get_mask().unwrap();
            for signal in [Signal::SIGINT, Signal::SIGALRM, Signal::SIGUSR1, Signal::SIGCHLD] {
                assert!(mask.contains(signal), "{signal} would abort the transfer");
            }
            assert!(bytes > 0 && bytes <= MOST_CHUNK as usize, "{bytes} bytes at once");
            self.seen.lock().unwrap().push((at, bytes));
            if (buffer ^ at as usize) & (self.alignment - 1) != 0 {
                return Err(Errno::INVAL.into());
            }
            let script = if self.script.is_empty() { Script::Moves } else { self.script.remove(0) };
            match script {
                Script::Moves => Ok(bytes),
                Script::Takes(time) => {
                    std::thread::sleep(time);
                    Ok(bytes)
                }
                Script::Fails(error) => Err(error.into()),
                Script::StopsAt(count) => Ok(count),
            }
        }
    }

    impl Calls for Driver {
        fn pread(&mut self, out: &mut [u8], at: u64) -> io::Result<usize> {
            let count = self.call(out.as_ptr() as usize, out.len(), at)?;
            out[..count].copy_from_slice(&self.memory.lock().unwrap()[at as usize..at as usize + count]);
            Ok(count)
        }

        fn pwrite(&mut self, bytes: &[u8], at: u64) -> io::Result<usize> {
            let count = self.call(bytes.as_ptr() as usize, bytes.len(), at)?;
            self.memory.lock().unwrap()[at as usize..at as usize + count].copy_from_slice(&bytes[..count]);
            Ok(count)
        }
    }

    struct Bench {
        channel: Channel,
        memory: Arc<Mutex<Vec<u8>>>,
        seen: Arc<Mutex<Vec<(u64, usize)>>>,
    }

    const CHUNK: usize = 8192;

    fn bench(direction: Direction, script: &[Script]) -> Bench {
        let memory = Arc::new(Mutex::new((0..100_000_u32).map(|i| (i * 31 % 251) as u8).collect::<Vec<_>>()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (memory_too, seen_too) = (Arc::clone(&memory), Arc::clone(&seen));
        let driver = Driver { memory: memory_too, script: script.to_vec(), alignment: 4096, seen: seen_too };
        Bench { channel: Channel::start(direction, "a channel".to_owned(), CHUNK, driver).unwrap(), memory, seen }
    }

    #[test]
    fn chunks_are_aligned_alike_and_tile_the_bytes() {
        for (address, bytes) in [(0, 1), (4095, 2), (5, CHUNK), (12_345, 3 * CHUNK + 17), (0, 0)] {
            let mut to = bench(Direction::ToCard, &[]);
            let data: Vec<u8> = (0..bytes).map(|i| (i * 7 % 253) as u8).collect();
            to.channel.write(address, &data, CHUNK, Deadline::after(LONG)).unwrap();
            let at = address as usize;
            assert!(to.memory.lock().unwrap()[at..at + bytes] == data, "{bytes} bytes to {address}");
            let seen = to.seen.lock().unwrap().clone();
            assert_eq!(seen.len(), bytes.div_ceil(CHUNK));
            assert_eq!(seen.iter().map(|(_, bytes)| bytes).sum::<usize>(), bytes);

            let mut from = bench(Direction::FromCard, &[]);
            let mut out = vec![0; bytes];
            from.channel.read(address, &mut out, CHUNK, Deadline::after(LONG)).unwrap();
            assert!(from.memory.lock().unwrap()[at..at + bytes] == out, "{bytes} bytes from {address}");
        }
    }

    #[test]
    fn a_short_count_is_an_error() {
        for direction in Direction::ALL {
            for stop in [0, 1, CHUNK - 1] {
                let mut bench = bench(direction, &[Script::Moves, Script::StopsAt(stop)]);
                let deadline = Deadline::after(LONG);
                let ended = match direction {
                    Direction::ToCard => bench.channel.write(0, &[1; 3 * CHUNK], CHUNK, deadline),
                    Direction::FromCard => bench.channel.read(0, &mut [1; 3 * CHUNK], CHUNK, deadline),
                };
                let (address, bytes) = (CHUNK as u64, CHUNK as u64);
                assert_eq!(ended, Err(TransportError::Short { address, bytes, moved: stop as u64 }));
                assert_eq!(bench.seen.lock().unwrap().len(), 2, "nothing more is moved");
                // It is no reason not to go on.
                bench.channel.write(0, &[2; 2 * CHUNK], CHUNK, deadline).unwrap();
            }
        }
    }

    #[test]
    fn a_channel_is_recovered_when_a_transfer_is_believed() {
        for direction in Direction::ALL {
            let settled = |script: &[Script]| {
                let mut bench = bench(direction, script);
                let before = bench.memory.lock().unwrap().clone();
                let mut word = [0; 4];
                word.copy_from_slice(&before[64..68]);
                let ended = bench.channel.settle(direction, 64, &mut word);
                assert!(*bench.memory.lock().unwrap() == before, "nothing is changed");
                let calls = bench.seen.lock().unwrap().len();
                (ended.map_err(|error| error.to_string()), calls)
            };
            assert_eq!(settled(&[]), (Ok(()), 1));
            // The engine's status is cleared by the transfer that it is told of with.
            assert_eq!(settled(&[Script::Fails(Errno::IO)]), (Ok(()), 2));
            let (ended, calls) = settled(&[Script::Fails(Errno::IO), Script::Fails(Errno::IO)]);
            assert!(calls == 2 && ended.unwrap_err().contains("rmmod"));
            // One that the driver gives up is not tried again.
            let (ended, calls) = settled(&[Script::Fails(Errno::TIMEDOUT)]);
            assert!(calls == 1 && ended.unwrap_err().contains("rmmod"));
        }
    }

    #[test]
    fn error_numbers_have_meanings() {
        let error = |errno| {
            let mut bench = bench(Direction::ToCard, &[Script::Fails(errno)]);
            bench.channel.write(64, &[1; 8], CHUNK, Deadline::after(LONG)).unwrap_err()
        };
        assert!(matches!(error(Errno::TIMEDOUT), TransportError::Deadline { .. }));
        assert!(matches!(error(Errno::IO), TransportError::Refused { address: 64, bytes: 8, .. }));
        assert!(matches!(error(Errno::BUSY), TransportError::Gone { .. }));
        assert!(matches!(error(Errno::NODEV), TransportError::Gone { .. }));
        assert!(matches!(error(Errno::FAULT), TransportError::System { .. }));
    }

    #[test]
    fn a_thread_in_the_driver_does_not_hold_its_caller() {
        for direction in Direction::ALL {
            let mut bench = bench(direction, &[Script::Moves, Script::Takes(Duration::from_millis(600))]);
            let before = Instant::now();
            let soon = Deadline::after(Duration::from_millis(100));
            let channel = &mut bench.channel;
            let ended = match direction {
                Direction::ToCard => channel.write(0, &[1; 3 * CHUNK], CHUNK, soon),
                Direction::FromCard => channel.read(0, &mut [1; 3 * CHUNK], CHUNK, soon),
            };
            assert!(matches!(ended, Err(TransportError::Deadline { .. })), "{ended:?}");
            assert!(before.elapsed() < Duration::from_millis(550), "{:?}", before.elapsed());
            let refused = channel.write(0, &[1], CHUNK, Deadline::after(LONG)).unwrap_err().to_string();
            assert!(refused.contains("recover"), "{refused}");
            let early = channel.recover(Deadline::after(Duration::from_millis(10))).unwrap_err().to_string();
            assert!(early.contains("rmmod"), "{early}");
            channel.recover(Deadline::after(LONG)).unwrap();
            match direction {
                Direction::ToCard => channel.write(0, &[1; 3 * CHUNK], CHUNK, Deadline::after(LONG)).unwrap(),
                Direction::FromCard => channel.read(0, &mut [1; 3 * CHUNK], CHUNK, Deadline::after(LONG)).unwrap(),
            }
        }
    }
}
