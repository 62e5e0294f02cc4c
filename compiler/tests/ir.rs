//! The intermediate form: its text reads back, and jumps to computed addresses arrive where they say.

use fenn_compiler::ir::verify::verify;
use fenn_compiler::ir::{Arg, Code, Reg, Targets};
use fenn_compiler::regalloc::allocate;
use fenn_isa::Op;
use fenn_isa::code::{Label, link};
use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_iss::{Limits, Machine, Options, Stop};

/// The words that `code` leaves at the start of scalar memory.
fn run(code: &Code, words: u32) -> Vec<u32> {
    let linked = link(&allocate(code).unwrap().items(), 0).unwrap();
    let text = linked.words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let image = Image {
        config: MachineConfig::default(),
        segments: vec![Segment::new(Space::Instruction, 0, text)],
        ..Image::default()
    };
    let mut machine = Machine::from_image(&image, Options { strict: true, ..Options::default() }).unwrap();
    let outcome = machine.run(Limits { instructions: Some(10_000), ..Limits::NONE }, &mut ());
    assert!(matches!(outcome.stop, Stop::Ecall { .. }), "{:?}", outcome.stop);
    let bytes = machine.read_bytes(Space::Scalar, 1024, 4 * words).unwrap();
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
}

/// For each of `counts`, enters a sequence of eight increments so far from its end that `count` of them are executed;
/// the address is made whole first, or the jump adds the lower part.
fn increments(counts: &[i64], whole: bool) -> Code {
    let mut code = Code::default();
    let labels: Vec<Label> = (0..9).map(|_| code.label()).collect();
    let base = if whole { code.address(labels[8]) } else { code.upper(labels[8]) };
    let offset = if whole { Arg::Imm(0) } else { Arg::Lower(labels[8]) };
    let to = code.constant(1024);
    let count = code.x();
    let sum = code.x();
    let targets = Targets { labels: labels.clone(), spacing: Some(8) };
    let starts: Vec<Label> = counts.iter().map(|_| code.label()).collect();
    let back = code.x();
    let done = code.label();
    for (index, number) in counts.iter().enumerate() {
        code.bind(starts[index]);
        code.set(count, *number);
        code.set(sum, 0);
        code.set(back, index as i64);
        let bytes = code.def_x(Op::Slli, &[count.into(), 3.into()]);
        let entry = code.def_x(Op::Sub, &[base.into(), bytes.into()]);
        code.computed_jump(entry, offset, targets.clone());
    }
    for label in &labels[..8] {
        code.bind(*label);
        code.emit(Op::Slli, &[sum.into(), sum.into(), 1.into()]);
        code.emit(Op::Addi, &[sum.into(), sum.into(), 1.into()]);
    }
    code.bind(labels[8]);
    code.emit(Op::Sw, &[sum.into(), 0.into(), to.into()]);
    code.advance(to, 4);
    for (index, start) in starts.iter().enumerate().skip(1) {
        let number = code.constant(index as i64 - 1);
        code.emit(Op::Beq, &[back.into(), number.into(), (*start).into()]);
    }
    code.bind(done);
    code.emit(Op::Ecall, &[]);
    code
}

#[test]
fn computed_jumps_arrive() {
    let counts = [3, 0, 8, 1, 7];
    for whole in [false, true] {
        let code = increments(&counts, whole);
        let expected: Vec<u32> = counts.iter().map(|count| (1 << count) - 1).collect();
        assert_eq!(run(&code, 5), expected);
    }
}

/// A value that is only read behind a computed jump stays alive up to every target.
#[test]
fn values_live_across_computed_jumps() {
    let text = "
        addi %x0, zero, 1024
        addi %x1, zero, 11
        addi %x2, zero, 22
        lui %x3, %hi(L1)
        addi %x4, %x3, %lo(L1)
        addi %x5, zero, 8
        add %x6, %x4, %x5
        jalr zero, 0(%x6) to L0 L1 L2 every 8
    L0:
        sw %x1, 0(%x0)
        addi %x7, zero, 5
    L1:
        sw %x1, 0(%x0)
        addi %x8, zero, 6
    L2:
        sw %x2, 0(%x0)
        sw %x1, 4(%x0)
        ecall
    ";
    assert_eq!(run(&Code::parse(text).unwrap(), 2), [22, 11]);
}

#[test]
fn the_text_reads_back() {
    let mut code = increments(&[1, 2], false);
    code.name("the_end".to_owned());
    let v: Vec<Reg> = (0..3).map(|_| code.v()).collect();
    code.emit(Op::VMulRn, &[v[0].into(), v[1].into(), v[2].into(), 13.into()]);
    code.emit(Op::VLoadV, &[v[0].into(), (-64).into(), Arg::Zero]);
    code.emit(Op::Lui, &[Arg::Zero, 0xfffff.into()]);
    code.emit(Op::Csrrs, &[Arg::Zero, 0xbc3.into(), Arg::Zero]);
    let text = code.to_string();
    let parsed = Code::parse(&text).unwrap();
    assert_eq!(parsed.to_string(), text);
    assert_eq!(parsed.items, code.items);
    assert_eq!(parsed.names, code.names);
}

#[test]
fn lines_that_are_no_code_are_refused() {
    let message = |text: &str| Code::parse(text).unwrap_err().to_string();
    assert_eq!(message("\n  vmove %v0, %v1"), "line 2: no instruction is called `vmove`");
    assert_eq!(message("vadd %v0, %v1"), "line 1: expected `,` at ``");
    assert_eq!(message("addi %x0, zero, %lo(x)"), "line 1: expected a label at `x)`");
    assert_eq!(message("addi %x0, zero, many"), "line 1: expected an operand (Imm12) at `many`");
    assert_eq!(message("add %x0, t0, zero"), "line 1: expected an operand (XReg) at `t0, zero`");
    assert_eq!(message("L3 addi"), "line 1: expected `:` at `addi`");
    assert_eq!(message("addi %x99999999, zero, 0"), "line 1: expected a number below 1048576 at `99999999, zero, 0`");
    assert_eq!(message("ecall now"), "line 1: expected the end of the line at `now`");
}

/// Everything that the verifier says about a text, one line each.
fn remarks(text: &str) -> Vec<String> {
    match verify(&Code::parse(text).unwrap()) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn operands_are_checked() {
    assert_eq!(
        remarks("addi %v0, zero, 2048\n vadd %v1, %v1, zero\n vmul %v1, %v1, %v1, 16\n ecall"),
        [
            "item 0 (`addi %v0, zero, 2048`): `rd` cannot be Reg(Reg { file: V, index: 0 })",
            "item 0 (`addi %v0, zero, 2048`): `imm` cannot be Imm(2048)",
            "item 1 (`vadd %v1, %v1, zero`): `vs2` cannot be Zero",
            "item 2 (`vmul %v1, %v1, %v1, 16`): `shift` cannot be Imm(16)",
        ]
        .map(str::to_owned)
        .as_slice()
    );
}

#[test]
fn labels_and_jumps_are_checked() {
    let one = |text: &str| {
        let found = remarks(text);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    };
    assert_eq!(one("beq zero, zero, L0\n ecall"), "label 0 is bound 0 times");
    assert_eq!(one("L0:\nL0:\n beq zero, zero, L0\n ecall"), "label 0 is bound 2 times");
    assert_eq!(one("lui %x0, %hi(L4)\n ecall"), "label 4 is bound 0 times");
    assert_eq!(
        one("addi %x0, zero, 0\n jalr zero, 0(%x0)"),
        "item 1 (`jalr zero, 0(%x0)`): computed jumps have targets, and nothing else has"
    );
    assert_eq!(
        one("L0:\n beq zero, zero, L0 to L0\n ecall"),
        "item 1 (`beq zero, zero, L0 to L0`): computed jumps have targets, and nothing else has"
    );
    assert_eq!(
        one("L0:\n addi %x0, zero, 0\n jal %x0, L0"),
        "item 2 (`jal %x0, L0`): compiled code has no such instruction"
    );
    assert_eq!(one("mret\n ecall"), "item 0 (`mret`): compiled code has no such instruction");
    assert_eq!(
        one("addi %x0, zero, 0 in 64\n ecall"),
        "item 0 (`addi %x0, zero, 0 in 64`): only what accesses a memory has an array, only what keeps lanes is fresh"
    );
    assert_eq!(one("addi %x0, zero, 0"), "control goes on behind the last instruction");
}

/// Registers have to be written on every path: around a branch, from wherever a host may start, through computed jumps,
/// and before lanes of them are kept.
#[test]
fn values_are_checked() {
    let undefined = |text: &str| {
        let found = remarks(text);
        assert!(found.iter().all(|remark| remark.ends_with("which is not written before on every path")), "{found:?}");
        found.len()
    };
    assert_eq!(undefined("sw %x0, 0(zero)\n ecall"), 1);
    assert_eq!(
        undefined("addi %x0, zero, 1\n bne %x0, zero, L0\n addi %x1, zero, 1\nL0:\n sw %x1, 0(zero)\n ecall"),
        1
    );
    assert_eq!(
        undefined(
            "addi %x0, zero, 1\n addi %x1, zero, 2\n bne %x0, zero, L0\n addi %x1, zero, 1\nL0:\n sw %x1, 0(zero)\n ecall"
        ),
        0
    );
    assert_eq!(undefined("L0: # entry init\n addi %x0, zero, 1\nL1: # entry run\n sw %x0, 0(zero)\n ecall"), 1);
    assert_eq!(undefined("L0: # entry init\n addi %x0, zero, 1\nL1: # run\n sw %x0, 0(zero)\n ecall"), 0);
    assert_eq!(
        undefined(
            "lui %x0, %hi(L0)\n jalr zero, %lo(L0)(%x0) to L0 L1\nL0:\n addi %x1, zero, 1\nL1:\n sw %x1, 0(zero)\n ecall"
        ),
        1
    );
    assert_eq!(undefined("vlui %v0, 0\n vloadl %v1, 0(%v0)\n ecall"), 1);
    assert_eq!(undefined("vlui %v0, 0\n vloadl %v1, 0(%v0) fresh\n ecall"), 0);
    assert_eq!(undefined("vlui %v0, 0\n addi %x0, zero, 1\n vsel %v1, %x0, %v0\n vsel %v1, %x0, %v0\n ecall"), 1);
}
