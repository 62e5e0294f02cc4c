# Lane-local memory: copy, fill, and exchange with vector memory.
#
# Every lane has a memory of its own, of halfwords, and addresses it with its own element of a vector register. Here all
# lanes use the same addresses, so that a row (the halfwords of all lanes at one address) moves at a time. Addresses and
# lengths count bytes within a lane and are even; 32 lanes times 2 bytes make one vector.
#
# Instructions per row: 6 to copy, 4 to fill, 6 to exchange. A negative address would make a lane sit out; the addresses
# here are those of a memory of at most 4096 bytes, so none is.

        .text

# memcpy_lane(a0 = to, a1 = from, a2 = bytes)
#
#       lane[to + i] = lane[from + i]           in every lane, for i = 0 .. bytes - 1, rising
#
# The areas must not overlap, unless `to` lies below `from`.
        .globl  memcpy_lane
memcpy_lane:
        vfill   v0, a0                  # v0: where to, in every lane
        vfill   v1, a1                  # v1: where from
        vlui    v2, 2
        beqz    a2, 2f
1:      vloadl  v3, 0(v1)
        addi    a2, a2, -2
        vadd    v1, v1, v2
        vstorel v3, 0(v0)
        vadd    v0, v0, v2
        bnez    a2, 1b
2:      ret

# memset_lane(a0 = to, a1 = number, a2 = bytes)
#
#       lane[to + i] = number                   in every lane, for every halfword; the number's low 16 bits count
        .globl  memset_lane
memset_lane:
        vfill   v0, a0
        sext.h  a1, a1                  # vfill takes the sign from bit 31
        vfill   v3, a1
        vlui    v2, 2
        beqz    a2, 2f
1:      vstorel v3, 0(v0)
        addi    a2, a2, -2
        vadd    v0, v0, v2
        bnez    a2, 1b
2:      ret

# lane_from_vector(a0 = to, in lane-local memory; a1 = from, in vector memory; a2 = bytes per lane)
#
#       lane l: lane[to + 2 k] = vector[from + 64 k][l]         for k = 0 .. bytes / 2 - 1
        .globl  lane_from_vector
lane_from_vector:
        vfill   v0, a0
        vlui    v2, 2
        beqz    a2, 2f
1:      vloadv  v3, 0(a1)
        addi    a1, a1, 64
        addi    a2, a2, -2
        vstorel v3, 0(v0)
        vadd    v0, v0, v2
        bnez    a2, 1b
2:      ret

# lane_to_vector(a0 = to, in vector memory; a1 = from, in lane-local memory; a2 = bytes per lane)
#
#       lane l: vector[to + 64 k][l] = lane[from + 2 k]         for k = 0 .. bytes / 2 - 1
        .globl  lane_to_vector
lane_to_vector:
        vfill   v0, a1
        vlui    v2, 2
        beqz    a2, 2f
1:      vloadl  v3, 0(v0)
        addi    a0, a0, 64
        addi    a2, a2, -2
        vadd    v0, v0, v2
        vstore  v3, -64(a0)
        bnez    a2, 1b
2:      ret
