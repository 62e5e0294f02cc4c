//! What some part of a program cost.

use fenn_isa::timing::StallCause;
use serde_json::{Value, json};

use crate::timing::{Retired, StallTable};

/// Cycles and where they went: `cycles = instructions + traps + stalls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Instructions retired.
    pub instructions: u64,
    /// Traps after which a handler was entered.
    pub traps: u64,
    /// Cycles, those lost around the instructions included.
    pub cycles: u64,
    /// Cycles lost, by cause. What an instruction waited for that then trapped counts as [`StallCause::Trap`].
    pub stalls: StallTable,
}

impl Cost {
    /// Adds what `other` cost.
    pub fn add(&mut self, other: &Self) {
        self.instructions += other.instructions;
        self.traps += other.traps;
        self.cycles += other.cycles;
        self.stalls.add_table(&other.stalls, 1);
    }

    /// The sum.
    pub fn sum<'a>(costs: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        costs.into_iter().for_each(|cost| sum.add(cost));
        sum
    }

    /// Cycles per instruction; 0 where there are none.
    pub fn cpi(&self) -> f64 {
        if self.instructions == 0 { 0.0 } else { self.cycles as f64 / self.instructions as f64 }
    }

    /// The cause of most of the lost cycles, the first of equals.
    pub fn worst(&self) -> Option<(StallCause, u64)> {
        self.stalls.iter().filter(|(_, cycles)| *cycles > 0).reduce(|a, b| if b.1 > a.1 { b } else { a })
    }

    /// As an object.
    pub fn json(&self) -> Value {
        json!({
            "instructions": self.instructions,
            "traps": self.traps,
            "cycles": self.cycles,
            "cpi": self.cpi(),
            "stalls": stalls_json(&self.stalls),
        })
    }

    pub(super) fn retire(&mut self, retired: &Retired, cycles: u64) {
        self.instructions += 1;
        self.cycles += cycles;
        for stall in retired.stalls.iter() {
            self.stalls.add(stall.cause, u64::from(stall.cycles));
        }
    }

    pub(super) fn trap(&mut self, cycles: u64) {
        self.traps += 1;
        self.cycles += cycles;
        self.stalls.add(StallCause::Trap, cycles.saturating_sub(1));
    }
}

/// The causes that cost anything, by their names.
pub fn stalls_json(stalls: &StallTable) -> Value {
    let lost = stalls.iter().filter(|(_, cycles)| *cycles > 0);
    Value::Object(lost.map(|(cause, cycles)| (cause.name().to_owned(), json!(cycles))).collect())
}

/// The causes that cost anything, in a line; empty for none.
pub(super) fn stalls_text(stalls: &StallTable) -> String {
    let lost = stalls.iter().filter(|(_, cycles)| *cycles > 0);
    lost.map(|(cause, cycles)| format!("{} {cycles}", cause.name())).collect::<Vec<_>>().join(", ")
}

/// Follows the clock from one retirement to the next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    /// Behind the last cycle of the instruction before.
    end: Option<u64>,
}

impl Clock {
    /// The cycles between the instruction before and this one, which a trap took, and those of this one.
    pub(super) fn retire(&mut self, retired: &Retired) -> (u64, u64) {
        let before = retired.stalls.before.map_or(0, |stall| u64::from(stall.cycles)) + u64::from(retired.stalls.port);
        let after = retired.stalls.after.map_or(0, |stall| u64::from(stall.cycles));
        let start = retired.cycle - before;
        // A machine that was reset begins anew.
        let gap = start.saturating_sub(self.end.unwrap_or(start));
        self.end = Some(retired.cycle + 1 + after);
        (gap, before + 1 + after)
    }
}
