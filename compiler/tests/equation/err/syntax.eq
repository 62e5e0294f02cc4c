//! variable V s5_10_sat_t
//! variable N int16_t
//! event Spike

V = V + ;
V = V
N = 1;
V = (V + V;
V = V + V);
if V > 0.0h10 { V = 0.0h10; }
if (V > ) { Spik(); }
else { Spike(); }
else V = V;
V = "text";
V = V § V;
#define X 3
V = * V;
= V;
int16_t 3x = 1;
int16_t x = 1
}
Spike()
{
    N = Vx;
    if (N > 0) Spike(
