//! From a description to spikes and costs: compile a `network.toml`, run it on the simulator.

use std::path::Path;

use fenn_compiler::backend::{CompileError, Compiled, Options, compile};
use fenn_compiler::description;
use fenn_compiler::network::Network;
use fenn_host::session::array::Array;
use fenn_host::session::{Run, Session};
use fenn_host::sim::Simulator;
use fenn_isa::image::Image;
use fenn_isa::timing::FENN;

use crate::program::Failure;

/// The network that a description means; `base` is the folder that its paths are relative to.
///
/// # Errors
/// Every mistake of the description, with its place in it.
pub fn described(text: &str, name: &str, base: &Path, seed: Option<u64>) -> Result<Network, Failure> {
    let options = description::Options { seed, allow_outside: true, ..description::Options::default() };
    let described = description::parse(text, name, base, &options).map_err(|remarks| remarks.render(false))?;
    Ok(described.network)
}

/// Its program.
///
/// # Errors
/// What the compiler says.
pub fn compiled(network: &Network, options: &Options) -> Result<Compiled, Failure> {
    Ok(compile(network, options)?)
}

/// Its program for a machine with as much instruction memory as `options` say, or with more where it does not fit.
///
/// # Errors
/// What the compiler says.
pub fn compiled_large(network: &Network, options: &Options) -> Result<Compiled, Failure> {
    match compile(network, options) {
        Err(CompileError::TooMuchCode { needed, .. }) => {
            let mut larger = *options;
            larger.config.instruction_bytes = 4 * (needed as u32).next_power_of_two();
            compiled(network, &larger)
        }
        other => Ok(other?),
    }
}

/// The program on a simulated core, under the timing profile `fenn`.
///
/// # Errors
/// What the simulator says.
pub fn session(image: &Image) -> Result<Session<Simulator>, Failure> {
    let options = fenn_iss::Options { profile: FENN, ..fenn_iss::Options::default() };
    Ok(Session::open(Simulator::with_options(image.config, options)?, image)?)
}

/// The class that a run gives: its first output's.
///
/// # Errors
/// The network has no output, and so gives none.
pub fn class(run: &Run) -> Result<u32, Failure> {
    let output = run.outputs.first().ok_or("the network has no output, and so gives no class; add an [[output]]")?;
    Ok(output.class())
}

/// Which neurons spiked in each step, in rising order; nothing of an array of numbers.
pub fn steps(array: &Array) -> Vec<Vec<u32>> {
    match array {
        Array::Spikes(array) => (0..array.steps).map(|step| array.in_step(step).collect()).collect(),
        Array::Values(_) => Vec::new(),
    }
}
