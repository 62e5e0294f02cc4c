# DRAM: copy and fill, by way of a buffer in vector memory.
#
# The core cannot touch DRAM. A DMA engine moves data between DRAM and vector memory: the channel `mm2s` into vector
# memory, `s2mm` out of it. A program writes source, destination and length into the channel's CSRs and then 1 into its
# control register; the status register says when it is done. Addresses and lengths are multiples of 64; one transfer
# moves at most 524,224 bytes.
#
# Cycles: a transfer of n vectors takes 10 + 4 n (published figure), so a copy takes 8 per vector and a fill 4.

        .equ    DMA_IDLE, 1 << 1        # status: no transfer is in progress
        .equ    DMA_ERRORS, 0x70        # status: bits of the three kinds of error

        .text

# memcpy_dram(a0 = to, a1 = from, a2 = bytes, a3 = buffer in vector memory, a4 = its bytes)
#
#       to[i] = from[i]         for i = 0 .. bytes - 1, a buffer at a time, rising
#
# Returns in a0: 0, or the error bits of the status register. The areas must not overlap.
        .globl  memcpy_dram
memcpy_dram:
        beqz    a2, 4f
1:      minu    t0, a2, a4              # t0: bytes of this part
        csrw    mm2s_src_addr, a1
        csrw    mm2s_dst_addr, a3
        csrw    mm2s_count, t0
        csrwi   mm2s_control, 1
2:      csrr    t1, mm2s_status
        andi    t2, t1, DMA_IDLE
        beqz    t2, 2b
        andi    t1, t1, DMA_ERRORS
        bnez    t1, 5f
        csrw    s2mm_src_addr, a3
        csrw    s2mm_dst_addr, a0
        csrw    s2mm_count, t0
        csrwi   s2mm_control, 1
3:      csrr    t1, s2mm_status
        andi    t2, t1, DMA_IDLE
        beqz    t2, 3b
        andi    t1, t1, DMA_ERRORS
        bnez    t1, 5f
        add     a0, a0, t0
        add     a1, a1, t0
        sub     a2, a2, t0
        bnez    a2, 1b
4:      li      a0, 0
        ret
5:      mv      a0, t1
        ret

# memset_dram(a0 = to, a1 = number, a2 = bytes, a3 = buffer in vector memory, a4 = its bytes)
#
#       to[i] = number          for every halfword i; the number's low 16 bits count
#
# Returns in a0: 0, or the error bits of the status register.
        .globl  memset_dram
memset_dram:
        beqz    a2, 4f
        minu    t0, a2, a4              # no more of the buffer than is wanted
        add     t1, a3, t0
        mv      t2, a3
        sext.h  a1, a1                  # vfill takes the sign from bit 31
        vfill   v0, a1
1:      vstore  v0, 0(t2)
        addi    t2, t2, 64
        bne     t2, t1, 1b
2:      minu    t0, a2, a4              # t0: bytes of this part
        csrw    s2mm_src_addr, a3
        csrw    s2mm_dst_addr, a0
        csrw    s2mm_count, t0
        csrwi   s2mm_control, 1
3:      csrr    t1, s2mm_status
        andi    t2, t1, DMA_IDLE
        beqz    t2, 3b
        andi    t1, t1, DMA_ERRORS
        bnez    t1, 5f
        add     a0, a0, t0
        sub     a2, a2, t0
        bnez    a2, 2b
4:      li      a0, 0
        ret
5:      mv      a0, t1
        ret
