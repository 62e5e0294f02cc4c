//! The driver over the model in one thread: without a socket, so that a difference is the driver's or the model's.

use std::time::Duration;

use fenn_card::fault::Fault;
use fenn_card::in_process::InProcess;
use fenn_card::memory::PlainMemory;
use fenn_card::model::{Build, Card};
use fenn_host::transport::direct::{Completion, Direct, MOST_CHUNK, Options};
use fenn_host::transport::{Deadline, Transport, TransportError};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

const MEMORY: u64 = 0x8000_0000;
const LONG: Duration = Duration::from_secs(60);

fn open(build: Build, options: Options, interrupts: bool) -> Direct<InProcess> {
    let card = Card::new(Box::new(PlainMemory::new(MEMORY, 10 << 20)), build);
    let pci = InProcess::new(card, options.memory_bytes());
    let pci = if interrupts { pci } else { pci.without_interrupts() };
    Direct::open(pci, options).unwrap()
}

fn behind(card: &mut Direct<InProcess>, address: u64, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    card.pci_mut().card.side_mut().read(address, &mut out, Deadline::after(LONG)).unwrap();
    out
}

/// Chunks of every size with descriptors of several, so that rings have from one descriptor to a thousand.
#[test]
fn there_and_back() {
    for (chunk, descriptor) in [(4096, 4096), (MOST_CHUNK, 4096), (MOST_CHUNK, 64 << 10), (MOST_CHUNK, MOST_CHUNK)] {
        for completion in [Completion::Interrupt, Completion::Poll] {
            for interrupts in [true, false] {
                let options = Options { chunk, descriptor, completion, ..Options::default() };
                let mut card = open(Build::default(), options, interrupts);
                assert_eq!(card.capabilities().interrupts, interrupts);
                let most = 2 * chunk as usize + 4097;
                for bytes in [1, 63, 4096, most] {
                    let address = MEMORY + 4093;
                    let mut sent = vec![0; bytes];
                    Pcg64Mcg::seed_from_u64(bytes as u64).fill_bytes(&mut sent);
                    card.write(address, &sent, Deadline::after(LONG)).unwrap();
                    assert!(behind(&mut card, address, bytes) == sent, "{bytes} bytes in chunks of {chunk}");
                    assert_eq!(behind(&mut card, address - 1, 1), [0]);
                    let mut out = vec![0; bytes];
                    card.read(address, &mut out, Deadline::after(LONG)).unwrap();
                    assert!(out == sent, "{bytes} bytes in chunks of {chunk}");
                }
            }
        }
    }
}

#[test]
fn every_channel() {
    for channel in 0..4 {
        let build = Build { channels: 4, ..Build::default() };
        let mut card = open(build, Options { channel, ..Options::default() }, true);
        card.write(MEMORY, &[channel; 100], Deadline::after(LONG)).unwrap();
        let mut out = [9; 100];
        card.read(MEMORY, &mut out, Deadline::after(LONG)).unwrap();
        assert_eq!(out, [channel; 100]);
    }
    let card = Card::new(Box::new(PlainMemory::new(MEMORY, 4096)), Build { channels: 2, ..Build::default() });
    let options = Options { channel: 2, ..Options::default() };
    let error = Direct::open(InProcess::new(card, options.memory_bytes()), options).unwrap_err().to_string();
    assert!(error.contains("2 H2C channels"), "{error}");
}

#[test]
fn options_that_cannot_be() {
    let default = Options::default();
    for options in [
        Options { chunk: 8 << 20, ..default.clone() },
        Options { chunk: 0, ..default.clone() },
        Options { chunk: 5000, ..default.clone() },
        Options { chunk: 4096, descriptor: 8192, ..default.clone() },
        Options { descriptor: 100, ..default.clone() },
    ] {
        let card = Card::new(Box::new(PlainMemory::new(MEMORY, 4096)), Build::default());
        let error = Direct::open(InProcess::new(card, 16 << 20), options.clone()).unwrap_err().to_string();
        assert!(error.contains("multiples of 4096"), "{options:?}: {error}");
    }
    let card = Card::new(Box::new(PlainMemory::new(MEMORY, 4096)), Build::default());
    let error = Direct::open(InProcess::new(card, 4096), default).unwrap_err().to_string();
    assert!(error.contains("4096 bytes of DMA memory"), "{error}");
}

/// Addresses that the engines have no bits for are refused before they are used.
#[test]
fn few_address_bits() {
    let build = Build { address_bits: 32, ..Build::default() };
    let mut card = open(build, Options::default(), true);
    card.write(0xffff_fff0 - 0x7000_0000, &[0; 4], Deadline::after(LONG)).unwrap_err();
    let outside = card.write(0xffff_fffe, &[0; 4], Deadline::after(LONG));
    assert_eq!(outside, Err(TransportError::Outside { address: 0xffff_fffe, bytes: 4 }));
}

/// The hang of one direction says which, and the other waits for the recovery, too.
#[test]
fn a_hang_names_its_place() {
    let mut card = open(Build::default(), Options::default(), true);
    card.pci_mut().card.faults.arm_next(Fault::Hang);
    let error =
        card.read(MEMORY + 64, &mut [0; 64], Deadline::after(Duration::from_millis(50))).unwrap_err().to_string();
    assert!(error.contains("C2H") && error.contains("0x80000040"), "{error}");
    assert!(card.write(MEMORY, &[0; 4], Deadline::after(LONG)).is_err());
    card.recover().unwrap();
    card.write(MEMORY, &[0; 4], Deadline::after(LONG)).unwrap();
}
