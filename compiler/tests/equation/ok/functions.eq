//! variable V s4_11_sat_t
//! variable W s2_13_t
//! variable N int16_t

V = exp_11(W);
W = clamp(W, -1.0h13, 1.0h13) + tanh(W);
N = exp_0(V);
V = max(sqrt(abs(V)), reciprocal_11(N)) * sigmoid_15(W);
W = log(W);
