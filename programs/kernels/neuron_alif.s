# Adaptive leaky integrate-and-fire neurons: each spike raises the threshold for a while.
#
# In each step, for every neuron:
#
#       V = alpha V + I; A = rho A; I = 0       membrane and adaptation decay
#       if R > 0:  R = R - 1
#       else if V >= theta + beta A:  fires; V = V - theta; A = A + 1; R = tau
#
# V, I and theta are in s1.14, A in s6.9, alpha, rho and beta in s0.15. A decays slowly: with a time constant of 2000
# steps, one step changes A = 1 by a quarter of a unit, which rounding to nearest would make nothing at all. So both
# decays are rounded stochastically, and the generators have to be seeded: see rng_seed in multiply.s.
#
# Parameters are six halfwords in scalar memory: alpha, rho, beta, theta, the 1 that is added to A, and tau.
#
# Registers: v0 V, v1 I, v2 R, v3 A, v4 and v5 new values; v16 alpha, v17 rho, v18 beta, v19 theta, v20 one in A's
# format, v21 tau, v22 zero, v23 one; t0 lanes that may fire, t1 lanes that do, t2 lanes to be counted down.
#
# Instructions: 32 for 32 neurons, 16 to begin with and end.

        .equ    ALIF_BETA_SHIFT, 10     # beta A has 15 + 9 fraction bits, and theta has 14

        .text

# neuron_alif(a0 = V, a1 = I, a2 = R, a3 = A, all in vector memory; a4 = spikes, in scalar memory; a5 = vectors;
#             a6 = parameters, in scalar memory)
        .globl  neuron_alif
neuron_alif:
        beqz    a5, 2f
        lh      t0, 0(a6)
        lh      t1, 2(a6)
        lh      t2, 4(a6)
        lh      t3, 6(a6)
        lh      t4, 8(a6)
        lh      t5, 10(a6)
        vfill   v16, t0
        vfill   v17, t1
        vfill   v18, t2
        vfill   v19, t3
        vfill   v20, t4
        vfill   v21, t5
        vlui    v22, 0
        vlui    v23, 1
1:      vloadv  v0, 0(a0)
        vloadv  v3, 0(a3)
        vloadv  v1, 0(a1)
        vloadv  v2, 0(a2)
        vmul_rs v0, v16, v0, 15
        vmul_rs v3, v3, v17, 15         # A = rho A
        vstore  v22, 0(a1)              # I = 0
        vadd_s  v0, v0, v1              # V = alpha V + I
        vmul    v4, v18, v3, ALIF_BETA_SHIFT

        vtlt    t2, v22, v2             # where R > 0 ...
        vsub    v5, v2, v23
        vsel    v2, t2, v5              # ... R = R - 1
        vadd_s  v4, v19, v4             # theta + beta A
        not     t0, t2
        vtge    t1, v0, v4
        vsub_s  v5, v0, v19
        and     t1, t1, t0              # t1: where V reaches it, and R was 0
        vadd_s  v4, v3, v20
        vsel    v0, t1, v5              # V = V - theta
        vsel    v3, t1, v4              # A = A + 1
        vsel    v2, t1, v21             # R = tau

        sw      t1, 0(a4)
        vstore  v0, 0(a0)
        vstore  v3, 0(a3)
        vstore  v2, 0(a2)
        addi    a4, a4, 4
        addi    a0, a0, 64
        addi    a1, a1, 64
        addi    a2, a2, 64
        addi    a3, a3, 64
        addi    a5, a5, -1
        bnez    a5, 1b
2:      ret
