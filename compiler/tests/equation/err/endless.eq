//! variable V s5_10_sat_t
//! variable N int16_t
//! parameter P int16_t
//! event Spike

while (V > 0.0h10) { N++; }
for (int16_t i = 0; i < 5; ) { N++; }
for (;;) { Spike(); }
do { N++; } while (P > 3);
while (fennrand() > 0.5h15) { N++; }
while (V > 0.0h10) { if (N > 3) { break; } N++; }
while (V > 0.0h10) { while (N > 3) { N--; break; } }
