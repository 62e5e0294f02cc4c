//! What the FeNN machine is.

#![forbid(unsafe_code)]

pub mod fixed;
pub mod lane;
