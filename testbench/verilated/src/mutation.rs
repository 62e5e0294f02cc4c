//! Mutants of the core: one-line mistakes, all in one model, one of them switched on when it runs.
//!
//! Contract: `mutants.toml` lists them. `find` is an expression that occurs exactly once in `file`; a copy of the sources
//! has `(fenn_mutant_pkg::number == N ? (replace) : (find))` in its place, N being the mutant's place in the list, from 1.
//! With number 0 the copy is the core as it is.
//!
//! Shared by the build script, which makes the copy, and the library, which says what each mutant is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One mutant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// Below `rtl/`.
    pub file: String,
    /// An expression that the file has once.
    pub find: String,
    /// What stands there instead.
    pub replace: String,
    /// What that breaks.
    pub breaks: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    mutant: Vec<Mutant>,
}

/// Why the list cannot be used.
#[derive(Debug)]
pub enum MutationError {
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// The list is not what it should be.
    List(toml::de::Error),
    /// An expression that a file does not have exactly once.
    Place {
        /// The mutant's number.
        number: usize,
        /// How often the expression occurs.
        times: usize,
    },
}

impl std::fmt::Display for MutationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::List(error) => write!(f, "mutants.toml: {error}"),
            Self::Place { number, times } => {
                write!(f, "mutants.toml: the expression of mutant {number} occurs {times} times in its file, not once")
            }
        }
    }
}

impl std::error::Error for MutationError {}

/// The mutants that `text` lists.
///
/// # Errors
/// [`MutationError::List`].
pub fn parse(text: &str) -> Result<Vec<Mutant>, MutationError> {
    toml::from_str(text).map(|list: List| list.mutant).map_err(MutationError::List)
}

/// Writes copies of `files`, all below `rtl`, into `out`, with every mutant of `list` in them, and gives their paths.
///
/// # Errors
/// Any [`MutationError`].
#[allow(dead_code, reason = "the build script's half")]
pub fn apply(list: &Path, rtl: &Path, files: &[PathBuf], out: &Path) -> Result<Vec<PathBuf>, MutationError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| MutationError::File(path, error)
    };
    let mutants = parse(&fs::read_to_string(list).map_err(at(list))?)?;
    let mut texts = BTreeMap::new();
    for file in files {
        texts.insert(file.clone(), fs::read_to_string(file).map_err(at(file))?);
    }
    for (index, Mutant { file, find, replace, breaks: _ }) in mutants.iter().enumerate() {
        let number = index + 1;
        let text = texts.get_mut(&rtl.join(file)).ok_or(MutationError::Place { number, times: 0 })?;
        let times = text.matches(find.as_str()).count();
        if times != 1 {
            return Err(MutationError::Place { number, times });
        }
        *text = text.replace(find, &format!("((fenn_mutant_pkg::number == {number}) ? ({replace}) : ({find}))"));
    }
    let top = texts.get_mut(&rtl.join("fenn_top.sv")).ok_or(MutationError::Place { number: 0, times: 0 })?;
    let chosen =
        "  initial if (!$value$plusargs(\"mutant=%d\", fenn_mutant_pkg::number)) fenn_mutant_pkg::number = 0;\n";
    let Some(end) = top.rfind("endmodule") else { return Err(MutationError::Place { number: 0, times: 0 }) };
    top.insert_str(end, chosen);

    let package = out.join("fenn_mutant_pkg.sv");
    let mut copies = vec![package.clone()];
    fs::create_dir_all(out).map_err(at(out))?;
    let text = "// Which mutant the copy of the core is.\npackage fenn_mutant_pkg;\n  int number;\nendpackage\n";
    fs::write(&package, text).map_err(at(&package))?;
    for file in files {
        let copy = out.join(file.strip_prefix(rtl).unwrap_or(file));
        if let Some(folder) = copy.parent() {
            fs::create_dir_all(folder).map_err(at(folder))?;
        }
        fs::write(&copy, &texts[file]).map_err(at(&copy))?;
        copies.push(copy);
    }
    Ok(copies)
}
