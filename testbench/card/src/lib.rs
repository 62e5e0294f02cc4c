//! A model of a card with an XDMA in front of FeNN cores, for tests of the host's drivers.
//!
//! Contract: [`model::Card`] behaves as the XDMA's product guide (PG195) and its Linux driver say, register by register and
//! descriptor by descriptor, without a clock and without any I/O: the host's memory is a trait ([`memory::HostMemory`]), and
//! what the XDMA's AXI ports lead to is any [`fenn_host::transport::Transport`] ([`side`]). Faults are injected on purpose,
//! at a transfer that is given or drawn with a seed ([`fault`]).
//!
//! On top of it: [`in_process`], a PCI function in the caller's own thread; [`server`], a PCI function for other processes
//! over vfio-user, such as the host library or QEMU.
//!
//! The model shares no register name, offset or bit with the driver that it tests: [`registers`] was written from the
//! documents, so that the two are witnesses for each other.
//!
//! Not here: time (a transfer takes as long as its copy), PCIe packets, and what the cores do.

#![forbid(unsafe_code)]

pub mod bandwidth;
pub mod config_space;
pub mod fault;
pub mod in_process;
pub mod memory;
pub mod model;
pub mod registers;
pub mod server;
pub mod side;
