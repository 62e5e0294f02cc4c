//! variable N int16_t
//! event Spike

while (N > 0) { N--; if (N == 3) { break; Spike(); } }
do { N++; continue; ; } while (N < 5);
