//! The simulated card against the table of registers and windows, read off the table itself.

use std::time::Duration;

use fenn_host::transport::sim::{Options, SimulatedCard};
use fenn_host::transport::{Deadline, Transport, TransportError};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::soc::{
    Access, CARD_REGISTERS, CORE_BLOCK_BYTES, CORE_BLOCKS, CORE_REGISTERS, CardRegister, CoreRegister, FINGERPRINT,
    IDENT, REGISTER_BYTES, VERSION, bus_error, control, core_offset, status, window,
};
use fenn_isa::text;
use proptest::prelude::*;

const CONFIG: MachineConfig = MachineConfig {
    instruction_bytes: 4096,
    scalar_bytes: 8192,
    vector_bytes: 16384,
    lane_local_bytes: 256,
    dram_bytes: 64,
};
const DRAM: u64 = 1 << 20;

fn options() -> Options {
    Options { cores: 2, config: CONFIG, dram_bytes: DRAM, slice: 10, ..Options::default() }
}

fn card() -> SimulatedCard {
    SimulatedCard::new(options()).unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn card_register(card: &mut SimulatedCard, register: CardRegister) -> u32 {
    card.read_register(register.spec().offset).unwrap()
}

fn set(card: &mut SimulatedCard, core: u32, register: CoreRegister, value: u32) {
    card.write_register(core_offset(core, register), value).unwrap();
}

fn get(card: &mut SimulatedCard, core: u32, register: CoreRegister) -> u32 {
    card.read_register(core_offset(core, register)).unwrap()
}

fn program(card: &mut SimulatedCard, core: u32, lines: &[&str]) {
    let bytes: Vec<u8> = lines.iter().flat_map(|line| text::parse(line).expect(line).encode().to_le_bytes()).collect();
    card.write(window(Space::Instruction, core), &bytes, soon()).unwrap();
}

fn why(word: u32) -> (u32, status::Cause) {
    (word & (status::RUNNING | status::DONE | status::ERROR), status::Cause::of(word).unwrap())
}

#[test]
fn every_register_is_as_its_row_says() {
    let card_rows = CARD_REGISTERS.iter().map(|row| (row, 0));
    let core_rows =
        (0..2).flat_map(|core| CORE_REGISTERS.iter().map(move |row| (row, CORE_BLOCKS + core * CORE_BLOCK_BYTES)));
    for (row, block) in card_rows.chain(core_rows) {
        let mut card = card();
        let offset = block + row.offset;
        let before = card.read_register(offset).unwrap();
        for value in [u32::MAX, 0x5555_5555, 0xaaaa_aaaa, 0] {
            // What is pulsed here stops and starts things, and is told of below.
            let value = if row.access == Access::Pulse { value & !(control::RUN | control::RESUME) } else { value };
            card.write_register(offset, value).unwrap();
            let after = card.read_register(offset).unwrap();
            match row.access {
                Access::ReadOnly => assert_eq!(after, before, "{}", row.name),
                Access::Pulse => assert_eq!(after, 0, "{}", row.name),
                Access::ClearByOne => assert_eq!(after, before & !value, "{}", row.name),
                Access::ReadWrite => assert_eq!(after, value, "{}", row.name),
            }
        }
    }
}

#[test]
fn what_is_in_no_row_reads_zero_and_ignores_writes() {
    let mut card = card();
    for offset in (0..REGISTER_BYTES).step_by(4) {
        let known = match offset.checked_sub(CORE_BLOCKS) {
            None => CardRegister::at(offset).is_some(),
            Some(inside) => inside / CORE_BLOCK_BYTES < 2 && CoreRegister::at(inside % CORE_BLOCK_BYTES).is_some(),
        };
        if !known {
            card.write_register(offset, u32::MAX).unwrap();
            assert_eq!(card.read_register(offset), Ok(0), "{offset:#x}");
        }
    }
    for offset in [1, 2, 3, REGISTER_BYTES, u32::MAX - 3] {
        assert!(matches!(card.read_register(offset), Err(TransportError::Register { .. })), "{offset:#x}");
        assert!(matches!(card.write_register(offset, 0), Err(TransportError::Register { .. })), "{offset:#x}");
    }
}

#[test]
fn it_says_what_it_is() {
    let mut card = card();
    use CardRegister::*;
    let expected = [
        (Ident, IDENT),
        (Version, VERSION),
        (Fingerprint, FINGERPRINT),
        (Cores, 2),
        (Lanes, 32),
        (InstructionBytes, 4096),
        (ScalarBytes, 8192),
        (VectorBytes, 16384),
        (LaneBytes, 256),
        (DramLow, DRAM as u32),
        (DramHigh, 0),
        (Scratch, 0),
        (IrqPending, 0),
        (IrqEnable, 0),
        (BusError, 0),
    ];
    for (register, value) in expected {
        assert_eq!(card_register(&mut card, register), value, "{register:?}");
    }
    let mut large = SimulatedCard::new(Options { dram_bytes: 5 << 32, ..options() }).unwrap();
    assert_eq!((card_register(&mut large, DramLow), card_register(&mut large, DramHigh)), (0, 5));
    for core in 0..2 {
        for register in CoreRegister::ALL {
            assert_eq!(get(&mut card, core, *register), 0, "{register:?}");
        }
    }
}

#[test]
fn a_program_runs_to_its_end_and_is_seen_running() {
    let mut card = card();
    program(&mut card, 1, &["addi t0, zero, 100", "addi t0, t0, -1", "bne t0, zero, .-4", "sw t0, 0(zero)", "ecall"]);
    card.write(window(Space::Scalar, 1), &[7; 4], soon()).unwrap();
    set(&mut card, 1, CoreRegister::Control, control::RUN);
    let mut looks = 0;
    while get(&mut card, 1, CoreRegister::Status) == status::RUNNING {
        looks += 1;
    }
    // 202 instructions, 10 at a look.
    assert_eq!(looks, 20);
    assert_eq!(why(get(&mut card, 1, CoreRegister::Status)), (status::DONE, status::Cause::Ecall));
    assert_eq!(get(&mut card, 1, CoreRegister::InstructionsLow), 202);
    assert!(get(&mut card, 1, CoreRegister::CyclesLow) >= 202);
    assert_eq!(get(&mut card, 1, CoreRegister::Pc), 16);
    let mut word = [1; 4];
    card.read(window(Space::Scalar, 1), &mut word, soon()).unwrap();
    assert_eq!(word, [0; 4]);
    // Its neighbour has done nothing.
    assert_eq!(get(&mut card, 0, CoreRegister::Status), 0);
    // A second run counts from its start.
    set(&mut card, 1, CoreRegister::Entry, 12);
    set(&mut card, 1, CoreRegister::Control, control::RUN);
    while get(&mut card, 1, CoreRegister::Status) == status::RUNNING {}
    assert_eq!(get(&mut card, 1, CoreRegister::InstructionsLow), 1);
}

#[test]
fn interrupts_are_pending_until_acknowledged_and_raised_where_enabled() {
    let mut card = card();
    for core in 0..2 {
        program(&mut card, core, &["ecall"]);
        set(&mut card, core, CoreRegister::Control, control::RUN);
    }
    card.write_register(CardRegister::IrqEnable.spec().offset, 1).unwrap();
    card.wait_event(0, soon()).unwrap();
    assert_eq!(card_register(&mut card, CardRegister::IrqPending), 0b11);
    card.wait_event(0, soon()).unwrap();
    // Not enabled, so nothing is raised.
    let short = Duration::from_millis(2);
    assert!(
        matches!(card.wait_event(1, Deadline::after(short)), Err(TransportError::Deadline { limit, .. }) if limit == short)
    );
    card.write_register(CardRegister::IrqAck.spec().offset, 1).unwrap();
    assert_eq!(card_register(&mut card, CardRegister::IrqPending), 0b10);
    assert!(card.wait_event(0, Deadline::after(short)).is_err());
    assert_eq!(why(get(&mut card, 0, CoreRegister::Status)).0, status::DONE, "status stays");
    // A start takes it back.
    program(&mut card, 1, &["jal zero, .+0"]);
    set(&mut card, 1, CoreRegister::Control, control::RUN);
    assert_eq!(card_register(&mut card, CardRegister::IrqPending), 0);
    assert!(card.wait_event(2, soon()).is_err(), "there is no core 2");
}

#[test]
fn a_core_stops_for_each_reason() {
    use status::Cause::{Ebreak, Request, Reset, Step, Trap};
    let mut card = card();
    let status_now = |card: &mut SimulatedCard| why(get(card, 0, CoreRegister::Status));
    assert_eq!(status_now(&mut card), (0, Reset));
    program(&mut card, 0, &["addi t0, t0, 1", "ebreak", "lw t1, -4(zero)", "jal zero, .+0"]);
    set(&mut card, 0, CoreRegister::Control, control::RUN | control::HALT);
    assert_eq!((status_now(&mut card), get(&mut card, 0, CoreRegister::Pc)), ((0, Request), 0));
    assert_eq!(get(&mut card, 0, CoreRegister::InstructionsLow), 0, "in front of its first instruction");
    set(&mut card, 0, CoreRegister::Control, control::RUN | control::STEP);
    assert_eq!(status_now(&mut card), (0, Step));
    assert_eq!(get(&mut card, 0, CoreRegister::Pc), 4);
    assert_eq!(get(&mut card, 0, CoreRegister::InstructionsLow), 1);
    set(&mut card, 0, CoreRegister::Control, control::RESUME);
    assert_eq!(status_now(&mut card), (status::ERROR, Ebreak));
    assert_eq!(get(&mut card, 0, CoreRegister::Pc), 4);
    assert_eq!(get(&mut card, 0, CoreRegister::InstructionsLow), 1, "counting goes on from the start");
    set(&mut card, 0, CoreRegister::Entry, 8);
    set(&mut card, 0, CoreRegister::Control, control::RUN);
    assert_eq!(status_now(&mut card), (status::ERROR, Trap));
    assert_eq!(get(&mut card, 0, CoreRegister::TrapCause), 5);
    assert_eq!(get(&mut card, 0, CoreRegister::TrapValue), 0xffff_fffc);
    assert_eq!(card_register(&mut card, CardRegister::IrqPending), 1);
    // The instruction raises it again.
    set(&mut card, 0, CoreRegister::Control, control::RESUME);
    assert_eq!(get(&mut card, 0, CoreRegister::TrapCause), 0, "nothing while it runs");
    assert_eq!(status_now(&mut card), (status::ERROR, Trap));
    set(&mut card, 0, CoreRegister::Entry, 12);
    set(&mut card, 0, CoreRegister::Control, control::RUN);
    assert_eq!(status_now(&mut card).0, status::RUNNING);
    assert_eq!(get(&mut card, 0, CoreRegister::TrapCause), 0);
    let before = get(&mut card, 0, CoreRegister::InstructionsLow);
    // Ignored while it runs.
    set(&mut card, 0, CoreRegister::Control, control::RUN);
    set(&mut card, 0, CoreRegister::Control, control::RESUME);
    assert_eq!(status_now(&mut card).0, status::RUNNING);
    assert!(get(&mut card, 0, CoreRegister::InstructionsLow) > before);
    set(&mut card, 0, CoreRegister::Control, control::HALT);
    assert_eq!(status_now(&mut card), (0, Request));
    assert_eq!(card_register(&mut card, CardRegister::IrqPending), 0, "a halt is no end");
    set(&mut card, 0, CoreRegister::Control, control::RESUME);
    assert_eq!(status_now(&mut card).0, status::RUNNING);
    set(&mut card, 0, CoreRegister::Control, control::RESET | control::RUN);
    assert_eq!(status_now(&mut card), (0, Reset));
    assert_eq!(get(&mut card, 0, CoreRegister::InstructionsLow), 0);
}

#[test]
fn memories_are_apart_and_dram_is_everybodys() {
    let mut card = card();
    let spaces = [Space::Instruction, Space::Scalar, Space::Vector, Space::LaneLocal];
    let places: Vec<u64> = spaces
        .iter()
        .flat_map(|space| (0..2).map(|core| window(*space, core) + u64::from(CONFIG.bytes(*space)) - 64))
        .chain([window(Space::Dram, 0), window(Space::Dram, 0) + DRAM - 64])
        .collect();
    for (place, tag) in places.iter().zip(1..) {
        card.write(*place, &[tag; 64], soon()).unwrap();
    }
    for (place, tag) in places.iter().zip(1..) {
        let mut bytes = [0; 64];
        card.read(*place, &mut bytes, soon()).unwrap();
        assert_eq!(bytes, [tag; 64], "{place:#x}");
        // One word further there is no memory; nothing is told to the card.
        let outside = card.read(*place + 4, &mut bytes, soon());
        if *place != window(Space::Dram, 0) {
            assert!(matches!(outside, Err(TransportError::Outside { .. })), "{place:#x}");
        }
    }
    assert_eq!(card_register(&mut card, CardRegister::BusError), 0);
}

#[test]
fn accesses_that_fail_are_noted_until_cleared() {
    let mut card = SimulatedCard::new(Options { tells_windows: false, alignment: 1, ..options() }).unwrap();
    let mut word = [0; 4];
    let refused = |result: Result<(), TransportError>, text: &str| {
        let Err(TransportError::Refused { answer, .. }) = result else { panic!("{result:?}") };
        assert!(answer.contains(text), "{answer}");
    };
    let end = window(Space::Scalar, 0) + 8192;
    // The upper core's windows are those of a card with 16.
    for (address, bytes) in [(end - 2, 4), (end, 4), (0x4000_0000, 4), (window(Space::Vector, 2), 4), (u64::MAX - 7, 4)]
    {
        refused(card.read(address, &mut word[..bytes], soon()), "DECERR");
    }
    refused(card.write(0x7000_0000, &word, soon()), "DECERR");
    assert_eq!(card_register(&mut card, CardRegister::BusError), bus_error::READ_DECODE | bus_error::WRITE_DECODE);
    assert_eq!(card_register(&mut card, CardRegister::BusErrorLow), (end - 2) as u32, "the first one's place");
    assert_eq!(card_register(&mut card, CardRegister::BusErrorHigh), 0);
    card.write_register(CardRegister::BusError.spec().offset, bus_error::READ_DECODE).unwrap();
    assert_eq!(card_register(&mut card, CardRegister::BusError), bus_error::WRITE_DECODE);
    card.write_register(CardRegister::BusError.spec().offset, u32::MAX).unwrap();
    refused(card.read(u64::MAX - 7, &mut word, soon()), "DECERR");
    assert_eq!(card_register(&mut card, CardRegister::BusErrorHigh), u32::MAX);
    card.write_register(CardRegister::BusError.spec().offset, u32::MAX).unwrap();

    program(&mut card, 0, &["jal zero, .+0"]);
    set(&mut card, 0, CoreRegister::Control, control::RUN);
    for space in [Space::Vector, Space::LaneLocal] {
        refused(card.read(window(space, 0), &mut word, soon()), "SLVERR");
        refused(card.write(window(space, 0), &word, soon()), "SLVERR");
        // The other core stands still.
        card.write(window(space, 1), &word, soon()).unwrap();
    }
    for space in [Space::Instruction, Space::Scalar] {
        card.read(window(space, 0), &mut word, soon()).unwrap();
        card.write(window(space, 0) + 64, &word, soon()).unwrap();
    }
    assert_eq!(card_register(&mut card, CardRegister::BusError), bus_error::READ_BUSY | bus_error::WRITE_BUSY);
    // Less than a word, except in DRAM.
    refused(card.write(window(Space::Scalar, 1) + 2, &word[..2], soon()), "SLVERR");
    card.write(window(Space::Dram, 0) + 3, &[9], soon()).unwrap();
    card.read(window(Space::Scalar, 1) + 2, &mut word[..2], soon()).unwrap();
}

/// Moves a vector from byte `t0` of DRAM to vector memory and waits.
const FETCH: [&str; 9] = [
    "lw t0, 0(zero)",
    "csrrw zero, mm2s_src_addr, t0",
    "csrrwi zero, mm2s_dst_addr, 0",
    "addi t1, zero, 64",
    "csrrw zero, mm2s_count, t1",
    "csrrwi zero, mm2s_control, 1",
    "csrrs t2, mm2s_status, zero",
    "andi t3, t2, 2",
    "beq t3, zero, .-8",
];

#[test]
fn a_core_sees_its_region_and_no_more() {
    let mut card = card();
    let lines: Vec<&str> = FETCH.into_iter().chain(["sw t2, 4(zero)", "ecall"]).collect();
    let dram = window(Space::Dram, 0);
    for (address, tag) in [(0x3000, 3), (0x4fc0, 4), (0x5000, 5)] {
        card.write(dram + address, &[tag; 64], soon()).unwrap();
    }
    program(&mut card, 0, &lines);
    let mut fetch = |base: u64, limit: u32, source: u32| {
        card.write(window(Space::Scalar, 0), &source.to_le_bytes(), soon()).unwrap();
        card.write(window(Space::Vector, 0), &[0; 64], soon()).unwrap();
        set(&mut card, 0, CoreRegister::DramBaseLow, base as u32);
        set(&mut card, 0, CoreRegister::DramBaseHigh, (base >> 32) as u32);
        set(&mut card, 0, CoreRegister::DramLimit, limit);
        set(&mut card, 0, CoreRegister::Control, control::RUN);
        while get(&mut card, 0, CoreRegister::Status) == status::RUNNING {}
        let (mut word, mut vector) = ([0; 4], [0; 64]);
        card.read(window(Space::Scalar, 0) + 4, &mut word, soon()).unwrap();
        card.read(window(Space::Vector, 0), &mut vector, soon()).unwrap();
        (u32::from_le_bytes(word), vector[63])
    };
    use fenn_isa::csr::dma_status::{DECODE_ERROR, IDLE, OK};
    assert_eq!(fetch(0x3000, 0x2000, 0), (IDLE | OK, 3));
    assert_eq!(fetch(0x3000, 0x2000, 0x1fc0), (IDLE | OK, 4));
    assert_eq!(fetch(0x3000, 0x2000, 0x2000), (IDLE | DECODE_ERROR, 0));
    assert_eq!(fetch(0x3000, 0x2040, 0x2000), (IDLE | OK, 5));
    assert_eq!(fetch(0, 0, 0), (IDLE | DECODE_ERROR, 0), "no region");
    // A region that goes on where there is no DRAM any more.
    assert_eq!(fetch(DRAM - 4096, 1 << 20, 4096 - 64), (IDLE | OK, 0));
    assert_eq!(fetch(DRAM - 4096, 1 << 20, 4096), (IDLE | DECODE_ERROR, 0));
    assert_eq!(fetch(1 << 40, 4096, 0), (IDLE | DECODE_ERROR, 0));
}

#[test]
fn cores_share_dram_while_both_run() {
    let mut card = card();
    let dram = window(Space::Dram, 0);
    let lines: Vec<&str> = FETCH
        .into_iter()
        .chain(["vloadv v1, 0(zero)", "vextract t0, v1, 0", "beq t0, zero, .-44", "sw t0, 8(zero)", "ecall"])
        .collect();
    for core in 0..2 {
        program(&mut card, core, &lines);
        set(&mut card, core, CoreRegister::DramLimit, 4096);
        set(&mut card, core, CoreRegister::Control, control::RUN);
    }
    for _ in 0..50 {
        assert_eq!(get(&mut card, 0, CoreRegister::Status), status::RUNNING);
    }
    card.write(dram, &[5; 64], soon()).unwrap();
    for core in 0..2 {
        while get(&mut card, core, CoreRegister::Status) == status::RUNNING {}
        let mut word = [0; 4];
        card.read(window(Space::Scalar, core) + 8, &mut word, soon()).unwrap();
        assert_eq!(u32::from_le_bytes(word), 0x0505);
    }
}

#[test]
fn cards_that_cannot_be_are_refused() {
    let bad = [
        Options { cores: 0, ..options() },
        Options { cores: 17, ..options() },
        Options { dram_bytes: 100, ..options() },
        Options { dram_bytes: 1 << 41, ..options() },
        Options { alignment: 3, ..options() },
        Options { config: MachineConfig { vector_bytes: 1, ..CONFIG }, ..options() },
    ];
    for options in bad {
        assert!(SimulatedCard::new(options).is_err(), "{options:?}");
    }
}

proptest! {
    /// Whatever a host does, in whatever order, the card answers, and two cards to which the same is done are the same.
    #[test]
    fn any_host_gets_an_answer(actions in proptest::collection::vec((0u32..6, any::<u32>(), any::<u32>()), 1..80)) {
        let mut cards = [card(), card()];
        let answers = cards.each_mut().map(|card| {
            program(card, 0, &FETCH);
            let act = |(kind, a, b): &(u32, u32, u32)| {
                let core = b % 2;
                let spaces = [Space::Instruction, Space::Scalar, Space::Vector, Space::LaneLocal, Space::Dram];
                let place = window(spaces[(a % 5) as usize], core) + u64::from((b % 0x4000) & !3);
                match kind {
                    0 => format!("{:?}", card.write_register((a % REGISTER_BYTES) & !3, *b)),
                    1 => format!("{:?}", card.write_register(core_offset(core, CoreRegister::Control), a & 31)),
                    2 => format!("{:?}", card.read_register((a % REGISTER_BYTES) & !3)),
                    3 => format!("{:?}", card.write(place, &a.to_le_bytes(), soon())),
                    4 => {
                        let mut out = [0; 8];
                        format!("{:?} {out:?}", card.read(place, &mut out, soon()))
                    }
                    _ => format!("{:?}", card.write_register(core_offset(core, CoreRegister::DramLimit), a % 0x4000)),
                }
            };
            actions.iter().map(act).collect::<Vec<_>>()
        });
        prop_assert_eq!(&answers[0], &answers[1]);
    }
}
