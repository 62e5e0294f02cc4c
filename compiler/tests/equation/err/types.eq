//! variable V s5_10_sat_t

s5_11_t a = 1;
s5_11_sat_t b;
s5_99_t c;
float d = 0.5;
int e = 3;
bool f = V > 0.0h10;
weird g;
V = a + b;
const s5_10_t h;
V = h;
V = (s5_10_t) V;
