//! An example of every instruction, for the manual.
//!
//! Contract: [`example`] is a program in assembly text that executes the instruction, followed by what it leaves, as
//! comments of the form `# a0 = 5, v1[3] = -2`. The places are scalar registers, lanes of vector registers (or `v1` for
//! all lanes), `mem8[a]`, `mem16[a]` and `mem32[a]` in scalar memory, `vmem[a][lane]`, `llm[lane][a]` and
//! `dram[a][lane]`, and `stop`, where a program ends otherwise than by `ecall`. An `ecall` follows every example. The
//! match has no `_`, so a new row without an example does not compile; the testbench runs each of them.
//!
//! Not here: corner cases, which are tests of the simulator.

use crate::spec::Op;

macro_rules! lines {
    ($($line:literal),+) => { concat!($($line, "\n"),+) };
}

/// The example of one row, without the `ecall` that ends it.
pub const fn example(op: Op) -> &'static str {
    match op {
        Op::Lui => lines!("        lui     a0, 0x12345", "# a0 = 0x12345000"),
        Op::Auipc => lines!("        nop", "        auipc   a0, 1           # at address 4", "# a0 = 0x1004"),
        Op::Jal => lines!(
            "        jal     ra, over        # at address 0",
            "        li      a0, 1           # not executed",
            "over:",
            "# a0 = 0, ra = 4"
        ),
        Op::Jalr => lines!(
            "        li      a1, 8",
            "        jalr    ra, 4(a1)       # to address 12",
            "        li      a0, 1           # at 8: not executed",
            "# a0 = 0, ra = 8"
        ),
        Op::Beq => lines!(
            "        li      a1, 7",
            "        li      a2, 7",
            "        beq     a1, a2, same",
            "        li      a0, 1           # not executed",
            "same:",
            "# a0 = 0"
        ),
        Op::Bne => lines!(
            "        li      a1, 3",
            "again:  addi    a0, a0, 2",
            "        addi    a1, a1, -1",
            "        bne     a1, zero, again",
            "# a0 = 6"
        ),
        Op::Blt => lines!(
            "        li      a1, -1",
            "        blt     a1, zero, less",
            "        li      a0, 1           # not executed",
            "less:",
            "# a0 = 0"
        ),
        Op::Bge => lines!(
            "        li      a1, -1",
            "        bge     zero, a1, most",
            "        li      a0, 1           # not executed",
            "most:",
            "# a0 = 0"
        ),
        Op::Bltu => lines!(
            "        li      a1, -1          # 2^32 - 1 as an unsigned number",
            "        bltu    zero, a1, less",
            "        li      a0, 1           # not executed",
            "less:",
            "# a0 = 0"
        ),
        Op::Bgeu => lines!(
            "        li      a1, -1          # 2^32 - 1 as an unsigned number",
            "        bgeu    a1, zero, most",
            "        li      a0, 1           # not executed",
            "most:",
            "# a0 = 0"
        ),
        Op::Lb => lines!(
            "        la      a1, bytes",
            "        lb      a0, 1(a1)",
            "        .data",
            "bytes:  .byte   5, -6",
            "# a0 = -6"
        ),
        Op::Lh => lines!(
            "        la      a1, halves",
            "        lh      a0, 2(a1)",
            "        .data",
            "halves: .half   5, -6",
            "# a0 = -6"
        ),
        Op::Lw => lines!(
            "        la      a1, words",
            "        lw      a0, 4(a1)",
            "        .data",
            "words:  .word   5, -6",
            "# a0 = -6"
        ),
        Op::Lbu => lines!(
            "        la      a1, bytes",
            "        lbu     a0, 1(a1)",
            "        .data",
            "bytes:  .byte   5, -6",
            "# a0 = 250"
        ),
        Op::Lhu => lines!(
            "        la      a1, halves",
            "        lhu     a0, 2(a1)",
            "        .data",
            "halves: .half   5, -6",
            "# a0 = 65530"
        ),
        Op::Sb => lines!("        li      a1, 0x1234", "        sb      a1, 8(zero)", "# mem32[8] = 0x34"),
        Op::Sh => lines!("        li      a1, 0x12345678", "        sh      a1, 8(zero)", "# mem32[8] = 0x5678"),
        Op::Sw => lines!(
            "        li      a1, 0x12345678",
            "        sw      a1, 8(zero)",
            "# mem32[8] = 0x12345678, mem8[8] = 0x78"
        ),
        Op::Addi => lines!("        addi    a0, zero, -5", "# a0 = -5"),
        Op::Slti => lines!("        li      a1, -1", "        slti    a0, a1, 0", "# a0 = 1"),
        Op::Sltiu => {
            lines!("        li      a1, 5", "        sltiu   a0, a1, -1      # -1 becomes 2^32 - 1", "# a0 = 1")
        }
        Op::Xori => lines!("        li      a1, 0b1100", "        xori    a0, a1, 0b1010", "# a0 = 6"),
        Op::Ori => lines!("        li      a1, 0b1100", "        ori     a0, a1, 0b1010", "# a0 = 14"),
        Op::Andi => lines!("        li      a1, 0b1100", "        andi    a0, a1, 0b1010", "# a0 = 8"),
        Op::Slli => {
            lines!("        li      a1, 3", "        slli    a0, a1, 6       # the bytes of 3 vectors", "# a0 = 192")
        }
        Op::Srli => lines!("        li      a1, -16", "        srli    a0, a1, 28", "# a0 = 15"),
        Op::Srai => lines!("        li      a1, -16", "        srai    a0, a1, 2", "# a0 = -4"),
        Op::Add => lines!("        li      a1, 5", "        li      a2, -7", "        add     a0, a1, a2", "# a0 = -2"),
        Op::Sub => lines!("        li      a1, 5", "        li      a2, -7", "        sub     a0, a1, a2", "# a0 = 12"),
        Op::Sll => lines!(
            "        li      a1, 1",
            "        li      a2, 31",
            "        sll     a0, a1, a2      # lane 31's bit of a mask",
            "# a0 = 0x80000000"
        ),
        Op::Slt => lines!("        li      a1, -1", "        slt     a0, a1, zero", "# a0 = 1"),
        Op::Sltu => lines!(
            "        li      a1, -1          # 2^32 - 1 as an unsigned number",
            "        sltu    a0, zero, a1",
            "# a0 = 1"
        ),
        Op::Xor => {
            lines!("        li      a1, 0b1100", "        li      a2, 0b1010", "        xor     a0, a1, a2", "# a0 = 6")
        }
        Op::Srl => lines!(
            "        li      a1, -1",
            "        li      a2, 36          # 36 mod 32 = 4",
            "        srl     a0, a1, a2",
            "# a0 = 0x0fffffff"
        ),
        Op::Sra => {
            lines!("        li      a1, -1000", "        li      a2, 3", "        sra     a0, a1, a2", "# a0 = -125")
        }
        Op::Or => lines!(
            "        li      a1, 0b1100",
            "        li      a2, 0b1010",
            "        or      a0, a1, a2",
            "# a0 = 14"
        ),
        Op::And => {
            lines!("        li      a1, 0b1100", "        li      a2, 0b1010", "        and     a0, a1, a2", "# a0 = 8")
        }
        Op::Fence => lines!(
            "        li      a1, 9",
            "        sw      a1, 0(zero)",
            "        fence   w, r            # the store before the load",
            "        lw      a0, 0(zero)",
            "# a0 = 9"
        ),
        Op::FenceI => lines!("        li      a0, 3", "        fence.i", "        addi    a0, a0, 1", "# a0 = 4"),
        Op::Ecall => lines!(
            "        li      a0, 7           # a host finds the result here",
            "        ecall",
            "        li      a0, 8           # not executed",
            "# a0 = 7"
        ),
        Op::Ebreak => lines!(
            "        li      a0, 7",
            "        ebreak",
            "        li      a0, 8           # not executed",
            "# a0 = 7, stop = ebreak"
        ),
        Op::Mret => lines!(
            "        la      a1, after",
            "        csrw    mepc, a1",
            "        mret",
            "        li      a0, 1           # not executed",
            "after:",
            "# a0 = 0"
        ),
        Op::Wfi => lines!("        li      a0, 1", "        wfi", "        addi    a0, a0, 1", "# a0 = 2"),
        Op::Mul => {
            lines!("        li      a1, -6", "        li      a2, 7", "        mul     a0, a1, a2", "# a0 = -42")
        }
        Op::Mulh => lines!(
            "        li      a1, -1",
            "        li      a2, 7",
            "        mulh    a0, a1, a2      # -7, whose high word is -1",
            "# a0 = -1"
        ),
        Op::Mulhsu => lines!(
            "        li      a1, -1",
            "        li      a2, 0x80000000",
            "        mulhsu  a0, a1, a2      # -1 times 2^31",
            "# a0 = -1"
        ),
        Op::Mulhu => {
            lines!("        li      a1, 0x80000000", "        li      a2, 6", "        mulhu   a0, a1, a2", "# a0 = 3")
        }
        Op::Div => lines!(
            "        li      a1, -7",
            "        li      a2, 2",
            "        div     a0, a1, a2",
            "        div     a3, a1, zero",
            "# a0 = -3, a3 = -1"
        ),
        Op::Divu => {
            lines!("        li      a1, 100", "        li      a2, 7", "        divu    a0, a1, a2", "# a0 = 14")
        }
        Op::Rem => lines!(
            "        li      a1, -7",
            "        li      a2, 2",
            "        rem     a0, a1, a2",
            "        rem     a3, a1, zero",
            "# a0 = -1, a3 = -7"
        ),
        Op::Remu => {
            lines!("        li      a1, 100", "        li      a2, 7", "        remu    a0, a1, a2", "# a0 = 2")
        }
        Op::Csrrw => lines!(
            "        li      a1, 5",
            "        csrrw   a0, mscratch, a1",
            "        csrr    a2, mscratch",
            "# a0 = 0, a2 = 5"
        ),
        Op::Csrrs => lines!(
            "        li      a1, 0b1000      # MIE",
            "        csrrs   a0, mstatus, a1",
            "        csrr    a2, mstatus",
            "# a0 = 0x1800, a2 = 0x1808"
        ),
        Op::Csrrc => lines!(
            "        li      a1, 0b001       # let mcycle count",
            "        csrrc   a0, mcountinhibit, a1",
            "        csrr    a2, mcountinhibit",
            "# a0 = 0b101, a2 = 0b100"
        ),
        Op::Csrrwi => lines!("        csrrwi  a0, mscratch, 9", "        csrr    a2, mscratch", "# a0 = 0, a2 = 9"),
        Op::Csrrsi => lines!("        csrrsi  a0, mscratch, 6", "        csrr    a2, mscratch", "# a0 = 0, a2 = 6"),
        Op::Csrrci => {
            lines!("        csrrci  a0, mcountinhibit, 5", "        csrr    a2, mcountinhibit", "# a0 = 5, a2 = 0")
        }
        Op::Andn => lines!(
            "        li      a1, 0b1100      # lanes that could spike",
            "        li      a2, 0b1010      # lanes that are refractory",
            "        andn    a0, a1, a2",
            "# a0 = 4"
        ),
        Op::Orn => {
            lines!("        li      a1, 0b1100", "        li      a2, -2", "        orn     a0, a1, a2", "# a0 = 13")
        }
        Op::Xnor => lines!(
            "        li      a1, 0b1100",
            "        li      a2, 0b1010",
            "        xnor    a0, a1, a2",
            "# a0 = -7"
        ),
        Op::Clz => lines!(
            "        li      a1, 0x00010000",
            "        clz     a0, a1",
            "        clz     a2, zero",
            "# a0 = 15, a2 = 32"
        ),
        Op::Ctz => lines!(
            "        li      a1, 0x00010000  # the lowest lane that spiked",
            "        ctz     a0, a1",
            "        ctz     a2, zero",
            "# a0 = 16, a2 = 32"
        ),
        Op::Cpop => {
            lines!("        li      a1, 0xf00f", "        cpop    a0, a1          # how many lanes spiked", "# a0 = 8")
        }
        Op::SextB => lines!("        li      a1, 0x1280", "        sext.b  a0, a1", "# a0 = -128"),
        Op::SextH => lines!("        li      a1, 0x18000", "        sext.h  a0, a1", "# a0 = -32768"),
        Op::ZextH => lines!("        li      a1, -1", "        zext.h  a0, a1", "# a0 = 65535"),
        Op::Min => lines!("        li      a1, -1", "        min     a0, a1, zero", "# a0 = -1"),
        Op::Minu => lines!(
            "        li      a1, -1          # 2^32 - 1 as an unsigned number",
            "        li      a2, 5",
            "        minu    a0, a1, a2",
            "# a0 = 5"
        ),
        Op::Max => lines!("        li      a1, -1", "        li      a2, 5", "        max     a0, a1, a2", "# a0 = 5"),
        Op::Maxu => lines!(
            "        li      a1, -1          # 2^32 - 1 as an unsigned number",
            "        maxu    a0, a1, zero",
            "# a0 = -1"
        ),
        Op::Rol => lines!(
            "        li      a1, 0x80000001",
            "        li      a2, 4",
            "        rol     a0, a1, a2",
            "# a0 = 0x18"
        ),
        Op::Ror => lines!(
            "        li      a1, 0x80000001",
            "        li      a2, 4",
            "        ror     a0, a1, a2",
            "# a0 = 0x18000000"
        ),
        Op::Rori => lines!("        li      a1, 0x12345678", "        rori    a0, a1, 16", "# a0 = 0x56781234"),
        Op::OrcB => lines!("        li      a1, 0x00120300", "        orc.b   a0, a1", "# a0 = 0x00ffff00"),
        Op::Rev8 => lines!("        li      a1, 0x12345678", "        rev8    a0, a1", "# a0 = 0x78563412"),
        Op::VAdd => lines!(
            "        vlui    v1, 32767",
            "        vlui    v2, 2",
            "        vadd    v3, v1, v2      # wraps",
            "# v3 = -32767"
        ),
        Op::VAddS => lines!(
            "        vlui    v1, 32767",
            "        vlui    v2, 2",
            "        vadd_s  v3, v1, v2      # saturates",
            "# v3 = 32767"
        ),
        Op::VSub => lines!(
            "        vlui    v1, -32768",
            "        vlui    v2, 1",
            "        vsub    v3, v1, v2      # wraps",
            "# v3 = 32767"
        ),
        Op::VSubS => lines!(
            "        vlui    v1, -32768",
            "        vlui    v2, 1",
            "        vsub_s  v3, v1, v2      # saturates",
            "# v3 = -32768"
        ),
        Op::VAnd => {
            lines!("        vlui    v1, 0b1100", "        vlui    v2, 0b1010", "        vand    v3, v1, v2", "# v3 = 8")
        }
        Op::VSll => lines!(
            "        vlui    v1, 3",
            "        vloadv  v2, 0(zero)",
            "        vsll    v3, v1, v2",
            "        .vector",
            "        .half   0, 4, 17        # 17 mod 16 = 1",
            "# v3[0] = 3, v3[1] = 48, v3[2] = 6"
        ),
        Op::VSra => lines!(
            "        vlui    v1, -20",
            "        vloadv  v2, 0(zero)",
            "        vsra    v3, v1, v2",
            "        .vector",
            "        .half   0, 2, 15",
            "# v3[0] = -20, v3[1] = -5, v3[2] = -1"
        ),
        Op::VMul => lines!(
            "        vlui    v1, 1536        # 1.5 in s5.10",
            "        vlui    v2, -2560       # -2.5 in s5.10",
            "        vmul    v3, v1, v2, 10",
            "# v3 = -3840"
        ),
        Op::VMulRn => lines!(
            "        vlui    v1, 5",
            "        vlui    v2, 3",
            "        vmul_rn v3, v1, v2, 1   # 15 / 2",
            "        vmul    v4, v1, v2, 1",
            "# v3 = 8, v4 = 7"
        ),
        Op::VMulRs => lines!(
            "        vloadr0 0(zero)         # lane 0 will draw 513, the others 0",
            "        vlui    v1, 5",
            "        vlui    v2, 3",
            "        vmul_rs v3, v1, v2, 4   # lane 0: (15 + (513 & 15)) >> 4",
            "        .vector",
            "        .half   1",
            "# v3[0] = 1, v3[1] = 0"
        ),
        Op::VMulS => lines!(
            "        vlui    v1, 20480       # 20 in s5.10",
            "        vlui    v2, 2048        # 2 in s5.10",
            "        vmul_s  v3, v1, v2, 10",
            "# v3 = 32767"
        ),
        Op::VMulSRn => lines!(
            "        vlui    v1, 5",
            "        vlui    v2, 3",
            "        vmul_s_rn v3, v1, v2, 1",
            "        vlui    v4, 32767",
            "        vmul_s_rn v5, v4, v4, 1",
            "# v3 = 8, v5 = 32767"
        ),
        Op::VMulSRs => lines!(
            "        vloadr0 0(zero)         # lane 0 will draw 513, the others 0",
            "        vlui    v1, 5",
            "        vlui    v2, 3",
            "        vmul_s_rs v3, v1, v2, 4",
            "        vlui    v4, -32768",
            "        vmul_s_rs v5, v4, v4, 4",
            "        .vector",
            "        .half   1",
            "# v3[0] = 1, v3[1] = 0, v5 = 32767"
        ),
        Op::VSlli => lines!("        vlui    v1, 0x4001", "        vslli   v2, v1, 1", "# v2 = -32766"),
        Op::VSrai => lines!("        vlui    v1, -15", "        vsrai   v2, v1, 2       # -3.75, down", "# v2 = -4"),
        Op::VSraiRn => lines!(
            "        vlui    v1, -14",
            "        vsrai_rn v2, v1, 2      # -3.5: halves go up",
            "        vlui    v3, 32767",
            "        vsrai_rn v4, v3, 1",
            "# v2 = -3, v4 = 16384"
        ),
        Op::VSraiRs => lines!(
            "        vloadr0 0(zero)         # lane 0 will draw 513, the others 0",
            "        vlui    v1, 15",
            "        vsrai_rs v2, v1, 4",
            "        .vector",
            "        .half   1",
            "# v2[0] = 1, v2[1] = 0"
        ),
        Op::VTeq => lines!(
            "        vloadv  v1, 0(zero)",
            "        vlui    v2, 5",
            "        vteq    a0, v1, v2",
            "        .vector",
            "        .half   5, 4, 5",
            "# a0 = 0b101"
        ),
        Op::VTne => lines!(
            "        vloadv  v1, 0(zero)",
            "        vlui    v2, 0",
            "        vtne    a0, v1, v2",
            "        .vector",
            "        .half   5, 0, -5",
            "# a0 = 0b101"
        ),
        Op::VTlt => lines!(
            "        vloadv  v1, 0(zero)",
            "        vlui    v2, 0",
            "        vtlt    a0, v1, v2",
            "        .vector",
            "        .half   -1, 1, -32768, 32767",
            "# a0 = 0b101"
        ),
        Op::VTge => lines!(
            "        vloadv  v1, 0(zero)     # membrane potentials",
            "        vlui    v2, 100         # the threshold",
            "        vtge    a0, v1, v2      # which lanes spike",
            "        .vector",
            "        .half   99, 100, 101, -500",
            "# a0 = 0b0110"
        ),
        Op::VSel => lines!(
            "        vlui    v1, 7",
            "        vlui    v2, -7",
            "        li      a1, 0b101       # lanes 0 and 2",
            "        vsel    v1, a1, v2",
            "# v1[0] = -7, v1[1] = 7, v1[2] = -7, v1[3] = 7"
        ),
        Op::VLui => lines!("        vlui    v1, -300", "        vlui    v2, 0xffff", "# v1 = -300, v2 = -1"),
        Op::VFill => lines!("        li      a1, -300", "        vfill   v1, a1", "# v1 = -300"),
        Op::VExtract => lines!(
            "        vloadv  v1, 0(zero)",
            "        vextract a0, v1, 2",
            "        .vector",
            "        .half   10, 20, -30",
            "# a0 = -30"
        ),
        Op::VRng => lines!(
            "        vloadr0 0(zero)         # lane 0: s0 = 1, s1 = 0",
            "        vrng    v1              # (rotl(1, 9) + 1) >> 1",
            "        .vector",
            "        .half   1",
            "# v1[0] = 256, v1[1] = 0"
        ),
        Op::VAndAdd => lines!(
            "        vlui    v1, 0x1234      # a weight above an index of 8 bits",
            "        li      a1, 1000        # where a table begins",
            "        vandadd v2, v1, a1, 8",
            "# v2 = 1052"
        ),
        Op::VLoadV => lines!(
            "        la      a1, row",
            "        vloadv  v1, 64(a1)",
            "        .vector",
            "row:    .space  64",
            "        .half   7, -8",
            "# v1[0] = 7, v1[1] = -8, v1[2] = 0"
        ),
        Op::VLoadL => lines!(
            "        vlui    v1, 5",
            "        vloadv  v2, 0(zero)     # an address for each lane; the last is negative",
            "        vstorel v1, 0(v2)",
            "        vlui    v3, -1",
            "        vloadl  v3, 0(v2)",
            "        .vector",
            "        .half   2, 4, -2",
            "# v3[0] = 5, v3[1] = 5, v3[2] = -1"
        ),
        Op::VLoadR0 => lines!(
            "        vloadr0 0(zero)         # lane 0: s0 = 1, s1 = 0",
            "        vrng    v1",
            "        .vector",
            "        .half   1",
            "# v1[0] = 256"
        ),
        Op::VLoadR1 => lines!(
            "        vloadr1 0(zero)         # lane 0: s0 = 0, s1 = 2",
            "        vrng    v1              # rotl(2, 9) >> 1",
            "        .vector",
            "        .half   2",
            "# v1[0] = 512"
        ),
        Op::VStore => lines!(
            "        vlui    v1, -9",
            "        li      a1, 128",
            "        vstore  v1, -64(a1)",
            "# vmem[64][0] = -9, vmem[64][31] = -9, vmem[128][0] = 0"
        ),
        Op::VStoreL => lines!(
            "        vlui    v1, 9",
            "        vloadv  v2, 0(zero)     # an address for each lane; the last is negative",
            "        vstorel v1, 2(v2)",
            "        .vector",
            "        .half   4, 6, -2",
            "# llm[0][6] = 9, llm[1][8] = 9, llm[2][0] = 0"
        ),
    }
}
