# Code that nothing reaches, results that are lost, registers that nobody sets.
        .globl  _start
_start: addi    x0, a0, 1
        lw      zero, 0(a0)
        nop                             # is `addi x0, x0, 0`
        jal     x0, 1f                  # a jump without return address
        csrrw   x0, mscratch, a0
        addi    a0, a0, 1
1:      beq     a0, a1, . + 8
        j       2f
        vadd    v0, v1, v2              # the branch comes here
        add     a0, t0, a1
        add     a0, t0, a1              # told once
        add     a0, a0, sp              # the caller's
        j       3f
        .word   0x13                    # no instruction of the source
2:      ret
        li      a1, 5
3:      addi    a0, a0, 1
