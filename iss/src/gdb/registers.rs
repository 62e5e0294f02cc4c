//! The registers as GDB numbers and describes them.
//!
//! Contract: the numbers are part of the interface and do not change. Where GDB has a number of its own for a RISC-V
//! register, it is that.
//!
//! | number | register |
//! | --- | --- |
//! | 0 to 31 | `x0` to `x31`, by their ABI names |
//! | 32 | `pc` |
//! | 65 + address | a CSR |
//! | 4162 to 4193 | `v0` to `v31`, each 32 numbers of 16 bits, lane 0 first |
//! | 4194, 4195 | `rng_s0` and `rng_s1`, the halves of the lanes' generators' states |
//! | 4196, 4197 | `cycles` and `instructions` since the reset, 64 bits, read-only |
//!
//! The `g` packet has the first 33; GDB asks for each of the others when it is wanted.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

use fenn_isa::csr::{self, CSRS, Register};
use fenn_isa::memory::{LANES, VECTOR_BYTES};
use fenn_isa::operand::{ABI_NAMES, XReg};

use crate::machine::Machine;
use crate::state::Vector;

const PC: usize = 32;
const FIRST_CSR: usize = 65;
const FIRST_VECTOR: usize = 4162;
const GENERATORS: usize = 4194;
const CYCLES: usize = 4196;
const INSTRUCTIONS: usize = 4197;

/// A register, as GDB knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reg {
    /// `x0` to `x31`.
    X(XReg),
    /// The program counter.
    Pc,
    /// A control and status register.
    Csr(Register),
    /// `v0` to `v31`; less than 32.
    V(usize),
    /// A half of the generators' states; 0 or 1.
    Generators(usize),
    /// Cycles since the reset.
    Cycles,
    /// Instructions retired since the reset.
    Instructions,
}

impl Reg {
    /// The register with this number.
    pub fn from_number(number: usize) -> Option<Self> {
        Some(match number {
            0..PC => Self::X(XReg::new(number as i64)?),
            PC => Self::Pc,
            FIRST_VECTOR..GENERATORS => Self::V(number - FIRST_VECTOR),
            GENERATORS..CYCLES => Self::Generators(number - GENERATORS),
            CYCLES => Self::Cycles,
            INSTRUCTIONS => Self::Instructions,
            _ => {
                let address = u16::try_from(number.checked_sub(FIRST_CSR)?).ok()?;
                Self::Csr(csr::by_address(address)?.register)
            }
        })
    }

    /// Its number.
    pub fn number(self) -> usize {
        match self {
            Self::X(reg) => reg.get() as usize,
            Self::Pc => PC,
            Self::Csr(register) => FIRST_CSR + usize::from(register.spec().address),
            Self::V(index) => FIRST_VECTOR + index,
            Self::Generators(half) => GENERATORS + half,
            Self::Cycles => CYCLES,
            Self::Instructions => INSTRUCTIONS,
        }
    }

    /// How many bytes it has.
    pub fn bytes(self) -> NonZeroUsize {
        let bytes = match self {
            Self::X(_) | Self::Pc | Self::Csr(_) => 4,
            Self::V(_) | Self::Generators(_) => VECTOR_BYTES as usize,
            Self::Cycles | Self::Instructions => 8,
        };
        NonZeroUsize::new(bytes).expect("no register is empty")
    }

    /// Its bytes, low byte and lane 0 first.
    pub fn read(self, machine: &Machine) -> Vec<u8> {
        let state = machine.state();
        match self {
            Self::X(reg) => state.x(reg).to_le_bytes().to_vec(),
            Self::Pc => state.pc.to_le_bytes().to_vec(),
            Self::Csr(register) => machine.csr(register).to_le_bytes().to_vec(),
            Self::V(index) => state.v[index].to_bytes().to_vec(),
            Self::Generators(half) => {
                let words = if half == 0 { &state.generators.s0 } else { &state.generators.s1 };
                words.iter().flat_map(|word| word.to_le_bytes()).collect()
            }
            Self::Cycles => state.cycles.to_le_bytes().to_vec(),
            Self::Instructions => state.retired.to_le_bytes().to_vec(),
        }
    }

    /// Writes it; `false` where it cannot be written, or not with so many bytes.
    pub fn write(self, machine: &mut Machine, bytes: &[u8]) -> bool {
        let word = bytes.try_into().map(u32::from_le_bytes);
        let row: Result<&[u8; VECTOR_BYTES as usize], _> = bytes.try_into();
        match (self, word, row) {
            (Self::X(reg), Ok(word), _) => machine.state_mut().set_x(reg, word),
            (Self::Pc, Ok(word), _) => machine.state_mut().pc = word,
            (Self::Csr(register), Ok(word), _) => return machine.set_csr(register, word),
            (Self::V(index), _, Ok(row)) => machine.state_mut().v[index] = Vector::from_bytes(row),
            (Self::Generators(half), _, Ok(row)) => {
                let words = Vector::from_bytes(row).0.map(|lane| lane as u16);
                let generators = &mut machine.state_mut().generators;
                *(if half == 0 { &mut generators.s0 } else { &mut generators.s1 }) = words;
            }
            _ => return false,
        }
        true
    }
}

/// The target description, `target.xml`.
pub fn description() -> &'static str {
    static XML: LazyLock<String> = LazyLock::new(describe);
    &XML
}

fn describe() -> String {
    let mut xml = String::from(concat!(
        "<?xml version=\"1.0\"?>\n",
        "<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n",
        "<target version=\"1.0\">\n",
        "<architecture>riscv:rv32</architecture>\n",
        // Otherwise GDB takes the system it was built for, and steps by breakpoints of its own behind instructions whose
        // length it guesses.
        "<osabi>none</osabi>\n",
        "<feature name=\"org.gnu.gdb.riscv.cpu\">\n",
    ));
    let reg = |xml: &mut String, name: &str, reg: Reg, kind: &str, group: &str| {
        let (bits, number) = (8 * reg.bytes().get(), reg.number());
        // Writing to a string cannot fail.
        let _ = writeln!(xml, "<reg name=\"{name}\" bitsize=\"{bits}\" regnum=\"{number}\" type=\"{kind}\"{group}/>");
    };
    for (index, name) in ABI_NAMES.iter().enumerate() {
        let kind = match *name {
            "ra" => "code_ptr",
            "sp" | "gp" | "tp" => "data_ptr",
            _ => "int",
        };
        if let Some(x) = XReg::new(index as i64) {
            reg(&mut xml, name, Reg::X(x), kind, "");
        }
    }
    reg(&mut xml, "pc", Reg::Pc, "code_ptr", "");
    xml.push_str("</feature>\n<feature name=\"org.gnu.gdb.riscv.csr\">\n");
    for row in CSRS {
        reg(&mut xml, row.name, Reg::Csr(row.register), "int", " group=\"csr\"");
    }
    let _ = write!(
        xml,
        "</feature>\n<feature name=\"org.fenn.vector\">\n\
         <vector id=\"v32i16\" type=\"int16\" count=\"{LANES}\"/>\n\
         <vector id=\"v32u16\" type=\"uint16\" count=\"{LANES}\"/>\n"
    );
    for index in 0..32 {
        reg(&mut xml, &format!("v{index}"), Reg::V(index), "v32i16", " group=\"vector\"");
    }
    for half in 0..2 {
        reg(&mut xml, &format!("rng_s{half}"), Reg::Generators(half), "v32u16", " group=\"vector\"");
    }
    xml.push_str("</feature>\n<feature name=\"org.fenn.clock\">\n");
    reg(&mut xml, "cycles", Reg::Cycles, "uint64", " group=\"system\"");
    reg(&mut xml, "instructions", Reg::Instructions, "uint64", " group=\"system\"");
    xml.push_str("</feature>\n</target>");
    xml
}
