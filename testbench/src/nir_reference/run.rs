//! Steps a graph, as the table of [`super`] says.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Graph, GraphError, Kind, Neurons, Node};
use super::layer::{output_shape, values};

/// How differential equations become steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `y += (dt/τ)·f(y)`.
    ForwardEuler,
    /// `y = f∞ + (y − f∞)·e^(−dt/τ)`.
    ExponentialEuler,
}

/// What a spike does to the potential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// `v = v_reset`.
    Value,
    /// `v −= θ`.
    Subtract,
    /// snnTorch's order: θ is taken off where the *old* `v` was above it, the spike is decided on the result, and the
    /// difference of the two is made good. [`Settings::spike_from`] has no say in it.
    DelayedSubtract,
}

/// When a potential is above the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `v > θ`, as NIR says.
    Greater,
    /// `v ≥ θ`.
    GreaterEqual,
}

/// Which potential decides about a spike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpikeFrom {
    /// That after the step's update.
    New,
    /// That before it; the reset then acts on the updated potential.
    Old,
}

/// What the graph does not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Time step in the graph's unit of time.
    pub dt: f64,
    /// Integration method.
    pub method: Method,
    /// Reset.
    pub reset: Reset,
    /// Comparison, of Threshold too.
    pub comparison: Comparison,
    /// Origin of spikes.
    pub spike_from: SpikeFrom,
}

impl Settings {
    /// NIR's own: forward Euler, reset to a value, a spike where the updated potential is greater.
    pub fn new(dt: f64) -> Self {
        Self {
            dt,
            method: Method::ForwardEuler,
            reset: Reset::Value,
            comparison: Comparison::Greater,
            spike_from: SpikeFrom::New,
        }
    }
}

/// What a run leaves behind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// Per unit and step, what it gave: spikes as 0 and 1, or the potentials of an integrator.
    pub units: BTreeMap<String, Vec<Vec<f64>>>,
    /// Per unit and step, the potentials after reset; of a Threshold, its input.
    pub potentials: BTreeMap<String, Vec<Vec<f64>>>,
    /// Per Output and step, what came to it.
    pub outputs: BTreeMap<String, Vec<Vec<f64>>>,
}

/// The state of a unit or a Delay.
#[derive(Debug, Clone, Default)]
struct State {
    current: Vec<f64>,
    potential: Vec<f64>,
    /// What it gave in this step, and in the step before.
    now: Vec<f64>,
    before: Vec<f64>,
    /// What came to a Delay in all steps so far.
    history: Vec<Vec<f64>>,
}

/// One node of the flat graph.
struct Place {
    name: String,
    node: Node,
    from: Vec<usize>,
    input_shape: Vec<usize>,
    /// Of a Delay, in steps, for each element.
    delays: Vec<usize>,
    state: State,
}

/// A graph being run.
pub struct Reference {
    settings: Settings,
    places: Vec<Place>,
    /// How many steps have been made.
    step: usize,
    /// By name.
    inputs: Vec<usize>,
    /// In the order of update.
    units: Vec<usize>,
    /// Pairs (source, target) of units of which the target sees the step before.
    feedback: BTreeSet<(usize, usize)>,
}

fn is_unit(node: &Node) -> bool {
    matches!(node, Node::Neurons(_) | Node::Threshold(_))
}

impl Reference {
    /// A graph at rest.
    ///
    /// # Errors
    /// It has no meaning.
    pub fn new(graph: &Graph, settings: Settings) -> Result<Self, GraphError> {
        let flat = graph.flat()?;
        let names: BTreeMap<&str, usize> = flat.nodes.keys().zip(0..).map(|(name, i)| (name.as_str(), i)).collect();
        let mut places: Vec<Place> = flat
            .nodes
            .iter()
            .map(|(name, node)| Place {
                name: name.clone(),
                node: node.clone(),
                from: Vec::new(),
                input_shape: Vec::new(),
                delays: Vec::new(),
                state: State::default(),
            })
            .collect();
        for (from, to) in &flat.edges {
            let ends = names.get(from.as_str()).zip(names.get(to.as_str()));
            let (source, target) = ends.ok_or_else(|| GraphError::Edge { from: from.clone(), to: to.clone() })?;
            places[*target].from.push(*source);
        }
        let inputs = (0..places.len()).filter(|index| matches!(places[*index].node, Node::Input(_))).collect();
        let mut reference = Self { settings, places, step: 0, inputs, units: Vec::new(), feedback: BTreeSet::new() };
        reference.shapes()?;
        reference.delays()?;
        reference.check_cycles()?;
        reference.order();
        reference.rest();
        Ok(reference)
    }

    /// Settles every node's shape, from the Inputs on.
    fn shapes(&mut self) -> Result<(), GraphError> {
        let mut shapes: Vec<Option<Vec<usize>>> = vec![None; self.places.len()];
        for index in &self.inputs {
            shapes[*index] = Some(output_shape(&self.places[*index].name, &self.places[*index].node, &[])?);
        }
        let mut changed = true;
        while changed {
            changed = false;
            for index in 0..self.places.len() {
                if shapes[index].is_some() {
                    continue;
                }
                let place = &self.places[index];
                let Some(input) = place.from.iter().find_map(|from| shapes[*from].clone()) else { continue };
                shapes[index] = Some(output_shape(&place.name, &place.node, &input)?);
                self.places[index].input_shape = input;
                changed = true;
            }
        }
        for (index, place) in self.places.iter().enumerate() {
            let unreached = || GraphError::Unreached { node: place.name.clone() };
            let wanted: usize = place.input_shape.iter().product();
            shapes[index].as_ref().ok_or_else(unreached)?;
            for from in &place.from {
                let shape = shapes[*from].clone().ok_or_else(unreached)?;
                if shape.iter().product::<usize>() != wanted {
                    return Err(GraphError::Shape { node: place.name.clone(), kind: place.node.kind(), shape });
                }
            }
        }
        Ok(())
    }

    /// Delays as numbers of steps.
    fn delays(&mut self) -> Result<(), GraphError> {
        for place in &mut self.places {
            let Node::Delay(delay) = &place.node else { continue };
            let size: usize = place.input_shape.iter().product();
            for element in 0..size {
                let steps = (delay.at(element) / self.settings.dt).round();
                if !(0.0..1e9).contains(&steps) {
                    return Err(GraphError::Delay { node: place.name.clone(), delay: delay.at(element) });
                }
                place.delays.push(steps as usize);
            }
        }
        Ok(())
    }

    /// Whether what a node gives in a step depends on what it gets in that step.
    fn acts_within_a_step(&self, index: usize) -> bool {
        !matches!(self.places[index].node, Node::Delay(_)) || self.places[index].delays.contains(&0)
    }

    /// Refuses cycles through which a value would run without end.
    fn check_cycles(&self) -> Result<(), GraphError> {
        let passes = |index: &usize| !is_unit(&self.places[*index].node) && self.acts_within_a_step(*index);
        for start in (0..self.places.len()).filter(passes) {
            let mut seen = BTreeSet::new();
            let mut open = self.places[start].from.clone();
            while let Some(index) = open.pop() {
                if index == start {
                    return Err(GraphError::Cycle { node: self.places[start].name.clone() });
                }
                if passes(&index) && seen.insert(index) {
                    open.extend(&self.places[index].from);
                }
            }
        }
        Ok(())
    }

    /// The units and Inputs that `target` sees without another unit in between; through Delays of a step and more, too, if
    /// `delayed`.
    fn sources(&self, target: usize, delayed: bool) -> BTreeSet<usize> {
        let mut sources = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = self.places[target].from.clone();
        while let Some(index) = open.pop() {
            if is_unit(&self.places[index].node) || matches!(self.places[index].node, Node::Input(_)) {
                sources.insert(index);
            } else if (delayed || self.acts_within_a_step(index)) && seen.insert(index) {
                open.extend(&self.places[index].from);
            }
        }
        sources
    }

    /// Which units see the step before, and an order of update in which the others see this step.
    fn order(&mut self) {
        let units: Vec<usize> = (0..self.places.len()).filter(|index| is_unit(&self.places[*index].node)).collect();
        let sources: BTreeMap<usize, BTreeSet<usize>> =
            units.iter().map(|unit| (*unit, self.sources(*unit, false))).collect();
        // Everything upstream of a unit, within a step.
        let mut upstream = sources.clone();
        let mut changed = true;
        while changed {
            changed = false;
            for unit in &units {
                let more: BTreeSet<usize> = upstream[unit]
                    .iter()
                    .flat_map(|source| upstream.get(source).cloned().unwrap_or_default())
                    .collect();
                let known = upstream.entry(*unit).or_default();
                let before = known.len();
                known.extend(more);
                changed |= known.len() > before;
            }
        }
        let distance = self.distances(&units);
        let key = |unit: usize| (distance.get(&unit).copied().unwrap_or(usize::MAX), self.places[unit].name.as_str());
        for target in &units {
            for source in sources[target].iter().filter(|source| units.contains(source)) {
                // In a cycle both are upstream of each other.
                if upstream[source].contains(target) && key(*source) >= key(*target) {
                    self.feedback.insert((*source, *target));
                }
            }
        }
        let mut left = units;
        while !left.is_empty() {
            let waits = |unit: &usize| {
                let sees = |source: &usize| left.contains(source) && !self.feedback.contains(&(*source, *unit));
                sources[unit].iter().any(sees)
            };
            let next = left.iter().position(|unit| !waits(unit)).expect("what is left of cycles goes one way");
            self.units.push(left.remove(next));
        }
    }

    /// Units between the Inputs and each unit, at least.
    fn distances(&self, units: &[usize]) -> BTreeMap<usize, usize> {
        let sources: BTreeMap<usize, BTreeSet<usize>> =
            units.iter().map(|unit| (*unit, self.sources(*unit, true))).collect();
        let mut distances: BTreeMap<usize, usize> = BTreeMap::new();
        for round in 0..=units.len() {
            for unit in units {
                let reached = |source: &usize| match round {
                    0 => self.inputs.contains(source),
                    _ => distances.get(source) == Some(&(round - 1)),
                };
                if !distances.contains_key(unit) && sources[unit].iter().any(reached) {
                    distances.insert(*unit, round);
                }
            }
        }
        distances
    }

    fn rest(&mut self) {
        for place in &mut self.places {
            let size: usize = place.input_shape.iter().product();
            place.state = State {
                current: vec![0.0; size],
                potential: vec![0.0; size],
                now: vec![0.0; size],
                before: vec![0.0; size],
                history: Vec::new(),
            };
            if let Node::Neurons(neurons) = &place.node
                && neurons.parameters.contains_key("v_leak")
            {
                place.state.potential = (0..size).map(|n| neurons.get("v_leak", n)).collect();
            }
            if let Node::Neurons(neurons) = &place.node
                && !neurons.kind.spikes()
            {
                place.state.now = place.state.potential.clone();
            }
        }
    }

    /// The units in the order in which they are updated.
    pub fn unit_names(&self) -> Vec<String> {
        self.units.iter().map(|unit| self.places[*unit].name.clone()).collect()
    }

    /// Runs all steps from rest: `inputs[i][t]` are the values of the `i`-th Input, by name, in step `t`.
    ///
    /// # Panics
    /// Where there are not as many, or not as long ones, as there are Inputs.
    pub fn run(mut self, inputs: &[Vec<Vec<f64>>]) -> Trace {
        assert_eq!(inputs.len(), self.inputs.len(), "one list of values for each Input");
        let mut trace = Trace::default();
        for step in 0..inputs.first().map_or(0, Vec::len) {
            self.step = step;
            for (index, values) in self.inputs.iter().zip(inputs) {
                self.places[*index].state.now = values[step].clone();
            }
            for unit in self.units.clone() {
                let x = self.input_of(unit, Some(unit));
                let place = &mut self.places[unit];
                place.state.before = std::mem::take(&mut place.state.now);
                place.state.now = place.update(x, self.settings);
                trace.units.entry(place.name.clone()).or_default().push(place.state.now.clone());
                trace.potentials.entry(place.name.clone()).or_default().push(place.state.potential.clone());
            }
            for index in 0..self.places.len() {
                let node = &self.places[index].node;
                if matches!(node, Node::Delay(_)) {
                    let x = self.input_of(index, None);
                    self.places[index].state.history.push(x);
                } else if matches!(node, Node::Output(_)) {
                    let x = self.input_of(index, None);
                    trace.outputs.entry(self.places[index].name.clone()).or_default().push(x);
                }
            }
        }
        trace
    }

    /// The sum of what comes to a node, as the unit `seen_from` sees it; at the end of a step for `None`.
    fn input_of(&self, to: usize, seen_from: Option<usize>) -> Vec<f64> {
        let place = &self.places[to];
        let mut sum = vec![0.0; place.input_shape.iter().product()];
        for from in &place.from {
            let value = self.value_of(*from, seen_from);
            sum.iter_mut().zip(&value).for_each(|(sum, value)| *sum += value);
        }
        sum
    }

    fn value_of(&self, index: usize, seen_from: Option<usize>) -> Vec<f64> {
        let place = &self.places[index];
        match &place.node {
            Node::Input(_) => place.state.now.clone(),
            Node::Neurons(_) | Node::Threshold(_) => match seen_from {
                // Whether this unit has been updated in this step or not.
                Some(target) if self.feedback.contains(&(index, target)) => self.previous(index, target),
                _ => place.state.now.clone(),
            },
            Node::Delay(_) => {
                let within = if place.delays.contains(&0) { self.input_of(index, seen_from) } else { Vec::new() };
                let one = |(element, delay): (usize, &usize)| match delay {
                    0 => within[element],
                    delay => self.step.checked_sub(*delay).map_or(0.0, |step| place.state.history[step][element]),
                };
                place.delays.iter().enumerate().map(one).collect()
            }
            node => values(node, &place.input_shape, self.input_of(index, seen_from)),
        }
    }

    /// What a unit gave in the step before.
    fn previous(&self, source: usize, target: usize) -> Vec<f64> {
        let place = |unit: usize| self.units.iter().position(|found| *found == unit);
        let updated = source != target && place(source) < place(target);
        if updated { self.places[source].state.before.clone() } else { self.places[source].state.now.clone() }
    }
}

impl Place {
    /// One step of a unit; what it gives.
    fn update(&mut self, x: Vec<f64>, settings: Settings) -> Vec<f64> {
        let neurons = match &self.node {
            Node::Neurons(neurons) => neurons,
            Node::Threshold(threshold) => {
                let above = |(n, x): (usize, &f64)| f64::from(u8::from(settings.above(*x, threshold.at(n))));
                let spikes = x.iter().enumerate().map(above).collect();
                self.state.potential = x;
                return spikes;
            }
            other => panic!("a {} is no unit", other.kind()),
        };
        let State { current, potential, .. } = &mut self.state;
        let one = |(n, x)| neuron(neurons, n, x, &mut current[n], &mut potential[n], settings);
        x.into_iter().enumerate().map(one).collect()
    }
}

/// One step of one neuron; what it gives.
fn neuron(neurons: &Neurons, n: usize, x: f64, current: &mut f64, potential: &mut f64, settings: Settings) -> f64 {
    let get = |parameter| neurons.get(parameter, n);
    *current = match neurons.kind {
        Kind::CubaLi | Kind::CubaLif => settings.relax(*current, get("w_in") * x, get("tau_syn")),
        Kind::I | Kind::If | Kind::Li | Kind::Lif => x,
    };
    let drive = get("r") * *current;
    let old = *potential;
    let mut v = match neurons.kind {
        Kind::I | Kind::If => old + settings.dt * drive,
        Kind::Li | Kind::Lif => settings.relax(old, get("v_leak") + drive, get("tau")),
        Kind::CubaLi | Kind::CubaLif => settings.relax(old, get("v_leak") + drive, get("tau_mem")),
    };
    if !neurons.kind.spikes() {
        *potential = v;
        return v;
    }
    let threshold = get("v_threshold");
    let spike;
    if settings.reset == Reset::DelayedSubtract {
        let due = if settings.above(old, threshold) { threshold } else { 0.0 };
        v -= due;
        spike = settings.above(v, threshold);
        v = v - if spike { threshold } else { 0.0 } + due;
    } else {
        spike = match settings.spike_from {
            SpikeFrom::New => settings.above(v, threshold),
            SpikeFrom::Old => settings.above(old, threshold),
        };
        v = match settings.reset {
            Reset::Value if spike => get("v_reset"),
            Reset::Subtract if spike => v - threshold,
            _ => v,
        };
    }
    *potential = v;
    f64::from(u8::from(spike))
}

impl Settings {
    fn above(self, v: f64, threshold: f64) -> bool {
        match self.comparison {
            Comparison::Greater => v > threshold,
            Comparison::GreaterEqual => v >= threshold,
        }
    }

    /// One step of `τ·y' = target − y`.
    fn relax(self, y: f64, target: f64, tau: f64) -> f64 {
        match self.method {
            Method::ForwardEuler => y + self.dt / tau * (target - y),
            Method::ExponentialEuler => target + (y - target) * (-self.dt / tau).exp(),
        }
    }
}
