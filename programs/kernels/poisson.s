# Random counts with a Poisson distribution.
#
#       k = the number of uniform numbers that can be multiplied until their product is at most exp(-lambda), less 1
#
# Each lane draws uniform numbers in [0, 1) with 15 fraction bits from its own generator and multiplies them, p being in
# s1.14 and beginning at 1. Lanes go on until the last of them is done; those that are done only see p shrink further.
#
# The threshold has 14 fraction bits as well. At lambda = 5 it is 110 units and the mean is right to a tenth of a
# percent; at 8 it is 5 units and the mean 4 % off: add up counts of smaller lambdas then, which is a Poisson count of
# their sum. For lambda well below 1, comparing one uniform number with the distribution's few steps is cheaper.
#
# Registers: v0 threshold, v1 one, v2 p, v3 count, v4 uniform number and next count; t0 the lanes that go on.
#
# Instructions: 6 for each round of 32 lanes, and the round count is that of the lane with most: about 12 at lambda = 5.

        .text

# poisson(a0 = counts, in vector memory; a1 = vectors of them; a2 = round(2^14 exp(-lambda)))
#
# The generators have been seeded: see rng_seed in multiply.s.
        .globl  poisson
poisson:
        beqz    a1, 3f
        vfill   v0, a2
        vlui    v1, 1
1:      vlui    v2, 1 << 14             # p = 1
        vlui    v3, 0                   # k = 0
2:      vrng    v4
        vmul_rn v2, v2, v4, 15          # p = p U
        vtlt    t0, v0, v2              # where it is still above the threshold ...
        vadd    v4, v3, v1
        vsel    v3, t0, v4              # ... k = k + 1
        bnez    t0, 2b
        vstore  v3, 0(a0)
        addi    a0, a0, 64
        addi    a1, a1, -1
        bnez    a1, 1b
3:      ret
