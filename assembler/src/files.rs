//! Files that `.include` and `.incbin` name.
//!
//! Contract: the assembler reads files through [`Files`] only, so a program can be assembled from memory, and a test can
//! give it any graph of inclusions. Paths have `/` between their parts and are relative to the including file's folder.
//!
//! Not here: how deep and how much may be included (see the limits in `expand`).

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

/// Gives the contents of files.
pub trait Files {
    /// The contents of `path`.
    ///
    /// # Errors
    /// Why there are none, as half a sentence. A file longer than `limit` bytes is an error too, and is not read
    /// further.
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String>;
}

/// No files at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str, _limit: u64) -> Result<Vec<u8>, String> {
        Err("this assembly reads no files".to_owned())
    }
}

fn too_long(limit: u64) -> String {
    format!("it is longer than the {limit} bytes that are left for included files")
}

/// Files in memory, by path.
impl Files for BTreeMap<String, Vec<u8>> {
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String> {
        let bytes = self.get(path).ok_or("there is no such file")?;
        if bytes.len() as u64 > limit { Err(too_long(limit)) } else { Ok(bytes.clone()) }
    }
}

/// Files of the operating system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disk {
    /// Where files are looked for that are not in the including file's folder, in this order.
    pub folders: Vec<PathBuf>,
}

impl Files for Disk {
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String> {
        let candidates =
            std::iter::once(PathBuf::from(path)).chain(self.folders.iter().map(|folder| folder.join(path)));
        let mut first = None;
        for candidate in candidates {
            match std::fs::File::open(candidate) {
                Ok(file) => {
                    let mut bytes = Vec::new();
                    // Devices have no length, so the limit is kept while reading.
                    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
                    return if bytes.len() as u64 > limit { Err(too_long(limit)) } else { Ok(bytes) };
                }
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.map_or_else(|| "there is no such file".to_owned(), |error| error.to_string()))
    }
}

/// `path` as the file `from` means it, without `.` and `..` where they can be left out.
pub(crate) fn resolve(from: &str, path: &str) -> String {
    let absolute = path.starts_with('/');
    let folder = if absolute { "" } else { from.rsplit_once('/').map_or("", |(folder, _)| folder) };
    let rooted = absolute || from.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    format!("{}{}", if rooted { "/" } else { "" }, parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_including_file() {
        for (from, path, wanted) in [
            ("main.s", "a.s", "a.s"),
            ("kernels/main.s", "a.s", "kernels/a.s"),
            ("kernels/main.s", "./b/../a.s", "kernels/a.s"),
            ("kernels/main.s", "../../a.s", "../a.s"),
            ("/k/main.s", "../../a.s", "/a.s"),
            ("k/main.s", "/a.s", "/a.s"),
            ("<stdin>", "a.s", "a.s"),
        ] {
            assert_eq!(resolve(from, path), wanted, "{from} {path}");
        }
    }
}
