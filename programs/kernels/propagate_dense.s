# Spikes through dense synapses: every source reaches every target.
#
#       I[j] = saturate(I[j] + w[i][j])         for every source i that fired, rising, and every target j
#
# Spikes are one bit per source, 32 to a word, source 32 k + b at bit b of word k; they are found with `ctz`, which
# counts the zeros below the lowest set bit. Weights are one row per source, 32 targets to a vector, in the format of I.
# Saturating after every row keeps a strong input from wrapping round.
#
# Registers: a0 spike word, a1 end of the spike words, a2 row of the word's bit 0, a3 bytes per row, t0 the bits to be
# done, t1 the row, t2 the targets, t3 where the blocks of four vectors end, t4 where the targets end, v0-v3 weights,
# v4-v7 targets.
#
# Instructions: 4.75 per vector in blocks of four, 7 for each vector left over, 9 per spike, 4 or 5 per word of spikes.

        .text

# propagate_dense(a0 = spikes, in scalar memory; a1 = words of them; a2 = weights, in vector memory; a3 = bytes per row;
#                 a4 = targets I, in vector memory)
        .globl  propagate_dense
propagate_dense:
        beqz    a1, 7f
        slli    a1, a1, 2
        add     a1, a0, a1
        add     t4, a4, a3
        andi    t3, a3, 192
        sub     t3, t4, t3
        slli    t5, a3, 5               # t5: bytes of 32 rows
1:      lw      t0, 0(a0)
        addi    a0, a0, 4
        beqz    t0, 6f

2:      ctz     t1, t0                  # the lowest spike, ...
        addi    t2, t0, -1
        and     t0, t0, t2              # ... which is now done with
        mul     t1, t1, a3
        add     t1, t1, a2
        mv      t2, a4
        beq     t2, t3, 4f
3:      vloadv  v0, 0(t1)
        vloadv  v4, 0(t2)
        vloadv  v1, 64(t1)
        vloadv  v5, 64(t2)
        vloadv  v2, 128(t1)
        vloadv  v6, 128(t2)
        vloadv  v3, 192(t1)
        vloadv  v7, 192(t2)
        vadd_s  v4, v4, v0
        vadd_s  v5, v5, v1
        vadd_s  v6, v6, v2
        vadd_s  v7, v7, v3
        vstore  v4, 0(t2)
        vstore  v5, 64(t2)
        vstore  v6, 128(t2)
        vstore  v7, 192(t2)
        addi    t1, t1, 256
        addi    t2, t2, 256
        bne     t2, t3, 3b
4:      beq     t2, t4, 8f
5:      vloadv  v0, 0(t1)
        vloadv  v4, 0(t2)
        addi    t1, t1, 64
        addi    t2, t2, 64
        vadd_s  v4, v4, v0
        vstore  v4, -64(t2)
        bne     t2, t4, 5b
8:      bnez    t0, 2b                  # the next spike of this word

6:      add     a2, a2, t5
        bne     a0, a1, 1b
7:      ret
