//! Spikes as they come out of a file, and how they become samples.
//!
//! Contract: [`Events`] holds only spikes that fit the program: whoever adds one gets told otherwise, in words, and
//! adds the place. It is bounded by the number of spikes added and by [`MOST_SAMPLES`].

use super::npy::Npy;
use super::{Dataset, MOST_SAMPLES, Shape, Spike};
use crate::error::DataProblem;

/// Spikes of samples in any order.
pub(super) struct Events<'a> {
    shape: &'a Shape,
    /// With the sample each belongs to.
    spikes: Vec<(usize, Spike)>,
    /// Samples known to be there, with or without spikes.
    samples: usize,
    /// Whether the file says how many samples there are even where the last ones have no spikes.
    counted: bool,
}

impl<'a> Events<'a> {
    /// No spikes, of a file that lists spikes.
    pub(super) fn listed(shape: &'a Shape) -> Self {
        Self { shape, spikes: Vec::new(), samples: 0, counted: false }
    }

    /// No spikes, of a file that holds this many samples.
    pub(super) fn counted(shape: &'a Shape, samples: usize) -> Self {
        Self { shape, spikes: Vec::new(), samples, counted: true }
    }

    /// The same spikes, of a file that turned out to hold this many samples.
    pub(super) fn with_samples(self, samples: usize) -> Self {
        Self { samples, counted: true, ..self }
    }

    /// Adds a spike, or says why it cannot be one.
    pub(super) fn add(&mut self, sample: i64, step: i64, unit: i64) -> Result<(), String> {
        let Shape { program, units, steps, .. } = self.shape;
        let sample = usize::try_from(sample).ok().filter(|sample| *sample < MOST_SAMPLES);
        let sample = sample.ok_or_else(|| format!("sample numbers go from 0 to {}", MOST_SAMPLES - 1))?;
        let step = u32::try_from(step).ok().filter(|step| step < steps).ok_or_else(|| {
            format!("step {step} is not in the run: the program `{program}` makes {steps} steps, counted from 0")
        })?;
        let unit = u32::try_from(unit).ok().filter(|unit| u64::from(*unit) < *units).ok_or_else(|| {
            format!("unit {unit} is not an input: the program `{program}` has {units} input units, counted from 0")
        })?;
        self.samples = self.samples.max(sample + 1);
        self.spikes.push((sample, Spike { step, unit }));
        Ok(())
    }

    /// Adds the spike that an entry of a dense array stands for, if it is 1; says so if it is no bit.
    pub(super) fn add_bit(&mut self, bit: Option<i64>, sample: usize, step: usize, unit: usize) -> Result<(), String> {
        match bit {
            Some(0) => Ok(()),
            Some(1) => self.add(sample as i64, step as i64, unit as i64),
            _ => Err(format!("unit {unit} is neither 0 nor 1, and spikes are")),
        }
    }

    /// The samples, `samples` of them where that is given.
    pub(super) fn into_dataset(mut self, samples: Option<usize>) -> Result<Dataset, DataProblem> {
        let found = self.samples;
        let samples = match samples {
            Some(given) if given > MOST_SAMPLES => {
                return Err(DataProblem::Count {
                    what: format!("{given} samples are more than the {MOST_SAMPLES} possible"),
                });
            }
            Some(given) if given < found || self.counted && given != found => {
                return Err(DataProblem::Count { what: format!("holds {found} samples, not {given}") });
            }
            given => given.unwrap_or(found),
        };
        self.spikes.sort_unstable();
        let mut rest = self.spikes.as_slice();
        let samples = (0..samples).map(|sample| {
            let count = rest.partition_point(|(of, _)| *of == sample);
            let (now, later) = rest.split_at(count);
            rest = later;
            now.iter().map(|(_, spike)| *spike).collect()
        });
        Ok(Dataset::new(samples, None))
    }
}

/// Spikes from an array: rows (sample, step, unit), or one bit per unit and step.
pub(super) fn from_npy<'a>(array: &Npy<'_>, shape: &'a Shape) -> Result<Events<'a>, DataProblem> {
    let Shape { program, units, steps, .. } = shape;
    let is_dense = |a: usize, b: usize| *units > 0 && a as u64 == u64::from(*steps) && b as u64 == *units;
    match array.shape[..] {
        [samples, a, b] if is_dense(a, b) => dense(array, shape, samples),
        // A single sample; three units may just as well be a list, which is what three columns mean first.
        [a, b] if b != 3 && is_dense(a, b) => dense(array, shape, 1),
        [rows, 3] => listed(array, shape, rows),
        _ => Err(DataProblem::Shape {
            found: format!("{:?}", array.shape),
            expected: format!(
                "the program `{program}` takes [spikes, 3] (sample, step, unit) or [samples, {steps}, {units}] (0 or 1)"
            ),
        }),
    }
}

fn dense<'a>(array: &Npy<'_>, shape: &'a Shape, samples: usize) -> Result<Events<'a>, DataProblem> {
    if samples > MOST_SAMPLES {
        return Err(DataProblem::Count {
            what: format!("{samples} samples are more than the {MOST_SAMPLES} possible"),
        });
    }
    let mut events = Events::counted(shape, samples);
    let (steps, units) = (shape.steps as usize, shape.units as usize);
    for row in 0..samples * steps {
        let (sample, step) = (row / steps, row % steps);
        for unit in 0..units {
            let number =
                if array.shape.len() == 3 { array.whole(&[sample, step, unit]) } else { array.whole(&[step, unit]) };
            let placed = |what| DataProblem::Row { row, what: format!("sample {sample}, step {step}: {what}") };
            events.add_bit(number, sample, step, unit).map_err(placed)?;
        }
    }
    Ok(events)
}

fn listed<'a>(array: &Npy<'_>, shape: &'a Shape, rows: usize) -> Result<Events<'a>, DataProblem> {
    let mut events = Events::listed(shape);
    for row in 0..rows {
        let number = |column, name: &str| {
            let what = format!("the {name} is not a whole number");
            array.whole(&[row, column]).ok_or(DataProblem::Row { row, what })
        };
        let (sample, step, unit) = (number(0, "sample")?, number(1, "step")?, number(2, "unit")?);
        events.add(sample, step, unit).map_err(|what| DataProblem::Row { row, what })?;
    }
    Ok(events)
}
