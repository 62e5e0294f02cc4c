//! Messages drawn under the lines they are about, with `ariadne`.
//!
//! Contract: what is drawn of one message is bounded. Of lines longer than [`LONGEST`] only the part around the place is
//! shown: there may be as many mistakes in such a line as it has bytes, and nobody reads it that often.

use std::fmt;
use std::ops::Range;

use ariadne::{Cache, Color, Config, IndexType, Label, Report, ReportKind};

use super::{Diagnostic, Level, Message};
use crate::lines::Lines;
use crate::source::{Source, Span};

/// The longest line, in bytes, that is drawn whole.
const LONGEST: usize = 1000;
/// The most lines of one source that a drawing reaches over: to look for labels in each of them takes long.
const REACH: usize = 200;
/// How many characters of a longer one are shown before the place, and how many from there on.
const SHOWN: [usize; 2] = [30, 60];

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
        let mut steps = message.steps(sources, &mut lines);
        let elsewhere = message.elsewhere.map(|(span, _)| span);
        let mut ends = message.span.into_iter().chain(elsewhere).flat_map(|span| {
            // The place may begin at the end of one line and end in another.
            [span.start, span.end].map(|end| (span.source, end))
        });
        match message.span {
            Some(span) if ends.any(|(source, end)| lines.around(source, end).len() > LONGEST) => {
                excerpt(message, span, steps, sources, &mut lines, &mut out);
            }
            _ => draw(&near(message, &mut steps, sources, &mut lines), steps, &mut cache, color, &mut out),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The word a message begins with, and its text.
fn head(message: &Message) -> (&'static str, String) {
    // A warning's name is what switches it off; an error cannot be.
    match message.level {
        Level::Error => ("Error", message.text.clone()),
        Level::Warning => ("Warning", format!("{} [{}]", message.text, message.code)),
    }
}

/// The message without places far from its own: the other place becomes a step, and a place of many lines its first.
///
/// A place in another source is far: `ariadne` 0.6 takes its offset in characters for one in bytes, and so shows a wrong
/// line or panics.
fn near(message: &Message, steps: &mut Vec<String>, sources: &[Source], lines: &mut Lines<'_>) -> Message {
    let mut near = message.clone();
    let mut line = |source, offset| lines.position(source, offset);
    if let Some(span) = &mut near.span {
        let (first, last) = (line(span.source, span.start).line, line(span.source, span.end).line);
        if last - first > REACH {
            span.end = span.start;
        }
        if let Some((other, what)) = near.elsewhere {
            let position = line(other.source, other.start);
            if other.source != span.source || position.line.abs_diff(first) > REACH {
                let name = sources.get(other.source as usize).map_or("", |source| &source.name);
                steps.insert(0, format!("{what}: {name}:{}:{}", position.line, position.column));
                near.elsewhere = None;
            }
        }
    }
    near
}

/// A message about a long line: the place, and some of the line around it.
fn excerpt(
    message: &Message,
    span: Span,
    steps: Vec<String>,
    sources: &[Source],
    lines: &mut Lines<'_>,
    out: &mut Vec<u8>,
) {
    let (word, text) = head(message);
    let mut place = |span: Span| {
        let position = lines.position(span.source, span.start);
        let name = sources.get(span.source as usize).map_or("", |source| &source.name);
        format!("{name}:{}:{}", position.line, position.column)
    };
    let mut drawn = format!("{word}: {text}\n   ╭─[ {} ]\n", place(span));
    let elsewhere = message.elsewhere.map(|(other, what)| format!("{what}: {}", place(other)));
    let line = lines.around(span.source, span.start);
    let source = sources.get(span.source as usize).map_or("", |source| &source.text);
    let (before, behind) = source
        .get(line.start..span.start as usize)
        .zip(source.get(span.start as usize..line.end.max(span.start as usize)))
        .unwrap_or_default();
    let skipped = before.chars().count().saturating_sub(SHOWN[0]);
    let shown = |text: &str, from: usize, most: usize| -> String {
        text.chars().skip(from).take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
    };
    let (before, after) = (shown(before, skipped, SHOWN[0]), shown(behind, 0, SHOWN[1]));
    let marked = span.text(sources).chars().count().clamp(1, after.chars().count().max(1));
    let (left, right) = (if skipped > 0 { "… " } else { "" }, if behind.len() > after.len() { " …" } else { "" });
    let indent = " ".repeat(left.chars().count() + before.chars().count());
    drawn += &format!("   │ {left}{before}{after}{right}\n   │ {indent}{} here\n", "^".repeat(marked));
    for note in elsewhere.into_iter().chain(steps.into_iter().map(|step| format!("Note: {step}"))) {
        drawn += &format!("   │ {note}\n");
    }
    if let Some(help) = &message.help {
        drawn += &format!("   │ Help: {help}\n");
    }
    out.extend(drawn.bytes().chain(*b"\n"));
}

fn draw(message: &Message, steps: Vec<String>, cache: &mut Drawn<'_>, color: bool, out: &mut Vec<u8>) {
    let (kind, first) = match message.level {
        Level::Error => (ReportKind::Error, Color::Red),
        Level::Warning => (ReportKind::Warning, Color::Yellow),
    };
    let (word, text) = head(message);
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
    labels.sort_by_key(|(label, ..)| *label);
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
