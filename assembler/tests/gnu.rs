//! Scalar programs of several thousand lines, against GNU as and ld: the same text gives the same `.text`.
//!
//! `.option norelax` is in force on both sides, so that calls and addresses have the form that reaches any address;
//! conditional branches that are too far away become two instructions on both sides too.

use std::fmt::Write as _;
use std::process::Command;

use fenn_assembler::pseudo::{PSEUDOS, Pseudo};
use fenn_assembler::{Disk, Options, Source, assemble_with_files, diagnostic};
use fenn_isa::memory::{MachineConfig, Space};
use fenn_isa::operand::{OperandKind, XReg};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const SEED: u64 = 2;
const BLOCKS: usize = 450;

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
        .fill   3, 2, 0x1234
        .fill   2
        .dword  0x1122334455667788
        .quad   -2
        .2byte  1, 2
        .4byte  here
        .hword  3
        .short  4
        .long   5
        .skip   3, 7
        .zero   2
        .string \"\\101\\n\", \"b\"
        .balign 8, 0x55
        .p2align 4, , 3
        .balign 4

# Conditions.
        .equiv  once, 3
        .if     once == 3
        li      a0, 1
        .if     once > 3
        li      a0, 2
        .elseif once > 2
        li      a0, 3
        .else
        li      a0, 4
        .endif
        .else
        nothing here is an instruction
        .endif
        .ifdef  once
        nop
        .endif
        .ifndef once
        ecall
        .endif
        .ifeq   once - 3
        ebreak
        .endif

# Repetitions.
        .set    count, 0
        .rept   5
        .rept   2
        addi    a0, a0, count
        .endr
        .set    count, count + 1
        .endr
        .irp    reg, a0, s1, t6
        addi    \\reg, \\reg, 4
        .endr
        .irpc   digit, 1234
        .byte   \\digit
        .endr

# Macros.
        .macro  save reg:req, at=4, base=sp
        sw      \\reg, \\at(\\base)
        .endm
        save    a0
        save    a1, 8
        save    a2, base=s0
        save    reg=a3, at=16
        .macro  wait times
        li      t0, \\times
wait\\@:  addi    t0, t0, -1
        bnez    t0, wait\\@
        .endm
        wait    10
        wait    0x12345
        .macro  outer n
        .macro  inner\\n reg
        addi    \\reg, zero, \\n
        .endm
        inner\\n a\\()\\n
        .endm
        outer   3
        inner3  t3
        .macro  down n
        .if     \\n
        .word   \\n
        down    \\n - 1
        .endif
        .endm
        down    4
        .macro  all first, rest:vararg
        .byte   \\first
        .ifnb   \\rest
        all     \\rest
        .endif
        .endm
        all     1, 2, 3, 4
        .macro  early n
        .if     \\n
        .exitm
        .endif
        ecall
        .endm
        early   1
        early   0
        .purgem early

# Files.
        .include \"other.inc\"
        .incbin  \"bytes.bin\"
        .incbin  \"bytes.bin\", 1
        .incbin  \"bytes.bin\", 2, 2
        .zero   3

        .pushsection .data
        .word   1, 2
datum:  .word   3
        .half   4
odd:    .byte   5
        .popsection
        .data
more:   .word   6
        .previous
        .align  3
";

/// What the fixed part includes.
const OTHER: &str = "        addi a5, a5, 1\nincluded: j included\n";
const BYTES: [u8; 4] = [1, 2, 3, 4];

/// A program that uses every pseudo-instruction with random operands, and branches to and fro.
fn program(rng: &mut Pcg64Mcg) -> String {
    let mut text = FIXED.to_owned();
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
        // Near enough for a branch, or anywhere.
        let near = block.saturating_sub(30)..(block + 30).min(BLOCKS);
        let anywhere = rng.random_range(0..4) == 0;
        let target = rng.random_range(if anywhere { 0..BLOCKS } else { near });
        let pseudo = &PSEUDOS[block % PSEUDOS.len()];
        writeln!(text, "        {}", instance(pseudo, target, rng)).unwrap();
    }
    // GNU ends a section at a multiple of its greatest alignment.
    text + "end:    ecall\n        .p2align 5\n"
}

/// A pseudo-instruction with random operands.
fn instance(pseudo: &Pseudo, target: usize, rng: &mut Pcg64Mcg) -> String {
    let operands = pseudo.syntax.strip_prefix(pseudo.mnemonic()).unwrap();
    let mut line = pseudo.mnemonic().to_owned();
    let mut rest = operands;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if length == 0 {
            line.push(first);
            rest = &rest[1..];
            continue;
        }
        let name = &rest[..length];
        rest = &rest[length..];
        line += &match name {
            "target" => format!("block{target}"),
            "symbol" => ["datum", "odd", "more", "block7"][rng.random_range(0..4)].to_owned(),
            "csr" => "mscratch".to_owned(),
            _ => match pseudo.kind(name) {
                OperandKind::XReg => register(rng),
                OperandKind::Imm12 => rng.random_range(-2048..2048).to_string(),
                OperandKind::Shamt | OperandKind::Uimm5 => rng.random_range(0..32).to_string(),
                kind => panic!("{name} is {kind:?}"),
            },
        };
    }
    line
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
    assert!(text.lines().count() >= 2500);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("program.s"), &text).unwrap();
    std::fs::write(path("other.inc"), OTHER).unwrap();
    std::fs::write(path("bytes.bin"), BYTES).unwrap();
    let sources = [Source::new(path("program.s"), text)];
    let config = MachineConfig { instruction_bytes: 1 << 20, ..MachineConfig::default() };
    let options = Options { config, ..Options::default() };
    let assembly = assemble_with_files(&sources, &options, &Disk::default());
    let messages = diagnostic::render(&assembly.diagnostics, &assembly.sources, false);
    let image = assembly.image.unwrap_or_else(|| panic!("{messages}"));
    let segment = image.segments.iter().find(|segment| segment.space == Space::Instruction).unwrap();
    assert_eq!(segment.address, 0);
    let long = assembly.lines.windows(2).filter(|pair| pair[0].code && pair[0].span == pair[1].span).count();
    assert!(long > 0);

    let march = "-march=rv32im_zicsr_zifencei_zbb";
    let assemble = [
        march,
        "-mabi=ilp32",
        "-mno-relax",
        "-mno-csr-check",
        "-I",
        &path(""),
        &path("program.s"),
        "-o",
        &path("program.o"),
    ];
    if !run("riscv64-unknown-elf-as", &assemble) {
        return;
    }
    // Each memory has an address space of its own, so sections may have the same addresses.
    let sections = ["--no-check-sections", "-Ttext=0", "-Tdata=0"];
    let link = [&["-melf32lriscv", "--no-relax"], &sections[..], &[&path("program.o"), "-o", &path("program.elf")]];
    let link = link.concat();
    assert!(run("riscv64-unknown-elf-ld", &link));
    let copy = ["-O", "binary", "-j", ".text", &path("program.elf"), &path("program.bin")];
    assert!(run("riscv64-unknown-elf-objcopy", &copy));

    let theirs = std::fs::read(path("program.bin")).unwrap();
    let difference = segment.bytes.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
    assert_eq!(difference, None, "first difference at byte {difference:x?}, seed {SEED}:\n{}", sources[0].text);
    assert_eq!(segment.bytes.len(), theirs.len());
    eprintln!("{} lines assembled as GNU as does", sources[0].text.lines().count());
}
