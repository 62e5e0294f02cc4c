//! Files, whole or not at all.
//!
//! Contract: what is read is bounded ([`LONGEST`]), and what is written is written beside its place first and then
//! renamed, so that there is never half a file of that name.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// The most bytes a data-set file may have, also when unpacked: 1 GiB. It keeps a device file or a damaged archive
/// from filling the host's memory.
pub const LONGEST: u64 = 1 << 30;

/// All bytes of `reader`, or `None` when there are more than [`LONGEST`].
///
/// # Errors
/// The reader's.
pub fn read_bounded(reader: impl io::Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= LONGEST).then_some(bytes))
}

/// All bytes of a file, or `None` when there are more than [`LONGEST`].
///
/// # Errors
/// The system's.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    read_bounded(File::open(path)?)
}

/// Writes a file: beside it first, then renamed.
///
/// # Errors
/// The system's; then there is no new file, and an old one of that name is as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Results are no secrets: they get the permissions any new file would have.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(parent)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
