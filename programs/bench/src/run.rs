//! From a description to spikes and costs: compile a `network.toml`, run it on the simulator.

use std::path::Path;

use fenn_compiler::backend::{Compiled, Options, compile};
use fenn_compiler::description;
use fenn_compiler::network::Network;

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
