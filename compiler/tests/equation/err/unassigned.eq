//! variable V s5_10_sat_t
//! variable N int16_t

s5_10_sat_t a, b, c;
int16_t d;
V = a;
b += V;
if (V > 0.0h10) { c = V; }
V = c;
if (V > 0.0h10) { d = 1; } else if (V < 0.0h10) { d = 2; }
N = d;
