//! Typed access to the tables of a TOML file, with a diagnostic for everything that is not as expected.
//!
//! Contract: a getter that returns `None` for a key that is there has reported why. [`Fields::finish`] reports the keys
//! that are missing and those that nobody asked for; it must be called last, in any case.

use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, nearest};

/// A value with its place.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// Something read, with its place in the TOML text.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// The keys of one table.
pub(super) struct Fields<'a, 't> {
    table: &'a DeTable<'t>,
    /// Where problems of the table as a whole are shown.
    span: Range<usize>,
    /// What the table describes, for messages: "population `hidden`".
    what: String,
    asked: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl<'a, 't> Fields<'a, 't> {
    pub(super) fn new(table: &'a DeTable<'t>, span: Range<usize>, what: impl Into<String>) -> Self {
        Self { table, span, what: what.into(), asked: Vec::new(), missing: Vec::new() }
    }

    /// The entries of `value`, which is to be a table.
    pub(super) fn of(value: &'a Value<'t>, what: impl Into<String>, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let what = what.into();
        match value.get_ref() {
            DeValue::Table(table) => Some(Self::new(table, value.span(), what)),
            other => {
                problems.push(wrong_type(&what, "a table", other, value.span()));
                None
            }
        }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// Whatever `key` holds.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'a Value<'t>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.table.get(key)
    }

    /// As [`Fields::get`], but its absence is reported in the end.
    pub(super) fn require(&mut self, key: &'static str) -> Option<&'a Value<'t>> {
        let value = self.get(key);
        if value.is_none() {
            self.missing.push(key);
        }
        value
    }

    pub(super) fn string(&mut self, key: &'static str, problems: &mut Vec<Diagnostic>) -> Option<At<&'a str>> {
        let value = self.get(key)?;
        string(value, &format!("`{key}`"), problems)
    }

    pub(super) fn integer(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<At<i64>> {
        let value = self.get(key)?;
        integer(value, &format!("`{key}`"), range, problems)
    }

    pub(super) fn boolean(&mut self, key: &'static str, problems: &mut Vec<Diagnostic>) -> Option<At<bool>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(is) => Some(At { value: *is, span: value.span() }),
            other => {
                problems.push(wrong_type(&format!("`{key}`"), "true or false", other, value.span()));
                None
            }
        }
    }

    pub(super) fn real(&mut self, key: &'static str, problems: &mut Vec<Diagnostic>) -> Option<At<f64>> {
        let value = self.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().parse().ok(),
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => None,
        };
        match number.filter(|number: &f64| number.is_finite()) {
            Some(value_read) => Some(At { value: value_read, span: value.span() }),
            None => {
                let what = format!("`{key}`");
                problems.push(wrong_type(&what, "a finite decimal number", value.get_ref(), value.span()));
                None
            }
        }
    }

    /// A word out of a list, as its index; `None` if it is absent or wrong.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
        problems: &mut Vec<Diagnostic>,
    ) -> Option<At<T>> {
        let At { value: word, span } = self.string(key, problems)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == word) {
            return Some(At { value: *value, span });
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let message = format!("`{key}` cannot be `{word}`");
        let help = did_you_mean(word, names.iter().copied(), &format!("it is one of {}", list(&names)));
        problems.push(Diagnostic::error(message).at(span, "this word").help(help));
        None
    }

    /// The tables of an array of tables, `[[key]]`; none if absent.
    pub(super) fn tables(&mut self, key: &'static str, problems: &mut Vec<Diagnostic>) -> Vec<&'a Value<'t>> {
        match self.get(key) {
            None => Vec::new(),
            Some(value) => match value.get_ref() {
                DeValue::Array(array) => array.iter().collect(),
                DeValue::Table(_) => {
                    let message = format!("`{key}` is one table, but there may be several");
                    let help = format!("write [[{key}]] with double brackets");
                    problems.push(Diagnostic::error(message).at(value.span(), "this table").help(help));
                    Vec::new()
                }
                other => {
                    problems.push(wrong_type(&format!("`{key}`"), "a list of tables", other, value.span()));
                    Vec::new()
                }
            },
        }
    }

    /// All entries in the order of the file, for tables whose keys are names.
    pub(super) fn entries(&self) -> Vec<(At<&'a str>, &'a Value<'t>)> {
        let entry = |(key, value): (&'a Spanned<_>, &'a Value<'t>)| {
            let name: &'a std::borrow::Cow<'t, str> = key.get_ref();
            (At { value: name.as_ref(), span: key.span() }, value)
        };
        let mut entries: Vec<_> = self.table.iter().map(entry).collect();
        entries.sort_by_key(|(key, _)| key.span.start);
        entries
    }

    /// Reports what is missing; of tables whose keys are unknown until a wrong one is corrected.
    pub(super) fn finish_unknown(self, problems: &mut Vec<Diagnostic>) {
        for key in &self.missing {
            let message = format!("{} has no `{key}`", self.what);
            problems.push(Diagnostic::error(message).at(self.span(), format!("`{key}` is missing here")));
        }
    }

    /// Reports every key that was not asked for, and every one that is missing, unless the former is probably the latter.
    pub(super) fn finish(mut self, problems: &mut Vec<Diagnostic>) {
        for (key, _) in self.entries() {
            if self.asked.contains(&key.value) {
                continue;
            }
            let meant = nearest(key.value, self.missing.iter().copied());
            self.missing.retain(|missing| Some(*missing) != meant);
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => {
                    let all = format!("its keys are {}", list(&self.asked));
                    did_you_mean(key.value, self.asked.iter().copied(), &all)
                }
            };
            let message = format!("{} has no key `{}`", self.what, key.value);
            problems.push(Diagnostic::error(message).at(key.span, "unknown key").help(help));
        }
        for key in &self.missing {
            let message = format!("{} has no `{key}`", self.what);
            problems.push(Diagnostic::error(message).at(self.span(), format!("`{key}` is missing here")));
        }
    }
}

/// The string of a value.
pub(super) fn string<'a>(value: &'a Value<'_>, what: &str, problems: &mut Vec<Diagnostic>) -> Option<At<&'a str>> {
    match value.get_ref() {
        DeValue::String(text) => Some(At { value: text.as_ref(), span: value.span() }),
        other => {
            problems.push(wrong_type(what, "a string", other, value.span()));
            None
        }
    }
}

/// The integer of a value, if it is in `range`.
pub(super) fn integer(
    value: &Value<'_>,
    what: &str,
    range: RangeInclusive<i64>,
    problems: &mut Vec<Diagnostic>,
) -> Option<At<i64>> {
    let DeValue::Integer(integer) = value.get_ref() else {
        problems.push(wrong_type(what, "an integer", value.get_ref(), value.span()));
        return None;
    };
    match i64::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(number) if range.contains(&number) => Some(At { value: number, span: value.span() }),
        _ => {
            let message = format!("{what} must be from {} to {}", range.start(), range.end());
            problems.push(Diagnostic::error(message).at(value.span(), "out of range"));
            None
        }
    }
}

/// A value of another type than expected.
pub(super) fn wrong_type(what: &str, expected: &str, found: &DeValue<'_>, span: Range<usize>) -> Diagnostic {
    let found = found.type_str();
    let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
    Diagnostic::error(format!("{what} must be {expected}")).at(span, format!("this is {article} {found}"))
}

/// The likely candidate, or else `otherwise`.
pub(super) fn did_you_mean<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>, otherwise: &str) -> String {
    match nearest(name, candidates) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => otherwise.to_owned(),
    }
}

/// "`a`, `b` and `c`".
pub(super) fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
