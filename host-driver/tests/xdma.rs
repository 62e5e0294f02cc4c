//! The XDMA character-device backend on a folder of stand-ins: files for memory and registers, a FIFO for events.

#![cfg(target_os = "linux")]

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::time::Duration;

use fenn_host::transport::xdma::{Options, Xdma};
use fenn_host::transport::{Deadline, Transport, TransportError, Window};
use fenn_isa::soc::{CardRegister, IDENT, REGISTER_BYTES};
use tempfile::TempDir;

const BYTES: usize = 1 << 20;
const LONG: Duration = Duration::from_secs(60);

/// A folder with card 0: its channels are one file, its registers another.
fn stand_ins() -> (TempDir, Options) {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(format!("xdma0_{name}"));
    std::fs::write(at("h2c_0"), vec![0; BYTES]).unwrap();
    symlink(at("h2c_0"), at("c2h_0")).unwrap();
    let mut registers = vec![0; REGISTER_BYTES as usize];
    registers[..4].copy_from_slice(&IDENT.to_le_bytes());
    std::fs::write(at("user"), registers).unwrap();
    let options = Options { folder: folder.path().to_owned(), chunk: 64 << 10, ..Options::card(0) };
    (folder, options)
}

#[test]
fn bytes_come_back() {
    let (_folder, options) = stand_ins();
    let mut card = Xdma::open(Options { alignment: 1, ..options.clone() }).unwrap();
    let bytes: Vec<u8> = (0..300_001_u32).map(|i| (i * 13 % 251) as u8).collect();
    card.write(1003, &bytes, Deadline::after(LONG)).unwrap();
    let mut out = vec![0; bytes.len()];
    card.read(1003, &mut out, Deadline::after(LONG)).unwrap();
    assert!(out == bytes);
    let behind = std::fs::read(options.device("h2c_0")).unwrap();
    assert_eq!(behind.len(), BYTES);
    assert!(behind[1003..1003 + bytes.len()] == bytes);
    assert_eq!((behind[1002], behind[1003 + bytes.len()]), (0, 0));
}

#[test]
fn the_end_of_memory_is_an_error() {
    let (_folder, options) = stand_ins();
    let mut card = Xdma::open(options).unwrap();
    let at = BYTES as u64 - 4096;
    let short = card.read(at, &mut [0; 8192], Deadline::after(LONG));
    assert_eq!(short, Err(TransportError::Short { address: at, bytes: 8192, moved: 4096 }));
}

#[test]
fn windows_are_asked_first() {
    let (_folder, options) = stand_ins();
    let windows = vec![Window { address: 0x1000, bytes: 0x1000 }];
    let mut card = Xdma::open(Options { windows, ..options.clone() }).unwrap();
    for (address, bytes) in [(0xffc, 8), (0x1ffc, 8), (0, 4), (u64::MAX - 3, 4)] {
        let outside = TransportError::Outside { address, bytes: bytes as u64 };
        assert_eq!(card.write(address, &vec![1; bytes], Deadline::after(LONG)), Err(outside));
    }
    assert!(matches!(card.write(0x1002, &[1; 4], Deadline::after(LONG)), Err(TransportError::Unaligned { .. })));
    assert!(std::fs::read(options.device("h2c_0")).unwrap().iter().all(|byte| *byte == 0));
}

#[test]
fn registers_are_words_in_the_file() {
    let (_folder, options) = stand_ins();
    let mut card = Xdma::open(options.clone()).unwrap();
    let scratch = CardRegister::Scratch.spec().offset;
    card.write_register(scratch, 0x0403_0201).unwrap();
    assert_eq!(card.read_register(scratch), Ok(0x0403_0201));
    let mut file = File::open(options.device("user")).unwrap();
    file.seek(SeekFrom::Start(scratch.into())).unwrap();
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, [1, 2, 3, 4]);
    for offset in [2, REGISTER_BYTES, u32::MAX - 3] {
        assert!(matches!(card.read_register(offset), Err(TransportError::Register { .. })));
        assert!(matches!(card.write_register(offset, 0), Err(TransportError::Register { .. })));
    }
    card.write_register(scratch, u32::MAX).unwrap();
    assert_eq!(card.read_register(scratch), Ok(u32::MAX), "a register may hold all ones");
}

#[test]
fn all_ones_is_gone() {
    let (_folder, options) = stand_ins();
    let mut card = Xdma::open(options.clone()).unwrap();
    let mut file = OpenOptions::new().write(true).open(options.device("user")).unwrap();
    file.write_all(&vec![0xff; REGISTER_BYTES as usize]).unwrap();
    let gone =
        |ended: Result<(), TransportError>| assert!(matches!(ended, Err(TransportError::Gone { .. })), "{ended:?}");
    gone(card.read_register(0x34).map(|_| ()));
    gone(card.write_register(0x34, 0));
    gone(card.recover());
    drop(card);
    gone(Xdma::open(options).map(|_| ()));
}

#[test]
fn events_are_waited_for_and_read_whole() {
    let (folder, options) = stand_ins();
    let fifo = folder.path().join("xdma0_events_3");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    // Both ends, or opening would wait.
    let mut events = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    let mut card = Xdma::open(options).unwrap();
    assert!(card.capabilities().interrupts);
    let late = card.wait_event(3, Deadline::after(Duration::from_millis(30)));
    assert!(matches!(late, Err(TransportError::Deadline { .. })), "{late:?}");
    events.write_all(&1_u32.to_le_bytes()).unwrap();
    card.wait_event(3, Deadline::after(LONG)).unwrap();
    let late = card.wait_event(3, Deadline::after(Duration::from_millis(30)));
    assert!(matches!(late, Err(TransportError::Deadline { .. })), "the event was read: {late:?}");
    // A lost interrupt: the caller gets to look for itself long before its deadline.
    card.wait_event(3, Deadline::after(LONG)).unwrap();
    // A core without a device: a pause, then the caller looks.
    card.wait_event(2, Deadline::after(LONG)).unwrap();
    let late = card.wait_event(2, Deadline::after(Duration::ZERO));
    assert!(matches!(late, Err(TransportError::Deadline { .. })), "{late:?}");
}

#[test]
fn what_is_missing_is_said() {
    let (folder, options) = stand_ins();
    let error = Xdma::open(Options { index: 7, ..options.clone() }).unwrap_err().to_string();
    assert!(error.contains("xdma7_user") && error.contains("module"), "{error}");
    let error = Xdma::open(Options { channel: 1, ..options.clone() }).unwrap_err().to_string();
    assert!(error.contains("xdma0_h2c_1"), "{error}");
    let open = Xdma::open(options.clone()).unwrap();
    let error = Xdma::open(options.clone()).unwrap_err().to_string();
    assert!(error.contains("another program"), "{error}");
    drop(open);
    for chunk in [0, 100, 8 << 20] {
        assert!(Xdma::open(Options { chunk, ..options.clone() }).is_err(), "{chunk}");
    }
    std::fs::write(folder.path().join("xdma0_user"), [0; 100]).unwrap();
    let error = Xdma::open(options).unwrap_err().to_string();
    assert!(error.contains("100 bytes"), "{error}");
}
