# Products of fixed-point numbers, rounded in the three ways the machine knows.
#
# Two numbers with f and g fraction bits have a product with f + g; shifting it right brings it back to the format that
# is wanted. What becomes of the bits shifted out:
#
#       vmul     p >> s                         towards minus infinity, half a unit too little on average
#       vmul_rn  (p + 2^(s-1)) >> s             to the nearest, halves upwards
#       vmul_rs  (p + r) >> s, r = 0 .. 2^s - 1 stochastically: each lane draws r from its own generator, so that the
#                                               result is one of both neighbours, and right on average
#
# The first loses a little in every step of a decay, and a membrane that should rest at a small value sinks; the second
# stays where a step's change is less than half a unit; the third follows the exact value, on average, for ever.
#
# Instructions: 12 for the three products of 32 pairs.

        .equ    MULTIPLY_SHIFT, 15      # operands and products in s0.15

        .text

# rng_seed(a0 = two vectors, in vector memory): the generators' states. A lane whose two halfwords are both 0 gives
# zeros for ever.
        .globl  rng_seed
rng_seed:
        vloadr0 0(a0)
        vloadr1 64(a0)
        ret

# multiply(a0 = products, a1 = operands, both in vector memory, a2 = records, at least 1)
#
# A record is three vectors: of operands a, b and anything; of products down, nearest and stochastic.
        .globl  multiply
multiply:
1:      vloadv  v0, 0(a1)
        vloadv  v1, 64(a1)
        addi    a1, a1, 192
        addi    a2, a2, -1
        vmul    v2, v0, v1, MULTIPLY_SHIFT
        vmul_rn v3, v0, v1, MULTIPLY_SHIFT
        vmul_rs v4, v0, v1, MULTIPLY_SHIFT
        vstore  v2, 0(a0)
        vstore  v3, 64(a0)
        vstore  v4, 128(a0)
        addi    a0, a0, 192
        bnez    a2, 1b
        ret
