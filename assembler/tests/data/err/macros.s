# Macros, conditions and repetitions that do not fit together.
        .endif
        .if     1
        .else
        .elseif 2
        .endif
        .macro  twice
        .endm
        .macro  twice
        .endm
        .purgem never
        .macro  same a, a
        .endm
        .macro  late a:vararg, b
        .endm
        .macro  odd a:opt
        .endm
        .macro  inc r, by:req
        addi    \r, \r, \by
        .endm
        inc     a0, 1, 2
        inc     a0
        inc     a0, 1, by=2
        inc     a0, 5000
        .macro  inc2 r
        inc     \r, \r
        .endm
        inc2    a1
        ink     a0, 1
        .macro  forever
        forever
        .endm
        forever
        .exitm
        .endm
        .endr
        .if     later
        .endif
        .ifc    one
        .endif
        .error  "this needs 4 KiB of lane-local memory"
        .err
        .popsection
        .rept   5
        nop
later = 1
