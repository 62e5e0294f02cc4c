//! The Yin-Yang classification task: data set, two trainers, and the trained networks.
//!
//! [`train`] uses surrogate gradients of the network as it is deployed, [`eventprop`] exact ones in continuous time, of weights and
//! delays.
//!
//! A float run here ([`network`], [`eventprop::stepped`]) steps the network exactly as it is deployed, in 64-bit floats, so it is what a 16-bit
//! run is measured against. Everything is reproducible: the splits equal the published ones, and a seed gives one
//! network, bit for bit, however many threads train it.
//!
//! Deliberately not here: number formats and instructions. The network leaves as a NIR file, or as a description with arrays; the compiler does the rest.

mod adam;
pub mod dataset;
pub mod encode;
pub mod eventprop;
mod gradient;
pub mod graph;
pub mod network;
pub mod train;
