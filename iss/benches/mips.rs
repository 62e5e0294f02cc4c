//! Simulated instructions per second on the loops that spiking networks spend their time in; watched, not tested.
//!
//! `cargo bench -p fenn-iss` prints, for each loop, millions of instructions per second of one thread, best of many
//! short runs, without an observer and with [`Statistics`].

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use fenn_isa::memory::{MachineConfig, Space};
use fenn_iss::{Limits, Machine, Observer, Options, Statistics, Stop};
use support::{bytes, image};

/// Instructions in one short run.
const RUN: u64 = 200_000;
const TIME: Duration = Duration::from_millis(400);

/// A row of weights is added to a row of currents, four vectors per turn.
const DENSE: &[&str] = &[
    "lui t0, 0x2",
    "addi t1, zero, 0",
    "addi t2, zero, 64",
    "vloadv v1, 0(t0)",
    "vloadv v2, 0(t1)",
    "vadd_s v2, v2, v1",
    "vstore v2, 0(t1)",
    "vloadv v1, 64(t0)",
    "vloadv v2, 64(t1)",
    "vadd_s v2, v2, v1",
    "vstore v2, 64(t1)",
    "vloadv v1, 128(t0)",
    "vloadv v2, 128(t1)",
    "vadd_s v2, v2, v1",
    "vstore v2, 128(t1)",
    "vloadv v1, 192(t0)",
    "vloadv v2, 192(t1)",
    "vadd_s v2, v2, v1",
    "vstore v2, 192(t1)",
    "addi t0, t0, 256",
    "addi t1, t1, 256",
    "addi t2, t2, -1",
    "bne t2, zero, .-76",
    "jal zero, .-92",
];

/// Leaky integrate-and-fire neurons with a refractory time, in lane-local memory, 32 per turn.
const NEURONS: &[&str] = &[
    "addi t0, zero, 0",
    "addi t2, zero, 16",
    "addi t3, zero, 0",
    "vlui v20, 27000",
    "vlui v21, 9000",
    "vlui v22, 1",
    "vlui v23, 5",
    "vfill v30, t3",
    "vloadl v1, 0(v30)",
    "vloadl v2, 512(v30)",
    "vloadl v3, 1024(v30)",
    "vmul_rn v4, v1, v20, 15",
    "vadd_s v4, v4, v2",
    "vsub v5, v3, v22",
    "vlui v6, 0",
    "vtge t4, v6, v3",
    "vsel v3, t4, v6",
    "xori t5, t4, -1",
    "vsel v3, t5, v5",
    "vsel v1, t4, v4",
    "vmul_rn v2, v2, v20, 15",
    "vtge t6, v1, v21",
    "and t6, t6, t4",
    "vsub v7, v1, v21",
    "vsel v1, t6, v7",
    "vsel v3, t6, v23",
    "vstorel v1, 0(v30)",
    "vstorel v2, 512(v30)",
    "vstorel v3, 1024(v30)",
    "sw t6, 0(t0)",
    "addi t0, t0, 4",
    "addi t3, t3, 2",
    "addi t2, t2, -1",
    "bne t2, zero, .-104",
    "jal zero, .-136",
];

/// Sparse rows: a word holds the target's address and, above it, the weight.
const SCATTER: &[&str] = &[
    "lui t0, 0x2",
    "addi t2, zero, 64",
    "addi t3, zero, 0",
    "vloadv v1, 0(t0)",
    "vandadd v2, v1, t3, 11",
    "vloadl v3, 0(v2)",
    "vsrai v4, v1, 11",
    "vadd_s v3, v3, v4",
    "vstorel v3, 0(v2)",
    "vloadv v5, 64(t0)",
    "vandadd v6, v5, t3, 11",
    "vloadl v7, 0(v6)",
    "vsrai v8, v5, 11",
    "vadd_s v7, v7, v8",
    "vstorel v7, 0(v6)",
    "addi t0, t0, 128",
    "addi t2, t2, -1",
    "bne t2, zero, .-56",
    "jal zero, .-72",
];

/// Scalar code: find the ones of a word, as the spike scan does.
const SCAN: &[&str] = &[
    "lui t0, 0x12345",
    "addi t1, t0, 0x765",
    "addi t6, zero, 64",
    "addi t3, t1, 0",
    "clz t2, t3",
    "sll t3, t3, t2",
    "slli t3, t3, 1",
    "mul t4, t2, t6",
    "add t5, t5, t4",
    "sw t5, 0(zero)",
    "lw t4, 4(zero)",
    "bne t3, zero, .-28",
    "jal zero, .-36",
];

fn measure(machine: &mut Machine, observer: &mut impl Observer) -> f64 {
    let limits = Limits { instructions: Some(RUN), ..Limits::default() };
    let begin = Instant::now();
    let mut best = Duration::MAX;
    while begin.elapsed() < TIME {
        let start = Instant::now();
        let outcome = machine.run(limits, observer);
        best = best.min(start.elapsed());
        assert!(matches!(outcome.stop, Stop::InstructionLimit { .. }), "{}", outcome.stop);
    }
    RUN as f64 / best.as_secs_f64() / 1e6
}

#[expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]
fn main() {
    println!("{:<16} {:>8} {:>12}   million instructions per second", "loop", "plain", "statistics");
    for (name, program) in
        [("dense row", DENSE), ("neuron update", NEURONS), ("sparse scatter", SCATTER), ("scan", SCAN)]
    {
        let image = image(MachineConfig::default(), program);
        let mut machine = Machine::from_image(&image, Options::default()).expect("the program is well-formed");
        let row: Vec<i16> = (0..32 * 256).map(|i| ((i * 7919) % 65536) as u16 as i16).collect();
        machine.write(Space::Vector, 0x2000, &bytes(&row)).expect("vector memory is large enough");
        let plain = measure(&mut machine, &mut ());
        let counted = measure(&mut machine, &mut Statistics::default());
        println!("{name:<16} {plain:>8.1} {counted:>12.1}");
    }
}
