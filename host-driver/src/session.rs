//! Launches of one program, with its arrays by name.
//!
//! Contract: a session is a device with a compiled network in it. [`Session::launch`] is the runs of one or several samples:
//! it writes the samples' spikes into every input of the manifest, starts the program, waits, and reads the outputs.
//! [`Session::begin`] and [`Session::finish`] are its two halves, for a host that has something to do meanwhile. The
//! entry point is `run`; where the program has an `init` (which prepares what is done once and goes on into `run`) the
//! first launch starts there, and where state is reset every launch does, so that every run begins in the same state.
//!
//! [`Session::stream`] is a launch of any number of samples whose inputs and results pass while the program runs, where program
//! and device can do that.
//!
//! Input units are counted through all inputs in the manifest's order: with inputs of 10 and 5 neurons, unit 12 is
//! neuron 2 of the second.
//!
//! Invariant: all addresses come from a manifest that has been checked against the image's machine, and the device has
//! at least that machine's memories.
//!
//! Not here: where samples come from ([`crate::dataset`]), and many of them ([`crate::evaluate`]).

use fenn_isa::image::Image;
use fenn_isa::image::manifest::{CodeArray, Data, InputSpikes, Manifest, SpikeList, StatePolicy};
use fenn_isa::memory::{LANES, MachineConfig, Space, VECTOR_BYTES};

use crate::dataset::Spike;
use crate::device::{Device, Finished, Limit};
use crate::error::SessionError;

pub mod array;
mod counters;
mod input;
pub mod readout;
mod stream;

use array::Array;
pub use counters::Count;
use readout::Result as Readout;
pub use stream::Streamed;

/// A device with a compiled network in it.
#[derive(Debug)]
pub struct Session<D> {
    device: D,
    manifest: Manifest,
    init: Option<u32>,
    run: u32,
    /// Whether no run has been made yet.
    fresh: bool,
    /// Samples of the launch that has begun.
    begun: u32,
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

/// What one launch came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    /// The cost of all of it. Runs are a little less: what the program does once per launch belongs to none of them, unless
    /// there is only one.
    pub finished: Finished,
    /// One for each sample.
    pub runs: Vec<Run>,
    /// What the program counted, one for each phase of the manifest's counters.
    pub counts: Vec<Count>,
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
        Ok(Self { device, manifest, init, run, fresh: true, begun: 0, buffer: Vec::new() })
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
    /// As [`Session::launch`].
    pub fn run(&mut self, spikes: &[Spike], limit: Limit) -> Result<Run, SessionError> {
        let launch = self.launch(&[spikes], limit)?;
        // A launch has as many runs as samples.
        launch.runs.into_iter().next().ok_or(SessionError::Samples { samples: 1, most: 0 })
    }

    /// Runs the program on some samples, one after the other. `limit` is for all of them together.
    ///
    /// # Errors
    /// As [`Session::begin`] and [`Session::finish`].
    pub fn launch(&mut self, samples: &[&[Spike]], limit: Limit) -> Result<Launch, SessionError> {
        self.begin(samples)?;
        self.finish(limit)
    }

    /// Whether the program can be run on a sample.
    ///
    /// # Errors
    /// [`SessionError::Spike`] for a spike that no input has, [`SessionError::TooManySpikes`].
    pub fn check(&self, spikes: &[Spike]) -> Result<(), SessionError> {
        let (units, steps) = (units(&self.manifest), self.manifest.steps);
        let wrong = |spike: &&Spike| u64::from(spike.unit) >= units || spike.step >= steps;
        if let Some(Spike { step, unit }) = spikes.iter().find(wrong).copied() {
            return Err(SessionError::Spike { unit, step, units, steps });
        }
        for (input, of_input) in inputs(&self.manifest, spikes) {
            if let InputSpikes::List(list) = &input.spikes {
                let (spikes, capacity) = (input::sorted(of_input).len(), list.capacity(steps));
                if spikes > capacity as usize {
                    return Err(SessionError::TooManySpikes { name: input.name.clone(), spikes, capacity });
                }
            }
        }
        Ok(())
    }

    /// Writes the samples' spikes and starts the program.
    ///
    /// # Errors
    /// [`SessionError::Samples`] for none or too many samples and what [`Session::check`] says against one of them, before
    /// anything is written; else what the device says.
    pub fn begin(&mut self, samples: &[&[Spike]]) -> Result<(), SessionError> {
        let most = self.manifest.batch.samples;
        let count = u32::try_from(samples.len()).ok().filter(|count| (1..=most).contains(count));
        let count = count.ok_or(SessionError::Samples { samples: samples.len(), most })?;
        samples.iter().try_for_each(|spikes| self.check(spikes))?;
        self.write_inputs(samples)?;
        let ready = self.manifest.batch.stream.map(|stream| stream.ready);
        for address in self.manifest.batch.count.into_iter().chain(ready) {
            self.write_word(address, count)?;
        }
        self.begun = count;
        self.start()
    }

    fn start(&mut self) -> Result<(), SessionError> {
        let at_init = self.fresh || self.manifest.state == StatePolicy::Reset;
        self.fresh = false;
        Ok(self.device.start(self.init.filter(|_| at_init).unwrap_or(self.run))?)
    }

    /// Writes a word of scalar memory.
    fn write_word(&mut self, address: u32, word: u32) -> Result<(), SessionError> {
        Ok(self.device.write(Space::Scalar, address, &word.to_le_bytes())?)
    }

    /// Waits for the program that was started, and reads its outputs.
    ///
    /// # Errors
    /// What the device says. A launch that did not end is halted.
    pub fn finish(&mut self, limit: Limit) -> Result<Launch, SessionError> {
        let finished = match self.device.wait(limit) {
            Ok(finished) => finished,
            Err(error) => {
                self.device.halt()?;
                return Err(error.into());
            }
        };
        let costs = match self.manifest.batch.marks {
            Some(marks) if self.manifest.batch.stream.is_some() => {
                let places = 0..self.begun;
                places.map(|place| counters::of_place(&mut self.device, marks, place)).collect::<Result<_, _>>()?
            }
            Some(marks) if self.manifest.batch.samples > 1 => counters::runs(&mut self.device, marks, self.begun)?,
            _ => vec![finished; self.begun as usize],
        };
        let runs = costs.into_iter().zip(0..).map(|(finished, sample)| self.read_run(finished, sample));
        let runs = runs.collect::<Result<_, SessionError>>()?;
        Ok(Launch { finished, runs, counts: self.read_counts()? })
    }

    /// The outputs in place `sample`.
    fn read_run(&mut self, finished: Finished, sample: u32) -> Result<Run, SessionError> {
        let outputs = self.manifest.outputs.iter().map(|output| {
            let array = Array::read(&mut self.device, &output.data, output.neurons, sample)?;
            Ok(readout::read(&array, output.readout))
        });
        Ok(Run { finished, outputs: outputs.collect::<Result<_, SessionError>>()? })
    }

    fn read_counts(&mut self) -> Result<Vec<Count>, SessionError> {
        match &self.manifest.counters {
            Some(counters) => counters::read(&mut self.device, counters),
            None => Ok(Vec::new()),
        }
    }

    /// What the latest launch recorded of a sample, counted from 0: one array for each recording of the manifest.
    ///
    /// # Errors
    /// [`SessionError::Samples`] for a sample that the program has no place for; the device's.
    pub fn recordings(&mut self, sample: u32) -> Result<Vec<Array>, SessionError> {
        self.check_sample(sample)?;
        let recordings = self.manifest.recordings.iter();
        recordings.map(|one| Array::read(&mut self.device, &one.data, one.neurons, sample)).collect()
    }

    /// What the latest launch left where the outputs of a sample, counted from 0, are read from: one array for each output of
    /// the manifest.
    ///
    /// # Errors
    /// [`SessionError::Samples`] for a sample that the program has no place for; the device's.
    pub fn output_arrays(&mut self, sample: u32) -> Result<Vec<Array>, SessionError> {
        self.check_sample(sample)?;
        let outputs = self.manifest.outputs.iter();
        outputs.map(|output| Array::read(&mut self.device, &output.data, output.neurons, sample)).collect()
    }

    fn check_sample(&self, sample: u32) -> Result<(), SessionError> {
        let most = self.manifest.batch.samples;
        if sample < most { Ok(()) } else { Err(SessionError::Samples { samples: sample as usize + 1, most }) }
    }

    /// Writes samples, which have been checked, into all inputs.
    fn write_inputs(&mut self, samples: &[&[Spike]]) -> Result<(), SessionError> {
        if self.manifest.batch.stream.is_none() {
            return self.write_places(samples, 0);
        }
        samples.iter().zip(0..).try_for_each(|(spikes, place)| self.write_places(&[*spikes], place))
    }

    /// Writes samples into all inputs, the first one into place `first`; more than one only where lists of all are one.
    fn write_places(&mut self, samples: &[&[Spike]], first: u32) -> Result<(), SessionError> {
        let steps = self.manifest.steps;
        for (index, input) in self.manifest.inputs.iter().enumerate() {
            let of_input =
                |spikes| inputs(&self.manifest, spikes).nth(index).into_iter().flat_map(|(_, spikes)| spikes);
            match &input.spikes {
                InputSpikes::Bits(array) => {
                    for (spikes, sample) in samples.iter().zip(first..) {
                        input::bits(array, of_input(spikes), &mut self.buffer);
                        // A checked manifest has all of them inside scalar memory.
                        let address = array.address + sample * array.sample_stride;
                        if array.step_stride == 4 * array.words {
                            self.device.write(Space::Scalar, address, &self.buffer)?;
                            continue;
                        }
                        for (slot, step) in self.buffer.chunks_exact(4 * array.words as usize).zip(0..) {
                            self.device.write(Space::Scalar, address + step * array.step_stride, slot)?;
                        }
                    }
                }
                InputSpikes::List(list) => {
                    self.buffer.clear();
                    let list = SpikeList { address: list.address + first * list.sample_bytes, ..list.clone() };
                    for spikes in samples {
                        input::list(&list, steps, of_input(spikes), &mut self.buffer);
                    }
                    self.device.write(Space::Scalar, list.address, &self.buffer)?;
                }
            }
        }
        Ok(())
    }
}

/// Each input with its share of the spikes, as (step, neuron).
fn inputs<'a>(
    manifest: &'a Manifest,
    spikes: &'a [Spike],
) -> impl Iterator<Item = (&'a fenn_isa::image::manifest::Input, impl Iterator<Item = (u32, u32)> + 'a)> + 'a {
    let mut behind = 0u64;
    manifest.inputs.iter().map(move |input| {
        let first = behind;
        behind += u64::from(input.neurons);
        let of_input = spikes.iter().filter_map(move |spike| {
            let neuron = u32::try_from(u64::from(spike.unit).checked_sub(first)?).ok()?;
            (neuron < input.neurons).then_some((spike.step, neuron))
        });
        (input, of_input)
    })
}

/// Units of all inputs together.
pub fn units(manifest: &Manifest) -> u64 {
    manifest.inputs.iter().map(|input| u64::from(input.neurons)).sum()
}

/// Bytes that a host keeps of an array of `neurons` neurons, for one sample.
pub(crate) fn bytes_of(data: &Data, neurons: u32) -> u64 {
    let (per_step, steps) = match data {
        Data::Spikes(array) => (4 * u64::from(array.words), array.steps),
        Data::Values(array) => (u64::from(neurons.div_ceil(LANES as u32)) * u64::from(VECTOR_BYTES), array.steps),
        Data::Codes(array) => (CodeArray::row_bytes(neurons), array.steps),
    };
    per_step.saturating_mul(steps.into())
}

/// Refuses a manifest that names the same arrays so often that the copies a host keeps of them would be out of all
/// proportion to the memories they lie in.
fn check_sizes(manifest: &Manifest, config: &MachineConfig) -> Result<(), SessionError> {
    let outputs = manifest.outputs.iter().map(|output| (&output.name, &output.data, output.neurons));
    let recordings = manifest.recordings.iter().map(|recording| (&recording.name, &recording.data, recording.neurons));
    let mut bytes = 0u64;
    for (name, data, neurons) in outputs.chain(recordings) {
        bytes = bytes.saturating_add(bytes_of(data, neurons).saturating_mul(manifest.batch.samples.into()));
        // Outputs and recordings may be of the same arrays.
        let most = 2 * (u64::from(config.bytes(Space::Scalar)) + u64::from(config.bytes(Space::Vector)));
        if bytes > most {
            return Err(SessionError::TooMuch { name: name.clone(), bytes, most });
        }
    }
    Ok(())
}
