//! Groups of figures that are measured together.
//!
//! Contract: a part that cannot be measured is a figure that misses its gate, with the reason.

use std::path::PathBuf;

use crate::figure::{Figure, Gate};
use crate::shared::{data, root};

/// Why a part could not be measured.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where the figures' files go, below the checkout's top.
pub(crate) const OUT: &str = "out/show";

/// A group of figures that are measured together.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// What it is about.
    pub name: &'static str,
    /// Whether it reads the reference data beside the checkout.
    pub needs_data: bool,
    measure: fn() -> Result<Vec<Figure>, Failure>,
}

impl Part {
    pub(crate) const fn new(
        name: &'static str,
        needs_data: bool,
        measure: fn() -> Result<Vec<Figure>, Failure>,
    ) -> Self {
        Self { name, needs_data, measure }
    }

    /// Measures the part's figures.
    pub fn figures(&self) -> Vec<Figure> {
        let prepared = std::fs::create_dir_all(root().join(OUT)).map_err(Failure::from);
        let figures = prepared.and_then(|()| (self.measure)());
        figures.unwrap_or_else(|error| vec![Figure::unmeasured(self.name, Gate::None, error)])
    }
}

/// The path of a file among the reference data.
pub(crate) fn needed(path: &str) -> Result<PathBuf, Failure> {
    data(path).ok_or_else(|| format!("needs ../shared/data/{path}").into())
}
