//! The model by itself: registers written and descriptors laid out by hand, as the product guide has them.

use fenn_card::fault::Fault;
use fenn_card::memory::{HostMemory, PlainMemory, Range};
use fenn_card::model::{Build, Card};
use fenn_host::transport::Deadline;
use std::time::Duration;

/// Where the host's memory is, and the card's.
const HOST: u64 = 0x9_0000_0000;
const CARD: u64 = 0x8000_0000;
const H2C: u32 = 0x0000;
const C2H: u32 = 0x1000;
const MAGIC: u32 = 0xad4b_0000;

struct Bench {
    card: Card,
    host: Range,
}

impl Bench {
    fn new(channels: usize) -> Self {
        let side = Box::new(PlainMemory::new(CARD, 1 << 20));
        let mut card = Card::new(side, Build { channels, ..Build::default() });
        card.write_space(4, &[6, 0]);
        Self { card, host: Range { address: HOST, bytes: vec![0; 1 << 20] } }
    }

    fn descriptor(&mut self, at: u64, control: u32, length: u32, source: u64, destination: u64, next: u64) {
        let mut bytes = Vec::new();
        bytes.extend(control.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        [source, destination, next].iter().for_each(|address| bytes.extend(address.to_le_bytes()));
        self.host.write(HOST + at, &bytes).unwrap();
    }

    /// Starts the channel at `base` with the descriptor at `at` and `adjacent` more.
    fn start(&mut self, base: u32, at: u64, adjacent: u32) {
        self.card.write_config(base + 0x4080, (HOST + at) as u32);
        self.card.write_config(base + 0x4084, ((HOST + at) >> 32) as u32);
        self.card.write_config(base + 0x4088, adjacent);
        self.card.write_config(base + 0x08, 1);
    }

    fn run(&mut self) {
        for _ in 0..10_000 {
            if !self.card.work(&mut self.host) {
                return;
            }
        }
        panic!("the engines do not end");
    }

    fn behind(&mut self, at: u64, bytes: usize) -> Vec<u8> {
        let mut out = vec![0; bytes];
        self.card.side_mut().read(CARD + at, &mut out, Deadline::after(Duration::from_secs(1))).unwrap();
        out
    }
}

#[test]
fn identifiers() {
    let mut bench = Bench::new(2);
    let ids =
        [0x0000, 0x0100, 0x1100, 0x2000, 0x3000, 0x4100, 0x5000, 0x6000].map(|at| bench.card.read_config(at) >> 8);
    assert_eq!(ids, [0x1fc000, 0x1fc001, 0x1fc101, 0x1fc200, 0x1fc300, 0x1fc401, 0x1fc500, 0x1fc600]);
    assert_eq!(bench.card.read_config(0x0200), 0, "a third channel");
    assert_eq!(bench.card.read_config(0x7000), 0);
    assert_eq!(bench.card.read_config(0x1_0000), u32::MAX);
    assert_eq!(bench.card.read_config(0x004c), 0x0001_0140, "bytes, 64 bits");
}

#[test]
fn one_descriptor_to_the_card() {
    let mut bench = Bench::new(1);
    bench.host.write(HOST + 0x8000, b"synapses").unwrap();
    bench.descriptor(0, MAGIC | 0x13, 8, HOST + 0x8000, CARD + 0x10, 0);
    bench.start(H2C, 0, 0);
    assert_eq!(bench.card.read_config(0x40), 1, "busy");
    bench.run();
    assert_eq!(bench.behind(0x0f, 10), b"\0synapses\0");
    assert_eq!(bench.card.read_config(0x48), 1);
    assert_eq!(bench.card.read_config(0x40), 0b110, "stopped and completed");
    assert_eq!(bench.card.read_config(0x44), 0b110);
    assert_eq!(bench.card.read_config(0x44), 0, "read to clear");
}

#[test]
fn one_descriptor_from_the_card() {
    let mut bench = Bench::new(1);
    bench.card.side_mut().write(CARD + 3, b"spikes", Deadline::after(Duration::from_secs(1))).unwrap();
    bench.descriptor(64, MAGIC | 0x13, 6, CARD + 3, HOST + 0x9001, 0);
    bench.start(C2H, 64, 0);
    bench.run();
    let mut out = [0; 8];
    bench.host.read(HOST + 0x9000, &mut out).unwrap();
    assert_eq!(&out, b"\0spikes\0");
    assert_eq!(bench.card.read_config(0x1044), 0b110);
}

/// 3 descriptors in one block, then 2 elsewhere, then one: each moves a byte to where its number says.
fn three_blocks(bench: &mut Bench) {
    let source = HOST + 0x8000;
    bench.host.write(source, &[1, 2, 3, 4, 5, 6]).unwrap();
    // What `next` of one inside a block says is of no account.
    let rows = [
        (0xfa0, 0x200, 0xdead_0000),
        (0xfc0, 0x100, 0xdead_0000),
        (0xfe0, 0x100, HOST + 0x2000),
        (0x2000, 0, 0xdead_0000),
        (0x2020, 0, HOST + 0x4000),
        (0x4000, 0x13, 0),
    ];
    for (index, (at, flags, next)) in (0..).zip(rows) {
        bench.descriptor(at, MAGIC | flags, 1, source + index, CARD + 10 * index, next);
    }
}

#[test]
fn blocks_of_adjacent_descriptors() {
    let mut bench = Bench::new(1);
    three_blocks(&mut bench);
    bench.start(H2C, 0xfa0, 2);
    bench.run();
    assert_eq!(bench.card.read_config(0x48), 6);
    let moved: Vec<u8> = bench.behind(0, 60).into_iter().step_by(10).collect();
    assert_eq!(moved, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_block_over_a_page_line_is_a_descriptor_error() {
    let mut bench = Bench::new(1);
    three_blocks(&mut bench);
    bench.start(H2C, 0xfa0, 3);
    bench.run();
    assert_eq!(bench.card.read_config(0x40), 1 << 19);
    assert_eq!(bench.card.read_config(0x48), 0);
}

#[test]
fn what_is_wrong_with_a_descriptor() {
    for (control, length, destination, status) in [
        (0x1234_0013, 8, CARD, 1 << 4),
        (MAGIC | 0x13, 0, CARD, 1 << 5),
        (MAGIC | 0x13, 8, CARD + (1 << 20), 1 << 14),
        (MAGIC | 0x13, 8, 0, 1 << 14),
    ] {
        let mut bench = Bench::new(1);
        bench.descriptor(0, control, length, HOST + 0x8000, destination, 0);
        bench.start(H2C, 0, 0);
        bench.run();
        assert_eq!(bench.card.read_config(0x40), status, "{control:#x}, {length} bytes to {destination:#x}");
    }
    let mut bench = Bench::new(1);
    bench.descriptor(0, MAGIC | 0x13, 8, 0x1000, CARD, 0);
    bench.start(H2C, 0, 0);
    bench.run();
    assert_eq!(bench.card.read_config(0x40), 1 << 9, "no memory of the host is there");
    bench.start(H2C, 1 << 20, 0);
    assert_eq!(bench.card.read_config(0x44), 1 << 9, "run has not fallen");
    bench.card.write_config(0x0c, 1);
    bench.start(H2C, 1 << 20, 0);
    bench.run();
    assert_eq!(bench.card.read_config(0x40), 1 << 19, "no descriptor is there");
}

#[test]
fn nothing_moves_without_bus_mastering() {
    let mut bench = Bench::new(1);
    bench.card.write_space(4, &[2, 0]);
    bench.host.write(HOST + 0x8000, &[1; 8]).unwrap();
    bench.descriptor(0, MAGIC | 0x13, 8, HOST + 0x8000, CARD, 0);
    bench.start(H2C, 0, 0);
    bench.run();
    assert_eq!(bench.card.read_config(0x40), 1 << 19);
    assert_eq!(bench.behind(0, 8), [0; 8]);
}

#[test]
fn misaligned_addresses_and_lengths() {
    for (source, destination, length, status) in [(4, 8, 8, 6), (2, 4, 8, 8), (4, 4, 6, 8), (2, 2, 8, 8)] {
        let side = Box::new(PlainMemory::new(CARD, 4096).with_alignment(4));
        let mut bench = Bench::new(1);
        bench.card = Card::new(side, Build::default());
        bench.card.write_space(4, &[6, 0]);
        assert_eq!(bench.card.read_config(0x4c), 0x0004_0440);
        bench.descriptor(0, MAGIC | 0x13, length, HOST + 0x8000 + source, CARD + destination, 0);
        bench.start(H2C, 0, 0);
        bench.run();
        assert_eq!(bench.card.read_config(0x40), status, "{length} bytes from {source} to {destination}");
    }
}

#[test]
fn the_count_is_written_to_memory() {
    let mut bench = Bench::new(1);
    three_blocks(&mut bench);
    bench.card.write_config(0x88, (HOST + 0x7000) as u32);
    bench.card.write_config(0x8c, (HOST >> 32) as u32);
    bench.card.write_config(0x04, 1 << 26);
    bench.start(H2C, 0xfa0, 2);
    bench.run();
    let mut word = [0; 4];
    bench.host.read(HOST + 0x7000, &mut word).unwrap();
    assert_eq!(u32::from_le_bytes(word), 6);
    bench.descriptor(0x4000, 0, 1, 0, 0, 0);
    bench.card.write_config(0x0c, 1);
    bench.start(H2C, 0xfa0, 2);
    bench.run();
    bench.host.read(HOST + 0x7000, &mut word).unwrap();
    assert_eq!(u32::from_le_bytes(word), 5 | 1 << 31, "an error at the sixth");
}

#[test]
fn an_engine_stops_when_run_falls() {
    let mut bench = Bench::new(1);
    three_blocks(&mut bench);
    bench.start(H2C, 0xfa0, 2);
    bench.card.work(&mut bench.host);
    bench.card.work(&mut bench.host);
    bench.card.write_config(0x0c, 1);
    assert_eq!(bench.card.read_config(0x40), 1 << 6, "idle");
    assert!(!bench.card.work(&mut bench.host));
    assert_eq!(bench.behind(0, 30).into_iter().step_by(10).collect::<Vec<_>>(), [1, 2, 0]);
    assert_eq!(bench.card.read_config(0x48), 2);
}

#[test]
fn channels_raise_their_own_vectors() {
    let mut bench = Bench::new(2);
    // Lines: H2C 0 and 1, C2H 0 and 1.
    bench.card.write_config(0x20a0, 0x0807_0605);
    bench.card.write_config(0x2014, 0b1010);
    for (base, message) in [(H2C, 0), (H2C + 0x100, 1 << 6), (C2H, 0), (C2H + 0x100, 1 << 8)] {
        bench.card.write_config(base + 0x90, 0b110);
        let (source, destination) = if base < C2H { (HOST + 0x8000, CARD) } else { (CARD, HOST + 0x8000) };
        bench.descriptor(0, MAGIC | 0x13, 8, source, destination, 0);
        bench.start(base, 0, 0);
        assert_eq!(bench.card.take_messages(), 0);
        bench.run();
        assert_eq!(bench.card.take_messages(), message, "channel at {base:#x}");
        assert_eq!(bench.card.read_config(0x2040 + 4).count_ones(), 1, "one request");
        bench.card.read_config(base + 0x44);
        assert_eq!(bench.card.read_config(0x2044), 0);
    }
    // One that waits is sent when it is let through.
    bench.card.write_config(0x0c, 1);
    bench.descriptor(0, MAGIC | 0x13, 8, HOST + 0x8000, CARD, 0);
    bench.start(H2C, 0, 0);
    bench.run();
    assert_eq!((bench.card.take_messages(), bench.card.read_config(0x204c)), (0, 0));
    bench.card.write_config(0x2014, 1);
    assert_eq!((bench.card.take_messages(), bench.card.read_config(0x204c)), (1 << 5, 1));
}

#[test]
fn cores_raise_user_interrupts() {
    let mut bench = Bench::new(1);
    bench.card.write_config(0x2080, 0x0302_0100);
    bench.card.write_config(0x2084, 0x0706_0504);
    bench.card.write_config(0x2004, 0b10_0100);
    bench.card.write_user(0x44, 0xffff);
    bench.card.write_user(0x40, 0b11_1000);
    assert_eq!(bench.card.read_config(0x2040), 0b11_1000);
    assert_eq!(bench.card.read_config(0x2048), 0b10_0000);
    assert_eq!(bench.card.take_messages(), 1 << 5);
    bench.card.watch();
    assert_eq!(bench.card.take_messages(), 0, "it is up already");
    bench.card.write_user(0x44, 0);
    assert_eq!(bench.card.read_config(0x2040), 0, "the card does not enable it");
}

#[test]
fn a_lost_link_reads_as_all_ones_until_the_reset() {
    let mut bench = Bench::new(1);
    bench.card.cut_link();
    let mut id = [0; 4];
    bench.card.read_space(0, &mut id);
    assert_eq!((bench.card.read_config(0x3000), bench.card.read_user(0), id), (u32::MAX, u32::MAX, [0xff; 4]));
    bench.card.write_config(0x90, 1);
    bench.card.reset();
    assert_eq!((bench.card.read_config(0x90), bench.card.read_user(0)), (0, 0));
    bench.card.read_space(0, &mut id);
    assert_eq!(id, [0xee, 0x10, 0x38, 0x90]);
}

#[test]
fn a_hung_engine_stays_busy_until_the_reset() {
    let mut bench = Bench::new(1);
    bench.card.faults.arm_next(Fault::Hang);
    bench.descriptor(0, MAGIC | 0x13, 4096, HOST + 0x8000, CARD, 0);
    bench.start(H2C, 0, 0);
    bench.run();
    bench.card.write_config(0x0c, 1);
    assert_eq!(bench.card.read_config(0x40) & 1, 1);
    bench.card.reset();
    assert_eq!(bench.card.read_config(0x40), 0);
}

#[test]
fn a_short_transfer_says_nothing_of_an_error() {
    let mut bench = Bench::new(1);
    three_blocks(&mut bench);
    bench.card.faults.arm_next(Fault::Short);
    bench.start(H2C, 0xfa0, 2);
    bench.run();
    assert_eq!(bench.card.read_config(0x44) & !0b110, 0);
    assert!(bench.card.read_config(0x48) < 6);
}
