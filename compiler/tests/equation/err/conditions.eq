//! variable V s5_10_sat_t
//! variable N int16_t

if (N) N = 1;
if (V + V) N = 1;
if (!N) N = 1;
N = N > 0;
N = !N;
N = (N > 0) + 1;
if (N > 0 > 1) N = 1;
if (N & 1 == 0) N = 1;
if ((N > 0) ^ (N < 5)) N = 1;
if (N = 0) N = 1;
N = N > 0 && N ? 1 : 0;
V = V & V;
N = N | 1;
N = ~N;
N = N > 0 ? N > 1 : N > 2;
