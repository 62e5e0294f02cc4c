//! What the tests and the benchmark share: machines from lines of text, and registers by name.

#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

pub mod program;

use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::operand::{VReg, XReg};
use fenn_isa::text;
use fenn_iss::{Engine, Limits, Machine, Options, Outcome};

/// A small machine: quick to make and to compare.
pub fn small() -> MachineConfig {
    MachineConfig {
        instruction_bytes: 4 * 256,
        scalar_bytes: 1024,
        vector_bytes: 4096,
        lane_local_bytes: 256,
        dram_bytes: 1 << 20,
    }
}

pub fn x(index: usize) -> XReg {
    XReg::new(index as i64).unwrap()
}

pub fn v(index: usize) -> VReg {
    VReg::new(index as i64).unwrap()
}

/// The words of the program, one line each.
pub fn words(lines: &[&str]) -> Vec<u8> {
    let word = |line: &&str| text::parse(line).unwrap_or_else(|error| panic!("`{line}`: {error}")).encode();
    lines.iter().flat_map(|line| word(line).to_le_bytes()).collect()
}

/// The program at address 0.
pub fn image(config: MachineConfig, lines: &[&str]) -> Image {
    Image { config, segments: vec![Segment::new(Space::Instruction, 0, words(lines))], ..Image::default() }
}

/// A small machine with the program.
pub fn machine(lines: &[&str], options: Options) -> Machine {
    Machine::from_image(&image(small(), lines), options).unwrap()
}

/// Runs the program, for at most 100,000 steps.
pub fn run(lines: &[&str]) -> (Machine, Outcome) {
    let mut machine = machine(lines, PLAIN);
    let outcome = machine.run(Limits { instructions: Some(100_000), ..Limits::default() }, &mut ());
    (machine, outcome)
}

pub const STRICT: Options = Options { strict: true, profile: fenn_isa::timing::FUNCTIONAL, engine: Engine::Fast };

/// One cycle for every instruction; carries on where the board does.
pub const PLAIN: Options = Options { strict: false, profile: fenn_isa::timing::FUNCTIONAL, engine: Engine::Fast };

/// Reads 32-bit words of scalar memory.
pub fn scalar_words(machine: &Machine, address: u32, count: usize) -> Vec<u32> {
    let mut bytes = vec![0; 4 * count];
    machine.read(Space::Scalar, address, &mut bytes).unwrap();
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
}

/// The bytes of 16-bit numbers.
pub fn bytes(lanes: &[i16]) -> Vec<u8> {
    lanes.iter().flat_map(|lane| lane.to_le_bytes()).collect()
}

/// The numbers of bytes.
pub fn lanes(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes(pair.try_into().unwrap())).collect()
}
