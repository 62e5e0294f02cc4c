//! Operand types: values that an instruction's fields can hold, and no others.
//!
//! Contract: each type is built once, at the edge, by `new` (which returns `None` outside its range) or from the bits
//! of a word (where every pattern is valid); no range is checked after that. `OperandKind` says the same as data,
//! for code that treats all operands alike.
//!
//! Not here: how operands are written (see [`crate::text`]).

use core::fmt;
use core::ops::RangeInclusive;

/// What kind of value an operand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperandKind {
    /// A scalar register, `x0` to `x31`.
    XReg,
    /// A vector register, `v0` to `v31`.
    VReg,
    /// A signed 12-bit immediate.
    Imm12,
    /// The upper 20 bits of a word.
    Imm20,
    /// A lane constant: 16 bits, written signed or unsigned.
    Imm16,
    /// A branch offset in bytes from the instruction: even, 13 bits, signed.
    Branch,
    /// A jump offset in bytes from the instruction: even, 21 bits, signed.
    Jump,
    /// A shift of a scalar register, 0 to 31.
    Shamt,
    /// A shift of a lane, 0 to 15.
    Shift,
    /// A lane's number, 0 to 31.
    Lane,
    /// An unsigned 5-bit immediate.
    Uimm5,
    /// A CSR's address.
    Csr,
    /// The accesses a fence orders, a subset of `iorw`.
    FenceSet,
}

impl OperandKind {
    /// Bits of the value, low zero bits included.
    pub const fn width(self) -> u8 {
        match self {
            Self::XReg | Self::VReg | Self::Shamt | Self::Lane | Self::Uimm5 => 5,
            Self::Imm12 | Self::Csr => 12,
            Self::Imm20 => 20,
            Self::Imm16 => 16,
            Self::Branch => 13,
            Self::Jump => 21,
            Self::Shift | Self::FenceSet => 4,
        }
    }

    /// Low bits that are always zero and not encoded.
    pub const fn zero_bits(self) -> u8 {
        match self {
            Self::Branch | Self::Jump => 1,
            _ => 0,
        }
    }

    /// Whether the value is read as two's complement.
    pub const fn signed(self) -> bool {
        matches!(self, Self::Imm12 | Self::Imm16 | Self::Branch | Self::Jump)
    }

    /// The numbers that may be written for it. Lane constants may be written signed or unsigned.
    pub const fn range(self) -> RangeInclusive<i64> {
        let width = self.width();
        match self {
            Self::Imm16 => -0x8000..=0xffff,
            _ if self.signed() => -(1 << (width - 1))..=(1 << (width - 1)) - (1 << self.zero_bits()),
            _ => 0..=(1 << width) - 1,
        }
    }

    /// The field's bits for the number `value`, or `None` where it is out of range or has low bits that cannot be encoded.
    pub const fn to_bits(self, value: i64) -> Option<u32> {
        let range = self.range();
        if value < *range.start() || value > *range.end() || value & ((1 << self.zero_bits()) - 1) != 0 {
            return None;
        }
        Some(value as u32 & ((1 << self.width()) - 1))
    }

    /// The number that the field's bits mean.
    pub const fn from_bits(self, bits: u32) -> i64 {
        let unused = 64 - self.width() as u32;
        let shifted = (bits as i64) << unused;
        if self.signed() { shifted >> unused } else { (shifted as u64 >> unused) as i64 }
    }
}

/// What is common to the operand types; implemented here only.
pub trait Operand: Copy {
    /// Which kind it is.
    const KIND: OperandKind;
    /// From a field's bits; bits above the kind's width are dropped.
    fn from_bits(bits: u32) -> Self;
    /// The field's bits.
    fn to_bits(self) -> u32;
}

macro_rules! operands {
    ($($(#[$doc:meta])* $name:ident($repr:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($repr);

        impl $name {
            /// The operand for `value`, or `None` outside [`OperandKind::range`].
            pub const fn new(value: i64) -> Option<Self> {
                match OperandKind::$name.to_bits(value) {
                    Some(bits) => Some(Self(OperandKind::$name.from_bits(bits) as $repr)),
                    None => None,
                }
            }

            /// The value.
            #[inline]
            pub const fn get(self) -> $repr {
                self.0
            }
        }

        impl Operand for $name {
            const KIND: OperandKind = OperandKind::$name;

            fn from_bits(bits: u32) -> Self {
                Self(OperandKind::$name.from_bits(bits) as $repr)
            }

            fn to_bits(self) -> u32 {
                self.0 as u32 & ((1 << OperandKind::$name.width()) - 1)
            }
        }
    )*};
}

operands! {
    /// A scalar register.
    XReg(u8);
    /// A vector register.
    VReg(u8);
    /// A signed 12-bit immediate, −2048 to 2047.
    Imm12(i16);
    /// The upper 20 bits of a word, 0 to 0xfffff.
    Imm20(u32);
    /// A lane constant; 0x8000 to 0xffff mean the same as −32768 to −1.
    Imm16(i16);
    /// An even offset from −4096 to 4094.
    Branch(i16);
    /// An even offset from −1048576 to 1048574.
    Jump(i32);
    /// A scalar shift, 0 to 31.
    Shamt(u8);
    /// A lane shift, 0 to 15.
    Shift(u8);
    /// A lane's number, 0 to 31.
    Lane(u8);
    /// An unsigned immediate, 0 to 31.
    Uimm5(u8);
    /// A CSR's address, 0 to 4095; whether there is such a CSR is for [`crate::csr`].
    Csr(u16);
    /// A subset of `i` 8, `o` 4, `r` 2, `w` 1.
    FenceSet(u8);
}

/// The names the RISC-V ABI gives the scalar registers, in order.
pub const ABI_NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2",
    "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];

impl XReg {
    /// `x0`, which reads 0 and ignores writes.
    pub const ZERO: Self = Self(0);

    /// All 32, `x0` first.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..32).map(Self)
    }

    /// The register of that name: `x5`, `t0`, or `fp` for `x8`.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "fp" {
            return Some(Self(8));
        }
        numbered(name, 'x').or_else(|| ABI_NAMES.iter().position(|abi| *abi == name).map(|i| i as u8)).map(Self)
    }
}

impl VReg {
    /// All 32, `v0` first.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..32).map(Self)
    }

    /// The register of that name, `v0` to `v31`.
    pub fn from_name(name: &str) -> Option<Self> {
        numbered(name, 'v').map(Self)
    }
}

fn numbered(name: &str, prefix: char) -> Option<u8> {
    let digits = name.strip_prefix(prefix)?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|index| plain && *index < 32)
}

/// Prints the ABI name.
impl fmt::Display for XReg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ABI_NAMES[self.0 as usize])
    }
}

impl fmt::Display for VReg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_exact() {
        assert_eq!(Imm12::new(-2048).unwrap().get(), -2048);
        assert_eq!(Imm12::new(2048), None);
        assert_eq!(Branch::new(4094).unwrap().to_bits(), 4094);
        assert_eq!(Branch::new(4096), None);
        assert_eq!(Branch::new(3), None);
        assert_eq!(Imm16::new(0xffff).unwrap().get(), -1);
        assert_eq!(Imm16::new(0x10000), None);
        assert_eq!(Shift::new(16), None);
        assert_eq!(XReg::new(32), None);
    }

    #[test]
    fn register_names_read_back() {
        for reg in XReg::all() {
            assert_eq!(XReg::from_name(&reg.to_string()), Some(reg));
            assert_eq!(XReg::from_name(&format!("x{}", reg.get())), Some(reg));
        }
        assert!(VReg::all().all(|reg| VReg::from_name(&reg.to_string()) == Some(reg)));
        for wrong in ["x32", "x", "x01", "x-1", "v32", "X1", ""] {
            assert!(XReg::from_name(wrong).is_none() && VReg::from_name(wrong).is_none(), "{wrong}");
        }
    }
}
