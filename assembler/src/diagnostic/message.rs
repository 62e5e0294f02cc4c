//! What a person or a program is told, whether it is an error or a remark of a lint.

use serde_json::{Value, json};

use super::Diagnostic;
use crate::lines::Lines;
use crate::lint::Warning;
use crate::source::{Source, Span, trace};

/// The most steps of an expansion that are told, so that a macro that calls itself does not fill the screen.
const MOST_STEPS: usize = 8;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// There is no program.
    Error,
    /// There is one, and it may not do what was meant.
    Warning,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// How bad it is.
    pub level: Level,
    /// What it is, in a form that does not change with the wording: a problem's or a lint's name, such as
    /// `unknown-symbol`.
    pub code: String,
    /// The sentence.
    pub text: String,
    /// Where; `None` where it is about no line.
    pub span: Option<Span>,
    /// Another place that has to do with it, and what is there.
    pub elsewhere: Option<(Span, &'static str)>,
    /// What to do about it, where that is clear.
    pub help: Option<String>,
}

impl From<&Diagnostic> for Message {
    fn from(diagnostic: &Diagnostic) -> Self {
        let Diagnostic { problem, span } = diagnostic;
        Self {
            level: Level::Error,
            code: problem.code().to_owned(),
            text: problem.to_string(),
            span: *span,
            elsewhere: problem.elsewhere(),
            help: problem.help(),
        }
    }
}

impl From<&Warning> for Message {
    fn from(warning: &Warning) -> Self {
        let Warning { lint, text, span, help } = warning;
        Self {
            level: Level::Warning,
            code: lint.name().to_owned(),
            text: text.clone(),
            span: Some(*span),
            elsewhere: None,
            help: help.clone(),
        }
    }
}

impl Message {
    /// How its place was reached, as half sentences: expansions and inclusions, the innermost first.
    pub(super) fn steps(&self, sources: &[Source], lines: &mut Lines<'_>) -> Vec<String> {
        let steps = self.span.map(|span| trace(span, sources)).unwrap_or_default();
        let mut told: Vec<String> = steps
            .iter()
            .take(MOST_STEPS)
            .map(|step| {
                let position = lines.position(step.at.source, step.at.start);
                let name = sources.get(step.at.source as usize).map_or("", |source| &source.name);
                format!("{} at {name}:{}:{}", step.what, position.line, position.column)
            })
            .collect();
        if steps.len() > MOST_STEPS {
            told.push(format!("… and {} steps more", steps.len() - MOST_STEPS));
        }
        told
    }
}

/// The messages as JSON objects, in their order: `level`, `code`, `message`, `help` (or null), `trace` (a list of half
/// sentences) and, where there is a place, `file`, `start` and `end` (each `line` and `column` from 1, in characters, and
/// `byte` from 0), and `elsewhere` (the same with a `message`).
pub fn json(messages: &[Message], sources: &[Source]) -> Vec<Value> {
    let mut lines = Lines::new(sources);
    let mut place = |span: Span| {
        let mut end = |byte| {
            let position = lines.position(span.source, byte);
            json!({ "line": position.line, "column": position.column, "byte": byte })
        };
        let name = sources.get(span.source as usize).map(|source| &source.name);
        json!({ "file": name, "start": end(span.start), "end": end(span.end) })
    };
    let mut values: Vec<Value> = Vec::new();
    for message in messages {
        let level = match message.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let mut value = json!({
            "level": level, "code": message.code, "message": message.text, "help": message.help,
        });
        if let (Some(object), Some(Value::Object(at))) = (value.as_object_mut(), message.span.map(&mut place)) {
            object.extend(at);
        }
        if let Some((span, what)) = message.elsewhere {
            value["elsewhere"] = place(span);
            value["elsewhere"]["message"] = what.into();
        }
        values.push(value);
    }
    for (value, message) in values.iter_mut().zip(messages) {
        value["trace"] = message.steps(sources, &mut lines).into();
    }
    values
}
