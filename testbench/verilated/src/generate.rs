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

use fenn_isa::Inst;
use fenn_isa::code::{Item, Label, link};
use fenn_isa::operand::{Branch, XReg};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use crate::axi::Pace;
use crate::configuration::Configuration;

mod base;
mod csr;
mod exception;
mod fill;
mod flow;
mod instruction;
mod maker;
mod transfer;
mod whole;

pub use fill::fill;
use maker::Maker;

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
            Line::Item(Item::Upper { rd, target }) => format!("        lui {rd}, %hi(L{})\n", target.0),
            Line::Item(Item::AddLower { rd, rs1, target }) => {
                format!("        addi {rd}, {rs1}, %lo(L{})\n", target.0)
            }
            Line::Item(Item::JumpLower { rd, rs1, target }) => {
                format!("        jalr {rd}, %lo(L{})({rs1})\n", target.0)
            }
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
