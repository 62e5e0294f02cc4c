//! The scalar core against QEMU: random programs that leave the same registers and the same memory on both.
//!
//! Contract: a program is RV32IM with Zbb and Zifencei, without CSRs and system calls but for the end, and it ends. Its code
//! and its data have the same addresses on the simulator and in the Linux process that QEMU's user mode makes of it, so
//! that links and `auipc` agree; the same words run on both. At its end it stores all registers behind its data, which a
//! system call then writes to standard output; on the simulator that call is the end. What is compared are all those
//! bytes. Programs come from a seed and a number.
//!
//! Every result is folded into a register that nothing else writes, for it may be overwritten before the end. Operands are
//! corners (0, ±1, the ends of the signed numbers, shift amounts and their neighbours, single bits) as often
//! as anything else; loads and stores of every width go to every offset, aligned or not; branches, `jal` and `jalr` go
//! forwards and backwards.

use std::process::{Command, Stdio};

use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::operand::OperandKind;
use fenn_isa::{Extension, Inst, Op, SPECS, Spec, text};
use fenn_iss::{Limits, Machine, Options, Statistics, Stop};
use object::write::elf::{FileHeader, ProgramHeader, Writer};
use object::{Endianness, elf};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

use crate::random::{below, one};

/// QEMU's user mode for this architecture: Debian's package `qemu-user`.
pub const QEMU: &str = "qemu-riscv32";
/// Where the code is: above what a process may not map.
const CODE: u32 = 0x1_0000;
/// Where the data are.
const DATA: u32 = 0x10_0000;
/// Bytes of data that programs load and store: whatever an immediate reaches from the middle.
const DATA_BYTES: u32 = 0x1000;
/// Where the registers go at the end: behind the data and what a store at their end reaches.
const REGISTERS: u32 = DATA + 0x2000;
/// All that is compared.
const COMPARED: usize = 0x2000 + 4 * 32;
/// Holds the middle of the data throughout.
const BASE: i64 = 30;
/// Every result goes into it.
const SUM: i64 = 28;
/// Known where it is read.
const TEMPORARY: i64 = 29;
/// Registers that anything may change: those below.
const FREE: u32 = 28;
/// Counts the turns of loops.
const COUNTER: i64 = 31;
/// Steps after which a program is not one of ours.
const MOST: u64 = 100_000_000;

/// The comparison cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// QEMU is not there.
    #[error("{QEMU} cannot be run: {0} (Debian: qemu-user)")]
    NoQemu(std::io::Error),
    /// A file cannot be written.
    #[error("the program cannot be written: {0}")]
    File(#[from] std::io::Error),
    /// QEMU did not come to the end of a program.
    #[error("program {program} of seed {seed} failed in {QEMU}: {said}")]
    Qemu {
        /// Which.
        program: u64,
        /// Of which seed.
        seed: u64,
        /// What QEMU said.
        said: String,
    },
    /// The simulator cannot hold a program.
    #[error(transparent)]
    Simulator(#[from] fenn_iss::Error),
}

/// A program: words and bytes, from the addresses on that all programs have.
#[derive(Debug, Clone)]
pub struct Program {
    words: Vec<u32>,
    data: Vec<u8>,
}

/// What a comparison came to.
#[derive(Debug, Clone, Default)]
pub struct Conformance {
    /// Programs run.
    pub programs: u64,
    /// Instructions executed.
    pub instructions: u64,
    /// How often the row that was executed least was executed, and which that is.
    pub rarest: (u64, String),
    /// Rows compared.
    pub rows: usize,
    /// Bytes compared.
    pub bytes: u64,
    /// The first difference of every program that has one.
    pub mismatches: Vec<String>,
}

fn scalar_rows() -> Vec<&'static Spec> {
    let belongs = |spec: &&Spec| {
        let scalar =
            matches!(spec.extension, Extension::Rv32i | Extension::Rv32m | Extension::Zbb | Extension::Zifencei);
        scalar && !matches!(spec.op, Op::Ecall | Op::Ebreak)
    };
    SPECS.iter().filter(belongs).collect()
}

/// Runs random programs of seed `seed` on both until at least `instructions` have been executed.
///
/// # Errors
/// [`ConformanceError`]; a difference is none, but counted.
pub fn compare(instructions: u64, seed: u64) -> Result<Conformance, ConformanceError> {
    let mut result = Conformance::default();
    let mut statistics = Statistics::default();
    while result.instructions < instructions {
        let number = result.programs;
        let program = Program::random(seed, number, 20_000);
        let expected = program.on_qemu().map_err(|error| match error {
            ConformanceError::Qemu { said, .. } => ConformanceError::Qemu { program: number, seed, said },
            other => other,
        })?;
        let (found, executed) = program.on_simulator(&mut statistics)?;
        result.programs += 1;
        result.instructions += executed;
        result.bytes += expected.len() as u64;
        if let Some(difference) = difference(&expected, &found) {
            result.mismatches.push(format!("program {number} of seed {seed}: {difference}"));
        }
    }
    let rows = scalar_rows();
    let counts = rows.iter().map(|spec| (statistics.op(spec.op), spec.mnemonic().to_owned()));
    result.rarest = counts.min().unwrap_or_default();
    result.rows = rows.len();
    Ok(result)
}

/// The first register or byte that differs, in words.
pub fn difference(expected: &[u8], found: &[u8]) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} bytes in {QEMU}, {} on the simulator", expected.len(), found.len()));
    }
    let registers = (REGISTERS - DATA) as usize;
    let word = |bytes: &[u8], at: usize| bytes[at..at + 4].iter().rev().fold(0u32, |word, b| word << 8 | u32::from(*b));
    let register = (0..32).find(|x| word(expected, registers + 4 * x) != word(found, registers + 4 * x));
    if let Some(x) = register {
        let [theirs, ours] = [expected, found].map(|bytes| word(bytes, registers + 4 * x));
        return Some(format!("x{x} is {theirs:#010x} in {QEMU}, {ours:#010x} on the simulator"));
    }
    let at = expected.iter().zip(found).position(|(a, b)| a != b)?;
    let address = DATA as usize + at;
    Some(format!("byte {address:#x} is {:#04x} in {QEMU}, {:#04x} on the simulator", expected[at], found[at]))
}

/// A number that arithmetic is likely to get wrong, or any.
fn corner(source: &mut Pcg32) -> u32 {
    const CORNERS: [u32; 12] = [0, 1, u32::MAX, 1 << 31, i32::MAX as u32, 2, 31, 32, 33, 0xffff, 0xffff_8000, 0x80];
    match below(source, 4) {
        0 | 1 => one(source, &CORNERS),
        2 => 1 << below(source, 32),
        _ => source.next_u32(),
    }
}

/// Puts a program together.
struct Writing {
    source: Pcg32,
    words: Vec<u32>,
    rows: Vec<&'static Spec>,
}

impl Writing {
    fn below(&mut self, end: u32) -> i64 {
        i64::from(below(&mut self.source, end))
    }

    /// The row `mnemonic` with these operands.
    fn emit(&mut self, mnemonic: &str, values: &[i64]) {
        let spec = SPECS.iter().find(|spec| spec.mnemonic() == mnemonic).expect("rows are named as they are");
        self.words.push(spec.assemble(values).expect("operands are in their ranges"));
    }

    /// `x[rd] = value`, as two instructions.
    fn load_immediate(&mut self, rd: i64, value: u32) {
        let low = ((value & 0xfff) as i32) << 20 >> 20;
        let high = value.wrapping_sub(low as u32) >> 12;
        self.emit("lui", &[rd, i64::from(high)]);
        self.emit("addi", &[rd, rd, i64::from(low)]);
    }

    /// Any register that programs may change, or `x0`.
    fn register(&mut self) -> i64 {
        self.below(FREE)
    }

    /// Any of them but `x0`.
    fn scratch(&mut self) -> i64 {
        1 + self.below(FREE - 1)
    }

    /// Makes the sum depend on a register.
    fn fold(&mut self, register: i64) {
        self.emit("rori", &[SUM, SUM, 5]);
        self.emit("add", &[SUM, SUM, register]);
    }

    /// A load or store at any offset.
    fn access(&mut self, spec: &Spec) {
        let at = self.below(DATA_BYTES) - i64::from(DATA_BYTES / 2);
        let (value, scratch) = (self.register(), self.scratch());
        if self.below(2) == 0 {
            self.emit(spec.mnemonic(), &[value, at, BASE]);
            return self.fold(value);
        }
        // Through another register, by another way to the same place.
        let detour = self.below(2048);
        let rest = at - detour;
        let (first, second) = if rest >= -2048 { (detour, rest) } else { (at, 0) };
        self.emit("addi", &[scratch, BASE, first]);
        self.emit(spec.mnemonic(), &[value, second, scratch]);
        self.fold(value);
    }

    /// An instruction that goes straight on.
    fn straight(&mut self) {
        let index = self.below(self.rows.len() as u32) as usize;
        let spec = self.rows[index];
        match spec.mnemonic() {
            "beq" | "bne" | "blt" | "bge" | "bltu" | "bgeu" | "jal" | "jalr" => self.forward(spec),
            "lb" | "lh" | "lw" | "lbu" | "lhu" | "sb" | "sh" | "sw" => self.access(spec),
            _ => self.arithmetic(spec),
        }
    }

    fn arithmetic(&mut self, spec: &Spec) {
        let values: Vec<i64> = spec
            .operands()
            .map(|operand| {
                let (first, last) = operand.kind.range().into_inner();
                match operand.kind {
                    OperandKind::XReg => self.register(),
                    _ if self.below(4) == 0 => *[first, last, 0, 1].get(self.below(4) as usize).unwrap_or(&0),
                    _ => first + self.below((last - first + 1) as u32),
                }
            })
            .collect();
        let operands = spec.operands().zip(&values);
        let sources: Vec<i64> =
            operands.filter(|(o, _)| matches!(o.name, "rs1" | "rs2")).map(|(_, value)| *value).collect();
        // Every other time with operands that are corners.
        if self.below(2) == 0 {
            for register in sources.into_iter().filter(|register| *register != 0) {
                let value = corner(&mut self.source);
                self.load_immediate(register, value);
            }
        }
        self.words.push(spec.assemble(&values).expect("operands are in their ranges"));
        if let Some(at) = spec.operands().position(|operand| operand.name == "rd") {
            self.fold(values[at]);
        }
    }

    /// A branch or jump over a few instructions, taken or not.
    fn forward(&mut self, spec: &Spec) {
        let over = self.below(6);
        let offset = 4 * (1 + 3 * over);
        let mut link = 0;
        match spec.mnemonic() {
            "jal" => {
                link = self.register();
                self.emit("jal", &[link, offset]);
            }
            "jalr" => {
                // From the address of this very place, with an odd target now and then, whose lowest bit is dropped.
                let (rd, rs1, odd) = (self.register(), self.scratch(), self.below(2));
                self.emit("auipc", &[rs1, 0]);
                self.emit("jalr", &[rd, 4 + offset + odd, rs1]);
                link = rd;
            }
            mnemonic => {
                let (rs1, mut rs2) = (self.register(), self.register());
                if self.below(3) == 0 {
                    rs2 = rs1;
                } else if self.below(2) == 0 && rs1 != 0 && rs2 != 0 && rs1 != rs2 {
                    let [a, b] = [corner(&mut self.source), corner(&mut self.source)];
                    self.load_immediate(rs1, a);
                    self.load_immediate(rs2, b);
                }
                self.emit(mnemonic, &[rs1, rs2, offset]);
            }
        }
        for _ in 0..over {
            self.filler();
        }
        self.fold(link);
    }

    /// Three words that do not jump, and leave their trace in the sum.
    fn filler(&mut self) {
        let (rd, rs1, rs2) = (self.register(), self.register(), self.register());
        let mnemonic = one(&mut self.source, &["add", "sub", "xor", "or", "and", "mul", "rol", "max", "divu", "rem"]);
        self.emit(mnemonic, &[rd, rs1, rs2]);
        self.fold(rd);
    }

    /// A loop of a few turns whose last instruction goes back, by one of the branches.
    fn turns(&mut self) {
        let count = 1 + self.below(6);
        self.emit("addi", &[COUNTER, 0, count]);
        let start = self.words.len();
        for _ in 0..1 + self.below(12) {
            self.straight();
        }
        self.emit("addi", &[COUNTER, COUNTER, -1]);
        let back = 4 * (start as i64 - self.words.len() as i64);
        match self.below(5) {
            0 => self.emit("bne", &[COUNTER, 0, back]),
            1 => self.emit("blt", &[0, COUNTER, back]),
            2 => self.emit("bltu", &[0, COUNTER, back]),
            // x0 − 1 is less than what still is to be counted, and 1 is where nothing is: one turn more or none.
            3 => {
                self.emit("addi", &[TEMPORARY, 0, 1]);
                self.emit("bge", &[COUNTER, TEMPORARY, back - 4]);
            }
            _ => {
                self.emit("addi", &[TEMPORARY, 0, 1]);
                self.emit("bgeu", &[COUNTER, TEMPORARY, back - 4]);
            }
        }
    }

    /// Jumps back: over a body forwards, back to it, and on behind.
    fn backward(&mut self) {
        let length = 1 + self.below(5);
        // jal there; body; jal behind. there: jal or jalr back to the body.
        self.emit("jal", &[0, 4 * (2 + 3 * length)]);
        for _ in 0..length {
            self.filler();
        }
        let through_register = self.below(2) == 0;
        self.emit("jal", &[0, if through_register { 12 } else { 8 }]);
        let rd = self.register();
        if through_register {
            let rs1 = self.scratch();
            self.emit("auipc", &[rs1, 0]);
            self.emit("jalr", &[rd, -4 * (3 * length + 1), rs1]);
        } else {
            self.emit("jal", &[rd, -4 * (3 * length + 1)]);
        }
    }
}

impl Program {
    /// Program `number` of seed `seed`, of about `length` instructions.
    pub fn random(seed: u64, number: u64, length: usize) -> Self {
        let mut source = Pcg32::seed_from_u64(seed.wrapping_mul(1 << 20).wrapping_add(number));
        let data = (0..DATA_BYTES).map(|_| source.next_u32() as u8).collect();
        let mut writing = Writing { source, words: Vec::new(), rows: scalar_rows() };
        for register in 1..30 {
            let value = corner(&mut writing.source);
            writing.load_immediate(register, value);
        }
        writing.load_immediate(BASE, DATA + DATA_BYTES / 2);
        while writing.words.len() < length {
            match writing.below(12) {
                0 => writing.turns(),
                1 => writing.backward(),
                _ => writing.straight(),
            }
        }
        // `BASE` and `COUNTER` are known, and give their places: `BASE` the address of the registers.
        writing.load_immediate(BASE, REGISTERS);
        for register in 0..32 {
            writing.emit("sw", &[register, 4 * register, BASE]);
        }
        // write(1, DATA, COMPARED); exit(0). The first call ends the run on the simulator.
        for (register, value) in [(10, 1), (11, DATA), (12, COMPARED as u32), (17, 64)] {
            writing.load_immediate(register, value);
        }
        writing.emit("ecall", &[]);
        writing.load_immediate(10, 0);
        writing.load_immediate(17, 93);
        writing.emit("ecall", &[]);
        Self { words: writing.words, data }
    }

    fn code(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The bytes that it leaves in QEMU.
    ///
    /// # Errors
    /// [`ConformanceError`] but for the last kind.
    pub fn on_qemu(&self) -> Result<Vec<u8>, ConformanceError> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("program");
        std::fs::write(&path, self.executable())?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        let mut command = Command::new(QEMU);
        command.args(["-cpu", "rv32,zbb=true"]).arg(&path).stdin(Stdio::null());
        let output = command.output().map_err(ConformanceError::NoQemu)?;
        if !output.status.success() {
            let said = format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
            return Err(ConformanceError::Qemu { program: 0, seed: 0, said });
        }
        Ok(output.stdout)
    }

    /// A statically linked Linux executable.
    fn executable(&self) -> Vec<u8> {
        let code = self.code();
        let mut bytes = Vec::new();
        let mut writer = Writer::new(Endianness::Little, false, &mut bytes);
        writer.reserve_file_header();
        writer.reserve_program_headers(2);
        let code_at = writer.reserve(code.len() as u64, 0x1000);
        let data_at = writer.reserve(self.data.len() as u64, 0x1000);
        let header = FileHeader {
            os_abi: elf::ELFOSABI_SYSV,
            abi_version: 0,
            e_type: elf::ET_EXEC,
            e_machine: elf::EM_RISCV,
            e_entry: u64::from(CODE),
            e_flags: elf::FileFlags(0),
        };
        writer.write_file_header(&header).expect("a file without sections has a header");
        let mut segment = |flags, offset: u64, address: u32, in_file: usize, in_memory: usize| {
            writer.write_program_header(&ProgramHeader {
                p_type: elf::PT_LOAD,
                p_flags: flags,
                p_offset: offset,
                p_vaddr: address.into(),
                p_paddr: address.into(),
                p_filesz: in_file as u64,
                p_memsz: in_memory as u64,
                p_align: 0x1000,
            });
        };
        segment(elf::PF_R | elf::PF_X, code_at, CODE, code.len(), code.len());
        segment(elf::PF_R | elf::PF_W, data_at, DATA, self.data.len(), COMPARED);
        writer.pad_until(code_at);
        writer.write(&code);
        writer.pad_until(data_at);
        writer.write(&self.data);
        bytes
    }

    /// The bytes that it leaves on the simulator, and the instructions it executed.
    ///
    /// # Errors
    /// The simulator cannot hold it.
    pub fn on_simulator(&self, statistics: &mut Statistics) -> Result<(Vec<u8>, u64), ConformanceError> {
        let config = MachineConfig {
            instruction_bytes: CODE + 4 * self.words.len() as u32,
            scalar_bytes: REGISTERS + 0x1000,
            vector_bytes: 64,
            lane_local_bytes: 2,
            dram_bytes: 64,
        };
        let segments = vec![
            Segment::new(Space::Instruction, CODE, self.code()),
            Segment::new(Space::Scalar, DATA, self.data.clone()),
        ];
        let image = Image { config, segments, entry: CODE, ..Image::default() };
        let mut machine = Machine::from_image(&image, Options::default())?;
        let outcome = machine.run(Limits { instructions: Some(MOST), ..Limits::NONE }, statistics);
        if !matches!(outcome.stop, Stop::Ecall { .. }) {
            // What it left then is nobody's; the comparison says so.
            return Ok((outcome.stop.to_string().into_bytes(), outcome.instructions));
        }
        Ok((machine.read_bytes(Space::Scalar, DATA, COMPARED as u32)?, outcome.instructions))
    }

    /// The same program in which the instructions of row `op` have become those of row `other`, with the same operands.
    #[must_use]
    pub fn with_another(&self, op: Op, other: Op) -> Self {
        let mut copy = self.clone();
        let is_one = |word: &&mut u32| Inst::decode(**word).is_some_and(|inst| inst.op() == op);
        let (from, to) = (&op.spec().layout, &other.spec().layout);
        copy.words.iter_mut().filter(is_one).for_each(|word| *word = *word & !from.mask | to.value);
        copy
    }

    /// Its instructions, as text, for whoever looks for what went wrong.
    pub fn text(&self) -> String {
        let lines = self.words.iter().zip((CODE..).step_by(4));
        lines.map(|(word, at)| format!("{at:#x}: {}\n", text_of(*word))).collect()
    }
}

fn text_of(word: u32) -> String {
    let text = Inst::decode(word).map(|inst| inst.to_string()).unwrap_or_default();
    debug_assert_eq!(text::parse(&text).map(Inst::encode).ok(), Some(word), "programs hold nothing else");
    text
}
