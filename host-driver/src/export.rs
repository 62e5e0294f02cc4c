//! Recordings as NumPy arrays.
//!
//! Contract: [`npz`] is one `.npz` archive (a zip file of `.npy` files) of what [`crate::evaluate`] has kept of all samples.
//! For each recording `NAME` of the manifest, where `NAME` is the population's name, a dot, and the variable's or event's:
//!
//! | member | type and shape | is |
//! | --- | --- | --- |
//! | `NAME.npy`, of a variable | float32, `[samples, steps kept, neurons]` | the values, exactly, for a code has 16 bits |
//! | `NAME.npy`, of an event | int32, `[spikes, 3]` | sample, step, neuron of every spike, in this order |
//! | `NAME.steps.npy` | int32, `[steps kept]` | which steps are kept, counted from 0 |
//!
//! A list of spikes is in the form that data sets are read in ([`crate::dataset`]), so that it can be another program's input.
//! Characters of names that are not letters, digits, `-`, `_` or `.` are written `_`, and no member's name begins with a dot,
//! so that unpacking an archive makes no file but in the folder it is unpacked in; names that become the same get a number.
//! The same evaluation gives the same bytes.
//!
//! Not here: which steps and neurons are recorded, which the program has been compiled with.

use std::collections::BTreeSet;
use std::io::{Cursor, Write};

use fenn_isa::image::manifest::Recording;
use npyz::WriterBuilder as _;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::error::ExportError;
use crate::evaluate::Evaluation;
use crate::session::array::Array;

/// The archive.
///
/// # Errors
/// [`ExportError::Nothing`] where the program records nothing or the recordings have not been kept;
/// [`ExportError::Archive`] where an archive cannot hold them.
pub fn npz(evaluation: &Evaluation) -> Result<Vec<u8>, ExportError> {
    let recordings = &evaluation.manifest.recordings;
    if recordings.is_empty() || evaluation.samples.iter().any(|sample| sample.recordings.len() != recordings.len()) {
        return Err(ExportError::Nothing);
    }
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let mut taken = BTreeSet::new();
    for (index, recording) in recordings.iter().enumerate() {
        let name = free(&member(recording), &mut taken);
        let steps: Vec<i32> = recording.window.steps(evaluation.manifest.steps).map(signed).collect();
        let arrays = evaluation.samples.iter().map(|sample| &sample.recordings[index]);
        add(&mut archive, &format!("{name}.npy"), &array(recording, &steps, arrays.collect())?)?;
        add(&mut archive, &format!("{name}.steps.npy"), &npy(&[steps.len() as u64], &steps)?)?;
    }
    Ok(archive.finish().map_err(|error| ExportError::Archive(error.to_string()))?.into_inner())
}

/// All samples' arrays of one recording.
fn array(recording: &Recording, steps: &[i32], samples: Vec<&Array>) -> Result<Vec<u8>, ExportError> {
    let spikes = samples.iter().zip(0i32..).filter_map(|(array, sample)| match array {
        Array::Spikes(spikes) => Some((spikes, sample)),
        Array::Values(_) => None,
    });
    let rows: Vec<i32> = spikes
        .flat_map(|(spikes, sample)| {
            let step = |kept: u32| steps.get(kept as usize).copied().unwrap_or(i32::MAX);
            spikes.all().flat_map(move |(kept, neuron)| [sample, step(kept), signed(neuron)])
        })
        .collect();
    let values = samples.iter().filter_map(|array| match array {
        Array::Values(values) => Some(values),
        Array::Spikes(_) => None,
    });
    let values: Vec<f32> =
        values.flat_map(|values| values.codes.iter().map(|code| values.format.to_f64(*code) as f32)).collect();
    match samples.first() {
        Some(Array::Values(_)) => {
            npy(&[samples.len() as u64, steps.len() as u64, u64::from(recording.neurons)], &values)
        }
        _ => npy(&[rows.len() as u64 / 3, 3], &rows),
    }
}

fn npy<T: npyz::AutoSerialize + Copy>(shape: &[u64], numbers: &[T]) -> Result<Vec<u8>, ExportError> {
    let wrong = |error: std::io::Error| ExportError::Archive(error.to_string());
    let mut out = Vec::new();
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut out).begin_nd().map_err(wrong)?;
    writer.extend(numbers.iter().copied()).map_err(wrong)?;
    writer.finish().map_err(wrong)?;
    Ok(out)
}

fn add(archive: &mut ZipWriter<Cursor<Vec<u8>>>, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
    // The options' time is that of no clock.
    archive.start_file(name, SimpleFileOptions::default()).map_err(|error| ExportError::Archive(error.to_string()))?;
    archive.write_all(bytes).map_err(|error| ExportError::Archive(error.to_string()))
}

/// A recording's name as that of a file.
fn member(recording: &Recording) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let name: String = format!("{}.{}", recording.population, recording.name).chars().map(plain).collect();
    if name.starts_with('.') { format!("_{name}") } else { name }
}

/// `name`, with a number if it is taken.
fn free(name: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (1u64..).map(|number| if number == 1 { name.to_owned() } else { format!("{name}.{number}") });
    // As many names as there are numbers: one is free.
    let free = numbered.into_iter().find(|name| !taken.contains(name)).unwrap_or_else(|| name.to_owned());
    taken.insert(free.clone());
    free
}

/// Steps and neurons are far below 2^31: their bits are in a memory.
fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_files_of_one_folder() {
        let mut taken = BTreeSet::new();
        let names = ["a/b", "a_b", "a b", ".x", "C:\\x", "ä"].map(|population| {
            let data = fenn_isa::image::manifest::Data::Spikes(fenn_isa::image::manifest::SpikeArray::dense(0, 1, 1));
            let window = fenn_isa::image::manifest::Window::WHOLE;
            let (population, name) = (population.to_owned(), "V".to_owned());
            free(&member(&Recording { population, name, neurons: 1, window, data }), &mut taken)
        });
        assert_eq!(names, ["a_b.V", "a_b.V.2", "a_b.V.3", "_.x.V", "C__x.V", "ä.V"]);
    }
}
