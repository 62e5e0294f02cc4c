# Thirty-two leaky integrate-and-fire neurons, one per lane, for STEPS steps of 1 ms.
#
# In each step, in every lane at once:
#
#       V = alpha * V + I               the membrane leaks towards 0, and its input drives it
#       if V >= theta:                  the neuron fires:
#           V = V - theta                   its potential is reset by subtraction,
#           spikes[step] has its bit set    and the step's word says so
#
# Numbers are 16 bits wide. V, I and theta are in format s5.10: an integer n means n / 1024, so numbers reach from -32
# to just below 32. alpha is in s0.15, n / 32768. The product of the two has 10 + 15 fraction bits; shifting it right
# by 15 brings it back to s5.10. `vmul_rn` adds half a unit first, so the result is rounded to nearest: without that,
# every step would lose half a unit on average.
#
# The inputs differ: lane i gets i/16. Without a threshold, V would approach I / (1 - alpha) = 20.5 I. That is 0 in lane 0,
# which never fires; 1.28 in lane 1, which fires in steps 30, 61 and 92; and from lane 16 on the input alone reaches
# theta, so those lanes fire in every step.

        .equ    STEPS, 100
        .equ    ALPHA, 31170            # exp(-1 ms / 20 ms) = 0.95123 in s0.15
        .equ    THETA, 1 << 10          # 1.0 in s5.10
        .equ    FRACTION, 15            # fraction bits of alpha, which the product has too many

        .text
        .globl  _start
_start:
        # Constants and state stay in registers. `vlui` puts a number into all 32 lanes.
        vlui    v0, ALPHA
        vlui    v1, THETA
        la      a0, input
        vloadv  v2, 0(a0)               # v2: I, 64 bytes, which is one halfword per lane
        vlui    v3, 0                   # v3: V
        la      a1, spikes
        li      t0, STEPS

step:
        vmul_rn v3, v0, v3, FRACTION    # V = alpha * V, rounded to nearest
        vadd_s  v3, v3, v2              # V = V + I, held at the ends of the range rather than wrapping round

        # A comparison gives one bit per lane, in a scalar register: 32 lanes, 32 bits.
        vtge    t1, v3, v1              # t1 = who fires
        sw      t1, 0(a1)
        addi    a1, a1, 4

        # `vsel` takes the new value in the lanes that fired and leaves the others as they are.
        vsub_s  v4, v3, v1
        vsel    v3, t1, v4

        addi    t0, t0, -1
        bnez    t0, step

        la      a0, potential
        vstore  v3, 0(a0)               # V after the last step, for whoever wants to see it
        li      t0, 1
        la      a0, ready
        sw      t0, 0(a0)
        ecall

        .data
        .globl  ready, spikes
ready:  .word   0
        .type   spikes, @object
        .size   spikes, 4 * STEPS
spikes: .space  4 * STEPS               # one word per step, bit i for lane i

        .vector
        .globl  input, potential
input:  .half   0, 64, 128, 192, 256, 320, 384, 448             # lane i: i/16 in s5.10
        .half   512, 576, 640, 704, 768, 832, 896, 960
        .half   1024, 1088, 1152, 1216, 1280, 1344, 1408, 1472
        .half   1536, 1600, 1664, 1728, 1792, 1856, 1920, 1984
potential:
        .space  64
