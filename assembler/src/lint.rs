//! Lints: what a correct program may still have wrong, found on request.
//!
//! Contract: [`lint`] reads what an assembly came to (the words, their lines and their labels), so it sees instructions
//! as the machine does, whether written, expanded from a macro or a pseudo-instruction. Each [`Lint`] has a name, by
//! which it is switched off. Nothing is guessed: a value counts as constant where the straight line of code before it
//! makes it so, and any label, call or return from one forgets them all.
//!
//! Not here: errors; what keeps a program from being assembled is a [`crate::Problem`].

use std::collections::BTreeSet;

use fenn_isa::csr::{self, Register};
use fenn_isa::image::Image;
use fenn_isa::memory::{Space, VECTOR_BYTES};
use fenn_isa::operand::{OperandKind, XReg};
use fenn_isa::{Class, Inst, Op, Role};

use crate::Assembly;
use crate::source::Span;

macro_rules! lints {
    ($($(#[doc = $doc:literal])* $variant:ident $name:literal,)*) => {
        /// What is looked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Lint { $($(#[doc = $doc])* $variant,)* }

        impl Lint {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name, as in messages and options.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it finds, in a sentence.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc,)*).trim_ascii(),)* }
            }
        }
    };
}

lints! {
    /// An instruction reads the vector that the load directly before it has not delivered yet; the processor waits a cycle.
    ResultNotReady "result-not-ready",
    /// A result is written to `x0`, where it is lost.
    ZeroWritten "x0-written",
    /// No execution comes by: a jump is before it, and no label.
    Unreachable "unreachable-code",
    /// A constant address is not a multiple of what the access needs; the instruction traps.
    MisalignedAddress "misaligned-address",
    /// A constant address lies beyond the end of its memory, and wraps or traps.
    OutsideMemory "outside-memory",
    /// A register is read that no instruction writes, and that a caller does not set either.
    NeverWritten "never-written",
    /// Execution runs off the end of the code.
    RunsOff "runs-off-the-end",
}

impl Lint {
    /// The lint of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|lint| lint.name() == name)
    }
}

/// Something that a lint found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Which lint.
    pub lint: Lint,
    /// The sentence.
    pub text: String,
    /// Where.
    pub span: Span,
    /// What to do about it.
    pub help: Option<String>,
}

/// An instruction with its place.
struct Step {
    address: u32,
    span: Span,
    inst: Inst,
}

/// What the lints find in a program, in the order of its code; nothing where there is no program.
pub fn lint(assembly: &Assembly) -> Vec<Warning> {
    let Some(image) = &assembly.image else { return Vec::new() };
    let code = assembly.lines.iter().filter(|line| line.code && line.space == Space::Instruction);
    let mut steps: Vec<Step> = code
        .filter_map(|line| {
            let word = u32::from_le_bytes(line.bytes.as_slice().try_into().ok()?);
            Some(Step { address: line.address, span: line.span, inst: Inst::decode(word)? })
        })
        .collect();
    // Lines are in the order of the sources, and steps in that of execution.
    steps.sort_by_key(|step| step.address);
    let mut entries: BTreeSet<u32> = assembly.labels.iter().copied().collect();
    entries.insert(image.entry);
    entries.extend(steps.iter().filter_map(target));
    let mut warnings = Vec::new();
    pairs(&steps, &entries, image, &mut warnings);
    for step in &steps {
        lost_result(step, &mut warnings);
    }
    constants(&steps, &entries, image, &mut warnings);
    never_written(&steps, &mut warnings);
    warnings.sort_by_key(|warning| (warning.span, warning.lint));
    warnings.dedup();
    warnings
}

/// Where a branch or jump to a constant place goes.
fn target(step: &Step) -> Option<u32> {
    let spec = step.inst.op().spec();
    let operand = spec.operands().find(|operand| matches!(operand.kind, OperandKind::Branch | OperandKind::Jump))?;
    let offset = operand.kind.from_bits(operand.field.extract(step.inst.encode()));
    u32::try_from(i64::from(step.address) + offset).ok()
}

/// Whether the next instruction in memory is not the next one executed, whatever happens.
fn leaves(inst: Inst) -> bool {
    match inst {
        Inst::Jal { rd, .. } | Inst::Jalr { rd, .. } => rd == XReg::ZERO,
        _ => inst.op() == Op::Mret,
    }
}

/// The registers an instruction names: vector register or not, number, role.
fn registers(inst: Inst) -> impl Iterator<Item = (bool, u8, Role)> {
    let word = inst.encode();
    inst.op().spec().operands().filter_map(move |operand| {
        let vector = match operand.kind {
            OperandKind::VReg => true,
            OperandKind::XReg => false,
            _ => return None,
        };
        Some((vector, operand.field.extract(word) as u8, operand.role))
    })
}

fn reads(role: Role) -> bool {
    matches!(role, Role::Source | Role::Merged)
}

fn writes(role: Role) -> bool {
    matches!(role, Role::Destination | Role::Merged)
}

/// What two neighbours, or the last instruction and the end, have wrong.
fn pairs(steps: &[Step], entries: &BTreeSet<u32>, image: &Image, warnings: &mut Vec<Warning>) {
    let mut after_jump = false;
    for (index, step) in steps.iter().enumerate() {
        let next = steps.get(index + 1).filter(|next| next.address == step.address + 4);
        if let Some(next) = next
            && matches!(step.inst.op().spec().class, Class::VectorLoad | Class::LaneLoad)
            && let Some((_, number, _)) = registers(step.inst).find(|(_, _, role)| writes(*role))
            && registers(next.inst).any(|(vector, other, role)| vector && other == number && reads(role))
        {
            warnings.push(Warning {
                lint: Lint::ResultNotReady,
                text: format!("`v{number}` is read in the cycle after its load, and is ready one cycle later"),
                span: next.span,
                help: Some("an instruction that does not need it fits in between".to_owned()),
            });
        }
        // One warning for a run of code that nothing reaches.
        let reached = entries.contains(&step.address);
        if after_jump && !reached {
            let run = steps[index..].iter().take_while(|step| !entries.contains(&step.address)).count();
            let what = if run > 1 { format!("these {run} instructions are") } else { "this instruction is".to_owned() };
            warnings.push(Warning {
                lint: Lint::Unreachable,
                text: format!("{what} never executed"),
                span: step.span,
                help: Some("a jump is before it: put a label here or leave it out".to_owned()),
            });
        }
        let unreachable = after_jump && !reached;
        after_jump = next.is_some() && leaves(step.inst) && !next.is_some_and(|next| entries.contains(&next.address));
        // Code that is not reached was reported once, and is followed by code that is not reached either.
        if unreachable {
            after_jump = false;
        }
        let stops = leaves(step.inst) || matches!(step.inst.op(), Op::Ecall | Op::Ebreak) || unreachable;
        if next.is_none() && !stops && !image.has_code(step.address + 4) {
            warnings.push(Warning {
                lint: Lint::RunsOff,
                text: "execution runs off the end of the code behind this instruction".to_owned(),
                span: step.span,
                help: Some("end the program with `ecall` or a jump".to_owned()),
            });
        }
    }
}

/// A result that is thrown away. Jumps and CSR accesses do that on purpose, and so does the canonical `nop`.
fn lost_result(step: &Step, warnings: &mut Vec<Warning>) {
    const NOP: u32 = 0x13;
    let spec = step.inst.op().spec();
    let on_purpose = matches!(spec.class, Class::Jump | Class::JumpRegister | Class::Csr | Class::Fence);
    let lost = registers(step.inst).any(|(vector, number, role)| !vector && number == 0 && writes(role));
    if lost && !on_purpose && step.inst.encode() != NOP {
        warnings.push(Warning {
            lint: Lint::ZeroWritten,
            text: format!("`{}` writes `x0`, which stays 0", spec.mnemonic()),
            span: step.span,
            help: None,
        });
    }
}

/// What is known of the scalar registers on the way through straight code.
struct Known([Option<u32>; 32]);

impl Known {
    const NOTHING: Self = {
        let mut known = [None; 32];
        known[0] = Some(0);
        Self(known)
    };

    fn get(&self, register: XReg) -> Option<u32> {
        self.0[usize::from(register.get())]
    }

    /// Follows one instruction.
    fn step(&mut self, step: &Step) {
        let binary = |one: XReg, other: XReg, apply: fn(u32, u32) -> u32| Some(apply(self.get(one)?, self.get(other)?));
        let immediate =
            |one: XReg, other: i16, apply: fn(u32, u32) -> u32| Some(apply(self.get(one)?, i32::from(other) as u32));
        let value = match step.inst {
            Inst::Lui { imm, .. } => Some(imm.get() << 12),
            Inst::Auipc { imm, .. } => Some((imm.get() << 12).wrapping_add(step.address)),
            Inst::Addi { rs1, imm, .. } => immediate(rs1, imm.get(), u32::wrapping_add),
            Inst::Andi { rs1, imm, .. } => immediate(rs1, imm.get(), |a, b| a & b),
            Inst::Ori { rs1, imm, .. } => immediate(rs1, imm.get(), |a, b| a | b),
            Inst::Add { rs1, rs2, .. } => binary(rs1, rs2, u32::wrapping_add),
            Inst::Sub { rs1, rs2, .. } => binary(rs1, rs2, u32::wrapping_sub),
            Inst::Slli { rs1, shamt, .. } => self.get(rs1).map(|value| value << shamt.get()),
            Inst::Srli { rs1, shamt, .. } => self.get(rs1).map(|value| value >> shamt.get()),
            _ => None,
        };
        for (vector, number, role) in registers(step.inst) {
            if !vector && writes(role) && number != 0 {
                self.0[usize::from(number)] = value;
            }
        }
    }
}

/// What an access with a constant address needs.
struct Access {
    base: XReg,
    offset: i16,
    bytes: u32,
    space: Space,
}

fn access(inst: Inst) -> Option<Access> {
    let (bytes, space) = match inst.op() {
        Op::Lb | Op::Lbu | Op::Sb => (1, Space::Scalar),
        Op::Lh | Op::Lhu | Op::Sh => (2, Space::Scalar),
        Op::Lw | Op::Sw => (4, Space::Scalar),
        Op::VLoadV | Op::VStore | Op::VLoadR0 | Op::VLoadR1 => (VECTOR_BYTES, Space::Vector),
        _ => return None,
    };
    let word = inst.encode();
    let number = |name: &str| {
        let operand = inst.op().spec().operands().find(|operand| operand.name == name)?;
        Some(operand.kind.from_bits(operand.field.extract(word)))
    };
    Some(Access { base: XReg::new(number("rs1")?)?, offset: i16::try_from(number("imm")?).ok()?, bytes, space })
}

/// Constant addresses that cannot be meant.
fn constants(steps: &[Step], entries: &BTreeSet<u32>, image: &Image, warnings: &mut Vec<Warning>) {
    let mut known = Known::NOTHING;
    let mut before: Option<&Step> = None;
    for step in steps {
        let follows = before.is_some_and(|before| before.address + 4 == step.address && !calls(before.inst));
        if !follows || entries.contains(&step.address) {
            known = Known::NOTHING;
        }
        let mut wrong = |lint, text, help| warnings.push(Warning { lint, text, span: step.span, help });
        if let Some(Access { base, offset, bytes, space }) = access(step.inst)
            && let Some(address) = known.get(base).map(|base| base.wrapping_add(i32::from(offset) as u32))
        {
            if !address.is_multiple_of(bytes) {
                let text = format!("the address is {address:#x}, which is not a multiple of {bytes}; this traps");
                wrong(Lint::MisalignedAddress, text, Some(format!("write `.balign {bytes}` before the data")));
            } else if address >= image.config.bytes(space) {
                let size = image.config.bytes(space);
                let text = format!("the address is {address:#x}, and {space} has {size:#x} bytes");
                wrong(Lint::OutsideMemory, text, None);
            }
        }
        if let Inst::Csrrw { csr, rs1, .. } = step.inst
            && let Some(row) = csr::by_address(csr.get()).filter(|row| moves_vectors(row.register))
            && let Some(value) = known.get(rs1).filter(|value| !value.is_multiple_of(VECTOR_BYTES))
        {
            let text = format!("`{}` is set to {value:#x}, which is not a multiple of {VECTOR_BYTES}", row.name);
            wrong(Lint::MisalignedAddress, text, Some("the DMA engine moves whole vectors".to_owned()));
        }
        known.step(step);
        before = Some(step);
    }
}

/// Whether another function has run before the next instruction.
fn calls(inst: Inst) -> bool {
    matches!(inst.op(), Op::Jal | Op::Jalr | Op::Ecall | Op::Ebreak | Op::Mret)
}

/// The DMA engine's addresses and lengths.
fn moves_vectors(register: Register) -> bool {
    matches!(
        register,
        Register::Mm2sSrcAddr
            | Register::Mm2sDstAddr
            | Register::Mm2sCount
            | Register::S2mmSrcAddr
            | Register::S2mmDstAddr
            | Register::S2mmCount
    )
}

/// Registers that are read and never set. What the ABI lets a caller set (return address, stack, thread and global
/// pointer, arguments, and what must be given back as it was) counts as set.
fn never_written(steps: &[Step], warnings: &mut Vec<Warning>) {
    let all = || steps.iter().flat_map(|step| registers(step.inst).map(move |register| (step, register)));
    let mut set: BTreeSet<(bool, u8)> =
        all().filter(|(_, (_, _, role))| writes(*role)).map(|(_, (vector, number, _))| (vector, number)).collect();
    // t0 to t2 and t3 to t6 are a function's own.
    set.extend((0..32).filter(|number| !matches!(number, 5..=7 | 28..=31)).map(|number| (false, number)));
    for (step, (vector, number, role)) in all() {
        if role == Role::Source && set.insert((vector, number)) {
            let name = if vector {
                format!("v{number}")
            } else {
                fenn_isa::operand::ABI_NAMES[usize::from(number)].to_owned()
            };
            warnings.push(Warning {
                lint: Lint::NeverWritten,
                text: format!("`{name}` is read, and no instruction of the program writes it"),
                span: step.span,
                help: None,
            });
        }
    }
}
