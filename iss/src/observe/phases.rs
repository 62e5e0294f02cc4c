//! What each phase of a program cost.
//!
//! Contract: a phase begins where an instruction retires that a mark is at, and ends where the next begins; a program can
//! enter a phase many times. What runs before the first mark is a phase without a name. The phases' costs add up to that of
//! all instructions that were watched.
//!
//! In a program, a symbol `phase.NAME` of its code marks the beginning of phase NAME:
//!
//! ```text
//! phase.update:   vloadv  v1, 0(a0)
//! ```

use fenn_isa::image::Image;
use fenn_isa::memory::Space;
use serde_json::{Value, json};

use super::Observer;
use super::cost::{Clock, Cost, stalls_text};
use crate::dma::Transfer;
use crate::state::State;
use crate::timing::Retired;
use crate::trap::{Access, Trap};

/// What symbols that mark phases begin with.
pub const PREFIX: &str = "phase.";

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// Its name; empty for what runs before the first mark.
    pub name: String,
    /// How often it began: retirements of the instructions that are marked with its name.
    pub entered: u64,
    /// What it cost.
    pub cost: Cost,
}

/// Reckons the cost of every phase.
#[derive(Debug, Clone)]
pub struct Phases {
    /// Addresses in order, and the phase that begins there.
    marks: Vec<(u32, usize)>,
    phases: Vec<Phase>,
    current: usize,
    clock: Clock,
}

impl Phases {
    /// Phases that begin at these addresses. Marks with one name are one phase; of two marks at an address the first counts.
    pub fn new<'a>(marks: impl IntoIterator<Item = (u32, &'a str)>) -> Self {
        let phase = |name: &str| Phase { name: name.to_owned(), entered: 0, cost: Cost::default() };
        let mut phases = vec![phase("")];
        let mut places = Vec::new();
        for (address, name) in marks {
            let index = phases.iter().skip(1).position(|phase| phase.name == name).map_or(phases.len(), |at| at + 1);
            if index == phases.len() {
                phases.push(phase(name));
            }
            places.push((address, index));
        }
        // The order of equal addresses stays.
        places.sort_by_key(|(address, _)| *address);
        places.dedup_by_key(|(address, _)| *address);
        Self { marks: places, phases, current: 0, clock: Clock::default() }
    }

    /// The phases that the program's symbols mark, in the order of their addresses; none if it marks none.
    pub fn of(image: &Image) -> Self {
        let code = image.symbols.iter().filter(|symbol| symbol.space == Space::Instruction);
        let mut marks: Vec<(u32, &str)> =
            code.filter_map(|symbol| Some((symbol.address, symbol.name.strip_prefix(PREFIX)?))).collect();
        marks.sort_unstable();
        Self::new(marks)
    }

    /// Whether there is a mark at all.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// All phases, the one before the first mark first, then in the order of the marks given.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// Those that ran, as a table.
    pub fn text(&self) -> String {
        let mut text =
            format!("{:<20} {:>10} {:>12} {:>12} {:>6}  stalls\n", "phase", "entered", "instructions", "cycles", "CPI");
        for Phase { name, entered, cost } in self.ran() {
            let name = if name.is_empty() { "(before)" } else { name };
            let line = format!(
                "{name:<20} {entered:>10} {:>12} {:>12} {:>6.3}  {}",
                cost.instructions,
                cost.cycles,
                cost.cpi(),
                stalls_text(&cost.stalls)
            );
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    /// Those that ran, as a list.
    pub fn json(&self) -> Value {
        let phase = |Phase { name, entered, cost }: &Phase| {
            let mut value = cost.json();
            value["name"] = json!(name);
            value["entered"] = json!(entered);
            value
        };
        self.ran().map(phase).collect()
    }

    fn ran(&self) -> impl Iterator<Item = &Phase> {
        self.phases.iter().filter(|phase| phase.entered > 0 || phase.cost != Cost::default())
    }
}

impl Observer for Phases {
    fn retire(&mut self, retired: &Retired, _state: &State) {
        let (gap, cycles) = self.clock.retire(retired);
        if gap > 0 {
            self.phases[self.current].cost.trap(gap);
        }
        if let Ok(mark) = self.marks.binary_search_by_key(&retired.pc, |(address, _)| *address) {
            self.current = self.marks[mark].1;
            self.phases[self.current].entered += 1;
        }
        self.phases[self.current].cost.retire(retired, cycles);
    }

    fn access(&mut self, _access: &Access) {}
    fn transfer(&mut self, _transfer: &Transfer) {}
    fn trap(&mut self, _trap: &Trap) {}
}
