//! The Yin-Yang classification task: data set, trainer, and the trained network.
//!
//! A float run here ([`network`]) steps the network exactly as it is deployed, in 64-bit floats, so it is what a 16-bit
//! run is measured against. Everything is reproducible: the splits equal the published ones, and a seed gives one
//! network, bit for bit, however many threads train it.
//!
//! Deliberately not here: number formats and instructions. The network leaves as a NIR file; the compiler does the rest.

mod adam;
pub mod dataset;
pub mod encode;
pub mod eventprop;
mod gradient;
pub mod graph;
pub mod network;
pub mod train;
