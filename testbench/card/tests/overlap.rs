//! Weights come to a card while its core runs: what that hides, in clock cycles of the SoC in SystemVerilog.
//!
//! With T and R the cycles of the transfer and of the run, each alone, and B of both together, (T + R - B) / min(T, R) of the
//! shorter is hidden: 1 when the longer of the two is all that it takes, 0 when nothing is gained.

#![expect(clippy::print_stderr, reason = "what was measured, for whoever runs the tests by hand")]

use std::time::Duration;

use fenn_assembler::assemble_text;
use fenn_host::transport::{Deadline, Transport};
use fenn_isa::memory::Space;
use fenn_isa::soc::{CardRegister, CoreRegister, control, core_offset, status, window};
use fenn_verilated::soc::VerilatedCard;

/// Behind the core's region.
const WEIGHTS: u64 = 16 << 20;

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(300))
}

fn set(card: &mut VerilatedCard, register: CoreRegister, value: u32) {
    card.write_register(core_offset(0, register), value).unwrap();
}

/// A card whose core is ready to start `source`.
fn ready(source: &str) -> VerilatedCard {
    let image = assemble_text("overlap.s", source).unwrap();
    let mut card = VerilatedCard::new("soc_board").expect("the model has been built");
    for segment in &image.segments {
        card.write(window(segment.space, 0) + u64::from(segment.address), &segment.bytes, soon()).unwrap();
    }
    set(&mut card, CoreRegister::DramLimit, 1 << 20);
    set(&mut card, CoreRegister::Entry, image.entry);
    card.write_register(CardRegister::IrqEnable.spec().offset, 1).unwrap();
    card
}

fn finish(card: &mut VerilatedCard) {
    card.wait_event(0, soon()).unwrap();
    let state = card.read_register(core_offset(0, CoreRegister::Status)).unwrap();
    assert_eq!(state & (status::RUNNING | status::DONE), status::DONE, "status {state:#x}");
}

fn weights(bytes: usize) -> Vec<u8> {
    (0..bytes as u32).map(|byte| (byte.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// The share that is hidden.
fn hidden(source: &str, bytes: usize) -> f64 {
    let weights = weights(bytes);
    let address = window(Space::Dram, 0) + WEIGHTS;

    let mut card = ready(source);
    let before = card.clock();
    card.write(address, &weights, soon()).unwrap();
    let transfer = card.clock() - before;

    let before = card.clock();
    set(&mut card, CoreRegister::Control, control::RUN);
    finish(&mut card);
    let run = card.clock() - before;

    let mut card = ready(source);
    let before = card.clock();
    set(&mut card, CoreRegister::Control, control::RUN);
    card.write(address, &weights, soon()).unwrap();
    finish(&mut card);
    let both = card.clock() - before;

    let mut back = vec![0; weights.len()];
    card.read(address, &mut back, soon()).unwrap();
    assert!(back == weights, "the weights are there");
    let hidden = (transfer as f64 + run as f64 - both as f64) / transfer.min(run) as f64;
    eprintln!("transfer {transfer}, run {run}, both {both} cycles: {hidden:.4} hidden");
    hidden
}

/// A run of lane arithmetic alone.
const COMPUTES: &str = "
    li      t0, 12000
loop:
    vadd    v1, v1, v2
    vmul    v3, v1, v2, 8
    addi    t0, t0, -1
    bnez    t0, loop
    ecall
";

/// A run that brings rows of 1 KiB from DRAM all the time.
const STREAMS: &str = "
    li      t0, 700
    li      t1, 1024
loop:
    csrw    mm2s_src_addr, zero
    csrw    mm2s_dst_addr, zero
    csrw    mm2s_count, t1
    csrwi   mm2s_control, 1
wait:
    csrr    t2, mm2s_status
    andi    t2, t2, 2
    beqz    t2, wait
    addi    t0, t0, -1
    bnez    t0, loop
    ecall
";

#[test]
fn a_transfer_is_hidden_behind_a_run() {
    let cases = [
        ("computes", COMPUTES, 256 << 10),
        ("computes, longer transfer", COMPUTES, 2 << 20),
        ("streams", STREAMS, 512 << 10),
    ];
    let mut least = f64::INFINITY;
    for (name, source, bytes) in cases {
        let share = hidden(source, bytes);
        assert!(share >= 0.9, "{name}: {share}");
        least = least.min(share);
    }
    eprintln!("{:.2} % hidden at least", 100.0 * least);
}
