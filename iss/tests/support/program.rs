//! Random programs that loop, call, trap, transfer and end.
//!
//! Contract: a seed names a [`Program`]: words, memories, registers and machine. Every row of the table occurs, and so do
//! words that are none; most registers hold numbers that make their instructions succeed, some do not.

use fenn_isa::csr::{CSRS, Register};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::operand::{Operand, OperandKind};
use fenn_isa::timing::{CV32E40X, DramTiming, FENN, FUNCTIONAL, Profile};
use fenn_isa::{Class, Inst, Op, SPECS};
use fenn_iss::{Engine, Machine, Options};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// Instruction words of the machine.
const WORDS: u32 = 256;
/// Scalar registers that hold numbers of turns.
const COUNTERS: [i64; 4] = [28, 29, 30, 31];
/// Scalar registers that hold addresses which are good in every memory.
const BASES: [i64; 4] = [8, 9, 18, 19];

pub struct Program {
    pub image: Image,
    pub profile: Profile,
    /// Steps of each run, one after the other.
    pub limits: Vec<u64>,
    seed: u64,
}

fn reg<T: Operand>(index: i64) -> T {
    T::from_bits(index as u32)
}

struct Writer {
    rng: Pcg64,
    words: Vec<u32>,
}

impl Writer {
    fn push(&mut self, inst: Inst) {
        self.words.push(inst.encode());
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.rng.random_range(0..all.len())]
    }

    /// A register to be read as an address.
    fn base(&mut self) -> i64 {
        if self.chance(96) { self.pick(&BASES) } else { self.rng.random_range(0..32) }
    }

    /// A register to be written: seldom one that loops or addresses hang on.
    fn destination(&mut self) -> i64 {
        if self.chance(99) { self.pick(&[0, 1, 5, 6, 7, 10, 11, 12, 13, 14]) } else { self.rng.random_range(0..32) }
    }

    fn source(&mut self) -> i64 {
        if self.chance(70) { self.pick(&[0, 5, 6, 7, 10, 11, 12]) } else { self.rng.random_range(0..32) }
    }

    /// A word of this row that is likely to be executed.
    fn word(&mut self, op: Op) -> u32 {
        let spec = op.spec();
        let memory = matches!(
            spec.class,
            Class::Load | Class::Store | Class::VectorLoad | Class::VectorStore | Class::GeneratorLoad
        );
        let vector = matches!(spec.class, Class::VectorLoad | Class::VectorStore | Class::GeneratorLoad);
        let mut word = spec.layout.value;
        for operand in spec.operands() {
            let value = match (operand.kind, operand.name) {
                (OperandKind::XReg, "rs1") if memory => self.base(),
                (OperandKind::XReg, "rd") => self.destination(),
                (OperandKind::XReg, _) => self.source(),
                (OperandKind::VReg, _) if self.chance(80) => self.rng.random_range(0..6),
                (OperandKind::Imm12, _) if vector && self.chance(97) => 64 * self.rng.random_range(-2..8),
                (OperandKind::Imm12, _) if memory && self.chance(97) => 4 * self.rng.random_range(-8..32),
                (OperandKind::Csr, _) if self.chance(90) => {
                    i64::from(self.rng.random_range(0..CSRS.len()) as u16).min(CSRS.len() as i64 - 1)
                }
                _ => {
                    let range = operand.kind.range();
                    self.rng.random_range(range)
                }
            };
            let bits = if operand.kind == OperandKind::Csr && value < CSRS.len() as i64 {
                u32::from(CSRS[value as usize].address)
            } else {
                operand.kind.to_bits(value).unwrap_or_else(|| operand.kind.to_bits(value & !63).unwrap_or(0))
            };
            word |= operand.field.insert(bits);
        }
        word
    }

    /// An instruction that goes on to the next.
    fn plain(&mut self) {
        let op = if self.chance(45) {
            // What kernels are made of.
            self.pick(&[
                Op::VLoadV,
                Op::VStore,
                Op::VLoadL,
                Op::VStoreL,
                Op::VAddS,
                Op::VAndAdd,
                Op::VSrai,
                Op::VMulRn,
                Op::VMul,
                Op::VSel,
                Op::VTge,
                Op::VFill,
                Op::Addi,
                Op::Lw,
                Op::Sw,
                Op::Clz,
            ])
        } else {
            self.pick(Op::ALL)
        };
        let class = op.spec().class;
        if matches!(class, Class::Branch | Class::Jump | Class::JumpRegister) {
            return;
        }
        if matches!(op, Op::Ecall | Op::Ebreak | Op::Mret) && !self.chance(4) {
            return;
        }
        if class == Class::Csr && !self.chance(30) {
            return;
        }
        let word = self.word(op);
        self.words.push(word);
    }

    /// The pieces that kernels are made of, with the registers in any roles and other instructions in between.
    fn kernel(&mut self) {
        let v = |writer: &mut Self| reg(writer.rng.random_range(0..8));
        let x = reg(self.base());
        let imm = |writer: &mut Self| reg(64 * writer.rng.random_range(0..4i64));
        let (a, b, c, d) = (v(self), v(self), v(self), v(self));
        let shift = reg(self.rng.random_range(0..16));
        let (first, second) = (imm(self), imm(self));
        let lane_imm = reg(self.rng.random_range(0..64));
        let mut pieces = match self.rng.random_range(0..4) {
            0 => vec![
                Inst::VLoadV { vd: a, imm: first, rs1: x },
                Inst::VLoadV { vd: b, imm: second, rs1: reg(self.base()) },
                Inst::VAddS { vd: c, vs1: a, vs2: b },
                Inst::VStore { vs2: c, imm: second, rs1: x },
            ],
            1 => vec![
                Inst::VLoadV { vd: a, imm: first, rs1: x },
                Inst::VAndAdd { vd: b, vs1: a, rs2: reg(self.source()), shift },
                Inst::VLoadL { vd: c, imm: lane_imm, vs1: b },
                Inst::VSrai { vd: d, vs1: a, shift },
                Inst::VAddS { vd: c, vs1: c, vs2: d },
                Inst::VStoreL { vs2: c, imm: lane_imm, vs1: b },
            ],
            2 => vec![
                Inst::VMulRn { vd: a, vs1: b, vs2: c, shift },
                Inst::VAddS { vd: a, vs1: a, vs2: d },
                Inst::VTge { rd: reg(5), vs1: a, vs2: b },
                Inst::VSel { vd: a, rs1: reg(5), vs2: c },
                Inst::VSub { vd: c, vs1: a, vs2: d },
                Inst::VSel { vd: d, rs1: reg(5), vs2: c },
            ],
            _ => vec![
                Inst::VFill { vd: a, rs1: reg(self.source()) },
                Inst::VLoadL { vd: b, imm: lane_imm, vs1: a },
                Inst::VLoadL { vd: c, imm: lane_imm, vs1: a },
                Inst::VAdd { vd: b, vs1: b, vs2: c },
                Inst::VStoreL { vs2: b, imm: lane_imm, vs1: a },
                Inst::VStoreL { vs2: c, imm: lane_imm, vs1: a },
            ],
        };
        // Some orders compute something else; both engines must compute it.
        for _ in 0..self.rng.random_range(0..4) {
            let at = self.rng.random_range(1..pieces.len());
            pieces.swap(at - 1, at);
        }
        for inst in pieces {
            self.push(inst);
            if self.chance(12) {
                self.plain();
            }
        }
    }

    fn body(&mut self, depth: usize, room: usize) {
        let end = (self.words.len() + room).min(WORDS as usize - 112);
        while self.words.len() < end {
            match self.rng.random_range(0..100) {
                0..52 => self.plain(),
                52..70 => self.kernel(),
                70..82 if depth < COUNTERS.len() => self.turns(depth, room / 2 + 1),
                82..88 => self.skip(depth),
                88..90 => self.call(),
                90..93 => self.transfer(),
                93..95 => self.counter(),
                95..97 => {
                    let base = self.pick(&BASES);
                    let step = 64 * self.rng.random_range(-1..2i64);
                    self.push(Inst::Addi { rd: reg(base), rs1: reg(base), imm: reg(step & 0xfff) });
                }
                97 => {
                    let word = self.rng.random();
                    if self.chance(15) {
                        self.words.push(word);
                    }
                }
                _ => self.plain(),
            }
        }
    }

    /// A loop of some turns.
    fn turns(&mut self, depth: usize, room: usize) {
        let counter = reg(COUNTERS[depth]);
        let turns = self.rng.random_range(1..if depth == 0 { 40 } else { 6 });
        self.push(Inst::Addi { rd: counter, rs1: reg(0), imm: reg(turns) });
        let begin = self.words.len();
        self.body(depth + 1, room.min(24));
        self.push(Inst::Addi { rd: counter, rs1: counter, imm: reg(0xfff) });
        let offset = 4 * (begin as i64 - self.words.len() as i64);
        let back = Branch(offset);
        let inst = match self.rng.random_range(0..3) {
            0 => Inst::Bne { rs1: counter, rs2: reg(0), offset: back.operand() },
            1 => Inst::Blt { rs1: reg(0), rs2: counter, offset: back.operand() },
            _ => Inst::Bltu { rs1: reg(0), rs2: counter, offset: back.operand() },
        };
        self.push(inst);
    }

    /// A branch over a few instructions.
    fn skip(&mut self, depth: usize) {
        let at = self.words.len();
        self.words.push(0);
        let count = self.rng.random_range(0..5);
        for _ in 0..count {
            self.plain();
        }
        let _ = depth;
        let mut offset = 4 * (self.words.len() - at) as i64;
        if self.chance(3) {
            offset += 2;
        }
        let (rs1, rs2, offset) = (reg(self.source()), reg(self.source()), Branch(offset).operand());
        let inst = match self.rng.random_range(0..6) {
            0 => Inst::Beq { rs1, rs2, offset },
            1 => Inst::Bne { rs1, rs2, offset },
            2 => Inst::Blt { rs1, rs2, offset },
            3 => Inst::Bge { rs1, rs2, offset },
            4 => Inst::Bltu { rs1, rs2, offset },
            _ => Inst::Bgeu { rs1, rs2, offset },
        };
        self.words[at] = inst.encode();
    }

    /// A function behind a jump over it, called by `jal` or `jalr`.
    fn call(&mut self) {
        let over = self.words.len();
        self.words.push(0);
        for _ in 0..self.rng.random_range(0..4) {
            self.plain();
        }
        self.push(Inst::Jalr { rd: reg(0), imm: reg(0), rs1: reg(1) });
        let here = self.words.len();
        self.words[over] = Inst::Jal { rd: reg(0), offset: jump(4 * (here - over) as i64) }.encode();
        let function = over + 1;
        if self.chance(50) {
            self.push(Inst::Jal { rd: reg(1), offset: jump(4 * (function as i64 - here as i64)) });
        } else {
            self.push(Inst::Addi { rd: reg(6), rs1: reg(0), imm: reg(4 * function as i64) });
            let rd = if self.chance(90) { 1 } else { 0 };
            let imm = reg(i64::from(self.chance(20)));
            self.push(Inst::Jalr { rd: reg(rd), imm, rs1: reg(6) });
        }
    }

    fn write_csr(&mut self, register: Register, value: u32) {
        self.push(Inst::Addi { rd: reg(7), rs1: reg(0), imm: reg(i64::from(value)) });
        self.push(Inst::Csrrw { rd: reg(0), csr: reg(i64::from(register.spec().address)), rs1: reg(7) });
    }

    /// Starts a transfer, and waits for it or does not.
    fn transfer(&mut self) {
        let into = self.chance(50);
        let registers = if into {
            [Register::Mm2sSrcAddr, Register::Mm2sDstAddr, Register::Mm2sCount, Register::Mm2sControl]
        } else {
            [Register::S2mmSrcAddr, Register::S2mmDstAddr, Register::S2mmCount, Register::S2mmControl]
        };
        let odd = u32::from(self.chance(5));
        let values =
            [64 * self.rng.random_range(0..16), 64 * self.rng.random_range(0..16), 64 * self.rng.random_range(1..6), 1];
        for (register, value) in registers.into_iter().zip(values) {
            self.write_csr(register, value + odd);
        }
        if self.chance(60) {
            for _ in 0..self.rng.random_range(0..6) {
                self.plain();
            }
            let status = if into { Register::Mm2sStatus } else { Register::S2mmStatus };
            let csr = reg(i64::from(status.spec().address));
            self.push(Inst::Csrrs { rd: reg(7), csr, rs1: reg(0) });
            self.push(Inst::Andi { rd: reg(7), rs1: reg(7), imm: reg(4) });
            self.push(Inst::Beq { rs1: reg(7), rs2: reg(0), offset: Branch(-8).operand() });
        }
    }

    fn counter(&mut self) {
        let register = self.pick(&[Register::Mcycle, Register::Minstret, Register::Mcycleh]);
        let rd = reg(self.destination());
        self.push(Inst::Csrrs { rd, csr: reg(i64::from(register.spec().address)), rs1: reg(0) });
    }
}

struct Branch(i64);

impl Branch {
    fn operand(&self) -> fenn_isa::operand::Branch {
        fenn_isa::operand::Branch::new(self.0).expect("programs are short")
    }
}

fn jump(offset: i64) -> fenn_isa::operand::Jump {
    fenn_isa::operand::Jump::new(offset).expect("programs are short")
}

fn profile(rng: &mut Pcg64) -> Profile {
    let mut profile = match rng.random_range(0..5) {
        0 | 1 => FENN,
        2 => CV32E40X,
        3 => FUNCTIONAL,
        _ => {
            let mut odd = if rng.random() { FENN } else { CV32E40X };
            odd.classes[Class::VectorLoad as usize].latency = 3;
            odd.classes[Class::VectorMultiply as usize].latency = 4;
            odd.classes[Class::Multiply as usize].occupancy = 2;
            odd.classes[Class::LaneStore as usize].occupancy = 2;
            odd.redirect.buffer = [0, 1, 2, 64][rng.random_range(0..4)];
            odd.early_jump_operand = rng.random_range(0..4);
            odd.merged_is_read = rng.random();
            odd
        }
    };
    if rng.random_range(0..4) == 0 {
        profile.shared_vector_port = true;
    }
    if rng.random() {
        profile.dram =
            DramTiming { latency: rng.random_range(1..40), bytes_per_cycle: [8, 16, 64, 128][rng.random_range(0..4)] };
    }
    profile
}

impl Program {
    pub fn new(seed: u64) -> Self {
        let mut rng = Pcg64::seed_from_u64(seed);
        let profile = profile(&mut rng);
        let mut writer = Writer { rng, words: Vec::new() };
        for (index, base) in BASES.into_iter().enumerate() {
            // The third is near the end of scalar memory, the fourth beyond that of vector memory.
            let value = [0, 256, 960, 1024 + 512][index];
            writer.push(Inst::Addi { rd: reg(base), rs1: reg(0), imm: reg(value) });
        }
        let handler = writer.chance(50);
        let prologue = writer.words.len();
        if handler {
            writer.words.extend([0; 2]);
        }
        if writer.chance(60) {
            // Counters count: they are inhibited after reset.
            let value = writer.rng.random_range(0..8);
            writer.write_csr(Register::Mcountinhibit, value & 5);
        }
        let room = writer.rng.random_range(10..110);
        writer.body(0, room);
        match writer.rng.random_range(0..10) {
            0 => {
                writer.push(Inst::Addi { rd: reg(5), rs1: reg(0), imm: reg(1) });
                writer.push(Inst::Sw { rs2: reg(5), imm: reg(128), rs1: reg(0) });
            }
            1 => writer.push(Inst::Jal { rd: reg(0), offset: jump(0) }),
            _ => writer.push(Inst::Ecall {}),
        }
        if handler {
            let at = writer.words.len() as u32;
            writer.words[prologue] = Inst::Addi { rd: reg(7), rs1: reg(0), imm: reg(4 * i64::from(at)) }.encode();
            let csr = |register: Register| reg(i64::from(register.spec().address));
            writer.words[prologue + 1] = Inst::Csrrw { rd: reg(0), csr: csr(Register::Mtvec), rs1: reg(7) }.encode();
            writer.push(Inst::Csrrs { rd: reg(7), csr: csr(Register::Mepc), rs1: reg(0) });
            writer.push(Inst::Addi { rd: reg(7), rs1: reg(7), imm: reg(4) });
            if writer.chance(50) {
                writer.push(Inst::Addi { rd: reg(27), rs1: reg(27), imm: reg(1) });
            }
            writer.push(Inst::Csrrw { rd: reg(0), csr: csr(Register::Mepc), rs1: reg(7) });
            writer.push(Inst::Mret {});
        }
        let Writer { mut rng, words } = writer;
        let limits = (0..rng.random_range(1..5)).map(|_| rng.random_range(1..2500)).collect();
        let code = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let config = MachineConfig {
            instruction_bytes: 4 * WORDS,
            scalar_bytes: 1024,
            vector_bytes: 2048,
            lane_local_bytes: [64, 256][rng.random_range(0..2)],
            dram_bytes: 2048,
        };
        let mut segments = vec![Segment::new(Space::Instruction, 0, code)];
        for space in [Space::Scalar, Space::Vector, Space::LaneLocal, Space::Dram] {
            let small = space == Space::Vector && rng.random();
            let bytes: Vec<u8> =
                (0..config.bytes(space)).map(|index| if small && index % 2 == 1 { 0 } else { rng.random() }).collect();
            segments.push(Segment::new(space, 0, bytes));
        }
        let ready_flag = (rng.random_range(0..2) == 0).then_some(128);
        Self { image: Image { config, segments, ready_flag, ..Image::default() }, profile, limits, seed }
    }

    /// The machine before the program runs.
    pub fn machine(&self, engine: Engine) -> Machine {
        let options = Options { strict: false, profile: self.profile, engine };
        let mut machine = Machine::from_image(&self.image, options).expect("the program is well-formed");
        let mut rng = Pcg64::seed_from_u64(self.seed ^ 0x5eed);
        let state = machine.state_mut();
        for index in 1..32 {
            let value = if rng.random() { rng.random() } else { rng.random_range(0..512) };
            state.set_x(reg(index), value);
        }
        for vector in &mut state.v {
            let same = rng.random::<bool>().then(|| rng.random_range(0..64));
            vector.0.iter_mut().for_each(|lane| *lane = same.unwrap_or_else(|| rng.random()));
        }
        state.generators.s0.iter_mut().chain(&mut state.generators.s1).for_each(|half| *half = rng.random());
        machine
    }

    /// The program as text, an instruction a line.
    pub fn listing(&self) -> String {
        let code = &self.image.segments[0].bytes;
        let lines = code.chunks_exact(4).enumerate().map(|(index, word)| {
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            let text = Inst::decode(word).map_or_else(|| format!(".word {word:#010x}"), |inst| inst.to_string());
            format!("{:5x}  {text}\n", 4 * index)
        });
        lines.collect()
    }
}

const _: () = assert!(SPECS.len() > 100, "the table has all rows");
