//! THE TABLE: one row per instruction, from which everything else about instructions is read off.
//!
//! Contract: a row is doc comment (the equation, then what surprises), name and typed operands, timing class, syntax,
//! encoding. It becomes a variant of [`Inst`], for code that must treat every instruction (an exhaustive `match`
//! without `_`), and an entry of [`SPECS`], for code that treats them alike. Two rows that share a word, an encoding
//! that is not 32 bits wide and an operand that is not placed do not compile.
//!
//! In the equations `x[r]` is a scalar register, `v[r][i]` lane `i` of a vector register, `pc` the instruction's own
//! address; scalar arithmetic is modulo 2^32 unless stated. Sources: the ratified RISC-V unprivileged and privileged
//! manuals for the scalar rows; the published FeNN instruction-set document (arXiv 2506.11760) for the vector rows.
//!
//! Not here: what an instruction does to a machine, and how long it takes.

use crate::layout::{Field, Layout, MAX_OPERANDS, Shape};
use crate::operand::{
    Branch, Csr, FenceSet, Imm12, Imm16, Imm20, Jump, Lane, Operand, OperandKind, Shamt, Shift, Uimm5, VReg, XReg,
};

/// What an operand is to its instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A register that is written.
    Destination,
    /// A register that is read.
    Source,
    /// A register that is written in some lanes and keeps its value in the others.
    Merged,
    /// A number.
    Immediate,
}

/// The timing class of a row: instructions of one class are issued, executed and forwarded alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Scalar arithmetic in one cycle.
    Alu,
    /// A count of all ones of a word, which is deeper than other arithmetic.
    Count,
    /// Scalar multiply, low word.
    Multiply,
    /// Scalar multiply, high word.
    MultiplyHigh,
    /// Scalar division.
    Divide,
    /// Load from scalar memory.
    Load,
    /// Store to scalar memory.
    Store,
    /// Conditional branch.
    Branch,
    /// Jump to a constant target.
    Jump,
    /// Jump to a register.
    JumpRegister,
    /// Access to a CSR.
    Csr,
    /// Memory ordering.
    Fence,
    /// Environment calls and waits.
    System,
    /// Return from a trap.
    TrapReturn,
    /// Lane arithmetic in one cycle.
    VectorAlu,
    /// Lane multiplies, and shifts that round.
    VectorMultiply,
    /// A draw from the lanes' generators.
    VectorRandom,
    /// A vector register from a scalar one.
    VectorFill,
    /// A scalar register from a vector one.
    VectorToScalar,
    /// A choice per lane; keeps the destination in the other lanes.
    VectorSelect,
    /// Load from vector memory.
    VectorLoad,
    /// Store to vector memory.
    VectorStore,
    /// Load from lane-local memory; keeps the destination in the lanes that take no part.
    LaneLoad,
    /// Store to lane-local memory.
    LaneStore,
    /// Load of the generators' states.
    GeneratorLoad,
}

impl Class {
    /// All of them; a class as a number is its index here.
    pub const ALL: [Self; 25] = [
        Self::Alu,
        Self::Count,
        Self::Multiply,
        Self::MultiplyHigh,
        Self::Divide,
        Self::Load,
        Self::Store,
        Self::Branch,
        Self::Jump,
        Self::JumpRegister,
        Self::Csr,
        Self::Fence,
        Self::System,
        Self::TrapReturn,
        Self::VectorAlu,
        Self::VectorMultiply,
        Self::VectorRandom,
        Self::VectorFill,
        Self::VectorToScalar,
        Self::VectorSelect,
        Self::VectorLoad,
        Self::VectorStore,
        Self::LaneLoad,
        Self::LaneStore,
        Self::GeneratorLoad,
    ];

    /// Whether the vector unit executes it.
    pub const fn is_vector(self) -> bool {
        self as u8 >= Self::VectorAlu as u8
    }

    /// Whether the destination keeps its old value in some lanes, and is therefore read too.
    pub const fn merges_destination(self) -> bool {
        matches!(self, Self::VectorSelect | Self::LaneLoad)
    }
}

/// One operand of a row, as data.
#[derive(Debug, Clone, Copy)]
pub struct OperandSpec {
    /// As the syntax and the encoding name it.
    pub name: &'static str,
    /// The kind of value.
    pub kind: OperandKind,
    /// What it is to the instruction.
    pub role: Role,
    /// Where its bits are.
    pub field: Field,
}

/// One row, as data.
#[derive(Debug)]
pub struct Spec {
    /// Which row.
    pub op: Op,
    /// The row's name in this table, such as `VAdd`.
    pub name: &'static str,
    /// The extension it belongs to.
    pub extension: Extension,
    /// How it is timed.
    pub class: Class,
    /// Mnemonic and operands as they are written.
    pub syntax: &'static str,
    /// The encoding, as the manual prints it.
    pub encoding: &'static str,
    /// The doc comment: the equation, then what surprises.
    pub doc: &'static str,
    /// Masks and fields.
    pub layout: Layout,
    operands: [Option<OperandSpec>; MAX_OPERANDS],
}

impl Spec {
    /// The first word of the syntax.
    pub fn mnemonic(&self) -> &'static str {
        self.syntax.split(' ').next().unwrap_or(self.syntax)
    }

    /// The operands, in the row's order, which is the order of the text.
    pub fn operands(&self) -> impl ExactSizeIterator<Item = &OperandSpec> {
        let count = self.operands.iter().flatten().count();
        self.operands[..count].iter().map(|operand| operand.as_ref().expect("operands are stored from the front"))
    }

    /// The word with these numbers as operands, in the row's order.
    ///
    /// # Errors
    /// The index of the first number outside its operand's range; also when there are more or fewer numbers than operands.
    pub fn assemble(&self, values: &[i64]) -> Result<u32, usize> {
        let count = self.operands().len();
        if values.len() != count {
            return Err(values.len().min(count));
        }
        let mut word = self.layout.value;
        for (index, (operand, value)) in self.operands().zip(values).enumerate() {
            word |= operand.field.insert(operand.kind.to_bits(*value).ok_or(index)?);
        }
        Ok(word)
    }
}

const fn shape<T: Operand>(name: &'static str) -> Shape {
    Shape { name, width: T::KIND.width(), zero_bits: T::KIND.zero_bits() }
}

const fn role(name: &str, kind: OperandKind, class: Class) -> Role {
    if !matches!(kind, OperandKind::XReg | OperandKind::VReg) {
        return Role::Immediate;
    }
    match (name.as_bytes()[1] == b'd', class.merges_destination()) {
        (true, true) => Role::Merged,
        (true, false) => Role::Destination,
        (false, _) => Role::Source,
    }
}

const fn operand_specs(
    shapes: &[(&'static str, OperandKind)],
    class: Class,
    layout: &Layout,
) -> [Option<OperandSpec>; MAX_OPERANDS] {
    let mut specs = [None; MAX_OPERANDS];
    let mut i = 0;
    while i < shapes.len() {
        let (name, kind) = shapes[i];
        specs[i] = Some(OperandSpec { name, kind, role: role(name, kind, class), field: layout.fields[i] });
        i += 1;
    }
    specs
}

/// A word's operand fields, taken one after the other.
struct Operands<'a> {
    layout: &'a Layout,
    word: u32,
    next: usize,
}

impl Operands<'_> {
    fn take<T: Operand>(&mut self) -> T {
        self.next += 1;
        T::from_bits(self.layout.fields[self.next - 1].extract(self.word))
    }
}

macro_rules! instructions {
    ($(
        $(#[doc = $extension_doc:literal])*
        $extension:ident {
            $($(#[doc = $doc:literal])*
            $name:ident { $($field:ident: $ty:ident),* } $class:ident
                $syntax:literal = $encoding:literal;)*
        }
    )*) => {
        /// The named groups of rows a machine may have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Extension { $($(#[doc = $extension_doc])* $extension,)* }

        impl Extension {
            /// All of them, in the table's order.
            pub const ALL: &[Self] = &[$(Self::$extension),*];

            /// What the group is.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$extension => concat!($($extension_doc, "\n"),*),)* }
            }
        }

        /// One instruction with its operands.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "a field is named as in the row's equation")]
        pub enum Inst { $($($(#[doc = $doc])* $name { $($field: $ty),* },)*)* }

        /// Which row of the table; its number indexes [`SPECS`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Op { $($($(#[doc = $doc])* $name,)*)* }

        impl Op {
            /// Every row, in the table's order.
            pub const ALL: &[Self] = &[$($(Self::$name),*),*];
        }

        const LAYOUTS: [Layout; Op::ALL.len()] =
            [$($(Layout::parse($encoding, &[$(shape::<$ty>(stringify!($field))),*])),*),*];

        /// The table as data, indexed by [`Op`].
        pub static SPECS: [Spec; Op::ALL.len()] = [$($(Spec {
            op: Op::$name,
            name: stringify!($name),
            extension: Extension::$extension,
            class: Class::$class,
            syntax: $syntax,
            encoding: $encoding,
            doc: concat!($($doc, "\n"),*),
            layout: LAYOUTS[Op::$name as usize],
            operands: operand_specs(
                &[$((stringify!($field), <$ty as Operand>::KIND)),*],
                Class::$class,
                &LAYOUTS[Op::$name as usize],
            ),
        }),*),*];

        impl Inst {
            /// The row this is an instance of.
            #[inline]
            pub const fn op(&self) -> Op {
                match self { $($(Self::$name { .. } => Op::$name,)*)* }
            }

            /// The word. Ignored bits are 0.
            pub fn encode(self) -> u32 {
                match self { $($(Self::$name { $($field),* } => {
                    let bits: &[u32] = &[$($field.to_bits()),*];
                    let layout = &LAYOUTS[Op::$name as usize];
                    bits.iter().zip(&layout.fields).fold(layout.value, |word, (bits, field)| word | field.insert(*bits))
                })*)* }
            }

            fn gather(op: Op, mut operands: Operands<'_>) -> Self {
                match op { $($(Op::$name => Self::$name { $($field: operands.take::<$ty>()),* },)*)* }
            }
        }

        const _: () = {
            let names = [$($(stringify!($name)),*),*];
            let mut i = 0;
            while i < names.len() {
                let mut j = 0;
                while j < i {
                    if LAYOUTS[i].overlaps(&LAYOUTS[j]) {
                        // A constant can only name one of the two.
                        panic!("{}", names[i]);
                    }
                    j += 1;
                }
                i += 1;
            }
        };
    };
}

impl Op {
    /// The row as data.
    #[inline]
    pub fn spec(self) -> &'static Spec {
        &SPECS[self as usize]
    }

    /// The row with this mnemonic; mnemonics are unique.
    pub fn from_mnemonic(mnemonic: &str) -> Option<Self> {
        SPECS.iter().find(|spec| spec.mnemonic() == mnemonic).map(|spec| spec.op)
    }
}

impl Inst {
    /// The instruction `word` is, or `None` for a word that belongs to no row.
    ///
    /// Ignored bits are not looked at, so `encode` gives `word` back only where they are 0.
    pub fn decode(word: u32) -> Option<Self> {
        let index = LAYOUTS.iter().position(|layout| word & layout.mask == layout.value)?;
        Some(Self::gather(Op::ALL[index], Operands { layout: &LAYOUTS[index], word, next: 0 }))
    }
}

instructions! {
    /// The base integer instructions.
    Rv32i {
        /// `x[rd] = imm << 12`.
        Lui { rd: XReg, imm: Imm20 } Alu
            "lui rd, imm" = "imm rd 01101 11";
        /// `x[rd] = pc + (imm << 12)`.
        Auipc { rd: XReg, imm: Imm20 } Alu
            "auipc rd, imm" = "imm rd 00101 11";
        /// `x[rd] = pc + 4; pc += offset`.
        Jal { rd: XReg, offset: Jump } Jump
            "jal rd, offset" = "offset[20] offset[10:1] offset[11] offset[19:12] rd 11011 11";
        /// `t = (x[rs1] + imm) & ~1; x[rd] = pc + 4; pc = t`.
        Jalr { rd: XReg, imm: Imm12, rs1: XReg } JumpRegister
            "jalr rd, imm(rs1)" = "imm rs1 000 rd 11001 11";
        /// `if x[rs1] == x[rs2]: pc += offset`.
        Beq { rs1: XReg, rs2: XReg, offset: Branch } Branch
            "beq rs1, rs2, offset" = "offset[12] offset[10:5] rs2 rs1 000 offset[4:1] offset[11] 11000 11";
        /// `if x[rs1] != x[rs2]: pc += offset`.
        Bne { rs1: XReg, rs2: XReg, offset: Branch } Branch
            "bne rs1, rs2, offset" = "offset[12] offset[10:5] rs2 rs1 001 offset[4:1] offset[11] 11000 11";
        /// `if x[rs1] < x[rs2]: pc += offset`, signed.
        Blt { rs1: XReg, rs2: XReg, offset: Branch } Branch
            "blt rs1, rs2, offset" = "offset[12] offset[10:5] rs2 rs1 100 offset[4:1] offset[11] 11000 11";
        /// `if x[rs1] >= x[rs2]: pc += offset`, signed.
        Bge { rs1: XReg, rs2: XReg, offset: Branch } Branch
            "bge rs1, rs2, offset" = "offset[12] offset[10:5] rs2 rs1 101 offset[4:1] offset[11] 11000 11";
        /// `if x[rs1] < x[rs2]: pc += offset`, unsigned.
        Bltu { rs1: XReg, rs2: XReg, offset: Branch } Branch
            "bltu rs1, rs2, offset" = "offset[12] offset[10:5] rs2 rs1 110 offset[4:1] offset[11] 11000 11";
        /// `if x[rs1] >= x[rs2]: pc += offset`, unsigned.
        Bgeu { rs1: XReg, rs2: XReg, offset: Branch } Branch
            "bgeu rs1, rs2, offset" = "offset[12] offset[10:5] rs2 rs1 111 offset[4:1] offset[11] 11000 11";
        /// `x[rd] = sext(mem8[x[rs1] + imm])`.
        Lb { rd: XReg, imm: Imm12, rs1: XReg } Load
            "lb rd, imm(rs1)" = "imm rs1 000 rd 00000 11";
        /// `x[rd] = sext(mem16[x[rs1] + imm])`.
        Lh { rd: XReg, imm: Imm12, rs1: XReg } Load
            "lh rd, imm(rs1)" = "imm rs1 001 rd 00000 11";
        /// `x[rd] = mem32[x[rs1] + imm]`.
        Lw { rd: XReg, imm: Imm12, rs1: XReg } Load
            "lw rd, imm(rs1)" = "imm rs1 010 rd 00000 11";
        /// `x[rd] = zext(mem8[x[rs1] + imm])`.
        Lbu { rd: XReg, imm: Imm12, rs1: XReg } Load
            "lbu rd, imm(rs1)" = "imm rs1 100 rd 00000 11";
        /// `x[rd] = zext(mem16[x[rs1] + imm])`.
        Lhu { rd: XReg, imm: Imm12, rs1: XReg } Load
            "lhu rd, imm(rs1)" = "imm rs1 101 rd 00000 11";
        /// `mem8[x[rs1] + imm] = x[rs2][7:0]`.
        Sb { rs2: XReg, imm: Imm12, rs1: XReg } Store
            "sb rs2, imm(rs1)" = "imm[11:5] rs2 rs1 000 imm[4:0] 01000 11";
        /// `mem16[x[rs1] + imm] = x[rs2][15:0]`.
        Sh { rs2: XReg, imm: Imm12, rs1: XReg } Store
            "sh rs2, imm(rs1)" = "imm[11:5] rs2 rs1 001 imm[4:0] 01000 11";
        /// `mem32[x[rs1] + imm] = x[rs2]`.
        Sw { rs2: XReg, imm: Imm12, rs1: XReg } Store
            "sw rs2, imm(rs1)" = "imm[11:5] rs2 rs1 010 imm[4:0] 01000 11";
        /// `x[rd] = x[rs1] + imm`.
        Addi { rd: XReg, rs1: XReg, imm: Imm12 } Alu
            "addi rd, rs1, imm" = "imm rs1 000 rd 00100 11";
        /// `x[rd] = x[rs1] < imm ? 1 : 0`, signed.
        Slti { rd: XReg, rs1: XReg, imm: Imm12 } Alu
            "slti rd, rs1, imm" = "imm rs1 010 rd 00100 11";
        /// `x[rd] = x[rs1] < imm ? 1 : 0`, unsigned, the immediate sign-extended first.
        Sltiu { rd: XReg, rs1: XReg, imm: Imm12 } Alu
            "sltiu rd, rs1, imm" = "imm rs1 011 rd 00100 11";
        /// `x[rd] = x[rs1] ^ imm`, the immediate sign-extended.
        Xori { rd: XReg, rs1: XReg, imm: Imm12 } Alu
            "xori rd, rs1, imm" = "imm rs1 100 rd 00100 11";
        /// `x[rd] = x[rs1] | imm`, the immediate sign-extended.
        Ori { rd: XReg, rs1: XReg, imm: Imm12 } Alu
            "ori rd, rs1, imm" = "imm rs1 110 rd 00100 11";
        /// `x[rd] = x[rs1] & imm`, the immediate sign-extended.
        Andi { rd: XReg, rs1: XReg, imm: Imm12 } Alu
            "andi rd, rs1, imm" = "imm rs1 111 rd 00100 11";
        /// `x[rd] = x[rs1] << shamt`.
        Slli { rd: XReg, rs1: XReg, shamt: Shamt } Alu
            "slli rd, rs1, shamt" = "0000000 shamt rs1 001 rd 00100 11";
        /// `x[rd] = x[rs1] >> shamt`, zeros shifted in.
        Srli { rd: XReg, rs1: XReg, shamt: Shamt } Alu
            "srli rd, rs1, shamt" = "0000000 shamt rs1 101 rd 00100 11";
        /// `x[rd] = x[rs1] >> shamt`, the sign shifted in.
        Srai { rd: XReg, rs1: XReg, shamt: Shamt } Alu
            "srai rd, rs1, shamt" = "0100000 shamt rs1 101 rd 00100 11";
        /// `x[rd] = x[rs1] + x[rs2]`.
        Add { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "add rd, rs1, rs2" = "0000000 rs2 rs1 000 rd 01100 11";
        /// `x[rd] = x[rs1] - x[rs2]`.
        Sub { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "sub rd, rs1, rs2" = "0100000 rs2 rs1 000 rd 01100 11";
        /// `x[rd] = x[rs1] << x[rs2][4:0]`.
        Sll { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "sll rd, rs1, rs2" = "0000000 rs2 rs1 001 rd 01100 11";
        /// `x[rd] = x[rs1] < x[rs2] ? 1 : 0`, signed.
        Slt { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "slt rd, rs1, rs2" = "0000000 rs2 rs1 010 rd 01100 11";
        /// `x[rd] = x[rs1] < x[rs2] ? 1 : 0`, unsigned.
        Sltu { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "sltu rd, rs1, rs2" = "0000000 rs2 rs1 011 rd 01100 11";
        /// `x[rd] = x[rs1] ^ x[rs2]`.
        Xor { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "xor rd, rs1, rs2" = "0000000 rs2 rs1 100 rd 01100 11";
        /// `x[rd] = x[rs1] >> x[rs2][4:0]`, zeros shifted in.
        Srl { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "srl rd, rs1, rs2" = "0000000 rs2 rs1 101 rd 01100 11";
        /// `x[rd] = x[rs1] >> x[rs2][4:0]`, the sign shifted in.
        Sra { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "sra rd, rs1, rs2" = "0100000 rs2 rs1 101 rd 01100 11";
        /// `x[rd] = x[rs1] | x[rs2]`.
        Or { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "or rd, rs1, rs2" = "0000000 rs2 rs1 110 rd 01100 11";
        /// `x[rd] = x[rs1] & x[rs2]`.
        And { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "and rd, rs1, rs2" = "0000000 rs2 rs1 111 rd 01100 11";
        /// Accesses in `pred` before it are visible before accesses in `succ` after it.
        ///
        /// The machine is in order, so it only takes time. The mode and register fields are ignored.
        Fence { pred: FenceSet, succ: FenceSet } Fence
            "fence pred, succ" = "---- pred succ ----- 000 ----- 00011 11";
        /// Calls the environment: a kernel's normal end.
        Ecall {} System
            "ecall" = "000000000000 00000 000 00000 11100 11";
        /// Stops for a debugger.
        Ebreak {} System
            "ebreak" = "000000000001 00000 000 00000 11100 11";
    }
    /// Instruction-fetch fence.
    Zifencei {
        /// Stores before it are visible to instruction fetches after it.
        ///
        /// Programs cannot write instruction memory, so it only takes time. Immediate and register fields are ignored.
        FenceI {} Fence
            "fence.i" = "------------ ----- 001 ----- 00011 11";
    }
    /// Returns from traps and waiting, of the privileged architecture.
    Machine {
        /// `pc = mepc; mstatus.MIE = mstatus.MPIE; mstatus.MPIE = 1`.
        Mret {} TrapReturn
            "mret" = "0011000 00010 00000 000 00000 11100 11";
        /// May wait for an interrupt; here it does nothing.
        Wfi {} System
            "wfi" = "0001000 00101 00000 000 00000 11100 11";
    }
    /// Integer multiplication and division.
    Rv32m {
        /// `x[rd] = x[rs1] * x[rs2]`.
        Mul { rd: XReg, rs1: XReg, rs2: XReg } Multiply
            "mul rd, rs1, rs2" = "0000001 rs2 rs1 000 rd 01100 11";
        /// `x[rd] = (x[rs1] * x[rs2]) >> 32`, both signed.
        Mulh { rd: XReg, rs1: XReg, rs2: XReg } MultiplyHigh
            "mulh rd, rs1, rs2" = "0000001 rs2 rs1 001 rd 01100 11";
        /// `x[rd] = (x[rs1] * x[rs2]) >> 32`, the first signed, the second unsigned.
        Mulhsu { rd: XReg, rs1: XReg, rs2: XReg } MultiplyHigh
            "mulhsu rd, rs1, rs2" = "0000001 rs2 rs1 010 rd 01100 11";
        /// `x[rd] = (x[rs1] * x[rs2]) >> 32`, both unsigned.
        Mulhu { rd: XReg, rs1: XReg, rs2: XReg } MultiplyHigh
            "mulhu rd, rs1, rs2" = "0000001 rs2 rs1 011 rd 01100 11";
        /// `x[rd] = x[rs1] / x[rs2]`, signed, towards zero.
        ///
        /// Division by zero gives −1; −2^31 / −1 gives −2^31.
        Div { rd: XReg, rs1: XReg, rs2: XReg } Divide
            "div rd, rs1, rs2" = "0000001 rs2 rs1 100 rd 01100 11";
        /// `x[rd] = x[rs1] / x[rs2]`, unsigned.
        ///
        /// Division by zero gives 2^32 − 1.
        Divu { rd: XReg, rs1: XReg, rs2: XReg } Divide
            "divu rd, rs1, rs2" = "0000001 rs2 rs1 101 rd 01100 11";
        /// `x[rd] = x[rs1] % x[rs2]`, signed, with the dividend's sign.
        ///
        /// Division by zero gives the dividend; −2^31 % −1 gives 0.
        Rem { rd: XReg, rs1: XReg, rs2: XReg } Divide
            "rem rd, rs1, rs2" = "0000001 rs2 rs1 110 rd 01100 11";
        /// `x[rd] = x[rs1] % x[rs2]`, unsigned.
        ///
        /// Division by zero gives the dividend.
        Remu { rd: XReg, rs1: XReg, rs2: XReg } Divide
            "remu rd, rs1, rs2" = "0000001 rs2 rs1 111 rd 01100 11";
    }
    /// Control and status registers.
    Zicsr {
        /// `t = csr; csr = x[rs1]; x[rd] = t`.
        ///
        /// With `rd = x0` the CSR is not read.
        Csrrw { rd: XReg, csr: Csr, rs1: XReg } Csr
            "csrrw rd, csr, rs1" = "csr rs1 001 rd 11100 11";
        /// `t = csr; csr = t | x[rs1]; x[rd] = t`.
        ///
        /// With `rs1 = x0` the CSR is not written.
        Csrrs { rd: XReg, csr: Csr, rs1: XReg } Csr
            "csrrs rd, csr, rs1" = "csr rs1 010 rd 11100 11";
        /// `t = csr; csr = t & ~x[rs1]; x[rd] = t`.
        ///
        /// With `rs1 = x0` the CSR is not written.
        Csrrc { rd: XReg, csr: Csr, rs1: XReg } Csr
            "csrrc rd, csr, rs1" = "csr rs1 011 rd 11100 11";
        /// `t = csr; csr = uimm; x[rd] = t`.
        ///
        /// With `rd = x0` the CSR is not read.
        Csrrwi { rd: XReg, csr: Csr, uimm: Uimm5 } Csr
            "csrrwi rd, csr, uimm" = "csr uimm 101 rd 11100 11";
        /// `t = csr; csr = t | uimm; x[rd] = t`.
        ///
        /// With `uimm = 0` the CSR is not written.
        Csrrsi { rd: XReg, csr: Csr, uimm: Uimm5 } Csr
            "csrrsi rd, csr, uimm" = "csr uimm 110 rd 11100 11";
        /// `t = csr; csr = t & ~uimm; x[rd] = t`.
        ///
        /// With `uimm = 0` the CSR is not written.
        Csrrci { rd: XReg, csr: Csr, uimm: Uimm5 } Csr
            "csrrci rd, csr, uimm" = "csr uimm 111 rd 11100 11";
    }
    /// Basic bit manipulation.
    Zbb {
        /// `x[rd] = x[rs1] & ~x[rs2]`.
        Andn { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "andn rd, rs1, rs2" = "0100000 rs2 rs1 111 rd 01100 11";
        /// `x[rd] = x[rs1] | ~x[rs2]`.
        Orn { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "orn rd, rs1, rs2" = "0100000 rs2 rs1 110 rd 01100 11";
        /// `x[rd] = ~(x[rs1] ^ x[rs2])`.
        Xnor { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "xnor rd, rs1, rs2" = "0100000 rs2 rs1 100 rd 01100 11";
        /// `x[rd]` = number of zeros above the highest one of `x[rs1]`; 32 for zero.
        Clz { rd: XReg, rs1: XReg } Alu
            "clz rd, rs1" = "0110000 00000 rs1 001 rd 00100 11";
        /// `x[rd]` = number of zeros below the lowest one of `x[rs1]`; 32 for zero.
        Ctz { rd: XReg, rs1: XReg } Alu
            "ctz rd, rs1" = "0110000 00001 rs1 001 rd 00100 11";
        /// `x[rd]` = number of ones in `x[rs1]`.
        Cpop { rd: XReg, rs1: XReg } Count
            "cpop rd, rs1" = "0110000 00010 rs1 001 rd 00100 11";
        /// `x[rd] = sext(x[rs1][7:0])`.
        SextB { rd: XReg, rs1: XReg } Alu
            "sext.b rd, rs1" = "0110000 00100 rs1 001 rd 00100 11";
        /// `x[rd] = sext(x[rs1][15:0])`.
        SextH { rd: XReg, rs1: XReg } Alu
            "sext.h rd, rs1" = "0110000 00101 rs1 001 rd 00100 11";
        /// `x[rd] = zext(x[rs1][15:0])`.
        ZextH { rd: XReg, rs1: XReg } Alu
            "zext.h rd, rs1" = "0000100 00000 rs1 100 rd 01100 11";
        /// `x[rd] = min(x[rs1], x[rs2])`, signed.
        Min { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "min rd, rs1, rs2" = "0000101 rs2 rs1 100 rd 01100 11";
        /// `x[rd] = min(x[rs1], x[rs2])`, unsigned.
        Minu { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "minu rd, rs1, rs2" = "0000101 rs2 rs1 101 rd 01100 11";
        /// `x[rd] = max(x[rs1], x[rs2])`, signed.
        Max { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "max rd, rs1, rs2" = "0000101 rs2 rs1 110 rd 01100 11";
        /// `x[rd] = max(x[rs1], x[rs2])`, unsigned.
        Maxu { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "maxu rd, rs1, rs2" = "0000101 rs2 rs1 111 rd 01100 11";
        /// `x[rd]` = `x[rs1]` rotated left by `x[rs2][4:0]`.
        Rol { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "rol rd, rs1, rs2" = "0110000 rs2 rs1 001 rd 01100 11";
        /// `x[rd]` = `x[rs1]` rotated right by `x[rs2][4:0]`.
        Ror { rd: XReg, rs1: XReg, rs2: XReg } Alu
            "ror rd, rs1, rs2" = "0110000 rs2 rs1 101 rd 01100 11";
        /// `x[rd]` = `x[rs1]` rotated right by `shamt`.
        Rori { rd: XReg, rs1: XReg, shamt: Shamt } Alu
            "rori rd, rs1, shamt" = "0110000 shamt rs1 101 rd 00100 11";
        /// Each byte of `x[rd]` is 0xff where the byte of `x[rs1]` is not zero, and 0 where it is.
        OrcB { rd: XReg, rs1: XReg } Alu
            "orc.b rd, rs1" = "0010100 00111 rs1 101 rd 00100 11";
        /// `x[rd]` = `x[rs1]` with its bytes in reverse order.
        Rev8 { rd: XReg, rs1: XReg } Alu
            "rev8 rd, rs1" = "0110100 11000 rs1 101 rd 00100 11";
    }
    /// The FeNN vector unit: 32 lanes of 16 bits, and their memories.
    Fenn {
        /// `v[vd][i] = v[vs1][i] + v[vs2][i]`, modulo 2^16.
        VAdd { vd: VReg, vs1: VReg, vs2: VReg } VectorAlu
            "vadd vd, vs1, vs2" = "0 00 0000 vs2 vs1 000 vd 00000 10";
        /// `v[vd][i] = v[vs1][i] + v[vs2][i]`, saturated.
        VAddS { vd: VReg, vs1: VReg, vs2: VReg } VectorAlu
            "vadd_s vd, vs1, vs2" = "1 00 0000 vs2 vs1 000 vd 00000 10";
        /// `v[vd][i] = v[vs1][i] - v[vs2][i]`, modulo 2^16.
        VSub { vd: VReg, vs1: VReg, vs2: VReg } VectorAlu
            "vsub vd, vs1, vs2" = "0 00 0000 vs2 vs1 010 vd 00000 10";
        /// `v[vd][i] = v[vs1][i] - v[vs2][i]`, saturated.
        VSubS { vd: VReg, vs1: VReg, vs2: VReg } VectorAlu
            "vsub_s vd, vs1, vs2" = "1 00 0000 vs2 vs1 010 vd 00000 10";
        /// `v[vd][i] = v[vs1][i] & v[vs2][i]`.
        VAnd { vd: VReg, vs1: VReg, vs2: VReg } VectorAlu
            "vand vd, vs1, vs2" = "0 00 0000 vs2 vs1 011 vd 00000 10";
        /// `v[vd][i] = v[vs1][i] << v[vs2][i][3:0]`, modulo 2^16.
        VSll { vd: VReg, vs1: VReg, vs2: VReg } VectorAlu
            "vsll vd, vs1, vs2" = "0 00 0000 vs2 vs1 001 vd 00000 10";
        /// `v[vd][i] = v[vs1][i] >> v[vs2][i][3:0]`, the sign shifted in.
        VSra { vd: VReg, vs1: VReg, vs2: VReg } VectorAlu
            "vsra vd, vs1, vs2" = "0 00 0000 vs2 vs1 101 vd 00000 10";
        /// `v[vd][i] = (v[vs1][i] * v[vs2][i]) >> shift`, its low 16 bits.
        VMul { vd: VReg, vs1: VReg, vs2: VReg, shift: Shift } VectorMultiply
            "vmul vd, vs1, vs2, shift" = "0 00 shift vs2 vs1 100 vd 00000 10";
        /// `v[vd][i] = (v[vs1][i] * v[vs2][i] + 2^(shift-1)) >> shift`, its low 16 bits.
        ///
        /// Halves round up. For `shift = 0` nothing is added.
        VMulRn { vd: VReg, vs1: VReg, vs2: VReg, shift: Shift } VectorMultiply
            "vmul_rn vd, vs1, vs2, shift" = "0 01 shift vs2 vs1 100 vd 00000 10";
        /// `v[vd][i] = (v[vs1][i] * v[vs2][i] + r[i]) >> shift`, its low 16 bits.
        ///
        /// `r[i]` is the low `shift` bits of lane `i`'s next random word. Every lane's generator advances, also for
        /// `shift = 0`.
        VMulRs { vd: VReg, vs1: VReg, vs2: VReg, shift: Shift } VectorMultiply
            "vmul_rs vd, vs1, vs2, shift" = "0 10 shift vs2 vs1 100 vd 00000 10";
        /// `v[vd][i] = (v[vs1][i] * v[vs2][i]) >> shift`, saturated.
        VMulS { vd: VReg, vs1: VReg, vs2: VReg, shift: Shift } VectorMultiply
            "vmul_s vd, vs1, vs2, shift" = "1 00 shift vs2 vs1 100 vd 00000 10";
        /// `v[vd][i] = (v[vs1][i] * v[vs2][i] + 2^(shift-1)) >> shift`, saturated.
        ///
        /// Halves round up. For `shift = 0` nothing is added.
        VMulSRn { vd: VReg, vs1: VReg, vs2: VReg, shift: Shift } VectorMultiply
            "vmul_s_rn vd, vs1, vs2, shift" = "1 01 shift vs2 vs1 100 vd 00000 10";
        /// `v[vd][i] = (v[vs1][i] * v[vs2][i] + r[i]) >> shift`, saturated.
        ///
        /// `r[i]` is the low `shift` bits of lane `i`'s next random word. Every lane's generator advances, also for
        /// `shift = 0`.
        VMulSRs { vd: VReg, vs1: VReg, vs2: VReg, shift: Shift } VectorMultiply
            "vmul_s_rs vd, vs1, vs2, shift" = "1 10 shift vs2 vs1 100 vd 00000 10";
        /// `v[vd][i] = v[vs1][i] << shift`, modulo 2^16.
        VSlli { vd: VReg, vs1: VReg, shift: Shift } VectorAlu
            "vslli vd, vs1, shift" = "000000 00 shift vs1 000 vd 01001 10";
        /// `v[vd][i] = v[vs1][i] >> shift`, the sign shifted in.
        VSrai { vd: VReg, vs1: VReg, shift: Shift } VectorAlu
            "vsrai vd, vs1, shift" = "000000 00 shift vs1 001 vd 01001 10";
        /// `v[vd][i] = (v[vs1][i] + 2^(shift-1)) >> shift`, in 32 bits.
        ///
        /// Halves round up. For `shift = 0` nothing is added.
        VSraiRn { vd: VReg, vs1: VReg, shift: Shift } VectorMultiply
            "vsrai_rn vd, vs1, shift" = "000000 01 shift vs1 001 vd 01001 10";
        /// `v[vd][i] = (v[vs1][i] + r[i]) >> shift`, in 32 bits.
        ///
        /// `r[i]` is the low `shift` bits of lane `i`'s next random word. Every lane's generator advances, also for
        /// `shift = 0`.
        VSraiRs { vd: VReg, vs1: VReg, shift: Shift } VectorMultiply
            "vsrai_rs vd, vs1, shift" = "000000 10 shift vs1 001 vd 01001 10";
        /// `x[rd][i] = v[vs1][i] == v[vs2][i]`: one mask bit per lane.
        VTeq { rd: XReg, vs1: VReg, vs2: VReg } VectorToScalar
            "vteq rd, vs1, vs2" = "0000000 vs2 vs1 000 rd 00010 10";
        /// `x[rd][i] = v[vs1][i] != v[vs2][i]`: one mask bit per lane.
        VTne { rd: XReg, vs1: VReg, vs2: VReg } VectorToScalar
            "vtne rd, vs1, vs2" = "0000000 vs2 vs1 010 rd 00010 10";
        /// `x[rd][i] = v[vs1][i] < v[vs2][i]`, signed: one mask bit per lane.
        VTlt { rd: XReg, vs1: VReg, vs2: VReg } VectorToScalar
            "vtlt rd, vs1, vs2" = "0000000 vs2 vs1 100 rd 00010 10";
        /// `x[rd][i] = v[vs1][i] >= v[vs2][i]`, signed: one mask bit per lane.
        VTge { rd: XReg, vs1: VReg, vs2: VReg } VectorToScalar
            "vtge rd, vs1, vs2" = "0000000 vs2 vs1 110 rd 00010 10";
        /// `if x[rs1][i]: v[vd][i] = v[vs2][i]`; the other lanes keep their value.
        VSel { vd: VReg, rs1: XReg, vs2: VReg } VectorSelect
            "vsel vd, rs1, vs2" = "0000000 vs2 rs1 000 vd 00011 10";
        /// `v[vd][i] = imm`.
        ///
        /// The upper four bits of the 20-bit field are ignored.
        VLui { vd: VReg, imm: Imm16 } VectorAlu
            "vlui vd, imm" = "---- imm vd 00001 10";
        /// `v[vd][i] = {x[rs1][31], x[rs1][14:0]}`.
        VFill { vd: VReg, rs1: XReg } VectorFill
            "vfill vd, rs1" = "000000000000 rs1 000 vd 00110 10";
        /// `x[rd] = sext(v[vs1][lane])`.
        VExtract { rd: XReg, vs1: VReg, lane: Lane } VectorToScalar
            "vextract rd, vs1, lane" = "0000000 lane vs1 001 rd 00110 10";
        /// `v[vd][i]` = lane `i`'s next random word `>> 1`, a uniform number in [0, 1) as s0.15.
        VRng { vd: VReg } VectorRandom
            "vrng vd" = "0000000 00000 00000 000 vd 01000 10";
        /// `v[vd][i] = (v[vs1][i] & (2^shift - 1)) + x[rs2][15:0]`, modulo 2^16.
        VAndAdd { vd: VReg, vs1: VReg, rs2: XReg, shift: Shift } VectorAlu
            "vandadd vd, vs1, rs2, shift" = "000 shift rs2 vs1 001 vd 01000 10";
        /// `v[vd] = vmem[x[rs1] + imm]`, 64 bytes.
        ///
        /// Traps unless the address is a multiple of 64; wraps at the end of the memory.
        VLoadV { vd: VReg, imm: Imm12, rs1: XReg } VectorLoad
            "vloadv vd, imm(rs1)" = "imm rs1 000 vd 00100 10";
        /// `if v[vs1][i] >= 0: v[vd][i] = llm[i][v[vs1][i] + imm]`; the other lanes keep their value.
        ///
        /// A byte address into lane `i`'s own memory: bit 0 is ignored, and it wraps at the end of the memory. The sign of
        /// `v[vs1][i]` decides alone whether the lane takes part, not the sum's.
        VLoadL { vd: VReg, imm: Imm12, vs1: VReg } LaneLoad
            "vloadl vd, imm(vs1)" = "imm vs1 010 vd 00100 10";
        /// The generators' first half `s0[i] = vmem[x[rs1] + imm][i]`.
        ///
        /// Traps unless the address is a multiple of 64; wraps at the end of the memory.
        VLoadR0 { imm: Imm12, rs1: XReg } GeneratorLoad
            "vloadr0 imm(rs1)" = "imm rs1 001 00000 00100 10";
        /// The generators' second half `s1[i] = vmem[x[rs1] + imm][i]`.
        ///
        /// Traps unless the address is a multiple of 64; wraps at the end of the memory.
        VLoadR1 { imm: Imm12, rs1: XReg } GeneratorLoad
            "vloadr1 imm(rs1)" = "imm rs1 101 00000 00100 10";
        /// `vmem[x[rs1] + imm] = v[vs2]`, 64 bytes.
        ///
        /// Traps unless the address is a multiple of 64; wraps at the end of the memory.
        VStore { vs2: VReg, imm: Imm12, rs1: XReg } VectorStore
            "vstore vs2, imm(rs1)" = "imm[11:5] vs2 rs1 000 imm[4:0] 00101 10";
        /// `if v[vs1][i] >= 0: llm[i][v[vs1][i] + imm] = v[vs2][i]`.
        ///
        /// Addresses as for `vloadl`.
        VStoreL { vs2: VReg, imm: Imm12, vs1: VReg } LaneStore
            "vstorel vs2, imm(vs1)" = "imm[11:5] vs2 vs1 010 imm[4:0] 00101 10";
    }
}
