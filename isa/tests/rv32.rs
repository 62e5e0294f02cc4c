//! The scalar rows against GNU as: the same text gives the same words.

use std::process::Command;

use fenn_isa::operand::OperandKind;
use fenn_isa::{Class, Extension, Inst, SPECS, Spec};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const INSTANCES: usize = 200;
const SEED: u64 = 1;

/// Whether GNU as writes the row as we do. It knows only the empty fence sets by name, and CSRs by other names than the
/// DMA engine's, so those are written by number.
fn text(inst: Inst) -> String {
    let spec = inst.op().spec();
    let printed = inst.to_string();
    if spec.class != Class::Csr {
        return printed;
    }
    let csr = spec.operands().find(|operand| operand.kind == OperandKind::Csr).expect("a CSR row names a CSR");
    let mut pieces: Vec<String> = printed.split(", ").map(str::to_owned).collect();
    pieces[1] = csr.field.extract(inst.encode()).to_string();
    pieces.join(", ")
}

fn random(spec: &Spec, rng: &mut Pcg64Mcg) -> Inst {
    let values: Vec<i64> = spec
        .operands()
        .map(|operand| {
            let step = 1 << operand.kind.zero_bits();
            // GNU as has no way to write the empty set of accesses.
            let first = if operand.kind == OperandKind::FenceSet { 1 } else { *operand.kind.range().start() };
            rng.random_range(first..=*operand.kind.range().end()) / step * step
        })
        .collect();
    Inst::decode(spec.assemble(&values).expect("values lie in their ranges")).expect("the row decodes its own words")
}

fn run(name: &str, arguments: &[&str]) -> bool {
    match Command::new(name).args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(error) => {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{name} is needed: {error}");
            eprintln!("skipped: {name} is not installed (Debian: binutils-riscv64-unknown-elf)");
            false
        }
    }
}

#[test]
fn gnu_as_agrees_on_every_scalar_row() {
    let mut rng = Pcg64Mcg::seed_from_u64(SEED);
    let rows: Vec<&Spec> = SPECS.iter().filter(|spec| spec.extension != Extension::Fenn).collect();
    let insts: Vec<Inst> =
        rows.iter().flat_map(|spec| std::iter::repeat_n(*spec, INSTANCES)).map(|spec| random(spec, &mut rng)).collect();
    let source: String = insts.iter().map(|inst| text(*inst) + "\n").collect();

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("rows.s"), ".option norelax\n".to_owned() + &source).unwrap();
    let arguments =
        ["-march=rv32im_zicsr_zifencei_zbb", "-mabi=ilp32", "-mno-csr-check", &path("rows.s"), "-o", &path("rows.o")];
    if !run("riscv64-unknown-elf-as", &arguments) {
        return;
    }
    // Offsets from `.` stay relocations until the file is linked.
    let link = ["-melf32lriscv", "--no-relax", "-Ttext=0", "-e0", &path("rows.o"), "-o", &path("rows.elf")];
    assert!(run("riscv64-unknown-elf-ld", &link));
    assert!(run("riscv64-unknown-elf-objcopy", &["-O", "binary", "-j", ".text", &path("rows.elf"), &path("rows.bin")]));

    let bytes = std::fs::read(path("rows.bin")).unwrap();
    let (words, rest) = bytes.as_chunks::<4>();
    assert_eq!((words.len(), rest.len()), (insts.len(), 0), "seed {SEED}");
    for ((word, inst), line) in words.iter().zip(&insts).zip(source.lines()) {
        let theirs = u32::from_le_bytes(*word);
        assert_eq!(
            inst.encode(),
            theirs,
            "seed {SEED}: `{line}` is {:#010x} here and {theirs:#010x} there",
            inst.encode()
        );
    }
    eprintln!("{} words equal to GNU as", insts.len());
}
