//! variable V s10_5_sat_t
//! variable I s10_5_sat_t
//! variable RefracTime int16_t
//! parameter Alpha s10_5_sat_t
//! parameter VThresh s10_5_sat_t
//! parameter TauRefrac int16_t
//! event Spike
//! published

V = (Alpha * V) + I;
I = 0.0h5;
if (RefracTime > 0) {
    RefracTime -= 1;
}
else if (V >= VThresh) {
    Spike();
    V -= VThresh;
    RefracTime = TauRefrac;
}
