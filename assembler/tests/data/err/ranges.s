# Numbers that do not fit, and places that do not exist.
start:  addi    a0, a0, 2048
        addi    a0, a0, -2049
        lui     a0, 0x100000
        slli    a0, a0, 32
        vmul    v0, v0, v0, 16
        vextract a0, v0, 32
        vlui    v0, 65536
        csrwi   mscratch, 32
        li      a0, 0x100000000
        beq     a0, a1, far
        beq     a0, a1, 8
        beq     a0, a1, data
        j       . + 2
        j       . + 3
        .word   1 << 32, 1 << 70, 1 / 0, 9223372036854775807 + 1, start + start
        .byte   256, -129
        .half   65536
        .balign 3
        .p2align 30
        .space  -1
        .space  later
        .space  undefined
        .balign 2
        .byte   1
        addi    a0, a0, 0
        .space  4096
far:    nop
        .equ    later, 4
        .org    0
        .space  0xffffffff
        .word   1
        .data
data:   nop
        .space  200000
        .lane
        .half   1
row:    .half   row
