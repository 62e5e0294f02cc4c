//! A float64 interpreter of NIR graphs, written from the definitions alone.
//!
//! It shares nothing with the compiler, the reading of files included: [`mod@file`] reads and writes `.nir` files by the HDF5
//! library alone, [`graph`] is what they hold, [`layer`] computes the nodes without state, and [`run`] steps a graph.
//! Nothing is prepared, folded or scheduled ahead, and speed is no object: the compiler does all of that, and this is the
//! second witness for it.
//!
//! # What a graph means
//!
//! In every time step of length `dt`, with `x` the sum of what comes along a node's edges:
//!
//! | node | gives | exponential Euler, where it differs |
//! | --- | --- | --- |
//! | Input | the step's spikes, 0 or 1 | |
//! | Output | `x` | |
//! | Linear, Affine | `W x`, `W x + b`; `b` in every step | |
//! | Conv1d, Conv2d | cross-correlation with `W[out][in / groups][…]`, plus `b[out]` | |
//! | SumPool2d, AvgPool2d | sum over each window; that divided by the window's size | |
//! | Flatten, NIRGraph | `x` | |
//! | Scale | `s x`, element by element | |
//! | Threshold | 1 where `x > θ`, else 0 | |
//! | Delay | `x` of `round(τ / dt)` steps before, 0 where there was none | |
//! | I | `v += dt r x` | |
//! | LI | `v += dt/τ (v_leak − v + r x)` | `v = v_leak + r x + (v − v_leak − r x) e^(−dt/τ)` |
//! | IF, LIF | as I and LI; a spike where `v > v_threshold`, and a reset | as LI |
//! | CubaLI, CubaLIF | `i += dt/τ_syn (w_in x − i)`, then as LI and LIF with the new `i` for `x` | both as LI |
//!
//! Potentials begin at `v_leak` (0 where there is none), currents at 0. [`run::Settings`] chooses the integration, the
//! reset, the comparison and from which potential spikes come, which no file says.
//!
//! # Order within a step
//!
//! *Units* are the nodes that hold a value from step to step: neurons and Threshold. A unit sees what other units gave in
//! the same step, but around a cycle that is impossible. In a cycle, units are ordered by their distance from the inputs
//! (the least number of units in between), equals by name; a unit sees this step's values of those before it and the
//! previous step's values of itself and those behind it. A Delay of at least one step breaks a cycle: what it gives depends on
//! earlier steps only, so nothing is added to it. A bias counts in every step, on whatever edge it is. A cycle in which there is
//! neither a unit nor a Delay has no meaning and is refused.

pub mod file;
pub mod graph;
pub mod layer;
pub mod run;

pub use file::{read, write};
pub use graph::{Graph, Neurons, Node, Tensor};
pub use run::{Comparison, Method, Reference, Reset, Settings, SpikeFrom, Trace};
