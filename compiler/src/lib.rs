//! Trained spiking network to FeNN program image.

#![forbid(unsafe_code)]

pub mod equation;
pub mod kernel;
pub mod nir;
