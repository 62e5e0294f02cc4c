//! The scalar half: registers, jumps, scalar memory, and arithmetic that Rust does not have under one name.
//!
//! Contract: registers are `u32`; a function that reads them as signed says so. Not here: which row uses what.

use fenn_isa::memory::Space;
use fenn_isa::operand::{Branch, Csr, Imm12, XReg};

use super::{Core, Exit};
use crate::csr::Write;
use crate::observe::Observer;
use crate::timing::Detail;
use crate::trap::{Access, AccessKind, Cause};

impl Core {
    #[inline(always)]
    pub(super) fn x(&self, reg: XReg) -> u32 {
        self.state.x(reg)
    }

    #[inline(always)]
    pub(super) fn signed(&self, reg: XReg) -> i32 {
        self.x(reg) as i32
    }

    #[inline(always)]
    pub(super) fn set(&mut self, rd: XReg, value: u32) {
        self.state.set_x(rd, value);
    }

    /// `x[rs1] + imm`, modulo 2^32.
    #[inline(always)]
    pub(super) fn address(&self, rs1: XReg, imm: Imm12) -> u32 {
        self.x(rs1).wrapping_add_signed(i32::from(imm.get()))
    }

    #[inline(always)]
    pub(super) fn binary(&mut self, rd: XReg, rs1: XReg, rs2: XReg, f: impl Fn(u32, u32) -> u32) {
        self.set(rd, f(self.x(rs1), self.x(rs2)));
    }

    #[inline(always)]
    pub(super) fn divide(
        &mut self,
        rd: XReg,
        rs1: XReg,
        rs2: XReg,
        f: impl Fn(u32, u32) -> u32,
    ) -> Result<Detail, Exit> {
        let divisor = self.x(rs2);
        self.set(rd, f(self.x(rs1), divisor));
        Ok(Detail::Divisor(divisor))
    }

    /// Goes to `target`, leaving the address of the next instruction in `rd`.
    #[inline(always)]
    pub(super) fn jump(&mut self, rd: XReg, target: u32) -> Result<Detail, Exit> {
        let link = self.state.pc;
        self.go_to(target)?;
        self.set(rd, link);
        Ok(Detail::Nothing)
    }

    #[inline(always)]
    pub(super) fn branch(&mut self, pc: u32, offset: Branch, taken: bool) -> Result<Detail, Exit> {
        if taken {
            self.go_to(pc.wrapping_add_signed(i32::from(offset.get())))?;
        }
        Ok(Detail::Branch(taken))
    }

    #[inline(always)]
    fn go_to(&mut self, target: u32) -> Result<(), Exit> {
        if !target.is_multiple_of(4) {
            return Err(Cause::FetchMisaligned { target }.into());
        }
        self.state.pc = target;
        Ok(())
    }

    #[inline(always)]
    pub(super) fn load<const N: usize, O: Observer>(
        &mut self,
        rd: XReg,
        rs1: XReg,
        imm: Imm12,
        observer: &mut O,
        extend: impl Fn([u8; N]) -> u32,
    ) -> Result<Detail, Exit> {
        let address = self.address(rs1, imm);
        let bytes = self.memory.load_scalar(address, self.strict)?;
        observer.access(&scalar_access(AccessKind::Load, address, N));
        self.set(rd, extend(bytes));
        Ok(Detail::Scalar { address, bytes: N as u8 })
    }

    #[inline(always)]
    pub(super) fn store<const N: usize, O: Observer>(
        &mut self,
        rs1: XReg,
        imm: Imm12,
        bytes: [u8; N],
        observer: &mut O,
    ) -> Result<Detail, Exit> {
        let address = self.address(rs1, imm);
        self.memory.store_scalar(address, bytes, self.strict)?;
        observer.access(&scalar_access(AccessKind::Store, address, N));
        let detail = Detail::Scalar { address, bytes: N as u8 };
        // The store has been carried out, so that neither sum can overflow.
        let touches_flag = address < self.ready_flag.saturating_add(4) && address + N as u32 > self.ready_flag;
        if touches_flag && self.memory.load_scalar::<4>(self.ready_flag, false)? != [0; 4] {
            return Err(Exit::ReadyFlag(detail));
        }
        Ok(detail)
    }

    /// Writes a CSR as `write` says and puts its old value into `rd`.
    pub(super) fn csr(&mut self, rd: XReg, csr: Csr, write: Write) -> Result<(), Exit> {
        let old = self.access_csr(csr.get(), write)?;
        self.set(rd, old);
        Ok(())
    }
}

fn scalar_access(kind: AccessKind, address: u32, bytes: usize) -> Access {
    Access { kind, space: Space::Scalar, address, bytes: bytes as u32, lane: None }
}

/// `write`, unless the source operand's field is 0: then the CSR is only read, whatever the value.
pub(super) fn unless(field: u8, write: Write) -> Write {
    if field == 0 { Write::Nothing } else { write }
}

/// Upper word of the signed product.
pub(crate) fn mulh(a: u32, b: u32) -> u32 {
    ((i64::from(a as i32) * i64::from(b as i32)) >> 32) as u32
}

/// Upper word of the product of signed `a` and unsigned `b`.
pub(crate) fn mulhsu(a: u32, b: u32) -> u32 {
    ((i64::from(a as i32) * i64::from(b)) >> 32) as u32
}

/// Upper word of the unsigned product.
pub(crate) fn mulhu(a: u32, b: u32) -> u32 {
    ((u64::from(a) * u64::from(b)) >> 32) as u32
}

/// Signed quotient towards zero; −1 for `b = 0`, `a` for −2^31 / −1.
pub(crate) fn div(a: u32, b: u32) -> u32 {
    if b == 0 { u32::MAX } else { (a as i32).wrapping_div(b as i32) as u32 }
}

/// Unsigned quotient; 2^32 − 1 for `b = 0`.
pub(crate) fn divu(a: u32, b: u32) -> u32 {
    a.checked_div(b).unwrap_or(u32::MAX)
}

/// Signed remainder with the sign of `a`; `a` for `b = 0`, 0 for −2^31 % −1.
pub(crate) fn rem(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { (a as i32).wrapping_rem(b as i32) as u32 }
}

/// Unsigned remainder; `a` for `b = 0`.
pub(crate) fn remu(a: u32, b: u32) -> u32 {
    a.checked_rem(b).unwrap_or(a)
}

/// 0xff in every byte of `a` that is not zero.
pub(crate) fn or_combine(a: u32) -> u32 {
    u32::from_le_bytes(a.to_le_bytes().map(|byte| if byte == 0 { 0 } else { 0xff }))
}
