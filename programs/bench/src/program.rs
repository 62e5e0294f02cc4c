//! What a program of this collection is: its name, how it is run, and what comes out.

use std::fmt;
use std::path::{Path, PathBuf};

use fenn_host::report::svg::{grouped, short};
use fenn_testbench::figure::{Figure, Gate};
use maud::{Markup, html};
use serde_json::{Value, json};

/// Why a program could not be run, for a person.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One of the field's benchmarks.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// What it is called on the command line, and its folder in `programs/`.
    pub name: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// In a sentence.
    pub about: &'static str,
    /// Whether it reads the reference data beside the checkout.
    pub needs_data: bool,
    /// Runs it.
    ///
    /// # Errors
    /// What keeps it from being measured at all; a figure that misses its gate is none.
    pub run: fn(&Options<'_>) -> Result<Outcome, Failure>,
}

/// How to run a program.
pub struct Options<'a> {
    /// Of everything random; each program has its own default.
    pub seed: Option<u64>,
    /// Threads of the host, at least 1.
    pub jobs: usize,
    /// At a size for tests: seconds, and no gates but those that hold at any size.
    pub small: bool,
    /// A folder for what is written besides the page: networks, programs, recordings.
    pub out: &'a Path,
    /// The reference data, `../shared/data` beside the checkout, where they are.
    pub data: Option<PathBuf>,
    /// Told what is being done, and how much of it is: from 0 to 1.
    pub progress: &'a (dyn Fn(&str, f64) + Sync),
}

impl Options<'_> {
    /// The path of a file among the reference data.
    ///
    /// # Errors
    /// Where it is missing, with what to do about it.
    pub fn data(&self, path: &str) -> Result<PathBuf, Failure> {
        let full = self.data.as_ref().map(|data| data.join(path)).filter(|full| full.exists());
        full.ok_or_else(|| format!("needs {path} of the reference data; say where they are with --data DIR").into())
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, jobs, small, out, data, progress: _ } = self;
        let mut fields = f.debug_struct("Options");
        fields.field("seed", seed).field("jobs", jobs).field("small", small).field("out", out).field("data", data);
        fields.finish_non_exhaustive()
    }
}

/// A figure that somebody published.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// In the unit of the figure it stands beside, as text: a number, or a range.
    pub value: String,
    /// Where it is from; "from memory" where it was not looked up again.
    pub source: &'static str,
}

/// A figure of ours, beside the published one.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Ours, with its gate.
    pub figure: Figure,
    /// Theirs.
    pub published: Option<Published>,
}

impl Line {
    /// A figure that nobody published.
    pub fn new(figure: Figure) -> Self {
        Self { figure, published: None }
    }

    /// With the published figure.
    pub fn beside(mut self, value: impl fmt::Display, source: &'static str) -> Self {
        self.published = Some(Published { value: value.to_string(), source });
        self
    }

    /// With a note.
    pub fn noted(mut self, note: impl Into<String>) -> Self {
        self.figure.note = note.into();
        self
    }
}

/// A part of the page.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// Figures and text.
    pub body: Markup,
}

impl Section {
    /// A part of the page.
    pub fn new(title: impl Into<String>, body: Markup) -> Self {
        Self { title: title.into(), body }
    }
}

/// What came out of a program.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The seed that was used, where anything was random.
    pub seed: Option<u64>,
    /// Figures.
    pub lines: Vec<Line>,
    /// The page below the table of figures.
    pub sections: Vec<Section>,
}

impl Outcome {
    /// Whether all gates are met.
    pub fn ok(&self) -> bool {
        self.lines.iter().all(|line| line.figure.ok())
    }

    /// For machines.
    pub fn json(&self, program: &Program) -> Value {
        let line = |Line { figure, published }: &Line| {
            json!({
                "figure": figure.name,
                "value": figure.value,
                "unit": figure.unit,
                "gate": figure.gate.to_string(),
                "ok": figure.ok(),
                "note": figure.note,
                "published": published.as_ref().map(|p| json!({ "value": p.value, "source": p.source })),
            })
        };
        let lines: Vec<Value> = self.lines.iter().map(line).collect();
        json!({ "program": program.name, "seed": self.seed, "ok": self.ok(), "figures": lines })
    }

    /// The page, which needs nothing else.
    pub fn page(&self, program: &Program) -> String {
        let about = html! {
            (program.about)
            @if let Some(seed) = self.seed { " Seed " (seed) "." }
        };
        let body = html! {
            section {
                h2 { "Figures" }
                figure { (self.table()) }
            }
            @for Section { title, body } in &self.sections {
                section {
                    h2 { (title) }
                    (body)
                }
            }
        };
        fenn_host::report::page("FeNN benchmark", program.title, &about, &body)
    }

    fn table(&self) -> Markup {
        html! {
            table {
                thead {
                    tr {
                        th.text { "figure" } th { "ours" } th.text { "gate" } th.text { "" } th { "published" }
                        th.text { "source, notes" }
                    }
                }
                tbody {
                    @for Line { figure, published } in &self.lines {
                        tr {
                            th scope="row" { (figure.name) }
                            td { (value(figure)) }
                            td.text { (figure.gate) }
                            td.text {
                                @if !figure.ok() { strong { "✗ missed" } } @else if figure.gate != Gate::None { "✓" }
                            }
                            td { @if let Some(published) = published { (published.value) } }
                            td.text {
                                @if let Some(published) = published { (published.source) }
                                @if published.is_some() && !figure.note.is_empty() { "; " }
                                (figure.note)
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The value in its unit; in full where it has to equal a number.
fn value(figure: &Figure) -> String {
    let number = match figure.value {
        None => "not measured".to_owned(),
        Some(value) if value >= 0.0 && value.fract() == 0.0 && value < 1e15 => grouped(value as u64),
        Some(value) if matches!(figure.gate, Gate::Exactly(_)) => value.to_string(),
        Some(value) => short(value),
    };
    if figure.unit.is_empty() { number } else { format!("{number} {}", figure.unit) }
}
