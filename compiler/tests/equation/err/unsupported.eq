//! variable V s5_10_sat_t
//! variable N int16_t
//! event Spike

switch (N) { case 1: V = V; break; default: Spike(); }
return V;
goto end;
V = V / 2;
N = N % 3;
V /= V;
N <<= 2;
V[3] = V;
s5_10_t table[4];
V = V.x;
N = N++;
V = V = V;
V = true;
V = V, N = N;
V = 0.0h10;
