//! variable V s5_10_sat_t
//! variable N int16_t
//! parameter P int16_t
//! event Spike

break;
if (V > 0.0h10) { continue; }
while (N) { N--; }
do { N++; }
V = 0.0h10;
for (int16_t i = 0; i < 5) { N++; }
for (N = 0, N < 5; N++) { V = V; }
while V > 0.0h10 { V = 0.0h10; }
s5_10_t a, b, c;
while (V > 0.0h10) { a = V; V -= 1.0h10; }
V = a;
do { b = V; V -= 1.0h10; if (V < 0.0h10) { break; } c = V; } while (V > 0.0h10);
V = b + c;
for (int16_t j = 0; j < 5; j++) { if (j == 3) { break; Spike(); } }
N = j;
while (V > 0.0h10) int16_t while = 3;
