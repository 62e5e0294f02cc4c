//! The network: populations, projections and the order of a time step, all in fixed point.
//!
//! Contract: this is what every front end produces and everything behind it consumes. All numbers are codes, every
//! reference is an index, and the order in which things happen within a step is explicit, so that a network means one
//! sequence of bits. [`crate::verify`] states what makes one well-formed.
//!
//! A *run* is `steps` time steps. In each step the phases of the schedule are executed in order. Each population keeps,
//! for each of its events, the spikes of its latest update; a projection that stands before its source's update in the
//! schedule therefore propagates the previous step's spikes, one that stands behind it the current step's. Input spikes
//! of step `t` are there throughout step `t`. Where a projection has [`Delays`], its spikes arrive so many steps later.
//!
//! Not here: floating-point parameters and where they came from (the front ends quantise), memory addresses, registers.

pub use fenn_isa::image::manifest::{Encoding, Readout, StatePolicy, Window};

use crate::kernel::Kernel;

mod synapses;

pub use synapses::{Convolution, Delays, Sparse, Synapse, Weights};

/// A network ready to be compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// For reports and the manifest.
    pub name: String,
    /// Model time of one step in milliseconds, where known.
    pub time_step_ms: Option<f64>,
    /// Time steps in one run, at least 1.
    pub steps: u32,
    /// [`StatePolicy::Reset`]: every run starts with all variables at their initial values and no spikes.
    /// [`StatePolicy::Carried`]: only variables whose [`Variable::reset`] is set get their initial values again, together
    /// with what is on its way into them ([`Delays::Ring`]), and the spikes of populations that are
    /// [reset](Population::is_reset) are forgotten; the rest is carried over.
    pub state: StatePolicy,
    /// Seed of the lanes' random number generators.
    pub seed: u64,
    /// Spikes from outside.
    pub inputs: Vec<Input>,
    /// The neurons.
    pub populations: Vec<Population>,
    /// Who drives whom.
    pub projections: Vec<Projection>,
    /// What happens in a time step, in order. Every projection and every population appears exactly once.
    pub schedule: Vec<Phase>,
    /// The results.
    pub outputs: Vec<Output>,
    /// What is kept of every step besides.
    pub recordings: Vec<Recording>,
}

/// Spikes from outside: one bit per neuron and step.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Unique among inputs and populations.
    pub name: String,
    /// How many neurons, at least 1.
    pub size: u32,
    /// How a sample becomes spikes.
    pub encoding: Encoding,
}

/// Neurons that run the same kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Population {
    /// Unique among inputs and populations.
    pub name: String,
    /// How many neurons, at least 1.
    pub size: u32,
    /// What each of them computes in a step.
    pub kernel: Kernel,
    /// One for each of the kernel's variables.
    pub variables: Vec<Variable>,
    /// One for each of the kernel's parameters.
    pub parameters: Vec<Values>,
}

/// The state of one variable when a machine is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its value before the first run.
    pub initial: Values,
    /// Whether it gets its initial value again before each run.
    pub reset: bool,
}

/// One code for all neurons, or one for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// The same for all.
    Uniform(i16),
    /// `size` codes.
    PerNeuron(Vec<i16>),
}

impl Values {
    /// The value of neuron `index`; out of range only for a `PerNeuron` that is too short.
    pub fn get(&self, index: usize) -> i16 {
        match self {
            Self::Uniform(code) => *code,
            Self::PerNeuron(codes) => codes[index],
        }
    }
}

/// Where spikes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// `network.inputs[_]`
    Input(usize),
    /// `kernel.events[event]` of `network.populations[population]`.
    Events {
        /// Which population.
        population: usize,
        /// Which of its events.
        event: usize,
    },
}

/// For each spike of the source, in rising order of neurons: `variable[j] = variable[j] + weight` for each of the spike's
/// synapses, in the order of [`Weights::row`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    /// Unique among projections.
    pub name: String,
    /// Whose spikes.
    pub source: Source,
    /// `network.populations[_]`
    pub target: usize,
    /// `kernel.variables[_]` of the target. The sum saturates if the variable's type does, after every synapse.
    pub variable: usize,
    /// In the variable's format.
    pub weights: Weights,
    /// How long a spike is on its way.
    pub delays: Delays,
}

/// A part of a time step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// `network.projections[_]`
    Propagate(usize),
    /// The kernel of `network.populations[_]`, for all its neurons.
    Update(usize),
}

/// Something a population has in every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// `kernel.variables[_]`, after the update.
    Variable(usize),
    /// `kernel.events[_]`
    Event(usize),
}

/// A result of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// `network.populations[_]`
    pub population: usize,
    /// What of it.
    pub quantity: Quantity,
    /// How a run's steps become one number per neuron. [`Readout::Last`] of a variable needs no recording; the others
    /// record every step; [`Readout::Count`] is for events and nothing else is.
    pub readout: Readout,
}

/// Something kept of some steps or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Recording {
    /// `network.populations[_]`
    pub population: usize,
    /// What of it.
    pub quantity: Quantity,
    /// Of which steps.
    pub window: Window,
}

impl Population {
    /// Whether nothing of it lives on from run to run: it has variables and all of them are reset. Then the spikes that
    /// it emitted in earlier runs are forgotten too, those that have not arrived yet included.
    pub fn is_reset(&self) -> bool {
        !self.variables.is_empty() && self.variables.iter().all(|variable| variable.reset)
    }
}

impl Network {
    /// Neurons of a source.
    pub fn source_size(&self, source: Source) -> u32 {
        match source {
            Source::Input(index) => self.inputs[index].size,
            Source::Events { population, .. } => self.populations[population].size,
        }
    }

    /// The name of a source: the input's, or `population.event`.
    pub fn source_name(&self, source: Source) -> String {
        match source {
            Source::Input(index) => self.inputs[index].name.clone(),
            Source::Events { population, event } => {
                let population = &self.populations[population];
                format!("{}.{}", population.name, population.kernel.events[event])
            }
        }
    }

    /// Whether steps of `quantity` have to be kept, because it is recorded or an output needs them.
    pub fn is_recorded(&self, population: usize, quantity: Quantity) -> bool {
        self.kept(population, quantity).is_some()
    }

    /// Which steps of `quantity` have to be kept: all if an output needs them, otherwise those recorded.
    pub fn kept(&self, population: usize, quantity: Quantity) -> Option<Window> {
        let read_out = |output: &Output| {
            let last = output.readout == Readout::Last;
            (output.population, output.quantity) == (population, quantity) && !last
        };
        if self.outputs.iter().any(read_out) {
            return Some(Window::WHOLE);
        }
        let recorded = |recording: &&Recording| (recording.population, recording.quantity) == (population, quantity);
        self.recordings.iter().find(recorded).map(|recording| recording.window)
    }

    /// Whether the spikes that `population` emitted in earlier runs are forgotten before a run.
    pub fn forgets_spikes(&self, population: usize) -> bool {
        self.state == StatePolicy::Reset || self.populations[population].is_reset()
    }
}
