//! variable V s5_10_sat_t
//! variable N int16_t

V = 32.0h10;
V = -32.001h10;
V = 0.5h16;
V = 0.5f;
V = 1.2.3h10;
V = 0.5h;
N = 40000;
N = -32769;
N = 010;
N = 0xg;
N = 0x8000;
N = 5u;
N = 1.5;
N = 1abc;
N = N << 16;
N = N << N;
N = N >> -1;
