//! Small programs from beginning to end: loops and calls, DMA, trap handlers, ready flags, counters, and what a host
//! sees and does.

mod support;

use fenn_isa::Class;
use fenn_isa::csr::{DMA_MAX_BYTES, dma_status};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::timing::{FENN, Profile, ProfileError};
use fenn_iss::dma::Transfer;
use fenn_iss::{Access, AccessKind, Error, Limits, Machine, Observer, Retired, State, Statistics, Stop, Trace, Trap};
use support::{bytes, image, lanes, machine, run, scalar_words, small, v, x};

#[test]
fn a_loop_adds_up() {
    let (machine, outcome) = run(&[
        "addi t0, zero, 100",
        "add t1, t1, t0",
        "addi t0, t0, -1",
        "bne t0, zero, .-8",
        "sw t1, 12(zero)",
        "ecall",
    ]);
    assert_eq!(outcome.stop, Stop::Ecall { pc: 20 });
    assert_eq!(outcome.instructions, 1 + 3 * 100 + 1, "`ecall` is not executed");
    assert_eq!(outcome.cycles, outcome.instructions);
    assert_eq!(scalar_words(&machine, 12, 1), [5050]);
    assert_eq!(machine.state().pc, 20);
}

#[test]
fn functions_are_called_and_return() {
    // f(n) = n < 2 ? n : f(n − 1) + f(n − 2), with a stack at the end of scalar memory.
    let (machine, outcome) = run(&[
        "addi sp, zero, 1024",
        "addi a0, zero, 12",
        "jal ra, .+12",
        "sw a0, 0(zero)",
        "ecall",
        "slti t0, a0, 2",
        "beq t0, zero, .+8",
        "jalr zero, 0(ra)",
        "addi sp, sp, -12",
        "sw ra, 0(sp)",
        "sw a0, 4(sp)",
        "addi a0, a0, -1",
        "jal ra, .-28",
        "sw a0, 8(sp)",
        "lw a0, 4(sp)",
        "addi a0, a0, -2",
        "jal ra, .-44",
        "lw t0, 8(sp)",
        "add a0, a0, t0",
        "lw ra, 0(sp)",
        "addi sp, sp, 12",
        "jalr zero, 0(ra)",
    ]);
    assert_eq!(outcome.stop, Stop::Ecall { pc: 16 });
    assert_eq!(scalar_words(&machine, 0, 1), [144]);
    assert_eq!(machine.state().x(x(2)), 1024);
}

#[test]
fn a_run_can_be_cut_into_pieces() {
    let program = ["addi t0, t0, 1", "vrng v1", "vadd v2, v2, v1", "addi t1, zero, 200", "bne t0, t1, .-16", "ecall"];
    let start = || {
        let mut machine = machine(&program, support::PLAIN);
        machine.state_mut().generators.s0 = std::array::from_fn(|lane| 7 * lane as u16 + 1);
        machine
    };
    let mut whole = start();
    let outcome = whole.run(Limits::default(), &mut ());
    let mut pieces = start();
    let mut instructions = 0;
    loop {
        let piece = pieces.run(Limits { instructions: Some(7), ..Limits::default() }, &mut ());
        instructions += piece.instructions;
        if piece.stop != (Stop::InstructionLimit { pc: pieces.state().pc }) {
            assert_eq!(piece.stop, outcome.stop);
            break;
        }
    }
    assert_eq!(instructions, outcome.instructions);
    assert_eq!(pieces.state(), whole.state());
    assert!(pieces.memory() == whole.memory());
}

#[test]
fn the_ready_flag_ends_a_run_after_its_store() {
    let lines = ["sw zero, 64(zero)", "addi t0, zero, 1", "sw t0, 60(zero)", "sb t0, 66(zero)", "jal zero, .+0"];
    let flagged = Image { ready_flag: Some(64), ..image(small(), &lines) };
    let mut machine = Machine::from_image(&flagged, support::PLAIN).unwrap();
    let outcome = machine.run(Limits { instructions: Some(100), ..Limits::default() }, &mut ());
    assert_eq!(outcome.stop, Stop::ReadyFlag { pc: 12 });
    assert_eq!(outcome.instructions, 4, "storing zero, and storing beside it, does not end the run");
    assert_eq!(machine.state().pc, 16);
    // Without the flag the same program spins.
    let (_, outcome) = run(&lines);
    assert_eq!(outcome.stop, Stop::InstructionLimit { pc: 16 });
}

#[test]
fn a_misaligned_store_over_the_flags_edge_counts() {
    let lines = ["addi t0, zero, -1", "sw t0, 62(zero)", "ecall"];
    for (flag, ends) in [(60, true), (64, true), (68, false), (56, false)] {
        let flagged = Image { ready_flag: Some(flag), ..image(small(), &lines) };
        let mut machine = Machine::from_image(&flagged, support::PLAIN).unwrap();
        let stop = machine.run(Limits::default(), &mut ()).stop;
        assert_eq!(stop == Stop::ReadyFlag { pc: 4 }, ends, "{flag}");
    }
}

#[test]
fn ebreak_stops_and_the_host_can_go_on() {
    let mut machine = machine(&["addi t0, zero, 1", "ebreak", "addi t0, t0, 1", "ecall"], support::PLAIN);
    assert_eq!(machine.run(Limits::default(), &mut ()).stop, Stop::Ebreak { pc: 4 });
    assert_eq!(machine.run(Limits::default(), &mut ()).stop, Stop::Ebreak { pc: 4 });
    machine.state_mut().pc += 4;
    assert_eq!(machine.run(Limits::default(), &mut ()).stop, Stop::Ecall { pc: 12 });
    assert_eq!(machine.state().x(x(5)), 2);
}

/// Starts a transfer with the registers in t0 (source), t1 (destination), t2 (bytes).
const START: [&str; 4] = [
    "csrrw zero, mm2s_src_addr, t0",
    "csrrw zero, mm2s_dst_addr, t1",
    "csrrw zero, mm2s_count, t2",
    "csrrwi zero, mm2s_control, 1",
];

/// What the status register reads in each of the cycles after a start, one read per cycle.
fn statuses(machine: &mut Machine, [source, destination, count]: [u32; 3], reads: usize) -> Vec<u32> {
    let mut lines = START.to_vec();
    lines.resize(4 + reads, "csrrs t3, mm2s_status, zero");
    machine.write(Space::Instruction, 0, &support::words(&lines)).unwrap();
    for (register, value) in [(5, source), (6, destination), (7, count)] {
        machine.state_mut().set_x(x(register), value);
    }
    machine.run(Limits { instructions: Some(4), ..Limits::default() }, &mut ());
    let read = |_| {
        assert_eq!(machine.step(&mut ()), Ok(()));
        machine.state().x(x(28))
    };
    (0..reads).map(read).collect()
}

#[test]
fn a_transfer_takes_ten_cycles_and_four_per_vector() {
    let mut machine = Machine::new(small(), support::PLAIN).unwrap();
    let data: Vec<i16> = (0..96).map(|i| 3 * i - 100).collect();
    machine.write(Space::Dram, 640, &bytes(&data)).unwrap();
    let seen = statuses(&mut machine, [640, 128, 192], 24);
    // The write executes in cycle 0, so read `i` is made in cycle `i + 1`.
    let expected: Vec<u32> = (1..=24)
        .map(|cycle| match cycle {
            0..10 => dma_status::START,
            10..22 => dma_status::TRANSFERRING,
            _ => dma_status::IDLE | dma_status::OK,
        })
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(lanes(&machine.read_bytes(Space::Vector, 128, 192).unwrap()), data);
}

#[test]
fn data_move_when_the_transfer_ends() {
    let mut lines = START.to_vec();
    lines.extend(["addi t4, zero, 4", "addi t4, t4, -1", "bne t4, zero, .-4", "vloadv v1, 0(zero)"]);
    lines.extend(["addi t4, zero, 4", "addi t4, t4, -1", "bne t4, zero, .-4", "vloadv v2, 0(zero)", "ecall"]);
    let mut machine = machine(&lines, support::PLAIN);
    machine.write(Space::Dram, 0, &[1; 64]).unwrap();
    machine.state_mut().set_x(x(7), 64);
    assert!(machine.run(Limits::default(), &mut ()).stop.is_end());
    assert_eq!(machine.state().v(v(1)).0, [0; 32], "cycle 10: not yet");
    assert_eq!(machine.state().v(v(2)).0, [0x0101; 32], "cycle 20: since 14");
}

#[test]
fn what_the_engine_cannot_do_is_an_error_bit() {
    let small = small();
    let idle = dma_status::IDLE;
    for (registers, expected) in [
        ([1, 0, 64], idle | dma_status::INTERNAL_ERROR),
        ([0, 32, 64], idle | dma_status::INTERNAL_ERROR),
        ([0, 0, 63], idle | dma_status::INTERNAL_ERROR),
        ([0, 0, 0], idle | dma_status::INTERNAL_ERROR),
        ([0, 0, DMA_MAX_BYTES + 64], idle | dma_status::INTERNAL_ERROR),
        ([small.dram_bytes, 0, 64], idle | dma_status::DECODE_ERROR),
        ([small.dram_bytes - 64, 0, 128], idle | dma_status::DECODE_ERROR),
        ([0, small.vector_bytes, 64], idle | dma_status::DECODE_ERROR),
        ([0xffff_ffc0, 0, 64], idle | dma_status::DECODE_ERROR),
        ([0, small.vector_bytes - 64, 64], dma_status::START),
    ] {
        let mut machine = Machine::new(small, support::PLAIN).unwrap();
        let before = machine.memory().clone();
        assert_eq!(statuses(&mut machine, registers, 1), [expected], "{registers:?}");
        let mut after = machine.memory().clone();
        after.write(Space::Instruction, 0, &[0; 20]).unwrap();
        assert!(after == before);
    }
}

#[test]
fn a_start_while_busy_is_dropped_and_shows() {
    let mut lines = START.to_vec();
    lines.extend(["csrrwi zero, mm2s_src_addr, 0", "csrrwi zero, mm2s_control, 1", "csrrs t3, mm2s_status, zero"]);
    lines.extend(["csrrs t4, mm2s_status, zero"; 16]);
    lines.extend(["csrrwi zero, mm2s_control, 0", "csrrs t5, mm2s_status, zero", "csrrwi zero, mm2s_control, 1"]);
    lines.extend(["csrrs t6, mm2s_status, zero", "ecall"]);
    let mut machine = machine(&lines, support::PLAIN);
    machine.write(Space::Dram, 64, &[9; 64]).unwrap();
    machine.state_mut().set_x(x(5), 64);
    machine.state_mut().set_x(x(7), 64);
    assert!(machine.run(Limits { instructions: Some(24), ..Limits::default() }, &mut ()).instructions == 24);
    assert_eq!(machine.read_bytes(Space::Vector, 0, 64).unwrap(), [9; 64], "the first transfer, undisturbed");
    assert!(machine.run(Limits::default(), &mut ()).stop.is_end());
    let seen = [28, 29, 30, 31].map(|register| machine.state().x(x(register)));
    let error = dma_status::INTERNAL_ERROR;
    assert_eq!(
        seen,
        [dma_status::START | error, dma_status::IDLE | error, dma_status::IDLE | error, dma_status::START]
    );
}

#[test]
fn both_channels_run_at_once_and_end_with_the_program() {
    // DRAM 0 goes to vector 0, vector 64 to DRAM 0: which is first decides what arrives.
    for (starts, arrives) in [(["s2mm_control", "mm2s_control"], 6), (["mm2s_control", "s2mm_control"], 5)] {
        let starts = starts.map(|register| format!("csrrwi zero, {register}, 1"));
        let mut machine = machine(
            &[
                "addi t0, zero, 64",
                "csrrw zero, mm2s_count, t0",
                "csrrw zero, s2mm_src_addr, t0",
                "csrrw zero, s2mm_count, t0",
                &starts[0],
                &starts[1],
                "ecall",
            ],
            support::PLAIN,
        );
        machine.write(Space::Dram, 0, &[5; 64]).unwrap();
        machine.write(Space::Vector, 64, &[6; 64]).unwrap();
        let mut statistics = Statistics::default();
        let outcome = machine.run(Limits::default(), &mut statistics);
        assert_eq!(outcome.cycles, 6, "the clock stands while the transfers end");
        assert_eq!(machine.read_bytes(Space::Vector, 0, 64).unwrap(), [arrives; 64]);
        assert_eq!(machine.read_bytes(Space::Dram, 0, 64).unwrap(), [6; 64]);
        assert_eq!((statistics.transfers, statistics.transferred_bytes), (2, 128));
    }
}

#[test]
fn a_handler_sees_the_trap_and_returns() {
    let (machine, outcome) = run(&[
        "addi t0, zero, 32",
        "csrrw zero, mtvec, t0",
        "csrrsi zero, mstatus, 8",
        "lui t1, 0x40000",
        "lw t2, 5(t1)",
        "csrrs s4, mstatus, zero",
        "addi t3, zero, 7",
        "ecall",
        // The handler: keep what it sees, skip the instruction.
        "csrrs s0, mcause, zero",
        "csrrs s1, mtval, zero",
        "csrrs s2, mepc, zero",
        "csrrs s3, mstatus, zero",
        "addi s5, s2, 4",
        "csrrw zero, mepc, s5",
        "mret",
    ]);
    assert_eq!(outcome.stop, Stop::Ecall { pc: 28 });
    assert_eq!(outcome.instructions, 13, "the load that trapped did not retire");
    assert_eq!(outcome.cycles, 14, "entering the handler took a cycle");
    let seen = [8, 9, 18, 19, 20, 28].map(|register| machine.state().x(x(register)));
    assert_eq!(seen, [5, 0x4000_0005, 16, 0x1880, 0x1888, 7]);
}

#[test]
fn counters_run_when_they_are_let() {
    let (machine, _) = run(&[
        "csrrs a0, minstret, zero",
        "csrrwi zero, mcountinhibit, 0",
        "csrrs a1, minstret, zero",
        "csrrs a2, minstret, zero",
        "csrrs a3, mcycle, zero",
        "addi t0, zero, -1",
        "csrrw zero, minstret, t0",
        "csrrs a4, minstret, zero",
        "csrrs a5, minstret, zero",
        "csrrs a6, minstreth, zero",
        "csrrsi zero, mcountinhibit, 4",
        "csrrs a7, minstret, zero",
        "csrrs s2, minstret, zero",
        "csrrs s3, mcycle, zero",
        "ecall",
    ]);
    let registers: [u32; 8] = std::array::from_fn(|i| machine.state().x(x(10 + i)));
    assert_eq!(registers, [0, 0, 1, 2, u32::MAX, 0, 1, 3]);
    assert_eq!(machine.state().x(x(18)), 3, "stopped");
    assert_eq!(machine.state().x(x(19)), 11, "mcycle was not");
    assert_eq!(machine.state().retired, 14, "the machine's own count never stops");
}

#[test]
fn machines_are_reused_and_cloned() {
    let lines = ["lw t0, 0(zero)", "addi t0, t0, 1", "sw t0, 0(zero)", "vrng v1", "csrrwi zero, mtvec, 4", "ecall"];
    let mut first = machine(&lines, support::PLAIN);
    first.write(Space::Dram, 4096, &[1; 64]).unwrap();
    let mut second = first.clone();
    assert!(first.memory() == second.memory());
    for samples in 1..=3 {
        first.reset();
        assert_eq!(first.state(), second.state(), "reset is the state before the first run");
        assert!(first.run(Limits::default(), &mut ()).stop.is_end());
        assert_eq!(scalar_words(&first, 0, 1), [samples], "memories are not reset");
    }
    second.write(Space::Dram, 4096, &[2; 64]).unwrap();
    assert_eq!(first.read_bytes(Space::Dram, 4096, 2).unwrap(), [1, 1], "clones do not share what they write");
    assert!(first.memory() != second.memory());
    second.write(Space::Dram, 65536, &[0]).unwrap();
    second.write(Space::Dram, 4096, &[1; 64]).unwrap();
    second.write(Space::Scalar, 0, &[3]).unwrap();
    assert!(first.memory() == second.memory(), "a page of zeros is a page never written");
}

#[test]
fn loading_clears_what_was_there() {
    let mut machine = machine(&["ecall"], support::PLAIN);
    for (space, address) in [(Space::Scalar, 9), (Space::Vector, 77), (Space::LaneLocal, 3), (Space::Dram, 1000)] {
        machine.write(space, address, &[1, 2, 3]).unwrap();
        assert_eq!(machine.read_bytes(space, address, 3).unwrap(), [1, 2, 3]);
    }
    let mut image = image(small(), &["addi t0, zero, 1", "ecall"]);
    image.entry = 4;
    image.segments.push(Segment { space: Space::Vector, address: 64, bytes: vec![8; 3], size: 128 });
    machine.load(&image).unwrap();
    assert!(machine.memory() == Machine::from_image(&image, support::PLAIN).unwrap().memory());
    assert_eq!(machine.run(Limits::default(), &mut ()).instructions, 0, "execution begins at the entry point");
}

#[test]
fn lane_local_memory_is_laid_out_row_by_row() {
    let mut machine = machine(&["vloadl v2, 6(v1)", "vstorel v3, 8(v1)", "ecall"], support::PLAIN);
    let row: Vec<i16> = (0..32).map(|lane| 100 + lane).collect();
    machine.write(Space::LaneLocal, 3 * 64, &bytes(&row)).unwrap();
    machine.state_mut().v_mut(v(3)).0 = [7; 32];
    machine.state_mut().v_mut(v(1)).0[31] = -2;
    machine.run(Limits::default(), &mut ());
    assert_eq!(machine.state().v(v(2)).0[..31], row[..31]);
    assert_eq!(machine.state().v(v(2)).0[31], 0, "a negative address takes no part");
    let stored = lanes(&machine.read_bytes(Space::LaneLocal, 4 * 64, 64).unwrap());
    assert_eq!(stored, [vec![7; 31], vec![0]].concat());
}

#[test]
fn what_a_host_cannot_have_is_an_error() {
    let mut machine = machine(&["ecall"], support::PLAIN);
    for space in Space::ALL {
        let bytes = machine.config().bytes(space);
        assert!(machine.read_bytes(space, bytes - 1, 1).is_ok());
        let outside = Error::Outside { space, address: bytes - 1, end: u64::from(bytes) + 1, bytes };
        assert_eq!(machine.read_bytes(space, bytes - 1, 2), Err(outside.clone()));
        assert_eq!(machine.write(space, bytes - 1, &[1, 2]), Err(outside));
        assert!(machine.read_bytes(space, u32::MAX, u32::MAX).is_err());
    }
    let larger = MachineConfig { vector_bytes: 8192, ..small() };
    let needed = Error::TooSmall { space: Space::Vector, needed: 8192, bytes: 4096 };
    assert_eq!(machine.load(&image(larger, &["ecall"])), Err(needed));
    let wrong = MachineConfig { lane_local_bytes: 100, ..small() };
    assert!(matches!(Machine::new(wrong, support::PLAIN), Err(Error::Config(_))));
    let far = Image { entry: 4096, ..image(small(), &["ecall"]) };
    assert!(matches!(machine.load(&far), Err(Error::Image(_))));
}

/// Keeps everything it is told.
#[derive(Default)]
struct Diary(Vec<String>);

impl Observer for Diary {
    fn retire(&mut self, retired: &Retired, state: &State) {
        self.0.push(format!("{} at {} then {}", retired.inst, retired.pc, state.pc));
    }
    fn access(&mut self, access: &Access) {
        self.0.push(access.to_string());
    }
    fn transfer(&mut self, transfer: &Transfer) {
        self.0.push(format!("{} bytes moved", transfer.bytes));
    }
    fn trap(&mut self, trap: &Trap) {
        self.0.push(trap.to_string());
    }
}

#[test]
fn observers_see_everything_in_order() {
    let lines = [
        "sh zero, 2(zero)",
        "vloadv v1, 64(zero)",
        "vstorel v1, 4(v2)",
        "beq zero, zero, .+8",
        "ecall",
        "lb a0, -1(zero)",
    ];
    let mut machine = machine(&lines, support::PLAIN);
    machine.state_mut().v_mut(v(2)).0 = std::array::from_fn(|lane| if lane == 5 { 10 } else { -1 });
    let mut diaries = (Diary::default(), Some(Diary::default()));
    machine.run(Limits::default(), &mut diaries);
    assert_eq!(
        diaries.0.0,
        [
            "store of 2 bytes at 0x2 of scalar memory",
            "sh zero, 2(zero) at 0 then 4",
            "load of 64 bytes at 0x40 of vector memory",
            "vloadv v1, 64(zero) at 4 then 8",
            "store of 2 bytes at 0xe of lane-local memory in lane 5",
            "vstorel v1, 4(v2) at 8 then 12",
            "beq zero, zero, .+8 at 12 then 20",
            "trap at pc 0x14 (`lb a0, -1(zero)`): load of 1 bytes at 0xffffffff of scalar memory, which ends at 0x400",
        ]
    );
    assert_eq!(diaries.1.unwrap().0, diaries.0.0);
}

#[test]
fn statistics_count_and_traces_tell() {
    let lines = ["addi t0, zero, 3", "addi t0, t0, -1", "bne t0, zero, .-4", "vlui v3, -2", "ecall"];
    let mut machine = machine(&lines, support::PLAIN);
    let mut observers = (Statistics::default(), Trace::new(Vec::new()));
    let outcome = machine.run(Limits::default(), &mut observers);
    let (statistics, trace) = observers;
    assert_eq!(statistics.total(), outcome.instructions);
    assert_eq!((statistics.op(fenn_isa::Op::Addi), statistics.op(fenn_isa::Op::Bne)), (4, 3));
    assert_eq!((statistics.class(fenn_isa::Class::Branch), statistics.branches_taken), (3, 2));
    assert_eq!(statistics.by_extension().values().sum::<u64>(), statistics.total());
    let text = String::from_utf8(trace.finish().unwrap()).unwrap();
    assert_eq!(text.lines().count() as u64, outcome.instructions);
    assert_eq!(
        text.lines().next(),
        Some("         0      00000000 00300293 addi t0, zero, 3                 x5=00000003")
    );
    assert_eq!(text.lines().nth(2), Some("         2      00000008 fe029ee3 bne t0, zero, .-4"));
    assert!(text.lines().last().unwrap().ends_with(&format!("v3={}", "fffe".repeat(32))));
}

#[test]
fn accesses_name_their_kind() {
    struct Kinds(Vec<AccessKind>);
    impl Observer for Kinds {
        fn retire(&mut self, _: &Retired, _: &State) {}
        fn access(&mut self, access: &Access) {
            self.0.push(access.kind);
        }
        fn transfer(&mut self, _: &Transfer) {}
        fn trap(&mut self, _: &Trap) {}
    }
    let mut machine = machine(&["vloadr0 0(zero)", "vstore v1, 0(zero)", "lw t0, 0(zero)", "ecall"], support::PLAIN);
    let mut kinds = Kinds(Vec::new());
    machine.run(Limits::default(), &mut kinds);
    assert_eq!(kinds.0, [AccessKind::Load, AccessKind::Store, AccessKind::Load]);
}

#[test]
fn transfers_can_be_timed_from_outside() {
    use fenn_iss::dma::Direction::IntoVector;
    let lines = [
        "addi a0, zero, 64",
        "csrrw zero, mm2s_count, a0",
        "csrrwi zero, mm2s_control, 1",
        "csrrs a1, mm2s_status, zero",
        "csrrs a2, mm2s_status, zero",
        "csrrs a3, mm2s_status, zero",
        "ecall",
    ];
    let mut machine = machine(&lines, support::PLAIN);
    machine.write(Space::Dram, 0, &[7; 64]).unwrap();
    for _ in 0..3 {
        machine.step(&mut ()).unwrap();
    }
    machine.set_transfer_times(IntoVector, u64::MAX, u64::MAX, 0);
    machine.step(&mut ()).unwrap();
    // The instruction in cycle 4 sees it begin, the one in cycle 5 sees it ended.
    machine.set_transfer_times(IntoVector, 4, u64::MAX, 0);
    machine.step(&mut ()).unwrap();
    assert_eq!(machine.read_bytes(Space::Vector, 0, 64).unwrap(), [0; 64]);
    machine.set_transfer_times(IntoVector, 4, 5, dma_status::SLAVE_ERROR | dma_status::OK);
    machine.step(&mut ()).unwrap();
    assert_eq!(machine.read_bytes(Space::Vector, 0, 64).unwrap(), [7; 64]);
    let states = [11, 12, 13].map(|index| machine.state().x(x(index)));
    assert_eq!(states, [dma_status::START, dma_status::TRANSFERRING, dma_status::IDLE | dma_status::SLAVE_ERROR]);
}

#[test]
fn a_dram_that_cannot_be_is_refused() {
    for (bytes, possible) in [(0, false), (1, true), (16, true), (24, false), (64, true), (96, false), (128, true)] {
        let mut options = support::PLAIN;
        options.profile.dram.bytes_per_cycle = bytes;
        let made = Machine::new(small(), options).map(drop);
        assert_eq!(made, if possible { Ok(()) } else { Err(ProfileError::Dram { bytes }.into()) });
    }
}

#[test]
fn a_timing_that_no_core_has_is_refused() {
    let refused = |change: &dyn Fn(&mut Profile)| {
        let mut profile = FENN;
        change(&mut profile);
        Machine::builder().profile(profile).build().map(drop).map_err(|error| error.to_string())
    };
    for (entries, possible) in [(0, true), (1, true), (3, false), (16, true), (100, false), (128, true), (255, false)] {
        let text = format!("a branch target buffer cannot have {entries} entries: it must be a power of two, or 0");
        let expected = if possible { Ok(()) } else { Err(text) };
        assert_eq!(refused(&|profile| profile.redirect.buffer = entries), expected);
    }
    for class in Class::ALL {
        let text = format!("instructions of the class {class:?} take no cycle: it must be one or more");
        assert_eq!(refused(&|profile| profile.classes[class as usize].occupancy = 0), Err(text));
    }
    let text = "divisions take no cycle: it must be one or more".to_owned();
    assert_eq!(refused(&|profile| profile.divider.base = 0), Err(text));
}
