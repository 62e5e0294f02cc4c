# Spikes through sparse synapses: each source reaches some targets.
#
#       I[j] = saturate(I[j] + w)               for every source that fired, rising, and every synapse (j, w) of its row
#
# A synapse is one halfword: the target's address in lane-local memory in the low SPARSE_BITS bits, and above it the
# weight, signed:
#
#       synapse = weight << SPARSE_BITS | 2 * target            target: 0 ... 2^(SPARSE_BITS - 1) - 1 of that lane
#
# Neuron n lives in lane n mod 32, as its target n div 32, so lane l's synapses lead to lane l's neurons: a row
# is as many vectors as the lane with most synapses needs, and the others are filled up with 0 (nothing onto target 0).
# Since every lane reads and writes at its own address, 32 synapses on 32 different targets take one pass.
#
# Two synapses of one lane may have the same target, so a vector is finished before the next begins; the halfword is
# loaded one vector ahead (also behind the last one: the row after it, or one vector beyond the last row).
#
# Registers: as in propagate_dense.s; v0 synapses, v1 addresses, v2 targets, v3 weights.
#
# Instructions: 8 per vector, 8 per spike, 4 or 5 per word of spikes.

        .equ    SPARSE_BITS, 10         # bits of an address; 16 less this for the weight

        .text

# propagate_sparse(a0 = spikes, in scalar memory; a1 = words of them; a2 = rows, in vector memory; a3 = bytes per row,
#                  at least 64; a4 = targets I, address in lane-local memory)
        .globl  propagate_sparse
propagate_sparse:
        beqz    a1, 5f
        slli    a1, a1, 2
        add     a1, a0, a1
        slli    t5, a3, 5               # t5: bytes of 32 rows
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
        vandadd v1, v0, a4, SPARSE_BITS # address = low bits + base
        vsrai   v3, v0, SPARSE_BITS     # weight
        vloadl  v2, 0(v1)
        vloadv  v0, 0(t1)               # the next synapses, while the targets arrive
        vadd_s  v2, v2, v3
        vstorel v2, 0(v1)
        bne     t1, t2, 3b
        bnez    t0, 2b

4:      add     a2, a2, t5
        bne     a0, a1, 1b
5:      ret
