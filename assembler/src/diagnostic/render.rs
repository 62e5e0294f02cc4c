//! Diagnostics drawn under the lines they are about, with `ariadne`.

use std::fmt;
use std::ops::Range;

use ariadne::{Cache, Color, Config, IndexType, Label, Report, ReportKind};

use super::Diagnostic;
use crate::source::{Source, Span};

/// The sources, as the drawing crate wants them; lines are found once per source.
struct Sources<'a> {
    texts: Vec<(&'a str, ariadne::Source<&'a str>)>,
}

impl<'s> Cache<usize> for Sources<'s> {
    type Storage = &'s str;

    fn fetch(&mut self, id: &usize) -> Result<&ariadne::Source<Self::Storage>, impl fmt::Debug> {
        self.texts.get(*id).map(|(_, source)| source).ok_or("no such source")
    }

    fn display<'a>(&self, id: &'a usize) -> Option<impl fmt::Display + 'a> {
        self.texts.get(*id).map(|(name, _)| (*name).to_owned())
    }
}

/// The diagnostics as text, each with its lines of source and a caret; `color` for a terminal.
///
/// The sources are those that were assembled.
pub fn render(diagnostics: &[Diagnostic], sources: &[Source], color: bool) -> String {
    let mut cache =
        Sources { texts: sources.iter().map(|s| (s.name.as_str(), ariadne::Source::from(s.text.as_str()))).collect() };
    let mut out = Vec::new();
    for diagnostic in diagnostics {
        draw(diagnostic, &mut cache, color, &mut out);
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn draw(diagnostic: &Diagnostic, cache: &mut Sources<'_>, color: bool, out: &mut Vec<u8>) {
    let problem = &diagnostic.problem;
    let Some(span) = diagnostic.span else {
        let help = problem.help().map_or_else(String::new, |help| format!("  Help: {help}\n"));
        out.extend(format!("Error: {problem}\n{help}").bytes());
        return;
    };
    let place =
        |span: Span| -> (usize, Range<usize>) { (span.source as usize, span.start as usize..span.end as usize) };
    let config = Config::default().with_color(color).with_index_type(IndexType::Byte);
    let mut report = Report::build(ReportKind::Error, place(span)).with_config(config).with_message(problem);
    let mut labels = vec![(span, "here", Color::Red)];
    if let Some((other, what)) = problem.elsewhere() {
        labels.push((other, what, Color::Blue));
    }
    // Labels of one source are drawn together only in the order of its lines.
    labels.sort_by_key(|(label, ..)| (label.source != span.source, *label));
    for (label, what, color) in labels {
        report = report.with_label(Label::new(place(label)).with_message(what).with_color(color));
    }
    if let Some(help) = problem.help() {
        report = report.with_help(help);
    }
    // Writing into memory does not fail, and the spans' sources are in the cache.
    if report.finish().write(cache, &mut *out).is_err() {
        out.extend(format!("Error: {problem}\n").bytes());
    }
}
