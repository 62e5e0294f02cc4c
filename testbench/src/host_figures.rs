//! The host driver's figures: a network through every layer down to the SoC, faults, bytes per second, what overlap hides, and
//! random host accesses beside the simulator.
//!
//! Contract: as in [`crate::keystone`]. They are measured by the project's own tools and tests, which know the card model and the
//! Verilated SoC. Bytes per second are of models on this machine: of a board they say nothing.

use std::process::Command;

use serde_json::Value;

use crate::figure::{Figure, Gate};
use crate::part::{Failure, OUT, Part};
use crate::shared::root;
use crate::tools::{counted_test, json, number, run};

/// All parts, in the order in which they are shown.
pub const PARTS: [Part; 7] = [
    Part::new("network", true, network),
    Part::new("faults", false, faults),
    Part::new("bandwidth", false, bandwidth),
    Part::new("overlap", false, overlap),
    Part::new("co-simulation", false, co_simulation),
    Part::new("security", false, security),
    // Builds fewer models, so it comes last.
    Part::new("guest", false, guest),
];

fn network() -> Result<Vec<Figure>, Failure> {
    let images = counted_test("fenn-card", "mnist", "images through the socket")?;
    let name = "MNIST through VFIO driver, socket, card model and SoC: images as in the simulator";
    Ok(vec![Figure::new(name, images, "", Gate::AtLeast(3.0))])
}

fn faults() -> Result<Vec<Figure>, Failure> {
    let ended = counted_test("fenn-card", "vfio_user", "faults ended in their errors")?;
    let mut figure = Figure::new(
        "faults that ended in the right error, in time, and were recovered from",
        ended,
        "",
        Gate::Exactly(24.0),
    );
    "6 kinds, each in reads and writes, with interrupts and polled".clone_into(&mut figure.note);
    Ok(vec![figure])
}

/// Ways to a card that run on any machine, and how long each size may take, in milliseconds.
const WAYS: [(&str, &str); 2] = [("sim", "100"), ("rtl", "400")];

fn bandwidth() -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for (device, time) in WAYS {
        let picture = format!("{OUT}/host-{device}.svg");
        let answer = json("fenn-run", &["bench", "--device", device, "--time", time, "--svg", &picture])?;
        let rows = answer.pointer("/sizes").and_then(Value::as_array).ok_or("fenn-run bench tells of no sizes")?;
        for direction in ["write", "read"] {
            let mut best = (0.0, 0.0);
            for row in rows {
                let rate = number(row, &format!("/{direction}/bytes_per_second"))?;
                if rate > best.0 {
                    best = (rate, number(row, "/bytes")?);
                }
            }
            let mut figure = Figure::new(format!("{device}: {direction}"), best.0 / 1e6, "MB/s", Gate::None);
            figure.note = format!("the best of {} sizes, at {} bytes; {picture}", rows.len(), best.1);
            figures.push(figure);
        }
        let latency = number(&answer, "/register/median_us")?;
        figures.push(Figure::new(format!("{device}: a register"), latency, "us", Gate::None));
    }
    let answer: Value = serde_json::from_str(&run("fenn-card", &["bandwidth", "--repeats", "3"])?)?;
    let rows = answer.pointer("/rows").and_then(Value::as_array).ok_or("fenn-card bandwidth tells of no rows")?;
    for direction in ["to card", "from card"] {
        let mut best = (0.0, 0.0);
        for row in rows.iter().filter(|row| row.pointer("/direction").and_then(Value::as_str) == Some(direction)) {
            let rate = number(row, "/bytes_per_second")?;
            if rate > best.0 {
                best = (rate, number(row, "/chunk")?);
            }
        }
        let mut figure = Figure::new(format!("vfio-user, plain memory: {direction}"), best.0 / 1e6, "MB/s", Gate::None);
        figure.note = format!("the best of {} rows, in chunks of {} bytes", rows.len() / 2, best.1);
        figures.push(figure);
    }
    Ok(figures)
}

fn overlap() -> Result<Vec<Figure>, Failure> {
    let hidden = counted_test("fenn-card", "overlap", "% hidden at least")?;
    let name = "weights to DRAM while the core runs: hidden of the shorter of the two";
    let weights = Figure::new(name, hidden, "%", Gate::AtLeast(90.0));
    let hidden = counted_test("fenn-card", "samples", "% of samples' transfers or runs hidden at least")?;
    let name = "samples and results while one core runs: hidden of the shorter of the two";
    Ok(vec![weights, Figure::new(name, hidden, "%", Gate::AtLeast(90.0))])
}

fn co_simulation() -> Result<Vec<Figure>, Failure> {
    let accesses = counted_test("fenn-verilated", "soc", "host accesses without a mismatch")?;
    let name = "SoC of two and four cores beside the simulated card: host accesses without a mismatch";
    Ok(vec![Figure::new(name, accesses, "", Gate::AtLeast(1e5))])
}

fn security() -> Result<Vec<Figure>, Failure> {
    let cases = counted_test("fenn-host", "hostile", "hostile programs kept inside")?;
    let name = "hostile images and manifests: programs that reached nothing outside of their core";
    Ok(vec![Figure::new(name, cases, "", Gate::AtLeast(1000.0))])
}

/// The checks of `fenn-guest-test`, and the steps around them, in a guest with the driver's character devices.
fn guest() -> Result<Vec<Figure>, Failure> {
    let output = Command::new("make").args(["--silent", "test-xdma"]).current_dir(root()).output();
    let output = output.map_err(|error| format!("cannot run make: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let name = "XDMA devices in a QEMU guest: checks that pass";
    let skipped = said.lines().find(|line| line.starts_with("SKIP: "));
    if !output.status.success() {
        let wrong = said.lines().find(|line| line.contains("FAILED")).unwrap_or("see make test-xdma");
        return Err(format!("make test-xdma fails: {wrong}").into());
    }
    let passed = said.lines().filter(|line| line.starts_with("guest: ok ")).count();
    let mut figure =
        Figure::new(name, passed as f64, "", if skipped.is_some() { Gate::None } else { Gate::Exactly(15.0) });
    let devices = said.lines().find(|line| line.starts_with("devices: "));
    skipped.or(devices).unwrap_or_default().clone_into(&mut figure.note);
    Ok(vec![figure])
}
