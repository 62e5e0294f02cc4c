//! Each instruction by itself, with its operands at the corners: the smallest programs that fail where a row is wrong.

use fenn_isa::operand::OperandKind;
use fenn_isa::{Class, Inst, Op, Role};
use fenn_verilated::axi::Pace;
use fenn_verilated::campaign;
use fenn_verilated::configuration::Configuration;
use fenn_verilated::lockstep::{End, Lockstep};

const X: [u32; 7] = [0, 1, u32::MAX, 0x8000_0000, 0x7fff_ffff, 31, 0x1234_8765];

fn word(op: Op, operands: &[i64]) -> u32 {
    op.spec().assemble(operands).unwrap_or_else(|index| panic!("operand {index} of {op:?}: {operands:?}"))
}

fn set(words: &mut Vec<u32>, rd: i64, value: u32) {
    let low = (value as i32) << 20 >> 20;
    let high = value.wrapping_sub(low as u32) >> 12;
    words.push(word(Op::Lui, &[rd, i64::from(high)]));
    words.push(word(Op::Addi, &[rd, rd, i64::from(low)]));
}

/// Numbers to try for an immediate.
fn immediates(kind: OperandKind) -> Vec<i64> {
    let range = kind.range();
    match kind {
        OperandKind::Csr => vec![0x300, 0x340, 0xb00, 0xf14, 0x7c0],
        OperandKind::Branch | OperandKind::Jump => vec![8, 12],
        _ => vec![0, *range.start(), *range.end(), 1, (range.start() + range.end()) / 2],
    }
}

/// Programs with one instruction of this row in each of many settings, nothing near it.
fn programs(op: Op) -> Vec<Vec<u32>> {
    let mut programs = Vec::new();
    for case in 0..X.len() * X.len() {
        let (a, b) = (X[case % X.len()], X[case / X.len()]);
        let mut words = Vec::new();
        // Vectors with lanes of every kind, in an order that differs between the two.
        set(&mut words, 26, 2048);
        for (register, row) in [(1, case as i64 % 20), (2, case as i64 / 7 + 3), (3, 5)] {
            words.push(word(Op::VLoadV, &[register, 64 * row, 26]));
        }
        words.push(word(Op::VLoadR0, &[0, 26]));
        words.push(word(Op::VLoadR1, &[64, 26]));
        let (mut first, mut second) = (a, b);
        match op.spec().class {
            // Within memory, in every alignment.
            Class::Load | Class::Store => first = 64 + case as u32 % 8,
            Class::VectorLoad | Class::VectorStore | Class::GeneratorLoad => {
                first = (64 * (case as u32 % 64)) ^ (a & 0x8000_0000)
            }
            Class::JumpRegister => first = 4,
            _ => {}
        }
        if op.spec().class == Class::Store {
            second = b;
        }
        set(&mut words, 5, first);
        set(&mut words, 6, second);
        words.extend([word(Op::Addi, &[0, 0, 0]); 3]);
        let at = 4 * words.len() as i64;
        let mut sources = 0;
        let operands: Vec<i64> = op
            .spec()
            .operands()
            .enumerate()
            .map(|(index, operand)| match (operand.kind, operand.role) {
                // A store has its data first and its base last.
                (OperandKind::XReg, Role::Source) if op.spec().class == Class::Store => {
                    if index == 0 {
                        6
                    } else {
                        5
                    }
                }
                (OperandKind::XReg | OperandKind::VReg, Role::Source) => {
                    sources += 1;
                    if operand.kind == OperandKind::XReg { 4 + sources } else { sources }
                }
                (OperandKind::XReg, _) => 7,
                (OperandKind::VReg, _) => 3,
                _ if op.spec().class == Class::JumpRegister => at + 4,
                (OperandKind::Imm12, _) if matches!(op.spec().class, Class::Load | Class::Store) => case as i64 % 9 - 4,
                (OperandKind::Imm12, _)
                    if matches!(op.spec().class, Class::VectorLoad | Class::VectorStore | Class::GeneratorLoad) =>
                {
                    64 * (case as i64 % 5)
                }
                (kind, _) => {
                    let choices = immediates(kind);
                    choices[case % choices.len()]
                }
            })
            .collect();
        words.push(word(op, &operands));
        words.extend([word(Op::Addi, &[0, 0, 0]); 4]);
        // What it left is read again.
        words.push(word(Op::Sw, &[7, 0, 0]));
        words.push(word(Op::VStore, &[3, 0, 26]));
        words.push(word(Op::Ecall, &[]));
        programs.push(words);
    }
    programs
}

fn run(lockstep: &mut Lockstep, op: Op) -> u64 {
    let mut executed = 0;
    for words in programs(op) {
        lockstep.load_code(&words).unwrap();
        let end = lockstep.run(0, Pace::Steady, 2000).unwrap_or_else(|failure| panic!("{op:?}: {failure}"));
        // `mret` goes to address 0, again and again.
        executed += u64::from(matches!(end, End::Stop(_)) || op == Op::Mret);
        lockstep.compare_memories().unwrap_or_else(|failure| panic!("{op:?}: {failure}"));
        lockstep.restore().unwrap();
    }
    executed
}

#[test]
fn every_row_by_itself() {
    let configuration = Configuration::by_name("compact").expect("it is in the table");
    let mut lockstep = campaign::prepared(configuration, 0).unwrap();
    for op in Op::ALL {
        assert!(run(&mut lockstep, *op) > 0, "{op:?} comes to no end");
    }
    eprintln!("{} cycles", lockstep.cycles());
}

#[test]
fn the_debug_port_stops_and_steps() {
    let configuration = Configuration::by_name("compact").expect("it is in the table");
    let mut lockstep = campaign::prepared(configuration, 0).unwrap();
    // A loop without end is stopped from outside, and both are at the same place then.
    let words = [word(Op::Addi, &[5, 5, 1]), word(Op::Jal, &[0, -4])];
    lockstep.load_code(&words).unwrap();
    assert_eq!(lockstep.run(0, Pace::Steady, 500).unwrap(), End::Limit);
    assert!(matches!(Inst::decode(words[1]), Some(Inst::Jal { .. })));
}

/// Both channels at once, one started `delay` cycles behind the other. Where a row has two beats or more, whoever's row has
/// to wait for the other's must make up for it, for a transfer takes as long as it does alone; where it has one, the
/// transfer to DRAM is later by exactly as many cycles as the simulator says.
#[test]
fn both_channels_at_every_distance() {
    use fenn_isa::csr::Register;
    for name in ["board", "compact", "wide"] {
        let configuration = Configuration::by_name(name).expect("it is in the table");
        let mut lockstep = campaign::prepared(configuration, 0).unwrap();
        let (vector, dram) = (configuration.memory.vector_bytes, configuration.memory.dram_bytes);
        // Where a transfer takes a cycle a row, one is over when the other begins to move, unless they are of other lengths.
        let lengths: &[(u32, u32)] = if name == "wide" { &[(12, 12), (3, 40), (40, 3)] } else { &[(12, 12)] };
        let cases = lengths.iter().flat_map(|rows| (0..48).map(|case| (*rows, case % 12, case / 12 % 2, case / 24)));
        for (rows, delay, first, watched) in cases {
            let mut words = Vec::new();
            use Register::{Mm2sControl, Mm2sCount, Mm2sDstAddr, Mm2sSrcAddr, Mm2sStatus};
            use Register::{S2mmControl, S2mmCount, S2mmDstAddr, S2mmSrcAddr, S2mmStatus};
            let registers = [
                (Mm2sSrcAddr, 0x100),
                (Mm2sDstAddr, vector / 4),
                (Mm2sCount, 64 * rows.0),
                (S2mmSrcAddr, vector / 2),
                (S2mmDstAddr, dram / 2 + 0xf80),
                (S2mmCount, 64 * rows.1),
            ];
            let address = |register: Register| i64::from(register.spec().address);
            for (register, value) in registers {
                // Addresses on multiples of 64 below 2^12 times 2^20: two words always.
                set(&mut words, 5, value);
                words.push(word(Op::Csrrw, &[0, address(register), 5]));
            }
            let controls = if first == 0 { [Mm2sControl, S2mmControl] } else { [S2mmControl, Mm2sControl] };
            words.push(word(Op::Csrrwi, &[0, address(controls[0]), 1]));
            words.extend(vec![word(Op::Addi, &[0, 0, 0]); delay]);
            words.push(word(Op::Csrrwi, &[0, address(controls[1]), 1]));
            // Every cycle, of one of them.
            let status = if watched == 0 { Mm2sStatus } else { S2mmStatus };
            words.extend(vec![word(Op::Csrrs, &[6, address(status), 0]); 270]);
            // A 32-bit port is slower than these reads: the rest is waited for.
            words.push(word(Op::Csrrs, &[6, address(Mm2sStatus), 0]));
            words.push(word(Op::Csrrs, &[7, address(S2mmStatus), 0]));
            words.push(word(Op::And, &[6, 6, 7]));
            words.push(word(Op::Andi, &[6, 6, 2]));
            words.push(word(Op::Beq, &[6, 0, -16]));
            words.push(word(Op::Ecall, &[]));
            lockstep.load_code(&words).unwrap();
            let end = lockstep.run(0, Pace::Steady, 5000);
            let end = end.unwrap_or_else(|failure| {
                panic!("{name}, {rows:?} rows, {delay} cycles, channel {first} first: {failure}")
            });
            assert!(matches!(end, End::Stop(_)), "{name}: {end:?}");
            lockstep.compare_memories().unwrap_or_else(|failure| panic!("{name}: {failure}"));
            lockstep.restore().unwrap();
        }
    }
}
