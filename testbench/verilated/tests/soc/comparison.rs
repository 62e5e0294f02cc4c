//! Two cards under the same random accesses while their cores run programs with transfers.
//!
//! [`compare`] takes any two [`Transport`]s of cards with the same memories, so what stands for the second one here (simulators
//! that run at once) can be any other: another model, a board.

use std::time::Instant;

use fenn_host::transport::Transport;
use fenn_host::transport::sim::{Options, SimulatedCard};
use fenn_isa::csr::dma_status::IDLE;
use fenn_isa::image::Image;
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::soc::{CardRegister, CoreRegister, control, core_offset, status, window};
use fenn_verilated::axi::Pace;
use fenn_verilated::soc::master::{Batch, Burst, Read, Register, Write};
use fenn_verilated::soc::{Answer, VerilatedCard};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::common::*;
use super::reference::Reference;
use super::{Expected, expected};

/// Bytes of a core's region of DRAM: the lower half is read, the upper written.
const REGION: u32 = 0x2_0000;
/// What programs touch of their scalar memory, and where they lie in instruction memory, is below.
const SCALAR: u64 = 0x400;
const CODE: u64 = 0x400;

/// Brings rows from DRAM, works on them, stores them in vector, lane-local and scalar memory and sends them back, turn by turn,
/// a transfer of either direction under way at the same time. Words 0 and 1 of scalar memory say how often, and where to begin.
fn worker() -> Image {
    program(&format!(
        "
        lw      s0, 0(zero)             # turns
        lw      s1, 4(zero)             # where to read
        li      s2, 0                   # the buffer: 0 or 4096
        li      s3, 64                  # where results go
        li      s4, {half}              # where to write
        li      s11, {mask}
turn:   li      t0, 1024
        csrw    mm2s_count, t0
        csrw    mm2s_src_addr, s1
        csrw    mm2s_dst_addr, s2
        csrwi   mm2s_control, 1
1:      csrr    t0, mm2s_status
        andi    t0, t0, {IDLE}
        beqz    t0, 1b
        mv      a0, s2
        addi    a1, s2, 1024
        li      a2, 0
2:      vloadv  v0, 0(a0)
        vfill   v1, s1
        vadd    v0, v0, v1
        vstore  v0, 1024(a0)
        vextract t1, v0, 9
        add     a2, a2, t1
        addi    a0, a0, 64
        bne     a0, a1, 2b
        vlui    v2, 14
        vstorel v0, 32(v2)
        sw      a2, 0(s3)
        addi    s3, s3, 4
        andi    s3, s3, 0x3ff
        bnez    s3, 3f
        li      s3, 64
3:      csrr    t0, s2mm_status         # the transfer of the turn before
        andi    t0, t0, {IDLE}
        beqz    t0, 3b
        li      t0, 1024
        csrw    s2mm_count, t0
        addi    t0, s2, 1024
        csrw    s2mm_src_addr, t0
        csrw    s2mm_dst_addr, s4
        csrwi   s2mm_control, 1
        li      t0, 4096
        xor     s2, s2, t0
        addi    s1, s1, 1984
        and     s1, s1, s11
        addi    s4, s4, 1024
        addi    s0, s0, -1
        bnez    s0, turn
4:      csrr    t0, s2mm_status
        andi    t0, t0, {IDLE}
        beqz    t0, 4b
        ecall
",
        half = REGION / 2,
        mask = (REGION / 2 - 2048) & !63,
    ))
}

fn base(core: u32) -> u32 {
    core * REGION
}

/// Both with the same program, regions and DRAM.
fn prepare(card: &mut impl Transport, cores: u32, source: &mut Pcg64Mcg) {
    let image = worker();
    for core in 0..cores {
        load(card, core, &image);
        set(card, core, CoreRegister::DramBaseLow, base(core));
        set(card, core, CoreRegister::DramLimit, REGION);
        let mut bytes = vec![0; REGION as usize / 2];
        source.fill_bytes(&mut bytes);
        write(card, window(Space::Dram, 0) + u64::from(base(core)), &bytes);
    }
}

/// A place that no running program touches, with its room.
fn place(cores: u32, running: u32, memory: &MachineConfig, dram: u64, source: &mut Pcg64Mcg) -> (u64, u64) {
    let core = source.random_range(0..cores);
    let stands = running >> core & 1 == 0;
    let bytes = |space| u64::from(memory.bytes(space));
    match source.random_range(0..6) {
        0 => (window(Space::Instruction, core) + CODE, bytes(Space::Instruction) - CODE),
        1 if stands => (window(Space::Vector, core), bytes(Space::Vector)),
        2 if stands => (window(Space::LaneLocal, core), bytes(Space::LaneLocal)),
        3 if stands => (window(Space::Dram, 0) + u64::from(base(core)), REGION.into()),
        4 => (window(Space::Dram, 0) + u64::from(base(cores)), dram - u64::from(base(cores))),
        _ => (window(Space::Scalar, core) + SCALAR, bytes(Space::Scalar) - SCALAR),
    }
}

/// Makes `accesses` random accesses to both, of registers and memories, while their cores run; every answer has to be the same, and
/// all memories at the end. `between` is called now and then, and without a number before that comparison.
fn compare<A: Transport, B: Transport>(
    (first, second): (&mut A, &mut B),
    expected: &Expected,
    accesses: u64,
    seed: u64,
    mut between: impl FnMut(&mut A, Option<u64>),
) -> u64 {
    let cores = expected.cores;
    let mut source = Pcg64Mcg::seed_from_u64(seed);
    prepare(first, cores, &mut source.clone());
    prepare(second, cores, &mut source);
    let (mut done, mut running, mut starts) = (0, 0_u32, 0);
    while done < accesses {
        if done % 500 == 0 {
            between(first, Some(done));
        }
        done += 1;
        match source.random_range(0..20) {
            0..3 => {
                let offset = match source.random_range(0..3) {
                    0 => source.random_range(0..0x12) * 4,
                    1 => core_offset(source.random_range(0..16), CoreRegister::Entry),
                    _ => core_offset(source.random_range(0..16), CoreRegister::DramLimit),
                };
                let read = |error| panic!("offset {offset:#x}: {error}");
                let (a, b) = (first.read_register(offset), second.read_register(offset));
                let (a, b) = (a.unwrap_or_else(read), b.unwrap_or_else(read));
                // What has been started may or may not have stopped, and ports are each card's own.
                let own = [CardRegister::IrqPending, CardRegister::DataWidth].map(|register| register.spec().offset);
                if !own.contains(&offset) {
                    assert_eq!(a, b, "access {done}: offset {offset:#x}");
                }
            }
            3..5 => {
                let register = [CardRegister::Scratch, CardRegister::IrqEnable][source.random_range(0..2_usize)];
                let value = source.random();
                set_card(first, register, value);
                set_card(second, register, value);
            }
            5..7 => {
                let core = source.random_range(0..cores);
                let now = get(first, core, CoreRegister::Status);
                if now & status::RUNNING != 0 || get(second, core, CoreRegister::Status) & status::RUNNING != 0 {
                    continue;
                }
                assert_eq!(now, get(second, core, CoreRegister::Status), "access {done}: core {core}");
                if running >> core & 1 == 1 {
                    let scalar = window(Space::Scalar, core);
                    let (a, b) = (read(first, scalar, SCALAR as usize), read(second, scalar, SCALAR as usize));
                    assert!(a == b, "access {done}: what core {core} left");
                    running &= !(1 << core);
                    continue;
                }
                let turns = source.random_range(1..20_u32);
                let from = source.random_range(0..REGION / 2 - 2048) & !63;
                let words = [turns.to_le_bytes(), from.to_le_bytes()].concat();
                write(first, window(Space::Scalar, core), &words);
                write(second, window(Space::Scalar, core), &words);
                set(first, core, CoreRegister::Control, control::RUN);
                set(second, core, CoreRegister::Control, control::RUN);
                running |= 1 << core;
                starts += 1;
            }
            kind => {
                let (address, room) = place(cores, running, &expected.memory, expected.dram, &mut source);
                let most = if source.random_range(0..50) == 0 { 1024 } else { 24 };
                let bytes = 4 * source.random_range(1..=most.min(room / 4));
                // The ends are as likely as all the rest.
                let inside = match source.random_range(0..4) {
                    0 => 0,
                    1 => room - bytes,
                    _ => source.random_range(0..=(room - bytes) / 4) * 4,
                };
                if kind < 13 {
                    let (a, b) =
                        (read(first, address + inside, bytes as usize), read(second, address + inside, bytes as usize));
                    assert!(a == b, "access {done}: {bytes} bytes at {:#x}: {a:x?}, not {b:x?}", address + inside);
                } else {
                    let mut data = vec![0; bytes as usize];
                    source.fill_bytes(&mut data);
                    write(first, address + inside, &data);
                    write(second, address + inside, &data);
                }
            }
        }
    }
    for core in 0..cores {
        while get(first, core, CoreRegister::Status) & status::RUNNING != 0 {}
        while get(second, core, CoreRegister::Status) & status::RUNNING != 0 {}
        assert_eq!(get(first, core, CoreRegister::Status), get(second, core, CoreRegister::Status));
    }
    between(first, None);
    for (address, bytes) in super::memories(expected) {
        for at in (address..address + bytes).step_by(0x1_0000) {
            let length = (address + bytes - at).min(0x1_0000) as usize;
            assert!(read(first, at, length) == read(second, at, length), "at the end: {at:#x}");
        }
    }
    starts
}

pub(crate) fn against_the_reference(name: &str, accesses: u64, seed: u64) {
    let expected = expected(name);
    let mut card = card(name);
    let mut reference = Reference::new(expected.cores, expected.memory, expected.dram, expected.width);
    let begun = Instant::now();
    let starts = compare((&mut card, &mut reference), expected, accesses, seed, |card: &mut VerilatedCard, done| {
        let Some(done) = done else { return card.set_pace(Pace::Steady, Pace::Steady) };
        let ready = [100, 70, 40, 15][(done / 500 % 4) as usize];
        card.set_pace(random(seed + done, ready), random(seed + done + 1, 115 - ready));
    });
    let (seconds, cycles) = (begun.elapsed().as_secs_f64(), card.clock());
    eprintln!("{name}: {accesses} accesses, {starts} runs, {cycles} cycles, {:.0} cycles/s", cycles as f64 / seconds);
    assert!(starts > accesses / 200, "cores were running: {starts}");
}

/// The same with the host library's simulated card, which no bus leads to.
fn against_the_simulated_card(name: &str, accesses: u64, seed: u64) -> u64 {
    let expected = expected(name);
    let mut card = card(name);
    let options =
        Options { cores: expected.cores, config: expected.memory, dram_bytes: expected.dram, ..Options::default() };
    let mut simulated = SimulatedCard::new(options).expect("there can be such a card");
    let starts = compare((&mut card, &mut simulated), expected, accesses, seed, |card: &mut VerilatedCard, done| {
        let Some(done) = done else { return card.set_pace(Pace::Steady, Pace::Steady) };
        let ready = [100, 70, 40, 15][(done / 500 % 4) as usize];
        card.set_pace(random(seed + done, ready), random(seed + done + 1, 115 - ready));
    });
    assert!(starts > accesses / 200, "cores were running: {starts}");
    accesses
}

#[test]
fn random_accesses_as_to_simulated_cards() {
    let two = against_the_simulated_card("soc_two", 60_000, 100);
    let four = against_the_simulated_card("soc_four", 40_000, 200);
    eprintln!("{} host accesses without a mismatch", two + four);
}

#[test]
fn random_accesses_as_to_the_reference() {
    against_the_reference("soc_two", 6_000, 110);
    against_the_reference("soc_four", 4_000, 210);
}

/// Reads and writes of any size and registers at the same time, while cores run: what was read is what had been written, and nothing
/// hangs.
pub(crate) fn everything_at_once(name: &str, batches: u64, seed: u64) {
    let expected = expected(name);
    let cores = expected.cores;
    let mut card = card(name);
    let mut source = Pcg64Mcg::seed_from_u64(seed);
    prepare(&mut card, cores, &mut source.clone());
    let mut reference = Reference::new(cores, expected.memory, expected.dram, expected.width);
    prepare(&mut reference, cores, &mut source);
    let (mut running, mut accesses) = (0, 0);
    let begun = Instant::now();
    for number in 0..batches {
        if number % 50 == 0 {
            let ready = source.random_range(15..=100);
            card.set_pace(random(seed + number, ready), random(seed + number + 1, source.random_range(15..=100)));
        }
        for core in 0..cores {
            if get(&mut card, core, CoreRegister::Status) & status::RUNNING != 0 {
                continue;
            }
            for card in [&mut card as &mut dyn Transport, &mut reference] {
                let words = [12_u32.to_le_bytes(), (64 * (number as u32 % 512)).to_le_bytes()].concat();
                card.write(window(Space::Scalar, core), &words, deadline()).expect("it is written");
                let register = core_offset(core, CoreRegister::Control);
                card.write_register(register, control::RUN).expect("it is started");
            }
            running |= 1 << core;
        }
        let mut batch = Batch::default();
        let mut expectations = Vec::new();
        for _ in 0..4 {
            let (address, room) = place(cores, running, &expected.memory, expected.dram, &mut source);
            let size = source.random_range(2..=card.width().trailing_zeros() as u8);
            let beat = 1 << size;
            let first = source.random_range(0..room / 4) * 4;
            // Up to the end of the memory, the page and the burst.
            let start = address + first;
            let container = start - start % beat;
            let most = (container - container % 4096 + 4096).min(address + room) - container;
            if most < beat {
                continue;
            }
            let beats = source.random_range(1..=(most / beat).min(16));
            let (room, address) = ((container + beats * beat - start) as usize, start);
            let bytes = room;
            if source.random() {
                let read = Read { address, size, burst: Burst::Incrementing, beats: beats as u32 };
                batch.reads.push(read);
                let mut out = vec![0; bytes];
                reference.read(address, &mut out, deadline()).expect("it is there");
                expectations.push((address, out));
            } else {
                let mut data = vec![0; bytes];
                source.fill_bytes(&mut data);
                let mut write =
                    Write { address, size, burst: Burst::Incrementing, beats: vec![([0; 64], 0); beats as usize] };
                for (index, byte) in data.iter().enumerate() {
                    let at = address + index as u64;
                    let beat = &mut write.beats[((at - container) / beat) as usize];
                    let lane = at % card.width();
                    beat.0[lane as usize] = *byte;
                    beat.1 |= 1 << lane;
                }
                batch.writes.push(write);
                expectations.push((address, data));
            }
        }
        // What is read and written at the same time must not overlap.
        let ranges: Vec<_> = expectations.iter().map(|(address, data)| *address..address + data.len() as u64).collect();
        let apart = |a: usize, b: usize| ranges[a].end <= ranges[b].start || ranges[b].end <= ranges[a].start;
        if (0..ranges.len()).any(|a| (0..a).any(|b| !apart(a, b))) {
            continue;
        }
        batch.registers.push(Register::Write(CardRegister::Scratch.spec().offset, number as u32, 0b1111));
        batch.registers.push(Register::Pause(source.random_range(0..30)));
        batch.registers.push(Register::Read(CardRegister::Scratch.spec().offset));
        accesses += (batch.reads.len() + batch.writes.len() + 2) as u64;
        let (reads, writes) = (batch.reads.clone(), batch.writes.clone());
        let outcome = card.perform(batch, deadline()).expect("it answers");
        assert_eq!(outcome.registers[2], (number as u32, Answer::Okay));
        assert!(outcome.writes.iter().all(|answer| *answer == Answer::Okay), "batch {number}: {:?}", outcome.writes);
        for (read, beats) in reads.iter().zip(&outcome.reads) {
            let (_, data) = expectations.iter().find(|(address, _)| *address == read.address).expect("it was expected");
            let container = read.address - read.address % (1 << read.size);
            for (index, byte) in data.iter().enumerate() {
                let at = read.address + index as u64;
                let beat = &beats[((at - container) >> read.size) as usize];
                assert_eq!(beat.answer, Answer::Okay, "batch {number}");
                assert_eq!(beat.bytes[(at % card.width()) as usize], *byte, "batch {number}: {at:#x}");
            }
        }
        for write in writes {
            let (address, data) =
                expectations.iter().find(|(address, _)| *address == write.address).expect("it was expected");
            reference.write(*address, data, deadline()).expect("it is there");
        }
    }
    card.set_pace(Pace::Steady, Pace::Steady);
    for core in 0..cores {
        while get(&mut card, core, CoreRegister::Status) & status::RUNNING != 0 {}
    }
    for (address, bytes) in super::memories(expected) {
        for at in (address..address + bytes).step_by(0x1_0000) {
            let length = (address + bytes - at).min(0x1_0000) as usize;
            assert!(read(&mut card, at, length) == read(&mut reference, at, length), "at the end: {at:#x}");
        }
    }
    let (seconds, cycles) = (begun.elapsed().as_secs_f64(), card.clock());
    eprintln!(
        "{name}: {accesses} accesses, up to ten at a time, {cycles} cycles, {:.0} cycles/s",
        cycles as f64 / seconds
    );
}

#[test]
fn everything_at_once_with_two_cores() {
    everything_at_once("soc_two", 2_000, 300);
}

#[test]
fn everything_at_once_with_four_cores() {
    everything_at_once("soc_four", 1_000, 400);
}
