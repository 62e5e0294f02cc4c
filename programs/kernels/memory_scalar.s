# Scalar memory: copy and fill.
#
# Kernels here are functions with the usual calling convention: arguments in a0, a1, ..., the return address in ra, and
# t and v registers are the function's to use. Assemble a kernel together with the program that calls it:
#
#       fenn-as program.s memory_scalar.s -o program.elf
#
# Instructions: to copy, 5 per word where both addresses are multiples of 4, else 5 per byte; to fill, 3. A loaded value
# is used two instructions later, which is when it is ready: the address counts on meanwhile.

        .text

# memcpy_scalar(a0 = to, a1 = from, a2 = bytes)
#
#       to[i] = from[i]         for i = 0 .. bytes - 1, rising
#
# The areas must not overlap, unless `to` lies below `from`.
        .globl  memcpy_scalar
memcpy_scalar:
        or      t0, a0, a1
        andi    t0, t0, 3
        bnez    t0, 2f                  # not both aligned: byte by byte
        andi    t1, a2, -4
        add     t1, a0, t1              # t1: where the whole words end
        beq     a0, t1, 2f
1:      lw      t0, 0(a1)
        addi    a0, a0, 4
        addi    a1, a1, 4
        sw      t0, -4(a0)
        bne     a0, t1, 1b
        andi    a2, a2, 3               # and up to three bytes are left
2:      beqz    a2, 4f
        add     t1, a0, a2
3:      lbu     t0, 0(a1)
        addi    a0, a0, 1
        addi    a1, a1, 1
        sb      t0, -1(a0)
        bne     a0, t1, 3b
4:      ret

# memset_scalar(a0 = to, a1 = byte, a2 = bytes)
#
#       to[i] = byte            for i = 0 .. bytes - 1
        .globl  memset_scalar
memset_scalar:
        beqz    a2, 4f
        add     t2, a0, a2              # t2: the end
        andi    t0, a0, 3
        bnez    t0, 3f
        andi    a1, a1, 255
        slli    t0, a1, 8
        or      a1, a1, t0
        slli    t0, a1, 16
        or      a1, a1, t0              # a1: the byte, four times
        andi    t1, a2, -4
        add     t1, a0, t1
        beq     a0, t1, 3f
2:      sw      a1, 0(a0)
        addi    a0, a0, 4
        bne     a0, t1, 2b
        beq     a0, t2, 4f
3:      sb      a1, 0(a0)
        addi    a0, a0, 1
        bne     a0, t2, 3b
4:      ret
