//! variable V s5_10_sat_t
//! variable W s5_10_t
//! variable Count int16_t
//! parameter P s0_15_t
//! event Spike
//! event Tick

/* Every construct of the language
   at least once. */
;
const s5_10_t a = -0.5h10, b = 1.5e0h10;
s5_10_t const c = +a;
W = a + b - c;
V = -V;
V = -32.0h10;
Count = 0x7fff & -1;
Count = (Count << 3) >> 15;
W = W >> 1;
Count++;
--Count;
W++;
V--;
{
    s5_10_t twice = W + W;   // a name may be used again in another block
    W = min(twice, c) + max(W * W, abs(V - W));
}
{
    int16_t twice = Count + Count;
    Count = abs(twice);
}
V = V > W ? V : (W == V) ? W : 0.0h10;
if (!(V < W) && Count != 3 || V <= W && (V >= W)) Spike();
if ((V < W) & (Count > 0)) { Tick(); Spike(); } else ;
if (fennrand() < P) Tick();
s5_10_t later;
if (Count > 0) { later = 1.0h10; } else later = -1.0h10;
V = later;
