//! The host's driver over a vfio-user socket, against the card model in another thread: no kernel module, no other process.

mod common;

use std::time::Duration;

use common::{Bench, MEMORY, watched};
use fenn_host::transport::direct::Options;
use fenn_host::transport::{Deadline, Transport};

#[test]
fn four_kilobytes_there_and_back() {
    watched(|| {
        let bench = Bench::new(1 << 20);
        let mut card = bench.open(Options::default());
        let bytes: Vec<u8> = (0..4096).map(|i| (i * 7 % 251) as u8).collect();
        let deadline = Deadline::after(Duration::from_secs(10));
        card.write(MEMORY + 0x1000, &bytes, deadline).unwrap();
        let mut out = vec![0; 4096];
        card.read(MEMORY + 0x1000, &mut out, deadline).unwrap();
        assert_eq!(out, bytes);
    });
}
