// C's operators with C's precedence.
        .data
        .equ    a, 6
        b = a * 2 + 1                   /* 13 */
        .word   a + b * 2, (a + b) * 2, -a - -b, b / a, b % a, -b / a
        .word   1 << 4 | 3 & 2 ^ 1, 0x80 >> 3 + 1, ~0, !0, !5, 1 < 2 == 1
        .word   a > b, a <= 6, a >= 7, a == 6, a != 6, a && 0, a || 0, 0 && 1 / 0
        .word   a > 3 ? 100 : 200, a < 3 ? 1 : b < 3 ? 2 : 3
        .word   'A', '\\', 0b1010_0101, 0o17, 1_000, later
        .equ    a, 7                    # from here on; `b` keeps the value it was given
        .word   a, b
        .set    a, a + 1
        .word   a
        .equ    later, a * 10

        .text
start:  lui     t0, %hi(0x12345fff)
        addi    t0, t0, %lo(0x12345fff)
here:   auipc   t1, %pcrel_hi(target)
        addi    t1, t1, %pcrel_lo(here)
        addi    t2, zero, . - start
        addi    t2, zero, (target - start) / 4
        beq     t0, t1, . + 8
        j       start
1:      bnez    t0, 1f
        j       1b
1:      j       1b
target: vlui    v0, later
        vlui    v1, 0xffff
        vlui    v2, -1
