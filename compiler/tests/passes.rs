//! What each pass does to code, as text, and that it still computes the same.
//!
//! `tests/passes/PASS/NAME.txt` is code, a line `----`, and what the pass makes of it.
//! `BLESS=1 cargo test -p fenn-compiler --test passes` rewrites the expectations; read the difference before keeping it.

use std::path::Path;

use fenn_compiler::ir::verify::verify;
use fenn_compiler::ir::{Arg, Code, Reg};
use fenn_compiler::passes::{Context, PIPELINE};
use fenn_compiler::regalloc::allocate;
use fenn_isa::Op;
use fenn_isa::code::link;
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::timing::{CV32E40X, FENN, FUNCTIONAL, Profile};
use fenn_iss::{Limits, Machine, Options, Stop};
use proptest::prelude::*;

fn golden(path: &Path, pass: &fenn_compiler::passes::Pass) {
    let text = std::fs::read_to_string(path).unwrap();
    let (input, wanted) = text.split_once("----\n").unwrap_or_else(|| panic!("{} has no line `----`", path.display()));
    let mut code = Code::parse(input).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    verify(&code).unwrap_or_else(|errors| panic!("{}: {errors:?}", path.display()));
    (pass.run)(&mut code, &Context { profile: &FENN });
    verify(&code).unwrap_or_else(|errors| panic!("{}, behind the pass: {errors:?}\n{code}", path.display()));
    let found = code.to_string();
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(path, format!("{input}----\n{found}")).unwrap();
    }
    assert!(wanted == found, "{} differs; BLESS=1 rewrites it. Found:\n{found}", path.display());
}

#[test]
fn every_pass_does_what_its_files_say() {
    for pass in PIPELINE {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/passes").join(pass.name);
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(files.len() >= 2, "{} has tests", pass.name);
        files.iter().for_each(|path| golden(path, pass));
    }
}

/// Registers of random programs: scalar ones that are data, vector ones, and pointers.
const DATA: usize = 5;
const POINTERS: usize = 2;
const VECTORS: usize = 6;
/// Where the results go, and the least and greatest address that random accesses may have.
const RESULTS: i64 = 1024;
const WORDS: u32 = 256;

/// One instruction of a random program; numbers choose registers modulo their count.
#[derive(Debug, Clone)]
enum Step {
    Scalar(u8, [usize; 3]),
    Vector(u8, [usize; 3], u8),
    Load(usize, usize, u8),
    Store(usize, usize, u8),
    VectorLoad(usize, usize, u8),
    VectorStore(usize, usize, u8),
    LaneLoad(usize, usize, u8),
    LaneStore(usize, usize, u8),
    Advance(usize, bool),
    Constant(usize, i16),
    Draw(usize),
    Mask(usize, usize, usize),
    Select(usize, usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let three = [any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()];
    let three = three.prop_map(|indices| indices.map(|index| index.index(60)));
    let two = (0..60usize, 0..60usize, 0..4u8);
    prop_oneof![
        (0..8u8, three.clone()).prop_map(|(op, regs)| Step::Scalar(op, regs)),
        (0..10u8, three, 0..16u8).prop_map(|(op, regs, shift)| Step::Vector(op, regs, shift)),
        two.clone().prop_map(|(a, b, at)| Step::Load(a, b, at)),
        two.clone().prop_map(|(a, b, at)| Step::Store(a, b, at)),
        two.clone().prop_map(|(a, b, at)| Step::VectorLoad(a, b, at)),
        two.clone().prop_map(|(a, b, at)| Step::VectorStore(a, b, at)),
        two.clone().prop_map(|(a, b, at)| Step::LaneLoad(a, b, at)),
        two.prop_map(|(a, b, at)| Step::LaneStore(a, b, at)),
        (0..60usize, any::<bool>()).prop_map(|(pointer, up)| Step::Advance(pointer, up)),
        (0..60usize, any::<i16>()).prop_map(|(reg, value)| Step::Constant(reg, value)),
        (0..60usize).prop_map(Step::Draw),
        (0..60usize, 0..60usize, 0..60usize).prop_map(|(a, b, c)| Step::Mask(a, b, c)),
        (0..60usize, 0..60usize, 0..60usize).prop_map(|(a, b, c)| Step::Select(a, b, c)),
    ]
}

/// The steps in a loop of three turns, with all registers stored in the end. With `still`, pointers stay where they are, so
/// that every address is known.
fn program(steps: &[Step], tail: &[Step], still: bool) -> Code {
    let moves = |step: &&Step| !still || !matches!(step, Step::Advance(..));
    let mut code = Code::default();
    code.entry("run".to_owned());
    let seeds = code.constant(0);
    code.emit(Op::VLoadR0, &[0.into(), seeds.into()]);
    code.emit(Op::VLoadR1, &[64.into(), seeds.into()]);
    let data: Vec<Reg> = (0..DATA).map(|index| code.constant(0x1234_5678 * (index as i64 + 1))).collect();
    let pointers: Vec<Reg> = (0..POINTERS).map(|index| code.constant(4096 + 1024 * index as i64)).collect();
    let vectors: Vec<Reg> = (0..VECTORS).map(|index| code.def_v(Op::VLui, &[(index as i64 * 777).into()])).collect();
    let turns = code.constant(3);
    let head = code.label();
    code.bind(head);
    steps.iter().filter(moves).for_each(|step| emit(&mut code, step, &data, &pointers, &vectors));
    code.advance(turns, -1);
    code.emit(Op::Bne, &[turns.into(), Arg::Zero, head.into()]);
    tail.iter().filter(moves).for_each(|step| emit(&mut code, step, &data, &pointers, &vectors));
    let results = code.constant(RESULTS);
    for (index, reg) in data.iter().chain(&pointers).enumerate() {
        code.emit(Op::Sw, &[(*reg).into(), (4 * index as i64).into(), results.into()]);
    }
    for (index, reg) in vectors.iter().enumerate() {
        code.emit(Op::VStore, &[(*reg).into(), (64 * index as i64).into(), results.into()]);
    }
    code.emit(Op::Ecall, &[]);
    code
}

fn emit(code: &mut Code, step: &Step, data: &[Reg], pointers: &[Reg], vectors: &[Reg]) {
    let x = |index: usize| Arg::Reg(data[index % data.len()]);
    let p = |index: usize| Arg::Reg(pointers[index % pointers.len()]);
    let v = |index: usize| Arg::Reg(vectors[index % vectors.len()]);
    match *step {
        Step::Scalar(op, [a, b, c]) => {
            let ops = [Op::Add, Op::Sub, Op::Xor, Op::And, Op::Mul, Op::Mulhu, Op::Divu, Op::Sltu];
            code.emit(ops[usize::from(op)], &[x(a), x(b), x(c)]);
        }
        Step::Vector(op, [a, b, c], shift) => match op {
            0..4 => code.emit([Op::VAdd, Op::VSubS, Op::VAnd, Op::VSra][usize::from(op)], &[v(a), v(b), v(c)]),
            4..8 => {
                let ops = [Op::VMul, Op::VMulRn, Op::VMulRs, Op::VMulSRs];
                code.emit(ops[usize::from(op) - 4], &[v(a), v(b), v(c), i64::from(shift).into()]);
            }
            _ => {
                let ops = [Op::VSrai, Op::VSraiRs];
                code.emit(ops[usize::from(op) - 8], &[v(a), v(b), i64::from(shift).into()]);
            }
        },
        Step::Load(a, pointer, at) => code.emit(Op::Lw, &[x(a), i64::from(4 * at).into(), p(pointer)]),
        Step::Store(a, pointer, at) => code.emit(Op::Sw, &[x(a), i64::from(4 * at).into(), p(pointer)]),
        Step::VectorLoad(a, pointer, at) => code.emit(Op::VLoadV, &[v(a), (64 * i64::from(at)).into(), p(pointer)]),
        Step::VectorStore(a, pointer, at) => code.emit(Op::VStore, &[v(a), (64 * i64::from(at)).into(), p(pointer)]),
        Step::LaneLoad(a, b, at) => code.emit(Op::VLoadL, &[v(a), i64::from(2 * at).into(), v(b)]),
        Step::LaneStore(a, b, at) => code.emit(Op::VStoreL, &[v(a), i64::from(2 * at).into(), v(b)]),
        Step::Advance(pointer, up) => {
            code.emit(Op::Addi, &[p(pointer), p(pointer), if up { 64 } else { -64 }.into()]);
        }
        Step::Constant(reg, value) => code.emit(Op::VLui, &[v(reg), i64::from(value).into()]),
        Step::Draw(reg) => code.emit(Op::VRng, &[v(reg)]),
        Step::Mask(a, b, c) => code.emit(Op::VTlt, &[x(a), v(b), v(c)]),
        Step::Select(a, b, c) => code.emit(Op::VSel, &[v(a), x(b), v(c)]),
    }
}

/// Everything that `code` leaves in scalar and vector memory.
fn outcome(code: &Code, profile: &Profile) -> (Vec<u8>, Vec<u8>, u64) {
    let linked = link(&allocate(code).unwrap().items(), 0).unwrap();
    let text = linked.words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let numbers = |count: u32| (0..count).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()).collect();
    let image = Image {
        config: MachineConfig::default(),
        segments: vec![
            Segment::new(Space::Instruction, 0, text),
            Segment::new(Space::Scalar, 0, numbers(2048)),
            Segment::new(Space::Vector, 0, numbers(2048)),
        ],
        ..Image::default()
    };
    let mut machine = Machine::from_image(&image, Options { profile: *profile, ..Options::default() }).unwrap();
    let outcome = machine.run(Limits { instructions: Some(100_000), ..Limits::NONE }, &mut ());
    assert!(matches!(outcome.stop, Stop::Ecall { .. }), "{:?}\n{code}", outcome.stop);
    // Not the first bytes, where the allocator may keep registers.
    let bytes = |space| machine.read_bytes(space, RESULTS as u32, 32 * WORDS).unwrap();
    (bytes(Space::Scalar), bytes(Space::Vector), outcome.cycles)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Each pass for itself, and all one after the other, on each machine.
    #[test]
    fn passes_change_no_result(
        steps in prop::collection::vec(step(), 1..60),
        tail in prop::collection::vec(step(), 0..20),
        still: bool,
    ) {
        let code = program(&steps, &tail, still);
        let wanted = outcome(&code, &FENN);
        for profile in [&FENN, &CV32E40X, &FUNCTIONAL] {
            let mut all = code.clone();
            for pass in PIPELINE {
                let mut one = code.clone();
                (pass.run)(&mut one, &Context { profile });
                (pass.run)(&mut all, &Context { profile });
                prop_assert_eq!(verify(&one), Ok(()));
                let found = outcome(&one, profile);
                prop_assert!((&found.0, &found.1) == (&wanted.0, &wanted.1), "{}:\n{code}\nbecomes\n{one}", pass.name);
            }
            let found = outcome(&all, profile);
            prop_assert!((found.0, found.1) == (wanted.0.clone(), wanted.1.clone()), "{code}\nbecomes\n{all}");
        }
    }
}

/// Values that live on, and chains beside them that could all be begun at once: done in turns where there are registers for
/// two, and not at all where there is one.
#[test]
fn nothing_is_begun_that_would_need_more_registers() {
    for (count, room) in [(31, false), (28, true)] {
        let mut code = Code::default();
        code.entry("run".to_owned());
        let base = code.constant(4096);
        let at = |index: usize| Arg::Imm(64 * index as i64 - 2048);
        let kept: Vec<Reg> = (0..count).map(|index| code.def_v(Op::VLoadV, &[at(index), base.into()])).collect();
        for index in 32..60 {
            let value = code.def_v(Op::VLoadV, &[at(index), base.into()]);
            for kept in &kept[..2] {
                code.emit(Op::VMul, &[value.into(), value.into(), (*kept).into(), 3.into()]);
            }
            code.emit(Op::VStore, &[value.into(), at(index), base.into()]);
        }
        for (index, value) in kept.iter().enumerate() {
            code.emit(Op::VStore, &[(*value).into(), at(index), base.into()]);
        }
        code.emit(Op::Ecall, &[]);
        let before = outcome(&code, &FENN);
        let schedule = PIPELINE.iter().find(|pass| pass.name == "schedule").unwrap();
        (schedule.run)(&mut code, &Context { profile: &FENN });
        assert_eq!(allocate(&code).unwrap().spilled, [0, 0]);
        let after = outcome(&code, &FENN);
        assert_eq!((&after.0, &after.1), (&before.0, &before.1));
        // Three cycles are lost in each chain.
        let least = if room { before.2 - 3 * 28 } else { before.2 - 2 };
        assert!((least..=least + 2).contains(&after.2), "{count}: {} and {}", before.2, after.2);
    }
}
