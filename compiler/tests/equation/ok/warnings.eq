//! variable V s5_10_sat_t

s5_10_t never;
s5_10_sat_t written = V;
written += V;
if (V > 0.0h10) {
    int16_t never_either = 1;
}
