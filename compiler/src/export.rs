//! From a network to a NIR graph: what the program computes, for whoever reads NIR.
//!
//! Contract: [`export`] gives a well-formed graph whose numbers are the network's codes in real units, and the choices under which
//! the graph means the network; importing it with them gives the same codes again, in the same formats. Everything that NIR
//! cannot say is an error that names the population or projection. A spike that arrives in a later step than it was sent goes
//! through a Delay, in cycles too, so that a reader needs no rule for who sees whom when.
//!
//! Names stay: populations and inputs are nodes of their name, weights are nodes `SOURCE->TARGET`, and what stands between has
//! a name that begins so.
//!
//! Not here: rounding and saturation, which NIR does not know, and the file (see [`crate::nir::write()`]).

mod forms;

use std::collections::{BTreeMap, BTreeSet};

use fenn_isa::fixed::Format;

use crate::import::{Comparison, Method, Reset, SpikeFrom};
use crate::network::{Convolution, Delays, Network, Phase, Population, Projection, Quantity, Source, Weights};
use crate::nir::{Conv, CubaLi, CubaLif, Edge, Graph, I, If, Li, Lif, Matrix, Node, Padding, Pool, Tensor};

use forms::{After, Decision, Dynamics, dynamics};

/// An exported network.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// Well-formed in the sense of [`Graph::check`].
    pub graph: Graph,
    /// Under which the graph means the network.
    pub rules: ExportRules,
}

/// What the graph does not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExportRules {
    /// Length of a step, in seconds.
    pub dt: f64,
    /// Always forward Euler, in which the network's factors are ratios.
    pub method: Method,
    /// What spikes do.
    pub reset: Reset,
    /// When a potential is above its threshold.
    pub comparison: Comparison,
    /// Which potential decides.
    pub spike_from: SpikeFrom,
}

/// Why a network is no NIR graph. A message names the part and says what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The length of a step is not known.
    #[error(
        "the network does not state how long a step is; give the time step, since NIR's time constants are lengths of time"
    )]
    NoTimeStep,
    /// The equations are no neuron that NIR has.
    #[error("population `{population}` {what}, which no NIR node does; it cannot be exported")]
    Equations {
        /// The population.
        population: String,
        /// What.
        what: String,
    },
    /// Two populations that no one choice of rules describes.
    #[error(
        "population `{population}` {what} otherwise than those before it, and a NIR graph has one rule for all; it cannot \
         be exported"
    )]
    Rules {
        /// The population.
        population: String,
        /// What it does.
        what: &'static str,
    },
    /// A projection that adds to something else than what the neuron integrates.
    #[error("projection `{projection}` adds to a variable that is not the input of its target; it cannot be exported")]
    Variable {
        /// The projection.
        projection: String,
    },
    /// A constant current without weights that it could go with.
    #[error("population `{population}` has a constant input, but no projection leads to it whose node could hold it")]
    Bias {
        /// The population.
        population: String,
    },
    /// A matrix too large for a file.
    #[error("projection `{projection}` would be a matrix of {weights} numbers, more than the {limit} a file may hold")]
    TooLarge {
        /// The projection.
        projection: String,
        /// How many.
        weights: u64,
        /// How many may be.
        limit: u64,
    },
    /// A name no node can have.
    #[error("`{name}` cannot be a node's name; rename it, without `/`")]
    Name {
        /// The name.
        name: String,
    },
}

/// Larger matrices are not written.
const LARGEST_MATRIX: u64 = 1 << 26;

/// The NIR graph of `network`, which must be well-formed in the sense of [`crate::verify`].
///
/// # Errors
/// Everything that NIR cannot say; never an empty list.
pub fn export(network: &Network) -> Result<Exported, Vec<ExportError>> {
    let Some(step) = network.time_step_ms else { return Err(vec![ExportError::NoTimeStep]) };
    let mut writer = Writer {
        network,
        dt: step / 1e3,
        graph: Graph { version: "1.0".to_owned(), nodes: BTreeMap::new(), edges: Vec::new() },
        errors: Vec::new(),
        rules: None,
    };
    writer.inputs();
    let biases: Vec<Option<Vec<f64>>> = (0..network.populations.len()).map(|index| writer.population(index)).collect();
    writer.projections(&biases);
    writer.outputs();
    let names = writer.graph.nodes.keys().filter(|name| name.is_empty() || *name == "." || name.contains(['/', '\0']));
    let wrong: Vec<ExportError> = names.map(|name| ExportError::Name { name: name.clone() }).collect();
    writer.errors.extend(wrong);
    let (reset, comparison, spike_from) = writer.rules.unwrap_or_default();
    let rules = ExportRules { dt: writer.dt, method: Method::ForwardEuler, reset, comparison, spike_from };
    if writer.errors.is_empty() { Ok(Exported { graph: writer.graph, rules }) } else { Err(writer.errors) }
}

struct Writer<'n> {
    network: &'n Network,
    dt: f64,
    graph: Graph,
    errors: Vec<ExportError>,
    /// Those of the populations so far that have a say.
    rules: Option<(Reset, Comparison, SpikeFrom)>,
}

/// A population in real units: `V = alpha·V + gamma·I + constant`, `I = beta·I + x`, `x` in the unit of `I`.
struct Neuron {
    alpha: Vec<f64>,
    beta: Option<Vec<f64>>,
    gamma: Vec<f64>,
    rest: Vec<f64>,
    bias: Vec<f64>,
}

impl Writer<'_> {
    fn node(&mut self, name: &str, node: Node) {
        self.graph.nodes.insert(name.to_owned(), node);
    }

    fn edge(&mut self, from: &str, to: &str) {
        self.graph.edges.push(Edge { from: from.to_owned(), to: to.to_owned() });
    }

    /// The shape that convolutions give to a source or a population: as a source, or else as a target.
    fn shape(&self, source: Source) -> Vec<usize> {
        let convolution = |projection: &&Projection| matches!(projection.weights, Weights::Convolution(_));
        let shape = |of: [u32; 3]| of.map(|extent| extent as usize).to_vec();
        let own = |projection: &&Projection| match (source, projection.source) {
            (Source::Input(a), Source::Input(b)) => a == b,
            (Source::Events { population: a, .. }, Source::Events { population: b, .. }) => a == b,
            _ => false,
        };
        let convolutions = || self.network.projections.iter().filter(convolution);
        let as_source = convolutions().find(own).map(|projection| (projection, true));
        let into = |projection: &&Projection| matches!(source, Source::Events { population, .. } if population == projection.target);
        let found = as_source.or_else(|| convolutions().find(into).map(|projection| (projection, false)));
        match found.map(|(projection, first)| (&projection.weights, first)) {
            Some((Weights::Convolution(convolution), true)) => shape(convolution.source),
            Some((Weights::Convolution(convolution), false)) => shape(convolution.target),
            _ => vec![self.network.source_size(source) as usize],
        }
    }

    fn inputs(&mut self) {
        for (index, input) in self.network.inputs.iter().enumerate() {
            let shape = self.shape(Source::Input(index));
            self.node(&input.name, Node::Input { shape });
        }
    }

    /// Writes a population's node; what has to be added to its input in every step.
    fn population(&mut self, index: usize) -> Option<Vec<f64>> {
        let population = &self.network.populations[index];
        let wrong = |what: String| ExportError::Equations { population: population.name.clone(), what };
        let read = dynamics(population).map_err(|what| wrong(what.to_owned()));
        let described = read.and_then(|dynamics| {
            let neuron = self.neuron(index, &dynamics).map_err(wrong)?;
            Ok((dynamics, neuron))
        });
        let (dynamics, neuron) = match described {
            Ok(described) => described,
            Err(error) => {
                self.errors.push(error);
                return None;
            }
        };
        let format = |variable: usize| population.kernel.variables[variable].ty.format;
        let spike = dynamics.spike.map(|spike| {
            let unit = format(spike.variable).resolution();
            let real = |codes: &[f64]| codes.iter().map(|code| code * unit).collect::<Vec<f64>>();
            let after = match &spike.after {
                After::Value(codes) => After::Value(real(codes)),
                other => other.clone(),
            };
            Decision { threshold: real(&spike.threshold), after, ..spike }
        });
        let threshold_node = neuron.beta.is_none()
            && neuron.alpha.iter().chain(&neuron.rest).all(|number| *number == 0.0)
            && spike.as_ref().is_some_and(|spike| spike.after == After::Keep && !spike.old);
        if let Some(spike) = &spike
            && let Err(what) = self.agree(spike, threshold_node)
        {
            self.errors.push(ExportError::Rules { population: population.name.clone(), what });
        }
        let shape = self.shape(Source::Events { population: index, event: 0 });
        match node(&neuron, spike, shape, self.dt, threshold_node) {
            Ok(node) => self.node(&population.name, node),
            Err(what) => {
                let population = population.name.clone();
                self.errors.push(ExportError::Equations { population, what: what.to_owned() });
            }
        }
        Some(neuron.bias)
    }

    /// The variable that projections onto a population add to.
    fn target_variable(&mut self, index: usize) -> Option<usize> {
        let mut onto = self.network.projections.iter().filter(|projection| projection.target == index);
        let first = onto.next()?.variable;
        for projection in onto.filter(|projection| projection.variable != first) {
            self.errors.push(ExportError::Variable { projection: projection.name.clone() });
        }
        Some(first)
    }

    fn neuron(&mut self, index: usize, dynamics: &Dynamics) -> Result<Neuron, String> {
        let population = &self.network.populations[index];
        let size = population.size as usize;
        let read = self.network.outputs.iter().find_map(|output| match output.quantity {
            Quantity::Variable(variable) if output.population == index => Some(variable),
            _ => None,
        });
        let input = self.target_variable(index);
        let potential = dynamics.spike.as_ref().map(|spike| spike.variable).or(read).or(input);
        let Some(potential) = potential else { return Err("neither spikes nor is read".to_owned()) };
        let update = &dynamics.updates[potential];
        let other = |variable: &usize| *variable != potential && Some(*variable) != input;
        if let Some(variable) = update.variables().into_iter().find(other) {
            let name = &population.kernel.variables[variable].name;
            return Err(format!("adds `{name}` to its potential, which is not its input"));
        }
        let format = |variable: usize| population.kernel.variables[variable].ty.format;
        let unit = format(potential).resolution();
        let real = |codes: &[f64]| codes.iter().map(|code| code * unit).collect::<Vec<f64>>();
        let rest: Vec<f64> = {
            let initial = &population.variables[potential].initial;
            real(&(0..size).map(|neuron| f64::from(initial.get(neuron))).collect::<Vec<f64>>())
        };
        let alpha = update.factor(potential);
        let input = input.unwrap_or(potential);
        let (beta, gamma, constant_input) = if input == potential {
            // What arrives decays with the potential.
            (None, alpha.clone(), vec![0.0; size])
        } else {
            let current = &dynamics.updates[input];
            if current.variables().iter().any(|variable| *variable != input) {
                return Err("has a current that depends on its potential".to_owned());
            }
            let initial = &population.variables[input].initial;
            if (0..size).any(|neuron| initial.get(neuron) != 0) {
                return Err("has a current that does not begin at 0".to_owned());
            }
            let scale = format(potential).resolution() / format(input).resolution();
            let gamma = update.factor(input).iter().map(|factor| factor * scale).collect();
            let beta = current.factor(input);
            let unit = format(input).resolution();
            // I + b is what is kept: beta·b stays, so b came in.
            let came = |neuron: usize| match (beta[neuron], current.constant[neuron]) {
                (0.0, kept) => (kept == 0.0).then_some(0.0),
                (beta, kept) => Some(kept / beta * unit),
            };
            let bias: Option<Vec<f64>> = (0..size).map(came).collect();
            let Some(bias) = bias else { return Err("sets its current to a value in every step".to_owned()) };
            (beta.iter().any(|beta| *beta != 0.0).then_some(beta), gamma, bias)
        };
        // V = alpha·V + gamma·(x + b) + (1 − alpha)·rest
        let constant = real(&update.constant);
        let mut bias = constant_input;
        for neuron in 0..size {
            let left = constant[neuron] - (1.0 - alpha[neuron]) * rest[neuron] - gamma[neuron] * bias[neuron];
            // A constant that is none but for the last digits is none: `rest` may have become one by a quotient.
            if left.abs() <= 1e-9 * unit {
                continue;
            }
            if gamma[neuron] == 0.0 || beta.is_some() {
                return Err("is driven by a constant that does not go through its input".to_owned());
            }
            bias[neuron] += left / gamma[neuron];
        }
        Ok(Neuron { alpha, beta, gamma, rest, bias })
    }

    /// Whether a population's rules are those of the others; a Threshold node has only a comparison.
    fn agree(&mut self, spike: &Decision, threshold_node: bool) -> Result<(), &'static str> {
        let comparison = if spike.equal { Comparison::GreaterEqual } else { Comparison::Greater };
        let reset = match (&spike.after, spike.delayed) {
            (After::Value(_), _) => Some(Reset::Value),
            (After::Subtract, false) => Some(Reset::Subtract),
            (After::Subtract, true) => Some(Reset::Snntorch),
            (After::Keep, _) if threshold_node => None,
            (After::Keep, _) => return Err("keeps its potential at a spike,"),
        };
        let from = if spike.old { SpikeFrom::Old } else { SpikeFrom::New };
        match (&mut self.rules, reset) {
            (None, reset) => self.rules = Some((reset.unwrap_or_default(), comparison, from)),
            (Some((_, known, _)), _) if *known != comparison => return Err("compares with its threshold"),
            (Some(_), None) => {}
            (Some((known, _, old)), Some(reset)) => {
                // A Threshold node before it had no say.
                let said = self.network.populations.iter().any(|population| {
                    matches!(
                        self.graph.nodes.get(&population.name),
                        Some(Node::If(_) | Node::Lif(_) | Node::CubaLif(_))
                    )
                });
                if !said {
                    (*known, *old) = (reset, from);
                } else if *known != reset {
                    return Err("is reset");
                } else if *old != from {
                    return Err("decides by its potential");
                }
            }
        }
        Ok(())
    }

    /// Whether a projection sees its source's spikes of the step before, apart from its delays.
    fn late(&self, index: usize) -> bool {
        let Source::Events { population, .. } = self.network.projections[index].source else { return false };
        let place = |phase| self.network.schedule.iter().position(|found| *found == phase);
        place(Phase::Propagate(index)) < place(Phase::Update(population))
    }

    fn projections(&mut self, biases: &[Option<Vec<f64>>]) {
        let mut biased: BTreeSet<usize> = BTreeSet::new();
        // A bias goes with the first weights that can hold one.
        let hosts: Vec<Option<usize>> = biases
            .iter()
            .enumerate()
            .map(|(target, bias)| {
                let bias = bias.as_ref().filter(|bias| bias.iter().any(|number| *number != 0.0))?;
                let holds = |projection: &Projection| {
                    projection.target == target
                        && match &projection.weights {
                            Weights::Convolution(convolution) => by_channel(bias, convolution).is_some(),
                            Weights::Dense(_) | Weights::Sparse(_) | Weights::OneToOne(_) => true,
                        }
                };
                let host = self.network.projections.iter().position(holds);
                if host.is_none() {
                    biased.insert(target);
                }
                host
            })
            .collect();
        for target in biased {
            let population = self.network.populations[target].name.clone();
            self.errors.push(ExportError::Bias { population });
        }
        for (index, projection) in self.network.projections.iter().enumerate() {
            let target = &self.network.populations[projection.target];
            let bias = biases[projection.target].as_ref().filter(|_| hosts[projection.target] == Some(index));
            let late = u32::from(self.late(index));
            let format = target.kernel.variables[projection.variable].ty.format;
            let weights = self.network.source_size(projection.source);
            let all = u64::from(weights) * u64::from(target.size);
            let shared = matches!(projection.weights, Weights::Convolution(_) | Weights::OneToOne(_));
            if all > LARGEST_MATRIX && !shared {
                let (projection, limit) = (projection.name.clone(), LARGEST_MATRIX);
                self.errors.push(ExportError::TooLarge { projection, weights: all, limit });
                continue;
            }
            self.projection(projection, target, format, late, bias);
        }
    }

    fn projection(
        &mut self,
        projection: &Projection,
        target: &Population,
        format: Format,
        late: u32,
        bias: Option<&Vec<f64>>,
    ) {
        let source = match projection.source {
            Source::Input(input) => self.network.inputs[input].name.clone(),
            Source::Events { population, .. } => self.network.populations[population].name.clone(),
        };
        let size = self.network.source_size(projection.source) as usize;
        let mut bias = bias;
        match &projection.delays {
            Delays::None | Delays::Uniform(_) => {
                let steps = projection.delays.longest() + late;
                let from = self.delayed(&source, &projection.name, projection.source, steps);
                let node = self.weights(projection, size, target, format, bias);
                let from = self.shaped(&from, projection, &node);
                self.node(&projection.name, node);
                self.edge(&from, &projection.name);
                self.edge(&projection.name, &target.name);
            }
            Delays::Ring(delays) | Delays::Sorted(delays) => {
                for delay in delays.iter().copied().collect::<BTreeSet<u16>>() {
                    let mut matrix = empty(target.size as usize, size);
                    for row in 0..size {
                        projection.weights.row(row as u32, target.size, |synapse| {
                            if delays[synapse.index] == delay {
                                matrix.data[synapse.target as usize * size + row] += format.to_f64(synapse.weight);
                            }
                        });
                    }
                    let name = format!("{} of {delay}", projection.name);
                    let steps = u32::from(delay) + late;
                    let from = self.delayed(&source, &name, projection.source, steps);
                    let node = linear(matrix, bias.take());
                    let from = self.shaped(&from, projection, &node);
                    self.node(&name, node);
                    self.edge(&from, &name);
                    self.edge(&name, &target.name);
                }
            }
        }
    }

    /// A Delay behind `from`, if it takes any steps; what gives the spikes then.
    fn delayed(&mut self, from: &str, name: &str, source: Source, steps: u32) -> String {
        if steps == 0 {
            return from.to_owned();
        }
        let own = format!("{name}.delay");
        let shape = self.shape(source);
        let data = vec![f64::from(steps) * self.dt; shape.iter().product()];
        self.node(&own, Node::Delay { delay: Tensor { shape, data } });
        self.edge(from, &own);
        own
    }

    /// A Flatten or a SumPool2d in front of `node`, where it needs one; what gives the spikes then.
    fn shaped(&mut self, from: &str, projection: &Projection, node: &Node) -> String {
        let shape = self.shape(projection.source);
        let between = match (&projection.weights, node) {
            (Weights::Convolution(convolution), Node::Conv2d(_)) if convolution.pool != [1, 1] => {
                let kernel = convolution.pool.map(|extent| extent as usize);
                Some(("pool", Node::SumPool2d(Pool { kernel, stride: kernel, padding: [0, 0] })))
            }
            (_, Node::Linear { .. } | Node::Affine { .. }) if shape.len() > 1 => {
                Some(("flatten", Node::Flatten { input_shape: Some(shape), start_dim: 0, end_dim: -1 }))
            }
            _ => None,
        };
        let Some((what, between)) = between else { return from.to_owned() };
        let own = format!("{}.{what}", projection.name);
        // Parts of a projection with delays share none of it: their names differ, and so do what leads to them.
        let own = if self.graph.nodes.contains_key(&own) { format!("{from}.{what}") } else { own };
        self.node(&own, between);
        self.edge(from, &own);
        own
    }

    /// The node that holds a projection's weights.
    fn weights(
        &mut self,
        projection: &Projection,
        size: usize,
        target: &Population,
        format: Format,
        bias: Option<&Vec<f64>>,
    ) -> Node {
        match &projection.weights {
            Weights::OneToOne(codes) if bias.is_none() => {
                let data: Vec<f64> = codes.iter().map(|code| format.to_f64(*code)).collect();
                let shape = self.shape(projection.source);
                return Node::Scale { scale: Tensor { shape, data } };
            }
            Weights::Convolution(convolution) => {
                if let Some(node) = conv(convolution, format, bias) {
                    return node;
                }
            }
            Weights::OneToOne(_) | Weights::Dense(_) | Weights::Sparse(_) => {}
        }
        let mut matrix = empty(target.size as usize, size);
        for row in 0..size {
            projection.weights.row(row as u32, target.size, |synapse| {
                matrix.data[synapse.target as usize * size + row] += format.to_f64(synapse.weight);
            });
        }
        linear(matrix, bias)
    }

    fn outputs(&mut self) {
        let count = self.network.outputs.len();
        let populations: BTreeSet<usize> = self.network.outputs.iter().map(|output| output.population).collect();
        for index in populations {
            let name = self.network.populations[index].name.clone();
            let mut own = if count == 1 { "output".to_owned() } else { format!("{name}.output") };
            while self.graph.nodes.contains_key(&own) {
                own.push('\'');
            }
            let shape = self.shape(Source::Events { population: index, event: 0 });
            self.node(&own, Node::Output { shape });
            self.edge(&name, &own);
        }
    }
}

fn empty(rows: usize, cols: usize) -> Matrix {
    Matrix { rows, cols, data: vec![0.0; rows * cols] }
}

fn linear(weight: Matrix, bias: Option<&Vec<f64>>) -> Node {
    match bias {
        Some(bias) => Node::Affine { weight, bias: bias.clone() },
        None => Node::Linear { weight },
    }
}

/// The numbers of a bias by channel, if all neurons of a channel have the same.
fn by_channel(bias: &[f64], convolution: &Convolution) -> Option<Vec<f64>> {
    let area = (convolution.target[1] * convolution.target[2]).max(1) as usize;
    let same = |chunk: &[f64]| chunk.iter().all(|number| *number == chunk[0]).then(|| chunk[0]);
    bias.chunks(area).map(same).collect()
}

/// A convolution's node, behind its pool, if NIR's padding gives as many rows and columns.
fn conv(convolution: &Convolution, format: Format, bias: Option<&Vec<f64>>) -> Option<Node> {
    let Convolution { kernel, extent, source, pool, target, stride, padding, dilation, groups } = convolution;
    let two = |numbers: &[u32; 2]| numbers.map(|number| number as usize);
    let [channels, rows, columns] = source.map(|extent| extent as usize);
    let pooled = [rows / pool[0] as usize, columns / pool[1] as usize];
    let out = target[0] as usize;
    let bias = match bias {
        Some(bias) => by_channel(bias, convolution)?,
        None => vec![0.0; out],
    };
    let mut conv = Conv {
        out_channels: out,
        group_channels: channels / *groups as usize,
        kernel: two(extent),
        weight: kernel.iter().map(|code| format.to_f64(*code)).collect(),
        bias,
        stride: two(stride),
        padding: Padding::Zeros(two(padding)),
        dilation: two(dilation),
        groups: *groups as usize,
        input_shape: Some(pooled),
    };
    let wanted = Some([target[1] as usize, target[2] as usize]);
    if conv.output_extents(pooled) == wanted {
        return Some(Node::Conv2d(conv));
    }
    conv.padding = Padding::Same;
    let before = |axis: usize| conv.padding.around(axis, conv.kernel[axis], conv.dilation[axis])[0];
    let same = [before(0), before(1)] == two(padding) && conv.output_extents(pooled) == wanted;
    same.then_some(Node::Conv2d(conv))
}

/// The node of a population.
fn node(
    neuron: &Neuron,
    spike: Option<Decision>,
    shape: Vec<usize>,
    dt: f64,
    threshold_node: bool,
) -> Result<Node, &'static str> {
    let Neuron { alpha, beta, gamma, rest, bias: _ } = neuron;
    let size = alpha.len();
    if threshold_node && let Some(spike) = &spike {
        let data = spike.threshold.iter().zip(gamma).map(|(threshold, gamma)| threshold / gamma).collect();
        if gamma.iter().any(|gamma| *gamma <= 0.0) {
            return Err("turns its input round before it compares");
        }
        return Ok(Node::Threshold { threshold: Tensor { shape, data } });
    }
    let all = |numbers: &[f64], number: f64| numbers.iter().all(|found| *found == number);
    let within = |numbers: &[f64]| numbers.iter().all(|factor| (0.0..1.0).contains(factor));
    let ratio = |factors: &[f64]| factors.iter().map(|factor| dt / (1.0 - factor)).collect::<Vec<f64>>();
    let spike = spike.map(|spike| {
        let v_reset = match spike.after {
            After::Value(reset) => reset,
            After::Subtract | After::Keep => vec![0.0; size],
        };
        (spike.threshold, v_reset)
    });
    if all(alpha, 1.0) {
        if beta.is_some() {
            return Err("has a current, but a potential without leak");
        }
        if !all(rest, 0.0) {
            return Err("has no leak, but begins at another potential than 0");
        }
        let r = gamma.iter().map(|gamma| gamma / dt).collect();
        return Ok(match spike {
            Some((v_threshold, v_reset)) => Node::If(If { shape, r, v_threshold, v_reset }),
            None => Node::I(I { shape, r }),
        });
    }
    if !within(alpha) {
        return Err("keeps all of its potential or more in some neurons, and not in others");
    }
    let r: Vec<f64> = gamma.iter().zip(alpha).map(|(gamma, alpha)| gamma / (1.0 - alpha)).collect();
    let (tau, v_leak) = (ratio(alpha), rest.clone());
    match beta {
        None => Ok(match spike {
            Some((v_threshold, v_reset)) => Node::Lif(Lif { shape, tau, r, v_leak, v_threshold, v_reset }),
            None => Node::Li(Li { shape, tau, r, v_leak }),
        }),
        Some(beta) if within(beta) => {
            let (tau_syn, tau_mem) = (ratio(beta), tau);
            let w_in = beta.iter().map(|beta| 1.0 / (1.0 - beta)).collect();
            Ok(match spike {
                Some((v_threshold, v_reset)) => {
                    Node::CubaLif(CubaLif { shape, tau_syn, tau_mem, r, v_leak, v_threshold, v_reset, w_in })
                }
                None => Node::CubaLi(CubaLi { shape, tau_syn, tau_mem, r, v_leak, w_in }),
            })
        }
        Some(_) => Err("keeps all of its current or more"),
    }
}
