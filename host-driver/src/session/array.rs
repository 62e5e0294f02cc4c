//! Arrays of a program as values: spikes, and numbers in a fixed-point format.
//!
//! Contract: [`Array::read`] brings what the manifest calls [`Data`] from a device, in the order step, neuron. Where
//! the bytes lie one after the other they are read at once, for on a card every access costs microseconds.
//!
//! Not here: what the numbers mean for the result (see [`super::readout`]).

use fenn_isa::fixed::Format;
use fenn_isa::image::manifest::{CodeArray, Data, SpikeArray, ValueArray};
use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};

use crate::device::Device;
use crate::error::SessionError;

/// What neurons did in every step that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Array {
    /// Spikes.
    Spikes(Spikes),
    /// Numbers.
    Values(Values),
}

/// Spikes of `neurons` neurons in `steps` steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spikes {
    /// How many neurons.
    pub neurons: u32,
    /// How many steps.
    pub steps: u32,
    /// Words of 32 neurons, step by step.
    words: Vec<u32>,
}

/// Numbers of `neurons` neurons in `steps` steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// How many neurons.
    pub neurons: u32,
    /// How many steps.
    pub steps: u32,
    /// How a code is read.
    pub format: Format,
    /// Step by step, neuron by neuron.
    pub codes: Vec<i16>,
}

impl Array {
    /// Reads `data` of `neurons` neurons for one of a launch's samples, counted from 0.
    ///
    /// # Errors
    /// The device's; none where the manifest has been checked against a machine no larger than the device, and it has room for
    /// that sample.
    pub fn read(device: &mut impl Device, data: &Data, neurons: u32, sample: u32) -> Result<Self, SessionError> {
        match data {
            Data::Spikes(array) => Spikes::read(device, array, neurons, sample).map(Self::Spikes),
            Data::Values(array) => Values::read(device, array, neurons, sample).map(Self::Values),
            Data::Codes(array) => Values::read_codes(device, array, neurons, sample).map(Self::Values),
        }
    }
}

impl Spikes {
    fn read(device: &mut impl Device, array: &SpikeArray, neurons: u32, sample: u32) -> Result<Self, SessionError> {
        let slot = 4 * array.words;
        let mut bytes = vec![0; slot as usize * array.steps as usize];
        // Strides between things of which there is one may be any number.
        let first = array.address.wrapping_add(sample.wrapping_mul(array.sample_stride));
        if array.steps == 1 || array.step_stride == slot {
            device.read(Space::Scalar, first, &mut bytes)?;
        } else {
            for (slot, step) in bytes.chunks_exact_mut(slot as usize).zip(0..) {
                device.read(Space::Scalar, first + step * array.step_stride, slot)?;
            }
        }
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
        let words = bytes.chunks_exact(4).map(word).collect();
        Ok(Self { neurons, steps: array.steps, words })
    }

    /// Which neurons spiked in `step`, in rising order; none beyond the steps kept.
    pub fn in_step(&self, step: u32) -> impl Iterator<Item = u32> + '_ {
        let width = self.neurons.div_ceil(32) as usize;
        let words = self.words.chunks_exact(width).nth(step as usize).unwrap_or(&[]);
        let bits = words
            .iter()
            .zip(0u32..)
            .flat_map(|(word, index)| (0..32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| 32 * index + bit));
        // Bits behind the last neuron belong to nobody.
        bits.filter(|neuron| *neuron < self.neurons)
    }

    /// Every spike as (step, neuron), sorted.
    pub fn all(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..self.steps).flat_map(|step| self.in_step(step).map(move |neuron| (step, neuron)))
    }

    /// How often each neuron spiked.
    pub fn counts(&self) -> Vec<i64> {
        let mut counts = vec![0; self.neurons as usize];
        self.all().for_each(|(_, neuron)| counts[neuron as usize] += 1);
        counts
    }
}

impl Values {
    fn read(device: &mut impl Device, array: &ValueArray, neurons: u32, sample: u32) -> Result<Self, SessionError> {
        let blocks = neurons.div_ceil(LANES as u32);
        let row = blocks * VECTOR_BYTES;
        let vectors = (0..array.steps).flat_map(|step| (0..blocks).map(move |block| (step, block)));
        let mut bytes = vec![0; row as usize * array.steps as usize];
        let gapless = (blocks == 1 || array.stride == VECTOR_BYTES) && (array.steps == 1 || array.step_stride == row);
        let first = array.address.wrapping_add(sample.wrapping_mul(array.sample_stride));
        if gapless {
            device.read(Space::Vector, first, &mut bytes)?;
        } else {
            for ((step, block), vector) in vectors.zip(bytes.chunks_exact_mut(VECTOR_BYTES as usize)) {
                let address = first + step.wrapping_mul(array.step_stride) + block.wrapping_mul(array.stride);
                device.read(Space::Vector, address, vector)?;
            }
        }
        let rows = bytes.chunks_exact(row as usize);
        let codes = rows.flat_map(|row| row.chunks_exact(2).take(neurons as usize));
        let codes = codes.map(|code| i16::from_le_bytes([code[0], code[1]])).collect();
        Ok(Self { neurons, steps: array.steps, format: array.format, codes })
    }

    fn read_codes(
        device: &mut impl Device,
        array: &CodeArray,
        neurons: u32,
        sample: u32,
    ) -> Result<Self, SessionError> {
        // A checked manifest's arrays lie in a memory, so neither is large.
        let row = CodeArray::row_bytes(neurons) as usize;
        let mut bytes = vec![0; row * array.steps as usize];
        let first = array.address.wrapping_add(sample.wrapping_mul(array.sample_stride));
        if array.steps == 1 || array.step_stride as usize == row {
            device.read(Space::Scalar, first, &mut bytes)?;
        } else {
            for (row, step) in bytes.chunks_exact_mut(row).zip(0..) {
                device.read(Space::Scalar, first.wrapping_add(step * array.step_stride), row)?;
            }
        }
        let rows = bytes.chunks_exact(row);
        let codes = rows.flat_map(|row| row.chunks_exact(2).take(neurons as usize));
        let codes = codes.map(|code| i16::from_le_bytes([code[0], code[1]])).collect();
        Ok(Self { neurons, steps: array.steps, format: array.format, codes })
    }

    /// The codes of `neuron`, step by step.
    pub fn of(&self, neuron: u32) -> impl DoubleEndedIterator<Item = i16> + ExactSizeIterator + '_ {
        self.codes.iter().skip(neuron as usize).step_by(self.neurons as usize).copied()
    }
}
