//! variable V s8_7_sat_t
//! variable A s8_7_sat_t
//! variable I s8_7_sat_t
//! variable RefracTime int16_t
//! parameter Alpha s0_15_sat_t
//! parameter Rho s0_15_sat_t
//! parameter Beta s8_7_sat_t
//! parameter VThresh s8_7_sat_t
//! parameter TauRefrac int16_t
//! event Spike

// Adaptive neuron of the Spiking Heidelberg Digits benchmark; decays are rounded stochastically.
V = mul_rs(Alpha, V) + I;
A = mul_rs(A, Rho);
I = 0.0h7;
if (RefracTime > 0) RefracTime--;
else if (V >= VThresh + (Beta * A)) {
    Spike();
    V -= VThresh;
    A += 1.0h7;
    RefracTime = TauRefrac;
}
