//! Files, whole or not at all.
//!
//! Contract: what is written is written beside its place first and then renamed, so that there is never half a file of that
//! name; where something goes wrong there is no new file, and an old one is as it was. Every tool writes its files so.
//!
//! What is there and is no regular file (a device such as `/dev/null`, a pipe) cannot be replaced by one: it is written
//! to as it is. A link is followed: the file it leads to is replaced, the link stays.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes `bytes` to `path`.
///
/// # Errors
/// The system's.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// Writes what `fill` writes to `path`.
///
/// # Errors
/// The system's, and those of `fill`.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let target = match std::fs::metadata(path) {
        Ok(there) if !there.is_file() => return fill(&mut File::options().write(true).open(path)?),
        // A file that is there has a place of its own, wherever links to it are.
        Ok(_) => path.canonicalize()?,
        Err(_) => path.to_owned(),
    };
    let path = target.as_path();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Results are no secrets: they get the permissions any new file would have.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut beside = builder.tempfile_in(folder)?;
    fill(beside.as_file_mut())?;
    beside.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_file_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_whole(&path, b"old").unwrap();
        let failed = write_with(&path, |file| {
            file.write_all(b"new")?;
            Err(io::Error::other("no"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }
    #[cfg(unix)]
    #[test]
    fn a_device_stays_a_device_and_a_link_a_link() {
        use std::os::unix::fs::{FileTypeExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let null = folder.path().join("null");
        symlink("/dev/null", &null).unwrap();
        write_whole(&null, b"gone").unwrap();
        assert!(std::fs::metadata(&null).unwrap().file_type().is_char_device());
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, b"old").unwrap();
        symlink(&file, &link).unwrap();
        write_whole(&link, b"new").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(write_whole(folder.path(), b"a folder is no place for a file").is_err());
    }
}
