//! Every row of the instruction table against arithmetic written here, apart from the simulator's: corners first, then
//! random operands.
//!
//! Scalar references use 64- and 128-bit integers and bits one by one; vector references 32-bit ones and a generator of
//! their own. The last test says which row is tested where, so that a new row cannot be forgotten.

mod support;

use std::collections::BTreeSet;

use fenn_isa::memory::Space;
use fenn_isa::{Op, SPECS};
use fenn_iss::{Machine, State, Vector};
use proptest::prelude::*;
use support::{bytes, lanes, machine, v, x};

const TWO_32: i128 = 1 << 32;

/// Modulo 2^32.
fn word(value: i128) -> u32 {
    value.rem_euclid(TWO_32) as u32
}

fn signed(value: u32) -> i128 {
    if value < 1 << 31 { i128::from(value) } else { i128::from(value) - TWO_32 }
}

fn unsigned(value: u32) -> i128 {
    i128::from(value)
}

/// `2^(amount mod 32)`.
fn power(amount: u32) -> i128 {
    1 << (amount % 32)
}

fn bit(value: u32, index: u32) -> bool {
    value / 2u32.pow(index % 32) % 2 == 1
}

/// The word whose bit `i` is `f(i)`.
fn from_bits(f: impl Fn(u32) -> bool) -> u32 {
    (0..32).filter(|i| f(*i)).map(|i| 2u32.pow(i)).sum()
}

/// The word whose byte `i` is `f(i)`.
fn from_bytes(f: impl Fn(u32) -> u32) -> u32 {
    (0..4).map(|i| f(i) * 256u32.pow(i)).sum()
}

fn byte(value: u32, index: u32) -> u32 {
    value / 256u32.pow(index) % 256
}

/// Towards zero, which is what neither `/` on negatives nor `div_euclid` is called.
fn truncated(a: i128, b: i128) -> (i128, i128) {
    let quotient = a.abs() / b.abs() * a.signum() * b.signum();
    (quotient, a - quotient * b)
}

type Binary = (&'static str, fn(u32, u32) -> u32);
type Branch = (&'static str, fn(u32, u32) -> bool);
/// An instruction, and what it makes of x1 and x2.
type Row = (String, Box<dyn Fn(u32, u32) -> u32>);

/// `rd, rs1, rs2`.
const BINARY: &[Binary] = &[
    ("add", |a, b| word(unsigned(a) + unsigned(b))),
    ("sub", |a, b| word(unsigned(a) - unsigned(b))),
    ("sll", |a, b| word(unsigned(a) * power(b))),
    ("slt", |a, b| (signed(a) < signed(b)).into()),
    ("sltu", |a, b| (unsigned(a) < unsigned(b)).into()),
    ("xor", |a, b| from_bits(|i| bit(a, i) != bit(b, i))),
    ("srl", |a, b| word(unsigned(a) / power(b))),
    ("sra", |a, b| word(signed(a).div_euclid(power(b)))),
    ("or", |a, b| from_bits(|i| bit(a, i) || bit(b, i))),
    ("and", |a, b| from_bits(|i| bit(a, i) && bit(b, i))),
    ("mul", |a, b| word(signed(a) * signed(b))),
    ("mulh", |a, b| word((signed(a) * signed(b)).div_euclid(TWO_32))),
    ("mulhsu", |a, b| word((signed(a) * unsigned(b)).div_euclid(TWO_32))),
    ("mulhu", |a, b| word((unsigned(a) * unsigned(b)).div_euclid(TWO_32))),
    ("div", |a, b| if b == 0 { word(-1) } else { word(truncated(signed(a), signed(b)).0) }),
    ("divu", |a, b| if b == 0 { word(-1) } else { word(truncated(unsigned(a), unsigned(b)).0) }),
    ("rem", |a, b| if b == 0 { a } else { word(truncated(signed(a), signed(b)).1) }),
    ("remu", |a, b| if b == 0 { a } else { word(truncated(unsigned(a), unsigned(b)).1) }),
    ("andn", |a, b| from_bits(|i| bit(a, i) && !bit(b, i))),
    ("orn", |a, b| from_bits(|i| bit(a, i) || !bit(b, i))),
    ("xnor", |a, b| from_bits(|i| bit(a, i) == bit(b, i))),
    ("min", |a, b| if signed(a) < signed(b) { a } else { b }),
    ("minu", |a, b| if unsigned(a) < unsigned(b) { a } else { b }),
    ("max", |a, b| if signed(a) < signed(b) { b } else { a }),
    ("maxu", |a, b| if unsigned(a) < unsigned(b) { b } else { a }),
    ("rol", |a, b| from_bits(|i| bit(a, i + 32 - b % 32))),
    ("ror", |a, b| from_bits(|i| bit(a, i + b % 32))),
];

type Unary = (&'static str, fn(u32) -> u32);

/// `rd, rs1`.
const UNARY: &[Unary] = &[
    ("clz", |a| (0..32).rev().take_while(|i| !bit(a, *i)).count() as u32),
    ("ctz", |a| (0..32).take_while(|i| !bit(a, *i)).count() as u32),
    ("cpop", |a| (0..32).filter(|i| bit(a, *i)).count() as u32),
    ("sext.b", |a| from_bits(|i| bit(a, i.min(7)))),
    ("sext.h", |a| from_bits(|i| bit(a, i.min(15)))),
    ("zext.h", |a| a % 65536),
    ("orc.b", |a| from_bytes(|i| if byte(a, i) == 0 { 0 } else { 255 })),
    ("rev8", |a| from_bytes(|i| byte(a, 3 - i))),
];

/// Immediate rows, and the binary row whose second operand the immediate is.
const IMMEDIATE: &[(&str, &str)] =
    &[("addi", "add"), ("slti", "slt"), ("sltiu", "sltu"), ("xori", "xor"), ("ori", "or"), ("andi", "and")];
/// The same, for shifts.
const SHIFTS: &[(&str, &str)] = &[("slli", "sll"), ("srli", "srl"), ("srai", "sra"), ("rori", "ror")];

/// Whether a branch is taken.
const BRANCHES: &[Branch] = &[
    ("beq", |a, b| a == b),
    ("bne", |a, b| a != b),
    ("blt", |a, b| signed(a) < signed(b)),
    ("bge", |a, b| signed(a) >= signed(b)),
    ("bltu", |a, b| unsigned(a) < unsigned(b)),
    ("bgeu", |a, b| unsigned(a) >= unsigned(b)),
];

fn binary(name: &str) -> fn(u32, u32) -> u32 {
    BINARY.iter().find(|(row, _)| *row == name).unwrap().1
}

const CORNERS: [u32; 14] =
    [0, 1, 2, 31, 32, 33, 0x7f, 0x80, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_ffff];

fn machine_with(lines: &[String]) -> Machine {
    machine(&lines.iter().map(String::as_str).collect::<Vec<_>>(), support::PLAIN)
}

/// One instruction of every scalar row that computes, from x1 and x2 into x3.
struct Scalars {
    machine: Machine,
    rows: Vec<Row>,
}

impl Scalars {
    fn new() -> Self {
        let mut rows: Vec<Row> = Vec::new();
        for (name, f) in BINARY {
            rows.push((format!("{name} x3, x1, x2"), Box::new(*f)));
        }
        for (name, f) in UNARY {
            rows.push((format!("{name} x3, x1"), Box::new(|a, _| f(a))));
        }
        for (name, base) in IMMEDIATE {
            for imm in [0, 1, -1, 5, 2047, -2048] {
                let f = binary(base);
                rows.push((format!("{name} x3, x1, {imm}"), Box::new(move |a, _| f(a, word(imm)))));
            }
        }
        for (name, base) in SHIFTS {
            for shamt in [0, 1, 7, 16, 31] {
                let f = binary(base);
                rows.push((format!("{name} x3, x1, {shamt}"), Box::new(move |a, _| f(a, shamt))));
            }
        }
        let lines: Vec<_> = rows.iter().map(|(line, _)| line.clone()).collect();
        Self { machine: machine_with(&lines), rows }
    }

    fn check(&mut self, a: u32, b: u32) {
        self.machine.reset();
        self.machine.state_mut().set_x(x(1), a);
        self.machine.state_mut().set_x(x(2), b);
        for (line, reference) in &self.rows {
            let mut expected = self.machine.state().clone();
            expected.set_x(x(3), reference(a, b));
            (expected.pc, expected.cycles, expected.retired) =
                (expected.pc + 4, expected.cycles + 1, expected.retired + 1);
            assert_eq!(self.machine.step(&mut ()), Ok(()));
            let (seen, wanted) = (self.machine.state().x(x(3)), expected.x(x(3)));
            assert_eq!(seen, wanted, "`{line}` with x1 = {a:#x}, x2 = {b:#x}: {seen:#x}, not {wanted:#x}");
            assert_eq!(*self.machine.state(), expected, "`{line}` changed something else");
        }
    }
}

#[test]
fn scalar_arithmetic_at_the_corners() {
    let mut rows = Scalars::new();
    for a in CORNERS {
        for b in CORNERS {
            rows.check(a, b);
        }
    }
}

proptest! {
    #[test]
    fn scalar_arithmetic_on_random_operands(operands in prop::collection::vec(any::<(u32, u32)>(), 40)) {
        let mut rows = Scalars::new();
        for (a, b) in operands {
            rows.check(a, b);
        }
    }

    #[test]
    fn immediates_and_upper_immediates(a: u32, imm in -2048i32..2048, upper in 0u32..1 << 20) {
        let lines: Vec<_> = IMMEDIATE
            .iter()
            .map(|(name, _)| format!("{name} x3, x1, {imm}"))
            .chain([format!("lui x3, {upper}"), format!("auipc x3, {upper}")])
            .collect();
        let mut machine = machine_with(&lines);
        machine.state_mut().set_x(x(1), a);
        for (_, base) in IMMEDIATE {
            prop_assert_eq!(machine.step(&mut ()), Ok(()));
            prop_assert_eq!(machine.state().x(x(3)), binary(base)(a, word(imm.into())), "{}", base);
        }
        let upper = i128::from(upper) * 4096;
        for expected in [word(upper), word(upper + 4 * IMMEDIATE.len() as i128 + 4)] {
            prop_assert_eq!(machine.step(&mut ()), Ok(()));
            prop_assert_eq!(machine.state().x(x(3)), expected);
        }
    }

    #[test]
    fn branches_go_where_they_say(a: u32, b: u32, equal: bool, offset in -16i64..60) {
        let (a, b) = if equal { (a, a) } else { (a, b) };
        for (name, taken) in BRANCHES {
            let mut lines = vec!["ecall".to_owned(); 20];
            lines[16] = format!("{name} x1, x2, .{:+}", 4 * offset);
            let mut machine = machine_with(&lines);
            machine.state_mut().pc = 64;
            machine.state_mut().set_x(x(1), a);
            machine.state_mut().set_x(x(2), b);
            prop_assert_eq!(machine.step(&mut ()), Ok(()));
            let expected = if taken(a, b) { 64 + 4 * offset } else { 68 };
            prop_assert_eq!(i64::from(machine.state().pc), expected, "{}", name);
        }
    }

    #[test]
    fn loads_and_stores_move_bytes(
        memory in prop::collection::vec(any::<u8>(), 1024), value: u32, base in 200u32..800, imm in -150i32..150
    ) {
        let at = (base as i32 + imm) as usize;
        let le = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word * 256 + u32::from(*byte));
        for (name, size, sign) in
            [("lb", 1, true), ("lh", 2, true), ("lw", 4, false), ("lbu", 1, false), ("lhu", 2, false)]
        {
            let mut machine = machine_with(&[format!("{name} x3, {imm}(x1)")]);
            machine.write(Space::Scalar, 0, &memory).unwrap();
            machine.state_mut().set_x(x(1), base);
            prop_assert_eq!(machine.step(&mut ()), Ok(()));
            let plain = le(&memory[at..at + size]);
            let bits = 8 * size as u32;
            let expected = if sign { from_bits(|i| bit(plain, i.min(bits - 1))) } else { plain };
            prop_assert_eq!(machine.state().x(x(3)), expected, "{}", name);
        }
        for (name, size) in [("sb", 1), ("sh", 2), ("sw", 4)] {
            let mut machine = machine_with(&[format!("{name} x2, {imm}(x1)")]);
            machine.write(Space::Scalar, 0, &memory).unwrap();
            machine.state_mut().set_x(x(1), base);
            machine.state_mut().set_x(x(2), value);
            prop_assert_eq!(machine.step(&mut ()), Ok(()));
            let mut expected = memory.clone();
            for i in 0..size {
                expected[at + i] = byte(value, i as u32) as u8;
            }
            prop_assert_eq!(machine.read_bytes(Space::Scalar, 0, 1024).unwrap(), expected, "{}", name);
        }
    }

    #[test]
    fn csr_rows_read_and_write(old: u32, value: u32, uimm in 1u32..32) {
        let rows: [(String, u32); 6] = [
            ("csrrw x3, mscratch, x1".to_owned(), value),
            ("csrrs x3, mscratch, x1".to_owned(), from_bits(|i| bit(old, i) || bit(value, i))),
            ("csrrc x3, mscratch, x1".to_owned(), from_bits(|i| bit(old, i) && !bit(value, i))),
            (format!("csrrwi x3, mscratch, {uimm}"), uimm),
            (format!("csrrsi x3, mscratch, {uimm}"), from_bits(|i| bit(old, i) || bit(uimm, i))),
            (format!("csrrci x3, mscratch, {uimm}"), from_bits(|i| bit(old, i) && !bit(uimm, i))),
        ];
        for (line, new) in rows {
            let mut machine = machine_with(std::slice::from_ref(&line));
            machine.state_mut().set_x(x(1), value);
            machine.state_mut().csrs.mscratch = old;
            prop_assert_eq!(machine.step(&mut ()), Ok(()));
            prop_assert_eq!((machine.state().x(x(3)), machine.state().csrs.mscratch), (old, new), "{}", line);
        }
    }
}

#[test]
fn jumps_link_and_go() {
    let mut machine = machine(
        &["jal x1, .+24", "ecall", "ecall", "ecall", "jalr x1, -3(x1)", "ecall", "jalr x1, 13(x1)"],
        support::PLAIN,
    );
    for (pc, link) in [(24, 4), (16, 28), (24, 20)] {
        assert_eq!(machine.step(&mut ()), Ok(()));
        assert_eq!((machine.state().pc, machine.state().x(x(1))), (pc, link), "bit 0 is dropped; rd may be rs1");
    }
}

#[test]
fn x0_stays_zero() {
    for (row, operands) in [
        ("addi", "x0, x0, 5"),
        ("lui", "x0, 9"),
        ("lw", "x0, 0(x0)"),
        ("jal", "x0, .+4"),
        ("vteq", "x0, v1, v1"),
        ("vextract", "x0, v1, 3"),
        ("csrrs", "x0, misa, x0"),
        ("mul", "x0, x1, x1"),
    ] {
        let mut machine = machine_with(&[format!("{row} {operands}")]);
        machine.write(Space::Scalar, 0, &[7; 4]).unwrap();
        machine.state_mut().set_x(x(1), 3);
        machine.state_mut().v_mut(v(1)).0 = [9; 32];
        assert_eq!(machine.step(&mut ()), Ok(()), "{row}");
        assert_eq!(machine.state().all_x()[0], 0, "{row}");
        assert_eq!(machine.state().pc, 4, "{row}");
    }
}

#[test]
fn some_rows_do_nothing() {
    let mut machine = machine(&["fence iorw, iorw", "fence.i", "wfi"], support::PLAIN);
    for pc in [4, 8, 12] {
        let mut expected = machine.state().clone();
        assert_eq!(machine.step(&mut ()), Ok(()));
        (expected.pc, expected.cycles, expected.retired) = (pc, u64::from(pc / 4), u64::from(pc / 4));
        assert_eq!(*machine.state(), expected);
    }
}

// Vector rows.

type Lanes = [i16; 32];

/// A generator of the test's own: in 32 bits, as the instruction set's description writes it.
fn draw(state: &mut State) -> [i32; 32] {
    let rotate = |value: u32, by: u32| (value << by | value >> (16 - by)) & 0xffff;
    std::array::from_fn(|i| {
        let (mut s0, mut s1) = (u32::from(state.generators.s0[i]), u32::from(state.generators.s1[i]));
        let output = (rotate((s0 + s1) & 0xffff, 9) + s0) & 0xffff;
        s1 ^= s0;
        s0 = rotate(s0, 13) ^ s1 ^ (s1 << 5 & 0xffff);
        s1 = rotate(s1, 10);
        (state.generators.s0[i], state.generators.s1[i]) = (s0 as u16, s1 as u16);
        output as i32
    })
}

fn wrap(value: i32) -> i16 {
    let low = value.rem_euclid(65536);
    (if low < 32768 { low } else { low - 65536 }) as i16
}

fn clamp(value: i32) -> i16 {
    value.clamp(-32768, 32767) as i16
}

fn floor_shift(value: i32, shift: u32) -> i32 {
    value.div_euclid(2i32.pow(shift))
}

fn half(shift: u32) -> i32 {
    if shift == 0 { 0 } else { 2i32.pow(shift - 1) }
}

/// What a row writes, lane by lane, from `a` (v1), `b` (v2), the shift and the lane's random word.
type LaneRow = (&'static str, bool, fn(i32, i32, u32, i32) -> i16);

/// Rows `vd, vs1, vs2`; whether they draw, and what they do.
const LANE_BINARY: &[LaneRow] = &[
    ("vadd", false, |a, b, _, _| wrap(a + b)),
    ("vadd_s", false, |a, b, _, _| clamp(a + b)),
    ("vsub", false, |a, b, _, _| wrap(a - b)),
    ("vsub_s", false, |a, b, _, _| clamp(a - b)),
    ("vand", false, |a, b, _, _| from_bits(|i| i < 16 && bit(a as u32, i) && bit(b as u32, i)) as u16 as i16),
    ("vsll", false, |a, b, _, _| wrap(a * 2i32.pow(b.rem_euclid(16) as u32))),
    ("vsra", false, |a, b, _, _| wrap(floor_shift(a, b.rem_euclid(16) as u32))),
];

/// Rows `vd, vs1, vs2, shift`.
const LANE_MULTIPLY: &[LaneRow] = &[
    ("vmul", false, |a, b, s, _| wrap(floor_shift(a * b, s))),
    ("vmul_rn", false, |a, b, s, _| wrap(floor_shift(a * b + half(s), s))),
    ("vmul_rs", true, |a, b, s, r| wrap(floor_shift(a * b + r % 2i32.pow(s), s))),
    ("vmul_s", false, |a, b, s, _| clamp(floor_shift(a * b, s))),
    ("vmul_s_rn", false, |a, b, s, _| clamp(floor_shift(a * b + half(s), s))),
    ("vmul_s_rs", true, |a, b, s, r| clamp(floor_shift(a * b + r % 2i32.pow(s), s))),
];

/// Rows `vd, vs1, shift`.
const LANE_SHIFT: &[LaneRow] = &[
    ("vslli", false, |a, _, s, _| wrap(a * 2i32.pow(s))),
    ("vsrai", false, |a, _, s, _| wrap(floor_shift(a, s))),
    ("vsrai_rn", false, |a, _, s, _| wrap(floor_shift(a + half(s), s))),
    ("vsrai_rs", true, |a, _, s, r| wrap(floor_shift(a + r % 2i32.pow(s), s))),
];

type LaneTest = (&'static str, fn(i16, i16) -> bool);

/// Rows `rd, vs1, vs2`.
const LANE_TESTS: &[LaneTest] =
    &[("vteq", |a, b| a == b), ("vtne", |a, b| a != b), ("vtlt", |a, b| a < b), ("vtge", |a, b| a >= b)];

fn lane() -> impl Strategy<Value = i16> {
    prop_oneof![prop::sample::select(vec![0, 1, -1, 2, 15, 16, 255, i16::MAX, i16::MIN, i16::MIN + 1]), any::<i16>()]
}

fn vector() -> impl Strategy<Value = Lanes> {
    prop::collection::vec(lane(), 32).prop_map(|lanes| lanes.try_into().unwrap())
}

fn generators() -> impl Strategy<Value = (Vec<u16>, Vec<u16>)> {
    (prop::collection::vec(any::<u16>(), 32), prop::collection::vec(any::<u16>(), 32))
}

/// A machine with `a` in v1, `b` in v2, and these generators.
fn vector_machine(lines: &[String], a: Lanes, b: Lanes, (s0, s1): &(Vec<u16>, Vec<u16>)) -> Machine {
    let mut machine = machine_with(lines);
    let state = machine.state_mut();
    (state.v[1], state.v[2]) = (Vector(a), Vector(b));
    (state.generators.s0, state.generators.s1) = (s0.clone().try_into().unwrap(), s1.clone().try_into().unwrap());
    machine
}

/// Steps once; the state must be what `change` makes of the one before.
fn step_and_compare(machine: &mut Machine, line: &str, change: impl FnOnce(&mut State)) {
    let mut expected = machine.state().clone();
    change(&mut expected);
    (expected.pc, expected.cycles, expected.retired) = (expected.pc + 4, expected.cycles + 1, expected.retired + 1);
    assert_eq!(machine.step(&mut ()), Ok(()), "{line}");
    assert_eq!(*machine.state(), expected, "{line}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn lane_arithmetic(a in vector(), b in vector(), seeds in generators(), shift in 0u32..16) {
        let rows = LANE_BINARY.iter().map(|row| (row, format!("{} v3, v1, v2", row.0)));
        let rows = rows.chain(LANE_MULTIPLY.iter().map(|row| (row, format!("{} v3, v1, v2, {shift}", row.0))));
        let rows: Vec<_> =
            rows.chain(LANE_SHIFT.iter().map(|row| (row, format!("{} v3, v1, {shift}", row.0)))).collect();
        let lines: Vec<_> = rows.iter().map(|(_, line)| line.clone()).collect();
        let mut machine = vector_machine(&lines, a, b, &seeds);
        for ((_, draws, f), line) in rows {
            step_and_compare(&mut machine, &line, |state| {
                let random = if *draws { draw(state) } else { [0; 32] };
                state.v[3] = Vector(std::array::from_fn(|i| f(a[i].into(), b[i].into(), shift, random[i])));
            });
        }
    }

    #[test]
    fn a_destination_may_be_a_source(a in vector(), b in vector(), seeds in generators(), shift in 0u32..16) {
        for (name, draws, f) in LANE_MULTIPLY {
            for (registers, index) in [("v1, v1, v2", 1), ("v2, v1, v2", 2)] {
                let line = format!("{name} {registers}, {shift}");
                let mut machine = vector_machine(std::slice::from_ref(&line), a, b, &seeds);
                step_and_compare(&mut machine, &line, |state| {
                    let random = if *draws { draw(state) } else { [0; 32] };
                    state.v[index] = Vector(std::array::from_fn(|i| f(a[i].into(), b[i].into(), shift, random[i])));
                });
            }
        }
    }

    #[test]
    fn between_scalar_and_vector(
        a in vector(), b in vector(), mask: u32, seeds in generators(), shift in 0u32..16, imm in -32768i32..65536,
        lane in 0usize..32
    ) {
        let mut lines: Vec<_> = LANE_TESTS.iter().map(|(name, _)| format!("{name} x3, v1, v2")).collect();
        lines.extend([
            "vsel v2, x1, v1".to_owned(),
            format!("vlui v3, {imm}"),
            "vfill v3, x1".to_owned(),
            format!("vextract x3, v1, {lane}"),
            "vrng v3".to_owned(),
            format!("vandadd v3, v1, x1, {shift}"),
        ]);
        let mut machine = vector_machine(&lines, a, b, &seeds);
        machine.state_mut().set_x(x(1), mask);
        for ((_, f), line) in LANE_TESTS.iter().zip(&lines) {
            step_and_compare(&mut machine, line, |s| s.set_x(x(3), from_bits(|i| f(a[i as usize], b[i as usize]))));
        }
        let rest = &lines[LANE_TESTS.len()..];
        step_and_compare(&mut machine, &rest[0], |state| {
            state.v[2] = Vector(std::array::from_fn(|i| if bit(mask, i as u32) { a[i] } else { b[i] }));
        });
        step_and_compare(&mut machine, &rest[1], |state| state.v[3] = Vector([wrap(imm); 32]));
        let filled = from_bits(|i| i < 16 && bit(mask, if i == 15 { 31 } else { i })) as u16 as i16;
        step_and_compare(&mut machine, &rest[2], |state| state.v[3] = Vector([filled; 32]));
        step_and_compare(&mut machine, &rest[3], |state| state.set_x(x(3), word(a[lane].into())));
        step_and_compare(&mut machine, &rest[4], |state| {
            let random = draw(state);
            state.v[3] = Vector(random.map(|word| (word / 2) as i16));
        });
        step_and_compare(&mut machine, &rest[5], |state| {
            let add = i32::from(wrap((mask % 65536) as i32));
            state.v[3] = Vector(a.map(|lane| wrap(i32::from(lane).rem_euclid(2i32.pow(shift)) + add)));
        });
    }

    #[test]
    fn vector_memory(data in vector(), a in vector(), row in 0u32..64, around in 0u32..3, back in 0i32..30) {
        // 4096 bytes of vector memory: addresses beyond wrap, also below zero.
        let address = row * 64;
        let base = address.wrapping_add(around * 4096).wrapping_add((back * 64) as u32);
        let imm = -back * 64;
        let lines = [
            format!("vloadv v3, {imm}(x1)"), format!("vloadr0 {imm}(x1)"), format!("vloadr1 {imm}(x1)"),
            format!("vstore v1, {imm}(x1)"),
        ];
        let mut machine = vector_machine(&lines, a, a, &(vec![1; 32], vec![2; 32]));
        machine.write(Space::Vector, address, &bytes(&data)).unwrap();
        machine.state_mut().set_x(x(1), base);
        step_and_compare(&mut machine, &lines[0], |state| state.v[3] = Vector(data));
        step_and_compare(&mut machine, &lines[1], |state| state.generators.s0 = data.map(|lane| lane as u16));
        step_and_compare(&mut machine, &lines[2], |state| state.generators.s1 = data.map(|lane| lane as u16));
        step_and_compare(&mut machine, &lines[3], |_| {});
        let mut expected = vec![0; 4096];
        expected[address as usize..][..64].copy_from_slice(&bytes(&a));
        prop_assert_eq!(machine.read_bytes(Space::Vector, 0, 4096).unwrap(), expected);
    }

    #[test]
    fn lane_local_memory(
        addresses in vector(), same in prop::option::of(lane()), old in vector(), values in vector(),
        memory in prop::collection::vec(any::<i16>(), 32 * 128), imm in -2048i32..2048
    ) {
        // 256 bytes for each lane. Lanes that all name one address are a case of their own in the simulator.
        let addresses = same.map_or(addresses, |address| [address; 32]);
        let row = |lane: usize| ((i32::from(addresses[lane]) + imm).div_euclid(2).rem_euclid(128)) as usize;
        let load = format!("vloadl v2, {imm}(v1)");
        let store = format!("vstorel v4, {imm}(v1)");
        let mut machine = vector_machine(&[load.clone(), store.clone()], addresses, old, &(vec![0; 32], vec![0; 32]));
        machine.state_mut().v[4] = Vector(values);
        machine.write(Space::LaneLocal, 0, &bytes(&memory)).unwrap();
        step_and_compare(&mut machine, &load, |state| {
            state.v[2] =
                Vector(std::array::from_fn(|i| if addresses[i] < 0 { old[i] } else { memory[32 * row(i) + i] }));
        });
        step_and_compare(&mut machine, &store, |_| {});
        let mut expected = memory.clone();
        (0..32).filter(|i| addresses[*i] >= 0).for_each(|i| expected[32 * row(i) + i] = values[i]);
        prop_assert_eq!(lanes(&machine.read_bytes(Space::LaneLocal, 0, 64 * 128).unwrap()), expected);
    }
}

#[test]
fn the_zero_generator_gives_zeros() {
    let mut machine = machine(&["vrng v1", "vmul_rs v2, v3, v3, 15"], support::PLAIN);
    machine.state_mut().v[1] = Vector([3; 32]);
    machine.state_mut().v[2] = Vector([3; 32]);
    assert!(machine.step(&mut ()).is_ok() && machine.step(&mut ()).is_ok());
    assert_eq!((machine.state().v[1], machine.state().v[2]), (Vector::ZERO, Vector::ZERO));
}

#[test]
fn every_row_is_tested() {
    let mut tested: BTreeSet<&str> = BTreeSet::new();
    tested.extend(BINARY.iter().map(|row| row.0));
    tested.extend(UNARY.iter().map(|row| row.0));
    tested.extend(IMMEDIATE.iter().chain(SHIFTS).map(|row| row.0));
    tested.extend(BRANCHES.iter().map(|row| row.0));
    tested.extend(LANE_BINARY.iter().chain(LANE_MULTIPLY).chain(LANE_SHIFT).map(|row| row.0));
    tested.extend(LANE_TESTS.iter().map(|row| row.0));
    // In tests above, by name.
    tested.extend(["lui", "auipc", "jal", "jalr", "lb", "lh", "lw", "lbu", "lhu", "sb", "sh", "sw"]);
    tested.extend(["csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci", "fence", "fence.i", "wfi"]);
    tested.extend(["vsel", "vlui", "vfill", "vextract", "vrng", "vandadd"]);
    tested.extend(["vloadv", "vloadr0", "vloadr1", "vstore", "vloadl", "vstorel"]);
    // In programs.rs.
    tested.extend(["ecall", "ebreak", "mret"]);
    let all: BTreeSet<&str> = SPECS.iter().map(|spec| spec.mnemonic()).collect();
    assert_eq!(all.len(), Op::ALL.len());
    assert_eq!(tested, all);
}
