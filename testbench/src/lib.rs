//! Second witnesses: independent references, and the figures the project promises.
//!
//! Contract: nothing here is used by the tools, and no reference shares code with what it checks, but for file readers.
//! A figure is measured when it is asked for, and printed beside its gate.

#![forbid(unsafe_code)]

pub mod architecture_tests;
pub mod assembler_figures;
pub mod assembly;
pub mod bad_input;
pub mod book;
pub mod compiler_figures;
pub mod conformance;
pub mod figure;
pub mod fuzz;
pub mod gdb_session;
pub mod graph_comparison;
pub mod host_figures;
pub mod kernels;
pub mod keystone;
pub mod neurobench_reference;
pub mod nir_reference;
pub mod npz;
pub mod part;
pub mod pipeline_reference;
pub mod random;
pub mod random_graphs;
pub mod random_words;
pub mod rtl_figures;
pub mod shared;
pub mod shd;
pub mod simulator_figures;
pub mod tools;
pub mod vogels_abbott;
pub mod vogels_abbott_network;
