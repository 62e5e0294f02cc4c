//! What the fast engine's operations do.
//!
//! Contract: an operation is a pre-decoded instruction with the function that executes it. The functions of a block call
//! one another, each as its last act, until one that ends the block answers. A function whose instruction would trap, set
//! the ready flag, or take longer than the block's plan says, answers instead with its operation's address and has changed
//! nothing: the reference executes that instruction. Blocks are short, so that the stack stays so even where the compiler
//! makes no jump of such a call.
//!
//! What an operation does is a plain function, its *body*; the macro at the end makes of each body the chained function,
//! once for each way of computing with [`Lanes`]. Bodies must agree with [`crate::execute`] bit for bit, which the tests of
//! both engines ask.
//!
//! Not here: which operations a block has (see [`super::block`]) and how long they take (see [`super::version`]).

use fenn_isa::Op as FennOp;
use fenn_isa::lane;
use fenn_isa::memory::VECTOR_BYTES;

use super::lanes::Place;
use super::simd::Lanes;
use crate::execute::{Core, scalar};
use crate::state::Vector;

/// The block has ended; execution goes straight on.
const NEXT: usize = 0;
/// The block has ended with a jump to its target, or with `state.pc` set.
const TAKEN: usize = 1;

/// Executes the operation it is given and those behind it; answers [`NEXT`], [`TAKEN`], or the address of the operation that
/// was not executed.
///
/// # Safety
/// The pointer is to an operation of a block whose last operation is one that ends it, and the host has the instructions
/// that the function was compiled for.
pub(super) type Handler = unsafe fn(&mut Core, *const Op) -> usize;

/// A pre-decoded instruction. What the fields mean is up to the function: register numbers are scaled by the size of a
/// register, so that they need no arithmetic.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Op {
    pub(super) run: Handler,
    pub(super) a: u16,
    pub(super) b: u16,
    pub(super) c: u16,
    pub(super) imm: i16,
}

/// How a block ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Execution goes straight on.
    Next,
    /// It goes to the target of the block's last instruction, or to `state.pc` if that is `jalr`.
    Taken,
}

/// The operations of blocks, one block behind the other.
///
/// Invariant: the last operation of each block is one that ends it, and every function is from [`Host::handlers`].
#[derive(Debug, Clone, Default)]
pub(super) struct Ops(Vec<Op>);

impl Ops {
    /// Adds the operations of a block, which [`super::block::decode`] made; the place of the first.
    pub(super) fn append(&mut self, block: &[Op]) -> u32 {
        let first = self.0.len() as u32;
        self.0.extend_from_slice(block);
        first
    }

    /// Executes the block whose first operation is at this place.
    ///
    /// # Errors
    /// The place of the operation that was not executed, nor any behind it.
    #[inline(always)]
    pub(super) fn execute(&self, core: &mut Core, first: u32) -> Result<Answer, usize> {
        let op: *const Op = &raw const self.0[first as usize];
        // SAFETY: by the invariant the operations from here on come to one that ends a block before they come to the end
        // of the vector, and the host has the instructions that `Host::handlers` asked it for.
        match unsafe { ((*op).run)(core, op) } {
            NEXT => Ok(Answer::Next),
            TAKEN => Ok(Answer::Taken),
            stopped => Err((stopped - self.0.as_ptr().addr()) / size_of::<Op>()),
        }
    }
}

/// The number of a scalar register as operations hold it.
pub(super) const fn scaled_x(index: u8) -> u16 {
    (index as u16 & 31) << 2
}

/// The number of a vector register as operations hold it.
pub(super) const fn scaled_v(index: u8) -> u16 {
    (index as u16 & 31) << 6
}

#[inline(always)]
fn x(core: &Core, scaled: u16) -> u32 {
    core.state.x[usize::from(scaled >> 2) & 31]
}

#[inline(always)]
fn set_x(core: &mut Core, scaled: u16, value: u32) {
    core.state.x[usize::from(scaled >> 2) & 31] = value;
}

#[inline(always)]
fn v(core: &Core, scaled: u16) -> &Vector {
    &core.state.v[usize::from(scaled >> 6) & 31]
}

#[inline(always)]
fn v_mut(core: &mut Core, scaled: u16) -> &mut Vector {
    &mut core.state.v[usize::from(scaled >> 6) & 31]
}

impl Op {
    /// The constant of [`set`]: two fields together.
    pub(super) const fn with_constant(self, value: u32) -> Self {
        Self { c: value as u16, imm: (value >> 16) as i16, ..self }
    }

    #[inline(always)]
    fn address(&self, core: &Core) -> u32 {
        x(core, self.b).wrapping_add_signed(i32::from(self.imm))
    }

    #[inline(always)]
    fn shift(&self) -> u32 {
        self.imm as u32 & 15
    }
}

/// Bodies of `x[a] = f(x[b], x[c])`.
macro_rules! scalar_bodies {
    ($($name:ident: $f:expr;)*) => { $(
        #[inline(always)]
        fn $name<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
            let f: fn(u32, u32) -> u32 = $f;
            let value = f(x(core, op.b), x(core, op.c));
            set_x(core, op.a, value);
            true
        }
    )* };
}

/// Bodies of `x[a] = f(x[b], imm)`.
macro_rules! immediate_bodies {
    ($($name:ident: $f:expr;)*) => { $(
        #[inline(always)]
        fn $name<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
            let f: fn(u32, i32) -> u32 = $f;
            let value = f(x(core, op.b), i32::from(op.imm));
            set_x(core, op.a, value);
            true
        }
    )* };
}

/// A function of two vectors, as a type so that fused operations can be made of any.
pub(super) trait Binary {
    /// What the lanes become; `shift` is 0 to 15.
    fn of<L: Lanes>(l: L, a: L::V, b: L::V, shift: u32) -> L::V;
}

/// Functions of two vectors, and their bodies `v[a] = f(v[b], v[c], shift)`.
macro_rules! vector_bodies {
    ($($name:ident, $ty:ident: |$l:ident, $a:ident, $b:ident, $shift:ident| $f:expr;)*) => { $(
        struct $ty;

        impl Binary for $ty {
            #[inline(always)]
            fn of<L: Lanes>($l: L, $a: L::V, $b: L::V, $shift: u32) -> L::V {
                let _ = ($b, $shift);
                $f
            }
        }

        #[inline(always)]
        fn $name<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
            let value = $ty::of(l, l.load(v(core, op.b)), l.load(v(core, op.c)), op.shift());
            l.store(v_mut(core, op.a), value);
            true
        }
    )* };
}

/// A comparison of two vectors, a bit for each lane.
trait Test {
    fn of<L: Lanes>(l: L, a: L::V, b: L::V) -> u32;
}

/// Comparisons, and their bodies `x[a] = f(v[b], v[c])`.
macro_rules! test_bodies {
    ($($name:ident, $ty:ident: |$l:ident, $a:ident, $b:ident| $f:expr;)*) => { $(
        struct $ty;

        impl Test for $ty {
            #[inline(always)]
            fn of<L: Lanes>($l: L, $a: L::V, $b: L::V) -> u32 {
                $f
            }
        }

        #[inline(always)]
        fn $name<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
            let value = $ty::of(l, l.load(v(core, op.b)), l.load(v(core, op.c)));
            set_x(core, op.a, value);
            true
        }
    )* };
}

/// Functions that end a block with a branch on `x[b]` and `x[c]`.
macro_rules! branches {
    ($($name:ident: $f:expr;)*) => { $(
        #[inline(always)]
        fn $name(core: &Core, op: &Op) -> usize {
            let f: fn(u32, u32) -> bool = $f;
            if f(x(core, op.b), x(core, op.c)) { TAKEN } else { NEXT }
        }
    )* };
}

scalar_bodies! {
    add: u32::wrapping_add;
    sub: u32::wrapping_sub;
    sll: u32::wrapping_shl;
    slt: |a, b| u32::from((a as i32) < b as i32);
    sltu: |a, b| u32::from(a < b);
    xor: |a, b| a ^ b;
    srl: u32::wrapping_shr;
    sra: |a, b| (a as i32).wrapping_shr(b) as u32;
    or: |a, b| a | b;
    and: |a, b| a & b;
    mul: u32::wrapping_mul;
    mulh: scalar::mulh;
    mulhsu: scalar::mulhsu;
    mulhu: scalar::mulhu;
    andn: |a, b| a & !b;
    orn: |a, b| a | !b;
    xnor: |a, b| !(a ^ b);
    clz: |a, _| a.leading_zeros();
    ctz: |a, _| a.trailing_zeros();
    cpop: |a, _| a.count_ones();
    sext_b: |a, _| a as i8 as u32;
    sext_h: |a, _| a as i16 as u32;
    zext_h: |a, _| u32::from(a as u16);
    min: |a, b| (a as i32).min(b as i32) as u32;
    minu: |a, b| a.min(b);
    max: |a, b| (a as i32).max(b as i32) as u32;
    maxu: |a, b| a.max(b);
    rol: |a, b| a.rotate_left(b & 31);
    ror: |a, b| a.rotate_right(b & 31);
    orc_b: |a, _| scalar::or_combine(a);
    rev8: |a, _| a.swap_bytes();
}

immediate_bodies! {
    addi: |a, imm| a.wrapping_add_signed(imm);
    slti: |a, imm| u32::from((a as i32) < imm);
    sltiu: |a, imm| u32::from(a < imm as u32);
    xori: |a, imm| a ^ imm as u32;
    ori: |a, imm| a | imm as u32;
    andi: |a, imm| a & imm as u32;
    slli: |a, imm| a.wrapping_shl(imm as u32);
    srli: |a, imm| a.wrapping_shr(imm as u32);
    srai: |a, imm| (a as i32).wrapping_shr(imm as u32) as u32;
    rori: |a, imm| a.rotate_right(imm as u32 & 31);
}

vector_bodies! {
    vadd, Add: |l, a, b, shift| l.add(a, b);
    vadd_s, AddS: |l, a, b, shift| l.add_saturating(a, b);
    vsub, Sub: |l, a, b, shift| l.sub(a, b);
    vsub_s, SubS: |l, a, b, shift| l.sub_saturating(a, b);
    vand, And: |l, a, b, shift| l.and(a, b);
    vsll, Sll: |l, a, b, shift| l.shift_left_each(a, b);
    vsra, Sra: |l, a, b, shift| l.shift_right_each(a, b);
    vmul, Mul: |l, a, b, shift| l.multiply(a, b, shift);
    vmul_rn, MulRn: |l, a, b, shift| l.multiply_nearest(a, b, shift);
    vmul_s, MulS: |l, a, b, shift| l.multiply_wide(a, b, shift, l.splat(0), true);
    vmul_s_rn, MulSRn: |l, a, b, shift| l.multiply_wide(a, b, shift, l.splat(((1u32 << shift) >> 1) as i16), true);
    vslli, Slli: |l, a, b, shift| l.shift_left(a, shift);
    vsrai, Srai: |l, a, b, shift| l.shift_right(a, shift);
    vsrai_rn, SraiRn: |l, a, b, shift| l.shift_right_nearest(a, shift);
}

test_bodies! {
    vteq, Teq: |l, a, b| l.equal(a, b);
    vtne, Tne: |l, a, b| !l.equal(a, b);
    vtlt, Tlt: |l, a, b| l.less(a, b);
    vtge, Tge: |l, a, b| !l.less(a, b);
}

branches! {
    beq: |a, b| a == b;
    bne: |a, b| a != b;
    blt: |a, b| (a as i32) < b as i32;
    bge: |a, b| a as i32 >= b as i32;
    bltu: |a, b| a < b;
    bgeu: |a, b| a >= b;
}

/// Bodies of divisions, which leave the divisor: their time depends on it.
macro_rules! division_bodies {
    ($($name:ident: $f:expr;)*) => { $(
        #[inline(always)]
        fn $name<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
            let (dividend, divisor) = (x(core, op.b), x(core, op.c));
            core.divisor = divisor;
            if op.a != 0 {
                set_x(core, op.a, $f(dividend, divisor));
            }
            true
        }
    )* };
}

division_bodies! {
    div: scalar::div;
    divu: scalar::divu;
    rem: scalar::rem;
    remu: scalar::remu;
}

/// Ends a block that goes straight on.
#[inline(always)]
fn end(_: &Core, _: &Op) -> usize {
    NEXT
}

/// Ends a block with `jal`, whose link has been set.
#[inline(always)]
fn jump(_: &Core, _: &Op) -> usize {
    TAKEN
}

/// `x[a]` = a constant.
#[inline(always)]
fn set<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    set_x(core, op.a, u32::from(op.c) | u32::from(op.imm as u16) << 16);
    true
}

/// Sets `state.pc`, and `x[a]` to the constant of the next operation unless `a` is `x0`; `jump` follows.
#[inline(always)]
fn jalr<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    let target = op.address(core) & !1;
    core.state.pc = target;
    target & 2 == 0
}

/// `v[a]` = `imm` in every lane.
#[inline(always)]
fn vlui<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    l.store(v_mut(core, op.a), l.splat(op.imm));
    true
}

#[inline(always)]
fn vfill<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let value = lane::fill(x(core, op.b));
    l.store(v_mut(core, op.a), l.splat(value));
    true
}

/// `x[a] = v[b][imm]`.
#[inline(always)]
fn vextract<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    let value = v(core, op.b).0[op.imm as usize & 31] as u32;
    set_x(core, op.a, value);
    true
}

/// Lanes of `v[a]` become those of `v[c]` where `x[b]` says so.
#[inline(always)]
fn vsel<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let value = l.select(x(core, op.b), l.load(v(core, op.c)), l.load(v(core, op.a)));
    l.store(v_mut(core, op.a), value);
    true
}

/// `v[a] = (v[b] & (2^imm − 1)) + x[c]`.
#[inline(always)]
fn vandadd<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let low = l.splat(((1u32 << op.shift()) - 1) as i16);
    let value = l.add(l.and(l.load(v(core, op.b)), low), l.splat(x(core, op.c) as i16));
    l.store(v_mut(core, op.a), value);
    true
}

/// The lanes' next random words; every generator advances.
#[inline(always)]
fn draw<L: Lanes>(l: L, core: &mut Core) -> L::V {
    let generators = &mut core.state.generators;
    let (first, second) = (Vector(generators.s0.map(|s| s as i16)), Vector(generators.s1.map(|s| s as i16)));
    let (s0, s1) = (l.load(&first), l.load(&second));
    let word = l.add(l.rotate_left(l.add(s0, s1), 9), s0);
    let mixed = l.xor(s1, s0);
    let (mut first, mut second) = (Vector::ZERO, Vector::ZERO);
    l.store(&mut first, l.xor(l.xor(l.rotate_left(s0, 13), mixed), l.shift_left(mixed, 5)));
    l.store(&mut second, l.rotate_left(mixed, 10));
    generators.s0 = first.0.map(|s| s as u16);
    generators.s1 = second.0.map(|s| s as u16);
    word
}

#[inline(always)]
fn vrng<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let word = draw(l, core);
    l.store(v_mut(core, op.a), l.shift_right_zero(word, 1));
    true
}

/// The low `shift` bits of the lanes' next random words.
#[inline(always)]
fn random_below<L: Lanes>(l: L, core: &mut Core, shift: u32) -> L::V {
    l.and(draw(l, core), l.splat(((1u32 << shift) - 1) as i16))
}

#[inline(always)]
fn stochastic<L: Lanes>(l: L, core: &mut Core, op: &Op, b: L::V, saturating: bool) -> bool {
    let random = random_below(l, core, op.shift());
    let value = l.multiply_wide(l.load(v(core, op.b)), b, op.shift(), random, saturating);
    l.store(v_mut(core, op.a), value);
    true
}

#[inline(always)]
fn vmul_rs<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let b = l.load(v(core, op.c));
    stochastic(l, core, op, b, false)
}

#[inline(always)]
fn vmul_s_rs<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let b = l.load(v(core, op.c));
    stochastic(l, core, op, b, true)
}

#[inline(always)]
fn vsrai_rs<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    stochastic(l, core, op, l.splat(1), false)
}

/// `N` bytes at `x[b] + imm`, if they are aligned and there.
#[inline(always)]
fn load<const N: usize>(core: &Core, op: &Op) -> Option<[u8; N]> {
    let address = op.address(core) as usize;
    let bytes = core.memory.scalar_bytes().get(address..address + N)?;
    address.is_multiple_of(N).then(|| bytes.try_into().expect("the slice was cut to this length"))
}

#[inline(always)]
fn load_into<const N: usize>(core: &mut Core, op: &Op, extend: impl Fn([u8; N]) -> u32) -> bool {
    let Some(bytes) = load(core, op) else { return false };
    set_x(core, op.a, extend(bytes));
    true
}

/// Writes `N` bytes at `x[b] + imm`, if they are aligned, there, and not in the ready flag.
#[inline(always)]
fn store<const N: usize>(core: &mut Core, op: &Op, value: [u8; N]) -> bool {
    let at = op.address(core);
    let address = at as usize;
    let ready_flag = core.ready_flag;
    match core.memory.scalar_bytes_mut().get_mut(address..address + N) {
        Some(place) if address.is_multiple_of(N) && at & !3 != ready_flag => {
            place.copy_from_slice(&value);
            true
        }
        _ => false,
    }
}

#[inline(always)]
fn lb<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    load_into(core, op, |b| i8::from_le_bytes(b) as u32)
}

#[inline(always)]
fn lh<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    load_into(core, op, |b| i16::from_le_bytes(b) as u32)
}

#[inline(always)]
fn lw<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    load_into(core, op, u32::from_le_bytes)
}

#[inline(always)]
fn lbu<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    load_into(core, op, |[b]| u32::from(b))
}

#[inline(always)]
fn lhu<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    load_into(core, op, |b| u32::from(u16::from_le_bytes(b)))
}

#[inline(always)]
fn sb<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    let value = [x(core, op.a) as u8];
    store(core, op, value)
}

#[inline(always)]
fn sh<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    let value = (x(core, op.a) as u16).to_le_bytes();
    store(core, op, value)
}

#[inline(always)]
fn sw<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    let value = x(core, op.a).to_le_bytes();
    store(core, op, value)
}

/// The row of vector memory at `x[b] + imm`, if the address is aligned and needs no wrapping.
#[inline(always)]
fn vector_row(core: &Core, op: &Op) -> Option<usize> {
    let address = op.address(core);
    let row = (address / VECTOR_BYTES) as usize;
    (address.is_multiple_of(VECTOR_BYTES) && row < core.memory.vector_rows().len()).then_some(row)
}

#[inline(always)]
fn vloadv<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let Some(row) = vector_row(core, op) else { return false };
    let value = l.load(&core.memory.vector_rows()[row]);
    l.store(v_mut(core, op.a), value);
    true
}

#[inline(always)]
fn vstore<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let Some(row) = vector_row(core, op) else { return false };
    let value = l.load(v(core, op.a));
    l.store(&mut core.memory.vector_rows_mut()[row], value);
    true
}

#[inline(always)]
fn vloadr0<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    let Some(row) = vector_row(core, op) else { return false };
    core.state.generators.s0 = core.memory.vector_rows()[row].0.map(|lane| lane as u16);
    true
}

#[inline(always)]
fn vloadr1<L: Lanes>(_: L, core: &mut Core, op: &Op) -> bool {
    let Some(row) = vector_row(core, op) else { return false };
    core.state.generators.s1 = core.memory.vector_rows()[row].0.map(|lane| lane as u16);
    true
}

/// Lanes of `v[a]` from the rows that `v[b]` addresses.
#[inline(always)]
fn vloadl<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let base = l.load(v(core, op.b));
    let value = Place::of(l, core.memory.lane_rows(), base, op.imm).load(l, core, || l.load(v(core, op.a)));
    l.store(v_mut(core, op.a), value);
    true
}

/// Lanes of `v[a]` to the rows that `v[b]` addresses.
#[inline(always)]
fn vstorel<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let (base, values) = (l.load(v(core, op.b)), l.load(v(core, op.a)));
    Place::of(l, core.memory.lane_rows(), base, op.imm).store(l, core, values);
    true
}

/// As [`vloadl`], where all lanes are known to have the same base.
#[inline(always)]
fn vloadl_row<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let base = v(core, op.b).0[0];
    if base >= 0 {
        let value = l.load(&core.memory.lane_rows()[shared_row(core, base, op.imm)]);
        l.store(v_mut(core, op.a), value);
    }
    true
}

/// As [`vstorel`], where all lanes are known to have the same base.
#[inline(always)]
fn vstorel_row<L: Lanes>(l: L, core: &mut Core, op: &Op) -> bool {
    let base = v(core, op.b).0[0];
    if base >= 0 {
        let (row, value) = (shared_row(core, base, op.imm), l.load(v(core, op.a)));
        l.store(&mut core.memory.lane_rows_mut()[row], value);
    }
    true
}

#[inline(always)]
fn shared_row(core: &Core, base: i16, imm: i16) -> usize {
    let address = i32::from(base) + i32::from(imm);
    address as u32 as usize >> 1 & core.memory.lane_rows().len().wrapping_sub(1)
}

/// The operation `n` behind this one.
///
/// # Safety
/// Both belong to one block.
#[inline(always)]
unsafe fn behind<'a>(op: *const Op, n: usize) -> &'a Op {
    // SAFETY: the caller says so, and the block outlives its run.
    unsafe { &*op.add(n) }
}

/// The first half of a fused pair: what it writes to `v[a]`, or `None` where it would trap.
trait First {
    fn value<L: Lanes>(l: L, core: &Core, op: &Op) -> Option<L::V>;
}

impl<B: Binary> First for B {
    #[inline(always)]
    fn value<L: Lanes>(l: L, core: &Core, op: &Op) -> Option<L::V> {
        Some(B::of(l, l.load(v(core, op.b)), l.load(v(core, op.c)), op.shift()))
    }
}

/// `vloadv`.
struct Load;

impl First for Load {
    #[inline(always)]
    fn value<L: Lanes>(l: L, core: &Core, op: &Op) -> Option<L::V> {
        Some(l.load(&core.memory.vector_rows()[vector_row(core, op)?]))
    }
}

/// The second half of a fused pair, which reads what the first wrote: as `c` if `AS_C`, else as `b` or what there is.
trait Second {
    fn finish<const AS_C: bool, L: Lanes>(l: L, core: &mut Core, op: &Op, forwarded: L::V) -> bool;
}

/// The operands of the second half.
#[inline(always)]
fn operands<const AS_C: bool, L: Lanes>(l: L, core: &Core, op: &Op, forwarded: L::V) -> (L::V, L::V) {
    if AS_C { (l.load(v(core, op.b)), forwarded) } else { (forwarded, l.load(v(core, op.c))) }
}

/// A function of two vectors as the second half.
struct Then<B>(core::marker::PhantomData<B>);

impl<B: Binary> Second for Then<B> {
    #[inline(always)]
    fn finish<const AS_C: bool, L: Lanes>(l: L, core: &mut Core, op: &Op, forwarded: L::V) -> bool {
        let (a, b) = operands::<AS_C, L>(l, core, op, forwarded);
        l.store(v_mut(core, op.a), B::of(l, a, b, op.shift()));
        true
    }
}

/// A comparison as the second half.
struct ThenTest<T>(core::marker::PhantomData<T>);

impl<T: Test> Second for ThenTest<T> {
    #[inline(always)]
    fn finish<const AS_C: bool, L: Lanes>(l: L, core: &mut Core, op: &Op, forwarded: L::V) -> bool {
        let (a, b) = operands::<AS_C, L>(l, core, op, forwarded);
        set_x(core, op.a, T::of(l, a, b));
        true
    }
}

/// `vsel` of what was written, into another register.
struct ThenSelect;

impl Second for ThenSelect {
    #[inline(always)]
    fn finish<const AS_C: bool, L: Lanes>(l: L, core: &mut Core, op: &Op, forwarded: L::V) -> bool {
        let value = l.select(x(core, op.b), forwarded, l.load(v(core, op.a)));
        l.store(v_mut(core, op.a), value);
        true
    }
}

/// `vstore` of what was written.
struct ThenStore;

impl Second for ThenStore {
    #[inline(always)]
    fn finish<const AS_C: bool, L: Lanes>(l: L, core: &mut Core, op: &Op, forwarded: L::V) -> bool {
        let Some(row) = vector_row(core, op) else { return false };
        l.store(&mut core.memory.vector_rows_mut()[row], forwarded);
        true
    }
}

/// A comparison and the `vsel` by its mask.
#[inline(always)]
fn test_select<T: Test, L: Lanes>(l: L, core: &mut Core, test: &Op, select: &Op) {
    let mask = T::of(l, l.load(v(core, test.b)), l.load(v(core, test.c)));
    set_x(core, test.a, mask);
    let value = l.select(mask, l.load(v(core, select.c)), l.load(v(core, select.a)));
    l.store(v_mut(core, select.a), value);
}

/// `vloadl`, `vadd_s` and `vstorel` of one place: what arrives at each lane's target is added to it.
#[inline(always)]
fn accumulate<L: Lanes>(l: L, core: &mut Core, base: L::V, weight: L::V, load: &Op, add: &Op) {
    let place = Place::of(l, core.memory.lane_rows(), base, load.imm);
    let old = place.load(l, core, || l.load(v(core, load.a)));
    l.store(v_mut(core, load.a), old);
    let new = l.add_saturating(old, weight);
    l.store(v_mut(core, add.a), new);
    place.store(l, core, new);
}

/// [`accumulate`] behind `vandadd` and `vsrai` of the same words, which hold address and weight.
#[inline(always)]
fn scatter<L: Lanes>(l: L, core: &mut Core, words: L::V, split: &Op, load: &Op, shift: &Op, add: &Op) {
    let low = l.splat(((1u32 << split.shift()) - 1) as i16);
    let base = l.add(l.and(words, low), l.splat(x(core, split.c) as i16));
    l.store(v_mut(core, split.a), base);
    let weight = l.shift_right(words, shift.shift());
    let place = Place::of(l, core.memory.lane_rows(), base, load.imm);
    let old = place.load(l, core, || l.load(v(core, load.a)));
    l.store(v_mut(core, load.a), old);
    l.store(v_mut(core, shift.a), weight);
    let new = l.add_saturating(old, weight);
    l.store(v_mut(core, add.a), new);
    place.store(l, core, new);
}

/// Two `vloadv`, their saturated sum, and the `vstore` of that; changes nothing where one of them would trap.
#[inline(always)]
fn add_rows<L: Lanes>(l: L, core: &mut Core, first: &Op, second: &Op, add: &Op, store: &Op) -> bool {
    let (Some(one), Some(two), Some(to)) = (vector_row(core, first), vector_row(core, second), vector_row(core, store))
    else {
        return false;
    };
    let rows = core.memory.vector_rows_mut();
    let (one, two) = (l.load(&rows[one]), l.load(&rows[two]));
    let sum = l.add_saturating(one, two);
    l.store(&mut rows[to], sum);
    l.store(v_mut(core, first.a), one);
    l.store(v_mut(core, second.a), two);
    l.store(v_mut(core, add.a), sum);
    true
}

/// The rows that can be the first half of a fused pair, as the functions are indexed.
pub(super) const FIRSTS: [FennOp; 8] = [
    FennOp::VLoadV,
    FennOp::VAdd,
    FennOp::VAddS,
    FennOp::VSub,
    FennOp::VSubS,
    FennOp::VMul,
    FennOp::VMulRn,
    FennOp::VSrai,
];
/// The rows that can be the second half.
pub(super) const SECONDS: [FennOp; 11] = [
    FennOp::VAdd,
    FennOp::VAddS,
    FennOp::VSub,
    FennOp::VSubS,
    FennOp::VMul,
    FennOp::VMulRn,
    FennOp::VSrai,
    FennOp::VSel,
    FennOp::VStore,
    FennOp::VTlt,
    FennOp::VTge,
];
/// The comparisons that are fused with `vsel`.
pub(super) const TESTS: [FennOp; 4] = [FennOp::VTeq, FennOp::VTne, FennOp::VTlt, FennOp::VTge];

/// The table of pairs, in the order of [`FIRSTS`] and [`SECONDS`].
macro_rules! pairs {
    ($($first:ident),*) => { [$(pairs!(@second $first;
        Then<Add>, Then<AddS>, Then<Sub>, Then<SubS>, Then<Mul>, Then<MulRn>, Then<Srai>,
        ThenSelect, ThenStore, ThenTest<Tlt>, ThenTest<Tge>)),*] };
    (@second $first:ident; $($second:ty),*) => { [$([pair::<$first, $second, false>, pair::<$first, $second, true>]),*] };
}

/// A function compiled for one kind of host.
macro_rules! compiled {
    (portable $($function:tt)*) => { $($function)* };
    (avx2 $($function:tt)*) => {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        $($function)*
    };
}

/// The proof that the host is of that kind, inside such a function.
macro_rules! lanes {
    (portable) => {
        super::super::simd::Portable
    };
    (avx2) => {
        // SAFETY: the caller of this function says that the host has the instructions.
        unsafe { super::super::simd::Avx2::new() }
    };
}

/// Makes of every body a chained function, for each way of computing.
macro_rules! handlers {
    (
        straight { $($name:ident),* $(,)? }
        chains { $($chain:ident = [$($part:ident),*]),* $(,)? }
        tails { $($tail:ident = [$($before:ident),*] $last:ident),* $(,)? }
        ends { $($end:ident),* $(,)? }
    ) => {
        /// The functions for one way of computing with all lanes.
        #[derive(Debug)]
        pub(super) struct Handlers {
            $(pub(super) $name: Handler,)*
            $(pub(super) $chain: Handler,)*
            $(pub(super) $tail: Handler,)*
            $(pub(super) $end: Handler,)*
            /// Indexed by [`FIRSTS`], [`SECONDS`], and whether the second reads the first as `c`.
            pub(super) pairs: [[[Handler; 2]; SECONDS.len()]; FIRSTS.len()],
            /// Indexed by [`TESTS`].
            pub(super) test_select: [Handler; TESTS.len()],
            /// `vloadv`, and [`Self::scatter`].
            pub(super) load_scatter: Handler,
            /// `vandadd`, `vloadl`, `vsrai`, `vadd_s`, `vstorel`.
            pub(super) scatter: Handler,
            /// `vloadl`, `vadd_s`, `vstorel`; the sum's operand that was loaded is `b`.
            pub(super) accumulate: Handler,
            /// `vloadv`, `vloadv`, `vadd_s`, `vstore`.
            pub(super) add_rows: Handler,
        }

        handlers!(@for portable [$($name)*] [$($chain = [$($part)*])*] [$($tail = [$($before)*] $last)*] [$($end)*]);
        #[cfg(target_arch = "x86_64")]
        handlers!(@for avx2 [$($name)*] [$($chain = [$($part)*])*] [$($tail = [$($before)*] $last)*] [$($end)*]);
    };
    (@for $way:ident [$($name:ident)*] [$($chain:ident = [$($part:ident)*])*]
        [$($tail:ident = [$($before:ident)*] $last:ident)*] [$($end:ident)*]) => {
        mod $way {
            use super::{Add, AddS, Load, Mul, MulRn, Srai, Sub, SubS, Teq, Tge, Tlt, Tne};
            use super::{Core, First, Handlers, Op, Second, Test, Then, ThenSelect, ThenStore, ThenTest, behind, v, v_mut};
            use crate::engine::simd::Lanes;

            $(compiled! { $way
                unsafe fn $name(core: &mut Core, op: *const Op) -> usize {
                    let lanes = lanes!($way);
                    // SAFETY: the caller says that this operation is one of a block that goes on behind it, and that the
                    // host has the instructions, which the next function needs as much as this one.
                    unsafe {
                        if !super::$name(lanes, core, &*op) {
                            return op.addr();
                        }
                        let next = op.add(1);
                        ((*next).run)(core, next)
                    }
                }
            })*
            $(compiled! { $way
                unsafe fn $chain(core: &mut Core, op: *const Op) -> usize {
                    let lanes = lanes!($way);
                    let mut op = op;
                    // SAFETY: as for one operation; a block has this function where these operations follow one another.
                    unsafe {
                        $(
                            if !super::$part(lanes, core, &*op) {
                                return op.addr();
                            }
                            op = op.add(1);
                        )*
                        ((*op).run)(core, op)
                    }
                }
            })*
            $(compiled! { $way
                unsafe fn $end(core: &mut Core, op: *const Op) -> usize {
                    // SAFETY: the caller says that this is an operation.
                    super::$end(core, unsafe { &*op })
                }
            })*

            $(compiled! { $way
                unsafe fn $tail(core: &mut Core, op: *const Op) -> usize {
                    let lanes = lanes!($way);
                    let mut op = op;
                    // SAFETY: as for a chain; the block ends with the last of these operations.
                    unsafe {
                        $(
                            if !super::$before(lanes, core, &*op) {
                                return op.addr();
                            }
                            op = op.add(1);
                        )*
                        super::$last(core, &*op)
                    }
                }
            })*

            compiled! { $way
                unsafe fn pair<F: First, S: Second, const AS_C: bool>(core: &mut Core, op: *const Op) -> usize {
                    let lanes = lanes!($way);
                    // SAFETY: as for a chain.
                    unsafe {
                        let (first, second) = (behind(op, 0), behind(op, 1));
                        let Some(value) = F::value(lanes, core, first) else { return op.addr() };
                        lanes.store(v_mut(core, first.a), value);
                        if !S::finish::<AS_C, _>(lanes, core, second, value) {
                            return op.add(1).addr();
                        }
                        (behind(op, 2).run)(core, op.add(2))
                    }
                }
            }

            compiled! { $way
                unsafe fn test_select<T: Test>(core: &mut Core, op: *const Op) -> usize {
                    let lanes = lanes!($way);
                    // SAFETY: as for a chain.
                    unsafe {
                        super::test_select::<T, _>(lanes, core, behind(op, 0), behind(op, 1));
                        (behind(op, 2).run)(core, op.add(2))
                    }
                }
            }

            compiled! { $way
                unsafe fn load_scatter(core: &mut Core, op: *const Op) -> usize {
                    let lanes = lanes!($way);
                    // SAFETY: as for a chain.
                    unsafe {
                        let Some(words) = Load::value(lanes, core, behind(op, 0)) else { return op.addr() };
                        lanes.store(v_mut(core, behind(op, 0).a), words);
                        super::scatter(lanes, core, words, behind(op, 1), behind(op, 2), behind(op, 3), behind(op, 4));
                        (behind(op, 6).run)(core, op.add(6))
                    }
                }
            }

            compiled! { $way
                unsafe fn scatter(core: &mut Core, op: *const Op) -> usize {
                    let lanes = lanes!($way);
                    // SAFETY: as for a chain.
                    unsafe {
                        let words = lanes.load(v(core, behind(op, 0).b));
                        super::scatter(lanes, core, words, behind(op, 0), behind(op, 1), behind(op, 2), behind(op, 3));
                        (behind(op, 5).run)(core, op.add(5))
                    }
                }
            }

            compiled! { $way
                unsafe fn accumulate(core: &mut Core, op: *const Op) -> usize {
                    let lanes = lanes!($way);
                    // SAFETY: as for a chain.
                    unsafe {
                        let (load, add) = (behind(op, 0), behind(op, 1));
                        let (base, weight) = (lanes.load(v(core, load.b)), lanes.load(v(core, add.c)));
                        super::accumulate(lanes, core, base, weight, load, add);
                        (behind(op, 3).run)(core, op.add(3))
                    }
                }
            }

            compiled! { $way
                unsafe fn add_rows(core: &mut Core, op: *const Op) -> usize {
                    let lanes = lanes!($way);
                    // SAFETY: as for a chain.
                    unsafe {
                        if !super::add_rows(lanes, core, behind(op, 0), behind(op, 1), behind(op, 2), behind(op, 3)) {
                            return op.addr();
                        }
                        (behind(op, 4).run)(core, op.add(4))
                    }
                }
            }

            pub(super) static HANDLERS: Handlers = Handlers {
                $($name,)*
                $($chain,)*
                $($tail,)*
                $($end,)*
                pairs: pairs!(Load, Add, AddS, Sub, SubS, Mul, MulRn, Srai),
                test_select: [test_select::<Teq>, test_select::<Tne>, test_select::<Tlt>, test_select::<Tge>],
                load_scatter,
                scatter,
                accumulate,
                add_rows,
            };
        }
    };
}

handlers! {
    straight {
        add, sub, sll, slt, sltu, xor, srl, sra, or, and, mul, mulh, mulhsu, mulhu, andn, orn, xnor, clz, ctz, cpop,
        sext_b, sext_h, zext_h, min, minu, max, maxu, rol, ror, orc_b, rev8,
        addi, slti, sltiu, xori, ori, andi, slli, srli, srai, rori,
        set, jalr,
        div, divu, rem, remu,
        lb, lh, lw, lbu, lhu, sb, sh, sw,
        vadd, vadd_s, vsub, vsub_s, vand, vsll, vsra,
        vmul, vmul_rn, vmul_rs, vmul_s, vmul_s_rn, vmul_s_rs,
        vslli, vsrai, vsrai_rn, vsrai_rs,
        vteq, vtne, vtlt, vtge, vsel,
        vlui, vfill, vextract, vrng, vandadd,
        vloadv, vloadr0, vloadr1, vstore, vloadl, vloadl_row, vstorel, vstorel_row,
    }
    chains {
        two_vloadv = [vloadv, vloadv],
        two_vadd_s = [vadd_s, vadd_s],
        two_vstore = [vstore, vstore],
        two_vsel = [vsel, vsel],
        two_vlui = [vlui, vlui],
        two_addi = [addi, addi],
        three_addi = [addi, addi, addi],
        two_vloadl_row = [vloadl_row, vloadl_row],
        two_vstorel_row = [vstorel_row, vstorel_row],
        vstorel_row_sw = [vstorel_row, sw],
        vfill_vloadl_row = [vfill, vloadl_row],
        vstore_sw = [vstore, sw],
        xori_and = [xori, and],
        and_xori = [and, xori],
        addi_and = [addi, and],
        slli_add = [slli, add],
        mul_add = [mul, add],
        ctz_addi = [ctz, addi],
        clz_sll = [clz, sll],
        set_addi = [set, addi],
        lw_addi = [lw, addi],
        sw_addi = [sw, addi],
    }
    tails {
        addi_bne = [addi] bne,
        two_addi_bne = [addi, addi] bne,
        addi_beq = [addi] beq,
        addi_bltu = [addi] bltu,
        addi_blt = [addi] blt,
        add_bltu = [add] bltu,
        add_bne = [add] bne,
        lw_beq = [lw] beq,
        lw_bne = [lw] bne,
        lw_addi_beq = [lw, addi] beq,
        set_add_bltu = [set, add] bltu,
    }
    ends { end, jump, beq, bne, blt, bge, bltu, bgeu }
}

/// The host's instructions that the fast engine computes with. They all compute the same.
///
/// There are none for AVX-512: where it was measured, on a core that has it, the same functions with vectors of 64 bytes were
/// no faster than with two of 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Host {
    /// Those that every host has.
    Portable,
    /// AVX2 and what came with it, on x86-64.
    Avx2,
}

impl Host {
    /// All of them, the slowest first.
    pub const ALL: [Self; 2] = [Self::Portable, Self::Avx2];

    /// What reports call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "AVX2",
        }
    }

    /// Whether this host has the instructions.
    pub fn is_here(self) -> bool {
        self.handlers().is_some()
    }

    /// The best that this host has.
    pub fn best() -> Self {
        Self::ALL.into_iter().rfind(|host| host.is_here()).unwrap_or(Self::Portable)
    }

    /// Its functions, where they can be called.
    pub(super) fn handlers(self) -> Option<&'static Handlers> {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            match self {
                Self::Portable => Some(&portable::HANDLERS),
                Self::Avx2 => avx2.then_some(&avx2::HANDLERS),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            (self == Self::Portable).then_some(&portable::HANDLERS)
        }
    }
}
