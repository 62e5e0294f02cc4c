//! Every way an instruction can fail to execute, what strict mode adds, and that nothing else ever happens: random words
//! in random states end in one of the documented ways.

mod support;

use fenn_isa::csr::{self, CSRS};
use fenn_isa::memory::Space;
use fenn_isa::{Inst, SPECS};
use fenn_iss::{Access, AccessKind, Cause, Limits, Machine, Options, Stop, Trap, Vector};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use support::{STRICT, machine, small, words, x};

/// Executes one instruction with x1 as given; on a trap nothing may have changed.
fn step(line: &str, x1: u32, options: Options) -> Result<Machine, Trap> {
    let mut machine = machine(&["ecall", line], options);
    let state = machine.state_mut();
    state.pc = 4;
    state.set_x(x(1), x1);
    state.v[1] = Vector(std::array::from_fn(|lane| if lane == 9 { x1 as i16 } else { -1 }));
    let before = machine.clone();
    match machine.step(&mut ()) {
        Ok(()) => Ok(machine),
        Err(Stop::Trap(trap)) => {
            assert_eq!(machine.state(), before.state(), "{line}");
            assert!(machine.memory() == before.memory(), "{line}");
            assert_eq!((trap.pc, trap.word), (4, before.memory().word(4)), "{line}");
            Err(trap)
        }
        Err(stop) => panic!("{line}: {stop}"),
    }
}

fn access(kind: AccessKind, space: Space, address: u32, bytes: u32) -> Access {
    let lane = (space == Space::LaneLocal).then_some(9);
    Access { kind, space, address, bytes, lane }
}

#[test]
fn scalar_accesses_beyond_the_end_trap() {
    for (line, kind, bytes) in [
        ("lb x2, 0(x1)", AccessKind::Load, 1),
        ("lbu x2, 0(x1)", AccessKind::Load, 1),
        ("lh x2, 0(x1)", AccessKind::Load, 2),
        ("lhu x2, 0(x1)", AccessKind::Load, 2),
        ("lw x2, 0(x1)", AccessKind::Load, 4),
        ("sb x2, 0(x1)", AccessKind::Store, 1),
        ("sh x2, 0(x1)", AccessKind::Store, 2),
        ("sw x2, 0(x1)", AccessKind::Store, 4),
    ] {
        for options in [support::PLAIN, STRICT] {
            assert!(step(line, 1024 - bytes, options).is_ok(), "{line}: the last one");
            for address in [1024, 1024 - bytes + 1, 0x8000_0000, 0xffff_fffc, u32::MAX] {
                if (address as usize..address as usize + bytes as usize).end <= 1024 {
                    continue;
                }
                let trap = step(line, address, options).map(drop).unwrap_err();
                let access = access(kind, Space::Scalar, address, bytes);
                assert_eq!(trap.cause, Cause::Outside { access, size: 1024 }, "{line}");
                let code = if kind == AccessKind::Load { 5 } else { 7 };
                assert_eq!((trap.cause.code(), trap.value()), (code, address));
            }
        }
    }
}

#[test]
fn misaligned_scalar_accesses_trap_only_when_strict() {
    for (line, kind, bytes) in [
        ("lh x2, 0(x1)", AccessKind::Load, 2),
        ("lw x2, 0(x1)", AccessKind::Load, 4),
        ("sh x2, 0(x1)", AccessKind::Store, 2),
        ("sw x2, 0(x1)", AccessKind::Store, 4),
    ] {
        for address in 101..101 + bytes - 1 {
            assert!(step(line, address, support::PLAIN).is_ok());
            let trap = step(line, address, STRICT).map(drop).unwrap_err();
            let access = access(kind, Space::Scalar, address, bytes);
            if address % bytes != 0 {
                assert_eq!(trap.cause, Cause::Misaligned { access, alignment: bytes }, "{line}");
                assert_eq!(trap.cause.code(), if kind == AccessKind::Load { 4 } else { 6 });
            }
        }
    }
}

#[test]
fn misaligned_vectors_trap() {
    for (line, kind) in [
        ("vloadv v2, 0(x1)", AccessKind::Load),
        ("vloadr0 0(x1)", AccessKind::Load),
        ("vloadr1 0(x1)", AccessKind::Load),
        ("vstore v2, 0(x1)", AccessKind::Store),
    ] {
        for options in [support::PLAIN, STRICT] {
            for address in [1, 2, 32, 63, 65, 4096 - 2, 4096 + 2] {
                let trap = step(line, address, options).map(drop).unwrap_err();
                let access = access(kind, Space::Vector, address, 64);
                assert_eq!(trap.cause, Cause::Misaligned { access, alignment: 64 }, "{line}");
            }
            assert!(step(line, 4096 - 64, options).is_ok());
        }
        for address in [4096, 0x8000_0000, 0xffff_ffc0] {
            assert!(step(line, address, support::PLAIN).is_ok(), "{line}");
            let trap = step(line, address, STRICT).map(drop).unwrap_err();
            assert_eq!(trap.cause, Cause::Outside { access: access(kind, Space::Vector, address, 64), size: 4096 });
        }
    }
}

#[test]
fn lane_addresses_trap_only_when_strict() {
    for (line, kind) in [("vloadl v2, 2(v1)", AccessKind::Load), ("vstorel v2, 2(v1)", AccessKind::Store)] {
        for (base, cause) in [(252, None), (254, Some(256)), (255, Some(257)), (7, Some(9)), (0x7fff, Some(0x8001))] {
            assert!(step(line, base, support::PLAIN).is_ok(), "{line}");
            let strict = step(line, base, STRICT).map(drop);
            let Some(address) = cause else {
                assert_eq!(strict, Ok(()), "{line}");
                continue;
            };
            let access = access(kind, Space::LaneLocal, address, 2);
            let expected = if address % 2 == 1 {
                Cause::Misaligned { access, alignment: 2 }
            } else {
                Cause::Outside { access, size: 256 }
            };
            assert_eq!(strict.unwrap_err().cause, expected, "{line}");
        }
        let below = line.replace(" 2(", " -4(").replace(", 2(", ", -4(");
        assert!(step(&below, 2, support::PLAIN).is_ok());
        let trap = step(&below, 2, STRICT).map(drop).unwrap_err();
        assert_eq!(trap.value(), -2i32 as u32, "{below}: the sum is negative, the lane takes part all the same");
    }
}

#[test]
fn jumps_to_where_no_instruction_can_be() {
    for (line, x1, target) in [
        ("jal x2, .+6", 0, 10),
        ("jalr x2, 0(x1)", 0x102, 0x102),
        ("jalr x2, 1(x1)", 0x102, 0x102),
        ("beq x0, x0, .+2", 0, 6),
        ("bge x1, x1, .-2", 0, 2),
    ] {
        let trap = step(line, x1, support::PLAIN).map(drop).unwrap_err();
        assert_eq!(trap.cause, Cause::FetchMisaligned { target }, "{line}");
        assert_eq!((trap.cause.code(), trap.value()), (0, target));
    }
    assert_eq!(step("bne x0, x0, .+2", 0, support::PLAIN).unwrap().state().pc, 8, "only a taken branch traps");
}

#[test]
fn leaving_instruction_memory_traps() {
    let mut machine = machine(&["jal zero, .+1024"], support::PLAIN);
    let outcome = machine.run(Limits::default(), &mut ());
    let cause = Cause::FetchOutside { size: 1024 };
    assert_eq!(outcome.stop, Stop::Trap(Trap { pc: 1024, word: None, cause }));
    assert_eq!(outcome.instructions, 1);
    for (pc, cause) in [(0xffff_fffc, cause), (2, Cause::FetchMisaligned { target: 2 })] {
        machine.state_mut().pc = pc;
        assert_eq!(machine.step(&mut ()), Err(Stop::Trap(Trap { pc, word: None, cause })));
    }
    // The last word runs into the end.
    machine.write(Space::Instruction, 1020, &words(&["addi t0, t0, 1"])).unwrap();
    machine.state_mut().pc = 1020;
    assert_eq!(machine.step(&mut ()), Ok(()));
    assert!(matches!(machine.step(&mut ()), Err(Stop::Trap(Trap { pc: 1024, .. }))));
}

#[test]
fn illegal_words_trap_when_they_are_reached() {
    for word in [0, u32::MAX, 0x0000_0001, 0x6000_0002] {
        assert_eq!(Inst::decode(word), None);
        let mut machine = machine(&["addi t0, zero, 1"], support::PLAIN);
        machine.write(Space::Instruction, 4, &word.to_le_bytes()).unwrap();
        let outcome = machine.run(Limits::default(), &mut ());
        assert_eq!(outcome.stop, Stop::Trap(Trap { pc: 4, word: Some(word), cause: Cause::Illegal }));
        assert_eq!(outcome.instructions, 1);
        let Stop::Trap(trap) = outcome.stop else { unreachable!() };
        assert_eq!((trap.cause.code(), trap.value()), (2, word));
    }
}

#[test]
fn csrs_that_are_not_there_or_cannot_be_written() {
    for address in 0..4096u16 {
        let row = csr::by_address(address);
        for (line, writes) in [
            (format!("csrrw x2, {address}, x1"), true),
            (format!("csrrs x2, {address}, x0"), false),
            (format!("csrrs x2, {address}, x1"), true),
            (format!("csrrci x2, {address}, 0"), false),
        ] {
            if row.is_none() && address % 37 != 0 {
                continue;
            }
            let result = step(&line, 0, support::PLAIN);
            match row {
                None => assert_eq!(result.map(drop).unwrap_err().cause, Cause::NoSuchCsr { address }),
                Some(row) if row.access == csr::Access::ReadOnly && writes => {
                    let trap = result.map(drop).unwrap_err();
                    assert_eq!(trap.cause, Cause::ReadOnlyCsr { address });
                    assert_eq!((trap.cause.code(), Some(trap.value())), (2, trap.word));
                    assert!(trap.to_string().contains(row.name), "{trap}");
                }
                Some(row) => assert_eq!(result.unwrap().state().x(x(2)), row.reset, "{}", row.name),
            }
        }
    }
}

/// What each CSR keeps of a word of ones, in the table's order; the counters stand still.
#[test]
fn csrs_keep_what_they_can_hold() {
    for row in CSRS.iter().filter(|row| row.access == csr::Access::ReadWrite) {
        let expected = match row.name {
            "mstatus" => 0x1888,
            "misa" => row.reset,
            "mtvec" | "mepc" => 0xffff_fffc,
            "mcountinhibit" => 0b101,
            "mm2s_control" | "s2mm_control" => 0,
            _ => u32::MAX,
        };
        let line = format!("csrrw x0, {}, x1", row.name);
        let mut machine = step(&line, u32::MAX, support::PLAIN).unwrap();
        machine.write(Space::Instruction, 8, &words(&[&format!("csrrs x3, {}, x0", row.name)])).unwrap();
        assert_eq!(machine.step(&mut ()), Ok(()));
        assert_eq!(machine.state().x(x(3)), expected, "{}", row.name);
    }
}

#[test]
fn a_handler_that_cannot_run_ends_the_run() {
    for (handler, pc) in [(12, 12), (2000, 2000)] {
        let line = format!("addi t0, zero, {handler}");
        let mut machine = machine(&[&line, "csrrw zero, mtvec, t0", "lw t1, -1(zero)"], support::PLAIN);
        let outcome = machine.run(Limits { instructions: Some(100), ..Limits::default() }, &mut ());
        assert!(matches!(outcome.stop, Stop::Trap(trap) if trap.pc == pc), "{}", outcome.stop);
        assert_eq!(machine.state().csrs.mcause, 5, "the first trap's");
        assert_eq!(machine.state().csrs.mepc, 8);
    }
}

#[test]
fn a_handler_that_traps_later_is_cut_by_the_limit() {
    let lines = ["addi t0, zero, 12", "csrrw zero, mtvec, t0", "lw t1, -1(zero)", "addi t2, t2, 1", "lw t1, -1(zero)"];
    let mut machine = machine(&lines, support::PLAIN);
    let outcome = machine.run(Limits { instructions: Some(1000), ..Limits::default() }, &mut ());
    assert_eq!(outcome.stop, Stop::InstructionLimit { pc: machine.state().pc });
    assert_eq!(outcome.instructions, 2 + 499, "entering the handler is a step too");
}

#[test]
fn traps_read_as_sentences() {
    let text = |line: &str, x1| step(line, x1, STRICT).map(drop).unwrap_err().to_string();
    assert_eq!(
        text("lw a0, 8(ra)", 0x2000),
        "trap at pc 0x4 (`lw a0, 8(ra)`): load of 4 bytes at 0x2008 of scalar memory, which ends at 0x400"
    );
    assert_eq!(
        text("vstore v3, 0(ra)", 32),
        "trap at pc 0x4 (`vstore v3, 0(ra)`): store of 64 bytes at 0x20 of vector memory is not a multiple of 64"
    );
    assert_eq!(
        text("vloadl v3, 0(v1)", 256),
        "trap at pc 0x4 (`vloadl v3, 0(v1)`): load of 2 bytes at 0x100 of lane-local memory in lane 9, which ends at 0x100"
    );
    assert_eq!(
        text("jal zero, .+2", 0),
        "trap at pc 0x4 (`jal zero, .+2`): 0x6 is not a multiple of 4, so no instruction can be there"
    );
    assert_eq!(text("csrrw zero, 0x123, ra", 0), "trap at pc 0x4 (`csrrw zero, 0x123, ra`): there is no CSR 0x123");
    let illegal = Trap { pc: 8, word: Some(7), cause: Cause::Illegal };
    assert_eq!(illegal.to_string(), "trap at pc 0x8 (word 0x00000007): illegal instruction");
}

/// A word of some row with random operands, or any word at all.
fn random_word(rng: &mut Pcg64Mcg) -> u32 {
    if rng.random_ratio(1, 8) {
        return rng.next_u32();
    }
    let spec = &SPECS[rng.random_range(0..SPECS.len())];
    rng.next_u32() & !spec.layout.mask | spec.layout.value
}

/// A number that is often a good address.
fn random_value(rng: &mut Pcg64Mcg) -> u32 {
    match rng.random_range(0..4) {
        0 => rng.random_range(0..16) * 64,
        1 => rng.random_range(0..2048),
        2 => [0, 1, u32::MAX, 0x8000_0000, 0x7fff_ffff][rng.random_range(0..5)],
        _ => rng.next_u32(),
    }
}

fn randomise(machine: &mut Machine, rng: &mut Pcg64Mcg) {
    let code: Vec<u8> = (0..256).flat_map(|_| random_word(rng).to_le_bytes()).collect();
    machine.write(Space::Instruction, 0, &code).unwrap();
    let state = machine.state_mut();
    for index in 0..32 {
        state.set_x(x(index), random_value(rng));
        state.v[index] = Vector(std::array::from_fn(|_| random_value(rng) as i16));
    }
    state.generators.s0 = std::array::from_fn(|_| rng.next_u32() as u16);
    state.csrs.mtvec = if rng.random() { 0 } else { 4 * rng.random_range(0..300) };
    state.pc = 4 * rng.random_range(0..256);
}

/// Registers and CSRs keep their invariants, and the trap says what RISC-V knows.
fn check(machine: &Machine, stop: Option<Stop>, strict: bool) {
    let state = machine.state();
    assert_eq!(state.all_x()[0], 0);
    assert_eq!(state.pc % 4, 0);
    assert_eq!((state.csrs.mtvec | state.csrs.mepc) % 4, 0);
    assert_eq!(state.csrs.mstatus & !0x88, 0x1800);
    let Some(Stop::Trap(trap)) = stop else { return };
    assert!(matches!(trap.cause.code(), 0..=7), "{trap}");
    assert_eq!(trap.word.is_none(), matches!(trap.cause, Cause::FetchOutside { .. }), "{trap}");
    if !strict && let Cause::Misaligned { access, .. } = trap.cause {
        assert_eq!(access.space, Space::Vector, "{trap}");
    }
    if !strict && let Cause::Outside { access, .. } = trap.cause {
        assert_eq!(access.space, Space::Scalar, "{trap}");
    }
}

#[test]
fn random_words_in_random_states_end_as_documented() {
    let mut steps = 0u64;
    let mut stops = [0u32; 4];
    for seed in 0..600 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let strict = seed % 4 == 3;
        let mut machine = Machine::new(small(), Options { strict, ..support::PLAIN }).unwrap();
        randomise(&mut machine, &mut rng);
        let mut witness = machine.clone();
        for _ in 0..400 {
            let result = machine.step(&mut ());
            steps += 1;
            assert_eq!(witness.step(&mut ()), result, "seed {seed}: a clone does something else");
            check(&machine, result.err(), strict);
            let Err(stop) = result else { continue };
            match stop {
                Stop::Ecall { .. } => stops[0] += 1,
                Stop::Ebreak { .. } => stops[1] += 1,
                Stop::Trap(_) => stops[2] += 1,
                Stop::ReadyFlag { .. } | Stop::InstructionLimit { .. } => stops[3] += 1,
                Stop::CycleLimit { .. } | Stop::Breakpoint { .. } => panic!("there was none"),
            }
            // On past whatever it was.
            let next = if rng.random() { (stop.pc() & !3).wrapping_add(4) } else { 4 * rng.random_range(0..256) };
            (machine.state_mut().pc, witness.state_mut().pc) = (next, next);
            let (register, value) = (x(rng.random_range(1..32)), random_value(&mut rng));
            machine.state_mut().set_x(register, value);
            witness.state_mut().set_x(register, value);
        }
        assert_eq!(machine.state(), witness.state(), "seed {seed}");
        assert!(machine.memory() == witness.memory(), "seed {seed}");
    }
    assert!(steps >= 200_000);
    assert!(stops[..3].iter().all(|count| *count > 100), "all ways of stopping were met: {stops:?}");
    assert_eq!(stops[3], 0, "there was neither a flag nor a limit");
}
