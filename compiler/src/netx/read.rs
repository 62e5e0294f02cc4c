//! From an HDF5 file to a [`Net`].

use std::path::Path;

use hdf5_pure::{Group, is_hdf5_bytes};

use super::{Layer, Net, NetxError, Neurons, Problem, WHOLE_DECAY, size_of};
use crate::hdf5::{Archive, Content, Stored, damaged, guarded};
use crate::network::{Convolution, Delays, Sparse, Weights};
use crate::nir::MAX_FILE_BYTES;
use crate::place::DelayCosts;

/// More layers than any network has.
const MOST_LAYERS: usize = 4096;

/// More neurons than a layer can have here.
const MOST_NEURONS: u64 = 1 << 24;

/// More synapses than a layer whose delays differ can have here.
const MOST_DELAYED: u64 = 1 << 27;

/// Lava has up to 62.
const LONGEST_DELAY: i32 = u16::MAX as i32;

/// Reads the netx file at `path`.
///
/// # Errors
/// Every [`Problem`] that can be told from the file.
pub fn read(path: impl AsRef<Path>) -> Result<Net, NetxError> {
    let path = path.as_ref();
    read_bytes(path).map_err(|problems| NetxError { file: path.to_path_buf(), problems })
}

fn one(problem: impl Into<Problem>) -> Vec<Problem> {
    vec![problem.into()]
}

fn read_bytes(path: &Path) -> Result<Net, Vec<Problem>> {
    let size = std::fs::metadata(path).map_err(one)?.len();
    if size > MAX_FILE_BYTES {
        return Err(one(Problem::TooLarge { bytes: size, limit: MAX_FILE_BYTES }));
    }
    let bytes = std::fs::read(path).map_err(one)?;
    if !is_hdf5_bytes(&bytes) {
        return Err(one(Problem::NotHdf5));
    }
    guarded(|| net(&Archive::open(bytes).map_err(one)?)).unwrap_or_else(|damaged| Err(one(damaged)))
}

/// Subgroups of `group`.
fn groups(group: &Group, place: &str) -> Result<Vec<String>, Problem> {
    Ok(group.groups().map_err(|error| damaged(place, error))?)
}

fn net(archive: &Archive) -> Result<Net, Vec<Problem>> {
    if !groups(&archive.root(), "/").map_err(one)?.iter().any(|name| name == "layer") {
        return Err(one(Problem::NoLayers));
    }
    let all = archive.group("layer").map_err(one)?;
    let count = groups(&all, "/layer").map_err(one)?.len();
    if count == 0 || count > MOST_LAYERS {
        return Err(one(Problem::NoLayers));
    }
    let mut chain = Chain { net: None, shape: [0; 3], axonal: Vec::new(), last: 0, warnings: Vec::new() };
    let mut problems = Vec::new();
    for index in 0..count {
        let place = format!("/layer/{index}");
        let group = archive.group(&format!("layer/{index}")).map_err(|_| one(Problem::NoLayers))?;
        let Some(kind) = archive.string(&group, &place, "type").map_err(one)? else {
            return Err(one(Problem::Missing { layer: index, kind: "unknown".to_owned(), dataset: "type" }));
        };
        let kind = kind.trim_matches(['\0', ' ']).to_owned();
        let fields = Fields { archive, group, place, layer: index, kind };
        let last = index + 1 == count;
        // Where a layer's shape is not known, those behind it would only be blamed for that.
        let shape_known = fields.shape();
        match (fields.add_to(&mut chain, last), shape_known) {
            (Ok(()), _) => {}
            (Err(problem), Ok(Some(shape))) if index > 0 && !matches!(problem, Problem::Kind { .. }) => {
                problems.push(problem);
                (chain.shape, chain.axonal) = (shape, Vec::new());
            }
            (Err(problem), _) => {
                problems.push(problem);
                return Err(problems);
            }
        }
    }
    if chain.axonal.iter().any(|delay| *delay != 0) {
        chain
            .warnings
            .push(format!("layer {}: nothing comes after it, so its delays say nothing and are left out", chain.last));
    }
    match chain.net {
        _ if !problems.is_empty() => Err(problems),
        Some(net) if !net.layers.is_empty() => Ok(Net { warnings: chain.warnings, ..net }),
        _ => Err(one(Problem::NoNeurons)),
    }
}

/// What has been read.
struct Chain {
    /// From the first layer on.
    net: Option<Net>,
    /// Of the latest layer.
    shape: [u32; 3],
    /// Delays of its spikes: none, or one per neuron.
    axonal: Vec<u16>,
    /// Number of the latest layer that has delays.
    last: usize,
    warnings: Vec<String>,
}

impl Chain {
    fn begin(&mut self, input: [u32; 3]) {
        self.net = Some(Net { input, layers: Vec::new(), groups: None, warnings: Vec::new() });
        self.shape = input;
    }
}

/// The datasets of one layer.
struct Fields<'a> {
    archive: &'a Archive,
    group: Group,
    place: String,
    layer: usize,
    kind: String,
}

/// What whole numbers may be.
#[derive(Clone, Copy)]
struct Range {
    least: i32,
    most: i32,
    advice: &'static str,
}

/// Sizes, and the like.
const EXTENTS: Range = Range { least: 0, most: 1 << 24, advice: "Export it so" };

impl Fields<'_> {
    fn add_to(&self, chain: &mut Chain, last: bool) -> Result<(), Problem> {
        let kind_error =
            |place, possible| Problem::Kind { layer: self.layer, kind: self.kind.clone(), place, possible };
        if chain.net.is_none() {
            match self.kind.as_str() {
                "input" => return self.input(chain),
                // The weights say how many neurons there are in front of them.
                "dense" => chain.begin([self.sources()?, 1, 1]),
                _ => return Err(kind_error("at the beginning", "input and dense there")),
            }
        }
        let Some(mut net) = chain.net.take() else { return Ok(()) };
        match self.kind.as_str() {
            "flatten" => chain.shape = [size_of(chain.shape), 1, 1],
            "average" if last => net.groups = Some(self.average(size_of(chain.shape))?),
            "average" => return Err(kind_error("before the end", "dense, conv, pool and flatten there")),
            "dense" | "conv" | "pool" => {
                let added = self.neurons_of(chain);
                if let Ok(layer) = added {
                    net.layers.push(layer);
                } else {
                    chain.net = Some(net);
                    return added.map(|_| ());
                }
            }
            _ => return Err(kind_error("at all", "input, dense, conv, pool, flatten and average")),
        }
        chain.net = Some(net);
        Ok(())
    }

    fn input(&self, chain: &mut Chain) -> Result<(), Problem> {
        let shape = self.shape()?.ok_or_else(|| self.missing("shape"))?;
        if self.subgroup("neuron")?.is_some() {
            chain.warnings.push(format!(
                "layer {}: the neurons that make spikes of numbers are left out; the network's input is their spikes",
                self.layer
            ));
        }
        chain.begin(shape);
        chain.axonal = self.axonal(shape, None)?.unwrap_or_default();
        chain.last = self.layer;
        Ok(())
    }

    fn average(&self, before: u32) -> Result<u32, Problem> {
        let groups = size_of(self.shape()?.ok_or_else(|| self.missing("shape"))?);
        if groups == 0 || !before.is_multiple_of(groups) {
            let what = format!("{before} neurons cannot be summed in {groups} groups of the same size");
            return Err(Problem::Sizes { layer: self.layer, what });
        }
        Ok(groups)
    }

    /// A layer with neurons.
    fn neurons_of(&self, chain: &mut Chain) -> Result<Layer, Problem> {
        let (weights, shape) = match self.kind.as_str() {
            "dense" => self.dense(size_of(chain.shape))?,
            "conv" => self.convolution(chain.shape)?,
            _ => self.pool(chain.shape)?,
        };
        if let Some(stated) = self.shape()?.filter(|stated| size_of(*stated) != size_of(shape)) {
            let what = format!("its shape is {stated:?}, but what it says of itself gives {shape:?}");
            return Err(Problem::Sizes { layer: self.layer, what });
        }
        let synaptic = self.synaptic(&weights, chain.shape)?;
        let (neurons, exponent) = self.neurons(shape, &mut chain.warnings)?;
        let delays = match (synaptic, std::mem::take(&mut chain.axonal)) {
            (Some(delays), axonal) if axonal.iter().all(|delay| *delay == 0) => (weights, delays),
            (Some(_), _) => {
                return Err(self
                    .unsupported("delays of its synapses behind a layer with delays of its neurons", "Use one kind"));
            }
            (None, axonal) => self.delayed(weights, &axonal, size_of(shape))?,
        };
        chain.axonal = self.axonal(shape, Some(&delays.0))?.unwrap_or_default();
        chain.shape = shape;
        chain.last = self.layer;
        let (weights, delays) = delays;
        let name = format!("layer{}", self.layer);
        Ok(Layer { name, kind: self.kind.clone(), shape, weights, exponent, delays, neurons })
    }

    /// Neurons in front of a dense layer with which a file begins.
    fn sources(&self) -> Result<u32, Problem> {
        let stored = self.weights()?;
        let count = match stored.shape[..] {
            // A single row, or a single column.
            [count] => count / self.shape()?.map_or(1, |shape| size_of(shape) as usize),
            [_, inputs, ..] => inputs,
            [] => 0,
        };
        self.bounded([count as u64, 1, 1])
    }

    fn dense(&self, before: u32) -> Result<(Weights, [u32; 3]), Problem> {
        let stored = self.weights()?;
        let [out, inputs] = match stored.shape[..] {
            // A single row, or a single column.
            [count] if before > 0 && count % before as usize == 0 => [count / before as usize, before as usize],
            [out, inputs, ref rest @ ..] if rest.iter().all(|extent| *extent == 1) => [out, inputs],
            _ => return Err(self.wrong("weight", "[out, in]", &stored)),
        };
        if inputs != before as usize || out == 0 {
            let what = format!("its weights are for {inputs} neurons, but {before} lead into it");
            return Err(Problem::Sizes { layer: self.layer, what });
        }
        let rows = self.codes("weight", &stored)?;
        let mut codes = vec![0; rows.len()];
        for (target, row) in rows.chunks_exact(inputs).enumerate() {
            row.iter().enumerate().for_each(|(source, weight)| codes[source * out + target] = *weight);
        }
        let shape = [self.bounded([out as u64, 1, 1])?, 1, 1];
        Ok((Weights::Dense(codes), shape))
    }

    fn convolution(&self, source: [u32; 3]) -> Result<(Weights, [u32; 3]), Problem> {
        let stored = self.weights()?;
        let [outputs, inputs, rows, columns] = match stored.shape[..] {
            [outputs, inputs, rows, columns] | [outputs, inputs, rows, columns, 1] => {
                [outputs, inputs, rows, columns].map(|extent| extent as u32)
            }
            _ => return Err(self.wrong("weight", "[out, in / groups, rows, columns]", &stored)),
        };
        let groups = self.scalar("groups", EXTENTS)?.unwrap_or(1).unsigned_abs();
        let sizes = |what| Err(Problem::Sizes { layer: self.layer, what });
        if groups == 0 || outputs % groups != 0 || outputs == 0 || inputs == 0 {
            return sizes(format!("{groups} groups do not divide its {outputs} channels"));
        }
        if inputs.checked_mul(groups) != Some(source[0]) {
            return sizes(format!(
                "its weights are for {inputs} channels in {groups} groups, but {} lead into it",
                source[0]
            ));
        }
        let window = Window { extent: [rows, columns], ..self.window()? };
        let target = self.target(source, outputs, &window)?;
        let kernel = self.codes("weight", &stored)?;
        Ok((convolution(kernel, source, target, &window, groups), target))
    }

    /// The sum over windows in each channel, times a weight.
    fn pool(&self, source: [u32; 3]) -> Result<(Weights, [u32; 3]), Problem> {
        let stored = self.weights()?;
        let extent = self.pair("kernelSize", 0)?.filter(|extent| !extent.contains(&0));
        let extent = extent.ok_or_else(|| self.missing("kernelSize"))?;
        let mut window = Window { extent, ..self.window()? };
        if self.pair("stride", 1)?.is_none() {
            window.stride = extent;
        }
        let codes = self.codes("weight", &stored)?;
        let area = extent[0] as usize * extent[1] as usize;
        let of_channel = |channel: usize| match codes[..] {
            [weight] => vec![weight; area],
            _ if codes.len() == area => codes.clone(),
            _ => codes.iter().copied().skip(channel * area).take(area).collect(),
        };
        if ![1, area, area * source[0] as usize].contains(&codes.len()) {
            return Err(self.wrong("weight", &format!("[1, 1, {}, {}]", extent[0], extent[1]), &stored));
        }
        let target = self.target(source, source[0], &window)?;
        let kernel = (0..source[0] as usize).flat_map(of_channel).collect();
        Ok((convolution(kernel, source, target, &window, source[0]), target))
    }

    /// Stride, padding and dilation of a layer.
    fn window(&self) -> Result<Window, Problem> {
        let stride = self.pair("stride", 1)?.unwrap_or([1; 2]);
        let dilation = self.pair("dilation", 1)?.unwrap_or([1; 2]);
        let padding = self.pair("padding", 0)?.unwrap_or([0; 2]);
        Ok(Window { extent: [1; 2], stride, padding, dilation })
    }

    /// The shape of what windows over `source` see.
    fn target(&self, source: [u32; 3], channels: u32, window: &Window) -> Result<[u32; 3], Problem> {
        let mut target = [u64::from(channels), 0, 0];
        for axis in 0..2 {
            let [extent, stride] = [window.extent[axis], window.stride[axis]].map(u64::from);
            let span = u64::from(window.dilation[axis]) * extent.saturating_sub(1) + 1;
            let room = u64::from(source[axis + 1]) + 2 * u64::from(window.padding[axis]);
            if extent == 0 || stride == 0 || span > room {
                let what = format!("windows of {span} do not fit into the {room} rows or columns that there are");
                return Err(Problem::Sizes { layer: self.layer, what });
            }
            target[axis + 1] = (room - span) / stride + 1;
        }
        self.bounded(target)?;
        Ok(target.map(|extent| extent as u32))
    }

    /// Neurons of a shape.
    fn bounded(&self, shape: [u64; 3]) -> Result<u32, Problem> {
        let size = shape.iter().try_fold(1_u64, |size, extent| size.checked_mul(*extent));
        match size.filter(|size| (1..=MOST_NEURONS).contains(size)) {
            Some(size) => Ok(size as u32),
            None => {
                let what = format!("a shape of {shape:?} is not one of 1 to {MOST_NEURONS} neurons");
                Err(Problem::Sizes { layer: self.layer, what })
            }
        }
    }

    /// Channels, rows and columns, where they are stated.
    fn shape(&self) -> Result<Option<[u32; 3]>, Problem> {
        let Some(stored) = self.numbers("shape")? else { return Ok(None) };
        let extents = self.whole("shape", &stored, EXTENTS)?;
        let shape = match extents[..] {
            [size] => [size, 1, 1],
            [channels, rows] => [channels, rows, 1],
            [channels, rows, columns] => [channels, rows, columns],
            _ => return Err(self.wrong("shape", "[3] (channels, rows, columns)", &stored)),
        };
        let shape = shape.map(i32::unsigned_abs);
        self.bounded(shape.map(u64::from))?;
        Ok(Some(shape))
    }

    fn neurons(&self, shape: [u32; 3], warnings: &mut Vec<String>) -> Result<(Neurons, i32), Problem> {
        let layer = self.layer;
        let group = self.subgroup("neuron")?.ok_or_else(|| {
            // So `affine` layers are written, and Lava takes them for sums without end.
            self.unsupported("no neurons", "Let the network end in neurons that spike")
        })?;
        let place = format!("{}/neuron", self.place);
        let kind = self.archive.string(&group, &place, "type")?.unwrap_or_default();
        let kind = kind.trim_matches(['\0', ' ']);
        if !["CUBA", "LOIHI"].iter().any(|name| kind.eq_ignore_ascii_case(name)) {
            return Err(Problem::Neuron { layer, kind: if kind.is_empty() { "unknown" } else { kind }.to_owned() });
        }
        let neuron = Fields { archive: self.archive, group, place, layer, kind: self.kind.clone() };
        if neuron.scalar("gradedSpike", Range { least: 0, most: 1, advice: "It says yes or no" })?.unwrap_or(0) != 0 {
            return Err(self.unsupported("graded spikes", "Spikes are 0 or 1 here; train without them"));
        }
        if neuron.scalar("refDelay", EXTENTS)?.unwrap_or(1) > 1 {
            warnings.push(format!("layer {layer}: its refractory time is not obeyed, as Lava does not obey it"));
        }
        let decays = Range { least: 0, most: WHOLE_DECAY.into(), advice: "Decays are 12-bit numbers" };
        let thresholds = Range { least: 0, most: (1 << 17) - 1, advice: "Thresholds have 17 bits" };
        let biases = Range { least: -(1 << 17), most: 1 << 17, advice: "Train with smaller biases" };
        let exponents = Range { least: -6, most: 7, advice: "Weights cannot be scaled by more" };
        let exponent = neuron.scalar("wgtExp", exponents)?.unwrap_or(0);
        if neuron.scalar("weight_exp", Range { least: -64, most: 64, advice: "Export it so" })?.unwrap_or(0) != 0 {
            return Err(self.unsupported(
                "weights with an exponent of their own (`neuron/weight_exp`)",
                "Train without normalisation",
            ));
        }
        let codes = |numbers: Vec<i32>| numbers.into_iter().map(|number| number as i16).collect();
        Ok((
            Neurons {
                current_decays: codes(neuron.each("iDecay", shape, decays)?),
                voltage_decays: codes(neuron.each("vDecay", shape, decays)?),
                thresholds: neuron.each("vThMant", shape, thresholds)?,
                biases: match self.numbers("bias")? {
                    None => vec![0; size_of(shape) as usize],
                    Some(_) => self.each("bias", shape, biases)?,
                },
            },
            exponent,
        ))
    }

    /// The weights, as stored.
    fn weights(&self) -> Result<Stored, Problem> {
        if self.subgroup("weight")?.is_some() {
            return Err(self.unsupported("complex weights", "Only CUBA neurons can be imported"));
        }
        self.numbers("weight")?.ok_or_else(|| self.missing("weight"))
    }

    fn codes(&self, dataset: &'static str, stored: &Stored) -> Result<Vec<i16>, Problem> {
        let advice = "Export quantised weights, as `export_hdf5` does";
        let range = Range { least: i16::MIN.into(), most: i16::MAX.into(), advice };
        Ok(self.whole(dataset, stored, range)?.into_iter().map(|number| number as i16).collect())
    }

    /// The delays of the layer's spikes, unless they are the synapses'.
    fn axonal(&self, shape: [u32; 3], weights: Option<&Weights>) -> Result<Option<Vec<u16>>, Problem> {
        let Some(stored) = self.numbers("delay")? else { return Ok(None) };
        if weights.is_some_and(|weights| is_synaptic(&stored, weights, shape)) {
            return Ok(None);
        }
        let steps = self.spread("delay", stored, shape)?;
        self.steps(&steps).map(Some)
    }

    /// The delays of the layer's synapses, where it has such.
    fn synaptic(&self, weights: &Weights, before: [u32; 3]) -> Result<Option<Delays>, Problem> {
        let Some(stored) = self.numbers("delay")? else { return Ok(None) };
        let inputs = size_of(before) as usize;
        let out = weights.codes().len() / inputs.max(1);
        if !is_synaptic(&stored, weights, [out as u32, 1, 1]) {
            return Ok(None);
        }
        let steps = self.steps(&stored)?;
        let mut delays = vec![0; steps.len()];
        for (target, row) in steps.chunks_exact(inputs).enumerate() {
            row.iter().enumerate().for_each(|(source, steps)| delays[source * out + target] = *steps);
        }
        let costs = DelayCosts::of(weights, &delays, inputs as u32, out as u32);
        Ok(Some(costs.cheaper(delays)))
    }

    /// Delays as Lava has them: fractions are dropped.
    fn steps(&self, stored: &Stored) -> Result<Vec<u16>, Problem> {
        let floor =
            Stored { shape: stored.shape.clone(), data: stored.data.iter().map(|delay| delay.floor()).collect() };
        let range =
            Range { least: 0, most: LONGEST_DELAY, advice: "Nothing arrives before it is sent, or later than that" };
        Ok(self.whole("delay", &floor, range)?.into_iter().map(|steps| steps as u16).collect())
    }

    /// Weights and delays where the spikes of each source take their own time.
    fn delayed(&self, weights: Weights, axonal: &[u16], targets: u32) -> Result<(Weights, Delays), Problem> {
        let Some(&first) = axonal.first() else { return Ok((weights, Delays::None)) };
        if axonal.iter().all(|delay| *delay == first) {
            let delays = if first == 0 { Delays::None } else { Delays::Uniform(first.into()) };
            return Ok((weights, delays));
        }
        let count = weights.count(axonal.len() as u32, targets);
        if count > MOST_DELAYED {
            let what = format!("{count} synapses from neurons with different delays");
            return Err(self.unsupported(&what, "Give all neurons of the layer before the same delay"));
        }
        // A kernel cannot be shared by synapses that differ.
        let weights = match weights {
            Weights::Convolution(_) => Weights::Sparse(Sparse::from_rows((0..axonal.len() as u32).map(|source| {
                let mut row = Vec::new();
                weights.row(source, targets, |synapse| row.push((synapse.target, synapse.weight)));
                row
            }))),
            listed => listed,
        };
        let mut delays = vec![0; weights.codes().len()];
        for (source, &steps) in axonal.iter().enumerate() {
            weights.row(source as u32, targets, |synapse| delays[synapse.index] = steps);
        }
        let costs = DelayCosts::of(&weights, &delays, axonal.len() as u32, targets);
        Ok((weights, costs.cheaper(delays)))
    }

    fn subgroup(&self, name: &str) -> Result<Option<Group>, Problem> {
        if !groups(&self.group, &self.place)?.iter().any(|found| found == name) {
            return Ok(None);
        }
        let place = format!("{}/{name}", self.place);
        Ok(Some(self.group.group(name).map_err(|error| damaged(&place, error))?))
    }

    fn numbers(&self, dataset: &'static str) -> Result<Option<Stored>, Problem> {
        match self.archive.numbers(&self.group, &self.place, dataset)? {
            None => Ok(None),
            Some(Content::Numbers(stored)) => Ok(Some(stored)),
            Some(Content::Other(found)) => Err(Problem::NotNumbers { layer: self.layer, dataset, found }),
        }
    }

    fn whole(&self, dataset: &'static str, stored: &Stored, range: Range) -> Result<Vec<i32>, Problem> {
        let Range { least, most, advice } = range;
        let whole = |value: f64| value.fract() == 0.0 && (f64::from(least)..=f64::from(most)).contains(&value);
        match stored.data.iter().position(|value| !whole(*value)) {
            None => Ok(stored.data.iter().map(|value| *value as i32).collect()),
            Some(index) => {
                let (layer, value) = (self.layer, stored.data[index]);
                Err(Problem::Number { layer, dataset, index, value, least, most, advice })
            }
        }
    }

    fn scalar(&self, dataset: &'static str, range: Range) -> Result<Option<i32>, Problem> {
        let Some(stored) = self.numbers(dataset)? else { return Ok(None) };
        match self.whole(dataset, &stored, range)?[..] {
            [number] => Ok(Some(number)),
            _ => Err(self.wrong(dataset, "[1]", &stored)),
        }
    }

    /// A number for rows and one for columns, at least `least`; or one for both.
    fn pair(&self, dataset: &'static str, least: i32) -> Result<Option<[u32; 2]>, Problem> {
        let Some(stored) = self.numbers(dataset)? else { return Ok(None) };
        match self.whole(dataset, &stored, Range { least, ..EXTENTS })?[..] {
            [both] => Ok(Some([both.unsigned_abs(); 2])),
            // SLAYER convolves over time too, with windows of one step.
            [rows, columns] | [rows, columns, 0 | 1] => Ok(Some([rows.unsigned_abs(), columns.unsigned_abs()])),
            _ => Err(self.wrong(dataset, "[2] (rows, columns)", &stored)),
        }
    }

    /// A number for each neuron.
    fn each(&self, dataset: &'static str, shape: [u32; 3], range: Range) -> Result<Vec<i32>, Problem> {
        let stored = self.numbers(dataset)?.ok_or_else(|| self.missing(dataset))?;
        let spread = self.spread(dataset, stored, shape)?;
        self.whole(dataset, &spread, range)
    }

    /// One number per neuron, from one for all, for each channel or for each neuron.
    fn spread(&self, dataset: &'static str, stored: Stored, shape: [u32; 3]) -> Result<Stored, Problem> {
        let (size, channels) = (size_of(shape) as usize, shape[0] as usize);
        let data = match stored.data.len() {
            count if count == size => return Ok(stored),
            1 => vec![stored.data[0]; size],
            count if count == channels => {
                stored.data.iter().flat_map(|number| std::iter::repeat_n(*number, size / channels)).collect()
            }
            _ if channels == size => return Err(self.wrong(dataset, &format!("1 or {size} numbers"), &stored)),
            _ => return Err(self.wrong(dataset, &format!("1, {channels} or {size} numbers"), &stored)),
        };
        Ok(Stored { shape: vec![size], data })
    }

    fn missing(&self, dataset: &'static str) -> Problem {
        Problem::Missing { layer: self.layer, kind: self.kind.clone(), dataset }
    }

    fn wrong(&self, dataset: &'static str, expected: &str, stored: &Stored) -> Problem {
        let (expected, found) = (expected.to_owned(), stored.shape.clone());
        Problem::Shape { layer: self.layer, dataset, expected, found }
    }

    fn unsupported(&self, what: &str, instead: &'static str) -> Problem {
        Problem::Unsupported { layer: self.layer, what: what.to_owned(), instead }
    }
}

/// Whether delays are one per synapse rather than one per neuron.
fn is_synaptic(delays: &Stored, weights: &Weights, shape: [u32; 3]) -> bool {
    let one_each = matches!(weights, Weights::Dense(codes) if codes.len() == delays.data.len());
    one_each && delays.data.len() != size_of(shape) as usize
}

/// Where a convolution's neurons look.
struct Window {
    extent: [u32; 2],
    stride: [u32; 2],
    padding: [u32; 2],
    dilation: [u32; 2],
}

fn convolution(kernel: Vec<i16>, source: [u32; 3], target: [u32; 3], window: &Window, groups: u32) -> Weights {
    let Window { extent, stride, padding, dilation } = *window;
    Weights::Convolution(Convolution {
        kernel,
        extent,
        source,
        pool: [1; 2],
        target,
        stride,
        padding,
        dilation,
        groups,
    })
}
