# Every section and every data directive.
        .text
        .globl  main
        .type   main, @function
main:   la      a0, words
        lw      a1, (a0)                # a left-out offset is 0
        la      a2, vectors
        vloadv  v0, 64(a2)
        vlui    v1, table + 2           # the second row of lane-local memory
        vloadl  v2, -2(v1)
        ecall
        .size   main, . - main

        .data
words:  .word   1, -1, 0xffffffff, words + 4, end - words
        .half   -32768, 65535
        .byte   'a', '\n', 255, -128
        .ascii  "ab", "c\x41\0"
        .asciz  "é"
        .string "s"
        .p2align 3
        .space  3, 0xaa
        .zero   2
end:
        .section .rodata.constants, "a", @progbits
more:   .word   . - words               # .rodata goes on where .data ended

        .vector
        .space  64
vectors:
        .half   1, 2, 3
        .balign 64
        .half   -1

        .lane
        .space  64 * 4
        .globl  table
table:  .half   7
        .balign 64
        .half   8
        .size   table, 4

        .dram
        .space  2048                    # long runs of zeros are not stored
        .type   image, %object
image:  .word   0x12345678
        .org    0x1000
        .byte   1
