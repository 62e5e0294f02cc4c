//! The list of what makes a [`Network`] well-formed.
//!
//! Contract: [`verify`] reports every rule a network breaks, each with its place. A network it accepts can be executed
//! by [`crate::interpret`] and compiled without meeting a bad index or a missing value. The rules, in order:
//!
//! 1. A run has at least one step; the time step, where stated, is positive and finite.
//! 2. Inputs and populations have at least one neuron; their names are unique, and such that they can be printed and be
//!    part of a file's ([`is_name`]). A latency code has a positive `tau` and no negative `threshold`.
//! 3. Slots and events of a kernel have names that are not empty and unique within the kernel.
//! 4. Statements and expressions refer to slots, events and tables that exist; shifts are 0 to 15, those between entries of a
//!    table 1 to 15; a table has 2^k + 1 codes, k from 1 to 10. A loop's conditions stand in its body or step itself, `Break`
//!    in a loop, `Continue` in a loop's body.
//! 5. A local is assigned before it is read, on every path.
//! 6. Where both sides of an operation, a comparison or an assignment are slots, they have one format; `+` and `−`
//!    on a slot of saturating type saturate.
//! 7. Every variable and every parameter has a value, uniform or one per neuron.
//! 8. Projections have unique names and join a source and a variable that exist. Dense weights are one per pair, one-to-one
//!    weights one per neuron of two equal sizes; sparse rows are in order and within the target; a convolution's shapes are
//!    those of source and target. Delays are one per synapse, and a convolution's are uniform.
//! 9. Every projection and every population appears exactly once in the schedule.
//! 10. There is at least one output; outputs and recordings refer to quantities that exist. Events are counted, and
//!     nothing else is. Nothing is recorded twice, and every recording has a step within the run.
//! 11. Where every run starts anew ([`StatePolicy::Reset`]), every variable is reset.
//!
//! Not here: whether a network fits a machine.

use std::collections::BTreeSet;
use std::fmt::Display;

use fenn_isa::image::manifest::{LONGEST_NAME, is_name};

use crate::kernel::{BinaryOp, Cond, Expr, Kernel, Place, Stmt, Type};
use crate::network::{
    Convolution, Delays, Encoding, Network, Phase, Population, Projection, Quantity, Readout, Source, Sparse,
    StatePolicy, Values, Weights, Window,
};

/// A rule that a network breaks.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VerifyError {
    /// No steps.
    #[error("a run of the network has 0 steps; it needs at least 1")]
    NoSteps,
    /// A time step that is no length of time.
    #[error("the time step is {0} ms; it must be positive and finite")]
    TimeStep(f64),
    /// A name is missing.
    #[error("{place} has an empty name; name it")]
    EmptyName {
        /// Whose name.
        place: String,
    },
    /// A name that cannot be one.
    #[error(
        "{place} has the name {name:.100?}, which holds a control character, leads out of a folder, or is longer than \
         {LONGEST_NAME} bytes; give it another"
    )]
    Name {
        /// Whose name.
        place: String,
        /// The name.
        name: String,
    },
    /// A recording of nothing.
    #[error("{place} keeps steps {from}, {from} + {every} and so on, and a run has steps 0 to {last} only")]
    Window {
        /// The recording.
        place: String,
        /// Its first step.
        from: u32,
        /// Its distance.
        every: u32,
        /// The last step of a run.
        last: u32,
    },
    /// Two things share a name.
    #[error("{place}: the name `{name}` is taken already; names are unique here")]
    DuplicateName {
        /// Whose name.
        place: String,
        /// The name.
        name: String,
    },
    /// No neurons.
    #[error("{place} has no neurons; it needs at least 1")]
    NoNeurons {
        /// The input or population.
        place: String,
    },
    /// A latency code without meaning.
    #[error("{place}: a latency code needs a positive tau and a threshold of at least 0, not {tau} and {threshold}")]
    Latency {
        /// The input.
        place: String,
        /// In steps.
        tau: f64,
        /// In units of the sample's values.
        threshold: f64,
    },
    /// An index beyond its list.
    #[error("{place} refers to {what} {index}, but there are {count}")]
    Reference {
        /// Who refers.
        place: String,
        /// To what kind of thing.
        what: &'static str,
        /// The index, counted from 0.
        index: usize,
        /// The list's length.
        count: usize,
    },
    /// A shift the machine does not have.
    #[error("{place} shifts by {shift}; shifts are 0 to 15")]
    Shift {
        /// The statement.
        place: String,
        /// The amount.
        shift: u8,
    },
    /// A table of another length.
    #[error("{place} has {found} codes; a table has 2^k + 1, with k from 1 to 10")]
    Table {
        /// Which.
        place: String,
        /// Its length.
        found: usize,
    },
    /// What belongs into a loop.
    #[error("{place} is {what}")]
    Misplaced {
        /// The statement.
        place: String,
        /// What it is.
        what: &'static str,
    },
    /// A local without a value.
    #[error("{place} reads the local `{local}`, which may not have been assigned; assign it before, on every path")]
    Unassigned {
        /// The statement.
        place: String,
        /// The local's name.
        local: String,
    },
    /// Two formats meet.
    #[error(
        "{place} joins `{left}` ({left_type}) and `{right}` ({right_type}); convert one with a shift or a multiply"
    )]
    Formats {
        /// The statement.
        place: String,
        /// Left slot.
        left: String,
        /// Its type.
        left_type: Type,
        /// Right slot.
        right: String,
        /// Its type.
        right_type: Type,
    },
    /// `+` or `−` wraps on a saturating type.
    #[error("{place} adds or subtracts `{slot}` ({ty}) with wrap-around; its type saturates, so the operation must")]
    Wraps {
        /// The statement.
        place: String,
        /// The slot.
        slot: String,
        /// Its type.
        ty: Type,
    },
    /// Not one set of values per slot.
    #[error("{place} has values for {found} {what}, but its kernel has {expected}")]
    ValueSets {
        /// The population.
        place: String,
        /// `variables` or `parameters`.
        what: &'static str,
        /// In the kernel.
        expected: usize,
        /// In the population.
        found: usize,
    },
    /// Rows or shapes that contradict themselves.
    #[error("{place} {what}")]
    Synapses {
        /// The projection.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Not one number per neuron or synapse.
    #[error("{place} has {found} numbers, but needs {expected}")]
    Length {
        /// The variable, parameter or projection.
        place: String,
        /// Needed.
        expected: u64,
        /// Present.
        found: usize,
    },
    /// Something never happens.
    #[error("{place} is missing from the schedule; everything happens once in a step")]
    Unscheduled {
        /// The projection or population.
        place: String,
    },
    /// Something happens twice.
    #[error("{place} is in the schedule more than once; everything happens once in a step")]
    Rescheduled {
        /// The projection or population.
        place: String,
    },
    /// No results.
    #[error("the network has no output; say which population's variable or event is its result")]
    NoOutput,
    /// A readout that does not suit the quantity.
    #[error("{place} has readout {readout:?}; events are read out by Count, variables by any other")]
    Readout {
        /// The output.
        place: String,
        /// Its readout.
        readout: Readout,
    },
    /// Recorded twice.
    #[error("{place} is recorded twice; once suffices")]
    DuplicateRecording {
        /// The quantity.
        place: String,
    },
    /// A variable that would be carried over.
    #[error("{place} is not reset, but the network's runs all start anew; reset it or make the state carried")]
    NotReset {
        /// The variable.
        place: String,
    },
}

/// Proves that `network` is well-formed in the sense of this module.
///
/// # Errors
/// Every rule it breaks, each named with its place; never an empty list.
pub fn verify(network: &Network) -> Result<(), Vec<VerifyError>> {
    let mut checker = Checker { network, errors: Vec::new() };
    checker.run();
    if checker.errors.is_empty() { Ok(()) } else { Err(checker.errors) }
}

struct Checker<'n> {
    network: &'n Network,
    errors: Vec<VerifyError>,
}

impl Checker<'_> {
    fn run(&mut self) {
        let network = self.network;
        if network.steps == 0 {
            self.errors.push(VerifyError::NoSteps);
        }
        if let Some(step) = network.time_step_ms.filter(|step| !(step.is_finite() && *step > 0.0)) {
            self.errors.push(VerifyError::TimeStep(step));
        }
        self.groups();
        for population in &network.populations {
            self.population(population);
        }
        let names = network.projections.iter().enumerate().map(|(i, p)| (format!("projection {i}"), p.name.as_str()));
        self.names(names);
        for projection in &network.projections {
            self.projection(projection);
        }
        self.schedule();
        self.results();
    }

    /// `index` if it is inside a list of `count`, reported otherwise.
    fn reference(&mut self, place: impl Display, what: &'static str, index: usize, count: usize) -> Option<usize> {
        if index >= count {
            self.errors.push(VerifyError::Reference { place: place.to_string(), what, index, count });
        }
        (index < count).then_some(index)
    }

    fn names<'a>(&mut self, named: impl Iterator<Item = (String, &'a str)>) {
        let mut taken = BTreeSet::new();
        for (place, name) in named {
            if name.is_empty() {
                self.errors.push(VerifyError::EmptyName { place });
            } else if !is_name(name) {
                self.errors.push(VerifyError::Name { place, name: name.to_owned() });
            } else if !taken.insert(name) {
                self.errors.push(VerifyError::DuplicateName { place, name: name.to_owned() });
            }
        }
    }

    fn groups(&mut self) {
        let network = self.network;
        if !is_name(&network.name) {
            self.errors.push(VerifyError::Name { place: "the network".to_owned(), name: network.name.clone() });
        }
        let inputs = network.inputs.iter().enumerate().map(|(i, input)| (format!("input {i}"), input.name.as_str()));
        let populations = network.populations.iter().enumerate();
        self.names(inputs.chain(populations.map(|(i, p)| (format!("population {i}"), p.name.as_str()))));
        for input in &network.inputs {
            let place = format!("input `{}`", input.name);
            match input.encoding {
                Encoding::Latency { tau, threshold }
                    if !(tau > 0.0 && tau.is_finite() && threshold >= 0.0 && threshold.is_finite()) =>
                {
                    self.errors.push(VerifyError::Latency { place: place.clone(), tau, threshold });
                }
                Encoding::Latency { .. } | Encoding::Spikes => {}
            }
            if input.size == 0 {
                self.errors.push(VerifyError::NoNeurons { place });
            }
        }
    }

    fn population(&mut self, population: &Population) {
        let place = format!("population `{}`", population.name);
        let kernel = &population.kernel;
        if population.size == 0 {
            self.errors.push(VerifyError::NoNeurons { place: place.clone() });
        }
        let slots = [("variable", &kernel.variables), ("parameter", &kernel.parameters), ("local", &kernel.locals)];
        let slots = slots.iter().flat_map(|(what, list)| list.iter().map(move |slot| (*what, slot.name.as_str())));
        let events = kernel.events.iter().map(|name| ("event", name.as_str()));
        self.names(slots.chain(events).map(|(what, name)| (format!("{place}, {what}"), name)));
        for table in kernel.tables.iter().filter(|table| table.index_bits().is_none()) {
            let (place, found) = (format!("{place}, table `{}`", table.name), table.codes.len());
            self.errors.push(VerifyError::Table { place, found });
        }
        let mut body = BodyChecker { kernel, place: &place, loops: Vec::new(), errors: &mut self.errors };
        body.block(&kernel.body, "statement ", &mut BTreeSet::new(), false);

        let variables: Vec<&Values> = population.variables.iter().map(|variable| &variable.initial).collect();
        let parameters: Vec<&Values> = population.parameters.iter().collect();
        for (what, slots, values) in
            [("variables", &kernel.variables, &variables), ("parameters", &kernel.parameters, &parameters)]
        {
            let (expected, found) = (slots.len(), values.len());
            if expected != found {
                self.errors.push(VerifyError::ValueSets { place: place.clone(), what, expected, found });
            }
            for (slot, values) in slots.iter().zip(values) {
                if let Values::PerNeuron(codes) = values
                    && codes.len() as u64 != u64::from(population.size)
                {
                    let (expected, found) = (u64::from(population.size), codes.len());
                    self.errors.push(VerifyError::Length {
                        place: format!("{place}, `{}`", slot.name),
                        expected,
                        found,
                    });
                }
            }
        }
        if self.network.state == StatePolicy::Reset {
            for (slot, _) in kernel.variables.iter().zip(&population.variables).filter(|(_, variable)| !variable.reset)
            {
                self.errors.push(VerifyError::NotReset { place: format!("{place}, `{}`", slot.name) });
            }
        }
    }

    fn projection(&mut self, projection: &Projection) {
        let network = self.network;
        let place = format!("projection `{}`", projection.name);
        let source = match projection.source {
            Source::Input(input) => {
                self.reference(&place, "input", input, network.inputs.len()).map(|input| network.inputs[input].size)
            }
            Source::Events { population, event } => {
                self.reference(&place, "population", population, network.populations.len()).map(|population| {
                    let population = &network.populations[population];
                    self.reference(&place, "event", event, population.kernel.events.len());
                    population.size
                })
            }
        };
        let target = self.reference(&place, "population", projection.target, network.populations.len()).map(|target| {
            let target = &network.populations[target];
            self.reference(&place, "variable", projection.variable, target.kernel.variables.len());
            target.size
        });
        if let (Some(source), Some(target)) = (source, target) {
            self.weights(place, projection, source, target);
        }
    }

    fn weights(&mut self, place: String, projection: &Projection, source: u32, target: u32) {
        let codes = projection.weights.codes().len();
        let mut length = |place: String, expected: u64, found: usize| {
            if expected != found as u64 {
                self.errors.push(VerifyError::Length { place, expected, found });
            }
        };
        let broken = match &projection.weights {
            Weights::Dense(codes) => {
                length(place.clone(), u64::from(source) * u64::from(target), codes.len());
                None
            }
            Weights::OneToOne(codes) => {
                length(place.clone(), source.into(), codes.len());
                (source != target).then_some("joins neuron to neuron two populations of different sizes")
            }
            Weights::Sparse(sparse) => broken_rows(sparse, source, target),
            Weights::Convolution(convolution) => broken_convolution(convolution, source, target),
        };
        match &projection.delays {
            Delays::None | Delays::Uniform(_) => {}
            Delays::Ring(steps) | Delays::Sorted(steps) => {
                length(format!("{place}, delays"), codes as u64, steps.len())
            }
        }
        let shared = matches!(projection.weights, Weights::Convolution(_));
        let single = matches!(projection.delays, Delays::Ring(_) | Delays::Sorted(_));
        let delayed = (shared && single).then_some("has a delay per synapse, but its synapses share a kernel");
        let problems = broken.into_iter().chain(delayed);
        self.errors.extend(problems.map(|what| VerifyError::Synapses { place: place.clone(), what }));
    }

    fn schedule(&mut self) {
        let network = self.network;
        let mut projections = vec![0_u32; network.projections.len()];
        let mut populations = vec![0_u32; network.populations.len()];
        for (position, phase) in network.schedule.iter().enumerate() {
            let (what, index, seen) = match *phase {
                Phase::Propagate(index) => ("projection", index, &mut projections),
                Phase::Update(index) => ("population", index, &mut populations),
            };
            if self.reference(format_args!("phase {position} of the schedule"), what, index, seen.len()).is_some() {
                seen[index] += 1;
            }
        }
        let projections =
            network.projections.iter().zip(projections).map(|(p, n)| (format!("projection `{}`", p.name), n));
        let populations =
            network.populations.iter().zip(populations).map(|(p, n)| (format!("population `{}`", p.name), n));
        for (place, seen) in projections.chain(populations) {
            match seen {
                0 => self.errors.push(VerifyError::Unscheduled { place }),
                1 => {}
                2.. => self.errors.push(VerifyError::Rescheduled { place }),
            }
        }
    }

    fn results(&mut self) {
        let network = self.network;
        if network.outputs.is_empty() {
            self.errors.push(VerifyError::NoOutput);
        }
        for (index, output) in network.outputs.iter().enumerate() {
            let place = format!("output {index}");
            self.quantity(&place, output.population, output.quantity);
            if matches!(output.quantity, Quantity::Event(_)) != (output.readout == Readout::Count) {
                self.errors.push(VerifyError::Readout { place, readout: output.readout });
            }
        }
        let mut seen = BTreeSet::new();
        for (index, recording) in network.recordings.iter().enumerate() {
            let place = format!("recording {index}");
            self.quantity(&place, recording.population, recording.quantity);
            let Window { from, every } = recording.window;
            if recording.window.count(network.steps) == 0 && network.steps > 0 {
                let (place, last) = (place.clone(), network.steps - 1);
                self.errors.push(VerifyError::Window { place, from, every, last });
            }
            let key = match recording.quantity {
                Quantity::Variable(variable) => (recording.population, false, variable),
                Quantity::Event(event) => (recording.population, true, event),
            };
            if !seen.insert(key) {
                self.errors.push(VerifyError::DuplicateRecording { place });
            }
        }
    }

    fn quantity(&mut self, place: &str, population: usize, quantity: Quantity) {
        let populations = &self.network.populations;
        if self.reference(place, "population", population, populations.len()).is_none() {
            return;
        }
        let kernel = &populations[population].kernel;
        match quantity {
            Quantity::Variable(index) => self.reference(place, "variable", index, kernel.variables.len()),
            Quantity::Event(index) => self.reference(place, "event", index, kernel.events.len()),
        };
    }
}

/// A loop, and the locals that have values on all ways out of it, and to its step.
#[derive(Default)]
struct Loop {
    in_step: bool,
    left: Option<BTreeSet<usize>>,
    continued: Option<BTreeSet<usize>>,
}

/// Both, where one may not have been reached yet.
fn meet(so_far: &mut Option<BTreeSet<usize>>, assigned: &BTreeSet<usize>) {
    *so_far = Some(match so_far {
        None => assigned.clone(),
        Some(so_far) => so_far.intersection(assigned).copied().collect(),
    });
}

/// Rules 4 to 6, for one kernel.
struct BodyChecker<'a> {
    kernel: &'a Kernel,
    /// The population.
    place: &'a str,
    /// The loops around the present statement.
    loops: Vec<Loop>,
    errors: &'a mut Vec<VerifyError>,
}

impl BodyChecker<'_> {
    /// `assigned`: the locals assigned before the block; after it, also those the block assigns on every path. `own`: whether
    /// the block is the body or the step of a loop.
    fn block(&mut self, body: &[Stmt], path: &str, assigned: &mut BTreeSet<usize>, own: bool) {
        for (index, stmt) in body.iter().enumerate() {
            let path = format!("{path}{index}");
            match stmt {
                Stmt::Assign { place, value } => {
                    self.expr(value, &path, assigned);
                    self.assign(*place, value, &path, assigned);
                }
                Stmt::If { condition, then, otherwise } => {
                    self.cond(condition, &path, assigned);
                    let (mut in_then, mut in_otherwise) = (assigned.clone(), assigned.clone());
                    self.block(then, &format!("{path}.then."), &mut in_then, false);
                    self.block(otherwise, &format!("{path}.else."), &mut in_otherwise, false);
                    assigned.extend(in_then.intersection(&in_otherwise));
                }
                Stmt::Emit(event) => {
                    self.reference(&path, "event", *event, self.kernel.events.len());
                }
                Stmt::Loop { body, step } => self.repeat(body, step, &path, assigned),
                Stmt::While(condition) => {
                    self.cond(condition, &path, assigned);
                    match self.loops.last_mut().filter(|_| own) {
                        Some(around) => meet(&mut around.left, assigned),
                        None => self.misplaced(&path, "a condition of a loop, but not in a loop itself"),
                    }
                }
                Stmt::Break => match self.loops.last_mut() {
                    Some(around) => {
                        meet(&mut around.left, assigned);
                        assigned.extend(0..self.kernel.locals.len());
                    }
                    None => self.misplaced(&path, "a break outside of any loop"),
                },
                Stmt::Continue => match self.loops.last_mut().filter(|around| !around.in_step) {
                    Some(around) => {
                        meet(&mut around.continued, assigned);
                        assigned.extend(0..self.kernel.locals.len());
                    }
                    None => self.misplaced(&path, "a continue outside of any loop's body"),
                },
            }
        }
    }

    /// What nobody reaches, such as what stands behind a `Break`, counts as assigned.
    fn repeat(&mut self, body: &[Stmt], step: &[Stmt], path: &str, assigned: &mut BTreeSet<usize>) {
        self.loops.push(Loop::default());
        let mut inside = assigned.clone();
        self.block(body, &format!("{path}.body."), &mut inside, true);
        if let Some(around) = self.loops.last_mut() {
            around.in_step = true;
            meet(&mut around.continued, &inside);
            inside = around.continued.take().unwrap_or_default();
        }
        self.block(step, &format!("{path}.step."), &mut inside, true);
        // A loop that nobody leaves has nothing behind it.
        if let Some(left) = self.loops.pop().and_then(|around| around.left) {
            *assigned = left;
        }
    }

    fn misplaced(&mut self, path: &str, what: &'static str) {
        self.errors.push(VerifyError::Misplaced { place: self.at(path), what });
    }

    fn assign(&mut self, place: Place, value: &Expr, path: &str, assigned: &mut BTreeSet<usize>) {
        let target = match place {
            Place::Variable(index) => {
                self.reference(path, "variable", index, self.kernel.variables.len());
                Expr::Variable(index)
            }
            Place::Local(index) => {
                self.reference(path, "local", index, self.kernel.locals.len());
                assigned.insert(index);
                Expr::Local(index)
            }
        };
        self.formats(&target, value, path);
    }

    fn at(&self, path: &str) -> String {
        format!("{}, {path}", self.place)
    }

    fn reference(&mut self, path: &str, what: &'static str, index: usize, count: usize) {
        if index >= count {
            self.errors.push(VerifyError::Reference { place: self.at(path), what, index, count });
        }
    }

    /// The name and type of an expression that is a slot.
    fn slot(&self, expr: &Expr) -> Option<(String, Type)> {
        let slot = match *expr {
            Expr::Variable(index) => self.kernel.variables.get(index),
            Expr::Parameter(index) => self.kernel.parameters.get(index),
            Expr::Local(index) => self.kernel.locals.get(index),
            _ => None,
        };
        slot.map(|slot| (slot.name.clone(), slot.ty))
    }

    fn formats(&mut self, left: &Expr, right: &Expr, path: &str) {
        if let (Some((left, left_type)), Some((right, right_type))) = (self.slot(left), self.slot(right))
            && left_type.format != right_type.format
        {
            self.errors.push(VerifyError::Formats { place: self.at(path), left, left_type, right, right_type });
        }
    }

    fn shift(&mut self, shift: u8, path: &str) {
        if shift > 15 {
            self.errors.push(VerifyError::Shift { place: self.at(path), shift });
        }
    }

    fn expr(&mut self, expr: &Expr, path: &str, assigned: &BTreeSet<usize>) {
        match expr {
            Expr::Constant(_) | Expr::Random => {}
            Expr::Variable(index) => self.reference(path, "variable", *index, self.kernel.variables.len()),
            Expr::Parameter(index) => self.reference(path, "parameter", *index, self.kernel.parameters.len()),
            Expr::Local(index) => match self.kernel.locals.get(*index) {
                None => self.reference(path, "local", *index, self.kernel.locals.len()),
                Some(_) if assigned.contains(index) => {}
                Some(slot) => {
                    self.errors.push(VerifyError::Unassigned { place: self.at(path), local: slot.name.clone() });
                }
            },
            Expr::Binary { op, left, right } => {
                self.expr(left, path, assigned);
                self.expr(right, path, assigned);
                self.binary(*op, left, right, path);
            }
            Expr::Multiply { left, right, shift, rounding: _, saturating: _ } => {
                self.expr(left, path, assigned);
                self.expr(right, path, assigned);
                self.shift(*shift, path);
            }
            Expr::ShiftLeft { value, shift } | Expr::ShiftRight { value, shift, rounding: _ } => {
                self.expr(value, path, assigned);
                self.shift(*shift, path);
            }
            Expr::Interpolate { table, value, shift } => {
                self.expr(value, path, assigned);
                self.reference(path, "table", *table, self.kernel.tables.len());
                if !(1..=15).contains(shift) {
                    self.errors.push(VerifyError::Shift { place: self.at(path), shift: *shift });
                }
            }
            Expr::Select { condition, then, otherwise } => {
                self.cond(condition, path, assigned);
                self.expr(then, path, assigned);
                self.expr(otherwise, path, assigned);
                self.formats(then, otherwise, path);
            }
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, path: &str) {
        match op {
            BinaryOp::And | BinaryOp::ShiftLeft | BinaryOp::ShiftRight => return,
            BinaryOp::AddSaturating | BinaryOp::SubSaturating => {}
            BinaryOp::Add | BinaryOp::Sub => {
                for side in [left, right] {
                    if let Some((slot, ty)) = self.slot(side).filter(|(_, ty)| ty.saturating) {
                        self.errors.push(VerifyError::Wraps { place: self.at(path), slot, ty });
                    }
                }
            }
        }
        self.formats(left, right, path);
    }

    fn cond(&mut self, cond: &Cond, path: &str, assigned: &BTreeSet<usize>) {
        match cond {
            Cond::Compare { op: _, left, right } => {
                self.expr(left, path, assigned);
                self.expr(right, path, assigned);
                self.formats(left, right, path);
            }
            Cond::And(left, right) | Cond::Or(left, right) => {
                self.cond(left, path, assigned);
                self.cond(right, path, assigned);
            }
            Cond::Not(inner) => self.cond(inner, path, assigned),
        }
    }
}

/// What is wrong with rows from `source` to `target` neurons.
fn broken_rows(sparse: &Sparse, source: u32, target: u32) -> Option<&'static str> {
    let Sparse { starts, targets, weights } = sparse;
    if targets.len() != weights.len() {
        return Some("has not one target per weight");
    }
    let whole = starts.first() == Some(&0) && starts.last().is_some_and(|end| *end as usize == targets.len());
    if starts.len() != source as usize + 1 || !whole || !starts.is_sorted() {
        return Some("has rows that do not divide its synapses among its source's neurons");
    }
    if targets.iter().any(|neuron| *neuron >= target) {
        return Some("has a synapse onto a neuron that its target does not have");
    }
    let sorted = (0..source).all(|neuron| targets[sparse.row(neuron)].is_sorted());
    (!sorted).then_some("has a row whose targets are not in rising order")
}

/// What is wrong with a convolution from `source` to `target` neurons.
fn broken_convolution(convolution: &Convolution, source: u32, target: u32) -> Option<&'static str> {
    let size = |shape: &[u32]| shape.iter().try_fold(1_u32, |product, extent| product.checked_mul(*extent));
    let Convolution { extent, pool, stride, dilation, groups, .. } = convolution;
    let positive = [extent, pool, stride, dilation].into_iter().flatten().chain([groups]).all(|number| *number > 0);
    if !positive {
        return Some("has a kernel, a pool, a stride, a dilation or a number of groups of 0");
    }
    if size(&convolution.source) != Some(source) || size(&convolution.target) != Some(target) {
        return Some("has channels, rows and columns that are not its source's or its target's");
    }
    let (inputs, outputs) = (convolution.source[0], convolution.target[0]);
    if !inputs.is_multiple_of(*groups) || !outputs.is_multiple_of(*groups) {
        return Some("has groups that do not divide its channels");
    }
    let codes = size(&[outputs, inputs / groups, extent[0], extent[1]]);
    (codes.map(|codes| codes as usize) != Some(convolution.kernel.len()))
        .then_some("has a kernel whose size is not target channels x source channels of a group x rows x columns")
}
