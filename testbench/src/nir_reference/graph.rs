//! What a `.nir` file holds: nodes with their numbers, and edges.

use std::collections::BTreeMap;

/// Numbers in row-major order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tensor {
    /// Extent of each dimension; `[]` for one number.
    pub shape: Vec<usize>,
    /// As many as the product of the extents.
    pub data: Vec<f64>,
}

impl Tensor {
    /// Numbers of this shape.
    ///
    /// # Panics
    /// Where there are more or fewer of them.
    pub fn new(shape: &[usize], data: Vec<f64>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "as many numbers as {shape:?} says");
        Self { shape: shape.to_vec(), data }
    }

    /// The number of element `index`; the only one where there is one for all.
    pub fn at(&self, index: usize) -> f64 {
        if self.data.len() == 1 { self.data[0] } else { self.data[index] }
    }
}

/// A one- or two-dimensional cross-correlation.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    /// `[out, in / groups, height, width]`, or `[out, in / groups, width]` for one dimension.
    pub weight: Tensor,
    /// One number for each output channel.
    pub bias: Vec<f64>,
    /// Step from window to window, for each spatial dimension.
    pub stride: Vec<usize>,
    /// What is around the image.
    pub padding: Padding,
    /// Distance of the kernel's points, for each spatial dimension.
    pub dilation: Vec<usize>,
    /// Into how many parts the channels are divided that know nothing of each other.
    pub groups: usize,
    /// Spatial extents of the input, where the file says.
    pub input_shape: Option<Vec<usize>>,
}

/// Zeros around an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Padding {
    /// As many at both sides of each spatial dimension.
    Zeros(Vec<usize>),
    /// As many in all, for strides of 1, as make the output as large as the input; the odd one at the end.
    Same,
}

/// Windows over the spatial dimensions of each channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Height and width of a window.
    pub kernel: Vec<usize>,
    /// Step from window to window.
    pub stride: Vec<usize>,
    /// Zeros around the image.
    pub padding: Vec<usize>,
    /// Whether sums are divided by the size of the window.
    pub average: bool,
}

/// Which neurons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Integrator.
    I,
    /// Integrate and fire.
    If,
    /// Leaky integrator.
    Li,
    /// Leaky integrate and fire.
    Lif,
    /// Leaky integrator behind a current.
    CubaLi,
    /// Leaky integrate and fire behind a current.
    CubaLif,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::I, Self::If, Self::Li, Self::Lif, Self::CubaLi, Self::CubaLif];

    /// As NIR spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::I => "I",
            Self::If => "IF",
            Self::Li => "LI",
            Self::Lif => "LIF",
            Self::CubaLi => "CubaLI",
            Self::CubaLif => "CubaLIF",
        }
    }

    /// Whether there is a threshold.
    pub fn spikes(self) -> bool {
        matches!(self, Self::If | Self::Lif | Self::CubaLif)
    }

    /// The parameters it has, by their names in files, and what one is that a file does not have.
    pub fn parameters(self) -> &'static [(&'static str, Option<f64>)] {
        match self {
            Self::I => &[("r", None)],
            Self::If => &[("r", None), ("v_threshold", None), ("v_reset", Some(0.0))],
            Self::Li => &[("tau", None), ("r", None), ("v_leak", None)],
            Self::Lif => &[("tau", None), ("r", None), ("v_leak", None), ("v_threshold", None), ("v_reset", Some(0.0))],
            Self::CubaLi => &[("tau_syn", None), ("tau_mem", None), ("r", None), ("v_leak", None), ("w_in", Some(1.0))],
            Self::CubaLif => &[
                ("tau_syn", None),
                ("tau_mem", None),
                ("r", None),
                ("v_leak", None),
                ("v_threshold", None),
                ("v_reset", Some(0.0)),
                ("w_in", Some(1.0)),
            ],
        }
    }
}

/// A population of neurons.
#[derive(Debug, Clone, PartialEq)]
pub struct Neurons {
    /// Which.
    pub kind: Kind,
    /// Every parameter of the kind, one number for all or one for each.
    pub parameters: BTreeMap<&'static str, Tensor>,
}

impl Neurons {
    /// A parameter of one neuron.
    ///
    /// # Panics
    /// Where the kind has no such parameter.
    pub fn get(&self, parameter: &str, neuron: usize) -> f64 {
        self.parameters[parameter].at(neuron)
    }

    /// The shape of the population, where any parameter tells.
    pub fn shape(&self) -> Option<&[usize]> {
        self.parameters.values().map(|tensor| tensor.shape.as_slice()).find(|shape| !shape.is_empty())
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Where spikes enter.
    Input(Vec<usize>),
    /// Where results leave.
    Output(Vec<usize>),
    /// A matrix, `[targets, sources]`.
    Linear(Tensor),
    /// A matrix and a bias for each target.
    Affine(Tensor, Vec<f64>),
    /// One spatial dimension.
    Conv1d(Conv),
    /// Two spatial dimensions.
    Conv2d(Conv),
    /// Sum or average over windows.
    Pool2d(Pool),
    /// The dimensions from the first to the last given are made one; negative ones are counted from behind.
    Flatten(i64, i64),
    /// A factor for each element.
    Scale(Tensor),
    /// A threshold for each element.
    Threshold(Tensor),
    /// A delay for each element, in the unit of time.
    Delay(Tensor),
    /// Neurons.
    Neurons(Neurons),
    /// A graph within the graph, with one Input and one Output.
    Graph(Graph),
}

impl Node {
    /// As NIR spells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Input(_) => "Input",
            Self::Output(_) => "Output",
            Self::Linear(_) => "Linear",
            Self::Affine(..) => "Affine",
            Self::Conv1d(_) => "Conv1d",
            Self::Conv2d(_) => "Conv2d",
            Self::Pool2d(Pool { average: false, .. }) => "SumPool2d",
            Self::Pool2d(Pool { average: true, .. }) => "AvgPool2d",
            Self::Flatten(..) => "Flatten",
            Self::Scale(_) => "Scale",
            Self::Threshold(_) => "Threshold",
            Self::Delay(_) => "Delay",
            Self::Neurons(neurons) => neurons.kind.name(),
            Self::Graph(_) => "NIRGraph",
        }
    }
}

/// Nodes by name, and edges from one to another. Several edges into a node add up.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// The nodes.
    pub nodes: BTreeMap<String, Node>,
    /// From, to.
    pub edges: Vec<(String, String)>,
}

impl Graph {
    /// Adds a node, and an edge to it from each of `from`.
    ///
    /// # Panics
    /// Where the name is taken.
    pub fn add(&mut self, name: &str, node: Node, from: &[&str]) {
        assert!(self.nodes.insert(name.to_owned(), node).is_none(), "{name} is there already");
        self.edges.extend(from.iter().map(|from| ((*from).to_owned(), name.to_owned())));
    }

    /// Adds an edge.
    pub fn connect(&mut self, from: &str, to: &str) {
        self.edges.push((from.to_owned(), to.to_owned()));
    }

    /// How many nodes of each kind there are, those of graphs within included.
    pub fn kinds(&self) -> BTreeMap<&'static str, usize> {
        let mut kinds = BTreeMap::new();
        for node in self.nodes.values() {
            *kinds.entry(node.kind()).or_insert(0) += 1;
            if let Node::Graph(inner) = node {
                inner.kinds().into_iter().for_each(|(kind, count)| *kinds.entry(kind).or_insert(0) += count);
            }
        }
        kinds
    }

    /// The same graph without graphs in it: their nodes are called `GRAPH.NODE`, and their Inputs and Outputs are
    /// `Flatten` nodes of no dimension, which pass on what they get.
    ///
    /// # Errors
    /// Where a graph within has not one Input and one Output.
    pub fn flat(&self) -> Result<Self, GraphError> {
        let mut flat = Self::default();
        let mut ends: BTreeMap<&str, [String; 2]> = BTreeMap::new();
        for (name, node) in &self.nodes {
            let Node::Graph(inner) = node else {
                flat.nodes.insert(name.clone(), node.clone());
                continue;
            };
            let inner = inner.flat()?;
            let own = |inner: &str| format!("{name}.{inner}");
            let mut places = [Vec::new(), Vec::new()];
            for (inner_name, node) in &inner.nodes {
                let node = match node {
                    Node::Input(_) | Node::Output(_) => {
                        places[usize::from(matches!(node, Node::Output(_)))].push(own(inner_name));
                        Node::Flatten(0, 0)
                    }
                    other => other.clone(),
                };
                flat.nodes.insert(own(inner_name), node);
            }
            flat.edges.extend(inner.edges.iter().map(|(from, to)| (own(from), own(to))));
            match places {
                [inputs, outputs] if inputs.len() == 1 && outputs.len() == 1 => {
                    ends.insert(name, [inputs[0].clone(), outputs[0].clone()]);
                }
                _ => return Err(GraphError::Ends { graph: name.clone() }),
            }
        }
        for (from, to) in &self.edges {
            let from = ends.get(from.as_str()).map_or(from, |[_, output]| output);
            let to = ends.get(to.as_str()).map_or(to, |[input, _]| input);
            flat.edges.push((from.clone(), to.clone()));
        }
        Ok(flat)
    }
}

/// Why a graph has no meaning.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GraphError {
    /// A graph within a graph.
    #[error("the graph `{graph}` within the graph has not exactly one Input and one Output")]
    Ends {
        /// Its name.
        graph: String,
    },
    /// An edge leads nowhere.
    #[error("there is an edge from `{from}` to `{to}`, and one of them does not exist")]
    Edge {
        /// Where from.
        from: String,
        /// Where to.
        to: String,
    },
    /// Nothing leads to a node that needs something.
    #[error("nothing leads from an Input to `{node}`, so its shape is not known")]
    Unreached {
        /// The node.
        node: String,
    },
    /// What comes along an edge has another shape than what a node takes.
    #[error("`{node}` ({kind}) cannot take values of shape {shape:?}")]
    Shape {
        /// The node.
        node: String,
        /// What it is.
        kind: &'static str,
        /// What comes.
        shape: Vec<usize>,
    },
    /// Nothing in a cycle holds a value.
    #[error("`{node}` is in a cycle without neurons, Threshold or Delay")]
    Cycle {
        /// A node of it.
        node: String,
    },
    /// A delay is no length of time.
    #[error("`{node}` delays by {delay}, which is not a number of steps")]
    Delay {
        /// The node.
        node: String,
        /// The delay.
        delay: f64,
    },
}
