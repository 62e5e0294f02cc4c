//! Runs of one program, with its arrays by name.
//!
//! Contract: a session is a device with a compiled network in it. [`Session::run`] is one run of one sample: it writes
//! the sample's spikes into every input of the manifest, starts the program, waits, and reads the outputs. The entry
//! point is `run`; where the program has an `init` (which prepares what is done once and goes on into `run`) the first
//! run starts there, and where state is reset every run does, so that every run begins in the same state.
//!
//! Input units are counted through all inputs in the manifest's order: with inputs of 10 and 5 neurons, unit 12 is
//! neuron 2 of the second.
//!
//! Invariant: all addresses come from a manifest that has been checked against the image's machine, and the device has
//! at least that machine's memories.
//!
//! Not here: where samples come from ([`crate::dataset`]), and many of them ([`crate::evaluate`]).

use fenn_isa::image::Image;
use fenn_isa::image::manifest::{Data, InputSpikes, Manifest, StatePolicy};
use fenn_isa::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};

use crate::dataset::Spike;
use crate::device::{Device, Finished, Limit};
use crate::error::SessionError;

pub mod array;
mod input;
pub mod readout;

use array::Array;
use readout::Result as Readout;

/// A device with a compiled network in it.
#[derive(Debug)]
pub struct Session<D> {
    device: D,
    manifest: Manifest,
    init: Option<u32>,
    run: u32,
    /// Whether no run has been made yet.
    fresh: bool,
    /// The bytes of one input, kept to be filled again.
    buffer: Vec<u8>,
}

/// What one run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The cost.
    pub finished: Finished,
    /// One for each output of the manifest.
    pub outputs: Vec<Readout>,
}

impl<D: Device> Session<D> {
    /// Loads `image` into `device`.
    ///
    /// # Errors
    /// Where the image is not well-formed, has no manifest, names no `run`, or the device refuses it.
    pub fn open(mut device: D, image: &Image) -> Result<Self, SessionError> {
        image.check()?;
        let manifest = image.manifest.clone().ok_or(SessionError::NoManifest)?;
        let entry =
            |name: &str| manifest.entry_points.iter().find(|entry| entry.name == name).map(|entry| entry.address);
        let (init, run) = (entry("init"), entry("run").ok_or(SessionError::NoEntryPoint)?);
        check_sizes(&manifest, &image.config)?;
        device.load(image)?;
        Ok(Self { device, manifest, init, run, fresh: true, buffer: Vec::new() })
    }

    /// What the program says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The device.
    pub fn device(&mut self) -> &mut D {
        &mut self.device
    }

    /// Runs the program on one sample. Two spikes of one unit in one step are one.
    ///
    /// # Errors
    /// [`SessionError::Spike`] for a spike that no input has, before anything is written; else what the device says.
    /// A run that did not end is halted.
    pub fn run(&mut self, spikes: &[Spike], limit: Limit) -> Result<Run, SessionError> {
        self.write_inputs(spikes)?;
        let at_init = self.fresh || self.manifest.state == StatePolicy::Reset;
        self.fresh = false;
        self.device.start(self.init.filter(|_| at_init).unwrap_or(self.run))?;
        let finished = match self.device.wait(limit) {
            Ok(finished) => finished,
            Err(error) => {
                self.device.halt()?;
                return Err(error.into());
            }
        };
        let outputs = self.manifest.outputs.iter().map(|output| {
            let array = Array::read(&mut self.device, &output.data, output.neurons)?;
            Ok(readout::read(&array, output.readout))
        });
        Ok(Run { finished, outputs: outputs.collect::<Result<_, SessionError>>()? })
    }

    /// What the latest run recorded: one array for each recording of the manifest.
    ///
    /// # Errors
    /// The device's.
    pub fn recordings(&mut self) -> Result<Vec<Array>, SessionError> {
        let recordings = self.manifest.recordings.iter();
        recordings.map(|recording| Array::read(&mut self.device, &recording.data, recording.neurons)).collect()
    }

    /// What the latest run left where the outputs are read from: one array for each output of the manifest.
    ///
    /// # Errors
    /// The device's.
    pub fn output_arrays(&mut self) -> Result<Vec<Array>, SessionError> {
        let outputs = self.manifest.outputs.iter();
        outputs.map(|output| Array::read(&mut self.device, &output.data, output.neurons)).collect()
    }

    /// Writes a sample's spikes into all inputs.
    fn write_inputs(&mut self, spikes: &[Spike]) -> Result<(), SessionError> {
        let (units, steps) = (units(&self.manifest), self.manifest.steps);
        let wrong = |spike: &&Spike| u64::from(spike.unit) >= units || spike.step >= steps;
        if let Some(Spike { step, unit }) = spikes.iter().find(wrong).copied() {
            return Err(SessionError::Spike { unit, step, units, steps });
        }
        let mut first = 0;
        for input in &self.manifest.inputs {
            let of_input = spikes.iter().filter_map(|spike| {
                let neuron = u32::try_from(u64::from(spike.unit).checked_sub(first)?).ok()?;
                (neuron < input.neurons).then_some((spike.step, neuron))
            });
            self.buffer.clear();
            let address = match &input.spikes {
                InputSpikes::Bits(array) => {
                    input::bits(array, of_input, &mut self.buffer);
                    array.address
                }
                InputSpikes::List(list) => {
                    input::list(list, steps, of_input, &mut self.buffer).map_err(|spikes| {
                        let (name, capacity) = (input.name.clone(), list.capacity(steps));
                        SessionError::TooManySpikes { name, spikes, capacity }
                    })?;
                    list.address
                }
            };
            self.device.write(Space::Scalar, address, &self.buffer)?;
            first += u64::from(input.neurons);
        }
        Ok(())
    }
}

/// Units of all inputs together.
pub fn units(manifest: &Manifest) -> u64 {
    manifest.inputs.iter().map(|input| u64::from(input.neurons)).sum()
}

/// Refuses a manifest that names the same arrays so often that the copies a host keeps of them would be out of all
/// proportion to the memories they lie in.
fn check_sizes(manifest: &Manifest, config: &MachineConfig) -> Result<(), SessionError> {
    let outputs = manifest.outputs.iter().map(|output| (&output.name, &output.data, output.neurons));
    let recordings = manifest.recordings.iter().map(|recording| (&recording.name, &recording.data, recording.neurons));
    let mut bytes = 0u64;
    for (name, data, neurons) in outputs.chain(recordings) {
        let (per_step, steps) = match data {
            Data::Spikes(array) => (4 * u64::from(array.words), array.steps),
            Data::Values(array) => (u64::from(neurons.div_ceil(LANES as u32)) * u64::from(VECTOR_BYTES), array.steps),
        };
        bytes = bytes.saturating_add(per_step.saturating_mul(steps.into()));
        // Outputs and recordings may be of the same arrays.
        let most = 2 * (u64::from(config.bytes(Space::Scalar)) + u64::from(config.bytes(Space::Vector)));
        if bytes > most {
            return Err(SessionError::TooMuch { name: name.clone(), bytes, most });
        }
    }
    Ok(())
}
