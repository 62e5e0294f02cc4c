//! variable V s5_10_sat_t
//! variable I s2_13_sat_t
//! variable U s0_15_t
//! variable RefracTime int16_t
//! parameter TauRefrac int16_t

V = 0;
V = 0.5;
V = -3;
V = I;
I = V + V;
U = V;
V = RefracTime;
RefracTime = V;
RefracTime = 2.0h10;
RefracTime += 0.5;
V += I;
V = V + 1;
V = 1 + V;
if (V > I) V = 0.0h10;
if (RefracTime > 0.0h10) V = 0.0h10;
V = V > 0.0h10 ? V : I;
s5_10_t x = 3;
V = min(V, I) + x;
U++;
