//! A scalar program of several hundred lines, against GNU as and ld: the same text gives the same `.text`.

use std::fmt::Write as _;
use std::process::Command;

use fenn_assembler::pseudo::PSEUDOS;
use fenn_assembler::{Options, Source, assemble, diagnostic};
use fenn_isa::memory::Space;
use fenn_isa::operand::XReg;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const SEED: u64 = 2;
const BLOCKS: usize = 150;

/// GNU makes two instructions of these, since it cannot know how far away the symbol will be.
const OTHER_FORM: [&str; 3] = ["la", "call", "tail"];

/// Kept by hand: labels in both directions, expressions, data in code, alignment, parts of words.
const FIXED: &str = "
        .option norelax
        .globl  _start
        .equ    SIZE, 40
        .set    twice, SIZE * 2 + (1 << 3 | 4) - ~7
_start: li      sp, 0x1000 ; li gp, -1
        lui     t0, %hi(0x12345fff)
        addi    t0, t0, %lo(0x12345fff)
        addi    t0, t0, twice % 100
here:   auipc   t1, %pcrel_hi(end)
        addi    t1, t1, %pcrel_lo(here)
        addi    t1, zero, SIZE / 3 - 4 * (SIZE & 12)
        j       1f
        .word   0x1234abcd, end - ., 'A', SIZE
        .half   -2, 65535
        .byte   1, 2, 3, 4
        .ascii  \"text\"
        .asciz  \"abc\"
        .balign 16
1:      bnez    t0, 1b
        beqz    t0, 1f
        nop
        .p2align 5
1:      lw      a0, (sp)
        sw      a0, 4*3(sp)
        sb      a1, -1(sp)
        beq     a0, a1, . + 8
        jal     . - 4
        csrrw   a0, mstatus, a1
        csrr    a0, mhartid
        csrwi   0xbc3, 1
        fence   rw, w
        fence
        fence.i
        mret
        wfi
        .space  8
";

/// A program that uses every pseudo-instruction with random operands, and branches to and fro.
fn program(rng: &mut Pcg64Mcg) -> String {
    let mut text = FIXED.to_owned();
    let pseudos: Vec<_> = PSEUDOS.iter().filter(|pseudo| !OTHER_FORM.contains(&pseudo.mnemonic())).collect();
    for block in 0..BLOCKS {
        writeln!(text, "block{block}:").unwrap();
        let constants: [i64; 4] = [
            rng.random_range(-2048..2048),
            rng.random_range(-0x8000..0x8000),
            i64::from(rng.random::<i32>()),
            i64::from(rng.random::<u32>()),
        ];
        for constant in constants {
            writeln!(text, "        li      {}, {constant}", register(rng)).unwrap();
        }
        let pseudo = pseudos[block % pseudos.len()];
        let mut line = pseudo.syntax.to_owned();
        for (name, value) in [
            ("target", format!("block{}", rng.random_range(block.saturating_sub(30)..(block + 30).min(BLOCKS)))),
            ("offset", rng.random_range(-2048..2048).to_string()),
            ("uimm", rng.random_range(0..32).to_string()),
            ("csr", "mscratch".to_owned()),
            ("rd", register(rng)),
            ("rs", register(rng)),
            ("rt", register(rng)),
        ] {
            let (mnemonic, operands) = line.split_once(' ').unwrap_or((&line, ""));
            let operands: Vec<&str> =
                operands.split(", ").map(|operand| if operand == name { value.as_str() } else { operand }).collect();
            line = format!("{mnemonic} {}", operands.join(", "));
        }
        writeln!(text, "        {line}").unwrap();
    }
    // GNU ends a section at a multiple of its greatest alignment.
    text + "end:    ecall\n        .p2align 5\n"
}

fn register(rng: &mut Pcg64Mcg) -> String {
    let reg = XReg::all().nth(rng.random_range(0..32)).expect("there are 32 registers");
    if rng.random() { reg.to_string() } else { format!("x{}", reg.get()) }
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
fn gnu_makes_the_same_code() {
    let mut rng = Pcg64Mcg::seed_from_u64(SEED);
    let text = program(&mut rng);
    assert!(text.lines().count() > 500);
    let sources = [Source::new("program.s", text)];
    let (image, diagnostics) = assemble(&sources, &Options::default());
    let image = image.unwrap_or_else(|| panic!("{}", diagnostic::render(&diagnostics, &sources, false)));
    let [segment] = image.segments.as_slice() else { panic!("only .text was written") };
    assert_eq!((segment.space, segment.address), (Space::Instruction, 0));

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("program.s"), &sources[0].text).unwrap();
    let march = "-march=rv32im_zicsr_zifencei_zbb";
    let assemble = [march, "-mabi=ilp32", "-mno-relax", "-mno-csr-check", &path("program.s"), "-o", &path("program.o")];
    if !run("riscv64-unknown-elf-as", &assemble) {
        return;
    }
    let link = ["-melf32lriscv", "--no-relax", "-Ttext=0", &path("program.o"), "-o", &path("program.elf")];
    assert!(run("riscv64-unknown-elf-ld", &link));
    let copy = ["-O", "binary", "-j", ".text", &path("program.elf"), &path("program.bin")];
    assert!(run("riscv64-unknown-elf-objcopy", &copy));

    let theirs = std::fs::read(path("program.bin")).unwrap();
    let difference = segment.bytes.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
    assert_eq!(difference, None, "first difference at byte {difference:x?}, seed {SEED}:\n{}", sources[0].text);
    assert_eq!(segment.bytes.len(), theirs.len());
    eprintln!("{} lines, {} bytes: no difference", sources[0].text.lines().count(), theirs.len());
}
