//! What stands in for the models where there was no Verilator: none can be made.

use std::convert::Infallible;

use crate::core::CoreError;
use crate::ports::{Inputs, Outputs};
use crate::soc::ports::{SocInputs, SocOutputs};

pub(crate) type Owned = Infallible;

pub(crate) type OwnedSoc = Infallible;

pub(crate) fn owned_soc(_name: &str, _mutant: u32) -> Result<OwnedSoc, CoreError> {
    Err(CoreError::NotBuilt)
}

pub(crate) fn soc_cycle(model: &mut OwnedSoc, _inputs: &SocInputs, _outputs: &mut SocOutputs) -> bool {
    match *model {}
}

pub(crate) fn owned(_name: &str, _mutant: u32) -> Result<Owned, CoreError> {
    Err(CoreError::NotBuilt)
}

pub(crate) fn cycle(model: &mut Owned, _inputs: &Inputs, _outputs: &mut Outputs) {
    match *model {}
}

pub(crate) fn host_ready(model: &mut Owned, _inputs: &Inputs) -> bool {
    match *model {}
}

pub(crate) fn open_wave(model: &mut Owned, _path: &str) {
    match *model {}
}

pub(crate) fn close_wave(model: &mut Owned) {
    match *model {}
}

pub(crate) fn write_coverage(model: &mut Owned, _path: &str) {
    match *model {}
}
