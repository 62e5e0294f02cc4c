//! variable V s5_10_sat_t
//! variable W s2_13_t
//! variable U s0_15_t
//! variable N int16_t
//! variable M int16_t
//! rounding stochastic

// Which operand's format a product has, what it drops, and when it saturates.
V = U * V;
V = V * W;
W = W * U;
W = V @ W;
U = U @ W;
U = U * U;
V = N * V;
V = V * N;
N = N @ V;
N = N * M;
V *= U;
W *= V;
N *= V;
N *= M;
V = mul_rz(V, U);
V = mul_rn(V, U);
V = mul_rs(V, U);
