# Constant addresses that cannot be meant.
_start: li      a0, 66
        vloadv  v0, 0(a0)
        la      a1, word
        lw      a2, 0(a1)               # right
        lw      a2, 2(a1)
        lhu     a2, 3(a1)
        lbu     a2, 3(a1)               # right
        sh      a2, 1(zero)
        lui     a3, 0x20
        sw      a2, 0(a3)               # behind 128 KiB
        li      a4, 0x12345678
        andi    a4, a4, 60
        vstore  v0, 8(a4)               # 56 + 8
        vstore  v0, 4(a4)
        csrw    mm2s_src_addr, a0
        csrw    mscratch, a0            # any number will do
loop:   vloadv  v1, 0(a0)               # not known any more
        li      a0, 65
        jal     function
        vloadv  v2, 0(a0)               # the function may have changed it
        j       loop
function:
        ret
        .data
word:   .word   1
