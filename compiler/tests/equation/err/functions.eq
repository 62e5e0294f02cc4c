//! variable V s5_10_sat_t
//! variable N int16_t

V = exp_9(V);
V = exp(V, V);
V = exp_16(V);
V = exp_09(V);
V = tan(V);
V = clamp(V, 0, 1.0h10);
V = clamp(V, 0.0h10, 1);
V = clamp(V, 1.0h10);
V = exp;
s5_10_t log_3 = V;
s5_10_t sqrt = V;
V = exp(V > 0.0h10);
N = sigmoid(N) + sigmoid_3(V);
