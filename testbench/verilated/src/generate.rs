//! Random programs, driven from the instruction table.
//!
//! Contract: [`Program::generate`] makes the same program from the same seed and configuration, for ever. A program is a
//! list of pieces, each a list of [`Item`]s, so that a failing one can be made smaller by leaving pieces and items out; any
//! rest of a program is a program, for the lockstep compares whatever happens, up to a limit of cycles. As generated,
//! programs end by themselves: loops count in registers that nothing else writes.
//!
//! Within that, everything is in them: every row, values at the corners, sources that were just written, branches both
//! ways, calls, loops, exceptions with and without a handler, counters, transfers in flight in both directions with and
//! without waiting for them, accesses across words, addresses that wrap.
//!
//! Places. Programs keep to an agreement on vector memory, because a program that touches a running transfer sees what no
//! two machines agree on: the first quarter and the last rows are the instructions' own, the second quarter is where
//! transfers go to, the third where they come from. DRAM is halved alike.

use fenn_isa::code::{Condition, Item, Label, link};
use fenn_isa::csr::{CSRS, DMA_MAX_BYTES, Register};
use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};
use fenn_isa::operand::{Branch, OperandKind, XReg};
use fenn_isa::{Class, Inst, Op, Role, SPECS};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::axi::Pace;
use crate::configuration::Configuration;
use crate::lockstep::{Failure, Lockstep};

/// Registers that programs keep for themselves: nothing random writes them.
const VECTOR_BASE: i64 = 26;
const SCALAR_BASE: i64 = 27;
/// The exception handler's.
const HANDLER: i64 = 28;
/// Targets of computed jumps, links of calls, states of channels.
const SCRATCH: i64 = 29;
const INNER: i64 = 30;
const OUTER: i64 = 31;
/// Registers that random instructions write: below this.
const FREE: i64 = 26;
/// Labels from here on bind words that are no instructions.
const WORDS: u32 = 1 << 16;
/// Where scalar memory's base register points.
const SCALAR: i64 = 1024;
/// Bytes of vector memory that instructions use, but for the last rows.
const OWN: u32 = 8192;
/// Bytes of DRAM, from the start of either half, that transfers use.
const DRAM: u32 = 16384;

/// A piece of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// An instruction or a label.
    Item(Item),
    /// A word that is no instruction, or one whose text would not be the same word.
    Word(u32),
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Which number it was made from.
    pub seed: u64,
    /// Its code, in pieces that may be left out.
    pub pieces: Vec<Vec<Line>>,
    /// How DRAM behaves.
    pub pacing: Pacing,
}

/// How DRAM behaves in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pacing {
    /// As the simulator's profile says.
    Steady,
    /// Hesitating.
    Random {
        /// How likely it is ready, in percent.
        ready: u32,
        /// How likely an answer is an error, in a million.
        errors: u32,
    },
}

impl Program {
    /// How DRAM behaves.
    pub fn pace(&self) -> Pace {
        match self.pacing {
            Pacing::Steady => Pace::Steady,
            Pacing::Random { ready, errors } => {
                Pace::Random { source: Pcg64Mcg::seed_from_u64(self.seed ^ 0x5a5a), ready, errors }
            }
        }
    }

    /// The program as words, or nothing where what is left of it has lost a label or is too long.
    pub fn words(&self, configuration: &Configuration) -> Option<Vec<u32>> {
        let mut items = Vec::new();
        let mut odd = Vec::new();
        for line in self.pieces.iter().flatten() {
            match line {
                Line::Item(item) => items.push(*item),
                Line::Word(word) => {
                    items.extend([Item::Label(Label(WORDS + odd.len() as u32)), Item::Inst(NOP)]);
                    odd.push(*word);
                }
            }
        }
        let linked = link(&items, 0).ok()?;
        let mut words = linked.words;
        for (index, word) in odd.iter().enumerate() {
            let address = linked.labels[WORDS as usize + index]?;
            words[address as usize / 4] = *word;
        }
        (4 * words.len() as u32 <= configuration.memory.instruction_bytes).then_some(words)
    }

    /// The program as text that assembles to the same words.
    pub fn text(&self) -> String {
        let line = |line: &Line| match line {
            Line::Item(Item::Label(label)) => format!("L{}:\n", label.0),
            Line::Item(Item::Inst(inst)) => format!("        {inst}\n"),
            Line::Item(Item::Branch { condition, rs1, rs2, target }) => {
                let inst = condition.branch(*rs1, *rs2, EIGHT);
                format!("        {} {rs1}, {rs2}, L{}\n", inst.op().spec().mnemonic(), target.0)
            }
            Line::Item(Item::Jump { rd, target }) => format!("        jal {rd}, L{}\n", target.0),
            Line::Word(word) => format!("        .word {word:#010x}\n"),
        };
        self.pieces.iter().flatten().map(line).collect()
    }

    /// How many instructions.
    pub fn len(&self) -> usize {
        self.pieces.iter().flatten().filter(|line| !matches!(line, Line::Item(Item::Label(_)))).count()
    }

    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The program of this seed for a core of this configuration.
    pub fn generate(seed: u64, configuration: &'static Configuration) -> Self {
        let mut maker = Maker::new(seed, configuration);
        maker.program();
        Self { seed, pieces: maker.pieces, pacing: maker.pacing }
    }
}

const NOP: Inst = Inst::Addi { rd: XReg::ZERO, rs1: XReg::ZERO, imm: fenn_isa::operand::Imm12::new(0).unwrap() };
const EIGHT: Branch = Branch::new(8).unwrap();

/// Lane values worth having.
const CORNERS: [i16; 8] = [0, 1, -1, i16::MIN, i16::MAX, i16::MIN + 1, 0x4000, -2];

/// Fills the memories of both sides with what every random program begins with, and declares that the baseline.
///
/// # Errors
/// Where the core does not answer.
pub fn fill(lockstep: &mut Lockstep) -> Result<(), Box<Failure>> {
    let mut source = Pcg64Mcg::seed_from_u64(0x66_65_6e_6e);
    let memory = lockstep.configuration().memory;
    let mut rows = |bytes: u32| -> Vec<u8> {
        let mut all = Vec::new();
        for row in 0..bytes / VECTOR_BYTES {
            let corner = CORNERS[row as usize % CORNERS.len()];
            for _ in 0..LANES {
                let lane: i16 = match source.random_range(0..4) {
                    0 => CORNERS[source.random_range(0..CORNERS.len())],
                    1 => source.random_range(-40..40),
                    2 if row % 3 == 0 => corner,
                    _ => source.random(),
                };
                all.extend(lane.to_le_bytes());
            }
        }
        all
    };
    let lanes = memory.bytes(Space::LaneLocal).min(64 * VECTOR_BYTES);
    let last = 2048;
    let parts = [
        (Space::Scalar, 0, rows(4096)),
        (Space::Vector, 0, rows(OWN)),
        (Space::Vector, memory.vector_bytes / 4, rows(OWN)),
        (Space::Vector, memory.vector_bytes / 2, rows(OWN)),
        (Space::Vector, memory.vector_bytes - last, rows(last)),
        (Space::LaneLocal, 0, rows(lanes)),
        (Space::Dram, 0, rows(DRAM)),
        (Space::Dram, memory.dram_bytes / 2, rows(DRAM)),
    ];
    parts.iter().try_for_each(|(space, address, bytes)| lockstep.write(*space, *address, bytes))?;
    lockstep.set_baseline();
    Ok(())
}

/// What the program does with exceptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exceptions {
    /// They end it.
    End,
    /// A handler goes on behind them.
    Return,
}

struct Maker {
    source: Pcg64Mcg,
    configuration: &'static Configuration,
    pieces: Vec<Vec<Line>>,
    piece: Vec<Line>,
    labels: u32,
    end: Label,
    exceptions: Exceptions,
    pacing: Pacing,
    /// The scalar and the vector registers that were written last, the last one first.
    recent_x: Vec<i64>,
    recent_v: Vec<i64>,
    /// Whether the channels may be busy: into vector memory, out of it.
    busy: [bool; 2],
    /// Whether the registers of a channel are set for a start that is to come.
    set_up: bool,
}

impl Maker {
    fn new(seed: u64, configuration: &'static Configuration) -> Self {
        let mut source = Pcg64Mcg::seed_from_u64(seed);
        let exceptions = if source.random_range(0..6) == 0 { Exceptions::End } else { Exceptions::Return };
        let pacing = match source.random_range(0..6) {
            0 | 1 => Pacing::Random { ready: source.random_range(20..95), errors: 0 },
            2 => Pacing::Random { ready: source.random_range(20..100), errors: 20_000 },
            _ => Pacing::Steady,
        };
        Self {
            source,
            configuration,
            pieces: Vec::new(),
            piece: Vec::new(),
            labels: 1,
            end: Label(0),
            exceptions,
            pacing,
            recent_x: vec![1, 2, 3],
            recent_v: vec![1, 2, 3],
            busy: [false; 2],
            set_up: false,
        }
    }

    // ------------------------------------------------------------------------------------------------------ small things

    fn below(&mut self, end: i64) -> i64 {
        self.source.random_range(0..end)
    }

    fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.source.random_range(0..choices.len())]
    }

    fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    fn bind(&mut self, label: Label) {
        self.piece.push(Line::Item(Item::Label(label)));
    }

    fn item(&mut self, item: Item) {
        self.piece.push(Line::Item(item));
    }

    /// Adds an instruction. Operands out of range are a mistake of the generator's.
    fn put(&mut self, op: Op, operands: &[i64]) {
        let spec = op.spec();
        let word = spec.assemble(operands).unwrap_or_else(|index| panic!("operand {index} of {op:?}: {operands:?}"));
        let inst = Inst::decode(word).expect("a row's word is an instruction");
        self.piece.push(Line::Item(Item::Inst(inst)));
        for (operand, value) in spec.operands().zip(operands) {
            if matches!(operand.role, Role::Destination | Role::Merged) {
                let recent = if operand.kind == OperandKind::XReg { &mut self.recent_x } else { &mut self.recent_v };
                recent.insert(0, *value);
                recent.truncate(4);
            }
        }
    }

    fn branch(&mut self, condition: Condition, rs1: i64, rs2: i64, target: Label) {
        let register = |index| XReg::new(index).unwrap_or(XReg::ZERO);
        self.item(Item::Branch { condition, rs1: register(rs1), rs2: register(rs2), target });
    }

    fn jump(&mut self, rd: i64, target: Label) {
        self.item(Item::Jump { rd: XReg::new(rd).unwrap_or(XReg::ZERO), target });
    }

    fn close(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        self.pieces.push(piece);
    }

    /// Puts a number into a register.
    fn set(&mut self, rd: i64, value: u32) {
        let low = (value as i32) << 20 >> 20;
        let high = value.wrapping_sub(low as u32) >> 12;
        if high == 0 {
            self.put(Op::Addi, &[rd, 0, i64::from(low)]);
        } else {
            self.put(Op::Lui, &[rd, i64::from(high)]);
            if low != 0 {
                self.put(Op::Addi, &[rd, rd, i64::from(low)]);
            }
        }
    }

    fn read_csr(&mut self, rd: i64, register: Register) {
        self.put(Op::Csrrs, &[rd, i64::from(register.spec().address), 0]);
    }

    fn write_csr(&mut self, register: Register, rs1: i64) {
        self.put(Op::Csrrw, &[0, i64::from(register.spec().address), rs1]);
    }

    fn corner(&mut self) -> u32 {
        match self.below(10) {
            0 => 0,
            1 => 1,
            2 => u32::MAX,
            3 => i32::MIN as u32,
            4 => i32::MAX as u32,
            5 => 1 << self.below(32),
            6 => self.below(64) as u32,
            7 => self.source.random_range(-40..40_i32) as u32,
            _ => self.source.random(),
        }
    }

    fn x_source(&mut self) -> i64 {
        if self.chance(60) {
            let index = self.below(3) as usize;
            return self.recent_x.get(index).copied().unwrap_or(1);
        }
        if self.chance(4) { self.below(32) } else { self.below(FREE) }
    }

    fn v_source(&mut self) -> i64 {
        if self.chance(60) {
            let index = self.below(3) as usize;
            return self.recent_v.get(index).copied().unwrap_or(1);
        }
        self.below(32)
    }

    fn x_destination(&mut self) -> i64 {
        if self.chance(5) { 0 } else { self.source.random_range(1..FREE) }
    }

    fn immediate(&mut self, kind: OperandKind) -> i64 {
        let range = kind.range();
        let (least, greatest) = (*range.start(), *range.end());
        match self.below(8) {
            0 => 0,
            1 => 1.min(greatest),
            2 => (-1).max(least),
            3 => least,
            // Lane constants are written signed or unsigned.
            4 => {
                if kind == OperandKind::Imm16 {
                    0x7fff
                } else {
                    greatest
                }
            }
            _ => self.source.random_range(least..=greatest),
        }
    }

    // ----------------------------------------------------------------------------------------------- single instructions

    /// An instruction of any row that goes on to the next one.
    fn any(&mut self) {
        loop {
            let op = self.row();
            match op.spec().class {
                Class::Branch | Class::Jump | Class::JumpRegister | Class::TrapReturn => continue,
                Class::System if op != Op::Wfi => continue,
                Class::Csr => self.csr(op),
                Class::Load | Class::Store => self.scalar_access(op),
                Class::VectorLoad | Class::VectorStore | Class::GeneratorLoad => self.vector_access(op),
                _ => self.plain(op),
            }
            return;
        }
    }

    /// Any row, or a row of any class: a class of one row shall be met as well.
    fn row(&mut self) -> Op {
        if self.chance(60) {
            return SPECS[self.source.random_range(0..SPECS.len())].op;
        }
        let class = self.of(&Class::ALL);
        let rows: Vec<Op> = SPECS.iter().filter(|spec| spec.class == class).map(|spec| spec.op).collect();
        self.of(&rows)
    }

    fn plain(&mut self, op: Op) {
        let operands: Vec<i64> = op
            .spec()
            .operands()
            .map(|operand| match (operand.kind, operand.role) {
                (OperandKind::XReg, Role::Source) => self.x_source(),
                (OperandKind::XReg, _) => self.x_destination(),
                (OperandKind::VReg, Role::Source) => self.v_source(),
                // What is merged into is read as well.
                (OperandKind::VReg, Role::Merged) if self.chance(50) => self.v_source(),
                (OperandKind::VReg, _) => self.below(32),
                (kind, _) => self.immediate(kind),
            })
            .collect();
        self.put(op, &operands);
    }

    fn scalar_access(&mut self, op: Op) {
        let register = if op.spec().class == Class::Load { self.x_destination() } else { self.x_source() };
        let wild = if self.exceptions == Exceptions::Return { 6 } else { 0 };
        if self.chance(wild) {
            let (imm, base) = (self.immediate(OperandKind::Imm12), self.x_source());
            return self.put(op, &[register, imm, base]);
        }
        let imm = match self.below(6) {
            0 => self.of(&[0, 1, -1, 2047, -1024]),
            1 => self.source.random_range(-1024..2048),
            // Few places, so that what is stored is loaded again.
            2 => self.below(8),
            _ => 4 * self.below(8),
        };
        // The last words are reached from above, too.
        if self.chance(3) {
            let imm = self.of(&[0, 4, 64, 1020]);
            return self.put(op, &[register, imm, 0]);
        }
        self.put(op, &[register, imm, SCALAR_BASE]);
    }

    fn vector_access(&mut self, op: Op) {
        let aligned = 64 * self.source.random_range(-32..32);
        let near = 64 * self.below(4);
        let odd = if self.exceptions == Exceptions::Return { 3 } else { 0 };
        let imm = if self.chance(odd) {
            self.immediate(OperandKind::Imm12)
        } else if self.chance(60) {
            near
        } else {
            aligned
        };
        // The base is 0 now and then, so that the address may be below it.
        let base = if self.chance(10) { 0 } else { VECTOR_BASE };
        match op {
            Op::VLoadV => {
                let vd = self.below(32);
                self.put(op, &[vd, imm, base]);
            }
            Op::VStore => {
                let vs2 = self.v_source();
                self.put(op, &[vs2, imm, base]);
            }
            _ => self.put(op, &[imm, base]),
        }
    }

    fn csr(&mut self, op: Op) {
        let row = &CSRS[self.source.random_range(0..CSRS.len())];
        let address = i64::from(row.address);
        let rd = self.x_destination();
        let immediate = matches!(op, Op::Csrrwi | Op::Csrrsi | Op::Csrrci);
        let free =
            !matches!(row.register, Register::Mtvec | Register::Mm2sStatus | Register::S2mmStatus | Register::Mhartid);
        // Nobody knows what a start does whose registers were changed.
        let free = free && !(self.set_up && row.name.contains("mm"));
        let starts = matches!(row.register, Register::Mm2sControl | Register::S2mmControl);
        if !free || (starts && !immediate) {
            let op = self.of(&[Op::Csrrs, Op::Csrrc]);
            return self.put(op, &[rd, address, 0]);
        }
        if immediate {
            let uimm = if starts { 2 * self.below(16) } else { self.immediate(OperandKind::Uimm5) };
            self.put(op, &[rd, address, uimm]);
        } else {
            let rs1 = if self.chance(20) { 0 } else { self.x_source() };
            self.put(op, &[rd, address, rs1]);
        }
        // Counters shall count most of the time.
        if row.register == Register::Mcountinhibit && self.chance(70) {
            self.put(Op::Csrrwi, &[0, address, 0]);
        }
    }

    fn some(&mut self, most: i64) {
        for _ in 0..self.below(most + 1) {
            self.any();
        }
    }

    // ------------------------------------------------------------------------------------------------------------ pieces

    fn program(&mut self) {
        self.prologue();
        let room = i64::from(self.configuration.memory.instruction_bytes / 4) - 700;
        let length = self.source.random_range(100..room.min(900));
        let mut written = 0;
        while written < length {
            self.one_piece();
            written += self.piece.len() as i64;
            self.close();
        }
        self.epilogue();
    }

    fn one_piece(&mut self) {
        match self.below(100) {
            0..24 => {
                self.any();
                self.some(10);
            }
            24..36 => self.fresh_base(),
            36..48 => self.corners(),
            48..60 => self.forwards(),
            60..70 => self.looped(),
            70..74 => self.call(),
            74..78 => self.computed_jump(),
            78..81 => self.return_somewhere(),
            81..83 => self.fresh_base(),
            83..85 => self.move_base(),
            85..87 => self.odd_bases(),
            87..89 => self.exception(),
            89..90 => self.counters(),
            90..91 => self.by_the_stub(),
            91..92 => self.same_handler(),
            _ => self.transfer(),
        }
    }

    fn prologue(&mut self) {
        // At address 4 is a way to wherever the scratch register says.
        let begin = self.label();
        self.jump(0, begin);
        self.put(Op::Jalr, &[0, 0, SCRATCH]);
        self.bind(begin);
        self.set(SCALAR_BASE, SCALAR as u32);
        self.set(VECTOR_BASE, 2048);
        let inhibit = if self.chance(85) { 0 } else { self.below(8) };
        self.put(Op::Csrrwi, &[0, i64::from(Register::Mcountinhibit.spec().address), inhibit]);
        if self.exceptions == Exceptions::Return {
            self.handler();
        }
        self.close();
        for register in 1..FREE {
            if self.chance(70) {
                let value = self.corner();
                self.set(register, value);
            }
        }
        self.close();
        for vd in 0..32 {
            if self.chance(80) {
                let imm = 64 * self.source.random_range(-32..32);
                self.put(Op::VLoadV, &[vd, imm, VECTOR_BASE]);
            }
        }
        for op in [Op::VLoadR0, Op::VLoadR1] {
            let imm = 64 * self.source.random_range(-32..32);
            self.put(op, &[imm, VECTOR_BASE]);
        }
        self.close();
    }

    fn handler(&mut self) {
        let over = self.label();
        self.jump(HANDLER, over);
        self.read_csr(HANDLER, Register::Mcause);
        self.put(Op::Addi, &[HANDLER, HANDLER, -1]);
        // What could not be fetched has no place to go on at.
        self.branch(Condition::Eq, HANDLER, 0, self.end);
        if self.chance(40) {
            let register = self.of(&[Register::Mtval, Register::Mstatus, Register::Mcycle]);
            self.read_csr(HANDLER, register);
        }
        self.read_csr(HANDLER, Register::Mepc);
        self.put(Op::Addi, &[HANDLER, HANDLER, 4]);
        self.write_csr(Register::Mepc, HANDLER);
        for _ in 0..self.below(4) {
            self.put(Op::Addi, &[HANDLER, HANDLER, 1]);
        }
        self.put(Op::Mret, &[]);
        self.bind(over);
        self.write_csr(Register::Mtvec, HANDLER);
    }

    fn corners(&mut self) {
        for _ in 0..=self.below(3) {
            let rd = self.source.random_range(1..FREE);
            let value = self.corner();
            self.set(rd, value);
            if self.chance(30) {
                let vd = self.below(32);
                match self.below(3) {
                    0 => self.put(Op::VFill, &[vd, rd]),
                    1 => {
                        let imm = i64::from(self.of(&CORNERS));
                        self.put(Op::VLui, &[vd, imm]);
                    }
                    _ => {
                        let imm = 64 * self.source.random_range(-32..32);
                        self.put(Op::VLoadV, &[vd, imm, VECTOR_BASE]);
                    }
                }
            }
            self.some(3);
        }
    }

    fn condition(&mut self) -> Condition {
        use Condition::{Eq, Ge, Geu, Lt, Ltu, Ne};
        self.of(&[Eq, Ne, Lt, Ge, Ltu, Geu])
    }

    fn forwards(&mut self) {
        let over = self.label();
        self.some(2);
        let (condition, rs1, rs2) = (self.condition(), self.x_source(), self.x_source());
        if self.chance(20) {
            let rd = self.of(&[0, 1, 5]);
            self.jump(rd, over);
        } else {
            self.branch(condition, rs1, rs2, over);
        }
        self.some(5);
        self.bind(over);
    }

    fn looped(&mut self) {
        let nested = self.chance(20);
        let outer = self.label();
        if nested {
            let times = self.source.random_range(2..5);
            self.put(Op::Addi, &[OUTER, 0, times]);
            self.bind(outer);
            self.some(3);
        }
        let times = if self.chance(10) { 40 } else { self.source.random_range(1..12) };
        self.put(Op::Addi, &[INNER, 0, times]);
        let (head, leave) = (self.label(), self.label());
        self.bind(head);
        self.some(5);
        if self.chance(30) {
            let over = self.label();
            let (condition, rs1, rs2) = (self.condition(), self.x_source(), self.x_source());
            self.branch(condition, rs1, rs2, over);
            self.some(3);
            self.bind(over);
        }
        self.put(Op::Addi, &[INNER, INNER, -1]);
        self.some(1);
        match self.below(8) {
            0 => self.branch(Condition::Lt, 0, INNER, head),
            1 => self.branch(Condition::Ltu, 0, INNER, head),
            2 => {
                // The jump goes back, the branch leaves.
                self.branch(Condition::Eq, INNER, 0, leave);
                self.jump(0, head);
            }
            3 => {
                self.put(Op::Addi, &[SCRATCH, 0, 1]);
                self.branch(Condition::Ge, INNER, SCRATCH, head);
            }
            4 => {
                self.put(Op::Addi, &[SCRATCH, 0, 1]);
                self.branch(Condition::Geu, INNER, SCRATCH, head);
            }
            5 => {
                // Taken once at most: equal only while one is left.
                self.put(Op::Sltiu, &[SCRATCH, INNER, 1]);
                self.branch(Condition::Eq, SCRATCH, 0, head);
            }
            _ => self.branch(Condition::Ne, INNER, 0, head),
        }
        self.bind(leave);
        if nested {
            self.put(Op::Addi, &[OUTER, OUTER, -1]);
            self.branch(Condition::Ne, OUTER, 0, outer);
        }
    }

    fn call(&mut self) {
        let (function, over) = (self.label(), self.label());
        self.jump(SCRATCH, function);
        self.some(2);
        if self.chance(50) {
            self.jump(SCRATCH, function);
            self.some(2);
        }
        self.jump(0, over);
        self.bind(function);
        self.some(4);
        let rd = self.of(&[0, 0, 1]);
        self.put(Op::Jalr, &[rd, 0, SCRATCH]);
        self.bind(over);
    }

    /// `jalr` behind what makes its register, in many ways.
    fn computed_jump(&mut self) {
        let kind = self.below(9);
        let fillers = if self.chance(50) { 0 } else { self.below(4) };
        let skipped = self.below(3);
        // Between `auipc` and `jalr`.
        let makers = match kind {
            0 => 0,
            1 => 1,
            2..=4 => 2,
            _ => 1,
        };
        let imm = self.of(&[0, 0, 4, -8, 1, -1, 2047]);
        let distance = 4 * (1 + 1 + makers + fillers + 1 + skipped);
        self.put(Op::Auipc, &[SCRATCH, 0]);
        self.put(Op::Addi, &[SCRATCH, SCRATCH, distance - (imm & !1)]);
        match kind {
            0 => {}
            1 => self.put(Op::Addi, &[SCRATCH, SCRATCH, 0]),
            2 => {
                self.put(Op::Sw, &[SCRATCH, 32, SCALAR_BASE]);
                self.put(Op::Lw, &[SCRATCH, 32, SCALAR_BASE]);
            }
            3 => {
                self.write_csr(Register::Mscratch, SCRATCH);
                self.read_csr(SCRATCH, Register::Mscratch);
            }
            4 => {
                self.put(Op::Addi, &[INNER, 0, 1]);
                self.put(Op::Mul, &[SCRATCH, SCRATCH, INNER]);
            }
            5 => self.put(Op::Xori, &[SCRATCH, SCRATCH, 0]),
            6 => self.put(Op::Maxu, &[SCRATCH, SCRATCH, 0]),
            7 => self.put(Op::Ror, &[SCRATCH, SCRATCH, 0]),
            _ => {
                // From the link of a jump to the next instruction.
                self.piece.truncate(self.piece.len() - 2);
                self.put(Op::Auipc, &[SCRATCH, 0]);
                self.put(Op::Jalr, &[SCRATCH, 8, SCRATCH]);
                for _ in 0..fillers {
                    self.any_short();
                }
                let rd = self.of(&[0, 1, 1, 7]);
                return self.put(Op::Jalr, &[rd, 4 * (fillers + 1), SCRATCH]);
            }
        }
        for _ in 0..fillers {
            self.any_short();
        }
        let rd = self.of(&[0, 1, 1, 7]);
        self.put(Op::Jalr, &[rd, imm, SCRATCH]);
        for _ in 0..skipped {
            self.any_short();
        }
    }

    /// One word, whatever it is.
    fn any_short(&mut self) {
        loop {
            let before = self.piece.len();
            self.any();
            if self.piece.len() == before + 1 {
                return;
            }
            self.piece.truncate(before);
        }
    }

    /// `mret` to an address of the program's.
    fn return_somewhere(&mut self) {
        let fillers = self.below(3);
        let skipped = self.below(2);
        self.put(Op::Auipc, &[SCRATCH, 0]);
        self.put(Op::Addi, &[SCRATCH, SCRATCH, 4 * (3 + fillers + 1 + skipped)]);
        self.write_csr(Register::Mepc, SCRATCH);
        for _ in 0..fillers {
            let rd = self.source.random_range(1..FREE);
            // Not what may raise an exception, which would change mepc.
            let op = self.of(&[Op::Addi, Op::Xori, Op::Andi]);
            self.put(op, &[rd, rd, 5]);
        }
        self.put(Op::Mret, &[]);
        for _ in 0..skipped {
            self.any_short();
        }
    }

    fn move_base(&mut self) {
        let row = 64 * self.source.random_range(32..96) as u32;
        let size = self.configuration.memory.vector_bytes;
        let beyond = match self.below(4) {
            0 => 0x8000_0000,
            1 => size.wrapping_mul(self.source.random_range(1..5)),
            _ => 0,
        };
        self.set(VECTOR_BASE, row.wrapping_add(beyond));
    }

    /// Accesses of vectors from bases at the corners.
    fn odd_bases(&mut self) {
        if self.exceptions == Exceptions::Return && self.chance(50) {
            for _ in 0..3 {
                let value = self.of(&[0, 1, u32::MAX, 0x8000_0000, 0x7fff_ffff]);
                self.set(SCRATCH, value);
                let op = self.of(&[Op::Lb, Op::Lh, Op::Lw, Op::Lbu, Op::Lhu, Op::Sb, Op::Sh, Op::Sw]);
                let (register, imm) = (self.below(FREE), self.immediate(OperandKind::Imm12));
                self.put(op, &[register, imm, SCRATCH]);
            }
        }
        for _ in 0..=self.below(2) {
            let (base, offset) = self.of(&[(1, 63), (1, -1), (u32::MAX, 1), (0x8000_0000, 64), (0x7fff_ffff, 1)]);
            self.set(SCRATCH, base);
            self.some(2);
            let (register, imm) = (self.below(32), offset + 64 * self.below(20));
            match self.of(&[Op::VLoadV, Op::VStore, Op::VLoadR0, Op::VLoadR1]) {
                op @ (Op::VLoadV | Op::VStore) => self.put(op, &[register, imm, SCRATCH]),
                op => self.put(op, &[imm, SCRATCH]),
            }
        }
    }

    /// A jump to the stub at address 4, which comes back: from a base at a corner, or one that any class has just made.
    fn by_the_stub(&mut self) {
        let begin = self.piece.len();
        self.put(Op::Auipc, &[SCRATCH, 0]);
        let way_back = self.piece.len();
        self.put(Op::Addi, &[SCRATCH, SCRATCH, 0]);
        let (base, imm) = self.of(&[(0, 4), (1, 3), (1, 4), (u32::MAX, 5), (2052, -2048)]);
        let imm = match self.below(9) {
            0 => {
                self.set(INNER, 15);
                self.put(Op::Cpop, &[INNER, INNER]);
                0
            }
            1 => {
                self.set(INNER, 2);
                self.put(Op::Mul, &[INNER, INNER, INNER]);
                0
            }
            2 => {
                self.set(INNER, 0x20000);
                let op = self.of(&[Op::Mulh, Op::Mulhu, Op::Mulhsu]);
                self.put(op, &[INNER, INNER, INNER]);
                0
            }
            3 => {
                self.set(INNER, 5);
                let op = self.of(&[Op::Div, Op::Divu]);
                self.put(op, &[INNER, INNER, INNER]);
                3
            }
            4 => {
                self.set(INNER, 4);
                self.write_csr(Register::Mscratch, INNER);
                self.read_csr(INNER, Register::Mscratch);
                0
            }
            5 => {
                self.put(Op::VLui, &[3, 8]);
                let lane = self.below(32);
                self.put(Op::VExtract, &[INNER, 3, lane]);
                -4
            }
            6 => {
                self.set(INNER, 4);
                self.put(Op::Sw, &[INNER, 40, SCALAR_BASE]);
                self.put(Op::Lw, &[INNER, 40, SCALAR_BASE]);
                0
            }
            _ => {
                self.set(INNER, base);
                imm
            }
        };
        for _ in 0..self.below(3) {
            self.any_short();
        }
        let rd = self.of(&[0, 1, 6]);
        self.put(Op::Jalr, &[rd, imm, INNER]);
        let distance = 4 * (self.piece.len() - begin) as i64;
        let end = self.piece.len();
        self.put(Op::Addi, &[SCRATCH, SCRATCH, distance]);
        self.piece.swap(way_back, end);
        self.piece.truncate(end);
    }

    /// A base that any class has just made, whatever it is; what it leads to may be an exception.
    fn fresh_base(&mut self) {
        // Wherever it leads, no transfer may be running there.
        if self.exceptions == Exceptions::End || self.busy != [false; 2] {
            return self.any();
        }
        use Class::{Alu, Count, Csr, Divide, GeneratorLoad, Jump, Load, Multiply, MultiplyHigh, Store};
        use Class::{Branch, VectorAlu, VectorFill, VectorLoad, VectorSelect, VectorStore, VectorToScalar};
        let maker = self.of(&[Alu, Count, Multiply, MultiplyHigh, Divide, Load, Csr, VectorToScalar, Jump, Jump]);
        let readers = [Load, Store, VectorLoad, VectorStore, GeneratorLoad, Csr, VectorFill, VectorSelect, Count];
        let reader = if self.chance(20) { self.of(&[Branch, VectorAlu]) } else { self.of(&readers) };
        let of_class = |maker: &mut Self, class: Class| {
            let rows: Vec<Op> = SPECS.iter().filter(|spec| spec.class == class).map(|spec| spec.op).collect();
            maker.of(&rows)
        };
        let rd = self.source.random_range(1..FREE);
        match maker {
            Jump => {
                let next = self.label();
                if self.chance(50) {
                    self.jump(rd, next);
                    self.bind(next);
                } else {
                    self.put(Op::Auipc, &[SCRATCH, 0]);
                    self.put(Op::Jalr, &[rd, 8, SCRATCH]);
                    self.recent_x.insert(0, rd);
                }
            }
            Load => {
                let op = of_class(self, Load);
                let imm = 4 * self.below(8);
                if self.chance(50) {
                    // 0 is a base of anything.
                    self.put(Op::Sw, &[0, imm, SCALAR_BASE]);
                }
                self.put(op, &[rd, imm, SCALAR_BASE]);
            }
            Csr => self.read_csr(rd, Register::Mscratch),
            class => {
                let op = of_class(self, class);
                self.plain(op);
                // The destination is the first operand of every such row.
                if let Some(Line::Item(Item::Inst(inst))) = self.piece.last_mut() {
                    let field = op.spec().operands().next().map(|operand| operand.field);
                    if let Some(field) = field {
                        let word = inst.encode() & !field.insert(31) | field.insert(rd as u32);
                        *inst = Inst::decode(word).unwrap_or(NOP);
                    }
                }
            }
        }
        for _ in 0..self.below(3) {
            self.any_short();
        }
        let op = of_class(self, reader);
        let (other, vector, imm) = (self.x_destination(), self.below(32), self.of(&[0, 0, 1, 64, -64]));
        match op.spec().class {
            Load | Store => self.put(op, &[other, imm, rd]),
            VectorLoad | VectorStore => self.put(op, &[vector, imm, rd]),
            GeneratorLoad => self.put(op, &[imm, rd]),
            VectorFill => self.put(op, &[vector, rd]),
            VectorSelect => {
                let vs2 = self.v_source();
                self.put(op, &[vector, rd, vs2]);
            }
            Csr => self.put(Op::Csrrw, &[other, i64::from(Register::Mscratch.spec().address), rd]),
            VectorAlu => {
                let (vs1, shift) = (self.v_source(), self.immediate(OperandKind::Shift));
                self.put(Op::VAndAdd, &[vector, vs1, rd, shift]);
            }
            Branch => {
                let (over, condition) = (self.label(), self.condition());
                self.branch(condition, rd, other, over);
                self.any();
                self.bind(over);
            }
            _ => self.put(Op::Cpop, &[other, rd]),
        }
    }

    fn counters(&mut self) {
        let register = self.of(&[Register::Mcycle, Register::Minstret, Register::Mcycleh, Register::Minstreth]);
        if self.chance(30) {
            // Next to where the lower word overflows.
            self.put(Op::Addi, &[SCRATCH, 0, -3]);
            self.write_csr(register, SCRATCH);
        }
        self.some(2);
        for register in [Register::Mcycle, Register::Minstret, Register::Mcycleh, Register::Minstreth] {
            let rd = self.x_destination();
            self.read_csr(rd, register);
        }
    }

    fn same_handler(&mut self) {
        self.read_csr(SCRATCH, Register::Mtvec);
        self.write_csr(Register::Mtvec, SCRATCH);
    }

    // -------------------------------------------------------------------------------------------------------- exceptions

    fn exception(&mut self) {
        if self.exceptions == Exceptions::End {
            return self.any();
        }
        self.some(2);
        self.raise();
        self.some(3);
    }

    fn no_instruction(&mut self) {
        let word = loop {
            let word: u32 = self.source.random();
            if Inst::decode(word).is_none() {
                break word;
            }
        };
        self.piece.push(Line::Word(word));
    }

    /// Something that cannot be executed.
    fn raise(&mut self) {
        let register = self.source.random_range(1..FREE);
        match self.below(9) {
            0 => self.no_instruction(),
            1 => {
                let base = if self.chance(60) {
                    let value = self.of(&[0, 1, u32::MAX, 0x8000_0000, 0x7fff_ffff]);
                    self.set(SCRATCH, value);
                    SCRATCH
                } else {
                    self.x_source()
                };
                let op = self.of(&[Op::Lb, Op::Lh, Op::Lw, Op::Lbu, Op::Lhu, Op::Sb, Op::Sh, Op::Sw]);
                let imm = self.immediate(OperandKind::Imm12);
                self.put(op, &[register, imm, base]);
            }
            2 => {
                // The end of scalar memory, from within to beyond.
                let offset = self.source.random_range(-6..4);
                let size = self.configuration.memory.scalar_bytes;
                self.set(SCRATCH, size.wrapping_add_signed(offset));
                let op = self.of(&[Op::Lb, Op::Lh, Op::Lw, Op::Lbu, Op::Lhu, Op::Sb, Op::Sh, Op::Sw]);
                let imm = self.of(&[0, -1, 1, 2]);
                self.put(op, &[register, imm, SCRATCH]);
            }
            3 => {
                let imm = 64 * self.below(8) + self.source.random_range(1..64);
                let op = self.of(&[Op::VLoadV, Op::VStore]);
                self.put(op, &[register, imm, VECTOR_BASE]);
            }
            4 => {
                let imm = 64 * self.below(8) + self.source.random_range(1..64);
                let op = self.of(&[Op::VLoadR0, Op::VLoadR1]);
                self.put(op, &[imm, VECTOR_BASE]);
            }
            5 => {
                let address = loop {
                    let address = self.below(4096);
                    if CSRS.iter().all(|row| i64::from(row.address) != address) {
                        break address;
                    }
                };
                let op = self.of(&[Op::Csrrw, Op::Csrrs, Op::Csrrc, Op::Csrrwi, Op::Csrrsi, Op::Csrrci]);
                let last = self.of(&[0, 1, register]);
                self.put(op, &[register, address, last]);
            }
            6 => {
                let row = self.of(&[Register::Mhartid, Register::Mm2sStatus, Register::S2mmStatus]);
                let op = self.of(&[Op::Csrrw, Op::Csrrs, Op::Csrrc, Op::Csrrwi, Op::Csrrsi, Op::Csrrci]);
                self.put(op, &[register, i64::from(row.spec().address), register]);
            }
            7 => {
                // To an address between two words: with `jal`, and with a branch, if it is taken.
                let offset = 4 * self.source.random_range(-3..5) + 2;
                let (rs1, rs2) = (self.x_source(), self.x_source());
                let row = self.of(&[Op::Jal, Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu]);
                let operands = if row == Op::Jal { vec![register, offset] } else { vec![rs1, rs2, offset] };
                let word = row.spec().assemble(&operands).unwrap_or(0);
                self.piece.push(Line::Word(word));
            }
            _ => {
                self.put(Op::Auipc, &[SCRATCH, 0]);
                let imm = self.of(&[2, 3, 6, -2]);
                self.put(Op::Jalr, &[register, imm, SCRATCH]);
            }
        }
    }

    // --------------------------------------------------------------------------------------------------------- transfers

    fn transfer(&mut self) {
        match self.below(10) {
            0..4 => self.start(0),
            4..7 => self.start(1),
            7 => self.impossible(),
            8 => {
                let channel = self.below(2) as usize;
                self.wait(channel);
                self.look(channel);
            }
            _ => {
                self.wait(0);
                self.wait(1);
                self.read_back();
            }
        }
    }

    /// The registers of a channel: source, destination, count, control, status.
    fn channel(channel: usize) -> [Register; 5] {
        use Register::*;
        [
            [Mm2sSrcAddr, Mm2sDstAddr, Mm2sCount, Mm2sControl, Mm2sStatus],
            [S2mmSrcAddr, S2mmDstAddr, S2mmCount, S2mmControl, S2mmStatus],
        ][channel]
    }

    fn program_channel(&mut self, channel: usize, [source, destination, bytes]: [u32; 3]) {
        self.set_up = true;
        let registers = Self::channel(channel);
        for (register, value) in registers.into_iter().zip([source, destination, bytes]) {
            let rd = self.source.random_range(1..FREE);
            self.set(rd, value);
            self.write_csr(register, rd);
        }
        self.some(2);
        self.begin(channel);
    }

    fn begin(&mut self, channel: usize) {
        let control = i64::from(Self::channel(channel)[3].spec().address);
        if self.chance(50) {
            self.put(Op::Csrrwi, &[0, control, 1]);
        } else {
            let rd = self.source.random_range(1..FREE);
            let value = 1 | self.source.random::<u32>() << 12;
            self.set(rd, value);
            let op = self.of(&[Op::Csrrw, Op::Csrrs]);
            let old = self.of(&[0, 0, 3]);
            self.put(op, &[old, control, rd]);
        }
        self.busy[channel] = true;
    }

    fn start(&mut self, channel: usize) {
        // What the other channel does at the same time may have to wait for it, unseen.
        if self.configuration.channels_collide() && self.busy[1 - channel] {
            self.wait(1 - channel);
        }
        if self.chance(80) {
            self.wait(channel);
            if channel == 1 {
                self.prepare();
            }
        }
        let memory = self.configuration.memory;
        let most = if self.chance(15) { 40 } else { 4 };
        let rows = self.source.random_range(1..=most);
        let inside = |maker: &mut Self, bytes: u32| {
            let last = i64::from(bytes / VECTOR_BYTES - rows);
            // At the end, around a page's end, or anywhere.
            let row = match maker.below(4) {
                0 => last,
                1 => (64 - maker.below(i64::from(rows) + 1)).max(0).min(last),
                _ => maker.below(last + 1),
            };
            VECTOR_BYTES * row as u32
        };
        let vector = memory.vector_bytes / 4 * (1 + channel as u32) + inside(self, OWN);
        let half = memory.dram_bytes / 2;
        let bytes = rows * VECTOR_BYTES;
        let dram = if channel == 1 && self.chance(10) {
            memory.dram_bytes - bytes
        } else {
            (if channel == 0 { 0 } else { half }) + inside(self, DRAM)
        };
        self.program_channel(channel, if channel == 0 { [dram, vector, bytes] } else { [vector, dram, bytes] });
        match self.below(4) {
            0 => self.some(8),
            1 => self.wait(channel),
            2 => {
                // States on the way.
                let status = Self::channel(channel)[4];
                for _ in 0..self.source.random_range(3..16) {
                    let rd = self.source.random_range(1..FREE);
                    self.read_csr(rd, status);
                }
            }
            _ => {
                // Once more, which is dropped.
                self.some(3);
                if self.chance(30) {
                    self.begin(channel);
                }
            }
        }
        self.set_up = false;
    }

    /// Transfers that the engine refuses.
    fn impossible(&mut self) {
        let channel = self.below(2) as usize;
        self.wait(channel);
        let memory = self.configuration.memory;
        let (vector, dram) = (memory.vector_bytes, memory.dram_bytes);
        let mut good = [0, vector / 4 * (1 + channel as u32), 64];
        if channel == 1 {
            good.swap(0, 1);
            good[1] = dram / 2;
        }
        let place = self.below(3) as usize;
        let sizes = if channel == 0 { [dram, vector] } else { [vector, dram] };
        good[place] = match (self.below(3), place) {
            (0, _) => good[place] + self.of(&[1, 2, 4, 8, 16, 32, 33]),
            (_, 2) => self.of(&[0, DMA_MAX_BYTES + 64, 1 << 20, 0x8000_0000, 0xffff_ffc0]),
            (1, _) => sizes[place],
            _ => self.of(&[0xffff_ffc0, 0x8000_0000, sizes[place] + 64]),
        };
        self.program_channel(channel, good);
        let status = Self::channel(channel)[4];
        for _ in 0..self.source.random_range(1..4) {
            let rd = self.source.random_range(1..FREE);
            self.read_csr(rd, status);
        }
        self.wait(channel);
        self.set_up = false;
    }

    fn wait(&mut self, channel: usize) {
        if !self.busy[channel] {
            return;
        }
        let again = self.label();
        self.bind(again);
        self.read_csr(SCRATCH, Self::channel(channel)[4]);
        for _ in 0..self.below(3) {
            self.put(Op::Addi, &[INNER, INNER, 1]);
        }
        self.put(Op::Andi, &[SCRATCH, SCRATCH, 2]);
        self.branch(Condition::Eq, SCRATCH, 0, again);
        self.read_csr(SCRATCH, Self::channel(channel)[4]);
        self.busy[channel] = false;
    }

    /// Points the vector base into an area of the channels' and back.
    fn at_area(&mut self, area: u32, work: impl Fn(&mut Self)) {
        let base = self.configuration.memory.vector_bytes / 4 * area + 2048 + 64 * self.below(60) as u32;
        self.set(VECTOR_BASE, base);
        work(self);
        let base = 2048 + 64 * self.below(60) as u32;
        self.set(VECTOR_BASE, base);
    }

    /// Loads what has been transferred.
    fn look(&mut self, channel: usize) {
        if channel == 0 && !self.busy[0] {
            self.at_area(1, |maker| {
                for _ in 0..=maker.below(4) {
                    let (vd, imm) = (maker.below(32), 64 * maker.source.random_range(-32..32));
                    maker.put(Op::VLoadV, &[vd, imm, VECTOR_BASE]);
                }
            });
        }
    }

    /// Stores what is to be transferred.
    fn prepare(&mut self) {
        if !self.busy[1] && self.chance(60) {
            self.at_area(2, |maker| {
                for _ in 0..=maker.below(4) {
                    let (vs2, imm) = (maker.v_source(), 64 * maker.source.random_range(-32..32));
                    maker.put(Op::VStore, &[vs2, imm, VECTOR_BASE]);
                }
            });
        }
    }

    /// Brings back into vector memory what was written to DRAM, and looks at it. Both channels are idle.
    fn read_back(&mut self) {
        let memory = self.configuration.memory;
        let row = 64 * self.below(200) as u32;
        let vector = memory.vector_bytes / 4 + 64 * self.below(100) as u32;
        self.program_channel(0, [memory.dram_bytes / 2 + row, vector, 256]);
        self.set_up = false;
        self.wait(0);
        self.look(0);
    }

    // ----------------------------------------------------------------------------------------------------------- the end

    fn epilogue(&mut self) {
        if self.exceptions == Exceptions::Return && self.chance(30) {
            // The handler goes to the end from there.
            self.outside();
        }
        self.bind(self.end);
        self.close();
        if self.chance(70) {
            // The handler may have come here from anywhere: what is not busy is found idle at once.
            self.busy = [true; 2];
            self.wait(0);
            self.wait(1);
            self.look(0);
        }
        self.close();
        for register in 1..32 {
            self.put(Op::Sw, &[register, 1536 + 4 * register, 0]);
        }
        self.set(VECTOR_BASE, 2048);
        for register in 0..32 {
            self.put(Op::VStore, &[register, 64 * (register - 32), VECTOR_BASE]);
        }
        self.close();
        for (index, row) in CSRS.iter().enumerate() {
            self.put(Op::Csrrs, &[1 + index as i64 % 24, i64::from(row.address), 0]);
        }
        self.close();
        match self.below(20) {
            0 => self.put(Op::Ebreak, &[]),
            1 | 2 => {
                // An exception without a handler.
                self.write_csr(Register::Mtvec, 0);
                self.raise();
                self.outside();
            }
            3 => {
                // A handler whose first instruction cannot be executed itself.
                let over = self.label();
                self.jump(HANDLER, over);
                self.no_instruction();
                self.bind(over);
                self.write_csr(Register::Mtvec, HANDLER);
                self.raise();
            }
            4 => {
                self.write_csr(Register::Mtvec, 0);
                self.outside();
            }
            5 => {
                // A handler that is not there.
                self.put(Op::Lui, &[HANDLER, 0x80]);
                self.write_csr(Register::Mtvec, HANDLER);
                self.raise();
            }
            _ => {}
        }
        self.put(Op::Ecall, &[]);
        self.close();
    }

    /// Jumps to where no instruction memory is.
    fn outside(&mut self) {
        let size = self.configuration.memory.instruction_bytes;
        let (address, imm) =
            self.of(&[(size, 0), (size + 64, 0), (0x8000_0000, 4), (0x7fff_ffff, 1), (0xffff_fffc, 0)]);
        self.set(SCRATCH, address);
        self.put(Op::Jalr, &[0, imm, SCRATCH]);
    }
}
