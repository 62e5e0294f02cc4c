//! variable V s5_10_sat_t
//! variable RefracTime int16_t
//! parameter VThresh s5_10_sat_t
//! event Spike

V = Vthresh;
v = V;
RefactTime -= 1;
if (Threshold > V) { Spik(); }
V = exp(V);
V = cos(V);
V = minn(V, V);
Spike = V;
V = Spike;
V = Spike();
Spike(V);
Spike;
VThresh = V;
V = V(3);
V = min;
V = min(V);
V = fennrand(V);
const s5_10_t fixed = V;
fixed = V;
s5_10_t V = 0.0h10;
s5_10_t Spike;
s5_10_t fixed = V;
s5_10_t min = V;
s5_10_t s5_10_t = V;
{ int16_t inner = 1; RefracTime = inner; }
RefracTime = inner;
1 = V;
V + V;
V > V;
