//! Execution of networks in fixed point.
