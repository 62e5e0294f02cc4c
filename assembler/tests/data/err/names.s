# Names that do not exist, or exist twice.
start:  vaddd   v0, v1, v2
        vmul_srs v0, v1, v2, 3
        .wrod   5
        .globl  strat, missing
        j       strat
        csrr    a0, mcycles
        j       1f
1:      j       2b
start:  nop
        .equ    start, 5
        .equ    x, 1
x:      nop
a0:     nop
        .equ    v3, 1
        .equ    p, q
        .equ    q, r + 1
        .equ    r, p
        .word   p
        lui     a0, %high(5)
        addi    a0, a0, %pcrel_lo(start)
