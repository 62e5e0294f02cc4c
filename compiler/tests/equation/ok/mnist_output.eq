//! variable V s9_6_sat_t
//! variable I s9_6_sat_t
//! variable VAvg s9_6_sat_t
//! parameter Bias s9_6_sat_t
//! parameter Alpha s9_6_sat_t
//! parameter VAvgScale s9_6_sat_t

V = (Alpha * V) + I + Bias;
I = 0.0h6;
VAvg += (VAvgScale * V);
