# Leaky integrate-and-fire neurons, with a refractory period.
#
# In each step, for every neuron:
#
#       V = alpha V + I; I = 0                  the membrane leaks and takes its input, which is then used up
#       if R > 0:  R = R - 1                    refractory: the neuron cannot fire, but integrates
#       else if V >= theta:  fires; V = V - theta; R = tau
#
# V, I and theta share a format; alpha is in s0.15, and its product with V is rounded to nearest. Sums saturate.
# R counts steps. Each of V, I and R is an array in vector memory, 32 neurons to a vector; the spikes of neurons
# 32 k .. 32 k + 31 are word k of the result, which is what the propagation kernels read.
#
# Registers: v0 V, v1 I, v2 R, v3 and v4 new values; v16 alpha, v17 theta, v18 tau, v19 zero, v20 one;
# t0 lanes that may fire, t1 lanes that do, t2 lanes to be counted down.
#
# Instructions: 24 for 32 neurons, 7 to begin with and end. lif.s is the same neuron as a program of its own, all in
# registers.

        .text

# neuron_lif(a0 = V, a1 = I, a2 = R, all in vector memory; a3 = spikes, in scalar memory; a4 = vectors;
#            a5 = alpha, a6 = theta, a7 = tau)
        .globl  neuron_lif
neuron_lif:
        beqz    a4, 2f
        vfill   v16, a5
        vfill   v17, a6
        vfill   v18, a7
        vlui    v19, 0
        vlui    v20, 1
1:      vloadv  v0, 0(a0)
        vloadv  v1, 0(a1)
        vloadv  v2, 0(a2)
        vmul_rn v0, v16, v0, 15
        vstore  v19, 0(a1)              # I = 0
        vadd_s  v0, v0, v1              # V = alpha V + I

        vtlt    t2, v19, v2             # where R > 0 ...
        vsub    v3, v2, v20
        vsel    v2, t2, v3              # ... R = R - 1
        vtge    t1, v0, v17
        not     t0, t2
        and     t1, t1, t0              # t1: where V >= theta, and R was 0
        vsub_s  v4, v0, v17
        vsel    v0, t1, v4              # V = V - theta
        vsel    v2, t1, v18             # R = tau

        sw      t1, 0(a3)
        vstore  v0, 0(a0)
        vstore  v2, 0(a2)
        addi    a3, a3, 4
        addi    a0, a0, 64
        addi    a1, a1, 64
        addi    a2, a2, 64
        addi    a4, a4, -1
        bnez    a4, 1b
2:      ret
