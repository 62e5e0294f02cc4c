//! From a [`Model`] and number formats to a [`Network`].
//!
//! Contract: a population with formats `sX.F` for `I` and `sY.G` for `V` becomes, in this order,
//!
//! ```text
//! I = I +| Bias                              where there is a bias
//! T = V > Threshold ? Threshold +| Threshold : Threshold          for reset as in snnTorch
//! V = mul_rn(Alpha, V, 15) +| convert(I)     or Leak +| mul_rn(Alpha, V -| Leak, 15) +| convert(I)
//! if (V > T) { Spike(); V = V -| Threshold; }                     or V = Reset
//! I = mul_rn(Beta, I, 15)                    or 0 where there is no synaptic current
//! ```
//!
//! with `+|` and `-|` saturating and `convert(I) = sra_rn(I, F − G)`, or `mul_s(I, 2^(G − F), 0)` if `G > F`. `r`,
//! `w_in` and the gains of both equations are folded into the weights and the bias of each target neuron, so `I` is
//! what it adds to `V` in a step. Decays are s0.15, or s1.14 where one would round to 1. Every number is rounded once,
//! to nearest.
//!
//! Invariant: what the network computes is the model, but for rounding and saturation.
//!
//! Not here: the choice of formats.

use fenn_isa::fixed::Format;

use crate::kernel::{BinaryOp, CompareOp, Cond, Expr, Kernel, Place, Rounding, Slot, Stmt, Type};
use crate::network::{
    Delays, Encoding, Input, Network, Output, Phase, Population, Projection, Quantity, Readout, Recording, Source,
    StatePolicy, Values, Variable, Weights, Window,
};

use super::error::ImportError;
use super::model::{Connection, Model, Neurons, Rules};
use super::options::{Comparison, Record, Reset, SpikeFrom};

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

impl Formats {
    /// Whether `I` can be converted: multiplying by 2^15 is beyond a lane.
    pub fn convertible(self) -> bool {
        self.potential.fraction_bits() < self.current.fraction_bits() + 15
    }
}

/// Numbers that had to be moved to an end of their format's range.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Clipped {
    /// Weights in all.
    pub weights: usize,
    /// Weights out of range.
    pub weights_clipped: usize,
    /// Biases, thresholds, resets and leaks out of range.
    pub parameters_clipped: usize,
}

/// The whole network, and what was clipped in each population.
///
/// # Errors
/// [`ImportError::FormatsApart`].
pub fn network(
    model: &Model,
    formats: &[Formats],
    record: Record,
) -> Result<(Network, Vec<Clipped>), Vec<ImportError>> {
    let mut network = empty(model);
    network.inputs = model.inputs.iter().map(|(name, size)| input(name, *size)).collect();
    network.schedule.clone_from(&model.schedule);
    let mut clipped = Vec::new();
    let mut errors = Vec::new();
    for (neurons, &formats) in model.populations.iter().zip(formats) {
        match population(neurons, &model.rules, formats) {
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
    for connection in &model.connections {
        let (target, source) = (connection.target, connection.source);
        network.projections.push(projection(model, connection, source, target, formats[target], &mut clipped[target]));
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

/// One population with its connections, every other source made an input: `inputs[k]` stands for the `k`-th connection
/// onto it that does not come from itself. Its `V` is an output.
///
/// # Errors
/// [`ImportError::FormatsApart`].
pub fn alone(model: &Model, index: usize, formats: Formats) -> Result<(Network, Clipped), ImportError> {
    let (population, mut clipped) = population(&model.populations[index], &model.rules, formats)?;
    let mut network = empty(model);
    network.populations.push(population);
    for connection in model.connections.iter().filter(|connection| connection.target == index) {
        let source = if connection.source == (Source::Events { population: index, event: SPIKE }) {
            Source::Events { population: 0, event: SPIKE }
        } else {
            network.inputs.push(input(model.source_name(connection.source), connection.weight.cols));
            Source::Input(network.inputs.len() - 1)
        };
        network.schedule.push(Phase::Propagate(network.projections.len()));
        network.projections.push(projection(model, connection, source, 0, formats, &mut clipped));
    }
    network.schedule.push(Phase::Update(0));
    let quantity = Quantity::Variable(POTENTIAL);
    network.outputs.push(Output { population: 0, quantity, readout: Readout::Max });
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

fn projection(
    model: &Model,
    connection: &Connection,
    source: Source,
    target: usize,
    formats: Formats,
    clipped: &mut Clipped,
) -> Projection {
    let (neurons, weight) = (&model.populations[connection.target], &connection.weight);
    let mut codes = vec![0; weight.rows * weight.cols];
    for row in 0..weight.rows {
        let gain = neurons.gain(row);
        for (col, &weight) in weight.row(row).iter().enumerate() {
            codes[col * neurons.size + row] = quantize(formats.current, gain * weight, &mut clipped.weights_clipped);
        }
    }
    clipped.weights += codes.len();
    Projection {
        name: format!("{}->{}", model.source_name(connection.source), neurons.name),
        source,
        target,
        variable: CURRENT,
        weights: Weights::Dense(codes),
        delays: Delays::None,
    }
}

/// `number`, which `Model` has found finite, as a code.
fn quantize(format: Format, number: f64, clipped: &mut usize) -> i16 {
    format.quantize(number).map_or(0, |quantized| {
        *clipped += usize::from(quantized.saturated);
        quantized.code
    })
}

fn population(neurons: &Neurons, rules: &Rules, formats: Formats) -> Result<(Population, Clipped), ImportError> {
    let Formats { current, potential } = formats;
    if !formats.convertible() {
        return Err(ImportError::FormatsApart { node: neurons.name.clone(), current, potential });
    }
    let mut builder = Builder { formats, kernel: Kernel::default(), values: Vec::new(), clipped: Clipped::default() };
    for (name, format) in [("I", current), ("V", potential)] {
        builder.kernel.variables.push(slot(name, format, true));
    }
    builder.body(neurons, rules);
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
    kernel: Kernel,
    values: Vec<Values>,
    clipped: Clipped,
}

impl Builder {
    fn body(&mut self, neurons: &Neurons, rules: &Rules) {
        let (i, v) = (Expr::Variable(CURRENT), Expr::Variable(POTENTIAL));
        let Formats { current, potential } = self.formats;
        let gained: Vec<f64> = neurons.bias.iter().enumerate().map(|(n, bias)| bias * neurons.gain(n)).collect();
        if gained.iter().any(|bias| *bias != 0.0) {
            let bias = self.parameter("Bias", current, &gained);
            self.kernel.body.push(set(CURRENT, add(i.clone(), bias)));
        }
        let spike =
            neurons.spike.as_ref().map(|spike| (spike, self.parameter("Threshold", potential, &spike.threshold)));
        let decision = spike.as_ref().map(|(_, threshold)| self.decision(rules, threshold));
        let decayed = if neurons.rest.iter().any(|rest| *rest != 0.0) {
            let leak = self.parameter("Leak", potential, &neurons.rest);
            add(leak.clone(), self.decay("Alpha", &neurons.potential.decay, sub(v.clone(), leak)))
        } else {
            self.decay("Alpha", &neurons.potential.decay, v.clone())
        };
        self.kernel.body.push(set(POTENTIAL, add(decayed, convert(i.clone(), self.formats))));
        if let (Some((spike, threshold)), Some(condition)) = (spike, decision) {
            self.kernel.events.push("Spike".to_owned());
            let after = match rules.reset {
                Reset::Subtract | Reset::Snntorch => sub(v, threshold),
                Reset::Value if spike.reset.iter().all(|reset| *reset == 0.0) => Expr::Constant(0),
                Reset::Value => self.parameter("Reset", potential, &spike.reset),
            };
            let then = vec![Stmt::Emit(SPIKE), set(POTENTIAL, after)];
            self.kernel.body.push(Stmt::If { condition, then, otherwise: Vec::new() });
        }
        let left = match &neurons.current {
            Some(leak) => self.decay("Beta", &leak.decay, i),
            None => Expr::Constant(0),
        };
        self.kernel.body.push(set(CURRENT, left));
    }

    /// When a neuron spikes, as a condition after the update of `V`; pushes what has to be known from before it.
    fn decision(&mut self, rules: &Rules, threshold: &Expr) -> Cond {
        let v = || Expr::Variable(POTENTIAL);
        let op = match rules.comparison {
            Comparison::Greater => CompareOp::Greater,
            Comparison::GreaterEqual => CompareOp::GreaterEqual,
        };
        let above = |v, threshold: &Expr| Cond::Compare { op, left: v, right: threshold.clone() };
        if rules.reset == Reset::Snntorch {
            // Subtracting the threshold and giving it back is comparing with twice the threshold.
            let select = Expr::Select {
                condition: Box::new(above(v(), threshold)),
                then: Box::new(add(threshold.clone(), threshold.clone())),
                otherwise: Box::new(threshold.clone()),
            };
            return above(v(), &self.local("T", select));
        }
        match rules.spike_from {
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
        self.values.push(values(numbers.iter().map(|&number| quantize(format, number, clipped)).collect()));
        self.kernel.parameters.push(slot(name, format, true));
        Expr::Parameter(self.values.len() - 1)
    }

    /// `value` times a factor of 0 to 1.
    fn decay(&mut self, name: &str, factors: &[f64], value: Expr) -> Expr {
        let fits = |format: Format| {
            factors.iter().all(|&factor| format.quantize(factor).is_some_and(|quantized| !quantized.saturated))
        };
        // The finest format; some format always fits a number of at most 1.
        let format = Format::all().rev().find(|format| fits(*format)).unwrap_or(Format::UNIT);
        let factor = self.parameter(name, format, factors);
        Expr::Multiply {
            left: Box::new(factor),
            right: Box::new(value),
            shift: format.fraction_bits(),
            rounding: Rounding::Nearest,
            saturating: false,
        }
    }
}

/// `I` in the format of `V`.
fn convert(current: Expr, formats: Formats) -> Expr {
    let (from, to) = (formats.current.fraction_bits(), formats.potential.fraction_bits());
    if from > to {
        return Expr::ShiftRight { value: Box::new(current), shift: from - to, rounding: Rounding::Nearest };
    }
    if from == to {
        return current;
    }
    // A multiply rather than a shift, because it saturates.
    Expr::Multiply {
        left: Box::new(current),
        right: Box::new(Expr::Constant(1 << (to - from))),
        shift: 0,
        rounding: Rounding::Zero,
        saturating: true,
    }
}
