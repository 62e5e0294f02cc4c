//! What a run came to, for people and for machines.

use std::io::{self, Write};

use fenn_isa::operand::ABI_NAMES;
use fenn_iss::view::View;
use fenn_iss::{Machine, Outcome, Statistics, Stop};
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::plan::Plan;

pub(crate) fn text(
    arguments: &Arguments,
    machine: &Machine,
    outcome: &Outcome,
    statistics: Option<&Statistics>,
    plan: &Plan,
    out: &mut impl Write,
) -> Result<(), Failure> {
    writeln!(out, "{}", outcome.stop)?;
    writeln!(out, "{} instructions, {} cycles ({})", outcome.instructions, outcome.cycles, arguments.profile.name)?;
    if let Some(statistics) = statistics {
        write_statistics(statistics, out)?;
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

fn write_statistics(statistics: &Statistics, out: &mut impl Write) -> io::Result<()> {
    let total = statistics.total().max(1) as f64;
    let mut line =
        |name: &str, count: u64| writeln!(out, "{name:<18} {count:>14} {:>6.2} %", count as f64 / total * 100.0);
    line("\ninstruction", statistics.total())?;
    statistics.by_op().iter().try_for_each(|(op, count)| line(op.spec().mnemonic(), *count))?;
    line("\nclass", statistics.total())?;
    statistics.by_class().iter().try_for_each(|(class, count)| line(&format!("{class:?}"), *count))?;
    line("\nextension", statistics.total())?;
    statistics.by_extension().iter().try_for_each(|(extension, count)| line(&format!("{extension:?}"), *count))?;
    let Statistics { branches_taken, transfers, transferred_bytes, traps, .. } = statistics;
    writeln!(
        out,
        "\n{branches_taken} branches taken, {transfers} DMA transfers of {transferred_bytes} bytes, {traps} traps"
    )
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

pub(crate) fn json(
    arguments: &Arguments,
    machine: &Machine,
    outcome: &Outcome,
    statistics: Option<&Statistics>,
    plan: &Plan,
) -> Result<Value, Failure> {
    let mut report = json!({
        "stop": stop_json(&outcome.stop),
        "instructions": outcome.instructions,
        "cycles": outcome.cycles,
        "profile": machine.timing().profile().name,
    });
    if let Some(statistics) = statistics {
        report["statistics"] = statistics_json(statistics);
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

fn stop_json(stop: &Stop) -> Value {
    let kind = match stop {
        Stop::Ecall { .. } => "ecall",
        Stop::ReadyFlag { .. } => "ready_flag",
        Stop::Ebreak { .. } => "ebreak",
        Stop::InstructionLimit { .. } => "instruction_limit",
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
    json!({
        "instructions": by_op,
        "classes": by_class,
        "extensions": by_extension,
        "branches_taken": statistics.branches_taken,
        "dma_transfers": statistics.transfers,
        "dma_bytes": statistics.transferred_bytes,
        "traps": statistics.traps,
    })
}
