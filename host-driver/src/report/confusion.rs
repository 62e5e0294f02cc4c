//! The confusion matrix: a square per pair of label and class, darker the larger its share of the label's samples.

use maud::{Markup, html};

use super::svg::{at, grouped, picture_of};
use crate::evaluate::Score;

/// More classes than this make squares too small to see.
const MOST: u32 = 120;
/// Room for labels at the left.
const SIDE: f64 = 70.0;
/// Room for classes at the top.
const TOP: f64 = 46.0;
/// Room for recall at the right.
const RECALL: f64 = 80.0;

/// The figure.
pub(super) fn figure(score: &Score) -> Markup {
    let classes = score.classes;
    if classes > MOST {
        return html! { p { "The matrix of " (classes) " classes is too large to be drawn; `fenn-run --json` prints it." } };
    }
    let size = (520.0 / f64::from(classes)).clamp(7.0, 58.0);
    let side = size * f64::from(classes);
    let matrix = Matrix { score, size, numbered: size >= 24.0, every: (18.0 / size).ceil() as u32 };
    let body = html! {
        text.soft x=(at(SIDE + side / 2.0)) y="14" text-anchor="middle" { "class given" }
        text.soft transform=(format!("translate(14 {}) rotate(-90)", at(TOP + side / 2.0))) text-anchor="middle" { "label" }
        text.soft x=(at(SIDE + side + 12.0)) y=(at(TOP - 8.0)) { "recall" }
        @for label in 0..classes { (matrix.row(label)) }
    };
    let description = format!(
        "{} of {} samples are on the diagonal, where the class is the label.",
        grouped(score.correct as u64),
        grouped(score.samples as u64)
    );
    let caption = html! {
        "A row for each label, a column for each class given; the shade is the share of the row. Recall is the share of a "
        "label's samples that were given it."
    };
    picture_of(SIDE + side + RECALL, TOP + side + 8.0, "Confusion matrix", &description, body, caption)
}

struct Matrix<'a> {
    score: &'a Score,
    /// Of a square.
    size: f64,
    /// Whether there is room for numbers in the squares.
    numbered: bool,
    /// Every how many classes there is room for a number at the side.
    every: u32,
}

impl Matrix<'_> {
    fn row(&self, label: u32) -> Markup {
        let row = self.score.row(label);
        let samples: usize = row.iter().sum();
        let middle = TOP + (f64::from(label) + 0.5) * self.size;
        let along = SIDE + (f64::from(label) + 0.5) * self.size;
        let recall = match samples {
            0 => "–".to_owned(),
            samples => format!("{:.1} %", 100.0 * row[label as usize] as f64 / samples as f64),
        };
        html! {
            @for (class, count) in (0..).zip(&row) { (self.cell(label, class, *count, samples)) }
            @if label.is_multiple_of(self.every) {
                text x=(at(SIDE - 8.0)) y=(at(middle + 4.0)) text-anchor="end" { (label) }
                text x=(at(along)) y=(at(TOP - 8.0)) text-anchor="middle" { (label) }
                text.soft x=(at(SIDE + self.size * f64::from(self.score.classes) + 12.0)) y=(at(middle + 4.0)) { (recall) }
            }
        }
    }

    fn cell(&self, label: u32, class: u32, count: usize, samples: usize) -> Markup {
        let share = count as f64 / samples.max(1) as f64;
        // A few errors must be seen beside hundreds of hits.
        let shade = if label == class { share } else { share.sqrt() };
        let (x, y) = (SIDE + f64::from(class) * self.size, TOP + f64::from(label) * self.size);
        let fill = if label == class { "cell" } else { "cell wrong" };
        let ink = match (shade > 0.55, label == class) {
            (false, _) => "",
            (true, true) => "on",
            (true, false) => "on-wrong",
        };
        html! {
            rect class=(fill) x=(at(x)) y=(at(y)) width=(at(self.size)) height=(at(self.size)) fill-opacity=(format!("{shade:.3}")) {
                title { "label " (label) ", class " (class) ": " (count) " of " (samples) }
            }
            @if self.numbered && count > 0 {
                text class=(ink) x=(at(x + self.size / 2.0)) y=(at(y + self.size / 2.0 + 4.0)) text-anchor="middle" { (count) }
            }
        }
    }
}
