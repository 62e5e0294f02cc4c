//! variable V s5_10_sat_t
//! variable N int16_t
//! parameter Limit s1_14_t
//! event Spike

// The published Poisson source.
s1_14_t p = 1.0h14;
N = 0;
do {
    ++N;
    p *= fennrand();
} while (p > Limit);
--N;

for (int16_t i = 0, j = 10; i < j; i++, --j) {
    if (V > 1.0h10) continue;
    V += 0.5h10;
    if (V < -1.0h10) { Spike(); break; }
}

while (min(V, 2.0h10) > 0.0h10 && !(N == 3)) {
    V -= 0.25h10;
    while (N > 5) N -= 1;
}

int16_t k = 0;
s5_10_t last;
for (;;) {
    last = V;
    k++;
    if (k == N || k > 7) { break; }
}
V = last;
for (; k > 0; ) k--;
