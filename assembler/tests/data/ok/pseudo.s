# Pseudo-instructions; the words are those of GNU as where the names are.
f:      nop
        li      a0, 5
        li      a0, -2048
        li      a0, 2048
        li      a0, 0x12345678
        li      a0, 0xfffff000
        li      a0, 0xffffffff
        li      a0, -0x80000000
        li      a0, later               # not known yet: two words
        la      a1, f
        mv      a0, a1
        not     a0, a1
        neg     a0, a1
        zext.b  a0, a1
        seqz    a0, a1
        snez    a0, a1
        sltz    a0, a1
        sgtz    a0, a1
        beqz    a0, f
        bnez    a0, f
        blez    a0, f
        bgez    a0, f
        bltz    a0, f
        bgtz    a0, f
        bgt     a0, a1, f
        ble     a0, a1, f
        bgtu    a0, a1, f
        bleu    a0, a1, f
        j       f
        jal     f
        jal     t0, f
        jr      a0
        jalr    a0
        jalr    a0, a1, 4
        jalr    a0, 4(a1)
        jalr    a0, (a1)
        ret
        call    f
        tail    f
        fence
        fence   rw, w
        csrr    a0, mcycle
        csrw    mm2s_count, a0
        csrs    mcountinhibit, a0
        csrc    0x320, a0
        csrwi   mcountinhibit, 0
        csrsi   mm2s_control, 1
        csrci   mscratch, 31
        .equ    later, 3
