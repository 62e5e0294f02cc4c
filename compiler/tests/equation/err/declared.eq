//! variable if s5_10_sat_t
//! variable s5_10_t s5_10_sat_t
//! variable V s5_10_sat_t
//! parameter V s5_10_sat_t
//! parameter max s5_10_t
//! event V
//! event 2nd

V = 0.0h10;
