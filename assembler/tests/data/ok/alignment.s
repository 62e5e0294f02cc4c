# Gaps in code are nops, gaps elsewhere zeros; statements end at `;` too.
        nop; nop
        .balign 16
        ecall ; .align 2 ; ecall
        .option norelax
        .data; .byte 1; .balign 4; .byte 2; .align 3; .byte 3
        .text
        ecall
