# Double buffering: rows of weights stream in from DRAM while the previous ones are being added up.
#
#       I[j] = saturate(I[j] + w[list[k]][j])   for k = 0 .. count - 1, and every target j
#
# A network's weights may be far larger than vector memory. The list says which rows are wanted, such as those of the
# sources that fired. There are two buffers in vector memory, each a row long. While the core adds up the row in one of
# them, the DMA engine fills the other:
#
#       engine   row 0 -> A | row 1 -> B | row 2 -> A | row 3 -> B |
#       core                |  add A     |  add B     |  add A     |  add B
#
# The core waits only where a transfer takes longer than an addition: both need about as many cycles per vector (4 and
# 7), so nearly all of the transfers are hidden but the first one.
#
# Registers: a0 list, a1 its end, a2 rows in DRAM, a3 bytes per row, a4 targets, a5 the buffer being filled, a6 the
# other one, t0-t3 scratch, v0 weights, v1 targets.
#
# Instructions: 7 per vector, about 16 per row, and 3 for each look at the status register while waiting.

        .equ    ROWS_IDLE, 1 << 1       # status: no transfer is in progress
        .equ    ROWS_ERRORS, 0x70       # status: bits of the three kinds of error

        .text

# dma_rows(a0 = list of row numbers, words in scalar memory; a1 = how many; a2 = rows, in DRAM; a3 = bytes per row, a
#          multiple of 64; a4 = targets I, in vector memory; a5 = two buffers of a row each, in vector memory)
#
# Returns in a0: 0, or the error bits of the status register.
        .globl  dma_rows
dma_rows:
        beqz    a1, 6f
        slli    a1, a1, 2
        add     a1, a0, a1
        add     a6, a5, a3
        csrw    mm2s_count, a3          # every transfer is a row
        lw      t0, 0(a0)               # the first row goes into the first buffer
        addi    a0, a0, 4
        mul     t0, t0, a3
        add     t0, t0, a2
        csrw    mm2s_src_addr, t0
        csrw    mm2s_dst_addr, a5
        csrwi   mm2s_control, 1

1:      csrr    t0, mm2s_status         # wait for the row in a5
        andi    t1, t0, ROWS_IDLE
        beqz    t1, 1b
        andi    t0, t0, ROWS_ERRORS
        bnez    t0, 7f
        mv      t2, a5                  # from now on the buffers have changed places
        mv      a5, a6
        mv      a6, t2
        mv      t3, a0                  # t3: the list's end, if this was the last row
        beq     a0, a1, 2f
        lw      t0, 0(a0)               # start the next transfer before anything else
        addi    a0, a0, 4
        mul     t0, t0, a3
        add     t0, t0, a2
        csrw    mm2s_src_addr, t0
        csrw    mm2s_dst_addr, a5
        csrwi   mm2s_control, 1

2:      add     t1, a4, a3              # add the row in a6, which is also t2, to the targets
        mv      t0, a4
3:      vloadv  v0, 0(t2)
        vloadv  v1, 0(t0)
        addi    t2, t2, 64
        addi    t0, t0, 64
        vadd_s  v1, v1, v0
        vstore  v1, -64(t0)
        bne     t0, t1, 3b
        bne     t3, a1, 1b              # a transfer was started: wait for it

6:      li      a0, 0
        ret
7:      mv      a0, t0
        ret
