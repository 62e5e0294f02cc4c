//! The host's driver over a vfio-user socket, against the card model in other threads: no kernel module, no other process.
//!
//! What the memory of the card should hold is kept in a plain vector beside it.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use fenn_card::fault::{Armed, Fault};
use fenn_card::memory::PlainMemory;
use fenn_card::model::{Build, Card};
use fenn_card::server::Server;
use fenn_host::transport::direct::{Completion, Direct, Options};
use fenn_host::transport::vfio_user::VfioUser;
use fenn_host::transport::{Deadline, Transport, TransportError, Window};
use fenn_isa::soc::CardRegister::{IrqEnable, IrqPending, Scratch};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tempfile::TempDir;

/// Where the card's memory begins.
const MEMORY: u64 = 0x8000_0000;
/// For whatever should not take long: reached only if something hangs.
const LONG: Duration = Duration::from_secs(60);

/// A card with plain memory behind a socket.
struct Bench {
    server: Server,
    folder: TempDir,
}

impl Bench {
    fn new(bytes: usize) -> Self {
        Self::with(PlainMemory::new(MEMORY, bytes))
    }

    fn with(memory: PlainMemory) -> Self {
        let folder = TempDir::new().unwrap();
        let card = Card::new(Box::new(memory), Build { channels: 2, seed: 9, ..Build::default() });
        let server = Server::start(&folder.path().join("card.socket"), card, |error| eprintln!("{error}")).unwrap();
        Self { server, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("card.socket")
    }

    fn open(&self, options: Options) -> Direct<VfioUser> {
        let pci = VfioUser::connect(&self.path(), options.memory_bytes()).unwrap();
        Direct::open(pci, options).unwrap()
    }
}

/// Runs a test that must end: one that hangs fails instead.
fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    match ended.recv_timeout(Duration::from_secs(180)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("this test hangs"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Small chunks of small descriptors, so that transfers have several of both.
fn small(completion: Completion) -> Options {
    Options { chunk: 64 << 10, descriptor: 4096, completion, ..Options::default() }
}

fn random_bytes(generator: &mut Pcg64Mcg, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    generator.fill_bytes(&mut bytes);
    bytes
}

/// Random transfers, at random offsets; everything is as in a plain vector.
fn same_as_memory(options: Options, alignment: u32, seed: u64) {
    const BYTES: usize = 1 << 20;
    let bench = Bench::with(PlainMemory::new(MEMORY, BYTES).with_alignment(alignment));
    let mut card = bench.open(options);
    assert_eq!(card.capabilities().alignment, alignment);
    let mut expected = vec![0; BYTES];
    let mut generator = Pcg64Mcg::seed_from_u64(seed);
    let unit = alignment as usize;
    for round in 0..60 {
        // As many short ones as long ones.
        let most = 1 << generator.random_range(3..19);
        let length = generator.random_range(0..=most) / unit * unit;
        let offset = generator.random_range(0..=BYTES - length) / unit * unit;
        let address = MEMORY + offset as u64;
        let place = format!("seed {seed}, round {round}: {length} bytes at {address:#x}");
        if generator.random() {
            let bytes = random_bytes(&mut generator, length);
            card.write(address, &bytes, Deadline::after(LONG)).expect(&place);
            expected[offset..offset + length].copy_from_slice(&bytes);
        } else {
            let mut out = vec![0; length];
            card.read(address, &mut out, Deadline::after(LONG)).expect(&place);
            assert!(out == expected[offset..offset + length], "{place}");
        }
    }
    let mut behind = vec![0; BYTES];
    bench.server.with_card(|card| card.side_mut().read(MEMORY, &mut behind, Deadline::after(LONG))).unwrap();
    assert!(behind == expected, "seed {seed}: the card's memory is another");
}

#[test]
fn transfers_with_interrupts_are_as_in_memory() {
    watched(|| same_as_memory(small(Completion::Interrupt), 1, 1));
}

#[test]
fn transfers_with_polling_are_as_in_memory() {
    watched(|| same_as_memory(small(Completion::Poll), 1, 2));
}

#[test]
fn transfers_in_whole_words_are_as_in_memory() {
    watched(|| same_as_memory(small(Completion::Interrupt), 4, 3));
}

#[test]
fn transfers_by_the_second_channel_in_large_chunks_are_as_in_memory() {
    watched(|| same_as_memory(Options { channel: 1, ..Options::default() }, 64, 4));
}

/// What a caller sees of a fault in the fifth transfer of a longer one, and how it goes on.
fn fault_ends(fault: Fault, writes: bool, completion: Completion) {
    let what = format!("{fault} in a {} with {completion:?}", if writes { "write" } else { "read" });
    let bench = Bench::new(1 << 20);
    let mut card = bench.open(small(completion));
    let mut generator = Pcg64Mcg::seed_from_u64(5);
    let mut bytes = random_bytes(&mut generator, 600_000);
    card.write(MEMORY + 4096, &bytes, Deadline::after(LONG)).unwrap();
    bench.server.with_card(|card| {
        let transfer = Some(card.faults.transfers() + 4);
        card.faults.arm(Armed { fault, transfer });
    });
    let limit = Duration::from_millis(if fault == Fault::Hang { 300 } else { 20_000 });
    let before = Instant::now();
    let deadline = Deadline::after(limit);
    let mut out = vec![0; bytes.len()];
    let ended = if writes {
        bytes = random_bytes(&mut generator, bytes.len());
        card.write(MEMORY + 4096, &bytes, deadline)
    } else {
        card.read(MEMORY + 4096, &mut out, deadline)
    };
    assert!(before.elapsed() < limit + Duration::from_secs(10), "{what}: {:?}", before.elapsed());
    match (fault, &ended) {
        (Fault::Hang, Err(TransportError::Deadline { limit: said, .. })) => assert_eq!(*said, limit),
        (Fault::Decerr, Err(TransportError::Refused { answer, .. })) => assert!(answer.contains("DECERR"), "{answer}"),
        (Fault::Slverr, Err(TransportError::Refused { answer, .. })) => assert!(answer.contains("SLVERR"), "{answer}"),
        (Fault::Short, Err(TransportError::Short { moved, bytes, address })) => {
            assert!(moved < bytes, "{what}");
            assert_eq!(*address, MEMORY + 4096 + 4 * (64 << 10), "the chunk that was short");
        }
        // Late, and right.
        (Fault::LostInterrupt, Ok(())) => assert!(writes || out == bytes, "{what}"),
        (Fault::LinkLoss, Err(TransportError::Gone { .. })) => {}
        _ => panic!("{what}: {ended:?}"),
    }
    if matches!(fault, Fault::Hang | Fault::LinkLoss) {
        let refused = card.write(MEMORY, &[0; 4], Deadline::after(LONG)).unwrap_err();
        assert!(refused.to_string().contains("recover"), "{refused}");
    }
    if fault == Fault::LinkLoss {
        let gone = card.read_register(Scratch.spec().offset).unwrap_err();
        assert!(matches!(gone, TransportError::Gone { .. }), "{gone}");
    }
    card.recover().unwrap_or_else(|error| panic!("{what}: {error}"));
    let bytes = random_bytes(&mut generator, 300_000);
    card.write(MEMORY + 4, &bytes, Deadline::after(LONG)).unwrap();
    let mut out = vec![0; bytes.len()];
    card.read(MEMORY + 4, &mut out, Deadline::after(LONG)).unwrap();
    assert!(out == bytes, "{what}: after the recovery");
}

#[test]
fn every_fault_ends_in_its_error_and_can_be_recovered_from() {
    watched(|| {
        let mut ended = 0;
        for fault in Fault::ALL {
            for writes in [true, false] {
                for completion in [Completion::Interrupt, Completion::Poll] {
                    fault_ends(fault, writes, completion);
                    ended += 1;
                }
            }
        }
        eprintln!("{ended} faults ended in their errors");
    });
}

#[test]
fn an_error_of_the_card_needs_no_recovery() {
    watched(|| {
        let bench = Bench::new(1 << 16);
        let mut card = bench.open(small(Completion::Interrupt));
        for fault in [Fault::Decerr, Fault::Slverr, Fault::Short] {
            bench.server.with_card(|card| card.faults.arm_next(fault));
            card.write(MEMORY, &[1; 8192], Deadline::after(LONG)).unwrap_err();
            card.write(MEMORY, &[2; 8192], Deadline::after(LONG)).unwrap();
            let mut out = [0; 8192];
            card.read(MEMORY, &mut out, Deadline::after(LONG)).unwrap();
            assert_eq!(out, [2; 8192], "after {fault}");
        }
    });
}

#[test]
fn the_end_of_memory_answers_with_a_decode_error() {
    watched(|| {
        let bench = Bench::new(1 << 16);
        let mut card = bench.open(small(Completion::Interrupt));
        let at = MEMORY + (1 << 16) - 4096;
        for ended in
            [card.write(at, &[0; 8192], Deadline::after(LONG)), card.read(at, &mut [0; 8192], Deadline::after(LONG))]
        {
            let Err(TransportError::Refused { answer, .. }) = ended else { panic!("{ended:?}") };
            assert!(answer.contains("DECERR"), "{answer}");
        }
    });
}

#[test]
fn random_faults_never_hang_and_never_lie() {
    watched(|| {
        let bench = Bench::new(1 << 18);
        let mut card = bench.open(small(Completion::Poll));
        bench.server.with_card(|card| card.faults.random(6));
        let mut generator = Pcg64Mcg::seed_from_u64(6);
        let mut errors = 0;
        for round in 0..80 {
            let bytes = random_bytes(&mut generator, 150_000);
            let mut out = vec![0; bytes.len()];
            let deadline = Deadline::after(Duration::from_millis(200));
            let ended = card.write(MEMORY, &bytes, deadline).and_then(|()| card.read(MEMORY, &mut out, deadline));
            match ended {
                Ok(()) => assert!(out == bytes, "round {round}"),
                Err(_) => {
                    errors += 1;
                    card.recover().unwrap();
                }
            }
        }
        assert!((20..80).contains(&errors), "{errors} errors");
    });
}

#[test]
fn nothing_outside_of_the_windows_reaches_the_card() {
    watched(|| {
        let bench = Bench::with(PlainMemory::new(MEMORY, 1 << 16).with_alignment(4));
        let windows = vec![Window { address: MEMORY + 0x1000, bytes: 0x1000 }];
        let mut card = bench.open(Options { windows, ..small(Completion::Interrupt) });
        let deadline = Deadline::after(LONG);
        for (address, bytes) in
            [(MEMORY, 4), (MEMORY + 0x1ffc, 8), (MEMORY + 0x2000, 4), (u64::MAX - 3, 4), (0, 0x1004)]
        {
            let outside = Err(TransportError::Outside { address, bytes: bytes as u64 });
            assert_eq!(card.write(address, &vec![1; bytes], deadline), outside);
            assert_eq!(card.read(address, &mut vec![1; bytes], deadline), outside);
        }
        assert!(matches!(card.write(MEMORY + 0x1002, &[1; 4], deadline), Err(TransportError::Unaligned { .. })));
        for offset in [2, fenn_isa::soc::REGISTER_BYTES, 0x1_0000, u32::MAX] {
            assert!(matches!(card.read_register(offset), Err(TransportError::Register { .. })));
            assert!(matches!(card.write_register(offset, 1), Err(TransportError::Register { .. })));
        }
        assert_eq!(bench.server.with_card(|card| card.faults.transfers()), 0, "a transfer was started");
        card.write(MEMORY + 0x1000, &[1; 0x1000], deadline).unwrap();
        assert_eq!(bench.server.with_card(|card| card.faults.transfers()), 1);
    });
}

#[test]
fn registers_hold_all_ones_too() {
    watched(|| {
        let bench = Bench::new(4096);
        let mut card = bench.open(Options::default());
        let scratch = Scratch.spec().offset;
        for value in [0, 1, 0x8000_0000, u32::MAX] {
            card.write_register(scratch, value).unwrap();
            assert_eq!(card.read_register(scratch), Ok(value));
        }
    });
}

/// Raises the interrupt of core 3, as a card with cores would.
fn raise(card: &mut Card, up: bool) {
    card.side_mut().write_register(IrqEnable.spec().offset, 0xffff).unwrap();
    card.side_mut().write_register(IrqPending.spec().offset, u32::from(up) << 3).unwrap();
}

#[test]
fn a_core_wakes_whoever_waits_for_it() {
    watched(|| {
        let bench = Bench::new(4096);
        let mut card = bench.open(Options::default());
        for lost in [false, true] {
            for early in [false, true] {
                bench.server.with_card(|card| raise(card, false));
                // A message that came before may wake one wait, for nothing.
                let mut wait = || card.wait_event(3, Deadline::after(Duration::from_millis(60)));
                let late = wait().and_then(|()| wait());
                assert!(matches!(late, Err(TransportError::Deadline { .. })), "{late:?}");
                if lost {
                    bench.server.with_card(Card::lose_message);
                }
                std::thread::scope(|scope| {
                    let raise = || bench.server.with_card(|card| raise(card, true));
                    if early {
                        raise();
                    } else {
                        scope.spawn(move || {
                            std::thread::sleep(Duration::from_millis(30));
                            raise();
                        });
                    }
                    card.wait_event(3, Deadline::after(LONG)).unwrap();
                });
            }
        }
        let other = card.wait_event(2, Deadline::after(Duration::from_millis(60)));
        assert!(matches!(other, Err(TransportError::Deadline { .. })), "core 2 has not been heard of: {other:?}");
    });
}

#[test]
fn a_client_that_goes_leaves_nothing_behind() {
    watched(|| {
        let bench = Bench::new(1 << 16);
        for round in 0..5 {
            let mut card = bench.open(Options::default());
            card.write(MEMORY, &[round; 5000], Deadline::after(LONG)).unwrap();
            drop(card);
        }
        let mut out = [0; 5000];
        bench.open(Options::default()).read(MEMORY, &mut out, Deadline::after(LONG)).unwrap();
        assert_eq!(out, [4; 5000]);
    });
}
