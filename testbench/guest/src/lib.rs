//! The traps of the XDMA kernel driver, sprung in a guest: once against the driver itself, once against an emulation of it.
//!
//! Contract: [`checks`] is what a guest runs: each check springs one trap by plain system calls, so that it is known to be there,
//! and then shows that the host library is not caught in it. It does not know what is behind the character devices.
//! [`emulation`] is what can be behind them where there is no kernel module: the same devices, over CUSE, with a simulated card.
//!
//! The guest, and what starts it, are in the scripts beside this crate.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

pub mod checks;
pub mod emulation;
