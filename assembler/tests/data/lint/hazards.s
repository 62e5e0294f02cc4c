# A loaded vector is ready two cycles after its load.
_start: la      a0, vectors
        vloadv  v0, 0(a0)
        vadd    v1, v0, v0              # too early
        vloadv  v0, 0(a0)
        vloadv  v2, 64(a0)
        vadd    v1, v0, v0              # one instruction later
        vlui    v3, 4
        vloadl  v4, 0(v3)
        vstore  v4, 0(a0)               # too early, from lane-local memory
        vloadl  v4, 0(v3)
        vloadl  v4, 2(v3)               # keeps some lanes of v4, so it reads them
        vloadv  v5, 0(a0)
        vlui    v5, 1                   # writes, does not read
        vadd    v4, v5, v2              # results of arithmetic are ready at once
        ecall
        .vector
vectors: .space 128
