//! A directory of NumPy files, as mlGeNN leaves them after training.
//!
//! Contract: a file `PREFIX-OBJECT-VARIABLE.npy` holds one variable of a connection or a population: weights `g`, delays `d`,
//! the pairs of sparse connections `pre_ind` and `post_ind`, and whatever else was trained, such as `Bias`. The prefix is the
//! epoch, or `best`. [`Checkpoint::open`] chooses one prefix and knows what there is; it reads no numbers. The paths it gives are
//! names in the directory, which may be links.
//!
//! Not here: what arrays mean and how they become codes (see [`crate::description`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The arrays of one state of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where they are.
    pub directory: PathBuf,
    /// The epoch, or `best`.
    pub prefix: String,
    /// By object, then by variable.
    arrays: BTreeMap<String, BTreeMap<String, PathBuf>>,
}

/// Why a directory is no checkpoint; the message stands for itself.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is nothing of the kind.
    #[error("{} has no files PREFIX-OBJECT-VARIABLE.npy, such as best-Conn_Pop0_Pop1-g.npy", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// The epoch that is wanted is not there.
    #[error("{} has no files of `{wanted}`; it has those of {}", path.display(), list(found))]
    Missing {
        /// The directory.
        path: PathBuf,
        /// The prefix asked for.
        wanted: String,
        /// Those that are there.
        found: Vec<String>,
    },
    /// Several epochs, and none is the best.
    #[error("{} has files of {}; say which `prefix` is meant", path.display(), list(found))]
    Ambiguous {
        /// The directory.
        path: PathBuf,
        /// Those that are there.
        found: Vec<String>,
    },
}

fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
    format!("{}{}", shown.join(", "), if names.len() > 20 { ", …" } else { "" })
}

impl Checkpoint {
    /// The state called `prefix` in `directory`; by default the only one, or `best`.
    ///
    /// # Errors
    /// See [`CheckpointError`].
    pub fn open(directory: &Path, prefix: Option<&str>) -> Result<Self, CheckpointError> {
        let path = || directory.to_owned();
        let io = |source| CheckpointError::Io { path: path(), source };
        let mut states: BTreeMap<String, BTreeMap<String, BTreeMap<String, PathBuf>>> = BTreeMap::new();
        for entry in std::fs::read_dir(directory).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name();
            let Some((prefix, object, variable)) = name.to_str().and_then(parts) else { continue };
            let objects = states.entry(prefix.to_owned()).or_default();
            objects.entry(object.to_owned()).or_default().insert(variable.to_owned(), entry.path());
        }
        let found: Vec<String> = states.keys().cloned().collect();
        let chosen = match (prefix, &found[..]) {
            (_, []) => return Err(CheckpointError::Empty { path: path() }),
            (Some(wanted), _) => wanted.to_owned(),
            (None, [only]) => only.clone(),
            (None, _) if states.contains_key("best") => "best".to_owned(),
            (None, _) => return Err(CheckpointError::Ambiguous { path: path(), found }),
        };
        match states.remove(&chosen) {
            Some(arrays) => Ok(Self { directory: path(), prefix: chosen, arrays }),
            None => Err(CheckpointError::Missing { path: path(), wanted: chosen, found }),
        }
    }

    /// The file of a variable of an object.
    pub fn file(&self, object: &str, variable: &str) -> Option<&Path> {
        self.arrays.get(object)?.get(variable).map(PathBuf::as_path)
    }

    /// The names of all objects.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    /// The variables of an object.
    pub fn variables(&self, object: &str) -> impl Iterator<Item = &str> {
        self.arrays.get(object).into_iter().flatten().map(|(name, _)| name.as_str())
    }
}

/// Prefix, object and variable of a file's name.
fn parts(name: &str) -> Option<(&str, &str, &str)> {
    let (prefix, rest) = name.strip_suffix(".npy")?.split_once('-')?;
    let (object, variable) = rest.rsplit_once('-')?;
    [prefix, object, variable].iter().all(|part| !part.is_empty()).then_some((prefix, object, variable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| std::fs::write(directory.path().join(name), "").unwrap());
        directory
    }

    #[test]
    fn names_say_what_files_hold() {
        assert_eq!(parts("best-Conn_Pop0_Pop1-g.npy"), Some(("best", "Conn_Pop0_Pop1", "g")));
        assert_eq!(parts("98-a-b-pre_ind.npy"), Some(("98", "a-b", "pre_ind")));
        for wrong in ["best-g.npy", "-a-g.npy", "1--g.npy", "1-a-.npy", "1-a-g.npz", "README.md"] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn one_state_is_chosen() {
        let open = |names: &[&str], prefix| {
            let directory = directory(names);
            let name = directory.path().display().to_string();
            Checkpoint::open(directory.path(), prefix)
                .map(|checkpoint| checkpoint.prefix)
                .map_err(|error| error.to_string().replace(&name, "DIR"))
        };
        assert_eq!(open(&["7-C-g.npy", "7-C-d.npy"], None), Ok("7".to_owned()));
        assert_eq!(open(&["7-C-g.npy", "best-C-g.npy"], None), Ok("best".to_owned()));
        assert_eq!(open(&["7-C-g.npy", "best-C-g.npy"], Some("7")), Ok("7".to_owned()));
        assert_eq!(
            open(&["7-C-g.npy", "8-C-g.npy"], None),
            Err("DIR has files of `7`, `8`; say which `prefix` is meant".to_owned())
        );
        assert_eq!(open(&["7-C-g.npy"], Some("9")), Err("DIR has no files of `9`; it has those of `7`".to_owned()));
        let empty = open(&["weights.npy"], None).unwrap_err();
        assert!(empty.starts_with("DIR has no files PREFIX-OBJECT-VARIABLE.npy"), "{empty}");
        let missing = Checkpoint::open(Path::new("/nonexistent"), None).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read /nonexistent: "), "{missing}");
    }

    #[test]
    fn arrays_are_found_by_object_and_variable() {
        let directory = directory(&["7-Conn-g.npy", "7-Conn-d.npy", "7-Pop1-Bias.npy", "8-Other-g.npy"]);
        let checkpoint = Checkpoint::open(directory.path(), Some("7")).unwrap();
        assert_eq!(checkpoint.objects().collect::<Vec<_>>(), ["Conn", "Pop1"]);
        assert_eq!(checkpoint.variables("Conn").collect::<Vec<_>>(), ["d", "g"]);
        assert_eq!(checkpoint.file("Pop1", "Bias"), Some(directory.path().join("7-Pop1-Bias.npy").as_path()));
        assert_eq!((checkpoint.file("Other", "g"), checkpoint.file("../Conn", "g")), (None, None));
    }
}
