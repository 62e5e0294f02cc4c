# One of each vector row.
        vadd    v1, v2, v3
        vadd_s  v1, v2, v3
        vsub    v1, v2, v3
        vsub_s  v1, v2, v3
        vand    v1, v2, v3
        vsll    v1, v2, v3
        vsra    v1, v2, v3
        vmul    v1, v2, v3, 0
        vmul_rn v1, v2, v3, 15
        vmul_rs v1, v2, v3, 8
        vmul_s  v1, v2, v3, 8
        vmul_s_rn v1, v2, v3, 8
        vmul_s_rs v1, v2, v3, 8
        vslli   v1, v2, 3
        vsrai   v1, v2, 3
        vsrai_rn v1, v2, 3
        vsrai_rs v1, v2, 3
        vteq    x1, v2, v3
        vtne    x1, v2, v3
        vtlt    x1, v2, v3
        vtge    x1, v2, v3
        vsel    v1, x2, v3
        vlui    v1, -5
        vfill   v1, x2
        vextract x1, v2, 31
        vrng    v1
        vandadd v1, v2, x3, 10
        vloadv  v1, 64(x2)
        vloadl  v1, -2(v2)
        vloadr0 (x2)
        vloadr1 64(x2)
        vstore  v1, -64(x2)
        vstorel v1, 2(v2)
