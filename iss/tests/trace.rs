//! Traces: what a line says, that bytes say the same, and that damage is noticed.

mod support;

use fenn_isa::memory::{LANES, Space};
use fenn_isa::timing::StallCause;
use fenn_isa::{Inst, Role, SPECS, operand::OperandKind};
use fenn_iss::dma::{Direction, Transfer};
use fenn_iss::observe::binary::Damage;
use fenn_iss::observe::record::{Record, Step, Touched, Value};
use fenn_iss::observe::{BinaryTrace, TraceError, TraceReader};
use fenn_iss::timing::{Stall, Stalls};
use fenn_iss::{Access, AccessKind, Cause, Limits, Machine, Options, Stop, Trace, Trap, Vector};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use support::{bytes, small, v, x};

/// Text and bytes of the same run.
fn both(machine: &mut Machine, limits: Limits<'_>) -> (String, Vec<u8>) {
    let mut observers = (Trace::new(Vec::new()), BinaryTrace::new(Vec::new()));
    machine.run(limits, &mut observers);
    (String::from_utf8(observers.0.finish().unwrap()).unwrap(), observers.1.finish().unwrap())
}

fn read(trace: &[u8]) -> Result<Vec<Record>, TraceError> {
    TraceReader::new(trace)?.collect()
}

fn print(trace: &[u8]) -> String {
    read(trace).unwrap().iter().map(|record| format!("{record}\n")).collect()
}

/// Every column, written by hand from the timing table: results of loads come a cycle later, products too, and a branch
/// that the fetch unit has not foreseen costs two cycles.
#[test]
fn lines_say_what_happened() {
    let lines = [
        "lw t0, 8(zero)",
        "addi t0, t0, 1",
        "sb t0, 13(zero)",
        "vloadv v1, 64(zero)",
        "vadd v2, v1, v1",
        "vstorel v2, 4(v3)",
        "vloadl v2, 0(v4)",
        "vloadr1 64(zero)",
        "jal zero, .+8",
        "ecall",
        "lw t0, -4(zero)",
    ];
    let mut machine = support::machine(&lines, Options::default());
    machine.write(Space::Scalar, 8, &[0xff, 0x12, 0, 0]).unwrap();
    machine.write(Space::Vector, 64, &bytes(&[7; LANES])).unwrap();
    machine.state_mut().v_mut(v(3)).0 = [10; LANES];
    machine.state_mut().v_mut(v(4)).0 = std::array::from_fn(|lane| if lane == 2 { -2 } else { 2 * lane as i16 });
    machine.state_mut().v_mut(v(2)).0 = [-1; LANES];
    let (text, trace) = both(&mut machine, Limits::default());
    let fourteen = "000e".repeat(32);
    // Lane-local memory has 14 at byte 14, and lane 2 keeps its lane.
    let loaded: String = (0..32).map(|lane| if lane == 7 || lane == 2 { "000e" } else { "0000" }).collect();
    let addresses =
        (0..32).map(|lane| if lane == 2 { "-".to_owned() } else { format!("{:04x}", 2 * lane) }).collect::<Vec<_>>();
    let seven = "0007".repeat(32);
    let expected = [
        "         0      00000000 00802283 lw t0, 8(zero)                   x5=000012ff <scalar:00000008".to_owned(),
        "         2    1 00000004 00128293 addi t0, t0, 1                   x5=00001300 ; load-use 1".to_owned(),
        "         3      00000008 005006a3 sb t0, 13(zero)                  >scalar:0000000d=00".to_owned(),
        format!("         4      0000000c 04000092 vloadv v1, 64(zero)              v1={seven} <vector:00000040"),
        format!("         6    1 00000010 ######## vadd v2, v1, v1                  v2={fourteen} ; vector-result 1"),
        format!("         7      00000014 ######## vstorel v2, 4(v3)                >lane:000e={fourteen}"),
        format!("         8      00000018 ######## vloadl v2, 0(v4)                 v2={loaded} <lane:{}", addresses.join(",")),
        format!("         9      0000001c ######## vloadr1 64(zero)                 s1={seven} <vector:00000040"),
        "        10    1 00000020 0080006f jal zero, .+8                    ; jump 1".to_owned(),
        "                trap at pc 0x28 (`lw t0, -4(zero)`): load of 4 bytes at 0xfffffffc of scalar memory, which ends at 0x400"
            .to_owned(),
    ];
    assert_eq!(text.lines().count(), expected.len(), "{text}");
    for (line, expected) in text.lines().zip(&expected) {
        // The words of the vector rows are the table's own business.
        let hidden = if expected.contains("########") {
            format!("{}########{}", &line[..25], &line[33..])
        } else {
            line.to_owned()
        };
        assert_eq!(hidden, *expected);
    }
    assert_eq!(print(&trace), text);
}

/// A trace of one instruction, byte for byte as the format's description says.
#[test]
fn the_bytes_are_those_of_the_format() {
    let mut machine = support::machine(&["addi t0, zero, -3", "ecall"], Options::default());
    let (_, trace) = both(&mut machine, Limits::default());
    // A step with a word (bit 3) and a result (bit 5): the word, then the signed -3, which is the varint 5.
    let mut expected = b"FENNTRC\x01\x28\x93\x02\xd0\xff\x05".to_vec();
    // The end of one record.
    expected.extend([3, 1]);
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    expected.iter().for_each(|byte| hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    expected.extend(hash.to_le_bytes());
    assert_eq!(trace, expected);
}

fn random_word(rng: &mut Pcg64Mcg) -> u32 {
    let spec = &SPECS[rng.random_range(0..SPECS.len())];
    rng.next_u32() & !spec.layout.mask | spec.layout.value
}

/// Random instructions in random states, traps and handlers, transfers, and registers that the host changes in between,
/// so that nothing is as the writer expects.
#[test]
fn bytes_print_the_text_of_random_programs() {
    let mut records = 0;
    let mut kinds = [0; 3];
    for seed in 0..150 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut machine = Machine::new(small(), Options { strict: seed % 3 == 0, ..Options::default() }).unwrap();
        let code: Vec<u8> = (0..256).flat_map(|_| random_word(&mut rng).to_le_bytes()).collect();
        machine.write(Space::Instruction, 0, &code).unwrap();
        let mut observers = (Trace::new(Vec::new()), BinaryTrace::new(Vec::new()));
        for _ in 0..60 {
            let state = machine.state_mut();
            for index in 0..32 {
                let near = rng.random_range(0..32) * 64;
                state.set_x(x(index), if rng.random() { near } else { rng.next_u32() });
                state.v[index] = Vector(std::array::from_fn(|_| rng.next_u32() as i16 >> rng.random_range(0..16)));
            }
            state.csrs.mtvec = if rng.random() { 0 } else { 4 * rng.random_range(0..256) };
            for direction in Direction::ALL {
                let channel = state.dma.channel_mut(direction);
                (channel.source, channel.destination, channel.count) = (64 * rng.random_range(0..8), 64, 128);
            }
            state.pc = 4 * rng.random_range(0..256);
            // Half the time a transfer is begun.
            if rng.random() {
                let start = support::words(&["csrrwi zero, mm2s_control, 1", "csrrwi zero, s2mm_control, 1"]);
                let pc = state.pc & !4;
                state.pc = pc;
                machine.write(Space::Instruction, pc, &start).unwrap();
            }
            machine.run(Limits { instructions: Some(20), ..Limits::default() }, &mut observers);
        }
        let text = String::from_utf8(observers.0.finish().unwrap()).unwrap();
        let trace = observers.1.finish().unwrap();
        let found = read(&trace).unwrap();
        for record in &found {
            kinds[match record {
                Record::Step(_) => 0,
                Record::Transfer(_) => 1,
                Record::Trap(_) => 2,
            }] += 1;
        }
        records += found.len();
        assert_eq!(print(&trace), text, "seed {seed}");
    }
    assert!(records > 10_000 && kinds.iter().all(|count| *count > 5), "{kinds:?}");
}

/// A record that no machine may ever make, but of the right shape.
fn random_record(rng: &mut Pcg64Mcg) -> Record {
    let number = |rng: &mut Pcg64Mcg| {
        [0, 1, 0x7f, 0x80, 0x7fff_ffff, 0x8000_0000, u32::MAX, rng.next_u32()][rng.random_range(0..8)]
    };
    let vector = |rng: &mut Pcg64Mcg| match rng.random_range(0..3) {
        0 => Vector([rng.next_u32() as i16; LANES]),
        1 => Vector(std::array::from_fn(|lane| if lane % 9 == 0 { rng.next_u32() as i16 } else { 0 })),
        _ => Vector(std::array::from_fn(|_| rng.next_u32() as i16)),
    };
    let access = |rng: &mut Pcg64Mcg| Access {
        kind: if rng.random() { AccessKind::Load } else { AccessKind::Store },
        space: Space::ALL[rng.random_range(0..5)],
        address: number(rng),
        bytes: number(rng),
        lane: rng.random::<bool>().then(|| rng.next_u32() as u8),
    };
    match rng.random_range(0..10) {
        0 => Record::Transfer(Transfer {
            direction: Direction::ALL[rng.random_range(0..2)],
            source: number(rng),
            destination: number(rng),
            bytes: number(rng),
        }),
        1 => {
            let cause = match rng.random_range(0..7) {
                0 => Cause::FetchMisaligned { target: number(rng) },
                1 => Cause::FetchOutside { size: number(rng) },
                2 => Cause::Illegal,
                3 => Cause::NoSuchCsr { address: rng.next_u32() as u16 },
                4 => Cause::ReadOnlyCsr { address: rng.next_u32() as u16 },
                5 => Cause::Misaligned { access: access(rng), alignment: number(rng) },
                _ => Cause::Outside { access: access(rng), size: number(rng) },
            };
            Record::Trap(Trap { pc: number(rng), word: rng.random::<bool>().then(|| number(rng)), cause })
        }
        _ => {
            let inst = loop {
                if let Some(inst) = Inst::decode(random_word(rng)) {
                    break inst;
                }
            };
            let name = inst.op().spec().mnemonic();
            let written = inst.op().spec().operands().find(|one| matches!(one.role, Role::Destination | Role::Merged));
            let result = match written {
                Some(one) if one.kind == OperandKind::VReg => Some(Value::Vector(vector(rng))),
                Some(one) if one.field.extract(inst.encode()) != 0 => Some(Value::Scalar(number(rng))),
                None if name.starts_with("vloadr") => Some(Value::Vector(vector(rng))),
                _ => None,
            };
            let scalar = matches!(name, "lb" | "lh" | "lw" | "lbu" | "lhu" | "sb" | "sh" | "sw");
            let touched = match name {
                "vloadl" | "vstorel" => {
                    Touched::Lanes(std::array::from_fn(|_| rng.random::<bool>().then(|| number(rng))))
                }
                "vloadv" | "vstore" | "vloadr0" | "vloadr1" => Touched::Place { address: number(rng) },
                _ if scalar => Touched::Place { address: number(rng) },
                _ => Touched::Nothing,
            };
            let stored = match name {
                "sb" => Some(Value::Scalar(number(rng) & 0xff)),
                "sh" => Some(Value::Scalar(number(rng) & 0xffff)),
                "sw" => Some(Value::Scalar(number(rng))),
                "vstore" | "vstorel" => Some(Value::Vector(vector(rng))),
                _ => None,
            };
            let stall = |rng: &mut Pcg64Mcg| {
                rng.random::<bool>().then(|| Stall {
                    cause: StallCause::ALL[rng.random_range(0..StallCause::ALL.len())],
                    cycles: number(rng).max(1),
                })
            };
            let stalls =
                Stalls { before: stall(rng), port: if rng.random() { 0 } else { number(rng) }, after: stall(rng) };
            let cycle = if rng.random() { rng.next_u64() } else { u64::from(number(rng)) };
            Record::Step(Step { cycle, pc: number(rng) & !3, inst, stalls, result, touched, stored })
        }
    }
}

#[test]
fn what_is_written_is_read() {
    for seed in 0..40 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let records: Vec<Record> = (0..500).map(|_| random_record(&mut rng)).collect();
        let mut trace = BinaryTrace::new(Vec::new());
        records.iter().for_each(|record| trace.record(record));
        let trace = trace.finish().unwrap();
        let found = read(&trace).unwrap();
        for (index, (found, written)) in found.iter().zip(&records).enumerate() {
            assert_eq!(found, written, "seed {seed}, record {index}");
        }
        assert_eq!(found.len(), records.len());
    }
}

/// One with everything in it: 60 records.
fn sample() -> Vec<u8> {
    let mut rng = Pcg64Mcg::seed_from_u64(7);
    let mut trace = BinaryTrace::new(Vec::new());
    (0..60).for_each(|_| trace.record(&random_record(&mut rng)));
    trace.finish().unwrap()
}

#[test]
fn a_trace_that_was_cut_says_where() {
    let trace = sample();
    for length in 0..trace.len() {
        let Err(TraceError::Damaged { offset, damage }) = read(&trace[..length]) else {
            panic!("{length} bytes were enough")
        };
        assert_eq!(offset, length as u64);
        assert_eq!(damage, if length < 8 { Damage::NoTrace } else { Damage::Cut });
    }
    let longer = [&trace[..], &[0]].concat();
    let error = read(&longer).unwrap_err();
    assert_eq!(error.to_string(), format!("the trace is damaged at byte {}: something follows its end", longer.len()));
}

/// Every bit of it turned, and every byte changed to some other: never a trace without an error, and never a panic.
#[test]
fn a_trace_that_was_changed_is_an_error() {
    let trace = sample();
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut kinds = std::collections::BTreeSet::new();
    for place in 0..trace.len() {
        for change in [1, 2, 4, 8, 16, 32, 64, 128, rng.random_range(1..=255)] {
            let mut changed = trace.clone();
            changed[place] ^= change;
            match read(&changed) {
                Err(TraceError::Damaged { offset, damage }) => {
                    // The damage is behind the change, or the change is in the hash that was then compared.
                    assert!(offset > place as u64 && offset <= trace.len() as u64, "{place}: {damage} at {offset}");
                    kinds.insert(damage.to_string().split(' ').next_back().map(str::to_owned));
                }
                other => panic!("byte {place} changed by {change:#x}: {other:?}"),
            }
        }
    }
    assert!(kinds.len() >= 5, "{kinds:?}");
    // Bytes that never were a trace.
    for _ in 0..20_000 {
        let mut noise = trace[..8].to_vec();
        noise.extend((0..rng.random_range(0..200)).map(|_| rng.next_u32() as u8));
        assert!(read(&noise).is_err());
    }
}

/// A vector-heavy loop with changing lanes, and a scalar one; the factors are stated in the module's documentation.
#[test]
fn bytes_are_shorter_than_text() {
    let neurons = [
        "addi t0, zero, 400",
        "vlui v0, 31170",
        "vlui v1, 1024",
        "vloadv v2, 0(zero)",
        "vmul_rn v3, v0, v3, 15",
        "vadd_s v3, v3, v2",
        "vtge t1, v3, v1",
        "sw t1, 0(a1)",
        "vsub_s v4, v3, v1",
        "vsel v3, t1, v4",
        "addi t0, t0, -1",
        "bne t0, zero, .-28",
        "ecall",
    ];
    let scalar = ["lw t1, 0(a0)", "add t2, t2, t1", "sw t2, 4(a0)", "addi t0, t0, 1", "jal zero, .-16"];
    for (lines, factor) in [(&neurons[..], 4), (&scalar[..], 20)] {
        let mut machine = support::machine(lines, Options::default());
        let currents: Vec<i16> = (0..32).map(|lane| 64 * lane).collect();
        machine.write(Space::Vector, 0, &bytes(&currents)).unwrap();
        let (text, trace) = both(&mut machine, Limits { instructions: Some(3000), ..Limits::default() });
        assert!(text.lines().count() == 3000);
        assert!(trace.len() * factor <= text.len(), "{} bytes against {}", trace.len(), text.len());
    }
}

/// A writer that fails once is asked no more, and the error is told.
#[test]
fn a_failed_write_is_told() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or_else(|| std::io::Error::other("full"))?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut machine = support::machine(&["addi t0, t0, 1", "jal zero, .-4"], Options::default());
    let mut observers = (Trace::new(Full(500)), BinaryTrace::new(Full(100)));
    let outcome = machine.run(Limits { instructions: Some(1000), ..Limits::default() }, &mut observers);
    assert_eq!(outcome.stop, Stop::InstructionLimit { pc: machine.state().pc });
    assert_eq!(observers.0.finish().err().unwrap().to_string(), "full");
    assert_eq!(observers.1.finish().err().unwrap().to_string(), "full");
}
