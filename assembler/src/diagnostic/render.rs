//! Messages drawn under the lines they are about, with `ariadne`.

use std::fmt;
use std::ops::Range;

use ariadne::{Cache, Color, Config, IndexType, Label, Report, ReportKind};

use super::{Diagnostic, Level, Message};
use crate::lines::Lines;
use crate::source::{Source, Span};

/// The sources, as the drawing crate wants them; each is read when it is first drawn.
struct Drawn<'a> {
    sources: &'a [Source],
    read: Vec<Option<ariadne::Source<&'a str>>>,
}

impl<'s> Cache<usize> for Drawn<'s> {
    type Storage = &'s str;

    fn fetch(&mut self, id: &usize) -> Result<&ariadne::Source<Self::Storage>, impl fmt::Debug> {
        let source = self.sources.get(*id).zip(self.read.get_mut(*id)).ok_or("no such source");
        source.map(|(source, read)| &*read.get_or_insert_with(|| ariadne::Source::from(source.text.as_str())))
    }

    fn display<'a>(&self, id: &'a usize) -> Option<impl fmt::Display + 'a> {
        self.sources.get(*id).map(|source| source.name.clone())
    }
}

/// The diagnostics as text, each with its lines of source and a caret; `color` for a terminal.
///
/// The sources are those that were assembled.
pub fn render(diagnostics: &[Diagnostic], sources: &[Source], color: bool) -> String {
    render_messages(&diagnostics.iter().map(Message::from).collect::<Vec<_>>(), sources, color)
}

/// As [`render`], for errors and warnings.
pub fn render_messages(messages: &[Message], sources: &[Source], color: bool) -> String {
    let mut cache = Drawn { sources, read: sources.iter().map(|_| None).collect() };
    let mut lines = Lines::new(sources);
    let mut out = Vec::new();
    for message in messages {
        let steps = message.steps(sources, &mut lines);
        draw(message, steps, &mut cache, color, &mut out);
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn draw(message: &Message, steps: Vec<String>, cache: &mut Drawn<'_>, color: bool, out: &mut Vec<u8>) {
    let (kind, word, first) = match message.level {
        Level::Error => (ReportKind::Error, "Error", Color::Red),
        Level::Warning => (ReportKind::Warning, "Warning", Color::Yellow),
    };
    // A warning's name is what switches it off; an error cannot be.
    let text = match message.level {
        Level::Error => message.text.clone(),
        Level::Warning => format!("{} [{}]", message.text, message.code),
    };
    let Some(span) = message.span else {
        let help = message.help.as_ref().map_or_else(String::new, |help| format!("  Help: {help}\n"));
        out.extend(format!("{word}: {text}\n{help}").bytes());
        return;
    };
    let place =
        |span: Span| -> (usize, Range<usize>) { (span.source as usize, span.start as usize..span.end as usize) };
    let config = Config::default().with_color(color).with_index_type(IndexType::Byte);
    let mut report = Report::build(kind, place(span)).with_config(config).with_message(&text);
    let mut labels = vec![(span, "here", first)];
    if let Some((other, what)) = message.elsewhere {
        labels.push((other, what, Color::Blue));
    }
    // Labels of one source are drawn together only in the order of its lines.
    labels.sort_by_key(|(label, ..)| (label.source != span.source, *label));
    for (label, what, color) in labels {
        report = report.with_label(Label::new(place(label)).with_message(what).with_color(color));
    }
    for step in steps {
        report = report.with_note(step);
    }
    if let Some(help) = &message.help {
        report = report.with_help(help);
    }
    // Writing into memory does not fail, and the spans' sources are in the cache.
    if report.finish().write(cache, &mut *out).is_err() {
        out.extend(format!("{word}: {text}\n").bytes());
    }
}
