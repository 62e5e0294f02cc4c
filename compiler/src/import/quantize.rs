//! From a [`Model`] and number formats to a [`Network`].
//!
//! Contract: a population with formats `sX.F` for `I` and `sY.G` for `V` becomes, in this order,
//!
//! ```text
//! I = I +| Bias                              where there is a bias
//! T = V > Threshold ? Threshold +| Threshold : Threshold          for reset as in snnTorch
//! V = mul(Alpha, V, 15) +| convert(I)        or Leak +| mul(Alpha, V -| Leak, 15) +| convert(I)
//! if (V > T) { Spike(); V = V -| Threshold; }                     or V = Reset, or nothing for Threshold nodes
//! I = mul(Beta, I, 15)                       or 0 where there is no synaptic current
//! ```
//!
//! with `+|` and `-|` saturating and `convert(I) = sra(I, F − G)`, or `mul_s(I, 2^(G − F), 0)` if `G > F`. Multiplies and
//! shifts round as [`Roundings`] says: those of `Beta` and `convert` as `I`, that of `Alpha` as `V`. Where all of a population keep
//! all of `V`, or nothing, there is no `Alpha`. `r`, `w_in` and the gains of both equations are folded into the weights and the bias
//! of each target neuron, so `I` is what it adds to `V` in a step; where a shared kernel forbids that,
//! `convert(I) = mul_s(Gain, I, ·)`. Decays are s0.15, or s1.14 where one would round to 1. Every number is rounded once, to
//! nearest.
//!
//! Connections from one source to one population that differ in delays only become one projection with a delay per synapse, if
//! there are many; see [`MOST_APART`].
//!
//! Invariant: what the network computes is the model, but for rounding and saturation.
//!
//! Not here: the choice of formats.

use fenn_isa::fixed::Format;
use rayon::prelude::*;

use crate::kernel::{BinaryOp, CompareOp, Cond, Expr, Kernel, Place, Rounding, Slot, Stmt, Type};
use crate::network::{
    Delays, Encoding, Input, Network, Output, Phase, Population, Projection, Quantity, Readout, Recording, Sparse,
    StatePolicy, Values, Variable, Weights, Window,
};
use crate::place::DelayCosts;

use super::error::ImportError;
use super::exact::Factor;
use super::linear::Map;
use super::model::{Connection, Leak, Model, Neurons, OnSpike, Spike};
use super::options::{Comparison, Record, SpikeFrom};

/// Up to so many delays between the same two, each has a projection of its own.
pub const MOST_APART: usize = 2;

/// `kernel.variables[CURRENT]` is `I`.
pub const CURRENT: usize = 0;
/// `kernel.variables[POTENTIAL]` is `V`.
pub const POTENTIAL: usize = 1;
/// `kernel.events[SPIKE]` is `Spike`.
pub const SPIKE: usize = 0;

/// The number formats of one population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Formats {
    /// Of `I`, weights and bias.
    #[serde(rename = "I")]
    pub current: Format,
    /// Of `V`, threshold, reset and leak potentials.
    #[serde(rename = "V")]
    pub potential: Format,
}

/// How the operations of one population round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Roundings {
    /// The decay of `I` and its conversion.
    #[serde(rename = "I", serialize_with = "super::options::rounding_name")]
    pub current: Rounding,
    /// The decay of `V`.
    #[serde(rename = "V", serialize_with = "super::options::rounding_name")]
    pub potential: Rounding,
}

impl Roundings {
    /// The same for both.
    pub fn both(rounding: Rounding) -> Self {
        Self { current: rounding, potential: rounding }
    }
}

/// Everything about numbers that a model leaves open, for one population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Formats.
    pub formats: Formats,
    /// Roundings.
    pub roundings: Roundings,
}

/// Numbers that had to be moved to an end of their format's range, or to 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Clipped {
    /// Weights in all; those of a shared kernel once.
    pub weights: usize,
    /// Weights out of range.
    pub weights_clipped: usize,
    /// Weights that are not 0 but became so.
    pub weights_vanished: usize,
    /// Biases, thresholds, resets and leaks out of range.
    pub parameters_clipped: usize,
}

impl Clipped {
    fn weight(&mut self, factor: &Factor, number: f64, format: Format) -> i16 {
        let quantized = factor.quantize(number, format);
        self.weights += 1;
        self.weights_clipped += usize::from(quantized.saturated);
        self.weights_vanished += usize::from(quantized.code == 0 && number != 0.0 && factor.nearest != 0.0);
        quantized.code
    }

    fn plus(mut self, other: Self) -> Self {
        let Self { weights, weights_clipped, weights_vanished, parameters_clipped } = other;
        self.weights += weights;
        self.weights_clipped += weights_clipped;
        self.weights_vanished += weights_vanished;
        self.parameters_clipped += parameters_clipped;
        self
    }
}

/// The format of the factor that converts `I`, and the shift behind the multiply: where gains are not folded. `None` where no
/// shift of 0 to 15 bits does it.
pub(super) fn gain_format(neurons: &Neurons, formats: Formats) -> Option<(Format, u8)> {
    let fits =
        |format: &Format| (0..neurons.size).all(|neuron| !neurons.factor(neuron).quantize(1.0, *format).saturated);
    let shift = |format: Format| {
        let shift = i16::from(formats.current.fraction_bits()) + i16::from(format.fraction_bits())
            - i16::from(formats.potential.fraction_bits());
        u8::try_from(shift).ok().filter(|shift| *shift <= 15)
    };
    Format::all().rev().filter(fits).find_map(|format| Some((format, shift(format)?)))
}

/// Whether `I` can be converted: multiplying by 2^15 is beyond a lane.
pub(super) fn convertible(neurons: &Neurons, formats: Formats) -> bool {
    if neurons.folded {
        formats.potential.fraction_bits() < formats.current.fraction_bits() + 15
    } else {
        gain_format(neurons, formats).is_some()
    }
}

/// The finest format in which a population's decays are not clipped, and how fine they are not.
pub(super) fn decay_format(leak: &Leak) -> Format {
    let fits = |format: Format| leak.decays.iter().all(|decay| !decay.quantize(1.0, format).saturated);
    // Some format always fits a number of at most 1.
    Format::all().rev().find(|format| fits(*format)).unwrap_or(Format::UNIT)
}

/// The whole network, and what was clipped in each population.
///
/// # Errors
/// [`ImportError::FormatsApart`].
pub fn network(model: &Model, choices: &[Choice], record: Record) -> Result<(Network, Vec<Clipped>), Vec<ImportError>> {
    let mut network = empty(model);
    network.inputs = model.inputs.iter().map(|(name, size)| input(name, *size)).collect();
    let mut clipped = Vec::new();
    let mut errors = Vec::new();
    for (neurons, &choice) in model.populations.iter().zip(choices) {
        match population(neurons, choice) {
            Ok((population, losses)) => {
                network.populations.push(population);
                clipped.push(losses);
            }
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    // All connections between the same two follow each other in the schedule.
    let mut done = 0;
    for phase in &model.schedule {
        match *phase {
            Phase::Update(index) => network.schedule.push(Phase::Update(index)),
            Phase::Propagate(index) if index >= done => {
                let first = &model.connections[index];
                let same = |c: &&Connection| (c.source, c.target) == (first.source, first.target);
                let group: Vec<&Connection> = model.connections[index..].iter().take_while(same).collect();
                done = index + group.len();
                let target = first.target;
                let format = choices[target].formats.current;
                let (projections, losses) = projections(model, &group, format);
                clipped[target] = std::mem::take(&mut clipped[target]).plus(losses);
                for projection in projections {
                    network.schedule.push(Phase::Propagate(network.projections.len()));
                    network.projections.push(projection);
                }
            }
            Phase::Propagate(_) => {}
        }
    }
    let quantity =
        |readout| if readout == Readout::Count { Quantity::Event(SPIKE) } else { Quantity::Variable(POTENTIAL) };
    let output =
        |&(population, readout): &(usize, Readout)| Output { population, quantity: quantity(readout), readout };
    network.outputs = model.outputs.iter().map(output).collect();
    for (index, neurons) in model.populations.iter().enumerate() {
        let mut keep =
            |quantity| network.recordings.push(Recording { population: index, quantity, window: Window::WHOLE });
        if record != Record::None && neurons.spike.is_some() {
            keep(Quantity::Event(SPIKE));
        }
        if record == Record::All {
            keep(Quantity::Variable(CURRENT));
            keep(Quantity::Variable(POTENTIAL));
        }
    }
    Ok((network, clipped))
}

fn empty(model: &Model) -> Network {
    Network {
        name: model.name.clone(),
        time_step_ms: Some(model.dt * 1e3).filter(|step| *step > 0.0 && step.is_finite()),
        steps: model.steps,
        state: StatePolicy::Reset,
        // Nothing in an imported network is random.
        seed: 0,
        inputs: Vec::new(),
        populations: Vec::new(),
        projections: Vec::new(),
        schedule: Vec::new(),
        outputs: Vec::new(),
        recordings: Vec::new(),
    }
}

/// Sizes fit: `Wiring` bounds them far below 2^32.
fn size_of(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

fn input(name: &str, size: usize) -> Input {
    Input { name: name.to_owned(), size: size_of(size), encoding: Encoding::Spikes }
}

/// What becomes of connections from one source to one population.
fn projections(model: &Model, group: &[&Connection], format: Format) -> (Vec<Projection>, Clipped) {
    let Connection { source, target, .. } = *group[0];
    let neurons = &model.populations[target];
    let name = format!("{}->{}", model.source_name(source), neurons.name);
    let factors = neurons.folded_factors();
    let projection = |name, weights, delays| Projection { name, source, target, variable: CURRENT, weights, delays };
    let shared = group.iter().any(|connection| matches!(connection.map, Map::Convolution(_)));
    if group.len() > MOST_APART && !shared {
        let (weights, delays, clipped) = with_delays(group, &factors, format);
        return (vec![projection(name, weights, delays)], clipped);
    }
    let mut clipped = Clipped::default();
    let mut projections = Vec::new();
    for connection in group {
        let (weights, losses) = codes(&connection.map, &factors, format);
        clipped = clipped.plus(losses);
        let (name, delays) = match connection.delay {
            0 => (name.clone(), Delays::None),
            delay => (format!("{name} after {delay}"), Delays::Uniform(delay)),
        };
        projections.push(projection(name, weights, delays));
    }
    (projections, clipped)
}

/// The codes of a map.
fn codes(map: &Map, factors: &[Factor], format: Format) -> (Weights, Clipped) {
    let mut clipped = Clipped::default();
    let weights = match map {
        Map::Dense { targets, weights, .. } => {
            let mut codes = vec![0; weights.len()];
            let rows = codes.par_chunks_mut((*targets).max(1)).zip(weights.par_chunks((*targets).max(1)));
            let losses = rows.map(|(codes, row)| {
                let mut clipped = Clipped::default();
                for ((code, weight), factor) in codes.iter_mut().zip(row).zip(factors) {
                    *code = clipped.weight(factor, *weight, format);
                }
                clipped
            });
            clipped = losses.reduce(Clipped::default, Clipped::plus);
            Weights::Dense(codes)
        }
        Map::Diagonal(weights) => {
            let code = |(weight, factor): (&f64, &Factor)| clipped.weight(factor, *weight, format);
            Weights::OneToOne(weights.iter().zip(factors).map(code).collect())
        }
        Map::Convolution(kernel) => {
            let [_, rows, columns] = kernel.geometry().target;
            let area = (rows * columns) as usize;
            let channel = |(channel, weights): (usize, &[f64])| -> Vec<i16> {
                // All factors of a channel are the same: `Model` folds them only then.
                weights.iter().map(|weight| clipped.weight(&factors[channel * area], *weight, format)).collect()
            };
            let chunks = kernel.weights.chunks(kernel.per_channel().max(1));
            Weights::Convolution(kernel.with_codes(chunks.enumerate().flat_map(channel).collect()))
        }
        Map::Sparse(_) => {
            let row = |source| {
                let mut row = Vec::new();
                map.row(source, |target, weight| {
                    let code = clipped.weight(&factors[target as usize], weight, format);
                    // A synapse that adds nothing is none.
                    if code != 0 {
                        row.push((target, code));
                    }
                });
                row
            };
            Weights::Sparse(Sparse::from_rows((0..map.sources()).map(row).collect::<Vec<_>>()))
        }
    };
    (weights, clipped)
}

/// The codes of several maps as one, with a delay for each: in a ring or sorted, whichever costs less.
fn with_delays(group: &[&Connection], factors: &[Factor], format: Format) -> (Weights, Delays, Clipped) {
    let mut clipped = Clipped::default();
    let (sources, targets) = (group[0].map.sources(), group[0].map.targets());
    let mut rows: Vec<Vec<(u32, i16, u16)>> = Vec::with_capacity(sources);
    for source in 0..sources {
        let mut row = Vec::new();
        for connection in group {
            connection.map.row(source, |target, weight| {
                let code = clipped.weight(&factors[target as usize], weight, format);
                // `Model` has bounded the delays.
                row.push((target, code, u16::try_from(connection.delay).unwrap_or(u16::MAX)));
            });
        }
        row.sort_by_key(|(target, _, _)| *target);
        rows.push(row);
    }
    let full = |row: &Vec<(u32, i16, u16)>| row.len() == targets && row.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let dense = rows.iter().all(full);
    if !dense {
        rows.iter_mut().for_each(|row| row.retain(|(_, code, _)| *code != 0));
    }
    let delays: Vec<u16> = rows.iter().flatten().map(|(_, _, delay)| *delay).collect();
    let weights = if dense {
        Weights::Dense(rows.iter().flatten().map(|(_, code, _)| *code).collect())
    } else {
        let pairs = |row: &Vec<(u32, i16, u16)>| row.iter().map(|(target, code, _)| (*target, *code)).collect();
        Weights::Sparse(Sparse::from_rows(rows.iter().map(pairs).collect::<Vec<Vec<_>>>()))
    };
    let costs = DelayCosts::of(&weights, &delays, sources as u32, targets as u32);
    (weights, costs.cheaper(delays), clipped)
}

/// `number`, which is finite, as a code.
fn quantize(format: Format, number: f64, clipped: &mut usize) -> i16 {
    format.quantize(number).map_or(0, |quantized| {
        *clipped += usize::from(quantized.saturated);
        quantized.code
    })
}

fn population(neurons: &Neurons, choice: Choice) -> Result<(Population, Clipped), ImportError> {
    let Choice { formats, roundings } = choice;
    let Formats { current, potential } = formats;
    if !convertible(neurons, formats) {
        return Err(ImportError::FormatsApart { node: neurons.name.clone(), current, potential });
    }
    let mut builder =
        Builder { formats, roundings, kernel: Kernel::default(), values: Vec::new(), clipped: Clipped::default() };
    for (name, format) in [("I", current), ("V", potential)] {
        builder.kernel.variables.push(slot(name, format, true));
    }
    builder.body(neurons);
    let rest: Vec<i16> = neurons.rest.iter().map(|&rest| quantize(potential, rest, &mut 0)).collect();
    let variable = |initial| Variable { initial, reset: true };
    let population = Population {
        name: neurons.name.clone(),
        size: size_of(neurons.size),
        kernel: builder.kernel,
        variables: vec![variable(Values::Uniform(0)), variable(values(rest))],
        parameters: builder.values,
    };
    Ok((population, builder.clipped))
}

fn slot(name: &str, format: Format, saturating: bool) -> Slot {
    Slot { name: name.to_owned(), ty: Type { format, saturating } }
}

/// Uniform if all are the same.
fn values(codes: Vec<i16>) -> Values {
    match codes.first() {
        Some(&first) if codes.iter().all(|&code| code == first) => Values::Uniform(first),
        _ => Values::PerNeuron(codes),
    }
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary { op, left: Box::new(left), right: Box::new(right) }
}

fn add(left: Expr, right: Expr) -> Expr {
    binary(BinaryOp::AddSaturating, left, right)
}

fn sub(left: Expr, right: Expr) -> Expr {
    binary(BinaryOp::SubSaturating, left, right)
}

fn set(variable: usize, value: Expr) -> Stmt {
    Stmt::Assign { place: Place::Variable(variable), value }
}

/// Makes a kernel and its parameters' values.
struct Builder {
    formats: Formats,
    roundings: Roundings,
    kernel: Kernel,
    values: Vec<Values>,
    clipped: Clipped,
}

impl Builder {
    fn body(&mut self, neurons: &Neurons) {
        let (i, v) = (Expr::Variable(CURRENT), Expr::Variable(POTENTIAL));
        let Formats { current, potential } = self.formats;
        if neurons.bias.iter().any(|bias| *bias != 0.0) {
            let factors = neurons.folded_factors();
            let code = |(factor, bias): (&Factor, &f64)| {
                let quantized = factor.quantize(*bias, current);
                self.clipped.parameters_clipped += usize::from(quantized.saturated);
                quantized.code
            };
            let codes = factors.iter().zip(&neurons.bias).map(code).collect();
            let bias = self.parameter_of("Bias", current, codes);
            self.kernel.body.push(set(CURRENT, add(i.clone(), bias)));
        }
        let spike =
            neurons.spike.as_ref().map(|spike| (spike, self.parameter("Threshold", potential, &spike.threshold)));
        let decision = spike.as_ref().map(|(spike, threshold)| self.decision(spike, threshold));
        let rest = neurons.rest.iter().any(|rest| *rest != 0.0);
        let rounding = self.roundings.potential;
        let kept = if neurons.potential.keeps(1.0) {
            Some(v.clone())
        } else if neurons.potential.keeps(0.0) {
            rest.then(|| self.parameter("Leak", potential, &neurons.rest))
        } else if rest {
            let leak = self.parameter("Leak", potential, &neurons.rest);
            let above = sub(v.clone(), leak.clone());
            Some(add(leak, self.decay("Alpha", &neurons.potential, above, rounding)))
        } else {
            Some(self.decay("Alpha", &neurons.potential, v.clone(), rounding))
        };
        let converted = self.convert(neurons, i.clone());
        let updated = match kept {
            Some(kept) => add(kept, converted),
            None => converted,
        };
        self.kernel.body.push(set(POTENTIAL, updated));
        if let (Some((spike, threshold)), Some(condition)) = (spike, decision) {
            self.kernel.events.push("Spike".to_owned());
            let after = match &spike.then {
                OnSpike::Subtract | OnSpike::DelayedSubtract => Some(sub(v, threshold)),
                OnSpike::Value(reset) if reset.iter().all(|reset| *reset == 0.0) => Some(Expr::Constant(0)),
                OnSpike::Value(reset) => Some(self.parameter("Reset", potential, reset)),
                OnSpike::Keep => None,
            };
            let mut then = vec![Stmt::Emit(SPIKE)];
            then.extend(after.map(|after| set(POTENTIAL, after)));
            self.kernel.body.push(Stmt::If { condition, then, otherwise: Vec::new() });
        }
        let left = match &neurons.current {
            Some(leak) => self.decay("Beta", leak, i, self.roundings.current),
            None => Expr::Constant(0),
        };
        self.kernel.body.push(set(CURRENT, left));
    }

    /// When a neuron spikes, as a condition after the update of `V`; pushes what has to be known from before it.
    fn decision(&mut self, spike: &Spike, threshold: &Expr) -> Cond {
        let v = || Expr::Variable(POTENTIAL);
        let op = match spike.comparison {
            Comparison::Greater => CompareOp::Greater,
            Comparison::GreaterEqual => CompareOp::GreaterEqual,
        };
        let above = |v, threshold: &Expr| Cond::Compare { op, left: v, right: threshold.clone() };
        if matches!(spike.then, OnSpike::DelayedSubtract) {
            // Subtracting the threshold and giving it back is comparing with twice the threshold.
            let select = Expr::Select {
                condition: Box::new(above(v(), threshold)),
                then: Box::new(add(threshold.clone(), threshold.clone())),
                otherwise: Box::new(threshold.clone()),
            };
            return above(v(), &self.local("T", select));
        }
        match spike.from {
            SpikeFrom::New => above(v(), threshold),
            SpikeFrom::Old => above(self.local("VOld", v()), threshold),
        }
    }

    /// A new local in the format of `V`, assigned here.
    fn local(&mut self, name: &str, value: Expr) -> Expr {
        let index = self.kernel.locals.len();
        self.kernel.locals.push(slot(name, self.formats.potential, true));
        self.kernel.body.push(Stmt::Assign { place: Place::Local(index), value });
        Expr::Local(index)
    }

    fn parameter(&mut self, name: &str, format: Format, numbers: &[f64]) -> Expr {
        let clipped = &mut self.clipped.parameters_clipped;
        let codes = numbers.iter().map(|&number| quantize(format, number, clipped)).collect();
        self.parameter_of(name, format, codes)
    }

    fn parameter_of(&mut self, name: &str, format: Format, codes: Vec<i16>) -> Expr {
        self.values.push(values(codes));
        self.kernel.parameters.push(slot(name, format, true));
        Expr::Parameter(self.values.len() - 1)
    }

    /// `value` times a factor of 0 to 1.
    fn decay(&mut self, name: &str, leak: &Leak, value: Expr, rounding: Rounding) -> Expr {
        let format = decay_format(leak);
        let codes = leak.decays.iter().map(|decay| decay.quantize(1.0, format).code).collect();
        let factor = self.parameter_of(name, format, codes);
        let shift = format.fraction_bits();
        multiply(factor, value, shift, rounding, false)
    }

    /// `I` in the format of `V`.
    fn convert(&mut self, neurons: &Neurons, current: Expr) -> Expr {
        let rounding = self.roundings.current;
        if !neurons.folded
            && let Some((format, shift)) = gain_format(neurons, self.formats)
        {
            let codes = (0..neurons.size).map(|n| neurons.factor(n).quantize(1.0, format).code).collect();
            let gain = self.parameter_of("Gain", format, codes);
            return multiply(gain, current, shift, rounding, true);
        }
        let (from, to) = (self.formats.current.fraction_bits(), self.formats.potential.fraction_bits());
        if from > to {
            return Expr::ShiftRight { value: Box::new(current), shift: from - to, rounding };
        }
        if from == to {
            return current;
        }
        // A multiply rather than a shift, because it saturates.
        multiply(current, Expr::Constant(1 << (to - from)), 0, Rounding::Zero, true)
    }
}

fn multiply(left: Expr, right: Expr, shift: u8, rounding: Rounding, saturating: bool) -> Expr {
    Expr::Multiply { left: Box::new(left), right: Box::new(right), shift, rounding, saturating }
}
