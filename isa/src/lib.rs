//! What the FeNN machine is.
//!
//! Everything the other crates know of the machine is read off here: the table of instructions ([`spec`]), the CSRs
//! ([`csr`]), the memories ([`memory`]), lane arithmetic ([`lane`]) and number formats ([`fixed`]). With the feature
//! `image` also what the tools exchange: the program image and its manifest, decimal text, and seeds.
//!
//! Invariant: this crate knows no other of the project, and holds no machine state. What an instruction does is the
//! simulator's subject; this crate states it in words, for the manual.

#![forbid(unsafe_code)]

pub mod code;
pub mod csr;
#[cfg(feature = "image")]
pub mod decimal;
pub mod example;
pub mod exception;
#[cfg(feature = "image")]
pub mod file;
pub mod fixed;
pub mod generate;
#[cfg(feature = "image")]
pub mod image;
pub mod lane;
pub mod layout;
pub mod memory;
pub mod operand;
#[cfg(feature = "image")]
pub mod seed;
pub mod soc;
pub mod spec;
pub mod text;
pub mod timing;
pub mod usage;

pub use spec::{Class, Extension, Inst, Op, Role, SPECS, Spec};
