//! What is wrong with a text the user wrote, where, and what to do about it.
//!
//! Contract: front ends collect every [`Diagnostic`] of a text and return them; [`render`] draws them over the text.
//! Spans are byte ranges of that text; [`render`] accepts any, also out of range or inside a character.
//!
//! Not here: printing (binaries do that), and problems of files that are not text, whose errors are enums.

use std::fmt;
use std::ops::Range;

use ariadne::{CharSet, Color, Config, IndexType, Report, ReportKind};

/// A text with the name under which diagnostics show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// A file name, or where in a file the text came from.
    pub name: &'a str,
    /// All of it.
    pub text: &'a str,
}

/// Whether a text is refused or only doubted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The text has no meaning as it stands.
    Error,
    /// It has one, but perhaps not the one intended.
    Warning,
}

/// A remark on a part of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// What is to be seen there; short.
    pub message: String,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a sentence without a full stop.
    pub message: String,
    /// Where: the first is the place itself, others explain it. Empty when the problem is not in the text.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem because of which the text is refused.
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), labels: Vec::new(), help: None }
    }

    /// A problem that does not stop anything.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Adds a place; the first one added is where the problem is.
    #[must_use]
    pub fn at(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: label.into() });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Where the problem is, if it is in the text.
    pub fn span(&self) -> Option<&Range<usize>> {
        self.labels.first().map(|label| &label.span)
    }
}

/// `error: message`, in one line and without the place.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.message)
    }
}

/// Sorts by place, problems outside the text first; problems of one place keep their order.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by_key(|diagnostic| diagnostic.span().map(|span| (span.start, span.end)));
}

/// Draws each diagnostic over the lines of `source` it is about, one after the other, each ending in a newline.
pub fn render(diagnostics: &[Diagnostic], source: &Source<'_>, color: bool) -> String {
    let mut out = Vec::new();
    let mut cache = (source.name, ariadne::Source::from(source.text));
    for diagnostic in diagnostics {
        if diagnostic.labels.is_empty() {
            out.extend_from_slice(without_place(diagnostic, source.name).as_bytes());
            continue;
        }
        // Writing into memory cannot fail, and the one source is in the cache.
        let _ = report(diagnostic, source, color).write(&mut cache, &mut out);
    }
    let drawn = String::from_utf8_lossy(&out);
    drawn.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

fn without_place(diagnostic: &Diagnostic, name: &str) -> String {
    let help = diagnostic.help.as_ref().map(|help| format!("  Help: {help}\n")).unwrap_or_default();
    let severity = match diagnostic.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
    };
    format!("{severity}: {name}: {}\n{help}", diagnostic.message)
}

fn report<'a>(diagnostic: &'a Diagnostic, source: &Source<'a>, color: bool) -> Report<'a, (&'a str, Range<usize>)> {
    let (kind, tint) = match diagnostic.severity {
        Severity::Error => (ReportKind::Error, Color::Red),
        Severity::Warning => (ReportKind::Warning, Color::Yellow),
    };
    let place = |span: &Range<usize>| (source.name, snap(span, source.text));
    let start = diagnostic.span().cloned().unwrap_or(0..0);
    let config = Config::default().with_color(color).with_index_type(IndexType::Byte).with_char_set(CharSet::Unicode);
    let mut report = Report::build(kind, place(&start)).with_config(config).with_message(&diagnostic.message);
    for (index, label) in diagnostic.labels.iter().enumerate() {
        let tint = if index == 0 { tint } else { Color::Blue };
        report.add_label(ariadne::Label::new(place(&label.span)).with_message(&label.message).with_color(tint));
    }
    if let Some(help) = &diagnostic.help {
        report.set_help(help);
    }
    report.finish()
}

/// The span moved into the text and outwards to whole characters.
fn snap(span: &Range<usize>, text: &str) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// The candidate that `name` was probably meant to be: the one with the fewest letters to insert, delete or replace, if
/// that is at most one in three of its letters; case counts half a letter. Ties go to the first.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2 * (candidate.chars().count().div_ceil(3)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance in half letters: a wrong case costs 1, everything else 2.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).map(|j| 2 * j).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = 2 * (i + 1);
        for (j, y) in b.iter().enumerate() {
            let replace = match (x == *y, x.eq_ignore_ascii_case(y)) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => 2,
            };
            let best = (diagonal + replace).min(row[j] + 2).min(row[j + 1] + 2);
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["VThresh", "V", "VAvg", "RefracTime"];
        assert_eq!(nearest("Vthresh", names), Some("VThresh"));
        assert_eq!(nearest("RefacTime", names), Some("RefracTime"));
        assert_eq!(nearest("v", names), Some("V"));
        assert_eq!(nearest("Bias", names), None);
    }

    #[test]
    fn places_and_help_are_drawn() {
        let source = Source { name: "lif.eq", text: "V = 0;\n" };
        let problem = Diagnostic::error("wrong format").at(4..5, "an integer").help("write `0.0h10`");
        let text = render(&[problem], &source, false);
        assert!(text.contains("Error: wrong format") && text.contains("lif.eq:1:5"), "{text}");
        assert!(text.contains("an integer") && text.contains("Help: write `0.0h10`"), "{text}");
        assert!(!text.contains('\u{1b}'), "no colour was asked for: {text:?}");
        let elsewhere = render(&[Diagnostic::warning("odd").help("look")], &source, false);
        assert_eq!(elsewhere, "Warning: lif.eq: odd\n  Help: look\n");
    }

    proptest! {
        #[test]
        fn any_span_of_any_text_can_be_drawn(text in ".{0,40}(\n.{0,9}){0,3}", a in 0usize..80, b in 0usize..80) {
            let source = Source { name: "x", text: &text };
            let drawn = render(&[Diagnostic::error("m").at(a..b, "l").at(b..a, "k")], &source, false);
            prop_assert!(drawn.contains("Error: m"));
        }

        #[test]
        fn the_distance_is_a_metric(a in "[aAb]{0,6}", b in "[aAb]{0,6}", c in "[aAb]{0,6}") {
            prop_assert_eq!(edit_distance(&a, &b) == 0, a == b);
            prop_assert_eq!(edit_distance(&a, &b), edit_distance(&b, &a));
            prop_assert!(edit_distance(&a, &c) <= edit_distance(&a, &b) + edit_distance(&b, &c));
        }
    }
}
