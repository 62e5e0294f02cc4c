//! Instructions to blocks of operations.
//!
//! Contract: a block is as many instructions from an address on as the fast engine can execute in one go. It ends with a
//! branch or jump, in front of an instruction that only the reference executes, or when it is long enough. Times are not
//! its business: one block serves every state of the pipeline that it may be entered in.
//!
//! A CSR instruction is a block of its own, because it may see the clock or start the DMA engine. A division ends its block:
//! its time depends on the divisor. The reference executes words that are no instruction, CSR instructions that trap, `mret`,
//! `ecall` and `ebreak`, scalar loads into `x0`, which only may trap, and jumps and branches to addresses that are no multiple
//! of 4.

use fenn_isa::Inst;
use fenn_isa::csr;
use fenn_isa::operand::{Csr, VReg, XReg};

use super::fuse::{Fused, Item, fuse};
use super::handlers::{Handler, Handlers, Op, scaled_v, scaled_x};
use crate::memory::Memory;

/// Instructions of the longest block: the calls of its operations may nest as deep.
pub(super) const LONGEST: u32 = 64;

/// How a block ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It goes straight on.
    Straight,
    /// With a conditional branch.
    Branch,
    /// With `jal`.
    Jump,
    /// With `jalr`.
    JumpRegister,
    /// With a division.
    Divide,
    /// It is one CSR instruction, which cannot trap; the block has no operation for it.
    Csr,
    /// There is no block here: the reference executes the one instruction.
    Reference,
}

/// A block.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Instructions; 1 for [`End::Csr`] and [`End::Reference`].
    pub(super) len: u32,
    /// How it ends.
    pub(super) end: End,
    /// Where its last instruction goes, if that is a branch or `jal`.
    pub(super) target: u32,
    /// Its operations.
    pub(super) ops: Vec<Op>,
    /// For each operation, which of the block's instructions it is, and which one the reference goes on with where it is not
    /// executed; see [`super::fuse::Fused`].
    pub(super) origins: Vec<(u8, u8)>,
}

/// What an instruction becomes.
enum Piece {
    /// Nothing: it changes no more than the program counter.
    Nothing,
    /// An operation.
    One(Op),
    /// Operations that end the block.
    Last { end: End, target: u32, ops: Vec<Op> },
    /// A CSR instruction that cannot trap.
    Csr,
    /// It is the reference's.
    Reference,
}

/// The block at `pc`.
pub(super) fn decode(memory: &Memory, handlers: &Handlers, pc: u32) -> Block {
    let mut block = Block { len: 0, end: End::Straight, target: 0, ops: Vec::new(), origins: Vec::new() };
    let mut items = Vec::new();
    let mut ending = vec![plain(handlers.end)];
    let mut branch = None;
    let mut alone = End::Reference;
    while block.len < LONGEST {
        let here = pc.wrapping_add(4 * block.len);
        let Ok(inst) = memory.fetch(here) else { break };
        match translate(handlers, here, inst) {
            Piece::Nothing => {}
            Piece::One(op) => items.push(Item::new(inst, op, block.len as u8)),
            Piece::Last { end, target, ops } => {
                (block.end, block.target) = (end, target);
                branch = Some(inst.op());
                ending = ops;
                block.len += 1;
                break;
            }
            Piece::Csr => {
                alone = End::Csr;
                break;
            }
            Piece::Reference => break,
        }
        block.len += 1;
    }
    if block.len == 0 {
        (block.len, block.end) = (1, alone);
    }
    for Fused { op, origin, resume } in fuse(handlers, items, branch) {
        block.push(op, (origin, resume));
    }
    let last = (block.len - 1) as u8;
    ending.into_iter().for_each(|op| block.push(op, (last, last)));
    block
}

impl Block {
    fn push(&mut self, op: Op, origin: (u8, u8)) {
        self.ops.push(op);
        self.origins.push(origin);
    }
}

const fn plain(run: Handler) -> Op {
    Op { run, a: 0, b: 0, c: 0, imm: 0 }
}

fn x(reg: XReg) -> u16 {
    scaled_x(reg.get())
}

fn v(reg: VReg) -> u16 {
    scaled_v(reg.get())
}

/// One exhaustive match, so that a new row does not compile until it is decided here who executes it.
fn translate(handlers: &Handlers, pc: u32, inst: Inst) -> Piece {
    let h = handlers;
    // Without a destination there is nothing to do, for none of these can trap.
    let scalar = |run, rd: XReg, b, c, imm| {
        if rd.get() == 0 { Piece::Nothing } else { Piece::One(Op { run, a: x(rd), b, c, imm }) }
    };
    let three = |run, rd, rs1, rs2| scalar(run, rd, x(rs1), x(rs2), 0);
    let two = |run, rd, rs1| scalar(run, rd, x(rs1), 0, 0);
    let immediate = |run, rd, rs1, imm: i16| scalar(run, rd, x(rs1), 0, imm);
    let set = |rd: XReg, value: u32| Op { a: x(rd), ..plain(h.set) }.with_constant(value);
    let constant = |rd: XReg, value| if rd.get() == 0 { Piece::Nothing } else { Piece::One(set(rd, value)) };
    let load = |run, rd: XReg, rs1, imm: i16| match rd.get() {
        0 => Piece::Reference,
        _ => Piece::One(Op { run, a: x(rd), b: x(rs1), c: 0, imm }),
    };
    let store = |run, rs2, rs1, imm: i16| Piece::One(Op { run, a: x(rs2), b: x(rs1), c: 0, imm });
    let branch = |run, rs1, rs2, offset: i16| {
        let target = pc.wrapping_add_signed(i32::from(offset));
        if !target.is_multiple_of(4) {
            return Piece::Reference;
        }
        let run = Op { run, a: 0, b: x(rs1), c: x(rs2), imm: 0 };
        Piece::Last { end: End::Branch, target, ops: vec![run] }
    };
    let divide = |run, rd, rs1, rs2| {
        let ops = vec![Op { run, a: x(rd), b: x(rs1), c: x(rs2), imm: 0 }, plain(h.end)];
        Piece::Last { end: End::Divide, target: 0, ops }
    };
    let csr_access = |csr: Csr, writes: bool| match csr::by_address(csr.get()) {
        Some(row) if !writes || row.access != csr::Access::ReadOnly => Piece::Csr,
        _ => Piece::Reference,
    };
    let link = |rd: XReg| (rd.get() != 0).then(|| set(rd, pc.wrapping_add(4)));
    let lanes = |run, vd, vs1, vs2, imm| Piece::One(Op { run, a: v(vd), b: v(vs1), c: v(vs2), imm });
    let test = |run, rd, vs1, vs2| scalar(run, rd, v(vs1), v(vs2), 0);
    match inst {
        Inst::Lui { rd, imm } => constant(rd, imm.get() << 12),
        Inst::Auipc { rd, imm } => constant(rd, pc.wrapping_add(imm.get() << 12)),
        Inst::Jal { rd, offset } => {
            let target = pc.wrapping_add_signed(offset.get());
            if !target.is_multiple_of(4) {
                return Piece::Reference;
            }
            Piece::Last { end: End::Jump, target, ops: link(rd).into_iter().chain([plain(h.jump)]).collect() }
        }
        Inst::Jalr { rd, imm, rs1 } => {
            let go = Op { run: h.jalr, a: 0, b: x(rs1), c: 0, imm: imm.get() };
            let ops = [go].into_iter().chain(link(rd)).chain([plain(h.jump)]).collect();
            Piece::Last { end: End::JumpRegister, target: 0, ops }
        }
        Inst::Beq { rs1, rs2, offset } => branch(h.beq, rs1, rs2, offset.get()),
        Inst::Bne { rs1, rs2, offset } => branch(h.bne, rs1, rs2, offset.get()),
        Inst::Blt { rs1, rs2, offset } => branch(h.blt, rs1, rs2, offset.get()),
        Inst::Bge { rs1, rs2, offset } => branch(h.bge, rs1, rs2, offset.get()),
        Inst::Bltu { rs1, rs2, offset } => branch(h.bltu, rs1, rs2, offset.get()),
        Inst::Bgeu { rs1, rs2, offset } => branch(h.bgeu, rs1, rs2, offset.get()),
        Inst::Lb { rd, imm, rs1 } => load(h.lb, rd, rs1, imm.get()),
        Inst::Lh { rd, imm, rs1 } => load(h.lh, rd, rs1, imm.get()),
        Inst::Lw { rd, imm, rs1 } => load(h.lw, rd, rs1, imm.get()),
        Inst::Lbu { rd, imm, rs1 } => load(h.lbu, rd, rs1, imm.get()),
        Inst::Lhu { rd, imm, rs1 } => load(h.lhu, rd, rs1, imm.get()),
        Inst::Sb { rs2, imm, rs1 } => store(h.sb, rs2, rs1, imm.get()),
        Inst::Sh { rs2, imm, rs1 } => store(h.sh, rs2, rs1, imm.get()),
        Inst::Sw { rs2, imm, rs1 } => store(h.sw, rs2, rs1, imm.get()),
        Inst::Addi { rd, rs1, imm } => immediate(h.addi, rd, rs1, imm.get()),
        Inst::Slti { rd, rs1, imm } => immediate(h.slti, rd, rs1, imm.get()),
        Inst::Sltiu { rd, rs1, imm } => immediate(h.sltiu, rd, rs1, imm.get()),
        Inst::Xori { rd, rs1, imm } => immediate(h.xori, rd, rs1, imm.get()),
        Inst::Ori { rd, rs1, imm } => immediate(h.ori, rd, rs1, imm.get()),
        Inst::Andi { rd, rs1, imm } => immediate(h.andi, rd, rs1, imm.get()),
        Inst::Slli { rd, rs1, shamt } => immediate(h.slli, rd, rs1, i16::from(shamt.get())),
        Inst::Srli { rd, rs1, shamt } => immediate(h.srli, rd, rs1, i16::from(shamt.get())),
        Inst::Srai { rd, rs1, shamt } => immediate(h.srai, rd, rs1, i16::from(shamt.get())),
        Inst::Add { rd, rs1, rs2 } => three(h.add, rd, rs1, rs2),
        Inst::Sub { rd, rs1, rs2 } => three(h.sub, rd, rs1, rs2),
        Inst::Sll { rd, rs1, rs2 } => three(h.sll, rd, rs1, rs2),
        Inst::Slt { rd, rs1, rs2 } => three(h.slt, rd, rs1, rs2),
        Inst::Sltu { rd, rs1, rs2 } => three(h.sltu, rd, rs1, rs2),
        Inst::Xor { rd, rs1, rs2 } => three(h.xor, rd, rs1, rs2),
        Inst::Srl { rd, rs1, rs2 } => three(h.srl, rd, rs1, rs2),
        Inst::Sra { rd, rs1, rs2 } => three(h.sra, rd, rs1, rs2),
        Inst::Or { rd, rs1, rs2 } => three(h.or, rd, rs1, rs2),
        Inst::And { rd, rs1, rs2 } => three(h.and, rd, rs1, rs2),
        Inst::Fence { pred: _, succ: _ } | Inst::FenceI {} | Inst::Wfi {} => Piece::Nothing,
        Inst::Ecall {} | Inst::Ebreak {} | Inst::Mret {} => Piece::Reference,
        Inst::Mul { rd, rs1, rs2 } => three(h.mul, rd, rs1, rs2),
        Inst::Mulh { rd, rs1, rs2 } => three(h.mulh, rd, rs1, rs2),
        Inst::Mulhsu { rd, rs1, rs2 } => three(h.mulhsu, rd, rs1, rs2),
        Inst::Mulhu { rd, rs1, rs2 } => three(h.mulhu, rd, rs1, rs2),
        Inst::Div { rd, rs1, rs2 } => divide(h.div, rd, rs1, rs2),
        Inst::Divu { rd, rs1, rs2 } => divide(h.divu, rd, rs1, rs2),
        Inst::Rem { rd, rs1, rs2 } => divide(h.rem, rd, rs1, rs2),
        Inst::Remu { rd, rs1, rs2 } => divide(h.remu, rd, rs1, rs2),
        Inst::Csrrw { rd: _, csr, rs1: _ } | Inst::Csrrwi { rd: _, csr, uimm: _ } => csr_access(csr, true),
        Inst::Csrrs { rd: _, csr, rs1 } | Inst::Csrrc { rd: _, csr, rs1 } => csr_access(csr, rs1.get() != 0),
        Inst::Csrrsi { rd: _, csr, uimm } | Inst::Csrrci { rd: _, csr, uimm } => csr_access(csr, uimm.get() != 0),
        Inst::Andn { rd, rs1, rs2 } => three(h.andn, rd, rs1, rs2),
        Inst::Orn { rd, rs1, rs2 } => three(h.orn, rd, rs1, rs2),
        Inst::Xnor { rd, rs1, rs2 } => three(h.xnor, rd, rs1, rs2),
        Inst::Clz { rd, rs1 } => two(h.clz, rd, rs1),
        Inst::Ctz { rd, rs1 } => two(h.ctz, rd, rs1),
        Inst::Cpop { rd, rs1 } => two(h.cpop, rd, rs1),
        Inst::SextB { rd, rs1 } => two(h.sext_b, rd, rs1),
        Inst::SextH { rd, rs1 } => two(h.sext_h, rd, rs1),
        Inst::ZextH { rd, rs1 } => two(h.zext_h, rd, rs1),
        Inst::Min { rd, rs1, rs2 } => three(h.min, rd, rs1, rs2),
        Inst::Minu { rd, rs1, rs2 } => three(h.minu, rd, rs1, rs2),
        Inst::Max { rd, rs1, rs2 } => three(h.max, rd, rs1, rs2),
        Inst::Maxu { rd, rs1, rs2 } => three(h.maxu, rd, rs1, rs2),
        Inst::Rol { rd, rs1, rs2 } => three(h.rol, rd, rs1, rs2),
        Inst::Ror { rd, rs1, rs2 } => three(h.ror, rd, rs1, rs2),
        Inst::Rori { rd, rs1, shamt } => immediate(h.rori, rd, rs1, i16::from(shamt.get())),
        Inst::OrcB { rd, rs1 } => two(h.orc_b, rd, rs1),
        Inst::Rev8 { rd, rs1 } => two(h.rev8, rd, rs1),
        Inst::VAdd { vd, vs1, vs2 } => lanes(h.vadd, vd, vs1, vs2, 0),
        Inst::VAddS { vd, vs1, vs2 } => lanes(h.vadd_s, vd, vs1, vs2, 0),
        Inst::VSub { vd, vs1, vs2 } => lanes(h.vsub, vd, vs1, vs2, 0),
        Inst::VSubS { vd, vs1, vs2 } => lanes(h.vsub_s, vd, vs1, vs2, 0),
        Inst::VAnd { vd, vs1, vs2 } => lanes(h.vand, vd, vs1, vs2, 0),
        Inst::VSll { vd, vs1, vs2 } => lanes(h.vsll, vd, vs1, vs2, 0),
        Inst::VSra { vd, vs1, vs2 } => lanes(h.vsra, vd, vs1, vs2, 0),
        Inst::VMul { vd, vs1, vs2, shift } => lanes(h.vmul, vd, vs1, vs2, i16::from(shift.get())),
        Inst::VMulRn { vd, vs1, vs2, shift } => lanes(h.vmul_rn, vd, vs1, vs2, i16::from(shift.get())),
        Inst::VMulRs { vd, vs1, vs2, shift } => lanes(h.vmul_rs, vd, vs1, vs2, i16::from(shift.get())),
        Inst::VMulS { vd, vs1, vs2, shift } => lanes(h.vmul_s, vd, vs1, vs2, i16::from(shift.get())),
        Inst::VMulSRn { vd, vs1, vs2, shift } => lanes(h.vmul_s_rn, vd, vs1, vs2, i16::from(shift.get())),
        Inst::VMulSRs { vd, vs1, vs2, shift } => lanes(h.vmul_s_rs, vd, vs1, vs2, i16::from(shift.get())),
        Inst::VSlli { vd, vs1, shift } => lanes(h.vslli, vd, vs1, vs1, i16::from(shift.get())),
        Inst::VSrai { vd, vs1, shift } => lanes(h.vsrai, vd, vs1, vs1, i16::from(shift.get())),
        Inst::VSraiRn { vd, vs1, shift } => lanes(h.vsrai_rn, vd, vs1, vs1, i16::from(shift.get())),
        Inst::VSraiRs { vd, vs1, shift } => lanes(h.vsrai_rs, vd, vs1, vs1, i16::from(shift.get())),
        Inst::VTeq { rd, vs1, vs2 } => test(h.vteq, rd, vs1, vs2),
        Inst::VTne { rd, vs1, vs2 } => test(h.vtne, rd, vs1, vs2),
        Inst::VTlt { rd, vs1, vs2 } => test(h.vtlt, rd, vs1, vs2),
        Inst::VTge { rd, vs1, vs2 } => test(h.vtge, rd, vs1, vs2),
        Inst::VSel { vd, rs1, vs2 } => Piece::One(Op { run: h.vsel, a: v(vd), b: x(rs1), c: v(vs2), imm: 0 }),
        Inst::VLui { vd, imm } => Piece::One(Op { a: v(vd), imm: imm.get(), ..plain(h.vlui) }),
        Inst::VFill { vd, rs1 } => Piece::One(Op { a: v(vd), b: x(rs1), ..plain(h.vfill) }),
        Inst::VExtract { rd, vs1, lane } => scalar(h.vextract, rd, v(vs1), 0, i16::from(lane.get())),
        Inst::VRng { vd } => Piece::One(Op { a: v(vd), ..plain(h.vrng) }),
        Inst::VAndAdd { vd, vs1, rs2, shift } => {
            Piece::One(Op { run: h.vandadd, a: v(vd), b: v(vs1), c: x(rs2), imm: i16::from(shift.get()) })
        }
        Inst::VLoadV { vd, imm, rs1 } => Piece::One(Op { run: h.vloadv, a: v(vd), b: x(rs1), c: 0, imm: imm.get() }),
        Inst::VLoadL { vd, imm, vs1 } => Piece::One(Op { run: h.vloadl, a: v(vd), b: v(vs1), c: 0, imm: imm.get() }),
        Inst::VLoadR0 { imm, rs1 } => Piece::One(Op { b: x(rs1), imm: imm.get(), ..plain(h.vloadr0) }),
        Inst::VLoadR1 { imm, rs1 } => Piece::One(Op { b: x(rs1), imm: imm.get(), ..plain(h.vloadr1) }),
        Inst::VStore { vs2, imm, rs1 } => Piece::One(Op { run: h.vstore, a: v(vs2), b: x(rs1), c: 0, imm: imm.get() }),
        Inst::VStoreL { vs2, imm, vs1 } => {
            Piece::One(Op { run: h.vstorel, a: v(vs2), b: v(vs1), c: 0, imm: imm.get() })
        }
    }
}
