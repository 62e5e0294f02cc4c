//! `network.toml`: populations with equations, projections with weight files, and what goes in and out.
//!
//! Contract: [`read`] gives a network that [`verify`] accepts, or every mistake of the description with its
//! place in the file that holds it. Numbers are rounded once, to the nearest code, ties to even. Paths are relative to
//! the description's directory; they may lead anywhere.
//!
//! # The format
//! A complete description, with every table there is:
//! ```
//! # let text = r#"
//! name = "decision"
//! time_step_ms = 1.0     # optional; expressions call it `dt`
//! steps = 100            # time steps in one run; expressions call it `steps`
//! state = "reset"        # every run starts anew (default); "carried": runs continue each other
//! seed = 1               # of random numbers (default 1)
//! dialect = "standard"   # of the equations (default); "published": products never saturate and `*=` truncates
//! rounding = "nearest"   # of products (default), "zero" or "stochastic"
//! ## The order within a step. A projection before its source's update carries the spikes of the previous step.
//! ## By default all projections in the file's order, then all populations in the file's order.
//! schedule = ["in_hid", "hidden"]
//!
//! [[input]]
//! name = "pixels"
//! size = 2
//! encoding = { kind = "latency", tau = 20.0, threshold = 51.0 }   # by default { kind = "spikes" }
//!
//! [[population]]
//! name = "hidden"
//! size = 3
//! events = ["Spike"]
//! ## Where state is carried: all its variables begin anew in each run but those that say reset = false. If none does, its
//! ## spikes of earlier runs are forgotten too.
//! reset = true
//! equations = '''
//! V = (Alpha * V) + I;
//! I = 0.0h10;
//! if (V >= VThresh) { Spike(); V -= VThresh; }
//! '''                    # or { file = "hidden.eq" }
//! [population.variables]
//! V = { type = "s5_10_sat_t", initial = 0.25 }   # initial: 0 by default; reset = true or false, if state is carried
//! I = { type = "s5_10_sat_t" }
//! [population.parameters]
//! Alpha = { type = "s0_15_t", value = "exp(-dt/20)" }
//! VThresh = { type = "s5_10_sat_t", value = [0.5, 1, "3/2"] }
//!
//! [[projection]]
//! name = "in_hid"
//! source = "pixels"      # an input, or an event: "hidden.Spike"
//! target = "hidden.I"    # a variable
//! weights = [[0.5, -0.5, 0.25], [0, 1, 2]]
//!
//! [[output]]
//! population = "hidden"
//! event = "Spike"        # or variable = "V"
//! readout = "count"      # for variables "last" (default), "mean" or "max" of all steps
//!
//! [[record]]             # kept of every step besides
//! population = "hidden"
//! variable = "V"         # or event = "Spike"
//! from = 2               # only from this step on; last = 8: only the last 8 steps
//! every = 2              # only every other step of these
//! # "#;
//! # use fenn_compiler::description::{Options, parse};
//! # let described = parse(text, "network.toml", ".".as_ref(), &Options::default()).unwrap();
//! # assert_eq!(described.network.populations[0].parameters[0], fenn_compiler::network::Values::Uniform(31170));
//! ```
//! A value (`value`, `initial`, `weights`) is
//! - a number or an expression of `+ - * / ^ ( ) exp ln sqrt dt steps pi` in quotes, for all neurons or synapses;
//! - a list of them: one per neuron, or for weights one list per source neuron;
//! - `{ code = 30 }`: raw codes, one or a list of them;
//! - `{ file = "weights.npy" }`: integers are codes, real numbers are rounded, those outside the format clipped with a
//!   warning;
//! - `{ file = "weights.bin", dtype = "int16" }`: raw little-endian numbers (`int8`, `int16`, `float32`, `float64`), one row
//!   per source neuron.
//!
//! Files may have rows longer than needed: `columns = 128` states their length; what is behind the last neuron must be 0.
//! `format = "s9.6"` states what codes mean, and is checked.
//!
//! Not here: the equations' language (see [`crate::equation`]), sparse connectivity and delays (nothing can compile them
//! yet).

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::diagnostic::{self, Diagnostic, Severity, Source};
use crate::network::Network;
use crate::verify::verify;

mod build;
mod codes;
mod constant;
mod file;
mod table;

pub use codes::Conversion;

/// What the command line has to say about a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Time steps in one run instead of the description's, 1 to 2³¹ − 1.
    pub steps: Option<u32>,
    /// Seed instead of the description's.
    pub seed: Option<u64>,
}

/// A description that makes sense.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The network; [`verify`] accepts it.
    pub network: Network,
    /// Every file of real numbers that was rounded.
    pub conversions: Vec<Conversion>,
    /// What is doubtful.
    pub warnings: Remarks,
}

/// Why a description makes no network.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is no text.
    #[error("{} is neither a description (TOML, UTF-8 text) nor a NIR graph (HDF5)", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// It is read, and wrong; at least one remark is an error. [`Remarks::render`] shows where, in colour too.
    #[error("{}", .0.render(false).trim_end())]
    Wrong(Remarks),
}

/// Diagnostics of several texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remarks {
    texts: Vec<Remarked>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Remarked {
    name: String,
    text: String,
    problems: Vec<Diagnostic>,
}

impl Remarks {
    /// Adds `problems` of the text `text`, known to the user as `name`; nothing if there are none.
    pub(crate) fn add(&mut self, name: &str, text: String, mut problems: Vec<Diagnostic>) {
        if !problems.is_empty() {
            diagnostic::sort(&mut problems);
            self.texts.push(Remarked { name: name.to_owned(), text, problems });
        }
    }

    /// Each diagnostic with the name of its text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Diagnostic)> {
        self.texts.iter().flat_map(|text| text.problems.iter().map(|problem| (text.name.as_str(), problem)))
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.iter().filter(|(_, problem)| problem.severity == Severity::Error).count()
    }

    /// All of them, drawn over the lines they are about.
    pub fn render(&self, color: bool) -> String {
        let draw = |remarked: &Remarked| {
            let source = Source { name: &remarked.name, text: &remarked.text };
            diagnostic::render(&remarked.problems, &source, color)
        };
        self.texts.iter().map(draw).collect()
    }
}

/// The network that the file at `path` describes.
///
/// # Errors
/// See [`DescriptionError`]; all mistakes at once.
pub fn read(path: impl AsRef<Path>, options: &Options) -> Result<Described, DescriptionError> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::InvalidData => DescriptionError::NotText { path: path.to_owned() },
        _ => DescriptionError::Io { path: path.to_owned(), source },
    })?;
    let directory = path.parent().unwrap_or(Path::new("."));
    parse(&text, &path.display().to_string(), directory, options).map_err(DescriptionError::Wrong)
}

/// The network that `text` describes; `name` is used in diagnostics, relative paths start at `directory`.
///
/// # Errors
/// All mistakes, of which at least one is an error.
pub fn parse(text: &str, name: &str, directory: &Path, options: &Options) -> Result<Described, Remarks> {
    let (table, syntax) = DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        let problem = |error: toml::de::Error| {
            let problem = Diagnostic::error("this is not TOML");
            let message = error.message().to_owned();
            match error.span() {
                Some(span) => problem.at(span, message),
                None => problem.help(message),
            }
        };
        let mut remarks = Remarks::default();
        remarks.add(name, text.to_owned(), syntax.into_iter().map(problem).collect());
        return Err(remarks);
    }
    let reader =
        codes::Reader { directory, constants: Vec::new(), text, problems: Vec::new(), conversions: Vec::new() };
    let mut builder = build::Builder::new(reader);
    builder.file(table.get_ref(), options);
    let build::Builder { reader, foreign, network, .. } = builder;
    let codes::Reader { mut problems, conversions, .. } = reader;
    let wrong = |problems: &[Diagnostic]| problems.iter().any(|problem| problem.severity == Severity::Error);
    if !wrong(&problems)
        && foreign.errors() == 0
        && let Err(errors) = verify(&network)
    {
        problems.extend(errors.into_iter().map(|error| Diagnostic::error(error.to_string())));
    }
    let mut remarks = Remarks::default();
    remarks.add(name, text.to_owned(), problems);
    remarks.texts.extend(foreign.texts);
    if remarks.errors() > 0 {
        return Err(remarks);
    }
    Ok(Described { network, conversions, warnings: remarks })
}
