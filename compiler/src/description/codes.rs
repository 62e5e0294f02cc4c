//! Values of a description (numbers, expressions, lists, files) to the codes of a number format.
//!
//! Contract: a number is rounded once, to the nearest code, ties to even. One written in the description must lie in
//! the format; numbers of a file or a distribution are moved to the ends of the range where they do not, and counted in a
//! [`Conversion`] or a [`Drawn`]. Codes (`{ code = … }`, integers of a file) are taken as they are.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use fenn_isa::fixed::Format;
use serde::Serialize;
use toml::de::{DeTable, DeValue};

use super::constant::evaluate;
use super::file::{Dtype, Kind, Shape, load, load_list};
use super::random::{Distribution, Shape as Random, Stream};
use super::table::{At, Fields, Value, did_you_mean, list, wrong_type};
use crate::checkpoint::Checkpoint;
use crate::diagnostic::Diagnostic;
use crate::equation::{DecimalError, parse_decimal};
use crate::kernel::Type;
use crate::network::Values;
use crate::npy::Numbers;

/// How the real numbers of a file became codes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conversion {
    /// Of which projection, variable or parameter.
    pub of: String,
    /// The file.
    pub file: PathBuf,
    /// The format of the codes; `None` for delays, which are whole numbers of steps.
    pub format: Option<Format>,
    /// Where numbers were brought to fewer bits than the format has.
    pub grid: Option<Grid>,
    /// How many numbers.
    pub numbers: usize,
    /// How many of them lay outside the format, or the grid, and were moved to the ends of its range.
    pub clipped: usize,
    /// How many are not zero but have code 0.
    pub vanished: usize,
    /// The greatest magnitude.
    pub largest: f64,
}

/// Whole multiples of a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Grid {
    /// The multiples are signed numbers of so many bits.
    pub bits: u8,
    /// The power of two.
    pub step: f64,
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bits of {}", self.bits, self.step)
    }
}

/// What was drawn at random while compiling.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drawn {
    /// Of which projection, variable or parameter.
    pub of: String,
    /// The rule or the distribution.
    pub rule: String,
    /// The description's seed, on which every choice depends.
    pub seed: u64,
    /// How many synapses or numbers.
    pub numbers: usize,
    /// How many of the numbers lay outside their format and were moved to the ends of its range.
    pub clipped: usize,
}

/// Where values are read, and what is said about them.
pub(super) struct Reader<'a> {
    /// Relative paths start here.
    pub(super) directory: &'a Path,
    /// The numbers that expressions may name.
    pub(super) constants: Vec<(&'static str, f64)>,
    /// The whole TOML text, to find the characters of strings.
    pub(super) text: &'a str,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) conversions: Vec<Conversion>,
    /// Of everything random.
    pub(super) seed: u64,
    pub(super) drawn: Vec<Drawn>,
    /// Whether paths may lead out of the directory.
    pub(super) anywhere: bool,
    /// Trained arrays.
    pub(super) checkpoint: Option<Opened>,
}

/// A directory of trained arrays.
pub(super) enum Opened {
    Good {
        checkpoint: Checkpoint,
        /// Objects and variables that something refers to.
        used: BTreeSet<(String, String)>,
    },
    /// What is wrong has been reported.
    Broken,
}

/// A file with the place that names it.
pub(super) type Given = (PathBuf, Range<usize>);

/// What values are for.
pub(super) struct Wanted<'a> {
    /// For messages: "parameter `Alpha`".
    pub(super) what: &'a str,
    /// Names the stream of random numbers; the same as long as the network's names are.
    pub(super) stream: &'a str,
    pub(super) ty: Type,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Another shape that a NumPy file may have.
    pub(super) axes: &'a [u64],
}

/// One for all, or as many as are wanted.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Numbered<T> {
    One(T),
    Each(Vec<T>),
}

impl From<Numbered<i16>> for Values {
    fn from(codes: Numbered<i16>) -> Self {
        match codes {
            Numbered::One(code) => Self::Uniform(code),
            Numbered::Each(codes) => Self::PerNeuron(codes),
        }
    }
}

/// How one element becomes a code.
type Element<'e, R, T> = dyn FnMut(&mut R, &Value<'_>) -> Option<T> + 'e;

/// Numbers that are not written in the description.
struct Bulk {
    numbers: Numbers,
    origin: Origin,
    /// What numbers were brought to, and how many did not fit.
    grid: Option<(Grid, usize)>,
    /// Of the place that names it.
    span: Range<usize>,
}

enum Origin {
    File(PathBuf),
    Drawn(String),
}

/// How delays are limited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// In steps.
    pub(super) longest: u16,
    /// Longer ones become `longest` and negative ones 0.
    pub(super) clip: bool,
}

impl Reader<'_> {
    /// One code for all, or `rows × columns` codes; `None` has been reported.
    pub(super) fn values(&mut self, value: &Value<'_>, wanted: &Wanted<'_>) -> Option<Numbered<i16>> {
        let number = &mut |reader: &mut Self, value: &Value<'_>| reader.number(value, wanted.ty);
        let DeValue::Table(table) = value.get_ref() else { return self.list(value, wanted, number) };
        let mut fields = Fields::new(table, value.span(), format!("the value of {}", wanted.what));
        let kinds = ["code", "file", "distribution", "checkpoint"].map(|key| fields.get(key));
        let values = match kinds {
            [Some(code), None, None, None] => self.list(code, wanted, &mut |reader, value| reader.code(value)),
            [None, file, distribution, trained] if [file, distribution, trained].into_iter().flatten().count() == 1 => {
                let format = fields.string("format", &mut self.problems);
                self.bulk(&mut fields, None, wanted).and_then(|bulk| self.bulk_codes(bulk, format.as_ref(), wanted))
            }
            _ => {
                let message = format!(
                    "the value of {} needs one of `code`, `file`, `distribution` and `checkpoint`",
                    wanted.what
                );
                self.problems.push(Diagnostic::error(message).at(value.span(), "this table"));
                None
            }
        };
        fields.finish(&mut self.problems);
        values
    }

    /// `rows × columns` codes of a trained array, which `options` say how to treat; `None` has been reported.
    pub(super) fn trained(
        &mut self,
        given: Given,
        options: Option<&Value<'_>>,
        wanted: &Wanted<'_>,
    ) -> Option<Numbered<i16>> {
        let nothing = DeTable::new();
        let what = format!("the value of {}", wanted.what);
        let mut fields = match options {
            None => Fields::new(&nothing, given.1.clone(), what),
            Some(value) => Fields::of(value, what, &mut self.problems)?,
        };
        let bulk = self.bulk(&mut fields, Some(given), wanted);
        fields.finish(&mut self.problems);
        self.bulk_codes(bulk?, None, wanted)
    }

    /// The file of a variable of an object of the checkpoint; `None` has been reported.
    pub(super) fn trained_file(&mut self, object: &str, variable: &str, span: Range<usize>) -> Option<Given> {
        let (message, help) = match &mut self.checkpoint {
            Some(Opened::Broken) => return None,
            Some(Opened::Good { checkpoint, used }) => {
                used.insert((object.to_owned(), variable.to_owned()));
                if let Some(path) = checkpoint.file(object, variable) {
                    // A link, that is: names do not lead anywhere.
                    if self.anywhere || !leads_outside(&checkpoint.directory, Path::new(""), path) {
                        return Some((path.to_owned(), span));
                    }
                    let message = format!("`{object}-{variable}` leads out of the checkpoint's directory");
                    let problem = Diagnostic::error(message).at(span, "this array");
                    self.problems.push(problem.help("put the file itself there, or allow it with --allow-outside"));
                    return None;
                }
                let objects: Vec<&str> = checkpoint.objects().collect();
                let variables: Vec<&str> = checkpoint.variables(object).collect();
                match &variables[..] {
                    [] => (
                        format!("the checkpoint `{}` has no `{object}`", checkpoint.prefix),
                        did_you_mean(object, objects.iter().copied(), &format!("it has {}", list(&objects))),
                    ),
                    variables => (
                        format!("`{object}` of the checkpoint `{}` has no `{variable}`", checkpoint.prefix),
                        format!("it has {}", list(variables)),
                    ),
                }
            }
            None => (
                "the description has no checkpoint".to_owned(),
                "name its directory in a table [checkpoint], or on the command line: fenn-cc DIRECTORY --architecture FILE"
                    .to_owned(),
            ),
        };
        self.problems.push(Diagnostic::error(message).at(span, "this array").help(help));
        None
    }

    /// Whether the checkpoint has a variable of an object.
    pub(super) fn is_trained(&self, object: &str, variable: &str) -> bool {
        matches!(&self.checkpoint, Some(Opened::Good { checkpoint, .. }) if checkpoint.file(object, variable).is_some())
    }

    /// Doubts whether arrays were forgotten.
    pub(super) fn unused(&mut self) {
        let Some(Opened::Good { checkpoint, used }) = &self.checkpoint else { return };
        for object in checkpoint.objects() {
            let unused = |variable: &&str| !used.contains(&(object.to_owned(), (*variable).to_owned()));
            for variable in checkpoint.variables(object).filter(unused) {
                let message = format!("nothing uses `{object}-{variable}` of the checkpoint `{}`", checkpoint.prefix);
                self.problems.push(Diagnostic::warning(message));
            }
        }
    }

    /// One delay for all, or `rows × columns` delays, whole numbers of steps. `fields` are those of the table that `value` is, if
    /// it is one; its `file`, `distribution` or `steps` say which, or else they are `given`. `None` has been reported.
    pub(super) fn delays(
        &mut self,
        value: &Value<'_>,
        fields: Option<&mut Fields<'_, '_>>,
        given: Option<Given>,
        wanted: &Wanted<'_>,
        limit: Limit,
    ) -> Option<Numbered<u16>> {
        let step = &mut |reader: &mut Self, value: &Value<'_>| {
            let number = reader.real_number(value, "a delay")?;
            reader.step(number, value.span(), limit)
        };
        let Some(fields) = fields else { return self.list(value, wanted, step) };
        match ["steps", "file", "distribution", "checkpoint"].map(|key| fields.get(key)) {
            [Some(steps), None, None, None] => self.list(steps, wanted, step),
            [None, file, distribution, trained]
                if [file, distribution, trained].into_iter().flatten().count() == usize::from(given.is_none()) =>
            {
                let bulk = self.bulk(fields, given, wanted)?;
                self.bulk_steps(bulk, wanted, limit)
            }
            _ => {
                let message = format!("{} need one of `steps`, `file`, `distribution` and `checkpoint`", wanted.what);
                self.problems.push(Diagnostic::error(message).at(value.span(), "this table"));
                None
            }
        }
    }

    /// Delays of a trained array.
    pub(super) fn trained_delays(&mut self, given: Given, wanted: &Wanted<'_>, limit: Limit) -> Option<Numbered<u16>> {
        let nothing = DeTable::new();
        let mut fields = Fields::new(&nothing, given.1.clone(), wanted.what);
        let bulk = self.bulk(&mut fields, Some(given), wanted)?;
        self.bulk_steps(bulk, wanted, limit)
    }

    /// Numbers of neurons of a trained array, each in `range`.
    pub(super) fn trained_neurons(
        &mut self,
        (path, span): Given,
        what: &str,
        range: std::ops::RangeInclusive<u32>,
        most: u64,
    ) -> Option<Vec<u32>> {
        let loaded = load_list(&path, most, Kind::Npy);
        let numbers = self.loaded(loaded, what, span.clone())?;
        self.whole_numbers(numbers, what, &range, span)
    }

    /// `numbers`, if they are integers in `range`.
    fn whole_numbers(
        &mut self,
        numbers: Numbers,
        what: &str,
        range: &std::ops::RangeInclusive<u32>,
        span: Range<usize>,
    ) -> Option<Vec<u32>> {
        let Numbers::Codes(codes) = numbers else {
            let problem = Diagnostic::error(format!("{what} are whole numbers, but the file has real ones"));
            self.problems.push(problem.at(span, "this file"));
            return None;
        };
        let wrong = |code: &i64| !u32::try_from(*code).is_ok_and(|code| range.contains(&code));
        if let Some(place) = codes.iter().position(wrong) {
            let (found, least, most) = (codes[place], range.start(), range.end());
            let message = format!("{what}: number {place} is {found}, but they are from {least} to {most}");
            self.problems.push(Diagnostic::error(message).at(span, "in this file"));
            return None;
        }
        Some(codes.into_iter().map(|code| code as u32).collect())
    }

    /// Numbers of neurons, each below `count`: a list, or those of a file. There are `length` of them, if that is known.
    pub(super) fn neurons(
        &mut self,
        value: &Value<'_>,
        what: &str,
        range: std::ops::RangeInclusive<u32>,
        length: Option<usize>,
        most: u64,
    ) -> Option<Vec<u32>> {
        let bounds = i64::from(*range.start())..=i64::from(*range.end());
        let numbers: Vec<u32> = match value.get_ref() {
            DeValue::Array(array) => {
                let number = |item: &Value<'_>| {
                    let number = super::table::integer(item, "an element", bounds.clone(), &mut self.problems)?;
                    u32::try_from(number.value).ok()
                };
                let numbers: Vec<Option<u32>> = array.iter().map(number).collect();
                numbers.into_iter().collect::<Option<_>>()?
            }
            DeValue::Table(table) => {
                let mut fields = Fields::new(table, value.span(), what);
                fields.require("file");
                let loaded = self.source(&mut fields).and_then(|(path, kind, span)| {
                    let loaded = load_list(&path, most, kind);
                    self.loaded(loaded, what, span)
                });
                fields.finish(&mut self.problems);
                self.whole_numbers(loaded?, what, &range, value.span())?
            }
            other => {
                self.problems.push(wrong_type(what, "a list of integers or a file", other, value.span()));
                return None;
            }
        };
        if let Some(expected) = length.filter(|length| *length != numbers.len()) {
            let message = format!("{what}: there are {} numbers, but {expected} are needed", numbers.len());
            self.problems.push(Diagnostic::error(message).at(value.span(), "this list"));
            return None;
        }
        Some(numbers)
    }

    /// One element for all, a list of `columns`, or a list of `rows` such lists.
    fn list<T>(
        &mut self,
        value: &Value<'_>,
        wanted: &Wanted<'_>,
        element: &mut Element<'_, Self, T>,
    ) -> Option<Numbered<T>> {
        let DeValue::Array(array) = value.get_ref() else {
            return element(self, value).map(Numbered::One);
        };
        if wanted.rows == 1 {
            return Some(Numbered::Each(self.row(array, wanted, value.span(), element)?));
        }
        if !array.iter().any(|row| row.get_ref().is_array()) {
            let message = format!("{} is a list of {} lists, one for each source neuron", wanted.what, wanted.rows);
            self.problems.push(Diagnostic::error(message).at(value.span(), "a plain list"));
            return None;
        }
        let mut rows = Vec::new();
        for row in array.iter() {
            rows.push(match row.get_ref() {
                DeValue::Array(items) => self.row(items, wanted, row.span(), element),
                other => {
                    self.problems.push(wrong_type("a row", "a list of numbers", other, row.span()));
                    None
                }
            });
        }
        self.expect_length(array.len(), wanted.rows, "rows", wanted, value.span())?;
        Some(Numbered::Each(rows.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect()))
    }

    /// `columns` elements.
    fn row<T>(
        &mut self,
        items: &[Value<'_>],
        wanted: &Wanted<'_>,
        span: Range<usize>,
        element: &mut Element<'_, Self, T>,
    ) -> Option<Vec<T>> {
        let codes: Vec<Option<T>> = items.iter().map(|item| element(self, item)).collect();
        self.expect_length(items.len(), wanted.columns, "numbers", wanted, span)?;
        codes.into_iter().collect()
    }

    fn expect_length(
        &mut self,
        found: usize,
        expected: usize,
        of: &str,
        wanted: &Wanted<'_>,
        span: Range<usize>,
    ) -> Option<()> {
        if found != expected {
            let message = format!("{} needs {expected} {of}, not {found}", wanted.what);
            self.problems.push(Diagnostic::error(message).at(span, format!("this has {found}")));
        }
        (found == expected).then_some(())
    }

    fn code(&mut self, value: &Value<'_>) -> Option<i16> {
        let range = i64::from(i16::MIN)..=i64::from(i16::MAX);
        let At { value, .. } = super::table::integer(value, "a code", range, &mut self.problems)?;
        i16::try_from(value).ok()
    }

    fn number(&mut self, value: &Value<'_>, ty: Type) -> Option<i16> {
        let (text, offset) = match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => (integer.as_str(), None),
            DeValue::Integer(_) => {
                let range = i64::MIN..=i64::MAX;
                let At { value: number, span } = super::table::integer(value, "a number", range, &mut self.problems)?;
                return self.decimal(&number.to_string(), ty, span);
            }
            DeValue::Float(float) => (float.as_str(), None),
            DeValue::String(text) => (text.as_ref(), content_offset(self.text, value.span(), text)),
            other => {
                self.problems.push(wrong_type("a value", "a number or an expression", other, value.span()));
                return None;
            }
        };
        if !value.get_ref().is_str() || !matches!(parse_decimal(text, ty.format), Err(DecimalError::Malformed { .. })) {
            return self.decimal(text, ty, value.span());
        }
        let evaluated = evaluate(text, &self.constants);
        let number = self.evaluated(evaluated, text, value.span(), offset)?;
        self.real(number, text, ty, value.span())
    }

    /// A number or an expression, in double precision.
    pub(super) fn real_number(&mut self, value: &Value<'_>, what: &str) -> Option<f64> {
        let (text, offset) = match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => (integer.as_str(), None),
            DeValue::Float(float) => (float.as_str(), None),
            DeValue::String(text) => (text.as_ref(), content_offset(self.text, value.span(), text)),
            other => {
                self.problems.push(wrong_type(what, "a number or an expression", other, value.span()));
                return None;
            }
        };
        if !value.get_ref().is_str() {
            let number = text.parse().ok().filter(|number: &f64| number.is_finite());
            if number.is_none() {
                let problem = Diagnostic::error(format!("{text} is not a finite number"));
                self.problems.push(problem.at(value.span(), "this number"));
            }
            return number;
        }
        let evaluated = evaluate(text, &self.constants);
        self.evaluated(evaluated, text, value.span(), offset)
    }

    fn evaluated(
        &mut self,
        result: Result<f64, super::constant::ConstantError>,
        text: &str,
        span: Range<usize>,
        offset: Option<usize>,
    ) -> Option<f64> {
        result
            .map_err(|error| {
                // Where the characters of the string are not those of the file, the whole string is the place.
                let span = offset.map_or(span, |at| at + error.span.start..at + error.span.end);
                let message = format!("`{text}` is not a constant expression");
                self.problems.push(Diagnostic::error(message).at(span, error.message));
            })
            .ok()
    }

    fn decimal(&mut self, text: &str, ty: Type, span: Range<usize>) -> Option<i16> {
        match parse_decimal(text, ty.format) {
            Ok(code) => {
                let number: f64 = text.parse().unwrap_or_default();
                self.doubt(number, text, code, ty, span)
            }
            Err(DecimalError::Malformed { .. }) => {
                let message = format!("{text} is not a finite number");
                self.problems.push(Diagnostic::error(message).at(span, "no code stands for it"));
                None
            }
            Err(error) => {
                let problem = Diagnostic::error(error.to_string()).at(span, format!("does not fit into {ty}"));
                self.problems.push(problem.help("use a type with more integer bits"));
                None
            }
        }
    }

    fn real(&mut self, number: f64, text: &str, ty: Type, span: Range<usize>) -> Option<i16> {
        let quantized = ty.format.quantize(number)?;
        if quantized.saturated {
            let range = [i16::MIN, i16::MAX].map(|code| ty.format.to_f64(code));
            let message = format!("{number} is outside {}, which reaches from {} to {}", ty.format, range[0], range[1]);
            let problem = Diagnostic::error(message).at(span, format!("does not fit into {ty}"));
            self.problems.push(problem.help("use a type with more integer bits"));
            return None;
        }
        self.doubt(number, text, quantized.code, ty, span)
    }

    /// Refuses a broken integer, and warns of a number that vanishes.
    fn doubt(&mut self, number: f64, text: &str, code: i16, ty: Type, span: Range<usize>) -> Option<i16> {
        if ty == Type::INT && number.fract() != 0.0 {
            let message = format!("`{text}` is {number}, but the type is int16_t");
            let problem = Diagnostic::error(message).at(span, "not an integer");
            self.problems.push(problem.help("use a type with fraction bits, such as s5_10_sat_t"));
            return None;
        }
        if code == 0 && number != 0.0 {
            let message =
                format!("{number} becomes 0 in {}, whose smallest step is {}", ty.format, ty.format.resolution());
            let problem = Diagnostic::warning(message).at(span, "rounds to 0");
            self.problems.push(problem.help("use a type with more fraction bits"));
        }
        Some(code)
    }

    /// The numbers that are `given`, or of a table with a `file`, a `distribution` or a `checkpoint`; times its `scale` and brought to
    /// its `bits`.
    fn bulk(&mut self, fields: &mut Fields<'_, '_>, given: Option<Given>, wanted: &Wanted<'_>) -> Option<Bulk> {
        let known = self.problems.len();
        let bits = fields.integer("bits", 2..=16, &mut self.problems);
        let percentile = fields.real("percentile", &mut self.problems);
        let step = fields.get("step").map(|step| self.real_number(step, "`step`").map(|number| (number, step.span())));
        let scale = fields.get("scale").map(|scale| self.real_number(scale, "`scale`"));
        let mut bulk = match fields.get("distribution") {
            Some(name) => {
                let distribution = self.distribution(fields)?;
                let numbers = self.draw(&distribution.value, wanted, name.span())?;
                let origin = Origin::Drawn(distribution.text);
                Bulk { numbers: Numbers::Reals(numbers), origin, grid: None, span: name.span() }
            }
            None => {
                let stored = fields.integer("columns", wanted.columns as i64..=1 << 24, &mut self.problems);
                let (path, kind, span) = match given {
                    Some((path, span)) => (path, Kind::Npy, span),
                    None => self.source(fields)?,
                };
                if self.problems.len() > known {
                    return None;
                }
                let stored = stored.map_or(wanted.columns, |stored| stored.value as usize);
                let shape = Shape { rows: wanted.rows, columns: wanted.columns, stored };
                let loaded = load(&path, shape, wanted.axes, kind);
                let numbers = self.loaded(loaded, wanted.what, span.clone())?;
                Bulk { numbers, origin: Origin::File(path), grid: None, span }
            }
        };
        if let Some(scale) = scale {
            let scale = scale?;
            bulk.numbers = Numbers::Reals(match bulk.numbers {
                Numbers::Codes(codes) => codes.into_iter().map(|code| code as f64 * scale).collect(),
                Numbers::Reals(reals) => reals.into_iter().map(|real| real * scale).collect(),
            });
        }
        match (bits, percentile, step) {
            (None, None, None) => Some(bulk),
            (Some(bits), percentile, step) => {
                let step = match step {
                    None => None,
                    Some(step) => Some(step?),
                };
                self.coarsen(bulk, bits.value as u8, percentile, step, wanted)
            }
            (None, percentile, _) => {
                let span = percentile.map_or(fields.span(), |percentile| percentile.span);
                let problem = Diagnostic::error("`percentile` and `step` say how numbers get `bits`")
                    .at(span, "of how many bits?");
                self.problems.push(problem.help("add `bits`, or leave them out"));
                None
            }
        }
    }

    /// Real numbers to whole multiples of a power of two, which are signed numbers of `bits`: of `step`, or else of the least
    /// power that leaves at most the largest 100 − `percentile` percent of them outside. Those are moved to the ends.
    fn coarsen(
        &mut self,
        mut bulk: Bulk,
        bits: u8,
        percentile: Option<At<f64>>,
        step: Option<(f64, Range<usize>)>,
        wanted: &Wanted<'_>,
    ) -> Option<Bulk> {
        let Numbers::Reals(reals) = &mut bulk.numbers else {
            let problem = Diagnostic::error("`bits` are for real numbers; these are codes already");
            self.problems
                .push(problem.at(bulk.span, "integers").help("leave `bits` out, or say with `scale` what they mean"));
            return None;
        };
        let (least, most) = (-f64::from(1u32 << (bits - 1)), f64::from((1u32 << (bits - 1)) - 1));
        let step = match (step, percentile) {
            (Some((step, span)), None) => {
                let power = step > 0.0 && (libm::frexp(step).0 - 0.5).abs() == 0.0;
                if !power {
                    let problem = Diagnostic::error(format!("{step} is no power of two")).at(span, "this step");
                    self.problems.push(problem.help("write it as one, such as \"2^-6\""));
                    return None;
                }
                step
            }
            (Some((_, span)), Some(_)) => {
                let problem =
                    Diagnostic::error("`step` leaves nothing for `percentile` to choose").at(span, "this step");
                self.problems.push(problem.help("leave one of them out"));
                return None;
            }
            (None, percentile) => {
                let share = percentile.as_ref().map_or(100.0, |percentile| percentile.value);
                if !(share > 0.0 && share <= 100.0) {
                    let span = percentile.map_or(bulk.span, |percentile| percentile.span);
                    let problem = Diagnostic::error("a percentile is above 0 and at most 100").at(span, "this number");
                    self.problems.push(problem);
                    return None;
                }
                // What is no number is refused later, with its place.
                let mut sizes: Vec<f64> = reals.iter().map(|real| real.abs()).filter(|size| size.is_finite()).collect();
                sizes.sort_by(f64::total_cmp);
                let within = (share / 100.0 * sizes.len() as f64).ceil() as usize;
                let largest = within.checked_sub(1).and_then(|last| sizes.get(last)).copied().unwrap_or(0.0);
                let finest = wanted.ty.format.resolution();
                let fits = |step: &f64| (largest / step).round_ties_even() <= most;
                // Sixteen bits more than a format has are beyond all of them.
                let steps = (0..32).map(|power| finest * f64::from(1u32 << power.min(31)));
                steps.into_iter().find(fits).unwrap_or(finest * f64::from(1u32 << 31))
            }
        };
        let mut clipped = 0;
        for real in reals.iter_mut().filter(|real| real.is_finite()) {
            let multiple = (*real / step).round_ties_even();
            clipped += usize::from(!(least..=most).contains(&multiple));
            *real = multiple.clamp(least, most) * step;
        }
        bulk.grid = Some((Grid { bits, step }, clipped));
        Some(bulk)
    }

    /// The file that a table names, and how its numbers are stored.
    fn source<'f>(&mut self, fields: &mut Fields<'f, '_>) -> Option<(PathBuf, Kind<'f>, Range<usize>)> {
        let known = self.problems.len();
        let dtype = fields.choice("dtype", &Dtype::CHOICES, &mut self.problems);
        let array = fields.string("array", &mut self.problems);
        if let Some(At { value: name, span }) = fields.string("checkpoint", &mut self.problems) {
            let Some((object, variable)) = name.rsplit_once('-') else {
                let problem =
                    Diagnostic::error(format!("`{name}` names no array of a checkpoint")).at(span, "this name");
                self.problems.push(problem.help("write object and variable, such as \"Pop1-Bias\""));
                return None;
            };
            return self.trained_file(object, variable, span).map(|(path, span)| (path, Kind::Npy, span));
        }
        let At { value: name, span } = fields.string("file", &mut self.problems)?;
        if self.problems.len() > known {
            return None;
        }
        let path = self.path(name, span.clone())?;
        let is = |name: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(name));
        let (message, place, help) = match (dtype, array) {
            (None, None) if is("npy") => return Some((path, Kind::Npy, span)),
            (None, Some(array)) if is("npz") => return Some((path, Kind::Npz(array.value), span)),
            (Some(dtype), None) if !is("npy") && !is("npz") => return Some((path, Kind::Raw(dtype.value), span)),
            (Some(dtype), _) if is("npy") || is("npz") => {
                ("a NumPy file says itself what its numbers are", dtype.span, "leave `dtype` out")
            }
            (_, Some(array)) => ("only an archive (.npz) has arrays with names", array.span, "leave `array` out"),
            (None, None) if is("npz") => {
                ("which array of the archive is meant is not stated", span, "add `array`, the array's name")
            }
            _ => (
                "what numbers the file holds is not stated",
                span,
                "add `dtype`: int8, uint8, int16, uint16, int32, uint32, float32 or float64",
            ),
        };
        self.problems.push(Diagnostic::error(message).at(place, "this").help(help));
        None
    }

    /// The path of a file the description names, which lies in its directory unless others are allowed.
    pub(super) fn path(&mut self, name: &str, span: Range<usize>) -> Option<PathBuf> {
        let path = self.directory.join(name);
        if !self.anywhere && leads_outside(self.directory, Path::new(name), &path) {
            let message = format!("`{name}` leads out of the description's directory");
            let problem = Diagnostic::error(message).at(span, "this file");
            self.problems.push(problem.help("put the file beside the description, or allow it with --allow-outside"));
            return None;
        }
        Some(path)
    }

    fn loaded(
        &mut self,
        loaded: Result<Numbers, super::file::FileError>,
        what: &str,
        span: Range<usize>,
    ) -> Option<Numbers> {
        loaded
            .map_err(|error| {
                self.problems.push(Diagnostic::error(format!("{what}: {error}")).at(span, "this file"));
            })
            .ok()
    }

    /// The distribution that a table describes, and its text for reports.
    fn distribution(&mut self, fields: &mut Fields<'_, '_>) -> Option<Described> {
        const NAMES: [(&str, &[&str]); 6] = [
            ("uniform", &["min", "max"]),
            ("normal", &["mean", "sd"]),
            ("lognormal", &["mean", "sd"]),
            ("exponential", &["mean"]),
            ("gamma", &["shape", "mean"]),
            ("binomial", &["trials", "probability"]),
        ];
        let choices: Vec<(&str, usize)> = NAMES.iter().enumerate().map(|(index, (name, _))| (*name, index)).collect();
        let Some(At { value: index, span }) = fields.choice("distribution", &choices, &mut self.problems) else {
            // Not to be called unknown.
            for key in ["min", "max", "mean", "sd", "shape", "trials", "probability"] {
                fields.get(key);
            }
            return None;
        };
        let (name, keys) = NAMES[index];
        let mut text = name.to_owned();
        let mut number = |key: &'static str, required: bool| -> Option<Option<f64>> {
            let value = if required { fields.require(key) } else { fields.get(key) };
            let Some(value) = value else { return if required { None } else { Some(None) } };
            let number = self.real_number(value, &format!("`{key}`"))?;
            text.push_str(&format!(", {key} {number}"));
            Some(Some(number))
        };
        let own: Vec<Option<f64>> = keys.iter().map(|key| number(key, true).flatten()).collect();
        let [min, max] = if index == 0 { [Some(None); 2] } else { ["min", "max"].map(|key| number(key, false)) };
        let own = own.into_iter().collect::<Option<Vec<f64>>>()?;
        let (min, max) = (min?.unwrap_or(f64::NEG_INFINITY), max?.unwrap_or(f64::INFINITY));
        let (shape, rule, good) = match (index, own[..].first().copied()?, own.get(1).copied().unwrap_or_default()) {
            (0, min, max) => (Random::Uniform { min, max }, "`min` is below `max`", min < max),
            (1, mean, sd) => (Random::Normal { mean, sd }, "`sd` is at least 0", sd >= 0.0),
            (2, mean, sd) => (Random::LogNormal { mean, sd }, "`sd` is at least 0", sd >= 0.0),
            (3, mean, _) => (Random::Exponential { mean }, "`mean` is positive", mean > 0.0),
            (4, shape, mean) => {
                let gamma = Random::Gamma { shape, scale: mean / shape };
                (gamma, "`shape` and `mean` are positive", shape > 0.0 && mean > 0.0)
            }
            (_, trials, probability) => (
                Random::Binomial { trials: trials as u32, probability },
                "`trials` is a whole number up to 65535 and `probability` from 0 to 1",
                trials.fract() == 0.0 && (0.0..=65535.0).contains(&trials) && (0.0..=1.0).contains(&probability),
            ),
        };
        if !good || min > max {
            let rule = if good { "`min` is not above `max`" } else { rule };
            let problem = Diagnostic::error(format!("the distribution {name} has no meaning: {rule}"));
            self.problems.push(problem.at(span, text));
            return None;
        }
        Some(Described { value: Distribution { shape, min, max }, text })
    }

    fn draw(&mut self, distribution: &Distribution, wanted: &Wanted<'_>, span: Range<usize>) -> Option<Vec<f64>> {
        let mut stream = Stream::new(self.seed, wanted.stream);
        let count = wanted.rows.saturating_mul(wanted.columns);
        let drawn: Option<Vec<f64>> = (0..count).map(|_| distribution.draw(&mut stream)).collect();
        if drawn.is_none() {
            let message = format!("{}: next to nothing of the distribution lies within its bounds", wanted.what);
            let problem = Diagnostic::error(message).at(span, "10,000 draws in a row lay outside");
            self.problems.push(problem.help("widen `min` and `max`"));
        }
        drawn
    }

    fn bulk_codes(&mut self, bulk: Bulk, format: Option<&At<&str>>, wanted: &Wanted<'_>) -> Option<Numbered<i16>> {
        match &bulk.numbers {
            Numbers::Codes(codes) => {
                self.check_format(format, wanted)?;
                self.codes(codes, wanted, bulk.span)
            }
            Numbers::Reals(reals) => {
                if let Some(At { span, .. }) = format {
                    let problem = Diagnostic::error("`format` is for integers; real numbers have no number format");
                    self.problems.push(problem.at(span.clone(), "not needed").help("leave it out"));
                    return None;
                }
                self.quantize(reals, &bulk.origin, bulk.grid, wanted, bulk.span)
            }
        }
    }

    /// A stated format has to be that of the target.
    fn check_format(&mut self, stated: Option<&At<&str>>, wanted: &Wanted<'_>) -> Option<()> {
        let Some(At { value, span }) = stated else { return Some(()) };
        let expected = wanted.ty.format;
        let problem = match value.parse::<Format>() {
            Ok(format) if format == expected => return Some(()),
            Ok(format) => {
                let message = format!("{} has codes in {format}, but is used as {expected}", wanted.what);
                let help =
                    format!("the type must have {} fraction bits, or the file other codes", format.fraction_bits());
                Diagnostic::error(message).at(span.clone(), format!("the type is {}", wanted.ty)).help(help)
            }
            Err(error) => Diagnostic::error(error.to_string()).at(span.clone(), "this format"),
        };
        self.problems.push(problem);
        None
    }

    fn codes(&mut self, codes: &[i64], wanted: &Wanted<'_>, span: Range<usize>) -> Option<Numbered<i16>> {
        let narrow: Result<Vec<i16>, usize> =
            codes.iter().enumerate().map(|(place, code)| i16::try_from(*code).map_err(|_| place)).collect();
        match narrow {
            Ok(codes) => Some(Numbered::Each(codes)),
            Err(place) => {
                let message =
                    format!("{}: {} is {}, which is no 16-bit code", wanted.what, element(place, wanted), codes[place]);
                self.problems.push(Diagnostic::error(message).at(span, "in this file"));
                None
            }
        }
    }

    fn finite(&mut self, reals: &[f64], wanted: &Wanted<'_>, span: Range<usize>) -> Option<()> {
        let Some(place) = reals.iter().position(|real| !real.is_finite()) else { return Some(()) };
        let message = format!("{}: {} is {}", wanted.what, element(place, wanted), reals[place]);
        let problem = Diagnostic::error(message).at(span, "in this file");
        self.problems.push(problem.help("no code stands for it; train or export the network again"));
        None
    }

    fn quantize(
        &mut self,
        reals: &[f64],
        origin: &Origin,
        grid: Option<(Grid, usize)>,
        wanted: &Wanted<'_>,
        span: Range<usize>,
    ) -> Option<Numbered<i16>> {
        self.finite(reals, wanted, span.clone())?;
        let format = wanted.ty.format;
        let mut codes = Vec::with_capacity(reals.len());
        let (mut clipped, mut vanished, mut largest) = (0, 0, 0f64);
        for real in reals {
            // Finite numbers have codes.
            let quantized = format.quantize(*real)?;
            clipped += usize::from(quantized.saturated);
            vanished += usize::from(quantized.code == 0 && *real != 0.0);
            largest = largest.max(real.abs());
            codes.push(quantized.code);
        }
        if clipped > 0 {
            let numbers = reals.len();
            let message =
                format!("{}: {clipped} of {numbers} numbers are outside {format} and are clipped", wanted.what);
            let problem = Diagnostic::warning(message).at(span, format!("the largest is {largest}"));
            self.problems.push(problem.help("use a type with more integer bits"));
        }
        let clipped = clipped + grid.map_or(0, |(_, clipped)| clipped);
        self.note(origin, wanted, (Some(format), grid), [reals.len(), clipped, vanished], largest);
        Some(Numbered::Each(codes))
    }

    /// Keeps for the report that `numbers` synapses were chosen by `rule`.
    pub(super) fn drew(&mut self, of: String, rule: String, numbers: usize) {
        self.drawn.push(Drawn { of, rule, seed: self.seed, numbers, clipped: 0 });
    }

    /// Keeps for the report what became of `[all, clipped, vanished]` numbers.
    fn note(
        &mut self,
        origin: &Origin,
        wanted: &Wanted<'_>,
        (format, grid): (Option<Format>, Option<(Grid, usize)>),
        counts: [usize; 3],
        largest: f64,
    ) {
        let grid = grid.map(|(grid, _)| grid);
        let ([numbers, clipped, vanished], of) = (counts, wanted.what.to_owned());
        match origin {
            Origin::File(path) => {
                let file = path.clone();
                self.conversions.push(Conversion { of, file, format, grid, numbers, clipped, vanished, largest });
            }
            Origin::Drawn(rule) => {
                self.drawn.push(Drawn { of, rule: rule.clone(), seed: self.seed, numbers, clipped });
            }
        }
    }

    /// One delay that is written in the description.
    fn step(&mut self, number: f64, span: Range<usize>, limit: Limit) -> Option<u16> {
        let rounded = number.round_ties_even();
        if !limit.clip && !(0.0..=f64::from(limit.longest)).contains(&rounded) {
            let message = format!("a delay of {number} steps is not from 0 to {}", limit.longest);
            self.problems.push(Diagnostic::error(message).at(span, "this delay").help(TOO_LONG));
            return None;
        }
        Some(rounded.clamp(0.0, limit.longest.into()) as u16)
    }

    fn bulk_steps(&mut self, bulk: Bulk, wanted: &Wanted<'_>, limit: Limit) -> Option<Numbered<u16>> {
        let Bulk { numbers, origin, grid, span } = bulk;
        let reals = match numbers {
            Numbers::Codes(codes) => codes.into_iter().map(|code| code as f64).collect(),
            Numbers::Reals(reals) => reals,
        };
        self.finite(&reals, wanted, span.clone())?;
        let longest = f64::from(limit.longest);
        let outside = |real: &f64| !(0.0..=longest).contains(&real.round_ties_even());
        let clipped = reals.iter().filter(|real| outside(real)).count();
        if let Some(first) = reals.iter().find(|real| outside(real)) {
            let message = format!(
                "{}: {clipped} of {} delays are not from 0 to {longest} steps, the first is {first}",
                wanted.what,
                reals.len()
            );
            let problem = if limit.clip {
                Diagnostic::warning(message).at(span, "clipped")
            } else {
                Diagnostic::error(message).at(span, "these delays").help(TOO_LONG)
            };
            let stop = problem.severity == crate::diagnostic::Severity::Error;
            self.problems.push(problem);
            if stop {
                return None;
            }
        }
        let steps: Vec<u16> = reals.iter().map(|real| real.round_ties_even().clamp(0.0, longest) as u16).collect();
        let vanished = steps.iter().zip(&reals).filter(|(step, real)| **step == 0 && **real != 0.0).count();
        let largest = reals.iter().fold(0.0, |largest: f64, real| largest.max(real.abs()));
        self.note(&origin, wanted, (None, grid), [steps.len(), clipped, vanished], largest);
        Some(Numbered::Each(steps))
    }
}

/// A distribution and its text.
struct Described {
    value: Distribution,
    text: String,
}

const TOO_LONG: &str = "a longer ring is `longest = N`, up to 65535; `clip = true` shortens delays to it";

/// Whether a path of a description leads out of its directory, by what is written or by way of links.
fn leads_outside(directory: &Path, name: &Path, path: &Path) -> bool {
    let mut depth = 0;
    for component in name.components() {
        match component {
            Component::Prefix(_) | Component::RootDir => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
        }
        if depth < 0 {
            return true;
        }
    }
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    // What cannot be resolved cannot be read either, and is reported then.
    matches!((directory.canonicalize(), path.canonicalize()), (Ok(inside), Ok(file)) if !file.starts_with(&inside))
}

/// "number 5" or "row 3, column 5".
fn element(place: usize, wanted: &Wanted<'_>) -> String {
    match wanted.rows {
        1 => format!("number {place}"),
        _ => format!("row {}, column {}", place / wanted.columns, place % wanted.columns),
    }
}

/// Where the characters `content` of the string at `span` begin in the file, if they are written there as they are.
pub(super) fn content_offset(text: &str, span: Range<usize>, content: &str) -> Option<usize> {
    let raw = text.get(span.clone())?;
    let quotes = ["'''", "\"\"\"", "'", "\""].into_iter().find(|quotes| raw.starts_with(quotes))?;
    let mut start = quotes.len();
    if quotes.len() == 3 {
        start += ["\r\n", "\n"].iter().find(|newline| raw[start..].starts_with(*newline)).map_or(0, |n| n.len());
    }
    (raw.get(start..)?.strip_prefix(content)? == quotes).then_some(span.start + start)
}
