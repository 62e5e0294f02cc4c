# Sources 0 and 2 fire; their spikes arrive three steps later in lane-local memory, and neurons take them as current.
        .text
        .globl  _start
_start: la      a0, spikes
        li      a1, 1
        la      a2, rows
        li      a3, 64
        la      a4, ring
        li      a5, 0
        call    propagate_delayed
        la      a0, current
        li      a1, 24                  # slot 3 of 4 neurons per lane
        li      a2, 2                   # neurons 0 and 1 of each lane
        call    collect_delayed
        la      a0, potential
        la      a1, current + 64        # neuron 1
        la      a2, refractory
        la      a3, fired
        li      a4, 1
        li      a5, 16384               # alpha = 1/2
        li      a6, 1000
        li      a7, 3
        call    neuron_lif
        ecall

        .data
spikes: .word   0b101
fired:  .word   0

        .vector
rows:                                   # a halfword for each lane: weight << 9 | 2 * (4 * delay + target)
        .irp    lane, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        .half   (\lane + 1) << 9 | 2 * (4 * 3 + 1)
        .endr
        .vec    0
        .irp    lane, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        .half   10 << 9 | 2 * (4 * 3 + 1)
        .endr
        .vec    0
current:
        .space  128
potential:
        .irp    lane, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        .half   64 * (\lane + 1)
        .endr
refractory:
        .space  64

        .lane
ring:   .space  512
