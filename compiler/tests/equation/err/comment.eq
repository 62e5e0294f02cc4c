//! variable V s5_10_sat_t

V = V; /* never closed
V = oops;
