# Vector memory: copy and fill.
#
# Vector memory is read and written 64 bytes at a time: one 16-bit number for each of the 32 lanes. Addresses and
# lengths are multiples of 64.
#
# Instructions: 2.75 per vector to copy and 1.5 to fill, in blocks of four vectors; what is left over takes 5 and 3
# each. A loaded vector is ready two cycles later, so a block loads all four before it stores the first.

        .text

# memcpy_vector(a0 = to, a1 = from, a2 = bytes)
#
#       to[i] = from[i]         for i = 0 .. bytes - 1, rising
#
# The areas must not overlap, unless `to` lies at least 256 bytes below `from`.
        .globl  memcpy_vector
memcpy_vector:
        andi    t1, a2, 192             # bytes of the last vectors, fewer than four
        add     t2, a0, a2              # t2: the end
        sub     t0, t2, t1              # t0: where the blocks of four end
        beq     a0, t0, 2f
1:      vloadv  v0, 0(a1)
        vloadv  v1, 64(a1)
        vloadv  v2, 128(a1)
        vloadv  v3, 192(a1)
        addi    a1, a1, 256
        vstore  v0, 0(a0)
        vstore  v1, 64(a0)
        vstore  v2, 128(a0)
        vstore  v3, 192(a0)
        addi    a0, a0, 256
        bne     a0, t0, 1b
2:      beq     a0, t2, 4f
3:      vloadv  v0, 0(a1)
        addi    a1, a1, 64
        addi    a0, a0, 64
        vstore  v0, -64(a0)
        bne     a0, t2, 3b
4:      ret

# memset_vector(a0 = to, a1 = number, a2 = bytes)
#
#       to[i] = number          for every halfword i; the number's low 16 bits count
        .globl  memset_vector
memset_vector:
        sext.h  a1, a1                  # vfill takes the sign from bit 31
        vfill   v0, a1
        andi    t1, a2, 192
        add     t2, a0, a2
        sub     t0, t2, t1
        beq     a0, t0, 2f
1:      vstore  v0, 0(a0)
        vstore  v0, 64(a0)
        vstore  v0, 128(a0)
        vstore  v0, 192(a0)
        addi    a0, a0, 256
        bne     a0, t0, 1b
2:      beq     a0, t2, 4f
3:      vstore  v0, 0(a0)
        addi    a0, a0, 64
        bne     a0, t2, 3b
4:      ret
