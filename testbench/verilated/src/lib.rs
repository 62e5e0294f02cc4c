//! The SystemVerilog core as a Verilated model, in lockstep with the simulator.
//!
//! Contract: [`lockstep::Lockstep`] runs a program on both and compares every retirement in value and in cycle;
//! [`generate`] makes the programs, [`coverage`] says what they have exercised, [`shrink`] makes a failing one small, and
//! [`mutation`] is the proof that the comparison sees what it should: every mutant of the core is caught.
//!
//! ```text
//! configuration ─┬─> core (ffi, shim/, ports) ─┬─> lockstep <── check, narrow, coverage
//!                └─> axi ──────────────────────┘        ^
//!                              generate, campaign, shrink ┘
//! soc (ffi, shim/; soc::master, soc::dram) ──> a host's transport
//! ```
//!
//! [`soc::VerilatedCard`] is a card of such cores, with the transport of a host's driver on it.
//!
//! Not here: any knowledge of the core's inside. It is seen through the pins of `rtl/fenn_top.sv`, a card through
//! those of `rtl/soc/fenn_soc.sv`.

#![deny(unsafe_code)]

pub mod axi;
pub mod campaign;
pub mod check;
pub mod configuration;
pub mod core;
pub mod coverage;
pub mod device;
#[cfg(verilated)]
mod ffi;
#[cfg(not(verilated))]
#[path = "absent.rs"]
mod ffi;
pub mod generate;
pub mod kernels;
pub mod lockstep;
pub mod mutants;
pub mod mutation;
pub mod narrow;
pub mod ports;
pub mod shrink;
pub mod soc;
