//! Values of a description (numbers, expressions, lists, files) to the codes of a number format.
//!
//! Contract: a number is rounded once, to the nearest code, ties to even. One written in the description must lie in
//! the format; numbers of a file are moved to the ends of the range where they do not, and counted in a [`Conversion`].
//! Codes (`{ code = … }`, integers of a file) are taken as they are.

use std::ops::Range;
use std::path::{Path, PathBuf};

use fenn_isa::fixed::Format;
use serde::Serialize;
use toml::de::DeValue;

use super::constant::evaluate;
use super::file::{Dtype, Shape, load};
use super::table::{At, Fields, Value, wrong_type};
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
    /// The format of the codes.
    pub format: Format,
    /// How many numbers.
    pub numbers: usize,
    /// How many of them lay outside the format and were moved to the ends of its range.
    pub clipped: usize,
    /// How many are not zero but have code 0.
    pub vanished: usize,
    /// The greatest magnitude.
    pub largest: f64,
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
}

/// What values are for.
pub(super) struct Wanted<'a> {
    /// For messages: "parameter `Alpha`".
    pub(super) what: &'a str,
    pub(super) ty: Type,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// How one element becomes a code.
type Element<'e, R> = dyn FnMut(&mut R, &Value<'_>, Type) -> Option<i16> + 'e;

impl Reader<'_> {
    /// One code for all, or `rows × columns` codes; `None` has been reported.
    pub(super) fn values(&mut self, value: &Value<'_>, wanted: &Wanted<'_>) -> Option<Values> {
        match value.get_ref() {
            DeValue::Table(table) => {
                let mut fields = Fields::new(table, value.span(), format!("the value of {}", wanted.what));
                let values = match (fields.get("code"), fields.get("file")) {
                    (Some(code), None) => self.list(code, wanted, &mut |reader, value, _| reader.code(value)),
                    (None, Some(file)) => self.file(&mut fields, file, wanted),
                    _ => {
                        let message = format!("the value of {} needs either `code` or `file`", wanted.what);
                        self.problems.push(Diagnostic::error(message).at(value.span(), "this table"));
                        None
                    }
                };
                fields.finish(&mut self.problems);
                values
            }
            _ => self.list(value, wanted, &mut |reader, value, ty| reader.number(value, ty)),
        }
    }

    /// One element for all, a list of `columns`, or a list of `rows` such lists.
    fn list(&mut self, value: &Value<'_>, wanted: &Wanted<'_>, element: &mut Element<'_, Self>) -> Option<Values> {
        let DeValue::Array(array) = value.get_ref() else {
            return element(self, value, wanted.ty).map(Values::Uniform);
        };
        if wanted.rows == 1 {
            return Some(Values::PerNeuron(self.row(array, wanted, value.span(), element)?));
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
        Some(Values::PerNeuron(rows.into_iter().collect::<Option<Vec<_>>>()?.concat()))
    }

    /// `columns` elements.
    fn row(
        &mut self,
        items: &[Value<'_>],
        wanted: &Wanted<'_>,
        span: Range<usize>,
        element: &mut Element<'_, Self>,
    ) -> Option<Vec<i16>> {
        let codes: Vec<Option<i16>> = items.iter().map(|item| element(self, item, wanted.ty)).collect();
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
        match evaluate(text, &self.constants) {
            Ok(number) => self.real(number, text, ty, value.span()),
            Err(error) => {
                // Where the characters of the string are not those of the file, the whole string is the place.
                let span = offset.map_or(value.span(), |at| at + error.span.start..at + error.span.end);
                let message = format!("`{text}` is not a constant expression");
                self.problems.push(Diagnostic::error(message).at(span, error.message));
                None
            }
        }
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

    fn file(&mut self, fields: &mut Fields<'_, '_>, file: &Value<'_>, wanted: &Wanted<'_>) -> Option<Values> {
        let known = self.problems.len();
        let dtype = fields.choice("dtype", &Dtype::CHOICES, &mut self.problems);
        let stored = fields.integer("columns", wanted.columns as i64..=1 << 24, &mut self.problems);
        let format = fields.string("format", &mut self.problems);
        let At { value: name, span } = super::table::string(file, "`file`", &mut self.problems)?;
        if self.problems.len() > known {
            return None;
        }
        let path = self.directory.join(name);
        let numpy = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"));
        if numpy == dtype.is_some() {
            let (message, help) = if numpy {
                ("a NumPy file says itself what its numbers are", "leave `dtype` out")
            } else {
                ("what numbers the file holds is not stated", "add `dtype`: int8, int16, float32 or float64")
            };
            let place = dtype.map_or(span, |dtype| dtype.span);
            self.problems.push(Diagnostic::error(message).at(place, "this").help(help));
            return None;
        }
        let stored = stored.map_or(wanted.columns, |stored| stored.value as usize);
        let shape = Shape { rows: wanted.rows, columns: wanted.columns, stored };
        match load(&path, shape, dtype.map(|dtype| dtype.value)) {
            Ok(Numbers::Codes(codes)) => {
                self.check_format(format.as_ref(), wanted)?;
                self.codes(&codes, wanted, span)
            }
            Ok(Numbers::Reals(reals)) => {
                if let Some(At { span, .. }) = format {
                    let problem = Diagnostic::error("`format` is for integers; real numbers have no number format");
                    self.problems.push(problem.at(span, "not needed").help("leave it out"));
                    return None;
                }
                self.quantize(&reals, &path, wanted, span)
            }
            Err(error) => {
                let message = format!("{}: {error}", wanted.what);
                self.problems.push(Diagnostic::error(message).at(span, "this file"));
                None
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

    fn codes(&mut self, codes: &[i64], wanted: &Wanted<'_>, span: Range<usize>) -> Option<Values> {
        let narrow: Result<Vec<i16>, usize> =
            codes.iter().enumerate().map(|(place, code)| i16::try_from(*code).map_err(|_| place)).collect();
        match narrow {
            Ok(codes) => Some(Values::PerNeuron(codes)),
            Err(place) => {
                let message =
                    format!("{}: {} is {}, which is no 16-bit code", wanted.what, element(place, wanted), codes[place]);
                self.problems.push(Diagnostic::error(message).at(span, "in this file"));
                None
            }
        }
    }

    fn quantize(&mut self, reals: &[f64], path: &Path, wanted: &Wanted<'_>, span: Range<usize>) -> Option<Values> {
        if let Some(place) = reals.iter().position(|real| !real.is_finite()) {
            let message = format!("{}: {} is {}", wanted.what, element(place, wanted), reals[place]);
            let problem = Diagnostic::error(message).at(span, "in this file");
            self.problems.push(problem.help("no code stands for it; train or export the network again"));
            return None;
        }
        let format = wanted.ty.format;
        let quantized: Vec<_> = reals.iter().filter_map(|real| format.quantize(*real)).collect();
        let conversion = Conversion {
            of: wanted.what.to_owned(),
            file: path.to_owned(),
            format,
            numbers: reals.len(),
            clipped: quantized.iter().filter(|number| number.saturated).count(),
            vanished: quantized.iter().zip(reals).filter(|(number, real)| number.code == 0 && **real != 0.0).count(),
            largest: reals.iter().fold(0.0, |largest, real| real.abs().max(largest)),
        };
        if conversion.clipped > 0 {
            let Conversion { clipped, numbers, largest, .. } = conversion;
            let message =
                format!("{}: {clipped} of {numbers} numbers are outside {format} and are clipped", wanted.what);
            let problem = Diagnostic::warning(message).at(span, format!("the largest is {largest}"));
            self.problems.push(problem.help("use a type with more integer bits"));
        }
        self.conversions.push(conversion);
        Some(Values::PerNeuron(quantized.into_iter().map(|number| number.code).collect()))
    }
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
