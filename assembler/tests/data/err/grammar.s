# Each line breaks the grammar in its own way.
        add     a0, a1
        add     a0, a1, a2, a3
        add     a0, a1, 5
        vadd    v0, v1, a0
        lw      a0, 4 a1
        lw      a0, 4(5)
        addi    a0, a1, a2
        addi    a0, a1, (1 + 2
        li      a0, 1 +
        5 + 5
        ecall   1
        .word   1,
        .word
        .ascii  hello
        .ascii  "open
        .type   x, function
        .section here
        .option rvc
        mv      $, a1
        ? ! é
        .byte   'ab'
        .byte   0x, 012, 5z, "\q"
        x: y: 5z: nop
/* never closed
