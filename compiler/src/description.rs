//! `network.toml`: populations with equations, projections with weight files, and what goes in and out.
//!
//! Contract: [`read`] gives a network that [`verify`] accepts, or every mistake of the description with its
//! place in the file that holds it. Numbers are rounded once, to the nearest code, ties to even. Paths are relative to
//! the description's directory and do not lead out of it, unless [`Options::allow_outside`] says so.
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
//! schedule = ["in_hid", "lateral", "hidden"]
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
//! connectivity = "dense" # default
//! delays = 2             # steps; default 0
//!
//! [[projection]]
//! name = "lateral"
//! source = "hidden.Spike"
//! target = "hidden.I"
//! connectivity = { kind = "fixed_probability", probability = 0.5, autapses = false }
//! weights = { distribution = "normal", mean = -0.5, sd = 0.1 }
//! delays = { distribution = "normal", mean = "1.5/dt", sd = "0.75/dt", min = 1, max = 43, by = "sorted" }
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
//! - `{ file = "net.npz", array = "weights" }`: an array of an archive;
//! - `{ file = "weights.bin", dtype = "int16" }`: raw little-endian numbers (`int8`, `uint8`, `int16`, `uint16`, `int32`,
//!   `uint32`, `float32`, `float64`), one row per source neuron;
//! - `{ distribution = "normal", mean = 1, sd = 0.1 }`: a random number for each neuron or synapse. Distributions are `uniform`
//!   (`min`, `max`), `normal` and `lognormal` (`mean`, `sd`; of the logarithm), `exponential` (`mean`), `gamma` (`shape`,
//!   `mean`) and `binomial` (`trials`, `probability`); all but the first may have bounds `min` and `max`, outside which numbers
//!   are drawn again;
//! - `{ checkpoint = "Pop2-Bias" }`: the array of that name of a checkpoint (below).
//!
//! Files may have rows longer than needed: `columns = 128` states their length; what is behind the last neuron must be 0.
//! `format = "s9.6"` states what codes mean, and is checked. `scale = "1/64"` multiplies the numbers of a file or a
//! distribution, after which integers are real numbers. `bits = 8` rounds real numbers to so many bits: to whole multiples of a
//! power of two, which is `step = "2^-6"`, or else the least that leaves no more than the largest `100 − percentile` percent of the
//! numbers outside (by default none); those are clipped. The report has the power and how many were clipped.
//!
//! # Synapses
//! `connectivity` says which neurons are joined:
//! - `"dense"`, all pairs, and `"one_to_one"`;
//! - `{ kind = "sparse", pre = …, post = … }`: pairs of neurons, in any order; or `{ kind = "sparse", lengths = …, targets = … }`: the
//!   targets of one source after those of the other, and how many each has. The four are lists or files. Weights and delays are
//!   in the order of these lists;
//! - `{ kind = "convolution", source = [2, 34, 34], channels = 16, kernel = 5 }`: the weights are those of a kernel, of shape target
//!   channels × source channels / groups × rows × columns, shared by all neurons. `source` has channels, rows and columns; `stride`,
//!   `padding` (also `"same"` or `"valid"`), `dilation` and `pool` (windows of spikes that are summed before) are one number or two,
//!   `groups` is one. The size of the target must come out as frameworks have it: ⌊(n + 2·padding − dilation·(kernel − 1) −
//!   1) / stride⌋ + 1;
//! - `{ kind = "fixed_probability", probability = 0.1 }`: each pair with this probability;
//! - `fixed_number_pre`, `fixed_number_post`, `fixed_number_total`, each with `number`: so many sources for every target, so many
//!   targets for every source, so many altogether. A pair may be chosen repeatedly, unless `replacement = false`.
//!
//! Rules may have `autapses = false` where a population projects to itself. What they and distributions draw depends on `seed`, on
//! the names of projection, population and slot, and on nothing else.
//!
//! `delays` are whole numbers of steps, rounded if they are not: one for all, a list or lists as for weights, or a table with `steps`,
//! `file` or `distribution`. With one per synapse, `by = "ring"` (default) adds weights at once to sums that wait in a ring, `by =
//! "sorted"` keeps spikes until they are due. `longest = 63` refuses longer delays, and with `clip = true` shortens them.
//!
//! # Trained arrays
//! mlGeNN leaves a directory of files `PREFIX-OBJECT-VARIABLE.npy` after training, a checkpoint. It is named by
//!
//! ```toml
//! [checkpoint]
//! directory = "checkpoints"
//! prefix = "99"          # the epoch; by default the only one there is, or `best`
//! ```
//!
//! or on the command line (`fenn-cc DIRECTORY --architecture network.toml`), which goes before the file. A projection with
//! `checkpoint = "Conn_Pop0_Pop1"` takes the object's weights (`g`), its delays if there are such (`d`, rounded to steps), and its pairs if
//! it is sparse (`pre_ind`, `post_ind`); `weights = { bits = 8 }` and `delays = { longest = 63, clip = true }` say more about them. A
//! value `{ checkpoint = "Pop2-Bias" }` takes any other variable. Arrays that nothing takes are told in a warning.
//!
//! Not here: the equations' language (see [`crate::equation`]).

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::diagnostic::{self, Diagnostic, Severity, Source};
use crate::network::Network;
use crate::verify::verify;

mod build;
mod codes;
mod connect;
mod constant;
mod file;
mod random;
mod rules;
mod table;

pub use codes::{Conversion, Drawn, Grid};

/// What the command line has to say about a description.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Time steps in one run instead of the description's, 1 to 2³¹ − 1.
    pub steps: Option<u32>,
    /// Seed instead of the description's.
    pub seed: Option<u64>,
    /// Whether the files that a description names may lie outside its directory. A description from somebody else could
    /// otherwise read whatever its reader may.
    pub allow_outside: bool,
    /// A directory of trained arrays instead of the description's.
    pub checkpoint: Option<PathBuf>,
}

/// A description that makes sense.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The network; [`verify`] accepts it.
    pub network: Network,
    /// Every file of real numbers that was rounded.
    pub conversions: Vec<Conversion>,
    /// Everything that was drawn at random, in the order of the file.
    pub drawn: Vec<Drawn>,
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
    let reader = codes::Reader {
        directory,
        constants: Vec::new(),
        text,
        problems: Vec::new(),
        conversions: Vec::new(),
        seed: 1,
        drawn: Vec::new(),
        anywhere: options.allow_outside,
        checkpoint: None,
    };
    let mut builder = build::Builder::new(reader);
    builder.file(table.get_ref(), options);
    builder.reader.unused();
    let build::Builder { reader, foreign, network, .. } = builder;
    let codes::Reader { mut problems, conversions, drawn, .. } = reader;
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
    Ok(Described { network, conversions, drawn, warnings: remarks })
}
