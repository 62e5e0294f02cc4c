//! How fast the engines are: simulated instructions per second on the loops that spiking networks spend their time in.
//!
//! Contract: [`measure`] runs each loop by both engines in turn, in many short runs, and reports the best run of each, so that
//! a busy host disturbs the figures as little as it can and their ratio less. Cycles are counted exactly, by the `fenn`
//! profile. Nothing here is a test: times depend on the host.

use std::time::{Duration, Instant};

use fenn_isa::image::{Image, Segment};
use fenn_isa::memory::{LANES, Space};
use fenn_isa::text;

use crate::engine::{Engine, Host};
use crate::error::Error;
use crate::machine::{Limits, Machine, Options};
use crate::trap::Stop;

/// Instructions in one short run: some tenths of a millisecond.
const RUN: u64 = 100_000;
/// Where the loops find their rows in vector memory.
const ROWS: u32 = 0x2000;

/// A loop that never ends.
#[derive(Debug)]
pub struct Loop {
    /// What figures call it.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Its instructions, from address 0.
    pub program: &'static [&'static str],
}

/// The loops.
pub static LOOPS: [Loop; 4] = [
    Loop {
        name: "dense row",
        doc: "A row of weights is added to a row of currents, four vectors per turn.",
        program: &[
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
        ],
    },
    Loop {
        name: "LIF update",
        doc: "Leaky integrate-and-fire neurons with a refractory time, in lane-local memory, 32 per turn.",
        program: &[
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
        ],
    },
    Loop {
        name: "sparse scatter",
        doc: "Sparse rows: a word holds the target's address and, above it, the weight.",
        program: &[
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
        ],
    },
    Loop {
        name: "spike scan",
        doc: "Scalar code: find the ones of a word, as the spike scan does.",
        program: &[
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
        ],
    },
];

/// What one loop came to, in millions of instructions per second of one thread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// Of which loop.
    pub name: &'static str,
    /// [`Engine::Reference`].
    pub reference: f64,
    /// [`Engine::Fast`].
    pub fast: f64,
}

impl Measurement {
    /// How many times as fast the fast engine is.
    pub fn ratio(&self) -> f64 {
        self.fast / self.reference
    }
}

/// The machine that runs this loop.
///
/// # Errors
/// [`Error`] where the machine cannot have it.
pub fn machine(of: &Loop, engine: Engine) -> Result<Machine, Error> {
    let words = of.program.iter().map(|line| text::parse(line).map_or(0, |inst| inst.encode()));
    let code = words.flat_map(u32::to_le_bytes).collect();
    let row = (0..LANES * 256).map(|index| (index * 7919) as u16).flat_map(u16::to_le_bytes).collect();
    let segments = vec![Segment::new(Space::Instruction, 0, code), Segment::new(Space::Vector, ROWS, row)];
    Machine::from_image(&Image { segments, ..Image::default() }, Options { engine, ..Options::default() })
}

/// Measures every loop for about this long, the fast engine with the host's best instructions.
///
/// # Errors
/// [`Error`] where no machine can be made for a loop.
pub fn measure(time: Duration) -> Result<Vec<Measurement>, Error> {
    measure_with(Host::best(), time)
}

/// As [`measure`], the fast engine with these instructions of the host, or with those that it has.
///
/// # Errors
/// As [`measure`].
pub fn measure_with(host: Host, time: Duration) -> Result<Vec<Measurement>, Error> {
    LOOPS.iter().map(|of| measure_loop(of, host, time)).collect()
}

fn measure_loop(of: &Loop, host: Host, time: Duration) -> Result<Measurement, Error> {
    let mut machines = [machine(of, Engine::Reference)?, machine(of, Engine::Fast)?];
    machines[1].set_host(host);
    let mut best = [Duration::MAX; 2];
    let begin = Instant::now();
    while begin.elapsed() < time {
        for (machine, best) in machines.iter_mut().zip(&mut best) {
            let start = Instant::now();
            let outcome = machine.run(Limits { instructions: Some(RUN), ..Limits::default() }, &mut ());
            // A loop that ended would be fast indeed.
            if matches!(outcome.stop, Stop::InstructionLimit { .. }) {
                *best = start.elapsed().min(*best);
            }
        }
    }
    let [reference, fast] = best.map(|best| RUN as f64 / best.as_secs_f64() / 1e6);
    Ok(Measurement { name: of.name, reference, fast })
}
