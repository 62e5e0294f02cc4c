//! Programs at random, for comparisons that want every instruction in every order.
//!
//! Contract: everything comes from the generator that is handed in. A program runs on any machine that holds its words: it
//! traps now and then, and has a handler that goes on behind the instruction that trapped. It need not end.

use fenn_isa::csr::CSRS;
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::operand::OperandKind;
use fenn_isa::{SPECS, Spec, text};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::Rng;

/// A number from 0 up to, and without, `end`.
pub fn below(source: &mut Pcg32, end: u32) -> u32 {
    ((u64::from(source.next_u32()) * u64::from(end)) >> 32) as u32
}

/// One of them.
///
/// # Panics
/// There is none.
pub fn one<T: Copy>(source: &mut Pcg32, of: &[T]) -> T {
    of[below(source, of.len() as u32) as usize]
}

/// A small machine: quick to make and to compare.
pub fn small() -> MachineConfig {
    MachineConfig {
        instruction_bytes: 4 * 512,
        scalar_bytes: 1024,
        vector_bytes: 4096,
        lane_local_bytes: 256,
        dram_bytes: 1 << 16,
    }
}

/// What the handler of [`program`] does: goes on behind the instruction that trapped.
const HANDLER: [&str; 4] = ["csrrs x31, mepc, x0", "addi x31, x31, 4", "csrrw x0, mepc, x31", "mret"];
/// How programs begin, after the handler's address has been put into `x31`.
const BEGIN: &str = "csrrw x0, mtvec, x31";

fn word(line: &str) -> u32 {
    text::parse(line).expect("the lines above are instructions").encode()
}

/// Where programs keep addresses that do for loads and stores of every kind; others do sometimes.
const BASES: [i64; 3] = [8, 9, 10];

/// A program of `length` random instructions for [`small`]: code that loops and jumps about, calls, loads, stores, divides
/// and traps, with few registers, so that results are waited for.
///
/// # Panics
/// It is too long for the machine.
pub fn program(source: &mut Pcg32, length: usize) -> Image {
    let handler = 4 * (4 + BASES.len() + length) as i64;
    let mut words = vec![word(&format!("addi x31, x0, {handler}")), word(BEGIN)];
    for base in BASES {
        words.push(word(&format!("addi x{base}, x0, {}", 64 * below(source, 8))));
    }
    words.push(word("addi x7, x0, 64"));
    let first = words.len();
    words.extend((0..length).map(|index| instruction(source, first + index, first, length)));
    // Falling out of the end begins anew.
    let back = 4 * (first as i64 - words.len() as i64);
    words.push(word(&format!("jal x0, .{back:+}")));
    assert_eq!(4 * words.len() as i64, handler, "the handler comes next");
    words.extend(HANDLER.map(word));
    let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let config = small();
    assert!(words.len() * 4 <= config.instruction_bytes as usize, "the program fits");
    let mut data = vec![0; 1024];
    data.iter_mut().for_each(|byte| *byte = source.next_u32() as u8);
    let segments = vec![Segment::new(Space::Instruction, 0, bytes), Segment::new(Space::Scalar, 0, data)];
    Image { config, segments, ..Image::default() }
}

/// A random instruction for word `at` of a program whose body has `length` words from word `first` on.
fn instruction(source: &mut Pcg32, at: usize, first: usize, length: usize) -> u32 {
    if below(source, 200) == 0 {
        return source.next_u32();
    }
    let spec = loop {
        let spec = &SPECS[below(source, SPECS.len() as u32) as usize];
        // These end a run.
        if !matches!(spec.mnemonic(), "ecall" | "ebreak") {
            break spec;
        }
    };
    // Mostly within a few words, so that there are loops; always within the body.
    let target = if below(source, 4) == 0 {
        below(source, length as u32) as usize
    } else {
        (at - first + 2 * length + below(source, 17) as usize - 8) % length
    };
    let target = 4 * (first + target) as i64;
    let values: Vec<i64> = spec.operands().map(|operand| operand_value(source, spec, operand, at, target)).collect();
    spec.assemble(&values).unwrap_or_else(|_| source.next_u32())
}

fn operand_value(
    source: &mut Pcg32,
    spec: &Spec,
    operand: &fenn_isa::spec::OperandSpec,
    at: usize,
    target: i64,
) -> i64 {
    let memory = ["lb", "lh", "lw", "lbu", "lhu", "sb", "sh", "sw", "vloadv", "vstore", "vloadr0", "vloadr1"];
    let (first, last) = operand.kind.range().into_inner();
    match (operand.kind, operand.name) {
        (OperandKind::XReg, "rs1") if memory.contains(&spec.mnemonic()) && below(source, 8) > 0 => one(source, &BASES),
        (OperandKind::XReg, "rs1") if spec.mnemonic() == "jalr" => i64::from(below(source, 4) == 0),
        // The bases stay what they are, and so does the handler's own register.
        (OperandKind::XReg | OperandKind::VReg, _) => i64::from(below(source, 7)),
        // Now and then where no instruction can be.
        (_, "offset") => target - 4 * at as i64 + if below(source, 30) == 0 { 2 } else { 0 },
        (_, "csr") if below(source, 8) == 0 => i64::from(below(source, 4096)),
        // The handler and the counters' own registers are left alone; so are transfers, which the programs do not expect.
        (_, "csr") => i64::from(one(source, &[CSRS[4].address, CSRS[5].address, CSRS[8].address, CSRS[9].address])),
        (_, "imm") if spec.mnemonic() == "jalr" => target,
        (_, "imm") if memory.contains(&spec.mnemonic()) && spec.mnemonic().starts_with('v') => {
            64 * i64::from(below(source, 8))
        }
        (_, "imm") if memory.contains(&spec.mnemonic()) => i64::from(below(source, 256)),
        _ => first + i64::from(below(source, (last - first + 1).min(i64::from(u32::MAX)) as u32)),
    }
}
