//! Weights on their way to a card: they arrive, and where they do not that is found out.

mod support;

use std::io::{Read, Seek as _, Write as _};

use fenn_host::card::Card;
use fenn_host::card::stream::{Cancel, Plan, Progress, StreamError, Verify};
use fenn_host::device::{Device, Limit};
use fenn_host::error::DeviceError;
use fenn_host::transport::TransportError;
use fenn_host::transport::sim::{Options, SimulatedCard};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::Space;
use fenn_isa::soc::window;
use fenn_isa::text;
use support::faulty::{Fault, Faulty};

const DRAM: u64 = 32 << 20;

fn card(fault: Fault) -> Faulty {
    Faulty::new(SimulatedCard::new(Options { cores: 2, dram_bytes: DRAM, ..Options::default() }).unwrap(), fault)
}

fn weights(bytes: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// CRC-32 bit by bit, as IEEE 802.3 defines it.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, step)
}

fn plan(chunk: u32, verify: Verify) -> Plan {
    Plan { chunk, verify, cancel: Cancel::default() }
}

#[test]
fn weights_arrive_whatever_the_chunk() {
    let card = Card::open(card(Fault::Nothing)).unwrap();
    let mut core = card.core(1).unwrap();
    let weights = weights(1_000_003);
    for verify in [Verify::No, Verify::Chunks, Verify::Checksum] {
        for chunk in [64, 1000, 65536, 1 << 20, u32::MAX] {
            core.write(Space::Dram, 0, &vec![0xaa; weights.len() + 200]).unwrap();
            let mut seen = Vec::new();
            let bytes = weights.len() as u32;
            let result = core.stream(Space::Dram, 101, bytes, &weights[..], &plan(chunk, verify), |now| seen.push(now));
            let streamed = result.unwrap();
            assert_eq!((streamed.bytes, streamed.crc), (weights.len() as u64, crc(&weights)));
            let verified = if verify == Verify::No { 0 } else { streamed.bytes };
            assert_eq!(seen.last(), Some(&Progress { written: streamed.bytes, verified, bytes: streamed.bytes }));
            assert!(seen.windows(2).all(|pair| pair[0].written <= pair[1].written));
            let mut found = vec![0; weights.len() + 200];
            core.read(Space::Dram, 0, &mut found).unwrap();
            assert!(found[101..][..weights.len()] == weights[..]);
            assert!(found[..101].iter().chain(&found[101 + weights.len()..]).all(|byte| *byte == 0xaa));
        }
    }
    let nothing = core.stream(Space::Dram, 0, 0, &weights[..], &Plan::default(), |_| ()).unwrap();
    assert_eq!((nothing.bytes, nothing.crc), (0, 0));
}

#[test]
fn a_file_is_a_source() {
    let mut file = tempfile::tempfile().unwrap();
    let weights = weights(3 << 20);
    file.write_all(&weights).unwrap();
    file.rewind().unwrap();
    let card = Card::open(card(Fault::Nothing)).unwrap();
    let mut core = card.core(0).unwrap();
    let streamed = core.stream(Space::Dram, 64, 3 << 20, file, &Plan::default(), |_| ()).unwrap();
    assert_eq!(streamed.crc, crc(&weights));
}

#[test]
fn a_flipped_bit_is_found() {
    let weights = weights(300_000);
    let at = 123_457;
    let region = DRAM / 2;
    let fault = Fault::Flips { address: window(Space::Dram, 0) + region + 0x40 + at };
    let card = Card::open(card(fault)).unwrap();
    let mut core = card.core(1).unwrap();
    assert_eq!(core.region().base, region);
    let mut stream = |verify| core.stream(Space::Dram, 0x40, 300_000, &weights[..], &plan(4096, verify), |_| ());
    stream(Verify::No).unwrap();
    let written = weights[at as usize];
    assert_eq!(stream(Verify::Chunks), Err(StreamError::Differs { at, written, read: written ^ 1 }));
    let mut there = weights.clone();
    there[at as usize] ^= 1;
    let expected = StreamError::Checksum { written: crc(&weights), read: crc(&there) };
    assert_eq!(stream(Verify::Checksum), Err(expected));
}

#[test]
fn it_can_be_cancelled() {
    let card = Card::open(card(Fault::Nothing)).unwrap();
    let mut core = card.core(0).unwrap();
    let plan = plan(65536, Verify::Checksum);
    let cancel = plan.cancel.clone();
    let stop_at = |now: Progress| {
        if now.written == 4 * 65536 {
            cancel.cancel();
        }
    };
    let error = core.stream(Space::Dram, 0, 8 << 20, std::io::repeat(1), &plan, stop_at).unwrap_err();
    assert_eq!(error, StreamError::Cancelled { written: 4 * 65536, bytes: 8 << 20 });
    // Nothing further has been written, and what had not been read is of no account.
    let mut bytes = [9; 2];
    core.read(Space::Dram, 4 * 65536 - 1, &mut bytes).unwrap();
    assert_eq!(bytes, [1, 0]);
    assert!(core.stream(Space::Dram, 0, 64, std::io::repeat(1), &plan, |_| ()).is_err(), "it stays cancelled");
}

/// Gives some bytes and then an error.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = out.len().min(self.0);
        self.0 -= count;
        if count == 0 { Err(std::io::Error::other("disk on fire")) } else { Ok(count) }
    }
}

#[test]
fn a_source_that_ends_or_breaks_is_told_of() {
    let card = Card::open(card(Fault::Nothing)).unwrap();
    let mut core = card.core(0).unwrap();
    let plan = plan(1024, Verify::No);
    let error = core.stream(Space::Dram, 0, 10_000, &[1; 5000][..], &plan, |_| ()).unwrap_err();
    assert!(matches!(error, StreamError::Source { at: 4096, bytes: 10_000, .. }), "{error}");
    let error = core.stream(Space::Dram, 0, 10_000, Broken(2048), &plan, |_| ()).unwrap_err();
    let expected = "the source could not be read behind byte 2048 of 10000: disk on fire";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn the_way_to_the_card_may_break() {
    let weights = weights(1 << 20);
    let timeout = TransportError::Deadline { what: "writing".to_owned(), limit: std::time::Duration::from_secs(1) };
    for after in 0..8 {
        let faulty = card(Fault::Nothing);
        let switch = faulty.switch();
        let card = Card::open(faulty).unwrap();
        let mut core = card.core(0).unwrap();
        switch.fail_after(after, timeout.clone());
        let mut stream = || core.stream(Space::Dram, 0, 1 << 20, &weights[..], &plan(262_144, Verify::Chunks), |_| ());
        assert_eq!(stream(), Err(StreamError::Device(DeviceError::Transport(timeout.clone()))));
        switch.mend();
        card.recover().unwrap();
        assert_eq!(stream().unwrap().crc, crc(&weights));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let card = Card::open(card(Fault::Nothing)).unwrap();
    let mut core = card.core(0).unwrap();
    let region = (DRAM / 2) as u32;
    for (address, bytes) in [(0, region + 1), (region, 1), (u32::MAX, u32::MAX)] {
        let result = core.stream(Space::Dram, address, bytes, std::io::repeat(1), &Plan::default(), |_| ());
        assert!(matches!(result, Err(StreamError::Device(DeviceError::Outside { .. }))), "{result:?}");
    }
    let mut all = vec![1; 1 << 20];
    core.read(Space::Dram, region - (1 << 20), &mut all).unwrap();
    assert!(all.iter().all(|byte| *byte == 0));
}

#[test]
fn weights_can_come_while_a_program_runs() {
    let card = Card::open(card(Fault::Nothing)).unwrap();
    let mut core = card.core(0).unwrap();
    // Waits for the host's word, and counts up meanwhile.
    let lines = ["addi t1, t1, 1", "lw t0, 0(zero)", "beq t0, zero, .-8", "sw t1, 4(zero)", "ecall"];
    let code = lines.iter().flat_map(|line| text::parse(line).expect(line).encode().to_le_bytes()).collect();
    let mut image = Image { segments: vec![Segment::new(Space::Instruction, 0, code)], ..Image::default() };
    image.config.dram_bytes = 1 << 20;
    core.load(&image).unwrap();
    core.start(0).unwrap();
    let weights = weights(4 << 20);
    core.stream(Space::Dram, 0, 4 << 20, &weights[..], &Plan::default(), |_| ()).unwrap();
    let vector = core.stream(Space::Vector, 0, 64, &weights[..], &Plan::default(), |_| ());
    assert_eq!(vector, Err(StreamError::Device(DeviceError::Busy { space: Space::Vector })));
    core.write(Space::Scalar, 0, &[1]).unwrap();
    core.wait(Limit::default()).unwrap();
    let mut counted = [0; 4];
    core.read(Space::Scalar, 4, &mut counted).unwrap();
    // The program went on while 4 MiB went by, twice: at least as many times as a look takes.
    assert!(u32::from_le_bytes(counted) > 10_000, "{counted:?}");
}
