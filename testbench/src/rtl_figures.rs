//! The SystemVerilog core's figures: equal to the simulator, every mutant caught, every line executed, cycles of loops, size
//! and clock.
//!
//! Contract: as in [`crate::keystone`]. They are measured by the `fenn-cosim` beside the running binary, which alone knows
//! the core; the share of executed lines is that of the last `make coverage-rtl`, and what synthesis gave that of the last
//! `make synth`, refused where the core has changed since. `make show-rtl` runs both first.

use std::process::Command;

use serde_json::Value;

use crate::figure::{Figure, Gate};
use crate::part::{Failure, Part};
use crate::shared::root;
use crate::tools::{counted_test, json, number};

/// All parts, in the order in which they are shown.
pub const PARTS: [Part; 6] = [
    Part::new("lockstep", false, lockstep),
    Part::new("programs", true, programs),
    Part::new("mutants", false, mutants),
    Part::new("lines", false, lines),
    Part::new("synthesis", false, synthesis),
    Part::new("speed", false, speed),
];

/// Cycles of random programs on each core.
const CYCLES: &str = "1000000";

fn lockstep() -> Result<Vec<Figure>, Failure> {
    let answer = json("fenn-cosim", &["--config", "all", "--seed", "109", "--cycles", CYCLES])?;
    let runs = answer.pointer("/runs").and_then(Value::as_array).ok_or("fenn-cosim tells of no runs")?;
    let (mut figures, mut cycles) = (Vec::new(), 0.0);
    for run in runs {
        let name = run.pointer("/configuration").and_then(Value::as_str).unwrap_or_default();
        let mismatches = number(run, "/mismatches")?;
        cycles += number(run, "/cycles")?;
        let mut figure = Figure::new(format!("lockstep, {name}: mismatches"), mismatches, "", Gate::Exactly(0.0));
        figure.note = format!("{} programs, {} cycles", number(run, "/programs")?, number(run, "/cycles")?);
        figures.push(figure);
    }
    figures.push(Figure::new("lockstep: cycles of random programs", cycles, "", Gate::AtLeast(3e6)));
    let (possible, filled) = (number(&answer, "/coverage/possible")?, number(&answer, "/coverage/filled")?);
    let share = 100.0 * filled / possible;
    let mut coverage =
        Figure::new("lockstep: bins of the coverage plan that were met", share, "%", Gate::AtLeast(100.0));
    coverage.note = format!("{filled} of {possible}; fenn-cosim --coverage lists the others");
    figures.push(coverage);
    Ok(figures)
}

fn programs() -> Result<Vec<Figure>, Failure> {
    let answer = json("fenn-cosim", &["--kernels"])?;
    let mut kernels =
        Figure::new("lockstep: kernels without a mismatch", number(&answer, "/programs")?, "programs", Gate::None);
    kernels.note = format!("{} cycles", number(&answer, "/cycles")?);
    let images = counted_test("fenn-verilated", "programs", "images in lockstep")?;
    let mut lif = Figure::new(
        "LIF update: stalls beyond data dependences",
        number(&answer, "/lif/other_stalls")?,
        "cycles for 32 neurons",
        Gate::Exactly(0.0),
    );
    lif.note =
        format!("{} cycles, {} for results", number(&answer, "/lif/cycles")?, number(&answer, "/lif/data_stalls")?);
    Ok(vec![
        kernels,
        Figure::new("lockstep: MNIST images without a mismatch", images, "", Gate::AtLeast(5.0)),
        Figure::new("dense, 32 synapses", number(&answer, "/dense")?, "cycles", Gate::AtMost(4.75)),
        Figure::new("sparse, 32 synapses", number(&answer, "/sparse")?, "cycles", Gate::AtMost(6.5)),
        lif,
    ])
}

fn mutants() -> Result<Vec<Figure>, Failure> {
    let answer = json("fenn-cosim", &["--mutants"])?;
    let (all, caught) = (number(&answer, "/mutants")?, number(&answer, "/caught")?);
    Ok(vec![
        Figure::new("mutants of the core", all, "", Gate::AtLeast(30.0)),
        Figure::new("mutants not caught", all - caught, "", Gate::Exactly(0.0)),
    ])
}

fn lines() -> Result<Vec<Figure>, Failure> {
    let path = root().join("out/coverage-rtl/total.txt");
    let text = std::fs::read_to_string(path).map_err(|_| "make coverage-rtl has not been run")?;
    let total = text.split(['(', ')', '/']).filter_map(|part| part.trim().parse::<f64>().ok()).collect::<Vec<_>>();
    let [executed, all] = total[..] else { return Err(format!("not what verilator_coverage prints: {text}").into()) };
    let mut figure = Figure::new("lines of the core executed", 100.0 * executed / all, "%", Gate::AtLeast(98.0));
    figure.note = format!("{executed} of {all} places that Verilator counts");
    Ok(vec![figure])
}

/// CV32E40X (with the XIF port and Zbb) in logic LUT, by the command of `rtl/synth/synth.py`: the reference material's
/// `design/microarchitecture.md`, "Synthesis with yosys". The published papers' tables count otherwise.
const CV32E40X_LUT: f64 = 5133.0;

fn synthesis() -> Result<Vec<Figure>, Failure> {
    let refused = refused_sizes()?;
    let text =
        std::fs::read_to_string(root().join("out/synth/figures.json")).map_err(|_| "make synth has not been run")?;
    let figures: Value = serde_json::from_str(&text).map_err(|error| format!("out/synth/figures.json: {error}"))?;
    let of = |module: &str, resource: &str| number(&figures, &format!("/ultrascale/{module}/{resource}"));
    let mhz = |module: &str| number(&figures, &format!("/ecp5_mhz/{module}"));
    let (whole, core) = (of("fenn_top", "lut")?, of("fenn_core", "lut")?);
    // The notes are what prototypes took, by the same source.
    let line = |name: &str, value, unit, gate, note: &str| Figure {
        note: note.to_owned(),
        ..Figure::new(format!("synthesis, {name}"), value, unit, gate)
    };
    Ok(vec![
        line("32 lanes", whole, "logic LUT", Gate::AtMost(18000.0), "prototypes: 15523 with decoding, core 1710"),
        line("32 lanes", of("fenn_top", "dsp")?, "DSP", Gate::AtMost(36.0), "prototypes: 32 and 4"),
        line("512 KiB of vector memory", of("fenn_top", "uram")?, "URAM", Gate::AtMost(16.0), "prototypes: 15 or 16"),
        line("a lane", of("fenn_lane", "bram_blocks")?, "block RAM", Gate::AtMost(1.0), "prototype: 1"),
        line("a lane", of("fenn_lane", "lut")?, "logic LUT", Gate::None, "prototype: 460"),
        line("scalar core", core, "logic LUT", Gate::Below(CV32E40X_LUT), "CV32E40X; prototype: 1710"),
        line(
            "32 lanes with CV32E40X for the scalar core",
            whole - core + CV32E40X_LUT,
            "logic LUT",
            Gate::None,
            &format!("{:.0} more than ours, the lanes being equal", CV32E40X_LUT - core),
        ),
        line("a lane on ECP5", mhz("fenn_lane")?, "MHz", Gate::AtLeast(106.0), "prototypes: 106 and 121"),
        line("scalar core on ECP5", mhz("fenn_core")?, "MHz", Gate::AtLeast(85.0), "prototype: 89; CV32E40X: 38"),
        refused,
    ])
}

/// What `make synth` says against the sizes, one line each: grown beyond the record, or a gate missed.
fn refused_sizes() -> Result<Figure, Failure> {
    let output = Command::new("python3").args(["rtl/synth/sizes.py", "check"]).current_dir(root()).output();
    let output = output.map_err(|error| format!("cannot run python3: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = said.lines().collect();
    if output.status.success() != lines.is_empty() {
        return Err(format!("rtl/synth/sizes.py: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let count = u32::try_from(lines.len())?;
    let mut figure = Figure::new("synthesis, sizes beyond record or gate", count.into(), "", Gate::Exactly(0.0));
    figure.note = lines.join("; ");
    Ok(figure)
}

fn speed() -> Result<Vec<Figure>, Failure> {
    let answer = json("fenn-cosim", &["--speed"])?;
    Ok(vec![Figure::new(
        "Verilated core, one thread",
        number(&answer, "/0/cycles_per_second")?,
        "cycles/s",
        Gate::None,
    )])
}
