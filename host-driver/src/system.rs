//! Where this machine's devices are found.
//!
//! Contract: everything that is read of `/sys`, `/proc`, `/dev` and `/etc` is read below a [`Root`], which is `/` but in tests and where somebody looks
//! at a copy of another machine's.

use std::io;
use std::path::{Path, PathBuf};

/// The folder that has `sys`, `proc`, `dev` and `etc` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Default for Root {
    /// This machine's.
    fn default() -> Self {
        Self(PathBuf::from("/"))
    }
}

impl Root {
    /// Another one's.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Whether it is this machine's.
    pub fn is_here(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// A path below it; `path` is without a slash at its beginning.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.join(path)
    }

    /// The text of a file, without what surrounds it.
    ///
    /// # Errors
    /// The system's.
    pub fn text(&self, path: impl AsRef<Path>) -> io::Result<String> {
        Ok(std::fs::read_to_string(self.path(path))?.trim().to_owned())
    }

    /// The number in a file, decimal or after `0x` hexadecimal.
    ///
    /// # Errors
    /// The system's; a file that holds something else.
    pub fn number(&self, path: impl AsRef<Path>) -> io::Result<u64> {
        let text = self.text(path)?;
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("{text:.40?} is no number")))
    }

    /// The names in a folder, sorted, numbers in them by their size; none where there is no such folder.
    pub fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort_by_cached_key(|name| {
            (name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(), name.len(), name.clone())
        });
        names
    }

    /// The last part of where a link leads to.
    pub fn link(&self, path: impl AsRef<Path>) -> Option<String> {
        let target = std::fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// Whether something is there.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }
}
