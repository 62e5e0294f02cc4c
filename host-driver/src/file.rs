//! Reading data-set files.
//!
//! Contract: what is read is bounded ([`LONGEST`]). Not here: writing (see [`fenn_isa::file`]).

use std::fs::File;
use std::io::{self, Read as _};
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
