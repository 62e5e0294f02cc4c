//! Machine code on virtual registers: between lowering and register allocation.
//!
//! Contract: an instruction is a row of the instruction table with its operands in the row's order; which operands are
//! read and written is the table's knowledge ([`Role`]), so no instruction is treated specially here. A virtual register
//! may be written more than once; control flow is labels, branches and jumps, and falls through otherwise.
//!
//! A jump to a computed address says where it may go ([`Targets`]), so that everything that follows control flow can
//! follow it; code addresses are operands ([`Arg::Upper`], [`Arg::Lower`]) that the linker fills in.
//!
//! Not here: which instructions to choose ([`crate::lower`]) and which real registers ([`crate::regalloc`]).

use std::collections::{BTreeMap, BTreeSet};

use fenn_isa::code::Label;
use fenn_isa::operand::OperandKind;
use fenn_isa::{Op, Role};

pub mod flow;
mod text;
pub mod verify;

pub use text::{ParseError, ParseErrorKind};

/// The two register files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    /// Scalar registers.
    X,
    /// Vector registers.
    V,
}

/// A virtual register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg {
    /// Which file it will be in.
    pub file: File,
    /// Its number within the file; unlimited.
    pub index: u32,
}

/// An operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arg {
    /// A virtual register.
    Reg(Reg),
    /// `x0`.
    Zero,
    /// A number.
    Imm(i64),
    /// Where a branch or a jump goes.
    Label(Label),
    /// The upper part of a label's address, as `lui` takes it.
    Upper(Label),
    /// The lower part of a label's address, as `addi` and `jalr` take it; signed, and `Upper << 12` plus this is the
    /// address.
    Lower(Label),
}

impl From<Reg> for Arg {
    fn from(reg: Reg) -> Self {
        Self::Reg(reg)
    }
}

impl From<Label> for Arg {
    fn from(label: Label) -> Self {
        Self::Label(label)
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Imm(number)
    }
}

/// The name, for [`Inst::array`], of everything in a memory that the program only reads: rows of synapses, and buffers that
/// they are brought to.
pub const ROWS: u32 = u32::MAX;

/// The name, for [`Inst::array`], of the words of scalar memory that a host and the running program tell each other how far they are
/// in: each access is made, where it stands, and none moves past it.
pub const HOST: u32 = u32::MAX - 1;

/// Where an instruction comes from; the register allocator's checker relies on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From lowering and the passes behind it: the item with this index when registers are allocated.
    Lowered(usize),
    /// Written by the allocator: brings a register back from its slot.
    Reload,
    /// Written by the allocator: puts a register into its slot.
    Spill,
    /// Written by the allocator: computes a constant afresh.
    Rematerialize(Reg),
}

/// Where a jump to a computed address may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    /// All labels it may arrive at, in the order of their addresses.
    pub labels: Vec<Label>,
    /// How many bytes lie between each of them and the next, if the computation of the address relies on it. The code
    /// between the first and the last label is then laid out as it stands; [`crate::backend`] checks it when linked.
    pub spacing: Option<u32>,
}

/// An instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inst {
    /// Which row.
    pub op: Op,
    /// One for each of the row's operands.
    pub args: Vec<Arg>,
    /// Who wrote it.
    pub origin: Origin,
    /// Where it may go, for `jalr`; no other instruction has any.
    pub targets: Option<Targets>,
    /// The array that a load or store accesses, named by the address of its first byte, if that is known. Accesses to two
    /// arrays of one memory never meet, whatever their addresses look like, but for [`HOST`].
    pub array: Option<u32>,
    /// For an instruction that keeps lanes of its destination: nobody looks at what it keeps, so the destination need not
    /// hold anything yet.
    pub fresh: bool,
}

impl Inst {
    /// An instruction of which nothing else is known.
    pub fn new(op: Op, args: Vec<Arg>, origin: Origin) -> Self {
        Self { op, args, origin, targets: None, array: None, fresh: false }
    }

    /// The operands that are registers, with what they are to the instruction.
    pub fn registers(&self) -> impl Iterator<Item = (Reg, Role)> {
        self.args.iter().zip(self.op.spec().operands()).filter_map(|(arg, operand)| match arg {
            Arg::Reg(reg) => Some((*reg, operand.role)),
            Arg::Zero | Arg::Imm(_) | Arg::Label(_) | Arg::Upper(_) | Arg::Lower(_) => None,
        })
    }

    /// The registers it reads.
    pub fn uses(&self) -> impl Iterator<Item = Reg> {
        let reads = |role| role == Role::Source || (role == Role::Merged && !self.fresh);
        self.registers().filter(move |(_, role)| reads(*role)).map(|(reg, _)| reg)
    }

    /// The registers it writes.
    pub fn defs(&self) -> impl Iterator<Item = Reg> {
        self.registers().filter(|(_, role)| matches!(role, Role::Destination | Role::Merged)).map(|(reg, _)| reg)
    }

    /// Everywhere it may go other than on.
    pub fn targets(&self) -> impl Iterator<Item = Label> {
        let direct = self.args.iter().find_map(|arg| if let Arg::Label(label) = arg { Some(*label) } else { None });
        direct.into_iter().chain(self.targets.iter().flat_map(|targets| targets.labels.iter().copied()))
    }

    /// Whether it ends a run of straight code: it may go elsewhere, or never goes on.
    pub fn is_terminator(&self) -> bool {
        self.targets().next().is_some() || self.diverts()
    }

    /// Whether execution never goes on behind it.
    pub fn diverts(&self) -> bool {
        self.op == Op::Ecall || (matches!(self.op, Op::Jal | Op::Jalr) && self.args[0] == Arg::Zero)
    }
}

/// A label or an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Binds a label.
    Label(Label),
    /// An instruction.
    Inst(Inst),
}

/// What lowering knows of how often code is executed. Nothing but [`crate::estimate`] relies on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Turns {
    /// A loop that turns so often whenever it is entered.
    Times(u32),
    /// A loop over so many words, in which spikes are looked for; what is done for a spike is in a shorter loop.
    Scan(u32),
    /// A loop that turns for each spike, or for each word with spikes.
    Spike,
    /// The first of the targets of a computed jump, of which so many are passed through on average, the last one, which ends them,
    /// left out.
    Units(f64),
    /// Where a transfer of so many bytes from DRAM begins, on average.
    Brings(f64),
}

/// A program on virtual registers.
#[derive(Debug, Clone, Default)]
pub struct Code {
    /// In order.
    pub items: Vec<Item>,
    /// The names of the labels that have one, by their number.
    pub names: Vec<Option<String>>,
    /// The labels at which a host may start the program: no register holds anything there.
    pub entries: BTreeSet<Label>,
    /// What is known of loops and other code, by the label at its beginning.
    pub turns: BTreeMap<Label, Turns>,
    /// Virtual registers in use: scalar, vector.
    counts: [u32; 2],
}

impl Code {
    /// The same registers and labels, and nothing to execute yet.
    pub(crate) fn without_items(&self) -> Self {
        let Self { items: _, names, entries, turns, counts } = self;
        let (names, entries, turns) = (names.clone(), entries.clone(), turns.clone());
        Self { items: Vec::new(), names, entries, turns, counts: *counts }
    }

    /// Every instruction, in order.
    pub fn insts(&self) -> impl Iterator<Item = &Inst> {
        self.items.iter().filter_map(|item| if let Item::Inst(inst) = item { Some(inst) } else { None })
    }

    /// Names each instruction anew by its place, as if lowering had written it there: the allocator's checker finds it by that.
    pub(crate) fn renumber(&mut self) {
        for (at, item) in self.items.iter_mut().enumerate() {
            if let Item::Inst(inst) = item {
                inst.origin = Origin::Lowered(at);
            }
        }
    }

    /// A new scalar register.
    pub fn x(&mut self) -> Reg {
        self.register(File::X)
    }

    /// A new vector register.
    pub fn v(&mut self) -> Reg {
        self.register(File::V)
    }

    /// A new register of `file`.
    pub fn register(&mut self, file: File) -> Reg {
        let count = &mut self.counts[file as usize];
        *count += 1;
        Reg { file, index: *count - 1 }
    }

    /// How many registers of `file` there are.
    pub fn count(&self, file: File) -> u32 {
        self.counts[file as usize]
    }

    /// A new label that nothing binds yet.
    pub fn label(&mut self) -> Label {
        self.names.push(None);
        Label(self.names.len() as u32 - 1)
    }

    /// Binds `label` here.
    pub fn bind(&mut self, label: Label) {
        self.items.push(Item::Label(label));
    }

    /// Binds `label` here, of which something is known.
    pub fn bind_turns(&mut self, label: Label, turns: Turns) {
        self.turns.insert(label, turns);
        self.bind(label);
    }

    /// Binds a new label here that becomes a symbol of the program.
    pub fn name(&mut self, name: String) -> Label {
        let label = self.label();
        self.names[label.0 as usize] = Some(name);
        self.bind(label);
        label
    }

    /// Binds a new label here that becomes a symbol and at which a host may start the program.
    pub fn entry(&mut self, name: String) -> Label {
        let label = self.name(name);
        self.entries.insert(label);
        label
    }

    /// Appends an instruction.
    pub fn emit(&mut self, op: Op, args: &[Arg]) {
        debug_assert_eq!(op.spec().operands().len(), args.len(), "{op:?}");
        let origin = Origin::Lowered(self.items.len());
        self.items.push(Item::Inst(Inst::new(op, args.to_vec(), origin)));
    }

    /// Says of the instruction appended last that it accesses `array`; see [`Inst::array`].
    pub fn within(&mut self, array: u32) {
        if let Some(Item::Inst(inst)) = self.items.last_mut() {
            inst.array = Some(array);
        }
    }

    /// Says of the instruction appended last that nobody looks at the lanes it keeps; see [`Inst::fresh`].
    pub fn fresh(&mut self) {
        if let Some(Item::Inst(inst)) = self.items.last_mut() {
            inst.fresh = true;
        }
    }

    /// Appends an instruction whose first operand is a new scalar register, and returns that.
    pub fn def_x(&mut self, op: Op, rest: &[Arg]) -> Reg {
        let reg = self.x();
        self.emit(op, &[&[reg.into()], rest].concat());
        reg
    }

    /// Appends an instruction whose first operand is a new vector register, and returns that.
    pub fn def_v(&mut self, op: Op, rest: &[Arg]) -> Reg {
        let reg = self.v();
        self.emit(op, &[&[reg.into()], rest].concat());
        reg
    }

    /// A new scalar register that holds `value`, in one or two instructions.
    pub fn constant(&mut self, value: i64) -> Reg {
        let reg = self.x();
        self.set(reg, value);
        reg
    }

    /// `reg = value`, modulo 2^32.
    pub fn set(&mut self, reg: Reg, value: i64) {
        let value = i64::from(value as i32);
        if OperandKind::Imm12.range().contains(&value) {
            return self.emit(Op::Addi, &[reg.into(), Arg::Zero, value.into()]);
        }
        // `addi` sign-extends, so the upper part makes up for a lower part that is negative.
        let upper = (value + 0x800) >> 12;
        let lower = value - (upper << 12);
        let high = if lower == 0 { reg } else { self.x() };
        self.emit(Op::Lui, &[high.into(), (upper & 0xf_ffff).into()]);
        if lower != 0 {
            // Each register is written once, so that either instruction can be moved.
            self.emit(Op::Addi, &[reg.into(), high.into(), lower.into()]);
        }
    }

    /// `reg = reg + amount`.
    pub fn advance(&mut self, reg: Reg, amount: i64) {
        if OperandKind::Imm12.range().contains(&amount) {
            self.emit(Op::Addi, &[reg.into(), reg.into(), amount.into()]);
        } else {
            let amount = self.constant(amount);
            self.emit(Op::Add, &[reg.into(), reg.into(), amount.into()]);
        }
    }

    /// Jumps to `label`.
    pub fn jump(&mut self, label: Label) {
        self.emit(Op::Jal, &[Arg::Zero, label.into()]);
    }

    /// A new scalar register that holds the address of `label`, in two instructions.
    pub fn address(&mut self, label: Label) -> Reg {
        let upper = self.upper(label);
        self.def_x(Op::Addi, &[upper.into(), Arg::Lower(label)])
    }

    /// A new scalar register that holds the upper part of the address of `label`; [`Arg::Lower`] is the rest.
    pub fn upper(&mut self, label: Label) -> Reg {
        self.def_x(Op::Lui, &[Arg::Upper(label)])
    }

    /// Jumps to `base + offset`, which is one of `targets`. `offset` is [`Arg::Lower`] of a label if `base` was made
    /// from that label's upper part, and otherwise a number.
    pub fn computed_jump(&mut self, base: Reg, offset: Arg, targets: Targets) {
        let origin = Origin::Lowered(self.items.len());
        let args = vec![Arg::Zero, offset, base.into()];
        self.items.push(Item::Inst(Inst { targets: Some(targets), ..Inst::new(Op::Jalr, args, origin) }));
    }
}
