//! A machine by its parts.

use fenn_isa::image::Image;
use fenn_isa::memory::MachineConfig;
use fenn_isa::timing::Profile;

use crate::engine::Engine;
use crate::error::Error;
use crate::machine::{Machine, Options};

/// What a machine is to be.
///
/// ```
/// use fenn_isa::{memory::MachineConfig, timing::CV32E40X};
/// use fenn_iss::Machine;
///
/// let config = MachineConfig { vector_bytes: 4096, ..MachineConfig::default() };
/// let machine = Machine::builder().memories(config).profile(CV32E40X).strict(true).build()?;
/// assert_eq!((machine.config().vector_bytes, machine.timing().profile().name), (4096, "cv32e40x"));
/// # Ok::<(), fenn_iss::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct MachineBuilder<'a> {
    config: Option<MachineConfig>,
    options: Options,
    image: Option<&'a Image>,
}

impl<'a> MachineBuilder<'a> {
    /// This project's core with the memories of its program, or the usual ones where it has none; not strict.
    pub fn new() -> Self {
        Self::default()
    }

    /// Memories of these sizes, instead of those that the program was made for.
    pub fn memories(mut self, config: MachineConfig) -> Self {
        self.config = Some(config);
        self
    }

    /// How long things take.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.options.profile = profile;
        self
    }

    /// Whether to trap where the board carries on; see [`Options::strict`].
    pub fn strict(mut self, strict: bool) -> Self {
        self.options.strict = strict;
        self
    }

    /// By what it runs when nobody watches.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.options.engine = engine;
        self
    }

    /// The program to be loaded.
    pub fn image(mut self, image: &'a Image) -> Self {
        self.image = Some(image);
        self
    }

    /// The machine, after reset, at its program's entry point.
    ///
    /// # Errors
    /// [`Error::Config`] for memories that no machine can have, [`Error::Profile`] for a timing that no core can have,
    /// [`Error::Image`] for a program that is not well-formed,
    /// [`Error::TooSmall`] for one that needs more memory.
    pub fn build(self) -> Result<Machine, Error> {
        let config = self.config.or(self.image.map(|image| image.config)).unwrap_or_default();
        let mut machine = Machine::new(config, self.options)?;
        if let Some(image) = self.image {
            machine.load(image)?;
        }
        Ok(machine)
    }
}
