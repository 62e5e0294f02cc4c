//! Arrays of NumPy archives.

use std::io::BufReader;
use std::path::Path;

use crate::part::Failure;

/// The numbers of an array in an archive, in its order, whatever their type; all whole ones there are, are exact.
///
/// # Errors
/// The archive cannot be read, has no such array, or one of a type that the reference data do not use.
pub fn numbers(archive: &Path, name: &str) -> Result<Vec<f64>, Failure> {
    let file = std::fs::File::open(archive).map_err(|error| format!("cannot read {}: {error}", archive.display()))?;
    let mut zip = zip::ZipArchive::new(file)?;
    let file = zip.by_name(&format!("{name}.npy"))?;
    let file = npyz::NpyFile::new(BufReader::new(file))?;
    let kind = file.dtype().descr();
    Ok(match kind.trim_matches('\'') {
        "<f8" => file.into_vec::<f64>()?,
        "<f4" => file.into_vec::<f32>()?.into_iter().map(f64::from).collect(),
        "|u1" => file.into_vec::<u8>()?.into_iter().map(f64::from).collect(),
        "<i2" => file.into_vec::<i16>()?.into_iter().map(f64::from).collect(),
        "<i4" => file.into_vec::<i32>()?.into_iter().map(f64::from).collect(),
        "<i8" => file.into_vec::<i64>()?.into_iter().map(|number| number as f64).collect(),
        other => return Err(format!("{name} of {} holds {other}", archive.display()).into()),
    })
}
