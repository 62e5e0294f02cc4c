//! variable V s5_10_sat_t
//! variable IExc s2_13_sat_t
//! variable IInh s2_13_sat_t
//! variable RefracTime int16_t
//! parameter Alpha s0_15_sat_t
//! parameter BetaExc s0_15_sat_t
//! parameter BetaInh s0_15_sat_t
//! parameter ExcScale s5_10_sat_t
//! parameter InhScale s5_10_sat_t
//! parameter IOffset s5_10_sat_t
//! parameter RMembrane s5_10_sat_t
//! parameter VThresh s5_10_sat_t
//! parameter TauRefrac int16_t
//! event Spike

// The Vogels-Abbott benchmark neuron.
s5_10_sat_t inSyn;
{
    inSyn = IExc * ExcScale;
    IExc *= BetaExc;
}
{
    inSyn += (IInh * InhScale);
    IInh *= BetaInh;
}
if (RefracTime > 0) {
    RefracTime -= 1;
}
else {
    const s5_10_sat_t VAlpha = RMembrane * (inSyn + IOffset);
    V = VAlpha - (Alpha * (VAlpha - V));
}
if (V >= VThresh) {
    Spike();
    V = 0.0h10;
    RefracTime = TauRefrac;
}
