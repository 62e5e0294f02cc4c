//! The cores' transfers: each in its region of DRAM, whatever DRAM says and whatever happens to the core.

use fenn_isa::csr::dma_status::{DECODE_ERROR, IDLE, OK, SLAVE_ERROR};
use fenn_isa::memory::Space;
use fenn_isa::soc::{CoreRegister, control, status, window};
use fenn_verilated::soc::{Answer, VerilatedCard};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::common::*;

/// Where a program leaves the status of its transfer.
const RESULT: u64 = 0x40;

/// A program that makes one transfer, waits for its end and leaves the status.
fn transfer(channel: &str, source: u32, destination: u32, bytes: u32) -> String {
    format!(
        "
        li      t0, {source}
        csrw    {channel}_src_addr, t0
        li      t0, {destination}
        csrw    {channel}_dst_addr, t0
        li      t0, {bytes}
        csrw    {channel}_count, t0
        csrwi   {channel}_control, 1
1:      csrr    a0, {channel}_status
        andi    t0, a0, {IDLE}
        beqz    t0, 1b
        sw      a0, {RESULT}(zero)
        ecall
"
    )
}

fn region(card: &mut VerilatedCard, core: u32, base: u64, limit: u32) {
    set(card, core, CoreRegister::DramBaseLow, base as u32);
    set(card, core, CoreRegister::DramBaseHigh, (base >> 32) as u32);
    set(card, core, CoreRegister::DramLimit, limit);
}

/// Makes a transfer with a core; the status of its channel.
fn make(card: &mut VerilatedCard, core: u32, channel: &str, source: u32, destination: u32, bytes: u32) -> u32 {
    load(card, core, &program(&transfer(channel, source, destination, bytes)));
    assert_eq!(run(card, core), status::DONE | 3 << status::CAUSE_SHIFT);
    word(card, window(Space::Scalar, core) + RESULT)
}

fn random_bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    Pcg64Mcg::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

fn dram(card: &mut VerilatedCard, at: u64, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    card.dram().read(at, &mut out);
    out
}

/// Byte 0 of a core's DRAM is byte `dram_base` of the card's, both ways, for all cores.
fn regions(name: &str, steady: bool) {
    let mut card = card(name);
    if !steady {
        card.set_pace(random(40, 60), random(41, 40));
    }
    let cores = card.cores();
    for core in 0..cores {
        let base = 0x8_0000 + u64::from(core) * 0x1_0000;
        region(&mut card, core, base, 0x1_0000);
        let data = random_bytes(core.into(), 8192);
        write(&mut card, window(Space::Dram, 0) + base + 4096 - 64, &data);
        // In, over pages and bursts, and out to the region's last byte.
        assert_eq!(make(&mut card, core, "mm2s", 4096 - 64, 128, 8192), IDLE | OK, "core {core}");
        assert!(read(&mut card, window(Space::Vector, core) + 128, 8192) == data, "core {core}");
        assert_eq!(make(&mut card, core, "s2mm", 192, 0x1_0000 - 8000, 8000), IDLE | OK, "core {core}");
        assert!(dram(&mut card, base + 0x1_0000 - 8000, 8000) == data[64..8064], "core {core}");
    }
}

#[test]
fn regions_of_one_core() {
    regions("soc_board", true);
}

#[test]
pub(crate) fn regions_of_two_cores() {
    regions("soc_two", false);
}

#[test]
fn regions_of_four_cores() {
    regions("soc_four", false);
}

/// What does not lie in the region ends with a decode error, and no DRAM and no vector memory has changed.
#[test]
pub(crate) fn beyond_a_region() {
    let mut card = card("soc_two");
    let size = 1_u64 << 20;
    let image = random_bytes(50, size as usize);
    card.dram().write(0, &image);
    let vector = random_bytes(51, 32 << 10);
    write(&mut card, window(Space::Vector, 1), &vector);
    let refused = IDLE | DECODE_ERROR;
    // No region at all, as after a reset; a limit that is met and one that is not; a region that ends behind the card's
    // DRAM, begins there, or would begin at its start again.
    for (base, limit, address, bytes) in [
        (0, 0, 0, 64),
        (0x1_0000, 0x4000, 0x4000, 64),
        (0x1_0000, 0x4000, 0x3fc0, 128),
        (0x1_0000, 0x4000, 0x2000, 0x2040),
        (0x1_0000, 0x4000, 0x7fff_ffc0, 64),
        (0x1_0000, 0x4000, 0xffff_ffc0, 64),
        (size - 4096, 0x8000_0000, 4096, 64),
        (size - 4096, 0x8000_0000, 4096 - 64, 128),
        (size, 0x8000_0000, 0, 64),
        (1 << 40, 0x8000_0000, 0, 64),
        (u64::MAX - 4095, 0x8000_0000, 4096, 64),
    ] {
        region(&mut card, 1, base, limit);
        let place = format!("base {base:#x}, limit {limit:#x}, {bytes} bytes at {address:#x}");
        assert_eq!(make(&mut card, 1, "mm2s", address, 1024, bytes), refused, "{place}");
        assert_eq!(make(&mut card, 1, "s2mm", 1024, address, bytes), refused, "{place}");
        assert!(read(&mut card, window(Space::Vector, 1), 32 << 10) == vector, "{place}");
        assert!(dram(&mut card, 0, size as usize) == image, "{place}");
    }
    assert_eq!(card.dram().beats(), 0, "DRAM was not even asked");
    // The last bytes that are there can be reached.
    region(&mut card, 1, size - 4096 + 17, 0x8000_0000);
    assert_eq!(make(&mut card, 1, "s2mm", 64, 4096 - 128, 128), IDLE | OK);
    assert_eq!(dram(&mut card, size - 128, 128), vector[64..192]);
    assert!(dram(&mut card, 0, size as usize - 128) == image[..size as usize - 128]);
}

/// A region that shrinks under a transfer: the bursts that have not been sent are refused, and the transfer ends.
#[test]
pub(crate) fn a_region_that_shrinks() {
    let mut card = card("soc_two");
    let base = 0x2_0000;
    card.set_pace(fenn_verilated::axi::Pace::Steady, random(60, 10));
    for channel in ["mm2s", "s2mm"] {
        region(&mut card, 0, base, 0x8000);
        let vector = random_bytes(61, 0x8000);
        write(&mut card, window(Space::Vector, 0), &vector);
        load(&mut card, 0, &program(&transfer(channel, 0, 0, 0x8000)));
        let before = card.dram().beats();
        set(&mut card, 0, CoreRegister::Control, control::RUN);
        while card.dram().beats() < before + 20 {
            card.idle(1).expect("it runs");
        }
        // In the middle of the burst at 0x6000.
        set(&mut card, 0, CoreRegister::DramLimit, 0x6040);
        assert_eq!(finish_enabled(&mut card, 0), status::DONE | 3 << status::CAUSE_SHIFT);
        assert_eq!(word(&mut card, window(Space::Scalar, 0) + RESULT), IDLE | DECODE_ERROR, "{channel}");
        let moved = card.dram().beats() - before;
        assert!(moved <= 0x6000 / 8 && moved.is_multiple_of(256), "{channel}: whole bursts within it: {moved} beats");
        if channel == "s2mm" {
            let sent = 8 * moved as usize;
            assert!(dram(&mut card, base, sent) == vector[..sent]);
            assert!(dram(&mut card, base + sent as u64, 0x8000).iter().all(|byte| *byte == 0));
        }
    }
}

fn finish_enabled(card: &mut VerilatedCard, core: u32) -> u32 {
    set_card(card, fenn_isa::soc::CardRegister::IrqEnable, u32::MAX);
    finish(card, core)
}

/// DRAM's errors are the channel's.
#[test]
fn errors_of_dram() {
    let mut card = card("soc_four");
    region(&mut card, 2, 0x4_0000, 0x1_0000);
    for (answer, error) in [(Answer::SlaveError, SLAVE_ERROR), (Answer::DecodeError, DECODE_ERROR)] {
        card.dram().answer_in(0x4_2000..0x4_2040, answer);
        for channel in ["mm2s", "s2mm"] {
            assert_eq!(make(&mut card, 2, channel, 0x1000, 0x1000, 0x1000), IDLE | OK, "{channel}");
            assert_eq!(make(&mut card, 2, channel, 0x1f00, 0x1f00, 0x1000), IDLE | error, "{channel}");
        }
        card.dram().answer_in(0..u64::MAX, Answer::Okay);
    }
}

/// A core that is reset while its transfers are under way leaves the way to DRAM as it should be, for itself and for the others.
fn reset_under_transfers(name: &str, seed: u64) {
    let mut card = card(name);
    card.set_pace(random(seed, 70), random(seed + 1, 40));
    region(&mut card, 0, 0x8_0000, 0x8000);
    region(&mut card, 1, 0xc_0000, 0x8000);
    let data = random_bytes(seed, 0x4000);
    card.dram().write(0x8_0000, &data);
    card.dram().write(0xc_0000, &data);
    let both = program(
        "
        li      t0, 0x4000
        csrw    mm2s_count, t0
        csrw    s2mm_count, t0
        csrw    mm2s_src_addr, zero
        csrw    mm2s_dst_addr, zero
        csrw    s2mm_src_addr, t0
        csrw    s2mm_dst_addr, t0
        csrwi   mm2s_control, 1
        csrwi   s2mm_control, 1
1:      j       1b
",
    );
    let other = program(&transfer("mm2s", 0, 0, 0x4000));
    for turn in 0..40 {
        let ones = [0xff; 0x4000];
        let vector = window(Space::Vector, 0);
        write(&mut card, vector + 0x4000, &ones);
        write(&mut card, window(Space::Vector, 1), &[0; 0x4000]);
        card.dram().write(0x8_4000, &[0; 0x4000]);
        load(&mut card, 0, &both);
        load(&mut card, 1, &other);
        set(&mut card, 0, CoreRegister::Control, control::RUN);
        set(&mut card, 1, CoreRegister::Control, control::RUN);
        card.idle(turn * 31).expect("it runs");
        set(&mut card, 0, CoreRegister::Control, control::RESET);
        assert_eq!(get(&mut card, 0, CoreRegister::Status), 0);
        // The next program may be written and started at once, and its transfers are its own.
        let first = transfer("mm2s", 0x40, 0x80, 0x1000).replace("        ecall\n", "");
        load(&mut card, 0, &program(&(first + &transfer("s2mm", 0x80, 0x7000, 0x1000))));
        set(&mut card, 0, CoreRegister::Control, control::RUN);
        assert_eq!(finish_enabled(&mut card, 0), status::DONE | 3 << status::CAUSE_SHIFT, "turn {turn}");
        assert_eq!(word(&mut card, window(Space::Scalar, 0) + RESULT), IDLE | OK, "turn {turn}");
        assert!(read(&mut card, vector + 0x80, 0x1000) == data[0x40..0x1040], "turn {turn}");
        assert!(dram(&mut card, 0x8_7000, 0x1000) == data[0x40..0x1040], "turn {turn}");
        // What was under way wrote what it was to write, or nothing.
        let old = dram(&mut card, 0x8_4000, 0x3000);
        let sent = old.iter().position(|byte| *byte == 0).unwrap_or(old.len());
        assert!(
            old[..sent].iter().all(|byte| *byte == 0xff) && old[sent..].iter().all(|byte| *byte == 0),
            "turn {turn}"
        );
        assert_eq!(finish_enabled(&mut card, 1), status::DONE | 3 << status::CAUSE_SHIFT, "turn {turn}");
        assert_eq!(word(&mut card, window(Space::Scalar, 1) + RESULT), IDLE | OK, "turn {turn}");
        assert!(read(&mut card, window(Space::Vector, 1), 0x4000) == data, "turn {turn}");
    }
    assert!(dram(&mut card, 0xc_0000, 0x4000) == data);
    assert!(dram(&mut card, 0xc_4000, 0x4000).iter().all(|byte| *byte == 0));
}

#[test]
pub(crate) fn reset_under_transfers_of_two_cores() {
    reset_under_transfers("soc_two", 70);
}

#[test]
fn reset_under_transfers_of_four_cores() {
    reset_under_transfers("soc_four", 80);
}
