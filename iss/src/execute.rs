//! What each instruction does.
//!
//! Contract: [`Core::execute`] is the executable form of the equations in [`fenn_isa::spec`]: one exhaustive match
//! without a wildcard, so that a new row does not compile until it is given a meaning here. An instruction that traps
//! has changed nothing.
//!
//! The arms lean on a few methods in [`scalar`] and [`vector`]; lane arithmetic is [`fenn_isa::lane`]'s. Not here: time,
//! and what happens after a trap.

pub(crate) mod scalar;
mod vector;

use fenn_isa::Inst;
use fenn_isa::csr::Register;
use fenn_isa::lane::{self, Rounding};
use fenn_isa::timing::DramTiming;

use crate::csr::{INHIBIT_CYCLES, INHIBIT_INSTRUCTIONS, MIE, MPIE, Write};
use crate::memory::Memory;
use crate::observe::Observer;
use crate::state::State;
use crate::timing::Detail;
use crate::trap::Cause;

/// Why an instruction is not executed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Halt {
    /// It cannot be.
    Trap(Cause),
    /// It is `ecall`.
    Ecall,
    /// It is `ebreak`.
    Ebreak,
}

/// Why execution does not simply go on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Exit {
    /// The instruction has changed nothing.
    NotExecuted(Halt),
    /// The instruction has been executed and has set the ready flag.
    ReadyFlag(Detail),
}

impl From<Cause> for Exit {
    fn from(cause: Cause) -> Self {
        Self::NotExecuted(Halt::Trap(cause))
    }
}

/// `mtvec` while the program has not set it.
pub(crate) const NO_HANDLER: u32 = 0;
/// A ready flag that no store can hit: flags are multiples of 4.
pub(crate) const NO_READY_FLAG: u32 = u32::MAX;

/// The machine without time.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    pub(crate) state: State,
    pub(crate) memory: Memory,
    /// Whether what a board tolerates traps.
    pub(crate) strict: bool,
    /// Address of the ready flag, or [`NO_READY_FLAG`].
    pub(crate) ready_flag: u32,
    /// Bits as in `mcountinhibit`: the counters that the instruction being executed has written.
    pub(crate) counters_written: u32,
    /// The divisor of the last division that the fast engine executed.
    pub(crate) divisor: u32,
    /// What transfers between DRAM and vector memory take.
    pub(crate) dram: DramTiming,
}

impl Core {
    /// Executes the instruction at `pc`; `state.pc` is `pc + 4` before, and the next instruction's address after.
    ///
    /// On a trap nothing but `state.pc` differs from before; the caller puts that right.
    #[inline(always)]
    pub(crate) fn execute<O: Observer>(&mut self, pc: u32, inst: Inst, observer: &mut O) -> Result<Detail, Exit> {
        use Rounding::{Nearest, Stochastic, Zero};
        match inst {
            Inst::Lui { rd, imm } => self.set(rd, imm.get() << 12),
            Inst::Auipc { rd, imm } => self.set(rd, pc.wrapping_add(imm.get() << 12)),
            Inst::Jal { rd, offset } => return self.jump(rd, pc.wrapping_add_signed(offset.get())),
            Inst::Jalr { rd, imm, rs1 } => return self.jump(rd, self.address(rs1, imm) & !1),
            Inst::Beq { rs1, rs2, offset } => return self.branch(pc, offset, self.x(rs1) == self.x(rs2)),
            Inst::Bne { rs1, rs2, offset } => return self.branch(pc, offset, self.x(rs1) != self.x(rs2)),
            Inst::Blt { rs1, rs2, offset } => return self.branch(pc, offset, self.signed(rs1) < self.signed(rs2)),
            Inst::Bge { rs1, rs2, offset } => return self.branch(pc, offset, self.signed(rs1) >= self.signed(rs2)),
            Inst::Bltu { rs1, rs2, offset } => return self.branch(pc, offset, self.x(rs1) < self.x(rs2)),
            Inst::Bgeu { rs1, rs2, offset } => return self.branch(pc, offset, self.x(rs1) >= self.x(rs2)),
            Inst::Lb { rd, imm, rs1 } => {
                return self.load(rd, rs1, imm, observer, |b| i8::from_le_bytes(b) as u32);
            }
            Inst::Lh { rd, imm, rs1 } => {
                return self.load(rd, rs1, imm, observer, |b| i16::from_le_bytes(b) as u32);
            }
            Inst::Lw { rd, imm, rs1 } => return self.load(rd, rs1, imm, observer, u32::from_le_bytes),
            Inst::Lbu { rd, imm, rs1 } => return self.load(rd, rs1, imm, observer, |[b]| u32::from(b)),
            Inst::Lhu { rd, imm, rs1 } => {
                return self.load(rd, rs1, imm, observer, |b| u32::from(u16::from_le_bytes(b)));
            }
            Inst::Sb { rs2, imm, rs1 } => return self.store(rs1, imm, [self.x(rs2) as u8], observer),
            Inst::Sh { rs2, imm, rs1 } => return self.store(rs1, imm, (self.x(rs2) as u16).to_le_bytes(), observer),
            Inst::Sw { rs2, imm, rs1 } => return self.store(rs1, imm, self.x(rs2).to_le_bytes(), observer),
            Inst::Addi { rd, rs1, imm } => self.set(rd, self.address(rs1, imm)),
            Inst::Slti { rd, rs1, imm } => self.set(rd, u32::from(self.signed(rs1) < i32::from(imm.get()))),
            Inst::Sltiu { rd, rs1, imm } => self.set(rd, u32::from(self.x(rs1) < imm.get() as u32)),
            Inst::Xori { rd, rs1, imm } => self.set(rd, self.x(rs1) ^ imm.get() as u32),
            Inst::Ori { rd, rs1, imm } => self.set(rd, self.x(rs1) | imm.get() as u32),
            Inst::Andi { rd, rs1, imm } => self.set(rd, self.x(rs1) & imm.get() as u32),
            Inst::Slli { rd, rs1, shamt } => self.set(rd, self.x(rs1) << shamt.get()),
            Inst::Srli { rd, rs1, shamt } => self.set(rd, self.x(rs1) >> shamt.get()),
            Inst::Srai { rd, rs1, shamt } => self.set(rd, (self.signed(rs1) >> shamt.get()) as u32),
            Inst::Add { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, u32::wrapping_add),
            Inst::Sub { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, u32::wrapping_sub),
            Inst::Sll { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, u32::wrapping_shl),
            Inst::Slt { rd, rs1, rs2 } => self.set(rd, u32::from(self.signed(rs1) < self.signed(rs2))),
            Inst::Sltu { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| u32::from(a < b)),
            Inst::Xor { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| a ^ b),
            Inst::Srl { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, u32::wrapping_shr),
            Inst::Sra { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| (a as i32).wrapping_shr(b) as u32),
            Inst::Or { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| a | b),
            Inst::And { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| a & b),
            Inst::Fence { pred: _, succ: _ } | Inst::FenceI {} | Inst::Wfi {} => {}
            Inst::Ecall {} => return Err(Exit::NotExecuted(Halt::Ecall)),
            Inst::Ebreak {} => return Err(Exit::NotExecuted(Halt::Ebreak)),
            Inst::Mret {} => self.return_from_trap(),

            Inst::Mul { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, u32::wrapping_mul),
            Inst::Mulh { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, scalar::mulh),
            Inst::Mulhsu { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, scalar::mulhsu),
            Inst::Mulhu { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, scalar::mulhu),
            Inst::Div { rd, rs1, rs2 } => return self.divide(rd, rs1, rs2, scalar::div),
            Inst::Divu { rd, rs1, rs2 } => return self.divide(rd, rs1, rs2, scalar::divu),
            Inst::Rem { rd, rs1, rs2 } => return self.divide(rd, rs1, rs2, scalar::rem),
            Inst::Remu { rd, rs1, rs2 } => return self.divide(rd, rs1, rs2, scalar::remu),

            Inst::Csrrw { rd, csr, rs1 } => self.csr(rd, csr, Write::All(self.x(rs1)))?,
            Inst::Csrrs { rd, csr, rs1 } => self.csr(rd, csr, scalar::unless(rs1.get(), Write::Set(self.x(rs1))))?,
            Inst::Csrrc { rd, csr, rs1 } => self.csr(rd, csr, scalar::unless(rs1.get(), Write::Clear(self.x(rs1))))?,
            Inst::Csrrwi { rd, csr, uimm } => self.csr(rd, csr, Write::All(u32::from(uimm.get())))?,
            Inst::Csrrsi { rd, csr, uimm } => {
                self.csr(rd, csr, scalar::unless(uimm.get(), Write::Set(u32::from(uimm.get()))))?;
            }
            Inst::Csrrci { rd, csr, uimm } => {
                self.csr(rd, csr, scalar::unless(uimm.get(), Write::Clear(u32::from(uimm.get()))))?;
            }

            Inst::Andn { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| a & !b),
            Inst::Orn { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| a | !b),
            Inst::Xnor { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| !(a ^ b)),
            Inst::Clz { rd, rs1 } => self.set(rd, self.x(rs1).leading_zeros()),
            Inst::Ctz { rd, rs1 } => self.set(rd, self.x(rs1).trailing_zeros()),
            Inst::Cpop { rd, rs1 } => self.set(rd, self.x(rs1).count_ones()),
            Inst::SextB { rd, rs1 } => self.set(rd, self.x(rs1) as i8 as u32),
            Inst::SextH { rd, rs1 } => self.set(rd, self.x(rs1) as i16 as u32),
            Inst::ZextH { rd, rs1 } => self.set(rd, u32::from(self.x(rs1) as u16)),
            Inst::Min { rd, rs1, rs2 } => self.set(rd, self.signed(rs1).min(self.signed(rs2)) as u32),
            Inst::Minu { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, u32::min),
            Inst::Max { rd, rs1, rs2 } => self.set(rd, self.signed(rs1).max(self.signed(rs2)) as u32),
            Inst::Maxu { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, u32::max),
            Inst::Rol { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| a.rotate_left(b & 31)),
            Inst::Ror { rd, rs1, rs2 } => self.binary(rd, rs1, rs2, |a, b| a.rotate_right(b & 31)),
            Inst::Rori { rd, rs1, shamt } => self.set(rd, self.x(rs1).rotate_right(u32::from(shamt.get()))),
            Inst::OrcB { rd, rs1 } => self.set(rd, scalar::or_combine(self.x(rs1))),
            Inst::Rev8 { rd, rs1 } => self.set(rd, self.x(rs1).swap_bytes()),

            Inst::VAdd { vd, vs1, vs2 } => self.lanes(vd, vs1, vs2, |a, b| lane::add(a, b, false)),
            Inst::VAddS { vd, vs1, vs2 } => self.lanes(vd, vs1, vs2, |a, b| lane::add(a, b, true)),
            Inst::VSub { vd, vs1, vs2 } => self.lanes(vd, vs1, vs2, |a, b| lane::sub(a, b, false)),
            Inst::VSubS { vd, vs1, vs2 } => self.lanes(vd, vs1, vs2, |a, b| lane::sub(a, b, true)),
            Inst::VAnd { vd, vs1, vs2 } => self.lanes(vd, vs1, vs2, |a, b| a & b),
            Inst::VSll { vd, vs1, vs2 } => self.lanes(vd, vs1, vs2, |a, b| lane::shift_left(a, b as u8)),
            Inst::VSra { vd, vs1, vs2 } => self.lanes(vd, vs1, vs2, |a, b| lane::shift_right(a, b as u8, Zero, 0)),
            Inst::VMul { vd, vs1, vs2, shift } => self.multiply::<false>(vd, vs1, vs2, shift, Zero),
            Inst::VMulRn { vd, vs1, vs2, shift } => self.multiply::<false>(vd, vs1, vs2, shift, Nearest),
            Inst::VMulRs { vd, vs1, vs2, shift } => self.multiply::<false>(vd, vs1, vs2, shift, Stochastic),
            Inst::VMulS { vd, vs1, vs2, shift } => self.multiply::<true>(vd, vs1, vs2, shift, Zero),
            Inst::VMulSRn { vd, vs1, vs2, shift } => self.multiply::<true>(vd, vs1, vs2, shift, Nearest),
            Inst::VMulSRs { vd, vs1, vs2, shift } => self.multiply::<true>(vd, vs1, vs2, shift, Stochastic),
            Inst::VSlli { vd, vs1, shift } => self.lanes(vd, vs1, vs1, |a, _| lane::shift_left(a, shift.get())),
            Inst::VSrai { vd, vs1, shift } => self.shift_right(vd, vs1, shift, Zero),
            Inst::VSraiRn { vd, vs1, shift } => self.shift_right(vd, vs1, shift, Nearest),
            Inst::VSraiRs { vd, vs1, shift } => self.shift_right(vd, vs1, shift, Stochastic),
            Inst::VTeq { rd, vs1, vs2 } => self.test(rd, vs1, vs2, |a, b| a == b),
            Inst::VTne { rd, vs1, vs2 } => self.test(rd, vs1, vs2, |a, b| a != b),
            Inst::VTlt { rd, vs1, vs2 } => self.test(rd, vs1, vs2, |a, b| a < b),
            Inst::VTge { rd, vs1, vs2 } => self.test(rd, vs1, vs2, |a, b| a >= b),
            Inst::VSel { vd, rs1, vs2 } => self.select(vd, self.x(rs1), vs2),
            Inst::VLui { vd, imm } => self.fill(vd, imm.get()),
            Inst::VFill { vd, rs1 } => self.fill(vd, lane::fill(self.x(rs1))),
            Inst::VExtract { rd, vs1, lane } => self.set(rd, self.state.v(vs1).0[lane.get() as usize & 31] as u32),
            Inst::VRng { vd } => self.random(vd),
            Inst::VAndAdd { vd, vs1, rs2, shift } => {
                let scalar = self.x(rs2);
                self.lanes(vd, vs1, vs1, |a, _| lane::and_add(a, scalar, shift.get()));
            }
            Inst::VLoadV { vd, imm, rs1 } => return self.load_vector(vd, self.address(rs1, imm), observer),
            Inst::VLoadL { vd, imm, vs1 } => self.load_lanes(vd, vs1, imm, observer)?,
            Inst::VLoadR0 { imm, rs1 } => return self.load_generators::<0, O>(self.address(rs1, imm), observer),
            Inst::VLoadR1 { imm, rs1 } => return self.load_generators::<1, O>(self.address(rs1, imm), observer),
            Inst::VStore { vs2, imm, rs1 } => return self.store_vector(vs2, self.address(rs1, imm), observer),
            Inst::VStoreL { vs2, imm, vs1 } => self.store_lanes(vs2, vs1, imm, observer)?,
        }
        Ok(Detail::Nothing)
    }

    /// Lets cycles pass in which nothing is issued.
    #[inline(always)]
    pub(crate) fn pass(&mut self, cycles: u64) {
        self.state.cycles += cycles;
        if self.state.csrs.mcountinhibit & INHIBIT_CYCLES == 0 {
            self.state.csrs.mcycle = self.state.csrs.mcycle.wrapping_add(cycles);
        }
    }

    /// Counts one instruction and its cycle; `inhibited` is `mcountinhibit` before it.
    #[inline(always)]
    pub(crate) fn count(&mut self, inhibited: u32) {
        let state = &mut self.state;
        state.cycles += 1;
        state.retired += 1;
        let stopped = inhibited | self.counters_written;
        if stopped != INHIBIT_CYCLES | INHIBIT_INSTRUCTIONS {
            if stopped & INHIBIT_CYCLES == 0 {
                state.csrs.mcycle = state.csrs.mcycle.wrapping_add(1);
            }
            if stopped & INHIBIT_INSTRUCTIONS == 0 {
                state.csrs.minstret = state.csrs.minstret.wrapping_add(1);
            }
        }
        self.counters_written = 0;
    }

    fn return_from_trap(&mut self) {
        let csrs = &mut self.state.csrs;
        let enabled = if csrs.mstatus & MPIE != 0 { MIE } else { 0 };
        csrs.mstatus = Register::Mstatus.spec().reset | MPIE | enabled;
        self.state.pc = csrs.mepc;
    }
}
