//! The field's benchmarks, each as one command with the published figure beside ours.
//!
//! Contract: a [`program::Program`] compiles or assembles what it needs, runs it on the simulator, and gives an
//! [`program::Outcome`]: lines of figures, each with its gate and the published figure where there is one, and the sections of
//! a page. Networks, their science and the sources of figures are in the folder of the program, `programs/NAME`; here is what
//! runs them. Everything random comes from [`program::Options::seed`], and the same seed gives the same figures on every
//! platform but for times.
//!
//! A second witness stands behind every figure: a float64 or integer reference of the testbench's, or written in the program's
//! module apart from the compiler's description, or a published count.
//!
//! Not here: the tools that are used on a network of one's own (`fenn-cc`, `fenn-run`).

#![forbid(unsafe_code)]

pub mod braille;
pub mod chart;
pub mod host_scaling;
pub mod izhikevich;
pub mod microcircuit;
pub mod mnist;
mod neurobench;
pub mod numerics;
pub mod program;
pub mod run;
pub mod sample;
pub mod shd;
pub mod spyx_quickstart;
pub mod vogels_abbott;
pub mod yin_yang;

use program::Program;

/// All programs, in the order in which they are listed.
pub const PROGRAMS: &[Program] = &[
    numerics::PROGRAM,
    vogels_abbott::PROGRAM,
    izhikevich::PROGRAM,
    mnist::PROGRAM,
    braille::PROGRAM,
    shd::PROGRAM,
    yin_yang::PROGRAM,
    spyx_quickstart::PROGRAM,
    microcircuit::PROGRAM,
    host_scaling::PROGRAM,
];
