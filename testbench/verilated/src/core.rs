//! The Verilated core: pins, clock, and the host's port.
//!
//! Contract: a [`Core`] is one model; [`Core::cycle`] is one rising edge of its clock. [`Core::write`] and [`Core::read`]
//! are the host port's protocol, of the halted core, one word a request. Nothing here checks what the core does, except
//! that it answers at all.
//!
//! Not here: DRAM (see [`crate::axi`]), and the comparison (see [`crate::lockstep`]).

use std::path::Path;

use fenn_host::transport::TransportError;
use fenn_isa::memory::Space;

use crate::configuration::Configuration;
use crate::ffi;
use crate::ports::{Inputs, Outputs};

/// Why there is no model, or no answer from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    /// The crate was built where there was no Verilator.
    #[error(
        "this program was built without models of the core, because Verilator was not installed; install it, build again"
    )]
    NotBuilt,
    /// The build has no such model.
    #[error("there is no model of the configuration `{0}`")]
    NoModel(String),
    /// The host port takes no request.
    #[error("the host port does not answer: {what} {space} at {address:#x}, after {cycles} cycles")]
    Silent {
        /// Reading or writing.
        what: &'static str,
        /// Which memory.
        space: Space,
        /// Byte address there.
        address: u32,
        /// How long was waited.
        cycles: u32,
    },
    /// A card does not answer.
    #[error("the card does not say what it is")]
    Card(#[source] TransportError),
    /// A waveform can only have a path that is text.
    #[error("{0} is no text, so no waveform can be written there")]
    Path(String),
}

/// Threads of each model, as the crate was built.
pub const THREADS: &str = match option_env!("FENN_VERILATED_THREADS") {
    Some(threads) => threads,
    None => "1",
};

/// How long the host port may keep a request waiting.
const PATIENCE: u32 = 1000;

/// One model.
pub struct Core {
    model: ffi::Owned,
    configuration: &'static Configuration,
    outputs: Outputs,
    clock: u64,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("configuration", &self.configuration.name).field("clock", &self.clock).finish()
    }
}

impl Core {
    /// A model of this configuration, in reset; `mutant` is 0 except for the mutants' model.
    ///
    /// # Errors
    /// [`CoreError::NotBuilt`], [`CoreError::NoModel`].
    pub fn new(configuration: &'static Configuration, mutant: u32) -> Result<Self, CoreError> {
        let model = ffi::owned(configuration.name, mutant)?;
        let mut core = Self { model, configuration, outputs: Outputs::default(), clock: 0 };
        core.reset(0);
        Ok(core)
    }

    /// Which configuration it is.
    pub fn configuration(&self) -> &'static Configuration {
        self.configuration
    }

    /// Rising edges so far.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// What the pins show.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// One rising edge of the clock.
    #[inline]
    pub fn cycle(&mut self, inputs: &Inputs) -> &Outputs {
        ffi::cycle(&mut self.model, inputs, &mut self.outputs);
        self.clock += 1;
        &self.outputs
    }

    /// Resets the core, which is then halted at `entry`.
    pub fn reset(&mut self, entry: u32) {
        for _ in 0..3 {
            self.cycle(&Inputs { reset: true, entry, ..Inputs::default() });
        }
        self.cycle(&Inputs { entry, ..Inputs::default() });
    }

    /// Writes words at `address`, a multiple of 4, of a memory of the halted core.
    ///
    /// # Errors
    /// [`CoreError::Silent`].
    pub fn write(&mut self, space: Space, address: u32, words: &[u32]) -> Result<(), CoreError> {
        for (index, word) in words.iter().enumerate() {
            let address = address + 4 * index as u32;
            let request = Inputs { host_write: true, host_wdata: *word, ..request(space, address) };
            self.ask(&request, "writing", space, address)?;
        }
        Ok(())
    }

    /// Reads `count` words from `address`, a multiple of 4, of a memory of the halted core.
    ///
    /// # Errors
    /// [`CoreError::Silent`].
    pub fn read(&mut self, space: Space, address: u32, count: u32) -> Result<Vec<u32>, CoreError> {
        let mut words = Vec::with_capacity(count as usize);
        for index in 0..count {
            let address = address + 4 * index;
            self.ask(&request(space, address), "reading", space, address)?;
            // The request was taken with the last edge; the answer is there, or comes.
            let mut waited = 0;
            while !self.outputs.host_rvalid {
                if waited == PATIENCE {
                    return Err(CoreError::Silent { what: "reading", space, address, cycles: waited });
                }
                self.cycle(&Inputs::default());
                waited += 1;
            }
            words.push(self.outputs.host_rdata);
        }
        Ok(words)
    }

    fn ask(&mut self, request: &Inputs, what: &'static str, space: Space, address: u32) -> Result<(), CoreError> {
        for _ in 0..PATIENCE {
            // Whether this edge takes the request can be seen before it only where ready does not depend on the request;
            // the model shows what holds after the pins have been set, so it is asked for with the clock low.
            let taken = ffi::host_ready(&mut self.model, request);
            self.cycle(request);
            if taken {
                return Ok(());
            }
        }
        Err(CoreError::Silent { what, space, address, cycles: PATIENCE })
    }

    /// Begins to write a waveform (FST).
    ///
    /// # Errors
    /// [`CoreError::Path`].
    pub fn open_wave(&mut self, path: &Path) -> Result<(), CoreError> {
        let text = path.to_str().ok_or_else(|| CoreError::Path(path.display().to_string()))?;
        ffi::open_wave(&mut self.model, text);
        Ok(())
    }

    /// Ends the waveform, if one is being written.
    pub fn close_wave(&mut self) {
        ffi::close_wave(&mut self.model);
    }

    /// Writes how often each line of the core was executed, for `verilator_coverage`; nothing where the build does not count.
    ///
    /// # Errors
    /// [`CoreError::Path`].
    pub fn write_coverage(&mut self, path: &Path) -> Result<(), CoreError> {
        let text = path.to_str().ok_or_else(|| CoreError::Path(path.display().to_string()))?;
        ffi::write_coverage(&mut self.model, text);
        Ok(())
    }
}

fn request(space: Space, address: u32) -> Inputs {
    Inputs { host_valid: true, host_space: space as u8, host_addr: address, ..Inputs::default() }
}
