//! Why a graph cannot be imported. A message names the node and says what to do.

use fenn_isa::fixed::Format;

use crate::interpret::RunError;
use crate::nir::ShapeError;
use crate::verify::VerifyError;

use super::options::Part;

/// Something that keeps a graph from being imported.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A graph that no file could hold, in the sense of [`Graph::check`](crate::nir::Graph::check).
    #[error("the graph is not well-formed: {0}")]
    Graph(String),
    /// The time step is not given.
    #[error(
        "the length of a time step is not given, and NIR files do not state it; give dt in the unit of the file's \
         time constants, such as --dt 1e-4"
    )]
    NoTimeStep,
    /// The time step is no length of time.
    #[error("a time step of {0} is impossible; dt must be positive and finite")]
    TimeStep(f64),
    /// A run without steps.
    #[error("a run of 0 time steps is impossible; give at least 1")]
    NoSteps,
    /// The combination has no meaning.
    #[error(
        "reset as in snnTorch decides about spikes by the new potential; leave out the choice of the old one, or \
         choose another reset"
    )]
    ResetAndSpikeFrom,
    /// A node type without a counterpart.
    #[error(
        "node `{node}` is of type {kind}, which is not supported; supported are Input, Output, Linear, Affine, Conv1d, \
         Conv2d, SumPool2d, AvgPool2d, Flatten, Scale, Threshold, Delay, I, IF, LI, LIF, CubaLI, CubaLIF and NIRGraph. \
         Express the node by these, or remove it"
    )]
    Unsupported {
        /// The node.
        node: String,
        /// Its type.
        kind: String,
    },
    /// A nested graph that cannot be taken apart.
    #[error(
        "`{node}` cannot be taken apart: a graph within the graph needs exactly one Input and one Output, and the name of \
         a node in it, `GRAPH.NODE`, must not be another's"
    )]
    Nested {
        /// The graph, or the name that is taken.
        node: String,
    },
    /// An edge against the direction of things.
    #[error(
        "the edge from `{from}` to `{to}` is impossible: nothing leads into an Input or out of an Output. Remove it"
    )]
    Edge {
        /// Its source.
        from: String,
        /// Its target.
        to: String,
    },
    /// Numbers other than spikes would have to travel.
    #[error(
        "node `{node}` of type {kind} does not spike, but feeds `{to}`; only spikes can be sent on. Lead it to an Output \
         of its own, with nothing but Flatten between, or use a spiking type"
    )]
    Graded {
        /// The node.
        node: String,
        /// Its type.
        kind: &'static str,
        /// What it feeds.
        to: String,
    },
    /// Two ends of an edge do not fit.
    #[error("`{from}` gives {gives} numbers, but `{to}` takes {takes}; correct the shapes")]
    SizeMismatch {
        /// Source of the edge.
        from: String,
        /// Its numbers.
        gives: usize,
        /// Target of the edge.
        to: String,
        /// Its numbers.
        takes: usize,
    },
    /// A node cannot take the shape that comes.
    #[error("node `{node}` of type {kind} {error} from `{from}`; correct the shapes, or the node's parameters")]
    Shape {
        /// Where it comes from.
        from: String,
        /// The node.
        node: String,
        /// Its type.
        kind: String,
        /// What it takes and what comes.
        error: ShapeError,
    },
    /// More numbers than any machine could hold.
    #[error("node `{node}` gives more than {limit} numbers, more than any machine could hold; make it smaller")]
    NodeTooLarge {
        /// The node.
        node: String,
        /// How many are taken.
        limit: usize,
    },
    /// A matrix larger than any machine's memory.
    #[error(
        "what leads to `{node}`, composed into one map, has {weights} weights, more than the {limit} any machine could \
         hold; put neurons between the linear nodes before it, or make them smaller"
    )]
    TooLarge {
        /// The node.
        node: String,
        /// How many, or more.
        weights: u128,
        /// How many are taken.
        limit: usize,
    },
    /// A delay of more steps than any machine keeps.
    #[error(
        "node `{node}`: the delay {delay} of element {index} is {steps} steps, and at most {limit} are possible; give a \
         longer dt, or the delays in the unit of dt"
    )]
    DelayTooLong {
        /// The node.
        node: String,
        /// Which element.
        index: usize,
        /// Its delay.
        delay: f64,
        /// The same in steps.
        steps: f64,
        /// How many are possible.
        limit: usize,
    },
    /// Delays in a row that are too long together.
    #[error(
        "on the way to `{node}` there are delays of {steps} steps in all, and at most {limit} are possible; shorten them"
    )]
    DelaysTooLong {
        /// The unit behind them.
        node: String,
        /// Of all of them.
        steps: u32,
        /// How many are possible.
        limit: usize,
    },
    /// A loop without neurons.
    #[error(
        "the nodes {nodes} feed each other in a cycle without neurons or Threshold between, so that a value would run \
         round without end; remove an edge, or put spiking neurons between"
    )]
    LinearCycle {
        /// Their names, in backquotes.
        nodes: String,
    },
    /// A node that never gets spikes.
    #[error("no Input leads to node `{node}`; connect or remove it")]
    Unreachable {
        /// The node.
        node: String,
    },
    /// A node that has no effect.
    #[error("node `{node}` leads to no Output; connect or remove it")]
    DeadEnd {
        /// The node.
        node: String,
    },
    /// An Output that nothing feeds.
    #[error("nothing leads to Output `{output}`; connect or remove it")]
    NothingToOutput {
        /// The Output.
        output: String,
    },
    /// Spikes of neurons that do not spike.
    #[error(
        "the spikes of Output `{output}` cannot be counted, since its neurons do not spike; choose another readout"
    )]
    CountOfPotential {
        /// The Output.
        output: String,
    },
    /// A step longer than a time constant.
    #[error(
        "node `{node}`: {constant} of neuron {neuron} is {tau}, shorter than a time step of {dt}, with which \
         forward Euler overshoots; give a shorter dt in the file's unit of time, or choose exponential Euler"
    )]
    StepTooLong {
        /// The node.
        node: String,
        /// Which time constant.
        constant: &'static str,
        /// Whose.
        neuron: usize,
        /// The constant.
        tau: f64,
        /// The step.
        dt: f64,
    },
    /// Numbers beyond all bounds.
    #[error("node `{node}`: weights, w_in and r multiply to something that is not a finite number; rescale them")]
    NotFinite {
        /// The neurons.
        node: String,
    },
    /// A format or a rounding for neurons that do not exist.
    #[error("a format or a rounding is given for `{population}`, but the neurons are {known}")]
    UnknownPopulation {
        /// As given.
        population: String,
        /// The names, in backquotes.
        known: String,
    },
    /// Two formats that cannot be converted into each other.
    #[error(
        "node `{node}`: from {current} for I to {potential} for V is more than a factor of 2^14; choose formats \
         nearer to each other"
    )]
    FormatsApart {
        /// The neurons.
        node: String,
        /// Format of `I`.
        current: Format,
        /// Format of `V`.
        potential: Format,
    },
    /// No format is possible.
    #[error(
        "node `{node}`: no format of 16 bits suits its {part} ({why}); rescale the node's weights and \
         potentials so that the threshold is near 1"
    )]
    NoFormat {
        /// The neurons.
        node: String,
        /// Which variable.
        part: Part,
        /// What they would have to hold.
        why: String,
    },
    /// Nothing to calibrate on.
    #[error("there is nothing to try number formats on; give samples, or let at least 1 be generated")]
    NoCalibration,
    /// A sample for calibration that does not fit the network.
    #[error("calibration sample {sample}: {error}")]
    Sample {
        /// Which, counted from 0.
        sample: usize,
        /// How it does not fit.
        error: RunError,
    },
    /// The importer made a network that is not well-formed: a defect of this program.
    #[error("internal error, please report: the imported network is not well-formed: {0}")]
    Internal(VerifyError),
}
