//! Where the reference data are: the folder `../shared/data` beside the checkout.
//!
//! Contract: on a machine whose environment says `CI=true` the data must be there; elsewhere what needs them is skipped,
//! saying why.

use std::path::{Path, PathBuf};

/// The checkout's top folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The path of a file or folder among the reference data, or `None` (and a line on stderr) where it is missing.
///
/// # Panics
/// Where it is missing and `CI=true`: a check that silently does not run is worth nothing there.
#[expect(clippy::print_stderr, reason = "whoever runs the checks is to know what was left out")]
pub fn data(path: &str) -> Option<PathBuf> {
    let full = root().join("../shared/data").join(path);
    if full.exists() {
        return Some(full);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is needed where CI=true", full.display());
    eprintln!("skipped: no reference data at {}", full.display());
    None
}
