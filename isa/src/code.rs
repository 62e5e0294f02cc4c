//! Instructions and labels to words: where label addresses and branch ranges are settled.
//!
//! Contract: [`link`] lays the items out one after the other, in order. A branch whose target is out of its ±4 KiB is
//! replaced by the opposite branch around a jump; every other item is one word. The result is the shortest layout of
//! that form, since branches are only ever made longer, and only when they must be.
//!
//! Not here: registers to be allocated and text (the compiler and the assembler have their own forms before this one).

use core::fmt;

use crate::operand::{Branch, Imm12, Imm20, Jump, Operand, XReg};
use crate::spec::{Inst, Op};

/// A place in the code, to be bound by [`Item::Label`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(pub u32);

/// A condition between two registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as the branch instructions are")]
pub enum Condition {
    Eq,
    Ne,
    Lt,
    Ge,
    Ltu,
    Geu,
}

impl Condition {
    /// The condition that holds when this one does not.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::Lt => Self::Ge,
            Self::Ge => Self::Lt,
            Self::Ltu => Self::Geu,
            Self::Geu => Self::Ltu,
        }
    }

    /// The condition of a branch instruction.
    pub const fn of(op: Op) -> Option<Self> {
        match op {
            Op::Beq => Some(Self::Eq),
            Op::Bne => Some(Self::Ne),
            Op::Blt => Some(Self::Lt),
            Op::Bge => Some(Self::Ge),
            Op::Bltu => Some(Self::Ltu),
            Op::Bgeu => Some(Self::Geu),
            _ => None,
        }
    }

    /// The branch on this condition.
    pub const fn branch(self, rs1: XReg, rs2: XReg, offset: Branch) -> Inst {
        match self {
            Self::Eq => Inst::Beq { rs1, rs2, offset },
            Self::Ne => Inst::Bne { rs1, rs2, offset },
            Self::Lt => Inst::Blt { rs1, rs2, offset },
            Self::Ge => Inst::Bge { rs1, rs2, offset },
            Self::Ltu => Inst::Bltu { rs1, rs2, offset },
            Self::Geu => Inst::Bgeu { rs1, rs2, offset },
        }
    }
}

/// A piece of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// Binds a label to the address of what follows.
    Label(Label),
    /// An instruction as it is.
    Inst(Inst),
    /// A branch to a label.
    Branch {
        /// When.
        condition: Condition,
        /// Left of the condition.
        rs1: XReg,
        /// Right of it.
        rs2: XReg,
        /// Where to.
        target: Label,
    },
    /// `rd = pc + 4`, and a jump to a label.
    Jump {
        /// `x0` for a plain jump.
        rd: XReg,
        /// Where to.
        target: Label,
    },
    /// `rd` = the upper part of a label's address: that of which [`Item::AddLower`] makes the whole.
    Upper {
        /// What is written.
        rd: XReg,
        /// Whose address.
        target: Label,
    },
    /// `rd = rs1` + the lower part of a label's address, which is signed.
    AddLower {
        /// What is written.
        rd: XReg,
        /// The upper part, or that with something added.
        rs1: XReg,
        /// Whose address.
        target: Label,
    },
    /// `rd = pc + 4`, and a jump to `rs1` + the lower part of a label's address.
    JumpLower {
        /// `x0` for a plain jump.
        rd: XReg,
        /// The upper part, or that with something added.
        rs1: XReg,
        /// Whose address.
        target: Label,
    },
}

/// A label's address as `lui` and a signed immediate of 12 bits make it: `(upper << 12) + lower`, modulo 2^32.
fn halves(address: u32) -> (u32, u32) {
    let upper = address.wrapping_add(0x800) >> 12;
    (upper, address.wrapping_sub(upper << 12) & 0xfff)
}

/// Code at its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// From the base address on.
    pub words: Vec<u32>,
    /// The addresses of the labels, by their number; `None` for numbers that no item binds.
    pub labels: Vec<Option<u32>>,
}

/// Why code cannot be laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkError {
    /// A branch or a jump goes to a label that nothing binds, or its address is wanted.
    Unbound(Label),
    /// Two items bind one label.
    BoundTwice(Label),
    /// A jump's target is further than ±1 MiB away.
    TooFar(Label),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbound(label) => write!(f, "label {} is not bound", label.0),
            Self::BoundTwice(label) => write!(f, "label {} is bound twice", label.0),
            Self::TooFar(label) => write!(f, "label {} is more than 1 MiB away from a jump to it", label.0),
        }
    }
}

impl core::error::Error for LinkError {}

/// Lays out `items` from address `base` on, a multiple of 4.
///
/// # Errors
/// A label that is not bound exactly once, or a jump too far.
pub fn link(items: &[Item], base: u32) -> Result<Linked, LinkError> {
    let mut long = vec![false; items.len()];
    loop {
        let labels = addresses(items, &long, base)?;
        let find = |target: Label| labels.get(target.0 as usize).copied().flatten().ok_or(LinkError::Unbound(target));
        let mut grown = false;
        let mut address = base;
        for (item, long) in items.iter().zip(&mut long) {
            if let Item::Branch { target, .. } = item
                && !*long
                && Branch::new(distance(address, find(*target)?)).is_none()
            {
                *long = true;
                grown = true;
            }
            address += size(item, *long);
        }
        if !grown {
            return Ok(Linked { words: words(items, &long, base, find)?, labels });
        }
    }
}

fn size(item: &Item, long: bool) -> u32 {
    match item {
        Item::Label(_) => 0,
        Item::Inst(_) | Item::Jump { .. } | Item::Upper { .. } | Item::AddLower { .. } | Item::JumpLower { .. } => 4,
        Item::Branch { .. } => {
            if long {
                8
            } else {
                4
            }
        }
    }
}

fn distance(from: u32, to: u32) -> i64 {
    i64::from(to) - i64::from(from)
}

fn addresses(items: &[Item], long: &[bool], base: u32) -> Result<Vec<Option<u32>>, LinkError> {
    let mut labels = Vec::new();
    let mut address = base;
    for (item, long) in items.iter().zip(long) {
        if let Item::Label(label) = item {
            let index = label.0 as usize;
            if labels.len() <= index {
                labels.resize(index + 1, None);
            }
            if labels[index].replace(address).is_some() {
                return Err(LinkError::BoundTwice(*label));
            }
        }
        address += size(item, *long);
    }
    Ok(labels)
}

fn words(
    items: &[Item],
    long: &[bool],
    base: u32,
    find: impl Fn(Label) -> Result<u32, LinkError>,
) -> Result<Vec<u32>, LinkError> {
    let mut words: Vec<u32> = Vec::with_capacity(items.len());
    for (item, long) in items.iter().zip(long) {
        let here = base + 4 * words.len() as u32;
        let jump = |rd, from, target| {
            let offset = Jump::new(distance(from, find(target)?)).ok_or(LinkError::TooFar(target))?;
            Ok(Inst::Jal { rd, offset }.encode())
        };
        match *item {
            Item::Label(_) => {}
            Item::Inst(inst) => words.push(inst.encode()),
            Item::Jump { rd, target } => words.push(jump(rd, here, target)?),
            Item::Upper { rd, target } => {
                let imm = Imm20::from_bits(halves(find(target)?).0);
                words.push(Inst::Lui { rd, imm }.encode());
            }
            Item::AddLower { rd, rs1, target } => {
                let imm = Imm12::from_bits(halves(find(target)?).1);
                words.push(Inst::Addi { rd, rs1, imm }.encode());
            }
            Item::JumpLower { rd, rs1, target } => {
                let imm = Imm12::from_bits(halves(find(target)?).1);
                words.push(Inst::Jalr { rd, imm, rs1 }.encode());
            }
            Item::Branch { condition, rs1, rs2, target } if *long => {
                let around = Branch::from_bits(8);
                words.push(condition.opposite().branch(rs1, rs2, around).encode());
                words.push(jump(XReg::ZERO, here + 4, target)?);
            }
            Item::Branch { condition, rs1, rs2, target } => {
                let offset = Branch::new(distance(here, find(target)?)).ok_or(LinkError::TooFar(target))?;
                words.push(condition.branch(rs1, rs2, offset).encode());
            }
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOP: Item = Item::Inst(Inst::Addi { rd: XReg::ZERO, rs1: XReg::ZERO, imm: Imm12::new(0).unwrap() });

    fn branch(target: u32) -> Item {
        let [rs1, rs2] = [5, 6].map(|index| XReg::new(index).unwrap());
        Item::Branch { condition: Condition::Lt, rs1, rs2, target: Label(target) }
    }

    fn padded(count: usize) -> Linked {
        let mut items = vec![Item::Label(Label(0)), branch(1)];
        items.extend(vec![NOP; count]);
        items.extend([branch(0), Item::Label(Label(1))]);
        link(&items, 0).unwrap()
    }

    #[test]
    fn branches_are_long_only_when_they_must_be() {
        // Forwards over 1022 words and the second branch: 4094 would fit but is no multiple of 4, so 4092 is the last.
        assert_eq!(padded(1021).words.len(), 1023);
        assert_eq!(padded(1022).words.len(), 1025, "the first branch is long, and so is then the second");
        let linked = padded(1022);
        assert_eq!(linked.labels, [Some(0), Some(4 * 1025)]);
        assert!(matches!(Inst::decode(linked.words[0]), Some(Inst::Bge { offset, .. }) if offset.get() == 8));
        assert!(matches!(Inst::decode(linked.words[1]), Some(Inst::Jal { offset, .. }) if offset.get() == 4 * 1024));
    }

    /// Upper and lower part add up to the address, also where the lower one is negative.
    #[test]
    fn parts_of_an_address_add_up() {
        let [rd, rs1] = [5, 6].map(|index| XReg::new(index).unwrap());
        for before in [0, 1, 511, 512, 1023, 1024, 3000] {
            for base in [0, 0x7ff0, 0xffff_8000] {
                let target = Label(0);
                let mut items = vec![
                    Item::Upper { rd, target },
                    Item::AddLower { rd, rs1, target },
                    Item::JumpLower { rd, rs1, target },
                ];
                items.extend(vec![NOP; before]);
                items.push(Item::Label(target));
                let linked = link(&items, base).unwrap();
                let insts: Vec<_> = linked.words.iter().filter_map(|word| Inst::decode(*word)).collect();
                let &[Inst::Lui { imm: upper, .. }, Inst::Addi { imm: lower, .. }, Inst::Jalr { imm: offset, .. }, ..] =
                    insts.as_slice()
                else {
                    panic!("{insts:?}")
                };
                assert_eq!(lower, offset);
                let address = (upper.get() << 12).wrapping_add_signed(lower.get().into());
                assert_eq!(address, base.wrapping_add(12 + 4 * before as u32));
                assert_eq!(linked.labels[0], Some(address));
            }
        }
    }

    #[test]
    fn labels_are_bound_once() {
        assert_eq!(link(&[branch(3)], 0), Err(LinkError::Unbound(Label(3))));
        assert_eq!(link(&[Item::Label(Label(2)), Item::Label(Label(2))], 0), Err(LinkError::BoundTwice(Label(2))));
    }
}
