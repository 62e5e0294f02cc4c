# Fixed-point numbers, vectors and tables that do not fit their format or their place.
        vlui    v1, fx(1.0, 15)
        vlui    v1, fx(0.5, 16)
        vlui    v1, fx(half, 15)
        .vector
        .fixed  s5.10, 32, -32.0005, -32.0004
        .fixed  s9.10, 1
        .fixed  u8.8, 1
        .fixed  0.5
        .half   0.5
        .vec    1, 2
        .vec    s0.15, 1
        .columns 2, 1, 2, 3
        .seed   -1
        .half   1
        .vec    1
        .table  1, 2
