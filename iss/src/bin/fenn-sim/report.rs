//! What a run came to, for people and for machines.

use std::io::{self, Write};

use fenn_isa::image::Image;
use fenn_isa::operand::ABI_NAMES;
use fenn_iss::dma::Direction;
use fenn_iss::observe::cost::stalls_json;
use fenn_iss::view::View;
use fenn_iss::{Machine, Outcome, StallTable, Statistics, Stop};
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::simulate::Watch;

/// What a machine had counted before the run.
pub(crate) struct Before {
    stalls: StallTable,
    waits: [u64; 2],
}

impl Before {
    pub(crate) fn of(machine: &Machine) -> Self {
        Self { stalls: *machine.stalls(), waits: waits(machine) }
    }
}

/// Cycles spent polling each channel.
fn waits(machine: &Machine) -> [u64; 2] {
    Direction::ALL.map(|direction| machine.state().dma.channel(direction).waited())
}

/// A run that has ended.
pub(crate) struct Run<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) plan: &'a Plan,
    pub(crate) image: &'a Image,
    pub(crate) machine: &'a Machine,
    /// The machine as the run found it: not always just reset.
    pub(crate) before: &'a Before,
    pub(crate) outcome: Outcome,
    pub(crate) watch: &'a Watch,
}

impl Run<'_> {
    /// Lines for people.
    pub(crate) fn text(&self, out: &mut impl Write) -> Result<(), Failure> {
        let Self { arguments, plan, image, machine, before: _, outcome, watch } = self;
        let profile = machine.timing().profile().name;
        writeln!(out, "{}", outcome.stop)?;
        writeln!(out, "{} instructions, {} cycles ({profile})", outcome.instructions, outcome.cycles)?;
        if let Some(statistics) = &watch.statistics {
            self.write_cycles(statistics, out)?;
            write_statistics(statistics, out)?;
        }
        if let Some(phases) = &watch.phases {
            writeln!(out, "\n{}", phases.text().trim_end())?;
            if phases.is_empty() {
                writeln!(out, "(the program has no symbol `phase.NAME` in its code that would begin a phase)")?;
            }
        }
        if let Some(checker) = &watch.checker {
            let text = checker.text(image);
            writeln!(out, "\n{}", if text.is_empty() { "--check found nothing" } else { text.trim_end() })?;
        }
        if arguments.registers {
            write_registers(machine, out)?;
        }
        for (view, text) in &plan.dumps {
            writeln!(out, "\n{text}")?;
            let bytes = machine.read_bytes(view.place.space, view.place.address, view.bytes)?;
            out.write_all(view.text(&bytes).as_bytes())?;
        }
        Ok(())
    }

    /// Traps after which the program went on.
    fn traps(&self, statistics: &Statistics) -> u64 {
        statistics.traps - u64::from(matches!(self.outcome.stop, Stop::Trap(_)))
    }

    fn cpi(&self) -> f64 {
        if self.outcome.instructions == 0 { 0.0 } else { self.outcome.cycles as f64 / self.outcome.instructions as f64 }
    }

    /// Where the cycles went, which must add up.
    fn write_cycles(&self, statistics: &Statistics, out: &mut impl Write) -> Result<(), Failure> {
        let Outcome { instructions, cycles, .. } = self.outcome;
        let (traps, table) = (self.traps(statistics), self.stalls());
        let stalls = table.total();
        if cycles != instructions + traps + stalls {
            return Err(Failure::Unbalanced { cycles, instructions, traps, stalls });
        }
        writeln!(out, "\n{cycles} cycles = {instructions} instructions + {traps} traps + {stalls} stalls")?;
        writeln!(out, "{:.3} cycles per instruction", self.cpi())?;
        let line = |name: &str, count: u64| {
            let share = 100.0 * count as f64 / cycles.max(1) as f64;
            format!("{name:<18} {count:>14} {share:>6.2} %")
        };
        writeln!(out, "\n{}", line("stall", stalls))?;
        for (cause, count) in table.iter().filter(|(_, count)| *count > 0) {
            writeln!(out, "{}", line(cause.name(), count))?;
        }
        let [into, out_of] = self.waits();
        writeln!(out, "\n{into} cycles waiting for transfers into vector memory, {out_of} for those out of it")?;
        Ok(())
    }

    /// Cycles lost in the run, by cause.
    fn stalls(&self) -> StallTable {
        self.machine.stalls().since(&self.before.stalls)
    }

    /// Cycles of the run spent polling each channel.
    fn waits(&self) -> [u64; 2] {
        let [into, out_of] = waits(self.machine);
        [into - self.before.waits[0], out_of - self.before.waits[1]]
    }

    /// An object for machines.
    pub(crate) fn json(&self) -> Result<Value, Failure> {
        let Self { arguments, plan, image, machine, before: _, outcome, watch } = self;
        let profile = machine.timing().profile();
        let [into, out_of] = self.waits();
        let mut report = json!({
            "stop": stop_json(&outcome.stop),
            "instructions": outcome.instructions,
            "cycles": outcome.cycles,
            "cpi": self.cpi(),
            "profile": profile.name,
            "dram": { "latency": profile.dram.latency, "bytes_per_cycle": profile.dram.bytes_per_cycle },
            "stalls": stalls_json(&self.stalls()),
            "dma_waits": { "into_vector": into, "out_of_vector": out_of },
        });
        if let Some(statistics) = &watch.statistics {
            report["statistics"] = statistics_json(statistics);
        }
        if let Some(profiler) = &watch.profiler {
            report["hot"] = profiler.report(image).json();
        }
        if let Some(phases) = &watch.phases {
            report["phases"] = phases.json();
        }
        if let Some(checker) = &watch.checker {
            report["findings"] = checker.json(image);
        }
        if arguments.registers {
            let state = machine.state();
            report["registers"] = json!({
                "pc": state.pc,
                "x": state.all_x(),
                "v": state.v.iter().map(|vector| vector.0).collect::<Vec<_>>(),
                "s0": state.generators.s0,
                "s1": state.generators.s1,
            });
        }
        if !plan.dumps.is_empty() {
            let dump = |(view, text): &(View, String)| -> Result<Value, Failure> {
                let bytes = machine.read_bytes(view.place.space, view.place.address, view.bytes)?;
                Ok(json!({ "dump": text, "address": view.place.address, "values": view.values(&bytes) }))
            };
            report["dumps"] = plan.dumps.iter().map(dump).collect::<Result<_, _>>()?;
        }
        Ok(report)
    }
}

/// A table with the worst cause of stalls beside each class.
fn write_statistics(statistics: &Statistics, out: &mut impl Write) -> io::Result<()> {
    let total = statistics.total().max(1) as f64;
    let mut line = |name: &str, count: u64, more: &str| {
        let text = format!("{name:<18} {count:>14} {:>6.2} % {more}", count as f64 / total * 100.0);
        writeln!(out, "{}", text.trim_end())
    };
    line("\ninstruction", statistics.total(), "")?;
    statistics.by_op().iter().try_for_each(|(op, count)| line(op.spec().mnemonic(), *count, ""))?;
    line("\nclass", statistics.total(), "stalls")?;
    for (class, count) in statistics.by_class() {
        line(&format!("{class:?}"), count, &stalls_text(statistics.class_stalls(class)))?;
    }
    line("\nextension", statistics.total(), "")?;
    for (extension, count) in statistics.by_extension() {
        line(&format!("{extension:?}"), count, "")?;
    }
    let Statistics { branches_taken, transfers, transferred_bytes, traps, .. } = statistics;
    writeln!(
        out,
        "\n{branches_taken} branches taken, {transfers} DMA transfers of {transferred_bytes} bytes, {traps} traps"
    )
}

fn stalls_text(stalls: &StallTable) -> String {
    let lost = stalls.iter().filter(|(_, cycles)| *cycles > 0);
    lost.map(|(cause, cycles)| format!("{} {cycles}", cause.name())).collect::<Vec<_>>().join(", ")
}

fn write_registers(machine: &Machine, out: &mut impl Write) -> io::Result<()> {
    let state = machine.state();
    writeln!(out, "\npc       {:08x}", state.pc)?;
    for (index, (name, value)) in ABI_NAMES.iter().zip(state.all_x()).enumerate() {
        let end = if index % 4 == 3 { '\n' } else { ' ' };
        write!(out, "{:<3} {name:<4} {value:08x}{end}", format!("x{index}"))?;
    }
    for (index, vector) in state.v.iter().enumerate() {
        write!(out, "v{index:<7}")?;
        vector.0.iter().try_for_each(|lane| write!(out, " {lane}"))?;
        writeln!(out)?;
    }
    Ok(())
}

fn stop_json(stop: &Stop) -> Value {
    let kind = match stop {
        Stop::Ecall { .. } => "ecall",
        Stop::ReadyFlag { .. } => "ready_flag",
        Stop::Ebreak { .. } => "ebreak",
        Stop::InstructionLimit { .. } => "instruction_limit",
        Stop::CycleLimit { .. } => "cycle_limit",
        Stop::Breakpoint { .. } => "breakpoint",
        Stop::Trap(_) => "trap",
    };
    let mut value = json!({ "kind": kind, "pc": stop.pc(), "text": stop.to_string() });
    if let Stop::Trap(trap) = stop {
        value["cause"] = json!(trap.cause.code());
        value["value"] = json!(trap.value());
        value["word"] = json!(trap.word);
    }
    value
}

fn statistics_json(statistics: &Statistics) -> Value {
    let by_op: serde_json::Map<_, _> =
        statistics.by_op().iter().map(|(op, count)| (op.spec().mnemonic().to_owned(), json!(count))).collect();
    let by_class: serde_json::Map<_, _> =
        statistics.by_class().iter().map(|(class, count)| (format!("{class:?}"), json!(count))).collect();
    let by_extension: serde_json::Map<_, _> =
        statistics.by_extension().iter().map(|(group, count)| (format!("{group:?}"), json!(count))).collect();
    let class_stalls: serde_json::Map<_, _> = statistics
        .by_class()
        .into_keys()
        .map(|class| (format!("{class:?}"), stalls_json(statistics.class_stalls(class))))
        .collect();
    json!({
        "instructions": by_op,
        "classes": by_class,
        "class_stalls": class_stalls,
        "extensions": by_extension,
        "branches_taken": statistics.branches_taken,
        "dma_transfers": statistics.transfers,
        "dma_bytes": statistics.transferred_bytes,
        "traps": statistics.traps,
    })
}
