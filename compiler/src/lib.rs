//! Trained spiking network to FeNN program image.
//!
//! Data flows one way: a front end ([`nir`] files through [`import`], [`netx`] files, or equations and a TOML description, perhaps with
//! the arrays of a [`checkpoint`]) makes a [`network::Network`]; [`verify`] proves it well-formed; the back end places its
//! arrays, lowers it to instructions on virtual registers, allocates real ones, and writes an image.
//!
//! Invariant: the compiler knows the machine through `fenn-isa` only. It never runs a simulator of the machine;
//! [`interpret`] executes networks, not instructions.

#![forbid(unsafe_code)]

pub mod backend;
pub mod checkpoint;
pub mod cli;
pub mod contract;
pub mod description;
pub mod diagnostic;
pub mod equation;
pub mod estimate;
pub mod export;
mod hdf5;
pub mod import;
pub mod interpret;
pub mod ir;
pub mod kernel;
pub mod lower;
pub mod network;
pub mod netx;
pub mod nir;
mod npy;
pub mod passes;
pub mod place;
pub mod regalloc;
pub mod seed;
pub mod verify;
