# Spikes through synapses with delays: what arrives now was sent up to SLOTS - 1 steps ago.
#
#       ring[(now + d) mod SLOTS][j] += w       for every source that fired and every synapse (j, d, w) of its row
#       I[j] = ring[now][j]; ring[now][j] = 0   at the beginning of each step
#
# Each lane keeps a ring of SLOTS slots in its lane-local memory, a slot being one halfword for each of its N neurons.
# Both are powers of two and the whole ring has 2^DELAYED_BITS = 2 N SLOTS bytes, so that going round is a matter of
# dropping bits. A synapse is one halfword, the place in a ring whose first slot is now in the low bits:
#
#       synapse = weight << DELAYED_BITS | 2 * (N * delay + target)
#
# With DELAYED_BITS = 9, 64 slots leave room for 4 neurons per lane (128 in all) and 7 bits of weight. Rows are padded
# with 0, which is nothing with no delay onto target 0.
#
# Registers: as in propagate_dense.s; v0 synapses, v1 addresses, v2 ring, v3 weights, v4 where the ring begins now.
#
# Instructions: 9 per vector (one more than without delay), 8 per spike, 4 or 5 per word of spikes; to collect, 7 per
# vector.

        .equ    DELAYED_BITS, 9         # the ring has 2^DELAYED_BITS bytes in each lane

        .text

# propagate_delayed(a0 = spikes, in scalar memory; a1 = words of them; a2 = rows, in vector memory; a3 = bytes per row,
#                   at least 64; a4 = ring, address in lane-local memory; a5 = 2 N now, the ring's present beginning)
        .globl  propagate_delayed
propagate_delayed:
        beqz    a1, 5f
        slli    a1, a1, 2
        add     a1, a0, a1
        slli    t5, a3, 5               # t5: bytes of 32 rows
        vfill   v4, a5
1:      lw      t0, 0(a0)
        addi    a0, a0, 4
        beqz    t0, 4f

2:      ctz     t1, t0                  # the lowest spike, ...
        addi    t2, t0, -1
        and     t0, t0, t2              # ... which is now done with
        mul     t1, t1, a3
        add     t1, t1, a2              # t1: its row
        add     t2, t1, a3              # t2: the row's end
        vloadv  v0, 0(t1)
3:      addi    t1, t1, 64
        vadd    v1, v0, v4              # from the ring's beginning to the present one; carries go into the weight ...
        vsrai   v3, v0, DELAYED_BITS
        vandadd v1, v1, a4, DELAYED_BITS        # ... and are dropped here, so that the end joins the beginning
        vloadl  v2, 0(v1)
        vloadv  v0, 0(t1)               # the next synapses, while the ring's halfwords arrive
        vadd_s  v2, v2, v3
        vstorel v2, 0(v1)
        bne     t1, t2, 3b
        bnez    t0, 2b

4:      add     a2, a2, t5
        bne     a0, a1, 1b
5:      ret

# collect_delayed(a0 = I, in vector memory; a1 = present slot, address in lane-local memory; a2 = neurons per lane, N)
#
#       I[j] = ring[now][j]; ring[now][j] = 0
        .globl  collect_delayed
collect_delayed:
        vfill   v0, a1
        vlui    v2, 2
        vlui    v3, 0
        beqz    a2, 2f
1:      vloadl  v1, 0(v0)
        addi    a2, a2, -1
        vstorel v3, 0(v0)
        vadd    v0, v0, v2
        vstore  v1, 0(a0)
        addi    a0, a0, 64
        bnez    a2, 1b
2:      ret
