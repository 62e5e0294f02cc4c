//! The assembly kernels of `programs/kernels`: a bench to call them on, and references to compare them with.
//!
//! Contract: a [`Bench`] holds the assembled kernels in a simulated machine that traps wherever the board would carry on
//! with an address out of range. A call gives the arguments to a function as the calling convention says and runs it
//! until it returns; memories and generators keep their state from call to call. References share no arithmetic with
//! `fenn_isa::lane`: they are written from the machine's description, on 64-bit integers or floating point.
//!
//! Not here: which numbers are to be met (see [`crate::assembler_figures`] and the tests).

use std::path::PathBuf;

use fenn_assembler::{Options, Source, assemble, diagnostic};
use fenn_isa::image::Image;
use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};
use fenn_isa::operand::XReg;
use fenn_isa::seed::generator_seeds;
use fenn_iss::{Limits, Machine, Outcome, Stop};

use crate::shared::root;

pub mod experiment;
pub mod exponential;
pub mod network;
pub mod neuron;
pub mod number;
pub mod random;

/// Where a function of the bench returns to: a lone `ecall` at the program's start.
const RETURN: &str = "_start: ecall\n";
/// No kernel needs more in one call; more is a loop without end.
const MOST: u64 = 100_000_000;

/// Why a kernel could not be called.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Its source cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is wrong.
    #[error("{0}")]
    Assembly(String),
    /// The sources have no such line to be replaced.
    #[error("no kernel has `{0}` to be replaced")]
    NoText(String),
    /// The sources have no such symbol.
    #[error("the kernels have no symbol `{0}`")]
    NoSymbol(String),
    /// More arguments than registers for them.
    #[error("{0} arguments do not fit into a0 to a7")]
    Arguments(usize),
    /// The machine cannot hold it, or was asked for what it does not have.
    #[error(transparent)]
    Machine(#[from] fenn_iss::Error),
    /// It did not return.
    #[error("`{function}` did not return: {stop:?}")]
    Stopped {
        /// Which function.
        function: String,
        /// What happened instead.
        stop: Stop,
    },
}

/// Kernels in a machine.
#[derive(Debug)]
pub struct Bench {
    machine: Machine,
    image: Image,
}

impl Bench {
    /// The kernels in `programs/kernels/NAME.s`, assembled together.
    ///
    /// # Errors
    /// [`KernelError::Read`], [`KernelError::Assembly`], [`KernelError::Machine`].
    pub fn new(names: &[&str]) -> Result<Self, KernelError> {
        Self::changed(names, &[])
    }

    /// As [`Self::new`], with pieces of text replaced everywhere: another constant, another rounding.
    ///
    /// # Errors
    /// As [`Self::new`], and [`KernelError::NoText`] for a piece that is in none of the sources.
    pub fn changed(names: &[&str], changes: &[(&str, &str)]) -> Result<Self, KernelError> {
        let mut sources = vec![Source::new("return.s", RETURN)];
        for name in names {
            let path = root().join("programs/kernels").join(format!("{name}.s"));
            let text = std::fs::read_to_string(&path).map_err(|source| KernelError::Read { path, source })?;
            sources.push(Source::new(format!("{name}.s"), text));
        }
        for (old, new) in changes {
            if !sources.iter().any(|source| source.text.contains(old)) {
                return Err(KernelError::NoText((*old).to_owned()));
            }
            sources.iter_mut().for_each(|source| source.text = source.text.replace(old, new));
        }
        let (image, diagnostics) = assemble(&sources, &Options::default());
        let image = image.ok_or_else(|| KernelError::Assembly(diagnostic::render(&diagnostics, &sources, false)))?;
        let machine = Machine::from_image(&image, fenn_iss::Options { strict: true, ..fenn_iss::Options::default() })?;
        Ok(Self { machine, image })
    }

    /// The address of a symbol in its memory.
    ///
    /// # Errors
    /// [`KernelError::NoSymbol`].
    pub fn symbol(&self, name: &str) -> Result<u32, KernelError> {
        let symbol = self.image.symbol(name).ok_or_else(|| KernelError::NoSymbol(name.to_owned()))?;
        Ok(symbol.address)
    }

    /// Calls a function with arguments in a0, a1, ...; what it cost, without the `ecall` it returns to.
    ///
    /// # Errors
    /// [`KernelError::NoSymbol`], [`KernelError::Arguments`], and [`KernelError::Stopped`] where it does not return.
    pub fn call(&mut self, function: &str, arguments: &[u32]) -> Result<Outcome, KernelError> {
        const REGISTERS: [&str; 8] = ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"];
        if arguments.len() > REGISTERS.len() {
            return Err(KernelError::Arguments(arguments.len()));
        }
        let (start, home) = (self.symbol(function)?, self.symbol("_start")?);
        let state = self.machine.state_mut();
        state.pc = start;
        let values = REGISTERS.into_iter().zip(arguments.iter().copied()).chain([("ra", home)]);
        values
            .filter_map(|(name, value)| Some((XReg::from_name(name)?, value)))
            .for_each(|(reg, value)| state.set_x(reg, value));
        let outcome = self.machine.run(Limits { instructions: Some(MOST), ..Limits::default() }, &mut ());
        match outcome.stop {
            Stop::Ecall { pc } if pc == home => Ok(outcome),
            stop => Err(KernelError::Stopped { function: function.to_owned(), stop }),
        }
    }

    /// What the last function returned in a0.
    pub fn result(&self) -> u32 {
        XReg::from_name("a0").map_or(0, |reg| self.machine.state().x(reg))
    }

    /// Sets the lanes' generators with `rng_seed` of `multiply.s`, by way of two vectors at `address`; their states.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn seed(&mut self, seed: u64, address: u32) -> Result<[random::Lane; LANES], KernelError> {
        let lanes = generator_seeds(seed).map(|state| random::Lane { s0: state.s0, s1: state.s1 });
        let halves: Vec<i16> =
            lanes.iter().map(|lane| lane.s0 as i16).chain(lanes.iter().map(|lane| lane.s1 as i16)).collect();
        self.set_halves(Space::Vector, address, &halves)?;
        self.call("rng_seed", &[address])?;
        Ok(lanes)
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// [`KernelError::Machine`] where they do not fit.
    pub fn set_bytes(&mut self, space: Space, address: u32, bytes: &[u8]) -> Result<(), KernelError> {
        Ok(self.machine.write(space, address, bytes)?)
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// [`KernelError::Machine`] where there are not as many.
    pub fn bytes(&self, space: Space, address: u32, count: usize) -> Result<Vec<u8>, KernelError> {
        Ok(self.machine.read_bytes(space, address, u32::try_from(count).unwrap_or(u32::MAX))?)
    }

    /// Writes 16-bit numbers.
    ///
    /// # Errors
    /// As [`Self::set_bytes`].
    pub fn set_halves(&mut self, space: Space, address: u32, values: &[i16]) -> Result<(), KernelError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.set_bytes(space, address, &bytes)
    }

    /// Reads 16-bit numbers.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub fn halves(&self, space: Space, address: u32, count: usize) -> Result<Vec<i16>, KernelError> {
        let bytes = self.bytes(space, address, 2 * count)?;
        Ok(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    /// Writes words to scalar memory.
    ///
    /// # Errors
    /// As [`Self::set_bytes`].
    pub fn set_words(&mut self, address: u32, values: &[u32]) -> Result<(), KernelError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.set_bytes(Space::Scalar, address, &bytes)
    }

    /// Reads words from scalar memory.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub fn words(&self, address: u32, count: usize) -> Result<Vec<u32>, KernelError> {
        let bytes = self.bytes(Space::Scalar, address, 4 * count)?;
        Ok(bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
    }
}

/// Bytes of `count` vectors.
pub const fn vectors(count: u32) -> u32 {
    count * VECTOR_BYTES
}
