//! This project's core stage by stage: a second statement of how long things take, written as hardware is.
//!
//! Four stages after the choice of a fetch address. In the cycle in which an address is chosen the instruction memory is
//! read; in the next one the word is in F, where the branch target buffer is looked up with its address; then it is in D,
//! where it is decoded and reads its registers, with results forwarded from X and W; then in X, where branches and traps
//! are resolved; then in W, where late results come. "Issued" is the cycle in which an instruction leaves D. The next
//! address is, in this order, that of X where a branch went elsewhere or a trap is taken, of D where a jump leaves that F
//! did not foresee, of the branch target buffer, or the next one. There is no reckoning with times here, only valid bits
//! and comparisons of register numbers; and nothing of it comes from the table of latencies or from the table of
//! instructions, but for whether a word is one: words are decoded by their bits.
//!
//! Contract: given what a program did, [`issue_cycles`] says when each of its instructions is issued on the core that
//! `fenn_isa::timing::FENN` describes. Errors: the program's own path is not the one that the stages follow.

use std::collections::BTreeMap;

use fenn_isa::Class;
use fenn_isa::timing::FENN;
use fenn_iss::dma::Transfer;
use fenn_iss::timing::{Detail, Retired};
use fenn_iss::{Access, Limits, Machine, Observer, Options, State, Trap};
use rand_pcg::Pcg32;
use rand_pcg::rand_core::SeedableRng;

use crate::random;

/// What one step of a program did, which hardware learns in X.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its address.
    pub pc: u32,
    /// Its word; 0 where nothing could be fetched.
    pub word: u32,
    /// Whether it trapped.
    pub trapped: bool,
    /// The address of the next step.
    pub next: u32,
    /// Whether it is a branch that was taken.
    pub taken: bool,
    /// The divisor, where it divides.
    pub divisor: u32,
    /// The address, where it accesses scalar memory.
    pub address: u32,
}

/// The stages and the program do not agree on where the program goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OffPath {
    /// Something else is in D.
    #[error("in cycle {cycle} the instruction at {found:#x} leaves D where the program goes on at {expected:#x}")]
    Elsewhere {
        /// When.
        cycle: i64,
        /// What is in D.
        found: u32,
        /// What should be.
        expected: u32,
    },
    /// Nothing leaves D any more.
    #[error("nothing has left D until cycle {cycle}")]
    Stuck {
        /// When.
        cycle: i64,
    },
}

/// A register of one of the three kinds: scalar, vector, and the generators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Register {
    X(u8),
    V(u8),
    Generators,
}

/// What an instruction is to the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Jump,
    JumpRegister,
    Return,
    Branch,
    Divide {
        signed: bool,
    },
    Csr,
    /// Of so many bytes.
    Access(u32),
}

/// A word as D decodes it.
#[derive(Debug, Clone, Copy)]
struct Decoded {
    kind: Kind,
    sources: [Option<Register>; 3],
    destination: Option<Register>,
    /// Whether the result comes in W and not in X.
    late: bool,
}

const NOTHING: Decoded = Decoded { kind: Kind::Plain, sources: [None; 3], destination: None, late: false };

fn bits(word: u32, high: u32, low: u32) -> u32 {
    (word >> low) & ((1 << (high - low + 1)) - 1)
}

fn decode(word: u32) -> Decoded {
    if bits(word, 1, 0) == 0b11 { decode_scalar(word) } else { decode_vector(word) }
}

fn decode_scalar(word: u32) -> Decoded {
    let x = |low| Some(bits(word, low + 4, low)).filter(|number| *number != 0).map(|number| Register::X(number as u8));
    let (rd, rs1, rs2) = (x(7), x(15), x(20));
    let function = bits(word, 14, 12);
    let plain = Decoded { destination: rd, ..NOTHING };
    match bits(word, 6, 2) {
        // lui, auipc; jal; jalr
        0b01101 | 0b00101 => plain,
        0b11011 => Decoded { kind: Kind::Jump, ..plain },
        0b11001 => Decoded { kind: Kind::JumpRegister, sources: [rs1, None, None], ..plain },
        0b11000 => Decoded { kind: Kind::Branch, sources: [rs1, rs2, None], ..NOTHING },
        0b00000 => {
            let kind = Kind::Access(1 << bits(word, 13, 12));
            Decoded { kind, sources: [rs1, None, None], late: true, ..plain }
        }
        0b01000 => Decoded { kind: Kind::Access(1 << bits(word, 13, 12)), sources: [rs1, rs2, None], ..NOTHING },
        // With an immediate; cpop is the one that is late.
        0b00100 => Decoded { sources: [rs1, None, None], late: function == 1 && bits(word, 31, 20) == 0x602, ..plain },
        0b01100 if bits(word, 31, 25) == 1 && function >= 4 => {
            let kind = Kind::Divide { signed: function & 1 == 0 };
            Decoded { kind, sources: [rs1, rs2, None], late: true, ..plain }
        }
        // Multiplies are late; zext.h has no second source, and 0 there.
        0b01100 => Decoded { sources: [rs1, rs2, None], late: bits(word, 31, 25) == 1, ..plain },
        0b11100 if function == 0 => {
            Decoded { kind: if bits(word, 31, 20) == 0x302 { Kind::Return } else { Kind::Plain }, ..NOTHING }
        }
        // The upper three functions have a number where the source would be.
        0b11100 => {
            Decoded { kind: Kind::Csr, sources: [rs1.filter(|_| function < 4), None, None], late: true, ..plain }
        }
        _ => NOTHING,
    }
}

fn decode_vector(word: u32) -> Decoded {
    let x = |low| Some(bits(word, low + 4, low)).filter(|number| *number != 0).map(|number| Register::X(number as u8));
    let v = |low| Some(Register::V(bits(word, low + 4, low) as u8));
    let function = bits(word, 14, 12);
    let generators = |draws: bool| draws.then_some(Register::Generators);
    let (vd, vs1, vs2) = (v(7), v(15), v(20));
    match bits(word, 6, 2) {
        // Lane arithmetic; function 4 multiplies, and bits 30:29 say how it rounds.
        0b00000 => {
            let multiplies = function == 4;
            let draws = generators(multiplies && bits(word, 30, 29) == 2);
            Decoded { sources: [vs1, vs2, draws], destination: vd, late: multiplies, ..NOTHING }
        }
        0b00001 => Decoded { destination: vd, ..NOTHING },
        0b00010 => Decoded { sources: [vs1, vs2, None], destination: x(7), late: true, ..NOTHING },
        // vsel writes some lanes and does not read the others.
        0b00011 => Decoded { sources: [x(15), vs2, None], destination: vd, ..NOTHING },
        0b00100 => match function {
            0 => Decoded { sources: [x(15), None, None], destination: vd, late: true, ..NOTHING },
            2 => Decoded { sources: [vs1, None, None], destination: vd, late: true, ..NOTHING },
            _ => {
                let destination = Some(Register::Generators);
                Decoded { sources: [x(15), None, None], destination, late: true, ..NOTHING }
            }
        },
        0b00101 => Decoded { sources: [if function == 0 { x(15) } else { vs1 }, vs2, None], ..NOTHING },
        0b00110 if function == 0 => Decoded { sources: [x(15), None, None], destination: vd, ..NOTHING },
        0b00110 => Decoded { sources: [vs1, None, None], destination: x(7), late: true, ..NOTHING },
        0b01000 if function == 0 => Decoded { sources: [generators(true), None, None], destination: vd, ..NOTHING },
        0b01000 => Decoded { sources: [vs1, x(20), None], destination: vd, ..NOTHING },
        // Shifts by a number; bits 25:24 say how they round.
        0b01001 => {
            let rounding = if function == 1 { bits(word, 25, 24) } else { 0 };
            let draws = generators(rounding == 2);
            Decoded { sources: [vs1, draws, None], destination: vd, late: rounding != 0, ..NOTHING }
        }
        _ => NOTHING,
    }
}

/// An instruction in F or D.
#[derive(Debug, Clone, Copy)]
struct Fetched {
    pc: u32,
    /// Whether F went on at its target.
    predicted: bool,
}

/// An instruction in X.
#[derive(Debug, Clone, Copy)]
struct Executing {
    step: Step,
    decoded: Decoded,
    predicted: bool,
    /// Whether this is its first cycle there.
    first: bool,
    /// Cycles it still needs, this one included.
    remaining: u32,
}

/// An entry of the branch target buffer.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u32,
    target: u32,
}

/// In which cycle each step is issued, the first one in cycle 0.
///
/// # Errors
/// [`OffPath`], which means that this and the program disagree about what an instruction is.
pub fn issue_cycles(steps: &[Step]) -> Result<Vec<u64>, OffPath> {
    // What is fetched off the program's path never leaves D, so that it may be anything.
    let legal: BTreeMap<u32, bool> =
        steps.iter().map(|step| (step.word, fenn_isa::Inst::decode(step.word).is_some())).collect();
    let mut btb: [Option<Entry>; 16] = [None; 16];
    let mut fetched: Option<Fetched> = None;
    let mut in_d: Option<Fetched> = None;
    let mut in_x: Option<Executing> = None;
    let mut in_w: Option<Decoded> = None;
    let mut chosen = steps.first().map_or(0, |step| step.pc);
    let mut issued = Vec::with_capacity(steps.len());
    let mut idle = 0;
    // The first instruction is in D two cycles after its address has been chosen.
    let mut cycle: i64 = -2;
    while issued.len() < steps.len() {
        let step = steps[issued.len()];

        // X: branches and traps.
        let mut write: Option<Entry> = None;
        let mut x_redirect = None;
        let mut x_stays = false;
        if let Some(x) = in_x {
            x_stays = x.remaining > 1;
            if x.first && x.step.trapped {
                x_redirect = Some(x.step.next);
            } else if x.decoded.kind == Kind::Branch {
                let taken = x.step.taken;
                if taken != x.predicted {
                    x_redirect = Some(x.step.next);
                }
                if taken && !x.predicted && x.step.next <= x.step.pc {
                    write = Some(Entry { tag: x.step.pc, target: x.step.next });
                }
            }
        }

        // D: hazards, and jumps.
        let mut leaves = None;
        let mut d_redirect = None;
        if let Some(d) = in_d.filter(|_| x_redirect.is_none() && !x_stays) {
            let decoded = if legal[&step.word] { decode(step.word) } else { NOTHING };
            if !has_hazard(&decoded, in_x.as_ref(), in_w.as_ref()) {
                if d.pc != step.pc {
                    return Err(OffPath::Elsewhere { cycle, found: d.pc, expected: step.pc });
                }
                leaves = Some(Executing {
                    step,
                    decoded,
                    predicted: d.predicted,
                    first: true,
                    remaining: cycles_in_x(&step, &decoded),
                });
                match decoded.kind {
                    Kind::Jump if !d.predicted && !step.trapped => {
                        d_redirect = Some(step.next);
                        write = Some(Entry { tag: step.pc, target: step.next });
                    }
                    Kind::JumpRegister | Kind::Return if !step.trapped => d_redirect = Some(step.next),
                    _ => {}
                }
            }
        }

        // F: the branch target buffer, and the next address.
        let stalled = in_d.is_some() && leaves.is_none();
        let hit = fetched.and_then(|f| btb[bits(f.pc, 5, 2) as usize].filter(|entry| entry.tag == f.pc));
        let next = x_redirect.or(d_redirect).or(hit.map(|entry| entry.target)).unwrap_or_else(|| match fetched {
            Some(f) => f.pc.wrapping_add(4),
            None => chosen,
        });

        // The clock's edge.
        if leaves.is_some() {
            issued.push(cycle as u64);
            idle = 0;
        }
        idle += 1;
        if idle > 100 {
            return Err(OffPath::Stuck { cycle });
        }
        in_w = in_x.filter(|x| x.remaining == 1 && !x.step.trapped).map(|x| x.decoded);
        in_x = leaves.or(in_x.filter(|_| x_stays).map(|x| Executing { first: false, remaining: x.remaining - 1, ..x }));
        let flushed = x_redirect.is_some() || d_redirect.is_some();
        if flushed {
            in_d = None;
            fetched = Some(Fetched { pc: next, predicted: false });
        } else if !stalled {
            in_d = fetched.map(|f| Fetched { predicted: hit.is_some(), ..f });
            fetched = Some(Fetched { pc: next, predicted: false });
        }
        chosen = next;
        if let Some(entry) = write {
            btb[bits(entry.tag, 5, 2) as usize] = Some(entry);
        }
        cycle += 1;
    }
    Ok(issued)
}

/// Whether an instruction in D has to wait for a result of one that is ahead of it.
fn has_hazard(d: &Decoded, x: Option<&Executing>, w: Option<&Decoded>) -> bool {
    let in_x = |register| x.filter(|x| x.decoded.destination == Some(register) && !x.step.trapped);
    let late_in_w = |register| w.is_some_and(|w| w.destination == Some(register) && w.late);
    match d.kind {
        // The target is formed in D, from what is registered.
        Kind::JumpRegister => d.sources.iter().flatten().any(|source| in_x(*source).is_some() || late_in_w(*source)),
        // CSRs are written in X.
        Kind::Return => x.is_some_and(|x| x.decoded.kind == Kind::Csr && !x.step.trapped),
        _ => d.sources.iter().flatten().any(|source| in_x(*source).is_some_and(|x| x.decoded.late)),
    }
}

fn cycles_in_x(step: &Step, decoded: &Decoded) -> u32 {
    match decoded.kind {
        _ if step.trapped => 1,
        // Bits of the quotient one by one from the divisor's highest one on, and three cycles besides.
        Kind::Divide { signed } => {
            let negative = signed && bits(step.divisor, 31, 31) == 1;
            let mut magnitude = if negative { 0u32.wrapping_sub(step.divisor) } else { step.divisor };
            let mut zeros = 0;
            while zeros < 32 && bits(magnitude, 31, 31) == 0 {
                magnitude <<= 1;
                zeros += 1;
            }
            3 + zeros
        }
        Kind::Access(bytes) if bits(step.address, 1, 0) + bytes > 4 => 2,
        _ => 1,
    }
}

/// What a program does on the simulator, and in which cycle each step is issued there.
///
/// Traps without a handler and other ends are no steps: they have no next one.
#[derive(Debug, Default)]
pub struct Recording {
    /// The steps.
    pub steps: Vec<Step>,
    /// The cycles of those that were retired.
    pub cycles: Vec<Option<u64>>,
}

impl Observer for Recording {
    fn retire(&mut self, retired: &Retired, _state: &State) {
        let Retired { pc, inst, next, detail, cycle, .. } = *retired;
        let (mut divisor, mut address, mut taken) = (0, 0, false);
        match detail {
            Detail::Divisor(value) => divisor = value,
            Detail::Scalar { address: value, .. } => address = value,
            Detail::Branch(value) => taken = value,
            Detail::Vector(_) | Detail::Nothing => {}
        }
        self.push(Step { pc, word: inst.encode(), trapped: false, next, taken, divisor, address }, Some(cycle));
    }

    fn access(&mut self, _access: &Access) {}

    fn transfer(&mut self, _transfer: &Transfer) {}

    fn trap(&mut self, trap: &Trap) {
        let step = Step {
            pc: trap.pc,
            word: trap.word.unwrap_or(0),
            trapped: true,
            next: 0,
            taken: false,
            divisor: 0,
            address: 0,
        };
        self.push(step, None);
    }
}

impl Recording {
    fn push(&mut self, step: Step, cycle: Option<u64>) {
        if let Some(last) = self.steps.last_mut().filter(|last| last.trapped) {
            last.next = step.pc;
        }
        self.steps.push(step);
        self.cycles.push(cycle);
    }
}

/// How the two statements compare on random programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Instructions compared.
    pub instructions: u64,
    /// Traps that the programs took.
    pub traps: u64,
    /// Cycles of all programs.
    pub cycles: u64,
    /// Instructions of each class, by its number.
    pub classes: [u64; Class::ALL.len()],
    /// The first difference in each program that has one, in words.
    pub differences: Vec<String>,
}

/// Runs random programs, `steps` of each, on the simulator and through the stages.
///
/// # Errors
/// The simulator cannot be made or loaded.
pub fn compare(programs: usize, steps: u64, seed: u64) -> Result<Comparison, fenn_iss::Error> {
    let mut source = Pcg32::seed_from_u64(seed);
    let mut result = Comparison::default();
    for index in 0..programs {
        let length = 4 + random::below(&mut source, 200) as usize;
        let image = random::program(&mut source, length);
        let mut machine = Machine::from_image(&image, Options { strict: false, profile: FENN, ..Options::default() })?;
        let mut recording = Recording::default();
        let _ = machine.run(Limits { instructions: Some(steps), ..Limits::NONE }, &mut recording);
        // A trap at the end has not been followed.
        let known = recording.steps.iter().rposition(|step| !step.trapped).map_or(0, |last| last + 1);
        let (steps, cycles) = (&recording.steps[..known], &recording.cycles[..known]);
        result.cycles += machine.state().cycles;
        for step in steps {
            match fenn_isa::Inst::decode(step.word).filter(|_| !step.trapped) {
                Some(inst) => result.classes[inst.op().spec().class as usize] += 1,
                None => result.traps += 1,
            }
        }
        match issue_cycles(steps) {
            Err(error) => result.differences.push(format!("program {index}: {error}")),
            Ok(issued) => {
                let pairs = issued.iter().zip(cycles).enumerate();
                let retired = pairs.filter_map(|(at, (ours, theirs))| Some((at, *ours, (*theirs)?)));
                result.instructions += retired.clone().count() as u64;
                if let Some((at, ours, theirs)) = retired.into_iter().find(|(_, ours, theirs)| ours != theirs) {
                    let around: Vec<String> = steps[at.saturating_sub(4)..=at].iter().map(text_of).collect();
                    let difference = format!(
                        "program {index}, step {at}: cycle {ours} by stages, {theirs} by the table: {}",
                        around.join("; ")
                    );
                    result.differences.push(difference);
                }
            }
        }
    }
    Ok(result)
}

fn text_of(step: &Step) -> String {
    let text = fenn_isa::Inst::decode(step.word).map_or_else(|| format!("{:#x}", step.word), |inst| inst.to_string());
    format!("{:#x} {text}{}", step.pc, if step.trapped { " (traps)" } else { "" })
}
