//! Where the cycles went: by instruction, symbol and line of source.
//!
//! Contract: an instruction's cycles are its own, those it waited before it was issued, and those it kept the next one from:
//! a branch's redirection belongs to the branch. A trap's cycles belong to the instruction that trapped. Rows therefore add
//! up to the total, and the total is the machine's `cycles` (less what an instruction waited for that ended the run with a
//! trap).
//!
//! A symbol's row is the code from its address to the next symbol's; a line's, all code that was made from it.
//!
//! ```
//! use fenn_iss::{Limits, Machine, observe::Profiler};
//! # use fenn_isa::{image::{Image, Segment, Symbol, SymbolKind}, memory::Space, text};
//! # let code = ["addi t0, zero, 3", "addi t0, t0, -1", "bne t0, zero, .-4", "ecall"];
//! # let bytes = code.iter().flat_map(|line| text::parse(line).unwrap().encode().to_le_bytes()).collect();
//! # let symbol = |name: &str, address| Symbol {
//! #     name: name.to_owned(), space: Space::Instruction, address, size: 0, kind: SymbolKind::Label, global: true,
//! # };
//! # let image = Image {
//! #     segments: vec![Segment::new(Space::Instruction, 0, bytes)],
//! #     symbols: vec![symbol("start", 0), symbol("loop", 4)],
//! #     ..Image::default()
//! # };
//!
//! // `start:` one instruction; `loop:` two, three times. The branch goes back before the fetch unit knows it, and straight
//! // on when the fetch unit goes back: two cycles each.
//! let mut machine = Machine::builder().image(&image).build()?;
//! let mut profiler = Profiler::new();
//! let outcome = machine.run(Limits::default(), &mut profiler);
//! let report = profiler.report(&image);
//! assert_eq!(report.total.cycles, outcome.cycles);
//! let hottest = &report.symbols[0];
//! assert_eq!((hottest.name.as_deref(), hottest.cost.instructions, hottest.cost.cycles), (Some("loop"), 6, 10));
//! # Ok::<(), fenn_iss::Error>(())
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use fenn_isa::Inst;
use fenn_isa::image::{Image, Symbol, SymbolKind};
use fenn_isa::memory::Space;
use serde_json::{Value, json};

use super::Observer;
use super::cost::{Clock, Cost, stalls_text};
use super::page;
use crate::dma::Transfer;
use crate::state::State;
use crate::timing::Retired;
use crate::trap::{Access, Trap};

/// Reckons the cost of every instruction of a program.
#[derive(Debug, Clone, Default)]
pub struct Profiler {
    /// By word of instruction memory.
    costs: Vec<Cost>,
    /// By the address of the instruction that trapped, which can be anywhere.
    traps: BTreeMap<u32, Cost>,
    /// How often a call went to each word.
    calls: BTreeMap<u32, u64>,
    clock: Clock,
    trapped: Option<u32>,
}

/// What a symbol's code cost.
#[derive(Debug, Clone, PartialEq)]
pub struct SymbolCost {
    /// Its name; `None` for code before the first symbol.
    pub name: Option<String>,
    /// Where it is.
    pub address: u32,
    /// Calls that went to its address: jumps that leave their return address in `ra` or `t0`.
    pub calls: u64,
    /// All of its code's.
    pub cost: Cost,
}

/// What a line of source cost.
#[derive(Debug, Clone, PartialEq)]
pub struct LineCost {
    /// The source's name.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// How often it was executed: as often as the instruction of it that was executed most.
    pub executions: u64,
    /// All of its code's.
    pub cost: Cost,
}

/// Where a program's cycles went.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// All of them.
    pub total: Cost,
    /// By symbol, most cycles first; those that ran.
    pub symbols: Vec<SymbolCost>,
    /// By line of source, most cycles first; those that ran. Code of no line is in none.
    pub lines: Vec<LineCost>,
}

impl Profiler {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what `other` reckoned of the same program, on another machine.
    pub fn add(&mut self, other: &Self) {
        self.costs.resize(self.costs.len().max(other.costs.len()), Cost::default());
        self.costs.iter_mut().zip(&other.costs).for_each(|(mine, other)| mine.add(other));
        for (pc, cost) in &other.traps {
            self.traps.entry(*pc).or_default().add(cost);
        }
        for (target, count) in &other.calls {
            *self.calls.entry(*target).or_default() += count;
        }
    }

    /// What the instruction at `pc` cost.
    pub fn at(&self, pc: u32) -> Cost {
        let mut cost = self.costs.get(pc as usize / 4).filter(|_| pc.is_multiple_of(4)).copied().unwrap_or_default();
        if let Some(trap) = self.traps.get(&pc) {
            cost.add(trap);
        }
        cost
    }

    /// Addresses of instructions that ran or trapped, in order, and what each cost.
    pub fn costs(&self) -> BTreeMap<u32, Cost> {
        let ran = self.costs.iter().enumerate().filter(|(_, cost)| cost.instructions > 0);
        let mut costs: BTreeMap<u32, Cost> = ran.map(|(index, cost)| (4 * index as u32, *cost)).collect();
        for (pc, trap) in &self.traps {
            costs.entry(*pc).or_default().add(trap);
        }
        costs
    }

    /// The rows that the names and lines of `image`, the program that ran, make of it.
    pub fn report(&self, image: &Image) -> Report {
        let mut symbols: BTreeMap<Option<u32>, SymbolCost> = BTreeMap::new();
        let mut lines: BTreeMap<(Arc<str>, u32), LineCost> = BTreeMap::new();
        let labels = Labels::new(image);
        let costs = self.costs();
        for (&pc, cost) in &costs {
            let symbol = labels.around(pc);
            let row = symbols.entry(symbol.map(|symbol| symbol.address)).or_insert_with(|| {
                let address = symbol.map_or(0, |symbol| symbol.address);
                let calls = self.calls.get(&address).copied().unwrap_or(0);
                SymbolCost { name: symbol.map(|symbol| symbol.name.clone()), address, calls, cost: Cost::default() }
            });
            row.cost.add(cost);
            if let Some(line) = image.line_of(pc) {
                let row = lines.entry((Arc::clone(&line.file), line.line)).or_insert_with(|| LineCost {
                    file: Arc::clone(&line.file),
                    line: line.line,
                    executions: 0,
                    cost: Cost::default(),
                });
                row.executions = row.executions.max(cost.instructions);
                row.cost.add(cost);
            }
        }
        let mut symbols: Vec<SymbolCost> = symbols.into_values().collect();
        symbols.sort_by_key(|row| (u64::MAX - row.cost.cycles, row.address));
        let mut lines: Vec<LineCost> = lines.into_values().collect();
        // Equals stay in the order of the source.
        lines.sort_by_key(|row| u64::MAX - row.cost.cycles);
        Report { total: Cost::sum(costs.values()), symbols, lines }
    }
}

impl Observer for Profiler {
    fn retire(&mut self, retired: &Retired, _state: &State) {
        let (gap, cycles) = self.clock.retire(retired);
        if let Some(pc) = self.trapped.take()
            && gap > 0
        {
            self.traps.entry(pc).or_default().trap(gap);
        }
        self.cost(retired.pc).retire(retired, cycles);
        if let Inst::Jal { rd, .. } | Inst::Jalr { rd, .. } = retired.inst
            && matches!(rd.get(), 1 | 5)
        {
            *self.calls.entry(retired.next).or_default() += 1;
        }
    }

    fn access(&mut self, _access: &Access) {}
    fn transfer(&mut self, _transfer: &Transfer) {}

    fn trap(&mut self, trap: &Trap) {
        self.trapped = Some(trap.pc);
    }
}

impl Profiler {
    fn cost(&mut self, pc: u32) -> &mut Cost {
        let index = pc as usize / 4;
        if index >= self.costs.len() {
            self.costs.resize(index + 1, Cost::default());
        }
        &mut self.costs[index]
    }
}

/// The symbols of a program's code, one for an address, in order.
pub(super) struct Labels<'a>(Vec<&'a Symbol>);

impl<'a> Labels<'a> {
    pub(super) fn new(image: &'a Image) -> Self {
        let mut symbols: Vec<&Symbol> =
            image.symbols.iter().filter(|symbol| symbol.space == Space::Instruction).collect();
        // Of several at an address: a function, a global one, the first by name. A phase's mark is a name only if there is
        // no other.
        symbols.sort_by_key(|symbol| {
            let mark = symbol.name.starts_with(super::phases::PREFIX);
            (symbol.address, mark, symbol.kind != SymbolKind::Function, !symbol.global, &symbol.name)
        });
        symbols.dedup_by_key(|symbol| symbol.address);
        Self(symbols)
    }

    /// The last one at or before `pc`.
    pub(super) fn around(&self, pc: u32) -> Option<&'a Symbol> {
        let behind = self.0.partition_point(|symbol| symbol.address <= pc);
        self.0.get(behind.checked_sub(1)?).copied()
    }

    /// The one at `pc`.
    pub(super) fn at(&self, pc: u32) -> Option<&'a Symbol> {
        self.around(pc).filter(|symbol| symbol.address == pc)
    }
}

/// The symbol that the code at `pc` belongs to.
pub(super) fn symbol_at(image: &Image, pc: u32) -> Option<&Symbol> {
    Labels::new(image).around(pc)
}

/// What a share is, in percent.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

impl Report {
    /// The rows as two tables.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let head = format!("{:>12} {:>7} {:>12} {:>6}", "cycles", "", "instructions", "CPI");
        let row = |cost: &Cost| {
            let share = percent(cost.cycles, self.total.cycles);
            format!("{:>12} {share:>5.1} % {:>12} {:>6.3}", cost.cycles, cost.instructions, cost.cpi())
        };
        let mut line = |text_of_row: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", text_of_row.trim_end());
        };
        line(format!("{head} {:>10}  {:<24} stalls", "calls", "symbol"));
        line(format!("{} {:>10}  {:<24} {}", row(&self.total), "", "(all)", stalls_text(&self.total.stalls)));
        for SymbolCost { name, calls, cost, .. } in &self.symbols {
            let name = name.as_deref().unwrap_or("(before the first symbol)");
            line(format!("{} {calls:>10}  {name:<24} {}", row(cost), stalls_text(&cost.stalls)));
        }
        if !self.lines.is_empty() {
            line(String::new());
            line(format!("{head} {:>10}  {:<24} stalls", "executions", "line"));
        }
        for LineCost { file, line: number, executions, cost } in &self.lines {
            let place = format!("{file}:{number}");
            line(format!("{} {executions:>10}  {place:<24} {}", row(cost), stalls_text(&cost.stalls)));
        }
        text
    }

    /// The rows as an object.
    pub fn json(&self) -> Value {
        let symbol = |SymbolCost { name, address, calls, cost }: &SymbolCost| {
            let mut value = cost.json();
            value["symbol"] = json!(name);
            value["address"] = json!(address);
            value["calls"] = json!(calls);
            value
        };
        let line = |LineCost { file, line, executions, cost }: &LineCost| {
            let mut value = cost.json();
            value["file"] = json!(**file);
            value["line"] = json!(line);
            value["executions"] = json!(executions);
            value
        };
        json!({
            "total": self.total.json(),
            "symbols": self.symbols.iter().map(symbol).collect::<Value>(),
            "lines": self.lines.iter().map(line).collect::<Value>(),
        })
    }

    /// The rows as a page that needs nothing else; `title` is the program's name.
    pub fn html(&self, title: &str) -> String {
        page::html(title, self, None)
    }
}
