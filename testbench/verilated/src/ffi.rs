//! The Verilated models, behind the C++ shim.
//!
//! Contract: the crate's only file with `unsafe`: the declaration that the shim's functions are what they are said to be,
//! which `cxx` checks against the C++ header when both are compiled.

#![allow(unsafe_code, reason = "the declarations of the C++ shim; see the SAFETY sentence below")]

use cxx::UniquePtr;

use crate::core::CoreError;
use crate::ports::{Inputs, Outputs};
use crate::soc::ports::{SocInputs, SocOutputs};

/// A model.
pub(crate) type Owned = UniquePtr<bridge::Model>;

pub(crate) fn owned(name: &str, mutant: u32) -> Result<Owned, CoreError> {
    let model = bridge::make(name, mutant);
    if model.is_null() { Err(CoreError::NoModel(name.to_owned())) } else { Ok(model) }
}

#[inline]
pub(crate) fn cycle(model: &mut Owned, inputs: &Inputs, outputs: &mut Outputs) {
    model.pin_mut().cycle(inputs, outputs);
}

pub(crate) fn host_ready(model: &mut Owned, inputs: &Inputs) -> bool {
    model.pin_mut().host_ready(inputs)
}

pub(crate) fn open_wave(model: &mut Owned, path: &str) {
    model.pin_mut().open_wave(path);
}

pub(crate) fn close_wave(model: &mut Owned) {
    model.pin_mut().close_wave();
}

pub(crate) fn write_coverage(model: &mut Owned, path: &str) {
    model.pin_mut().write_coverage(path);
}

/// A card's model.
pub(crate) type OwnedSoc = UniquePtr<bridge::SocModel>;

pub(crate) fn owned_soc(name: &str, mutant: u32) -> Result<OwnedSoc, CoreError> {
    let model = bridge::make_soc(name, mutant);
    if model.is_null() { Err(CoreError::NoModel(name.to_owned())) } else { Ok(model) }
}

/// Whether every assertion has held.
#[inline]
pub(crate) fn soc_cycle(model: &mut OwnedSoc, inputs: &SocInputs, outputs: &mut SocOutputs) -> bool {
    model.pin_mut().cycle(inputs, outputs)
}

#[allow(unreachable_pub, reason = "cxx makes everything of a bridge public")]
#[cxx::bridge(namespace = "fenn")]
mod bridge {
    // SAFETY: the functions keep to Rust's rules for what they borrow: they read `&`, write `&mut` and keep neither, and a
    // model owns everything that it points to; they may be called in any order, from one thread at a time.
    unsafe extern "C++" {
        include!("fenn-verilated/src/ports.rs.h");
        include!("fenn-verilated/src/soc/ports.rs.h");
        include!("fenn-verilated/shim/core.h");
        include!("fenn-verilated/shim/soc.h");

        type Inputs = crate::ports::Inputs;
        type Outputs = crate::ports::Outputs;

        type SocInputs = crate::soc::ports::SocInputs;
        type SocOutputs = crate::soc::ports::SocOutputs;

        /// A configuration of the core.
        type Model;

        /// The model with this name, or null where there is none; `mutant` picks one of the mutants, 0 is none.
        fn make(name: &str, mutant: u32) -> UniquePtr<Model>;

        /// Samples `inputs` with a rising edge of the clock and tells what the pins show after it.
        fn cycle(self: Pin<&mut Model>, inputs: &Inputs, outputs: &mut Outputs);

        /// Whether the host port takes the request of `inputs` with the next rising edge.
        fn host_ready(self: Pin<&mut Model>, inputs: &Inputs) -> bool;

        /// Begins to write a waveform, of this cycle and all that follow.
        fn open_wave(self: Pin<&mut Model>, path: &str);

        /// Ends the waveform.
        fn close_wave(self: Pin<&mut Model>);

        /// A card.
        type SocModel;

        /// The card with this name, or null where there is none; `mutant` as above.
        fn make_soc(name: &str, mutant: u32) -> UniquePtr<SocModel>;

        /// Samples `inputs` with a rising edge of the clock and tells what the pins show after it. Whether every assertion has
        /// held so far.
        fn cycle(self: Pin<&mut SocModel>, inputs: &SocInputs, outputs: &mut SocOutputs) -> bool;

        /// Writes the counters of executed lines, where the models have been built with them.
        fn write_coverage(self: Pin<&mut Model>, path: &str);
    }
}

// SAFETY: a model has no thread of its own that outlives a call, and nothing it points to is shared with another model: its
// Verilator context is its own. So it may be used by one thread after the other.
unsafe impl Send for bridge::Model {}
// SAFETY: as for the core's model; the context that assertions report to is set anew for every cycle.
unsafe impl Send for bridge::SocModel {}
