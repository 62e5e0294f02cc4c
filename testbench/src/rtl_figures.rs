//! The SystemVerilog core's figures: equal to the simulator, every mutant caught, every line executed, cycles of loops.
//!
//! Contract: as in [`crate::keystone`]. They are measured by the `fenn-cosim` beside the running binary, which alone knows
//! the core; the share of executed lines is that of the last `make coverage-rtl`.

use serde_json::Value;

use crate::figure::{Figure, Gate};
use crate::part::{Failure, Part};
use crate::shared::root;
use crate::tools::{counted_test, json, number};

/// All parts, in the order in which they are shown.
pub const PARTS: [Part; 5] = [
    Part::new("lockstep", false, lockstep),
    Part::new("programs", true, programs),
    Part::new("mutants", false, mutants),
    Part::new("lines", false, lines),
    Part::new("speed", false, speed),
];

/// Cycles of random programs on each core.
const CYCLES: &str = "1000000";

fn lockstep() -> Result<Vec<Figure>, Failure> {
    let answer = json("fenn-cosim", &["--config", "all", "--seed", "101", "--cycles", CYCLES])?;
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

fn speed() -> Result<Vec<Figure>, Failure> {
    let answer = json("fenn-cosim", &["--speed"])?;
    Ok(vec![Figure::new(
        "Verilated core, one thread",
        number(&answer, "/0/cycles_per_second")?,
        "cycles/s",
        Gate::None,
    )])
}
