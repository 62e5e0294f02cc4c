//! The scalar core against QEMU.

use fenn_isa::Op;
use fenn_iss::Statistics;
use fenn_testbench::conformance::{ConformanceError, Program, compare, difference};

/// Whether QEMU is missing where it may be.
fn skipped(error: &ConformanceError) -> bool {
    let missing = matches!(error, ConformanceError::NoQemu(_));
    assert!(!missing || std::env::var("CI").as_deref() != Ok("true"), "{error}");
    if missing {
        eprintln!("skipped: {error}");
    }
    missing
}

#[test]
fn random_programs_leave_the_same() {
    const SEED: u64 = 1;
    let result = match compare(100_000, SEED) {
        Err(error) if skipped(&error) => return,
        result => result.unwrap(),
    };
    assert!(result.mismatches.is_empty(), "seed {SEED}: {:#?}", result.mismatches);
    assert!(result.instructions >= 100_000, "{result:?}");
    assert!(result.rarest.0 > 200, "{result:?}");
}

/// What differs is seen, whichever row it is.
#[test]
fn a_wrong_instruction_is_seen() {
    let program = Program::random(1, 0, 40_000);
    let expected = match program.on_qemu() {
        Err(error) if skipped(&error) => return,
        expected => expected.unwrap(),
    };
    let found = |program: &Program| program.on_simulator(&mut Statistics::default()).unwrap().0;
    assert_eq!(difference(&expected, &found(&program)), None);
    let wrong = [
        (Op::Mulh, Op::Mulhu),
        (Op::Mulhsu, Op::Mulhu),
        (Op::Div, Op::Divu),
        (Op::Rem, Op::Remu),
        (Op::Rol, Op::Ror),
        (Op::Sra, Op::Srl),
        (Op::Slti, Op::Sltiu),
        (Op::Min, Op::Minu),
        (Op::Clz, Op::Ctz),
        (Op::Lb, Op::Lbu),
        (Op::Lh, Op::Lhu),
        (Op::Sw, Op::Sh),
        (Op::Beq, Op::Bne),
        (Op::Blt, Op::Bltu),
        (Op::Bge, Op::Bgeu),
    ];
    for (op, other) in wrong {
        let differs = difference(&expected, &found(&program.with_another(op, other)));
        assert!(differs.is_some(), "{op:?} as {other:?}");
    }
}
