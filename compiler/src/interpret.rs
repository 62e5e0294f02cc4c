//! Executes a [`Network`] bit for bit as its compiled program will, without instructions or memories.
//!
//! Contract: vectors of 32 neurons in rising order, statements in order, operands left to right, every operation
//! through [`fenn_isa::lane`]. One set of 32 random number generators serves all populations in the order in which
//! they draw; each [`Expr::Random`] and each stochastic rounding advances all 32, whatever the mask. Where a
//! population does not fill its last vector, the remaining lanes compute too (with parameters and state as given if
//! uniform, 0 if per neuron), so that they draw as the machine's do; they never emit an event, are in no loop and appear in
//! no result.
//!
//! Invariant: an [`Interpreter`] holds a network that [`verify`] has accepted, so executing it can fail in one way only: a
//! loop of a neuron program may never end ([`RunError::Endless`]).
//!
//! Not here: instruction counts, addresses, and the encoding of samples into spikes.

use std::collections::VecDeque;

use fenn_isa::lane::{self, Generator, Rounding};
use fenn_isa::memory::LANES;

use crate::kernel::{BinaryOp, CompareOp, Cond, Expr, Place, Stmt, Table};
use crate::network::{
    Delays, Network, Output, Phase, Population, Projection, Quantity, Readout, Source, StatePolicy, Values, Weights,
};
use crate::seed::generator_seeds;
use crate::verify::{VerifyError, verify};

/// One vector register: a code per lane.
pub type Lanes = [i16; LANES];

/// Which lanes take part.
pub type Mask = [bool; LANES];

/// No lane.
const NONE: Mask = [false; LANES];

/// Which neurons spike in each step: one list per step, each in strictly rising order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpikeTrain {
    steps: Vec<Vec<u32>>,
}

impl SpikeTrain {
    /// A train from one list of neurons per step, in any order; a neuron named twice in a step spikes once.
    pub fn new(mut steps: Vec<Vec<u32>>) -> Self {
        for spikes in &mut steps {
            spikes.sort_unstable();
            spikes.dedup();
        }
        Self { steps }
    }

    /// A train of `steps` steps without spikes.
    pub fn silent(steps: usize) -> Self {
        Self { steps: vec![Vec::new(); steps] }
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether the train has no steps.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The neurons that spike in each step.
    pub fn steps(&self) -> &[Vec<u32>] {
        &self.steps
    }

    /// Number of spikes in all steps.
    pub fn count(&self) -> usize {
        self.steps.iter().map(Vec::len).sum()
    }

    /// The number of (step, neuron) pairs at which exactly one of the two trains has a spike; steps one of them lacks
    /// are silent.
    pub fn mismatches(&self, other: &Self) -> usize {
        let silent = Vec::new();
        (0..self.len().max(other.len()))
            .map(|step| {
                let a = self.steps.get(step).unwrap_or(&silent);
                let b = other.steps.get(step).unwrap_or(&silent);
                let common = a.iter().filter(|neuron| b.binary_search(neuron).is_ok()).count();
                a.len() + b.len() - 2 * common
            })
            .sum()
    }

    /// Spikes per neuron, for neurons 0 to `size − 1`; higher ones are left out.
    pub fn counts(&self, size: usize) -> Vec<u32> {
        let mut counts = vec![0; size];
        for &neuron in self.steps.iter().flatten() {
            if let Some(count) = counts.get_mut(neuron as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// The train one step later: nothing in the first step, and the last step's spikes are lost.
    pub fn delayed(&self) -> Self {
        let first = self.steps.first().map(|_| Vec::new());
        let kept = &self.steps[..self.len().saturating_sub(1)];
        Self { steps: first.into_iter().chain(kept.iter().cloned()).collect() }
    }

    /// Whether the train fits an input `input` of `size` neurons in a run of `steps` steps.
    ///
    /// # Errors
    /// [`RunError::Steps`] or [`RunError::Neuron`].
    pub fn check(&self, input: &str, size: u32, steps: u32) -> Result<(), RunError> {
        let input = || input.to_owned();
        if self.len() != steps as usize {
            return Err(RunError::Steps { input: input(), expected: steps, found: self.len() });
        }
        for (step, spikes) in self.steps.iter().enumerate() {
            if let Some(&neuron) = spikes.last().filter(|neuron| **neuron >= size) {
                return Err(RunError::Neuron { input: input(), size, neuron, step });
            }
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, spikes: Vec<u32>) {
        self.steps.push(spikes);
    }
}

/// Spikes that do not fit the network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Not one train per input.
    #[error("the network has {expected} inputs, but {found} spike trains were given")]
    Inputs {
        /// Inputs of the network.
        expected: usize,
        /// Trains given.
        found: usize,
    },
    /// A train has another length than the run.
    #[error("the spikes of input `{input}` have {found} steps, but a run of the network has {expected}")]
    Steps {
        /// Which input.
        input: String,
        /// Steps of a run.
        expected: u32,
        /// Steps of the train.
        found: usize,
    },
    /// A spike of a neuron that does not exist.
    #[error("input `{input}` has {size} neurons, but neuron {neuron} spikes in step {step}")]
    Neuron {
        /// Which input.
        input: String,
        /// Its size.
        size: u32,
        /// The neuron, counted from 0.
        neuron: u32,
        /// The step, counted from 0.
        step: usize,
    },
    /// A loop that goes on and on; the machine would never come back from it.
    #[error(
        "a loop of population `{population}` goes on after {MOST_ITERATIONS} iterations for neurons {first} and following, in step {step}; let its condition fail at last"
    )]
    Endless {
        /// Whose program.
        population: String,
        /// The first neuron of the vector.
        first: usize,
        /// The step, counted from 0.
        step: usize,
    },
}

/// A loop that has run this often is taken to be endless.
pub const MOST_ITERATIONS: u32 = 1 << 20;

/// Watches a run. The methods do nothing unless implemented, and `()` compiles to nothing.
pub trait Observer {
    /// A kernel assigned `codes` to the variable, in the lanes of `lanes` (existing neurons only).
    fn assigned(&mut self, population: usize, variable: usize, codes: &Lanes, lanes: &Mask) {
        let _ = (population, variable, codes, lanes);
    }

    /// A projection is about to add the weights `row` to `before`: the variable of all neurons or of one, or a sum of the
    /// variable's ring.
    fn added(&mut self, population: usize, variable: usize, before: &[i16], row: &[i16]) {
        let _ = (population, variable, before, row);
    }
}

impl Observer for () {}

/// Counts how often each variable met the ends of its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saturations {
    /// `[population][variable]`: additions of a weight whose sum did not fit into 16 bits, plus assignments of −32768
    /// or 32767 to a variable of saturating type.
    pub counts: Vec<Vec<u64>>,
    saturating: Vec<Vec<bool>>,
}

impl Saturations {
    /// Nothing counted yet.
    pub fn new(network: &Network) -> Self {
        let saturating: Vec<Vec<bool>> = network
            .populations
            .iter()
            .map(|population| population.kernel.variables.iter().map(|slot| slot.ty.saturating).collect())
            .collect();
        Self { counts: saturating.iter().map(|slots: &Vec<bool>| vec![0; slots.len()]).collect(), saturating }
    }
}

impl Observer for Saturations {
    fn assigned(&mut self, population: usize, variable: usize, codes: &Lanes, lanes: &Mask) {
        if self.saturating[population][variable] {
            let at_end = |(code, active): (&i16, &bool)| *active && (*code == i16::MIN || *code == i16::MAX);
            self.counts[population][variable] += codes.iter().zip(lanes).filter(|pair| at_end(*pair)).count() as u64;
        }
    }

    fn added(&mut self, population: usize, variable: usize, before: &[i16], row: &[i16]) {
        let beyond = before.iter().zip(row).filter(|(a, b)| a.checked_add(**b).is_none()).count();
        self.counts[population][variable] += beyond as u64;
    }
}

/// What a run leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// `[population][event]`: the neurons that emitted it, per step.
    pub events: Vec<Vec<SpikeTrain>>,
    /// `[population][variable]`: where [`Network::is_recorded`] says so, the codes of all neurons after the update of
    /// each step.
    pub traces: Vec<Vec<Option<Vec<Vec<i16>>>>>,
    /// `[population][variable]`: the codes of all neurons at the end.
    pub finals: Vec<Vec<Vec<i16>>>,
}

impl Run {
    /// The result `output` of `network`: one number per neuron, in the variable's unit or in spikes.
    ///
    /// `Last` is the value after the last step, `Mean` and `Max` are over all steps; for an event, the value of a step
    /// is 1 or 0 and `Count` their sum. `network` must be the one that made this run.
    pub fn readout(&self, network: &Network, output: &Output) -> Vec<f64> {
        let population = &network.populations[output.population];
        match output.quantity {
            Quantity::Variable(variable) => {
                let format = population.kernel.variables[variable].ty.format;
                let real = |code: i16| format.to_f64(code);
                let finals = &self.finals[output.population][variable];
                let fold = |start: f64, step: fn(f64, f64) -> f64| -> Vec<f64> {
                    let trace = self.traces[output.population][variable].as_deref().unwrap_or_default();
                    (0..finals.len())
                        .map(|n| trace.iter().fold(start, |acc, codes| step(acc, real(codes[n]))))
                        .collect()
                };
                match output.readout {
                    Readout::Last => finals.iter().map(|&code| real(code)).collect(),
                    Readout::Max => fold(f64::NEG_INFINITY, f64::max),
                    Readout::Mean => fold(0.0, |a, b| a + b).iter().map(|sum| sum / f64::from(network.steps)).collect(),
                    Readout::Count => fold(0.0, |a, b| a + b),
                }
            }
            Quantity::Event(event) => {
                let counts = self.events[output.population][event].counts(population.size as usize);
                counts.into_iter().map(f64::from).collect()
            }
        }
    }
}

/// A network in execution, with the state it keeps from run to run.
#[derive(Debug, Clone)]
pub struct Interpreter<'n> {
    network: &'n Network,
    generators: [Generator; LANES],
    states: Vec<State>,
    /// Per population and variable, what arrives late.
    rings: Vec<Vec<Ring>>,
    /// Per population and event, how many earlier updates' spikes are wanted.
    depths: Vec<Vec<usize>>,
}

/// The sums that are due in later updates of a variable, the next one first. Empty where no projection has
/// [`Delays::Ring`].
#[derive(Debug, Clone, Default)]
struct Ring {
    sums: VecDeque<Vec<i16>>,
}

/// The memory of one population; arrays are filled up to whole vectors.
#[derive(Debug, Clone)]
struct State {
    variables: Vec<Vec<i16>>,
    parameters: Vec<Vec<i16>>,
    /// Per event, the neurons that emitted it in the latest update, and in those before it as far as they are wanted.
    events: Vec<VecDeque<Vec<u32>>>,
    locals: Vec<Lanes>,
    /// Per event, the lanes of the current vector that emitted it.
    emitted: Vec<Mask>,
}

impl<'n> Interpreter<'n> {
    /// The network as loaded: all variables at their initial values, no spikes, generators seeded.
    ///
    /// # Errors
    /// Everything [`verify`] says against the network.
    pub fn new(network: &'n Network) -> Result<Self, Vec<VerifyError>> {
        verify(network)?;
        let depths = depths(network);
        let states = network.populations.iter().zip(&depths).map(|(population, depths)| State::new(population, depths));
        let (states, generators) = (states.collect(), generator_seeds(network.seed));
        Ok(Self { network, generators, states, rings: rings(network), depths })
    }

    /// One run: `inputs[i]` are the spikes of `network.inputs[i]`.
    ///
    /// # Errors
    /// [`RunError`] if the spikes do not fit the network, the state being as before then; or if a loop does not end.
    pub fn run(&mut self, inputs: &[SpikeTrain]) -> Result<Run, RunError> {
        self.run_observed(inputs, &mut ())
    }

    /// As [`Interpreter::run`], under the eyes of `observer`.
    ///
    /// # Errors
    /// As [`Interpreter::run`].
    pub fn run_observed<O: Observer>(&mut self, inputs: &[SpikeTrain], observer: &mut O) -> Result<Run, RunError> {
        self.check(inputs)?;
        self.reset();
        let network = self.network;
        let mut run = self.empty_run();
        for step in 0..network.steps as usize {
            for phase in &network.schedule {
                match *phase {
                    Phase::Propagate(index) => self.propagate(index, inputs, step, observer),
                    Phase::Update(index) => {
                        let population = &network.populations[index];
                        self.deliver(index);
                        self.states[index].keep_spikes(&self.depths[index]);
                        let update = self.states[index].update(index, population, &mut self.generators, observer);
                        update.map_err(|Endless(first)| RunError::Endless {
                            population: population.name.clone(),
                            first,
                            step,
                        })?;
                        self.record(index, &mut run);
                    }
                }
            }
        }
        for (finals, (state, population)) in run.finals.iter_mut().zip(self.states.iter().zip(&network.populations)) {
            *finals = state.variables.iter().map(|codes| codes[..population.size as usize].to_vec()).collect();
        }
        Ok(run)
    }

    fn check(&self, inputs: &[SpikeTrain]) -> Result<(), RunError> {
        let (expected, found) = (self.network.inputs.len(), inputs.len());
        if expected != found {
            return Err(RunError::Inputs { expected, found });
        }
        let steps = self.network.steps;
        self.network
            .inputs
            .iter()
            .zip(inputs)
            .try_for_each(|(input, train)| train.check(&input.name, input.size, steps))
    }

    fn reset(&mut self) {
        let all = self.network.state == StatePolicy::Reset;
        if all {
            self.generators = generator_seeds(self.network.seed);
        }
        let states = self.states.iter_mut().zip(&mut self.rings).zip(&self.network.populations);
        for (index, ((state, rings), population)) in states.enumerate() {
            for ((codes, ring), variable) in state.variables.iter_mut().zip(rings).zip(&population.variables) {
                if all || variable.reset {
                    *codes = fill(&variable.initial, population.size);
                    ring.sums.iter_mut().for_each(|sums| sums.fill(0));
                }
            }
            if self.network.forgets_spikes(index) {
                state.events.iter_mut().flatten().for_each(Vec::clear);
            }
        }
    }

    fn empty_run(&self) -> Run {
        let populations = || self.network.populations.iter().enumerate();
        let steps = self.network.steps as usize;
        let trace = |population, variable| {
            let recorded = self.network.is_recorded(population, Quantity::Variable(variable));
            recorded.then(|| Vec::with_capacity(steps))
        };
        Run {
            events: populations().map(|(_, p)| vec![SpikeTrain::default(); p.kernel.events.len()]).collect(),
            traces: populations().map(|(i, p)| (0..p.variables.len()).map(|v| trace(i, v)).collect()).collect(),
            finals: vec![Vec::new(); self.network.populations.len()],
        }
    }

    /// Keeps what a population has just updated.
    fn record(&self, index: usize, run: &mut Run) {
        let (population, state) = (&self.network.populations[index], &self.states[index]);
        for (train, neurons) in run.events[index].iter_mut().zip(&state.events) {
            train.push(neurons[0].clone());
        }
        for (trace, codes) in run.traces[index].iter_mut().zip(&state.variables) {
            if let Some(trace) = trace {
                trace.push(codes[..population.size as usize].to_vec());
            }
        }
    }

    fn propagate<O: Observer>(&mut self, index: usize, inputs: &[SpikeTrain], step: usize, observer: &mut O) {
        let projection = &self.network.projections[index];
        let (target, variable) = (projection.target, projection.variable);
        let slot = &self.network.populations[target].kernel.variables[variable];
        let size = self.network.populations[target].size;
        let mut sum = Sum { target, variable, size, saturating: slot.ty.saturating, observer };
        match &projection.delays {
            Delays::Ring(delays) => {
                let mut sums = std::mem::take(&mut self.rings[target][variable].sums);
                for &spike in self.spikes(projection, inputs, step, 0) {
                    projection.weights.row(spike, size, |synapse| {
                        let due = usize::from(delays[synapse.index]);
                        sum.synapse(&mut sums[due], synapse.target, synapse.weight);
                    });
                }
                self.rings[target][variable].sums = sums;
            }
            delays => {
                // Taken out while it is written, since a population may project onto itself.
                let mut codes = std::mem::take(&mut self.states[target].variables[variable]);
                match delays {
                    Delays::Sorted(delays) => {
                        let mut distinct = delays.clone();
                        distinct.sort_unstable();
                        distinct.dedup();
                        for &delay in distinct.iter().rev() {
                            for &spike in self.spikes(projection, inputs, step, usize::from(delay)) {
                                projection.weights.row(spike, size, |synapse| {
                                    if delays[synapse.index] == delay {
                                        sum.synapse(&mut codes, synapse.target, synapse.weight);
                                    }
                                });
                            }
                        }
                    }
                    Delays::None | Delays::Uniform(_) | Delays::Ring(_) => {
                        let ago = delays.longest() as usize;
                        for &spike in self.spikes(projection, inputs, step, ago) {
                            sum.row(&mut codes, &projection.weights, spike);
                        }
                    }
                }
                self.states[target].variables[variable] = codes;
            }
        }
    }

    /// The spikes of so many updates or steps ago that `projection` sees in `step`.
    fn spikes<'a>(&'a self, projection: &Projection, inputs: &'a [SpikeTrain], step: usize, ago: usize) -> &'a [u32] {
        match projection.source {
            Source::Input(input) => match step.checked_sub(ago) {
                Some(step) => &inputs[input].steps()[step],
                None => &[],
            },
            Source::Events { population, event } => &self.states[population].events[event][ago],
        }
    }

    /// Adds the sums that are due to the variables, and frees their places in the rings.
    fn deliver(&mut self, index: usize) {
        let kernel = &self.network.populations[index].kernel;
        for (variable, ring) in self.rings[index].iter_mut().enumerate() {
            let Some(mut due) = ring.sums.pop_front() else { continue };
            let saturating = kernel.variables[variable].ty.saturating;
            for (code, sum) in self.states[index].variables[variable].iter_mut().zip(&mut due) {
                *code = lane::add(*code, std::mem::take(sum), saturating);
            }
            ring.sums.push_back(due);
        }
    }
}

/// Where the weights of a projection are added.
struct Sum<'a, O> {
    target: usize,
    variable: usize,
    size: u32,
    saturating: bool,
    observer: &'a mut O,
}

impl<O: Observer> Sum<'_, O> {
    fn row(&mut self, codes: &mut [i16], weights: &Weights, spike: u32) {
        let Weights::Dense(all) = weights else {
            return weights.row(spike, self.size, |synapse| self.synapse(codes, synapse.target, synapse.weight));
        };
        let size = self.size as usize;
        let row = &all[spike as usize * size..][..size];
        self.observer.added(self.target, self.variable, &codes[..size], row);
        for (code, &weight) in codes.iter_mut().zip(row) {
            *code = lane::add(*code, weight, self.saturating);
        }
    }

    fn synapse(&mut self, codes: &mut [i16], target: u32, weight: i16) {
        let code = &mut codes[target as usize];
        self.observer.added(self.target, self.variable, &[*code], &[weight]);
        *code = lane::add(*code, weight, self.saturating);
    }
}

/// An empty ring for each variable that has one, long enough for the longest delay into it.
fn rings(network: &Network) -> Vec<Vec<Ring>> {
    let populations = network.populations.iter().enumerate().map(|(index, population)| {
        let padded = (population.size as usize).next_multiple_of(LANES);
        let rings = (0..population.variables.len()).map(|variable| {
            let into = network.projections.iter().filter(|p| (p.target, p.variable) == (index, variable));
            let delays = into.filter(|p| matches!(p.delays, Delays::Ring(_))).map(|p| p.delays.longest());
            let slots = delays.max().map_or(0, |longest| longest as usize + 1);
            Ring { sums: vec![vec![0; padded]; slots].into() }
        });
        rings.collect()
    });
    populations.collect()
}

/// How many updates before the latest one's spikes the projections look at, per population and event.
fn depths(network: &Network) -> Vec<Vec<usize>> {
    let mut depths: Vec<Vec<usize>> = network.populations.iter().map(|p| vec![0; p.kernel.events.len()]).collect();
    for projection in &network.projections {
        if let Source::Events { population, event } = projection.source
            && !matches!(projection.delays, Delays::Ring(_))
        {
            let depth = &mut depths[population][event];
            *depth = (*depth).max(projection.delays.longest() as usize);
        }
    }
    depths
}

/// `values` for `size` neurons, filled up to whole vectors as the module says.
fn fill(values: &Values, size: u32) -> Vec<i16> {
    let padded = (size as usize).next_multiple_of(LANES);
    match values {
        Values::Uniform(code) => vec![*code; padded],
        Values::PerNeuron(codes) => {
            let mut codes = codes.clone();
            codes.resize(padded, 0);
            codes
        }
    }
}

impl State {
    fn new(population: &Population, depths: &[usize]) -> Self {
        let kernel = &population.kernel;
        Self {
            variables: population.variables.iter().map(|v| fill(&v.initial, population.size)).collect(),
            parameters: population.parameters.iter().map(|values| fill(values, population.size)).collect(),
            events: depths.iter().map(|depth| vec![Vec::new(); depth + 1].into()).collect(),
            locals: vec![[0; LANES]; kernel.locals.len()],
            emitted: vec![[false; LANES]; kernel.events.len()],
        }
    }

    /// Makes room for the spikes of an update before those of earlier ones.
    fn keep_spikes(&mut self, depths: &[usize]) {
        for (events, depth) in self.events.iter_mut().zip(depths) {
            events.truncate(*depth);
            events.push_front(Vec::new());
        }
    }

    fn update<O: Observer>(
        &mut self,
        index: usize,
        population: &Population,
        generators: &mut [Generator; LANES],
        observer: &mut O,
    ) -> Result<(), Endless> {
        for first in (0..population.size as usize).step_by(LANES) {
            self.emitted.fill([false; LANES]);
            let existing: Mask = std::array::from_fn(|i| first + i < population.size as usize);
            let tables = &population.kernel.tables;
            let loops = Vec::new();
            let mut vector =
                Vector { population: index, first, existing, tables, loops, state: self, generators, observer };
            vector.block(&population.kernel.body, &[true; LANES])?;
            for (spikes, emitted) in self.events.iter_mut().zip(&self.emitted) {
                spikes[0].extend((0..LANES).filter(|&i| emitted[i] && existing[i]).map(|i| (first + i) as u32));
            }
        }
        Ok(())
    }
}

/// A loop did not end; of the vector with this first neuron.
struct Endless(usize);

/// The lanes of a loop.
struct Repeated {
    /// Those that have not left it.
    inside: Mask,
    /// And have not left out the rest of its body either.
    going: Mask,
}

/// Both.
fn both(a: &Mask, b: &Mask) -> Mask {
    each(a, b, |a, b| a && b)
}

/// `op` lane by lane.
fn each<T: Copy, U>(a: &[T; LANES], b: &[T; LANES], op: impl Fn(T, T) -> U) -> [U; LANES] {
    std::array::from_fn(|i| op(a[i], b[i]))
}

/// The execution of a kernel for 32 neurons.
struct Vector<'a, O> {
    population: usize,
    /// The neuron of lane 0.
    first: usize,
    /// Lanes that have a neuron.
    existing: Mask,
    /// Of the kernel.
    tables: &'a [Table],
    /// The loops around the present statement, the innermost last.
    loops: Vec<Repeated>,
    state: &'a mut State,
    generators: &'a mut [Generator; LANES],
    observer: &'a mut O,
}

impl<O: Observer> Vector<'_, O> {
    fn block(&mut self, body: &[Stmt], mask: &Mask) -> Result<(), Endless> {
        for stmt in body {
            // Lanes may have left the innermost loop, or the rest of its body, since the block began.
            let mask = &self.loops.last().map_or(*mask, |repeated| both(mask, &repeated.going));
            match stmt {
                Stmt::Assign { place, value } => {
                    let value = self.expr(value);
                    self.assign(*place, &value, mask);
                }
                Stmt::If { condition, then, otherwise } => {
                    let condition = self.cond(condition);
                    self.block(then, &both(mask, &condition))?;
                    self.block(otherwise, &each(mask, &condition, |active, holds| active && !holds))?;
                }
                Stmt::Emit(event) => {
                    self.state.emitted[*event].iter_mut().zip(mask).for_each(|(emitted, active)| *emitted |= *active);
                }
                Stmt::Loop { body, step } => self.repeat(body, step, mask)?,
                Stmt::While(condition) => {
                    let condition = self.cond(condition);
                    self.leave(&each(mask, &condition, |active, holds| active && !holds), true);
                    if self.loops.last().is_none_or(|repeated| repeated.inside == NONE) {
                        break;
                    }
                }
                Stmt::Break => self.leave(mask, true),
                Stmt::Continue => self.leave(mask, false),
            }
        }
        Ok(())
    }

    /// `body` and `step` until none of the lanes of `mask` is left.
    fn repeat(&mut self, body: &[Stmt], step: &[Stmt], mask: &Mask) -> Result<(), Endless> {
        let mut inside = both(mask, &self.existing);
        for _ in 0..MOST_ITERATIONS {
            if inside == NONE {
                return Ok(());
            }
            self.loops.push(Repeated { inside, going: inside });
            let mut run = self.block(body, &inside);
            if let (Ok(()), Some(repeated)) = (&run, self.loops.last_mut())
                && repeated.inside != NONE
            {
                repeated.going = repeated.inside;
                run = self.block(step, &inside);
            }
            inside = self.loops.pop().map_or(NONE, |repeated| repeated.inside);
            run?;
        }
        if inside == NONE { Ok(()) } else { Err(Endless(self.first)) }
    }

    /// The lanes of `mask` leave the innermost loop, or the rest of its body.
    fn leave(&mut self, mask: &Mask, for_good: bool) {
        if let Some(repeated) = self.loops.last_mut() {
            let without = |lanes: &Mask| each(lanes, mask, |lane, leaves| lane && !leaves);
            repeated.going = without(&repeated.going);
            if for_good {
                repeated.inside = without(&repeated.inside);
            }
        }
    }

    fn assign(&mut self, place: Place, value: &Lanes, mask: &Mask) {
        let target = match place {
            Place::Local(index) => &mut self.state.locals[index][..],
            Place::Variable(index) => {
                let lanes = std::array::from_fn(|i| mask[i] && self.existing[i]);
                self.observer.assigned(self.population, index, value, &lanes);
                &mut self.state.variables[index][self.first..][..LANES]
            }
        };
        for ((code, new), active) in target.iter_mut().zip(value).zip(mask) {
            *code = if *active { *new } else { *code };
        }
    }

    /// The next random word of every lane.
    fn random(&mut self) -> [u16; LANES] {
        std::array::from_fn(|i| self.generators[i].next())
    }

    /// Random words for a shift: drawn for stochastic rounding only.
    fn random_for(&mut self, rounding: Rounding) -> [u16; LANES] {
        match rounding {
            Rounding::Stochastic => self.random(),
            Rounding::Zero | Rounding::Nearest => [0; LANES],
        }
    }

    fn load(&self, codes: &[i16]) -> Lanes {
        std::array::from_fn(|i| codes[self.first + i])
    }

    fn expr(&mut self, expr: &Expr) -> Lanes {
        match expr {
            Expr::Constant(code) => [*code; LANES],
            Expr::Variable(index) => self.load(&self.state.variables[*index]),
            Expr::Parameter(index) => self.load(&self.state.parameters[*index]),
            Expr::Local(index) => self.state.locals[*index],
            Expr::Random => self.random().map(|word| (word >> 1) as i16),
            Expr::Binary { op, left, right } => {
                let (a, b) = (self.expr(left), self.expr(right));
                match op {
                    BinaryOp::Add => each(&a, &b, |a, b| lane::add(a, b, false)),
                    BinaryOp::AddSaturating => each(&a, &b, |a, b| lane::add(a, b, true)),
                    BinaryOp::Sub => each(&a, &b, |a, b| lane::sub(a, b, false)),
                    BinaryOp::SubSaturating => each(&a, &b, |a, b| lane::sub(a, b, true)),
                    BinaryOp::And => each(&a, &b, |a, b| a & b),
                    BinaryOp::ShiftLeft => each(&a, &b, |a, b| lane::shift_left(a, (b & 15) as u8)),
                    BinaryOp::ShiftRight => {
                        each(&a, &b, |a, b| lane::shift_right(a, (b & 15) as u8, Rounding::Zero, 0))
                    }
                }
            }
            Expr::Multiply { left, right, shift, rounding, saturating } => {
                let (a, b) = (self.expr(left), self.expr(right));
                let random = self.random_for(*rounding);
                std::array::from_fn(|i| lane::multiply(a[i], b[i], *shift, *rounding, random[i], *saturating))
            }
            Expr::ShiftLeft { value, shift } => self.expr(value).map(|code| lane::shift_left(code, *shift)),
            Expr::ShiftRight { value, shift, rounding } => {
                let value = self.expr(value);
                let random = self.random_for(*rounding);
                std::array::from_fn(|i| lane::shift_right(value[i], *shift, *rounding, random[i]))
            }
            Expr::Interpolate { table, value, shift } => {
                let value = self.expr(value);
                value.map(|value| self.tables[*table].interpolate(value, *shift))
            }
            Expr::Select { condition, then, otherwise } => {
                let condition = self.cond(condition);
                let (a, b) = (self.expr(then), self.expr(otherwise));
                std::array::from_fn(|i| if condition[i] { a[i] } else { b[i] })
            }
        }
    }

    fn cond(&mut self, cond: &Cond) -> Mask {
        match cond {
            Cond::Compare { op, left, right } => {
                let (a, b) = (self.expr(left), self.expr(right));
                match op {
                    CompareOp::Equal => each(&a, &b, |a, b| a == b),
                    CompareOp::NotEqual => each(&a, &b, |a, b| a != b),
                    CompareOp::Less => each(&a, &b, |a, b| a < b),
                    CompareOp::LessEqual => each(&a, &b, |a, b| a <= b),
                    CompareOp::Greater => each(&a, &b, |a, b| a > b),
                    CompareOp::GreaterEqual => each(&a, &b, |a, b| a >= b),
                }
            }
            Cond::And(left, right) => {
                let (a, b) = (self.cond(left), self.cond(right));
                each(&a, &b, |a, b| a && b)
            }
            Cond::Or(left, right) => {
                let (a, b) = (self.cond(left), self.cond(right));
                each(&a, &b, |a, b| a || b)
            }
            Cond::Not(inner) => self.cond(inner).map(|holds| !holds),
        }
    }
}
