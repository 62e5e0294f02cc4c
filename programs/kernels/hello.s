# The smallest program that shows something: it writes a greeting and a sum to scalar memory.
#
# Scalar memory is the block RAM beside the scalar core. What `.data` holds is there when the program starts; what the
# program leaves there, the host reads. This program ends with `ecall`, as programs for the simulator do, after it has
# set `ready`, as programs for a board do: assemble it with `--ready-flag ready`, and either can be waited for.

        .equ    COUNT, 10               # how many numbers are added up

        .text
        .globl  _start
_start:
        # sum = 1 + 2 + ... + COUNT
        li      t0, COUNT               # t0: the number to be added next
        li      t1, 0                   # t1: the sum so far
1:      add     t1, t1, t0
        addi    t0, t0, -1
        bnez    t0, 1b                  # 1b is the nearest `1:` before this line
        la      a0, sum
        sw      t1, 0(a0)

        # Copy the greeting, byte for byte, up to and with its zero.
        la      a0, greeting
        la      a1, message
2:      lbu     t0, 0(a0)
        sb      t0, 0(a1)
        addi    a0, a0, 1
        addi    a1, a1, 1
        bnez    t0, 2b

        # Done. The flag comes last, so that whoever sees it finds everything else in its place.
        li      t0, 1
        la      a0, ready
        sw      t0, 0(a0)
        ecall

        .data
        .globl  ready, sum, message
ready:  .word   0
sum:    .word   0                       # 55 at the end
greeting:
        .asciz  "Hello from 32 lanes"
        .balign 4
message:
        .space  32                      # the greeting at the end
