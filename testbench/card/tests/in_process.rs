//! The driver over the model, in one thread.

use fenn_card::in_process::InProcess;
use fenn_card::memory::PlainMemory;
use fenn_card::model::{Build, Card};
use fenn_host::transport::direct::{Direct, Options};
use fenn_host::transport::{Deadline, Transport};
use std::time::Duration;

#[test]
fn four_kilobytes_there_and_back() {
    let card = Card::new(Box::new(PlainMemory::new(0x8000_0000, 1 << 20)), Build::default());
    let options = Options::default();
    let pci = InProcess::new(card, options.memory_bytes());
    let mut direct = Direct::open(pci, options).unwrap();
    let bytes: Vec<u8> = (0..4096).map(|i| (i * 7 % 251) as u8).collect();
    let deadline = Deadline::after(Duration::from_secs(10));
    direct.write(0x8000_1000, &bytes, deadline).unwrap();
    let mut out = vec![0; 4096];
    direct.read(0x8000_1000, &mut out, deadline).unwrap();
    assert_eq!(out, bytes);
    let side = direct.pci_mut().card.side_mut();
    let mut behind = vec![0; 4096];
    side.read(0x8000_1000, &mut behind, deadline).unwrap();
    assert_eq!(behind, bytes);
}
