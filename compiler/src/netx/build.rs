//! From layers and a precision for each to a [`Network`].
//!
//! Contract: with [`Precision::Exact`] a layer does what [`super::exact`] does, as long as nothing saturates.

use fenn_isa::fixed::Format;

use crate::import::Record;
use crate::kernel::{BinaryOp, CompareOp, Cond, Expr, Kernel, Place, Rounding, Slot, Stmt, Type};
use crate::network::{
    Convolution, Delays, Encoding, Input, Network, Output, Phase, Population, Projection, Quantity, Readout, Recording,
    Source, Sparse, StatePolicy, Values, Variable, Weights, Window,
};

use super::{Layer, Net, WHOLE_DECAY, size_of};

/// Fraction bits of decay factors.
const DECAY_BITS: u8 = 12;

/// `kernel.variables[CURRENT]` is `U`.
const CURRENT: usize = 0;
/// `kernel.variables[VOLTAGE]` is `V`.
const VOLTAGE: usize = 1;

/// How a layer's numbers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// In units of 1/64, decays rounded towards 0: every bit as in the file's arithmetic, as long as nothing saturates.
    Exact,
    /// In this format, decays rounded towards 0.
    Truncated(Format),
    /// In this format, decays rounded to nearest.
    Nearest(Format),
}

impl Precision {
    /// Of `U`, `V` and all that is compared with or added to them.
    pub fn format(self) -> Format {
        match self {
            // Six fraction bits are a format.
            Self::Exact => Format::new(6).unwrap_or(Format::INTEGER),
            Self::Truncated(format) | Self::Nearest(format) => format,
        }
    }
}

/// What the network is to be like, besides its layers.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// One per layer.
    pub precisions: &'a [Precision],
    /// For reports and the manifest.
    pub name: &'a str,
    /// Time steps in one run.
    pub steps: u32,
    /// What is kept of every step.
    pub record: Record,
}

/// What of a layer does not fit into codes of `format`, if anything.
pub(super) fn misfit(layer: &Layer, format: Format) -> Option<String> {
    let code = |number: i32, exponent: i32| scaled(number, exponent + i32::from(format.fraction_bits()));
    let fits = |code: i64| i16::try_from(code).is_ok();
    let weight = layer.weights.codes().iter().find(|weight| !fits(code((**weight).into(), layer.exponent)));
    let bias = layer.neurons.biases.iter().find(|bias| !fits(code(**bias, 0)));
    // Nothing is above the largest code.
    let threshold = layer.neurons.thresholds.iter().find(|threshold| code(**threshold, 0) >= i16::MAX.into());
    weight
        .map(|weight| format!("a weight of {weight}"))
        .or_else(|| bias.map(|bias| format!("a bias of {bias}")))
        .or_else(|| threshold.map(|threshold| format!("a threshold of {threshold}")))
}

/// `number · 2^exponent`, to nearest.
fn scaled(number: i32, exponent: i32) -> i64 {
    let number = i64::from(number);
    if exponent >= 0 { number << exponent } else { (number + (1 << (-exponent - 1))) >> -exponent }
}

/// As [`scaled`], where [`misfit`] has found nothing.
fn code(number: i32, exponent: i32) -> i16 {
    i16::try_from(scaled(number, exponent)).unwrap_or(if number < 0 { i16::MIN } else { i16::MAX })
}

/// The whole network.
pub(super) fn network(net: &Net, choice: Choice<'_>) -> Network {
    let mut network = empty(choice, size_of(net.input));
    for (index, (layer, &precision)) in net.layers.iter().zip(choice.precisions).enumerate() {
        let source = match index.checked_sub(1) {
            None => Source::Input(0),
            Some(population) => Source::Events { population, event: 0 },
        };
        network.populations.push(population(layer, precision));
        network.projections.push(projection(&network, layer, precision, source));
    }
    let layers = net.layers.len();
    network.schedule = (0..layers).map(Phase::Propagate).chain((0..layers).map(Phase::Update)).collect();
    network.outputs = match net.groups {
        None => vec![Output { population: layers - 1, quantity: Quantity::Event(0), readout: Readout::Count }],
        Some(groups) => {
            sums(&mut network, groups);
            vec![Output { population: layers, quantity: Quantity::Variable(0), readout: Readout::Last }]
        }
    };
    for population in 0..layers {
        let mut keep = |quantity| network.recordings.push(Recording { population, quantity, window: Window::WHOLE });
        if choice.record != Record::None {
            keep(Quantity::Event(0));
        }
        if choice.record == Record::All {
            keep(Quantity::Variable(CURRENT));
            keep(Quantity::Variable(VOLTAGE));
        }
    }
    network
}

/// A network of one layer, into which the spikes of the layer before it come as input.
pub(super) fn alone(layer: &Layer, sources: u32, precision: Precision, steps: u32) -> Network {
    let choice = Choice { precisions: &[], name: &layer.name, steps, record: Record::None };
    let mut network = empty(choice, sources);
    network.populations.push(population(layer, precision));
    network.projections.push(projection(&network, layer, precision, Source::Input(0)));
    network.schedule = vec![Phase::Propagate(0), Phase::Update(0)];
    network.outputs = vec![Output { population: 0, quantity: Quantity::Event(0), readout: Readout::Count }];
    network
}

fn empty(choice: Choice<'_>, inputs: u32) -> Network {
    Network {
        name: choice.name.to_owned(),
        time_step_ms: None,
        steps: choice.steps,
        state: StatePolicy::Reset,
        // Nothing in it is random.
        seed: 0,
        inputs: vec![Input { name: "input".to_owned(), size: inputs, encoding: Encoding::Spikes }],
        populations: Vec::new(),
        projections: Vec::new(),
        schedule: Vec::new(),
        outputs: Vec::new(),
        recordings: Vec::new(),
    }
}

/// From `source` into the population that was added last.
fn projection(network: &Network, layer: &Layer, precision: Precision, source: Source) -> Projection {
    let exponent = layer.exponent + i32::from(precision.format().fraction_bits());
    let codes = |weights: &[i16]| weights.iter().map(|&weight| code(weight.into(), exponent)).collect();
    let weights = match &layer.weights {
        Weights::Dense(weights) => Weights::Dense(codes(weights)),
        Weights::OneToOne(weights) => Weights::OneToOne(codes(weights)),
        Weights::Sparse(sparse) => Weights::Sparse(Sparse { weights: codes(&sparse.weights), ..sparse.clone() }),
        Weights::Convolution(convolution) => {
            Weights::Convolution(Convolution { kernel: codes(&convolution.kernel), ..convolution.clone() })
        }
    };
    Projection {
        name: format!("{}->{}", network.source_name(source), layer.name),
        source,
        target: network.populations.len() - 1,
        variable: CURRENT,
        weights,
        delays: layer.delays.clone(),
    }
}

/// Adds a population that sums the spikes of neighbours of the last layer, each in the step in which it is emitted.
fn sums(network: &mut Network, groups: u32) {
    let before = network.populations.len() - 1;
    let size = network.populations[before].size;
    let share = (size / groups.max(1)).max(1);
    network.populations.push(Population {
        name: "sums".to_owned(),
        size: groups,
        kernel: Kernel {
            variables: vec![Slot { name: "Sum".to_owned(), ty: Type { format: Format::INTEGER, saturating: true } }],
            ..Kernel::default()
        },
        variables: vec![Variable { initial: Values::Uniform(0), reset: true }],
        parameters: Vec::new(),
    });
    let source = Source::Events { population: before, event: 0 };
    network.projections.push(Projection {
        name: format!("{}->sums", network.source_name(source)),
        source,
        target: before + 1,
        variable: 0,
        weights: Weights::Sparse(Sparse::from_rows((0..size).map(|neuron| vec![(neuron / share, 1)]))),
        delays: Delays::None,
    });
    network.schedule.extend([Phase::Propagate(network.projections.len() - 1), Phase::Update(before + 1)]);
}

/// Uniform if all are the same.
fn values(codes: Vec<i16>) -> Values {
    match codes.first() {
        Some(&first) if codes.iter().all(|&code| code == first) => Values::Uniform(first),
        _ => Values::PerNeuron(codes),
    }
}

fn population(layer: &Layer, precision: Precision) -> Population {
    let neurons = &layer.neurons;
    let format = precision.format();
    let ty = Type { format, saturating: true };
    let slot = |name: &str| Slot { name: name.to_owned(), ty };
    let mut builder = Builder { precision, ty, kernel: Kernel::default(), parameters: Vec::new() };
    builder.kernel.variables = vec![slot("U"), slot("V")];
    builder.kernel.events = vec!["Spike".to_owned()];
    let codes = |numbers: &[i32]| numbers.iter().map(|&number| code(number, format.fraction_bits().into())).collect();
    builder.decay(VOLTAGE, "VDecay", &neurons.voltage_decays);
    let variable = |index| Expr::Variable(index);
    builder.set(VOLTAGE, binary(BinaryOp::AddSaturating, variable(VOLTAGE), variable(CURRENT)));
    if neurons.biases.iter().any(|bias| *bias != 0) {
        let bias = builder.parameter("Bias", ty, codes(&neurons.biases));
        builder.set(VOLTAGE, binary(BinaryOp::AddSaturating, variable(VOLTAGE), bias));
    }
    let threshold = builder.parameter("Threshold", ty, codes(&neurons.thresholds));
    builder.kernel.body.push(Stmt::If {
        condition: Cond::Compare { op: CompareOp::Greater, left: variable(VOLTAGE), right: threshold },
        then: vec![Stmt::Emit(0), Stmt::Assign { place: Place::Variable(VOLTAGE), value: Expr::Constant(0) }],
        otherwise: Vec::new(),
    });
    // U is decayed already when the next step's weights are added.
    builder.decay(CURRENT, "UDecay", &neurons.current_decays);
    Population {
        name: layer.name.clone(),
        size: layer.size(),
        kernel: builder.kernel,
        variables: vec![Variable { initial: Values::Uniform(0), reset: true }; 2],
        parameters: builder.parameters,
    }
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary { op, left: Box::new(left), right: Box::new(right) }
}

struct Builder {
    precision: Precision,
    /// Of `U` and `V`.
    ty: Type,
    kernel: Kernel,
    parameters: Vec<Values>,
}

impl Builder {
    fn parameter(&mut self, name: &str, ty: Type, codes: Vec<i16>) -> Expr {
        self.kernel.parameters.push(Slot { name: name.to_owned(), ty });
        self.parameters.push(values(codes));
        Expr::Parameter(self.kernel.parameters.len() - 1)
    }

    fn set(&mut self, variable: usize, value: Expr) {
        self.kernel.body.push(Stmt::Assign { place: Place::Variable(variable), value });
    }

    /// Multiplies a variable by what its decay leaves of it.
    fn decay(&mut self, variable: usize, name: &str, decays: &[i16]) {
        let all = |decay: i16| decays.iter().all(|found| *found == decay);
        if all(0) {
            return;
        }
        if all(WHOLE_DECAY) {
            return self.set(variable, Expr::Constant(0));
        }
        let factor = Type { format: Format::new(DECAY_BITS).unwrap_or(Format::UNIT), saturating: false };
        let kept = self.parameter(name, factor, decays.iter().map(|decay| WHOLE_DECAY - decay).collect());
        let multiply = |value: Expr, rounding| Expr::Multiply {
            left: Box::new(kept.clone()),
            right: Box::new(value),
            shift: DECAY_BITS,
            rounding,
            saturating: true,
        };
        if let Precision::Nearest(_) = self.precision {
            return self.set(variable, multiply(Expr::Variable(variable), Rounding::Nearest));
        }
        // Towards 0: the magnitude is rounded down.
        let size = self.kernel.locals.len();
        self.kernel.locals.push(Slot { name: format!("{name}Size"), ty: self.ty });
        let local = |value| Stmt::Assign { place: Place::Local(size), value };
        self.kernel.body.push(local(signed(variable, Expr::Variable(variable))));
        self.kernel.body.push(local(multiply(Expr::Local(size), Rounding::Zero)));
        self.set(variable, signed(variable, Expr::Local(size)));
    }
}

/// `value` with the sign of the variable, or without it.
fn signed(variable: usize, value: Expr) -> Expr {
    let negative = Cond::Compare { op: CompareOp::Less, left: Expr::Variable(variable), right: Expr::Constant(0) };
    let opposite = binary(BinaryOp::SubSaturating, Expr::Constant(0), value.clone());
    Expr::Select { condition: Box::new(negative), then: Box::new(opposite), otherwise: Box::new(value) }
}
