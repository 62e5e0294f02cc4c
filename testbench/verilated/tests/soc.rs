//! A card in SystemVerilog as a host sees it: registers, windows, answers, running, regions of DRAM, and all of it at the same
//! time under back-pressure. Expectations are the manual's table, the simulator's, or the test's own model of memory.

#![expect(clippy::print_stderr, reason = "what was measured, for whoever runs the tests by hand")]

#[path = "soc/common.rs"]
mod common;
#[path = "soc/comparison.rs"]
mod comparison;
#[path = "soc/dma.rs"]
mod dma;
#[path = "soc/driving.rs"]
mod driving;
#[path = "soc/reference.rs"]
mod reference;

use common::*;
use fenn_host::transport::{Transport, TransportError};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::soc::{
    Access, CARD_REGISTERS, CORE_BLOCK_BYTES, CORE_BLOCKS, CORE_REGISTERS, CardRegister, CoreRegister, FINGERPRINT,
    IDENT, MOST_CORES, REGISTER_BYTES, VERSION, bus_error, control, status, window,
};
use fenn_iss::{Limits, Machine, Options};
use fenn_verilated::soc::master::{Batch, Burst, Read, Register, Write};
use fenn_verilated::soc::{Answer, VerilatedCard};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// What the parameters of `build.rs` amount to.
struct Expected {
    name: &'static str,
    cores: u32,
    memory: MachineConfig,
    dram: u64,
    width: u32,
}

const SMALL: MachineConfig = MachineConfig {
    instruction_bytes: 8192,
    scalar_bytes: 4096,
    vector_bytes: 32 << 10,
    lane_local_bytes: 128,
    dram_bytes: 1 << 20,
};

const BOARD: MachineConfig = MachineConfig {
    instruction_bytes: 16 << 10,
    scalar_bytes: 128 << 10,
    vector_bytes: 512 << 10,
    lane_local_bytes: 2 << 10,
    dram_bytes: 256 << 20,
};

static EXPECTED: [Expected; 3] = [
    Expected { name: "soc_board", cores: 1, memory: BOARD, dram: 1 << 30, width: 128 },
    Expected { name: "soc_two", cores: 2, memory: SMALL, dram: 1 << 20, width: 64 },
    Expected { name: "soc_four", cores: 4, memory: SMALL, dram: 1 << 20, width: 512 },
];

fn expected(name: &str) -> &'static Expected {
    EXPECTED.iter().find(|card| card.name == name).expect("it is one of them")
}

fn random_bytes(source: &mut Pcg64Mcg, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    source.fill_bytes(&mut bytes);
    bytes
}

// ------------------------------------------------------------------------------------------------------------ registers

/// What a register reads after a reset.
fn initial(card: &Expected, register: CardRegister) -> u32 {
    match register {
        CardRegister::Ident => IDENT,
        CardRegister::Version => VERSION,
        CardRegister::Fingerprint => FINGERPRINT,
        CardRegister::Cores => card.cores,
        CardRegister::Lanes => 32,
        CardRegister::InstructionBytes => card.memory.instruction_bytes,
        CardRegister::ScalarBytes => card.memory.scalar_bytes,
        CardRegister::VectorBytes => card.memory.vector_bytes,
        CardRegister::LaneBytes => card.memory.lane_local_bytes,
        CardRegister::DramLow => card.dram as u32,
        CardRegister::DramHigh => (card.dram >> 32) as u32,
        CardRegister::DataWidth => card.width,
        CardRegister::ClockKhz
        | CardRegister::Scratch
        | CardRegister::IrqPending
        | CardRegister::IrqEnable
        | CardRegister::IrqAck
        | CardRegister::BusError
        | CardRegister::BusErrorLow
        | CardRegister::BusErrorHigh => 0,
    }
}

/// Every place of the register space, by the table: what it reads after a reset and what writes make of it.
fn register_map(name: &str) {
    let expected = expected(name);
    let mut card = card(name);
    card.set_pace(random(1, 60), random(2, 60));
    let read = |card: &mut VerilatedCard, offset| card.read_register(offset).expect("it answers");
    let mut places = Vec::new();
    for offset in (0..REGISTER_BYTES).step_by(4) {
        let (row, value) = match offset.checked_sub(CORE_BLOCKS) {
            None => match CardRegister::at(offset) {
                Some(register) => (Some(&CARD_REGISTERS[register as usize]), initial(expected, register)),
                None => (None, 0),
            },
            Some(inside) => {
                let there = inside / CORE_BLOCK_BYTES < expected.cores;
                let register = CoreRegister::at(inside % CORE_BLOCK_BYTES).filter(|_| there);
                (register.map(|register| &CORE_REGISTERS[register as usize]), 0)
            }
        };
        assert_eq!(read(&mut card, offset), value, "offset {offset:#x} after a reset");
        places.push((offset, row, value));
    }
    for (offset, row, value) in &places {
        let (offset, value) = (*offset, *value);
        for pattern in [u32::MAX, 0, 0xa5a5_5a5a, 0x0123_4567] {
            // What pulses do is another test's.
            let pattern = if row.is_some_and(|row| row.access == Access::Pulse) { 0 } else { pattern };
            card.write_register(offset, pattern).expect("it answers");
            let after = match row.map(|row| row.access) {
                Some(Access::ReadWrite) => pattern,
                Some(Access::ReadOnly | Access::Pulse | Access::ClearByOne) | None => value,
            };
            assert_eq!(read(&mut card, offset), after, "offset {offset:#x}, {pattern:#x} written");
        }
        // Words are written whole or not at all.
        for (strobes, answer) in [(0, Answer::Okay), (1, Answer::SlaveError), (14, Answer::SlaveError)] {
            let before = read(&mut card, offset);
            let registers = vec![Register::Write(offset, !before, strobes)];
            let outcome = card.perform(Batch { registers, ..Batch::default() }, deadline()).expect("it answers");
            assert_eq!(outcome.registers, [(0, answer)], "offset {offset:#x}, strobes {strobes:#b}");
            assert_eq!(read(&mut card, offset), before, "offset {offset:#x}, strobes {strobes:#b}");
        }
    }
    // Nothing of all that has touched another place.
    for (offset, row, value) in places {
        let held = row.is_some_and(|row| row.access == Access::ReadWrite);
        assert_eq!(read(&mut card, offset), if held { 0x0123_4567 } else { value }, "offset {offset:#x} at the end");
    }
    card.reset().expect("it resets");
    assert_eq!(read(&mut card, CardRegister::Scratch.spec().offset), 0);
    assert!(matches!(card.read_register(REGISTER_BYTES), Err(TransportError::Register { .. })));
}

#[test]
fn registers_of_one_core() {
    register_map("soc_board");
}

#[test]
fn registers_of_two_cores() {
    register_map("soc_two");
}

#[test]
fn registers_of_four_cores() {
    register_map("soc_four");
}

// -------------------------------------------------------------------------------------------------------------- windows

/// The memories of a card: address and bytes.
fn memories(expected: &Expected) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    for core in 0..expected.cores {
        for space in [Space::Instruction, Space::Scalar, Space::Vector, Space::LaneLocal] {
            all.push((window(space, core), expected.memory.bytes(space).into()));
        }
    }
    all.push((window(Space::Dram, 0), expected.dram));
    all
}

/// Every memory at both ends: what is written there is there, in no other memory, and for DRAM behind the card's port.
fn window_ends(name: &str, pace: Option<u64>) {
    const END: u64 = 1500;
    let expected = expected(name);
    let mut card = card(name);
    if let Some(seed) = pace {
        card.set_pace(random(seed, 50), random(seed + 1, 50));
    }
    let mut source = Pcg64Mcg::seed_from_u64(3);
    let mut written = Vec::new();
    for (address, bytes) in memories(expected) {
        for at in [address, address + bytes - END] {
            let data = random_bytes(&mut source, END as usize);
            write(&mut card, at, &data);
            written.push((at, data));
        }
    }
    for (at, data) in &written {
        assert!(read(&mut card, *at, data.len()) == *data, "at {at:#x}");
        if let Some(inside) = at.checked_sub(window(Space::Dram, 0)) {
            let mut there = vec![0; data.len()];
            card.dram().read(inside, &mut there);
            assert!(there == *data, "DRAM at {inside:#x}");
        }
    }
    assert_eq!(get_card(&mut card, CardRegister::BusError), 0);
}

#[test]
fn windows_of_one_core() {
    window_ends("soc_board", None);
}

#[test]
fn windows_of_two_cores() {
    window_ends("soc_two", Some(10));
}

#[test]
fn windows_of_four_cores() {
    window_ends("soc_four", Some(20));
}

/// What a host writes is what a program sees, and the other way round, in every memory.
#[test]
fn host_and_program_see_the_same() {
    let mut card = card("soc_two");
    let image = program(
        "
        lw      a0, 12(zero)
        sw      a0, 16(zero)
        li      a1, 128
        vloadv  v1, 0(a1)       # what the host wrote
        vloadv  v2, 64(a1)      # an address for each lane
        vstore  v1, 128(a1)
        vstorel v1, 2(v2)
        ecall
",
    );
    load(&mut card, 1, &image);
    let vector: Vec<u8> = (0..32_u16).flat_map(|lane| (1000 * lane + 7).to_le_bytes()).collect();
    let places: Vec<u8> = (0..32_u16).flat_map(|lane| (2 * (lane % 5)).to_le_bytes()).collect();
    write(&mut card, window(Space::Scalar, 1) + 12, &0xdead_beef_u32.to_le_bytes());
    write(&mut card, window(Space::Vector, 1) + 128, &vector);
    write(&mut card, window(Space::Vector, 1) + 192, &places);
    assert_eq!(run(&mut card, 1), status::DONE | 3 << status::CAUSE_SHIFT);
    assert_eq!(word(&mut card, window(Space::Scalar, 1) + 16), 0xdead_beef);
    assert_eq!(read(&mut card, window(Space::Vector, 1) + 256, 64), vector);
    // Byte address a of lane l is at 32·a + 2·l.
    let lanes = read(&mut card, window(Space::LaneLocal, 1), 32 * 128);
    for (lane, value) in vector.as_chunks::<2>().0.iter().enumerate() {
        let row = 2 * (lane % 5) + 2;
        for other in (0..128).step_by(2) {
            let at = 32 * other + 2 * lane;
            let there = if other == row { *value } else { [0, 0] };
            assert_eq!(lanes[at..at + 2], there, "lane {lane}, byte {other}");
        }
    }
}

// -------------------------------------------------------------------------------------------------------------- answers

fn write_of(address: u64, size: u8, burst: Burst, width: u64, words: &[u32]) -> Write {
    let mut beats = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let lane = (address + 4 * index as u64) % width;
        let mut bytes = [0; 64];
        bytes[lane as usize..lane as usize + 4].copy_from_slice(&word.to_le_bytes());
        beats.push((bytes, 0b1111 << lane));
    }
    Write { address, size, burst, beats }
}

/// The answers to a read and then a write of `words` words there.
fn answers(card: &mut VerilatedCard, address: u64, burst: Burst, words: usize) -> (Answer, Answer) {
    let read = Read { address, size: 2, burst, beats: words as u32 };
    let batch = Batch { reads: vec![read], ..Batch::default() };
    let outcome = card.perform(batch, deadline()).expect("it answers");
    assert_eq!(outcome.reads[0].len(), words, "every beat is there, whatever its answer");
    let read = outcome.reads[0].iter().map(|beat| beat.answer).max().expect("there are beats");
    let write = write_of(address, 2, burst, card.width(), &vec![0x5555_aaaa; words]);
    let outcome = card.perform(Batch { writes: vec![write], ..Batch::default() }, deadline()).expect("it answers");
    (read, outcome.writes[0])
}

/// Outside of every memory there are decode errors, and `bus_error` tells of the first.
fn outside(name: &str) {
    let expected = expected(name);
    let mut card = card(name);
    card.set_pace(random(30, 70), random(31, 70));
    let mut places = vec![(0x4000_0000, 1), (0x7fff_fffc, 1), (u64::MAX - 3, 1), (1 << 40, 4)];
    for (address, bytes) in memories(expected) {
        // These memories end where pages do, so a burst that leaves one would cross a page, which AXI forbids.
        places.push((address + bytes, 1));
    }
    for space in [Space::Instruction, Space::Scalar, Space::Vector, Space::LaneLocal] {
        places.extend((expected.cores..MOST_CORES).map(|core| (window(space, core), 3)));
    }
    for (address, words) in places {
        assert_eq!(
            answers(&mut card, address, Burst::Incrementing, words),
            (Answer::DecodeError, Answer::DecodeError),
            "{address:#x}"
        );
        assert_eq!(get_card(&mut card, CardRegister::BusError), bus_error::READ_DECODE | bus_error::WRITE_DECODE);
        let at = u64::from(get_card(&mut card, CardRegister::BusErrorHigh)) << 32
            | u64::from(get_card(&mut card, CardRegister::BusErrorLow));
        assert_eq!(at, address);
        // One bit after the other; the address stays until both are gone.
        set_card(&mut card, CardRegister::BusError, bus_error::READ_DECODE);
        assert_eq!(get_card(&mut card, CardRegister::BusError), bus_error::WRITE_DECODE);
        set_card(&mut card, CardRegister::BusError, bus_error::WRITE_DECODE);
        assert_eq!(get_card(&mut card, CardRegister::BusError), 0);
    }
    // The first one stays.
    for address in [0x5000_0000, 0x6000_0000] {
        answers(&mut card, address, Burst::Incrementing, 1);
    }
    assert_eq!(get_card(&mut card, CardRegister::BusErrorLow), 0x5000_0000);
    // The transport does not let such addresses come to the card at all.
    let refused = card.read(0x4000_0000, &mut [0; 4], deadline());
    assert!(matches!(refused, Err(TransportError::Outside { .. })));
}

#[test]
fn outside_of_one_core() {
    outside("soc_board");
}

#[test]
fn outside_of_two_cores() {
    outside("soc_two");
}

#[test]
fn outside_of_four_cores() {
    outside("soc_four");
}

/// What a card does not do is a slave error: words in part, bursts that do not grow, DRAM's own errors.
#[test]
fn slave_errors() {
    let mut card = card("soc_two");
    let scalar = window(Space::Scalar, 0);
    let dram = window(Space::Dram, 0);
    for (address, burst, words, answer) in [
        (scalar, Burst::Fixed, 4, Answer::SlaveError),
        (scalar, Burst::Wrapping, 4, Answer::SlaveError),
        (dram, Burst::Wrapping, 4, Answer::SlaveError),
        // One beat is one beat.
        (scalar, Burst::Fixed, 1, Answer::Okay),
        (dram, Burst::Fixed, 1, Answer::Okay),
    ] {
        assert_eq!(answers(&mut card, address, burst, words), (answer, answer), "{address:#x}, {burst:?}");
    }
    assert_eq!(word(&mut card, scalar + 4), 0, "nothing was written by a burst that is none");
    assert_eq!(get_card(&mut card, CardRegister::BusError), 0, "these are no errors of `bus_error`");

    // Words with some of their strobes are left out, the others written.
    for (space, answer) in [(Space::Scalar, Answer::SlaveError), (Space::Dram, Answer::Okay)] {
        let address = window(space, 0) + 64;
        let bytes: [u8; 64] = std::array::from_fn(|index| index as u8 + 1);
        let beats = vec![(bytes, 0xff), (bytes, 0x6f), (bytes, 0xf0), (bytes, 0x00)];
        let batch =
            Batch { writes: vec![Write { address, size: 3, burst: Burst::Incrementing, beats }], ..Batch::default() };
        let outcome = card.perform(batch, deadline()).expect("it answers");
        assert_eq!(outcome.writes, [answer], "{space}");
        let mut there = vec![0; 32];
        there[..8].copy_from_slice(&bytes[..8]);
        there[8..12].copy_from_slice(&bytes[..4]);
        there[20..24].copy_from_slice(&bytes[4..8]);
        if space == Space::Dram {
            there[13..15].copy_from_slice(&bytes[5..7]);
        }
        assert_eq!(read(&mut card, address, 32), there, "{space}");
    }

    // DRAM's own answers come through.
    for answer in [Answer::SlaveError, Answer::DecodeError] {
        card.dram().answer_in(4096..4160, answer);
        assert_eq!(answers(&mut card, dram + 4096 - 8, Burst::Incrementing, 2), (Answer::Okay, Answer::Okay));
        assert_eq!(answers(&mut card, dram + 4096, Burst::Incrementing, 4), (answer, answer));
        card.dram().answer_in(4096..4160, Answer::Okay);
    }
    assert_eq!(answers(&mut card, dram + 4096, Burst::Incrementing, 4), (Answer::Okay, Answer::Okay));
}

/// Beats of bytes and halfwords: reads bring them, writes into a core's memory are of words only.
#[test]
fn beats_narrower_than_words() {
    let mut card = card("soc_two");
    for space in [Space::Scalar, Space::Dram] {
        let address = window(space, 1) + 96;
        let data: Vec<u8> = (1..=32).collect();
        write(&mut card, address, &data);
        for size in [0, 1] {
            let read = Read { address: address + 2, size, burst: Burst::Incrementing, beats: 9 };
            let outcome =
                card.perform(Batch { reads: vec![read], ..Batch::default() }, deadline()).expect("it answers");
            for (index, beat) in outcome.reads[0].iter().enumerate() {
                let at = 2 + (index << size);
                for (byte, value) in data.iter().enumerate().skip(at).take(1 << size) {
                    let lane = (address as usize + byte) % 8;
                    assert_eq!(beat.bytes[lane], *value, "{space}, size {size}, beat {index}");
                }
                assert_eq!(beat.answer, Answer::Okay);
            }
        }
    }
    let beats = vec![([9; 64], 0b11), ([9; 64], 0b1100)];
    let write = Write { address: window(Space::Scalar, 1) + 96, size: 1, burst: Burst::Incrementing, beats };
    let outcome = card.perform(Batch { writes: vec![write], ..Batch::default() }, deadline()).expect("it answers");
    assert_eq!(outcome.writes, [Answer::SlaveError]);
    assert_eq!(word(&mut card, window(Space::Scalar, 1) + 96), 0x0403_0201);
}

// -------------------------------------------------------------------------------------------------------------- running

const ECALL: u32 = 3 << status::CAUSE_SHIFT;

/// A program that computes for a while: the counters, the program counter and memory are the simulator's.
#[test]
fn a_program_as_in_the_simulator() {
    let image = program(
        "
        li      a0, 0
        li      a1, 1000
        li      a4, 256
1:      mul     a2, a0, a1
        divu    a3, a2, a1
        add     a0, a0, a1
        sw      a2, 0(a4)
        sw      a0, 6(a4)       # across a word
        vfill   v1, a2
        vmul    v2, v1, v1, 3
        vextract a5, v2, 4
        xor     a0, a0, a5
        addi    a1, a1, -1
        bnez    a1, 1b
        sw      a0, 0(zero)
        ecall
",
    );
    let mut card = card("soc_board");
    let mut machine = Machine::new(BOARD, Options::default()).expect("there is such a machine");
    machine.load(&image).expect("it fits");
    machine.run(Limits::default(), &mut ());
    let ended = machine.state();

    load(&mut card, 0, &image);
    // A start is at the entry again, however often.
    for turn in 0..2 {
        // Branches are foretold better the second time, unless they are forgotten.
        set(&mut card, 0, CoreRegister::Control, control::RESET);
        assert_eq!(run(&mut card, 0), status::DONE | ECALL, "turn {turn}");
        assert_eq!(get(&mut card, 0, CoreRegister::Pc), ended.pc);
        let instructions = get(&mut card, 0, CoreRegister::InstructionsLow);
        assert_eq!(u64::from(instructions), ended.retired, "turn {turn}");
        assert_eq!(get(&mut card, 0, CoreRegister::InstructionsHigh), 0);
        assert_eq!(u64::from(get(&mut card, 0, CoreRegister::CyclesLow)), ended.cycles, "turn {turn}");
        assert_eq!(get(&mut card, 0, CoreRegister::CyclesHigh), 0);
        let scalar = machine.read_bytes(Space::Scalar, 0, 1024).expect("it is there");
        assert_eq!(read(&mut card, window(Space::Scalar, 0), 1024), scalar);
    }
    eprintln!("{} instructions in {} cycles", ended.retired, ended.cycles);
}

/// Interrupts: one for each core, up from its stop to the acknowledgement or the next start, where it is enabled.
#[test]
fn interrupts() {
    let mut card = card("soc_four");
    let short = program("        li a0, 50\n1:      addi a0, a0, -1\n        bnez a0, 1b\n        ecall\n");
    let endless = program("1:      j 1b\n");
    for core in 0..4 {
        load(&mut card, core, if core == 3 { &endless } else { &short });
    }
    set_card(&mut card, CardRegister::IrqEnable, 0b1011);
    for core in 0..4 {
        set(&mut card, core, CoreRegister::Control, control::RUN);
        assert_eq!(get(&mut card, core, CoreRegister::Status), status::RUNNING, "core {core}");
    }
    card.idle(400).expect("it runs");
    assert_eq!(card.interrupts(), 0b0011, "core 2's is not enabled, core 3 runs");
    assert_eq!(get_card(&mut card, CardRegister::IrqPending), 0b0111);
    set_card(&mut card, CardRegister::IrqAck, 0b0001);
    assert_eq!((card.interrupts(), get_card(&mut card, CardRegister::IrqPending)), (0b0010, 0b0110));
    assert_eq!(get(&mut card, 0, CoreRegister::Status), status::DONE | ECALL, "its status stays");
    set_card(&mut card, CardRegister::IrqEnable, 0b1111);
    assert_eq!(card.interrupts(), 0b0110);
    // A start takes it back; the next stop is pending again.
    set(&mut card, 1, CoreRegister::Control, control::RUN);
    assert_eq!((card.interrupts(), get_card(&mut card, CardRegister::IrqPending)), (0b0100, 0b0100));
    card.idle(400).expect("it runs");
    assert_eq!(card.interrupts(), 0b0110);
    // So does a reset. A stop that was asked for raises none.
    set(&mut card, 1, CoreRegister::Control, control::RESET);
    set(&mut card, 3, CoreRegister::Control, control::HALT);
    card.idle(20).expect("it runs");
    assert_eq!(card.interrupts(), 0b0100);
    assert_eq!(get(&mut card, 3, CoreRegister::Status), 1 << status::CAUSE_SHIFT);
    let limit = fenn_host::transport::Deadline::after(std::time::Duration::from_millis(20));
    assert!(matches!(card.wait_event(3, limit), Err(TransportError::Deadline { .. })));
}

/// A program stops where it is told to, goes on from there, and for one instruction where that is wanted.
#[test]
fn halt_resume_and_step() {
    let mut card = card("soc_two");
    let image = program(
        "
        addi    a0, a0, 1       # 0
        addi    a0, a0, 1       # 4
        sw      a0, 0(zero)     # 8
        ebreak                  # 12
1:      addi    a1, a1, 1       # 16
        sw      a1, 4(zero)
        j       1b
",
    );
    load(&mut card, 0, &image);
    let cause = |cause: u32| cause << status::CAUSE_SHIFT;
    let pc = |card: &mut VerilatedCard| get(card, 0, CoreRegister::Pc);
    let stands = |card: &mut VerilatedCard| {
        card.idle(20).expect("it runs");
        get(card, 0, CoreRegister::Status)
    };
    assert_eq!((stands(&mut card), pc(&mut card)), (0, 0));
    set(&mut card, 0, CoreRegister::Control, control::RUN | control::STEP);
    assert_eq!((stands(&mut card), pc(&mut card)), (cause(2), 4));
    set(&mut card, 0, CoreRegister::Control, control::RESUME | control::STEP);
    assert_eq!((stands(&mut card), pc(&mut card)), (cause(2), 8));
    assert_eq!(get(&mut card, 0, CoreRegister::InstructionsLow), 2);
    set(&mut card, 0, CoreRegister::Control, control::RESUME);
    assert_eq!((stands(&mut card), pc(&mut card)), (status::ERROR | cause(4), 12));
    assert_eq!(word(&mut card, window(Space::Scalar, 0)), 2);
    assert_eq!(get(&mut card, 0, CoreRegister::InstructionsLow), 3);
    // A start keeps registers, but counts anew.
    set(&mut card, 0, CoreRegister::Entry, 8);
    set(&mut card, 0, CoreRegister::Control, control::RUN);
    assert_eq!((stands(&mut card), pc(&mut card)), (status::ERROR | cause(4), 12));
    assert_eq!(word(&mut card, window(Space::Scalar, 0)), 2);
    assert_eq!(get(&mut card, 0, CoreRegister::InstructionsLow), 1);
    // A halt beside a start is before the first instruction.
    set(&mut card, 0, CoreRegister::Entry, 16);
    set(&mut card, 0, CoreRegister::Control, control::RUN | control::HALT);
    assert_eq!((stands(&mut card), pc(&mut card)), (cause(1), 16));
    assert_eq!(get(&mut card, 0, CoreRegister::InstructionsLow), 0);
    set(&mut card, 0, CoreRegister::Control, control::RESUME);
    card.idle(500).expect("it runs");
    assert_eq!(get(&mut card, 0, CoreRegister::Status), status::RUNNING);
    // What starts a core is ignored while it runs.
    set(&mut card, 0, CoreRegister::Control, control::RUN | control::RESUME | control::STEP);
    let before = word(&mut card, window(Space::Scalar, 0) + 4);
    card.idle(100).expect("it runs");
    assert!(word(&mut card, window(Space::Scalar, 0) + 4) > before);
    set(&mut card, 0, CoreRegister::Control, control::HALT);
    assert_eq!(stands(&mut card), cause(1));
    let at = pc(&mut card);
    assert!((16..28).contains(&at), "{at}");
    let held = word(&mut card, window(Space::Scalar, 0) + 4);
    card.idle(100).expect("it stands");
    assert_eq!(word(&mut card, window(Space::Scalar, 0) + 4), held);
    // A halt of a standing core is not kept for later.
    set(&mut card, 0, CoreRegister::Control, control::HALT);
    set(&mut card, 0, CoreRegister::Control, control::RESUME);
    card.idle(100).expect("it runs");
    assert_eq!(get(&mut card, 0, CoreRegister::Status), status::RUNNING);
}

/// An exception stops the core and says why; a reset brings the core back, and its memories are what they were.
#[test]
fn exceptions_and_resets() {
    let mut card = card("soc_two");
    let image = program("        li a0, 0x7f0000\n        lw a1, 4(a0)\n        ecall\n");
    load(&mut card, 1, &image);
    assert_eq!(run(&mut card, 1), status::ERROR | 5 << status::CAUSE_SHIFT);
    assert_eq!(get(&mut card, 1, CoreRegister::TrapCause), 5, "a load fault");
    assert_eq!(get(&mut card, 1, CoreRegister::TrapValue), 0x7f_0004);
    let at = get(&mut card, 1, CoreRegister::Pc);
    assert_eq!(at, image.entry + 4, "li takes one instruction here");
    set(&mut card, 1, CoreRegister::Control, control::RESET);
    assert_eq!(get(&mut card, 1, CoreRegister::Status), 0);
    assert_eq!(get(&mut card, 1, CoreRegister::TrapCause), 0);
    assert_eq!(get(&mut card, 1, CoreRegister::CyclesLow), 0);

    let endless = program("        csrwi mscratch, 9\n1:      addi a0, a0, 1\n        sw a0, 0(zero)\n        j 1b\n");
    load(&mut card, 1, &endless);
    set(&mut card, 1, CoreRegister::Control, control::RUN);
    card.idle(300).expect("it runs");
    assert_eq!(get(&mut card, 1, CoreRegister::Status), status::RUNNING);
    set(&mut card, 1, CoreRegister::Control, control::RESET);
    assert_eq!(get(&mut card, 1, CoreRegister::Status), 0);
    let reached = word(&mut card, window(Space::Scalar, 1));
    assert!(reached > 10, "{reached}");
    card.idle(100).expect("it stands");
    assert_eq!(word(&mut card, window(Space::Scalar, 1)), reached);
    // Its CSRs are as after power-up; a reset beside a start is a reset.
    let look = program("        csrr a0, mscratch\n        sw a0, 0(zero)\n        ecall\n");
    load(&mut card, 1, &look);
    set(&mut card, 1, CoreRegister::Control, control::RESET | control::RUN);
    card.idle(50).expect("it stands");
    assert_eq!(get(&mut card, 1, CoreRegister::Status), 0);
    assert_eq!(run(&mut card, 1), status::DONE | ECALL);
    assert_eq!(word(&mut card, window(Space::Scalar, 1)), 0);
    // The other core has seen nothing of it.
    assert_eq!(get(&mut card, 0, CoreRegister::Status), 0);
}

/// While a core runs, its vector and lane-local memory are refused, and the others are not.
#[test]
fn memories_of_a_running_core() {
    let mut card = card("soc_two");
    let endless = program("1:      lw a0, 0(zero)\n        addi a0, a0, 1\n        sw a0, 0(zero)\n        j 1b\n");
    load(&mut card, 0, &endless);
    set(&mut card, 0, CoreRegister::Control, control::RUN);
    for space in [Space::Vector, Space::LaneLocal] {
        let refused = Answer::SlaveError;
        assert_eq!(answers(&mut card, window(space, 0) + 8, Burst::Incrementing, 3), (refused, refused), "{space}");
        let bits = bus_error::READ_BUSY | bus_error::WRITE_BUSY;
        assert_eq!(get_card(&mut card, CardRegister::BusError), bits, "{space}");
        assert_eq!(get_card(&mut card, CardRegister::BusErrorLow), window(space, 0) as u32 + 8);
        set_card(&mut card, CardRegister::BusError, u32::MAX);
        // Those of another core are there.
        assert_eq!(
            answers(&mut card, window(space, 1), Burst::Incrementing, 3),
            (Answer::Okay, Answer::Okay),
            "{space}"
        );
    }
    for address in [window(Space::Scalar, 0) + 64, window(Space::Instruction, 0) + 4096, window(Space::Dram, 0)] {
        write(&mut card, address, &[7; 64]);
        assert_eq!(read(&mut card, address, 64), [7; 64], "{address:#x}");
    }
    let before = word(&mut card, window(Space::Scalar, 0));
    card.idle(100).expect("it runs");
    assert!(word(&mut card, window(Space::Scalar, 0)) > before, "a host can poll");
    set(&mut card, 0, CoreRegister::Control, control::HALT);
    card.idle(20).expect("it stops");
    for space in [Space::Vector, Space::LaneLocal] {
        assert_eq!(read(&mut card, window(space, 0) + 8, 12), [0; 12], "{space}: refused words are not written");
    }
    assert_eq!(get_card(&mut card, CardRegister::BusError), 0);
}

/// A start and the host's words in vector and lane-local memory, at every distance: words are moved or refused, the program runs.
#[test]
fn a_start_under_the_hosts_words() {
    let mut card = card("soc_two");
    let image = program(
        "        li a0, 300\n1:      addi a0, a0, -1\n        bnez a0, 1b\n        sw a0, 0(zero)\n        ecall\n",
    );
    load(&mut card, 1, &image);
    set_card(&mut card, CardRegister::IrqEnable, 0b10);
    let offset = fenn_isa::soc::core_offset(1, CoreRegister::Control);
    let mut both = 0;
    for pause in 1..60 {
        for space in [Space::Vector, Space::LaneLocal] {
            let (one, other) = (window(space, 1), window(space, 1) + 1024);
            let words: Vec<u32> = (0..40).map(|word| pause * 1000 + word).collect();
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            write(&mut card, one, &bytes);
            write(&mut card, other, &[0xee; 160]);
            write(&mut card, window(Space::Scalar, 1), &[1; 4]);
            let batch = Batch {
                reads: vec![Read { address: one, size: 2, burst: Burst::Incrementing, beats: 40 }],
                writes: vec![write_of(other, 2, Burst::Incrementing, card.width(), &words)],
                registers: vec![Register::Pause(pause), Register::Write(offset, control::RUN, 0b1111)],
            };
            let outcome = card.perform(batch, deadline()).expect("it answers");
            let mut refused = 0;
            for (index, beat) in outcome.reads[0].iter().enumerate() {
                let lane = 4 * index % 8;
                let expected = if beat.answer == Answer::Okay { words[index] } else { 0 };
                assert_eq!(beat.bytes[lane..lane + 4], expected.to_le_bytes(), "{space}, {pause}, word {index}");
                assert!(beat.answer == Answer::SlaveError || refused == 0, "{space}, {pause}: it stands again");
                refused += usize::from(beat.answer == Answer::SlaveError);
            }
            assert_eq!(finish(&mut card, 1), status::DONE | ECALL, "{space}, {pause}");
            assert_eq!(word(&mut card, window(Space::Scalar, 1)), 0);
            let there = read(&mut card, other, 160);
            let done = there.chunks(4).take_while(|word| **word != [0xee; 4]).count();
            assert_eq!(there[..4 * done], bytes[..4 * done], "{space}, {pause}");
            assert!(there[4 * done..].iter().all(|byte| *byte == 0xee), "{space}, {pause}");
            assert_eq!(outcome.writes[0] == Answer::SlaveError, done < 40, "{space}, {pause}");
            both += usize::from(refused > 0 && refused < 40);
        }
    }
    assert!(both > 40, "starts came between words: {both}");
}

// ------------------------------------------------------------------------------------------------------------ latencies

/// Cycles that a batch takes.
fn cycles(card: &mut VerilatedCard, batch: Batch) -> u64 {
    let before = card.clock();
    card.perform(batch, deadline()).expect("it answers");
    card.clock() - before
}

/// The cycles of `rtl/README.md`, where nobody hesitates, from the offer of an address to the last answer.
#[test]
fn latencies() {
    let mut card = card("soc_board");
    let scratch = CardRegister::Scratch.spec().offset;
    let register = |one| Batch { registers: vec![one], ..Batch::default() };
    assert_eq!(cycles(&mut card, register(Register::Read(scratch))), 2);
    assert_eq!(cycles(&mut card, register(Register::Write(scratch, 1, 15))), 3);
    for space in Space::ALL {
        for beats in [1, 2, 3, 64] {
            let place = format!("{space}, {beats} beats");
            let address = window(space, 0);
            let read = Read { address, size: 4, burst: Burst::Incrementing, beats };
            let data = vec![([0; 64], 0xffff); beats as usize];
            let write = Write { address, size: 4, burst: Burst::Incrementing, beats: data };
            // A beat has four words here. DRAM gives its first beat, and takes it, six cycles after the address.
            let beats = u64::from(beats);
            let (reads, writes) = match space {
                Space::Instruction | Space::Scalar => (3 + 7 * beats, 5 + 4 * beats),
                Space::Vector | Space::LaneLocal => (3 + 23 * beats, 5 + 4 * beats),
                Space::Dram => (10 + beats, 13 + beats),
            };
            assert_eq!(cycles(&mut card, Batch { reads: vec![read], ..Batch::default() }), reads, "{place}");
            assert_eq!(cycles(&mut card, Batch { writes: vec![write], ..Batch::default() }), writes, "{place}");
        }
    }
}

// -------------------------------------------------------------------------------------------------------------- mutants

/// Every mistake of `mutants_soc.toml` makes one of these tests fail, on the card of two cores.
#[test]
fn every_mutant_is_caught() {
    let tests: [(&str, fn()); 14] = [
        ("slave errors", slave_errors),
        ("exceptions and resets", exceptions_and_resets),
        ("halt, resume and step", halt_resume_and_step),
        ("host and program", host_and_program_see_the_same),
        ("a running core", memories_of_a_running_core),
        ("outside", outside_of_two_cores),
        ("regions", dma::regions_of_two_cores),
        ("a region that shrinks", dma::a_region_that_shrinks),
        ("beyond a region", dma::beyond_a_region),
        ("a start under words", a_start_under_the_hosts_words),
        ("DRAM that hangs", driving::dram_that_hangs),
        ("resets under transfers", dma::reset_under_transfers_of_two_cores),
        ("random accesses", || comparison::against_the_reference("soc_two", 1_000, 500)),
        ("everything at once", || comparison::everything_at_once("soc_two", 200, 600)),
    ];
    let mutants = fenn_verilated::mutants::all_of_cards();
    let mut survivors = Vec::new();
    for number in 0..=mutants.len() as u32 {
        // Some hang; the card as it is may be slow.
        let seconds = if number == 0 { 600 } else { 10 };
        common::stand_in(Some(number), std::time::Duration::from_secs(seconds));
        let caught = tests.iter().find(|(_, test)| std::panic::catch_unwind(test).is_err());
        match (number.checked_sub(1).map(|index| &mutants[index as usize]), caught) {
            (None, caught) => assert!(caught.is_none(), "without a mutant: {:?}", caught.map(|(name, _)| name)),
            (Some(mutant), None) => survivors.push(format!("{number}: {} ({})", mutant.breaks, mutant.file)),
            (Some(mutant), Some((name, _))) => eprintln!("{number}: {}: {name}", mutant.breaks),
        }
    }
    assert!(survivors.is_empty(), "not caught: {survivors:#?}");
}
