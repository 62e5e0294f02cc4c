//! What the card's ports lead to, through the whole way: driver, socket, engines, side. Programs give what they give on the
//! simulator, faults included.

use std::time::Duration;

use fenn_card::fault::Fault;
use fenn_card::model::{Build, Card as Model};
use fenn_card::server::Server;
use fenn_card::side::{self, Kind, Side, SideError};
use fenn_host::card::{Card, Settings};
use fenn_host::device::{Device, Limit};
use fenn_host::error::DeviceError;
use fenn_host::sim::Simulator;
use fenn_host::transport::direct::{Completion, Direct, Options};
use fenn_host::transport::vfio_user::VfioUser;
use fenn_host::transport::{Deadline, Transport, TransportError};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::soc::window;
use fenn_isa::text;
use fenn_verilated::core::CoreError;
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tempfile::TempDir;

/// Words that the program reads, from byte 0 of scalar memory on; it stores their sums, up to each, at [`SUMS`].
const WORDS: usize = 64;
const SUMS: u32 = 0x400;
const LONG: Duration = Duration::from_secs(120);

struct Bench {
    server: Server,
    folder: TempDir,
}

impl Bench {
    /// The card with this side, or nothing (and a line that says so) where there is no Verilator.
    fn new(kind: Kind) -> Option<Self> {
        let side = Side { bytes: Some(1 << 24), ..Side::new(kind) };
        let side = match side::open(&side) {
            Ok(side) => side,
            Err(SideError::Rtl(CoreError::NotBuilt)) => {
                assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "the Verilated card is needed where CI=true");
                eprintln!("skipped: there is no Verilated card in this build");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("card");
        let server = Server::start(&path, Model::new(side, Build::default()), |error| eprintln!("{error}")).unwrap();
        Some(Self { server, folder })
    }

    fn open(&self, options: Options) -> Direct<VfioUser> {
        let function = VfioUser::connect(&self.folder.path().join("card"), options.memory_bytes()).unwrap();
        Direct::open_card(function, options).unwrap()
    }
}

fn program(lines: &[&str]) -> Image {
    let code = lines.iter().flat_map(|line| text::parse(line).expect(line).encode().to_le_bytes()).collect();
    let config = MachineConfig { dram_bytes: 1 << 16, ..MachineConfig::default() };
    Image { config, segments: vec![Segment::new(Space::Instruction, 0, code)], ..Image::default() }
}

fn sums() -> Image {
    program(&[
        "addi t1, zero, 0",
        "addi t2, zero, 0x400",
        "addi t3, zero, 64",
        "addi t4, zero, 0",
        "lw t0, 0(t1)",
        "add t4, t4, t0",
        "sw t4, 0(t2)",
        "addi t1, t1, 4",
        "addi t2, t2, 4",
        "addi t3, t3, -1",
        "bne t3, zero, .-24",
        "ecall",
    ])
}

/// Runs the sums and returns them, and the instructions that it took.
fn run(device: &mut dyn Device, words: &[u8]) -> (Vec<u8>, u64) {
    let image = sums();
    device.load(&image).unwrap();
    device.write(Space::Scalar, 0, words).unwrap();
    device.start(image.entry).unwrap();
    let finished = device.wait(Limit { time: LONG, ..Limit::default() }).unwrap();
    let mut out = vec![0; 4 * WORDS];
    device.read(Space::Scalar, SUMS, &mut out).unwrap();
    (out, finished.instructions)
}

fn programs_are_as_on_the_simulator(kind: Kind) {
    let Some(bench) = Bench::new(kind) else { return };
    for (seed, completion) in [(1, Completion::Interrupt), (2, Completion::Poll)] {
        let mut words = vec![0; 4 * WORDS];
        Pcg64Mcg::seed_from_u64(seed).fill_bytes(&mut words);
        let expected = run(&mut Simulator::new(sums().config).unwrap(), &words);
        let card = Card::open(bench.open(Options { completion, ..Options::default() })).unwrap();
        let found = run(&mut card.core(0).unwrap(), &words);
        assert!(found == expected, "seed {seed}: {} instructions, not {}", found.1, expected.1);
    }
    // An interrupt that is lost costs time only.
    bench.server.with_card(Model::lose_message);
    let card = Card::open(bench.open(Options::default())).unwrap();
    let words = vec![1; 4 * WORDS];
    assert!(run(&mut card.core(0).unwrap(), &words) == run(&mut Simulator::new(sums().config).unwrap(), &words));
}

#[test]
fn programs_on_simulated_cores() {
    programs_are_as_on_the_simulator(Kind::Sim);
}

#[test]
fn programs_on_verilated_cores() {
    programs_are_as_on_the_simulator(Kind::Rtl);
}

/// Random transfers to and from DRAM, beside a plain vector.
fn dram_is_memory(kind: Kind) {
    let Some(bench) = Bench::new(kind) else { return };
    let mut card = bench.open(Options { chunk: 16 << 10, descriptor: 4096, ..Options::default() });
    let mut expected = vec![0; 1 << 16];
    let base = window(Space::Dram, 0) + 0x1000;
    card.write(base, &expected, Deadline::after(LONG)).unwrap();
    let mut generator = Pcg64Mcg::seed_from_u64(3);
    for round in 0..30 {
        let length = 4 * generator.random_range(0..10_000_usize);
        let offset = 4 * generator.random_range(0..=(expected.len() - length) / 4);
        let part = &mut expected[offset..offset + length];
        if generator.random() {
            generator.fill_bytes(part);
            card.write(base + offset as u64, part, Deadline::after(LONG)).unwrap();
        } else {
            let mut out = vec![0; length];
            card.read(base + offset as u64, &mut out, Deadline::after(LONG)).unwrap();
            assert!(out == *part, "round {round}: {length} bytes at {offset}");
        }
    }
}

#[test]
fn dram_of_a_simulated_card() {
    dram_is_memory(Kind::Sim);
}

#[test]
fn dram_of_a_verilated_card() {
    dram_is_memory(Kind::Rtl);
}

/// A fault while weights go to the card: the error is its own, and after a recovery the program runs as it should.
#[test]
fn a_program_after_every_fault() {
    let Some(bench) = Bench::new(Kind::Sim) else { return };
    let settings = Settings { transfer: Duration::from_secs(1), ..Settings::default() };
    let card = Card::open_with(bench.open(Options::default()), settings).unwrap();
    let words = vec![3; 4 * WORDS];
    let expected = run(&mut Simulator::new(sums().config).unwrap(), &words);
    for fault in Fault::ALL {
        let ended = {
            let mut core = card.core(0).unwrap();
            core.load(&sums()).unwrap();
            bench.server.with_card(|card| card.faults.arm_next(fault));
            core.write(Space::Scalar, 0, &words)
        };
        match (fault, &ended) {
            (Fault::LostInterrupt, Ok(())) => {}
            (Fault::Hang, Err(DeviceError::Transport(TransportError::Deadline { .. }))) => {}
            (Fault::Short, Err(DeviceError::Transport(TransportError::Short { .. }))) => {}
            (Fault::LinkLoss, Err(DeviceError::Transport(TransportError::Gone { .. }))) => {}
            (Fault::Decerr | Fault::Slverr, Err(error)) => assert!(error.to_string().contains("AXI"), "{error}"),
            _ => panic!("{fault}: {ended:?}"),
        }
        card.recover().unwrap();
        assert!(run(&mut card.core(0).unwrap(), &words) == expected, "after {fault}");
    }
}

/// Only the memories that the card speaks of can be reached, whatever address it is.
#[test]
fn no_address_leads_out_of_the_card() {
    let Some(bench) = Bench::new(Kind::Sim) else { return };
    let mut card = bench.open(Options::default());
    let before = bench.server.with_card(|card| card.faults.transfers());
    let mut generator = Pcg64Mcg::seed_from_u64(8);
    let windows = card.capabilities().windows;
    assert_eq!(windows.iter().map(|window| window.bytes).max(), Some(1 << 24));
    for _ in 0..2000 {
        let edge = windows[generator.random_range(0..windows.len())];
        let address = match generator.random_range(0..3) {
            0 => generator.random::<u64>() & !3,
            1 => edge.address + edge.bytes,
            _ => edge.address.wrapping_sub(4 * generator.random_range(1..100)),
        };
        let inside = |window: &&fenn_host::transport::Window| address.wrapping_sub(window.address) < window.bytes;
        if windows.iter().find(inside).is_none() {
            let outside = TransportError::Outside { address, bytes: 8 };
            assert_eq!(card.write(address, &[0; 8], Deadline::after(LONG)), Err(outside.clone()));
            assert_eq!(card.read(address, &mut [0; 8], Deadline::after(LONG)), Err(outside));
        }
    }
    assert_eq!(bench.server.with_card(|card| card.faults.transfers()), before);
}
