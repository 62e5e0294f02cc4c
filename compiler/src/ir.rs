//! Machine code on virtual registers: between lowering and register allocation.
//!
//! Contract: an instruction is a row of the instruction table with its operands in the row's order; which operands are
//! read and written is the table's knowledge ([`Role`]), so no instruction is treated specially here. A virtual register
//! may be written more than once; control flow is labels, branches and jumps, and falls through otherwise.
//!
//! Not here: which instructions to choose ([`crate::lower`]) and which real registers ([`crate::regalloc`]).

use std::fmt;

use fenn_isa::code::Label;
use fenn_isa::operand::OperandKind;
use fenn_isa::text::{Part, parts, print_operand};
use fenn_isa::{Op, Role};

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

/// Where an instruction comes from; the register allocator's checker relies on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From lowering: the item with this index.
    Lowered(usize),
    /// Written by the allocator: brings a register back from its slot.
    Reload,
    /// Written by the allocator: puts a register into its slot.
    Spill,
    /// Written by the allocator: computes a constant afresh.
    Rematerialize(Reg),
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
}

impl Inst {
    /// The operands that are registers, with what they are to the instruction.
    pub fn registers(&self) -> impl Iterator<Item = (Reg, Role)> {
        self.args.iter().zip(self.op.spec().operands()).filter_map(|(arg, operand)| match arg {
            Arg::Reg(reg) => Some((*reg, operand.role)),
            Arg::Zero | Arg::Imm(_) | Arg::Label(_) => None,
        })
    }

    /// The registers it reads.
    pub fn uses(&self) -> impl Iterator<Item = Reg> {
        self.registers().filter(|(_, role)| matches!(role, Role::Source | Role::Merged)).map(|(reg, _)| reg)
    }

    /// The registers it writes.
    pub fn defs(&self) -> impl Iterator<Item = Reg> {
        self.registers().filter(|(_, role)| matches!(role, Role::Destination | Role::Merged)).map(|(reg, _)| reg)
    }

    /// Where it may go other than on.
    pub fn target(&self) -> Option<Label> {
        self.args.iter().find_map(|arg| if let Arg::Label(label) = arg { Some(*label) } else { None })
    }

    /// Whether execution never goes on behind it.
    pub fn diverts(&self) -> bool {
        self.op == Op::Jal && self.args[0] == Arg::Zero
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

/// A program on virtual registers.
#[derive(Debug, Clone, Default)]
pub struct Code {
    /// In order.
    pub items: Vec<Item>,
    /// The names of the labels that have one, by their number.
    pub names: Vec<Option<String>>,
    /// Virtual registers in use: scalar, vector.
    counts: [u32; 2],
}

impl Code {
    /// The same registers and labels, and nothing to execute yet.
    pub(crate) fn without_items(&self) -> Self {
        Self { items: Vec::new(), names: self.names.clone(), counts: self.counts }
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

    /// Binds a new label here that becomes a symbol of the program.
    pub fn name(&mut self, name: String) -> Label {
        let label = self.label();
        self.names[label.0 as usize] = Some(name);
        self.bind(label);
        label
    }

    /// Appends an instruction.
    pub fn emit(&mut self, op: Op, args: &[Arg]) {
        debug_assert_eq!(op.spec().operands().len(), args.len(), "{op:?}");
        let origin = Origin::Lowered(self.items.len());
        self.items.push(Item::Inst(Inst { op, args: args.to_vec(), origin }));
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
        self.emit(Op::Lui, &[reg.into(), (upper & 0xf_ffff).into()]);
        let lower = value - (upper << 12);
        if lower != 0 {
            self.emit(Op::Addi, &[reg.into(), reg.into(), lower.into()]);
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
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = match self.file {
            File::X => 'x',
            File::V => 'v',
        };
        write!(f, "%{file}{}", self.index)
    }
}

/// Prints as assembly text with `%x0`, `%v0` for virtual registers.
impl fmt::Display for Inst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = self.op.spec();
        write!(f, "{} ", spec.mnemonic())?;
        for part in parts(spec) {
            match part {
                Part::Literal(',') => f.write_str(", ")?,
                Part::Literal(c) => write!(f, "{c}")?,
                Part::Operand(index) => match self.args[index] {
                    Arg::Reg(reg) => write!(f, "{reg}")?,
                    Arg::Zero => f.write_str("zero")?,
                    Arg::Imm(value) => {
                        let kind = spec.operands().nth(index).map_or(OperandKind::Imm12, |operand| operand.kind);
                        f.write_str(&print_operand(kind, value))?;
                    }
                    Arg::Label(label) => write!(f, "L{}", label.0)?,
                },
            }
        }
        Ok(())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for item in &self.items {
            match item {
                Item::Label(label) => match &self.names[label.0 as usize] {
                    Some(name) => writeln!(f, "L{}: # {name}", label.0)?,
                    None => writeln!(f, "L{}:", label.0)?,
                },
                Item::Inst(inst) => writeln!(f, "    {inst}")?,
            }
        }
        Ok(())
    }
}
