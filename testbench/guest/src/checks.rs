//! What a guest runs: each trap of the driver sprung by plain system calls, and then the host library, which is not caught.
//!
//! Contract: checks run in the order of [`CHECKS`]; each opens the card for itself and leaves it usable, with the program `reset` where
//! that takes more than the library may do (a function that hangs is reset by root). A check's answer is a line of text:
//! what was seen, or what was not as it should be.
//!
//! Expectations come from the driver's observed behaviour and from bytes computed here, never from another answer of the card.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fenn_host::card::stream::{Plan, Verify};
use fenn_host::card::{Card, Settings};
use fenn_host::device::{Device, Limit};
use fenn_host::transport::xdma::{Options, Xdma};
use fenn_host::transport::{Deadline, Transport, TransportError, Window};
use fenn_isa::memory::Space;
use fenn_isa::soc::{CardRegister, REGISTER_BYTES, window};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rustix::io::Errno;

mod signals;

/// Bytes of weights.
const WEIGHTS: u32 = 32 << 20;
/// A transfer long enough for something to happen in between.
const LONG: usize = 8 << 20;
/// How long anything may take that is not about time.
const PATIENCE: Duration = Duration::from_secs(60);
const KIB: usize = 1 << 10;
const PAGE: usize = 4096;

/// Where the checks run.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The card.
    pub options: Options,
    /// Whoever is told here of a fault arms it for the next transfer, and answers `ok`.
    pub faults: PathBuf,
    /// A program that resets the card's PCI function, which takes root.
    pub reset: PathBuf,
    /// After how long the driver gives up.
    pub timeout: Duration,
    /// How the driver wants source and destination to be aligned alike.
    pub alignment: usize,
}

/// One check.
pub struct Check {
    /// Its name, in words.
    pub name: &'static str,
    run: fn(&Setting) -> Result<String, String>,
}

impl Check {
    /// Runs it: what was seen, or what is wrong.
    ///
    /// # Errors
    /// What is not as it should be.
    pub fn run(&self, setting: &Setting) -> Result<String, String> {
        (self.run)(setting)
    }
}

/// All of them, in their order.
pub static CHECKS: &[Check] = &[
    Check { name: "identification", run: identification },
    Check { name: "weights, a program and its results", run: weights_and_program },
    Check { name: "a caught signal", run: signals::aborts_transfers },
    Check { name: "unaligned", run: unaligned },
    Check { name: "a source that may not be written", run: constant_source },
    Check { name: "write does not advance", run: position },
    Check { name: "a short count hides an error", run: short_count },
    Check { name: "out of the window", run: outside },
    Check { name: "registers are words", run: registers },
    Check { name: "an event that does not come", run: events },
    Check { name: "a lost interrupt", run: lost_interrupt },
    Check { name: "a transfer that stops early", run: stops_early },
    Check { name: "a decode error in a transfer", run: decode_error },
    Check { name: "a transfer that hangs", run: hang },
    Check { name: "a link that is lost", run: link_loss },
];

impl Setting {
    fn open(&self) -> Result<Xdma, String> {
        Xdma::open(self.options.clone()).map_err(|error| format!("the card cannot be opened: {error}"))
    }

    fn card(&self) -> Result<Card<Xdma>, String> {
        Card::open_with(self.open()?, Settings { transfer: PATIENCE, ..Settings::default() }).map_err(text)
    }

    fn channel(&self, to_card: bool) -> Result<File, String> {
        let path = self.options.device(if to_card { "h2c_0" } else { "c2h_0" });
        let opened = OpenOptions::new().read(!to_card).write(to_card).open(&path);
        opened.map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Asks for a fault at the next transfer.
    fn fault(&self, name: &str) -> Result<(), String> {
        let wrong = |error: std::io::Error| format!("{}: {error}", self.faults.display());
        let mut file = OpenOptions::new().read(true).write(true).open(&self.faults).map_err(wrong)?;
        file.write_all(format!("{name}\n").as_bytes()).map_err(wrong)?;
        let mut said = Vec::new();
        while said.last() != Some(&b'\n') {
            let mut byte = [0; 64];
            let count = file.read(&mut byte).map_err(wrong)?;
            if count == 0 {
                return Err(format!("{}: no answer to {name}", self.faults.display()));
            }
            said.extend(&byte[..count]);
        }
        if said == b"ok\n" { Ok(()) } else { Err(format!("{name}: {}", String::from_utf8_lossy(&said).trim())) }
    }

    fn reset(&self) -> Result<(), String> {
        let status =
            Command::new(&self.reset).status().map_err(|error| format!("{}: {error}", self.reset.display()))?;
        if status.success() { Ok(()) } else { Err(format!("{}: {status}", self.reset.display())) }
    }

    /// Longer than the driver tries: both its limits, and time for a slow machine.
    fn given_up(&self) -> Deadline {
        Deadline::after(4 * self.timeout + PATIENCE)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn random(seed: u64, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    Pcg64Mcg::seed_from_u64(seed).fill_bytes(&mut out);
    out
}

/// A buffer with a part that begins `behind` bytes after the start of a page.
struct Aligned {
    bytes: Vec<u8>,
    from: usize,
    length: usize,
}

impl Aligned {
    fn new(length: usize, behind: usize) -> Self {
        let bytes = vec![0; length + 2 * PAGE];
        let from = bytes.as_ptr().align_offset(PAGE) + behind;
        Self { bytes, from, length }
    }

    fn holding(data: &[u8], behind: usize) -> Self {
        let mut buffer = Self::new(data.len(), behind);
        buffer.part().copy_from_slice(data);
        buffer
    }

    fn part(&mut self) -> &mut [u8] {
        &mut self.bytes[self.from..self.from + self.length]
    }
}

/// What a plain call came to, in words.
fn said(moved: &std::io::Result<usize>) -> String {
    match moved {
        Ok(count) => format!("{count} bytes"),
        Err(error) => error.to_string(),
    }
}

fn is(moved: &std::io::Result<usize>, errno: Errno) -> bool {
    moved.as_ref().is_err_and(|error| Errno::from_io_error(error) == Some(errno))
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn dram() -> u64 {
    window(Space::Dram, 0)
}

/// Writes and reads back: the way to the card is in order.
fn works(xdma: &mut Xdma, seed: u64) -> Result<(), String> {
    let data = random(seed, 64 * KIB);
    let mut back = vec![0; data.len()];
    xdma.write(dram(), &data, Deadline::after(PATIENCE)).map_err(text)?;
    xdma.read(dram(), &mut back, Deadline::after(PATIENCE)).map_err(text)?;
    ensure(back == data, || "bytes are others after they were read back".to_owned())
}

/// How the library's call ended, which must be an error in time; and the way to the card is in order again.
fn recovers(
    xdma: &mut Xdma,
    ended: Result<(), TransportError>,
    began: Instant,
    limit: Duration,
) -> Result<String, String> {
    let took = began.elapsed();
    let Err(error) = ended else { return Err("the library says that all is well".to_owned()) };
    ensure(took < limit, || format!("it took {took:.1?}: {error}"))?;
    xdma.recover().map_err(|error| format!("recovery: {error}"))?;
    works(xdma, 77)?;
    Ok(format!("\"{error}\" after {took:.1?}; recovered"))
}

fn identification(setting: &Setting) -> Result<String, String> {
    let card = setting.card()?;
    let identity = card.identity();
    ensure(identity.dram_bytes >= u64::from(WEIGHTS) + (16 << 20), || "there is too little DRAM".to_owned())?;
    let state = card.state(0).map_err(text)?;
    ensure(!state.running, || "core 0 runs".to_owned())?;
    Ok(format!("{}, {} core(s), {} MiB of DRAM", identity.name, identity.cores, identity.dram_bytes >> 20))
}

/// Rows that are added up, and targets of each.
const ROWS: usize = 24;
const TARGETS: usize = 512;

const MAIN: &str = "
        .text
        .globl  _start
_start: la      a0, list
        li      a1, 24
        li      a2, 0
        li      a3, 1024
        la      a4, targets
        la      a5, buffers
        call    dma_rows
        la      t0, result
        sw      a0, 0(t0)
        ecall
        .data
result: .word   -1
list:   .zero   96
        .vector
targets: .zero  1024
buffers: .zero  2048
";

fn weights_and_program(setting: &Setting) -> Result<String, String> {
    let sources = [
        fenn_assembler::Source::new("main.s", MAIN),
        fenn_assembler::Source::new("dma_rows.s", include_str!("../../../programs/kernels/dma_rows.s")),
    ];
    let (image, diagnostics) = fenn_assembler::assemble(&sources, &fenn_assembler::Options::default());
    let image = image.ok_or_else(|| fenn_assembler::diagnostic::render(&diagnostics, &sources, false))?;
    let place = |name: &str| image.symbol(name).map(|symbol| symbol.address).ok_or_else(|| format!("no {name}"));
    let (list, result, targets) = (place("list")?, place("result")?, place("targets")?);

    let card = setting.card()?;
    let mut core = card.core(0).map_err(text)?;
    core.load(&image).map_err(text)?;

    let weights = random(2, WEIGHTS as usize);
    let plan = Plan { verify: Verify::Checksum, ..Plan::default() };
    let streamed = core.stream(Space::Dram, 0, WEIGHTS, weights.as_slice(), &plan, |_| ()).map_err(text)?;

    let mut generator = Pcg64Mcg::seed_from_u64(3);
    let rows: Vec<u32> = (0..ROWS).map(|_| generator.random_range(0..WEIGHTS / (2 * TARGETS as u32))).collect();
    let words: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
    core.write(Space::Scalar, list, &words).map_err(text)?;
    let mut expected = [0_i16; TARGETS];
    for row in rows {
        let from = row as usize * 2 * TARGETS;
        for (sum, weight) in expected.iter_mut().zip(weights[from..from + 2 * TARGETS].as_chunks::<2>().0) {
            *sum = sum.saturating_add(i16::from_le_bytes(*weight));
        }
    }
    core.start(image.entry).map_err(text)?;
    let finished = core.wait(Limit { time: PATIENCE, ..Limit::default() }).map_err(text)?;
    let mut word = [0; 4];
    core.read(Space::Scalar, result, &mut word).map_err(text)?;
    ensure(word == [0; 4], || format!("the program says {}", u32::from_le_bytes(word)))?;
    let mut sums = [0; 2 * TARGETS];
    core.read(Space::Vector, targets, &mut sums).map_err(text)?;
    let expected: Vec<u8> = expected.iter().flat_map(|sum| sum.to_le_bytes()).collect();
    ensure(sums.as_slice() == expected, || "the sums of rows are others".to_owned())?;
    let rate = |time: Duration| f64::from(WEIGHTS >> 20) / time.as_secs_f64();
    Ok(format!(
        "32 MiB at {:.0} MiB/s, read back at {:.0} MiB/s with CRC-32 {:#010x}; {ROWS} rows of them added up in {} instructions",
        rate(streamed.writing),
        rate(streamed.verifying),
        streamed.crc,
        finished.instructions
    ))
}

fn unaligned(setting: &Setting) -> Result<String, String> {
    let at = dram() + 1024;
    let file = setting.channel(true)?;
    let plain = file.write_at(Aligned::new(KIB, 4).part(), at);
    let sprung = if setting.alignment > 4 {
        ensure(is(&plain, Errno::INVAL), || format!("pwrite of a buffer aligned otherwise: {}", said(&plain)))?;
        said(&plain)
    } else {
        "this engine takes every alignment".to_owned()
    };
    let mut xdma = setting.open()?;
    for (inside, behind) in [(0, 4), (4, 0), (60, 36), (4092, 2)] {
        let data = Aligned::holding(&random(5 + inside, 3 * PAGE), behind).part().to_vec();
        let mut source = Aligned::holding(&data, behind);
        xdma.write(dram() + inside, source.part(), Deadline::after(PATIENCE)).map_err(text)?;
        let mut back = Aligned::new(data.len(), behind ^ 20);
        xdma.read(dram() + inside, back.part(), Deadline::after(PATIENCE)).map_err(text)?;
        ensure(back.part() == data, || format!("other bytes at {inside}"))?;
    }
    for (address, bytes) in [(dram() + 2, 4), (dram(), 6)] {
        let refused = xdma.write(address, &vec![1; bytes], Deadline::after(PATIENCE));
        ensure(matches!(refused, Err(TransportError::Unaligned { .. })), || format!("{refused:?} at {address:#x}"))?;
    }
    Ok(format!("plain pwrite: {sprung}; the library moves buffers from anywhere, and refuses parts of words"))
}

fn constant_source(setting: &Setting) -> Result<String, String> {
    static CONSTANT: [[u8; PAGE]; 4] = [[0x5a; PAGE]; 4];
    let constant = CONSTANT.as_flattened();
    let behind = constant.as_ptr() as usize % PAGE;
    let at = dram() + behind as u64;
    let plain = setting.channel(true)?.write_at(constant, at);
    ensure(is(&plain, Errno::FAULT), || format!("pwrite of a constant: {}", said(&plain)))?;
    let mut xdma = setting.open()?;
    xdma.write(at & !3, constant, Deadline::after(PATIENCE)).map_err(text)?;
    let mut back = vec![0; constant.len()];
    xdma.read(at & !3, &mut back, Deadline::after(PATIENCE)).map_err(text)?;
    ensure(back == constant, || "other bytes".to_owned())?;
    Ok(format!("plain pwrite: {}; the library writes it", said(&plain)))
}

fn position(setting: &Setting) -> Result<String, String> {
    // Position 0 is core 0's instruction memory.
    let at = window(Space::Instruction, 0);
    ensure(at == 0, || format!("instruction memory is at {at:#x}"))?;
    let mut file = setting.channel(true)?;
    let (first, second) = (random(11, KIB), random(12, KIB));
    for data in [&first, &second] {
        let moved = file.write(Aligned::holding(data, 0).part());
        ensure(moved.as_ref().is_ok_and(|count| *count == KIB), || format!("write: {}", said(&moved)))?;
    }
    let mut xdma = setting.open()?;
    let mut back = vec![0; KIB];
    xdma.read(0, &mut back, Deadline::after(PATIENCE)).map_err(text)?;
    ensure(back == second, || "a second write did not go to where the first went".to_owned())?;
    for (data, at) in [(&first, 0), (&second, KIB as u64)] {
        xdma.write(at, data, Deadline::after(PATIENCE)).map_err(text)?;
    }
    let mut both = vec![0; 2 * KIB];
    xdma.read(0, &mut both, Deadline::after(PATIENCE)).map_err(text)?;
    ensure(both == [first, second].concat(), || "the library's two writes are not one after the other".to_owned())?;
    Ok("plain write: the second overwrote the first; the library says where".to_owned())
}

/// Where DRAM ends.
fn end_of_dram(setting: &Setting) -> Result<u64, String> {
    Ok(dram() + setting.card()?.identity().dram_bytes)
}

fn short_count(setting: &Setting) -> Result<String, String> {
    let half = LONG as u64 / 2;
    let at = end_of_dram(setting)? - half;
    let mut buffer = Aligned::new(LONG, 0);
    let plain = setting.channel(false)?.read_at(buffer.part(), at);
    ensure(!plain.as_ref().is_ok_and(|count| *count == LONG), || format!("pread past the end: {}", said(&plain)))?;
    let mut xdma = setting.open()?;
    let began = Instant::now();
    let given_up = setting.given_up();
    let ended = xdma.read(at, buffer.part(), given_up);
    let recovered = recovers(&mut xdma, ended, began, given_up.limit())?;
    drop(xdma);
    let card = setting.card()?;
    let core = card.core(0).map_err(text)?;
    let bytes = core.config().dram_bytes;
    let mut core = core;
    let refused = core.read(Space::Dram, bytes - 64, &mut [0; 128]);
    ensure(refused.is_err(), || "a core's read past the end of its region is not refused".to_owned())?;
    Ok(format!("plain pread of {LONG} bytes: {}; the library: {recovered}", said(&plain)))
}

fn outside(setting: &Setting) -> Result<String, String> {
    // Between lane-local memory and DRAM.
    let at = 0x7000_0000;
    let plain = setting.channel(false)?.read_at(Aligned::new(PAGE, 0).part(), at);
    ensure(!plain.as_ref().is_ok_and(|count| *count == PAGE), || format!("pread of nothing: {}", said(&plain)))?;
    let mut seen = Vec::new();
    for to_card in [true, false] {
        let mut xdma = setting.open()?;
        let began = Instant::now();
        let given_up = setting.given_up();
        let ended =
            if to_card { xdma.write(at, &[1; PAGE], given_up) } else { xdma.read(at, &mut [1; PAGE], given_up) };
        seen.push(recovers(&mut xdma, ended, began, given_up.limit())?);
    }
    let windows = vec![Window { address: dram(), bytes: 1 << 20 }];
    let mut bounded = Xdma::open(Options { windows, ..setting.options.clone() }).map_err(text)?;
    // Whatever gets through would be struck.
    setting.fault("decerr")?;
    let refused = bounded.write(at, &[1; PAGE], Deadline::after(PATIENCE));
    ensure(matches!(refused, Err(TransportError::Outside { .. })), || format!("{refused:?}"))?;
    setting.fault("clear")?;
    works(&mut bounded, 13)?;
    Ok(format!(
        "plain pread: {}; the library: {}; with its windows known, nothing is tried",
        said(&plain),
        seen.join("; ")
    ))
}

fn registers(setting: &Setting) -> Result<String, String> {
    let path = setting.options.device("user");
    let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let plain = file.read_at(&mut [0; 4], 2);
    ensure(is(&plain, Errno::PROTO), || format!("pread of user at 2: {}", said(&plain)))?;
    drop(file);
    let mut xdma = setting.open()?;
    let scratch = CardRegister::Scratch.spec().offset;
    for value in [0xfe11_0042, 0, u32::MAX, 0x0102_0304] {
        xdma.write_register(scratch, value).map_err(text)?;
        let read = xdma.read_register(scratch).map_err(text)?;
        ensure(read == value, || format!("scratch reads {read:#010x} after {value:#010x}"))?;
    }
    for offset in [2, scratch + 1, REGISTER_BYTES, u32::MAX - 3] {
        let refused = (xdma.read_register(offset), xdma.write_register(offset, 1));
        let both = matches!(refused, (Err(TransportError::Register { .. }), Err(TransportError::Register { .. })));
        ensure(both, || format!("{refused:?} at {offset:#x}"))?;
    }
    Ok(format!("plain pread between words: {}; the library refuses what is no register's place", said(&plain)))
}

fn events(setting: &Setting) -> Result<String, String> {
    let mut xdma = setting.open()?;
    // One may have been left by what ran before.
    let settled = xdma.wait_event(0, Deadline::after(Duration::from_millis(100)));
    ensure(matches!(settled, Ok(()) | Err(TransportError::Deadline { .. })), || format!("{settled:?}"))?;
    let began = Instant::now();
    let limit = Duration::from_secs(1);
    let deadline = Deadline::after(limit);
    let ended = loop {
        match xdma.wait_event(0, deadline) {
            // It may have been: the caller looks, and waits again.
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    let took = began.elapsed();
    ensure(matches!(ended, TransportError::Deadline { .. }), || ended.to_string())?;
    ensure(took >= limit && took < PATIENCE, || format!("it took {took:?}"))?;
    Ok(format!("nothing happens for {took:.1?}, and \"{ended}\""))
}

fn lost_interrupt(setting: &Setting) -> Result<String, String> {
    let data = random(21, 64 * KIB);
    let mut xdma = setting.open()?;
    setting.fault("lost-interrupt")?;
    let began = Instant::now();
    let given_up = setting.given_up();
    let ended = xdma.write(dram(), &data, given_up);
    let Err(error) = ended else { return Err("the library says that all is well".to_owned()) };
    let took = began.elapsed();
    ensure(took < given_up.limit(), || format!("it took {took:.1?}: {error}"))?;
    setting.fault("clear")?;
    let how = bring_back(setting, xdma, 22)?;
    Ok(format!("\"{error}\" after {took:.1?}; {how}"))
}

/// Recovers a card whose engine may be beyond what the library can do. The library must know: either it says so, and then a
/// reset by root does it, or transfers are in order.
fn bring_back(setting: &Setting, mut xdma: Xdma, seed: u64) -> Result<String, String> {
    let began = Instant::now();
    let recovery = xdma.recover();
    let took = began.elapsed();
    ensure(took < setting.given_up().limit(), || format!("recovery took {took:.1?}"))?;
    let how = match recovery {
        Ok(()) => {
            works(&mut xdma, seed)?;
            drop(xdma);
            format!("recovered after {took:.1?}")
        }
        Err(error) => {
            drop(xdma);
            setting.reset()?;
            format!("after {took:.1?} \"{error}\", and so it did")
        }
    };
    works(&mut setting.open()?, seed + 1)?;
    Ok(how)
}

/// A fault in the middle of a transfer: an error, or all bytes are right.
fn honest(setting: &Setting, fault: &str, to_card: bool) -> Result<String, String> {
    let data = random(31, 256 * KIB);
    let mut xdma = setting.open()?;
    xdma.write(dram(), &if to_card { vec![0; data.len()] } else { data.clone() }, Deadline::after(PATIENCE))
        .map_err(text)?;
    setting.fault(fault)?;
    let began = Instant::now();
    let given_up = setting.given_up();
    let mut back = vec![0; data.len()];
    let ended = if to_card { xdma.write(dram(), &data, given_up) } else { xdma.read(dram(), &mut back, given_up) };
    if ended.is_ok() {
        if to_card {
            xdma.read(dram(), &mut back, Deadline::after(PATIENCE)).map_err(text)?;
        }
        return Err(if back == data {
            "nothing went wrong, although it should have".to_owned()
        } else {
            "the library says that all is well, and it is not".to_owned()
        });
    }
    let seen = recovers(&mut xdma, ended, began, given_up.limit())?;
    setting.fault("clear")?;
    Ok(seen)
}

fn both_ways(setting: &Setting, fault: &str) -> Result<String, String> {
    let to = honest(setting, fault, true).map_err(|error| format!("to the card: {error}"))?;
    let from = honest(setting, fault, false).map_err(|error| format!("from the card: {error}"))?;
    Ok(format!("to the card: {to}; from the card: {from}"))
}

fn stops_early(setting: &Setting) -> Result<String, String> {
    both_ways(setting, "short")
}

fn decode_error(setting: &Setting) -> Result<String, String> {
    both_ways(setting, "decerr")
}

fn hang(setting: &Setting) -> Result<String, String> {
    let mut xdma = setting.open()?;
    setting.fault("hang")?;
    let began = Instant::now();
    let soon = Duration::from_secs(1);
    let ended = xdma.write(dram(), &random(41, 64 * KIB), Deadline::after(soon));
    let took = began.elapsed();
    ensure(matches!(ended, Err(TransportError::Deadline { .. })), || format!("{ended:?}"))?;
    ensure(took >= soon && took < setting.timeout, || {
        format!("it took {took:?}, and the driver {:?}", setting.timeout)
    })?;
    let again = xdma.write(dram(), &[1; 64], Deadline::after(soon));
    ensure(again.as_ref().is_err_and(|error| error.to_string().contains("recover")), || format!("{again:?}"))?;
    setting.fault("clear")?;
    let how = bring_back(setting, xdma, 42)?;
    Ok(format!("an error after {took:.1?} of a limit of {soon:?}; {how}"))
}

fn link_loss(setting: &Setting) -> Result<String, String> {
    let mut xdma = setting.open()?;
    setting.fault("link-loss")?;
    let began = Instant::now();
    let given_up = setting.given_up();
    let ended = xdma.write(dram(), &random(51, 256 * KIB), given_up);
    let Err(error) = ended else { return Err("the library says that all is well".to_owned()) };
    let took = began.elapsed();
    ensure(took < given_up.limit(), || format!("it took {took:?}"))?;
    let register = xdma.read_register(CardRegister::Ident.spec().offset);
    ensure(matches!(register, Err(TransportError::Gone { .. })), || format!("a register: {register:?}"))?;
    let recovery = xdma.recover();
    ensure(recovery.is_err(), || "recovery says that all is well".to_owned())?;
    drop(xdma);
    let opened = Xdma::open(setting.options.clone());
    ensure(opened.is_err(), || "a card without a link can be opened".to_owned())?;
    setting.fault("reset")?;
    setting.reset()?;
    works(&mut setting.open()?, 52)?;
    Ok(format!("\"{error}\" after {took:.1?}, and registers say that it is gone; after a reset it is back"))
}

/// Whether a device of the card is there, for messages before the checks begin.
pub fn is_there(options: &Options) -> bool {
    Path::new(&options.device("user")).exists()
}
