# The exponential function of 32 numbers at a time.
#
#       y = saturate(exp(x))
#
# x has EXP_X_FRACTION fraction bits (5 to 14), y has EXP_Y_FRACTION (0 to 14). As it stands: s2.13 to s6.9, so from
# exp(-4) = 0.018 to exp(4) = 54.6.
#
# exp(x) = 2^K exp(R), where K is x / ln 2 rounded to an integer and R = x - K ln 2 lies between -ln 2 / 2 and ln 2 / 2:
#
#       1. K = round(x / ln 2), R = x - round(K ln 2)
#       2. R / ln 2 + 1/2 lies between 0 and 1. Its first six bits select an interval of a table of exp, the other nine a
#          place in it; between two entries the function is taken for a straight line.
#       3. The result, in s1.14 and about 0.7 to 1.4, is shifted by K: to the right with sign, to the left with
#          saturation.
#
# The table has 65 entries. Every lane looks up a different one, which only lane-local memory can do, so every lane has
# a copy there: call exp_init once to put them there.
#
# How good it is: of all 65,536 values of x in s2.13, 95.9 % are less than one unit of s6.9 off, none more than 3.4, and
# the function never falls. Where exp(x) is greater than y's format can hold, y is the greatest number that it can.
#
# Registers: v16-v23 constants, v0 x then R, v1 K, v2 and v3 entries, v4-v6 shifts; t0-t2 masks.
#
# Instructions: 37 per vector, 10 to begin with and end; exp_init: 65 times 6.

        .equ    EXP_X_FRACTION, 13
        .equ    EXP_Y_FRACTION, 9
        .equ    EXP_TABLE, 0            # the table's address in lane-local memory, 130 bytes
        .equ    EXP_INVERSE, 23637      # 1 / ln 2 in s1.14
        .equ    EXP_LN2, 22713          # ln 2 in s0.15
        .equ    EXP_ENTRIES, 65

        .text

# exp_init(): puts the table into lane-local memory.
        .globl  exp_init
exp_init:
        la      t0, exp_entries
        addi    t1, t0, 2 * EXP_ENTRIES
        vlui    v0, EXP_TABLE
        vlui    v1, 2
1:      lh      t2, 0(t0)
        addi    t0, t0, 2
        vfill   v2, t2                  # the same entry in every lane
        vstorel v2, 0(v0)
        vadd    v0, v0, v1
        bne     t0, t1, 1b
        ret

# exp(a0 = y, a1 = x, both in vector memory, a2 = vectors)
        .globl  exp
exp:
        beqz    a2, 2f
        vlui    v16, EXP_INVERSE
        vlui    v17, EXP_LN2
        vlui    v18, 1 << 14            # 1/2 in s0.15
        vlui    v19, 0
        vlui    v20, 14 - EXP_Y_FRACTION
        vlui    v21, 15                 # the greatest shift to the right
        vlui    v22, 14                 # the greatest to the left: 2 or more saturate anyway
        vlui    v23, 1
1:      vloadv  v0, 0(a1)
        addi    a1, a1, 64
        addi    a2, a2, -1

        # K = round(x / ln 2): first with one fraction bit less than x, then with none
        vmul    v1, v0, v16, 15
        vsrai_rn v1, v1, EXP_X_FRACTION - 1
        # R = x - K ln 2, in x's format. K ln 2 may wrap round, and the difference wraps back.
        vmul_rn v2, v1, v17, 15 - EXP_X_FRACTION
        vsub    v0, v0, v2
        # R = R / ln 2 + 1/2 in s0.15, held between 0 and 1: in formats of few bits, R may be a unit outside
        vmul_rn v0, v0, v16, EXP_X_FRACTION - 1
        vadd_s  v0, v0, v18
        vtlt    t0, v0, v19
        vsel    v0, t0, v19

        # The interval, as a byte offset in the table, and the place in it
        vsrai   v4, v0, 9
        vslli   v4, v4, 1
        vloadl  v2, EXP_TABLE(v4)
        vloadl  v3, EXP_TABLE + 2(v4)
        vandadd v0, v0, zero, 9
        vsub    v1, v1, v20             # and the shift: K less the fraction bits that y has fewer than s1.14
        vsub    v3, v3, v2
        vmul_rn v3, v3, v0, 9
        vsub    v4, v19, v1
        vadd    v2, v2, v3              # exp(R) = entry + (next entry - entry) place

        # To the right by max(-shift, 0), ...
        vtlt    t0, v1, v19
        vlui    v5, 0
        vsel    v5, t0, v4
        vtlt    t1, v21, v5
        vsel    v5, t1, v21
        vsra    v2, v2, v5
        # ... to the left by max(shift, 0), as a saturating multiplication by a power of two
        vtlt    t0, v19, v1
        vlui    v6, 0
        vsel    v6, t0, v1
        vtlt    t1, v22, v6
        vsel    v6, t1, v22
        vsll    v6, v23, v6
        vmul_s  v2, v2, v6, 0
        vstore  v2, 0(a0)
        addi    a0, a0, 64
        bnez    a2, 1b
2:      ret

        .data
        # round(2^14 exp((i / 64 - 1/2) ln 2)) for i = 0 .. 64
        .balign 2
exp_entries:
        .half   11585, 11711, 11839, 11968, 12098, 12230, 12363, 12498
        .half   12634, 12771, 12910, 13051, 13193, 13337, 13482, 13629
        .half   13777, 13927, 14079, 14232, 14387, 14544, 14702, 14862
        .half   15024, 15188, 15353, 15520, 15689, 15860, 16033, 16208
        .half   16384, 16562, 16743, 16925, 17109, 17296, 17484, 17674
        .half   17867, 18061, 18258, 18457, 18658, 18861, 19066, 19274
        .half   19484, 19696, 19911, 20127, 20347, 20568, 20792, 21019
        .half   21247, 21479, 21713, 21949, 22188, 22430, 22674, 22921
        .half   23170
