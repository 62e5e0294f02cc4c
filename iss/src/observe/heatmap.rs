//! A program's source, or its disassembly, beside what each line cost.
//!
//! Contract: a [`Heatmap`] has every line of every source that can be read and that any of the program's code came from,
//! also those that never ran; and every word of code whose source cannot be read, or that has none, as the disassembler
//! prints it. No code is in two lines, so that the lines add up to the profile's total.
//!
//! Not here: finding the sources' files, which whoever calls [`Heatmap::new`] does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use fenn_isa::Inst;
use fenn_isa::image::Image;
use fenn_isa::memory::Space;

use super::cost::Cost;
use super::page;
use super::profile::{Labels, Profiler, percent};

/// Cells of the bar in the text.
const BAR: u64 = 10;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its number, or the address of its word; empty for a label.
    pub place: String,
    /// What it says.
    pub text: String,
    /// How often it was executed: as often as the instruction of it that was executed most.
    pub executions: u64,
    /// What all of its code cost.
    pub cost: Cost,
    /// Whether code came from it.
    pub has_code: bool,
}

/// One source, or code that has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Its name.
    pub name: String,
    /// Its lines, in order.
    pub rows: Vec<Row>,
}

/// All of a program's code.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// Sources in the order of their names, code without one last.
    pub listings: Vec<Listing>,
    report: super::profile::Report,
}

impl Heatmap {
    /// The lines of `image`, the program that `profiler` watched. `source` gives the text of the source with that name, or
    /// `None` where it cannot be read; it is asked once for each.
    pub fn new(profiler: &Profiler, image: &Image, mut source: impl FnMut(&str) -> Option<String>) -> Self {
        let mut sources: BTreeMap<Arc<str>, Option<Listing>> = BTreeMap::new();
        let mut rest = Vec::new();
        let labels = Labels::new(image);
        for segment in image.segments.iter().filter(|segment| segment.space == Space::Instruction) {
            for pc in (segment.address..).step_by(4).take(segment.size.div_ceil(4) as usize) {
                let cost = profiler.at(pc);
                let row = image.line_of(pc).and_then(|line| {
                    let listing = sources.entry(Arc::clone(&line.file)).or_insert_with(|| {
                        source(&line.file).map(|text| Listing { name: line.file.to_string(), rows: rows_of(&text) })
                    });
                    listing.as_mut()?.rows.get_mut(line.line as usize - 1)
                });
                if let Some(row) = row {
                    row.executions = row.executions.max(cost.instructions);
                    row.cost.add(&cost);
                    row.has_code = true;
                    continue;
                }
                if let Some(symbol) = labels.at(pc) {
                    rest.push(Row { text: format!("{}:", symbol.name), ..empty() });
                }
                let text = word_at(segment.address, &segment.bytes, pc);
                let executions = cost.instructions;
                rest.push(Row { place: format!("{pc:08x}"), text, executions, cost, has_code: true });
            }
        }
        let mut listings: Vec<Listing> = sources.into_values().flatten().collect();
        if !rest.is_empty() {
            let name = if listings.is_empty() { "disassembly" } else { "disassembly of the rest" };
            listings.push(Listing { name: name.to_owned(), rows: rest });
        }
        Self { listings, report: profiler.report(image) }
    }

    /// The lines, for a terminal: executions, cycles, lost cycles, a bar of the cycles' share, place and text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let most = self.most();
        for Listing { name, rows } in &self.listings {
            // Writing to a string cannot fail.
            let _ =
                writeln!(text, "{name}\n{:>11} {:>12} {:>10} {:>6} {:10}", "executions", "cycles", "stalls", "%", "");
            for Row { place, text: line, executions, cost, has_code } in rows {
                let figures = if *has_code {
                    let bar = "#".repeat((BAR * cost.cycles).div_ceil(most) as usize);
                    let share = percent(cost.cycles, self.report.total.cycles);
                    format!("{executions:>11} {:>12} {:>10} {share:>6.2} {bar:10}", cost.cycles, cost.stalls.total())
                } else {
                    String::new()
                };
                let _ = writeln!(text, "{}", format!("{figures:53} {place:>8} | {line}").trim_end());
            }
        }
        text
    }

    /// The lines as a page that needs nothing else, with the profile above them; `title` is the program's name.
    pub fn html(&self, title: &str) -> String {
        page::html(title, &self.report, Some(self))
    }

    /// Cycles of the line that has most; not 0.
    pub(super) fn most(&self) -> u64 {
        self.listings.iter().flat_map(|listing| &listing.rows).map(|row| row.cost.cycles).max().unwrap_or(0).max(1)
    }
}

fn empty() -> Row {
    Row { place: String::new(), text: String::new(), executions: 0, cost: Cost::default(), has_code: false }
}

fn rows_of(source: &str) -> Vec<Row> {
    (1..)
        .zip(source.lines())
        .map(|(number, text)| Row { place: number.to_string(), text: text.to_owned(), ..empty() })
        .collect()
}

/// The word at `pc` of a segment, as text; what the segment does not give is zero.
fn word_at(address: u32, bytes: &[u8], pc: u32) -> String {
    let at = (pc - address) as usize;
    let word = (0..4).rev().fold(0u32, |word, i| word << 8 | u32::from(bytes.get(at + i).copied().unwrap_or(0)));
    Inst::decode(word).map_or_else(|| format!(".word {word:#010x}"), |inst| inst.to_string())
}
